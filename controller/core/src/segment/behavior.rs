//! How often or how much a member did something.

use super::{
    Asked,
    compare::normal,
    counted::{Counted, counted},
    facts::LINES,
};
use crate::{
    model::segment::{Behavior, Measure, Pick, Scalar},
    time::{Ts, day_of},
};
use std::collections::BTreeSet;

/// What is made of some numbers.
type Fold = fn(&[i64]) -> Option<i64>;

/// What a behaviour measures for the member: a count, or ten-thousandths of what is made of a field's numbers; nothing
/// where there is nothing to take an average, a least or a most of.
pub fn measure(behavior: &Behavior, asked: &Asked<'_>) -> Option<i64> {
    let events = matching(behavior, asked);
    let (path, fold): (&str, Fold) = match &behavior.measure {
        Measure::Count => return i64::try_from(events.len()).ok(),
        Measure::Distinct(path) => return Some(distinct(behavior, &events, path, asked)),
        Measure::Sum(path) => (path, total),
        Measure::Average(path) => (path, average),
        Measure::Min(path) => (path, |numbers| numbers.iter().min().copied()),
        Measure::Max(path) => (path, |numbers| numbers.iter().max().copied()),
    };
    let today = day_of(asked.now, asked.zone);
    let numbers: Vec<i64> = match path.strip_prefix(LINES) {
        None => events.iter().flat_map(|event| event.numbers(path)).collect(),
        Some(in_line) => {
            let of_line = |event: &Counted<'_>| {
                let lines = event.passing_lines(&behavior.filter, today);
                let numbers = |left| event.line_values(left, in_line).iter().filter_map(super::number).collect();
                lines.iter().flat_map(|left| -> Vec<_> { numbers(left) }).map(|n| n.e4).collect::<Vec<_>>()
            };
            events.iter().flat_map(of_line).collect()
        }
    };
    fold(&numbers)
}

/// The instants of the first and the last event that the behaviour counts.
pub(super) fn ends(behavior: &Behavior, asked: &Asked<'_>) -> Option<(Ts, Ts)> {
    let events = matching(behavior, asked);
    let at = |event: &Counted<'_>| event.event().at();
    Some((events.iter().map(at).min()?, events.iter().map(at).max()?))
}

fn matching<'a>(behavior: &Behavior, asked: &Asked<'a>) -> Vec<Counted<'a>> {
    let mut events = counted(&behavior.event, asked);
    let at = |event: &Counted<'_>| event.event().at();
    let picked = match behavior.pick {
        None => None,
        Some(Pick::First) => events.iter().map(at).min(),
        Some(Pick::Last) => events.iter().map(at).max(),
    };
    let range = behavior.window.range(asked.now, asked.zone);
    let today = day_of(asked.now, asked.zone);
    let asks_lines = matches!(&behavior.measure,
        Measure::Sum(path) | Measure::Average(path) | Measure::Min(path) | Measure::Max(path) | Measure::Distinct(path)
        if path.starts_with(LINES));
    events.retain(|event| {
        let at = event.event().at();
        picked.is_none_or(|picked| at == picked)
            && range.contains(at)
            && event.passing(&behavior.filter, today)
            && (!asks_lines || !event.passing_lines(&behavior.filter, today).is_empty())
    });
    events
}

fn distinct(behavior: &Behavior, events: &[Counted<'_>], path: &str, asked: &Asked<'_>) -> i64 {
    let today = day_of(asked.now, asked.zone);
    let values = |event: &Counted<'_>| -> Vec<Scalar> {
        match path.strip_prefix(LINES) {
            None => event.event().values(path),
            Some(in_line) => {
                let lines = event.passing_lines(&behavior.filter, today);
                lines.iter().flat_map(|left| event.line_values(left, in_line)).collect()
            }
        }
    };
    let different: BTreeSet<Scalar> = events.iter().flat_map(values).map(normal).collect();
    i64::try_from(different.len()).unwrap_or(i64::MAX)
}

#[expect(clippy::unnecessary_wraps, reason = "one of several ways to fold numbers")]
fn total(numbers: &[i64]) -> Option<i64> {
    Some(clamped(numbers.iter().copied().map(i128::from).sum()))
}

fn average(numbers: &[i64]) -> Option<i64> {
    let sum: i128 = numbers.iter().copied().map(i128::from).sum();
    sum.checked_div_euclid(i128::try_from(numbers.len()).ok()?).map(clamped)
}

fn clamped(exact: i128) -> i64 {
    i64::try_from(exact).unwrap_or(if exact < 0 { i64::MIN } else { i64::MAX })
}
