//! How vouchers are shown: rotating payloads, personal vouchers, what a till took offline, codes that everybody types.

use crate::support::{Shop, campaign, cart, gift_card, line, place, redeem, voucher};
use chrono::TimeDelta;
use fanfare_core::{
    codes::normalise,
    ids::{Code, MemberId},
    model::{
        Plan, RewardPlan,
        campaign::{Budget, Counted, Limit, Per},
        reward::{Alphabet, CodeRule, CodeSource, Guard, Offline, OnReversal},
    },
    money::Minor,
    payload::Payload,
    reason::Reason,
    time::{Every, Span},
};
use fanfare_engine::{
    carts::Validate,
    orders::{ReturnOrder, VoidOrder},
    pool::{ImportCodes, Imported, taken_key},
    prints::Print,
    redemptions::{Mode, Redeem, Reverse, Void},
};
use fanfare_store::{
    Page,
    rows::{Grant, GrantState, OrderState, RedemptionState},
};

fn rotating(offline: bool) -> RewardPlan {
    let mut plan = voucher("coupon", 20_000, 12_000);
    plan.redemption.guard = Guard {
        rotate: Some(Span::seconds(30)),
        holder_only: false,
        offline: offline.then_some(Offline { max_amount: Minor(20_000), grace_for: Span::seconds(3_600) }),
    };
    plan
}

async fn shop_with(plan: RewardPlan) -> (Shop, Grant) {
    let shop = Shop::open().await;
    let name = plan.name.to_string();
    shop.publish(Plan::Campaign(campaign("sale", Some(100_000)))).await;
    shop.publish(Plan::Reward(plan)).await;
    let grant = shop.voucher("m1", &name, Some("sale")).await;
    (shop, grant)
}

/// What the holder's app shows now, its signature checked.
fn shown(shop: &Shop, grant: &Grant) -> Code {
    let payload = Payload {
        key: [0; 4],
        grant: grant.id.clone(),
        issued_ms: shop.engine.clock().now().timestamp_millis(),
        life_s: 30,
        nonce: 7,
        offline_max: None,
        grace_s: 0,
    };
    payload.to_code().unwrap()
}

async fn reason(shop: &Shop, redeem: Redeem) -> Reason {
    shop.run(redeem).await.unwrap_err().refusal.reason
}

async fn exceptions(shop: &Shop) -> Vec<serde_json::Value> {
    let all = shop.store.audit(&shop.ns, Page { limit: 100, after: None }).await.unwrap();
    let booked = all.into_iter().filter(|row| row.action == "exception");
    booked
        .map(|row| serde_json::json!({ "exception": row.id, "kind": row.detail["kind"], "gone": row.detail["gone"] }))
        .collect()
}

#[tokio::test]
async fn a_rotating_voucher_is_used_once_by_a_payload_of_the_moment_and_by_nothing_else() {
    let (shop, grant) = shop_with(rotating(false)).await;
    let plain = grant.code.clone().unwrap();
    assert_eq!(reason(&shop, redeem(&plain, Mode::Commit)).await, Reason::PayloadExpired);
    let old = shown(&shop, &grant);
    shop.forward(TimeDelta::seconds(30));
    assert_eq!(reason(&shop, redeem(&old, Mode::Commit)).await, Reason::PayloadExpired);
    let offline =
        Redeem { occurred_at: Some(shop.engine.clock().now() - TimeDelta::seconds(5)), ..redeem(&old, Mode::Commit) };
    assert_eq!(reason(&shop, offline).await, Reason::PayloadExpired, "without an allowance nothing is taken offline");

    let fresh = shown(&shop, &grant);
    shop.forward(TimeDelta::seconds(29));
    let done = shop.run(redeem(&fresh, Mode::Commit)).await.unwrap();
    assert_eq!(done.redemption.state, RedemptionState::Committed);
    assert_eq!(reason(&shop, redeem(&fresh, Mode::Commit)).await, Reason::AlreadyRedeemed);
    assert_eq!(shop.budget("sale").await, (80_000, 0, 20_000));
    shop.verify().await;
}

#[tokio::test]
async fn a_payload_is_consumed_by_its_use_even_where_that_is_undone() {
    let (shop, grant) = shop_with(rotating(false)).await;
    let first = shown(&shop, &grant);
    let held = shop.run(redeem(&first, Mode::Reserve)).await.unwrap().redemption;
    shop.run(Void { id: held.id }).await.unwrap().unwrap();
    assert_eq!(reason(&shop, redeem(&first, Mode::Commit)).await, Reason::PayloadExpired);
    shop.forward(TimeDelta::milliseconds(1));
    let second = shown(&shop, &grant);
    let done = shop.run(redeem(&second, Mode::Commit)).await.unwrap().redemption;
    let back = Reverse { id: done.id, reversal_id: "r1".into(), reason: "returned".into(), amount: None, store: None };
    shop.run(back).await.unwrap().unwrap();
    assert_eq!(reason(&shop, redeem(&second, Mode::Commit)).await, Reason::PayloadExpired);
    shop.verify().await;
}

#[tokio::test]
async fn an_order_takes_a_payload_and_keeps_what_it_took_when_the_payload_has_aged() {
    let (shop, grant) = shop_with(rotating(false)).await;
    let code = shown(&shop, &grant);
    let items = || vec![line("1", 2, 30_000), line("2", 1, 10_000)];
    let placed = shop.run(place("o-1", Mode::Reserve, cart(None, items(), vec![code.clone()]))).await.unwrap();
    assert_eq!(placed.order.evaluation.discount, Minor(20_000));
    shop.forward(TimeDelta::seconds(120));
    let less = cart(None, vec![line("1", 2, 30_000)], vec![code.clone()]);
    let commit = fanfare_engine::orders::CommitOrder {
        id: "o-1".into(),
        cart: Some(less),
        receipt_number: None,
        business_date: None,
        occurred_at: None,
    };
    let done = shop.run(commit).await.unwrap().unwrap();
    assert_eq!((done.order.state, done.order.evaluation.discount), (OrderState::Committed, Minor(20_000)));
    let again = shop.run(place("o-2", Mode::Commit, cart(None, items(), vec![code]))).await.unwrap_err();
    assert_eq!(again.evaluation.unwrap().rejected[0].reason, Reason::AlreadyRedeemed);
    shop.verify().await;
}

#[tokio::test]
async fn what_a_till_took_offline_is_booked_once_however_often_it_is_sent() {
    let (shop, grant) = shop_with(rotating(true)).await;
    let code = shown(&shop, &grant);
    let at = shop.engine.clock().now() + TimeDelta::seconds(10);
    shop.forward(TimeDelta::minutes(20));
    let offline = Redeem { occurred_at: Some(at), ..redeem(&code, Mode::Commit) };
    let too_much = Redeem { amount: Some(Minor(20_001)), ..offline.clone() };
    assert_eq!(reason(&shop, too_much).await, Reason::ExceedsRemaining);
    let first = shop.run(offline.clone()).await.unwrap();
    let again = shop.run(offline).await.unwrap();
    assert_eq!((first.created, again.created), (true, false));
    assert_eq!(first.redemption, again.redemption);
    assert_eq!(first.redemption.created_at, at);
    assert_eq!(exceptions(&shop).await.len(), 0);
    assert_eq!(shop.budget("sale").await, (80_000, 0, 20_000));
    shop.verify().await;
}

#[tokio::test]
async fn a_conflict_of_what_a_till_took_offline_is_one_booked_exception() {
    let (shop, grant) = shop_with(rotating(true)).await;
    let code = shown(&shop, &grant);
    let at = shop.engine.clock().now() + TimeDelta::seconds(10);
    shop.run(redeem(&code, Mode::Commit)).await.unwrap();
    shop.forward(TimeDelta::minutes(20));
    let same = Redeem { occurred_at: Some(at), ..redeem(&code, Mode::Commit) };
    let known = shop.run(same).await.unwrap();
    assert_eq!((known.created, known.exception), (false, None), "the till that used it lost the answer: no conflict");
    let from =
        |till: &str| Redeem { occurred_at: Some(at), terminal: Some(till.into()), ..redeem(&code, Mode::Commit) };
    let first = shop.run(from("t2")).await.unwrap();
    let again = shop.run(from("t2")).await.unwrap();
    assert_eq!(first.redemption.state, RedemptionState::Committed, "the shopper keeps the money off");
    assert!(first.exception.is_some());
    assert_eq!((first.exception.clone(), true, false), (again.exception, first.created, again.created));
    let booked = exceptions(&shop).await;
    assert_eq!(booked.len(), 1);
    assert_eq!(booked[0]["exception"].as_str(), first.exception.as_deref());
    assert_eq!(booked[0]["kind"], "offline-conflict");
    assert_eq!(booked[0]["gone"][0], format!("voucher {}", grant.id));
    assert_eq!(shop.budget("sale").await, (80_000, 0, 20_000), "the budget pays once");
    assert_eq!(shop.balance("cost/sale/rewards").await, 40_000, "the shop pays twice");
    shop.run(from("t3")).await.unwrap();
    assert_eq!(exceptions(&shop).await.len(), 2, "another till is another conflict");
    shop.forward(TimeDelta::hours(1));
    assert_eq!(reason(&shop, from("t4")).await, Reason::AlreadyRedeemed, "later than the allowance");
    assert_eq!(shop.run(from("t2")).await.unwrap().exception, first.exception, "a retry is answered for ever");
    shop.verify().await;
}

#[tokio::test]
async fn an_order_taken_offline_with_a_voucher_that_was_used_meanwhile_carries_one_exception() {
    let (shop, grant) = shop_with(rotating(true)).await;
    let code = shown(&shop, &grant);
    let at = shop.engine.clock().now() + TimeDelta::seconds(10);
    shop.run(redeem(&code, Mode::Commit)).await.unwrap();
    shop.forward(TimeDelta::minutes(20));
    let order = |id: &str, mode| {
        let placed = place(id, mode, cart(None, vec![line("1", 1, 50_000)], vec![code.clone()]));
        fanfare_engine::orders::PlaceOrder { occurred_at: Some(at), ..placed }
    };
    let held = shop.run(order("o-0", Mode::Reserve)).await.unwrap_err();
    assert_eq!(held.refusal.reason, Reason::PayloadExpired);
    let placed = shop.run(order("o-1", Mode::Commit)).await.unwrap();
    let again = shop.run(order("o-1", Mode::Commit)).await.unwrap();
    assert_eq!(placed.order.evaluation.payable, Minor(30_000));
    assert!(placed.order.exception.is_some());
    assert_eq!(placed.order.exception, again.order.exception);
    assert_eq!(exceptions(&shop).await.len(), 1);
    assert_eq!(shop.balance("cost/sale/rewards").await, 40_000);
    let back = ReturnOrder {
        id: "o-1".into(),
        return_id: "r-1".into(),
        lines: vec![("1".into(), 1)],
        reason: "returned".into(),
        store: None,
        business_date: None,
    };
    shop.run(back).await.unwrap().unwrap();
    assert_eq!(shop.balance("cost/sale/rewards").await, 20_000);
    shop.verify().await;
}

/// A gift card of 500.00 whose payload tills may take offline for up to 200.00.
async fn shop_with_card() -> (Shop, Grant, Code, fanfare_core::time::Ts) {
    let guard = rotating(true).redemption.guard;
    let mut plan = gift_card("coupon", 50_000);
    plan.redemption.guard = guard;
    let (shop, grant) = shop_with(plan).await;
    let code = shown(&shop, &grant);
    let at = shop.engine.clock().now() + TimeDelta::seconds(10);
    shop.forward(TimeDelta::minutes(5));
    (shop, grant, code, at)
}

#[tokio::test]
async fn a_gift_card_that_a_till_took_offline_pays_while_it_holds_enough_and_else_is_one_exception() {
    let (shop, grant, code, at) = shop_with_card().await;
    let offline = |till: &str, amount: i64| Redeem {
        occurred_at: Some(at),
        terminal: Some(till.into()),
        amount: Some(Minor(amount)),
        ..redeem(&code, Mode::Commit)
    };
    let unsaid = Redeem { amount: None, ..offline("t1", 1) };
    assert_eq!(reason(&shop, unsaid).await, Reason::ItemsNotEligible);
    assert_eq!(reason(&shop, offline("t1", 20_001)).await, Reason::ExceedsRemaining, "beyond the allowance");
    for (till, left) in [("t1", 30_000), ("t2", 10_000)] {
        let done = shop.run(offline(till, 20_000)).await.unwrap();
        assert_eq!((done.exception, done.remaining), (None, Minor(left)), "{till}");
    }
    let conflict = shop.run(offline("t3", 20_000)).await.unwrap();
    assert!(conflict.created && conflict.exception.is_some(), "the shopper has gone with what was bought");
    let again = shop.run(offline("t3", 20_000)).await.unwrap();
    assert_eq!((again.created, again.exception), (false, conflict.exception));
    let booked = exceptions(&shop).await;
    assert_eq!((booked.len(), booked[0]["kind"].as_str()), (1, Some("offline-conflict")));
    assert_eq!(
        shop.grant(&grant.id).await.usage.card.unwrap().balance(),
        Minor(10_000),
        "the card pays for nothing twice"
    );
    assert_eq!(shop.balance("cost/sale/rewards").await, 60_000, "what no card paid is a cost");
    assert_eq!(shop.budget("sale").await.2, 40_000, "which no budget pays");
    shop.verify().await;
}

#[tokio::test]
async fn an_order_paid_offline_by_a_gift_card_that_is_empty_by_now_stands_with_one_exception() {
    let (shop, grant, code, at) = shop_with_card().await;
    let plain = Redeem { amount: Some(Minor(45_000)), ..redeem(&shown(&shop, &grant), Mode::Commit) };
    shop.run(plain).await.unwrap();
    let order = |id: &str, price: i64| {
        let placed = place(id, Mode::Commit, cart(None, vec![line("1", 1, price)], vec![code.clone()]));
        let terminal = Some(format!("till of {id}"));
        fanfare_engine::orders::PlaceOrder { occurred_at: Some(at), terminal, ..placed }
    };
    let small = shop.run(order("o-1", 4_000)).await.unwrap().order;
    assert_eq!((small.evaluation.paid, small.exception), (Minor(4_000), None), "it still held that");
    let large = shop.run(order("o-2", 30_000)).await.unwrap().order;
    assert_eq!(large.evaluation.paid, Minor(20_000), "as much as the till was allowed");
    assert!(large.exception.is_some());
    assert_eq!(shop.run(order("o-2", 30_000)).await.unwrap().order.exception, large.exception);
    assert_eq!(exceptions(&shop).await.len(), 1);
    assert_eq!(shop.grant(&grant.id).await.usage.card.unwrap().balance(), Minor(1_000));
    let back = ReturnOrder {
        id: "o-2".into(),
        return_id: "r-1".into(),
        lines: vec![("1".into(), 1)],
        reason: "returned".into(),
        store: None,
        business_date: None,
    };
    let returned = shop.run(back).await.unwrap().unwrap().order;
    assert_eq!((returned.returns[0].refund, returned.returns[0].to_cards.len()), (Minor(10_000), 0));
    assert_eq!(shop.grant(&grant.id).await.usage.card.unwrap().balance(), Minor(1_000), "it had paid nothing of it");
    assert_eq!(shop.balance("cost/sale/rewards").await, 49_000);
    shop.verify().await;
}

#[tokio::test]
async fn what_a_till_took_offline_is_honoured_also_where_it_reports_so_before_the_payload_has_aged() {
    let (shop, grant) = shop_with(rotating(true)).await;
    let code = shown(&shop, &grant);
    shop.run(redeem(&code, Mode::Commit)).await.unwrap();
    let at = shop.engine.clock().now() + TimeDelta::seconds(1);
    shop.forward(TimeDelta::seconds(2));
    let online = Redeem { terminal: Some("t2".into()), ..redeem(&code, Mode::Commit) };
    assert_eq!(reason(&shop, online.clone()).await, Reason::AlreadyRedeemed, "a till with a line is told");
    let offline = Redeem { occurred_at: Some(at), ..online };
    let first = shop.run(offline.clone()).await.unwrap();
    assert_eq!((first.created, first.exception.is_some()), (true, true));
    shop.forward(TimeDelta::minutes(2));
    let again = shop.run(offline).await.unwrap();
    assert_eq!((again.created, again.exception), (false, first.exception));
    assert_eq!(exceptions(&shop).await.len(), 1);
    shop.verify().await;
}

#[tokio::test]
async fn a_card_that_holds_less_than_a_till_took_offline_is_one_exception_also_while_the_payload_is_fresh() {
    let (shop, grant, ..) = shop_with_card().await;
    let spent = Redeem { amount: Some(Minor(48_500)), ..redeem(&shown(&shop, &grant), Mode::Commit) };
    shop.run(spent).await.unwrap();
    shop.forward(TimeDelta::minutes(2));
    let code = shown(&shop, &grant);
    let at = shop.engine.clock().now() + TimeDelta::seconds(1);
    shop.forward(TimeDelta::seconds(5));
    let online = |till: &str, amount| Redeem {
        terminal: Some(till.into()),
        amount: Some(Minor(amount)),
        ..redeem(&code, Mode::Commit)
    };
    assert_eq!(reason(&shop, online("t1", 20_000)).await, Reason::ExceedsRemaining, "a till with a line is told");
    let offline = |till: &str, amount| Redeem { occurred_at: Some(at), ..online(till, amount) };
    assert_eq!(reason(&shop, offline("t2", 20_001)).await, Reason::ExceedsRemaining, "beyond the allowance");
    let conflict = shop.run(offline("t2", 20_000)).await.unwrap();
    assert!(conflict.created && conflict.exception.is_some(), "the shopper has gone with what was bought");
    let enough = shop.run(offline("t3", 1_000)).await.unwrap();
    assert_eq!((enough.exception, enough.remaining), (None, Minor(500)));
    shop.forward(TimeDelta::minutes(2));
    let again = shop.run(offline("t2", 20_000)).await.unwrap();
    assert_eq!((again.created, again.exception), (false, conflict.exception));
    assert_eq!(exceptions(&shop).await.len(), 1);
    shop.verify().await;
}

#[tokio::test]
async fn a_till_puts_a_payload_that_it_took_offline_on_one_order_and_no_other() {
    for is_used in [false, true] {
        let (shop, grant) = shop_with(rotating(true)).await;
        let code = shown(&shop, &grant);
        let at = shop.engine.clock().now() + TimeDelta::seconds(1);
        if is_used {
            shop.run(redeem(&code, Mode::Commit)).await.unwrap();
        }
        shop.forward(TimeDelta::minutes(2));
        let order = |id: &str, till: &str| {
            let placed = place(id, Mode::Commit, cart(None, vec![line("1", 1, 50_000)], vec![code.clone()]));
            fanfare_engine::orders::PlaceOrder { occurred_at: Some(at), terminal: Some(till.into()), ..placed }
        };
        let first = shop.run(order("o-1", "t2")).await.unwrap();
        assert_eq!((first.order.evaluation.discount, first.order.exception.is_some()), (Minor(20_000), is_used));
        let second = shop.run(order("o-2", "t2")).await.unwrap_err();
        assert_eq!(second.refusal.reason, Reason::PayloadExpired, "it was used {is_used}");
        let alone = Redeem { occurred_at: Some(at), till: Some("t2".into()), ..redeem(&code, Mode::Commit) };
        let alone = shop.run(alone).await.map(|outcome| (outcome.created, outcome.exception.is_some()));
        assert_ne!(alone.ok().map(|(created, _)| created), Some(true), "nor by itself");
        assert_eq!(exceptions(&shop).await.len(), usize::from(is_used));
        shop.verify().await;
    }
}

#[tokio::test]
async fn a_personal_voucher_takes_its_holder() {
    let mut plan = voucher("coupon", 20_000, 12_000);
    plan.redemption.guard.holder_only = true;
    let (shop, grant) = shop_with(plan).await;
    let code = grant.code.clone().unwrap();
    let by = |member: Option<&str>| Redeem { member: member.map(MemberId::from), ..redeem(&code, Mode::Commit) };
    assert_eq!(reason(&shop, by(None)).await, Reason::NotHolder);
    assert_eq!(reason(&shop, by(Some("m2"))).await, Reason::NotHolder);
    assert_eq!(reason(&shop, by(Some("nobody"))).await, Reason::MemberUnknown);
    let stranger = cart(Some("m2"), vec![line("1", 1, 50_000)], vec![code.clone()]);
    let refused = shop.run(place("o-1", Mode::Commit, stranger)).await.unwrap_err();
    assert_eq!(refused.evaluation.unwrap().rejected[0].reason, Reason::NotHolder);
    let asked = Validate { codes: vec![code.clone()], cart: None, store: None, channel: None };
    assert_eq!(shop.run(asked).await.unwrap()[0].refusal.as_ref().unwrap().reason, Reason::NotHolder);
    shop.run(by(Some("m1"))).await.unwrap();
    shop.verify().await;
}

fn welcome(max: i64, per_member: bool) -> RewardPlan {
    let mut plan = voucher("welcome", 5_000, 0);
    plan.codes.source = CodeSource::Shared(normalise("WELCOME10"));
    plan.quantity = Some(max);
    if per_member {
        plan.limits = vec![Limit { count: Counted::Rewards, per: Per::Member, every: Every::Lifetime, max: 1 }];
    }
    plan
}

async fn shop_of(plan: RewardPlan) -> (Shop, Code) {
    let shop = Shop::open().await;
    shop.publish(Plan::Reward(plan)).await;
    (shop, normalise("welcome-10"))
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_code_that_everybody_types_is_used_as_often_as_it_says_and_no_more() {
    let (shop, code) = shop_of(welcome(10, false)).await;
    let calls = (0..30).map(|n| {
        let (engine, code) = (shop.engine.clone(), code.clone());
        tokio::spawn(async move {
            if n % 2 == 0 {
                engine.execute(redeem(&code, Mode::Commit)).await.unwrap().0.map(drop)
            } else {
                let cart = cart(None, vec![line("1", 1, 50_000)], vec![code]);
                engine.execute(place(&format!("o-{n}"), Mode::Commit, cart)).await.unwrap().0.map(drop)
            }
        })
    });
    let mut done = 0;
    for call in calls.collect::<Vec<_>>() {
        match call.await.unwrap() {
            Ok(()) => done += 1,
            Err(refused) => {
                let rejected = refused.evaluation.map_or(refused.refusal.reason, |found| found.rejected[0].reason);
                assert_eq!(rejected, Reason::OutOfStock);
            }
        }
    }
    assert_eq!(done, 10);
    assert_eq!(shop.balance("stock/welcome/available").await, 0);
    shop.verify().await;
}

#[tokio::test]
async fn a_shared_code_limited_per_member_asks_who_it_is_and_a_void_gives_the_use_back() {
    let (shop, code) = shop_of(welcome(100, true)).await;
    let basket = |member| cart(member, vec![line("1", 1, 50_000)], vec![code.clone()]);
    let rejected = |refused: fanfare_engine::Refused| refused.evaluation.unwrap().rejected[0].reason;
    let anonymous = shop.run(place("o-0", Mode::Commit, basket(None))).await.unwrap_err();
    assert_eq!(rejected(anonymous), Reason::MemberRequired);
    let held = shop.run(place("o-1", Mode::Reserve, basket(Some("m1")))).await.unwrap();
    assert_eq!(held.order.evaluation.discount, Minor(5_000));
    let grant = shop.grant(held.order.evaluation.discounts[0].grant.as_ref().unwrap()).await;
    assert_eq!((grant.state, grant.code.clone()), (GrantState::Reserved, None));
    let second = shop.run(place("o-2", Mode::Commit, basket(Some("m1")))).await.unwrap_err();
    assert_eq!(rejected(second), Reason::LimitReached);
    shop.run(VoidOrder { id: "o-1".into() }).await.unwrap().unwrap();
    assert_eq!(shop.grant(&grant.id).await.state, GrantState::Revoked);
    assert_eq!(shop.balance("stock/welcome/available").await, 100);

    let done = shop.run(place("o-3", Mode::Commit, basket(Some("m1")))).await.unwrap();
    assert_eq!(shop.balance("stock/welcome/available").await, 99);
    assert_eq!(done.redemptions.len(), 1);
    let back = ReturnOrder {
        id: "o-3".into(),
        return_id: "r-1".into(),
        lines: vec![("1".into(), 1)],
        reason: "returned".into(),
        store: None,
        business_date: None,
    };
    shop.run(back).await.unwrap().unwrap();
    assert_eq!(shop.balance("stock/welcome/available").await, 100, "a return gives the use back");
    shop.run(place("o-4", Mode::Commit, basket(Some("m1")))).await.unwrap();
    shop.verify().await;
}

#[tokio::test]
async fn a_shared_code_that_is_forfeited_stays_used() {
    let mut plan = welcome(100, true);
    plan.redemption.on_reversal = OnReversal::Forfeit;
    let (shop, code) = shop_of(plan).await;
    let by = Redeem { member: Some("m1".into()), ..redeem(&code, Mode::Commit) };
    let done = shop.run(by.clone()).await.unwrap().redemption;
    shop.run(Reverse { id: done.id, reversal_id: "r".into(), reason: "x".into(), amount: None, store: None })
        .await
        .unwrap();
    assert_eq!(shop.balance("stock/welcome/available").await, 99);
    assert_eq!(reason(&shop, by).await, Reason::LimitReached);
    shop.verify().await;
}

#[tokio::test]
async fn drawn_codes_that_clash_are_drawn_again() {
    let shop = Shop::open().await;
    let mut plan = voucher("tiny", 100, 0);
    plan.codes = CodeRule { length: 3, alphabet: Alphabet::Digits, ..CodeRule::default() };
    shop.publish(Plan::Reward(plan)).await;
    let mut codes = std::collections::BTreeSet::new();
    for _ in 0..80 {
        codes.insert(shop.voucher("m1", "tiny", None).await.code.unwrap());
    }
    assert_eq!(codes.len(), 80, "eighty of the hundred codes that there are, none twice");
    shop.verify().await;
}

fn imported() -> RewardPlan {
    let mut plan = voucher("partner", 10_000, 10_000);
    plan.codes.source = CodeSource::Imported;
    plan
}

#[tokio::test]
async fn imported_codes_are_given_in_order_until_the_pool_is_empty() {
    let shop = Shop::open().await;
    shop.publish(Plan::Reward(imported())).await;
    shop.publish(Plan::Reward(voucher("drawn", 100, 0))).await;
    let drawn = shop.voucher("m1", "drawn", None).await.code.unwrap();
    let import =
        |codes: &[&str]| ImportCodes { reward: "partner".into(), codes: codes.iter().map(|c| c.to_string()).collect() };
    let empty = shop.give("m1", "partner", 1, None).await;
    assert_eq!(empty.refused.unwrap().reason, Reason::OutOfStock);

    let found =
        shop.run(import(&["part-0001", "PART0002", "part 0001", "x", drawn.as_str(), "PART_0003"])).await.unwrap();
    let expect =
        [Imported::Added, Imported::Added, Imported::Known, Imported::Unusable, Imported::Elsewhere, Imported::Added];
    assert_eq!(found, expect);
    assert_eq!(shop.run(import(&["PART0001"])).await.unwrap(), [Imported::Known]);
    let given = shop.give("m1", "partner", 2, None).await;
    let mut codes = Vec::new();
    for id in &given.grants {
        codes.push(shop.grant(id).await.code.unwrap().to_string());
    }
    assert_eq!(codes, ["PART0001", "PART0002"]);
    let last = shop.give("m2", "partner", 2, None).await;
    assert_eq!((last.grants.len(), last.refused.unwrap().reason), (1, Reason::OutOfStock));
    shop.run(redeem(&normalise("part-0002"), Mode::Commit)).await.unwrap();
    shop.run(import(&["PART0004"])).await.unwrap();
    assert_eq!(shop.voucher("m2", "partner", None).await.code.unwrap().as_str(), "PART0004");
    shop.verify().await;
}

#[tokio::test]
async fn many_imported_codes_are_taken_and_given_each_once() {
    let shop = Shop::open().await;
    shop.publish(Plan::Reward(imported())).await;
    for part in 0..3 {
        let codes = (0..2_000).map(|n| format!("P{part}N{n:04}")).collect();
        let found = shop.run(ImportCodes { reward: "partner".into(), codes }).await.unwrap();
        assert!(found.iter().all(|one| *one == Imported::Added));
    }
    let calls = (0..40).map(|_| shop.give("m1", "partner", 100, None));
    let given: usize = futures::future::join_all(calls).await.iter().map(|given| given.grants.len()).sum();
    assert_eq!(given, 4_000);
    assert_eq!(shop.counter(&taken_key(&"partner".into())).await, 4_000);
    shop.verify().await;
}

#[tokio::test]
async fn a_printed_voucher_reserves_the_budget_and_is_whoever_s_uses_it_first() {
    let shop = Shop::open().await;
    shop.publish(Plan::Campaign(campaign("sale", Some(3_000_000)))).await;
    shop.publish(Plan::Reward(voucher("coupon", 20_000, 12_000))).await;
    let print = |part, count| Print {
        reward: "coupon".into(),
        count,
        campaign: Some("sale".into()),
        batch: "leaflet".into(),
        part,
        actor: "key:k1".into(),
    };
    let part = shop.run(print(1, 200)).await.unwrap();
    assert_eq!(part.vouchers.len(), 200);
    assert_eq!(shop.run(print(1, 200)).await.unwrap(), part, "the same part again is the same vouchers");
    for other in [print(1, 199), Print { campaign: None, ..print(1, 200) }] {
        assert_eq!(shop.run(other).await.unwrap_err().refusal.reason, Reason::BatchReused);
    }
    assert_eq!(shop.budget("sale").await, (600_000, 2_400_000, 0));
    assert_eq!(shop.run(print(2, 51)).await.unwrap_err().refusal.reason, Reason::BudgetExhausted);
    assert_eq!(shop.budget("sale").await, (600_000, 2_400_000, 0), "all of a part or nothing");
    let code = &part.vouchers[0].code;
    let placed = place("o-1", Mode::Commit, cart(Some("m2"), vec![line("1", 1, 50_000)], vec![code.clone()]));
    shop.run(placed).await.unwrap();
    assert_eq!(shop.grant(&part.vouchers[0].grant).await.member, MemberId::from("m2"));
    shop.run(redeem(&part.vouchers[1].code, Mode::Commit)).await.unwrap();
    assert_eq!(shop.grant(&part.vouchers[1].grant).await.member, MemberId::from(""), "nobody said who it was");
    assert_eq!(shop.budget("sale").await.2, 40_000);
    shop.publish(Plan::Reward(RewardPlan { name: "shown".into(), ..rotating(false) })).await;
    let changing = Print { reward: "shown".into(), ..print(1, 1) };
    assert_eq!(shop.run(changing).await.unwrap_err().refusal.reason, Reason::NotCombinable);
    shop.verify().await;
}

#[tokio::test]
async fn a_campaign_pays_for_paper_ahead_of_its_start_and_not_after_its_end() {
    let shop = Shop::open().await;
    shop.publish(Plan::Reward(voucher("coupon", 20_000, 12_000))).await;
    let now = shop.engine.clock().now();
    for (name, start, end, pays) in [("next", 1, 30, true), ("over", -9, -1, false)] {
        let mut plan = campaign(name, Some(3_000_000));
        (plan.schedule.start_at, plan.schedule.end_at) =
            (now + TimeDelta::days(start), Some(now + TimeDelta::days(end)));
        shop.publish(Plan::Campaign(plan)).await;
        let (reward, campaign, batch, actor) = ("coupon".into(), Some(name.into()), name.into(), "key:k1".into());
        let print = Print { reward, count: 1, campaign, batch, part: 1, actor };
        let made = shop.run(print).await.map_err(|refused| refused.refusal.reason);
        assert_eq!(made.map(|part| part.vouchers.len()), if pays { Ok(1) } else { Err(Reason::CampaignNotActive) });
    }
}

#[tokio::test]
async fn paper_counts_for_no_member_s_share_of_the_budget_whoever_uses_it() {
    let shop = Shop::open().await;
    let mut plan = campaign("sale", None);
    plan.budget = Some(Budget { per_member: Some(Minor(30_000)), ..Budget::of(Minor(3_000_000)) });
    shop.publish(Plan::Campaign(plan)).await;
    shop.publish(Plan::Reward(voucher("coupon", 20_000, 12_000))).await;
    let print = Print {
        reward: "coupon".into(),
        count: 10,
        campaign: Some("sale".into()),
        batch: "leaflet".into(),
        part: 1,
        actor: "key:k1".into(),
    };
    let part = shop.run(print).await.unwrap();
    assert_eq!(shop.budget("sale").await.1, 120_000, "more than a member's share");
    let counted = async || shop.store.counters(&shop.ns, "budget-member|sale|").await.unwrap();
    for voucher in &part.vouchers[..2] {
        shop.run(Redeem { member: Some("m2".into()), ..redeem(&voucher.code, Mode::Commit) }).await.unwrap();
    }
    let held = Redeem { member: Some("m2".into()), ..redeem(&part.vouchers[2].code, Mode::Reserve) };
    shop.run(held).await.unwrap();
    assert_eq!(counted().await, vec![]);
    shop.forward(TimeDelta::days(15));
    shop.work().await;
    assert_eq!((shop.budget("sale").await, counted().await), ((2_960_000, 0, 40_000), vec![]));
    shop.verify().await;
}
