//! A budget's bounds: as a whole, per store, per member, per day; what is told of it; and its suspension.

use crate::support::{
    Shop, at, campaign, cart, line, mechanic, percent_off, place, points, redeem, reward_from, voucher,
};
use chrono::TimeDelta;
use fanfare_core::{
    cart::Cart,
    ids::StoreId,
    mechanic::{key, lottery},
    model::{
        CampaignPlan, Plan,
        campaign::{Budget, OnExhausted},
    },
    money::{BasisPoints, Minor},
    reason::Reason,
    time::Tz,
};
use fanfare_engine::{
    adjustments::{Change, Propose},
    orders::{CommitOrder, ReturnOrder, VoidOrder},
    redemptions::{Mode, Redeem, Reverse},
    suspend::Resume,
    thresholds::{BUDGET_THRESHOLD, SOURCE},
};
use fanfare_store::rows::{Grant, GrantState};
use futures::{StreamExt, future::join_all};

/// 50 % off everything and a voucher of 100.00 from 5,000.00 on, within `budget`.
fn half(budget: Budget) -> CampaignPlan {
    CampaignPlan {
        budget: Some(budget),
        mechanics: vec![mechanic("off", percent_off("50%")), mechanic("more", reward_from(500_000, "next"))],
        ..campaign("half", None)
    }
}

async fn shop(budget: Budget) -> Shop {
    let shop = Shop::open().await;
    shop.publish(Plan::Reward(voucher("next", 10_000, 0))).await;
    shop.publish(Plan::Campaign(half(budget))).await;
    shop
}

fn at_store(store: Option<&str>, member: Option<&str>, price: i64) -> Cart {
    Cart { store: store.map(StoreId::from), ..cart(member, vec![line("a", 1, price)], vec![]) }
}

fn of_store(store: &str) -> String {
    key::budget_store(&"half".into(), Some(&store.into()))
}

fn of_member(member: &str) -> String {
    key::budget_member(&"half".into(), &member.into())
}

/// Places an order at once and answers what it takes off.
async fn off(shop: &Shop, id: &str, mode: Mode, cart: Cart) -> i64 {
    shop.run(place(id, mode, cart)).await.unwrap().order.evaluation.discount.0
}

#[tokio::test]
async fn a_store_and_a_member_have_their_own_share_which_comes_back_with_what_took_it() {
    let parts = Budget { per_store: Some(Minor(30_000)), per_member: Some(Minor(25_000)), ..Budget::of(Minor(90_000)) };
    let shop = shop(parts).await;
    let bkk = |member| at_store(Some("bkk-01"), Some(member), 40_000);
    assert_eq!(off(&shop, "o1", Mode::Commit, bkk("m1")).await, 20_000);
    assert_eq!(off(&shop, "o2", Mode::Commit, bkk("m2")).await, 0, "the store has 100.00 left");
    assert_eq!(off(&shop, "o3", Mode::Commit, at_store(Some("bkk-02"), Some("m1"), 40_000)).await, 0, "so has m1");
    assert_eq!(off(&shop, "o4", Mode::Reserve, at_store(Some("bkk-02"), Some("m2"), 50_000)).await, 25_000);
    assert_eq!(
        off(&shop, "o5", Mode::Commit, at_store(Some("bkk-03"), None, 2_000)).await,
        0,
        "nobody knows who it is"
    );
    assert_eq!(shop.counter(&of_store("bkk-02")).await, 25_000);

    shop.run(VoidOrder { id: "o4".into() }).await.unwrap();
    assert_eq!((shop.counter(&of_store("bkk-02")).await, shop.counter(&of_member("m2")).await), (0, 0));
    let lines = vec![("a".to_owned(), 1)];
    let back = ReturnOrder {
        id: "o1".into(),
        return_id: "r1".into(),
        lines,
        reason: "size".into(),
        store: None,
        business_date: None,
    };
    shop.run(back).await.unwrap();
    assert_eq!((shop.counter(&of_store("bkk-01")).await, shop.counter(&of_member("m1")).await), (0, 0));

    // Orders without a store share one allowance.
    assert_eq!(off(&shop, "o6", Mode::Commit, at_store(None, Some("m1"), 40_000)).await, 20_000);
    assert_eq!(off(&shop, "o7", Mode::Commit, at_store(None, Some("m2"), 40_000)).await, 0);
    assert_eq!(shop.budget("half").await, (70_000, 0, 20_000));
    shop.verify().await;
}

#[tokio::test]
async fn a_voucher_counts_for_its_member_from_when_it_is_given_until_it_is_over() {
    let shop = shop(Budget { per_member: Some(Minor(20_000)), ..Budget::of(Minor(90_000)) }).await;
    let given = shop.give("m1", "next", 3, Some("half")).await;
    assert_eq!((given.grants.len(), given.refused.unwrap().reason), (2, Reason::BudgetExhausted));
    assert_eq!(shop.give("m2", "next", 1, Some("half")).await.refused, None);
    assert_eq!(shop.counter(&of_member("m1")).await, 20_000);

    let code = shop.grant(&given.grants[0]).await.code.unwrap();
    let used = shop.run(redeem(&code, Mode::Commit)).await.unwrap();
    assert_eq!(shop.counter(&of_member("m1")).await, 20_000, "what it was set aside for is what it gave");
    let id = used.redemption.id;
    let reverse =
        |amount| Reverse { id: id.clone(), reversal_id: "v1".into(), reason: "wrong".into(), amount, store: None };
    shop.run(reverse(Some(Minor(4_000)))).await.unwrap();
    assert_eq!(shop.counter(&of_member("m1")).await, 16_000);
    let other = shop.run(reverse(Some(Minor(5_000)))).await.unwrap_err();
    assert_eq!(other.refusal.reason, Reason::ReversalIdReused);

    shop.forward(TimeDelta::days(14));
    shop.work().await;
    assert_eq!(shop.grant(&given.grants[1]).await.state, GrantState::Expired);
    assert_eq!((shop.counter(&of_member("m1")).await, shop.counter(&of_member("m2")).await), (6_000, 0));
    shop.verify().await;
}

#[tokio::test]
async fn a_voucher_that_comes_back_sets_aside_no_more_than_its_member_s_share_still_holds() {
    let shop = shop(Budget { per_member: Some(Minor(20_000)), ..Budget::of(Minor(90_000)) }).await;
    let given = shop.give("m1", "next", 1, Some("half")).await;
    let code = shop.grant(&given.grants[0]).await.code.unwrap();
    let used = shop.run(Redeem { amount: Some(Minor(4_000)), ..redeem(&code, Mode::Commit) }).await.unwrap();
    assert_eq!(shop.counter(&of_member("m1")).await, 4_000);
    let more = shop.give("m1", "next", 1, Some("half")).await;
    assert_eq!(more.refused, None);
    off(&shop, "o1", Mode::Commit, cart(Some("m1"), vec![line("a", 1, 8_000)], vec![])).await;
    assert_eq!(shop.counter(&of_member("m1")).await, 18_000, "2,000 of the share are left");
    let (id, reason) = (used.redemption.id, "wrong".to_owned());
    shop.run(Reverse { id, reversal_id: "v1".into(), reason, amount: None, store: None }).await.unwrap();
    assert_eq!(shop.counter(&of_member("m1")).await, 20_000);
    assert_eq!(shop.grant(&given.grants[0]).await.reserved, Minor(6_000));
    assert_eq!(shop.budget("half").await, (70_000, 16_000, 4_000));
    shop.verify().await;
}

#[tokio::test]
async fn points_that_are_paid_at_once_count_for_their_member() {
    let shop = shop(Budget { per_member: Some(Minor(300)), ..Budget::of(Minor(90_000)) }).await;
    shop.publish(Plan::Reward(points("hundred", 100))).await;
    let given = shop.give("m1", "hundred", 2, Some("half")).await;
    assert_eq!((given.grants.len(), given.refused.unwrap().reason), (1, Reason::BudgetExhausted));
    assert_eq!(shop.counter(&of_member("m1")).await, 200);
    shop.verify().await;
}

#[tokio::test]
async fn a_cap_moves_in_both_directions_and_revokes_nothing() {
    let shop = shop(Budget::of(Minor(50_000))).await;
    let reserved = at_store(Some("bkk-01"), Some("m1"), 80_000);
    assert_eq!(off(&shop, "o1", Mode::Reserve, reserved.clone()).await, 40_000);
    let grant = shop.voucher("m2", "next", Some("half")).await;
    assert_eq!(shop.budget("half").await, (0, 50_000, 0));

    shop.republish(half(Budget { per_store: Some(Minor(10)), ..Budget::of(Minor(20_000)) }), 2).await;
    assert_eq!(shop.budget("half").await, (-30_000, 50_000, 0), "lowered below what is set aside");
    assert_eq!(off(&shop, "o2", Mode::Commit, at_store(None, Some("m3"), 10)).await, 0);
    let commit = |id: &str, cart| CommitOrder {
        id: id.into(),
        cart,
        receipt_number: None,
        business_date: None,
        occurred_at: None,
    };
    let done = shop.run(commit("o1", None)).await.unwrap().unwrap().order;
    assert_eq!(done.evaluation.discount, Minor(40_000), "what was reserved stands");
    let used = shop.run(redeem(grant.code.as_ref().unwrap(), Mode::Commit)).await.unwrap();
    assert_eq!(used.redemption.amount, Minor(10_000), "an issued voucher is never refused for lack of budget");
    assert_eq!(shop.budget("half").await, (-30_000, 0, 50_000));

    shop.republish(half(Budget::of(Minor(70_000))), 3).await;
    assert_eq!(shop.budget("half").await, (20_000, 0, 50_000));
    assert_eq!(off(&shop, "o3", Mode::Commit, reserved).await, 0, "400.00 are not there");
    assert_eq!(off(&shop, "o4", Mode::Commit, at_store(None, Some("m3"), 40_000)).await, 20_000);
    shop.verify().await;
}

#[tokio::test]
async fn a_share_of_the_budget_is_told_once_for_each_limit_and_to_the_owner() {
    let shop = Shop::open().await;
    let plan = |limit: i64| CampaignPlan {
        notify_at: vec![BasisPoints(5_000), BasisPoints(8_000)],
        owner: Some("m3".into()),
        ..half(Budget::of(Minor(limit)))
    };
    shop.publish(Plan::Reward(voucher("next", 10_000, 0))).await;
    shop.publish(Plan::Campaign(plan(100_000))).await;
    let told = async |shop: &Shop| {
        let events: Vec<_> = shop.store.events(&shop.ns).collect().await;
        let mut told: Vec<(String, String)> = Vec::new();
        for event in events.into_iter().map(Result::unwrap).filter(|event| event.kind == BUDGET_THRESHOLD) {
            assert_eq!((event.source.as_str(), event.member), (SOURCE, Some("m3".into())));
            let text = |name: &str| event.data[name].as_str().unwrap().to_owned();
            told.push((text("threshold"), text("spent")));
        }
        // Those of one transaction come in no particular order.
        told.sort();
        told
    };
    let expect = |told: &[(&str, &str)]| -> Vec<(String, String)> {
        told.iter().map(|(share, spent)| ((*share).to_owned(), (*spent).to_owned())).collect()
    };
    off(&shop, "o1", Mode::Commit, at_store(None, Some("m1"), 99_000)).await;
    assert_eq!(told(&shop).await, []);
    off(&shop, "o2", Mode::Reserve, at_store(None, Some("m1"), 1_000)).await;
    assert_eq!(told(&shop).await, expect(&[("50%", "500.00")]));
    shop.run(VoidOrder { id: "o2".into() }).await.unwrap();
    off(&shop, "o3", Mode::Commit, at_store(None, Some("m2"), 1_000)).await;
    assert_eq!(told(&shop).await.len(), 1, "once");

    // The next share is reached by lowering the limit, and the first one of a larger limit is told again.
    shop.republish(plan(60_000), 2).await;
    assert_eq!(told(&shop).await, expect(&[("50%", "500.00"), ("50%", "500.00"), ("80%", "500.00")]));
    shop.republish(plan(100_000), 3).await;
    assert_eq!(told(&shop).await.len(), 3);
    let (figures, _) = shop.engine.campaign_status(&"half".into()).await.unwrap().unwrap();
    assert_eq!(figures.budget.unwrap().reached, Some(BasisPoints(5_000)));
    off(&shop, "o4", Mode::Commit, at_store(None, Some("m1"), 100_000)).await;
    assert_eq!(told(&shop).await.len(), 4, "both shares of the first limit are told now");
    shop.verify().await;
}

#[tokio::test]
async fn a_suspension_by_the_budget_outlives_a_restart_and_ends_with_a_larger_limit_or_by_hand() {
    let budget = |limit| Budget { on_exhausted: OnExhausted::Suspend, ..Budget::of(Minor(limit)) };
    let shop = shop(budget(50_000)).await;
    let suspended = |shop: &Shop| shop.engine.plans().campaigns["half"].plan.suspended;
    assert_eq!(off(&shop, "o1", Mode::Reserve, at_store(None, Some("m1"), 100_000)).await, 50_000);
    assert!(suspended(&shop), "nothing is left");
    let shop = shop.restart().await;
    assert!(suspended(&shop));
    // What was reserved stands, also for a changed cart.
    let smaller = at_store(None, Some("m1"), 80_000);
    let commit = CommitOrder {
        id: "o1".into(),
        cart: Some(smaller),
        receipt_number: None,
        business_date: None,
        occurred_at: None,
    };
    assert_eq!(shop.run(commit).await.unwrap().unwrap().order.evaluation.discount, Minor(40_000));
    assert!(suspended(&shop), "money that comes back does not lift it");

    let mut renamed = half(budget(50_000));
    renamed.title = "Half, again".into();
    shop.republish(renamed, 2).await;
    assert!(suspended(&shop), "a change of something else does not lift it");
    let (figures, _) = shop.engine.campaign_status(&"half".into()).await.unwrap().unwrap();
    assert!(figures.budget.unwrap().suspended);

    let resume = |wished_at| Resume {
        name: "half".into(),
        wished_at,
        plan: half(budget(50_000)),
        revision: "r-half-2".into(),
        generation: 2,
        actor: "ops".into(),
    };
    assert!(shop.run(resume(7)).await.unwrap());
    assert!(!suspended(&shop));
    assert_eq!(off(&shop, "o2", Mode::Commit, at_store(None, Some("m1"), 30_000)).await, 0, "150.00 are not there");
    assert!(suspended(&shop));
    assert!(!shop.run(resume(7)).await.unwrap(), "the same wish is followed once");
    let shop = shop.restart().await;
    assert!(suspended(&shop));
    shop.republish(half(budget(60_000)), 3).await;
    assert!(!suspended(&shop));
    assert_eq!(off(&shop, "o3", Mode::Commit, at_store(None, Some("m1"), 20_000)).await, 10_000);
    shop.verify().await;
}

#[tokio::test]
async fn a_burst_against_every_bound_never_breaks_one() {
    let budget = Budget {
        per_day: Some(Minor(40_000)),
        per_store: Some(Minor(17_000)),
        per_member: Some(Minor(15_000)),
        ..Budget::of(Minor(100_000))
    };
    let shop = shop(budget).await;
    let mut caps = budget;
    for round in 0..6_i64 {
        let burst = (0..60_i64).map(|n| {
            let (store, member) = (format!("s{}", n % 4), format!("m{}", 1 + n % 3));
            let cart = at_store(Some(&store), Some(&member), 200 + 137 * (n % 23));
            let mode = if n % 5 == 0 { Mode::Reserve } else { Mode::Commit };
            let order = place(&format!("o{round}-{n}"), mode, cart);
            let shop = &shop;
            async move {
                drop(shop.run(order).await.unwrap());
                if n % 11 == 0 {
                    let lines = vec![("a".to_owned(), 1)];
                    let id = format!("o{round}-{n}").as_str().into();
                    drop(
                        shop.run(ReturnOrder {
                            id,
                            return_id: "r".into(),
                            lines,
                            reason: "size".into(),
                            store: None,
                            business_date: None,
                        })
                        .await,
                    );
                }
            }
        });
        let looks = async {
            for _ in 0..20 {
                holds(&shop, &caps).await;
                tokio::task::yield_now().await;
            }
        };
        futures::join!(join_all(burst), looks);
        holds(&shop, &caps).await;
        shop.forward(TimeDelta::days(1));
        shop.work().await;
        holds(&shop, &caps).await;
        if round == 2 {
            // Lowered below what is spent: nothing more is given, nothing is taken back.
            let (_, reserved, actual) = shop.budget("half").await;
            caps = Budget { limit: Minor(reserved + actual - 1), ..budget };
            shop.republish(half(caps), 2).await;
            let left = shop.budget("half").await;
            assert_eq!(left, (-1, reserved, actual));
        }
        if round == 4 {
            caps = Budget { limit: Minor(200_000), ..budget };
            shop.republish(half(caps), 3).await;
        }
    }
    shop.verify().await;
}

/// Every bound holds now, whatever is under way. After a cap was lowered below what is spent, that stands.
async fn holds(shop: &Shop, caps: &Budget) {
    let (available, reserved, actual) = shop.budget("half").await;
    assert!(available >= -1 && reserved >= 0 && actual >= 0, "{available} {reserved} {actual}");
    for (prefix, cap) in [
        ("budget-day|half|", caps.per_day),
        ("budget-store|half|", caps.per_store),
        ("budget-member|half|", caps.per_member),
    ] {
        for (key, value) in shop.store.counters(&shop.ns, prefix).await.unwrap() {
            assert!((0..=cap.unwrap().0).contains(&value), "{key}: {value}");
        }
    }
}

#[tokio::test]
async fn a_day_of_the_budget_ends_at_midnight_of_the_campaign_s_zone_also_when_clocks_change() {
    // New York sets its clocks back on 2026-11-01 at 02:00: that day has 25 hours.
    for (zone, now, steps) in [
        ("America/New_York", "2026-11-01T03:59:59Z", [(1, 10_000), (0, 0), (90_000 - 1, 0), (1, 10_000)]),
        // Lord Howe moves by half an hour on 2026-10-04: that day has 23.5 hours.
        ("Australia/Lord_Howe", "2026-10-03T13:29:59Z", [(1, 10_000), (0, 0), (84_600 - 1, 0), (1, 10_000)]),
        ("Asia/Bangkok", "2026-11-11T16:59:59Z", [(1, 10_000), (0, 0), (86_400 - 1, 0), (1, 10_000)]),
    ] {
        let shop = Shop::open_at(at(now)).await;
        let mut plan = half(Budget { per_day: Some(Minor(10_000)), ..Budget::of(Minor(900_000)) });
        plan.schedule.zone = zone.parse::<Tz>().unwrap();
        plan.schedule.start_at = at("2026-09-01T00:00:00Z");
        shop.publish(Plan::Campaign(plan)).await;
        let cart = || at_store(None, None, 20_000);
        assert_eq!(off(&shop, "before", Mode::Commit, cart()).await, 10_000, "{zone}");
        for (index, (seconds, expect)) in steps.into_iter().enumerate() {
            shop.forward(TimeDelta::seconds(seconds));
            assert_eq!(off(&shop, &format!("o{index}"), Mode::Commit, cart()).await, expect, "{zone}, step {index}");
        }
        shop.verify().await;
    }
}

#[tokio::test]
async fn a_draw_that_the_budget_does_not_hold_gives_nothing_and_counts_nothing() {
    let shop = Shop::open().await;
    shop.publish(Plan::Reward(voucher("tea", 10_000, 0))).await;
    let mut plan = campaign("half", None);
    plan.budget = Some(Budget { per_member: Some(Minor(10_000)), ..Budget::of(Minor(90_000)) });
    let prize =
        lottery::Prize { name: "tea".into(), reward: Some("tea".into()), weight: 1, quantity: None, per_day: None };
    let rule = lottery::Lottery {
        entry: lottery::Entry::Event("campaign.shared".into()),
        limits: Vec::new(),
        prizes: vec![prize],
        guaranteed_after: None,
    };
    plan.mechanics = vec![mechanic("wheel", fanfare_core::mechanic::Rule::Lottery(rule))];
    shop.publish(Plan::Campaign(plan)).await;
    for id in ["e1", "e2"] {
        let event = fanfare_engine::ingest::Incoming {
            source: "till".into(),
            id: id.into(),
            kind: "campaign.shared".into(),
            subject: Some("m1".into()),
            time: None,
            data: serde_json::Value::Null.into(),
        };
        shop.engine.ingest(vec![event], &fanfare_engine::ingest::Sender::Shop).await.unwrap();
    }
    let draw = || fanfare_engine::act::DoAction {
        campaign: "half".into(),
        mechanic: "wheel".into(),
        member: "m1".into(),
        action: fanfare_engine::act::Action::Draw,
        channel: None,
    };
    let first = shop.run(draw()).await.unwrap().unwrap();
    assert_eq!((first.grants.len(), shop.counter(&of_member("m1")).await), (1, 10_000));
    let second = shop.run(draw()).await;
    assert!(second.as_ref().is_err() || second.as_ref().unwrap().as_ref().unwrap().grants.is_empty(), "{second:?}");
    assert_eq!(shop.counter(&of_member("m1")).await, 10_000);
    shop.verify().await;
}

#[tokio::test]
async fn a_budget_that_comes_later_pays_for_nothing_that_was_given_or_reserved_before() {
    let shop = Shop::open().await;
    shop.publish(Plan::Reward(voucher("gift", 10_000, 10_000))).await;
    let plan =
        |budget| CampaignPlan { mechanics: vec![mechanic("off", percent_off("50%"))], ..campaign("sale", budget) };
    shop.publish(Plan::Campaign(plan(None))).await;
    let (first, second) =
        (shop.voucher("m1", "gift", Some("sale")).await, shop.voucher("m1", "gift", Some("sale")).await);
    let use_it = |grant: &Grant| redeem(grant.code.as_ref().unwrap(), Mode::Commit);
    let used = shop.run(use_it(&first)).await.unwrap().redemption;
    assert_eq!(off(&shop, "o1", Mode::Reserve, at_store(None, Some("m2"), 20_000)).await, 10_000);
    shop.republish(plan(Some(5_000)), 2).await;
    let untouched = (5_000, 0, 0);

    let (reversal_id, reason) = ("r1".into(), "wrong".into());
    shop.run(Reverse { id: used.id, reversal_id, reason, amount: None, store: None }).await.unwrap().unwrap();
    assert_eq!(shop.budget("sale").await, untouched, "restored");
    for grant in [&first, &second] {
        shop.run(use_it(grant)).await.unwrap();
        assert_eq!(shop.budget("sale").await, untouched, "used");
    }
    let commit =
        CommitOrder { id: "o1".into(), cart: None, receipt_number: None, business_date: None, occurred_at: None };
    shop.run(commit).await.unwrap().unwrap();
    assert_eq!(shop.budget("sale").await, untouched, "committed");
    assert_eq!(shop.balance("cost/sale/rewards").await, 20_000, "the costs are booked all the same");
    assert_eq!(off(&shop, "o2", Mode::Commit, at_store(None, Some("m3"), 8_000)).await, 4_000);
    let back = |id: &str| ReturnOrder {
        id: id.into(),
        return_id: "r1".into(),
        lines: vec![("a".into(), 1)],
        reason: "size".into(),
        store: None,
        business_date: None,
    };
    shop.run(back("o1")).await.unwrap().unwrap();
    assert_eq!(shop.budget("sale").await, (1_000, 0, 4_000), "what came before gives nothing back");
    shop.run(back("o2")).await.unwrap().unwrap();
    assert_eq!((shop.budget("sale").await, shop.balance("cost/sale/discounts").await), (untouched, 0));
    shop.verify().await;
}

#[tokio::test]
async fn a_restored_voucher_has_no_more_set_aside_than_flows_back() {
    let shop = Shop::open().await;
    shop.publish(Plan::Reward(voucher("gift", 10_000, 10_000))).await;
    shop.publish(Plan::Campaign(campaign("sale", Some(10_000)))).await;
    let first = shop.voucher("m1", "gift", Some("sale")).await;
    let used = shop.run(redeem(first.code.as_ref().unwrap(), Mode::Commit)).await.unwrap().redemption;
    let change = Change::Budget { campaign: "sale".into(), amount: Minor(-10_000) };
    shop.run(Propose { change, reason: "counted again".into(), actor: "ann".into() }).await.unwrap();
    assert_eq!(shop.budget("sale").await, (10_000, 0, 0), "it was somebody else's cost");
    shop.voucher("m2", "gift", Some("sale")).await;
    let (reversal_id, reason) = ("r1".into(), "wrong".into());
    shop.run(Reverse { id: used.id, reversal_id, reason, amount: None, store: None }).await.unwrap().unwrap();
    assert_eq!(shop.budget("sale").await, (0, 10_000, 0), "the budget's bound holds");
    shop.verify().await;
}
