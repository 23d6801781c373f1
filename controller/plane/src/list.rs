//! Get and list: pages of one consistent snapshot, as plain objects, as a Table, or as metadata alone.

use std::sync::Arc;

use axum::body::Body;
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use bytes::{BufMut, Bytes, BytesMut};
use serde_json::{Value, json};

use crate::object::{ObjectName, Stored, to_bytes};
use crate::plane::Inner;
use crate::registry::Resource;
use crate::request::{ApiRequest, Shape};
use crate::respond::{self, Response};
use crate::selector::Selector;
use crate::status::{ApiError, FieldError};
use crate::table::{self, Include};

/// A piece of an answer ends with the object that makes it longer than this.
pub(crate) const PIECE_BYTES: usize = 128 << 10;

/// How long a page may be followed by one of the same moment, as on a real API server.
const CONTINUE_FOR_S: i64 = 300;

/// Where the next page begins, opaque to clients: the version of the list, 0 for "as it is then"; when that was asked, and
/// namespace and name of the last object.
type Continue = (u64, i64, String, String);

fn read_continue(text: &str) -> Result<Continue, ApiError> {
    let token = URL_SAFE_NO_PAD.decode(text).ok().and_then(|bytes| serde_json::from_slice(&bytes).ok());
    token.ok_or_else(|| ApiError::bad_request("continue key is not valid"))
}

fn write_continue(token: &Continue) -> String {
    URL_SAFE_NO_PAD.encode(json!(token).to_string())
}

/// Answers GET of one object.
pub(crate) fn get(inner: &Inner, request: &ApiRequest, name: &str) -> Result<Response, ApiError> {
    let object = inner.get(&request.resource, &request.namespace, name)?;
    respond::object(inner, request, 200, &object)
}

/// Answers GET of a collection.
pub(crate) fn list(inner: &Inner, request: &ApiRequest) -> Result<Response, ApiError> {
    let (objects, metadata) = page(inner, request)?;
    respond_with(inner, request, objects, metadata)
}

/// Objects in the shape that was asked for.
pub(crate) fn respond_with(
    inner: &Inner,
    request: &ApiRequest,
    objects: Vec<Arc<Stored>>,
    mut metadata: Value,
) -> Result<Response, ApiError> {
    let resource = &*request.resource;
    if request.shape == Shape::Plain && !resource.is_builtin() && metadata.get("continue").is_none() {
        // Lists of custom kinds always say it, those of built-in kinds leave out what is empty.
        metadata["continue"] = json!("");
    }
    let value = |o: &Stored| o.value().map_err(|e| ApiError::internal(&e));
    if request.shape == Shape::Table {
        let include = Include::parse(request.query.get("includeObject"));
        let now = inner.now();
        let rows = objects.iter().map(|o| Ok(table::row(resource, &value(o)?, include, now)));
        let rows = rows.collect::<Result<_, ApiError>>()?;
        return Ok(respond::json(200, &table::table(metadata, table::column_definitions(resource), rows)));
    }
    let (kind, api_version) = match request.shape {
        Shape::Partial => ("PartialObjectMetadataList", "meta.k8s.io/v1".to_owned()),
        Shape::Plain | Shape::Table => (resource.list_kind.as_str(), resource.api_version()),
    };
    let mut head =
        format!("{{\"kind\":\"{kind}\",\"apiVersion\":\"{api_version}\",\"metadata\":{metadata},\"items\":[");
    let (resource, shape) = (request.resource.clone(), request.shape);
    let mut left = objects.into_iter().peekable();
    let mut is_done = false;
    // Encoded as the client reads it, so that many readers of a long list cost no more than a piece of it each.
    let pieces = std::iter::from_fn(move || {
        if is_done {
            return None;
        }
        let mut piece = BytesMut::from(std::mem::take(&mut head).as_bytes());
        while piece.len() < PIECE_BYTES
            && let Some(object) = left.next()
        {
            match item(&resource, shape, &object) {
                Ok(item) => piece.put(item),
                Err(error) => return Some(Err(std::io::Error::other(error.message))),
            }
            piece.put_u8(b',');
        }
        is_done = left.peek().is_none();
        if is_done {
            piece.truncate(piece.len() - usize::from(piece.ends_with(b",")));
            piece.put(&b"]}"[..]);
        }
        Some(Ok(piece.freeze()))
    });
    Ok(respond::bytes(200, "application/json", Body::from_stream(futures::stream::iter(pieces))))
}

/// One object of a list.
fn item(resource: &Resource, shape: Shape, object: &Stored) -> Result<Bytes, ApiError> {
    Ok(match shape {
        Shape::Partial => to_bytes(&table::partial(&object.value().map_err(|e| ApiError::internal(&e))?)),
        Shape::Plain | Shape::Table if resource.is_builtin() => {
            let mut shown = respond::shown_value(resource, object)?;
            // The list says it for all.
            shown.as_object_mut().into_iter().for_each(|map| map.retain(|k, _| k != "kind" && k != "apiVersion"));
            to_bytes(&shown)
        }
        Shape::Plain | Shape::Table => respond::shown_bytes(resource, object)?,
    })
}

/// What a request selects.
pub(crate) fn selector(request: &ApiRequest) -> Result<Selector, ApiError> {
    let text = |key: &str| request.query.get(key).unwrap_or_default();
    Selector::parse(text("labelSelector"), text("fieldSelector"), &request.resource)
}

/// Every object that a request selects.
pub(crate) fn select(inner: &Inner, request: &ApiRequest) -> Result<Vec<Arc<Stored>>, ApiError> {
    let selector = selector(request)?;
    let all = inner.store.cache.snapshot(&request.resource.store, request.namespace_filter(), None, None);
    let mut objects = all.map_err(|_| too_old(0))?.objects;
    objects.retain(|o| selector.matches(o, &request.resource));
    Ok(objects)
}

const CONTINUE_TOO_OLD: &str = "The provided continue parameter is too old to display a consistent list result. You can start a new \
    list without the continue parameter, or use the continue token in this response to retrieve the remainder of the \
    results. Continuing with the provided token results in an inconsistent list - objects that were created, modified, or \
    deleted between the time the first chunk was returned and now may show up in the list.";

fn too_old(version: u64) -> ApiError {
    ApiError::expired(format!("The provided resource version {version} is too old; list again from the start"))
}

/// Refuses a version that was never given out, as a real API server does after waiting for it.
pub(crate) fn require_reached(inner: &Inner, version: u64) -> Result<(), ApiError> {
    let newest = inner.store.cache.version();
    if version > newest {
        let why = format!("Too large resource version: {version}, current: {newest}");
        let cause = json!({"reason": "ResourceVersionTooLarge", "message": "Too large resource version"});
        return Err(ApiError::new(504, "Timeout", why).with(json!({"causes": [cause], "retryAfterSeconds": 1})));
    }
    Ok(())
}

/// `resourceVersion`, 0 where none is given.
fn version(request: &ApiRequest) -> Result<u64, ApiError> {
    let text = request.query.get("resourceVersion").unwrap_or("0");
    text.parse().map_err(|_| ApiError::bad_request(format!("resourceVersion: {text:?} is no version")))
}

/// Which options of lists and watches go together.
pub(crate) fn check_options(request: &ApiRequest) -> Result<(), ApiError> {
    let has = |key: &str| request.query.get(key).is_some();
    let (initial, continues) = (has("sendInitialEvents"), has("continue"));
    let wanted = request.query.get("resourceVersionMatch");
    let matches = wanted.is_some();
    let at_zero = wanted == Some("Exact") && request.query.get("resourceVersion") == Some("0");
    let watches = request.query.is_true("watch");
    let known: &[&str] = if watches { &["NotOlderThan"] } else { &["Exact", "NotOlderThan", ""] };
    let of_match = |why: &str| FieldError::forbidden("resourceVersionMatch", why);
    let unknown = wanted.filter(|w| !known.contains(w));
    let unknown = unknown.map(|w| FieldError::unsupported("resourceVersionMatch", &json!(w), known));
    let rules = if watches {
        let unmet = initial && wanted != Some("NotOlderThan");
        vec![
            (unmet, of_match("sendInitialEvents requires setting resourceVersionMatch to NotOlderThan")),
            (
                matches && !initial,
                of_match("resourceVersionMatch is forbidden for watch unless sendInitialEvents is provided"),
            ),
        ]
    } else {
        let listed = FieldError::forbidden("sendInitialEvents", "sendInitialEvents is forbidden for list");
        vec![
            (
                matches && !has("resourceVersion"),
                of_match("resourceVersionMatch is forbidden unless resourceVersion is provided"),
            ),
            (matches && continues, of_match("resourceVersionMatch is forbidden when continue is provided")),
            (at_zero, of_match("resourceVersionMatch \"exact\" is forbidden for resourceVersion \"0\"")),
            (initial, listed),
        ]
    };
    let broken = rules.into_iter().filter_map(|(broken, error)| broken.then_some(error));
    let errors: Vec<FieldError> = broken.chain(unknown).collect();
    if errors.is_empty() { Ok(()) } else { Err(ApiError::invalid_options("ListOptions", &errors)) }
}

/// One page of what is selected, and the metadata of the list.
fn page(inner: &Inner, request: &ApiRequest) -> Result<(Vec<Arc<Stored>>, Value), ApiError> {
    let selector = selector(request)?;
    let limit = request.query.integer("limit")?.and_then(|l| usize::try_from(l).ok());
    let limit = limit.filter(|l| *l > 0).unwrap_or(usize::MAX);
    check_options(request)?;
    let token = request.query.get("continue").map(read_continue).transpose()?;
    let asked = version(request)?;
    if token.is_some() && asked != 0 {
        return Err(ApiError::bad_request("specifying resource version is not allowed when using continue"));
    }
    require_reached(inner, asked)?;
    let now_s = inner.now().as_second();
    let at = match (&token, request.query.get("resourceVersionMatch")) {
        (Some((version, ..)), _) => Some(*version).filter(|version| *version > 0),
        (None, Some("Exact")) => Some(asked),
        (None, _) => None,
    };
    let too_old = || match &token {
        Some((_, _, namespace, name)) => {
            let next = Some(write_continue(&(0, 0, namespace.clone(), name.clone())));
            ApiError { next, ..ApiError::expired(CONTINUE_TOO_OLD) }
        }
        None => too_old(at.unwrap_or_default()),
    };
    if token.as_ref().is_some_and(|(version, asked_s, ..)| *version > 0 && now_s - asked_s > CONTINUE_FOR_S) {
        return Err(too_old());
    }
    let after = token.as_ref().map(|(_, _, namespace, name)| ObjectName::new(namespace, name));
    let resource = &request.resource;
    let snapshot = inner
        .store
        .cache
        .snapshot(&resource.store, request.namespace_filter(), after.as_ref(), at)
        .map_err(|_| too_old())?;
    let candidates = snapshot.objects.len();
    let mut matching = snapshot.objects.into_iter().filter(|o| selector.matches(o, resource));
    let objects: Vec<Arc<Stored>> = matching.by_ref().take(limit).collect();
    let mut metadata = json!({"resourceVersion": snapshot.version.to_string()});
    if let (Some(last), Some(_)) = (objects.last(), matching.next()) {
        let ObjectName { namespace, name } = &last.name;
        let asked_s = token.as_ref().filter(|(version, ..)| *version > 0).map_or(now_s, |(_, asked_s, ..)| *asked_s);
        let next = (snapshot.version, asked_s, namespace.to_string(), name.to_string());
        metadata["continue"] = json!(write_continue(&next));
        if selector.is_everything() {
            metadata["remainingItemCount"] = json!(candidates - objects.len());
        }
    }
    Ok((objects, metadata))
}
