//! `metav1.Status`: every refusal of the plane, in the words and reason codes that Kubernetes clients act on.
//!
//! Must not decide anything: the other modules pick the constructor, this one only words it.

use serde_json::{Value, json};

use crate::registry::Resource;
use crate::storage::CommitError;

/// A refusal with its HTTP code and `metav1.Status` reason.
#[derive(Debug, Clone)]
pub(crate) struct ApiError {
    pub(crate) code: u16,
    pub(crate) reason: &'static str,
    pub(crate) message: String,
    pub(crate) details: Value,
    /// Where a list that was refused may be gone on with.
    pub(crate) next: Option<String>,
}

/// One field of an object that is refused: the `causes` entry of a 422.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct FieldError {
    pub(crate) reason: &'static str,
    /// Path from the object's root, such as `spec.steps[0].name`; empty for the root.
    pub(crate) field: String,
    /// Begins with the class of error as Kubernetes words it, such as `Required value`.
    pub(crate) message: String,
    /// Found by comparing with what was before, so that it is no excuse that nothing changed.
    pub(crate) is_of_change: bool,
}

impl FieldError {
    pub(crate) fn new(reason: &'static str, field: impl Into<String>, message: impl Into<String>) -> Self {
        Self { reason, field: field.into(), message: message.into(), is_of_change: false }
    }

    pub(crate) fn invalid(field: impl Into<String>, value: &Value, why: impl std::fmt::Display) -> Self {
        Self::new("FieldValueInvalid", field, format!("Invalid value: {value}: {why}"))
    }

    pub(crate) fn required(field: impl Into<String>, why: &str) -> Self {
        let message = if why.is_empty() { "Required value".to_owned() } else { format!("Required value: {why}") };
        Self::new("FieldValueRequired", field, message)
    }

    /// `value` is none of the `supported` ones.
    pub(crate) fn unsupported(field: impl Into<String>, value: &Value, supported: &[&str]) -> Self {
        let supported: Vec<String> = supported.iter().map(|s| format!("\"{s}\"")).collect();
        let message = format!("Unsupported value: {value}: supported values: {}", supported.join(", "));
        Self::new("FieldValueNotSupported", field, message)
    }

    pub(crate) fn too_long(field: impl Into<String>, max: u64) -> Self {
        let unit = if max == 1 { "byte" } else { "bytes" };
        Self::new("FieldValueTooLong", field, format!("Too long: may not be more than {max} {unit}"))
    }

    pub(crate) fn too_many(field: impl Into<String>, count: u64, max: u64) -> Self {
        let unit = if max == 1 { "item" } else { "items" };
        Self::new("FieldValueTooMany", field, format!("Too many: {count}: must have at most {max} {unit}"))
    }

    /// Says that rules were not tried.
    pub(crate) fn unchecked() -> Self {
        let why = "Invalid value: null: some validation rules were not checked because the object was invalid; \
                   correct the existing errors to complete validation";
        Self::new("FieldValueInvalid", "", why)
    }

    /// Whether rules are not tried on an object with this error.
    pub(crate) fn blocks_rules(&self) -> bool {
        let blocking = ["NotSupported", "Required", "TooLong", "TooMany", "TypeInvalid"];
        self.reason.strip_prefix("FieldValue").is_some_and(|r| blocking.contains(&r))
    }

    pub(crate) fn forbidden(field: impl Into<String>, why: &str) -> Self {
        Self::new("FieldValueForbidden", field, format!("Forbidden: {why}"))
    }
}

impl ApiError {
    pub(crate) fn new(code: u16, reason: &'static str, message: impl Into<String>) -> Self {
        Self { code, reason, message: message.into(), details: json!({}), next: None }
    }

    pub(crate) fn with(self, details: Value) -> Self {
        Self { details, ..self }
    }

    pub(crate) fn bad_request(message: impl Into<String>) -> Self {
        Self::new(400, "BadRequest", message)
    }

    /// The client reads nothing that is served here.
    pub(crate) fn not_acceptable() -> Self {
        let why = "only the following media types are accepted: application/json, application/yaml, \
                   application/vnd.kubernetes.protobuf";
        Self::new(406, "NotAcceptable", why)
    }

    /// The path names no resource that is served.
    pub(crate) fn no_such_path() -> Self {
        Self::new(404, "", "404 page not found\n")
    }

    pub(crate) fn not_found(resource: &Resource, name: &str) -> Self {
        let message = format!("{} \"{name}\" not found", resource.qualified());
        Self::new(404, "NotFound", message).about(resource, name)
    }

    pub(crate) fn already_exists(resource: &Resource, name: &str) -> Self {
        let message = format!("{} \"{name}\" already exists", resource.qualified());
        Self::new(409, "AlreadyExists", message).about(resource, name)
    }

    /// The caller's resourceVersion is not the stored one.
    pub(crate) fn modified(resource: &Resource, name: &str) -> Self {
        let why = "the object has been modified; please apply your changes to the latest version and try again";
        Self::conflict(resource, name, why)
    }

    /// After so many attempts at a write, each lost to another one.
    pub(crate) fn outrun(resource: &Resource, name: &str, attempts: usize) -> Self {
        Self::conflict(resource, name, format!("others changed it {attempts} times meanwhile; try again"))
    }

    pub(crate) fn conflict(resource: &Resource, name: &str, why: impl std::fmt::Display) -> Self {
        let message = format!("Operation cannot be fulfilled on {} \"{name}\": {why}", resource.qualified());
        Self::new(409, "Conflict", message).about(resource, name)
    }

    pub(crate) fn invalid(resource: &Resource, name: &str, errors: &[FieldError]) -> Self {
        Self::invalid_as(&resource.qualified_kind(), name, errors)
    }

    /// A query parameter or body of options, such as `PatchOptions`, that is refused.
    pub(crate) fn invalid_options(kind: &str, errors: &[FieldError]) -> Self {
        Self::invalid_as(&format!("{kind}.meta.k8s.io"), "", errors)
    }

    /// Refuses under a kind and group such as `Campaign.fanfare.dev`.
    pub(crate) fn invalid_as(qualified: &str, name: &str, errors: &[FieldError]) -> Self {
        let field = |e: &FieldError| if e.field.is_empty() { "<nil>".to_owned() } else { e.field.clone() };
        // Said once in the text, however many causes say it.
        let mut texts: Vec<String> = Vec::new();
        for text in errors.iter().map(|e| format!("{}: {}", field(e), e.message)) {
            if !texts.contains(&text) {
                texts.push(text);
            }
        }
        let all = if let [one] = &texts[..] { one.clone() } else { format!("[{}]", texts.join(", ")) };
        let cause = |e: &FieldError| json!({"reason": e.reason, "message": e.message, "field": field(e)});
        let causes: Vec<Value> = errors.iter().map(cause).collect();
        let (kind, group) = qualified.split_once('.').unwrap_or((qualified, ""));
        Self::new(422, "Invalid", format!("{qualified} \"{name}\" is invalid: {all}"))
            .with(json!({"name": name, "group": group, "kind": kind, "causes": causes}))
    }

    /// What a deletion requires of the object does not hold.
    pub(crate) fn failed_precondition(resource: &Resource, name: &str, why: &str) -> Self {
        let kind = resource.qualified_kind();
        Self::new(409, "Conflict", format!("Operation cannot be fulfilled on {kind} \"{name}\": {why}"))
            .with(json!({"name": name, "group": resource.group, "kind": resource.kind}))
    }

    /// The watch or list asks for history that is no longer kept.
    pub(crate) fn expired(message: impl Into<String>) -> Self {
        Self::new(410, "Expired", message)
    }

    pub(crate) fn unsupported_media_type(message: impl Into<String>) -> Self {
        Self::new(415, "UnsupportedMediaType", message)
    }

    /// For people it says nothing of the inside; the cause goes to the log.
    pub(crate) fn internal(cause: &dyn std::fmt::Display) -> Self {
        tracing::error!(%cause, "the plane could not serve a request");
        Self::new(500, "InternalError", "Internal error occurred: see the log of the embedded plane")
    }

    /// A write that was not committed for a reason that is not the client's.
    pub(crate) fn uncommitted(error: &CommitError) -> Self {
        match error {
            CommitError::Stopped => Self::new(503, "ServiceUnavailable", "the embedded plane is stopping"),
            other => Self::internal(other),
        }
    }

    pub(crate) fn about(self, resource: &Resource, name: &str) -> Self {
        self.with(json!({"name": name, "group": resource.group, "kind": resource.plural}))
    }

    pub(crate) fn to_value(&self) -> Value {
        let details = without_empty(self.details.clone());
        let mut status = json!({
            "kind": "Status", "apiVersion": "v1", "metadata": {}, "status": "Failure",
            "message": self.message, "reason": self.reason, "code": self.code,
        });
        if details != json!({}) {
            status["details"] = details;
        }
        if let Some(next) = &self.next {
            status["metadata"]["continue"] = json!(next);
        }
        status
    }
}

/// Details as clients are told them.
pub(crate) fn without_empty(mut details: Value) -> Value {
    details.as_object_mut().into_iter().for_each(|map| map.retain(|_, value| *value != ""));
    details
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_field_error_is_worded_as_a_real_api_server_words_it() {
        let widget = Resource::for_test("fanfare.dev", "Campaign", "campaigns");
        let e = ApiError::invalid(&widget, "x", &[FieldError::required("spec.foo", "")]);
        assert_eq!(e.message, "Campaign.fanfare.dev \"x\" is invalid: spec.foo: Required value");
        assert_eq!(e.details["causes"][0]["field"], "spec.foo");
    }

    #[test]
    fn several_field_errors_stand_in_brackets() {
        let widget = Resource::for_test("fanfare.dev", "Campaign", "campaigns");
        let errors = [FieldError::required("spec.a", ""), FieldError::forbidden("spec.b", "no")];
        let e = ApiError::invalid(&widget, "x", &errors);
        assert!(e.message.ends_with("is invalid: [spec.a: Required value, spec.b: Forbidden: no]"), "{}", e.message);
    }
}
