//! A caller of the HTTP API: a member, a till, an integration or nobody in particular.

use anyhow::{Context, Result, bail, ensure};
use chrono::{DateTime, FixedOffset};
use reqwest::{Method, header::HeaderMap};
use serde_json::{Value, json};
use std::{
    sync::atomic::{AtomicU64, Ordering},
    time::Duration,
};

/// No call of a scenario takes longer.
const LIMIT: Duration = Duration::from_secs(30);

/// Who calls and where.
#[derive(Clone, Debug)]
pub struct Caller {
    http: reqwest::Client,
    base: String,
    bearer: Option<String>,
}

/// What was answered.
#[derive(Clone, Debug)]
pub struct Answer {
    /// Which call this was, for messages.
    pub call: String,
    /// The HTTP status.
    pub status: u16,
    /// The headers.
    pub headers: HeaderMap,
    /// The body as JSON; a text where it is none; null where there is none.
    pub body: Value,
}

/// A key that no other call of this run has.
pub fn fresh_key() -> String {
    static COUNT: AtomicU64 = AtomicU64::new(0);
    format!("k-{}-{}", std::process::id(), COUNT.fetch_add(1, Ordering::Relaxed))
}

impl Caller {
    /// Somebody without a credential.
    ///
    /// # Errors
    /// When the client cannot be built.
    pub fn anyone(base: &str) -> Result<Self> {
        let http = reqwest::Client::builder().timeout(LIMIT).build()?;
        Ok(Self { http, base: base.trim_end_matches('/').to_owned(), bearer: None })
    }

    /// The same with a credential.
    #[must_use]
    pub fn with(&self, bearer: &str) -> Self {
        Self { bearer: Some(bearer.to_owned()), ..self.clone() }
    }

    /// Its credential.
    pub fn bearer(&self) -> Option<&str> {
        self.bearer.as_deref()
    }

    /// Reads.
    ///
    /// # Errors
    /// When there is no answer.
    pub async fn get(&self, path: &str) -> Result<Answer> {
        self.send(Method::GET, path, &[], Vec::new()).await
    }

    /// Posts under a fresh idempotency key.
    ///
    /// # Errors
    /// When there is no answer.
    pub async fn post(&self, path: &str, body: &Value) -> Result<Answer> {
        self.post_keyed(path, &fresh_key(), body).await
    }

    /// Posts under the given idempotency key.
    ///
    /// # Errors
    /// When there is no answer.
    pub async fn post_keyed(&self, path: &str, key: &str, body: &Value) -> Result<Answer> {
        let headers = [("idempotency-key", key), ("content-type", "application/json")];
        self.send(Method::POST, path, &headers, serde_json::to_vec(body)?).await
    }

    /// Puts.
    ///
    /// # Errors
    /// When there is no answer.
    pub async fn put(&self, path: &str, body: &Value) -> Result<Answer> {
        self.send(Method::PUT, path, &[("content-type", "application/json")], serde_json::to_vec(body)?).await
    }

    /// Sends anything, also what no client should.
    ///
    /// # Errors
    /// When there is no answer.
    pub async fn send(&self, method: Method, path: &str, headers: &[(&str, &str)], body: Vec<u8>) -> Result<Answer> {
        let call = format!("{method} {path}");
        let mut request = self.http.request(method, format!("{}{path}", self.base));
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        if let Some(bearer) = &self.bearer {
            request = request.bearer_auth(bearer);
        }
        if !body.is_empty() {
            request = request.body(body);
        }
        let answer = request.send().await.with_context(|| format!("no answer to {call}"))?;
        let (status, headers) = (answer.status().as_u16(), answer.headers().clone());
        let bytes = answer.bytes().await.with_context(|| format!("the answer to {call} broke off"))?;
        let body = match bytes.is_empty() {
            true => Value::Null,
            false => serde_json::from_slice(&bytes).unwrap_or_else(|_| json!(String::from_utf8_lossy(&bytes))),
        };
        Ok(Answer { call, status, headers, body })
    }
}

impl Answer {
    /// Its body, when the status is the expected one.
    ///
    /// # Errors
    /// When it is another.
    pub fn is(self, status: u16) -> Result<Value> {
        if self.status == status {
            return Ok(self.body);
        }
        bail!("{} answered {} instead of {status}: {}", self.call, self.status, self.body)
    }

    /// The same, kept whole for its headers.
    ///
    /// # Errors
    /// When it is another.
    pub fn check(self, status: u16) -> Result<Self> {
        ensure!(self.status == status, "{} answered {} instead of {status}: {}", self.call, self.status, self.body);
        Ok(self)
    }

    /// The problem, when it is the expected one in the form of RFC 9457.
    ///
    /// # Errors
    /// When it is something else.
    pub fn problem(self, status: u16, code: &str) -> Result<Value> {
        let media = self.header("content-type").unwrap_or_default();
        let found = (self.status, self.body["code"].as_str(), media.as_str());
        ensure!(
            found == (status, Some(code), "application/problem+json"),
            "{} answered {found:?} instead of {status} {code}: {}",
            self.call,
            self.body
        );
        for field in ["type", "title", "detail"] {
            ensure!(self.body[field].is_string(), "{} has a problem without {field}: {}", self.call, self.body);
        }
        ensure!(self.body["status"] == status, "{} has a problem of another status: {}", self.call, self.body);
        Ok(self.body)
    }

    /// One header.
    pub fn header(&self, name: &str) -> Option<String> {
        Some(self.headers.get(name)?.to_str().ok()?.to_owned())
    }

    /// Business time when it was answered.
    ///
    /// # Errors
    /// When the header is missing or no RFC 3339 time.
    pub fn time(&self) -> Result<DateTime<FixedOffset>> {
        let text = self.header("fanfare-time").with_context(|| format!("{} has no Fanfare-Time", self.call))?;
        DateTime::parse_from_rfc3339(&text).with_context(|| format!("Fanfare-Time is {text:?}"))
    }
}

/// The items of a list answer.
///
/// # Errors
/// When it is no list answer.
pub fn items(body: &Value) -> Result<&Vec<Value>> {
    body["items"].as_array().with_context(|| format!("no items in {body}"))
}
