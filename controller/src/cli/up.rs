//! `fanfare up DIR`.

use crate::database::Address;
use anyhow::bail;
use chrono::{DateTime, Utc};
use std::{net::SocketAddr, path::PathBuf, process::ExitCode};

/// What to run and where.
#[derive(Clone, Debug, clap::Args)]
pub struct Args {
    /// The folder with the resources.
    pub dir: PathBuf,
    /// Where everything is kept; by default `.fanfare` in DIR.
    #[arg(long, value_name = "FOLDER")]
    pub data: Option<PathBuf>,
    /// Keep business data in this shared database instead of in the data folder, so that `fanfare runtime`s serve them
    /// too. One `up` a namespace. Give the password in PGPASSWORD, or the whole address in the environment.
    #[arg(long, env = "FANFARE_DATABASE_URL", hide_env_values = true, value_name = "URL")]
    pub database: Option<Address>,
    /// The address of the HTTP API; port 0 picks one.
    #[arg(long, default_value = "127.0.0.1:8080", value_name = "ADDR")]
    pub listen: SocketAddr,
    /// The address of the Kubernetes API; port 0 picks one.
    #[arg(long, default_value = "127.0.0.1:6443", value_name = "ADDR")]
    pub kube_listen: SocketAddr,
    /// Start business time here and let it run.
    #[arg(long, value_name = "RFC3339", value_parser = instant)]
    pub clock: Option<DateTime<Utc>>,
    /// Load the folder's `demo/` first, then let shoppers and a till arrive.
    #[arg(long)]
    pub demo: bool,
}

fn instant(text: &str) -> Result<DateTime<Utc>, String> {
    DateTime::parse_from_rfc3339(text)
        .map(|at| at.to_utc())
        .map_err(|_| "write an instant with its offset, such as 2026-11-10T23:59:50+07:00".into())
}

/// Runs until Ctrl-C.
pub async fn run(args: Args) -> anyhow::Result<ExitCode> {
    if !args.dir.is_dir() {
        bail!("{} is not a folder; name one that holds the resources, such as examples/double-11", args.dir.display());
    }
    if !args.kube_listen.ip().is_loopback() {
        bail!(
            "--kube-listen: the embedded Kubernetes API has no login and serves loopback only; use 127.0.0.1 or [::1]"
        );
    }
    crate::up::start::run(args).await
}
