//! Fitting a value to its schema: fields that it does not know are dropped and named, defaults are filled in.

use serde_json::Value;

use super::Schema;
use crate::field_path::FieldPath;

/// Removes unknown fields and adds their paths to `unknown`.
pub(crate) fn prune(value: &mut Value, schema: &Schema, path: &FieldPath<'_>, unknown: &mut Vec<String>) {
    match value {
        Value::Object(map) => {
            map.retain(|key, child| {
                if let Some(schema) = schema.child(key) {
                    prune(child, schema, &path.key(key), unknown);
                    return true;
                }
                let of_embedded =
                    schema.embedded_resource && matches!(key.as_str(), "apiVersion" | "kind" | "metadata");
                let kept = schema.preserve_unknown || of_embedded;
                if !kept {
                    unknown.push(path.key(key).to_string());
                }
                kept
            });
        }
        Value::Array(items) => {
            if let Some(schema) = &schema.items {
                for (i, item) in items.iter_mut().enumerate() {
                    prune(item, schema, &path.index(i), unknown);
                }
            }
        }
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => {}
    }
}

/// As a real API server does: also inside what was just defaulted, and for `null` where null is not allowed.
pub(crate) fn apply_defaults(value: &mut Value, schema: &Schema) {
    match value {
        Value::Object(map) => {
            for (key, child) in &schema.properties {
                if map.get(key).is_some_and(|v| v.is_null()) && !child.nullable {
                    map.remove(key);
                }
                if let (false, Some(default)) = (map.contains_key(key), &child.default) {
                    map.insert(key.clone(), default.clone());
                }
                if let Some(v) = map.get_mut(key) {
                    apply_defaults(v, child);
                }
            }
            if let Some(child) = &schema.additional {
                for (_, v) in map.iter_mut().filter(|(key, _)| !schema.properties.contains_key(*key)) {
                    if let (true, false, Some(default)) = (v.is_null(), child.nullable, &child.default) {
                        *v = default.clone();
                    }
                    apply_defaults(v, child);
                }
            }
        }
        Value::Array(items) => {
            if let Some(schema) = &schema.items {
                items.iter_mut().for_each(|item| apply_defaults(item, schema));
            }
        }
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => {}
    }
}
