//! Opens engines of namespaces under the leader's epoch.

use crate::{clock::BusinessClock, random};
use fanfare_core::ids::Namespace;
use fanfare_engine::{CallError, Engine};
use fanfare_reconcile::Opener;
use fanfare_store::{Fence, Store};
use futures::future::BoxFuture;
use std::sync::Arc;

/// The database, as one leader may write to it.
pub struct Led {
    /// The database.
    pub store: Arc<dyn Store>,
    /// Business time.
    pub clock: BusinessClock,
    /// The epoch that this leader has raised.
    pub fence: Fence,
}

impl Opener for Led {
    fn open<'a>(&'a self, namespace: &'a str) -> BoxFuture<'a, Result<Engine, CallError>> {
        Box::pin(async move {
            let seed = random::seed().map_err(|error| fanfare_store::Error::Unavailable(error.to_string()))?;
            let (store, clock) = (self.store.clone(), Arc::new(self.clock.clone()));
            Engine::open_under(self.fence.clone(), Namespace::from(namespace), store, clock, seed).await
        })
    }

    fn known(&self) -> BoxFuture<'_, Result<Vec<String>, CallError>> {
        Box::pin(async move { Ok(self.store.namespaces().await?.iter().map(ToString::to_string).collect()) })
    }
}
