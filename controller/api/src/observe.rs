//! Around every request: its id, the time and position headers, what is measured, and that a fault inside one handler
//! ends as that request's 500 and nothing else.

use crate::{
    app::{App, Measured, written},
    auth::guess::Guesser,
    problem::{Code, Problem},
    trace::{TRACE_RESPONSE, Trace},
};
use axum::{
    extract::{MatchedPath, Request, State},
    middleware::Next,
    response::{IntoResponse, Response},
};
use fanfare_engine::{
    Engine,
    audience::Footprint,
    stats::{Busy, SIZES},
    store::Position,
};
use futures::FutureExt;
use http::{HeaderName, HeaderValue, Method};
use prometheus_client::{
    collector::Collector,
    encoding::{DescriptorEncoder, EncodeLabelSet, EncodeMetric, NoLabelSet, text::encode},
    metrics::{
        MetricType,
        counter::{ConstCounter, Counter},
        family::Family,
        gauge::{ConstGauge, Gauge},
        histogram::Histogram,
    },
    registry::Registry,
};
use std::{
    panic::AssertUnwindSafe,
    sync::atomic::{AtomicU64, Ordering},
    time::{Duration, Instant},
};
use tracing::Instrument;

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

/// What a problem is counted under: the codes of the contract.
#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct CodeLabels {
    code: &'static str,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct StatusLabels {
    status: &'static str,
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
    problems: Family<CodeLabels, Counter>,
    events: Family<StatusLabels, Counter>,
    wrong_codes: Family<CallerLabels, Counter>,
    throttled: Family<CallerLabels, Counter>,
    ids: AtomicU64,
}

/// How busy the engine is, asked when somebody looks.
struct Writer(Engine);

impl std::fmt::Debug for Writer {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Writer")
    }
}

impl Collector for Writer {
    fn encode(&self, mut encoder: DescriptorEncoder<'_>) -> Result<(), std::fmt::Error> {
        let Busy { queued, queue_max, commands, commits, failed, sizes } = self.0.busy();
        for (name, help, value) in [
            ("queued", "Calls that wait to be decided", queued),
            ("queue_max", "How many calls may wait; past that they are answered 503", queue_max),
        ] {
            let value = ConstGauge::new(i64::try_from(value).unwrap_or(i64::MAX));
            value.encode(encoder.encode_descriptor(name, help, None, value.metric_type())?)?;
        }
        for (name, help, value) in [
            ("commands", "Commands decided", commands),
            ("commits", "Transactions committed, each with all that had gathered", commits),
            ("batches_failed", "Batches that came to nothing", failed),
        ] {
            let value = ConstCounter::new(value);
            value.encode(encoder.encode_descriptor(name, help, None, value.metric_type())?)?;
        }
        let bounds = SIZES.iter().map(|most| u32::try_from(*most).map_or(f64::MAX, f64::from));
        let buckets: Vec<(f64, u64)> = bounds.chain([f64::MAX]).zip(sizes).collect();
        let count = buckets.iter().map(|(_, batches)| batches).sum();
        let help = "Commands of a batch";
        let mut encoder = encoder.encode_descriptor("batch_commands", help, None, MetricType::Histogram)?;
        #[expect(clippy::cast_precision_loss, reason = "a figure to look at")]
        encoder.encode_histogram::<NoLabelSet>(commands as f64, count, &buckets, None)
    }
}

/// What the audience index holds and occupies, asked when somebody looks.
struct Index(Engine);

impl std::fmt::Debug for Index {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Index")
    }
}

impl Collector for Index {
    fn encode(&self, mut encoder: DescriptorEncoder<'_>) -> Result<(), std::fmt::Error> {
        let Footprint { members, events, event_bytes, member_bytes, live_bytes } = self.0.audience().read().footprint();
        for (name, help, value) in [
            ("members", "Members in the audience index", members),
            ("events", "Events in the audience index", events),
            ("event_bytes", "Bytes of the events in the audience index", event_bytes),
            ("member_bytes", "Bytes of what the audience index keeps for each member", member_bytes),
            ("segment_bytes", "Bytes of the members of stored Segments and of whom channels reach", live_bytes),
        ] {
            let value = ConstGauge::new(i64::try_from(value).unwrap_or(i64::MAX));
            value.encode(encoder.encode_descriptor(name, help, None, value.metric_type())?)?;
        }
        Ok(())
    }
}

impl Metrics {
    /// Nothing measured yet.
    pub(crate) fn of(engine: Engine, beside: &Measured) -> Self {
        let mut all = Registry::with_prefix("fanfare");
        beside(&mut all);
        all.sub_registry_with_prefix("audience").register_collector(Box::new(Index(engine.clone())));
        all.sub_registry_with_prefix("engine").register_collector(Box::new(Writer(engine)));
        let registry = all.sub_registry_with_prefix("http");
        let (problems, events) = (Family::<CodeLabels, Counter>::default(), Family::<StatusLabels, Counter>::default());
        registry.register("problems", "Problems answered, also those of single events, by code", problems.clone());
        registry.register("events", "Events by what became of them", events.clone());
        let requests = Family::<Labels, Counter>::default();
        let latency = Latency::new_with_constructor(|| Histogram::new(LATENCY_BOUNDS_S));
        let open = Gauge::default();
        registry.register("requests", "Requests answered", requests.clone());
        registry.register("request_seconds", "Time to answer", latency.clone());
        registry.register("connections", "Open connections", open.clone());
        let (wrong_codes, throttled) = (Family::<CallerLabels, Counter>::default(), Family::default());
        registry.register("wrong_codes", "Codes that nobody has, by who named them", wrong_codes.clone());
        registry.register("throttled", "Calls refused for too many wrong codes", Family::clone(&throttled));
        // Where a label has few values each series is there from the start: a first fault is a rise from 0.
        Code::all().for_each(|code| drop(problems.get_or_create(&CodeLabels { code: code.as_str() })));
        for status in ["Accepted", "Duplicate", "Rejected"] {
            drop(events.get_or_create(&StatusLabels { status }));
        }
        for caller in Guesser::KINDS {
            drop(wrong_codes.get_or_create(&CallerLabels { caller }));
            drop(throttled.get_or_create(&CallerLabels { caller }));
        }
        let ids = AtomicU64::new(0);
        Self { registry: all, requests, latency, open, problems, events, wrong_codes, throttled, ids }
    }

    /// All figures as OpenMetrics text.
    pub(crate) fn text(&self) -> Result<String, std::fmt::Error> {
        let mut text = String::new();
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

    /// Counts what became of an event, and why where it was rejected.
    pub(crate) fn event(&self, status: &'static str, rejected: Option<Code>) {
        self.events.get_or_create(&StatusLabels { status }).inc();
        if let Some(code) = rejected {
            self.problem(code);
        }
    }

    fn problem(&self, code: Code) {
        self.problems.get_or_create(&CodeLabels { code: code.as_str() }).inc();
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

/// Wraps every request. What is logged of one that belongs to a trace names it.
pub(crate) async fn around(State(app): State<App>, mut request: Request, next: Next) -> Response {
    let Some(trace) = Trace::of(request.headers(), app.metrics().number()) else {
        return counted(app, request, next).await;
    };
    // One id for the log lines of the handlers and of this module.
    let id = request_id(&app, &request);
    let span = trace.span(id.to_str().unwrap_or_default());
    request.headers_mut().insert(REQUEST_ID.clone(), id);
    let mut response = counted(app, request, next).instrument(span).await;
    response.headers_mut().insert(TRACE_RESPONSE.clone(), trace.answer());
    response
}

async fn counted(app: App, request: Request, next: Next) -> Response {
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
    if let Some(code) = response.extensions().get::<Code>() {
        app.metrics().problem(*code);
    }
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
