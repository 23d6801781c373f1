//! Ways to change a part of an object beside JSON merge patch: JSON patch, strategic merge patch and server-side apply; and the record of who owns which field.
//!
//! Everything here is a function of values: no store, no clock.

pub(crate) mod apply;
pub(crate) mod field_set;
pub(crate) mod managers;
mod strategic;

use serde_json::Value;

pub(crate) use strategic::strategic_merge;

use crate::status::ApiError;

/// Operations in one JSON patch, as upstream bounds it.
const JSON_PATCH_OPERATIONS_MAX: usize = 10_000;

/// RFC 6902.
///
/// # Errors
/// 400 when `patch` is no JSON patch, 413 when it is too long, 422 when it does not fit the object.
pub(crate) fn json(target: &mut Value, patch: Value) -> Result<(), ApiError> {
    if patch.as_array().is_some_and(|a| a.len() > JSON_PATCH_OPERATIONS_MAX) {
        let why = format!("the allowed maximum operations in a JSON patch is {JSON_PATCH_OPERATIONS_MAX}");
        return Err(ApiError::new(413, "RequestEntityTooLarge", why));
    }
    let rejected = |e: &dyn std::fmt::Display| {
        let why = format!("the server rejected our request due to an error in our request: {e}");
        ApiError::new(422, "Invalid", why)
    };
    let is_list = patch.is_array();
    let patch: json_patch::Patch = serde_json::from_value(patch).map_err(|e| match is_list {
        true => rejected(&e),
        false => ApiError::bad_request(format!("error decoding patch: {e}")),
    })?;
    json_patch::patch(target, &patch).map_err(|e| rejected(&e))
}
