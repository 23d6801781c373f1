//! What must always hold of the rows themselves, checked on one consistent cut. It reports and repairs nothing.

use super::{PostgresStore, error::refused};
use crate::{
    Result,
    chain::{self, Link},
    decode::Cursor,
    reports::Inspection,
    verify::{AuditChain, FINDINGS, FINDINGS_MAX, LedgerChain},
};
use fanfare_core::ids::Namespace;
use futures::TryStreamExt;
use sqlx::{Connection, PgConnection};

/// A query for each of [`FINDINGS`], in their order; `$1` is the namespace, `$2` the most rows.
const CHECKS: [&str; FINDINGS.len()] = [
    "SELECT concat_ws(', ', seq, unit, sum(amount)) FROM entries WHERE ns = $1
        GROUP BY seq, unit HAVING sum(amount) <> 0 LIMIT $2",
    "SELECT DISTINCT seq::text FROM entries e WHERE ns = $1
        AND NOT EXISTS (SELECT 1 FROM ledger l WHERE l.ns = e.ns AND l.seq = e.seq) LIMIT $2",
    "SELECT concat_ws(', ', account, unit, sum(balance), sum(entries)) FROM (
            SELECT account, unit, amount AS balance, 0 AS entries FROM balances WHERE ns = $1
            UNION ALL SELECT account, unit, 0, amount FROM entries WHERE ns = $1) k
        GROUP BY account, unit HAVING sum(balance) <> sum(entries) LIMIT $2",
    "SELECT concat_ws(', ', account, unit, amount) FROM balances WHERE ns = $1 AND amount < 0
        AND (account LIKE 'budget/%/reserved' OR account LIKE 'budget/%/actual' OR account LIKE 'stock/%/available'
            OR account LIKE 'stock/%/reserved' OR account LIKE 'giftcard/%')
        LIMIT $2",
    "SELECT grant_id FROM redemptions WHERE ns = $1
        AND state IN ('Reserved', 'Committed', 'PartiallyReversed')
        GROUP BY grant_id, place HAVING count(*) > 1 LIMIT $2",
    "SELECT r.grant_id FROM (
            SELECT grant_id, count(*) AS live FROM redemptions WHERE ns = $1
                AND state IN ('Reserved', 'Committed', 'PartiallyReversed') GROUP BY grant_id HAVING count(*) > 1) r
        JOIN grants g ON g.ns = $1 AND g.id = r.grant_id JOIN terms t ON t.ns = $1 AND t.id = g.terms
        WHERE coalesce(t.body::jsonb->'redemption'->'uses', '1') <> 'null'
            AND r.live > coalesce((t.body::jsonb->'redemption'->>'uses')::bigint, 1) LIMIT $2",
    "SELECT id FROM grants g WHERE ns = $1 AND usage IS NOT NULL AND usage::jsonb ? 'card'
        AND (usage::jsonb->'card'->>'given')::bigint + (usage::jsonb->'card'->>'paid')::bigint
            <> coalesce((SELECT sum(amount) FROM balances b
                WHERE b.ns = g.ns AND b.account = 'giftcard/' || g.id), 0) LIMIT $2",
    "SELECT id FROM redemptions WHERE ns = $1
        AND live <> (state IN ('Reserved', 'Committed', 'PartiallyReversed')) LIMIT $2",
    "SELECT id FROM redemptions r WHERE ns = $1
        AND NOT EXISTS (SELECT 1 FROM grants g WHERE g.ns = r.ns AND g.id = r.grant_id) LIMIT $2",
    "SELECT max(id) FROM grants WHERE ns = $1
        GROUP BY coalesce(code, id) HAVING count(*) > 1 OR min(uses_left) < 0 LIMIT $2",
    "SELECT concat_ws(', ', source, id) FROM events WHERE ns = $1 GROUP BY source, id HAVING count(*) > 1 LIMIT $2",
    "SELECT cause FROM messages WHERE ns = $1 GROUP BY cause HAVING count(*) > 1 LIMIT $2",
    "SELECT concat_ws(', ', k.reward, k.value, coalesce(g.grants, 0)) FROM (
            SELECT substr(key, 8, length(key) - 14) AS reward, value FROM counters
            WHERE ns = $1 AND key LIKE 'reward|%|issued' AND key NOT LIKE 'reward|%|%|issued') k
        LEFT JOIN (SELECT reward, count(*) AS grants FROM grants WHERE ns = $1 GROUP BY reward) g
            ON g.reward = k.reward
        WHERE k.value <> coalesce(g.grants, 0) LIMIT $2",
    "SELECT member FROM (
            SELECT m.id AS member, k.value->>0 AS type, k.value->>1 AS value
            FROM members m, jsonb_array_elements(m.identities::jsonb) k (value) WHERE m.ns = $1
            UNION ALL SELECT member, type, value FROM identities WHERE ns = $1) k
        GROUP BY member, type, value HAVING count(*) <> 2 LIMIT $2",
    "SELECT concat_ws(', ', key, value) FROM counters WHERE ns = $1 AND value < 0
        AND (key LIKE 'budget-day|%' OR key LIKE 'budget-store|%' OR key LIKE 'budget-member|%') LIMIT $2",
    "SELECT concat_ws(', ', key, sum(kept), sum(counted)) FROM (
            SELECT key, value AS kept, 0 AS counted FROM counters WHERE ns = $1 AND key LIKE 'day|%'
                AND (key LIKE '%|orders' OR key LIKE '%|gross' OR key LIKE '%|payable' OR key LIKE '%|refunds')
            UNION ALL SELECT day || f.figure, 0, CASE f.figure WHEN '|orders' THEN 1
                    WHEN '|gross' THEN (evaluation->>'total')::bigint ELSE (evaluation->>'payable')::bigint END
                FROM (SELECT 'day|' || business_date || '|' || coalesce(cart::json->>'store', '') AS day,
                        evaluation::json AS evaluation
                    FROM orders WHERE ns = $1 AND booking::json->>'inDay' = 'true') k,
                (VALUES ('|orders'), ('|gross'), ('|payable')) f (figure)
            UNION ALL SELECT 'day|' || (r.value->>'business_date') || '|' || coalesce(r.value->>'store', '')
                    || '|refunds', 0, (r.value->>'refund')::bigint
                FROM orders o, json_array_elements(o.returns::json) r (value)
                WHERE o.ns = $1 AND r.value->>'business_date' IS NOT NULL) k
        GROUP BY key HAVING sum(kept) <> sum(counted) LIMIT $2",
];

/// Counts of what was read, in the order of [`Inspection::counted`].
const COUNTS: &str = "SELECT (SELECT count(*) FROM ledger WHERE ns = $1), (SELECT count(*) FROM entries WHERE ns = $1),
    (SELECT count(*) FROM balances WHERE ns = $1), (SELECT count(*) FROM audit WHERE ns = $1),
    (SELECT count(*) FROM grants WHERE ns = $1), (SELECT count(*) FROM redemptions WHERE ns = $1),
    (SELECT count(*) FROM orders WHERE ns = $1)";

/// Runs every check on one cut.
pub(super) async fn inspect(store: &PostgresStore, namespace: &Namespace) -> Result<Inspection> {
    let mut conn = store.readers.acquire().await.map_err(refused)?;
    let begin = "BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY";
    let mut cut = conn.begin_with(begin).await.map_err(refused)?;
    let lane = sqlx::query("SELECT ns, seq, chain, audit FROM lane WHERE name = $1").bind(namespace.as_str());
    let Some(row) = lane.fetch_optional(&mut *cut).await.map_err(refused)? else { return Ok(Inspection::default()) };
    let mut c = Cursor::new(&row);
    let (ns, seq, link, audited) = (c.int()?, c.int()?, c.link()?, c.link()?);

    let (mut findings, first_broken) = ledger_chain(&mut cut, ns, seq, link).await?;
    findings.extend(audit_chain(&mut cut, ns, audited).await?);
    for (says, sql) in FINDINGS.into_iter().zip(CHECKS) {
        let rows = sqlx::query(sql).bind(ns).bind(i64::try_from(FINDINGS_MAX).unwrap_or(i64::MAX));
        for row in rows.fetch_all(&mut *cut).await.map_err(refused)? {
            findings.push(format!("{says}: {}", Cursor::new(&row).str()?));
        }
    }
    let row = sqlx::query(COUNTS).bind(ns).fetch_one(&mut *cut).await.map_err(refused)?;
    let counted = Inspection::counted(&row)?;
    let (chain, audit_chain) = (chain::hex(&link), chain::hex(&audited));
    Ok(Inspection { position: seq, chain, audit_chain, first_broken, findings, ..counted })
}

/// Recomputes the ledger's chain from its first transaction and compares its end with the lane's.
async fn ledger_chain(conn: &mut PgConnection, ns: i64, seq: i64, end: Link) -> Result<(Vec<String>, Option<i64>)> {
    let sql = "SELECT l.seq, l.at, l.rule, l.reference, l.chain, e.account, e.unit, e.amount
        FROM ledger l LEFT JOIN entries e ON e.ns = l.ns AND e.seq = l.seq WHERE l.ns = $1 ORDER BY l.seq, e.line";
    let mut rows = sqlx::query(sql).bind(ns).fetch(conn);
    let mut ledger = LedgerChain::default();
    while let Some(row) = rows.try_next().await.map_err(refused)? {
        ledger.line(&row)?;
    }
    Ok(ledger.end(seq, end))
}

/// Recomputes the audit trail's chain and compares its end with the lane's.
async fn audit_chain(conn: &mut PgConnection, ns: i64, end: Link) -> Result<Vec<String>> {
    let sql = "SELECT id, at, actor, action, object, detail, detail, chain FROM audit WHERE ns = $1 ORDER BY row";
    let mut rows = sqlx::query(sql).bind(ns).fetch(conn);
    let mut trail = AuditChain::default();
    while let Some(row) = rows.try_next().await.map_err(refused)? {
        trail.row(&row)?;
    }
    Ok(trail.end(end))
}
