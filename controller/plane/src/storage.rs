//! Writing: compare-and-swap on resourceVersion, many writers, one transaction for all that wait.
//!
//! A single committer task owns the database. It takes whatever is queued, decides each request against the state that
//! the batch builds up, writes once, waits for the disk, shows the result to readers, and only then answers. It never
//! waits for a timer, and it knows nothing of what an object means.

use std::collections::HashMap;
use std::path::Path;
use std::sync::Arc;

use parking_lot::Mutex;
use serde_json::Value;
use tokio::sync::{mpsc, oneshot};
use tokio::task::JoinHandle;

use crate::object::{Key, Stored};
use crate::sqlite::{Database, DatabaseError};
use crate::watch_cache::{After, WatchCache};

/// Requests that may wait for the committer; more wait at the door.
const QUEUE_MAX: usize = 1024;
/// Requests in one transaction: bounds how long the first of them waits.
const BATCH_MAX: usize = 512;

/// What the writer saw when it decided.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) enum Expect {
    Absent,
    Version(u64),
}

#[derive(Debug)]
pub(crate) enum Action {
    /// The new object; its resourceVersion is set by the committer.
    Put(Value),
    Delete,
}

#[derive(Debug, thiserror::Error)]
pub(crate) enum CommitError {
    /// Somebody else wrote first: read again and decide again.
    #[error("the object changed since it was read")]
    Stale,
    #[error("the plane's database refused the write: {0}")]
    Database(String),
    #[error("a stored object is no JSON: {0}")]
    Json(#[from] serde_json::Error),
    #[error("the plane has stopped")]
    Stopped,
}

type Reply = oneshot::Sender<Result<Arc<Stored>, CommitError>>;

struct Request {
    key: Key,
    expect: Expect,
    action: Action,
    reply: Reply,
}

/// The durable, watchable set of all objects.
pub(crate) struct Store {
    pub(crate) cache: Arc<WatchCache>,
    /// None after the store was closed.
    queue: Mutex<Option<mpsc::Sender<Request>>>,
    committer: Mutex<Option<JoinHandle<()>>>,
}

impl Store {
    /// Opens or creates the file and starts the committer, which runs until the store is dropped.
    pub(crate) async fn open(file: &Path, log_events_max: usize) -> Result<Self, DatabaseError> {
        let (database, (version, objects)) = Database::open(file).await?;
        let cache = Arc::new(WatchCache::new(version, objects, log_events_max));
        let (queue, requests) = mpsc::channel(QUEUE_MAX);
        let committer = tokio::spawn(run_committer(database, cache.clone(), requests));
        Ok(Self { cache, queue: Mutex::new(Some(queue)), committer: Mutex::new(Some(committer)) })
    }

    /// Returns when the change is on disk and visible. A deletion returns the last state under its new version.
    pub(crate) async fn commit(&self, key: Key, expect: Expect, action: Action) -> Result<Arc<Stored>, CommitError> {
        let (reply, answer) = oneshot::channel();
        let queue = self.queue.lock().clone().ok_or(CommitError::Stopped)?;
        queue.send(Request { key, expect, action, reply }).await.map_err(|_| CommitError::Stopped)?;
        drop(queue);
        answer.await.map_err(|_| CommitError::Stopped)?
    }

    /// Finishes what was queued before and closes the file; every later commit is answered `Stopped`.
    pub(crate) async fn close(&self) {
        drop(self.queue.lock().take());
        let committer = self.committer.lock().take();
        if let Some(committer) = committer {
            // It ends with its queue; an error would be that of a task that was killed.
            drop(committer.await);
        }
    }
}

async fn run_committer(mut database: Database, cache: Arc<WatchCache>, mut requests: mpsc::Receiver<Request>) {
    let mut waiting = Vec::with_capacity(BATCH_MAX);
    while requests.recv_many(&mut waiting, BATCH_MAX).await > 0 {
        let batch = decide(&cache, waiting.drain(..));
        commit(&mut database, &cache, batch).await;
    }
    if let Err(error) = database.close().await {
        tracing::warn!(%error, "the plane's database did not close cleanly; it is recovered at the next start");
    }
}

/// A batch that was decided and is not yet written.
#[derive(Default)]
struct Batch {
    version: u64,
    changes: Vec<(Key, After)>,
    replies: Vec<(Reply, Arc<Stored>)>,
}

fn decide(cache: &WatchCache, requests: impl Iterator<Item = Request>) -> Batch {
    let mut batch = Batch { version: cache.version(), ..Batch::default() };
    // What this batch has already done to a key: later requests in it must see that.
    let mut pending: HashMap<Key, Option<Arc<Stored>>> = HashMap::new();
    for Request { key, expect, action, reply } in requests {
        let current = pending.get(&key).cloned().unwrap_or_else(|| cache.get(&key));
        match decide_one(&key, current, expect, action, batch.version + 1) {
            Ok(after) => {
                batch.version += 1;
                pending.insert(key.clone(), after.present().cloned());
                batch.replies.push((reply, after.object.clone()));
                batch.changes.push((key, after));
            }
            // The other side may have gone: then nobody needs the answer.
            Err(error) => drop(reply.send(Err(error))),
        }
    }
    batch
}

fn decide_one(
    key: &Key,
    current: Option<Arc<Stored>>,
    expect: Expect,
    action: Action,
    version: u64,
) -> Result<After, CommitError> {
    let seen = current.as_ref().map_or(Expect::Absent, |o| Expect::Version(o.version));
    if seen != expect {
        return Err(CommitError::Stale);
    }
    let deleted = matches!(action, Action::Delete);
    let object = match (action, current) {
        (Action::Put(mut value), _) => {
            value["metadata"]["resourceVersion"] = Value::String(version.to_string());
            Stored::from_value(version, key.object.clone(), &value)
        }
        (Action::Delete, Some(current)) => current.at_version(version)?,
        (Action::Delete, None) => return Err(CommitError::Stale),
    };
    Ok(After { object: Arc::new(object), deleted })
}

async fn commit(database: &mut Database, cache: &WatchCache, batch: Batch) {
    let Batch { version, changes, replies } = batch;
    if changes.is_empty() {
        return;
    }
    // Of several changes of one object only the last needs a row; readers still see each.
    let last: HashMap<&Key, &After> = changes.iter().map(|(key, after)| (key, after)).collect();
    match database.write(&last, version).await {
        Ok(()) => {
            cache.apply(changes);
            for (reply, stored) in replies {
                drop(reply.send(Ok(stored)));
            }
        }
        Err(error) => {
            tracing::error!(%error, writes = replies.len(), "the plane's database refused a batch; nothing of it was kept");
            for (reply, _) in replies {
                drop(reply.send(Err(CommitError::Database(error.to_string()))));
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::object::GroupResource;

    fn key(name: &str) -> Key {
        Key::new(&GroupResource::new("test", "widgets"), "ns", name)
    }

    fn value(n: u64) -> Value {
        json!({"metadata": {"name": "a", "uid": "u"}, "spec": {"n": n}})
    }

    fn scratch_file() -> std::path::PathBuf {
        std::env::temp_dir().join(format!("fanfare-plane-{}.db", uuid::Uuid::new_v4()))
    }

    #[tokio::test]
    async fn of_writers_that_saw_the_same_version_one_wins() {
        let store = Store::open(&scratch_file(), 100).await.unwrap();
        let first = store.commit(key("a"), Expect::Absent, Action::Put(value(0))).await.unwrap();
        let races = (0..30).map(|n| store.commit(key("a"), Expect::Version(first.version), Action::Put(value(n))));
        let wins = futures::future::join_all(races).await.into_iter().filter(Result::is_ok).count();
        assert_eq!(wins, 1);
    }

    #[tokio::test]
    async fn what_was_acknowledged_is_there_after_reopening_and_versions_go_on() {
        let file = scratch_file();
        let store = Store::open(&file, 100).await.unwrap();
        store.commit(key("a"), Expect::Absent, Action::Put(value(1))).await.unwrap();
        let b = store.commit(key("b"), Expect::Absent, Action::Put(value(2))).await.unwrap();
        let gone = store.commit(key("b"), Expect::Version(b.version), Action::Delete).await.unwrap();
        store.close().await;
        let late = store.commit(key("c"), Expect::Absent, Action::Put(value(3))).await;
        assert!(matches!(late, Err(CommitError::Stopped)));
        let reopened = Store::open(&file, 100).await.unwrap();
        assert_eq!(reopened.cache.get(&key("a")).unwrap().value().unwrap()["spec"]["n"], 1);
        assert!(reopened.cache.get(&key("b")).is_none());
        assert_eq!(reopened.cache.version(), gone.version);
    }

    #[tokio::test]
    async fn a_second_process_on_the_same_file_is_refused() {
        let file = scratch_file();
        let _first = Store::open(&file, 100).await.unwrap();
        assert!(Store::open(&file, 100).await.is_err());
    }
}
