//! After a restore nothing moves value but facts, until somebody answers for what may be lost.

use crate::support::{Shop, cart, line, place, redeem, voucher};
use chrono::TimeDelta;
use fanfare_core::{
    model::{Plan, RewardPlan, reward::Validity},
    time::Span,
};
use fanfare_engine::{
    CallError, Keyed,
    join::Join,
    redemptions::{Mode, Redeem},
    restored::Reconciled,
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
    assert!(shop.engine.look_at_restore().await.unwrap());
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

    let reason = "the journals of both tills were sent again".to_owned();
    shop.run(Reconciled { by: "Ann".into(), reason }).await.unwrap();
    assert!(!shop.engine.look_at_restore().await.unwrap());
    shop.run(redeem(&first, Mode::Commit)).await.unwrap();
    let page = fanfare_store::Page { limit: 20, after: None };
    let trail = shop.engine.store().audit(shop.engine.namespace(), page).await.unwrap();
    assert!(trail.iter().any(|row| row.actor == "Ann" && row.action == "restore.reconciled"), "{trail:?}");
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
    shop.run(Reconciled { by: "Ann".into(), reason: "nothing was lost".into() }).await.unwrap();
    shop.engine.look_at_restore().await.unwrap();
    let refused = call().await.unwrap();
    assert!((refused.status, refused.replayed) == (404, false), "{refused:?}");
    shop.verify().await;
}

#[tokio::test]
async fn what_is_worth_nothing_goes_on_and_a_restart_remembers() {
    let shop = restored().await;
    shop.publish(Plan::Campaign(crate::support::campaign("sale", None))).await;
    begin(&shop).await;
    let shop = shop.restart().await;
    assert!(shop.engine.awaits_reconciliation());
    let join = Join { campaign: "sale".into(), member: "m1".into(), store: None, channel: None };
    assert!(shop.run(join).await.unwrap().unwrap().created);
    shop.verify().await;
}
