//! Shapes that several kinds share: windows, limits, items, audiences.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::rules;
use super::text::{ClockTime, Label, Name, Span};

/// A recurring window of time, such as every evening from 20:00 to 22:00.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
#[schemars(extend("x-kubernetes-validations" = rules::window()))]
pub struct Window {
    /// On which days the window opens, as a recurrence rule, for example FREQ=DAILY or FREQ=WEEKLY;BYDAY=SA,SU.
    #[schemars(length(min = 1, max = 200))]
    pub rrule: String,
    /// The time of day when the window opens, for example "20:00".
    pub from: ClockTime,
    /// The time of day when the window closes, for example "22:00". Earlier than `from` means the next day.
    pub to: ClockTime,
}

/// A point on earth, in decimal degrees (WGS 84).
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Point {
    /// Degrees north, for example 13.74. South is negative.
    #[schemars(range(min = -90, max = 90))]
    pub lat: f64,
    /// Degrees east, for example 100.53. West is negative.
    #[schemars(range(min = -180, max = 180))]
    pub lng: f64,
}

/// Who a campaign or mechanic is for.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Audience {
    /// Members of any of these segments take part. Empty: everyone.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 16))]
    pub include: Vec<SegmentRef>,
    /// Members of any of these segments never take part, even when they are included above.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 16))]
    pub exclude: Vec<SegmentRef>,
}

/// One segment of an audience.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct SegmentRef {
    /// The name of a Segment in the same namespace.
    pub segment: Name,
}

/// At most so many joins, orders or rewards in a period: a calendar one (`every`), or so long up to each moment (`within`).
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
#[schemars(extend("x-kubernetes-validations" = rules::limit()))]
pub struct Limit {
    /// What is counted: Joins, Orders that got a benefit, or Rewards that were given.
    pub count: LimitCount,
    /// For whom it is counted: each Member, each Store, the whole Campaign, each Order (Rewards only, and without a
    /// period), or, against abuse, each Device or each network Address from which shoppers themselves join, order or act in
    /// the app, or each Card that a till says pays. What a till sends is not counted per Device or Address, and what is
    /// paid otherwise not per Card. All three are kept as hashes only.
    pub per: LimitPer,
    /// In which calendar period it is counted. Hours, days, weeks and months follow the campaign's time zone.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub every: Option<Period>,
    /// Instead of every: over so long up to each moment, against bursts, for example 10m. It looks back over at least this
    /// long and at most a tenth more. From 10s to 30d.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub within: Option<Span>,
    /// The highest number allowed in the period.
    #[schemars(range(min = 1, max = 1_000_000_000))]
    pub max: i64,
}

/// What a limit counts.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub enum LimitCount {
    Joins,
    Orders,
    Rewards,
}

/// For whom a limit counts.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub enum LimitPer {
    Member,
    Store,
    Campaign,
    Order,
    Device,
    Address,
    Card,
}

/// The period of a limit.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub enum Period {
    Hour,
    Day,
    Week,
    Month,
    Lifetime,
}

/// At most so many in a period, where what is counted is clear.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
#[schemars(extend("x-kubernetes-validations" = rules::period()))]
pub struct CountLimit {
    /// For whom it is counted: each Member, or the whole Campaign.
    pub per: CountPer,
    /// In which calendar period it is counted.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub every: Option<Period>,
    /// Instead of every: over so long up to each moment, for example 10m. From 10s to 30d.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub within: Option<Span>,
    /// The highest number allowed in the period.
    #[schemars(range(min = 1, max = 1_000_000_000))]
    pub max: i64,
}

/// For whom a simple limit counts.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub enum CountPer {
    Member,
    Campaign,
}

/// The goods that a benefit applies to.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
#[schemars(extend("x-kubernetes-validations" = rules::items()))]
pub struct Items {
    /// Everything in the cart. Write `all: true`, or list goods below instead.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub all: Option<bool>,
    /// Goods by their SKU.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 500))]
    pub skus: Vec<Label>,
    /// Goods by category.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 100))]
    pub categories: Vec<Label>,
    /// Goods by brand.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 100))]
    pub brands: Vec<Label>,
    /// Goods that are left out, even when they match above.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub except: Option<ExceptItems>,
}

/// Goods that are left out.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct ExceptItems {
    /// Goods by their SKU.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 500))]
    pub skus: Vec<Label>,
    /// Goods by category.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 100))]
    pub categories: Vec<Label>,
    /// Goods by brand.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 100))]
    pub brands: Vec<Label>,
}

/// The cost of one, used until the real cost is known.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct UnitCost {
    /// The cost of one, in the Runtime's currency, for example "120".
    pub amount: super::text::Money,
}
