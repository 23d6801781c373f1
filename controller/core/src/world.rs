//! What a decision may know: the plans in force, the counters, what budgets and stocks still hold, and who is asking.
//!
//! The engine fills these from its cache and the database; a decision only reads them. Whatever is not loaded yet
//! answers [`Missing`], the engine loads it and asks again, so a decision never sees half the truth.

use crate::{
    ids::{MemberId, Name, OrderId, StoreId},
    mechanic::{Missing, State},
    model::{RewardPlan, RuntimePlan, segment::Condition},
    money::Minor,
    segment::Facts,
    time::{Ts, Tz},
};
use serde::{Deserialize, Serialize};
use std::collections::BTreeSet;

/// The plans in force, by name.
pub trait Catalogue {
    /// Who belongs to a Segment; `None` when there is none of that name.
    fn condition(&self, segment: &Name) -> Option<&Condition>;
    /// A Reward in its newest revision; `None` when there is none of that name.
    fn reward(&self, reward: &Name) -> Option<&RewardPlan>;
}

/// What the ledger still holds.
pub trait Reserves {
    /// What a campaign may still spend in all (its `budget/…/available` account). Only asked of one with a budget.
    ///
    /// # Errors
    /// [`Missing`] when it is not loaded.
    fn available(&self, campaign: &Name) -> Result<Minor, Missing>;
    /// How many of a reward are left (its `stock/…/available` account). Only asked of one with a quantity.
    ///
    /// # Errors
    /// [`Missing`] when it is not loaded.
    fn left(&self, reward: &Name) -> Result<i64, Missing>;
}

/// Everything beside the shopper.
#[derive(Clone, Copy)]
pub struct World<'a> {
    /// What the campaigns of the namespace share.
    pub runtime: &'a RuntimePlan,
    /// The plans in force.
    pub catalogue: &'a dyn Catalogue,
    /// The counters.
    pub state: &'a dyn State,
    /// What the ledger still holds.
    pub reserves: &'a dyn Reserves,
    /// When the decision is for.
    pub now: Ts,
}

/// A known member.
#[derive(Clone, Copy)]
pub struct Who<'a> {
    /// Who it is.
    pub id: &'a MemberId,
    /// What is known of them.
    pub facts: &'a dyn Facts,
    /// The points that they may spend.
    pub points: i64,
    /// The campaigns in which they take part.
    pub joined: &'a BTreeSet<Name>,
}

/// From which device and address a shopper calls, and with which card it pays, as hashes. Nothing: limits per device,
/// address or card do not count it, such as devices of what a till sends, or cash. An empty hash: it is not known; all such share one allowance.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Origin {
    /// The device.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub device: Option<String>,
    /// The address.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub address: Option<String>,
    /// The card that pays, as a till says.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub card: Option<String>,
}

impl Origin {
    /// Whether nothing of it counts.
    pub fn is_none(&self) -> bool {
        self.device.is_none() && self.address.is_none() && self.card.is_none()
    }
}

/// Somebody, somewhere, now.
#[derive(Clone, Copy)]
pub struct Visit<'a> {
    /// Everything beside the shopper.
    pub world: World<'a>,
    /// The member; nobody for an anonymous cart.
    pub who: Option<Who<'a>>,
    /// Where; without it, no store.
    pub store: Option<&'a StoreId>,
    /// Through which channel; without it, the channel is not asked about.
    pub channel: Option<&'a str>,
    /// From which device and address; without it, limits per either do not count.
    pub origin: Option<&'a Origin>,
    /// The order that this is about; without it, limits per order do not count. An empty id: a cart that is no order yet.
    pub order: Option<&'a OrderId>,
}

impl<'a> Visit<'a> {
    /// When.
    pub fn now(&self) -> Ts {
        self.world.now
    }

    /// The member's id.
    pub fn member(&self) -> Option<&'a MemberId> {
        self.who.map(|who| who.id)
    }

    /// Whether the member takes part in `campaign`.
    pub fn joined(&self, campaign: &Name) -> bool {
        self.who.is_some_and(|who| who.joined.contains(campaign))
    }

    /// An amount as people read it, with its currency.
    pub fn money(&self, amount: Minor) -> String {
        format!("{} {}", self.world.runtime.currency.format(amount), self.world.runtime.currency.code())
    }

    /// An instant as people read it, in the namespace's zone.
    pub fn time(&self, at: Ts) -> String {
        at.with_timezone(&self.world.runtime.zone).format("%Y-%m-%d %H:%M").to_string()
    }

    /// How far a counter has counted.
    ///
    /// # Errors
    /// [`Missing`] when it is not loaded.
    pub fn count(&self, key: &str) -> Result<i64, Missing> {
        self.world.state.count(key)
    }

    /// The namespace's zone.
    pub fn zone(&self) -> Tz {
        self.world.runtime.zone
    }
}
