//! `fanfare ledger`: corrections by people, reports and the export, all through the HTTP API, whose keys say who acts:
//! that of a server, or on a shared database the verb's own.

use super::remote::{Api, Refused, Remote, escaped};
use crate::out::Stream;
use anyhow::{Context, bail};
use serde_json::{Value, json};
use std::{io::Write, process::ExitCode};

/// How often an export that was cut off goes on by itself.
const TRIES_MAX: usize = 5;

/// What can be done with the ledger.
#[derive(Debug, clap::Subcommand)]
pub enum Command {
    /// Correct the ledger by an entry with a reason. Above `spec.ledger.approveAbove` it waits for a second person.
    #[command(subcommand)]
    Adjust(Adjust),
    /// List the corrections that wait for a second person.
    Pending {
        #[command(flatten)]
        remote: Remote,
    },
    /// Post a correction that another person proposed.
    Approve {
        /// The correction's id, as `pending` lists it.
        id: String,
        /// Why, for those who look later.
        #[arg(long)]
        reason: Option<String>,
        #[command(flatten)]
        remote: Remote,
    },
    /// Turn a correction down, or take your own back.
    Reject {
        /// The correction's id, as `pending` lists it.
        id: String,
        /// Why, for those who look later.
        #[arg(long)]
        reason: Option<String>,
        #[command(flatten)]
        remote: Remote,
    },
    /// Print a report of one consistent cut.
    Report(ReportArgs),
    /// Write every line of the ledger to standard output.
    Export(ExportArgs),
}

/// What is corrected.
#[derive(Debug, clap::Subcommand)]
pub enum Adjust {
    /// A member's points.
    Points {
        /// The member's id.
        #[arg(long)]
        member: String,
        /// How many; negative are taken.
        #[arg(long, allow_negative_numbers = true)]
        amount: i64,
        #[command(flatten)]
        why: Why,
    },
    /// What a campaign has cost.
    Cost {
        /// The campaign's name.
        #[arg(long)]
        campaign: String,
        /// `rewards`, `messages` or `discounts`.
        #[arg(long)]
        category: String,
        /// How much more, such as `120.00`; negative takes back.
        #[arg(long, allow_hyphen_values = true)]
        amount: String,
        #[command(flatten)]
        why: Why,
    },
    /// What a campaign has spent of its budget.
    Budget {
        /// The campaign's name.
        #[arg(long)]
        campaign: String,
        /// How much more counts as spent; negative gives back.
        #[arg(long, allow_hyphen_values = true)]
        amount: String,
        #[command(flatten)]
        why: Why,
    },
    /// How many of a reward are left.
    Stock {
        /// The reward's name.
        #[arg(long)]
        reward: String,
        /// How many more; negative were lost.
        #[arg(long, allow_negative_numbers = true)]
        quantity: i64,
        #[command(flatten)]
        why: Why,
    },
}

/// Why, and where it is sent.
#[derive(Debug, clap::Args)]
pub struct Why {
    /// Why, for those who look later.
    #[arg(long)]
    reason: String,
    #[command(flatten)]
    remote: Remote,
}

/// Which report.
#[derive(Debug, clap::Args)]
pub struct ReportArgs {
    /// Which one.
    #[arg(value_enum)]
    name: Report,
    /// The business day of a reconciliation or of exceptions, such as 2026-11-11.
    #[arg(long, value_name = "DAY")]
    date: Option<String>,
    /// The store of a reconciliation or of exceptions; all when left out.
    #[arg(long, value_name = "ID")]
    store: Option<String>,
    /// How it is printed.
    #[arg(long, value_enum, default_value_t = Format::Csv)]
    output: Format,
    #[command(flatten)]
    remote: Remote,
}

/// A report.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
enum Report {
    /// Every account; sums to zero per unit.
    TrialBalance,
    /// What members may still claim.
    Liability,
    /// What expired unspent.
    Breakage,
    /// What the tills of a business day must add up to.
    Reconciliation,
    /// What was honoured although its value was gone.
    Exceptions,
}

/// How a table is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
enum Format {
    Csv,
    Json,
}

/// What to export.
#[derive(Debug, clap::Args)]
pub struct ExportArgs {
    /// Only what stands behind this position, as the last line of an earlier export names it.
    #[arg(long, value_name = "POSITION", default_value_t = 0)]
    from: i64,
    /// How lines are written.
    #[arg(long, value_enum, default_value_t = Lines::Ndjson)]
    output: Lines,
    #[command(flatten)]
    remote: Remote,
}

/// How lines are written.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
enum Lines {
    Ndjson,
    Csv,
}

/// Does what was asked.
pub async fn run(command: Command) -> anyhow::Result<ExitCode> {
    match command {
        Command::Adjust(what) => adjust(what).await?,
        Command::Pending { remote } => pending(&remote.open().await?).await?,
        Command::Approve { id, reason, remote } => decide(&remote.open().await?, &id, "approve", reason).await?,
        Command::Reject { id, reason, remote } => decide(&remote.open().await?, &id, "reject", reason).await?,
        Command::Report(args) => report(args).await?,
        Command::Export(args) => export(args).await?,
    }
    Ok(ExitCode::SUCCESS)
}

async fn adjust(what: Adjust) -> anyhow::Result<()> {
    let (body, Why { reason, remote }) = match what {
        Adjust::Points { member, amount, why } => (json!({ "points": { "memberId": member, "amount": amount } }), why),
        Adjust::Cost { campaign, category, amount, why } => {
            (json!({ "cost": { "campaign": campaign, "category": category, "amount": amount } }), why)
        }
        Adjust::Budget { campaign, amount, why } => {
            (json!({ "budget": { "campaign": campaign, "amount": amount } }), why)
        }
        Adjust::Stock { reward, quantity, why } => {
            (json!({ "stock": { "reward": reward, "quantity": quantity } }), why)
        }
    };
    let mut body = body;
    body["reason"] = json!(reason);
    let made = remote.open().await?.post("/v1/adjustments", &body).await?;
    let id = made["id"].as_str().unwrap_or_default();
    match made["state"].as_str() {
        Some("Pending") => {
            outln!("{id} waits for a second person: `fanfare ledger approve {id}` with a key of their own")
        }
        _ => outln!("{id} is posted"),
    }
    Ok(())
}

async fn pending(api: &Api) -> anyhow::Result<()> {
    let mut cursor = String::new();
    loop {
        let query = [("state", "Pending"), ("limit", "100"), ("cursor", cursor.as_str())];
        let page: Value = api.get("/v1/adjustments", &query).await?.json().await?;
        for one in page["items"].as_array().into_iter().flatten() {
            outln!("{}", told(one));
        }
        match page["next"].as_str() {
            Some(next) => cursor = next.to_owned(),
            None => return Ok(()),
        }
    }
}

/// A correction in a line.
fn told(one: &Value) -> String {
    let text = |value: &Value| value.as_str().map_or_else(|| value.to_string(), ToOwned::to_owned);
    let change = ["points", "cost", "budget", "stock"].into_iter().find_map(|kind| {
        let fields = one[kind].as_object()?;
        let fields: Vec<String> = fields.iter().map(|(name, value)| format!("{name} {}", text(value))).collect();
        Some(format!("{kind}: {}", fields.join(", ")))
    });
    let worth = one["worth"]["amount"].as_str().map_or_else(
        || "of no known worth".to_owned(),
        |amount| format!("worth {amount} {}", text(&one["worth"]["currency"])),
    );
    let (id, by, at) = (text(&one["id"]), text(&one["proposedBy"]), text(&one["proposedAt"]));
    format!("{id}  {}  {worth}  by {by} at {at}: {}", change.unwrap_or_default(), text(&one["reason"]))
}

async fn decide(api: &Api, id: &str, verb: &str, reason: Option<String>) -> anyhow::Result<()> {
    let body = reason.map_or_else(|| json!({}), |reason| json!({ "reason": reason }));
    let done = api.post(&format!("/v1/adjustments/{}/{verb}", escaped(id)), &body).await?;
    match done["state"].as_str() {
        Some("Posted") => outln!("{id} is posted"),
        _ => outln!("{id} is turned down; nothing was posted"),
    }
    Ok(())
}

async fn report(args: ReportArgs) -> anyhow::Result<()> {
    let ReportArgs { name, date, store, output, remote } = args;
    let format = if output == Format::Csv { "csv" } else { "json" };
    let mut query = vec![("format", format)];
    if matches!(name, Report::Reconciliation | Report::Exceptions) {
        query.extend(date.as_deref().map(|date| ("businessDate", date)));
        query.extend(store.as_deref().map(|store| ("storeId", store)));
    } else if date.is_some() || store.is_some() {
        bail!("--date and --store belong to reconciliation and exceptions; other reports are of now");
    }
    let path = match name {
        Report::TrialBalance => "/v1/reports/trial-balance",
        Report::Liability => "/v1/reports/liability",
        Report::Breakage => "/v1/reports/breakage",
        Report::Reconciliation if date.is_none() => {
            bail!("--date is missing: name the business day, such as 2026-11-11")
        }
        Report::Reconciliation => "/v1/reconciliation",
        Report::Exceptions => return exceptions(&remote.open().await?, &query, output).await,
    };
    let mut answer = remote.open().await?.get(path, &query).await?;
    let mut out = Stream::open();
    while let Some(bytes) = answer.chunk().await? {
        out.write_all(&bytes)?;
    }
    if output == Format::Json {
        out.write_all(b"\n")?;
    }
    Ok(())
}

/// Every page of the exceptions; the heading of a CSV stands once, and JSON is one object a line.
async fn exceptions(api: &Api, asked: &[(&str, &str)], output: Format) -> anyhow::Result<()> {
    let (mut cursor, mut is_first) = (String::new(), true);
    let mut out = Stream::open();
    loop {
        let mut query = asked.to_vec();
        query.extend([("limit", "100"), ("cursor", cursor.as_str())]);
        let answer = api.get("/v1/exceptions", &query).await?;
        let next = match output {
            Format::Csv => {
                let next =
                    answer.headers().get("fanfare-next").and_then(|next| next.to_str().ok()).map(ToOwned::to_owned);
                let text = answer.text().await?;
                let rows = text.split_once('\n').filter(|_| !is_first).map_or(text.as_str(), |(_, rows)| rows);
                out.write_all(rows.as_bytes())?;
                next
            }
            Format::Json => {
                let page: Value = answer.json().await?;
                for one in page["items"].as_array().into_iter().flatten() {
                    writeln!(out, "{one}")?;
                }
                page["next"].as_str().map(ToOwned::to_owned)
            }
        };
        is_first = false;
        match next {
            Some(next) => cursor = next,
            None => return Ok(()),
        }
    }
}

async fn export(args: ExportArgs) -> anyhow::Result<()> {
    let ExportArgs { from, output, remote } = args;
    let api = remote.open().await?;
    let mut out = Written { out: Stream::open(), whole: from, open: Vec::new(), headed: false };
    for attempt in 1.. {
        match stream(&api, output, &mut out).await {
            Ok(()) => break,
            Err(error) if error.downcast_ref().is_some_and(Refused::is_final) => return Err(error),
            Err(error) if attempt >= TRIES_MAX => {
                return Err(error).with_context(|| format!("go on with --from {}", out.whole));
            }
            Err(error) => eprintln!("cut off ({error:#}); going on behind position {}", out.whole),
        }
    }
    out.out.flush()?;
    Ok(())
}

/// What was written so far. Lines of a transaction are kept back until the next begins, so that what was written are
/// whole transactions and going on repeats nothing.
struct Written<W: Write> {
    out: W,
    whole: i64,
    open: Vec<(i64, Vec<u8>)>,
    headed: bool,
}

impl<W: Write> Written<W> {
    fn line(&mut self, line: Vec<u8>, output: Lines) -> anyhow::Result<()> {
        let text = std::str::from_utf8(&line)?;
        let position = match output {
            Lines::Ndjson => serde_json::from_str::<Value>(text)?["position"].as_i64(),
            Lines::Csv if text.starts_with("position,") => {
                if !std::mem::replace(&mut self.headed, true) {
                    self.out.write_all(&line)?;
                }
                return Ok(());
            }
            Lines::Csv => text.split(',').next().and_then(|cell| cell.parse().ok()),
        };
        let position = position.context("a line names no position")?;
        if self.open.first().is_some_and(|(open, _)| *open != position) {
            self.transaction()?;
        }
        self.open.push((position, line));
        Ok(())
    }

    /// Writes the transaction whose lines have all come.
    fn transaction(&mut self) -> anyhow::Result<()> {
        for (position, line) in self.open.drain(..) {
            self.out.write_all(&line)?;
            self.whole = position;
        }
        Ok(())
    }
}

async fn stream<W: Write>(api: &Api, output: Lines, out: &mut Written<W>) -> anyhow::Result<()> {
    out.open.clear();
    let from = out.whole.to_string();
    let format = if output == Lines::Csv { "csv" } else { "ndjson" };
    let mut answer = api.get("/v1/ledger", &[("from", &from), ("format", format)]).await?;
    let mut rest: Vec<u8> = Vec::new();
    while let Some(bytes) = answer.chunk().await? {
        rest.extend_from_slice(&bytes);
        while let Some(end) = rest.iter().position(|byte| *byte == b'\n') {
            let line: Vec<u8> = rest.drain(..=end).collect();
            out.line(line, output)?;
        }
    }
    if !rest.is_empty() {
        bail!("the answer ends within a line");
    }
    out.transaction()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_export_that_was_cut_off_repeats_nothing() {
        let mut out = Written { out: Vec::new(), whole: 0, open: Vec::new(), headed: false };
        let line = |position: i64, line: i64| format!("{position},{line},x\n").into_bytes();
        out.line(b"position,line,rule\n".to_vec(), Lines::Csv).unwrap();
        for (position, at) in [(3, 0), (3, 1), (5, 0)] {
            out.line(line(position, at), Lines::Csv).unwrap();
        }
        assert_eq!(out.whole, 3, "the second has not come whole");
        out.open.clear();
        out.line(b"position,line,rule\n".to_vec(), Lines::Csv).unwrap();
        for (position, at) in [(5, 0), (5, 1)] {
            out.line(line(position, at), Lines::Csv).unwrap();
        }
        out.transaction().unwrap();
        assert_eq!(String::from_utf8(out.out).unwrap(), "position,line,rule\n3,0,x\n3,1,x\n5,0,x\n5,1,x\n");
        assert_eq!(out.whole, 5);
    }
}
