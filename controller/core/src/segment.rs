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
pub use counted::{Counted, counted};
pub use compare::{normal, number, passes, passes_any};
pub use dates::day;
pub use facts::{
    Facts, Happening, LINES, MemberFacts, PastEvent, field_of, line_values_of, lines_of, scalar_of, values_of,
};
pub use person::{Standing, Whereabouts, interests, last_place, standing, whereabouts};
pub use sequence::{Found, find};
pub use window::{Range, midnight};
pub use words::describe;

use crate::{
    ids::Name,
    model::segment::Condition,
    time::{Ts, Tz, day_of},
    world::Catalogue,
};
use compare::in_bounds;
use serde::{Deserialize, Serialize};

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

/// Whether `condition` holds for the member.
pub fn holds(condition: &Condition, asked: &Asked<'_>) -> bool {
    holds_at(condition, asked, 0)
}

/// Whether the member belongs to the Segment of that name. Nobody belongs to one that does not exist.
pub fn belongs(segment: &Name, asked: &Asked<'_>) -> bool {
    asked.catalogue.condition(segment).is_some_and(|condition| holds(condition, asked))
}

/// Why the member belongs or not: one entry for each part of the outermost `all`, else one.
pub fn why(condition: &Condition, asked: &Asked<'_>) -> Vec<Why> {
    match condition {
        Condition::All(parts) => parts.iter().map(|part| why_at(part, asked, 0)).collect(),
        other => vec![why_at(other, asked, 0)],
    }
}

fn holds_at(condition: &Condition, asked: &Asked<'_>, depth: usize) -> bool {
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
        Condition::Segment(name) => named(name, asked, depth).is_some_and(|c| holds_at(c, asked, depth + 1)),
        Condition::Not(part) => !holds_at(part, asked, depth),
        Condition::All(parts) => parts.iter().all(|part| holds_at(part, asked, depth)),
        Condition::Any(parts) => parts.iter().any(|part| holds_at(part, asked, depth)),
    }
}

fn named<'a>(name: &Name, asked: &Asked<'a>, depth: usize) -> Option<&'a Condition> {
    if depth < SEGMENT_DEPTH_MAX { asked.catalogue.condition(name) } else { None }
}

fn why_at(condition: &Condition, asked: &Asked<'_>, depth: usize) -> Why {
    let of = match condition {
        Condition::Segment(name) => {
            named(name, asked, depth).map(|part| why_at(part, asked, depth + 1)).into_iter().collect()
        }
        Condition::Not(part) => vec![why_at(part, asked, depth)],
        Condition::All(parts) | Condition::Any(parts) => parts.iter().map(|p| why_at(p, asked, depth)).collect(),
        Condition::Everyone
        | Condition::Attribute { .. }
        | Condition::Behavior(_)
        | Condition::Sequence(_)
        | Condition::Lifecycle(_)
        | Condition::Location(_)
        | Condition::Tags { .. }
        | Condition::Interests(_)
        | Condition::List(_) => Vec::new(),
    };
    let holds = holds_at(condition, asked, depth);
    Why { condition: describe(condition), holds, actual: actual(condition, asked, holds), of }
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
