//! `fanfare validate`: the pull request's check, by the same `admit` as the plane and the controller.

use crate::clock::WallClock;
use fanfare_core::time::Clock;
use fanfare_crds::files::{self, Colour, Format};
use std::{io::IsTerminal, path::PathBuf, process::ExitCode};

/// What to check and how to say it.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// Files, folders, or `-` for standard input.
    #[arg(required = true)]
    pub paths: Vec<PathBuf>,
    /// How findings are printed.
    #[arg(long, value_enum, default_value_t = Output::Text)]
    pub output: Output,
}

/// How findings are printed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
pub enum Output {
    /// For people, with the lines.
    Text,
    /// One JSON document.
    Json,
    /// SARIF 2.1.0, for code scanning.
    Sarif,
    /// Annotations of a GitHub workflow.
    Github,
}

/// Exit code 0: fine; 1: something is wrong; 2: something could not be read.
pub fn run(args: &Args) -> anyhow::Result<ExitCode> {
    let report = files::validate_paths(&args.paths, WallClock.now());
    let colour = if std::io::stdout().is_terminal() { Colour::Ansi } else { Colour::Plain };
    let format = match args.output {
        Output::Text => Format::Text(colour),
        Output::Json => Format::Json,
        Output::Sarif => Format::Sarif,
        Output::Github => Format::Github,
    };
    let text = files::render(&report, format);
    if !text.trim().is_empty() {
        outln!("{}", text.trim_end());
    }
    Ok(ExitCode::from(report.exit_code()))
}
