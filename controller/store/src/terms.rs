//! Plans that rows were made under, kept once each and read through a bounded cache.
//!
//! The cache holds committed rows only, and those never change, so that it needs no invalidation.

use crate::{
    Error, Result,
    decode::{Cursor, Source},
    encode::to_json,
};
use serde::{Serialize, de::DeserializeOwned};
use std::{
    collections::{BTreeSet, HashMap},
    sync::{Arc, Mutex, PoisonError},
};

/// The most plans that the cache keeps of one type; beyond, it starts anew. A namespace serves some hundred.
const CACHE_MAX: usize = 1_024;

/// Plans of one type by their row's id.
pub(crate) struct Cache<T>(Mutex<HashMap<i64, Arc<T>>>);

impl<T> Default for Cache<T> {
    fn default() -> Self {
        Self(Mutex::default())
    }
}

/// The plans that some rows need.
pub(crate) struct Resolved<T>(HashMap<i64, Arc<T>>);

impl<T: Clone> Resolved<T> {
    /// The plan of a row's id.
    pub(crate) fn of(&self, id: i64) -> Result<T> {
        let plan = self.0.get(&id).ok_or_else(|| Error::Corrupt(format!("the terms {id} are not there")))?;
        Ok(T::clone(plan))
    }
}

impl<T: DeserializeOwned> Cache<T> {
    /// The plans of `ids` that the cache has, and the ids that have to be read.
    pub(crate) fn known(&self, ids: BTreeSet<i64>) -> (Resolved<T>, Vec<i64>) {
        let mut plans = HashMap::with_capacity(ids.len());
        let mut missing = Vec::new();
        let cache = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        for id in ids {
            match cache.get(&id) {
                Some(plan) => drop(plans.insert(id, Arc::clone(plan))),
                None => missing.push(id),
            }
        }
        (Resolved(plans), missing)
    }

    /// Keeps what was read, rows of (id, body), and adds it to `resolved`.
    pub(crate) fn learn<R: Source>(&self, resolved: &mut Resolved<T>, rows: &[R]) -> Result<()> {
        let mut cache = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if cache.len() + rows.len() > CACHE_MAX {
            cache.clear();
        }
        for row in rows {
            let mut c = Cursor::new(row);
            let (id, plan) = (c.int()?, Arc::new(c.json()?));
            cache.insert(id, Arc::clone(&plan));
            resolved.0.insert(id, plan);
        }
        Ok(())
    }
}

/// The distinct plans of a batch's rows and which one each row has.
pub(crate) struct Distinct<'a, T> {
    plans: Vec<(&'a T, String, String)>,
    of_row: Vec<usize>,
}

impl<'a, T: PartialEq + Serialize> Distinct<'a, T> {
    /// Of `plans`, in the order of their rows.
    pub(crate) fn new(rows: impl Iterator<Item = &'a T>) -> Result<Self> {
        let mut plans: Vec<(&T, String, String)> = Vec::new();
        let mut of_row = Vec::new();
        for plan in rows {
            // Rows of one campaign come in runs, so that the last distinct plan is most often the one.
            let known = plans.iter().rposition(|(other, _, _)| *other == plan);
            let at = match known {
                Some(at) => at,
                None => {
                    let body = to_json(plan)?;
                    plans.push((plan, blake3::hash(body.as_bytes()).to_hex()[..32].to_owned(), body));
                    plans.len() - 1
                }
            };
            of_row.push(at);
        }
        Ok(Self { plans, of_row })
    }

    /// The digest of the plan of each row, by which the row finds it.
    pub(crate) fn digests(&self) -> impl Iterator<Item = &str> {
        self.of_row.iter().filter_map(|at| self.plans.get(*at)).map(|(_, digest, _)| digest.as_str())
    }

    /// Each plan once, as (digest, body).
    pub(crate) fn bodies(&self) -> impl Iterator<Item = (&str, &str)> {
        self.plans.iter().map(|(_, digest, body)| (digest.as_str(), body.as_str()))
    }
}
