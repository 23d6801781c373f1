//! `fanfare runtime` processes: several serve the namespace of one shop from one database.

use crate::{database::Database, folder::Scratch, http::Caller, shop::Credentials, tools};
use anyhow::{Context, Result, bail, ensure};
use std::{
    fs::{self, File},
    process::{Child, Command, Stdio},
    time::{Duration, Instant},
};

/// A debug binary on a loaded machine takes its time.
const START_LIMIT: Duration = Duration::from_secs(120);
/// How long a clean stop may take.
const STOP_LIMIT: Duration = Duration::from_secs(40);

/// A running `fanfare runtime`. Dropping it kills the process.
pub struct Runtime {
    process: Child,
    scratch: Scratch,
    anyone: Caller,
    credentials: Credentials,
}

impl Runtime {
    /// Starts one on the shop's namespace and waits until it serves.
    ///
    /// # Errors
    /// When it does not come up in time; its log tells why.
    pub async fn start(database: &Database, credentials: &Credentials) -> Result<Self> {
        Self::start_with(database, credentials, &[]).await
    }

    /// Starts one with more arguments.
    ///
    /// # Errors
    /// As [`Runtime::start`].
    pub async fn start_with(database: &Database, credentials: &Credentials, more: &[&str]) -> Result<Self> {
        let scratch = Scratch::new()?;
        let log = File::create(scratch.path().join("log"))?;
        let mut command = Command::new(tools::fanfare()?);
        command.args(["runtime", "--listen", "127.0.0.1:0", "--namespace", &credentials.namespace]).args(more);
        command.env("FANFARE_DATABASE_URL", database.url()).env("NO_COLOR", "1").stdin(Stdio::null());
        let mut process = command.stdout(log.try_clone()?).stderr(log).spawn()?;
        let began = Instant::now();
        loop {
            let log = fs::read_to_string(scratch.path().join("log")).unwrap_or_default();
            if let Some(url) = log.lines().find_map(|line| line.trim().strip_prefix("HTTP API")).map(str::trim) {
                let anyone = Caller::anyone(url)?;
                return Ok(Self { process, scratch, anyone, credentials: credentials.clone() });
            }
            if let Some(status) = process.try_wait()? {
                bail!("runtime ended with {status} before it served:\n{log}");
            }
            if began.elapsed() > START_LIMIT {
                let _ = process.kill();
                let _ = process.wait();
                bail!("runtime did not serve within {} s:\n{log}", START_LIMIT.as_secs());
            }
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    }

    /// Somebody without a credential.
    pub fn anyone(&self) -> &Caller {
        &self.anyone
    }

    /// The till of the shop's credentials, calling here.
    pub fn till(&self) -> Caller {
        self.anyone.with(&self.credentials.terminal_key)
    }

    /// The process's memory now, in KiB.
    ///
    /// # Errors
    /// When the machine does not tell.
    pub fn memory_kib(&self) -> Result<u64> {
        let status = fs::read_to_string(format!("/proc/{}/status", self.process.id()))?;
        let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).context("no VmRSS")?;
        Ok(line.trim().trim_end_matches("kB").trim().parse()?)
    }

    /// Stops the process where it stands (SIGSTOP).
    ///
    /// # Errors
    /// When it cannot be signalled.
    pub fn freeze(&self) -> Result<()> {
        self.signal("-STOP")
    }

    /// Lets it go on.
    ///
    /// # Errors
    /// When it cannot be signalled.
    pub fn thaw(&self) -> Result<()> {
        self.signal("-CONT")
    }

    fn signal(&self, which: &str) -> Result<()> {
        let id = self.process.id().to_string();
        ensure!(Command::new("kill").args([which, &id]).status()?.success(), "cannot signal {id}");
        Ok(())
    }

    /// Kills it as a power cut would.
    ///
    /// # Errors
    /// When it cannot be killed.
    pub fn kill(mut self) -> Result<()> {
        self.process.kill()?;
        self.process.wait()?;
        Ok(())
    }

    /// Ends it as Kubernetes does.
    ///
    /// # Errors
    /// When it does not end in time or not with exit code 0.
    pub async fn stop(mut self) -> Result<()> {
        self.signal("-TERM")?;
        let began = Instant::now();
        while began.elapsed() < STOP_LIMIT {
            if let Some(status) = self.process.try_wait()? {
                ensure!(status.success(), "runtime ended with {status}:\n{}", self.log());
                return Ok(());
            }
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
        bail!("runtime did not end within {} s:\n{}", STOP_LIMIT.as_secs(), self.log())
    }

    /// Waits until it has ended by itself, not well; answers what it wrote.
    ///
    /// # Errors
    /// When it goes on, or ends as if all were well.
    pub async fn gives_up(mut self) -> Result<String> {
        let began = Instant::now();
        while began.elapsed() < STOP_LIMIT {
            if let Some(status) = self.process.try_wait()? {
                ensure!(!status.success(), "runtime ended with {status}:\n{}", self.log());
                return Ok(self.log());
            }
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
        bail!("runtime goes on after {} s:\n{}", STOP_LIMIT.as_secs(), self.log())
    }

    /// What it has written so far.
    pub fn log(&self) -> String {
        fs::read_to_string(self.scratch.path().join("log")).unwrap_or_default()
    }
}

impl Drop for Runtime {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}
