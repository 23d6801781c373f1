//! A store that fails as databases fail: before a write, after it, in its middle, and for good.
//!
//! It hands everything on to a real one. With `shared` it also keeps the news of each batch, as a database server does that
//! several replicas write to.

use fanfare_core::{
    ids::{AccountId, Code, GrantId, MemberId, Name, Namespace, OrderId, RedemptionId},
    ledger::Entry,
    model::Kind,
    time::Ts,
};
use fanfare_store::{
    Answer, Batch, Error, Keys, News, Page, Position, Result, Rows, SqliteStore, Store, Writes,
    reports::{self, Inspection},
    rows::{
        self, Audit, Credential, Event, Grant, Job, LedgerLine, Member, Message, Order, Published, Redemption,
        RefreshToken, Run,
    },
};
use futures::stream::BoxStream;
use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha8Rng;
use std::{
    collections::BTreeMap,
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicBool, Ordering},
    },
};

/// What can go wrong with a batch, and how often in a thousand.
const CONFLICT: u32 = 60;
const REFUSED: u32 = 50;
const UNKNOWN: u32 = 60;
const CRASH_BEFORE: u32 = 15;
const CRASH_AFTER: u32 = 15;

/// What goes wrong, and what has.
#[derive(Debug)]
pub(crate) struct Faults {
    chance: Mutex<ChaCha8Rng>,
    on: AtomicBool,
    /// The process has died: nothing it asks is answered any more.
    dead: AtomicBool,
    shared: bool,
    counts: Mutex<BTreeMap<&'static str, u64>>,
    news: Mutex<Vec<(Position, Vec<u8>)>>,
}

fn locked<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

fn gone<T>(what: &str) -> Result<T> {
    Err(Error::Unavailable(what.to_owned()))
}

impl Faults {
    /// None yet.
    pub(crate) fn new(seed: u64, shared: bool) -> Arc<Self> {
        Arc::new(Self {
            chance: Mutex::new(ChaCha8Rng::seed_from_u64(seed)),
            on: AtomicBool::new(false),
            dead: AtomicBool::new(false),
            shared,
            counts: Mutex::default(),
            news: Mutex::default(),
        })
    }

    /// Lets them happen, or not.
    pub(crate) fn set(&self, on: bool) {
        self.on.store(on, Ordering::SeqCst);
    }

    /// Whether they may happen now.
    pub(crate) fn are_on(&self) -> bool {
        self.on.load(Ordering::SeqCst)
    }

    /// Whether the process has died since the last time that this was asked; another one lives from then on.
    pub(crate) fn died(&self) -> bool {
        self.dead.swap(false, Ordering::SeqCst)
    }

    /// How often each has happened.
    pub(crate) fn counts(&self) -> BTreeMap<&'static str, u64> {
        locked(&self.counts).clone()
    }

    /// Notes one.
    pub(crate) fn count(&self, what: &'static str) {
        *locked(&self.counts).entry(what).or_default() += 1;
    }

    fn happens(&self, per_mille: u32, what: &'static str) -> bool {
        let happens = self.on.load(Ordering::SeqCst) && locked(&self.chance).random_ratio(per_mille, 1_000);
        if happens {
            self.count(what);
        }
        happens
    }

    fn alive(&self) -> Result<()> {
        if self.dead.load(Ordering::SeqCst) { gone("the process has died") } else { Ok(()) }
    }
}

/// The store.
pub(crate) struct Faulty {
    /// Where everything really is.
    pub(crate) inner: Arc<SqliteStore>,
    /// What goes wrong.
    pub(crate) faults: Arc<Faults>,
}

struct FaultyBatch<'a> {
    inner: Box<dyn Batch + 'a>,
    faults: &'a Faults,
}

impl Batch for FaultyBatch<'_> {
    fn position(&self) -> Position {
        self.inner.position()
    }

    fn news<'a>(&'a mut self, since: Position) -> Answer<'a, Option<News>> {
        Box::pin(async move { Ok(Some(behind(self.faults, since))) })
    }

    fn load<'a>(&'a mut self, keys: &'a Keys) -> Answer<'a, Rows> {
        Box::pin(async move {
            self.faults.alive()?;
            if self.faults.happens(REFUSED / 4, "a read fails") {
                return gone("a read failed");
            }
            self.inner.load(keys).await
        })
    }

    fn commit<'a>(self: Box<Self>, mut writes: Writes) -> Answer<'a, Position>
    where
        Self: 'a,
    {
        Box::pin(async move {
            let Self { inner, faults } = *self;
            faults.alive()?;
            if faults.happens(CONFLICT, "a conflict") {
                return Err(Error::Conflict("another was faster".into()));
            }
            if faults.happens(REFUSED, "a write fails") {
                return gone("a write failed");
            }
            if faults.happens(CRASH_BEFORE, "a crash before the commit") {
                faults.dead.store(true, Ordering::SeqCst);
                return gone("the process has died");
            }
            let news = writes.news.take();
            let position = inner.commit(writes).await?;
            if let Some(news) = news {
                locked(&faults.news).push((position, news));
            }
            if faults.happens(CRASH_AFTER, "a crash between commit and answer") {
                faults.dead.store(true, Ordering::SeqCst);
                return gone("the process has died");
            }
            if faults.shared && faults.happens(UNKNOWN, "a commit whose outcome is not known") {
                return gone("the connection was cut");
            }
            Ok(position)
        })
    }
}

fn behind(faults: &Faults, since: Position) -> News {
    locked(&faults.news).iter().filter(|(position, _)| *position > since).cloned().collect()
}

/// Reads that fail only with the process.
macro_rules! handed_on {
    ($($name:ident($($arg:ident: $kind:ty),*) -> $of:ty;)*) => {
        $(fn $name<'a>(&'a self, $($arg: $kind),*) -> Answer<'a, $of> {
            Box::pin(async move {
                self.faults.alive()?;
                self.inner.$name($($arg),*).await
            })
        })*
    };
}

macro_rules! streamed {
    ($($name:ident -> $of:ty;)*) => {
        $(fn $name<'a>(&'a self, ns: &'a Namespace) -> BoxStream<'a, Result<$of>> {
            self.inner.$name(ns)
        })*
    };
}

impl Store for Faulty {
    fn begin<'a>(&'a self, namespace: &'a Namespace) -> Answer<'a, Box<dyn Batch + 'a>> {
        Box::pin(async move {
            self.faults.alive()?;
            if self.faults.happens(REFUSED, "the lane is not given") {
                return gone("no connection");
            }
            let inner = self.inner.begin(namespace).await?;
            Ok(Box::new(FaultyBatch { inner, faults: &self.faults }) as Box<dyn Batch + 'a>)
        })
    }

    fn incarnation(&self) -> i64 {
        self.inner.incarnation()
    }

    fn shared(&self) -> bool {
        self.faults.shared
    }

    fn time(&self) -> Answer<'_, Option<Ts>> {
        self.inner.time()
    }

    fn news<'a>(&'a self, _: &'a Namespace, since: Position) -> Answer<'a, Option<News>> {
        Box::pin(async move { Ok(Some(behind(&self.faults, since))) })
    }

    fn ping(&self) -> Answer<'_, ()> {
        self.inner.ping()
    }

    fn namespaces(&self) -> Answer<'_, Vec<Namespace>> {
        self.inner.namespaces()
    }

    streamed! {
        members -> Member;
        events -> Event;
        lists -> (Name, MemberId);
        participations -> rows::Participation;
    }

    fn ledger<'a>(&'a self, ns: &'a Namespace, from: Position) -> BoxStream<'a, Result<LedgerLine>> {
        self.inner.ledger(ns, from)
    }

    handed_on! {
        position(ns: &'a Namespace) -> Position;
        published(ns: &'a Namespace) -> Vec<Published>;
        counters(ns: &'a Namespace, prefix: &'a str) -> Vec<(String, i64)>;
        balances(ns: &'a Namespace, prefix: &'a str) -> Vec<Entry>;
        member(ns: &'a Namespace, id: &'a MemberId) -> Option<Member>;
        grants_of(ns: &'a Namespace, member: &'a MemberId, state: Option<rows::GrantState>, page: Page) -> Vec<Grant>;
        grant(ns: &'a Namespace, id: &'a GrantId) -> Option<Grant>;
        imported_code(ns: &'a Namespace, code: &'a Code) -> Option<rows::Pooled>;
        order(ns: &'a Namespace, id: &'a OrderId) -> Option<Order>;
        redemption(ns: &'a Namespace, id: &'a RedemptionId) -> Option<Redemption>;
        redemptions_of(ns: &'a Namespace, order: &'a OrderId) -> Vec<Redemption>;
        inbox(ns: &'a Namespace, member: &'a MemberId, page: Page) -> Vec<Message>;
        wallet_lines(ns: &'a Namespace, account: &'a AccountId, page: Page) -> Vec<LedgerLine>;
        audit(ns: &'a Namespace, page: Page) -> Vec<Audit>;
        due(ns: &'a Namespace, now: Ts, limit: usize) -> Vec<Job>;
        next_due(ns: &'a Namespace) -> Option<Ts>;
        outbox(ns: &'a Namespace, limit: usize) -> Vec<Message>;
        sending(ns: &'a Namespace, limit: usize) -> Vec<Message>;
        credential(digest: &'a str) -> Option<Credential>;
        credentials(ns: &'a Namespace) -> Vec<Credential>;
        refresh_token(digest: &'a str) -> Option<RefreshToken>;
        setting(name: &'a str) -> Option<Vec<u8>>;
        set_setting(name: &'a str, value: &'a [u8]) -> ();
        first_setting(name: &'a str, value: &'a [u8]) -> Vec<u8>;
        restored(why: &'a str) -> i64;
        raise(setting: &'a str) -> i64;
        revisions(ns: &'a Namespace, kind: Kind, name: &'a Name) -> Vec<Published>;
        runs(ns: &'a Namespace, automation: &'a Name, page: Page) -> Vec<Run>;
        cut(ns: &'a Namespace, asked: &'a reports::Asked) -> reports::Cut;
        exceptions(ns: &'a Namespace, of: &'a reports::ExceptionsOf, page: Page) -> Vec<Audit>;
        answered(ns: &'a Namespace, source: &'a str, answers: &'a str, open: bool, page: Page)
            -> Vec<(Event, Option<Event>)>;
        inspect(ns: &'a Namespace) -> Inspection;
    }
}
