//! `GET` and `PATCH /v1/me`: what is known of the caller.

use crate::{
    app::App,
    auth::Member,
    input::json::Body,
    output::{Answer, execute, ok, repeatable},
    problem::Problem,
    wire::member::{MemberView, unsaved},
};
use axum::extract::State;
use fanfare_engine::members::PatchMe;
use http::HeaderMap;
use serde::Deserialize;
use serde_json::{Map, Value};
use utoipa::ToSchema;

/// What is known of the caller.
#[utoipa::path(
    get, path = "/v1/me", operation_id = "getMe", tag = "member",
    responses((status = 200, body = MemberView), (status = 304, description = "It is as it was")), security(("member" = []))
)]
pub(crate) async fn get_me(State(app): State<App>, caller: Member, headers: HeaderMap) -> Answer {
    let found = app.engine().member(&caller.0).await.map_err(|error| app.store_fault(&error))?;
    let member = found.ok_or_else(|| Problem::not_found("member"))?;
    repeatable(&headers, &MemberView::own(&member))
}

/// What the caller says of itself.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct MePatch {
    /// Values by name; `null` takes one away.
    #[serde(default)]
    #[schema(value_type = std::collections::HashMap<String, serde_json::Value>)]
    attributes: Map<String, Value>,
}

/// Changes attributes of the caller.
#[utoipa::path(
    patch, path = "/v1/me", operation_id = "patchMe", tag = "member",
    request_body = MePatch, responses((status = 200, body = MemberView)), security(("member" = []))
)]
pub(crate) async fn patch_me(State(app): State<App>, caller: Member, Body(body): Body<MePatch>) -> Answer {
    app.runtime()?;
    let command = PatchMe { member: caller.0, attributes: body.attributes };
    execute(&app, command, |saved| ok(&MemberView::own(&saved.map_err(unsaved)?))).await
}
