//! One voucher without a cart: reserve, commit, void, reverse, lapse. The till applies the money off itself.

pub mod commit;
pub mod lapse;
pub mod redeem;
pub mod reverse;
pub mod void;

use crate::{
    Halt,
    budget::Why,
    days,
    jobs::Task,
    refuse,
    tx::Tx,
    vouchers::{self, Scene, Use},
};
pub use commit::Commit;
use fanfare_core::{ids::RedemptionId, money::Minor, reason::Reason, reward, time::Ts};
use fanfare_store::rows::{Grant, GrantState, Redemption, RedemptionState};
pub use lapse::lapse;
pub use redeem::{Mode, OrderRef, Redeem};
pub use reverse::Reverse;
pub use void::Void;

/// A redemption as a till is told.
#[derive(Clone, Debug, PartialEq)]
pub struct Outcome {
    /// The redemption.
    pub redemption: Redemption,
    /// What the voucher can still give: its balance or its worth with the uses that can begin; 0 while it is held or used.
    pub remaining: Minor,
    /// How often it can still be used; nothing where there is no end of uses.
    pub uses_left: Option<i64>,
    /// Whether this call made it.
    pub created: bool,
    /// The exception that was booked instead, where a till took the voucher offline and it was used meanwhile.
    pub exception: Option<String>,
}

/// A redemption by its id, or the refusal that there is none.
pub(crate) fn find(tx: &Tx<'_>, id: &RedemptionId) -> Result<Option<Redemption>, Halt> {
    Ok(tx.redemption(id)?.cloned())
}

/// What a till is told of a redemption that stands.
pub(crate) fn outcome(tx: &Tx<'_>, redemption: Redemption) -> Result<Outcome, Halt> {
    let (remaining, uses_left) = match tx.grant(&redemption.grant)? {
        Some(grant) => (remaining(grant, tx.now), uses_left(grant)),
        None => (Minor::ZERO, Some(0)),
    };
    Ok(Outcome { redemption, remaining, uses_left, created: false, exception: None })
}

/// How often a grant can still be used; nothing where there is no end of uses.
pub fn uses_left(grant: &Grant) -> Option<i64> {
    vouchers::uses(grant).map(|_| grant.uses_left)
}

/// What the next use of a voucher gives as far as that is known without a cart.
pub(crate) fn next_use(grant: &Grant, now: Ts) -> Minor {
    match &grant.usage.card {
        Some(_) => remaining(grant, now),
        None => remaining(grant, now).min(reward::worth_of_use(&grant.terms.kind, grant.terms.unit_cost)),
    }
}

/// What a voucher can still give as far as that is known without a cart.
pub fn remaining(grant: &Grant, now: Ts) -> Minor {
    if vouchers::state_at(grant, now) != GrantState::Claimed {
        return Minor::ZERO;
    }
    match &grant.usage.card {
        Some(card) => card.free(),
        None => reward::worth_of_use(&grant.terms.kind, grant.terms.unit_cost)
            .times(vouchers::free_uses(grant).unwrap_or(1)),
    }
}

/// Uses the voucher of a redemption for good.
pub(crate) fn settle(tx: &mut Tx<'_>, redemption: &Redemption, at: Ts) -> Result<(), Halt> {
    let Some(grant) = tx.grant(&redemption.grant)?.cloned() else { return Ok(()) };
    let scene = scene(redemption);
    let why = Why { rule: "redemption-committed", reference: redemption.id.as_str() };
    vouchers::use_up(tx, grant, Use::of(redemption), at, scene, why)?;
    days::redeemed(tx, redemption, at)
}

/// Ends a reservation: the voucher can be used again, and no job waits.
pub(crate) fn let_go(tx: &mut Tx<'_>, redemption: &mut Redemption, state: RedemptionState) -> Result<(), Halt> {
    redemption.state = state;
    tx.done(&Task::LapseRedemption(redemption.id.clone()).id());
    tx.put_redemption(redemption.clone());
    match tx.grant(&redemption.grant)?.cloned() {
        Some(grant) => vouchers::let_go(tx, grant, Use::of(redemption), scene(redemption)),
        None => Ok(()),
    }
}

pub(crate) fn scene(redemption: &Redemption) -> Scene<'_> {
    Scene { store: redemption.store.as_ref(), order: redemption.order.as_ref(), ..Scene::default() }
}

/// Refuses because of the state that a redemption is in.
pub(crate) fn wrong_state<T>(redemption: &Redemption, remedy: &str) -> Result<T, Halt> {
    refuse(Reason::RedemptionState, format!("the redemption is {}; {remedy}", redemption.state.as_str()))
}

/// Refuses what is part of an order: it follows its order.
pub(crate) fn standalone(redemption: &Redemption, tx: &Tx<'_>) -> Result<(), Halt> {
    let Some(order) = &redemption.order else { return Ok(()) };
    match tx.order(order)? {
        Some(row) if crate::orders::Booking::of(row).has(&redemption.id) => {
            refuse(Reason::RedemptionState, format!("it belongs to order {order}; commit, void or return that order"))
        }
        Some(_) | None => Ok(()),
    }
}
