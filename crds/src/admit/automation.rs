//! An Automation's specification → its plan, with step names resolved to places in the list.

use fanfare_core::ids::{Name, Revision};
use fanfare_core::journey::CROSSINGS;
use fanfare_core::model::AutomationPlan;
use fanfare_core::model::automation as plan;
use fanfare_core::time::Span;

use super::context::Context;
use super::error::{Path, code};
use super::events;
use crate::nearest::did_you_mean;
use crate::wire::automation as wire;

/// The name that means the end of the steps.
const END: &str = "end";

/// Compiles `spec`. What is wrong goes to `context`; then the plan is of no use.
pub(crate) fn compile(name: &str, spec: &wire::AutomationSpec, context: &mut Context<'_>) -> AutomationPlan {
    let wire::AutomationSpec { trigger, reentry, exit, steps: written } = spec;
    let path = Path::SPEC;
    let steps_at = path.field("steps");
    let names: Vec<&str> = written.iter().map(|step| step.name.as_str()).collect();
    let steps: Vec<plan::Step> = written
        .iter()
        .enumerate()
        .filter_map(|(index, wire)| step(wire, index, &names, context, steps_at.index(index)))
        .collect();
    if steps.len() == written.len() {
        refuse_endless(&steps, context, steps_at);
    }
    let (trigger_at, exit_at) = (path.field("trigger"), path.field("exit"));
    let trigger = occasion(trigger, context, trigger_at);
    let exit = (0..).zip(exit).filter_map(|(index, exit)| occasion(exit, context, exit_at.index(index))).collect();
    AutomationPlan {
        name: Name::from(name),
        revision: Revision::from(""),
        trigger: trigger.unwrap_or_else(|| "".into()),
        reentry: self::reentry(reentry.as_ref(), context, path.field("reentry")),
        exit,
        steps,
    }
}

fn occasion(wire: &wire::Occasion, context: &mut Context<'_>, path: Path<'_>) -> Option<plan::Occasion> {
    match (&wire.event, &wire.segment) {
        (Some(event), None) => {
            events::heard(event.as_str(), context, path.field("event"));
            Some(plan::Occasion::Event(event.0.clone()))
        }
        (None, Some(wire::Crossing { name, change })) => {
            let [entered, left] = CROSSINGS;
            let event = match change {
                wire::Change::Enters => entered,
                wire::Change::Leaves => left,
            };
            Some(plan::Occasion::Of { event: event.to_owned(), segment: Name::from(name.as_str()) })
        }
        _ => {
            context.contradiction(path);
            None
        }
    }
}

fn reentry(reentry: Option<&wire::Reentry>, context: &mut Context<'_>, path: Path<'_>) -> plan::Reentry {
    let Some(wire::Reentry { policy, every }) = reentry else { return plan::Reentry::Once };
    match policy {
        wire::ReentryPolicy::Once => plan::Reentry::Once,
        wire::ReentryPolicy::AfterExit => plan::Reentry::AfterExit,
        wire::ReentryPolicy::Always => {
            plan::Reentry::Always(every.as_ref().map(|span| context.span_above_zero(span, path.field("every"))))
        }
    }
}

fn step(
    step: &wire::Step,
    index: usize,
    names: &[&str],
    context: &mut Context<'_>,
    path: Path<'_>,
) -> Option<plan::Step> {
    let wire::Step { name, send, wait, issue, next } = step;
    if name.as_str() == END {
        context.findings.push(
            path.field("name"),
            code::NOT_ALLOWED,
            "`end` means the end of the steps",
            "choose another name",
        );
    }
    let action = match (send, wait, issue) {
        (Some(wire::Send { channel, template, on_ambiguous }), None, None) => plan::Action::Send {
            channel: Name::from(channel.as_str()),
            template: Name::from(template.as_str()),
            on_ambiguous: match on_ambiguous {
                Some(wire::OnAmbiguous::Retry) => plan::OnAmbiguous::Retry,
                Some(wire::OnAmbiguous::Skip) | None => plan::OnAmbiguous::Skip,
            },
        },
        (None, Some(wire::Wait { lasts, until }), None) => {
            let at = path.field("wait");
            plan::Action::Wait {
                lasts: lasts.as_ref().map_or(Span::default(), |span| context.span_above_zero(span, at.field("for"))),
                until: until.as_ref().map(|time| context.clock_time(time, at.field("until"))),
            }
        }
        (None, None, Some(wire::Issue { reward })) => plan::Action::Issue { reward: Name::from(reward.as_str()) },
        _ => {
            context.contradiction(path);
            return None;
        }
    };
    let next = match next {
        None => index + 1,
        Some(target) => target_of(target.as_str(), names, context, path.field("next")),
    };
    Some(plan::Step { name: Name::from(name.as_str()), action, next })
}

fn target_of(target: &str, names: &[&str], context: &mut Context<'_>, path: Path<'_>) -> usize {
    if target == END {
        return names.len();
    }
    names.iter().position(|name| *name == target).unwrap_or_else(|| {
        let list = format!("name one of {}, or end", names.join(", "));
        let remedy = did_you_mean(target, names.iter().copied().chain([END]), &list);
        context.findings.push(path, code::UNKNOWN_NAME, format!("there is no step `{target}`"), remedy);
        names.len()
    })
}

/// Steps that lead back to themselves without a wait would run for ever at once.
fn refuse_endless(steps: &[plan::Step], context: &mut Context<'_>, path: Path<'_>) {
    for (start, step) in steps.iter().enumerate() {
        let mut at = start;
        let mut waits = false;
        for _ in 0..steps.len() {
            let Some(current) = steps.get(at) else { break };
            waits |= matches!(current.action, plan::Action::Wait { .. });
            at = current.next;
            if at == start {
                break;
            }
        }
        if at == start && !waits {
            let reason = format!("`{}` leads back to itself without a wait", step.name);
            context.findings.push(
                path.index(start).field("next"),
                code::CYCLE_OF_STEPS,
                reason,
                "add a wait, or go on to end",
            );
            return;
        }
    }
}
