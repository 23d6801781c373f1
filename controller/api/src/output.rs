//! What goes out: JSON answers, stored answers replayed, `ETag`s, and refusals as problems.

use crate::{
    app::{App, Spelling, written},
    auth::guess::Guesser,
    observe::FANFARE_POSITION,
    problem::{self, Problem},
    wire::evaluation,
};
use axum::response::Response;
use bytes::Bytes;
use fanfare_core::{
    ids::Code,
    model::RuntimePlan,
    money::Minor,
    payload::Payload,
    reason::{Reason, Refusal},
    time::Ts,
};
use fanfare_engine::{Command, Keyed, Refused, Render, Replied, store::Position};
use http::{HeaderMap, HeaderName, HeaderValue, StatusCode, header};
use serde::{Deserialize, Serialize};
use std::sync::Arc;
use utoipa::ToSchema;

static IDEMPOTENCY_REPLAYED: HeaderName = HeaderName::from_static("idempotency-replayed");
const JSON: HeaderValue = HeaderValue::from_static("application/json");

/// What a handler answers.
pub(crate) type Answer = Result<Response, Problem>;

/// How money and times of this namespace are written, and under which revision of the rules.
#[derive(Clone)]
pub(crate) struct View {
    /// The namespace's Runtime.
    pub(crate) runtime: Arc<RuntimePlan>,
    /// The digest over all rules.
    pub(crate) revision: String,
    /// How the caller wrote the codes of this call.
    pub(crate) spelling: Spelling,
}

impl View {
    /// The view of now.
    pub(crate) fn of(app: &App) -> Result<Self, Problem> {
        Ok(Self { runtime: app.runtime()?, revision: app.engine().plans().digest.clone(), spelling: Spelling::new() })
    }

    /// A code as the caller wrote it, else as it is stored; of a payload that nobody wrote here, the voucher's id.
    pub(crate) fn code(&self, code: &Code) -> String {
        let known = || Payload::of(code).map_or_else(|| code.to_string(), |shown| shown.grant.to_string());
        self.spelling.get(code).cloned().unwrap_or_else(known)
    }

    /// The same for what is kept and shown again later: a payload shows as its voucher's id from the first time on.
    pub(crate) fn without_payloads(&self) -> Self {
        let spelling = self.spelling.iter().filter(|(code, _)| Payload::of(code).is_none());
        let spelling = spelling.map(|(code, text)| (code.clone(), text.clone())).collect();
        Self { spelling, ..self.clone() }
    }

    /// An amount as a decimal string.
    pub(crate) fn amount(&self, amount: Minor) -> String {
        self.runtime.currency.format(amount)
    }

    /// The namespace's currency.
    pub(crate) fn currency(&self) -> String {
        self.runtime.currency.code().into()
    }

    /// An amount with its currency.
    pub(crate) fn money(&self, amount: Minor) -> Money {
        Money { amount: self.amount(amount), currency: self.currency() }
    }

    /// A time as people read it, in the Runtime's zone.
    pub(crate) fn local(&self, at: Ts) -> String {
        at.with_timezone(&self.runtime.zone).format("%Y-%m-%d %H:%M").to_string()
    }

    /// A time with the Runtime's offset.
    pub(crate) fn time(&self, at: Ts) -> String {
        written(at, self.runtime.zone)
    }
}

/// An amount with its currency.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, ToSchema)]
pub(crate) struct Money {
    /// A decimal string.
    #[schema(example = "120.00")]
    pub(crate) amount: String,
    /// ISO 4217.
    #[schema(example = "THB")]
    pub(crate) currency: String,
}

/// JSON with a status.
pub(crate) fn json(status: StatusCode, body: &impl Serialize) -> Answer {
    let bytes = serde_json::to_vec(body).map_err(|error| Problem::internal(&error))?;
    Ok(bytes_of(status, JSON, bytes.into()))
}

/// 200 with JSON.
pub(crate) fn ok(body: &impl Serialize) -> Answer {
    json(StatusCode::OK, body)
}

/// Bytes of a media type.
pub(crate) fn bytes_of(status: StatusCode, media_type: HeaderValue, bytes: Bytes) -> Response {
    let mut response = Response::new(bytes.into());
    *response.status_mut() = status;
    response.headers_mut().insert(header::CONTENT_TYPE, media_type);
    response
}

/// The answer of a write, with the position that it reached.
pub(crate) fn at_position(mut response: Response, position: Position) -> Response {
    response.headers_mut().insert(FANFARE_POSITION.clone(), HeaderValue::from(position.0));
    response
}

/// 200 with JSON that shoppers ask for again and again: with an `ETag`, and 304 where they have it.
pub(crate) fn repeatable(asked: &HeaderMap, body: &impl Serialize) -> Answer {
    let bytes = serde_json::to_vec(body).map_err(|error| Problem::internal(&error))?;
    Ok(repeatable_bytes(asked, bytes.into()))
}

/// The same for JSON that is written already.
pub(crate) fn repeatable_bytes(asked: &HeaderMap, bytes: Bytes) -> Response {
    let tag = entity_tag(&bytes);
    let known = asked.get(header::IF_NONE_MATCH).and_then(|value| value.to_str().ok()).is_some_and(|known| {
        known.split(',').map(str::trim).any(|one| one == "*" || one.trim_start_matches("W/") == tag)
    });
    let mut response = if known {
        let mut response = Response::new(axum::body::Body::empty());
        *response.status_mut() = StatusCode::NOT_MODIFIED;
        response
    } else {
        bytes_of(StatusCode::OK, JSON, bytes)
    };
    let headers = response.headers_mut();
    if let Ok(tag) = HeaderValue::try_from(tag) {
        headers.insert(header::ETAG, tag);
    }
    headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("private, no-cache"));
    headers.insert(header::VARY, HeaderValue::from_static("Authorization, Accept-Language"));
    response
}

/// A tag of the bytes. It tells versions of one caller's own page apart, so it needs speed, not secrecy: each eight bytes
/// are folded in by a wide multiplication.
fn entity_tag(bytes: &[u8]) -> String {
    const STEP: u64 = 0x9e37_79b9_7f4a_7c15;
    let fold = |hash: u64, word: u64| {
        let wide = u128::from(hash ^ word) * u128::from(STEP | 1);
        let (low, high) = (wide as u64, (wide >> 64) as u64);
        (low ^ high).wrapping_add(STEP)
    };
    let mut words = bytes.chunks_exact(8);
    let whole = words
        .by_ref()
        .fold(STEP, |hash, word| fold(hash, word.iter().rev().fold(0, |all, byte| (all << 8) | u64::from(*byte))));
    let rest = words.remainder().iter().fold(whole, |hash, byte| fold(hash, u64::from(*byte) + 1));
    format!("\"{rest:016x}{:x}\"", bytes.len())
}

/// How an answer of the engine is written down for this call and for whoever repeats it.
pub(crate) fn render<A: 'static, B: Serialize>(
    view: View,
    write: impl Fn(&A, &View) -> Result<(StatusCode, B), Problem> + Send + 'static,
) -> Render<A> {
    Box::new(move |outcome| {
        let written = match outcome {
            Ok(answer) => write(answer, &view).and_then(|(status, body)| {
                let bytes = serde_json::to_vec(&body).map_err(|error| Problem::internal(&error))?;
                Ok((status.as_u16(), bytes))
            }),
            Err(refused) => Err(refusal(refused, &view)),
        };
        written.unwrap_or_else(|problem| (problem.code.status().as_u16(), problem.to_bytes()))
    })
}

/// Has a command decided and answers with `write`.
pub(crate) async fn execute<C: Command>(app: &App, command: C, write: impl FnOnce(C::Answer) -> Answer) -> Answer {
    let (outcome, position) = app.engine().execute(command).await.map_err(|error| app.call_fault(&error))?;
    let answer = outcome.map_err(|no| refused(&no, app))?;
    Ok(at_position(write(answer)?, position))
}

/// Has a command decided once under its key and answers what was written down.
pub(crate) async fn call<C: Command>(app: &App, keyed: Keyed<C::Answer>, command: C) -> Answer {
    let replied = app.engine().call(keyed, command).await.map_err(|error| app.call_fault(&error))?;
    Ok(replay(replied))
}

/// The same for a call with codes: who has guessed too often waits, and wrong ones are counted.
pub(crate) async fn call_with_codes<C: Command>(
    app: &App,
    keyed: Keyed<C::Answer>,
    command: C,
    guesser: Guesser,
) -> Answer {
    app.admit_codes(&guesser)?;
    let replied = app.engine().call(keyed, command).await.map_err(|error| app.call_fault(&error))?;
    if !replied.replayed && replied.status >= 400 {
        app.note_wrong_codes(&guesser, unknown_codes(&replied.body));
    }
    Ok(replay(replied))
}

/// How many codes that nobody has a problem tells of: the one that was named, or those of a cart.
fn unknown_codes(body: &[u8]) -> usize {
    let unknown = Reason::CodeUnknown.code();
    let Ok(problem) = serde_json::from_slice::<serde_json::Value>(body) else { return 0 };
    let rejected = problem["rejected"].as_array().into_iter().flatten();
    let of_cart = rejected.filter(|one| one["reason"] == unknown).count();
    of_cart + usize::from(problem["code"] == unknown)
}

/// A stored answer as a response.
fn replay(replied: Replied) -> Response {
    let Replied { status, body, replayed, position } = replied;
    let status = StatusCode::from_u16(status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    let is_problem = status.is_client_error() || status.is_server_error();
    let media_type = if is_problem { HeaderValue::from_static(problem::MEDIA_TYPE) } else { JSON };
    let code = is_problem.then(|| problem::Code::of_bytes(&body)).flatten();
    let mut response = at_position(bytes_of(status, media_type, body.into()), position);
    if let Some(code) = code {
        response.extensions_mut().insert(code);
    }
    if replayed {
        response.headers_mut().insert(IDEMPOTENCY_REPLAYED.clone(), HeaderValue::from_static("true"));
    }
    response
}

/// One of several reasons.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub(crate) struct ReasonView {
    /// Stable and kebab-case.
    pub(crate) code: String,
    /// In a sentence.
    pub(crate) detail: String,
}

impl From<&Refusal> for ReasonView {
    fn from(refusal: &Refusal) -> Self {
        Self { code: refusal.reason.code().into(), detail: refusal.detail.clone() }
    }
}

/// A refusal by the rules as a problem.
pub(crate) fn refusal(refused: &Refused, view: &View) -> Problem {
    let Refused { refusal, reasons, evaluation } = refused;
    let mut problem = Problem::from(refusal);
    if !reasons.is_empty() {
        let reasons: Vec<ReasonView> = reasons.iter().map(ReasonView::from).collect();
        problem = problem.with("reasons", serde_json::json!(reasons));
    }
    if let Some(found) = evaluation {
        let seen = evaluation::view(found, view);
        problem = match refusal.reason {
            Reason::OrderRefused => problem.with("rejected", serde_json::json!(seen.rejected)),
            _ => problem,
        };
        problem = problem.with("evaluation", serde_json::json!(seen));
    }
    problem
}

/// A refusal of a call that was not written down.
pub(crate) fn refused(refused: &Refused, app: &App) -> Problem {
    match View::of(app) {
        Ok(view) => refusal(refused, &view),
        Err(_) => Problem::from(&refused.refusal),
    }
}

/// 406 where none of what is offered is accepted, else whether the picture is preferred to JSON.
pub(crate) fn wants_picture(headers: &HeaderMap, picture: &str) -> Result<bool, Problem> {
    let Some(accept) = headers.get(header::ACCEPT).and_then(|value| value.to_str().ok()) else { return Ok(false) };
    let offers = |wanted: &str, offered: &str| {
        let major = offered.split('/').next().unwrap_or_default();
        wanted == offered || wanted == "*/*" || wanted.strip_suffix("/*") == Some(major)
    };
    for wanted in accept.split(',').map(|part| part.split(';').next().unwrap_or_default().trim()) {
        if offers(wanted, "application/json") {
            return Ok(false);
        }
        if offers(wanted, picture) {
            return Ok(true);
        }
    }
    Err(Problem::new(problem::Code::NotAcceptable, format!("this comes as application/json or {picture}")))
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::HashSet;

    #[test]
    fn tags_differ_wherever_a_page_differs() {
        let page = b"0123456789abcdef0123".to_vec();
        let mut tags = HashSet::from([entity_tag(&page), entity_tag(b"")]);
        for at in 0..page.len() {
            for bit in 0..8 {
                let mut other = page.clone();
                other[at] ^= 1 << bit;
                assert!(tags.insert(entity_tag(&other)), "bit {bit} of byte {at}");
            }
            assert!(tags.insert(entity_tag(&page[..at.max(1)])) || at == 1, "length {at}");
        }
        assert_eq!(entity_tag(&page), entity_tag(&page.clone()));
    }
}
