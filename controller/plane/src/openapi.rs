//! OpenAPI v3, as much of it as kubectl reads: schemas for `explain`, kinds and query parameters for validation.

use serde_json::{Map, Value, json};

use crate::builtin;
use crate::registry::{Origin, Registry, Resource};

/// `/openapi/v3`: where the document of each group and version is.
pub(crate) fn index(registry: &Registry) -> Value {
    let mut paths = Map::new();
    for (group, versions) in registry.groups() {
        for version in versions {
            let path = if group.is_empty() { format!("api/{version}") } else { format!("apis/{group}/{version}") };
            let url = format!("/openapi/v3/{path}?hash={}", registry.revision);
            paths.insert(path, json!({"serverRelativeURL": url}));
        }
    }
    json!({"paths": paths})
}

/// `/openapi/v2` is served empty: kubectl falls back to v3.
pub(crate) fn empty_v2() -> Value {
    json!({"swagger": "2.0", "info": {"title": "Kubernetes", "version": "fanfare"}, "paths": {}})
}

/// The same in the protobuf form of gnostic: field 1, the text `2.0`.
pub(crate) const EMPTY_V2_PROTOBUF: &[u8] = b"\x0a\x032.0";

/// The document of one group and version; `None` when nothing of it is served.
pub(crate) fn document(registry: &Registry, group: &str, version: &str) -> Option<Value> {
    let base = if group.is_empty() { format!("/api/{version}") } else { format!("/apis/{group}/{version}") };
    let (mut paths, mut schemas) = (Map::new(), Map::new());
    let mut wanted = Vec::new();
    for resource in registry.of_group_version(group, version) {
        let (name, schema) = model(resource);
        collect_references(&schema, &mut wanted);
        add_paths(&mut paths, &base, resource, &name);
        schemas.insert(name, schema);
    }
    while let Some(name) = wanted.pop() {
        if let (false, Some(schema)) = (schemas.contains_key(&name), builtin::models().get(&name)) {
            collect_references(schema, &mut wanted);
            schemas.insert(name, schema.clone());
        }
    }
    let document = json!({
        "openapi": "3.0.0", "info": {"title": "Kubernetes", "version": "fanfare"},
        "paths": paths, "components": {"schemas": schemas},
    });
    (!document["paths"].as_object()?.is_empty()).then_some(document)
}

fn model(resource: &Resource) -> (String, Value) {
    let (name, mut schema) = match &resource.origin {
        Origin::Builtin { model } => ((*model).to_owned(), builtin::models().get(*model).cloned().unwrap_or_default()),
        Origin::Custom(custom) => (custom.model.clone(), with_object_fields(custom.document.clone())),
    };
    schema["x-kubernetes-group-version-kind"] = json!([resource.gvk()]);
    (name, schema)
}

fn with_object_fields(mut schema: Value) -> Value {
    let text = |description: &str| json!({"type": "string", "description": description});
    let properties = &mut schema["properties"];
    properties["apiVersion"] = text(
        "APIVersion defines the versioned schema of this representation of an object. Servers should convert recognized schemas to the latest internal value, and may reject unrecognized values. More info: https://git.k8s.io/community/contributors/devel/sig-architecture/api-conventions.md#resources",
    );
    properties["kind"] = text(
        "Kind is a string value representing the REST resource this object represents. Servers may infer this from the endpoint the client submits requests to. Cannot be updated. In CamelCase. More info: https://git.k8s.io/community/contributors/devel/sig-architecture/api-conventions.md#types-kinds",
    );
    properties["metadata"] = json!({
        "description": "Standard object's metadata. More info: https://git.k8s.io/community/contributors/devel/sig-architecture/api-conventions.md#metadata",
        "allOf": [{"$ref": format!("#/components/schemas/{}", builtin::OBJECT_META)}],
    });
    schema
}

fn add_paths(paths: &mut Map<String, Value>, base: &str, resource: &Resource, model: &str) {
    let parameter =
        |name: &str| json!({"name": name, "in": "query", "schema": {"type": "string", "uniqueItems": true}});
    let parameters = |names: &[&str]| names.iter().map(|n| parameter(n)).collect::<Vec<_>>();
    let schema = json!({"$ref": format!("#/components/schemas/{model}")});
    let responses = json!({"200": {"description": "OK", "content": {"application/json": {"schema": schema}}}});
    let operation = |action: &str, names: &[&str]| {
        json!({
            "operationId": format!("{action}{}{}", resource.group.replace('.', ""), resource.kind),
            "x-kubernetes-action": action, "x-kubernetes-group-version-kind": resource.gvk(),
            "parameters": parameters(names), "responses": responses,
        })
    };
    let write: &[&str] = &["dryRun", "fieldManager", "fieldValidation"];
    let patch: &[&str] = &["dryRun", "fieldManager", "fieldValidation", "force"];
    let collection = if resource.namespaced {
        format!("{base}/namespaces/{{namespace}}/{}", resource.plural)
    } else {
        format!("{base}/{}", resource.plural)
    };
    let one = json!({
        "get": operation("get", &[]), "put": operation("put", write),
        "patch": operation("patch", patch), "delete": operation("delete", &["dryRun"]),
    });
    paths.insert(format!("{collection}/{{name}}"), one);
    if resource.has_status {
        let status = json!({
            "get": operation("get", &[]), "put": operation("put", write), "patch": operation("patch", patch),
        });
        paths.insert(format!("{collection}/{{name}}/status"), status);
    }
    let all = json!({
        "get": operation("list", &[]), "post": operation("post", write), "delete": operation("deletecollection", &[]),
    });
    paths.insert(collection, all);
}

fn collect_references(value: &Value, found: &mut Vec<String>) {
    match value {
        Value::Object(map) => {
            if let Some(name) = map.get("$ref").and_then(Value::as_str).and_then(|r| r.rsplit('/').next()) {
                found.push(name.to_owned());
            }
            map.values().for_each(|v| collect_references(v, found));
        }
        Value::Array(items) => items.iter().for_each(|v| collect_references(v, found)),
        _ => {}
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_document_holds_every_schema_it_refers_to() {
        let document = document(&Registry::builtin(), "apps", "v1").unwrap();
        let mut wanted = Vec::new();
        collect_references(&document, &mut wanted);
        let schemas = document["components"]["schemas"].as_object().unwrap();
        let missing: Vec<_> = wanted.iter().filter(|name| !schemas.contains_key(*name)).collect();
        assert!(missing.is_empty() && !wanted.is_empty(), "{missing:?}");
    }
}
