//! Finding the value that a field path of an error names.

use serde_json::Value;

/// The value at a path such as `spec.steps[0].name`; the empty path is the value itself.
pub(crate) fn value_at<'a>(value: &'a Value, path: &str) -> Option<&'a Value> {
    path.split(['.', '[']).filter(|step| !step.is_empty()).try_fold(value, |value, step| match step.strip_suffix(']') {
        Some(index) => index.parse::<usize>().ok().map_or_else(|| value.get(index), |i| value.get(i)),
        None => value.get(step),
    })
}

/// Whether the part that an error is about is the same in the old object: then an update is let through, so that a
/// schema that became stricter does not block unrelated changes (CRD ratcheting).
pub(crate) fn unchanged(old: &Value, new: &Value, field: &str, reason: &str) -> bool {
    // A missing field is the fault of the object around it.
    let about = if reason == "FieldValueRequired" { parent(field) } else { field };
    match (value_at(old, about), value_at(new, about)) {
        (Some(old), Some(new)) => old == new,
        _ => false,
    }
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
        assert!(unchanged(&old, &new, "spec.a", "FieldValueInvalid"));
        assert!(!unchanged(&old, &new, "spec.b", "FieldValueInvalid"));
        assert!(!unchanged(&old, &new, "spec.c", "FieldValueRequired"));
    }
}
