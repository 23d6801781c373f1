//! An Automation after admission: what starts it and its steps.

use crate::{
    ids::{Name, Revision},
    time::Span,
};
use chrono::NaiveTime;
use serde::{Deserialize, Serialize};
use std::fmt;

/// Trigger and steps. A run in flight keeps the plan of its revision.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct AutomationPlan {
    /// Its name.
    pub name: Name,
    /// The digest of the accepted specification.
    pub revision: Revision,
    /// What starts a run for its member.
    pub trigger: Occasion,
    /// Whether a member may enter again.
    pub reentry: Reentry,
    /// What ends a run.
    pub exit: Vec<Occasion>,
    /// In order.
    pub steps: Vec<Step>,
}

/// Events that start or end runs.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(untagged)]
pub enum Occasion {
    /// Every event of this type.
    Event(String),
    /// An event of this type about one Segment.
    Of {
        /// The type.
        event: String,
        /// Which.
        segment: Name,
    },
}

impl Occasion {
    /// The type of the events.
    pub fn event(&self) -> &str {
        match self {
            Self::Event(event) | Self::Of { event, segment: _ } => event,
        }
    }

    /// The one Segment that they are about.
    pub fn segment(&self) -> Option<&Name> {
        match self {
            Self::Event(_) => None,
            Self::Of { event: _, segment } => Some(segment),
        }
    }
}

impl From<&str> for Occasion {
    fn from(event: &str) -> Self {
        Self::Event(event.into())
    }
}

impl fmt::Display for Occasion {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Event(event) => f.write_str(event),
            Self::Of { event, segment } => write!(f, "{event} {segment}"),
        }
    }
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
