//! `POST /v1/orders/{id}/void`: a reserved order gives back what it holds.

use super::order_answer;
use crate::{
    app::App,
    auth::{Desk, scope::Redeem},
    input::{idempotency::IdempotencyKey, json::OptionalBody, path::Id},
    output::Answer,
    wire::{Empty, order::OrderView},
};
use axum::extract::State;
use fanfare_engine::orders::VoidOrder;

/// Voids a reserved order.
#[utoipa::path(
    post, path = "/v1/orders/{id}/void", operation_id = "voidOrder", tag = "till",
    params(("id" = String, Path), ("Idempotency-Key" = String, Header)), request_body = Option<Empty>,
    responses((status = 200, body = OrderView)), security(("terminal" = []), ("integration" = []))
)]
pub(crate) async fn void_order(
    State(app): State<App>,
    caller: Desk<Redeem>,
    Id(id): Id,
    key: IdempotencyKey,
    OptionalBody(body): OptionalBody<Empty>,
) -> Answer {
    order_answer::call(&app, &caller.0, key, &body, VoidOrder { id: id.into() }, order_answer::found).await
}
