//! `fanfare audit`: checks what must always hold of a data folder or a shared database.

use super::Place;
use crate::up::admin::{self, Answer, Request};
use anyhow::bail;
use std::process::ExitCode;

/// What can be asked.
#[derive(Debug, clap::Subcommand)]
pub enum Command {
    /// Recompute the ledger's chain, sums and balances and check what must always hold, also beside a running `up`. Exit
    /// code 1 when something is found.
    Verify {
        #[command(flatten)]
        place: Place,
    },
}

/// Does what was asked.
pub async fn run(command: Command) -> anyhow::Result<ExitCode> {
    let Command::Verify { place } = command;
    match admin::ask(&place, Request::Verify).await? {
        Answer::Verified { findings, checked } => {
            for finding in &findings {
                println!("{finding}");
            }
            for (namespace, position) in checked {
                println!("{namespace}: ledger and invariants checked up to position {position}");
            }
            Ok(if findings.is_empty() { ExitCode::SUCCESS } else { ExitCode::from(1) })
        }
        Answer::Refused(reason) => bail!(reason),
        Answer::Credential { .. } | Answer::Done => bail!("the process that runs on this folder is of another version"),
    }
}
