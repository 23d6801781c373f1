//! Corrections: nothing is posted without a second person above the limit, and nothing breaks a bound.

use crate::support::{Shop, campaign, cart, line, mechanic, percent_off, place, points, runtime, voucher};
use chrono::TimeDelta;
use fanfare_core::{
    model::{Plan, RuntimePlan},
    money::Minor,
    reason::Reason,
};
use fanfare_engine::{
    Refused,
    adjustments::{Adjustment, AdjustmentState, Category, Change, Decide, Propose, Verdict},
    redemptions::Mode,
};
use fanfare_store::{PAGE_MAX, Page};

async fn shop(approve_above: Option<i64>) -> Shop {
    let shop = Shop::open().await;
    let approve_above = approve_above.map(Minor);
    let plan = RuntimePlan { approve_above, ..runtime() };
    shop.publish_again("runtime", Plan::CampaignRuntime(plan)).await;
    shop.publish(Plan::Reward(points("thanks", 100))).await;
    let mut mug = voucher("mug", 5_000, 4_000);
    mug.quantity = Some(10);
    shop.publish(Plan::Reward(mug)).await;
    let mut plan = campaign("half", Some(100_000));
    plan.mechanics = vec![mechanic("off", percent_off("50%"))];
    shop.publish(Plan::Campaign(plan)).await;
    shop.run(place("o1", Mode::Commit, cart(None, vec![line("a", 1, 20_000)], vec![]))).await.unwrap();
    shop
}

fn propose(change: Change) -> Propose {
    Propose { change, reason: "counted again".into(), actor: "ann".into() }
}

/// Proposes it a moment later, so that ids are in order.
async fn later(shop: &Shop, command: Propose) -> Result<Adjustment, Refused> {
    shop.forward(TimeDelta::milliseconds(1));
    shop.run(command).await
}

fn decide(id: &str, verdict: Verdict, actor: &str) -> Decide {
    Decide { id: id.into(), verdict, reason: Some("seen".into()), actor: actor.into() }
}

fn to_points(amount: i64) -> Change {
    Change::Points { member: "m1".into(), amount }
}

fn to_cost(amount: i64) -> Change {
    Change::Cost { campaign: "half".into(), category: Category::Messages, amount: Minor(amount) }
}

fn to_budget(amount: i64) -> Change {
    Change::Budget { campaign: "half".into(), amount: Minor(amount) }
}

fn to_stock(quantity: i64) -> Change {
    Change::Stock { reward: "mug".into(), quantity }
}

#[tokio::test]
async fn each_correction_moves_its_accounts_and_no_others() {
    let shop = shop(None).await;
    for (change, account, before, after) in [
        (to_points(50), "wallet/a-m1", 0, 50),
        (to_points(-20), "wallet/a-m1", 50, 30),
        (to_cost(700), "cost/half/messages", 0, 700),
        (to_cost(-200), "cost/half/messages", 700, 500),
        (to_budget(1_000), "budget/half/actual", 10_000, 11_000),
        (to_budget(-11_000), "budget/half/actual", 11_000, 0),
        (to_stock(-3), "stock/mug/available", 10, 7),
        (to_stock(2), "stock/mug/available", 7, 9),
    ] {
        assert_eq!(shop.balance(account).await, before, "{change:?}");
        let posted = shop.run(propose(change.clone())).await.unwrap();
        assert_eq!((posted.state, posted.decided), (AdjustmentState::Posted, None));
        assert_eq!(shop.balance(account).await, after, "{change:?}");
    }
    assert_eq!(shop.budget("half").await, (100_000, 0, 0));
    assert_eq!(shop.balance("stock/mug/adjusted").await, 1);
    // A quantity that is published again finds the shelf as it was counted.
    let mut mug = voucher("mug", 5_000, 4_000);
    mug.quantity = Some(12);
    shop.publish_again("mug", Plan::Reward(mug)).await;
    assert_eq!(shop.balance("stock/mug/available").await, 11);
    shop.verify().await;
}

#[tokio::test]
async fn a_correction_that_breaks_a_bound_is_refused_and_leaves_nothing() {
    let shop = shop(None).await;
    let position = shop.store.ledger(&shop.ns, fanfare_store::Position(0));
    let before = futures::StreamExt::count(position).await;
    for (change, reason) in [
        (to_points(-1), Reason::ExceedsRemaining),
        (Change::Points { member: "nobody".into(), amount: 1 }, Reason::MemberUnknown),
        (to_cost(-1), Reason::ExceedsRemaining),
        (
            Change::Cost { campaign: "none".into(), category: Category::Rewards, amount: Minor(1) },
            Reason::SubjectUnknown,
        ),
        (to_budget(90_001), Reason::BudgetExhausted),
        (to_budget(-10_001), Reason::ExceedsRemaining),
        (to_stock(-11), Reason::OutOfStock),
        (Change::Stock { reward: "thanks".into(), quantity: 1 }, Reason::SubjectUnknown),
    ] {
        assert_eq!(shop.run(propose(change.clone())).await.unwrap_err().refusal.reason, reason, "{change:?}");
    }
    let after = futures::StreamExt::count(shop.store.ledger(&shop.ns, fanfare_store::Position(0))).await;
    assert_eq!(before, after);
    let page = Page { limit: PAGE_MAX, after: None };
    assert!(shop.engine.adjustments(false, page).await.unwrap().is_empty());
    shop.verify().await;
}

#[tokio::test]
async fn above_the_limit_a_second_person_posts_it_once() {
    let shop = shop(Some(1_000)).await;
    let small = later(&shop, propose(to_cost(1_000))).await.unwrap();
    assert_eq!((small.state, small.worth), (AdjustmentState::Posted, Some(Minor(1_000))));
    let large = later(&shop, propose(to_cost(1_001))).await.unwrap();
    assert_eq!(large.state, AdjustmentState::Pending);
    assert_eq!(shop.balance("cost/half/messages").await, 1_000, "nothing is posted before");

    let own = shop.run(decide(&large.id, Verdict::Approve, "ann")).await.unwrap_err();
    assert_eq!(own.refusal.reason, Reason::SamePerson);
    assert_eq!(shop.run(decide("none", Verdict::Approve, "bob")).await.unwrap(), None);
    let done = shop.run(decide(&large.id, Verdict::Approve, "bob")).await.unwrap().unwrap();
    assert_eq!((done.state, done.decided.as_ref().unwrap().by.as_str()), (AdjustmentState::Posted, "bob"));
    assert_eq!(shop.balance("cost/half/messages").await, 2_001);
    for (id, who) in [(&large.id, "bob"), (&large.id, "ann"), (&small.id, "bob")] {
        for verdict in [Verdict::Approve, Verdict::Reject] {
            let again = shop.run(decide(id, verdict, who)).await.unwrap_err();
            assert_eq!(again.refusal.reason, Reason::AlreadyDecided);
        }
    }
    assert_eq!(shop.balance("cost/half/messages").await, 2_001);
    // 100 points are worth 2.00, 500 of them 10.00; and what has no worth always waits.
    assert_eq!(later(&shop, propose(to_points(500))).await.unwrap().state, AdjustmentState::Posted);
    assert_eq!(later(&shop, propose(to_points(501))).await.unwrap().state, AdjustmentState::Pending);
    assert_eq!(later(&shop, propose(to_stock(-1))).await.unwrap().state, AdjustmentState::Pending, "a mug costs 40.00");

    let page = |after: Option<&str>| Page { limit: 2, after: after.map(ToOwned::to_owned) };
    let pending = shop.engine.adjustments(true, page(None)).await.unwrap();
    assert_eq!(pending.len(), 2);
    assert!(pending.iter().all(|one| one.state == AdjustmentState::Pending));
    let all = shop.engine.adjustments(false, page(None)).await.unwrap();
    assert_eq!(all, pending, "newest first");
    let rest = shop.engine.adjustments(false, page(Some(&all[1].id))).await.unwrap();
    assert_eq!(rest.len(), 2);
    assert!(rest.iter().all(|one| one.state == AdjustmentState::Posted));
    assert!(rest.contains(&done));
    shop.verify().await;
}

#[tokio::test]
async fn what_is_turned_down_or_no_longer_possible_is_never_posted() {
    let shop = shop(Some(0)).await;
    let taken = shop.run(propose(to_budget(90_000))).await.unwrap();
    assert_eq!(taken.state, AdjustmentState::Pending);
    let back = shop.run(decide(&taken.id, Verdict::Reject, "ann")).await.unwrap().unwrap();
    assert_eq!(back.state, AdjustmentState::Rejected, "who proposed it may take it back");
    let late = shop.run(propose(to_budget(90_000))).await.unwrap();
    shop.run(place("o2", Mode::Commit, cart(None, vec![line("a", 1, 20_000)], vec![]))).await.unwrap();
    let gone = shop.run(decide(&late.id, Verdict::Approve, "bob")).await.unwrap_err();
    assert_eq!(gone.refusal.reason, Reason::BudgetExhausted);
    let pending = shop.engine.adjustments(true, Page { limit: PAGE_MAX, after: None }).await.unwrap();
    assert_eq!(pending.len(), 1, "it waits on");
    assert_eq!(shop.budget("half").await, (80_000, 0, 20_000));
    let trail = shop.store.audit(&shop.ns, Page { limit: PAGE_MAX, after: None }).await.unwrap();
    let of = |action: &str| trail.iter().filter(|row| row.action == action).count();
    assert_eq!((of("propose-adjustment"), of("reject-adjustment"), of("approve-adjustment")), (2, 1, 0));
    shop.verify().await;
}
