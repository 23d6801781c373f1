//! A campaign's money: what may still be reserved, and the postings that reserve, release, spend and book it.
//!
//! A campaign without a budget has no bound and no budget postings; its costs are booked all the same. What was set
//! aside while there was a budget is given back to it after the author took the budget away, so that its accounts close.

use crate::{Halt, give, suspend, thresholds, touch, tx::Tx};
use fanfare_core::{
    decide::Bound,
    ids::{MemberId, Name, StoreId},
    ledger::{self, Posting, account},
    mechanic::{State, key},
    model::campaign::{Budget, CampaignPlan, OnExhausted},
    money::Minor,
    reason::{Reason, Refusal},
};
use fanfare_store::rows::Grant;
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

/// Who gets something and where, for the parts of a budget.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Whose<'a> {
    pub(crate) member: &'a MemberId,
    pub(crate) store: Option<&'a StoreId>,
}

/// The parts of the campaign's budget that count what a grant costs from when it is given until it is over. What nobody
/// holds yet, such as paper, counts for no member: not now, and not once somebody uses it.
pub(crate) fn counted(plan: &CampaignPlan, member: &MemberId) -> Vec<Bound> {
    let Some(Budget { per_store, per_member, .. }) = plan.budget else { return Vec::new() };
    let per_member = per_member.filter(|_| !give::is_nobody(member));
    let parts = [per_store.map(|_| Bound::Store), per_member.map(|_| Bound::Member)];
    parts.into_iter().flatten().collect()
}

/// How much more the parts of the budget that count a grant still hold, its store's and its member's; `None` when nothing
/// bounds them.
pub(crate) fn room_of_parts(tx: &Tx<'_>, plan: &CampaignPlan, grant: &Grant) -> Result<Option<Minor>, Halt> {
    let (Some(budget), Some(given)) = (bounding(plan), grant.history.first()) else { return Ok(None) };
    let part = |bound: &Bound| match bound {
        Bound::Store => Some((key::budget_store(&plan.name, given.store.as_ref()), budget.per_store?)),
        Bound::Member => Some((key::budget_member(&plan.name, &grant.member), budget.per_member?)),
        Bound::Total | Bound::Day => None,
    };
    let parts: Vec<_> = given.counted.iter().filter_map(part).collect();
    touch::all(parts.iter().map(|(key, _)| Ok(tx.count(key)?)))?;
    let rooms = parts.into_iter().map(|(key, cap)| Ok(cap.minus(Minor(tx.count(&key)?))));
    Ok(rooms.collect::<Result<Vec<_>, Halt>>()?.into_iter().min())
}

/// Whether `amount` may be reserved of the campaign's budget now: as a whole, and with `whose` also of what one store and
/// one member may have (an order's discounts count against those with the order's own counts). A no of the whole is
/// noted, and suspends the campaign where its author wants that.
pub(crate) fn allows(
    tx: &mut Tx<'_>,
    plan: &CampaignPlan,
    amount: Minor,
    whose: Option<Whose<'_>>,
) -> Result<Result<(), Refusal>, Halt> {
    if amount <= Minor::ZERO {
        return Ok(Ok(()));
    }
    if room(tx, plan)?.is_some_and(|room| room < amount) {
        suspend::exhausted(tx, plan)?;
        let detail = format!("the budget of {:?} does not hold this any more; its owner can raise it", plan.title);
        return Ok(Err(Refusal::new(Reason::BudgetExhausted, detail)));
    }
    let Some((budget, whose)) = bounding(plan).zip(whose) else { return Ok(Ok(())) };
    let store = budget.per_store.map(|cap| (key::budget_store(&plan.name, whose.store), cap, "in one store"));
    let per_member = budget.per_member.filter(|_| !give::is_nobody(whose.member));
    let member = per_member.map(|cap| (key::budget_member(&plan.name, whose.member), cap, "on one member"));
    let parts: Vec<_> = [store, member].into_iter().flatten().collect();
    touch::all(parts.iter().map(|(key, ..)| Ok(tx.count(key)?)))?;
    for (key, cap, what) in parts {
        if Minor(tx.count(&key)?).plus(amount) > cap {
            let detail = format!("what {:?} may spend {what} does not hold this any more", plan.title);
            return Ok(Err(Refusal::new(Reason::BudgetExhausted, detail)));
        }
    }
    Ok(Ok(()))
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
    thresholds::look(tx, plan)?;
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
        let is_back = actual < Minor::ZERO;
        let actual = if is_back { within_spent(tx, campaign, actual.negated())?.negated() } else { actual };
        ledger::spend_budget(why.rule, why.reference, &unit, campaign, reserved, actual)
    } else {
        None
    };
    let entries: Vec<_> = [drawn, booked].into_iter().flatten().flat_map(|posting| posting.entries).collect();
    if !entries.is_empty() {
        tx.post(Posting { rule: why.rule.into(), reference: why.reference.into(), entries });
    }
    match served(tx, campaign).filter(|_| has_budget && actual > reserved) {
        Some(plan) => thresholds::look(tx, &plan),
        None => Ok(()),
    }
}

/// How much of `back` a budget gets back: never more than was spent of it, which was nothing while there was none.
pub(crate) fn within_spent(tx: &Tx<'_>, campaign: &Name, back: Minor) -> Result<Minor, Halt> {
    let spent = tx.balance(&account::budget_actual(campaign), &money(tx)?)?;
    Ok(back.min(Minor(spent.max(0))))
}

/// Books a cost that no budget pays for.
pub(crate) fn book(tx: &mut Tx<'_>, campaign: &Name, amount: Minor, cost: Cost, why: Why<'_>) -> Result<(), Halt> {
    let (source, target) = (account::cost_source(campaign), cost.account(campaign));
    if let Some(posting) = Posting::transfer(why.rule, why.reference, &money(tx)?, &source, &target, amount.0) {
        tx.post(posting);
    }
    Ok(())
}
