//! A batch: one transaction of one connection, from the lock of the namespace's lane to a synced `COMMIT`.
//!
//! A dropped batch is rolled back before its connection is handed on. A connection that was cut is thrown away by the pool.

use super::{PostgresStore, WRITERS_MAX, error::refused, load, news, write};
use crate::{
    Answer, Batch, Keys, News, Position, Result, Rows, Writes,
    chain::{self, Link},
    decode::Cursor,
    fault_points, fold,
};
use fanfare_core::ids::Namespace;
use sqlx::{PgConnection, Postgres, Transaction};

/// How far a namespace's lane has come.
pub(super) struct Lane {
    pub(super) ns: i64,
    pub(super) seq: i64,
    pub(super) chain: Link,
    pub(super) audit: Link,
    /// The server's process that runs the batch; 0 where the lane is new.
    process: i64,
    /// The database's.
    incarnation: i64,
}

/// A batch on PostgreSQL.
pub(super) struct PostgresBatch<'a> {
    store: &'a PostgresStore,
    namespace: &'a Namespace,
    transaction: Transaction<'static, Postgres>,
    lane: Lane,
}

/// Waits for the lane and starts a batch.
pub(super) async fn begin<'a>(store: &'a PostgresStore, namespace: &'a Namespace) -> Result<PostgresBatch<'a>> {
    let mut transaction = open(store).await?;
    let lane = match lock(&mut transaction, namespace).await? {
        Some(lane) => lane,
        None => found(&mut transaction, namespace).await?,
    };
    store.still(lane.incarnation)?;
    if lane.process != 0 && store.planned.due(lane.process) {
        sqlx::raw_sql("DISCARD PLANS").execute(&mut *transaction).await.map_err(refused)?;
    }
    Ok(PostgresBatch { store, namespace, transaction, lane })
}

/// A transaction on a connection that works. Those that were cut while they rested, as by a restart of the database, show it
/// here, where nothing has been done yet.
async fn open(store: &PostgresStore) -> Result<Transaction<'static, Postgres>> {
    // Whatever the database's default is: each statement has to see what was committed before it.
    const BEGIN: &str = "BEGIN ISOLATION LEVEL READ COMMITTED READ WRITE";
    for _ in 0..WRITERS_MAX {
        match store.writers.begin_with(BEGIN).await {
            Err(sqlx::Error::Io(_)) => {}
            Err(sqlx::Error::Database(error)) if error.code().is_some_and(|code| code.starts_with("57P")) => {}
            answer => return answer.map_err(refused),
        }
    }
    store.writers.begin_with(BEGIN).await.map_err(refused)
}

/// Locks the lane. A lock that was waited for answers the row as its holder left it.
async fn lock(conn: &mut PgConnection, namespace: &Namespace) -> Result<Option<Lane>> {
    let sql = "SELECT ns, seq, chain, audit, pg_backend_pid()::bigint, (SELECT max(number) FROM incarnation)
        FROM lane WHERE name = $1 FOR UPDATE";
    let row = sqlx::query(sql).bind(namespace.as_str()).fetch_optional(conn).await.map_err(refused)?;
    let Some(row) = row else { return Ok(None) };
    let mut c = Cursor::new(&row);
    Ok(Some(Lane {
        ns: c.int()?,
        seq: c.int()?,
        chain: c.link()?,
        audit: c.link()?,
        process: c.int()?,
        incarnation: c.int()?,
    }))
}

/// Gives a namespace its lane, which is there for good once this batch commits. Of several who try at once the others wait
/// for the first: they lock its lane if it commits, and make one if it does not.
async fn found(conn: &mut PgConnection, namespace: &Namespace) -> Result<Lane> {
    /// How often a lane may be made and given up by others in between.
    const TRIES_MAX: usize = 100;
    let sql = "INSERT INTO lane (name, seq, chain, audit) VALUES ($1, 0, $2, $2) ON CONFLICT (name) DO NOTHING
        RETURNING ns, (SELECT max(number) FROM incarnation)";
    for _ in 0..TRIES_MAX {
        let made = sqlx::query_as(sql).bind(namespace.as_str()).bind(chain::START.as_slice());
        if let Some((ns, incarnation)) = made.fetch_optional(&mut *conn).await.map_err(refused)? {
            return Ok(Lane { ns, seq: 0, chain: chain::START, audit: chain::START, process: 0, incarnation });
        }
        if let Some(lane) = lock(conn, namespace).await? {
            return Ok(lane);
        }
    }
    Err(crate::Error::Unavailable(format!("the lane of {namespace} could not be made")))
}

impl Batch for PostgresBatch<'_> {
    fn position(&self) -> Position {
        Position(self.lane.seq)
    }

    fn load<'a>(&'a mut self, keys: &'a Keys) -> Answer<'a, Rows> {
        Box::pin(load::load(self.store, &mut self.transaction, self.namespace, self.lane.ns, keys))
    }

    fn news<'a>(&'a mut self, since: Position) -> Answer<'a, Option<News>> {
        Box::pin(news::read(&mut self.transaction, self.namespace, since))
    }

    fn commit<'a>(self: Box<Self>, writes: Writes) -> Answer<'a, Position>
    where
        Self: 'a,
    {
        Box::pin(async move { commit(*self, writes).await })
    }
}

async fn commit(batch: PostgresBatch<'_>, mut writes: Writes) -> Result<Position> {
    let PostgresBatch { store: _, namespace, mut transaction, lane } = batch;
    if writes.is_empty() {
        return Ok(Position(lane.seq));
    }
    fold::rows(&mut writes);
    let seq = write::write(&mut transaction, namespace, &lane, &writes).await?;
    fault_points::reach("written-not-committed");
    transaction.commit().await.map_err(refused)?;
    fault_points::reach("committed");
    Ok(Position(seq))
}
