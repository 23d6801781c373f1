//! What went wrong, as RFC 9457 says it: one table from code to status and title.
//!
//! A problem tells its reader which field, why and what would pass; a 5xx tells nothing of the inside (the cause goes to
//! the log under the request's id). Codes are stable: clients branch on them.

use axum::response::{IntoResponse, Response};
use bytes::Bytes;
use fanfare_core::reason::{Reason, Refusal};
use http::{HeaderValue, StatusCode, header};
use serde::Serialize;
use serde_json::{Map, Value};
use utoipa::ToSchema;

/// The media type of every problem.
pub(crate) const MEDIA_TYPE: &str = "application/problem+json";
/// When to ask again after a restore: people reconcile in minutes at best.
const RECONCILED_AGAIN_S: u32 = 30;
/// Where `type` points; the code follows.
const TYPE_BASE: &str = "https://fanfare.dev/problems/";
/// The most field errors that one answer lists; a caller who made more mends these first.
pub(crate) const ERRORS_MAX: usize = 50;

/// A stable code.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[expect(missing_docs, reason = "the names are the contract's")]
pub enum Code {
    Malformed,
    IdempotencyKeyMissing,
    Unauthenticated,
    Forbidden,
    NotFound,
    MethodNotAllowed,
    NotAcceptable,
    Timeout,
    IdempotencyKeyInFlight,
    IdentityTaken,
    TooLarge,
    UnsupportedMediaType,
    Invalid,
    IdempotencyKeyReused,
    TooManyRequests,
    Internal,
    Overloaded,
    AwaitingReconciliation,
    /// A refusal by the rules.
    Refused(Reason),
}

impl Code {
    /// Every code.
    pub fn all() -> impl Iterator<Item = Self> {
        let own = [
            Self::Malformed,
            Self::IdempotencyKeyMissing,
            Self::Unauthenticated,
            Self::Forbidden,
            Self::NotFound,
            Self::MethodNotAllowed,
            Self::NotAcceptable,
            Self::Timeout,
            Self::IdempotencyKeyInFlight,
            Self::IdentityTaken,
            Self::TooLarge,
            Self::UnsupportedMediaType,
            Self::Invalid,
            Self::IdempotencyKeyReused,
            Self::TooManyRequests,
            Self::Internal,
            Self::Overloaded,
            Self::AwaitingReconciliation,
        ];
        own.into_iter().chain(Reason::ALL.iter().copied().map(Self::Refused))
    }

    /// The code of a problem that was written down before.
    pub(crate) fn of_bytes(problem: &[u8]) -> Option<Self> {
        #[derive(serde::Deserialize)]
        struct Written<'a> {
            #[serde(borrow)]
            code: &'a str,
        }
        let Written { code } = serde_json::from_slice(problem).ok()?;
        Self::of(code)
    }

    /// The code that is sent so.
    pub(crate) fn of(text: &str) -> Option<Self> {
        Self::all().find(|known| known.as_str() == text)
    }

    /// The code as it is sent.
    pub fn as_str(self) -> &'static str {
        self.row().0
    }

    /// The HTTP status.
    pub fn status(self) -> StatusCode {
        self.row().1
    }

    /// The table: code, status, title.
    fn row(self) -> (&'static str, StatusCode, &'static str) {
        match self {
            Self::Malformed => ("malformed", StatusCode::BAD_REQUEST, "The request cannot be read"),
            Self::IdempotencyKeyMissing => {
                ("idempotency-key-missing", StatusCode::BAD_REQUEST, "An Idempotency-Key is needed")
            }
            Self::Unauthenticated => ("unauthenticated", StatusCode::UNAUTHORIZED, "Who calls is not known"),
            Self::Forbidden => ("forbidden", StatusCode::FORBIDDEN, "This caller may not do this"),
            Self::NotFound => ("not-found", StatusCode::NOT_FOUND, "There is no such thing"),
            Self::MethodNotAllowed => {
                ("method-not-allowed", StatusCode::METHOD_NOT_ALLOWED, "This method is not offered here")
            }
            Self::NotAcceptable => ("not-acceptable", StatusCode::NOT_ACCEPTABLE, "No offered media type is accepted"),
            Self::Timeout => ("timeout", StatusCode::REQUEST_TIMEOUT, "The request came too slowly"),
            Self::IdempotencyKeyInFlight => {
                ("idempotency-key-in-flight", StatusCode::CONFLICT, "A call with this key is still running")
            }
            Self::IdentityTaken => {
                ("identity-taken", StatusCode::CONFLICT, "This phone, address or card belongs to another member")
            }
            Self::TooLarge => ("too-large", StatusCode::PAYLOAD_TOO_LARGE, "The request is too large"),
            Self::UnsupportedMediaType => {
                ("unsupported-media-type", StatusCode::UNSUPPORTED_MEDIA_TYPE, "This media type is not understood")
            }
            Self::Invalid => ("invalid", StatusCode::UNPROCESSABLE_ENTITY, "The request is not valid"),
            Self::IdempotencyKeyReused => {
                ("idempotency-key-reused", StatusCode::UNPROCESSABLE_ENTITY, "This key was used for another request")
            }
            Self::TooManyRequests => ("too-many-requests", StatusCode::TOO_MANY_REQUESTS, "Too many requests"),
            Self::Internal => ("internal", StatusCode::INTERNAL_SERVER_ERROR, "Something went wrong on our side"),
            Self::Overloaded => ("overloaded", StatusCode::SERVICE_UNAVAILABLE, "The service cannot take this now"),
            Self::AwaitingReconciliation => (
                "awaiting-reconciliation",
                StatusCode::SERVICE_UNAVAILABLE,
                "The service waits for the tills' journals",
            ),
            Self::Refused(reason) => {
                let (status, title) = refused(reason);
                (reason.code(), status, title)
            }
        }
    }
}

/// Status and title of a refusal by the rules. No arm for "the rest": a new reason has to be thought about.
fn refused(reason: Reason) -> (StatusCode, &'static str) {
    const CONFLICT: StatusCode = StatusCode::CONFLICT;
    match reason {
        Reason::CodeUnknown => (StatusCode::NOT_FOUND, "No such code"),
        Reason::AlreadyRedeemed => (CONFLICT, "Already used"),
        Reason::Expired => (CONFLICT, "No longer valid"),
        Reason::PayloadExpired => (CONFLICT, "The code shown has aged; scan again"),
        Reason::NotStarted => (CONFLICT, "Not valid yet"),
        Reason::Revoked => (CONFLICT, "Taken back"),
        Reason::Suspended => (CONFLICT, "Suspended"),
        Reason::NotClaimed => (CONFLICT, "The member has to claim it first"),
        Reason::WrongStore => (CONFLICT, "Not valid in this store"),
        Reason::StoreMismatch => (CONFLICT, "The till is bound to another store"),
        Reason::WrongChannel => (CONFLICT, "Not valid through this channel"),
        Reason::OutsideWindow => (CONFLICT, "Outside the hours"),
        Reason::NotHolder => (CONFLICT, "It belongs to another member"),
        Reason::NotCombinable => (CONFLICT, "Not together with what is already applied"),
        Reason::ItemsNotEligible => (CONFLICT, "It applies to none of the items"),
        Reason::MinSpendNotMet => (CONFLICT, "Below the minimum spend"),
        Reason::ReservedElsewhere => (CONFLICT, "Another order or till holds it"),
        Reason::ReservationExpired => (CONFLICT, "The reservation has lapsed"),
        Reason::ExceedsRemaining => (CONFLICT, "More than is left on it"),
        Reason::LimitReached => (CONFLICT, "A limit is reached"),
        Reason::CurrencyMismatch => (StatusCode::UNPROCESSABLE_ENTITY, "Another currency than the namespace's"),
        Reason::BudgetExhausted => (CONFLICT, "The budget does not hold it"),
        Reason::NotQualified => (CONFLICT, "Not in the audience"),
        Reason::CampaignNotActive => (CONFLICT, "The campaign is not running"),
        Reason::CampaignPaused => (CONFLICT, "The campaign is paused"),
        Reason::NotJoined => (CONFLICT, "One has to join first"),
        Reason::MarginFloor => (CONFLICT, "It would leave too little margin"),
        Reason::SoldOut => (CONFLICT, "Sold out"),
        Reason::NoEntries => (CONFLICT, "No entry left"),
        Reason::ClaimClosed => (CONFLICT, "The time to claim it is over"),
        Reason::OutOfStock => (CONFLICT, "None of this reward is left"),
        Reason::MemberUnknown => (StatusCode::NOT_FOUND, "Nobody knows this member"),
        Reason::TransferNotAllowed => (CONFLICT, "These points cannot be given on"),
        Reason::MemberRequired => (CONFLICT, "Only for a known member"),
        Reason::ReservationUnknown => (StatusCode::NOT_FOUND, "No such reservation"),
        Reason::OrderState => (CONFLICT, "The order's state does not allow this"),
        Reason::RedemptionState => (CONFLICT, "The redemption's state does not allow this"),
        Reason::ReturnExceedsOrder => (CONFLICT, "More is returned than was bought"),
        Reason::OrderRefused => (CONFLICT, "A code or reservation that the order names fails"),
        Reason::PriceChanged => (CONFLICT, "It costs something else than expected"),
        Reason::OrderIdReused => (CONFLICT, "The same order id with another body"),
        Reason::ReturnIdReused => (CONFLICT, "The same return id with another body"),
        Reason::ReversalIdReused => (CONFLICT, "The same reversal id with another body"),
        Reason::BatchReused => (CONFLICT, "The same part of a batch with another count or campaign"),
        Reason::EventIdReused => (StatusCode::UNPROCESSABLE_ENTITY, "The same event id with other data"),
        Reason::EventTooOld => (StatusCode::UNPROCESSABLE_ENTITY, "The event is too old"),
        Reason::SamePerson => (CONFLICT, "A second person has to approve it"),
        Reason::NotProposer => (StatusCode::FORBIDDEN, "Another person proposed it"),
        Reason::AlreadyDecided => (CONFLICT, "It was decided before"),
        Reason::SubjectUnknown => (StatusCode::NOT_FOUND, "No such campaign or reward"),
        Reason::EventTooEarly => (StatusCode::UNPROCESSABLE_ENTITY, "The event is too far ahead"),
    }
}

/// What is wrong with one field.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, ToSchema)]
pub struct FieldError {
    /// A JSON Pointer (RFC 6901) into the body; `?limit` for a query parameter, `Name:` for a header.
    pub pointer: String,
    /// What is wrong.
    pub reason: String,
    /// What would pass.
    pub remedy: String,
}

impl FieldError {
    /// One error.
    pub fn new(pointer: impl Into<String>, reason: impl Into<String>, remedy: impl Into<String>) -> Self {
        Self { pointer: pointer.into(), reason: reason.into(), remedy: remedy.into() }
    }
}

/// A problem on its way to the caller.
#[derive(Clone, Debug, PartialEq)]
pub struct Problem {
    /// Which.
    pub code: Code,
    /// In a sentence, for this case.
    pub detail: String,
    /// By field, at most [`ERRORS_MAX`].
    pub errors: Vec<FieldError>,
    /// Extension members, such as `rejected` or `validStores`.
    pub more: Map<String, Value>,
    /// After how many seconds trying again makes sense.
    pub retry_after_s: Option<u32>,
}

impl Problem {
    /// A problem with a sentence.
    pub fn new(code: Code, detail: impl Into<String>) -> Self {
        Self { code, detail: detail.into(), errors: Vec::new(), more: Map::new(), retry_after_s: None }
    }

    /// 422 with what is wrong in which field.
    pub fn invalid(mut errors: Vec<FieldError>) -> Self {
        let detail = match errors.as_slice() {
            [one] if one.pointer.is_empty() => format!("the body: {}; {}", one.reason, one.remedy),
            [one] => format!("{}: {}; {}", one.pointer, one.reason, one.remedy),
            many => format!("{} fields are wrong; see errors", many.len()),
        };
        errors.truncate(ERRORS_MAX);
        Self { errors, ..Self::new(Code::Invalid, detail) }
    }

    /// 404 for what is not there or what the caller may not know of.
    pub fn not_found(what: &str) -> Self {
        Self::new(Code::NotFound, format!("there is no such {what}, or it is not yours to see"))
    }

    /// 500. The cause is logged, not told.
    pub fn internal(cause: &dyn std::fmt::Display) -> Self {
        tracing::error!(%cause, "a request failed inside");
        Self::new(Code::Internal, "the request failed on our side; send it again with the same Idempotency-Key")
    }

    /// 503 until somebody answers for what a restore may have lost.
    pub fn awaiting_reconciliation() -> Self {
        let detail = "the database was restored and may lack what was acknowledged before: send what was paid before the \
                      restore with its `occurredAt`, and the rest again later";
        Self { retry_after_s: Some(RECONCILED_AGAIN_S), ..Self::new(Code::AwaitingReconciliation, detail) }
    }

    /// 503 with `Retry-After`.
    pub fn overloaded(detail: &str) -> Self {
        Self { retry_after_s: Some(1), ..Self::new(Code::Overloaded, detail) }
    }

    /// With an extension member.
    #[must_use]
    pub fn with(mut self, name: &str, value: impl Into<Value>) -> Self {
        self.more.insert(name.into(), value.into());
        self
    }

    /// With one field error.
    #[must_use]
    pub fn at(mut self, error: FieldError) -> Self {
        self.errors.push(error);
        self
    }

    /// The body.
    pub fn to_bytes(&self) -> Vec<u8> {
        let (code, status, title) = self.code.row();
        let body = Body {
            kind: format!("{TYPE_BASE}{code}"),
            title,
            status: status.as_u16(),
            detail: &self.detail,
            code,
            errors: &self.errors,
            more: &self.more,
        };
        serde_json::to_vec(&body).unwrap_or_default()
    }
}

impl From<&Refusal> for Problem {
    fn from(refusal: &Refusal) -> Self {
        let problem = Self::new(Code::Refused(refusal.reason), refusal.detail.clone());
        if refusal.valid_stores.is_empty() {
            problem
        } else {
            problem.with("validStores", refusal.valid_stores.clone())
        }
    }
}

#[derive(Serialize)]
struct Body<'a> {
    #[serde(rename = "type")]
    kind: String,
    title: &'static str,
    status: u16,
    detail: &'a str,
    code: &'static str,
    #[serde(skip_serializing_if = "<[_]>::is_empty")]
    errors: &'a [FieldError],
    #[serde(flatten)]
    more: &'a Map<String, Value>,
}

/// A problem as the OpenAPI describes it.
#[derive(Serialize, ToSchema)]
#[schema(as = Problem)]
pub(crate) struct ProblemSchema {
    /// An address that stands for the code.
    #[serde(rename = "type")]
    kind: String,
    /// The same for every problem of this code.
    title: String,
    /// The HTTP status.
    status: u16,
    /// What happened in this case, with a remedy.
    detail: String,
    /// Stable and kebab-case; branch on this.
    code: String,
    /// What is wrong by field.
    #[serde(skip_serializing_if = "Option::is_none")]
    errors: Option<Vec<FieldError>>,
}

impl IntoResponse for Problem {
    fn into_response(self) -> Response {
        let mut response = Response::new(Bytes::from(self.to_bytes()).into());
        *response.status_mut() = self.code.status();
        response.extensions_mut().insert(self.code);
        let headers = response.headers_mut();
        headers.insert(header::CONTENT_TYPE, HeaderValue::from_static(MEDIA_TYPE));
        if let Some(seconds) = self.retry_after_s {
            headers.insert(header::RETRY_AFTER, HeaderValue::from(seconds));
        }
        if self.code == Code::Unauthenticated {
            headers.insert(header::WWW_AUTHENTICATE, HeaderValue::from_static("Bearer"));
        }
        response
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeSet;

    #[test]
    fn every_code_is_kebab_case_and_stands_once_in_the_table() {
        let mut seen = BTreeSet::new();
        for code in Code::all() {
            let text = code.as_str();
            assert!(text.bytes().all(|b| b.is_ascii_lowercase() || b == b'-'), "{text}");
            assert!(code.status().is_client_error() || code.status().is_server_error(), "{text}");
            assert!(seen.insert(text), "{text} twice");
        }
    }

    #[test]
    fn the_contract_s_statuses_hold() {
        let expected = [
            ("code-unknown", 404),
            ("member-unknown", 404),
            ("currency-mismatch", 422),
            ("already-redeemed", 409),
            ("price-changed", 409),
            ("idempotency-key-missing", 400),
            ("idempotency-key-reused", 422),
            ("idempotency-key-in-flight", 409),
            ("too-large", 413),
            ("overloaded", 503),
        ];
        for (text, status) in expected {
            let code = Code::all().find(|code| code.as_str() == text).unwrap();
            assert_eq!(code.status().as_u16(), status, "{text}");
        }
    }

    #[test]
    fn a_problem_carries_its_code_fields_and_extensions() {
        let refusal = Refusal { valid_stores: vec!["bkk-01".into()], ..Refusal::new(Reason::WrongStore, "go there") };
        let body: Value = serde_json::from_slice(&Problem::from(&refusal).to_bytes()).unwrap();
        assert_eq!(body["code"], "wrong-store");
        assert_eq!(body["status"], 409);
        assert_eq!(body["validStores"][0], "bkk-01");
        assert_eq!(body["detail"], "go there");
        assert!(body.get("errors").is_none());
    }
}
