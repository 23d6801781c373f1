//! Answers an AdmissionReview (admission.k8s.io/v1). What cannot be judged passes: reconcile judges it again.

use crate::{
    admission::{self, Facts, Request},
    clock::{BusinessClock, WallClock},
};
use fanfare_core::{
    ids::Namespace,
    model::{Kind, Plan, RuntimePlan},
    time::{Clock, Ts},
};
use fanfare_crds::admit::{self, Door};
use fanfare_reconcile::{Scope, api_resource, observe::raw};
use fanfare_store::Store;
use futures::{StreamExt, TryStreamExt};
use kube::{
    Api, Client,
    core::DynamicObject,
    runtime::{WatchStreamExt, watcher},
};
use parking_lot::RwLock;
use prometheus_client::{
    encoding::EncodeLabelSet,
    metrics::{counter::Counter, family::Family, histogram::Histogram},
    registry::Registry,
};
use serde_json::{Value, json};
use std::{
    collections::BTreeMap,
    sync::Arc,
    time::{Duration, Instant},
};

/// How long judging may take: the API server waits for 5 s, and an answer on the way takes its time.
const JUDGE_MAX: Duration = Duration::from_secs(4);
/// The longest message that is answered; whoever wants the rest runs `fanfare validate`.
const MESSAGE_MAX: usize = 16 * 1024;

/// Upper bounds of the time that a review takes, in seconds; the API server waits for 5.
const REVIEW_BOUNDS_S: [f64; 8] = [0.001, 0.002_5, 0.005, 0.01, 0.05, 0.25, 1.0, 4.0];

/// What was answered to a review.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Verdict {
    Allowed,
    Denied,
    /// It took too long and was let through.
    Late,
    /// It was no review.
    Malformed,
}

impl Verdict {
    const ALL: [Self; 4] = [Self::Allowed, Self::Denied, Self::Late, Self::Malformed];

    fn as_str(self) -> &'static str {
        match self {
            Self::Allowed => "allowed",
            Self::Denied => "denied",
            Self::Late => "late",
            Self::Malformed => "malformed",
        }
    }
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct Labels {
    verdict: &'static str,
}

/// What is counted of reviews; cheap to clone.
#[derive(Clone)]
pub struct Reviews {
    verdicts: Family<Labels, Counter>,
    seconds: Histogram,
}

impl Default for Reviews {
    fn default() -> Self {
        let verdicts = Family::<Labels, Counter>::default();
        for verdict in Verdict::ALL.map(Verdict::as_str) {
            drop(verdicts.get_or_create(&Labels { verdict }));
        }
        Self { verdicts, seconds: Histogram::new(REVIEW_BOUNDS_S) }
    }
}

impl Reviews {
    /// Has them shown by a registry.
    pub fn register(&self, registry: &mut Registry) {
        registry.register("webhook_reviews", "Reviews by verdict", self.verdicts.clone());
        registry.register("webhook_review_seconds", "Time to judge a review", self.seconds.clone());
    }

    fn count(&self, verdict: Verdict, took: Duration) {
        self.verdicts.get_or_create(&Labels { verdict: verdict.as_str() }).inc();
        self.seconds.observe(took.as_secs_f64());
    }
}

/// What judging needs; cheap to clone.
#[derive(Clone, Default)]
pub struct Reviewer {
    known: Arc<Known>,
    reviews: Reviews,
}

#[derive(Default)]
struct Known {
    /// The database and business time, once it was reached.
    database: RwLock<Option<(Arc<dyn Store>, BusinessClock)>>,
    /// The Runtimes by namespace and name.
    runtimes: RwLock<BTreeMap<(String, String), DynamicObject>>,
}

impl Reviewer {
    /// From now on what the database holds fixed is judged too.
    pub fn reached(&self, store: Arc<dyn Store>, clock: BusinessClock) {
        *self.known.database.write() = Some((store, clock));
    }

    /// Follows the Runtimes, which say what amounts, stores and attributes there are.
    pub async fn follow(self, client: Client, scope: Scope) {
        let follows = scope.watched().into_iter().map(|namespace| {
            let resource = api_resource(Kind::CampaignRuntime);
            let api: Api<DynamicObject> = match &namespace {
                Some(namespace) => Api::namespaced_with(client.clone(), namespace, &resource),
                None => Api::all_with(client.clone(), &resource),
            };
            self.follow_one(api, namespace)
        });
        futures::future::join_all(follows).await;
    }

    async fn follow_one(&self, api: Api<DynamicObject>, namespace: Option<String>) {
        let mut stream = watcher(api, watcher::Config::default()).default_backoff().boxed();
        let key = |object: &DynamicObject| {
            let meta = &object.metadata;
            (meta.namespace.clone().unwrap_or_default(), meta.name.clone().unwrap_or_default())
        };
        let mut fresh = BTreeMap::new();
        loop {
            match stream.try_next().await {
                Ok(Some(watcher::Event::Init)) => fresh.clear(),
                Ok(Some(watcher::Event::InitApply(object))) => drop(fresh.insert(key(&object), object)),
                Ok(Some(watcher::Event::InitDone)) => {
                    let mut runtimes = self.known.runtimes.write();
                    runtimes.retain(|(of, _), _| namespace.as_ref().is_some_and(|namespace| of != namespace));
                    runtimes.append(&mut fresh);
                }
                Ok(Some(watcher::Event::Apply(object))) => {
                    drop(self.known.runtimes.write().insert(key(&object), object))
                }
                Ok(Some(watcher::Event::Delete(object))) => drop(self.known.runtimes.write().remove(&key(&object))),
                Ok(None) => return,
                Err(error) => tracing::debug!(%error, "the Runtimes are not followed now"),
            }
        }
    }

    /// The Runtime that counts in a namespace, the oldest, as a plan.
    fn runtime(&self, namespace: &str, now: Ts) -> Option<RuntimePlan> {
        let runtimes = self.known.runtimes.read();
        let ours = runtimes.iter().filter(|((of, _), _)| of == namespace);
        let age = |object: &DynamicObject| object.metadata.creation_timestamp.as_ref().map(|time| time.0);
        let (_, object) = ours.min_by_key(|((_, name), object)| (age(object), name.clone()))?;
        match admit::admit_one(&raw(object, Kind::CampaignRuntime), &Door::alone(now)).ok()?.plan {
            Plan::CampaignRuntime(plan) => Some(plan),
            _ => None,
        }
    }

    /// What is counted of its reviews.
    pub fn reviews(&self) -> &Reviews {
        &self.reviews
    }

    /// The answer to a review, or `None` when it is none.
    pub async fn answer(&self, review: &Value) -> Option<Value> {
        let began = Instant::now();
        let answered = self.judged(review).await;
        self.reviews.count(answered.as_ref().map_or(Verdict::Malformed, |(verdict, _)| *verdict), began.elapsed());
        answered.map(|(_, answer)| answer)
    }

    async fn judged(&self, review: &Value) -> Option<(Verdict, Value)> {
        let request = review.get("request")?;
        let uid = request.get("uid")?.as_str()?;
        let (verdict, denied) = match tokio::time::timeout(JUDGE_MAX, self.denial(request)).await {
            Ok(None) => (Verdict::Allowed, None),
            Ok(Some(denied)) => (Verdict::Denied, Some(denied)),
            Err(_) => {
                tracing::warn!(uid, "a review took too long and was let through");
                (Verdict::Late, None)
            }
        };
        let mut response = json!({ "uid": uid, "allowed": denied.is_none() });
        if let Some(message) = denied {
            let message: String = message.chars().take(MESSAGE_MAX).collect();
            // Never 422, which a forcing GitOps tool takes for "delete and create".
            response["status"] = json!({ "code": 403, "reason": "Forbidden", "message": message });
        }
        let answer = json!({ "apiVersion": "admission.k8s.io/v1", "kind": "AdmissionReview", "response": response });
        Some((verdict, answer))
    }

    async fn denial(&self, request: &Value) -> Option<String> {
        let text = |pointer: &str| request.pointer(pointer).and_then(Value::as_str);
        let kind = text("/kind/kind").and_then(Kind::parse)?;
        let object = request.get("object").filter(|object| object.is_object())?;
        let namespace = text("/namespace")?;
        let database = self.known.database.read().clone();
        let now = database.as_ref().map_or_else(|| WallClock.now(), |(_, clock)| clock.now());
        let runtime = self.runtime(namespace, now);
        let owner = Namespace::from(namespace);
        let facts = Facts {
            store: database.as_ref().map(|(store, _)| &**store),
            namespace: &owner,
            runtime: runtime.as_ref(),
            now,
        };
        let old = request.get("oldObject").filter(|old| old.is_object());
        let errors = admission::judge(Request { kind, object, old }, facts).await.err()?;
        let name = text("/name").or_else(|| object.pointer("/metadata/name")?.as_str()).unwrap_or_default();
        Some(admission::told(kind.as_str(), name, &errors))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn review(object: Value) -> Value {
        json!({"request": {
            "uid": "u-1", "kind": {"group": "fanfare.dev", "version": "v1alpha1", "kind": "Campaign"},
            "namespace": "n", "name": "sale", "operation": "CREATE", "object": object,
        }})
    }

    #[tokio::test]
    async fn a_denial_is_a_403_with_everything_that_is_wrong() {
        let wrong = json!({
            "apiVersion": "fanfare.dev/v1alpha1", "kind": "Campaign", "metadata": {"name": "sale", "namespace": "n"},
            "spec": {"title": "Sale", "objective": "Fun", "schedule": {"startAt": "tomorrow"}},
        });
        let answer = Reviewer::default().answer(&review(wrong)).await.unwrap();
        let response = &answer["response"];
        assert_eq!((&response["uid"], &response["allowed"]), (&json!("u-1"), &json!(false)));
        assert_eq!(response["status"]["code"], 403);
        let message = response["status"]["message"].as_str().unwrap();
        for part in ["Campaign \"sale\" is refused", "spec.objective", "spec.schedule.startAt"] {
            assert!(message.contains(part), "{part} is not in {message}");
        }
    }

    #[tokio::test]
    async fn what_is_no_resource_of_ours_passes_and_what_is_no_review_has_no_answer() {
        let mut other = review(json!({}));
        other["request"]["kind"]["kind"] = json!("Pod");
        let answer = Reviewer::default().answer(&other).await.unwrap();
        assert_eq!(answer["response"], json!({"uid": "u-1", "allowed": true}));
        assert_eq!(Reviewer::default().answer(&json!({"kind": "Pod"})).await, None);
    }
}
