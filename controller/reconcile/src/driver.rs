//! Watches every kind, keeps the queue, and has a few workers look at one object after the other.

use crate::{
    apply,
    catalog::{Catalog, Sight},
    events::Events,
    kinds::api_resource,
    observe::Others,
    plan::dependents,
    queue::{Key, Queue},
    references,
    status::Pace,
};
use fanfare_core::{ids::Name, model::Kind, time::Clock};
use fanfare_engine::Engine;
use futures::{StreamExt, TryStreamExt};
use kube::{
    Api, Client,
    core::DynamicObject,
    runtime::{WatchStreamExt, watcher},
};
use std::{collections::BTreeSet, sync::Arc, time::Duration};
use tokio::sync::Semaphore;

/// How many objects are looked at at once: enough to fill the writer's batches, few enough to be polite to an API server.
const WORKERS: usize = 16;
/// The longest that an object waits to be looked at again after a fault that may pass.
const RETRY_MAX: Duration = Duration::from_secs(30);
/// An object is looked at again at least so often, whatever happens.
pub(crate) const RESYNC: Duration = Duration::from_secs(600);
/// How often figures are compared with what the status shows.
const FIGURES_EVERY: Duration = Duration::from_secs(2);

/// What the controller works with.
pub struct Config {
    /// The Kubernetes API.
    pub client: Client,
    /// The engine of the namespace that is served.
    pub engine: Engine,
    /// Real time, for Kubernetes' own timestamps.
    pub wall: Arc<dyn Clock>,
    /// The address of the runtime API, shown on the Runtime.
    pub url: String,
}

/// What the workers share.
pub struct Context {
    pub(crate) client: Client,
    pub(crate) engine: Engine,
    pub(crate) wall: Arc<dyn Clock>,
    pub(crate) url: String,
    pub(crate) catalog: Catalog,
    pub(crate) queue: Queue,
    pub(crate) events: Events,
    pub(crate) pace: Pace,
    pub(crate) others: Others,
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

/// Runs until it is dropped. Faults of the API server are waited out.
pub async fn run(config: Config) {
    let Config { client, engine, wall, url } = config;
    let events = Events::new(client.clone());
    let (catalog, queue, pace, others) = (Catalog::default(), Queue::default(), Pace::default(), Others::default());
    let context = Arc::new(Context { client, engine, wall, url, catalog, queue, events, pace, others });
    let mut tasks = tokio::task::JoinSet::new();
    let synced = Arc::new(Semaphore::new(0));
    for kind in Kind::ALL {
        tasks.spawn(watch(context.clone(), kind, synced.clone()));
    }
    // Nothing is judged before every kind was listed once: at a start a Campaign would be told that its Runtime is missing.
    // The semaphore is never closed.
    drop(synced.acquire_many(Kind::ALL.len() as u32).await);
    for _ in 0..WORKERS {
        tasks.spawn(work(context.clone()));
    }
    tasks.spawn(crate::figures::follow(context, FIGURES_EVERY));
    while tasks.join_next().await.is_some() {}
}

/// Follows one kind. After each (re)start of the watch, whatever is known or served and not there any more is queued too.
/// The first complete list gives a permit of `synced`.
async fn watch(context: Arc<Context>, kind: Kind, synced: Arc<Semaphore>) {
    let namespace = context.engine.namespace().to_string();
    let api: Api<DynamicObject> = context.api(kind, &namespace);
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
                sweep(&context, kind, &namespace, &seen);
                if !std::mem::replace(&mut was_listed, true) {
                    synced.add_permits(1);
                }
            }
            Ok(Some(watcher::Event::Apply(object))) => take_in(&context, key_of(kind, &object), object),
            Ok(Some(watcher::Event::Delete(object))) => gone(&context, key_of(kind, &object)),
            Ok(None) => return,
            Err(error) => tracing::warn!(kind = kind.as_str(), %error, "the watch was interrupted"),
        }
    }
}

fn key_of(kind: Kind, object: &DynamicObject) -> Key {
    let namespace = object.metadata.namespace.clone().unwrap_or_default();
    let name = object.metadata.name.clone().unwrap_or_default();
    Key { kind, namespace, name }
}

fn take_in(context: &Context, key: Key, object: DynamicObject) {
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

/// Queues what the database serves, or the catalogue knows, and the API server no longer has.
fn sweep(context: &Context, kind: Kind, namespace: &str, seen: &BTreeSet<Key>) {
    for key in context.catalog.missing(kind, seen) {
        gone(context, key);
    }
    let plans = context.engine.plans();
    let served = plans.revisions.keys().filter(|(served, _)| *served == kind);
    for name in served.map(|(_, name): &(Kind, Name)| name.to_string()) {
        let key = Key { kind, namespace: namespace.into(), name };
        if !seen.contains(&key) {
            context.queue.add(key, Duration::ZERO);
        }
    }
}

/// Looks at one object after the other.
async fn work(context: Arc<Context>) {
    loop {
        let key = context.queue.take().await;
        let again = match apply::reconcile(&context, &key).await {
            Ok(again) => again,
            Err(fault) => {
                let after = context.pace.backoff(&key, RETRY_MAX);
                tracing::warn!(kind = key.kind.as_str(), name = key.name, %fault, ?after, "will be tried again");
                Some(after)
            }
        };
        context.queue.done(&key, again);
    }
}
