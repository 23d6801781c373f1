//! Settlement after the cool-down.

use crate::support::{Shop, campaign, name};
use fanfare_core::{
    ledger::account,
    model::{Kind, Plan, campaign::Budget},
    money::Minor,
};
use fanfare_engine::worker::work_off;

#[tokio::test]
async fn a_campaign_settles_after_its_cool_down_and_is_not_filled_up_again() {
    let shop = Shop::open("2026-11-01T00:00:00Z").await;
    let mut plan = campaign("double-11");
    plan.budget = Some(Budget::of(Minor(500_000)));
    shop.publish(Plan::Campaign(plan.clone())).await;
    shop.clock.set("2026-12-11T16:59:59Z");
    assert_eq!(work_off(&shop.engine).await.unwrap(), 0);
    shop.clock.set("2026-12-11T17:00:00Z");
    assert_eq!(work_off(&shop.engine).await.unwrap(), 1);
    let figures = || async { shop.engine.campaign_status(&name("double-11")).await.unwrap().unwrap().0 };
    let settled = figures().await;
    assert!(settled.settled);
    let budget = settled.budget.unwrap();
    assert_eq!((budget.limit, budget.remaining, budget.released), (Minor(500_000), Minor(0), Minor(500_000)));
    plan.tags.push("archive".into());
    shop.publish(Plan::Campaign(plan.clone())).await;
    assert_eq!(figures().await.budget.unwrap().remaining, Minor(0));
    // Nor when it is deleted and made again.
    let (kind, actor) = (Kind::Campaign, "test".into());
    assert!(shop.run(fanfare_engine::publish::Retire { kind, name: name("double-11"), actor }).await);
    shop.publish(Plan::Campaign(plan)).await;
    work_off(&shop.engine).await.unwrap();
    let again = figures().await;
    assert!(again.settled);
    assert_eq!(again.budget.unwrap().released, Minor(500_000));
    let prefix = account::budget_available(&name("double-11"));
    let free = shop.store.balances(shop.engine.namespace(), &prefix).await.unwrap();
    assert!(free.iter().all(|entry| entry.amount == 0), "{free:?}");
    shop.verify().await;
}
