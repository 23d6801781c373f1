//! A campaign's money: what may still be reserved, and the postings that reserve, release, spend and book it.
//!
//! A campaign without a budget has no bound and no budget postings; its costs are booked all the same. What was set
//! aside while there was a budget is given back to it after the author took the budget away, so that its accounts close.

use crate::{Halt, tx::Tx};
use fanfare_core::{
    ids::Name,
    ledger::{self, Posting, account},
    mechanic::{State, key},
    model::campaign::{Budget, CampaignPlan, OnExhausted},
    money::Minor,
    reason::{Reason, Refusal},
};
use fanfare_store::rows::Published;
use std::sync::Arc;

/// What a cost is for; each is an account of its campaign.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Cost {
    /// Rewards that were used: points credited, vouchers and free items redeemed.
    Rewards,
    /// Money off by a mechanic. Stands apart, since revenue is already net of it.
    Discounts,
}

impl Cost {
    fn account(self, campaign: &Name) -> String {
        let category = match self {
            Self::Rewards => "rewards",
            Self::Discounts => "discounts",
        };
        account::cost(campaign, category)
    }
}

/// Why something is posted: by which rule, about what.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Why<'a> {
    /// The posting rule's name, as `docs/reference/ledger.md` lists it.
    pub(crate) rule: &'static str,
    /// The id of a grant, an order or a redemption: no person, no code.
    pub(crate) reference: &'a str,
}

/// The code of the namespace's currency: the unit of its money accounts.
pub(crate) fn money(tx: &Tx<'_>) -> Result<String, Halt> {
    Ok(tx.runtime()?.currency.code().to_owned())
}

/// The campaign as it is served, if it still is.
pub(crate) fn served(tx: &Tx<'_>, campaign: &Name) -> Option<Arc<CampaignPlan>> {
    tx.plans.campaigns.get(campaign).map(|served| Arc::clone(&served.plan))
}

/// How much the campaign may still reserve in all; `None` when nothing bounds it. What a day may give out is counted and
/// bounded by the decisions of core.
pub(crate) fn room(tx: &Tx<'_>, plan: &CampaignPlan) -> Result<Option<Minor>, Halt> {
    if bounding(plan).is_none() {
        return Ok(None);
    }
    Ok(Some(Minor(tx.balance(&account::budget_available(&plan.name), &money(tx)?)?)))
}

/// The budget that stops the campaign, if it has one that does.
fn bounding(plan: &CampaignPlan) -> Option<Budget> {
    plan.budget.filter(|budget| match budget.on_exhausted {
        OnExhausted::Stop | OnExhausted::Suspend => true,
        OnExhausted::Continue => false,
    })
}

/// Whether `amount` may be reserved of the campaign's budget now. A no is noted, and suspends the campaign where its
/// author wants that.
pub(crate) fn allows(tx: &mut Tx<'_>, plan: &CampaignPlan, amount: Minor) -> Result<Result<(), Refusal>, Halt> {
    if amount <= Minor::ZERO {
        return Ok(Ok(()));
    }
    match room(tx, plan)? {
        Some(room) if room < amount => {
            exhausted(tx, plan)?;
            let detail = format!("the budget of {:?} does not hold this any more; its owner can raise it", plan.title);
            Ok(Err(Refusal::new(Reason::BudgetExhausted, detail)))
        }
        Some(_) | None => Ok(Ok(())),
    }
}

/// The figure that says when a campaign's budget first ran out.
pub(crate) fn exhausted_key(campaign: &Name) -> String {
    key::metric(campaign, "exhausted")
}

/// Notes when the budget first ran out, as seconds since 1970 in the figure `exhausted`, and suspends the campaign when
/// its budget says so: until a new revision of it is published.
pub(crate) fn exhausted(tx: &mut Tx<'_>, plan: &CampaignPlan) -> Result<(), Halt> {
    let figure = exhausted_key(&plan.name);
    if tx.count(&figure)? == 0 {
        tx.count_up(&figure, tx.now.timestamp())?;
    }
    let suspends = plan.budget.is_some_and(|budget| budget.on_exhausted == OnExhausted::Suspend);
    let Some(served) = tx.plans.campaigns.get(&plan.name).filter(|_| suspends && !plan.suspended) else {
        return Ok(());
    };
    let revision = served.plan.revision.clone();
    let (settled, generation) = (served.settled, served.generation);
    let suspended = CampaignPlan { suspended: true, ..(*served.plan).clone() };
    let Some((published, _)) = tx.plans.revisions.get(&(fanfare_core::model::Kind::Campaign, plan.name.clone())) else {
        return Ok(());
    };
    let row = Published {
        kind: fanfare_core::model::Kind::Campaign,
        name: plan.name.clone(),
        revision: published.clone(),
        plan: fanfare_core::model::Plan::Campaign(suspended),
        generation,
        at: tx.now,
        author: None,
        settled,
        retired: false,
    };
    tx.publish(row);
    let detail = serde_json::json!({ "reason": "budget-exhausted", "revision": revision });
    tx.audit("fanfare", "suspend", &format!("Campaign/{}", plan.name), detail);
    Ok(())
}

/// Sets `amount` aside, without asking whether it is there: see [`allows`].
pub(crate) fn reserve(tx: &mut Tx<'_>, plan: &CampaignPlan, amount: Minor, why: Why<'_>) -> Result<Minor, Halt> {
    if plan.budget.is_none() || amount <= Minor::ZERO {
        return Ok(Minor::ZERO);
    }
    let unit = money(tx)?;
    if let Some(posting) = ledger::reserve_budget(why.rule, why.reference, &unit, &plan.name, amount) {
        tx.post(posting);
    }
    Ok(amount)
}

/// Gives back what was set aside.
pub(crate) fn release(tx: &mut Tx<'_>, campaign: &Name, amount: Minor, why: Why<'_>) -> Result<(), Halt> {
    let unit = money(tx)?;
    if let Some(posting) = ledger::release_budget(why.rule, why.reference, &unit, campaign, amount) {
        tx.post(posting);
        tx.tally(&key::metric(campaign, "released"), amount.0);
    }
    Ok(())
}

/// Money that a campaign spends: what was set aside for it, and what it came to.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Spent {
    /// Set aside before, 0 when nothing was; negative sets aside again.
    pub(crate) reserved: Minor,
    /// What was really given; negative takes back what was spent.
    pub(crate) actual: Minor,
    /// As what it is booked.
    pub(crate) cost: Cost,
}

/// Spends and books the cost, in one transaction of the ledger.
pub(crate) fn spend(tx: &mut Tx<'_>, campaign: &Name, spent: Spent, why: Why<'_>) -> Result<(), Halt> {
    let Spent { reserved, actual, cost } = spent;
    let unit = money(tx)?;
    let (source, target) = (account::cost_source(campaign), cost.account(campaign));
    let booked = Posting::transfer(why.rule, why.reference, &unit, &source, &target, actual.0);
    let has_budget = reserved != Minor::ZERO || served(tx, campaign).is_some_and(|plan| plan.budget.is_some());
    let drawn = if has_budget {
        let actual = if actual < Minor::ZERO { within_spent(tx, campaign, actual, &unit)? } else { actual };
        ledger::spend_budget(why.rule, why.reference, &unit, campaign, reserved, actual)
    } else {
        None
    };
    let entries: Vec<_> = [drawn, booked].into_iter().flatten().flat_map(|posting| posting.entries).collect();
    if !entries.is_empty() {
        tx.post(Posting { rule: why.rule.into(), reference: why.reference.into(), entries });
    }
    Ok(())
}

/// What is taken back of a budget's spending: never more than was spent of it, which was nothing while there was none.
fn within_spent(tx: &Tx<'_>, campaign: &Name, back: Minor, unit: &str) -> Result<Minor, Halt> {
    let spent = tx.balance(&account::budget_actual(campaign), unit)?;
    Ok(back.max(Minor(-spent.max(0))))
}

/// Books a cost that no budget pays for.
pub(crate) fn book(tx: &mut Tx<'_>, campaign: &Name, amount: Minor, cost: Cost, why: Why<'_>) -> Result<(), Halt> {
    let (source, target) = (account::cost_source(campaign), cost.account(campaign));
    if let Some(posting) = Posting::transfer(why.rule, why.reference, &money(tx)?, &source, &target, amount.0) {
        tx.post(posting);
    }
    Ok(())
}
