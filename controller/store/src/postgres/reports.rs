//! Reports: sums and counters of one read transaction, which sees one state of the database throughout.

use super::{PostgresStore, error::refused, terms};
use crate::{
    Position, Result,
    decode::{self, Cursor},
    reports::{Asked, Cut, GrantSum, Sum},
    rows::GrantState,
};
use fanfare_core::ids::Namespace;
use sqlx::{Connection, PgConnection, postgres::PgRow};
use std::collections::BTreeSet;

/// The accounts of people and cards are too many for a page; each is one line together.
const BALANCES: &str = "SELECT CASE WHEN account LIKE 'wallet/%' THEN 'wallet/*'
        WHEN account LIKE 'giftcard/%' THEN 'giftcard/*' ELSE account END AS name, unit, sum(amount)::bigint, count(*)
    FROM balances WHERE ns = $1 GROUP BY name, unit ORDER BY name, unit";

const COUNTERS: &str = "SELECT key, value FROM counters WHERE ns = $1 AND key >= $2 AND key < $3 ORDER BY key";

/// What an account of points or of a card gives up, another takes: one side of each lapse is its amount.
const LAPSES: &str =
    "SELECT e.unit, sum(e.amount)::bigint FROM ledger l JOIN entries e ON e.ns = l.ns AND e.seq = l.seq
    WHERE l.ns = $1 AND l.rule = 'points-expired' AND e.amount > 0
    GROUP BY e.unit ORDER BY e.unit";

const GRANTS: &str = "SELECT terms, campaign, state, count(*), sum(greatest(uses_left, 1))::bigint FROM grants
    WHERE ns = $1 AND state IN ('Pending', 'Granted', 'Claimed', 'Reserved', 'Expired')
    GROUP BY terms, campaign, state ORDER BY terms, campaign, state";

/// Reads what was asked for.
pub(super) async fn cut(store: &PostgresStore, namespace: &Namespace, asked: &Asked) -> Result<Cut> {
    let mut conn = store.readers.acquire().await.map_err(refused)?;
    let mut state = conn.begin_with("BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY").await.map_err(refused)?;
    let lane = sqlx::query("SELECT ns, seq FROM lane WHERE name = $1").bind(namespace.as_str());
    let Some(row) = lane.fetch_optional(&mut *state).await.map_err(refused)? else { return Ok(Cut::default()) };
    let mut c = Cursor::new(&row);
    let (ns, mut cut) = (c.int()?, Cut { position: Position(c.int()?), ..Cut::default() });
    if asked.balances {
        cut.balances = all(&mut state, BALANCES, ns, sum).await?;
    }
    if let Some(prefix) = &asked.counters {
        let query = sqlx::query(COUNTERS).bind(ns).bind(prefix).bind(format!("{prefix}\u{10ffff}"));
        cut.counters = decode::all(&query.fetch_all(&mut *state).await.map_err(refused)?, decode::count)?;
    }
    if asked.lapses {
        cut.lapses = all(&mut state, LAPSES, ns, decode::count).await?;
    }
    if asked.grants {
        cut.grants = grants(store, namespace, &mut state, ns).await?;
    }
    Ok(cut)
}

async fn all<T>(
    conn: &mut PgConnection,
    sql: &'static str,
    ns: i64,
    decode: impl Fn(&PgRow) -> Result<T>,
) -> Result<Vec<T>> {
    decode::all(&sqlx::query(sql).bind(ns).fetch_all(conn).await.map_err(refused)?, decode)
}

fn sum(row: &PgRow) -> Result<Sum> {
    let mut c = Cursor::new(row);
    Ok(Sum { account: c.text()?, unit: c.text()?, amount: c.int()?, accounts: c.int()? })
}

async fn grants(
    store: &PostgresStore,
    namespace: &Namespace,
    conn: &mut PgConnection,
    ns: i64,
) -> Result<Vec<GrantSum>> {
    let rows = sqlx::query(GRANTS).bind(ns).fetch_all(&mut *conn).await.map_err(refused)?;
    let ids = rows.iter().map(decode::terms_of).collect::<Result<BTreeSet<_>>>()?;
    let plans = terms::resolve(&store.rewards, conn, namespace, ids).await?;
    let sums = rows.iter().map(|row| {
        let mut c = Cursor::new(row);
        Ok(GrantSum {
            terms: plans.of(c.int()?)?,
            campaign: c.opt_text()?,
            state: c.named(GrantState::parse)?,
            grants: c.int()?,
            uses: c.int()?,
        })
    });
    sums.collect()
}
