//! A plane on a free port with one test kind, and the real kubectl to drive it.
#![allow(dead_code, reason = "each test crate uses a part")]

use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::sync::Arc;

use fanfare_plane::{Plane, PlaneConfig};
use kube::api::{Api, ApiResource, DynamicObject, GroupVersionKind};
use serde_json::{Value, json};
use tokio::process::Command;

/// A kind with one of everything that the plane must understand.
pub(crate) fn widget_crd() -> Value {
    let steps = json!({
        "type": "array", "maxItems": 8, "x-kubernetes-list-type": "map", "x-kubernetes-list-map-keys": ["name"],
        "items": {"type": "object", "required": ["name"], "properties": {
            "name": {"type": "string"}, "delay": {"type": "integer", "default": 0}}}});
    let spec = json!({
        "type": "object", "required": ["owner"], "description": "What the widget should do.",
        "properties": {
            "owner": {"type": "string", "minLength": 1, "description": "The team that owns it.",
                "x-kubernetes-validations": [{"rule": "self == oldSelf", "message": "owner is immutable"}]},
            "channel": {"type": "string", "enum": ["Email", "Sms"], "default": "Email"},
            "priority": {"type": "integer", "maximum": 100},
            "steps": steps,
            "vars": {"type": "object", "additionalProperties": {"type": "string"}}},
        "x-kubernetes-validations": [{
            "rule": "!has(self.priority) || self.priority != 13", "message": "13 brings bad luck"}]});
    let condition = json!({"type": "object", "required": ["type", "status"], "properties": {
        "type": {"type": "string"}, "status": {"type": "string"}, "reason": {"type": "string"},
        "message": {"type": "string"}, "lastTransitionTime": {"type": "string", "format": "date-time"}}});
    let status = json!({"type": "object", "properties": {
        "phase": {"type": "string"},
        "conditions": {"type": "array", "items": condition,
            "x-kubernetes-list-type": "map", "x-kubernetes-list-map-keys": ["type"]}}});
    json!({
        "apiVersion": "apiextensions.k8s.io/v1", "kind": "CustomResourceDefinition",
        "metadata": {"name": "widgets.test.dev"},
        "spec": {
            "group": "test.dev", "scope": "Namespaced",
            "names": {"plural": "widgets", "singular": "widget", "kind": "Widget", "listKind": "WidgetList",
                "shortNames": ["wd"], "categories": ["gadgets"]},
            "versions": [{
                "name": "v1alpha1", "served": true, "storage": true, "subresources": {"status": {}},
                "selectableFields": [{"jsonPath": ".spec.owner"}],
                "additionalPrinterColumns": [
                    {"name": "Owner", "type": "string", "jsonPath": ".spec.owner"},
                    {"name": "Phase", "type": "string", "jsonPath": ".status.phase"},
                    {"name": "Ready", "type": "string", "jsonPath": ".status.conditions[?(@.type==\"Ready\")].status"},
                    {"name": "Priority", "type": "integer", "jsonPath": ".spec.priority", "priority": 1},
                    {"name": "Age", "type": "date", "jsonPath": ".metadata.creationTimestamp"}],
                "schema": {"openAPIV3Schema": {"type": "object", "required": ["spec"],
                    "description": "Widget is a thing for tests.",
                    "properties": {"spec": spec, "status": status}}}}]}})
}

pub(crate) fn widget(name: &str, spec: Value) -> Value {
    json!({"apiVersion": "test.dev/v1alpha1", "kind": "Widget", "metadata": {"name": name}, "spec": spec})
}

pub(crate) fn widget_object(name: &str, spec: Value) -> DynamicObject {
    serde_json::from_value(widget(name, spec)).unwrap()
}

pub(crate) fn kind() -> ApiResource {
    ApiResource::from_gvk_with_plural(&GroupVersionKind::gvk("test.dev", "v1alpha1", "Widget"), "widgets")
}

pub(crate) fn widgets(client: &kube::Client) -> Api<DynamicObject> {
    Api::namespaced_with(client.clone(), "default", &kind())
}

pub(crate) fn scratch_dir() -> PathBuf {
    let dir = std::env::temp_dir().join(format!("fanfare-plane-{}", uuid::Uuid::new_v4()));
    std::fs::create_dir_all(&dir).unwrap();
    dir
}

pub(crate) fn config(dir: &Path) -> PlaneConfig {
    let mut config = PlaneConfig::new(dir.join("plane.db"), Arc::new(jiff::Timestamp::now));
    config.crds = vec![widget_crd()];
    config
}

pub(crate) async fn start() -> Plane {
    Plane::start(config(&scratch_dir())).await.unwrap()
}

/// What one kubectl command did.
#[derive(Debug)]
pub(crate) struct Ran {
    pub(crate) code: i32,
    pub(crate) stdout: String,
    pub(crate) stderr: String,
}

/// A served plane and a kubectl that knows where it is.
pub(crate) struct Served {
    pub(crate) plane: Plane,
    pub(crate) dir: PathBuf,
}

impl Served {
    pub(crate) async fn start() -> Self {
        Self::with(config(&scratch_dir())).await
    }

    pub(crate) async fn with(config: PlaneConfig) -> Self {
        let dir = config.database.parent().unwrap().to_owned();
        let plane = Plane::start(config).await.unwrap();
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        std::fs::write(dir.join("kubeconfig"), plane.kubeconfig(listener.local_addr().unwrap(), "default")).unwrap();
        let served = plane.clone();
        tokio::spawn(async move { served.serve(listener).await });
        Self { plane, dir }
    }

    pub(crate) fn command(&self, args: &[&str]) -> Command {
        let mut command = Command::new("kubectl");
        command.args(args).env("KUBECONFIG", self.dir.join("kubeconfig")).env("HOME", &self.dir);
        command.env("KUBE_EDITOR", self.dir.join("editor")).stdin(Stdio::null()).kill_on_drop(true);
        command
    }

    pub(crate) async fn run(&self, args: &[&str]) -> Ran {
        let ran = self.command(args).output().await;
        let output = ran.expect("these tests drive the real kubectl: install it and put it on PATH");
        Ran {
            code: output.status.code().unwrap_or(-1),
            stdout: String::from_utf8(output.stdout).unwrap(),
            stderr: String::from_utf8(output.stderr).unwrap(),
        }
    }

    /// Runs a command that must succeed; its output.
    pub(crate) async fn ok(&self, args: &[&str]) -> String {
        let ran = self.run(args).await;
        assert_eq!(ran.code, 0, "kubectl {args:?}: {ran:?}");
        ran.stdout
    }

    /// Runs a command that must fail; its errors.
    pub(crate) async fn fails(&self, args: &[&str]) -> String {
        let ran = self.run(args).await;
        assert_ne!(ran.code, 0, "kubectl {args:?}: {ran:?}");
        ran.stderr
    }

    /// Writes a file that kubectl can be given; its path.
    pub(crate) fn file(&self, name: &str, objects: &[Value]) -> String {
        let path = self.dir.join(name);
        let list = json!({"apiVersion": "v1", "kind": "List", "items": objects});
        let content = if let [one] = objects { one } else { &list };
        std::fs::write(&path, content.to_string()).unwrap();
        path.to_str().unwrap().to_owned()
    }

    /// Makes `kubectl edit` replace one text by another.
    pub(crate) fn editor(&self, from: &str, to: &str) {
        use std::os::unix::fs::PermissionsExt;
        let path = self.dir.join("editor");
        std::fs::write(&path, format!("#!/bin/sh\nsed -i 's/{from}/{to}/' \"$1\"\n")).unwrap();
        std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o755)).unwrap();
    }
}

/// Fails with the whole text when a part is missing.
pub(crate) fn holds(text: &str, parts: &[&str]) {
    for part in parts {
        assert!(text.contains(part), "{part:?} is missing in:\n{text}");
    }
}
