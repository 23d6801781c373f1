//! What a durable redemption is measured against: the same HTTP server, the same schema with every UNIQUE, the same rows, one
//! synced commit a batch, and nothing else: no campaigns, no terms, no decision beyond "is it still there".
//!
//! `reference-writer FOLDER VOUCHERS KEY` prints its port, then redeems the codes `REF0000000`… on `POST /v1/redemptions`.

use anyhow::{Context, Result};
use axum::{
    Router,
    body::Bytes,
    extract::State,
    http::{HeaderMap, StatusCode},
    response::{IntoResponse, Response},
    routing::post,
};
use serde::Deserialize;
use serde_json::{Value, json};
use sqlx::{
    Connection, Row, SqliteConnection,
    sqlite::{SqliteConnectOptions, SqliteJournalMode, SqliteSynchronous},
};
use std::collections::HashMap;
use tokio::sync::{mpsc, oneshot};

/// As in the product, so that both write the same pages.
const SCHEMA: &str = concat!(
    include_str!("../../../../controller/store/migrations/sqlite/0001_first.sql"),
    include_str!("../../../../controller/store/migrations/sqlite/0002_reports.sql"),
    include_str!("../../../../controller/store/migrations/sqlite/0003_code_pool.sql"),
    include_str!("../../../../controller/store/migrations/sqlite/0004_uses.sql"),
);
const NOW: &str = "2026-11-23T09:11:45.515176+07:00";
const DAY_COUNT: &str = "day|2026-11-23|bkk-01|redemptions";
const DAY_AMOUNT: &str = "day|2026-11-23|bkk-01|redeemed";
const BATCH_MAX: usize = 512;
const AT: i64 = 1_794_355_200_000_000;

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Redeem {
    code: String,
    store_id: String,
    order: Order,
}

#[derive(Deserialize)]
struct Order {
    id: String,
}

struct Job {
    key: String,
    digest: String,
    body: Redeem,
    reply: oneshot::Sender<Reply>,
}

struct Reply {
    status: u16,
    replayed: bool,
    body: Vec<u8>,
}

#[derive(Clone)]
struct App {
    credential: String,
    jobs: mpsc::Sender<Job>,
}

async fn redeem(State(app): State<App>, headers: HeaderMap, bytes: Bytes) -> Response {
    let header = |name: &str| headers.get(name).and_then(|value| value.to_str().ok());
    let digest = |text: &[u8]| blake3::hash(text).to_hex().to_string();
    let known = header("authorization").is_some_and(|bearer| digest(bearer.as_bytes()) == app.credential);
    let (true, Some(key)) = (known, header("idempotency-key")) else {
        return StatusCode::UNAUTHORIZED.into_response();
    };
    let Ok(body) = serde_json::from_slice::<Redeem>(&bytes) else { return StatusCode::BAD_REQUEST.into_response() };
    let (reply, answer) = oneshot::channel();
    let job = Job { key: key.to_owned(), digest: digest(&bytes), body, reply };
    if app.jobs.send(job).await.is_err() {
        return StatusCode::SERVICE_UNAVAILABLE.into_response();
    }
    let Ok(reply) = answer.await else { return StatusCode::SERVICE_UNAVAILABLE.into_response() };
    let status = StatusCode::from_u16(reply.status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    let replayed = if reply.replayed { "true" } else { "false" };
    let headers = [("content-type", "application/json"), ("idempotency-replayed", replayed)];
    (status, headers, reply.body).into_response()
}

/// Drains the queue into one transaction after another; never waits for a timer.
async fn write(mut db: SqliteConnection, mut queue: mpsc::Receiver<Job>) -> Result<()> {
    let (mut lane, mut chain) = (0_i64, [0_u8; 32]);
    let mut jobs = Vec::with_capacity(BATCH_MAX);
    while queue.recv_many(&mut jobs, BATCH_MAX).await > 0 {
        sqlx::query("BEGIN IMMEDIATE").execute(&mut db).await?;
        let mut replies = decide(&mut db, &jobs, &mut lane, &mut chain).await?;
        sqlx::query("COMMIT").execute(&mut db).await?;
        for (job, reply) in jobs.drain(..).zip(replies.drain(..)) {
            // Whoever no longer waits has gone away.
            let _ = job.reply.send(reply);
        }
    }
    Ok(())
}

#[derive(Clone)]
struct Grant {
    row: i64,
    id: String,
    state: String,
    reserved: i64,
    history: String,
}

async fn stored(db: &mut SqliteConnection, jobs: &[Job]) -> Result<HashMap<String, (String, u16, Vec<u8>)>> {
    let keys = json!(jobs.iter().map(|job| &job.key).collect::<Vec<_>>()).to_string();
    let sql = "SELECT i.key, i.digest, i.status, i.body FROM json_each(?1) k CROSS JOIN idempotency i ON i.ns = 1 AND i.scope = 'till' AND i.key = k.value";
    let rows = sqlx::query(sql).bind(keys).fetch_all(db).await?;
    Ok(rows.iter().map(|row| (row.get(0), (row.get(1), row.get::<i64, _>(2) as u16, row.get(3)))).collect())
}

async fn vouchers(db: &mut SqliteConnection, jobs: &[Job]) -> Result<HashMap<String, Grant>> {
    let codes = json!(jobs.iter().map(|job| &job.body.code).collect::<Vec<_>>()).to_string();
    let sql = "SELECT g.code, g.row, g.id, g.state, g.reserved, g.history FROM json_each(?1) k CROSS JOIN grants g ON g.ns = 1 AND g.code = k.value";
    let rows = sqlx::query(sql).bind(codes).fetch_all(db).await?;
    let grant = |row: &sqlx::sqlite::SqliteRow| Grant {
        row: row.get(1),
        id: row.get(2),
        state: row.get(3),
        reserved: row.get(4),
        history: row.get(5),
    };
    Ok(rows.iter().map(|row| (row.get(0), grant(row))).collect())
}

async fn decide(db: &mut SqliteConnection, jobs: &[Job], lane: &mut i64, chain: &mut [u8; 32]) -> Result<Vec<Reply>> {
    let mut stored = stored(db, jobs).await?;
    let mut grants = vouchers(db, jobs).await?;
    let (mut keys, mut redemptions, mut changed, mut ledger, mut entries) = (vec![], vec![], vec![], vec![], vec![]);
    let (mut replies, mut spent) = (Vec::with_capacity(jobs.len()), 0);
    for job in jobs {
        if let Some((digest, status, body)) = stored.get(&job.key) {
            let (status, body) = if *digest == job.digest { (*status, body.clone()) } else { (422, Vec::new()) };
            replies.push(Reply { status, replayed: true, body });
            continue;
        }
        let (status, body) = match grants.get_mut(&job.body.code) {
            Some(grant) if grant.state == "Claimed" => {
                *lane += 1;
                let id = format!("r-1-01JE{lane:018}");
                let step = json!({"at": NOW, "state": "Redeemed", "store": job.body.store_id, "order": job.body.order.id, "amount": grant.reserved});
                grant.state = "Redeemed".into();
                grant.history = format!("{},{step}]", grant.history.trim_end_matches(']'));
                changed.push(json!([grant.row, grant.history]));
                redemptions.push(json!([id, grant.id, job.body.order.id, job.body.store_id, grant.reserved]));
                let lines = [
                    ("budget/bench/reserved", -grant.reserved),
                    ("budget/bench/actual", grant.reserved),
                    ("cost/bench/booked", -grant.reserved),
                    ("cost/bench/rewards", grant.reserved),
                ];
                let mut hasher = blake3::Hasher::new();
                hasher.update(chain).update(id.as_bytes());
                for (line, (account, amount)) in lines.iter().enumerate() {
                    hasher.update(account.as_bytes()).update(&amount.to_be_bytes());
                    entries.push(json!([lane, line, account, amount]));
                }
                *chain = hasher.finalize().into();
                ledger.push(json!([lane, id, blake3::Hash::from(*chain).to_hex().as_str()]));
                spent += grant.reserved;
                (
                    201,
                    json!({"id": id, "state": "Committed", "grant": grant.id, "currency": "THB", "amount": "50.00", "remaining": "0.00",
                        "usesLeft": 0, "orderId": job.body.order.id, "storeId": job.body.store_id, "terminalId": "01M832RPQJ000TVAD9G5NW1JP3",
                        "createdAt": NOW, "reversals": []}),
                )
            }
            Some(_) => (409, problem("already-redeemed")),
            None => (404, problem("code-unknown")),
        };
        let body = serde_json::to_vec(&body)?;
        keys.push(json!([job.key, job.digest, status, String::from_utf8_lossy(&body)]));
        stored.insert(job.key.clone(), (job.digest.clone(), status, body.clone()));
        replies.push(Reply { status, replayed: false, body });
    }
    let used = redemptions.len() as i64;
    // Each takes the rows and the time, whether it needs the time or not.
    let bulk: [(&str, Vec<Value>); 5] = [
        (
            "INSERT INTO idempotency (ns, scope, key, digest, status, at, body) SELECT 1, 'till', value->>0, value->>1, value->>2, ?2, CAST(value->>3 AS BLOB) FROM json_each(?1)",
            keys,
        ),
        (
            "INSERT INTO redemptions (ns, id, grant_id, order_id, store, terminal, state, live, amount, expires_at, created_at, reversals, place) SELECT 1, value->>0, value->>1, value->>2, value->>3, 't-1', 'Committed', 1, value->>4, NULL, ?2, '[]', 1 FROM json_each(?1)",
            redemptions,
        ),
        (
            "UPDATE grants SET state = 'Redeemed', uses_left = 0, reserved = 0, history = c.value->>1 FROM (SELECT t.row AS at, c.value FROM json_each(?1) c CROSS JOIN grants t ON t.row = c.value->>0 LIMIT -1) c WHERE grants.row = c.at AND ?2 > 0",
            changed,
        ),
        (
            "INSERT INTO ledger (ns, seq, at, rule, reference, chain) SELECT 1, value->>0, ?2, 'redeemed', value->>1, unhex(value->>2) FROM json_each(?1)",
            ledger,
        ),
        (
            "INSERT INTO entries (ns, seq, line, account, unit, amount) SELECT 1, value->>0, value->>1, value->>2, 'THB', value->>3 FROM json_each(?1) WHERE ?2 > 0",
            entries,
        ),
    ];
    for (sql, rows) in bulk {
        if !rows.is_empty() {
            sqlx::query(sql).bind(Value::Array(rows).to_string()).bind(AT).execute(&mut *db).await?;
        }
    }
    if used > 0 {
        let balances = json!([
            ["budget/bench/reserved", -spent],
            ["budget/bench/actual", spent],
            ["cost/bench/booked", -spent],
            ["cost/bench/rewards", spent]
        ])
        .to_string();
        sqlx::query("INSERT INTO balances (ns, account, unit, amount) SELECT 1, value->>0, 'THB', value->>1 FROM json_each(?1) WHERE true ON CONFLICT DO UPDATE SET amount = amount + excluded.amount")
            .bind(balances).execute(&mut *db).await?;
        let counters = json!([
            ["metric|bench|redeemed", used],
            ["reward|voucher|redeemed", used],
            ["reward|voucher|cost", spent],
            [DAY_COUNT, used],
            [DAY_AMOUNT, spent]
        ]);
        sqlx::query("INSERT INTO counters (ns, key, value) SELECT 1, value->>0, value->>1 FROM json_each(?1) WHERE true ON CONFLICT DO UPDATE SET value = value + excluded.value")
            .bind(counters.to_string()).execute(&mut *db).await?;
    }
    sqlx::query("UPDATE lane SET seq = ?1, chain = ?2 WHERE ns = 1")
        .bind(*lane)
        .bind(&chain[..])
        .execute(&mut *db)
        .await?;
    Ok(replies)
}

fn problem(code: &str) -> Value {
    json!({"type": format!("https://fanfare.dev/problems/{code}"), "title": code, "status": 409, "code": code,
        "detail": "the voucher was used before; it works once"})
}

async fn open(folder: &str, count: i64) -> Result<SqliteConnection> {
    let options = SqliteConnectOptions::new()
        .filename(format!("{folder}/reference.db"))
        .create_if_missing(true)
        .foreign_keys(true)
        .journal_mode(SqliteJournalMode::Wal)
        .synchronous(SqliteSynchronous::Full)
        .pragma("cache_size", "-32768")
        .pragma("wal_autocheckpoint", "4000");
    let mut db = SqliteConnection::connect_with(&options).await?;
    sqlx::raw_sql(SCHEMA).execute(&mut db).await?;
    let zero = "zeroblob(32)";
    sqlx::raw_sql(sqlx::AssertSqlSafe(format!(
        "INSERT INTO lane VALUES (1, 'bench', 0, {zero}, {zero}); INSERT INTO terms VALUES (1, 1, 'd', '{{}}')"
    )))
    .execute(&mut db)
    .await?;
    let fill = "WITH RECURSIVE n (i) AS (SELECT 0 UNION ALL SELECT i + 1 FROM n WHERE i + 1 < ?1)
        INSERT INTO grants (ns, id, member, reward, terms, campaign, mechanic, cause, code, state, issued_at, claimed_at, valid_from, uses_left, reserved, history)
        SELECT 1, printf('g-1-01JD%018d', i), printf('m%d', i % 200), 'voucher', 1, 'bench', 'gift', printf('event:bench/e-%d', i),
            printf('REF%07d', i), 'Claimed', ?2, ?2, ?2, 1, 5000, '[{\"at\":1794355200000000,\"state\":\"Claimed\"}]' FROM n";
    sqlx::query(fill).bind(count).bind(AT).execute(&mut db).await?;
    Ok(db)
}

#[tokio::main]
async fn main() -> Result<()> {
    let args: Vec<String> = std::env::args().skip(1).collect();
    let [folder, count, key] = args.as_slice() else { anyhow::bail!("reference-writer FOLDER VOUCHERS KEY") };
    let db = open(folder, count.parse().context("VOUCHERS")?).await?;
    let (jobs, queue) = mpsc::channel(4 * BATCH_MAX);
    tokio::spawn(async move {
        if let Err(error) = write(db, queue).await {
            eprintln!("the reference writer failed: {error:#}");
            std::process::exit(1);
        }
    });
    let credential = blake3::hash(format!("Bearer {key}").as_bytes()).to_hex().to_string();
    let app = Router::new().route("/v1/redemptions", post(redeem)).with_state(App { credential, jobs });
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await?;
    println!("{}", listener.local_addr()?.port());
    axum::serve(listener, app).await?;
    Ok(())
}
