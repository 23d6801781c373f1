//! Dropping fields that the schema does not know, and naming them.

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
