//! What customers of the fixture shop do, so that a scenario reads as what happens and not as JSON.

use crate::{
    http::{Answer, Caller, items},
    shop::Shop,
    wait,
};
use anyhow::{Context, Result, ensure};
use serde_json::{Value, json};

/// One line of a cart.
pub fn line(id: &str, sku: &str, quantity: i64, price: &str) -> Value {
    json!({"id": id, "sku": sku, "quantity": quantity, "unitPrice": price})
}

/// A member's cart at the till of the first store.
pub fn cart(member: &str, lines: &[Value]) -> Value {
    json!({"memberId": member, "storeId": "bkk-01", "channel": "pos", "currency": "THB", "lines": lines})
}

/// An order that is paid at once.
pub fn paid(id: &str, cart: &Value) -> Value {
    json!({"id": id, "mode": "Commit", "cart": cart})
}

/// Buys for so much that the fixture's sale grants a coupon (2,000 baht, of which 500 are taken off).
///
/// # Errors
/// When the order is refused.
pub async fn buy_big(shop: &Shop, member: &str, order: &str) -> Result<Value> {
    let cart = cart(member, &[line("1", "COAT-01", 2, "1000.00")]);
    shop.till().post("/v1/orders", &paid(order, &cart)).await?.is(201)
}

/// The member's grants of a reward.
///
/// # Errors
/// When the call is refused.
pub async fn grants(member: &Caller, reward: &str) -> Result<Vec<Value>> {
    let body = member.get("/v1/grants?limit=100").await?.is(200)?;
    Ok(items(&body)?.iter().filter(|grant| grant["reward"] == reward).cloned().collect())
}

/// Claims the member's only coupon and returns its grant and code.
///
/// # Errors
/// When there is not exactly one, or it cannot be claimed.
pub async fn claim_coupon(member: &Caller) -> Result<(String, String)> {
    let (grant, _) = wait::until("the coupon", wait::SOON, async || {
        let found = grants(member, "coupon-200").await?;
        ensure!(found.len() == 1, "{} coupons instead of one: {found:?}", found.len());
        Ok(found[0].clone())
    })
    .await?;
    let id = grant["id"].as_str().context("a grant without an id")?.to_owned();
    let claimed = member.post(&format!("/v1/grants/{id}/claim"), &json!({})).await?.is(200)?;
    ensure!(claimed["state"] == "Claimed", "after the claim it is {claimed}");
    let code = member.get(&format!("/v1/grants/{id}/code")).await?.is(200)?;
    let payload = code["payload"].as_str().with_context(|| format!("no payload in {code}"))?;
    Ok((id, payload.to_owned()))
}

/// Redeems one voucher without a cart.
///
/// # Errors
/// When there is no answer.
pub async fn redeem(till: &Caller, code: &str, order: &str) -> Result<Answer> {
    let body = json!({"code": code, "mode": "Commit", "storeId": "bkk-01",
        "order": {"id": order, "total": "800.00", "currency": "THB"}});
    till.post("/v1/redemptions", &body).await
}
