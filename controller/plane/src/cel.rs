//! `x-kubernetes-validations`: CEL rules of a CRD, compiled once, with `oldSelf` on updates.

use std::collections::BTreeMap;
use std::sync::OnceLock;

use kube::core::cel::{CompiledSchema, ErrorKind, Validator, compile_schema};
use serde_json::{Value, json};

use crate::schema::value_at;
use crate::status::FieldError;

/// The rules of one schema.
pub(crate) enum Rules {
    /// Of each top-level field, such as `spec`: only what a write changed is evaluated.
    Parts(BTreeMap<String, CompiledSchema>),
    /// There are rules on the object as a whole.
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
    /// Every rule that does not compile.
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
        let on_the_whole = [&compiled.all_of, &compiled.any_of, &compiled.one_of].iter().any(|b| !b.is_empty());
        if on_the_whole || !compiled.validations.is_empty() {
            return Ok(Some(Self::Whole(Box::new(compiled))));
        }
        let properties = compiled.properties.into_iter();
        let parts = properties.filter(|(key, _)| has_rules(&document["properties"][key.as_str()]));
        Ok(Some(Self::Parts(parts.collect())))
    }

    /// Both values are given back unchanged.
    pub(crate) fn check(&self, object: &mut Value, mut old: Option<&mut Value>) -> Vec<FieldError> {
        match self {
            Self::Parts(parts) => {
                let old = old.as_deref();
                let changed = parts.iter().filter_map(|(key, schema)| {
                    let (new, old) = (object.get(key)?, old.and_then(|o| o.get(key)));
                    (Some(new) != old).then_some((key, schema, new, old))
                });
                changed.flat_map(|(key, schema, new, old)| evaluate(schema, key, object, new, old)).collect()
            }
            Self::Whole(schema) => {
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
        let field = match (field, e.field_path.trim_start_matches('.')) {
            ("", below) => below.to_owned(),
            (field, "") => field.to_owned(),
            (field, below) if below.starts_with('[') => format!("{field}{below}"),
            (field, below) => format!("{field}.{below}"),
        };
        worded(e.reason.as_deref(), &field, &message, object)
    });
    all.collect()
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
    let CompiledSchema { properties, items, additional_properties, all_of, one_of, any_of, .. } = schema;
    let children = properties.values().chain(items.as_deref()).chain(additional_properties.as_deref());
    for child in children.chain(all_of).chain(one_of).chain(any_of) {
        collect_errors(child, errors);
    }
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
