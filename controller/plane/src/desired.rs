//! What a client wants an object to be: its body or patch laid over what is stored, checked against the URL and pruned
//! of fields that the schema does not know.

use serde_json::{Value, json};

use crate::decode::Decoded;
use crate::field_path::FieldPath;
use crate::object::meta_str;
use crate::patch::{self, managers::Manager};
use crate::registry::Resource;
use crate::request::Subresource;
use crate::schema::prune;
use crate::status::{ApiError, FieldError};
use crate::view;
use crate::write::{Change, FieldValidation, PatchKind, WriteRequest};

pub(crate) fn body(change: &Change) -> &Decoded {
    match change {
        Change::Create(body) | Change::Replace(body) | Change::Patch(_, body) => body,
    }
}

/// A body that names kind, name or namespace must name those of the URL.
pub(crate) fn check_identity(request: &WriteRequest<'_>, name: &str) -> Result<(), ApiError> {
    let resource = request.resource;
    let value = match &request.change {
        Change::Create(body) | Change::Replace(body) | Change::Patch(PatchKind::Apply, body) => &body.value,
        Change::Patch(..) => return Ok(()),
    };
    let (given, kind) = (value["apiVersion"].as_str().unwrap_or_default(), value["kind"].as_str().unwrap_or_default());
    let is_apply = matches!(request.change, Change::Patch(PatchKind::Apply, _));
    if is_apply && (given.is_empty() || kind.is_empty()) {
        let given = if given.is_empty() { "/" } else { given };
        return Err(ApiError::bad_request(format!("invalid object type: {given}, Kind={kind}")));
    }
    let api_version = resource.api_version();
    if differs(given, &api_version) {
        return Err(ApiError::bad_request(format!(
            "the API version in the data ({given}) does not match the expected API version ({api_version})"
        )));
    }
    check_kind(resource, value, name)?;
    check_names(resource, value, name, request.namespace)
}

/// Custom kinds must say what they are, built-in ones may leave it to the path.
fn check_kind(resource: &Resource, value: &Value, name: &str) -> Result<(), ApiError> {
    let Resource { kind, version, group, .. } = resource;
    match value["kind"].as_str().unwrap_or_default() {
        given if given == kind => Ok(()),
        "" if resource.is_builtin() => Ok(()),
        "" => Err(ApiError::bad_request(format!(
            "the object provided is unrecognized (must be of type {kind}): Object 'Kind' is missing"
        ))),
        given if resource.is_builtin() => {
            Err(ApiError::bad_request(format!("{given} in version \"{version}\" cannot be handled as a {kind}")))
        }
        given => {
            let error = FieldError::invalid("kind", &json!(given), format!("must be {kind}"));
            Err(ApiError::invalid_as(&format!("{given}.{group}"), name, &[error]))
        }
    }
}

fn differs(given: &str, expected: &str) -> bool {
    !given.is_empty() && given != expected
}

fn check_names(resource: &Resource, value: &Value, name: &str, namespace: &str) -> Result<(), ApiError> {
    let given = meta_str(value, "name");
    if differs(given, name) {
        return Err(ApiError::bad_request(format!(
            "the name of the object ({given}) does not match the name on the URL ({name})"
        )));
    }
    if resource.namespaced && differs(meta_str(value, "namespace"), namespace) {
        return Err(ApiError::bad_request(
            "the namespace of the provided object does not match the namespace sent on the request",
        ));
    }
    Ok(())
}

/// The object that the client wants, in stored form, without fields that the schema does not know.
pub(crate) fn desired(
    request: &WriteRequest<'_>,
    name: &str,
    old: Option<&Value>,
    manager: &Manager<'_>,
    findings: &mut Findings,
) -> Result<Value, ApiError> {
    let resource = &**request.resource;
    findings.duplicates.clone_from(&body(&request.change).duplicates);
    let stored = |value: &Value| view::to_stored(resource, value.clone());
    let mut value = match (&request.change, old) {
        (Change::Create(body), _) => {
            if !meta_str(&body.value, "resourceVersion").is_empty() {
                return Err(ApiError::bad_request("resourceVersion should not be set on objects to be created"));
            }
            stored(&body.value)
        }
        (Change::Patch(PatchKind::Apply, body), _) if request.subresource == Subresource::Main || old.is_some() => {
            return applied(request, name, old, stored(&body.value), manager, findings);
        }
        (Change::Replace(_) | Change::Patch(..), None) => return Err(ApiError::not_found(resource, name)),
        (Change::Replace(body), Some(_)) => stored(&body.value),
        (Change::Patch(kind, body), Some(old)) => {
            let mut shown = view::to_shown(resource, old.clone());
            match kind {
                PatchKind::Json => patch::json(&mut shown, body.value.clone())?,
                PatchKind::Strategic => patch::strategic_merge(&mut shown, &body.value, Some(resource.schema())),
                PatchKind::Merge | PatchKind::Apply => json_patch::merge(&mut shown, &body.value),
            }
            check_kind(resource, &shown, name)?;
            check_names(resource, &shown, name, request.namespace)?;
            view::to_stored(resource, shown)
        }
    };
    prune(&mut value, resource.schema(), &FieldPath::Root, &mut findings.unknown);
    Ok(value)
}

fn applied(
    request: &WriteRequest<'_>,
    name: &str,
    old: Option<&Value>,
    mut config: Value,
    manager: &Manager<'_>,
    findings: &mut Findings,
) -> Result<Value, ApiError> {
    let resource = &**request.resource;
    if config["metadata"]["managedFields"].as_array().is_some_and(|a| !a.is_empty()) {
        return Err(ApiError::bad_request("metadata.managedFields must be nil"));
    }
    if let (Some(map), true) = (config.as_object_mut(), resource.has_status) {
        match request.subresource {
            Subresource::Main => drop(map.remove("status")),
            Subresource::Status | Subresource::Finalize => {
                map.retain(|k, _| matches!(k.as_str(), "apiVersion" | "kind" | "metadata" | "status"))
            }
        }
    }
    if old.is_none() && meta_str(&config, "name").is_empty() {
        return Err(ApiError::bad_request(format!(
            "the name of the object ({name} based on URL) was undeterminable: name must be provided"
        )));
    }
    prune(&mut config, resource.schema(), &FieldPath::Root, &mut findings.unknown);
    let new = || json!({"apiVersion": manager.api_version, "kind": resource.kind, "metadata": {"name": name}});
    let live = old.cloned().unwrap_or_else(new);
    patch::apply::apply(&live, &config, Some(resource.schema()), manager, request.conflicts)
}

/// Fields that are unknown or doubled.
#[derive(Debug, Default)]
pub(crate) struct Findings {
    unknown: Vec<String>,
    duplicates: Vec<String>,
}

impl Findings {
    /// Warnings, or the refusal when the client wants strictness.
    pub(crate) fn judge(mut self, request: &WriteRequest<'_>) -> Result<Vec<String>, ApiError> {
        // Metadata is read on its own, before the rest.
        self.unknown.sort_by_key(|path| !path.starts_with("metadata."));
        let duplicates = self.duplicates.iter().map(|p| format!("duplicate field \"{p}\""));
        let mut found: Vec<String> =
            duplicates.chain(self.unknown.iter().map(|p| format!("unknown field \"{p}\""))).collect();
        if request.resource.is_builtin() {
            // Those are read into a struct at once, where what is unknown is told first.
            found.rotate_left(self.duplicates.len());
        }
        match request.validation {
            _ if found.is_empty() => Ok(found),
            FieldValidation::Ignore => Ok(Vec::new()),
            FieldValidation::Warn => Ok(found),
            FieldValidation::Strict
                if matches!(request.change, Change::Patch(PatchKind::Apply, _)) && self.duplicates.is_empty() =>
            {
                let undeclared: Vec<String> =
                    self.unknown.iter().map(|p| format!(".{p}: field not declared in schema")).collect();
                let (name, undeclared) = (request.name.unwrap_or_default(), undeclared.join(", "));
                let why =
                    format!("failed to create typed patch object ({name}; {}): {undeclared}", request.resource.kind);
                Err(ApiError::bad_request(why))
            }
            FieldValidation::Strict => Err(strict_error(request, &found.join(", "))),
        }
    }
}

fn strict_error(request: &WriteRequest<'_>, found: &str) -> ApiError {
    let Resource { kind, version, .. } = &**request.resource;
    let why = format!("strict decoding error: {found}");
    match &request.change {
        Change::Create(_) | Change::Replace(_) => {
            ApiError::bad_request(format!("{kind} in version \"{version}\" cannot be handled as a {kind}: {why}"))
        }
        Change::Patch(PatchKind::Apply, _) => ApiError::bad_request(why),
        Change::Patch(..) => {
            let error = FieldError::new("FieldValueInvalid", "patch", format!("Invalid value: {why}"));
            ApiError::invalid(request.resource, request.name.unwrap_or_default(), &[error])
        }
    }
}
