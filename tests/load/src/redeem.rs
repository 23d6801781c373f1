//! G2: durable redemptions over HTTP, every check on, against the reference writer of the same rows and UNIQUEs.

use crate::{
    figures::{Mix, REPETITIONS, Ratio, fdatasync_p50_ms, median, print_half_load, written_bytes},
    generator,
    product::{Anchor, Product, folder},
    repositories,
    syncs::Syncs,
};
use anyhow::{Context, Result, ensure};
use futures::{StreamExt, TryStreamExt, stream};
use serde_json::{Value, json};
use std::{fs, time::Duration};

pub(crate) const CONNECTIONS: usize = 64;
/// Fresh redemptions of one connection in one repetition.
const PER_CONNECTION: usize = 100;
/// Fresh redemptions of one repetition.
const SHARE: usize = CONNECTIONS * PER_CONNECTION;
/// Vouchers of each side: the repetitions, one to warm up, one at half the pace and one whose synced writes are counted.
const VOUCHERS: usize = SHARE * (REPETITIONS + 3);
const MEMBERS: usize = 200;
/// Of 100 requests, so many repeat an earlier one under its key, and so many ask for a used voucher.
const REPLAYS: u64 = 2;
const REFUSALS: u64 = 3;

/// What one repetition must be answered.
pub(crate) struct Expected {
    pub(crate) requests: Vec<Vec<Vec<u8>>>,
    pub(crate) done: usize,
    pub(crate) refused: usize,
}

/// Shares the codes among the connections and mixes replays and refusals in.
pub(crate) fn requests(codes: &[String], bearer: &str, store: &str, seed: u64) -> Expected {
    let mut mix = Mix(seed);
    let mut expected = Expected { requests: Vec::new(), done: 0, refused: 0 };
    for (connection, codes) in codes.chunks(codes.len().div_ceil(CONNECTIONS)).enumerate() {
        let mut sent: Vec<(Vec<u8>, &str, bool)> = Vec::new();
        let make = |key: String, code: &str, order: u64| {
            let body = json!({"code": code, "mode": "Commit", "storeId": store,
                "order": {"id": format!("o-{order:016x}"), "total": "800.00", "currency": "THB"}});
            generator::post("/v1/redemptions", bearer, &key, &body.to_string())
        };
        for code in codes {
            let roll = mix.next() % 100;
            let key = format!("{:016x}{:08x}", mix.next(), connection);
            if let Some(index) = (mix.next() as usize).checked_rem(sent.len())
                && roll < REPLAYS + REFUSALS
            {
                let (again, used, was_done) = sent[index].clone();
                if roll < REPLAYS {
                    // A repeated answer has the first one's status.
                    expected.done += usize::from(was_done);
                    expected.refused += usize::from(!was_done);
                    sent.push((again, used, was_done));
                } else {
                    expected.refused += 1;
                    sent.push((make(key, used, mix.next()), used, false));
                }
            }
            let key = format!("{:016x}{:08x}", mix.next(), connection);
            sent.push((make(key, code, mix.next()), code, true));
            expected.done += 1;
        }
        expected.requests.push(sent.into_iter().map(|(request, _, _)| request).collect());
    }
    expected
}

pub(crate) async fn measure(seed: u64) -> Result<()> {
    let (repository, data, other) = (folder("redeem")?, folder("redeem-data")?, folder("reference")?);
    repositories::vouchers(&repository)?;
    let product = Product::start(&repository, &data).await?;
    product.ready(1, Duration::from_secs(60)).await?;
    let ours = issue(&product).await?;
    let theirs: Vec<String> = (0..VOUCHERS).map(|number| format!("REF{number:07}")).collect();
    let key = product.credentials.terminal_key.clone();
    let anchor =
        Anchor::start("reference-writer", &[&other.display().to_string(), &VOUCHERS.to_string(), &key]).await?;

    let (mut mine, mut reference, mut syncs) = (Vec::new(), Vec::new(), Vec::new());
    let mut bytes = [0.0; 2];
    let store = &product.credentials.store_id;
    for repetition in 0..=REPETITIONS {
        let seed = seed ^ (repetition as u64) << 32;
        let range = repetition * SHARE..(repetition + 1) * SHARE;
        let mut rates = Vec::new();
        let sides = [(&ours, product.port()?, product.id()), (&theirs, anchor.port, anchor.id())];
        for (side, (codes, port, process)) in sides.into_iter().enumerate() {
            let Expected { requests, done, refused } = requests(&codes[range.clone()], &key, store, seed);
            let before = written_bytes(process)?;
            let seen = generator::each_once(port, requests).await?;
            bytes[side] += (written_bytes(process)? - before) as f64;
            let (got, not) = (seen.count(201), seen.count(409));
            ensure!((got, not) == (done, refused), "{:?} instead of {done} done and {refused} refused", seen.statuses);
            rates.push(seen.rate());
            println!(
                "  {} {:.0}/s p50 {:.1} ms p99 {:.1} ms",
                if port == anchor.port { "reference" } else { "ours" },
                seen.rate(),
                seen.percentile_ms(0.5),
                seen.percentile_ms(0.99)
            );
        }
        syncs.push(fdatasync_p50_ms(&other)?);
        if repetition > 0 {
            mine.push(rates[0]);
            reference.push(rates[1]);
        }
    }
    println!(
        "G2: {CONNECTIONS} connections, {REPLAYS} % replays, {REFUSALS} % refusals, fdatasync p50 {:.2} ms",
        median(&syncs)
    );
    Ratio {
        name: "G2 redeem, SQLite",
        unit: "redemptions/s",
        goal: 0.6,
        ours: mine.clone(),
        anchor: reference.clone(),
    }
    .print();
    let [per_ours, per_theirs] = bytes.map(|all| all / (SHARE * (REPETITIONS + 1)) as f64);
    println!("  bytes written a redemption: ours {per_ours:.0}, reference {per_theirs:.0}");
    let last = |number: usize, codes: &[String]| {
        let from = SHARE * (REPETITIONS + 1 + number);
        requests(&codes[from..from + SHARE], &key, store, seed ^ ((REPETITIONS + 1 + number) as u64) << 32).requests
    };
    for (name, codes, port, pace) in [
        ("G2 redeem, SQLite", &ours, product.port()?, median(&mine)),
        ("  the reference", &theirs, anchor.port, median(&reference)),
    ] {
        print_half_load(name, &generator::paced(port, last(0, codes), pace / 2.0).await?);
    }
    for (name, codes, port, process) in
        [("ours", &ours, product.port()?, product.id()), ("reference", &theirs, anchor.port, anchor.id())]
    {
        let requests = last(1, codes);
        let count = requests.iter().map(Vec::len).sum::<usize>();
        let counter = Syncs::count(process)?;
        generator::each_once(port, requests).await?;
        match counter.map(Syncs::end).transpose()? {
            Some(calls) => println!(
                "  fdatasync: {name} {calls} calls for {count} requests, {:.0} requests a call",
                count as f64 / calls as f64
            ),
            None => println!("  fdatasync: {name} not counted, strace is not installed"),
        }
    }
    drop(anchor);
    check(&product).await?;
    product.finish().await?;
    for path in [&repository, &data, &other] {
        fs::remove_dir_all(path)?;
    }
    Ok(())
}

/// Buys as often as vouchers are needed and reads their codes, all over HTTP.
async fn issue(product: &Product) -> Result<Vec<String>> {
    let key = &product.credentials.integration_key;
    let now = product.now().await?;
    for member in 0..MEMBERS {
        let body = json!({"attributes": {"tier": "gold", "city": "Bangkok"}});
        product.call(reqwest::Method::PUT, &format!("/v1/members/m{member}"), key, Some(&body)).await?;
    }
    let orders: Vec<usize> = (0..VOUCHERS).collect();
    for batch in orders.chunks(500) {
        let events: Vec<Value> = batch.iter().map(|number| {
            json!({"specversion": "1.0", "type": "order.paid", "source": "load", "id": format!("e-{number}"),
                "subject": format!("m{}", number % MEMBERS), "time": now,
                "data": {"orderId": format!("p-{number}"), "total": "100.00", "currency": "THB", "storeId": "bkk-01", "channel": "pos",
                    "lines": [{"id": "1", "sku": "A", "quantity": 1, "unitPrice": "100.00"}]}})
        }).collect();
        let answer = product.call(reqwest::Method::POST, "/v1/events", key, Some(&json!(events))).await?;
        let accepted = answer["results"].as_array().context("no results")?;
        ensure!(accepted.iter().all(|one| one["status"] == "Accepted"), "an order was not accepted: {answer}");
    }
    let mut codes = Vec::with_capacity(VOUCHERS);
    for member in 0..MEMBERS {
        codes.extend(codes_of(product, &format!("m{member}")).await?);
    }
    ensure!(codes.len() == VOUCHERS, "{} vouchers instead of {VOUCHERS}", codes.len());
    Ok(codes)
}

async fn codes_of(product: &Product, member: &str) -> Result<Vec<String>> {
    let token = &product.login(member).await?;
    let (mut ids, mut cursor) = (Vec::new(), String::new());
    loop {
        let page = product.call(reqwest::Method::GET, &format!("/v1/grants?limit=100{cursor}"), token, None).await?;
        let items = page["items"].as_array().context("no items")?;
        ids.extend(items.iter().filter_map(|grant| Some(grant["id"].as_str()?.to_owned())));
        match page["next"].as_str() {
            Some(next) => cursor = format!("&cursor={next}"),
            None => break,
        }
    }
    let code = |id: String| async move {
        let found = product.call(reqwest::Method::GET, &format!("/v1/grants/{id}/code"), token, None).await?;
        found["payload"].as_str().map(str::to_owned).context("no payload")
    };
    stream::iter(ids).map(code).buffer_unordered(32).try_collect().await
}

/// Acknowledged is what is there, or the run is void.
async fn check(product: &Product) -> Result<()> {
    let page = product
        .call(reqwest::Method::GET, "/v1/grants?state=Redeemed&limit=1", &product.login("m0").await?, None)
        .await?;
    ensure!(page["items"].as_array().is_some_and(|all| all.len() == 1), "no voucher of m0 is redeemed: {page}");
    let per_member = VOUCHERS / MEMBERS;
    let (mut redeemed, mut cursor) = (0, String::new());
    let token = product.login("m1").await?;
    loop {
        let page = product
            .call(reqwest::Method::GET, &format!("/v1/grants?state=Redeemed&limit=100{cursor}"), &token, None)
            .await?;
        redeemed += page["items"].as_array().context("no items")?.len();
        match page["next"].as_str() {
            Some(next) => cursor = format!("&cursor={next}"),
            None => break,
        }
    }
    ensure!(redeemed == per_member, "{redeemed} vouchers of m1 are redeemed instead of {per_member}");
    Ok(())
}
