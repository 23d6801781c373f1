//! A redemption as a till sees it.

use super::order::ExceptionView;
use crate::output::View;
use fanfare_core::money::Minor;
use fanfare_engine::{
    redemptions::Outcome,
    store::rows::{Redemption, RedemptionState},
};
use serde::Serialize;
use utoipa::ToSchema;

/// One use of one voucher.
#[derive(Clone, Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(crate) struct RedemptionView {
    id: String,
    /// `Reserved`, `Committed`, `Voided`, `Lapsed`, `PartiallyReversed` or `Reversed`.
    state: String,
    grant: String,
    currency: String,
    /// What it took off.
    amount: String,
    /// What the voucher can still give; left out where an order's redemptions are listed.
    #[serde(skip_serializing_if = "Option::is_none")]
    remaining: Option<String>,
    /// How often the voucher can still be used; left out where there is no end of uses, and where an order's redemptions
    /// are listed.
    #[serde(skip_serializing_if = "Option::is_none")]
    uses_left: Option<i64>,
    /// When its reservation lapses.
    #[serde(skip_serializing_if = "Option::is_none")]
    expires_at: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    order_id: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    store_id: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    terminal_id: Option<String>,
    created_at: String,
    reversals: Vec<ReversalView>,
    /// What was booked as an exception, where a till took the voucher offline and it was used meanwhile.
    #[serde(skip_serializing_if = "Option::is_none")]
    exception: Option<ExceptionView>,
}

/// One reversal.
#[derive(Clone, Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(crate) struct ReversalView {
    reversal_id: String,
    amount: String,
    reason: String,
}

/// What the voucher of a redemption can still give.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Left {
    pub(crate) remaining: Option<Minor>,
    pub(crate) uses: Option<i64>,
}

/// How what a call made of it is written.
pub(crate) fn outcome(outcome: &Outcome, at: &View) -> RedemptionView {
    let Outcome { redemption, remaining, uses_left, created: _, exception } = outcome;
    let exception = exception.clone().map(ExceptionView::of);
    let left = Left { remaining: Some(*remaining), uses: *uses_left };
    RedemptionView { exception, ..view(redemption, left, at) }
}

/// How it is written.
pub(crate) fn view(redemption: &Redemption, left: Left, view: &View) -> RedemptionView {
    let Redemption { id, grant, order, store, terminal, state, amount, expires_at, created_at, reversals, place: _ } =
        redemption;
    let reversal = |(id, amount, reason): &(String, Minor, String)| ReversalView {
        reversal_id: id.clone(),
        amount: view.amount(*amount),
        reason: reason.clone(),
    };
    RedemptionView {
        id: id.to_string(),
        state: state.as_str().into(),
        grant: grant.to_string(),
        currency: view.currency(),
        amount: view.amount(*amount),
        remaining: left.remaining.map(|amount| view.amount(amount)),
        uses_left: left.uses,
        expires_at: expires_at.filter(|_| *state == RedemptionState::Reserved).map(|at| view.time(at)),
        order_id: order.as_ref().map(ToString::to_string),
        store_id: store.as_ref().map(ToString::to_string),
        terminal_id: terminal.clone(),
        created_at: view.time(*created_at),
        reversals: reversals.iter().map(reversal).collect(),
        exception: None,
    }
}
