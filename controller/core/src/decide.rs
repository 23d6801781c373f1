//! What a campaign answers to a join, an event and an action: the checks of [`crate::qualify`] in their order, then the
//! mechanic. Carts are [`crate::pricing`]'s.

use crate::{
    ids::Name,
    mechanic::{Act, Acted, Effect, Goal, Happened, Missing, Outcome, Paid, Scene, behaviour::Undone},
    model::{
        CampaignPlan,
        campaign::{Counted, Join, Mechanic, Visibility},
    },
    qualify,
    random::Random,
    reason::{Reason, Refusal},
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
pub fn on_return(plan: &CampaignPlan, visit: &Visit<'_>, back: &Paid) -> Result<Undone, Missing> {
    let mut undone = Undone::default();
    for mechanic in &plan.mechanics {
        let scene = Scene { campaign: plan, mechanic, visit: *visit };
        let Undone { effects, clawbacks } = mechanic.rule.behaviour().on_return(&scene, back)?;
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
