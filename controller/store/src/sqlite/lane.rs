//! A batch: one transaction on the writer's connection, from `BEGIN IMMEDIATE` to a synced `COMMIT`.
//!
//! The pool of the writer has one connection, and its queue is the lane. A dropped batch is rolled back before the
//! connection is handed on; a connection that still has a transaction open is thrown away.

use super::{
    SqliteStore, WAIT_MAX,
    error::refused,
    load,
    write::{self, Holders},
};
use crate::{
    Answer, Batch, Error, Keys, News, Position, Result, Rows, Writes,
    chain::{self, Link},
    decode::Cursor,
    fault_points, fold, restored,
    rows::Grant,
};
use fanfare_core::ids::Namespace;
use futures::FutureExt;
use sqlx::{
    Connection, Sqlite, SqliteConnection, SqlitePool, Transaction,
    sqlite::{SqliteConnectOptions, SqlitePoolOptions},
};
use std::sync::{
    Arc,
    atomic::{AtomicI64, Ordering},
};

/// The pool of the one connection that writes.
pub(super) fn pool(options: SqliteConnectOptions, data_version: Arc<AtomicI64>) -> SqlitePool {
    SqlitePoolOptions::new()
        .max_connections(1)
        .min_connections(0)
        .acquire_timeout(WAIT_MAX)
        .test_before_acquire(false)
        .idle_timeout(None)
        .max_lifetime(None)
        .after_connect(move |_, _| {
            data_version.store(0, Ordering::SeqCst);
            async { Ok(()) }.boxed()
        })
        .before_acquire(|conn, _| {
            let clean = !conn.is_in_transaction();
            async move { Ok(clean) }.boxed()
        })
        .connect_lazy_with(options)
}

/// How far a namespace's lane has come.
pub(super) struct Lane {
    /// The namespace's number; `None` before its first commit.
    pub(super) ns: Option<i64>,
    pub(super) seq: i64,
    pub(super) chain: Link,
    pub(super) audit: Link,
}

/// A batch on SQLite.
pub(super) struct SqliteBatch<'a> {
    store: &'a SqliteStore,
    namespace: &'a Namespace,
    transaction: Transaction<'static, Sqlite>,
    lane: Lane,
    holders: Holders,
}

/// Waits for the lane and starts a batch.
pub(super) async fn begin<'a>(store: &'a SqliteStore, namespace: &'a Namespace) -> Result<SqliteBatch<'a>> {
    let mut transaction = store.writer.begin_with("BEGIN IMMEDIATE").await.map_err(refused)?;
    let lane = read_lane(store, &mut transaction, namespace).await?;
    Ok(SqliteBatch { store, namespace, transaction, lane, holders: Holders::new() })
}

async fn read_lane(store: &SqliteStore, conn: &mut SqliteConnection, namespace: &Namespace) -> Result<Lane> {
    let sql = "SELECT v.data_version, (SELECT max(number) FROM incarnation), l.ns, l.seq, l.chain, l.audit
        FROM pragma_data_version v LEFT JOIN lane l ON l.name = ?1";
    let row = sqlx::query(sql).bind(namespace.as_str()).fetch_one(conn).await.map_err(refused)?;
    let mut c = Cursor::new(&row);
    let version = c.int()?;
    let known = store.data_version.swap(version, Ordering::SeqCst);
    if known != 0 && known != version {
        // What is in memory may be wrong from here on, so the lane stays shut until a restart.
        store.data_version.store(-1, Ordering::SeqCst);
        return Err(Error::Locked("another program has written to the database; restart to read it anew".into()));
    }
    restored::still(c.int()?, store.incarnation)?;
    match c.opt_int()? {
        Some(ns) => Ok(Lane { ns: Some(ns), seq: c.int()?, chain: c.link()?, audit: c.link()? }),
        None => Ok(Lane { ns: None, seq: 0, chain: chain::START, audit: chain::START }),
    }
}

impl Batch for SqliteBatch<'_> {
    fn position(&self) -> Position {
        Position(self.lane.seq)
    }

    fn news<'a>(&'a mut self, _: Position) -> Answer<'a, Option<News>> {
        Box::pin(async { Ok(Some(News::new())) })
    }

    fn load<'a>(&'a mut self, keys: &'a Keys) -> Answer<'a, Rows> {
        Box::pin(async move {
            let Some(ns) = self.lane.ns else { return Ok(Rows::default()) };
            let rows = load::load(self.store, &mut self.transaction, ns, keys).await?;
            let holder = |row: &Grant| (row.id.clone(), (row.member.clone(), row.code.clone()));
            self.holders.extend(rows.grants.iter().map(holder));
            Ok(rows)
        })
    }

    fn commit<'a>(self: Box<Self>, writes: Writes) -> Answer<'a, Position>
    where
        Self: 'a,
    {
        Box::pin(async move { commit(*self, writes).await })
    }
}

async fn commit(batch: SqliteBatch<'_>, mut writes: Writes) -> Result<Position> {
    let SqliteBatch { store, namespace, mut transaction, lane, holders } = batch;
    if writes.is_empty() {
        return Ok(Position(lane.seq));
    }
    fold::rows(&mut writes);
    let ns = match lane.ns {
        Some(ns) => ns,
        None => found(&mut transaction, namespace).await?,
    };
    let lane = write::write(&mut transaction, namespace, ns, lane, &writes, &holders).await?;
    fault_points::reach("written-not-committed");
    transaction.commit().await.map_err(refused)?;
    store.checkpoints.committed();
    fault_points::reach("committed");
    Ok(Position(lane.seq))
}

/// Gives a namespace its number.
async fn found(conn: &mut SqliteConnection, namespace: &Namespace) -> Result<i64> {
    sqlx::query_scalar("INSERT INTO lane (name, seq, chain, audit) VALUES (?1, 0, ?2, ?2) RETURNING ns")
        .bind(namespace.as_str())
        .bind(chain::START.as_slice())
        .fetch_one(conn)
        .await
        .map_err(refused)
}
