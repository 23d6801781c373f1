//! G4: CloudEvents, one a request and in batches of 1,000, audiences updated and ids unique, against the reference writer of
//! the same rows.

use crate::{
    figures::{Mix, REPETITIONS, Ratio, fdatasync_p50_ms, median},
    generator,
    product::{Anchor, Product, folder},
    repositories,
};
use anyhow::{Result, ensure};
use serde_json::{Value, json};
use std::fs;

const MEMBERS: u64 = 10_000;
/// Of 100 events, so many repeat an earlier one, and so many use its id for other data.
const REPLAYS: u64 = 2;
const REFUSALS: u64 = 3;

/// How events are sent.
struct Way {
    name: &'static str,
    media: &'static str,
    goal: f64,
    connections: usize,
    requests: usize,
    /// Events of a request; `None`: one, not in an array.
    batch: Option<usize>,
}

const WAYS: [Way; 2] = [
    Way {
        name: "G4 ingest, single",
        media: "application/cloudevents+json",
        goal: 0.6,
        connections: 64,
        requests: 150,
        batch: None,
    },
    Way {
        name: "G4 ingest, batches of 1,000",
        media: "application/cloudevents-batch+json",
        goal: 0.8,
        connections: 8,
        requests: 8,
        batch: Some(1_000),
    },
];

/// Each connection's requests, and how many of its events are new.
fn requests(way: &Way, bearer: &str, now: &str, round: usize, mix: &mut Mix) -> (Vec<Vec<Vec<u8>>>, usize) {
    let mut new = 0;
    let mut connection = |number: usize| {
        let mut sent: Vec<(String, u64, u64)> = Vec::new();
        let mut event = |sent: &mut Vec<(String, u64, u64)>| {
            let roll = mix.next() % 100;
            let earlier = (mix.next() as usize).checked_rem(sent.len()).map(|index| sent[index].clone());
            let (id, member, basket) = match earlier {
                Some(again) if roll < REPLAYS => again,
                Some((id, member, basket)) if roll < REPLAYS + REFUSALS => (id, member, basket + 1),
                _ => {
                    new += 1;
                    let id = format!("{round}-{number}-{:016x}", mix.next());
                    sent.push((id, mix.next() % MEMBERS, mix.next() % 1_000));
                    sent[sent.len() - 1].clone()
                }
            };
            json!({"specversion": "1.0", "type": "store.visited", "source": "load", "id": id, "time": now,
                "subject": format!("m{member}"), "data": {"storeId": "bkk-01", "channel": "pos", "minutes": basket}})
        };
        let bodies = (0..way.requests).map(|_| match way.batch {
            None => event(&mut sent),
            Some(size) => Value::Array((0..size).map(|_| event(&mut sent)).collect()),
        });
        bodies.map(|body| generator::post_as("/v1/events", bearer, way.media, &body.to_string())).collect()
    };
    let all = (0..way.connections).map(&mut connection).collect();
    (all, new)
}

pub(crate) async fn measure(seed: u64) -> Result<()> {
    let (repository, data, other) = (folder("ingest")?, folder("ingest-data")?, folder("ingest-reference")?);
    repositories::visits(&repository)?;
    let product = Product::start(&repository, &data).await?;
    let key = product.credentials.integration_key.clone();
    let members: Vec<String> = (0..MEMBERS).map(|number| json!({"id": format!("m{number}")}).to_string()).collect();
    import(&product, members.join("\n")).await?;
    let anchor = Anchor::start("reference-events", &[&other.display().to_string(), &key]).await?;
    let now = product.now().await?;
    let mut written = 0;
    for way in &WAYS {
        let (mut ours, mut theirs, mut syncs) = (Vec::new(), Vec::new(), Vec::new());
        for round in 0..=REPETITIONS {
            let mut mix = Mix(seed ^ ((round as u64) << 32) ^ way.connections as u64);
            let (sent, new) = requests(way, &key, &now, round, &mut mix);
            let events = (way.connections * way.requests * way.batch.unwrap_or(1)) as f64;
            let mut rates = Vec::new();
            for port in [product.port()?, anchor.port] {
                let seen = generator::each_once(port, sent.clone()).await?;
                ensure!(seen.count(200) == seen.latencies.len(), "an answer was not 200: {:?}", seen.statuses);
                rates.push(events / seen.elapsed.as_secs_f64());
            }
            written += new;
            syncs.push(fdatasync_p50_ms(&other)?);
            if round > 0 {
                ours.push(rates[0]);
                theirs.push(rates[1]);
            }
        }
        println!(
            "G4: {} connections, {REPLAYS} % replays, {REFUSALS} % refusals, fdatasync p50 {:.2} ms",
            way.connections,
            median(&syncs)
        );
        Ratio { name: way.name, unit: "events/s", goal: way.goal, ours, anchor: theirs }.print();
    }
    // Acknowledged is what is there, or the run is void: what a segment counts over is each member's events.
    let preview = json!({"match": {"all": [{"behavior": {"event": "store.visited", "countAtLeast": 1}}]}});
    let size = product.call(reqwest::Method::POST, "/v1/segments/preview", &key, Some(&preview)).await?["size"].clone();
    ensure!(size.as_u64().is_some_and(|size| size > 0 && size <= MEMBERS), "the audience counts {size}");
    let told = product.http.get(format!("http://127.0.0.1:{}/rows", anchor.port)).send().await?;
    let rows: usize = told.text().await?.parse()?;
    ensure!(rows == written, "the reference has {rows} rows instead of {written}");
    drop(anchor);
    product.finish().await?;
    let kept = fanfare_rows(&data).await?;
    ensure!(kept == written, "{kept} events are kept instead of {written}");
    for path in [&repository, &data, &other] {
        fs::remove_dir_all(path)?;
    }
    Ok(())
}

async fn import(product: &Product, lines: String) -> Result<()> {
    let base = product.credentials.api_url.trim_end_matches('/');
    let request =
        product.http.post(format!("{base}/v1/members/import")).bearer_auth(&product.credentials.integration_key);
    let answer = request.header("content-type", "application/x-ndjson").body(lines).send().await?.error_for_status()?;
    let answer: Value = answer.json().await?;
    ensure!(answer["accepted"] == MEMBERS, "members were not taken: {answer}");
    Ok(())
}

/// The events in the product's database, read once it has ended.
async fn fanfare_rows(data: &std::path::Path) -> Result<usize> {
    use sqlx::{ConnectOptions, Row, sqlite::SqliteConnectOptions};
    let mut db = SqliteConnectOptions::new().filename(data.join("fanfare.db")).connect().await?;
    let row = sqlx::query("SELECT count(*) FROM events").fetch_one(&mut db).await?;
    Ok(usize::try_from(row.get::<i64, _>(0))?)
}
