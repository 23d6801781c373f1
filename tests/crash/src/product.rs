//! The real binary on a data folder: started, killed, and started again.

use crate::power::Power;
use anyhow::{Context, Result, bail, ensure};
use serde::Deserialize;
use std::{
    fs::{self, File},
    path::{Path, PathBuf},
    process::{Child, Command, ExitStatus, Stdio},
    time::{Duration, Instant},
};

/// How long a start may take, on a loaded machine, with what the last process left to recover.
const START_MAX: Duration = Duration::from_secs(120);
/// How often it is looked whether something happened.
const LOOK_EVERY: Duration = Duration::from_millis(10);
/// Business time of the first start; the fixture's campaign runs then.
const CLOCK: &str = "2026-11-11T05:00:00Z";
/// The most of a log that an error shows.
const LOG_TAIL: usize = 4_000;

/// What `up` leaves for its callers.
#[derive(Clone, Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Credentials {
    /// The namespace.
    pub(crate) namespace: String,
    /// Where tills and members call.
    pub(crate) api_url: String,
    /// Where the Kubernetes API is.
    pub(crate) kube_url: String,
    /// A till's key.
    pub(crate) terminal_key: String,
    /// An integration's key.
    pub(crate) integration_key: String,
}

/// Where the product keeps its data.
#[derive(Clone, Debug)]
pub(crate) enum Database {
    /// A file in the data folder.
    Sqlite,
    /// A PostgreSQL database at this address.
    Postgres(String),
}

/// A binary, its folder with resources and its data.
#[derive(Debug)]
pub(crate) struct Product {
    binary: PathBuf,
    /// The campaign repository, which an author changes meanwhile.
    pub(crate) folder: PathBuf,
    /// The data folder.
    pub(crate) data: PathBuf,
    database: Database,
    /// The disk below it, where it can be cut off or fail.
    pub(crate) disk: Option<Power>,
}

/// A process that serves.
#[derive(Debug)]
pub(crate) struct Running {
    process: Child,
    /// What its callers need.
    pub(crate) credentials: Credentials,
    /// How long it took from its start until it served.
    pub(crate) took: Duration,
}

impl Product {
    /// A copy of the fixture and an empty data folder under `work`.
    ///
    /// # Errors
    /// When a folder cannot be written.
    pub(crate) fn new(binary: &Path, work: &Path, database: Database) -> Result<Self> {
        if work.exists() {
            fs::remove_dir_all(work)?;
        }
        let (folder, data) = (work.join("shop"), work.join("data"));
        fs::create_dir_all(&folder).with_context(|| format!("cannot make {}", folder.display()))?;
        for entry in fs::read_dir(Path::new(env!("CARGO_MANIFEST_DIR")).join("fixtures/shop"))? {
            let entry = entry?;
            fs::copy(entry.path(), folder.join(entry.file_name()))?;
        }
        ensure!(binary.exists(), "{} is not there; tests/crash/run builds it", binary.display());
        Ok(Self { binary: binary.into(), folder, data, database, disk: None })
    }

    fn spawn(&self, crash_at: Option<&str>) -> Result<Child> {
        fs::create_dir_all(&self.data)?;
        let log = File::options().create(true).append(true).open(self.log_path())?;
        let mut command = Command::new(&self.binary);
        command.arg("up").arg(&self.folder).arg("--data").arg(&self.data);
        command.args(["--listen", "127.0.0.1:0", "--kube-listen", "127.0.0.1:0"]);
        let begun = self.data.join("begun");
        if !begun.exists() {
            command.args(["--clock", CLOCK]);
        }
        if let Database::Postgres(url) = &self.database {
            command.args(["--database", url]);
        }
        if let Some(disk) = &self.disk {
            disk.begin(&self.data)?;
            command.envs(disk.environment());
        }
        if let Some(at) = crash_at {
            match at.strip_prefix("disk:") {
                Some(at) => command.env("FANFARE_SHIM_KILL", at),
                None => command.env("FANFARE_CRASH_AT", at),
            };
        }
        command.env("NO_COLOR", "1").stdin(Stdio::null()).stdout(log.try_clone()?).stderr(log);
        drop(fs::remove_file(self.data.join("credentials.json")));
        command.spawn().with_context(|| format!("cannot start {}", self.binary.display()))
    }

    /// Starts it and waits until it serves.
    ///
    /// # Errors
    /// When it ends before, or does not serve in time; the end of its log tells why.
    pub(crate) async fn start(&self) -> Result<Running> {
        self.start_armed(None).await?.context("it ended before it served")
    }

    /// The same, armed to end at a place; nothing when it got there before it served.
    ///
    /// # Errors
    /// When it ends before, or does not serve in time; the end of its log tells why.
    pub(crate) async fn start_armed(&self, crash_at: Option<&str>) -> Result<Option<Running>> {
        let began = Instant::now();
        let mut process = self.spawn(crash_at)?;
        loop {
            if let Ok(text) = fs::read_to_string(self.data.join("credentials.json")) {
                let credentials = serde_json::from_str(&text).with_context(|| format!("credentials: {text:?}"))?;
                fs::write(self.data.join("begun"), "")?;
                return Ok(Some(Running { process, credentials, took: began.elapsed() }));
            }
            if let Some(status) = process.try_wait()? {
                if crash_at.is_some() {
                    return Ok(None);
                }
                bail!("it ended with {status} before it served:\n{}", self.log_tail());
            }
            if began.elapsed() > START_MAX {
                drop(process.kill());
                drop(process.wait());
                bail!("it did not serve within {} s:\n{}", START_MAX.as_secs(), self.log_tail());
            }
            tokio::time::sleep(LOOK_EVERY).await;
        }
    }

    /// Starts it and ends it again before it serves: at the place named, else by a kill after `after`. Answers whether
    /// it ended by itself.
    ///
    /// # Errors
    /// When it cannot be started.
    pub(crate) async fn start_in_vain(&self, crash_at: Option<&str>, after: Duration) -> Result<bool> {
        let mut process = self.spawn(crash_at)?;
        let began = Instant::now();
        loop {
            if process.try_wait()?.is_some() {
                return Ok(true);
            }
            if began.elapsed() > after {
                process.kill()?;
                process.wait()?;
                return Ok(false);
            }
            tokio::time::sleep(LOOK_EVERY).await;
        }
    }

    /// `fanfare audit verify` on the data, beside the running process.
    ///
    /// # Errors
    /// With what it found.
    pub(crate) async fn audit(&self) -> Result<()> {
        let mut command = tokio::process::Command::new(&self.binary);
        command.args(["audit", "verify", "--data"]).arg(&self.data).env("NO_COLOR", "1");
        let output = command.output().await?;
        let told = String::from_utf8_lossy(&output.stdout);
        let why = String::from_utf8_lossy(&output.stderr);
        ensure!(output.status.success(), "audit verify: {told}{why}");
        Ok(())
    }

    fn log_path(&self) -> PathBuf {
        self.data.with_extension("log")
    }

    /// The end of what every process so far has written.
    pub(crate) fn log_tail(&self) -> String {
        let text = fs::read_to_string(self.log_path()).unwrap_or_default();
        let from = text.char_indices().rev().nth(LOG_TAIL).map_or(0, |(at, _)| at);
        text[from..].to_owned()
    }
}

impl Running {
    /// Whether it has ended by itself, and how.
    ///
    /// # Errors
    /// When the system does not say.
    pub(crate) fn ended(&mut self) -> Result<Option<ExitStatus>> {
        Ok(self.process.try_wait()?)
    }

    /// Waits until it ends by itself, at most so long; answers whether it did.
    ///
    /// # Errors
    /// As [`Running::ended`].
    pub(crate) async fn ends_within(&mut self, most: Duration) -> Result<bool> {
        let began = Instant::now();
        while began.elapsed() < most {
            if self.ended()?.is_some() {
                return Ok(true);
            }
            tokio::time::sleep(LOOK_EVERY).await;
        }
        Ok(false)
    }

    /// SIGKILL.
    ///
    /// # Errors
    /// When it cannot be killed.
    pub(crate) fn kill(&mut self) -> Result<()> {
        self.process.kill()?;
        self.process.wait()?;
        Ok(())
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        drop(self.process.kill());
        drop(self.process.wait());
    }
}
