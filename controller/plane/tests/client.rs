//! kube-rs against the plane in process: watches, conflicts, history, garbage collection, crashes.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test that cannot go on must say so")]

mod common;

use std::collections::BTreeSet;
use std::sync::Arc;

use common::{config, kind, scratch_dir, start, widget, widget_object, widgets};
use fanfare_plane::{Admission, AdmissionRequest, Cause, Denial, Operation, Plane};
use futures::future::BoxFuture;
use futures::{StreamExt, TryStreamExt, stream};
use k8s_openapi::api::coordination::v1::Lease;
use k8s_openapi::api::core::v1::{ConfigMap, Event, Namespace};
use kube::api::{
    Api, DeleteParams, DynamicObject, ListParams, Patch, PatchParams, PostParams, PropagationPolicy, WatchEvent,
    WatchParams,
};
use kube::runtime::events::{EventType, Recorder};
use kube::runtime::{WatchStreamExt, watcher};
use kube::{Resource, ResourceExt};
use serde_json::{Value, json};

fn api_error<T: std::fmt::Debug>(result: Result<T, kube::Error>) -> Box<kube::core::Status> {
    match result {
        Err(kube::Error::Api(error)) => error,
        other => panic!("expected a refusal by the API: {other:?}"),
    }
}

async fn create(api: &Api<DynamicObject>, name: &str, spec: Value) -> DynamicObject {
    api.create(&PostParams::default(), &widget_object(name, spec)).await.unwrap()
}

async fn merge(api: &Api<DynamicObject>, name: &str, patch: Value) -> DynamicObject {
    api.patch(name, &PatchParams::default(), &Patch::Merge(patch)).await.unwrap()
}

#[tokio::test]
async fn a_watcher_sees_what_is_there_and_then_each_change() {
    let plane = start().await;
    let api = widgets(&plane.client());
    create(&api, "a", json!({"owner": "crm"})).await;
    for config in [watcher::Config::default(), watcher::Config::default().streaming_lists()] {
        let mut events = watcher(api.clone(), config).boxed();
        let mut next = async || events.try_next().await.unwrap().unwrap();
        assert!(matches!(next().await, watcher::Event::Init));
        assert!(matches!(next().await, watcher::Event::InitApply(o) if o.name_any() == "a"));
        assert!(matches!(next().await, watcher::Event::InitDone));
        create(&api, "b", json!({"owner": "crm"})).await;
        assert!(matches!(next().await, watcher::Event::Apply(o) if o.name_any() == "b"));
        api.delete("b", &DeleteParams::default()).await.unwrap();
        assert!(matches!(next().await, watcher::Event::Delete(o) if o.name_any() == "b"));
    }
}

#[tokio::test]
async fn a_watch_from_before_the_history_is_told_410_and_the_watcher_recovers() {
    let mut config = config(&scratch_dir());
    config.watch_log_events_max = 3;
    let plane = Plane::start(config).await.unwrap();
    let api = widgets(&plane.client());
    let first = create(&api, "a", json!({"owner": "crm"})).await;
    for n in 0..9 {
        merge(&api, "a", json!({"spec": {"priority": n}})).await;
    }
    let mut stream = api.watch(&WatchParams::default(), &first.resource_version().unwrap()).await.unwrap().boxed();
    let event = stream.try_next().await.unwrap().unwrap();
    assert!(matches!(event, WatchEvent::Error(e) if e.code == 410 && e.reason == "Expired"));
    let error = api_error(api.watch(&WatchParams::default(), "999999").await.map(|_| ()));
    assert_eq!((error.code, error.reason.as_str()), (504, "Timeout"));
}

#[tokio::test]
async fn an_object_that_stops_matching_a_selector_is_deleted_for_that_watch() {
    let plane = start().await;
    let api = widgets(&plane.client());
    let created = create(&api, "a", json!({"owner": "crm"})).await;
    let params = WatchParams::default().labels("tier=gold");
    let mut stream = api.watch(&params, &created.resource_version().unwrap()).await.unwrap().boxed();
    merge(&api, "a", json!({"metadata": {"labels": {"tier": "gold"}}})).await;
    merge(&api, "a", json!({"spec": {"priority": 3}})).await;
    let last = merge(&api, "a", json!({"metadata": {"labels": {"tier": null}}})).await;
    let mut seen = Vec::new();
    for _ in 0..3 {
        seen.push(match stream.try_next().await.unwrap().unwrap() {
            WatchEvent::Added(_) => "added".to_owned(),
            WatchEvent::Modified(_) => "modified".to_owned(),
            WatchEvent::Deleted(o) => format!("deleted at {}", o.resource_version().unwrap()),
            other => panic!("{other:?}"),
        });
    }
    assert_eq!(seen, ["added", "modified", &format!("deleted at {}", last.resource_version().unwrap())]);
}

#[tokio::test]
async fn writes_from_an_old_version_conflict_and_writes_without_one_never_lose_an_update() {
    let plane = start().await;
    let api = widgets(&plane.client());
    let old = create(&api, "a", json!({"owner": "crm", "vars": {}})).await;
    merge(&api, "a", json!({"spec": {"priority": 1}})).await;
    let error = api_error(api.replace("a", &PostParams::default(), &old).await);
    assert_eq!((error.code, error.reason.as_str()), (409, "Conflict"));
    let mut unversioned = old.clone();
    unversioned.metadata.resource_version = None;
    assert_eq!(api_error(api.replace("a", &PostParams::default(), &unversioned).await).code, 422);
    let writers = (0..8).map(|n| merge(&api, "a", json!({"spec": {"vars": {format!("w{n}"): "x"}}})));
    futures::future::join_all(writers).await;
    assert_eq!(api.get("a").await.unwrap().data["spec"]["vars"].as_object().unwrap().len(), 8);
}

#[tokio::test]
async fn a_write_that_changes_nothing_changes_nothing() {
    let plane = start().await;
    let api = widgets(&plane.client());
    let created = create(&api, "a", json!({"owner": "crm", "priority": 1})).await;
    let merged = merge(&api, "a", json!({"spec": {"priority": 1}})).await;
    let replaced = api.replace("a", &PostParams::default(), &created).await.unwrap();
    assert_eq!(merged.resource_version(), created.resource_version());
    assert_eq!(replaced.resource_version(), created.resource_version());
}

#[tokio::test]
async fn pages_are_of_one_snapshot_whatever_is_written_between_them() {
    let plane = start().await;
    let api = widgets(&plane.client());
    for name in ["a", "b", "c", "d"] {
        create(&api, name, json!({"owner": "crm"})).await;
    }
    let first = api.list(&ListParams::default().limit(2)).await.unwrap();
    assert_eq!(first.metadata.remaining_item_count, Some(2));
    api.delete("d", &DeleteParams::default()).await.unwrap();
    create(&api, "cc", json!({"owner": "crm"})).await;
    let token = first.metadata.continue_.clone().unwrap();
    let second = api.list(&ListParams::default().limit(2).continue_token(&token)).await.unwrap();
    let names: Vec<String> = first.items.iter().chain(&second.items).map(|o| o.name_any()).collect();
    assert_eq!(names, ["a", "b", "c", "d"]);
    assert_eq!(second.metadata.resource_version, first.metadata.resource_version);
    assert_eq!(second.metadata.continue_.unwrap_or_default(), "");
}

#[tokio::test]
async fn dependents_go_with_their_owner_or_are_orphaned() {
    let plane = start().await;
    let (api, maps) = (widgets(&plane.client()), Api::<ConfigMap>::namespaced(plane.client(), "default"));
    let own = async |owner: &str, map: &str| {
        let uid = create(&api, owner, json!({"owner": "crm"})).await.uid().unwrap();
        let object = json!({"metadata": {"name": map, "ownerReferences": [{
            "apiVersion": "test.dev/v1alpha1", "kind": "Widget", "name": owner, "uid": uid, "blockOwnerDeletion": true}]}});
        maps.create(&PostParams::default(), &serde_json::from_value(object).unwrap()).await.unwrap();
    };
    own("background", "m1").await;
    own("foreground", "m2").await;
    own("orphan", "m3").await;
    let policy = |p| DeleteParams { propagation_policy: Some(p), ..DeleteParams::default() };
    api.delete("background", &policy(PropagationPolicy::Background)).await.unwrap();
    api.delete("foreground", &policy(PropagationPolicy::Foreground)).await.unwrap();
    api.delete("orphan", &policy(PropagationPolicy::Orphan)).await.unwrap();
    let mut left = watcher(api.clone(), watcher::Config::default()).boxed();
    let mut maps_left = watcher(maps.clone(), watcher::Config::default()).boxed();
    // Both kinds are watched until only the orphan is there.
    let settled = async {
        loop {
            let owners = api.list(&ListParams::default()).await.unwrap().items.len();
            let names: BTreeSet<String> =
                maps.list(&ListParams::default()).await.unwrap().iter().map(|m| m.name_any()).collect();
            if owners == 0 && !names.contains("m1") && !names.contains("m2") {
                return names;
            }
            tokio::select! { e = left.try_next() => { e.unwrap(); }, e = maps_left.try_next() => { e.unwrap(); } }
        }
    };
    let names = tokio::time::timeout(std::time::Duration::from_secs(20), settled).await.unwrap();
    assert!(names.contains("m3"), "{names:?}");
    assert!(maps.get("m3").await.unwrap().owner_references().is_empty());
}

struct NoFax;

impl Admission for NoFax {
    fn admit<'a>(&'a self, request: &'a AdmissionRequest<'a>) -> BoxFuture<'a, Result<Vec<String>, Denial>> {
        Box::pin(async move {
            assert_eq!(
                request.object["spec"]["channel"].as_str().is_some(),
                request.kind == "Widget",
                "defaults are in"
            );
            assert_eq!(request.old.is_some(), request.operation == Operation::Update);
            if request.object["spec"]["channel"] == "Sms" {
                let cause = Cause {
                    reason: "FieldValueInvalid".into(),
                    field: "spec.channel".into(),
                    message: "no Sms here".into(),
                };
                return Err(Denial { code: 403, message: "no Sms here: use Email".into(), causes: vec![cause] });
            }
            Ok(vec![format!("{} is watched", request.name)])
        })
    }
}

#[tokio::test]
async fn admission_refuses_main_writes_and_is_not_asked_about_status_or_deletion() {
    let mut config = config(&scratch_dir());
    config.admission = Arc::new(NoFax);
    let plane = Plane::start(config).await.unwrap();
    let api = widgets(&plane.client());
    let refused =
        api.create(&PostParams::default(), &widget_object("a", json!({"owner": "crm", "channel": "Sms"}))).await;
    let error = api_error(refused);
    assert_eq!((error.code, error.message.as_str()), (403, "no Sms here: use Email"));
    assert_eq!(error.details.unwrap().causes[0].field, "spec.channel");
    create(&api, "a", json!({"owner": "crm"})).await;
    api.patch_status("a", &PatchParams::default(), &Patch::Merge(json!({"status": {"phase": "x"}}))).await.unwrap();
    api.delete("a", &DeleteParams::default()).await.unwrap();
}

#[tokio::test]
async fn apply_by_kube_merges_and_refuses_conflicts() {
    let plane = start().await;
    let api = widgets(&plane.client());
    let apply = async |manager: &str, spec: Value| {
        api.patch("a", &PatchParams::apply(manager), &Patch::Apply(widget("a", spec))).await
    };
    apply("one", json!({"owner": "crm", "steps": [{"name": "x", "delay": 1}]})).await.unwrap();
    let both = apply("two", json!({"steps": [{"name": "y"}]})).await.unwrap();
    assert_eq!(both.data["spec"]["steps"], json!([{"name": "x", "delay": 1}, {"name": "y", "delay": 0}]));
    let error = api_error(apply("two", json!({"steps": [{"name": "x", "delay": 2}]})).await);
    assert_eq!(error.message, "Apply failed with 1 conflict: conflict with \"one\": .spec.steps[name=\"x\"].delay");
}

#[tokio::test]
async fn both_versions_of_events_are_one_store_and_old_ones_go() {
    let dir = scratch_dir();
    let event = |name: &str, time: jiff::Timestamp| {
        json!({"metadata": {"name": name}, "eventTime": time.to_string(), "action": "Open", "reason": "Opened", "type": "Normal",
            "note": "the doors are open", "reportingController": "test", "reportingInstance": "t",
            "regarding": {"kind": "Widget", "name": "a", "namespace": "default"}})
    };
    let two_minutes = jiff::SignedDuration::from_secs(120);
    let now = jiff::Timestamp::now();
    let mut before = config(&dir);
    before.clock = Arc::new(move || now - two_minutes);
    let plane = Plane::start(before).await.unwrap();
    let new_form = |plane: &Plane| Api::<k8s_openapi::api::events::v1::Event>::namespaced(plane.client(), "default");
    for object in [event("old", now), event("renewed", now)] {
        new_form(&plane).create(&PostParams::default(), &serde_json::from_value(object).unwrap()).await.unwrap();
    }
    plane.stop().await;
    let plane = Plane::start(config(&dir)).await.unwrap();
    let seen_before = serde_json::from_value(event("young", now - two_minutes)).unwrap();
    new_form(&plane).create(&PostParams::default(), &seen_before).await.unwrap();
    let again = Patch::Merge(json!({"note": "the doors are open again"}));
    new_form(&plane).patch("renewed", &PatchParams::default(), &again).await.unwrap();
    let core: Api<Event> = Api::namespaced(plane.client(), "default");
    let selected = core.list(&ListParams::default().fields("involvedObject.name=a,type=Normal")).await.unwrap();
    assert!(selected.iter().any(|e| e.message.as_deref() == Some("the doors are open")));
    // `kubectl get events --sort-by=.lastTimestamp` finds nothing when no object has the field.
    let request = http::Request::get("/api/v1/namespaces/default/events/young").body(Vec::new()).unwrap();
    let young: serde_json::Value = plane.client().request(request).await.unwrap();
    assert_eq!(young.get("lastTimestamp"), Some(&serde_json::Value::Null));
    plane.stop().await;
    let mut impatient = config(&dir);
    impatient.event_ttl_s = 60;
    let plane = Plane::start(impatient).await.unwrap();
    let core: Api<Event> = Api::namespaced(plane.client(), "default");
    let settled = async {
        while core.get_opt("old").await.unwrap().is_some() {
            tokio::task::yield_now().await
        }
    };
    tokio::time::timeout(std::time::Duration::from_secs(20), settled).await.unwrap();
    for kept in ["young", "renewed"] {
        assert!(core.get_opt(kept).await.unwrap().is_some(), "{kept}");
    }
}

#[tokio::test]
async fn a_recorder_that_repeats_itself_counts_in_a_series() {
    let plane = start().await;
    let subject = create(&widgets(&plane.client()), "a", json!({"owner": "crm"})).await;
    let recorder = Recorder::new(plane.client(), "test".into());
    let event = kube::runtime::events::Event {
        type_: EventType::Normal,
        reason: "Opened".into(),
        note: Some("the doors are open".into()),
        action: "Open".into(),
        secondary: None,
    };
    let reference = subject.object_ref(&kind());
    for _ in 0..3 {
        recorder.publish(&event, &reference).await.unwrap();
    }
    let core: Api<Event> = Api::namespaced(plane.client(), "default");
    let events = core.list(&ListParams::default().fields("involvedObject.name=a")).await.unwrap();
    assert_eq!(events.items.len(), 1);
    assert_eq!(events.items[0].series.as_ref().and_then(|s| s.count), Some(3));
}

#[tokio::test]
async fn of_two_who_take_a_lease_one_wins() {
    let plane = start().await;
    let leases: Api<Lease> = Api::namespaced(plane.client(), "default");
    let lease = json!({"metadata": {"name": "leader"}, "spec": {"holderIdentity": "a", "leaseDurationSeconds": 15,
        "renewTime": "2026-01-01T00:00:00.000001Z"}});
    let created = leases.create(&PostParams::default(), &serde_json::from_value(lease).unwrap()).await.unwrap();
    let take = async |holder: &str| {
        let mut lease = created.clone();
        lease.spec.as_mut().unwrap().holder_identity = Some(holder.into());
        leases.replace("leader", &PostParams::default(), &lease).await
    };
    let results = [take("b").await, take("c").await];
    assert_eq!(results.iter().filter(|r| r.is_ok()).count(), 1);
}

#[tokio::test]
async fn what_is_there_can_be_changed_while_its_namespace_goes_but_nothing_new_comes() {
    let plane = start().await;
    let namespaces: Api<Namespace> = Api::all(plane.client());
    let shop = json!({"metadata": {"name": "shop"}});
    namespaces.create(&PostParams::default(), &serde_json::from_value(shop).unwrap()).await.unwrap();
    let api: Api<DynamicObject> = Api::namespaced_with(plane.client(), "shop", &kind());
    let mut held = widget_object("a", json!({"owner": "crm"}));
    held.metadata.finalizers = Some(vec!["test.dev/hold".into()]);
    api.create(&PostParams::default(), &held).await.unwrap();
    namespaces.delete("shop", &DeleteParams::default()).await.unwrap();
    let error = api_error(api.create(&PostParams::default(), &widget_object("b", json!({"owner": "crm"}))).await);
    assert_eq!((error.code, error.details.unwrap().causes[0].reason.as_str()), (403, "NamespaceTerminating"));
    let status = json!({"apiVersion": "test.dev/v1alpha1", "kind": "Widget", "status": {"phase": "Ended"}});
    api.patch_status("a", &PatchParams::apply("test"), &Patch::Apply(status)).await.unwrap();
    api.patch("a", &PatchParams::default(), &Patch::Merge(json!({"metadata": {"finalizers": null}}))).await.unwrap();
    let gone = async {
        while namespaces.get_opt("shop").await.unwrap().is_some() {
            tokio::task::yield_now().await
        }
    };
    tokio::time::timeout(std::time::Duration::from_secs(20), gone).await.unwrap();
    assert_eq!(api_error(namespaces.delete("default", &DeleteParams::default()).await).code, 403);
}

#[tokio::test]
async fn a_plane_that_was_stopped_has_everything_when_it_starts_again() {
    let dir = scratch_dir();
    let plane = Plane::start(config(&dir)).await.unwrap();
    let before = create(&widgets(&plane.client()), "a", json!({"owner": "crm"})).await;
    let old_version = before.resource_version().unwrap();
    plane.stop().await;
    let plane = Plane::start(config(&dir)).await.unwrap();
    let api = widgets(&plane.client());
    let after = api.get("a").await.unwrap();
    assert_eq!((after.uid(), after.resource_version()), (before.uid(), before.resource_version()));
    let next = merge(&api, "a", json!({"spec": {"priority": 1}})).await;
    assert!(next.resource_version().unwrap().parse::<u64>().unwrap() > old_version.parse::<u64>().unwrap());
}

/// In which folder the process writes that [`what_was_acknowledged_survives_kill_9`] starts of itself and kills.
const KILLED_IN: &str = "FANFARE_PLANE_TEST_DIR";

/// Prints each name after its creation was acknowledged.
async fn write_until_killed(dir: &std::path::Path) {
    let plane = Plane::start(config(dir)).await.unwrap();
    let api = widgets(&plane.client());
    stream::iter(0..100_000)
        .for_each_concurrent(32, |n| {
            let api = api.clone();
            async move {
                create(&api, &format!("w{n}"), json!({"owner": "crm"})).await;
                println!("acknowledged w{n}");
            }
        })
        .await;
}

#[tokio::test]
async fn what_was_acknowledged_survives_kill_9() {
    use tokio::io::{AsyncBufReadExt, BufReader};
    if let Some(dir) = std::env::var_os(KILLED_IN) {
        return write_until_killed(dir.as_ref()).await;
    }
    let dir = scratch_dir();
    let mut child = tokio::process::Command::new(std::env::current_exe().unwrap())
        .args(["--exact", "what_was_acknowledged_survives_kill_9", "--nocapture"])
        .env(KILLED_IN, &dir)
        .stdout(std::process::Stdio::piped())
        .kill_on_drop(true)
        .spawn()
        .unwrap();
    let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
    let mut acknowledged = Vec::new();
    while acknowledged.len() < 200 {
        let line = lines.next_line().await.unwrap().unwrap();
        acknowledged.extend(line.split("acknowledged ").nth(1).map(str::to_owned));
    }
    child.kill().await.unwrap();
    while let Ok(Some(line)) = lines.next_line().await {
        // The last line may be cut off.
        acknowledged.extend(line.strip_prefix("acknowledged ").map(str::to_owned));
    }
    let plane = Plane::start(config(&dir)).await.unwrap();
    let there: BTreeSet<String> =
        widgets(&plane.client()).list(&ListParams::default()).await.unwrap().iter().map(|o| o.name_any()).collect();
    let cut_off = acknowledged.pop();
    let lost: Vec<_> = acknowledged.iter().filter(|name| !there.contains(*name)).collect();
    assert!(lost.is_empty(), "{lost:?} of {} (last line {cut_off:?})", acknowledged.len());
}

#[tokio::test]
async fn a_thousand_objects_are_created_watched_and_given_status() {
    let plane = start().await;
    let api = widgets(&plane.client());
    let began = std::time::Instant::now();
    let mut events = watcher(api.clone(), watcher::Config::default()).default_backoff().boxed();
    let creating = stream::iter(0..1000).for_each_concurrent(64, |n| {
        let api = api.clone();
        async move { drop(create(&api, &format!("w{n:04}"), json!({"owner": "crm", "steps": [{"name": "x"}]})).await) }
    });
    let reacting = async {
        let mut done = BTreeSet::new();
        while done.len() < 1000 {
            let event = events.try_next().await.unwrap().unwrap();
            let (watcher::Event::Apply(object) | watcher::Event::InitApply(object)) = event else { continue };
            if object.data.get("status").is_some() {
                done.insert(object.name_any());
            } else {
                let api = api.clone();
                tokio::spawn(async move {
                    let status = json!({"status": {"phase": "Active"}});
                    api.patch_status(&object.name_any(), &PatchParams::default(), &Patch::Merge(status)).await.unwrap();
                });
            }
        }
    };
    tokio::time::timeout(std::time::Duration::from_secs(60), futures::future::join(creating, reacting)).await.unwrap();
    println!("1,000 objects created, watched and given status in {:?}", began.elapsed());
}
