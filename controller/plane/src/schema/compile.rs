//! From OpenAPI v3 text to [`Schema`]. Refuses what is not structural, naming the field of the CRD.

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

use regex::Regex;
use serde_json::Value;

use super::{Bound, ListKind, Schema, TYPES, join, validate};
use crate::field_path::FieldPath;
use crate::status::FieldError;

/// Deeper schemas are refused: recursion over them must end.
const DEPTH_MAX: usize = 64;

/// The schema of a custom kind, its `metadata` replaced by `object_meta`.
///
/// # Errors
/// Every part that is not structural or not understood, with its path below `root`.
pub(crate) fn compile_custom(
    document: &Value,
    object_meta: &Arc<Schema>,
    root: &str,
) -> Result<Schema, Vec<FieldError>> {
    let mut compiler = Compiler::new(None);
    let mut schema = compiler.node(document, root, &mut Vec::new());
    if document.get("type").is_none() {
        compiler.errors.push(FieldError::required(format!("{root}.type"), "must not be empty at the root"));
        return Err(compiler.errors);
    }
    if schema.kind != Some("object") {
        let error = FieldError::invalid(format!("{root}.type"), &document["type"], "must be object at the root");
        compiler.errors.push(error);
    }
    require_structural(document, root, &mut compiler.errors);
    check_defaults(&schema, root, &mut compiler.errors);
    if !compiler.errors.is_empty() {
        return Err(compiler.errors);
    }
    add_object_fields(&mut schema, object_meta);
    Ok(schema)
}

/// The schema of a built-in kind from its model; references are looked up in `models`.
pub(crate) fn compile_builtin(model: &Value, models: &BTreeMap<String, Value>, object_meta: &Arc<Schema>) -> Schema {
    let mut compiler = Compiler::new(Some(models));
    let mut schema = compiler.node(model, "", &mut Vec::new());
    add_object_fields(&mut schema, object_meta);
    schema
}

/// The schema of `metadata`, the same for every kind.
pub(crate) fn compile_object_meta(model: &Value, models: &BTreeMap<String, Value>) -> Schema {
    let mut compiler = Compiler::new(Some(models));
    let schema = compiler.node(model, "", &mut vec!["metadata".to_owned()]);
    Schema { inline: false, ..schema }
}

fn add_object_fields(schema: &mut Schema, object_meta: &Arc<Schema>) {
    let text = || Arc::new(Schema { kind: Some("string"), ..Schema::default() });
    schema.properties.insert("apiVersion".into(), text());
    schema.properties.insert("kind".into(), text());
    schema.properties.insert("metadata".into(), object_meta.clone());
    schema.required.retain(|r| r != "metadata");
}

struct Compiler<'a> {
    /// Models of built-in kinds; `None` for a CRD, where `$ref` is refused.
    models: Option<&'a BTreeMap<String, Value>>,
    errors: Vec<FieldError>,
    /// References being followed: a recursive one ends as "anything".
    open: Vec<String>,
    /// Compiled once each: large schemas repeat them, and compiling one costs more than all the rest.
    patterns: HashMap<String, Regex>,
}

impl<'a> Compiler<'a> {
    fn new(models: Option<&'a BTreeMap<String, Value>>) -> Self {
        Self { models, errors: Vec::new(), open: Vec::new(), patterns: HashMap::new() }
    }

    fn node(&mut self, v: &Value, path: &str, field: &mut Vec<String>) -> Schema {
        if field.len() > DEPTH_MAX {
            self.errors.push(FieldError::forbidden(path, "the schema nests too deeply"));
            return Schema::default();
        }
        if let Some(reference) = v["$ref"].as_str() {
            return self.reference(reference, path, field);
        }
        // schemars wraps a reference with a description in allOf.
        if let (Some(_), Some([only])) = (self.models, v["allOf"].as_array().map(Vec::as_slice)) {
            return self.node(only, path, field);
        }
        let mut schema = Schema {
            kind: self.kind(v, path),
            nullable: flag(v, "nullable") || is_nullable_type(v),
            preserve_unknown: flag(v, "x-kubernetes-preserve-unknown-fields"),
            embedded_resource: flag(v, "x-kubernetes-embedded-resource"),
            int_or_string: flag(v, "x-kubernetes-int-or-string"),
            default: v.get("default").cloned(),
            allowed: v["enum"].as_array().cloned().unwrap_or_default(),
            required: strings(&v["required"]),
            min_length: v["minLength"].as_u64(),
            max_length: v["maxLength"].as_u64(),
            pattern: self.pattern(v, path),
            format: v["format"].as_str().map(str::to_owned),
            minimum: bound(v, "minimum", "exclusiveMinimum"),
            maximum: bound(v, "maximum", "exclusiveMaximum"),
            multiple_of: v["multipleOf"].as_f64(),
            min_items: v["minItems"].as_u64(),
            max_items: v["maxItems"].as_u64(),
            min_properties: v["minProperties"].as_u64(),
            max_properties: v["maxProperties"].as_u64(),
            list: self.list_kind(v, path, field),
            atomic: v["x-kubernetes-map-type"] == "atomic" || self.is_atomic(field),
            inline: self.models.is_some() && field.last().is_some_and(|f| INLINE.contains(&f.as_str())),
            ..Schema::default()
        };
        for (key, child) in v["properties"].as_object().into_iter().flatten() {
            field.push(key.clone());
            let child = self.node(child, &format!("{}[{key}]", join(path, "properties")), field);
            field.pop();
            schema.properties.insert(key.clone(), Arc::new(child));
        }
        if v["additionalProperties"].is_object() {
            field.push("*".into());
            let child = self.node(&v["additionalProperties"], &join(path, "additionalProperties"), field);
            field.pop();
            schema.additional = Some(Arc::new(child));
        } else if v["additionalProperties"] == true {
            schema.additional = Some(Arc::new(Schema::anything()));
        }
        if v["items"].is_object() {
            field.push("[]".into());
            schema.items = Some(Arc::new(self.node(&v["items"], &join(path, "items"), field)));
            field.pop();
        }
        if schema.embedded_resource {
            add_object_fields(&mut schema, &crate::builtin::object_meta().clone());
            schema.required.extend(["kind".to_owned(), "apiVersion".to_owned()]);
        }
        if self.models.is_some() && schema.properties.is_empty() && schema.additional.is_none() {
            // Raw JSON, such as `fieldsV1`.
            schema.preserve_unknown = true;
        }
        schema.all_of = self.branches(v, "allOf", path, field);
        schema.any_of = self.branches(v, "anyOf", path, field);
        schema.one_of = self.branches(v, "oneOf", path, field);
        if v["not"].is_object() {
            schema.not = Some(Box::new(self.node(&v["not"], &join(path, "not"), field)));
        }
        schema
    }

    fn is_atomic(&self, field: &[String]) -> bool {
        let name = self.open.last().and_then(|name| name.rsplit('.').next()).unwrap_or_default();
        let selects = self.models.is_some() && field.last().is_some_and(|f| f == "selector");
        selects || (ATOMIC.contains(&name) && field.last().is_none_or(|f| f != "matchLabels"))
    }

    fn reference(&mut self, reference: &str, path: &str, field: &mut Vec<String>) -> Schema {
        let name = reference.rsplit('/').next().unwrap_or(reference).to_owned();
        let Some(model) = self.models.and_then(|m| m.get(&name)) else {
            self.errors.push(FieldError::forbidden(join(path, "$ref"), "$ref is not supported"));
            return Schema::anything();
        };
        if self.open.contains(&name) {
            return Schema::anything();
        }
        let model = model.clone();
        self.open.push(name);
        let schema = self.node(&model, path, field);
        self.open.pop();
        schema
    }

    fn branches(&mut self, v: &Value, key: &str, path: &str, field: &mut Vec<String>) -> Vec<Schema> {
        let branches = v[key].as_array().map(Vec::as_slice).unwrap_or_default();
        branches.iter().enumerate().map(|(i, b)| self.node(b, &format!("{}[{i}]", join(path, key)), field)).collect()
    }

    fn kind(&mut self, v: &Value, path: &str) -> Option<&'static str> {
        let named = match &v["type"] {
            // JSON Schema 2020 writes a nullable type as a list.
            Value::Array(a) => a.iter().filter_map(Value::as_str).find(|t| *t != "null"),
            other => other.as_str(),
        }?;
        let known = TYPES.into_iter().find(|t| *t == named);
        if known.is_none() {
            self.errors.push(FieldError::invalid(join(path, "type"), &v["type"], "no such type"));
        }
        known
    }

    fn pattern(&mut self, v: &Value, path: &str) -> Option<Regex> {
        let text = v["pattern"].as_str()?;
        if let Some(regex) = self.patterns.get(text) {
            return Some(regex.clone());
        }
        let compiled = Regex::new(text).map_err(|e| {
            let why = format!("must be a valid regular expression, but isn't: {e}");
            self.errors.push(FieldError::invalid(join(path, "pattern"), &v["pattern"], why));
        });
        let regex = compiled.ok()?;
        self.patterns.insert(text.to_owned(), regex.clone());
        Some(regex)
    }

    fn list_kind(&mut self, v: &Value, path: &str, field: &[String]) -> ListKind {
        match v["x-kubernetes-list-type"].as_str() {
            Some("map") => {
                let keys = strings(&v["x-kubernetes-list-map-keys"]);
                if keys.is_empty() {
                    let why = "must not be empty if x-kubernetes-list-type is map";
                    self.errors.push(FieldError::required(join(path, "x-kubernetes-list-map-keys"), why));
                }
                ListKind::Map(keys)
            }
            Some("set") => ListKind::Set,
            Some(_) => ListKind::Atomic,
            None if self.models.is_some() => builtin_list_kind(field),
            None => ListKind::Atomic,
        }
    }
}

/// The models of k8s-openapi carry no such hints either: structs that are replaced as a whole.
const ATOMIC: &[&str] = &[
    "OwnerReference",
    "LabelSelector",
    "ObjectReference",
    "LocalObjectReference",
    "TypedLocalObjectReference",
    "ConfigMapKeySelector",
    "SecretKeySelector",
    "ObjectFieldSelector",
    "ResourceFieldSelector",
    "NodeSelector",
    "NodeSelectorTerm",
];

/// Fields whose struct is no pointer in Go.
const INLINE: &[&str] = &[
    "spec",
    "status",
    "template",
    "metadata",
    "strategy",
    "source",
    "resources",
    "loadBalancer",
    "names",
    "acceptedNames",
    "containers",
];

/// The models of k8s-openapi carry no list hints; these are the ones upstream's types declare.
fn builtin_list_kind(field: &[String]) -> ListKind {
    let keys: &[&str] = match field.last().map(String::as_str) {
        Some(
            "containers"
            | "initContainers"
            | "ephemeralContainers"
            | "volumes"
            | "env"
            | "imagePullSecrets"
            | "secrets",
        ) => &["name"],
        Some("volumeMounts") => &["mountPath"],
        Some("volumeDevices") => &["devicePath"],
        Some("ports") if field.iter().any(|f| f == "containers" || f == "initContainers") => {
            &["containerPort", "protocol"]
        }
        Some("ports") => &["port", "protocol"],
        Some("conditions") => &["type"],
        Some("ownerReferences") => &["uid"],
        Some("hostAliases") => &["ip"],
        Some("topologySpreadConstraints") => &["topologyKey", "whenUnsatisfiable"],
        Some("finalizers") => return ListKind::Set,
        _ => return ListKind::Atomic,
    };
    ListKind::Map(keys.iter().map(|k| (*k).to_owned()).collect())
}

fn flag(v: &Value, key: &str) -> bool {
    v[key] == true
}

fn is_nullable_type(v: &Value) -> bool {
    v["type"].as_array().is_some_and(|a| a.iter().any(|t| t == "null"))
}

fn strings(v: &Value) -> Vec<String> {
    v.as_array().into_iter().flatten().filter_map(|s| s.as_str().map(str::to_owned)).collect()
}

fn bound(v: &Value, key: &str, exclusive: &str) -> Option<Bound> {
    // OpenAPI 3.0: exclusive is a flag beside the limit.
    v[key].as_f64().map(|at| Bound { at, exclusive: flag(v, exclusive) })
}

/// A default must be valid itself.
fn check_defaults(schema: &Schema, path: &str, errors: &mut Vec<FieldError>) {
    if let Some(default) = &schema.default {
        let mut found = Vec::new();
        validate(default, schema, &FieldPath::Root, &mut found);
        let at = join(path, "default");
        let below = |e: FieldError| FieldError { field: join(&at, &e.field).trim_end_matches('.').into(), ..e };
        errors.extend(found.into_iter().map(below));
    }
    for (key, child) in &schema.properties {
        check_defaults(child, &format!("{}[{key}]", join(path, "properties")), errors);
    }
    if let Some(items) = &schema.items {
        check_defaults(items, &join(path, "items"), errors);
    }
}

/// The properties that a schema declares, each with its path.
fn properties<'a>(v: &'a Value, path: &str) -> impl Iterator<Item = (String, &'a Value)> {
    let path = join(path, "properties");
    v["properties"].as_object().into_iter().flatten().map(move |(key, child)| (format!("{path}[{key}]"), child))
}

/// Branches only narrow what the schema around them says: they may not have types of their own.
fn refuse_types(branch: &Value, path: &str, errors: &mut Vec<FieldError>) {
    for (path, child) in properties(branch, path) {
        if child.get("type").is_some() {
            errors.push(FieldError::forbidden(join(&path, "type"), "must be empty to be structural"));
        }
        refuse_types(child, &path, errors);
    }
}

/// What a real API server refuses in a CRD's schema, beyond what compiling finds.
fn require_structural(v: &Value, path: &str, errors: &mut Vec<FieldError>) {
    let untyped = v.get("type").is_none() && v.get("$ref").is_none();
    if untyped && !flag(v, "x-kubernetes-int-or-string") && !flag(v, "x-kubernetes-preserve-unknown-fields") {
        errors.push(FieldError::required(join(path, "type"), "must not be empty for specified object fields"));
    }
    let mut forbid = |wrong: bool, key: &str, why: &str| {
        errors.extend(wrong.then(|| FieldError::forbidden(join(path, key), why)));
    };
    let (additional, unique) = ("additionalProperties", "uniqueItems");
    let has_properties = v["properties"].as_object().is_some_and(|p| !p.is_empty());
    let both = has_properties && v[additional].is_object();
    forbid(both, additional, "additionalProperties and properties are mutual exclusive");
    forbid(v[additional] == false, additional, "additionalProperties cannot be set to false");
    let quadratic = "uniqueItems cannot be set to true since the runtime complexity becomes quadratic";
    forbid(flag(v, unique), unique, quadratic);
    if v["type"] == "array" && !v["items"].is_object() {
        errors.push(FieldError::required(join(path, "items"), "must be specified"));
    }
    for key in ["allOf", "anyOf", "oneOf"] {
        for (i, branch) in v[key].as_array().into_iter().flatten().enumerate() {
            refuse_types(branch, &format!("{}[{i}]", join(path, key)), errors);
        }
    }
    let unnamed = ["items", "additionalProperties"].into_iter().filter(|key| v[*key].is_object());
    for (path, child) in properties(v, path).chain(unnamed.map(|key| (join(path, key), &v[key]))) {
        require_structural(child, &path, errors);
    }
}
