//! Limits against bursts and per order, and what those who try are told of them.

use crate::support::{Shop, campaign, cart, line, mechanic, percent_off, place, redeem, reward_from, voucher};
use chrono::TimeDelta;
use fanfare_core::{
    cart::Evaluation,
    model::{
        Plan, RewardPlan,
        campaign::{Counted, Limit, Per},
        reward::{CodeRule, CodeSource},
    },
    money::Minor,
    reason::Reason,
    time::{Every, Span},
};
use fanfare_engine::{
    carts::{Asker, EvaluateCart},
    orders::{ReturnOrder, VoidOrder},
    origin::{Brought, Origin},
    redemptions::{Mode, OrderRef, Redeem, Reverse, Void},
};

const WITHIN: Every = Every::Within(Span::seconds(600));

fn at_most(max: i64, count: Counted, per: Per, every: Every) -> Limit {
    Limit { count, per, every, max }
}

/// Half off for two orders of a member within ten minutes.
async fn hurried() -> Shop {
    let shop = Shop::open().await;
    let mut plan = campaign("half", Some(10_000_000));
    plan.mechanics = vec![mechanic("off", percent_off("50%"))];
    plan.participation.limits = vec![at_most(2, Counted::Orders, Per::Member, WITHIN)];
    shop.publish(Plan::Campaign(plan)).await;
    shop
}

async fn order(shop: &Shop, id: &str, member: &str, mode: Mode) -> Evaluation {
    let cart = cart(Some(member), vec![line("a", 1, 20_000)], vec![]);
    shop.run(place(id, mode, cart)).await.unwrap().order.evaluation
}

fn is_off(evaluation: &Evaluation) -> bool {
    let off = evaluation.discount.0 > 0;
    assert_eq!(off, evaluation.rejected.iter().all(|rejected| rejected.reason != Reason::LimitReached));
    off
}

#[tokio::test]
async fn within_ten_minutes_a_member_gets_so_many_orders_and_then_again() {
    let shop = hurried().await;
    assert!(is_off(&order(&shop, "o1", "m1", Mode::Commit).await));
    shop.forward(TimeDelta::minutes(4));
    assert!(is_off(&order(&shop, "o2", "m1", Mode::Reserve).await));
    let refused = order(&shop, "o3", "m1", Mode::Commit).await;
    assert!(!is_off(&refused), "the third within ten minutes");
    assert_eq!(refused.rejected[0].detail, "At most 2 orders per member within 10m; that is reached.");
    assert!(is_off(&order(&shop, "o4", "m2", Mode::Commit).await), "each member for itself");
    shop.run(VoidOrder { id: "o2".into() }).await.unwrap();
    assert!(is_off(&order(&shop, "o5", "m1", Mode::Commit).await), "a void gives its place back");
    shop.forward(TimeDelta::minutes(5) + TimeDelta::seconds(59));
    assert!(!is_off(&order(&shop, "o6", "m1", Mode::Commit).await), "the first is still within");
    shop.forward(TimeDelta::seconds(61));
    assert!(is_off(&order(&shop, "o7", "m1", Mode::Commit).await), "the first is not within any more");
    shop.verify().await;
}

#[tokio::test]
async fn at_no_moment_were_there_more_within_the_last_ten_minutes() {
    let shop = hurried().await;
    let mut given = Vec::new();
    for number in 0..120_i64 {
        shop.forward(TimeDelta::seconds(7 * (number % 5) + 13 * (number % 7)));
        let now = shop.engine.clock().now();
        let recent = |seconds: i64| given.iter().filter(|at| now - **at <= TimeDelta::seconds(seconds)).count();
        let off = is_off(&order(&shop, &format!("o{number}"), "m1", Mode::Commit).await);
        assert!(!off || recent(600) < 2, "{number}: a third within ten minutes");
        assert!(off || recent(660) >= 2, "{number}: refused although eleven minutes held fewer");
        given.extend(off.then_some(now));
    }
    assert!(given.len() > 5, "{} orders show nothing", given.len());
    shop.verify().await;
}

#[tokio::test]
async fn one_order_earns_so_many_rewards_of_a_campaign_and_the_next_again() {
    let shop = Shop::open().await;
    shop.publish(Plan::Reward(voucher("next", 1_000, 0))).await;
    shop.publish(Plan::Reward(voucher("more", 1_000, 0))).await;
    let mut plan = campaign("sale", Some(10_000_000));
    plan.mechanics = vec![mechanic("one", reward_from(10_000, "next")), mechanic("two", reward_from(10_000, "more"))];
    plan.participation.limits = vec![at_most(1, Counted::Rewards, Per::Order, Every::Lifetime)];
    shop.publish(Plan::Campaign(plan)).await;
    let asked = EvaluateCart { cart: cart(Some("m1"), vec![line("a", 1, 20_000)], vec![]), asker: Asker::Desk };
    let shown = shop.run(asked).await.unwrap().evaluation;
    for id in ["o1", "o2"] {
        let placed = order(&shop, id, "m1", Mode::Commit).await;
        assert_eq!((placed.earned.len(), placed.rejected.len()), (1, 1), "{id}");
        assert_eq!(placed.rejected[0].detail, "At most 1 rewards an order; that is reached.");
        assert_eq!(shown.earned, placed.earned, "a cart is told what its order will earn");
    }
    shop.verify().await;
}

#[tokio::test]
async fn campaigns_share_what_one_order_may_earn_of_a_reward() {
    let shop = Shop::open().await;
    let mut next = voucher("next", 1_000, 0);
    next.limits = vec![at_most(1, Counted::Rewards, Per::Order, Every::Lifetime)];
    shop.publish(Plan::Reward(next)).await;
    for name in ["first", "second"] {
        let mut plan = campaign(name, Some(10_000_000));
        plan.mechanics = vec![mechanic("more", reward_from(10_000, "next"))];
        shop.publish(Plan::Campaign(plan)).await;
    }
    let placed = order(&shop, "o1", "m1", Mode::Reserve).await;
    assert_eq!((placed.earned.len(), placed.rejected[0].reason), (1, Reason::LimitReached));
    let commit = fanfare_engine::orders::CommitOrder {
        id: "o1".into(),
        cart: None,
        receipt_number: None,
        business_date: None,
        occurred_at: None,
    };
    assert_eq!(shop.run(commit).await.unwrap().unwrap().order.evaluation.earned.len(), 1);
    let counted = async || shop.counter("limit-reward|next|order:o1|ever").await;
    assert_eq!(counted().await, 1);
    assert_eq!(shop.give("m1", "next", 3, None).await.grants.len(), 3, "what no order brings is not counted");
    let back = ReturnOrder {
        id: "o1".into(),
        return_id: "r1".into(),
        lines: vec![("a".into(), 1)],
        reason: "size".into(),
        store: None,
        business_date: None,
    };
    shop.run(back).await.unwrap();
    assert_eq!(counted().await, 0);
    shop.verify().await;
}

#[tokio::test]
async fn a_code_that_is_limited_per_device_tells_those_who_try_no_number() {
    let shop = Shop::open().await;
    let codes = CodeRule { source: CodeSource::Shared("WELCOME".into()), ..CodeRule::default() };
    let limits = vec![at_most(2, Counted::Rewards, Per::Device, WITHIN)];
    shop.publish(Plan::Reward(RewardPlan { codes, limits, ..voucher("welcome", 1_000, 0) })).await;
    let by = |device: &str| Origin { device: Some(device.into()), ..Origin::default() };
    let cart = || cart(Some("m1"), vec![line("a", 1, 20_000)], vec!["WELCOME".into()]);
    let mut told = Vec::new();
    for (id, device) in [("o1", "d1"), ("o2", "d1"), ("o3", "d1"), ("o4", "d2")] {
        let brought = Brought { by: by(device), command: place(id, Mode::Commit, cart()) };
        let answer = shop.run(brought).await.map_err(|no| no.evaluation.unwrap().rejected);
        told.push(answer.map(|placed| placed.order.evaluation.discount.0));
    }
    assert_eq!((told[0].clone(), told[1].clone(), told[3].clone()), (Ok(1_000), Ok(1_000), Ok(1_000)));
    let refused = &told[2].as_ref().unwrap_err()[0];
    assert_eq!(refused.reason, Reason::LimitReached);
    assert!(!refused.detail.contains('2'), "{}", refused.detail);
    shop.run(place("o5", Mode::Commit, cart())).await.unwrap();
    shop.forward(TimeDelta::minutes(12));
    let later = Brought { by: by("d1"), command: place("o6", Mode::Commit, cart()) };
    shop.run(later).await.unwrap();
    shop.verify().await;
}

#[tokio::test]
async fn an_order_redeems_a_shared_code_that_is_limited_per_order_once_however_it_is_sent() {
    let shop = Shop::open().await;
    let codes = CodeRule { source: CodeSource::Shared("WELCOME".into()), ..CodeRule::default() };
    let limits = vec![at_most(1, Counted::Rewards, Per::Order, Every::Lifetime)];
    shop.publish(Plan::Reward(RewardPlan { codes, limits, ..voucher("welcome", 1_000, 0) })).await;
    let by = |order: &str| Redeem {
        order: Some(OrderRef { id: order.into(), total: Minor(20_000) }),
        ..redeem(&"WELCOME".into(), Mode::Commit)
    };
    let first = shop.run(by("A")).await.unwrap().redemption;
    assert_eq!(shop.run(by("A")).await.unwrap_err().refusal.reason, Reason::LimitReached);
    shop.run(by("B")).await.unwrap();
    let (reversal_id, reason) = ("r".to_owned(), "returned".to_owned());
    shop.run(Reverse { id: first.id, reversal_id, reason, amount: None, store: None }).await.unwrap();
    let held = shop.run(Redeem { mode: Mode::Reserve, ..by("A") }).await.unwrap().redemption;
    assert_eq!(shop.run(by("A")).await.unwrap_err().refusal.reason, Reason::LimitReached);
    shop.run(Void { id: held.id }).await.unwrap();
    shop.run(by("A")).await.unwrap();
    assert_eq!(shop.counter("limit-reward|welcome|order:A|ever").await, 1);
    shop.verify().await;
}
