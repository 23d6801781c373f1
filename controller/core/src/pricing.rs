//! What a cart costs and why: every campaign, then every voucher, each on what the one before left.
//!
//! The same walk serves a question (`carts/evaluate`), an order and, within what was reserved, its commit. It changes
//! nothing; [`Priced`] says what an order has to count and what a void or a return gives back. One campaign on a basket
//! is [`campaign`]'s, campaigns of one group are [`stacking`]'s, vouchers are [`vouchers`]'.

mod campaign;
mod margin;
mod priced;
mod stacking;
mod vouchers;

pub use priced::{Consumed, Priced, difference};
pub(crate) use priced::{Moves, units_of};
pub use vouchers::code_unknown;

use crate::{
    cart::{Cart, Discount, Earned, Evaluation, LineShare, PricedLine, Rejected, Subject},
    ids::{GrantId, HoldId, Name},
    mechanic::{Basket, Hold, Missing, State},
    model::CampaignPlan,
    money::Minor,
    reason::{Reason, Refusal},
    reward::GrantView,
    segment::ORDER_PAID,
    world::{Visit, World},
};
use std::collections::BTreeMap;

/// A cart and everything that can touch its price. `visit.store`, `visit.channel` and `visit.world.now` are the cart's.
#[derive(Clone, Copy)]
pub struct Ask<'a> {
    /// The cart.
    pub cart: &'a Cart,
    /// Who, where and when.
    pub visit: Visit<'a>,
    /// Every campaign that is published, running or not.
    pub campaigns: &'a [&'a CampaignPlan],
    /// The vouchers that the cart's codes name, and the member's own.
    pub grants: &'a [GrantView<'a>],
    /// The reservations that the cart names.
    pub holds: &'a [Hold],
}

/// Prices a cart.
///
/// # Errors
/// [`Missing`] when a counter is not loaded.
pub fn evaluate(ask: &Ask<'_>) -> Result<Priced, Missing> {
    walk(ask, None)
}

/// Prices the final cart of an order within what it has `reserved`: the same mechanics and vouchers at most, none for
/// more than was reserved, as of when it was reserved (`ask.visit.world.now`). The counters in `ask` contain the
/// reservation; they are read without it. The order's own holds and grants are handed in as open and `Claimed`.
///
/// # Errors
/// [`Missing`] when a counter is not loaded.
pub fn recompute(ask: &Ask<'_>, reserved: &Priced) -> Result<Priced, Missing> {
    let reservation = priced::counted(reserved.consumed.iter());
    let without = Shifted { state: ask.visit.world.state, by: reservation.into_iter().map(|(k, n)| (k, -n)).collect() };
    let world = World { state: &without, ..ask.visit.world };
    let inside = Ask { visit: Visit { world, ..ask.visit }, ..*ask };
    walk(&inside, Some(reserved))
}

/// The counters as they would stand, were some moved: without a reservation, or with what the cart has used so far.
struct Shifted<'a> {
    state: &'a dyn State,
    by: BTreeMap<String, i64>,
}

impl State for Shifted<'_> {
    fn count(&self, key: &str) -> Result<i64, Missing> {
        Ok(self.state.count(key)? + self.by.get(key).copied().unwrap_or(0))
    }
}

fn walk(ask: &Ask<'_>, reserved: Option<&Priced>) -> Result<Priced, Missing> {
    let mut bill = Bill::new(ask, reserved);
    stacking::apply(&mut bill)?;
    bill.refuse_unused_holds();
    vouchers::apply(&mut bill);
    let available = vouchers::available(&bill);
    Ok(bill.into_priced(available))
}

/// A price in the making.
struct Bill<'a> {
    ask: &'a Ask<'a>,
    reserved: Option<&'a Priced>,
    basket: Basket<'a>,
    discounts: Vec<Discount>,
    earned: Vec<Earned>,
    rejected: Vec<Rejected>,
    consumed: Vec<Consumed>,
    exhausted: Vec<Name>,
}

impl<'a> Bill<'a> {
    fn new(ask: &'a Ask<'a>, reserved: Option<&'a Priced>) -> Self {
        Self {
            ask,
            reserved,
            basket: margin::guard(Basket::new(ask.cart, ask.holds), ask.visit.world.runtime.margin_floor),
            discounts: Vec::new(),
            earned: Vec::new(),
            rejected: Vec::new(),
            consumed: Vec::new(),
            exhausted: Vec::new(),
        }
    }

    fn reject(&mut self, subject: Subject, refusal: Refusal) {
        self.rejected.push(rejected(subject, refusal));
    }

    /// The most that a voucher may take off, where the order has reserved.
    fn reserved_for_grant(&self, grant: &GrantId) -> Option<Minor> {
        self.reserved.map(|reserved| {
            let discounts = &reserved.evaluation.discounts;
            discounts.iter().filter(|d| d.grant.as_ref() == Some(grant)).map(|d| d.amount).sum()
        })
    }

    /// Each reservation that the cart names was used, or is refused with the reason that is known.
    fn refuse_unused_holds(&mut self) {
        let cart = self.ask.cart;
        for id in &cart.reservations {
            let used = self.discounts.iter().any(|discount| discount.hold.as_ref() == Some(id));
            let refused = self.rejected.iter().any(|r| matches!(&r.subject, Subject::Reservation(hold) if hold == id));
            if !used && !refused {
                let refusal = self.why_unused(id);
                self.reject(Subject::Reservation(id.clone()), refusal);
            }
        }
    }

    fn why_unused(&self, id: &HoldId) -> Refusal {
        let Some(hold) = self.ask.holds.iter().find(|hold| hold.id == *id) else {
            return Refusal::new(Reason::ReservationUnknown, "There is no such reservation of this member.");
        };
        if self.ask.visit.member() != Some(&hold.member) {
            return Refusal::new(Reason::ReservationUnknown, "There is no such reservation of this member.");
        }
        if let Some(plan) = self.ask.campaigns.iter().find(|plan| plan.name == hold.campaign)
            && let Some(refusal) = crate::decide::closed(plan, &self.ask.visit)
        {
            return refusal;
        }
        let of_campaign = self.rejected.iter().find(|rejected| {
            matches!(&rejected.subject, Subject::Campaign(name, mechanic)
                if *name == hold.campaign && mechanic.as_ref().is_none_or(|m| *m == hold.mechanic))
        });
        match of_campaign {
            Some(rejected) => Refusal::new(rejected.reason, rejected.detail.clone()),
            None => Refusal::new(Reason::CampaignNotActive, "The sale of this reservation does not run any more."),
        }
    }

    /// What the namespace's formula gives for this cart, however it is paid; nothing to nobody.
    fn points(&self, price: Minor) -> i64 {
        let rules = &self.ask.visit.world.runtime.points;
        let earned = || rules.earned_by(ORDER_PAID).map(|earn| earn.on_spend(price));
        self.ask.visit.member().map_or(0, |_| earned().fold(0, i64::saturating_add))
    }

    /// What gift cards pay of a line.
    fn paid_of(&self, line: &str) -> Minor {
        let payments = self.discounts.iter().filter(|discount| discount.payment);
        payments.flat_map(|payment| &payment.lines).filter(|share| share.id == line).map(|share| share.amount).sum()
    }

    fn into_priced(self, available: Vec<crate::cart::Available>) -> Priced {
        let lines: Vec<PricedLine> = self
            .basket
            .lines()
            .map(|(line, payable)| {
                let paid = self.paid_of(&line.id);
                let discount = line.total().minus(payable).minus(paid);
                PricedLine { id: line.id.clone(), total: line.total(), discount, paid, payable }
            })
            .collect();
        let points = self.points(lines.iter().map(|line| line.payable.plus(line.paid)).sum());
        let evaluation = Evaluation {
            total: lines.iter().map(|line| line.total).sum(),
            discount: lines.iter().map(|line| line.discount).sum(),
            paid: lines.iter().map(|line| line.paid).sum(),
            payable: lines.iter().map(|line| line.payable).sum(),
            lines,
            discounts: self.discounts,
            earned: self.earned,
            points,
            available,
            rejected: self.rejected,
        };
        Priced { evaluation, consumed: self.consumed, exhausted: self.exhausted }
    }
}

fn rejected(subject: Subject, Refusal { reason, detail, valid_stores: _ }: Refusal) -> Rejected {
    Rejected { subject, reward: None, reason, detail }
}

/// The lines that have a share, by id.
fn line_shares(cart: &Cart, shares: &[Minor]) -> Vec<LineShare> {
    let lines = cart.lines.iter().zip(shares).filter(|(_, share)| **share > Minor::ZERO);
    lines.map(|(line, share)| LineShare { id: line.id.clone(), amount: *share }).collect()
}

#[cfg(test)]
mod tests;
