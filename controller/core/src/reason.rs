//! Why not: the stable codes of every refusal, as `api.md` lists them. Business outcomes are values, not errors.

use serde::{Deserialize, Serialize};
use std::fmt;

macro_rules! reasons {
    ($($(#[$doc:meta])* $name:ident = $code:literal;)*) => {
        /// Why something is refused.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
        pub enum Reason {
            $($(#[$doc])* #[serde(rename = $code)] $name,)*
        }

        impl Reason {
            /// Every reason.
            pub const ALL: &'static [Self] = &[$(Self::$name,)*];

            /// The stable, kebab-case code.
            pub fn code(self) -> &'static str {
                match self {
                    $(Self::$name => $code,)*
                }
            }
        }
    };
}

reasons! {
    /// No such code; also for one of another namespace.
    CodeUnknown = "code-unknown";
    /// Used up.
    AlreadyRedeemed = "already-redeemed";
    /// The voucher is dead.
    Expired = "expired";
    /// The code shown has aged; scan again.
    PayloadExpired = "payload-expired";
    /// Not valid yet.
    NotStarted = "not-started";
    /// Taken back.
    Revoked = "revoked";
    /// The reward is suspended.
    Suspended = "suspended";
    /// The member has to claim it first.
    NotClaimed = "not-claimed";
    /// Not in this store.
    WrongStore = "wrong-store";
    /// The till is bound to another store than it names.
    StoreMismatch = "store-mismatch";
    /// Not through this channel.
    WrongChannel = "wrong-channel";
    /// Outside the hours.
    OutsideWindow = "outside-window";
    /// It belongs to another member.
    NotHolder = "not-holder";
    /// Not together with what is already applied.
    NotCombinable = "not-combinable";
    /// No item that it applies to.
    ItemsNotEligible = "items-not-eligible";
    /// Below the minimum spend.
    MinSpendNotMet = "min-spend-not-met";
    /// Another order or till holds it.
    ReservedElsewhere = "reserved-elsewhere";
    /// The reservation has lapsed.
    ReservationExpired = "reservation-expired";
    /// More than is left on it.
    ExceedsRemaining = "exceeds-remaining";
    /// A limit of the campaign or reward is reached.
    LimitReached = "limit-reached";
    /// It would leave less than the margin that every discount has to leave; it is cut down, or does not apply at all.
    MarginFloor = "margin-floor";
    /// Not the namespace's currency.
    CurrencyMismatch = "currency-mismatch";
    /// The budget does not hold it.
    BudgetExhausted = "budget-exhausted";
    /// Not in the audience.
    NotQualified = "not-qualified";
    /// Not running now.
    CampaignNotActive = "campaign-not-active";
    /// Suspended.
    CampaignPaused = "campaign-paused";
    /// One has to join first.
    NotJoined = "not-joined";
    /// None of this item left.
    SoldOut = "sold-out";
    /// No entry of the lottery left.
    NoEntries = "no-entries";
    /// The time to claim it is over.
    ClaimClosed = "claim-closed";
    /// None of this reward left.
    OutOfStock = "out-of-stock";
    /// The cart names a member that nobody knows.
    MemberUnknown = "member-unknown";
    /// Only for a known member.
    MemberRequired = "member-required";
    /// Points cannot be given to this member, or not by members at all.
    TransferNotAllowed = "transfer-not-allowed";
    /// No such reservation, or of another holder.
    ReservationUnknown = "reservation-unknown";
    /// The order is in a state that does not allow this.
    OrderState = "order-state";
    /// The redemption is in a state that does not allow this.
    RedemptionState = "redemption-state";
    /// More is returned than was bought.
    ReturnExceedsOrder = "return-exceeds-order";
    /// A code or a reservation that the order names fails.
    OrderRefused = "order-refused";
    /// It costs something else than expected.
    PriceChanged = "price-changed";
    /// The same order id with another body.
    OrderIdReused = "order-id-reused";
    /// The same return id with another body.
    ReturnIdReused = "return-id-reused";
    /// The same reversal id with another body.
    ReversalIdReused = "reversal-id-reused";
    /// The same part of a printed batch with another count or campaign.
    BatchReused = "batch-reused";
    /// The same event id with other data.
    EventIdReused = "event-id-reused";
    /// The event is older or further ahead than is taken.
    EventTooOld = "event-too-old";
    /// Further ahead than is taken.
    EventTooEarly = "event-too-early";
    /// Who proposed a correction cannot approve it.
    SamePerson = "same-person";
    /// Who may only propose corrections takes back none of another person's.
    NotProposer = "not-proposer";
    /// The correction was posted, approved or rejected before.
    AlreadyDecided = "already-decided";
    /// A correction names a campaign or a reward that there is none of, or that has no such account.
    SubjectUnknown = "subject-unknown";
}

impl fmt::Display for Reason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.code())
    }
}

/// A refusal: a stable code, a sentence with what would make it pass, and what a caller may need beside.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Refusal {
    /// Why.
    pub reason: Reason,
    /// In a sentence.
    pub detail: String,
    /// The stores where it would pass (`wrong-store`).
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub valid_stores: Vec<String>,
}

impl Refusal {
    /// A refusal with a sentence.
    pub fn new(reason: Reason, detail: impl Into<String>) -> Self {
        Self { reason, detail: detail.into(), valid_stores: Vec::new() }
    }
}
