//! `POST /v1/campaigns/{name}/join`: the caller takes part.

use crate::{
    app::App,
    auth::Member,
    input::{idempotency::IdempotencyKey, json::OptionalBody, origin::Came, path::Id},
    output::{Answer, View, call, render},
    problem::Problem,
    wire::Faults,
};
use axum::extract::State;
use fanfare_engine::{
    Keyed,
    join::{Join, Joined},
    origin::Brought,
};
use http::StatusCode;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// Where the caller joins, where the campaign asks for it.
#[derive(Clone, Debug, Default, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(crate) struct JoinBody {
    #[serde(default, skip_serializing_if = "Option::is_none")]
    store_id: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    channel: Option<String>,
}

/// The caller takes part.
#[derive(Clone, Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(crate) struct ParticipationView {
    campaign: String,
    member_id: String,
    joined_at: String,
    /// The revision of the rules under which it joined.
    revision: String,
}

/// Joins a campaign.
#[utoipa::path(
    post, path = "/v1/campaigns/{name}/join", operation_id = "joinCampaign", tag = "member",
    params(
        ("name" = String, Path), ("Idempotency-Key" = String, Header),
        ("Fanfare-Device" = Option<String>, Header, description = "The app's device, for limits per device")
    ),
    request_body = Option<JoinBody>,
    responses((status = 201, body = ParticipationView), (status = 200, body = ParticipationView)), security(("member" = []))
)]
pub(crate) async fn join_campaign(
    State(app): State<App>,
    caller: Member,
    came: Came,
    Id(name): Id,
    key: IdempotencyKey,
    OptionalBody(body): OptionalBody<JoinBody>,
) -> Answer {
    let mut faults = Faults::default();
    let view = View::of(&app)?;
    faults.store("/storeId", body.store_id.as_deref(), &view.runtime);
    faults.maybe("/channel", body.channel.as_ref());
    faults.done()?;
    let render = render(view, |joined: &Option<Joined>, view| {
        let Joined { participation, created } = joined.as_ref().ok_or_else(|| Problem::not_found("campaign"))?;
        let status = if *created { StatusCode::CREATED } else { StatusCode::OK };
        let body = ParticipationView {
            campaign: participation.campaign.to_string(),
            member_id: participation.member.to_string(),
            joined_at: view.time(participation.joined_at),
            revision: participation.revision.to_string(),
        };
        Ok((status, body))
    });
    let digest = key.digest(&body)?;
    let keyed = Keyed { scope: caller.idempotency_scope(), key: key.key, digest, render };
    let JoinBody { store_id, channel } = body;
    let command = Join { campaign: name.into(), member: caller.0, store: store_id.map(Into::into), channel };
    let by = came.of_member(&app);
    call(&app, keyed, Brought { by, command }).await
}
