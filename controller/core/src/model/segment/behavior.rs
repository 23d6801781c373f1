//! What a member did: how often, how much, and in which order.

#[cfg(doc)]
use super::Decimal;
use super::Test;
use crate::time::Span;
use chrono::NaiveDateTime;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// How often or how much a member did something.
///
/// Which events count, in this order: those of the type that happened by now, of `order.paid` only what was not given
/// back in full; of these the first or last alone, where `pick` says so; of these those in the window whose data pass the
/// filter.
///
/// Paths that begin with `lines.` are about the lines of an order. All tests of `lines.` have to hold of one and the same
/// line; an event whose lines are asked about counts when one line passes, and what is measured of `lines.` is measured
/// over the lines that pass. `lines.total` is what the line itself says, else its quantity times its unit price. Of
/// `order.paid`, what came back is taken off line by line.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Behavior {
    /// The event's type; `order.paid` is net of refunds.
    pub event: String,
    /// Only events whose data pass each of these.
    pub filter: BTreeMap<String, Test>,
    /// Only events of this time.
    #[serde(flatten)]
    pub window: Window,
    /// Only the first or last event ever.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub pick: Option<Pick>,
    /// What is measured.
    pub measure: Measure,
    /// At least so much (a count, or in ten-thousandths as [`Decimal`] what is made of a field's numbers).
    pub least: Option<i64>,
    /// At most so much.
    pub most: Option<i64>,
}

/// One of a member's events. Several that happened at the same first or last instant are taken together.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Pick {
    /// The first ever.
    First,
    /// The last so far.
    Last,
}

/// A time back from now. Every part that is there narrows it; nothing at all is ever. What lies ahead of now never counts.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Window {
    /// Not longer ago than this: `now - within` counts.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub within: Option<Span>,
    /// Longer ago than this: `now - before` does not count.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub before: Option<Span>,
    /// A period of the calendar, in the Runtime's zone.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub period: Option<Period>,
    /// From this local time on, in the Runtime's zone.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub from: Option<NaiveDateTime>,
    /// Until just before this local time.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub to: Option<NaiveDateTime>,
}

impl Window {
    /// The last so long.
    pub fn within(span: Span) -> Self {
        Self { within: Some(span), ..Self::default() }
    }
}

/// A period of the calendar. Weeks begin on Monday (ISO 8601).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[expect(missing_docs, reason = "the names say it")]
pub enum Period {
    Today,
    Yesterday,
    ThisWeek,
    LastWeek,
    ThisMonth,
    LastMonth,
    ThisQuarter,
    LastQuarter,
    ThisYear,
    LastYear,
}

/// What of the events is measured. A field that is missing or no number is left out.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub enum Measure {
    /// How many.
    #[default]
    Count,
    /// The sum of a numeric field, in ten-thousandths.
    Sum(String),
    /// The average of a numeric field, rounded down to ten-thousandths. Of nothing, no bound holds.
    Average(String),
    /// The least of a numeric field, in ten-thousandths. Of nothing, no bound holds.
    Min(String),
    /// The most of a numeric field, in ten-thousandths. Of nothing, no bound holds.
    Max(String),
    /// How many different values a field has.
    Distinct(String),
}

/// That a member did some things one after the other.
///
/// It holds when there are events, one for each step and each strictly later than the one before, that keep to the gaps
/// and have nothing excluded in between. `order.paid` is net of refunds: what was given back in full did not happen.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Sequence {
    /// The steps, at least one.
    pub steps: Vec<Step>,
    /// What must not happen meanwhile.
    pub without: Option<Exclusion>,
}

/// A step of a sequence.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Step {
    /// The event's type.
    pub event: String,
    /// Only events whose data pass each of these.
    pub filter: BTreeMap<String, Test>,
    /// At most so long after the step before, inclusive; the first step: at most so long ago, inclusive.
    pub within: Option<Span>,
    /// At least so long after the step before, inclusive; the first step: longer ago than this.
    pub after: Option<Span>,
}

/// What must not happen in a sequence, from just after its first step.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Exclusion {
    /// The event's type.
    pub event: String,
    /// Only events whose data pass each of these.
    pub filter: BTreeMap<String, Test>,
    /// Until when.
    pub until: Until,
}

/// How long an exclusion lasts.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Until {
    /// Until just before the last step.
    LastStep,
    /// Until now, inclusive.
    Now,
}
