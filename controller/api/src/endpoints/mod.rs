//! One file an endpoint: its request, its answer, its way to the engine and back. No rule is decided here.
//!
//! To add one: a file with a handler under `#[utoipa::path]`, a line in [`router`], a line in the golden table of
//! `tests/authorisation.golden`.

mod operations;

use crate::app::App;
use utoipa_axum::{router::OpenApiRouter, routes};

/// Every endpoint with its description.
pub(crate) fn router() -> OpenApiRouter<App> {
    OpenApiRouter::new()
        .routes(routes!(operations::healthz))
        .routes(routes!(operations::readyz))
        .routes(routes!(operations::metrics))
}
