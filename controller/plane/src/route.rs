//! From a path and a method to the handler that answers.

use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::body::Body;
use axum::extract::State;
use bytes::Bytes;
use http::{Method, Request, header};
use http_body_util::{BodyExt, Limited};

use crate::discovery::{self, Half};
use crate::plane::Inner;
use crate::request::{ApiRequest, Query, Shape, Subresource};
use crate::respond::{self, Response};
use crate::status::ApiError;
use crate::write::{self, Change};
use crate::{delete, list, openapi, openapi_v2, review, watch};

/// Bytes of one request, as a real API server bounds them.
const BODY_MAX: usize = 3 << 20;
/// A body that takes longer to arrive is given up.
const BODY_TIMEOUT_S: u64 = 30;

/// The whole API as one service.
pub(crate) fn service(inner: Arc<Inner>) -> Router {
    Router::new().fallback(handle).with_state(inner)
}

async fn handle(State(inner): State<Arc<Inner>>, request: Request<Body>) -> Response {
    let (method, path) = (request.method().clone(), request.uri().path().to_owned());
    let response = dispatch(&inner, request).await.unwrap_or_else(|e| respond::error(&e));
    tracing::debug!(%method, path, status = response.status().as_u16(), "plane request");
    response
}

async fn dispatch(inner: &Arc<Inner>, request: Request<Body>) -> Result<Response, ApiError> {
    let query = Query::parse(request.uri().query().unwrap_or_default());
    if query.get("timeout").is_some_and(|timeout| timeout.parse::<jiff::SignedDuration>().is_err()) {
        return Err(ApiError::bad_request("invalid timeout specified in the request URL"));
    }
    let path = request.uri().path().trim_matches('/').to_owned();
    let segments: Vec<&str> = path.split('/').collect();
    if request.method() == Method::GET
        && let Some(response) = describe(inner, &request, &segments)?
    {
        return Ok(response);
    }
    let (group, version, rest) = match &segments[..] {
        ["api", version, rest @ ..] => ("", *version, rest),
        ["apis", group, version, rest @ ..] => (*group, *version, rest),
        _ => return Ok(respond::bytes(404, "text/plain; charset=utf-8", "404 page not found\n")),
    };
    let target = Target::of(group, rest)?;
    if request.method() == Method::POST && review::is_review(group, target.plural) {
        let content_type = header_text(&request, header::CONTENT_TYPE);
        // A review has no metadata to show.
        if Shape::of(&header_text(&request, header::ACCEPT))? != Shape::Plain {
            return Err(ApiError::not_acceptable());
        }
        return review::answer(group, target.plural, &read_body(request).await?, &content_type);
    }
    let resource = inner.registry().get(group, version, target.plural).ok_or_else(ApiError::no_such_path)?;
    let across = request.method() == Method::GET && target.name.is_none();
    if resource.namespaced == target.namespace.is_empty() && !(resource.namespaced && across) {
        return Err(ApiError::no_such_path());
    }
    let subresource = match (target.subresource, target.name) {
        ("", _) => Subresource::Main,
        ("status", _) if resource.has_status => Subresource::Status,
        ("finalize", _) if resource.is_namespace() && request.method() == Method::PUT => Subresource::Finalize,
        (_, Some(name)) if !resource.is_builtin() => return Err(ApiError::not_found(&resource, name)),
        _ => return Err(ApiError::no_such_path()),
    };
    let method = request.method().clone();
    let asked = ApiRequest {
        resource,
        namespace: target.namespace.to_owned(),
        name: target.name.map(str::to_owned),
        subresource,
        query,
        shape: Shape::of(&header_text(&request, header::ACCEPT))?,
        content_type: header_text(&request, header::CONTENT_TYPE),
        user_agent: header_text(&request, header::USER_AGENT),
        body: read_body(request).await?,
    };
    answer(inner, &method, &asked).await
}

async fn answer(inner: &Arc<Inner>, method: &Method, asked: &ApiRequest) -> Result<Response, ApiError> {
    let main = asked.subresource == Subresource::Main;
    match (method.as_str(), asked.name.as_deref()) {
        ("GET", None) if asked.query.is_true("watch") => watch::watch(inner, asked),
        ("GET", Some(name)) => list::get(inner, asked, name),
        ("GET", None) => list::list(inner, asked),
        ("POST", None) => write::put(inner, asked, Change::Create).await,
        ("PUT" | "PATCH", None) => Err(ApiError::bad_request("name must be provided")),
        ("PUT", Some(_)) => write::put(inner, asked, Change::Replace).await,
        ("PATCH", Some(_)) => write::patch(inner, asked).await,
        ("DELETE", Some(name)) if main => delete::delete_one(inner, asked, name).await,
        ("DELETE", None) => delete::delete_collection(inner, asked).await,
        _ => {
            let why = "the server does not allow this method on the requested resource";
            Err(ApiError::new(405, "MethodNotAllowed", why))
        }
    }
}

/// What a path below a group and version names.
struct Target<'a> {
    namespace: &'a str,
    plural: &'a str,
    name: Option<&'a str>,
    subresource: &'a str,
}

impl<'a> Target<'a> {
    fn of(group: &str, rest: &[&'a str]) -> Result<Self, ApiError> {
        let target = |namespace, plural, name, subresource| Ok(Self { namespace, plural, name, subresource });
        match *rest {
            ["namespaces", name, sub @ ("status" | "finalize")] if group.is_empty() => {
                target("", "namespaces", Some(name), sub)
            }
            ["namespaces", namespace, plural] => target(namespace, plural, None, ""),
            ["namespaces", namespace, plural, name] => target(namespace, plural, Some(name), ""),
            ["namespaces", namespace, plural, name, sub] => target(namespace, plural, Some(name), sub),
            [plural] => target("", plural, None, ""),
            [plural, name] => target("", plural, Some(name), ""),
            [plural, name, sub] => target("", plural, Some(name), sub),
            _ => Err(ApiError::no_such_path()),
        }
    }
}

/// Discovery, OpenAPI and health; `None` when the path is none of them.
fn describe(inner: &Inner, request: &Request<Body>, segments: &[&str]) -> Result<Option<Response>, ApiError> {
    let registry = inner.registry();
    let accept = header_text(request, header::ACCEPT);
    let found =
        |value: Option<serde_json::Value>| value.map(|v| respond::json(200, &v)).ok_or_else(ApiError::no_such_path);
    let aggregated = |half, version: &str| {
        let content_type = format!("application/json;g=apidiscovery.k8s.io;v={version};as=APIGroupDiscoveryList");
        let body = discovery::aggregated(&registry, half, version).to_string();
        respond::bytes(200, &content_type, body)
    };
    let response = match segments {
        ["healthz" | "livez" | "readyz"] => respond::bytes(200, "text/plain; charset=utf-8", "ok"),
        ["version"] => respond::json(200, &discovery::version()),
        ["api"] => match discovery::aggregated_version(&accept) {
            Some(version) => aggregated(Half::Core, version),
            None => respond::json(200, &discovery::core_versions()),
        },
        ["apis"] => match discovery::aggregated_version(&accept) {
            Some(version) => aggregated(Half::Groups, version),
            None => respond::json(200, &discovery::group_list(&registry)),
        },
        ["api", version] => found(discovery::resource_list(&registry, "", version))?,
        ["apis", group] => found(discovery::group(&registry, group))?,
        ["apis", group, version] => found(discovery::resource_list(&registry, group, version))?,
        ["openapi", "v2"] if accept.contains("protobuf") => respond::bytes(
            200,
            "application/com.github.proto-openapi.spec.v2.v1.0+protobuf",
            Bytes::from_static(openapi::EMPTY_V2_PROTOBUF),
        ),
        ["openapi", "v2"] => respond::json(200, &openapi_v2::document(&registry)),
        ["openapi", "v3"] => respond::bytes(200, "text/plain; charset=utf-8", openapi::index(&registry).to_string()),
        ["openapi", "v3", "api", version] => found(openapi::document(&registry, "", version))?,
        ["openapi", "v3", "apis", group, version] => found(openapi::document(&registry, group, version))?,
        _ => return Ok(None),
    };
    Ok(Some(response))
}

fn header_text(request: &Request<Body>, name: header::HeaderName) -> String {
    request.headers().get(name).and_then(|v| v.to_str().ok()).unwrap_or_default().to_owned()
}

async fn read_body(request: Request<Body>) -> Result<Bytes, ApiError> {
    let limited = Limited::new(request.into_body(), BODY_MAX);
    match tokio::time::timeout(Duration::from_secs(BODY_TIMEOUT_S), limited.collect()).await {
        Ok(Ok(collected)) => Ok(collected.to_bytes()),
        Ok(Err(e)) if e.is::<http_body_util::LengthLimitError>() => {
            Err(ApiError::new(413, "RequestEntityTooLarge", format!("Request entity too large: limit is {BODY_MAX}")))
        }
        Ok(Err(e)) => Err(ApiError::bad_request(format!("the body of the request could not be read: {e}"))),
        Err(_) => {
            Err(ApiError::new(408, "Timeout", format!("the body of the request took longer than {BODY_TIMEOUT_S} s")))
        }
    }
}
