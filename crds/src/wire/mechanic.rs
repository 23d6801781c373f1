//! The mechanics of a campaign: one optional field a kind, of which exactly one is set.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::common::{Audience, CountLimit, Items, Limit, Window};
use super::rules;
use super::text::{EventType, Label, Money, Name, Percent, Span};

/// One thing that the campaign gives. It needs a name and exactly one kind.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
#[schemars(extend("x-kubernetes-validations" = rules::mechanic()))]
pub struct Mechanic {
    /// A name that is unique in the campaign, for example half-price. Its kind cannot change once the campaign has started.
    pub name: Name,
    /// The mechanic applies only in these windows. Empty: as long as the campaign's own.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 16))]
    pub windows: Vec<Window>,
    /// The mechanic is only for these members, in addition to the campaign's audience.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub audience: Option<Audience>,
    /// The mechanic applies only here, for example in the miniProgram. Empty: as the campaign.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 20))]
    pub channels: Vec<Label>,
    /// The mechanic applies only in these stores. Empty: as the campaign.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 500))]
    pub stores: Vec<Label>,
    /// The mechanic applies only in stores of these groups. Empty: as the campaign.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 100))]
    pub store_groups: Vec<Label>,
    /// How often this mechanic applies, in addition to the campaign's limits.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 16))]
    pub limits: Vec<Limit>,
    /// A lower price on goods in the cart.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub discount: Option<Discount>,
    /// Something for those who spend enough.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub spend_threshold: Option<SpendThreshold>,
    /// Few pieces at a special price, reserved by the first who come.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub flash_sale: Option<FlashSale>,
    /// A draw of prizes.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub lottery: Option<Lottery>,
}

/// A lower price on goods in the cart.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
#[schemars(extend("x-kubernetes-validations" = rules::discount()))]
pub struct Discount {
    /// A share off the price, for example "50%".
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub percent_off: Option<Percent>,
    /// An amount off each order, spread over its goods, for example "100".
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub amount_off: Option<Money>,
    /// The price of one piece, for example "99".
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub fixed_price: Option<Money>,
    /// The goods that get the lower price.
    pub items: Items,
    /// The goods above must cost at least this much together.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub min_spend: Option<Money>,
    /// The discount is never more than this.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub max_amount: Option<Money>,
    /// What `maxAmount` is counted for: each Line, each Order (the default), or each Member over the whole campaign.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub max_amount_per: Option<MaxAmountPer>,
    /// One piece never costs less than this after the discount.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub floor_price: Option<Money>,
}

/// What a maximum discount is counted for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub enum MaxAmountPer {
    Line,
    Order,
    Member,
}

/// Something for those who spend enough.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct SpendThreshold {
    /// What counts as spent: BeforeDiscounts, or AfterDiscounts of the mechanics above (the default).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub basis: Option<Basis>,
    /// Whether one Order must reach the tier (the default), or all orders of a member in the Campaign together.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub per: Option<SpendPer>,
    /// Whether a member gets the Highest tier that was reached (the default), or All of them.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub award: Option<Award>,
    /// True gives the highest tier again for each further time its amount is reached, for example 100 off for every
    /// 1000 spent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub repeat: Option<bool>,
    /// How much must be spent for what. Write them from the lowest to the highest.
    #[schemars(length(min = 1, max = 20))]
    pub tiers: Vec<Tier>,
}

/// What counts as spent.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub enum Basis {
    BeforeDiscounts,
    AfterDiscounts,
}

/// Over what spending is summed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub enum SpendPer {
    Order,
    Campaign,
}

/// Which of the reached tiers are given.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub enum Award {
    Highest,
    All,
}

/// Spend so much, get this.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
#[schemars(extend("x-kubernetes-validations" = rules::tier()))]
pub struct Tier {
    /// How much must be spent, for example "2000".
    pub spend: Money,
    /// The name of the Reward that is given.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reward: Option<Name>,
    /// An amount off the order.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub amount_off: Option<Money>,
    /// A share off the order, for example "10%".
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub percent_off: Option<Percent>,
}

/// Few pieces at a special price.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct FlashSale {
    /// The goods, their special price and how many there are.
    #[schemars(length(min = 1, max = 100), extend("x-kubernetes-list-type" = "map", "x-kubernetes-list-map-keys" = ["sku"]))]
    pub items: Vec<FlashItem>,
    /// How many pieces of each item one member can buy. Leave it out for no limit.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 1, max = 10_000))]
    pub per_member: Option<i64>,
    /// How long a piece is kept for a member who has not paid yet, for example 10m. Default: 10m.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reserve_for: Option<Span>,
}

/// One item of a flash sale.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct FlashItem {
    /// The SKU.
    pub sku: Label,
    /// The special price of one piece.
    pub price: Money,
    /// How many pieces there are in all.
    #[schemars(range(min = 1, max = 1_000_000_000))]
    pub stock: i64,
    /// How many of them each store can sell at most.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 1, max = 1_000_000_000))]
    pub stock_per_store: Option<i64>,
}

/// A draw of prizes.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
#[schemars(extend("x-kubernetes-validations" = rules::lottery()))]
pub struct Lottery {
    /// How a member gets a chance.
    pub entry: Entry,
    /// When prizes are drawn. Instant: at once, each time a member draws.
    pub draw: Draw,
    /// The prizes. One without a reward means that the member wins nothing.
    #[schemars(length(min = 1, max = 50), extend("x-kubernetes-list-type" = "map", "x-kubernetes-list-map-keys" = ["name"]))]
    pub prizes: Vec<Prize>,
    /// After so many draws without a reward, the next draw of a member surely wins one, while there are any.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 1, max = 10_000))]
    pub guaranteed_after: Option<i64>,
}

/// How a member gets a chance.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
#[schemars(extend("x-kubernetes-validations" = rules::entry()))]
pub struct Entry {
    /// Each event of this type gives one chance, for example campaign.shared.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub event: Option<EventType>,
    /// Each draw costs so many points.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 1, max = 1_000_000_000))]
    pub points: Option<i64>,
    /// How many chances there are.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 8))]
    pub limits: Vec<CountLimit>,
}

/// When prizes are drawn.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub enum Draw {
    Instant,
}

/// One prize of a draw.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
#[schemars(extend("x-kubernetes-validations" = rules::prize()))]
pub struct Prize {
    /// A name that is unique in the draw.
    pub name: Name,
    /// The name of the Reward that is given. Leave it out for "nothing won".
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reward: Option<Name>,
    /// How likely the prize is, compared with the others: weight 1 beside weight 9 is one in ten.
    #[schemars(range(min = 1, max = 1_000_000))]
    pub weight: i64,
    /// How many of this prize there are in all.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 1, max = 1_000_000_000))]
    pub quantity: Option<i64>,
    /// How many of this prize are given on one day at most.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 1, max = 1_000_000_000))]
    pub per_day: Option<i64>,
}
