//! How a voucher came to the till: by a code that was typed or scanned, by the payload of a rotating one, or by a payload
//! that a till took while it was offline.
//!
//! A payload is consumed by its use: whatever was issued before the voucher was last held or used is dead. What a till
//! took offline, within the reward's allowance, is honoured even where the voucher was used meanwhile: the shopper has
//! the money off already. That is booked as one exception, and once for each till and payload.

use crate::{
    Halt,
    budget::{self, Cost, Why},
    days,
    exceptions::{self, Exceptional, OFFLINE_CONFLICT},
    tx::Tx,
    vouchers,
};
use fanfare_core::{
    ids::{Code, Name, RedemptionId},
    mechanic::{State, key},
    model::reward::Offline,
    money::Minor,
    payload::{self, Payload, Taken},
    reason::{Reason, Refusal},
    reward::GrantView,
    time::Ts,
};
use fanfare_store::rows::{Grant, GrantState, Redemption};

/// The posting rule of a voucher that was given twice.
pub(crate) const EXCEPTED: &str = "redemption-excepted";

/// How the voucher was shown, or why that will not do. `occurred` is when, as the till says.
pub(crate) fn taken(tx: &Tx<'_>, grant: &Grant, code: &Code, occurred: Option<Ts>) -> Result<Taken, Refusal> {
    let guard = &grant.terms.redemption.guard;
    let taken = payload::taken(code, guard, tx.now, occurred)?;
    let (Taken::Now, Some(payload)) = (taken, Payload::of(code)) else { return Ok(taken) };
    let is_consumed = last_use(grant).is_some_and(|at| at >= payload.issued_at());
    let is_gone = |offline: Offline| is_consumed || is_gone_for(grant, offline.max_amount);
    match occurred.filter(|_| guard.offline.is_some_and(is_gone)) {
        // Its line came back before the payload has aged: what it took meanwhile is honoured like any other.
        Some(at) => payload::taken_offline(&payload, guard, tx.now, at),
        None if is_consumed => Err(consumed()),
        None => Ok(Taken::Now),
    }
}

/// What a till made of each payload that an order names, by the code: an order uses a payload once for each till, whatever
/// became of it before.
pub(crate) fn unused(tx: &Tx<'_>, till: &str, code: &Code) -> Result<Option<RedemptionId>, Halt> {
    let Some(payload) = Payload::of(code) else { return Ok(None) };
    let id = RedemptionId::from(id(till, code, &payload));
    if tx.redemption(&id)?.is_some() || is_booked(tx, id.as_str())? {
        return Err(consumed().into());
    }
    Ok(Some(id))
}

/// Remembers that this till took the payload of `id`.
pub(crate) fn note(tx: &mut Tx<'_>, id: &RedemptionId) -> Result<(), Halt> {
    tx.count_up(&booked_key(id.as_str()), 1)?;
    Ok(())
}

/// The refusal of a payload that was used.
pub(crate) fn consumed() -> Refusal {
    let detail = "This code was used already; scan the one that the member's app shows now.";
    Refusal::new(Reason::PayloadExpired, detail)
}

/// When the voucher was last held or used.
fn last_use(grant: &Grant) -> Option<Ts> {
    let uses = grant.history.iter().rev();
    // Of a voucher with several uses each says so by its reason.
    let mut used = uses.filter(|past| {
        matches!(past.state, GrantState::Reserved | GrantState::Redeemed)
            || matches!(past.reason.as_deref(), Some("held" | "used"))
    });
    used.next().map(|past| past.at)
}

/// A grant as core's decisions meet it, shown at a till as `grant.code` says. One that the order at hand holds was shown
/// when it was taken; one that a till took offline is met as it was then.
pub(crate) fn met<'a>(tx: &Tx<'_>, grant: &'a Grant, own: Option<Minor>, occurred: Option<Ts>) -> GrantView<'a> {
    let mut view = vouchers::met(tx, grant, own);
    if let Some(code) = grant.code.as_ref().filter(|_| own.is_none()) {
        match taken(tx, grant, code, occurred) {
            Ok(Taken::Now) => {}
            Ok(Taken::Offline(most)) => {
                view.state = vouchers::core_state(then(grant));
                // What was on a gift card then, the till could not know: it took what it was allowed to.
                view.balance = view.balance.map(|_| most);
            }
            Err(refusal) => view.barred = Some(refusal),
        }
    }
    view
}

/// The state of a voucher that a till took offline, as the till could know it: what happened to it meanwhile is not held
/// against the shopper.
pub(crate) fn then(grant: &Grant) -> GrantState {
    if is_gone(grant) { GrantState::Claimed } else { grant.state }
}

/// Whether somebody else used or holds the voucher, or it ended.
pub(crate) fn is_gone(grant: &Grant) -> bool {
    match grant.state {
        GrantState::Reserved | GrantState::Redeemed | GrantState::Expired | GrantState::Revoked => true,
        GrantState::Pending | GrantState::Granted | GrantState::Claimed => false,
    }
}

/// Whether a voucher that was to give `amount` is gone, or a gift card holds less than that by now.
pub(crate) fn is_gone_for(grant: &Grant, amount: Minor) -> bool {
    is_gone(grant) || grant.usage.card.is_some_and(|card| card.free() < amount)
}

/// Refuses more than the allowance of a voucher that a till took offline.
pub(crate) fn within(tx: &Tx<'_>, taken: Taken, amount: Minor) -> Result<(), Refusal> {
    match taken {
        Taken::Offline(most) if amount > most => {
            let money = |amount: Minor| tx.plans.runtime.as_ref().map_or(String::new(), |r| r.currency.format(amount));
            let detail = format!("a till that is offline may take at most {} off by this voucher", money(most));
            Err(Refusal::new(Reason::ExceedsRemaining, detail))
        }
        Taken::Offline(_) | Taken::Now => Ok(()),
    }
}

/// The id of what a till made of a payload while it was offline: the same till and payload, the same id.
pub(crate) fn id(terminal: &str, code: &Code, payload: &Payload) -> String {
    let mut hasher = blake3::Hasher::new();
    for part in [terminal, code.as_str()] {
        hasher.update(part.as_bytes());
        hasher.update(&[0]);
    }
    let digest = hasher.finalize();
    let random = digest.as_bytes()[..10].iter().fold(0_u128, |sum, byte| sum << 8 | u128::from(*byte));
    let made = u64::try_from(payload.issued_ms).unwrap_or(0);
    ulid::Ulid::from_parts(made, random).to_string()
}

/// The counter that knows that an exception was booked.
fn booked_key(id: &str) -> String {
    format!("exception|{id}")
}

/// Whether this exception was booked.
pub(crate) fn is_booked(tx: &Tx<'_>, id: &str) -> Result<bool, Halt> {
    Ok(tx.count(&booked_key(id))? > 0)
}

/// What a person should do about it.
pub(crate) const REMEDY: &str =
    "The shopper keeps the money off. Decide who bears the amount; `fanfare ledger adjust` books it.";

/// Books a voucher that a till gave offline although it was gone: its cost without a budget, the till's day, and one
/// exception for people to look at, under the redemption's id.
pub(crate) fn except(tx: &mut Tx<'_>, redemption: &Redemption, grant: &Grant, at: Ts) -> Result<(), Halt> {
    let id = redemption.id.as_str();
    note(tx, &redemption.id)?;
    book(tx, grant, redemption.amount, Why { rule: EXCEPTED, reference: id })?;
    days::redeemed(tx, redemption, at)?;
    let what = Exceptional {
        kind: OFFLINE_CONFLICT,
        about: &format!("Redemption/{id}"),
        order: redemption.order.as_ref(),
        store: redemption.store.as_ref(),
        business_date: None,
        at,
        amount: redemption.amount,
        gone: vec![format!("voucher {}", grant.id)],
        remedy: REMEDY,
    };
    exceptions::book_as(tx, id.to_owned(), what)
}

/// Books what a voucher gave that nothing was set aside for any more; negative takes it back.
pub(crate) fn book(tx: &mut Tx<'_>, grant: &Grant, amount: Minor, why: Why<'_>) -> Result<(), Halt> {
    tx.tally(&key::reward(&grant.terms.name, "cost"), amount.0);
    match &grant.campaign {
        Some(campaign) => budget::book(tx, &Name::clone(campaign), amount, Cost::Rewards, why),
        None => Ok(()),
    }
}
