use crate::support::{Shop, campaign, points, voucher};
use chrono::TimeDelta;
use fanfare_core::{
    mechanic::key,
    model::{
        Plan,
        campaign::{Counted, Limit, OnExhausted, Per},
        reward::{Claim, RewardKind},
    },
    reason::Reason,
    time::{Every, Span},
};
use fanfare_engine::grants;
use fanfare_store::rows::GrantState;

#[tokio::test]
async fn stock_limits_and_budget_bound_what_is_given() {
    let shop = Shop::open().await;
    shop.publish(Plan::Campaign(campaign("sale", Some(50_000)))).await;
    let mut few = voucher("few", 10_000, 0);
    few.quantity = Some(3);
    shop.publish(Plan::Reward(few)).await;
    let given = shop.give("m1", "few", 5, None).await;
    assert_eq!((given.grants.len(), given.refused.unwrap().reason), (3, Reason::OutOfStock));

    let mut once = voucher("once", 10_000, 0);
    once.limits = vec![Limit { count: Counted::Rewards, per: Per::Member, every: Every::Day, max: 1 }];
    shop.publish(Plan::Reward(once)).await;
    assert_eq!(shop.give("m1", "once", 2, None).await.refused.unwrap().reason, Reason::LimitReached);
    assert_eq!(shop.give("m2", "once", 1, None).await.refused, None);
    shop.forward(TimeDelta::days(1));
    assert_eq!(shop.give("m1", "once", 1, None).await.refused, None);

    shop.publish(Plan::Reward(voucher("paid", 20_000, 12_000))).await;
    let given = shop.give("m1", "paid", 9, Some("sale")).await;
    assert_eq!((given.grants.len(), given.refused.unwrap().reason), (4, Reason::BudgetExhausted));
    assert_eq!(shop.budget("sale").await, (2_000, 48_000, 0));
    assert_eq!(shop.counter(&key::metric(&"sale".into(), "issued")).await, 4);
    shop.verify().await;
}

#[tokio::test]
async fn a_budget_that_suspends_pauses_its_campaign() {
    let shop = Shop::open().await;
    let mut plan = campaign("sale", Some(10_000));
    plan.budget.as_mut().unwrap().on_exhausted = OnExhausted::Suspend;
    shop.publish(Plan::Campaign(plan)).await;
    shop.publish(Plan::Reward(voucher("paid", 20_000, 12_000))).await;
    shop.give("m1", "paid", 1, Some("sale")).await;
    assert!(shop.engine.plans().campaigns["sale"].plan.suspended);
    shop.verify().await;
}

#[tokio::test]
async fn what_is_claimed_too_late_is_closed_and_its_budget_free() {
    let shop = Shop::open().await;
    shop.publish(Plan::Campaign(campaign("sale", Some(50_000)))).await;
    let mut plan = voucher("tap", 10_000, 0);
    plan.claim = Claim::Manual;
    plan.claim_within = Some(Span::days(3));
    shop.publish(Plan::Reward(plan)).await;
    let first = shop.voucher("m1", "tap", Some("sale")).await;
    let second = shop.voucher("m1", "tap", Some("sale")).await;
    assert_eq!(first.state, GrantState::Granted);
    let claim =
        |id: &fanfare_core::ids::GrantId, member: &str| grants::Claim { member: member.into(), grant: id.clone() };
    assert_eq!(shop.run(claim(&first.id, "m2")).await.unwrap(), None);
    assert_eq!(shop.run(claim(&first.id, "m1")).await.unwrap().unwrap().state, GrantState::Claimed);
    assert_eq!(shop.run(claim(&first.id, "m1")).await.unwrap().unwrap().state, GrantState::Claimed);
    shop.forward(TimeDelta::days(3));
    assert_eq!(shop.run(claim(&second.id, "m1")).await.unwrap_err().refusal.reason, Reason::ClaimClosed);
    shop.work().await;
    assert_eq!(shop.grant(&second.id).await.state, GrantState::Expired);
    assert_eq!(shop.budget("sale").await, (40_000, 10_000, 0));
    shop.verify().await;
}

#[tokio::test]
async fn points_are_credited_cost_their_worth_and_lapse() {
    let shop = Shop::open().await;
    shop.publish(Plan::Campaign(campaign("sale", Some(1_000)))).await;
    let mut plan = points("hundred", 100);
    plan.kind = RewardKind::Points { amount: 100, expire_after: Some(Span::days(10)) };
    shop.publish(Plan::Reward(plan)).await;
    let grant = shop.voucher("m1", "hundred", Some("sale")).await;
    assert_eq!((grant.state, shop.points("m1").await), (GrantState::Redeemed, 100));
    // A point is worth 2 minor units.
    assert_eq!(shop.budget("sale").await, (800, 0, 200));
    assert_eq!(shop.balance("cost/sale/rewards").await, 200);
    shop.publish(Plan::Reward(points("more", 50))).await;
    shop.voucher("m1", "more", None).await;
    // They last until the end of the day, in the namespace's zone, on which the ten days run out.
    shop.forward(TimeDelta::days(10));
    shop.work().await;
    assert_eq!(shop.points("m1").await, 150);
    shop.forward(TimeDelta::days(1));
    assert_eq!(shop.points("m1").await, 50, "also before the job has run");
    shop.work().await;
    assert_eq!(shop.points("m1").await, 50);
    shop.work().await;
    assert_eq!(shop.points("m1").await, 50);
    shop.verify().await;
}
