//! Plans that rows were made under, kept once each and read through a bounded cache.
//!
//! The cache holds committed rows only, and those never change, so that it needs no invalidation.

use super::{
    bulk::{Bulk, to_json},
    decode::Cursor,
    error::refused,
};
use crate::{Error, Result};
use serde::{Serialize, de::DeserializeOwned};
use sqlx::SqliteConnection;
use std::{
    collections::{BTreeSet, HashMap},
    sync::{Arc, Mutex, PoisonError},
};

/// The most plans that the cache keeps of one type; beyond, it starts anew. A namespace serves some hundred.
const CACHE_MAX: usize = 1_024;

/// Plans of one type by their row's id.
pub(super) struct Cache<T>(Mutex<HashMap<i64, Arc<T>>>);

impl<T> Default for Cache<T> {
    fn default() -> Self {
        Self(Mutex::default())
    }
}

/// The plans that some rows need.
pub(super) struct Resolved<T>(HashMap<i64, Arc<T>>);

impl<T: Clone> Resolved<T> {
    /// The plan of a row's id.
    pub(super) fn of(&self, id: i64) -> Result<T> {
        let plan = self.0.get(&id).ok_or_else(|| Error::Corrupt(format!("the terms {id} are not there")))?;
        Ok(T::clone(plan))
    }
}

impl<T: DeserializeOwned> Cache<T> {
    /// The plans of `ids`, read where they are not in the cache.
    pub(super) async fn resolve(&self, conn: &mut SqliteConnection, ids: BTreeSet<i64>) -> Result<Resolved<T>> {
        let mut plans = HashMap::with_capacity(ids.len());
        let mut missing = Vec::new();
        {
            let cache = self.0.lock().unwrap_or_else(PoisonError::into_inner);
            for id in ids {
                match cache.get(&id) {
                    Some(plan) => drop(plans.insert(id, Arc::clone(plan))),
                    None => missing.push(id),
                }
            }
        }
        if missing.is_empty() {
            return Ok(Resolved(plans));
        }
        let rows = sqlx::query("SELECT id, body FROM terms WHERE id IN (SELECT value FROM json_each(?1))")
            .bind(to_json(&missing)?)
            .fetch_all(conn)
            .await
            .map_err(refused)?;
        let mut cache = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if cache.len() + rows.len() > CACHE_MAX {
            cache.clear();
        }
        for row in &rows {
            let mut c = Cursor::new(row);
            let (id, plan) = (c.int()?, Arc::new(c.json()?));
            cache.insert(id, Arc::clone(&plan));
            plans.insert(id, plan);
        }
        Ok(Resolved(plans))
    }
}

/// The distinct plans of a batch's rows and which one each row has.
pub(super) struct Distinct<'a, T> {
    plans: Vec<(&'a T, String, String)>,
    of_row: Vec<usize>,
}

impl<'a, T: PartialEq + Serialize> Distinct<'a, T> {
    /// Of `plans`, in the order of their rows.
    pub(super) fn new(rows: impl Iterator<Item = &'a T>) -> Result<Self> {
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
    pub(super) fn digests(&self) -> impl Iterator<Item = &str> {
        self.of_row.iter().filter_map(|at| self.plans.get(*at)).map(|(_, digest, _)| digest.as_str())
    }

    /// Writes the plans that are not there yet.
    pub(super) async fn write(&self, conn: &mut SqliteConnection, ns: i64) -> Result<()> {
        let bulk = Bulk::of(&self.plans, |c, (_, digest, body)| {
            c.text(digest).text(body);
        });
        let sql = "INSERT INTO terms (ns, digest, body)
            SELECT ?1, value->>'$[0]', value->>'$[1]' FROM jsonb_each(?2) WHERE true
            ON CONFLICT (ns, digest) DO NOTHING";
        bulk.run(conn, ns, sql).await.map(drop)
    }
}
