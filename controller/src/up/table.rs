//! The live table of campaigns that `fanfare up` shows: redrawn on a terminal, a line a change elsewhere.

use comfy_table::{Table, presets::NOTHING};
use fanfare_core::model::Kind;
use kube::{Api, Client, api::ListParams, core::DynamicObject};
use serde_json::Value;
use std::{
    collections::BTreeMap,
    io::{IsTerminal, Write},
    time::Duration,
};

/// How often the table is looked at.
const EVERY: Duration = Duration::from_secs(1);
/// The most campaigns that are shown.
const ROWS_MAX: usize = 20;

const HEADER: [&str; 10] =
    ["NAME", "OBJECTIVE", "PHASE", "START", "PARTICIPANTS", "CONVERSION", "REVENUE", "SPENT", "BUDGET", "READY"];

/// Shows the campaigns of a namespace until it is dropped.
pub async fn show(client: Client, namespace: String) {
    let api: Api<DynamicObject> =
        Api::namespaced_with(client, &namespace, &fanfare_reconcile::api_resource(Kind::Campaign));
    let terminal = std::io::stdout().is_terminal();
    let mut shown: BTreeMap<String, [String; 10]> = BTreeMap::new();
    let mut height = 0;
    loop {
        if let Ok(list) = api.list(&ListParams::default()).await {
            let rows: BTreeMap<_, _> = list.items.iter().map(row).map(|row| (row[0].clone(), row)).collect();
            if rows != shown {
                if terminal {
                    height = redraw(&rows, height);
                } else {
                    for row in rows.values().filter(|row| shown.get(&row[0]) != Some(row)).take(ROWS_MAX) {
                        println!("{}", line(row));
                    }
                }
                shown = rows;
            }
        }
        tokio::time::sleep(EVERY).await;
    }
}

fn row(object: &DynamicObject) -> [String; 10] {
    let text = |path: &str| match object.data.pointer(path) {
        Some(Value::String(text)) => text.clone(),
        Some(Value::Null) | None => "-".into(),
        Some(other) => other.to_string(),
    };
    let conditions = object.data.pointer("/status/conditions").and_then(Value::as_array);
    let ready = conditions.and_then(|all| all.iter().find(|c| c["type"] == "Ready"));
    [
        object.metadata.name.clone().unwrap_or_default(),
        text("/spec/objective"),
        text("/status/phase"),
        text("/status/startAt"),
        text("/status/metrics/participants"),
        text("/status/metrics/conversionRate"),
        text("/status/metrics/revenue"),
        text("/status/budget/spent"),
        text("/spec/budget/limit"),
        ready.and_then(|c| c["status"].as_str()).unwrap_or("-").into(),
    ]
}

fn line(row: &[String; 10]) -> String {
    let pairs = HEADER.iter().zip(row).map(|(name, value)| format!("{}={value}", name.to_lowercase()));
    format!("campaign {}", pairs.collect::<Vec<_>>().join(" "))
}

/// Draws the table over the former one; answers how many lines it has.
fn redraw(rows: &BTreeMap<String, [String; 10]>, height: usize) -> usize {
    let mut table = Table::new();
    table.load_style(NOTHING).set_header(HEADER);
    for row in rows.values().take(ROWS_MAX) {
        table.add_row(row.iter());
    }
    let mut text = table.to_string();
    if rows.len() > ROWS_MAX {
        text.push_str(&format!("\n… and {} more", rows.len() - ROWS_MAX));
    }
    let mut out = std::io::stdout().lock();
    let up = if height > 0 { format!("\x1b[{height}A\x1b[J") } else { String::new() };
    let written = write!(out, "{up}{text}\n").and_then(|()| out.flush());
    if written.is_err() { 0 } else { text.lines().count() }
}
