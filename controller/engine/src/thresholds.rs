//! Telling that a share of a budget was reached: once for each share of each limit, as the event `budget.threshold`.
//!
//! It is told in the transaction that reaches it. The event is about the member whose id the campaign's `owner` is, where
//! there is one, so that an Automation can send that person a message; the status and a Kubernetes Event tell it too.

use crate::{Halt, budget, ingest, members, suspend, touch, tx::Tx};
use fanfare_core::{
    ids::MemberId,
    ledger::account,
    mechanic::{State, key},
    model::{CampaignPlan, campaign::Budget},
    money::{BasisPoints, Minor},
};
use fanfare_store::rows::Event;
use serde_json::{Value, json};

/// The event's type.
pub const BUDGET_THRESHOLD: &str = "budget.threshold";
/// The source of these events. No sender has it.
pub const SOURCE: &str = "fanfare/budget";

/// The counter that says that this share of the limit was told.
pub(crate) fn told_key(plan: &CampaignPlan, budget: &Budget, share: BasisPoints) -> String {
    key::budget_told(&plan.name, share.0, budget.limit.0)
}

/// Looks whether more was set aside or spent than a share that is to be told, and whether the limit is used up.
pub(crate) fn look(tx: &mut Tx<'_>, plan: &CampaignPlan) -> Result<(), Halt> {
    let Some(budget) = plan.budget else { return Ok(()) };
    let suspends = budget.on_exhausted == fanfare_core::model::campaign::OnExhausted::Suspend;
    if (plan.notify_at.is_empty() && !suspends) || tx.plans.campaigns.get(&plan.name).is_some_and(|c| c.settled) {
        return Ok(());
    }
    let left = Minor(tx.balance(&account::budget_available(&plan.name), &budget::money(tx)?)?);
    let spent = budget.limit.minus(left);
    let reached: Vec<BasisPoints> =
        plan.notify_at.iter().copied().filter(|share| spent > Minor::ZERO && spent >= share.of(budget.limit)).collect();
    touch::all(reached.iter().map(|share| Ok(tx.count(&told_key(plan, &budget, *share))?)))?;
    for share in reached {
        let told = told_key(plan, &budget, share);
        if tx.count(&told)? == 0 {
            tx.count_up(&told, 1)?;
            tell(tx, plan, &budget, share, spent)?;
        }
    }
    if suspends && left <= Minor::ZERO { suspend::exhausted(tx, plan) } else { Ok(()) }
}

fn tell(tx: &mut Tx<'_>, plan: &CampaignPlan, budget: &Budget, share: BasisPoints, spent: Minor) -> Result<(), Halt> {
    let currency = tx.runtime()?.currency.clone();
    let data = json!({
        "campaign": plan.name,
        "title": plan.title,
        "threshold": share.to_string(),
        "limit": currency.format(budget.limit),
        "spent": currency.format(spent),
        "remaining": currency.format(budget.limit.minus(spent).or_zero()),
        "currency": currency.code(),
    });
    let event = Event {
        source: SOURCE.to_owned(),
        id: format!("{}/{}/{}", plan.name, share.0, budget.limit.0),
        kind: BUDGET_THRESHOLD.to_owned(),
        member: owner(tx, plan)?,
        time: tx.now,
        digest: String::new(),
        data: data.clone().into(),
        decisions: Value::Array(Vec::new()),
    };
    tx.audit("fanfare", BUDGET_THRESHOLD, &format!("Campaign/{}", plan.name), data);
    tx.new_event(event.clone());
    ingest::happened(tx, &event, None).map(drop)
}

/// The member that answers for the campaign, where it is one.
fn owner(tx: &Tx<'_>, plan: &CampaignPlan) -> Result<Option<MemberId>, Halt> {
    let Some(id) = plan.owner.as_deref().filter(|id| members::id_fault(&MemberId::from(*id)).is_none()) else {
        return Ok(None);
    };
    let id = MemberId::from(id);
    Ok(tx.member(&id)?.is_some().then_some(id))
}
