//! `POST /v1/adjustments` proposes a correction of the ledger; `GET /v1/adjustments` lists them.

use crate::{
    app::App,
    auth::{
        Integration,
        scope::{Adjust, AdjustOrApprove},
    },
    input::{
        idempotency::IdempotencyKey,
        json::Body,
        query::{Asked, PageOf, PageRequest, Paging},
    },
    output::{Answer, View, call, ok, render},
    wire::adjustment::{self, AdjustBody, AdjustmentView},
};
use axum::extract::State;
use fanfare_engine::{
    Keyed,
    adjustments::{Adjustment, Propose},
    store::Page,
};
use http::StatusCode;

/// Proposes a correction. What is worth at most `spec.ledger.approveAbove` is posted at once, else it waits until somebody
/// else approves it.
#[utoipa::path(
    post, path = "/v1/adjustments", operation_id = "proposeAdjustment", tag = "finance",
    params(("Idempotency-Key" = String, Header)), request_body = AdjustBody,
    responses((status = 201, body = AdjustmentView)), security(("integration" = []))
)]
pub(crate) async fn propose_adjustment(
    State(app): State<App>,
    caller: Integration<Adjust>,
    key: IdempotencyKey,
    Body(body): Body<AdjustBody>,
) -> Answer {
    let view = View::of(&app)?;
    let change = body.read(&view.runtime)?;
    let command = Propose { change, reason: body.reason.clone(), actor: caller.id().into() };
    let render = render(view, |one: &Adjustment, view| Ok((StatusCode::CREATED, adjustment::view(one, view))));
    let digest = key.digest(&body)?;
    call(&app, Keyed { scope: caller.idempotency_scope(), key: key.key, digest, render }, command).await
}

/// Corrections, newest first; `?state=Pending` those that wait for a second person.
#[utoipa::path(
    get, path = "/v1/adjustments", operation_id = "listAdjustments", tag = "finance",
    params(Paging, ("state" = Option<String>, Query, description = "`Pending`, or all when left out")),
    responses((status = 200, body = PageOf<AdjustmentView>)), security(("integration" = []))
)]
pub(crate) async fn list_adjustments(State(app): State<App>, _: Integration<AdjustOrApprove>, asked: Asked) -> Answer {
    let PageRequest { limit, after } = asked.page()?;
    let pending = asked.choice("state", &[("Pending", true)])?.unwrap_or(false);
    let found = app.engine().adjustments(pending, Page { limit, after }).await;
    let found = found.map_err(|error| app.store_fault(&error))?;
    let more = found.last().filter(|_| found.len() >= limit).map(|last| last.id.clone());
    let view = View::of(&app)?;
    ok(&PageRequest::answer(found.iter().map(|one| adjustment::view(one, &view)).collect(), more))
}
