//! A window of time as instants: when it begins and ends for a given now, and which days it is about.

use crate::{
    model::segment::{Period, Window},
    time::{Ts, Tz, day_of, resolve},
};
use chrono::{Datelike, Days, Months, NaiveDate, NaiveDateTime, NaiveTime};

/// From when until when, for one now.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Range {
    /// From this instant on, inclusive; without it, from ever.
    pub from: Option<Ts>,
    /// Until just before this instant; without it, until now.
    pub before: Option<Ts>,
    /// The last instant that counts.
    pub now: Ts,
}

impl Range {
    /// Whether an instant lies within.
    pub fn contains(&self, at: Ts) -> bool {
        at <= self.now && self.from.is_none_or(|from| at >= from) && self.before.is_none_or(|before| at < before)
    }
}

impl Window {
    /// The window as instants. Days and periods are those of `zone`.
    pub fn range(&self, now: Ts, zone: Tz) -> Range {
        let Self { within, before, period, from, to } = self;
        let days = period.map(|period| period.days(day_of(now, zone)));
        let local = |time: &NaiveDateTime| resolve(*time, zone);
        let starts = [
            within.map(|span| span.before(now, zone)),
            days.map(|(first, _)| midnight(first, zone)),
            from.as_ref().map(local),
        ];
        let ends = [
            before.map(|span| span.before(now, zone)),
            days.map(|(_, next)| midnight(next, zone)),
            to.as_ref().map(local),
        ];
        Range { from: starts.into_iter().flatten().max(), before: ends.into_iter().flatten().min(), now }
    }
}

impl Period {
    /// Its first day and the day after its last, seen from `today`.
    pub fn days(self, today: NaiveDate) -> (NaiveDate, NaiveDate) {
        let day = |date: NaiveDate, ahead: i64| shifted(date, ahead);
        let monday = day(today, -i64::from(today.weekday().num_days_from_monday()));
        let month = first_of_month(today, 0);
        let quarter = first_of_month(today, -i64::from(today.month0() % 3));
        let year = first_of_month(today, -i64::from(today.month0()));
        match self {
            Self::Today => (today, day(today, 1)),
            Self::Yesterday => (day(today, -1), today),
            Self::ThisWeek => (monday, day(monday, 7)),
            Self::LastWeek => (day(monday, -7), monday),
            Self::ThisMonth => (month, first_of_month(month, 1)),
            Self::LastMonth => (first_of_month(month, -1), month),
            Self::ThisQuarter => (quarter, first_of_month(quarter, 3)),
            Self::LastQuarter => (first_of_month(quarter, -3), quarter),
            Self::ThisYear => (year, first_of_month(year, 12)),
            Self::LastYear => (first_of_month(year, -12), year),
        }
    }
}

/// The first instant of a day in `zone`.
pub fn midnight(day: NaiveDate, zone: Tz) -> Ts {
    resolve(day.and_time(NaiveTime::MIN), zone)
}

/// A day so many days later; at the ends of the calendar, the day itself.
pub(super) fn shifted(day: NaiveDate, ahead: i64) -> NaiveDate {
    let by = Days::new(ahead.unsigned_abs());
    let moved = if ahead < 0 { day.checked_sub_days(by) } else { day.checked_add_days(by) };
    moved.unwrap_or(day)
}

fn first_of_month(day: NaiveDate, ahead: i64) -> NaiveDate {
    let first = day.with_day(1).unwrap_or(day);
    let by = Months::new(u32::try_from(ahead.unsigned_abs()).unwrap_or(0));
    let moved = if ahead < 0 { first.checked_sub_months(by) } else { first.checked_add_months(by) };
    moved.unwrap_or(first)
}
