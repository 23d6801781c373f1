//! When a campaign is seen and runs. Deciding a phase from it is `crate::schedule`'s.

use crate::time::{Span, Ts, Tz};
use chrono::{NaiveDateTime, NaiveTime};
use serde::{Deserialize, Serialize};

/// A campaign's time line, resolved to instants.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Schedule {
    /// The zone in which windows, days and local times are meant.
    pub zone: Tz,
    /// Visible as a teaser from here.
    pub publish_at: Option<Ts>,
    /// Runs from here.
    pub start_at: Ts,
    /// Runs until just before here; without it, for ever.
    pub end_at: Option<Ts>,
    /// Redemptions and refunds are still handled for so long after the end.
    pub cool_down: Span,
    /// When not empty, it runs only inside these.
    pub windows: Vec<Window>,
}

/// A window that recurs: on each day that the rule names, from a wall time to another.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Window {
    /// The recurrence rule without `RRULE:`, as the author wrote it (RFC 5545), of frequency DAILY or longer.
    pub rule: String,
    /// The wall time it counts from (the campaign's start), which fixes INTERVAL.
    pub anchor: NaiveDateTime,
    /// Opens at this wall time.
    pub from: NaiveTime,
    /// Closes just before this one; at or before `from` means on the next day.
    pub to: NaiveTime,
}

/// Where a campaign stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum Phase {
    /// No publishable specification yet.
    Draft,
    /// Accepted, not yet visible.
    Scheduled,
    /// Visible, not yet running.
    Teaser,
    /// Running, also between its windows.
    Active,
    /// Suspended by a person or an alert.
    Paused,
    /// Over; redemptions and refunds are still handled.
    CoolDown,
    /// Reservations lapse, unspent budget is released, the final figures are made.
    Settling,
    /// Settled for good.
    Ended,
}

impl Phase {
    /// The phase as the status shows it.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Draft => "Draft",
            Self::Scheduled => "Scheduled",
            Self::Teaser => "Teaser",
            Self::Active => "Active",
            Self::Paused => "Paused",
            Self::CoolDown => "CoolDown",
            Self::Settling => "Settling",
            Self::Ended => "Ended",
        }
    }
}
