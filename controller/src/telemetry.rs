//! Logs on standard error, and what a process that goes on says of its progress. No personal data, no secrets: rooms log
//! ids and counts.

use std::{io::IsTerminal, sync::OnceLock};
use tracing_subscriber::{EnvFilter, filter::Directive};

/// Warnings. The Kubernetes client tells every call that fails; whoever made it says so too, and once.
const DEFAULT: &str = "warn,kube_client::client::builder=off";
/// The target of progress lines, which are told whatever else is logged.
const PROGRESS: &str = "progress";

/// How logs are written.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, clap::ValueEnum)]
pub enum Format {
    /// For people.
    #[default]
    Text,
    /// One JSON object a line on standard error, progress and errors too, and nothing else there.
    Json,
}

/// How this process writes, once it has started to.
static FORMAT: OnceLock<Format> = OnceLock::new();

/// Whether everything is said in JSON.
pub fn is_json() -> bool {
    FORMAT.get() == Some(&Format::Json)
}

/// Starts logging: what `--log` (or `FANFARE_LOG`) asks for, else warnings.
pub fn start(asked: Option<&str>, format: Format, quiet: bool) {
    FORMAT.get_or_init(|| format);
    let default = if quiet { "error" } else { DEFAULT };
    let filter = asked.and_then(|text| EnvFilter::try_new(text).ok()).unwrap_or_else(|| EnvFilter::new(default));
    let colour = std::io::stderr().is_terminal();
    let subscriber = tracing_subscriber::fmt().with_writer(std::io::stderr).with_target(true);
    let started = match format {
        Format::Text => subscriber.with_env_filter(filter).with_ansi(colour).try_init(),
        Format::Json => {
            let progress = format!("{PROGRESS}=info").parse::<Directive>();
            let filter = progress.into_iter().fold(filter, EnvFilter::add_directive);
            let lines = subscriber.with_env_filter(filter).json().flatten_event(true).with_span_list(false);
            std::panic::set_hook(Box::new(|panic| tracing::error!(target: PROGRESS, %panic, "a part panicked")));
            lines.try_init()
        }
    };
    if let Err(error) = started {
        eprintln!("warning: no log: {error}");
    }
}

/// A step that was done, and what it is about.
pub fn step(what: &str, detail: &str) {
    match is_json() {
        true => tracing::info!(target: PROGRESS, detail, "{what}"),
        false => outln!("  {what:<24} {detail}"),
    }
}

/// Something that a person at the terminal wants to know.
pub fn say(text: &str) {
    match is_json() {
        true => tracing::info!(target: PROGRESS, "{}", text.trim()),
        false => outln!("{text}"),
    }
}

/// An empty line, for people.
pub fn gap() {
    if !is_json() {
        outln!();
    }
}

/// Something that a person has to put right, with its place.
pub fn complain(text: &str) {
    match is_json() {
        true => tracing::warn!(target: PROGRESS, "{}", text.trim()),
        false => eprintln!("{text}"),
    }
}

/// Why the process ends.
pub fn failed(error: &anyhow::Error) {
    match is_json() {
        true => tracing::error!(target: PROGRESS, "{error:#}"),
        false => eprintln!("error: {error:#}"),
    }
}
