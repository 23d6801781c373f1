//! The till's day equals the sum of the tills' own records, whatever happened in between.

use crate::support::{Shop, at, campaign, cart, line, mechanic, percent_off, place, redeem, runtime, start, voucher};
use chrono::TimeDelta;
use fanfare_core::{
    cart::Cart,
    ids::StoreId,
    model::{Plan, RuntimePlan, runtime},
    money::Minor,
};
use fanfare_engine::{
    days::DayFigures,
    orders::{CommitOrder, PlaceOrder, ReturnOrder, VoidOrder},
    redemptions::{Mode, Reverse},
};
use fanfare_store::{PAGE_MAX, Page, reports::ExceptionsOf};
use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha8Rng;
use std::collections::BTreeMap;

const STORES: [&str; 3] = ["bkk-01", "bkk-02", "tyo-01"];

/// Three stores, one of them two hours ahead.
fn with_stores() -> RuntimePlan {
    let store = |id: &str| runtime::Store {
        name: id.into(),
        groups: Vec::new(),
        region: None,
        zone: Some(if id == "tyo-01" { "Asia/Tokyo" } else { "Asia/Bangkok" }.parse().unwrap()),
        location: None,
    };
    let stores = STORES.iter().map(|id| (StoreId::from(*id), store(id))).collect();
    RuntimePlan { stores, ..runtime() }
}

async fn shop() -> Shop {
    let shop = Shop::open().await;
    shop.publish_again("runtime", Plan::CampaignRuntime(with_stores())).await;
    shop.publish(Plan::Reward(voucher("coupon", 5_000, 0))).await;
    let mut plan = campaign("tenth", Some(500_000));
    plan.mechanics = vec![mechanic("off", percent_off("10%"))];
    shop.publish(Plan::Campaign(plan)).await;
    shop
}

async fn day(shop: &Shop, store: &str, date: &str) -> DayFigures {
    let report = shop.engine.reconciliation(date, Some(&store.into())).await.unwrap();
    assert_eq!(report.position, shop.store.position(&shop.ns).await.unwrap());
    report.lines.into_iter().next().unwrap_or_default()
}

fn commit(id: &str) -> CommitOrder {
    CommitOrder { id: id.into(), cart: None, receipt_number: None, business_date: None, occurred_at: None }
}

fn back(id: &str, return_id: &str, store: Option<&str>, date: Option<&str>, quantity: i64) -> ReturnOrder {
    ReturnOrder {
        id: id.into(),
        return_id: return_id.into(),
        lines: vec![("a".into(), quantity)],
        reason: "size".into(),
        store: store.map(StoreId::from),
        business_date: date.map(ToOwned::to_owned),
    }
}

#[tokio::test]
async fn a_return_counts_at_the_store_and_on_the_day_that_took_it() {
    let shop = shop().await;
    shop.run(place("o1", Mode::Commit, cart(None, vec![line("a", 2, 10_000)], vec![]))).await.unwrap();
    shop.forward(TimeDelta::days(1));
    let order = shop.run(back("o1", "r1", Some("tyo-01"), None, 1)).await.unwrap().unwrap().order;
    assert_eq!(order.business_date.as_deref(), Some("2026-11-11"));
    assert_eq!(order.returns[0].store, Some("tyo-01".into()));
    assert_eq!(order.returns[0].business_date.as_deref(), Some("2026-11-12"));
    let order = shop.run(back("o1", "r2", None, Some("2026-11-13"), 1)).await.unwrap().unwrap().order;
    assert_eq!(order.returns[1].store, Some("bkk-01".into()), "its own, where none is named");

    let sold = day(&shop, "bkk-01", "2026-11-11").await;
    assert_eq!((sold.orders, sold.gross, sold.discount), (1, Minor(20_000), Minor(2_000)));
    assert_eq!((sold.payable, sold.returns, sold.net()), (Minor(18_000), 0, Minor(18_000)));
    let elsewhere = day(&shop, "tyo-01", "2026-11-12").await;
    assert_eq!((elsewhere.orders, elsewhere.returns, elsewhere.refunds), (0, 1, Minor(9_000)));
    assert_eq!(day(&shop, "bkk-01", "2026-11-13").await.net(), Minor(-9_000));
    shop.run(back("o1", "r2", None, None, 1)).await.unwrap();
    assert_eq!(day(&shop, "bkk-01", "2026-11-13").await.returns, 1, "the same return again counts nothing");
    shop.verify().await;
}

#[tokio::test]
async fn a_day_without_a_till_s_word_ends_at_midnight_of_the_store() {
    let shop = shop().await;
    // 22:30 in Bangkok, and the next day in Tokyo.
    shop.forward(at("2026-11-11T15:30:00Z") - start() - TimeDelta::hours(1));
    for (id, store) in [("o1", "bkk-01"), ("o2", "tyo-01")] {
        let cart = Cart { store: Some(store.into()), ..cart(None, vec![line("a", 1, 1_000)], vec![]) };
        shop.run(place(id, Mode::Commit, cart)).await.unwrap();
    }
    assert_eq!(day(&shop, "bkk-01", "2026-11-11").await.orders, 1);
    assert_eq!(day(&shop, "tyo-01", "2026-11-11").await.orders, 0);
    assert_eq!(day(&shop, "tyo-01", "2026-11-12").await.orders, 1);
    assert_eq!(shop.engine.reconciliation("2026-11-11", None).await.unwrap().lines.len(), 1);
    shop.verify().await;
}

#[tokio::test]
async fn an_exception_is_listed_with_what_it_cost_and_counted_in_its_day() {
    let shop = shop().await;
    let paid_at = shop.engine.clock().now();
    let code = shop.voucher("m1", "coupon", None).await.code.unwrap();
    shop.run(place("o1", Mode::Reserve, cart(Some("m1"), vec![line("a", 1, 40_000)], vec![code.clone()])))
        .await
        .unwrap();
    shop.forward(TimeDelta::hours(30));
    shop.work().await;
    shop.run(redeem(&code, Mode::Commit)).await.unwrap();
    let late = CommitOrder { occurred_at: Some(paid_at), ..commit("o1") };
    let order = shop.run(late).await.unwrap().unwrap().order;
    let page = || Page { limit: PAGE_MAX, after: None };
    let all = shop.engine.exceptions(&ExceptionsOf::default(), page()).await.unwrap();
    let [one] = all.as_slice() else { panic!("{all:?}") };
    assert_eq!(
        (Some(&one.id), one.kind.as_str(), one.about.as_str()),
        (order.exception.as_ref(), "late-commit", "Order/o1")
    );
    assert_eq!((one.amount, one.business_date.as_deref()), (Minor(5_000), Some("2026-11-11")));
    assert_eq!((one.store.clone(), one.order.clone()), (Some("bkk-01".into()), Some("o1".into())));
    assert!(one.gone[0].starts_with("voucher ") && !one.remedy.is_empty(), "{one:?}");
    for (of, found) in [
        (ExceptionsOf { kind: Some("late-commit".into()), ..Default::default() }, 1),
        (ExceptionsOf { kind: Some("other".into()), ..Default::default() }, 0),
        (ExceptionsOf { store: Some("bkk-02".into()), ..Default::default() }, 0),
        (ExceptionsOf { business_date: Some("2026-11-11".into()), store: Some("bkk-01".into()), kind: None }, 1),
    ] {
        assert_eq!(shop.engine.exceptions(&of, page()).await.unwrap().len(), found, "{of:?}");
    }
    let after = Page { limit: PAGE_MAX, after: Some(one.id.clone()) };
    assert!(shop.engine.exceptions(&ExceptionsOf::default(), after).await.unwrap().is_empty());
    let sold = day(&shop, "bkk-01", "2026-11-11").await;
    assert_eq!((sold.orders, sold.exceptions, sold.vouchers, sold.voucher_amount), (1, 1, 1, Minor(5_000)));
    assert_eq!(day(&shop, "bkk-01", "2026-11-12").await.redemptions, 1, "on the day of its use");
    shop.verify().await;
}

/// What a till writes into its own book: only from answers that it got.
#[derive(Default)]
struct Books(BTreeMap<(String, String), DayFigures>);

impl Books {
    fn of(&mut self, store: &str, date: &str) -> &mut DayFigures {
        self.0.entry((store.into(), date.into())).or_insert_with(|| DayFigures {
            store: Some(store.into()),
            business_date: date.into(),
            ..DayFigures::default()
        })
    }

    fn sale(&mut self, store: &str, date: &str, placed: &fanfare_engine::orders::Placed) {
        let day = self.of(store, date);
        let evaluation = &placed.order.evaluation;
        day.orders += 1;
        day.gross = day.gross.plus(evaluation.total);
        day.discount = day.discount.plus(evaluation.discount);
        day.payable = day.payable.plus(evaluation.payable);
        for voucher in evaluation.discounts.iter().filter(|discount| discount.grant.is_some()) {
            day.vouchers += 1;
            day.voucher_amount = day.voucher_amount.plus(voucher.amount);
        }
        day.exceptions += i64::from(placed.order.exception.is_some());
    }
}

#[tokio::test]
async fn random_till_days_add_up_to_what_the_tills_wrote_down() {
    for seed in 0..6 {
        random_days(seed).await;
    }
}

async fn random_days(seed: u64) {
    let shop = shop().await;
    let mut random = ChaCha8Rng::seed_from_u64(seed);
    let mut books = Books::default();
    // (order, its store, units left): what can come back; and what is only reserved.
    let mut sold: Vec<(String, i64)> = Vec::new();
    let mut held: Vec<(String, String, String, fanfare_core::time::Ts)> = Vec::new();
    for step in 0..120 {
        shop.forward(TimeDelta::minutes(random.random_range(1..40)));
        let store = STORES[random.random_range(0..3)];
        // The till's day turns when the manager closes it, not at midnight.
        let date = format!("2026-11-{}", 11 + step / 40);
        match random.random_range(0..10) {
            0..4 => {
                let (id, units) = (format!("o{step}"), random.random_range(1..5));
                let price = random.random_range(100..30_000);
                let codes = match random.random_bool(0.3) {
                    true => vec![shop.voucher("m1", "coupon", None).await.code.unwrap()],
                    false => Vec::new(),
                };
                let cart = Cart { store: Some(store.into()), ..cart(Some("m1"), vec![line("a", units, price)], codes) };
                let mode = if random.random_bool(0.5) { Mode::Commit } else { Mode::Reserve };
                let order = PlaceOrder { business_date: Some(date.clone()), ..place(&id, mode, cart) };
                let placed = shop.run(order).await.unwrap();
                if mode == Mode::Commit {
                    books.sale(store, &date, &placed);
                    sold.push((id, units));
                } else {
                    held.push((id, store.into(), date, shop.engine.clock().now()));
                }
            }
            4..7 if !held.is_empty() => {
                let (id, store, date, at) = held.swap_remove(random.random_range(0..held.len()));
                if random.random_bool(0.3) {
                    // Voided, or it has lapsed meanwhile: neither is a sale.
                    let _ = shop.run(VoidOrder { id: id.as_str().into() }).await;
                    continue;
                }
                let late = random.random_bool(0.5);
                if late {
                    shop.forward(TimeDelta::minutes(20));
                    shop.work().await;
                }
                let command = CommitOrder { occurred_at: Some(at), ..commit(&id) };
                if let Ok(placed) = shop.run(command.clone()).await {
                    let placed = placed.unwrap();
                    books.sale(&store, &date, &placed);
                    sold.push((id, placed.order.cart.lines[0].quantity));
                    shop.run(command).await.unwrap();
                }
            }
            7..9 if !sold.is_empty() => {
                let index = random.random_range(0..sold.len());
                let (id, left) = sold[index].clone();
                let quantity = random.random_range(1..=left);
                let return_id = format!("r{step}");
                let placed =
                    shop.run(back(&id, &return_id, Some(store), Some(&date), quantity)).await.unwrap().unwrap();
                let day = books.of(store, &date);
                day.returns += 1;
                day.refunds = day.refunds.plus(placed.order.returns.last().unwrap().refund);
                match left - quantity {
                    0 => drop(sold.swap_remove(index)),
                    left => sold[index].1 = left,
                }
            }
            _ => {
                let code = shop.voucher("m2", "coupon", None).await.code.unwrap();
                let command =
                    fanfare_engine::redemptions::Redeem { store: store.into(), ..redeem(&code, Mode::Commit) };
                let used = shop.run(command).await.unwrap().redemption;
                let now = shop.engine.clock().now();
                let zone = with_stores().zone_of(Some(&store.into()));
                let date = fanfare_core::time::day_of(now, zone).to_string();
                let day = books.of(store, &date);
                day.redemptions += 1;
                day.redeemed = day.redeemed.plus(used.amount);
                if random.random_bool(0.5) {
                    let amount = Minor(random.random_range(1..=used.amount.0));
                    let reversal_id = format!("v{step}");
                    let reverse =
                        Reverse { id: used.id, reversal_id, reason: "no".into(), amount: Some(amount), store: None };
                    shop.run(reverse).await.unwrap();
                    day.reversals += 1;
                    day.reversed = day.reversed.plus(amount);
                }
            }
        }
    }
    for ((store, date), expected) in &books.0 {
        assert_eq!(day(&shop, store, date).await, *expected, "seed {seed}");
    }
    let dates: std::collections::BTreeSet<&String> = books.0.keys().map(|(_, date)| date).collect();
    for date in dates {
        let all = shop.engine.reconciliation(date, None).await.unwrap().lines;
        assert_eq!(all.len(), books.0.keys().filter(|(_, of)| of == date).count(), "seed {seed}, {date}");
    }
    shop.verify().await;
}
