//! How a mechanic behaves: the one trait that each implements beside its rule. All methods have a default that does
//! nothing, so that a mechanic says only what it is about.

use super::{Basket, Effect, Hold, Missing, Offer};
use crate::{
    ids::{HoldId, Name, StoreId},
    model::{CampaignPlan, campaign::Mechanic},
    money::Minor,
    random::Random,
    reason::Refusal,
    segment::Happening,
    time::Ts,
    world::Visit,
};
use serde::{Deserialize, Serialize};

/// Which mechanic of which campaign, for whom.
#[derive(Clone, Copy)]
pub struct Scene<'a> {
    /// The campaign.
    pub campaign: &'a CampaignPlan,
    /// The mechanic.
    pub mechanic: &'a Mechanic,
    /// Who, where and when.
    pub visit: Visit<'a>,
}

/// An order that was paid, or what is left of one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Paid {
    /// What its items cost before discounts.
    pub before: Minor,
    /// What was paid for them.
    pub after: Minor,
    /// It was evaluated here, so that what it earns as one order is already decided; otherwise a till only reports it.
    pub evaluated: bool,
}

/// Something that happened to the visit's member; qualification is asked as of `visit.world.now`.
#[derive(Clone, Copy)]
pub struct Happened<'a> {
    /// The event's type.
    pub kind: &'a str,
    /// When and with which data.
    pub event: &'a dyn Happening,
    /// The order, for `order.paid`.
    pub paid: Option<Paid>,
    /// Whether it may give rewards; one older than the Runtime's `rewardPast` only counts.
    pub grants: bool,
}

/// A return of a paid order that [`Behaviour::on_event`] counted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Returned {
    /// The order as it was paid.
    pub was: Paid,
    /// What was left of it before this return.
    pub prior: Paid,
    /// What is left of it now.
    pub left: Paid,
}

/// What an event or an action came to.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Outcome {
    /// A word or a name for the caller, such as `entered`, `progressed` or a prize.
    pub outcome: String,
    /// What is to be done, all or nothing.
    pub effects: Vec<Effect>,
    /// It makes the member a participant.
    pub takes_part: bool,
}

/// What a member asks of a mechanic.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Act<'a> {
    /// Holds units of a flash sale.
    Reserve {
        /// The item.
        sku: &'a str,
        /// How many; at least 1.
        quantity: i64,
        /// From whose stock.
        store: Option<&'a StoreId>,
        /// The id that the hold shall have.
        id: HoldId,
    },
    /// Lets a hold go; the engine has checked that it is the member's and of this mechanic.
    Release {
        /// The hold.
        hold: &'a Hold,
    },
    /// Draws.
    Draw,
}

impl Act<'_> {
    /// The action's name in the API.
    pub fn as_str(&self) -> &'static str {
        match self {
            Self::Reserve { .. } => "reserve",
            Self::Release { .. } => "release",
            Self::Draw => "draw",
        }
    }
}

/// What an action came to: an outcome, and what the caller gets to know beside it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Acted {
    /// What is to be done and said.
    pub outcome: Outcome,
    /// The prize that was drawn.
    pub prize: Option<Name>,
    /// The reservation that was made, and until when it holds.
    pub reservation: Option<(HoldId, Ts)>,
}

/// How far a member has come with one goal of a mechanic.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Goal {
    /// Its name within the mechanic.
    pub name: String,
    /// How far; in minor units where `unit` is money.
    pub current: i64,
    /// How far it is to go; in minor units where `unit` is money.
    pub target: i64,
    /// Of what.
    pub unit: Unit,
    /// Whole percent, rounded down, at most 100.
    pub percent: i64,
    /// Whether it is reached.
    pub completed: bool,
}

impl Goal {
    /// A goal with its percentage.
    pub fn new(name: impl Into<String>, current: i64, target: i64, unit: Unit) -> Self {
        let percent = crate::metrics::reached(current, target);
        Self { name: name.into(), current, target, unit, percent, completed: current >= target }
    }
}

/// What a goal counts.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Unit {
    /// Minor units of the namespace's currency.
    Money,
    /// Entries of a lottery.
    Entries,
    /// Units of an item.
    Units,
}

/// How a mechanic behaves. The campaign runs, the visitor qualifies and the scope holds whenever one of these is
/// called; limits on orders are the caller's, too.
pub trait Behaviour {
    /// The name of its kind, as the resource and the API write it.
    fn kind(&self) -> &'static str;

    /// The actions that a member may call.
    fn actions(&self) -> &'static [&'static str] {
        &[]
    }

    /// Whether it gives something on a cart.
    fn prices(&self) -> bool {
        false
    }

    /// Whether it gives nothing to somebody unknown.
    fn needs_member(&self) -> bool {
        false
    }

    /// What it gives on a cart of which the mechanics before left `basket`.
    ///
    /// # Errors
    /// [`Missing`] when a counter is not loaded.
    fn price(&self, scene: &Scene<'_>, basket: &Basket<'_>) -> Result<Offer, Missing> {
        let _ = (scene, basket);
        Ok(Offer::default())
    }

    /// What an event brings; nothing when it does not concern this mechanic.
    ///
    /// # Errors
    /// [`Missing`] when a counter is not loaded.
    fn on_event(&self, scene: &Scene<'_>, happened: &Happened<'_>) -> Result<Option<Outcome>, Missing> {
        let _ = (scene, happened);
        Ok(None)
    }

    /// What a return undoes of what [`Behaviour::on_event`] did for the order.
    ///
    /// # Errors
    /// [`Missing`] when a counter is not loaded.
    fn on_return(&self, scene: &Scene<'_>, returned: &Returned) -> Result<Undone, Missing> {
        let _ = (scene, returned);
        Ok(Undone::default())
    }

    /// What an action brings. An action that the mechanic does not have answers `None`.
    ///
    /// # Errors
    /// [`Missing`] when a counter is not loaded.
    fn act(
        &self,
        scene: &Scene<'_>,
        act: &Act<'_>,
        random: &mut dyn Random,
    ) -> Result<Option<Result<Acted, Refusal>>, Missing> {
        let _ = (scene, act, random);
        Ok(None)
    }

    /// How far the visit's member has come.
    ///
    /// # Errors
    /// [`Missing`] when a counter is not loaded.
    fn progress(&self, scene: &Scene<'_>) -> Result<Vec<Goal>, Missing> {
        let _ = scene;
        Ok(Vec::new())
    }
}

/// What giving back an order undoes for one mechanic.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Undone {
    /// Done in any case.
    pub effects: Vec<Effect>,
    /// Rewards whose ground is gone. The engine takes back unredeemed grants; only for those that it could take back it
    /// does the effects of that clawback, so that keeping a reward and earning it again is no way to have two.
    pub clawbacks: Vec<Clawback>,
}

/// A reward to take back.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Clawback {
    /// Given by which campaign.
    pub campaign: Name,
    /// By which of its mechanics.
    pub mechanic: Name,
    /// What.
    pub reward: Name,
    /// How many of it; at least 1.
    pub quantity: i64,
    /// Whether several orders earned it together, so that it may have been given for another order than the one that
    /// comes back.
    pub together: bool,
    /// Counted for *each* one that was really taken back. Not in it is what an event's decision counted against limits
    /// ([`crate::decide::grant_counts`]): that depends on the order that brought the one that is taken.
    pub each: Vec<Effect>,
}
