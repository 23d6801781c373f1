//! The engines of the namespaces that are served: each is opened when something of its namespace is first looked at.

use fanfare_engine::{CallError, Engine};
use futures::future::BoxFuture;
use parking_lot::Mutex;
use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
};
use tokio::sync::OnceCell;

/// Which namespaces a controller looks after.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Scope {
    /// Every namespace of the API server.
    All,
    /// These alone.
    Only(BTreeSet<String>),
}

impl Scope {
    /// Whether a namespace is looked after.
    pub fn has(&self, namespace: &str) -> bool {
        match self {
            Self::All => true,
            Self::Only(named) => named.contains(namespace),
        }
    }

    /// The namespaces to watch one by one; `None` stands for all of them at once.
    pub fn watched(&self) -> Vec<Option<String>> {
        match self {
            Self::All => vec![None],
            Self::Only(named) => named.iter().cloned().map(Some).collect(),
        }
    }
}

/// Opens engines on the database.
pub trait Opener: Send + Sync {
    /// The engine of a namespace.
    fn open<'a>(&'a self, namespace: &'a str) -> BoxFuture<'a, Result<Engine, CallError>>;
    /// The namespaces that the database knows.
    fn known(&self) -> BoxFuture<'_, Result<Vec<String>, CallError>>;
}

/// One engine that is open already, and nothing beside it.
impl Opener for Engine {
    fn open<'a>(&'a self, namespace: &'a str) -> BoxFuture<'a, Result<Engine, CallError>> {
        let is_ours = self.namespace().as_str() == namespace;
        Box::pin(async move { if is_ours { Ok(self.clone()) } else { Err(CallError::Stopped) } })
    }

    fn known(&self) -> BoxFuture<'_, Result<Vec<String>, CallError>> {
        Box::pin(async move { Ok(vec![self.namespace().to_string()]) })
    }
}

/// The engines that were opened.
pub(crate) struct Engines {
    opener: Arc<dyn Opener>,
    open: Mutex<BTreeMap<String, Arc<OnceCell<Engine>>>>,
}

impl Engines {
    pub(crate) fn new(opener: Arc<dyn Opener>) -> Self {
        Self { opener, open: Mutex::default() }
    }

    /// The engine of a namespace. Whoever comes while it is being opened waits for it.
    pub(crate) async fn of(&self, namespace: &str) -> Result<Engine, CallError> {
        let cell = self.open.lock().entry(namespace.to_owned()).or_default().clone();
        cell.get_or_try_init(|| self.opener.open(namespace)).await.cloned()
    }

    /// The engines that are open.
    pub(crate) fn all(&self) -> Vec<Engine> {
        self.open.lock().values().filter_map(|cell| cell.get().cloned()).collect()
    }

    /// The namespaces that the database knows.
    pub(crate) async fn known(&self) -> Result<Vec<String>, CallError> {
        self.opener.known().await
    }
}
