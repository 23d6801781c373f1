//! The objects as they were last seen on the API server: a cache that a restarted watch replaces.

use crate::{measure::Readiness, plan::dependents, queue::Key};
use fanfare_core::model::Kind;
use kube::core::DynamicObject;
use parking_lot::{Mutex, RwLock};
use std::{
    collections::{BTreeMap, BTreeSet, HashMap},
    sync::Arc,
};

/// Every object of every kind that is watched.
#[derive(Debug, Default)]
pub struct Catalog {
    objects: RwLock<BTreeMap<Key, Arc<DynamicObject>>>,
    /// Moves, in its namespace, when an object that others may name changes.
    versions: RwLock<HashMap<String, u64>>,
    /// How many objects there are. Changed under the lock of `objects`, so that nobody has to walk through all of them.
    counts: Mutex<BTreeMap<(Kind, Readiness), usize>>,
}

/// What a new sight of an object means.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Sight {
    /// It was not known.
    New,
    /// Its specification or its annotations changed.
    Changed,
    /// Only its status or bookkeeping changed.
    Same,
}

impl Catalog {
    /// Which state of the objects that others may name this is.
    pub fn version(&self, namespace: &str) -> u64 {
        self.versions.read().get(namespace).copied().unwrap_or(0)
    }

    fn moved(&self, key: &Key) {
        if !dependents(key.kind).is_empty() {
            *self.versions.write().entry(key.namespace.clone()).or_default() += 1;
        }
    }

    /// Takes an object in.
    pub fn see(&self, key: Key, object: DynamicObject) -> Sight {
        let mut objects = self.objects.write();
        let sight = match objects.get(&key) {
            None => Sight::New,
            Some(known) if is_stale(known, &object) => return Sight::Same,
            Some(known) if wishes(known) == wishes(&object) => Sight::Same,
            Some(_) => Sight::Changed,
        };
        self.counted(&key, objects.get(&key), Some(&object));
        objects.insert(key.clone(), Arc::new(object));
        drop(objects);
        if sight != Sight::Same {
            self.moved(&key);
        }
        sight
    }

    /// Forgets an object.
    pub fn forget(&self, key: &Key) {
        let mut objects = self.objects.write();
        let known = objects.remove(key);
        self.counted(key, known.as_ref(), None);
        drop(objects);
        self.moved(key);
    }

    fn counted(&self, key: &Key, was: Option<&Arc<DynamicObject>>, is: Option<&DynamicObject>) {
        let place = |object: &DynamicObject| (key.kind, Readiness::of(object.data.get("status")));
        let mut counts = self.counts.lock();
        if let Some(count) = was.and_then(|was| counts.get_mut(&place(was))) {
            *count = count.saturating_sub(1);
        }
        if let Some(is) = is {
            *counts.entry(place(is)).or_default() += 1;
        }
    }

    /// How many objects of a kind say so.
    pub(crate) fn count(&self, kind: Kind, ready: Readiness) -> usize {
        self.counts.lock().get(&(kind, ready)).copied().unwrap_or(0)
    }

    /// An object.
    pub fn get(&self, key: &Key) -> Option<Arc<DynamicObject>> {
        self.objects.read().get(key).cloned()
    }

    /// Every object of a kind in a namespace, by name.
    pub fn of_kind(&self, kind: Kind, namespace: &str) -> Vec<(Key, Arc<DynamicObject>)> {
        let objects = self.objects.read();
        let from = Key { kind, namespace: namespace.into(), name: String::new() };
        let in_range = objects.range(from..).take_while(|(key, _)| key.kind == kind && key.namespace == namespace);
        in_range.map(|(key, object)| (key.clone(), object.clone())).collect()
    }

    /// The keys of a kind, in every namespace.
    pub fn keys(&self, kind: Kind) -> Vec<Key> {
        let objects = self.objects.read();
        let from = Key { kind, namespace: String::new(), name: String::new() };
        objects.range(from..).map(|(key, _)| key).take_while(|key| key.kind == kind).cloned().collect()
    }

    /// Keys of a kind that were known, in this namespace or in any, and are not among `seen`.
    pub fn missing(&self, kind: Kind, namespace: Option<&str>, seen: &BTreeSet<Key>) -> Vec<Key> {
        let objects = self.objects.read();
        let is_listed = |key: &&Key| key.kind == kind && namespace.is_none_or(|namespace| key.namespace == namespace);
        objects.keys().filter(is_listed).filter(|key| !seen.contains(*key)).cloned().collect()
    }
}

/// Whether this is an earlier state of an object than the one that is known: a server that lags behind may answer after one
/// that does not, and what was published must not go back.
fn is_stale(known: &DynamicObject, object: &DynamicObject) -> bool {
    known.metadata.uid == object.metadata.uid && object.metadata.generation < known.metadata.generation
}

/// What is compared.
#[derive(PartialEq)]
struct Wishes<'a> {
    generation: Option<i64>,
    uid: Option<&'a str>,
    annotations: Option<&'a BTreeMap<String, String>>,
    is_going: bool,
}

/// What of an object a person or a tool decides: where this is the same, nothing new is wished.
fn wishes(object: &DynamicObject) -> Wishes<'_> {
    let meta = &object.metadata;
    Wishes {
        generation: meta.generation,
        uid: meta.uid.as_deref(),
        annotations: meta.annotations.as_ref(),
        is_going: meta.deletion_timestamp.is_some(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn an_earlier_state_of_an_object_does_not_replace_a_later_one_and_a_new_object_of_its_name_does() {
        let catalog = Catalog::default();
        let key = Key { kind: Kind::Segment, namespace: "n".into(), name: "a".into() };
        let object = |uid: &str, generation: i64| -> DynamicObject {
            let meta = json!({"name": "a", "namespace": "n", "uid": uid, "generation": generation});
            serde_json::from_value(json!({"metadata": meta, "spec": {}})).unwrap()
        };
        let steps = [
            ("u-1", 3, Sight::New, 3),
            ("u-1", 4, Sight::Changed, 4),
            ("u-1", 3, Sight::Same, 4),
            ("u-1", 4, Sight::Same, 4),
            ("u-2", 1, Sight::Changed, 1),
        ];
        for (uid, generation, sight, known) in steps {
            assert_eq!(catalog.see(key.clone(), object(uid, generation)), sight, "{uid} {generation}");
            assert_eq!(catalog.get(&key).unwrap().metadata.generation, Some(known), "{uid} {generation}");
        }
    }

    #[test]
    fn objects_are_counted_by_what_their_status_says_and_no_longer_when_they_are_gone() {
        let catalog = Catalog::default();
        let key = |name: &str| Key { kind: Kind::Segment, namespace: "n".into(), name: name.into() };
        let object = |ready: &str| -> DynamicObject {
            let status = json!({"conditions": [{"type": "Ready", "status": ready}]});
            serde_json::from_value(json!({"metadata": {"generation": 1}, "status": status})).unwrap()
        };
        let counts = || Readiness::ALL.map(|ready| catalog.count(Kind::Segment, ready));
        catalog.see(key("a"), object("False"));
        catalog.see(key("b"), object("True"));
        assert_eq!(counts(), [1, 1, 0]);
        assert_eq!(catalog.see(key("a"), object("True")), Sight::Same, "a status alone");
        assert_eq!(counts(), [2, 0, 0]);
        catalog.forget(&key("a"));
        catalog.forget(&key("a"));
        assert_eq!(counts(), [1, 0, 0]);
    }
}
