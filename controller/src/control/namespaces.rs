//! Opens engines of namespaces under the leader's epoch, each held against whoever else may publish to it.

use crate::{
    clock::{BusinessClock, RealClock},
    random,
    up::holder::Holder,
};
use fanfare_core::ids::Namespace;
use fanfare_engine::{CallError, Engine};
use fanfare_reconcile::Opener;
use fanfare_store::{Error, Fence, Store};
use futures::future::BoxFuture;
use std::sync::Arc;
use tokio::{sync::Mutex, task::JoinSet};

/// The database, as one leader may write to it.
pub struct Led {
    store: Arc<dyn Store>,
    real: RealClock,
    clock: BusinessClock,
    fence: Fence,
    /// What keeps the holds; it ends with this value.
    holds: Mutex<JoinSet<()>>,
}

impl Led {
    /// For a leader that has raised this epoch.
    pub fn new(store: Arc<dyn Store>, real: RealClock, clock: BusinessClock, fence: Fence) -> Self {
        Self { store, real, clock, fence, holds: Mutex::default() }
    }

    /// Replicas of one controller are one publisher: whoever leads takes the hold of the one before.
    async fn hold(&self, namespace: &Namespace) -> Result<(), Error> {
        let publisher = self.fence.setting.clone();
        let taken = Holder::take_as(&self.store, &self.real, namespace, publisher).await;
        let holder = Arc::new(taken.map_err(|error| Error::Locked(error.to_string()))?);
        let namespace = namespace.clone();
        self.holds.lock().await.spawn(async move {
            if let Err(error) = holder.keep().await {
                tracing::error!(%namespace, %error, "a namespace is not held any more");
            }
        });
        Ok(())
    }
}

impl Opener for Led {
    fn open<'a>(&'a self, namespace: &'a str) -> BoxFuture<'a, Result<Engine, CallError>> {
        Box::pin(async move {
            let namespace = Namespace::from(namespace);
            self.hold(&namespace).await?;
            let seed = random::seed().map_err(|error| Error::Unavailable(error.to_string()))?;
            let (store, clock) = (self.store.clone(), Arc::new(self.clock.clone()));
            Engine::open_under(self.fence.clone(), namespace, store, clock, seed).await
        })
    }

    fn known(&self) -> BoxFuture<'_, Result<Vec<String>, CallError>> {
        Box::pin(async move { Ok(self.store.namespaces().await?.iter().map(ToString::to_string).collect()) })
    }
}
