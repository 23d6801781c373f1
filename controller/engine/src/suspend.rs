//! A campaign that its own budget suspended: from when the limit was used up until a larger limit, or until a person lets
//! it go on.
//!
//! It stands in two places, written in one transaction: the plan that is served says that it is suspended, so that every
//! process serves it so, also after a restart; and a counter holds the limit that was used up, so that a change of
//! something else does not lift it.

use crate::{Command, Halt, plans::Plans, tx::Tx};
use fanfare_core::{
    ids::{Name, Revision},
    mechanic::{State, key},
    model::{
        CampaignPlan, Kind, Plan,
        campaign::{Budget, OnExhausted},
    },
    time::Ts,
};
use fanfare_store::{Keys, rows::Published};
use serde_json::json;

/// The limit at which a campaign's budget suspended it, in minor units; 0 while it did not.
pub(crate) fn limit_key(campaign: &Name) -> String {
    key::metric(campaign, "suspendedAt")
}

/// The latest wish to let it go on that was followed, in milliseconds since 1970.
fn resumed_key(campaign: &Name) -> String {
    key::metric(campaign, "resumed")
}

/// The figure that says when a campaign's budget first ran out.
pub(crate) fn exhausted_key(campaign: &Name) -> String {
    key::metric(campaign, "exhausted")
}

/// Notes when the budget first ran out, as seconds since 1970 in the figure `exhausted`, and suspends the campaign when
/// its budget says so.
pub(crate) fn exhausted(tx: &mut Tx<'_>, plan: &CampaignPlan) -> Result<(), Halt> {
    let figure = exhausted_key(&plan.name);
    if tx.count(&figure)? == 0 {
        tx.count_up(&figure, tx.now.timestamp())?;
    }
    let Some(budget) = plan.budget.filter(|budget| budget.on_exhausted == OnExhausted::Suspend) else {
        return Ok(());
    };
    let Some(served) = tx.plans.campaigns.get(&plan.name).filter(|served| !served.settled).cloned() else {
        return Ok(());
    };
    let held = limit_key(&plan.name);
    // Another decision of this batch may have come first.
    if served.plan.suspended || tx.count(&held)? != 0 {
        return Ok(());
    }
    let Some((revision, generation)) = tx.plans.revisions.get(&(Kind::Campaign, plan.name.clone())).cloned() else {
        return Ok(());
    };
    tx.count_up(&held, budget.limit.0.max(1))?;
    let suspended = CampaignPlan { suspended: true, ..(*served.plan).clone() };
    tx.publish(Published {
        kind: Kind::Campaign,
        name: plan.name.clone(),
        revision: revision.clone(),
        plan: Plan::Campaign(suspended),
        generation,
        at: tx.now,
        author: None,
        settled: false,
        retired: false,
    });
    let detail = json!({ "reason": "budget-exhausted", "revision": revision });
    tx.audit("fanfare", "suspend", &format!("Campaign/{}", plan.name), detail);
    Ok(())
}

/// The plan as it is to be served: still suspended, while its budget is the one that was used up.
pub(crate) fn keep(tx: &mut Tx<'_>, plan: &CampaignPlan, actor: &str) -> Result<CampaignPlan, Halt> {
    let key = limit_key(&plan.name);
    let held = tx.count(&key)?;
    let used_up = |budget: &Budget| budget.on_exhausted == OnExhausted::Suspend && budget.limit.0 <= held;
    if held == 0 || plan.budget.as_ref().is_some_and(used_up) {
        return Ok(CampaignPlan { suspended: plan.suspended || held > 0, ..plan.clone() });
    }
    tx.count_up(&key, -held)?;
    tx.audit(actor, "resume", &format!("Campaign/{}", plan.name), json!({ "reason": "budget-raised" }));
    Ok(plan.clone())
}

/// Lets a campaign go on that its budget suspended, once for each wish.
#[derive(Clone, Debug)]
pub struct Resume {
    /// Which.
    pub name: Name,
    /// When the wish was written, in milliseconds since 1970 of real time.
    pub wished_at: i64,
    /// The plan as its resource says it.
    pub plan: CampaignPlan,
    /// The digest of the accepted specification.
    pub revision: Revision,
    /// The resource's generation.
    pub generation: i64,
    /// Who wished it.
    pub actor: String,
}

impl Command for Resume {
    /// Whether it goes on by this.
    type Answer = bool;

    fn is_fact(&self, _: Ts) -> bool {
        true
    }

    fn prefetch(&self, _: &Plans, keys: &mut Keys) {
        keys.counters.extend([limit_key(&self.name), resumed_key(&self.name)]);
    }

    fn run(&self, tx: &mut Tx<'_>) -> Result<bool, Halt> {
        let (wish, held) = (resumed_key(&self.name), limit_key(&self.name));
        let followed = tx.count(&wish)?;
        let suspended_at = tx.count(&held)?;
        if self.wished_at <= followed {
            return Ok(false);
        }
        tx.count_up(&wish, self.wished_at - followed)?;
        let Some(settled) = tx.plans.campaigns.get(&self.name).map(|campaign| campaign.settled) else {
            return Ok(false);
        };
        if suspended_at == 0 || settled {
            return Ok(false);
        }
        tx.count_up(&held, -suspended_at)?;
        tx.publish(Published {
            kind: Kind::Campaign,
            name: self.name.clone(),
            revision: self.revision.clone(),
            plan: Plan::Campaign(self.plan.clone()),
            generation: self.generation,
            at: tx.now,
            author: None,
            settled,
            retired: false,
        });
        tx.audit(&self.actor, "resume", &format!("Campaign/{}", self.name), json!({ "reason": "by-hand" }));
        Ok(true)
    }
}
