//! Every object and the recent history of every resource, in memory: the only place reads are served from.
//!
//! It is written by the committer after the disk has the change, so that nothing is seen that a crash could take back.
//! History is bounded; who asks for more is told `Expired` and lists again.

use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet, VecDeque};
use std::ops::Bound;
use std::sync::Arc;

use parking_lot::RwLock;
use tokio::sync::watch;

use crate::object::{GroupResource, Key, ObjectName, Stored};

/// Bytes of history kept for one resource, whatever the number of events: bounds memory when objects are large.
const WATCH_LOG_BYTES_MAX: usize = 32 << 20;

/// One change of one object.
#[derive(Debug)]
pub(crate) struct Event {
    pub(crate) before: Option<Arc<Stored>>,
    pub(crate) after: After,
}

/// What a change left.
#[derive(Debug, Clone)]
pub(crate) struct After {
    /// Of a deletion the last state, stamped with the version of the deletion.
    pub(crate) object: Arc<Stored>,
    pub(crate) deleted: bool,
}

impl After {
    pub(crate) fn present(&self) -> Option<&Arc<Stored>> {
        (!self.deleted).then_some(&self.object)
    }
}

/// The history asked for is gone; it is complete after this version.
#[derive(Debug, PartialEq)]
pub(crate) struct Compacted(pub(crate) u64);

/// A consistent view of one resource.
pub(crate) struct Snapshot {
    pub(crate) version: u64,
    pub(crate) objects: Vec<Arc<Stored>>,
}

#[derive(Debug, Default)]
struct Table {
    objects: BTreeMap<ObjectName, Arc<Stored>>,
    log: VecDeque<Arc<Event>>,
    log_bytes: usize,
    /// History is complete after this version.
    compacted: u64,
    latest: watch::Sender<u64>,
}

impl Table {
    fn new(version: u64) -> Self {
        Self { compacted: version, latest: watch::Sender::new(version), ..Self::default() }
    }

    /// The objects as they were at `version`, undoing the log backwards.
    fn at(&self, version: u64) -> BTreeMap<ObjectName, Arc<Stored>> {
        let mut objects = self.objects.clone();
        for event in self.log.iter().rev().take_while(|e| e.after.object.version > version) {
            let name = &event.after.object.name;
            match &event.before {
                Some(before) => objects.insert(name.clone(), before.clone()),
                None => objects.remove(name),
            };
        }
        objects
    }
}

#[derive(Debug, Default)]
struct Inner {
    version: u64,
    /// The version when the plane was opened: nothing older can be replayed.
    opened_at: u64,
    tables: HashMap<GroupResource, Table>,
    uids: HashSet<Box<str>>,
    /// Objects with owner references, and objects being deleted: what garbage collection looks at.
    dependents: BTreeSet<Key>,
    terminating: BTreeSet<Key>,
}

#[derive(Debug)]
pub(crate) struct WatchCache {
    inner: RwLock<Inner>,
    log_events_max: usize,
}

impl WatchCache {
    pub(crate) fn new(version: u64, objects: Vec<(Key, Stored)>, log_events_max: usize) -> Self {
        let mut inner = Inner { version, opened_at: version, ..Inner::default() };
        for (key, object) in objects {
            inner.index(&key, None, Some(&object));
            let table = inner.tables.entry(key.resource).or_insert_with(|| Table::new(version));
            table.objects.insert(key.object, Arc::new(object));
        }
        Self { inner: RwLock::new(inner), log_events_max }
    }

    /// The resourceVersion of the newest change.
    pub(crate) fn version(&self) -> u64 {
        self.inner.read().version
    }

    pub(crate) fn get(&self, key: &Key) -> Option<Arc<Stored>> {
        self.inner.read().tables.get(&key.resource)?.objects.get(&key.object).cloned()
    }

    /// The objects after `after` (all when `None`), of one namespace or of all, as they are or were `at` a version.
    ///
    /// # Errors
    /// [`Compacted`] when `at` is older than the history.
    pub(crate) fn snapshot(
        &self,
        resource: &GroupResource,
        namespace: Option<&str>,
        after: Option<&ObjectName>,
        at: Option<u64>,
    ) -> Result<Snapshot, Compacted> {
        let inner = self.inner.read();
        let version = at.unwrap_or(inner.version);
        let Some(table) = inner.tables.get(resource) else {
            return Ok(Snapshot { version, objects: Vec::new() });
        };
        if version < table.compacted {
            return Err(Compacted(table.compacted));
        }
        let past = table.log.back().is_some_and(|e| e.after.object.version > version).then(|| table.at(version));
        let objects = past.as_ref().unwrap_or(&table.objects);
        let from = match (after, namespace) {
            (Some(name), _) => Bound::Excluded(name.clone()),
            (None, Some(namespace)) => Bound::Included(ObjectName::new(namespace, "")),
            (None, None) => Bound::Unbounded,
        };
        let objects = objects
            .range((from, Bound::Unbounded))
            .take_while(|(name, _)| namespace.is_none_or(|n| *name.namespace == *n))
            .map(|(_, object)| object.clone())
            .collect();
        Ok(Snapshot { version, objects })
    }

    /// At most `max` changes after `since`, and the version up to which the answer is complete.
    ///
    /// # Errors
    /// [`Compacted`] when changes after `since` are no longer kept.
    pub(crate) fn events_since(
        &self,
        resource: &GroupResource,
        since: u64,
        max: usize,
    ) -> Result<(Vec<Arc<Event>>, u64), Compacted> {
        let inner = self.inner.read();
        let Some(table) = inner.tables.get(resource) else {
            return if since < inner.opened_at {
                Err(Compacted(inner.opened_at))
            } else {
                Ok((Vec::new(), inner.version))
            };
        };
        if since < table.compacted {
            return Err(Compacted(table.compacted));
        }
        let start = table.log.partition_point(|e| e.after.object.version <= since);
        let events: Vec<_> = table.log.range(start..).take(max).cloned().collect();
        let complete_to = match events.last() {
            Some(last) if start + events.len() < table.log.len() => last.after.object.version,
            _ => inner.version,
        };
        Ok((events, complete_to))
    }

    /// Told of each new version of the resource.
    pub(crate) fn subscribe(&self, resource: &GroupResource) -> watch::Receiver<u64> {
        let mut inner = self.inner.write();
        let opened_at = inner.opened_at;
        inner.tables.entry(resource.clone()).or_insert_with(|| Table::new(opened_at)).latest.subscribe()
    }

    /// Takes in what the committer made durable, in order of version.
    pub(crate) fn apply(&self, changes: Vec<(Key, After)>) {
        let mut inner = self.inner.write();
        let mut touched: BTreeMap<GroupResource, u64> = BTreeMap::new();
        let opened_at = inner.opened_at;
        for (key, after) in changes {
            let table = inner.tables.entry(key.resource.clone()).or_insert_with(|| Table::new(opened_at));
            let version = after.object.version;
            let before = match after.present() {
                Some(object) => table.objects.insert(key.object.clone(), object.clone()),
                None => table.objects.remove(&key.object),
            };
            table.log_bytes += after.object.bytes.len();
            table.log.push_back(Arc::new(Event { before: before.clone(), after: after.clone() }));
            while table.log.len() > self.log_events_max || table.log_bytes > WATCH_LOG_BYTES_MAX {
                let Some(dropped) = table.log.pop_front() else { break };
                table.log_bytes -= dropped.after.object.bytes.len();
                table.compacted = dropped.after.object.version;
            }
            inner.index(&key, before.as_deref(), after.present().map(|o| &**o));
            inner.version = version;
            touched.insert(key.resource, version);
        }
        for (resource, version) in touched {
            if let Some(table) = inner.tables.get(&resource) {
                table.latest.send_replace(version);
            }
        }
    }

    /// Whether any object has this uid.
    pub(crate) fn uid_exists(&self, uid: &str) -> bool {
        self.inner.read().uids.contains(uid)
    }

    /// Every object that names an owner.
    pub(crate) fn dependents(&self) -> Vec<(Key, Arc<Stored>)> {
        let inner = self.inner.read();
        inner.dependents.iter().filter_map(|key| inner.find(key)).collect()
    }

    /// Every object whose deletion has begun.
    pub(crate) fn terminating(&self) -> Vec<(Key, Arc<Stored>)> {
        let inner = self.inner.read();
        inner.terminating.iter().filter_map(|key| inner.find(key)).collect()
    }

    /// Every object of a namespace, whatever its resource.
    pub(crate) fn in_namespace(&self, namespace: &str) -> Vec<(Key, Arc<Stored>)> {
        let inner = self.inner.read();
        let of_table = |(resource, table): (&GroupResource, &Table)| {
            let from = table.objects.range(ObjectName::new(namespace, "")..);
            let within = from.take_while(|(name, _)| *name.namespace == *namespace);
            let keyed = within.map(|(name, o)| (Key { resource: resource.clone(), object: name.clone() }, o.clone()));
            keyed.collect::<Vec<_>>()
        };
        inner.tables.iter().flat_map(of_table).collect()
    }
}

impl Inner {
    fn find(&self, key: &Key) -> Option<(Key, Arc<Stored>)> {
        Some((key.clone(), self.tables.get(&key.resource)?.objects.get(&key.object)?.clone()))
    }

    fn index(&mut self, key: &Key, before: Option<&Stored>, after: Option<&Stored>) {
        if let Some(before) = before {
            self.uids.remove(&before.uid);
        }
        if let Some(after) = after {
            self.uids.insert(after.uid.clone());
        }
        let mut keep = |set: fn(&mut Self) -> &mut BTreeSet<Key>, wanted: bool| {
            if wanted {
                set(self).insert(key.clone())
            } else {
                set(self).remove(key)
            };
        };
        keep(|i| &mut i.dependents, after.is_some_and(|o| !o.owners.is_empty()));
        keep(|i| &mut i.terminating, after.is_some_and(|o| o.deleting));
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn object(version: u64, name: &str) -> Arc<Stored> {
        let value = json!({"metadata": {"name": name, "uid": name, "resourceVersion": version.to_string()}});
        Arc::new(Stored::from_value(version, ObjectName::new("ns", name), &value))
    }

    fn widgets() -> GroupResource {
        GroupResource::new("test", "widgets")
    }

    fn change(cache: &WatchCache, version: u64, name: &str, deleted: bool) {
        let after = After { object: object(version, name), deleted };
        cache.apply(vec![(Key::new(&widgets(), "ns", name), after)]);
    }

    fn put(cache: &WatchCache, version: u64, name: &str) {
        change(cache, version, name, false);
    }

    fn names(snapshot: &Snapshot) -> Vec<String> {
        snapshot.objects.iter().map(|o| format!("{}@{}", o.name.name, o.version)).collect()
    }

    #[test]
    fn a_past_version_shows_what_was_there_then() {
        let cache = WatchCache::new(1, vec![], 100);
        put(&cache, 2, "a");
        put(&cache, 3, "b");
        put(&cache, 4, "a");
        change(&cache, 5, "b", true);
        let at = |version| names(&cache.snapshot(&widgets(), None, None, version).unwrap());
        assert_eq!(at(None), ["a@4"]);
        assert_eq!(at(Some(3)), ["a@2", "b@3"]);
        assert_eq!(at(Some(2)), ["a@2"]);
    }

    #[test]
    fn history_beyond_the_bound_is_said_to_be_gone() {
        let cache = WatchCache::new(1, vec![], 2);
        for version in 2..6 {
            put(&cache, version, "a");
        }
        assert_eq!(cache.events_since(&widgets(), 2, 10).unwrap_err(), Compacted(3));
        assert_eq!(cache.events_since(&widgets(), 3, 10).unwrap().0.len(), 2);
        assert!(cache.snapshot(&widgets(), None, None, Some(2)).is_err());
    }

    #[test]
    fn nothing_from_before_the_start_can_be_replayed() {
        let cache = WatchCache::new(7, vec![], 2);
        assert_eq!(cache.events_since(&widgets(), 6, 10).unwrap_err(), Compacted(7));
        assert_eq!(cache.events_since(&widgets(), 7, 10).unwrap().1, 7);
    }

    #[test]
    fn a_partial_answer_says_how_far_it_is_complete() {
        let cache = WatchCache::new(1, vec![], 100);
        for version in 2..6 {
            put(&cache, version, "a");
        }
        let (events, complete_to) = cache.events_since(&widgets(), 1, 2).unwrap();
        assert_eq!((events.len(), complete_to), (2, 3));
        let (events, complete_to) = cache.events_since(&widgets(), complete_to, 9).unwrap();
        assert_eq!((events.len(), complete_to), (2, 5));
    }
}
