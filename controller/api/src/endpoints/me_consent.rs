//! `PUT /v1/me/consent`: what the caller agrees to.

use crate::{
    app::App,
    auth::Member,
    input::json::Body,
    output::{Answer, execute, ok},
    wire::member::{ConsentBody, MemberView, unsaved},
};
use axum::extract::State;
use fanfare_engine::members::SetConsent;

/// Sets what the caller agrees to; what is not named stays as it is.
#[utoipa::path(
    put, path = "/v1/me/consent", operation_id = "putConsent", tag = "member",
    request_body = ConsentBody, responses((status = 200, body = MemberView)), security(("member" = []))
)]
pub(crate) async fn put_consent(State(app): State<App>, caller: Member, Body(body): Body<ConsentBody>) -> Answer {
    let command = SetConsent { member: caller.0, consent: body.into() };
    execute(&app, command, |saved| ok(&MemberView::own(&saved.map_err(unsaved)?))).await
}
