//! How many members may be made by callers that nobody knows: a bucket that fills with time, so that a flood of guest
//! logins cannot fill the database.

use crate::problem::{Code, Problem};
use parking_lot::Mutex;

/// How many guests may come at once.
pub(crate) const BURST_MAX: i64 = 2_000;
/// How many a second after that.
pub(crate) const PER_SECOND_MAX: i64 = 100;

/// What is left, and of when (milliseconds of real time).
pub(crate) struct Bucket(Mutex<(i64, i64)>);

impl Default for Bucket {
    fn default() -> Self {
        Self(Mutex::new((BURST_MAX * 1_000, i64::MIN)))
    }
}

impl Bucket {
    /// Takes one place at `now_ms`.
    ///
    /// # Errors
    /// 429 with `Retry-After` when none is left.
    pub(crate) fn take(&self, now_ms: i64) -> Result<(), Problem> {
        let mut bucket = self.0.lock();
        let (left, at) = *bucket;
        // In thousandths of a place, so that a millisecond brings a whole number of them. A clock that is set back brings none.
        let passed = now_ms.saturating_sub(at).max(0);
        let left = left.saturating_add(passed.saturating_mul(PER_SECOND_MAX)).min(BURST_MAX * 1_000);
        if left < 1_000 {
            *bucket = (left, at.max(now_ms));
            let detail = "too many guests log in at once; try again in a second";
            return Err(Problem { retry_after_s: Some(1), ..Problem::new(Code::TooManyRequests, detail) });
        }
        *bucket = (left - 1_000, at.max(now_ms));
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_burst_is_served_and_then_so_many_a_second() {
        let bucket = Bucket::default();
        for _ in 0..BURST_MAX {
            bucket.take(5_000).unwrap();
        }
        assert_eq!(bucket.take(5_000).unwrap_err().code, Code::TooManyRequests);
        assert!(bucket.take(4_000).is_err(), "a clock set back brings nothing");
        for _ in 0..PER_SECOND_MAX {
            bucket.take(6_000).unwrap();
        }
        assert!(bucket.take(6_000).is_err());
    }
}
