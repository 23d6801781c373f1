//! Orders whose reservation lapsed and that are committed all the same: what they count, and what they may still give.

use crate::support::{
    Shop, campaign, cart, gift_card, line, mechanic, percent_off, place, points, reward_from, voucher,
};
use chrono::TimeDelta;
use fanfare_core::{
    cart::{Cart, Line},
    mechanic::key,
    model::{
        Plan,
        campaign::{Budget, Counted, Limit, Per},
        reward::CodeSource,
    },
    money::Minor,
    reason::Reason,
    time::{Every, Span},
};
use fanfare_engine::{
    orders::{CommitOrder, ReturnOrder},
    redemptions::Mode,
};
use fanfare_store::rows::Order;

/// A campaign "half" with 50 % off and 50 points from 100.00 on, of which each member may have one; 300.00 for a member.
async fn shop() -> Shop {
    let shop = Shop::open().await;
    let mut thanks = points("thanks", 50);
    thanks.limits = vec![Limit { count: Counted::Rewards, per: Per::Member, every: Every::Lifetime, max: 1 }];
    shop.publish(Plan::Reward(thanks)).await;
    let mut plan = campaign("half", None);
    plan.budget = Some(Budget { per_member: Some(Minor(30_000)), ..Budget::of(Minor(1_000_000)) });
    plan.mechanics = vec![mechanic("off", percent_off("50%")), mechanic("more", reward_from(10_000, "thanks"))];
    shop.publish(Plan::Campaign(plan)).await;
    shop
}

fn of(lines: Vec<Line>) -> Cart {
    cart(Some("m1"), lines, vec![])
}

/// Reserves `id`, lets it lapse, places `other` meanwhile, and commits `id` late as `then`.
async fn late(shop: &Shop, id: &str, first: Cart, other: Cart, then: Option<Cart>) -> Order {
    let paid_at = shop.engine.clock().now();
    shop.run(place(id, Mode::Reserve, first)).await.unwrap();
    shop.forward(TimeDelta::hours(1));
    shop.work().await;
    shop.run(place("other", Mode::Commit, other)).await.unwrap();
    let (cart, occurred_at) = (then, Some(paid_at));
    let commit = CommitOrder { id: id.into(), cart, receipt_number: None, business_date: None, occurred_at };
    shop.run(commit).await.unwrap().unwrap().order
}

async fn give_back(shop: &Shop, id: &str, lines: &[(&str, i64)]) {
    let lines = lines.iter().map(|(line, quantity)| ((*line).to_owned(), *quantity)).collect();
    let (return_id, reason) = (format!("r-{id}"), "size".to_owned());
    let back = ReturnOrder { id: id.into(), return_id, lines, reason, store: None, business_date: None };
    shop.run(back).await.unwrap().unwrap();
}

/// What the member's share of the budget and of the reward count.
async fn counted(shop: &Shop) -> (i64, i64) {
    let share = key::budget_member(&"half".into(), &"m1".into());
    let thanks = key::reward_limit(&"thanks".into(), "member:m1", "ever");
    (shop.counter(&share).await, shop.counter(&thanks).await)
}

#[tokio::test]
async fn a_late_order_that_a_limit_does_not_hold_gives_nothing_back_to_it_when_its_cart_shrinks() {
    let shop = shop().await;
    let first = of(vec![line("a", 1, 2_000), line("b", 1, 1_000)]);
    let other = of(vec![line("a", 1, 59_000)]);
    let then = of(vec![line("a", 1, 2_000)]);
    let order = late(&shop, "late", first, other, Some(then)).await;
    assert!(order.exception.is_some(), "the member's share was used up");
    assert_eq!(order.evaluation.discount, Minor(1_000), "the sale stands at its price");
    assert_eq!(counted(&shop).await.0, 29_500 + 100, "the other order and its points alone");
    give_back(&shop, "late", &[("a", 1)]).await;
    assert_eq!(counted(&shop).await.0, 29_500 + 100);
    give_back(&shop, "other", &[("a", 1)]).await;
    assert_eq!(counted(&shop).await, (0, 0));
    assert_eq!(shop.budget("half").await, (1_000_000, 0, 0));
    shop.verify().await;
}

#[tokio::test]
async fn a_late_order_earns_no_reward_whose_limit_was_used_up_meanwhile() {
    let shop = shop().await;
    let cart = || of(vec![line("a", 1, 20_000)]);
    let order = late(&shop, "late", cart(), cart(), None).await;
    assert_eq!(shop.points("m1").await, 50, "the other order's");
    assert_eq!(order.evaluation.earned, vec![]);
    let rejected = order.evaluation.rejected.iter().map(|one| (one.reason, one.reward.clone())).collect::<Vec<_>>();
    assert_eq!(rejected, vec![(Reason::LimitReached, Some("thanks".into()))]);
    assert!(order.exception.is_some(), "the shopper was told of it");
    assert_eq!(counted(&shop).await, (20_100, 1), "both discounts, one reward");
    give_back(&shop, "late", &[("a", 1)]).await;
    assert_eq!((shop.points("m1").await, counted(&shop).await), (50, (10_100, 1)));
    give_back(&shop, "other", &[("a", 1)]).await;
    assert_eq!((shop.points("m1").await, counted(&shop).await), (0, (0, 0)));
    shop.verify().await;
}

#[tokio::test]
async fn a_late_order_is_an_exception_by_what_its_final_cart_gives_without_cover() {
    let shop = Shop::open().await;
    let mut plan = campaign("half", Some(50_000));
    plan.mechanics = vec![mechanic("off", percent_off("50%"))];
    shop.publish(Plan::Campaign(plan)).await;
    let first = of(vec![line("a", 1, 20_000), line("b", 1, 10_000)]);
    let other = of(vec![line("a", 1, 96_000)]);
    let order = late(&shop, "late", first, other, Some(of(vec![line("b", 1, 10_000)]))).await;
    assert_eq!(order.evaluation.discount, Minor(5_000));
    let all = shop.store.audit(&shop.ns, fanfare_store::Page { limit: 100, after: None }).await.unwrap();
    let booked = all.into_iter().find(|row| Some(&row.id) == order.exception.as_ref()).unwrap();
    assert_eq!(booked.detail["amount"], 5_000, "what it cost, not what it would have");
    assert_eq!(booked.detail["gone"][0], "budget of half");
    shop.verify().await;
}

#[tokio::test]
async fn a_late_order_takes_again_what_is_still_there() {
    let shop = shop().await;
    shop.publish(Plan::Reward(voucher("coupon", 1_000, 1_000))).await;
    let other = cart(Some("m2"), vec![line("a", 1, 20_000)], vec![]);
    let order = late(&shop, "late", of(vec![line("a", 1, 20_000)]), other, None).await;
    assert_eq!((order.exception, order.evaluation.earned.len()), (None, 1));
    assert_eq!((shop.points("m1").await, counted(&shop).await), (50, (10_100, 1)));
    give_back(&shop, "late", &[("a", 1)]).await;
    assert_eq!((shop.points("m1").await, counted(&shop).await), (0, (0, 0)));
    shop.verify().await;
}

/// A code WELCOME10 for everybody, `limits` of it.
async fn welcome(limits: Vec<Limit>) -> Shop {
    let shop = Shop::open().await;
    let mut plan = voucher("welcome", 5_000, 0);
    plan.codes.source = CodeSource::Shared("WELCOME10".into());
    plan.quantity = Some(100);
    plan.limits = limits;
    shop.publish(Plan::Reward(plan)).await;
    shop
}

fn once(per: Per) -> Limit {
    Limit { count: Counted::Rewards, per, every: Every::Lifetime, max: 1 }
}

fn with_code(member: &str) -> Cart {
    cart(Some(member), vec![line("a", 1, 20_000)], vec!["WELCOME10".into()])
}

#[tokio::test]
async fn a_late_order_uses_a_shared_code_again_while_there_is_one_left() {
    let shop = welcome(vec![once(Per::Member), once(Per::Order)]).await;
    let order = late(&shop, "late", with_code("m1"), with_code("m2"), None).await;
    assert_eq!((order.exception.clone(), order.evaluation.discount), (None, Minor(5_000)));
    assert_eq!(shop.balance("stock/welcome/available").await, 98, "both orders used one");
    let again = shop.run(place("again", Mode::Commit, with_code("m1"))).await.unwrap_err();
    assert_eq!(again.evaluation.unwrap().rejected[0].reason, Reason::LimitReached, "the late order was m1's one");
    give_back(&shop, "late", &[("a", 1)]).await;
    assert_eq!(shop.balance("stock/welcome/available").await, 99);
    shop.run(place("again", Mode::Commit, with_code("m1"))).await.unwrap();
    shop.verify().await;
}

#[tokio::test]
async fn a_late_order_whose_shared_code_has_none_left_for_its_shopper_is_an_exception() {
    let shop = welcome(vec![once(Per::Member)]).await;
    let order = late(&shop, "late", with_code("m1"), with_code("m1"), None).await;
    assert!(order.exception.is_some());
    assert_eq!(order.evaluation.discount, Minor(5_000), "the sale stands at its price");
    assert_eq!(shop.balance("stock/welcome/available").await, 99);
    give_back(&shop, "late", &[("a", 1)]).await;
    assert_eq!(shop.balance("stock/welcome/available").await, 99, "it had used none");
    shop.verify().await;
}

#[tokio::test]
async fn a_late_order_s_final_cart_keeps_its_voucher_whatever_became_of_it() {
    for then in ["used", "expired", "left"] {
        let shop = Shop::open().await;
        let mut plan = voucher("coupon", 1_000, 1_000);
        let lasts = if then == "expired" { 1_800 } else { 86_400 };
        plan.validity.lasts = Some(Span::seconds(lasts));
        shop.publish(Plan::Reward(plan)).await;
        let code = shop.voucher("m1", "coupon", None).await.code.unwrap();
        let with = |lines| cart(Some("m1"), lines, vec![code.clone()]);
        let both = vec![line("a", 1, 20_000), line("b", 1, 10_000)];
        let other = if then == "used" { with(both.clone()) } else { of(both.clone()) };
        let order = late(&shop, "late", with(both), other, Some(with(vec![line("b", 1, 10_000)]))).await;
        assert_eq!(order.evaluation.discount, Minor(1_000), "{then}: the sale stands at its price");
        assert_eq!(order.exception.is_some(), then != "left", "{then}");
        give_back(&shop, "late", &[("b", 1)]).await;
        shop.verify().await;
    }
}

#[tokio::test]
async fn a_late_order_s_final_cart_keeps_its_shared_code_whether_or_not_one_is_left() {
    for (other, is_gone, left) in [("m2", false, 98), ("m1", true, 99)] {
        let shop = welcome(vec![once(Per::Member)]).await;
        let then = cart(Some("m1"), vec![line("b", 1, 10_000)], vec!["WELCOME10".into()]);
        let order = late(&shop, "late", with_code("m1"), with_code(other), Some(then)).await;
        assert_eq!((order.exception.is_some(), order.evaluation.discount), (is_gone, Minor(5_000)));
        assert_eq!(shop.balance("stock/welcome/available").await, left);
        shop.verify().await;
    }
}

#[tokio::test]
async fn a_late_order_s_final_cart_is_paid_by_a_gift_card_as_far_as_it_was_reserved() {
    let shop = Shop::open().await;
    shop.publish(Plan::Reward(gift_card("card", 10_000))).await;
    let code = shop.voucher("m1", "card", None).await.code.unwrap();
    let with = |price| cart(Some("m1"), vec![line("a", 1, price)], vec![code.clone()]);
    let order = late(&shop, "late", with(8_000), with(5_000), Some(with(20_000))).await;
    assert_eq!(order.evaluation.paid, Minor(8_000), "5,000 of which are not on the card any more");
    assert!(order.exception.is_some());
    shop.verify().await;
}

/// 50 points from 100.00 on, of which each member may have one within two hours.
async fn hurried() -> Shop {
    let shop = Shop::open().await;
    let mut thanks = points("thanks", 50);
    let every = Every::Within(Span::seconds(7_200));
    thanks.limits = vec![Limit { count: Counted::Rewards, per: Per::Member, every, max: 1 }];
    shop.publish(Plan::Reward(thanks)).await;
    let mut plan = campaign("more", Some(1_000_000));
    plan.mechanics = vec![mechanic("more", reward_from(10_000, "thanks"))];
    shop.publish(Plan::Campaign(plan)).await;
    shop
}

fn by(member: &str) -> Cart {
    cart(Some(member), vec![line("a", 1, 20_000)], vec![])
}

#[tokio::test]
async fn a_late_order_counts_within_a_length_of_time_what_was_given_after_its_reservation() {
    for then in [None, Some(cart(Some("m1"), vec![line("a", 1, 15_000)], vec![]))] {
        let shop = hurried().await;
        let order = late(&shop, "late", by("m1"), by("m1"), then).await;
        assert_eq!((shop.points("m1").await, order.exception.is_some()), (50, true), "the other order's alone");
        shop.verify().await;
    }
}

#[tokio::test]
async fn a_late_order_counts_within_a_length_of_time_from_when_it_is_given() {
    for then in [None, Some(cart(Some("m1"), vec![line("a", 1, 15_000)], vec![]))] {
        let shop = hurried().await;
        let order = late(&shop, "late", by("m1"), by("m2"), then).await;
        assert_eq!((shop.points("m1").await, order.exception), (50, None));
        shop.forward(TimeDelta::minutes(80));
        shop.run(place("soon", Mode::Commit, by("m1"))).await.unwrap();
        assert_eq!(shop.points("m1").await, 50, "within two hours of the late one");
        shop.forward(TimeDelta::minutes(60));
        shop.run(place("later", Mode::Commit, by("m1"))).await.unwrap();
        assert_eq!(shop.points("m1").await, 100);
        shop.verify().await;
    }
}
