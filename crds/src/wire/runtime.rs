//! The CampaignRuntime: what all campaigns of a namespace share.

use std::collections::BTreeMap;

use kube::CustomResource;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::rules;
use super::status::CampaignRuntimeStatus;
use super::text::{Currency, EventType, Label, Locale, Money, Percent, Span, Zone};

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
    /// How much of the revenue is left after the cost of goods, for the return on investment. Default: "100%".
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub margin: Option<Percent>,
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
    /// Enum (one of `values`), String, Number, Date (such as 2026-11-11) or Boolean.
    #[serde(rename = "type")]
    pub kind: AttributeKind,
    /// The values of an Enum.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 100))]
    pub values: Option<Vec<Label>>,
}

/// The type of an attribute.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub enum AttributeKind {
    Enum,
    String,
    Number,
    Date,
    Boolean,
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
}

/// Rules of loyalty points.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct PointsRules {
    /// What one point is worth to you, for example "0.02". It is the cost of a point that is given.
    pub worth: Money,
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
