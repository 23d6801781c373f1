//! What a cart costs and why: every campaign, then every voucher, each on what the one before left.
//!
//! The same walk serves a question (`carts/evaluate`), an order and, within what was reserved, its commit. It changes
//! nothing; [`Priced`] says what an order has to count and what a void or a return gives back.

use crate::{
    cart::{Cart, Evaluation},
    ids::Name,
    mechanic::{Effect, Hold, Missing, basket::Counts},
    model::CampaignPlan,
    money::Minor,
    reward::GrantView,
    world::Visit,
};
use serde::{Deserialize, Serialize};

/// A cart and everything that can touch its price. `visit.store`, `visit.channel` and `visit.world.now` are the cart's.
pub struct Ask<'a> {
    /// The cart.
    pub cart: &'a Cart,
    /// Who, where and when.
    pub visit: Visit<'a>,
    /// Every campaign that is published, running or not.
    pub campaigns: &'a [&'a CampaignPlan],
    /// The vouchers that the cart's codes name, and the member's own.
    pub grants: &'a [GrantView<'a>],
    /// The reservations that the cart names.
    pub holds: &'a [Hold],
}

/// A price with what taking it counts.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Priced {
    /// What the caller sees.
    pub evaluation: Evaluation,
    /// What each campaign that gave something counts and spends.
    pub consumed: Vec<Consumed>,
    /// Campaigns whose budget did not hold something.
    pub exhausted: Vec<Name>,
}

/// What one discount, or a campaign as a whole, counts.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Consumed {
    /// Which campaign.
    pub campaign: Name,
    /// Which mechanic; nothing for the campaign as a whole.
    pub mechanic: Option<Name>,
    /// Which of `evaluation.discounts`; nothing for the campaign or the mechanic as a whole.
    pub discount: Option<usize>,
    /// What its budget has to hold.
    pub amount: Minor,
    /// What it counts.
    pub counts: Vec<Counts>,
}

impl Priced {
    /// The counters that taking this price moves.
    pub fn effects(&self) -> Vec<Effect> {
        Vec::new()
    }

    /// The counters that giving all of it back (a void or a lapse) moves.
    pub fn undo(&self) -> Vec<Effect> {
        Vec::new()
    }

    /// What each campaign's budget has to hold, in the order of their first discount.
    pub fn spends(&self) -> Vec<(Name, Minor)> {
        Vec::new()
    }
}

/// Prices a cart.
///
/// # Errors
/// [`Missing`] when a counter is not loaded.
pub fn evaluate(ask: &Ask<'_>) -> Result<Priced, Missing> {
    let _ = ask;
    Err(Missing)
}

/// Prices the final cart of an order within what it has `reserved`: the same mechanics and vouchers at most, none for
/// more than was reserved, as of when it was reserved (`ask.visit.world.now`). The counters in `ask` contain the
/// reservation; they are read without it.
///
/// # Errors
/// [`Missing`] when a counter is not loaded.
pub fn recompute(ask: &Ask<'_>, reserved: &Priced) -> Result<Priced, Missing> {
    let _ = (ask, reserved);
    Err(Missing)
}

/// What is left to count when an order that reserved `reserved` is committed as `price`.
pub fn difference(reserved: &Priced, price: &Priced) -> Vec<Effect> {
    let _ = (reserved, price);
    Vec::new()
}
