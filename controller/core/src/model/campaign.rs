//! A Campaign after admission.

use super::schedule::{Schedule, Window};
use crate::{
    ids::{Name, Revision, StoreId},
    mechanic::Rule,
    money::{BasisPoints, Minor},
    time::{Every, Span},
};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// What runs, when, for whom, by which mechanics, within which budget.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct CampaignPlan {
    /// Its name.
    pub name: Name,
    /// The digest of the accepted specification.
    pub revision: Revision,
    /// What people call it.
    pub title: String,
    /// What it is for.
    pub objective: Objective,
    /// Labels to find it by.
    pub tags: Vec<String>,
    /// When.
    pub schedule: Schedule,
    /// Suspended in its specification or by break-glass.
    pub suspended: bool,
    /// Who may see it.
    pub visibility: Visibility,
    /// Who may take part.
    pub audience: Audience,
    /// How one takes part.
    pub participation: Participation,
    /// Applied in this order, each to what the one before left.
    pub mechanics: Vec<Mechanic>,
    /// How it combines with other campaigns.
    pub stacking: Option<Stacking>,
    /// What it may spend.
    pub budget: Option<Budget>,
    /// Shares of the budget's limit at which its owner is told, rising.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub notify_at: Vec<BasisPoints>,
    /// Who answers for it: the member of this id is told, where there is one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub owner: Option<String>,
    /// Fixed costs, by name.
    pub costs: BTreeMap<String, Minor>,
    /// An order counts for it when placed at most so long after the participant joined or last took part.
    pub attribution_window: Span,
    /// What members read.
    pub content: Content,
}

/// What a campaign is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[expect(missing_docs, reason = "the names are the field's own")]
pub enum Objective {
    Acquisition,
    Promotion,
    Retention,
    Conversion,
}

/// Who may see a campaign.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Visibility {
    /// Everyone, also without a login.
    Public,
    /// The audience.
    Targeted,
    /// Whoever knows its name and qualifies; no list shows it.
    Unlisted,
}

/// Who may take part: in one of `include` (empty: everyone) and in none of `exclude`.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Audience {
    /// Segments, any of which qualifies.
    pub include: Vec<Name>,
    /// Segments, any of which disqualifies.
    pub exclude: Vec<Name>,
}

impl Audience {
    /// Whether it asks nothing.
    pub fn is_everyone(&self) -> bool {
        self.include.is_empty() && self.exclude.is_empty()
    }
}

/// Where something may be used. Empty: everywhere. `stores` already contains the stores of the groups that were named.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Places {
    /// Channels such as `pos` and `miniProgram`.
    pub channels: Vec<String>,
    /// Stores; `None` for all, an empty list for groups that hold no store.
    pub stores: Option<Vec<StoreId>>,
}

impl Places {
    /// Whether `channel` is among them.
    pub fn has_channel(&self, channel: &str) -> bool {
        self.channels.is_empty() || self.channels.iter().any(|c| c == channel)
    }

    /// Whether `store` is among them; no store is among all of them only.
    pub fn has_store(&self, store: Option<&StoreId>) -> bool {
        self.stores.as_ref().is_none_or(|stores| store.is_some_and(|s| stores.contains(s)))
    }
}

/// How one takes part in a campaign.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Participation {
    /// By a tap, or by the first discount, entry or progress.
    pub join: Join,
    /// Where.
    pub places: Places,
    /// How often and how much.
    pub limits: Vec<Limit>,
}

/// How a member becomes a participant.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Join {
    /// By joining; nothing is given before.
    OneTap,
    /// From the first discount, entry or progress; joining works too.
    Automatic,
}

/// At most `max` of something per someone in each stretch of time.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Limit {
    /// Of what.
    pub count: Counted,
    /// Per whom.
    pub per: Per,
    /// In which stretch.
    pub every: Every,
    /// How many.
    pub max: i64,
}

/// What a limit counts.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum Counted {
    /// Members who joined.
    Joins,
    /// Orders that got something.
    Orders,
    /// Rewards granted.
    Rewards,
    /// Entries of a lottery.
    Entries,
}

/// Per whom a limit counts.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[expect(missing_docs, reason = "the names are the field's own")]
pub enum Per {
    Member,
    Store,
    Campaign,
    Device,
    Address,
    /// The card that pays, where a till says it.
    Card,
    /// One order, whatever else happens in the stretch; of rewards only.
    Order,
    /// All together, whichever campaign gives; of rewards only.
    Reward,
}

/// One mechanic of a campaign with what narrows it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Mechanic {
    /// Its name within the campaign.
    pub name: Name,
    /// Only then, there, for those and so often; on top of what the campaign itself says.
    pub scope: Scope,
    /// What it does.
    pub rule: Rule,
}

/// What narrows one mechanic further than its campaign.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Scope {
    /// When not empty, only inside these.
    pub windows: Vec<Window>,
    /// Who.
    pub audience: Audience,
    /// Where.
    pub places: Places,
    /// How often and how much.
    pub limits: Vec<Limit>,
}

/// How campaigns of one group share an order. Groups combine with each other.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Stacking {
    /// The group's name.
    pub group: String,
    /// Higher goes first.
    pub priority: i64,
    /// What of the group applies.
    pub combine: Combine,
}

/// What of several campaigns or vouchers applies to one order.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Combine {
    /// The largest saving.
    BestOf,
    /// Each, by priority.
    All,
    /// The one of the highest priority.
    Exclusive,
}

/// What a campaign may spend. Whatever is granted reserves first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Budget {
    /// In all.
    pub limit: Minor,
    /// On each calendar day of the campaign's zone.
    pub per_day: Option<Minor>,
    /// In each store, over the whole campaign.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub per_store: Option<Minor>,
    /// For each member, over the whole campaign.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub per_member: Option<Minor>,
    /// What happens when it runs out.
    pub on_exhausted: OnExhausted,
    /// Whether admission refuses what could exceed it.
    pub cover: Cover,
}

impl Budget {
    /// A budget that stops at `limit`.
    pub fn of(limit: Minor) -> Self {
        let (on_exhausted, cover) = (OnExhausted::Stop, Cover::HardStop);
        Self { limit, per_day: None, per_store: None, per_member: None, on_exhausted, cover }
    }
}

/// What happens when a budget runs out.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum OnExhausted {
    /// No more discounts or rewards.
    Stop,
    /// The campaign is suspended.
    Suspend,
    /// It goes on over the limit.
    Continue,
}

/// When a budget is held against what could be spent.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Cover {
    /// While it runs.
    HardStop,
    /// Already at admission, by the worst case.
    WorstCase,
}

/// What members read, per locale.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Content {
    /// The locale that stands in for a missing one.
    pub default_locale: Option<String>,
    /// Texts by locale, such as `th` or `zh-Hans`.
    pub locales: BTreeMap<String, Text>,
    /// Pictures by name.
    pub assets: BTreeMap<String, Asset>,
}

/// A campaign's texts in one locale.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[expect(missing_docs, reason = "the names are the field's own")]
pub struct Text {
    pub title: Option<String>,
    pub summary: Option<String>,
    pub benefits: Vec<String>,
    pub how_to_join: Option<String>,
    pub terms: Option<String>,
    pub share_text: Option<String>,
}

/// A picture at an address, pinned by its digest.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Asset {
    /// Where it is.
    pub url: String,
    /// The SHA-256 of its bytes, hexadecimal.
    pub sha256: String,
}
