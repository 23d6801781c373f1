//! What ingest is measured against: the same HTTP server, the same table with its UNIQUE, the same rows, one synced commit a
//! batch, each member's visits counted in memory, and nothing else: no campaigns, no segments, no automations.
//!
//! `reference-events FOLDER KEY` prints its port, then takes CloudEvents on `POST /v1/events` and tells its `/rows`.

use anyhow::{Context, Result};
use axum::{
    Router,
    body::Bytes,
    extract::{DefaultBodyLimit, State},
    http::{HeaderMap, StatusCode},
    response::{IntoResponse, Response},
    routing::{get, post},
};
use serde::Deserialize;
use serde_json::{Value, json};
use sqlx::{
    Connection, Row, SqliteConnection,
    sqlite::{SqliteConnectOptions, SqliteJournalMode, SqliteSynchronous},
};
use std::{
    collections::HashMap,
    sync::{
        Arc,
        atomic::{AtomicI64, Ordering},
    },
};
use tokio::sync::{mpsc, oneshot};

/// As in the product, so that both write the same pages.
const SCHEMA: &str = concat!(
    include_str!("../../../../controller/store/migrations/sqlite/0001_first.sql"),
    include_str!("../../../../controller/store/migrations/sqlite/0002_reports.sql"),
    include_str!("../../../../controller/store/migrations/sqlite/0003_code_pool.sql"),
    include_str!("../../../../controller/store/migrations/sqlite/0004_uses.sql"),
);
const BATCH_MAX: usize = 512;
const AT: i64 = 1_794_355_200_000_000;

#[derive(Deserialize)]
struct Event {
    #[serde(rename = "type")]
    kind: String,
    source: String,
    id: String,
    time: String,
    subject: String,
    data: Value,
}

struct Job {
    event: Event,
    digest: String,
    reply: oneshot::Sender<Value>,
}

#[derive(Clone)]
struct App {
    credential: String,
    jobs: mpsc::Sender<Job>,
    rows: Arc<AtomicI64>,
}

async fn events(State(app): State<App>, headers: HeaderMap, bytes: Bytes) -> Response {
    let header = |name: &str| headers.get(name).and_then(|value| value.to_str().ok());
    let digest = |text: &[u8]| blake3::hash(text).to_hex().to_string();
    if header("authorization").is_none_or(|bearer| digest(bearer.as_bytes()) != app.credential) {
        return StatusCode::UNAUTHORIZED.into_response();
    }
    let parsed = match header("content-type") {
        Some("application/cloudevents-batch+json") => serde_json::from_slice::<Vec<Event>>(&bytes),
        _ => serde_json::from_slice::<Event>(&bytes).map(|event| vec![event]),
    };
    let Ok(events) = parsed else { return StatusCode::BAD_REQUEST.into_response() };
    let mut waiting = Vec::with_capacity(events.len());
    for event in events {
        let digest = digest(format!("{}\0{}\0{}\0{}", event.kind, event.subject, event.time, event.data).as_bytes());
        let (reply, answer) = oneshot::channel();
        if app.jobs.send(Job { event, digest, reply }).await.is_err() {
            return StatusCode::SERVICE_UNAVAILABLE.into_response();
        }
        waiting.push(answer);
    }
    let mut results = Vec::with_capacity(waiting.len());
    for answer in waiting {
        let Ok(result) = answer.await else { return StatusCode::SERVICE_UNAVAILABLE.into_response() };
        results.push(result);
    }
    ([("content-type", "application/json")], json!({"results": results}).to_string()).into_response()
}

/// Drains the queue into one transaction after another; never waits for a timer.
async fn write(mut db: SqliteConnection, mut queue: mpsc::Receiver<Job>, rows: Arc<AtomicI64>) -> Result<()> {
    let mut audience: HashMap<String, Vec<i64>> = HashMap::new();
    let mut jobs = Vec::with_capacity(BATCH_MAX);
    while queue.recv_many(&mut jobs, BATCH_MAX).await > 0 {
        sqlx::query("BEGIN IMMEDIATE").execute(&mut db).await?;
        let replies = decide(&mut db, &jobs, &mut audience, &rows).await?;
        sqlx::query("COMMIT").execute(&mut db).await?;
        for (job, reply) in jobs.drain(..).zip(replies) {
            // Whoever no longer waits has gone away.
            let _ = job.reply.send(reply);
        }
    }
    Ok(())
}

async fn decide(
    db: &mut SqliteConnection,
    jobs: &[Job],
    audience: &mut HashMap<String, Vec<i64>>,
    rows: &AtomicI64,
) -> Result<Vec<Value>> {
    let ids = json!(jobs.iter().map(|job| &job.event.id).collect::<Vec<_>>()).to_string();
    let sql = "SELECT e.id, e.digest FROM json_each(?1) k CROSS JOIN events e ON e.ns = 1 AND e.source = 'load' AND e.id = k.value";
    let found = sqlx::query(sql).bind(ids).fetch_all(&mut *db).await?;
    let mut known: HashMap<String, String> = found.iter().map(|row| (row.get(0), row.get(1))).collect();
    let (mut new, mut replies) = (Vec::new(), Vec::with_capacity(jobs.len()));
    for Job { event, digest, reply: _ } in jobs {
        let status = match known.get(&event.id) {
            Some(former) if former == digest => "Duplicate",
            Some(_) => "Rejected",
            None => {
                known.insert(event.id.clone(), digest.clone());
                audience.entry(event.subject.clone()).or_default().push(AT);
                let Event { kind, source, id, subject, data, .. } = event;
                new.push(json!([source, id, kind, subject, digest, data.to_string()]));
                "Accepted"
            }
        };
        replies.push(json!({"id": event.id, "status": status, "decisions": []}));
    }
    let count = i64::try_from(new.len())?;
    if count > 0 {
        let sql = "INSERT INTO events (ns, source, id, type, member, time, digest, data, decisions)
            SELECT 1, value->>0, value->>1, value->>2, value->>3, ?2, value->>4, value->>5, '[]' FROM json_each(?1)";
        sqlx::query(sql).bind(Value::Array(new).to_string()).bind(AT).execute(&mut *db).await?;
        sqlx::query("UPDATE lane SET seq = seq + 1 WHERE ns = 1").execute(&mut *db).await?;
        rows.fetch_add(count, Ordering::Relaxed);
    }
    Ok(replies)
}

async fn open(folder: &str) -> Result<SqliteConnection> {
    let options = SqliteConnectOptions::new()
        .filename(format!("{folder}/reference.db"))
        .create_if_missing(true)
        .journal_mode(SqliteJournalMode::Wal)
        .synchronous(SqliteSynchronous::Full)
        .pragma("cache_size", "-32768")
        .pragma("wal_autocheckpoint", "4000");
    let mut db = SqliteConnection::connect_with(&options).await?;
    sqlx::raw_sql(SCHEMA).execute(&mut db).await?;
    sqlx::raw_sql("INSERT INTO lane VALUES (1, 'bench', 0, zeroblob(32), zeroblob(32))").execute(&mut db).await?;
    Ok(db)
}

#[tokio::main]
async fn main() -> Result<()> {
    let args: Vec<String> = std::env::args().skip(1).collect();
    let [folder, key] = args.as_slice() else { anyhow::bail!("reference-events FOLDER KEY") };
    let db = open(folder).await.context("cannot open the reference's database")?;
    let (jobs, queue) = mpsc::channel(8 * BATCH_MAX);
    let rows = Arc::new(AtomicI64::new(0));
    let counted = Arc::clone(&rows);
    tokio::spawn(async move {
        if let Err(error) = write(db, queue, counted).await {
            eprintln!("the reference writer failed: {error:#}");
            std::process::exit(1);
        }
    });
    let credential = blake3::hash(format!("Bearer {key}").as_bytes()).to_hex().to_string();
    let tell = |State(app): State<App>| async move { app.rows.load(Ordering::Relaxed).to_string() };
    let app = Router::new()
        .route("/v1/events", post(events).layer(DefaultBodyLimit::max(4 << 20)))
        .route("/rows", get(tell))
        .with_state(App { credential, jobs, rows });
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await?;
    println!("{}", listener.local_addr()?.port());
    axum::serve(listener, app).await?;
    Ok(())
}
