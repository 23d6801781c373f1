//! A purchase as values: the cart that a till sends and what evaluating it answers. Pricing it is `crate::pricing`'s.

use crate::{
    ids::{Code, GrantId, HoldId, MemberId, Name, StoreId},
    money::Minor,
    reason::Reason,
    time::Ts,
};
use serde::{Deserialize, Serialize};

/// The most lines of one cart.
pub const LINES_MAX: usize = 500;
/// The most codes or reservations that one cart names.
pub const CODES_MAX: usize = 20;

/// Which items something applies to.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Items {
    /// What is chosen.
    pub only: Choice,
    /// What is taken out again.
    pub except: Picks,
}

/// All items, or those picked.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub enum Choice {
    /// Each item.
    #[default]
    All,
    /// Those of a SKU, a category or a brand that is named.
    Picked(Picks),
}

/// SKUs, categories and brands by name; an item is meant when any of the three names it.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[expect(missing_docs, reason = "the names are the field's own")]
pub struct Picks {
    pub skus: Vec<String>,
    pub categories: Vec<String>,
    pub brands: Vec<String>,
}

impl Picks {
    /// Whether `line` is named.
    pub fn has(&self, line: &Line) -> bool {
        self.skus.contains(&line.sku)
            || line.category.as_ref().is_some_and(|c| self.categories.contains(c))
            || line.brand.as_ref().is_some_and(|b| self.brands.contains(b))
    }
}

impl Items {
    /// Whether `line` is among them.
    pub fn has(&self, line: &Line) -> bool {
        let chosen = match &self.only {
            Choice::All => true,
            Choice::Picked(picks) => picks.has(line),
        };
        chosen && !self.except.has(line)
    }
}

/// A cart as a till or a shop's backend sends it, already in minor units.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Cart {
    /// Whose; an anonymous cart has none.
    pub member: Option<MemberId>,
    /// Where.
    pub store: Option<StoreId>,
    /// Through which channel, such as `pos`.
    pub channel: String,
    /// When, where a till asks about another time than now.
    pub at: Option<Ts>,
    /// At most [`LINES_MAX`], each with an id of its own.
    pub lines: Vec<Line>,
    /// Voucher codes that the shopper handed over, normalised; at most [`CODES_MAX`].
    pub codes: Vec<Code>,
    /// Flash-sale reservations to use; at most [`CODES_MAX`].
    pub reservations: Vec<HoldId>,
    /// The card that pays, hashed; an order keeps it beside its cart, with where it comes from.
    #[serde(skip)]
    pub card: Option<String>,
}

/// One line of a cart.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[expect(missing_docs, reason = "the names are the field's own")]
pub struct Line {
    pub id: String,
    pub sku: String,
    /// At least 1.
    pub quantity: i64,
    pub unit_price: Minor,
    pub category: Option<String>,
    pub brand: Option<String>,
    /// What one costs the business, in the terms of `unit_price`; a line without it is not guarded. Secret: no answer to a
    /// shopper shows it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cost: Option<Minor>,
}

impl Line {
    /// What it costs before discounts.
    pub fn total(&self) -> Minor {
        self.unit_price.times(self.quantity)
    }
}

/// The category of a line that is the cost of shipping.
pub const SHIPPING: &str = "shipping";

/// What a cart costs and why. Amounts of `lines` sum to those of the whole; those of `discounts` that are no payment sum
/// to `discount`, the others to `paid`; `total - discount - paid` is `payable`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Evaluation {
    /// Before discounts.
    pub total: Minor,
    /// What is taken off.
    pub discount: Minor,
    /// What gift cards pay.
    #[serde(default)]
    pub paid: Minor,
    /// What is still to be paid.
    pub payable: Minor,
    /// Per line, in the cart's order.
    pub lines: Vec<PricedLine>,
    /// Each that applied.
    pub discounts: Vec<Discount>,
    /// What the shopper gets for this order when it is committed.
    pub earned: Vec<Earned>,
    /// Points that the namespace's formula gives for it, without any campaign.
    #[serde(default)]
    pub points: i64,
    /// The shopper's other vouchers that would apply to this cart.
    pub available: Vec<Available>,
    /// What was named or would have been expected, and does not apply.
    pub rejected: Vec<Rejected>,
}

impl Evaluation {
    /// How many of the codes that were named nobody has.
    pub fn unknown_codes(&self) -> usize {
        let unknown = |one: &&Rejected| matches!(one.subject, Subject::Code(_)) && one.reason == Reason::CodeUnknown;
        self.rejected.iter().filter(unknown).count()
    }

    /// What the cart names and does not apply, so that an order is refused for it. What the margin has cut down applies.
    pub fn refused(&self) -> Option<&Rejected> {
        let applies = |subject: &Subject| match subject {
            Subject::Code(code) => self.discounts.iter().any(|discount| discount.code.as_ref() == Some(code)),
            Subject::Reservation(id) => self.discounts.iter().any(|discount| discount.hold.as_ref() == Some(id)),
            Subject::Campaign(..) => false,
        };
        let is_cut = |one: &Rejected| one.reason == Reason::MarginFloor && applies(&one.subject);
        self.rejected.iter().find(|one| one.subject.was_named() && !is_cut(one))
    }

    /// What it costs after discounts, however it is paid.
    pub fn price(&self) -> Minor {
        self.payable.plus(self.paid)
    }
}

/// What one line costs.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[expect(missing_docs, reason = "the names are the field's own")]
pub struct PricedLine {
    pub id: String,
    pub total: Minor,
    pub discount: Minor,
    #[serde(default)]
    pub paid: Minor,
    pub payable: Minor,
}

/// A discount or payment that applied: of a campaign's mechanic, of a voucher, or both names for a campaign's voucher.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Discount {
    /// The campaign that gives it or gave the voucher.
    pub campaign: Option<Name>,
    /// The mechanic that gives it or gave the voucher.
    pub mechanic: Option<Name>,
    /// The voucher's code.
    pub code: Option<Code>,
    /// The voucher.
    pub grant: Option<GrantId>,
    /// The flash-sale reservation that it uses.
    pub hold: Option<HoldId>,
    /// What is taken off; above zero.
    pub amount: Minor,
    /// Which line gets how much; sums to `amount`.
    pub lines: Vec<LineShare>,
    /// Units that it took from the mechanic's stock, by SKU (flash sales); given back by a void or a return.
    pub units: Vec<(String, i64)>,
    /// A gift card that pays; no discount.
    #[serde(default)]
    pub payment: bool,
}

/// One line's share of a discount.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[expect(missing_docs, reason = "the names are the field's own")]
pub struct LineShare {
    pub id: String,
    pub amount: Minor,
}

/// A reward that an order earns when it is committed.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Earned {
    /// By which campaign.
    pub campaign: Name,
    /// By which of its mechanics.
    pub mechanic: Name,
    /// What.
    pub reward: Name,
    /// How many of it.
    pub quantity: i64,
    /// What all of them are worth in money, where that is known.
    #[serde(default)]
    pub amount: Option<Minor>,
    /// The spend that earned it (a tier's threshold), so that a return can tell whether it still holds.
    pub threshold: Option<Minor>,
    /// What each line counted towards it.
    #[serde(default)]
    pub counted: Vec<LineShare>,
}

/// A voucher of the shopper that would apply.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[expect(missing_docs, reason = "the names are the field's own")]
pub struct Available {
    pub grant: GrantId,
    pub title: String,
    pub amount: Minor,
}

/// What does not apply, and why.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Rejected {
    /// The code or the reservation that was named, or the campaign (and mechanic) that would have been expected.
    pub subject: Subject,
    /// The reward that the mechanic does not give, where it is about one: a mechanic of several tiers gives several.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reward: Option<Name>,
    /// Why.
    pub reason: Reason,
    /// In a sentence, with what would make it pass.
    pub detail: String,
}

/// What was rejected.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Subject {
    /// A code that the cart names.
    Code(Code),
    /// A reservation that the cart names.
    Reservation(HoldId),
    /// A campaign, and a mechanic where only that does not apply.
    Campaign(Name, Option<Name>),
}

impl Subject {
    /// Whether the cart named it, so that an order is refused for it.
    pub fn was_named(&self) -> bool {
        match self {
            Self::Code(_) | Self::Reservation(_) => true,
            Self::Campaign(..) => false,
        }
    }
}
