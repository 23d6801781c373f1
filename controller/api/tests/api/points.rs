//! Points over HTTP: earned, shown, given on.

use crate::support::{Shop, runtime};
use fanfare_core::{
    model::{Plan, RuntimePlan},
    money::Minor,
    points::{Earn, Rounding, Rules},
    time::Span,
};
use fanfare_engine::publish::Publish;
use serde_json::json;

async fn shop() -> Shop {
    let shop = Shop::open().await;
    let earn =
        |event: &str, per_spend, points| Earn { event: event.into(), per_spend, points, rounding: Rounding::Down };
    let points = Rules {
        expire_after: Some(Span::days(365)),
        pending_for: Some(Span::seconds(3_600)),
        earn: vec![earn("order.paid", Some(Minor(2_500)), 1)],
        transfer_max_per_day: Some(30),
        ..Rules::default()
    };
    let plan = Plan::CampaignRuntime(RuntimePlan { points, ..runtime() });
    let publish = Publish { name: "main".into(), revision: "with-points".into(), plan, generation: 2, author: None };
    shop.engine.execute(publish).await.unwrap().0.unwrap();
    shop
}

#[tokio::test]
async fn points_are_promised_earned_pending_spendable_and_listed() {
    let shop = shop().await;
    let ann = shop.login("ann").await;
    let cart = json!({"memberId": "ann", "storeId": "bkk-01", "channel": "pos", "currency": "THB",
        "lines": [{"id": "1", "sku": "A", "quantity": 1, "unitPrice": "1000.00"}]});
    let evaluated = shop.post(&shop.till, "/v1/carts/evaluate", &cart).await.is(200);
    assert_eq!(evaluated["earned"], json!([{"points": 40}]));
    let order = json!({"id": "o-1", "mode": "Commit", "cart": cart});
    assert_eq!(shop.post(&shop.till, "/v1/orders", &order).await.is(201)["earned"], json!([{"points": 40}]));
    let points = shop.get(&ann, "/v1/points").await.is(200);
    assert_eq!(points, json!({"balance": 0, "pending": 40, "expiring": []}));
    shop.clock.pass(3_600);
    let points = shop.get(&ann, "/v1/points").await.is(200);
    assert_eq!((&points["balance"], &points["pending"]), (&json!(40), &json!(0)));
    let lapses = &points["expiring"][0];
    assert_eq!(lapses["amount"], 40);
    assert!(lapses["at"].as_str().unwrap().ends_with("T00:00:00+07:00"), "the end of a day in Bangkok: {lapses}");
    let entries = shop.get(&ann, "/v1/points/entries").await.is(200);
    let entry = &entries["items"][0];
    assert_eq!(
        (&entry["title"], &entry["amount"], &entry["rule"]),
        (&json!("Earned"), &json!(40), &json!("points-earned"))
    );
    assert_eq!(entry["reference"], "o-1");
}

#[tokio::test]
async fn points_are_given_on_once_a_key_and_within_the_rules() {
    let shop = shop().await;
    let (ann, ben) = (shop.login("ann").await, shop.login("ben").await);
    let cart = json!({"memberId": "ann", "storeId": "bkk-01", "channel": "pos", "currency": "THB",
        "lines": [{"id": "1", "sku": "A", "quantity": 1, "unitPrice": "1000.00"}]});
    shop.post(&shop.till, "/v1/orders", &json!({"id": "o-1", "mode": "Commit", "cart": cart})).await.is(201);
    let path = "/v1/points/transfer";
    let ten = json!({"to": "ben", "amount": 10});
    shop.post(&ann, path, &ten).await.is_problem(409, "exceeds-remaining");
    shop.clock.pass(3_600);
    let given = shop.post(&ann, path, &ten).await.is(201);
    assert_eq!((&given["amount"], &given["balance"]), (&json!(10), &json!(30)));
    assert_eq!(shop.get(&ben, "/v1/points").await.is(200)["balance"], 10);
    for (member, title, amount) in [(&ann, "Given to another member", -10), (&ben, "Received from another member", 10)]
    {
        let entries = shop.get(member, "/v1/points/entries").await.is(200);
        let entry = &entries["items"][0];
        assert_eq!(
            (&entry["title"], &entry["amount"], &entry["reference"]),
            (&json!(title), &json!(amount), &given["id"])
        );
    }
    shop.post(&ann, path, &json!({"to": "ben", "amount": 21})).await.is_problem(409, "limit-reached");
    shop.post(&ann, path, &json!({"to": "ann", "amount": 1})).await.is_problem(409, "transfer-not-allowed");
    shop.post(&ann, path, &json!({"to": "nobody", "amount": 1})).await.is_problem(404, "member-unknown");
    shop.post(&ann, path, &json!({"from": "ben", "to": "ann", "amount": 1})).await.is_problem(403, "forbidden");
    for wrong in [json!({"to": "ben", "amount": 0}), json!({"to": "", "amount": 1}), json!({"to": "ben", "amount": -5})]
    {
        shop.post(&ann, path, &wrong).await.is_problem(422, "invalid");
    }
    shop.post(&shop.till, path, &ten).await.is_problem(403, "forbidden");
    shop.post(&shop.integration, path, &ten).await.is_problem(422, "invalid");
    let by_shop = json!({"from": "ann", "to": "ben", "amount": 25});
    assert_eq!(shop.post(&shop.integration, path, &by_shop).await.is(201)["balance"], 5);
}
