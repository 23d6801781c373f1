//! After a start: what was acknowledged is there and is answered again to the byte; what was not is all there or not at all.

use crate::{
    record::{Answer, Call, What, Who},
    till::{OVERLOADED, OVERLOADED_MAX, OVERLOADED_PAUSE, Session, Till, state},
};
use serde_json::Value;

/// How many earlier calls of a till are asked again besides those since the last start.
const SAMPLE: usize = 15;

/// What a check has seen.
#[derive(Clone, Debug, Default)]
pub struct Seen {
    /// Acknowledged calls that were asked again.
    pub replayed: usize,
    /// Calls without an answer of which everything was there.
    pub was_there: usize,
    /// Calls without an answer of which nothing was there.
    pub was_not_there: usize,
    /// Acknowledged, and lost or changed.
    pub losses: Vec<String>,
    /// Anything else that must not be.
    pub findings: Vec<String>,
}

impl Seen {
    /// Adds what another one has seen.
    pub fn add(&mut self, other: Self) {
        self.replayed += other.replayed;
        self.was_there += other.was_there;
        self.was_not_there += other.was_not_there;
        self.losses.extend(other.losses);
        self.findings.extend(other.findings);
    }
}

/// Holds one till's journal against the process that runs now.
pub async fn journal(till: &mut Till, session: &Session, everything: bool) -> Seen {
    let mut seen = Seen::default();
    let open: Vec<usize> = (till.fresh..till.calls.len()).filter(|at| till.calls[*at].answer.is_none()).collect();
    for at in open {
        settle(till, at, session, &mut seen).await;
    }
    let before = till.fresh.saturating_sub(till.kept);
    let skip = if everything || before <= SAMPLE { 1 } else { before / SAMPLE };
    let earlier = (till.kept..till.fresh).step_by(skip);
    let asked: Vec<usize> = earlier.chain(till.fresh..till.calls.len()).collect();
    for at in asked {
        again(&till.calls[at], session, &mut seen).await;
    }
    orders(till, session, everything, &mut seen).await;
    redemptions(till, session, &mut seen).await;
    till.fresh = till.calls.len();
    seen
}

/// A call that got no answer: is it there? Sent again under its key it gets one decision, which stays.
async fn settle(till: &mut Till, at: usize, session: &Session, seen: &mut Seen) {
    let call = till.calls[at].clone();
    let there = is_there(&call, session).await;
    let Some(first) = session.send(&call).await.filter(Answer::is_decision) else {
        seen.findings.push(format!("{} under {} got no decision after the start", call.path, call.key));
        return;
    };
    let is_told_again = match call.what {
        What::Event => first.json()["results"][0]["status"] == "Duplicate",
        _ => first.replayed,
    };
    match (there, first.is_success()) {
        (Some(true), _) if !is_told_again => {
            seen.findings.push(format!(
                "{} under {} was there and was decided anew: {}",
                call.path,
                call.key,
                first.told()
            ));
        }
        (Some(false), true) if is_told_again => {
            seen.findings.push(format!(
                "{} under {} has an answer and no effect: {}",
                call.path,
                call.key,
                first.told()
            ));
        }
        _ => {}
    }
    if is_told_again {
        seen.was_there += 1;
    } else {
        seen.was_not_there += 1;
    }
    till.learn(at, first);
}

/// Whether the effect of a call can be seen; nothing where it cannot be looked up.
async fn is_there(call: &Call, session: &Session) -> Option<bool> {
    let till = |path: String| async move { session.get(&Who::Till, &path).await };
    match &call.what {
        What::Place { order } => Some(till(format!("/v1/orders/{order}")).await.is_some()),
        What::Commit { order } => Some(state(&till(format!("/v1/orders/{order}")).await?) == "Committed"),
        What::Void { order } => Some(state(&till(format!("/v1/orders/{order}")).await?) == "Voided"),
        What::Return { order, id } => {
            let view = till(format!("/v1/orders/{order}")).await?;
            Some(has(&view["returns"], "returnId", id))
        }
        What::Claim { member, grant } => {
            let view = session.get(&Who::Member(member.clone()), &format!("/v1/grants/{grant}")).await?;
            Some(state(&view) != "Granted")
        }
        What::Redeem { order } => {
            let page = till(format!("/v1/redemptions?orderId={order}")).await?;
            Some(page["items"].as_array().is_some_and(|items| !items.is_empty()))
        }
        What::Reverse { redemption, id } => {
            let view = till(format!("/v1/redemptions/{redemption}")).await?;
            Some(has(&view["reversals"], "reversalId", id) || has(&view["reversals"], "id", id))
        }
        What::Act | What::Event => None,
    }
}

fn has(list: &Value, field: &str, id: &str) -> bool {
    list.as_array().into_iter().flatten().any(|item| item[field] == id)
}

/// An acknowledged call gets the same bytes again.
async fn again(call: &Call, session: &Session, seen: &mut Seen) {
    let Some(told) = &call.answer else { return };
    let mut now = session.send(call).await;
    for _ in 0..OVERLOADED_MAX {
        if now.as_ref().is_none_or(|now| now.status != OVERLOADED) || told.status == OVERLOADED {
            break;
        }
        tokio::time::sleep(OVERLOADED_PAUSE).await;
        now = session.send(call).await;
    }
    let Some(now) = now else {
        seen.findings.push(format!("{} under {} got no answer from a running process", call.path, call.key));
        return;
    };
    seen.replayed += 1;
    let kept = match call.what {
        // An event is its own key: it counted once.
        What::Event => !told.is_success() || now.json()["results"][0]["status"] == "Duplicate",
        _ => now.same_as(told) && (now.replayed || !was_decided(told)),
    };
    if !kept {
        seen.losses.push(format!("{} under {} was told {} and now {}", call.path, call.key, told.told(), now.told()));
    }
}

/// Whether the answer was stored under its key: faults of the request itself are found anew each time.
fn was_decided(told: &Answer) -> bool {
    told.is_success() || told.status == 409
}

/// Every order is as it was last told; what was only reserved may have lapsed since.
async fn orders(till: &mut Till, session: &Session, everything: bool, seen: &mut Seen) {
    let newest = if everything { usize::MAX } else { 150 };
    for (id, known) in till.orders.iter_mut().rev().take(newest) {
        let Some(view) = session.get(&Who::Till, &format!("/v1/orders/{id}")).await else {
            seen.losses.push(format!("order {id} was acknowledged as {} and is not there", state(&known.view)));
            continue;
        };
        if (state(&known.view), state(&view)) == ("Reserved", "Lapsed") {
            known.view = view;
            continue;
        }
        for field in ["state", "total", "discount", "payable", "discounts", "earned", "returns", "committedAt"] {
            if view[field] != known.view[field] {
                let (was, now) = (&known.view[field], &view[field]);
                seen.losses.push(format!("order {id}: {field} was told as {was} and is {now}"));
            }
        }
    }
}

async fn redemptions(till: &Till, session: &Session, seen: &mut Seen) {
    for (id, known) in &till.redemptions {
        let Some(view) = session.get(&Who::Till, &format!("/v1/redemptions/{id}")).await else {
            seen.losses.push(format!("redemption {id} was acknowledged and is not there"));
            continue;
        };
        for field in ["state", "amount", "grant"] {
            if view[field] != known[field] {
                seen.losses
                    .push(format!("redemption {id}: {field} was told as {} and is {}", known[field], view[field]));
            }
        }
    }
}
