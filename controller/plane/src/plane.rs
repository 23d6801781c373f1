//! The plane as its owner sees it: start, client, serve, stop; and the state that every handler shares.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;

use parking_lot::{Mutex, RwLock};
use serde_json::Value;
use tokio::net::TcpListener;
use tokio::sync::{Notify, watch};
use tower::ServiceExt;

use crate::admission::{Admission, AllowAll};
use crate::decode::Decoded;
use crate::gc;
use crate::namespace;
use crate::object::{GroupResource, Key, Stored};
use crate::patch::apply::Conflicts;
use crate::registry::{CRD_GROUP, CRD_PLURAL, Registry, Resource};
use crate::request::Subresource;
use crate::server::{self, ServeError};
use crate::sqlite::DatabaseError;
use crate::status::ApiError;
use crate::storage::Store;
use crate::watch_cache::Snapshot;
use crate::write::{Admit, Change, FieldValidation, PatchKind, WriteRequest, Written, write};

/// Events older than this are deleted, as a real API server does.
const EVENT_TTL_DEFAULT_S: u32 = 3600;
/// Changes of one resource that a watch can resume over.
const WATCH_LOG_EVENTS_DEFAULT: usize = 10_000;
/// The field manager of what the plane itself writes.
pub(crate) const OWN_MANAGER: &str = "fanfare-plane";

/// Gives the time for timestamps, ages and the expiry of events.
pub type Clock = Arc<dyn Fn() -> jiff::Timestamp + Send + Sync>;
/// Gives a new random uid; generated names come from it too.
pub type UidSource = Arc<dyn Fn() -> uuid::Uuid + Send + Sync>;

/// What a plane is started with.
#[derive(Clone)]
pub struct PlaneConfig {
    /// The SQLite file, made when it is absent; its folder must exist. One process at a time.
    pub database: PathBuf,
    /// CustomResourceDefinitions that are created or updated before anything is served.
    pub crds: Vec<Value>,
    /// Asked about every create and update.
    pub admission: Arc<dyn Admission>,
    /// Time.
    pub clock: Clock,
    /// Chance.
    pub uids: UidSource,
    /// Time after their last write at which Events are deleted, in seconds.
    pub event_ttl_s: u32,
    /// History kept for each resource, in changes; a watch that is further behind is told 410 Gone.
    pub watch_log_events_max: usize,
}

impl PlaneConfig {
    /// No CRDs, everything admitted, version 4 uids.
    pub fn new(database: impl Into<PathBuf>, clock: Clock) -> Self {
        Self {
            database: database.into(),
            crds: Vec::new(),
            admission: Arc::new(AllowAll),
            clock,
            uids: Arc::new(uuid::Uuid::new_v4),
            event_ttl_s: EVENT_TTL_DEFAULT_S,
            watch_log_events_max: WATCH_LOG_EVENTS_DEFAULT,
        }
    }
}

/// Why a plane cannot start.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    /// The file cannot be opened.
    #[error(transparent)]
    Database(#[from] DatabaseError),
    /// A CRD that was handed over is refused.
    #[error("the plane refuses the CRD {name}: {reason}")]
    Crd {
        /// `metadata.name` of the CRD.
        name: String,
        /// The refusal.
        reason: String,
    },
    /// The first namespaces cannot be written.
    #[error("the plane cannot write its first objects: {0}")]
    FirstObjects(String),
}

/// State shared by every handler.
pub(crate) struct Inner {
    pub(crate) store: Store,
    registry: RwLock<Arc<Registry>>,
    /// Held while the registry is rebuilt, so that the last CRD written is always in it.
    refreshing: Mutex<()>,
    pub(crate) config: PlaneConfig,
    /// Wakes garbage collection.
    pub(crate) swept: Arc<Notify>,
    stop: watch::Sender<bool>,
}

impl Inner {
    pub(crate) fn registry(&self) -> Arc<Registry> {
        self.registry.read().clone()
    }

    pub(crate) fn now(&self) -> jiff::Timestamp {
        (self.config.clock)()
    }

    /// RFC 3339 in whole seconds, as `metav1.Time` is written.
    pub(crate) fn now_text(&self) -> String {
        jiff::Timestamp::from_second(self.now().as_second()).unwrap_or_default().to_string()
    }

    /// Turns true when the plane stops.
    pub(crate) fn stopping(&self) -> watch::Receiver<bool> {
        self.stop.subscribe()
    }

    /// Returns when the plane stops.
    pub(crate) async fn stopped(&self) {
        drop(self.stopping().wait_for(|stop| *stop).await);
    }

    /// Makes the registry follow the CRDs that are stored.
    pub(crate) fn refresh_registry(&self) {
        let _guard = self.refreshing.lock();
        let crds = GroupResource::new(CRD_GROUP, CRD_PLURAL);
        if let Ok(Snapshot { objects, .. }) = self.store.cache.snapshot(&crds, None, None, None) {
            let next = self.registry().with_crds(&objects);
            *self.registry.write() = Arc::new(next);
        }
    }

    pub(crate) fn get(&self, resource: &Resource, namespace: &str, name: &str) -> Result<Arc<Stored>, ApiError> {
        let key = Key::new(&resource.store, namespace, name);
        self.store.cache.get(&key).ok_or_else(|| ApiError::not_found(resource, name))
    }

    /// Writes on the plane's own behalf, without admission.
    pub(crate) async fn write_own(
        &self,
        resource: &Arc<Resource>,
        namespace: &str,
        name: &str,
        change: Change,
    ) -> Result<Written, ApiError> {
        let request = WriteRequest {
            resource,
            namespace,
            name: Some(name),
            subresource: Subresource::Main,
            change,
            dry_run: false,
            manager: OWN_MANAGER.to_owned(),
            conflicts: Conflicts::TakeOver,
            validation: FieldValidation::Warn,
            admit: Admit::Skip,
        };
        write(self, &request).await
    }
}

/// A running API server. Clones are handles on the same one.
#[derive(Clone)]
pub struct Plane {
    inner: Arc<Inner>,
}

impl Plane {
    /// Opens the database, installs the CRDs and begins housekeeping.
    ///
    /// # Errors
    /// [`StartError`].
    pub async fn start(mut config: PlaneConfig) -> Result<Self, StartError> {
        let crds = std::mem::take(&mut config.crds);
        let store = Store::open(&config.database, config.watch_log_events_max).await?;
        let inner = Arc::new(Inner {
            store,
            registry: RwLock::new(Arc::new(Registry::builtin())),
            refreshing: Mutex::new(()),
            config,
            swept: Arc::new(Notify::new()),
            stop: watch::Sender::new(false),
        });
        inner.refresh_registry();
        namespace::create_first(&inner).await.map_err(|e| StartError::FirstObjects(e.message))?;
        for crd in crds {
            install(&inner, crd).await?;
        }
        gc::spawn(&inner);
        Ok(Self { inner })
    }

    /// A client in this process: no TCP, no TLS. Its default namespace is `default`.
    pub fn client(&self) -> kube::Client {
        let service = crate::route::service(self.inner.clone());
        let service = service.map_request(|r: http::Request<kube::client::Body>| r.map(axum::body::Body::new));
        kube::Client::new(service, "default")
    }

    /// Serves plain HTTP on a loopback listener until the plane stops.
    ///
    /// # Errors
    /// When the listener is not on loopback, or cannot accept.
    pub async fn serve(&self, listener: TcpListener) -> Result<(), ServeError> {
        server::serve(self.inner.clone(), listener).await
    }

    /// A kubeconfig, as YAML, for a plane that is served at `addr`.
    pub fn kubeconfig(&self, addr: SocketAddr, namespace: &str) -> String {
        server::kubeconfig(addr, namespace)
    }

    /// Ends watches and connections, finishes the writes that were accepted, and closes the database.
    pub async fn stop(&self) {
        self.inner.stop.send_replace(true);
        self.inner.store.close().await;
    }
}

/// Creates or updates one CRD.
async fn install(inner: &Arc<Inner>, crd: Value) -> Result<(), StartError> {
    let name = crd["metadata"]["name"].as_str().unwrap_or_default().to_owned();
    let failed = |e: ApiError| StartError::Crd { name: name.clone(), reason: e.message };
    let Some(resource) = inner.registry().get(CRD_GROUP, "v1", CRD_PLURAL) else { return Ok(()) };
    let body = Decoded { value: crd, duplicates: Vec::new() };
    let change = Change::Patch(PatchKind::Apply, body);
    inner.write_own(&resource, "", &name, change).await.map(drop).map_err(failed)
}
