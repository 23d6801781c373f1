//! Programs that a scenario runs to their end, each within a bound.

use anyhow::{Context, Result, bail};
use std::{path::PathBuf, process::Stdio, time::Duration};
use tokio::{io::AsyncWriteExt, process::Command};

/// No program that a scenario waits for takes longer, also on a loaded machine: a debug build sends a year of purchases.
const LIMIT: Duration = Duration::from_secs(600);

/// The binary under test: `FANFARE_BIN`, else the one of a debug build.
///
/// # Errors
/// When it was not built.
pub fn fanfare() -> Result<PathBuf> {
    let path = match std::env::var_os("FANFARE_BIN") {
        Some(path) => PathBuf::from(path),
        None => {
            let target = std::env::var_os("CARGO_TARGET_DIR").map(PathBuf::from);
            target.unwrap_or_else(|| super::folder::root().join("target")).join("debug/fanfare")
        }
    };
    if !path.exists() {
        bail!("{} is not there; build it with `cargo build -p fanfare`, or run tests/run", path.display());
    }
    Ok(path)
}

/// How a program ended.
#[derive(Clone, Debug)]
pub struct Ended {
    /// Its exit code; -1 when a signal ended it.
    pub code: i32,
    /// What it wrote on standard output.
    pub out: String,
    /// What it wrote on standard error.
    pub err: String,
}

impl Ended {
    /// Its output, when it ended with `code`.
    ///
    /// # Errors
    /// When it ended otherwise, with everything that it wrote.
    pub fn code(self, code: i32) -> Result<String> {
        if self.code == code {
            return Ok(self.out);
        }
        bail!("it ended with {} instead of {code}\nout: {}\nerr: {}", self.code, self.out, self.err)
    }

    /// Both outputs.
    pub fn text(&self) -> String {
        format!("{}{}", self.out, self.err)
    }
}

/// Runs a program to its end.
///
/// # Errors
/// When it cannot be started or does not end in time.
pub async fn run(command: &mut Command, input: Option<&str>) -> Result<Ended> {
    let name = format!("{:?}", command.as_std());
    command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped()).kill_on_drop(true);
    let mut child = command.spawn().with_context(|| format!("cannot start {name}"))?;
    let stdin = child.stdin.take();
    let feed = async {
        if let (Some(mut stdin), Some(input)) = (stdin, input) {
            // A program that has seen enough closes its end; that is its right.
            let _ = stdin.write_all(input.as_bytes()).await;
        }
    };
    let both = async { tokio::join!(feed, child.wait_with_output()).1 };
    let output = tokio::time::timeout(LIMIT, both).await.with_context(|| format!("{name} did not end"))??;
    Ok(Ended {
        code: output.status.code().unwrap_or(-1),
        out: String::from_utf8_lossy(&output.stdout).into_owned(),
        err: String::from_utf8_lossy(&output.stderr).into_owned(),
    })
}

/// Runs a verb of the binary that needs no running shop.
///
/// # Errors
/// As [`run`].
pub async fn verb(args: &[&str], input: Option<&str>) -> Result<Ended> {
    run(Command::new(fanfare()?).args(args).env("NO_COLOR", "1").env_remove("FANFARE_DATABASE_URL"), input).await
}

/// Runs a verb of the binary on a shared database, which the environment names.
///
/// # Errors
/// As [`run`].
pub async fn verb_on(url: &str, args: &[&str]) -> Result<Ended> {
    run(Command::new(fanfare()?).args(args).env("NO_COLOR", "1").env("FANFARE_DATABASE_URL", url), None).await
}

/// Runs a verb of the binary whose standard output nobody reads, as in `… | head` when `head` has seen enough.
///
/// # Errors
/// As [`run`].
pub async fn verb_unread(args: &[&str]) -> Result<Ended> {
    let (reader, writer) = std::io::pipe()?;
    drop(reader);
    let mut command = Command::new(fanfare()?);
    command.args(args).env("NO_COLOR", "1").env_remove("FANFARE_DATABASE_URL");
    let child = command.stdin(Stdio::null()).stdout(writer).stderr(Stdio::piped()).kill_on_drop(true).spawn()?;
    let output = tokio::time::timeout(LIMIT, child.wait_with_output()).await.context("it did not end")??;
    let err = String::from_utf8_lossy(&output.stderr).into_owned();
    Ok(Ended { code: output.status.code().unwrap_or(-1), out: String::new(), err })
}

/// The kubectl to use: `KUBECTL`, else the one on the path.
pub fn kubectl() -> PathBuf {
    std::env::var_os("KUBECTL").map_or_else(|| PathBuf::from("kubectl"), PathBuf::from)
}
