//! The one way in for JSON bodies: bounded, timed, strict, and wrong input answered by field.
//!
//! 413 when it is too large, 415 for another media type, 400 when it is no JSON (with the place), 422 when it is JSON
//! of another shape (with a JSON Pointer).

use crate::{
    app::App,
    problem::{Code, FieldError, Problem},
};
use axum::extract::{FromRequest, Request};
use bytes::Bytes;
use http::{HeaderMap, header};
use http_body_util::BodyExt;
use serde::de::{DeserializeOwned, IgnoredAny};
use serde_path_to_error::Segment;
use std::{fmt::Write as _, time::Duration};

/// The most bytes of an ordinary body: a cart of 500 lines has about 100 KiB.
pub(crate) const BODY_MAX_BYTES: usize = 256 * 1024;
/// The most bytes of a body that carries many things: 1,000 events, or a list of 100,000 members.
pub(crate) const BULK_MAX_BYTES: usize = 8 * 1024 * 1024;
/// The most bytes of a body that is refused for its size and still taken off the wire.
const DRAIN_MAX_BYTES: usize = 32 * 1024 * 1024;
/// How deep arrays and objects may nest; a cart needs 4.
pub(crate) const DEPTH_MAX: usize = 32;
/// How long a whole body may take to come.
pub(crate) const BODY_TIMEOUT: Duration = Duration::from_secs(15);

/// A JSON body of at most [`BODY_MAX_BYTES`].
pub(crate) struct Body<T>(pub(crate) T);
/// A JSON body of at most [`BULK_MAX_BYTES`].
pub(crate) struct BulkBody<T>(pub(crate) T);
/// A JSON body whose fields are all optional; no body at all is an empty object.
pub(crate) struct OptionalBody<T>(pub(crate) T);

impl<T: DeserializeOwned> FromRequest<App> for Body<T> {
    type Rejection = Problem;
    async fn from_request(request: Request, _: &App) -> Result<Self, Problem> {
        expect_json(request.headers())?;
        object(&read(request, BODY_MAX_BYTES).await?).map(Self)
    }
}

impl<T: DeserializeOwned> FromRequest<App> for BulkBody<T> {
    type Rejection = Problem;
    async fn from_request(request: Request, _: &App) -> Result<Self, Problem> {
        expect_json(request.headers())?;
        object(&read(request, BULK_MAX_BYTES).await?).map(Self)
    }
}

impl<T: DeserializeOwned> FromRequest<App> for OptionalBody<T> {
    type Rejection = Problem;
    async fn from_request(request: Request, _: &App) -> Result<Self, Problem> {
        let is_json = expect_json(request.headers());
        let bytes = read(request, BODY_MAX_BYTES).await?;
        if bytes.iter().all(u8::is_ascii_whitespace) {
            return parse(b"{}").map(Self);
        }
        is_json?;
        object(&bytes).map(Self)
    }
}

/// The media type without its parameters, in lower case.
pub(crate) fn media_type(headers: &HeaderMap) -> Option<String> {
    let text = headers.get(header::CONTENT_TYPE)?.to_str().ok()?;
    Some(text.split(';').next().unwrap_or_default().trim().to_ascii_lowercase())
}

/// JSON, or nothing said, which is taken for JSON.
fn expect_json(headers: &HeaderMap) -> Result<(), Problem> {
    match media_type(headers).as_deref() {
        None | Some("application/json") => Ok(()),
        Some(other) if other.ends_with("+json") => Ok(()),
        Some(other) => Err(unsupported(other, "application/json")),
    }
}

/// 415 for a body that is packed: what it unpacks to could be of any size.
pub(crate) fn expect_unpacked(headers: &HeaderMap) -> Result<(), Problem> {
    let Some(written) = headers.get(header::CONTENT_ENCODING) else { return Ok(()) };
    let coding = String::from_utf8_lossy(written.as_bytes()).trim().to_ascii_lowercase();
    if coding.is_empty() || coding == "identity" {
        return Ok(());
    }
    let detail = format!("a body with Content-Encoding: {coding} is not read here; send it as it is, without one");
    Err(Problem::new(Code::UnsupportedMediaType, detail).with("accepted", vec!["identity"]))
}

/// 415.
pub(crate) fn unsupported(got: &str, wanted: &str) -> Problem {
    Problem::new(Code::UnsupportedMediaType, format!("{got:?} is not understood here; send {wanted}"))
}

/// Reads a body, at most `max` bytes, in at most [`BODY_TIMEOUT`].
///
/// What is too large is still taken off the wire up to [`DRAIN_MAX_BYTES`]: a client that is cut off while it sends would
/// see a broken connection instead of the 413.
pub(crate) async fn read(request: Request, max: usize) -> Result<Bytes, Problem> {
    expect_unpacked(request.headers())?;
    let late = |_| Problem::new(Code::Timeout, "the body did not come in time; send it again");
    tokio::time::timeout(BODY_TIMEOUT, gather(request, max)).await.map_err(late)?
}

async fn gather(request: Request, max: usize) -> Result<Bytes, Problem> {
    let too_large = || Problem::new(Code::TooLarge, format!("the body has more than {max} bytes; send it in parts"));
    let declared = request.headers().get(header::CONTENT_LENGTH).and_then(|v| v.to_str().ok()?.parse::<usize>().ok());
    if declared.is_some_and(|length| length > DRAIN_MAX_BYTES) {
        return Err(too_large());
    }
    let mut body = request.into_body();
    let mut kept = Vec::with_capacity(declared.unwrap_or(0).min(max));
    let mut came = 0_usize;
    while let Some(frame) = body.frame().await {
        let frame = frame.map_err(|_| Problem::new(Code::Malformed, "the body broke off; send it again"))?;
        let Ok(data) = frame.into_data() else { continue };
        came = came.saturating_add(data.len());
        if came > DRAIN_MAX_BYTES {
            break;
        }
        if came <= max {
            kept.extend_from_slice(&data);
        }
    }
    if came > max { Err(too_large()) } else { Ok(kept.into()) }
}

/// Reads a strict JSON object. (Serde would also take an array of a struct's fields in their order.)
pub(crate) fn object<T: DeserializeOwned>(bytes: &[u8]) -> Result<T, Problem> {
    let value = parse(bytes)?;
    match bytes.iter().find(|byte| !byte.is_ascii_whitespace()) {
        Some(b'{') => Ok(value),
        _ => Err(Problem::invalid(vec![FieldError::new("", "it is no object", "send an object")])),
    }
}

/// Reads strict JSON.
pub(crate) fn parse<T: DeserializeOwned>(bytes: &[u8]) -> Result<T, Problem> {
    check_depth(bytes)?;
    // Where in the body something is wrong is looked for once something is: following every value to its place costs as
    // much as reading it.
    if let Ok(value) = serde_json::from_slice(bytes) {
        return Ok(value);
    }
    let mut reader = serde_json::Deserializer::from_slice(bytes);
    let value = serde_path_to_error::deserialize(&mut reader).map_err(|error| {
        let pointer = pointer_of(error.path());
        wrong(bytes, &pointer, error.inner())
    })?;
    reader.end().map_err(|error| malformed(&error))?;
    Ok(value)
}

/// Bad shape is 422 only where the whole is JSON at all.
fn wrong(bytes: &[u8], pointer: &str, error: &serde_json::Error) -> Problem {
    if !error.is_data() {
        return malformed(error);
    }
    match serde_json::from_slice::<IgnoredAny>(bytes) {
        Err(syntax) => malformed(&syntax),
        Ok(_) => Problem::invalid(vec![explain(pointer, &error.to_string())]),
    }
}

fn malformed(error: &serde_json::Error) -> Problem {
    let text = error.to_string();
    let what = text.rsplit_once(" at line ").map_or(text.as_str(), |(what, _)| what);
    let (line, column) = (error.line(), error.column());
    let detail = format!("the body is not JSON: {what} at line {line}, column {column}");
    Problem::new(Code::Malformed, detail).with("line", line).with("column", column)
}

/// Turns serde's sentence into field, reason and remedy.
fn explain(pointer: &str, message: &str) -> FieldError {
    let message = message.rsplit_once(" at line ").map_or(message, |(what, _)| what);
    let quoted = |prefix: &str| message.strip_prefix(prefix)?.split('`').next();
    if let Some(name) = quoted("missing field `") {
        return FieldError::new(format!("{pointer}/{}", escape(name)), "it is missing", "send it");
    }
    if let Some(name) = quoted("duplicate field `") {
        return FieldError::new(below(pointer, name), format!("{name:?} stands twice"), "send it once");
    }
    if let Some(name) = quoted("unknown field `") {
        let known = message.split_once(", expected ").map_or("nothing", |(_, rest)| rest);
        let at = below(pointer, name);
        let remedy = format!("remove it; known here: {}", known.trim_start_matches("one of ").replace('`', ""));
        return FieldError::new(at, format!("no field {name:?} is known here"), remedy);
    }
    match message.split_once(", expected ") {
        Some((reason, wanted)) => FieldError::new(pointer, reason, format!("send {}", plain(wanted))),
        None => FieldError::new(pointer, message, "correct it"),
    }
}

/// The field of that name, where `pointer` does not lead to it already.
fn below(pointer: &str, name: &str) -> String {
    let step = format!("/{}", escape(name));
    if pointer.ends_with(&step) { pointer.to_owned() } else { format!("{pointer}{step}") }
}

/// Rust's names of types, in words.
fn plain(wanted: &str) -> String {
    match wanted {
        "i64" | "u32" | "u64" | "i32" | "usize" => "a whole number".into(),
        "a map" => "an object".into(),
        "a sequence" => "an array".into(),
        struct_name if struct_name.starts_with("struct ") => "an object".into(),
        other => other.replace('`', "\""),
    }
}

fn pointer_of(path: &serde_path_to_error::Path) -> String {
    let mut pointer = String::new();
    for segment in path.iter() {
        let _ = match segment {
            Segment::Seq { index } => write!(pointer, "/{index}"),
            Segment::Map { key } => write!(pointer, "/{}", escape(key)),
            Segment::Enum { .. } | Segment::Unknown => Ok(()),
        };
    }
    pointer
}

/// A name as a step of a JSON Pointer.
pub(crate) fn escape(name: &str) -> String {
    name.replace('~', "~0").replace('/', "~1")
}

/// Refuses nesting beyond [`DEPTH_MAX`] before any parser recurses into it.
fn check_depth(bytes: &[u8]) -> Result<(), Problem> {
    let (mut depth, mut in_text, mut escaped) = (0_usize, false, false);
    for (at, byte) in bytes.iter().enumerate() {
        if in_text {
            match (escaped, byte) {
                (true, _) => escaped = false,
                (false, b'\\') => escaped = true,
                (false, b'"') => in_text = false,
                _ => {}
            }
            continue;
        }
        match byte {
            b'"' => in_text = true,
            b'{' | b'[' => depth += 1,
            b'}' | b']' => depth = depth.saturating_sub(1),
            _ => {}
        }
        if depth > DEPTH_MAX {
            let detail = format!("the body nests deeper than {DEPTH_MAX} levels, at byte {at}");
            return Err(Problem::new(Code::Malformed, detail));
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde::Deserialize;

    #[derive(Debug, Deserialize)]
    #[serde(rename_all = "camelCase", deny_unknown_fields)]
    #[expect(dead_code, reason = "only read by serde")]
    struct Basket {
        shop_id: String,
        #[serde(default)]
        lines: Vec<Item>,
    }

    #[derive(Debug, Deserialize)]
    #[serde(deny_unknown_fields)]
    #[expect(dead_code, reason = "only read by serde")]
    struct Item {
        quantity: i64,
    }

    fn check(body: &str, status: u16, pointer: &str) {
        let problem = parse::<Basket>(body.as_bytes()).unwrap_err();
        assert_eq!(problem.code.status().as_u16(), status, "{body}: {problem:?}");
        let at = problem.errors.first().map_or("", |error| error.pointer.as_str());
        assert_eq!(at, pointer, "{body}: {problem:?}");
    }

    #[test]
    fn bad_bodies_are_answered_with_the_place() {
        check("", 400, "");
        check("{", 400, "");
        check("{\"shopId\": \"a\"} x", 400, "");
        check("{\"shopId\": 1, oops", 400, "");
        check("\u{feff}{}", 400, "");
        check("[]", 422, "");
        check("{}", 422, "/shopId");
        check(r#"{"shopId": 7}"#, 422, "/shopId");
        check(r#"{"shopId": null}"#, 422, "/shopId");
        check(r#"{"shopId": "a", "shop/x": 1}"#, 422, "/shop~1x");
        check(r#"{"shopId": "a", "lines": {}}"#, 422, "/lines");
        check(r#"{"shopId": "a", "lines": [{"quantity": 1}, {"quantity": "2"}]}"#, 422, "/lines/1/quantity");
        check(r#"{"shopId": "a", "lines": [{"quantity": 1.5}]}"#, 422, "/lines/0/quantity");
        check(r#"{"shopId": "a", "lines": [{"quantity": 1, "gift": true}]}"#, 422, "/lines/0/gift");
        check(r#"{"shopId": "a", "shopId": "b"}"#, 422, "/shopId");
        check(r#"{"shopId": "a", "lines": [{}]}"#, 422, "/lines/0/quantity");
    }

    #[test]
    fn a_deep_body_is_refused_before_it_is_parsed() {
        let deep = format!("{{\"shopId\": {}{}}}", "[".repeat(100_000), "]".repeat(100_000));
        check(&deep, 400, "");
        let text_with_brackets = format!("{{\"shopId\": \"{}\\\"{}\"}}", "[".repeat(100), "{".repeat(100));
        assert!(parse::<Basket>(text_with_brackets.as_bytes()).is_ok());
    }
}
