//! `POST /v1/redemptions/{id}/reverse`: a used voucher is taken back, whole or in parts.

use super::{
    redemption_answer::{self, found},
    redemptions::above_zero,
};
use crate::{
    app::App,
    auth::{Desk, scope::Reverse},
    input::{idempotency::IdempotencyKey, json::Body, path::Id},
    output::Answer,
    wire::{Faults, SENTENCE_MAX, redemption::RedemptionView},
};
use axum::extract::State;
use fanfare_engine::redemptions;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// What is taken back.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(crate) struct ReverseBody {
    /// The till's id of this reversal; the same again changes nothing.
    reversal_id: String,
    reason: String,
    /// How much; all that is left when left out.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(example = "50.00")]
    amount: Option<String>,
}

/// Reverses a committed redemption.
#[utoipa::path(
    post, path = "/v1/redemptions/{id}/reverse", operation_id = "reverseRedemption", tag = "till",
    params(("id" = String, Path), ("Idempotency-Key" = String, Header)), request_body = ReverseBody,
    responses((status = 200, body = RedemptionView)), security(("terminal" = []), ("integration" = []))
)]
pub(crate) async fn reverse_redemption(
    State(app): State<App>,
    caller: Desk<Reverse>,
    Id(id): Id,
    key: IdempotencyKey,
    Body(body): Body<ReverseBody>,
) -> Answer {
    let runtime = app.runtime()?;
    let mut faults = Faults::default();
    faults.text("/reversalId", &body.reversal_id);
    faults.bounded("/reason", &body.reason, SENTENCE_MAX);
    let amount = body.amount.as_ref().and_then(|text| above_zero(text, "/amount", &runtime, &mut faults));
    faults.done()?;
    let ReverseBody { reversal_id, reason, .. } = body.clone();
    let command = redemptions::Reverse { id: id.into(), reversal_id, reason, amount, store: caller.0.store.clone() };
    redemption_answer::call(&app, &caller.0, key, &body, command, found).await
}
