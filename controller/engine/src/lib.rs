//! Use-cases: each is one file, and one decision inside one batch.
//!
//! A [`Command`] is a value that decides on a [`Tx`]: a view of rows and counters with everything that the batch has
//! decided before it. It does no I/O and takes no clock. Where a row that it needs is not loaded it stops with
//! [`Halt::Missing`]; the [`writer`] loads it and runs the command again. The writer folds many commands into one
//! transaction, commits once, updates what memory keeps ([`memory`]) and only then answers each.
//!
//! SQL, HTTP and Kubernetes are not known here. Start at [`Engine`], then [`tx`], then any use-case.

pub mod act;
pub mod adjustments;
pub mod attribution;
pub mod audience;
pub(crate) mod budget;
pub mod cards;
pub mod carts;
pub(crate) mod concurrency;
pub mod credentials;
pub mod crossings;
pub mod days;
pub mod declared;
pub(crate) mod earn;
pub(crate) mod effects;
mod emitted;
pub mod exceptions;
pub mod export;
pub mod fault;
pub mod feed;
pub mod give;
pub mod grants;
pub mod holds;
pub mod inbox;
pub mod ingest;
pub mod jobs;
pub mod join;
pub mod journeys;
pub(crate) mod knowledge;
pub mod lists;
pub mod logins;
pub mod members;
pub mod memory;
pub mod mint;
pub(crate) mod news;
pub mod orders;
pub mod origin;
pub mod outbox;
pub mod plans;
pub mod points;
pub mod pool;
pub mod prints;
pub mod progress;
pub mod publish;
mod reached;
pub mod redemptions;
pub mod reports;
pub mod restored;
pub mod rollup;
pub mod segments;
pub mod settle;
pub(crate) mod shared;
pub(crate) mod shown;
pub mod stats;
pub mod suspend;
pub mod thresholds;
pub(crate) mod touch;
pub mod transfer;
pub mod tx;
pub mod vouchers;
pub(crate) mod wallet;
pub mod worker;
pub mod writer;

use fanfare_core::{
    cart::Evaluation,
    ids::Namespace,
    reason::{Reason, Refusal},
    time::{Clock, Ts},
};
/// The rows and errors of the database, for rooms that see it through the engine alone.
pub use fanfare_store as store;
use fanfare_store::{Fence, Keys, Position, Store};
use memory::Memory;
use plans::Plans;
use std::sync::Arc;
use thiserror::Error;
use tx::Tx;

/// A use-case as a value.
pub trait Command: Send + 'static {
    /// What it answers when it was decided.
    type Answer: Send + 'static;

    /// Like [`Command::prefetch`], but for rows of members that say nothing more than memory knows. What it leaves out must
    /// not be asked for while memory still knows it.
    fn prefetch_beside(&self, plans: &Plans, audience: &audience::Audience, keys: &mut Keys) {
        let _ = audience;
        self.prefetch(plans, keys);
    }

    /// Names the rows that it is known to need, so that a batch loads them at once. Forgetting one costs a second look
    /// at the database, never correctness.
    fn prefetch(&self, plans: &Plans, keys: &mut Keys) {
        let _ = (plans, keys);
    }

    /// Whether it may move value while nobody knows yet what a restored backup lacks: what a till's journal says was paid
    /// `before` the restore was seen, and what people publish or correct by name. The rest waits; see
    /// [`CallError::AwaitingReconciliation`]. Whatever wraps a command hands this on.
    fn is_fact(&self, before: Ts) -> bool {
        let _ = before;
        false
    }

    /// Decides. Whatever it changed on `tx` is undone unless it answers `Ok`. May run more than once.
    ///
    /// # Errors
    /// [`Halt::Missing`] to be run again with more rows, [`Halt::Refused`] when the answer is no.
    fn run(&self, tx: &mut Tx<'_>) -> Result<Self::Answer, Halt>;
}

/// Why a command did not come to an answer.
#[derive(Debug)]
pub enum Halt {
    /// A row is not loaded yet.
    Missing,
    /// The answer is no.
    Refused(Box<Refused>),
    /// It waits until somebody answers for a restore.
    Awaits,
}

impl From<fanfare_core::mechanic::Missing> for Halt {
    fn from(_: fanfare_core::mechanic::Missing) -> Self {
        Self::Missing
    }
}

impl From<Refusal> for Halt {
    fn from(refusal: Refusal) -> Self {
        Self::Refused(Box::new(refusal.into()))
    }
}

impl From<Refused> for Halt {
    fn from(refused: Refused) -> Self {
        Self::Refused(Box::new(refused))
    }
}

/// Stops a command with a refusal.
///
/// # Errors
/// Always: it is written `return refuse(…)`.
pub fn refuse<T>(reason: Reason, detail: impl Into<String>) -> Result<T, Halt> {
    Err(Refusal::new(reason, detail).into())
}

/// A refusal with what a caller needs to understand it.
#[derive(Clone, Debug, PartialEq)]
pub struct Refused {
    /// Code and sentence.
    pub refusal: Refusal,
    /// Every reason, where there can be several (`not-qualified`).
    pub reasons: Vec<Refusal>,
    /// The evaluation that refused an order (`order-refused`, `price-changed`).
    pub evaluation: Option<Evaluation>,
}

impl From<Refusal> for Refused {
    fn from(refusal: Refusal) -> Self {
        Self { refusal, reasons: Vec::new(), evaluation: None }
    }
}

/// Why a call got no decision.
#[derive(Debug, Error)]
pub enum CallError {
    /// The idempotency key was used with another body.
    #[error("the idempotency key was used with another request")]
    KeyReused,
    /// The queue is full; nothing was decided.
    #[error("too much is waiting to be decided")]
    Overloaded,
    /// The database was restored and it is not known yet what it lacks, so that nothing that moves value is decided.
    #[error("the database was restored and awaits its reconciliation")]
    AwaitingReconciliation,
    /// The database did not take the batch; a retry with the same key finds out.
    #[error(transparent)]
    Store(#[from] StoreFault),
    /// The engine was stopped.
    #[error("the engine was stopped")]
    Stopped,
}

impl CallError {
    /// Whether somebody else has won the right to write that this was decided under.
    pub fn is_fenced(&self) -> bool {
        matches!(self, Self::Store(StoreFault(error)) if matches!(**error, fanfare_store::Error::Fenced(_)))
    }

    /// Whether one command of a batch may have kept the others from being written.
    fn is_of_the_batch(&self) -> bool {
        use fanfare_store::Error;
        matches!(self, Self::Store(StoreFault(error)) if matches!(**error, Error::Conflict(_) | Error::Corrupt(_)))
    }
}

/// A fault of the database, as every command of the failed batch is told.
#[derive(Clone, Debug, Error)]
#[error("{0}")]
pub struct StoreFault(pub Arc<fanfare_store::Error>);

impl From<fanfare_store::Error> for CallError {
    fn from(error: fanfare_store::Error) -> Self {
        Self::Store(StoreFault(Arc::new(error)))
    }
}

/// How an answer is written down for whoever asks again with the same key.
pub type Render<A> = Box<dyn Fn(&Result<A, Refused>) -> (u16, Vec<u8>) + Send>;

/// What makes a call exactly-once.
pub struct Keyed<A> {
    /// The terminal, client or member that chose the key.
    pub scope: String,
    /// Its key.
    pub key: String,
    /// Digest of operation and body.
    pub digest: String,
    /// How the answer is written down.
    pub render: Render<A>,
}

/// An answer as it was or is written down.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Replied {
    /// The HTTP status.
    pub status: u16,
    /// The body.
    pub body: Vec<u8>,
    /// Whether it is the stored answer of an earlier call.
    pub replayed: bool,
    /// Where the lane stood after it.
    pub position: Position,
}

/// The engine of one namespace. Cheap to clone.
#[derive(Clone)]
pub struct Engine {
    shared: Arc<Shared>,
}

/// What the writer, the reads and the workers share.
pub(crate) struct Shared {
    pub(crate) namespace: Namespace,
    pub(crate) store: Arc<dyn Store>,
    pub(crate) clock: Arc<dyn Clock>,
    pub(crate) memory: Memory,
    pub(crate) wake: tokio::sync::Notify,
    pub(crate) replica: u64,
    pub(crate) stats: stats::Stats,
    pub(crate) fence: Option<Fence>,
    pub(crate) awaits: parking_lot::Mutex<Option<restored::Awaiting>>,
    queue: tokio::sync::mpsc::Sender<writer::Queued>,
    room: Arc<tokio::sync::Semaphore>,
}

impl Engine {
    /// Opens a namespace: reads from the database what memory keeps, and starts its writer and, where others write to the
    /// database too, its follower.
    ///
    /// # Errors
    /// A store's error when the database cannot be read.
    pub async fn open(
        namespace: Namespace,
        store: Arc<dyn Store>,
        clock: Arc<dyn Clock>,
        seed: [u8; 32],
    ) -> Result<Self, CallError> {
        Self::start(namespace, store, clock, seed, None).await
    }

    /// As [`Engine::open`], for somebody who can lose the right to write: nothing is written once the fence was raised.
    ///
    /// # Errors
    /// As [`Engine::open`].
    pub async fn open_under(
        fence: Fence,
        namespace: Namespace,
        store: Arc<dyn Store>,
        clock: Arc<dyn Clock>,
        seed: [u8; 32],
    ) -> Result<Self, CallError> {
        Self::start(namespace, store, clock, seed, Some(fence)).await
    }

    async fn start(
        namespace: Namespace,
        store: Arc<dyn Store>,
        clock: Arc<dyn Clock>,
        seed: [u8; 32],
        fence: Option<Fence>,
    ) -> Result<Self, CallError> {
        let memory = Memory::open(&*store, &namespace).await?;
        fanfare_store::fault_points::reach("rebuilt");
        let (queue, commands) = tokio::sync::mpsc::channel(writer::QUEUE_MAX);
        let wake = tokio::sync::Notify::new();
        let replica = mint::number_of(&seed);
        let room = Arc::new(tokio::sync::Semaphore::new(writer::MANY_QUEUE_MAX));
        let stats = stats::Stats::default();
        let awaits = restored::awaits(&*store, &*clock).await?.into();
        let shared =
            Arc::new(Shared { namespace, store, clock, memory, wake, replica, stats, fence, awaits, queue, room });
        if shared.store.shared() {
            concurrency::spawn(memory::follow(Arc::downgrade(&shared)));
        }
        concurrency::spawn(writer::run(Arc::downgrade(&shared), commands, mint::Mint::new(seed)));
        Ok(Self { shared })
    }

    /// The namespace that it serves.
    pub fn namespace(&self) -> &Namespace {
        &self.shared.namespace
    }

    /// A number that no other replica has: for ids that are made without a decision.
    pub fn replica(&self) -> u64 {
        self.shared.replica
    }

    /// Business time.
    pub fn clock(&self) -> &dyn Clock {
        &*self.shared.clock
    }

    /// The database, for reads that need no decision.
    pub fn store(&self) -> &dyn Store {
        &*self.shared.store
    }

    /// The same for an engine of another namespace.
    pub fn shared_store(&self) -> Arc<dyn Store> {
        self.shared.store.clone()
    }

    /// Resolves when a job may have become due earlier than was known, or a message waits to be sent.
    pub async fn woken(&self) {
        self.shared.wake.notified().await;
    }

    /// Decides a command and commits it.
    ///
    /// # Errors
    /// [`CallError`] when nothing was decided. A refusal is an answer, not an error.
    pub async fn execute<C: Command>(&self, command: C) -> Result<(Result<C::Answer, Refused>, Position), CallError> {
        let (work, answer) = writer::plain(command);
        self.submit(work).await?;
        answer.await.map_err(|_| CallError::Stopped)?
    }

    /// Decides commands in their order, each on its own: one that cannot be written leaves the others as they are.
    ///
    /// # Errors
    /// [`CallError`] when some were not decided; those before them may have been.
    pub async fn execute_all<C: Command>(
        &self,
        commands: Vec<C>,
    ) -> Result<Vec<(Result<C::Answer, Refused>, Position)>, CallError> {
        let weight = u32::try_from(commands.len()).unwrap_or(u32::MAX);
        if commands.is_empty() {
            return Ok(Vec::new());
        }
        let wait = std::time::Duration::from_millis(writer::QUEUE_WAIT_MAX_MS);
        let room = concurrency::timeout(wait, Arc::clone(&self.shared.room).acquire_many_owned(weight));
        let room = room.await.map_err(|_| CallError::Overloaded)?.map_err(|_| CallError::Stopped)?;
        let (work, answer) = writer::many(commands, room);
        self.submit(work).await?;
        match answer.await.map_err(|_| CallError::Stopped)? {
            Ok((outcomes, position)) => Ok(outcomes.into_iter().map(|outcome| (outcome, position)).collect()),
            // One of them alone may be the cause.
            Err((fault, commands)) if fault.is_of_the_batch() && commands.len() > 1 => {
                let mut outcomes = Vec::with_capacity(commands.len());
                for command in commands {
                    outcomes.push(self.execute(command).await?);
                }
                Ok(outcomes)
            }
            Err((fault, _)) => Err(fault),
        }
    }

    /// Decides a command exactly once under its key, or answers what was decided before.
    ///
    /// # Errors
    /// [`CallError::KeyReused`] when the key stands with another digest, else as [`Engine::execute`].
    pub async fn call<C: Command>(&self, keyed: Keyed<C::Answer>, command: C) -> Result<Replied, CallError> {
        let (work, answer) = writer::keyed(keyed, command);
        self.submit(work).await?;
        let replied = answer.await.map_err(|_| CallError::Stopped)?;
        fanfare_store::fault_points::reach("answered-not-sent");
        replied
    }

    async fn submit(&self, work: Box<dyn writer::Work>) -> Result<(), CallError> {
        let wait = std::time::Duration::from_millis(writer::QUEUE_WAIT_MAX_MS);
        match concurrency::timeout(wait, self.shared.queue.send(writer::Queued::now(work))).await {
            Ok(Ok(())) => Ok(()),
            Ok(Err(_)) => Err(CallError::Stopped),
            Err(_) => Err(CallError::Overloaded),
        }
    }
}
