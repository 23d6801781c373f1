//! When a connection has to plan its statements anew.
//!
//! A plan is kept until the table's statistics change, which in a new database takes a minute or more. Until then PostgreSQL
//! chooses between indexes by the size that the table had when the plan was made: in an empty one any index of the namespace
//! looks as good as the one of the key, and is a thousand times worse in a full one. So a connection plans anew after its
//! first batch, its second, its fourth and so on: the tables are then at most about twice as large as its plans believe.

use std::{
    collections::HashMap,
    sync::{Mutex, PoisonError},
};

/// How many batches a connection runs at most on the same plans.
const BATCHES_MAX: u64 = 4_096;
/// The most connections that are counted: those that are open, and some that were closed. Beyond, counting starts anew,
/// which costs each connection some planning.
const CONNECTIONS_MAX: usize = 64;

/// Batches by the number of their connection's server process.
#[derive(Default)]
pub(super) struct Planned(Mutex<HashMap<i64, u64>>);

impl Planned {
    /// Counts a batch; whether its connection has to plan anew.
    pub(super) fn due(&self, process: i64) -> bool {
        let mut batches = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if batches.len() >= CONNECTIONS_MAX && !batches.contains_key(&process) {
            batches.clear();
        }
        let before = batches.entry(process).or_insert(0);
        *before += 1;
        let count = *before - 1;
        count > 0 && (count.is_power_of_two() || count.is_multiple_of(BATCHES_MAX))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn plans_are_renewed_ever_more_rarely() {
        let planned = Planned::default();
        let due: Vec<u64> = (0..20_000).filter(|_| planned.due(7)).collect();
        assert_eq!(due, [1, 2, 4, 8, 16, 32, 64, 128, 256, 512, 1_024, 2_048, 4_096, 8_192, 12_288, 16_384]);
        for process in 0..1_000 {
            assert!(!planned.due(1_000 + process));
        }
        assert!(planned.0.lock().unwrap().len() <= CONNECTIONS_MAX);
    }
}
