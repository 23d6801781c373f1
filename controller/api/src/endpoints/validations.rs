//! `POST /v1/validations`: whether codes would be taken; changes nothing.

use crate::{
    app::App,
    auth::{Desk, guess::Guesser, scope::Redeem},
    input::{card, json::Body},
    output::{Answer, View, execute, ok},
    wire::{
        CODE_MAX, Faults,
        cart::CartBody,
        grant::{self, Condition, HappeningView},
    },
};
use axum::extract::State;
use fanfare_core::{cart::CODES_MAX, reason::Reason, time::Ts};
use fanfare_engine::{
    carts::{Validate, Validated},
    redemptions,
    store::rows::Grant,
};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// Codes to check, with the cart that they are meant for where there is one.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct ValidateBody {
    /// At most 20.
    codes: Vec<String>,
    #[serde(default)]
    cart: Option<CartBody>,
}

/// What would become of the codes, in their order.
#[derive(Serialize, ToSchema)]
pub(crate) struct Validations {
    results: Vec<ValidationView>,
    /// The revision of the rules.
    revision: String,
}

/// What would become of one code.
#[derive(Serialize, ToSchema)]
pub(crate) struct ValidationView {
    /// As it was sent.
    code: String,
    valid: bool,
    /// Why not.
    #[serde(skip_serializing_if = "Option::is_none")]
    reason: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    detail: Option<String>,
    /// The stores where it would be taken.
    #[serde(rename = "validStores", skip_serializing_if = "Vec::is_empty")]
    valid_stores: Vec<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    grant: Option<String>,
    /// What it would take off, or pay.
    #[serde(skip_serializing_if = "Option::is_none")]
    amount: Option<String>,
    /// What it is: its title, kind, state, what is left of it, its conditions and what happened to it.
    #[serde(flatten)]
    about: About,
}

/// A voucher as a till is shown it: nothing of whose it is. Empty for a code that nobody has.
#[derive(Default, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(crate) struct About {
    #[serde(skip_serializing_if = "Option::is_none")]
    title: Option<String>,
    /// `voucher`, `freeItem`, `access` or `giftCard`.
    #[serde(skip_serializing_if = "Option::is_none")]
    kind: Option<String>,
    /// `Pending`, `Granted`, `Claimed`, `Reserved`, `Redeemed`, `Expired` or `Revoked`.
    #[serde(skip_serializing_if = "Option::is_none")]
    state: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    valid_until: Option<String>,
    /// How often it can still be used; left out where there is no end of uses.
    #[serde(skip_serializing_if = "Option::is_none")]
    uses_left: Option<i64>,
    /// What is left on a gift card.
    #[serde(skip_serializing_if = "Option::is_none")]
    balance: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    conditions: Option<Vec<Condition>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    history: Option<Vec<HappeningView>>,
}

impl About {
    fn of(row: &Grant, now: Ts, view: &View) -> Self {
        Self {
            title: Some(row.terms.title.clone()),
            kind: Some(row.terms.kind.as_str().into()),
            state: Some(grant::state_at(row, now).as_str().into()),
            valid_until: row.valid_until.map(|at| view.time(at)),
            uses_left: redemptions::uses_left(row),
            balance: grant::balance(row).map(|amount| view.amount(amount)),
            conditions: Some(grant::conditions(row, view)),
            history: Some(row.history.iter().map(|one| grant::happening(one, view)).collect()),
        }
    }
}

impl ValidationView {
    fn of(sent: String, validated: Validated, now: Ts, view: &View) -> Self {
        let Validated { code: _, refusal, grant, amount } = validated;
        Self {
            code: sent,
            valid: refusal.is_none(),
            reason: refusal.as_ref().map(|no| no.reason.code().into()),
            detail: refusal.as_ref().map(|no| no.detail.clone()),
            valid_stores: refusal.map(|no| no.valid_stores).unwrap_or_default(),
            amount: amount.map(|amount| view.amount(amount)),
            about: grant.as_ref().map(|row| About::of(row, now, view)).unwrap_or_default(),
            grant: grant.map(|row| row.id.to_string()),
        }
    }
}

/// Whether codes would be taken, on their own or in a cart.
#[utoipa::path(
    post, path = "/v1/validations", operation_id = "validateCodes", tag = "till",
    request_body = ValidateBody, responses((status = 200, body = Validations)),
    security(("terminal" = []), ("integration" = []))
)]
pub(crate) async fn validate_codes(
    State(app): State<App>,
    caller: Desk<Redeem>,
    Body(body): Body<ValidateBody>,
) -> Answer {
    let view = View::of(&app)?;
    let mut faults = Faults::default();
    if body.codes.is_empty() || body.codes.len() > CODES_MAX {
        faults.add("/codes", "there is none, or too many", format!("1 to {CODES_MAX} codes"));
    }
    for (index, text) in body.codes.iter().enumerate().take(CODES_MAX) {
        faults.bounded(format!("/codes/{index}"), text, CODE_MAX);
    }
    faults.done()?;
    let mut cart = body.cart.as_ref().map(|cart| cart.read("/cart", &view.runtime)).transpose()?;
    if let Some(cart) = &mut cart {
        cart.store = caller.0.store_of(cart.store.take())?;
        let written = body.cart.as_ref().map(|cart| cart.codes.as_slice()).unwrap_or_default();
        app.open_codes(&mut cart.codes, written);
        cart.card = card::hidden(&app, body.cart.as_ref().and_then(|cart| cart.payment_card.as_ref()));
    }
    let command = Validate {
        codes: body.codes.iter().map(|text| app.open_code(text)).collect(),
        cart,
        store: caller.0.store.clone(),
        channel: None,
    };
    let (sent, now) = (body.codes, app.now());
    let guesser = Guesser::desk(&caller.0, command.cart.as_ref().and_then(|cart| cart.member.as_ref()));
    app.admit_codes(&guesser)?;
    execute(&app, command, |found| {
        let unknown = |one: &&Validated| one.refusal.as_ref().is_some_and(|no| no.reason == Reason::CodeUnknown);
        app.note_wrong_codes(&guesser, found.iter().filter(unknown).count());
        let results = sent.into_iter().zip(found).map(|(sent, one)| ValidationView::of(sent, one, now, &view));
        ok(&Validations { results: results.collect(), revision: view.revision.clone() })
    })
    .await
}
