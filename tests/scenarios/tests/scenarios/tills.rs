//! Many tills, repeated calls, taken-back redemptions: a voucher is used once, a key has one answer.

use crate::MIDDAY;
use anyhow::{Context, Result, ensure};
use fanfare_scenarios::{
    customers::{buy_big, cart, claim_coupon, line, paid, redeem},
    folder::fixture,
    http::fresh_key,
    shop::{Shop, Start},
};
use futures::future::join_all;
use serde_json::json;

#[tokio::test]
async fn of_thirty_tills_that_redeem_one_voucher_at_once_one_does() -> Result<()> {
    let shop = Shop::open(&fixture("shop"), Start::at(MIDDAY)).await?;
    let ann = shop.member("ann").await?;
    buy_big(&shop, "ann", "order-1").await?;
    let (_, code) = claim_coupon(&ann).await?;
    let till = shop.till();
    let orders: Vec<String> = (0..30).map(|number| format!("race-{number}")).collect();
    let answers = join_all(orders.iter().map(|order| redeem(&till, &code, order))).await;
    let mut won = 0;
    for answer in answers {
        let answer = answer?;
        match answer.status {
            201 => won += 1,
            _ => drop(answer.problem(409, "already-redeemed")?),
        }
    }
    ensure!(won == 1, "{won} tills redeemed it");
    shop.close().await
}

#[tokio::test]
async fn a_key_has_one_answer_for_one_body() -> Result<()> {
    let shop = Shop::open(&fixture("shop"), Start::at(MIDDAY)).await?;
    shop.member("ann").await?;
    let (till, key) = (shop.till(), fresh_key());
    let body = paid("order-1", &cart("ann", &[line("1", "MUG-01", 2, "100.00")]));
    let first = till.post_keyed("/v1/orders", &key, &body).await?.check(201)?;
    ensure!(first.header("idempotency-replayed").is_none(), "{first:?}");
    ensure!(first.header("fanfare-position").is_some(), "a write names its position: {first:?}");
    let again = till.post_keyed("/v1/orders", &key, &body).await?.check(201)?;
    ensure!(again.header("idempotency-replayed").as_deref() == Some("true"), "{again:?}");
    ensure!(again.body == first.body, "{} is not {}", again.body, first.body);

    let other = paid("order-1", &cart("ann", &[line("1", "MUG-01", 3, "100.00")]));
    till.post_keyed("/v1/orders", &key, &other).await?.problem(422, "idempotency-key-reused")?;
    till.post_keyed("/v1/orders", &fresh_key(), &other).await?.problem(409, "order-id-reused")?;
    till.post_keyed("/v1/orders", &fresh_key(), &body).await?.is(200).context("the same order under another key")?;
    let headers = [("content-type", "application/json")];
    let bare = till.send(reqwest::Method::POST, "/v1/orders", &headers, serde_json::to_vec(&body)?).await?;
    bare.problem(400, "idempotency-key-missing")?;
    // A key belongs to whoever chose it: the backend's is another.
    let cart = cart("ann", &[line("1", "MUG-01", 1, "100.00")]);
    shop.backend().post_keyed("/v1/orders", &key, &paid("order-2", &cart)).await?.is(201)?;
    shop.close().await
}

#[tokio::test]
async fn thirty_copies_of_one_call_are_one_call() -> Result<()> {
    let shop = Shop::open(&fixture("shop"), Start::at(MIDDAY)).await?;
    let ann = shop.member("ann").await?;
    let (till, key) = (shop.till(), fresh_key());
    let body = paid("order-1", &cart("ann", &[line("1", "COAT-01", 2, "1000.00")]));
    let answers = join_all((0..30).map(|_| till.post_keyed("/v1/orders", &key, &body))).await;
    let mut fresh = 0;
    for answer in answers {
        let answer = answer?;
        if answer.status == 409 {
            answer.problem(409, "idempotency-key-in-flight")?;
            continue;
        }
        fresh += usize::from(answer.header("idempotency-replayed").is_none());
        ensure!(answer.is(201)?["state"] == "Committed");
    }
    ensure!(fresh == 1, "{fresh} of them were decided");
    claim_coupon(&ann).await.context("one order earns one coupon")?;
    shop.close().await
}

#[tokio::test]
async fn a_redemption_that_is_reversed_gives_the_voucher_back_once() -> Result<()> {
    let shop = Shop::open(&fixture("shop"), Start::at(MIDDAY)).await?;
    let ann = shop.member("ann").await?;
    buy_big(&shop, "ann", "order-1").await?;
    let (grant, code) = claim_coupon(&ann).await?;
    let till = shop.till();
    let body = json!({"code": code, "mode": "Reserve", "storeId": "bkk-01",
        "order": {"id": "order-2", "total": "800.00", "currency": "THB"}});
    let held = till.post("/v1/redemptions", &body).await?.is(201)?;
    ensure!(held["state"] == "Reserved" && held["expiresAt"].is_string(), "{held}");
    redeem(&till, &code, "order-3").await?.problem(409, "reserved-elsewhere")?;
    let path = format!("/v1/redemptions/{}", held["id"].as_str().context("no id")?);
    let done = till.post(&format!("{path}/commit"), &json!({})).await?.is(200)?;
    ensure!(done["state"] == "Committed", "{done}");
    let reversal = json!({"reversalId": "rev-1", "reason": "changed their mind"});
    let back = till.post(&format!("{path}/reverse"), &reversal).await?.is(200)?;
    ensure!(back["state"] == "Reversed", "{back}");
    let again = till.post(&format!("{path}/reverse"), &reversal).await?.is(200)?;
    ensure!(again["state"] == "Reversed", "{again}");
    let found = ann.get(&format!("/v1/grants/{grant}")).await?.is(200)?;
    ensure!(found["state"] == "Claimed", "{found}");
    redeem(&till, &code, "order-4").await?.is(201)?;
    shop.close().await
}

#[tokio::test]
async fn a_voucher_is_refused_with_its_reason_where_it_does_not_fit() -> Result<()> {
    let shop = Shop::open(&fixture("shop"), Start::at(MIDDAY)).await?;
    let ann = shop.member("ann").await?;
    buy_big(&shop, "ann", "order-1").await?;
    let (_, code) = claim_coupon(&ann).await?;
    let till = shop.till();
    redeem(&till, "NO-SUCH-CODE", "order-2").await?.problem(404, "code-unknown")?;
    let mut small = json!({"code": code, "mode": "Commit", "storeId": "bkk-01",
        "order": {"id": "order-2", "total": "499.00", "currency": "THB"}});
    till.post("/v1/redemptions", &small).await?.problem(409, "min-spend-not-met")?;
    small["order"] = json!({"id": "order-2", "total": "800.00", "currency": "USD"});
    till.post("/v1/redemptions", &small).await?.problem(422, "currency-mismatch")?;
    small["order"] = json!({"id": "order-2", "total": "800.00", "currency": "THB"});
    small["storeId"] = json!("cnx-01");
    let elsewhere = till.post("/v1/redemptions", &small).await?.check(409)?;
    ensure!(["store-mismatch", "wrong-store"].iter().any(|code| elsewhere.body["code"] == *code), "{elsewhere:?}");
    let refused = shop.backend().post("/v1/redemptions", &small).await?.problem(409, "wrong-store")?;
    ensure!(refused.to_string().contains("bkk-01"), "it says where the voucher is valid: {refused}");
    // In an order a named code that fails refuses the whole; nothing of it is kept.
    let mut cart = cart("ann", &[line("1", "MUG-01", 1, "100.00")]);
    cart["codes"] = json!([code]);
    let refused = till.post("/v1/orders", &paid("order-3", &cart)).await?.problem(409, "order-refused")?;
    ensure!(refused["rejected"].to_string().contains("min-spend-not-met"), "{refused}");
    till.get("/v1/orders/order-3").await?.problem(404, "not-found")?;
    redeem(&till, &code, "order-4").await?.is(201)?;
    shop.close().await
}
