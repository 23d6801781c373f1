//! Counts the synced writes of a process with strace, where it is installed. It slows the process down, so that what is
//! counted is not timed.

use anyhow::{Context, Result, ensure};
use std::{
    fs,
    path::PathBuf,
    process::{Child, Command, Stdio},
    time::Duration,
};

/// How long strace may take to attach itself.
const ATTACH: Duration = Duration::from_millis(500);

/// Counts until it is ended.
pub(crate) struct Syncs {
    tracer: Child,
    table: PathBuf,
}

impl Syncs {
    /// Starts to count; `None` where there is no strace.
    pub(crate) fn count(process: u32) -> Result<Option<Self>> {
        let table = std::env::temp_dir().join(format!("fanfare-load-{}-syncs", std::process::id()));
        let mut strace = Command::new("strace");
        strace.args(["-f", "-c", "-e", "trace=fdatasync,fsync", "-o"]).arg(&table).args(["-p", &process.to_string()]);
        let Ok(tracer) = strace.stderr(Stdio::null()).spawn() else { return Ok(None) };
        std::thread::sleep(ATTACH);
        Ok(Some(Self { tracer, table }))
    }

    /// How many there were.
    pub(crate) fn end(mut self) -> Result<u64> {
        let done = Command::new("kill").args(["-INT", &self.tracer.id().to_string()]).status()?;
        ensure!(done.success(), "strace cannot be ended");
        self.tracer.wait()?;
        let text = fs::read_to_string(&self.table).context("strace wrote no table")?;
        fs::remove_file(&self.table)?;
        // % time, seconds, usecs/call, calls, errors if any, name
        let calls =
            text.lines().filter(|line| line.ends_with("sync")).filter_map(|line| line.split_whitespace().nth(3));
        Ok(calls.filter_map(|calls| calls.parse::<u64>().ok()).sum())
    }
}
