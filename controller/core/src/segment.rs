//! Who belongs: one evaluator of a [`Condition`] for one member, and the same walk with its reasons.
//!
//! It reads [`Facts`] only; loading them is the engine's. Each kind of condition has its file: values in [`compare`] and
//! [`dates`], what was done in [`behavior`] and [`sequence`] over the events that [`counted`] lets count, what that says
//! of the person in [`person`], windows of time in [`window`], words for people in [`words`].

mod behavior;
mod compare;
mod counted;
mod dates;
mod facts;
mod geo;
mod person;
mod sequence;
mod window;
mod words;

pub use behavior::measure;
pub use compare::{normal, number, passes, passes_any};
pub use counted::{Counted, counted};
pub use dates::day;
pub use facts::{
    Facts, Happening, LINES, MemberFacts, PastEvent, field_of, line_values_of, lines_of, scalar_of, values_of,
};
pub use person::{Standing, Whereabouts, interests, last_place, standing, whereabouts};
pub use sequence::{Found, find};
pub use window::{Range, midnight};
pub use words::{Outline, describe, outline, scalar};

use crate::{
    ids::Name,
    model::segment::Condition,
    time::{Ts, Tz, day_of},
    world::Catalogue,
};
use compare::in_bounds;
use serde::{Deserialize, Serialize};
use std::cell::Cell;

/// How deep Segments may name Segments; admission refuses cycles, and this bounds what slips through between two
/// resources that are applied at once.
pub const SEGMENT_DEPTH_MAX: usize = 16;

/// One member at one time.
#[derive(Clone, Copy)]
pub struct Asked<'a> {
    /// What is known of the member.
    pub facts: &'a dyn Facts,
    /// Where other Segments are looked up.
    pub catalogue: &'a dyn Catalogue,
    /// When.
    pub now: Ts,
    /// In which zone calendar days are counted back.
    pub zone: Tz,
}

/// Why a condition holds or not: in words, with what was found, and what it is made of.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Why {
    /// The condition in plain words.
    pub condition: String,
    /// Whether it holds.
    pub holds: bool,
    /// What was found; absent for what is made of others.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub actual: Option<String>,
    /// The conditions that it is made of.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub of: Vec<Why>,
}

/// How many conditions one question may come to, Segments that it names included. Admission allows far fewer; this
/// bounds what slips through between two resources that are applied at once.
pub const STEPS_MAX: u32 = 20_000;

/// Whether `condition` holds for the member.
pub fn holds(condition: &Condition, asked: &Asked<'_>) -> bool {
    Walk::new(asked).holds(condition, 0)
}

/// Whether the member belongs to the Segment of that name. Nobody belongs to one that does not exist.
pub fn belongs(segment: &Name, asked: &Asked<'_>) -> bool {
    asked.catalogue.condition(segment).is_some_and(|condition| holds(condition, asked))
}

/// Why the member belongs or not: one entry for each part of the outermost `all`, else one.
pub fn why(condition: &Condition, asked: &Asked<'_>) -> Vec<Why> {
    let walk = Walk::new(asked);
    match condition {
        Condition::All(parts) => parts.iter().map(|part| walk.why(part, 0)).collect(),
        other => vec![walk.why(other, 0)],
    }
}

/// One way through a condition and the Segments that it names, with a bounded number of steps.
struct Walk<'a, 'b> {
    asked: &'b Asked<'a>,
    steps: Cell<u32>,
}

impl<'a, 'b> Walk<'a, 'b> {
    fn new(asked: &'b Asked<'a>) -> Self {
        Self { asked, steps: Cell::new(0) }
    }

    fn holds(&self, condition: &Condition, depth: usize) -> bool {
        self.steps.set(self.steps.get().saturating_add(1));
        match condition {
            Condition::Segment(name) => self.named(name, depth).is_some_and(|part| self.holds(part, depth + 1)),
            Condition::Not(part) => !self.holds(part, depth),
            Condition::All(parts) => parts.iter().all(|part| self.holds(part, depth)),
            Condition::Any(parts) => parts.iter().any(|part| self.holds(part, depth)),
            leaf => answer(leaf, self.asked),
        }
    }

    /// The condition of another Segment; nobody belongs to one that does not exist, or that is too deep down.
    fn named(&self, name: &Name, depth: usize) -> Option<&'a Condition> {
        let goes_on = depth < SEGMENT_DEPTH_MAX && self.steps.get() < STEPS_MAX;
        if goes_on { self.asked.catalogue.condition(name) } else { None }
    }

    fn why(&self, condition: &Condition, depth: usize) -> Why {
        self.steps.set(self.steps.get().saturating_add(1));
        let of: Vec<Why> = match condition {
            Condition::Segment(name) => {
                self.named(name, depth).map(|part| self.why(part, depth + 1)).into_iter().collect()
            }
            Condition::Not(part) => vec![self.why(part, depth)],
            Condition::All(parts) | Condition::Any(parts) => parts.iter().map(|part| self.why(part, depth)).collect(),
            _ => Vec::new(),
        };
        let holds = match condition {
            Condition::Segment(_) | Condition::Any(_) => of.iter().any(|part| part.holds),
            Condition::Not(_) => !of.iter().any(|part| part.holds),
            Condition::All(_) => of.iter().all(|part| part.holds),
            leaf => answer(leaf, self.asked),
        };
        Why { condition: describe(condition), holds, actual: actual(condition, self.asked, holds), of }
    }
}

/// The answer to a condition that is made of no others.
fn answer(condition: &Condition, asked: &Asked<'_>) -> bool {
    let facts = asked.facts;
    match condition {
        Condition::Everyone => true,
        Condition::Attribute { name, test } => {
            passes(test, facts.attribute(name).as_ref(), day_of(asked.now, asked.zone))
        }
        Condition::Behavior(behavior) => {
            measure(behavior, asked).is_some_and(|figure| in_bounds(figure, behavior.least, behavior.most))
        }
        Condition::Sequence(sequence) => find(sequence, asked).holds,
        Condition::Lifecycle(lifecycle) => lifecycle.stages.contains(&standing(&lifecycle.rule, asked).stage),
        Condition::Location(location) => person::is_there(location, &whereabouts(location, asked)),
        Condition::Tags { any, all, none } => {
            (any.is_empty() || any.iter().any(|tag| facts.has_tag(tag)))
                && all.iter().all(|tag| facts.has_tag(tag))
                && !none.iter().any(|tag| facts.has_tag(tag))
        }
        Condition::Interests(question) => person::likes(question, asked),
        Condition::List(name) => facts.on_list(name),
        // Made of others; whoever walks asks those.
        Condition::Segment(_) | Condition::Not(_) | Condition::All(_) | Condition::Any(_) => false,
    }
}

/// What was found, in words; nothing for what is made of other conditions.
fn actual(condition: &Condition, asked: &Asked<'_>, holds: bool) -> Option<String> {
    match condition {
        Condition::Attribute { name, test } => {
            Some(words::attribute_found(asked.facts.attribute(name).as_ref(), test, day_of(asked.now, asked.zone)))
        }
        Condition::Behavior(behavior) => Some(words::behavior_found(behavior, asked)),
        Condition::Sequence(sequence) => Some(words::sequence_found(sequence, &find(sequence, asked), asked.zone)),
        Condition::Lifecycle(lifecycle) => Some(words::standing_found(&standing(&lifecycle.rule, asked), asked)),
        Condition::Location(location) => Some(words::place_found(location, &whereabouts(location, asked))),
        Condition::Tags { any, all, none } => {
            let has: Vec<&str> =
                any.iter().chain(all).chain(none).map(String::as_str).filter(|tag| asked.facts.has_tag(tag)).collect();
            Some(if has.is_empty() { "none of these tags".into() } else { has.join(", ") })
        }
        Condition::Interests(question) => {
            let liked = interests(&question.rule, asked);
            Some(if liked.is_empty() { "no interests yet".into() } else { liked.join(", ") })
        }
        Condition::List(_) => Some(if holds { "on the list" } else { "not on the list" }.into()),
        Condition::Segment(name) if asked.catalogue.condition(name).is_none() => Some("no such segment".into()),
        Condition::Everyone | Condition::Segment(_) | Condition::Not(_) | Condition::All(_) | Condition::Any(_) => None,
    }
}

/// The type of the event that pays an order.
pub const ORDER_PAID: &str = "order.paid";
/// The type of the event that gives money back on an order.
pub const ORDER_REFUNDED: &str = "order.refunded";

#[cfg(test)]
mod tests;
