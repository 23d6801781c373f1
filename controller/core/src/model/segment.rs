//! Who: one tree of conditions, for one member and for all. Evaluating it is `crate::segment`'s.

use crate::{ids::Name, time::Span};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// A named audience.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct SegmentPlan {
    /// Its name.
    pub name: Name,
    /// What people call it.
    pub title: String,
    /// Who belongs to it.
    pub condition: Condition,
}

/// A condition on one member. Field names of events are dotted paths into the event's data.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub enum Condition {
    /// Every member.
    Everyone,
    /// A stored attribute. A missing one fails every test but `Exists(false)` and `NotIn`.
    Attribute {
        /// Its name, declared on the Runtime.
        name: String,
        /// What is asked of it.
        test: Test,
    },
    /// What the member did.
    Behavior(Behavior),
    /// The member's tags.
    Tags {
        /// Holds when the member has at least one of these (empty: not asked).
        any: Vec<String>,
        /// Holds when the member has each of these.
        all: Vec<String>,
        /// Holds when the member has none of these.
        none: Vec<String>,
    },
    /// The member stands on an uploaded list.
    List(Name),
    /// The member belongs to another Segment.
    Segment(Name),
    /// The condition does not hold.
    Not(Box<Condition>),
    /// Each holds.
    All(Vec<Condition>),
    /// At least one holds.
    Any(Vec<Condition>),
}

/// A test of one value. Numbers, and dates as ISO 8601 text, are ordered; everything else is only equal or not.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub enum Test {
    /// One of these.
    In(Vec<Scalar>),
    /// None of these.
    NotIn(Vec<Scalar>),
    /// At least and at most, both inclusive.
    Between {
        /// The least.
        least: Option<Scalar>,
        /// The most.
        most: Option<Scalar>,
    },
    /// Present or not.
    Exists(bool),
}

/// A value that a member's attribute or an event's field has.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(untagged)]
pub enum Scalar {
    /// Yes or no.
    Flag(bool),
    /// A decimal number, in ten-thousandths, so that `"2000"` and `2000.0` are one and money is exact.
    Number(Decimal),
    /// Text, also dates.
    Text(String),
}

/// A decimal number in ten-thousandths.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Decimal {
    /// Ten-thousandths.
    pub e4: i64,
}

impl Decimal {
    /// Reads an optional sign, digits and at most four decimals; anything else is no number.
    pub fn parse(text: &str) -> Option<Self> {
        let (sign, unsigned) = text.strip_prefix('-').map_or((1, text), |rest| (-1, rest));
        let (whole, part) = unsigned.split_once('.').unwrap_or((unsigned, ""));
        let digits = |s: &str| s.bytes().all(|b| b.is_ascii_digit());
        if whole.is_empty() || part.len() > 4 || !digits(whole) || !digits(part) {
            return None;
        }
        format!("{whole}{part:0<4}").parse::<i64>().ok().map(|e4| Self { e4: sign * e4 })
    }
}

/// How often or how much a member did something.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Behavior {
    /// The event's type; `order.paid` is net of refunds.
    pub event: String,
    /// Only events whose data pass each of these.
    pub filter: BTreeMap<String, Test>,
    /// How far back; without it, ever.
    pub within: Option<Span>,
    /// What is measured.
    pub measure: Measure,
    /// At least so much (a count, or a sum in ten-thousandths as [`Decimal`]).
    pub least: Option<i64>,
    /// At most so much.
    pub most: Option<i64>,
}

/// What of the events is measured.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Measure {
    /// How many.
    Count,
    /// The sum of a numeric field, in ten-thousandths.
    Sum(String),
}
