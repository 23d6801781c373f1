//! What a batch knows of one table: rows as loaded, as changed by the batch, and as changed by the command at hand.

use fanfare_core::mechanic::Missing;
use std::{
    collections::{BTreeSet, HashMap, HashSet},
    hash::Hash,
};

/// Rows of one table: as loaded, as changed in this batch, and as changed by the command at hand.
#[derive(Debug)]
pub(super) struct Table<K, V> {
    pub(super) loaded: HashMap<K, Option<V>>,
    pub(super) changed: HashMap<K, V>,
    pub(super) inserted: HashSet<K>,
    pub(super) mine: HashMap<K, V>,
    pub(super) mine_inserted: HashSet<K>,
}

impl<K, V> Default for Table<K, V> {
    fn default() -> Self {
        Self {
            loaded: HashMap::new(),
            changed: HashMap::new(),
            inserted: HashSet::new(),
            mine: HashMap::new(),
            mine_inserted: HashSet::new(),
        }
    }
}

impl<K: Eq + Hash + Clone, V> Table<K, V> {
    /// The row, `Ok(None)` when it is known not to exist.
    pub(super) fn get(&self, key: &K) -> Result<Option<&V>, Missing> {
        if let Some(row) = self.mine.get(key).or_else(|| self.changed.get(key)) {
            return Ok(Some(row));
        }
        self.loaded.get(key).map(Option::as_ref).ok_or(Missing)
    }

    pub(super) fn put(&mut self, key: K, row: V, fresh: bool) {
        if fresh {
            self.mine_inserted.insert(key.clone());
        }
        self.mine.insert(key, row);
    }

    /// The rows of the command at hand, each behind what it was before.
    pub(super) fn changes(&self) -> impl Iterator<Item = (Option<&V>, &V)> {
        let before = |key| self.changed.get(key).or_else(|| self.loaded.get(key).and_then(Option::as_ref));
        self.mine.iter().map(move |(key, row)| (before(key), row))
    }

    pub(super) fn keep(&mut self) {
        self.inserted.extend(self.mine_inserted.drain());
        self.changed.extend(self.mine.drain());
    }

    pub(super) fn discard(&mut self) {
        self.mine.clear();
        self.mine_inserted.clear();
    }

    pub(super) fn known(&mut self, key: K, row: Option<V>) {
        self.loaded.entry(key).or_insert(row);
    }

    /// (rows that must not exist yet, rows that replace theirs).
    pub(super) fn split(self) -> (Vec<V>, Vec<V>) {
        let inserted = self.inserted;
        let (fresh, old): (Vec<_>, Vec<_>) = self.changed.into_iter().partition(|(key, _)| inserted.contains(key));
        (fresh.into_iter().map(|(_, row)| row).collect(), old.into_iter().map(|(_, row)| row).collect())
    }

    pub(super) fn all(self) -> Vec<V> {
        self.changed.into_values().collect()
    }
}

/// Sets of ids that were loaded as a whole (a member's live grants, an order's redemptions).
#[derive(Debug)]
pub(super) struct Sets<K, V> {
    pub(super) loaded: HashMap<K, BTreeSet<V>>,
    pub(super) added: HashMap<K, BTreeSet<V>>,
    pub(super) mine: Vec<(K, V)>,
}

impl<K, V> Default for Sets<K, V> {
    fn default() -> Self {
        Self { loaded: HashMap::new(), added: HashMap::new(), mine: Vec::new() }
    }
}

impl<K: Eq + Hash + Clone, V: Ord + Clone> Sets<K, V> {
    pub(super) fn get(&self, key: &K) -> Result<Vec<V>, Missing> {
        let mut all = self.loaded.get(key).ok_or(Missing)?.clone();
        all.extend(self.added.get(key).into_iter().flatten().cloned());
        all.extend(self.mine.iter().filter(|(k, _)| k == key).map(|(_, v)| v.clone()));
        Ok(all.into_iter().collect())
    }

    pub(super) fn keep(&mut self) {
        for (key, value) in self.mine.drain(..) {
            self.added.entry(key).or_default().insert(value);
        }
    }
}

/// Lists that a command appends to, without reading them back.
#[derive(Debug)]
pub(super) struct Log<T> {
    pub(super) kept: Vec<T>,
    pub(super) mine: Vec<T>,
}

impl<T> Default for Log<T> {
    fn default() -> Self {
        Self { kept: Vec::new(), mine: Vec::new() }
    }
}

impl<T> Log<T> {
    pub(super) fn keep(&mut self) {
        self.kept.append(&mut self.mine);
    }
}
