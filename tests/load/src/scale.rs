//! How redemption keeps its pace as vouchers grow, and how soon a killed process serves again with all of them, on SQLite
//! and on PostgreSQL: 1,000, 100,000 and as many as `FANFARE_LOAD_VOUCHERS` says (1,000,000; the issue's figure is
//! 10,000,000).
//!
//! Vouchers are issued over HTTP once; the others are copies of that row with an id, a holder and a code of their own,
//! written while the product is down, as a restored database has them. Nothing else is changed.

use crate::{
    figures::{Mix, REPETITIONS, fdatasync_p50_ms, median, memory_mib},
    generator, lanes,
    product::{Product, folder},
    repositories,
};
use anyhow::{Context, Result, ensure};
use serde_json::json;
use sqlx::{
    AssertSqlSafe, ConnectOptions, Connection, PgConnection, Row, SqliteConnection, sqlite::SqliteConnectOptions,
};
use std::{
    fs,
    path::{Path, PathBuf},
    time::{Duration, Instant},
};

const CONNECTIONS: usize = 16;
/// Redemptions of one connection in one turn; with the turns, fewer than the smallest scale has.
const PER_CONNECTION: usize = 10;
const SMALLEST: u64 = 1_000;
/// How many of the smallest there are.
const PARTS: usize = 3;
const MEMBERS: u64 = 100_000;
const LARGEST: u64 = 1_000_000;
/// How many copies one statement writes.
const CHUNK: u64 = 50_000;
const SYMBOLS: &[u8; 32] = b"0123456789ABCDEFGHJKMNPQRSTVWXYZ";
/// The throughput that each larger scale should keep of the smallest's.
const GOAL: f64 = 0.8;
const START_GOAL_S: f64 = 10.0;
const MEMORY_GOAL_MIB: u64 = 1_536;

/// What differs between the two databases' copies.
const OWN: [&str; 6] = ["row", "id", "member", "code", "cause", "reserved"];
const COUNTED: &str = "UPDATE counters SET value = value + $1 WHERE key = 'reward|voucher|issued'";

pub(crate) async fn measure(seed: u64) -> Result<()> {
    let largest = std::env::var("FANFARE_LOAD_VOUCHERS").ok().map_or(Ok(LARGEST), |text| text.parse())?;
    let server = std::env::var("FANFARE_LOAD_POSTGRES").context("FANFARE_LOAD_POSTGRES names no PostgreSQL")?;
    for server in [None, Some(&*server)] {
        compare(largest, seed, server).await?;
    }
    Ok(())
}

/// A product with so many vouchers.
struct Scale {
    count: u64,
    repository: PathBuf,
    data: PathBuf,
    database: Option<String>,
    product: Product,
    used: u64,
}

/// Redeems at each scale in turn, so that all of them have the same machine, and compares turn by turn. The smallest has too
/// few vouchers for all turns, so it stands there several times.
async fn compare(largest: u64, seed: u64, server: Option<&str>) -> Result<()> {
    let name = if server.is_some() { "PostgreSQL" } else { "SQLite" };
    let mut smallest = Vec::new();
    for part in 0..PARTS {
        smallest.push(Scale::open(SMALLEST, &format!("scale-{part}"), server).await?);
    }
    let mut others = Vec::new();
    for count in [100_000, largest] {
        others.push(Scale::open(count, &format!("scale-of-{count}"), server).await?);
    }
    let mut mix = Mix(seed);
    let (mut base, mut rates) = (Vec::new(), vec![Vec::new(); others.len()]);
    for part in &mut smallest {
        for turn in 0..=REPETITIONS {
            let first = part.redeem(&mut mix).await?;
            let mut seen = Vec::new();
            for other in &mut others {
                seen.push(other.redeem(&mut mix).await?);
            }
            if turn > 0 {
                base.push(first);
                rates.iter_mut().zip(seen).for_each(|(rates, rate)| rates.push(rate));
            }
        }
    }
    println!("scale: {name}, {SMALLEST} vouchers: {:.0} redemptions/s", median(&base));
    for (scale, rates) in others.iter().zip(&rates) {
        let ratios: Vec<f64> = rates.iter().zip(&base).map(|(rate, first)| rate / first).collect();
        let (rate, ratio) = (median(rates), median(&ratios));
        let verdict = if ratio >= GOAL { "met" } else { "MISSED" };
        let count = scale.count;
        println!(
            "scale: {name}, {count} vouchers: {rate:.0} redemptions/s, {ratio:.2} of 1,000's turn by turn (goal {GOAL}: {verdict})"
        );
    }
    for scale in smallest.into_iter().chain(others) {
        scale.killed(name, server).await?;
    }
    Ok(())
}

impl Scale {
    async fn open(count: u64, name: &str, server: Option<&str>) -> Result<Self> {
        let (repository, data) = (folder(name)?, folder(&format!("{name}-data"))?);
        repositories::vouchers(&repository)?;
        let database = match server {
            Some(server) => Some(lanes::database(server, &name.replace('-', "_")).await?),
            None => None,
        };
        let product = Product::start_on(&repository, &data, database.as_deref()).await?;
        product.ready(1, Duration::from_secs(60)).await?;
        issue(&product).await?;
        product.finish().await?;
        match &database {
            Some(url) => fill_postgres(url, count).await?,
            None => fill(&data.join("fanfare.db"), count).await?,
        }
        let product = Product::start_on(&repository, &data, database.as_deref()).await?;
        Ok(Self { count, repository, data, database, product, used: 0 })
    }

    /// The rate of one turn.
    async fn redeem(&mut self, mix: &mut Mix) -> Result<f64> {
        let Self { count, product, used, .. } = self;
        let key = &product.credentials.terminal_key;
        let requests = (0..CONNECTIONS).map(|_| {
            let one = |_| {
                *used += 1;
                // The order of use has nothing to do with the order of issue.
                let body = json!({"code": code(*used * 7_919 % *count), "mode": "Commit", "storeId": "bkk-01",
                    "order": {"id": format!("s-{:016x}", mix.next()), "total": "800.00", "currency": "THB"}});
                generator::post("/v1/redemptions", key, &format!("{:032x}", mix.next()), &body.to_string())
            };
            (0..PER_CONNECTION).map(one).collect::<Vec<_>>()
        });
        let requests = requests.collect();
        let seen = generator::each_once(product.port()?, requests).await?;
        ensure!(seen.count(201) == seen.latencies.len(), "a voucher was refused: {:?}", seen.statuses);
        Ok(seen.rate())
    }

    /// Kills it, sees how soon it serves again, and has its audit look at what it kept.
    async fn killed(self, name: &str, server: Option<&str>) -> Result<()> {
        let Self { count, repository, data, database, product, .. } = self;
        let process = product.id();
        drop(product);
        let began = Instant::now();
        let product = Product::start_on(&repository, &data, database.as_deref()).await?;
        product.call(reqwest::Method::GET, "/v1/campaigns", "", None).await?;
        let (took, peak) = (began.elapsed().as_secs_f64(), memory_mib(product.id())?.1);
        let verdict = if took <= START_GOAL_S && peak <= MEMORY_GOAL_MIB { "met" } else { "MISSED" };
        println!(
            "scale: {name}, {count} vouchers: killed (process {process}), it served again after {took:.2} s with at most {peak} MiB (goal {START_GOAL_S} s, \
             {MEMORY_GOAL_MIB} MiB: {verdict}); fdatasync p50 {:.2} ms",
            fdatasync_p50_ms(&data)?
        );
        product.finish().await?;
        for path in [&repository, &data] {
            fs::remove_dir_all(path)?;
        }
        if let (Some(server), Some(url)) = (server, &database) {
            lanes::forget(server, url).await?;
        }
        Ok(())
    }
}

/// One voucher, over HTTP, for the copies to be of.
async fn issue(product: &Product) -> Result<()> {
    let key = &product.credentials.integration_key;
    let profile = json!({"attributes": {"tier": "gold", "city": "Bangkok"}});
    product.call(reqwest::Method::PUT, "/v1/members/m0", key, Some(&profile)).await?;
    let now = product.now().await?;
    let event = json!([{"specversion": "1.0", "type": "order.paid", "source": "load", "id": "e-0", "subject": "m0", "time": now,
        "data": {"orderId": "p-0", "total": "100.00", "currency": "THB", "storeId": "bkk-01", "channel": "pos",
            "lines": [{"id": "1", "sku": "A", "quantity": 1, "unitPrice": "100.00"}]}}]);
    let answer = product.call(reqwest::Method::POST, "/v1/events", key, Some(&event)).await?;
    ensure!(answer["results"][0]["decisions"][0]["grants"][0].is_string(), "no voucher was issued: {answer}");
    Ok(())
}

/// Writes copies of the one voucher. They set nothing aside of the budget, so that the ledger still adds up.
async fn fill(file: &Path, count: u64) -> Result<()> {
    let options =
        SqliteConnectOptions::new().filename(file).pragma("synchronous", "OFF").pragma("cache_size", "-1048576");
    let mut db = options.connect().await?;
    let columns = sqlx::query("SELECT name FROM pragma_table_info('grants')").fetch_all(&mut db).await?;
    let kept: Vec<String> =
        columns.iter().map(|row| row.get(0)).filter(|name: &String| !OWN.contains(&name.as_str())).collect();
    ensure!(columns.len() == kept.len() + OWN.len(), "the table of vouchers has other columns than this figure knows");
    let kept = kept.join(", ");
    let sql = format!(
        "INSERT INTO grants (id, member, code, cause, reserved, {kept})
         SELECT c.value->>0, c.value->>1, c.value->>2, c.value->>3, 0, {kept} FROM json_each(?1) c CROSS JOIN (SELECT * FROM grants ORDER BY row LIMIT 1)"
    );
    sqlx::query("BEGIN").execute(&mut db).await?;
    for from in (0..count).step_by(usize::try_from(CHUNK)?) {
        let rows = (from..count.min(from + CHUNK)).map(|n| {
            let member = format!("m{}", n % MEMBERS);
            json!([format!("g-1-01JD{n:022}"), member, code(n), format!("event:load/copy-{n}")])
        });
        let rows = serde_json::Value::Array(rows.collect()).to_string();
        sqlx::query(AssertSqlSafe(sql.clone())).bind(rows).execute(&mut db).await?;
    }
    let counted = sqlx::query(COUNTED).bind(i64::try_from(count)?).execute(&mut db).await?;
    ensure!(counted.rows_affected() == 1, "the counter of issued vouchers is not there");
    sqlx::query("COMMIT").execute(&mut db).await?;
    let written = total(&mut db).await?;
    ensure!(written == count + 1, "{written} vouchers are there instead of {}", count + 1);
    sqlx::query("PRAGMA wal_checkpoint(TRUNCATE)").execute(&mut db).await?;
    Ok(())
}

/// The same on PostgreSQL, which then knows the tables as it does soon after they grew.
async fn fill_postgres(url: &str, count: u64) -> Result<()> {
    let mut db = PgConnection::connect(url).await?;
    let columns =
        sqlx::query("SELECT attname::text FROM pg_attribute WHERE attrelid = 'grants'::regclass AND attnum > 0");
    let columns: Vec<String> = columns.fetch_all(&mut db).await?.iter().map(|row| row.get(0)).collect();
    let kept: Vec<&str> = columns.iter().map(String::as_str).filter(|name| !OWN.contains(name)).collect();
    ensure!(
        columns.len() + 1 == kept.len() + OWN.len(),
        "the table of vouchers has other columns than this figure knows"
    );
    let kept = kept.join(", ");
    let sql = format!(
        "INSERT INTO grants (id, member, code, cause, reserved, {kept})
         SELECT c.id, c.member, c.code, c.cause, 0, {kept} FROM unnest($1::text[], $2::text[], $3::text[], $4::text[])
         AS c (id, member, code, cause) CROSS JOIN (SELECT {kept} FROM grants WHERE id NOT LIKE 'g-1-01JD%' LIMIT 1) t"
    );
    for from in (0..count).step_by(usize::try_from(CHUNK)?) {
        let numbers = || from..count.min(from + CHUNK);
        let texts = |of: &dyn Fn(u64) -> String| numbers().map(of).collect::<Vec<_>>();
        let filled = sqlx::query(AssertSqlSafe(sql.clone()))
            .bind(texts(&|n| format!("g-1-01JD{n:022}")))
            .bind(texts(&|n| format!("m{}", n % MEMBERS)))
            .bind(texts(&code))
            .bind(texts(&|n| format!("event:load/copy-{n}")));
        let written = filled.execute(&mut db).await?.rows_affected();
        ensure!(written == numbers().count() as u64, "{written} vouchers were written from {from} on");
    }
    let counted = sqlx::query(COUNTED).bind(i64::try_from(count)?).execute(&mut db).await?;
    ensure!(counted.rows_affected() == 1, "the counter of issued vouchers is not there");
    for sql in ["VACUUM ANALYZE", "CHECKPOINT"] {
        sqlx::raw_sql(sql).execute(&mut db).await?;
    }
    db.close().await?;
    Ok(())
}

async fn total(db: &mut SqliteConnection) -> Result<u64> {
    let row = sqlx::query("SELECT count(*) FROM grants").fetch_one(db).await?;
    Ok(u64::try_from(row.get::<i64, _>(0))?)
}

/// The code of a number: scattered over all codes, twelve of Crockford's characters, the last of them Luhn mod 32 over the
/// others, as the published format says.
fn code(number: u64) -> String {
    let mut rest = number.wrapping_mul(0x9E37_79B9_7F4A_7C15) & ((1 << 55) - 1);
    let mut values = [0_usize; 12];
    for value in values[..11].iter_mut().rev() {
        *value = (rest % 32) as usize;
        rest /= 32;
    }
    let sum: usize = values[..11]
        .iter()
        .rev()
        .enumerate()
        .map(|(place, value)| if place % 2 == 0 { 2 * value / 32 + 2 * value % 32 } else { *value })
        .sum();
    values[11] = (32 - sum % 32) % 32;
    values.iter().map(|value| char::from(SYMBOLS[*value])).collect()
}
