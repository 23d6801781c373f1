//! kill -9 in the middle of work: what was acknowledged is there, what was not is all there or not at all.

use crate::MIDDAY;
use anyhow::{Context, Result, ensure};
use fanfare_scenarios::{
    customers::{buy_big, cart, claim_coupon, line, paid},
    folder::{example, fixture},
    http::Caller,
    shop::{Shop, Start},
    wait,
};
use serde_json::{Value, json};
use std::{
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};
use tokio::sync::Mutex;

/// How many customers come at once.
const TILLS: usize = 8;

/// One order as a till journals it: what it sent under which key, and what it was answered, if it was.
struct Journal {
    id: String,
    key: String,
    body: Value,
    answer: Option<Value>,
}

/// Sends orders until it is told to stop or the shop is gone.
async fn shopping(till: Caller, name: usize, round: usize, stop: Arc<AtomicBool>, journal: Arc<Mutex<Vec<Journal>>>) {
    for number in 0.. {
        if stop.load(Ordering::Relaxed) {
            return;
        }
        let (id, key) = (format!("o-{round}-{name}-{number}"), format!("key-{round}-{name}-{number}"));
        let body = paid(&id, &cart(&format!("m{name}"), &[line("1", "MUG-01", 1 + number % 3, "100.00")]));
        let answer = till.post_keyed("/v1/orders", &key, &body).await.ok();
        let gone = answer.is_none();
        // An answer other than 201 here is a fault that the check below finds by its missing order.
        let answer = answer.map(|answer| answer.body);
        journal.lock().await.push(Journal { id, key, body, answer });
        if gone {
            return;
        }
    }
}

#[tokio::test]
async fn what_was_acknowledged_before_a_kill_is_there_afterwards_and_a_retry_gets_the_same_answer() -> Result<()> {
    let mut shop = Shop::open(&fixture("shop"), Start::at(MIDDAY)).await?;
    shop.ready().await?;
    for name in 0..TILLS {
        shop.member(&format!("m{name}")).await?;
    }
    let journal = Arc::new(Mutex::new(Vec::new()));
    for (round, run_ms) in [150_u64, 700, 1_500].into_iter().enumerate() {
        let stop = Arc::new(AtomicBool::new(false));
        let customers: Vec<_> = (0..TILLS)
            .map(|name| tokio::spawn(shopping(shop.till(), name, round, Arc::clone(&stop), Arc::clone(&journal))))
            .collect();
        tokio::time::sleep(Duration::from_millis(run_ms)).await;
        shop.kill()?;
        stop.store(true, Ordering::Relaxed);
        for customer in customers {
            customer.await?;
        }
        shop.start_again().await?;
        shop.audit().await?;
    }

    let journal = journal.lock().await;
    let (till, mut known, mut paid_cents) = (shop.till(), 0, 0);
    let acknowledged = journal.iter().filter(|entry| entry.answer.is_some()).count();
    ensure!(acknowledged > 20, "only {acknowledged} orders got through; this shows nothing");
    for entry in journal.iter() {
        let found = till.get(&format!("/v1/orders/{}", entry.id)).await?;
        let Some(answer) = &entry.answer else {
            // Nobody heard of it. Sending it again settles it, whichever way it went.
            till.post_keyed("/v1/orders", &entry.key, &entry.body).await?.is(201)?;
            known += 1;
            paid_cents += fanfare_scenarios::retail::cents(till_payable(&till, &entry.id).await?.as_str())?;
            continue;
        };
        let found = found.is(200).with_context(|| format!("{} was acknowledged", entry.id))?;
        ensure!(found["state"] == "Committed" && found["payable"] == answer["payable"], "{found} is not {answer}");
        let again = till.post_keyed("/v1/orders", &entry.key, &entry.body).await?.check(201)?;
        ensure!(again.header("idempotency-replayed").as_deref() == Some("true"), "{again:?}");
        ensure!(again.body == *answer, "the stored answer of {} changed: {} was {answer}", entry.id, again.body);
        known += 1;
        paid_cents += fanfare_scenarios::retail::cents(found["payable"].as_str().context("no payable")?)?;
    }
    shop.resource_until("campaign", "sale", |found| {
        let metrics = &found["status"]["metrics"];
        ensure!(metrics["orders"] == known && metrics["participants"] == TILLS);
        ensure!(metrics["revenue"] == fanfare_scenarios::retail::decimal(paid_cents));
        Ok(())
    })
    .await?;
    shop.close().await
}

async fn till_payable(till: &Caller, order: &str) -> Result<String> {
    let found = till.get(&format!("/v1/orders/{order}")).await?.is(200)?;
    Ok(found["payable"].as_str().context("no payable")?.to_owned())
}

#[tokio::test]
async fn a_kill_keeps_vouchers_sessions_and_resources() -> Result<()> {
    let mut shop = Shop::open(&fixture("shop"), Start::at(MIDDAY)).await?;
    shop.ready().await?;
    let ann = shop.member("ann").await?;
    buy_big(&shop, "ann", "order-1").await?;
    let (grant, code) = claim_coupon(&ann).await?;
    let before = shop.resource("campaign", "sale").await?;
    shop.kill()?;
    shop.start_again().await?;
    shop.ready().await?;
    let after = shop.resource("campaign", "sale").await?;
    ensure!(after["metadata"]["uid"] == before["metadata"]["uid"], "the resource is another");
    ensure!(after["status"]["revision"] == before["status"]["revision"], "nothing changed, yet it was published anew");
    let ann = shop.member("ann").await?;
    let kept = ann.get(&format!("/v1/grants/{grant}")).await?.is(200)?;
    ensure!(kept["state"] == "Claimed", "{kept}");
    fanfare_scenarios::customers::redeem(&shop.till(), &code, "order-2").await?.is(201)?;
    shop.close().await
}

#[tokio::test]
async fn the_demo_survives_a_kill_in_its_middle() -> Result<()> {
    let mut shop = Shop::open(&example("double-11"), Start { clock: None, demo: true }).await?;
    let took_part = |found: &Value| {
        let participants = found["status"]["metrics"]["participants"].as_i64().unwrap_or(0);
        ensure!(participants > 0, "nobody takes part yet");
        Ok(())
    };
    let before = shop.resource_until("campaign", "double-11", took_part).await?;
    shop.kill()?;
    shop.start_again().await?;
    shop.ready().await?;
    let (after, _) = wait::until("the figures", wait::STATUS, async || {
        let after = shop.resource("campaign", "double-11").await?;
        for figure in ["participants", "orders", "issued", "redeemed"] {
            let of = |resource: &Value| resource["status"]["metrics"][figure].as_i64().unwrap_or(0);
            ensure!(of(&after) >= of(&before), "{figure} fell from {} to {}", of(&before), of(&after));
        }
        Ok(after)
    })
    .await?;
    ensure!(after["status"]["metrics"] != json!(null));
    shop.close().await
}
