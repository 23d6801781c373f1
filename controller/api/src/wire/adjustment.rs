//! A correction of the ledger, as it is proposed and as it stands.

use super::{Faults, SENTENCE_MAX, cart::amount};
use crate::{
    output::{Money, View},
    problem::Problem,
};
use fanfare_core::{
    model::RuntimePlan,
    money::{AMOUNT_MAX_MINOR, Minor},
};
use fanfare_engine::adjustments::{Adjustment, Category, Change};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// What to correct, exactly one of the four, and why.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(crate) struct AdjustBody {
    /// Why, for those who look later.
    pub(crate) reason: String,
    /// A member's points.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    points: Option<PointsBody>,
    /// What a campaign has cost.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    cost: Option<CostBody>,
    /// What a campaign has spent of its budget.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    budget: Option<BudgetBody>,
    /// How many of a reward are left.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    stock: Option<StockBody>,
}

/// Points to add or to take.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(crate) struct PointsBody {
    member_id: String,
    /// Negative is taken; a wallet never goes below zero.
    amount: i64,
}

/// A cost to book or to take back.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(crate) struct CostBody {
    campaign: String,
    category: CategoryBody,
    /// Negative takes back, at most what is booked.
    #[schema(example = "-120.00")]
    amount: String,
}

/// As what a cost is booked. Fixed costs follow `spec.costs`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(crate) enum CategoryBody {
    Rewards,
    Messages,
    Discounts,
}

/// Spending to count or to give back.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(crate) struct BudgetBody {
    campaign: String,
    /// Positive counts as spent, at most what is left; negative gives back, at most what is spent.
    #[schema(example = "350.00")]
    amount: String,
}

/// Units that were lost or found.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(crate) struct StockBody {
    reward: String,
    /// Negative were lost, at most what is left.
    quantity: i64,
}

impl AdjustBody {
    /// Reads it.
    pub(crate) fn read(&self, runtime: &RuntimePlan) -> Result<Change, Problem> {
        let mut faults = Faults::default();
        faults.bounded("/reason", &self.reason, SENTENCE_MAX);
        let change = match self {
            Self { points: Some(body), cost: None, budget: None, stock: None, .. } => body.read(&mut faults),
            Self { points: None, cost: Some(body), budget: None, stock: None, .. } => body.read(runtime, &mut faults),
            Self { points: None, cost: None, budget: Some(body), stock: None, .. } => body.read(runtime, &mut faults),
            Self { points: None, cost: None, budget: None, stock: Some(body), .. } => body.read(&mut faults),
            _ => {
                faults.add("", "it names none or several corrections", "one of points, cost, budget and stock");
                None
            }
        };
        faults.done()?;
        change.ok_or_else(|| Problem::internal(&"a correction without a fault was not read"))
    }
}

impl PointsBody {
    fn read(&self, faults: &mut Faults) -> Option<Change> {
        faults.text("/points/memberId", &self.member_id);
        whole(self.amount, "/points/amount", faults);
        Some(Change::Points { member: self.member_id.as_str().into(), amount: self.amount })
    }
}

impl CostBody {
    fn read(&self, runtime: &RuntimePlan, faults: &mut Faults) -> Option<Change> {
        faults.text("/cost/campaign", &self.campaign);
        let category = match self.category {
            CategoryBody::Rewards => Category::Rewards,
            CategoryBody::Messages => Category::Messages,
            CategoryBody::Discounts => Category::Discounts,
        };
        let amount = signed(&self.amount, "/cost/amount", runtime, faults)?;
        Some(Change::Cost { campaign: self.campaign.as_str().into(), category, amount })
    }
}

impl BudgetBody {
    fn read(&self, runtime: &RuntimePlan, faults: &mut Faults) -> Option<Change> {
        faults.text("/budget/campaign", &self.campaign);
        let amount = signed(&self.amount, "/budget/amount", runtime, faults)?;
        Some(Change::Budget { campaign: self.campaign.as_str().into(), amount })
    }
}

impl StockBody {
    fn read(&self, faults: &mut Faults) -> Option<Change> {
        faults.text("/stock/reward", &self.reward);
        whole(self.quantity, "/stock/quantity", faults);
        Some(Change::Stock { reward: self.reward.as_str().into(), quantity: self.quantity })
    }
}

fn whole(amount: i64, pointer: &str, faults: &mut Faults) {
    if amount == 0 {
        faults.add(pointer, "it is nothing", "a number above or below zero");
    } else if amount.unsigned_abs() > AMOUNT_MAX_MINOR.unsigned_abs() {
        faults.add(pointer, "it is too large", format!("at most {AMOUNT_MAX_MINOR} either way"));
    }
}

/// An amount of money that may be negative, but not nothing.
fn signed(text: &str, pointer: &str, runtime: &RuntimePlan, faults: &mut Faults) -> Option<Minor> {
    let (sign, digits) = text.strip_prefix('-').map_or((1, text), |digits| (-1, digits));
    let read = amount(digits, pointer, runtime, faults)?;
    if read == Minor::ZERO {
        faults.add(pointer, "it is nothing", "an amount above or below zero");
    }
    Some(Minor(sign * read.0))
}

/// A correction as it stands.
#[derive(Clone, Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(crate) struct AdjustmentView {
    /// The reference of its posting.
    id: String,
    /// `Pending` waits for a second person, `Posted` stands in the ledger, `Rejected` was turned down.
    state: String,
    reason: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    points: Option<PointsBody>,
    #[serde(skip_serializing_if = "Option::is_none")]
    cost: Option<CostBody>,
    #[serde(skip_serializing_if = "Option::is_none")]
    budget: Option<BudgetBody>,
    #[serde(skip_serializing_if = "Option::is_none")]
    stock: Option<StockBody>,
    /// By which its approval is asked for; none where it is not known.
    #[serde(skip_serializing_if = "Option::is_none")]
    worth: Option<Money>,
    /// The credential that proposed it.
    proposed_by: String,
    proposed_at: String,
    /// The credential that approved it or turned it down.
    #[serde(skip_serializing_if = "Option::is_none")]
    decided_by: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    decided_at: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    decision_reason: Option<String>,
}

/// How it is written.
pub(crate) fn view(one: &Adjustment, at: &View) -> AdjustmentView {
    let Adjustment { id, state, change, reason, worth, proposed_by, proposed_at, decided } = one;
    let (mut points, mut cost, mut budget, mut stock) = (None, None, None, None);
    match change {
        Change::Points { member, amount } => {
            points = Some(PointsBody { member_id: member.to_string(), amount: *amount });
        }
        Change::Cost { campaign, category, amount } => {
            let category = match category {
                Category::Rewards => CategoryBody::Rewards,
                Category::Messages => CategoryBody::Messages,
                Category::Discounts => CategoryBody::Discounts,
            };
            cost = Some(CostBody { campaign: campaign.to_string(), category, amount: at.amount(*amount) });
        }
        Change::Budget { campaign, amount } => {
            budget = Some(BudgetBody { campaign: campaign.to_string(), amount: at.amount(*amount) });
        }
        Change::Stock { reward, quantity } => {
            stock = Some(StockBody { reward: reward.to_string(), quantity: *quantity });
        }
    }
    AdjustmentView {
        id: id.clone(),
        state: state.as_str().into(),
        reason: reason.clone(),
        points,
        cost,
        budget,
        stock,
        worth: worth.map(|worth| at.money(worth)),
        proposed_by: proposed_by.clone(),
        proposed_at: at.time(*proposed_at),
        decided_by: decided.as_ref().map(|decided| decided.by.clone()),
        decided_at: decided.as_ref().map(|decided| at.time(decided.at)),
        decision_reason: decided.as_ref().and_then(|decided| decided.reason.clone()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{input::json, wire::tests::runtime};

    #[test]
    fn a_wrong_correction_is_answered_by_field() {
        for (body, pointer) in [
            (r#"{"reason": "x"}"#, ""),
            (
                r#"{"reason": "x", "points": {"memberId": "m", "amount": 1}, "stock": {"reward": "r", "quantity": 1}}"#,
                "",
            ),
            (r#"{"reason": " ", "points": {"memberId": "m", "amount": 1}}"#, "/reason"),
            (r#"{"reason": "x", "points": {"memberId": "m", "amount": 0}}"#, "/points/amount"),
            (r#"{"reason": "x", "points": {"memberId": "", "amount": 1}}"#, "/points/memberId"),
            (r#"{"reason": "x", "points": {"memberId": "m", "amount": 1.5}}"#, "/points/amount"),
            (r#"{"reason": "x", "points": {"memberId": "m", "amount": 9223372036854775807}}"#, "/points/amount"),
            (
                r#"{"reason": "x", "cost": {"campaign": "c", "category": "messages", "amount": "-0.00"}}"#,
                "/cost/amount",
            ),
            (
                r#"{"reason": "x", "cost": {"campaign": "c", "category": "messages", "amount": "1.234"}}"#,
                "/cost/amount",
            ),
            (r#"{"reason": "x", "cost": {"campaign": "c", "category": "messages", "amount": "--1"}}"#, "/cost/amount"),
            (r#"{"reason": "x", "cost": {"campaign": "c", "category": "fixed", "amount": "1"}}"#, "/cost/category"),
            (r#"{"reason": "x", "budget": {"campaign": "c", "amount": "0"}}"#, "/budget/amount"),
            (r#"{"reason": "x", "stock": {"reward": "r", "quantity": 0}}"#, "/stock/quantity"),
        ] {
            let read = json::parse::<AdjustBody>(body.as_bytes()).and_then(|read| read.read(&runtime()));
            let problem = read.unwrap_err();
            assert_eq!(problem.errors[0].pointer, pointer, "{body}: {problem:?}");
        }
        let body = r#"{"reason": "x", "cost": {"campaign": "c", "category": "messages", "amount": "-1.50"}}"#;
        let change = json::parse::<AdjustBody>(body.as_bytes()).unwrap().read(&runtime()).unwrap();
        let expect = Change::Cost { campaign: "c".into(), category: Category::Messages, amount: Minor(-150) };
        assert_eq!(change, expect);
    }
}
