//! Reservations of flash-sale stock.

use crate::support::{Shop, campaign, cart, line, mechanic, place};
use chrono::TimeDelta;
use fanfare_core::{
    cart::Cart,
    ids::HoldId,
    mechanic::{Rule, flash_sale},
    model::Plan,
    money::Minor,
    reason::Reason,
    time::Span,
};
use fanfare_engine::{
    act::{Action, DoAction},
    orders::{CommitOrder, ReturnOrder, VoidOrder},
    redemptions::Mode,
};

/// Two units of SKU-a for 50.00 each, one per member.
async fn shop() -> Shop {
    let shop = Shop::open().await;
    let mut plan = campaign("flash", Some(100_000));
    let item = flash_sale::Item { sku: "SKU-a".into(), price: Minor(5_000), stock: 2, stock_per_store: None };
    let rule = flash_sale::FlashSale { items: vec![item], per_member: Some(1), reserve_for: Span::seconds(600) };
    plan.mechanics = vec![mechanic("few", Rule::FlashSale(rule))];
    shop.publish(Plan::Campaign(plan)).await;
    shop
}

fn reserve(member: &str) -> DoAction {
    let action = Action::Reserve { sku: "SKU-a".into(), quantity: 1, store: None };
    DoAction { campaign: "flash".into(), mechanic: "few".into(), member: member.into(), action, channel: None }
}

async fn held(shop: &Shop, member: &str) -> HoldId {
    shop.run(reserve(member)).await.unwrap().unwrap().reservation.unwrap().0
}

fn with(member: &str, hold: &HoldId) -> Cart {
    Cart { reservations: vec![hold.clone()], ..cart(Some(member), vec![line("a", 1, 20_000)], vec![]) }
}

#[tokio::test]
async fn a_reservation_is_used_by_its_holder_s_cart_alone() {
    let shop = shop().await;
    let (first, second) = (held(&shop, "m1").await, held(&shop, "m2").await);
    assert_eq!(shop.run(reserve("m3")).await.unwrap_err().refusal.reason, Reason::SoldOut);
    let stolen = shop.run(place("o0", Mode::Commit, with("m3", &first))).await.unwrap_err();
    assert_eq!(stolen.refusal.reason, Reason::OrderRefused);

    let order = shop.run(place("o1", Mode::Reserve, with("m1", &first))).await.unwrap().order;
    assert_eq!(order.evaluation.payable, Minor(5_000));
    assert!(shop.run(place("o2", Mode::Commit, with("m1", &first))).await.is_err());
    let release = DoAction { action: Action::Release { reservation: first.clone() }, ..reserve("m1") };
    let used = shop.run(release.clone()).await.unwrap_err();
    assert_eq!(used.refusal.reason, Reason::ReservedElsewhere, "an order uses it");
    shop.run(VoidOrder { id: "o1".into() }).await.unwrap();
    let gone = shop.run(place("o2", Mode::Commit, with("m1", &first))).await.unwrap_err();
    assert!(gone.refusal.detail.contains("was released"), "its units are back in the sale: {gone:?}");
    assert_eq!(shop.run(release).await.unwrap().unwrap().outcome, "released", "letting go twice is no fault");
    let first = held(&shop, "m1").await;
    let order = shop.run(place("o3", Mode::Commit, with("m1", &first))).await.unwrap().order;
    assert_eq!(order.evaluation.payable, Minor(5_000));

    shop.forward(TimeDelta::seconds(600));
    shop.work().await;
    let late = shop.run(place("o4", Mode::Commit, with("m2", &second))).await.unwrap_err();
    assert_eq!(late.refusal.reason, Reason::OrderRefused);
    assert!(late.refusal.detail.contains("held until"), "{late:?}");
    held(&shop, "m3").await;
    assert_eq!(shop.run(reserve("m2")).await.unwrap_err().refusal.reason, Reason::SoldOut);

    let lines = vec![("a".to_owned(), 1)];
    let back = ReturnOrder {
        id: "o3".into(),
        return_id: "r".into(),
        lines,
        reason: "size".into(),
        store: None,
        business_date: None,
    };
    shop.run(back).await.unwrap();
    held(&shop, "m2").await;
    assert_eq!(shop.budget("flash").await, (100_000, 0, 0));
    shop.verify().await;
}

#[tokio::test]
async fn a_late_commit_takes_its_units_again_only_while_there_are_some() {
    let shop = shop().await;
    let paid_at = shop.engine.clock().now();
    let (first, second) = (held(&shop, "m1").await, held(&shop, "m2").await);
    shop.run(place("o1", Mode::Reserve, with("m1", &first))).await.unwrap();
    shop.run(place("o2", Mode::Reserve, with("m2", &second))).await.unwrap();
    shop.forward(TimeDelta::seconds(900));
    shop.work().await;
    held(&shop, "m3").await;
    for (id, gone) in [("o1", false), ("o2", true)] {
        let late = CommitOrder {
            id: id.into(),
            cart: None,
            receipt_number: None,
            business_date: None,
            occurred_at: Some(paid_at),
        };
        let order = shop.run(late).await.unwrap().unwrap().order;
        assert_eq!((order.evaluation.payable, order.exception.is_some()), (Minor(5_000), gone), "{id}");
    }
    assert_eq!(shop.run(reserve("m2")).await.unwrap_err().refusal.reason, Reason::SoldOut);
    for id in ["o1", "o2"] {
        let lines = vec![("a".to_owned(), 1)];
        let back = ReturnOrder {
            id: id.into(),
            return_id: "r".into(),
            lines,
            reason: "size".into(),
            store: None,
            business_date: None,
        };
        shop.run(back).await.unwrap();
    }
    held(&shop, "m2").await;
    assert_eq!(shop.run(reserve("m1")).await.unwrap_err().refusal.reason, Reason::SoldOut);
    shop.verify().await;
}

/// Three units of SKU-a for 50.00 each, in all, of each store and for each member.
async fn three() -> Shop {
    let shop = Shop::open().await;
    let mut plan = campaign("flash", Some(1_000_000));
    let item = flash_sale::Item { sku: "SKU-a".into(), price: Minor(5_000), stock: 3, stock_per_store: Some(3) };
    let rule = flash_sale::FlashSale { items: vec![item], per_member: Some(3), reserve_for: Span::seconds(600) };
    plan.mechanics = vec![mechanic("few", Rule::FlashSale(rule))];
    shop.publish(Plan::Campaign(plan)).await;
    shop
}

/// m1 reserves all three units, and the order "o1" with two of them; m2 buys the third.
async fn two_of_three(shop: &Shop) -> HoldId {
    let action = Action::Reserve { sku: "SKU-a".into(), quantity: 3, store: Some("bkk-01".into()) };
    let hold = shop.run(DoAction { action, ..reserve("m1") }).await.unwrap().unwrap().reservation.unwrap().0;
    shop.run(place("o1", Mode::Reserve, units("m1", 2, Some(&hold)))).await.unwrap();
    shop.run(place("o2", Mode::Commit, units("m2", 1, None))).await.unwrap();
    hold
}

fn units(member: &str, quantity: i64, hold: Option<&HoldId>) -> Cart {
    let reservations = hold.into_iter().cloned().collect();
    Cart { reservations, ..cart(Some(member), vec![line("a", quantity, 20_000)], vec![]) }
}

fn commit(cart: Cart, occurred_at: Option<fanfare_core::time::Ts>) -> CommitOrder {
    let (cart, receipt_number, business_date) = (Some(cart), None, None);
    CommitOrder { id: "o1".into(), cart, receipt_number, business_date, occurred_at }
}

/// A cart of something that is in no sale.
fn other() -> Cart {
    cart(Some("m1"), vec![line("b", 1, 1_000)], vec![])
}

async fn sold(shop: &Shop) -> i64 {
    shop.counter(&flash_sale::stock_key(&"flash".into(), &"few".into(), "SKU-a")).await
}

#[tokio::test]
async fn a_reservation_that_an_order_does_without_in_the_end_comes_back_with_what_the_order_had_of_it() {
    let shop = three().await;
    let hold = two_of_three(&shop).await;
    assert_eq!(sold(&shop).await, 3);
    shop.run(commit(other(), None)).await.unwrap().unwrap();
    assert_eq!(sold(&shop).await, 3, "two are held again, one is sold");
    let order = shop.run(place("o3", Mode::Commit, units("m1", 3, Some(&hold)))).await.unwrap().order;
    assert_eq!(order.evaluation.payable, Minor(2 * 5_000 + 20_000), "two of them, and the third at its price");
    assert_eq!(sold(&shop).await, 3);
    shop.verify().await;
}

#[tokio::test]
async fn a_reservation_that_an_order_did_without_lapses_with_what_the_order_had_of_it() {
    let shop = three().await;
    two_of_three(&shop).await;
    shop.run(commit(other(), None)).await.unwrap().unwrap();
    shop.forward(TimeDelta::seconds(600));
    shop.work().await;
    assert_eq!(sold(&shop).await, 1);
    shop.verify().await;
}

#[tokio::test]
async fn a_late_order_s_final_cart_uses_its_reservation_or_gives_the_units_back() {
    for (then, left, is_gone) in [(1, 2, false), (0, 1, false), (1, 3, true)] {
        let shop = three().await;
        let paid_at = shop.engine.clock().now();
        let hold = two_of_three(&shop).await;
        shop.forward(TimeDelta::seconds(900));
        shop.work().await;
        assert_eq!(sold(&shop).await, 1);
        if is_gone {
            shop.run(place("o3", Mode::Commit, units("m3", 2, None))).await.unwrap();
        }
        let cart = if then > 0 { units("m1", then, Some(&hold)) } else { other() };
        let order = shop.run(commit(cart, Some(paid_at))).await.unwrap().unwrap().order;
        assert_eq!(order.exception.is_some(), is_gone, "{then} units");
        assert_eq!(order.evaluation.discount, Minor(then * 15_000), "the sale stands at its price");
        assert_eq!(sold(&shop).await, left, "{then} units");
        shop.verify().await;
    }
}
