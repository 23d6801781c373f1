//! `POST /v1/auth/guest`: a new member who has not said who it is.

use super::login::{self, Tokens};
use crate::{app::App, input::json::OptionalBody, output::Answer};
use axum::extract::State;
use serde::Deserialize;

/// Nothing: a guest has not said who it is.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct NoFields {}

/// Logs a new guest in.
#[utoipa::path(
    post, path = "/v1/auth/guest", operation_id = "loginGuest", tag = "login",
    responses((status = 200, body = Tokens))
)]
pub(crate) async fn login_guest(State(app): State<App>, _: OptionalBody<NoFields>) -> Answer {
    app.guests().take(app.real_now().timestamp_millis())?;
    login::log_in(&app, None).await
}
