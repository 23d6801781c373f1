//! Logs on standard error. No personal data, no secrets: rooms log ids and counts.

use std::io::IsTerminal;
use tracing_subscriber::EnvFilter;

/// Warnings. The Kubernetes client tells every call that fails; whoever made it says so too, and once.
const DEFAULT: &str = "warn,kube_client::client::builder=off";

/// Starts logging: what `--log` (or `FANFARE_LOG`) asks for, else warnings.
pub fn start(asked: Option<&str>, quiet: bool) {
    let default = if quiet { "error" } else { DEFAULT };
    let filter = asked.and_then(|text| EnvFilter::try_new(text).ok()).unwrap_or_else(|| EnvFilter::new(default));
    let colour = std::io::stderr().is_terminal();
    let subscriber = tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_writer(std::io::stderr)
        .with_target(true)
        .with_ansi(colour);
    if let Err(error) = subscriber.try_init() {
        eprintln!("warning: no log: {error}");
    }
}
