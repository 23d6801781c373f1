//! `fanfare audit`: checks what must always hold of a data folder.

use super::DataFolder;
use std::process::ExitCode;

/// What can be asked.
#[derive(Debug, clap::Subcommand)]
pub enum Command {
    /// Recompute the ledger's chain, sums and balances and check what must always hold. Exit code 1 when something is found.
    Verify {
        #[command(flatten)]
        folder: DataFolder,
    },
}

/// Does what was asked.
pub async fn run(command: Command) -> anyhow::Result<ExitCode> {
    let Command::Verify { folder } = command;
    let (_engine, store) = crate::up::admin::offline(&folder.data).await?;
    let mut found = 0;
    for namespace in store.namespaces().await? {
        for finding in store.verify(&namespace).await? {
            println!("{namespace}: {finding}");
            found += 1;
        }
        println!("{namespace}: ledger and invariants checked up to position {}", store.position(&namespace).await?.0);
    }
    Ok(if found == 0 { ExitCode::SUCCESS } else { ExitCode::from(1) })
}
