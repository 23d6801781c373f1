use crate::support::{Shop, campaign, cart, line, mechanic, percent_off, place, points, redeem, reward_from, voucher};
use chrono::TimeDelta;
use fanfare_core::{
    cart::Cart,
    ids::Code,
    mechanic::{Rule, key, spend_threshold::SpendPer},
    model::{
        Plan,
        campaign::{Counted, Limit, Per},
    },
    money::Minor,
    reason::Reason,
    time::{Every, Ts},
};
use fanfare_engine::{
    orders::{CommitOrder, PlaceOrder, ReturnOrder, VoidOrder},
    publish::Publish,
    redemptions::Mode,
};
use fanfare_store::rows::{GrantState, OrderState, RedemptionState};

/// A campaign "half" with 50 % off everything and a voucher for orders from 1,000.00 on.
async fn shop(budget: i64) -> Shop {
    let shop = Shop::open().await;
    shop.publish(Plan::Reward(voucher("next", 20_000, 0))).await;
    let mut plan = campaign("half", Some(budget));
    plan.mechanics = vec![mechanic("off", percent_off("50%")), mechanic("more", reward_from(100_000, "next"))];
    plan.participation.limits =
        vec![Limit { count: Counted::Orders, per: Per::Member, every: Every::Lifetime, max: 3 }];
    shop.publish(Plan::Campaign(plan)).await;
    shop
}

fn commit(id: &str, cart: Option<Cart>, occurred_at: Option<Ts>) -> CommitOrder {
    CommitOrder { id: id.into(), cart, receipt_number: None, business_date: None, occurred_at }
}

fn back(order: &str, id: &str, lines: &[(&str, i64)]) -> ReturnOrder {
    let lines = lines.iter().map(|(line, quantity)| ((*line).to_owned(), *quantity)).collect();
    ReturnOrder {
        id: order.into(),
        return_id: id.into(),
        lines,
        reason: "size".into(),
        store: None,
        business_date: None,
    }
}

fn metric(what: &str) -> String {
    key::metric(&"half".into(), what)
}

#[tokio::test]
async fn what_a_till_says_of_the_time_is_believed_within_bounds_and_refused_beyond() {
    let shop = Shop::open().await;
    let now = shop.engine.clock().now();
    let basket = || cart(None, vec![line("1", 1, 10_000)], Vec::new());
    let at = |id: &str, said| PlaceOrder { occurred_at: Some(said), ..place(id, Mode::Reserve, basket()) };
    let cases = [
        (now + TimeDelta::minutes(6), Some(Reason::EventTooEarly)),
        (now + TimeDelta::minutes(4), None),
        (now - TimeDelta::hours(71), None),
        (now - TimeDelta::hours(73), Some(Reason::EventTooOld)),
    ];
    for (number, (said, refused)) in cases.into_iter().enumerate() {
        let told = shop.run(at(&format!("o-{number}"), said)).await.err().map(|refused| refused.refusal.reason);
        assert_eq!(told, refused, "{said}");
    }
    let held = shop.run(place("late", Mode::Reserve, basket())).await.unwrap();
    let commit = |said| CommitOrder {
        id: held.order.id.clone(),
        cart: None,
        receipt_number: None,
        business_date: None,
        occurred_at: Some(said),
    };
    let before = shop.run(commit(now - TimeDelta::hours(1))).await.unwrap_err();
    assert_eq!(before.refusal.reason, Reason::EventTooOld, "paid before it was placed");
    shop.run(commit(now)).await.unwrap();
    shop.verify().await;
}

#[tokio::test]
async fn an_order_is_reserved_committed_and_comes_back_in_parts_that_sum_exactly() {
    let shop = shop(1_000_000).await;
    let lines = vec![line("a", 3, 33_333), line("b", 2, 70_001)];
    let placed = shop.run(place("o1", Mode::Reserve, cart(Some("m1"), lines, vec![]))).await.unwrap();
    let evaluation = placed.order.evaluation.clone();
    assert_eq!(evaluation.total, Minor(240_001));
    let off = evaluation.discount.0;
    // What it will earn is set aside with its discount.
    assert_eq!(shop.budget("half").await, (1_000_000 - off - 20_000, off + 20_000, 0));
    assert_eq!(shop.counter(&metric("orders")).await, 0);

    let done = shop.run(commit("o1", None, None)).await.unwrap().unwrap().order;
    assert_eq!((done.state, done.evaluation.earned.len()), (OrderState::Committed, 1));
    // The voucher that was earned has its 200.00 set aside.
    assert_eq!(shop.budget("half").await, (1_000_000 - off - 20_000, 20_000, off));
    assert_eq!(shop.balance("cost/half/discounts").await, off);
    assert_eq!(shop.balance("sales/half/revenue").await, evaluation.payable.0);
    for (what, expect) in [("orders", 1), ("conversions", 1), ("participants", 1), ("issued", 1)] {
        assert_eq!(shop.counter(&metric(what)).await, expect, "{what}");
    }
    assert_eq!(shop.run(commit("o1", None, None)).await.unwrap().unwrap().order.state, OrderState::Committed);

    let mut refunds = 0;
    for (id, lines) in [("r1", vec![("a", 1)]), ("r2", vec![("a", 1), ("b", 1)]), ("r3", vec![("a", 1), ("b", 1)])] {
        let order = shop.run(back("o1", id, &lines)).await.unwrap().unwrap().order;
        refunds += order.returns.last().unwrap().refund.0;
        assert_eq!(shop.run(back("o1", id, &lines)).await.unwrap().unwrap().order.returns.len(), order.returns.len());
        assert_eq!(shop.balance("sales/half/revenue").await, evaluation.payable.0 - refunds);
    }
    assert_eq!(refunds, evaluation.payable.0);
    let over = shop.run(back("o1", "r4", &[("a", 1)])).await.unwrap_err();
    assert_eq!(over.refusal.reason, Reason::ReturnExceedsOrder);
    let order = shop.store.order(&shop.ns, &"o1".into()).await.unwrap().unwrap();
    assert_eq!(order.state, OrderState::Returned);
    assert_eq!(order.returns.iter().map(|back| back.clawed_back.0).sum::<i64>(), 20_000);
    assert_eq!(shop.budget("half").await, (1_000_000, 0, 0));
    assert_eq!(shop.balance("cost/half/discounts").await, 0);
    assert_eq!(shop.counter(&metric("revoked")).await, 1);
    shop.verify().await;
}

#[tokio::test]
async fn an_order_counts_for_a_campaign_that_its_shopper_joined_by_it_without_a_discount() {
    let shop = Shop::open().await;
    shop.publish(Plan::Reward(voucher("next", 20_000, 0))).await;
    for (name, per, member, rewards) in [("half", SpendPer::Order, "m1", 1), ("sum", SpendPer::Campaign, "m2", 0)] {
        let Rule::SpendThreshold(mut rule) = reward_from(100_000, "next") else { unreachable!() };
        rule.per = per;
        let mut plan = campaign(name, Some(1_000_000));
        plan.mechanics = vec![mechanic("more", Rule::SpendThreshold(rule))];
        shop.publish(Plan::Campaign(plan)).await;
        // Half way to the sum of the second, which makes a participant by its progress.
        let price = if rewards == 1 { 120_000 } else { 50_000 };
        let order = format!("o-{name}");
        shop.run(place(&order, Mode::Reserve, cart(Some(member), vec![line("a", 1, price)], vec![]))).await.unwrap();
        let done = shop.run(commit(&order, None, None)).await.unwrap().unwrap().order;
        assert_eq!(done.evaluation.earned.len(), rewards, "{name}");
        for (what, expect) in [("participants", 1), ("orders", 1), ("conversions", 1)] {
            assert_eq!(shop.counter(&key::metric(&name.into(), what)).await, expect, "{what} of {name}");
        }
        assert_eq!(shop.balance(&format!("sales/{name}/revenue")).await, price);
        shop.run(back(&order, "r1", &[("a", 1)])).await.unwrap();
        assert_eq!(shop.balance(&format!("sales/{name}/revenue")).await, 0);
    }
    shop.verify().await;
}

#[tokio::test]
async fn what_a_reserved_order_will_earn_is_kept_for_it() {
    // One voucher of 200.00 in stock.
    let shop = Shop::open().await;
    let mut last = voucher("next", 20_000, 0);
    last.quantity = Some(1);
    shop.publish(Plan::Reward(last)).await;
    let mut plan = campaign("half", Some(80_000));
    plan.mechanics = vec![mechanic("more", reward_from(100_000, "next"))];
    shop.publish(Plan::Campaign(plan)).await;
    let basket = |member| cart(Some(member), vec![line("a", 1, 120_000)], vec![]);

    shop.run(place("o1", Mode::Reserve, basket("m1"))).await.unwrap();
    assert_eq!(shop.balance("stock/next/reserved").await, 1);
    let second = shop.run(place("o2", Mode::Commit, basket("m2"))).await.unwrap().order;
    assert_eq!((second.evaluation.earned.len(), second.evaluation.rejected[0].reason), (0, Reason::OutOfStock));
    assert!(shop.give("m3", "next", 1, None).await.refused.is_some(), "nobody comes between");

    let changed = shop.run(commit("o1", Some(cart(Some("m1"), vec![line("a", 1, 110_000)], vec![])), None)).await;
    let first = changed.unwrap().unwrap().order;
    assert_eq!((first.evaluation.earned.len(), first.evaluation.rejected.len()), (1, 0));
    assert_eq!(shop.budget("half").await, (60_000, 20_000, 0));
    assert_eq!((shop.balance("stock/next/reserved").await, shop.balance("stock/next/issued").await), (0, 1));

    // A void and a lapse let go of it.
    let mut more = voucher("next", 20_000, 0);
    more.quantity = Some(2);
    let (name, revision) = ("next".into(), "r-more".into());
    let publish = Publish { name, revision, plan: Plan::Reward(more), generation: 2, author: None };
    shop.run(publish).await.unwrap();
    shop.run(place("o3", Mode::Reserve, basket("m1"))).await.unwrap();
    shop.run(VoidOrder { id: "o3".into() }).await.unwrap();
    shop.run(place("o4", Mode::Reserve, basket("m1"))).await.unwrap();
    shop.forward(TimeDelta::minutes(16));
    shop.work().await;
    assert_eq!(shop.budget("half").await, (60_000, 20_000, 0));
    assert_eq!((shop.balance("stock/next/reserved").await, shop.balance("stock/next/available").await), (0, 1));
    shop.verify().await;
}

#[tokio::test]
async fn a_void_and_a_lapse_give_everything_back() {
    let shop = shop(1_000_000).await;
    let coupon = voucher("coupon", 5_000, 0);
    shop.publish(Plan::Reward(coupon)).await;
    let code = shop.voucher("m1", "coupon", Some("half")).await.code.unwrap();
    let before = (shop.budget("half").await, shop.store.counters(&shop.ns, "limit").await.unwrap());
    assert_eq!(before.0, (995_000, 5_000, 0));
    let order = |id: &str| place(id, Mode::Reserve, cart(Some("m1"), vec![line("a", 1, 40_000)], vec![code.clone()]));

    let placed = shop.run(order("o1")).await.unwrap();
    assert_eq!(placed.order.evaluation.payable, Minor(15_000));
    assert_eq!(shop.budget("half").await, (975_000, 25_000, 0));
    assert_eq!(shop.run(redeem(&code, Mode::Commit)).await.unwrap_err().refusal.reason, Reason::ReservedElsewhere);
    let voided = shop.run(VoidOrder { id: "o1".into() }).await.unwrap().unwrap();
    assert_eq!((voided.order.state, voided.redemptions[0].state), (OrderState::Voided, RedemptionState::Voided));
    assert_eq!(shop.budget("half").await, before.0);
    assert_eq!(shop.run(commit("o1", None, None)).await.unwrap_err().refusal.reason, Reason::OrderState);

    shop.run(order("o2")).await.unwrap();
    shop.forward(TimeDelta::seconds(900));
    shop.work().await;
    assert_eq!(shop.store.order(&shop.ns, &"o2".into()).await.unwrap().unwrap().state, OrderState::Lapsed);
    assert_eq!(shop.budget("half").await, before.0);
    let counters = shop.store.counters(&shop.ns, "limit").await.unwrap();
    assert!(counters.iter().all(|(_, value)| *value == 0), "{counters:?}");
    let (figures, _) = shop.engine.campaign_status(&"half".into()).await.unwrap().unwrap();
    assert_eq!(figures.budget.unwrap().released, Minor(40_000), "of the voided order and of the lapsed one");
    shop.run(redeem(&code, Mode::Commit)).await.unwrap();
    shop.verify().await;
}

#[tokio::test]
async fn an_order_is_refused_for_what_it_names_or_another_price() {
    let shop = shop(1_000_000).await;
    let of = |codes: Vec<Code>| cart(Some("m1"), vec![line("a", 1, 40_000)], codes);
    let refused = shop.run(place("o1", Mode::Commit, of(vec!["NONE".into()]))).await.unwrap_err();
    assert_eq!(refused.refusal.reason, Reason::OrderRefused);
    let rejected = refused.evaluation.unwrap().rejected;
    assert!(rejected.iter().any(|rejected| rejected.reason == Reason::CodeUnknown), "{rejected:?}");
    let other = PlaceOrder { expected_payable: Some(Minor(40_000)), ..place("o1", Mode::Commit, of(vec![])) };
    let refused = shop.run(other).await.unwrap_err();
    assert_eq!((refused.refusal.reason, refused.evaluation.unwrap().payable), (Reason::PriceChanged, Minor(20_000)));

    let first = shop.run(place("o1", Mode::Commit, of(vec![]))).await.unwrap();
    let again = shop.run(place("o1", Mode::Commit, of(vec![]))).await.unwrap();
    assert_eq!((first.created, again.created), (true, false));
    let reused = shop.run(place("o1", Mode::Reserve, of(vec![]))).await.unwrap_err();
    assert_eq!(reused.refusal.reason, Reason::OrderIdReused);
    let unknown = shop.run(place("o2", Mode::Commit, cart(Some("nobody"), vec![line("a", 1, 1)], vec![]))).await;
    assert_eq!(unknown.unwrap_err().refusal.reason, Reason::MemberUnknown);
    assert_eq!(shop.run(VoidOrder { id: "o1".into() }).await.unwrap_err().refusal.reason, Reason::OrderState);
    shop.verify().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_burst_of_orders_never_spends_more_than_the_budget() {
    let shop = Shop::open().await;
    let mut plan = campaign("half", Some(100_000));
    plan.mechanics = vec![mechanic("off", percent_off("50%"))];
    shop.publish(Plan::Campaign(plan)).await;
    let orders = (0..40).map(|till| {
        let (engine, cart) = (shop.engine.clone(), cart(None, vec![line("a", 1, 14_000)], vec![]));
        tokio::spawn(async move { engine.execute(place(&format!("o{till}"), Mode::Commit, cart)).await.unwrap().0 })
    });
    let mut off = 0;
    for order in orders.collect::<Vec<_>>() {
        off += order.await.unwrap().unwrap().order.evaluation.discount.0;
    }
    assert_eq!(off, 98_000);
    assert_eq!(shop.budget("half").await, (2_000, 0, 98_000));
    assert!(shop.counter(&metric("exhausted")).await > 0);
    shop.verify().await;
}

#[tokio::test]
async fn a_changed_cart_is_committed_within_what_was_reserved() {
    let shop = shop(1_000_000).await;
    let two = vec![line("a", 1, 40_000), line("b", 1, 60_000)];
    shop.run(place("o1", Mode::Reserve, cart(Some("m1"), two.clone(), vec![]))).await.unwrap();
    let one = cart(Some("m1"), vec![two[0].clone()], vec![]);
    let order = shop.run(commit("o1", Some(one), None)).await.unwrap().unwrap().order;
    assert_eq!((order.evaluation.payable, order.evaluation.discount), (Minor(20_000), Minor(20_000)));
    assert_eq!(shop.budget("half").await, (980_000, 0, 20_000));

    shop.run(place("o2", Mode::Reserve, cart(Some("m1"), vec![two[0].clone()], vec![]))).await.unwrap();
    let order = shop.run(commit("o2", Some(cart(Some("m1"), two, vec![])), None)).await.unwrap().unwrap().order;
    assert_eq!(order.evaluation.discount, Minor(20_000));
    assert_eq!(shop.budget("half").await, (960_000, 0, 40_000));
    shop.verify().await;
}

#[tokio::test]
async fn a_late_commit_stands_where_the_shopper_paid_in_time() {
    let shop = shop(1_000_000).await;
    shop.publish(Plan::Reward(voucher("coupon", 5_000, 0))).await;
    let code = shop.voucher("m1", "coupon", None).await.code.unwrap();
    let paid_at = fanfare_engine::Engine::clock(&shop.engine).now();
    for id in ["o1", "o2"] {
        let codes = if id == "o1" { vec![code.clone()] } else { vec![] };
        shop.run(place(id, Mode::Reserve, cart(Some("m1"), vec![line("a", 1, 40_000)], codes))).await.unwrap();
    }
    shop.forward(TimeDelta::hours(1));
    shop.work().await;
    let late = shop.run(commit("o1", None, None)).await.unwrap_err();
    assert_eq!(late.refusal.reason, Reason::ReservationExpired);
    shop.run(redeem(&code, Mode::Commit)).await.unwrap();
    let order = shop.run(commit("o1", None, Some(paid_at))).await.unwrap().unwrap().order;
    assert_eq!((order.state, order.exception.is_some()), (OrderState::Committed, true));
    let order = shop.run(commit("o2", None, Some(paid_at))).await.unwrap().unwrap().order;
    assert_eq!((order.state, order.exception), (OrderState::Committed, None));
    assert_eq!(shop.budget("half").await, (960_000, 0, 40_000));
    shop.run(back("o1", "r", &[("a", 1)])).await.unwrap();
    shop.run(back("o2", "r", &[("a", 1)])).await.unwrap();
    assert_eq!(shop.budget("half").await, (1_000_000, 0, 0));
    shop.forward(TimeDelta::hours(72));
    shop.verify().await;
}

#[tokio::test]
async fn earned_points_and_used_vouchers_come_back_with_the_order() {
    let shop = Shop::open().await;
    shop.publish(Plan::Reward(points("thanks", 100))).await;
    shop.publish(Plan::Reward(voucher("coupon", 5_000, 4_000))).await;
    let mut plan = campaign("half", Some(100_000));
    plan.mechanics = vec![mechanic("more", reward_from(15_000, "thanks"))];
    shop.publish(Plan::Campaign(plan)).await;
    let grant = shop.voucher("m1", "coupon", Some("half")).await;
    let lines = vec![line("a", 2, 10_000)];
    let cart = cart(Some("m1"), lines, vec![grant.code.clone().unwrap()]);
    let order = shop.run(place("o1", Mode::Commit, cart)).await.unwrap();
    assert_eq!((order.order.evaluation.payable, order.redemptions.len()), (Minor(15_000), 1));
    assert_eq!(shop.points("m1").await, 100);
    assert_eq!(shop.budget("half").await, (94_800, 0, 5_200));
    let first = shop.run(back("o1", "r1", &[("a", 1)])).await.unwrap().unwrap();
    assert_eq!(first.redemptions[0].state, RedemptionState::PartiallyReversed);
    assert_eq!((shop.points("m1").await, first.order.returns[0].clawed_back), (0, Minor(200)));
    assert!(first.order.returns[0].restored.is_empty());
    let last = shop.run(back("o1", "r2", &[("a", 1)])).await.unwrap().unwrap();
    assert_eq!(last.order.returns[1].restored, vec![grant.id.clone()]);
    assert_eq!(shop.grant(&grant.id).await.state, GrantState::Claimed);
    assert_eq!(shop.budget("half").await, (96_000, 4_000, 0));
    assert_eq!(shop.balance("cost/half/rewards").await, 0);
    shop.verify().await;
}

#[tokio::test]
async fn a_day_has_its_own_share_of_the_budget() {
    let shop = Shop::open().await;
    let mut plan = campaign("half", Some(100_000));
    plan.budget.as_mut().unwrap().per_day = Some(Minor(25_000));
    plan.mechanics = vec![mechanic("off", percent_off("50%"))];
    shop.publish(Plan::Campaign(plan)).await;
    let order = |id: &str| place(id, Mode::Commit, cart(None, vec![line("a", 1, 20_000)], vec![]));
    for (id, off) in [("o1", 10_000), ("o2", 10_000), ("o3", 0)] {
        assert_eq!(shop.run(order(id)).await.unwrap().order.evaluation.discount, Minor(off), "{id}");
    }
    shop.forward(TimeDelta::days(1));
    assert_eq!(shop.run(order("o4")).await.unwrap().order.evaluation.discount, Minor(10_000));
    shop.verify().await;
}
