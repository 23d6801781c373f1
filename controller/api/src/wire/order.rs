//! An order as a till or a shop's backend sees it.

use super::{
    evaluation::{self, EvaluationView},
    redemption::{self, Left, RedemptionView},
};
use crate::output::View;
use fanfare_engine::store::rows::{Order, OrderState, Redemption, Return};
use serde::Serialize;
use utoipa::ToSchema;

/// The evaluation's fields and where the order stands.
#[derive(Clone, Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(crate) struct OrderView {
    id: String,
    /// `Reserved`, `Committed`, `Voided`, `Lapsed`, `PartiallyReturned` or `Returned`.
    state: String,
    #[serde(flatten)]
    evaluation: EvaluationView,
    /// When the reservation lapses.
    #[serde(skip_serializing_if = "Option::is_none")]
    expires_at: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    receipt_number: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    business_date: Option<String>,
    occurred_at: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    committed_at: Option<String>,
    /// The vouchers that it uses.
    redemptions: Vec<RedemptionView>,
    returns: Vec<ReturnView>,
    /// What was booked as an exception, where a late commit found its value gone.
    #[serde(skip_serializing_if = "Option::is_none")]
    exception: Option<ExceptionView>,
}

/// A booked exception.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub(crate) struct ExceptionView {
    id: String,
}

impl ExceptionView {
    /// An exception by its id.
    pub(crate) fn of(id: String) -> Self {
        Self { id }
    }
}

/// One return of an order.
#[derive(Clone, Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(crate) struct ReturnView {
    return_id: String,
    /// What the shopper gets back.
    refund: String,
    /// Worth of what was earned and is taken back.
    clawed_back: String,
    /// Vouchers that can be used again.
    restored: Vec<String>,
    /// What gift cards got back of what they had paid; not part of `refund`.
    paid_back: Vec<PaidBackView>,
    reason: String,
    at: String,
    /// Where it came back.
    #[serde(skip_serializing_if = "Option::is_none")]
    store_id: Option<String>,
    /// The day of the till that took it back.
    #[serde(skip_serializing_if = "Option::is_none")]
    business_date: Option<String>,
}

/// What one gift card got back.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub(crate) struct PaidBackView {
    grant: String,
    amount: String,
}

/// The state's name in the contract.
pub(crate) fn state(state: OrderState) -> &'static str {
    match state {
        OrderState::Reserved => "Reserved",
        OrderState::Committed => "Committed",
        OrderState::Voided => "Voided",
        OrderState::Lapsed => "Lapsed",
        OrderState::PartiallyReturned => "PartiallyReturned",
        OrderState::Returned => "Returned",
    }
}

/// How it is written.
pub(crate) fn view(order: &Order, redemptions: &[Redemption], at: &View) -> OrderView {
    let mut evaluation = evaluation::view(&order.evaluation, &at.without_payloads());
    evaluation.revision.clone_from(&order.revision);
    OrderView {
        id: order.id.to_string(),
        state: state(order.state).into(),
        evaluation,
        expires_at: order.expires_at.filter(|_| order.state == OrderState::Reserved).map(|end| at.time(end)),
        receipt_number: order.receipt_number.clone(),
        business_date: order.business_date.clone(),
        occurred_at: at.time(order.occurred_at),
        committed_at: order.committed_at.map(|when| at.time(when)),
        redemptions: redemptions.iter().map(|one| redemption::view(one, Left::default(), at)).collect(),
        returns: order.returns.iter().map(|one| return_view(one, at)).collect(),
        exception: order.exception.clone().map(ExceptionView::of),
    }
}

fn return_view(one: &Return, at: &View) -> ReturnView {
    let Return {
        id,
        lines: _,
        refund,
        clawed_back,
        restored,
        paid: _,
        to_cards,
        reason,
        at: when,
        store,
        business_date,
    } = one;
    let paid_back = |(grant, amount): &(fanfare_core::ids::GrantId, fanfare_core::money::Minor)| PaidBackView {
        grant: grant.to_string(),
        amount: at.amount(*amount),
    };
    ReturnView {
        return_id: id.clone(),
        refund: at.amount(*refund),
        clawed_back: at.amount(*clawed_back),
        restored: restored.iter().map(ToString::to_string).collect(),
        paid_back: to_cards.iter().map(paid_back).collect(),
        reason: reason.clone(),
        at: at.time(*when),
        store_id: store.as_ref().map(ToString::to_string),
        business_date: business_date.clone(),
    }
}
