//! The course of one seed: days of tills that work through faults, each closed by the checks.

use crate::{
    shop::Shop,
    wire::{self, Line, Queue},
};
use anyhow::{Context, Result, bail};
use fanfare_core::{ids::Name, time::Clock};
use fanfare_crash::{
    check::{self, Seen},
    money::{self, Sums},
    till::{Codes, Session, Till},
};
use fanfare_engine::worker;
use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha8Rng;
use std::{
    collections::{BTreeMap, VecDeque},
    path::Path,
    sync::{Arc, PoisonError},
};
use tokio::task::JoinSet;

/// Tills.
const TILLS: usize = 6;
/// How often a day business time moves on.
const HOURS: usize = 6;
/// How much a till does at most in between.
const STEPS_MAX: usize = 5;
/// How long an hour is at most, in seconds.
const HOUR_MAX_S: i64 = 3 * 3_600;
/// For how many days back answers are asked again: keys are kept for seven, and the clock jumps.
const KEPT_DAYS: usize = 3;
/// How often the scheduler looks for a request of a till that has not asked yet, before that is a fault of its own.
const LOOKS_MAX: usize = 1_000_000;

/// What a course has seen.
#[derive(Debug, Default)]
pub(crate) struct Course {
    /// Virtual days.
    pub(crate) days: usize,
    /// Writes.
    pub(crate) writes: u64,
    /// Faults by kind.
    pub(crate) faults: BTreeMap<&'static str, u64>,
    /// What must not be.
    pub(crate) findings: Vec<String>,
    /// A digest of every answer.
    pub(crate) digest: String,
}

struct Day {
    shop: Shop,
    tills: Vec<Till>,
    sessions: Vec<Session>,
    queue: Queue,
    chance: ChaCha8Rng,
    course: Course,
    hash: blake3::Hasher,
}

/// Runs one seed for so many days.
///
/// # Errors
/// When the simulation itself cannot go on.
pub(crate) async fn run(seed: u64, days: usize) -> Result<Course> {
    // Odd seeds have one process with its own file, even ones two replicas on one database.
    let replicas = 2 - usize::try_from(seed % 2)?;
    let shop = Shop::open(seed, replicas).await?;
    let codes = Codes::default();
    let queue = Queue::default();
    let (till_key, backend_key) = shop.keys.clone();
    let sessions = (0..TILLS)
        .map(|from| Session::new(Arc::new(Line { from, queue: queue.clone() }), &till_key, &backend_key))
        .collect();
    let mut day = Day {
        shop,
        tills: (0..TILLS).map(|name| Till::new(name, seed, codes.clone())).collect(),
        sessions,
        queue,
        chance: ChaCha8Rng::seed_from_u64(seed),
        course: Course::default(),
        hash: blake3::Hasher::new(),
    };
    day.open().await?;
    let mut kept: VecDeque<Vec<usize>> = VecDeque::new();
    while day.course.days < days && day.course.findings.is_empty() {
        kept.push_back(day.tills.iter().map(|till| till.calls.len()).collect());
        if kept.len() > KEPT_DAYS {
            let oldest = kept.pop_front().unwrap_or_default();
            day.tills.iter_mut().zip(oldest).for_each(|(till, from)| till.kept = from);
        }
        day.run().await?;
        day.course.days += 1;
    }
    day.course.faults = day.shop.faults.counts();
    day.course.digest = day.hash.finalize().to_hex().as_str().get(..16).unwrap_or_default().to_owned();
    Ok(day.course)
}

/// What a till does.
#[derive(Clone, Copy, Debug)]
enum Work {
    /// Its members log in and buy for the first time.
    Open,
    /// So many things.
    Steps(usize),
    /// Its journal is held against the shop.
    Check,
}

async fn work(mut till: Till, mut session: Session, work: Work) -> (Till, Session, Seen) {
    let mut seen = Seen::default();
    match work {
        Work::Open => {
            let opened = till.log_in(&mut session).await && till.open(&session).await.is_some();
            seen.findings.extend((!opened).then(|| "a first order was not answered".to_owned()));
        }
        Work::Steps(steps) => till.work_for(&session, steps).await,
        Work::Check => seen = check::journal(&mut till, &session, false).await,
    }
    (till, session, seen)
}

impl Day {
    async fn open(&mut self) -> Result<()> {
        self.all(|_| Work::Open).await
    }

    async fn run(&mut self) -> Result<()> {
        for _ in 0..HOURS {
            self.pass_time();
            self.shop.faults.set(true);
            for engine in &self.shop.engines {
                // What could not be done now is due again the next time.
                drop(worker::work_off(engine).await);
            }
            if self.chance.random_ratio(1, 4) {
                self.author().await?;
            }
            let steps: Vec<usize> = self.tills.iter().map(|_| self.chance.random_range(0..=STEPS_MAX)).collect();
            self.all(|till| Work::Steps(steps.get(till).copied().unwrap_or(0))).await?;
            self.shop.faults.set(false);
            if self.shop.faults.died() {
                self.shop.start().await?;
            }
            self.all(|_| Work::Check).await?;
        }
        self.close().await
    }

    fn pass_time(&mut self) {
        let pass = self.chance.random_range(0..HOUR_MAX_S) * 1_000;
        self.shop.clock.pass(pass);
        match self.chance.random_range(0..24) {
            0 => {
                self.shop.clock.pass(-self.chance.random_range(0..4 * 3_600_000));
                self.shop.faults.count("the clock jumps back");
            }
            1 => {
                self.shop.clock.pass(self.chance.random_range(0..12 * 3_600_000));
                self.shop.faults.count("the clock jumps forward");
            }
            _ => {}
        }
    }

    /// The author changes the campaign's budget; a fault leaves the former one.
    async fn author(&mut self) -> Result<()> {
        let limit = money::LIMITS[self.chance.random_range(0..money::LIMITS.len())];
        let file = Path::new(env!("CARGO_MANIFEST_DIR")).join("../crash/fixtures/shop/sale.yaml");
        let text = money::with_limit(&std::fs::read_to_string(file)?, limit);
        // The database may have died or been cut off at this; the controllers would try again.
        let _ = self.shop.apply(&text).await;
        Ok(())
    }

    /// The end of a day: rows, sums and figures.
    async fn close(&mut self) -> Result<()> {
        for finding in self.shop.verify().await? {
            self.course.findings.push(format!("verify: {finding}"));
        }
        let tills = std::mem::take(&mut self.tills);
        let mut session = self.sessions[0].clone();
        session.tokens = self.sessions.iter().flat_map(|session| session.tokens.clone()).collect();
        let mut tasks = JoinSet::new();
        tasks.spawn(async move {
            let mut seen = Seen::default();
            let due = money::sums(&tills, &session, &mut seen).await;
            (tills, due, seen)
        });
        let (tills, due, seen) = self.drive(tasks).await?.pop().context("the sums were not made")?;
        self.tills = tills;
        self.note(seen);
        for engine in &self.shop.engines {
            let figures = engine.campaign_status(&Name::from("sale")).await?;
            let Some((figures, _)) = figures else { bail!("the campaign is not served") };
            let budget = figures.budget.as_ref();
            let found = Sums {
                actual: budget.map_or(0, |budget| budget.actual.0),
                revenue: figures.revenue.0,
                orders: figures.orders,
                participants: figures.participants,
            };
            if found != due {
                self.course.findings.push(format!("the figures are {found:?}, the record says {due:?}"));
            }
            let most = money::LIMITS.iter().max().copied().unwrap_or(0) * 100;
            if budget.is_some_and(|budget| budget.spent().0 > most) {
                self.course.findings.push(format!("more was spent than any limit ever was: {budget:?}"));
            }
        }
        let day = self.course.days + 1;
        if !self.course.findings.is_empty() {
            let at = self.shop.clock.now();
            self.course.findings.push(format!("this was day {day}, {at}"));
        }
        Ok(())
    }

    fn note(&mut self, seen: Seen) {
        self.course.findings.extend(seen.losses.into_iter().map(|loss| format!("lost: {loss}")));
        self.course.findings.extend(seen.findings);
    }

    /// Every till does its work at once.
    async fn all(&mut self, of: impl Fn(usize) -> Work) -> Result<()> {
        let mut tasks = JoinSet::new();
        let tills = std::mem::take(&mut self.tills).into_iter().zip(std::mem::take(&mut self.sessions));
        for (index, (till, session)) in tills.enumerate() {
            let of = of(index);
            tasks.spawn(async move { (index, work(till, session, of).await) });
        }
        let mut done = self.drive(tasks).await?;
        done.sort_by_key(|(index, _)| *index);
        for (_, (till, session, seen)) in done {
            self.tills.push(till);
            self.sessions.push(session);
            self.note(seen);
        }
        Ok(())
    }

    /// Answers wave after wave until every task has ended.
    async fn drive<T: Send + 'static>(&mut self, mut tasks: JoinSet<T>) -> Result<Vec<T>> {
        let mut done = Vec::new();
        loop {
            let mut looks = 0;
            let waiting = loop {
                while let Some(ended) = tasks.try_join_next() {
                    done.push(ended?);
                }
                if tasks.is_empty() {
                    return Ok(done);
                }
                let mut queue = self.queue.lock().unwrap_or_else(PoisonError::into_inner);
                if queue.len() == tasks.len() {
                    break std::mem::take(&mut *queue);
                }
                drop(queue);
                looks += 1;
                if looks > LOOKS_MAX {
                    bail!("a till neither asks nor ends");
                }
                tokio::task::yield_now().await;
            };
            let wave = wire::answer(waiting, &self.shop.routers, &mut self.chance, self.shop.faults.are_on()).await;
            self.course.writes += wave.writes;
            self.course.findings.extend(wave.findings);
            self.hash.update(&wave.course);
        }
    }
}
