//! Campaigns as members meet them, and what their carts and orders get.

use crate::support::Shop;
use axum::body::Body;
use fanfare_core::{
    cart::Items,
    ids::Name,
    mechanic::{
        Rule,
        discount::{Discount, Off},
        flash_sale::{FlashSale, Item},
    },
    model::{
        CampaignPlan, Plan,
        campaign::{Audience, Content, Join, Mechanic, Objective, Participation, Places, Scope, Text, Visibility},
        schedule::Schedule,
    },
    money::{BasisPoints, Minor},
    time::Span,
};
use serde_json::{Value, json};
use std::collections::BTreeMap;

/// Half price on everything and a flash sale, from the morning of the test's day.
pub(crate) fn double_11() -> CampaignPlan {
    let mechanic = |name: &str, rule| Mechanic { name: name.into(), scope: Scope::default(), rule };
    let discount = Discount {
        off: Off::Percent(BasisPoints(5_000)),
        items: Items::default(),
        min_spend: Minor::ZERO,
        max: None,
        floor_price: Minor::ZERO,
    };
    let item = Item { sku: "TEA-01".into(), price: Minor(9_900), stock: 1, stock_per_store: None };
    let text = |title: &str| Text { title: Some(title.into()), benefits: vec!["half price".into()], ..Text::default() };
    let start = chrono::DateTime::parse_from_rfc3339("2026-11-11T00:00:00+07:00").unwrap().to_utc();
    CampaignPlan {
        name: "double-11".into(),
        revision: "r1".into(),
        title: "Double 11".into(),
        objective: Objective::Promotion,
        tags: vec!["seasonal".into()],
        schedule: Schedule {
            zone: "Asia/Bangkok".parse().unwrap(),
            publish_at: None,
            start_at: start,
            end_at: Some(start + chrono::TimeDelta::days(1)),
            cool_down: Span::days(30),
            windows: Vec::new(),
        },
        suspended: false,
        visibility: Visibility::Public,
        audience: Audience::default(),
        participation: Participation { join: Join::Automatic, places: Places::default(), limits: Vec::new() },
        mechanics: vec![
            mechanic("half-price", Rule::Discount(discount)),
            mechanic(
                "flash",
                Rule::FlashSale(FlashSale { items: vec![item], per_member: Some(1), reserve_for: Span::seconds(600) }),
            ),
        ],
        stacking: None,
        budget: None,
        notify_at: Vec::new(),
        owner: None,
        costs: BTreeMap::new(),
        attribution_window: Span::days(7),
        content: Content {
            default_locale: Some("th".into()),
            locales: BTreeMap::from([("th".into(), text("สิบเอ็ดสิบเอ็ด")), ("en".into(), text("Double Eleven"))]),
            assets: BTreeMap::new(),
        },
    }
}

async fn shop() -> Shop {
    let shop = Shop::open().await;
    shop.publish("double-11", Plan::Campaign(double_11())).await;
    shop
}

fn cart() -> Value {
    json!({
        "memberId": "m1", "channel": "pos", "currency": "THB",
        "lines": [{"id": "1", "sku": "A", "quantity": 2, "unitPrice": "50.00"}],
    })
}

#[tokio::test]
async fn the_feed_is_in_the_reader_s_language_and_not_sent_twice() {
    let shop = shop().await;
    let member = shop.login("m1").await;
    let bearer = format!("Bearer {member}");
    for (language, title) in [("en-GB, th;q=0.5", "Double Eleven"), ("de", "สิบเอ็ดสิบเอ็ด")]
    {
        let headers = [("authorization", &*bearer), ("accept-language", language)];
        let page = shop.send("GET", "/v1/campaigns", &headers, Body::empty()).await.is(200);
        assert_eq!(page["items"][0]["title"], title, "{page}");
        assert_eq!(page["items"][0]["qualification"]["qualified"], true);
        assert_eq!(page["items"][0]["startAt"], "2026-11-11T00:00:00+07:00");
    }
    let anyone = shop.get("", "/v1/campaigns?view=active&tag=seasonal").await;
    let item = &anyone.is(200)["items"][0];
    assert_eq!((&item["phase"], item.get("qualification")), (&json!("Active"), None));
    let headers = [("if-none-match", anyone.header("etag"))];
    let again = shop.send("GET", "/v1/campaigns", &headers, Body::empty()).await;
    assert_eq!(again.status.as_u16(), 304);
    assert_eq!(shop.get("", "/v1/campaigns?view=past").await.is(200)["items"], json!([]));
    shop.get("", "/v1/campaigns?view=sometime").await.is_problem(422, "invalid");
    let detail = shop.get(&member, "/v1/campaigns/double-11").await.is(200);
    assert_eq!(detail["mechanics"][1]["kind"], "flashSale", "{detail}");
    shop.get(&member, "/v1/campaigns/nope").await.is_problem(404, "not-found");
}

#[tokio::test]
async fn a_member_joins_once() {
    let shop = shop().await;
    let member = shop.login("m1").await;
    let path = "/v1/campaigns/double-11/join";
    let joined = shop.post_with(&member, "join-1", path, &json!({})).await;
    assert_eq!(joined.is(201)["memberId"], "m1");
    assert_eq!(shop.post_with(&member, "join-1", path, &json!({})).await.header("idempotency-replayed"), "true");
    shop.post(&member, path, &json!({})).await.is(200);
    shop.post(&member, "/v1/campaigns/nope/join", &json!({})).await.is_problem(404, "not-found");
    assert_eq!(shop.get(&member, "/v1/campaigns/double-11").await.is(200)["joined"], true);
    shop.get(&member, "/v1/campaigns/double-11/progress").await.is(200);
    shop.clock.pass(86_400);
    let late = shop.login("m2").await;
    shop.post(&late, path, &json!({})).await.is_problem(409, "campaign-not-active");
}

#[tokio::test]
async fn the_last_unit_of_a_flash_sale_is_reserved_once_and_can_be_let_go() {
    let shop = shop().await;
    let (first, second) = (shop.login("m1").await, shop.login("m2").await);
    let path = |action: &str| format!("/v1/campaigns/double-11/mechanics/flash/{action}");
    let wanted = json!({"sku": "TEA-01", "quantity": 1});
    let held = shop.post(&first, &path("reserve"), &wanted).await.is(200);
    assert_eq!(held["reservation"]["expiresAt"], "2026-11-11T10:10:00+07:00", "{held}");
    shop.post(&second, &path("reserve"), &wanted).await.is_problem(409, "sold-out");
    let release = json!({"reservationId": held["reservation"]["id"]});
    shop.post(&second, &path("release"), &release).await.is_problem(404, "not-found");
    shop.post(&first, &path("release"), &release).await.is(200);
    shop.post(&second, &path("reserve"), &wanted).await.is(200);

    shop.post(&first, &path("reserve"), &json!({"sku": "TEA-01", "quantity": 0})).await.is_problem(422, "invalid");
    shop.post(&first, &path("reserve"), &json!({"reservationId": "x"})).await.is_problem(422, "invalid");
    shop.post(&first, &path("dance"), &json!({})).await.is_problem(404, "not-found");
    shop.post(&first, &path("draw"), &json!({})).await.is_problem(404, "not-found");
}

#[tokio::test]
async fn a_cart_is_priced_for_whoever_may_ask() {
    let shop = shop().await;
    let member = shop.login("m1").await;
    let path = "/v1/carts/evaluate";
    let priced = shop.post(&shop.till, path, &cart()).await.is(200);
    assert_eq!(
        (&priced["total"], &priced["discount"], &priced["payable"]),
        (&json!("100.00"), &json!("50.00"), &json!("50.00"))
    );
    assert_eq!(priced["discounts"][0]["mechanic"], "half-price", "{priced}");
    assert!(!priced["revision"].as_str().unwrap().is_empty());
    assert_eq!(shop.post(&member, path, &cart()).await.is(200)["payable"], "50.00");

    let with = |field: &str, value: Value| {
        let mut changed = cart();
        changed[field] = value;
        changed
    };
    shop.post(&member, path, &with("memberId", json!("m2"))).await.is_problem(403, "forbidden");
    shop.post(&shop.till, path, &with("memberId", json!("nobody"))).await.is_problem(404, "member-unknown");
    shop.post(&shop.till, path, &with("storeId", json!("bkk-02"))).await.is_problem(409, "store-mismatch");
    shop.post(&shop.till, path, &with("currency", json!("USD"))).await.is_problem(422, "currency-mismatch");
    shop.post(&shop.integration, path, &with("storeId", json!("bkk-02"))).await.is(200);
}

#[tokio::test]
async fn an_order_goes_from_reserved_to_returned() {
    let shop = shop().await;
    shop.login("m1").await;
    let body = json!({"id": "o1", "mode": "Reserve", "cart": cart(), "expectedPayable": "50.00"});
    let placed = shop.post(&shop.till, "/v1/orders", &body).await.is(201);
    assert_eq!((&placed["state"], &placed["expiresAt"]), (&json!("Reserved"), &json!("2026-11-11T10:15:00+07:00")));
    shop.post(&shop.till, "/v1/orders", &body).await.is(200);
    let other = json!({"id": "o1", "mode": "Commit", "cart": cart()});
    shop.post(&shop.till, "/v1/orders", &other).await.is_problem(409, "order-id-reused");
    let committed = shop.post(&shop.till, "/v1/orders/o1/commit", &json!({"receiptNumber": "R-1"})).await.is(200);
    assert_eq!((&committed["state"], &committed["receiptNumber"]), (&json!("Committed"), &json!("R-1")));
    shop.post(&shop.till, "/v1/orders/o1/void", &json!({})).await.is_problem(409, "order-state");
    let back = json!({"returnId": "r1", "lines": [{"id": "1", "quantity": 1}], "reason": "too much"});
    let returned = shop.post(&shop.till, "/v1/orders/o1/returns", &back).await.is(201);
    assert_eq!((&returned["state"], &returned["returns"][0]["refund"]), (&json!("PartiallyReturned"), &json!("25.00")));
    let more = json!({"returnId": "r2", "lines": [{"id": "1", "quantity": 2}], "reason": "all"});
    shop.post(&shop.till, "/v1/orders/o1/returns", &more).await.is_problem(409, "return-exceeds-order");
    assert_eq!(shop.get(&shop.till, "/v1/orders/o1").await.is(200)["returns"][0]["returnId"], "r1");
    shop.get(&shop.till, "/v1/orders/o2").await.is_problem(404, "not-found");
    shop.post(&shop.till, "/v1/orders/o2/commit", &json!({})).await.is_problem(404, "not-found");
}

#[tokio::test]
async fn an_order_that_names_a_failing_code_or_another_price_is_refused_with_why() {
    let shop = shop().await;
    shop.login("m1").await;
    let mut named = json!({"id": "o1", "mode": "Commit", "cart": cart()});
    named["cart"]["codes"] = json!(["no-such-code"]);
    let problem = shop.post(&shop.till, "/v1/orders", &named).await.is_problem(409, "order-refused");
    assert_eq!(problem["rejected"][0]["code"], "no-such-code", "{problem}");
    let dear = json!({"id": "o1", "mode": "Commit", "cart": cart(), "expectedPayable": "60.00"});
    let problem = shop.post(&shop.till, "/v1/orders", &dear).await.is_problem(409, "price-changed");
    assert_eq!(problem["evaluation"]["payable"], "50.00");
    let checked = shop.post(&shop.till, "/v1/validations", &json!({"codes": ["no-such"]})).await.is(200);
    assert_eq!(
        (&checked["results"][0]["valid"], &checked["results"][0]["reason"]),
        (&json!(false), &json!("code-unknown"))
    );
}

#[tokio::test]
async fn segments_are_previewed_off_the_record() {
    let shop = shop().await;
    shop.login("m1").await;
    let preview =
        shop.post(&shop.integration, "/v1/segments/preview", &json!({"match": {"everyone": true}})).await.is(200);
    assert_eq!((&preview["size"], &preview["sample"][0]["memberId"]), (&json!(1), &json!("m1")));
    let wrong = shop.post(&shop.integration, "/v1/segments/preview", &json!({"match": {"all": 1}})).await;
    assert_eq!(wrong.is_problem(422, "invalid")["errors"][0]["pointer"], "/match/all");
    let nobody = shop.get(&shop.integration, "/v1/segments/nope/members/m1").await;
    nobody.is_problem(404, "not-found");
    assert!(shop.engine.plans().campaigns.contains_key(&Name::from("double-11")));
}
