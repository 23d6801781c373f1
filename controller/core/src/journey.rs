//! What a run of an Automation does next. The engine keeps where each run stands and does what is answered here.

use crate::{
    ids::Name,
    model::automation::{Action, AutomationPlan, Occasion, OnAmbiguous, Reentry},
    time::{Span, Ts, Tz, resolve},
};
use chrono::{Days, NaiveTime};
use serde_json::Value;

/// What a run does at a step.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Next {
    /// Sends a message, then goes on at `then`.
    Send {
        /// The step's name, which with the run and the member makes the message's idempotency key.
        step: Name,
        /// Through this channel.
        channel: Name,
        /// This text.
        template: Name,
        /// What to do when it is unknown whether it left.
        on_ambiguous: OnAmbiguous,
        /// The index of the step after.
        then: usize,
    },
    /// Gives a reward, then goes on at `then`.
    Issue {
        /// The step's name.
        step: Name,
        /// Which reward.
        reward: Name,
        /// The index of the step after.
        then: usize,
    },
    /// Goes on at `then`, not before `until`.
    Wait {
        /// The step's name.
        step: Name,
        /// The instant to go on.
        until: Ts,
        /// The index of the step after.
        then: usize,
    },
    /// The run is complete.
    End,
}

/// What a run does when it arrives at the step of index `at`, at `now`, for a member in `zone`.
pub fn next(plan: &AutomationPlan, at: usize, now: Ts, zone: Tz) -> Next {
    let Some(step) = plan.steps.get(at) else { return Next::End };
    let (name, then) = (step.name.clone(), step.next);
    match &step.action {
        Action::Send { channel, template, on_ambiguous } => Next::Send {
            step: name,
            channel: channel.clone(),
            template: template.clone(),
            on_ambiguous: *on_ambiguous,
            then,
        },
        Action::Wait { lasts, until } => Next::Wait { step: name, until: waits_until(*lasts, *until, now, zone), then },
        Action::Issue { reward } => Next::Issue { step: name, reward: reward.clone(), then },
    }
}

/// `lasts` after `now`, then the first `until` of the wall clock at or after that.
pub fn waits_until(lasts: Span, until: Option<NaiveTime>, now: Ts, zone: Tz) -> Ts {
    let earliest = lasts.after(now, zone);
    let Some(wall) = until else { return earliest };
    let day = earliest.with_timezone(&zone).date_naive();
    // On the same day, or on the next; two more in case a clock change moved the wall time before `earliest`.
    (0..3)
        .filter_map(|ahead| day.checked_add_days(Days::new(ahead)))
        .map(|day| resolve(day.and_time(wall), zone))
        .find(|at| *at >= earliest)
        .unwrap_or(earliest)
}

/// What is known of a member's earlier runs of one Automation.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Entries {
    /// A run is under way.
    pub active: bool,
    /// When the last run began.
    pub last: Option<Ts>,
}

/// Whether a trigger at `now` starts a run for a member.
pub fn enters(plan: &AutomationPlan, past: Entries, now: Ts, zone: Tz) -> bool {
    match plan.reentry {
        Reentry::Once => past.last.is_none() && !past.active,
        Reentry::AfterExit => !past.active,
        Reentry::Always(None) => true,
        Reentry::Always(Some(every)) => past.last.is_none_or(|last| now >= every.after(last, zone)),
    }
}

/// Whether an event of this type may start runs.
pub fn starts(plan: &AutomationPlan, event: &str) -> bool {
    plan.trigger.event() == event
}

/// Whether an event of this type may end the member's runs.
pub fn exits(plan: &AutomationPlan, event: &str) -> bool {
    plan.exit.iter().any(|exit| exit.event() == event)
}

/// Whether an event with this data is what is meant.
pub fn is_meant(occasion: &Occasion, event: &str, data: &Value) -> bool {
    occasion.event() == event && occasion.segment().is_none_or(|segment| data["segment"] == segment.as_str())
}

/// The types of events that tell who comes into a Segment and who goes.
pub const CROSSINGS: [&str; 2] = ["segment.entered", "segment.left"];

/// Whether a plan is told who comes into a Segment or who goes.
pub fn follows(plan: &AutomationPlan, segment: &Name) -> bool {
    let of_it = |occasion: &Occasion| {
        CROSSINGS.contains(&occasion.event()) && occasion.segment().is_none_or(|named| named == segment)
    };
    of_it(&plan.trigger) || plan.exit.iter().any(of_it)
}

#[cfg(test)]
mod tests;
