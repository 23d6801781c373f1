//! Who comes into a Segment and who goes: `segment.entered` and `segment.left`, for Automations that ask for them.
//!
//! Memory knows who is in a Segment now, and, by counters that are kept with everything else, who was last told to be. The
//! worker compares the two, and a command tells each member whose standing differs, once: it decides again in its own
//! transaction whether the member belongs, so that of several replicas one tells it, and what happened while nobody ran is
//! told by whoever starts. Who comes and goes within one pass of the worker is not told.
//!
//! When the first Automation asks for a Segment, its members are noted without a word; when the last one is gone, the notes
//! are out of date and are made anew the next time.

use crate::{
    CallError, Command, Engine, Halt,
    journeys::{Heard, heard},
    knowledge::belongs,
    plans::Plans,
    tx::Tx,
};
use fanfare_core::{
    ids::{MemberId, Name},
    journey::{CROSSINGS, exits, follows, starts},
    mechanic::{State, key},
    model::AutomationPlan,
};
use fanfare_store::Keys;
use serde_json::json;

/// How many members of a Segment are looked at in one batch.
const AT_ONCE_MAX: usize = 256;

/// Tells a member that it came or went; where `tells` is not set, it is noted alone.
struct Cross {
    segment: Name,
    member: MemberId,
    tells: bool,
}

impl Command for Cross {
    /// Whether it had come or gone.
    type Answer = bool;

    fn prefetch(&self, plans: &Plans, keys: &mut Keys) {
        let Self { segment, member, tells } = self;
        keys.counters.extend([key::inside(segment, None), key::inside(segment, Some(member))]);
        if !tells {
            return;
        }
        keys.members.insert(member.clone());
        let hears = |plan: &AutomationPlan| CROSSINGS.iter().any(|kind| starts(plan, kind) || exits(plan, kind));
        let listening = plans.automations.values().filter(|plan| hears(plan));
        keys.runs_of.extend(listening.map(|plan| (plan.name.clone(), member.clone())));
    }

    fn run(&self, tx: &mut Tx<'_>) -> Result<bool, Halt> {
        let Self { segment, member, tells } = self;
        let Some(plan) = tx.plans.segments.get(segment).cloned() else { return Ok(false) };
        if (tx.count(&key::inside(segment, None))? > 0) != *tells {
            return Ok(false); // Another replica has begun or ended it meanwhile.
        }
        let counted = key::inside(segment, Some(member));
        let was = tx.count(&counted)?;
        let is = belongs(tx, segment, member);
        let turn = i64::from(is == Some(true)) - was;
        if turn == 0 {
            return Ok(false);
        }
        tx.count_up(&counted, turn)?;
        if let Some(is) = is.filter(|_| *tells) {
            let [entered, left] = CROSSINGS;
            let data = json!({ "segment": segment, "title": plan.title });
            heard(tx, Heard { member, kind: if is { entered } else { left }, at: tx.now, data: &data, late: false })?;
        }
        Ok(true)
    }
}

/// Begins or ends to tell who comes into a Segment and who goes.
struct Turn {
    segment: Name,
    on: bool,
}

impl Command for Turn {
    type Answer = ();

    fn prefetch(&self, _: &Plans, keys: &mut Keys) {
        keys.counters.insert(key::inside(&self.segment, None));
    }

    fn run(&self, tx: &mut Tx<'_>) -> Result<(), Halt> {
        let counted = key::inside(&self.segment, None);
        let turn = i64::from(self.on) - tx.count(&counted)?;
        if turn != 0 {
            tx.count_up(&counted, turn)?;
        }
        Ok(())
    }
}

/// What is to be done next about one Segment.
enum Due {
    Cross(Vec<Cross>),
    Turn(Turn),
}

/// What was told.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Told {
    /// Of how many members it was told, or noted, that they came or went.
    pub members: usize,
    /// Whether there may be more.
    pub more: bool,
}

/// Tells whoever came into a Segment or went since it was told last, at most [`AT_ONCE_MAX`] a Segment.
///
/// # Errors
/// [`CallError`] when the database does not answer.
pub async fn tell(engine: &Engine) -> Result<Told, CallError> {
    let mut told = Told::default();
    for due in look(engine) {
        match due {
            Due::Turn(turn) => drop(engine.execute(turn).await?),
            Due::Cross(crosses) => {
                let full = crosses.len() == AT_ONCE_MAX;
                let done = engine.execute_all(crosses).await?;
                let crossed = done.iter().filter(|(did, _)| matches!(did, Ok(true))).count();
                told.members += crossed;
                told.more |= full && crossed > 0;
            }
        }
    }
    Ok(told)
}

fn look(engine: &Engine) -> Vec<Due> {
    let plans = engine.plans();
    let is_followed = |segment: &Name| {
        plans.segments.contains_key(segment) && plans.automations.values().any(|plan| follows(plan, segment))
    };
    let followed: Vec<&Name> = plans.segments.keys().filter(|segment| is_followed(segment)).collect();
    let mut due = Vec::new();
    if !followed.is_empty() {
        let question = engine.audience().question(&plans, &[], engine.clock().now());
        for segment in followed {
            let (tells, members) = question.members.untold(segment, AT_ONCE_MAX);
            let is_last = members.len() < AT_ONCE_MAX;
            let cross = |member| Cross { segment: segment.clone(), member, tells };
            due.push(Due::Cross(members.into_iter().map(cross).collect()));
            if !tells && is_last {
                // Behind the last of them, so that nobody is told what was so before.
                due.push(Due::Turn(Turn { segment: segment.clone(), on: true }));
            }
        }
    }
    let members = engine.audience().read();
    let over = members.told().filter(|(segment, told)| told.on && !is_followed(segment));
    due.extend(over.map(|(segment, _)| Due::Turn(Turn { segment: segment.clone(), on: false })));
    due
}
