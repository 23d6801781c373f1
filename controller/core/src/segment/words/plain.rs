//! A condition in plain words, such as `tier is gold or platinum`. Marketers read it, so no word of the code stands here.

use crate::model::segment::{
    Behavior, Condition, Decimal, Exclusion, Interests, Lifecycle, LifecycleRule, Location, Measure, Period, Pick,
    Scalar, Sequence, Stage, Step, Stretch, Test, Until, Window,
};
use std::collections::BTreeMap;

/// A condition in plain words, such as `tier is gold or platinum`.
pub fn describe(condition: &Condition) -> String {
    match condition {
        Condition::Everyone => "every member".into(),
        Condition::Attribute { name, test } => test_words(name, test),
        Condition::Behavior(behavior) => behavior_words(behavior),
        Condition::Sequence(sequence) => sequence_words(sequence),
        Condition::Lifecycle(lifecycle) => lifecycle_words(lifecycle),
        Condition::Location(location) => location_words(location),
        Condition::Tags { any, all, none } => set_words("tags", any, all, none),
        Condition::Interests(interests) => interest_words(interests),
        Condition::List(name) => format!("stands on the list {name}"),
        Condition::Segment(name) => format!("belongs to the segment {name}"),
        Condition::Not(part) => format!("not ({})", describe(part)),
        Condition::All(parts) => joined(parts, " and "),
        Condition::Any(parts) => joined(parts, " or "),
    }
}

fn joined(parts: &[Condition], word: &str) -> String {
    let words: Vec<String> = parts
        .iter()
        .map(|part| match part {
            Condition::All(_) | Condition::Any(_) => format!("({})", describe(part)),
            other => describe(other),
        })
        .collect();
    words.join(word)
}

fn set_words(what: &str, any: &[String], all: &[String], none: &[String]) -> String {
    let clause =
        |names: &[String], how: &str| (!names.is_empty()).then(|| format!("has {how} the {what} {}", names.join(", ")));
    let clauses =
        [clause(any, "at least one of"), clause(all, "all of"), clause(none, "none of")].into_iter().flatten();
    clauses.collect::<Vec<_>>().join(" and ")
}

pub(super) fn test_words(name: &str, test: &Test) -> String {
    match test {
        Test::In(values) => format!("{name} is {}", list(values, "or")),
        Test::NotIn(values) => format!("{name} is not {}", list(values, "or")),
        Test::Exists(true) => format!("{name} is set"),
        Test::Exists(false) => format!("{name} is not set"),
        Test::Between { least, most } => format!("{name} is {}", bounds(least.as_ref(), most.as_ref(), scalar)),
        Test::Age { least, most } => {
            let years = bounds(least.as_ref(), most.as_ref(), |years| years.to_string());
            format!("{name} is {years} whole years ago")
        }
        Test::AnniversaryWithin { days: 0 } | Test::AnniversaryIn(Stretch::Today) => {
            format!("{name} comes round today")
        }
        Test::AnniversaryWithin { days } => {
            format!("{name} comes round today or within the next {}", days_words(*days))
        }
        Test::AnniversaryIn(Stretch::ThisWeek) => format!("{name} comes round this week"),
        Test::AnniversaryIn(Stretch::ThisMonth) => format!("{name} comes round this month"),
        Test::DaysAhead { least, most } => days_ahead_words(name, *least, *most),
    }
}

fn days_ahead_words(name: &str, least: Option<i64>, most: Option<i64>) -> String {
    match (least, most) {
        (Some(0), Some(most)) => format!("{name} is today or within the next {}", days_words(most)),
        (Some(least), Some(0)) => format!("{name} is today or within the last {}", days_words(-least)),
        (least, most) => {
            let days = bounds(least.as_ref(), most.as_ref(), |days| days.to_string());
            format!("{name} is {days} days ahead of today")
        }
    }
}

fn days_words(days: i64) -> String {
    if days == 1 { "day".to_owned() } else { format!("{days} days") }
}

fn bounds<T>(least: Option<&T>, most: Option<&T>, write: impl Fn(&T) -> String) -> String {
    match (least, most) {
        (Some(least), Some(most)) => format!("from {} to {}", write(least), write(most)),
        (Some(least), None) => format!("at least {}", write(least)),
        (None, Some(most)) => format!("at most {}", write(most)),
        (None, None) => "anything".into(),
    }
}

fn list(values: &[Scalar], word: &str) -> String {
    let words: Vec<String> = values.iter().map(scalar).collect();
    either(&words, word)
}

fn either(words: &[String], word: &str) -> String {
    match words.split_last() {
        Some((last, rest)) if !rest.is_empty() => format!("{} {word} {last}", rest.join(", ")),
        _ => words.concat(),
    }
}

fn behavior_words(behavior: &Behavior) -> String {
    let Behavior { event, filter, window, pick, measure, least, most } = behavior;
    let which = format!("{event}{}", filter_words(filter));
    let when = window_words(window);
    if let Some(pick) = pick {
        let order = if *pick == Pick::First { "first" } else { "last" };
        let filter = filter_words(filter);
        let is = if filter.is_empty() { " is".to_owned() } else { format!("{filter}, is") };
        return format!("the {order} {event} of all{is}{}", if when == " ever" { " there" } else { &when });
    }
    let what = match measure {
        Measure::Count => format!("number of {which}"),
        Measure::Sum(path) => format!("sum of {path} over {which}"),
        Measure::Average(path) => format!("average of {path} over {which}"),
        Measure::Min(path) => format!("smallest {path} of {which}"),
        Measure::Max(path) => format!("largest {path} of {which}"),
        Measure::Distinct(path) => format!("number of different {path} of {which}"),
    };
    format!("{what}{when} is {}", bounds(least.as_ref(), most.as_ref(), |figure| measured(measure, *figure)))
}

fn filter_words(filter: &BTreeMap<String, Test>) -> String {
    let clauses: Vec<String> = filter.iter().map(|(path, test)| test_words(path, test)).collect();
    if clauses.is_empty() { String::new() } else { format!(" where {}", clauses.join(" and ")) }
}

pub(super) fn window_words(window: &Window) -> String {
    let Window { within, before, period, from, to } = window;
    let mut words = String::new();
    if let Some(span) = within {
        words.push_str(&format!(" within {span}"));
    }
    if let Some(span) = before {
        words.push_str(&format!(" more than {span} ago"));
    }
    if let Some(period) = period {
        words.push_str(match period {
            Period::Today => " today",
            Period::Yesterday => " yesterday",
            Period::ThisWeek => " this week",
            Period::LastWeek => " last week",
            Period::ThisMonth => " this month",
            Period::LastMonth => " last month",
            Period::ThisQuarter => " this quarter",
            Period::LastQuarter => " last quarter",
            Period::ThisYear => " this year",
            Period::LastYear => " last year",
        });
    }
    if let Some(from) = from {
        words.push_str(&format!(" from {}", from.format("%Y-%m-%d %H:%M")));
    }
    if let Some(to) = to {
        words.push_str(&format!(" until before {}", to.format("%Y-%m-%d %H:%M")));
    }
    if words.is_empty() { " ever".into() } else { words }
}

fn sequence_words(sequence: &Sequence) -> String {
    let Sequence { steps, without } = sequence;
    let step_words = |(index, step): (usize, &Step)| {
        let Step { event, filter, within, after } = step;
        let (most, least) = if index == 0 {
            (within.map(|span| format!("within the last {span}")), after.map(|span| format!("more than {span} ago")))
        } else {
            (within.map(|span| format!("within {span}")), after.map(|span| format!("after {span} at the earliest")))
        };
        let gaps: Vec<String> = [most, least].into_iter().flatten().collect();
        let gaps = if gaps.is_empty() { String::new() } else { format!(" {}", gaps.join(" and ")) };
        format!("{event}{}{gaps}", filter_words(filter))
    };
    let steps: Vec<String> = steps.iter().enumerate().map(step_words).collect();
    let without = without.as_ref().map(|Exclusion { event, filter, until }| {
        let until = if *until == Until::Now { "since" } else { "in between" };
        format!(", without {event}{} {until}", filter_words(filter))
    });
    format!("did {}{}", steps.join(", then "), without.unwrap_or_default())
}

fn lifecycle_words(lifecycle: &Lifecycle) -> String {
    let Lifecycle { stages, rule } = lifecycle;
    let words: Vec<String> = stages.iter().map(|stage| stage_words(*stage, rule)).collect();
    format!("is {}", either(&words, "or"))
}

/// A stage's name.
pub(super) fn stage_name(stage: Stage) -> &'static str {
    match stage {
        Stage::New => "new",
        Stage::Active => "active",
        Stage::Dormant => "dormant",
        Stage::ChurnRisk => "at risk of churning",
        Stage::Churned => "churned",
    }
}

fn stage_words(stage: Stage, rule: &LifecycleRule) -> String {
    let LifecycleRule { new_for, dormant_after, churn_risk_after, churned_after, activity, joined: _ } = rule;
    let means = match stage {
        Stage::New => format!("joined within {new_for} and not dormant"),
        Stage::Active => format!("did something within {dormant_after} and is no longer new"),
        Stage::Dormant => format!("did nothing for {dormant_after}, yet less than {churn_risk_after}"),
        Stage::ChurnRisk => format!("did nothing for {churn_risk_after}, yet less than {churned_after}"),
        Stage::Churned => format!("did nothing for {churned_after} or longer"),
    };
    let counts = if stage == Stage::New { String::new() } else { format!("; {} count", activity.join(", ")) };
    format!("{} ({means}{counts})", stage_name(stage))
}

fn location_words(location: &Location) -> String {
    match location {
        Location::Near { point, store, radius_m, .. } => {
            let place = store.as_ref().map_or_else(|| point.to_string(), |store| format!("the store {store}"));
            format!("is at most {} from {place}", metres(*radius_m))
        }
        Location::Region { any, .. } => format!("is in the region {}", either(any, "or")),
        Location::PreferredStore { any, within, .. } => {
            let stores: Vec<String> = any.iter().map(ToString::to_string).collect();
            format!("prefers the store {} (by its visits within {within})", either(&stores, "or"))
        }
    }
}

/// A distance as people read it.
pub(super) fn metres(metres: i64) -> String {
    let (whole, part) = (metres / 1_000, metres % 1_000);
    match (whole, format!("{part:03}").trim_end_matches('0')) {
        (0, _) => format!("{metres} m"),
        (_, "") => format!("{whole} km"),
        (_, decimals) => format!("{whole}.{decimals} km"),
    }
}

fn interest_words(interests: &Interests) -> String {
    let Interests { any, all, none, rule } = interests;
    let learned = format!("learned from {} orders or more within {}", rule.orders, rule.within);
    format!("{} ({learned})", set_words("interests", any, all, none))
}

/// A measured figure as people read it.
pub(super) fn measured(measure: &Measure, value: i64) -> String {
    match measure {
        Measure::Count | Measure::Distinct(_) => value.to_string(),
        Measure::Sum(_) | Measure::Average(_) | Measure::Min(_) | Measure::Max(_) => decimal(Decimal { e4: value }),
    }
}

/// A value as people read it.
pub fn scalar(value: &Scalar) -> String {
    match value {
        Scalar::Flag(flag) => flag.to_string(),
        Scalar::Number(number) => decimal(*number),
        Scalar::Text(text) => text.clone(),
    }
}

fn decimal(value: Decimal) -> String {
    let sign = if value.e4 < 0 { "-" } else { "" };
    let (whole, part) = (value.e4.unsigned_abs() / 10_000, value.e4.unsigned_abs() % 10_000);
    let decimals = format!("{part:04}");
    let decimals = decimals.trim_end_matches('0');
    if decimals.is_empty() { format!("{sign}{whole}") } else { format!("{sign}{whole}.{decimals}") }
}
