//! `POST /v1/auth/refresh`: the next pair of tokens for the last refresh token.

use super::login::{self, Tokens};
use crate::{
    app::App,
    input::json::Body,
    output::Answer,
    problem::{Code, Problem},
};
use axum::extract::State;
use fanfare_engine::credentials::Unrefreshed;
use serde::Deserialize;
use utoipa::ToSchema;

/// The longest refresh token that is looked at.
const TOKEN_MAX_BYTES: usize = 256;

/// The last refresh token.
#[derive(Deserialize, ToSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(crate) struct Refresh {
    refresh_token: String,
}

/// Replaces a refresh token. It is good once; using it again ends the login that it belongs to.
#[utoipa::path(
    post, path = "/v1/auth/refresh", operation_id = "refresh", tag = "login",
    request_body = Refresh, responses((status = 200, body = Tokens))
)]
pub(crate) async fn refresh(State(app): State<App>, Body(body): Body<Refresh>) -> Answer {
    let wrong = |detail: &str| Problem::new(Code::Unauthenticated, detail);
    if body.refresh_token.len() > TOKEN_MAX_BYTES {
        return Err(wrong("this is no refresh token; log in"));
    }
    let outcome = app.engine().refresh(&body.refresh_token, app.real_now()).await;
    match outcome.map_err(|error| app.call_fault(&error))? {
        Ok(session) => login::answer(&app, session, false),
        Err(Unrefreshed::Unknown) => Err(wrong("the refresh token is unknown or has ended; log in")),
        Err(Unrefreshed::Reused) => Err(wrong("the refresh token was used before, so its login was ended; log in")),
    }
}
