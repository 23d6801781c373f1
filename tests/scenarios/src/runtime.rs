//! `fanfare runtime` processes: several serve the namespace of one shop from one database.

use crate::{database::Database, folder::Scratch, http::Caller, process::Process, shop::Credentials, tools};
use anyhow::{Context, Result};
use std::{fs, process::Command};

/// A running `fanfare runtime`. Dropping it kills the process.
pub struct Runtime {
    process: Process,
    _scratch: Scratch,
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
        let mut command = Command::new(tools::fanfare()?);
        command.args(["runtime", "--listen", "127.0.0.1:0", "--namespace", &credentials.namespace]).args(more);
        command.env("FANFARE_DATABASE_URL", database.url());
        let mut process = Process::start("runtime", &mut command, scratch.path().join("log"))?;
        let tells = |log: &str| log.lines().find_map(|line| line.trim().strip_prefix("HTTP API").map(str::to_owned));
        let url = process.serves(tells).await?;
        let anyone = Caller::anyone(url.trim())?;
        Ok(Self { process, _scratch: scratch, anyone, credentials: credentials.clone() })
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
        self.process.signal("-STOP")
    }

    /// Lets it go on.
    ///
    /// # Errors
    /// When it cannot be signalled.
    pub fn thaw(&self) -> Result<()> {
        self.process.signal("-CONT")
    }

    /// Kills it as a power cut would.
    ///
    /// # Errors
    /// When it cannot be killed.
    pub fn kill(mut self) -> Result<()> {
        self.process.kill()
    }

    /// Ends it as Kubernetes does.
    ///
    /// # Errors
    /// When it does not end in time or not with exit code 0.
    pub async fn stop(self) -> Result<()> {
        self.process.stop("-TERM").await
    }

    /// Waits until it has ended by itself, not well; answers what it wrote.
    ///
    /// # Errors
    /// When it goes on, or ends as if all were well.
    pub async fn gives_up(self) -> Result<String> {
        self.process.gives_up().await
    }

    /// What it has written so far.
    pub fn log(&self) -> String {
        self.process.log()
    }
}
