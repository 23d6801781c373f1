//! The writer: drains the queue, folds its commands over one batch, commits once, answers each.
//!
//! Group commit never waits for a timer: what has gathered while the last batch was written is the next batch.

use crate::{
    CallError, Command, Halt, Keyed, Refused, Replied, Shared, StoreFault, audience,
    audience::Audience,
    concurrency, emitted, memory,
    mint::{Draw, Mint},
    news::News,
    plans::Plans,
    tx::{Base, Tx},
};
use fanfare_store::{Error as StoreError, Keys, Position, fault_points, rows::Stored};
use std::{
    cell::RefCell,
    sync::{Arc, Weak},
    time::Duration,
};
use tokio::{
    sync::{OwnedSemaphorePermit, mpsc, oneshot},
    time::Instant,
};

/// How many calls may wait; past that a caller waits [`QUEUE_WAIT_MAX_MS`] and is then told that it is too much. A call
/// is a few kilobytes, so a full queue is some tens of megabytes.
pub const QUEUE_MAX: usize = if cfg!(feature = "model") { 2 } else { 8_192 };
/// How long a caller waits for a place in the queue.
pub const QUEUE_WAIT_MAX_MS: u64 = 2_000;
/// How long a call may have waited when its turn comes; past that it is told that it is too much, since its caller has
/// most likely gone. With it a queue that filled while the database was away is gone as soon as the database is back.
pub const TURN_WAIT_MAX_MS: u64 = 10_000;
/// How many commands of calls with several may wait beside those.
pub const MANY_QUEUE_MAX: usize = 16_384;
/// How many commands one transaction takes, or a little more where the last call brings several. Beyond a few hundred the commit's cost no longer shows; the bound keeps a
/// batch's memory and its time at the lane small.
pub const BATCH_MAX: usize = if cfg!(feature = "model") { 2 } else { 512 };
/// How often a command may ask for more rows before it is taken to be faulty.
const ROUNDS_MAX: usize = 24;

/// What a command needs from outside while it runs.
pub(crate) struct Scene<'a> {
    shared: &'a Shared,
    plans: &'a Plans,
    now: fanfare_core::time::Ts,
    /// When a restore was seen that awaits its reconciliation.
    awaits: Option<fanfare_core::time::Ts>,
    wanted: &'a RefCell<Keys>,
}

/// A command in the queue, with whoever waits for its answer.
pub(crate) trait Work: Send {
    /// Names the rows that it is known to need.
    fn prefetch(&self, plans: &Plans, audience: &Audience, keys: &mut Keys);
    /// How many commands it is.
    fn weight(&self) -> usize {
        1
    }
    /// Forgets what it decided in a batch that came to nothing.
    fn restart(&mut self) {}
    /// Runs it as far as the rows reach.
    fn run(&mut self, scene: &Scene<'_>, base: &mut Base, draw: &mut Draw) -> Ran;
    /// Answers whoever waits: the position that was committed, or why nothing was.
    fn answer(self: Box<Self>, committed: Result<Position, CallFault>);
}

/// How far a run came.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Ran {
    /// It is decided.
    Through,
    /// Rows are missing, and something of it was decided since the last run.
    Further,
    /// Rows are missing.
    Nowhere,
}

/// A command and since when it waits.
pub(crate) struct Queued {
    work: Box<dyn Work>,
    since: Instant,
}

impl Queued {
    /// From now on.
    pub(crate) fn now(work: Box<dyn Work>) -> Self {
        Self { work, since: Instant::now() }
    }

    /// The command, unless it has waited too long: then it is answered.
    fn in_time(self) -> Option<Box<dyn Work>> {
        if self.since.elapsed() < Duration::from_millis(TURN_WAIT_MAX_MS) {
            return Some(self.work);
        }
        self.work.answer(Err(CallFault::Late));
        None
    }
}

/// Why a whole batch came to nothing.
#[derive(Clone)]
pub(crate) enum CallFault {
    Store(StoreFault),
    Rounds,
    Late,
}

impl CallFault {
    /// Whether one command alone may be the cause: the others of its batch would pass without it. Nothing was written.
    fn is_ones_own(&self) -> bool {
        match self {
            Self::Rounds => true,
            Self::Late => false,
            Self::Store(StoreFault(error)) => matches!(**error, StoreError::Conflict(_) | StoreError::Corrupt(_)),
        }
    }
}

impl From<CallFault> for CallError {
    fn from(fault: CallFault) -> Self {
        match fault {
            CallFault::Store(fault) => Self::Store(fault),
            CallFault::Late => Self::Overloaded,
            CallFault::Rounds => StoreError::Corrupt("a command asked for more rows without end".into()).into(),
        }
    }
}

type PlainAnswer<A> = Result<(Result<A, Refused>, Position), CallError>;

struct Plain<C: Command> {
    command: C,
    outcome: Option<Outcome<C::Answer>>,
    reply: oneshot::Sender<PlainAnswer<C::Answer>>,
}

/// A command that is decided each time it comes.
pub(crate) fn plain<C: Command>(command: C) -> (Box<dyn Work>, oneshot::Receiver<PlainAnswer<C::Answer>>) {
    let (reply, answer) = oneshot::channel();
    (Box::new(Plain { command, outcome: None, reply }), answer)
}

/// What a command came to, or that it is not decided yet because of a restore.
type Outcome<A> = Result<Result<A, Refused>, Awaits>;

/// The command would move value, and nobody knows yet what a restored backup lacks.
#[derive(Clone, Copy, Debug)]
struct Awaits;

impl From<Awaits> for CallError {
    fn from(_: Awaits) -> Self {
        Self::AwaitingReconciliation
    }
}

/// Runs a command on the batch; `None` when rows are missing. Its changes stay in the command's own layer.
fn decide<C: Command>(command: &C, scene: &Scene<'_>, base: &mut Base, draw: &mut Draw) -> Option<Outcome<C::Answer>> {
    draw.rewind();
    let incarnation = scene.shared.store.incarnation();
    let awaits = scene.awaits.is_some_and(|since| !command.is_fact(since));
    let (namespace, audience) = (&scene.shared.namespace, &scene.shared.memory.audience);
    let Scene { plans, now, wanted, .. } = *scene;
    let origin = crate::origin::Origin::default();
    let mut tx = Tx { now, namespace, plans, audience, origin, order: None, incarnation, awaits, base, draw, wanted };
    match command.run(&mut tx).and_then(|answer| emitted::tell(&mut tx).map(|()| answer)) {
        Ok(_) if awaits && base.moves_value() => {
            base.discard();
            Some(Err(Awaits))
        }
        Err(Halt::Awaits) => {
            base.discard();
            Some(Err(Awaits))
        }
        Ok(answer) => Some(Ok(Ok(answer))),
        Err(Halt::Refused(refused)) => {
            base.discard();
            Some(Ok(Err(*refused)))
        }
        Err(Halt::Missing) => {
            base.discard();
            None
        }
    }
}

impl<C: Command> Work for Plain<C> {
    fn prefetch(&self, plans: &Plans, audience: &Audience, keys: &mut Keys) {
        self.command.prefetch_beside(plans, audience, keys);
    }

    fn run(&mut self, scene: &Scene<'_>, base: &mut Base, draw: &mut Draw) -> Ran {
        let Some(outcome) = decide(&self.command, scene, base, draw) else { return Ran::Nowhere };
        base.keep();
        self.outcome = Some(outcome);
        Ran::Through
    }

    fn answer(self: Box<Self>, committed: Result<Position, CallFault>) {
        let answer = match (committed, self.outcome) {
            (Ok(position), Some(Ok(outcome))) => Ok((outcome, position)),
            (Ok(_), Some(Err(awaits))) => Err(awaits.into()),
            (Ok(_), None) => Err(CallError::Stopped),
            (Err(fault), _) => Err(fault.into()),
        };
        drop(self.reply.send(answer));
    }
}

struct WithKey<C: Command> {
    keyed: Keyed<C::Answer>,
    command: C,
    outcome: Option<Result<Replied, CallError>>,
    reply: oneshot::Sender<Result<Replied, CallError>>,
}

/// A command that is decided once under its key.
pub(crate) fn keyed<C: Command>(
    keyed: Keyed<C::Answer>,
    command: C,
) -> (Box<dyn Work>, oneshot::Receiver<Result<Replied, CallError>>) {
    let (reply, answer) = oneshot::channel();
    (Box::new(WithKey { keyed, command, outcome: None, reply }), answer)
}

impl<C: Command> Work for WithKey<C> {
    fn prefetch(&self, plans: &Plans, audience: &Audience, keys: &mut Keys) {
        keys.idempotency.insert((self.keyed.scope.clone(), self.keyed.key.clone()));
        self.command.prefetch_beside(plans, audience, keys);
    }

    fn run(&mut self, scene: &Scene<'_>, base: &mut Base, draw: &mut Draw) -> Ran {
        let Keyed { scope, key, digest, render } = &self.keyed;
        let id = (scope.clone(), key.clone());
        match base.stored(&id) {
            Err(_) => {
                scene.wanted.borrow_mut().idempotency.insert(id);
                return Ran::Nowhere;
            }
            Ok(Some(stored)) => {
                self.outcome = Some(if stored.digest == *digest {
                    let Stored { status, body, .. } = stored;
                    Ok(Replied { status: *status, body: body.clone(), replayed: true, position: Position::default() })
                } else {
                    Err(CallError::KeyReused)
                });
                return Ran::Through;
            }
            Ok(None) => {}
        }
        let outcome = match decide(&self.command, scene, base, draw) {
            None => return Ran::Nowhere,
            Some(Ok(outcome)) => outcome,
            Some(Err(awaits)) => {
                self.outcome = Some(Err(awaits.into()));
                return Ran::Through;
            }
        };
        let (status, body) = render(&outcome);
        // What a restore lost may be what a call misses, and a stored answer would outlive it.
        let is_certain = (200..300).contains(&status);
        match scene.awaits {
            Some(since) if !is_certain && !self.command.is_fact(since) => {
                base.discard();
                self.outcome = Some(Err(Awaits.into()));
                return Ran::Through;
            }
            Some(_) if !is_certain => {}
            _ => {
                let (scope, key) = id;
                let (digest, body) = (digest.clone(), body.clone());
                base.store_answer(Stored { scope, key, digest, status, body, at: scene.now });
            }
        }
        base.keep();
        self.outcome = Some(Ok(Replied { status, body, replayed: false, position: Position::default() }));
        Ran::Through
    }

    fn answer(self: Box<Self>, committed: Result<Position, CallFault>) {
        let answer = match (committed, self.outcome) {
            (Ok(position), Some(outcome)) => outcome.map(|replied| Replied { position, ..replied }),
            (Ok(_), None) => Err(CallError::Stopped),
            (Err(fault), _) => Err(fault.into()),
        };
        drop(self.reply.send(answer));
    }
}

/// What several commands of one call come to; when nothing was written, the commands again.
type ManyAnswer<C> = Result<(Vec<Result<<C as Command>::Answer, Refused>>, Position), (CallError, Vec<C>)>;

struct Many<C: Command> {
    commands: Vec<C>,
    outcomes: Vec<Result<C::Answer, Refused>>,
    awaits: Option<Awaits>,
    reply: oneshot::Sender<ManyAnswer<C>>,
    _room: OwnedSemaphorePermit,
}

/// Commands that are decided one after another in one batch. They wait in one place of the queue, so that what waits is
/// bounded by `room` instead.
pub(crate) fn many<C: Command>(
    commands: Vec<C>,
    room: OwnedSemaphorePermit,
) -> (Box<dyn Work>, oneshot::Receiver<ManyAnswer<C>>) {
    let (reply, answer) = oneshot::channel();
    let outcomes = Vec::with_capacity(commands.len());
    (Box::new(Many { commands, outcomes, awaits: None, reply, _room: room }), answer)
}

impl<C: Command> Work for Many<C> {
    fn prefetch(&self, plans: &Plans, audience: &Audience, keys: &mut Keys) {
        for command in &self.commands {
            command.prefetch_beside(plans, audience, keys);
        }
    }

    fn weight(&self) -> usize {
        self.commands.len()
    }

    fn restart(&mut self) {
        self.outcomes.clear();
        self.awaits = None;
    }

    fn run(&mut self, scene: &Scene<'_>, base: &mut Base, draw: &mut Draw) -> Ran {
        let before = self.outcomes.len();
        while let Some(command) = self.commands.get(self.outcomes.len()) {
            let Some(outcome) = decide(command, scene, base, draw) else {
                return if self.outcomes.len() > before { Ran::Further } else { Ran::Nowhere };
            };
            match outcome {
                Ok(outcome) => self.outcomes.push(outcome),
                Err(awaits) => {
                    self.awaits = Some(awaits);
                    return Ran::Through;
                }
            }
            base.keep();
            draw.keep();
        }
        Ran::Through
    }

    fn answer(self: Box<Self>, committed: Result<Position, CallFault>) {
        let answer = match committed {
            Ok(position) => match self.awaits {
                None => Ok((self.outcomes, position)),
                Some(awaits) => Err((awaits.into(), self.commands)),
            },
            Err(fault) => Err((fault.into(), self.commands)),
        };
        drop(self.reply.send(answer));
    }
}

/// Waits for work and takes what has gathered; `false` when nobody is left to send any.
async fn gather(queue: &mut mpsc::Receiver<Queued>, works: &mut Vec<Box<dyn Work>>) -> bool {
    let Some(first) = queue.recv().await else { return false };
    works.extend(first.in_time());
    fill(queue, works);
    true
}

/// Takes what waits, until the batch has about [`BATCH_MAX`] commands.
fn fill(queue: &mut mpsc::Receiver<Queued>, works: &mut Vec<Box<dyn Work>>) {
    let mut weight: usize = works.iter().map(|work| work.weight()).sum();
    while weight < BATCH_MAX {
        concurrency::turn();
        let Ok(queued) = queue.try_recv() else { return };
        weight += queued.work.weight();
        works.extend(queued.in_time());
    }
}

/// Runs until the engine is dropped.
pub(crate) async fn run(shared: Weak<Shared>, mut queue: mpsc::Receiver<Queued>, mut mint: Mint) {
    let mut works: Vec<Box<dyn Work>> = Vec::with_capacity(BATCH_MAX);
    while gather(&mut queue, &mut works).await {
        let Some(shared) = shared.upgrade() else { return };
        if works.is_empty() {
            continue;
        }
        let done = batch(&shared, &mut works, Some(&mut queue), &mut mint).await;
        if let Err(fault) = &done {
            shared.stats.failed();
            log(fault, works.len());
        }
        match done {
            Err(fault) if works.len() > 1 && fault.is_ones_own() => {
                for work in works.drain(..) {
                    alone(&shared, work, &mut mint).await;
                }
            }
            done => {
                fault_points::reach("learned-not-answered");
                for (already, work) in works.drain(..).enumerate() {
                    if already == 1 {
                        fault_points::reach("one-of-several-answered");
                    }
                    concurrency::turn();
                    work.answer(done.clone());
                }
            }
        }
    }
}

/// Decides a command in a batch of its own, so that one that cannot be written does not take others with it.
async fn alone(shared: &Shared, mut work: Box<dyn Work>, mint: &mut Mint) {
    work.restart();
    let mut only = vec![work];
    let done = batch(shared, &mut only, None, mint).await;
    if let Err(fault) = &done {
        log(fault, 1);
    }
    only.into_iter().for_each(|work| work.answer(done.clone()));
}

fn log(fault: &CallFault, commands: usize) {
    let reason = match fault {
        CallFault::Store(StoreFault(error)) => error.to_string(),
        CallFault::Late => "it waited too long".into(),
        CallFault::Rounds => "a command asked for rows without end".into(),
    };
    tracing::error!(commands, reason, "a batch was not written");
}

/// Folds the commands over one transaction and commits it. What came into `queue` while another process held the lane is
/// taken too: each of several processes would else write a few commands and leave many waiting for its next turn.
async fn batch(
    shared: &Shared,
    works: &mut Vec<Box<dyn Work>>,
    queue: Option<&mut mpsc::Receiver<Queued>>,
    mint: &mut Mint,
) -> Result<Position, CallFault> {
    let fault = |error: StoreError| CallFault::Store(StoreFault(Arc::new(error)));
    let mut keys = Keys::default();
    let expected = shared.memory.plans.load();
    for work in &*works {
        work.prefetch(&expected, &shared.memory.audience, &mut keys);
    }
    let mut tx = memory::begin(shared).await.map_err(fault)?;
    fault_points::reach("lane-held");
    let plans = shared.memory.plans.load();
    if let Some(queue) = queue {
        let before = works.len();
        fill(queue, works);
        for work in &works[before..] {
            work.prefetch(&plans, &shared.memory.audience, &mut keys);
        }
    }
    // Business time is read after the lane is held, so that it never runs backwards along the lane.
    let now = shared.clock.now();
    let now = if shared.store.shared() { shared.memory.instant(now) } else { now };
    let awaits = shared.awaits.lock().as_ref().map(|awaiting| awaiting.since);
    let mut base = Base::default();
    let wanted = RefCell::new(keys);
    for work in works.iter_mut() {
        let mut draw = mint.fork();
        let mut rounds = 0;
        loop {
            let keys = wanted.take();
            if !keys.is_empty() {
                let rows = tx.load(&keys).await.map_err(fault)?;
                base.learn(&keys, rows);
            }
            let scene = Scene { shared, plans: &plans, now, awaits, wanted: &wanted };
            match work.run(&scene, &mut base, &mut draw) {
                Ran::Through => break,
                Ran::Further => rounds = 0,
                Ran::Nowhere => rounds += 1,
            }
            if rounds >= ROUNDS_MAX {
                return Err(CallFault::Rounds);
            }
        }
    }
    let counted = base
        .counted()
        .filter(|(key, _)| audience::is_of_member(key))
        .map(|(key, value)| (key.clone(), *value))
        .collect::<Vec<_>>();
    let mut writes = base.into_writes(now);
    let commands = works.iter().map(|work| work.weight()).sum();
    if writes.is_empty() {
        shared.stats.decided(commands, false);
        return Ok(tx.position());
    }
    writes.fence.clone_from(&shared.fence);
    fault_points::reach("decided-not-written");
    let news = News::of(now, &counted, &writes);
    if shared.store.shared() {
        writes.news = Some(news.bytes());
    }
    let wakes = !writes.jobs.is_empty() || !writes.messages.is_empty();
    let position = tx.commit(writes).await.map_err(fault)?;
    shared.stats.decided(commands, true);
    fault_points::reach("committed-not-learned");
    shared.memory.advance(position, news);
    if wakes {
        shared.wake.notify_waiters();
    }
    Ok(position)
}
