//! `GET /v1/reconciliation`: what the tills of a business day must add up to.

use crate::{
    app::App,
    auth::{Desk, scope::Reports},
    input::query::Asked,
    output::{Answer, View, at_position, ok},
    table::{csv, wants_csv},
    wire::Faults,
};
use axum::extract::State;
use fanfare_core::{ids::StoreId, money::Minor};
use fanfare_engine::days::DayFigures;
use http::HeaderMap;
use serde::Serialize;
use utoipa::ToSchema;

/// A business day, by store.
#[derive(Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(crate) struct ReconciliationView {
    /// Everything up to here is in it, nothing behind.
    position: i64,
    as_of: String,
    business_date: String,
    currency: String,
    items: Vec<DayView>,
}

/// What a store did on the day.
#[derive(Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(crate) struct DayView {
    /// `null` for orders that name no store.
    store_id: Option<String>,
    /// Orders that were committed here, or reported.
    orders: i64,
    /// What they cost before discounts.
    gross: String,
    discount: String,
    /// What gift cards paid.
    cards: String,
    /// What was still to be paid: gross less discount and cards.
    payable: String,
    /// Returns that were taken here, wherever the order was.
    returns: i64,
    refunds: String,
    /// What they put back on gift cards, beside that.
    card_refunds: String,
    /// Payable less refunds.
    net: String,
    /// Vouchers that orders used.
    vouchers: i64,
    /// What those took off; part of the discount.
    voucher_amount: String,
    /// Redemptions without an order.
    redemptions: i64,
    redeemed: String,
    /// Reversals of such redemptions that were made here.
    reversals: i64,
    reversed: String,
    /// Exceptions that were booked; `GET /v1/exceptions` lists them.
    exceptions: i64,
}

const HEADS: [&str; 20] = [
    "position",
    "storeId",
    "businessDate",
    "currency",
    "orders",
    "gross",
    "discount",
    "cards",
    "payable",
    "returns",
    "refunds",
    "cardRefunds",
    "net",
    "vouchers",
    "voucherAmount",
    "redemptions",
    "redeemed",
    "reversals",
    "reversed",
    "exceptions",
];

impl DayView {
    fn of(day: &DayFigures, view: &View) -> Self {
        let net = day.net();
        let DayFigures {
            store,
            business_date: _,
            orders,
            gross,
            discount,
            cards,
            payable,
            returns,
            refunds,
            card_refunds,
            vouchers,
            voucher_amount,
            redemptions,
            redeemed,
            reversals,
            reversed,
            exceptions,
        } = day;
        let money = |amount: Minor| view.amount(amount);
        Self {
            store_id: store.as_ref().map(ToString::to_string),
            orders: *orders,
            gross: money(*gross),
            discount: money(*discount),
            cards: money(*cards),
            payable: money(*payable),
            returns: *returns,
            refunds: money(*refunds),
            card_refunds: money(*card_refunds),
            net: money(net),
            vouchers: *vouchers,
            voucher_amount: money(*voucher_amount),
            redemptions: *redemptions,
            redeemed: money(*redeemed),
            reversals: *reversals,
            reversed: money(*reversed),
            exceptions: *exceptions,
        }
    }

    fn cells(self, position: i64, date: &str, currency: &str) -> Vec<String> {
        let mut cells = vec![position.to_string(), self.store_id.unwrap_or_default(), date.into(), currency.into()];
        cells.extend([self.orders.to_string(), self.gross, self.discount, self.cards, self.payable]);
        cells.extend([self.returns.to_string(), self.refunds, self.card_refunds, self.net]);
        cells.extend([self.vouchers.to_string(), self.voucher_amount, self.redemptions.to_string(), self.redeemed]);
        cells.extend([self.reversals.to_string(), self.reversed, self.exceptions.to_string()]);
        cells
    }
}

/// What each store, or one, sold, took back and redeemed on a business day. A till sees its own store.
#[utoipa::path(
    get, path = "/v1/reconciliation", operation_id = "getReconciliation", tag = "finance",
    params(
        ("businessDate" = String, Query, description = "`YYYY-MM-DD`"),
        ("storeId" = Option<String>, Query, description = "All stores when left out; a till's own"),
        ("format" = Option<String>, Query, description = "`json` or `csv`, instead of `Accept`")
    ),
    responses((status = 200, content((ReconciliationView = "application/json"), (String = "text/csv")))),
    security(("terminal" = []), ("integration" = []))
)]
pub(crate) async fn get_reconciliation(
    State(app): State<App>,
    caller: Desk<Reports>,
    asked: Asked,
    headers: HeaderMap,
) -> Answer {
    let as_csv = wants_csv(&headers, &asked, ("json", "application/json"))?;
    let store = caller.0.store_of(asked.get("storeId").map(StoreId::from))?;
    let Some(date) = asked.get("businessDate").map(ToOwned::to_owned) else {
        return Err(asked.wrong("businessDate", "it is missing", "a day, such as 2026-11-11"));
    };
    let (runtime, mut faults) = (app.runtime()?, Faults::default());
    faults.day("?businessDate", Some(&date));
    faults.store("?storeId", asked.get("storeId"), &runtime);
    faults.done()?;
    let report = app.engine().reconciliation(&date, store.as_ref()).await.map_err(|error| app.call_fault(&error))?;
    let view = View::of(&app)?;
    let days = report.lines.iter().map(|day| DayView::of(day, &view));
    let (position, currency) = (report.position.0, view.currency());
    let answer = if as_csv {
        csv(&HEADS, days.map(|day| day.cells(position, &date, &currency)))?
    } else {
        let (as_of, items) = (view.time(report.as_of), days.collect());
        ok(&ReconciliationView { position, as_of, business_date: date, currency, items })?
    };
    Ok(at_position(answer, report.position))
}
