//! Decides on a correction that waits: another person than the one who proposed it posts it or turns it down.

use super::{Adjustment, DECIDED, Decision, PROPOSED, Proposal, adjustment, event, object, post};
use crate::{Command, Halt, plans::Plans, refuse, tx::Tx};
use fanfare_core::{reason::Reason, time::Ts};
use fanfare_store::Keys;
use serde::Deserialize;
use serde_json::json;

/// What is decided.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// It is posted.
    Approve,
    /// It is turned down.
    Reject,
    /// Who proposed it takes it back, and nobody else.
    TakeBack,
}

/// Decides on a correction.
#[derive(Clone, Debug)]
pub struct Decide {
    /// Which.
    pub id: String,
    /// How.
    pub verdict: Verdict,
    /// Why.
    pub reason: Option<String>,
    /// The credential that decides.
    pub actor: String,
}

impl Command for Decide {
    /// Nothing when there is no such correction.
    type Answer = Option<Adjustment>;

    fn is_fact(&self, _: Ts) -> bool {
        true
    }

    fn prefetch(&self, _: &Plans, keys: &mut Keys) {
        keys.events.extend([PROPOSED, DECIDED].map(|source| (source.to_owned(), self.id.clone())));
    }

    fn run(&self, tx: &mut Tx<'_>) -> Result<Self::Answer, Halt> {
        let Self { id, verdict, reason, actor } = self;
        let Some(proposed) = tx.event(PROPOSED, id)? else { return Ok(None) };
        let proposed_at = proposed.time;
        let Ok(proposal) = Proposal::deserialize(&*proposed.data) else { return Ok(None) };
        if tx.event(DECIDED, id)?.is_some() {
            return refuse(Reason::AlreadyDecided, "it was posted or turned down before; propose another one");
        }
        if *verdict == Verdict::Approve && proposal.actor == *actor {
            return refuse(
                Reason::SamePerson,
                "who proposed it cannot approve it; a second person has to, with a key of their own",
            );
        }
        if *verdict == Verdict::TakeBack && proposal.actor != *actor {
            return refuse(
                Reason::NotProposer,
                "another person proposed it; who turns it down needs a key with the scope \"approve\"",
            );
        }
        let posted = *verdict == Verdict::Approve;
        if posted {
            post::check(tx, &proposal.change)?;
            post::post(tx, id, &proposal.change)?;
        }
        let decision = Decision { posted, actor: Some(actor.clone()), reason: reason.clone() };
        let now = tx.now;
        tx.new_event(event(DECIDED, id, now, &decision));
        let action = if posted { "approve-adjustment" } else { "reject-adjustment" };
        tx.audit(actor, action, &object(id), json!({ "of": proposal.change.as_str(), "reason": reason }));
        Ok(Some(adjustment(id, proposed_at, proposal, Some((decision, now)))))
    }
}
