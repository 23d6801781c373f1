//! Vouchers at a till.

use crate::support::Shop;
use serde_json::json;

#[tokio::test]
async fn an_unknown_code_is_404_and_its_answer_is_replayed() {
    let shop = Shop::open().await;
    let body = json!({"code": "NOPE-1", "mode": "Commit", "storeId": "bkk-01"});
    let first = shop.post_with(&shop.till, "key-1", "/v1/redemptions", &body).await;
    first.is_problem(404, "code-unknown");
    assert_eq!(first.header("idempotency-replayed"), "");
    assert!(!first.header("fanfare-position").is_empty());

    let spaced = json!({"storeId": "bkk-01", "mode": "Commit", "code": "NOPE-1"});
    let again = shop.post_with(&shop.till, "key-1", "/v1/redemptions", &spaced).await;
    again.is_problem(404, "code-unknown");
    assert_eq!(again.header("idempotency-replayed"), "true");
    assert_eq!(again.bytes, first.bytes);

    let other = json!({"code": "NOPE-2", "mode": "Commit", "storeId": "bkk-01"});
    shop.post_with(&shop.till, "key-1", "/v1/redemptions", &other).await.is_problem(422, "idempotency-key-reused");
    let elsewhere = shop.post_with(&shop.integration, "key-1", "/v1/redemptions", &other).await;
    elsewhere.is_problem(404, "code-unknown");
    assert_eq!(elsewhere.header("idempotency-replayed"), "", "keys are the terminal's or the client's own");
}

#[tokio::test]
async fn a_wrong_redemption_is_answered_by_field() {
    let shop = Shop::open().await;
    let good = json!({"code": "A", "mode": "Commit", "storeId": "bkk-01", "order": {"id": "o", "total": "1.00", "currency": "THB"}});
    for (pointer, value, expect) in [
        ("/mode", json!("Maybe"), "/mode"),
        ("/amount", json!("0.00"), "/amount"),
        ("/amount", json!("-1"), "/amount"),
        ("/amount", json!(5), "/amount"),
        ("/order/total", json!("1.234"), "/order/total"),
        ("/occurredAt", json!("now"), "/occurredAt"),
        ("/code", json!(""), "/code"),
        ("/extra", json!(1), "/extra"),
    ] {
        let mut body = good.clone();
        match pointer.rsplit_once('/').unwrap() {
            ("", field) => body[field] = value.clone(),
            (parent, field) => body[&parent[1..]][field] = value.clone(),
        }
        let problem = shop.post(&shop.till, "/v1/redemptions", &body).await.is_problem(422, "invalid");
        assert_eq!(problem["errors"][0]["pointer"], expect, "{problem}");
    }
    let mut dollars = good.clone();
    dollars["order"]["currency"] = json!("USD");
    shop.post(&shop.till, "/v1/redemptions", &dollars).await.is_problem(422, "currency-mismatch");
    let mut nowhere = good;
    nowhere.as_object_mut().unwrap().remove("storeId");
    shop.post(&shop.integration, "/v1/redemptions", &nowhere).await.is_problem(422, "invalid");
    shop.post(&shop.till, "/v1/redemptions", &nowhere).await.is_problem(404, "code-unknown");
}

#[tokio::test]
async fn what_is_not_there_is_404() {
    let shop = Shop::open().await;
    for path in ["/v1/redemptions/r1/commit", "/v1/redemptions/r1/void"] {
        shop.post(&shop.till, path, &json!({})).await.is_problem(404, "not-found");
    }
    let reversal = json!({"reversalId": "v1", "reason": "wrong article"});
    shop.post(&shop.till, "/v1/redemptions/r1/reverse", &reversal).await.is_problem(404, "not-found");
    shop.get(&shop.till, "/v1/redemptions/r1").await.is_problem(404, "not-found");
    shop.get(&shop.till, "/v1/redemptions").await.is_problem(422, "invalid");
    assert_eq!(shop.get(&shop.till, "/v1/redemptions?orderId=o1").await.is(200)["items"], json!([]));
}
