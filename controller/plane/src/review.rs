//! "May I?" and "Who am I?": there is no RBAC on loopback, and the answers say so.

use bytes::Bytes;
use serde_json::{Value, json};

use crate::decode::decode;
use crate::respond::{self, Response};
use crate::status::ApiError;

const USER: &str = "local";

/// What a review finds; `None` where this is none.
fn finding(group: &str, plural: &str) -> Option<Value> {
    let reason = "the embedded plane serves its own user on loopback and has no RBAC";
    match (group, plural) {
        ("authorization.k8s.io", "selfsubjectaccessreviews") => Some(json!({"allowed": true, "reason": reason})),
        ("authorization.k8s.io", "selfsubjectrulesreviews") => Some(json!({
            "incomplete": false, "nonResourceRules": [],
            "resourceRules": [{"verbs": ["*"], "apiGroups": ["*"], "resources": ["*"]}],
        })),
        ("authentication.k8s.io", "selfsubjectreviews") => {
            Some(json!({"userInfo": {"username": USER, "groups": ["system:masters"]}}))
        }
        _ => None,
    }
}

/// Whether a plural is one of the reviews that are answered.
pub(crate) fn is_review(group: &str, plural: &str) -> bool {
    finding(group, plural).is_some()
}

/// Answers POST of a review.
pub(crate) fn answer(group: &str, plural: &str, body: &Bytes, content_type: &str) -> Result<Response, ApiError> {
    let mut review = decode(body, content_type)?.value;
    if !review.is_object() {
        return Err(ApiError::bad_request("the body of the request must be an object"));
    }
    review["status"] = finding(group, plural).into();
    Ok(respond::json(201, &review))
}
