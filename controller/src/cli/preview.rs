//! `fanfare preview FILE`: who each Segment of a file would mean, asked of the members that a running API knows.

use super::remote::{Api, Remote};
use anyhow::{Context, bail};
use comfy_table::{Table, presets::NOTHING};
use serde::Deserialize;
use serde_json::{Value, json};
use std::{path::PathBuf, process::ExitCode};

/// The largest file that is read, in bytes.
const FILE_MAX_BYTES: u64 = 1024 * 1024;
/// The longest bar that is drawn, in characters.
const BAR_MAX: i64 = 30;
/// How many values of a histogram are drawn.
const BARS_SHOWN: usize = 8;

/// What is previewed.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// A YAML file with Segments; other resources in it are passed over.
    file: PathBuf,
    /// How it is printed.
    #[arg(long, value_enum, default_value_t = Output::Text)]
    output: Output,
    #[command(flatten)]
    remote: Remote,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
enum Output {
    /// For people.
    Text,
    /// One JSON document.
    Json,
}

/// A Segment as far as a preview needs it.
struct Asked {
    name: String,
    condition: Value,
}

/// Previews each Segment.
pub async fn run(args: Args) -> anyhow::Result<ExitCode> {
    let size = std::fs::metadata(&args.file).with_context(|| format!("{} cannot be read", args.file.display()))?.len();
    if size > FILE_MAX_BYTES {
        bail!("{} has {size} bytes; a file of Segments has at most {FILE_MAX_BYTES}", args.file.display());
    }
    let text =
        std::fs::read_to_string(&args.file).with_context(|| format!("{} cannot be read", args.file.display()))?;
    let segments = segments(&text).with_context(|| format!("{} cannot be read", args.file.display()))?;
    if segments.is_empty() {
        bail!("there is no Segment with a `match` in {}", args.file.display());
    }
    let api = args.remote.open().await?;
    let mut answers = Vec::with_capacity(segments.len());
    for segment in segments {
        let preview = preview(&api, &segment).await?;
        match args.output {
            Output::Text => out!("{}", written(&segment.name, &preview)),
            Output::Json => answers.push(json!({ "name": segment.name, "preview": preview })),
        }
    }
    if args.output == Output::Json {
        outln!("{:#}", Value::Array(answers));
    }
    Ok(ExitCode::SUCCESS)
}

async fn preview(api: &Api, segment: &Asked) -> anyhow::Result<Value> {
    let body = json!({ "match": segment.condition });
    api.post("/v1/segments/preview", &body).await.with_context(|| format!("the Segment {}", segment.name))
}

fn segments(text: &str) -> anyhow::Result<Vec<Asked>> {
    let mut found = Vec::new();
    for document in serde_yaml::Deserializer::from_str(text) {
        let document = Value::deserialize(document)?;
        if document["kind"] != "Segment" {
            continue;
        }
        let name = document["metadata"]["name"].as_str().unwrap_or("unnamed").to_owned();
        if document["spec"]["match"].is_object() {
            found.push(Asked { name, condition: document["spec"]["match"].clone() });
        }
    }
    Ok(found)
}

fn written(name: &str, preview: &Value) -> String {
    let size = preview["size"].as_i64().unwrap_or(0);
    let mut text = format!("{name}: {size} members as of {}\n", preview["asOf"].as_str().unwrap_or("?"));
    let mut table = Table::new();
    table.load_style(NOTHING);
    for (title, counts) in [("reachable by", &preview["reachable"]), ("also in", &preview["overlap"])] {
        for (of, members) in counts.as_object().into_iter().flatten() {
            let members = members.as_i64().unwrap_or(0);
            table.add_row([title.to_owned(), of.clone(), members.to_string(), bar(members, size)]);
        }
    }
    for (of, bars) in preview["histogram"].as_object().into_iter().flatten() {
        let bars = bars.as_array().into_iter().flatten();
        for one in bars.filter(|one| one["members"] != 0).take(BARS_SHOWN) {
            let members = one["members"].as_i64().unwrap_or(0);
            let value = one["value"].as_str().unwrap_or("(none)").to_owned();
            table.add_row([of.clone(), value, members.to_string(), bar(members, size)]);
        }
    }
    if table.row_count() > 0 {
        text.push_str(&format!("{table}\n"));
    }
    for member in preview["sample"].as_array().into_iter().flatten() {
        text.push_str(&format!("  {}\n", member["memberId"].as_str().unwrap_or("?")));
        for why in member["why"].as_array().into_iter().flatten() {
            let mark = if why["holds"] == true { "✓" } else { "✗" };
            let condition = why["condition"].as_str().unwrap_or("?");
            let actual = why["actual"].as_str().map(|actual| format!(": {actual}")).unwrap_or_default();
            text.push_str(&format!("    {mark} {condition}{actual}\n"));
        }
    }
    text
}

fn bar(members: i64, of: i64) -> String {
    let length = members.saturating_mul(BAR_MAX).checked_div(of).unwrap_or(0).clamp(0, BAR_MAX);
    "█".repeat(usize::try_from(length).unwrap_or(0))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_segments_of_a_file_are_found_and_other_resources_passed_over() {
        let text = "kind: Campaign\nmetadata: {name: c}\n---\nkind: Segment\nmetadata: {name: gold}\nspec: {match: {tags: {any: [gold]}}}\n";
        let found = segments(text).unwrap();
        assert_eq!(found.len(), 1);
        assert_eq!((found[0].name.as_str(), &found[0].condition["tags"]["any"][0]), ("gold", &json!("gold")));
    }

    #[test]
    fn a_preview_shows_size_reach_spread_and_why() {
        let preview = json!({
            "size": 4, "asOf": "2026-11-11T12:00:00+07:00", "reachable": { "mail": 2 }, "overlap": { "double-eleven": 4 },
            "histogram": { "tier": [{ "value": "gold", "members": 3 }, { "value": null, "members": 1 }] },
            "sample": [{ "memberId": "m1", "why": [{ "condition": "has the tag tea", "holds": true, "actual": "tea" }] }],
        });
        let text = written("tea", &preview);
        for part in [
            "tea: 4 members as of 2026-11-11T12:00:00+07:00",
            "mail",
            "double-eleven",
            "gold",
            "(none)",
            "✓ has the tag tea: tea",
        ] {
            assert!(text.contains(part), "{part} is missing in\n{text}");
        }
    }
}
