//! `GET /v1/segments/{name}/members/{id}` and `POST /v1/segments/preview`: who is meant, and why.

use crate::{
    app::{App, written},
    auth::{Integration, scope::Segments},
    input::{json::Body, path::Ids},
    output::{Answer, ok},
    problem::{FieldError, Problem},
};
use axum::extract::State;
use fanfare_core::{ids::Name, segment::Why};
use fanfare_engine::{
    audience::OverBudget,
    segments::{Bar, Membership, Preview},
};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use std::collections::BTreeMap;
use utoipa::ToSchema;

/// Why a condition holds or not.
#[derive(Serialize, ToSchema)]
#[schema(no_recursion)]
pub(crate) struct WhyView {
    /// In plain words.
    condition: String,
    holds: bool,
    /// What was found.
    #[serde(skip_serializing_if = "Option::is_none")]
    actual: Option<String>,
    /// The conditions that it is made of.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    of: Vec<WhyView>,
}

impl From<Why> for WhyView {
    fn from(why: Why) -> Self {
        let Why { condition, holds, actual, of } = why;
        Self { condition, holds, actual, of: of.into_iter().map(Self::from).collect() }
    }
}

/// Whether a member belongs to a Segment.
#[derive(Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(crate) struct MembershipView {
    member: bool,
    as_of: String,
    why: Vec<WhyView>,
}

/// Whether a member belongs to a Segment, and why.
#[utoipa::path(
    get, path = "/v1/segments/{name}/members/{id}", operation_id = "getMembership", tag = "segments",
    params(("name" = String, Path), ("id" = String, Path)),
    responses((status = 200, body = MembershipView)), security(("integration" = []))
)]
pub(crate) async fn get_membership(State(app): State<App>, _: Integration<Segments>, ids: Ids<2>) -> Answer {
    let Ids([name, id]) = ids;
    let found = app.engine().membership(&Name::from(name), &id.into());
    let Membership { member, as_of, why } = found.ok_or_else(|| Problem::not_found("segment or member"))?;
    let why = why.into_iter().map(WhyView::from).collect();
    ok(&MembershipView { member, as_of: written(as_of, app.zone()), why })
}

/// What a Segment might say.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct PreviewBody {
    /// As in a Segment's `spec.match`.
    #[serde(rename = "match")]
    #[schema(value_type = Object)]
    condition: Map<String, Value>,
}

/// Who would be meant.
#[derive(Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(crate) struct PreviewView {
    size: i64,
    /// How many of them each channel reaches.
    reachable: BTreeMap<String, i64>,
    sample: Vec<SampleView>,
    /// How they spread over `tier`, `city` and `stage`: the most frequent values first.
    histogram: BTreeMap<String, Vec<BarView>>,
    /// How many of them are in the audience of each campaign that runs now.
    overlap: BTreeMap<String, i64>,
    as_of: String,
}

/// How many members have a value.
#[derive(Serialize, ToSchema)]
pub(crate) struct BarView {
    /// The value; `null` where it is missing.
    value: Option<String>,
    members: i64,
}

impl From<Bar> for BarView {
    fn from(bar: Bar) -> Self {
        let Bar { value, members } = bar;
        Self { value, members }
    }
}

/// One of those who would be meant.
#[derive(Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(crate) struct SampleView {
    member_id: String,
    why: Vec<WhyView>,
}

/// Who would be meant by a `match`, without writing a Segment.
#[utoipa::path(
    post, path = "/v1/segments/preview", operation_id = "previewSegment", tag = "segments",
    request_body = PreviewBody, responses((status = 200, body = PreviewView)), security(("integration" = []))
)]
pub(crate) async fn preview_segment(
    State(app): State<App>,
    _: Integration<Segments>,
    Body(body): Body<PreviewBody>,
) -> Answer {
    let below = |error: FieldError| FieldError { pointer: format!("/match{}", error.pointer), ..error };
    let condition = (app.read_match())(&Value::Object(body.condition));
    let condition = condition.map_err(|errors| Problem::invalid(errors.into_iter().map(below).collect()))?;
    // A scan of every member: off the threads that answer others.
    let engine = app.engine().clone();
    let preview = tokio::task::spawn_blocking(move || engine.preview(&condition)).await;
    let preview = preview.map_err(|error| Problem::internal(&error))?;
    let too_much = |error: OverBudget| FieldError {
        pointer: "/match".into(),
        reason: error.to_string(),
        remedy: "put a condition on attributes, tags, lists or plain counts beside it".into(),
    };
    let Preview { size, sample, histogram, overlap } =
        preview.map_err(|error| Problem::invalid(vec![too_much(error)]))?;
    let seen = |(id, why): (fanfare_core::ids::MemberId, Vec<Why>)| SampleView {
        member_id: id.to_string(),
        why: why.into_iter().map(WhyView::from).collect(),
    };
    ok(&PreviewView {
        size: size.size,
        reachable: size.reachable.into_iter().map(|(channel, n)| (channel.to_string(), n)).collect(),
        sample: sample.into_iter().map(seen).collect(),
        histogram: histogram
            .into_iter()
            .map(|(of, bars)| (of, bars.into_iter().map(BarView::from).collect()))
            .collect(),
        overlap: overlap.into_iter().map(|(campaign, members)| (campaign.to_string(), members)).collect(),
        as_of: written(size.as_of, app.zone()),
    })
}
