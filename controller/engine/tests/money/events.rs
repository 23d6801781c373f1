//! Orders that a till only reports, and a till's commit as an event.

use crate::support::{Shop, campaign, cart, line, mechanic, place, points, redeem, reward_from, voucher};
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
    orders::{CommitOrder, ReturnOrder, VoidOrder},
    redemptions::Mode,
};
use fanfare_store::rows::{GrantState, OrderState};
use futures::TryStreamExt;
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

fn of(id: &str, price: i64) -> fanfare_engine::orders::PlaceOrder {
    place(id, Mode::Commit, cart(Some("m1"), vec![line("a", 1, price)], vec![]))
}

fn back(id: &str, return_id: &str) -> ReturnOrder {
    ReturnOrder {
        id: id.into(),
        return_id: return_id.into(),
        lines: vec![("a".into(), 1)],
        reason: "size".into(),
        store: None,
        business_date: None,
    }
}

#[tokio::test]
async fn orders_and_returns_are_events_of_their_own_whatever_their_ids_are() {
    let shop = shop().await;
    for (id, return_id, price) in [("1001", "1", 10_000), ("a", "b/c", 100), ("a/b", "c", 100)] {
        shop.run(of(id, price)).await.unwrap();
        shop.run(back(id, return_id)).await.unwrap().unwrap();
    }
    assert_eq!(shop.points("m1").await, 0);
    shop.run(of("1001/1", 20_000)).await.unwrap();
    assert_eq!(shop.points("m1").await, 100, "the return 1 of the order 1001 is no order 1001/1");
    let events: Vec<_> = shop.store.events(&shop.ns).try_collect().await.unwrap();
    let refunds = events.iter().filter(|event| event.kind == "order.refunded").count();
    assert_eq!((events.len() - refunds, refunds), (4, 3));
    shop.verify().await;
}

#[tokio::test]
async fn a_refund_that_came_before_its_order_counts_back_all_that_the_order_brings() {
    for member in ["m1", "m2"] {
        let shop = shop().await;
        let sent = |id, kind, data| Incoming { subject: Some(member.into()), ..event(id, kind, data) };
        let refund = json!({ "orderId": "o1", "returnId": "r1", "total": "200.00" });
        send(&shop, sent("e1", "order.refunded", refund)).await;
        send(&shop, sent("e2", "order.paid", order("o1", "200.00"))).await;
        assert_eq!(shop.points(member).await, 0, "{member}: nothing of it is paid");
        assert_eq!(shop.balance("sales/spend/revenue").await, 0, "{member}");
        assert_eq!(
            shop.counter(&key::member(&"spend".into(), &"more".into(), &member.into(), "spend")).await,
            0,
            "{member}"
        );
        let stored = shop.store.order(&shop.ns, &"o1".into()).await.unwrap().unwrap();
        assert_eq!((stored.state, stored.returns.len()), (OrderState::Returned, 1));
        shop.verify().await;
    }
}

#[tokio::test]
async fn a_reported_order_that_comes_back_takes_no_voucher_of_another_that_is_still_paid() {
    let shop = Shop::open().await;
    shop.publish(Plan::Reward(voucher("gift", 1_000, 1_000))).await;
    let mut plan = campaign("each", Some(100_000));
    plan.mechanics = vec![mechanic("more", reward_from(10_000, "gift"))];
    shop.publish(Plan::Campaign(plan)).await;
    for (event_id, id) in [("e1", "o1"), ("e2", "o2")] {
        send(&shop, event(event_id, "order.paid", order(id, "100.00"))).await;
    }
    let given = shop.grants_of("m1").await;
    let of_order = |id: &str| given.iter().find(|grant| grant.cause == format!("order:{id}")).unwrap().clone();
    shop.run(redeem(&of_order("o1").code.unwrap(), Mode::Commit)).await.unwrap();
    send(&shop, event("e3", "order.refunded", json!({ "orderId": "o1", "returnId": "r1" }))).await;
    assert_eq!(shop.grant(&of_order("o2").id).await.state, GrantState::Claimed);
    send(&shop, event("e4", "order.refunded", json!({ "orderId": "o2", "returnId": "r2" }))).await;
    assert_eq!(shop.grant(&of_order("o2").id).await.state, GrantState::Revoked, "its own order is not paid any more");
    assert_eq!(shop.budget("each").await, (99_000, 0, 1_000));
    shop.verify().await;
}

#[tokio::test]
async fn a_till_books_its_order_also_where_a_refund_of_it_came_first() {
    for mode in [Mode::Commit, Mode::Reserve] {
        let shop = shop().await;
        let refund = json!({ "orderId": "o1", "returnId": "r1", "total": "150.00" });
        send(&shop, event("e1", "order.refunded", refund)).await;
        let commit =
            CommitOrder { id: "o1".into(), cart: None, receipt_number: None, business_date: None, occurred_at: None };
        assert_eq!(shop.run(commit.clone()).await.unwrap(), None, "nobody knows the order yet");
        assert_eq!(shop.run(VoidOrder { id: "o1".into() }).await.unwrap(), None);
        let basket = cart(Some("m1"), vec![line("a", 2, 10_000)], vec![]);
        let placed = shop.run(place("o1", mode, basket.clone())).await.unwrap();
        assert!(placed.created, "{mode:?}");
        let order = shop.run(commit).await.unwrap().unwrap().order;
        assert_eq!((order.state, order.returns.len()), (OrderState::PartiallyReturned, 1), "{mode:?}");
        assert_eq!(order.returns[0].refund, Minor(15_000));
        assert_eq!((shop.balance("sales/spend/revenue").await, shop.points("m1").await), (5_000, 0));
        let again = shop.run(place("o1", mode, basket)).await.unwrap();
        assert_eq!((again.created, again.order), (false, order));
        shop.verify().await;
    }
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
