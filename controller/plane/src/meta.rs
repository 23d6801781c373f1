//! What must hold of `metadata` whatever the kind: names, labels, annotations.

use std::sync::LazyLock;

use regex::Regex;
use serde_json::Value;

use crate::delete::{FOREGROUND, ORPHAN};
use crate::object::meta_str;
use crate::registry::Resource;
use crate::status::FieldError;

const NAME_MAX: usize = 253;
const LABEL_MAX: usize = 63;
/// Bytes of all annotations of one object, keys included.
const ANNOTATIONS_MAX: usize = 256 << 10;

const SUBDOMAIN: &str = "a lowercase RFC 1123 subdomain must consist of lower case alphanumeric characters, '-' or '.', and must \
    start and end with an alphanumeric character (e.g. 'example.com', regex used for validation is \
    '[a-z0-9]([-a-z0-9]*[a-z0-9])?(\\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*')";
const LABEL_VALUE: &str = "a valid label must be an empty string or consist of alphanumeric characters, '-', '_' or '.', and must \
    start and end with an alphanumeric character (e.g. 'MyValue',  or 'my_value',  or '12345', regex used for validation is \
    '(([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9])?')";
const QUALIFIED: &str = "name part must consist of alphanumeric characters, '-', '_' or '.', and must start and end with an \
    alphanumeric character (e.g. 'MyName',  or 'my.name',  or '123-abc', regex used for validation is \
    '([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9]')";

const CONFIG_KEY: &str = "a valid config key must consist of alphanumeric characters, '-', '_' or '.' (e.g. 'key.name',  or \
    'KEY_NAME',  or 'key-name', regex used for validation is '[-._a-zA-Z0-9]+')";

type Form = LazyLock<Option<Regex>>;

static SUBDOMAIN_FORM: Form =
    LazyLock::new(|| Regex::new(r"^[a-z0-9]([-a-z0-9]*[a-z0-9])?(\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*$").ok());
static LABEL_FORM: Form = LazyLock::new(|| Regex::new(r"^[A-Za-z0-9]([-A-Za-z0-9_.]*[A-Za-z0-9])?$").ok());
static CONFIG_KEY_FORM: Form = LazyLock::new(|| Regex::new(r"^[-._a-zA-Z0-9]+$").ok());

fn has_form(text: &str, form: &Form) -> bool {
    form.as_ref().is_some_and(|form| form.is_match(text))
}

pub(crate) fn validate(resource: &Resource, object: &Value, errors: &mut Vec<FieldError>) {
    let meta = &object["metadata"];
    let too_long = |max: usize| format!("must be no more than {max} characters");
    let name = meta_str(object, "name");
    let name_max = if resource.is_namespace() { LABEL_MAX } else { NAME_MAX };
    if name.len() > name_max {
        errors.push(FieldError::invalid("metadata.name", &meta["name"], too_long(name_max)));
    } else if !has_form(name, &SUBDOMAIN_FORM) || (resource.is_namespace() && name.contains('.')) {
        errors.push(FieldError::invalid("metadata.name", &meta["name"], SUBDOMAIN));
    }
    for (key, value) in meta["labels"].as_object().into_iter().flatten() {
        if !is_qualified(key) {
            errors.push(FieldError::invalid("metadata.labels", &Value::from(key.as_str()), QUALIFIED));
        }
        let text = text(value);
        if text.len() > LABEL_MAX {
            errors.push(FieldError::invalid("metadata.labels", value, too_long(LABEL_MAX)));
        } else if !text.is_empty() && !has_form(text, &LABEL_FORM) {
            errors.push(FieldError::invalid("metadata.labels", value, LABEL_VALUE));
        }
    }
    let owners = meta["ownerReferences"].as_array().map(Vec::as_slice).unwrap_or_default();
    for owner in owners {
        for field in ["apiVersion", "kind", "name", "uid"] {
            if owner[field].as_str().is_some_and(str::is_empty) {
                let at = format!("metadata.ownerReferences.{field}");
                errors.push(FieldError::invalid(at, &owner[field], "must not be empty"));
            }
        }
    }
    let mut controllers = owners.iter().filter(|o| o["controller"] == true);
    if let (Some(first), Some(second)) = (controllers.next(), controllers.next()) {
        let named = |o: &Value| format!("{}/{}", text(&o["kind"]), text(&o["name"]));
        let both = format!("{} and {}", named(first), named(second));
        let why =
            format!("Only one reference can have Controller set to true. Found \"true\" in references for {both}");
        errors.push(FieldError::invalid("metadata.ownerReferences", &meta["ownerReferences"], why));
    }
    let mut size = 0;
    for (key, value) in meta["annotations"].as_object().into_iter().flatten() {
        if !is_qualified(&key.to_lowercase()) {
            errors.push(FieldError::invalid("metadata.annotations", &Value::from(key.as_str()), QUALIFIED));
        }
        size += key.len() + text(value).len();
    }
    if size > ANNOTATIONS_MAX {
        errors.push(FieldError::too_long("metadata.annotations", ANNOTATIONS_MAX as u64));
    }
}

/// What is allowed and likely a mistake.
pub(crate) fn warnings(object: &Value) -> Vec<String> {
    let finalizers = object["metadata"]["finalizers"].as_array().into_iter().flatten().filter_map(Value::as_str);
    let advice = "prefer a domain-qualified finalizer name to avoid accidental conflicts with other finalizer writers";
    let unqualified = finalizers.filter(|f| !f.contains('/') && !matches!(*f, FOREGROUND | ORPHAN));
    unqualified.map(|f| format!("metadata.finalizers: \"{f}\": {advice}")).collect()
}

/// Keys of the data of ConfigMaps and Secrets.
pub(crate) fn validate_data_keys(object: &Value, errors: &mut Vec<FieldError>) {
    for field in ["data", "binaryData"] {
        for key in object[field].as_object().into_iter().flatten().map(|(key, _)| key) {
            if key.len() > NAME_MAX || !has_form(key, &CONFIG_KEY_FORM) {
                errors.push(FieldError::invalid(format!("{field}[{key}]"), &Value::from(key.as_str()), CONFIG_KEY));
            }
        }
    }
}

fn text(value: &Value) -> &str {
    value.as_str().unwrap_or_default()
}

/// `name` or `prefix.dns/name`.
pub(crate) fn is_qualified(key: &str) -> bool {
    let (prefix, name) = key.split_once('/').map_or((None, key), |(p, n)| (Some(p), n));
    let is_prefix = |p: &str| p.len() <= NAME_MAX && has_form(p, &SUBDOMAIN_FORM);
    name.len() <= LABEL_MAX && has_form(name, &LABEL_FORM) && prefix.is_none_or(is_prefix)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn check(metadata: Value, expect: &[&str]) {
        let mut errors = Vec::new();
        let resource = Resource::for_test("fanfare.dev", "Campaign", "campaigns");
        validate(&resource, &json!({"metadata": metadata}), &mut errors);
        assert_eq!(errors.iter().map(|e| e.field.as_str()).collect::<Vec<_>>(), expect);
    }

    #[test]
    fn names_labels_and_annotations_have_their_alphabets_and_lengths() {
        check(json!({"name": "double-11.cn", "labels": {"a.b/c": "D_1", "e": ""}}), &[]);
        check(json!({"name": "Double"}), &["metadata.name"]);
        check(json!({"name": "-a"}), &["metadata.name"]);
        check(json!({"name": "a".repeat(254)}), &["metadata.name"]);
        check(json!({"name": "a", "labels": {"a b": "x", "c": "-"}}), &["metadata.labels", "metadata.labels"]);
        check(json!({"name": "a", "annotations": {"k": "x".repeat(300_000)}}), &["metadata.annotations"]);
    }
}
