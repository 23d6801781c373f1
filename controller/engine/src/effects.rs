//! Does what a decision wants done.

use crate::{
    Halt,
    budget::Why,
    give::{To, give},
    jobs::Task,
    tx::Tx,
    wallet,
};
use fanfare_core::{
    ids::{GrantId, MemberId, Name, StoreId},
    mechanic::{Effect, State},
    reason::{Reason, Refusal},
};
use fanfare_store::rows::{Hold, HoldState};

/// Whose decision it is, for whom.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Decided<'a> {
    pub(crate) campaign: &'a Name,
    pub(crate) mechanic: Option<&'a Name>,
    pub(crate) member: &'a MemberId,
    pub(crate) store: Option<&'a StoreId>,
    /// What brought it about, such as `event:<source>/<id>`; one decision each.
    pub(crate) cause: &'a str,
}

/// What was done.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct Done {
    pub(crate) grants: Vec<GrantId>,
    /// Why a reward was not given, or not as often as was decided.
    pub(crate) refused: Option<Refusal>,
}

/// Whether every count of the decision still holds: an earlier decision of the same event may have used it up.
pub(crate) fn within_caps(tx: &Tx<'_>, effects: &[Effect]) -> Result<bool, Halt> {
    for effect in effects {
        if let Effect::Count { key, delta, cap } = effect {
            let reached = tx.count(key)?.saturating_add(*delta);
            if *delta > 0 && cap.is_some_and(|cap| reached > cap) {
                return Ok(false);
            }
        }
    }
    Ok(true)
}

/// Does every effect. What was counted stays counted where a reward cannot be given: the answer says why. A caller that
/// wants all or nothing refuses then, which undoes everything.
pub(crate) fn apply(tx: &mut Tx<'_>, decided: Decided<'_>, effects: &[Effect]) -> Result<Done, Halt> {
    let mut done = Done::default();
    for effect in effects {
        match effect {
            Effect::Count { key, delta, cap: _ } => {
                tx.count_up(key, *delta)?;
            }
            Effect::Grant { reward, quantity } => {
                let Decided { campaign, mechanic, member, store, cause } = decided;
                let quantity = *quantity;
                let to = To { member, reward, quantity, campaign: Some(campaign), mechanic, store, cause };
                let given = give(tx, to)?;
                done.grants.extend(given.grants);
                done.refused = done.refused.or(given.refused);
            }
            Effect::Hold { id, sku, quantity, store, expires_at } => {
                let Some(mechanic) = decided.mechanic else { continue };
                tx.put_hold(Hold {
                    id: id.clone(),
                    campaign: decided.campaign.clone(),
                    mechanic: mechanic.clone(),
                    sku: sku.clone(),
                    quantity: *quantity,
                    member: decided.member.clone(),
                    store: store.clone(),
                    expires_at: *expires_at,
                    state: HoldState::Held,
                    order: None,
                });
                tx.schedule(Task::ReleaseHold(id.clone()).at(*expires_at));
            }
            Effect::Release { id } => {
                let Some(mut hold) = tx.hold(id)?.cloned() else { continue };
                hold.state = HoldState::Released;
                tx.done(&Task::ReleaseHold(id.clone()).id());
                tx.put_hold(hold);
            }
            Effect::SpendPoints { points } => {
                let account = wallet::of(tx, decided.member)?;
                if wallet::balance(tx, &account)? < *points {
                    let detail = format!("this takes {points} points and the wallet holds fewer");
                    return Err(Refusal::new(Reason::NoEntries, detail).into());
                }
                let why = Why { rule: "points-spent", reference: decided.campaign.as_str() };
                wallet::pay(tx, &account, *points, why)?;
            }
        }
    }
    Ok(done)
}
