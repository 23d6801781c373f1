//! From the wire types to CustomResourceDefinitions and editor schemas. The one source of a kind's schema: the plane,
//! `fanfare crds`, `admit` and the files under `crds/generated` all take it from here.
//!
//! The derive's schema is cleaned first: no `nullable` (an empty field is an author's slip), no `default` (the
//! controller never writes a spec; defaults are in the descriptions), no `format: double` (a number is one anyway).

use std::collections::BTreeMap;
use std::sync::LazyLock;

use fanfare_core::model::Kind;
use k8s_openapi::apiextensions_apiserver::pkg::apis::apiextensions::v1::CustomResourceDefinition;
use kube::core::CustomResourceExt;
use serde_json::{Map, Value, json};

use crate::wire;

/// A CRD over this many bytes cannot be applied by `kubectl apply`, which keeps a copy in an annotation.
pub const CRD_MAX_BYTES: usize = 250_000;

/// Where editors find the schemas, relative to a file in `examples/NAME/`.
pub const COMBINED_SCHEMA: &str = "fanfare.schema.json";

static SCHEMAS: LazyLock<BTreeMap<Kind, Value>> =
    LazyLock::new(|| Kind::ALL.into_iter().map(|kind| (kind, clean_schema(kind))).collect());

/// The names by which Kubernetes knows a kind.
pub fn plural(kind: Kind) -> &'static str {
    match kind {
        Kind::Campaign => "campaigns",
        Kind::Segment => "segments",
        Kind::Reward => "rewards",
        Kind::Automation => "automations",
        Kind::MessageTemplate => "messagetemplates",
        Kind::MessageChannel => "messagechannels",
        Kind::CampaignRuntime => "campaignruntimes",
    }
}

/// The definition of one kind, ready to apply.
pub fn crd(kind: Kind) -> CustomResourceDefinition {
    let mut definition = derived(kind);
    for version in &mut definition.spec.versions {
        if let Some(validation) = &mut version.schema {
            validation.open_api_v3_schema = serde_json::from_value(schema(kind).clone()).ok();
        }
    }
    definition
}

/// The definitions of all kinds.
pub fn crds() -> Vec<CustomResourceDefinition> {
    Kind::ALL.into_iter().map(crd).collect()
}

/// The structural schema (OpenAPI v3) of a whole object of this kind.
pub fn schema(kind: Kind) -> &'static Value {
    static NOTHING: Value = Value::Null;
    SCHEMAS.get(&kind).unwrap_or(&NOTHING)
}

/// All definitions as one YAML text, for `fanfare crds`.
///
/// # Errors
/// When a definition cannot be written as YAML, which would be a fault of the types.
pub fn crds_yaml() -> Result<String, serde_yaml::Error> {
    let texts: Result<Vec<String>, _> = Kind::ALL.into_iter().map(crd_yaml).collect();
    Ok(texts?.join("---\n"))
}

/// Every generated file by its name.
///
/// # Errors
/// As [`crds_yaml`].
pub fn generated_files() -> Result<BTreeMap<String, String>, serde_yaml::Error> {
    let mut files = BTreeMap::new();
    for kind in Kind::ALL {
        files.insert(format!("{}.yaml", plural(kind)), crd_yaml(kind)?);
        files.insert(format!("{}.schema.json", kind.as_str().to_lowercase()), pretty(&editor_schema(kind)));
    }
    files.insert(COMBINED_SCHEMA.to_owned(), pretty(&combined_schema()));
    Ok(files)
}

fn crd_yaml(kind: Kind) -> Result<String, serde_yaml::Error> {
    serde_yaml::to_string(&crd(kind))
}

fn pretty(schema: &Value) -> String {
    format!("{schema:#}\n")
}

fn derived(kind: Kind) -> CustomResourceDefinition {
    match kind {
        Kind::Campaign => wire::Campaign::crd(),
        Kind::Segment => wire::Segment::crd(),
        Kind::Reward => wire::Reward::crd(),
        Kind::Automation => wire::Automation::crd(),
        Kind::MessageTemplate => wire::MessageTemplate::crd(),
        Kind::MessageChannel => wire::MessageChannel::crd(),
        Kind::CampaignRuntime => wire::CampaignRuntime::crd(),
    }
}

fn clean_schema(kind: Kind) -> Value {
    let definition = derived(kind);
    let schema = definition.spec.versions.into_iter().next().and_then(|version| version.schema);
    let mut schema = schema
        .and_then(|validation| validation.open_api_v3_schema)
        .and_then(|schema| serde_json::to_value(schema).ok())
        .unwrap_or(Value::Null);
    clean(&mut schema);
    schema
}

/// Visits each schema, never the names of properties, so that a field called `default` survives.
fn clean(schema: &mut Value) {
    let Some(fields) = schema.as_object_mut() else { return };
    fields.remove("nullable");
    fields.remove("default");
    if fields.get("format").and_then(Value::as_str) == Some("double") {
        fields.remove("format");
    }
    if let Some(values) = fields.get_mut("enum").and_then(Value::as_array_mut) {
        values.retain(|value| !value.is_null());
    }
    if let Some(Value::String(text)) = fields.get_mut("description") {
        *text = text.split("\n\n").map(|paragraph| paragraph.replace('\n', " ")).collect::<Vec<_>>().join("\n\n");
    }
    for bound in ["minimum", "maximum"] {
        if let Some(whole) = fields.get(bound).and_then(Value::as_f64).filter(|number| number.fract() == 0.0) {
            fields.insert(bound.to_owned(), json!(whole));
        }
    }
    for_each_subschema(fields, &mut |sub| clean(sub));
}

fn for_each_subschema(fields: &mut Map<String, Value>, visit: &mut dyn FnMut(&mut Value)) {
    if let Some(properties) = fields.get_mut("properties").and_then(Value::as_object_mut) {
        properties.values_mut().for_each(&mut *visit);
    }
    for key in ["items", "additionalProperties"] {
        if let Some(sub) = fields.get_mut(key).filter(|sub| sub.is_object()) {
            visit(sub);
        }
    }
}

/// What an editor checks while one types: the schema of the spec, closed against unknown fields.
pub fn editor_schema(kind: Kind) -> Value {
    let mut body = editor_body(kind);
    if let Some(fields) = body.as_object_mut() {
        fields.insert("$schema".to_owned(), json!("http://json-schema.org/draft-07/schema#"));
        fields.insert("title".to_owned(), json!(kind.as_str()));
    }
    body
}

fn editor_body(kind: Kind) -> Value {
    let mut spec = schema(kind).pointer("/properties/spec").cloned().unwrap_or_default();
    for_editor(&mut spec);
    let description = schema(kind).get("description").cloned().unwrap_or_default();
    json!({
        "type": "object",
        "description": description,
        "required": ["apiVersion", "kind", "metadata", "spec"],
        "additionalProperties": false,
        "properties": {
            "apiVersion": {"const": wire::API_VERSION},
            "kind": {"const": kind.as_str()},
            "metadata": {
                "type": "object",
                "required": ["name"],
                "properties": {"name": {"type": "string", "maxLength": 63, "pattern": "^[a-z0-9]([-a-z0-9]*[a-z0-9])?$"}}
            },
            "spec": spec
        }
    })
}

/// One schema for files that hold several kinds: `kind` decides which applies.
pub fn combined_schema() -> Value {
    let kinds: Vec<&str> = Kind::ALL.into_iter().map(Kind::as_str).collect();
    let branches: Vec<Value> = Kind::ALL
        .into_iter()
        .map(|kind| {
            json!({
                "if": {"properties": {"kind": {"const": kind.as_str()}}, "required": ["kind"]},
                "then": {"$ref": format!("#/definitions/{}", kind.as_str())}
            })
        })
        .collect();
    let definitions: Map<String, Value> =
        Kind::ALL.into_iter().map(|kind| (kind.as_str().to_owned(), editor_body(kind))).collect();
    json!({
        "$schema": "http://json-schema.org/draft-07/schema#",
        "title": "Fanfare resources",
        "type": "object",
        "required": ["apiVersion", "kind"],
        "properties": {"kind": {"enum": kinds}},
        "allOf": branches,
        "definitions": definitions
    })
}

fn for_editor(schema: &mut Value) {
    let Some(fields) = schema.as_object_mut() else { return };
    fields.retain(|key, _| !key.starts_with("x-kubernetes-") && key != "format");
    let is_object = fields.get("type").and_then(Value::as_str) == Some("object");
    if is_object && !fields.contains_key("additionalProperties") {
        fields.insert("additionalProperties".to_owned(), json!(false));
    }
    for_each_subschema(fields, &mut |sub| for_editor(sub));
}
