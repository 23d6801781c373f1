//! Whether a member did some things one after the other, with the gaps that are allowed and nothing excluded between.

use super::{Asked, counted::counted};
use crate::{
    model::segment::{Sequence, Step, Until, Window},
    time::{Ts, Tz, day_of},
};
use chrono::TimeDelta;
use std::collections::BTreeMap;

/// How much longer or shorter than its days say a span can be, because the zone changes its clocks.
const CLOCK_CHANGES: TimeDelta = TimeDelta::hours(26);

/// How far a member came in a sequence.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Found {
    /// When each step was taken that could be, at best; all steps when the sequence holds.
    pub steps: Vec<Ts>,
    /// Whether it holds.
    pub holds: bool,
}

/// Looks for the sequence among the member's events.
pub fn find(sequence: &Sequence, asked: &Asked<'_>) -> Found {
    let today = day_of(asked.now, asked.zone);
    let instants = |event: &str, filter: &BTreeMap<_, _>| -> Vec<Ts> {
        let events = counted(event, asked);
        let mut at: Vec<Ts> = events.iter().filter(|e| e.passing(filter, today)).map(|e| e.event().at()).collect();
        at.sort_unstable();
        at.dedup();
        at
    };
    let taken: Vec<Vec<Ts>> = sequence.steps.iter().map(|step| instants(&step.event, &step.filter)).collect();
    let excluded = sequence.without.as_ref().map(|out| (instants(&out.event, &out.filter), out.until));
    let mut best = Found { steps: Vec::new(), holds: false };
    for stretch in stretches(excluded) {
        let found = within(&sequence.steps, &taken, stretch, asked);
        if found.holds {
            return found;
        }
        if found.steps.len() > best.steps.len() {
            best = found;
        }
    }
    best
}

/// The stretches of time, both ends inclusive, in one of which the whole sequence must lie so that nothing excluded
/// stands strictly after its first step and before its end.
fn stretches(excluded: Option<(Vec<Ts>, Until)>) -> Vec<(Option<Ts>, Option<Ts>)> {
    match excluded {
        None => vec![(None, None)],
        Some((at, Until::Now)) => vec![(at.last().copied(), None)],
        Some((at, Until::LastStep)) => {
            let starts = std::iter::once(None).chain(at.iter().copied().map(Some));
            let ends = at.iter().copied().map(Some).chain(std::iter::once(None));
            starts.zip(ends).collect()
        }
    }
}

/// Looks for the sequence in one stretch: for each step the instants at which it can be taken, each with the one before.
fn within(steps: &[Step], taken: &[Vec<Ts>], (from, to): (Option<Ts>, Option<Ts>), asked: &Asked<'_>) -> Found {
    let mut ways: Vec<Vec<(Ts, usize)>> = Vec::with_capacity(steps.len());
    for (step, instants) in steps.iter().zip(taken) {
        let first = from.map_or(0, |from| instants.partition_point(|at| *at < from));
        let end = to.map_or(instants.len(), |to| instants.partition_point(|at| *at <= to));
        let inside = instants.get(first..end).unwrap_or_default().iter().copied();
        let reached: Vec<(Ts, usize)> = match ways.last() {
            None => {
                let window = Window { within: step.within, before: step.after, ..Window::default() };
                let range = window.range(asked.now, asked.zone);
                inside.filter(|at| range.contains(*at)).map(|at| (at, 0)).collect()
            }
            Some(before) => inside.filter_map(|at| Some((at, follows(step, at, before, asked.zone)?))).collect(),
        };
        if reached.is_empty() {
            break;
        }
        ways.push(reached);
    }
    let holds = ways.len() == steps.len();
    let mut place = ways.last().map_or(0, |last| last.len().saturating_sub(1));
    let mut instants = Vec::with_capacity(ways.len());
    for reached in ways.iter().rev() {
        if let Some((at, before)) = reached.get(place) {
            instants.push(*at);
            place = *before;
        }
    }
    instants.reverse();
    Found { steps: instants, holds }
}

/// The newest instant of the step before from which `at` keeps to the gaps.
fn follows(step: &Step, at: Ts, before: &[(Ts, usize)], zone: Tz) -> Option<usize> {
    let raw = |span: crate::time::Span| TimeDelta::seconds(span.days.saturating_mul(86_400) + span.seconds);
    // No later one can be old enough, and no earlier one young enough, whatever the clocks do.
    let newest = step.after.map_or(at, |after| at - raw(after) + CLOCK_CHANGES);
    let oldest = step.within.map(|within| at - raw(within) - CLOCK_CHANGES);
    let end = before.partition_point(|(earlier, _)| *earlier < at && *earlier <= newest);
    for (place, (earlier, _)) in before.iter().enumerate().take(end).rev() {
        if oldest.is_some_and(|oldest| *earlier < oldest) {
            return None;
        }
        let old_enough = step.after.is_none_or(|after| at >= after.after(*earlier, zone));
        let young_enough = step.within.is_none_or(|within| at <= within.after(*earlier, zone));
        if old_enough && young_enough {
            return Some(place);
        }
    }
    None
}
