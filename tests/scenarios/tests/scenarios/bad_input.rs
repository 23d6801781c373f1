//! What no client should send: each gets the problem that is written down, never a 5xx, and nothing is lost or kept.

use crate::MIDDAY;
use anyhow::{Context, Result, ensure};
use fanfare_scenarios::{
    customers::{cart, line, paid},
    folder::fixture,
    http::{Answer, Caller, fresh_key},
    shop::{Shop, Start},
};
use reqwest::Method;
use serde_json::{Value, json};

async fn post_raw(caller: &Caller, path: &str, body: Vec<u8>) -> Result<Answer> {
    let key = fresh_key();
    let headers = [("content-type", "application/json"), ("idempotency-key", key.as_str())];
    caller.send(Method::POST, path, &headers, body).await
}

/// A good order with one field changed.
fn wrong_order(change: impl FnOnce(&mut Value)) -> Value {
    let mut order = paid("bad-1", &cart("ann", &[line("1", "MUG-01", 1, "100.00")]));
    change(&mut order);
    order
}

#[tokio::test]
async fn a_body_that_is_not_what_it_should_be_is_answered_with_its_problem() -> Result<()> {
    let shop = Shop::open(&fixture("shop"), Start::at(MIDDAY)).await?;
    shop.member("ann").await?;
    let till = shop.till();
    let deep = format!("{}1{}", "[".repeat(100_000), "]".repeat(100_000));
    let in_field = format!(r#"{{"id":"o","mode":"Commit","cart":{{"lines":{deep}}}}}"#);
    let large = format!(r#"{{"id":"{}"}}"#, "x".repeat(16 * 1024 * 1024));
    let malformed: [(&str, Vec<u8>); 7] = [
        ("half an object", b"{\"id\":".to_vec()),
        ("two objects", b"{} {}".to_vec()),
        ("nothing", b" ".to_vec()),
        ("bytes that are no text", vec![0xff, 0xfe, b'{', b'}']),
        ("deep arrays", deep.into_bytes()),
        ("a deep field", in_field.into_bytes()),
        ("a number that is none", b"{\"id\": 1e}".to_vec()),
    ];
    for (what, body) in malformed {
        post_raw(&till, "/v1/orders", body).await?.problem(400, "malformed").context(what)?;
    }
    match post_raw(&till, "/v1/orders", large.into_bytes()).await {
        Ok(answer) => drop(answer.problem(413, "too-large")?),
        // A server may answer and close while the client still sends; that is a refusal too.
        Err(error) => ensure!(format!("{error:#}").contains("/v1/orders"), "{error:#}"),
    }

    let invalid: [(&str, Value, &str); 9] = [
        ("an array", json!([]), ""),
        ("an unknown field", wrong_order(|order| order["cuopon"] = json!("X")), "/cuopon"),
        ("an unknown mode", wrong_order(|order| order["mode"] = json!("Maybe")), "/mode"),
        (
            "a number for money",
            wrong_order(|order| order["cart"]["lines"][0]["unitPrice"] = json!(100)),
            "/cart/lines/0/unitPrice",
        ),
        (
            "a negative price",
            wrong_order(|order| order["cart"]["lines"][0]["unitPrice"] = json!("-1.00")),
            "/cart/lines/0/unitPrice",
        ),
        (
            "a fraction of a satang",
            wrong_order(|order| order["cart"]["lines"][0]["unitPrice"] = json!("1.001")),
            "/cart/lines/0/unitPrice",
        ),
        ("no pieces", wrong_order(|order| order["cart"]["lines"][0]["quantity"] = json!(0)), "/cart/lines/0/quantity"),
        (
            "half a piece",
            wrong_order(|order| order["cart"]["lines"][0]["quantity"] = json!(0.5)),
            "/cart/lines/0/quantity",
        ),
        ("no lines", wrong_order(|order| order["cart"]["lines"] = json!([])), "/cart/lines"),
    ];
    for (what, body, pointer) in invalid {
        let found = till.post("/v1/orders", &body).await?.problem(422, "invalid").context(what)?;
        let first = &found["errors"][0];
        ensure!(first["pointer"] == pointer, "{what}: {found}");
        ensure!(first["reason"].is_string() && first["remedy"].is_string(), "{what}: {found}");
    }
    let dollars = wrong_order(|order| order["cart"]["currency"] = json!("USD"));
    till.post("/v1/orders", &dollars).await?.problem(422, "currency-mismatch")?;
    let stranger = wrong_order(|order| order["cart"]["memberId"] = json!("nobody-knows"));
    till.post("/v1/orders", &stranger).await?.problem(404, "member-unknown")?;

    till.get("/v1/orders/bad-1").await?.problem(404, "not-found").context("nothing of all this was kept")?;
    let good = paid("good-1", &cart("ann", &[line("1", "MUG-01", 1, "100.00")]));
    till.post("/v1/orders", &good).await?.is(201)?;
    shop.close().await
}

#[tokio::test]
async fn who_may_not_call_is_told_so_and_what_is_not_there_is_not_found() -> Result<()> {
    let shop = Shop::open(&fixture("shop"), Start::at(MIDDAY)).await?;
    let (anyone, ann) = (shop.anyone().clone(), shop.member("ann").await?);
    anyone.get("/v1/grants").await?.problem(401, "unauthenticated")?;
    anyone.with("not-a-key").get("/v1/grants").await?.problem(401, "unauthenticated")?;
    let order = paid("o-1", &cart("ann", &[line("1", "MUG-01", 1, "100.00")]));
    ann.post("/v1/orders", &order).await?.problem(403, "forbidden")?;
    shop.till().put("/v1/members/ann", &json!({})).await?.problem(403, "forbidden")?;
    ann.get("/v1/grants/00000000").await?.problem(404, "not-found")?;
    ann.get("/v1/campaigns/no-such").await?.problem(404, "not-found")?;
    anyone.get("/v1/no-such-path").await?.problem(404, "not-found")?;
    for path in
        ["/v1/campaigns?view=sideways", "/v1/campaigns?limit=0", "/v1/campaigns?limit=101", "/v1/campaigns?cursor=%00"]
    {
        let answer = anyone.get(path).await?;
        ensure!((400..500).contains(&answer.status), "{answer:?}");
    }
    shop.close().await
}

#[tokio::test]
async fn a_bad_event_never_sinks_its_batch() -> Result<()> {
    let shop = Shop::open(&fixture("shop"), Start::at(MIDDAY)).await?;
    let now = shop.now().await?;
    let at = |shift: chrono::TimeDelta| (now + shift).to_rfc3339();
    let event = |id: &str, time: String, data: Value| json!({"specversion": "1.0", "type": "store.visited", "source": "scenario", "id": id, "subject": "ann", "time": time, "data": data});
    let none = chrono::TimeDelta::zero();
    let mut untyped = event("e5", at(none), json!({"storeId": "bkk-01"}));
    untyped["type"] = json!(7);
    let batch = json!([
        event("e1", at(none), json!({"storeId": "bkk-01"})),
        event("e2", at(-chrono::TimeDelta::days(500)), json!({"storeId": "bkk-01"})),
        event("e3", at(chrono::TimeDelta::days(1)), json!({"storeId": "bkk-01"})),
        event("e1", at(none), json!({"storeId": "cnx-01"})),
        untyped,
        event("e6", at(none), json!({"storeId": "bkk-01"})),
    ]);
    let headers = [("content-type", "application/cloudevents-batch+json")];
    let backend = shop.backend();
    let answer = backend.send(Method::POST, "/v1/events", &headers, serde_json::to_vec(&batch)?).await?.is(200)?;
    let statuses: Vec<&str> =
        answer["results"].as_array().context("no results")?.iter().filter_map(|one| one["status"].as_str()).collect();
    ensure!(statuses == ["Accepted", "Rejected", "Rejected", "Rejected", "Rejected", "Accepted"], "{answer}");
    ensure!(answer["results"][3].to_string().contains("event-id-reused"), "{answer}");
    for bad in [json!("x"), json!({"specversion": "0.3"}), json!([1, 2])] {
        let answer = backend.send(Method::POST, "/v1/events", &headers, serde_json::to_vec(&bad)?).await?;
        ensure!(answer.status < 500, "{answer:?}");
    }
    shop.close().await
}

#[tokio::test]
async fn the_api_describes_itself_and_says_that_it_is_well() -> Result<()> {
    let shop = Shop::open(&fixture("shop"), Start::at(MIDDAY)).await?;
    let anyone = shop.anyone();
    let description = anyone.get("/openapi.json").await?.is(200)?;
    ensure!(description["openapi"].as_str().is_some_and(|version| version.starts_with("3.1")), "{description}");
    for path in
        ["/v1/campaigns", "/v1/carts/evaluate", "/v1/orders", "/v1/redemptions", "/v1/events", "/v1/grants/{id}/claim"]
    {
        ensure!(description["paths"][path].is_object(), "{path} is not described");
    }
    for path in ["/healthz", "/readyz", "/metrics"] {
        anyone.get(path).await?.check(200)?;
    }
    let metrics = anyone.get("/metrics").await?.is(200)?;
    for secret in [&shop.credentials().terminal_key, &shop.credentials().integration_key] {
        ensure!(
            !metrics.to_string().contains(secret.as_str()) && !shop.log().contains(secret.as_str()),
            "a key leaked"
        );
    }
    shop.close().await
}
