//! What a correction posts, one rule each. A bound that must always hold stops it: no wallet, stock or spending goes below
//! zero, and no correction spends a budget that is not there.

use super::Change;
use crate::{
    Halt,
    budget::{self, Why},
    refuse,
    tx::Tx,
    wallet,
};
use fanfare_core::{
    ids::{MemberId, Name},
    ledger::{Posting, account, stock_unit},
    money::Minor,
    reason::Reason,
    reward,
};

/// What a correction is worth in money; nothing where that is not known, since points or the reward have no worth.
pub(super) fn worth(tx: &Tx<'_>, change: &Change) -> Result<Option<Minor>, Halt> {
    let runtime = tx.runtime()?;
    let known = |worth: Minor| Some(worth).filter(|worth| *worth > Minor::ZERO);
    Ok(match change {
        Change::Points { amount, .. } => known(runtime.worth_of_points(amount.saturating_abs())),
        Change::Cost { amount, .. } | Change::Budget { amount, .. } => Some(Minor(amount.0.saturating_abs())),
        Change::Stock { reward, quantity } => tx.plans.rewards.get(reward).and_then(|plan| {
            let each = reward::cost(plan, runtime);
            known(Minor(each.0.saturating_mul(quantity.saturating_abs())))
        }),
    })
}

/// Whether a correction can be posted now.
pub(super) fn check(tx: &Tx<'_>, change: &Change) -> Result<(), Halt> {
    match change {
        Change::Points { member, amount } => {
            let wallet = wallet::of(tx, member)?;
            wallet::want(tx, &wallet)?;
            let held = wallet::balance(tx, &wallet)?;
            within(held, *amount, Reason::ExceedsRemaining, || Ok(format!("the wallet holds {held} points")))
        }
        Change::Cost { campaign, category, amount } => {
            known(tx, campaign)?;
            let unit = budget::money(tx)?;
            let booked = tx.balance(&account::cost(campaign, category.as_str()), &unit)?;
            within(booked, amount.0, Reason::ExceedsRemaining, || {
                Ok(format!("only {} {unit} are booked as {}", shown(tx, booked)?, category.as_str()))
            })
        }
        Change::Budget { campaign, amount } => {
            known(tx, campaign)?;
            let unit = budget::money(tx)?;
            let available = tx.balance(&account::budget_available(campaign), &unit);
            let spent = tx.balance(&account::budget_actual(campaign), &unit);
            let (available, spent) = (available?, spent?);
            let taken = amount.0.max(0).saturating_neg();
            within(available, taken, Reason::BudgetExhausted, || {
                Ok(format!("the budget of {campaign} has {} {unit} left; raise its limit first", shown(tx, available)?))
            })?;
            within(spent, amount.0, Reason::ExceedsRemaining, || {
                Ok(format!("only {} {unit} of it are spent", shown(tx, spent)?))
            })
        }
        Change::Stock { reward, quantity } => {
            let limited = tx.plans.rewards.get(reward).is_some_and(|plan| plan.quantity.is_some());
            if !limited {
                let detail = format!("there is no reward {reward} with a quantity; name one that is served");
                return refuse(Reason::SubjectUnknown, detail);
            }
            let left = tx.balance(&account::stock_available(reward), &stock_unit(reward))?;
            within(left, *quantity, Reason::OutOfStock, || Ok(format!("only {left} of {reward} are left")))
        }
    }
}

/// What `has` holds must not go below zero by `change`; adding to it is always possible.
fn within(has: i64, change: i64, reason: Reason, why: impl Fn() -> Result<String, Halt>) -> Result<(), Halt> {
    match change < 0 && has.saturating_add(change) < 0 {
        true => refuse(reason, why()?),
        false => Ok(()),
    }
}

/// Posts a correction under its id, once it was checked.
pub(super) fn post(tx: &mut Tx<'_>, id: &str, change: &Change) -> Result<(), Halt> {
    let posting = match change {
        Change::Points { member, amount } => return points(tx, id, member, *amount),
        Change::Cost { campaign, category, amount } => {
            let (from, to) = (account::cost_source(campaign), account::cost(campaign, category.as_str()));
            Posting::transfer("cost-adjusted", id, &budget::money(tx)?, &from, &to, amount.0)
        }
        Change::Budget { campaign, amount } => {
            let (from, to) = (account::budget_available(campaign), account::budget_actual(campaign));
            Posting::transfer("budget-adjusted", id, &budget::money(tx)?, &from, &to, amount.0)
        }
        Change::Stock { reward, quantity } => {
            let (from, to) = (account::stock_adjusted(reward), account::stock_available(reward));
            Posting::transfer("stock-adjusted", id, &stock_unit(reward), &from, &to, *quantity)
        }
    };
    if let Some(posting) = posting {
        tx.post(posting);
    }
    Ok(())
}

fn points(tx: &mut Tx<'_>, id: &str, member: &MemberId, amount: i64) -> Result<(), Halt> {
    let wallet = wallet::of(tx, member)?;
    let why = Why { rule: "points-adjusted", reference: id };
    match amount {
        0.. => wallet::credit(tx, &wallet, amount, why),
        _ => wallet::pay(tx, &wallet, amount.saturating_neg(), why),
    }
}

/// A campaign that is served, or one that is gone and still has costs.
fn known(tx: &Tx<'_>, campaign: &Name) -> Result<(), Halt> {
    if tx.plans.campaigns.contains_key(campaign) {
        return Ok(());
    }
    let unit = budget::money(tx)?;
    match tx.balance(&account::cost_source(campaign), &unit)? {
        0 => refuse(Reason::SubjectUnknown, format!("there is no campaign {campaign}; name one that is served")),
        _ => Ok(()),
    }
}

fn shown(tx: &Tx<'_>, minor: i64) -> Result<String, Halt> {
    Ok(tx.runtime()?.currency.format(Minor(minor)))
}
