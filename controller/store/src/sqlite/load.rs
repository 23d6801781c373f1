//! What a batch reads: each table at most one query, its keys as JSON arrays.

use super::{SqliteStore, bulk::keys, error::refused, terms};
use crate::{Keys, Result, Rows, decode, encode::to_json};
use sqlx::{SqliteConnection, sqlite::SqliteRow};

/// The rows of a table whose ids are in `?2`.
macro_rules! by_id {
    ($table:literal) => {
        concat!(" FROM ", $table, " WHERE ns = ?1 AND id IN (SELECT value FROM json_each(?2))")
    };
}

/// The rows of a table whose two columns are a pair of `?2`. CROSS JOIN keeps the keys outside, so that each is looked up.
macro_rules! by_pair {
    ($columns:expr, $table:literal, $first:literal, $second:literal) => {
        concat!(
            "SELECT ",
            $columns,
            " FROM (SELECT value->>'$[0]' AS k0, value->>'$[1]' AS k1 FROM jsonb_each(?2)) k ",
            "CROSS JOIN ",
            $table,
            " t ON t.ns = ?1 AND t.",
            $first,
            " = k.k0 AND t.",
            $second,
            " = k.k1"
        )
    };
}

/// Loads every row that `keys` names.
pub(super) async fn load(store: &SqliteStore, conn: &mut SqliteConnection, ns: i64, asked: &Keys) -> Result<Rows> {
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
        members: one(conn, ns, concat!("SELECT ", member_columns!(), by_id!("members")), keys(members)?)
            .await?
            .decode(decode::member)?,
        identities: pairs(conn, ns, IDENTITIES, identities).await?.decode(decode::identity)?,
        grants: grants(store, conn, ns, asked).await?,
        orders: one(conn, ns, concat!("SELECT ", order_columns!(), by_id!("orders")), keys(orders)?)
            .await?
            .decode(decode::order)?,
        redemptions: redemptions(conn, ns, asked).await?,
        holds: one(conn, ns, concat!("SELECT ", hold_columns!(), by_id!("holds")), keys(holds)?)
            .await?
            .decode(decode::hold)?,
        participations: pairs(conn, ns, PARTICIPATIONS, participations).await?.decode(decode::participation)?,
        counters: one(conn, ns, COUNTERS, keys(counters)?).await?.decode(decode::count)?,
        balances: balances(conn, ns, asked).await?,
        events: pairs(conn, ns, EVENTS, events).await?.decode(decode::event)?,
        runs: runs(store, conn, ns, asked).await?,
        messages: one(conn, ns, concat!("SELECT ", message_columns!(), by_id!("messages")), keys(messages)?)
            .await?
            .decode(decode::message)?,
        jobs: one(conn, ns, concat!("SELECT ", job_columns!(), by_id!("jobs")), keys(jobs)?)
            .await?
            .decode(decode::job)?,
        pool: [
            one(conn, ns, POOL_BY_PLACE, keys(pool_places)?).await?.decode(decode::pooled)?,
            one(conn, ns, POOL_BY_CODE, keys(pool_codes)?).await?.decode(decode::pooled)?,
        ]
        .concat(),
        idempotency: pairs(conn, ns, IDEMPOTENCY, idempotency).await?.decode(decode::stored)?,
    })
}

const POOL_BY_PLACE: &str =
    "SELECT place, code, spelling FROM code_pool WHERE ns = ?1 AND place IN (SELECT value FROM json_each(?2))";
const POOL_BY_CODE: &str =
    "SELECT place, code, spelling FROM code_pool WHERE ns = ?1 AND code IN (SELECT value FROM json_each(?2))";
const COUNTERS: &str = "SELECT key, value FROM counters WHERE ns = ?1 AND key IN (SELECT value FROM json_each(?2))";
const IDENTITIES: &str = by_pair!("t.type, t.value, t.member", "identities", "type", "value");
const BALANCES: &str = by_pair!("t.account, t.unit, t.amount", "balances", "account", "unit");
/// The wallet's own account and those of its lots, which begin with its name and a slash; `0` is what follows the slash.
const WALLETS: &str = "SELECT b.account, b.unit, b.amount FROM json_each(?2) k CROSS JOIN balances b ON b.ns = ?1
    AND b.account >= 'wallet/' || k.value AND b.account < 'wallet/' || k.value || '0' AND b.amount <> 0";
const EVENTS: &str = by_pair!(event_columns!(), "events", "source", "id");
const PARTICIPATIONS: &str = by_pair!(participation_columns!(), "participations", "campaign", "member");
const IDEMPOTENCY: &str = by_pair!(idempotency_columns!(), "idempotency", "scope", "key");

const GRANTS: &str = concat!(
    "SELECT ",
    grant_columns!(),
    " FROM grants WHERE row IN (
        SELECT g.row FROM json_each(?2) k CROSS JOIN grants g ON g.ns = ?1 AND g.id = k.value
        UNION SELECT g.row FROM json_each(?3) k CROSS JOIN grants g ON g.ns = ?1 AND g.code = k.value
        UNION SELECT g.row FROM json_each(?4) k CROSS JOIN grants g ON g.ns = ?1 AND g.member = k.value
            WHERE g.state IN ('Pending', 'Granted', 'Claimed', 'Reserved')
        UNION SELECT g.row FROM json_each(?5) k CROSS JOIN grants g ON g.ns = ?1 AND g.cause = k.value)
    ORDER BY id"
);

const REDEMPTIONS: &str = concat!(
    "SELECT ",
    redemption_columns!(),
    " FROM redemptions WHERE row IN (
        SELECT r.row FROM json_each(?2) k CROSS JOIN redemptions r ON r.ns = ?1 AND r.id = k.value
        UNION SELECT r.row FROM json_each(?3) k CROSS JOIN redemptions r ON r.ns = ?1 AND r.order_id = k.value)
    ORDER BY id"
);

const RUNS: &str = concat!(
    "SELECT ",
    run_columns!(),
    " FROM runs WHERE row IN (
        SELECT r.row FROM json_each(?2) k CROSS JOIN runs r ON r.ns = ?1 AND r.id = k.value
        UNION SELECT r.row FROM (SELECT value->>'$[0]' AS k0, value->>'$[1]' AS k1 FROM jsonb_each(?3)) k
            CROSS JOIN runs r ON r.ns = ?1 AND r.automation = k.k0 AND r.member = k.k1)
    ORDER BY id"
);

async fn balances(conn: &mut SqliteConnection, ns: i64, asked: &Keys) -> Result<Vec<(String, String, i64)>> {
    let Keys { balances, wallets, .. } = asked;
    let mut found = pairs(conn, ns, BALANCES, balances).await?.decode(decode::balance)?;
    found.extend(one(conn, ns, WALLETS, keys(wallets)?).await?.decode(decode::balance)?);
    Ok(found)
}

async fn grants(
    store: &SqliteStore,
    conn: &mut SqliteConnection,
    ns: i64,
    asked: &Keys,
) -> Result<Vec<crate::rows::Grant>> {
    let Keys { grants, codes, grants_of, grants_by_cause, .. } = asked;
    if grants.is_empty() && codes.is_empty() && grants_of.is_empty() && grants_by_cause.is_empty() {
        return Ok(Vec::new());
    }
    let rows = sqlx::query(GRANTS)
        .bind(ns)
        .bind(keys(grants)?)
        .bind(keys(codes)?)
        .bind(keys(grants_of)?)
        .bind(keys(grants_by_cause)?)
        .fetch_all(&mut *conn)
        .await
        .map_err(refused)?;
    decode_grants(store, conn, &rows).await
}

/// Decodes rows of `grant_columns`, with their terms.
pub(super) async fn decode_grants(
    store: &SqliteStore,
    conn: &mut SqliteConnection,
    rows: &[SqliteRow],
) -> Result<Vec<crate::rows::Grant>> {
    let terms = rows.iter().map(decode::terms_of).collect::<Result<_>>()?;
    let plans = terms::resolve(&store.rewards, conn, terms).await?;
    decode::all(rows, |row| decode::grant(row, &plans))
}

async fn redemptions(conn: &mut SqliteConnection, ns: i64, asked: &Keys) -> Result<Vec<crate::rows::Redemption>> {
    let Keys { redemptions, redemptions_of, .. } = asked;
    if redemptions.is_empty() && redemptions_of.is_empty() {
        return Ok(Vec::new());
    }
    let query = sqlx::query(REDEMPTIONS).bind(ns).bind(keys(redemptions)?).bind(keys(redemptions_of)?);
    decode::all(&query.fetch_all(conn).await.map_err(refused)?, decode::redemption)
}

async fn runs(
    store: &SqliteStore,
    conn: &mut SqliteConnection,
    ns: i64,
    asked: &Keys,
) -> Result<Vec<crate::rows::Run>> {
    let Keys { runs, runs_of, .. } = asked;
    if runs.is_empty() && runs_of.is_empty() {
        return Ok(Vec::new());
    }
    let query = sqlx::query(RUNS).bind(ns).bind(keys(runs)?).bind(to_json(runs_of)?);
    let rows = query.fetch_all(&mut *conn).await.map_err(refused)?;
    decode_runs(store, conn, &rows).await
}

/// Decodes rows of `run_columns`, with their plans.
pub(super) async fn decode_runs(
    store: &SqliteStore,
    conn: &mut SqliteConnection,
    rows: &[SqliteRow],
) -> Result<Vec<crate::rows::Run>> {
    let terms = rows.iter().map(decode::terms_of).collect::<Result<_>>()?;
    let plans = terms::resolve(&store.automations, conn, terms).await?;
    decode::all(rows, |row| decode::run(row, &plans))
}

/// What one query found.
struct Found(Vec<SqliteRow>);

impl Found {
    fn decode<T>(self, decode: impl Fn(&SqliteRow) -> Result<T>) -> Result<Vec<T>> {
        decode::all(&self.0, decode)
    }
}

/// Runs a query of one set of keys, unless the set is empty.
async fn one(conn: &mut SqliteConnection, ns: i64, sql: &'static str, keys: String) -> Result<Found> {
    if keys == "[]" {
        return Ok(Found(Vec::new()));
    }
    sqlx::query(sql).bind(ns).bind(keys).fetch_all(conn).await.map(Found).map_err(refused)
}

/// Runs a query of one set of pairs, unless the set is empty.
async fn pairs<P: serde::Serialize>(
    conn: &mut SqliteConnection,
    ns: i64,
    sql: &'static str,
    keys: &std::collections::BTreeSet<P>,
) -> Result<Found> {
    if keys.is_empty() { Ok(Found(Vec::new())) } else { one(conn, ns, sql, to_json(keys)?).await }
}
