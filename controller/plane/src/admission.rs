//! The caller's say on what may be stored: asked for every create and update of a main resource, never for `status`.

use futures::future::BoxFuture;
use serde::Serialize;
use serde_json::Value;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Operation {
    Create,
    Update,
}

/// What is about to be stored: pruned, defaulted and valid by its schema and CEL rules.
#[derive(Debug)]
pub struct AdmissionRequest<'a> {
    /// Create or update.
    pub operation: Operation,
    /// API group, empty for core.
    pub group: &'a str,
    /// API version within the group.
    pub version: &'a str,
    /// Kind of the object.
    pub kind: &'a str,
    /// Plural name of the resource.
    pub plural: &'a str,
    /// Empty for cluster-scoped resources.
    pub namespace: &'a str,
    /// Name of the object.
    pub name: &'a str,
    /// The whole object as it would be stored.
    pub object: &'a Value,
    /// What is stored now; `None` on create.
    pub old: Option<&'a Value>,
    /// Nothing will be stored.
    pub dry_run: bool,
    /// Who writes.
    pub field_manager: &'a str,
}

/// One field that is refused, for clients that show fields.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Cause {
    /// Such as `FieldValueInvalid`.
    pub reason: String,
    /// Path from the object's root, such as `spec.schedule.end`.
    pub field: String,
    /// What is wrong and what to do.
    pub message: String,
}

/// A refusal, worded for the author of the object.
#[derive(Debug, Clone, PartialEq)]
pub struct Denial {
    /// HTTP status: 403, or 422 when fields are named.
    pub code: u16,
    /// The whole refusal as one text.
    pub message: String,
    /// Field by field.
    pub causes: Vec<Cause>,
}

/// Decides after validation; asked again when a concurrent write made the first decision void.
///
/// It is not asked about objects that are being deleted: no rule may hold up a finalizer.
pub trait Admission: Send + Sync + 'static {
    /// Warnings that the client shows to its user.
    ///
    /// # Errors
    /// The refusal; nothing is stored then.
    fn admit<'a>(&'a self, request: &'a AdmissionRequest<'a>) -> BoxFuture<'a, Result<Vec<String>, Denial>>;
}

/// Lets everything through that its schema lets through.
#[derive(Debug, Clone, Copy, Default)]
pub struct AllowAll;

impl Admission for AllowAll {
    fn admit<'a>(&'a self, _: &'a AdmissionRequest<'a>) -> BoxFuture<'a, Result<Vec<String>, Denial>> {
        Box::pin(async { Ok(Vec::new()) })
    }
}
