//! A process of the product: started, signalled and ended, with what it wrote for whoever asks why.

use anyhow::{Context, Result, bail, ensure};
use std::{
    fs::{self, File},
    path::PathBuf,
    process::{Child, Command, ExitStatus, Stdio},
    time::{Duration, Instant},
};

/// A debug binary on a loaded machine takes its time, above all when many scenarios start at once.
pub const START_LIMIT: Duration = Duration::from_secs(120);
/// How long an end may take.
const END_LIMIT: Duration = Duration::from_secs(40);
const PAUSE: Duration = Duration::from_millis(20);

/// A running process. Dropping it kills it.
pub struct Process {
    name: &'static str,
    child: Child,
    log: PathBuf,
}

impl Process {
    /// Starts it; what it writes goes on at the end of `log`.
    ///
    /// # Errors
    /// When it cannot be started.
    pub fn start(name: &'static str, command: &mut Command, log: PathBuf) -> Result<Self> {
        let out = File::options().create(true).append(true).open(&log)?;
        Self::start_to(out, name, command, log)
    }

    /// The same, with its standard output in a file of its own.
    ///
    /// # Errors
    /// As [`Process::start`].
    pub fn start_to(out: File, name: &'static str, command: &mut Command, log: PathBuf) -> Result<Self> {
        let file = File::options().create(true).append(true).open(&log)?;
        command.env("NO_COLOR", "1").stdin(Stdio::null()).stdout(out).stderr(file);
        let child = command.spawn().with_context(|| format!("cannot start {name}"))?;
        Ok(Self { name, child, log })
    }

    /// Waits until `look` finds in its log, or wherever else, what shows that it serves.
    ///
    /// # Errors
    /// When it ends before, or does not come so far in time; its log tells why.
    pub async fn serves<T>(&mut self, mut look: impl FnMut(&str) -> Option<T>) -> Result<T> {
        let began = Instant::now();
        loop {
            let log = self.log();
            if let Some(found) = look(&log) {
                return Ok(found);
            }
            if let Some(status) = self.child.try_wait()? {
                bail!("{} ended with {status} before it served:\n{log}", self.name);
            }
            let limit = START_LIMIT.as_secs();
            ensure!(began.elapsed() < START_LIMIT, "{} did not serve within {limit} s:\n{log}", self.name);
            tokio::time::sleep(PAUSE).await;
        }
    }

    /// What it has written so far.
    pub fn log(&self) -> String {
        fs::read_to_string(&self.log).unwrap_or_default()
    }

    /// Its number.
    pub fn id(&self) -> u32 {
        self.child.id()
    }

    /// Whether it is still there.
    ///
    /// # Errors
    /// When the machine does not tell.
    pub fn runs(&mut self) -> Result<bool> {
        Ok(self.child.try_wait()?.is_none())
    }

    /// Sends a signal, such as `-STOP`.
    ///
    /// # Errors
    /// When it cannot be signalled.
    pub fn signal(&self, which: &str) -> Result<()> {
        let id = self.id().to_string();
        ensure!(Command::new("kill").args([which, &id]).status()?.success(), "cannot signal {id}");
        Ok(())
    }

    /// Kills it as a power cut would, as far as one process can.
    ///
    /// # Errors
    /// When it cannot be killed.
    pub fn kill(&mut self) -> Result<()> {
        self.child.kill()?;
        self.child.wait()?;
        Ok(())
    }

    /// Ends it by a signal, such as Kubernetes' `-TERM` or Ctrl-C's `-INT`.
    ///
    /// # Errors
    /// When it does not end in time or not with exit code 0.
    pub async fn stop(mut self, how: &str) -> Result<()> {
        self.signal(how)?;
        let status = self.ended().await?;
        ensure!(status.success(), "{} ended with {status}:\n{}", self.name, self.log());
        Ok(())
    }

    /// Waits until it has ended by itself, not well; answers what it wrote.
    ///
    /// # Errors
    /// When it goes on, or ends as if all were well.
    pub async fn gives_up(mut self) -> Result<String> {
        let status = self.ended().await?;
        ensure!(!status.success(), "{} ended with {status}:\n{}", self.name, self.log());
        Ok(self.log())
    }

    async fn ended(&mut self) -> Result<ExitStatus> {
        let began = Instant::now();
        while began.elapsed() < END_LIMIT {
            if let Some(status) = self.child.try_wait()? {
                return Ok(status);
            }
            tokio::time::sleep(PAUSE).await;
        }
        bail!("{} did not end within {} s:\n{}", self.name, END_LIMIT.as_secs(), self.log())
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        let _ = self.kill();
    }
}
