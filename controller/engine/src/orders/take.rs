//! Takes what an order's price says, spends it, and lets go of it.

use super::{
    booking::{Booking, Spend, VoucherUse},
    promises,
};
use crate::{
    Halt, attribution,
    budget::{self, Cost, Spent, Why},
    give::{self, To},
    holds, refuse, shown, suspend, touch,
    tx::Tx,
    vouchers::{self, Scene, Use},
};
use fanfare_core::{
    cart::{Discount, Rejected, Subject},
    ids::{HoldId, Name, OrderId, RedemptionId},
    mechanic::{Effect, State, basket::CountedBy},
    money::Minor,
    pricing::Priced,
    reason::{Reason, Refusal},
    time::Ts,
};
use fanfare_store::rows::{GrantState, HoldState, Order, Redemption, RedemptionState};
use std::collections::BTreeSet;

/// Holds everything that a price takes: budgets, counters, vouchers, reservations.
pub(crate) fn take(tx: &mut Tx<'_>, order: &Order, priced: &Priced, till: &str) -> Result<Booking, Halt> {
    let mut booking = Booking { consumed: priced.consumed.clone(), counted: true, ..Booking::default() };
    for (campaign, amount) in priced.spends() {
        booking.spends.push(take_budget(tx, &order.id, campaign, amount)?);
    }
    count_all(tx, &priced.effects())?;
    for discount in &priced.evaluation.discounts {
        if discount.grant.is_some() {
            let shown = discount.code.as_ref().map(|code| shown::unused(tx, till, code)).transpose()?.flatten();
            booking.vouchers.push(match gone_offline(tx, discount, shown.as_ref())? {
                Some(used) => used,
                None => take_voucher(tx, order, discount, shown)?,
            });
        }
        if let Some(hold) = &discount.hold {
            take_hold(tx, order, hold)?;
            booking.holds.push(hold.clone());
        }
    }
    Ok(booking)
}

/// Pricing has looked at each budget on the same state; look again, since this bound must never break.
pub(crate) fn take_budget(tx: &mut Tx<'_>, order: &OrderId, campaign: Name, amount: Minor) -> Result<Spend, Halt> {
    let mut spend = Spend { campaign, amount, reserved: Minor::ZERO, funded: true };
    if let Some(plan) = budget::served(tx, &spend.campaign) {
        budget::allows(tx, &plan, amount, None)??;
        spend.reserved = budget::reserve(tx, &plan, amount, Why { rule: "order-reserved", reference: order.as_str() })?;
    }
    Ok(spend)
}

/// A voucher that a till took offline and that was used meanwhile: it is on the order all the same.
fn gone_offline(
    tx: &mut Tx<'_>,
    discount: &Discount,
    shown: Option<&RedemptionId>,
) -> Result<Option<VoucherUse>, Halt> {
    let (Some(id), Some(shown)) = (&discount.grant, shown) else { return Ok(None) };
    if !tx.grant(id)?.is_some_and(|grant| shown::is_gone_for(grant, discount.amount)) {
        return Ok(None);
    }
    shown::note(tx, shown)?;
    Ok(Some(VoucherUse { grant: id.clone(), redemption: None, amount: discount.amount, returned: Minor::ZERO }))
}

/// Holds a voucher for the order, as a redemption of the id `shown`, where a payload was shown.
pub(crate) fn take_voucher(
    tx: &mut Tx<'_>,
    order: &Order,
    discount: &Discount,
    shown: Option<RedemptionId>,
) -> Result<VoucherUse, Halt> {
    let Some(mut grant) = discount.grant.as_ref().map(|id| tx.grant(id)).transpose()?.flatten().cloned() else {
        return refuse(Reason::CodeUnknown, "no voucher has this code");
    };
    if grant.state != GrantState::Claimed {
        return refuse(Reason::ReservedElsewhere, "an order or another till holds it; try again when that is done");
    }
    vouchers::once_an_order(tx, &grant, &order.id)?;
    vouchers::held_by(&mut grant, order.cart.member.as_ref());
    let place = vouchers::begin(&mut grant, discount.amount)?;
    let id = shown.unwrap_or_else(|| RedemptionId::from(tx.new_id()));
    let used = VoucherUse {
        grant: grant.id.clone(),
        redemption: Some(id.clone()),
        amount: discount.amount,
        returned: Minor::ZERO,
    };
    tx.new_redemption(Redemption {
        id,
        grant: grant.id.clone(),
        order: Some(order.id.clone()),
        store: order.cart.store.clone(),
        terminal: None,
        state: RedemptionState::Reserved,
        amount: discount.amount,
        expires_at: order.expires_at,
        created_at: order.occurred_at,
        reversals: Vec::new(),
        place,
    });
    vouchers::hold(tx, grant, discount.amount, scene(order));
    Ok(used)
}

pub(crate) fn take_hold(tx: &mut Tx<'_>, order: &Order, id: &HoldId) -> Result<(), Halt> {
    let Some(mut hold) = tx.hold(id)?.filter(|hold| hold.state == HoldState::Held).cloned() else {
        return refuse(Reason::ReservationUnknown, "the reservation is gone; reserve anew");
    };
    hold.order = Some(order.id.clone());
    hold.state = HoldState::Used;
    tx.done(&crate::jobs::Task::ReleaseHold(id.clone()).id());
    tx.put_hold(hold);
    Ok(())
}

fn scene(order: &Order) -> Scene<'_> {
    Scene { store: order.cart.store.as_ref(), order: Some(&order.id), ..Scene::default() }
}

/// Spends what the order holds: it is committed. Vouchers are used, discounts booked, the order counts for its campaigns,
/// and the shopper gets what it earned.
pub(crate) fn spend(tx: &mut Tx<'_>, order: &mut Order, booking: &mut Booking, at: Ts) -> Result<(), Halt> {
    let id = order.id.clone();
    for paid in &mut booking.spends {
        let reserved = std::mem::take(&mut paid.reserved);
        let why = Why { rule: "order-committed", reference: id.as_str() };
        // Nothing was set aside where there was no budget; one that came meanwhile does not pay for it.
        paid.funded &= reserved > Minor::ZERO;
        if paid.funded {
            let spent = Spent { reserved, actual: paid.amount, cost: Cost::Discounts };
            budget::spend(tx, &paid.campaign, spent, why)?;
        } else {
            budget::book(tx, &paid.campaign, paid.amount, Cost::Discounts, why)?;
        }
    }
    for used in &booking.vouchers {
        match &used.redemption {
            Some(redemption) => use_voucher(tx, order, redemption, at)?,
            None => book_gone(tx, &id, used)?,
        }
    }
    let on_it: BTreeSet<Name> = order.evaluation.discounts.iter().filter_map(|d| d.campaign.clone()).collect();
    take_part(tx, order, &on_it)?;
    let sale = attribution::Sale {
        order: &id,
        member: order.cart.member.as_ref(),
        net: order.evaluation.price(),
        at,
        on_it: &on_it,
    };
    booking.sales = attribution::paid(tx, sale)?;
    give_earned(tx, order, booking)
}

/// The shopper has the money off, but the voucher was gone: a cost that no budget pays for.
fn book_gone(tx: &mut Tx<'_>, order: &OrderId, used: &VoucherUse) -> Result<(), Halt> {
    match tx.grant(&used.grant)?.cloned() {
        Some(grant) => shown::book(tx, &grant, used.amount, Why { rule: shown::EXCEPTED, reference: order.as_str() }),
        None => Ok(()),
    }
}

fn use_voucher(tx: &mut Tx<'_>, order: &Order, id: &RedemptionId, at: Ts) -> Result<(), Halt> {
    let Some(mut redemption) = tx.redemption(id)?.cloned() else { return Ok(()) };
    redemption.state = RedemptionState::Committed;
    redemption.expires_at = None;
    if let Some(grant) = tx.grant(&redemption.grant)?.cloned() {
        let why = Why { rule: "redemption-committed", reference: redemption.id.as_str() };
        vouchers::use_up(tx, grant, Use::of(&redemption), at, scene(order), why)?;
    }
    tx.put_redemption(redemption);
    Ok(())
}

/// The shopper takes part in each campaign that gave something.
fn take_part(tx: &mut Tx<'_>, order: &Order, on_it: &BTreeSet<Name>) -> Result<(), Halt> {
    let Some(member) = order.cart.member.clone() else { return Ok(()) };
    let earned = order.evaluation.earned.iter().map(|earned| earned.campaign.clone());
    let campaigns: BTreeSet<Name> = on_it.iter().cloned().chain(earned).collect();
    touch::participations(tx, &member, campaigns.iter())?;
    for campaign in campaigns {
        if let Some(plan) = budget::served(tx, &campaign) {
            attribution::touch(tx, &plan, &member, order.occurred_at)?;
        }
    }
    Ok(())
}

/// Gives what the order earned; its limits were counted with the order. What is not left any more is told as rejected, and
/// its counts are given back. It keeps its place with a quantity of 0, since counts and clawbacks go by place.
fn give_earned(tx: &mut Tx<'_>, order: &mut Order, booking: &mut Booking) -> Result<(), Halt> {
    let Some(member) = order.cart.member.clone() else { return Ok(()) };
    let cause = cause(&order.id);
    let mut earned_all = std::mem::take(&mut order.evaluation.earned);
    touch::all(earned_all.iter().map(|earned| give::want(tx, &member, &earned.reward, Some(&earned.campaign))))?;
    for (index, earned) in earned_all.iter_mut().enumerate() {
        let to = To {
            member: &member,
            reward: &earned.reward,
            quantity: earned.quantity,
            campaign: Some(&earned.campaign),
            mechanic: Some(&earned.mechanic),
            store: order.cart.store.as_ref(),
            cause: &cause,
        };
        let given = give::give(tx, to)?;
        let count = i64::try_from(given.grants.len()).unwrap_or(i64::MAX);
        if booking.counted && count < earned.quantity {
            uncount_earned(tx, booking, index, earned.quantity - count)?;
        }
        earned.amount = earned.amount.map(|amount| Minor(amount.0 / earned.quantity.max(1)).times(count));
        earned.quantity = count;
        if let Some(refusal) = given.refused {
            let subject = Subject::Campaign(earned.campaign.clone(), Some(earned.mechanic.clone()));
            let (reward, Refusal { reason, detail, .. }) = (Some(earned.reward.clone()), refusal);
            order.evaluation.rejected.push(Rejected { subject, reward, reason, detail });
        }
    }
    order.evaluation.earned = earned_all;
    Ok(())
}

/// Gives back what rewards counted that could not be given.
fn uncount_earned(tx: &mut Tx<'_>, booking: &mut Booking, index: usize, quantity: i64) -> Result<(), Halt> {
    let all = booking.consumed.iter_mut().flat_map(|consumed| &mut consumed.counts);
    for counts in all.filter(|counts| counts.by == CountedBy::Earned(index)) {
        let back = quantity.min(counts.delta);
        tx.count_up(&counts.key, -back)?;
        counts.delta -= back;
    }
    Ok(())
}

/// What grants of an order name as their cause.
pub(crate) fn cause(order: &OrderId) -> String {
    format!("order:{order}")
}

/// Lets go of everything that the order holds and has not spent.
pub(crate) fn let_go(
    tx: &mut Tx<'_>,
    order: &Order,
    booking: &mut Booking,
    redemptions: RedemptionState,
    rule: &'static str,
) -> Result<(), Halt> {
    for paid in &mut booking.spends {
        let reserved = std::mem::take(&mut paid.reserved);
        budget::release(tx, &paid.campaign, reserved, Why { rule, reference: order.id.as_str() })?;
    }
    promises::end(tx, &order.id, booking, rule)?;
    if std::mem::take(&mut booking.counted) {
        count_all(tx, &booking.priced(order).undo())?;
    }
    for used in &booking.vouchers {
        free_voucher(tx, order, used, redemptions)?;
    }
    for hold in &booking.holds {
        holds::end(tx, hold)?;
    }
    Ok(())
}

pub(crate) fn free_voucher(
    tx: &mut Tx<'_>,
    order: &Order,
    used: &VoucherUse,
    state: RedemptionState,
) -> Result<(), Halt> {
    let found = used.redemption.as_ref().map(|id| tx.redemption(id)).transpose()?.flatten();
    let Some(mut redemption) = found.filter(|row| row.state == RedemptionState::Reserved).cloned() else {
        return Ok(());
    };
    redemption.state = state;
    redemption.expires_at = None;
    let held = Use::of(&redemption);
    tx.put_redemption(redemption);
    match tx.grant(&used.grant)?.cloned() {
        Some(grant) => vouchers::let_go(tx, grant, held, scene(order)),
        None => Ok(()),
    }
}

/// Notes campaigns whose budget stopped something of this cart.
pub(crate) fn note_exhausted(tx: &mut Tx<'_>, campaigns: &[Name]) -> Result<(), Halt> {
    touch::all(campaigns.iter().map(|campaign| Ok(tx.count(&suspend::exhausted_key(campaign))?)))?;
    for campaign in campaigns {
        if let Some(plan) = budget::served(tx, campaign) {
            suspend::exhausted(tx, &plan)?;
        }
    }
    Ok(())
}

/// Moves counters alone, such as those that an order takes or gives back; a cap that would break voids the command.
pub(crate) fn count_all(tx: &mut Tx<'_>, effects: &[Effect]) -> Result<(), Halt> {
    touch::counters(tx, effects)?;
    for effect in effects {
        if let Effect::Count { key, delta, cap } = effect {
            let value = tx.count_up(key, *delta)?;
            if *delta > 0 && cap.is_some_and(|cap| value > cap) {
                return refuse(Reason::LimitReached, "a limit is reached; nothing more is given");
            }
        }
    }
    Ok(())
}

/// Everything that a stored booking will be asked about.
pub(crate) fn want(tx: &Tx<'_>, booking: &Booking) -> Result<(), Halt> {
    let grants = booking.vouchers.iter().map(|used| tx.grant(&used.grant).map(drop));
    let uses = booking.vouchers.iter().filter_map(|used| used.redemption.as_ref());
    let uses = uses.map(|id| tx.redemption(id).map(drop));
    let holds = booking.holds.iter().map(|id| tx.hold(id).map(drop));
    touch::all(grants.chain(uses).chain(holds))
}
