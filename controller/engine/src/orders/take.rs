//! Takes what an order's evaluation says, spends it, and lets go of it.

use super::booking::{Booked, Booking, uncount};
use crate::{
    Halt, attribution,
    budget::{self, Cost, Spent, Why},
    give::{self, To},
    refuse,
    tx::Tx,
    vouchers::{self, Scene},
};
use fanfare_core::{
    cart::{Discount, Rejected, Subject},
    ids::{Name, OrderId, RedemptionId},
    money::Minor,
    reason::Reason,
    time::Ts,
};
use fanfare_store::rows::{GrantState, HoldState, Order, Redemption, RedemptionState};
use std::collections::{BTreeMap, BTreeSet};

/// Holds everything that the order's evaluation takes: budget, vouchers, reservations, counters.
pub(crate) fn take(tx: &mut Tx<'_>, order: &Order, counts: &[(String, i64)]) -> Result<Booking, Halt> {
    let mut booking = Booking { since: Some(tx.now), ..Booking::default() };
    check_budgets(tx, order)?;
    for discount in &order.evaluation.discounts {
        let booked = match &discount.grant {
            Some(_) => take_voucher(tx, order, discount)?,
            None => take_discount(tx, order, discount)?,
        };
        booking.discounts.push(booked);
    }
    for (key, delta) in counts {
        tx.count_up(key, *delta)?;
        booking.counts.push((key.clone(), *delta));
    }
    Ok(booking)
}

/// The evaluation has looked at each budget; look again at what the whole order takes of it.
fn check_budgets(tx: &mut Tx<'_>, order: &Order) -> Result<(), Halt> {
    let mut sums: BTreeMap<&Name, Minor> = BTreeMap::new();
    for discount in order.evaluation.discounts.iter().filter(|discount| discount.grant.is_none()) {
        if let Some(campaign) = &discount.campaign {
            let sum = sums.entry(campaign).or_default();
            *sum = sum.plus(discount.amount);
        }
    }
    for (campaign, sum) in sums {
        if let Some(plan) = budget::served(tx, campaign) {
            budget::allows(tx, &plan, sum)??;
        }
    }
    Ok(())
}

fn take_voucher(tx: &mut Tx<'_>, order: &Order, discount: &Discount) -> Result<Booked, Halt> {
    let mut booked = unbooked(discount);
    let Some(grant) = discount.grant.as_ref().map(|id| tx.grant(id)).transpose()?.flatten().cloned() else {
        return refuse(Reason::CodeUnknown, "no voucher has this code");
    };
    if grant.state != GrantState::Claimed {
        return refuse(Reason::ReservedElsewhere, "an order or another till holds it; try again when that is done");
    }
    let id = RedemptionId::from(tx.new_id());
    tx.new_redemption(Redemption {
        id: id.clone(),
        grant: grant.id.clone(),
        order: Some(order.id.clone()),
        store: order.cart.store.clone(),
        terminal: None,
        state: RedemptionState::Reserved,
        amount: discount.amount,
        expires_at: order.expires_at,
        created_at: order.occurred_at,
        reversals: Vec::new(),
    });
    vouchers::hold(tx, grant, scene(order));
    booked.redemption = Some(id);
    Ok(booked)
}

fn take_discount(tx: &mut Tx<'_>, order: &Order, discount: &Discount) -> Result<Booked, Halt> {
    let mut booked = unbooked(discount);
    if let Some(plan) = discount.campaign.as_ref().and_then(|name| budget::served(tx, name)) {
        let why = Why { rule: "order-reserved", reference: order.id.as_str() };
        booked.reserved = budget::reserve(tx, &plan, discount.amount, why)?;
    }
    if let Some(mut hold) = discount.hold.as_ref().map(|id| tx.hold(id)).transpose()?.flatten().cloned() {
        hold.order = Some(order.id.clone());
        hold.state = HoldState::Used;
        tx.done(&crate::jobs::Task::ReleaseHold(hold.id.clone()).id());
        tx.put_hold(hold);
    }
    Ok(booked)
}

fn unbooked(discount: &Discount) -> Booked {
    Booked {
        campaign: discount.campaign.clone(),
        grant: discount.grant.clone(),
        redemption: None,
        hold: discount.hold.clone(),
        reserved: Minor::ZERO,
        amount: discount.amount,
        returned: Minor::ZERO,
        funded: true,
    }
}

fn scene(order: &Order) -> Scene<'_> {
    Scene { store: order.cart.store.as_ref(), order: Some(&order.id), reason: None }
}

/// Spends what the order holds: it is committed. Vouchers are used, discounts booked, the order counts for its campaigns,
/// and the shopper gets what it earned.
pub(crate) fn spend(tx: &mut Tx<'_>, order: &mut Order, booking: &mut Booking, at: Ts) -> Result<(), Halt> {
    let since = booking.since.unwrap_or(tx.now);
    for booked in &mut booking.discounts {
        match &booked.redemption {
            Some(id) => use_voucher(tx, order, id, at)?,
            None if booked.grant.is_none() => spend_discount(tx, &order.id, booked, since)?,
            None => {}
        }
    }
    let on_it: BTreeSet<Name> = order.evaluation.discounts.iter().filter_map(|d| d.campaign.clone()).collect();
    take_part(tx, order, &on_it)?;
    let sale = attribution::Sale {
        order: &order.id,
        member: order.cart.member.as_ref(),
        net: order.evaluation.payable,
        at,
        on_it: &on_it,
    };
    booking.sales = attribution::paid(tx, sale)?;
    give_earned(tx, order)
}

fn use_voucher(tx: &mut Tx<'_>, order: &Order, id: &RedemptionId, at: Ts) -> Result<(), Halt> {
    let Some(mut redemption) = tx.redemption(id)?.cloned() else { return Ok(()) };
    redemption.state = RedemptionState::Committed;
    redemption.expires_at = None;
    if let Some(grant) = tx.grant(&redemption.grant)?.cloned() {
        let why = Why { rule: "redemption-committed", reference: redemption.id.as_str() };
        vouchers::use_up(tx, grant, redemption.amount, at, scene(order), why)?;
    }
    tx.put_redemption(redemption);
    Ok(())
}

fn spend_discount(tx: &mut Tx<'_>, order: &OrderId, booked: &mut Booked, since: Ts) -> Result<(), Halt> {
    let reserved = std::mem::take(&mut booked.reserved);
    let Some(campaign) = &booked.campaign else { return Ok(()) };
    let why = Why { rule: "order-committed", reference: order.as_str() };
    if booked.funded {
        budget::spend(tx, campaign, Spent { reserved, since, actual: booked.amount, cost: Cost::Discounts }, why)
    } else {
        budget::book(tx, campaign, booked.amount, Cost::Discounts, why)
    }
}

/// The shopper takes part in each campaign that gave something.
fn take_part(tx: &mut Tx<'_>, order: &Order, on_it: &BTreeSet<Name>) -> Result<(), Halt> {
    let Some(member) = order.cart.member.clone() else { return Ok(()) };
    let earned = order.evaluation.earned.iter().map(|earned| earned.campaign.clone());
    let campaigns: BTreeSet<Name> = on_it.iter().cloned().chain(earned).collect();
    for campaign in campaigns {
        if let Some(plan) = budget::served(tx, &campaign) {
            attribution::touch(tx, &plan, &member, order.occurred_at)?;
        }
    }
    Ok(())
}

/// Gives what the order earned. What is not left any more is told as rejected.
fn give_earned(tx: &mut Tx<'_>, order: &mut Order) -> Result<(), Halt> {
    let Some(member) = order.cart.member.clone() else { return Ok(()) };
    let cause = cause(&order.id);
    let mut kept = Vec::new();
    for mut earned in std::mem::take(&mut order.evaluation.earned) {
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
        if let Some(refusal) = given.refused {
            let subject = Subject::Campaign(earned.campaign.clone(), Some(earned.mechanic.clone()));
            order.evaluation.rejected.push(Rejected { subject, reason: refusal.reason, detail: refusal.detail });
        }
        earned.quantity = i64::try_from(given.grants.len()).unwrap_or(i64::MAX);
        if earned.quantity > 0 {
            kept.push(earned);
        }
    }
    order.evaluation.earned = kept;
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
    let since = booking.since.unwrap_or(tx.now);
    for booked in &mut booking.discounts {
        let reserved = std::mem::take(&mut booked.reserved);
        if let Some(campaign) = booked.campaign.as_ref().filter(|_| reserved != Minor::ZERO) {
            budget::release(tx, campaign, reserved, since, Why { rule, reference: order.id.as_str() })?;
        }
        if let Some(id) = &booked.redemption {
            free_voucher(tx, order, id, redemptions)?;
        }
        if let Some(id) = &booked.hold {
            crate::holds::hand_back(tx, id)?;
        }
    }
    uncount(tx, &mut booking.counts)
}

fn free_voucher(tx: &mut Tx<'_>, order: &Order, id: &RedemptionId, state: RedemptionState) -> Result<(), Halt> {
    let Some(mut redemption) = tx.redemption(id)?.cloned() else { return Ok(()) };
    if redemption.state != RedemptionState::Reserved {
        return Ok(());
    }
    redemption.state = state;
    redemption.expires_at = None;
    let grant = tx.grant(&redemption.grant)?.cloned();
    tx.put_redemption(redemption);
    match grant.filter(|grant| grant.state == GrantState::Reserved) {
        Some(grant) => vouchers::let_go(tx, grant, scene(order)),
        None => Ok(()),
    }
}

/// Notes campaigns whose budget stopped something of this cart.
pub(crate) fn note_exhausted(tx: &mut Tx<'_>, rejected: &[Rejected]) -> Result<(), Halt> {
    for entry in rejected.iter().filter(|entry| entry.reason == Reason::BudgetExhausted) {
        if let Subject::Campaign(campaign, _) = &entry.subject
            && let Some(plan) = budget::served(tx, campaign)
        {
            budget::exhausted(tx, &plan)?;
        }
    }
    Ok(())
}
