//! What a batch writes: one statement a table. Changes of rows come before new rows, so that a code or a voucher that one
//! command gives up can be taken by the next. LATERAL and LIMIT make PostgreSQL look each row up by its key, as in `load`.

use super::{
    bulk::Bulk,
    lane::Lane,
    money,
    news::{self, Moved},
    subjects, terms,
};
use crate::{
    Error, Result, Writes,
    chain::Link,
    encode::{self, Put},
    fold, retention,
    rows::{Audit, Event, Grant, Job, Order, Redemption, Stored},
    terms::Distinct,
};
use fanfare_core::{ids::Namespace, time::Ts};
use sqlx::PgConnection;

/// Writes everything of `writes` (folded) and moves the lane; answers its sequence.
pub(super) async fn write(conn: &mut PgConnection, namespace: &Namespace, lane: &Lane, writes: &Writes) -> Result<i64> {
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
        news,
    } = writes;
    let at = at.ok_or_else(|| Error::Conflict("the batch names no instant".into()))?;
    let ns = lane.ns;

    if let Some(fence) = fence {
        subjects::hold(conn, fence).await?;
    }
    change_grants(conn, ns, grants).await?;
    add_grants(conn, ns, new_grants).await?;
    change_orders(conn, ns, orders).await?;
    add_orders(conn, ns, new_orders).await?;
    change_redemptions(conn, ns, redemptions).await?;
    add_redemptions(conn, ns, new_redemptions).await?;
    money::count(conn, ns, counters).await?;
    let (posted, chain) = money::append(conn, ns, at, (lane.seq, lane.chain), postings).await?;

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
    let audit = add_audit(conn, ns, lane.audit, audit).await?;

    let moved = Moved { seq: posted.max(lane.seq + 1), chain, audit, news: news.as_deref() };
    news::move_lane(conn, lane, &moved).await?;
    Ok(moved.seq)
}

/// Replaces what may change of a grant. Where member and code stay, no index is touched.
async fn change_grants(conn: &mut PgConnection, ns: i64, grants: &[Grant]) -> Result<()> {
    let rows = Bulk::of(grants, |c, row| {
        encode::grant_change(c, row);
        c.text(&row.member).opt_text(row.code.as_ref());
    });
    let sql = "UPDATE grants g SET state = k.state, claim_by = k.claim_by, claimed_at = k.claimed_at,
            valid_from = k.valid_from, valid_until = k.valid_until, uses_left = k.uses_left, reserved = k.reserved,
            history = k.history, usage = k.usage, member = k.member, code = k.code
        FROM unnest($2::text[], $3::text[], $4::bigint[], $5::bigint[], $6::bigint[], $7::bigint[], $8::bigint[],
            $9::bigint[], $10::text[], $11::text[], $12::text[], $13::text[])
            k (id, state, claim_by, claimed_at, valid_from, valid_until, uses_left, reserved, history, usage, member,
            code)
        CROSS JOIN LATERAL (SELECT t.ctid AS at FROM grants t WHERE t.ns = $1 AND t.id = k.id LIMIT 1) t
        WHERE g.ctid = t.at";
    rows.run_each(conn, ns, "grants", sql).await
}

async fn add_grants(conn: &mut PgConnection, ns: i64, grants: &[Grant]) -> Result<()> {
    if grants.is_empty() {
        return Ok(());
    }
    let terms = Distinct::new(grants.iter().map(|row| &row.terms))?;
    terms::write(&terms, conn, ns).await?;
    let rows = Bulk::of(grants.iter().zip(terms.digests()), encode::grant);
    let sql = "INSERT INTO grants (ns, id, member, reward, terms, campaign, mechanic, cause, code, state, issued_at,
            claim_by, claimed_at, valid_from, valid_until, uses_left, reserved, history, usage)
        SELECT $1, k.id, k.member, k.reward, (SELECT t.id FROM terms t WHERE t.ns = $1 AND t.digest = k.digest),
            k.campaign, k.mechanic, k.cause, k.code, k.state, k.issued_at, k.claim_by, k.claimed_at, k.valid_from,
            k.valid_until, k.uses_left, k.reserved, k.history, k.usage
        FROM unnest($2::text[], $3::text[], $4::text[], $5::text[], $6::text[], $7::text[], $8::text[], $9::text[],
            $10::text[], $11::bigint[], $12::bigint[], $13::bigint[], $14::bigint[], $15::bigint[], $16::bigint[],
            $17::bigint[], $18::text[], $19::text[])
            k (id, member, reward, digest, campaign, mechanic, cause, code, state, issued_at, claim_by, claimed_at,
            valid_from, valid_until, uses_left, reserved, history, usage)";
    rows.run_each(conn, ns, "new grants", sql).await
}

async fn change_orders(conn: &mut PgConnection, ns: i64, orders: &[Order]) -> Result<()> {
    let sql = "UPDATE orders o SET state = k.state, digest = k.digest, cart = k.cart, evaluation = k.evaluation,
            revision = k.revision, booking = k.booking, expires_at = k.expires_at,
            receipt_number = k.receipt_number, business_date = k.business_date, occurred_at = k.occurred_at,
            committed_at = k.committed_at, returns = k.returns, exception = k.exception, reported = k.reported
        FROM unnest($2::text[], $3::text[], $4::text[], $5::text[], $6::text[], $7::text[], $8::text[], $9::bigint[],
            $10::text[], $11::text[], $12::bigint[], $13::bigint[], $14::text[], $15::text[], $16::boolean[])
            k (id, state, digest, cart, evaluation, revision, booking, expires_at, receipt_number, business_date,
            occurred_at, committed_at, returns, exception, reported)
        CROSS JOIN LATERAL (SELECT t.ctid AS at FROM orders t WHERE t.ns = $1 AND t.id = k.id LIMIT 1) t
        WHERE o.ctid = t.at";
    Bulk::of(orders, encode::order).run_each(conn, ns, "orders", sql).await
}

async fn add_orders(conn: &mut PgConnection, ns: i64, orders: &[Order]) -> Result<()> {
    let sql = "INSERT INTO orders (ns, id, state, digest, cart, evaluation, revision, booking, expires_at,
            receipt_number, business_date, occurred_at, committed_at, returns, exception, reported)
        SELECT $1, * FROM unnest($2::text[], $3::text[], $4::text[], $5::text[], $6::text[], $7::text[], $8::text[],
            $9::bigint[], $10::text[], $11::text[], $12::bigint[], $13::bigint[], $14::text[], $15::text[],
            $16::boolean[])";
    Bulk::of(orders, encode::order).run_each(conn, ns, "new orders", sql).await
}

/// Those that free their voucher come first: the index of live ones is checked row by row.
async fn change_redemptions(conn: &mut PgConnection, ns: i64, redemptions: &[Redemption]) -> Result<()> {
    let sql = "UPDATE redemptions r SET order_id = k.order_id, store = k.store, terminal = k.terminal,
            state = k.state, live = k.live, amount = k.amount, expires_at = k.expires_at, reversals = k.reversals,
            place = k.place
        FROM unnest($2::text[], $3::text[], $4::text[], $5::text[], $6::text[], $7::text[], $8::boolean[],
            $9::bigint[], $10::bigint[], $11::bigint[], $12::text[], $13::bigint[])
            k (id, grant_id, order_id, store, terminal, state, live, amount, expires_at, created_at, reversals, place)
        CROSS JOIN LATERAL (SELECT t.ctid AS at FROM redemptions t WHERE t.ns = $1 AND t.id = k.id LIMIT 1) t
        WHERE r.ctid = t.at AND r.grant_id = k.grant_id";
    for live in [false, true] {
        let rows = Bulk::of(redemptions.iter().filter(|row| row.state.is_live() == live), encode::redemption);
        rows.run_each(conn, ns, "redemptions", sql).await?;
    }
    Ok(())
}

/// The join stands for a foreign key: a redemption of no voucher is a row less, which voids the batch.
async fn add_redemptions(conn: &mut PgConnection, ns: i64, redemptions: &[Redemption]) -> Result<()> {
    let sql = "INSERT INTO redemptions (ns, id, grant_id, order_id, store, terminal, state, live, amount, expires_at,
            created_at, reversals, place)
        SELECT $1, k.* FROM unnest($2::text[], $3::text[], $4::text[], $5::text[], $6::text[], $7::text[],
            $8::boolean[], $9::bigint[], $10::bigint[], $11::bigint[], $12::text[], $13::bigint[])
            k (id, grant_id, order_id, store, terminal, state, live, amount, expires_at, created_at, reversals, place)
        CROSS JOIN LATERAL (SELECT 1 FROM grants g WHERE g.ns = $1 AND g.id = k.grant_id LIMIT 1) g";
    Bulk::of(redemptions, encode::redemption).run_each(conn, ns, "the vouchers of new redemptions", sql).await
}

async fn add_events(conn: &mut PgConnection, ns: i64, events: &[Event]) -> Result<()> {
    let sql = "INSERT INTO events (ns, source, id, type, member, time, digest, data, decisions)
        SELECT $1, * FROM unnest($2::text[], $3::text[], $4::text[], $5::text[], $6::bigint[], $7::text[],
            $8::text[], $9::text[])";
    Bulk::of(events, encode::event).run_each(conn, ns, "new events", sql).await
}

async fn end_jobs(conn: &mut PgConnection, ns: i64, ids: &[String]) -> Result<()> {
    let sql = "DELETE FROM jobs WHERE ns = $1 AND id = ANY($2)";
    Bulk::of(ids, encode::key).run(conn, ns, sql).await.map(drop)
}

async fn set_jobs(conn: &mut PgConnection, ns: i64, jobs: &[Job]) -> Result<()> {
    let sql = "INSERT INTO jobs (ns, id, due_at, task)
        SELECT $1, * FROM unnest($2::text[], $3::bigint[], $4::text[])
        ON CONFLICT (ns, id) DO UPDATE SET due_at = excluded.due_at, task = excluded.task";
    Bulk::of(jobs, encode::job).run_each(conn, ns, "jobs", sql).await
}

async fn add_answers(conn: &mut PgConnection, ns: i64, at: Ts, answers: &[Stored]) -> Result<()> {
    if answers.is_empty() {
        return Ok(());
    }
    let outdated = at - retention::ANSWERS_KEPT;
    let rows = Bulk::of(answers, encode::stored);
    let sql = "WITH outdated AS (DELETE FROM idempotency WHERE ns = $1 AND at < $8
            AND row IN (SELECT i.row FROM idempotency i WHERE i.ns = $1 ORDER BY i.row LIMIT $9))
        INSERT INTO idempotency (ns, scope, key, digest, status, at, body)
        SELECT $1, * FROM unnest($2::text[], $3::text[], $4::text[], $5::bigint[], $6::bigint[], $7::bytea[])";
    let more = [outdated.timestamp_micros(), retention::answers_cleared(answers.len())];
    rows.run_each_with(conn, ns, "stored answers", sql, &more).await
}

async fn add_audit(conn: &mut PgConnection, ns: i64, link: Link, audit: &[Audit]) -> Result<Link> {
    let (linked, link) = fold::audit(link, audit)?;
    let sql = "INSERT INTO audit (ns, id, at, actor, action, object, detail, chain)
        SELECT $1, * FROM unnest($2::text[], $3::bigint[], $4::text[], $5::text[], $6::text[], $7::text[],
            $8::bytea[])";
    Bulk::of(&linked, encode::audit).run_each(conn, ns, "the audit trail", sql).await?;
    Ok(link)
}
