//! Points: what members hold, in the ledger under their random accounts.
//!
//! Points that lapse are spent first: when a lot's time is over, what is left of it is what the wallet holds beyond the
//! lots that live on, in their full size. The counter [`alive_key`] knows that size. Lots are not followed one by one, so
//! where older lots without an end were spent from, the rule errs for the member, never against.

use crate::{Halt, budget::Why, tx::Tx};
use fanfare_core::{
    ids::{AccountId, MemberId},
    ledger::{POINTS, Posting, account},
    mechanic::State,
    reason::{Reason, Refusal},
};

/// Points of lots of a wallet that have not lapsed, whether spent or not.
fn alive_key(wallet: &AccountId) -> String {
    format!("points-alive|{wallet}")
}

/// The account of a member's wallet.
pub(crate) fn of(tx: &Tx<'_>, member: &MemberId) -> Result<AccountId, Halt> {
    match tx.member(member)? {
        Some(row) => Ok(row.account.clone()),
        None => Err(Refusal::new(Reason::MemberUnknown, "nobody knows this member; register it first").into()),
    }
}

/// How many points a wallet holds.
pub(crate) fn balance(tx: &Tx<'_>, wallet: &AccountId) -> Result<i64, Halt> {
    tx.balance(&account::wallet(wallet), POINTS)
}

/// Looks at what giving or taking points will ask about.
pub(crate) fn want(tx: &Tx<'_>, wallet: &AccountId) -> Result<(), Halt> {
    let (held, alive) = (balance(tx, wallet), tx.count(&alive_key(wallet)));
    held?;
    alive?;
    Ok(())
}

/// Gives points: a lot of its own.
pub(crate) fn credit(tx: &mut Tx<'_>, wallet: &AccountId, points: i64, why: Why<'_>) -> Result<(), Halt> {
    let (from, to) = (account::points_issued(), account::wallet(wallet));
    tx.count_up(&alive_key(wallet), points)?;
    if let Some(posting) = Posting::transfer(why.rule, why.reference, POINTS, &from, &to, points) {
        tx.post(posting);
    }
    Ok(())
}

/// Pays with points.
///
/// # Errors
/// Refused as `exceeds-remaining` when the wallet holds fewer: no wallet goes below zero.
pub(crate) fn pay(tx: &mut Tx<'_>, wallet: &AccountId, points: i64, why: Why<'_>) -> Result<(), Halt> {
    let held = balance(tx, wallet)?;
    if held < points {
        let detail = format!("this takes {points} points and the wallet holds {held}");
        return Err(Refusal::new(Reason::ExceedsRemaining, detail).into());
    }
    debit(tx, wallet, points, why);
    Ok(())
}

/// Takes a lot back, as far as the wallet still holds it; answers how many points that was.
pub(crate) fn take_back(tx: &mut Tx<'_>, wallet: &AccountId, points: i64, why: Why<'_>) -> Result<i64, Halt> {
    let taken = balance(tx, wallet)?.clamp(0, points);
    tx.count_up(&alive_key(wallet), -points)?;
    debit(tx, wallet, taken, why);
    Ok(taken)
}

/// A lot's time is over: what is left of it is gone. Answers how many points that was.
pub(crate) fn lapse(tx: &mut Tx<'_>, wallet: &AccountId, points: i64, why: Why<'_>) -> Result<i64, Halt> {
    let alive = tx.count_up(&alive_key(wallet), -points)?;
    let left = (balance(tx, wallet)? - alive.max(0)).clamp(0, points);
    debit(tx, wallet, left, why);
    Ok(left)
}

fn debit(tx: &mut Tx<'_>, wallet: &AccountId, points: i64, why: Why<'_>) {
    let (from, to) = (account::wallet(wallet), account::points_issued());
    if let Some(posting) = Posting::transfer(why.rule, why.reference, POINTS, &from, &to, points) {
        tx.post(posting);
    }
}
