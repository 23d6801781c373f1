//! A condition as an outline: each node in plain words, with what it is made of below it, for `fanfare explain segment`.

use super::describe;
use crate::{ids::Name, model::segment::Condition, segment::SEGMENT_DEPTH_MAX};
use serde::Serialize;
use std::collections::BTreeSet;

/// A node in plain words and what it is made of.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Outline {
    /// What it means.
    pub means: String,
    /// What it is made of.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub of: Vec<Outline>,
}

/// The outline of a condition; `lookup` finds the conditions of other Segments. One that is named again is not outlined
/// again.
pub fn outline<'a>(condition: &'a Condition, lookup: &dyn Fn(&Name) -> Option<&'a Condition>) -> Outline {
    of(condition, lookup, 0, &mut BTreeSet::new())
}

fn of<'a>(
    condition: &'a Condition,
    lookup: &dyn Fn(&Name) -> Option<&'a Condition>,
    depth: usize,
    told: &mut BTreeSet<Name>,
) -> Outline {
    let node = |means: &str, of: Vec<Outline>| Outline { means: means.to_owned(), of };
    match condition {
        Condition::All(parts) => {
            node("all of these hold", parts.iter().map(|part| self::of(part, lookup, depth, told)).collect())
        }
        Condition::Any(parts) => {
            node("at least one of these holds", parts.iter().map(|part| self::of(part, lookup, depth, told)).collect())
        }
        Condition::Not(part) => node("this does not hold", vec![self::of(part, lookup, depth, told)]),
        Condition::Segment(name) => {
            let inner = if depth < SEGMENT_DEPTH_MAX && told.insert(name.clone()) { lookup(name) } else { None };
            let below = inner.map(|inner| self::of(inner, lookup, depth + 1, told));
            node(&describe(condition), below.into_iter().collect())
        }
        Condition::Everyone
        | Condition::Attribute { .. }
        | Condition::Behavior(_)
        | Condition::Sequence(_)
        | Condition::Lifecycle(_)
        | Condition::Location(_)
        | Condition::Tags { .. }
        | Condition::Interests(_)
        | Condition::List(_) => node(&describe(condition), Vec::new()),
    }
}
