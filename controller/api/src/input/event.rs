//! CloudEvents 1.0 over HTTP: structured, batched and binary mode, and plain JSON taken for structured.
//!
//! One bad event of a batch is set aside with its fault; the others go on.

use super::json::{BULK_MAX_BYTES, escape, media_type, parse, read, unsupported};
use crate::{
    app::App,
    problem::{Code, Problem},
    wire::Faults,
};
use axum::extract::{FromRequest, Request};
use fanfare_core::time::Ts;
use http::HeaderMap;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use std::collections::BTreeMap;
use utoipa::ToSchema;

/// The most events of one batch.
pub(crate) const BATCH_MAX: usize = 1_000;
/// The longest attribute of an event.
const ATTRIBUTE_MAX: usize = 256;
/// The longest name of an extension attribute, as CloudEvents recommends.
const EXTENSION_NAME_MAX: usize = 20;
const STRUCTURED: &str = "application/cloudevents+json";
const BATCH: &str = "application/cloudevents-batch+json";
const PLAIN: &str = "application/json";

/// An event as it is sent.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
pub(crate) struct EventBody {
    /// `1.0`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) specversion: Option<String>,
    /// Unique with `source`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) id: Option<String>,
    /// Who sends it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) source: Option<String>,
    /// The short name that resources use, such as `order.paid`.
    #[serde(rename = "type")]
    pub(crate) kind: String,
    /// The member's id.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) subject: Option<String>,
    /// When it happened; now when left out.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) time: Option<String>,
    /// Only JSON is taken.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) datacontenttype: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) dataschema: Option<String>,
    /// An object that rules can read.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<std::collections::HashMap<String, serde_json::Value>>)]
    pub(crate) data: Option<Map<String, Value>>,
    /// Extension attributes of CloudEvents: lower-case names, plain values. They are not kept.
    #[serde(flatten)]
    #[schema(ignore)]
    pub(crate) extensions: BTreeMap<String, Value>,
}

/// An event, checked.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Event {
    /// Its id; `None` where it may be left out and was.
    pub(crate) id: Option<String>,
    /// Who sends it, likewise.
    pub(crate) source: Option<String>,
    /// Its type.
    pub(crate) kind: String,
    /// Whom it is about.
    pub(crate) subject: Option<String>,
    /// When it happened, if that was said.
    pub(crate) time: Option<Ts>,
    /// Its data.
    pub(crate) data: Value,
}

/// One event of a request: as read, or its id (as far as it was readable) and what is wrong.
pub(crate) type Read = Result<Event, (String, Problem)>;

/// The events of a request, in order.
pub(crate) struct Events {
    read: Vec<Read>,
    /// Whether it is a single event, of which a fault is the call's.
    is_single: bool,
}

impl Events {
    /// The events, each with id and source, which a till or an integration has to send: they are the idempotency key.
    pub(crate) fn keyed(self) -> Result<Vec<Read>, Problem> {
        let Self { read, is_single } = self;
        let read: Vec<Read> = read.into_iter().map(|event| event.and_then(Event::keyed)).collect();
        match read.as_slice() {
            [Err((_, problem))] if is_single => Err(problem.clone()),
            _ => Ok(read),
        }
    }

    /// The events as they are, where id and source may be left out.
    pub(crate) fn any(self) -> Vec<Read> {
        self.read
    }
}

impl FromRequest<App> for Events {
    type Rejection = Problem;
    async fn from_request(request: Request, _: &App) -> Result<Self, Problem> {
        let headers = request.headers().clone();
        let kind = media_type(&headers);
        let binary = headers.contains_key("ce-type") || headers.contains_key("ce-id");
        let bytes = read(request, BULK_MAX_BYTES).await?;
        match kind.as_deref() {
            Some(BATCH) => batch(&bytes),
            Some(STRUCTURED) => one(parse(&bytes)?),
            None | Some(PLAIN) if binary => one(from_headers(&headers, &bytes)?),
            None | Some(PLAIN) => one(parse(&bytes)?),
            Some(other) => Err(unsupported(other, &format!("{STRUCTURED}, {BATCH} or {PLAIN}"))),
        }
    }
}

/// A single event that is wrong fails its call: there is no other that it could sink.
fn one(body: EventBody) -> Result<Events, Problem> {
    body.check().map(|event| Events { read: vec![Ok(event)], is_single: true })
}

fn batch(bytes: &[u8]) -> Result<Events, Problem> {
    // The common case first: every event has the right shape.
    let bodies: Vec<Result<EventBody, (String, Problem)>> = match parse::<Vec<EventBody>>(bytes) {
        Ok(bodies) => bodies.into_iter().map(Ok).collect(),
        Err(problem) if problem.code == Code::Malformed => return Err(problem),
        Err(_) => parse::<Vec<Value>>(bytes)?.into_iter().map(shaped).collect(),
    };
    if bodies.len() > BATCH_MAX {
        let detail = format!("a batch has at most {BATCH_MAX} events, this one {}; send it in parts", bodies.len());
        return Err(Problem::new(Code::TooLarge, detail));
    }
    let read = |body: Result<EventBody, (String, Problem)>| {
        let body = body?;
        let id = body.id.clone().unwrap_or_default();
        body.check().map_err(|problem| (id, problem))
    };
    Ok(Events { read: bodies.into_iter().map(read).collect(), is_single: false })
}

/// An event that may have another shape than it should.
fn shaped(value: Value) -> Result<EventBody, (String, Problem)> {
    let id = value.get("id").and_then(Value::as_str).unwrap_or_default().to_owned();
    let bytes = serde_json::to_vec(&value).map_err(|error| (id.clone(), Problem::internal(&error)))?;
    parse(&bytes).map_err(|problem| (id, problem))
}

/// Binary mode: attributes in `ce-` headers, the data as the body.
fn from_headers(headers: &HeaderMap, bytes: &[u8]) -> Result<EventBody, Problem> {
    let text = |name: &str| headers.get(name).map(|value| percent_decoded(value.as_bytes()));
    let data = if bytes.is_empty() { None } else { Some(parse::<Map<String, Value>>(bytes)?) };
    Ok(EventBody {
        specversion: text("ce-specversion"),
        id: text("ce-id"),
        source: text("ce-source"),
        kind: text("ce-type").unwrap_or_default(),
        subject: text("ce-subject"),
        time: text("ce-time"),
        datacontenttype: None,
        dataschema: text("ce-dataschema"),
        data,
        extensions: BTreeMap::new(),
    })
}

/// An attribute in a header: CloudEvents writes what is not printable ASCII as `%` and two hexadecimal digits.
fn percent_decoded(value: &[u8]) -> String {
    let mut bytes = Vec::with_capacity(value.len());
    let mut rest = value;
    while let [first, tail @ ..] = rest {
        let digit = |byte: u8| char::from(byte).to_digit(16).and_then(|digit| u8::try_from(digit).ok());
        let escaped = match tail {
            [high, low, after @ ..] if *first == b'%' => {
                digit(*high).zip(digit(*low)).map(|(high, low)| (high * 16 + low, after))
            }
            _ => None,
        };
        let (byte, after) = escaped.unwrap_or((*first, tail));
        bytes.push(byte);
        rest = after;
    }
    String::from_utf8_lossy(&bytes).into_owned()
}

impl EventBody {
    fn check(self) -> Result<Event, Problem> {
        let mut faults = Faults::default();
        if self.specversion.as_deref().is_some_and(|version| version != "1.0") {
            faults.add("/specversion", "only version 1.0 is understood", "send \"1.0\"");
        }
        let texts = [("/id", &self.id), ("/source", &self.source), ("/subject", &self.subject)];
        for (pointer, text) in texts {
            if let Some(text) = text {
                faults.bounded(pointer, text, ATTRIBUTE_MAX);
            }
        }
        let is_type = |c: char| c.is_ascii_alphanumeric() || matches!(c, '.' | '-' | '_');
        if self.kind.is_empty() || self.kind.len() > ATTRIBUTE_MAX || !self.kind.chars().all(is_type) {
            faults.add("/type", format!("{:?} is no type", self.kind), "a short name such as order.paid");
        }
        let json = |kind: &str| kind.split(';').next().is_some_and(|kind| kind.trim().ends_with("json"));
        if self.datacontenttype.as_deref().is_some_and(|kind| !json(kind)) {
            faults.add("/datacontenttype", "only JSON data can be read", "send data as a JSON object");
        }
        for (name, value) in &self.extensions {
            let named = name.len() <= EXTENSION_NAME_MAX
                && name.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit())
                && !name.is_empty();
            if !named || value.is_array() || value.is_object() {
                let remedy = "remove it, or put it into data; an extension attribute is lower case with a plain value";
                faults.add(format!("/{}", escape(name)), format!("no attribute {name:?} is known here"), remedy);
            }
        }
        let time = faults.time("/time", self.time.as_ref());
        faults.done()?;
        let data = Value::Object(self.data.unwrap_or_default());
        Ok(Event { id: self.id, source: self.source, kind: self.kind, subject: self.subject, time, data })
    }
}

impl Event {
    fn keyed(self) -> Read {
        let id = self.id.clone().unwrap_or_default();
        let mut faults = Faults::default();
        for (pointer, text) in [("/id", &self.id), ("/source", &self.source)] {
            if text.is_none() {
                faults.add(pointer, "it is missing", "send it; id and source together name the event once and for all");
            }
        }
        faults.done().map_err(|problem| (id, problem))?;
        Ok(self)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn batch_of(text: &str) -> Vec<Read> {
        batch(text.as_bytes()).unwrap().any()
    }

    #[test]
    fn one_bad_event_never_sinks_its_batch() {
        let good = r#"{"specversion":"1.0","id":"1","source":"pos","type":"order.paid","subject":"m1","data":{"total":"1.00"}}"#;
        let wrong = [
            good.replace("\"order.paid\"", "7").replace("\"1\"", "\"2\""),
            good.replace("order.paid", "no such type!").replace("\"1\"", "\"3\""),
            good.replace("\"subject\"", "\"memberId\"").replace("\"1\"", "\"4\""),
            good.replace("{\"total\":\"1.00\"}", "[]").replace("\"1\"", "\"5\""),
            "17".to_owned(),
        ];
        let read = batch_of(&format!("[{good},{},{good}]", wrong.join(",")));
        assert_eq!(read.len(), 7);
        assert!(read[0].is_ok() && read[6].is_ok());
        for (index, id) in [(1, "2"), (2, "3"), (3, "4"), (4, "5"), (5, "")] {
            let (named, problem) = read[index].as_ref().unwrap_err();
            assert_eq!((named.as_str(), problem.code), (id, Code::Invalid), "{index}");
        }
    }

    #[test]
    fn a_batch_is_an_array_of_at_most_a_thousand() {
        assert_eq!(batch(b"{}").err().unwrap().code, Code::Invalid);
        assert_eq!(batch(b"[").err().unwrap().code, Code::Malformed);
        let many = format!("[{}]", vec![r#"{"type":"a"}"#; BATCH_MAX + 1].join(","));
        assert_eq!(batch(many.as_bytes()).err().unwrap().code, Code::TooLarge);
    }

    #[test]
    fn extension_attributes_are_taken_and_unknown_fields_are_not() {
        let with = |extra: &str| parse::<EventBody>(format!("{{\"type\":\"a\",{extra}}}").as_bytes()).unwrap().check();
        assert!(with(r#""traceparent":"00-1""#).is_ok());
        for wrong in [r#""memberId":"m""#, r#""x":{}"#, r#""specversion":"0.3""#, r#""time":"noon""#] {
            assert_eq!(with(wrong).unwrap_err().code, Code::Invalid, "{wrong}");
        }
    }
}
