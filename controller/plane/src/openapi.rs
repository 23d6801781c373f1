//! OpenAPI v3, as much of it as kubectl reads: schemas for `explain`, kinds and query parameters for validation.

use serde_json::{Map, Value, json};

use crate::builtin;
use crate::registry::{Origin, Registry, Resource, api_path};

const LIST_META: &str = "io.k8s.apimachinery.pkg.apis.meta.v1.ListMeta";

/// `/openapi/v3`: where the document of each group and version is.
pub(crate) fn index(registry: &Registry) -> Value {
    let mut paths = Map::new();
    for (group, versions) in registry.groups() {
        for version in versions {
            let path = api_path(group, version);
            let url = format!("/openapi/v3/{path}?hash={}", registry.revision);
            paths.insert(path, json!({"serverRelativeURL": url}));
        }
    }
    json!({"paths": paths})
}

/// `/openapi/v2` in the protobuf form of gnostic says nothing but its version (field 1): clients then turn to v3.
pub(crate) const EMPTY_V2_PROTOBUF: &[u8] = b"\x0a\x032.0";

/// The document of one group and version; `None` when nothing of it is served.
pub(crate) fn document(registry: &Registry, group: &str, version: &str) -> Option<Value> {
    let (mut paths, mut schemas) = (Map::new(), Map::new());
    let mut wanted = Vec::new();
    for resource in registry.of_group_version(group, version) {
        let (name, schema) = model(resource);
        if let Origin::Custom(_) = resource.origin {
            schemas.insert(format!("{name}List"), list_model(resource, &name));
        }
        collect_references(&schema, &mut wanted);
        add_paths(&mut paths, resource, &name);
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
        Origin::Custom(custom) => {
            let mut schema = custom.document.clone();
            spell_out(&mut schema);
            add_object_fields(&mut schema, [API_VERSION, KIND]);
            add_selectable(&mut schema, resource);
            (custom.model.clone(), schema)
        }
    };
    schema["x-kubernetes-group-version-kind"] = json!([resource.gvk()]);
    (name, schema)
}

const CONVENTIONS: &str = "https://git.k8s.io/community/contributors/devel/sig-architecture/api-conventions.md";
const API_VERSION: &str = "APIVersion defines the versioned schema of this representation of an object. Servers should convert \
    recognized schemas to the latest internal value, and may reject unrecognized values.";
const KIND: &str = "Kind is a string value representing the REST resource this object represents. Servers may infer this from \
    the endpoint the client submits requests to. Cannot be updated. In CamelCase.";
const EMBEDDED_API_VERSION: &str = "apiVersion defines the versioned schema of this representation of an object.";
const EMBEDDED_KIND: &str = "kind is a string value representing the type of this object. In CamelCase.";

fn list_model(resource: &Resource, model: &str) -> Value {
    let Resource { group, version, kind, list_kind, plural, .. } = resource;
    let mut list = json!({
        "description": format!("{list_kind} is a list of {kind}"), "type": "object", "required": ["items"],
        "x-kubernetes-group-version-kind": [{"group": group, "version": version, "kind": list_kind}],
    });
    add_object_fields(&mut list, [API_VERSION, KIND]);
    list["properties"]["metadata"] = metadata("list metadata", "types-kinds", LIST_META);
    list["properties"]["items"] = json!({
        "description": format!("List of {plural}. More info: {CONVENTIONS}"),
        "type": "array", "items": {"$ref": format!("#/components/schemas/{model}")},
    });
    add_selectable(&mut list, resource);
    list
}

fn add_selectable(schema: &mut Value, resource: &Resource) {
    if !resource.selectable.is_empty() {
        let fields = resource.selectable.iter().map(|(label, _)| json!({"fieldPath": label}));
        schema["x-kubernetes-selectable-fields"] = fields.collect();
    }
}

fn add_object_fields(schema: &mut Value, [api_version, kind]: [&str; 2]) {
    let text = |description, anchor| json!({"type": "string", "description": format!("{description} More info: {CONVENTIONS}#{anchor}")});
    let properties = &mut schema["properties"];
    properties["apiVersion"] = text(api_version, "resources");
    properties["kind"] = text(kind, "types-kinds");
    properties["metadata"] = metadata("object's metadata", "metadata", builtin::OBJECT_META);
}

fn metadata(what: &str, anchor: &str, model: &str) -> Value {
    json!({
        "description": format!("Standard {what}. More info: {CONVENTIONS}#{anchor}"),
        "allOf": [{"$ref": format!("#/components/schemas/{model}")}],
    })
}

/// Writes out what the extensions of a CRD's schema imply.
fn spell_out(schema: &mut Value) {
    if schema["x-kubernetes-int-or-string"] == true && schema.get("anyOf").is_none() {
        schema["anyOf"] = json!([{"type": "integer"}, {"type": "string"}]);
    }
    if schema["x-kubernetes-embedded-resource"] == true {
        add_object_fields(schema, [EMBEDDED_API_VERSION, EMBEDDED_KIND]);
        schema["required"] = json!(["kind", "apiVersion"]);
    }
    if let Some(Value::Object(properties)) = schema.get_mut("properties") {
        properties.values_mut().for_each(spell_out);
    }
    for key in ["items", "additionalProperties"] {
        schema.get_mut(key).filter(|s| s.is_object()).into_iter().for_each(spell_out);
    }
}

fn add_paths(paths: &mut Map<String, Value>, resource: &Resource, model: &str) {
    let parameter =
        |name: &str| json!({"name": name, "in": "query", "schema": {"type": "string", "uniqueItems": true}});
    let parameters = |names: &[&str]| names.iter().map(|n| parameter(n)).collect::<Vec<_>>();
    let schema = json!({"$ref": format!("#/components/schemas/{model}")});
    let responses = json!({"200": {"description": "OK", "content": {"application/json": {"schema": schema}}}});
    let operation = |action: &str, names: &[&str]| {
        let mut operation = json!({
            "operationId": format!("{action}{}{}", resource.group.replace('.', ""), resource.kind),
            "x-kubernetes-action": action, "x-kubernetes-group-version-kind": resource.gvk(),
            "responses": responses,
        });
        if !names.is_empty() {
            operation["parameters"] = parameters(names).into();
        }
        operation
    };
    let write: &[&str] = &["dryRun", "fieldManager", "fieldValidation"];
    let patch: &[&str] = &["dryRun", "fieldManager", "fieldValidation", "force"];
    let within = if resource.namespaced { "/namespaces/{namespace}" } else { "" };
    let collection = format!("/{}{within}/{}", api_path(&resource.group, &resource.version), resource.plural);
    let mut add = |path: String, operations: &[(&str, &str, &[&str])]| {
        let each = operations.iter().map(|(verb, action, names)| ((*verb).to_owned(), operation(action, names)));
        paths.insert(path, each.collect());
    };
    let (get, put, patch) = (("get", "get", &[][..]), ("put", "put", write), ("patch", "patch", patch));
    add(format!("{collection}/{{name}}"), &[get, put, patch, ("delete", "delete", &["dryRun"])]);
    if resource.has_status {
        add(format!("{collection}/{{name}}/status"), &[get, put, patch]);
    }
    add(collection, &[("get", "list", &[]), ("post", "post", write), ("delete", "deletecollection", &[])]);
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
