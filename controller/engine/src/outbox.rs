//! The outbox: what was decided to be sent, and its way out.
//!
//! A message is written in the transaction that decides it; nothing leaves before its commit. Consent and address are
//! looked at when it is sent, not when it was decided. A message is taken ([`MessageState::Sending`]), handed to its
//! channel, and what became of it is noted. Found taken after a crash, or when nobody said whether it left, it goes
//! where its step wants: dropped (at most once) or again (at least once).
//!
//! Of several replicas one takes a message, since taking is decided in the lane. What another has taken is left to it for
//! [`LEASE_S`]; after that it is as if found after a crash.

use crate::{CallError, Command, Engine, Halt, plans::Plans, tx::Tx};
use chrono::TimeDelta;
use fanfare_core::{
    envelope::{Envelope, SendFault},
    ids::{MemberId, MessageId, Name},
    ledger::{Posting, account},
    mechanic::key,
    model::message::Means,
    time::Ts,
};
use fanfare_store::{
    Keys,
    rows::{Consent, Member, Message, MessageState},
};
use futures::{StreamExt, future::BoxFuture};
use std::{
    collections::{BTreeMap, BTreeSet},
    time::Duration,
};
use tokio::time::Instant;

/// How many messages one pass takes.
pub const PASS_MAX: usize = 200;
/// How many messages are on their way at once.
const CONCURRENT_MAX: usize = 8;
/// How long after it was taken a message may still be handed to its channel, in seconds; later it goes back to wait.
const BEGIN_WITHIN_S: u64 = 60;
/// How long a message that another replica has taken is left to it, in seconds: as long as it may take to be handed over
/// and sent, a minute each, and a minute for clocks and stops.
pub const LEASE_S: i64 = 180;
/// How often a message that was not taken is tried.
pub const ATTEMPTS_MAX: i64 = 10;
/// How long a channel rests after its first fault, in seconds; twice as long after each further one.
const REST_FIRST_S: u64 = 5;
/// The longest rest of a channel, in seconds.
const REST_MAX_S: u64 = 600;

/// What hands a message to its channel. `notify` has it; the binary brings the two together.
pub trait Sender: Send + Sync {
    /// Sends one message by `means`.
    fn send<'a>(&'a self, means: &'a Means, envelope: &'a Envelope) -> BoxFuture<'a, Result<(), SendFault>>;
}

/// The name under which members consent to a kind of channel: `email` or `inApp`; the channel's own name does as well.
pub fn consent_key(means: &Means) -> &'static str {
    match means {
        Means::Smtp { .. } => "email",
        Means::InApp => "inApp",
    }
}

/// The type of the identity that a kind of channel reaches, if it needs one.
pub fn identity_type(means: &Means) -> Option<&'static str> {
    match means {
        Means::Smtp { .. } => Some("email"),
        Means::InApp => None,
    }
}

/// Whether a channel reaches a member: an identity where it needs one, and consent.
pub(crate) fn reaches(record: &crate::audience::Record, channel: &fanfare_core::model::ChannelPlan) -> bool {
    let has_address = identity_type(&channel.means).is_none_or(|kind| record.identities.contains(kind));
    has_address && consents(&record.consent, &channel.name, &channel.means)
}

/// Whether a member agreed to marketing through a channel: to its kind or to itself, and against neither.
pub fn consents(consent: &Consent, channel: &Name, means: &Means) -> bool {
    let said = [channel.as_str(), consent_key(means)].map(|key| consent.channels.get(key).copied());
    said.contains(&Some(true)) && !said.contains(&Some(false))
}

/// Writes a message to be sent. One to the in-app inbox is sent by this very transaction.
pub(crate) fn queue(tx: &mut Tx<'_>, mut message: Message) -> Result<(), Halt> {
    let Some(channel) = tx.plans.channels.get(&message.channel).cloned() else {
        drop_message(tx, message, "stopped");
        return Ok(());
    };
    message.in_app = matches!(channel.means, Means::InApp);
    message.state = MessageState::Queued;
    if message.in_app {
        let agreed = !message.marketing
            || tx.member(&message.member)?.is_some_and(|row| consents(&row.consent, &channel.name, &channel.means));
        if agreed {
            sent(tx, message)?;
        } else {
            drop_message(tx, message, "consent");
        }
    } else {
        tx.put_message(message);
    }
    Ok(())
}

/// Notes that a message left, what that cost, and counts it.
fn sent(tx: &mut Tx<'_>, mut message: Message) -> Result<(), Halt> {
    message.state = MessageState::Sent;
    message.reason = None;
    message.sent_at = Some(tx.now);
    tx.tally(&key::figure("channel", &message.channel, "sent"), 1);
    let unit_cost = tx.plans.channels.get(&message.channel).map_or(0, |channel| channel.unit_cost.0);
    if let (Some(campaign), true) = (&message.campaign, unit_cost > 0) {
        let money = tx.runtime()?.currency.code().to_owned();
        let (from, to) = (account::cost_source(campaign), account::cost(campaign, "messages"));
        if let Some(posting) = Posting::transfer("message-sent", message.id.as_str(), &money, &from, &to, unit_cost) {
            tx.post(posting);
        }
    }
    tx.put_message(message);
    Ok(())
}

pub(crate) fn drop_message(tx: &mut Tx<'_>, mut message: Message, reason: &str) {
    message.state = MessageState::Dropped;
    message.sent_at = None;
    message.reason = Some(reason.to_owned());
    let figure = if matches!(reason, "failed" | "ambiguous") { "failed" } else { "dropped" };
    tx.tally(&key::figure("channel", &message.channel, figure), 1);
    tx.put_message(message);
}

/// A message that is on its way.
#[derive(Clone, Debug)]
struct Ready {
    /// Which try it is, so that only who took it says what became of it.
    attempt: i64,
    channel: Name,
    means: Means,
    envelope: Envelope,
}

/// Takes messages for sending.
#[derive(Clone, Debug)]
struct Take {
    /// (message, its member), so that all rows come at once.
    messages: Vec<(MessageId, MemberId)>,
    /// How long what others have taken is left to them.
    lease: TimeDelta,
}

/// Whether whoever has taken a message may still be sending it.
fn is_under_way(message: &Message, now: Ts, lease: TimeDelta) -> bool {
    message.state == MessageState::Sending && message.sent_at.is_some_and(|taken| now - taken < lease)
}

impl Command for Take {
    type Answer = Vec<Ready>;

    fn prefetch(&self, _: &Plans, keys: &mut Keys) {
        for (message, member) in &self.messages {
            keys.messages.insert(message.to_string());
            keys.members.insert(member.clone());
        }
    }

    fn run(&self, tx: &mut Tx<'_>) -> Result<Vec<Ready>, Halt> {
        let mut ready = Vec::new();
        for (id, _) in &self.messages {
            let Some(message) = tx.message(id.as_str())?.cloned() else { continue };
            match message.state {
                MessageState::Queued => ready.extend(take(tx, message)?),
                MessageState::Sending if is_under_way(&message, tx.now, self.lease) => {}
                // Nobody is sending now: a sender died holding it.
                MessageState::Sending if message.skip_when_ambiguous => drop_message(tx, message, "ambiguous"),
                MessageState::Sending => ready.extend(take(tx, message)?),
                MessageState::Sent | MessageState::Dropped => {}
            }
        }
        Ok(ready)
    }
}

fn take(tx: &mut Tx<'_>, mut message: Message) -> Result<Option<Ready>, Halt> {
    let Some(channel) = tx.plans.channels.get(&message.channel).cloned() else {
        drop_message(tx, message, "stopped");
        return Ok(None);
    };
    let member = tx.member(&message.member)?.cloned();
    let agreed = |row: &Member| !message.marketing || consents(&row.consent, &channel.name, &channel.means);
    if !member.as_ref().is_some_and(agreed) {
        drop_message(tx, message, "consent");
        return Ok(None);
    }
    let kind = identity_type(&channel.means).unwrap_or_default();
    let address = member.iter().flat_map(|row| &row.identities).find(|(of, _)| of == kind).map(|(_, value)| value);
    let Some(to) = address.cloned() else {
        drop_message(tx, message, "no-address");
        return Ok(None);
    };
    message.state = MessageState::Sending;
    // When it was taken, until it is known when it left.
    message.sent_at = Some(tx.now);
    message.attempts += 1;
    let attempt = message.attempts;
    let envelope = Envelope {
        id: message.id.clone(),
        to,
        subject: message.subject.clone(),
        body: message.body.clone(),
        locale: message.locale.clone(),
    };
    tx.put_message(message);
    Ok(Some(Ready { attempt, channel: channel.name.clone(), means: channel.means.clone(), envelope }))
}

/// Notes what became of messages that were taken.
#[derive(Clone, Debug)]
struct Note {
    outcomes: Vec<Outcome>,
}

/// What became of a message that was taken.
#[derive(Clone, Debug)]
struct Outcome {
    id: MessageId,
    attempt: i64,
    channel: Name,
    /// `None` when it was not handed to its channel in time.
    sent: Option<Result<(), SendFault>>,
}

impl Command for Note {
    type Answer = ();

    fn prefetch(&self, _: &Plans, keys: &mut Keys) {
        keys.messages.extend(self.outcomes.iter().map(|outcome| outcome.id.to_string()));
    }

    fn run(&self, tx: &mut Tx<'_>) -> Result<(), Halt> {
        for Outcome { id, attempt, channel: _, sent: outcome } in &self.outcomes {
            let held = tx.message(id.as_str())?.filter(|row| row.state == MessageState::Sending).cloned();
            let Some(mut message) = held else { continue };
            let is_ours = message.attempts == *attempt;
            match outcome {
                // It left, whoever has taken it since.
                Some(Ok(())) => sent(tx, message)?,
                Some(Err(_)) | None if !is_ours => {}
                None => {
                    message.attempts -= 1;
                    queue_again(tx, message);
                }
                Some(Err(fault)) => failed(tx, message, fault),
            }
        }
        Ok(())
    }
}

fn queue_again(tx: &mut Tx<'_>, mut message: Message) {
    message.state = MessageState::Queued;
    message.sent_at = None;
    tx.put_message(message);
}

fn failed(tx: &mut Tx<'_>, message: Message, fault: &SendFault) {
    match fault {
        SendFault::Ambiguous(_) if message.skip_when_ambiguous => drop_message(tx, message, "ambiguous"),
        SendFault::Ambiguous(_) | SendFault::NotTaken(_) if message.attempts < ATTEMPTS_MAX => queue_again(tx, message),
        SendFault::Ambiguous(_) | SendFault::NotTaken(_) | SendFault::Refused(_) => drop_message(tx, message, "failed"),
    }
}

/// Which channels rest after a fault, and how far the next pass may look.
#[derive(Debug, Default)]
pub struct Outbox {
    resting: BTreeMap<Name, (u32, Instant)>,
}

impl Outbox {
    /// Sends what waits, at most [`PASS_MAX`] messages; answers whether more may wait.
    ///
    /// # Errors
    /// [`CallError`] when the database does not answer.
    pub async fn pass(&mut self, engine: &Engine, sender: &dyn Sender) -> Result<bool, CallError> {
        let (store, ns) = (engine.store(), engine.namespace());
        // In one process passes do not overlap: what is found taken was held by a sender that died.
        let lease = TimeDelta::seconds(if store.shared() { LEASE_S } else { 0 });
        let mut waiting = store.sending(ns, PASS_MAX).await?;
        waiting.retain(|row| !is_under_way(row, engine.clock().now(), lease));
        waiting.extend(store.outbox(ns, PASS_MAX).await?);
        let full = waiting.len() >= PASS_MAX;
        let now = Instant::now();
        let rests = |channel: &Name| self.resting.get(channel).is_some_and(|(_, until)| now < *until);
        let messages: Vec<_> =
            waiting.into_iter().filter(|row| !rests(&row.channel)).map(|row| (row.id, row.member)).collect();
        if messages.is_empty() {
            return Ok(false);
        }
        let (Ok(ready), _) = engine.execute(Take { messages, lease }).await? else { return Ok(false) };
        let taken = Instant::now();
        let sending = ready.into_iter().map(|Ready { attempt, channel, means, envelope }| async move {
            let in_time = taken.elapsed() < Duration::from_secs(BEGIN_WITHIN_S);
            let sent = if in_time { Some(sender.send(&means, &envelope).await) } else { None };
            Outcome { id: envelope.id, attempt, channel, sent }
        });
        let outcomes: Vec<_> = futures::stream::iter(sending).buffer_unordered(CONCURRENT_MAX).collect().await;
        self.rest(&outcomes);
        if !outcomes.is_empty() {
            drop(engine.execute(Note { outcomes }).await?);
        }
        Ok(full)
    }

    /// A channel that took nothing rests; one that took something is well.
    fn rest(&mut self, done: &[Outcome]) {
        let channels: BTreeSet<&Name> = done.iter().map(|outcome| &outcome.channel).collect();
        for channel in channels {
            let mut outcomes = done.iter().filter(|of| of.channel == *channel).filter_map(|of| of.sent.as_ref());
            let down = |outcome: &Result<(), SendFault>| {
                matches!(outcome, Err(SendFault::NotTaken(_) | SendFault::Ambiguous(_)))
            };
            if !outcomes.clone().any(down) || outcomes.any(|outcome| outcome.is_ok()) {
                self.resting.remove(channel);
                continue;
            }
            let faults = self.resting.get(channel).map_or(0, |(faults, _)| *faults) + 1;
            let rest = REST_FIRST_S.saturating_mul(1 << (faults - 1).min(10)).min(REST_MAX_S);
            tracing::warn!(
                channel = channel.as_str(),
                faults,
                rest_s = rest,
                "a message channel does not take messages"
            );
            self.resting.insert(channel.clone(), (faults, Instant::now() + Duration::from_secs(rest)));
        }
    }
}
