//! The live table of campaigns that `fanfare up` shows: redrawn on a terminal, a line a change elsewhere.

use crate::telemetry;
use comfy_table::{Table, presets::NOTHING};
use fanfare_core::{ids::Name, metrics, model::Kind, schedule::phase};
use fanfare_engine::Engine;
use kube::{Api, Client, api::ListParams, core::DynamicObject};
use serde_json::Value;
use std::{
    collections::BTreeMap,
    io::{IsTerminal, Write},
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

/// How often the table is looked at.
const EVERY: Duration = Duration::from_secs(1);
/// The most campaigns that are shown.
const ROWS_MAX: usize = 20;

const HEADER: [&str; 10] =
    ["NAME", "OBJECTIVE", "PHASE", "START", "PARTICIPANTS", "CONVERSION", "REVENUE", "SPENT", "BUDGET", "READY"];

/// The terminal that the table shares with what is said about the folder.
#[derive(Clone, Debug, Default)]
pub struct Screen {
    disturbed: Arc<AtomicBool>,
}

impl Screen {
    /// Prints something that must stay: the next table is drawn below it, not over it.
    pub fn say(&self, print: impl FnOnce()) {
        self.disturbed.store(true, Ordering::Release);
        print();
        self.disturbed.store(true, Ordering::Release);
    }

    /// How many lines may be drawn over, of a table with `height` lines.
    fn height(&self, height: usize) -> usize {
        if self.disturbed.swap(false, Ordering::AcqRel) { 0 } else { height }
    }
}

/// Shows the campaigns of a namespace until it is dropped: figures from the engine as they are now, readiness from the
/// resources.
pub async fn show(client: Client, engine: Engine, screen: Screen) {
    let resource = fanfare_reconcile::api_resource(Kind::Campaign);
    let api: Api<DynamicObject> = Api::namespaced_with(client, engine.namespace().as_str(), &resource);
    let terminal = std::io::stdout().is_terminal();
    let mut shown: BTreeMap<String, [String; 10]> = BTreeMap::new();
    let mut height = 0;
    loop {
        if let Ok(list) = api.list(&ListParams::default()).await {
            let mut rows = BTreeMap::new();
            for object in list.items.iter().take(ROWS_MAX) {
                let row = row(object, &engine).await;
                rows.insert(row[0].clone(), row);
            }
            if rows != shown {
                if terminal {
                    height = redraw(&rows, list.items.len(), screen.height(height));
                } else {
                    for row in rows.values().filter(|row| shown.get(&row[0]) != Some(row)) {
                        telemetry::say(&line(row));
                    }
                }
                shown = rows;
            }
        }
        tokio::time::sleep(EVERY).await;
    }
}

async fn row(object: &DynamicObject, engine: &Engine) -> [String; 10] {
    let text = |path: &str| object.data.pointer(path).and_then(Value::as_str).unwrap_or("-").to_owned();
    let conditions = object.data.pointer("/status/conditions").and_then(Value::as_array);
    let ready = conditions.and_then(|all| all.iter().find(|c| c["type"] == "Ready"));
    let name = object.metadata.name.clone().unwrap_or_default();
    let mut row: [String; 10] = std::array::from_fn(|_| "-".to_owned());
    row[1] = text("/spec/objective");
    row[8] = text("/spec/budget/limit");
    row[9] = ready.and_then(|c| c["status"].as_str()).unwrap_or("-").into();
    let plans = engine.plans();
    let id = Name::from(name.as_str());
    row[0] = name;
    if let Some(campaign) = plans.campaigns.get(&id) {
        let (schedule, now) = (&campaign.plan.schedule, engine.clock().now());
        row[2] = phase(schedule, campaign.plan.suspended, campaign.settled, now).as_str().into();
        row[3] = schedule.start_at.with_timezone(&schedule.zone).format("%Y-%m-%dT%H:%M%:z").to_string();
        row[3].truncate(row[3].len() - if row[3].ends_with(":00") { 3 } else { 0 });
    }
    if let (Some(runtime), Ok(Some((figures, _)))) = (&plans.runtime, engine.campaign_status(&id).await) {
        row[4] = figures.participants.to_string();
        row[5] = metrics::rate(figures.conversions, figures.participants).unwrap_or_else(|| "-".into());
        row[6] = runtime.currency.format(figures.revenue);
        row[7] = figures.budget.map_or_else(|| "-".into(), |budget| runtime.currency.format(budget.spent()));
    }
    row
}

fn line(row: &[String; 10]) -> String {
    let pairs = HEADER.iter().zip(row).map(|(name, value)| format!("{}={value}", name.to_lowercase()));
    format!("campaign {}", pairs.collect::<Vec<_>>().join(" "))
}

/// Draws the table over the former one; answers how many lines it has.
fn redraw(rows: &BTreeMap<String, [String; 10]>, all: usize, height: usize) -> usize {
    let mut table = Table::new();
    table.load_style(NOTHING).set_header(HEADER);
    for row in rows.values() {
        table.add_row(row.iter());
    }
    let mut text = table.to_string();
    if all > rows.len() {
        text.push_str(&format!("\n… and {} more", all - rows.len()));
    }
    let mut out = std::io::stdout().lock();
    let up = if height > 0 { format!("\x1b[{height}A\x1b[J") } else { String::new() };
    let written = writeln!(out, "{up}{text}").and_then(|()| out.flush());
    if written.is_err() { 0 } else { text.lines().count() }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_said_below_the_table_is_not_drawn_over() {
        let screen = Screen::default();
        assert_eq!(screen.height(3), 3);
        screen.say(|| {});
        assert_eq!([screen.height(3), screen.height(3)], [0, 3]);
    }
}
