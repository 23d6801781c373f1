//! What memory keeps of the database, and how it follows: plans and members as of one position of the lane.
//!
//! The database is the authority. Where other processes write to it too, each batch leaves its news beside what it
//! wrote ([`crate::news`]); a follower takes them in every [`FOLLOW_EVERY_MS`], and the writer takes in what is missing
//! when it holds the lane, before it decides. Whatever cannot be followed is read anew, while reads go on with what was
//! known.

use crate::{
    Shared, audience,
    audience::{Audience, Members},
    news::News,
    plans::{self, Plans},
    restored,
};
use fanfare_core::{ids::Namespace, time::Ts};
use fanfare_store::{Batch, Error, Position, Result, Store};
use parking_lot::Mutex;
use std::{
    sync::{Arc, Weak},
    time::Duration,
};
use tokio::{sync::watch, time::Instant};

/// How often a replica asks what the others wrote.
pub const FOLLOW_EVERY_MS: u64 = 50;
/// How long nothing may have been heard from the database until what memory keeps counts as stale.
pub const HEARD_WITHIN_MS: u64 = 5_000;
/// How often everything is read anew when batches that cannot be followed come in between.
const READS_MAX: usize = 5;
/// How far the lane may be ahead of this replica's clock before that is worth a warning.
const AHEAD_MAX_MS: i64 = 1_000;

/// How far memory has come.
#[derive(Clone, Copy, Debug)]
struct Place {
    position: Position,
    /// The instant of the batch that reached it, where that is known.
    at: Option<Ts>,
}

/// Plans and members, as of one position.
pub(crate) struct Memory {
    pub(crate) plans: plans::Current,
    pub(crate) audience: Audience,
    /// Held while something is taken in, so that every position is taken in once and in order.
    place: Mutex<Place>,
    reached: watch::Sender<Position>,
    /// Held by whoever reads everything anew.
    reading: tokio::sync::Mutex<()>,
    heard: Mutex<Instant>,
}

/// Everything that memory keeps, read at one go.
struct Whole {
    plans: Plans,
    members: Members,
    place: Place,
}

impl Memory {
    /// Reads a namespace.
    ///
    /// # Errors
    /// The store's, when it cannot be read.
    pub(crate) async fn open(store: &dyn Store, ns: &Namespace) -> Result<Self> {
        let Whole { plans, members, place } = read(store, ns).await?;
        Ok(Self {
            plans: plans::Current::new(plans),
            audience: Audience::from(members),
            place: Mutex::new(place),
            reached: watch::channel(place.position).0,
            reading: tokio::sync::Mutex::new(()),
            heard: Mutex::new(Instant::now()),
        })
    }

    /// How far it has come.
    pub(crate) fn position(&self) -> Position {
        *self.reached.borrow()
    }

    /// Whether it comes as far as `wanted` within `wait`.
    pub(crate) async fn reaches(&self, wanted: Position, wait: Duration) -> bool {
        let mut reached = self.reached.subscribe();
        tokio::time::timeout(wait, reached.wait_for(|position| *position >= wanted))
            .await
            .is_ok_and(|seen| seen.is_ok())
    }

    /// How long the database has not been heard of.
    pub(crate) fn silent_for(&self) -> Duration {
        self.heard.lock().elapsed()
    }

    /// The instant of a batch that is decided when the clock shows `now`: never before that of an earlier batch, whose
    /// replica's clock may be ahead.
    pub(crate) fn instant(&self, now: Ts) -> Ts {
        let last = self.place.lock().at;
        let Some(last) = last.filter(|last| *last > now) else { return now };
        let ahead_ms = (last - now).num_milliseconds();
        if ahead_ms > AHEAD_MAX_MS {
            tracing::warn!(ahead_ms, "the last batch was decided by a clock that is ahead of this one's");
        }
        last
    }

    /// The instant of the last batch, where it is known.
    pub(crate) fn last_at(&self) -> Option<Ts> {
        self.place.lock().at
    }

    /// Takes in what the batch that reached `to` changed, unless that was done. Everything before `to` must have been.
    pub(crate) fn advance(&self, to: Position, news: News) {
        let mut place = self.place.lock();
        if to <= place.position {
            return;
        }
        let News { at, learned, published, retired } = news;
        self.audience.learn(learned, &self.plans.load(), at);
        if !published.is_empty() || !retired.is_empty() {
            self.plans.replace(self.plans.load().with(published, &retired));
        }
        *place = Place { position: to, at: Some(at) };
        self.reached.send_replace(to);
    }

    /// Takes in news in their order; `false` when one says that everything has to be read anew.
    fn take(&self, rows: &fanfare_store::News) -> bool {
        for (position, bytes) in rows {
            match News::read(bytes) {
                Some(news) => self.advance(*position, news),
                None => return false,
            }
        }
        true
    }

    /// Comes as far as the batch at hand, whose lane is held; `false` when everything has to be read anew.
    ///
    /// # Errors
    /// The store's, when it cannot be read.
    pub(crate) async fn catch_up(&self, batch: &mut dyn Batch) -> Result<bool> {
        while self.position() < batch.position() {
            match batch.news(self.position()).await? {
                Some(rows) if !rows.is_empty() && self.take(&rows) => {}
                _ => return Ok(false),
            }
        }
        Ok(self.position() == batch.position())
    }

    /// Comes as far as the database is.
    ///
    /// # Errors
    /// The store's, when it cannot be read.
    pub(crate) async fn follow(&self, store: &dyn Store, ns: &Namespace) -> Result<()> {
        loop {
            let rows = store.news(ns, self.position()).await?;
            *self.heard.lock() = Instant::now();
            match rows {
                Some(rows) if rows.is_empty() => return Ok(()),
                Some(rows) if self.take(&rows) => {}
                _ => return self.reread(store, ns).await,
            }
        }
    }

    /// Reads everything anew, beside what is known meanwhile.
    ///
    /// # Errors
    /// The store's, when it cannot be read. [`Error::Restored`] when the lane is behind what was known: a snapshot was put
    /// back, or whatever else the database itself does not show.
    pub(crate) async fn reread(&self, store: &dyn Store, ns: &Namespace) -> Result<()> {
        let known = self.position();
        let _alone = self.reading.lock().await;
        if self.position() > known {
            return Ok(()); // Another has just done it.
        }
        let found = store.position(ns).await?;
        // A reader may have been led to a standby that lags behind: the lane itself is where the others wrote.
        if found < known && store.begin(ns).await?.position() >= known {
            return Err(Error::Unavailable(format!("a reader of {ns} lags behind the database")));
        }
        if found < known {
            let why = format!("the lane of {ns} went back from {} to {}: a backup was put back", known.0, found.0);
            return Err(restored::went_back(store, &why).await);
        }
        tracing::info!(namespace = ns.as_str(), "what memory keeps is read anew");
        let Whole { plans, members, place: read } = read(store, ns).await?;
        let mut place = self.place.lock();
        if read.position <= place.position {
            return Ok(());
        }
        self.audience.replace(members);
        self.plans.replace(plans);
        *place = read;
        self.reached.send_replace(read.position);
        *self.heard.lock() = Instant::now();
        Ok(())
    }
}

/// Reads plans and members as of one position, although others write meanwhile: what they wrote since the start is taken
/// in afterwards, which changes nothing where it was read already.
async fn read(store: &dyn Store, ns: &Namespace) -> Result<Whole> {
    for _ in 0..READS_MAX {
        let position = store.position(ns).await?;
        let at = if store.shared() { instant_of(store, ns, position).await? } else { None };
        let plans = Plans::of(store.published(ns).await?);
        let members = audience::read(store, ns).await?;
        let mut whole = Whole { plans, members, place: Place { position, at } };
        if !store.shared() || whole.follow(store, ns).await? {
            return Ok(whole);
        }
    }
    Err(Error::Unavailable(format!("{ns} changed {READS_MAX} times so much that it could not be read")))
}

/// When the batch that reached `position` was decided, where its news are kept.
async fn instant_of(store: &dyn Store, ns: &Namespace, position: Position) -> Result<Option<Ts>> {
    if position == Position::default() {
        return Ok(None);
    }
    let rows = store.news(ns, Position(position.0 - 1)).await?.unwrap_or_default();
    Ok(rows.iter().find(|(reached, _)| *reached == position).and_then(|(_, bytes)| News::instant(bytes)))
}

impl Whole {
    /// Takes in what was written since; `false` when it cannot be followed.
    async fn follow(&mut self, store: &dyn Store, ns: &Namespace) -> Result<bool> {
        loop {
            let Some(rows) = store.news(ns, self.place.position).await? else { return Ok(false) };
            if rows.is_empty() {
                return Ok(true);
            }
            for (position, bytes) in rows {
                let Some(News { at, learned, published, retired }) = News::read(&bytes) else { return Ok(false) };
                drop(learned.take_into(&mut self.members));
                if !published.is_empty() || !retired.is_empty() {
                    self.plans = self.plans.with(published, &retired);
                }
                self.place = Place { position, at: Some(at) };
            }
        }
    }
}

/// Follows until the engine is dropped.
pub(crate) async fn follow(shared: Weak<Shared>) {
    let mut faults = 0_u64;
    loop {
        tokio::time::sleep(Duration::from_millis(FOLLOW_EVERY_MS)).await;
        let Some(shared) = shared.upgrade() else { return };
        let Shared { memory, store, namespace, .. } = &*shared;
        match memory.follow(&**store, namespace).await {
            Ok(()) if faults > 0 => {
                tracing::info!(faults, "the database is followed again");
                faults = 0;
            }
            Ok(()) => {}
            Err(error) => {
                if faults == 0 {
                    tracing::warn!(%error, "the database cannot be followed; reads go on with what is known");
                }
                faults += 1;
            }
        }
    }
}

/// Takes the lane, with memory as far as the lane has come.
///
/// # Errors
/// The store's.
pub(crate) async fn begin(shared: &Shared) -> Result<Box<dyn Batch + '_>> {
    let Shared { memory, store, namespace, .. } = shared;
    for _ in 0..READS_MAX {
        let mut batch = store.begin(namespace).await?;
        if !store.shared() || memory.catch_up(&mut *batch).await? {
            return Ok(batch);
        }
        // Others go on meanwhile.
        drop(batch);
        memory.reread(&**store, namespace).await?;
    }
    Err(Error::Unavailable("memory could not come as far as the lane".into()))
}

/// What an answer may be asked to wait for, and how well it is known.
impl crate::Engine {
    /// How far what this replica knows has come.
    pub fn position(&self) -> Position {
        self.shared.memory.position()
    }

    /// Whether this replica comes as far as `position` within `wait`.
    pub async fn reaches(&self, position: Position, wait: Duration) -> bool {
        self.shared.memory.reaches(position, wait).await
    }

    /// How long it has heard nothing of a database that others write to; zero where nobody else does.
    pub fn silent_for(&self) -> Duration {
        match self.shared.store.shared() {
            true => self.shared.memory.silent_for(),
            false => Duration::ZERO,
        }
    }

    /// The instant of the last batch, where it is known: business time does not go back behind it.
    pub fn last_at(&self) -> Option<Ts> {
        self.shared.memory.last_at()
    }

    /// The plans in force.
    pub fn plans(&self) -> Arc<Plans> {
        self.shared.memory.plans.load()
    }

    /// The members as memory keeps them.
    pub fn audience(&self) -> &Audience {
        &self.shared.memory.audience
    }
}
