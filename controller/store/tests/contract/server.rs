//! A database of its own for each test, on the PostgreSQL that `FANFARE_TEST_POSTGRES` names.

use fanfare_store::PostgresStore;
use sqlx::{AssertSqlSafe, ConnectOptions, Connection, PgConnection, postgres::PgConnectOptions};
use std::{
    hash::{BuildHasher, Hasher, RandomState},
    process::Command,
    str::FromStr,
};

/// Runs one of the tools that start and stop servers; answers what it printed.
fn tool(name: &str, arguments: &[&str]) -> String {
    let tools = concat!(env!("CARGO_MANIFEST_DIR"), "/../../tests/tools/postgres/");
    let done = Command::new(format!("{tools}{name}")).args(arguments).output().unwrap();
    assert!(done.status.success(), "{name}: {}", String::from_utf8_lossy(&done.stderr));
    String::from_utf8(done.stdout).unwrap().trim().to_owned()
}

/// A server of one test, which may end and start again.
pub(crate) struct Server {
    folder: String,
    pub(crate) url: String,
}

impl Server {
    pub(crate) fn start() -> Self {
        let random = RandomState::new().build_hasher().finish();
        let folder = std::env::temp_dir().join(format!("fanfare-server-{random:x}")).display().to_string();
        Self { url: tool("start", &[&folder]), folder }
    }

    /// Ends it as a crash does, and starts it again.
    pub(crate) fn crash(&self) {
        tool("restart", &[&self.folder, "immediate"]);
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        tool("stop", &[&self.folder]);
    }
}

/// A database that is there as long as this value.
pub(crate) struct Database {
    server: PgConnectOptions,
    name: String,
}

impl Database {
    /// A new and empty one.
    pub(crate) async fn new(test: &str) -> Self {
        let url = std::env::var("FANFARE_TEST_POSTGRES").expect(
            "FANFARE_TEST_POSTGRES names no PostgreSQL to test on; tests/run starts one, and so does: \
             export FANFARE_TEST_POSTGRES=$(tests/tools/postgres/start)",
        );
        let server = PgConnectOptions::from_str(&url).unwrap();
        let random = RandomState::new().build_hasher().finish();
        let name = format!("t_{random:x}_{}", &test[..test.len().min(24)]);
        let created = Self { server, name };
        // From template0, which nobody is connected to.
        created.on_server(&format!("CREATE DATABASE \"{}\" TEMPLATE template0", created.name)).await;
        created
    }

    async fn on_server(&self, sql: &str) {
        let mut conn = self.server.connect().await.unwrap();
        sqlx::raw_sql(AssertSqlSafe(sql)).execute(&mut conn).await.unwrap();
        conn.close().await.unwrap();
    }

    pub(crate) fn options(&self) -> PgConnectOptions {
        self.server.clone().database(&self.name)
    }

    pub(crate) fn name(&self) -> &str {
        &self.name
    }

    pub(crate) async fn open(&self) -> PostgresStore {
        PostgresStore::connect(self.options()).await.unwrap()
    }

    /// A connection beside every store, without their bounds.
    pub(crate) async fn raw(&self) -> PgConnection {
        self.options().connect().await.unwrap()
    }

    /// Runs statements beside every store.
    pub(crate) async fn run(&self, sql: &str) {
        let mut conn = self.raw().await;
        sqlx::raw_sql(AssertSqlSafe(sql)).execute(&mut conn).await.unwrap();
        conn.close().await.unwrap();
    }
}

impl Drop for Database {
    /// Also when the test fails, so that a server that stays does not fill up.
    fn drop(&mut self) {
        let (server, name) = (self.server.clone(), self.name.clone());
        let dropped = std::thread::spawn(move || {
            let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
            runtime.block_on(async {
                let mut conn = server.connect().await.unwrap();
                let sql = format!("DROP DATABASE \"{name}\" WITH (FORCE)");
                sqlx::raw_sql(AssertSqlSafe(sql)).execute(&mut conn).await.unwrap();
            });
        });
        if dropped.join().is_err() && !std::thread::panicking() {
            panic!("the test's database could not be removed");
        }
    }
}
