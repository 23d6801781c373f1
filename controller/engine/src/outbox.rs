//! The outbox: what was decided to be sent, and its way out.
//!
//! A message is written in the transaction that decides it; nothing leaves before its commit. Consent and address are
//! looked at when it is sent, not when it was decided. A message is taken ([`MessageState::Sending`]), handed to its
//! channel, and what became of it is noted. Found taken after a crash, or when nobody said whether it left, it goes
//! where its step wants: dropped (at most once) or again (at least once).

use crate::{CallError, Command, Engine, Halt, plans::Plans, tx::Tx};
use fanfare_core::{
    envelope::{Envelope, SendFault},
    ids::{MemberId, MessageId, Name},
    ledger::{Posting, account},
    mechanic::key,
    model::message::Means,
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
    message.reason = Some(reason.to_owned());
    let figure = if matches!(reason, "failed" | "ambiguous") { "failed" } else { "dropped" };
    tx.tally(&key::figure("channel", &message.channel, figure), 1);
    tx.put_message(message);
}

/// A message that is on its way.
#[derive(Clone, Debug)]
struct Ready {
    channel: Name,
    means: Means,
    envelope: Envelope,
}

/// Takes messages for sending.
#[derive(Clone, Debug)]
struct Take {
    /// (message, its member), so that all rows come at once.
    messages: Vec<(MessageId, MemberId)>,
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
    message.attempts += 1;
    let envelope = Envelope {
        id: message.id.clone(),
        to,
        subject: message.subject.clone(),
        body: message.body.clone(),
        locale: message.locale.clone(),
    };
    tx.put_message(message);
    Ok(Some(Ready { channel: channel.name.clone(), means: channel.means.clone(), envelope }))
}

/// Notes what became of messages that were taken.
#[derive(Clone, Debug)]
struct Note {
    outcomes: Vec<(MessageId, Result<(), SendFault>)>,
}

impl Command for Note {
    type Answer = ();

    fn prefetch(&self, _: &Plans, keys: &mut Keys) {
        keys.messages.extend(self.outcomes.iter().map(|(id, _)| id.to_string()));
    }

    fn run(&self, tx: &mut Tx<'_>) -> Result<(), Halt> {
        for (id, outcome) in &self.outcomes {
            let held = tx.message(id.as_str())?.filter(|row| row.state == MessageState::Sending).cloned();
            let Some(mut message) = held else { continue };
            match outcome {
                Ok(()) => sent(tx, message)?,
                Err(SendFault::Ambiguous(_)) if message.skip_when_ambiguous => drop_message(tx, message, "ambiguous"),
                Err(SendFault::Ambiguous(_) | SendFault::NotTaken(_)) if message.attempts < ATTEMPTS_MAX => {
                    message.state = MessageState::Queued;
                    tx.put_message(message);
                }
                Err(SendFault::Ambiguous(_) | SendFault::NotTaken(_) | SendFault::Refused(_)) => {
                    drop_message(tx, message, "failed");
                }
            }
        }
        Ok(())
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
        // Passes do not overlap: what is found taken was held by a sender that died.
        let (store, ns) = (engine.store(), engine.namespace());
        let mut waiting = store.sending(ns, PASS_MAX).await?;
        waiting.extend(store.outbox(ns, PASS_MAX).await?);
        let full = waiting.len() >= PASS_MAX;
        let now = Instant::now();
        let rests = |channel: &Name| self.resting.get(channel).is_some_and(|(_, until)| now < *until);
        let messages: Vec<_> =
            waiting.into_iter().filter(|row| !rests(&row.channel)).map(|row| (row.id, row.member)).collect();
        if messages.is_empty() {
            return Ok(false);
        }
        let (Ok(ready), _) = engine.execute(Take { messages }).await? else { return Ok(false) };
        let sending = ready.into_iter().map(|Ready { channel, means, envelope }| async move {
            let outcome = sender.send(&means, &envelope).await;
            (channel, envelope.id, outcome)
        });
        let done: Vec<_> = futures::stream::iter(sending).buffer_unordered(CONCURRENT_MAX).collect().await;
        self.rest(&done);
        let outcomes: Vec<_> = done.into_iter().map(|(_, id, outcome)| (id, outcome)).collect();
        if !outcomes.is_empty() {
            drop(engine.execute(Note { outcomes }).await?);
        }
        Ok(full)
    }

    /// A channel that took nothing rests; one that took something is well.
    fn rest(&mut self, done: &[(Name, MessageId, Result<(), SendFault>)]) {
        let channels: BTreeSet<&Name> = done.iter().map(|(channel, ..)| channel).collect();
        for channel in channels {
            let mut outcomes = done.iter().filter(|(of, ..)| of == channel).map(|(_, _, outcome)| outcome);
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
