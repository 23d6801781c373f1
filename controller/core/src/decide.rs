//! What a campaign answers to a join, an event and an action: the checks of [`crate::qualify`] in their order, then the
//! mechanic. Carts are [`crate::pricing`]'s.

use crate::{
    ids::Name,
    mechanic::{Act, Acted, Effect, Goal, Happened, Missing, Outcome, Returned, Scene, Undone, key},
    model::{
        CampaignPlan,
        campaign::{Counted, Join, Mechanic, OnExhausted, Visibility},
    },
    money::Minor,
    qualify,
    random::Random,
    reason::{Reason, Refusal},
    reward,
    time::Every,
    world::Visit,
};

/// What an event came to for one mechanic.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Decision {
    /// Of which campaign.
    pub campaign: Name,
    /// Of which mechanic.
    pub mechanic: Name,
    /// What it came to.
    pub outcome: Outcome,
}

/// Whether a campaign may be named to this visitor at all: Targeted and Unlisted ones only to their audience.
pub fn is_visible(plan: &CampaignPlan, visit: &Visit<'_>) -> bool {
    match plan.visibility {
        Visibility::Public => true,
        Visibility::Targeted | Visibility::Unlisted => {
            visit.who.is_some() && qualify::audience(&plan.audience, visit).is_none()
        }
    }
}

/// Lets the visit's member join: the effects to do, or every reason why not. One who has joined needs nothing.
///
/// # Errors
/// [`Missing`] when a counter is not loaded.
pub fn join(plan: &CampaignPlan, visit: &Visit<'_>) -> Result<Result<Vec<Effect>, Vec<Refusal>>, Missing> {
    if visit.joined(&plan.name) {
        return Ok(Ok(Vec::new()));
    }
    if visit.who.is_none() {
        return Ok(Err(vec![Refusal::new(Reason::MemberRequired, "Log in to join.")]));
    }
    if let Some(refusal) = qualify::running(plan, visit) {
        return Ok(Err(vec![refusal]));
    }
    let refusals = qualify::campaign(plan, visit);
    if !refusals.is_empty() {
        return Ok(Err(refusals));
    }
    if let Some(refusal) = qualify::within_limits(plan, None, Counted::Joins, 1, visit)? {
        return Ok(Err(vec![refusal]));
    }
    Ok(Ok(qualify::consumes(plan, None, Counted::Joins, 1, visit)))
}

/// What an event brings in one campaign: a decision for each mechanic that it concerns. The visit's `now` is when the
/// event happened. Whatever does not qualify brings nothing.
///
/// # Errors
/// [`Missing`] when a counter is not loaded.
pub fn on_event(plan: &CampaignPlan, visit: &Visit<'_>, happened: &Happened<'_>) -> Result<Vec<Decision>, Missing> {
    if visit.who.is_none() || closed(plan, visit).is_some() {
        return Ok(Vec::new());
    }
    let mut decisions = Vec::new();
    for mechanic in &plan.mechanics {
        if qualify::mechanic(plan, mechanic, visit).is_some() {
            continue;
        }
        let scene = Scene { campaign: plan, mechanic, visit: *visit };
        if let Some(outcome) = mechanic.rule.behaviour().on_event(&scene, happened)? {
            decisions.push(Decision { campaign: plan.name.clone(), mechanic: mechanic.name.clone(), outcome });
        }
    }
    Ok(decisions)
}

/// What giving back a part of a paid order, which [`on_event`] counted for this campaign, undoes there; whether or not
/// the campaign still runs.
///
/// # Errors
/// [`Missing`] when a counter is not loaded.
pub fn on_return(plan: &CampaignPlan, visit: &Visit<'_>, returned: &Returned) -> Result<Undone, Missing> {
    let mut undone = Undone::default();
    for mechanic in &plan.mechanics {
        let scene = Scene { campaign: plan, mechanic, visit: *visit };
        let Undone { effects, clawbacks } = mechanic.rule.behaviour().on_return(&scene, returned)?;
        undone.effects.extend(effects);
        undone.clawbacks.extend(clawbacks);
    }
    Ok(undone)
}

/// What an action of the visit's member brings. An action that the mechanic does not have answers `None`.
///
/// # Errors
/// [`Missing`] when a counter is not loaded.
pub fn act(
    plan: &CampaignPlan,
    mechanic: &Mechanic,
    visit: &Visit<'_>,
    act: &Act<'_>,
    random: &mut dyn Random,
) -> Result<Option<Result<Acted, Refusal>>, Missing> {
    let behaviour = mechanic.rule.behaviour();
    if !behaviour.actions().contains(&act.as_str()) {
        return Ok(None);
    }
    // Giving back is always possible, also when everything else is over.
    let gives_back = matches!(act, Act::Release { .. });
    if !gives_back {
        if visit.who.is_none() {
            return Ok(Some(Err(Refusal::new(Reason::MemberRequired, "Log in first."))));
        }
        if let Some(refusal) = closed(plan, visit).or_else(|| qualify::mechanic(plan, mechanic, visit)) {
            return Ok(Some(Err(refusal)));
        }
    }
    behaviour.act(&Scene { campaign: plan, mechanic, visit: *visit }, act, random)
}

/// How far the visit's member has come in each mechanic that has goals.
///
/// # Errors
/// [`Missing`] when a counter is not loaded.
pub fn progress(plan: &CampaignPlan, visit: &Visit<'_>) -> Result<Vec<(Name, Vec<Goal>)>, Missing> {
    let mut all = Vec::new();
    for mechanic in &plan.mechanics {
        let goals = mechanic.rule.behaviour().progress(&Scene { campaign: plan, mechanic, visit: *visit })?;
        if !goals.is_empty() {
            all.push((mechanic.name.clone(), goals));
        }
    }
    Ok(all)
}

/// Why the campaign gives this visitor nothing now, whatever the mechanic.
pub fn closed(plan: &CampaignPlan, visit: &Visit<'_>) -> Option<Refusal> {
    qualify::running(plan, visit)
        .or_else(|| qualify::audience(&plan.audience, visit))
        .or_else(|| qualify::places(&plan.participation.places, visit))
        .or_else(|| not_joined(plan, visit))
}

fn not_joined(plan: &CampaignPlan, visit: &Visit<'_>) -> Option<Refusal> {
    match plan.participation.join {
        Join::Automatic => None,
        Join::OneTap if visit.joined(&plan.name) => None,
        Join::OneTap => {
            Some(Refusal::new(Reason::NotJoined, format!("Join {} first; a tap in the app is enough.", plan.title)))
        }
    }
}

/// What a campaign may still spend today and in all; nothing when no bound holds it (no budget, or one that goes on
/// over its limit).
///
/// # Errors
/// [`Missing`] when a balance or counter is not loaded.
pub fn room(plan: &CampaignPlan, visit: &Visit<'_>) -> Result<Option<Minor>, Missing> {
    let Some(budget) = plan.budget.filter(|budget| budget.on_exhausted != OnExhausted::Continue) else {
        return Ok(None);
    };
    let available = visit.world.reserves.available(&plan.name)?;
    let today = match budget.per_day {
        None => available,
        Some(per_day) => per_day.minus(Minor(visit.count(&day_key(plan, visit))?)),
    };
    Ok(Some(available.min(today).or_zero()))
}

/// The counter of what a campaign gave out today.
pub fn day_key(plan: &CampaignPlan, visit: &Visit<'_>) -> String {
    key::budget_day(&plan.name, &Every::Day.bucket(visit.now(), plan.schedule.zone))
}

/// Whether a mechanic may give `quantity` of a reward to the visit's member now, and what that counts: the reward
/// itself, the limits of campaign, mechanic and reward, and the budget, of which `spent` is already used up by the same
/// decision. The effects end with the [`Effect::Grant`]. Reserving the cost in the ledger is the engine's.
///
/// # Errors
/// [`Missing`] when a counter is not loaded.
pub fn grant(
    scene: &Scene<'_>,
    reward: &Name,
    quantity: i64,
    spent: Minor,
) -> Result<Result<Vec<Effect>, Refusal>, Missing> {
    let Scene { campaign, mechanic, visit } = scene;
    let Some(plan) = visit.world.catalogue.reward(reward) else {
        return Ok(Err(Refusal::new(Reason::OutOfStock, format!("There is no reward {reward}."))));
    };
    for scoped in [None, Some(*mechanic)] {
        if let Some(refusal) = qualify::within_limits(campaign, scoped, Counted::Rewards, quantity, visit)? {
            return Ok(Err(refusal));
        }
    }
    if let Some(refusal) = reward::issuable(plan, quantity, Some(&campaign.name), visit)? {
        return Ok(Err(refusal));
    }
    let cost = reward::cost(plan, visit.world.runtime).times(quantity);
    if room(campaign, visit)?.is_some_and(|room| cost > room.minus(spent)) {
        return Ok(Err(exhausted(campaign)));
    }
    let mut effects = grant_counts(scene, plan, quantity);
    if let Some(budget) = campaign.budget.filter(|budget| budget.per_day.is_some() && cost > Minor::ZERO) {
        let cap = budget.per_day.filter(|_| budget.on_exhausted != OnExhausted::Continue).map(|max| max.0);
        effects.push(Effect::Count { key: day_key(campaign, visit), delta: cost.0, cap });
    }
    effects.push(Effect::Grant { reward: reward.clone(), quantity });
    Ok(Ok(effects))
}

/// What giving (or, with a negative quantity, taking back) a reward counts against the limits of campaign, mechanic and
/// reward.
pub fn grant_counts(scene: &Scene<'_>, plan: &crate::model::RewardPlan, quantity: i64) -> Vec<Effect> {
    let Scene { campaign, mechanic, visit } = scene;
    let mut effects = qualify::consumes(campaign, None, Counted::Rewards, quantity, visit);
    effects.extend(qualify::consumes(campaign, Some(mechanic), Counted::Rewards, quantity, visit));
    effects.extend(reward::consumes(plan, quantity, Some(&campaign.name), visit));
    effects
}

/// The refusal of a budget that does not hold something.
pub fn exhausted(plan: &CampaignPlan) -> Refusal {
    Refusal::new(Reason::BudgetExhausted, format!("The budget of {} does not hold it any more.", plan.title))
}

#[cfg(test)]
mod tests;
