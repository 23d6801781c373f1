//! Checking a value against its schema, every error at once, worded as a real API server words it.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::{Value, json};

use super::{Bound, ListKind, Schema};
use crate::field_path::FieldPath;
use crate::status::FieldError;

pub(crate) fn validate(value: &Value, schema: &Schema, path: &FieldPath<'_>, errors: &mut Vec<FieldError>) {
    if value.is_null() && schema.nullable {
        return;
    }
    if schema.int_or_string {
        if !(value.is_string() || value.is_i64() || value.is_u64()) {
            errors.push(wrong_type(value, path, "integer,string"));
        }
        return;
    }
    if let Some(kind) = schema.kind
        && !has_type(value, kind)
    {
        errors.push(wrong_type(value, path, kind));
        if kind == "integer" && value.is_number() {
            errors.push(unchecked_number(path, "(default format)"));
        }
        return;
    }
    if !schema.allowed.is_empty() && !schema.allowed.contains(value) {
        let quoted = |v: &Value| if v.is_string() { v.to_string() } else { format!("\"{v}\"") };
        let allowed = schema.allowed.iter().map(quoted).collect::<Vec<_>>().join(", ");
        let message = format!("Unsupported value: {value}: supported values: {allowed}");
        errors.push(FieldError::new("FieldValueNotSupported", path, message));
    }
    match value {
        Value::String(text) => check_string(text, value, schema, path, errors),
        Value::Number(number) => check_number(number.as_f64().unwrap_or(0.0), value, schema, path, errors),
        Value::Array(items) => check_array(items, schema, path, errors),
        Value::Object(map) => check_object(map, schema, path, errors),
        Value::Null | Value::Bool(_) => {}
    }
    check_branches(value, schema, path, errors);
}

fn in_body(path: &FieldPath<'_>, value: &Value, why: impl std::fmt::Display) -> FieldError {
    FieldError::invalid(path, value, format!("{path} in body {why}"))
}

fn check_string(text: &str, value: &Value, schema: &Schema, path: &FieldPath<'_>, errors: &mut Vec<FieldError>) {
    let length = text.chars().count() as u64;
    let too_short = |min| in_body(path, value, format!("should be at least {min} chars long"));
    errors.extend(schema.min_length.filter(|min| length < *min).map(too_short));
    errors.extend(schema.max_length.filter(|max| length > *max).map(|max| FieldError::too_long(path, max)));
    if let Some(pattern) = schema.pattern.as_ref().filter(|p| !p.is_match(text)) {
        errors.push(in_body(path, value, format!("should match '{}'", pattern.as_str())));
    }
    if let Some(format) = schema.format.as_deref().filter(|f| !matches_format(text, f)) {
        let message = format!("Invalid value: {value}: {path} in body must be of type {format}: {value}");
        errors.push(FieldError::new("FieldValueTypeInvalid", path, message));
    }
}

/// Formats that are not known here are not checked, as upstream does.
fn matches_format(text: &str, format: &str) -> bool {
    use base64::Engine;
    match format {
        "date-time" => text.parse::<jiff::Timestamp>().is_ok(),
        "date" => text.len() == 10 && text.parse::<jiff::civil::Date>().is_ok(),
        "uuid" => text.len() == 36 && uuid::Uuid::parse_str(text).is_ok(),
        "ipv4" => text.parse::<std::net::Ipv4Addr>().is_ok(),
        "ipv6" => text.parse::<std::net::Ipv6Addr>().is_ok(),
        "byte" => base64::engine::general_purpose::STANDARD.decode(text).is_ok(),
        _ => true,
    }
}

/// Upstream checks the form of a number in another place, which names no field.
fn unchecked_number(path: &FieldPath<'_>, form: &str) -> FieldError {
    let message = format!("Invalid value: \"\": Checked value must be of type integer {form} in {path}");
    FieldError::new("FieldValueInvalid", "", message)
}

fn check_number(number: f64, value: &Value, schema: &Schema, path: &FieldPath<'_>, errors: &mut Vec<FieldError>) {
    if schema.format.as_deref() == Some("int32") && !(f64::from(i32::MIN)..=f64::from(i32::MAX)).contains(&number) {
        errors.push(unchecked_number(path, "with format int32"));
    }
    let beyond = |bound: Option<Bound>, is_beyond: fn(&f64, &f64) -> bool, relation: &str| {
        let Bound { at, exclusive } = bound.filter(|b| is_beyond(&number, &b.at) || b.exclusive && number == b.at)?;
        let or_equal = if exclusive { "" } else { " or equal to" };
        Some(in_body(path, value, format!("should be {relation} than{or_equal} {at}")))
    };
    errors.extend(beyond(schema.minimum, f64::lt, "greater"));
    errors.extend(beyond(schema.maximum, f64::gt, "less"));
    if let Some(step) = schema.multiple_of.filter(|step| *step > 0.0 && (number / step).fract() != 0.0) {
        errors.push(in_body(path, value, format!("should be a multiple of {step}")));
    }
}

fn check_array(items: &[Value], schema: &Schema, path: &FieldPath<'_>, errors: &mut Vec<FieldError>) {
    check_count(items.len(), [schema.min_items, schema.max_items], "items", path, errors);
    check_duplicates(items, schema, path, errors);
    if let Some(item_schema) = &schema.items {
        for (i, item) in items.iter().enumerate() {
            validate(item, item_schema, &path.index(i), errors);
        }
    }
}

type Limits = [Option<u64>; 2];

fn check_count(count: usize, [min, max]: Limits, noun: &str, path: &FieldPath<'_>, errors: &mut Vec<FieldError>) {
    let count = count as u64;
    errors.extend(max.filter(|max| count > *max).map(|max| FieldError::too_many(path, count, max)));
    let too_few = |min| in_body(path, &json!(count), format!("should have at least {min} {noun}"));
    errors.extend(min.filter(|min| count < *min).map(too_few));
}

fn check_duplicates(items: &[Value], schema: &Schema, path: &FieldPath<'_>, errors: &mut Vec<FieldError>) {
    let mut seen = BTreeSet::new();
    for (i, item) in items.iter().enumerate() {
        let identity = match &schema.list {
            ListKind::Atomic => return,
            ListKind::Set => item.clone(),
            ListKind::Map(keys) => json!(keys.iter().map(|k| (k, &item[k])).collect::<BTreeMap<_, _>>()),
        };
        if !seen.insert(identity.to_string()) {
            let message = format!("Duplicate value: {identity}");
            errors.push(FieldError::new("FieldValueDuplicate", &path.index(i), message));
        }
    }
}

fn check_object(
    map: &serde_json::Map<String, Value>,
    schema: &Schema,
    path: &FieldPath<'_>,
    errors: &mut Vec<FieldError>,
) {
    check_count(map.len(), [schema.min_properties, schema.max_properties], "properties", path, errors);
    let missing = schema.required.iter().filter(|key| !map.contains_key(*key));
    errors.extend(missing.map(|key| FieldError::required(&path.key(key), "")));
    for (key, child) in map {
        if let Some(child_schema) = schema.child(key) {
            validate(child, child_schema, &path.key(key), errors);
        }
    }
}

fn check_branches(value: &Value, schema: &Schema, path: &FieldPath<'_>, errors: &mut Vec<FieldError>) {
    let holds = |branch: &Schema| {
        let mut found = Vec::new();
        validate(value, branch, path, &mut found);
        found.is_empty()
    };
    for branch in &schema.all_of {
        validate(value, branch, path, errors);
    }
    if !schema.any_of.is_empty() && !schema.any_of.iter().any(holds) {
        errors.push(composite(path, "must validate at least one schema (anyOf)"));
        validate(value, &schema.any_of[0], path, errors);
    }
    let valid = schema.one_of.iter().filter(|b| holds(b)).count();
    if valid != 1 && !schema.one_of.is_empty() {
        let found = if valid == 0 { "none valid".to_owned() } else { format!("{valid} valid alternatives") };
        errors.push(composite(path, &format!("must validate one and only one schema (oneOf). Found {found}")));
        if valid == 0 {
            // Of several that fail, the first says how.
            validate(value, &schema.one_of[0], path, errors);
        }
    }
    if schema.not.as_deref().is_some_and(holds) {
        errors.push(composite(path, "must not validate the schema (not)"));
    }
}

/// Upstream names no field in errors of composed schemas, only in their text.
fn composite(path: &FieldPath<'_>, why: &str) -> FieldError {
    FieldError::new("FieldValueInvalid", "", format!("Invalid value: \"\": \"{path}\" {why}"))
}

fn type_of(value: &Value) -> &'static str {
    match value {
        Value::Null => "null",
        Value::Bool(_) => "boolean",
        Value::Number(n) if n.is_f64() => "number",
        Value::Number(_) => "integer",
        Value::String(_) => "string",
        Value::Array(_) => "array",
        Value::Object(_) => "object",
    }
}

fn wrong_type(value: &Value, path: &FieldPath<'_>, wanted: &str) -> FieldError {
    let actual = type_of(value);
    let message = format!("Invalid value: \"{actual}\": {path} in body must be of type {wanted}: \"{actual}\"");
    FieldError::new("FieldValueTypeInvalid", path, message)
}

fn has_type(value: &Value, kind: &str) -> bool {
    match (kind, type_of(value)) {
        ("number", "integer") => true,
        // 2.0 is an integer to OpenAPI.
        ("integer", "number") => value.as_f64().is_some_and(|f| f.fract() == 0.0),
        (wanted, actual) => wanted == actual,
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::super::{apply_defaults, compile_custom, prune};
    use super::*;

    fn compile(spec: Value) -> Schema {
        let document = json!({"type": "object", "properties": {"spec": spec}});
        compile_custom(&document, &Arc::new(Schema::default()), "root").unwrap()
    }

    fn check(spec: Value, value: Value, expect: &[&str]) {
        let mut errors = Vec::new();
        validate(&json!({"spec": value}), &compile(spec), &FieldPath::Root, &mut errors);
        let found: Vec<String> = errors.iter().map(|e| format!("{}: {}", e.field, e.message)).collect();
        assert_eq!(found, expect);
    }

    #[test]
    fn each_limit_has_the_words_of_a_real_api_server() {
        let object = |p: Value| json!({"type": "object", "properties": {"a": p}});
        check(
            json!({"type": "object", "required": ["a"], "properties": {"a": {"type": "string"}}}),
            json!({}),
            &["spec.a: Required value"],
        );
        check(
            object(json!({"type": "string", "enum": ["x", "y"]})),
            json!({"a": "z"}),
            &["spec.a: Unsupported value: \"z\": supported values: \"x\", \"y\""],
        );
        check(
            object(json!({"type": "integer", "maximum": 100})),
            json!({"a": 101}),
            &["spec.a: Invalid value: 101: spec.a in body should be less than or equal to 100"],
        );
        check(
            object(json!({"type": "integer"})),
            json!({"a": "1"}),
            &["spec.a: Invalid value: \"string\": spec.a in body must be of type integer: \"string\""],
        );
        check(
            object(json!({"type": "string", "maxLength": 1})),
            json!({"a": "ab"}),
            &["spec.a: Too long: may not be more than 1 byte"],
        );
        check(
            object(json!({"type": "array", "maxItems": 1, "items": {"type": "integer"}})),
            json!({"a": [1, 2]}),
            &["spec.a: Too many: 2: must have at most 1 item"],
        );
        check(
            object(json!({"type": "array", "items": {"type": "string"}, "x-kubernetes-list-type": "set"})),
            json!({"a": ["x", "y", "x"]}),
            &["spec.a[2]: Duplicate value: \"x\""],
        );
        check(
            object(json!({"type": "integer", "enum": [1, 2]})),
            json!({"a": 3}),
            &["spec.a: Unsupported value: 3: supported values: \"1\", \"2\""],
        );
        check(
            object(json!({"type": "object", "oneOf": [{"required": ["x"]}, {"required": ["y"]}],
                "properties": {"x": {"type": "string"}, "y": {"type": "string"}}})),
            json!({"a": {}}),
            &[
                ": Invalid value: \"\": \"spec.a\" must validate one and only one schema (oneOf). Found none valid",
                "spec.a.x: Required value",
            ],
        );
        check(
            object(json!({"type": "string", "format": "date-time"})),
            json!({"a": "tomorrow"}),
            &["spec.a: Invalid value: \"tomorrow\": spec.a in body must be of type date-time: \"tomorrow\""],
        );
    }

    #[test]
    fn pruning_names_what_it_drops_and_keeps_maps_and_preserved_parts() {
        let schema = compile(json!({"type": "object", "properties": {
            "known": {"type": "string"},
            "map": {"type": "object", "additionalProperties": {"type": "string"}},
            "free": {"type": "object", "x-kubernetes-preserve-unknown-fields": true},
            "list": {"type": "array", "items": {"type": "object", "properties": {"a": {"type": "string"}}}},
        }}));
        let mut value = json!({"spec": {
            "known": "x", "bogus": 1, "map": {"any": "x"}, "free": {"any": 1}, "list": [{"a": "x", "b": 1}],
        }});
        let mut unknown = Vec::new();
        prune(&mut value, &schema, &FieldPath::Root, &mut unknown);
        unknown.sort();
        assert_eq!(unknown, ["spec.bogus", "spec.list[0].b"]);
        let kept = json!({"known": "x", "map": {"any": "x"}, "free": {"any": 1}, "list": [{"a": "x"}]});
        assert_eq!(value["spec"], kept);
    }

    #[test]
    fn defaults_fill_what_is_absent_null_or_inside_a_default() {
        let schema = compile(json!({"type": "object", "properties": {
            "channel": {"type": "string", "default": "Email"},
            "nested": {"type": "object", "default": {}, "properties": {"n": {"type": "integer", "default": 3}}},
            "note": {"type": "string", "nullable": true},
            "gone": {"type": "string"},
        }}));
        let mut value = json!({"spec": {"channel": null, "note": null, "gone": null}});
        apply_defaults(&mut value, &schema);
        assert_eq!(value["spec"], json!({"channel": "Email", "nested": {"n": 3}, "note": null}));
    }

    #[test]
    fn a_schema_that_is_not_structural_is_refused_with_its_place() {
        let document = json!({"type": "object", "properties": {"spec": {"properties": {}}, "s": {"$ref": "#/x"}}});
        let errors = compile_custom(&document, &Arc::new(Schema::default()), "root").unwrap_err();
        let fields: Vec<&str> = errors.iter().map(|e| e.field.as_str()).collect();
        assert!(
            fields.contains(&"root.properties[spec].type") && fields.contains(&"root.properties[s].$ref"),
            "{fields:?}"
        );
    }
}
