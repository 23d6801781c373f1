//! What the controller reports on each resource. Nobody writes these by hand.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// One aspect of a resource's state, as other Kubernetes tools read it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Condition {
    /// The aspect, for example Ready.
    #[serde(rename = "type")]
    #[schemars(length(min = 1, max = 64))]
    pub kind: String,
    /// True, False or Unknown.
    pub status: ConditionStatus,
    /// The reason in one word.
    #[schemars(length(min = 1, max = 128))]
    pub reason: String,
    /// The reason in a sentence.
    #[schemars(length(max = 4096))]
    pub message: String,
    /// When the status last changed.
    #[schemars(extend("format" = "date-time"))]
    pub last_transition_time: String,
    /// Which generation of the resource this is about.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub observed_generation: Option<i64>,
}

/// Whether a condition holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub enum ConditionStatus {
    True,
    False,
    Unknown,
}

/// Where a campaign is in its life.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub enum Phase {
    Draft,
    Scheduled,
    Teaser,
    Active,
    Paused,
    CoolDown,
    Settling,
    Ended,
}

/// What became of a campaign.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct CampaignStatus {
    /// Draft, Scheduled, Teaser, Active, Paused, CoolDown, Settling or Ended.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub phase: Option<Phase>,
    /// The generation of the spec that this status is about.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub observed_generation: Option<i64>,
    /// Ready, Reconciling, Stalled, Published and WithinBudget.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 16), extend("x-kubernetes-list-type" = "map", "x-kubernetes-list-map-keys" = ["type"]))]
    pub conditions: Vec<Condition>,
    /// The version of the campaign that is being served.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub revision: Option<Revision>,
    /// What happens next, and when.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub next_transition: Option<NextTransition>,
    /// The start, with its offset.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 40))]
    pub start_at: Option<String>,
    /// The end, with its offset.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 40))]
    pub end_at: Option<String>,
    /// The kinds of its mechanics.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 400))]
    pub mechanics: Option<String>,
    /// How many members the campaign is for.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub audience: Option<AudienceStatus>,
    /// The results so far.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub metrics: Option<CampaignMetrics>,
    /// The budget so far.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub budget: Option<BudgetStatus>,
}

/// A version of a spec.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Revision {
    /// A short digest of the spec.
    #[schemars(length(max = 64))]
    pub hash: String,
    /// The Git commit it came from, where known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 200))]
    pub git: Option<String>,
    /// Who wrote it, as the commit says. It is not verified.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 200))]
    pub author: Option<String>,
}

/// What happens next.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct NextTransition {
    /// The phase that follows.
    pub phase: Phase,
    /// When it begins.
    #[schemars(length(max = 40))]
    pub at: String,
}

/// How many members a campaign is for.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct AudienceStatus {
    /// Members in the audience.
    pub matching: i64,
    /// How many of them each channel reaches.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    #[schemars(extend("maxProperties" = 32))]
    pub reachable: BTreeMap<String, i64>,
    /// When this was counted.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 40))]
    pub as_of: Option<String>,
}

/// The results of a campaign, from its ledger.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct CampaignMetrics {
    /// Members who joined or took part.
    pub participants: i64,
    /// Participants in percent of the audience.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 16))]
    pub participation_rate: Option<String>,
    /// Participants with an order that counts for the campaign.
    pub conversions: i64,
    /// Conversions in percent of participants.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 16))]
    pub conversion_rate: Option<String>,
    /// Orders that count for the campaign.
    pub orders: i64,
    /// What was paid for these orders after discounts, less refunds.
    #[schemars(length(max = 24))]
    pub revenue: String,
    /// Revenue for each order.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 24))]
    pub average_order_value: Option<String>,
    /// Rewards that were given.
    pub issued: i64,
    /// Rewards that were claimed.
    pub claimed: i64,
    /// Rewards that were used at least once: one of several uses counts once.
    pub redeemed: i64,
    /// Claimed in percent of issued.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 16))]
    pub claim_rate: Option<String>,
    /// Redeemed in percent of issued.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 16))]
    pub redemption_rate: Option<String>,
    /// What the campaign has cost, without discounts.
    pub cost: CostMetrics,
    /// Discounts that were given. Revenue is already less by them.
    #[schemars(length(max = 24))]
    pub discounts: String,
    /// The return on investment: margin on revenue less cost, for each unit of cost.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 24))]
    pub roi: Option<String>,
    /// When these figures were true.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 40))]
    pub as_of: Option<String>,
    /// The place in the ledger that these figures include.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub position: Option<i64>,
}

/// What a campaign has cost.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct CostMetrics {
    /// Rewards.
    #[schemars(length(max = 24))]
    pub rewards: String,
    /// Messages.
    #[schemars(length(max = 24))]
    pub messages: String,
    /// Fixed costs.
    #[schemars(length(max = 24))]
    pub fixed: String,
    /// All of it.
    #[schemars(length(max = 24))]
    pub total: String,
}

/// The budget of a campaign, from its ledger.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct BudgetStatus {
    /// The limit.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 24))]
    pub limit: Option<String>,
    /// Set aside for rewards that were given and not used yet.
    #[schemars(length(max = 24))]
    pub reserved: String,
    /// Spent on discounts and used rewards.
    #[schemars(length(max = 24))]
    pub actual: String,
    /// Set free by rewards that lapsed or were taken back.
    #[schemars(length(max = 24))]
    pub released: String,
    /// Reserved and actual together.
    #[schemars(length(max = 24))]
    pub spent: String,
    /// What is left of the limit.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 24))]
    pub remaining: Option<String>,
    /// The largest share of the limit, of those that the budget's notifyAt names, that was reached.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 12))]
    pub reached: Option<String>,
    /// True while the campaign is suspended because the limit was reached.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub suspended: Option<bool>,
    /// When the limit was reached.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 40))]
    pub exhausted_at: Option<String>,
}

/// How big a segment is.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct SegmentStatus {
    /// Members in the segment.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub size: Option<i64>,
    /// How many of them each channel reaches.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    #[schemars(extend("maxProperties" = 32))]
    pub reachable: BTreeMap<String, i64>,
    /// How many of them at least one channel reaches.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reachable_total: Option<i64>,
    /// Members who came in during the last 24 hours.
    #[serde(default, rename = "entered24h", skip_serializing_if = "Option::is_none")]
    pub entered_24h: Option<i64>,
    /// Members who left during the last 24 hours.
    #[serde(default, rename = "left24h", skip_serializing_if = "Option::is_none")]
    pub left_24h: Option<i64>,
    /// Both in short, for example "+12 -3".
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 40))]
    pub changed: Option<String>,
    /// When this was counted.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 40))]
    pub as_of: Option<String>,
    /// The generation of the spec that this status is about.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub observed_generation: Option<i64>,
    /// Ready, Reconciling and Stalled.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 16), extend("x-kubernetes-list-type" = "map", "x-kubernetes-list-map-keys" = ["type"]))]
    pub conditions: Vec<Condition>,
}

/// How much of a reward was given and used.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct RewardStatus {
    /// points, voucher, freeItem, access, badge or giftCard.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 32))]
    pub kind: Option<String>,
    /// How many were given.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub issued: Option<i64>,
    /// How many were claimed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub claimed: Option<i64>,
    /// How many were used at least once: one of several uses counts once.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub redeemed: Option<i64>,
    /// How many are left to give.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub left: Option<i64>,
    /// The imported codes, of a reward that takes them from a list.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub codes: Option<CodesStatus>,
    /// What they have cost.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 24))]
    pub cost: Option<String>,
    /// When this was counted.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 40))]
    pub as_of: Option<String>,
    /// The generation of the spec that this status is about.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub observed_generation: Option<i64>,
    /// The version of the reward that is being served.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub revision: Option<Revision>,
    /// Ready, Reconciling and Stalled; CodesImported where a Secret declares its codes.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 16), extend("x-kubernetes-list-type" = "map", "x-kubernetes-list-map-keys" = ["type"]))]
    pub conditions: Vec<Condition>,
}

/// How many codes were imported and are left.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct CodesStatus {
    /// How many were imported.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub imported: Option<i64>,
    /// How many of them are left to give.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub left: Option<i64>,
}

/// How many members went through an automation.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct AutomationStatus {
    /// What lets members enter, in short.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 128))]
    pub trigger: Option<String>,
    /// Members who entered.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub entered: Option<i64>,
    /// Members who are in it now.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub active: Option<i64>,
    /// Members who reached the end.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub completed: Option<i64>,
    /// When this was counted.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 40))]
    pub as_of: Option<String>,
    /// The generation of the spec that this status is about.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub observed_generation: Option<i64>,
    /// The version of the automation that is being served.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub revision: Option<Revision>,
    /// Ready, Reconciling and Stalled.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 16), extend("x-kubernetes-list-type" = "map", "x-kubernetes-list-map-keys" = ["type"]))]
    pub conditions: Vec<Condition>,
}

/// The state of a message template.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct MessageTemplateStatus {
    /// Its languages in short, for example "en, th".
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 800))]
    pub locales: Option<String>,
    /// The generation of the spec that this status is about.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub observed_generation: Option<i64>,
    /// Ready, Reconciling and Stalled.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 16), extend("x-kubernetes-list-type" = "map", "x-kubernetes-list-map-keys" = ["type"]))]
    pub conditions: Vec<Condition>,
}

/// How many messages a channel has sent.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct MessageChannelStatus {
    /// smtp or inApp.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 32))]
    pub kind: Option<String>,
    /// Messages that were sent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub sent: Option<i64>,
    /// Messages that could not be sent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub failed: Option<i64>,
    /// When this was counted.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 40))]
    pub as_of: Option<String>,
    /// The generation of the spec that this status is about.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub observed_generation: Option<i64>,
    /// Ready, Reconciling and Stalled.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 16), extend("x-kubernetes-list-type" = "map", "x-kubernetes-list-map-keys" = ["type"]))]
    pub conditions: Vec<Condition>,
}

/// The state of a runtime.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct CampaignRuntimeStatus {
    /// Where its API is found.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 2048))]
    pub url: Option<String>,
    /// How many copies of it serve.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub replicas: Option<i64>,
    /// How many campaigns it serves.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub campaigns: Option<i64>,
    /// The generation of the spec that this status is about.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub observed_generation: Option<i64>,
    /// Ready, Reconciling and Stalled.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 16), extend("x-kubernetes-list-type" = "map", "x-kubernetes-list-map-keys" = ["type"]))]
    pub conditions: Vec<Condition>,
}
