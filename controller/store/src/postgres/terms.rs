//! The plans of grants and runs, as PostgreSQL reads and writes them.

use super::{
    bulk::{Array, Bulk},
    error::refused,
};
use crate::{
    Result, encode,
    terms::{Cache, Distinct, Resolved},
};
use fanfare_core::ids::Namespace;
use serde::{Serialize, de::DeserializeOwned};
use sqlx::PgConnection;
use std::collections::BTreeSet;

/// The plans of `ids`, read where they are not in the cache.
pub(super) async fn resolve<T: DeserializeOwned>(
    cache: &Cache<T>,
    conn: &mut PgConnection,
    ns: &Namespace,
    ids: BTreeSet<i64>,
) -> Result<Resolved<T>> {
    let (mut plans, missing) = cache.known(ids);
    if missing.is_empty() {
        return Ok(plans);
    }
    let sql = "SELECT id, body FROM terms WHERE ns = (SELECT lane.ns FROM lane WHERE lane.name = $1) AND id = ANY($2)";
    let query = sqlx::query(sql).bind(ns.as_str()).bind(Array::ints(&missing));
    cache.learn(&mut plans, &query.fetch_all(conn).await.map_err(refused)?)?;
    Ok(plans)
}

/// Writes the plans that are not there yet.
pub(super) async fn write<T: PartialEq + Serialize>(
    terms: &Distinct<'_, T>,
    conn: &mut PgConnection,
    ns: i64,
) -> Result<()> {
    let sql = "INSERT INTO terms (ns, digest, body)
        SELECT $1, k.digest, k.body FROM unnest($2::text[], $3::text[]) k (digest, body)
        WHERE NOT EXISTS (SELECT 1 FROM terms t WHERE t.ns = $1 AND t.digest = k.digest)";
    Bulk::of(terms.bodies(), encode::pair).run(conn, ns, sql).await.map(drop)
}
