//! `fanfare codes`: imports codes of another system, and has vouchers printed.

use crate::{random, up::credentials};
use anyhow::{Context, bail};
use serde_json::{Value, json};
use std::{fmt::Write as _, path::PathBuf, process::ExitCode, time::Duration};

/// How long an import may take.
const IMPORT_MAX: Duration = Duration::from_secs(3_600);
/// How many vouchers one call makes, as the API bounds it.
const PART: usize = 500;
/// How many vouchers one command makes: a printer's order, which fits a file.
const COUNT_MAX: usize = 1_000_000;
/// How many rejected lines are printed.
const PRINTED_MAX: usize = 20;
/// How often a part is asked for again when the server is busy.
const TRIES_MAX: u32 = 8;
/// Columns and rows of a sheet of A4.
const GRID: (usize, usize) = (3, 8);

/// What can be done with codes.
#[derive(Debug, clap::Subcommand)]
pub enum Command {
    /// Import codes for a reward that has `codes: {import: {}}`: a text file with a code a line, or NDJSON.
    Import {
        /// The reward's name.
        reward: String,
        /// The file; a first line `code` and further columns are skipped.
        file: PathBuf,
        #[command(flatten)]
        server: Server,
    },
    /// Make vouchers for paper, which nobody holds before they are used.
    Print {
        /// The reward's name.
        reward: String,
        /// How many.
        #[arg(long)]
        count: usize,
        /// Where to: a `.csv`, or an `.svg` with sheets of A4.
        #[arg(long, value_name = "FILE")]
        out: PathBuf,
        /// The campaign that pays for them.
        #[arg(long)]
        campaign: Option<String>,
        /// What people call the batch. The same name again answers the same vouchers.
        #[arg(long)]
        batch: String,
        #[command(flatten)]
        server: Server,
    },
}

/// Which server.
#[derive(Clone, Debug, clap::Args)]
pub struct Server {
    /// The data folder of the `fanfare up` to ask.
    #[arg(long, value_name = "FOLDER", default_value = ".fanfare")]
    data: PathBuf,
    /// The API's address, where it is not that of the data folder.
    #[arg(long, env = "FANFARE_API_URL")]
    api_url: Option<String>,
    /// The API key that goes with it; it needs the scope `codes`.
    #[arg(long, env = "FANFARE_API_KEY", hide_env_values = true)]
    api_key: Option<String>,
}

impl Server {
    fn address(&self) -> anyhow::Result<(String, String)> {
        match (&self.api_url, &self.api_key) {
            (Some(url), Some(key)) => Ok((url.clone(), key.clone())),
            (None, None) => {
                let file = credentials::read(&self.data)?;
                Ok((file.api_url, file.integration_key))
            }
            _ => bail!("name both --api-url and --api-key, or neither and --data"),
        }
    }
}

/// Does what was asked.
pub async fn run(command: Command) -> anyhow::Result<ExitCode> {
    match command {
        Command::Import { reward, file, server } => import(&reward, &file, &server).await,
        Command::Print { reward, count, out, campaign, batch, server } => {
            let order = Order { reward, count, campaign, batch };
            print(&order, &out, &server).await
        }
    }
}

async fn import(reward: &str, file: &std::path::Path, server: &Server) -> anyhow::Result<ExitCode> {
    let (url, key) = server.address()?;
    let bytes = match std::fs::read(file) {
        Ok(bytes) => bytes,
        Err(error) => {
            eprintln!("error: {}: {error}", file.display());
            return Ok(ExitCode::from(2));
        }
    };
    let is_json = file.extension().is_some_and(|end| end == "ndjson" || end == "jsonl");
    let media_type = if is_json { "application/x-ndjson" } else { "text/csv" };
    let http = reqwest::Client::builder().timeout(IMPORT_MAX).build()?;
    let request = http.post(format!("{url}/v1/rewards/{reward}/codes")).bearer_auth(key);
    let answer = request.header("content-type", media_type).body(bytes).send().await;
    let answer = read(answer.context("the server cannot be reached")?).await?;
    for one in answer["rejected"].as_array().into_iter().flatten().take(PRINTED_MAX) {
        eprintln!("line {}: {}; {}", one["line"], text(&one["reason"]), text(&one["remedy"]));
    }
    let rejected = answer["rejectedTotal"].as_u64().unwrap_or_default();
    outln!(
        "{} codes accepted, {} known already, {rejected} rejected, {} left to be given",
        answer["accepted"],
        answer["known"],
        answer["left"]
    );
    Ok(if rejected == 0 { ExitCode::SUCCESS } else { ExitCode::from(1) })
}

/// What is to be printed.
struct Order {
    reward: String,
    count: usize,
    campaign: Option<String>,
    batch: String,
}

async fn print(order: &Order, out: &std::path::Path, server: &Server) -> anyhow::Result<ExitCode> {
    if !(1..=COUNT_MAX).contains(&order.count) {
        bail!("--count: {} is no number of vouchers; 1 to {COUNT_MAX}", order.count);
    }
    let sheets = match out.extension().and_then(|end| end.to_str()) {
        Some("csv") => false,
        Some("svg") => true,
        _ => bail!("--out: {} is neither a .csv nor an .svg", out.display()),
    };
    let (url, key) = server.address()?;
    let http = reqwest::Client::builder().timeout(Duration::from_secs(60)).build()?;
    let address = format!("{url}/v1/rewards/{}/prints", order.reward);
    let mut vouchers = Vec::with_capacity(order.count);
    let mut symbology = String::new();
    for part in 0..order.count.div_ceil(PART) {
        let count = PART.min(order.count - part * PART);
        let mut body = json!({"batch": order.batch, "part": part + 1, "count": count});
        if let Some(campaign) = &order.campaign {
            body["campaign"] = json!(campaign);
        }
        // A run that broke off makes nothing twice: the batch and its part say which vouchers are meant. The key is for
        // this run alone, since a refusal is remembered under it.
        let once = random::key()?;
        let request = || {
            let request = http.post(&address).bearer_auth(&key).header("idempotency-key", &once);
            request.header("content-type", "application/json").body(body.to_string())
        };
        let answer = patiently(request).await?;
        symbology = text(&answer["symbology"]).to_owned();
        vouchers.extend(answer["vouchers"].as_array().cloned().unwrap_or_default());
    }
    let made = if sheets { svg(&vouchers, &symbology)? } else { csv(&vouchers) };
    credentials::write_private(out, made.as_bytes())?;
    outln!("{} vouchers of {} in {}", vouchers.len(), order.reward, out.display());
    Ok(ExitCode::SUCCESS)
}

async fn patiently(request: impl Fn() -> reqwest::RequestBuilder) -> anyhow::Result<Value> {
    for attempt in 0..TRIES_MAX {
        match request().send().await {
            Ok(answer) if answer.status() == 503 || answer.status() == 429 => {}
            Ok(answer) => return read(answer).await,
            Err(error) if attempt + 1 == TRIES_MAX => return Err(error).context("the server cannot be reached"),
            Err(_) => {}
        }
        tokio::time::sleep(Duration::from_millis(100 << attempt)).await;
    }
    bail!("the server stayed busy; run the same command again, it goes on from here")
}

async fn read(answer: reqwest::Response) -> anyhow::Result<Value> {
    let status = answer.status();
    let body = answer.text().await.context("the answer broke off; run the same command again")?;
    let value: Value = serde_json::from_str(&body).unwrap_or_default();
    if status.is_success() {
        return Ok(value);
    }
    bail!("the server answered {status}: {}", value["detail"].as_str().unwrap_or(&body))
}

fn text(value: &Value) -> &str {
    value.as_str().unwrap_or_default()
}

/// A table for a printer: code, grant and until when.
fn csv(vouchers: &[Value]) -> String {
    let mut table = String::from("code,grant,validUntil\n");
    for one in vouchers {
        let _ = writeln!(table, "{},{},{}", text(&one["code"]), text(&one["grant"]), text(&one["validUntil"]));
    }
    table
}

/// Sheets of A4, one below the other, each voucher with its picture and its code in groups of four.
fn svg(vouchers: &[Value], symbology: &str) -> anyhow::Result<String> {
    const WIDTH: f64 = 210.0;
    const HEIGHT: f64 = 297.0;
    let (columns, rows) = GRID;
    let sheets = vouchers.len().div_ceil(columns * rows).max(1);
    let mut drawn = format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"{WIDTH}mm\" height=\"{0}mm\" viewBox=\"0 0 {WIDTH} {0}\">\n",
        HEIGHT * sheets as f64
    );
    let (cell_width, cell_height) = (WIDTH / columns as f64, HEIGHT / rows as f64);
    for (index, one) in vouchers.iter().enumerate() {
        let (sheet, place) = (index / (columns * rows), index % (columns * rows));
        let x = (place % columns) as f64 * cell_width;
        let y = sheet as f64 * HEIGHT + (place / columns) as f64 * cell_height;
        let code = text(&one["code"]);
        let picture = fanfare_api::picture(code, symbology).context("a code cannot be drawn")?;
        let (left, top, width, height) = (x + 5.0, y + 3.0, cell_width - 10.0, cell_height - 11.0);
        let placed = format!("<svg x=\"{left:.2}\" y=\"{top:.2}\" width=\"{width:.2}\" height=\"{height:.2}\" ");
        let groups: Vec<String> =
            code.as_bytes().chunks(4).map(|four| String::from_utf8_lossy(four).into_owned()).collect();
        let _ = writeln!(
            drawn,
            "{}<text x=\"{:.2}\" y=\"{:.2}\" font-family=\"monospace\" font-size=\"4\" text-anchor=\"middle\">{}</text>",
            picture.replacen("<svg ", &placed, 1),
            x + cell_width / 2.0,
            y + cell_height - 3.0,
            groups.join(" "),
        );
    }
    drawn.push_str("</svg>\n");
    Ok(drawn)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_voucher_stands_on_a_sheet_once_with_its_code() {
        let vouchers: Vec<Value> =
            (0..25).map(|n| json!({"code": format!("ABCD1234{n:04}"), "grant": n.to_string()})).collect();
        for symbology in ["Qr", "Code128"] {
            let drawn = svg(&vouchers, symbology).unwrap();
            assert_eq!(drawn.matches("<text ").count(), 25);
            assert!(drawn.contains("ABCD 1234 0024"));
            assert!(drawn.contains("height=\"594mm\""), "two sheets");
        }
        assert_eq!(csv(&vouchers).lines().count(), 26);
        assert!(svg(&vouchers, "Aztec").is_err());
    }
}
