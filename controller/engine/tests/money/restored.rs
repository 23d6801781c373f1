//! After a restore nothing moves value but facts, until somebody answers for what may be lost.

use crate::support::{Shop, campaign, cart, line, mechanic, place, redeem, voucher};
use chrono::TimeDelta;
use fanfare_core::{
    mechanic::{Rule, lottery},
    model::{Plan, RewardPlan, reward::Validity},
    time::Span,
};
use fanfare_engine::{
    CallError, Keyed,
    act::{Action, DoAction},
    ingest::{Incoming, Sender},
    join::Join,
    orders::CommitOrder,
    redemptions::{Mode, Redeem},
    restored::{Awaiting, Reconciled},
};
use fanfare_store::restored::AWAITS;

async fn restored() -> Shop {
    let shop = Shop::open().await;
    let week = Validity { lasts: Some(Span::days(7)), ..voucher("cup", 1_000, 0).validity };
    shop.publish(Plan::Reward(RewardPlan { validity: week, ..voucher("cup", 1_000, 0) })).await;
    shop
}

async fn begin(shop: &Shop) {
    shop.engine.store().set_setting(AWAITS, b"a backup of last night").await.unwrap();
    assert!(shop.engine.look_at_restore().await.unwrap().is_some());
}

/// Somebody answers for it.
async fn reconcile(shop: &Shop, reason: &str) {
    let of = shop.engine.awaiting().unwrap().why;
    shop.run(Reconciled { by: "Ann".into(), reason: reason.into(), of }).await.unwrap();
    assert!(shop.engine.look_at_restore().await.unwrap().is_none());
}

#[tokio::test]
async fn what_moves_value_waits_and_facts_do_not() {
    let shop = restored().await;
    let (first, second) = (shop.voucher("m1", "cup", None).await, shop.voucher("m1", "cup", None).await);
    let [first, second] = [first, second].map(|grant| grant.code.unwrap());
    shop.forward(TimeDelta::hours(1));
    begin(&shop).await;
    let waits = shop.engine.execute(redeem(&first, Mode::Commit)).await;
    assert!(matches!(waits, Err(CallError::AwaitingReconciliation)), "{waits:?}");
    let order = || place("o-1", Mode::Commit, cart(Some("m1"), vec![line("1", 1, 5_000)], vec![]));
    let waits = shop.engine.execute(order()).await;
    assert!(matches!(waits, Err(CallError::AwaitingReconciliation)), "{waits:?}");
    let waits = shop.engine.execute_all(vec![redeem(&first, Mode::Commit)]).await;
    assert!(matches!(waits, Err(CallError::AwaitingReconciliation)), "{waits:?}");

    let at = Some(shop.engine_now() - TimeDelta::minutes(5));
    shop.run(Redeem { occurred_at: at, ..redeem(&second, Mode::Commit) }).await.unwrap();
    let mut fact = order();
    fact.occurred_at = at;
    shop.run(fact).await.unwrap();

    reconcile(&shop, "the journals of both tills were sent again").await;
    shop.run(redeem(&first, Mode::Commit)).await.unwrap();
    let page = fanfare_store::Page { limit: 20, after: None };
    let trail = shop.engine.store().audit(shop.engine.namespace(), page).await.unwrap();
    let row = trail.iter().find(|row| row.actor == "Ann" && row.action == "restore.reconciled").unwrap();
    assert_eq!(row.detail["restore"], "a backup of last night", "what she answers for: {row:?}");
    shop.verify().await;
}

/// What a till always sends is no fact by itself: a fact was paid before the restore was seen.
#[tokio::test]
async fn a_sale_of_now_waits_also_where_its_till_says_when_it_was() {
    let shop = restored().await;
    let code = shop.voucher("m1", "cup", None).await.code.unwrap();
    shop.forward(TimeDelta::hours(1));
    begin(&shop).await;
    let seen = shop.engine.awaiting().unwrap().since;
    shop.forward(TimeDelta::minutes(10));
    let order = |id: &str, mode, at| {
        let mut order = place(id, mode, cart(Some("m1"), vec![line("1", 1, 5_000)], vec![]));
        order.occurred_at = Some(at);
        order
    };
    let before = seen - TimeDelta::minutes(1);
    for waiting in [
        order("o-1", Mode::Commit, seen),
        order("o-1", Mode::Commit, shop.engine_now()),
        order("o-1", Mode::Reserve, before),
    ] {
        let waits = shop.engine.execute(waiting).await;
        assert!(matches!(waits, Err(CallError::AwaitingReconciliation)), "{waits:?}");
    }
    for (mode, at) in [(Mode::Commit, seen), (Mode::Reserve, before)] {
        let waits = shop.engine.execute(Redeem { occurred_at: Some(at), ..redeem(&code, mode) }).await;
        assert!(matches!(waits, Err(CallError::AwaitingReconciliation)), "{waits:?}");
    }
    shop.run(order("o-1", Mode::Commit, before)).await.unwrap();
    shop.run(Redeem { occurred_at: Some(before), ..redeem(&code, Mode::Commit) }).await.unwrap();
    shop.verify().await;
}

/// Were only winning draws to wait, whoever draws a blank would lose the chance that a restore may have brought back.
#[tokio::test]
async fn a_draw_waits_also_where_it_would_win_nothing() {
    let shop = Shop::open().await;
    let blank = lottery::Prize { name: "blank".into(), reward: None, weight: 1, quantity: None, per_day: None };
    let rule = lottery::Lottery {
        entry: lottery::Entry::Event("campaign.shared".into()),
        limits: Vec::new(),
        prizes: vec![blank],
        guaranteed_after: None,
    };
    let mut plan = campaign("wheel", None);
    plan.mechanics = vec![mechanic("wheel", Rule::Lottery(rule))];
    shop.publish(Plan::Campaign(plan)).await;
    let shared = Incoming {
        source: "app".into(),
        id: "e-1".into(),
        kind: "campaign.shared".into(),
        subject: Some("m1".into()),
        time: None,
        data: serde_json::Value::Null.into(),
    };
    shop.engine.ingest(vec![shared], &Sender::Shop).await.unwrap();
    begin(&shop).await;
    let draw = || DoAction {
        campaign: "wheel".into(),
        mechanic: "wheel".into(),
        member: "m1".into(),
        action: Action::Draw,
        channel: None,
    };
    let waits = shop.engine.execute(draw()).await;
    assert!(matches!(waits, Err(CallError::AwaitingReconciliation)), "{waits:?}");
    reconcile(&shop, "nothing was lost").await;
    assert_eq!(shop.run(draw()).await.unwrap().unwrap().prize, Some("blank".into()));
    shop.verify().await;
}

/// What a call does not find may be what was lost: neither that nor another refusal is kept under its key.
#[tokio::test]
async fn what_is_not_found_is_not_kept_either_and_a_fact_is_answered() {
    let shop = restored().await;
    shop.forward(TimeDelta::hours(1));
    begin(&shop).await;
    let seen = shop.engine.awaiting().unwrap().since;
    let call = |key: &str, occurred_at| {
        let render = Box::new(|answer: &Result<Option<_>, fanfare_engine::Refused>| match answer {
            Ok(Some(_)) => (200, Vec::new()),
            Ok(None) | Err(_) => (404, Vec::new()),
        });
        let keyed = Keyed { scope: "till".into(), key: key.into(), digest: "d".into(), render };
        shop.engine.call(
            keyed,
            CommitOrder { id: "o-1".into(), cart: None, receipt_number: None, business_date: None, occurred_at },
        )
    };
    let waits = call("k-1", None).await;
    assert!(matches!(waits, Err(CallError::AwaitingReconciliation)), "{waits:?}");
    let before = Some(seen - TimeDelta::minutes(1));
    for _ in 0..2 {
        let answered = call("k-2", before).await.unwrap();
        assert!((answered.status, answered.replayed) == (404, false), "its order may come yet: {answered:?}");
    }
    shop.verify().await;
}

#[tokio::test]
async fn a_refusal_is_not_kept_that_a_restore_may_have_caused() {
    let shop = restored().await;
    begin(&shop).await;
    let call = || {
        let render = Box::new(|answer: &Result<_, fanfare_engine::Refused>| {
            (if answer.is_ok() { 201 } else { 404 }, Vec::new())
        });
        shop.engine.call(
            Keyed { scope: "till".into(), key: "k-1".into(), digest: "d".into(), render },
            redeem(&"LOSTWITHIT".into(), Mode::Commit),
        )
    };
    let waits = call().await;
    assert!(matches!(waits, Err(CallError::AwaitingReconciliation)), "{waits:?}");
    reconcile(&shop, "nothing was lost").await;
    let refused = call().await.unwrap();
    assert!((refused.status, refused.replayed) == (404, false), "{refused:?}");
    shop.verify().await;
}

#[tokio::test]
async fn what_is_worth_nothing_goes_on_and_a_restart_remembers() {
    let shop = restored().await;
    shop.publish(Plan::Campaign(campaign("sale", None))).await;
    begin(&shop).await;
    let before = shop.engine.awaiting().map(|awaiting| Awaiting { is_new: false, ..awaiting });
    shop.forward(TimeDelta::hours(1));
    let shop = shop.restart().await;
    assert_eq!(shop.engine.awaiting(), before, "a restart sees it no later");
    let join = Join { campaign: "sale".into(), member: "m1".into(), store: None, channel: None };
    assert!(shop.run(join).await.unwrap().unwrap().created);
    shop.verify().await;
}
