//! Points by the Runtime's own formula, without any campaign: for orders and for other events.
//!
//! An order earns on its price after discounts, however it is paid. When lines or money come back, it keeps what the formula gives for
//! what is left, so partial returns in any order sum exactly to the whole. No campaign pays: the worth is booked on the
//! namespace's own account.

use crate::{
    Halt,
    budget::Why,
    orders::booking::{Booking, EarnedPoints},
    tx::Tx,
    wallet,
};
use fanfare_core::{
    ids::MemberId,
    ledger::{Posting, account},
    money::Minor,
    points::{Earn, Rules},
    segment::ORDER_PAID,
    time::Ts,
};
use fanfare_store::rows::{Event, Order};

/// What came back of points.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Clawed {
    /// What the points were worth that were taken, or the rewards that were.
    pub(crate) worth: Minor,
    /// Points that were not there any more to be taken.
    pub(crate) short: i64,
}

impl Clawed {
    /// Both together.
    pub(crate) fn and(self, other: Self) -> Self {
        Self { worth: self.worth.plus(other.worth), short: self.short.saturating_add(other.short) }
    }
}

fn rules<'a>(tx: &'a Tx<'_>) -> Option<&'a Rules> {
    tx.plans.runtime.as_deref().map(|runtime| &runtime.points)
}

fn earns(tx: &Tx<'_>, event: &str) -> Vec<Earn> {
    rules(tx).into_iter().flat_map(|rules| rules.earned_by(event)).cloned().collect()
}

/// Looks at the wallet that an order or event of this member will earn into, without waiting for it: so it comes with what
/// is looked at next.
pub(crate) fn look(tx: &Tx<'_>, member: Option<&MemberId>, event: &str) {
    if rules(tx).is_some_and(|rules| rules.earned_by(event).next().is_some())
        && let Some(member) = member
        && let Ok(Some(row)) = tx.member(member)
    {
        drop(wallet::want(tx, &row.account));
    }
}

/// Whether what happened at `at` is too long ago to earn anything.
fn is_late(tx: &Tx<'_>, at: Ts) -> Result<bool, Halt> {
    Ok(at < tx.runtime()?.events.reward_past.before(tx.now, tx.zone()))
}

/// Gives what a paid order earns, and notes it with the order.
pub(crate) fn on_order(tx: &mut Tx<'_>, order: &mut Order, booking: &mut Booking, at: Ts) -> Result<(), Halt> {
    order.evaluation.points = 0;
    let Some(member) = order.cart.member.clone() else { return Ok(()) };
    let rules = earns(tx, ORDER_PAID);
    let points = sum(&rules, order.evaluation.price());
    if points == 0 || is_late(tx, at)? {
        return Ok(());
    }
    let lot = tx.runtime()?.points.earned_lot(at, tx.zone());
    let account = wallet::of(tx, &member)?;
    let why = Why { rule: "points-earned", reference: order.id.as_str() };
    wallet::credit_lot(tx, &account, points, lot, why)?;
    book(tx, Minor::ZERO, worth(tx, points)?, why)?;
    order.evaluation.points = points;
    booking.points = Some(EarnedPoints { rules, lot, earned: points, kept: points, taken: 0 });
    Ok(())
}

/// Takes back what an order keeps no ground for, of which `left` is still paid.
pub(crate) fn on_return(tx: &mut Tx<'_>, order: &Order, booking: &mut Booking, left: Minor) -> Result<Clawed, Halt> {
    let (Some(member), Some(points)) = (&order.cart.member, &mut booking.points) else { return Ok(Clawed::default()) };
    let keeps = sum(&points.rules, left).min(points.kept);
    let back = points.kept - keeps;
    if back == 0 {
        return Ok(Clawed::default());
    }
    let account = wallet::of(tx, member)?;
    let why = Why { rule: "points-clawed-back", reference: order.id.as_str() };
    let called = wallet::call_back(tx, &account, back, Some(points.lot), why)?;
    let before = worth(tx, points.earned - points.taken)?;
    points.kept = keeps;
    points.taken += called.taken;
    let after = worth(tx, points.earned - points.taken)?;
    book(tx, before, after, why)?;
    Ok(Clawed { worth: before.minus(after), short: called.short })
}

/// Gives what any other event earns.
pub(crate) fn on_event(tx: &mut Tx<'_>, event: &Event) -> Result<(), Halt> {
    let Some(member) = event.member.as_ref().filter(|_| event.kind != ORDER_PAID) else { return Ok(()) };
    let points = earns(tx, &event.kind).iter().fold(0_i64, |sum, earn| sum.saturating_add(earn.points));
    if points == 0 || is_late(tx, event.time)? {
        return Ok(());
    }
    let lot = tx.runtime()?.points.earned_lot(event.time, tx.zone());
    let account = wallet::of(tx, member)?;
    let reference = format!("event:{}/{}", event.source, event.id);
    let why = Why { rule: "points-earned", reference: &reference };
    wallet::credit_lot(tx, &account, points, lot, why)?;
    book(tx, Minor::ZERO, worth(tx, points)?, why)
}

fn sum(rules: &[Earn], net: Minor) -> i64 {
    rules.iter().fold(0, |sum, earn| sum.saturating_add(earn.on_spend(net)))
}

fn worth(tx: &Tx<'_>, points: i64) -> Result<Minor, Halt> {
    Ok(tx.runtime()?.worth_of_points(points))
}

/// Books that what the namespace's points cost went from `before` to `after`.
fn book(tx: &mut Tx<'_>, before: Minor, after: Minor, why: Why<'_>) -> Result<(), Halt> {
    let unit = crate::budget::money(tx)?;
    let (from, to) = (account::points_cost_source(), account::points_cost());
    let cost = after.minus(before).0;
    if let Some(posting) = Posting::transfer(why.rule, why.reference, &unit, &from, &to, cost) {
        tx.post(posting);
    }
    Ok(())
}
