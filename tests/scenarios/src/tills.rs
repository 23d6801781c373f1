//! Tills that sell without a break and keep a journal of what they were told, for scenarios in which something fails.

use crate::{
    customers::{cart, line, paid},
    http::Caller,
    retail::{cents, decimal},
    shop::Shop,
};
use anyhow::{Context, Result, bail, ensure};
use serde_json::Value;
use std::{
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::{Duration, Instant},
};
use tokio::task::JoinHandle;

/// How long a till waits before it tries a call again.
const RETRY_AFTER: Duration = Duration::from_millis(50);

/// One order as a till journals it.
#[derive(Debug)]
pub struct Sale {
    /// The order's id.
    pub id: String,
    /// Under which key it was sent.
    pub key: String,
    /// What was sent.
    pub body: Value,
    /// What was answered, and when, if the till heard it.
    pub answer: Option<(Value, Instant)>,
    /// How often the till was told to try again, or heard nothing.
    pub retries: u32,
}

/// Tills at work.
pub struct Tills {
    stop: Arc<AtomicBool>,
    tills: Vec<JoinHandle<Result<Vec<Sale>>>>,
}

impl Tills {
    /// Has one till sell at each of `callers`, for the members `m0`, `m1` and so on. One that hears nothing, or is told to try
    /// again, sends the same call under the same key to the next of `everywhere`.
    pub fn open(name: &str, callers: &[Caller], everywhere: &[Caller]) -> Self {
        let stop = Arc::new(AtomicBool::new(false));
        let tills = callers.iter().enumerate().map(|(number, caller)| {
            let (name, stop) = (format!("{name}-{number}"), Arc::clone(&stop));
            let (caller, everywhere) = (caller.clone(), everywhere.to_vec());
            tokio::spawn(async move { sell(&name, number, caller, &everywhere, &stop).await })
        });
        Self { tills: tills.collect(), stop }
    }

    /// Has every till finish the call at hand, and returns the journals.
    ///
    /// # Errors
    /// When a till was answered what it should not have been.
    pub async fn close(self) -> Result<Vec<Sale>> {
        self.stop.store(true, Ordering::Relaxed);
        let mut all = Vec::new();
        for till in self.tills {
            all.extend(till.await??);
        }
        Ok(all)
    }
}

async fn sell(name: &str, member: usize, first: Caller, everywhere: &[Caller], stop: &AtomicBool) -> Result<Vec<Sale>> {
    let (mut sales, mut caller, mut next) = (Vec::new(), first, member);
    for number in 0.. {
        let (id, key) = (format!("o-{name}-{number}"), format!("k-{name}-{number}"));
        let body = paid(&id, &cart(&format!("m{member}"), &[line("1", "MUG-01", 1 + number % 3, "100.00")]));
        let mut sale = Sale { id, key, body, answer: None, retries: 0 };
        while sale.answer.is_none() && !(stop.load(Ordering::Relaxed) && sale.retries > 0) {
            match caller.post_keyed("/v1/orders", &sale.key, &sale.body).await {
                Ok(answer) if answer.status == 201 => sale.answer = Some((answer.body, Instant::now())),
                Ok(answer) if answer.status == 503 => {
                    ensure!(answer.header("retry-after").is_some(), "no Retry-After: {answer:?}");
                    answer.problem(503, "overloaded")?;
                }
                Ok(answer) => bail!("{} was answered {answer:?}", sale.id),
                Err(_) => {}
            }
            if sale.answer.is_none() {
                sale.retries += 1;
                next += 1;
                if let Some(another) = everywhere.get(next % everywhere.len().max(1)) {
                    caller = another.clone();
                }
                tokio::time::sleep(RETRY_AFTER).await;
            }
        }
        sales.push(sale);
        if stop.load(Ordering::Relaxed) {
            break;
        }
    }
    Ok(sales)
}

/// Holds the journals against what `callers` know now, each asked in turn: what was acknowledged is there as it was told,
/// a retry gets the same bytes, what nobody heard of is settled by sending it again, and the campaign's figures are the sum.
///
/// # Errors
/// When something was lost, doubled or changed.
pub async fn settle(shop: &Shop, sales: &[Sale], callers: &[Caller]) -> Result<()> {
    let mut paid_cents = 0;
    for (number, sale) in sales.iter().enumerate() {
        let caller = callers.get(number % callers.len()).context("nobody to ask")?;
        let again = caller.post_keyed("/v1/orders", &sale.key, &sale.body).await?.check(201)?;
        let found = caller.get(&format!("/v1/orders/{}", sale.id)).await?.is(200)?;
        if let Some((answer, _)) = &sale.answer {
            ensure!(again.header("idempotency-replayed").as_deref() == Some("true"), "{} was decided anew", sale.id);
            ensure!(again.body == *answer, "the answer of {} changed: {} was {answer}", sale.id, again.body);
        }
        ensure!(found["state"] == "Committed" && found["payable"] == again.body["payable"], "{} is {found}", sale.id);
        paid_cents += cents(found["payable"].as_str().context("no payable")?)?;
    }
    shop.resource_until("campaign", "sale", |found| {
        let metrics = &found["status"]["metrics"];
        ensure!(metrics["orders"] == sales.len() && metrics["revenue"] == decimal(paid_cents), "{metrics}");
        Ok(())
    })
    .await?;
    Ok(())
}

/// The longest time in which nobody was acknowledged anything, between `from` and the last sale.
pub fn longest_gap(sales: &[Sale], from: Instant) -> Duration {
    let mut heard: Vec<Instant> = sales.iter().filter_map(|sale| sale.answer.as_ref().map(|(_, at)| *at)).collect();
    heard.retain(|at| *at >= from);
    heard.push(from);
    heard.sort_unstable();
    heard.windows(2).map(|pair| pair[1] - pair[0]).max().unwrap_or_default()
}
