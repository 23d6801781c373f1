//! What the schema alone shows: unknown and missing fields, wrong types, forms and sizes. All of it at once, in words.
//!
//! An API server says the same of the same fields in words of its own; the verdict is equal.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::LazyLock;

use regex::Regex;
use serde_json::{Map, Value};

use super::error::{Findings, Path, code};
use crate::nearest::did_you_mean;
use crate::wire::text::FORMS;

/// Each pattern of the schemas, compiled once.
static PATTERNS: LazyLock<BTreeMap<&'static str, Regex>> =
    LazyLock::new(|| FORMS.iter().filter_map(|form| Some((form.pattern, Regex::new(form.pattern).ok()?))).collect());

/// Checks `value` against `schema`.
pub(crate) fn check(schema: &Value, value: &Value, path: Path<'_>, findings: &mut Findings) {
    if value.is_null() {
        findings.push(path, code::REQUIRED, "there is no value", "give one, or remove the line");
        return;
    }
    match schema.get("type").and_then(Value::as_str) {
        Some("object") => object(schema, value, path, findings),
        Some("array") => array(schema, value, path, findings),
        Some("string") => string(schema, value, path, findings),
        Some("integer") => integer(schema, value, path, findings),
        Some("number") => decimal(schema, value, path, findings),
        Some("boolean") => boolean(value, path, findings),
        _ => {}
    }
}

/// `value` with everything that a reader could not take replaced by something that it can, so that the rest can still
/// be judged. What is judged of a replacement follows from a fault that `check` has reported at the same path.
pub(crate) fn repaired(schema: &Value, value: Option<&Value>) -> Value {
    let text = |key: &str| schema.get(key).and_then(Value::as_str);
    match (text("type"), value) {
        (Some("object"), value) => repaired_object(schema, value.and_then(Value::as_object)),
        (Some("array"), Some(Value::Array(items))) => match schema.get("items") {
            Some(entry) => items.iter().map(|item| repaired(entry, Some(item))).collect(),
            None => Value::Array(items.clone()),
        },
        (Some("array"), _) => Value::Array(Vec::new()),
        (Some("string"), value) => {
            let allowed = schema.get("enum").and_then(Value::as_array);
            match (value, allowed) {
                (Some(value), Some(allowed)) if allowed.contains(value) => value.clone(),
                (_, Some(allowed)) => allowed.first().cloned().unwrap_or_default(),
                (Some(Value::String(text)), None) => Value::String(text.clone()),
                (_, None) => Value::String(String::new()),
            }
        }
        (Some("integer"), value) => value.filter(|value| value.is_i64()).cloned().unwrap_or_else(|| 1.into()),
        (Some("number"), value) => value.filter(|value| value.is_number()).cloned().unwrap_or_else(|| 1.into()),
        (Some("boolean"), value) => Value::Bool(value.and_then(Value::as_bool).unwrap_or(false)),
        (_, value) => value.cloned().unwrap_or_default(),
    }
}

fn repaired_object(schema: &Value, fields: Option<&Map<String, Value>>) -> Value {
    let mut whole = Map::new();
    let present = fields.into_iter().flatten().filter(|(_, value)| !value.is_null());
    for (name, value) in present {
        let sub = schema.get("additionalProperties").or_else(|| schema.get("properties")?.get(name));
        if let Some(sub) = sub {
            whole.insert(name.clone(), repaired(sub, Some(value)));
        }
    }
    for name in schema.get("required").and_then(Value::as_array).into_iter().flatten().filter_map(Value::as_str) {
        if let (false, Some(sub)) = (whole.contains_key(name), schema.get("properties").and_then(|all| all.get(name))) {
            whole.insert(name.to_owned(), repaired(sub, None));
        }
    }
    Value::Object(whole)
}

fn number(schema: &Value, key: &str) -> Option<usize> {
    schema.get(key).and_then(Value::as_u64).and_then(|number| usize::try_from(number).ok())
}

fn object(schema: &Value, value: &Value, path: Path<'_>, findings: &mut Findings) {
    let Some(fields) = value.as_object() else {
        wrong_type(value, "a group of fields", "indent its fields below it", path, findings);
        return;
    };
    match schema.get("additionalProperties") {
        Some(entry) => {
            between(
                fields.len(),
                (number(schema, "minProperties"), number(schema, "maxProperties")),
                "entries",
                path,
                findings,
            );
            for (name, sub) in fields {
                check(entry, sub, path.field(name), findings);
            }
        }
        None => {
            static NONE: LazyLock<Map<String, Value>> = LazyLock::new(Map::new);
            let properties = schema.get("properties").and_then(Value::as_object).unwrap_or(&NONE);
            for (name, sub) in fields {
                match properties.get(name) {
                    Some(property) => check(property, sub, path.field(name), findings),
                    None => unknown_field(name, properties, path, findings),
                }
            }
        }
    }
    for name in schema.get("required").and_then(Value::as_array).into_iter().flatten().filter_map(Value::as_str) {
        if !fields.contains_key(name) {
            findings.push(path.field(name), code::REQUIRED, "is missing", format!("add `{name}`"));
        }
    }
}

fn unknown_field(name: &str, properties: &Map<String, Value>, path: Path<'_>, findings: &mut Findings) {
    let known: Vec<&str> = properties.keys().map(String::as_str).collect();
    let otherwise = match known.as_slice() {
        [] => "remove it; nothing can be set here".to_owned(),
        names => format!("remove it; the fields here are {}", names.join(", ")),
    };
    let remedy = did_you_mean(name, known, &otherwise);
    findings.push(path.field(name), code::UNKNOWN_FIELD, format!("there is no field `{name}`"), remedy);
}

fn array(schema: &Value, value: &Value, path: Path<'_>, findings: &mut Findings) {
    let Some(items) = value.as_array() else {
        wrong_type(value, "a list", "begin each entry with a hyphen, or write [a, b]", path, findings);
        return;
    };
    between(items.len(), (number(schema, "minItems"), number(schema, "maxItems")), "entries", path, findings);
    if let Some(entry) = schema.get("items") {
        for (index, item) in items.iter().enumerate() {
            check(entry, item, path.index(index), findings);
        }
    }
    let keys = schema.get("x-kubernetes-list-map-keys").and_then(Value::as_array).into_iter().flatten();
    for key in keys.filter_map(Value::as_str) {
        let mut seen = BTreeSet::new();
        for (index, item) in items.iter().enumerate() {
            if let Some(text) = item.get(key).and_then(Value::as_str)
                && !seen.insert(text)
            {
                let reason = format!("`{text}` is there twice");
                findings.push(path.index(index), code::DUPLICATE, reason, format!("give each entry its own {key}"));
            }
        }
    }
}

fn string(schema: &Value, value: &Value, path: Path<'_>, findings: &mut Findings) {
    let Some(text) = value.as_str() else {
        let remedy = match value {
            Value::Number(number) => format!("write it in quotes: \"{number}\""),
            Value::Bool(flag) => format!("write it in quotes: \"{flag}\""),
            _ => "write one text".to_owned(),
        };
        wrong_type(value, "a text", &remedy, path, findings);
        return;
    };
    if let Some(allowed) = schema.get("enum").and_then(Value::as_array) {
        let allowed: Vec<&str> = allowed.iter().filter_map(Value::as_str).collect();
        if !allowed.contains(&text) {
            let list = format!("choose one of {}", allowed.join(", "));
            let remedy = did_you_mean(text, allowed, &list);
            findings.push(path, code::NOT_ALLOWED, format!("`{text}` is not allowed here"), remedy);
        }
        return;
    }
    if let Some(pattern) = schema.get("pattern").and_then(Value::as_str)
        && !matches(pattern, text)
    {
        let form = FORMS.iter().find(|form| form.pattern == pattern);
        let (noun, remedy) =
            form.map_or(("right", "write it in the form that its description shows"), |f| (f.noun, f.remedy));
        findings.push(path, code::MALFORMED, format!("`{}` is not {noun}", shortened(text)), remedy);
        return;
    }
    let bounds = (number(schema, "minLength"), number(schema, "maxLength"));
    between(text.chars().count(), bounds, "characters", path, findings);
}

/// A pattern that no form has is compiled where it is met; a broken one, which the tests exclude, refuses nothing.
fn matches(pattern: &str, text: &str) -> bool {
    match PATTERNS.get(pattern) {
        Some(known) => known.is_match(text),
        None => Regex::new(pattern).map_or(true, |regex| regex.is_match(text)),
    }
}

fn integer(schema: &Value, value: &Value, path: Path<'_>, findings: &mut Findings) {
    let Some(number) = value.as_i64() else {
        let remedy = match value.as_str().filter(|text| text.parse::<i64>().is_ok()) {
            Some(text) => format!("write it without quotes: {text}"),
            None => "write a whole number, such as 3".to_owned(),
        };
        wrong_type(value, "a whole number", &remedy, path, findings);
        return;
    };
    #[expect(clippy::cast_precision_loss, reason = "bounds are far below 2^53")]
    bounded(schema, number as f64, path, findings);
}

fn decimal(schema: &Value, value: &Value, path: Path<'_>, findings: &mut Findings) {
    let Some(number) = value.as_f64() else {
        let remedy = match value.as_str().filter(|text| text.parse::<f64>().is_ok_and(f64::is_finite)) {
            Some(text) => format!("write it without quotes: {text}"),
            None => "write a number, such as 13.74".to_owned(),
        };
        wrong_type(value, "a number", &remedy, path, findings);
        return;
    };
    bounded(schema, number, path, findings);
}

fn bounded(schema: &Value, number: f64, path: Path<'_>, findings: &mut Findings) {
    let bound = |key: &str| schema.get(key).and_then(Value::as_f64);
    if let Some(least) = bound("minimum").filter(|least| number < *least) {
        findings.push(path, code::OUT_OF_RANGE, format!("{number} is too small"), format!("write at least {least}"));
    }
    if let Some(most) = bound("maximum").filter(|most| number > *most) {
        findings.push(path, code::OUT_OF_RANGE, format!("{number} is too large"), format!("write at most {most}"));
    }
}

fn boolean(value: &Value, path: Path<'_>, findings: &mut Findings) {
    if !value.is_boolean() {
        let remedy = match value.as_str() {
            Some(text @ ("true" | "false")) => format!("write it without quotes: {text}"),
            _ => "write true or false".to_owned(),
        };
        wrong_type(value, "true or false", &remedy, path, findings);
    }
}

fn wrong_type(value: &Value, expected: &str, remedy: &str, path: Path<'_>, findings: &mut Findings) {
    let found = match value {
        Value::Null => "nothing".to_owned(),
        Value::Bool(flag) => format!("`{flag}`"),
        Value::Number(number) => format!("the number {number}"),
        Value::String(text) => format!("the text `{}`", shortened(text)),
        Value::Array(_) => "a list".to_owned(),
        Value::Object(_) => "a group of fields".to_owned(),
    };
    findings.push(path, code::WRONG_TYPE, format!("{found} stands where {expected} is meant"), remedy);
}

fn between(
    count: usize,
    (least, most): (Option<usize>, Option<usize>),
    what: &str,
    path: Path<'_>,
    findings: &mut Findings,
) {
    if let Some(least) = least.filter(|least| count < *least) {
        let reason = if count == 0 { "is empty".to_owned() } else { format!("has {count} {what}") };
        findings.push(path, code::OUT_OF_RANGE, reason, format!("write at least {least}"));
    }
    if let Some(most) = most.filter(|most| count > *most) {
        findings.push(path, code::OUT_OF_RANGE, format!("has {count} {what}"), format!("write at most {most}"));
    }
}

/// Long values are cut in messages.
fn shortened(text: &str) -> String {
    const SHOWN_MAX: usize = 60;
    if text.chars().count() <= SHOWN_MAX {
        return text.to_owned();
    }
    text.chars().take(SHOWN_MAX).chain(['…']).collect()
}
