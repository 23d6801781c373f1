//! What an order holds and counted, kept with it, so that a void, a lapse or a return gives back exactly that.

use crate::attribution::Counted;
use fanfare_core::{
    ids::{GrantId, HoldId, Name, RedemptionId, StoreId},
    money::Minor,
    points::{Earn, Lot},
    pricing::{Consumed, Priced},
    time::Ts,
    world::Origin,
};
use fanfare_store::rows::Order;
use serde::{Deserialize, Serialize};

/// Everything that an order moved beside its evaluation.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct Booking {
    /// What each discount and campaign counts.
    pub consumed: Vec<Consumed>,
    /// Whether the counters of `consumed` are moved: not after a void or a lapse.
    pub counted: bool,
    /// What each campaign pays.
    pub spends: Vec<Spend>,
    /// The vouchers that it uses.
    pub vouchers: Vec<VoucherUse>,
    /// The flash-sale reservations that it uses.
    pub holds: Vec<HoldId>,
    /// What is set aside of what it will earn, until it is committed.
    pub promised: Vec<Promise>,
    /// Campaigns that it counted for, with the revenue that still counts.
    pub sales: Vec<Counted>,
    /// Units of lines that came back so far, as (line, quantity).
    pub returned: Vec<(String, i64)>,
    /// What those units cost before discounts.
    pub returned_total: Minor,
    /// How many of each of the evaluation's earned rewards were called back, in its order.
    pub called_back: Vec<i64>,
    /// Points that the namespace's formula gave for it.
    pub points: Option<EarnedPoints>,
    /// Campaigns in which paying it was an event that counted, so that a return is one that counts back.
    pub progressed: Vec<Name>,
    /// From which device and address it came.
    #[serde(skip_serializing_if = "Origin::is_none")]
    pub origin: Origin,
    /// A refund of it came before the order itself: what came, to be applied once the order comes.
    pub awaited: Vec<Awaited>,
    /// Whether it counts in the day of its till.
    pub in_day: bool,
}

/// Points that an order earned without any campaign, under the formula of that time.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct EarnedPoints {
    /// What it was.
    pub rules: Vec<Earn>,
    /// The times that they were given.
    pub lot: Lot,
    /// How many.
    pub earned: i64,
    /// How many there is still ground for, after what came back.
    pub kept: i64,
    /// How many were taken back; fewer than there was no ground for where the wallet did not hold them any more.
    pub taken: i64,
}

/// What one campaign pays for an order's discounts.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Spend {
    /// Which campaign.
    pub campaign: Name,
    /// What the discounts come to.
    pub amount: Minor,
    /// What is set aside for it and not spent yet.
    pub reserved: Minor,
    /// Whether its budget pays: not where it was gone before a late commit, nor where there was none when it was reserved.
    pub funded: bool,
}

/// What a reserved order holds of a reward that it will earn.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Promise {
    /// The campaign that gives it.
    pub campaign: Name,
    /// What.
    pub reward: Name,
    /// How many of its stock; 0 where it has none.
    pub stock: i64,
    /// How much of the campaign's budget.
    pub reserved: Minor,
    /// The counters of the budget's parts that count it.
    pub counted: Vec<String>,
}

/// One voucher of an order.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct VoucherUse {
    /// The voucher.
    pub grant: GrantId,
    /// Its use; nothing where it was gone before a late commit.
    pub redemption: Option<RedemptionId>,
    /// What it takes off.
    pub amount: Minor,
    /// How much of that was taken back by returns.
    pub returned: Minor,
}

/// A refund that came before its order.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Awaited {
    /// The till's id.
    pub return_id: String,
    /// What the shopper got back, where it says.
    pub total: Option<Minor>,
    /// (line, quantity).
    pub lines: Vec<(String, i64)>,
    /// Where it came back, where it says.
    #[serde(default)]
    pub store: Option<StoreId>,
    /// When.
    #[serde(default)]
    pub at: Option<Ts>,
}

impl Booking {
    /// The booking of an order; empty for one that moved nothing here.
    pub fn of(order: &Order) -> Self {
        serde_json::from_value(order.booking.clone()).unwrap_or_default()
    }

    /// As it is kept.
    pub fn to_value(&self) -> serde_json::Value {
        serde_json::to_value(self).unwrap_or_default()
    }

    /// Whether this redemption was made by the order itself, so that it follows the order.
    pub fn has(&self, redemption: &RedemptionId) -> bool {
        self.vouchers.iter().any(|used| used.redemption.as_ref() == Some(redemption))
    }

    /// The price of the order as core's decisions read it.
    pub fn priced(&self, order: &Order) -> Priced {
        Priced { evaluation: order.evaluation.clone(), consumed: self.consumed.clone(), exhausted: Vec::new() }
    }
}
