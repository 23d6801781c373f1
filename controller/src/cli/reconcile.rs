//! `fanfare reconcile`: has the controller look at a resource now, by an annotation.

use super::suspend::{Target, annotate};
use crate::clock::WallClock;
use fanfare_core::{model::Kind, time::Clock};
use fanfare_reconcile::kinds;
use serde_json::json;
use std::process::ExitCode;

/// The annotation that says when somebody wished it.
pub const REQUESTED: &str = "fanfare.dev/reconcile-requested-at";

/// What to look at.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// The kind, as kubectl takes it: `campaign`, `campaigns` or `camp`.
    #[arg(value_parser = kind)]
    pub kind: Kind,
    /// The resource's name.
    pub name: String,
    #[command(flatten)]
    target: Target,
}

fn kind(text: &str) -> Result<Kind, String> {
    kinds::named(text).ok_or_else(|| format!("the kinds are {}", Kind::ALL.map(Kind::as_str).join(", ")))
}

/// Writes the annotation.
pub async fn run(args: &Args) -> anyhow::Result<ExitCode> {
    let now = WallClock.now().to_rfc3339();
    annotate(args.kind, &args.name, &args.target, json!({ REQUESTED: now })).await?;
    outln!("{} {} will be looked at now", args.kind.as_str(), args.name);
    Ok(ExitCode::SUCCESS)
}
