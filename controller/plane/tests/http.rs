//! Bad and foreign requests over plain HTTP: each gets its refusal, and the plane goes on.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test that cannot go on must say so")]

mod common;

use common::{start, widget};
use fanfare_plane::ServeError;
use serde_json::json;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};

const WIDGETS: &str = "/apis/test.dev/v1alpha1/namespaces/default/widgets";

struct Raw {
    address: std::net::SocketAddr,
}

impl Raw {
    async fn start() -> Self {
        let plane = start().await;
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        tokio::spawn(async move { plane.serve(listener).await });
        Self { address }
    }

    /// Sends one request and returns the whole answer.
    async fn send(&self, method: &str, path: &str, headers: &str, body: &str) -> String {
        let mut stream = TcpStream::connect(self.address).await.unwrap();
        let head = format!(
            "{method} {path} HTTP/1.1\r\nhost: {}\r\nconnection: close\r\ncontent-length: {}\r\n{headers}\r\n",
            self.address,
            body.len()
        );
        stream.write_all(head.as_bytes()).await.unwrap();
        // A body that is refused early may not be read to its end.
        drop(stream.write_all(body.as_bytes()).await);
        let mut answer = Vec::new();
        drop(stream.read_to_end(&mut answer).await);
        String::from_utf8_lossy(&answer).into_owned()
    }

    async fn check(&self, method: &str, path: &str, headers: &str, body: &str, expect: &[&str]) {
        let answer = self.send(method, path, headers, body).await;
        common::holds(&answer, expect);
    }
}

/// Of this process, in MiB.
fn memory() -> usize {
    let pages = std::fs::read_to_string("/proc/self/statm").unwrap();
    pages.split_whitespace().nth(1).unwrap().parse::<usize>().unwrap() * 4 / 1024
}

/// 20 MiB of objects, and 80 readers of all of them: encoded for each they would be 1.6 GiB.
#[tokio::test]
async fn readers_that_do_not_read_cost_a_piece_each() {
    let plane = Raw::start().await;
    for i in 0..200 {
        let body = json!({"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": format!("m-{i}")},
            "data": {"text": "x".repeat(100 << 10)}});
        let json_type = "content-type: application/json\r\n";
        plane.check("POST", "/api/v1/namespaces/default/configmaps", json_type, &body.to_string(), &["201"]).await;
    }
    let before = memory();
    let mut readers = Vec::new();
    let initial = "?watch=true&sendInitialEvents=true&resourceVersionMatch=NotOlderThan&allowWatchBookmarks=true";
    for query in ["", initial].repeat(40) {
        let mut reader = TcpStream::connect(plane.address).await.unwrap();
        let head = format!("GET /api/v1/configmaps{query} HTTP/1.1\r\nhost: {}\r\n\r\n", plane.address);
        reader.write_all(head.as_bytes()).await.unwrap();
        // The answer has begun, and is as far as it gets.
        reader.readable().await.unwrap();
        readers.push(reader);
    }
    let grown = memory().saturating_sub(before);
    assert!(grown < 400, "{grown} MiB for {} readers", readers.len());
    // A long answer is whole all the same.
    let all = plane.send("GET", "/api/v1/configmaps", "", "").await;
    assert_eq!(all.matches("\"name\":\"m-").count(), 200);
}

#[tokio::test]
async fn each_bad_request_gets_its_status() {
    let plane = Raw::start().await;
    let json_type = "content-type: application/json\r\n";
    let merge_type = "content-type: application/merge-patch+json\r\n";
    let patch_type = "content-type: application/json-patch+json\r\n";
    let deep = "[".repeat(200_000);
    let duplicate = r#"{"apiVersion":"test.dev/v1alpha1","kind":"Widget","metadata":{"name":"a"},"spec":{"owner":"x","owner":"y"}}"#;
    let good = widget("good", json!({"owner": "crm"})).to_string();
    plane.check("POST", WIDGETS, json_type, &good, &["HTTP/1.1 201", "\"name\":\"good\""]).await;
    let one = format!("{WIDGETS}/good");
    plane.check("POST", WIDGETS, json_type, "{", &["HTTP/1.1 400", "\"reason\":\"BadRequest\""]).await;
    plane.check("POST", WIDGETS, json_type, "[]", &["HTTP/1.1 400"]).await;
    plane.check("POST", WIDGETS, json_type, "\"x\"", &["HTTP/1.1 400"]).await;
    plane.check("POST", WIDGETS, json_type, &deep, &["HTTP/1.1 400"]).await;
    plane
        .check(
            "POST",
            WIDGETS,
            json_type,
            r#"{"apiVersion":"test.dev/v1alpha1","kind":"Widget","metadata":"x"}"#,
            &["HTTP/1.1 422", "name or generateName is required"],
        )
        .await;
    plane
        .check(
            "POST",
            WIDGETS,
            json_type,
            r#"{"apiVersion":"test.dev/v1alpha1","kind":"Widget","metadata":{"name":"X"}}"#,
            &["HTTP/1.1 422", "RFC 1123"],
        )
        .await;
    plane
        .check(
            "POST",
            WIDGETS,
            json_type,
            r#"{"apiVersion":"test.dev/v1alpha1","kind":"Widget","metadata":{"name":"a","labels":5},"spec":{"owner":"x"}}"#,
            &["HTTP/1.1 400", "metadata.labels"],
        )
        .await;
    plane.check("POST", WIDGETS, "content-type: text/plain\r\n", "x", &["HTTP/1.1 415"]).await;
    plane
        .check(
            "POST",
            &format!("{WIDGETS}?fieldValidation=Strict"),
            json_type,
            duplicate,
            &["HTTP/1.1 400", "duplicate field \\\"spec.owner\\\""],
        )
        .await;
    plane.check("POST", WIDGETS, json_type, &" ".repeat(4 << 20), &["HTTP/1.1 413"]).await;
    plane.check("PATCH", &one, merge_type, "5", &["HTTP/1.1 400"]).await;
    plane.check("PATCH", &one, merge_type, r#"{"metadata":null}"#, &["HTTP/1.1 400"]).await;
    plane.check("PATCH", &one, patch_type, r#"{"op":"x"}"#, &["HTTP/1.1 400"]).await;
    plane.check("PATCH", &one, patch_type, r#"[{"op":"remove","path":"/spec/none"}]"#, &["HTTP/1.1 422"]).await;
    plane
        .check(
            "PATCH",
            &one,
            "content-type: application/apply-patch+yaml\r\n",
            "spec: {}",
            &["HTTP/1.1 422", "fieldManager"],
        )
        .await;
    plane
        .check(
            "PUT",
            &one,
            json_type,
            &widget("other", json!({"owner": "x"})).to_string(),
            &["HTTP/1.1 400", "does not match the name on the URL"],
        )
        .await;
    plane.check("POST", &one, json_type, "{}", &["HTTP/1.1 405"]).await;
    plane
        .check(
            "GET",
            &format!("{WIDGETS}?labelSelector=a%20b"),
            "",
            "",
            &["HTTP/1.1 400", "unable to parse requirement"],
        )
        .await;
    plane.check("GET", &format!("{WIDGETS}?continue=zzz"), "", "", &["HTTP/1.1 400"]).await;
    plane.check("GET", &format!("{WIDGETS}?watch=1&resourceVersion=x"), "", "", &["HTTP/1.1 400"]).await;
    plane.check("GET", "/apis/rbac.authorization.k8s.io/v1/roles", "", "", &["HTTP/1.1 404"]).await;
    plane.check("GET", &one, "", "", &["HTTP/1.1 200", "\"owner\":\"crm\""]).await;
}

#[tokio::test]
async fn no_shape_of_a_body_takes_the_plane_down() {
    let plane = Raw::start().await;
    let odd = ["null", "5", "\"x\"", "[]", "[null]", "{}", "true", r#"{"metadata":1}"#, r#"[{"name":5}]"#];
    let fields = [
        "metadata",
        "metadata/labels",
        "metadata/annotations",
        "metadata/ownerReferences",
        "metadata/finalizers",
        "metadata/managedFields",
        "metadata/name",
        "spec",
        "spec/template",
        "spec/template/spec",
        "spec/strategy",
        "spec/template/spec/containers",
        "spec/ports",
        "spec/finalizers",
        "spec/names",
        "spec/versions",
        "spec/conversion",
        "spec/owner",
        "spec/steps",
        "status",
        "status/conditions",
        "data",
        "stringData",
        "involvedObject",
        "series",
        "apiVersion",
        "kind",
    ];
    let collections = [
        "/api/v1/namespaces",
        "/api/v1/namespaces/default/configmaps",
        "/api/v1/namespaces/default/secrets",
        "/api/v1/namespaces/default/services",
        "/api/v1/namespaces/default/events",
        "/apis/events.k8s.io/v1/namespaces/default/events",
        "/apis/apps/v1/namespaces/default/deployments",
        "/apis/coordination.k8s.io/v1/namespaces/default/leases",
        WIDGETS,
        "/apis/apiextensions.k8s.io/v1/customresourcedefinitions",
    ];
    let json_type = "content-type: application/json\r\n";
    let apply_type = "content-type: application/apply-patch+yaml\r\n";
    for collection in collections {
        for field in fields {
            for value in odd {
                let mut body: serde_json::Value = json!({"metadata": {"name": "odd"}});
                let value: serde_json::Value = serde_json::from_str(value).unwrap();
                let nested = field.rsplit('/').fold(value, |inner, key| json!({key: inner}));
                merge(&mut body, nested);
                let text = body.to_string();
                let answer = plane.send("POST", collection, json_type, &text).await;
                assert!(
                    answer.starts_with("HTTP/1.1 2") || answer.starts_with("HTTP/1.1 4"),
                    "{collection} {text}: {answer}"
                );
                let one = format!("{collection}/odd?fieldManager=test&force=true");
                let answer = plane.send("PATCH", &one, apply_type, &text).await;
                assert!(
                    answer.starts_with("HTTP/1.1 2") || answer.starts_with("HTTP/1.1 4"),
                    "{collection} {text}: {answer}"
                );
            }
        }
    }
}

fn merge(into: &mut serde_json::Value, from: serde_json::Value) {
    match (into, from) {
        (serde_json::Value::Object(into), serde_json::Value::Object(from)) => {
            for (key, value) in from {
                merge(into.entry(key).or_insert(serde_json::Value::Null), value);
            }
        }
        (into, from) => *into = from,
    }
}

#[tokio::test]
async fn web_pages_are_refused_and_so_is_a_listener_that_others_can_reach() {
    let plane = Raw::start().await;
    plane.check("GET", WIDGETS, "origin: https://evil.example\r\n", "", &["HTTP/1.1 403"]).await;
    let listener = TcpListener::bind("0.0.0.0:0").await.unwrap();
    let refused = start().await.serve(listener).await;
    assert!(matches!(refused, Err(ServeError::NotLoopback(_))), "{refused:?}");
}
