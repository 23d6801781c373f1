//! What the reconcilers measure. Labels are kinds and outcomes, never names: the code bounds the number of series. All of
//! them are there from the start, so that a first fault is a rise from 0.

use crate::{
    apply::Error,
    driver::Context,
    queue::{Depth, Key},
};
use fanfare_core::model::Kind;
use parking_lot::Mutex;
use prometheus_client::{
    collector::Collector,
    encoding::{DescriptorEncoder, EncodeLabelSet, EncodeMetric},
    metrics::{MetricType, counter::Counter, family::Family, gauge::ConstGauge, histogram::Histogram},
    registry::Registry,
};
use std::{
    fmt,
    sync::{Arc, Weak},
    time::Duration,
};

/// Upper bounds of the time that one look takes, in seconds.
const RUN_BOUNDS_S: [f64; 10] = [0.001, 0.002_5, 0.005, 0.01, 0.025, 0.1, 0.25, 1.0, 5.0, 30.0];

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct KindLabels {
    kind: &'static str,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct RunLabels {
    kind: &'static str,
    result: &'static str,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct ResultLabels {
    result: &'static str,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct ObjectLabels {
    kind: &'static str,
    ready: &'static str,
}

/// What came of one look at an object.
const RUNS: [&str; 5] = ["done", "database", "apiServer", "refused", "deposed"];

fn run_name(result: &Result<Option<Duration>, Error>) -> &'static str {
    match result {
        Ok(_) => "done",
        Err(error) if error.is_fenced() => "deposed",
        Err(Error::Engine(_) | Error::Store(_)) => "database",
        Err(Error::Late | Error::Kube(_)) => "apiServer",
        Err(Error::Refused(_)) => "refused",
        Err(Error::Deposed) => "deposed",
    }
}

/// What came of writing a status.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Put {
    /// It stands.
    Taken,
    /// Another was quicker, or the object is gone; it is looked at again.
    Conflict,
    /// The API server did not take it, or not in time.
    Failed,
}

impl Put {
    const ALL: [Self; 3] = [Self::Taken, Self::Conflict, Self::Failed];

    fn as_str(self) -> &'static str {
        match self {
            Self::Taken => "written",
            Self::Conflict => "conflict",
            Self::Failed => "failed",
        }
    }
}

/// What became of an event.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Told {
    /// It stands.
    Written,
    /// The API server did not take it.
    Failed,
    /// Too many waited.
    Lost,
}

impl Told {
    const ALL: [Self; 3] = [Self::Written, Self::Failed, Self::Lost];

    fn as_str(self) -> &'static str {
        match self {
            Self::Written => "written",
            Self::Failed => "failed",
            Self::Lost => "lost",
        }
    }
}

/// Whether an object says that it is served.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Readiness {
    /// `Ready` is `True`.
    True,
    /// It is `False`.
    False,
    /// There is no such condition yet, or nobody knows.
    Unknown,
}

impl Readiness {
    /// All of them.
    pub(crate) const ALL: [Self; 3] = [Self::True, Self::False, Self::Unknown];

    fn as_str(self) -> &'static str {
        match self {
            Self::True => "True",
            Self::False => "False",
            Self::Unknown => "Unknown",
        }
    }

    /// What a status says.
    pub(crate) fn of(status: Option<&serde_json::Value>) -> Self {
        let conditions = status.and_then(|status| status.get("conditions")?.as_array());
        let ready = conditions.and_then(|all| all.iter().find(|one| one["type"] == "Ready"));
        match ready.and_then(|ready| ready["status"].as_str()) {
            Some("True") => Self::True,
            Some("False") => Self::False,
            Some(_) | None => Self::Unknown,
        }
    }
}

/// What is measured, over every time that this process leads. Cheap to clone.
#[derive(Clone)]
pub struct Metrics {
    runs: Family<RunLabels, Counter>,
    seconds: Family<KindLabels, Histogram, fn() -> Histogram>,
    watch_restarts: Family<KindLabels, Counter>,
    status_writes: Family<RunLabels, Counter>,
    events: Family<ResultLabels, Counter>,
    /// The reconcilers that run now, if some do.
    current: Arc<Mutex<Weak<Context>>>,
}

impl Default for Metrics {
    fn default() -> Self {
        let all = Self {
            runs: Family::default(),
            seconds: Family::new_with_constructor(|| Histogram::new(RUN_BOUNDS_S)),
            watch_restarts: Family::default(),
            status_writes: Family::default(),
            events: Family::default(),
            current: Arc::new(Mutex::new(Weak::new())),
        };
        for kind in Kind::ALL.map(Kind::as_str) {
            RUNS.iter().for_each(|result| drop(all.runs.get_or_create(&RunLabels { kind, result })));
            drop(all.seconds.get_or_create(&KindLabels { kind }));
            drop(all.watch_restarts.get_or_create(&KindLabels { kind }));
            for result in Put::ALL.map(Put::as_str) {
                drop(all.status_writes.get_or_create(&RunLabels { kind, result }));
            }
        }
        for result in Told::ALL.map(Told::as_str) {
            drop(all.events.get_or_create(&ResultLabels { result }));
        }
        all
    }
}

impl Metrics {
    /// Has all of it shown by a registry.
    pub fn register(&self, registry: &mut Registry) {
        let ours = registry.sub_registry_with_prefix("reconcile");
        ours.register("runs", "Looks at an object, by what came of them", self.runs.clone());
        ours.register("run_seconds", "Time that a look at an object took", self.seconds.clone());
        ours.register("watch_restarts", "Watches that were interrupted and began again", self.watch_restarts.clone());
        ours.register("status_writes", "Statuses written, by what came of it", self.status_writes.clone());
        ours.register("events", "Kubernetes Events, by what became of them", self.events.clone());
        ours.register_collector(Box::new(Sight(self.current.clone())));
    }

    pub(crate) fn runs_now(&self, context: &Arc<Context>) {
        *self.current.lock() = Arc::downgrade(context);
    }

    pub(crate) fn ran(&self, key: &Key, result: &Result<Option<Duration>, Error>, took: Duration) {
        let kind = key.kind.as_str();
        self.runs.get_or_create(&RunLabels { kind, result: run_name(result) }).inc();
        self.seconds.get_or_create(&KindLabels { kind }).observe(took.as_secs_f64());
    }

    pub(crate) fn watch_restarted(&self, kind: Kind) {
        self.watch_restarts.get_or_create(&KindLabels { kind: kind.as_str() }).inc();
    }

    pub(crate) fn status_written(&self, kind: Kind, put: Put) {
        self.status_writes.get_or_create(&RunLabels { kind: kind.as_str(), result: put.as_str() }).inc();
    }

    pub(crate) fn told(&self, told: Told, events: usize) {
        self.events.get_or_create(&ResultLabels { result: told.as_str() }).inc_by(events as u64);
    }
}

/// The queue and the objects of those who run, asked when somebody looks; nothing where nobody does.
struct Sight(Arc<Mutex<Weak<Context>>>);

impl fmt::Debug for Sight {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Sight")
    }
}

impl Collector for Sight {
    fn encode(&self, mut encoder: DescriptorEncoder<'_>) -> Result<(), fmt::Error> {
        let context = self.0.lock().upgrade();
        let depth = context.as_ref().map(|context| context.queue.depth()).unwrap_or_default();
        let Depth { due, planned, working } = depth;
        for (name, help, value) in [
            ("queued", "Objects whose time to be looked at has come, and that wait", due),
            ("planned", "Objects that are looked at later if nothing changes before", planned),
            ("working", "Objects that are looked at now", working),
        ] {
            let value = gauge(value);
            value.encode(encoder.encode_descriptor(name, help, None, value.metric_type())?)?;
        }
        let help = "Objects on the API server, by what their condition Ready says";
        let mut objects = encoder.encode_descriptor("objects", help, None, MetricType::Gauge)?;
        for kind in Kind::ALL {
            for ready in Readiness::ALL {
                let count = context.as_ref().map_or(0, |context| context.catalog.count(kind, ready));
                let labels = ObjectLabels { kind: kind.as_str(), ready: ready.as_str() };
                gauge(count).encode(objects.encode_family(&labels)?)?;
            }
        }
        Ok(())
    }
}

fn gauge(value: usize) -> ConstGauge<i64> {
    ConstGauge::new(i64::try_from(value).unwrap_or(i64::MAX))
}

#[cfg(test)]
mod tests {
    use super::*;
    use prometheus_client::encoding::text::encode;

    fn shown(metrics: &Metrics) -> String {
        let mut registry = Registry::with_prefix("fanfare");
        metrics.register(&mut registry);
        let mut text = String::new();
        encode(&mut text, &registry).unwrap();
        text
    }

    #[test]
    fn what_was_done_is_counted_by_kind_and_result_and_never_by_name() {
        let metrics = Metrics::default();
        let series = shown(&metrics).lines().count();
        let key = Key { kind: Kind::Campaign, namespace: "brand-a".into(), name: "sale".into() };
        let results = [Ok(None), Err(Error::Late), Err(Error::Refused("why".into())), Err(Error::Deposed)];
        for result in &results {
            metrics.ran(&key, result, Duration::from_millis(2));
        }
        metrics.watch_restarted(Kind::Segment);
        metrics.status_written(Kind::Reward, Put::Conflict);
        metrics.told(Told::Lost, 3);
        let text = shown(&metrics);
        for line in [
            r#"fanfare_reconcile_runs_total{kind="Campaign",result="done"} 1"#,
            r#"fanfare_reconcile_runs_total{kind="Campaign",result="apiServer"} 1"#,
            r#"fanfare_reconcile_runs_total{kind="Campaign",result="refused"} 1"#,
            r#"fanfare_reconcile_runs_total{kind="Campaign",result="deposed"} 1"#,
            r#"fanfare_reconcile_runs_total{kind="Campaign",result="database"} 0"#,
            r#"fanfare_reconcile_run_seconds_count{kind="Campaign"} 4"#,
            r#"fanfare_reconcile_watch_restarts_total{kind="Segment"} 1"#,
            r#"fanfare_reconcile_status_writes_total{kind="Reward",result="conflict"} 1"#,
            r#"fanfare_reconcile_events_total{result="lost"} 3"#,
            r#"fanfare_reconcile_queued 0"#,
            r#"fanfare_reconcile_objects{kind="Campaign",ready="True"} 0"#,
        ] {
            assert!(text.lines().any(|found| found == line), "{line} in {text}");
        }
        assert!(!text.contains("sale") && !text.contains("brand-a"), "{text}");
        assert_eq!(text.lines().count(), series, "every series is there from the start");
    }

    #[test]
    fn an_object_is_ready_as_its_condition_says() {
        use serde_json::json;
        let with = |status: &str| json!({ "conditions": [{"type": "Stalled", "status": "True"}, {"type": "Ready", "status": status}] });
        for (status, ready) in [
            (Some(with("True")), Readiness::True),
            (Some(with("False")), Readiness::False),
            (Some(with("Unknown")), Readiness::Unknown),
            (Some(json!({})), Readiness::Unknown),
            (None, Readiness::Unknown),
        ] {
            assert_eq!(Readiness::of(status.as_ref()), ready, "{status:?}");
        }
    }
}
