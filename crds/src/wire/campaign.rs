//! The Campaign: what runs, when, for whom, by which mechanics, within which budget.

use std::collections::BTreeMap;

use kube::CustomResource;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::common::{Audience, Limit, Window};
use super::mechanic::Mechanic;
use super::rules;
use super::status::CampaignStatus;
use super::text::{Label, LocalTime, Locale, Money, Name, Percent, Sha256, Span, Url, Zone};

/// What the campaign does and when. Only `title`, `objective`, `schedule` and `mechanics` are needed.
#[derive(CustomResource, Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[kube(
    group = "fanfare.dev",
    version = "v1alpha1",
    kind = "Campaign",
    plural = "campaigns",
    singular = "campaign",
    shortname = "camp",
    category = "marketing",
    namespaced,
    derive = "PartialEq",
    status = "CampaignStatus",
    doc = "A campaign: what runs, when, for whom, by which mechanics and within which budget.",
    selectable = ".status.phase",
    selectable = ".spec.suspend",
    printcolumn(name = "OBJECTIVE", type_ = "string", json_path = ".spec.objective"),
    printcolumn(name = "PHASE", type_ = "string", json_path = ".status.phase"),
    printcolumn(name = "START", type_ = "string", json_path = ".status.startAt"),
    printcolumn(name = "END", type_ = "string", json_path = ".status.endAt"),
    printcolumn(name = "PARTICIPANTS", type_ = "integer", json_path = ".status.metrics.participants"),
    printcolumn(name = "CONVERSION", type_ = "string", json_path = ".status.metrics.conversionRate"),
    printcolumn(name = "REVENUE", type_ = "string", json_path = ".status.metrics.revenue"),
    printcolumn(name = "SPENT", type_ = "string", json_path = ".status.budget.spent"),
    printcolumn(name = "BUDGET", type_ = "string", json_path = ".spec.budget.limit"),
    printcolumn(name = "READY", type_ = "string", json_path = r#".status.conditions[?(@.type=="Ready")].status"#),
    printcolumn(name = "MECHANICS", type_ = "string", json_path = ".status.mechanics", priority = 1),
    printcolumn(name = "AUDIENCE", type_ = "integer", json_path = ".status.audience.matching", priority = 1),
    printcolumn(name = "REDEEMED", type_ = "integer", json_path = ".status.metrics.redeemed", priority = 1),
    printcolumn(name = "ROI", type_ = "string", json_path = ".status.metrics.roi", priority = 1),
    printcolumn(name = "REVISION", type_ = "string", json_path = ".status.revision.hash", priority = 1),
    printcolumn(name = "AGE", type_ = "date", json_path = ".metadata.creationTimestamp", priority = 1)
)]
#[serde(rename_all = "camelCase")]
pub struct CampaignSpec {
    /// The name that your team uses, for example Double 11 Sale.
    #[schemars(length(min = 1, max = 120))]
    pub title: String,
    /// Notes for your team. Shoppers never see them.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 2000))]
    pub description: Option<String>,
    /// What the campaign is meant to achieve.
    pub objective: Objective,
    /// Words to find and group campaigns by, for example seasonal.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 20))]
    pub tags: Vec<Label>,
    /// The team or person who answers for the campaign. Where it is the id of a member, that member is told when a
    /// share of the budget is reached (see budget.notifyAt).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 120))]
    pub owner: Option<String>,
    /// True stops the campaign at once: nobody joins, and no discount or reward is given. Vouchers that members
    /// already have can still be used. False, or removing it, lets the campaign go on.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub suspend: Option<bool>,
    /// When the campaign is shown, starts and ends.
    pub schedule: Schedule,
    /// Who sees the campaign in listings. Public: everyone, also without a login. Targeted: members of its audience.
    /// Unlisted: nobody, but those who have the link can take part. Default: Public without an audience, else Targeted.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub visibility: Option<Visibility>,
    /// Who the campaign is for. Leave it out for everyone.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub audience: Option<Audience>,
    /// How members take part, where, and how often.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub participation: Option<Participation>,
    /// What the campaign gives. Mechanics apply in this order, each to what the one before left.
    #[schemars(length(min = 1, max = 20), extend("x-kubernetes-list-type" = "map", "x-kubernetes-list-map-keys" = ["name"]))]
    pub mechanics: Vec<Mechanic>,
    /// What happens when several campaigns fit one order.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub stacking: Option<Stacking>,
    /// How much discounts and rewards may cost. Without a budget nothing limits the cost.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub budget: Option<Budget>,
    /// Costs that do not depend on how many take part, for example media. They count in the return on investment.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 20), extend("x-kubernetes-list-type" = "map", "x-kubernetes-list-map-keys" = ["name"]))]
    pub costs: Vec<FixedCost>,
    /// Which orders count as a result of the campaign.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub attribution: Option<Attribution>,
    /// The texts and pictures that shoppers see.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub content: Option<Content>,
}

/// What a campaign is meant to achieve.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub enum Objective {
    Acquisition,
    Promotion,
    Retention,
    Conversion,
}

/// When a campaign is shown, starts and ends. All times are local times of `timeZone`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
#[schemars(extend("x-kubernetes-validations" = rules::schedule()))]
pub struct Schedule {
    /// The time zone of all times below, for example Asia/Bangkok. Default: the Runtime's.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub time_zone: Option<Zone>,
    /// From here on the campaign is shown as a teaser. Default: at the start.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub publish_at: Option<LocalTime>,
    /// From here on offers apply, for example "2026-11-11T00:00". It cannot change once the campaign has started.
    pub start_at: LocalTime,
    /// Offers end here. Leave it out for a campaign without end.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub end_at: Option<LocalTime>,
    /// How long after the end vouchers and refunds are still handled, for example 30d. Then the campaign is settled.
    /// Default: not at all.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cool_down: Option<Span>,
    /// Offers apply only in these windows, for example every evening. Empty: all the time.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 16))]
    pub windows: Vec<Window>,
}

/// Who sees a campaign in listings.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub enum Visibility {
    Public,
    Targeted,
    Unlisted,
}

/// How members take part.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Participation {
    /// OneTap (the default): members press a button to join. Automatic: a member takes part with the first discount
    /// or entry.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub join: Option<Join>,
    /// Where offers apply, for example pos or miniProgram. Empty: everywhere.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 20))]
    pub channels: Vec<Label>,
    /// Ids of the stores where offers apply, as listed in the Runtime. Empty: all stores.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 500))]
    pub stores: Vec<Label>,
    /// Groups of stores where offers apply, as listed in the Runtime. Empty: all stores.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 100))]
    pub store_groups: Vec<Label>,
    /// How often members can take part, order and be rewarded, over all mechanics together.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 16))]
    pub limits: Vec<Limit>,
}

/// How members join.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub enum Join {
    OneTap,
    Automatic,
}

/// What happens when several campaigns fit one order.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Stacking {
    /// Campaigns of the same group compete. Different groups combine.
    pub group: Name,
    /// The higher number comes first. Default: 0.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = -1_000_000, max = 1_000_000))]
    pub priority: Option<i64>,
    /// BestOf: the campaign that saves most. All: every campaign, by priority. Exclusive: only the one with the
    /// highest priority.
    pub combine: Combine,
}

/// How campaigns of one group combine.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub enum Combine {
    BestOf,
    All,
    Exclusive,
}

/// How much discounts and rewards may cost.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Budget {
    /// The most that all discounts and rewards together may cost, in the Runtime's currency, for example "500000".
    pub limit: Money,
    /// The most that one day may give out, from midnight to midnight in the campaign's time zone.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub per_day: Option<Money>,
    /// The most that discounts and rewards may cost in one store, over the whole campaign. Orders without a store share
    /// one such amount.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub per_store: Option<Money>,
    /// The most that discounts and rewards may cost for one member, over the whole campaign. With it, shoppers who are
    /// not known get nothing.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub per_member: Option<Money>,
    /// What happens when the limit is reached. Stop (the default): no more discounts or rewards. Suspend: the
    /// campaign is suspended until the limit is raised or somebody runs fanfare resume. Continue: it goes on, and only
    /// its status says so.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub on_exhausted: Option<OnExhausted>,
    /// Shares of the limit at which you are told, for example "50%" and "80%": once each, by the status, by an event of
    /// the resource, and by the event budget.threshold, which starts Automations for the member whose id is the
    /// campaign's owner.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 10))]
    pub notify_at: Vec<Percent>,
    /// HardStop (the default): the limit holds while the campaign runs. WorstCase: a campaign that could cost more
    /// than the limit, if everything were given, is refused beforehand.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cover: Option<Cover>,
}

/// What happens when a budget is used up.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub enum OnExhausted {
    Stop,
    Suspend,
    Continue,
}

/// How a budget is kept.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub enum Cover {
    HardStop,
    WorstCase,
}

/// A cost that does not depend on how many take part.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct FixedCost {
    /// What it is for, for example media.
    pub name: Name,
    /// How much it is, in the Runtime's currency.
    pub amount: Money,
}

/// Which orders count as a result of the campaign.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Attribution {
    /// How long after taking part an order still counts, for example 7d. Default: 7d.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub window: Option<Span>,
}

/// The texts and pictures that shoppers see.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
#[schemars(extend("x-kubernetes-validations" = rules::content()))]
pub struct Content {
    /// The language for shoppers whose own language has no texts here.
    pub default_locale: Locale,
    /// The texts in each language, by language tag, for example th or zh-Hans.
    #[schemars(extend("minProperties" = 1, "maxProperties" = 20))]
    pub locales: BTreeMap<String, LocalContent>,
    /// Pictures by name, for example banner.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    #[schemars(extend("maxProperties" = 20))]
    pub assets: BTreeMap<String, Asset>,
}

/// What shoppers read, in one language.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct LocalContent {
    /// The headline.
    #[schemars(length(min = 1, max = 200))]
    pub title: String,
    /// One or two sentences below the headline.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 1000))]
    pub summary: Option<String>,
    /// What the shopper gets, one line each.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 20), inner(length(min = 1, max = 300)))]
    pub benefits: Vec<String>,
    /// How to take part.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 2000))]
    pub how_to_join: Option<String>,
    /// The terms and conditions.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 20000))]
    pub terms: Option<String>,
    /// What is filled in when a shopper shares the campaign.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 500))]
    pub share_text: Option<String>,
}

/// A picture or another file.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Asset {
    /// Where the file is found on the web.
    pub url: Url,
    /// Its SHA-256 digest, so that nobody can exchange the file unnoticed.
    pub sha256: Sha256,
}
