//! `GET /v1/campaigns` and `GET /v1/campaigns/{name}`: what runs, for this reader.
//!
//! The engine hands over bytes that it wrote when a campaign was published; here they are passed on as they are.

use crate::{
    app::App,
    auth::OptionalMember,
    input::{
        locale::Locales,
        path::Id,
        query::{Asked, Paging},
    },
    output::{Answer, ReasonView, repeatable_bytes},
    problem::Problem,
};
use axum::extract::State;
use fanfare_core::{ids::Name, model::campaign::Objective};
use fanfare_engine::feed::{FeedQuery, Sort, View, is_cursor};
use http::HeaderMap;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use std::collections::HashMap;
use utoipa::ToSchema;

const VIEWS: [(&str, View); 3] = [("active", View::Active), ("upcoming", View::Upcoming), ("past", View::Past)];
const SORTS: [(&str, Sort); 2] = [("startAt", Sort::StartAt), ("recommended", Sort::Recommended)];
const OBJECTIVES: [(&str, Objective); 4] = [
    ("Acquisition", Objective::Acquisition),
    ("Promotion", Objective::Promotion),
    ("Retention", Objective::Retention),
    ("Conversion", Objective::Conversion),
];

/// A page of the feed, as the engine writes it.
#[derive(Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct FeedPage {
    items: Vec<CampaignItem>,
    /// For `?cursor=`; `null` at the end.
    next: Option<String>,
}

/// A campaign in a list. What concerns the reader is left out for anyone who is not logged in.
#[derive(Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(crate) struct CampaignItem {
    name: String,
    title: String,
    summary: Option<String>,
    objective: String,
    /// `Teaser`, `Active`, `CoolDown`, `Settling` or `Ended`.
    phase: String,
    start_at: String,
    end_at: Option<String>,
    tags: Vec<String>,
    benefits: Vec<String>,
    how_to_join: Option<String>,
    assets: HashMap<String, AssetView>,
    joined: Option<bool>,
    qualification: Option<QualificationView>,
    progress: Option<Vec<GoalsView>>,
    recommendation: Option<RecommendationView>,
}

/// A picture.
#[derive(Serialize, Deserialize, ToSchema)]
pub(crate) struct AssetView {
    url: String,
    sha256: String,
}

/// Whether the reader may take part.
#[derive(Serialize, Deserialize, ToSchema)]
pub(crate) struct QualificationView {
    qualified: bool,
    reasons: Vec<ReasonView>,
}

/// How far the reader has come in one mechanic.
#[derive(Serialize, Deserialize, ToSchema)]
pub(crate) struct GoalsView {
    mechanic: String,
    goals: Vec<GoalView>,
}

/// One goal.
#[derive(Serialize, Deserialize, ToSchema)]
pub(crate) struct GoalView {
    name: String,
    /// A number, or an amount as a decimal string.
    current: Value,
    target: Value,
    unit: String,
    percent: i64,
    completed: bool,
}

/// Its place when sorted by recommendation.
#[derive(Serialize, Deserialize, ToSchema)]
pub(crate) struct RecommendationView {
    rank: i64,
    reason: String,
}

/// A campaign in full.
#[derive(Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(crate) struct CampaignDetail {
    #[serde(flatten)]
    item: CampaignItem,
    terms: Option<String>,
    share_text: Option<String>,
    /// The revision of the rules.
    revision: String,
    mechanics: Vec<MechanicView>,
}

/// A mechanic as the reader meets it; what else it shows depends on its kind.
#[derive(Serialize, Deserialize, ToSchema)]
pub(crate) struct MechanicView {
    name: String,
    /// `discount`, `spendThreshold`, `flashSale` or `lottery`.
    kind: String,
    state: String,
    /// What the reader can do with it.
    actions: Vec<String>,
    #[serde(flatten)]
    more: HashMap<String, Value>,
}

/// What runs, is announced or is over, for this reader.
#[utoipa::path(
    get, path = "/v1/campaigns", operation_id = "listCampaigns", tag = "member",
    params(
        ("view" = Option<String>, Query, description = "active (default), upcoming or past"),
        ("tag" = Option<String>, Query), ("objective" = Option<String>, Query),
        ("mechanic" = Option<String>, Query, description = "A kind, such as flashSale"),
        ("channel" = Option<String>, Query), ("store" = Option<String>, Query),
        ("sort" = Option<String>, Query, description = "startAt (default) or recommended"),
        Paging
    ),
    responses((status = 200, body = FeedPage), (status = 304, description = "It is as it was")),
    security((), ("member" = []))
)]
pub(crate) async fn list_campaigns(
    State(app): State<App>,
    reader: OptionalMember,
    locales: Locales,
    query: Asked,
    headers: HeaderMap,
) -> Answer {
    let text = |name: &str| query.get(name).map(ToOwned::to_owned);
    // The engine's own cursor is opaque already.
    let after = text("cursor");
    if after.as_deref().is_some_and(|cursor| !is_cursor(cursor)) {
        return Err(query.wrong_cursor());
    }
    let feed = FeedQuery {
        member: reader.0,
        view: query.choice("view", &VIEWS)?.unwrap_or_default(),
        tag: text("tag"),
        objective: query.choice("objective", &OBJECTIVES)?,
        mechanic: text("mechanic"),
        channel: text("channel"),
        store: query.get("store").map(Into::into),
        sort: query.choice("sort", &SORTS)?.unwrap_or_default(),
        locales: locales.0,
        limit: query.limit()?,
        after,
    };
    Ok(repeatable_bytes(&headers, app.engine().feed(&feed).into()))
}

/// One campaign in full.
#[utoipa::path(
    get, path = "/v1/campaigns/{name}", operation_id = "getCampaign", tag = "member", params(("name" = String, Path)),
    responses((status = 200, body = CampaignDetail), (status = 304, description = "It is as it was")),
    security((), ("member" = []))
)]
pub(crate) async fn get_campaign(
    State(app): State<App>,
    reader: OptionalMember,
    locales: Locales,
    Id(name): Id,
    headers: HeaderMap,
) -> Answer {
    let found = app.engine().campaign(&Name::from(name), reader.0.as_ref(), &locales.0);
    let detail = found.ok_or_else(|| Problem::not_found("campaign"))?;
    Ok(repeatable_bytes(&headers, detail.body.into()))
}
