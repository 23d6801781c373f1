//! How long rows are kept that are only there for a while, and how many outdated ones a batch clears away.

use chrono::TimeDelta;
use std::time::Duration;

/// How long the answer to an idempotent call is kept.
pub(crate) const ANSWERS_KEPT: TimeDelta = TimeDelta::days(7);
/// How many outdated answers are deleted for each new one, so that the table shrinks after a burst.
pub(crate) const ANSWERS_CLEARED_PER_NEW: usize = 2;

/// Longer than any refresh token lives. Tokens live in real time, which a batch does not know: its instant is business
/// time. What ends so long before a token that is made now has ended.
pub(crate) const REFRESH_LIFE_MAX: TimeDelta = TimeDelta::days(400);

/// How long news are kept: a follower that was away for longer reads everything anew, which takes it less.
pub(crate) const NEWS_KEPT: Duration = Duration::from_secs(600);
/// How many outdated news are deleted for each new one, so that the table shrinks after a burst.
pub(crate) const NEWS_CLEARED_PER_NEW: i64 = 4;
/// The most news that a follower reads at once; it asks again for the rest.
pub(crate) const NEWS_PAGE_MAX: i64 = 1_000;
/// The bytes of news behind which a follower reads no further at once.
pub(crate) const NEWS_PAGE_BYTES: i64 = 16 * 1024 * 1024;

/// How many outdated answers a batch of `new` ones deletes at most.
pub(crate) fn answers_cleared(new: usize) -> i64 {
    i64::try_from(new.saturating_mul(ANSWERS_CLEARED_PER_NEW)).unwrap_or(i64::MAX)
}
