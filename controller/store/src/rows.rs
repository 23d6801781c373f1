//! Rows as the domain sees them. Times are instants, money is minor units, ids are types.

use fanfare_core::{
    cart::{Cart, Evaluation},
    decide::Bound,
    ids::{
        AccountId, Code, GrantId, HoldId, MemberId, MessageId, Name, Namespace, OrderId, RedemptionId, Revision, RunId,
        StoreId,
    },
    model::segment::Scalar,
    model::{AutomationPlan, Kind, Plan, RewardPlan},
    money::Minor,
    time::Ts,
    uses::Usage,
};
use serde::{Deserialize, Serialize};
use std::collections::{BTreeMap, BTreeSet};

/// Gives a state its names: those that the API and the database use.
macro_rules! names {
    ($state:ident: $($name:ident)*) => {
        impl $state {
            /// Every state.
            pub const ALL: [Self; [$(stringify!($name)),*].len()] = [$(Self::$name),*];

            /// The name that the API and the database use.
            pub fn as_str(self) -> &'static str {
                match self {
                    $(Self::$name => stringify!($name),)*
                }
            }

            /// The state of that name.
            pub fn parse(text: &str) -> Option<Self> {
                Self::ALL.into_iter().find(|state| state.as_str() == text)
            }
        }
    };
}

names!(GrantState: Pending Granted Claimed Reserved Redeemed Expired Revoked);
names!(OrderState: Reserved Committed Voided Lapsed PartiallyReturned Returned);
names!(RedemptionState: Reserved Committed Voided Lapsed PartiallyReversed Reversed);
names!(HoldState: Held Used Released);
names!(RunState: Active Completed Exited Stopped);
names!(MessageState: Queued Sending Sent Dropped);

/// What a batch loaded. A key that was asked for and is not here does not exist.
#[derive(Clone, Debug, Default)]
#[expect(missing_docs, reason = "each is the table of its rows")]
pub struct Rows {
    pub members: Vec<Member>,
    /// (type, value, member).
    pub identities: Vec<(String, String, MemberId)>,
    pub grants: Vec<Grant>,
    pub orders: Vec<Order>,
    pub redemptions: Vec<Redemption>,
    pub holds: Vec<Hold>,
    pub participations: Vec<Participation>,
    pub counters: Vec<(String, i64)>,
    /// (account, unit, amount).
    pub balances: Vec<(String, String, i64)>,
    pub events: Vec<Event>,
    pub runs: Vec<Run>,
    pub messages: Vec<Message>,
    pub jobs: Vec<Job>,
    /// Imported codes by their place.
    pub pool: Vec<(String, Pooled)>,
    pub idempotency: Vec<Stored>,
}

/// An imported code.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Pooled {
    /// As it is compared.
    pub code: Code,
    /// As it is shown, where that is another text.
    pub spelling: Option<String>,
}

/// A member.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Member {
    /// The shop's id.
    pub id: MemberId,
    /// The random account under which the ledger keeps the wallet.
    pub account: AccountId,
    /// As the Runtime declares them.
    pub attributes: BTreeMap<String, Scalar>,
    /// Free labels.
    pub tags: BTreeSet<String>,
    /// What the member agreed to.
    pub consent: Consent,
    /// Phone, e-mail, card and so on, as (type, value).
    pub identities: BTreeSet<(String, String)>,
    /// When it became known.
    pub created_at: Ts,
    /// The member that this one was merged into.
    pub merged_into: Option<MemberId>,
}

/// What a member agreed to, by channel and by topic. What is not there was not asked yet.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[expect(missing_docs, reason = "the names are the field's own")]
pub struct Consent {
    #[serde(default)]
    pub channels: BTreeMap<String, bool>,
    #[serde(default)]
    pub topics: BTreeMap<String, bool>,
}

/// A member takes part in a campaign.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Participation {
    /// In which.
    pub campaign: Name,
    /// Who.
    pub member: MemberId,
    /// Since when.
    pub joined_at: Ts,
    /// When the member last took part (joined, got something, made progress); the attribution window counts from here.
    pub touched_at: Ts,
    /// Whether an order was attributed.
    pub converted: bool,
    /// Under which revision it joined.
    pub revision: Revision,
}

/// The state of a grant.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub enum GrantState {
    /// Earned, not given yet.
    Pending,
    /// Given, to be claimed.
    Granted,
    /// Claimed, ready to be used.
    Claimed,
    /// Held by an order or a till.
    Reserved,
    /// Used up.
    Redeemed,
    /// Lapsed.
    Expired,
    /// Taken back.
    Revoked,
}

impl GrantState {
    /// Whether it may still be used.
    pub fn is_live(self) -> bool {
        matches!(self, Self::Pending | Self::Granted | Self::Claimed | Self::Reserved)
    }
}

/// One reward given to one member. Its terms are those of the revision under which it was issued.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Grant {
    /// Time-ordered.
    pub id: GrantId,
    /// To whom.
    pub member: MemberId,
    /// The reward as it was then.
    pub terms: RewardPlan,
    /// The campaign that pays for it.
    pub campaign: Option<Name>,
    /// Its mechanic.
    pub mechanic: Option<Name>,
    /// What brought it about: `order:<id>`, `event:<source>/<id>`, `draw:<id>`, `run:<id>`.
    pub cause: String,
    /// What a till reads; unique in the namespace.
    pub code: Option<Code>,
    /// Where it stands.
    pub state: GrantState,
    /// When it was given.
    pub issued_at: Ts,
    /// Until when it can be claimed.
    pub claim_by: Option<Ts>,
    /// When it was claimed.
    pub claimed_at: Option<Ts>,
    /// Usable from here.
    pub valid_from: Option<Ts>,
    /// Usable until just before here.
    pub valid_until: Option<Ts>,
    /// How often it can still be used.
    pub uses_left: i64,
    /// What was set aside of the campaign's budget for it.
    pub reserved: Minor,
    /// What happened to it.
    pub history: Vec<Happening>,
    /// What of it is used, where it can be used more than once.
    #[serde(default)]
    pub usage: Usage,
}

/// Something that happened to a grant.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Happening {
    /// When.
    pub at: Ts,
    /// The state that it came into.
    pub state: GrantState,
    /// Where.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub store: Option<StoreId>,
    /// By which order.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub order: Option<OrderId>,
    /// What or why, where the state alone does not say it: `used`, `top-up`, or why someone took it back.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
    /// How much of it, where it is used in parts.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub amount: Option<Minor>,
    /// Of the first: the parts of its campaign's budget that count its money, at this store and for its member.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub counted: Vec<Bound>,
    /// Of the first: whether its campaign had no budget then. One that comes later does not pay for it.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub unfunded: bool,
}

/// The state of an order.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[expect(missing_docs, reason = "the names are the contract's")]
pub enum OrderState {
    Reserved,
    Committed,
    Voided,
    Lapsed,
    PartiallyReturned,
    Returned,
}

/// An order: a cart that reserved or spent.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Order {
    /// The till's id.
    pub id: OrderId,
    /// Where it stands.
    pub state: OrderState,
    /// Digest of the request that made it, so that the same id with another body is seen.
    pub digest: String,
    /// What was bought.
    pub cart: Cart,
    /// What it cost and why.
    pub evaluation: Evaluation,
    /// The revision of the rules that priced it.
    pub revision: String,
    /// What it holds and counted, so that a void or a return gives back exactly that.
    pub booking: serde_json::Value,
    /// When the reservation lapses.
    pub expires_at: Option<Ts>,
    /// The till's receipt.
    pub receipt_number: Option<String>,
    /// The till's day, `YYYY-MM-DD`.
    pub business_date: Option<String>,
    /// When it happened.
    pub occurred_at: Ts,
    /// When it was committed.
    pub committed_at: Option<Ts>,
    /// What came back.
    pub returns: Vec<Return>,
    /// The exception booked for it, if any.
    pub exception: Option<String>,
    /// Whether it is known from an `order.paid` event rather than from a till's commit.
    pub reported: bool,
}

/// One return of an order.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Return {
    /// The till's id.
    pub id: String,
    /// (line, quantity).
    pub lines: Vec<(String, i64)>,
    /// What the shopper gets back.
    pub refund: Minor,
    /// Worth of what was earned and taken back.
    pub clawed_back: Minor,
    /// Vouchers that can be used again.
    pub restored: Vec<GrantId>,
    /// What gift cards had paid of what came back.
    #[serde(default)]
    pub paid: Minor,
    /// What of that each got back: nothing for a card that was gone before a late commit.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub to_cards: Vec<(GrantId, Minor)>,
    /// Why.
    pub reason: String,
    /// When.
    pub at: Ts,
    /// Where it came back, which need not be where it was bought.
    #[serde(default)]
    pub store: Option<StoreId>,
    /// The day of the till that took it back, `YYYY-MM-DD`; none of returns that were made before tills had days.
    #[serde(default)]
    pub business_date: Option<String>,
}

impl Return {
    /// What the goods cost after discounts, however they were paid.
    pub fn net(&self) -> Minor {
        self.refund.plus(self.paid)
    }
}

/// The state of a redemption.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[expect(missing_docs, reason = "the names are the contract's")]
pub enum RedemptionState {
    Reserved,
    Committed,
    Voided,
    Lapsed,
    PartiallyReversed,
    Reversed,
}

impl RedemptionState {
    /// Whether it holds or has used the voucher.
    pub fn is_live(self) -> bool {
        matches!(self, Self::Reserved | Self::Committed | Self::PartiallyReversed)
    }
}

/// One use of one voucher. Each place of a voucher has at most one live redemption: a partial UNIQUE index holds it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Redemption {
    /// Time-ordered.
    pub id: RedemptionId,
    /// Of which grant.
    pub grant: GrantId,
    /// For which order, if the till named one.
    pub order: Option<OrderId>,
    /// Where.
    pub store: Option<StoreId>,
    /// At which till.
    pub terminal: Option<String>,
    /// Where it stands.
    pub state: RedemptionState,
    /// What it took off.
    pub amount: Minor,
    /// When its reservation lapses.
    pub expires_at: Option<Ts>,
    /// When it was made.
    pub created_at: Ts,
    /// Reversals as (id, amount, reason).
    pub reversals: Vec<(String, Minor, String)>,
    /// Which use of its grant it is, from 1.
    #[serde(default = "first")]
    pub place: i64,
}

fn first() -> i64 {
    1
}

/// A hold of flash-sale stock.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Hold {
    /// Time-ordered.
    pub id: HoldId,
    /// Of which campaign.
    pub campaign: Name,
    /// Of which mechanic.
    pub mechanic: Name,
    /// Of which item.
    pub sku: String,
    /// Units.
    pub quantity: i64,
    /// For whom.
    pub member: MemberId,
    /// From whose stock.
    pub store: Option<StoreId>,
    /// Until just before here.
    pub expires_at: Ts,
    /// Where it stands.
    pub state: HoldState,
    /// The order that uses it.
    pub order: Option<OrderId>,
}

/// Where a hold stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum HoldState {
    /// It holds stock.
    Held,
    /// An order uses it.
    Used,
    /// It gave its stock back.
    Released,
}

/// An accepted event.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Event {
    /// Who sent it.
    pub source: String,
    /// Its id, unique with the source.
    pub id: String,
    /// Its type.
    pub kind: String,
    /// The member it is about.
    pub member: Option<MemberId>,
    /// When it happened.
    pub time: Ts,
    /// Digest of type, subject, time and data.
    pub digest: String,
    /// Its data, shared by everyone who reads it.
    pub data: std::sync::Arc<serde_json::Value>,
    /// What it brought about, as answered.
    pub decisions: serde_json::Value,
}

/// Where a run stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum RunState {
    /// At a step.
    Active,
    /// Through.
    Completed,
    /// Left by an exit event.
    Exited,
    /// Stopped because the automation was deleted or a step could not be done.
    Stopped,
}

/// One passage of one member through an Automation.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Run {
    /// Time-ordered.
    pub id: RunId,
    /// The plan that it entered under.
    pub plan: AutomationPlan,
    /// Who.
    pub member: MemberId,
    /// Where it stands.
    pub state: RunState,
    /// The index of the step to do next.
    pub step: usize,
    /// When it entered.
    pub entered_at: Ts,
    /// When it left.
    pub left_at: Option<Ts>,
    /// The event that started it.
    pub trigger: serde_json::Value,
}

/// Where a message stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum MessageState {
    /// Waits in the outbox.
    Queued,
    /// Taken by a sender; found so after a crash, it is ambiguous.
    Sending,
    /// Left.
    Sent,
    /// Will not be sent; the reason says why.
    Dropped,
}

/// A message to a member.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Message {
    /// Time-ordered; the provider's idempotency key.
    pub id: MessageId,
    /// To whom.
    pub member: MemberId,
    /// Through which channel.
    pub channel: Name,
    /// Whether the channel is the in-app inbox.
    pub in_app: bool,
    /// What text.
    pub template: Name,
    /// The run and step that sent it; unique, so that a step sends once.
    pub cause: String,
    /// The campaign that pays for it, if any.
    pub campaign: Option<Name>,
    /// Rendered.
    pub subject: String,
    /// Rendered.
    pub body: String,
    /// In which locale.
    pub locale: String,
    /// At most once, else at least once.
    pub skip_when_ambiguous: bool,
    /// Marketing needs consent.
    pub marketing: bool,
    /// Where it stands.
    pub state: MessageState,
    /// Why it was dropped: consent, no-address, failed, ambiguous.
    pub reason: Option<String>,
    /// How often it was tried.
    pub attempts: i64,
    /// When it was made.
    pub created_at: Ts,
    /// When it left.
    pub sent_at: Option<Ts>,
    /// When it was read.
    pub read_at: Option<Ts>,
}

/// Something to be done later.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Job {
    /// What it is for, such as `lapse-order:o-1`; scheduling the same id again moves it.
    pub id: String,
    /// When.
    pub due_at: Ts,
    /// What to do, as the engine names it.
    pub task: serde_json::Value,
}

/// A stored answer to an idempotent call.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Stored {
    /// The terminal, client or member.
    pub scope: String,
    /// The caller's key.
    pub key: String,
    /// Digest of operation and body.
    pub digest: String,
    /// The HTTP status answered.
    pub status: u16,
    /// The body answered.
    pub body: Vec<u8>,
    /// When.
    pub at: Ts,
}

/// A revision of a resource that is or was served.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Published {
    /// Of which kind.
    pub kind: Kind,
    /// Under which name.
    pub name: Name,
    /// The digest of the accepted specification.
    pub revision: Revision,
    /// What it was compiled to.
    pub plan: Plan,
    /// The resource's generation.
    pub generation: i64,
    /// When it was published.
    pub at: Ts,
    /// By whom, unverified.
    pub author: Option<String>,
    /// Whether the campaign was settled for good.
    pub settled: bool,
    /// Whether the resource was deleted: its offers are down, its ledger stays.
    pub retired: bool,
}

/// A line of the ledger, in its place in the chain.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct LedgerLine {
    /// The lane's sequence of its transaction.
    pub seq: i64,
    /// Its place within.
    pub line: i64,
    /// When.
    pub at: Ts,
    /// By which posting rule.
    pub rule: String,
    /// What it is about.
    pub reference: String,
    /// Which account.
    pub account: String,
    /// In which unit.
    pub unit: String,
    /// What was added.
    pub amount: i64,
    /// The chain's hash after this transaction, hexadecimal.
    pub chain: String,
}

/// Who changed what.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Audit {
    /// Time-ordered.
    pub id: String,
    /// When.
    pub at: Ts,
    /// Who, as far as it is known.
    pub actor: String,
    /// What was done, such as `publish` or `suspend`.
    pub action: String,
    /// To what, such as `Campaign/double-11`.
    pub object: String,
    /// Details: revision, generation, reason.
    pub detail: serde_json::Value,
}

/// The credential of a terminal or an integration; its secret is kept as a digest only.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Credential {
    /// Its public id, the idempotency scope.
    pub id: String,
    /// In which namespace.
    pub namespace: Namespace,
    /// Digest of the secret, hexadecimal.
    pub digest: String,
    /// The store that a terminal is bound to; `None` for an integration.
    pub store: Option<StoreId>,
    /// What it may do.
    pub scopes: Vec<String>,
    /// What people call it.
    pub label: String,
    /// Until when.
    pub expires_at: Option<Ts>,
    /// Whether it was taken back.
    pub revoked: bool,
}

/// A refresh token; used once, it is replaced.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct RefreshToken {
    /// Digest of the secret, hexadecimal.
    pub digest: String,
    /// In which namespace.
    pub namespace: Namespace,
    /// Whose.
    pub member: MemberId,
    /// Until when.
    pub expires_at: Ts,
    /// Whether it was used; using it again revokes the family.
    pub used: bool,
    /// The login that it descends from.
    pub family: String,
}
