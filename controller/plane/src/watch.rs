//! Watch: changes after a version, or the present state and then changes; with bookmarks, selector transitions and
//! 410 Gone when the client is further behind than the history reaches.
//!
//! A watcher keeps nothing but a position in the shared history and references to the objects that it begins with: what is
//! encoded is one chunk at a time, so a slow one costs no memory.

use std::convert::Infallible;
use std::sync::Arc;
use std::time::Duration;

use axum::body::Body;
use bytes::{BufMut, Bytes, BytesMut};
use serde_json::{Value, json};
use tokio::sync::watch;
use tokio::time::{Instant, Interval, MissedTickBehavior, interval_at, sleep_until};

use crate::list::{self, PIECE_BYTES};
use crate::object::Stored;
use crate::plane::Inner;
use crate::registry::Resource;
use crate::request::{ApiRequest, Shape};
use crate::respond::{self, Response};
use crate::selector::Selector;
use crate::status::ApiError;
use crate::table::{self, Include};
use crate::watch_cache::{Compacted, Event};

/// A watch ends after this time unless the client asks for less: clients reconnect, and what they leave is freed.
const DURATION_MAX_S: u64 = 3600;
const BOOKMARK_EVERY_S: u64 = 30;
const BOOKMARK_BEFORE_END_S: u64 = 2;
/// Events that are looked at for one chunk of the response.
const CHUNK_EVENTS_MAX: usize = 256;

/// Answers GET with `watch=true`.
pub(crate) fn watch(inner: &Arc<Inner>, request: &ApiRequest) -> Result<Response, ApiError> {
    let selector = list::selector(request)?;
    list::check_options(request)?;
    let asked_s = request.query.integer("timeoutSeconds")?.and_then(|s| u64::try_from(s).ok()).filter(|s| *s > 0);
    let duration = Duration::from_secs(asked_s.unwrap_or(DURATION_MAX_S).min(DURATION_MAX_S));
    let resource = request.resource.clone();
    let cache = &inner.store.cache;
    // Subscribed before anything is read, so that no change falls between.
    let changed = cache.subscribe(&resource.store);
    let asked = request.query.get("resourceVersion");
    let initial = request.query.is_true("sendInitialEvents");
    let bookmarks = request.query.is_true("allowWatchBookmarks");
    let since = match asked {
        Some(text) if !initial && text != "0" => {
            let version = text.parse().map_err(|_| ApiError::bad_request(format!("invalid resourceVersion {text}")))?;
            list::require_reached(inner, version)?;
            Some(version)
        }
        _ => None,
    };
    let mut watcher = Watcher {
        view: View {
            resource,
            namespace: request.namespace_filter().map(str::to_owned),
            selector,
            shape: request.shape,
            include: Include::parse(request.query.get("includeObject")),
            columns_sent: false,
        },
        state: Vec::new().into_iter(),
        mark_end: false,
        position: 0,
        changed,
        stopping: inner.stopping(),
        bookmark: bookmarks.then(|| bookmark_interval(duration)),
        ends_at: Instant::now() + duration,
        out: BytesMut::new(),
        done: false,
        inner: inner.clone(),
    };
    match since {
        Some(version) => watcher.position = version,
        None => watcher.begin_with_state(initial && bookmarks)?,
    }
    let stream =
        futures::stream::unfold(watcher, |mut w| async move { w.next().await.map(|b| (Ok::<_, Infallible>(b), w)) });
    Ok(respond::bytes(200, "application/json", Body::from_stream(stream)))
}

/// Regularly, and early enough in a short watch that the client resumes from what it saw.
fn bookmark_interval(duration: Duration) -> Interval {
    let every = Duration::from_secs(BOOKMARK_EVERY_S);
    let first = every.min(duration.saturating_sub(Duration::from_secs(BOOKMARK_BEFORE_END_S)));
    let mut interval = interval_at(Instant::now() + first, every);
    interval.set_missed_tick_behavior(MissedTickBehavior::Delay);
    interval
}

struct Watcher {
    inner: Arc<Inner>,
    view: View,
    /// What is left of the state with which the watch began.
    state: std::vec::IntoIter<Arc<Stored>>,
    /// Whether its end is to be told.
    mark_end: bool,
    /// Everything up to this version has been sent, or stands in the state.
    position: u64,
    changed: watch::Receiver<u64>,
    stopping: watch::Receiver<bool>,
    bookmark: Option<Interval>,
    ends_at: Instant,
    /// What is encoded and not yet sent.
    out: BytesMut,
    done: bool,
}

impl Watcher {
    fn begin_with_state(&mut self, mark_end: bool) -> Result<(), ApiError> {
        let View { resource, namespace, .. } = &self.view;
        let snapshot = self.inner.store.cache.snapshot(&resource.store, namespace.as_deref(), None, None);
        let snapshot = snapshot.map_err(|_| ApiError::expired("the resource's history is being rebuilt"))?;
        self.position = snapshot.version;
        self.state = snapshot.objects.into_iter();
        self.mark_end = mark_end;
        Ok(())
    }

    /// The next chunk; `None` at the end.
    async fn next(&mut self) -> Option<Bytes> {
        while self.out.is_empty() && !self.done {
            if let Err(error) = self.advance().await {
                self.done = true;
                line(&mut self.out, "ERROR", error.to_value().to_string().as_bytes());
            }
        }
        (!self.out.is_empty()).then(|| self.out.split().freeze())
    }

    /// Encodes some of what happened since; waits when that is nothing.
    async fn advance(&mut self) -> Result<(), ApiError> {
        while self.out.len() < PIECE_BYTES
            && let Some(object) = self.state.next()
        {
            if self.view.selects(&object) {
                self.view.encode(&self.inner, "ADDED", &object, &mut self.out)?;
            }
        }
        if self.state.len() > 0 {
            return Ok(());
        }
        if std::mem::take(&mut self.mark_end) {
            self.view.encode_bookmark(&self.inner, self.position, true, &mut self.out);
            return Ok(());
        }
        self.changed.borrow_and_update();
        let store = &self.view.resource.store;
        let found = self.inner.store.cache.events_since(store, self.position, CHUNK_EVENTS_MAX);
        let too_old = |c: Compacted| format!("too old resource version: {} ({})", self.position, c.0);
        let (events, complete_to) = found.map_err(|c| ApiError::expired(too_old(c)))?;
        for event in &events {
            self.view.encode_event(&self.inner, event, &mut self.out)?;
            if self.out.len() >= PIECE_BYTES {
                self.position = event.after.object.version;
                return Ok(());
            }
        }
        self.position = complete_to;
        if events.is_empty() {
            self.wait().await;
        }
        Ok(())
    }

    async fn wait(&mut self) {
        let Self { changed, stopping, bookmark, ends_at, .. } = self;
        let tick = async {
            match bookmark {
                Some(interval) => drop(interval.tick().await),
                None => std::future::pending().await,
            }
        };
        tokio::select! {
            result = changed.changed() => self.done = result.is_err(),
            _ = stopping.wait_for(|stop| *stop) => self.done = true,
            () = sleep_until(*ends_at) => self.done = true,
            () = tick => self.view.encode_bookmark(&self.inner, self.position, false, &mut self.out),
        }
    }
}

/// What of the resource the client sees, and in which shape.
struct View {
    resource: Arc<Resource>,
    namespace: Option<String>,
    selector: Selector,
    shape: Shape,
    include: Include,
    /// A Table's columns go with its first event alone.
    columns_sent: bool,
}

impl View {
    fn selects(&self, object: &Stored) -> bool {
        self.namespace.as_deref().is_none_or(|n| *object.name.namespace == *n)
            && self.selector.matches(object, &self.resource)
    }

    /// An object that no longer matches is DELETED for this client, one that begins to match is ADDED.
    fn encode_event(&mut self, inner: &Inner, event: &Event, out: &mut BytesMut) -> Result<(), ApiError> {
        let before = event.before.as_deref().filter(|o| self.selects(o));
        let object = &event.after.object;
        match (before, event.after.present()) {
            (None, Some(object)) if self.selects(object) => self.encode(inner, "ADDED", object, out),
            (Some(_), Some(object)) if self.selects(object) => self.encode(inner, "MODIFIED", object, out),
            (Some(before), Some(_)) => {
                let last = before.at_version(object.version).map_err(|e| ApiError::internal(&e))?;
                self.encode(inner, "DELETED", &last, out)
            }
            (Some(_), None) => self.encode(inner, "DELETED", object, out),
            (None, _) => Ok(()),
        }
    }

    fn encode(&mut self, inner: &Inner, kind: &str, object: &Stored, out: &mut BytesMut) -> Result<(), ApiError> {
        let value = || object.value().map_err(|e| ApiError::internal(&e));
        match self.shape {
            Shape::Plain => line(out, kind, &respond::shown_bytes(&self.resource, object)?),
            Shape::Partial => line(out, kind, table::partial(&value()?).to_string().as_bytes()),
            Shape::Table => {
                let row = table::row(&self.resource, &value()?, self.include, inner.now());
                let columns = if self.columns_sent { Value::Null } else { table::column_definitions(&self.resource) };
                self.columns_sent = true;
                let metadata = json!({"resourceVersion": object.version.to_string()});
                line(out, kind, table::table(metadata, columns, vec![row]).to_string().as_bytes());
            }
        }
        Ok(())
    }

    fn encode_bookmark(&self, inner: &Inner, version: u64, ends_initial: bool, out: &mut BytesMut) {
        let mut metadata = json!({"resourceVersion": version.to_string()});
        if ends_initial {
            metadata["annotations"] = json!({"k8s.io/initial-events-end": "true"});
        }
        let Resource { kind, .. } = &*self.resource;
        let object = match self.shape {
            Shape::Plain => json!({"kind": kind, "apiVersion": self.resource.api_version(), "metadata": metadata}),
            Shape::Partial => table::partial(&json!({"metadata": metadata})),
            Shape::Table => {
                let row = table::row(&self.resource, &json!({"metadata": metadata}), Include::Metadata, inner.now());
                table::table(json!({"resourceVersion": version.to_string()}), Value::Null, vec![row])
            }
        };
        line(out, "BOOKMARK", object.to_string().as_bytes());
    }
}

fn line(out: &mut BytesMut, kind: &str, object: &[u8]) {
    out.reserve(object.len() + 40);
    out.put(format!("{{\"type\":\"{kind}\",\"object\":").as_bytes());
    out.put(object);
    out.put(&b"}\n"[..]);
}
