//! Orders that a till only reports, and a till's commit as an event.

use crate::support::{Shop, campaign, cart, line, mechanic, place, points, reward_from, voucher};
use chrono::TimeDelta;
use fanfare_core::{
    cart::Cart,
    mechanic::{Rule, key, spend_threshold::SpendPer},
    model::{
        Plan,
        campaign::{Counted, Limit, Per},
    },
    money::Minor,
    time::Every,
};
use fanfare_engine::{
    ingest::{Incoming, Sender, Status},
    join::Join,
    orders::ReturnOrder,
    redemptions::Mode,
};
use serde_json::{Value, json};

/// A campaign that gives 100 points for 200.00 spent over all orders.
async fn shop() -> Shop {
    let shop = Shop::open().await;
    shop.publish(Plan::Reward(points("thanks", 100))).await;
    let mut plan = campaign("spend", Some(100_000));
    let Rule::SpendThreshold(mut rule) = reward_from(20_000, "thanks") else { unreachable!() };
    rule.per = SpendPer::Campaign;
    plan.mechanics = vec![mechanic("more", Rule::SpendThreshold(rule))];
    shop.publish(Plan::Campaign(plan)).await;
    let join = Join { campaign: "spend".into(), member: "m1".into(), store: None, channel: None };
    shop.run(join).await.unwrap();
    shop
}

fn event(id: &str, kind: &str, data: Value) -> Incoming {
    Incoming {
        source: "till".into(),
        id: id.into(),
        kind: kind.into(),
        subject: Some("m1".into()),
        time: None,
        data: data.into(),
    }
}

async fn send(shop: &Shop, event: Incoming) -> Status {
    shop.engine.ingest(vec![event], &Sender::Shop).await.unwrap().0.remove(0).status
}

fn order(id: &str, total: &str) -> Value {
    json!({ "orderId": id, "total": total, "currency": "THB", "storeId": "bkk-01", "channel": "pos",
        "lines": [{ "id": "a", "sku": "TEA", "quantity": 2, "unitPrice": "75.00" }] })
}

#[tokio::test]
async fn a_report_that_could_not_be_kept_is_rejected_alone() {
    let shop = shop().await;
    let mut many = order("o3", "150.00");
    many["lines"][0]["quantity"] = json!(i64::MAX);
    let mut refund = order("o1", "10.00");
    refund["returnId"] = json!("r\0");
    for (id, kind, data) in [
        ("e1", "order.paid", order("o\0", "150.00")),
        ("e2", "order.refunded", order("o\0", "150.00")),
        ("e3", "order.refunded", refund),
        ("e4", "order.paid", many),
    ] {
        assert_eq!(send(&shop, event(id, kind, data)).await, Status::Rejected, "{id}");
    }
    assert_eq!(send(&shop, event("e5", "order.paid", order("o1", "150.00"))).await, Status::Accepted);
    shop.verify().await;
}

#[tokio::test]
async fn a_reported_order_counts_once_whoever_reports_it() {
    let shop = shop().await;
    assert_eq!(send(&shop, event("e1", "order.paid", order("o1", "150.00"))).await, Status::Accepted);
    assert_eq!(send(&shop, event("e1", "order.paid", order("o1", "150.00"))).await, Status::Duplicate);
    assert_eq!(send(&shop, event("e2", "order.paid", order("o1", "150.00"))).await, Status::Duplicate);
    assert_eq!(shop.balance("sales/spend/revenue").await, 15_000);
    shop.run(place("o2", Mode::Commit, cart(Some("m1"), vec![line("a", 1, 10_000)], vec![]))).await.unwrap();
    assert_eq!(send(&shop, event("e3", "order.paid", order("o2", "100.00"))).await, Status::Duplicate);
    assert_eq!(shop.balance("sales/spend/revenue").await, 25_000);
    assert_eq!(shop.points("m1").await, 100);
    for (what, expect) in [("orders", 2), ("conversions", 1), ("participants", 1)] {
        assert_eq!(shop.counter(&key::metric(&"spend".into(), what)).await, expect, "{what}");
    }
    assert!(shop.run(place("o1", Mode::Commit, cart(None, vec![line("a", 1, 1)], vec![]))).await.is_err());
    shop.verify().await;
}

#[tokio::test]
async fn a_return_counts_back_what_several_orders_earned() {
    let shop = shop().await;
    send(&shop, event("e1", "order.paid", order("o1", "150.00"))).await;
    shop.run(place("o2", Mode::Commit, cart(Some("m1"), vec![line("a", 1, 10_000)], vec![]))).await.unwrap();
    assert_eq!(shop.points("m1").await, 100);
    let lines = vec![("a".to_owned(), 1)];
    let back = ReturnOrder {
        id: "o1".into(),
        return_id: "r1".into(),
        lines,
        reason: "size".into(),
        store: None,
        business_date: None,
    };
    let returned = shop.run(back).await.unwrap().unwrap().order;
    assert_eq!((returned.returns[0].refund, returned.returns[0].clawed_back), (Minor(7_500), Minor(200)));
    assert_eq!((shop.points("m1").await, shop.balance("sales/spend/revenue").await), (0, 17_500));
    let refund = json!({ "orderId": "o1", "returnId": "r1", "total": "75.00" });
    assert_eq!(send(&shop, event("e4", "order.refunded", refund)).await, Status::Duplicate);
    assert_eq!(shop.balance("sales/spend/revenue").await, 17_500);
    shop.verify().await;
}

#[tokio::test]
async fn a_refund_that_comes_before_its_order_waits_for_it() {
    let shop = shop().await;
    let refund = json!({ "orderId": "o1", "returnId": "r1", "total": "50.00" });
    assert_eq!(send(&shop, event("e1", "order.refunded", refund)).await, Status::Accepted);
    assert_eq!(shop.balance("sales/spend/revenue").await, 0);
    assert_eq!(send(&shop, event("e2", "order.paid", order("o1", "150.00"))).await, Status::Accepted);
    assert_eq!(shop.balance("sales/spend/revenue").await, 10_000);
    let stored = shop.store.order(&shop.ns, &"o1".into()).await.unwrap().unwrap();
    assert_eq!(stored.returns.len(), 1);
    shop.verify().await;
}

#[tokio::test]
async fn wrong_data_is_rejected_with_what_is_wrong() {
    let shop = shop().await;
    for data in [
        json!({}),
        json!({ "orderId": "o1" }),
        json!({ "orderId": "o1", "total": 5 }),
        json!({ "orderId": "o1", "total": "5.001" }),
        json!({ "orderId": "o1", "total": "5.00", "currency": "USD" }),
        json!({ "orderId": "o1", "total": "5.00", "lines": [{ "quantity": 0 }] }),
    ] {
        assert_eq!(send(&shop, event("e", "order.paid", data.clone())).await, Status::Rejected, "{data}");
    }
    shop.verify().await;
}

#[tokio::test]
async fn what_an_order_s_return_takes_back_is_given_back_to_the_store_and_the_day_that_counted_it() {
    let shop = Shop::open().await;
    let limit = |per, every| Limit { count: Counted::Rewards, per, every, max: 10 };
    let mut thanks = voucher("thanks", 1_000, 1_000);
    thanks.limits = vec![limit(Per::Store, Every::Lifetime), limit(Per::Reward, Every::Day)];
    shop.publish(Plan::Reward(thanks)).await;
    let mut plan = campaign("spend", Some(100_000));
    let Rule::SpendThreshold(mut rule) = reward_from(20_000, "thanks") else { unreachable!() };
    rule.per = SpendPer::Campaign;
    plan.mechanics = vec![mechanic("more", Rule::SpendThreshold(rule))];
    shop.publish(Plan::Campaign(plan)).await;
    let join = Join { campaign: "spend".into(), member: "m1".into(), store: None, channel: None };
    shop.run(join).await.unwrap();
    let sold =
        |store: &str, price| Cart { store: Some(store.into()), ..cart(Some("m1"), vec![line("a", 1, price)], vec![]) };
    shop.run(place("o1", Mode::Commit, sold("s1", 15_000))).await.unwrap();
    shop.forward(TimeDelta::days(1));
    shop.run(place("o2", Mode::Commit, sold("s2", 10_000))).await.unwrap();
    assert_eq!(shop.budget("spend").await, (99_000, 1_000, 0));
    let counted =
        async |holder: &str, stretch: &str| shop.counter(&key::reward_limit(&"thanks".into(), holder, stretch)).await;
    assert_eq!((counted("store:s2", "ever").await, counted("reward", "2026-11-12").await), (1, 1));
    let (id, return_id) = ("o1".into(), "r1".to_owned());
    let lines = vec![("a".to_owned(), 1)];
    let back = ReturnOrder { id, return_id, lines, reason: "size".into(), store: None, business_date: None };
    shop.run(back).await.unwrap();
    assert_eq!(shop.budget("spend").await, (100_000, 0, 0), "the voucher is taken back");
    assert_eq!((counted("store:s1", "ever").await, counted("reward", "2026-11-11").await), (0, 0));
    assert_eq!((counted("store:s2", "ever").await, counted("reward", "2026-11-12").await), (0, 0));
    shop.verify().await;
}
