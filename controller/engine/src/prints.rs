//! Printed vouchers: given to nobody, to be handed out on paper. Whoever uses one first has it.
//!
//! A batch is made in numbered parts. A part is what its vouchers name as their cause: asked for again it is answered with
//! the vouchers that it has, so that a run that broke off goes on without making one twice.
//! What is printed reserves the campaign's budget like anything that is given.

use crate::{
    Command, Halt, budget,
    give::{self, GIVE_MAX, To},
    plans::Plans,
    refuse,
    tx::Tx,
};
use fanfare_core::{
    ids::{Code, GrantId, Name},
    model::{
        RewardPlan,
        reward::{Claim, Symbology},
    },
    reason::Reason,
    time::Ts,
};
use fanfare_store::Keys;

/// The most vouchers of one part.
pub const PART_MAX: i64 = 500;

/// Makes a part of a batch of printed vouchers: all of it or nothing.
#[derive(Clone, Debug)]
pub struct Print {
    /// Of which reward.
    pub reward: Name,
    /// How many; at most [`PART_MAX`].
    pub count: i64,
    /// The campaign that pays for them.
    pub campaign: Option<Name>,
    /// What people call the batch.
    pub batch: String,
    /// Which part of it, from 1.
    pub part: i64,
    /// Who had them made.
    pub actor: String,
}

/// A printed voucher.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Printed {
    /// Its grant.
    pub grant: GrantId,
    /// What is printed.
    pub code: Code,
    /// Until when it can be used.
    pub valid_until: Option<Ts>,
}

/// The vouchers of a part.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Part {
    /// By their ids.
    pub vouchers: Vec<Printed>,
    /// How their codes are drawn.
    pub symbology: Symbology,
}

impl Command for Print {
    type Answer = Part;

    fn prefetch(&self, _: &Plans, keys: &mut Keys) {
        keys.grants_by_cause.insert(self.cause());
    }

    fn run(&self, tx: &mut Tx<'_>) -> Result<Part, Halt> {
        let cause = self.cause();
        let made = tx.grants_by_cause(&cause)?;
        if made.is_empty() {
            self.make(tx, &cause)?;
        } else if made.len() as i64 != self.count || made.iter().any(|grant| grant.campaign != self.campaign) {
            let detail = format!(
                "part {} of the batch {:?} has {} vouchers already, of another order; name a new batch, or its next part",
                self.part,
                self.batch,
                made.len()
            );
            return refuse(Reason::BatchReused, detail);
        }
        let grants = tx.grants_by_cause(&cause)?;
        let symbology = grants.first().map_or(Symbology::Qr, |grant| grant.terms.redemption.symbology);
        let vouchers = grants.into_iter().filter_map(|grant| {
            Some(Printed { grant: grant.id.clone(), code: grant.code.clone()?, valid_until: grant.valid_until })
        });
        Ok(Part { vouchers: vouchers.collect(), symbology })
    }
}

impl Print {
    fn cause(&self) -> String {
        format!("print:{}/{}/{}", self.reward, self.part, self.batch)
    }

    fn make(&self, tx: &mut Tx<'_>, cause: &str) -> Result<(), Halt> {
        let Some(plan) = tx.plans.rewards.get(&self.reward).cloned() else {
            return refuse(Reason::Suspended, format!("the reward {} is not served; apply it", self.reward));
        };
        printable(&plan)?;
        if let Some(campaign) = &self.campaign {
            pays(tx, campaign)?;
        }
        let nobody = give::nobody();
        let mut left = self.count.clamp(0, PART_MAX);
        while left > 0 {
            let to = To {
                member: &nobody,
                reward: &self.reward,
                quantity: left.min(GIVE_MAX),
                campaign: self.campaign.as_ref(),
                mechanic: None,
                store: None,
                cause,
            };
            let given = give::give(tx, to)?;
            if let Some(refusal) = given.refused {
                return Err(refusal.into());
            }
            left -= to.quantity;
        }
        let detail = serde_json::json!({
            "batch": self.batch, "part": self.part, "count": self.count, "campaign": self.campaign
        });
        tx.audit(&self.actor, "print", &format!("Reward/{}", self.reward), detail);
        Ok(())
    }
}

/// Refuses a campaign that pays for nothing any more. One that is yet to start pays: paper is printed ahead.
fn pays(tx: &Tx<'_>, campaign: &Name) -> Result<(), Halt> {
    match budget::served(tx, campaign) {
        None => refuse(Reason::CampaignNotActive, format!("the campaign {campaign} is not served; apply it")),
        Some(plan) if plan.schedule.end_at.is_some_and(|end| tx.now >= end) => {
            refuse(Reason::CampaignNotActive, format!("{:?} is over; name a campaign that is not", plan.title))
        }
        Some(_) => Ok(()),
    }
}

/// Refuses what cannot stand on paper.
fn printable(plan: &RewardPlan) -> Result<(), Halt> {
    let no = |why: &str| refuse(Reason::NotCombinable, format!("{:?} cannot be printed: {why}", plan.title));
    let guard = &plan.redemption.guard;
    if !plan.kind.has_code() {
        return no("it is not used at a till");
    }
    if plan.shared_code().is_some() {
        return no("everybody types its one code");
    }
    if guard.rotate.is_some() {
        return no("its code changes; remove redemption.rotate");
    }
    if guard.holder_only {
        return no("nobody holds paper by name; remove redemption.holderOnly");
    }
    match plan.claim {
        Claim::Auto => Ok(()),
        Claim::Manual => no("nobody can claim paper; remove claim: Manual"),
    }
}
