//! What a process shows at `/metrics`, whatever it does: how it is called there, what was built, and how it is written.

use axum::response::{IntoResponse, Response};
use http::{HeaderValue, StatusCode, header::CONTENT_TYPE};
use prometheus_client::{encoding::text::encode, metrics::info::Info, registry::Registry};

/// The media type of OpenMetrics.
const OPEN_METRICS: HeaderValue =
    HeaderValue::from_static("application/openmetrics-text; version=1.0.0; charset=utf-8");

/// An empty registry of ours.
pub fn registry() -> Registry {
    Registry::with_prefix("fanfare")
}

/// Has a registry show what was built.
pub fn build(registry: &mut Registry) {
    let labels = vec![("version", env!("CARGO_PKG_VERSION"))];
    registry.register("build", "What was built", Info::new(labels));
}

/// All figures as an answer.
pub fn answer(registry: &Registry) -> Response {
    let mut text = String::new();
    match encode(&mut text, registry) {
        Ok(()) => ([(CONTENT_TYPE, OPEN_METRICS)], text).into_response(),
        Err(error) => {
            tracing::error!(%error, "the metrics cannot be written");
            StatusCode::INTERNAL_SERVER_ERROR.into_response()
        }
    }
}
