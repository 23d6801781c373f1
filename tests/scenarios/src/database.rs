//! Databases on a PostgreSQL: one a scenario, gone with it.

use crate::folder::{Scratch, root};
use anyhow::{Context, Result, ensure};
use sqlx::{AssertSqlSafe, Connection, PgConnection};
use std::{
    process::{Command, Stdio},
    sync::atomic::{AtomicU32, Ordering},
};

/// A database that no other scenario knows. Dropping it removes it, whoever is connected.
pub struct Database {
    server: String,
    name: String,
}

/// The PostgreSQL that scenarios use: `FANFARE_TEST_POSTGRES`.
///
/// # Errors
/// When it is not set.
pub fn server() -> Result<String> {
    std::env::var("FANFARE_TEST_POSTGRES").context(
        "FANFARE_TEST_POSTGRES is not set; run tests/run, or: export FANFARE_TEST_POSTGRES=$(tests/tools/postgres/start)",
    )
}

impl Database {
    /// A new one on the scenarios' server.
    ///
    /// # Errors
    /// When there is no server.
    pub async fn fresh() -> Result<Self> {
        Self::on(&server()?).await
    }

    /// A new one on a server.
    ///
    /// # Errors
    /// When it cannot be made.
    pub async fn on(server: &str) -> Result<Self> {
        static COUNT: AtomicU32 = AtomicU32::new(0);
        let name = format!("scenario_{}_{}", std::process::id(), COUNT.fetch_add(1, Ordering::Relaxed));
        let database = Self { server: server.to_owned(), name };
        // A process id comes back after a while, and with it a database that a killed run has left.
        run(server, &format!("DROP DATABASE IF EXISTS {} WITH (FORCE)", database.name)).await?;
        run(server, &format!("CREATE DATABASE {}", database.name)).await?;
        Ok(database)
    }

    /// Its address, with the password.
    pub fn url(&self) -> String {
        let (server, parameters) = self.server.split_once('?').unwrap_or((&self.server, ""));
        let place = server.rsplit_once('/').map_or(server, |(place, _)| place);
        match parameters {
            "" => format!("{place}/{}", self.name),
            _ => format!("{place}/{}?{parameters}", self.name),
        }
    }

    /// A connection to it.
    ///
    /// # Errors
    /// When there is none.
    pub async fn connect(&self) -> Result<PgConnection> {
        Ok(PgConnection::connect(&self.url()).await?)
    }
}

async fn run(server: &str, sql: &str) -> Result<()> {
    let mut connection = PgConnection::connect(server).await.context("the PostgreSQL of FANFARE_TEST_POSTGRES")?;
    sqlx::raw_sql(AssertSqlSafe(sql.to_owned())).execute(&mut connection).await?;
    connection.close().await?;
    Ok(())
}

impl Drop for Database {
    fn drop(&mut self) {
        let (server, sql) = (self.server.clone(), format!("DROP DATABASE IF EXISTS {} WITH (FORCE)", self.name));
        // A scenario's own runtime cannot be waited for in a destructor.
        let dropped = std::thread::spawn(move || {
            let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
            runtime.block_on(run(&server, &sql))
        });
        let _ = dropped.join();
    }
}

/// A PostgreSQL of one scenario's own, which it may restart.
pub struct Server {
    folder: Scratch,
    url: String,
}

impl Server {
    /// Starts one.
    ///
    /// # Errors
    /// When PostgreSQL is missing or does not start.
    pub fn start() -> Result<Self> {
        let folder = Scratch::new()?;
        let url = tool("start", &folder, &[])?.trim().to_owned();
        Ok(Self { folder, url })
    }

    /// Its address, with the password.
    pub fn url(&self) -> &str {
        &self.url
    }

    /// Has a streaming replica `follow` it, `cut` off from what it commits next, or `take-over` its place on its port.
    ///
    /// # Errors
    /// When the replica does not come so far.
    pub fn standby(&self, what: &str) -> Result<()> {
        tool("standby", &self.folder, &[what]).map(drop)
    }

    /// A base backup of it: `take` one, or `put-back` what was taken in its place, on its port.
    ///
    /// # Errors
    /// When it cannot be made, or does not start.
    pub fn snapshot(&self, what: &str) -> Result<()> {
        tool("snapshot", &self.folder, &[what]).map(drop)
    }

    /// Cuts every connection and starts it again on what it kept.
    ///
    /// # Errors
    /// When it does not start.
    pub fn restart(&self) -> Result<()> {
        tool("restart", &self.folder, &["immediate"]).map(drop)
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = tool("stop", &self.folder, &[]);
    }
}

/// Runs one of `tests/tools/postgres`. What it starts goes on without our pipes, so only `start` has its answer read.
fn tool(name: &str, folder: &Scratch, how: &[&str]) -> Result<String> {
    let mut command = Command::new(root().join("tests/tools/postgres").join(name));
    command.arg(folder.path().join("server")).args(how).stdin(Stdio::null()).stderr(Stdio::inherit());
    let output = command.output()?;
    ensure!(output.status.success(), "tests/tools/postgres/{name} failed");
    Ok(String::from_utf8_lossy(&output.stdout).into_owned())
}
