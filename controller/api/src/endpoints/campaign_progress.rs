//! `GET /v1/campaigns/{name}/progress`: how far the caller has come.

use super::campaigns::GoalsView;
use crate::{
    app::App,
    auth::Member,
    input::path::Id,
    output::{Answer, repeatable},
    problem::Problem,
};
use axum::extract::State;
use fanfare_core::ids::Name;
use fanfare_engine::progress::Progress;
use http::HeaderMap;
use serde::Serialize;
use utoipa::ToSchema;

/// How far the caller has come, as the engine writes it.
#[derive(Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(crate) struct ProgressView {
    campaign: String,
    ends_at: Option<String>,
    /// Per mechanic that has goals.
    mechanics: Vec<GoalsView>,
    /// The revision of the rules.
    revision: String,
}

/// The same as it is written.
#[derive(Serialize)]
struct Written {
    #[serde(flatten)]
    progress: Progress,
    revision: String,
}

/// How far the caller has come in a campaign.
#[utoipa::path(
    get, path = "/v1/campaigns/{name}/progress", operation_id = "getProgress", tag = "member",
    params(("name" = String, Path)),
    responses((status = 200, body = ProgressView), (status = 304, description = "It is as it was")), security(("member" = []))
)]
pub(crate) async fn get_progress(State(app): State<App>, caller: Member, Id(name): Id, headers: HeaderMap) -> Answer {
    let found = app.engine().progress(&Name::from(name), &caller.0);
    let progress = found.ok_or_else(|| Problem::not_found("campaign"))?;
    repeatable(&headers, &Written { progress, revision: app.engine().plans().digest.clone() })
}
