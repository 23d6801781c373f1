//! Members' wallets of points: lots in the ledger under the members' random accounts.
//!
//! What a wallet comes to is core's (`fanfare_core::points`); this looks it up, posts what moves, and plans when something
//! happens to it by itself next. Every change first lives through whatever matured or lapsed since, so that it does not
//! matter when, or whether, the job for that has run.

use crate::{Halt, budget::Why, jobs::Task, tx::Tx};
use fanfare_core::{
    ids::{AccountId, MemberId},
    ledger::{POINTS, Posting, account},
    points::{Lot, Negative, Turn, Wallet},
    reason::{Reason, Refusal},
    time::Ts,
};

/// What calling points back came to.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Called {
    /// How many were taken.
    pub(crate) taken: i64,
    /// How many were not there any more, where a wallet may not go below zero.
    pub(crate) short: i64,
}

/// The account of a member's wallet.
pub(crate) fn of(tx: &Tx<'_>, member: &MemberId) -> Result<AccountId, Halt> {
    match tx.member(member)? {
        Some(row) => Ok(row.account.clone()),
        None => Err(Refusal::new(Reason::MemberUnknown, "nobody knows this member; register it first").into()),
    }
}

/// The wallet as it is now, with what matured or lapsed meanwhile.
pub(crate) fn held(tx: &Tx<'_>, wallet: &AccountId) -> Result<Wallet, Halt> {
    let mut held = tx.wallet(wallet)?;
    held.settle(tx.now);
    Ok(held)
}

/// How many points can be spent; below zero where the member owes.
pub(crate) fn balance(tx: &Tx<'_>, wallet: &AccountId) -> Result<i64, Halt> {
    held(tx, wallet).map(|held| held.balance())
}

/// Looks at what giving or taking points will ask about.
pub(crate) fn want(tx: &Tx<'_>, wallet: &AccountId) -> Result<(), Halt> {
    tx.wallet(wallet).map(drop)
}

/// A wallet that is being changed.
struct Open<'w> {
    account: &'w AccountId,
    held: Wallet,
    /// When something was to happen to it next.
    planned: Option<Ts>,
}

/// Opens a wallet: what matured or lapsed is posted.
fn open<'w>(tx: &mut Tx<'_>, account: &'w AccountId) -> Result<Open<'w>, Halt> {
    let mut held = tx.wallet(account)?;
    let planned = held.next_turn();
    for step in held.settle(tx.now) {
        let rule = match step.turn {
            Turn::Matured => "points-matured",
            Turn::Lapsed => "points-expired",
        };
        tx.post_points(rule, &step.lot.to_string(), account, &step.lines);
    }
    Ok(Open { account, held, planned })
}

impl Open<'_> {
    fn post(&self, tx: &mut Tx<'_>, why: Why<'_>, lines: &[(Lot, i64)]) {
        tx.post_points(why.rule, why.reference, self.account, lines);
    }

    /// Plans its next turn, where that has moved.
    fn close(self, tx: &mut Tx<'_>) {
        if self.held.next_turn() != self.planned {
            plan(tx, self.account, &self.held);
        }
    }
}

fn taken_from(lines: &[(Lot, i64)]) -> Vec<(Lot, i64)> {
    lines.iter().map(|(lot, points)| (*lot, -points)).collect()
}

/// Lives through what matured or lapsed: the wallet's job. Done too early it plans itself again; done twice it finds
/// nothing to do.
pub(crate) fn turn(tx: &mut Tx<'_>, wallet: &AccountId) -> Result<(), Halt> {
    let open = open(tx, wallet)?;
    plan(tx, wallet, &open.held);
    Ok(())
}

fn plan(tx: &mut Tx<'_>, wallet: &AccountId, held: &Wallet) {
    let task = Task::Points(wallet.clone());
    match held.next_turn() {
        Some(at) => tx.schedule(task.at(at)),
        None => tx.done(&task.id()),
    }
}

/// Gives points that can be spent at once and live as long as the Runtime says.
pub(crate) fn credit(tx: &mut Tx<'_>, wallet: &AccountId, points: i64, why: Why<'_>) -> Result<(), Halt> {
    let lot = tx.runtime()?.points.lot(None, tx.now, tx.zone());
    credit_lot(tx, wallet, points, lot, why)
}

/// Gives points with times of their own. What the member owes is filled first.
pub(crate) fn credit_lot(tx: &mut Tx<'_>, wallet: &AccountId, points: i64, lot: Lot, why: Why<'_>) -> Result<(), Halt> {
    let mut open = open(tx, wallet)?;
    let lines = open.held.credit(lot, points, tx.now);
    open.post(tx, why, &lines);
    open.close(tx);
    Ok(())
}

/// Pays with points: with those that lapse first.
///
/// # Errors
/// Refused as `exceeds-remaining` when the wallet holds fewer: nobody spends what is not there.
pub(crate) fn pay(tx: &mut Tx<'_>, wallet: &AccountId, points: i64, why: Why<'_>) -> Result<(), Halt> {
    let mut open = open(tx, wallet)?;
    if points != 0 {
        let lines = open.held.spend(points).ok_or_else(|| too_few(points, &open.held))?;
        open.post(tx, why, &taken_from(&lines));
    }
    open.close(tx);
    Ok(())
}

fn too_few(points: i64, held: &Wallet) -> Refusal {
    let detail = format!("this takes {points} points and the wallet holds {}", held.balance());
    Refusal::new(Reason::ExceedsRemaining, detail)
}

/// Takes points back: from the lot `own` that they were given in, then those that lapse first, then as the Runtime's
/// `negative` says. What is missing where a wallet stays at zero is written down.
pub(crate) fn call_back(
    tx: &mut Tx<'_>,
    wallet: &AccountId,
    points: i64,
    own: Option<Lot>,
    why: Why<'_>,
) -> Result<Called, Halt> {
    let negative = tx.plans.runtime.as_ref().map_or(Negative::Forbid, |runtime| runtime.points.negative);
    let mut open = open(tx, wallet)?;
    let taken = open.held.take(points, own.map(|own| own.as_of(tx.now)), negative);
    open.post(tx, why, &taken_from(&taken.lines));
    open.close(tx);
    let (from, to) = (account::points_short_source(), account::points_short());
    if let Some(posting) = Posting::transfer("points-short", why.reference, POINTS, &from, &to, taken.short) {
        tx.post(posting);
    }
    Ok(Called { taken: taken.points(), short: taken.short })
}

/// Moves points from one wallet to another; each keeps its end.
///
/// # Errors
/// Refused as `exceeds-remaining` when the giver holds fewer.
pub(crate) fn give_on(
    tx: &mut Tx<'_>,
    from: &AccountId,
    to: &AccountId,
    points: i64,
    why: Why<'_>,
) -> Result<(), Halt> {
    touch(tx, from, to)?;
    let mut giver = open(tx, from)?;
    let mut taker = open(tx, to)?;
    let given = giver.held.spend(points).ok_or_else(|| too_few(points, &giver.held))?;
    let mut entries = tx.lot_entries(from, &taken_from(&given));
    for (lot, part) in given {
        let gained = taker.held.credit(lot, part, tx.now);
        entries.extend(tx.lot_entries(to, &gained));
    }
    tx.post(Posting { rule: why.rule.into(), reference: why.reference.into(), entries });
    giver.close(tx);
    taker.close(tx);
    Ok(())
}

fn touch(tx: &Tx<'_>, from: &AccountId, to: &AccountId) -> Result<(), Halt> {
    crate::touch::all([from, to].into_iter().map(|wallet| want(tx, wallet)))
}
