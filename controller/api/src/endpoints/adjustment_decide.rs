//! `POST /v1/adjustments/{id}/approve` and `…/reject`: another person decides on a correction that waits.

use crate::{
    app::App,
    auth::{
        Integration,
        scope::{AdjustOrApprove, Approve, Needs, Scope},
    },
    input::{idempotency::IdempotencyKey, json::OptionalBody, path::Id},
    output::{Answer, View, call, render},
    problem::Problem,
    wire::{
        Faults, SENTENCE_MAX,
        adjustment::{self, AdjustmentView},
    },
};
use axum::extract::State;
use fanfare_engine::{
    Keyed,
    adjustments::{Adjustment, Decide, Verdict},
};
use http::StatusCode;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// Why it is decided so.
#[derive(Clone, Debug, Default, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(crate) struct DecideBody {
    #[serde(default, skip_serializing_if = "Option::is_none")]
    reason: Option<String>,
}

/// Posts a correction that another person proposed.
#[utoipa::path(
    post, path = "/v1/adjustments/{id}/approve", operation_id = "approveAdjustment", tag = "finance",
    params(("id" = String, Path), ("Idempotency-Key" = String, Header)), request_body = Option<DecideBody>,
    responses((status = 200, body = AdjustmentView)), security(("integration" = []))
)]
pub(crate) async fn approve_adjustment(
    State(app): State<App>,
    caller: Integration<Approve>,
    Id(id): Id,
    key: IdempotencyKey,
    OptionalBody(body): OptionalBody<DecideBody>,
) -> Answer {
    decide(app, caller, id, Verdict::Approve, key, body).await
}

/// Turns a correction down, or without the scope `approve` takes one's own back. Nothing is posted.
#[utoipa::path(
    post, path = "/v1/adjustments/{id}/reject", operation_id = "rejectAdjustment", tag = "finance",
    params(("id" = String, Path), ("Idempotency-Key" = String, Header)), request_body = Option<DecideBody>,
    responses((status = 200, body = AdjustmentView)), security(("integration" = []))
)]
pub(crate) async fn reject_adjustment(
    State(app): State<App>,
    caller: Integration<AdjustOrApprove>,
    Id(id): Id,
    key: IdempotencyKey,
    OptionalBody(body): OptionalBody<DecideBody>,
) -> Answer {
    let verdict = if caller.may(Scope::Approve) { Verdict::Reject } else { Verdict::TakeBack };
    decide(app, caller, id, verdict, key, body).await
}

async fn decide<S: Needs>(
    app: App,
    caller: Integration<S>,
    id: String,
    verdict: Verdict,
    key: IdempotencyKey,
    body: DecideBody,
) -> Answer {
    let mut faults = Faults::default();
    if let Some(reason) = &body.reason {
        faults.bounded("/reason", reason, SENTENCE_MAX);
    }
    faults.done()?;
    let digest = key.digest(&body)?;
    let render = render(View::of(&app)?, |decided: &Option<Adjustment>, view| {
        let one = decided.as_ref().ok_or_else(|| Problem::not_found("adjustment"))?;
        Ok((StatusCode::OK, adjustment::view(one, view)))
    });
    let command = Decide { id, verdict, reason: body.reason, actor: caller.id().into() };
    call(&app, Keyed { scope: caller.idempotency_scope(), key: key.key, digest, render }, command).await
}
