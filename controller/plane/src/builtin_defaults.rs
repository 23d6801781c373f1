//! What a real API server fills into built-in kinds, as far as clients of the plane rely on it.

use base64::Engine;
use serde_json::{Map, Value, json};

use crate::registry::Resource;

/// Runs before validation: nothing may be taken for granted of the object's shape.
pub(crate) fn complete(resource: &Resource, object: &mut Value) {
    match resource.kind.as_str() {
        "Namespace" => complete_namespace(object),
        "Secret" => complete_secret(object),
        "Service" => object.get_mut("spec").into_iter().for_each(complete_service),
        "Deployment" => object.get_mut("spec").into_iter().for_each(complete_deployment),
        "Pod" => object.get_mut("spec").into_iter().for_each(complete_pod),
        "PodTemplate" => object.pointer_mut("/template/spec").into_iter().for_each(complete_pod),
        _ => {}
    }
}

/// Fields that a real API server always shows, empty or not: `kubectl get events --sort-by=.lastTimestamp` asks for one.
const EVENT_ALWAYS: [&str; 3] = ["firstTimestamp", "lastTimestamp", "eventTime"];

/// What is there without a manager that owns it.
pub(crate) fn finish(resource: &Resource, object: &mut Value) {
    match resource.kind.as_str() {
        "Event" => {
            EVENT_ALWAYS.iter().for_each(|key| set_default(object, key, Value::Null));
            ["reportingComponent", "reportingInstance"].iter().for_each(|key| set_default(object, key, ""));
            set_default(object, "source", json!({}));
        }
        "Deployment" => set_default(object, "status", json!({})),
        "Pod" => set_default(object, "status", json!({"phase": "Pending", "qosClass": "BestEffort"})),
        "Namespace" => {
            let deleting = object["metadata"].get("deletionTimestamp").is_some();
            set_default(object, "spec", json!({}));
            set_default(&mut object["spec"], "finalizers", json!(["kubernetes"]));
            set_default(object, "status", json!({}));
            object["status"]["phase"] = json!(if deleting { "Terminating" } else { "Active" });
        }
        _ => {}
    }
}

fn set_default(value: &mut Value, key: &str, default: impl Into<Value>) {
    if let Value::Object(map) = value {
        map.entry(key).or_insert_with(|| default.into());
    }
}

fn complete_namespace(object: &mut Value) {
    let name = object["metadata"]["name"].clone();
    if let Some(meta) = object["metadata"].as_object_mut() {
        let labels = meta.entry("labels").or_insert_with(|| json!({}));
        set_default(labels, "kubernetes.io/metadata.name", name);
    }
}

fn complete_secret(object: &mut Value) {
    set_default(object, "type", "Opaque");
    let Some(map) = object.as_object_mut() else { return };
    let Some(Value::Object(plain)) = map.remove("stringData") else { return };
    let encoded: Map<String, Value> = plain
        .into_iter()
        .map(|(k, v)| {
            let text = v.as_str().unwrap_or_default();
            (k, json!(base64::engine::general_purpose::STANDARD.encode(text)))
        })
        .collect();
    match map.entry("data").or_insert_with(|| json!({})) {
        Value::Object(data) => data.extend(encoded),
        other => *other = Value::Object(encoded),
    }
}

fn complete_service(spec: &mut Value) {
    set_default(spec, "type", "ClusterIP");
    set_default(spec, "sessionAffinity", "None");
    // There is no network here to give addresses from.
    set_default(spec, "clusterIP", "None");
    entries(spec, "ports").for_each(|port| set_default(port, "protocol", "TCP"));
}

fn complete_deployment(spec: &mut Value) {
    set_default(spec, "replicas", 1);
    set_default(spec, "revisionHistoryLimit", 10);
    set_default(spec, "progressDeadlineSeconds", 600);
    set_default(spec, "strategy", json!({}));
    if let Some(strategy) = spec.get_mut("strategy") {
        set_default(strategy, "type", "RollingUpdate");
        if strategy["type"] == "RollingUpdate" {
            set_default(strategy, "rollingUpdate", json!({"maxSurge": "25%", "maxUnavailable": "25%"}));
        }
    }
    spec.pointer_mut("/template/spec").into_iter().for_each(complete_pod);
}

fn complete_pod(pod: &mut Value) {
    set_default(pod, "restartPolicy", "Always");
    set_default(pod, "dnsPolicy", "ClusterFirst");
    set_default(pod, "schedulerName", "default-scheduler");
    set_default(pod, "securityContext", json!({}));
    set_default(pod, "terminationGracePeriodSeconds", 30);
    for container in entries(pod, "containers") {
        let image = container["image"].as_str().unwrap_or_default();
        let tag = image.rsplit('/').next().and_then(|name| name.split_once(':')).map(|(_, tag)| tag);
        let policy = if tag.is_none_or(|t| t == "latest") { "Always" } else { "IfNotPresent" };
        set_default(container, "imagePullPolicy", policy);
        set_default(container, "resources", json!({}));
        set_default(container, "terminationMessagePath", "/dev/termination-log");
        set_default(container, "terminationMessagePolicy", "File");
        entries(container, "ports").for_each(|port| set_default(port, "protocol", "TCP"));
    }
}

/// The entries of a list, none when there is no list.
fn entries<'a>(value: &'a mut Value, key: &str) -> impl Iterator<Item = &'a mut Value> {
    value.get_mut(key).and_then(Value::as_array_mut).into_iter().flatten()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_secret_written_as_text_is_kept_encoded() {
        let mut secret = json!({"metadata": {}, "stringData": {"p": "x"}, "data": {"q": "eQ=="}});
        complete(&Resource::for_test("", "Secret", "secrets"), &mut secret);
        assert_eq!(secret, json!({"metadata": {}, "type": "Opaque", "data": {"p": "eA==", "q": "eQ=="}}));
    }
}
