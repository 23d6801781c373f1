//! Comparing what a member has with what an author wrote.
//!
//! An author's `"2000"` and an event's `2000.0` are one number, so text that reads as a number is compared as one.
//! Dates are ISO 8601 text, whose order is that of its characters.

use super::dates;
use crate::model::segment::{Decimal, Scalar, Test};
use chrono::NaiveDate;
use std::cmp::Ordering;

/// A scalar as a number: a number itself, or text that reads as one.
pub fn number(value: &Scalar) -> Option<Decimal> {
    match value {
        Scalar::Number(decimal) => Some(*decimal),
        Scalar::Text(text) => Decimal::parse(text),
        Scalar::Flag(_) => None,
    }
}

/// A scalar in the one form that equal ones share: a number where it reads as one.
pub fn normal(value: Scalar) -> Scalar {
    number(&value).map_or(value, Scalar::Number)
}

/// Whether a value, or its absence, passes a test. `today` is the day of the calendar that dates are seen from.
pub fn passes(test: &Test, value: Option<&Scalar>, today: NaiveDate) -> bool {
    let of_day = |asked: &dyn Fn(NaiveDate) -> bool| value.and_then(dates::day).is_some_and(asked);
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
        (Test::Age { least, most }, _) => {
            of_day(&|day| dates::age(day, today).is_some_and(|years| in_bounds(years, *least, *most)))
        }
        (Test::DaysAhead { least, most }, _) => of_day(&|day| in_bounds(dates::days_ahead(day, today), *least, *most)),
        (Test::AnniversaryWithin { days }, _) => of_day(&|day| dates::comes_round(day, today, *days)),
        (Test::AnniversaryIn(stretch), _) => of_day(&|day| dates::comes_round_in(day, today, *stretch)),
    }
}

/// Whether several values pass a test: one of them does, or, where the test asks that something is not, all do.
pub fn passes_any(test: &Test, values: &[Scalar], today: NaiveDate) -> bool {
    match test {
        Test::NotIn(_) => values.iter().all(|value| passes(test, Some(value), today)),
        Test::Exists(wanted) => values.is_empty() != *wanted,
        Test::In(_)
        | Test::Between { .. }
        | Test::Age { .. }
        | Test::AnniversaryWithin { .. }
        | Test::AnniversaryIn(_)
        | Test::DaysAhead { .. } => values.iter().any(|value| passes(test, Some(value), today)),
    }
}

/// Whether a figure keeps to bounds, both inclusive.
pub(super) fn in_bounds(figure: i64, least: Option<i64>, most: Option<i64>) -> bool {
    least.is_none_or(|least| figure >= least) && most.is_none_or(|most| figure <= most)
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
    NaiveDate::parse_from_str(day, "%Y-%m-%d").is_ok()
}
