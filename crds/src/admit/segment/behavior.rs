//! What a member did: a measured behaviour, or a sequence. An impossible window is refused here.

use fanfare_core::model::segment::{Behavior, Exclusion, Measure, Period, Pick, Sequence, Step, Until, Window};
use fanfare_core::time::{Span, parse_local};

use super::fields::{field, filter, in_order, numeric, path_of};
use crate::admit::context::Context;
use crate::admit::error::{Path, code};
use crate::admit::events;
use crate::wire::segment as wire;
use crate::wire::text::{self, FieldName, LocalTime};

/// Compiles a behaviour.
pub(super) fn behavior(test: &wire::BehaviorTest, context: &mut Context<'_>, path: Path<'_>) -> Behavior {
    let event = test.event.as_str();
    events::counted(event, context, path.field("event"));
    let (measure, least, most) = measured(test, context, path);
    Behavior {
        event: event.to_owned(),
        filter: filter(event, &test.filter, context, path.field("where")),
        window: window(test, context, path),
        pick: test.pick.map(|pick| match pick {
            wire::Pick::First => Pick::First,
            wire::Pick::Last => Pick::Last,
        }),
        measure,
        least,
        most,
    }
}

/// What is measured of the numbers of a field.
type OfNumbers = fn(String) -> Measure;

type Measured = (Measure, Option<i64>, Option<i64>);

fn measured(test: &wire::BehaviorTest, context: &mut Context<'_>, path: Path<'_>) -> Measured {
    let event = test.event.as_str();
    let of_numbers: [(&str, &Option<FieldName>, OfNumbers); 4] = [
        ("sum", &test.sum, Measure::Sum),
        ("average", &test.average, Measure::Average),
        ("min", &test.min, Measure::Min),
        ("max", &test.max, Measure::Max),
    ];
    for (key, name, measure) in of_numbers {
        if let Some(name) = name {
            let name = numeric(event, name.as_str(), context, path.field(key));
            let (least, most) = bounds(test, context, path);
            return (measure(name), least, most);
        }
    }
    if let Some(name) = &test.distinct {
        let name = path_of(event, name.as_str(), context);
        field(event, &name, context, path.field("distinct"));
        let (least, most) = bounds(test, context, path);
        let least = least.map(|e4| whole(e4, context, path.field("atLeast")));
        let most = most.map(|e4| whole(e4, context, path.field("atMost")));
        return (Measure::Distinct(name), least, most);
    }
    if test.pick.is_some() {
        return (Measure::Count, Some(1), None);
    }
    in_order(test.count_at_least, test.count_at_most, ["countAtLeast", "countAtMost"], context, path);
    (Measure::Count, test.count_at_least, test.count_at_most)
}

fn bounds(test: &wire::BehaviorTest, context: &mut Context<'_>, path: Path<'_>) -> (Option<i64>, Option<i64>) {
    let least = test.at_least.as_ref().map(|number| context.decimal(number, path.field("atLeast")).e4);
    let most = test.at_most.as_ref().map(|number| context.decimal(number, path.field("atMost")).e4);
    in_order(least, most, ["atLeast", "atMost"], context, path);
    (least, most)
}

fn whole(e4: i64, context: &mut Context<'_>, path: Path<'_>) -> i64 {
    if e4 % 10_000 != 0 || e4 < 0 {
        let remedy = "write a whole number, such as \"3\"";
        context.findings.push(path, code::OUT_OF_RANGE, "different values are counted whole", remedy);
    }
    e4.div_euclid(10_000)
}

fn window(test: &wire::BehaviorTest, context: &mut Context<'_>, path: Path<'_>) -> Window {
    let wire::BehaviorTest { within, before, period, from, to, .. } = test;
    let span = |span: &Option<text::Span>, field: &str, context: &mut Context<'_>| {
        span.as_ref().map(|span| context.span_above_zero(span, path.field(field)))
    };
    let (within, before) = (span(within, "within", context), span(before, "before", context));
    if let (Some(within), Some(before)) = (within, before)
        && seconds(before) >= seconds(within)
    {
        let reason = format!("no time is longer ago than {before} and yet within {within}");
        let remedy = format!("write a shorter one than {within}, or a longer within");
        context.findings.push(path.field("before"), code::CONFLICT, reason, remedy);
    }
    let (from, to) = (local(from, context, path.field("from")), local(to, context, path.field("to")));
    if let (Some(from), Some(to)) = (from, to)
        && to <= from
    {
        context.findings.push(path.field("to"), code::CONFLICT, "to is not after from", "exchange the two");
    }
    let ways = [within.is_some() || before.is_some(), period.is_some(), from.is_some() || to.is_some()];
    if ways.iter().filter(|way| **way).count() > 1 {
        let reason = "the time is said in several ways";
        let remedy = "keep one: within and before, or period, or from and to";
        context.findings.push(path, code::CONFLICT, reason, remedy);
    }
    Window { within, before, period: period.map(period_of), from, to }
}

fn seconds(span: Span) -> i64 {
    span.days.saturating_mul(86_400).saturating_add(span.seconds)
}

fn local(time: &Option<LocalTime>, context: &mut Context<'_>, path: Path<'_>) -> Option<chrono::NaiveDateTime> {
    let text = time.as_ref()?.as_str();
    let read = parse_local(text);
    if read.is_none() {
        let reason = format!("`{text}` is no day and time of the calendar");
        context.findings.push(path, code::MALFORMED, reason, "write it such as \"2026-11-11T00:00\"");
    }
    read
}

fn period_of(period: wire::Period) -> Period {
    match period {
        wire::Period::Today => Period::Today,
        wire::Period::Yesterday => Period::Yesterday,
        wire::Period::ThisWeek => Period::ThisWeek,
        wire::Period::LastWeek => Period::LastWeek,
        wire::Period::ThisMonth => Period::ThisMonth,
        wire::Period::LastMonth => Period::LastMonth,
        wire::Period::ThisQuarter => Period::ThisQuarter,
        wire::Period::LastQuarter => Period::LastQuarter,
        wire::Period::ThisYear => Period::ThisYear,
        wire::Period::LastYear => Period::LastYear,
    }
}

/// Compiles a sequence.
pub(super) fn sequence(test: &wire::SequenceTest, context: &mut Context<'_>, path: Path<'_>) -> Sequence {
    let wire::SequenceTest { steps, without } = test;
    let list = path.field("steps");
    let without = without.as_ref().map(|out| exclusion(out, steps.len(), context, path.field("without")));
    let steps = steps.iter().enumerate().map(|(index, step)| self::step(step, index, context, list.index(index)));
    Sequence { steps: steps.collect(), without }
}

fn step(test: &wire::StepTest, index: usize, context: &mut Context<'_>, path: Path<'_>) -> Step {
    let wire::StepTest { event, within, after, filter: tests } = test;
    let mut span = |span: &Option<text::Span>, field: &str| {
        span.as_ref().map(|span| context.span_above_zero(span, path.field(field)))
    };
    let (within, after) = (span(within, "within"), span(after, "after"));
    if let (Some(within), Some(after)) = (within, after) {
        // Of the first step one is exclusive, so that equal ones leave nothing.
        let nothing = if index == 0 { seconds(after) >= seconds(within) } else { seconds(after) > seconds(within) };
        if nothing {
            let reason = format!("no time is later than {after} and yet within {within}");
            let remedy = format!("write a shorter one than {within}, or a longer within");
            context.findings.push(path.field("after"), code::CONFLICT, reason, remedy);
        }
    }
    events::counted(event.as_str(), context, path.field("event"));
    let filter = filter(event.as_str(), tests, context, path.field("where"));
    Step { event: event.0.clone(), filter, within, after }
}

fn exclusion(test: &wire::ExclusionTest, steps: usize, context: &mut Context<'_>, path: Path<'_>) -> Exclusion {
    let wire::ExclusionTest { event, until, filter: tests } = test;
    let until = match until {
        Some(wire::Until::LastStep) if steps == 1 => {
            let reason = "a single step has nothing in between";
            context.findings.push(path.field("until"), code::CONFLICT, reason, "write until: Now, or add a step");
            Until::Now
        }
        Some(wire::Until::LastStep) => Until::LastStep,
        Some(wire::Until::Now) => Until::Now,
        None if steps == 1 => Until::Now,
        None => Until::LastStep,
    };
    events::counted(event.as_str(), context, path.field("event"));
    Exclusion { event: event.0.clone(), filter: filter(event.as_str(), tests, context, path.field("where")), until }
}
