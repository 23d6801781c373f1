//! One publisher a namespace on a shared database, an `up` or the controllers of one cluster: a second one would take the
//! first one's resources for deleted and retire them.
//!
//! A setting names who publishes and when it last said so. It keeps people from a mistake; it is no lock
//! for processes that compete.

use crate::{clock::RealClock, random};
use anyhow::{Context, bail};
use fanfare_core::{ids::Namespace, time::Clock};
use fanfare_store::Store;
use std::{path::Path, sync::Arc, time::Duration};

/// How often it is said anew.
const EVERY: Duration = Duration::from_secs(5);
/// After how long without a word somebody else may publish, in seconds.
const GONE_AFTER_S: i64 = 20;

/// The hold of one publisher on one namespace.
pub struct Holder {
    store: Arc<dyn Store>,
    clock: RealClock,
    setting: String,
    /// What this publisher is called.
    publisher: String,
}

impl Holder {
    /// Takes the namespace for this data folder.
    ///
    /// # Errors
    /// When another one publishes to it.
    pub async fn take(store: &Arc<dyn Store>, clock: &RealClock, ns: &Namespace, data: &Path) -> anyhow::Result<Self> {
        Self::take_as(store, clock, ns, name_of(data)?).await
    }

    /// Takes the namespace for a publisher of this name, which holds no space.
    ///
    /// # Errors
    /// When another one publishes to it.
    pub async fn take_as(
        store: &Arc<dyn Store>,
        clock: &RealClock,
        ns: &Namespace,
        publisher: String,
    ) -> anyhow::Result<Self> {
        let setting = format!("publisher/{ns}");
        let holder = Self { store: store.clone(), clock: clock.clone(), setting, publisher };
        let said = holder.said();
        let stands = store.first_setting(&holder.setting, said.as_bytes()).await?;
        holder.check(&stands)?;
        store.set_setting(&holder.setting, said.as_bytes()).await?;
        Ok(holder)
    }

    fn said(&self) -> String {
        format!("{} {}", self.publisher, self.clock.now().timestamp())
    }

    fn check(&self, stands: &[u8]) -> anyhow::Result<()> {
        let stands = String::from_utf8_lossy(stands);
        let (publisher, at) = stands.split_once(' ').unwrap_or_default();
        let age_s = self.clock.now().timestamp() - at.parse::<i64>().unwrap_or(0);
        if publisher != self.publisher && age_s < GONE_AFTER_S {
            bail!(
                "--database: another `fanfare up`, or the controller of a cluster, publishes to this namespace, and each \
                 would retire what the other has; stop it and try again in {GONE_AFTER_S} s, or serve the namespace with \
                 `fanfare runtime`"
            );
        }
        Ok(())
    }

    /// Says it again and again.
    ///
    /// # Errors
    /// When another one has taken the namespace.
    pub async fn keep(self: Arc<Self>) -> anyhow::Result<()> {
        loop {
            tokio::time::sleep(EVERY).await;
            match self.store.setting(&self.setting).await {
                Ok(Some(stands)) => self.check(&stands)?,
                Ok(None) => {}
                Err(_) => continue,
            }
            if let Err(error) = self.store.set_setting(&self.setting, self.said().as_bytes()).await {
                tracing::debug!(%error, "the database was not told who publishes");
            }
        }
    }

    /// Leaves the namespace to whoever comes.
    pub async fn leave(&self) {
        drop(self.store.set_setting(&self.setting, format!("{} 0", self.publisher).as_bytes()).await);
    }
}

/// The name of a data folder, made once, so that the same one is let in again after a crash.
fn name_of(data: &Path) -> anyhow::Result<String> {
    let path = data.join("publisher");
    if let Ok(name) = std::fs::read_to_string(&path) {
        return Ok(name);
    }
    let seed = random::seed()?;
    let name: String = seed.iter().take(16).map(|byte| format!("{byte:02x}")).collect();
    std::fs::write(&path, &name).with_context(|| format!("{} cannot be written", path.display()))?;
    Ok(name)
}
