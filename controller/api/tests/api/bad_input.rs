//! Hostile and mistaken requests: each ends as its problem, none as a 500.

use crate::support::Shop;
use axum::body::Body;
use serde_json::{Value, json};

#[tokio::test]
async fn every_call_with_a_body_refuses_what_it_cannot_read() {
    let shop = Shop::open().await;
    let member = shop.login("m1").await;
    let document: Value = serde_json::from_str(&fanfare_api::openapi_json()).unwrap();
    let deep = format!("{}{}", "[".repeat(50_000), "]".repeat(50_000));
    let oversize = format!("{{\"x\": \"{}\"}}", "a".repeat(9 * 1024 * 1024));
    let mut tried = 0;
    for (path, item) in document["paths"].as_object().unwrap() {
        for (method, operation) in item.as_object().unwrap() {
            if operation.get("requestBody").is_none() || path.ends_with("/import") || path.ends_with("/codes") {
                continue;
            }
            tried += 1;
            let path = path
                .replace("{name}", "x")
                .replace("{mechanic}", "y")
                .replace("{action}", "draw")
                .replace("{id}", "i1");
            let security = operation["security"].as_array().cloned().unwrap_or_default();
            let names: Vec<&str> =
                security.iter().flat_map(|one| one.as_object().unwrap().keys().map(String::as_str)).collect();
            let who = if names.contains(&"member") { &member } else { &shop.integration };
            let bearer = format!("Bearer {who}");
            let send = async |content: &str, body: &str| {
                let headers = [("authorization", &*bearer), ("idempotency-key", "k"), ("content-type", content)];
                shop.send(&method.to_uppercase(), &path, &headers, body.to_owned()).await
            };
            let name = format!("{method} {path}");
            let about = |answer: crate::support::Answer, status: u16, code: &str| {
                assert_eq!(answer.status.as_u16(), status, "{name}: {}", String::from_utf8_lossy(&answer.bytes));
                answer.is_problem(status, code);
            };
            for malformed in ["{", "{\"a\": }", "nope", "{} {}", "\u{1}", &deep] {
                about(send("application/json", malformed).await, 400, "malformed");
            }
            about(send("application/json", &oversize).await, 413, "too-large");
            about(send("text/plain", "{}").await, 415, "unsupported-media-type");
            for wrong in ["[]", "7", "\"x\"", "null", "{\"noSuchField\": 1}"] {
                about(send("application/json", wrong).await, 422, "invalid");
            }
        }
    }
    assert!(tried > 8, "{tried}");
}

#[tokio::test]
async fn a_call_that_moves_value_needs_a_usable_key() {
    let shop = Shop::open().await;
    let bearer = format!("Bearer {}", shop.till);
    let body = json!({"code": "A", "mode": "Commit"}).to_string();
    let send = async |key: Option<&str>| {
        let mut headers = vec![("authorization", &*bearer), ("content-type", "application/json")];
        headers.extend(key.map(|key| ("idempotency-key", key)));
        shop.send("POST", "/v1/redemptions", &headers, body.clone()).await
    };
    send(None).await.is_problem(400, "idempotency-key-missing");
    for wrong in ["", &"k".repeat(65), "ก", "a\tb"] {
        send(Some(wrong)).await.is_problem(400, "idempotency-key-missing");
    }
    send(Some(&"k".repeat(64))).await.is_problem(404, "code-unknown");
}

#[tokio::test]
async fn strange_paths_and_queries_are_problems() {
    let shop = Shop::open().await;
    let member = shop.login("m1").await;
    for path in ["/v1/grants/%00", "/v1/grants/%FF%FE", "/v1/grants/..%2f..%2fetc", "/v1/grants/'%20OR%201=1--"] {
        shop.get(&member, path).await.is_problem(404, "not-found");
    }
    shop.get(&member, &format!("/v1/grants/{}", "a".repeat(5_000))).await.is_problem(404, "not-found");
    for (query, pointer) in [
        ("limit=0", "?limit"),
        ("limit=101", "?limit"),
        ("limit=x", "?limit"),
        ("cursor=%21", "?cursor"),
        ("state=Nope", "?state"),
    ] {
        let problem = shop.get(&member, &format!("/v1/grants?{query}")).await.is_problem(422, "invalid");
        assert_eq!(problem["errors"][0]["pointer"], pointer);
    }
    shop.get(&member, &format!("/v1/grants?cursor={}", "a".repeat(1_000))).await.is_problem(400, "malformed");
    shop.get(&member, &format!("/v1/grants?{}", "a=1&".repeat(100))).await.is_problem(400, "malformed");
    assert_eq!(shop.get(&member, "/v1/grants?limit=100").await.is(200), json!({"items": [], "next": null}));
}

#[tokio::test]
async fn a_body_that_is_no_utf8_is_malformed() {
    let shop = Shop::open().await;
    let headers = [("content-type", "application/json")];
    let body = Body::from(b"{\"memberId\": \"\xff\xfe\"}".to_vec());
    shop.send("POST", "/v1/auth/dev", &headers, body).await.is_problem(400, "malformed");
    let escaped = Body::from("{\"memberId\": \"\\ud800\"}");
    shop.send("POST", "/v1/auth/dev", &headers, escaped).await.is_problem(400, "malformed");
    let null = Body::from("{\"memberId\": \"a\\u0000b\"}");
    shop.send("POST", "/v1/auth/dev", &headers, null).await.is_problem(422, "invalid");
}
