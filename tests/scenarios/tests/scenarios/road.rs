//! The whole road: from a folder of YAML to a redeemed coupon and back to the status, with every sum known beforehand.

use crate::MIDDAY;
use anyhow::{Context, Result, ensure};
use fanfare_scenarios::{
    customers::{buy_big, cart, claim_coupon, grants, line, paid, redeem},
    folder::fixture,
    http::items,
    shop::{Shop, Start},
    wait,
};
use serde_json::json;

#[tokio::test]
async fn a_coupon_goes_from_a_purchase_over_the_members_phone_to_the_till_and_into_the_status() -> Result<()> {
    let shop = Shop::open(&fixture("shop"), Start::at(MIDDAY)).await?;
    shop.ready().await?;
    let ann = shop.member("ann").await?;
    ensure!(shop.feed(&ann, "active").await? == ["sale"]);

    // 2,000 baht, of which half would be 1,000 but at most 500 are taken off; 1,500 are paid, so a coupon is earned.
    let first = cart("ann", &[line("1", "COAT-01", 2, "1000.00")]);
    let seen = shop.evaluate(&first).await?.is(200)?;
    ensure!((&seen["discount"], &seen["payable"]) == (&json!("500.00"), &json!("1500.00")), "{seen}");
    ensure!(seen["earned"][0]["reward"] == "coupon-200", "{seen}");
    ensure!(grants(&ann, "coupon-200").await?.is_empty(), "an evaluation changes nothing");

    let body = json!({"id": "order-1", "mode": "Reserve", "cart": first, "expectedPayable": "1500.00"});
    let reserved = shop.till().post("/v1/orders", &body).await?.is(201)?;
    ensure!(reserved["state"] == "Reserved", "{reserved}");
    let committed = shop.till().post("/v1/orders/order-1/commit", &json!({"receiptNumber": "R-1"})).await?.is(200)?;
    ensure!((&committed["state"], &committed["payable"]) == (&json!("Committed"), &json!("1500.00")), "{committed}");

    let (grant, code) = claim_coupon(&ann).await?;
    let validation = shop.till().post("/v1/validations", &json!({"codes": [code]})).await?.is(200)?;
    ensure!(validation["results"][0]["valid"] == true, "{validation}");
    let redeemed = redeem(&shop.till(), &code, "order-2").await?.is(201)?;
    ensure!((&redeemed["state"], &redeemed["amount"]) == (&json!("Committed"), &json!("200.00")), "{redeemed}");
    let grant = ann.get(&format!("/v1/grants/{grant}")).await?.is(200)?;
    ensure!(grant["state"] == "Redeemed", "{grant}");

    // Ben takes part too, without reaching the tier.
    let small = cart("ben", &[line("1", "MUG-01", 1, "150.00"), line("2", "CARD-01", 1, "100.00")]);
    shop.member("ben").await?;
    let order = shop.till().post("/v1/orders", &paid("order-3", &small)).await?.is(201)?;
    ensure!(order["payable"] == "125.00", "{order}");

    let status = shop
        .resource_until("campaign", "sale", |found| {
            let (metrics, budget) = (&found["status"]["metrics"], &found["status"]["budget"]);
            ensure!((&metrics["participants"], &metrics["conversions"]) == (&json!(2), &json!(2)));
            ensure!((&metrics["orders"], &metrics["revenue"]) == (&json!(2), &json!("1625.00")));
            let coupons = (&metrics["issued"], &metrics["claimed"], &metrics["redeemed"]);
            ensure!(coupons == (&json!(1), &json!(1), &json!(1)));
            ensure!(metrics["discounts"] == "625.00");
            ensure!(budget["reserved"] == "0.00" || budget["reserved"] == "0");
            Ok(())
        })
        .await?;
    ensure!(status["status"]["phase"] == "Active", "{status}");
    let reward = shop.resource("reward", "coupon-200").await?;
    ensure!(reward["status"]["redeemed"] == 1 && reward["status"]["left"] == 999, "{}", reward["status"]);
    shop.close().await
}

#[tokio::test]
async fn a_returned_purchase_gives_back_the_discount_share_and_claws_back_what_was_earned() -> Result<()> {
    let shop = Shop::open(&fixture("shop"), Start::at(MIDDAY)).await?;
    let ann = shop.member("ann").await?;
    buy_big(&shop, "ann", "order-1").await?;
    let body = json!({"returnId": "return-1", "lines": [{"id": "1", "quantity": 1}], "reason": "too small"});
    let path = "/v1/orders/order-1/returns";
    let first = shop.till().post(path, &body).await?.is(201)?;
    ensure!(first["returns"][0]["refund"] == "750.00", "one of two coats, at 1,500 for both: {first}");
    let again = shop.till().post(path, &body).await?;
    ensure!(again.status < 300 && again.body["returns"].as_array().is_some_and(|all| all.len() == 1), "{again:?}");
    let more = json!({"returnId": "return-2", "lines": [{"id": "1", "quantity": 2}], "reason": "all of it"});
    shop.till().post(path, &more).await?.problem(409, "return-exceeds-order")?;
    // 750 were kept, less than the tier asks for: the coupon that nobody had used yet is taken back.
    wait::until("the coupon to be taken back", wait::SOON, async || {
        let found = grants(&ann, "coupon-200").await?;
        ensure!(found.iter().all(|grant| grant["state"] == "Revoked"), "{found:?}");
        Ok(())
    })
    .await?;
    shop.close().await
}

#[tokio::test]
async fn a_flash_sale_sells_what_there_is_and_each_member_one() -> Result<()> {
    let shop = Shop::open(&fixture("shop"), Start::at(MIDDAY)).await?;
    let path = "/v1/campaigns/sale/mechanics/flash/reserve";
    let body = json!({"sku": "TEA-01", "quantity": 1});
    let ann = shop.member("ann").await?;
    let held = ann.post(path, &body).await?.is(200)?;
    let id = held["reservation"]["id"].as_str().with_context(|| format!("no reservation in {held}"))?.to_owned();
    ensure!(held["reservation"]["expiresAt"].is_string(), "{held}");
    let second = ann.post(path, &body).await?;
    ensure!(second.status == 409, "a second piece for one member: {second:?}");

    let mut cart = cart("ann", &[line("1", "TEA-01", 1, "250.00")]);
    cart["reservations"] = json!([id]);
    let order = shop.till().post("/v1/orders", &paid("flash-1", &cart)).await?.is(201)?;
    ensure!(order["payable"] == "99.00", "{order}");

    for member in ["b", "c", "d", "e"] {
        shop.member(member).await?.post(path, &body).await?.is(200)?;
    }
    let late = shop.member("f").await?;
    late.post(path, &body).await?.problem(409, "sold-out")?;
    // What one lets go of, the next can have.
    let eve = shop.member("e").await?;
    let detail = eve.get("/v1/campaigns/sale").await?.is(200)?;
    ensure!(detail["mechanics"].as_array().is_some_and(|all| all.iter().any(|one| one["name"] == "flash")), "{detail}");
    let mut theirs = cart_with_foreign_hold(&id);
    theirs["memberId"] = json!("e");
    shop.till().post("/v1/orders", &paid("flash-2", &theirs)).await?.problem(409, "order-refused")?;
    shop.close().await
}

fn cart_with_foreign_hold(hold: &str) -> serde_json::Value {
    let mut cart = cart("e", &[line("1", "TEA-01", 1, "250.00")]);
    cart["reservations"] = json!([hold]);
    cart
}

#[tokio::test]
async fn a_share_is_one_chance_in_the_lottery_and_a_prize_is_there_only_so_often() -> Result<()> {
    let shop = Shop::open(&fixture("shop"), Start::at(MIDDAY)).await?;
    let path = "/v1/campaigns/sale/mechanics/share-lottery/draw";
    let ann = shop.member("ann").await?;
    ann.post(path, &json!({})).await?.problem(409, "no-entries")?;
    let sent = shop.event("campaign.shared", "share-1", "ann", json!({"campaign": "sale"})).await?;
    ensure!(sent["status"] == "Accepted", "{sent}");
    let again = shop.event("campaign.shared", "share-2", "ann", json!({"campaign": "another"})).await?;
    ensure!(again["status"] == "Accepted", "{again}");

    let won = ann.post(path, &json!({})).await?.is(200)?;
    ensure!(won["outcome"]["prize"] == "tea", "{won}");
    let found = grants(&ann, "tea").await?;
    ensure!(found.len() == 1 && found[0]["kind"] == "freeItem", "{found:?}");
    ann.post(path, &json!({})).await?.problem(409, "no-entries")?;
    shop.close().await
}

#[tokio::test]
async fn a_new_member_gets_a_welcome_and_points_after_the_wait_also_across_a_restart() -> Result<()> {
    let mut shop = Shop::open(&fixture("shop"), Start::at(MIDDAY)).await?;
    shop.ready().await?;
    let attributes = json!({"attributes": {"name": "Ann"}});
    let put = shop.backend().put("/v1/members/ann", &attributes).await?;
    ensure!(put.status < 300, "{put:?}");
    let then = shop.now().await?.to_rfc3339();
    let sent = shop.event_at("member.registered", "reg-1", "ann", &then, json!({})).await?;
    ensure!(sent["status"] == "Accepted", "{sent}");
    // The two seconds of the wait pass while nothing runs, or just after.
    shop.kill()?;
    shop.start_again().await?;
    let ann = shop.member("ann").await?;
    let (inbox, _) = wait::until("the welcome", wait::SOON, async || {
        let inbox = ann.get("/v1/messages").await?.is(200)?;
        ensure!(!items(&inbox)?.is_empty(), "no message yet");
        Ok(inbox)
    })
    .await?;
    ensure!(inbox.to_string().contains("Welcome, Ann"), "{inbox}");
    wait::until("the points", wait::SOON, async || {
        let points = ann.get("/v1/points").await?.is(200)?;
        ensure!(points["balance"] == 50, "{points}");
        Ok(())
    })
    .await?;
    // Once only, whatever is sent again.
    let again = shop.event_at("member.registered", "reg-1", "ann", &then, json!({})).await?;
    ensure!(again["status"] == "Duplicate", "{again}");
    let other = shop.event("member.registered", "reg-2", "ann", json!({})).await?;
    ensure!(other["status"] == "Accepted", "{other}");
    shop.resource_until("automation", "welcome", |found| {
        let status = &found["status"];
        ensure!(status["entered"] == 1 && status["completed"] == 1);
        Ok(())
    })
    .await?;
    let inbox = ann.get("/v1/messages").await?.is(200)?;
    ensure!(items(&inbox)?.len() == 1, "{inbox}");
    let points = ann.get("/v1/points").await?.is(200)?;
    ensure!(points["balance"] == 50, "{points}");
    shop.close().await
}

#[tokio::test]
async fn a_segment_is_the_same_for_one_member_in_the_preview_and_on_its_status() -> Result<()> {
    let shop = Shop::open(&fixture("shop"), Start::at(MIDDAY)).await?;
    shop.ready().await?;
    for (member, tier) in [("ann", "gold"), ("ben", "silver"), ("cho", "silver")] {
        let put = shop.backend().put(&format!("/v1/members/{member}"), &json!({"attributes": {"tier": tier}})).await?;
        ensure!(put.status < 300, "{put:?}");
    }
    let order = json!({"orderId": "o-1", "total": "3000.00", "currency": "THB", "storeId": "bkk-01", "channel": "pos",
        "lines": [{"id": "1", "sku": "COAT-01", "quantity": 3, "unitPrice": "1000.00"}]});
    shop.event("order.paid", "paid-1", "ben", order).await?;
    for (member, expect) in [("ann", true), ("ben", true), ("cho", false)] {
        let found = shop.backend().get(&format!("/v1/segments/good-customers/members/{member}")).await?.is(200)?;
        ensure!(found["member"] == expect, "{member}: {found}");
    }
    let condition = json!({"match": {"any": [{"segment": "gold-members"},
        {"behavior": {"event": "order.paid", "sum": "total", "atLeast": "3000", "within": "30d"}}]}});
    let preview = shop.backend().post("/v1/segments/preview", &condition).await?.is(200)?;
    ensure!(preview["size"] == 2, "{preview}");
    shop.resource_until("segment", "good-customers", |found| {
        ensure!(found["status"]["size"] == 2);
        Ok(())
    })
    .await?;
    shop.close().await
}
