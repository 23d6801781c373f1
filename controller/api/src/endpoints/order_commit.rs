//! `POST /v1/orders/{id}/commit`: the shopper has paid.

use super::order_answer;
use crate::{
    app::App,
    auth::{Desk, DeskKey, guess::Guesser, scope::Redeem},
    input::{card, idempotency::IdempotencyKey, json::OptionalBody, path::Id},
    output::Answer,
    problem::Problem,
    wire::{Faults, cart::CartBody, order::OrderView},
};
use axum::extract::State;
use fanfare_core::cart::Cart;
use fanfare_engine::orders::CommitOrder;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// What the shopper has paid for.
#[derive(Clone, Debug, Default, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(crate) struct CommitBody {
    /// The final cart, where it changed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    cart: Option<CartBody>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    receipt_number: Option<String>,
    /// The till's day.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(example = "2026-11-11")]
    business_date: Option<String>,
    /// When the shopper paid, where the till could not tell at once.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    occurred_at: Option<String>,
}

/// Commits a reserved order, recomputed for the final cart within what was reserved.
#[utoipa::path(
    post, path = "/v1/orders/{id}/commit", operation_id = "commitOrder", tag = "till",
    params(("id" = String, Path), ("Idempotency-Key" = String, Header)), request_body = Option<CommitBody>,
    responses((status = 200, body = OrderView)), security(("terminal" = []), ("integration" = []))
)]
pub(crate) async fn commit_order(
    State(app): State<App>,
    caller: Desk<Redeem>,
    Id(id): Id,
    key: IdempotencyKey,
    OptionalBody(body): OptionalBody<CommitBody>,
) -> Answer {
    let runtime = app.runtime()?;
    let mut cart = body.cart.as_ref().map(|cart| cart.read("/cart", &runtime)).transpose()?;
    if let Some(cart) = &mut cart {
        cart.store = caller.0.store_of(cart.store.take())?;
        let written = body.cart.as_ref().map(|cart| cart.codes.as_slice()).unwrap_or_default();
        app.open_codes(&mut cart.codes, written);
        cart.card = card::hidden(&app, body.cart.as_ref().and_then(|cart| cart.payment_card.as_ref()));
    }
    let mut faults = Faults::default();
    faults.maybe("/receiptNumber", body.receipt_number.as_ref());
    faults.business_day(body.business_date.as_ref(), caller.0.store.as_ref(), app.now(), &runtime);
    let occurred_at = faults.time("/occurredAt", body.occurred_at.as_ref());
    faults.done()?;
    let CommitBody { receipt_number, business_date, .. } = body.clone();
    let guesser = guesser(&app, &caller.0, &id, cart.as_ref()).await?;
    let command = CommitOrder { id: id.into(), cart, receipt_number, business_date, occurred_at };
    match guesser {
        Some(guesser) => {
            let by = (&*caller.0, guesser);
            order_answer::call_with_codes(&app, by, key, &body, command, order_answer::found).await
        }
        None => order_answer::call(&app, &caller.0, key, &body, command, order_answer::found).await,
    }
}

/// Who answers for codes that the order does not have yet; nobody where there are none, so that whoever typed badly can
/// still commit what it has reserved.
async fn guesser(app: &App, desk: &DeskKey, id: &str, cart: Option<&Cart>) -> Result<Option<Guesser>, Problem> {
    let Some(cart) = cart.filter(|cart| !cart.codes.is_empty()) else { return Ok(None) };
    let found = app.engine().store().order(app.engine().namespace(), &id.into()).await;
    let known = found.map_err(|error| app.store_fault(&error))?.map(|order| order.cart.codes).unwrap_or_default();
    let is_new = cart.codes.iter().any(|code| !known.contains(code));
    Ok(is_new.then(|| Guesser::desk(desk, cart.member.as_ref())))
}
