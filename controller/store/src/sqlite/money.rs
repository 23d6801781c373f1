//! What money depends on: the ledger's transactions and entries, and the sums that are kept of them.

use super::bulk::Bulk;
use crate::{Result, chain::Link, encode, fold};
use fanfare_core::{ledger::Posting, time::Ts};
use sqlx::SqliteConnection;

/// Appends `postings` after (`seq`, `link`) and moves the balances; answers where the chain has come.
pub(super) async fn append(
    conn: &mut SqliteConnection,
    ns: i64,
    at: Ts,
    (seq, link): (i64, Link),
    postings: &[Posting],
) -> Result<(i64, Link)> {
    let placed = fold::place(postings, at, seq, link)?;
    let Some(last) = placed.last().map(|last| (last.seq, last.link)) else { return Ok((seq, link)) };

    let transactions = Bulk::of(&placed, |c, row| encode::transaction(c, at, row));
    let sql = "INSERT INTO ledger (ns, seq, at, rule, reference, chain)
        SELECT ?1, value->>'$[0]', value->>'$[1]', value->>'$[2]', value->>'$[3]', unhex(value->>'$[4]')
        FROM jsonb_each(?2)";
    transactions.run_each(conn, ns, "the ledger", sql).await?;

    let entries = Bulk::of(fold::lines(&placed), encode::entry);
    let sql = "INSERT INTO entries (ns, seq, line, account, unit, amount)
        SELECT ?1, value->>'$[0]', value->>'$[1]', value->>'$[2]', value->>'$[3]', value->>'$[4]'
        FROM jsonb_each(?2)";
    entries.run_each(conn, ns, "the ledger's entries", sql).await?;

    let balances = Bulk::of(fold::balances(postings)?, encode::balance);
    let sql = "INSERT INTO balances (ns, account, unit, amount)
        SELECT ?1, value->>'$[0]', value->>'$[1]', value->>'$[2]' FROM jsonb_each(?2) WHERE true
        ON CONFLICT (ns, account, unit) DO UPDATE SET amount = amount + excluded.amount";
    balances.run_each(conn, ns, "balances", sql).await?;
    Ok(last)
}

/// Adds the deltas to the counters.
pub(super) async fn count(conn: &mut SqliteConnection, ns: i64, deltas: &[(String, i64)]) -> Result<()> {
    let counters = Bulk::of(fold::counters(deltas)?, encode::counter);
    let sql = "INSERT INTO counters (ns, key, value)
        SELECT ?1, value->>'$[0]', value->>'$[1]' FROM jsonb_each(?2) WHERE true
        ON CONFLICT (ns, key) DO UPDATE SET value = value + excluded.value";
    counters.run_each(conn, ns, "counters", sql).await
}
