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
    journey::{CROSSINGS, follows},
    mechanic::{State, key},
};
use fanfare_store::Keys;
use serde_json::json;

/// How many members one command looks at.
const AT_ONCE_MAX: usize = 256;

/// Tells some members that they came or went; where `tells` is not set, it is noted alone.
struct Cross {
    segment: Name,
    members: Vec<MemberId>,
    tells: bool,
}

impl Command for Cross {
    /// How many had come or gone.
    type Answer = usize;

    fn prefetch(&self, plans: &Plans, keys: &mut Keys) {
        keys.counters.insert(key::inside(&self.segment, None));
        keys.counters.extend(self.members.iter().map(|member| key::inside(&self.segment, Some(member))));
        let listening = plans.automations.values().filter(|plan| self.tells && follows(plan, &self.segment));
        for plan in listening {
            keys.runs_of.extend(self.members.iter().map(|member| (plan.name.clone(), member.clone())));
        }
    }

    fn run(&self, tx: &mut Tx<'_>) -> Result<usize, Halt> {
        let Self { segment, members, tells } = self;
        let Some(plan) = tx.plans.segments.get(segment).cloned() else { return Ok(0) };
        if (tx.count(&key::inside(segment, None))? > 0) != *tells {
            return Ok(0); // Another replica has begun or ended it meanwhile.
        }
        let mut crossed = 0;
        for member in members {
            let counted = key::inside(segment, Some(member));
            let was = tx.count(&counted)?;
            let is = belongs(tx, segment, member);
            let turn = i64::from(is == Some(true)) - was;
            if turn == 0 {
                continue;
            }
            crossed += 1;
            tx.count_up(&counted, turn)?;
            let Some(is) = is.filter(|_| *tells) else { continue };
            let [entered, left] = CROSSINGS;
            let data = json!({ "segment": segment, "title": plan.title });
            heard(tx, Heard { member, kind: if is { entered } else { left }, at: tx.now, data: &data, late: false })?;
        }
        Ok(crossed)
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
    Cross(Cross),
    Turn(Turn),
}

/// Tells whoever came into a Segment or went since it was told last; answers how many.
///
/// # Errors
/// [`CallError`] when the database does not answer.
pub async fn tell(engine: &Engine) -> Result<usize, CallError> {
    let mut told = 0;
    loop {
        let mut more = false;
        for due in look(engine) {
            match due {
                Due::Turn(turn) => drop(engine.execute(turn).await?),
                Due::Cross(cross) => {
                    let full = cross.members.len() == AT_ONCE_MAX;
                    let crossed = engine.execute(cross).await?.0.unwrap_or(0);
                    told += crossed;
                    more |= full && crossed > 0;
                }
            }
        }
        if !more {
            return Ok(told);
        }
    }
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
            if !tells && members.len() < AT_ONCE_MAX {
                // Behind the last of them, so that nobody is told what was so before.
                let (segment, members) = (segment.clone(), members);
                let last = Turn { segment: segment.clone(), on: true };
                due.extend([Due::Cross(Cross { segment, members, tells }), Due::Turn(last)]);
            } else if !members.is_empty() {
                due.push(Due::Cross(Cross { segment: segment.clone(), members, tells }));
            }
        }
    }
    let members = engine.audience().read();
    let over = members.told().filter(|(segment, told)| told.on && !is_followed(segment));
    due.extend(over.map(|(segment, _)| Due::Turn(Turn { segment: segment.clone(), on: false })));
    due
}
