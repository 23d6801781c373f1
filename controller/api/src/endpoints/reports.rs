//! `GET /v1/reports/{name}`: `trial-balance`, `liability` and `breakage`, each of one consistent cut.

use crate::{
    app::App,
    auth::{Integration, scope::Reports},
    input::{path::Id, query::Asked},
    output::{Answer, View, at_position, ok},
    problem::Problem,
    table::{csv, wants_csv},
};
use axum::extract::State;
use fanfare_core::money::Minor;
use fanfare_engine::{
    reports::{Claim, Report},
    store::reports::Sum,
};
use http::HeaderMap;
use serde::Serialize;
use std::collections::BTreeMap;
use utoipa::ToSchema;

/// A report.
#[derive(Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(crate) struct ReportView<T> {
    name: &'static str,
    /// Everything up to here is in it, nothing behind.
    position: i64,
    as_of: String,
    currency: String,
    items: Vec<T>,
    /// By unit. A trial balance sums to zero.
    totals: Vec<TotalView>,
}

/// What each report lists.
#[derive(Serialize, ToSchema)]
#[serde(untagged)]
pub(crate) enum ReportBody {
    /// `trial-balance`.
    Sums(ReportView<SumView>),
    /// `liability` and `breakage`.
    Claims(ReportView<ClaimView>),
}

/// A sum.
#[derive(Serialize, ToSchema)]
pub(crate) struct TotalView {
    unit: String,
    amount: String,
}

/// What an account holds.
#[derive(Serialize, ToSchema)]
pub(crate) struct SumView {
    /// Wallets are one line together, `wallet/*`.
    account: String,
    /// A currency, `points` or `stock:<reward>`.
    unit: String,
    /// A decimal text; whole where the unit is no currency.
    amount: String,
    /// How many accounts this is.
    accounts: i64,
}

/// What is owed, or expired unspent, of one kind.
#[derive(Serialize, ToSchema)]
pub(crate) struct ClaimView {
    /// `points` in wallets, `giftCard`, or a reward that waits to be used: `voucher`, `freeItem`, `points`.
    kind: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    reward: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    campaign: Option<String>,
    /// Points or uses; money on gift cards.
    quantity: String,
    /// Points at `points.worth`, rewards at their `unitCost`, else their worth.
    worth: String,
}

/// One of the reports, as JSON or CSV. `liability` and `breakage` read every grant.
#[utoipa::path(
    get, path = "/v1/reports/{name}", operation_id = "getReport", tag = "finance",
    params(
        ("name" = String, Path, description = "`trial-balance`, `liability` or `breakage`"),
        ("format" = Option<String>, Query, description = "`json` or `csv`, instead of `Accept`")
    ),
    responses((status = 200, content((ReportBody = "application/json"), (String = "text/csv")))),
    security(("integration" = []))
)]
pub(crate) async fn get_report(
    State(app): State<App>,
    _: Integration<Reports>,
    Id(name): Id,
    asked: Asked,
    headers: HeaderMap,
) -> Answer {
    let as_csv = wants_csv(&headers, &asked, ("json", "application/json"))?;
    let view = View::of(&app)?;
    let engine = app.engine();
    match name.as_str() {
        "trial-balance" => {
            let report = engine.trial_balance().await.map_err(|error| app.call_fault(&error))?;
            sums("trial-balance", report, &view, as_csv)
        }
        "liability" => {
            let report = engine.liability().await.map_err(|error| app.call_fault(&error))?;
            claims("liability", report, &view, as_csv)
        }
        "breakage" => {
            let report = engine.breakage().await.map_err(|error| app.call_fault(&error))?;
            claims("breakage", report, &view, as_csv)
        }
        _ => Err(Problem::not_found("report; the reports are trial-balance, liability and breakage")),
    }
}

/// An amount of a unit: money as a decimal text, everything else whole.
pub(crate) fn amount_of(unit: &str, amount: i64, view: &View) -> String {
    if unit == view.runtime.currency.code() { view.amount(Minor(amount)) } else { amount.to_string() }
}

fn sums(name: &'static str, report: Report<Sum>, view: &View, as_csv: bool) -> Answer {
    let mut totals: BTreeMap<&str, i64> = BTreeMap::new();
    for line in &report.lines {
        *totals.entry(&line.unit).or_default() += line.amount;
    }
    let total =
        |(unit, amount): (&&str, &i64)| TotalView { unit: (*unit).to_owned(), amount: amount_of(unit, *amount, view) };
    let totals = totals.iter().map(total).collect();
    let items: Vec<SumView> = report
        .lines
        .iter()
        .map(|Sum { account, unit, amount, accounts }| SumView {
            account: account.clone(),
            unit: unit.clone(),
            amount: amount_of(unit, *amount, view),
            accounts: *accounts,
        })
        .collect();
    let position = report.position;
    let answer = if as_csv {
        let cells =
            |one: SumView| vec![position.0.to_string(), one.account, one.unit, one.amount, one.accounts.to_string()];
        csv(&["position", "account", "unit", "amount", "accounts"], items.into_iter().map(cells))?
    } else {
        ok(&ReportBody::Sums(report_view(name, (position.0, report.as_of), view, items, totals)))?
    };
    Ok(at_position(answer, position))
}

fn claims(name: &'static str, report: Report<Claim>, view: &View, as_csv: bool) -> Answer {
    let worth: Minor = report.lines.iter().map(|line| line.worth).sum();
    let totals = vec![TotalView { unit: view.currency(), amount: view.amount(worth) }];
    let claim = |Claim { kind, reward, campaign, quantity, worth }: &Claim| ClaimView {
        kind: (*kind).to_owned(),
        reward: reward.as_ref().map(ToString::to_string),
        campaign: campaign.as_ref().map(ToString::to_string),
        quantity: if *kind == "giftCard" { view.amount(Minor(*quantity)) } else { quantity.to_string() },
        worth: view.amount(*worth),
    };
    let items: Vec<ClaimView> = report.lines.iter().map(claim).collect();
    let position = report.position;
    let answer = if as_csv {
        let currency = view.currency();
        let cells = |one: ClaimView| {
            let (reward, campaign) = (one.reward.unwrap_or_default(), one.campaign.unwrap_or_default());
            vec![position.0.to_string(), one.kind, reward, campaign, one.quantity, one.worth, currency.clone()]
        };
        let heads = ["position", "kind", "reward", "campaign", "quantity", "worth", "currency"];
        csv(&heads, items.into_iter().map(cells))?
    } else {
        ok(&ReportBody::Claims(report_view(name, (position.0, report.as_of), view, items, totals)))?
    };
    Ok(at_position(answer, position))
}

fn report_view<T>(
    name: &'static str,
    (position, as_of): (i64, fanfare_core::time::Ts),
    view: &View,
    items: Vec<T>,
    totals: Vec<TotalView>,
) -> ReportView<T> {
    ReportView { name, position, as_of: view.time(as_of), currency: view.currency(), items, totals }
}
