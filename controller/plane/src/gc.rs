//! Garbage collection: owner references, namespaces and CRDs that are being deleted, and Events past their time.
//!
//! Level-triggered: a sweep looks at what is stored now and forgets why it was woken, so nothing is lost by a crash. It
//! runs at start, after deletions, and on a timer.

use std::sync::Arc;
use std::time::Duration;

use serde_json::Value;
use tokio::time::MissedTickBehavior;

use crate::delete::{CRD_CLEANUP, DeleteOptions, FOREGROUND, ORPHAN, Propagation, delete_many};
use crate::object::{GroupResource, Key, Stored, has_finalizers};
use crate::plane::Inner;
use crate::registry::CRD_PLURAL;
use crate::status::ApiError;
use crate::storage::{Action, CommitError, Expect};

/// A sweep without being woken: expires Events, and retries what failed.
const SWEEP_EVERY_S: u64 = 30;
/// Events that are kept however young they are; the oldest go first.
const EVENTS_MAX: usize = 10_000;
/// Passes of one sweep: each pass frees what the one before uncovered, such as owners of owners.
const PASSES_MAX: usize = 64;

/// Runs until the plane stops or is dropped.
pub(crate) fn spawn(inner: &Arc<Inner>) {
    let (weak, woken, mut stopping) = (Arc::downgrade(inner), inner.swept.clone(), inner.stopping());
    tokio::spawn(async move {
        let mut timer = tokio::time::interval(Duration::from_secs(SWEEP_EVERY_S));
        timer.set_missed_tick_behavior(MissedTickBehavior::Delay);
        loop {
            let timed = tokio::select! {
                _ = timer.tick() => true,
                () = woken.notified() => false,
                result = stopping.changed() => if result.is_err() || *stopping.borrow() { return } else { false },
            };
            let Some(inner) = weak.upgrade() else { return };
            if timed {
                // Reads every Event, so not at each deletion.
                report(delete_all(&inner, expired_events(&inner), Propagation::Background).await);
            }
            sweep(&inner).await;
        }
    });
}

fn report(result: Result<usize, ApiError>) -> usize {
    result.unwrap_or_else(|error| {
        tracing::warn!(error = error.message, "garbage collection is tried again later");
        0
    })
}

async fn sweep(inner: &Inner) {
    for _ in 0..PASSES_MAX {
        if report(pass(inner).await) == 0 {
            return;
        }
    }
}

/// One look at everything; the number of changes made.
async fn pass(inner: &Inner) -> Result<usize, ApiError> {
    let mut changes = 0;
    for (key, object) in inner.store.cache.terminating() {
        changes += finish(inner, &key, &object).await?;
    }
    let mut orphaned = Vec::new();
    for (key, object) in inner.store.cache.dependents().into_iter().filter(|(_, o)| !o.deleting) {
        let mut gone = object.owners.iter().filter(|owner| !inner.store.cache.uid_exists(&owner.uid));
        if gone.clone().count() == object.owners.len() {
            orphaned.push(key);
        } else if let Some(owner) = gone.next() {
            // An owner that is gone is forgotten where others remain.
            changes += disown(inner, &key, &object, &owner.uid).await?;
        }
    }
    Ok(changes + delete_all(inner, orphaned, Propagation::Background).await?)
}

async fn delete_all(inner: &Inner, keys: Vec<Key>, propagation: Propagation) -> Result<usize, ApiError> {
    let registry = inner.registry();
    let options = DeleteOptions { propagation, ..DeleteOptions::background() };
    let objects = keys.into_iter().filter_map(|key| Some((registry.of_store(&key.resource)?, key.object)));
    delete_many(inner, objects, &options).await
}

/// Brings one deletion forward.
async fn finish(inner: &Inner, key: &Key, object: &Stored) -> Result<usize, ApiError> {
    let value = object.value().map_err(|e| ApiError::internal(&e))?;
    let has = |finalizer: &str| {
        value["metadata"]["finalizers"].as_array().is_some_and(|list| list.iter().any(|f| f == finalizer))
    };
    if &*key.resource.plural == "namespaces" && key.resource.group.is_empty() {
        finish_namespace(inner, key, object, &value).await
    } else if &*key.resource.plural == CRD_PLURAL && has(CRD_CLEANUP) {
        finish_crd(inner, key, object, value).await
    } else if has(ORPHAN) {
        let mut changes = 0;
        for (dependent_key, dependent) in dependents_of(inner, object) {
            changes += disown(inner, &dependent_key, &dependent, &object.uid).await?;
        }
        Ok(changes + remove_finalizer(inner, key, object, value, ORPHAN).await?)
    } else if has(FOREGROUND) {
        let dependents = dependents_of(inner, object);
        let waiting = dependents.iter().filter(|(_, o)| !o.deleting);
        let (parents, leaves): (Vec<_>, Vec<_>) = waiting.partition(|(_, o)| !dependents_of(inner, o).is_empty());
        let keys = |of: Vec<&(Key, Arc<Stored>)>| of.into_iter().map(|(key, _)| key.clone()).collect();
        let blocked = dependents.iter().any(|(_, o)| o.owners.iter().any(|w| w.uid == object.uid && w.blocks_deletion));
        let mut changes = 0;
        for (key, parent) in &parents {
            // In a circle each would wait for the next one.
            if dependents_of(inner, parent).iter().any(|(_, o)| o.deleting) {
                changes += unblock(inner, key, parent).await?;
            }
        }
        changes += delete_all(inner, keys(parents), Propagation::Foreground).await?;
        changes += delete_all(inner, keys(leaves), Propagation::Background).await?;
        if !blocked {
            changes += remove_finalizer(inner, key, object, value, FOREGROUND).await?;
        }
        Ok(changes)
    } else {
        Ok(0)
    }
}

fn dependents_of(inner: &Inner, owner: &Stored) -> Vec<(Key, Arc<Stored>)> {
    let all = inner.store.cache.dependents();
    all.into_iter().filter(|(_, o)| o.owners.iter().any(|w| w.uid == owner.uid)).collect()
}

async fn finish_namespace(inner: &Inner, key: &Key, object: &Stored, value: &Value) -> Result<usize, ApiError> {
    let contents = inner.store.cache.in_namespace(&key.object.name);
    let others = value["spec"]["finalizers"].as_array().is_some_and(|all| all.iter().any(|f| f != "kubernetes"));
    if contents.is_empty() && !has_finalizers(value) && !others {
        return commit(inner, key, object, Action::Delete).await;
    }
    let waiting: Vec<Key> = contents.into_iter().filter(|(_, o)| !o.deleting).map(|(k, _)| k).collect();
    delete_all(inner, waiting, Propagation::Background).await
}

async fn finish_crd(inner: &Inner, key: &Key, object: &Stored, value: Value) -> Result<usize, ApiError> {
    let text = |v: &Value| v.as_str().unwrap_or_default().to_owned();
    let store = GroupResource::new(&text(&value["spec"]["group"]), &text(&value["spec"]["names"]["plural"]));
    let snapshot = inner.store.cache.snapshot(&store, None, None, None);
    let objects = snapshot.map(|s| s.objects).unwrap_or_default();
    if objects.is_empty() {
        let changes = remove_finalizer(inner, key, object, value, CRD_CLEANUP).await?;
        inner.refresh_registry();
        return Ok(changes);
    }
    let waiting = objects.iter().filter(|o| !o.deleting);
    let keys: Vec<Key> = waiting.map(|o| Key { resource: store.clone(), object: o.name.clone() }).collect();
    delete_all(inner, keys, Propagation::Background).await
}

async fn remove_finalizer(
    inner: &Inner,
    key: &Key,
    object: &Stored,
    mut value: Value,
    finalizer: &str,
) -> Result<usize, ApiError> {
    if let Some(list) = value["metadata"]["finalizers"].as_array_mut() {
        list.retain(|f| f != finalizer);
    }
    if has_finalizers(&value) {
        return commit(inner, key, object, Action::Put(value)).await;
    }
    commit(inner, key, object, Action::Delete).await
}

/// Its owners need not wait for it any more.
async fn unblock(inner: &Inner, key: &Key, object: &Stored) -> Result<usize, ApiError> {
    let mut value = object.value().map_err(|e| ApiError::internal(&e))?;
    let owners = value["metadata"]["ownerReferences"].as_array_mut();
    owners.into_iter().flatten().for_each(|owner| owner["blockOwnerDeletion"] = Value::Bool(false));
    commit(inner, key, object, Action::Put(value)).await
}

async fn disown(inner: &Inner, key: &Key, object: &Stored, owner: &str) -> Result<usize, ApiError> {
    let mut value = object.value().map_err(|e| ApiError::internal(&e))?;
    if let Some(list) = value["metadata"]["ownerReferences"].as_array_mut() {
        list.retain(|o| o["uid"] != owner);
        if list.is_empty()
            && let Some(meta) = value["metadata"].as_object_mut()
        {
            meta.remove("ownerReferences");
        }
    }
    commit(inner, key, object, Action::Put(value)).await
}

/// Writes on what was seen; when somebody was faster the next pass looks again.
async fn commit(inner: &Inner, key: &Key, seen: &Stored, action: Action) -> Result<usize, ApiError> {
    match inner.store.commit(key.clone(), Expect::Version(seen.version), action).await {
        Ok(_) | Err(CommitError::Stale) => Ok(1),
        Err(e) => Err(ApiError::uncommitted(&e)),
    }
}

fn expired_events(inner: &Inner) -> Vec<Key> {
    let store = GroupResource::new("", "events");
    let Ok(snapshot) = inner.store.cache.snapshot(&store, None, None, None) else { return Vec::new() };
    let oldest = inner.now().as_second() - i64::from(inner.config.event_ttl_s);
    let mut aged: Vec<(i64, &Arc<Stored>)> = snapshot
        .objects
        .iter()
        .map(|o| {
            let value = o.value().unwrap_or_default();
            (written_at(&value["metadata"]).map_or(i64::MIN, |t| t.as_second()), o)
        })
        .collect();
    aged.sort_by_key(|(written, _)| *written);
    let surplus = aged.len().saturating_sub(EVENTS_MAX);
    let gone = aged.iter().enumerate().filter(|(i, (written, _))| *i < surplus || *written < oldest);
    gone.map(|(_, (_, o))| Key { resource: store.clone(), object: o.name.clone() }).collect()
}

/// The last write. What an Event says of its own time is of no account: it may tell of the past.
fn written_at(meta: &Value) -> Option<jiff::Timestamp> {
    let managed = meta["managedFields"].as_array().into_iter().flatten().map(|m| &m["time"]);
    managed.chain([&meta["creationTimestamp"]]).filter_map(|t| t.as_str()?.parse().ok()).max()
}
