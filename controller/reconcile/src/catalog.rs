//! The objects as they were last seen on the API server: a cache that a restarted watch replaces.

use crate::{plan::dependents, queue::Key};
use fanfare_core::model::Kind;
use kube::core::DynamicObject;
use parking_lot::RwLock;
use std::{
    collections::{BTreeMap, BTreeSet},
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
};

/// Every object of every kind that is watched.
#[derive(Debug, Default)]
pub struct Catalog {
    objects: RwLock<BTreeMap<Key, Arc<DynamicObject>>>,
    /// Moves when an object that others may name changes.
    version: AtomicU64,
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
    pub fn version(&self) -> u64 {
        self.version.load(Ordering::Acquire)
    }

    fn moved(&self, kind: Kind) {
        if !dependents(kind).is_empty() {
            self.version.fetch_add(1, Ordering::AcqRel);
        }
    }

    /// Takes an object in.
    pub fn see(&self, key: Key, object: DynamicObject) -> Sight {
        let mut objects = self.objects.write();
        let sight = match objects.get(&key) {
            None => Sight::New,
            Some(known) if wishes(known) == wishes(&object) => Sight::Same,
            Some(_) => Sight::Changed,
        };
        let kind = key.kind;
        objects.insert(key, Arc::new(object));
        drop(objects);
        if sight != Sight::Same {
            self.moved(kind);
        }
        sight
    }

    /// Forgets an object.
    pub fn forget(&self, key: &Key) {
        self.objects.write().remove(key);
        self.moved(key.kind);
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

    /// Keys of a kind that were known and are not among `seen`.
    pub fn missing(&self, kind: Kind, seen: &BTreeSet<Key>) -> Vec<Key> {
        let objects = self.objects.read();
        objects.keys().filter(|key| key.kind == kind && !seen.contains(*key)).cloned().collect()
    }
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
