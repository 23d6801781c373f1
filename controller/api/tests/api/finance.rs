//! Corrections, reconciliation, reports and the export, over HTTP.

use crate::support::{Shop, credential};
use fanfare_api::Scope;
use fanfare_core::{
    model::{Plan, RuntimePlan},
    money::Minor,
};
use serde_json::{Value, json};

/// A shop where a correction above 100.00 needs a second person, and half off in the campaign "half".
async fn shop() -> Shop {
    let shop = Shop::open().await;
    let runtime = shop.engine.plans().runtime.clone().unwrap();
    let runtime = RuntimePlan { approve_above: Some(Minor(10_000)), ..(*runtime).clone() };
    shop.publish_as("main", "r2", Plan::CampaignRuntime(runtime)).await;
    let mut plan = crate::campaigns::double_11();
    plan.name = "half".into();
    plan.mechanics.truncate(1);
    shop.publish("half", Plan::Campaign(plan)).await;
    shop
}

fn order(id: &str) -> Value {
    json!({ "id": id, "mode": "Commit", "businessDate": "2026-11-11", "cart": {
        "currency": "THB", "storeId": "bkk-01", "channel": "pos",
        "lines": [{ "id": "1", "sku": "MUG", "quantity": 2, "unitPrice": "100.00" }] } })
}

fn cost(amount: &str) -> Value {
    json!({ "reason": "the invoice says so", "cost": { "campaign": "half", "category": "messages", "amount": amount } })
}

#[tokio::test]
async fn a_large_correction_waits_for_a_key_of_another_person() {
    let shop = shop().await;
    let ann = credential(&shop.engine, None, &[Scope::Adjust, Scope::Approve]).await;
    let bob = credential(&shop.engine, None, &[Scope::Approve]).await;
    let small = shop.post(&ann, "/v1/adjustments", &cost("100.00")).await.is(201);
    assert_eq!((small["state"].as_str(), small["cost"]["amount"].as_str()), (Some("Posted"), Some("100.00")));
    assert_eq!(small["worth"], json!({ "amount": "100.00", "currency": "THB" }));

    let large = shop.post_with(&ann, "key-1", "/v1/adjustments", &cost("100.01")).await;
    let again = shop.post_with(&ann, "key-1", "/v1/adjustments", &cost("100.01")).await;
    assert_eq!((again.is(201), again.header("idempotency-replayed")), (large.is(201), "true"));
    let large = large.json();
    assert_eq!(large["state"], "Pending");
    let path = |verb: &str| format!("/v1/adjustments/{}/{verb}", large["id"].as_str().unwrap());
    shop.post(&ann, &path("approve"), &json!({})).await.is_problem(409, "same-person");
    shop.post(&bob, "/v1/adjustments", &cost("1.00")).await.is_problem(403, "forbidden");
    let waiting = shop.get(&bob, "/v1/adjustments?state=Pending").await.is(200);
    assert_eq!(waiting["items"].as_array().unwrap().len(), 1);
    let done = shop.post(&bob, &path("approve"), &json!({ "reason": "checked" })).await.is(200);
    assert_eq!((done["state"].as_str(), done["decisionReason"].as_str()), (Some("Posted"), Some("checked")));
    assert_ne!(done["decidedBy"], done["proposedBy"]);
    shop.post(&bob, &path("reject"), &json!({})).await.is_problem(409, "already-decided");
    shop.post(&bob, "/v1/adjustments/none/approve", &json!({})).await.is_problem(404, "not-found");
    assert_eq!(shop.get(&ann, "/v1/adjustments").await.is(200)["items"].as_array().unwrap().len(), 2);
    shop.get(&ann, "/v1/adjustments?state=Old").await.is_problem(422, "invalid");
    let none = json!({ "reason": "x", "stock": { "reward": "none", "quantity": 1 } });
    shop.post(&ann, "/v1/adjustments", &none).await.is_problem(404, "subject-unknown");
    shop.post(&ann, "/v1/adjustments", &cost("-500.00")).await.is_problem(409, "exceeds-remaining");
}

#[tokio::test]
async fn a_business_day_is_one_that_a_till_can_have() {
    let shop = shop().await;
    let on = |id: &str, day: &str| {
        let mut body = order(id);
        body["businessDate"] = json!(day);
        body
    };
    for (day, status) in [
        ("0001-01-01", 422),
        ("2025-10-06", 422),
        ("2025-10-07", 201),
        ("2026-11-12", 201),
        ("2026-11-13", 422),
        ("9999-12-31", 422),
    ] {
        let placed = shop.post(&shop.till, "/v1/orders", &on(day, day)).await;
        let back =
            json!({ "returnId": day, "reason": "size", "businessDate": day, "lines": [{ "id": "1", "quantity": 1 }] });
        if status == 201 {
            placed.is(201);
            shop.post(&shop.till, &format!("/v1/orders/{day}/returns"), &back).await.is(201);
            continue;
        }
        shop.post(&shop.till, "/v1/orders", &order(day)).await.is(201);
        for answer in [placed, shop.post(&shop.till, &format!("/v1/orders/{day}/returns"), &back).await] {
            assert_eq!(answer.is_problem(422, "invalid")["errors"][0]["pointer"], "/businessDate", "{day}");
        }
    }
}

#[tokio::test]
async fn who_may_only_propose_takes_back_what_is_their_own() {
    let shop = shop().await;
    let [ann, mali] = [(); 2].map(|()| credential(&shop.engine, None, &[Scope::Adjust]));
    let (ann, mali) = (ann.await, mali.await);
    let waiting = shop.post(&ann, "/v1/adjustments", &cost("500.00")).await.is(201);
    let path = format!("/v1/adjustments/{}/reject", waiting["id"].as_str().unwrap());
    shop.post(&mali, &path, &json!({})).await.is_problem(403, "not-proposer");
    assert_eq!(shop.get(&ann, "/v1/adjustments?state=Pending").await.is(200)["items"].as_array().unwrap().len(), 1);
    assert_eq!(shop.post(&ann, &path, &json!({})).await.is(200)["state"], "Rejected");
}

#[tokio::test]
async fn a_till_reads_its_own_day_and_an_integration_every_store_s() {
    let shop = shop().await;
    shop.post(&shop.till, "/v1/orders", &order("o1")).await.is(201);
    let back = json!({ "returnId": "r1", "reason": "size", "storeId": "bkk-02", "businessDate": "2026-11-12",
        "lines": [{ "id": "1", "quantity": 1 }] });
    shop.post(&shop.till, "/v1/orders/o1/returns", &back).await.is_problem(409, "store-mismatch");
    let order = shop.post(&shop.integration, "/v1/orders/o1/returns", &back).await.is(201);
    let returned = &order["returns"][0];
    assert_eq!((returned["storeId"].as_str(), returned["businessDate"].as_str()), (Some("bkk-02"), Some("2026-11-12")));

    let day = shop.get(&shop.till, "/v1/reconciliation?businessDate=2026-11-11").await;
    let body = day.is(200);
    assert_eq!(body["position"].to_string(), day.header("fanfare-position"));
    let one = &body["items"][0];
    assert_eq!((one["storeId"].as_str(), one["orders"].as_i64()), (Some("bkk-01"), Some(1)));
    assert_eq!((&one["gross"], &one["discount"], &one["net"]), (&json!("200.00"), &json!("100.00"), &json!("100.00")));
    let elsewhere = "/v1/reconciliation?businessDate=2026-11-12&storeId=bkk-02";
    shop.get(&shop.till, elsewhere).await.is_problem(409, "store-mismatch");
    let csv = shop.get(&shop.integration, &format!("{elsewhere}&format=csv")).await;
    assert!(csv.header("content-type").starts_with("text/csv"));
    let text = String::from_utf8(csv.bytes.clone()).unwrap();
    let position = csv.header("fanfare-position").to_owned();
    let row =
        format!("{position},bkk-02,2026-11-12,THB,0,0.00,0.00,0.00,0.00,1,50.00,0.00,-50.00,0,0.00,0,0.00,0,0.00,0");
    assert_eq!(text.lines().nth(1), Some(row.as_str()), "{text}");
    let empty = shop.get(&shop.integration, "/v1/reconciliation?businessDate=2026-01-01&storeId=bkk-01").await.is(200);
    assert_eq!(empty["items"][0]["orders"], 0);
    for wrong in ["", "?businessDate=yesterday", "?businessDate=2026-11-31", "?businessDate=2026-11-11&format=xml"] {
        shop.get(&shop.till, &format!("/v1/reconciliation{wrong}")).await.is_problem(422, "invalid");
    }
    for path in ["/v1/reconciliation?businessDate=2026-11-11&", "/v1/exceptions?"] {
        let unknown = shop.get(&shop.integration, &format!("{path}storeId=bkk-03")).await.is_problem(422, "invalid");
        assert_eq!(unknown["errors"][0]["pointer"], "?storeId");
        assert_eq!(unknown["errors"][0]["remedy"], "did you mean \"bkk-01\"?");
    }
    let none = credential(&shop.engine, None, &[Scope::Redeem]).await;
    shop.get(&none, "/v1/reconciliation?businessDate=2026-11-11").await.is_problem(403, "forbidden");
}

#[tokio::test]
async fn reports_and_exceptions_come_as_json_and_csv_and_name_their_position() {
    let shop = shop().await;
    shop.post(&shop.till, "/v1/orders", &order("o1")).await.is(201);
    let who = &shop.integration;
    let trial = shop.get(who, "/v1/reports/trial-balance").await;
    let body = trial.is(200);
    assert_eq!(body["totals"], json!([{ "unit": "THB", "amount": "0.00" }]));
    assert_eq!(body["position"].to_string(), trial.header("fanfare-position"));
    let items = body["items"].as_array().unwrap();
    let cost = items.iter().find(|item| item["account"] == "cost/half/discounts").unwrap();
    assert_eq!((&cost["amount"], &cost["accounts"]), (&json!("100.00"), &json!(1)));
    for name in ["trial-balance", "liability", "breakage"] {
        let csv = shop.get(who, &format!("/v1/reports/{name}?format=csv")).await;
        csv.is(200);
        assert!(csv.bytes.starts_with(b"position,"), "{name}");
        shop.get(&shop.till, &format!("/v1/reports/{name}")).await.is_problem(403, "forbidden");
    }
    shop.get(who, "/v1/reports/none").await.is_problem(404, "not-found");
    let accept = [("authorization", format!("Bearer {who}")), ("accept", "text/csv".into())];
    let accept: Vec<(&str, &str)> = accept.iter().map(|(name, value)| (*name, value.as_str())).collect();
    let csv = shop.send("GET", "/v1/exceptions?kind=late-commit", &accept, axum::body::Body::empty()).await;
    csv.is(200);
    assert!(csv.bytes.starts_with(b"position,id,kind,at,about,"));
    assert_eq!(shop.get(who, "/v1/exceptions?storeId=bkk-01").await.is(200), json!({ "items": [], "next": null }));
    shop.get(who, "/v1/exceptions?businessDate=x").await.is_problem(422, "invalid");
}

#[tokio::test]
async fn the_ledger_is_exported_from_a_position_on() {
    let shop = shop().await;
    for id in ["o1", "o2"] {
        shop.post(&shop.till, "/v1/orders", &order(id)).await.is(201);
    }
    let whole = shop.get(&shop.integration, "/v1/ledger").await;
    whole.is(200);
    assert_eq!(whole.header("content-type"), "application/x-ndjson");
    let read = |bytes: &[u8]| -> Vec<Value> {
        std::str::from_utf8(bytes).unwrap().lines().map(|line| serde_json::from_str(line).unwrap()).collect()
    };
    let lines = read(&whole.bytes);
    assert!(lines.len() >= 4);
    assert!(lines.iter().all(|line| line["chain"].as_str().is_some_and(|chain| chain.len() == 64)));
    let sum: i64 = lines.iter().map(|line| line["minor"].as_i64().unwrap()).sum();
    assert_eq!(sum, 0);
    let middle = lines[lines.len() / 2 - 1]["position"].as_i64().unwrap();
    let rest = read(&shop.get(&shop.integration, &format!("/v1/ledger?from={middle}")).await.bytes);
    let behind: Vec<Value> = lines.iter().filter(|line| line["position"].as_i64().unwrap() > middle).cloned().collect();
    assert_eq!(rest, behind);
    assert!(!rest.is_empty() && rest.len() < lines.len());
    let csv = shop.get(&shop.integration, "/v1/ledger?format=csv").await;
    let text = String::from_utf8(csv.bytes).unwrap();
    assert_eq!(text.lines().count(), lines.len() + 1);
    let to: i64 = whole.header("fanfare-position").parse().unwrap();
    let nothing = shop.get(&shop.integration, &format!("/v1/ledger?from={to}")).await;
    assert_eq!((nothing.is(200), nothing.bytes.len()), (Value::Null, 0));
    shop.get(&shop.integration, "/v1/ledger?from=-1").await.is_problem(422, "invalid");
}
