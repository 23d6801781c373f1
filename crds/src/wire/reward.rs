//! The Reward: what is given, how much of it, how it is redeemed and what it costs.

use kube::CustomResource;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::common::{Items, Period, UnitCost};
use super::rules;
use super::status::RewardStatus;
use super::text::{Label, LocalTime, Money, Name, Percent, Prefix, Span, WordCode};

/// What is given. It needs a title and exactly one of points, voucher, freeItem, access, badge and giftCard.
#[derive(CustomResource, Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[kube(
    group = "fanfare.dev",
    version = "v1alpha1",
    kind = "Reward",
    plural = "rewards",
    singular = "reward",
    shortname = "rwd",
    category = "marketing",
    namespaced,
    derive = "PartialEq",
    status = "RewardStatus",
    doc = "A reward: what is given, how much of it there is, how it is redeemed and what it costs.",
    selectable = ".spec.suspend",
    printcolumn(name = "KIND", type_ = "string", json_path = ".status.kind"),
    printcolumn(name = "ISSUED", type_ = "integer", json_path = ".status.issued"),
    printcolumn(name = "CLAIMED", type_ = "integer", json_path = ".status.claimed"),
    printcolumn(
        name = "REDEEMED",
        type_ = "integer",
        json_path = ".status.redeemed",
        description = "How many were used at least once: one of several uses counts once."
    ),
    printcolumn(name = "LEFT", type_ = "integer", json_path = ".status.left"),
    printcolumn(name = "COST", type_ = "string", json_path = ".status.cost"),
    printcolumn(name = "READY", type_ = "string", json_path = r#".status.conditions[?(@.type=="Ready")].status"#)
)]
#[serde(rename_all = "camelCase")]
#[schemars(extend("x-kubernetes-validations" = rules::reward()))]
pub struct RewardSpec {
    /// The name that members read, for example 200 baht off.
    #[schemars(length(min = 1, max = 120))]
    pub title: String,
    /// Points on the member's account.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub points: Option<PointsReward>,
    /// A voucher that lowers the price of one order.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub voucher: Option<VoucherReward>,
    /// Goods for free.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub free_item: Option<FreeItemReward>,
    /// Entry to something while it lasts: a lounge, an early sale, a class. The door or the till checks the code.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub access: Option<AccessReward>,
    /// A mark that the member keeps for ever, once. Write `badge: {}`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub badge: Option<BadgeReward>,
    /// Money on a card, spent in parts until nothing is left. It pays; it is no discount.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub gift_card: Option<GiftCardReward>,
    /// How the codes look that members show at the till.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub codes: Option<Codes>,
    /// How many there are, for all campaigns together. Leave it out for no limit.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 1, max = 1_000_000_000))]
    pub quantity: Option<i64>,
    /// How many are given at most: to each member, in each store, by each campaign, or in all, in a period.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 8))]
    pub limits: Vec<RewardLimit>,
    /// Auto (the default): the member has the reward at once. Manual: the member must claim it first.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub claim: Option<Claim>,
    /// How long a member can claim it, for example 3d. Only with `claim: Manual`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub claim_within: Option<Span>,
    /// How long it can be used. Leave it out for ever. Days are calendar days in the member's own time zone (the attribute
    /// timeZone), else the campaign's: 14d ends at the same time of day, 14 days later.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub validity: Option<Validity>,
    /// How long before its time to be claimed or used ends the member is reminded, for example [3d, 1d], each once: an
    /// Automation with the trigger grant.expiring sends the message. Nothing comes once it is used up or taken back. Not for
    /// points and badges.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 5))]
    pub remind_before: Vec<Span>,
    /// Where and how it is used.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub redemption: Option<Redemption>,
    /// Whether it can be used together with other vouchers.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub stacking: Option<RewardStacking>,
    /// What one use costs you, as an estimate for the budget. Default: the amount of the voucher or gift card, or nothing.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub unit_cost: Option<UnitCost>,
    /// True stops giving and redeeming this reward at once.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub suspend: Option<bool>,
}

/// Points on the member's account.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct PointsReward {
    /// How many points.
    #[schemars(range(min = 1, max = 1_000_000_000))]
    pub amount: i64,
    /// After this time the points lapse, for example 365d. Leave it out for never.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub expire_after: Option<Span>,
}

/// A voucher that lowers the price of one order.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
#[schemars(extend("x-kubernetes-validations" = rules::voucher()))]
pub struct VoucherReward {
    /// An amount off, for example "200".
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub amount_off: Option<Money>,
    /// A share off, for example "15%".
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub percent_off: Option<Percent>,
    /// Each piece of the goods below costs this, where that is less.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub fixed_price: Option<Money>,
    /// Free shipping: what the lines of the category shipping cost. Write `shipping: true`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub shipping: Option<bool>,
    /// With `percentOff`, `fixedPrice` or `shipping`: never more than this off.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub max_amount: Option<Money>,
    /// The goods below must cost at least this much together; for shipping, the goods without it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub min_spend: Option<Money>,
    /// The goods it can be used for. Default: all.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub items: Option<Items>,
}

/// Goods for free.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct FreeItemReward {
    /// The SKU.
    pub sku: Label,
    /// How many pieces. Default: 1.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 1, max = 1000))]
    pub quantity: Option<i64>,
}

/// Entry to something while it lasts.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct AccessReward {
    /// What it opens, for example vip-lounge.
    pub key: Label,
    /// How long, from the issue or, with `claim: Manual`, from the claim, for example 30d.
    #[serde(rename = "for")]
    pub lasts: Span,
}

/// A mark that the member keeps for ever.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct BadgeReward {}

/// Money on a card.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct GiftCardReward {
    /// What is on it when it is given, in the Runtime's currency, for example "500".
    pub amount: Money,
}

/// At most so many of a reward in a period: a calendar one (`every`), or so long up to each moment (`within`).
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
#[schemars(extend("x-kubernetes-validations" = rules::limit_of_reward()))]
pub struct RewardLimit {
    /// For whom it is counted: each Member, each Store, each Campaign, each Order (without a period), the whole Reward, or,
    /// against abuse, each Device or each network Address from which shoppers themselves act in the app, or each Card
    /// that a till says pays.
    pub per: RewardLimitPer,
    /// In which calendar period it is counted, in the Runtime's time zone.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub every: Option<Period>,
    /// Instead of every: over so long up to each moment, against bursts, for example 10m. It looks back over at least this
    /// long and at most a tenth more. From 10s to 30d.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub within: Option<Span>,
    /// The highest number given in the period.
    #[schemars(range(min = 1, max = 1_000_000_000))]
    pub max: i64,
}

/// For whom a limit of a reward counts.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub enum RewardLimitPer {
    Member,
    Store,
    Campaign,
    Order,
    Reward,
    Device,
    Address,
    Card,
}

/// How codes come into being: exactly one of generate, import and shared.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
#[schemars(extend("x-kubernetes-validations" = rules::codes()))]
pub struct Codes {
    /// Codes are made at random, one for each reward given.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub generate: Option<GenerateCodes>,
    /// Codes come from a list that you import, one for each reward given.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub import: Option<ImportCodes>,
    /// One code for everybody, for example WELCOME10. Whoever types it gets the reward.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub shared: Option<SharedCode>,
}

/// A list of codes that another system made.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct ImportCodes {
    /// A text file beside this one with a code a line, for `fanfare up`, for example codes/partner.csv. Leave it out and
    /// send them with `fanfare codes import`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 200))]
    pub file: Option<String>,
}

/// One code for everybody.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct SharedCode {
    /// The code, for example WELCOME10: letters, digits and hyphens. Upper and lower case are the same.
    pub code: WordCode,
    /// How often it can be used, by all together.
    #[schemars(range(min = 1, max = 1_000_000_000))]
    pub max: i64,
}

/// How a random code looks.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct GenerateCodes {
    /// How many characters, from 8 to 24, check digit included and prefix not. Default: 12.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 8, max = 24))]
    pub length: Option<i64>,
    /// Crockford (the default): letters and digits that are hard to confuse. Digits: digits only.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub alphabet: Option<Alphabet>,
    /// What each code begins with, for example D11.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub prefix: Option<Prefix>,
}

/// The characters of a code.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub enum Alphabet {
    Crockford,
    Digits,
}

/// How a member gets the reward.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub enum Claim {
    Auto,
    Manual,
}

/// How long a reward can be used.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
#[schemars(extend("x-kubernetes-validations" = rules::validity()))]
pub struct Validity {
    /// When the time begins: at the Issue (the default), or at the Claim.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub from: Option<ValidFrom>,
    /// How long it can be used, for example 14d.
    #[serde(default, rename = "for", skip_serializing_if = "Option::is_none")]
    pub lasts: Option<Span>,
    /// Until when it can be used, in the Runtime's time zone, for example "2026-12-31T23:59".
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub until: Option<LocalTime>,
    /// It cannot be used before this time, in the Runtime's time zone.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub not_before: Option<LocalTime>,
}

/// When the validity begins.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub enum ValidFrom {
    Issue,
    Claim,
}

/// Where and how a reward is used.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
#[schemars(extend("x-kubernetes-validations" = rules::redemption()))]
pub struct Redemption {
    /// Where it can be used, for example pos or miniProgram. Empty: everywhere.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 20))]
    pub channels: Vec<Label>,
    /// Ids of the stores where it can be used, as listed in the Runtime. Empty: all stores.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 500))]
    pub stores: Vec<Label>,
    /// How the code is drawn for the till's scanner: Code128 (a barcode) or Qr (the default).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub symbology: Option<Symbology>,
    /// How long a code is kept for an order that is not paid yet, for example 10m. Default: the Runtime's.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reserve_for: Option<Span>,
    /// How often one can be used, from 1 (the default) to 100; an order uses it once. Access without it opens as often as
    /// the member comes.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 1, max = 100))]
    pub uses: Option<i64>,
    /// The code is shown as a signed payload that changes: one is good for so long, from 5s to 10m, for example 30s. A
    /// screenshot is worth nothing then. Members see it in your Mini Program; it cannot be printed or typed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub rotate: Option<Span>,
    /// True: only the member who holds it can use it, and the till has to know who that is.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub holder_only: Option<bool>,
    /// What a till may take while it has no network. Only with `rotate`. Leave it out: nothing.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub offline: Option<Offline>,
    /// When the goods come back: Restore (the default) gives the voucher back to the member, Forfeit does not.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub on_reversal: Option<OnReversal>,
}

/// What a till may take while it has no network.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Offline {
    /// At most this much for one voucher.
    pub max_amount: Money,
    /// How long after that the till may report it, at most 72h. Default: 1h.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub grace_for: Option<Span>,
}

/// How a code is drawn.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub enum Symbology {
    Code128,
    Qr,
}

/// What happens to a used reward when the goods come back.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub enum OnReversal {
    Restore,
    Forfeit,
}

/// Whether a reward can be used together with others.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct RewardStacking {
    /// Rewards of the same group follow the rule below. Different groups combine.
    pub group: Name,
    /// Exclusive: one of the group in an order. All: any number.
    pub combine: RewardCombine,
}

/// How rewards of one group combine.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub enum RewardCombine {
    Exclusive,
    All,
}
