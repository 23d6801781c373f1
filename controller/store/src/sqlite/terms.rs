//! The plans of grants and runs, as SQLite reads and writes them.

use super::{bulk::Bulk, error::refused};
use crate::{
    Result,
    encode::{self, to_json},
    terms::{Cache, Distinct, Resolved},
};
use serde::{Serialize, de::DeserializeOwned};
use sqlx::SqliteConnection;
use std::collections::BTreeSet;

/// The plans of `ids`, read where they are not in the cache.
pub(super) async fn resolve<T: DeserializeOwned>(
    cache: &Cache<T>,
    conn: &mut SqliteConnection,
    ids: BTreeSet<i64>,
) -> Result<Resolved<T>> {
    let (mut plans, missing) = cache.known(ids);
    if missing.is_empty() {
        return Ok(plans);
    }
    let rows = sqlx::query("SELECT id, body FROM terms WHERE id IN (SELECT value FROM json_each(?1))")
        .bind(to_json(&missing)?)
        .fetch_all(conn)
        .await
        .map_err(refused)?;
    cache.learn(&mut plans, &rows)?;
    Ok(plans)
}

/// Writes the plans that are not there yet.
pub(super) async fn write<T: PartialEq + Serialize>(
    terms: &Distinct<'_, T>,
    conn: &mut SqliteConnection,
    ns: i64,
) -> Result<()> {
    let sql = "INSERT INTO terms (ns, digest, body)
        SELECT ?1, value->>'$[0]', value->>'$[1]' FROM jsonb_each(?2) WHERE true
        ON CONFLICT (ns, digest) DO NOTHING";
    Bulk::of(terms.bodies(), encode::pair).run(conn, ns, sql).await.map(drop)
}
