//! Members and what stands around the money: lists, participations, holds, runs, messages, published revisions, credentials.

use super::{bulk::Bulk, error::refused, terms};
use crate::{
    Result,
    encode::{self, Put},
    fence::Fence,
    fold, retention,
    rows::{Credential, Hold, Member, Message, Participation, Pooled, Published, RefreshToken, Run},
    terms::Distinct,
};
use fanfare_core::{
    ids::{MemberId, Name, Namespace},
    model::Kind,
};
use sqlx::PgConnection;

/// Inserts or replaces members; their identities are replaced with them.
pub(super) async fn members(conn: &mut PgConnection, ns: i64, members: &[Member]) -> Result<()> {
    if members.is_empty() {
        return Ok(());
    }
    let sql = "INSERT INTO members (ns, id, account, attributes, tags, consent, identities, created_at, merged_into)
        SELECT $1, * FROM unnest($2::text[], $3::text[], $4::text[], $5::text[], $6::text[], $7::text[],
            $8::bigint[], $9::text[])
        ON CONFLICT (ns, id) DO UPDATE SET account = excluded.account, attributes = excluded.attributes,
            tags = excluded.tags, consent = excluded.consent, identities = excluded.identities,
            created_at = excluded.created_at, merged_into = excluded.merged_into";
    Bulk::of(members, encode::member).run_each(conn, ns, "members", sql).await?;

    let sql = "DELETE FROM identities WHERE ns = $1 AND member = ANY($2)";
    Bulk::of(members.iter().map(|row| &row.id), encode::key).run(conn, ns, sql).await?;

    let pairs = members.iter().flat_map(|row| row.identities.iter().map(move |identity| (identity, &row.id)));
    let sql = "INSERT INTO identities (ns, type, value, member)
        SELECT $1, * FROM unnest($2::text[], $3::text[], $4::text[])";
    Bulk::of(pairs, encode::identity).run_each(conn, ns, "identities", sql).await
}

/// Inserts or replaces holds.
pub(super) async fn holds(conn: &mut PgConnection, ns: i64, holds: &[Hold]) -> Result<()> {
    let sql =
        "INSERT INTO holds (ns, id, campaign, mechanic, sku, quantity, member, store, expires_at, state, order_id)
        SELECT $1, * FROM unnest($2::text[], $3::text[], $4::text[], $5::text[], $6::bigint[], $7::text[],
            $8::text[], $9::bigint[], $10::text[], $11::text[])
        ON CONFLICT (ns, id) DO UPDATE SET campaign = excluded.campaign, mechanic = excluded.mechanic,
            sku = excluded.sku, quantity = excluded.quantity, member = excluded.member, store = excluded.store,
            expires_at = excluded.expires_at, state = excluded.state, order_id = excluded.order_id";
    Bulk::of(holds, encode::hold).run_each(conn, ns, "holds", sql).await
}

/// Inserts or replaces participations.
pub(super) async fn participations(conn: &mut PgConnection, ns: i64, rows: &[Participation]) -> Result<()> {
    let sql = "INSERT INTO participations (ns, campaign, member, joined_at, touched_at, converted, revision)
        SELECT $1, * FROM unnest($2::text[], $3::text[], $4::bigint[], $5::bigint[], $6::boolean[], $7::text[])
        ON CONFLICT (ns, campaign, member) DO UPDATE SET joined_at = excluded.joined_at,
            touched_at = excluded.touched_at, converted = excluded.converted, revision = excluded.revision";
    Bulk::of(rows, encode::participation).run_each(conn, ns, "participations", sql).await
}

/// Replaces whole lists, then adds to lists, then removes from lists.
pub(super) async fn lists(
    conn: &mut PgConnection,
    ns: i64,
    set: &[(Name, Vec<MemberId>)],
    added: &[(Name, MemberId)],
    removed: &[(Name, MemberId)],
) -> Result<()> {
    let sql = "DELETE FROM list_members WHERE ns = $1 AND list = ANY($2)";
    Bulk::of(set.iter().map(|(list, _)| list), encode::key).run(conn, ns, sql).await?;

    let members = set.iter().flat_map(|(list, members)| members.iter().map(move |member| (list, member)));
    let pairs = members.chain(added.iter().map(|(list, member)| (list, member)));
    let sql = "INSERT INTO list_members (ns, list, member) SELECT $1, * FROM unnest($2::text[], $3::text[])
        ON CONFLICT (ns, list, member) DO NOTHING";
    Bulk::of(pairs, encode::pair).run(conn, ns, sql).await?;

    let pairs = removed.iter().map(|(list, member)| (list, member));
    let sql = "DELETE FROM list_members l USING unnest($2::text[], $3::text[]) k (list, member)
        WHERE l.ns = $1 AND l.list = k.list AND l.member = k.member";
    Bulk::of(pairs, encode::pair).run(conn, ns, sql).await.map(drop)
}

/// Inserts or replaces runs; the plan stays the one that each entered under.
pub(super) async fn runs(conn: &mut PgConnection, ns: i64, runs: &[Run]) -> Result<()> {
    if runs.is_empty() {
        return Ok(());
    }
    let terms = Distinct::new(runs.iter().map(|row| &row.plan))?;
    terms::write(&terms, conn, ns).await?;
    let rows = Bulk::of(runs.iter().zip(terms.digests()), encode::run);
    let sql = "INSERT INTO runs (ns, id, automation, terms, member, state, step, entered_at, left_at, trigger_data)
        SELECT $1, k.id, k.automation, (SELECT t.id FROM terms t WHERE t.ns = $1 AND t.digest = k.digest),
            k.member, k.state, k.step, k.entered_at, k.left_at, k.trigger_data
        FROM unnest($2::text[], $3::text[], $4::text[], $5::text[], $6::text[], $7::bigint[], $8::bigint[],
            $9::bigint[], $10::text[])
            k (id, automation, digest, member, state, step, entered_at, left_at, trigger_data)
        ON CONFLICT (ns, id) DO UPDATE SET member = excluded.member, state = excluded.state, step = excluded.step,
            entered_at = excluded.entered_at, left_at = excluded.left_at, trigger_data = excluded.trigger_data";
    rows.run_each(conn, ns, "runs", sql).await
}

/// Inserts or replaces messages.
pub(super) async fn messages(conn: &mut PgConnection, ns: i64, messages: &[Message]) -> Result<()> {
    let sql = "INSERT INTO messages (ns, id, member, channel, in_app, template, cause, campaign, subject, body, locale,
            skip_when_ambiguous, marketing, state, reason, attempts, created_at, sent_at, read_at)
        SELECT $1, * FROM unnest($2::text[], $3::text[], $4::text[], $5::boolean[], $6::text[], $7::text[],
            $8::text[], $9::text[], $10::text[], $11::text[], $12::boolean[], $13::boolean[], $14::text[],
            $15::text[], $16::bigint[], $17::bigint[], $18::bigint[], $19::bigint[])
        ON CONFLICT (ns, id) DO UPDATE SET member = excluded.member, channel = excluded.channel,
            in_app = excluded.in_app, template = excluded.template, cause = excluded.cause,
            campaign = excluded.campaign, subject = excluded.subject, body = excluded.body,
            locale = excluded.locale, skip_when_ambiguous = excluded.skip_when_ambiguous,
            marketing = excluded.marketing, state = excluded.state, reason = excluded.reason,
            attempts = excluded.attempts, created_at = excluded.created_at, sent_at = excluded.sent_at,
            read_at = excluded.read_at";
    Bulk::of(messages, encode::message).run_each(conn, ns, "messages", sql).await
}

/// Serves each revision in the place of the former.
pub(super) async fn published(conn: &mut PgConnection, ns: i64, published: &[Published]) -> Result<()> {
    let former =
        "UPDATE published p SET served = false FROM unnest($2::text[], $3::text[], $4::text[]) k (kind, name, revision)
        CROSS JOIN LATERAL (SELECT t.ctid AS at, t.revision FROM published t
            WHERE t.ns = $1 AND t.kind = k.kind AND t.name = k.name AND t.served LIMIT 1) t
        WHERE p.ctid = t.at AND t.revision <> k.revision";
    // A revision that is served again counts as published anew; one that is served already changes its flags only, and
    // its plan in what is no part of the specification: whether its budget suspended it.
    let present =
        "INSERT INTO published AS p (ns, kind, name, revision, plan, generation, at, author, settled, retired,
            served, ordinal)
        SELECT $1, k.*, NOT k.retired, 1 + coalesce((SELECT max(o.ordinal) FROM published o
            WHERE o.ns = $1 AND o.kind = k.kind AND o.name = k.name), 0)
        FROM unnest($2::text[], $3::text[], $4::text[], $5::text[], $6::bigint[], $7::bigint[], $8::text[],
            $9::boolean[], $10::boolean[]) k (kind, name, revision, plan, generation, at, author, settled, retired)
        ON CONFLICT (ns, kind, name, revision) DO UPDATE SET plan = excluded.plan,
            generation = excluded.generation, author = excluded.author, settled = excluded.settled, retired = excluded.retired,
            at = CASE WHEN p.served THEN p.at ELSE excluded.at END,
            ordinal = CASE WHEN p.served THEN p.ordinal ELSE excluded.ordinal END, served = excluded.served";
    for round in fold::rounds(published)? {
        let keys = Bulk::of(&round, |c, row| {
            c.text(row.kind.as_str()).text(&row.name).text(&row.revision);
        });
        keys.run(conn, ns, former).await?;
        Bulk::of(round, encode::published).run_each(conn, ns, "published revisions", present).await?;
    }
    Ok(())
}

/// Serves these resources no longer.
pub(super) async fn retired(conn: &mut PgConnection, ns: i64, retired: &[(Kind, Name)]) -> Result<()> {
    let sql = "UPDATE published p SET served = false, retired = true FROM unnest($2::text[], $3::text[]) k (kind, name)
        CROSS JOIN LATERAL (SELECT t.ctid AS at FROM published t
            WHERE t.ns = $1 AND t.kind = k.kind AND t.name = k.name AND t.served LIMIT 1) t
        WHERE p.ctid = t.at";
    Bulk::of(retired, encode::retired).run(conn, ns, sql).await.map(drop)
}

/// Inserts or replaces credentials of this namespace.
pub(super) async fn credentials(
    conn: &mut PgConnection,
    ns: i64,
    namespace: &Namespace,
    credentials: &[Credential],
) -> Result<()> {
    fold::same_namespace(namespace, credentials.iter().map(|row| &row.namespace))?;
    let sql = "INSERT INTO credentials (ns, id, digest, store, scopes, label, expires_at, revoked)
        SELECT $1, * FROM unnest($2::text[], $3::text[], $4::text[], $5::text[], $6::text[], $7::bigint[],
            $8::boolean[])
        ON CONFLICT (ns, id) DO UPDATE SET digest = excluded.digest, store = excluded.store,
            scopes = excluded.scopes, label = excluded.label, expires_at = excluded.expires_at,
            revoked = excluded.revoked";
    Bulk::of(credentials, encode::credential).run_each(conn, ns, "credentials", sql).await
}

/// Inserts or replaces refresh tokens, marks every token of a revoked family as used, and deletes those that have lapsed.
pub(super) async fn refresh_tokens(
    conn: &mut PgConnection,
    ns: i64,
    namespace: &Namespace,
    tokens: &[RefreshToken],
    revoked: &[String],
) -> Result<()> {
    fold::same_namespace(namespace, tokens.iter().map(|row| &row.namespace))?;
    let sql = "INSERT INTO refresh_tokens AS t (ns, digest, member, expires_at, used, family)
        SELECT $1, * FROM unnest($2::text[], $3::text[], $4::bigint[], $5::boolean[], $6::text[])
        ON CONFLICT (digest) DO UPDATE SET member = excluded.member, expires_at = excluded.expires_at,
            used = excluded.used, family = excluded.family WHERE t.ns = excluded.ns";
    Bulk::of(tokens, encode::refresh_token).run_each(conn, ns, "refresh tokens", sql).await?;

    let sql = "UPDATE refresh_tokens SET used = true WHERE ns = $1 AND family = ANY($2)";
    Bulk::of(revoked, encode::key).run(conn, ns, sql).await?;

    let Some(newest) = tokens.iter().map(|row| row.expires_at).max() else { return Ok(()) };
    sqlx::query("DELETE FROM refresh_tokens WHERE ns = $1 AND expires_at < $2")
        .bind(ns)
        .bind((newest - retention::REFRESH_LIFE_MAX).timestamp_micros())
        .execute(conn)
        .await
        .map_err(super::error::refused)?;
    Ok(())
}

/// Puts imported codes into their pools.
pub(super) async fn pool(conn: &mut PgConnection, ns: i64, rows: &[(String, Pooled)]) -> Result<()> {
    let rows = Bulk::of(rows.iter().map(|(place, row)| (place, row)), encode::pooled);
    let sql = "INSERT INTO code_pool (ns, place, code, spelling)
        SELECT $1, * FROM unnest($2::text[], $3::text[], $4::text[])";
    rows.run_each(conn, ns, "imported codes", sql).await
}

/// Holds the epoch until the batch is over, so that whoever raises it waits for the batch, and whoever comes later is refused.
pub(super) async fn hold(conn: &mut PgConnection, fence: &Fence) -> Result<()> {
    let query = sqlx::query_scalar("SELECT value FROM settings WHERE name = $1 FOR SHARE").bind(&fence.setting);
    let stands: Option<Vec<u8>> = query.fetch_optional(conn).await.map_err(refused)?;
    fence.check(stands.as_deref())
}

/// Inserts or replaces settings; there are few.
pub(super) async fn settings(conn: &mut PgConnection, settings: &[(String, Vec<u8>)]) -> Result<()> {
    let sql = "INSERT INTO settings (name, value) VALUES ($1, $2)
        ON CONFLICT (name) DO UPDATE SET value = excluded.value";
    for (name, value) in settings {
        sqlx::query(sql).bind(name).bind(value).execute(&mut *conn).await.map_err(refused)?;
    }
    Ok(())
}
