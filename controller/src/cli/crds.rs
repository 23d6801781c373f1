//! `fanfare crds`: the definitions for `kubectl apply`, and the editors' schemas.

use anyhow::Context;
use std::{path::PathBuf, process::ExitCode};

/// Where they go.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// Write definitions and editor schemas to this folder instead of printing the definitions.
    #[arg(long, value_name = "FOLDER")]
    pub out: Option<PathBuf>,
}

/// Prints or writes them.
pub fn run(args: &Args) -> anyhow::Result<ExitCode> {
    match &args.out {
        None => out!("{}", fanfare_crds::generate::crds_yaml()?),
        Some(folder) => {
            std::fs::create_dir_all(folder).with_context(|| format!("--out: {} cannot be made", folder.display()))?;
            for (name, text) in fanfare_crds::generate::generated_files()? {
                let file = folder.join(name);
                std::fs::write(&file, text).with_context(|| format!("{} cannot be written", file.display()))?;
            }
        }
    }
    Ok(ExitCode::SUCCESS)
}
