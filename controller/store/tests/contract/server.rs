//! A database of its own for each test, on the PostgreSQL that `FANFARE_TEST_POSTGRES` names.

use fanfare_store::PostgresStore;
use sqlx::{AssertSqlSafe, ConnectOptions, Connection, PgConnection, postgres::PgConnectOptions};
use std::{
    hash::{BuildHasher, Hasher, RandomState},
    str::FromStr,
};

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
