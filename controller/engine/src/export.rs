//! The ledger, line by line, for other systems: pages of whole transactions, so that no reader holds the database for long.

use crate::Engine;
use fanfare_store::{Error, Position, rows::LedgerLine};
use futures::TryStreamExt;

/// About how many lines a page holds: it ends with the transaction that reaches this.
pub const PAGE_LINES: usize = 2_000;

impl Engine {
    /// The next lines behind `from` and up to `to`, whole transactions in order; none: that was all.
    ///
    /// # Errors
    /// The store's, when it cannot be read.
    pub async fn ledger_page(&self, from: Position, to: Position) -> Result<Vec<LedgerLine>, Error> {
        let mut rows = self.store().ledger(self.namespace(), from);
        let mut lines: Vec<LedgerLine> = Vec::with_capacity(PAGE_LINES);
        while let Some(line) = rows.try_next().await? {
            let is_next = lines.last().is_some_and(|last| last.seq != line.seq);
            if line.seq > to.0 || (is_next && lines.len() >= PAGE_LINES) {
                break;
            }
            lines.push(line);
        }
        Ok(lines)
    }
}
