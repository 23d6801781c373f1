//! Commits a reserved redemption: the voucher is used.

use super::{Outcome, find, outcome, settle, standalone, wrong_state};
use crate::{Command, Halt, jobs::Task, plans::Plans, refuse, tx::Tx};
use fanfare_core::{ids::RedemptionId, reason::Reason};
use fanfare_store::{Keys, rows::RedemptionState};

/// Commits a reserved redemption. Committing again changes nothing.
#[derive(Clone, Debug)]
pub struct Commit {
    /// Which.
    pub id: RedemptionId,
}

impl Command for Commit {
    /// Nothing when there is no such redemption.
    type Answer = Option<Outcome>;

    fn prefetch(&self, _: &Plans, keys: &mut Keys) {
        keys.redemptions.insert(self.id.clone());
    }

    fn run(&self, tx: &mut Tx<'_>) -> Result<Self::Answer, Halt> {
        let Some(mut redemption) = find(tx, &self.id)? else { return Ok(None) };
        match redemption.state {
            RedemptionState::Reserved => {}
            RedemptionState::Committed => return outcome(tx, redemption).map(Some),
            RedemptionState::Lapsed => {
                return refuse(Reason::ReservationExpired, "the reservation has lapsed; redeem anew");
            }
            RedemptionState::Voided | RedemptionState::PartiallyReversed | RedemptionState::Reversed => {
                return wrong_state(&redemption, "only a reserved one can be committed");
            }
        }
        standalone(&redemption, tx)?;
        if redemption.expires_at.is_some_and(|end| end <= tx.now) {
            return refuse(Reason::ReservationExpired, "the reservation has lapsed; redeem anew");
        }
        settle(tx, &redemption, tx.now)?;
        redemption.state = RedemptionState::Committed;
        redemption.expires_at = None;
        tx.done(&Task::LapseRedemption(self.id.clone()).id());
        tx.put_redemption(redemption.clone());
        outcome(tx, redemption).map(Some)
    }
}
