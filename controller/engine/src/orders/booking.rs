//! What an order holds and counted, kept with it, so that a void, a lapse or a return gives back exactly that.

use crate::{Halt, attribution::Counted, tx::Tx};
use fanfare_core::{
    ids::{GrantId, HoldId, Name, RedemptionId},
    money::Minor,
    time::Ts,
};
use fanfare_store::rows::Order;
use serde::{Deserialize, Serialize};

/// Everything that an order moved.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct Booking {
    /// One for each discount of the evaluation, in its order.
    pub discounts: Vec<Booked>,
    /// Counters that it moved, by how much.
    pub counts: Vec<(String, i64)>,
    /// Campaigns that it counted for, with the revenue that still counts.
    pub sales: Vec<Counted>,
    /// When it took what it holds.
    pub since: Option<Ts>,
    /// Units of lines that came back so far, as (line, quantity).
    pub returned: Vec<(String, i64)>,
}

/// What one discount of an order moved.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Booked {
    /// The campaign that pays, unless a voucher does.
    pub campaign: Option<Name>,
    /// The voucher that it uses.
    pub grant: Option<GrantId>,
    /// The use of that voucher; nothing when the voucher was gone before a late commit.
    pub redemption: Option<RedemptionId>,
    /// The flash-sale reservation that it uses.
    pub hold: Option<HoldId>,
    /// What was set aside for it and is not spent yet.
    pub reserved: Minor,
    /// What it takes off.
    pub amount: Minor,
    /// How much of that was taken back by returns.
    pub returned: Minor,
    /// Whether its campaign's budget paid: not where it was gone before a late commit.
    pub funded: bool,
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
        self.discounts.iter().any(|booked| booked.redemption.as_ref() == Some(redemption))
    }
}

/// Gives back what was counted.
pub(crate) fn uncount(tx: &mut Tx<'_>, counts: &mut Vec<(String, i64)>) -> Result<(), Halt> {
    for (key, delta) in counts.drain(..) {
        tx.count_up(&key, -delta)?;
    }
    Ok(())
}
