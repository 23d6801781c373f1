//! Wrong calls about money: each has its stable code, says where and what would pass, and changes nothing.

use crate::{campaigns::double_11, support::Shop};
use fanfare_core::{
    ids::{MemberId, Name},
    model::{Plan, RewardPlan},
};
use fanfare_engine::{
    Command, Halt,
    give::{self, Given},
    tx::Tx,
};
use serde_json::{Value, json};

/// Gives a reward, as an Automation would.
struct Give;

impl Command for Give {
    type Answer = Given;
    fn run(&self, tx: &mut Tx<'_>) -> Result<Given, Halt> {
        let (member, reward) = (MemberId::from("m1"), Name::from("coupon"));
        let (campaign, mechanic, store) = (None, None, None);
        give::give(
            tx,
            give::To { member: &member, reward: &reward, quantity: 1, campaign, mechanic, store, cause: "test" },
        )
    }
}

fn coupon() -> RewardPlan {
    let items = json!({"only": "All", "except": {"skus": [], "categories": [], "brands": []}});
    let plan = json!({
        "name": "coupon", "revision": "r1", "title": "100 off",
        "kind": {"Voucher": {"worth": {"Amount": 10_000}, "min_spend": 0, "items": items}},
        "codes": {"length": 12, "alphabet": "Crockford", "prefix": ""}, "quantity": null, "limits": [], "claim": "Auto",
        "claim_within": null, "validity": {"from": "Issue", "lasts": null, "until": null, "not_before": null},
        "redemption": {
            "places": {"channels": [], "stores": null}, "symbology": "Qr", "reserve_for": "10m", "on_reversal": "Restore"
        },
        "stacking": null, "unit_cost": 0, "suspended": false
    });
    serde_json::from_value(plan).unwrap()
}

fn cart(lines: Value) -> Value {
    json!({"memberId": "m1", "storeId": "bkk-01", "channel": "pos", "currency": "THB", "lines": lines})
}

fn line(id: &str, quantity: i64, price: &str) -> Value {
    json!({"id": id, "sku": "CUP-01", "quantity": quantity, "unitPrice": price})
}

fn order(id: &str, mode: &str) -> Value {
    json!({"id": id, "mode": mode, "cart": cart(json!([line("1", 3, "100.00"), line("2", 1, "0.01")]))})
}

fn back(id: &str, lines: &[(&str, i64)]) -> Value {
    let lines: Vec<Value> = lines.iter().map(|(id, quantity)| json!({"id": id, "quantity": quantity})).collect();
    json!({"returnId": id, "lines": lines, "reason": "size"})
}

/// A shop where `sold` is committed with one unit returned, `held` is reserved and `gone` has lapsed; and the ids of a
/// redemption that was reversed in part and of one that was reversed whole, with the code of a voucher that is not used.
async fn shop() -> (Shop, [String; 2], String) {
    let shop = Shop::open().await;
    shop.publish("double-11", Plan::Campaign(double_11())).await;
    shop.publish("coupon", Plan::Reward(coupon())).await;
    shop.login("m1").await;
    let mut codes = Vec::new();
    for _ in 0..3 {
        let given = shop.engine.execute(Give).await.unwrap().0.unwrap();
        let grant = shop.engine.store().grant(shop.engine.namespace(), &given.grants[0]).await.unwrap().unwrap();
        codes.push(grant.code.unwrap().to_string());
    }
    shop.post(&shop.integration, "/v1/orders", &order("gone", "Reserve")).await.is(201);
    shop.clock.pass(16 * 60);
    fanfare_engine::worker::work_off(&shop.engine).await.unwrap();
    shop.post(&shop.integration, "/v1/orders", &order("held", "Reserve")).await.is(201);
    shop.post(&shop.integration, "/v1/orders", &order("sold", "Commit")).await.is(201);
    shop.post(&shop.integration, "/v1/orders/sold/returns", &back("r1", &[("1", 1)])).await.is(201);
    let mut redemptions = Vec::new();
    for (code, amount) in [(&codes[0], Some("40.00")), (&codes[1], None)] {
        let body = json!({"code": code, "mode": "Commit", "storeId": "bkk-01"});
        let used = shop.post(&shop.till, "/v1/redemptions", &body).await.is(201);
        let id = used["id"].as_str().unwrap().to_owned();
        let mut body = json!({"reversalId": "v1", "reason": "wrong article"});
        if let Some(amount) = amount {
            body["amount"] = json!(amount);
        }
        shop.post(&shop.till, &format!("/v1/redemptions/{id}/reverse"), &body).await.is(200);
        redemptions.push(id);
    }
    let [part, whole]: [String; 2] = redemptions.try_into().unwrap();
    (shop, [part, whole], codes[2].clone())
}

/// Everything that money and counts stand in.
async fn books(shop: &Shop) -> (Value, Vec<Value>) {
    let (store, ns) = (shop.engine.store(), shop.engine.namespace());
    let ledger: Vec<_> = store.balances(ns, "").await.unwrap();
    let counters = store.counters(ns, "").await.unwrap();
    let mut orders = Vec::new();
    for id in ["sold", "held", "gone"] {
        orders.push(shop.get(&shop.till, &format!("/v1/orders/{id}")).await.is(200));
    }
    (json!([ledger, counters]), orders)
}

#[tokio::test]
async fn a_wrong_call_about_money_has_its_code_and_changes_nothing() {
    let (shop, [part, whole], code) = shop().await;
    let of = |field: &str, value: Value| {
        let mut body = order("new", "Commit");
        body["cart"]["lines"][0][field] = value;
        body
    };
    let with = |pointer: &str, value: Value| {
        let mut body = order("new", "Commit");
        *body.pointer_mut(pointer).unwrap() = value;
        body
    };
    let mut expecting = order("new", "Commit");
    expecting["expectedPayable"] = json!("1.00");
    let mut elsewhere = order("sold", "Commit");
    elsewhere["cart"]["lines"][0]["quantity"] = json!(4);
    let redeem = |field: &str, value: Value| {
        let mut body = json!({"code": code, "mode": "Commit", "storeId": "bkk-01"});
        body[field] = value;
        body
    };
    let reverse = |id: &str, amount: &str| json!({"reversalId": id, "reason": "wrong article", "amount": amount});
    let orders = "/v1/orders";
    let (sold, held) = ("/v1/orders/sold/returns", "/v1/orders/held/returns");
    let (of_part, of_whole) = (format!("/v1/redemptions/{part}/reverse"), format!("/v1/redemptions/{whole}/reverse"));
    let late = json!({"occurredAt": "2026-11-11T10:15:00+07:00"});
    #[rustfmt::skip]
    let cases: Vec<(&str, Value, u16, &str, &str)> = vec![
        (orders, of("quantity", json!(0)), 422, "invalid", "/cart/lines/0/quantity"),
        (orders, of("quantity", json!(-1)), 422, "invalid", "/cart/lines/0/quantity"),
        (orders, of("quantity", json!(1.5)), 422, "invalid", "/cart/lines/0/quantity"),
        (orders, of("quantity", json!("1")), 422, "invalid", "/cart/lines/0/quantity"),
        (orders, of("quantity", json!(1_000_001)), 422, "invalid", "/cart/lines/0/quantity"),
        (orders, of("quantity", json!(9_223_372_036_854_775_808_u64)), 422, "invalid", "/cart/lines/0/quantity"),
        (orders, of("unitPrice", json!("-100.00")), 422, "invalid", "/cart/lines/0/unitPrice"),
        (orders, of("unitPrice", json!("+1")), 422, "invalid", "/cart/lines/0/unitPrice"),
        (orders, of("unitPrice", json!("1.234")), 422, "invalid", "/cart/lines/0/unitPrice"),
        (orders, of("unitPrice", json!("1,000.00")), 422, "invalid", "/cart/lines/0/unitPrice"),
        (orders, of("unitPrice", json!("1e3")), 422, "invalid", "/cart/lines/0/unitPrice"),
        (orders, of("unitPrice", json!("NaN")), 422, "invalid", "/cart/lines/0/unitPrice"),
        (orders, of("unitPrice", json!("๑๐๐")), 422, "invalid", "/cart/lines/0/unitPrice"),
        (orders, of("unitPrice", json!("")), 422, "invalid", "/cart/lines/0/unitPrice"),
        (orders, of("unitPrice", json!(100)), 422, "invalid", "/cart/lines/0/unitPrice"),
        (orders, of("unitPrice", json!("92233720368547758.08")), 422, "invalid", "/cart/lines/0/unitPrice"),
        (orders, of("id", json!("2")), 422, "invalid", "/cart/lines/1/id"),
        (orders, with("/cart/lines", json!([])), 422, "invalid", "/cart/lines"),
        (orders, with("/cart/currency", json!("USD")), 422, "currency-mismatch", "/cart/currency"),
        (orders, with("/cart/currency", json!("thb")), 422, "currency-mismatch", "/cart/currency"),
        (orders, with("/cart/storeId", json!("bkk-10")), 422, "invalid", "/cart/storeId"),
        (orders, with("/cart/memberId", json!("nobody")), 404, "member-unknown", ""),
        (orders, with("/mode", json!("Pay")), 422, "invalid", "/mode"),
        (orders, expecting, 409, "price-changed", ""),
        (orders, elsewhere, 409, "order-id-reused", ""),
        (sold, back("r2", &[("1", 0)]), 422, "invalid", "/lines/0/quantity"),
        (sold, back("r2", &[("1", -1)]), 422, "invalid", "/lines/0/quantity"),
        (sold, back("r2", &[("1", i64::MAX)]), 422, "invalid", "/lines/0/quantity"),
        (sold, back("r2", &[]), 422, "invalid", "/lines"),
        (sold, back("r2", &[("1", 1), ("1", 1)]), 422, "invalid", "/lines/1/id"),
        (sold, back("r2", &[("1", 3)]), 409, "return-exceeds-order", ""),
        (sold, back("r2", &[("9", 1)]), 409, "return-exceeds-order", ""),
        (sold, back("r1", &[("1", 2)]), 409, "return-id-reused", ""),
        (sold, back("r1", &[("2", 1)]), 409, "return-id-reused", ""),
        (sold, json!({"returnId": "r1", "lines": [{"id": "1", "quantity": 1}], "reason": "colour"}), 409, "return-id-reused", ""),
        (held, back("r2", &[("1", 1)]), 409, "order-state", ""),
        ("/v1/orders/gone/returns", back("r2", &[("1", 1)]), 409, "order-state", ""),
        ("/v1/orders/none/returns", back("r2", &[("1", 1)]), 404, "not-found", ""),
        ("/v1/orders/sold/void", json!({}), 409, "order-state", ""),
        ("/v1/orders/gone/commit", json!({}), 409, "reservation-expired", ""),
        ("/v1/orders/gone/commit", late, 409, "reservation-expired", ""),
        ("/v1/orders/gone/commit", json!({"occurredAt": "2027-01-01T00:00:00Z"}), 409, "reservation-expired", ""),
        ("/v1/orders/held/commit", json!({"businessDate": "2026-02-30"}), 422, "invalid", "/businessDate"),
        ("/v1/redemptions", redeem("amount", json!("0.00")), 422, "invalid", "/amount"),
        ("/v1/redemptions", redeem("amount", json!("-5.00")), 422, "invalid", "/amount"),
        ("/v1/redemptions", redeem("amount", json!("100.01")), 409, "exceeds-remaining", ""),
        ("/v1/redemptions", redeem("storeId", json!("bkk-99")), 422, "invalid", "/storeId"),
        ("/v1/redemptions", redeem("order", json!({"id": "o", "total": "5.00", "currency": "EUR"})), 422, "currency-mismatch", "/order/currency"),
        (&of_part, reverse("v2", "0.00"), 422, "invalid", "/amount"),
        (&of_part, reverse("v2", "60.01"), 409, "exceeds-remaining", ""),
        (&of_part, reverse("v1", "60.00"), 409, "reversal-id-reused", ""),
        (&of_part, json!({"reversalId": "v1", "reason": "other", "amount": "40.00"}), 409, "reversal-id-reused", ""),
        (&of_whole, json!({"reversalId": "v2", "reason": "again"}), 409, "redemption-state", ""),
    ];
    let before = books(&shop).await;
    for (path, body, status, code, pointer) in cases {
        let answer = shop.post(&shop.integration, path, &body).await;
        let said = (answer.status.as_u16(), answer.json()["code"].as_str().unwrap_or_default().to_owned());
        assert_eq!(said, (status, code.to_owned()), "{path} {body}: {}", answer.json());
        let problem = answer.is_problem(status, code);
        assert_eq!(problem["errors"][0]["pointer"].as_str().unwrap_or_default(), pointer, "{path} {body}: {problem}");
        assert_eq!(books(&shop).await, before, "{path} {body} changed something");
    }
}

#[tokio::test]
async fn the_same_call_again_is_the_same_answer() {
    let (shop, [part, whole], _) = shop().await;
    let before = books(&shop).await;
    let again = [
        ("/v1/orders".to_owned(), order("sold", "Commit")),
        ("/v1/orders/sold/returns".to_owned(), back("r1", &[("1", 1)])),
        ("/v1/orders/sold/commit".to_owned(), json!({})),
        (
            format!("/v1/redemptions/{part}/reverse"),
            json!({"reversalId": "v1", "reason": "wrong article", "amount": "40.00"}),
        ),
        (format!("/v1/redemptions/{whole}/reverse"), json!({"reversalId": "v1", "reason": "wrong article"})),
    ];
    for (path, body) in again {
        let answer = shop.post(&shop.integration, &path, &body).await;
        assert!(answer.status.is_success(), "{path}: {}", answer.json());
        assert_eq!(books(&shop).await, before, "{path} changed something");
    }
}

#[tokio::test]
async fn what_is_packed_is_not_read_and_a_cursor_is_one() {
    let shop = Shop::open().await;
    let bearer = format!("Bearer {}", shop.integration);
    for path in ["/v1/orders", "/v1/events", "/v1/members/import"] {
        for (coding, content) in [("gzip", "application/json"), ("br", "text/csv"), ("x, gzip", "application/json")] {
            let headers = [
                ("authorization", &*bearer),
                ("idempotency-key", "k"),
                ("content-type", content),
                ("content-encoding", coding),
            ];
            let answer = shop.send("POST", path, &headers, vec![0x1f_u8, 0x8b, 0x08, 0x00]).await;
            let problem = answer.is_problem(415, "unsupported-media-type");
            assert!(problem["detail"].as_str().is_some_and(|text| !text.is_empty()), "{path} {coding}: {problem}");
        }
    }
    for wrong in ["zz", "1.", "x.y", "%00"] {
        let answer = shop.get("", &format!("/v1/campaigns?cursor={wrong}")).await;
        assert!(matches!(answer.status.as_u16(), 400 | 422), "{wrong}: {}", answer.json());
    }
    assert_eq!(shop.get("", "/v1/campaigns?cursor=1.a").await.is(200)["items"], json!([]));
}

#[tokio::test]
async fn without_a_runtime_nothing_is_listed() {
    let shop = Shop::open().await;
    shop.publish("double-11", Plan::Campaign(double_11())).await;
    assert_eq!(shop.get("", "/v1/campaigns").await.is(200)["items"].as_array().unwrap().len(), 1);
    let kind = fanfare_core::model::Kind::CampaignRuntime;
    let retire = fanfare_engine::publish::Retire { kind, name: "main".into(), actor: "test".into() };
    assert!(shop.engine.execute(retire).await.unwrap().0.unwrap());
    assert_eq!(shop.get("", "/v1/campaigns").await.is(200)["items"], json!([]));
}
