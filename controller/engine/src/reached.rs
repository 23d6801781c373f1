//! What an event brings a member closer to is told: `campaign.progressed` each time that it comes closer to a goal of a
//! mechanic, `campaign.completed` once, when every goal of the campaign is reached. What a return takes back is not told.
//! Nothing is looked at while no Automation listens.

use crate::{
    Halt, emitted,
    journeys::{Heard, heard},
    knowledge::{Coming, visit},
    progress,
    tx::Tx,
};
use fanfare_core::{
    decide,
    ids::MemberId,
    mechanic::{Goal, State, behaviour::Unit, key},
    model::{CampaignPlan, campaign::Mechanic},
};
use serde_json::json;

const PROGRESSED: &str = "campaign.progressed";
const COMPLETED: &str = "campaign.completed";

/// Whose way it is.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Way<'a> {
    pub(crate) plan: &'a CampaignPlan,
    pub(crate) mechanic: &'a Mechanic,
    pub(crate) member: &'a MemberId,
    /// The event is too old to bring anything about.
    pub(crate) late: bool,
}

/// How far the member is before the event, if somebody listens.
///
/// # Errors
/// Missing when rows are not loaded.
pub(crate) fn before(tx: &Tx<'_>, way: Way<'_>) -> Result<Option<Vec<Goal>>, Halt> {
    if way.late || !emitted::is_heard(tx, &[PROGRESSED, COMPLETED]) {
        return Ok(None);
    }
    progress::goals_of(tx, way.plan, way.mechanic, way.member).map(Some)
}

/// Tells how far the member has come since.
///
/// # Errors
/// Missing when rows are not loaded.
pub(crate) fn tell(tx: &mut Tx<'_>, way: Way<'_>, before: Option<Vec<Goal>>) -> Result<(), Halt> {
    let Some(before) = before else { return Ok(()) };
    let after = progress::goals_of(tx, way.plan, way.mechanic, way.member)?;
    if !before.iter().zip(&after).any(|(was, is)| is.current > was.current) {
        return Ok(());
    }
    if let Some(next) = after.iter().find(|goal| !goal.completed).or(after.last()) {
        let left = Goal::new("", (next.target - next.current).max(0), next.target, next.unit);
        let runtime = tx.runtime()?;
        let left = progress::shown_goal(runtime, left).current;
        let shown = progress::shown_goal(runtime, next.clone());
        let data = json!({
            "campaign": way.plan.name,
            "mechanic": way.mechanic.name,
            "goal": shown.name,
            "current": shown.current,
            "target": shown.target,
            "left": left,
            "unit": shown.unit,
            "percent": shown.percent,
            "completed": shown.completed,
        });
        heard(tx, Heard { member: way.member, kind: PROGRESSED, at: tx.now, data: &data, late: false })?;
    }
    let turned = |(was, is): (&Goal, &Goal)| !was.completed && is.completed;
    if before.iter().zip(&after).any(turned) && is_complete(tx, way)? {
        complete(tx, way)?;
    }
    Ok(())
}

/// Whether every goal of the campaign is reached. Entries of a lottery are tickets to use and no goal to reach.
fn is_complete(tx: &Tx<'_>, way: Way<'_>) -> Result<bool, Halt> {
    let coming = Coming { member: Some(way.member), store: None, channel: None, at: tx.now, points: 0 };
    let all = visit(tx, coming, |visit| decide::progress(way.plan, visit))??;
    let mut goals = all.iter().flat_map(|(_, goals)| goals).filter(|goal| goal.unit != Unit::Entries).peekable();
    Ok(goals.peek().is_some() && goals.all(|goal| goal.completed))
}

/// Tells it once, also where a return has taken the member back and an order forth again.
fn complete(tx: &mut Tx<'_>, way: Way<'_>) -> Result<(), Halt> {
    let told = key::completed(&way.plan.name, way.member);
    if tx.count(&told)? > 0 {
        return Ok(());
    }
    tx.count_up(&told, 1)?;
    let data = json!({ "campaign": way.plan.name });
    heard(tx, Heard { member: way.member, kind: COMPLETED, at: tx.now, data: &data, late: false })
}
