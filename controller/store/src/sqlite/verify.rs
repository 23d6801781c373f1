//! What must always hold of the rows themselves, checked on one consistent cut. It reports and repairs nothing.

use super::{
    SqliteStore,
    decode::{self, Cursor},
    error::refused,
};
use crate::{
    Result,
    chain::{self, Link},
};
use fanfare_core::{ids::Namespace, ledger::Entry, time::Ts};
use futures::TryStreamExt;
use sqlx::{Connection, SqliteConnection, sqlite::SqliteRow};

/// The most findings of one check; a broken invariant shows in its first cases.
const FINDINGS_MAX: usize = 20;

/// A query whose every row is a finding, told by its texts; `?1` is the namespace, `?2` the most rows.
struct Check {
    says: &'static str,
    sql: &'static str,
}

const CHECKS: &[Check] = &[
    Check {
        says: "a transaction of the ledger does not sum to zero (sequence, unit, sum)",
        sql: "SELECT seq || ', ' || unit || ', ' || sum(amount) FROM entries WHERE ns = ?1
            GROUP BY seq, unit HAVING sum(amount) <> 0 LIMIT ?2",
    },
    Check {
        says: "an entry of the ledger has no transaction (sequence)",
        sql: "SELECT DISTINCT seq FROM entries e WHERE ns = ?1
            AND NOT EXISTS (SELECT 1 FROM ledger l WHERE l.ns = e.ns AND l.seq = e.seq) LIMIT ?2",
    },
    Check {
        says: "a balance is not the sum of its entries (account, unit, balance, sum)",
        sql: "SELECT account || ', ' || unit || ', ' || sum(balance) || ', ' || sum(entries) FROM (
                SELECT account, unit, amount AS balance, 0 AS entries FROM balances WHERE ns = ?1
                UNION ALL SELECT account, unit, 0, amount FROM entries WHERE ns = ?1)
            GROUP BY account, unit HAVING sum(balance) <> sum(entries) LIMIT ?2",
    },
    Check {
        says: "more was issued, or is set aside or spent, than can be (account, unit, balance)",
        sql: "SELECT account || ', ' || unit || ', ' || amount FROM balances WHERE ns = ?1 AND amount < 0
            AND (account GLOB 'budget/*/reserved' OR account GLOB 'budget/*/actual' OR account GLOB 'stock/*/available')
            LIMIT ?2",
    },
    Check {
        says: "a lot of points holds fewer than none (account, balance)",
        sql: "SELECT account || ', ' || amount FROM balances WHERE ns = ?1 AND amount < 0 AND account GLOB 'wallet/*/*'
            LIMIT ?2",
    },
    Check {
        says: "a voucher has more than one live redemption (grant)",
        sql: "SELECT grant_id FROM redemptions NOT INDEXED WHERE ns = ?1
            AND state IN ('Reserved', 'Committed', 'PartiallyReversed') GROUP BY grant_id HAVING count(*) > 1 LIMIT ?2",
    },
    Check {
        says: "a redemption is not marked as live as its state says (redemption)",
        sql: "SELECT id FROM redemptions NOT INDEXED WHERE ns = ?1
            AND live <> (state IN ('Reserved', 'Committed', 'PartiallyReversed')) LIMIT ?2",
    },
    Check {
        says: "a redemption is of no voucher (redemption)",
        sql: "SELECT id FROM redemptions r WHERE ns = ?1
            AND NOT EXISTS (SELECT 1 FROM grants g WHERE g.ns = r.ns AND g.id = r.grant_id) LIMIT ?2",
    },
    Check {
        says: "a grant has fewer than no uses left, or a code that another has (grant)",
        sql: "SELECT max(id) FROM grants NOT INDEXED WHERE ns = ?1
            GROUP BY coalesce(code, id) HAVING count(*) > 1 OR min(uses_left) < 0 LIMIT ?2",
    },
    Check {
        says: "an event was accepted twice (source, id)",
        sql: "SELECT source || ', ' || id FROM events NOT INDEXED WHERE ns = ?1
            GROUP BY source, id HAVING count(*) > 1 LIMIT ?2",
    },
    Check {
        says: "a message was made twice (cause)",
        sql: "SELECT cause FROM messages NOT INDEXED WHERE ns = ?1 GROUP BY cause HAVING count(*) > 1 LIMIT ?2",
    },
    Check {
        says: "a counter of issued rewards is not the number of their grants (reward, counter, grants)",
        sql: "SELECT reward || ', ' || value || ', ' || grants FROM (
                SELECT substr(key, 8, length(key) - 14) AS reward, value,
                    (SELECT count(*) FROM grants g WHERE g.ns = c.ns AND g.reward = substr(c.key, 8, length(c.key) - 14))
                    AS grants
                FROM counters c WHERE ns = ?1 AND key GLOB 'reward|*|issued' AND key NOT GLOB 'reward|*|*|issued')
            WHERE value <> grants LIMIT ?2",
    },
    Check {
        says: "an identity of a member is not found under its value, or finds another (member)",
        sql: "SELECT member FROM (
                SELECT m.id AS member, k.value->>'$[0]' AS type, k.value->>'$[1]' AS value
                FROM members m, json_each(m.identities) k WHERE m.ns = ?1
                UNION ALL SELECT member, type, value FROM identities WHERE ns = ?1)
            GROUP BY member, type, value HAVING count(*) <> 2 LIMIT ?2",
    },
];

/// Runs every check; empty: all holds.
pub(super) async fn verify(store: &SqliteStore, namespace: &Namespace) -> Result<Vec<String>> {
    let mut conn = store.readers.acquire().await.map_err(refused)?;
    let mut cut = conn.begin().await.map_err(refused)?;
    let lane = sqlx::query("SELECT ns, seq, chain, audit FROM lane WHERE name = ?1").bind(namespace.as_str());
    let Some(row) = lane.fetch_optional(&mut *cut).await.map_err(refused)? else { return Ok(Vec::new()) };
    let mut c = Cursor::new(&row);
    let (ns, seq, link, audited) = (c.int()?, c.int()?, c.link()?, c.link()?);

    let mut findings = ledger_chain(&mut cut, ns, seq, link).await?;
    findings.extend(audit_chain(&mut cut, ns, audited).await?);
    for check in CHECKS {
        let rows = sqlx::query(check.sql).bind(ns).bind(i64::try_from(FINDINGS_MAX).unwrap_or(i64::MAX));
        for row in rows.fetch_all(&mut *cut).await.map_err(refused)? {
            findings.push(format!("{}: {}", check.says, told(&row)?));
        }
    }
    Ok(findings)
}

fn told(row: &SqliteRow) -> Result<String> {
    let mut c = Cursor::new(row);
    match c.str() {
        Ok(text) => Ok(text.to_owned()),
        Err(_) => Ok(Cursor::new(row).int()?.to_string()),
    }
}

/// A transaction as it stands in the ledger, while its entries are read.
struct Open {
    seq: i64,
    at: Ts,
    rule: String,
    reference: String,
    link: Link,
    entries: Vec<Entry>,
}

/// Recomputes the ledger's chain from its first transaction and compares its end with the lane's.
async fn ledger_chain(conn: &mut SqliteConnection, ns: i64, seq: i64, end: Link) -> Result<Vec<String>> {
    let sql = "SELECT l.seq, l.at, l.rule, l.reference, l.chain, e.account, e.unit, e.amount
        FROM ledger l LEFT JOIN entries e ON e.ns = l.ns AND e.seq = l.seq WHERE l.ns = ?1 ORDER BY l.seq, e.line";
    let mut rows = sqlx::query(sql).bind(ns).fetch(conn);
    let mut findings = Vec::new();
    let mut last = (0, chain::START);
    let mut open: Option<Open> = None;
    while let Some(row) = rows.try_next().await.map_err(refused)? {
        let mut c = Cursor::new(&row);
        let at_seq = c.int()?;
        if open.as_ref().is_none_or(|open| open.seq != at_seq) {
            if let Some(done) = open.take() {
                close(done, &mut last, &mut findings);
            }
            let (at, rule, reference, link) = (c.at()?, c.text()?, c.text()?, c.link()?);
            open = Some(Open { seq: at_seq, at, rule, reference, link, entries: Vec::new() });
        } else {
            c.skip(4);
        }
        let (account, unit, amount) = (c.opt_text::<String>()?, c.opt_text::<String>()?, c.opt_int()?);
        if let (Some(open), Some(account), Some(unit), Some(amount)) = (open.as_mut(), account, unit, amount) {
            open.entries.push(Entry { account, unit, amount });
        }
    }
    if let Some(done) = open.take() {
        close(done, &mut last, &mut findings);
    }
    if last.1 != end {
        findings.push(format!("the ledger does not end where the lane says: its last transaction is {}", last.0));
    }
    if last.0 > seq {
        findings.push(format!("the ledger goes on beyond the lane's sequence {seq}, to {}", last.0));
    }
    Ok(findings)
}

/// Compares a transaction's link with what it has to be, and goes on from the link that is stored.
fn close(done: Open, last: &mut (i64, Link), findings: &mut Vec<String>) {
    let Open { seq, at, rule, reference, link, entries } = done;
    let due = chain::transaction(&last.1, seq, at, &rule, &reference, &entries);
    if due != link && findings.len() < FINDINGS_MAX {
        findings.push(format!("the ledger's chain is broken at transaction {seq} ({rule} of {reference})"));
    }
    *last = (seq, link);
}

/// Recomputes the audit trail's chain and compares its end with the lane's.
async fn audit_chain(conn: &mut SqliteConnection, ns: i64, end: Link) -> Result<Vec<String>> {
    let sql = "SELECT id, at, actor, action, object, detail, detail, chain FROM audit WHERE +ns = ?1 ORDER BY row";
    let mut rows = sqlx::query(sql).bind(ns).fetch(conn);
    let mut findings = Vec::new();
    let mut last = chain::START;
    while let Some(row) = rows.try_next().await.map_err(refused)? {
        let audit = decode::audit(&row)?;
        let mut c = Cursor::new(&row);
        c.skip(6);
        let (detail, link) = (c.str()?, c.link()?);
        if chain::audit(&last, &audit, detail) != link && findings.len() < FINDINGS_MAX {
            findings.push(format!("the audit trail's chain is broken at {}", audit.id));
        }
        last = link;
    }
    if last != end {
        findings.push("the audit trail does not end where the lane says".into());
    }
    Ok(findings)
}
