//! `fanfare events send`.

use crate::{
    send::{
        build,
        group::Groups,
        mapping::{self, Mapping},
        progress::Progress,
        rows::{self, Row},
    },
    up::credentials,
};
use anyhow::{Context, bail};
use indicatif::{ProgressBar, ProgressStyle};
use serde_json::{Value, json};
use std::{io::IsTerminal, path::PathBuf, process::ExitCode, time::Duration};

/// The most events of one request, as the API bounds it.
const BATCH_MAX: usize = 1_000;
/// How many rejected events are printed.
const PRINTED_MAX: usize = 20;
/// How often a batch is sent again when the server is busy.
const TRIES_MAX: u32 = 8;

/// What can be done with events.
#[derive(Debug, clap::Subcommand)]
pub enum Command {
    /// Send the rows of a CSV or NDJSON file (also gzip) as CloudEvents.
    Send(SendArgs),
}

/// Which file, how and where to.
#[derive(Debug, clap::Args)]
pub struct SendArgs {
    /// The file.
    file: PathBuf,
    /// What the columns mean; without it an NDJSON file holds CloudEvents.
    #[arg(long, value_name = "FILE")]
    mapping: Option<PathBuf>,
    /// The data folder of the `fanfare up` to send to.
    #[arg(long, value_name = "FOLDER", default_value = ".fanfare")]
    data: PathBuf,
    /// The API's address, where it is not that of the data folder.
    #[arg(long, env = "FANFARE_API_URL")]
    api_url: Option<String>,
    /// The API key that goes with it.
    #[arg(long, env = "FANFARE_API_KEY", hide_env_values = true)]
    api_key: Option<String>,
    /// Start from the beginning, also when an earlier run was interrupted.
    #[arg(long)]
    restart: bool,
    /// How the result is printed.
    #[arg(long, value_enum, default_value_t = Output::Text)]
    output: Output,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
enum Output {
    Text,
    Json,
}

/// Does what was asked.
pub async fn run(command: Command) -> anyhow::Result<ExitCode> {
    let Command::Send(args) = command;
    let mapping = match args.mapping.as_deref().map(mapping::read).transpose() {
        Ok(mapping) => mapping,
        Err(error) => return unreadable(&error),
    };
    let sender = Sender::new(&args)?;
    let progress = Progress::of(&args.data, &args.file, args.mapping.as_deref(), args.api_url.as_deref());
    let progress = match progress {
        Ok(progress) => progress,
        Err(error) => return unreadable(&error),
    };
    let start = if args.restart { 0 } else { progress.read() };
    let bar = bar(&args)?;
    let counted = bar.clone();
    let rows = match rows::open(&args.file, move |bytes| counted.inc(bytes)) {
        Ok(rows) => rows,
        Err(error) => return unreadable(&error),
    };
    let mut run = Run { sender, progress, batch: Vec::new(), seen: 0, start, counts: Counts::default() };
    let read = run.all(rows, mapping.as_ref()).await;
    bar.finish_and_clear();
    if let Err(error) = read {
        return match error {
            Fault::Input(error) => unreadable(&error),
            Fault::Server(error) => Err(error),
        };
    }
    report(&run, args.output);
    Ok(if run.counts.rejected == 0 { ExitCode::SUCCESS } else { ExitCode::from(1) })
}

fn unreadable(error: &anyhow::Error) -> anyhow::Result<ExitCode> {
    eprintln!("error: {error:#}");
    Ok(ExitCode::from(2))
}

fn report(run: &Run, output: Output) {
    let Counts { accepted, duplicate, rejected, skipped } = run.counts;
    match output {
        Output::Text => outln!(
            "{} events: {accepted} accepted, {duplicate} duplicate, {rejected} rejected, {skipped} rows skipped",
            run.seen
        ),
        Output::Json => outln!(
            "{}",
            json!({
                "events": run.seen, "accepted": accepted, "duplicate": duplicate, "rejected": rejected,
                "skippedRows": skipped, "resumedAt": run.start,
            })
        ),
    }
}

fn bar(args: &SendArgs) -> anyhow::Result<ProgressBar> {
    if !std::io::stderr().is_terminal() {
        return Ok(ProgressBar::hidden());
    }
    let size = std::fs::metadata(&args.file).map_or(0, |meta| meta.len());
    let style = ProgressStyle::with_template("{wide_bar} {percent}% {bytes_per_sec} {eta}")?;
    Ok(ProgressBar::new(size).with_style(style))
}

#[derive(Clone, Copy, Debug, Default)]
struct Counts {
    accepted: u64,
    duplicate: u64,
    rejected: u64,
    skipped: u64,
}

/// What went wrong: the input, or the server.
enum Fault {
    Input(anyhow::Error),
    Server(anyhow::Error),
}

struct Run {
    sender: Sender,
    progress: Progress,
    batch: Vec<Value>,
    seen: u64,
    start: u64,
    counts: Counts,
}

impl Run {
    async fn all(&mut self, rows: rows::Rows, mapping: Option<&Mapping>) -> Result<(), Fault> {
        let mut groups = Groups::default();
        for row in rows {
            let row = row.map_err(Fault::Input)?;
            let Some(mapping) = mapping else {
                let event = row.object().cloned().context("a CSV file needs --mapping").map_err(Fault::Input)?;
                self.event(event).await?;
                continue;
            };
            if !wanted(mapping, &row).map_err(Fault::Input)? {
                self.counts.skipped += 1;
                continue;
            }
            let whole = match &mapping.group_by {
                None => Some(vec![row]),
                Some(column) => {
                    let line = row.line;
                    let value = row.cell(column).and_then(|cell| {
                        cell.with_context(|| format!("line {line}: column {column:?} is empty, and groupBy needs it"))
                    });
                    groups.add(value.map_err(Fault::Input)?, row).map_err(Fault::Input)?
                }
            };
            if let Some(group) = whole {
                self.event(build::event(mapping, &group).map_err(Fault::Input)?).await?;
            }
        }
        while let (Some(group), Some(mapping)) = (groups.oldest(), mapping) {
            self.event(build::event(mapping, &group).map_err(Fault::Input)?).await?;
        }
        self.flush().await
    }

    async fn event(&mut self, event: Value) -> Result<(), Fault> {
        self.seen += 1;
        if self.seen > self.start {
            self.batch.push(event);
        }
        if self.batch.len() == BATCH_MAX { self.flush().await } else { Ok(()) }
    }

    async fn flush(&mut self) -> Result<(), Fault> {
        if self.batch.is_empty() {
            return Ok(());
        }
        let batch = std::mem::take(&mut self.batch);
        let results = self.sender.send(&batch).await.map_err(Fault::Server)?;
        for result in &results {
            match result["status"].as_str() {
                Some("Accepted") => self.counts.accepted += 1,
                Some("Duplicate") => self.counts.duplicate += 1,
                _ => {
                    self.counts.rejected += 1;
                    if self.counts.rejected <= PRINTED_MAX as u64 {
                        eprintln!("rejected {}: {}", result["id"], result["problem"]["detail"]);
                    }
                }
            }
        }
        self.progress.write(self.seen).map_err(Fault::Server)
    }
}

fn wanted(mapping: &Mapping, row: &Row) -> anyhow::Result<bool> {
    for (column, values) in &mapping.only {
        let cell = row.cell(column)?.unwrap_or_default();
        if !values.contains(&cell) {
            return Ok(false);
        }
    }
    Ok(true)
}

/// Sends batches, again where the server was busy: events count once.
struct Sender {
    http: reqwest::Client,
    url: String,
    key: String,
}

impl Sender {
    fn new(args: &SendArgs) -> anyhow::Result<Self> {
        let (url, key) = match (&args.api_url, &args.api_key) {
            (Some(url), Some(key)) => (url.clone(), key.clone()),
            (None, None) => {
                let file = credentials::read(&args.data)?;
                (file.api_url, file.integration_key)
            }
            _ => bail!("name both --api-url and --api-key, or neither and --data"),
        };
        let http = reqwest::Client::builder().timeout(Duration::from_secs(60)).build()?;
        Ok(Self { http, url, key })
    }

    async fn send(&self, batch: &[Value]) -> anyhow::Result<Vec<Value>> {
        let body = serde_json::to_vec(batch)?;
        for attempt in 0..TRIES_MAX {
            let request = self.http.post(format!("{}/v1/events", self.url)).bearer_auth(&self.key);
            let request = request.header("content-type", "application/cloudevents-batch+json").body(body.clone());
            match request.send().await {
                Ok(answer) if answer.status().is_success() => {
                    let value: Value = answer.json().await?;
                    return Ok(value["results"].as_array().cloned().unwrap_or_default());
                }
                Ok(answer) if answer.status() == 503 || answer.status() == 429 => {}
                Ok(answer) => {
                    let status = answer.status();
                    bail!("the server answered {status}: {}", answer.text().await.unwrap_or_default());
                }
                Err(error) if attempt + 1 == TRIES_MAX => return Err(error).context("the server cannot be reached"),
                Err(_) => {}
            }
            tokio::time::sleep(Duration::from_millis(100 << attempt)).await;
        }
        bail!("the server stayed busy; run the same command again, it goes on from here")
    }
}
