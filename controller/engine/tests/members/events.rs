//! Events: accepted, counted and answered exactly once.

use crate::support::{Shop, campaign, id, name, points_reward, ts};
use fanfare_core::{
    ids::Name,
    mechanic::{
        Rule,
        lottery::{Entry, Lottery, Prize},
    },
    model::{
        Plan,
        campaign::{Budget, Counted, Join, Limit, Mechanic, Per, Scope},
    },
    money::Minor,
    reason::Reason,
    time::Every,
};
use fanfare_engine::{
    act::{Action, DoAction},
    ingest::{Incoming, Sender, Status},
};
use serde_json::json;

fn visit(event_id: &str, member: &str, time: &str) -> Incoming {
    Incoming {
        source: "till".into(),
        id: event_id.into(),
        kind: "store.visited".into(),
        subject: Some(id(member)),
        time: Some(ts(time)),
        data: json!({"storeId": "bkk-01"}).into(),
    }
}

fn facts(shop: &Shop, member: &str) -> usize {
    shop.engine.audience().with(&id(member), |record| record.facts.len())
}

#[tokio::test]
async fn an_event_counts_once_however_often_it_comes() {
    let shop = Shop::open("2026-11-01T00:00:00Z").await;
    let event = visit("e1", "m1", "2026-10-31T00:00:00Z");
    let again = |count| vec![event.clone(); count];
    let (one, two) =
        tokio::join!(shop.engine.ingest(again(3), &Sender::Shop), shop.engine.ingest(again(3), &Sender::Shop));
    let all = [one.unwrap().0, two.unwrap().0].concat();
    assert_eq!(all.iter().filter(|result| result.status == Status::Accepted).count(), 1);
    assert_eq!(all.iter().filter(|result| result.status == Status::Duplicate).count(), 5);
    assert_eq!(facts(&shop, "m1"), 1);
    let other = Incoming { data: json!({"storeId": "bkk-02"}).into(), ..event.clone() };
    let result = shop.engine.ingest(vec![other], &Sender::Shop).await.unwrap().0.remove(0);
    assert_eq!(result.problem.unwrap().code, "event-id-reused");
    let shop = shop.reopen().await;
    assert_eq!(facts(&shop, "m1"), 1);
    let result = shop.engine.ingest(again(1), &Sender::Shop).await.unwrap().0.remove(0);
    assert_eq!(result.status, Status::Duplicate);
    assert!(shop.engine.member(&id("m1")).await.unwrap().is_some(), "its member is known now");
    shop.verify().await;
}

#[tokio::test]
async fn one_bad_event_never_sinks_its_batch() {
    let shop = Shop::open("2026-11-01T00:00:00Z").await;
    let mut events: Vec<Incoming> =
        (0..1_000).map(|n| visit(&format!("e{n}"), &format!("m{}", n % 50), "2026-10-31T00:00:00Z")).collect();
    events[10] = visit("e10", "m10", "2025-01-01T00:00:00Z");
    events[20] = visit("e20", "m20", "2026-11-01T00:10:00Z");
    events[30] = Incoming { data: json!([1]).into(), ..events[30].clone() };
    events[40] = Incoming { kind: String::new(), ..events[40].clone() };
    let results = shop.engine.ingest(events, &Sender::Shop).await.unwrap().0;
    assert_eq!(results.len(), 1_000);
    let code = |n: usize| results[n].problem.as_ref().map(|problem| problem.code.clone());
    assert_eq!(code(10).as_deref(), Some("event-too-old"));
    assert_eq!(code(20).as_deref(), Some("event-too-early"));
    assert_eq!((code(30).as_deref(), code(40).as_deref()), (Some("invalid"), Some("invalid")));
    assert_eq!(results.iter().filter(|result| result.status == Status::Accepted).count(), 996);
    let total: usize = shop.engine.audience().read().values().map(|record| record.facts.len()).sum();
    assert_eq!(total, 996);
    shop.verify().await;
}

#[tokio::test]
async fn a_member_tells_only_what_members_may() {
    let shop = Shop::open("2026-11-01T00:00:00Z").await;
    let me = Sender::Member(id("m1"));
    for (kind, status) in [
        ("campaign.viewed", Status::Accepted),
        ("campaign.shared", Status::Accepted),
        ("order.paid", Status::Rejected),
        ("store.visited", Status::Rejected),
    ] {
        let event =
            Incoming { kind: kind.into(), id: kind.into(), time: None, ..visit("", "m2", "2026-11-01T00:00:00Z") };
        let result = shop.engine.ingest(vec![event], &me).await.unwrap().0.remove(0);
        assert_eq!(result.status, status, "{kind}");
    }
    assert_eq!((facts(&shop, "m1"), facts(&shop, "m2")), (2, 0), "it is about the member who sends it");
    shop.verify().await;
}

/// A running campaign in which each share gives an entry, drawn for two hundred points or nothing.
async fn lottery(prizes: Vec<Prize>, limit: Option<Limit>) -> Shop {
    let shop = Shop::open("2026-11-11T05:00:00Z").await;
    let mut reward = points_reward("hundred", 100);
    reward.quantity = Some(50);
    reward.limits = vec![Limit { count: Counted::Rewards, per: Per::Member, every: Every::Lifetime, max: 5 }];
    shop.publish(Plan::Reward(reward)).await;
    let mut plan = campaign("double-11");
    plan.participation.join = Join::Automatic;
    plan.budget = Some(Budget { per_day: Some(Minor(900_000)), ..Budget::of(Minor(1_000_000)) });
    let entry = Entry::Event("campaign.shared".into());
    let rule = Rule::Lottery(Lottery { entry, limits: limit.into_iter().collect(), prizes, guaranteed_after: None });
    plan.mechanics = vec![Mechanic { name: "lottery".into(), scope: Scope::default(), rule }];
    shop.publish(Plan::Campaign(plan)).await;
    shop
}

fn prize(of: &str, reward: Option<&str>, weight: i64, quantity: Option<i64>) -> Prize {
    Prize { name: of.into(), reward: reward.map(Name::from), weight, quantity, per_day: None }
}

async fn share(shop: &Shop, event_id: &str, member: &str) -> serde_json::Value {
    let event =
        Incoming { kind: "campaign.shared".into(), time: None, ..visit(event_id, member, "2026-11-11T05:00:00Z") };
    shop.engine.ingest(vec![event], &Sender::Shop).await.unwrap().0.remove(0).decisions
}

fn draw(member: &str) -> DoAction {
    DoAction {
        campaign: "double-11".into(),
        mechanic: "lottery".into(),
        member: id(member),
        action: Action::Draw,
        channel: None,
    }
}

#[tokio::test]
async fn a_draw_takes_an_entry_and_no_prize_goes_beyond_its_cap() {
    let prizes = vec![prize("win", Some("hundred"), 3, Some(4)), prize("none", None, 1, None)];
    let shop = lottery(prizes, None).await;
    let refused = shop.engine.execute(draw("m0")).await.unwrap().0.unwrap_err();
    assert_eq!(refused.refusal.reason, Reason::NoEntries);
    let (mut wins, mut grants) = (0, 0);
    for n in 0..20 {
        let member = format!("m{}", n % 10);
        let decisions = share(&shop, &format!("s{n}"), &member).await;
        assert_eq!(decisions[0]["outcome"], "entered", "{decisions}");
        let outcome = shop.run(draw(&member)).await.unwrap();
        wins += usize::from(outcome.prize == Some("win".into()));
        grants += outcome.grants.len();
        assert!(shop.engine.execute(draw(&member)).await.unwrap().0.is_err(), "an entry is drawn once");
    }
    assert_eq!((wins, grants), (4, 4), "all prizes were drawn, and no more");
    let (figures, _) = shop.engine.campaign_status(&name("double-11")).await.unwrap().unwrap();
    assert_eq!((figures.participants, figures.issued, figures.redeemed), (10, 4, 4));
    // A point is worth two satang here.
    assert_eq!(figures.cost_rewards, Minor(4 * 100 * 2));
    assert_eq!(figures.budget.unwrap().actual, figures.cost_rewards);
    let (reward, _) = shop.engine.reward_status(&name("hundred")).await.unwrap().unwrap();
    assert_eq!((reward.issued, reward.left), (4, Some(46)));
    shop.verify().await;
}

#[tokio::test]
async fn a_rewards_limit_counts_what_a_draw_gives_once() {
    let shop = lottery(vec![prize("win", Some("hundred"), 1, None)], None).await;
    for n in 0..6 {
        share(&shop, &format!("s{n}"), "m1").await;
        let outcome = shop.engine.execute(draw("m1")).await.unwrap().0;
        // The reward allows five per member; then no prize is left for this one and the entry is kept.
        assert_eq!(outcome.is_ok(), n < 5, "draw {n}: {outcome:?}");
    }
    assert_eq!(shop.engine.points(&id("m1")).await.unwrap().balance, 500);
    let progress = shop.engine.progress(&name("double-11"), &id("m1")).unwrap();
    assert_eq!(progress.mechanics[0].goals[0].current, 1);
    let shop = shop.reopen().await;
    let progress = shop.engine.progress(&name("double-11"), &id("m1")).unwrap();
    assert_eq!(progress.mechanics[0].goals[0].current, 1, "memory is rebuilt from the counters");
    shop.verify().await;
}

#[tokio::test]
async fn entries_stop_at_their_limit_and_late_shares_give_none() {
    let limit = Limit { count: Counted::Entries, per: Per::Member, every: Every::Day, max: 2 };
    let shop = lottery(vec![prize("none", None, 1, None)], Some(limit)).await;
    for (n, outcome) in ["entered", "entered", "limit-reached"].into_iter().enumerate() {
        assert_eq!(share(&shop, &format!("s{n}"), "m1").await[0]["outcome"], outcome);
    }
    assert_eq!(facts(&shop, "m1"), 3, "what brings nothing still counts as a fact");
    let progress = shop.engine.progress(&name("double-11"), &id("m1")).unwrap();
    assert_eq!(progress.mechanics[0].goals[0].current, 2);
    shop.verify().await;
}

#[tokio::test]
async fn a_reported_order_counts_once_and_a_refund_may_come_first() {
    let shop = Shop::open("2026-11-11T05:00:00Z").await;
    let mut plan = campaign("double-11");
    plan.participation.join = Join::OneTap;
    shop.publish(Plan::Campaign(plan)).await;
    let join =
        fanfare_engine::join::Join { campaign: "double-11".into(), member: id("m1"), store: None, channel: None };
    shop.run(join).await.unwrap();
    let order = |event_id: &str, kind: &str, order: &str, total: &str| Incoming {
        kind: kind.into(),
        data: json!({"orderId": order, "returnId": format!("r-{order}"), "total": total, "currency": "THB"}).into(),
        ..visit(event_id, "m1", "2026-11-11T05:00:00Z")
    };
    let events = vec![
        order("e1", "order.refunded", "o1", "30.00"),
        order("e2", "order.paid", "o1", "100.00"),
        order("e3", "order.paid", "o1", "100.00"),
        order("e4", "order.paid", "o2", "50.00"),
        order("e5", "order.paid", "o3", "5x"),
    ];
    let results = shop.engine.ingest(events, &Sender::Shop).await.unwrap().0;
    let states: Vec<Status> = results.iter().map(|result| result.status).collect();
    use Status::{Accepted, Duplicate, Rejected};
    assert_eq!(states, [Accepted, Accepted, Duplicate, Accepted, Rejected], "{results:#?}");
    let (figures, _) = shop.engine.campaign_status(&name("double-11")).await.unwrap().unwrap();
    assert_eq!((figures.orders, figures.revenue, figures.conversions), (2, Minor(12_000), 1));
    shop.verify().await;
}
