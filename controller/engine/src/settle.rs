//! Settlement: after its cool-down a campaign is closed for good and its unspent budget goes back.

use crate::{Command, Halt, jobs::Task, plans::Plans, publish::SETTLED, tx::Tx};
use fanfare_core::{
    ids::Name,
    ledger::{Posting, account},
    mechanic::key,
    model::{Kind, Plan},
    schedule::cooled_at,
    time::Ts,
};
use fanfare_store::{Keys, rows::Published};
use serde_json::json;
use std::sync::Arc;

/// Settles a campaign whose cool-down is over, or plans that for later.
#[derive(Clone, Debug)]
pub struct Settle {
    /// Which.
    pub campaign: Name,
}

/// What settling came to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Settlement {
    /// It is settled for good.
    Settled,
    /// It was before, or is not served.
    NothingToDo,
    /// Not yet: it is planned again.
    Later,
}

impl Command for Settle {
    type Answer = Settlement;

    fn is_fact(&self, _: Ts) -> bool {
        true
    }

    fn prefetch(&self, plans: &Plans, keys: &mut Keys) {
        keys.counters.insert(key::metric(&self.campaign, SETTLED));
        let Some(runtime) = &plans.runtime else { return };
        for account in [account::budget_available(&self.campaign), account::budget_reserved(&self.campaign)] {
            keys.balances.insert((account, runtime.currency.code().to_owned()));
        }
    }

    fn run(&self, tx: &mut Tx<'_>) -> Result<Settlement, Halt> {
        settle(tx, &self.campaign)
    }
}

/// See [`Settle`]. Reservations of orders and tills lapse by their own jobs; while something is reserved, settlement waits
/// for as long as a reservation can hold. What is reserved after that stands behind vouchers that are still valid, and an
/// issued voucher is always honoured: it stays.
pub(crate) fn settle(tx: &mut Tx<'_>, name: &Name) -> Result<Settlement, Halt> {
    let task = Task::Settle(name.clone());
    let served = tx.plans.campaigns.get(name).filter(|campaign| !campaign.settled);
    let Some((plan, generation)) = served.map(|campaign| (Arc::clone(&campaign.plan), campaign.generation)) else {
        tx.done(&task.id());
        return Ok(Settlement::NothingToDo);
    };
    let Some(cooled) = cooled_at(&plan.schedule) else {
        tx.done(&task.id());
        return Ok(Settlement::NothingToDo);
    };
    let runtime = tx.runtime()?;
    let money = runtime.currency.code().to_owned();
    let reservations_end = runtime.reserve_for.after(cooled, plan.schedule.zone);
    let reserved = tx.balance(&account::budget_reserved(name), &money)?;
    let due = if reserved == 0 { cooled } else { reservations_end };
    if tx.now < due {
        tx.schedule(task.at(due));
        return Ok(Settlement::Later);
    }
    let Some((revision, _)) = tx.plans.revisions.get(&(Kind::Campaign, name.clone())).cloned() else {
        return Ok(Settlement::NothingToDo);
    };
    let unspent = tx.balance(&account::budget_available(name), &money)?;
    let (from, to) = (account::budget_available(name), account::budget_limit(name));
    if let Some(posting) = Posting::transfer("campaign-settled", name.as_str(), &money, &from, &to, unspent.max(0)) {
        tx.post(posting);
        tx.tally(&key::metric(name, "released"), unspent.max(0));
    }
    let settled = Published {
        kind: Kind::Campaign,
        name: name.clone(),
        revision,
        plan: Plan::Campaign((*plan).clone()),
        generation,
        at: tx.now,
        author: None,
        settled: true,
        retired: false,
    };
    tx.publish(settled);
    tx.count_up(&key::metric(name, SETTLED), 1)?;
    tx.done(&task.id());
    let detail = json!({ "released": unspent.max(0), "stillReserved": reserved, "currency": money });
    tx.audit("fanfare", "settle", &format!("Campaign/{name}"), detail);
    Ok(Settlement::Settled)
}
