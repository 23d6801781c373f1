//! Stock kubectl against the plane: each test is one thing that people do.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test that cannot go on must say so")]

mod common;

use common::{Served, holds, widget, widgets};
use kube::api::{DynamicObject, Patch, PatchParams};
use kube::runtime::wait::await_condition;
use serde_json::{Value, json};
use tokio::io::{AsyncBufReadExt, BufReader};

#[tokio::test]
async fn apply_creates_changes_and_leaves_alone() {
    let served = Served::start().await;
    let file = served.file("w.json", &[widget("a", json!({"owner": "crm", "priority": 1}))]);
    holds(&served.ok(&["apply", "-f", &file]).await, &["widget.test.dev/a created"]);
    holds(&served.ok(&["apply", "-f", &file]).await, &["widget.test.dev/a unchanged"]);
    assert_eq!(served.ok(&["diff", "-f", &file]).await, "");
    let changed = served.file("w2.json", &[widget("a", json!({"owner": "crm", "priority": 2}))]);
    let diff = served.run(&["diff", "-f", &changed]).await;
    assert_eq!(diff.code, 1, "{diff:?}");
    holds(&diff.stdout, &["-  generation: 1", "+  generation: 2", "-  priority: 1", "+  priority: 2"]);
    let dry = served.ok(&["apply", "-f", &changed, "--dry-run=server"]).await;
    holds(&dry, &["widget.test.dev/a configured (server dry run)"]);
    holds(&served.ok(&["apply", "-f", &changed]).await, &["widget.test.dev/a configured"]);
    let got = served
        .ok(&["get", "widget", "a", "-o", "jsonpath={.metadata.generation} {.spec.priority} {.spec.channel}"])
        .await;
    assert_eq!(got, "2 2 Email");
}

#[tokio::test]
async fn get_prints_the_columns_of_the_crd() {
    let served = Served::start().await;
    let file = served
        .file("w.json", &[widget("a", json!({"owner": "crm", "priority": 7})), widget("b", json!({"owner": "web"}))]);
    served.ok(&["apply", "-f", &file]).await;
    let table = served.ok(&["get", "wd"]).await;
    let header: Vec<&str> = table.lines().next().unwrap().split_whitespace().collect();
    assert_eq!(header, ["NAME", "OWNER", "PHASE", "READY", "AGE"]);
    let wide = served.ok(&["get", "gadgets", "-o", "wide"]).await;
    holds(&wide, &["PRIORITY", "crm", "7"]);
    assert_eq!(
        served.ok(&["get", "wd", "--field-selector", "spec.owner=web", "-o", "name"]).await,
        "widget.test.dev/b\n"
    );
    assert_eq!(served.ok(&["get", "wd", "--chunk-size=1", "-o", "name"]).await.lines().count(), 2);
    holds(
        &served.fails(&["get", "wd", "--field-selector", "spec.priority=7"]).await,
        &["field label not supported: spec.priority"],
    );
    holds(&served.fails(&["get", "wd", "missing"]).await, &["widgets.test.dev \"missing\" not found"]);
    holds(&served.fails(&["get", "jobs"]).await, &["the server doesn't have a resource type \"jobs\""]);
    let resources = served.ok(&["api-resources", "--api-group=test.dev"]).await;
    holds(&resources, &["widgets", "wd", "test.dev/v1alpha1", "true", "Widget"]);
}

#[tokio::test]
async fn what_is_wrong_is_refused_in_the_words_of_a_real_api_server() {
    let served = Served::start().await;
    let bogus = served.file("bogus.json", &[widget("a", json!({"owner": "crm", "bogus": 1}))]);
    holds(
        &served.fails(&["apply", "-f", &bogus]).await,
        &[
            "Widget in version \"v1alpha1\" cannot be handled as a Widget: strict decoding error: unknown field \"spec.bogus\"",
        ],
    );
    let ran = served.run(&["apply", "-f", &bogus, "--validate=warn"]).await;
    holds(&ran.stderr, &["Warning: unknown field \"spec.bogus\""]);
    assert_eq!(served.ok(&["get", "wd", "a", "-o", "jsonpath={.spec.bogus}"]).await, "");
    let missing = served.file("missing.json", &[widget("b", json!({}))]);
    holds(
        &served.fails(&["apply", "-f", &missing]).await,
        &["The Widget \"b\" is invalid: \n* spec.owner: Required value"],
    );
    let many = served.file("many.json", &[widget("b", json!({"owner": "", "channel": "Fax", "priority": 101}))]);
    holds(
        &served.fails(&["apply", "-f", &many]).await,
        &[
            "* spec.channel: Unsupported value: \"Fax\": supported values: \"Email\", \"Sms\"",
            "* spec.owner: Invalid value: \"\": spec.owner in body should be at least 1 chars long",
            "* spec.priority: Invalid value: 101: spec.priority in body should be less than or equal to 100",
        ],
    );
    let unlucky = served.file("unlucky.json", &[widget("b", json!({"owner": "x", "priority": 13}))]);
    holds(
        &served.fails(&["apply", "-f", &unlucky]).await,
        &["The Widget \"b\" is invalid: spec: Invalid value: 13 brings bad luck"],
    );
    let moved = served.file("moved.json", &[widget("a", json!({"owner": "web"}))]);
    holds(&served.fails(&["apply", "-f", &moved]).await, &["spec.owner: Invalid value: \"web\": owner is immutable"]);
    holds(&served.fails(&["apply", "-f", &moved, "-n", "nowhere"]).await, &["namespaces \"nowhere\" not found"]);
}

#[tokio::test]
async fn patch_edit_label_annotate_and_replace_change_objects() {
    let served = Served::start().await;
    let file = served.file("w.json", &[widget("a", json!({"owner": "crm", "priority": 10}))]);
    served.ok(&["create", "-f", &file, "--save-config"]).await;
    holds(&served.fails(&["create", "-f", &file]).await, &["widgets.test.dev \"a\" already exists"]);
    served.ok(&["patch", "wd", "a", "--type=merge", "-p", r#"{"spec":{"priority":20}}"#]).await;
    served
        .ok(&[
            "patch",
            "wd",
            "a",
            "--type=json",
            "-p",
            r#"[{"op":"test","path":"/spec/priority","value":20},{"op":"replace","path":"/spec/priority","value":21}]"#,
        ])
        .await;
    let strategic = served.fails(&["patch", "wd", "a", "-p", r#"{"spec":{"priority":20}}"#]).await;
    holds(&strategic, &["application/strategic-merge-patch+json is not supported by test.dev/v1alpha1, Kind=Widget"]);
    served.editor("priority: 21", "priority: 22");
    holds(&served.ok(&["edit", "wd", "a"]).await, &["widget.test.dev/a edited"]);
    served.editor("priority: 22", "priority: 500");
    holds(&served.fails(&["edit", "wd", "a"]).await, &["widgets.test.dev \"a\" is invalid"]);
    served.ok(&["label", "wd", "a", "tier=gold"]).await;
    served.ok(&["annotate", "wd", "a", "note=hi"]).await;
    assert_eq!(
        served.ok(&["get", "wd", "-l", "tier in (gold)", "-o", "jsonpath={.items[*].metadata.annotations.note}"]).await,
        "hi"
    );
    let got = served.ok(&["get", "wd", "a", "-o", "jsonpath={.spec.priority} {.metadata.generation}"]).await;
    assert_eq!(got, "22 4", "labels and annotations do not count as generations");
    holds(&served.ok(&["replace", "-f", &file]).await, &["widget.test.dev/a replaced"]);
    assert_eq!(served.ok(&["get", "wd", "a", "-o", "jsonpath={.spec.priority}{.metadata.labels}"]).await, "10");
    holds(&served.ok(&["replace", "--force", "-f", &file]).await, &["widget.test.dev/a replaced"]);
}

#[tokio::test]
async fn server_side_apply_tells_conflicts_and_takes_over_by_force() {
    let served = Served::start().await;
    let file = served.file("w.json", &[widget("a", json!({"owner": "crm", "priority": 1}))]);
    let other = served.file("o.json", &[widget("a", json!({"owner": "crm", "priority": 2}))]);
    let first = ["apply", "--server-side", "--field-manager=git", "-f", &file];
    holds(&served.ok(&first).await, &["widget.test.dev/a serverside-applied"]);
    let version = served.ok(&["get", "wd", "a", "-o", "jsonpath={.metadata.resourceVersion}"]).await;
    served.ok(&first).await;
    assert_eq!(served.ok(&["get", "wd", "a", "-o", "jsonpath={.metadata.resourceVersion}"]).await, version);
    let refused = served.fails(&["apply", "--server-side", "--field-manager=hand", "-f", &other]).await;
    holds(&refused, &["Apply failed with 1 conflict: conflict with \"git\": .spec.priority"]);
    served.ok(&["apply", "--server-side", "--field-manager=hand", "--force-conflicts", "-f", &other]).await;
    assert_eq!(served.ok(&["get", "wd", "a", "-o", "jsonpath={.spec.priority}"]).await, "2");
    // From client-side apply, as kubectl migrates it: the annotation stays for the way back.
    let client_side = served.file("c.json", &[widget("c", json!({"owner": "crm"}))]);
    served.ok(&["apply", "-f", &client_side]).await;
    served.ok(&["apply", "--server-side", "--force-conflicts", "-f", &client_side]).await;
    let back = served.run(&["apply", "-f", &client_side]).await;
    holds(&back.stdout, &["widget.test.dev/c unchanged"]);
    assert_eq!(back.stderr, "");
}

#[tokio::test]
async fn wait_sees_conditions_that_a_controller_writes_to_status() {
    let served = Served::start().await;
    let file = served.file("w.json", &[widget("a", json!({"owner": "crm"}))]);
    served.ok(&["apply", "-f", &file]).await;
    let waiting = served.command(&["wait", "--for=condition=Ready", "wd/a", "--timeout=30s"]).output();
    let status = json!({"status": {"phase": "Active", "conditions": [{"type": "Ready", "status": "True"}]}, "spec": {"priority": 99}});
    let status = status.to_string();
    let patch = ["patch", "wd", "a", "--subresource=status", "--type=merge", "-p", &status];
    let patching = served.ok(&patch);
    let (waited, _) = tokio::join!(waiting, patching);
    assert!(waited.unwrap().status.success());
    let got =
        served.ok(&["get", "wd", "a", "-o", "jsonpath={.status.phase} {.spec.priority} {.metadata.generation}"]).await;
    assert_eq!(got, "Active  1", "a status write changes neither spec nor generation");
    served.ok(&["apply", "-f", &file]).await;
    holds(&served.ok(&["get", "wd"]).await, &["Active", "True"]);
}

#[tokio::test]
async fn get_with_watch_prints_each_change() {
    let served = Served::start().await;
    let file = served.file("w.json", &[widget("a", json!({"owner": "crm"}))]);
    served.ok(&["apply", "-f", &file]).await;
    let mut command = served.command(&["get", "wd", "-w", "--output-watch-events"]);
    let mut child = command.stdout(std::process::Stdio::piped()).spawn().unwrap();
    let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
    let mut next = async || lines.next_line().await.unwrap().unwrap();
    holds(&next().await, &["EVENT", "NAME", "OWNER", "PHASE"]);
    holds(&next().await, &["ADDED", "a", "crm"]);
    served
        .ok(&["patch", "wd", "a", "--subresource=status", "--type=merge", "-p", r#"{"status":{"phase":"Active"}}"#])
        .await;
    holds(&next().await, &["MODIFIED", "Active"]);
    served.ok(&["delete", "wd", "a"]).await;
    holds(&next().await, &["DELETED", "a"]);
}

#[tokio::test]
async fn delete_waits_for_finalizers() {
    let served = Served::start().await;
    let mut object = widget("a", json!({"owner": "crm"}));
    object["metadata"]["finalizers"] = json!(["test.dev/hold"]);
    let file = served.file("w.json", &[object]);
    served.ok(&["apply", "-f", &file]).await;
    let waiting = served.command(&["delete", "wd", "a", "--timeout=30s"]).output();
    let freeing = async {
        let api = widgets(&served.plane.client());
        let marked = |o: Option<&DynamicObject>| o.is_some_and(|o| o.metadata.deletion_timestamp.is_some());
        await_condition(api.clone(), "a", marked).await.unwrap();
        let patch = Patch::Merge(json!({"metadata": {"finalizers": null}}));
        api.patch("a", &PatchParams::default(), &patch).await.unwrap();
    };
    let (waited, ()) = tokio::join!(waiting, freeing);
    assert!(waited.unwrap().status.success());
    holds(&served.fails(&["get", "wd", "a"]).await, &["not found"]);
    assert_eq!(served.ok(&["delete", "wd", "a", "--ignore-not-found"]).await, "");
    served
        .ok(&[
            "apply",
            "-f",
            &served.file("many.json", &[widget("x", json!({"owner": "crm"})), widget("y", json!({"owner": "crm"}))]),
        ])
        .await;
    assert_eq!(served.ok(&["delete", "wd", "--all"]).await.lines().count(), 2);
}

#[tokio::test]
async fn explain_and_describe_read_the_schema_and_the_object() {
    let served = Served::start().await;
    holds(
        &served.ok(&["explain", "widget.spec.steps"]).await,
        &["GROUP:      test.dev", "KIND:       Widget", "FIELD: steps <[]Object>", "name\t<string> -required-"],
    );
    holds(
        &served.ok(&["explain", "wd", "--recursive"]).await,
        &["Widget is a thing for tests.", "ownerReferences", "channel\t<string>"],
    );
    holds(&served.ok(&["explain", "deployment.spec.replicas"]).await, &["FIELD: replicas <integer>"]);
    served.ok(&["apply", "-f", &served.file("w.json", &[widget("a", json!({"owner": "crm"}))])]).await;
    let uid = served.ok(&["get", "wd", "a", "-o", "jsonpath={.metadata.uid}"]).await;
    let event = json!({
        "apiVersion": "v1", "kind": "Event", "metadata": {"name": "a.1"}, "reason": "Opened", "message": "the doors are open",
        "type": "Normal", "involvedObject": {"apiVersion": "test.dev/v1alpha1", "kind": "Widget", "name": "a", "namespace": "default", "uid": uid},
        "firstTimestamp": now(), "lastTimestamp": now(), "count": 1, "source": {"component": "test"}});
    served.ok(&["create", "-f", &served.file("e.json", &[event])]).await;
    holds(&served.ok(&["describe", "wd", "a"]).await, &["Owner:    crm", "Opened", "the doors are open"]);
    holds(&served.ok(&["events", "--for", "wd/a"]).await, &["Opened", "Widget/a", "the doors are open"]);
    holds(&served.ok(&["get", "events"]).await, &["widget/a", "the doors are open"]);
    let new_form = served
        .ok(&["get", "events.v1.events.k8s.io", "a.1", "-o", "jsonpath={.apiVersion} {.regarding.name} {.note}"])
        .await;
    assert_eq!(new_form, "events.k8s.io/v1 a the doors are open");
}

fn now() -> Value {
    json!(jiff::Timestamp::now().round(jiff::Unit::Second).unwrap().to_string())
}

#[tokio::test]
async fn built_in_kinds_are_created_and_a_namespace_goes_with_what_is_in_it() {
    let served = Served::start().await;
    served.ok(&["create", "namespace", "shop"]).await;
    assert_eq!(
        served.ok(&["-n", "shop", "get", "sa,cm", "-o", "name"]).await,
        "serviceaccount/default\nconfigmap/kube-root-ca.crt\n"
    );
    served.ok(&["-n", "shop", "create", "configmap", "settings", "--from-literal=a=1"]).await;
    served.ok(&["-n", "shop", "create", "secret", "generic", "key", "--from-literal=p=x"]).await;
    assert_eq!(
        served.ok(&["-n", "shop", "get", "secret", "key", "-o", "jsonpath={.data.p} {.type}"]).await,
        "eA== Opaque"
    );
    served.ok(&["-n", "shop", "create", "deployment", "api", "--image=nginx"]).await;
    served.ok(&["-n", "shop", "set", "image", "deploy/api", "nginx=nginx:2"]).await;
    let deployment = served
        .ok(&[
            "-n",
            "shop",
            "get",
            "deploy",
            "api",
            "-o",
            "jsonpath={.spec.template.spec.containers[*].image} {.metadata.generation}",
        ])
        .await;
    assert_eq!(deployment, "nginx:2 2");
    served.ok(&["-n", "shop", "patch", "cm", "settings", "-p", r#"{"data":{"b":"2"}}"#]).await;
    assert_eq!(
        served.ok(&["-n", "shop", "get", "cm", "settings", "-o", "jsonpath={.data}"]).await,
        r#"{"a":"1","b":"2"}"#
    );
    served.ok(&["-n", "shop", "apply", "-f", &served.file("w.json", &[widget("a", json!({"owner": "crm"}))])]).await;
    served.ok(&["delete", "namespace", "shop", "--timeout=30s"]).await;
    assert_eq!(served.ok(&["get", "wd,cm,deploy", "-n", "shop", "-o", "name"]).await, "");
    assert_eq!(served.ok(&["auth", "can-i", "create", "wd"]).await.trim(), "yes");
}

#[tokio::test]
async fn a_crd_that_kubectl_applies_is_served_and_goes_with_its_objects() {
    let served = Served::start().await;
    let crd = json!({
        "apiVersion": "apiextensions.k8s.io/v1", "kind": "CustomResourceDefinition", "metadata": {"name": "coupons.other.dev"},
        "spec": {"group": "other.dev", "scope": "Cluster", "names": {"plural": "coupons", "kind": "Coupon"},
            "versions": [{"name": "v1", "served": true, "storage": true, "schema": {"openAPIV3Schema": {
                "type": "object", "properties": {"spec": {"type": "object", "x-kubernetes-preserve-unknown-fields": true}}}}}]}});
    let file = served.file("crd.json", std::slice::from_ref(&crd));
    served.ok(&["apply", "-f", &file]).await;
    served.ok(&["wait", "--for=condition=established", "crd/coupons.other.dev", "--timeout=10s"]).await;
    let coupon = json!({"apiVersion": "other.dev/v1", "kind": "Coupon", "metadata": {"name": "c"}, "spec": {"any": {"thing": 1}}});
    served.ok(&["apply", "-f", &served.file("c.json", &[coupon])]).await;
    assert_eq!(served.ok(&["get", "coupon", "c", "-o", "jsonpath={.spec.any.thing}"]).await, "1");
    let mut broken = crd;
    broken["spec"]["versions"][0]["schema"]["openAPIV3Schema"]["properties"]["spec"] = json!({});
    let refused = served.fails(&["apply", "-f", &served.file("broken.json", &[broken])]).await;
    holds(
        &refused,
        &["openAPIV3Schema.properties[spec].type: Required value: must not be empty for specified object fields"],
    );
    served.ok(&["delete", "crd", "coupons.other.dev", "--timeout=30s"]).await;
    holds(&served.fails(&["get", "coupons"]).await, &["could not find the requested resource"]);
}
