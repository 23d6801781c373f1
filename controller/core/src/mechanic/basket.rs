//! What mechanics see of a cart, and what they answer: the lines with what is left to pay of each, and an offer.

use super::Effect;
use crate::{
    cart::{Cart, Line},
    ids::{HoldId, MemberId, Name, StoreId},
    money::Minor,
    reason::Refusal,
    time::Ts,
};
use serde::{Deserialize, Serialize};

/// A cart on its way through the mechanics.
#[derive(Clone, Debug)]
pub struct Basket<'a> {
    /// The cart.
    pub cart: &'a Cart,
    /// What is left to pay per line, in the cart's order.
    pub left: Vec<Minor>,
    /// What a line must still cost, by the floors of the discounts that took something off it.
    pub floors: Vec<Minor>,
    /// What a line must still cost whatever is taken off it, so that the margin is kept.
    pub guards: Vec<Minor>,
    /// Units per line whose price a flash sale has already set.
    pub flash_units: Vec<i64>,
    /// The reservations that the cart names, as stored.
    pub holds: &'a [Hold],
}

impl<'a> Basket<'a> {
    /// A cart of which nothing is taken off yet.
    pub fn new(cart: &'a Cart, holds: &'a [Hold]) -> Self {
        let left = cart.lines.iter().map(Line::total).collect();
        let lines = cart.lines.len();
        Self {
            cart,
            left,
            floors: vec![Minor::ZERO; lines],
            guards: vec![Minor::ZERO; lines],
            flash_units: vec![0; lines],
            holds,
        }
    }

    /// What may still be taken off each line.
    pub fn rooms(&self) -> impl Iterator<Item = Minor> + '_ {
        let least = self.floors.iter().zip(&self.guards).map(|(floor, guard)| *floor.max(guard));
        self.left.iter().zip(least).map(|(left, least)| left.minus(least).or_zero())
    }

    /// The same basket, were no margin to be kept; nothing where none is.
    #[must_use]
    pub fn unguarded(&self) -> Option<Self> {
        let is_guarded = self.guards.iter().any(|guard| *guard > Minor::ZERO);
        is_guarded.then(|| Self { guards: vec![Minor::ZERO; self.guards.len()], ..self.clone() })
    }

    /// Each line with what is left to pay of it.
    pub fn lines(&self) -> impl Iterator<Item = (&'a Line, Minor)> + '_ {
        self.cart.lines.iter().zip(self.left.iter().copied())
    }

    /// Takes an offer off.
    pub fn take(&mut self, shares: &[Minor]) {
        for (left, share) in self.left.iter_mut().zip(shares) {
            *left = left.minus(*share);
        }
    }

    /// What is left to pay in all.
    pub fn payable(&self) -> Minor {
        self.left.iter().copied().sum()
    }
}

/// A reservation of flash-sale stock, as stored.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Hold {
    /// Its id.
    pub id: HoldId,
    /// Of which campaign.
    pub campaign: Name,
    /// Of which mechanic.
    pub mechanic: Name,
    /// Whose.
    pub member: MemberId,
    /// Of which item.
    pub sku: String,
    /// How many units.
    pub quantity: i64,
    /// From whose stock.
    pub store: Option<StoreId>,
    /// Until just before here.
    pub expires_at: Ts,
    /// Whether it still holds: not used, released or lapsed. One that this very order uses is handed in as open.
    pub open: bool,
}

/// What a mechanic gives on a cart. Nothing given and nothing refused means that the cart does not concern it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Offer {
    /// Money off. Usually one; a flash sale answers one per reservation and one for free stock.
    pub discounts: Vec<Off>,
    /// Rewards for this order.
    pub earned: Vec<EarnedOffer>,
    /// Why not, or why not more.
    pub refusals: Vec<(Option<HoldId>, Refusal)>,
}

/// Money off lines.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Off {
    /// Per line, in the cart's order; never below zero nor above what is left.
    pub shares: Vec<Minor>,
    /// What each line must still cost whatever else is taken off it; empty: nothing.
    pub floors: Vec<Minor>,
    /// Units per line that a flash sale priced.
    pub units: Vec<i64>,
    /// The reservation that it uses.
    pub hold: Option<HoldId>,
    /// What it counts.
    pub counts: Vec<Counts>,
}

impl Off {
    /// What is taken off in all.
    pub fn amount(&self) -> Minor {
        self.shares.iter().copied().sum()
    }
}

/// A reward that a mechanic gives for this order.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct EarnedOffer {
    /// Which.
    pub reward: Name,
    /// How many.
    pub quantity: i64,
    /// The spend that one of them needs.
    pub threshold: Minor,
    /// What each line counted towards it, in the cart's order.
    pub counted: Vec<Minor>,
}

/// A counter that a discount moves, and how a return moves it back.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Counts {
    /// Which.
    pub key: String,
    /// By how much.
    pub delta: i64,
    /// At most so far.
    pub cap: Option<i64>,
    /// What it counts.
    pub by: CountedBy,
}

impl Counts {
    /// As the effect that counts it.
    pub fn effect(self) -> Effect {
        Effect::Count { key: self.key, delta: self.delta, cap: self.cap }
    }
}

/// What a counter of a discount counts, which says how a partial return gives back.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum CountedBy {
    /// The order: given back when all of it is.
    Order,
    /// The discount's minor units: given back as the discount is.
    Amount,
    /// Units of this item: given back as they are.
    Units(String),
    /// The day on which money was given out: a void gives it back, a return does not.
    Day,
    /// Rewards that the order earns, by index into `evaluation.earned`: given back by a void, and one by one as they are
    /// really taken back after a return.
    Earned(usize),
    /// Something that a void or return does not give back.
    Kept,
}

/// Shares that sum to at most `max`, scaled down in proportion where they are more; none grows.
pub fn capped(shares: Vec<Minor>, max: Minor) -> Vec<Minor> {
    let sum: Minor = shares.iter().copied().sum();
    if sum <= max {
        return shares;
    }
    crate::money::allocate(max.or_zero(), &shares.iter().map(|share| share.0).collect::<Vec<_>>())
}
