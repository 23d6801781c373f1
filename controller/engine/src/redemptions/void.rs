//! Voids a reserved redemption: the voucher can be used again.

use super::{Outcome, find, let_go, outcome, standalone, wrong_state};
use crate::{Command, Halt, plans::Plans, tx::Tx};
use fanfare_core::ids::RedemptionId;
use fanfare_store::{Keys, rows::RedemptionState};

/// Voids a reserved redemption. Voiding again, or what has lapsed, changes nothing.
#[derive(Clone, Debug)]
pub struct Void {
    /// Which.
    pub id: RedemptionId,
}

impl Command for Void {
    /// Nothing when there is no such redemption.
    type Answer = Option<Outcome>;

    fn prefetch(&self, _: &Plans, keys: &mut Keys) {
        keys.redemptions.insert(self.id.clone());
    }

    fn run(&self, tx: &mut Tx<'_>) -> Result<Self::Answer, Halt> {
        let Some(mut redemption) = find(tx, &self.id)? else { return Ok(None) };
        match redemption.state {
            RedemptionState::Reserved => {}
            RedemptionState::Voided | RedemptionState::Lapsed => return outcome(tx, redemption).map(Some),
            RedemptionState::Committed | RedemptionState::PartiallyReversed | RedemptionState::Reversed => {
                return wrong_state(&redemption, "what is committed is reversed, not voided");
            }
        }
        standalone(&redemption, tx)?;
        let_go(tx, &mut redemption, RedemptionState::Voided)?;
        outcome(tx, redemption).map(Some)
    }
}
