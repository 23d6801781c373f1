//! `x-kubernetes-validations`: CEL rules of a CRD, compiled once, with `oldSelf` on updates.

use std::collections::BTreeMap;
use std::sync::OnceLock;

use cel::Program;
use cel::common::ast::Expr;
use kube::core::cel::{CompiledSchema, ErrorKind, Validator, compile_schema};
use serde_json::{Value, json};

use crate::cel_check::{ESTIMATE_MAX, Place, STEPS_MAX, Values, cost};
use crate::schema::value_at;
use crate::status::FieldError;

/// The rules of one schema.
pub(crate) struct Rules {
    on: On,
    /// Rules that go over lists or maps.
    loops: Vec<Loop>,
}

struct Loop {
    /// To the values that it is about.
    way: Vec<String>,
    rule: String,
    program: Program,
}

enum On {
    /// Each top-level field, such as `spec`: only what a write changed is evaluated, or has a rule about changes.
    Parts(BTreeMap<String, CompiledSchema>),
    /// The object as a whole.
    Whole(Box<CompiledSchema>),
}

impl std::fmt::Debug for Rules {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Rules")
    }
}

impl Rules {
    /// `None` when the schema has no rules.
    ///
    /// # Errors
    /// Every rule that does not compile, asks for a field that is not there, or may cost too much.
    pub(crate) fn compile(document: &Value, path: &str) -> Result<Option<Self>, Vec<FieldError>> {
        if !has_rules(document) {
            return Ok(None);
        }
        let compiled = compile_schema(&with_optional_old(document));
        let mut errors = Vec::new();
        collect_errors(&compiled, &mut errors);
        if !errors.is_empty() {
            let field = format!("{path}.x-kubernetes-validations");
            let error = |e| FieldError::new("FieldValueInvalid", field.clone(), format!("Invalid value: {e}"));
            return Err(errors.into_iter().map(error).collect());
        }
        let mut inspection = Inspection::default();
        inspection.look(&with_object_fields(document), path, 1, &mut Vec::new());
        let Inspection { loops, errors } = inspection;
        if !errors.is_empty() {
            return Err(errors);
        }
        let on_the_whole = [&compiled.all_of, &compiled.any_of, &compiled.one_of].iter().any(|b| !b.is_empty());
        if on_the_whole || !compiled.validations.is_empty() {
            return Ok(Some(Self { on: On::Whole(Box::new(compiled)), loops }));
        }
        let properties = compiled.properties.into_iter();
        let parts = properties.filter(|(key, _)| has_rules(&document["properties"][key.as_str()]));
        Ok(Some(Self { on: On::Parts(parts.collect()), loops }))
    }

    /// Both values are given back unchanged.
    pub(crate) fn check(&self, object: &mut Value, mut old: Option<&mut Value>) -> Vec<FieldError> {
        let endless = self.loops.iter().find(|Loop { way, program, .. }| {
            let of = |value| cost(&program.expression().expr, &Values(vec![value]), None).unwrap_or(0);
            at_end_of(way, object).into_iter().map(of).fold(0, u64::saturating_add) > STEPS_MAX
        });
        if let Some(Loop { way, rule, .. }) = endless {
            let why = "no further validation rules will be run due to call cost exceeds limit for rule";
            let message = format!("Invalid value: {why}: {rule}");
            return vec![FieldError::new("FieldValueInvalid", way.join("."), message)];
        }
        match &self.on {
            On::Parts(parts) => {
                let old = old.as_deref();
                let changed = parts.iter().filter_map(|(key, schema)| {
                    let (new, old) = (object.get(key)?, old.and_then(|o| o.get(key)));
                    (Some(new) != old || tells_changes(schema)).then_some((key, schema, new, old))
                });
                changed.flat_map(|(key, schema, new, old)| evaluate(schema, key, object, new, old)).collect()
            }
            On::Whole(schema) => {
                // Of `metadata` the rules see the name alone, as upstream does it.
                let (meta, old_meta) = (hide_metadata(object), old.as_deref_mut().map(hide_metadata));
                let errors = evaluate(schema, "", object, object, old.as_deref());
                object["metadata"] = meta;
                if let (Some(old), Some(meta)) = (old, old_meta) {
                    old["metadata"] = meta;
                }
                errors
            }
        }
    }
}

/// What rules reach for and may cost, found before any object is there.
#[derive(Default)]
struct Inspection {
    loops: Vec<Loop>,
    errors: Vec<FieldError>,
}

impl Inspection {
    /// `times`: how often the part can be there in one object.
    fn look(&mut self, schema: &Value, path: &str, times: u64, way: &mut Vec<String>) {
        let rules = schema["x-kubernetes-validations"].as_array().into_iter().flatten().enumerate();
        for (i, rule) in rules.filter_map(|(i, rule)| Some((i, rule["rule"].as_str()?))) {
            // What does not parse was told before.
            let Ok(program) = Program::compile(rule) else { continue };
            let at = format!("{path}.x-kubernetes-validations[{i}].rule");
            match cost(&program.expression().expr, &schema, Some(&schema)).map(|steps| steps.saturating_mul(times)) {
                Err(why) => {
                    let why = format!("compilation failed: {why}");
                    self.errors.push(FieldError::invalid(at, &json!(rule), why));
                }
                Ok(steps) if steps > ESTIMATE_MAX => {
                    let factor =
                        if steps / ESTIMATE_MAX > 100 { ">100".into() } else { (steps / ESTIMATE_MAX + 1).to_string() };
                    let why = format!(
                        "estimated rule cost exceeds budget by factor of {factor}x (try simplifying the rule, or adding \
                         maxItems, maxProperties, and maxLength where arrays, maps, and strings are declared)"
                    );
                    self.errors.push(FieldError::forbidden(at, &why));
                }
                Ok(_) if has_loop(&program) => {
                    self.loops.push(Loop { way: way.clone(), rule: rule.to_owned(), program });
                }
                Ok(_) => {}
            }
        }
        let within = schema["properties"].as_object().into_iter().flatten();
        for (key, child) in within {
            way.push(key.clone());
            self.look(child, &format!("{path}.properties[{key}]"), times, way);
            way.pop();
        }
        for entries in ["items", "additionalProperties"].into_iter().filter(|entries| schema[entries].is_object()) {
            way.push(EACH.into());
            self.look(&schema[entries], &format!("{path}.{entries}"), times.saturating_mul(schema.size()), way);
            way.pop();
        }
    }
}

/// Stands in a way for every entry of a list or a map.
const EACH: &str = "*";

fn at_end_of<'a>(way: &[String], object: &'a Value) -> Vec<&'a Value> {
    way.iter().fold(vec![object], |values, step| {
        let below = |value: &'a Value| -> Vec<&'a Value> {
            match value {
                Value::Array(items) => items.iter().collect(),
                Value::Object(map) if step == EACH => map.values().collect(),
                value => value.get(step).into_iter().collect(),
            }
        };
        values.into_iter().flat_map(below).collect()
    })
}

fn has_loop(program: &Program) -> bool {
    fn of(expr: &Expr) -> bool {
        match expr {
            Expr::Comprehension(_) => true,
            Expr::Call(call) => call.target.iter().any(|t| of(&t.expr)) || call.args.iter().any(|a| of(&a.expr)),
            Expr::Select(select) => of(&select.operand.expr),
            _ => false,
        }
    }
    of(&program.expression().expr)
}

/// Whether a rule of the schema compares with what was before: an update that changes nothing is one of its cases.
fn tells_changes(schema: &CompiledSchema) -> bool {
    schema.validations.iter().flatten().any(|rule| rule.is_transition_rule) || children(schema).any(tells_changes)
}

/// A custom object has these whether its schema says so or not.
fn with_object_fields(document: &Value) -> Value {
    let mut document = document.clone();
    let text = json!({"type": "string"});
    let metadata = json!({"type": "object", "properties": {"name": text, "generateName": text}});
    for (name, schema) in [("apiVersion", &text), ("kind", &text), ("metadata", &metadata)] {
        document["properties"][name] = schema.clone();
    }
    document
}

/// Evaluates the rules of the part of `object` at `field`.
fn evaluate(schema: &CompiledSchema, field: &str, object: &Value, new: &Value, old: Option<&Value>) -> Vec<FieldError> {
    static VALIDATOR: OnceLock<Validator> = OnceLock::new();
    let validator = VALIDATOR.get_or_init(Validator::new);
    let errors = validator.validate_compiled(schema, new, old).err().map(|e| e.into_vec()).unwrap_or_default();
    let all = errors.iter().map(|e| {
        let message = match e.kind {
            ErrorKind::ValidationFailure => e.message.clone(),
            _ => format!("{} (rule: {})", e.message, e.rule),
        };
        let field = format!("{field}{}", below(schema, &e.field_path));
        let error = worded(e.reason.as_deref(), field.trim_start_matches('.'), &message, object);
        FieldError { is_of_change: e.rule.contains("oldSelf"), ..error }
    });
    all.collect()
}

/// The path of a part, with the keys of maps in brackets.
fn below(schema: &CompiledSchema, path: &str) -> String {
    let (mut out, mut schema) = (String::new(), Some(schema));
    for step in path.split('.') {
        let (name, indices) = step.split_at(step.find('[').unwrap_or(step.len()));
        if !name.is_empty() {
            let declared = schema.and_then(|s| s.properties.get(name));
            let entry = schema.and_then(|s| s.additional_properties.as_deref());
            out += &if declared.is_none() && entry.is_some() { format!("[{name}]") } else { format!(".{name}") };
            schema = declared.or(entry);
        }
        out += indices;
        schema = indices.matches('[').fold(schema, |list, _| list.and_then(|s| s.items.as_deref()));
    }
    out
}

fn worded(reason: Option<&str>, field: &str, message: &str, object: &Value) -> FieldError {
    // The value is shown where it is short.
    let shown = value_at(object, field).filter(|v| !v.is_object() && !v.is_array() && !v.is_null());
    let shown = shown.map(|v| format!("{v}: ")).unwrap_or_default();
    match reason {
        Some("FieldValueRequired") => FieldError::required(field, message),
        Some("FieldValueForbidden") => FieldError::forbidden(field, message),
        Some("FieldValueDuplicate") => {
            FieldError::new("FieldValueDuplicate", field, format!("Duplicate value: {}", shown.trim_end_matches(": ")))
        }
        _ => FieldError::new("FieldValueInvalid", field, format!("Invalid value: {shown}{message}")),
    }
}

fn hide_metadata(object: &mut Value) -> Value {
    let meta = object["metadata"].take();
    let visible = ["name", "generateName"].into_iter();
    object["metadata"] = visible.filter_map(|key| Some((key.to_owned(), meta.get(key)?.clone()))).collect();
    meta
}

/// The evaluator gives `oldSelf` as it is, null on creation; rules that ask for an optional one get it made of that.
fn with_optional_old(document: &Value) -> Value {
    match document {
        Value::Object(map) if map.get("optionalOldSelf") == Some(&Value::Bool(true)) && map.contains_key("rule") => {
            let mut map = map.clone();
            let rule = map["rule"].as_str().unwrap_or_default();
            map["rule"] = json!(rule.replace("oldSelf", "(oldSelf == null ? optional.none() : optional.of(oldSelf))"));
            Value::Object(map)
        }
        Value::Object(map) => map.iter().map(|(key, value)| (key.clone(), with_optional_old(value))).collect(),
        Value::Array(items) => items.iter().map(with_optional_old).collect(),
        other => other.clone(),
    }
}

fn has_rules(document: &Value) -> bool {
    match document {
        Value::Object(map) => map.contains_key("x-kubernetes-validations") || map.values().any(has_rules),
        Value::Array(items) => items.iter().any(has_rules),
        _ => false,
    }
}

fn collect_errors(schema: &CompiledSchema, errors: &mut Vec<String>) {
    errors.extend(schema.compilation_errors().iter().map(|e| e.to_string()));
    children(schema).for_each(|child| collect_errors(child, errors));
}

fn children(schema: &CompiledSchema) -> impl Iterator<Item = &CompiledSchema> {
    let CompiledSchema { properties, items, additional_properties, all_of, one_of, any_of, .. } = schema;
    let of_value = properties.values().chain(items.as_deref()).chain(additional_properties.as_deref());
    of_value.chain(all_of).chain(one_of).chain(any_of)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rules() -> Rules {
        let document = json!({"type": "object", "properties": {"spec": {"type": "object",
            "properties": {
                "owner": {"type": "string", "x-kubernetes-validations": [{"rule": "self == oldSelf", "message": "owner is immutable"}]},
                "a": {"type": "integer"}, "b": {"type": "integer"}},
            "x-kubernetes-validations": [{"rule": "self.a < self.b", "message": "a must be below b"}]}}});
        Rules::compile(&document, "root").unwrap().unwrap()
    }

    fn check(old: Option<Value>, new: Value, expect: &[&str]) {
        let wrap = |spec: Value| json!({"metadata": {"name": "x", "labels": {"l": "v"}}, "spec": spec});
        let mut new = wrap(new);
        let before = new.clone();
        let mut old = old.map(wrap);
        let errors = rules().check(&mut new, old.as_mut());
        assert_eq!(errors.iter().map(|e| format!("{}: {}", e.field, e.message)).collect::<Vec<_>>(), expect);
        assert_eq!(new, before, "a check leaves the object as it was");
    }

    #[test]
    fn rules_hold_on_creation_and_transition_rules_on_update() {
        check(None, json!({"owner": "x", "a": 1, "b": 2}), &[]);
        check(None, json!({"owner": "x", "a": 3, "b": 2}), &["spec: Invalid value: a must be below b"]);
        check(
            Some(json!({"owner": "x", "a": 1, "b": 2})),
            json!({"owner": "y", "a": 1, "b": 2}),
            &["spec.owner: Invalid value: \"y\": owner is immutable"],
        );
    }

    #[test]
    fn a_rule_on_the_whole_object_sees_its_name() {
        let document = json!({"type": "object", "properties": {"spec": {"type": "object", "properties": {}}},
            "x-kubernetes-validations": [{"rule": "self.metadata.name.startsWith('w')", "message": "begin with w"}]});
        let rules = Rules::compile(&document, "root").unwrap().unwrap();
        let errors = rules.check(&mut json!({"metadata": {"name": "x"}, "spec": {}}), None);
        assert_eq!(errors[0].message, "Invalid value: begin with w");
        assert!(rules.check(&mut json!({"metadata": {"name": "w"}, "spec": {}}), None).is_empty());
    }

    #[test]
    fn a_rule_that_does_not_parse_is_refused() {
        let document = json!({"type": "object", "x-kubernetes-validations": [{"rule": "self.("}]});
        assert!(Rules::compile(&document, "root").is_err());
    }
}
