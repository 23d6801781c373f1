//! What a caller asked and what it was told: the record that the data is held against after each crash.

use bytes::Bytes;
use reqwest::{Client, Method};
use serde_json::Value;
use std::{pin::Pin, time::Duration};

/// How long a caller waits; a process that lives and does not answer in this time counts as one that gave no answer.
const WAIT_MAX: Duration = Duration::from_secs(20);

/// With whose credential.
#[derive(Clone, Debug)]
pub enum Who {
    /// The till.
    Till,
    /// The shop's backend.
    Backend,
    /// A member.
    Member(String),
}

/// What a call is to bring about, and where that can be looked up.
#[derive(Clone, Debug)]
pub enum What {
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
pub struct Call {
    /// With whose credential.
    pub who: Who,
    /// The path.
    pub path: String,
    /// The idempotency key; an event has its own within.
    pub key: String,
    /// The body.
    pub body: Value,
    /// What it is for.
    pub what: What,
    /// What was answered.
    pub answer: Option<Answer>,
}

/// What was answered, to the byte.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Answer {
    /// The status.
    pub status: u16,
    /// Whether it says that it is a stored one.
    pub replayed: bool,
    /// The body.
    pub body: Bytes,
}

impl Answer {
    /// The body as JSON.
    pub fn json(&self) -> Value {
        serde_json::from_slice(&self.body).unwrap_or(Value::Null)
    }

    /// Whether it did what was asked.
    pub fn is_success(&self) -> bool {
        (200..300).contains(&self.status)
    }

    /// Whether something was decided: a fault of the server or of the database is no decision.
    pub fn is_decision(&self) -> bool {
        self.status < 500 && self.status != 429
    }

    /// The same decision, whether told for the first time or again.
    pub fn same_as(&self, other: &Self) -> bool {
        self.status == other.status && self.body == other.body
    }

    /// For messages.
    pub fn told(&self) -> String {
        format!(
            "{}{} {}",
            self.status,
            if self.replayed { " (replayed)" } else { "" },
            String::from_utf8_lossy(&self.body)
        )
    }
}

/// A request on its way.
#[derive(Clone, Debug)]
pub struct Request {
    /// The method.
    pub method: Method,
    /// The path with its query.
    pub path: String,
    /// The credential; empty for nobody's.
    pub bearer: String,
    /// The idempotency key; empty for none.
    pub key: String,
    /// The body.
    pub body: Option<Value>,
}

impl Request {
    /// A read.
    pub fn get(path: &str, bearer: &str) -> Self {
        Self { method: Method::GET, path: path.into(), bearer: bearer.into(), key: String::new(), body: None }
    }

    /// A write.
    pub fn post(path: &str, bearer: &str, key: &str, body: &Value) -> Self {
        Self {
            method: Method::POST,
            path: path.into(),
            bearer: bearer.into(),
            key: key.into(),
            body: Some(body.clone()),
        }
    }

    /// The media type of its body.
    pub fn media_type(&self) -> &'static str {
        if self.path == "/v1/events" { "application/cloudevents+json" } else { "application/json" }
    }
}

/// Whatever carries a request to the API and its answer back.
pub trait Wire: Send + Sync + std::fmt::Debug {
    /// The answer; nothing when no whole answer came.
    fn send(&self, request: Request) -> Pin<Box<dyn Future<Output = Option<Answer>> + Send + '_>>;
}

/// HTTP to a process.
#[derive(Clone, Debug)]
pub struct Http {
    client: Client,
    base: String,
}

impl Http {
    /// Connections of its own.
    ///
    /// # Errors
    /// When the client cannot be made.
    pub fn new(base: &str) -> anyhow::Result<Self> {
        Ok(Self { client: Client::builder().timeout(WAIT_MAX).build()?, base: base.trim_end_matches('/').into() })
    }
}

impl Wire for Http {
    fn send(&self, request: Request) -> Pin<Box<dyn Future<Output = Option<Answer>> + Send + '_>> {
        Box::pin(async move {
            let mut sent = self.client.request(request.method.clone(), format!("{}{}", self.base, request.path));
            if !request.bearer.is_empty() {
                sent = sent.bearer_auth(&request.bearer);
            }
            if !request.key.is_empty() {
                sent = sent.header("idempotency-key", &request.key);
            }
            if let Some(body) = &request.body {
                sent = sent.header("content-type", request.media_type()).body(serde_json::to_vec(body).ok()?);
            }
            let answer = sent.send().await.ok()?;
            let status = answer.status().as_u16();
            let replayed = answer.headers().get("idempotency-replayed").is_some_and(|value| value == "true");
            let body = answer.bytes().await.ok()?;
            Some(Answer { status, replayed, body })
        })
    }
}
