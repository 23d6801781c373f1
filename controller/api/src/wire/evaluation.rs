//! What a cart costs and why, as it is answered.

use crate::output::View;
use fanfare_core::cart::{Available, Discount, Earned, Evaluation, LineShare, PricedLine, Rejected, Subject};
use serde::Serialize;
use utoipa::ToSchema;

/// An evaluated cart. Amounts of the lines sum to those of the whole; the discounts sum to `discount`, the payments to
/// `paid`; `payable` is `total` less both.
#[derive(Clone, Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(crate) struct EvaluationView {
    /// Of every amount here.
    pub(crate) currency: String,
    /// Before discounts.
    pub(crate) total: String,
    /// What is taken off.
    pub(crate) discount: String,
    /// What gift cards pay.
    pub(crate) paid: String,
    /// What is still to be paid.
    pub(crate) payable: String,
    /// In the cart's order.
    pub(crate) lines: Vec<LineView>,
    /// Each that applied.
    pub(crate) discounts: Vec<DiscountView>,
    /// Each gift card that pays.
    pub(crate) payments: Vec<PaymentView>,
    /// What a committed order gives.
    pub(crate) earned: Vec<EarnedView>,
    /// Other vouchers of the shopper that would apply.
    pub(crate) available: Vec<AvailableView>,
    /// What does not apply, and why.
    pub(crate) rejected: Vec<RejectedView>,
    /// The revision of the rules.
    pub(crate) revision: String,
}

#[derive(Clone, Debug, Serialize, ToSchema)]
pub(crate) struct LineView {
    id: String,
    total: String,
    discount: String,
    /// What gift cards pay of it.
    paid: String,
    payable: String,
}

/// What one gift card pays.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub(crate) struct PaymentView {
    /// The card's code; of a payload an order names the card's id.
    #[serde(skip_serializing_if = "Option::is_none")]
    code: Option<String>,
    /// The card.
    #[serde(skip_serializing_if = "Option::is_none")]
    grant: Option<String>,
    amount: String,
    lines: Vec<ShareView>,
}

#[derive(Clone, Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(crate) struct DiscountView {
    /// The campaign that gives it or gave the voucher.
    #[serde(skip_serializing_if = "Option::is_none")]
    campaign: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    mechanic: Option<String>,
    /// The voucher's code; of a payload an order names the voucher's id.
    #[serde(skip_serializing_if = "Option::is_none")]
    code: Option<String>,
    /// The voucher.
    #[serde(skip_serializing_if = "Option::is_none")]
    grant: Option<String>,
    /// The flash-sale reservation that it uses.
    #[serde(skip_serializing_if = "Option::is_none")]
    reservation: Option<String>,
    amount: String,
    lines: Vec<ShareView>,
}

#[derive(Clone, Debug, Serialize, ToSchema)]
pub(crate) struct ShareView {
    id: String,
    amount: String,
}

#[derive(Clone, Debug, Serialize, ToSchema)]
pub(crate) struct EarnedView {
    /// The campaign that gives it; absent for points by the namespace's own formula.
    #[serde(skip_serializing_if = "Option::is_none")]
    campaign: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    mechanic: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    reward: Option<String>,
    /// How many of the reward.
    #[serde(skip_serializing_if = "Option::is_none")]
    quantity: Option<i64>,
    /// What they are worth together, where that is known.
    #[serde(skip_serializing_if = "Option::is_none")]
    amount: Option<String>,
    /// How many points by the namespace's own formula.
    #[serde(skip_serializing_if = "Option::is_none")]
    points: Option<i64>,
}

#[derive(Clone, Debug, Serialize, ToSchema)]
pub(crate) struct AvailableView {
    grant: String,
    title: String,
    amount: String,
}

#[derive(Clone, Debug, Serialize, ToSchema)]
pub(crate) struct RejectedView {
    #[serde(skip_serializing_if = "Option::is_none")]
    code: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    reservation: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    campaign: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    mechanic: Option<String>,
    /// The reward that is not given.
    #[serde(skip_serializing_if = "Option::is_none")]
    reward: Option<String>,
    /// A stable code.
    reason: String,
    /// In a sentence.
    detail: String,
}

/// How it is written.
pub(crate) fn view(evaluation: &Evaluation, view: &View) -> EvaluationView {
    let Evaluation { total, discount, paid, payable, lines, discounts, earned, points, available, rejected } =
        evaluation;
    EvaluationView {
        currency: view.currency(),
        total: view.amount(*total),
        discount: view.amount(*discount),
        paid: view.amount(*paid),
        payable: view.amount(*payable),
        lines: lines.iter().map(|line| line_view(line, view)).collect(),
        discounts: discounts.iter().filter(|one| !one.payment).map(|one| discount_view(one, view)).collect(),
        payments: discounts.iter().filter(|one| one.payment).map(|one| payment_view(one, view)).collect(),
        // What could not be given keeps its row, since later returns count by place.
        earned: earned
            .iter()
            .filter(|one| one.quantity > 0)
            .map(|one| earned_view(one, view))
            .chain(points_view(*points))
            .collect(),
        available: available.iter().map(|one| available_view(one, view)).collect(),
        rejected: rejected.iter().map(|one| rejected_view(one, view)).collect(),
        revision: view.revision.clone(),
    }
}

fn line_view(line: &PricedLine, view: &View) -> LineView {
    let PricedLine { id, total, discount, paid, payable } = line;
    LineView {
        id: id.clone(),
        total: view.amount(*total),
        discount: view.amount(*discount),
        paid: view.amount(*paid),
        payable: view.amount(*payable),
    }
}

fn discount_view(one: &Discount, view: &View) -> DiscountView {
    let Discount { campaign, mechanic, code, grant, hold, amount, lines, units: _, payment: _ } = one;
    DiscountView {
        campaign: campaign.as_ref().map(ToString::to_string),
        mechanic: mechanic.as_ref().map(ToString::to_string),
        code: code.as_ref().map(|code| view.code(code)),
        grant: grant.as_ref().map(ToString::to_string),
        reservation: hold.as_ref().map(ToString::to_string),
        amount: view.amount(*amount),
        lines: lines.iter().map(|one| share(one, view)).collect(),
    }
}

fn payment_view(one: &Discount, view: &View) -> PaymentView {
    PaymentView {
        code: one.code.as_ref().map(|code| view.code(code)),
        grant: one.grant.as_ref().map(ToString::to_string),
        amount: view.amount(one.amount),
        lines: one.lines.iter().map(|line| share(line, view)).collect(),
    }
}

fn share(share: &LineShare, view: &View) -> ShareView {
    ShareView { id: share.id.clone(), amount: view.amount(share.amount) }
}

fn earned_view(earned: &Earned, view: &View) -> EarnedView {
    let Earned { campaign, mechanic, reward, quantity, amount, threshold: _, counted: _ } = earned;
    EarnedView {
        campaign: Some(campaign.to_string()),
        mechanic: Some(mechanic.to_string()),
        reward: Some(reward.to_string()),
        quantity: Some(*quantity),
        amount: amount.map(|amount| view.amount(amount)),
        points: None,
    }
}

/// Points that no campaign gives.
fn points_view(points: i64) -> Option<EarnedView> {
    (points > 0).then_some(EarnedView {
        campaign: None,
        mechanic: None,
        reward: None,
        quantity: None,
        amount: None,
        points: Some(points),
    })
}

fn available_view(available: &Available, view: &View) -> AvailableView {
    let Available { grant, title, amount } = available;
    AvailableView { grant: grant.to_string(), title: title.clone(), amount: view.amount(*amount) }
}

fn rejected_view(rejected: &Rejected, view: &View) -> RejectedView {
    let Rejected { subject, reward, reason, detail } = rejected;
    let (code, reservation, campaign, mechanic) = match subject {
        Subject::Code(code) => (Some(view.code(code)), None, None, None),
        Subject::Reservation(hold) => (None, Some(hold.to_string()), None, None),
        Subject::Campaign(campaign, mechanic) => {
            (None, None, Some(campaign.to_string()), mechanic.as_ref().map(ToString::to_string))
        }
    };
    let (reward, reason) = (reward.as_ref().map(ToString::to_string), reason.code().into());
    RejectedView { code, reservation, campaign, mechanic, reward, reason, detail: detail.clone() }
}
