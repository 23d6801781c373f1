//! What a caller asked and what it was told: the record that the data is held against after each crash.

use bytes::Bytes;
use reqwest::{Client, Method};
use serde_json::Value;
use std::time::Duration;

/// How long a caller waits; a process that lives and does not answer in this time counts as one that gave no answer.
const WAIT_MAX: Duration = Duration::from_secs(20);

/// With whose credential.
#[derive(Clone, Debug)]
pub(crate) enum Who {
    /// The till.
    Till,
    /// The shop's backend.
    Backend,
    /// A member.
    Member(String),
}

/// What a call is to bring about, and where that can be looked up.
#[derive(Clone, Debug)]
pub(crate) enum What {
    /// An order is placed.
    Place { order: String },
    /// A reserved order is paid.
    Commit { order: String },
    /// A reserved order is let go.
    Void { order: String },
    /// Lines come back.
    Return { order: String, id: String },
    /// A member claims a voucher.
    Claim { member: String, grant: String },
    /// A voucher is redeemed by its code.
    Redeem { order: String },
    /// A redemption is taken back.
    Reverse { redemption: String, id: String },
    /// A mechanic's action of a member.
    Act,
    /// An event is told.
    Event,
}

/// One request with its answer, if there was one.
#[derive(Clone, Debug)]
pub(crate) struct Call {
    /// With whose credential.
    pub(crate) who: Who,
    /// The path.
    pub(crate) path: String,
    /// The idempotency key; an event has its own within.
    pub(crate) key: String,
    /// The body.
    pub(crate) body: Value,
    /// What it is for.
    pub(crate) what: What,
    /// What was answered.
    pub(crate) answer: Option<Answer>,
}

/// What was answered, to the byte.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Answer {
    /// The status.
    pub(crate) status: u16,
    /// Whether it says that it is a stored one.
    pub(crate) replayed: bool,
    /// The body.
    pub(crate) body: Bytes,
}

impl Answer {
    /// The body as JSON.
    pub(crate) fn json(&self) -> Value {
        serde_json::from_slice(&self.body).unwrap_or(Value::Null)
    }

    /// Whether it did what was asked.
    pub(crate) fn is_success(&self) -> bool {
        (200..300).contains(&self.status)
    }

    /// Whether something was decided: a fault of the server or of the database is no decision.
    pub(crate) fn is_decision(&self) -> bool {
        self.status < 500 && self.status != 429
    }

    /// The same decision, whether told for the first time or again.
    pub(crate) fn same_as(&self, other: &Self) -> bool {
        self.status == other.status && self.body == other.body
    }

    /// For messages.
    pub(crate) fn told(&self) -> String {
        format!(
            "{}{} {}",
            self.status,
            if self.replayed { " (replayed)" } else { "" },
            String::from_utf8_lossy(&self.body)
        )
    }
}

/// Sends to one process.
#[derive(Clone, Debug)]
pub(crate) struct Http {
    client: Client,
    base: String,
}

impl Http {
    /// Connections of its own.
    ///
    /// # Errors
    /// When the client cannot be made.
    pub(crate) fn new(base: &str) -> anyhow::Result<Self> {
        Ok(Self { client: Client::builder().timeout(WAIT_MAX).build()?, base: base.trim_end_matches('/').into() })
    }

    /// Sends; nothing when no whole answer came.
    pub(crate) async fn send(
        &self,
        method: Method,
        path: &str,
        bearer: &str,
        key: &str,
        body: Option<&Value>,
    ) -> Option<Answer> {
        let mut request = self.client.request(method, format!("{}{path}", self.base));
        if !bearer.is_empty() {
            request = request.bearer_auth(bearer);
        }
        if !key.is_empty() {
            request = request.header("idempotency-key", key);
        }
        if let Some(body) = body {
            let media = if path == "/v1/events" { "application/cloudevents+json" } else { "application/json" };
            request = request.header("content-type", media).body(serde_json::to_vec(body).ok()?);
        }
        let answer = request.send().await.ok()?;
        let status = answer.status().as_u16();
        let replayed = answer.headers().get("idempotency-replayed").is_some_and(|value| value == "true");
        let body = answer.bytes().await.ok()?;
        Some(Answer { status, replayed, body })
    }

    /// Reads; nothing unless it is answered with 200.
    pub(crate) async fn get(&self, path: &str, bearer: &str) -> Option<Value> {
        let answer = self.send(Method::GET, path, bearer, "", None).await?;
        (answer.status == 200).then(|| answer.json())
    }
}
