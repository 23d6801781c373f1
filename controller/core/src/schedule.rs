//! When a campaign is seen, runs and ends; from its schedule and the instant that is handed in.
//!
//! Every stretch is half-open: it holds its first instant and not its last. Nothing is remembered here, so a campaign
//! ends on time even when nobody writes anything.

use crate::{
    model::schedule::{Phase, Schedule, Window},
    recurrence::read_rule,
    time::{Ts, Tz, resolve},
};
use chrono::{Days, NaiveDate};

/// How many coming openings of a window are looked at to find the next change. Windows that join without a gap for
/// longer than this have no boundary worth waking up for.
pub const OPENINGS_MAX: usize = 64;

/// Where a campaign stands at `now`. `Draft` is not answered: without an accepted specification there is no schedule.
pub fn phase(schedule: &Schedule, suspended: bool, settled: bool, now: Ts) -> Phase {
    let Schedule { zone: _, publish_at, start_at, end_at, cool_down: _, windows: _ } = schedule;
    let ended = end_at.is_some_and(|end| now >= end);
    let cooled = cooled_at(schedule).is_some_and(|at| now >= at);
    match () {
        () if cooled && settled => Phase::Ended,
        () if cooled => Phase::Settling,
        () if ended => Phase::CoolDown,
        () if now >= *start_at && suspended => Phase::Paused,
        () if now >= *start_at => Phase::Active,
        () if publish_at.is_some_and(|at| now >= at) && suspended => Phase::Paused,
        () if publish_at.is_some_and(|at| now >= at) => Phase::Teaser,
        () => Phase::Scheduled,
    }
}

/// When its cool-down is over and it settles.
pub fn cooled_at(schedule: &Schedule) -> Option<Ts> {
    schedule.end_at.map(|end| schedule.cool_down.after(end, schedule.zone))
}

/// The next phase by time alone, and when it begins.
pub fn next_transition(schedule: &Schedule, suspended: bool, settled: bool, now: Ts) -> Option<(Phase, Ts)> {
    let here = phase(schedule, suspended, settled, now);
    let mut boundaries: Vec<Ts> = [schedule.publish_at, Some(schedule.start_at), schedule.end_at, cooled_at(schedule)]
        .into_iter()
        .flatten()
        .filter(|at| *at > now)
        .collect();
    boundaries.sort_unstable();
    boundaries.into_iter().map(|at| (phase(schedule, suspended, settled, at), at)).find(|(next, _)| *next != here)
}

/// Whether it runs at `now`: between start and end, inside one of its windows and one of `extra` (a mechanic's), where
/// there are any. A suspension is not asked about.
pub fn is_open(schedule: &Schedule, extra: &[Window], now: Ts) -> bool {
    runs(schedule, now)
        && [&schedule.windows[..], extra]
            .iter()
            .all(|set| set.is_empty() || set.iter().any(|window| is_window_open(window, schedule.zone, now)))
}

/// The next instant at which [`is_open`] changes, and to what; nothing when it never does, or not within
/// [`OPENINGS_MAX`] openings.
pub fn next_boundary(schedule: &Schedule, extra: &[Window], now: Ts) -> Option<(bool, Ts)> {
    // Before the start nothing opens, so the windows are looked at from there.
    let from = now.max(schedule.start_at);
    let sets: Vec<Vec<Stretch>> = [&schedule.windows[..], extra]
        .iter()
        .filter(|set| !set.is_empty())
        .map(|set| set.iter().flat_map(|window| stretches(window, schedule.zone, from, OPENINGS_MAX)).collect())
        .collect();
    let open = |at: Ts| runs(schedule, at) && sets.iter().all(|set| set.iter().any(|stretch| stretch.has(at)));
    let mut candidates: Vec<Ts> = sets.iter().flatten().flat_map(|stretch| [stretch.opens, stretch.closes]).collect();
    candidates.extend([Some(schedule.start_at), schedule.end_at].into_iter().flatten());
    candidates.retain(|at| *at > now);
    candidates.sort_unstable();
    // Beyond what was unrolled a closing would only be the end of the unrolling.
    let unrolled = sets.iter().filter(|set| set.len() >= OPENINGS_MAX);
    let horizon = unrolled.filter_map(|set| set.iter().map(|stretch| stretch.closes).max()).min();
    candidates.retain(|at| horizon.is_none_or(|horizon| *at < horizon) || schedule.end_at == Some(*at));
    let here = is_open(schedule, extra, now);
    candidates.into_iter().map(|at| (open(at), at)).find(|(next, _)| *next != here)
}

/// Whether a window is open at `now`.
pub fn is_window_open(window: &Window, zone: Tz, now: Ts) -> bool {
    stretches(window, zone, now, 4).iter().any(|stretch| stretch.has(now))
}

fn runs(schedule: &Schedule, now: Ts) -> bool {
    now >= schedule.start_at && schedule.end_at.is_none_or(|end| now < end)
}

/// One opening of a window.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Stretch {
    opens: Ts,
    closes: Ts,
}

impl Stretch {
    fn has(self, at: Ts) -> bool {
        self.opens <= at && at < self.closes
    }
}

/// The openings of a window that close after `from`, at most `limit`. A rule that cannot be read never opens; admission
/// has refused it.
fn stretches(window: &Window, zone: Tz, from: Ts, limit: usize) -> Vec<Stretch> {
    let Ok(rule) = read_rule(&window.rule) else { return Vec::new() };
    let today = from.with_timezone(&zone).date_naive();
    // An opening of yesterday may still be open, and a day may be skipped at the date line.
    let first = today.checked_sub_days(Days::new(2)).unwrap_or(today);
    rule.days(window.anchor, window.from, zone, first, limit)
        .into_iter()
        .filter_map(|day| stretch(window, zone, day))
        .filter(|stretch| stretch.closes > from)
        .collect()
}

fn stretch(window: &Window, zone: Tz, day: NaiveDate) -> Option<Stretch> {
    let last_day = if window.to <= window.from { day.checked_add_days(Days::new(1))? } else { day };
    let opens = resolve(day.and_time(window.from), zone);
    let closes = resolve(last_day.and_time(window.to), zone);
    // A window inside the hour that a clock change skips does not exist on that day.
    (opens < closes).then_some(Stretch { opens, closes })
}

#[cfg(test)]
mod tests;
