//! Members as CSV or NDJSON, one record after the other from a stream, each record bounded, the whole never in memory.
//!
//! A CSV has a heading: `id`, `tags` (parted by `;`), `phone`, `email`, `wechat`, `card`, `consent.channels.<name>`,
//! `consent.topics.<name>`; any other column is an attribute, and an empty field is left out.

use super::json::{BODY_TIMEOUT, object};
use crate::{
    problem::{Code, FieldError, Problem},
    wire::{
        Faults,
        member::{ConsentBody, IdentityBody, MemberBody},
    },
};
use axum::{
    body::{Body, BodyDataStream},
    extract::Request,
};
use fanfare_core::model::{RuntimePlan, runtime::Attribute};
use fanfare_engine::members::UpsertMember;
use futures::StreamExt;
use serde::Deserialize;
use serde_json::{Map, Value};
use std::{collections::BTreeSet, sync::Arc};

/// The most bytes of one record.
const RECORD_MAX_BYTES: usize = 64 * 1024;
/// The most bytes of one import; more comes in several.
const IMPORT_MAX_BYTES: usize = 512 * 1024 * 1024;
/// The most columns of a CSV.
const COLUMNS_MAX: usize = 200;

/// How the records are written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Format {
    /// RFC 4180, with a heading.
    Csv,
    /// One JSON object a line.
    Ndjson,
}

/// A record: on which line it began, and the member or what is wrong.
pub(crate) struct Row {
    /// From 1.
    pub(crate) line: usize,
    /// What it says.
    pub(crate) member: Result<UpsertMember, Problem>,
}

/// The records of a request, as they come.
pub(crate) struct Records {
    stream: BodyDataStream,
    format: Format,
    runtime: Arc<RuntimePlan>,
    heading: Option<Vec<String>>,
    /// What was read and is not used yet.
    buffer: Vec<u8>,
    /// How far the buffer was searched for the end of a record, and whether that place is within quotes.
    searched: usize,
    quoted: bool,
    total: usize,
    line: usize,
    ended: bool,
}

#[derive(Deserialize)]
struct NamedMember {
    id: String,
    #[serde(flatten)]
    rest: Map<String, Value>,
}

impl Records {
    /// The records of this body.
    pub(crate) fn of(request: Request<Body>, format: Format, runtime: Arc<RuntimePlan>) -> Self {
        Self {
            stream: request.into_body().into_data_stream(),
            format,
            runtime,
            heading: None,
            buffer: Vec::new(),
            searched: 0,
            quoted: false,
            total: 0,
            line: 1,
            ended: false,
        }
    }

    /// The next record; `None` at the end.
    ///
    /// # Errors
    /// The problem of the whole import: it broke off, is too large, or its heading is wrong. What came before was taken.
    pub(crate) async fn next(&mut self) -> Result<Option<Row>, Problem> {
        loop {
            let Some((line, record)) = self.record().await? else { return Ok(None) };
            if record.iter().all(u8::is_ascii_whitespace) {
                continue;
            }
            if self.format == Format::Csv && self.heading.is_none() {
                self.heading = Some(heading(&record)?);
                continue;
            }
            let member = match (self.format, &self.heading) {
                _ if record.len() > RECORD_MAX_BYTES => Err(too_long()),
                (Format::Csv, Some(heading)) => from_csv(heading, &record, &self.runtime),
                (Format::Csv, None) | (Format::Ndjson, _) => from_json(&record),
            };
            return Ok(Some(Row { line, member }));
        }
    }

    /// The next raw record with its line. Of one that is too long only the beginning is kept.
    pub(crate) async fn record(&mut self) -> Result<Option<(usize, Vec<u8>)>, Problem> {
        let mut kept: Vec<u8> = Vec::new();
        let began = self.line;
        loop {
            if let Some(end) = self.end_of_record() {
                kept.extend(self.buffer.drain(..end));
                kept.truncate(RECORD_MAX_BYTES + 1);
                return Ok(Some((began, kept)));
            }
            if self.buffer.len() > RECORD_MAX_BYTES {
                kept.append(&mut self.buffer);
                kept.truncate(RECORD_MAX_BYTES + 1);
                self.searched = 0;
            }
            if self.ended {
                kept.append(&mut self.buffer);
                self.searched = 0;
                return Ok((!kept.is_empty()).then_some((began, kept)));
            }
            self.fill().await?;
        }
    }

    /// Where the first record of the buffer ends, its line break included.
    fn end_of_record(&mut self) -> Option<usize> {
        for at in self.searched..self.buffer.len() {
            match self.buffer[at] {
                b'"' if self.format == Format::Csv => self.quoted = !self.quoted,
                b'\n' => {
                    self.line += 1;
                    if !self.quoted {
                        self.searched = 0;
                        return Some(at + 1);
                    }
                }
                _ => {}
            }
        }
        self.searched = self.buffer.len();
        None
    }

    async fn fill(&mut self) -> Result<(), Problem> {
        let timeout = || Problem::new(Code::Timeout, "the import did not come on; send it again, that is safe");
        match tokio::time::timeout(BODY_TIMEOUT, self.stream.next()).await.map_err(|_| timeout())? {
            None => self.ended = true,
            Some(Err(_)) => {
                return Err(Problem::new(Code::Malformed, "the import broke off; send it again, that is safe"));
            }
            Some(Ok(bytes)) => {
                self.total = self.total.saturating_add(bytes.len());
                if self.total > IMPORT_MAX_BYTES {
                    let detail = format!("an import has at most {IMPORT_MAX_BYTES} bytes; send the rest in another");
                    return Err(Problem::new(Code::TooLarge, detail));
                }
                self.buffer.extend_from_slice(&bytes);
            }
        }
        Ok(())
    }
}

fn too_long() -> Problem {
    Problem::new(Code::TooLarge, format!("the line has more than {RECORD_MAX_BYTES} bytes"))
}

fn fields(record: &[u8]) -> Result<Vec<String>, Problem> {
    let mut reader = csv::ReaderBuilder::new().has_headers(false).flexible(true).from_reader(record);
    let mut fields = csv::StringRecord::new();
    let read = reader.read_record(&mut fields);
    read.map_err(|_| Problem::new(Code::Malformed, "the line is no CSV in UTF-8"))?;
    Ok(fields.iter().map(ToOwned::to_owned).collect())
}

fn heading(record: &[u8]) -> Result<Vec<String>, Problem> {
    let text = record.strip_prefix(b"\xef\xbb\xbf").unwrap_or(record);
    let names: Vec<String> = fields(text)?.iter().map(|name| name.trim().to_owned()).collect();
    let mut faults = Faults::default();
    if names.len() > COLUMNS_MAX {
        faults.add("", "the heading has too many columns", format!("at most {COLUMNS_MAX}"));
    }
    if !names.iter().any(|name| name == "id") {
        faults.add("", "the heading has no column \"id\"", "a first line such as id,tier,phone,tags");
    }
    let distinct: BTreeSet<&String> = names.iter().collect();
    if distinct.len() != names.len() {
        faults.add("", "a column stands twice in the heading", "name each column once");
    }
    faults.done()?;
    Ok(names)
}

fn from_json(record: &[u8]) -> Result<UpsertMember, Problem> {
    let NamedMember { id, rest } = object(record)?;
    let bytes = serde_json::to_vec(&rest).map_err(|error| Problem::internal(&error))?;
    let body: MemberBody = object(&bytes)?;
    Ok(UpsertMember { id: id.into(), profile: body.into() })
}

fn from_csv(heading: &[String], record: &[u8], runtime: &RuntimePlan) -> Result<UpsertMember, Problem> {
    let fields = fields(record)?;
    let mut faults = Faults::default();
    if fields.len() != heading.len() {
        let reason = format!("it has {} fields and the heading {}", fields.len(), heading.len());
        let remedy = "quote a field that has a comma, a quote or a line break";
        return Err(Problem::invalid(vec![FieldError::new("", reason, remedy)]));
    }
    let (mut id, mut body) = (String::new(), MemberBody::default());
    for (name, field) in heading.iter().zip(fields).filter(|(_, field)| !field.trim().is_empty()) {
        let field = field.trim();
        match name.as_str() {
            "id" => id = field.to_owned(),
            "tags" => {
                let tags = field.split(';').map(str::trim).filter(|tag| !tag.is_empty());
                body.tags = Some(tags.map(ToOwned::to_owned).collect());
            }
            kind @ ("phone" | "email" | "wechat" | "card") => {
                let identity = IdentityBody { kind: kind.to_owned(), value: field.to_owned() };
                body.identities.get_or_insert_default().push(identity);
            }
            other => match other.strip_prefix("consent.") {
                Some(what) => consent(what, field, body.consent.get_or_insert_default(), &mut faults),
                None => {
                    drop(body.attributes.get_or_insert_default().insert(other.to_owned(), value(other, field, runtime)))
                }
            },
        }
    }
    faults.done()?;
    Ok(UpsertMember { id: id.into(), profile: body.into() })
}

fn yes_or_no(field: &str) -> Option<bool> {
    match field.to_ascii_lowercase().as_str() {
        "true" | "1" => Some(true),
        "false" | "0" => Some(false),
        _ => None,
    }
}

fn consent(what: &str, field: &str, consent: &mut ConsentBody, faults: &mut Faults) {
    let pointer = format!("/consent.{what}");
    let Some(agreed) = yes_or_no(field) else {
        faults.add(pointer, format!("{field:?} is neither yes nor no"), "true or false");
        return;
    };
    match what.split_once('.') {
        Some(("channels", name)) => drop(consent.channels.insert(name.to_owned(), agreed)),
        Some(("topics", name)) => drop(consent.topics.insert(name.to_owned(), agreed)),
        Some(_) | None => {
            faults.add(pointer, "no such column is known", "consent.channels.<name> or consent.topics.<name>")
        }
    }
}

/// A field as the attribute is declared: text, except that yes/no is a flag. The engine judges it.
fn value(name: &str, field: &str, runtime: &RuntimePlan) -> Value {
    match (runtime.attributes.get(name), yes_or_no(field)) {
        (Some(Attribute::Boolean), Some(flag)) => Value::Bool(flag),
        _ => Value::String(field.to_owned()),
    }
}
