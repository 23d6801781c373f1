//! `discount`: money off items, directly on the cart.

use crate::{
    cart::Items,
    money::{BasisPoints, Minor},
};
use serde::{Deserialize, Serialize};

/// Money off items.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Discount {
    /// How much.
    pub off: Off,
    /// Which items.
    pub items: Items,
    /// Only when these items cost at least so much.
    pub min_spend: Minor,
    /// At most so much, per line, order or member.
    pub max: Option<(Minor, MaxPer)>,
    /// No unit gets cheaper than this.
    pub floor_price: Minor,
}

/// How much is taken off.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Off {
    /// A share of each line.
    Percent(BasisPoints),
    /// An amount of the items together.
    Amount(Minor),
    /// Each unit costs this, where that is less.
    FixedPrice(Minor),
}

/// What a maximum is meant for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum MaxPer {
    /// Each line.
    Line,
    /// Each order.
    Order,
    /// One member over the whole campaign.
    Member,
}

impl super::Behaviour for Discount {
    fn kind(&self) -> &'static str {
        "discount"
    }
}
