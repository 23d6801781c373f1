//! Real time and business time: the one place that reads the machine's clock.
//!
//! Where several machines share a database, real time is the database's: each machine measures how far its own clock is
//! from it and adds that. So all of them decide by one clock, whatever their own show.

use chrono::{DateTime, SubsecRound, TimeDelta, Utc};
use fanfare_core::time::{Clock, Ts};
use fanfare_store::{Result, Store};
use std::{
    sync::{
        Arc,
        atomic::{AtomicI64, Ordering},
    },
    time::Duration,
};

/// The setting that keeps how far business time is from real time, in milliseconds.
const OFFSET: &str = "clock-offset-ms";
/// How often a shared clock is looked at again.
const LOOK_AGAIN: Duration = Duration::from_secs(1);
/// The longest way to the database and back that still tells its time well enough, in microseconds.
const WAY_MAX_US: i64 = 200_000;
/// A difference that is put down to the way, in microseconds: less is not worth moving the clock for.
const NOISE_US: i64 = 5_000;

/// The machine's clock.
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

/// Real time as everyone on one database has it.
#[derive(Clone, Debug, Default)]
pub struct RealClock {
    correction_us: Arc<AtomicI64>,
}

impl Clock for RealClock {
    fn now(&self) -> Ts {
        WallClock.now() + TimeDelta::microseconds(self.correction_us.load(Ordering::Relaxed))
    }
}

impl RealClock {
    /// The clock of a database, measured once.
    ///
    /// # Errors
    /// The store's, when it does not answer.
    pub async fn of(store: &dyn Store) -> Result<Self> {
        let clock = Self::default();
        clock.measure(store).await?;
        Ok(clock)
    }

    async fn measure(&self, store: &dyn Store) -> Result<()> {
        let before = WallClock.now();
        let Some(theirs) = store.time().await? else { return Ok(()) };
        let way_us = (WallClock.now() - before).num_microseconds().unwrap_or(i64::MAX);
        if !(0..=WAY_MAX_US).contains(&way_us) {
            return Ok(());
        }
        let correction_us = (theirs - before).num_microseconds().unwrap_or(0) - way_us / 2;
        let former_us = self.correction_us.load(Ordering::Relaxed);
        if (correction_us - former_us).abs() > NOISE_US.max(way_us) {
            self.correction_us.store(correction_us, Ordering::Relaxed);
        }
        Ok(())
    }
}

/// Business time: real time, moved by an offset, so that it runs but may start elsewhere.
#[derive(Clone, Debug)]
pub struct BusinessClock {
    real: RealClock,
    offset_ms: Arc<AtomicI64>,
}

impl BusinessClock {
    /// Business time that is `start` now.
    pub fn starting_at(real: RealClock, start: DateTime<Utc>) -> Self {
        let offset_ms = (start - real.now()).num_milliseconds();
        Self::with_offset_ms(real, offset_ms)
    }

    /// Business time as far from real time as it was.
    pub fn with_offset_ms(real: RealClock, offset_ms: i64) -> Self {
        Self { real, offset_ms: Arc::new(AtomicI64::new(offset_ms)) }
    }

    /// Business time as a database keeps it, where one did set it.
    ///
    /// # Errors
    /// The store's, when it does not answer.
    pub async fn stored(real: RealClock, store: &dyn Store) -> Result<Option<Self>> {
        Ok(stored_offset_ms(store).await?.map(|offset_ms| Self::with_offset_ms(real, offset_ms)))
    }

    /// Has the database keep it.
    ///
    /// # Errors
    /// The store's, when it does not answer.
    pub async fn store(&self, store: &dyn Store) -> Result<()> {
        let offset_ms = self.offset_ms.load(Ordering::Relaxed);
        store.set_setting(OFFSET, offset_ms.to_string().as_bytes()).await
    }

    /// Keeps in step with a shared database until dropped: with its clock, and with whoever moves business time.
    pub async fn keep(self, store: Arc<dyn Store>) {
        loop {
            tokio::time::sleep(LOOK_AGAIN).await;
            let looked = async {
                self.real.measure(&*store).await?;
                stored_offset_ms(&*store).await
            };
            match looked.await {
                Ok(Some(offset_ms)) => self.offset_ms.store(offset_ms, Ordering::Relaxed),
                Ok(None) => {}
                Err(error) => tracing::debug!(%error, "the database's time cannot be read now"),
            }
        }
    }
}

impl Clock for BusinessClock {
    fn now(&self) -> Ts {
        self.real.now() + TimeDelta::milliseconds(self.offset_ms.load(Ordering::Relaxed))
    }
}

async fn stored_offset_ms(store: &dyn Store) -> Result<Option<i64>> {
    let Some(bytes) = store.setting(OFFSET).await? else { return Ok(None) };
    let text = String::from_utf8_lossy(&bytes);
    let unread = || fanfare_store::Error::Corrupt(format!("the setting {OFFSET} is {text:?} and no number"));
    Ok(Some(text.parse().map_err(|_| unread())?))
}
