//! `POST /v1/redemptions`: a till uses one voucher, without a cart. `GET /v1/redemptions/{id}` and `?orderId=` read them.

use crate::{
    app::App,
    auth::{Desk, guess::Guesser, scope::Redeem},
    input::{
        card,
        idempotency::IdempotencyKey,
        json::Body,
        path::Id,
        query::{Asked, PageOf, PageRequest},
    },
    output::{Answer, View, call_with_codes, ok, render},
    problem::Problem,
    wire::{
        CODE_MAX, Faults, Mode,
        cart::{amount, same_currency},
        redemption::{self, Left, RedemptionView},
    },
};
use axum::extract::State;
use fanfare_core::{ids::OrderId, model::RuntimePlan, money::Minor, payload};
use fanfare_engine::{
    Keyed,
    origin::{Brought, Origin},
    redemptions::{self, OrderRef, Outcome},
};
use http::StatusCode;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// The channel of a redemption without a cart.
const CHANNEL: &str = "pos";

/// A voucher to use.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(crate) struct RedeemBody {
    /// As typed or scanned; spaces, dashes and case do not matter. May be left out where there is a `proof`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    code: Option<String>,
    mode: Mode,
    /// The payload that a till took while it was offline; with `occurredAt`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    proof: Option<String>,
    /// Who stands at the till, as `members/resolve` answered; for vouchers that only their holder may use.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    member_id: Option<String>,
    /// Where; a till's own store when left out.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    store_id: Option<String>,
    /// Which till.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    terminal_id: Option<String>,
    /// What the till takes off, where it knows; what a gift card is to pay.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(example = "50.00")]
    amount: Option<String>,
    /// The order that it is for.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    order: Option<OrderBody>,
    /// The card that the shopper pays with, as in a cart: a token of the payment service, never the card's number.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(example = "tok_5f2c9a", max_length = 128)]
    payment_card: Option<String>,
    /// When, where the till was offline.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    occurred_at: Option<String>,
}

/// The order that a voucher is used for.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(crate) struct OrderBody {
    id: String,
    /// Before the voucher.
    #[schema(example = "1200.00")]
    total: String,
    #[schema(example = "THB")]
    currency: String,
}

impl RedeemBody {
    fn read(&self, app: &App, caller: &Desk<Redeem>, runtime: &RuntimePlan) -> Result<redemptions::Redeem, Problem> {
        if let Some(order) = &self.order {
            same_currency(&order.currency, "/order/currency", runtime)?;
        }
        let mut faults = Faults::default();
        let shown = self.shown(&mut faults);
        faults.maybe("/memberId", self.member_id.as_ref());
        faults.store("/storeId", self.store_id.as_deref(), runtime);
        faults.maybe("/terminalId", self.terminal_id.as_ref());
        let taken_off = self.amount.as_ref().and_then(|text| above_zero(text, "/amount", runtime, &mut faults));
        let order = self.order.as_ref().and_then(|order| {
            faults.text("/order/id", &order.id);
            let total = amount(&order.total, "/order/total", runtime, &mut faults)?;
            Some(OrderRef { id: order.id.as_str().into(), total })
        });
        card::check("/paymentCard", self.payment_card.as_ref(), &mut faults);
        let occurred_at = faults.time("/occurredAt", self.occurred_at.as_ref());
        let bound_to = caller.0.store.clone();
        let store = self.store_id.as_deref().map(Into::into).or_else(|| bound_to.clone());
        if store.is_none() {
            faults.add("/storeId", "it is missing", "send the store; only a till's own is known");
        }
        faults.done()?;
        let store = store.unwrap_or_else(|| "".into());
        Ok(redemptions::Redeem {
            code: app.open_code(shown),
            member: self.member_id.as_deref().map(Into::into),
            mode: self.mode.into(),
            store,
            bound_to,
            terminal: self.terminal_id.clone().or_else(|| caller.0.terminal()),
            till: caller.0.terminal(),
            channel: CHANNEL.into(),
            amount: taken_off,
            order,
            occurred_at,
        })
    }
}

impl RedeemBody {
    /// What the till read: the payload that it took offline, else the code.
    fn shown(&self, faults: &mut Faults) -> &str {
        for (pointer, text) in [("/code", &self.code), ("/proof", &self.proof)] {
            if let Some(text) = text {
                faults.bounded(pointer, text, CODE_MAX);
            }
        }
        match (&self.code, &self.proof) {
            (_, Some(proof)) if !payload::is_one(proof) => {
                faults.add("/proof", "it is no payload of a rotating code", "what the till scanned, whole");
            }
            (_, Some(_)) if self.occurred_at.is_none() => {
                faults.add("/occurredAt", "it is missing", "when the till took the proof");
            }
            (None, None) => faults.add("/code", "it is missing", "the code that was typed or scanned"),
            _ => {}
        }
        self.proof.as_deref().or(self.code.as_deref()).unwrap_or_default()
    }
}

/// An amount that is more than nothing.
pub(crate) fn above_zero(text: &str, pointer: &str, runtime: &RuntimePlan, faults: &mut Faults) -> Option<Minor> {
    let read = amount(text, pointer, runtime, faults)?;
    if read == Minor::ZERO {
        faults.add(pointer, "it is nothing", "an amount above zero, or leave it out");
    }
    Some(read)
}

/// Uses or reserves one voucher.
#[utoipa::path(
    post, path = "/v1/redemptions", operation_id = "redeem", tag = "till",
    params(("Idempotency-Key" = String, Header)), request_body = RedeemBody,
    responses((status = 201, body = RedemptionView)), security(("terminal" = []), ("integration" = []))
)]
pub(crate) async fn redeem(
    State(app): State<App>,
    caller: Desk<Redeem>,
    key: IdempotencyKey,
    Body(body): Body<RedeemBody>,
) -> Answer {
    let view = View::of(&app)?;
    let command = body.read(&app, &caller, &view.runtime)?;
    let guesser = Guesser::desk(&caller.0, command.member.as_ref());
    let render = render(view, |outcome: &Outcome, view| Ok((StatusCode::CREATED, redemption::outcome(outcome, view))));
    let digest = key.digest(&body)?;
    let keyed = Keyed { scope: caller.0.idempotency_scope(), key: key.key, digest, render };
    let by = Origin { card: card::hidden(&app, body.payment_card.as_ref()), ..Origin::default() };
    call_with_codes(&app, keyed, Brought { by, command }, guesser).await
}

/// The redemptions of an order.
#[utoipa::path(
    get, path = "/v1/redemptions", operation_id = "listRedemptions", tag = "till",
    params(("orderId" = String, Query)),
    responses((status = 200, body = PageOf<RedemptionView>)), security(("terminal" = []), ("integration" = []))
)]
pub(crate) async fn list_redemptions(State(app): State<App>, _: Desk<Redeem>, query: Asked) -> Answer {
    let Some(order) = query.get("orderId") else {
        return Err(query.wrong("orderId", "it is missing", "the id of the order"));
    };
    let (engine, view) = (app.engine(), View::of(&app)?);
    let rows = engine.store().redemptions_of(engine.namespace(), &OrderId::from(order)).await;
    let rows = rows.map_err(|error| app.store_fault(&error))?;
    let mut items = Vec::with_capacity(rows.len());
    for row in rows {
        items.push(seen(&app, row, &view).await?);
    }
    ok(&PageRequest::answer(items, None))
}

/// One redemption.
#[utoipa::path(
    get, path = "/v1/redemptions/{id}", operation_id = "getRedemption", tag = "till", params(("id" = String, Path)),
    responses((status = 200, body = RedemptionView)), security(("terminal" = []), ("integration" = []))
)]
pub(crate) async fn get_redemption(State(app): State<App>, _: Desk<Redeem>, Id(id): Id) -> Answer {
    let (engine, view) = (app.engine(), View::of(&app)?);
    let found = engine.store().redemption(engine.namespace(), &id.into()).await;
    let found = found.map_err(|error| app.store_fault(&error))?;
    let row = found.ok_or_else(|| Problem::not_found("redemption"))?;
    ok(&seen(&app, row, &view).await?)
}

/// A redemption with what its voucher can still give.
async fn seen(app: &App, row: fanfare_engine::store::rows::Redemption, view: &View) -> Result<RedemptionView, Problem> {
    let engine = app.engine();
    let grant = engine.store().grant(engine.namespace(), &row.grant).await.map_err(|error| app.store_fault(&error))?;
    let remaining = grant.as_ref().map_or(Minor::ZERO, |grant| redemptions::remaining(grant, app.now()));
    let left = Left { remaining: Some(remaining), uses: grant.as_ref().and_then(redemptions::uses_left) };
    Ok(redemption::view(&row, left, view))
}
