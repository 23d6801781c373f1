//! Building responses.

use axum::body::Body;
use bytes::Bytes;
use http::{HeaderValue, StatusCode, header};
use serde_json::{Value, json};

use crate::field_path::FieldPath;
use crate::object::{Stored, to_bytes};
use crate::plane::Inner;
use crate::registry::Resource;
use crate::request::{ApiRequest, Shape};
use crate::schema::{apply_defaults, prune};
use crate::status::{ApiError, without_empty};
use crate::table::{self, Include};
use crate::view;

pub(crate) type Response = http::Response<Body>;

/// Warnings in one response, as upstream bounds them in spirit: the rest says nothing new.
const WARNINGS_MAX: usize = 50;

pub(crate) fn bytes(code: u16, content_type: &str, body: impl Into<Body>) -> Response {
    let mut response = Response::new(body.into());
    *response.status_mut() = StatusCode::from_u16(code).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    if let Ok(value) = HeaderValue::from_str(content_type) {
        response.headers_mut().insert(header::CONTENT_TYPE, value);
    }
    response
}

pub(crate) fn json(code: u16, value: &Value) -> Response {
    bytes(code, "application/json", to_bytes(value))
}

pub(crate) fn error(error: &ApiError) -> Response {
    if error.reason.is_empty() {
        return bytes(error.code, "text/plain; charset=utf-8", error.message.clone());
    }
    json(error.code, &error.to_value())
}

/// `Success`, for deletions.
pub(crate) fn success(details: Value) -> Response {
    let details = without_empty(details);
    json(200, &json!({"kind": "Status", "apiVersion": "v1", "metadata": {}, "status": "Success", "details": details}))
}

pub(crate) fn with_warnings(mut response: Response, warnings: &[String]) -> Response {
    for warning in warnings.iter().take(WARNINGS_MAX) {
        let escaped = warning.replace('\\', "\\\\").replace('"', "\\\"").replace(['\n', '\r'], " ");
        if let Ok(value) = HeaderValue::from_bytes(format!("299 - \"{escaped}\"").as_bytes()) {
            response.headers_mut().append(header::WARNING, value);
        }
    }
    response
}

/// The bytes of an object in the form its resource shows.
pub(crate) fn shown_bytes(resource: &Resource, object: &Stored) -> Result<Bytes, ApiError> {
    let as_stored = !view::applies_to(resource) && !resource.changed_after(object);
    Ok(if as_stored { object.bytes.clone() } else { to_bytes(&shown_value(resource, object)?) })
}

pub(crate) fn shown_value(resource: &Resource, object: &Stored) -> Result<Value, ApiError> {
    let mut value = object.value().map_err(|e| ApiError::internal(&e))?;
    if resource.changed_after(object) {
        prune(&mut value, resource.schema(), &FieldPath::Root, &mut Vec::new());
        apply_defaults(&mut value, resource.schema());
    }
    Ok(view::to_shown(resource, value))
}

/// One stored object in the shape that was asked for.
pub(crate) fn object(inner: &Inner, request: &ApiRequest, code: u16, object: &Stored) -> Result<Response, ApiError> {
    if request.shape == Shape::Plain {
        return Ok(bytes(code, "application/json", shown_bytes(&request.resource, object)?));
    }
    let value = shown_value(&request.resource, object)?;
    if request.shape == Shape::Partial {
        return Ok(json(code, &table::partial(&value)));
    }
    let include = Include::parse(request.query.get("includeObject"));
    let metadata = json!({"resourceVersion": value["metadata"]["resourceVersion"]});
    let row = table::row(&request.resource, &value, include, inner.now());
    Ok(json(code, &table::table(metadata, table::column_definitions(&request.resource), vec![row])))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_warning_is_one_quoted_line() {
        let response = with_warnings(json(200, &json!({})), &["a \"b\"\nc".into()]);
        assert_eq!(response.headers()[header::WARNING], "299 - \"a \\\"b\\\" c\"");
    }
}
