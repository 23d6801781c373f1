//! Members and what stands around the money: lists, participations, holds, runs, messages, published revisions, credentials.

use super::{bulk::Bulk, error::refused, terms};
use crate::{
    Result, encode,
    fence::Fence,
    fold, retention,
    rows::{Credential, Hold, Member, Message, Participation, Pooled, Published, RefreshToken, Run},
    terms::Distinct,
};
use fanfare_core::{
    ids::{MemberId, Name, Namespace},
    model::Kind,
};
use sqlx::SqliteConnection;

/// Inserts or replaces members; their identities are replaced with them.
pub(super) async fn members(conn: &mut SqliteConnection, ns: i64, members: &[Member]) -> Result<()> {
    if members.is_empty() {
        return Ok(());
    }
    let rows = Bulk::of(members, encode::member);
    let sql = "INSERT INTO members (ns, id, account, attributes, tags, consent, identities, created_at, merged_into)
        SELECT ?1, value->>'$[0]', value->>'$[1]', value->'$[2]', value->'$[3]', value->'$[4]', value->'$[5]',
            value->>'$[6]', value->>'$[7]'
        FROM jsonb_each(?2) WHERE true
        ON CONFLICT (ns, id) DO UPDATE SET account = excluded.account, attributes = excluded.attributes,
            tags = excluded.tags, consent = excluded.consent, identities = excluded.identities,
            created_at = excluded.created_at, merged_into = excluded.merged_into";
    rows.run_each(conn, ns, "members", sql).await?;

    let ids = Bulk::of(members.iter().map(|row| &row.id), encode::key);
    let sql = "DELETE FROM identities WHERE ns = ?1 AND member IN (SELECT value->>'$[0]' FROM jsonb_each(?2))";
    ids.run(conn, ns, sql).await?;

    let pairs = members.iter().flat_map(|row| row.identities.iter().map(move |identity| (identity, &row.id)));
    let identities = Bulk::of(pairs, encode::identity);
    let sql = "INSERT INTO identities (ns, type, value, member)
        SELECT ?1, value->>'$[0]', value->>'$[1]', value->>'$[2]' FROM jsonb_each(?2)";
    identities.run_each(conn, ns, "identities", sql).await
}

/// Inserts or replaces holds.
pub(super) async fn holds(conn: &mut SqliteConnection, ns: i64, holds: &[Hold]) -> Result<()> {
    let rows = Bulk::of(holds, encode::hold);
    let sql =
        "INSERT INTO holds (ns, id, campaign, mechanic, sku, quantity, member, store, expires_at, state, order_id)
        SELECT ?1, value->>'$[0]', value->>'$[1]', value->>'$[2]', value->>'$[3]', value->>'$[4]', value->>'$[5]',
            value->>'$[6]', value->>'$[7]', value->>'$[8]', value->>'$[9]'
        FROM jsonb_each(?2) WHERE true
        ON CONFLICT (ns, id) DO UPDATE SET campaign = excluded.campaign, mechanic = excluded.mechanic,
            sku = excluded.sku, quantity = excluded.quantity, member = excluded.member, store = excluded.store,
            expires_at = excluded.expires_at, state = excluded.state, order_id = excluded.order_id";
    rows.run_each(conn, ns, "holds", sql).await
}

/// Inserts or replaces participations.
pub(super) async fn participations(conn: &mut SqliteConnection, ns: i64, rows: &[Participation]) -> Result<()> {
    let rows = Bulk::of(rows, encode::participation);
    let sql = "INSERT INTO participations (ns, campaign, member, joined_at, touched_at, converted, revision)
        SELECT ?1, value->>'$[0]', value->>'$[1]', value->>'$[2]', value->>'$[3]', value->>'$[4]', value->>'$[5]'
        FROM jsonb_each(?2) WHERE true
        ON CONFLICT (ns, campaign, member) DO UPDATE SET joined_at = excluded.joined_at,
            touched_at = excluded.touched_at, converted = excluded.converted, revision = excluded.revision";
    rows.run_each(conn, ns, "participations", sql).await
}

/// Replaces whole lists, then adds to lists, then removes from lists.
pub(super) async fn lists(
    conn: &mut SqliteConnection,
    ns: i64,
    set: &[(Name, Vec<MemberId>)],
    added: &[(Name, MemberId)],
    removed: &[(Name, MemberId)],
) -> Result<()> {
    let replaced = Bulk::of(set.iter().map(|(list, _)| list), encode::key);
    let sql = "DELETE FROM list_members WHERE ns = ?1 AND list IN (SELECT value->>'$[0]' FROM jsonb_each(?2))";
    replaced.run(conn, ns, sql).await?;

    let members = set.iter().flat_map(|(list, members)| members.iter().map(move |member| (list, member)));
    let pairs = Bulk::of(members.chain(added.iter().map(|(list, member)| (list, member))), encode::pair);
    let sql = "INSERT INTO list_members (ns, list, member)
        SELECT ?1, value->>'$[0]', value->>'$[1]' FROM jsonb_each(?2) WHERE true
        ON CONFLICT (ns, list, member) DO NOTHING";
    pairs.run(conn, ns, sql).await?;

    let pairs = Bulk::of(removed.iter().map(|(list, member)| (list, member)), encode::pair);
    let sql = "DELETE FROM list_members WHERE ns = ?1 AND (list, member) IN
        (SELECT value->>'$[0]', value->>'$[1]' FROM jsonb_each(?2))";
    pairs.run(conn, ns, sql).await.map(drop)
}

/// Inserts or replaces runs; the plan stays the one that each entered under.
pub(super) async fn runs(conn: &mut SqliteConnection, ns: i64, runs: &[Run]) -> Result<()> {
    if runs.is_empty() {
        return Ok(());
    }
    let terms = Distinct::new(runs.iter().map(|row| &row.plan))?;
    terms::write(&terms, conn, ns).await?;
    let rows = Bulk::of(runs.iter().zip(terms.digests()), encode::run);
    let sql = "INSERT INTO runs (ns, id, automation, terms, member, state, step, entered_at, left_at, trigger_data)
        SELECT ?1, value->>'$[0]', value->>'$[1]',
            (SELECT t.id FROM terms t WHERE t.ns = ?1 AND t.digest = value->>'$[2]'),
            value->>'$[3]', value->>'$[4]', value->>'$[5]', value->>'$[6]', value->>'$[7]', value->'$[8]'
        FROM jsonb_each(?2) WHERE true
        ON CONFLICT (ns, id) DO UPDATE SET member = excluded.member, state = excluded.state, step = excluded.step,
            entered_at = excluded.entered_at, left_at = excluded.left_at, trigger_data = excluded.trigger_data";
    rows.run_each(conn, ns, "runs", sql).await
}

/// Inserts or replaces messages.
pub(super) async fn messages(conn: &mut SqliteConnection, ns: i64, messages: &[Message]) -> Result<()> {
    let rows = Bulk::of(messages, encode::message);
    let sql = "INSERT INTO messages (ns, id, member, channel, in_app, template, cause, campaign, subject, body, locale,
            skip_when_ambiguous, marketing, state, reason, attempts, created_at, sent_at, read_at)
        SELECT ?1, value->>'$[0]', value->>'$[1]', value->>'$[2]', value->>'$[3]', value->>'$[4]', value->>'$[5]',
            value->>'$[6]', value->>'$[7]', value->>'$[8]', value->>'$[9]', value->>'$[10]', value->>'$[11]',
            value->>'$[12]', value->>'$[13]', value->>'$[14]', value->>'$[15]', value->>'$[16]', value->>'$[17]'
        FROM jsonb_each(?2) WHERE true
        ON CONFLICT (ns, id) DO UPDATE SET member = excluded.member, channel = excluded.channel,
            in_app = excluded.in_app, template = excluded.template, cause = excluded.cause,
            campaign = excluded.campaign, subject = excluded.subject, body = excluded.body,
            locale = excluded.locale, skip_when_ambiguous = excluded.skip_when_ambiguous,
            marketing = excluded.marketing, state = excluded.state, reason = excluded.reason,
            attempts = excluded.attempts, created_at = excluded.created_at, sent_at = excluded.sent_at,
            read_at = excluded.read_at";
    rows.run_each(conn, ns, "messages", sql).await
}

/// Serves each revision in the place of the former.
pub(super) async fn published(conn: &mut SqliteConnection, ns: i64, published: &[Published]) -> Result<()> {
    let former = "UPDATE published SET served = 0 FROM (SELECT t.rowid AS at, k.value FROM jsonb_each(?2) k CROSS JOIN published t
            ON t.ns = ?1 AND t.kind = k.value->>'$[0]' AND t.name = k.value->>'$[1]' AND t.served = 1 LIMIT -1) k
        WHERE published.rowid = k.at AND published.revision <> k.value->>'$[2]'";
    // A revision that is served again counts as published anew; one that is served already changes its flags only, and
    // its plan in what is no part of the specification: whether its budget suspended it.
    let present = "INSERT INTO published (ns, kind, name, revision, plan, generation, at, author, settled, retired,
            served, ordinal)
        SELECT ?1, value->>'$[0]', value->>'$[1]', value->>'$[2]', value->'$[3]', value->>'$[4]', value->>'$[5]',
            value->>'$[6]', value->>'$[7]', value->>'$[8]', 1 - value->>'$[8]',
            1 + coalesce((SELECT max(p.ordinal) FROM published p
                WHERE p.ns = ?1 AND p.kind = value->>'$[0]' AND p.name = value->>'$[1]'), 0)
        FROM jsonb_each(?2) WHERE true
        ON CONFLICT (ns, kind, name, revision) DO UPDATE SET plan = excluded.plan, generation = excluded.generation,
            author = excluded.author, settled = excluded.settled, retired = excluded.retired,
            at = CASE served WHEN 1 THEN at ELSE excluded.at END,
            ordinal = CASE served WHEN 1 THEN ordinal ELSE excluded.ordinal END, served = excluded.served";
    for round in fold::rounds(published)? {
        Bulk::of(round.iter().copied(), encode::published).run(conn, ns, former).await?;
        Bulk::of(round, encode::published).run_each(conn, ns, "published revisions", present).await?;
    }
    Ok(())
}

/// Serves these resources no longer.
pub(super) async fn retired(conn: &mut SqliteConnection, ns: i64, retired: &[(Kind, Name)]) -> Result<()> {
    let rows = Bulk::of(retired, encode::retired);
    let sql = "UPDATE published SET served = 0, retired = 1 FROM (SELECT t.rowid AS at, k.value FROM jsonb_each(?2) k CROSS JOIN published t
            ON t.ns = ?1 AND t.kind = k.value->>'$[0]' AND t.name = k.value->>'$[1]' AND t.served = 1 LIMIT -1) k
        WHERE published.rowid = k.at";
    rows.run(conn, ns, sql).await.map(drop)
}

/// Inserts or replaces credentials of this namespace.
pub(super) async fn credentials(
    conn: &mut SqliteConnection,
    ns: i64,
    namespace: &Namespace,
    credentials: &[Credential],
) -> Result<()> {
    fold::same_namespace(namespace, credentials.iter().map(|row| &row.namespace))?;
    let rows = Bulk::of(credentials, encode::credential);
    let sql = "INSERT INTO credentials (ns, id, digest, store, scopes, label, expires_at, revoked)
        SELECT ?1, value->>'$[0]', value->>'$[1]', value->>'$[2]', value->'$[3]', value->>'$[4]', value->>'$[5]',
            value->>'$[6]'
        FROM jsonb_each(?2) WHERE true
        ON CONFLICT (ns, id) DO UPDATE SET digest = excluded.digest, store = excluded.store,
            scopes = excluded.scopes, label = excluded.label, expires_at = excluded.expires_at,
            revoked = excluded.revoked";
    rows.run_each(conn, ns, "credentials", sql).await
}

/// Inserts or replaces refresh tokens, marks every token of a revoked family as used, and deletes those that have lapsed.
pub(super) async fn refresh_tokens(
    conn: &mut SqliteConnection,
    ns: i64,
    namespace: &Namespace,
    tokens: &[RefreshToken],
    revoked: &[String],
) -> Result<()> {
    fold::same_namespace(namespace, tokens.iter().map(|row| &row.namespace))?;
    let rows = Bulk::of(tokens, encode::refresh_token);
    let sql = "INSERT INTO refresh_tokens (ns, digest, member, expires_at, used, family)
        SELECT ?1, value->>'$[0]', value->>'$[1]', value->>'$[2]', value->>'$[3]', value->>'$[4]'
        FROM jsonb_each(?2) WHERE true
        ON CONFLICT (digest) DO UPDATE SET member = excluded.member, expires_at = excluded.expires_at,
            used = excluded.used, family = excluded.family WHERE ns = excluded.ns";
    rows.run_each(conn, ns, "refresh tokens", sql).await?;

    let families = Bulk::of(revoked, encode::key);
    let sql = "UPDATE refresh_tokens SET used = 1
        WHERE ns = ?1 AND family IN (SELECT value->>'$[0]' FROM jsonb_each(?2))";
    families.run(conn, ns, sql).await?;

    let Some(newest) = tokens.iter().map(|row| row.expires_at).max() else { return Ok(()) };
    sqlx::query("DELETE FROM refresh_tokens WHERE ns = ?1 AND expires_at < ?2")
        .bind(ns)
        .bind((newest - retention::REFRESH_LIFE_MAX).timestamp_micros())
        .execute(conn)
        .await
        .map_err(super::error::refused)?;
    Ok(())
}

/// Puts imported codes into their pools.
pub(super) async fn pool(conn: &mut SqliteConnection, ns: i64, rows: &[(String, Pooled)]) -> Result<()> {
    let rows = Bulk::of(rows.iter().map(|(place, row)| (place, row)), encode::pooled);
    let sql = "INSERT INTO code_pool (ns, place, code, spelling)
        SELECT ?1, value->>'$[0]', value->>'$[1]', value->>'$[2]' FROM jsonb_each(?2)";
    rows.run_each(conn, ns, "imported codes", sql).await
}

/// Compares the epoch. The writer's connection is the only one that raises it.
pub(super) async fn hold(conn: &mut SqliteConnection, fence: &Fence) -> Result<()> {
    let query = sqlx::query_scalar("SELECT value FROM settings WHERE name = ?1").bind(&fence.setting);
    let stands: Option<Vec<u8>> = query.fetch_optional(conn).await.map_err(refused)?;
    fence.check(stands.as_deref())
}

/// Inserts or replaces settings; there are few.
pub(super) async fn settings(conn: &mut SqliteConnection, settings: &[(String, Vec<u8>)]) -> Result<()> {
    let sql = "INSERT INTO settings (name, value) VALUES (?1, ?2)
        ON CONFLICT (name) DO UPDATE SET value = excluded.value";
    for (name, value) in settings {
        sqlx::query(sql).bind(name).bind(value).execute(&mut *conn).await.map_err(refused)?;
    }
    Ok(())
}
