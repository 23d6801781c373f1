//! Mechanics: one file each, with its rule (what the author wrote, compiled) and its behaviour.
//!
//! A mechanic sees values and a [`State`] of counters, and answers with [`Effect`]s; it writes nothing. To add one, copy
//! `discount.rs`, add a variant to [`Rule`] and to `Rule::behaviour`, and a wire form in `crds`.

pub mod basket;
pub mod behaviour;
pub mod discount;
pub mod flash_sale;
pub mod lottery;
pub mod spend_threshold;

pub use basket::{Basket, Hold, Offer};
pub use behaviour::{Act, Acted, Behaviour, Clawback, Goal, Happened, Outcome, Paid, Returned, Scene, Undone, Unit};

use crate::{
    ids::{HoldId, MemberId, Name, StoreId},
    time::Ts,
};
use serde::{Deserialize, Serialize};

/// What a mechanic does: exactly one kind each.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub enum Rule {
    /// Money off items.
    Discount(discount::Discount),
    /// Something for spending enough.
    SpendThreshold(spend_threshold::SpendThreshold),
    /// Few items at a special price.
    FlashSale(flash_sale::FlashSale),
    /// A draw for prizes.
    Lottery(lottery::Lottery),
}

impl Rule {
    /// How it behaves. The one place that knows every mechanic.
    pub fn behaviour(&self) -> &dyn Behaviour {
        match self {
            Self::Discount(rule) => rule,
            Self::SpendThreshold(rule) => rule,
            Self::FlashSale(rule) => rule,
            Self::Lottery(rule) => rule,
        }
    }

    /// The name of its kind, such as `discount`.
    pub fn kind(&self) -> &'static str {
        self.behaviour().kind()
    }
}

/// A counter that a decision needs is not loaded yet; the engine loads it and asks again.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Missing;

/// The counters that decisions read. A counter that was never written is 0.
pub trait State {
    /// How far `key` has counted.
    ///
    /// # Errors
    /// [`Missing`] when it is not loaded; the implementation remembers the key.
    fn count(&self, key: &str) -> Result<i64, Missing>;
}

/// What a decision wants done. The engine does all of one decision or none.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Effect {
    /// Counts; beyond `cap` the decision is void (the decision has checked it, the engine checks again).
    Count {
        /// Which counter, made by [`key`].
        key: String,
        /// By how much; negative gives back.
        delta: i64,
        /// At most so far.
        cap: Option<i64>,
    },
    /// Gives a reward to the member that the decision is about.
    Grant {
        /// Which.
        reward: Name,
        /// How many of it.
        quantity: i64,
    },
    /// Holds stock for the member until then.
    Hold {
        /// Under this id.
        id: HoldId,
        /// Of which item.
        sku: String,
        /// How many.
        quantity: i64,
        /// From whose stock.
        store: Option<StoreId>,
        /// Until just before here.
        expires_at: Ts,
    },
    /// Lets go of a hold; its stock is given back by counts beside this.
    Release {
        /// Which.
        id: HoldId,
    },
    /// Takes points from the member's wallet; void when there are too few.
    SpendPoints {
        /// How many.
        points: i64,
    },
}

/// Keys of counters. One place, so that no two meanings share a key and reports can name them.
pub mod key {
    use super::{MemberId, Name, StoreId};

    /// A limit's counter: of a campaign or (with a mechanic) of one of its mechanics, for a holder such as
    /// `member:m1`, in a stretch such as `2026-11-11`.
    pub fn limit(campaign: &Name, mechanic: Option<&Name>, counted: &str, holder: &str, stretch: &str) -> String {
        let mechanic = mechanic.map_or("", Name::as_str);
        format!("limit|{campaign}|{mechanic}|{counted}|{holder}|{stretch}")
    }

    /// A limit's counter without the part of time that it counts, where its limit looks back over a length that moves with
    /// time: two of them with the same are one limit.
    pub fn moving(key: &str) -> Option<&str> {
        let (limit, slot) = key.rsplit_once('@')?;
        let length = limit.rsplit_once('|')?.1.strip_suffix('s')?;
        let is_number = |text: &str| !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
        (is_number(slot) && is_number(length)).then_some(limit)
    }

    /// What a mechanic counts for itself, such as stock of a SKU or a member's entries.
    pub fn mechanic(campaign: &Name, mechanic: &Name, what: &str) -> String {
        format!("mechanic|{campaign}|{mechanic}|{what}")
    }

    /// The same for one member.
    pub fn member(campaign: &Name, mechanic: &Name, member: &MemberId, what: &str) -> String {
        format!("mechanic|{campaign}|{mechanic}|member:{member}|{what}")
    }

    /// What the status shows of a campaign, such as `participants`.
    pub fn metric(campaign: &Name, what: &str) -> String {
        format!("metric|{campaign}|{what}")
    }

    /// What the status shows of a reward, such as `issued`.
    pub fn reward(reward: &Name, what: &str) -> String {
        format!("reward|{reward}|{what}")
    }

    /// A reward's limit.
    pub fn reward_limit(reward: &Name, holder: &str, stretch: &str) -> String {
        format!("limit-reward|{reward}|{holder}|{stretch}")
    }

    /// What a campaign's budget has given out on a day, in minor units.
    pub fn budget_day(campaign: &Name, day: &str) -> String {
        format!("budget-day|{campaign}|{day}")
    }

    /// What a campaign's budget has set aside and spent in a store, in minor units; without one, under no name.
    pub fn budget_store(campaign: &Name, store: Option<&StoreId>) -> String {
        format!("budget-store|{campaign}|{}", store.map_or("", StoreId::as_str))
    }

    /// What a campaign's budget has set aside and spent for a member, in minor units.
    pub fn budget_member(campaign: &Name, member: &MemberId) -> String {
        format!("budget-member|{campaign}|{member}")
    }

    /// Whether it was told that a share of a budget's limit was reached, in basis points of minor units.
    pub fn budget_told(campaign: &Name, share: i64, limit: i64) -> String {
        format!("budget-told|{campaign}|{share}|{limit}")
    }

    /// Counters of [`inside`], all Segments'.
    pub const INSIDE: &str = "inside|";

    /// Whether a member was last told to be in a Segment; without a member, whether somebody is to be told at all.
    pub fn inside(segment: &Name, member: Option<&MemberId>) -> String {
        format!("{INSIDE}{segment}|{}", member.map_or("", MemberId::as_str))
    }

    /// The Segment and the member of a key that [`inside`] made.
    pub fn inside_of(key: &str) -> Option<(Name, Option<MemberId>)> {
        let (segment, member) = key.strip_prefix(INSIDE)?.split_once('|')?;
        Some((segment.into(), (!member.is_empty()).then(|| member.into())))
    }

    /// Whether it was told that a member has reached every goal of a campaign.
    pub fn completed(campaign: &Name, member: &MemberId) -> String {
        format!("completed|{campaign}|{member}")
    }

    /// What the status shows of an automation or a channel, such as `entered` or `sent`.
    pub fn figure(kind: &str, name: &Name, what: &str) -> String {
        format!("figure|{kind}|{name}|{what}")
    }
}
