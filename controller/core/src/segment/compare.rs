//! Comparing what a member has with what an author wrote.
//!
//! An author's `"2000"` and an event's `2000.0` are one number, so text that reads as a number is compared as one.
//! Dates are ISO 8601 text, whose order is that of its characters.

use crate::model::segment::{Decimal, Scalar, Test};
use std::cmp::Ordering;

/// A scalar as a number: a number itself, or text that reads as one.
pub fn number(value: &Scalar) -> Option<Decimal> {
    match value {
        Scalar::Number(decimal) => Some(*decimal),
        Scalar::Text(text) => Decimal::parse(text),
        Scalar::Flag(_) => None,
    }
}

/// Whether a value, or its absence, passes a test.
pub fn passes(test: &Test, value: Option<&Scalar>) -> bool {
    match (test, value) {
        (Test::Exists(wanted), found) => found.is_some() == *wanted,
        (Test::NotIn(others), found) => !found.is_some_and(|value| others.iter().any(|other| same(value, other))),
        (Test::In(_) | Test::Between { .. }, None) => false,
        (Test::In(others), Some(value)) => others.iter().any(|other| same(value, other)),
        (Test::Between { least, most }, Some(value)) => {
            let beside = |bound: &Option<Scalar>, unwanted: Ordering| {
                bound.as_ref().is_none_or(|bound| order(value, bound).is_some_and(|found| found != unwanted))
            };
            beside(least, Ordering::Less) && beside(most, Ordering::Greater)
        }
    }
}

fn same(left: &Scalar, right: &Scalar) -> bool {
    match (number(left), number(right)) {
        (Some(left), Some(right)) => left == right,
        _ => left == right,
    }
}

/// How two values are ordered; nothing when they are not of one kind, so that no bound holds.
fn order(left: &Scalar, right: &Scalar) -> Option<Ordering> {
    if let (Some(left), Some(right)) = (number(left), number(right)) {
        return Some(left.cmp(&right));
    }
    match (left, right) {
        // Two dates: a day, or a day and a time. The shorter one stands for its first instant.
        (Scalar::Text(left), Scalar::Text(right)) if is_date(left) && is_date(right) => Some(left.cmp(right)),
        _ => None,
    }
}

fn is_date(text: &str) -> bool {
    let day = text.get(..10).unwrap_or_default();
    chrono::NaiveDate::parse_from_str(day, "%Y-%m-%d").is_ok()
}
