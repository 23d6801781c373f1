//! A Reward after admission: what is given, how much of it, how it is redeemed, what it costs.

use super::campaign::{Combine, Limit, Places};
use crate::{
    cart::Items,
    ids::{Code, Name, Revision},
    money::{BasisPoints, Minor},
    time::{Span, Ts},
};
use serde::{Deserialize, Serialize};

/// What is given. A grant keeps the plan of the revision that it was issued under.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct RewardPlan {
    /// Its name.
    pub name: Name,
    /// The digest of the accepted specification.
    pub revision: Revision,
    /// What people call it.
    pub title: String,
    /// What it is.
    pub kind: RewardKind,
    /// How codes of vouchers and free items are made.
    pub codes: CodeRule,
    /// How many there are, of all campaigns together; without it, no end.
    pub quantity: Option<i64>,
    /// How many per member or campaign.
    pub limits: Vec<Limit>,
    /// Whether a member has to claim it.
    pub claim: Claim,
    /// How long after issue it can be claimed.
    pub claim_within: Option<Span>,
    /// How long it can be used.
    pub validity: Validity,
    /// How long before its time to be claimed or used ends its member is reminded, longest first.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub remind_before: Vec<Span>,
    /// Where and how it is redeemed.
    pub redemption: Redemption,
    /// How vouchers share one order.
    pub stacking: Option<VoucherStacking>,
    /// What one is estimated to cost; a reservation uses it.
    pub unit_cost: Minor,
    /// Can be neither issued nor redeemed while this holds.
    pub suspended: bool,
}

/// What a reward is.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub enum RewardKind {
    /// Loyalty points.
    Points {
        /// How many.
        amount: i64,
        /// When they lapse, counted from issue; without it, never.
        expire_after: Option<Span>,
    },
    /// Money off an order.
    Voucher(Voucher),
    /// A product for nothing.
    FreeItem {
        /// Which.
        sku: String,
        /// How many of it.
        quantity: i64,
    },
    /// Entry to something while it lasts: a till or a door checks the code.
    Access {
        /// What it opens.
        key: String,
    },
    /// A mark that the member keeps for ever.
    Badge,
    /// Stored value, used in parts until nothing is left.
    GiftCard {
        /// What is on it when it is issued.
        amount: Minor,
    },
}

impl RewardKind {
    /// The name that the API and the status use.
    pub fn as_str(&self) -> &'static str {
        match self {
            Self::Points { .. } => "points",
            Self::Voucher(_) => "voucher",
            Self::FreeItem { .. } => "freeItem",
            Self::Access { .. } => "access",
            Self::Badge => "badge",
            Self::GiftCard { .. } => "giftCard",
        }
    }

    /// Whether a till redeems it by a code.
    pub fn has_code(&self) -> bool {
        match self {
            Self::Points { .. } | Self::Badge => false,
            Self::Voucher(_) | Self::FreeItem { .. } | Self::Access { .. } | Self::GiftCard { .. } => true,
        }
    }

    /// Whether it pays like money: what it gives is no discount.
    pub fn is_payment(&self) -> bool {
        matches!(self, Self::GiftCard { .. })
    }
}

impl RewardPlan {
    /// The code that everybody types for it, where it has such a one.
    pub fn shared_code(&self) -> Option<&Code> {
        match &self.codes.source {
            CodeSource::Shared(code) => Some(code),
            CodeSource::Drawn | CodeSource::Imported => None,
        }
    }
}

/// Money off an order.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Voucher {
    /// How much.
    pub worth: VoucherWorth,
    /// Only when the items it applies to cost at least so much.
    pub min_spend: Minor,
    /// Which items it applies to.
    pub items: Items,
}

/// How much a voucher takes off.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum VoucherWorth {
    /// A fixed amount.
    Amount(Minor),
    /// A share.
    Percent {
        /// Of what the items cost.
        share: BasisPoints,
        /// At most so much.
        max: Option<Minor>,
    },
    /// Each unit of the items costs this, where that is less.
    FixedPrice {
        /// What a unit costs.
        price: Minor,
        /// At most so much is taken off.
        max: Option<Minor>,
    },
    /// The lines of the category `shipping` cost nothing.
    Shipping {
        /// At most so much is taken off.
        max: Option<Minor>,
    },
}

impl VoucherWorth {
    /// The most that one use takes off; nothing when the cart alone bounds it.
    pub fn most(self) -> Option<Minor> {
        match self {
            Self::Amount(amount) => Some(amount),
            Self::Percent { max, .. } | Self::FixedPrice { max, .. } | Self::Shipping { max } => max,
        }
    }
}

/// How codes come into being and look.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct CodeRule {
    /// Characters after the prefix, the check digit included.
    pub length: usize,
    /// Which characters.
    pub alphabet: Alphabet,
    /// What stands before.
    pub prefix: String,
    /// Where codes come from; the rest is about those that are drawn.
    #[serde(default)]
    pub source: CodeSource,
}

impl Default for CodeRule {
    fn default() -> Self {
        Self { length: 12, alphabet: Alphabet::Crockford, prefix: String::new(), source: CodeSource::Drawn }
    }
}

/// Where codes come from.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub enum CodeSource {
    /// Each is drawn at random.
    #[default]
    Drawn,
    /// Each is the next one of those that were imported.
    Imported,
    /// Everybody types this one, normalised; each use is given as one of the reward's quantity.
    Shared(Code),
}

/// Which characters a code has.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Alphabet {
    /// Digits and upper-case letters without I, L, O and U.
    Crockford,
    /// Digits.
    Digits,
}

/// Whether a member has to claim what was issued.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Claim {
    /// It is claimed when issued.
    Auto,
    /// By the member.
    Manual,
}

/// How long something issued can be used.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Validity {
    /// What `lasts` counts from.
    pub from: ValidFrom,
    /// For so long; without it and `until`, for ever.
    pub lasts: Option<Span>,
    /// Until just before here.
    pub until: Option<Ts>,
    /// Not before here.
    pub not_before: Option<Ts>,
}

/// What a validity counts from.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum ValidFrom {
    /// From when it was issued.
    Issue,
    /// From when it was claimed.
    Claim,
}

/// Where and how something is redeemed.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Redemption {
    /// Where.
    pub places: Places,
    /// How the code is drawn.
    pub symbology: Symbology,
    /// How long a reservation without an order holds.
    pub reserve_for: Span,
    /// What a reversal or a return does to it.
    pub on_reversal: OnReversal,
    /// How often it can be used; nothing for as often as one likes while it lasts, or while there is value on it.
    #[serde(default = "once")]
    pub uses: Option<i64>,
    /// What keeps it from being used by somebody else than who holds it.
    #[serde(default)]
    pub guard: Guard,
}

/// What was issued before there were several uses is used once.
#[expect(clippy::unnecessary_wraps, reason = "it stands in for a field that may be absent")]
fn once() -> Option<i64> {
    Some(1)
}

/// What keeps a code from being used by somebody else than who holds it.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Guard {
    /// The code is shown as a signed payload that is good for so long.
    pub rotate: Option<Span>,
    /// Only its holder may use it.
    pub holder_only: bool,
    /// What a till may take while it is offline; without it, nothing.
    pub offline: Option<Offline>,
}

/// What a till may take while it is offline.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Offline {
    /// At most so much for one voucher.
    pub max_amount: Minor,
    /// How long after it the till may report it.
    pub grace_for: Span,
}

/// How a code is drawn.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[expect(missing_docs, reason = "the names are the field's own")]
pub enum Symbology {
    Code128,
    Qr,
}

/// What a reversal does to a voucher.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum OnReversal {
    /// It can be used again, as long as it is valid.
    Restore,
    /// It is gone.
    Forfeit,
}

/// How vouchers of one group share an order: `Exclusive` (one of the group) or `All`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct VoucherStacking {
    /// The group's name.
    pub group: String,
    /// What of it applies.
    pub combine: Combine,
}
