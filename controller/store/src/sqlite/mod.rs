//! The database of one process: a SQLite file in WAL mode, one writer, several readers.
//!
//! The writer's connection is every namespace's lane. A lock file beside the database keeps other processes out, and a
//! batch that finds the file changed by another program is refused. Start at [`SqliteStore::open`]; a batch is in
//! `lane`, its statements in `load` and `write`, what needs no transaction in `read`, the invariants in `verify`.

mod bulk;
mod checkpoint;
mod error;
mod lane;
mod load;
mod lock;
mod money;
mod read;
mod reports;
mod subjects;
mod terms;
mod verify;
mod write;

use crate::{Error, Result, fault_points, terms::Cache};
use checkpoint::Checkpoints;
use error::{not_migrated, refused};
use fanfare_core::model::{AutomationPlan, RewardPlan};
use futures::future::BoxFuture;
use lock::{Holder, Scratch};
use sqlx::{
    Connection, SqlStr, SqliteConnection, SqlitePool,
    error::BoxDynError,
    migrate::{Migration, MigrationSource, MigrationType, Migrator},
    sqlite::{SqliteConnectOptions, SqliteJournalMode, SqlitePoolOptions, SqliteSynchronous},
};
use std::{
    path::Path,
    sync::{Arc, atomic::AtomicI64},
    time::Duration,
};

/// Every migration: its version, what it is and its SQL. Applied ones never change. They are listed by hand, since the
/// macro that reads a folder would compile SQLite a second time.
const MIGRATIONS: &[(i64, &str, &str)] = &[
    (1, "first", include_str!("../../migrations/sqlite/0001_first.sql")),
    (2, "reports", include_str!("../../migrations/sqlite/0002_reports.sql")),
    (3, "code pool", include_str!("../../migrations/sqlite/0003_code_pool.sql")),
    (4, "uses", include_str!("../../migrations/sqlite/0004_uses.sql")),
    (5, "code spelling", include_str!("../../migrations/sqlite/0005_code_spelling.sql")),
];

/// Hands the list over.
#[derive(Debug)]
struct Embedded;

impl MigrationSource<'static> for Embedded {
    fn resolve(self) -> BoxFuture<'static, std::result::Result<Vec<Migration>, BoxDynError>> {
        let migration = |(version, what, sql): &(i64, &'static str, &'static str)| {
            Migration::new(*version, (*what).into(), MigrationType::Simple, SqlStr::from_static(sql), false)
        };
        Box::pin(async move { Ok(MIGRATIONS.iter().map(migration).collect()) })
    }
}

/// The most connections that read at once; a stream holds one until it ends.
const READERS_MAX: u32 = 8;
/// How long a batch waits for the lane and a read for a connection.
const WAIT_MAX: Duration = Duration::from_secs(30);
/// How long a statement waits for a lock that another program holds.
const BUSY_MAX: Duration = Duration::from_secs(5);
/// Pages of 4 KiB that the write-ahead log grows to before a commit copies what is left of it into the database.
const LOG_MAX_PAGES: &str = "16000";
/// Memory that each connection caches pages in, as SQLite writes it: negative, in KiB.
const CACHE_KIB: &str = "-32768";
/// The mark that migrations leave in a database of Fanfare.
const APPLICATION_ID: i64 = 1_178_684_998;

/// A SQLite database. Dropped, it frees its lock; [`SqliteStore::close`] also waits until the file is whole by itself.
pub struct SqliteStore {
    writer: SqlitePool,
    readers: SqlitePool,
    checkpoints: Checkpoints,
    /// What `PRAGMA data_version` said when the writer connected; 0 when it has to be asked.
    data_version: Arc<AtomicI64>,
    incarnation: i64,
    rewards: Cache<RewardPlan>,
    automations: Cache<AutomationPlan>,
    _holder: Holder,
    _scratch: Option<Scratch>,
}

impl SqliteStore {
    /// Opens the database at `path`, creates it if there is none, brings it up to date and keeps other processes out.
    /// Commits are synced to the disk.
    ///
    /// # Errors
    /// [`Error::Locked`] when another process has it open, [`Error::Version`] when it was written by a newer binary or
    /// by another program, [`Error::Unavailable`] when it cannot be read or written.
    pub async fn open(path: &Path) -> Result<Self> {
        Self::start(path, SqliteSynchronous::Full, None).await
    }

    /// A database that lives as long as this value, for tests and for commands that keep nothing. It behaves as
    /// [`SqliteStore::open`] does, except that nothing is synced: it is a file of its own in the temporary directory,
    /// since SQLite's purely in-memory databases would let no one read while a batch is open.
    ///
    /// # Errors
    /// [`Error::Unavailable`] when the temporary directory cannot be written.
    pub async fn in_memory() -> Result<Self> {
        let scratch = Scratch::new()?;
        let path = scratch.path().join("fanfare.db");
        Self::start(&path, SqliteSynchronous::Off, Some(scratch)).await
    }

    async fn start(path: &Path, synchronous: SqliteSynchronous, scratch: Option<Scratch>) -> Result<Self> {
        let holder = Holder::take(path)?;
        let options = SqliteConnectOptions::new()
            .filename(path)
            .busy_timeout(BUSY_MAX)
            .foreign_keys(true)
            .pragma("cache_size", CACHE_KIB);
        let writing = options
            .clone()
            .create_if_missing(true)
            .journal_mode(SqliteJournalMode::Wal)
            .synchronous(synchronous)
            .pragma("wal_autocheckpoint", LOG_MAX_PAGES)
            .thread_name(|_| "sqlite-writer".into());
        let incarnation = prepare(&writing, path).await?;
        let checkpoints = Checkpoints::start(writing.clone());

        let data_version = Arc::new(AtomicI64::new(0));
        let writer = lane::pool(writing, Arc::clone(&data_version));
        let readers = SqlitePoolOptions::new()
            .max_connections(READERS_MAX)
            .min_connections(0)
            .acquire_timeout(WAIT_MAX)
            .test_before_acquire(false)
            .max_lifetime(None)
            .connect_lazy_with(options.read_only(true).thread_name(|id| format!("sqlite-reader-{id}")));
        Ok(Self {
            writer,
            readers,
            checkpoints,
            data_version,
            incarnation,
            rewards: Cache::default(),
            automations: Cache::default(),
            _holder: holder,
            _scratch: scratch,
        })
    }

    /// Ends every connection, so that the write-ahead log is copied into the database file, and frees the lock.
    pub async fn close(self) {
        self.readers.close().await;
        self.checkpoints.close().await;
        self.writer.close().await;
    }
}

/// Brings the schema up to date and answers the incarnation.
async fn prepare(options: &SqliteConnectOptions, path: &Path) -> Result<i64> {
    let mut conn = SqliteConnection::connect_with(options).await.map_err(refused)?;
    let application: i64 = sqlx::query_scalar("PRAGMA application_id").fetch_one(&mut conn).await.map_err(refused)?;
    let tables: i64 =
        sqlx::query_scalar("SELECT count(*) FROM sqlite_schema").fetch_one(&mut conn).await.map_err(refused)?;
    if application != APPLICATION_ID && tables > 0 {
        let file = path.display();
        return Err(Error::Version(format!("{file} is a database of another program; name another file")));
    }
    let migrator = Migrator::new(Embedded).await.map_err(not_migrated)?;
    migrator.run(&mut conn).await.map_err(not_migrated)?;
    let incarnation = sqlx::query_scalar("SELECT max(number) FROM incarnation").fetch_one(&mut conn).await;
    let incarnation = incarnation.map_err(refused)?;
    fault_points::reach("migrated");
    conn.close().await.map_err(refused)?;
    Ok(incarnation)
}
