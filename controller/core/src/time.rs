//! Time as a value: instants, spans of calendar days, the clock that is handed in.

use chrono::{DateTime, Datelike, Days, LocalResult, NaiveDate, NaiveDateTime, TimeDelta, TimeZone, Timelike, Utc};
pub use chrono_tz::Tz;
use serde::{Deserialize, Serialize};
use std::fmt;
use thiserror::Error;

/// An instant of business time.
pub type Ts = DateTime<Utc>;

/// Tells business time. `fanfare up --clock` starts it elsewhere and lets it run; tests set it.
pub trait Clock: Send + Sync {
    /// The instant it is now.
    fn now(&self) -> Ts;
}

/// The longest span that an author may write.
pub const SPAN_MAX_DAYS: i64 = 3_660;

/// A length of time such as `30d 12h 10m`: whole calendar days (in the zone at hand) and then seconds.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Span {
    /// Calendar days.
    pub days: i64,
    /// Seconds on top.
    pub seconds: i64,
}

/// Why a text is no span.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[error("{0:?} is not a duration; write such as \"30d\", \"12h\" or \"1d 6h 30m\", each unit once, largest first")]
pub struct SpanError(pub String);

impl Span {
    /// A span of seconds.
    pub const fn seconds(seconds: i64) -> Self {
        Self { days: 0, seconds }
    }

    /// A span of calendar days.
    pub const fn days(days: i64) -> Self {
        Self { days, seconds: 0 }
    }

    /// Reads `30d 12h 10m 5s`, each unit at most once, largest first.
    ///
    /// # Errors
    /// [`SpanError`] for any other text and beyond [`SPAN_MAX_DAYS`].
    pub fn parse(text: &str) -> Result<Self, SpanError> {
        let wrong = || SpanError(text.into());
        let mut span = Self::default();
        let mut last_rank = 0;
        for part in text.split_whitespace() {
            let unit_at = part.len().checked_sub(1).filter(|_| part.is_ascii()).ok_or_else(wrong)?;
            let (digits, unit) = part.split_at(unit_at);
            if digits.is_empty() || !digits.bytes().all(|b| b.is_ascii_digit()) {
                return Err(wrong());
            }
            let count: i64 = digits.parse().map_err(|_| wrong())?;
            let (rank, seconds) = match unit {
                "d" => (1, 0),
                "h" => (2, 3_600),
                "m" => (3, 60),
                "s" => (4, 1),
                _ => return Err(wrong()),
            };
            if rank <= last_rank || count > SPAN_MAX_DAYS * 86_400 {
                return Err(wrong());
            }
            last_rank = rank;
            if rank == 1 {
                span.days = count;
            } else {
                span.seconds += count * seconds;
            }
        }
        let total_days = span.days + span.seconds / 86_400;
        if last_rank == 0 || total_days > SPAN_MAX_DAYS { Err(wrong()) } else { Ok(span) }
    }

    /// How many seconds it has, each day counted as 24 hours.
    pub const fn length(self) -> i64 {
        self.days * 86_400 + self.seconds
    }

    /// The seconds of one of its [`PARTS`], at least one.
    const fn part(self) -> i64 {
        let part = self.length() / PARTS;
        if part < 1 { 1 } else { part }
    }

    /// `at` plus this span: the days are calendar days in `zone` (so 1d over a clock change keeps the wall time).
    pub fn after(self, at: Ts, zone: Tz) -> Ts {
        let local = at.with_timezone(&zone).naive_local();
        let days = u64::try_from(self.days).unwrap_or(0);
        let moved = if days == 0 {
            at
        } else {
            local.checked_add_days(Days::new(days)).map_or(at, |naive| resolve(naive, zone))
        };
        moved.checked_add_signed(TimeDelta::seconds(self.seconds)).unwrap_or(moved)
    }

    /// `at` minus this span, days as calendar days in `zone`.
    pub fn before(self, at: Ts, zone: Tz) -> Ts {
        let local = at.with_timezone(&zone).naive_local();
        let days = u64::try_from(self.days).unwrap_or(0);
        let moved = if days == 0 {
            at
        } else {
            local.checked_sub_days(Days::new(days)).map_or(at, |naive| resolve(naive, zone))
        };
        moved.checked_sub_signed(TimeDelta::seconds(self.seconds)).unwrap_or(moved)
    }
}

impl fmt::Display for Span {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut parts = Vec::new();
        let units =
            [(self.days, "d"), (self.seconds / 3_600, "h"), (self.seconds / 60 % 60, "m"), (self.seconds % 60, "s")];
        for (count, unit) in units {
            if count > 0 {
                parts.push(format!("{count}{unit}"));
            }
        }
        if parts.is_empty() { f.write_str("0s") } else { f.write_str(&parts.join(" ")) }
    }
}

impl TryFrom<String> for Span {
    type Error = SpanError;
    fn try_from(text: String) -> Result<Self, SpanError> {
        Self::parse(&text)
    }
}

impl From<Span> for String {
    fn from(span: Span) -> Self {
        span.to_string()
    }
}

/// The instant of a wall time in `zone`. A time that a clock change skips is the first instant after the gap; one that
/// happens twice is the earlier.
pub fn resolve(local: NaiveDateTime, zone: Tz) -> Ts {
    match zone.from_local_datetime(&local) {
        LocalResult::Single(at) => at.to_utc(),
        LocalResult::Ambiguous(earlier, _) => earlier.to_utc(),
        LocalResult::None => {
            // A gap is at most a few hours (Lord Howe 30 min, date-line moves a day); step to its end by minutes.
            let whole_minute = local.with_second(0).and_then(|time| time.with_nanosecond(0));
            let mut probe = whole_minute.unwrap_or(local);
            for _ in 0..=1_500 {
                probe += TimeDelta::minutes(1);
                if let LocalResult::Single(at) | LocalResult::Ambiguous(at, _) = zone.from_local_datetime(&probe) {
                    return at.to_utc();
                }
            }
            local.and_utc()
        }
    }
}

/// Reads a local time such as `2026-11-11T00:00` or `2026-11-11T00:00:30`, without offset.
pub fn parse_local(text: &str) -> Option<NaiveDateTime> {
    ["%Y-%m-%dT%H:%M", "%Y-%m-%dT%H:%M:%S"].iter().find_map(|f| NaiveDateTime::parse_from_str(text, f).ok())
}

/// Over which stretch something is counted.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum Every {
    /// A clock hour.
    Hour,
    /// A calendar day.
    Day,
    /// An ISO week, from Monday.
    Week,
    /// A calendar month.
    Month,
    /// For ever.
    Lifetime,
    /// So long up to each moment, whatever the calendar says. It is counted in [`PARTS`] equal parts, and a part counts as
    /// long as any of it is within: never less than this length is looked back over, and at most a part more.
    Within(Span),
}

/// In how many parts a length that moves with time is counted.
pub const PARTS: i64 = 10;

impl Every {
    /// The names of the stretches that are counted together at `at`, that of `at` itself first. Only a length that moves
    /// with time has more than one.
    pub fn buckets(self, at: Ts, zone: Tz) -> Vec<String> {
        let Self::Within(span) = self else { return vec![self.bucket(at, zone)] };
        let part = span.part();
        let (last, first) = (at.timestamp().div_euclid(part), (at.timestamp() - span.length()).div_euclid(part));
        (first.max(last - PARTS - 1)..=last).rev().map(|slot| slot_name(span, slot)).collect()
    }

    /// The name of the stretch that `at` falls into in `zone`, usable in a counter's key: `2026-11-11` for a day.
    pub fn bucket(self, at: Ts, zone: Tz) -> String {
        let local = at.with_timezone(&zone);
        match self {
            Self::Hour => local.format("%Y-%m-%dT%H").to_string(),
            Self::Day => local.format("%Y-%m-%d").to_string(),
            Self::Week => {
                let week = local.date_naive().iso_week();
                format!("{}-W{:02}", week.year(), week.week())
            }
            Self::Month => local.format("%Y-%m").to_string(),
            Self::Lifetime => "ever".into(),
            Self::Within(span) => slot_name(span, at.timestamp().div_euclid(span.part())),
        }
    }
}

fn slot_name(span: Span, slot: i64) -> String {
    format!("{}s@{slot}", span.length())
}

/// The calendar day of `at` in `zone`.
pub fn day_of(at: Ts, zone: Tz) -> NaiveDate {
    at.with_timezone(&zone).date_naive()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn spans_read_print_and_refuse() {
        for (text, printed) in [("30d", "30d"), ("1d 6h 30m", "1d 6h 30m"), ("90m", "1h 30m"), ("10s", "10s")] {
            assert_eq!(Span::parse(text).unwrap().to_string(), printed);
        }
        for wrong in ["", "d", "1x", "1h 1d", "1d 1d", "-1d", "1.5h", "99999d", "１d"] {
            assert!(Span::parse(wrong).is_err(), "{wrong}");
        }
    }

    #[test]
    fn a_day_over_a_clock_change_keeps_the_wall_time() {
        let zone: Tz = "America/New_York".parse().unwrap();
        let before = resolve(parse_local("2026-10-31T12:00").unwrap(), zone);
        assert_eq!(Span::days(1).after(before, zone) - before, TimeDelta::hours(25));
        assert_eq!(Span::parse("24h").unwrap().after(before, zone) - before, TimeDelta::hours(24));
    }

    #[test]
    fn a_length_that_moves_looks_back_over_all_of_itself_and_at_most_a_part_more() {
        let zone = Tz::UTC;
        let start = resolve(parse_local("2026-11-11T00:00").unwrap(), zone);
        for (length, part) in [(600, 60), (86_400, 8_640), (7, 1), (605, 60)] {
            let every = Every::Within(Span::seconds(length));
            for since in [0, 1, part - 1, part, 12_345] {
                let now = start + TimeDelta::seconds(since);
                let counted = every.buckets(now, zone);
                assert_eq!(counted[0], every.bucket(now, zone));
                for ago in [0, 1, length / 2, length - 1, length] {
                    let then = every.bucket(now - TimeDelta::seconds(ago), zone);
                    assert!(counted.contains(&then), "{length}: {ago} s ago is within");
                }
                let then = every.bucket(now - TimeDelta::seconds(length + part), zone);
                assert!(!counted.contains(&then), "{length}: a part more is not");
            }
        }
        assert_ne!(
            Every::Within(Span::seconds(60)).bucket(start, zone),
            Every::Within(Span::seconds(120)).bucket(start, zone),
            "two limits of different lengths never share a counter"
        );
        assert_eq!(Every::Day.buckets(start, zone), vec!["2026-11-11".to_owned()]);
    }

    #[test]
    fn a_skipped_wall_time_is_the_end_of_the_gap() {
        let zone: Tz = "America/New_York".parse().unwrap();
        for skipped in ["2026-03-08T02:00", "2026-03-08T02:30", "2026-03-08T02:30:15", "2026-03-08T02:59:59"] {
            let at = resolve(parse_local(skipped).unwrap(), zone);
            assert_eq!(at, resolve(parse_local("2026-03-08T03:00").unwrap(), zone), "{skipped}");
        }
    }
}
