//! After a restore: the database may lack what was acknowledged, and nobody knows yet what.
//!
//! While [`store::restored::AWAITS`](fanfare_store::restored::AWAITS) stands, the writer decides nothing that moves value but
//! facts ([`Command::is_fact`]), the worker does nothing that fell due, and reads go on. A named person ends it with
//! [`Reconciled`], once the tills' journals were sent again as facts or the loss is accepted.

use crate::{CallError, Command, Engine, Halt, tx::Tx};
use fanfare_store::{Store, restored::AWAITS};
use serde_json::json;
use std::sync::atomic::Ordering;

/// Why the database awaits its reconciliation, where it does.
///
/// # Errors
/// The store's.
pub async fn awaits(store: &dyn Store) -> fanfare_store::Result<Option<String>> {
    let why = store.setting(AWAITS).await?.filter(|why| !why.is_empty());
    Ok(why.map(|why| String::from_utf8_lossy(&why).into_owned()))
}

impl Engine {
    /// Whether the database awaits its reconciliation, as it was seen last.
    pub fn awaits_reconciliation(&self) -> bool {
        self.shared.awaits.load(Ordering::Relaxed)
    }

    /// Looks again whether it does; answers whether it does.
    ///
    /// # Errors
    /// [`CallError`] when the database does not answer.
    pub async fn look_at_restore(&self) -> Result<bool, CallError> {
        let awaits = awaits(self.store()).await?.is_some();
        self.shared.awaits.store(awaits, Ordering::Relaxed);
        Ok(awaits)
    }
}

/// Says who takes the answer for what a restore may have lost; from then on everything is decided again.
#[derive(Clone, Debug)]
pub struct Reconciled {
    /// Who.
    pub by: String,
    /// What was done about it.
    pub reason: String,
}

impl Command for Reconciled {
    type Answer = ();

    fn run(&self, tx: &mut Tx<'_>) -> Result<(), Halt> {
        tx.audit(&self.by, "restore.reconciled", "database", json!({ "reason": self.reason }));
        tx.set_setting(AWAITS.to_owned(), Vec::new());
        Ok(())
    }
}
