//! Proposes a correction, and posts it at once where nobody else has to look at it.

use super::{Adjustment, Change, DECIDED, Decision, PROPOSED, Proposal, adjustment, event, object, post};
use crate::{Command, Halt, plans::Plans, tx::Tx};
use fanfare_store::Keys;
use serde_json::json;

/// Proposes a correction.
#[derive(Clone, Debug)]
pub struct Propose {
    /// What to correct, by more or less than nothing.
    pub change: Change,
    /// Why.
    pub reason: String,
    /// The credential that asks.
    pub actor: String,
}

impl Command for Propose {
    type Answer = Adjustment;

    fn prefetch(&self, _: &Plans, keys: &mut Keys) {
        if let Change::Points { member, .. } = &self.change {
            keys.members.insert(member.clone());
        }
    }

    fn run(&self, tx: &mut Tx<'_>) -> Result<Adjustment, Halt> {
        let Self { change, reason, actor } = self;
        let worth = post::worth(tx, change)?;
        let waits = tx.runtime()?.approve_above.is_some_and(|limit| worth.is_none_or(|worth| worth > limit));
        // What cannot be done is refused at once, also where it would wait.
        post::check(tx, change)?;
        let (id, now) = (tx.new_id(), tx.now);
        let proposal = Proposal { change: change.clone(), reason: reason.clone(), worth, actor: actor.clone() };
        tx.new_event(event(PROPOSED, &id, now, &proposal));
        let decision = (!waits).then_some(Decision { posted: true, actor: None, reason: None });
        if let Some(decision) = &decision {
            post::post(tx, &id, change)?;
            tx.new_event(event(DECIDED, &id, now, decision));
        }
        let action = if waits { "propose-adjustment" } else { "adjust" };
        tx.audit(actor, action, &object(&id), json!({ "of": change.as_str(), "reason": reason, "worth": worth }));
        Ok(adjustment(&id, now, proposal, decision.map(|decision| (decision, now))))
    }
}
