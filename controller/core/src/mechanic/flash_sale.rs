//! `flashSale`: few items at a special price; a member reserves, then checks out.

use crate::{money::Minor, time::Span};
use serde::{Deserialize, Serialize};

/// Few items at a special price.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct FlashSale {
    /// The items.
    pub items: Vec<Item>,
    /// How many units one member may have; without it, no limit.
    pub per_member: Option<i64>,
    /// How long a reservation holds.
    pub reserve_for: Span,
}

/// One item of a flash sale.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Item {
    /// Which.
    pub sku: String,
    /// What a unit costs.
    pub price: Minor,
    /// How many there are in all.
    pub stock: i64,
    /// How many of them in each store; without it, no bound of its own.
    pub stock_per_store: Option<i64>,
}

impl super::Behaviour for FlashSale {
    fn kind(&self) -> &'static str {
        "flashSale"
    }
}
