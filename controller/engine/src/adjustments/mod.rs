//! Corrections of the ledger by people: entries with an actor and a reason, never a change of what stands.
//!
//! A correction is proposed. One that is worth more than the Runtime lets pass waits until a second person approves it;
//! nothing is posted before. Proposal and decision are two accepted events of the same id, from [`PROPOSED`] and
//! [`DECIDED`], so that neither changes and each is there once. Which accounts move stands in [`post`].

mod decide;
mod post;
mod propose;

use crate::Engine;
pub use decide::{Decide, Verdict};
use fanfare_core::{
    ids::{MemberId, Name},
    money::Minor,
    time::Ts,
};
use fanfare_store::{Error, Page, rows::Event};
pub use propose::Propose;
use serde::{Deserialize, Serialize};

/// The source of the events that are proposals. No sender has it.
pub const PROPOSED: &str = "fanfare/adjustments";
/// The source of the events that decide on them.
pub const DECIDED: &str = "fanfare/adjustments/decided";
/// The type of both.
const KIND: &str = "ledger.adjusted";

/// How the audit trail names a correction.
fn object(id: &str) -> String {
    format!("Adjustment/{id}")
}

/// What is corrected. Amounts are added; negative ones are taken.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum Change {
    /// A member's points.
    Points {
        /// Whose.
        member: MemberId,
        /// How many.
        amount: i64,
    },
    /// What a campaign has cost, as reports and the return on investment read it.
    Cost {
        /// Which campaign.
        campaign: Name,
        /// As what.
        category: Category,
        /// How much more it cost.
        amount: Minor,
    },
    /// What a campaign has spent of its budget; its limit stays.
    Budget {
        /// Which campaign.
        campaign: Name,
        /// How much more counts as spent.
        amount: Minor,
    },
    /// How many of a reward are left, as after counting the shelf; its `quantity` stays.
    Stock {
        /// Which reward.
        reward: Name,
        /// How many more there are.
        quantity: i64,
    },
}

/// As what a cost is booked. Fixed costs are not among them: they follow `spec.costs`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum Category {
    /// Rewards that were used.
    Rewards,
    /// Messages that were sent.
    Messages,
    /// Money off by mechanics.
    Discounts,
}

impl Change {
    /// Which of them.
    pub fn as_str(&self) -> &'static str {
        match self {
            Self::Points { .. } => "points",
            Self::Cost { .. } => "cost",
            Self::Budget { .. } => "budget",
            Self::Stock { .. } => "stock",
        }
    }
}

impl Category {
    /// Every category.
    pub const ALL: [Self; 3] = [Self::Rewards, Self::Messages, Self::Discounts];

    /// Its account's name.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Rewards => "rewards",
            Self::Messages => "messages",
            Self::Discounts => "discounts",
        }
    }
}

/// Where a correction stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum AdjustmentState {
    /// It waits for a second person.
    Pending,
    /// It stands in the ledger.
    Posted,
    /// It was turned down.
    Rejected,
}

impl AdjustmentState {
    /// The state's name in the contract.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Pending => "Pending",
            Self::Posted => "Posted",
            Self::Rejected => "Rejected",
        }
    }
}

/// A correction.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Adjustment {
    /// Time-ordered; the reference of its posting.
    pub id: String,
    /// Where it stands.
    pub state: AdjustmentState,
    /// What is corrected.
    pub change: Change,
    /// Why.
    pub reason: String,
    /// What it is worth in money, by which its approval is asked for; nothing where that is not known.
    pub worth: Option<Minor>,
    /// The credential that proposed it.
    pub proposed_by: String,
    /// When.
    pub proposed_at: Ts,
    /// Who decided, when and why. Nothing while it waits, and where nobody was asked.
    pub decided: Option<Decided>,
}

/// A decision of a second person.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Decided {
    /// The credential.
    pub by: String,
    /// When.
    pub at: Ts,
    /// Why, where it says.
    pub reason: Option<String>,
}

/// The data of a proposal.
#[derive(Clone, Debug, Serialize, Deserialize)]
struct Proposal {
    change: Change,
    reason: String,
    worth: Option<Minor>,
    actor: String,
}

/// The data of a decision.
#[derive(Clone, Debug, Serialize, Deserialize)]
struct Decision {
    posted: bool,
    /// Nobody where the worth let it pass.
    actor: Option<String>,
    reason: Option<String>,
}

/// Reads a correction of its events; nothing where the rows cannot be understood.
fn read(proposed: &Event, decided: Option<&Event>) -> Option<Adjustment> {
    let proposal = Proposal::deserialize(&*proposed.data).ok()?;
    let decision = match decided {
        Some(event) => Some((Deserialize::deserialize(&*event.data).ok()?, event.time)),
        None => None,
    };
    Some(adjustment(&proposed.id, proposed.time, proposal, decision))
}

/// Puts a proposal and its decision together.
fn adjustment(id: &str, proposed_at: Ts, proposal: Proposal, decision: Option<(Decision, Ts)>) -> Adjustment {
    let Proposal { change, reason, worth, actor: proposed_by } = proposal;
    let state = match &decision {
        None => AdjustmentState::Pending,
        Some((decision, _)) if decision.posted => AdjustmentState::Posted,
        Some(_) => AdjustmentState::Rejected,
    };
    let decided = decision.and_then(|(decision, at)| {
        let Decision { posted: _, actor, reason } = decision;
        actor.map(|by| Decided { by, at, reason })
    });
    Adjustment { id: id.to_owned(), state, change, reason, worth, proposed_by, proposed_at, decided }
}

fn event(source: &str, id: &str, at: Ts, data: &impl Serialize) -> Event {
    Event {
        source: source.to_owned(),
        id: id.to_owned(),
        kind: KIND.to_owned(),
        member: None,
        time: at,
        digest: String::new(),
        data: serde_json::to_value(data).unwrap_or_default().into(),
        decisions: serde_json::Value::Array(Vec::new()),
    }
}

impl Engine {
    /// Corrections, newest first; with `pending` only those that wait. A page goes on after [`Adjustment::id`].
    ///
    /// # Errors
    /// The store's, when it cannot be read.
    pub async fn adjustments(&self, pending: bool, page: Page) -> Result<Vec<Adjustment>, Error> {
        let rows = self.store().answered(self.namespace(), PROPOSED, DECIDED, pending, page).await?;
        let unreadable = || Error::Corrupt("a correction cannot be understood".into());
        rows.iter().map(|(proposed, decided)| read(proposed, decided.as_ref()).ok_or_else(unreadable)).collect()
    }
}
