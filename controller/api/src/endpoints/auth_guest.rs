//! `POST /v1/auth/guest`: a new member who has not said who it is.

use super::login::{self, Tokens};
use crate::{app::App, output::Answer};
use axum::extract::State;

/// Logs a new guest in.
#[utoipa::path(
    post, path = "/v1/auth/guest", operation_id = "loginGuest", tag = "login",
    responses((status = 200, body = Tokens))
)]
pub(crate) async fn login_guest(State(app): State<App>) -> Answer {
    app.guests().take(app.real_now().timestamp_millis())?;
    login::log_in(&app, None).await
}
