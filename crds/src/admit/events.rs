//! Types of events that the system tells itself: whether an Automation hears one, and whether one is kept to be counted.
//! What nobody would ever be told, or nothing ever count, is refused here, so that no resource waits for it in silence.

use fanfare_core::event_types::{Origin, origin};

use super::context::Context;
use super::error::{Path, code};

/// Refuses a type that no Automation is ever told.
pub(crate) fn heard(event: &str, context: &mut Context<'_>, path: Path<'_>) {
    if origin(event) == Origin::Reserved {
        let reason = format!("Automations are not told `{event}`");
        context.findings.push(path, code::NOT_ALLOWED, reason, instead(event));
    }
}

/// Refuses a type of which nothing is kept, where events are counted.
pub(crate) fn counted(event: &str, context: &mut Context<'_>, path: Path<'_>) {
    match origin(event) {
        Origin::Sent | Origin::Kept => {}
        Origin::Told => {
            let reason = format!("`{event}` is told to Automations and not kept, so nothing counts it");
            context.findings.push(path, code::NOT_ALLOWED, reason, COUNT);
        }
        Origin::Reserved => {
            let reason = format!("there are no events `{event}` to count");
            context.findings.push(path, code::NOT_ALLOWED, reason, COUNT);
        }
    }
}

/// Refuses a type that only the system makes, where those are named that somebody sends.
pub(crate) fn sent(event: &str, context: &mut Context<'_>, path: Path<'_>) {
    if origin(event) != Origin::Sent {
        let reason = format!("`{event}` is the system's own and cannot be sent");
        context.findings.push(path, code::NOT_ALLOWED, reason, "choose a type of your own, such as coupon.used");
    }
}

/// Refuses a type that earns no points: only what is sent does.
pub(crate) fn earning(event: &str, context: &mut Context<'_>, path: Path<'_>) {
    if origin(event) != Origin::Sent {
        let reason = format!("`{event}` is the system's own and earns no points");
        let remedy = "name an event that is sent, such as order.paid, or let an Automation issue a Reward of points";
        context.findings.push(path, code::NOT_ALLOWED, reason, remedy);
    }
}

const COUNT: &str = "count order.paid, or send an event of your own, such as coupon.used, and count that";

fn instead(event: &str) -> &'static str {
    match event {
        "campaign.started" => "use campaign.joined, which each member is told that takes part",
        "campaign.ended" => "use campaign.joined and a wait, or campaign.completed for those who reached every goal",
        _ => "it is about a campaign and no member; use campaign.converted",
    }
}
