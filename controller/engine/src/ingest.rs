//! Events: each is accepted, counted and answered exactly once.
//!
//! An event is one command, so a bad one never sinks its batch, and the writer folds all that come together into one
//! transaction. An accepted event is a fact about its member before anything is decided on it.

use crate::{
    CallError, Command, Engine, Halt, attribution,
    audience::{Audience, Fact},
    earn,
    effects::{self, Decided as Of},
    journeys::{self, Heard},
    knowledge::{Coming, visit},
    members,
    orders::reported,
    plans::Plans,
    progress::{self, Goals},
    reached::{self, Way},
    tx::Tx,
};
use fanfare_core::{
    decide::{self, Decision},
    event_types::{Origin, origin},
    ids::{GrantId, MemberId, Name, StoreId},
    journey::{exits, starts},
    mechanic::{Happened, Paid, Rule, lottery::Entry, spend_threshold::SpendPer},
    model::CampaignPlan,
    reason::{Reason, Refusal},
    segment::{ORDER_PAID, ORDER_REFUNDED},
    time::Ts,
};
use fanfare_store::{Keys, Position, rows::Event};
use serde::{Deserialize, Serialize};
use serde_json::Value;
use std::sync::Arc;

/// The most events of one request.
pub const EVENTS_MAX: usize = 1_000;
/// The longest id or type of an event, in bytes.
pub const TEXT_MAX_BYTES: usize = 256;

/// Types that every member may send of itself, beside those that the Runtime names.
pub const FROM_MEMBERS: [&str; 3] = ["campaign.viewed", "message.opened", "message.clicked"];

/// How sources begin that no sender may name: a member's own events and what the system itself makes an event.
const OWN_SOURCES: [&str; 2] = ["member/", "fanfare/"];

/// Who sends events.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Sender {
    /// A till or an integration.
    Shop,
    /// A member, of itself alone.
    Member(MemberId),
}

/// An event as it comes in.
#[derive(Clone, Debug, PartialEq)]
pub struct Incoming {
    /// Who sent it, as the event says; a member's events have a source of their own, whatever they say.
    pub source: String,
    /// Its id, unique with the source.
    pub id: String,
    /// Its type.
    pub kind: String,
    /// The member that it is about.
    pub subject: Option<MemberId>,
    /// When it happened; now, when it does not say.
    pub time: Option<Ts>,
    /// Its data, an object or nothing.
    pub data: Arc<Value>,
}

/// What became of an event.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[expect(missing_docs, reason = "the names are the contract's")]
pub enum Status {
    Accepted,
    Duplicate,
    Rejected,
}

/// Why an event was rejected.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Problem {
    /// Stable, kebab-case.
    pub code: String,
    /// In a sentence.
    pub detail: String,
}

/// What an event brought about in one mechanic.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Decided {
    /// Of which campaign.
    pub campaign: Name,
    /// Of which mechanic.
    pub mechanic: Name,
    /// A word, such as `progressed`; a refusal's code where a reward could not be given.
    pub outcome: String,
    /// What was given.
    pub grants: Vec<GrantId>,
    /// How far the member has come.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub progress: Option<Goals>,
}

/// The answer for one event.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct EventResult {
    /// The event's id.
    pub id: String,
    /// What became of it.
    pub status: Status,
    /// What it brought about, [`Decided`] each; those of the first time for a duplicate.
    pub decisions: Value,
    /// Why it was rejected.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub problem: Option<Problem>,
}

/// Takes one event.
#[derive(Clone, Debug)]
pub struct Ingest {
    /// The event.
    pub event: Incoming,
    /// Who sends it.
    pub sender: Sender,
}

impl Engine {
    /// Takes events, at most [`EVENTS_MAX`], and answers each in its place, with the position
    /// that was reached.
    ///
    /// # Errors
    /// [`CallError`] when the database did not answer: some may have been taken, and sending all again is safe.
    pub async fn ingest(
        &self,
        events: Vec<Incoming>,
        sender: &Sender,
    ) -> Result<(Vec<EventResult>, Option<Position>), CallError> {
        let ids: Vec<String> = events.iter().take(EVENTS_MAX).map(|event| event.id.clone()).collect();
        let one = |event| Ingest { event, sender: sender.clone() };
        let outcomes = self.execute_all(events.into_iter().take(EVENTS_MAX).map(one).collect()).await?;
        let reached = outcomes.iter().map(|(_, position)| *position).max();
        let results = ids.iter().zip(outcomes).map(|(id, (outcome, _))| {
            outcome.unwrap_or_else(|refused| {
                let Refusal { reason, detail, .. } = refused.refusal;
                rejected(id, reason.code(), detail)
            })
        });
        Ok((results.collect(), reached))
    }
}

impl Ingest {
    fn source(&self) -> String {
        match &self.sender {
            Sender::Shop => self.event.source.clone(),
            Sender::Member(member) => format!("member/{member}"),
        }
    }

    fn subject(&self) -> Option<&MemberId> {
        match &self.sender {
            Sender::Shop => self.event.subject.as_ref(),
            Sender::Member(member) => Some(member),
        }
    }

    fn digest(&self) -> String {
        let mut hasher = blake3::Hasher::new();
        let Incoming { source: _, id: _, kind, subject: _, time, data } = &self.event;
        let time = time.map(|at| at.to_rfc3339()).unwrap_or_default();
        let subject = self.subject().map(MemberId::as_str).unwrap_or_default();
        for part in [kind.as_str(), subject, &time, &data.to_string()] {
            hasher.update(part.as_bytes());
            hasher.update(&[0]);
        }
        hasher.finalize().to_hex().to_string()
    }

    /// Names the rows that it is decided on, but for the member's.
    fn want(&self, plans: &Plans, keys: &mut Keys) {
        keys.events.insert((self.source(), self.event.id.clone()));
        let Some(member) = self.subject() else { return };
        let kind = self.event.kind.as_str();
        for campaign in plans.campaigns.values().filter(|campaign| concerns(&campaign.plan, kind)) {
            keys.participations.insert((campaign.plan.name.clone(), member.clone()));
        }
        for plan in plans.automations.values() {
            if starts(plan, kind) || exits(plan, kind) {
                keys.runs_of.insert((plan.name.clone(), member.clone()));
            }
        }
        if let Some(order) = reported::order_of(kind, &self.event.data) {
            keys.orders.insert(order);
        }
    }

    /// Whether it is kept and counted and nothing follows from it, for a member whom memory knows: then the member's row
    /// says nothing more.
    fn is_known(&self, plans: &Plans, audience: &Audience, member: &MemberId) -> bool {
        let kind = self.event.kind.as_str();
        let follows = plans.campaigns.values().any(|campaign| concerns(&campaign.plan, kind))
            || plans.automations.values().any(|plan| starts(plan, kind) || exits(plan, kind))
            || plans.runtime.as_deref().is_some_and(|runtime| runtime.points.earned_by(kind).next().is_some())
            || [ORDER_PAID, ORDER_REFUNDED].contains(&kind);
        !follows && audience.with(member, |record| record.known)
    }

    /// What is wrong with the event whatever is known: its shape, its sender, its time.
    fn fault(&self, tx: &Tx<'_>, at: Ts) -> Result<Option<(&'static str, String)>, Halt> {
        let Incoming { source, id, kind, subject: _, time: _, data } = &self.event;
        let rules = &tx.runtime()?.events;
        for (name, text) in [("source", source), ("id", id), ("type", kind)] {
            let empty = text.is_empty() && !(name == "source" && self.sender != Sender::Shop);
            if empty || text.len() > TEXT_MAX_BYTES || text.contains(char::is_control) {
                let detail =
                    format!("its {name} is empty, longer than {TEXT_MAX_BYTES} bytes or has control characters");
                return Ok(Some(("invalid", detail)));
            }
        }
        if let Some(reason) = self.subject().and_then(members::id_fault) {
            return Ok(Some(("invalid", format!("its subject {reason}"))));
        }
        let own = |prefix: &&str| source.starts_with(prefix);
        if self.sender == Sender::Shop && OWN_SOURCES.iter().any(own) {
            return Ok(Some((
                "invalid",
                format!("its source begins with {}, which is the system's own", OWN_SOURCES.join(" or ")),
            )));
        }
        if origin(kind) != Origin::Sent {
            return Ok(Some((
                "invalid",
                format!("its type {kind} is the system's own, which tells it itself; choose another type"),
            )));
        }
        if !data.is_object() && !data.is_null() {
            return Ok(Some(("invalid", "its data is no JSON object".into())));
        }
        if self.sender != Sender::Shop && !FROM_MEMBERS.contains(&kind.as_str()) && !rules.from_members.contains(kind) {
            return Ok(Some((
                "forbidden",
                format!("members do not send {kind}; the shop does, or the Runtime allows it"),
            )));
        }
        let zone = tx.zone();
        if at < rules.accept_past.before(tx.now, zone) {
            let detail =
                format!("it happened more than {} ago, which is as far back as events are taken", rules.accept_past);
            return Ok(Some((Reason::EventTooOld.code(), detail)));
        }
        if at > rules.accept_ahead.after(tx.now, zone) {
            let detail = format!("it happens more than {} from now; check the sender's clock", rules.accept_ahead);
            return Ok(Some((Reason::EventTooEarly.code(), detail)));
        }
        Ok(None)
    }
}

impl Command for Ingest {
    type Answer = EventResult;

    fn prefetch(&self, plans: &Plans, keys: &mut Keys) {
        self.want(plans, keys);
        keys.members.extend(self.subject().cloned());
    }

    fn prefetch_beside(&self, plans: &Plans, audience: &Audience, keys: &mut Keys) {
        self.want(plans, keys);
        keys.members.extend(self.subject().filter(|member| !self.is_known(plans, audience, member)).cloned());
    }

    fn run(&self, tx: &mut Tx<'_>) -> Result<EventResult, Halt> {
        let Incoming { source: _, id, kind, subject: _, time, data } = &self.event;
        let (source, digest) = (self.source(), self.digest());
        if let Some(known) = tx.event(&source, id)? {
            if known.digest == digest {
                let (id, decisions) = (id.clone(), known.decisions.clone());
                return Ok(EventResult { id, status: Status::Duplicate, decisions, problem: None });
            }
            let detail = "this id was used by this source for other data; give each event an id of its own";
            return Ok(rejected(id, Reason::EventIdReused.code(), detail.into()));
        }
        let at = time.unwrap_or(tx.now);
        if let Some((code, detail)) = self.fault(tx, at)? {
            return Ok(rejected(id, code, detail));
        }
        let member = self.subject().cloned();
        if let Some(member) = &member {
            if tx.changed_member(member).is_some() || !self.is_known(tx.plans, tx.audience, member) {
                members::ensure(tx, member)?;
            }
            earn::look(tx, Some(member), kind);
        }
        let mut event = Event {
            source,
            id: id.clone(),
            kind: kind.clone(),
            member,
            time: at,
            digest,
            data: Arc::clone(data),
            decisions: Value::Array(Vec::new()),
        };
        let mut paid = None;
        match kind.as_str() {
            ORDER_PAID => match reported::paid(tx, &event)? {
                reported::Taken::New(order) => paid = Some(order),
                reported::Taken::Known => {
                    let decisions = Value::Array(Vec::new());
                    return Ok(EventResult { id: id.clone(), status: Status::Duplicate, decisions, problem: None });
                }
                reported::Taken::Wrong(detail) => return Ok(rejected(id, "invalid", detail)),
            },
            ORDER_REFUNDED => match reported::refunded(tx, &event)? {
                reported::Taken::New(_) => {}
                reported::Taken::Known => {
                    let decisions = Value::Array(Vec::new());
                    return Ok(EventResult { id: id.clone(), status: Status::Duplicate, decisions, problem: None });
                }
                reported::Taken::Wrong(detail) => return Ok(rejected(id, "invalid", detail)),
            },
            _ => {}
        }
        tx.order = reported::order_of(kind, data);
        tx.new_event(event.clone());
        earn::on_event(tx, &event)?;
        let decided = happened(tx, &event, paid)?;
        reported::progressed(tx, &event, &decided)?;
        if !decided.is_empty() {
            event.decisions = serde_json::to_value(decided).unwrap_or_default();
            tx.new_event(event.clone());
        }
        Ok(EventResult { id: id.clone(), status: Status::Accepted, decisions: event.decisions, problem: None })
    }
}

fn rejected(id: &str, code: &str, detail: String) -> EventResult {
    let problem = Some(Problem { code: code.to_owned(), detail });
    EventResult { id: id.to_owned(), status: Status::Rejected, decisions: Value::Array(Vec::new()), problem }
}

/// Whether an event of this type can bring anything in a campaign, so that the others need not be asked.
pub(crate) fn concerns(plan: &CampaignPlan, kind: &str) -> bool {
    plan.mechanics.iter().any(|mechanic| match &mechanic.rule {
        Rule::Lottery(lottery) => matches!(&lottery.entry, Entry::Event(entry) if entry == kind),
        Rule::SpendThreshold(threshold) => match threshold.per {
            SpendPer::Order | SpendPer::Campaign => kind == ORDER_PAID,
        },
        Rule::Discount(_) | Rule::FlashSale(_) => false,
    })
}

/// Lets every campaign and Automation know of an event that was accepted and written. A till's commit is one, too.
///
/// # Errors
/// Missing when rows are not loaded.
pub(crate) fn happened(tx: &mut Tx<'_>, event: &Event, paid: Option<Paid>) -> Result<Vec<Decided>, Halt> {
    let Some(member) = &event.member else { return Ok(Vec::new()) };
    let late = event.time < tx.runtime()?.events.reward_past.before(tx.now, tx.zone());
    let served = tx.plans.campaigns.values().filter(|campaign| !campaign.settled);
    let plans: Vec<Arc<CampaignPlan>> =
        served.filter(|campaign| concerns(&campaign.plan, &event.kind)).map(|c| Arc::clone(&c.plan)).collect();
    let mut decided = Vec::new();
    for plan in plans {
        for decision in decide(tx, &plan, event, paid, late)? {
            decided.extend(follow(tx, &plan, event, member, late, decision)?);
        }
    }
    let heard = Heard { member, kind: &event.kind, at: event.time, data: &event.data, late };
    journeys::heard(tx, heard)?;
    Ok(decided)
}

fn decide(
    tx: &Tx<'_>,
    plan: &CampaignPlan,
    event: &Event,
    paid: Option<Paid>,
    late: bool,
) -> Result<Vec<Decision>, Halt> {
    let fact = Fact::of(event);
    let store = store_of(event);
    let channel = event.data.get("channel").and_then(Value::as_str);
    let coming = Coming { member: event.member.as_ref(), store: store.as_ref(), channel, at: event.time, points: 0 };
    // What happened too long ago counts and gives nothing.
    let happened = Happened { kind: &event.kind, event: &fact, paid, grants: !late };
    Ok(visit(tx, coming, |visit| decide::on_event(plan, visit, &happened))??)
}

/// Does what a mechanic decided.
fn follow(
    tx: &mut Tx<'_>,
    plan: &CampaignPlan,
    event: &Event,
    member: &MemberId,
    late: bool,
    decision: Decision,
) -> Result<Option<Decided>, Halt> {
    let Decision { campaign, mechanic, outcome } = decision;
    let effects = outcome.effects;
    if !effects::within_caps(tx, &effects)? {
        return Ok(None);
    }
    let store = store_of(event);
    let cause = match reported::order_of(&event.kind, &event.data) {
        Some(order) => format!("order:{order}"),
        None => format!("event:{}/{}", event.source, event.id),
    };
    let of = Of { campaign: &campaign, mechanic: Some(&mechanic), member, store: store.as_ref(), cause: &cause };
    let of_plan = plan.mechanics.iter().find(|known| known.name == mechanic);
    let way = of_plan.map(|mechanic| Way { plan, mechanic, member, late });
    let before = way.map(|way| reached::before(tx, way)).transpose()?.flatten();
    let done = effects::apply(tx, of, &effects)?;
    if outcome.takes_part {
        attribution::touch(tx, plan, member, event.time)?;
    }
    let progress = match way {
        Some(way) => {
            reached::tell(tx, way, before)?;
            progress::of_tx(tx, plan, way.mechanic, member)?
        }
        None => None,
    };
    let outcome = done.refused.map_or(outcome.outcome, |refusal| refusal.reason.code().to_owned());
    Ok(Some(Decided { campaign, mechanic, outcome, grants: done.grants, progress }))
}

fn store_of(event: &Event) -> Option<StoreId> {
    event.data.get("storeId").and_then(Value::as_str).map(StoreId::from)
}
