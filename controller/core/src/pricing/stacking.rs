//! Campaigns of one group share a cart: the one that saves most, all by priority, or the one of the highest priority.
//! Groups combine, each on what the one before left; a campaign without a group is a group of its own.

use super::{
    Bill,
    campaign::{Before, Proposal, propose},
    rejected,
};
use crate::{
    cart::Subject,
    mechanic::{Basket, Missing, basket::CountedBy},
    model::{CampaignPlan, campaign::Combine},
    reason::{Reason, Refusal},
};
use std::{cmp::Reverse, collections::BTreeMap};

/// Applies every campaign.
pub(super) fn apply(bill: &mut Bill<'_>) -> Result<(), Missing> {
    for group in groups(bill.ask.campaigns) {
        // Campaigns of a group may disagree; the one of the highest priority says.
        let combine = group.first().and_then(|plan| plan.stacking.as_ref()).map_or(Combine::All, |s| s.combine);
        match combine {
            Combine::All => {
                for plan in group {
                    let proposal = ask_for(bill, plan, &bill.basket)?;
                    accept(bill, proposal);
                }
            }
            Combine::BestOf => best_of(bill, &group)?,
            Combine::Exclusive => exclusive(bill, &group)?,
        }
    }
    Ok(())
}

fn ask_for<'a>(bill: &Bill<'a>, plan: &'a CampaignPlan, basket: &Basket<'a>) -> Result<Proposal<'a>, Missing> {
    propose(plan, basket, bill.ask, Before { reserved: bill.reserved, consumed: &bill.consumed })
}

fn best_of<'a>(bill: &mut Bill<'a>, group: &[&'a CampaignPlan]) -> Result<(), Missing> {
    let mut proposals = Vec::with_capacity(group.len());
    for plan in group {
        proposals.push(ask_for(bill, plan, &bill.basket)?);
    }
    // The first of equals wins, which is the one of the higher priority.
    let best = proposals
        .iter()
        .enumerate()
        .filter(|(_, proposal)| proposal.gives())
        .min_by_key(|(index, proposal)| (Reverse((proposal.saves(), proposal.earned.len())), *index))
        .map(|(index, _)| index);
    one_of(bill, proposals, best, "saves at least as much");
    Ok(())
}

fn exclusive<'a>(bill: &mut Bill<'a>, group: &[&'a CampaignPlan]) -> Result<(), Missing> {
    let mut proposals = Vec::with_capacity(group.len());
    for plan in group {
        proposals.push(ask_for(bill, plan, &bill.basket)?);
    }
    let first = proposals.iter().position(Proposal::gives);
    one_of(bill, proposals, first, "goes first");
    Ok(())
}

fn one_of<'a>(bill: &mut Bill<'a>, proposals: Vec<Proposal<'a>>, chosen: Option<usize>, why: &str) {
    let winner = chosen.and_then(|index| proposals.get(index)).map(|proposal| proposal.plan.title.clone());
    for (index, mut proposal) in proposals.into_iter().enumerate() {
        if chosen == Some(index) || !proposal.gives() {
            accept(bill, proposal);
            continue;
        }
        let title = winner.as_deref().unwrap_or_default();
        let detail = format!("Not together with {title}, which {why}.");
        let subject = Subject::Campaign(proposal.plan.name.clone(), None);
        proposal.rejected.push(rejected(subject, Refusal::new(Reason::NotCombinable, detail)));
        bill.rejected.append(&mut proposal.rejected);
    }
}

fn accept<'a>(bill: &mut Bill<'a>, proposal: Proposal<'a>) {
    let gives = proposal.gives();
    let Proposal { plan, basket, discounts, earned, rejected, consumed, exhausted } = proposal;
    bill.rejected.extend(rejected);
    if exhausted {
        bill.exhausted.push(plan.name.clone());
    }
    if !gives {
        return;
    }
    let (first, first_earned) = (bill.discounts.len(), bill.earned.len());
    bill.basket = basket;
    bill.discounts.extend(discounts);
    bill.earned.extend(earned);
    bill.consumed.extend(consumed.into_iter().map(|mut consumed| {
        consumed.discount = consumed.discount.map(|index| first + index);
        for counts in &mut consumed.counts {
            if let CountedBy::Earned(index) = &mut counts.by {
                *index += first_earned;
            }
        }
        consumed
    }));
}

/// The campaigns by group, groups and their campaigns by descending priority, equals by name.
fn groups<'a>(campaigns: &[&'a CampaignPlan]) -> Vec<Vec<&'a CampaignPlan>> {
    let priority = |plan: &CampaignPlan| plan.stacking.as_ref().map_or(0, |stacking| stacking.priority);
    let mut sorted: Vec<&CampaignPlan> = campaigns.to_vec();
    sorted.sort_by_key(|plan| (Reverse(priority(plan)), plan.name.clone()));
    let mut groups: Vec<Vec<&CampaignPlan>> = Vec::new();
    let mut index_of: BTreeMap<&str, usize> = BTreeMap::new();
    for plan in sorted {
        let group = plan.stacking.as_ref().map(|stacking| stacking.group.as_str());
        match group.and_then(|group| index_of.get(group)) {
            Some(index) => groups[*index].push(plan),
            None => {
                if let Some(group) = group {
                    index_of.insert(group, groups.len());
                }
                groups.push(vec![plan]);
            }
        }
    }
    groups
}
