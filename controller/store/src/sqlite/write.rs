//! What a batch writes: one statement a table. Changes of rows come before new rows, so that a code or a voucher that one
//! command gives up can be taken by the next.

use super::{bulk::Bulk, lane::Lane, money, subjects, terms};
use crate::{
    Error, Result, Writes, chain, encode, fold, retention,
    rows::{Audit, Event, Grant, Job, Order, Redemption, Stored},
    terms::Distinct,
};
use fanfare_core::{
    ids::{Code, GrantId, MemberId, Namespace},
    time::Ts,
};
use sqlx::SqliteConnection;
use std::collections::HashMap;

/// Whose each grant is and under which code, as the batch loaded it.
pub(super) type Holders = HashMap<GrantId, (MemberId, Option<Code>)>;

/// Writes everything of `writes` (folded) and moves the lane; answers where it has come.
pub(super) async fn write(
    conn: &mut SqliteConnection,
    namespace: &Namespace,
    ns: i64,
    lane: Lane,
    writes: &Writes,
    holders: &Holders,
) -> Result<Lane> {
    let Writes {
        at,
        members,
        new_grants,
        grants,
        new_orders,
        orders,
        new_redemptions,
        redemptions,
        holds,
        participations,
        counters,
        postings,
        new_events,
        runs,
        messages,
        jobs,
        done_jobs,
        new_pool,
        idempotency,
        published,
        retired,
        lists_set,
        list_added,
        list_removed,
        credentials,
        refresh_tokens,
        revoked_families,
        audit,
        settings,
        fence,
        news: _,
    } = writes;
    let at = at.ok_or_else(|| Error::Conflict("the batch names no instant".into()))?;

    if let Some(fence) = fence {
        subjects::hold(conn, fence).await?;
    }
    change_grants(conn, ns, grants, holders).await?;
    add_grants(conn, ns, new_grants).await?;
    change_orders(conn, ns, orders).await?;
    add_orders(conn, ns, new_orders).await?;
    change_redemptions(conn, ns, redemptions).await?;
    add_redemptions(conn, ns, new_redemptions).await?;
    money::count(conn, ns, counters).await?;
    let (posted, link) = money::append(conn, ns, at, (lane.seq, lane.chain), postings).await?;

    subjects::members(conn, ns, members).await?;
    subjects::holds(conn, ns, holds).await?;
    subjects::participations(conn, ns, participations).await?;
    subjects::lists(conn, ns, lists_set, list_added, list_removed).await?;
    add_events(conn, ns, new_events).await?;
    subjects::runs(conn, ns, runs).await?;
    subjects::messages(conn, ns, messages).await?;
    end_jobs(conn, ns, done_jobs).await?;
    set_jobs(conn, ns, jobs).await?;
    subjects::pool(conn, ns, new_pool).await?;
    add_answers(conn, ns, at, idempotency).await?;
    subjects::published(conn, ns, published).await?;
    subjects::retired(conn, ns, retired).await?;
    subjects::credentials(conn, ns, namespace, credentials).await?;
    subjects::refresh_tokens(conn, ns, namespace, refresh_tokens, revoked_families).await?;
    subjects::settings(conn, settings).await?;
    let audited = add_audit(conn, ns, lane.audit, audit).await?;

    let moved = Lane { ns: Some(ns), seq: posted.max(lane.seq + 1), chain: link, audit: audited };
    move_lane(conn, ns, lane.seq, &moved).await?;
    Ok(moved)
}

async fn move_lane(conn: &mut SqliteConnection, ns: i64, from: i64, to: &Lane) -> Result<()> {
    let done = sqlx::query("UPDATE lane SET seq = ?3, chain = ?4, audit = ?5 WHERE ns = ?1 AND seq = ?2")
        .bind(ns)
        .bind(from)
        .bind(to.seq)
        .bind(to.chain.as_slice())
        .bind(to.audit.as_slice())
        .execute(conn)
        .await
        .map_err(super::error::refused)?;
    match done.rows_affected() {
        1 => Ok(()),
        _ => Err(Error::Conflict("the lane was moved by another".into())),
    }
}

/// Replaces what may change of a grant. CROSS JOIN makes SQLite look each key up, and LIMIT keeps it from undoing that:
/// left to itself it reads the whole table for each key. Member and code are indexed, so they are touched only where they differ.
async fn change_grants(conn: &mut SqliteConnection, ns: i64, grants: &[Grant], loaded: &Holders) -> Result<()> {
    let rows = Bulk::of(grants, encode::grant_change);
    let sql = "UPDATE grants SET state = k.value->>'$[1]', claim_by = k.value->>'$[2]',
            claimed_at = k.value->>'$[3]', valid_from = k.value->>'$[4]', valid_until = k.value->>'$[5]',
            uses_left = k.value->>'$[6]', reserved = k.value->>'$[7]', history = k.value->'$[8]',
            usage = k.value->>'$[9]'
        FROM (SELECT t.row AS at, k.value FROM jsonb_each(?2) k
            CROSS JOIN grants t ON t.ns = ?1 AND t.id = k.value->>'$[0]' LIMIT -1) k WHERE grants.row = k.at";
    rows.run_each(conn, ns, "grants", sql).await?;

    let stayed =
        |row: &Grant| loaded.get(&row.id).is_some_and(|(member, code)| (member, code) == (&row.member, &row.code));
    let holders = Bulk::of(grants.iter().filter(|row| !stayed(row)), encode::holder);
    let sql = "UPDATE grants SET member = k.value->>'$[1]', code = k.value->>'$[2]'
        FROM (SELECT t.row AS at, k.value FROM jsonb_each(?2) k
            CROSS JOIN grants t ON t.ns = ?1 AND t.id = k.value->>'$[0]' LIMIT -1) k WHERE grants.row = k.at
            AND (grants.member IS NOT k.value->>'$[1]' OR grants.code IS NOT k.value->>'$[2]')";
    holders.run(conn, ns, sql).await.map(drop)
}

async fn add_grants(conn: &mut SqliteConnection, ns: i64, grants: &[Grant]) -> Result<()> {
    if grants.is_empty() {
        return Ok(());
    }
    let terms = Distinct::new(grants.iter().map(|row| &row.terms))?;
    terms::write(&terms, conn, ns).await?;
    let rows = Bulk::of(grants.iter().zip(terms.digests()), encode::grant);
    let sql = "INSERT INTO grants (ns, id, member, reward, terms, campaign, mechanic, cause, code, state, issued_at,
            claim_by, claimed_at, valid_from, valid_until, uses_left, reserved, history, usage)
        SELECT ?1, value->>'$[0]', value->>'$[1]', value->>'$[2]',
            (SELECT t.id FROM terms t WHERE t.ns = ?1 AND t.digest = value->>'$[3]'),
            value->>'$[4]', value->>'$[5]', value->>'$[6]', value->>'$[7]', value->>'$[8]', value->>'$[9]',
            value->>'$[10]', value->>'$[11]', value->>'$[12]', value->>'$[13]', value->>'$[14]', value->>'$[15]',
            value->'$[16]', value->>'$[17]'
        FROM jsonb_each(?2)";
    rows.run_each(conn, ns, "new grants", sql).await
}

async fn change_orders(conn: &mut SqliteConnection, ns: i64, orders: &[Order]) -> Result<()> {
    let sql = "UPDATE orders SET state = k.value->>'$[1]', digest = k.value->>'$[2]', cart = k.value->'$[3]',
            evaluation = k.value->'$[4]', revision = k.value->>'$[5]', booking = k.value->'$[6]',
            expires_at = k.value->>'$[7]', receipt_number = k.value->>'$[8]', business_date = k.value->>'$[9]',
            occurred_at = k.value->>'$[10]', committed_at = k.value->>'$[11]', returns = k.value->'$[12]',
            exception = k.value->>'$[13]', reported = k.value->>'$[14]'
        FROM (SELECT t.row AS at, k.value FROM jsonb_each(?2) k
            CROSS JOIN orders t ON t.ns = ?1 AND t.id = k.value->>'$[0]' LIMIT -1) k WHERE orders.row = k.at";
    Bulk::of(orders, encode::order).run_each(conn, ns, "orders", sql).await
}

async fn add_orders(conn: &mut SqliteConnection, ns: i64, orders: &[Order]) -> Result<()> {
    let sql = "INSERT INTO orders (ns, id, state, digest, cart, evaluation, revision, booking, expires_at,
            receipt_number, business_date, occurred_at, committed_at, returns, exception, reported)
        SELECT ?1, value->>'$[0]', value->>'$[1]', value->>'$[2]', value->'$[3]', value->'$[4]', value->>'$[5]',
            value->'$[6]', value->>'$[7]', value->>'$[8]', value->>'$[9]', value->>'$[10]', value->>'$[11]',
            value->'$[12]', value->>'$[13]', value->>'$[14]'
        FROM jsonb_each(?2)";
    Bulk::of(orders, encode::order).run_each(conn, ns, "new orders", sql).await
}

/// Those that free their voucher come first: the index of live ones is checked row by row.
async fn change_redemptions(conn: &mut SqliteConnection, ns: i64, redemptions: &[Redemption]) -> Result<()> {
    let sql = "UPDATE redemptions SET order_id = k.value->>'$[2]', store = k.value->>'$[3]',
            terminal = k.value->>'$[4]', state = k.value->>'$[5]', live = k.value->>'$[6]',
            amount = k.value->>'$[7]', expires_at = k.value->>'$[8]', reversals = k.value->'$[10]',
            place = k.value->>'$[11]'
        FROM (SELECT t.row AS at, k.value FROM jsonb_each(?2) k
            CROSS JOIN redemptions t ON t.ns = ?1 AND t.id = k.value->>'$[0]' LIMIT -1) k WHERE redemptions.row = k.at AND redemptions.grant_id = k.value->>'$[1]'";
    for live in [false, true] {
        let rows = Bulk::of(redemptions.iter().filter(|row| row.state.is_live() == live), encode::redemption);
        rows.run_each(conn, ns, "redemptions", sql).await?;
    }
    Ok(())
}

async fn add_redemptions(conn: &mut SqliteConnection, ns: i64, redemptions: &[Redemption]) -> Result<()> {
    let sql = "INSERT INTO redemptions (ns, id, grant_id, order_id, store, terminal, state, live, amount, expires_at,
            created_at, reversals, place)
        SELECT ?1, value->>'$[0]', value->>'$[1]', value->>'$[2]', value->>'$[3]', value->>'$[4]', value->>'$[5]',
            value->>'$[6]', value->>'$[7]', value->>'$[8]', value->>'$[9]', value->'$[10]', value->>'$[11]'
        FROM jsonb_each(?2)";
    Bulk::of(redemptions, encode::redemption).run_each(conn, ns, "new redemptions", sql).await
}

async fn add_events(conn: &mut SqliteConnection, ns: i64, events: &[Event]) -> Result<()> {
    let rows = Bulk::of(events, encode::event);
    let sql = "INSERT INTO events (ns, source, id, type, member, time, digest, data, decisions)
        SELECT ?1, value->>'$[0]', value->>'$[1]', value->>'$[2]', value->>'$[3]', value->>'$[4]', value->>'$[5]',
            value->'$[6]', value->'$[7]'
        FROM jsonb_each(?2)";
    rows.run_each(conn, ns, "new events", sql).await
}

async fn end_jobs(conn: &mut SqliteConnection, ns: i64, ids: &[String]) -> Result<()> {
    let rows = Bulk::of(ids, encode::key);
    let sql = "DELETE FROM jobs WHERE ns = ?1 AND id IN (SELECT value->>'$[0]' FROM jsonb_each(?2))";
    rows.run(conn, ns, sql).await.map(drop)
}

async fn set_jobs(conn: &mut SqliteConnection, ns: i64, jobs: &[Job]) -> Result<()> {
    let rows = Bulk::of(jobs, encode::job);
    let sql = "INSERT INTO jobs (ns, id, due_at, task)
        SELECT ?1, value->>'$[0]', value->>'$[1]', value->'$[2]' FROM jsonb_each(?2) WHERE true
        ON CONFLICT (ns, id) DO UPDATE SET due_at = excluded.due_at, task = excluded.task";
    rows.run_each(conn, ns, "jobs", sql).await
}

async fn add_answers(conn: &mut SqliteConnection, ns: i64, at: Ts, answers: &[Stored]) -> Result<()> {
    if answers.is_empty() {
        return Ok(());
    }
    let rows = Bulk::of(answers, encode::stored);
    let sql = "INSERT INTO idempotency (ns, scope, key, digest, status, at, body)
        SELECT ?1, value->>'$[0]', value->>'$[1]', value->>'$[2]', value->>'$[3]', value->>'$[4]',
            CASE value->>'$[6]' WHEN 1 THEN unhex(value->>'$[5]') ELSE CAST(value->>'$[5]' AS BLOB) END
        FROM jsonb_each(?2)";
    rows.run_each(conn, ns, "stored answers", sql).await?;

    let outdated = at - retention::ANSWERS_KEPT;
    sqlx::query(
        "DELETE FROM idempotency WHERE row IN
            (SELECT row FROM (SELECT row, at FROM idempotency ORDER BY row LIMIT ?2) WHERE at < ?1)
            AND (SELECT at FROM idempotency ORDER BY row LIMIT 1) < ?1",
    )
    .bind(outdated.timestamp_micros())
    .bind(retention::answers_cleared(answers.len()))
    .execute(conn)
    .await
    .map_err(super::error::refused)?;
    Ok(())
}

async fn add_audit(conn: &mut SqliteConnection, ns: i64, link: chain::Link, audit: &[Audit]) -> Result<chain::Link> {
    let (linked, link) = fold::audit(link, audit)?;
    let rows = Bulk::of(&linked, encode::audit);
    let sql = "INSERT INTO audit (ns, id, at, actor, action, object, detail, chain)
        SELECT ?1, value->>'$[0]', value->>'$[1]', value->>'$[2]', value->>'$[3]', value->>'$[4]', value->>'$[5]',
            unhex(value->>'$[6]')
        FROM jsonb_each(?2)";
    rows.run_each(conn, ns, "the audit trail", sql).await?;
    Ok(link)
}
