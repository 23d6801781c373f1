//! From what a client wants to what would be stored: one pure function for create, replace, patch and apply.
//!
//! In order: subresource isolation, system metadata, defaults, validation with ratcheting, generation, ownership.

use serde_json::{Map, Value, json};

use crate::builtin_defaults;
use crate::crd;
use crate::field_path::FieldPath;
use crate::meta;
use crate::object::is_empty_container;
use crate::patch::managers::{Manager, track_update};
use crate::registry::Resource;
use crate::request::Subresource;
use crate::schema::{apply_defaults, unchanged, validate};
use crate::status::{ApiError, FieldError};

/// `metadata` fields that only the plane sets.
const SYSTEM_FIELDS: &[&str] =
    &["uid", "creationTimestamp", "deletionTimestamp", "deletionGracePeriodSeconds", "generation", "resourceVersion"];

/// How the fields of the new object come to be owned.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) enum Ownership {
    /// By comparing with the old object.
    Track,
    /// Server-side apply has already said.
    Said,
}

pub(crate) struct Context<'a> {
    pub(crate) resource: &'a Resource,
    pub(crate) namespace: &'a str,
    pub(crate) name: &'a str,
    pub(crate) subresource: Subresource,
    pub(crate) manager: Manager<'a>,
    pub(crate) ownership: Ownership,
    /// The uid of the object when it is new.
    pub(crate) uid: String,
}

/// What would be stored, and warnings.
///
/// # Errors
/// 400 when `desired` is no object or not of its kind's types, 422 with every field that is refused.
pub(crate) fn prepare(
    context: &Context<'_>,
    old: &mut Option<Value>,
    desired: Value,
) -> Result<(Value, Vec<String>), ApiError> {
    let resource = context.resource;
    if !desired.is_object() || !desired["metadata"].is_object() {
        return Err(ApiError::bad_request("the object must be a JSON object with metadata"));
    }
    let mut object = isolate(context, old.as_ref(), desired);
    stamp(context, old.as_ref(), &mut object);
    if resource.is_builtin() {
        builtin_defaults::complete(resource, &mut object);
    }
    apply_defaults(&mut object, resource.schema());
    if resource.is_crd() {
        crd::complete(&mut object);
        if context.subresource == Subresource::Main {
            object["status"] = crd::established_status(&object, context.manager.now);
        }
    }
    let (errors, warnings) = find_errors(context, old, &mut object);
    // Go reads these into structs, and fails before anything is validated.
    let is_typed = |e: &&FieldError| (resource.is_builtin() && !resource.is_crd()) || e.field.starts_with("metadata");
    if let Some(error) = errors.iter().filter(is_typed).find(|e| e.reason == "FieldValueTypeInvalid") {
        let Resource { kind, version, .. } = resource;
        let why = format!("{kind} in version \"{version}\" cannot be handled as a {kind}: {}", error.message);
        return Err(ApiError::bad_request(why));
    }
    if !errors.is_empty() {
        return Err(ApiError::invalid(resource, context.name, &errors));
    }
    if let Some(old) = old.as_ref()
        && resource.has_generation()
        && context.subresource == Subresource::Main
        && intent_differs(resource, old, &object)
    {
        object["metadata"]["generation"] = json!(old["metadata"]["generation"].as_i64().unwrap_or(0) + 1);
    }
    if context.ownership == Ownership::Track {
        track_update(old.as_ref(), &mut object, Some(resource.schema()), &context.manager);
    }
    if resource.is_builtin() {
        builtin_defaults::finish(resource, &mut object);
    }
    Ok((object, warnings))
}

/// Keeps a write to the part it is about: everything but status, or status alone.
fn isolate(context: &Context<'_>, old: Option<&Value>, mut desired: Value) -> Value {
    match (context.subresource, old) {
        (Subresource::Finalize, Some(old)) => {
            let mut object = old.clone();
            replace(&mut object["spec"], "finalizers", desired["spec"]["finalizers"].take());
            object
        }
        // The names that people give to a namespace are part of its status too.
        (Subresource::Status, Some(old)) if context.resource.is_namespace() => {
            replace(&mut desired, "spec", old["spec"].clone());
            desired
        }
        (Subresource::Status, Some(old)) => {
            let mut object = old.clone();
            replace(&mut object, "status", desired["status"].take());
            replace(&mut object["metadata"], "managedFields", desired["metadata"]["managedFields"].take());
            object
        }
        (Subresource::Main, old) if context.resource.has_status => {
            let status = old.map(|o| o["status"].clone()).unwrap_or_default();
            replace(&mut desired, "status", status);
            desired
        }
        _ => desired,
    }
}

/// Sets a key, or removes it when the value is null.
fn replace(value: &mut Value, key: &str, new: Value) {
    let Value::Object(map) = value else { return };
    if new.is_null() {
        map.remove(key);
    } else {
        map.insert(key.to_owned(), new);
    }
}

fn stamp(context: &Context<'_>, old: Option<&Value>, object: &mut Value) {
    let resource = context.resource;
    object["apiVersion"] = json!(resource.stored_as);
    object["kind"] = json!(resource.kind);
    let Some(meta) = object["metadata"].as_object_mut() else { return };
    meta.retain(|key, value| key == "managedFields" || !(value.is_null() || is_empty_container(value)));
    meta.remove("selfLink");
    meta.insert("name".into(), json!(context.name));
    if resource.namespaced {
        meta.insert("namespace".into(), json!(context.namespace));
    } else {
        meta.remove("namespace");
    }
    for key in SYSTEM_FIELDS {
        meta.remove(*key);
        if let Some(value) = old.and_then(|o| o["metadata"].get(*key)) {
            meta.insert((*key).to_owned(), value.clone());
        }
    }
    if old.is_none() {
        meta.insert("uid".into(), json!(context.uid));
        meta.insert("creationTimestamp".into(), json!(context.manager.now));
        if resource.has_generation() {
            meta.insert("generation".into(), json!(1));
        }
    }
}

/// As upstream says some errors: in two places, so that there are two causes.
pub(crate) fn twice(error: FieldError) -> [FieldError; 2] {
    [error.clone(), error]
}

/// What is refused, and what is only warned of.
fn find_errors(context: &Context<'_>, old: &mut Option<Value>, object: &mut Value) -> (Vec<FieldError>, Vec<String>) {
    let resource = context.resource;
    let (mut errors, mut warnings) = (Vec::new(), meta::warnings(object));
    meta::validate(resource, object, &mut errors);
    if resource.holds_data() {
        meta::validate_data_keys(object, &mut errors);
    }
    validate(object, resource.schema(), &FieldPath::Root, &mut errors);
    if resource.is_builtin() && context.subresource != Subresource::Main {
        // Controllers write what they know.
        errors.retain(|e| e.reason != "FieldValueRequired");
    }
    // Rules are written for values of the right types.
    let before_rules = errors.len();
    if let Some(rules) = resource.rules() {
        if errors.iter().any(FieldError::blocks_rules) {
            errors.push(FieldError::unchecked());
        } else {
            errors.extend(rules.check(object, old.as_mut()));
        }
    }
    if let Some(old) = old.as_ref() {
        let mut index = 0;
        errors.retain(|e| {
            let forgiven = !e.is_of_change && unchanged(old, object, resource.schema(), e);
            if forgiven && index >= before_rules && *e != FieldError::unchecked() {
                warnings.push(format!("{}: {}", e.field, e.message));
            }
            index += 1;
            !forgiven
        });
        if matches!(&errors[..], [only] if *only == FieldError::unchecked()) {
            // All that blocked the rules was wrong before, and stays.
            errors.clear();
        }
        errors.extend(new_finalizers(old, object).into_iter().flat_map(twice));
        if let Some(error) = immutable_data(resource, old, object) {
            errors.push(error);
        }
    }
    if resource.is_crd() && errors.is_empty() && old.as_ref().is_none_or(|o| o["spec"] != object["spec"]) {
        errors.extend(crd::compile(object, 0).err().into_iter().flatten());
    }
    (errors, warnings)
}

fn new_finalizers(old: &Value, object: &Value) -> Option<FieldError> {
    old["metadata"].get("deletionTimestamp")?;
    let before = old["metadata"]["finalizers"].as_array().map(Vec::as_slice).unwrap_or_default();
    let now = object["metadata"]["finalizers"].as_array()?;
    let added: Vec<String> = now.iter().filter(|f| !before.contains(f)).map(Value::to_string).collect();
    let found = added.join(", ");
    let why = format!(
        "no new finalizers can be added if the object is being deleted, found new finalizers []string{{{found}}}"
    );
    (!added.is_empty()).then(|| FieldError::forbidden("metadata.finalizers", &why))
}

/// ConfigMaps and Secrets that were declared immutable.
fn immutable_data(resource: &Resource, old: &Value, object: &Value) -> Option<FieldError> {
    if resource.holds_data() && resource.kind == "Secret" && old["type"] != object["type"] {
        return Some(FieldError::invalid("type", &object["type"], "field is immutable"));
    }
    if !resource.holds_data() || old["immutable"] != true {
        return None;
    }
    let field = ["immutable", "data", "binaryData"].into_iter().find(|f| old[*f] != object[*f])?;
    Some(FieldError::forbidden(field, "field is immutable when `immutable` is set"))
}

/// Whether anything changed that generation counts: all but metadata, and status where it is a subresource.
fn intent_differs(resource: &Resource, old: &Value, new: &Value) -> bool {
    let counts =
        |key: &str| !(matches!(key, "metadata" | "apiVersion" | "kind") || key == "status" && resource.has_status);
    let empty = Map::new();
    let (old, new) = (old.as_object().unwrap_or(&empty), new.as_object().unwrap_or(&empty));
    let keys = old.keys().chain(new.keys());
    keys.filter(|k| counts(k)).any(|k| old.get(k) != new.get(k))
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: &str = "2026-01-01T00:00:00Z";

    fn run(subresource: Subresource, old: Option<Value>, desired: Value) -> Result<Value, ApiError> {
        let document = json!({"type": "object", "properties": {
            "spec": {"type": "object", "properties": {"n": {"type": "integer", "maximum": 9}, "m": {"type": "integer"}}},
            "status": {"type": "object", "properties": {"phase": {"type": "string"}}}}});
        let crd = json!({"metadata": {"name": "widgets.test.dev"}, "spec": {
            "group": "test.dev", "scope": "Namespaced", "names": {"plural": "widgets", "kind": "Widget"},
            "versions": [{"name": "v1", "served": true, "storage": true, "subresources": {"status": {}},
                "schema": {"openAPIV3Schema": document}}]}});
        let resource = crd::compile(&crd, 1).unwrap().remove(0);
        let manager = Manager { name: "m", subresource: "", api_version: "test.dev/v1", now: NOW };
        let context = Context {
            resource: &resource,
            namespace: "ns",
            name: "a",
            subresource,
            manager,
            ownership: Ownership::Track,
            uid: "u1".into(),
        };
        prepare(&context, &mut old.clone(), desired).map(|(object, _)| object)
    }

    fn created() -> Value {
        run(
            Subresource::Main,
            None,
            json!({"metadata": {"name": "a", "uid": "mine"}, "spec": {"n": 1}, "status": {"phase": "X"}}),
        )
        .unwrap()
    }

    #[test]
    fn a_new_object_gets_system_metadata_and_no_status() {
        let object = created();
        assert_eq!(object["metadata"]["uid"], "u1");
        assert_eq!(object["metadata"]["generation"], 1);
        assert_eq!((object["apiVersion"].as_str(), object.get("status")), (Some("test.dev/v1"), None));
    }

    #[test]
    fn generation_counts_changes_of_the_spec_only() {
        let mut labelled = created();
        labelled["metadata"]["labels"] = json!({"a": "b"});
        let labelled = run(Subresource::Main, Some(created()), labelled).unwrap();
        assert_eq!(labelled["metadata"]["generation"], 1);
        let mut changed = labelled.clone();
        changed["spec"]["n"] = json!(2);
        assert_eq!(run(Subresource::Main, Some(labelled), changed).unwrap()["metadata"]["generation"], 2);
    }

    #[test]
    fn a_status_write_changes_status_and_a_main_write_does_not() {
        let mut desired = created();
        desired["spec"]["n"] = json!(7);
        desired["status"] = json!({"phase": "Active"});
        let by_status = run(Subresource::Status, Some(created()), desired.clone()).unwrap();
        assert_eq!((&by_status["spec"]["n"], &by_status["status"]["phase"]), (&json!(1), &json!("Active")));
        assert_eq!(by_status["metadata"]["generation"], 1);
        let by_main =
            run(Subresource::Main, Some(by_status), json!({"metadata": {"name": "a"}, "spec": {"n": 7}})).unwrap();
        assert_eq!((&by_main["spec"]["n"], &by_main["status"]["phase"]), (&json!(7), &json!("Active")));
    }

    #[test]
    fn what_was_invalid_before_does_not_block_another_change() {
        let mut old = created();
        old["spec"]["n"] = json!(99);
        let mut desired = old.clone();
        desired["spec"]["m"] = json!(1);
        assert!(run(Subresource::Main, Some(old.clone()), desired.clone()).is_ok());
        desired["spec"]["n"] = json!(98);
        assert_eq!(run(Subresource::Main, Some(old), desired).unwrap_err().code, 422);
    }

    #[test]
    fn writing_what_is_there_gives_what_is_there() {
        assert_eq!(run(Subresource::Main, Some(created()), created()).unwrap(), created());
    }

    #[test]
    fn an_object_that_is_being_deleted_takes_no_new_finalizer() {
        let mut old = created();
        old["metadata"]["deletionTimestamp"] = json!(NOW);
        let mut desired = old.clone();
        desired["metadata"]["finalizers"] = json!(["a.b/c"]);
        assert_eq!(run(Subresource::Main, Some(old), desired).unwrap_err().code, 422);
    }
}
