//! `POST /v1/orders/{id}/returns`: goods come back, at any store of the namespace.

use super::order_answer;
use crate::{
    app::App,
    auth::{Desk, scope::Reverse},
    input::{idempotency::IdempotencyKey, json::Body, path::Id},
    output::Answer,
    wire::{Faults, SENTENCE_MAX, cart::quantity, order::OrderView},
};
use axum::extract::State;
use fanfare_core::{cart::LINES_MAX, model::RuntimePlan};
use fanfare_engine::orders::ReturnOrder;
use serde::{Deserialize, Serialize};
use std::collections::HashSet;
use utoipa::ToSchema;

/// What comes back.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(crate) struct ReturnBody {
    /// The till's id of this return, once and for all.
    return_id: String,
    /// At most 500.
    lines: Vec<ReturnedLine>,
    reason: String,
    /// Where it comes back; a till's own store, else that of the order, when left out.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    store_id: Option<String>,
    /// The day of the till that takes it back; the calendar day of that store when left out.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(example = "2026-11-11")]
    business_date: Option<String>,
}

/// Units of one line that come back.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct ReturnedLine {
    /// The line's id in the order.
    id: String,
    #[schema(minimum = 1)]
    quantity: i64,
}

impl ReturnBody {
    fn check(&self, runtime: &RuntimePlan) -> Faults {
        let mut faults = Faults::default();
        faults.text("/returnId", &self.return_id);
        faults.bounded("/reason", &self.reason, SENTENCE_MAX);
        faults.store("/storeId", self.store_id.as_deref(), runtime);
        if self.lines.is_empty() || self.lines.len() > LINES_MAX {
            faults.add("/lines", "there is none, or too many", format!("1 to {LINES_MAX} lines"));
        }
        let mut seen = HashSet::new();
        for (index, line) in self.lines.iter().enumerate().take(LINES_MAX) {
            faults.text(format!("/lines/{index}/id"), &line.id);
            quantity(line.quantity, &format!("/lines/{index}/quantity"), &mut faults);
            if !seen.insert(line.id.as_str()) {
                faults.add(format!("/lines/{index}/id"), format!("{:?} stands twice", line.id), "name each line once");
            }
        }
        faults
    }
}

/// Takes goods of an order back.
#[utoipa::path(
    post, path = "/v1/orders/{id}/returns", operation_id = "returnOrder", tag = "till",
    params(("id" = String, Path), ("Idempotency-Key" = String, Header)), request_body = ReturnBody,
    responses((status = 201, body = OrderView), (status = 200, body = OrderView)),
    security(("terminal" = []), ("integration" = []))
)]
pub(crate) async fn return_order(
    State(app): State<App>,
    caller: Desk<Reverse>,
    Id(id): Id,
    key: IdempotencyKey,
    Body(body): Body<ReturnBody>,
) -> Answer {
    let runtime = app.runtime()?;
    let mut faults = body.check(&runtime);
    let ReturnBody { return_id, lines, reason, store_id, business_date } = body.clone();
    let store = store_id.map(Into::into).or_else(|| caller.0.store.clone());
    faults.business_day(business_date.as_ref(), store.as_ref(), app.now(), &runtime);
    faults.done()?;
    let store = caller.0.store_of(store)?;
    let lines = lines.into_iter().map(|line| (line.id, line.quantity)).collect();
    let command = ReturnOrder { id: id.into(), return_id, lines, reason, store, business_date };
    order_answer::call(&app, &caller.0, key, &body, command, order_answer::returned).await
}
