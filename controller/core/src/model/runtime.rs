//! The Runtime after admission: what all campaigns of a namespace share.

use crate::{
    ids::{Name, StoreId},
    model::segment::{InterestRule, LifecycleRule, Point},
    money::{BasisPoints, Currency, Minor},
    points,
    time::{Span, Tz},
};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// What all campaigns of a namespace share; exactly one a namespace.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct RuntimePlan {
    /// Its name.
    pub name: Name,
    /// The zone of campaigns and members that name none.
    pub zone: Tz,
    /// Of every amount.
    pub currency: Currency,
    /// What of revenue is profit, for ROI.
    pub margin: BasisPoints,
    /// The share of a line's price that discounts leave above its cost; nothing: no line is guarded. Below the whole.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub margin_floor: Option<BasisPoints>,
    /// The locale that stands in for a missing one.
    pub default_locale: String,
    /// The others that are offered.
    pub other_locales: Vec<String>,
    /// What members have, so that a typo in a segment is an error.
    pub attributes: BTreeMap<String, Attribute>,
    /// The shops.
    pub stores: BTreeMap<StoreId, Store>,
    /// What one point is worth, in ten-thousandths of a minor unit (`"0.02"` THB is 20000).
    pub point_worth_e4: i64,
    /// How points are earned, live, and are given on.
    #[serde(default)]
    pub points: points::Rules,
    /// Logins for development are open.
    pub dev_login: bool,
    /// Which events are taken.
    pub events: EventRules,
    /// How long an order's reservation holds.
    pub reserve_for: Span,
    /// Corrections of the ledger that are worth more need a second person; without it none does.
    #[serde(default)]
    pub approve_above: Option<Minor>,
    /// What Segments are made with.
    #[serde(default)]
    pub segments: SegmentRules,
}

/// What Segments are made with, beside attributes and stores: what admission compiles into their conditions.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct SegmentRules {
    /// Which stage of life a member is in.
    pub lifecycle: LifecycleRule,
    /// How interests are learned.
    pub interests: InterestRule,
    /// Who is of high value.
    pub high_value: HighValue,
    /// Fields of events that the Runtime declares, by type of event and path.
    pub event_fields: BTreeMap<String, BTreeMap<String, Attribute>>,
}

/// Who is of high value, by recency, frequency and money.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct HighValue {
    /// How long ago the last order was at most.
    pub last_order: Span,
    /// Over how long orders count.
    pub within: Span,
    /// At least so many of them.
    pub orders: i64,
    /// That sum up to at least so much, in ten-thousandths of the currency's unit; nothing: not asked.
    pub spend_e4: Option<i64>,
}

impl Default for HighValue {
    fn default() -> Self {
        Self { last_order: Span::days(90), within: Span::days(365), orders: 4, spend_e4: None }
    }
}

impl RuntimePlan {
    /// What `points` are worth, rounded half up to a minor unit.
    pub fn worth_of_points(&self, points: i64) -> Minor {
        let exact = i128::from(points) * i128::from(self.point_worth_e4);
        Minor(i64::try_from((exact + 5_000) / 10_000).unwrap_or(i64::MAX))
    }

    /// The zone in which a store's days are meant: its own, else the namespace's.
    pub fn zone_of(&self, store: Option<&StoreId>) -> Tz {
        store.and_then(|id| self.stores.get(id)).and_then(|store| store.zone).unwrap_or(self.zone)
    }
}

/// What a member's attribute holds.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Attribute {
    /// One of these words.
    Enum(Vec<String>),
    /// Any text.
    String,
    /// A number.
    Number,
    /// An ISO 8601 day.
    Date,
    /// Yes or no.
    Boolean,
    /// A point on earth, as text of a [`crate::model::segment::Point`].
    Location,
}

/// A shop.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[expect(missing_docs, reason = "the names are the field's own")]
pub struct Store {
    pub name: String,
    pub groups: Vec<String>,
    pub region: Option<String>,
    pub zone: Option<Tz>,
    #[serde(default)]
    pub location: Option<Point>,
}

/// Which events are taken.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct EventRules {
    /// Not older than this.
    pub accept_past: Span,
    /// Not further ahead than this.
    pub accept_ahead: Span,
    /// Older than this counts, but grants nothing.
    pub reward_past: Span,
    /// Types that a member may send, beside those that every member may.
    pub from_members: Vec<String>,
}

impl Default for EventRules {
    fn default() -> Self {
        Self {
            accept_past: Span::days(400),
            accept_ahead: Span::seconds(300),
            reward_past: Span::days(3),
            from_members: Vec::new(),
        }
    }
}
