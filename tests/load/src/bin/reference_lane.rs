//! What a redemption on PostgreSQL is measured against: the same HTTP server, the same schema with every UNIQUE, the same rows
//! and nothing else: no campaigns, no terms, no decision beyond "is it still there".
//!
//! `reference-lane URL KEY lane` locks the lane and writes what has gathered as one transaction, one statement a table;
//! `reference-lane URL KEY interactive` runs a transaction a request, statement by statement, without a lane. Both print
//! their port and serve `POST /v1/redemptions`; several processes may share a database.

use anyhow::{Context, Result};
use axum::{
    Router,
    body::Bytes,
    extract::State,
    http::{HeaderMap, StatusCode},
    response::{IntoResponse, Response},
    routing::post,
};
use futures::FutureExt;
use serde::Deserialize;
use serde_json::{Value, json};
use sqlx::{
    PgConnection, PgPool, Row,
    postgres::{PgConnectOptions, PgPoolOptions},
};
use std::collections::{BTreeMap, HashMap};
use tokio::sync::{mpsc, oneshot};

const BATCH_MAX: usize = 512;
/// Transactions at once of one process, where each request has its own.
const INTERACTIVE_MAX: u32 = 16;
const AT: i64 = 1_794_355_200_000_000;
const NOW: &str = "2026-11-23T09:11:45.515176+07:00";
const REDEEMED: &str = "redemption-committed";

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Redeem {
    code: String,
    store_id: String,
    order: Value,
}

struct Job {
    key: String,
    digest: String,
    body: Redeem,
    reply: oneshot::Sender<Reply>,
}

/// Status, whether it was answered before, body.
type Reply = (u16, bool, Vec<u8>);

#[derive(Clone)]
struct App {
    credential: String,
    jobs: mpsc::Sender<Job>,
    pool: PgPool,
    is_interactive: bool,
}

struct Grant {
    id: String,
    campaign: String,
    state: String,
    reserved: i64,
    history: String,
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
    let reply = match app.is_interactive {
        true => alone(&app.pool, job).await.map_err(|error| eprintln!("{error:#}")).ok(),
        // Where the writer has ended, so has the other end of the answer.
        false => app.jobs.send(job).then(|_| answer).await.ok(),
    };
    let Some((status, replayed, body)) = reply else { return StatusCode::SERVICE_UNAVAILABLE.into_response() };
    let status = StatusCode::from_u16(status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    let replayed = if replayed { "true" } else { "false" };
    (status, [("content-type", "application/json"), ("idempotency-replayed", replayed)], body).into_response()
}

/// What a voucher's redemption comes to: status, body and, where it is used, its redemption's id and its history.
fn decide(grant: Option<&Grant>, job: &Job, number: i64) -> (u16, Vec<u8>, Option<(String, String)>) {
    let problem = |status: u16, code: &str| {
        let kind = format!("https://fanfare.dev/problems/{code}");
        let detail = "the voucher was used before; it works once";
        json!({"type": kind, "title": code, "status": status, "code": code, "detail": detail}).to_string().into_bytes()
    };
    match grant {
        Some(grant) if grant.state == "Claimed" => {
            let id = format!("r-1-01JE{number:018}");
            let step = json!({"at": NOW, "state": "Redeemed", "store": job.body.store_id, "order": job.body.order["id"], "amount": grant.reserved});
            let history = format!("{},{step}]", grant.history.trim_end_matches(']'));
            let body = json!({"id": id, "state": "Committed", "grant": grant.id, "currency": "THB", "amount": "50.00", "remaining": "0.00", "usesLeft": 0, "orderId": job.body.order["id"],
                "storeId": job.body.store_id, "terminalId": "01M832RPQJ000TVAD9G5NW1JP3", "createdAt": NOW, "reversals": []});
            (201, body.to_string().into_bytes(), Some((id, history)))
        }
        Some(_) => (409, problem(409, "already-redeemed"), None),
        None => (404, problem(404, "code-unknown"), None),
    }
}

fn grant(row: &sqlx::postgres::PgRow) -> Grant {
    let [id, campaign, state, history] = ["id", "campaign", "state", "history"].map(|name| row.get(name));
    Grant { id, campaign, state, history, reserved: row.get("reserved") }
}

fn link(chain: &[u8], id: &str, lines: &[(String, i64); 4]) -> [u8; 32] {
    let mut hasher = blake3::Hasher::new();
    hasher.update(chain).update(id.as_bytes());
    for (account, amount) in lines {
        hasher.update(account.as_bytes()).update(&amount.to_be_bytes());
    }
    hasher.finalize().into()
}

fn lines(grant: &Grant) -> [(String, i64); 4] {
    let Grant { campaign, reserved, .. } = grant;
    [
        ("budget", "reserved", -reserved),
        ("budget", "actual", *reserved),
        ("cost", "booked", -reserved),
        ("cost", "rewards", *reserved),
    ]
    .map(|(book, side, amount)| (format!("{book}/{campaign}/{side}"), amount))
}

/// Drains the queue into one transaction after another; never waits for a timer.
async fn write(pool: PgPool, mut queue: mpsc::Receiver<Job>) -> Result<()> {
    let mut jobs = Vec::with_capacity(BATCH_MAX);
    while queue.recv_many(&mut jobs, BATCH_MAX).await > 0 {
        let mut tx = pool.begin().await?;
        let replies = batch(&mut tx, &jobs, true).await?;
        tx.commit().await?;
        for (job, reply) in jobs.drain(..).zip(replies) {
            // Whoever no longer waits has gone away.
            let _ = job.reply.send(reply);
        }
    }
    Ok(())
}

const KEYS: &str = "SELECT t.key, t.digest, t.status, t.body FROM unnest($1::text[]) k (k0) CROSS JOIN LATERAL
    (SELECT * FROM idempotency i WHERE i.ns = 1 AND i.scope = 'till' AND i.key = k0 LIMIT 1) t";
const CODES: &str = "SELECT t.* FROM unnest($1::text[]) k (k0) CROSS JOIN LATERAL
    (SELECT * FROM grants g WHERE g.ns = 1 AND g.code = k0 LIMIT 1) t";
const LOCKED_CODES: &str = "SELECT g.* FROM grants g WHERE g.ns = 1 AND g.code = ANY($1) FOR UPDATE";
const LOCK: &str = "SELECT seq, chain FROM lane WHERE name = 'bench' FOR UPDATE";
const NUMBER: &str = "SELECT nextval('reference_seq'), decode(repeat('00', 32), 'hex')";
const ADD_KEYS: &str = "INSERT INTO idempotency (ns, scope, key, digest, status, at, body)
    SELECT 1, 'till', k, d, s, $1, b FROM unnest($2::text[], $3::text[], $4::bigint[], $5::bytea[]) t (k, d, s, b)";
const ADD_REDEMPTIONS: &str = "INSERT INTO redemptions (ns, id, grant_id, order_id, store, terminal, state, live, amount, expires_at, created_at, reversals, place)
    SELECT 1, i, g, o, s, 't-1', 'Committed', true, a, NULL, $1, '[]', 1 FROM unnest($2::text[], $3::text[], $4::text[], $5::text[], $6::bigint[]) t (i, g, o, s, a)";
const CHANGE_GRANTS: &str = "UPDATE grants g SET state = 'Redeemed', uses_left = 0, reserved = 0, history = k.h
    FROM unnest($1::text[], $2::text[]) k (id, h)
    CROSS JOIN LATERAL (SELECT t.ctid AS at FROM grants t WHERE t.ns = 1 AND t.id = k.id LIMIT 1) t WHERE g.ctid = t.at";
const ADD_LEDGER: &str = "INSERT INTO ledger (ns, seq, at, rule, reference, chain)
    SELECT 1, s, $1, $2, r, c FROM unnest($3::bigint[], $4::text[], $5::bytea[]) t (s, r, c)";
const ADD_ENTRIES: &str = "INSERT INTO entries (ns, seq, line, account, unit, amount)
    SELECT 1, s, l, a, 'THB', m FROM unnest($1::bigint[], $2::bigint[], $3::text[], $4::bigint[]) t (s, l, a, m)";
const MOVE_BALANCES: &str = "INSERT INTO balances (ns, account, unit, amount) SELECT 1, a, 'THB', m FROM unnest($1::text[], $2::bigint[]) t (a, m)
    ON CONFLICT (ns, account, unit) DO UPDATE SET amount = balances.amount + excluded.amount";
const COUNT: &str =
    "INSERT INTO counters (ns, key, value) SELECT 1, k, v FROM unnest($1::text[], $2::bigint[]) t (k, v)
    ON CONFLICT (ns, key) DO UPDATE SET value = counters.value + excluded.value";

async fn batch(db: &mut PgConnection, jobs: &[Job], has_lane: bool) -> Result<Vec<Reply>> {
    let lane = sqlx::query(if has_lane { LOCK } else { NUMBER }).fetch_one(&mut *db).await?;
    let (from, mut chain): (i64, Vec<u8>) = (lane.get(0), lane.get(1));
    let mut seq = from;
    let keys: Vec<&str> = jobs.iter().map(|job| job.key.as_str()).collect();
    let codes: Vec<&str> = jobs.iter().map(|job| job.body.code.as_str()).collect();
    let rows = sqlx::query(KEYS).bind(keys).fetch_all(&mut *db).await?;
    let known = rows.iter().map(|row| (row.get(0), (row.get(1), row.get::<i64, _>(2) as u16, row.get(3))));
    let mut stored: HashMap<String, (String, u16, Vec<u8>)> = known.collect();
    let rows = sqlx::query(if has_lane { CODES } else { LOCKED_CODES }).bind(codes).fetch_all(&mut *db).await?;
    let mut grants: HashMap<String, Grant> = rows.iter().map(|row| (row.get("code"), grant(row))).collect();
    let mut replies = Vec::with_capacity(jobs.len());
    let (mut key, mut digest, mut status, mut body) = (vec![], vec![], vec![], vec![]);
    let (mut ids, mut of, mut order, mut store, mut amount, mut history) =
        (vec![], vec![], vec![], vec![], vec![], vec![]);
    let (mut seqs, mut links) = (vec![], vec![]);
    let (mut entry_seq, mut line, mut account, mut entry) = (vec![], vec![], vec![], vec![]);
    let (mut balances, mut counters) = (BTreeMap::<String, i64>::new(), BTreeMap::<String, i64>::new());
    for job in jobs {
        if let Some((digest, status, body)) = stored.get(&job.key) {
            let (status, body) = if *digest == job.digest { (*status, body.clone()) } else { (422, Vec::new()) };
            replies.push((status, true, body));
            continue;
        }
        let found = grants.get_mut(&job.body.code);
        let (code, bytes, used) = decide(found.as_deref(), job, seq + 1);
        if let (Some((id, steps)), Some(grant)) = (used, found) {
            seq += 1;
            grant.state = "Redeemed".into();
            let lines = lines(grant);
            chain = link(&chain, &id, &lines).to_vec();
            for (number, (name, moved)) in (0_i64..).zip(lines) {
                *balances.entry(name.clone()).or_default() += moved;
                entry_seq.push(seq);
                line.push(number);
                account.push(name);
                entry.push(moved);
            }
            // What all redemptions count together would make them wait for one another: without a lane, each campaign counts.
            let whose = if has_lane { "voucher" } else { grant.campaign.as_str() };
            let reward = |what: &str| format!("reward|{whose}|{what}");
            let metric = format!("metric|{}|redeemed", grant.campaign);
            let day = |what: &str| format!("day|2026-11-23|{whose}|{what}");
            let paid = grant.reserved;
            let counted = [
                (metric, 1),
                (reward("redeemed"), 1),
                (reward("cost"), paid),
                (day("redemptions"), 1),
                (day("redeemed"), paid),
            ];
            counted.into_iter().for_each(|(name, by)| *counters.entry(name).or_default() += by);
            seqs.push(seq);
            links.push(chain.clone());
            ids.push(id);
            of.push(grant.id.clone());
            order.push(job.body.order["id"].as_str().unwrap_or_default().to_owned());
            store.push(job.body.store_id.clone());
            amount.push(grant.reserved);
            history.push(steps);
        }
        key.push(job.key.clone());
        digest.push(job.digest.clone());
        status.push(i64::from(code));
        body.push(bytes.clone());
        stored.insert(job.key.clone(), (job.digest.clone(), code, bytes.clone()));
        replies.push((code, false, bytes));
    }
    if key.is_empty() {
        return Ok(replies);
    }
    sqlx::query(ADD_KEYS).bind(AT).bind(key).bind(digest).bind(status).bind(body).execute(&mut *db).await?;
    if !ids.is_empty() {
        sqlx::query(CHANGE_GRANTS).bind(&of).bind(history).execute(&mut *db).await?;
        let rows = sqlx::query(ADD_REDEMPTIONS).bind(AT).bind(&ids).bind(of).bind(order);
        rows.bind(store).bind(amount).execute(&mut *db).await?;
        sqlx::query(ADD_LEDGER).bind(AT).bind(REDEEMED).bind(seqs).bind(ids).bind(links).execute(&mut *db).await?;
        sqlx::query(ADD_ENTRIES).bind(entry_seq).bind(line).bind(account).bind(entry).execute(&mut *db).await?;
        let (names, sums): (Vec<_>, Vec<_>) = balances.into_iter().unzip();
        sqlx::query(MOVE_BALANCES).bind(names).bind(sums).execute(&mut *db).await?;
        let (names, sums): (Vec<_>, Vec<_>) = counters.into_iter().unzip();
        sqlx::query(COUNT).bind(names).bind(sums).execute(&mut *db).await?;
    }
    if !has_lane {
        return Ok(replies);
    }
    sqlx::query("WITH told AS (INSERT INTO news (ns, seq, at, body) VALUES (1, $1, $2, $3)) UPDATE lane SET seq = $1, chain = $4 WHERE ns = 1 AND seq = $5")
        .bind(seq.max(from + 1)).bind(AT).bind(&b"{}"[..]).bind(chain).bind(from).execute(&mut *db).await?;
    Ok(replies)
}

/// One request, one transaction of the same statements; the rows that all want come last.
async fn alone(pool: &PgPool, job: Job) -> Result<Reply> {
    let mut tx = pool.begin().await?;
    let replies = batch(&mut tx, &[job], false).await?;
    tx.commit().await?;
    replies.into_iter().next().context("no reply")
}

#[tokio::main]
async fn main() -> Result<()> {
    let args: Vec<String> = std::env::args().skip(1).collect();
    let [url, key, mode] = args.as_slice() else { anyhow::bail!("reference-lane URL KEY lane|interactive") };
    // As the product's connections that write: each statement planned once, for an index.
    let options: PgConnectOptions = url.parse().context("URL")?;
    let options =
        options.options([("plan_cache_mode", "force_generic_plan"), ("enable_seqscan", "off"), ("jit", "off")]);
    let is_interactive = mode == "interactive";
    let count = if is_interactive { INTERACTIVE_MAX } else { 1 };
    let pool = PgPoolOptions::new().max_connections(count).min_connections(count).test_before_acquire(false);
    let pool = pool.connect_with(options).await?;
    let (jobs, queue) = mpsc::channel(4 * BATCH_MAX);
    let writing = pool.clone();
    tokio::spawn(async move {
        if let Err(error) = write(writing, queue).await {
            eprintln!("the reference lane failed: {error:#}");
            std::process::exit(1);
        }
    });
    let credential = blake3::hash(format!("Bearer {key}").as_bytes()).to_hex().to_string();
    let app =
        Router::new().route("/v1/redemptions", post(redeem)).with_state(App { credential, jobs, pool, is_interactive });
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await?;
    println!("{}", listener.local_addr()?.port());
    axum::serve(listener, app).await?;
    Ok(())
}
