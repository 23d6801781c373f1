//! After a restore: the database may lack what was acknowledged, and nobody knows yet what.
//!
//! While [`store::restored::AWAITS`](fanfare_store::restored::AWAITS) stands, the writer decides nothing that moves value but
//! facts ([`Command::is_fact`]), the worker does nothing that fell due, and reads go on. A named person ends it with
//! [`Reconciled`], once the tills' journals were sent again as facts or the loss is accepted.

use crate::{CallError, Command, Engine, Halt, tx::Tx};
use chrono::SecondsFormat;
use fanfare_core::time::{Clock, Ts};
use fanfare_store::{Error, Store, restored::AWAITS};
use serde_json::{Value, json};

/// The action of the audit trail that says that a restore was named by a person.
pub const NOTED: &str = "restore.noted";
/// The action of the audit trail that says who answers for a restore.
pub const RECONCILED: &str = "restore.reconciled";

/// The setting with the instant, in business time, when an engine first saw the restore that began this incarnation. What
/// is said to have occurred before it can be a fact of what was lost; later nothing was decided, so nothing was lost.
fn since_setting(incarnation: i64) -> String {
    format!("awaiting-since/{incarnation}")
}

/// A restore that nobody has answered for yet.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Awaiting {
    /// What is known of it.
    pub why: String,
    /// When it was first seen, in business time.
    pub since: Ts,
    /// It was seen here first, so nobody was told before.
    pub is_new: bool,
}

/// The restore that the database awaits the reconciliation of, where it does.
pub(crate) async fn awaits(store: &dyn Store, clock: &dyn Clock) -> fanfare_store::Result<Option<Awaiting>> {
    let Some(why) = store.setting(AWAITS).await?.filter(|why| !why.is_empty()) else { return Ok(None) };
    let why = String::from_utf8_lossy(&why).into_owned();
    let (since, is_new) = first_seen(store, clock, store.incarnation()).await?;
    Ok(Some(Awaiting { why, since, is_new }))
}

/// When the restore that began an incarnation was first seen, and whether that is now.
async fn first_seen(store: &dyn Store, clock: &dyn Clock, incarnation: i64) -> fanfare_store::Result<(Ts, bool)> {
    let setting = since_setting(incarnation);
    let (stands, is_new) = match store.setting(&setting).await? {
        Some(stands) => (stands, false),
        None => {
            let now = clock.now().to_rfc3339_opts(SecondsFormat::Micros, true).into_bytes();
            let stands = store.first_setting(&setting, &now).await?;
            let is_new = stands == now;
            (stands, is_new)
        }
    };
    let text = String::from_utf8_lossy(&stands);
    let since = text.parse().map_err(|_| Error::Corrupt(format!("the setting {setting} is no instant: {text}")))?;
    Ok((since, is_new))
}

/// Starts an incarnation because a lane is behind what was acknowledged here; answers what everybody is told from now on.
pub(crate) async fn went_back(store: &dyn Store, why: &str) -> Error {
    tracing::error!(why, "the database has gone back");
    match store.restored(why).await {
        Ok(_) => Error::Restored(format!("{why}; start this process anew")),
        Err(error) => error,
    }
}

impl Engine {
    /// The restore that the database awaits the reconciliation of, as it was seen last.
    pub fn awaiting(&self) -> Option<Awaiting> {
        self.shared.awaits.lock().clone()
    }

    /// Looks again whether there is one.
    ///
    /// # Errors
    /// [`CallError`] when the database does not answer.
    pub async fn look_at_restore(&self) -> Result<Option<Awaiting>, CallError> {
        let awaits = awaits(self.store(), self.clock()).await?;
        self.shared.awaits.lock().clone_from(&awaits);
        Ok(awaits)
    }

    /// Starts an incarnation because a person says that the database was restored. Whoever has it open, this engine too,
    /// is refused from then on.
    ///
    /// # Errors
    /// [`CallError`] when the database does not answer.
    pub async fn restored(&self, why: &str) -> Result<(), CallError> {
        let number = self.store().restored(why).await?;
        first_seen(self.store(), self.clock(), number).await?;
        Ok(())
    }
}

/// Says in the audit trail what a person said of the database.
#[derive(Clone, Debug)]
pub struct Said {
    /// Who.
    pub by: String,
    /// [`NOTED`] or [`RECONCILED`].
    pub action: &'static str,
    /// What.
    pub detail: Value,
}

impl Command for Said {
    type Answer = ();

    fn run(&self, tx: &mut Tx<'_>) -> Result<(), Halt> {
        tx.audit(&self.by, self.action, "database", self.detail.clone());
        Ok(())
    }
}

/// Says who takes the answer for what a restore may have lost; from then on everything is decided again.
#[derive(Clone, Debug)]
pub struct Reconciled {
    /// Who.
    pub by: String,
    /// What was done about it.
    pub reason: String,
    /// What was known of the restore.
    pub of: String,
}

impl Reconciled {
    /// What stands in the audit trail, also of namespaces that somebody else decides for.
    pub fn said(&self) -> Said {
        let detail = json!({ "reason": self.reason, "restore": self.of });
        Said { by: self.by.clone(), action: RECONCILED, detail }
    }
}

impl Command for Reconciled {
    type Answer = ();

    fn run(&self, tx: &mut Tx<'_>) -> Result<(), Halt> {
        self.said().run(tx)?;
        tx.set_setting(AWAITS.to_owned(), Vec::new());
        Ok(())
    }
}
