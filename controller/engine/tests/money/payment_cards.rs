//! Limits per payment card: of what tills say is paid by card, exact under concurrency, and kept by the order.

use crate::support::{Shop, campaign, cart, line, mechanic, percent_off, place, redeem, voucher};
use fanfare_core::{
    cart::Cart,
    model::{
        Plan, RewardPlan,
        campaign::{Counted, Limit, Per},
        reward::{CodeRule, CodeSource},
    },
    money::Minor,
    reason::Reason,
    time::Every,
};
use fanfare_engine::{
    orders::{CommitOrder, VoidOrder},
    origin::{Brought, Origin},
    redemptions::Mode,
};

fn per_card(max: i64, count: Counted) -> Limit {
    Limit { count, per: Per::Card, every: Every::Day, max }
}

/// Half off for two orders of a card a day.
async fn shop() -> Shop {
    let shop = Shop::open().await;
    let mut plan = campaign("half", Some(10_000_000));
    plan.mechanics = vec![mechanic("off", percent_off("50%"))];
    plan.participation.limits = vec![per_card(2, Counted::Orders)];
    shop.publish(Plan::Campaign(plan)).await;
    shop
}

fn paid_by(card: Option<&str>, price: i64) -> Cart {
    Cart { card: card.map(Into::into), ..cart(None, vec![line("a", 1, price)], vec![]) }
}

fn commit(id: &str, cart: Option<Cart>) -> CommitOrder {
    CommitOrder { id: id.into(), cart, receipt_number: None, business_date: None, occurred_at: None }
}

async fn counted(shop: &Shop, card: &str) -> i64 {
    let holder = format!("|card:{card}|");
    let counters = shop.store.counters(&shop.ns, "").await.unwrap();
    counters.iter().filter(|(key, _)| key.contains(&holder)).map(|(_, value)| value).sum()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn of_thirty_tills_at_once_with_one_card_two_give_the_discount() {
    let shop = shop().await;
    let orders = (0..30).map(|till| {
        let (engine, cart) = (shop.engine.clone(), paid_by(Some("one"), 10_000));
        tokio::spawn(async move { engine.execute(place(&format!("o{till}"), Mode::Commit, cart)).await.unwrap().0 })
    });
    let mut off = Vec::new();
    for order in orders.collect::<Vec<_>>() {
        let evaluation = order.await.unwrap().unwrap().order.evaluation;
        if evaluation.discount > Minor::ZERO {
            off.push(evaluation.discount);
        } else {
            assert_eq!(evaluation.rejected[0].reason, Reason::LimitReached);
            assert_eq!(
                evaluation.rejected[0].detail, "At most 2 orders per payment card a day; that is reached.",
                "the till may know"
            );
        }
    }
    assert_eq!((off, counted(&shop, "one").await), (vec![Minor(5_000); 2], 2));
    for (id, card) in [("other", Some("two")), ("cash", None), ("cash-again", None), ("cash-more", None)] {
        let order = shop.run(place(id, Mode::Commit, paid_by(card, 10_000))).await.unwrap().order;
        assert_eq!(order.evaluation.discount, Minor(5_000), "{id}");
    }
    shop.verify().await;
}

#[tokio::test]
async fn an_order_keeps_its_card_until_another_one_pays() {
    let shop = shop().await;
    for id in ["o1", "o2"] {
        shop.run(place(id, Mode::Reserve, paid_by(Some("one"), 10_000))).await.unwrap();
    }
    // A final cart that names no card is paid with the one that the order was placed with.
    let order = shop.run(commit("o1", Some(paid_by(None, 8_000)))).await.unwrap().unwrap().order;
    assert_eq!((order.evaluation.discount, counted(&shop, "one").await), (Minor(4_000), 2));
    let order = shop.run(commit("o2", Some(paid_by(Some("two"), 8_000)))).await.unwrap().unwrap().order;
    assert_eq!(order.evaluation.discount, Minor(4_000));
    assert_eq!((counted(&shop, "one").await, counted(&shop, "two").await), (1, 1));
    // A void gives back what was counted.
    shop.run(place("o3", Mode::Reserve, paid_by(Some("one"), 10_000))).await.unwrap();
    assert_eq!(counted(&shop, "one").await, 2);
    shop.run(VoidOrder { id: "o3".into() }).await.unwrap();
    assert_eq!(counted(&shop, "one").await, 1);
    let stored = shop.store.order(&shop.ns, &"o2".into()).await.unwrap().unwrap();
    assert_eq!(stored.cart.card, None, "the card stands in no cart");
    shop.verify().await;
}

#[tokio::test]
async fn a_card_gets_a_shared_code_as_often_as_its_limit_says() {
    let shop = Shop::open().await;
    let codes = CodeRule { source: CodeSource::Shared("WELCOME".into()), ..CodeRule::default() };
    let limits = vec![per_card(1, Counted::Rewards)];
    shop.publish(Plan::Reward(RewardPlan { codes, limits, ..voucher("welcome", 1_000, 0) })).await;
    let by = |card: &str| Brought {
        by: Origin { card: Some(card.into()), ..Origin::default() },
        command: redeem(&"WELCOME".into(), Mode::Commit),
    };
    shop.run(by("one")).await.unwrap();
    assert_eq!(shop.run(by("one")).await.unwrap_err().refusal.reason, Reason::LimitReached);
    let in_cart = Cart { codes: vec!["WELCOME".into()], ..paid_by(Some("one"), 10_000) };
    let refused = shop.run(place("o1", Mode::Commit, in_cart)).await.unwrap_err();
    assert_eq!(refused.evaluation.unwrap().rejected[0].reason, Reason::LimitReached);
    shop.run(by("two")).await.unwrap();
    shop.verify().await;
}
