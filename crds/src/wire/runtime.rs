//! The CampaignRuntime: what all campaigns of a namespace share.

use std::collections::BTreeMap;

use kube::CustomResource;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::common::Point;
use super::rules;
use super::status::CampaignRuntimeStatus;
use super::text::{Currency, EventType, FieldName, Label, Locale, Money, Percent, Span, Zone};

/// What all campaigns of this namespace share. A namespace has exactly one.
#[derive(CustomResource, Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[kube(
    group = "fanfare.dev",
    version = "v1alpha1",
    kind = "CampaignRuntime",
    plural = "campaignruntimes",
    singular = "campaignruntime",
    shortname = "crt",
    category = "marketing",
    namespaced,
    derive = "PartialEq",
    status = "CampaignRuntimeStatus",
    doc = "The runtime: what all campaigns of this namespace share, such as time zone, currency and stores.",
    printcolumn(name = "URL", type_ = "string", json_path = ".status.url"),
    printcolumn(name = "REPLICAS", type_ = "integer", json_path = ".status.replicas"),
    printcolumn(name = "CAMPAIGNS", type_ = "integer", json_path = ".status.campaigns"),
    printcolumn(name = "READY", type_ = "string", json_path = r#".status.conditions[?(@.type=="Ready")].status"#)
)]
#[serde(rename_all = "camelCase")]
pub struct CampaignRuntimeSpec {
    /// The time zone of your business, for example Asia/Bangkok.
    pub time_zone: Zone,
    /// The one currency of all amounts in this namespace, for example THB. It cannot change once money has moved.
    pub currency: Currency,
    /// What amounts of carts and orders are: they contain the tax. Default: TaxIncluded.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub prices: Option<Prices>,
    /// How much of the revenue is left after the cost of goods, for the return on investment. Default: "100%".
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub margin: Option<Percent>,
    /// The margin that discounts must leave: of what a line costs after all discounts and vouchers together, at least this
    /// share stays above the `cost` that the till sends with the line, for example "15%". What would take more off is cut
    /// down. "0%": nothing is sold below cost. A line without a `cost` is not guarded. Default: no line is.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub margin_floor: Option<Percent>,
    /// The languages you publish in.
    pub locales: RuntimeLocales,
    /// What is known about members, by name. Segments can test only attributes that stand here.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    #[schemars(extend("maxProperties" = 100))]
    pub attributes: BTreeMap<String, AttributeType>,
    /// Your stores.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 2000), extend("x-kubernetes-list-type" = "map", "x-kubernetes-list-map-keys" = ["id"]))]
    pub stores: Vec<Store>,
    /// Rules of loyalty points.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub points: Option<PointsRules>,
    /// How members log in.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub login: Option<Login>,
    /// Which events are accepted.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub events: Option<EventRules>,
    /// Rules of orders.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub orders: Option<OrderRules>,
    /// Rules of the ledger, for those who correct it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ledger: Option<LedgerRules>,
    /// When a member is new, active, dormant, at risk of churning, or churned.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub lifecycle: Option<LifecycleRule>,
    /// How members' interests are learned from their orders.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub interests: Option<InterestRule>,
    /// Who is of high value: how lately, how often and for how much they buy.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub high_value: Option<HighValueRule>,
}

/// When a member is in which stage. Idle means: without any activity, or, if there never was any, since joining. Whoever
/// is idle for long enough is Dormant, then ChurnRisk, then Churned; of the others, who joined lately is New, the rest Active.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct LifecycleRule {
    /// How long after joining a member is New. Default: 30d.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub new_for: Option<Span>,
    /// Idle for so long: Dormant. Default: 60d.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub dormant_after: Option<Span>,
    /// Idle for so long: ChurnRisk. Default: 90d.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub churn_risk_after: Option<Span>,
    /// Idle for so long: Churned. Default: 180d.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub churned_after: Option<Span>,
    /// The types of events that are an activity. Default: order.paid, store.visited and member.checkedIn.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 20))]
    pub activity: Vec<EventType>,
    /// The Date attribute that says when a member joined. Members without it joined when they became known, or at their first event.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub joined: Option<FieldName>,
}

/// How interests are learned: a category or brand that stands in enough of a member's orders of late is an interest, and
/// of these the most frequent ones count.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct InterestRule {
    /// The fields of order.paid that name interests. Default: lines.category and lines.brand.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 5))]
    pub fields: Vec<FieldName>,
    /// How far back orders count. Default: 180d.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub within: Option<Span>,
    /// In how many orders an interest has to stand. Default: 2.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 1, max = 1_000))]
    pub orders: Option<i64>,
    /// How many interests a member has at most. Default: 5.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 1, max = 50))]
    pub top: Option<i64>,
}

/// Who is of high value, by recency, frequency and money.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct HighValueRule {
    /// The last order was at most so long ago. Default: 90d.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub last_order: Option<Span>,
    /// Over how long orders count. Default: 365d.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub within: Option<Span>,
    /// There are at least so many orders. Default: 4.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 1, max = 10_000))]
    pub orders: Option<i64>,
    /// Their totals, less refunds, sum up to at least so much, for example "10000". Default: not asked.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub spend: Option<Money>,
}

/// The languages you publish in.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct RuntimeLocales {
    /// The language for everyone whose own language is missing.
    pub default: Locale,
    /// Further languages.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 20))]
    pub others: Vec<Locale>,
}

/// What an attribute of a member can be.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
#[schemars(extend("x-kubernetes-validations" = rules::attribute_type()))]
pub struct AttributeType {
    /// Enum (one of `values`, which may be ordered), String, Number, Date (such as 2026-11-11), Boolean or Location (such as 13.74,100.53).
    #[serde(rename = "type")]
    pub kind: AttributeKind,
    /// The values of an Enum.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 100))]
    pub values: Option<Vec<Label>>,
}

/// What prices contain. Tills send what the shopper pays.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub enum Prices {
    TaxIncluded,
}

/// The type of an attribute.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub enum AttributeKind {
    Enum,
    String,
    Number,
    Date,
    Boolean,
    Location,
}

/// One store.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Store {
    /// The id that tills send, for example bkk-01.
    pub id: Label,
    /// The name that shoppers read.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 120))]
    pub name: Option<String>,
    /// Groups that campaigns can name, for example bangkok.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 20))]
    pub groups: Vec<Label>,
    /// The region, for example TH-10.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub region: Option<Label>,
    /// The store's time zone. Default: the one above.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub time_zone: Option<Zone>,
    /// Where the store stands, for segments by distance, for example `{lat: 13.7466, lng: 100.5349}`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub location: Option<Point>,
}

/// Rules of loyalty points.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct PointsRules {
    /// What one point is worth to you, for example "0.02". It is the cost of a point that is given.
    pub worth: Money,
    /// How long points live whose reward does not say it itself. Whole days last until the end of the last day. Default: for ever.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub expire_after: Option<Span>,
    /// How long points that `earn` gives wait until they can be spent, so that an order that comes back never gave any. Default: not at all.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub pending_for: Option<Span>,
    /// What happens when an order comes back and its points are spent already: Forbid keeps the balance at zero and notes what is missing, Allow lets it go below zero until the member earns again. Default: Forbid.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub negative: Option<Negative>,
    /// What earns points without any campaign, for example every 25 spent.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 20))]
    pub earn: Vec<Earn>,
    /// Whether members may give points to each other. Default: they may not.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub transfer: Option<PointsTransfer>,
}

/// What happens when points have to be taken back that are not there any more.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub enum Negative {
    Forbid,
    Allow,
}

/// Points for an event.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
#[schemars(extend("x-kubernetes-validations" = rules::earn()))]
pub struct Earn {
    /// The event, for example order.paid.
    pub event: EventType,
    /// One step of what was paid, after discounts and less refunds, for example "25". Only for order.paid; without it, each event counts as one step.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub per_spend: Option<Money>,
    /// How many points a step gives.
    #[schemars(range(min = 1, max = 1_000_000))]
    pub points: i64,
    /// What becomes of a part of a step: Down (nothing), HalfUp (a whole one from the half on) or Up (a whole one). Default: Down.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub rounding: Option<Rounding>,
}

/// What becomes of a part of a step.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub enum Rounding {
    Down,
    HalfUp,
    Up,
}

/// How members may give points to each other.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct PointsTransfer {
    /// How many points a member may give away in a day.
    #[schemars(range(min = 1, max = 1_000_000_000))]
    pub max_per_day: i64,
}

/// How members log in.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Login {
    /// True lets anyone log in as any member, for trying things out. Never use it in production.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub dev: Option<bool>,
}

/// Which events are accepted.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct EventRules {
    /// Older events are refused. Default: 400d.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub accept_past: Option<Span>,
    /// Events further in the future are refused. Default: 5m.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub accept_ahead: Option<Span>,
    /// Older events are counted, but bring no reward any more. Default: 72h.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reward_past: Option<Span>,
    /// Types of events that a member's app may send itself, for example campaign.shared.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 50))]
    pub from_members: Vec<EventType>,
    /// Fields of your own that events carry, by type of event and field, so that segments can test them and a typo is an error, for example `{quiz.finished: {score: Number}}`.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    #[schemars(extend("maxProperties" = 50))]
    pub fields: BTreeMap<String, EventFields>,
}

/// Fields of one type of event: `{score: Number}`.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(transparent)]
#[schemars(extend("maxProperties" = 50))]
pub struct EventFields(pub BTreeMap<String, FieldKind>);

/// The type of a field of an event.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub enum FieldKind {
    String,
    Number,
    Boolean,
}

/// Rules of orders.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct OrderRules {
    /// How long an order that is not paid yet keeps its discounts, stock and vouchers. Default: 15m.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reserve_for: Option<Span>,
}

/// Rules of the ledger, for those who correct it.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct LedgerRules {
    /// A correction that is worth more than this waits until a second person approves it, for example "1000.00". So does
    /// one whose worth is not known. "0" lets every correction wait. Without it none waits.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub approve_above: Option<Money>,
}
