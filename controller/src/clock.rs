//! Real time and business time: the one place that reads the machine's clock.

use chrono::{DateTime, SubsecRound, TimeDelta, Utc};
use fanfare_core::time::{Clock, Ts};

/// The machine's clock, for tokens and for Kubernetes' own timestamps.
#[derive(Clone, Copy, Debug, Default)]
pub struct WallClock;

impl Clock for WallClock {
    fn now(&self) -> Ts {
        #[expect(clippy::disallowed_methods, reason = "the one place that reads the machine's clock")]
        let now = Utc::now();
        // As exact as the databases keep it, so that an instant is the same before and after a restart.
        now.trunc_subsecs(6)
    }
}

/// Business time: the machine's, moved by a fixed offset, so that it runs but may start elsewhere.
#[derive(Clone, Copy, Debug)]
pub struct BusinessClock {
    offset: TimeDelta,
}

impl BusinessClock {
    /// Business time that is `start` now.
    pub fn starting_at(start: DateTime<Utc>) -> Self {
        Self { offset: start - WallClock.now() }
    }

    /// Business time as far from real time as it was.
    pub fn with_offset_ms(offset_ms: i64) -> Self {
        Self { offset: TimeDelta::milliseconds(offset_ms) }
    }

    /// How far it is from real time.
    pub fn offset_ms(&self) -> i64 {
        self.offset.num_milliseconds()
    }
}

impl Clock for BusinessClock {
    fn now(&self) -> Ts {
        WallClock.now() + self.offset
    }
}
