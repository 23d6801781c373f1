//! "May I?" and "Who am I?": there is no RBAC on loopback, and the answers say so.

use bytes::Bytes;
use serde_json::{Value, json};

use crate::decode::decode;
use crate::respond::{self, Response};
use crate::status::ApiError;

const USER: &str = "local";

/// Whether a plural is one of the reviews that are answered.
pub(crate) fn is_review(group: &str, plural: &str) -> bool {
    match group {
        "authorization.k8s.io" => matches!(plural, "selfsubjectaccessreviews" | "selfsubjectrulesreviews"),
        "authentication.k8s.io" => plural == "selfsubjectreviews",
        _ => false,
    }
}

/// Answers POST of a review.
pub(crate) fn answer(plural: &str, body: &Bytes, content_type: &str) -> Result<Response, ApiError> {
    let mut review = decode(body, content_type)?.value;
    if !review.is_object() {
        return Err(ApiError::bad_request("the body of the request must be an object"));
    }
    review["status"] = status(plural);
    Ok(respond::json(201, &review))
}

fn status(plural: &str) -> Value {
    let reason = "the embedded plane serves its own user on loopback and has no RBAC";
    match plural {
        "selfsubjectaccessreviews" => json!({"allowed": true, "reason": reason}),
        "selfsubjectreviews" => json!({"userInfo": {"username": USER, "groups": ["system:masters"]}}),
        _ => json!({
            "incomplete": false, "nonResourceRules": [],
            "resourceRules": [{"verbs": ["*"], "apiGroups": ["*"], "resources": ["*"]}],
        }),
    }
}
