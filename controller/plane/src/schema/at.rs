//! Finding the value that a field path of an error names.

use serde_json::Value;

use super::{ListKind, Schema};
use crate::status::FieldError;

/// The value at a path such as `spec.steps[0].name`; the empty path is the value itself.
pub(crate) fn value_at<'a>(value: &'a Value, path: &str) -> Option<&'a Value> {
    path.split(['.', '[']).filter(|step| !step.is_empty()).try_fold(value, |value, step| match step.strip_suffix(']') {
        Some(index) => index.parse::<usize>().ok().map_or_else(|| value.get(index), |i| value.get(i)),
        None => value.get(step),
    })
}

/// Whether the part that an error is about is the same in the old object: then an update is let through, so that a
/// schema that became stricter does not block unrelated changes (CRD ratcheting).
///
/// A list without keys is changed as a whole by a change of any of its items.
pub(crate) fn unchanged(old: &Value, new: &Value, schema: &Schema, error: &FieldError) -> bool {
    let field = keyed_prefix(&error.field, schema);
    // A missing field is the fault of the object around it.
    let about = if error.reason == "FieldValueRequired" && field == error.field { parent(field) } else { field };
    match (value_at(old, about), value_at(new, about)) {
        (Some(old), Some(new)) => old == new,
        _ => false,
    }
}

/// The part of a path before the index into a list whose items have no identity.
fn keyed_prefix<'a>(field: &'a str, schema: &Schema) -> &'a str {
    let mut schema = Some(schema);
    for (at, step) in field.split(['.', '[']).scan(0, |at, step| {
        let begin = *at;
        *at += step.len() + 1;
        Some((begin, step))
    }) {
        schema = match (schema, step.ends_with(']')) {
            (Some(list), true) if matches!(list.list, ListKind::Map(_)) => list.items.as_deref(),
            (Some(list), true) if list.items.is_some() => return &field[..at.saturating_sub(1)],
            (found, _) => found.and_then(|s| s.child(step)),
        };
    }
    field
}

fn parent(field: &str) -> &str {
    field.rfind('.').map_or("", |i| &field[..i])
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_path_finds_its_value() {
        let value = json!({"spec": {"steps": [{"name": "a"}]}});
        assert_eq!(value_at(&value, "spec.steps[0].name"), Some(&json!("a")));
        assert_eq!(value_at(&value, "spec.steps[1].name"), None);
    }

    #[test]
    fn only_what_the_update_did_not_touch_is_let_through() {
        let old = json!({"spec": {"a": 1, "b": 1}});
        let new = json!({"spec": {"a": 1, "b": 2}});
        let is = |error: FieldError| unchanged(&old, &new, &Schema::default(), &error);
        assert!(is(FieldError::forbidden("spec.a", "")));
        assert!(!is(FieldError::forbidden("spec.b", "")));
        assert!(!is(FieldError::required("spec.c", "")));
    }

    #[test]
    fn a_list_without_keys_is_changed_as_a_whole() {
        let document =
            json!({"type": "object", "properties": {"list": {"type": "array", "items": {"type": "integer"}}}});
        let schema = crate::schema::compile_custom(&document, &Default::default(), "").unwrap();
        let (old, new) = (json!({"list": [50, 1]}), json!({"list": [50, 2]}));
        assert!(!unchanged(&old, &new, &schema, &FieldError::forbidden("list[0]", "")));
        assert!(unchanged(&old, &old, &schema, &FieldError::forbidden("list[0]", "")));
    }
}
