//! `POST /v1/redemptions/{id}/void`: a reserved voucher can be used again.

use super::redemption_answer::{self, found};
use crate::{
    app::App,
    auth::{Desk, scope::Redeem},
    input::{idempotency::IdempotencyKey, json::OptionalBody, path::Id},
    output::Answer,
    wire::{Empty, redemption::RedemptionView},
};
use axum::extract::State;
use fanfare_engine::redemptions::Void;

/// Voids a reserved redemption.
#[utoipa::path(
    post, path = "/v1/redemptions/{id}/void", operation_id = "voidRedemption", tag = "till",
    params(("id" = String, Path), ("Idempotency-Key" = String, Header)), request_body = Option<Empty>,
    responses((status = 200, body = RedemptionView)), security(("terminal" = []), ("integration" = []))
)]
pub(crate) async fn void_redemption(
    State(app): State<App>,
    caller: Desk<Redeem>,
    Id(id): Id,
    key: IdempotencyKey,
    OptionalBody(body): OptionalBody<Empty>,
) -> Answer {
    redemption_answer::call(&app, &caller.0, key, &body, Void { id: id.into() }, found).await
}
