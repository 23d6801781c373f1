//! One crash after the other.

use crate::{
    Asked, Fault, points,
    power::{Leaves, Power},
    product::{Product, Running},
    report::Report,
};
use anyhow::{Context, Result, bail, ensure};
use fanfare_crash::{
    check::{self, Seen},
    money,
    record::Http,
    till::{Codes, Session, Till},
};
use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha8Rng;
use std::{
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::{Duration, Instant},
};
use tokio::task::JoinSet;

/// After how many crashes the shop is closed, its sums are checked, and another one opens on empty data: the cost of a
/// check grows with what is kept.
const SHOP_LASTS: usize = 50;
/// How long tills work at most before the process is killed, in milliseconds.
const LOAD_MAX_MS: u64 = 1_500;
/// At the how-manieth time a place ends the process, at most.
const NTH_MAX: u64 = 60;

/// How a process is to end.
enum End {
    /// By SIGKILL, after so long under load.
    Kill(Duration),
    /// At a place under load, at the n-th time.
    Place(&'static str, u64),
}

/// Runs all cycles.
///
/// # Errors
/// When the harness itself cannot go on; what the product did wrong is in the report.
pub(crate) async fn run(asked: &Asked) -> Result<Report> {
    let began = Instant::now();
    let mut report = Report::default();
    let mut left = asked.cycles;
    let mut shop_number = 0;
    while left > 0 && report.is_clean() {
        let cycles = left.min(SHOP_LASTS);
        let seed = asked.seed.wrapping_add(shop_number);
        shop(asked, seed, cycles, &mut report).await.with_context(|| format!("seed {seed}"))?;
        left -= cycles;
        shop_number += 1;
    }
    report.took = began.elapsed();
    Ok(report)
}

/// A shop from its first day to its last.
async fn shop(asked: &Asked, seed: u64, cycles: usize, report: &mut Report) -> Result<()> {
    let mut product = Product::new(&asked.binary, &asked.work, asked.database.clone())?;
    if matches!(asked.fault, Fault::Power | Fault::LyingDisk) {
        product.disk = Some(Power::new(&asked.shim, &asked.work, asked.fault == Fault::LyingDisk)?);
    }
    let mut chance = ChaCha8Rng::seed_from_u64(seed);
    let codes = Codes::default();
    let mut tills: Vec<Till> = (0..asked.tills).map(|name| Till::new(name, seed, Arc::clone(&codes))).collect();
    let mut limit = money::LIMITS[0];
    let mut running = product.start().await?;
    let mut session = open(&tills, &running).await?;
    for till in &mut tills {
        till.open(&session).await.context("the first orders are not answered")?;
    }
    running.kill()?;
    for cycle in 0..cycles {
        let end = how(&mut chance, cycle, asked.fault);
        let crash_at = match &end {
            End::Place(name, nth) => Some(format!("{name}:{nth}")),
            End::Kill(_) => None,
        };
        let place = match (product.start_armed(crash_at.as_deref()).await?, end) {
            (Some(armed), end) => {
                running = armed;
                report.slowest_start = report.slowest_start.max(running.took);
                session = open_or_dead(&tills, &mut running).await?.unwrap_or(session);
                if chance.random_ratio(1, 3) {
                    limit = money::LIMITS[chance.random_range(0..money::LIMITS.len())];
                    money::write_limit(&product.folder, limit)?;
                }
                load(&mut tills, &session, &mut running, end).await?
            }
            (None, End::Place(name, _)) => format!("{name}, before it served"),
            (None, End::Kill(_)) => bail!("a process that nobody killed ended:\n{}", product.log_tail()),
        };
        *report.places.entry(place).or_default() += 1;
        cut(&product, asked.fault, &mut chance, report)?;
        in_vain(&product, asked.fault, &mut chance, cycle, report).await?;

        running = product.start().await?;
        report.slowest_start = report.slowest_start.max(running.took);
        session = open(&tills, &running).await?;
        let is_last = cycle + 1 == cycles;
        let fresh: usize = tills.iter().map(|till| till.calls.len() - till.fresh).sum();
        report.requests += fresh;
        report.acknowledged +=
            tills.iter().flat_map(|till| &till.calls[till.fresh..]).filter(|call| call.answer.is_some()).count();
        let seen = check_all(&mut tills, &session, is_last).await?;
        report.seen.add(seen);
        if let Err(error) = product.audit().await {
            report.seen.findings.push(format!("after crash {}: {error:#}", cycle + 1));
        }
        report.cycles += 1;
        if is_last && report.is_clean() {
            let mut seen = Seen::default();
            let due = money::sums(&tills, &session, &mut seen).await;
            let at = &running.credentials;
            money::figures(&Http::new(&at.kube_url)?, &at.namespace, &due, limit, &mut seen).await;
            report.seen.add(seen);
        }
        if !report.is_clean() {
            report.seen.findings.push(format!("this was crash {} of seed {seed}", cycle + 1));
            return Ok(());
        }
        running.kill()?;
        eprint!("\r{} crashes, {} requests ", report.cycles, report.requests);
    }
    Ok(())
}

/// The power goes with the process.
fn cut(product: &Product, fault: Fault, chance: &mut ChaCha8Rng, report: &mut Report) -> Result<()> {
    let Some(disk) = &product.disk else { return Ok(()) };
    // What a disk that lies has kept by chance would hide what it lost.
    let leaves: &[Leaves] = match fault {
        Fault::LyingDisk => &[Leaves::Nothing],
        _ => &[Leaves::Nothing, Leaves::Everything, Leaves::SomeBlocks, Leaves::SomeBlocks],
    };
    let leaves = leaves[chance.random_range(0..leaves.len())];
    let taken = disk.cut(&product.data, leaves, chance)?;
    let what = match leaves {
        Leaves::Nothing => "power cut: nothing unsynced is left",
        Leaves::Everything => "power cut: all unsynced is left",
        Leaves::SomeBlocks => "power cut: some unsynced blocks are left",
    };
    *report.places.entry(what.to_owned()).or_default() += 1;
    report.unsynced += taken.unsynced;
    report.syncs += taken.syncs;
    Ok(())
}

/// Every place in turn, each at another time; every third crash is a kill at random.
fn how(chance: &mut ChaCha8Rng, cycle: usize, fault: Fault) -> End {
    let after = Duration::from_millis(chance.random_range(20..LOAD_MAX_MS));
    let nth = chance.random_range(1..=NTH_MAX);
    if fault == Fault::LyingDisk {
        // Late enough that tills were answered, so that there is something to lose.
        return End::Kill(Duration::from_millis(LOAD_MAX_MS));
    }
    if fault == Fault::Power && cycle % 3 != 1 {
        // A start alone takes some; in a commit there are more writes than syncs.
        let sync = chance.random_ratio(1, 2);
        return End::Place(points::ON_DISK[usize::from(!sync)], nth * if sync { 4 } else { 24 });
    }
    if cycle % 3 == 2 {
        return End::Kill(after);
    }
    let turn = cycle / 3 * 2 + cycle % 3;
    End::Place(points::UNDER_LOAD[turn % points::UNDER_LOAD.len()], nth)
}

/// Some starts are ended too, before they serve.
async fn in_vain(
    product: &Product,
    fault: Fault,
    chance: &mut ChaCha8Rng,
    cycle: usize,
    report: &mut Report,
) -> Result<()> {
    let after = Duration::from_millis(chance.random_range(1..800));
    let at = match cycle % 6 {
        1 => Some(points::AT_START[0]),
        3 => Some(points::AT_START[1]),
        5 => None,
        _ => return Ok(()),
    };
    let crash_at = at.map(|name| format!("{name}:1"));
    let most = if at.is_some() { Duration::from_secs(60) } else { after };
    let by_itself = product.start_in_vain(crash_at.as_deref(), most).await?;
    cut(product, fault, chance, report)?;
    ensure!(by_itself || at.is_none(), "the place {at:?} was not reached at a start");
    let place = at.map_or_else(|| "SIGKILL while it starts".to_owned(), |name| format!("{name} (at start)"));
    *report.places.entry(place).or_default() += 1;
    Ok(())
}

pub(crate) async fn open(tills: &[Till], running: &Running) -> Result<Session> {
    let at = &running.credentials;
    let wire = Arc::new(Http::new(&at.api_url)?);
    let mut session = Session::new(wire, &at.terminal_key, &at.integration_key);
    for till in tills {
        ensure!(till.log_in(&mut session).await, "a member cannot log in");
    }
    Ok(session)
}

/// The same with a process that may end meanwhile, since logging in is written too.
async fn open_or_dead(tills: &[Till], running: &mut Running) -> Result<Option<Session>> {
    match open(tills, running).await {
        Ok(session) => Ok(Some(session)),
        Err(error) if running.ends_within(Duration::from_secs(1)).await? => {
            drop(error);
            Ok(None)
        }
        Err(error) => Err(error),
    }
}

/// Lets the tills work until the process has ended; answers where it did.
async fn load(tills: &mut Vec<Till>, session: &Session, running: &mut Running, end: End) -> Result<String> {
    let stop = Arc::new(AtomicBool::new(false));
    let mut work = JoinSet::new();
    for mut till in tills.drain(..) {
        let (session, stop) = (session.clone(), Arc::clone(&stop));
        work.spawn(async move {
            till.work(&session, &stop).await;
            till
        });
    }
    let place = match end {
        End::Kill(after) => {
            tokio::time::sleep(after).await;
            "SIGKILL under load".to_owned()
        }
        End::Place(name, _) if running.ends_within(Duration::from_millis(4 * LOAD_MAX_MS)).await? => name.to_owned(),
        End::Place(name, nth) => format!("SIGKILL, {name} was not reached {nth} times"),
    };
    running.kill()?;
    stop.store(true, Ordering::Relaxed);
    while let Some(till) = work.join_next().await {
        tills.push(till?);
    }
    tills.sort_by_key(|till| till.members.clone());
    Ok(place)
}

pub(crate) async fn check_all(tills: &mut Vec<Till>, session: &Session, everything: bool) -> Result<Seen> {
    let mut checks = JoinSet::new();
    for mut till in tills.drain(..) {
        let session = session.clone();
        checks.spawn(async move {
            let seen = check::journal(&mut till, &session, everything).await;
            (till, seen)
        });
    }
    let mut all = Seen::default();
    while let Some(done) = checks.join_next().await {
        let (till, seen) = done?;
        tills.push(till);
        all.add(seen);
    }
    tills.sort_by_key(|till| till.members.clone());
    Ok(all)
}
