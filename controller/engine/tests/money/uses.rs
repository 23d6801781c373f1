//! Vouchers with several uses, access and badges; limits per store and in all.

use crate::support::{Shop, access, badge, campaign, cart, line, place, redeem, voucher};
use chrono::TimeDelta;
use fanfare_core::{
    ids::Code,
    model::{
        Plan,
        campaign::{Counted, Limit, Per},
    },
    money::Minor,
    reason::Reason,
    time::Every,
};
use fanfare_engine::{
    Keyed, Refused,
    carts::Validate,
    orders::ReturnOrder,
    redemptions::{Mode, OrderRef, Outcome, Redeem, Reverse, Void},
};
use fanfare_store::rows::{Grant, GrantState};

/// A shop with a voucher of 100.00 for three uses, each estimated at 60.00.
async fn shop() -> (Shop, Grant, Code) {
    let shop = Shop::open().await;
    shop.publish(Plan::Campaign(campaign("sale", Some(100_000)))).await;
    let mut plan = voucher("thrice", 10_000, 6_000);
    plan.redemption.uses = Some(3);
    shop.publish(Plan::Reward(plan)).await;
    let grant = shop.voucher("m1", "thrice", Some("sale")).await;
    let code = grant.code.clone().unwrap();
    (shop, grant, code)
}

#[tokio::test]
async fn a_voucher_with_several_uses_counts_down_and_each_use_is_reversed_once() {
    let (shop, grant, code) = shop().await;
    assert_eq!(shop.budget("sale").await, (82_000, 18_000, 0));
    let mut outcomes = Vec::new();
    for left in [2, 1, 0] {
        let outcome = shop.run(redeem(&code, Mode::Commit)).await.unwrap();
        assert_eq!((outcome.uses_left, outcome.remaining), (Some(left), Minor(left * 10_000)));
        outcomes.push(outcome);
    }
    assert_eq!(shop.budget("sale").await, (70_000, 0, 30_000));
    assert_eq!(shop.run(redeem(&code, Mode::Commit)).await.unwrap_err().refusal.reason, Reason::AlreadyRedeemed);
    assert_eq!(shop.counter("reward|thrice|redeemed").await, 1, "one grant was redeemed, however often");

    let reverse = |outcome: &Outcome, id: &str| Reverse {
        id: outcome.redemption.id.clone(),
        reversal_id: id.into(),
        reason: "wrong".into(),
        amount: None,
        store: None,
    };
    let back = shop.run(reverse(&outcomes[0], "a")).await.unwrap().unwrap();
    assert_eq!((back.uses_left, back.remaining), (Some(1), Minor(10_000)));
    assert_eq!(shop.run(reverse(&outcomes[0], "b")).await.unwrap_err().refusal.reason, Reason::RedemptionState);
    assert_eq!(shop.budget("sale").await, (74_000, 6_000, 20_000));
    let again = shop.run(redeem(&code, Mode::Commit)).await.unwrap();
    assert_eq!((again.redemption.place, again.uses_left), (1, Some(0)), "the place that is free again");
    for (number, outcome) in [&outcomes[1], &outcomes[2], &again].into_iter().enumerate() {
        shop.run(reverse(outcome, &format!("c{number}"))).await.unwrap();
    }
    assert_eq!(shop.grant(&grant.id).await.uses_left, 3);
    assert_eq!(shop.budget("sale").await, (82_000, 18_000, 0));
    assert_eq!(shop.counter("reward|thrice|redeemed").await, 0);
    shop.verify().await;
}

#[tokio::test]
async fn an_order_that_a_till_only_names_uses_it_once_too() {
    let (shop, _, code) = shop().await;
    let order = |id: &str| Some(OrderRef { id: id.into(), total: Minor(30_000) });
    let of = |id: &str| Redeem { order: order(id), ..redeem(&code, Mode::Commit) };
    let first = shop.run(of("x-1")).await.unwrap();
    assert_eq!(shop.run(of("x-1")).await.unwrap_err().refusal.reason, Reason::AlreadyRedeemed);
    shop.run(place("x-2", Mode::Reserve, cart(Some("m1"), vec![line("1", 1, 30_000)], vec![code.clone()])))
        .await
        .unwrap();
    assert_eq!(shop.run(of("x-2")).await.unwrap_err().refusal.reason, Reason::AlreadyRedeemed);
    let basket = cart(Some("m1"), vec![line("1", 1, 30_000)], vec![code.clone()]);
    assert_eq!(shop.run(place("x-1", Mode::Commit, basket)).await.unwrap_err().refusal.reason, Reason::AlreadyRedeemed);
    let id = first.redemption.id.clone();
    let back = Reverse { id, reversal_id: "c1".into(), reason: "broken".into(), amount: None, store: None };
    shop.run(back).await.unwrap().unwrap();
    shop.run(of("x-1")).await.unwrap();
    shop.verify().await;
}

#[tokio::test]
async fn an_order_uses_it_once_and_another_order_again() {
    let (shop, grant, code) = shop().await;
    let basket = || cart(Some("m1"), vec![line("1", 1, 30_000)], vec![code.clone()]);
    for number in 1..=2 {
        let order = shop.run(place(&format!("o-{number}"), Mode::Reserve, basket())).await.unwrap().order;
        assert_eq!(order.evaluation.discount, Minor(10_000));
    }
    let mut twice = basket();
    twice.codes.push(code.clone());
    let refused = shop.run(place("o-3", Mode::Commit, twice)).await.unwrap_err();
    assert_eq!(refused.refusal.reason, Reason::OrderRefused, "one order uses it once");
    shop.run(place("o-3", Mode::Commit, basket())).await.unwrap();
    let fourth = shop.run(place("o-4", Mode::Commit, basket())).await.unwrap_err();
    assert_eq!(fourth.evaluation.unwrap().rejected[0].reason, Reason::ReservedElsewhere);
    assert_eq!(shop.grant(&grant.id).await.state, GrantState::Reserved);

    let back = ReturnOrder {
        id: "o-3".into(),
        return_id: "r".into(),
        lines: vec![("1".into(), 1)],
        reason: "broken".into(),
        store: None,
        business_date: None,
    };
    let returned = shop.run(back).await.unwrap().unwrap().order;
    assert_eq!(returned.returns[0].restored, std::slice::from_ref(&grant.id));
    shop.forward(TimeDelta::minutes(16));
    shop.work().await;
    let free = shop.grant(&grant.id).await;
    assert_eq!((free.state, free.uses_left, free.usage.held), (GrantState::Claimed, 3, 0), "both reservations lapsed");
    shop.verify().await;
}

#[tokio::test]
async fn what_is_left_of_several_uses_expires_and_is_released() {
    let (shop, grant, code) = shop().await;
    shop.run(redeem(&code, Mode::Commit)).await.unwrap();
    let held = shop.run(redeem(&code, Mode::Reserve)).await.unwrap();
    shop.run(Void { id: held.redemption.id }).await.unwrap();
    shop.forward(TimeDelta::days(14));
    shop.work().await;
    assert_eq!(shop.grant(&grant.id).await.state, GrantState::Expired);
    assert_eq!(shop.budget("sale").await, (90_000, 0, 10_000));
    shop.verify().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn of_thirty_tills_at_once_three_use_it() {
    let (shop, _, code) = shop().await;
    let calls = (0..30).map(|till| {
        let (engine, code) = (shop.engine.clone(), code.clone());
        tokio::spawn(async move {
            let render = |outcome: &Result<Outcome, Refused>| (if outcome.is_ok() { 201 } else { 409 }, Vec::new());
            let keyed =
                Keyed { scope: format!("t{till}"), key: "k".into(), digest: "d".into(), render: Box::new(render) };
            engine.call(keyed, redeem(&code, Mode::Commit)).await.unwrap().status
        })
    });
    let mut won = 0;
    for call in calls.collect::<Vec<_>>() {
        won += usize::from(call.await.unwrap() == 201);
    }
    assert_eq!(won, 3);
    shop.verify().await;
}

#[tokio::test]
async fn access_opens_as_often_as_one_comes_while_it_lasts() {
    let shop = Shop::open().await;
    shop.publish(Plan::Reward(access("lounge", None))).await;
    shop.publish(Plan::Reward(access("class", Some(2)))).await;
    let code = shop.voucher("m1", "lounge", None).await.code.unwrap();
    for _ in 0..5 {
        let outcome = shop.run(redeem(&code, Mode::Commit)).await.unwrap();
        assert_eq!((outcome.redemption.amount, outcome.uses_left), (Minor::ZERO, None));
    }
    let class = shop.voucher("m1", "class", None).await.code.unwrap();
    for left in [1, 0] {
        assert_eq!(shop.run(redeem(&class, Mode::Commit)).await.unwrap().uses_left, Some(left));
    }
    assert_eq!(shop.run(redeem(&class, Mode::Commit)).await.unwrap_err().refusal.reason, Reason::AlreadyRedeemed);
    shop.forward(TimeDelta::days(30));
    assert_eq!(shop.run(redeem(&code, Mode::Commit)).await.unwrap_err().refusal.reason, Reason::Expired);
    shop.work().await;
    shop.verify().await;
}

#[tokio::test]
async fn a_badge_is_given_once_and_kept() {
    let shop = Shop::open().await;
    shop.publish(Plan::Reward(badge("regular"))).await;
    let given = shop.voucher("m1", "regular", None).await;
    assert_eq!((given.code, given.valid_until), (None, None));
    assert_eq!(shop.give("m1", "regular", 1, None).await.refused.unwrap().reason, Reason::LimitReached);
    shop.forward(TimeDelta::days(3_000));
    shop.work().await;
    assert_eq!(shop.grant(&given.id).await.state, GrantState::Claimed);
    shop.verify().await;
}

#[tokio::test]
async fn limits_hold_per_day_over_all_members() {
    let shop = Shop::open().await;
    let mut plan = voucher("daily", 100, 0);
    plan.limits = vec![Limit { count: Counted::Rewards, per: Per::Reward, every: Every::Day, max: 3 }];
    shop.publish(Plan::Reward(plan)).await;
    for (member, given) in [("m1", 2), ("m2", 1), ("m3", 0)] {
        assert_eq!(shop.give(member, "daily", 2, None).await.grants.len(), given, "{member}");
    }
    shop.forward(TimeDelta::days(1));
    assert_eq!(shop.give("m3", "daily", 5, None).await.grants.len(), 3);
    shop.verify().await;
}

#[tokio::test]
async fn a_check_without_a_cart_says_what_one_use_gives() {
    let (shop, _, code) = shop().await;
    let asked = Validate { codes: vec![code.clone()], cart: None, store: None, channel: None };
    for _ in 0..3 {
        assert_eq!(shop.run(asked.clone()).await.unwrap()[0].amount, Some(Minor(10_000)));
        shop.run(redeem(&code, Mode::Commit)).await.unwrap();
    }
    assert_eq!(shop.run(asked).await.unwrap()[0].amount, None);
}
