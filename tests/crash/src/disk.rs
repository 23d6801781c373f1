//! A disk that is full or fails: writes are answered 503, reads go on, and once the disk is well so is everything, without a
//! restart. What was acknowledged before and after is there after a power cut.

use crate::{
    Asked,
    cycle::{check_all, open},
    power::{Leaves, Power},
    product::{Product, Running},
};
use anyhow::{Context, Result, bail, ensure};
use fanfare_crash::{
    record::Request,
    till::{Codes, Session, Till},
};
use rand::SeedableRng;
use rand_chacha::ChaCha8Rng;
use serde_json::{Value, json};
use std::{
    process::ExitCode,
    sync::Arc,
    time::{Duration, Instant},
};
use tokio::task::JoinSet;

/// How the disk fails, as the shim knows it and as people say it.
const FAULTS: &[(u8, &str)] = &[(b'f', "no space is left"), (b'e', "a sync fails"), (b'w', "a write fails")];
/// How often a sick disk is written to and read from.
const TRIES: usize = 12;
/// How long things may take to be well again once the disk is.
const WELL_MAX: Duration = Duration::from_secs(15);
/// How many things each till does before and after.
const STEPS: usize = 12;

/// Runs every fault, each followed by a power cut.
///
/// # Errors
/// When something does not hold.
pub(crate) async fn run(asked: &Asked) -> Result<ExitCode> {
    let mut product = Product::new(&asked.binary, &asked.work, asked.database.clone())?;
    product.disk = Some(Power::new(&asked.shim, &asked.work, false)?);
    let codes = Codes::default();
    let mut tills: Vec<Till> = (0..asked.tills).map(|name| Till::new(name, asked.seed, Arc::clone(&codes))).collect();
    let mut chance = ChaCha8Rng::seed_from_u64(asked.seed);
    println!("{:<20} {:>8} {:>8} {:>10}   after a power cut", "the disk", "writes", "reads", "well after");
    for round in 0..asked.cycles.div_ceil(FAULTS.len()).max(1) {
        for (fault, says) in FAULTS {
            let mut running = product.start().await?;
            let session = open(&tills, &running).await?;
            tills = work(tills, &session).await?;
            let disk = product.disk.as_ref().context("there is a disk")?;
            let known = order(&session, &format!("known-{fault}-{round}")).await?;
            ensure!(known.0 == 201, "an order on a well disk is answered {known:?}");

            disk.fail(*fault)?;
            let (refused, read) = sick(&session, round, *fault).await.with_context(|| (*says).to_owned())?;
            alive(&mut running, says)?;
            disk.fail(0)?;
            let well = healed(&session, round, *fault).await.with_context(|| (*says).to_owned())?;
            alive(&mut running, says)?;

            tills = work(tills, &session).await?;
            running.kill()?;
            disk.cut(&product.data, Leaves::Nothing, &mut chance)?;
            running = product.start().await?;
            let session = open(&tills, &running).await?;
            let seen = check_all(&mut tills, &session, true).await?;
            product.audit().await.with_context(|| (*says).to_owned())?;
            let found: Vec<_> = seen.losses.iter().chain(&seen.findings).collect();
            ensure!(found.is_empty(), "{says}: {found:#?}");
            running.kill()?;
            let (asked, well) = (seen.replayed, well.as_millis());
            println!("{says:<20} {refused:>4}x503 {read:>4}x200 {well:>7} ms   {asked} answers are the same, 0 lost");
        }
    }
    Ok(ExitCode::SUCCESS)
}

fn alive(running: &mut Running, says: &str) -> Result<()> {
    match running.ended()? {
        Some(status) => bail!("{says}: the process ended with {status}"),
        None => Ok(()),
    }
}

async fn work(tills: Vec<Till>, session: &Session) -> Result<Vec<Till>> {
    let mut tasks = JoinSet::new();
    for mut till in tills {
        let session = session.clone();
        tasks.spawn(async move {
            till.work_for(&session, STEPS).await;
            till
        });
    }
    let mut tills = Vec::new();
    while let Some(till) = tasks.join_next().await {
        tills.push(till?);
    }
    tills.sort_by_key(|till| till.members.clone());
    Ok(tills)
}

async fn order(session: &Session, id: &str) -> Result<(u16, Value)> {
    let lines = json!([{"id": "mug", "sku": "MUG-01", "quantity": 1, "unitPrice": "99.99"}]);
    let cart = json!({"memberId": "m0-0", "storeId": "bkk-01", "channel": "pos", "currency": "THB", "lines": lines});
    let body = json!({"id": id, "mode": "Commit", "cart": cart});
    let request = Request::post("/v1/orders", &session.till_key, &format!("key-{id}"), &body);
    let answer = session.wire.send(request).await.with_context(|| format!("{id} got no answer"))?;
    Ok((answer.status, answer.json()))
}

/// While the disk is sick: writes are refused so that they can be tried again, reads go on.
async fn sick(session: &Session, round: usize, fault: u8) -> Result<(usize, usize)> {
    let (mut refused, mut read) = (0, 0);
    for number in 0..TRIES {
        let (status, body) = order(session, &format!("sick-{fault}-{round}-{number}")).await?;
        ensure!(status == 503 && body["code"] == "overloaded", "a write is answered {status} {body}");
        refused += 1;
        let path = format!("/v1/orders/known-{fault}-{round}");
        let found = session.wire.send(Request::get(&path, &session.till_key)).await.context("a read got no answer")?;
        ensure!(found.status == 200, "a read is answered {}", found.told());
        read += 1;
    }
    Ok((refused, read))
}

/// Once the disk is well, what was refused is done under its key.
async fn healed(session: &Session, round: usize, fault: u8) -> Result<Duration> {
    let began = Instant::now();
    for number in 0..TRIES {
        loop {
            let (status, body) = order(session, &format!("sick-{fault}-{round}-{number}")).await?;
            if status == 201 {
                break;
            }
            ensure!(status == 503 && began.elapsed() < WELL_MAX, "on a well disk a write is answered {status} {body}");
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
    }
    Ok(began.elapsed())
}
