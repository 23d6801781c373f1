//! What a batch reads: each table at most one query, its keys as arrays.

use super::{PostgresStore, bulk::Array, error::refused, terms};
use crate::{
    Keys, Result, Rows, decode,
    rows::{Grant, Redemption, Run},
};
use fanfare_core::ids::Namespace;
use sqlx::{PgConnection, postgres::PgRow};
use std::collections::BTreeSet;

/// Looks a key up in a table: LATERAL and LIMIT make PostgreSQL do so for each key, whatever it knows or believes of the table.
macro_rules! look_up {
    ($what:literal, $table:literal, $where:literal) => {
        concat!(
            " CROSS JOIN LATERAL (SELECT ",
            $what,
            " FROM ",
            $table,
            " t WHERE t.ns = $1 AND ",
            $where,
            " LIMIT 1) t"
        )
    };
}

/// Like `look_up`, where a key may have several rows.
macro_rules! look_all_up {
    ($what:literal, $table:literal, $where:literal) => {
        concat!(
            " CROSS JOIN LATERAL (SELECT ",
            $what,
            " FROM ",
            $table,
            " t WHERE t.ns = $1 AND ",
            $where,
            " OFFSET 0) t"
        )
    };
}

/// The rows of a table whose ids are in `$2`.
macro_rules! by_id {
    ($columns:expr, $table:literal) => {
        by_id!($columns, $table, "t.id = k0")
    };
    ($columns:expr, $table:literal, $where:literal) => {
        concat!("SELECT ", $columns, " FROM unnest($2::text[]) k (k0)", look_up!("*", $table, $where))
    };
}

/// The rows of a table whose two columns are a pair of `$2` and `$3`.
macro_rules! by_pair {
    ($columns:expr, $table:literal, $where:literal) => {
        concat!("SELECT ", $columns, " FROM unnest($2::text[], $3::text[]) k (k0, k1)", look_up!("*", $table, $where))
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
        balances: _,
        wallets: _,
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
        balances: balances(conn, ns, asked).await?,
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
const POOL_BY_PLACE: &str = by_id!("place, code, spelling", "code_pool", "t.place = k0");
const POOL_BY_CODE: &str = by_id!("place, code, spelling", "code_pool", "t.code = k0");
const COUNTERS: &str = by_id!("key, value", "counters", "t.key = k0");
const IDENTITIES: &str = by_pair!("type, value, member", "identities", "t.type = k0 AND t.value = k1");
const BALANCES: &str = by_pair!("account, unit, amount", "balances", "t.account = k0 AND t.unit = k1");
/// The wallet's own account and those of its lots, which begin with its name and a slash; `0` is what follows the slash.
const WALLETS: &str = concat!(
    "SELECT account, unit, amount FROM unnest($2::text[]) k (k0)",
    look_all_up!(
        "*",
        "balances",
        "t.account >= 'wallet/' || k0 AND t.account < 'wallet/' || k0 || '0' AND t.amount <> 0"
    )
);
const EVENTS: &str = by_pair!(event_columns!(), "events", "t.source = k0 AND t.id = k1");
const PARTICIPATIONS: &str = by_pair!(participation_columns!(), "participations", "t.campaign = k0 AND t.member = k1");
const IDEMPOTENCY: &str = by_pair!(idempotency_columns!(), "idempotency", "t.scope = k0 AND t.key = k1");

// Rows that are found in several ways are gathered by their places in the table, and each place is read once.
const GRANTS: &str = concat!(
    "SELECT ",
    grant_columns!(),
    " FROM grants WHERE ctid = ANY (ARRAY(SELECT t.ctid FROM unnest($2::text[]) k (k0)",
    look_up!("ctid", "grants", "t.id = k0"),
    " UNION ALL SELECT t.ctid FROM unnest($3::text[]) k (k0)",
    look_up!("ctid", "grants", "t.code = k0"),
    " UNION ALL SELECT t.ctid FROM unnest($4::text[]) k (k0)",
    look_all_up!("ctid", "grants", "t.member = k0 AND t.state IN ('Pending', 'Granted', 'Claimed', 'Reserved')"),
    " UNION ALL SELECT t.ctid FROM unnest($5::text[]) k (k0)",
    look_all_up!("ctid", "grants", "t.cause = k0"),
    ")) ORDER BY id"
);

const REDEMPTIONS: &str = concat!(
    "SELECT ",
    redemption_columns!(),
    " FROM redemptions WHERE ctid = ANY (ARRAY(SELECT t.ctid FROM unnest($2::text[]) k (k0)",
    look_up!("ctid", "redemptions", "t.id = k0"),
    " UNION ALL SELECT t.ctid FROM unnest($3::text[]) k (k0)",
    look_all_up!("ctid", "redemptions", "t.order_id = k0"),
    ")) ORDER BY id"
);

const RUNS: &str = concat!(
    "SELECT ",
    run_columns!(),
    " FROM runs WHERE ctid = ANY (ARRAY(SELECT t.ctid FROM unnest($2::text[]) k (k0)",
    look_up!("ctid", "runs", "t.id = k0"),
    " UNION ALL SELECT t.ctid FROM unnest($3::text[], $4::text[]) k (k0, k1)",
    look_all_up!("ctid", "runs", "t.automation = k0 AND t.member = k1"),
    ")) ORDER BY id"
);

async fn balances(conn: &mut PgConnection, ns: i64, asked: &Keys) -> Result<Vec<(String, String, i64)>> {
    let Keys { balances, wallets, .. } = asked;
    let mut found = pairs(conn, ns, BALANCES, balances, decode::balance).await?;
    found.extend(one(conn, ns, WALLETS, wallets, decode::balance).await?);
    Ok(found)
}

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
        .bind(Array::keys(grants))
        .bind(Array::keys(codes))
        .bind(Array::keys(grants_of))
        .bind(Array::keys(grants_by_cause))
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
    let query = sqlx::query(REDEMPTIONS).bind(ns).bind(Array::keys(redemptions)).bind(Array::keys(redemptions_of));
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
    let (automations, members) = Array::pairs(runs_of);
    let query = sqlx::query(RUNS).bind(ns).bind(Array::keys(runs)).bind(automations).bind(members);
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
    let rows = sqlx::query(sql).bind(ns).bind(Array::keys(keys)).fetch_all(conn).await.map_err(refused)?;
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
    let (first, second) = Array::pairs(keys);
    let rows = sqlx::query(sql).bind(ns).bind(first).bind(second).fetch_all(conn).await.map_err(refused)?;
    decode::all(&rows, decode)
}
