//! Gift cards and vouchers with several uses, over HTTP: earned with an order, seen by the member, used at tills.

use crate::support::Shop;
use fanfare_core::{
    cart::Items,
    mechanic::{
        Rule,
        spend_threshold::{Award, Basis, Gives, SpendPer, SpendThreshold, Tier},
    },
    model::{
        CampaignPlan, Plan, RewardPlan,
        campaign::{
            Audience, Content, Join, Mechanic, Objective, Participation, Places, Scope as Narrowed, Visibility,
        },
        reward::{
            Claim, CodeRule, OnReversal, Redemption, RewardKind, Symbology, ValidFrom, Validity, Voucher, VoucherWorth,
        },
        schedule::Schedule,
    },
    money::Minor,
    time::Span,
};
use serde_json::{Value, json};
use std::collections::BTreeMap;

fn reward(name: &str, kind: RewardKind, uses: Option<i64>) -> RewardPlan {
    RewardPlan {
        name: name.into(),
        revision: "r1".into(),
        title: name.into(),
        kind,
        codes: CodeRule::default(),
        quantity: None,
        limits: Vec::new(),
        claim: Claim::Auto,
        claim_within: None,
        remind_before: Vec::new(),
        validity: Validity { from: ValidFrom::Issue, lasts: Some(Span::days(14)), until: None, not_before: None },
        redemption: Redemption {
            places: Places::default(),
            symbology: Symbology::Qr,
            reserve_for: Span::seconds(600),
            on_reversal: OnReversal::Restore,
            uses,
            guard: Default::default(),
        },
        stacking: None,
        unit_cost: Minor::ZERO,
        suspended: false,
    }
}

/// A campaign that gives one of each for 1,000.00.
fn campaign(rewards: &[&str]) -> CampaignPlan {
    let tier = |(index, reward): (usize, &&str)| Tier {
        spend: Minor(100_000 + i64::try_from(index).unwrap()),
        gives: Gives::Reward((*reward).into()),
    };
    let rule = Rule::SpendThreshold(SpendThreshold {
        basis: Basis::AfterDiscounts,
        per: SpendPer::Order,
        award: Award::All,
        repeat: false,
        tiers: rewards.iter().enumerate().map(tier).collect(),
    });
    CampaignPlan {
        name: "thanks".into(),
        revision: "r1".into(),
        title: "Thanks".into(),
        objective: Objective::Retention,
        tags: Vec::new(),
        owner: None,
        schedule: Schedule {
            zone: "Asia/Bangkok".parse().unwrap(),
            publish_at: None,
            start_at: chrono::DateTime::parse_from_rfc3339("2026-11-01T00:00:00+07:00").unwrap().to_utc(),
            end_at: None,
            cool_down: Span::days(30),
            windows: Vec::new(),
        },
        suspended: false,
        visibility: Visibility::Public,
        audience: Audience::default(),
        participation: Participation { join: Join::Automatic, places: Places::default(), limits: Vec::new() },
        mechanics: vec![Mechanic { name: "spend".into(), scope: Narrowed::default(), rule }],
        stacking: None,
        budget: None,
        notify_at: Vec::new(),
        costs: BTreeMap::new(),
        attribution_window: Span::days(7),
        content: Content::default(),
    }
}

fn cart(price: &str, codes: &[&str]) -> Value {
    json!({
        "memberId": "ann", "storeId": "bkk-01", "channel": "pos", "currency": "THB", "codes": codes,
        "lines": [{"id": "1", "sku": "TEA-01", "quantity": 2, "unitPrice": price}],
    })
}

/// A shop in which ann has earned one of each: a gift card, a voucher for three uses, a badge; her token and the codes.
async fn shop() -> (Shop, String, BTreeMap<String, Value>) {
    let shop = Shop::open().await;
    let amount = VoucherWorth::Amount(Minor(2_000));
    let off = RewardKind::Voucher(Voucher { worth: amount, min_spend: Minor::ZERO, items: Items::default() });
    for plan in [
        reward("card", RewardKind::GiftCard { amount: Minor(50_000) }, None),
        reward("thrice", off, Some(3)),
        reward("regular", RewardKind::Badge, Some(1)),
    ] {
        let name = plan.name.clone();
        shop.publish(name.as_str(), Plan::Reward(plan)).await;
    }
    shop.publish("thanks", Plan::Campaign(campaign(&["card", "thrice", "regular"]))).await;
    let ann = shop.login("ann").await;
    let seen = shop.post(&shop.till, "/v1/carts/evaluate", &cart("600.00", &[])).await.is(200);
    let worth: Vec<_> = seen["earned"].as_array().unwrap().iter().map(|one| one["amount"].clone()).collect();
    assert_eq!(worth, [json!("500.00"), json!("60.00"), Value::Null], "{seen}");
    let order = json!({"id": "o-1", "mode": "Commit", "cart": cart("600.00", &[])});
    shop.post(&shop.till, "/v1/orders", &order).await.is(201);
    let grants = shop.get(&ann, "/v1/grants").await.is(200);
    let by_reward = |grant: &Value| (grant["reward"].as_str().unwrap().to_owned(), grant.clone());
    let grants = grants["items"].as_array().unwrap().iter().map(by_reward).collect();
    (shop, ann, grants)
}

async fn code(shop: &Shop, ann: &str, grant: &Value) -> String {
    let path = format!("/v1/grants/{}/code", grant["id"].as_str().unwrap());
    shop.get(ann, &path).await.is(200)["payload"].as_str().unwrap().to_owned()
}

#[tokio::test]
async fn a_gift_card_is_seen_used_in_parts_topped_up_and_given_back() {
    let (shop, ann, grants) = shop().await;
    let card = &grants["card"];
    assert_eq!(
        (&card["kind"], &card["balance"]["amount"], &card["usesLeft"]),
        (&json!("giftCard"), &json!("500.00"), &Value::Null)
    );
    let code = code(&shop, &ann, card).await;
    let id = card["id"].as_str().unwrap();

    let pay = |amount: &str| json!({"code": code, "mode": "Commit", "storeId": "bkk-01", "amount": amount});
    let first = shop.post(&shop.till, "/v1/redemptions", &pay("120.50")).await.is(201);
    assert_eq!(
        (&first["amount"], &first["remaining"], first.get("usesLeft")),
        (&json!("120.50"), &json!("379.50"), None)
    );
    shop.post(&shop.till, "/v1/redemptions", &pay("379.51")).await.is_problem(409, "exceeds-remaining");
    let seen = shop.post(&shop.till, "/v1/validations", &json!({"codes": [code]})).await.is(200);
    let told = &seen["results"][0];
    assert_eq!((&told["valid"], &told["balance"], &told["amount"]), (&json!(true), &json!("379.50"), &json!("379.50")));
    assert_eq!(told["history"].as_array().unwrap().last().unwrap()["amount"], "120.50");
    assert!(!seen.to_string().contains("ann"), "a till is not told whose it is");

    // In an order it pays, and lowers no price.
    let order = json!({"id": "o-2", "mode": "Commit", "cart": cart("300.00", &[&code])});
    let placed = shop.post(&shop.till, "/v1/orders", &order).await.is(201);
    let sums = ["total", "discount", "paid", "payable"].map(|field| placed[field].as_str().unwrap());
    assert_eq!(sums, ["600.00", "0.00", "379.50", "220.50"]);
    assert_eq!(placed["discounts"], json!([]));
    assert_eq!((&placed["payments"][0]["grant"], &placed["payments"][0]["amount"]), (&json!(id), &json!("379.50")));
    shop.post(&shop.till, "/v1/redemptions", &pay("0.01")).await.is_problem(409, "already-redeemed");
    let back = json!({"returnId": "r-1", "lines": [{"id": "1", "quantity": 1}], "reason": "broken"});
    let returned = shop.post(&shop.till, "/v1/orders/o-2/returns", &back).await.is(201);
    assert_eq!(returned["returns"][0]["refund"], "110.25");
    assert_eq!(returned["returns"][0]["paidBack"], json!([{"grant": id, "amount": "189.75"}]));

    let path = format!("/v1/grants/{id}/top-up");
    let more = json!({"amount": "100.00", "currency": "THB", "reference": "receipt 7"});
    shop.post(&shop.till, &path, &more).await.is_problem(403, "forbidden");
    let topped = shop.post_with(&shop.integration, "top-1", &path, &more).await.is(200);
    assert_eq!(topped["balance"]["amount"], "289.75");
    let replayed = shop.post_with(&shop.integration, "top-1", &path, &more).await;
    assert_eq!(replayed.header("idempotency-replayed"), "true");
    shop.post(&shop.integration, &path, &json!({"amount": "0.00"})).await.is_problem(422, "invalid");
    shop.post(&shop.integration, &path, &json!({"amount": "1.00", "currency": "USD"}))
        .await
        .is_problem(422, "currency-mismatch");
    let voucher = format!("/v1/grants/{}/top-up", grants["thrice"]["id"].as_str().unwrap());
    shop.post(&shop.integration, &voucher, &more).await.is_problem(404, "not-found");

    let undo = json!({"reversalId": "v-1", "reason": "mistake", "amount": "20.50"});
    let path = format!("/v1/redemptions/{}/reverse", first["id"].as_str().unwrap());
    let undone = shop.post(&shop.till, &path, &undo).await.is(200);
    assert_eq!((&undone["state"], &undone["remaining"]), (&json!("PartiallyReversed"), &json!("310.25")));
    let now = shop.get(&ann, &format!("/v1/grants/{id}")).await.is(200);
    assert_eq!((&now["state"], &now["balance"]["amount"]), (&json!("Claimed"), &json!("310.25")));
    let what: Vec<_> = now["history"].as_array().unwrap().iter().filter_map(|one| one["reason"].as_str()).collect();
    assert_eq!(what, ["used", "held", "used", "paid-back", "top-up", "paid-back"]);
}

#[tokio::test]
async fn a_voucher_with_several_uses_counts_down_before_the_members_eyes() {
    let (shop, ann, grants) = shop().await;
    let thrice = &grants["thrice"];
    assert_eq!((&thrice["usesLeft"], &thrice["balance"]), (&json!(3), &Value::Null));
    let code = code(&shop, &ann, thrice).await;
    let redeem = json!({"code": code, "mode": "Commit", "storeId": "bkk-01"});
    let mut last = Value::Null;
    for left in [2, 1, 0] {
        last = shop.post(&shop.till, "/v1/redemptions", &redeem).await.is(201);
        assert_eq!((&last["usesLeft"], &last["amount"]), (&json!(left), &json!("20.00")));
    }
    shop.post(&shop.till, "/v1/redemptions", &redeem).await.is_problem(409, "already-redeemed");
    let undo = json!({"reversalId": "v-1", "reason": "mistake"});
    let path = format!("/v1/redemptions/{}/reverse", last["id"].as_str().unwrap());
    assert_eq!(shop.post(&shop.till, &path, &undo).await.is(200)["usesLeft"], 1);
    let again = json!({"reversalId": "v-2", "reason": "mistake"});
    shop.post(&shop.till, &path, &again).await.is_problem(409, "redemption-state");
    let id = thrice["id"].as_str().unwrap();
    let now = shop.get(&ann, &format!("/v1/grants/{id}")).await.is(200);
    assert_eq!((&now["state"], &now["usesLeft"]), (&json!("Claimed"), &json!(1)));
    assert!(now["conditions"].to_string().contains("until 2026-11-25 10:00"), "{now}");
    let badge = &grants["regular"];
    assert_eq!(
        (&badge["kind"], &badge["worth"], &badge["validUntil"]),
        (&json!("badge"), &Value::Null, &json!("2026-11-25T10:00:00+07:00"))
    );
}

#[tokio::test]
async fn an_order_shows_what_it_earned_as_its_till_was_told_also_where_nothing_was_left() {
    let shop = Shop::open().await;
    let mut last = reward("card", RewardKind::GiftCard { amount: Minor(50_000) }, None);
    last.quantity = Some(1);
    shop.publish("card", Plan::Reward(last)).await;
    shop.publish("thanks", Plan::Campaign(campaign(&["card"]))).await;
    shop.login("ann").await;
    let order = |id: &str, mode: &str| json!({"id": id, "mode": mode, "cart": cart("600.00", &[])});
    shop.post(&shop.till, "/v1/orders", &order("late", "Reserve")).await.is(201);
    shop.clock.pass(20 * 60);
    fanfare_engine::worker::work_off(&shop.engine).await.unwrap();
    let other = shop.post(&shop.till, "/v1/orders", &order("other", "Commit")).await.is(201);
    assert_eq!(other["earned"].as_array().unwrap().len(), 1, "{other}");
    let paid = json!({"occurredAt": "2026-11-11T10:05:00+07:00"});
    let told = shop.post(&shop.till, "/v1/orders/late/commit", &paid).await.is(200);
    assert_eq!((&told["earned"], told["rejected"].as_array().unwrap().len()), (&json!([]), 1), "{told}");
    let kept = shop.get(&shop.till, "/v1/orders/late").await.is(200);
    assert_eq!(kept["earned"], told["earned"]);
}
