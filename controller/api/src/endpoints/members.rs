//! `PUT` and `GET /v1/members/{id}`: what a CRM says and reads of a member.

use crate::{
    app::App,
    auth::{Integration, scope::Members},
    input::{json::Body, path::Id},
    output::{Answer, execute, json, ok},
    problem::Problem,
    wire::member::{MemberBody, MemberView, unsaved},
};
use axum::extract::State;
use fanfare_engine::members::UpsertMember;
use http::StatusCode;

/// Creates or changes a member. What is left out stays as it is; what is given replaces.
#[utoipa::path(
    put, path = "/v1/members/{id}", operation_id = "putMember", tag = "members", params(("id" = String, Path)),
    request_body = MemberBody,
    responses((status = 200, body = MemberView), (status = 201, body = MemberView)), security(("integration" = []))
)]
pub(crate) async fn put_member(
    State(app): State<App>,
    _: Integration<Members>,
    Id(id): Id,
    Body(body): Body<MemberBody>,
) -> Answer {
    app.runtime()?;
    let command = UpsertMember { id: id.into(), profile: body.into() };
    execute(&app, command, |saved| {
        let saved = saved.map_err(unsaved)?;
        let status = if saved.is_new { StatusCode::CREATED } else { StatusCode::OK };
        json(status, &MemberView::full(&saved.member))
    })
    .await
}

/// What is known of a member.
#[utoipa::path(
    get, path = "/v1/members/{id}", operation_id = "getMember", tag = "members", params(("id" = String, Path)),
    responses((status = 200, body = MemberView)), security(("integration" = []))
)]
pub(crate) async fn get_member(State(app): State<App>, _: Integration<Members>, Id(id): Id) -> Answer {
    let found = app.engine().member(&id.into()).await.map_err(|error| app.store_fault(&error))?;
    ok(&MemberView::full(&found.ok_or_else(|| Problem::not_found("member"))?))
}
