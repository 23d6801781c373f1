//! The ledger's posting rules: which event debits and credits what.
//!
//! Every posting is a transaction of entries that sum to zero per unit. Money is in minor units under the currency's
//! code, points under `points`, stock of a reward under `stock:<reward>`. Accounts hold no person: a member's wallet
//! stands under a random account id. The table is published in `docs/reference/ledger.md`.

use crate::{
    ids::{AccountId, Name},
    money::Minor,
};
use serde::{Deserialize, Serialize};

/// One line of a transaction.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Entry {
    /// Which account.
    pub account: String,
    /// In which unit.
    pub unit: String,
    /// What is added; negative is taken.
    pub amount: i64,
}

/// A transaction of the ledger, before it has its place in the chain.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Posting {
    /// By which rule, such as `grant-issued`.
    pub rule: String,
    /// What it is about, such as a grant's or an order's id: no person, no code.
    pub reference: String,
    /// Summing to zero per unit.
    pub entries: Vec<Entry>,
}

impl Posting {
    /// A transaction that moves `amount` of `unit` between two accounts; nothing when the amount is 0.
    pub fn transfer(rule: &str, reference: &str, unit: &str, from: &str, to: &str, amount: i64) -> Option<Self> {
        let line = |account: &str, amount| Entry { account: account.into(), unit: unit.into(), amount };
        (amount != 0).then(|| Self {
            rule: rule.into(),
            reference: reference.into(),
            entries: vec![line(from, -amount), line(to, amount)],
        })
    }

    /// Whether it sums to zero per unit.
    pub fn balances(&self) -> bool {
        self.entries.iter().all(|entry| {
            let same_unit = self.entries.iter().filter(|other| other.unit == entry.unit);
            same_unit.map(|other| i128::from(other.amount)).sum::<i128>() == 0
        })
    }
}

/// The unit of loyalty points.
pub const POINTS: &str = "points";

/// The rule by which points lapse unspent: breakage.
pub const POINTS_EXPIRED: &str = "points-expired";

/// Names of accounts.
pub mod account {
    use super::{AccountId, Name};

    /// What a campaign may still spend. Opposite of [`budget_limit`] when funded.
    pub fn budget_available(campaign: &Name) -> String {
        format!("budget/{campaign}/available")
    }
    /// What is set aside for rewards and orders that are not used yet.
    pub fn budget_reserved(campaign: &Name) -> String {
        format!("budget/{campaign}/reserved")
    }
    /// What was spent.
    pub fn budget_actual(campaign: &Name) -> String {
        format!("budget/{campaign}/actual")
    }
    /// The owner's side of a campaign's budget.
    pub fn budget_limit(campaign: &Name) -> String {
        format!("budget/{campaign}/limit")
    }
    /// A member's points.
    pub fn wallet(account: &AccountId) -> String {
        format!("wallet/{account}")
    }
    /// The brand's side of all points.
    pub fn points_issued() -> String {
        "points/issued".into()
    }
    /// What is left of a reward.
    pub fn stock_available(reward: &Name) -> String {
        format!("stock/{reward}/available")
    }
    /// What reserved orders hold of a reward, which they will earn.
    pub fn stock_reserved(reward: &Name) -> String {
        format!("stock/{reward}/reserved")
    }
    /// What was given of a reward.
    pub fn stock_issued(reward: &Name) -> String {
        format!("stock/{reward}/issued")
    }
    /// The owner's side of a reward's stock.
    pub fn stock_supply(reward: &Name) -> String {
        format!("stock/{reward}/supply")
    }
    /// What was lost or found of a reward's stock, by corrections.
    pub fn stock_adjusted(reward: &Name) -> String {
        format!("stock/{reward}/adjusted")
    }
    /// What is on a gift card; the holder is owed so much.
    pub fn gift_card(grant: &crate::ids::GrantId) -> String {
        format!("giftcard/{grant}")
    }
    /// The other side of what was given with gift cards of a reward (`given`), paid in on them (`paid`), paid with them
    /// (`used`) and left on them when their time was over (`breakage`).
    pub fn gift_cards(reward: &Name, side: &str) -> String {
        format!("giftcards/{reward}/{side}")
    }
    /// Net revenue of orders that count for a campaign.
    pub fn sales_revenue(campaign: &Name) -> String {
        format!("sales/{campaign}/revenue")
    }
    /// The other side of [`sales_revenue`].
    pub fn sales_source(campaign: &Name) -> String {
        format!("sales/{campaign}/orders")
    }
    /// Cost of a campaign by category: `rewards`, `messages`, `fixed`, and `discounts`, which stand apart.
    pub fn cost(campaign: &Name, category: &str) -> String {
        format!("cost/{campaign}/{category}")
    }
    /// The other side of every [`cost`].
    pub fn cost_source(campaign: &Name) -> String {
        format!("cost/{campaign}/booked")
    }
}

/// The unit of a reward's stock.
pub fn stock_unit(reward: &Name) -> String {
    format!("stock:{reward}")
}

/// Sets `amount` of a campaign's budget aside (`grant-issued`, `order-reserved`).
pub fn reserve_budget(rule: &str, reference: &str, unit: &str, campaign: &Name, amount: Minor) -> Option<Posting> {
    let (from, to) = (account::budget_available(campaign), account::budget_reserved(campaign));
    Posting::transfer(rule, reference, unit, &from, &to, amount.0)
}

/// Gives back what was set aside (`grant-expired`, `order-voided`).
pub fn release_budget(rule: &str, reference: &str, unit: &str, campaign: &Name, amount: Minor) -> Option<Posting> {
    let (from, to) = (account::budget_reserved(campaign), account::budget_available(campaign));
    Posting::transfer(rule, reference, unit, &from, &to, amount.0)
}

/// Spends: `reserved` was set aside, `actual` is what was really given; the difference returns to, or is taken from, what
/// is available.
pub fn spend_budget(
    rule: &str,
    reference: &str,
    unit: &str,
    campaign: &Name,
    reserved: Minor,
    actual: Minor,
) -> Option<Posting> {
    let line = |account: String, amount: i64| Entry { account, unit: unit.into(), amount };
    let entries: Vec<Entry> = [
        line(account::budget_reserved(campaign), -reserved.0),
        line(account::budget_actual(campaign), actual.0),
        line(account::budget_available(campaign), reserved.0 - actual.0),
    ]
    .into_iter()
    .filter(|entry| entry.amount != 0)
    .collect();
    (!entries.is_empty()).then(|| Posting { rule: rule.into(), reference: reference.into(), entries })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_posting_sums_to_zero() {
        let campaign = Name::from("c");
        let postings = [
            reserve_budget("r", "1", "THB", &campaign, Minor(5)),
            release_budget("r", "1", "THB", &campaign, Minor(5)),
            spend_budget("r", "1", "THB", &campaign, Minor(5), Minor(3)),
            spend_budget("r", "1", "THB", &campaign, Minor(0), Minor(9)),
        ];
        assert!(postings.iter().flatten().all(Posting::balances));
        assert_eq!(postings.iter().flatten().count(), 4);
        assert!(reserve_budget("r", "1", "THB", &campaign, Minor::ZERO).is_none());
    }
}
