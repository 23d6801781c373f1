//! Which fields of events a condition asks for.

use super::columns::Wanted;
use fanfare_core::{
    model::segment::{Condition, Measure},
    segment::{LINES, SEGMENT_DEPTH_MAX},
    world::Catalogue,
};
use std::collections::BTreeSet;

/// The fields that a condition asks for, which columns can keep.
pub(crate) fn wanted(condition: &Condition, catalogue: &dyn Catalogue) -> BTreeSet<Wanted> {
    let mut found = BTreeSet::new();
    look(condition, catalogue, 0, &mut found);
    found
}

fn look(condition: &Condition, catalogue: &dyn Catalogue, depth: usize, found: &mut BTreeSet<Wanted>) {
    let mut want = |kind: &str, path: &str, number: bool| {
        if !path.starts_with(LINES) {
            found.insert(Wanted { kind: kind.to_owned(), path: path.to_owned(), number });
        }
    };
    match condition {
        Condition::Behavior(behavior) => {
            behavior.filter.keys().for_each(|path| want(&behavior.event, path, false));
            match &behavior.measure {
                Measure::Count => {}
                Measure::Distinct(path) => want(&behavior.event, path, false),
                Measure::Sum(path) | Measure::Average(path) | Measure::Min(path) | Measure::Max(path) => {
                    want(&behavior.event, path, true);
                }
            }
        }
        Condition::Sequence(sequence) => {
            for step in &sequence.steps {
                step.filter.keys().for_each(|path| want(&step.event, path, false));
            }
        }
        Condition::Segment(name) if depth < SEGMENT_DEPTH_MAX => {
            if let Some(part) = catalogue.condition(name) {
                look(part, catalogue, depth + 1, found);
            }
        }
        Condition::Not(part) => look(part, catalogue, depth, found),
        Condition::All(parts) | Condition::Any(parts) => {
            parts.iter().for_each(|part| look(part, catalogue, depth, found));
        }
        Condition::Everyone
        | Condition::Attribute { .. }
        | Condition::Lifecycle(_)
        | Condition::Location(_)
        | Condition::Tags { .. }
        | Condition::Interests(_)
        | Condition::List(_)
        | Condition::Segment(_) => {}
    }
}
