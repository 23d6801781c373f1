//! Around every request: its id, the time and position headers, what is measured, and that a fault inside one handler
//! ends as that request's 500 and nothing else.

use crate::{
    app::{App, written},
    problem::{Code, Problem},
};
use axum::{
    extract::{MatchedPath, Request, State},
    middleware::Next,
    response::{IntoResponse, Response},
};
use fanfare_engine::{audience::Footprint, store::Position};
use futures::FutureExt;
use http::{HeaderName, HeaderValue, Method};
use prometheus_client::{
    encoding::{
        EncodeLabelSet,
        text::{encode, encode_registry},
    },
    metrics::{counter::Counter, family::Family, gauge::Gauge, histogram::Histogram},
    registry::Registry,
};
use std::{
    panic::AssertUnwindSafe,
    sync::atomic::{AtomicU64, Ordering},
    time::{Duration, Instant},
};

pub(crate) static FANFARE_TIME: HeaderName = HeaderName::from_static("fanfare-time");
pub(crate) static FANFARE_POSITION: HeaderName = HeaderName::from_static("fanfare-position");
pub(crate) static FANFARE_MIN_POSITION: HeaderName = HeaderName::from_static("fanfare-min-position");
pub(crate) static REQUEST_ID: HeaderName = HeaderName::from_static("x-request-id");
static NOSNIFF: HeaderName = HeaderName::from_static("x-content-type-options");

/// How long a read waits for the position that it asks for.
const POSITION_WAIT_MAX: Duration = Duration::from_millis(250);
/// The longest request id that is taken over from the caller.
const REQUEST_ID_MAX: usize = 64;
/// Upper bounds of the latency histogram, in seconds.
const LATENCY_BOUNDS_S: [f64; 10] = [0.000_5, 0.001, 0.002_5, 0.005, 0.01, 0.025, 0.1, 0.25, 1.0, 5.0];

/// What a request is counted under: routes of the router (never addresses) and status classes, so that the number of
/// series is bounded by the code.
#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct Labels {
    method: &'static str,
    route: String,
    status: &'static str,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct RouteLabels {
    route: String,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct CallerLabels {
    caller: &'static str,
}

type Latency = Family<RouteLabels, Histogram, fn() -> Histogram>;

/// What is measured.
pub(crate) struct Metrics {
    registry: Registry,
    requests: Family<Labels, Counter>,
    latency: Latency,
    open: Gauge,
    wrong_codes: Family<CallerLabels, Counter>,
    throttled: Family<CallerLabels, Counter>,
    ids: AtomicU64,
}

impl Default for Metrics {
    fn default() -> Self {
        let mut registry = Registry::with_prefix("fanfare_http");
        let requests = Family::<Labels, Counter>::default();
        let latency = Latency::new_with_constructor(|| Histogram::new(LATENCY_BOUNDS_S));
        let open = Gauge::default();
        registry.register("requests", "Requests answered", requests.clone());
        registry.register("request_seconds", "Time to answer", latency.clone());
        registry.register("connections", "Open connections", open.clone());
        let (wrong_codes, throttled) = (Family::<CallerLabels, Counter>::default(), Family::default());
        registry.register("wrong_codes", "Codes that nobody has, by who named them", wrong_codes.clone());
        registry.register("throttled", "Calls refused for too many wrong codes", Family::clone(&throttled));
        Self { registry, requests, latency, open, wrong_codes, throttled, ids: AtomicU64::new(0) }
    }
}

impl Metrics {
    /// All figures as OpenMetrics text.
    pub(crate) fn text(&self, audience: Footprint) -> Result<String, std::fmt::Error> {
        let mut text = String::new();
        encode_registry(&mut text, &audience_registry(audience))?;
        encode(&mut text, &self.registry)?;
        Ok(text)
    }

    /// Open connections.
    pub(crate) fn open(&self) -> &Gauge {
        &self.open
    }

    /// Counts codes that nobody has.
    pub(crate) fn wrong_codes(&self, caller: &'static str, wrong: usize) {
        if wrong > 0 {
            self.wrong_codes.get_or_create(&CallerLabels { caller }).inc_by(wrong as u64);
        }
    }

    /// Counts a call refused for too many wrong codes.
    pub(crate) fn throttled(&self, caller: &'static str) {
        self.throttled.get_or_create(&CallerLabels { caller }).inc();
    }

    /// A number that this process gives once.
    pub(crate) fn number(&self) -> u64 {
        self.ids.fetch_add(1, Ordering::Relaxed)
    }

    fn count(&self, method: &Method, route: &str, status: u16, took: Duration) {
        let labels = Labels { method: method_name(method), route: route.into(), status: class(status) };
        self.requests.get_or_create(&labels).inc();
        self.latency.get_or_create(&RouteLabels { route: route.into() }).observe(took.as_secs_f64());
    }
}

/// What the audience index of the namespace holds and occupies.
fn audience_registry(audience: Footprint) -> Registry {
    let Footprint { members, events, event_bytes, member_bytes, live_bytes } = audience;
    let mut registry = Registry::with_prefix("fanfare_audience");
    let figures = [
        ("members", "Members in the audience index", members),
        ("events", "Events in the audience index", events),
        ("event_bytes", "Bytes of the events in the audience index", event_bytes),
        ("member_bytes", "Bytes of what the audience index keeps for each member", member_bytes),
        ("segment_bytes", "Bytes of the members of stored Segments and of whom channels reach", live_bytes),
    ];
    for (name, help, figure) in figures {
        let gauge = Gauge::<i64>::default();
        gauge.set(i64::try_from(figure).unwrap_or(i64::MAX));
        registry.register(name, help, gauge);
    }
    registry
}

fn method_name(method: &Method) -> &'static str {
    match *method {
        Method::GET => "GET",
        Method::POST => "POST",
        Method::PUT => "PUT",
        Method::PATCH => "PATCH",
        Method::DELETE => "DELETE",
        Method::HEAD => "HEAD",
        _ => "other",
    }
}

fn class(status: u16) -> &'static str {
    match status {
        100..=199 => "1xx",
        200..=299 => "2xx",
        300..=399 => "3xx",
        400..=499 => "4xx",
        _ => "5xx",
    }
}

/// Wraps every request.
pub(crate) async fn around(State(app): State<App>, request: Request, next: Next) -> Response {
    let began = Instant::now();
    let method = request.method().clone();
    let route = request.extensions().get::<MatchedPath>().cloned();
    let id = request_id(&app, &request);
    let wanted = request.headers().get(&FANFARE_MIN_POSITION).cloned();
    let mut response = match reached(&app, wanted).await {
        Err(problem) => problem.into_response(),
        Ok(()) => AssertUnwindSafe(next.run(request)).catch_unwind().await.unwrap_or_else(|_| {
            tracing::error!("a handler panicked");
            Problem::new(Code::Internal, "the request failed on our side").into_response()
        }),
    };
    if response.status().is_server_error() {
        tracing::warn!(
            id = id.to_str().unwrap_or_default(),
            status = response.status().as_u16(),
            "answered with a 5xx"
        );
    }
    let headers = response.headers_mut();
    if let Ok(now) = HeaderValue::try_from(written(app.now(), app.zone())) {
        headers.insert(FANFARE_TIME.clone(), now);
    }
    headers.insert(REQUEST_ID.clone(), id);
    headers.insert(NOSNIFF.clone(), HeaderValue::from_static("nosniff"));
    let route = route.as_ref().map_or("none", MatchedPath::as_str);
    app.metrics().count(&method, route, response.status().as_u16(), began.elapsed());
    response
}

/// The caller's id of the request where it sent a usable one, else our own.
fn request_id(app: &App, request: &Request) -> HeaderValue {
    let usable = |value: &&HeaderValue| {
        (1..=REQUEST_ID_MAX).contains(&value.len()) && value.as_bytes().iter().all(|b| matches!(b, 0x21..=0x7e))
    };
    if let Some(given) = request.headers().get(&REQUEST_ID).filter(usable) {
        return given.clone();
    }
    let number = app.metrics().number();
    HeaderValue::try_from(format!("r{number:x}")).unwrap_or(HeaderValue::from_static("r"))
}

/// Waits until this replica has come as far as `Fanfare-Min-Position` asks.
async fn reached(app: &App, wanted: Option<HeaderValue>) -> Result<(), Problem> {
    let Some(value) = wanted else { return Ok(()) };
    let wanted = value.to_str().ok().and_then(|text| text.parse::<i64>().ok()).filter(|position| *position >= 0);
    let Some(wanted) = wanted.map(Position) else {
        let detail = "Fanfare-Min-Position is no position; send the Fanfare-Position of an earlier answer";
        return Err(Problem::new(Code::Malformed, detail));
    };
    if app.engine().reaches(wanted, POSITION_WAIT_MAX).await {
        return Ok(());
    }
    Err(Problem::overloaded("this replica has not come as far as Fanfare-Min-Position; try again"))
}
