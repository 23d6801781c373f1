//! Conditions in plain words, for `why` and for people who read a plan.

use crate::model::segment::{Behavior, Condition, Decimal, Measure, Scalar, Test};

/// A condition in plain words, such as `tier is gold or platinum`.
pub fn describe(condition: &Condition) -> String {
    match condition {
        Condition::Everyone => "every member".into(),
        Condition::Attribute { name, test } => test_words(name, test),
        Condition::Behavior(behavior) => behavior_words(behavior),
        Condition::Tags { any, all, none } => tag_words(any, all, none),
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

fn tag_words(any: &[String], all: &[String], none: &[String]) -> String {
    let clause = |tags: &[String], what: &str| (!tags.is_empty()).then(|| format!("{what} {}", tags.join(", ")));
    let clauses: Vec<String> = [
        clause(any, "has at least one of the tags"),
        clause(all, "has all of the tags"),
        clause(none, "has none of the tags"),
    ]
    .into_iter()
    .flatten()
    .collect();
    clauses.join(" and ")
}

fn test_words(name: &str, test: &Test) -> String {
    match test {
        Test::In(values) => format!("{name} is {}", list(values, "or")),
        Test::NotIn(values) => format!("{name} is not {}", list(values, "or")),
        Test::Exists(true) => format!("{name} is set"),
        Test::Exists(false) => format!("{name} is not set"),
        Test::Between { least: Some(least), most: Some(most) } => {
            format!("{name} is from {} to {}", scalar(least), scalar(most))
        }
        Test::Between { least: Some(least), most: None } => format!("{name} is at least {}", scalar(least)),
        Test::Between { least: None, most: Some(most) } => format!("{name} is at most {}", scalar(most)),
        Test::Between { least: None, most: None } => format!("{name} is anything"),
    }
}

fn list(values: &[Scalar], word: &str) -> String {
    let words: Vec<String> = values.iter().map(scalar).collect();
    match words.split_last() {
        Some((last, rest)) if !rest.is_empty() => format!("{} {word} {last}", rest.join(", ")),
        _ => words.concat(),
    }
}

fn behavior_words(behavior: &Behavior) -> String {
    let Behavior { event, filter, within, measure, least, most } = behavior;
    let what = match measure {
        Measure::Count => format!("number of {event}"),
        Measure::Sum(path) => format!("sum of {path} over {event}"),
    };
    let clauses: Vec<String> = filter.iter().map(|(path, test)| test_words(path, test)).collect();
    let which = if clauses.is_empty() { String::new() } else { format!(" where {}", clauses.join(" and ")) };
    let when = within.map_or_else(|| " ever".to_owned(), |span| format!(" within {span}"));
    let bounds = match (least, most) {
        (Some(least), Some(most)) => {
            format!("from {} to {}", measured(measure, *least), measured(measure, *most))
        }
        (Some(least), None) => format!("at least {}", measured(measure, *least)),
        (None, Some(most)) => format!("at most {}", measured(measure, *most)),
        (None, None) => "anything".into(),
    };
    format!("{what}{which}{when} is {bounds}")
}

/// A measured count or sum as people read it.
pub(super) fn measured(measure: &Measure, value: i64) -> String {
    match measure {
        Measure::Count => value.to_string(),
        Measure::Sum(_) => decimal(Decimal { e4: value }),
    }
}

/// A value as people read it.
pub(super) fn scalar(value: &Scalar) -> String {
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
