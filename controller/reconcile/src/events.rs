//! Kubernetes Events on transitions, as `kubectl describe` and `kubectl events` show them.

use k8s_openapi::api::core::v1::ObjectReference;
use kube::{
    Client, Resource,
    core::{ApiResource, DynamicObject},
    runtime::events::{Event, EventType, Recorder, Reporter},
};

/// The name under which the controller reports.
pub const REPORTER: &str = "fanfare-controller";
/// The longest note, as the API bounds it.
const NOTE_MAX: usize = 1_000;

/// Writes events. A lost event is logged, never an error: the status is what counts.
#[derive(Clone)]
pub struct Events {
    recorder: Recorder,
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
    /// Events written through this client.
    pub fn new(client: Client) -> Self {
        let reporter = Reporter { controller: REPORTER.into(), instance: None };
        Self { recorder: Recorder::new(client, reporter) }
    }

    /// Writes one.
    pub async fn write(&self, object: &DynamicObject, resource: &ApiResource, note: Note) {
        let reference: ObjectReference = object.object_ref(resource);
        let event = Event {
            type_: if note.warning { EventType::Warning } else { EventType::Normal },
            reason: note.reason,
            note: Some(note.text.chars().take(NOTE_MAX).collect()),
            action: note.action.into(),
            secondary: None,
        };
        if let Err(error) = self.recorder.publish(&event, &reference).await {
            tracing::warn!(%error, reason = event.reason, "an event was not written");
        }
    }
}
