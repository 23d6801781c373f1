//! The command line: one file a verb.

pub mod audit;
pub mod codes;
pub mod controller;
pub mod crds;
pub mod database;
pub mod doctor;
pub mod events;
pub mod explain;
pub mod keys;
pub mod ledger;
pub mod preview;
pub mod reconcile;
pub mod remote;
pub mod runtime;
pub mod suspend;
pub mod up;
pub mod validate;

use crate::{database::Database, telemetry};
use clap::{Parser, Subcommand};
use std::{path::PathBuf, process::ExitCode};

/// A declarative GitOps campaign controller: campaigns, segments, rewards and automations as Kubernetes resources.
#[derive(Debug, Parser)]
#[command(name = "fanfare", version, about, arg_required_else_help = true)]
pub struct Args {
    /// What to log, such as `info` or `fanfare_engine=debug`.
    #[arg(long, env = "FANFARE_LOG", global = true, value_name = "FILTER")]
    pub log: Option<String>,
    /// How it is logged: `json` is one object a line on standard error, progress and errors too.
    #[arg(long, env = "FANFARE_LOG_FORMAT", global = true, value_enum, default_value_t, value_name = "FORMAT")]
    pub log_format: telemetry::Format,
    /// What to do.
    #[command(subcommand)]
    pub command: Command,
}

/// What can be done.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Run everything of a folder on this machine: the Kubernetes-compatible API, the controller and the HTTP API.
    Up(up::Args),
    /// Serve the HTTP API of a namespace from a shared database, beside others that do the same.
    Runtime(runtime::Args),
    /// Look after the resources of a Kubernetes cluster, beside replicas of which one leads.
    Controller(Box<controller::Args>),
    /// Check files, folders or standard input (`-`) as admission would, all references included.
    Validate(validate::Args),
    /// Say in plain words what a resource means.
    #[command(subcommand)]
    Explain(explain::Command),
    /// Say who the Segments of a file would mean now: how many, whom channels reach, in which campaigns, and why.
    Preview(preview::Args),
    /// Say what is wrong with an installation, and what to do: a cluster, a database, a runtime, or a folder of `fanfare up`.
    /// Exit code 1 when something is.
    Doctor(Box<doctor::Args>),
    /// Print the custom resource definitions, or write them and the editors' schemas to a folder.
    Crds(crds::Args),
    /// Stop a campaign at once, without Git: no joins, discounts or rewards; issued vouchers still redeem.
    Suspend(suspend::SuspendArgs),
    /// Let a campaign go on that was suspended by hand or by its budget.
    Resume(suspend::ResumeArgs),
    /// Have the controller look at a resource now.
    Reconcile(reconcile::Args),
    /// Send events.
    #[command(subcommand)]
    Events(events::Command),
    /// Codes: import those of another system, have vouchers printed.
    #[command(subcommand)]
    Codes(codes::Command),
    /// Terminals: the credentials of tills.
    #[command(subcommand)]
    Terminal(keys::TerminalCommand),
    /// API keys of integrations.
    #[command(subcommand)]
    Key(keys::KeyCommand),
    /// The audit trail and the ledger's chain.
    #[command(subcommand)]
    Audit(audit::Command),
    /// The database: that it was restored, and that somebody answers for what that may have lost.
    #[command(subcommand)]
    Database(database::Command),
    /// The ledger: corrections, reports and the export, over the HTTP API or on a shared database.
    #[command(subcommand)]
    Ledger(ledger::Command),
}

impl Command {
    /// Whether its output is for a person or a pipe, so that logs stay out of the way.
    pub fn wants_quiet(&self) -> bool {
        !matches!(self, Self::Up(_) | Self::Runtime(_) | Self::Controller(_))
    }
}

/// Where the business data are: in the data folder of a `fanfare up`, or in a shared database.
#[derive(Clone, Debug, clap::Args)]
pub struct Place {
    /// The data folder of `fanfare up` (`.fanfare` in the folder that it runs).
    #[arg(long, value_name = "FOLDER", default_value = ".fanfare")]
    pub data: PathBuf,
    /// Goes before the data folder.
    #[command(flatten)]
    pub shared: Database,
}

/// Does what was asked; the exit code is 0 for yes, 1 for findings, 2 for input that cannot be read.
pub async fn run(command: Command) -> anyhow::Result<ExitCode> {
    match command {
        Command::Up(args) => up::run(args).await,
        Command::Runtime(args) => runtime::run(args).await,
        Command::Controller(args) => controller::run(*args).await,
        Command::Validate(args) => validate::run(&args),
        Command::Explain(command) => explain::run(command).await,
        Command::Preview(args) => preview::run(args).await,
        Command::Doctor(args) => doctor::run(*args).await,
        Command::Crds(args) => crds::run(&args),
        Command::Suspend(args) => suspend::suspend(&args).await,
        Command::Resume(args) => suspend::resume(&args).await,
        Command::Reconcile(args) => reconcile::run(&args).await,
        Command::Database(command) => database::run(command).await,
        Command::Events(command) => events::run(command).await,
        Command::Codes(command) => codes::run(command).await,
        Command::Terminal(command) => keys::terminal(command).await,
        Command::Key(command) => keys::key(command).await,
        Command::Audit(command) => audit::run(command).await,
        Command::Ledger(command) => ledger::run(command).await,
    }
}
