//! What followers in other processes learn of each batch, and the lane's own move, which is one statement with it.

use super::{error::refused, lane::Lane};
use crate::{
    Error, News, Position, Result,
    chain::Link,
    decode::Cursor,
    retention::{NEWS_CLEARED_PER_NEW, NEWS_KEPT, NEWS_PAGE_BYTES, NEWS_PAGE_MAX},
};
use fanfare_core::ids::Namespace;
use sqlx::PgConnection;

/// Where a batch leaves its lane.
pub(super) struct Moved<'a> {
    pub(super) seq: i64,
    pub(super) chain: Link,
    pub(super) audit: Link,
    pub(super) news: Option<&'a [u8]>,
}

/// Moves the lane from `from`, keeps the batch's news and forgets some of those that are too old. News live in real time,
/// which is the database's: a batch knows business time only.
pub(super) async fn move_lane(conn: &mut PgConnection, from: &Lane, to: &Moved<'_>) -> Result<()> {
    let sql = "WITH clock AS (SELECT (extract(epoch FROM clock_timestamp()) * 1000000)::bigint AS now),
        forgotten AS (DELETE FROM news n USING clock WHERE n.ns = $1 AND n.at < clock.now - $7
            AND n.seq IN (SELECT o.seq FROM news o WHERE o.ns = $1 ORDER BY o.seq LIMIT $8) RETURNING n.seq),
        told AS (INSERT INTO news (ns, seq, at, body) SELECT $1, $3, clock.now, $6 FROM clock WHERE $6 IS NOT NULL)
        UPDATE lane SET seq = $3, chain = $4, audit = $5,
            forgotten = greatest(lane.forgotten, (SELECT max(f.seq) FROM forgotten f))
        WHERE ns = $1 AND seq = $2";
    let done = sqlx::query(sql)
        .bind(from.ns)
        .bind(from.seq)
        .bind(to.seq)
        .bind(to.chain.as_slice())
        .bind(to.audit.as_slice())
        .bind(to.news)
        .bind(i64::try_from(NEWS_KEPT.as_micros()).unwrap_or(i64::MAX))
        .bind(NEWS_CLEARED_PER_NEW)
        .execute(conn)
        .await
        .map_err(refused)?;
    match done.rows_affected() {
        1 => Ok(()),
        _ => Err(Error::Conflict("the lane was moved by another".into())),
    }
}

/// The news behind `since`, oldest first, at most [`NEWS_PAGE_MAX`] and about [`NEWS_PAGE_BYTES`]; `None` when some are
/// forgotten, or when the lane has not come so far: it has gone back.
pub(super) async fn read(conn: &mut PgConnection, ns: &Namespace, since: Position) -> Result<Option<News>> {
    let sql =
        "SELECT CASE WHEN l.seq < $2 THEN $2 + 1 ELSE l.forgotten END, n.seq, n.body FROM lane l LEFT JOIN LATERAL (
            SELECT p.seq, p.body FROM (
                SELECT o.seq, o.body, sum(octet_length(o.body)) OVER (ORDER BY o.seq) AS bytes FROM (
                    SELECT seq, body FROM news WHERE news.ns = l.ns AND seq > $2 ORDER BY seq LIMIT $3) o) p
            WHERE p.bytes - octet_length(p.body) < $4) n ON true
        WHERE l.name = $1 ORDER BY n.seq";
    let query = sqlx::query(sql).bind(ns.as_str()).bind(since.0).bind(NEWS_PAGE_MAX).bind(NEWS_PAGE_BYTES);
    let rows = query.fetch_all(conn).await.map_err(refused)?;
    let mut news = News::with_capacity(rows.len());
    for row in &rows {
        let mut c = Cursor::new(row);
        if c.int()? > since.0 {
            return Ok(None);
        }
        if let Some(seq) = c.opt_int()? {
            news.push((Position(seq), c.bytes()?.to_vec()));
        }
    }
    Ok(Some(news))
}
