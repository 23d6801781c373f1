//! What every handler is handed: the engine, the clocks and what checks credentials.

use crate::{
    auth::{
        guess::{Guesser, Guesses},
        keys::Keys,
        limit::Bucket,
        member_code::MemberCodes,
        payload_keys::PayloadKeys,
        token::Tokens,
    },
    observe::Metrics,
    problem::{Code, Problem},
};
use chrono::SecondsFormat;
use fanfare_core::{
    codes,
    model::{RuntimePlan, segment::Condition},
    payload,
    time::{Clock, Ts, Tz},
};
use fanfare_engine::{CallError, Engine, StoreFault, store};
use prometheus_client::registry::Registry;
use ring::rand::{SecureRandom as _, SystemRandom};
use std::{collections::HashMap, sync::Arc};

/// How the caller wrote each code of a call.
pub(crate) type Spelling = HashMap<fanfare_core::ids::Code, String>;

/// Reads what a Segment's `match` says, as admission does: a condition, or what is wrong with it by field (JSON Pointers
/// below the match). Handed in, because this room does not know the resources.
pub type ReadMatch = Arc<dyn Fn(&serde_json::Value) -> Result<Condition, Vec<crate::FieldError>> + Send + Sync>;

/// Registers what the process measures beside the API, to be shown with it.
pub type Measured = Arc<dyn Fn(&mut Registry) + Send + Sync>;

/// What the API is made of.
#[derive(Clone)]
pub struct ApiConfig {
    /// The namespace's engine; it knows business time.
    pub engine: Engine,
    /// Real time, in which tokens live.
    pub real_clock: Arc<dyn Clock>,
    /// At least 32 random bytes that outlive a restart: what tokens and shown codes are signed with.
    pub signing_key: Vec<u8>,
    /// Reads a Segment's `match` for previews.
    pub read_match: ReadMatch,
    /// Opens development logins whatever the Runtime says; `fanfare up` does.
    pub dev_login: bool,
    /// What else the process measures.
    pub measured: Measured,
}

/// The state of the router. Cheap to clone.
#[derive(Clone)]
pub(crate) struct App(Arc<Inner>);

struct Inner {
    engine: Engine,
    real_clock: Arc<dyn Clock>,
    tokens: Tokens,
    member_codes: MemberCodes,
    keys: Keys,
    guests: Bucket,
    payload_keys: PayloadKeys,
    guesses: Guesses,
    metrics: Metrics,
    read_match: ReadMatch,
    dev_login: bool,
    origin_key: [u8; 32],
}

impl App {
    pub(crate) fn new(config: ApiConfig) -> Self {
        let ApiConfig { engine, real_clock, signing_key, read_match, dev_login, measured } = config;
        let tokens = Tokens::new(engine.namespace(), &signing_key);
        let member_codes = MemberCodes::new(engine.namespace(), &signing_key);
        let payload_keys = PayloadKeys::new(engine.namespace(), &signing_key);
        let mut material = signing_key.clone();
        material.extend_from_slice(engine.namespace().as_str().as_bytes());
        let origin_key = blake3::derive_key("fanfare 2026 origin of a call", &material);
        let metrics = Metrics::of(engine.clone(), &measured);
        Self(Arc::new(Inner {
            engine,
            real_clock,
            tokens,
            member_codes,
            keys: Keys::default(),
            guests: Bucket::default(),
            payload_keys,
            guesses: Guesses::default(),
            metrics,
            read_match,
            dev_login,
            origin_key,
        }))
    }

    pub(crate) fn engine(&self) -> &Engine {
        &self.0.engine
    }

    pub(crate) fn tokens(&self) -> &Tokens {
        &self.0.tokens
    }

    pub(crate) fn member_codes(&self) -> &MemberCodes {
        &self.0.member_codes
    }

    pub(crate) fn keys(&self) -> &Keys {
        &self.0.keys
    }

    pub(crate) fn guests(&self) -> &Bucket {
        &self.0.guests
    }

    pub(crate) fn payload_keys(&self) -> &PayloadKeys {
        &self.0.payload_keys
    }

    /// The codes of a call as the engine reads them, each payload opened, and how the caller wrote each.
    pub(crate) fn open_codes(&self, codes: &mut [fanfare_core::ids::Code], written: &[String]) -> Spelling {
        for (code, text) in codes.iter_mut().zip(written) {
            *code = self.open_code(text);
        }
        codes.iter().cloned().zip(written.iter().cloned()).collect()
    }

    /// A code as the engine reads it: a payload opened, anything else normalised. A payload that none of our keys has
    /// signed is a code that nobody has.
    pub(crate) fn open_code(&self, text: &str) -> fanfare_core::ids::Code {
        if payload::is_one(text) {
            return self.0.payload_keys.open(text, self.now()).unwrap_or_else(|| "".into());
        }
        codes::normalise(text)
    }

    /// Lets a call with codes in.
    ///
    /// # Errors
    /// 429 for whoever has guessed too often.
    pub(crate) fn admit_codes(&self, guesser: &Guesser) -> Result<(), Problem> {
        let admitted = self.0.guesses.admit(guesser, self.real_now().timestamp_millis());
        admitted.inspect_err(|_| self.0.metrics.throttled(guesser.kind))
    }

    /// Counts wrong codes against whoever named them.
    pub(crate) fn note_wrong_codes(&self, guesser: &Guesser, wrong: usize) {
        self.0.guesses.note(guesser, wrong, self.real_now().timestamp_millis());
        self.0.metrics.wrong_codes(guesser.kind, wrong);
    }

    pub(crate) fn metrics(&self) -> &Metrics {
        &self.0.metrics
    }

    pub(crate) fn read_match(&self) -> &ReadMatch {
        &self.0.read_match
    }

    /// A device, an address or a card as it is counted: a keyed hash that tells nobody which it is.
    pub(crate) fn hidden(&self, kind: &str, value: &str) -> String {
        let said = format!("{kind}:{value}");
        blake3::keyed_hash(&self.0.origin_key, said.as_bytes()).to_hex().as_str()[..32].to_owned()
    }

    /// Whether anyone may log in as anyone.
    pub(crate) fn dev_login(&self) -> bool {
        self.0.dev_login || self.0.engine.plans().runtime.as_ref().is_some_and(|runtime| runtime.dev_login)
    }

    /// 24 random bits.
    ///
    /// # Errors
    /// When the operating system has no random bytes.
    pub(crate) fn nonce(&self) -> Result<u32, Problem> {
        let mut bytes = [0; 4];
        let filled = SystemRandom::new().fill(&mut bytes[1..]);
        filled.map_err(|_| Problem::internal(&"the operating system has no random bytes"))?;
        Ok(u32::from_be_bytes(bytes))
    }

    /// An id for an event that brought none: the replica, the moment and a number of this process.
    pub(crate) fn event_id(&self) -> String {
        format!("{:x}-{:x}-{:x}", self.0.engine.replica(), self.real_now().timestamp_micros(), self.0.metrics.number())
    }

    /// Business time.
    pub(crate) fn now(&self) -> Ts {
        self.0.engine.clock().now()
    }

    /// Real time, for tokens.
    pub(crate) fn real_now(&self) -> Ts {
        self.0.real_clock.now()
    }

    /// The Runtime, without which no call about money or campaigns can be answered.
    pub(crate) fn runtime(&self) -> Result<Arc<RuntimePlan>, Problem> {
        let none = || Problem::overloaded("this namespace has no CampaignRuntime yet; apply one and try again");
        self.0.engine.plans().runtime.clone().ok_or_else(none)
    }

    /// The zone in which times are written.
    pub(crate) fn zone(&self) -> Tz {
        self.0.engine.plans().runtime.as_ref().map_or(Tz::UTC, |runtime| runtime.zone)
    }

    /// A fault of the database: nothing of it is told.
    pub(crate) fn store_fault(&self, error: &store::Error) -> Problem {
        match error {
            store::Error::Unavailable(_) | store::Error::Locked(_) | store::Error::Restored(_) => {
                tracing::warn!(%error, "the database did not answer");
                Problem::overloaded("the database does not answer now; try again")
            }
            store::Error::Conflict(_)
            | store::Error::Fenced(_)
            | store::Error::Version(_)
            | store::Error::Corrupt(_) => Problem::internal(error),
        }
    }

    /// Why a command was not decided.
    pub(crate) fn call_fault(&self, error: &CallError) -> Problem {
        match error {
            CallError::KeyReused => Problem::new(
                Code::IdempotencyKeyReused,
                "this Idempotency-Key was used with another request; use a new key for a new request",
            ),
            CallError::Overloaded => Problem::overloaded("too much is waiting to be decided; try again"),
            CallError::AwaitingReconciliation => Problem::awaiting_reconciliation(),
            CallError::Stopped => Problem::overloaded("the service is stopping; try again"),
            CallError::Store(StoreFault(error)) => self.store_fault(error),
        }
    }
}

/// A time as the API writes it: RFC 3339 with the zone's offset, to the second, with a fraction only where there is one.
pub(crate) fn written(at: Ts, zone: Tz) -> String {
    let format = if at.timestamp_subsec_millis() == 0 { SecondsFormat::Secs } else { SecondsFormat::Millis };
    at.with_timezone(&zone).to_rfc3339_opts(format, false)
}
