//! Publishing: a resource's accepted specification becomes what is served, with its budget, stock and fixed costs in the
//! ledger, in one transaction.
//!
//! A change of a cap moves only the difference, so re-creating a resource never refills a budget and lowering a cap
//! revokes nothing.

use crate::{Command, Halt, jobs::Task, plans::Plans, suspend, thresholds, tx::Tx};
use fanfare_core::{
    ids::{Name, Namespace, Revision},
    ledger::{Posting, account, stock_unit},
    mechanic::{State, key},
    model::{CampaignPlan, Kind, Plan, RewardPlan},
    time::Ts,
};
use fanfare_store::{Keys, rows::Published};
use serde_json::json;

/// The counter of a campaign that says that it was settled for good.
pub(crate) const SETTLED: &str = "settled";

/// Serves a resource in a new revision, or does nothing when that revision is served already.
#[derive(Clone, Debug)]
pub struct Publish {
    /// Under which name.
    pub name: Name,
    /// The digest of the accepted specification and everything else that the plan was made of.
    pub revision: Revision,
    /// What it was compiled to.
    pub plan: Plan,
    /// The resource's generation.
    pub generation: i64,
    /// By whom, unverified.
    pub author: Option<String>,
}

/// What publishing did.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PublishOutcome {
    /// It is served from now on.
    Published,
    /// It was served already.
    Unchanged,
}

impl Command for Publish {
    type Answer = PublishOutcome;

    fn is_fact(&self, _: Ts) -> bool {
        true
    }

    fn prefetch(&self, plans: &Plans, keys: &mut Keys) {
        let Some(runtime) = &plans.runtime else { return };
        let money = runtime.currency.code().to_owned();
        match &self.plan {
            Plan::Campaign(plan) => {
                keys.balances.insert((account::budget_limit(&plan.name), money.clone()));
                keys.balances.insert((account::cost(&plan.name, "fixed"), money));
                keys.counters.extend([key::metric(&plan.name, SETTLED), suspend::limit_key(&plan.name)]);
            }
            Plan::Reward(plan) => {
                keys.balances.insert((account::stock_supply(&plan.name), stock_unit(&plan.name)));
            }
            _ => {}
        }
    }

    fn run(&self, tx: &mut Tx<'_>) -> Result<PublishOutcome, Halt> {
        let kind = self.plan.kind();
        let served = tx.plans.revisions.get(&(kind, self.name.clone()));
        if served.is_some_and(|(revision, generation)| *revision == self.revision && *generation == self.generation) {
            return Ok(PublishOutcome::Unchanged);
        }
        // Counted, since a campaign that was deleted and is made again is in no plan.
        let settled = kind == Kind::Campaign && tx.count(&key::metric(&self.name, SETTLED))? > 0;
        let mut plan = self.plan.clone();
        match &self.plan {
            // What a settlement gave back is not filled up again.
            Plan::Campaign(_) if settled => {}
            Plan::Campaign(written) => {
                open_books(tx, written)?;
                let kept = suspend::keep(tx, written, self.author.as_deref().unwrap_or("unknown"))?;
                plan = Plan::Campaign(kept);
            }
            Plan::Reward(plan) => stock(tx, plan)?,
            Plan::Segment(_) | Plan::Automation(_) | Plan::MessageTemplate(_) | Plan::MessageChannel(_) => {}
            Plan::CampaignRuntime(plan) => {
                let code = plan.currency.code().as_bytes().to_vec();
                tx.set_setting(currency_setting(tx.namespace), code);
            }
        }
        tx.publish(Published {
            kind,
            name: self.name.clone(),
            revision: self.revision.clone(),
            plan: plan.clone(),
            generation: self.generation,
            at: tx.now,
            author: self.author.clone(),
            settled,
            retired: false,
        });
        let object = format!("{}/{}", kind.as_str(), self.name);
        let detail = json!({ "revision": self.revision, "generation": self.generation });
        tx.audit(self.author.as_deref().unwrap_or("unknown"), "publish", &object, detail);
        // A limit may have been lowered to less than is spent already.
        if let Plan::Campaign(plan) = &plan
            && !settled
        {
            thresholds::look(tx, plan)?;
        }
        Ok(PublishOutcome::Published)
    }
}

/// The setting that keeps the currency which a namespace was served in last, so that a Runtime that is made anew cannot
/// turn baht into yen.
pub fn currency_setting(namespace: &Namespace) -> String {
    format!("ledger-currency/{namespace}")
}

/// Brings the campaign's budget and fixed costs in the ledger to what the plan says, and plans its settlement.
fn open_books(tx: &mut Tx<'_>, plan: &CampaignPlan) -> Result<(), Halt> {
    let money = tx.runtime()?.currency.code().to_owned();
    let limit = plan.budget.map_or(0, |budget| budget.limit.0);
    let funded = -tx.balance(&account::budget_limit(&plan.name), &money)?;
    let (owner, free) = (account::budget_limit(&plan.name), account::budget_available(&plan.name));
    let rule = "budget-set";
    let funding = Posting::transfer(rule, plan.name.as_str(), &money, &owner, &free, limit - funded);
    let fixed: i64 = plan.costs.values().map(|cost| cost.0).sum();
    let booked = tx.balance(&account::cost(&plan.name, "fixed"), &money)?;
    let (source, cost) = (account::cost_source(&plan.name), account::cost(&plan.name, "fixed"));
    let costs = Posting::transfer("fixed-costs-set", plan.name.as_str(), &money, &source, &cost, fixed - booked);
    for posting in [funding, costs].into_iter().flatten() {
        tx.post(posting);
    }
    let settle = Task::Settle(plan.name.clone());
    match plan.schedule.end_at {
        Some(end) => tx.schedule(settle.at(plan.schedule.cool_down.after(end, plan.schedule.zone))),
        None => tx.done(&settle.id()),
    }
    Ok(())
}

/// Brings a reward's stock in the ledger to its quantity.
fn stock(tx: &mut Tx<'_>, plan: &RewardPlan) -> Result<(), Halt> {
    let unit = stock_unit(&plan.name);
    let supplied = -tx.balance(&account::stock_supply(&plan.name), &unit)?;
    let (from, to) = (account::stock_supply(&plan.name), account::stock_available(&plan.name));
    let change = plan.quantity.unwrap_or(0) - supplied;
    if let Some(posting) = Posting::transfer("stock-set", plan.name.as_str(), &unit, &from, &to, change) {
        tx.post(posting);
    }
    Ok(())
}

/// Serves a resource no longer: its offers are down from the commit on; what was issued and the ledger stay.
#[derive(Clone, Debug)]
pub struct Retire {
    /// Of which kind.
    pub kind: Kind,
    /// Under which name.
    pub name: Name,
    /// Who took it away.
    pub actor: String,
}

impl Command for Retire {
    /// Whether it was served.
    type Answer = bool;

    fn is_fact(&self, _: Ts) -> bool {
        true
    }

    fn run(&self, tx: &mut Tx<'_>) -> Result<bool, Halt> {
        if !tx.plans.revisions.contains_key(&(self.kind, self.name.clone())) {
            return Ok(false);
        }
        tx.retire(self.kind, self.name.clone());
        let object = format!("{}/{}", self.kind.as_str(), self.name);
        tx.audit(&self.actor, "retire", &object, json!({}));
        Ok(true)
    }
}
