//! Where a zone leaves its clocks alone, a day is 86,400 seconds and spans need no calendar.

use chrono::{Offset, TimeDelta, TimeZone};
use fanfare_core::time::{Span, Ts, Tz};
use parking_lot::Mutex;

/// How far back a steady time is looked for: nothing that is counted is older.
const BACK_DAYS: i64 = 20_500;
/// How far ahead.
const AHEAD_DAYS: i64 = 400;
/// No zone has changed its clocks twice within so long.
const STEP: TimeDelta = TimeDelta::hours(6);
/// Clocks are moved by at most a day.
const MARGIN: TimeDelta = TimeDelta::hours(26);

/// A time in which a zone's clocks were not moved.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Steady {
    /// From this instant on, with a margin on which spans may go wrong.
    pub(crate) from: Ts,
    /// Until this instant, with the same margin.
    pub(crate) until: Ts,
}

impl Steady {
    /// The steady time around an instant; an empty one when clocks are moved just then.
    pub(crate) fn around(now: Ts, zone: Tz) -> Self {
        let (least, most) = (now - TimeDelta::days(BACK_DAYS), now + TimeDelta::days(AHEAD_DAYS));
        if zone == Tz::UTC {
            return Self { from: least, until: most };
        }
        let offset = |at: Ts| zone.offset_from_utc_datetime(&at.naive_utc()).fix();
        let here = offset(now);
        let reach = |step: TimeDelta, end: Ts| {
            let mut at = now;
            while (step < TimeDelta::zero() && at > end) || (step > TimeDelta::zero() && at < end) {
                if offset(at + step) != here {
                    return at;
                }
                at += step;
            }
            at
        };
        Self { from: reach(-STEP, least) + MARGIN, until: reach(STEP, most) - MARGIN }
    }
}

/// The steady time that was last asked for.
#[derive(Debug, Default)]
pub(crate) struct Steadies(Mutex<Option<(Tz, Ts, Steady)>>);

impl Steadies {
    /// The steady time around `now`, looked for once a day.
    pub(crate) fn around(&self, now: Ts, zone: Tz) -> Steady {
        let mut last = self.0.lock();
        if let Some((of, at, steady)) = &*last
            && *of == zone
            && (now - *at).abs() < TimeDelta::days(1)
            && steady.from <= now
            && now <= steady.until
        {
            return *steady;
        }
        let steady = Steady::around(now, zone);
        *last = Some((zone, now, steady));
        steady
    }
}

/// The seconds of a span where clocks are left alone.
pub(crate) fn seconds(span: Span) -> i64 {
    span.days.saturating_mul(86_400).saturating_add(span.seconds)
}
