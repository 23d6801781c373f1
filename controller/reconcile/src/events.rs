//! Kubernetes Events on transitions, as `kubectl describe` and `kubectl events` show them.

use crate::{
    driver::Context,
    measure::{Metrics, Told},
};
use futures::{StreamExt, stream};
use k8s_openapi::api::core::v1::ObjectReference;
use kube::{
    Client,
    runtime::events::{Event, EventType, Recorder, Reporter},
};
use std::{
    hash::{BuildHasher, RandomState},
    sync::Arc,
    time::Duration,
};
use tokio::{sync::mpsc, time::Instant};

/// The name under which the controller reports.
pub const REPORTER: &str = "fanfare-controller";
/// The longest note, as the API bounds it.
const NOTE_MAX: usize = 1_000;

/// Of how many objects news may wait to be written; past that they are lost. A place is a few hundred bytes.
const WAITING_MAX: usize = 32_768;
/// Of how many objects events are written at once.
const AT_ONCE: usize = 4;
/// How long events wait at most while objects are due: a status goes before.
const LATE: Duration = Duration::from_secs(30);
/// How often it is looked whether anything is due.
const LOOK_EVERY: Duration = Duration::from_millis(20);
/// A recorder goes through all that it remembers for each event; so each of these remembers a part.
const RECORDERS: usize = 64;

/// Takes events, which are written beside the work. A lost event is logged, never an error: the status is what counts.
pub struct Events {
    waiting: mpsc::Sender<News>,
    recorders: Vec<Recorder>,
    by: RandomState,
    metrics: Metrics,
}

/// What happened to one object, in order.
pub(crate) struct News {
    object: ObjectReference,
    notes: Vec<Note>,
    since: Instant,
}

/// What happened to an object.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Note {
    /// Whether a person should look.
    pub warning: bool,
    /// One word.
    pub reason: String,
    /// What was done.
    pub action: &'static str,
    /// In a sentence.
    pub text: String,
}

impl Events {
    /// Events written through this client, and what waits, for [`tell`].
    pub(crate) fn new(client: Client, metrics: Metrics) -> (Self, mpsc::Receiver<News>) {
        let reporter = Reporter { controller: REPORTER.into(), instance: None };
        let recorders = (0..RECORDERS).map(|_| Recorder::new(client.clone(), reporter.clone())).collect();
        let (waiting, news) = mpsc::channel(WAITING_MAX);
        (Self { waiting, recorders, by: RandomState::new(), metrics }, news)
    }

    /// Has what happened to an object written when there is a place.
    pub(crate) fn add(&self, object: ObjectReference, notes: Vec<Note>) {
        if notes.is_empty() {
            return;
        }
        if let Err(mpsc::error::TrySendError::Full(lost)) =
            self.waiting.try_send(News { object, notes, since: Instant::now() })
        {
            let News { object, notes, .. } = lost;
            self.metrics.told(Told::Lost, notes.len());
            tracing::warn!(
                name = object.name,
                kind = object.kind,
                ?notes,
                "too many events wait; these are not written"
            );
        }
    }

    /// Writes one.
    async fn write(&self, object: &ObjectReference, note: Note) {
        let event = Event {
            type_: if note.warning { EventType::Warning } else { EventType::Normal },
            reason: note.reason,
            note: Some(note.text.chars().take(NOTE_MAX).collect()),
            action: note.action.into(),
            secondary: None,
        };
        let place = self.by.hash_one(&object.uid) % RECORDERS as u64;
        let Some(recorder) = usize::try_from(place).ok().and_then(|place| self.recorders.get(place)) else { return };
        let written = recorder.publish(&event, object).await;
        self.metrics.told(if written.is_ok() { Told::Written } else { Told::Failed }, 1);
        if let Err(error) = written {
            tracing::warn!(%error, reason = event.reason, "an event was not written");
        }
    }
}

/// Writes what waits, until it is dropped.
pub(crate) async fn tell(context: Arc<Context>, mut news: mpsc::Receiver<News>) {
    let waiting = stream::poll_fn(|task| news.poll_recv(task));
    waiting
        .for_each_concurrent(AT_ONCE, async |News { object, notes, since }| {
            while context.queue.is_busy() && since.elapsed() < LATE {
                tokio::time::sleep(LOOK_EVERY).await;
            }
            for note in notes {
                context.events.write(&object, note).await;
            }
        })
        .await;
}
