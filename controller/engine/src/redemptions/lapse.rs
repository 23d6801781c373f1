//! A reservation's time is over: the voucher can be used again.

use super::let_go;
use crate::{Halt, jobs::Task, tx::Tx};
use fanfare_core::ids::RedemptionId;
use fanfare_store::rows::RedemptionState;

/// Lets a reservation lapse that is due. Done too early it plans itself again; done twice it finds nothing to do.
///
/// # Errors
/// [`Halt::Missing`] to be run again with more rows.
pub fn lapse(tx: &mut Tx<'_>, id: &RedemptionId) -> Result<(), Halt> {
    let Some(mut redemption) = tx.redemption(id)?.cloned() else { return Ok(()) };
    let task = Task::LapseRedemption(id.clone());
    match redemption.expires_at.filter(|_| redemption.state == RedemptionState::Reserved) {
        Some(end) if end > tx.now => {
            tx.schedule(task.at(end));
            Ok(())
        }
        Some(_) => let_go(tx, &mut redemption, RedemptionState::Lapsed),
        None => {
            tx.done(&task.id());
            Ok(())
        }
    }
}
