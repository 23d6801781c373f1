//! Reverses a committed redemption, whole or in parts.

use super::{Outcome, find, outcome, scene, standalone, wrong_state};
use crate::{
    Command, Halt,
    budget::Why,
    days,
    plans::Plans,
    refuse,
    tx::Tx,
    vouchers::{self, Use},
};
use fanfare_core::{
    ids::{RedemptionId, StoreId},
    money::Minor,
    reason::Reason,
};
use fanfare_store::{Keys, rows::RedemptionState};

/// The most reversals of one redemption.
pub const REVERSALS_MAX: usize = 50;

/// Reverses a committed redemption: its money is taken back, and once all of it is, the voucher can be used again or is
/// forfeited, as its terms say. On a gift card each part goes back at once. The same `reversal_id` again changes nothing.
#[derive(Clone, Debug)]
pub struct Reverse {
    /// Which.
    pub id: RedemptionId,
    /// The till's id of this reversal.
    pub reversal_id: String,
    /// Why.
    pub reason: String,
    /// How much; without it, all that is left.
    pub amount: Option<Minor>,
    /// Where, when that is another store than the redemption's.
    pub store: Option<StoreId>,
}

impl Command for Reverse {
    /// Nothing when there is no such redemption.
    type Answer = Option<Outcome>;

    fn prefetch(&self, _: &Plans, keys: &mut Keys) {
        keys.redemptions.insert(self.id.clone());
    }

    fn run(&self, tx: &mut Tx<'_>) -> Result<Self::Answer, Halt> {
        let Some(mut redemption) = find(tx, &self.id)? else { return Ok(None) };
        if let Some((_, amount, reason)) = redemption.reversals.iter().find(|(id, ..)| *id == self.reversal_id) {
            if *reason != self.reason || self.amount.is_some_and(|asked| asked != *amount) {
                let detail = "this reversal id was used for another reversal; give each reversal an id of its own";
                return refuse(Reason::ReversalIdReused, detail);
            }
            return outcome(tx, redemption).map(Some);
        }
        match redemption.state {
            RedemptionState::Committed | RedemptionState::PartiallyReversed => {}
            RedemptionState::Reserved => return wrong_state(&redemption, "what is only reserved is voided"),
            RedemptionState::Voided | RedemptionState::Lapsed | RedemptionState::Reversed => {
                return wrong_state(&redemption, "there is nothing left to reverse");
            }
        }
        standalone(&redemption, tx)?;
        if redemption.reversals.len() >= REVERSALS_MAX {
            return wrong_state(&redemption, "it was reversed in too many parts; reverse the rest elsewhere");
        }
        let reversed: Minor = redemption.reversals.iter().map(|(_, amount, _)| *amount).sum();
        let left = redemption.amount.minus(reversed);
        let amount = self.amount.unwrap_or(left);
        if amount > left {
            let currency = &tx.runtime()?.currency;
            let detail = format!("{} {} can still be reversed", currency.format(left), currency.code());
            return refuse(Reason::ExceedsRemaining, detail);
        }
        let why = Why { rule: "redemption-reversed", reference: redemption.id.as_str() };
        let whole = amount == left;
        let part = Use { amount, ..Use::of(&redemption) };
        match tx.grant(&redemption.grant)?.cloned() {
            Some(card) if card.terms.kind.is_payment() => {
                vouchers::pay_back(tx, card, part, whole, scene(&redemption), why)?;
            }
            Some(_) if whole => {
                vouchers::give_back(tx, &redemption.grant, part, scene(&redemption), why)?;
            }
            Some(grant) => vouchers::refund(tx, &grant, amount, why)?,
            None => {}
        }
        days::reversed(tx, self.store.as_ref().or(redemption.store.as_ref()), amount)?;
        redemption.state = if whole { RedemptionState::Reversed } else { RedemptionState::PartiallyReversed };
        redemption.reversals.push((self.reversal_id.clone(), amount, self.reason.clone()));
        tx.put_redemption(redemption.clone());
        outcome(tx, redemption).map(Some)
    }
}
