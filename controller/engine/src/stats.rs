//! How busy the writer is: what waits, what it wrote, how large its batches are. Figures of this process, for whoever runs
//! it; nothing is decided by them.

use crate::{Engine, writer};
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};

/// The upper bounds of the sizes of batches, in commands; what is larger stands beyond the last.
pub const SIZES: [u64; 8] = [1, 2, 4, 8, 32, 128, 256, 512];

/// Counts since the process started.
#[derive(Debug, Default)]
pub(crate) struct Stats {
    commands: AtomicU64,
    commits: AtomicU64,
    failed: AtomicU64,
    sizes: [AtomicU64; SIZES.len() + 1],
}

impl Stats {
    /// A batch of so many commands was decided; `wrote` says whether it changed anything.
    pub(crate) fn decided(&self, commands: usize, wrote: bool) {
        let commands = u64::try_from(commands).unwrap_or(u64::MAX);
        self.commands.fetch_add(commands, Relaxed);
        self.commits.fetch_add(u64::from(wrote), Relaxed);
        let place = SIZES.iter().position(|most| commands <= *most).unwrap_or(SIZES.len());
        if let Some(size) = self.sizes.get(place) {
            size.fetch_add(1, Relaxed);
        }
    }

    /// A batch came to nothing, by a fault of the database or of one command.
    pub(crate) fn failed(&self) {
        self.failed.fetch_add(1, Relaxed);
    }
}

/// The figures at one moment.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Busy {
    /// Calls that wait in the queue.
    pub queued: usize,
    /// How many may.
    pub queue_max: usize,
    /// Commands decided.
    pub commands: u64,
    /// Transactions committed.
    pub commits: u64,
    /// Batches that came to nothing.
    pub failed: u64,
    /// Batches decided by their number of commands, in the order of [`SIZES`] and then those beyond.
    pub sizes: Vec<u64>,
}

impl Engine {
    /// How busy the writer is.
    pub fn busy(&self) -> Busy {
        let Stats { commands, commits, failed, sizes } = &self.shared.stats;
        Busy {
            queued: writer::QUEUE_MAX.saturating_sub(self.shared.queue.capacity()),
            queue_max: writer::QUEUE_MAX,
            commands: commands.load(Relaxed),
            commits: commits.load(Relaxed),
            failed: failed.load(Relaxed),
            sizes: sizes.iter().map(|size| size.load(Relaxed)).collect(),
        }
    }
}
