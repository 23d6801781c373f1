//! Named places at which the crash harness (`tests/crash`) ends the process, to show that nothing acknowledged is lost there.
//!
//! Compiled in only with the feature `fault-points`, which no shipped build has; without it [`reach`] is nothing. With it
//! the environment variable `FANFARE_CRASH_AT=<name>:<n>` aborts the process when the place is reached for the n-th time
//! (from 1). An abort runs no destructor and flushes nothing, as a kill does.

/// Marks a place by its name.
#[cfg(not(feature = "fault-points"))]
#[inline(always)]
pub fn reach(_: &'static str) {}

/// Marks a place by its name, and ends the process there if the harness asked for it.
#[cfg(feature = "fault-points")]
pub fn reach(name: &'static str) {
    use std::sync::{
        LazyLock,
        atomic::{AtomicU64, Ordering},
    };
    struct Aim {
        name: String,
        left: AtomicU64,
    }
    static AIM: LazyLock<Option<Aim>> = LazyLock::new(|| {
        let asked = std::env::var("FANFARE_CRASH_AT").ok()?;
        let (name, nth) = asked.rsplit_once(':')?;
        Some(Aim { name: name.to_owned(), left: AtomicU64::new(nth.parse().ok()?) })
    });
    if let Some(aim) = &*AIM
        && aim.name == name
        && aim.left.fetch_sub(1, Ordering::SeqCst) == 1
    {
        std::process::abort();
    }
}
