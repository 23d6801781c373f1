//! The worker: does what falls due, and sends what waits.
//!
//! It holds no state that matters: every job is a row and every step a command, so it may stop at any point and another
//! process goes on. Due is by business time; the worker looks again when a job was planned, when the next one falls due,
//! and at the latest after [`LOOK_AGAIN_MS`], since business time may be moved.

use crate::{
    CallError, Command, Engine, Halt, crossings, grants, holds,
    jobs::Task,
    journeys, orders,
    outbox::{Outbox, Sender},
    plans::Plans,
    points, redemptions, settle,
    tx::Tx,
};
use fanfare_store::{Keys, rows::Job};
use futures::{FutureExt, future::join_all};
use std::{pin::pin, sync::Arc, time::Duration};
use tokio::{sync::watch, time::Instant};

/// How many due jobs are taken at once; each is one command, and a batch folds them.
pub const DUE_MAX: usize = 256;
/// The longest that the worker waits before it looks again.
pub const LOOK_AGAIN_MS: u64 = 1_000;
/// Where others may do the same work: the longest that a replica waits before it looks at what fell due.
pub const SPREAD_MS: u64 = 200;
/// How long a job that could not be done waits for its next try, in seconds.
const POSTPONED_S: i64 = 60;

/// One job.
struct Perform {
    job: Job,
    task: Task,
}

impl Command for Perform {
    /// Whether there was something to do.
    type Answer = bool;

    fn prefetch(&self, _: &Plans, keys: &mut Keys) {
        keys.jobs.insert(self.job.id.clone());
        match &self.task {
            Task::Settle(_) => {}
            Task::LapseOrder(id) => {
                keys.orders.insert(id.clone());
                keys.redemptions_of.insert(id.clone());
            }
            Task::LapseRedemption(id) => drop(keys.redemptions.insert(id.clone())),
            Task::ReleaseHold(id) => drop(keys.holds.insert(id.clone())),
            Task::CloseGrant(id) => drop(keys.grants.insert(id.clone())),
            Task::Points(id) => drop(keys.wallets.insert(id.clone())),
            Task::Step(id) => drop(keys.runs.insert(id.clone())),
        }
    }

    fn run(&self, tx: &mut Tx<'_>) -> Result<bool, Halt> {
        // It may have been moved or done since it was seen.
        if tx.job(&self.job.id)?.is_none_or(|job| job.due_at > tx.now) {
            return Ok(false);
        }
        tx.done(&self.job.id);
        match &self.task {
            Task::Settle(name) => settle::settle(tx, name).map(drop)?,
            Task::LapseOrder(id) => orders::lapse(tx, id)?,
            Task::LapseRedemption(id) => redemptions::lapse(tx, id)?,
            Task::ReleaseHold(id) => holds::lapse(tx, id)?,
            Task::CloseGrant(id) => grants::close(tx, id, self.job.due_at)?,
            Task::Points(id) => points::turn(tx, id)?,
            Task::Step(id) => journeys::step(tx, id)?,
        }
        Ok(true)
    }
}

/// Moves a job that could not be done.
struct Postpone(Job);

impl Command for Postpone {
    type Answer = ();

    fn prefetch(&self, _: &Plans, keys: &mut Keys) {
        keys.jobs.insert(self.0.id.clone());
    }

    fn run(&self, tx: &mut Tx<'_>) -> Result<(), Halt> {
        // Another replica may have done it or moved it since.
        if tx.job(&self.0.id)?.is_none_or(|job| job.due_at != self.0.due_at) {
            return Ok(());
        }
        let due_at = tx.now + chrono::TimeDelta::seconds(POSTPONED_S);
        tx.schedule(Job { due_at, ..self.0.clone() });
        Ok(())
    }
}

/// Does every job that is due now; answers how many there were.
///
/// # Errors
/// [`CallError`] when the database does not answer.
pub async fn work_off(engine: &Engine) -> Result<usize, CallError> {
    let mut done = 0;
    loop {
        let due = engine.store().due(engine.namespace(), engine.clock().now(), DUE_MAX).await?;
        let full = due.len() == DUE_MAX;
        let count = due.len();
        let performed = join_all(due.into_iter().map(|job| perform(engine, job))).await;
        for outcome in performed {
            outcome?;
        }
        done += count;
        if !full {
            return Ok(done);
        }
    }
}

async fn perform(engine: &Engine, job: Job) -> Result<(), CallError> {
    let reason = match serde_json::from_value::<Task>(job.task.clone()) {
        Ok(task) => match engine.execute(Perform { job: job.clone(), task }).await?.0 {
            Ok(_) => return Ok(()),
            Err(refused) => refused.refusal.reason.code().to_owned(),
        },
        Err(error) => error.to_string(),
    };
    tracing::error!(job = job.id, reason, "a job could not be done and is tried again later");
    drop(engine.execute(Postpone(job)).await?);
    Ok(())
}

/// Works until `stop` is set: what is under way is finished first.
pub async fn run(engine: Engine, sender: Arc<dyn Sender>, mut stop: watch::Receiver<bool>) {
    let mut outbox = Outbox::default();
    let (mut passes, mut looked) = (0_u64, None);
    while !*stop.borrow() {
        passes += 1;
        let mut woken = pin!(engine.woken().fuse());
        // Registered before it looks, so that what is planned meanwhile wakes it.
        let already = futures::poll!(woken.as_mut()).is_ready();
        let wait = match pass(&engine, &*sender, &mut outbox, &mut looked).await {
            Ok(more) if more || already => continue,
            Ok(_) => until_next(&engine).await,
            Err(error) => {
                tracing::warn!(%error, "the worker could not reach the database and tries again");
                Duration::from_millis(LOOK_AGAIN_MS)
            }
        };
        tokio::select! {
            () = &mut woken => {}
            () = tokio::time::sleep(wait + spread(&engine, passes)) => {}
            changed = stop.changed() => if changed.is_err() { return },
        }
    }
}

/// A moment that differs from replica to replica and from pass to pass.
fn spread(engine: &Engine, passes: u64) -> Duration {
    if !engine.store().shared() {
        return Duration::ZERO;
    }
    // Multiplying by an odd constant spreads neighbouring numbers over the whole range (Knuth, 6.4).
    let mixed = (engine.replica() ^ passes).wrapping_mul(0x9e37_79b9_7f4a_7c15) >> 32;
    Duration::from_millis(mixed % SPREAD_MS)
}

async fn pass(
    engine: &Engine,
    sender: &dyn Sender,
    outbox: &mut Outbox,
    looked: &mut Option<Instant>,
) -> Result<bool, CallError> {
    if looked.is_none_or(|at| at.elapsed() >= Duration::from_millis(LOOK_AGAIN_MS)) {
        engine.look_at_restore().await?;
        *looked = Some(Instant::now());
    }
    let done = duties(engine).await;
    // Messages leave also while something else cannot be done.
    let sent = outbox.pass(engine, sender).await?;
    Ok(done? || sent)
}

/// Does what fell due; answers whether there is more at once.
async fn duties(engine: &Engine) -> Result<bool, CallError> {
    // It waits: a voucher that a restore brought back unused may have been used.
    if engine.awaiting().is_some() {
        return Ok(false);
    }
    work_off(engine).await?;
    Ok(crossings::tell(engine).await?.more)
}

/// How long until the next job falls due.
async fn until_next(engine: &Engine) -> Duration {
    let longest = Duration::from_millis(LOOK_AGAIN_MS);
    if engine.awaiting().is_some() {
        return longest;
    }
    match engine.store().next_due(engine.namespace()).await {
        Ok(Some(due)) => (due - engine.clock().now()).to_std().unwrap_or(Duration::ZERO).min(longest),
        Ok(None) | Err(_) => longest,
    }
}
