//! What a reserved order will earn is set aside with it, out of stock and budget, so that its commit can give it: nobody
//! else can take it meanwhile. The commit, a void or a lapse lets go of it; the commit gives it in the same breath.

use super::booking::{Booking, Promise};
use crate::{
    Halt,
    budget::{self, Why},
    touch,
    tx::Tx,
};
use fanfare_core::{
    decide::Bound,
    ids::{MemberId, Name, OrderId},
    ledger::{Posting, account, stock_unit},
    mechanic::{State, key},
    money::Minor,
    reward,
};
use fanfare_store::rows::Order;

/// Sets aside what a reserved order will earn, as far as it is there.
pub(crate) fn make(tx: &mut Tx<'_>, order: &Order, booking: &mut Booking) -> Result<(), Halt> {
    let Some(member) = &order.cart.member else { return Ok(()) };
    let earned = &order.evaluation.earned;
    touch::all(earned.iter().map(|earned| want(tx, &earned.campaign, &earned.reward)))?;
    for earned in earned {
        let Some(plan) = tx.plans.rewards.get(&earned.reward).cloned() else { continue };
        let mut quantity = earned.quantity;
        if plan.quantity.is_some() {
            let left = tx.balance(&account::stock_available(&plan.name), &stock_unit(&plan.name))?;
            quantity = quantity.min(left.max(0));
            stock(tx, &order.id, "order-reserved", &plan.name, quantity);
        }
        let amount = reward::cost(&plan, tx.runtime()?).times(quantity);
        let reserved = match budget::served(tx, &earned.campaign) {
            Some(campaign) if budget::room(tx, &campaign)?.is_none_or(|room| room >= amount) => {
                let why = Why { rule: "order-reserved", reference: order.id.as_str() };
                budget::reserve(tx, &campaign, amount, why)?
            }
            Some(_) | None => Minor::ZERO,
        };
        let counted = counters(tx, order, member, &earned.campaign);
        count(tx, &counted, reserved)?;
        let stock = if plan.quantity.is_some() { quantity } else { 0 };
        let (campaign, reward) = (earned.campaign.clone(), earned.reward.clone());
        booking.promised.push(Promise { campaign, reward, stock, reserved, counted });
    }
    Ok(())
}

/// What counts the campaign's money at this store and for this member, where its budget bounds that.
fn counters(tx: &Tx<'_>, order: &Order, member: &MemberId, campaign: &Name) -> Vec<String> {
    let bounds = budget::served(tx, campaign).map(|plan| budget::counted(&plan, member)).unwrap_or_default();
    let key = |bound| match bound {
        Bound::Store => Some(key::budget_store(campaign, order.cart.store.as_ref())),
        Bound::Member => Some(key::budget_member(campaign, member)),
        Bound::Total | Bound::Day => None,
    };
    bounds.into_iter().filter_map(key).collect()
}

fn count(tx: &mut Tx<'_>, keys: &[String], by: Minor) -> Result<(), Halt> {
    touch::all(keys.iter().map(|key| Ok(tx.count(key)?)))?;
    for key in keys {
        tx.count_up(key, by.0)?;
    }
    Ok(())
}

fn want(tx: &Tx<'_>, campaign: &Name, reward: &Name) -> Result<(), Halt> {
    let purse = tx.balance(&account::budget_available(campaign), &budget::money(tx)?).map(drop);
    tx.balance(&account::stock_available(reward), &stock_unit(reward)).map(drop).and(purse)
}

/// Lets go of what was set aside.
pub(crate) fn end(tx: &mut Tx<'_>, order: &OrderId, booking: &mut Booking, rule: &'static str) -> Result<(), Halt> {
    for Promise { campaign, reward, stock: quantity, reserved, counted } in std::mem::take(&mut booking.promised) {
        stock(tx, order, rule, &reward, -quantity);
        count(tx, &counted, reserved.negated())?;
        budget::release(tx, &campaign, reserved, Why { rule, reference: order.as_str() })?;
    }
    Ok(())
}

/// From what is left of a reward to what orders hold of it; back when negative.
fn stock(tx: &mut Tx<'_>, order: &OrderId, rule: &str, reward: &Name, quantity: i64) {
    let (from, to) = (account::stock_available(reward), account::stock_reserved(reward));
    if let Some(posting) = Posting::transfer(rule, order.as_str(), &stock_unit(reward), &from, &to, quantity) {
        tx.post(posting);
    }
}
