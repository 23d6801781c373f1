//! G5, G6: previews of five questions over a year of a shop's events, against the same questions written by hand; AND, OR and
//! NOT of stored Segments. Whole answers over HTTP: parsing, admission, planning, reach, histogram and sample are in them.

use crate::{
    figures::{REPETITIONS, median},
    people::{CITIES, DAYS, KINDS, TAGS, TIERS, person},
    product::{Product, folder},
};
use anyhow::{Context, Result, ensure};
use reqwest::Method;
use serde_json::{Value, json};
use std::{fs, path::Path, process::Command, time::Instant};

/// Members, unless `FANFARE_LOAD_MEMBERS` says otherwise.
const MEMBERS: u32 = 100_000;
/// Members or events of one request.
const PAGE: usize = 1_000;
/// How often each question is asked in one repetition.
const ASKED: usize = 5;

fn questions() -> Vec<(&'static str, Value)> {
    let behavior = |test: Value| json!({ "behavior": test });
    let [bought, visited, .., seen, _] = KINDS;
    vec![
        (
            "Q1",
            json!({"all": [
                {"attribute": {"name": "tier", "in": [TIERS[2], TIERS[3]]}},
                {"not": {"list": {"name": "excluded"}}},
                behavior(json!({"event": bought, "sum": "amount", "atLeast": "2000.01", "within": "30d"})),
                behavior(json!({"event": visited, "countAtLeast": 3, "within": "90d"})),
                behavior(json!({"event": bought, "countAtMost": 0, "within": "7d"})),
            ]}),
        ),
        (
            "Q2",
            json!({"all": [
                behavior(json!({"event": bought, "countAtLeast": 3, "before": "90d"})),
                behavior(json!({"event": bought, "countAtMost": 0, "within": "60d"})),
                behavior(json!({"event": bought, "sum": "amount", "atLeast": "5000.01"})),
            ]}),
        ),
        ("Q3", behavior(json!({"event": bought, "pick": "First", "countAtLeast": 1, "within": "14d"}))),
        (
            "Q4",
            json!({"all": [
                {"attribute": {"name": "city", "in": ["c0", "c4"]}},
                {"tags": {"any": ["t3", "t17"], "none": ["t5"]}},
                {"attribute": {"name": "birthDate", "anniversary": "ThisMonth"}},
            ]}),
        ),
        ("Q5", json!({"sequence": {"steps": [{"event": seen, "within": "90d"}, {"event": bought, "within": "7d"}]}})),
    ]
}

fn repository(folder: &Path) -> Result<()> {
    let mut text = format!(
        r#"apiVersion: fanfare.dev/v1alpha1
kind: CampaignRuntime
metadata: {{name: bench}}
spec:
  timeZone: Asia/Bangkok
  currency: THB
  locales: {{default: en}}
  attributes:
    tier: {{type: Enum, values: [{}]}}
    city: {{type: String}}
    birthDate: {{type: Date}}
  events: {{acceptPast: {}d}}
  stores: [{{id: bkk-01}}]
  login: {{dev: true}}
"#,
        TIERS.join(", "),
        DAYS + 2
    );
    for (name, question) in questions() {
        let spec = json!({"apiVersion": "fanfare.dev/v1alpha1", "kind": "Segment",
            "metadata": {"name": name.to_lowercase()}, "spec": {"title": name, "match": question}});
        text.push_str(&format!("---\n{spec}\n"));
    }
    Ok(fs::write(folder.join("shop.yaml"), text)?)
}

pub(crate) async fn measure(seed: u64) -> Result<()> {
    let members = match std::env::var("FANFARE_LOAD_MEMBERS") {
        Ok(text) => text.parse().context("FANFARE_LOAD_MEMBERS is no number")?,
        Err(_) => MEMBERS,
    };
    let (repository_folder, data) = (folder("audience")?, folder("audience-data")?);
    repository(&repository_folder)?;
    let product = Product::start(&repository_folder, &data).await?;
    let key = product.credentials.integration_key.clone();
    let now = product.now().await?;
    let month = now.get(5..7).context("no month")?.to_owned();
    let began = Instant::now();
    let events = fill(&product, &key, seed, members, &now).await?;
    println!(
        "G5: {members} members and {events} events were taken in {:.1} s; resident {} MB",
        began.elapsed().as_secs_f64(),
        resident_mb(product.id())
    );
    let anchor = std::env::current_exe()?.with_file_name("reference-audience");
    let cli = fanfare_preview(&repository_folder, &data)?;
    let (mut ours, mut theirs, mut counts) = (vec![Vec::new(); 5], vec![Vec::new(); 5], vec![0; 5]);
    for _ in 0..REPETITIONS {
        let told = Command::new(&anchor).args([seed.to_string(), members.to_string(), month.clone()]).output()?;
        for (number, line) in String::from_utf8(told.stdout)?.lines().enumerate() {
            let mut words = line.split(' ').skip(1);
            counts[number] = words.next().context("no count")?.parse::<u64>()?;
            theirs[number].push(words.next().context("no time")?.parse::<f64>()?);
        }
        for (number, (name, question)) in questions().into_iter().enumerate() {
            let (time, answer) = ask(&product, &key, &question).await?;
            ensure!(answer["size"] == counts[number], "{name}: {} instead of {}", answer["size"], counts[number]);
            ensure!(cli[number]["preview"]["size"] == counts[number], "{name} at the command line: {}", cli[number]);
            ours[number].push(time);
        }
    }
    let nothing = json!({"segment": "q4"});
    let mut floor = Vec::new();
    for _ in 0..REPETITIONS {
        floor.push(ask(&product, &key, &nothing).await?.0);
    }
    let floor = median(&floor);
    println!("G5: of each answer, about {floor:.2} ms are HTTP, admission, reach, histogram and sample");
    let mut product_of_ratios = 1.0;
    for (number, (name, _)) in questions().iter().enumerate() {
        let (ours, theirs) = (median(&ours[number]), median(&theirs[number]));
        product_of_ratios *= (ours / theirs).max(0.01);
        println!(
            "G5 {name}: {} members; ours {ours:.2} ms (without that {:.2}), by hand {theirs:.2} ms, ratio {:.2}",
            counts[number],
            (ours - floor).max(0.0),
            ours / theirs
        );
    }
    println!("G5: geometric mean of ours over by hand: {:.2} (goal 1.5)", product_of_ratios.powf(0.2));
    let stored = json!({"all": [{"any": [{"segment": "q1"}, {"segment": "q2"}]}, {"not": {"segment": "q5"}}]});
    let (time, answer) = ask(&product, &key, &stored).await?;
    println!("G6: AND, OR and NOT of stored Segments: {} members in {:.2} ms", answer["size"], time);
    let began = Instant::now();
    product.finish().await?;
    let again = Product::start(&repository_folder, &data).await?;
    let (_, answer) = ask(&again, &key, &stored).await?;
    println!(
        "G14: everything read anew and the first answer after {:.1} s ({})",
        began.elapsed().as_secs_f64(),
        answer["size"]
    );
    again.finish().await?;
    for path in [&repository_folder, &data] {
        fs::remove_dir_all(path)?;
    }
    Ok(())
}

/// Asks a few times; the median in milliseconds, and the answer.
async fn ask(product: &Product, key: &str, question: &Value) -> Result<(f64, Value)> {
    let body = json!({ "match": question });
    let (mut times, mut answer) = (Vec::new(), Value::Null);
    for _ in 0..ASKED {
        let began = Instant::now();
        answer = product.call(Method::POST, "/v1/segments/preview", key, Some(&body)).await?;
        times.push(began.elapsed().as_secs_f64() * 1e3);
    }
    Ok((median(&times), answer))
}

/// The same questions from the YAML, at the command line.
fn fanfare_preview(repository: &Path, data: &Path) -> Result<Vec<Value>> {
    let mut command = Command::new(crate::product::binary()?);
    let told = command.arg("preview").arg(repository.join("shop.yaml")).args(["--output", "json", "--data"]).arg(data);
    let told = told.output()?;
    ensure!(told.status.success(), "fanfare preview: {}", String::from_utf8_lossy(&told.stderr));
    Ok(serde_json::from_slice(&told.stdout)?)
}

async fn fill(product: &Product, key: &str, seed: u64, members: u32, now: &str) -> Result<usize> {
    let base = product.credentials.api_url.trim_end_matches('/').to_owned();
    let now = chrono::DateTime::parse_from_rfc3339(now)?;
    let (mut lines, mut batch, mut excluded, mut events) = (String::new(), Vec::new(), Vec::new(), 0);
    let import = async |lines: String| -> Result<()> {
        let request = product.http.post(format!("{base}/v1/members/import")).bearer_auth(key);
        let answer = request.header("content-type", "application/x-ndjson").body(lines).send().await?;
        let answer: Value = answer.error_for_status()?.json().await?;
        ensure!(answer["rejected"].as_array().is_some_and(Vec::is_empty), "members were not taken: {answer}");
        Ok(())
    };
    for number in 0..members {
        let person = person(seed, number);
        let (year, month, day) = person.born;
        ensure!(u32::from(person.city) < CITIES);
        let tags: Vec<String> =
            (0..TAGS).filter(|tag| person.tags >> tag & 1 == 1).map(|tag| format!("t{tag}")).collect();
        let line = json!({"id": format!("m{number}"), "tags": tags, "attributes": {
            "tier": TIERS[usize::from(person.tier)], "city": format!("c{}", person.city),
            "birthDate": format!("{year}-{month:02}-{day:02}")}});
        lines.push_str(&format!("{line}\n"));
        if person.excluded {
            excluded.push(format!("m{number}"));
        }
        if (number as usize + 1).is_multiple_of(10 * PAGE) || number + 1 == members {
            import(std::mem::take(&mut lines)).await?;
        }
    }
    product.call(Method::PUT, "/v1/lists/excluded", key, Some(&json!({ "members": excluded }))).await?;
    for number in 0..members {
        for (index, did) in person(seed, number).did.into_iter().enumerate() {
            let at = now - chrono::TimeDelta::seconds(i64::from(did.age));
            let data = match did.kind {
                0 => json!({"amount": format!("{}.{:02}", did.amount / 100, did.amount % 100)}),
                _ => json!({}),
            };
            batch.push(json!({"specversion": "1.0", "type": KINDS[usize::from(did.kind)], "source": "load",
                "id": format!("{number}-{index}"), "subject": format!("m{number}"), "time": at.to_rfc3339(), "data": data}));
            if batch.len() == PAGE {
                events += batch.len();
                send(product, key, std::mem::take(&mut batch)).await?;
            }
        }
    }
    events += batch.len();
    send(product, key, batch).await?;
    Ok(events)
}

async fn send(product: &Product, key: &str, batch: Vec<Value>) -> Result<()> {
    if batch.is_empty() {
        return Ok(());
    }
    let answer = product.call(Method::POST, "/v1/events", key, Some(&Value::Array(batch))).await?;
    let refused = answer["results"].as_array().into_iter().flatten().find(|one| one["status"] != "Accepted");
    ensure!(refused.is_none(), "an event was not taken: {refused:?}");
    Ok(())
}

fn resident_mb(process: u32) -> u64 {
    let status = fs::read_to_string(format!("/proc/{process}/status")).unwrap_or_default();
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"));
    line.and_then(|line| line.trim().split(' ').next()?.parse::<u64>().ok()).unwrap_or(0) / 1024
}
