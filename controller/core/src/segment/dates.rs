//! What a member's date means today: an age, a day that comes round, how far ahead or behind it lies.
//!
//! Everything is counted in whole days of the calendar; the caller says which day it is.

use super::window::shifted;
use crate::model::segment::{Period, Scalar, Stretch};
use chrono::{Datelike, NaiveDate};

/// The day that a value says: ISO 8601, also with a time behind it.
pub fn day(value: &Scalar) -> Option<NaiveDate> {
    match value {
        Scalar::Text(text) => NaiveDate::parse_from_str(text.get(..10)?, "%Y-%m-%d").ok(),
        Scalar::Flag(_) | Scalar::Number(_) => None,
    }
}

/// Whole years from `since` until `today`; nothing when `since` lies ahead.
pub(super) fn age(since: NaiveDate, today: NaiveDate) -> Option<i64> {
    let before_anniversary = (today.month(), today.day()) < (since.month(), since.day());
    (since <= today).then(|| i64::from(today.year() - since.year()) - i64::from(before_anniversary))
}

/// How many days `date` lies ahead of `today`.
pub(super) fn days_ahead(date: NaiveDate, today: NaiveDate) -> i64 {
    (date - today).num_days()
}

/// The day on which `date` comes round in `year`.
fn anniversary(date: NaiveDate, year: i32) -> Option<NaiveDate> {
    date.with_year(year).or_else(|| NaiveDate::from_ymd_opt(year, 3, 1))
}

/// Whether `date` comes round from `today` on within so many days.
pub(super) fn comes_round(date: NaiveDate, today: NaiveDate, days: i64) -> bool {
    comes_round_between(date, today, shifted(today, days + 1))
}

/// Whether `date` comes round in the stretch of the calendar that `today` is in.
pub(super) fn comes_round_in(date: NaiveDate, today: NaiveDate, stretch: Stretch) -> bool {
    let period = match stretch {
        Stretch::Today => Period::Today,
        Stretch::ThisWeek => Period::ThisWeek,
        Stretch::ThisMonth => Period::ThisMonth,
    };
    let (first, next) = period.days(today);
    comes_round_between(date, first, next)
}

fn comes_round_between(date: NaiveDate, first: NaiveDate, next: NaiveDate) -> bool {
    let in_year = |year| anniversary(date, year).is_some_and(|day| first <= day && day < next);
    (first.year()..=next.year()).any(in_year)
}
