//! Watches every kind, keeps the queue, and has a few workers look at one object after the other.

use crate::{
    apply,
    catalog::{Catalog, Sight},
    events::{self, Events},
    kinds::api_resource,
    measure::Metrics,
    namespaces::{Engines, Opener, Scope},
    observe::Others,
    plan::dependents,
    queue::{Key, Queue},
    references,
    secrets::Logins,
    status::Pace,
};
use fanfare_core::{model::Kind, time::Clock};
use fanfare_engine::Engine;
use futures::{StreamExt, TryStreamExt, stream};
use kube::{
    Api, Client,
    core::DynamicObject,
    runtime::{WatchStreamExt, watcher},
};
use std::{
    collections::BTreeSet,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};
use tokio::{
    sync::{Notify, Semaphore},
    time::Instant,
};

/// How many objects are looked at at once: enough to fill the writer's batches.
const WORKERS: usize = 128;
/// How many of them write to the API server at once, which is polite.
const WRITES_MAX: usize = 16;
/// The longest that an object waits to be looked at again after a fault that may pass.
const RETRY_MAX: Duration = Duration::from_secs(30);
/// An object is looked at again at least so often, whatever happens.
pub(crate) const RESYNC: Duration = Duration::from_secs(600);
/// How often figures are compared with what the status shows.
const FIGURES_EVERY: Duration = Duration::from_secs(2);
/// How long a start waits before it asks the database again which namespaces it knows.
const SWEEP_AGAIN: Duration = Duration::from_secs(2);

/// Whether the one who asks may still write: asked before each write to the API server.
pub type MayWrite = Arc<dyn Fn() -> bool + Send + Sync>;

/// What the controller works with.
pub struct Config {
    /// The Kubernetes API.
    pub client: Client,
    /// Which namespaces are looked after.
    pub scope: Scope,
    /// The engines of their namespaces.
    pub opener: Arc<dyn Opener>,
    /// Real time, for Kubernetes' own timestamps.
    pub wall: Arc<dyn Clock>,
    /// The address of the runtime API, shown on the Runtime; `{namespace}` in it stands for the namespace.
    pub url: Option<String>,
    /// Whether it may write.
    pub may_write: MayWrite,
    /// Where logins of channels come from.
    pub logins: Logins,
    /// Where it is counted what is done.
    pub metrics: Metrics,
}

/// What the workers share.
pub struct Context {
    pub(crate) client: Client,
    pub(crate) engines: Engines,
    pub(crate) scope: Scope,
    pub(crate) wall: Arc<dyn Clock>,
    pub(crate) url: Option<String>,
    pub(crate) may_write: MayWrite,
    pub(crate) logins: Logins,
    pub(crate) metrics: Metrics,
    pub(crate) catalog: Catalog,
    pub(crate) queue: Queue,
    pub(crate) events: Events,
    pub(crate) pace: Pace,
    pub(crate) others: Others,
    /// A place for each write to the API server.
    pub(crate) writes: Semaphore,
    is_deposed: AtomicBool,
    deposed: Notify,
}

impl Context {
    pub(crate) fn api(&self, kind: Kind, namespace: &str) -> Api<DynamicObject> {
        Api::namespaced_with(self.client.clone(), namespace, &api_resource(kind))
    }

    /// Has everything that may name this object looked at again.
    fn touch_dependents(&self, changed: &Key) {
        for kind in dependents(changed.kind) {
            for (key, object) in self.catalog.of_kind(*kind, &changed.namespace) {
                let spec = object.data.get("spec").unwrap_or(&serde_json::Value::Null);
                let named = || references::of(*kind, spec).contains(&(changed.kind, changed.name.clone()));
                if key != *changed && (changed.kind == Kind::CampaignRuntime || named()) {
                    self.queue.add(key, Duration::ZERO);
                }
            }
        }
    }
}

/// Runs until it is dropped, or until the database says that another has taken over. Faults of the API server are waited
/// out.
pub async fn run(config: Config) {
    let Config { client, scope, opener, wall, url, may_write, logins, metrics } = config;
    let (events, notes) = Events::new(client.clone(), metrics.clone());
    let (catalog, queue, pace, others) = (Catalog::default(), Queue::default(), Pace::default(), Others::default());
    let engines = Engines::new(opener);
    let context = Arc::new(Context {
        client,
        engines,
        scope,
        wall,
        url,
        may_write,
        logins,
        metrics,
        catalog,
        queue,
        events,
        pace,
        others,
        writes: Semaphore::new(WRITES_MAX),
        is_deposed: AtomicBool::new(false),
        deposed: Notify::new(),
    });
    context.metrics.runs_now(&context);
    let mut tasks = tokio::task::JoinSet::new();
    let synced = Arc::new(Semaphore::new(0));
    let watched = context.scope.watched();
    let watches = watched.len() * Kind::ALL.len();
    for namespace in watched {
        for kind in Kind::ALL {
            tasks.spawn(watch(context.clone(), kind, namespace.clone(), synced.clone()));
        }
    }
    // Nothing is judged before every kind was listed once: at a start a Campaign would be told that its Runtime is missing.
    // The semaphore is never closed.
    drop(synced.acquire_many(u32::try_from(watches).unwrap_or(u32::MAX)).await);
    // The Runtimes first: without one, everything of its namespace would be refused and tried again. They stay in the queue,
    // where a fault is dealt with.
    let runtimes = stream::iter(context.catalog.keys(Kind::CampaignRuntime));
    let look_first = async |key: Key| drop(look(&context, &key).await);
    runtimes.map(look_first).buffer_unordered(WRITES_MAX).collect::<()>().await;
    for _ in 0..WORKERS {
        tasks.spawn(work(context.clone()));
    }
    tasks.spawn(events::tell(context.clone(), notes));
    tasks.spawn(sweep_database(context.clone()));
    tasks.spawn(crate::figures::follow(context.clone(), FIGURES_EVERY));
    context.deposed.notified().await;
}

/// Follows one kind. After each (re)start of the watch, whatever is known or served and not there any more is queued too.
/// The first complete list gives a permit of `synced`.
async fn watch(context: Arc<Context>, kind: Kind, namespace: Option<String>, synced: Arc<Semaphore>) {
    let api: Api<DynamicObject> = match &namespace {
        Some(namespace) => context.api(kind, namespace),
        None => Api::all_with(context.client.clone(), &api_resource(kind)),
    };
    let mut stream = watcher(api, watcher::Config::default()).default_backoff().boxed();
    let mut seen = BTreeSet::new();
    let mut was_listed = false;
    loop {
        match stream.try_next().await {
            Ok(Some(watcher::Event::Init)) => seen.clear(),
            Ok(Some(watcher::Event::InitApply(object))) => {
                let key = key_of(kind, &object);
                seen.insert(key.clone());
                take_in(&context, key, object);
            }
            Ok(Some(watcher::Event::InitDone)) => {
                for key in context.catalog.missing(kind, namespace.as_deref(), &seen) {
                    gone(&context, key);
                }
                if std::mem::replace(&mut was_listed, true) {
                    let watched =
                        |engine: &Engine| namespace.as_deref().is_none_or(|n| n == engine.namespace().as_str());
                    context.engines.all().iter().filter(|engine| watched(engine)).for_each(|engine| {
                        sweep(&context, engine, &[kind]);
                    });
                } else {
                    synced.add_permits(1);
                }
            }
            Ok(Some(watcher::Event::Apply(object))) => take_in(&context, key_of(kind, &object), object),
            Ok(Some(watcher::Event::Delete(object))) => gone(&context, key_of(kind, &object)),
            Ok(None) => return,
            Err(error) => {
                context.metrics.watch_restarted(kind);
                tracing::warn!(kind = kind.as_str(), %error, "the watch was interrupted");
            }
        }
    }
}

fn key_of(kind: Kind, object: &DynamicObject) -> Key {
    let namespace = object.metadata.namespace.clone().unwrap_or_default();
    let name = object.metadata.name.clone().unwrap_or_default();
    Key { kind, namespace, name }
}

fn take_in(context: &Context, key: Key, mut object: DynamicObject) {
    // Half of an object and of no use here.
    object.metadata.managed_fields = None;
    match context.catalog.see(key.clone(), object) {
        Sight::New | Sight::Changed => {
            context.touch_dependents(&key);
            context.queue.add(key, Duration::ZERO);
        }
        Sight::Same => {}
    }
}

fn gone(context: &Context, key: Key) {
    context.catalog.forget(&key);
    context.touch_dependents(&key);
    context.queue.add(key, Duration::ZERO);
}

/// Queues what the database serves and the API server no longer has.
fn sweep(context: &Context, engine: &Engine, kinds: &[Kind]) {
    let plans = engine.plans();
    for (kind, name) in plans.revisions.keys().filter(|(kind, _)| kinds.contains(kind)) {
        let key = Key { kind: *kind, namespace: engine.namespace().to_string(), name: name.to_string() };
        if context.catalog.get(&key).is_none() {
            context.queue.add(key, Duration::ZERO);
        }
    }
}

/// Once every kind was listed: what was deleted while nobody looked is retired, in each namespace that the database
/// knows. This stands in for finalizers.
async fn sweep_database(context: Arc<Context>) {
    let mut left = loop {
        match context.engines.known().await {
            Ok(known) => break known.into_iter().filter(|known| context.scope.has(known)).collect::<Vec<_>>(),
            Err(error) => tracing::warn!(%error, "the database does not tell its namespaces; asked again"),
        }
        tokio::time::sleep(SWEEP_AGAIN).await;
    };
    while let Some(namespace) = left.pop() {
        match context.engines.of(&namespace).await {
            Ok(engine) => sweep(&context, &engine, &Kind::ALL),
            Err(error) => {
                tracing::warn!(namespace, %error, "a namespace cannot be opened; tried again");
                left.insert(0, namespace);
                tokio::time::sleep(SWEEP_AGAIN).await;
            }
        }
    }
}

/// Looks at one object, and counts what came of it.
async fn look(context: &Context, key: &Key) -> Result<Option<Duration>, apply::Error> {
    let began = Instant::now();
    let looked = apply::reconcile(context, key).await;
    context.metrics.ran(key, &looked, began.elapsed());
    looked
}

/// Looks at one object after the other.
async fn work(context: Arc<Context>) {
    loop {
        let key = context.queue.take().await;
        let again = match look(&context, &key).await {
            Ok(again) => again,
            Err(fault) if fault.is_fenced() => {
                // Once is enough: whatever else is due is of no use to one that may not write.
                if !context.is_deposed.swap(true, Ordering::Relaxed) {
                    tracing::warn!(%fault, "another has taken over");
                }
                context.deposed.notify_one();
                return;
            }
            Err(fault) => {
                let after = context.pace.backoff(&key, RETRY_MAX);
                let Key { kind, namespace, name } = &key;
                tracing::warn!(kind = kind.as_str(), namespace, name, %fault, ?after, "will be tried again");
                Some(after)
            }
        };
        context.queue.done(&key, again);
    }
}
