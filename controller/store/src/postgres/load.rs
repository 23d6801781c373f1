//! What a batch reads: each table at most one query, its keys as arrays.

use super::{PostgresStore, bulk::Array, error::refused, terms};
use crate::{
    Keys, Result, Rows, decode,
    rows::{Grant, Redemption, Run},
};
use fanfare_core::ids::Namespace;
use sqlx::{PgConnection, postgres::PgRow};
use std::collections::BTreeSet;

/// The rows of a table whose ids are in `$2`.
macro_rules! by_id {
    ($columns:expr, $table:literal) => {
        concat!("SELECT ", $columns, " FROM ", $table, " WHERE ns = $1 AND id = ANY($2)")
    };
}

/// The rows of a table whose two columns are a pair of `$2` and `$3`.
macro_rules! by_pair {
    ($columns:expr, $table:literal, $first:literal, $second:literal) => {
        concat!(
            "SELECT ",
            $columns,
            " FROM unnest($2::text[], $3::text[]) k (k0, k1) JOIN ",
            $table,
            " ON ns = $1 AND ",
            $first,
            " = k0 AND ",
            $second,
            " = k1"
        )
    };
}

/// Loads every row that `keys` names.
pub(super) async fn load(
    store: &PostgresStore,
    conn: &mut PgConnection,
    namespace: &Namespace,
    ns: i64,
    asked: &Keys,
) -> Result<Rows> {
    let Keys {
        members,
        identities,
        grants: _,
        codes: _,
        grants_of: _,
        grants_by_cause: _,
        orders,
        redemptions: _,
        redemptions_of: _,
        holds,
        participations,
        counters,
        balances,
        events,
        runs: _,
        runs_of: _,
        messages,
        jobs,
        pool_places,
        pool_codes,
        idempotency,
    } = asked;
    Ok(Rows {
        idempotency: pairs(conn, ns, IDEMPOTENCY, idempotency, decode::stored).await?,
        members: one(conn, ns, MEMBERS, members, decode::member).await?,
        identities: pairs(conn, ns, IDENTITIES, identities, decode::identity).await?,
        grants: grants(store, conn, namespace, ns, asked).await?,
        orders: one(conn, ns, ORDERS, orders, decode::order).await?,
        redemptions: redemptions(conn, ns, asked).await?,
        holds: one(conn, ns, HOLDS, holds, decode::hold).await?,
        participations: pairs(conn, ns, PARTICIPATIONS, participations, decode::participation).await?,
        counters: one(conn, ns, COUNTERS, counters, decode::count).await?,
        balances: pairs(conn, ns, BALANCES, balances, decode::balance).await?,
        events: pairs(conn, ns, EVENTS, events, decode::event).await?,
        runs: runs(store, conn, namespace, ns, asked).await?,
        messages: one(conn, ns, MESSAGES, messages, decode::message).await?,
        jobs: one(conn, ns, JOBS, jobs, decode::job).await?,
        pool: [
            one(conn, ns, POOL_BY_PLACE, pool_places, decode::pooled).await?,
            one(conn, ns, POOL_BY_CODE, pool_codes, decode::pooled).await?,
        ]
        .concat(),
    })
}

const MEMBERS: &str = by_id!(member_columns!(), "members");
const ORDERS: &str = by_id!(order_columns!(), "orders");
const HOLDS: &str = by_id!(hold_columns!(), "holds");
const MESSAGES: &str = by_id!(message_columns!(), "messages");
const JOBS: &str = by_id!(job_columns!(), "jobs");
const POOL_BY_PLACE: &str = "SELECT place, code FROM code_pool WHERE ns = $1 AND place = ANY($2)";
const POOL_BY_CODE: &str = "SELECT place, code FROM code_pool WHERE ns = $1 AND code = ANY($2)";
const COUNTERS: &str = "SELECT key, value FROM counters WHERE ns = $1 AND key = ANY($2)";
const IDENTITIES: &str = by_pair!("type, value, member", "identities", "type", "value");
const BALANCES: &str = by_pair!("account, unit, amount", "balances", "account", "unit");
const EVENTS: &str = by_pair!(event_columns!(), "events", "source", "id");
const PARTICIPATIONS: &str = by_pair!(participation_columns!(), "participations", "campaign", "member");
const IDEMPOTENCY: &str = by_pair!(idempotency_columns!(), "idempotency", "scope", "key");

// Found in several ways, each by its own index, and then read once.
const GRANTS: &str = concat!(
    "SELECT ",
    grant_columns!(),
    " FROM grants WHERE ns = $1 AND (id = ANY($2) OR code = ANY($3) OR cause = ANY($5)
        OR member = ANY($4) AND state IN ('Pending', 'Granted', 'Claimed', 'Reserved')) ORDER BY id"
);

const REDEMPTIONS: &str = concat!(
    "SELECT ",
    redemption_columns!(),
    " FROM redemptions WHERE ns = $1 AND (id = ANY($2) OR order_id = ANY($3)) ORDER BY id"
);

const RUNS: &str = concat!(
    "SELECT ",
    run_columns!(),
    " FROM runs WHERE ns = $1 AND id IN (SELECT unnest($2::text[])
        UNION SELECT r.id FROM unnest($3::text[], $4::text[]) k (k0, k1)
            JOIN runs r ON r.ns = $1 AND r.automation = k0 AND r.member = k1)
    ORDER BY id"
);

async fn grants(
    store: &PostgresStore,
    conn: &mut PgConnection,
    namespace: &Namespace,
    ns: i64,
    asked: &Keys,
) -> Result<Vec<Grant>> {
    let Keys { grants, codes, grants_of, grants_by_cause, .. } = asked;
    if grants.is_empty() && codes.is_empty() && grants_of.is_empty() && grants_by_cause.is_empty() {
        return Ok(Vec::new());
    }
    let rows = sqlx::query(GRANTS)
        .bind(ns)
        .bind(Array::texts(grants))
        .bind(Array::texts(codes))
        .bind(Array::texts(grants_of))
        .bind(Array::texts(grants_by_cause))
        .fetch_all(&mut *conn)
        .await
        .map_err(refused)?;
    decode_grants(store, conn, namespace, &rows).await
}

/// Decodes rows of `grant_columns`, with their terms.
pub(super) async fn decode_grants(
    store: &PostgresStore,
    conn: &mut PgConnection,
    namespace: &Namespace,
    rows: &[PgRow],
) -> Result<Vec<Grant>> {
    let ids = rows.iter().map(decode::terms_of).collect::<Result<_>>()?;
    let plans = terms::resolve(&store.rewards, conn, namespace, ids).await?;
    decode::all(rows, |row| decode::grant(row, &plans))
}

async fn redemptions(conn: &mut PgConnection, ns: i64, asked: &Keys) -> Result<Vec<Redemption>> {
    let Keys { redemptions, redemptions_of, .. } = asked;
    if redemptions.is_empty() && redemptions_of.is_empty() {
        return Ok(Vec::new());
    }
    let query = sqlx::query(REDEMPTIONS).bind(ns).bind(Array::texts(redemptions)).bind(Array::texts(redemptions_of));
    decode::all(&query.fetch_all(conn).await.map_err(refused)?, decode::redemption)
}

async fn runs(
    store: &PostgresStore,
    conn: &mut PgConnection,
    namespace: &Namespace,
    ns: i64,
    asked: &Keys,
) -> Result<Vec<Run>> {
    let Keys { runs, runs_of, .. } = asked;
    if runs.is_empty() && runs_of.is_empty() {
        return Ok(Vec::new());
    }
    let (automations, members) = columns(runs_of);
    let query = sqlx::query(RUNS).bind(ns).bind(Array::texts(runs)).bind(automations).bind(members);
    let rows = query.fetch_all(&mut *conn).await.map_err(refused)?;
    decode_runs(store, conn, namespace, &rows).await
}

/// Decodes rows of `run_columns`, with their plans.
pub(super) async fn decode_runs(
    store: &PostgresStore,
    conn: &mut PgConnection,
    namespace: &Namespace,
    rows: &[PgRow],
) -> Result<Vec<Run>> {
    let ids = rows.iter().map(decode::terms_of).collect::<Result<_>>()?;
    let plans = terms::resolve(&store.automations, conn, namespace, ids).await?;
    decode::all(rows, |row| decode::run(row, &plans))
}

/// Runs a query of one set of keys, unless the set is empty.
async fn one<K: AsRef<str>, T>(
    conn: &mut PgConnection,
    ns: i64,
    sql: &'static str,
    keys: &BTreeSet<K>,
    decode: impl Fn(&PgRow) -> Result<T>,
) -> Result<Vec<T>> {
    if keys.is_empty() {
        return Ok(Vec::new());
    }
    let rows = sqlx::query(sql).bind(ns).bind(Array::texts(keys)).fetch_all(conn).await.map_err(refused)?;
    decode::all(&rows, decode)
}

/// Runs a query of one set of pairs, unless the set is empty.
async fn pairs<A: AsRef<str>, B: AsRef<str>, T>(
    conn: &mut PgConnection,
    ns: i64,
    sql: &'static str,
    keys: &BTreeSet<(A, B)>,
    decode: impl Fn(&PgRow) -> Result<T>,
) -> Result<Vec<T>> {
    if keys.is_empty() {
        return Ok(Vec::new());
    }
    let (first, second) = columns(keys);
    let rows = sqlx::query(sql).bind(ns).bind(first).bind(second).fetch_all(conn).await.map_err(refused)?;
    decode::all(&rows, decode)
}

/// Pairs as two columns.
fn columns<A: AsRef<str>, B: AsRef<str>>(pairs: &BTreeSet<(A, B)>) -> (Array, Array) {
    (Array::texts(pairs.iter().map(|(first, _)| first)), Array::texts(pairs.iter().map(|(_, second)| second)))
}
