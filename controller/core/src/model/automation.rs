//! An Automation after admission: what starts it and its steps.

use crate::{
    ids::{Name, Revision},
    time::Span,
};
use chrono::NaiveTime;
use serde::{Deserialize, Serialize};

/// Trigger and steps. A run in flight keeps the plan of its revision.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct AutomationPlan {
    /// Its name.
    pub name: Name,
    /// The digest of the accepted specification.
    pub revision: Revision,
    /// The event type that starts a run for its member.
    pub trigger: String,
    /// The one Segment that the trigger is about, where it says which.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub segment: Option<Name>,
    /// Whether a member may enter again.
    pub reentry: Reentry,
    /// Event types that end a run.
    pub exit: Vec<String>,
    /// In order.
    pub steps: Vec<Step>,
}

/// Whether a member may enter again.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Reentry {
    /// Never.
    Once,
    /// When no run of this member is active.
    AfterExit,
    /// Each time, but not sooner after the last entry than this.
    Always(Option<Span>),
}

/// One step.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Step {
    /// Its name within the automation.
    pub name: Name,
    /// What it does.
    pub action: Action,
    /// Where it goes on: an index into the steps, its length for the end.
    pub next: usize,
}

/// What a step does.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub enum Action {
    /// Sends a message.
    Send {
        /// Through this channel.
        channel: Name,
        /// This text.
        template: Name,
        /// What to do when it is unknown whether it left.
        on_ambiguous: OnAmbiguous,
    },
    /// Waits.
    Wait {
        /// At least so long.
        lasts: Span,
        /// Then until this wall time, in the member's zone (the Runtime's where the member has none).
        until: Option<NaiveTime>,
    },
    /// Gives a reward.
    Issue {
        /// Which.
        reward: Name,
    },
}

/// What to do when it is unknown whether a message left.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum OnAmbiguous {
    /// Do not send again: at most once.
    Skip,
    /// Send again: at least once.
    Retry,
}
