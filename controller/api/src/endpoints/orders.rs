//! `POST /v1/orders` places an order; `GET /v1/orders/{id}` reads it.

use crate::{
    app::App,
    auth::{Desk, guess::Guesser, scope::Redeem},
    input::{card, idempotency::IdempotencyKey, json::Body, origin::Came, path::Id},
    output::{Answer, View, call, call_with_codes, ok, render},
    problem::Problem,
    wire::{
        Faults, Mode,
        cart::{CartBody, amount},
        order::{self, OrderView},
    },
};
use axum::extract::State;
use fanfare_engine::{
    Keyed,
    orders::{PlaceOrder, Placed},
    origin::Brought,
};
use http::StatusCode;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// A cart that reserves or spends.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(crate) struct PlaceBody {
    /// The till's id, unique in the namespace.
    id: String,
    mode: Mode,
    cart: CartBody,
    /// What the till shows as payable; another evaluation refuses the order.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(example = "120.00")]
    expected_payable: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    receipt_number: Option<String>,
    /// The till's day.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(example = "2026-11-11")]
    business_date: Option<String>,
    /// When, where the till was offline.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    occurred_at: Option<String>,
}

/// Places an order. The same id with the same body answers the order as it is.
#[utoipa::path(
    post, path = "/v1/orders", operation_id = "placeOrder", tag = "till",
    params(
        ("Idempotency-Key" = String, Header),
        ("Fanfare-Device" = Option<String>, Header, description = "The shopper's device, where an app orders")
    ),
    request_body = PlaceBody,
    responses((status = 201, body = OrderView), (status = 200, body = OrderView)),
    security(("terminal" = []), ("integration" = []))
)]
pub(crate) async fn place_order(
    State(app): State<App>,
    caller: Desk<Redeem>,
    came: Came,
    key: IdempotencyKey,
    Body(body): Body<PlaceBody>,
) -> Answer {
    let view = View::of(&app)?;
    let mut cart = body.cart.read("/cart", &view.runtime)?;
    let view = View { spelling: app.open_codes(&mut cart.codes, &body.cart.codes), ..view };
    cart.card = card::hidden(&app, body.cart.payment_card.as_ref());
    let guesser = Guesser::desk(&caller.0, cart.member.as_ref());
    cart.store = caller.0.store_of(cart.store)?;
    let mut faults = Faults::default();
    faults.text("/id", &body.id);
    if body.id.chars().any(|c| c == '/' || c == '?' || c == '#') {
        faults.add("/id", "it cannot stand in a path", "letters, digits, - and _");
    }
    let expected = body.expected_payable.as_ref();
    let expected_payable = expected.and_then(|text| amount(text, "/expectedPayable", &view.runtime, &mut faults));
    faults.maybe("/receiptNumber", body.receipt_number.as_ref());
    faults.business_day(body.business_date.as_ref(), cart.store.as_ref(), app.now(), &view.runtime);
    let occurred_at = faults.time("/occurredAt", body.occurred_at.as_ref());
    faults.done()?;
    let digest = key.digest(&body)?;
    let command = PlaceOrder {
        id: body.id.into(),
        mode: body.mode.into(),
        cart,
        expected_payable,
        receipt_number: body.receipt_number,
        business_date: body.business_date,
        terminal: caller.0.terminal(),
        occurred_at,
        digest: digest.clone(),
    };
    let render = render(view, |placed: &Placed, view| {
        let status = if placed.created { StatusCode::CREATED } else { StatusCode::OK };
        Ok((status, order::view(&placed.order, &placed.redemptions, view)))
    });
    let keyed = Keyed { scope: caller.0.idempotency_scope(), key: key.key, digest, render };
    let by = came.of_desk(&app, &caller.0);
    if body.cart.codes.is_empty() {
        // Whoever has guessed too often still sells.
        return call(&app, keyed, Brought { by, command }).await;
    }
    call_with_codes(&app, keyed, Brought { by, command }, guesser).await
}

/// An order as it is.
#[utoipa::path(
    get, path = "/v1/orders/{id}", operation_id = "getOrder", tag = "till", params(("id" = String, Path)),
    responses((status = 200, body = OrderView)), security(("terminal" = []), ("integration" = []))
)]
pub(crate) async fn get_order(State(app): State<App>, _: Desk<Redeem>, Id(id): Id) -> Answer {
    let (engine, id) = (app.engine(), id.into());
    let found = engine.store().order(engine.namespace(), &id).await.map_err(|error| app.store_fault(&error))?;
    let row = found.ok_or_else(|| Problem::not_found("order"))?;
    let redemptions = engine.store().redemptions_of(engine.namespace(), &id).await;
    let redemptions = redemptions.map_err(|error| app.store_fault(&error))?;
    ok(&order::view(&row, &redemptions, &View::of(&app)?))
}
