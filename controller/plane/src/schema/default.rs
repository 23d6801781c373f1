//! Filling in defaults as a real API server does: also inside what was just defaulted, and for `null` where null is
//! not allowed.

use serde_json::Value;

use super::Schema;

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
