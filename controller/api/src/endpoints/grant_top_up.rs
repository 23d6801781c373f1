//! `POST /v1/grants/{id}/top-up`: money that somebody paid is put on a gift card.

use super::redemptions::above_zero;
use crate::{
    app::App,
    auth::{Integration, scope::Redeem},
    input::{idempotency::IdempotencyKey, json::Body, path::Id},
    output::{Answer, View, call, render},
    problem::Problem,
    wire::{
        Faults,
        cart::same_currency,
        grant::{self, GrantView},
    },
};
use axum::extract::State;
use fanfare_core::money::Minor;
use fanfare_engine::{Keyed, cards::TopUp};
use http::StatusCode;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// What was paid.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(crate) struct TopUpBody {
    #[schema(example = "100.00")]
    amount: String,
    /// The namespace's currency; checked when it is sent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(example = "THB")]
    currency: Option<String>,
    /// The caller's own reference, such as a receipt; it stands in the audit trail.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    reference: Option<String>,
}

/// Puts money on a gift card.
#[utoipa::path(
    post, path = "/v1/grants/{id}/top-up", operation_id = "topUpGrant", tag = "till",
    params(("id" = String, Path), ("Idempotency-Key" = String, Header)), request_body = TopUpBody,
    responses((status = 200, body = GrantView)), security(("integration" = []))
)]
pub(crate) async fn top_up_grant(
    State(app): State<App>,
    caller: Integration<Redeem>,
    Id(id): Id,
    key: IdempotencyKey,
    Body(body): Body<TopUpBody>,
) -> Answer {
    let view = View::of(&app)?;
    if let Some(currency) = &body.currency {
        same_currency(currency, "/currency", &view.runtime)?;
    }
    let mut faults = Faults::default();
    faults.maybe("/reference", body.reference.as_ref());
    let amount = above_zero(&body.amount, "/amount", &view.runtime, &mut faults);
    faults.done()?;
    let command = TopUp {
        grant: id.into(),
        amount: amount.unwrap_or(Minor::ZERO),
        actor: format!("client:{}", caller.id()),
        reference: body.reference.clone(),
    };
    let now = app.now();
    let render = render(view, move |found: &Option<_>, view| {
        let card = found.as_ref().ok_or_else(|| Problem::not_found("gift card"))?;
        Ok((StatusCode::OK, grant::view(card, now, view)))
    });
    let digest = key.digest(&body)?;
    let keyed = Keyed { scope: caller.idempotency_scope(), key: key.key, digest, render };
    call(&app, keyed, command).await
}
