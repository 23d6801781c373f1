//! Limits per device and per address: against those who make members to take part more often. And per card, which tills say;
//! and what tills say of the cost of goods.

use crate::{campaigns::double_11, support::Shop};
use fanfare_core::{
    model::{
        Plan,
        campaign::{Counted, Limit, Per},
    },
    time::Every,
};
use serde_json::{Value, json};

async fn shop(count: Counted, per: Per, every: Every) -> Shop {
    let shop = Shop::open().await;
    let mut plan = double_11();
    plan.participation.limits = vec![Limit { count, per, every, max: 1 }];
    shop.publish("double-11", Plan::Campaign(plan)).await;
    shop
}

async fn call(shop: &Shop, who: &str, headers: &[(&str, &str)], key: &str, path: &str, body: &Value) -> (u16, Value) {
    let bearer = format!("Bearer {who}");
    let mut all = vec![("authorization", &*bearer), ("idempotency-key", key), ("content-type", "application/json")];
    all.extend(headers);
    let answer = shop.send("POST", path, &all, body.to_string()).await;
    (answer.status.as_u16(), answer.json())
}

/// Names and values of a request's headers.
type Headers = &'static [(&'static str, &'static str)];

#[tokio::test]
async fn one_device_joins_as_often_as_the_limit_says_whoever_it_claims_to_be() {
    let shop = shop(Counted::Joins, Per::Device, Every::Day).await;
    let path = "/v1/campaigns/double-11/join";
    let cases: [(&str, Headers, u16); 6] = [
        ("m1", &[("fanfare-device", "phone-1")], 201),
        ("m2", &[("fanfare-device", "phone-1")], 409),
        ("m2", &[("fanfare-device", "phone-2")], 201),
        ("m3", &[], 201),
        // Leaving it out gains nothing: all who do share one allowance.
        ("m4", &[], 409),
        ("m4", &[("fanfare-device", "a phone")], 400),
    ];
    for (number, (member, headers, expect)) in cases.into_iter().enumerate() {
        let token = shop.login(member).await;
        let (status, body) = call(&shop, &token, headers, &format!("k{number}"), path, &json!({})).await;
        assert_eq!(status, expect, "{member} {headers:?}: {body}");
        if status == 409 {
            assert_eq!(body["code"], "limit-reached");
            let detail = body["detail"].as_str().unwrap();
            assert!(!detail.contains("device") && !detail.contains('1'), "it tells nobody how to get round: {detail}");
        }
    }
    let counters = shop.engine.store().counters(shop.engine.namespace(), "").await.unwrap();
    assert!(counters.iter().any(|(key, _)| key.contains("|device:")), "{counters:?}");
    assert!(!format!("{counters:?}").contains("phone"), "no device is kept in clear: {counters:?}");
    // The last second of the same day.
    shop.clock.pass(14 * 3_600 - 1);
    let token = shop.login("m5").await;
    let phone: &[(&str, &str)] = &[("fanfare-device", "phone-1")];
    assert_eq!(call(&shop, &token, phone, "late", path, &json!({})).await.0, 409, "still the same day");
}

#[tokio::test]
async fn an_order_from_an_app_counts_for_its_address_and_one_from_a_till_does_not() {
    let shop = shop(Counted::Orders, Per::Address, Every::Lifetime).await;
    let order = |id: &str| {
        let line = json!({"id": "1", "sku": "CUP-01", "quantity": 1, "unitPrice": "100.00"});
        let cart = json!({"storeId": "bkk-01", "channel": "pos", "currency": "THB", "lines": [line]});
        json!({"id": id, "mode": "Reserve", "cart": cart})
    };
    let place = async |who: &str, headers: &[(&str, &str)], id: &str| {
        let (status, body) = call(&shop, who, headers, id, "/v1/orders", &order(id)).await;
        assert_eq!(status, 201, "{body}");
        body["discount"].as_str().unwrap().to_owned()
    };
    let at: [&[(&str, &str)]; 2] = [&[("forwarded", "for=192.0.2.1")], &[("forwarded", "for=192.0.2.2")]];
    assert_eq!(place(&shop.integration, at[0], "o1").await, "50.00");
    assert_eq!(place(&shop.integration, at[0], "o2").await, "0.00");
    assert_eq!(place(&shop.integration, at[1], "o3").await, "50.00");
    for id in ["o4", "o5"] {
        assert_eq!(place(&shop.till, at[0], id).await, "50.00", "a till is the shop's own");
        assert_eq!(place(&shop.integration, &[], &format!("{id}-crm")).await, "50.00", "nor does what names nobody");
    }
    // Whoever commits it with another cart, it counts where it was placed.
    let mut smaller = order("o1")["cart"].clone();
    smaller["lines"][0]["unitPrice"] = json!("80.00");
    let committed = shop.post(&shop.till, "/v1/orders/o1/commit", &json!({ "cart": smaller })).await.is(200);
    assert_eq!(committed["discount"], "40.00");
    assert_eq!(place(&shop.integration, at[0], "o6").await, "0.00");
    // What comes back can be had again.
    shop.post(&shop.integration, "/v1/orders/o3/void", &json!({})).await.is(200);
    assert_eq!(place(&shop.integration, at[1], "o7").await, "50.00");
}

#[tokio::test]
async fn a_till_names_the_card_by_a_token_that_nobody_reads_again() {
    let shop = shop(Counted::Orders, Per::Card, Every::Day).await;
    let line = json!({"id": "1", "sku": "CUP-01", "quantity": 1, "unitPrice": "100.00"});
    let cart = |card: &Value| {
        let mut cart = json!({"storeId": "bkk-01", "channel": "pos", "currency": "THB", "lines": [line]});
        if !card.is_null() {
            cart["paymentCard"] = card.clone();
        }
        cart
    };
    let evaluated = async |card: Value| shop.post(&shop.till, "/v1/carts/evaluate", &cart(&card)).await.is(200);
    let placed = async |id: &str, card: Value| {
        let order = json!({"id": id, "mode": "Reserve", "cart": cart(&card)});
        shop.post(&shop.till, "/v1/orders", &order).await.is(201)
    };
    assert_eq!(evaluated(json!("tok_5f2c9a")).await["discount"], "50.00");
    assert_eq!(placed("o1", json!("tok_5f2c9a")).await["discount"], "50.00");
    let shown = evaluated(json!("tok_5f2c9a")).await;
    assert_eq!((&shown["discount"], &shown["rejected"][0]["reason"]), (&json!("0.00"), &json!("limit-reached")));
    let refused = placed("o2", json!("tok_5f2c9a")).await;
    assert_eq!(refused["discount"], "0.00");
    assert_eq!(placed("o3", json!("tok_other")).await["discount"], "50.00");
    assert_eq!(placed("o4", Value::Null).await["discount"], "50.00", "cash is not counted");
    let counters = shop.engine.store().counters(shop.engine.namespace(), "").await.unwrap();
    assert!(counters.iter().any(|(key, _)| key.contains("|card:")), "{counters:?}");
    let read = shop.get(&shop.till, "/v1/orders/o1").await.is(200);
    assert!(!format!("{counters:?}{refused}{read}").contains("tok_"), "no token is kept in clear or answered");

    let number = json!("4111 1111 1111 1111");
    let member = shop.login("m1").await;
    for (who, path, body, pointer) in [
        (&shop.till, "/v1/carts/evaluate", cart(&number), "/paymentCard"),
        (&shop.till, "/v1/orders", json!({"id": "o9", "mode": "Reserve", "cart": cart(&number)}), "/cart/paymentCard"),
        (&shop.till, "/v1/redemptions", json!({"code": "A", "mode": "Commit", "paymentCard": number}), "/paymentCard"),
        (&member, "/v1/carts/evaluate", cart(&json!("tok_5f2c9a")), "/paymentCard"),
    ] {
        let problem = shop.post(who, path, &body).await.is(422);
        assert_eq!(problem["errors"][0]["pointer"], pointer, "{path}: {problem}");
        assert!(!problem.to_string().contains("4111"), "{problem}");
    }
}

#[tokio::test]
async fn a_till_sends_what_goods_cost_and_nobody_is_told() {
    let shop = Shop::open().await;
    let runtime = (*shop.engine.plans().runtime.clone().unwrap()).clone();
    let margin_floor = Some(fanfare_core::money::BasisPoints(1_500));
    let plan = Plan::CampaignRuntime(fanfare_core::model::RuntimePlan { margin_floor, ..runtime });
    shop.publish_as("main", "r2", plan).await;
    shop.publish("double-11", Plan::Campaign(double_11())).await;
    let line = json!({"id": "1", "sku": "CUP-01", "quantity": 1, "unitPrice": "100.00", "cost": "71.23"});
    let cart = json!({"storeId": "bkk-01", "channel": "pos", "currency": "THB", "lines": [line]});
    let shown = shop.post(&shop.till, "/v1/carts/evaluate", &cart).await.is(200);
    assert_eq!((&shown["payable"], &shown["rejected"][0]["reason"]), (&json!("83.80"), &json!("margin-floor")));
    let order = shop.post(&shop.till, "/v1/orders", &json!({"id": "o1", "mode": "Commit", "cart": cart})).await.is(201);
    let read = shop.get(&shop.till, "/v1/orders/o1").await.is(200);
    assert_eq!(order["payable"], "83.80");
    assert!(!format!("{shown}{order}{read}").contains("71.23"));
    let member = shop.login("m1").await;
    let problem = shop.post(&member, "/v1/carts/evaluate", &cart).await.is(422);
    assert_eq!(problem["errors"][0]["pointer"], "/lines/0/cost");
}
