//! Building responses.

use axum::body::Body;
use bytes::Bytes;
use http::{HeaderValue, StatusCode, header};
use serde_json::{Value, json};

use crate::object::Stored;
use crate::plane::{Inner, to_bytes};
use crate::registry::Resource;
use crate::request::{ApiRequest, Shape};
use crate::status::ApiError;
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
    match to_bytes(value) {
        Ok(body) => bytes(code, "application/json", body),
        Err(e) => bytes(e.code, "text/plain", e.message),
    }
}

pub(crate) fn error(error: &ApiError) -> Response {
    if error.reason.is_empty() {
        return bytes(error.code, "text/plain; charset=utf-8", error.message.clone());
    }
    json(error.code, &error.to_value())
}

/// `Success`, for deletions.
pub(crate) fn success(mut details: Value) -> Response {
    if let Value::Object(map) = &mut details {
        map.retain(|_, value| *value != "");
    }
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
    if view::applies_to(resource) { to_bytes(&shown_value(resource, object)?) } else { Ok(object.bytes.clone()) }
}

pub(crate) fn shown_value(resource: &Resource, object: &Stored) -> Result<Value, ApiError> {
    let value = object.value().map_err(|e| ApiError::internal(&e))?;
    Ok(view::to_shown(resource, value))
}

/// One stored object in the shape that was asked for.
pub(crate) fn object(inner: &Inner, request: &ApiRequest, code: u16, object: &Stored) -> Result<Response, ApiError> {
    if request.shape == Shape::Plain {
        return Ok(bytes(code, "application/json", shown_bytes(&request.resource, object)?));
    }
    value(inner, request, code, object.value().map_err(|e| ApiError::internal(&e))?)
}

/// One object in its stored form, in the shape that was asked for.
pub(crate) fn value(inner: &Inner, request: &ApiRequest, code: u16, value: Value) -> Result<Response, ApiError> {
    let resource = &*request.resource;
    Ok(match request.shape {
        Shape::Plain => json(code, &view::to_shown(resource, value)),
        Shape::Partial => json(code, &table::partial(&value)),
        Shape::Table => {
            let include = Include::parse(request.query.get("includeObject"));
            let metadata = json!({"resourceVersion": value["metadata"]["resourceVersion"]});
            let row = table::row(resource, &value, include, inner.now());
            json(code, &table::table(metadata, table::column_definitions(resource), vec![row]))
        }
    })
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
