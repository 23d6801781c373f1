//! Points: earned by the formula, pending, spent in the order of their ends, lapsing, given on, taken back.

use crate::support::{Shop, at, campaign, cart, line, mechanic, place, points, reward_from, runtime};
use chrono::TimeDelta;
use fanfare_core::{
    ids::Revision,
    model::{Plan, RuntimePlan, reward::RewardKind},
    money::Minor,
    points::{Earn, Negative, Rounding, Rules},
    reason::Reason,
    time::Span,
};
use fanfare_engine::{
    ingest::{Incoming, Sender, Status},
    orders::ReturnOrder,
    publish::Publish,
    redemptions::Mode,
    transfer::{Giver, TransferPoints},
};
use fanfare_store::Page;
use proptest::prelude::*;
use serde_json::json;

/// One point for every 25.00 spent.
fn per_25() -> Earn {
    Earn { event: "order.paid".into(), per_spend: Some(Minor(2_500)), points: 1, rounding: Rounding::Down }
}

fn rules() -> Rules {
    Rules { earn: vec![per_25()], ..Rules::default() }
}

async fn shop(rules: Rules) -> Shop {
    let shop = Shop::open().await;
    shop.rule(rules).await;
    shop
}

fn back(order: &str, id: &str, quantity: i64) -> ReturnOrder {
    let lines = vec![("a".to_owned(), quantity)];
    ReturnOrder {
        id: order.into(),
        return_id: id.into(),
        lines,
        reason: "size".into(),
        store: None,
        business_date: None,
    }
}

fn given(from: &str, to: &str, points: i64, by: Giver) -> TransferPoints {
    TransferPoints { from: from.into(), to: to.into(), points, by }
}

impl Shop {
    /// Publishes the Runtime with other rules of points.
    async fn rule(&self, rules: Rules) {
        let revision = Revision::from(format!("{rules:?}"));
        let plan = Plan::CampaignRuntime(RuntimePlan { points: rules, ..runtime() });
        self.run(Publish { name: "runtime".into(), revision, plan, generation: 2, author: None }).await.unwrap();
    }

    async fn buy(&self, id: &str, quantity: i64, price: i64) -> i64 {
        let cart = cart(Some("m1"), vec![line("a", quantity, price)], vec![]);
        self.run(place(id, Mode::Commit, cart)).await.unwrap().order.evaluation.points
    }

    /// (balance, pending).
    async fn held(&self, member: &str) -> (i64, i64) {
        let points = self.engine.points(&member.into()).await.unwrap();
        (points.balance, points.pending)
    }

    /// What ends when, as days.
    async fn expiring(&self, member: &str) -> Vec<(i64, String)> {
        let points = self.engine.points(&member.into()).await.unwrap();
        points.expiring.into_iter().map(|(amount, at)| (amount, at.to_rfc3339())).collect()
    }

    async fn entries(&self, member: &str) -> Vec<(String, i64)> {
        let page = Page { limit: 100, after: None };
        let lines = self.engine.point_entries(&member.into(), page).await.unwrap();
        lines.into_iter().map(|line| (line.rule, line.amount)).collect()
    }
}

#[tokio::test]
async fn an_order_earns_on_what_is_paid_and_partial_returns_take_exactly_all_of_it_back() {
    let shop = shop(rules()).await;
    // 3 × 33.00 is 99.00: three whole steps.
    assert_eq!(shop.buy("o1", 3, 3_300).await, 3);
    assert_eq!((shop.held("m1").await, shop.balance("points/cost").await), ((3, 0), 6));
    for (id, left, taken) in [("r1", 2, 2), ("r2", 1, 2), ("r3", 0, 2)] {
        let order = shop.run(back("o1", id, 1)).await.unwrap().unwrap().order;
        assert_eq!((shop.points("m1").await, order.returns.last().unwrap().clawed_back), (left, Minor(taken)), "{id}");
    }
    assert_eq!(shop.balance("points/cost").await, 0);
    assert_eq!(shop.entries("m1").await.iter().map(|(_, amount)| amount).sum::<i64>(), 0);
    // Nobody earns for nobody.
    let anonymous = place("o2", Mode::Commit, cart(None, vec![line("a", 1, 10_000)], vec![]));
    assert_eq!(shop.run(anonymous).await.unwrap().order.evaluation.points, 0);
    // A reservation promises what its commit gives.
    let cart = cart(Some("m1"), vec![line("a", 1, 10_000)], vec![]);
    let reserved = shop.run(place("o3", Mode::Reserve, cart)).await.unwrap();
    assert_eq!((reserved.order.evaluation.points, shop.points("m1").await), (4, 0));
    shop.verify().await;
}

#[tokio::test]
async fn an_order_that_a_till_reports_earns_once_and_its_refund_takes_back() {
    let shop = shop(rules()).await;
    let send = async |id: &str, kind: &str, data: serde_json::Value| {
        let event = Incoming {
            source: "pos".into(),
            id: id.into(),
            kind: kind.into(),
            subject: Some("m1".into()),
            time: None,
            data: data.into(),
        };
        shop.engine.ingest(vec![event], &Sender::Shop).await.unwrap().0[0].status
    };
    let order = json!({ "orderId": "o1", "total": "100.00", "currency": "THB" });
    assert_eq!(send("e1", "order.paid", order.clone()).await, Status::Accepted);
    assert_eq!(send("e2", "order.paid", order).await, Status::Duplicate);
    assert_eq!(shop.points("m1").await, 4);
    let refund = json!({ "orderId": "o1", "returnId": "r1", "total": "30.00" });
    assert_eq!(send("e3", "order.refunded", refund).await, Status::Accepted);
    assert_eq!(shop.points("m1").await, 2, "70.00 are two whole steps");
    // A refund that came first counts when the order comes.
    let refund = json!({ "orderId": "o2", "returnId": "r2", "total": "50.00" });
    assert_eq!(send("e4", "order.refunded", refund).await, Status::Accepted);
    let order = json!({ "orderId": "o2", "total": "100.00", "currency": "THB" });
    assert_eq!(send("e5", "order.paid", order).await, Status::Accepted);
    assert_eq!(shop.points("m1").await, 4);
    shop.verify().await;
}

#[tokio::test]
async fn another_event_earns_its_points_once_and_not_when_it_is_old() {
    let earn = Earn { event: "store.visited".into(), per_spend: None, points: 10, rounding: Rounding::Down };
    let shop = shop(Rules { earn: vec![earn], ..Rules::default() }).await;
    let event = |id: &str, age| Incoming {
        source: "door".into(),
        id: id.into(),
        kind: "store.visited".into(),
        subject: Some("m1".into()),
        time: Some(at("2026-11-11T01:00:00Z") - TimeDelta::days(age)),
        data: json!({}).into(),
    };
    let events = vec![event("e1", 0), event("e1", 0), event("old", 9)];
    shop.engine.ingest(events, &Sender::Shop).await.unwrap();
    assert_eq!((shop.points("m1").await, shop.balance("points/cost").await), (10, 20));
    shop.verify().await;
}

#[tokio::test]
async fn pending_points_become_spendable_at_their_instant_and_vanish_with_their_order() {
    let rules = Rules { pending_for: Some(Span::days(14)), expire_after: Some(Span::days(30)), ..rules() };
    let shop = shop(rules).await;
    shop.buy("o1", 1, 10_000).await;
    shop.buy("o2", 1, 20_000).await;
    assert_eq!(shop.held("m1").await, (0, 12));
    shop.run(back("o2", "r1", 1)).await.unwrap();
    assert_eq!(shop.held("m1").await, (0, 4), "what comes back was never spendable");
    shop.forward(TimeDelta::days(14) - TimeDelta::seconds(1));
    assert_eq!(shop.held("m1").await, (0, 4));
    shop.forward(TimeDelta::seconds(1));
    assert_eq!(shop.held("m1").await, (4, 0), "no job has run");
    assert_eq!(shop.expiring("m1").await, [(4, "2026-12-26T00:00:00+00:00".to_owned())]);
    shop.work().await;
    assert_eq!(shop.held("m1").await, (4, 0));
    // Long after: both the coming and the going are seen to by one late run.
    shop.buy("o3", 1, 5_000).await;
    shop.forward(TimeDelta::days(400));
    assert_eq!(shop.held("m1").await, (0, 0));
    shop.work().await;
    assert_eq!(shop.held("m1").await, (0, 0));
    assert_eq!(shop.balance("points/issued").await, 0);
    let entries: Vec<(String, i64)> = shop.entries("m1").await;
    assert_eq!(entries.iter().filter(|(rule, _)| rule == "points-expired").map(|(_, n)| n).sum::<i64>(), -6);
    assert!(entries.iter().all(|(rule, _)| rule != "points-matured"), "nothing was added or taken by that");
    shop.verify().await;
}

#[tokio::test]
async fn what_ends_first_is_spent_first_and_what_has_lapsed_is_not_spent_although_no_job_has_run() {
    let shop = shop(Rules { transfer_max_per_day: Some(1_000), ..Rules::default() }).await;
    for (name, days) in [("long", 20), ("short", 10)] {
        let mut reward = points(name, 100);
        reward.kind = RewardKind::Points { amount: 100, expire_after: Some(Span::days(days)) };
        shop.publish(Plan::Reward(reward)).await;
        shop.voucher("m1", name, None).await;
    }
    shop.publish(Plan::Reward(points("ever", 100))).await;
    shop.voucher("m1", "ever", None).await;
    let [short, long] = ["2026-11-22T00:00:00+00:00", "2026-12-02T00:00:00+00:00"].map(str::to_owned);
    assert_eq!(shop.expiring("m1").await, [(100, short.clone()), (100, long.clone())]);
    // Given on, each point keeps its end.
    shop.run(given("m1", "m2", 130, Giver::Member)).await.unwrap();
    assert_eq!(shop.expiring("m1").await, [(70, long.clone())]);
    assert_eq!(shop.expiring("m2").await, [(100, short), (30, long)]);
    shop.forward(TimeDelta::days(25));
    assert_eq!((shop.points("m1").await, shop.points("m2").await), (100, 0));
    let refused = shop.run(given("m2", "m1", 1, Giver::Member)).await.unwrap_err();
    assert_eq!(refused.refusal.reason, Reason::ExceedsRemaining);
    shop.run(given("m1", "m2", 40, Giver::Member)).await.unwrap();
    shop.work().await;
    assert_eq!((shop.points("m1").await, shop.points("m2").await), (60, 40));
    shop.verify().await;
}

#[tokio::test]
async fn members_give_points_on_only_as_the_runtime_says_and_the_shop_may() {
    let shop = shop(rules()).await;
    shop.buy("o1", 1, 100_000).await;
    let refused = async |transfer| shop.run(transfer).await.unwrap_err().refusal.reason;
    assert_eq!(refused(given("m1", "m2", 5, Giver::Member)).await, Reason::TransferNotAllowed);
    let moved = shop.run(given("m1", "m2", 5, Giver::Shop("k1".into()))).await.unwrap();
    assert_eq!((moved.points, moved.balance), (5, 35));
    let rules = Rules { transfer_max_per_day: Some(10), ..rules() };
    shop.rule(rules).await;
    assert_eq!(refused(given("m1", "m1", 5, Giver::Member)).await, Reason::TransferNotAllowed);
    assert_eq!(refused(given("m1", "nobody", 5, Giver::Member)).await, Reason::MemberUnknown);
    shop.run(given("m1", "m2", 6, Giver::Member)).await.unwrap();
    assert_eq!(refused(given("m1", "m2", 5, Giver::Member)).await, Reason::LimitReached);
    shop.run(given("m1", "m3", 4, Giver::Member)).await.unwrap();
    shop.forward(TimeDelta::days(1));
    shop.run(given("m1", "m2", 5, Giver::Member)).await.unwrap();
    let all = [shop.points("m1").await, shop.points("m2").await, shop.points("m3").await];
    assert_eq!(all, [20, 16, 4]);
    assert_eq!(shop.balance("points/issued").await, -40);
    shop.verify().await;
}

#[tokio::test]
async fn points_that_were_spent_before_their_order_came_back_are_owed_or_written_down() {
    for (negative, after, short, later) in [(Negative::Forbid, 0, 30, 20), (Negative::Allow, -30, 0, -10)] {
        let shop = shop(Rules { negative, ..rules() }).await;
        shop.buy("o1", 1, 100_000).await;
        shop.run(given("m1", "m2", 30, Giver::Shop("k1".into()))).await.unwrap();
        let order = shop.run(back("o1", "r1", 1)).await.unwrap().unwrap().order;
        assert_eq!((shop.points("m1").await, shop.balance("points/short").await), (after, short), "{negative:?}");
        assert_eq!(order.exception.is_some(), short > 0, "{negative:?}");
        // Only what was taken is no cost any more.
        let cost = shop.balance("points/cost").await;
        assert_eq!((cost, order.returns[0].clawed_back), (2 * short, Minor(2 * (40 - short))), "{negative:?}");
        // What is earned next fills what is owed.
        shop.buy("o2", 1, 50_000).await;
        assert_eq!(shop.points("m1").await, later, "{negative:?}");
        let spent = shop.run(given("m1", "m2", 25, Giver::Shop("k1".into()))).await;
        assert_eq!(spent.unwrap_err().refusal.reason, Reason::ExceedsRemaining);
        shop.verify().await;
    }
}

#[derive(Clone, Debug)]
enum Act {
    Buy(i64, i64),
    Return(usize, i64),
    Give(bool, i64),
    Wait(i64),
    Work,
}

fn acts() -> impl Strategy<Value = Vec<Act>> {
    let act = prop_oneof![
        (1..4_i64, 1..30_000_i64).prop_map(|(quantity, price)| Act::Buy(quantity, price)),
        (any::<usize>(), 1..4_i64).prop_map(|(order, quantity)| Act::Return(order, quantity)),
        (any::<bool>(), 1..30_i64).prop_map(|(there, points)| Act::Give(there, points)),
        (1..400_i64).prop_map(Act::Wait),
        Just(Act::Work),
    ];
    proptest::collection::vec(act, 1..25)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(24))]

    /// Two shops live through the same; one works off its jobs all the time, the other hardly ever.
    #[test]
    fn whatever_happens_points_come_to_the_same_whenever_the_jobs_run(acts in acts(), allow in any::<bool>()) {
        let runs = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        runs.block_on(async {
            let negative = if allow { Negative::Allow } else { Negative::Forbid };
            let (pending_for, expire_after) = (Some(Span::seconds(100 * 3_600)), Some(Span::days(20)));
            let rules = Rules { pending_for, expire_after, negative, ..rules() };
            let shops = [shop(rules.clone()).await, shop(rules).await];
            let mut orders = Vec::new();
            for (step, act) in acts.into_iter().enumerate() {
                for (nth, shop) in shops.iter().enumerate() {
                    match &act {
                        Act::Buy(quantity, price) => drop(shop.buy(&format!("o{step}"), *quantity, *price).await),
                        Act::Return(which, quantity) if !orders.is_empty() => {
                            let order = format!("o{}", orders[which % orders.len()]);
                            drop(shop.run(back(&order, &format!("r{step}"), *quantity)).await);
                        }
                        Act::Give(there, points) => {
                            let (from, to) = if *there { ("m1", "m2") } else { ("m2", "m1") };
                            drop(shop.run(given(from, to, *points, Giver::Shop("k".into()))).await);
                        }
                        Act::Wait(hours) => shop.forward(TimeDelta::hours(*hours)),
                        Act::Work if nth == 1 => shop.work().await,
                        Act::Return(..) | Act::Work => {}
                    }
                    if nth == 0 {
                        shop.work().await;
                    }
                }
                if matches!(act, Act::Buy(..)) {
                    orders.push(step);
                }
                for member in ["m1", "m2"] {
                    let [often, seldom] = &shops;
                    assert_eq!(often.held(member).await, seldom.held(member).await, "{member} after {act:?}");
                    assert_eq!(often.expiring(member).await, seldom.expiring(member).await, "{member} after {act:?}");
                    assert!(allow || often.points(member).await >= 0);
                }
            }
            for shop in &shops {
                shop.work().await;
                shop.verify().await;
            }
        });
    }
}

#[tokio::test]
async fn points_whose_own_lot_has_lapsed_are_taken_back_as_if_they_were_spent() {
    let shop = shop(Rules::default()).await;
    let lasting = |name: &str, days| {
        let mut reward = points(name, 50);
        reward.kind = RewardKind::Points { amount: 50, expire_after: Some(Span::days(days)) };
        Plan::Reward(reward)
    };
    for plan in [lasting("thanks", 1), lasting("long", 300), Plan::Reward(points("ever", 50))] {
        shop.publish(plan).await;
    }
    let mut plan = campaign("sale", Some(100_000));
    plan.mechanics = vec![mechanic("more", reward_from(10_000, "thanks"))];
    shop.publish(Plan::Campaign(plan)).await;
    shop.buy("o1", 1, 10_000).await;
    for reward in ["long", "ever"] {
        shop.voucher("m1", reward, None).await;
    }
    shop.forward(TimeDelta::days(3));
    shop.work().await;
    assert_eq!((shop.held("m1").await.0, shop.expiring("m1").await.len()), (100, 1));
    shop.run(back("o1", "r1", 1)).await.unwrap();
    assert_eq!(shop.held("m1").await.0, 50);
    assert_eq!(shop.expiring("m1").await, [], "what ends first goes first");
    shop.verify().await;
}
