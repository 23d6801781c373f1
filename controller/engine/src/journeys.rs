//! Journeys: members pass through Automations, step by step.
//!
//! A run is a row and its next step a job, so a restart loses nothing. Each step moves the run on in the transaction that
//! does it; done twice or too late, a step finds the run elsewhere and does nothing. A run keeps the plan that it entered
//! under.

use crate::{
    Halt,
    give::{To, give},
    jobs::Task,
    members, outbox,
    tx::Tx,
    vouchers::zone_for,
};
use fanfare_core::{
    ids::{MemberId, MessageId, Name, RunId},
    journey::{Entries, Next, enters, exits, is_meant, next},
    mechanic::key,
    message::render,
    model::{
        AutomationPlan, RuntimePlan, automation::OnAmbiguous, message::Category, runtime::Attribute, segment::Scalar,
    },
    time::Ts,
};
use fanfare_store::rows::{Member, Message, MessageState, Run, RunState};
use serde_json::{Map, Value, json};
use std::sync::Arc;

/// How many steps a run takes at once; a plan that goes round in a circle without waiting is stopped here.
pub const STEPS_AT_ONCE_MAX: usize = 100;

/// Something that a member did, as triggers see it.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Heard<'a> {
    /// Who.
    pub(crate) member: &'a MemberId,
    /// The event's type.
    pub(crate) kind: &'a str,
    /// When.
    pub(crate) at: Ts,
    /// Its data.
    pub(crate) data: &'a Value,
    /// Too old to bring anything about: it ends runs and starts none.
    pub(crate) late: bool,
}

/// Ends the runs that the event ends, then starts those that it starts.
///
/// # Errors
/// Missing when rows are not loaded.
pub(crate) fn heard(tx: &mut Tx<'_>, heard: Heard<'_>) -> Result<(), Halt> {
    let plans: Vec<Arc<AutomationPlan>> = tx.plans.automations.values().cloned().collect();
    for plan in plans {
        let starts_here = is_meant(&plan.trigger, heard.kind, heard.data) && !heard.late;
        if !starts_here && !exits(&plan, heard.kind) {
            continue;
        }
        let runs: Vec<Run> = tx.runs_of(&plan.name, heard.member)?.into_iter().cloned().collect();
        let (active, over): (Vec<Run>, Vec<Run>) = runs.into_iter().partition(|run| run.state == RunState::Active);
        let last = active.iter().chain(&over).map(|run| run.entered_at).max();
        let mut still_active = false;
        for run in active {
            let exits = run.plan.exit.iter().any(|exit| is_meant(exit, heard.kind, heard.data));
            if exits && run.entered_at <= heard.at {
                leave(tx, run, RunState::Exited);
            } else {
                still_active = true;
            }
        }
        let zone = zone_for(tx, heard.member, None)?;
        if starts_here && enters(&plan, Entries { active: still_active, last }, tx.now, zone) {
            enter(tx, &plan, &heard);
        }
    }
    Ok(())
}

fn enter(tx: &mut Tx<'_>, plan: &AutomationPlan, heard: &Heard<'_>) {
    let id = RunId::from(tx.new_id());
    let run = Run {
        id: id.clone(),
        plan: plan.clone(),
        member: heard.member.clone(),
        state: RunState::Active,
        step: 0,
        entered_at: tx.now,
        left_at: None,
        trigger: json!({ "type": heard.kind, "time": heard.at, "data": heard.data }),
    };
    tx.put_run(run);
    tx.tally(&key::figure("automation", &plan.name, "entered"), 1);
    let now = tx.now;
    tx.schedule(Task::Step(id).at(now));
}

fn leave(tx: &mut Tx<'_>, mut run: Run, state: RunState) {
    let figure = match state {
        RunState::Active => return,
        RunState::Completed => "completed",
        RunState::Exited => "exited",
        RunState::Stopped => "stopped",
    };
    tx.done(&Task::Step(run.id.clone()).id());
    tx.tally(&key::figure("automation", &run.plan.name, figure), 1);
    run.state = state;
    run.left_at = Some(tx.now);
    tx.put_run(run);
}

/// Takes a run on until it waits or ends.
///
/// # Errors
/// Missing when rows are not loaded.
pub(crate) fn step(tx: &mut Tx<'_>, id: &RunId) -> Result<(), Halt> {
    let Some(mut run) = tx.run(id)?.filter(|run| run.state == RunState::Active).cloned() else { return Ok(()) };
    if !tx.plans.automations.contains_key(&run.plan.name) {
        leave(tx, run, RunState::Stopped);
        return Ok(());
    }
    let zone = zone_for(tx, &run.member, None)?;
    for _ in 0..STEPS_AT_ONCE_MAX {
        let (doing, then) = match next(&run.plan, run.step, tx.now, zone) {
            Next::End => {
                leave(tx, run, RunState::Completed);
                return Ok(());
            }
            Next::Wait { step: _, until, then } => {
                run.step = then;
                tx.schedule(Task::Step(run.id.clone()).at(until));
                tx.put_run(run);
                return Ok(());
            }
            Next::Send { step, channel, template, on_ambiguous, then } => {
                (send(tx, &run, &Sending { step, channel, template, on_ambiguous }), then)
            }
            Next::Issue { step, reward, then } => (issue(tx, &run, &step, &reward), then),
        };
        doing?;
        run.step = then;
    }
    tracing::error!(automation = run.plan.name.as_str(), "a run goes round without waiting and was stopped");
    leave(tx, run, RunState::Stopped);
    Ok(())
}

/// What a step brings about is known by this; one of each.
fn cause(run: &Run, step: &Name) -> String {
    format!("run:{}/{step}", run.id)
}

fn issue(tx: &mut Tx<'_>, run: &Run, step: &Name, reward: &Name) -> Result<(), Halt> {
    let cause = cause(run, step);
    let to =
        To { member: &run.member, reward, quantity: 1, campaign: None, mechanic: None, store: None, cause: &cause };
    let given = give(tx, to)?;
    let figure = if given.grants.is_empty() { "notIssued" } else { "issued" };
    tx.tally(&key::figure("automation", &run.plan.name, figure), 1);
    Ok(())
}

struct Sending {
    step: Name,
    channel: Name,
    template: Name,
    on_ambiguous: OnAmbiguous,
}

fn send(tx: &mut Tx<'_>, run: &Run, sending: &Sending) -> Result<(), Halt> {
    let Some(member) = tx.member(&run.member)?.cloned() else { return Ok(()) };
    let plan = tx.plans.templates.get(&sending.template).cloned();
    let runtime = tx.runtime()?;
    let locale = locale_of(&member).unwrap_or_else(|| runtime.default_locale.clone());
    let data = json!({ "member": member_data(runtime, &member), "event": run.trigger });
    let rendered = plan.as_ref().map(|plan| render(plan, &locale, &runtime.default_locale, &data));
    let id = MessageId::from(tx.new_id());
    let mut message = Message {
        id,
        member: run.member.clone(),
        channel: sending.channel.clone(),
        in_app: false,
        template: sending.template.clone(),
        cause: cause(run, &sending.step),
        campaign: None,
        subject: String::new(),
        body: String::new(),
        locale,
        skip_when_ambiguous: sending.on_ambiguous == OnAmbiguous::Skip,
        marketing: plan.as_ref().is_some_and(|plan| plan.category == Category::Marketing),
        state: MessageState::Queued,
        reason: None,
        attempts: 0,
        created_at: tx.now,
        sent_at: None,
        read_at: None,
    };
    match rendered {
        Some(Ok(text)) => {
            message.subject = text.subject;
            message.body = text.body;
            message.locale = text.locale;
            outbox::queue(tx, message)
        }
        Some(Err(error)) => {
            let (automation, template) = (run.plan.name.as_str(), sending.template.as_str());
            tracing::warn!(automation, template, %error, "a message could not be made and is dropped");
            outbox::drop_message(tx, message, "failed");
            Ok(())
        }
        None => {
            outbox::drop_message(tx, message, "stopped");
            Ok(())
        }
    }
}

/// What a template may say of a member: its id and name, and every attribute that the Runtime declares, empty where it
/// is not set.
fn member_data(runtime: &RuntimePlan, member: &Member) -> Value {
    let mut data: Map<String, Value> = runtime
        .attributes
        .iter()
        .map(|(name, declared)| {
            let empty = match declared {
                Attribute::Boolean => Value::Bool(false),
                Attribute::Enum(_) | Attribute::String | Attribute::Number | Attribute::Date | Attribute::Location => {
                    "".into()
                }
            };
            (name.clone(), member.attributes.get(name).map_or(empty, scalar_value))
        })
        .collect();
    data.insert("id".into(), member.id.as_str().into());
    let named = data.get("name").and_then(Value::as_str).is_some_and(|name| !name.is_empty());
    if !named {
        data.insert("name".into(), members::display_name(member).into());
    }
    Value::Object(data)
}

/// A stored value as JSON: numbers as decimals.
pub(crate) fn scalar_value(scalar: &Scalar) -> Value {
    match scalar {
        Scalar::Flag(flag) => Value::Bool(*flag),
        Scalar::Text(text) => Value::String(text.clone()),
        Scalar::Number(number) if number.e4 % 10_000 == 0 => (number.e4 / 10_000).into(),
        Scalar::Number(number) => {
            let sign = if number.e4 < 0 { "-" } else { "" };
            let (whole, part) = (number.e4.unsigned_abs() / 10_000, number.e4.unsigned_abs() % 10_000);
            let text = format!("{sign}{whole}.{part:04}");
            serde_json::from_str(text.trim_end_matches('0')).unwrap_or(Value::String(text))
        }
    }
}

/// The locale that a member reads, where an attribute says so.
fn locale_of(member: &Member) -> Option<String> {
    ["locale", "language"].iter().find_map(|name| match member.attributes.get(*name) {
        Some(Scalar::Text(text)) if !text.is_empty() => Some(text.clone()),
        _ => None,
    })
}
