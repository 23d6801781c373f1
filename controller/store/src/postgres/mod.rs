//! The database of several processes: PostgreSQL, where any of them runs any batch.
//!
//! A batch is one READ COMMITTED transaction that locks the namespace's row of `lane` first and reads in new statements, so
//! that it sees what the holder before it committed. Whoever stops while it holds a lane loses it after [`IDLE_MAX`], and its
//! commit then fails. Start at [`PostgresStore::open`]; a batch is in `lane`, its statements in `load` and `write`, what
//! needs no transaction in `read`, the invariants in `verify`.

mod bulk;
mod error;
mod incarnation;
mod lane;
mod load;
pub mod look;
mod money;
mod news;
mod planned;
mod read;
mod reports;
mod subjects;
mod terms;
mod verify;
mod write;

use crate::{Error, Result, fault_points, restored, terms::Cache};
use error::{not_migrated, place, refused, unreachable};
use fanfare_core::model::{AutomationPlan, RewardPlan};
use futures::future::BoxFuture;
use planned::Planned;
use sqlx::{
    ConnectOptions, Connection, PgConnection, PgPool, SqlStr,
    error::BoxDynError,
    migrate::{Migration, MigrationSource, MigrationType, Migrator},
    postgres::{PgConnectOptions, PgPoolOptions},
};
use std::{
    str::FromStr,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

/// Every migration: its version, what it is and its SQL. Applied ones never change.
const MIGRATIONS: &[(i64, &str, &str)] = &[
    (1, "first", include_str!("../../migrations/postgres/0001_first.sql")),
    (2, "reports", include_str!("../../migrations/postgres/0002_reports.sql")),
    (3, "code pool", include_str!("../../migrations/postgres/0003_code_pool.sql")),
    (4, "uses", include_str!("../../migrations/postgres/0004_uses.sql")),
    (5, "code spelling", include_str!("../../migrations/postgres/0005_code_spelling.sql")),
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

/// The most batches that one process has open at once: one a namespace that is written to, and others wait.
const WRITERS_MAX: u32 = 8;
/// The most connections of one process that read at once; a stream holds one until it ends.
const READERS_MAX: u32 = 8;
/// How long a batch or a read waits for a connection of this process, and a start for the database.
const WAIT_MAX: Duration = Duration::from_secs(10);
/// How long a connection may have rested and still be handed out unasked. The database may have been restarted since.
const RESTED_MAX: Duration = Duration::from_secs(1);
/// How long a connection that nobody uses stays open.
const UNUSED_MAX: Duration = Duration::from_secs(600);
/// How long a batch waits for a lane that another holds. Longer than [`IDLE_MAX`], so that it outlives a stopped holder.
pub const LOCK_WAIT_MAX: Duration = Duration::from_secs(5);
/// How long a batch may do nothing while it holds its lane: deciding takes milliseconds, so a holder that is silent for so
/// long has stopped. The database ends its transaction, and its commit fails.
pub const IDLE_MAX: Duration = Duration::from_secs(3);
/// How long one statement of a batch may take; replacing a list of a million members is the longest.
const WRITE_MAX: Duration = Duration::from_secs(30);
/// How long one read may take; an index that is rebuilt from every event is the longest.
const READ_MAX: Duration = Duration::from_secs(900);
/// How long what was sent to a client may stay unacknowledged: its machine is gone then.
const CLIENT_SILENT_MAX: Duration = Duration::from_secs(10);
/// How often the database looks, during a statement, whether its client is still there.
const CLIENT_CHECKED_EVERY: Duration = Duration::from_secs(1);
/// The statements that one connection keeps prepared: more than there are.
const STATEMENTS_MAX: usize = 256;

/// A PostgreSQL database. Other processes may have it open too.
pub struct PostgresStore {
    writers: PgPool,
    readers: PgPool,
    incarnation: i64,
    /// A connection led to another server than the one that was opened.
    moved: Arc<AtomicBool>,
    rewards: Cache<RewardPlan>,
    automations: Cache<AutomationPlan>,
    planned: Planned,
}

impl PostgresStore {
    /// Connects to the database of `url`, `postgres://user:password@host:port/database?sslmode=…`, and brings it up to date;
    /// of several processes that start at once, one does. Commits are synced to the database's disk.
    ///
    /// # Errors
    /// [`Error::Version`] when it was written by a newer binary or by another program, [`Error::Unavailable`] when the URL is
    /// none or the database cannot be reached. They name the host, the database and the remedy, never the password.
    pub async fn open(url: &str) -> Result<Self> {
        let options = PgConnectOptions::from_str(url).map_err(|error| {
            Error::Unavailable(format!(
                "its URL cannot be read ({error}); write postgres://user:password@host:port/database"
            ))
        })?;
        Self::connect(options).await
    }

    /// Like [`PostgresStore::open`], with options that a URL cannot say.
    ///
    /// # Errors
    /// As [`PostgresStore::open`].
    pub async fn connect(options: PgConnectOptions) -> Result<Self> {
        let options = options.statement_cache_capacity(STATEMENTS_MAX);
        let options = match options.get_application_name() {
            Some(_) => options,
            None => options.application_name("fanfare"),
        };
        let (place, incarnation) = prepare(&options).await?;
        let (place, moved) = (place.map(Arc::<str>::from), Arc::new(AtomicBool::new(false)));
        let pool = |connections| {
            let (place, moved) = (place.clone(), Arc::clone(&moved));
            PgPoolOptions::new()
                .after_connect(move |conn, _| {
                    let (place, moved) = (place.clone(), Arc::clone(&moved));
                    Box::pin(async move {
                        if incarnation::elsewhere(conn, place.as_deref()).await? {
                            moved.store(true, Ordering::SeqCst);
                        }
                        Ok(())
                    })
                })
                .max_connections(connections)
                .min_connections(0)
                .acquire_timeout(WAIT_MAX)
                .idle_timeout(UNUSED_MAX)
                .test_before_acquire(false)
                .before_acquire(|conn, meta| Box::pin(alive(conn, meta.idle_for)))
        };
        Ok(Self {
            writers: pool(WRITERS_MAX).connect_lazy_with(writing(options.clone())),
            readers: pool(READERS_MAX).connect_lazy_with(reading(options)),
            incarnation,
            moved,
            rewards: Cache::default(),
            automations: Cache::default(),
            planned: Planned::default(),
        })
    }

    /// Refuses whatever would be decided on another database than the one that was opened; `number` is its incarnation.
    fn still(&self, number: i64) -> Result<()> {
        let moved = self.moved.load(Ordering::SeqCst);
        restored::still(if moved { 0 } else { number }, self.incarnation)
    }

    /// Ends every connection.
    pub async fn close(self) {
        self.readers.close().await;
        self.writers.close().await;
    }
}

/// Whether a connection that rested for so long can be used; one that cannot is replaced.
async fn alive(conn: &mut PgConnection, rested: Duration) -> std::result::Result<bool, sqlx::Error> {
    Ok(rested < RESTED_MAX || conn.ping().await.is_ok())
}

fn millis(time: Duration) -> String {
    time.as_millis().to_string()
}

/// Connections that hold lanes. Every statement of theirs looks rows up by key, so it is planned once, and always for an
/// index. Which of several indexes, PostgreSQL guesses from a table's size; see [`Planned`].
fn writing(options: PgConnectOptions) -> PgConnectOptions {
    options.options([
        ("lock_timeout", millis(LOCK_WAIT_MAX)),
        ("idle_in_transaction_session_timeout", millis(IDLE_MAX)),
        ("statement_timeout", millis(WRITE_MAX)),
        ("tcp_user_timeout", millis(CLIENT_SILENT_MAX)),
        ("client_connection_check_interval", millis(CLIENT_CHECKED_EVERY)),
        ("synchronous_commit", "on".into()),
        ("plan_cache_mode", "force_generic_plan".into()),
        ("enable_seqscan", "off".into()),
        ("enable_hashjoin", "off".into()),
        ("enable_mergejoin", "off".into()),
        ("enable_material", "off".into()),
        ("jit", "off".into()),
    ])
}

/// Connections that only read. Each statement is planned for the tables as they are: some of them read a table through.
fn reading(options: PgConnectOptions) -> PgConnectOptions {
    options.options([
        ("default_transaction_read_only", "on".to_owned()),
        ("plan_cache_mode", "force_custom_plan".into()),
        ("statement_timeout", millis(READ_MAX)),
        ("idle_in_transaction_session_timeout", millis(READ_MAX)),
        ("tcp_user_timeout", millis(CLIENT_SILENT_MAX)),
        ("client_connection_check_interval", millis(CLIENT_CHECKED_EVERY)),
    ])
}

/// Brings the schema up to date and answers where the database lives and its incarnation.
async fn prepare(options: &PgConnectOptions) -> Result<(Option<String>, i64)> {
    let connected = tokio::time::timeout(WAIT_MAX, options.connect()).await;
    let late = || {
        Error::Unavailable(format!("PostgreSQL at {}: no answer in {WAIT_MAX:?}; check host and port", place(options)))
    };
    let mut conn = connected.map_err(|_| late())?.map_err(|error| unreachable(error, options))?;
    ours(&mut conn, options).await?;
    // The migrator holds an advisory lock of the database while it works, so that of several one migrates.
    let migrator = Migrator::new(Embedded).await.map_err(|error| not_migrated(error, options))?;
    migrator.run(&mut conn).await.map_err(|error| not_migrated(error, options))?;
    fault_points::reach("migrated");
    let opened = incarnation::opened(&mut conn).await?;
    conn.close().await.map_err(refused)?;
    Ok(opened)
}

/// Refuses a database in which another program keeps tables.
async fn ours(conn: &mut PgConnection, options: &PgConnectOptions) -> Result<()> {
    let sql = "SELECT coalesce(bool_or(tablename = '_sqlx_migrations'), true) FROM pg_tables
        WHERE schemaname = current_schema()";
    let ours: bool = sqlx::query_scalar(sql).fetch_one(conn).await.map_err(refused)?;
    match ours {
        true => Ok(()),
        false => Err(Error::Version(format!(
            "PostgreSQL at {} holds tables of another program; name an empty database",
            place(options)
        ))),
    }
}
