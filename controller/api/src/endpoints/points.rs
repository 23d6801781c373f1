//! `GET /v1/points` and `GET /v1/points/entries`: the caller's points.

use crate::{
    app::{App, written},
    auth::Member,
    input::query::{Asked, PageOf, PageRequest, Paging},
    output::{Answer, repeatable},
};
use axum::extract::State;
use fanfare_core::ledger::POINTS;
use fanfare_engine::{points::Points, store::Page};
use http::HeaderMap;
use serde::Serialize;
use utoipa::ToSchema;

/// The caller's points.
#[derive(Serialize, ToSchema)]
pub(crate) struct PointsView {
    /// What can be spent now; below zero where points were taken back that were spent already.
    balance: i64,
    /// Earned and not to be spent yet, or given and not claimed yet.
    pending: i64,
    /// What of the balance lapses, next first.
    expiring: Vec<ExpiringView>,
}

/// Points that lapse.
#[derive(Serialize, ToSchema)]
pub(crate) struct ExpiringView {
    amount: i64,
    at: String,
}

/// A line of the caller's wallet.
#[derive(Serialize, ToSchema)]
pub(crate) struct EntryView {
    id: String,
    at: String,
    /// What was added; negative is taken.
    amount: i64,
    /// What it was, in a few words.
    title: &'static str,
    /// By which rule of the ledger.
    rule: String,
    /// What it is about, such as a grant.
    reference: String,
}

/// What the caller has, what is to come, and what lapses.
#[utoipa::path(
    get, path = "/v1/points", operation_id = "getPoints", tag = "member",
    responses((status = 200, body = PointsView), (status = 304, description = "It is as it was")), security(("member" = []))
)]
pub(crate) async fn get_points(State(app): State<App>, caller: Member, headers: HeaderMap) -> Answer {
    let found = app.engine().points(&caller.0).await.map_err(|error| app.call_fault(&error))?;
    let Points { balance, pending, expiring } = found;
    let zone = app.zone();
    let expiring = expiring.into_iter().map(|(amount, at)| ExpiringView { amount, at: written(at, zone) }).collect();
    repeatable(&headers, &PointsView { balance, pending, expiring })
}

/// What a rule of the ledger means to the member.
fn title(rule: &str, amount: i64) -> &'static str {
    match rule {
        "points-earned" => "Earned",
        "points-credited" => "Reward",
        "points-spent" => "Spent",
        "points-expired" => "Lapsed",
        "points-clawed-back" => "Taken back with a returned order",
        "points-transferred" if amount < 0 => "Given to another member",
        "points-transferred" => "Received from another member",
        _ if amount < 0 => "Corrected: taken",
        _ => "Corrected: added",
    }
}

/// The ledger's lines, newest first.
#[utoipa::path(
    get, path = "/v1/points/entries", operation_id = "listPointsEntries", tag = "member", params(Paging),
    responses((status = 200, body = PageOf<EntryView>), (status = 304, description = "It is as it was")), security(("member" = []))
)]
pub(crate) async fn list_points_entries(
    State(app): State<App>,
    caller: Member,
    query: Asked,
    headers: HeaderMap,
) -> Answer {
    let PageRequest { limit, after } = query.page()?;
    let lines = app.engine().point_entries(&caller.0, Page { limit, after }).await;
    let lines = lines.map_err(|error| app.store_fault(&error))?;
    let key = |line: &fanfare_engine::store::rows::LedgerLine| format!("{}.{}", line.seq, line.line);
    let more = lines.last().filter(|_| lines.len() >= limit).map(key);
    let zone = app.zone();
    let items = lines.iter().filter(|line| line.unit == POINTS).map(|line| EntryView {
        id: key(line),
        at: written(line.at, zone),
        amount: line.amount,
        title: title(&line.rule, line.amount),
        rule: line.rule.clone(),
        reference: line.reference.clone(),
    });
    repeatable(&headers, &PageRequest::answer(items.collect(), more))
}
