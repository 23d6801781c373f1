//! Create, replace, patch and apply: read, decide, ask admission, compare-and-swap, and again when somebody was faster.

use std::sync::Arc;

use serde_json::{Value, json};

use crate::admission::{AdmissionRequest, Denial, Operation};
use crate::decode::{Decoded, decode};
use crate::desired::{Findings, body, check_identity, desired};
use crate::namespace;
use crate::object::{Key, ObjectName, Stored, has_finalizers, meta_str};
use crate::patch::{apply::Conflicts, managers::Manager};
use crate::plane::Inner;
use crate::prepare::{Context, Ownership, prepare, twice};
use crate::registry::Resource;
use crate::request::{ApiRequest, Subresource};
use crate::respond::{self, Response};
use crate::status::{ApiError, FieldError};
use crate::storage::{Action, CommitError, Expect};

/// Tries when others keep writing the same object; each loss means that another write succeeded.
const ATTEMPTS_MAX: usize = 16;
/// Letters of generated names, without those that look alike or spell words.
const SUFFIX_LETTERS: &[u8] = b"bcdfghjklmnpqrstvwxz2456789";
const SUFFIX_LENGTH: usize = 5;

#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) enum PatchKind {
    Json,
    Merge,
    Strategic,
    Apply,
}

#[derive(Debug)]
pub(crate) enum Change {
    Create(Decoded),
    Replace(Decoded),
    Patch(PatchKind, Decoded),
}

/// What to do about fields that are unknown or there twice.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) enum FieldValidation {
    Ignore,
    Warn,
    Strict,
}

#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) enum Admit {
    Ask,
    /// The plane's own writes.
    Skip,
}

#[derive(Debug)]
pub(crate) struct WriteRequest<'a> {
    pub(crate) resource: &'a Arc<Resource>,
    pub(crate) namespace: &'a str,
    /// `None` when a creation names it in its body.
    pub(crate) name: Option<&'a str>,
    pub(crate) subresource: Subresource,
    pub(crate) change: Change,
    pub(crate) dry_run: bool,
    pub(crate) manager: String,
    pub(crate) conflicts: Conflicts,
    pub(crate) validation: FieldValidation,
    pub(crate) admit: Admit,
}

#[derive(Debug)]
pub(crate) struct Written {
    /// What is stored; what would be where nothing was, as in a dry run or when the last finalizer went.
    pub(crate) object: Arc<Stored>,
    pub(crate) created: bool,
    pub(crate) warnings: Vec<String>,
}

/// Answers POST and PUT.
pub(crate) async fn put(inner: &Inner, asked: &ApiRequest, make: fn(Decoded) -> Change) -> Result<Response, ApiError> {
    let body = decode(&asked.body, &asked.content_type)?;
    respond_to(inner, asked, make(body)).await
}

/// Answers PATCH.
pub(crate) async fn patch(inner: &Inner, request: &ApiRequest) -> Result<Response, ApiError> {
    let media = request.content_type.split(';').next().unwrap_or_default().trim();
    let kind = match media {
        "application/json-patch+json" => PatchKind::Json,
        "application/merge-patch+json" => PatchKind::Merge,
        "application/strategic-merge-patch+json" if request.resource.is_builtin() => PatchKind::Strategic,
        "application/apply-patch+yaml" => PatchKind::Apply,
        _ => {
            let strategic = if request.resource.is_builtin() { "application/strategic-merge-patch+json, " } else { "" };
            return Err(ApiError::unsupported_media_type(format!(
                "the body of the request was in an unknown format - accepted media types include: \
                 application/json-patch+json, application/merge-patch+json, {strategic}application/apply-patch+yaml"
            )));
        }
    };
    if kind == PatchKind::Apply && request.query.get("fieldManager").is_none() {
        let error = FieldError::required("fieldManager", "is required for apply patch");
        return Err(ApiError::invalid_options("PatchOptions", &[error]));
    }
    if kind != PatchKind::Apply && request.query.get("force").is_some() {
        let error = FieldError::forbidden("force", "may not be specified for non-apply patch");
        return Err(ApiError::invalid_options("PatchOptions", &[error]));
    }
    let body = decode(&request.body, media)?;
    respond_to(inner, request, Change::Patch(kind, body)).await
}

async fn respond_to(inner: &Inner, request: &ApiRequest, change: Change) -> Result<Response, ApiError> {
    let kind = match change {
        Change::Create(_) => "CreateOptions",
        Change::Replace(_) => "UpdateOptions",
        Change::Patch(..) => "PatchOptions",
    };
    check_options(request, kind)?;
    let write_request = WriteRequest {
        resource: &request.resource,
        namespace: &request.namespace,
        name: request.name.as_deref(),
        subresource: request.subresource,
        change,
        dry_run: request.is_dry_run(),
        manager: request.manager(),
        conflicts: if request.query.is_true("force") { Conflicts::TakeOver } else { Conflicts::Refuse },
        validation: match request.query.get("fieldValidation") {
            Some("Strict") => FieldValidation::Strict,
            Some("Ignore") => FieldValidation::Ignore,
            _ => FieldValidation::Warn,
        },
        admit: Admit::Ask,
    };
    let Written { object, created, warnings } = write(inner, &write_request).await?;
    let response = respond::object(inner, request, if created { 201 } else { 200 }, &object)?;
    Ok(respond::with_warnings(response, &warnings))
}

/// Refuses values of query parameters that mean nothing.
pub(crate) fn check_options(request: &ApiRequest, kind: &str) -> Result<(), ApiError> {
    let known: [(&str, &[&str]); 2] = [("dryRun", &["All"]), ("fieldValidation", &["", "Ignore", "Strict", "Warn"])];
    for (key, values) in known {
        if let Some(value) = request.query.get(key).filter(|v| !values.contains(v)) {
            // A list of values in one case, one value in the other: upstream shows each in its own way.
            let shown = if key == "dryRun" { json!([value]) } else { json!(value) };
            return Err(ApiError::invalid_options(kind, &[FieldError::unsupported(key, &shown, values)]));
        }
    }
    Ok(())
}

/// # Errors
/// Every refusal of the API: 400, 403, 404, 409, 415, 422, or 500 when the database fails.
pub(crate) async fn write(inner: &Inner, request: &WriteRequest<'_>) -> Result<Written, ApiError> {
    if !matches!(request.change, Change::Patch(PatchKind::Json, _)) && !body(&request.change).value.is_object() {
        return Err(ApiError::bad_request("the body of the request must be an object"));
    }
    let name = object_name(inner, request)?;
    check_identity(request, &name)?;
    for _ in 0..ATTEMPTS_MAX {
        if let Some(written) = attempt(inner, request, &name).await? {
            return Ok(written);
        }
    }
    Err(ApiError::outrun(request.resource, &name, ATTEMPTS_MAX))
}

/// One try; `None` when the object changed between reading and writing.
async fn attempt(inner: &Inner, request: &WriteRequest<'_>, name: &str) -> Result<Option<Written>, ApiError> {
    let resource = &**request.resource;
    let key = Key::new(&resource.store, request.namespace, name);
    let is_create = matches!(request.change, Change::Create(_));
    let creates = is_create || matches!(request.change, Change::Patch(PatchKind::Apply, _));
    // What is wrong with a new object is told before that its name is taken.
    let found = inner.store.cache.get(&key);
    let (current, taken) = if is_create { (None, found.is_some()) } else { (found, false) };
    if creates && current.is_none() && resource.namespaced {
        namespace::require_usable(inner, resource, request.namespace, name)?;
    }
    let mut old = current.as_ref().map(|c| c.value()).transpose().map_err(|e| ApiError::internal(&e))?;
    let now = inner.now_text();
    let api_version = if resource.is_builtin() { resource.stored_as.clone() } else { resource.api_version() };
    let manager = Manager {
        name: &request.manager,
        subresource: match request.subresource {
            Subresource::Main => "",
            Subresource::Status => "status",
            Subresource::Finalize => "finalize",
        },
        api_version: &api_version,
        now: &now,
    };
    let mut findings = Findings::default();
    let desired = desired(request, name, old.as_ref(), &manager, &mut findings)?;
    let mut warnings = findings.judge(request)?;
    if let Some(current) = &current {
        check_preconditions(request, name, current, &desired)?;
    }
    let is_apply = matches!(request.change, Change::Patch(PatchKind::Apply, _));
    let context = Context {
        resource,
        namespace: request.namespace,
        name,
        subresource: request.subresource,
        manager,
        ownership: if is_apply { Ownership::Said } else { Ownership::Track },
        uid: (inner.config.uids)().to_string(),
    };
    let (object, more) = prepare(&context, &mut old, desired)?;
    if taken {
        return Err(ApiError::already_exists(resource, name));
    }
    warnings.extend(more);
    warnings.extend(admit(inner, request, name, &object, old.as_ref()).await?);
    let created = current.is_none();
    let written = |object| Ok(Some(Written { object, created, warnings }));
    let unstored = |object: &Value| Arc::new(Stored::from_value(0, ObjectName::new(request.namespace, name), object));
    if request.dry_run {
        return written(unstored(&object));
    }
    if let (Some(current), true) = (&current, old.as_ref() == Some(&object)) {
        return written(current.clone());
    }
    let deleting = object["metadata"].get("deletionTimestamp").is_some();
    let finished = deleting && !has_finalizers(&object) && !resource.is_namespace();
    // The last finalizer was taken away: the answer is the object without it, as it would have been.
    let (action, last) = if finished { (Action::Delete, Some(unstored(&object))) } else { (Action::Put(object), None) };
    let expect = current.as_ref().map_or(Expect::Absent, |c| Expect::Version(c.version));
    match inner.store.commit(key, expect, action).await {
        Ok(stored) => {
            inner.after_write(resource, &stored, finished).await?;
            written(last.unwrap_or(stored))
        }
        Err(CommitError::Stale) => Ok(None),
        Err(e) => Err(ApiError::uncommitted(&e)),
    }
}

impl Inner {
    /// What follows from a write: CRDs change what is served, new namespaces are furnished, deletions wake collection.
    async fn after_write(&self, resource: &Resource, stored: &Stored, finished: bool) -> Result<(), ApiError> {
        if resource.is_crd() {
            self.refresh_registry();
        }
        if finished || stored.deleting || !stored.owners.is_empty() {
            self.swept.notify_one();
        }
        if resource.is_namespace() && !stored.deleting {
            // Boxed: furnishing writes objects of its own.
            Box::pin(namespace::furnish(self, &stored.name.name)).await?;
        }
        Ok(())
    }
}

fn object_name(inner: &Inner, request: &WriteRequest<'_>) -> Result<String, ApiError> {
    if let Some(name) = request.name {
        return Ok(name.to_owned());
    }
    let value = &body(&request.change).value;
    match (meta_str(value, "name"), meta_str(value, "generateName")) {
        ("", "") => {
            let error = FieldError::required("metadata.name", "name or generateName is required");
            let unchecked = request.resource.rules().map(|_| FieldError::unchecked());
            let errors: Vec<FieldError> = std::iter::once(error).chain(unchecked).collect();
            Err(ApiError::invalid(request.resource, "", &errors))
        }
        ("", prefix) => {
            let uid = (inner.config.uids)();
            let letters = uid.as_bytes().iter().take(SUFFIX_LENGTH);
            let suffix = letters.map(|b| char::from(SUFFIX_LETTERS[usize::from(*b) % SUFFIX_LETTERS.len()]));
            Ok(format!("{prefix}{}", suffix.collect::<String>()))
        }
        (name, _) => Ok(name.to_owned()),
    }
}

fn check_preconditions(
    request: &WriteRequest<'_>,
    name: &str,
    current: &Stored,
    desired: &Value,
) -> Result<(), ApiError> {
    let resource = request.resource;
    let version = meta_str(desired, "resourceVersion");
    if version.is_empty() && matches!(request.change, Change::Replace(_)) && !resource.is_builtin() {
        let error = FieldError::invalid("metadata.resourceVersion", &json!(0), "must be specified for an update");
        return Err(ApiError::invalid_as(&resource.qualified(), name, &[error]));
    }
    if !version.is_empty() && version != current.version.to_string() {
        return Err(ApiError::modified(resource, name));
    }
    let uid = meta_str(desired, "uid");
    if !uid.is_empty() && *uid != *current.uid {
        if !matches!(request.change, Change::Replace(_)) {
            let error = FieldError::invalid("metadata.uid", &json!(uid), "field is immutable");
            return Err(ApiError::invalid(resource, name, &twice(error)));
        }
        let why = format!("Precondition failed: UID in precondition: {uid}, UID in object meta: {}", current.uid);
        return Err(ApiError::conflict(resource, name, why));
    }
    Ok(())
}

async fn admit(
    inner: &Inner,
    request: &WriteRequest<'_>,
    name: &str,
    object: &Value,
    old: Option<&Value>,
) -> Result<Vec<String>, ApiError> {
    let deleting = object["metadata"].get("deletionTimestamp").is_some();
    if request.admit == Admit::Skip || request.subresource != Subresource::Main || deleting {
        return Ok(Vec::new());
    }
    let resource = request.resource;
    let asked = AdmissionRequest {
        operation: if old.is_some() { Operation::Update } else { Operation::Create },
        group: &resource.group,
        version: &resource.version,
        kind: &resource.kind,
        plural: &resource.plural,
        namespace: request.namespace,
        name,
        object,
        old,
        dry_run: request.dry_run,
        field_manager: &request.manager,
    };
    inner.config.admission.admit(&asked).await.map_err(|denial| denied(resource, name, denial))
}

fn denied(resource: &Resource, name: &str, denial: Denial) -> ApiError {
    let Denial { code, message, causes } = denial;
    let reason = match code {
        400 => "BadRequest",
        409 => "Conflict",
        422 => "Invalid",
        500.. => "InternalError",
        _ => "Forbidden",
    };
    ApiError::new(code, reason, message)
        .with(json!({"name": name, "group": resource.group, "kind": resource.kind, "causes": causes}))
}
