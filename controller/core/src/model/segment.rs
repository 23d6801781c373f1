//! Who: one tree of conditions, for one member and for all. Evaluating it is `crate::segment`'s.

mod behavior;
mod person;

pub use behavior::{Behavior, Exclusion, Measure, Period, Pick, Sequence, Step, Until, Window};
pub use person::{InterestRule, Interests, Lifecycle, LifecycleRule, Location, PLACE_EVENTS, Place, Point, Stage};

use crate::ids::Name;
use serde::{Deserialize, Serialize};

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

/// A condition on one member. It holds everything that its answer depends on beside the member, the time and other
/// Segments: what the Runtime says (stores, lifecycle, interests) is compiled into it at admission.
///
/// Field names of events are dotted paths into the event's data. A path through a list means each of its elements; see
/// [`Behavior`] for `lines`.
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
    /// What the member did in which order.
    Sequence(Sequence),
    /// How far the member is in its life with the shop.
    Lifecycle(Lifecycle),
    /// Where the member is or shops.
    Location(Location),
    /// The member's tags.
    Tags {
        /// Holds when the member has at least one of these (empty: not asked).
        any: Vec<String>,
        /// Holds when the member has each of these.
        all: Vec<String>,
        /// Holds when the member has none of these.
        none: Vec<String>,
    },
    /// What the member likes, as its orders show.
    Interests(Interests),
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
///
/// An event's field that is a list, or is reached through one, has several values: it passes when one of them does;
/// `NotIn` and `Exists(false)` then ask that none does.
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
    /// Whole years from the date until today, both inclusive, such as an age. Somebody born on 29 February is a year
    /// older on 1 March of a common year. A date ahead of today fails.
    Age {
        /// The least.
        least: Option<i64>,
        /// The most.
        most: Option<i64>,
    },
    /// The date's day of the year comes round today or up to so many days later. 29 February comes round on 1 March of a
    /// common year.
    AnniversaryWithin {
        /// Days after today, 0 to 365.
        days: i64,
    },
    /// The date's day of the year lies in the stretch of the calendar that today is in.
    AnniversaryIn(Stretch),
    /// How many days the date lies ahead of today (behind it: negative), both inclusive.
    DaysAhead {
        /// The least.
        least: Option<i64>,
        /// The most.
        most: Option<i64>,
    },
}

/// A stretch of the calendar that a date comes round in.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Stretch {
    /// The day itself.
    Today,
    /// From Monday to Sunday.
    ThisWeek,
    /// The calendar month.
    ThisMonth,
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
