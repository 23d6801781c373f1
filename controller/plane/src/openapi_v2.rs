//! OpenAPI v2: the definitions of every kind, taken from the documents of v3 as far as v2 can say it.

use serde_json::{Map, Value, json};

use crate::openapi;
use crate::registry::Registry;

/// What only v3 knows.
const UNKNOWN_HERE: [&str; 6] = ["default", "anyOf", "oneOf", "not", "allOf", "nullable"];
/// Text in v2, whatever v3 says of how it may be written.
const TEXTS: [&str; 2] = [".IntOrString", ".Quantity"];

/// `/openapi/v2`. Its paths are those of v3 and not said again.
pub(crate) fn document(registry: &Registry) -> Value {
    let mut definitions = Map::new();
    for (group, versions) in registry.groups() {
        for version in versions {
            let mut document = openapi::document(registry, group, version).unwrap_or_default();
            let Value::Object(schemas) = document["components"]["schemas"].take() else { continue };
            definitions.extend(schemas.into_iter().map(|(name, schema)| {
                let schema = definition(&name, schema);
                (name, schema)
            }));
        }
    }
    json!({
        "swagger": "2.0", "info": {"title": "Kubernetes", "version": "fanfare"}, "paths": {}, "definitions": definitions,
    })
}

fn definition(name: &str, mut schema: Value) -> Value {
    let is_preserved = schema["x-kubernetes-preserve-unknown-fields"] == true;
    let group_version_kind = schema.get("x-kubernetes-group-version-kind").cloned();
    if let (true, Some(group_version_kind)) = (is_preserved, group_version_kind) {
        return json!({"type": "object", "x-kubernetes-group-version-kind": group_version_kind});
    }
    reduce(&mut schema);
    if TEXTS.iter().any(|text| name.ends_with(text)) {
        schema["type"] = json!("string");
    }
    schema
}

/// Leaves away what v2 cannot say. Clients of v2 refuse values where part of a schema is said and another part is not, so a
/// value that may be null, or that has unknown fields, says nothing of what is in it.
fn reduce(schema: &mut Value) {
    let Some(map) = schema.as_object_mut() else { return };
    if let Some(Value::String(reference)) = map.get("$ref").or_else(|| map.get("allOf")?.get(0)?.get("$ref")) {
        let reference = reference.replace("#/components/schemas/", "#/definitions/");
        map.insert("$ref".into(), reference.into());
    }
    let nullable = |value: &Value| value["nullable"] == true;
    let nullables: Vec<&String> = map
        .get("properties")
        .and_then(Value::as_object)
        .into_iter()
        .flatten()
        .filter_map(|(name, value)| nullable(value).then_some(name))
        .collect();
    let is_left = |name: &Value| !nullables.iter().any(|n| *name == n.as_str());
    if let Some(required) = map.get("required").and_then(Value::as_array) {
        let left: Vec<Value> = required.iter().filter(|name| is_left(name)).cloned().collect();
        if left.is_empty() {
            map.remove("required")
        } else {
            map.insert("required".into(), left.into())
        };
    }
    let is_nullable = map.get("nullable") == Some(&json!(true));
    if is_nullable {
        map.remove("type");
    }
    let is_open = map.get("x-kubernetes-preserve-unknown-fields") == Some(&json!(true));
    if is_nullable || is_open {
        map.retain(|key, _| key != "items" && key != "properties");
    }
    if is_open && map.get("type") == Some(&json!("object")) {
        map.remove("type");
        if map.get("x-kubernetes-embedded-resource") == Some(&json!(true)) {
            map.remove("required");
        }
    }
    map.retain(|key, _| !UNKNOWN_HERE.contains(&key.as_str()));
    if map.get("type") == Some(&json!("array")) && !map.contains_key("items") {
        map.remove("type");
    }
    map.get_mut("properties").and_then(Value::as_object_mut).into_iter().flat_map(Map::values_mut).for_each(reduce);
    ["items", "additionalProperties"].into_iter().for_each(|key| map.get_mut(key).into_iter().for_each(reduce));
}
