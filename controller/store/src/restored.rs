//! A database that came from a backup, or a standby that was promoted: it may lack what was acknowledged before.
//!
//! Either starts an incarnation. Until a named person says that the tills' journals were replayed, or accepts the loss, the
//! setting [`AWAITS`] stands, and the engine decides nothing that moves value but facts.

use crate::{Error, Result};

/// The setting that says that a restore is not reconciled yet, and why; empty or missing where nothing is.
pub const AWAITS: &str = "awaiting-reconciliation";

/// The setting that tells where the database lives, so that another place is noticed.
pub(crate) const PLACE: &str = "database-place";

/// The longest reason that is kept.
pub const REASON_MAX_CHARS: usize = 500;

/// Refuses whoever has opened the database before it was restored.
pub(crate) fn still(now: i64, opened: i64) -> Result<()> {
    if now == opened {
        return Ok(());
    }
    Err(Error::Restored("the database was restored, or a standby promoted, meanwhile; start this process anew".into()))
}
