//! `/healthz`, `/readyz`, `/metrics`, `/openapi.json`: for whoever runs it or writes a client.

use crate::{
    app::App,
    output::{Answer, bytes_of, ok, repeatable_bytes},
    problem::Problem,
};
use axum::extract::State;
use bytes::Bytes;
use fanfare_engine::memory::HEARD_WITHIN_MS;
use http::{HeaderMap, HeaderValue, StatusCode};
use serde::Serialize;
use std::{sync::LazyLock, time::Duration};
use utoipa::ToSchema;

/// The media type of OpenMetrics.
const OPEN_METRICS: HeaderValue =
    HeaderValue::from_static("application/openmetrics-text; version=1.0.0; charset=utf-8");

/// It is well.
#[derive(Serialize, ToSchema)]
pub(crate) struct Health {
    /// `ok`.
    status: &'static str,
}

/// Whether the process answers at all.
#[utoipa::path(get, path = "/healthz", operation_id = "healthz", tag = "operations", responses((status = 200, body = Health)))]
pub(crate) async fn healthz() -> Answer {
    ok(&Health { status: "ok" })
}

/// Whether calls can be served; the answer says what is missing.
#[utoipa::path(
    get, path = "/readyz", operation_id = "readyz", tag = "operations",
    responses((status = 200, body = Health), (status = 503, description = "Not now; the detail says what is missing"))
)]
pub(crate) async fn readyz(State(app): State<App>) -> Answer {
    app.engine().store().ping().await.map_err(|error| app.store_fault(&error))?;
    if app.engine().silent_for() > Duration::from_millis(HEARD_WITHIN_MS) {
        return Err(Problem::overloaded("this replica does not hear what the others write; what it shows may be old"));
    }
    app.runtime()?;
    ok(&Health { status: "ok" })
}

/// What is measured, as OpenMetrics text.
#[utoipa::path(
    get, path = "/metrics", operation_id = "metrics", tag = "operations",
    responses((status = 200, body = String, content_type = "application/openmetrics-text"))
)]
pub(crate) async fn metrics(State(app): State<App>) -> Answer {
    let text = app.metrics().text().map_err(|error| Problem::internal(&error))?;
    Ok(bytes_of(StatusCode::OK, OPEN_METRICS, text.into()))
}

/// The document is made of the router's own descriptions, once.
static DOCUMENT: LazyLock<Bytes> = LazyLock::new(|| crate::openapi_json().into());

/// This description, OpenAPI 3.1.
#[utoipa::path(
    get, path = "/openapi.json", operation_id = "getOpenApi", tag = "operations",
    responses((status = 200, body = Object), (status = 304, description = "It is as it was"))
)]
pub(crate) async fn get_open_api(headers: HeaderMap) -> Answer {
    Ok(repeatable_bytes(&headers, DOCUMENT.clone()))
}
