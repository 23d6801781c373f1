//! Reports read one cut, and add up.

use crate::support::{Shop, campaign, cart, line, mechanic, percent_off, place, points, redeem, voucher};
use chrono::TimeDelta;
use fanfare_core::{model::Plan, money::Minor};
use fanfare_engine::{export::PAGE_LINES, redemptions::Mode, reports::Claim};
use fanfare_store::Position;
use std::collections::BTreeMap;

async fn shop() -> Shop {
    let shop = Shop::open().await;
    shop.publish(Plan::Reward(points("thanks", 100))).await;
    shop.publish(Plan::Reward(voucher("coupon", 5_000, 4_000))).await;
    let mut plan = campaign("half", Some(100_000));
    plan.mechanics = vec![mechanic("off", percent_off("50%"))];
    shop.publish(Plan::Campaign(plan)).await;
    shop
}

fn claims(lines: &[Claim]) -> Vec<(&str, Option<&str>, i64, i64)> {
    lines
        .iter()
        .map(|one| (one.kind, one.reward.as_ref().map(|name| name.as_str()), one.quantity, one.worth.0))
        .collect()
}

#[tokio::test]
async fn a_trial_balance_has_every_account_and_sums_to_zero() {
    let shop = shop().await;
    for member in ["m1", "m2"] {
        shop.give(member, "thanks", 1, Some("half")).await;
    }
    shop.run(place("o1", Mode::Commit, cart(None, vec![line("a", 1, 20_000)], vec![]))).await.unwrap();
    let report = shop.engine.trial_balance().await.unwrap();
    assert_eq!(report.position, shop.store.position(&shop.ns).await.unwrap());
    let mut sums: BTreeMap<&str, i64> = BTreeMap::new();
    for line in &report.lines {
        *sums.entry(line.unit.as_str()).or_default() += line.amount;
    }
    assert_eq!(sums, BTreeMap::from([("THB", 0), ("points", 0)]));
    let wallets = report.lines.iter().find(|line| line.account == "wallet/*").unwrap();
    assert_eq!((wallets.amount, wallets.accounts), (200, 2));
    let kept = shop.store.balances(&shop.ns, "").await.unwrap();
    assert_eq!(report.lines.iter().map(|line| line.accounts).sum::<i64>(), i64::try_from(kept.len()).unwrap());
    assert!(report.lines.iter().any(|line| line.account == "budget/half/actual" && line.amount == 10_400));
}

#[tokio::test]
async fn what_is_owed_shrinks_by_use_and_becomes_breakage_when_it_expires() {
    let shop = shop().await;
    assert!(shop.engine.liability().await.unwrap().lines.is_empty());
    shop.give("m1", "thanks", 1, Some("half")).await;
    let given = shop.give("m1", "coupon", 3, Some("half")).await;
    let owed = shop.engine.liability().await.unwrap();
    assert_eq!(claims(&owed.lines), [("points", None, 100, 200), ("voucher", Some("coupon"), 3, 12_000)]);
    let code = shop.grant(&given.grants[0]).await.code.unwrap();
    shop.run(redeem(&code, Mode::Commit)).await.unwrap();
    let owed = shop.engine.liability().await.unwrap().lines;
    assert_eq!(claims(&owed)[1], ("voucher", Some("coupon"), 2, 8_000));
    assert!(shop.engine.breakage().await.unwrap().lines.is_empty());

    shop.forward(TimeDelta::days(20));
    shop.work().await;
    assert_eq!(claims(&shop.engine.liability().await.unwrap().lines), [("points", None, 100, 200)]);
    let lapsed = shop.engine.breakage().await.unwrap();
    assert_eq!(claims(&lapsed.lines), [("voucher", Some("coupon"), 2, 8_000)]);
    assert_eq!(lapsed.lines[0].campaign, Some("half".into()));
    shop.verify().await;
}

#[tokio::test]
async fn points_that_expire_are_breakage() {
    let shop = Shop::open().await;
    let mut short = points("short", 100);
    if let fanfare_core::model::reward::RewardKind::Points { expire_after, .. } = &mut short.kind {
        *expire_after = Some(fanfare_core::time::Span::days(10));
    }
    shop.publish(Plan::Reward(short)).await;
    shop.give("m1", "short", 1, None).await;
    shop.forward(TimeDelta::days(11));
    shop.work().await;
    assert_eq!(claims(&shop.engine.breakage().await.unwrap().lines), [("points", None, 100, 200)]);
    assert!(shop.engine.liability().await.unwrap().lines.is_empty());
    shop.verify().await;
}

#[tokio::test]
async fn the_ledger_comes_in_pages_of_whole_transactions() {
    let shop = shop().await;
    for order in 0..PAGE_LINES / 8 + 50 {
        shop.run(place(&format!("o{order}"), Mode::Commit, cart(None, vec![line("a", 1, 20)], vec![]))).await.unwrap();
    }
    let to = shop.store.position(&shop.ns).await.unwrap();
    let (mut from, mut lines, mut pages) = (Position(0), Vec::new(), 0);
    loop {
        let page = shop.engine.ledger_page(from, to).await.unwrap();
        let Some(last) = page.last() else { break };
        from = Position(last.seq);
        pages += 1;
        lines.extend(page);
    }
    assert!(pages > 1, "{} lines", lines.len());
    let whole: Vec<_> = futures::TryStreamExt::try_collect(shop.store.ledger(&shop.ns, Position(0))).await.unwrap();
    assert_eq!(lines, whole);
    let first = lines[0].seq;
    let bounded = shop.engine.ledger_page(Position(0), Position(first)).await.unwrap();
    assert!(!bounded.is_empty() && bounded.iter().all(|line| line.seq == first), "{bounded:?}");
    assert_eq!(lines.iter().filter(|line| line.unit == "THB").map(|line| Minor(line.amount)).sum::<Minor>(), Minor(0));
}

#[tokio::test]
async fn a_gift_card_is_owed_until_it_is_spent_and_what_expires_on_it_is_breakage() {
    let shop = Shop::open().await;
    let mut card = voucher("card", 0, 0);
    card.kind = fanfare_core::model::reward::RewardKind::GiftCard { amount: Minor(30_000) };
    shop.publish(Plan::Reward(card)).await;
    let code = shop.voucher("m1", "card", None).await.code.unwrap();
    assert_eq!(claims(&shop.engine.liability().await.unwrap().lines), [("giftCard", None, 30_000, 30_000)]);
    shop.run(place("o1", Mode::Commit, cart(Some("m1"), vec![line("a", 1, 20_000)], vec![code]))).await.unwrap();
    assert_eq!(claims(&shop.engine.liability().await.unwrap().lines), [("giftCard", None, 10_000, 10_000)]);
    let day = shop.engine.reconciliation("2026-11-11", None).await.unwrap().lines.remove(0);
    assert_eq!((day.gross, day.discount, day.cards, day.payable), (Minor(20_000), Minor(0), Minor(20_000), Minor(0)));
    assert_eq!((day.vouchers, day.voucher_amount), (0, Minor(0)), "a card pays, it takes nothing off");
    shop.forward(TimeDelta::days(20));
    shop.work().await;
    let owed = shop.engine.liability().await.unwrap().lines;
    assert!(owed.is_empty(), "{owed:?}");
    let lapsed = shop.engine.breakage().await.unwrap().lines;
    assert_eq!(claims(&lapsed), [("giftCard", Some("card"), 10_000, 10_000)]);
    shop.verify().await;
}

#[tokio::test]
async fn what_has_several_uses_is_owed_by_the_use_and_so_it_breaks() {
    for (unit_cost, each) in [(1_500, 1_500), (0, 500)] {
        let shop = Shop::open().await;
        let mut card = voucher("coffee", 500, unit_cost);
        card.redemption.uses = Some(10);
        shop.publish(Plan::Reward(card)).await;
        let given = shop.give("m1", "coffee", 2, None).await;
        let code = shop.grant(&given.grants[0]).await.code.unwrap();
        for _ in 0..3 {
            shop.run(redeem(&code, Mode::Commit)).await.unwrap();
        }
        let left = [("voucher", Some("coffee"), 17, 17 * each)];
        assert_eq!(claims(&shop.engine.liability().await.unwrap().lines), left);
        shop.forward(TimeDelta::days(20));
        shop.work().await;
        assert_eq!(claims(&shop.engine.breakage().await.unwrap().lines), left);
        shop.verify().await;
    }
}
