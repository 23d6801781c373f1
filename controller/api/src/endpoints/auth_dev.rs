//! `POST /v1/auth/dev`: anyone as anyone, where the Runtime or `fanfare up` opened it.

use super::login::{self, Tokens};
use crate::{
    app::App,
    input::json::Body,
    output::Answer,
    problem::{Code, Problem},
    wire::Faults,
};
use axum::extract::State;
use serde::Deserialize;
use utoipa::ToSchema;

/// Who to be.
#[derive(Deserialize, ToSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(crate) struct DevLogin {
    member_id: String,
}

/// Logs in as a member, for development; the member is made when nobody knows it.
#[utoipa::path(
    post, path = "/v1/auth/dev", operation_id = "loginDev", tag = "login",
    request_body = DevLogin, responses((status = 200, body = Tokens))
)]
pub(crate) async fn login_dev(State(app): State<App>, Body(body): Body<DevLogin>) -> Answer {
    if !app.dev_login() {
        let detail = "development logins are closed here; the CampaignRuntime's login.dev opens them";
        return Err(Problem::new(Code::Forbidden, detail));
    }
    let mut faults = Faults::default();
    faults.text("/memberId", &body.member_id);
    faults.done()?;
    login::log_in(&app, Some(body.member_id.into())).await
}
