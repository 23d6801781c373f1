//! `POST /v1/events` and `POST /v1/me/events`: what happened.

use crate::{
    app::App,
    auth::{Desk, Member, scope::Event as EventScope},
    input::event::{Event, EventBody, Events, Read},
    output::{Answer, at_position, ok},
    problem::{Code, FieldError, Problem},
};
use axum::extract::State;
use fanfare_core::ids::MemberId;
use fanfare_engine::ingest::{EventResult, Incoming, Sender, Status};
use serde::Serialize;
use serde_json::{Value, json};
use utoipa::ToSchema;

/// What became of the events, in their order.
#[derive(Serialize, ToSchema)]
pub(crate) struct EventResults {
    results: Vec<EventResultView>,
    /// The revision of the rules.
    revision: String,
}

/// What became of one event.
#[derive(Serialize, ToSchema)]
pub(crate) struct EventResultView {
    id: String,
    /// `Accepted`, `Duplicate` or `Rejected`.
    status: &'static str,
    /// `{campaign, mechanic, outcome, grants[], progress?}` each; those of the first time for a duplicate.
    #[schema(value_type = Vec<Object>)]
    decisions: Value,
    /// Why it was rejected.
    #[serde(skip_serializing_if = "Option::is_none")]
    problem: Option<EventProblem>,
}

/// Why an event was rejected.
#[derive(Serialize, ToSchema)]
pub(crate) struct EventProblem {
    code: String,
    detail: String,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    errors: Vec<FieldError>,
}

impl EventResultView {
    fn rejected(id: String, problem: Problem) -> Self {
        let Problem { code, detail, errors, .. } = problem;
        let problem = Some(EventProblem { code: code.as_str().into(), detail, errors });
        Self { id, status: "Rejected", decisions: json!([]), problem }
    }

    fn of(result: EventResult) -> Self {
        let EventResult { id, status, decisions, problem } = result;
        let status = match status {
            Status::Accepted => "Accepted",
            Status::Duplicate => "Duplicate",
            Status::Rejected => "Rejected",
        };
        let problem = problem.map(|no| EventProblem { code: no.code, detail: no.detail, errors: Vec::new() });
        let decisions = if decisions.is_null() { json!([]) } else { decisions };
        Self { id, status, decisions, problem }
    }
}

/// Takes events: CloudEvents 1.0, structured, batched (at most 1,000) or binary. One bad event never sinks its batch.
#[utoipa::path(
    post, path = "/v1/events", operation_id = "sendEvents", tag = "events",
    request_body(content(
        (EventBody = "application/cloudevents+json"), (Vec<EventBody> = "application/cloudevents-batch+json"),
        (EventBody = "application/json")
    )),
    responses((status = 200, body = EventResults)), security(("terminal" = []), ("integration" = []))
)]
pub(crate) async fn send_events(State(app): State<App>, _: Desk<EventScope>, events: Events) -> Answer {
    take(&app, events.keyed()?, &Sender::Shop).await
}

/// Takes events that the caller may tell of itself; `id` and `source` may be left out, and are then our own.
#[utoipa::path(
    post, path = "/v1/me/events", operation_id = "sendMyEvents", tag = "member",
    request_body(content(
        (EventBody = "application/cloudevents+json"), (Vec<EventBody> = "application/cloudevents-batch+json"),
        (EventBody = "application/json")
    )),
    responses((status = 200, body = EventResults)), security(("member" = []))
)]
pub(crate) async fn send_my_events(State(app): State<App>, caller: Member, events: Events) -> Answer {
    let own = |event: Read| event.and_then(|event| of_itself(event, &caller.0, &app));
    let read = events.any().into_iter().map(own).collect();
    take(&app, read, &Sender::Member(caller.0.clone())).await
}

/// An event as the member's own, with an id where it brought none.
fn of_itself(event: Event, member: &MemberId, app: &App) -> Read {
    if event.subject.as_deref().is_some_and(|subject| subject != member.as_str()) {
        let detail = "a member sends events of itself; leave subject out";
        return Err((event.id.unwrap_or_default(), Problem::new(Code::Forbidden, detail)));
    }
    let id = event.id.clone().unwrap_or_else(|| app.event_id());
    Ok(Event { id: Some(id), ..event })
}

async fn take(app: &App, read: Vec<Read>, sender: &Sender) -> Answer {
    // Without a Runtime nothing can be judged: the sender has to keep its events, which a rejection would not tell it.
    app.runtime()?;
    // What was not readable is answered in its place.
    let (mut results, mut incoming) = (Vec::with_capacity(read.len()), Vec::with_capacity(read.len()));
    for event in read {
        results.push(match event {
            Ok(event) => {
                incoming.push(into_incoming(event));
                None
            }
            Err((id, problem)) => Some(EventResultView::rejected(id, problem)),
        });
    }
    let (taken, reached) = app.engine().ingest(incoming, sender).await.map_err(|error| app.call_fault(&error))?;
    let mut taken = taken.into_iter().map(EventResultView::of);
    let results: Vec<_> = results.into_iter().filter_map(|known| known.or_else(|| taken.next())).collect();
    for EventResultView { status, problem, .. } in &results {
        app.metrics().event(status, problem.as_ref().and_then(|problem| Code::of(&problem.code)));
    }
    let answer = ok(&EventResults { results, revision: app.engine().plans().digest.clone() })?;
    Ok(match reached {
        Some(position) => at_position(answer, position),
        None => answer,
    })
}

fn into_incoming(event: Event) -> Incoming {
    let Event { id, source, kind, subject, time, data } = event;
    Incoming {
        source: source.unwrap_or_default(),
        id: id.unwrap_or_default(),
        kind,
        subject: subject.map(Into::into),
        time,
        data: data.into(),
    }
}
