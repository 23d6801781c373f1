//! `fanfare database`: what is to be said about the database itself.

use super::Place;
use crate::up::admin::{self, Answer, Request};
use anyhow::{bail, ensure};
use fanfare_store::restored::REASON_MAX_CHARS;
use std::process::ExitCode;

/// The longest name of a person.
const BY_MAX_CHARS: usize = 100;

/// What can be said.
#[derive(Debug, clap::Subcommand)]
pub enum Command {
    /// It was restored from a backup, or a standby was promoted, so that it may lack what was acknowledged: every process
    /// that has it open ends, and calls that move value answer 503 `awaiting-reconciliation`, except what was paid before
    /// the restore (`occurredAt`). Where PostgreSQL shows a restore itself, this is said without you.
    Restored(Said),
    /// The tills' journals were sent again as facts, or what is lost is accepted: everything is decided again. Answers what
    /// is known of the restore.
    Reconciled(Said),
}

/// Who says so, why, and of which database.
#[derive(Debug, clap::Args)]
pub struct Said {
    /// Who says so; it stands in the audit trail.
    #[arg(long, value_name = "NAME")]
    by: String,
    /// Why, in a sentence.
    #[arg(long)]
    reason: String,
    #[command(flatten)]
    place: Place,
}

/// Does what was asked.
pub async fn run(command: Command) -> anyhow::Result<ExitCode> {
    let (said, is_restored) = match command {
        Command::Restored(said) => (said, true),
        Command::Reconciled(said) => (said, false),
    };
    let Said { by, reason, place } = said;
    let by = sentence("--by", &by, BY_MAX_CHARS, "say who takes the answer")?;
    let reason = sentence("--reason", &reason, REASON_MAX_CHARS - BY_MAX_CHARS - 2, "say in a sentence what happened")?;
    let request = if is_restored { Request::Restored { by, reason } } else { Request::Reconciled { by, reason } };
    match admin::ask(&place, request).await? {
        Answer::Done if is_restored => outln!(
            "noted: start every process anew; calls that move value wait until the tills' journals were sent again as facts\n\
             and somebody says so: fanfare database reconciled --by NAME --reason TEXT"
        ),
        Answer::Reconciled { restore, since } => {
            outln!("noted: everything is decided again. What you answer for, seen first at {since}: {restore}");
        }
        Answer::Refused(reason) => bail!(reason),
        Answer::Done | Answer::Credential { .. } | Answer::Verified(_) => {
            bail!("the process that runs on this folder is of another version")
        }
    }
    Ok(ExitCode::SUCCESS)
}

fn sentence(flag: &str, text: &str, longest: usize, remedy: &str) -> anyhow::Result<String> {
    let text = text.trim();
    ensure!((1..=longest).contains(&text.chars().count()), "{flag}: must have 1 to {longest} characters; {remedy}");
    Ok(text.to_owned())
}
