//! G3: durable redemptions on PostgreSQL from 1, 2 and 4 runtimes on one database, all of one campaign and spread over ten,
//! against the reference lane writer and interactive transactions from as many processes on the same server.
//!
//! `FANFARE_LOAD_POSTGRES` is the URL of a durable server that may be filled; `run` starts one.

use crate::{
    figures::{Mix, REPETITIONS, Ratio, fdatasync_p50_ms, median, print_half_load},
    generator,
    product::{Anchor, Product, Runtime, folder},
    redeem::{CONNECTIONS, Expected, requests},
    repositories,
};
use anyhow::{Context, Result, ensure};
use serde_json::{Value, json};
use sqlx::{AssertSqlSafe, Connection, PgConnection, Row};
use std::{fs, time::Duration};

const RUNTIMES: [usize; 3] = [1, 2, 4];
/// Fresh redemptions of one repetition.
const SHARE: usize = CONNECTIONS * 40;
/// Shares of each kind of campaign: the repetitions and one to warm up, for each number of runtimes.
const SHARES: usize = RUNTIMES.len() * (REPETITIONS + 1);
/// Redemptions at half the pace.
const HALF: usize = 2 * SHARE;
const MEMBERS: usize = 100;
/// Orders of one request.
const ORDERS: usize = 100;

/// The goals against the lane writer, against interactive transactions, and of hot against spread.
const LANE_GOAL: f64 = 0.8;
const INTERACTIVE_GOALS: [f64; 2] = [1.5, 1.0];
const HOT_GOAL: f64 = 0.9;
const KINDS: [&str; 2] = ["hot", "spread"];

const MIGRATIONS: [&str; 4] = [
    include_str!("../../../controller/store/migrations/postgres/0001_first.sql"),
    include_str!("../../../controller/store/migrations/postgres/0002_reports.sql"),
    include_str!("../../../controller/store/migrations/postgres/0003_code_pool.sql"),
    include_str!("../../../controller/store/migrations/postgres/0004_uses.sql"),
];

/// One of those that are compared: its database, its codes and where its processes serve.
struct Side {
    name: &'static str,
    db: PgConnection,
    codes: [Vec<String>; 2],
    ports: Vec<u16>,
    done: usize,
}

pub(crate) async fn measure(seed: u64) -> Result<()> {
    let server = std::env::var("FANFARE_LOAD_POSTGRES").context(
        "FANFARE_LOAD_POSTGRES is not set; name a durable PostgreSQL that may be filled, or start this with tests/load/run",
    )?;
    let (repository, data) = (folder("lanes")?, folder("lanes-data")?);
    repositories::lanes(&repository)?;
    let urls =
        [database(&server, "ours").await?, database(&server, "lane").await?, database(&server, "interactive").await?];
    let product = Product::start_on(&repository, &data, Some(&urls[0])).await?;
    product.ready(1 + repositories::SPREAD, Duration::from_secs(60)).await?;
    issue(&product).await?;
    let credentials = product.credentials.clone();
    product.finish().await?;
    let key = &credentials.terminal_key;

    let (mut sides, mut runtimes, mut anchors) = (Vec::new(), Vec::new(), Vec::new());
    for (name, url) in ["ours", "lane", "interactive"].into_iter().zip(&urls) {
        let mut db = PgConnection::connect(url).await?;
        if name != "ours" {
            fill(&mut db).await?;
        }
        sqlx::raw_sql("VACUUM (ANALYZE)").execute(&mut db).await?;
        let codes = [codes(&mut db, "hot").await?, codes(&mut db, "spread-%").await?];
        sides.push(Side { name, db, codes, ports: Vec::new(), done: 0 });
    }
    for count in RUNTIMES {
        while runtimes.len() < count {
            let log = data.join(format!("runtime-{}.log", runtimes.len()));
            let runtime = Runtime::start(&urls[0], &credentials.namespace, &log).await?;
            sides[0].ports.push(runtime.port);
            runtimes.push(runtime);
            for (side, url) in sides[1..].iter_mut().zip(&urls[1..]) {
                let anchor = Anchor::start("reference-lane", &[url, key, side.name]).await?;
                side.ports.push(anchor.port);
                anchors.push(anchor);
            }
        }
        compare(&mut sides, count, (key, &credentials.store_id), seed, &data).await?;
    }
    for side in &mut sides {
        let rows: i64 = sqlx::query("SELECT count(*) FROM redemptions").fetch_one(&mut side.db).await?.get(0);
        ensure!(usize::try_from(rows)? == side.done, "{}: {rows} redemptions instead of {}", side.name, side.done);
    }
    drop((runtimes, anchors));
    Product::start_on(&repository, &data, Some(&urls[0])).await?.finish().await?;
    for url in &urls {
        forget(&server, url).await?;
    }
    for path in [&repository, &data] {
        fs::remove_dir_all(path)?;
    }
    Ok(())
}

/// The figures with so many processes a side.
async fn compare(
    sides: &mut [Side],
    count: usize,
    (key, store): (&str, &str),
    seed: u64,
    data: &std::path::Path,
) -> Result<()> {
    let mut rates: [[Vec<f64>; 3]; 2] = Default::default();
    let (mut syncs, mut bytes) = (Vec::new(), [[0.0; 3]; 2]);
    for repetition in 0..=REPETITIONS {
        for kind in 0..KINDS.len() {
            // Each key is used once.
            let seed = seed ^ ((repetition * 16 + count * 2 + kind) as u64) << 32;
            for (place, side) in sides.iter_mut().enumerate() {
                let at = side.codes[kind].len() - SHARE;
                let codes = side.codes[kind].split_off(at);
                let Expected { requests, done, refused } = requests(&codes, key, store, seed);
                let wal = wal(&mut side.db).await?;
                let seen = generator::each_once_among(&side.ports[..count], requests).await?;
                let wal = self::wal(&mut side.db).await? - wal;
                let (got, not) = (seen.count(201), seen.count(409));
                ensure!(
                    (got, not) == (done, refused),
                    "{}: {:?} instead of {done} and {refused}",
                    side.name,
                    seen.statuses
                );
                side.done += SHARE;
                if repetition > 0 {
                    rates[kind][place].push(seen.rate());
                    bytes[kind][place] = wal / SHARE as f64;
                }
            }
        }
        syncs.push(fdatasync_p50_ms(data)?);
    }
    println!("G3: {count} processes a side, {CONNECTIONS} connections, fdatasync p50 {:.2} ms", median(&syncs));
    let print = |name: String, goal: f64, ours: &[f64], anchor: &[f64]| {
        Ratio { name: &name, unit: "redemptions/s", goal, ours: ours.to_vec(), anchor: anchor.to_vec() }.print();
    };
    for (kind, [ours, lane, interactive]) in rates.iter().enumerate() {
        let what = KINDS[kind];
        print(format!("G3 {what}, {count} runtimes, reference lane writer"), LANE_GOAL, ours, lane);
        print(
            format!("G3 {what}, {count} runtimes, interactive transactions"),
            INTERACTIVE_GOALS[kind],
            ours,
            interactive,
        );
        let [ours, lane, interactive] = bytes[kind];
        println!(
            "  bytes of the log a redemption: ours {ours:.0}, lane writer {lane:.0}, interactive {interactive:.0}"
        );
    }
    print(format!("G3 one hot campaign to ten, {count} runtimes"), HOT_GOAL, &rates[0][0], &rates[1][0]);
    if count == 1 {
        let ours = &mut sides[0];
        let at = ours.codes[0].len() - HALF;
        let codes = ours.codes[0].split_off(at);
        let Expected { requests, .. } = requests(&codes, key, store, seed);
        let seen = generator::paced(ours.ports[0], requests, median(&rates[0][0]) / 2.0).await?;
        ours.done += HALF;
        print_half_load("G3 redeem, PostgreSQL", &seen);
    }
    Ok(())
}

/// How many bytes the server has logged.
async fn wal(db: &mut PgConnection) -> Result<f64> {
    let row = sqlx::query("SELECT (pg_current_wal_lsn() - '0/0')::float8").fetch_one(db).await?;
    Ok(row.get(0))
}

/// An empty database of this run on the server; its URL.
pub(crate) async fn database(server: &str, name: &str) -> Result<String> {
    let mut db = PgConnection::connect(server).await?;
    let name = format!("fanfare_load_{}_{name}", std::process::id());
    sqlx::raw_sql(AssertSqlSafe(format!("CREATE DATABASE {name}"))).execute(&mut db).await?;
    let (base, query) =
        server.split_once('?').map_or((server, String::new()), |(base, rest)| (base, format!("?{rest}")));
    let base = base.rsplit_once('/').context("the URL names no database")?.0;
    Ok(format!("{base}/{name}{query}"))
}

/// Drops it.
pub(crate) async fn forget(server: &str, url: &str) -> Result<()> {
    let name = url.split('?').next().and_then(|base| base.rsplit('/').next()).context("no name")?;
    let mut db = PgConnection::connect(server).await?;
    sqlx::raw_sql(AssertSqlSafe(format!("DROP DATABASE {name} WITH (FORCE)"))).execute(&mut db).await?;
    Ok(())
}

/// The codes of a campaign's vouchers, in an order that has nothing to do with their issue.
async fn codes(db: &mut PgConnection, campaign: &str) -> Result<Vec<String>> {
    let rows = sqlx::query("SELECT code FROM grants WHERE campaign LIKE $1 ORDER BY md5(code)").bind(campaign);
    let codes: Vec<String> = rows.fetch_all(db).await?.iter().map(|row| row.get(0)).collect();
    ensure!(codes.len() >= SHARE * SHARES, "{} vouchers of {campaign} instead of {}", codes.len(), SHARE * SHARES);
    Ok(codes)
}

/// Buys until each kind has its vouchers: an order of the one tier gives a voucher, one of the other tier ten.
async fn issue(product: &Product) -> Result<()> {
    let key = &product.credentials.integration_key;
    let now = product.now().await?;
    for member in 0..2 * MEMBERS {
        let tier = if member < MEMBERS { "gold" } else { "silver" };
        let body = json!({"attributes": {"tier": tier, "city": "Bangkok"}});
        product.call(reqwest::Method::PUT, &format!("/v1/members/m{member}"), key, Some(&body)).await?;
    }
    let hot = SHARE * SHARES + HALF;
    let all: Vec<usize> = (0..hot + (SHARE * SHARES).div_ceil(repositories::SPREAD)).collect();
    for batch in all.chunks(ORDERS) {
        let events: Vec<Value> = batch.iter().map(|number| {
            let member = number % MEMBERS + if *number < hot { 0 } else { MEMBERS };
            json!({"specversion": "1.0", "type": "order.paid", "source": "load", "id": format!("e-{number}"),
                "subject": format!("m{member}"), "time": now,
                "data": {"orderId": format!("p-{number}"), "total": "100.00", "currency": "THB", "storeId": "bkk-01", "channel": "pos",
                    "lines": [{"id": "1", "sku": "A", "quantity": 1, "unitPrice": "100.00"}]}})
        }).collect();
        let answer = product.call(reqwest::Method::POST, "/v1/events", key, Some(&json!(events))).await?;
        let accepted = answer["results"].as_array().context("no results")?;
        ensure!(accepted.iter().all(|one| one["status"] == "Accepted"), "an order was not accepted: {answer}");
    }
    Ok(())
}

/// The reference's own vouchers, as the product writes them.
async fn fill(db: &mut PgConnection) -> Result<()> {
    for migration in MIGRATIONS {
        sqlx::raw_sql(AssertSqlSafe(migration)).execute(&mut *db).await?;
    }
    let zero = "decode(repeat('00', 32), 'hex')";
    let sql = format!(
        "CREATE SEQUENCE reference_seq;
        INSERT INTO lane (name, seq, chain, audit) VALUES ('bench', 0, {zero}, {zero});
        INSERT INTO terms (ns, digest, body) VALUES (1, 'd', '{{}}')"
    );
    sqlx::raw_sql(AssertSqlSafe(sql)).execute(&mut *db).await?;
    let mut mix = Mix(7);
    for (kind, campaign) in [("H", "'hot'"), ("S", "'spread-' || i % 10")] {
        let salt = mix.next() % 1_000_000;
        let sql = format!(
            "INSERT INTO grants (ns, id, member, reward, terms, campaign, mechanic, cause, code, state, issued_at, claimed_at, valid_from,
                uses_left, reserved, history)
            SELECT 1, 'g-1-01JD{kind}' || lpad(i::text, 17, '0'), 'm' || i % {MEMBERS}, 'voucher', 1, {campaign}, 'gift', 'event:bench/e-' || i,
                '{kind}' || upper(substr(md5((i + {salt})::text), 1, 11)) || i, 'Claimed', $1, $1, $1, 1, 5000, '[{{\"at\":1794355200000000,\"state\":\"Claimed\"}}]'
            FROM generate_series(1, $2) i"
        );
        let count = i64::try_from(SHARE * SHARES)?;
        sqlx::query(AssertSqlSafe(sql)).bind(1_794_355_200_000_000_i64).bind(count).execute(&mut *db).await?;
    }
    Ok(())
}
