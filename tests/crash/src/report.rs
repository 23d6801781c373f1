//! The table.

use crate::{Asked, Fault, product::Database};
use fanfare_crash::check::Seen;
use std::{collections::BTreeMap, time::Duration};

/// What a run has seen.
#[derive(Debug, Default)]
pub(crate) struct Report {
    /// Crashes.
    pub(crate) cycles: usize,
    /// Crashes by place.
    pub(crate) places: BTreeMap<String, usize>,
    /// Requests that move value.
    pub(crate) requests: usize,
    /// Of those, answered before a crash.
    pub(crate) acknowledged: usize,
    /// What the checks saw.
    pub(crate) seen: Seen,
    /// Writes that a power cut found not synced yet.
    pub(crate) unsynced: usize,
    /// Syncs before it.
    pub(crate) syncs: usize,
    /// The longest start on what a crash has left.
    pub(crate) slowest_start: Duration,
    /// How long all of it took.
    pub(crate) took: Duration,
}

impl Report {
    /// Whether nothing was lost and nothing else found.
    pub(crate) fn is_clean(&self) -> bool {
        self.seen.losses.is_empty() && self.seen.findings.is_empty()
    }

    /// Whether something that was acknowledged is gone.
    pub(crate) fn lost(&self) -> bool {
        !self.seen.losses.is_empty()
    }

    /// Prints it, and the command that repeats it.
    pub(crate) fn print(&self, asked: &Asked) {
        println!("\n{:<44} {:>8}", "ended at", "times");
        for (place, times) in &self.places {
            println!("{place:<44} {times:>8}");
        }
        let seen = &self.seen;
        let rows = [
            ("crashes", self.cycles.to_string()),
            ("requests that move value", self.requests.to_string()),
            ("acknowledged before a crash", self.acknowledged.to_string()),
            ("asked again after it, to the byte", seen.replayed.to_string()),
            ("not answered: all of it was there", seen.was_there.to_string()),
            ("not answered: nothing of it was there", seen.was_not_there.to_string()),
            ("writes that a power cut found unsynced", self.unsynced.to_string()),
            ("syncs before it", self.syncs.to_string()),
            ("slowest start after a crash", format!("{:.1} s", self.slowest_start.as_secs_f64())),
            ("took", format!("{:.0} s", self.took.as_secs_f64())),
            ("other findings", seen.findings.len().to_string()),
            ("losses", seen.losses.len().to_string()),
        ];
        println!();
        for (what, value) in rows {
            println!("{what:<44} {value:>8}");
        }
        for line in seen
            .losses
            .iter()
            .map(|line| format!("LOST: {line}"))
            .chain(seen.findings.iter().map(|line| format!("FOUND: {line}")))
            .take(40)
        {
            println!("{line}");
        }
        if !self.is_clean() {
            let Asked { cycles, seed, tills, .. } = asked;
            let fault = match asked.fault {
                Fault::Kill => "kill",
                Fault::Power => "power",
                Fault::LyingDisk => "lying-disk",
                Fault::Disk => "disk",
            };
            let database = match asked.database {
                Database::Sqlite => "sqlite",
                Database::Postgres(_) => "postgres",
            };
            println!(
                "\nagain: tests/crash/run --fault {fault} --database {database} --cycles {cycles} --seed {seed} --tills {tills}\n\
                 the data is kept in {}",
                asked.work.display()
            );
        }
    }
}
