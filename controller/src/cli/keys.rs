//! `fanfare terminal` and `fanfare key`: credentials, made where the database is: by the running `fanfare up` over its
//! admin socket, else in the data folder or the shared database directly.

use super::Place;
use crate::up::admin::{self, Answer, Request};
use anyhow::bail;
use std::process::ExitCode;

/// What can be done about terminals.
#[derive(Debug, clap::Subcommand)]
pub enum TerminalCommand {
    /// Enrol a till: prints its key once; it is bound to one store.
    Enrol {
        /// The store, as the CampaignRuntime lists it.
        #[arg(long)]
        store: String,
        /// What people call the till.
        #[arg(long, default_value = "till")]
        label: String,
        #[command(flatten)]
        place: Place,
    },
    /// Take a till's key back.
    Revoke {
        /// The credential's id, as enrolling printed it.
        id: String,
        #[command(flatten)]
        place: Place,
    },
}

/// What can be done about API keys.
#[derive(Debug, clap::Subcommand)]
pub enum KeyCommand {
    /// Create a key: prints it once.
    Create {
        /// What it may do, such as `redeem` or `members`; may be named several times.
        #[arg(long = "scope", required = true)]
        scopes: Vec<String>,
        /// What people call the client.
        #[arg(long, default_value = "integration")]
        label: String,
        #[command(flatten)]
        place: Place,
    },
    /// Take a key back.
    Revoke {
        /// The credential's id, as creating printed it.
        id: String,
        #[command(flatten)]
        place: Place,
    },
}

/// Does what was asked about terminals.
pub async fn terminal(command: TerminalCommand) -> anyhow::Result<ExitCode> {
    let (request, place) = match command {
        TerminalCommand::Enrol { store, label, place } => (Request::EnrolTerminal { store, label }, place),
        TerminalCommand::Revoke { id, place } => (Request::Revoke { id }, place),
    };
    answer(admin::ask(&place, request).await?)
}

/// Does what was asked about API keys.
pub async fn key(command: KeyCommand) -> anyhow::Result<ExitCode> {
    let (request, place) = match command {
        KeyCommand::Create { scopes, label, place } => (Request::CreateKey { scopes, label }, place),
        KeyCommand::Revoke { id, place } => (Request::Revoke { id }, place),
    };
    answer(admin::ask(&place, request).await?)
}

fn answer(answer: Answer) -> anyhow::Result<ExitCode> {
    match answer {
        Answer::Credential { id, secret } => outln!("id: {id}\nkey: {secret}"),
        Answer::Done => outln!("done"),
        Answer::Refused(reason) => bail!(reason),
        Answer::Verified(_) | Answer::Reconciled { .. } => {
            bail!("the process that runs on this folder is of another version")
        }
    }
    Ok(ExitCode::SUCCESS)
}
