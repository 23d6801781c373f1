//! Reservations of flash-sale stock after they were made: what is not used in time goes back, and an order that used one
//! gives it back. Making one and letting it go by hand are actions of the mechanic.

use crate::{
    Halt,
    carts::met_hold,
    jobs::Task,
    knowledge::{self, Coming},
    orders::take::count_all,
    tx::Tx,
};
use fanfare_core::{
    decide,
    ids::{HoldId, Name},
    mechanic::Act,
    model::CampaignPlan,
    random::Random,
};
use fanfare_store::rows::{Hold, HoldState};
use std::sync::Arc;

/// Lets a reservation go whose time is over. Done too early it plans itself again; done twice it finds nothing to do.
///
/// # Errors
/// [`Halt::Missing`] to be run again with more rows.
pub fn lapse(tx: &mut Tx<'_>, id: &HoldId) -> Result<(), Halt> {
    let Some(row) = tx.hold(id)?.cloned() else { return Ok(()) };
    let task = Task::ReleaseHold(id.clone());
    match row.state {
        HoldState::Held if row.expires_at > tx.now => {
            tx.schedule(task.at(row.expires_at));
            Ok(())
        }
        HoldState::Held => release(tx, &row),
        HoldState::Used | HoldState::Released => {
            tx.done(&task.id());
            Ok(())
        }
    }
}

/// The final cart of an order does not use this reservation after all: the member has it again until its time is over, with
/// the units that the order had of it. Those that it did without went back to the stock when it was placed.
pub(crate) fn hand_back(tx: &mut Tx<'_>, id: &HoldId, units: i64) -> Result<(), Halt> {
    let Some(mut row) = tx.hold(id)?.filter(|row| row.state == HoldState::Used).cloned() else { return Ok(()) };
    row.state = HoldState::Held;
    row.quantity = units;
    row.order = None;
    tx.put_hold(row.clone());
    if row.expires_at <= tx.now {
        return release(tx, &row);
    }
    tx.schedule(Task::ReleaseHold(id.clone()).at(row.expires_at));
    Ok(())
}

/// An order that used this reservation gives its units back with everything else that it counted; the reservation is over.
pub(crate) fn end(tx: &mut Tx<'_>, id: &HoldId) -> Result<(), Halt> {
    if let Some(mut row) = tx.hold(id)?.filter(|row| row.state == HoldState::Used).cloned() {
        row.state = HoldState::Released;
        tx.put_hold(row);
    }
    Ok(())
}

/// Gives the stock of a reservation back, by the rule of its mechanic as far as that is still served.
fn release(tx: &mut Tx<'_>, row: &Hold) -> Result<(), Halt> {
    let mut gone = row.clone();
    gone.state = HoldState::Released;
    tx.put_hold(gone);
    tx.done(&Task::ReleaseHold(row.id.clone()).id());
    let Some((plan, at)) = find(tx, &row.campaign, &row.mechanic) else { return Ok(()) };
    let hold = met_hold(row, None);
    let act = Act::Release { hold: &hold };
    let coming = Coming { member: Some(&row.member), store: row.store.as_ref(), channel: None, at: tx.now, points: 0 };
    let mechanic = &plan.mechanics[at];
    let answer = knowledge::visit(tx, coming, |visit| decide::act(&plan, mechanic, visit, &act, &mut NoChance))??;
    match answer.transpose()? {
        Some(acted) => count_all(tx, &acted.outcome.effects),
        None => Ok(()),
    }
}

fn find(tx: &Tx<'_>, campaign: &Name, mechanic: &Name) -> Option<(Arc<CampaignPlan>, usize)> {
    let plan = crate::budget::served(tx, campaign)?;
    let at = plan.mechanics.iter().position(|own| own.name == *mechanic)?;
    Some((plan, at))
}

/// For decisions that draw nothing.
struct NoChance;

impl Random for NoChance {
    fn bits(&mut self) -> u64 {
        0
    }
}
