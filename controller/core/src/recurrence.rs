//! Days that a recurrence rule names (RFC 5545 `RRULE`, of frequency DAILY or longer).
//!
//! A rule here names *days*; the hours stand beside it in the window. So it is counted in wall-calendar days without a
//! zone, and no clock change can lose or double one. Turning a day and an hour into instants is `crate::schedule`'s.

use crate::time::Tz;
use chrono::{Days, NaiveDate, NaiveDateTime, NaiveTime, TimeZone, Utc};
use rrule::{Frequency, RRule, RRuleSet, Unvalidated};
use thiserror::Error;

/// The most occurrences that one question walks over: 27 years of days.
pub const OCCURRENCES_MAX: usize = 10_000;
/// The longest rule that is read.
pub const RULE_LENGTH_MAX: usize = 256;

/// Why a text is no usable rule.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum RuleError {
    /// Longer than [`RULE_LENGTH_MAX`].
    #[error("the rule is longer than {RULE_LENGTH_MAX} characters; split it into several windows")]
    TooLong,
    /// Not RFC 5545.
    #[error("{0} Write such as \"FREQ=DAILY\" or \"FREQ=WEEKLY;BYDAY=SA,SU\" (RFC 5545)")]
    Syntax(String),
    /// More often than once a day.
    #[error("FREQ={0} is more often than daily; name the days by FREQ=DAILY or longer and the hours by from and to")]
    TooOften(String),
    /// Hours in the rule.
    #[error("{0} does not belong here; the hours stand in from and to")]
    Hours(&'static str),
    /// An UNTIL that is no date.
    #[error("UNTIL={0} is no date; write such as UNTIL=20261130, UNTIL=20261130T220000 or UNTIL=20261130T150000Z")]
    Until(String),
    /// Correct, but there is no such day.
    #[error("no day is ever named by this rule; check BYMONTH, BYMONTHDAY and BYDAY")]
    Never,
}

/// The last moment that a rule names.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Until {
    /// Through this day.
    Day(NaiveDate),
    /// Up to this wall time.
    Wall(NaiveDateTime),
    /// Up to this instant.
    Instant(NaiveDateTime),
}

/// A rule that was read.
#[derive(Clone, Debug)]
pub struct Recurrence {
    rule: RRule<Unvalidated>,
    until: Option<Until>,
    /// How many days later the pattern is the same again, where that is independent of the calendar.
    period_days: Option<u64>,
}

/// Reads and checks a rule without the `RRULE:` before it; what admission asks.
///
/// # Errors
/// [`RuleError`] with what to write instead.
pub fn parse_rule(text: &str) -> Result<Recurrence, RuleError> {
    let recurrence = read_rule(text)?;
    // Any start shows a range error; a leap year's shows the rarest days.
    let leap = NaiveDate::from_ymd_opt(2024, 1, 1).unwrap_or_default();
    if recurrence.set(leap)?.into_iter().next().is_none() { Err(RuleError::Never) } else { Ok(recurrence) }
}

/// Reads a rule that admission has checked.
pub(crate) fn read_rule(text: &str) -> Result<Recurrence, RuleError> {
    if text.len() > RULE_LENGTH_MAX {
        return Err(RuleError::TooLong);
    }
    let mut kept = Vec::new();
    let mut until = None;
    let mut counted = false;
    let body = text.trim();
    for part in body.strip_prefix("RRULE:").unwrap_or(body).split(';').filter(|part| !part.is_empty()) {
        let (key, value) = part.split_once('=').unwrap_or((part, ""));
        match key.to_ascii_uppercase().as_str() {
            "UNTIL" => until = Some(parse_until(value)?),
            "BYHOUR" => return Err(RuleError::Hours("BYHOUR")),
            "BYMINUTE" => return Err(RuleError::Hours("BYMINUTE")),
            "BYSECOND" => return Err(RuleError::Hours("BYSECOND")),
            key => {
                counted |= key == "COUNT";
                kept.push(part);
            }
        }
    }
    let rule: RRule<Unvalidated> = kept.join(";").parse().map_err(|error: rrule::RRuleError| syntax(&error))?;
    let interval = u64::from(rule.get_interval().max(1));
    let period_days = match rule.get_freq() {
        Frequency::Daily => Some(interval),
        Frequency::Weekly => Some(7 * interval),
        Frequency::Monthly | Frequency::Yearly => None,
        often @ (Frequency::Hourly | Frequency::Minutely | Frequency::Secondly) => {
            return Err(RuleError::TooOften(often.to_string().to_uppercase()));
        }
    };
    Ok(Recurrence { rule, until, period_days: period_days.filter(|_| !counted) })
}

fn syntax(error: &rrule::RRuleError) -> RuleError {
    let text = error.to_string();
    let text = text.trim_end_matches('.');
    RuleError::Syntax(format!("{text}."))
}

fn parse_until(text: &str) -> Result<Until, RuleError> {
    let wrong = || RuleError::Until(text.into());
    if let Some(instant) = text.strip_suffix('Z') {
        return NaiveDateTime::parse_from_str(instant, "%Y%m%dT%H%M%S").map(Until::Instant).map_err(|_| wrong());
    }
    if let Ok(wall) = NaiveDateTime::parse_from_str(text, "%Y%m%dT%H%M%S") {
        return Ok(Until::Wall(wall));
    }
    NaiveDate::parse_from_str(text, "%Y%m%d").map(Until::Day).map_err(|_| wrong())
}

impl Recurrence {
    /// The days that it names, from `first` on, when it counts from `anchor` and its windows open at `opens` in `zone`;
    /// ascending, at most [`OCCURRENCES_MAX`] walked over and `limit` answered.
    pub fn days(
        &self,
        anchor: NaiveDateTime,
        opens: NaiveTime,
        zone: Tz,
        first: NaiveDate,
        limit: usize,
    ) -> Vec<NaiveDate> {
        let start = self.start_near(anchor.date(), first);
        let Ok(set) = self.set(start) else { return Vec::new() };
        set.into_iter()
            .take(OCCURRENCES_MAX)
            .map(|at| at.naive_utc().date())
            .skip_while(|day| *day < first)
            .take_while(|day| self.until.is_none_or(|until| until.has(day.and_time(opens), zone)))
            .take(limit)
            .collect()
    }

    /// A start that gives the same days from `first` on, but is near it, so that an old campaign costs no more than a
    /// young one. It stays two periods behind, since the first period of a rule may be cut.
    fn start_near(&self, anchor: NaiveDate, first: NaiveDate) -> NaiveDate {
        let Some(period) = self.period_days else { return anchor };
        let ahead = u64::try_from((first - anchor).num_days()).unwrap_or(0);
        let skipped = (ahead / period).saturating_sub(2) * period;
        anchor.checked_add_days(Days::new(skipped)).unwrap_or(anchor)
    }

    fn set(&self, start: NaiveDate) -> Result<RRuleSet, RuleError> {
        let start = rrule::Tz::UTC.from_utc_datetime(&start.and_time(NaiveTime::MIN));
        let rule = self.rule.clone().validate(start).map_err(|error| syntax(&error))?;
        Ok(RRuleSet::new(start).rrule(rule).limit())
    }
}

impl Until {
    fn has(self, opens: NaiveDateTime, zone: Tz) -> bool {
        match self {
            Self::Day(day) => opens.date() <= day,
            Self::Wall(wall) => opens <= wall,
            Self::Instant(instant) => crate::time::resolve(opens, zone) <= Utc.from_utc_datetime(&instant),
        }
    }
}
