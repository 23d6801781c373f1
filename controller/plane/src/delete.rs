//! Deletion: at once, or begun and finished by finalizers and garbage collection.

use std::sync::Arc;

use futures::{StreamExt, stream};
use serde_json::{Value, json};

use crate::decode::decode;
use crate::list;
use crate::namespace;
use crate::object::{Key, ObjectName, Stored, has_finalizers};
use crate::plane::Inner;
use crate::registry::Resource;
use crate::request::ApiRequest;
use crate::respond::{self, Response};
use crate::status::{ApiError, FieldError};
use crate::storage::{Action, CommitError, Expect};

/// Tries when others keep writing the object.
const ATTEMPTS_MAX: usize = 16;
/// Deletions of one collection that are under way together: enough to fill a commit.
const AT_ONCE_MAX: usize = 64;

pub(crate) const FOREGROUND: &str = "foregroundDeletion";
pub(crate) const ORPHAN: &str = "orphan";
/// Holds a CRD until its objects are gone.
pub(crate) const CRD_CLEANUP: &str = "customresourcecleanup.apiextensions.k8s.io";

/// What happens to objects that this one owns.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) enum Propagation {
    Background,
    Foreground,
    Orphan,
}

#[derive(Debug, Clone)]
pub(crate) struct DeleteOptions {
    pub(crate) propagation: Propagation,
    pub(crate) uid: Option<String>,
    pub(crate) version: Option<String>,
    pub(crate) dry_run: bool,
}

impl DeleteOptions {
    pub(crate) fn background() -> Self {
        Self { propagation: Propagation::Background, uid: None, version: None, dry_run: false }
    }

    fn of(request: &ApiRequest) -> Result<Self, ApiError> {
        let body =
            if request.body.is_empty() { json!({}) } else { decode(&request.body, &request.content_type)?.value };
        let text = |v: &Value| v.as_str().filter(|s| !s.is_empty()).map(str::to_owned);
        let policy = body["propagationPolicy"].as_str().filter(|p| !p.is_empty());
        let propagation = match policy.or_else(|| request.query.get("propagationPolicy")) {
            Some("Foreground") => Propagation::Foreground,
            Some("Orphan") => Propagation::Orphan,
            None if body["orphanDependents"] == true => Propagation::Orphan,
            Some("Background") | None => Propagation::Background,
            Some(other) => {
                let supported = ["Foreground", "Background", "Orphan", "nil"];
                let error = FieldError::unsupported("propagationPolicy", &json!(other), &supported);
                return Err(ApiError::invalid_options("DeleteOptions", &[error]));
            }
        };
        Ok(Self {
            propagation,
            uid: text(&body["preconditions"]["uid"]),
            version: text(&body["preconditions"]["resourceVersion"]),
            dry_run: request.is_dry_run() || body["dryRun"].as_array().is_some_and(|a| !a.is_empty()),
        })
    }
}

/// How a deletion went.
#[derive(Debug)]
pub(crate) enum Deleted {
    /// It would be, in a dry run.
    Gone(Arc<Stored>),
    /// Finalizers or contents remain.
    Begun(Arc<Stored>),
}

/// Answers DELETE of one object.
pub(crate) async fn delete_one(inner: &Inner, request: &ApiRequest, name: &str) -> Result<Response, ApiError> {
    let options = DeleteOptions::of(request)?;
    let resource = &request.resource;
    match delete(inner, resource, &request.namespace, name, &options).await? {
        Deleted::Gone(object) => Ok(respond::success(
            json!({"name": name, "group": resource.group, "kind": resource.plural, "uid": object.uid}),
        )),
        Deleted::Begun(object) => respond::object(inner, request, 200, &object),
    }
}

/// Answers DELETE of a collection.
pub(crate) async fn delete_collection(inner: &Inner, request: &ApiRequest) -> Result<Response, ApiError> {
    let options = DeleteOptions::of(request)?;
    let objects = list::select(inner, request)?;
    delete_many(inner, objects.iter().map(|o| (request.resource.clone(), o.name.clone())), &options).await?;
    list::respond_with(inner, request, objects, json!({"resourceVersion": inner.store.cache.version().to_string()}))
}

/// Deletes objects, many at once so that they share commits; the number that were still there.
///
/// # Errors
/// The first refusal; the others are deleted all the same.
pub(crate) async fn delete_many(
    inner: &Inner,
    objects: impl Iterator<Item = (Arc<Resource>, ObjectName)>,
    options: &DeleteOptions,
) -> Result<usize, ApiError> {
    let each: Vec<_> = objects
        .map(|(resource, name)| async move {
            match delete(inner, &resource, &name.namespace, &name.name, options).await {
                Ok(_) => Ok(1),
                // Somebody else deleted it first.
                Err(e) if e.code == 404 => Ok(0),
                Err(e) => Err(e),
            }
        })
        .collect();
    let results: Vec<Result<usize, ApiError>> = stream::iter(each).buffered(AT_ONCE_MAX).collect().await;
    results.into_iter().sum()
}

/// # Errors
/// 404, 409 for preconditions, 500 when the database fails.
pub(crate) async fn delete(
    inner: &Inner,
    resource: &Resource,
    namespace: &str,
    name: &str,
    options: &DeleteOptions,
) -> Result<Deleted, ApiError> {
    for _ in 0..ATTEMPTS_MAX {
        if let Some(deleted) = attempt(inner, resource, namespace, name, options).await? {
            return Ok(deleted);
        }
    }
    Err(ApiError::outrun(resource, name, ATTEMPTS_MAX))
}

/// One try; `None` when the object changed between reading and writing.
async fn attempt(
    inner: &Inner,
    resource: &Resource,
    namespace: &str,
    name: &str,
    options: &DeleteOptions,
) -> Result<Option<Deleted>, ApiError> {
    let current = inner.get(resource, namespace, name)?;
    check_preconditions(resource, name, &current, options)?;
    if resource.is_namespace() && namespace::FIRST.contains(&name) {
        let why = format!("namespaces \"{name}\" is forbidden: this namespace may not be deleted");
        return Err(ApiError::new(403, "Forbidden", why).about(resource, name));
    }
    if options.dry_run {
        return Ok(Some(Deleted::Gone(current)));
    }
    if current.deleting {
        inner.swept.notify_one();
        return Ok(Some(Deleted::Begun(current)));
    }
    let mut value = current.value().map_err(|e| ApiError::internal(&e))?;
    add_finalizer(resource, options.propagation, &mut value);
    let waits = has_finalizers(&value) || resource.is_namespace();
    let action = if waits {
        mark(resource, &mut value, &inner.now_text());
        Action::Put(value)
    } else {
        Action::Delete
    };
    let key = Key::new(&resource.store, namespace, name);
    match inner.store.commit(key, Expect::Version(current.version), action).await {
        Ok(stored) => {
            inner.swept.notify_one();
            Ok(Some(if waits { Deleted::Begun(stored) } else { Deleted::Gone(stored) }))
        }
        Err(CommitError::Stale) => Ok(None),
        Err(e) => Err(ApiError::uncommitted(&e)),
    }
}

fn add_finalizer(resource: &Resource, propagation: Propagation, value: &mut Value) {
    let finalizer = match (resource.is_crd(), propagation) {
        (true, _) => CRD_CLEANUP,
        (false, Propagation::Foreground) => FOREGROUND,
        (false, Propagation::Orphan) => ORPHAN,
        (false, Propagation::Background) => return,
    };
    match &mut value["metadata"]["finalizers"] {
        Value::Array(list) => list.push(json!(finalizer)),
        other => *other = json!([finalizer]),
    }
}

fn mark(resource: &Resource, value: &mut Value, now: &str) {
    let meta = &mut value["metadata"];
    meta["deletionTimestamp"] = json!(now);
    if let Some(generation) = meta["generation"].as_i64() {
        meta["generation"] = json!(generation + 1);
    }
    if resource.is_namespace() {
        value["status"]["phase"] = json!("Terminating");
    } else {
        meta["deletionGracePeriodSeconds"] = json!(0);
    }
    if resource.is_crd()
        && let Some(Value::Array(conditions)) = value.pointer_mut("/status/conditions")
    {
        let why = "CustomResourceDefinition marked for deletion; CustomResource deletion will begin soon";
        conditions.push(json!({"type": "Terminating", "status": "True", "lastTransitionTime": now,
            "reason": "InstanceDeletionPending", "message": why}));
    }
}

fn check_preconditions(
    resource: &Resource,
    name: &str,
    current: &Stored,
    options: &DeleteOptions,
) -> Result<(), ApiError> {
    let (uid, version) = (current.uid.to_string(), current.version.to_string());
    let checks = [
        ("UID", &options.uid, uid, "deleted and then recreated"),
        ("ResourceVersion", &options.version, version, "modified"),
    ];
    for (what, wanted, found, fate) in checks {
        if let Some(wanted) = wanted.as_ref().filter(|w| **w != found) {
            let why = format!(
                "the {what} in the precondition ({wanted}) does not match the {what} in record ({found}). \
                 The object might have been {fate}"
            );
            return Err(ApiError::failed_precondition(resource, name, &why));
        }
    }
    Ok(())
}
