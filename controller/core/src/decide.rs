//! What a campaign answers to a join, an event and an action: the checks of [`crate::qualify`] in their order, then the
//! mechanic. Carts are [`crate::pricing`]'s.

use crate::{
    ids::Name,
    mechanic::{Act, Acted, Effect, Goal, Happened, Missing, Outcome, Returned, Scene, Undone, key},
    model::{
        CampaignPlan,
        campaign::{Budget, Counted, Join, Mechanic, OnExhausted, Visibility},
    },
    money::Minor,
    qualify,
    random::Random,
    reason::{Reason, Refusal},
    reward,
    time::Every,
    world::Visit,
};
use serde::{Deserialize, Serialize};

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

/// A bound of a campaign's budget.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[expect(missing_docs, reason = "the names are the budget's own fields")]
pub enum Bound {
    Total,
    Day,
    Store,
    Member,
}

/// What a campaign may still spend on a visit, by each bound of its budget; nothing bounds it where this is empty.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Room(Vec<(Bound, Minor)>);

impl Room {
    /// One bound alone.
    pub fn only(bound: Bound, left: Minor) -> Self {
        Self(vec![(bound, left)])
    }

    /// The first bound that does not hold `amount`, the budget as a whole before its parts.
    pub fn lacks(&self, amount: Minor) -> Option<Bound> {
        self.0.iter().find(|(_, left)| amount > left.or_zero()).map(|(bound, _)| *bound)
    }
}

/// What a campaign may still spend on this visit; without a bound where there is no budget, or one that goes on over its
/// limit.
///
/// # Errors
/// [`Missing`] when a balance or counter is not loaded.
pub fn room(plan: &CampaignPlan, visit: &Visit<'_>) -> Result<Room, Missing> {
    let Some(budget) = plan.budget.filter(|budget| budget.on_exhausted != OnExhausted::Continue) else {
        return Ok(Room::default());
    };
    let mut room = vec![(Bound::Total, visit.world.reserves.available(&plan.name)?)];
    for (bound, key, cap) in parts(plan, budget, visit) {
        let left = match key {
            Some(key) => cap.minus(Minor(visit.count(&key)?)),
            None => Minor::ZERO,
        };
        room.push((bound, left));
    }
    Ok(Room(room))
}

/// The bounds of a budget's parts: which, its counter (nothing where it counts per member and nobody is known), how far.
fn parts(plan: &CampaignPlan, budget: Budget, visit: &Visit<'_>) -> Vec<(Bound, Option<String>, Minor)> {
    let day = budget.per_day.map(|cap| (Bound::Day, Some(day_key(plan, visit)), cap));
    // What is given without a store shares one allowance, so that leaving the store out gains nothing.
    let store = budget.per_store.map(|cap| (Bound::Store, Some(key::budget_store(&plan.name, visit.store)), cap));
    let of_member = visit.member().map(|member| key::budget_member(&plan.name, member));
    let member = budget.per_member.map(|cap| (Bound::Member, of_member, cap));
    [day, store, member].into_iter().flatten().collect()
}

/// What money off counts against the parts of the budget: (bound, counter, its cap unless the campaign goes on over it).
pub fn spends(plan: &CampaignPlan, visit: &Visit<'_>) -> Vec<(Bound, String, Option<i64>)> {
    let Some(budget) = plan.budget else { return Vec::new() };
    let bounds = budget.on_exhausted != OnExhausted::Continue;
    let counted = parts(plan, budget, visit).into_iter();
    counted.filter_map(|(bound, key, cap)| Some((bound, key?, bounds.then_some(cap.0)))).collect()
}

/// The counter of what a campaign gave out today.
pub fn day_key(plan: &CampaignPlan, visit: &Visit<'_>) -> String {
    key::budget_day(&plan.name, &Every::Day.bucket(visit.now(), plan.schedule.zone))
}

/// Whether a mechanic may give `quantity` of a reward to the visit's member now, and what that counts: the reward
/// itself, the limits of campaign, mechanic and reward, and the budget, of which `spent` is already used up by the same
/// decision. The effects end with the [`Effect::Grant`]. Reserving the cost in the ledger, and counting it per store and
/// per member, is the engine's.
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
    if let Some(bound) = room(campaign, visit)?.lacks(cost.plus(spent)).filter(|_| cost > Minor::ZERO) {
        return Ok(Err(exhausted(campaign, bound)));
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
pub fn exhausted(plan: &CampaignPlan, bound: Bound) -> Refusal {
    let title = &plan.title;
    let detail = match bound {
        Bound::Total => format!("The budget of {title} does not hold it any more."),
        Bound::Day => format!("What {title} may spend today does not hold it any more; try again tomorrow."),
        Bound::Store => format!("What {title} may spend in this store does not hold it any more."),
        Bound::Member => format!("What {title} may spend on one member does not hold it any more."),
    };
    Refusal::new(Reason::BudgetExhausted, detail)
}

#[cfg(test)]
mod tests;
