use super::*;
use crate::{
    fixtures::{Memory, Seeded, amount_voucher, bangkok, campaign, name, reward},
    mechanic::{
        Paid, Rule,
        lottery::{Entry, Lottery, Prize},
        spend_threshold::{Award, Basis, Gives, SpendPer, SpendThreshold, Tier},
    },
    model::campaign::{Limit, Per},
    segment::{ORDER_PAID, PastEvent},
};
use serde_json::json;

fn limit(count: Counted, every: Every, max: i64) -> Limit {
    Limit { count, per: Per::Member, every, max }
}

fn prize(named: &str, gives: Option<&str>, weight: i64, quantity: Option<i64>) -> Prize {
    Prize { name: name(named), reward: gives.map(name), weight, quantity, per_day: None }
}

fn lottery(entry: Entry, prizes: Vec<Prize>, guaranteed_after: Option<i64>) -> CampaignPlan {
    let limits = vec![limit(Counted::Entries, Every::Day, 3)];
    campaign("c", vec![Rule::Lottery(Lottery { entry, limits, prizes, guaranteed_after })])
}

fn shared() -> Entry {
    Entry::Event("campaign.shared".into())
}

fn share(memory: &Memory, plan: &CampaignPlan, data: serde_json::Value) -> Vec<String> {
    let event = PastEvent { at: memory.now, data };
    let happened = Happened { kind: "campaign.shared", event: &event, paid: None, grants: true };
    let decisions = on_event(plan, &memory.visit(), &happened).unwrap();
    decisions
        .into_iter()
        .map(|decision| {
            memory.apply(&decision.outcome.effects);
            decision.outcome.outcome
        })
        .collect()
}

type Drawn = Result<(String, Vec<(Name, i64)>), Reason>;

fn draw(memory: &Memory, plan: &CampaignPlan, random: &mut Seeded) -> Drawn {
    match act(plan, &plan.mechanics[0], &memory.visit(), &Act::Draw, random).unwrap().unwrap() {
        Ok(acted) => Ok((acted.prize.unwrap().to_string(), memory.apply(&acted.outcome.effects))),
        Err(refusal) => Err(refusal.reason),
    }
}

#[test]
fn joining_asks_in_order_and_counts_once() {
    let mut plan = campaign("c", Vec::new());
    plan.participation.limits = vec![limit(Counted::Joins, Every::Lifetime, 1)];
    let memory = Memory::default();
    let visit = memory.visit();
    let reason = |plan: &CampaignPlan, visit: &Visit<'_>| join(plan, visit).unwrap().err().map(|all| all[0].reason);
    assert_eq!(reason(&plan, &memory.anonymous()), Some(Reason::MemberRequired));
    assert_eq!(reason(&CampaignPlan { suspended: true, ..plan.clone() }, &visit), Some(Reason::CampaignPaused));
    let early = Memory { now: bangkok("2026-11-10T23:59"), ..Memory::default() };
    assert_eq!(reason(&plan, &early.visit()), Some(Reason::CampaignNotActive));
    let mut staff = plan.clone();
    staff.audience.include = vec![name("staff")];
    assert_eq!(reason(&staff, &visit), Some(Reason::NotQualified));
    memory.apply(&join(&plan, &visit).unwrap().unwrap());
    assert_eq!(reason(&plan, &visit), Some(Reason::LimitReached));
    let joined = Memory { joined: [name("c")].into(), ..memory };
    assert_eq!(join(&plan, &joined.visit()).unwrap(), Ok(Vec::new()), "joining again needs nothing");
}

#[test]
fn entries_come_from_the_event_within_their_limits() {
    let memory = Memory::default();
    let plan = lottery(shared(), vec![prize("none", None, 1, None)], None);
    assert_eq!(draw(&memory, &plan, &mut Seeded(1)), Err(Reason::NoEntries));
    assert_eq!(share(&memory, &plan, json!({"campaign": "other"})), Vec::<String>::new());
    let three = ["entered", "entered", "entered", "limit-reached"];
    for expect in three {
        assert_eq!(share(&memory, &plan, json!({"campaign": "c"})), [expect]);
    }
    assert_eq!(progress(&plan, &memory.visit()).unwrap()[0].1[0].current, 3);
    for _ in 0..3 {
        assert!(draw(&memory, &plan, &mut Seeded(1)).is_ok());
    }
    assert_eq!(draw(&memory, &plan, &mut Seeded(1)), Err(Reason::NoEntries));
    let tomorrow = Memory { now: bangkok("2026-11-12T00:00"), ..memory };
    assert!(share(&tomorrow, &plan, json!({})).is_empty(), "the campaign is over");
}

#[test]
fn points_buy_draws_as_far_as_they_go() {
    let plan = lottery(Entry::Points(10), vec![prize("none", None, 1, None)], None);
    for (points, expect) in [(9, Some(Reason::NoEntries)), (10, None)] {
        let memory = Memory { points, ..Memory::default() };
        let acted = act(&plan, &plan.mechanics[0], &memory.visit(), &Act::Draw, &mut Seeded(1)).unwrap().unwrap();
        assert_eq!(acted.as_ref().err().map(|refusal| refusal.reason), expect);
        if let Ok(acted) = acted {
            assert!(acted.outcome.effects.contains(&Effect::SpendPoints { points: 10 }));
        }
    }
}

#[test]
fn prizes_run_out_by_quantity_by_stock_and_by_limit() {
    let memory = Memory::with_rewards(vec![reward("tea", amount_voucher(100, 0))]);
    let plan = lottery(Entry::Points(0), vec![prize("tea", Some("tea"), 1, Some(2))], None);
    let plan = match plan.mechanics[0].rule.clone() {
        Rule::Lottery(rule) => campaign("c", vec![Rule::Lottery(Lottery { limits: Vec::new(), ..rule })]),
        _ => plan,
    };
    for _ in 0..2 {
        assert_eq!(draw(&memory, &plan, &mut Seeded(7)), Ok(("tea".into(), vec![(name("tea"), 1)])));
    }
    assert_eq!(draw(&memory, &plan, &mut Seeded(7)), Err(Reason::OutOfStock));
    let mut bounded = reward("tea", amount_voucher(100, 0));
    bounded.quantity = Some(5);
    let empty = Memory { left: 0, ..Memory::with_rewards(vec![bounded]) };
    assert_eq!(draw(&empty, &plan, &mut Seeded(7)), Err(Reason::OutOfStock), "the reward itself is gone");
}

#[test]
fn after_enough_blanks_the_next_draw_gives_something() {
    let memory = Memory::with_rewards(vec![reward("tea", amount_voucher(100, 0))]);
    let prizes = vec![prize("tea", Some("tea"), 1, None), prize("none", None, 1_000_000, None)];
    let rule = Lottery { entry: Entry::Points(0), limits: Vec::new(), prizes, guaranteed_after: Some(3) };
    let plan = campaign("c", vec![Rule::Lottery(rule)]);
    let mut random = Seeded(42);
    let drawn: Vec<String> = (0..8).map(|_| draw(&memory, &plan, &mut random).unwrap().0).collect();
    assert_eq!(drawn, ["none", "none", "none", "tea", "none", "none", "none", "tea"]);
}

#[test]
fn draws_follow_their_weights_and_the_seed() {
    let prizes = vec![prize("a", None, 1, None), prize("b", None, 3, None), prize("never", None, 0, None)];
    let rule = Lottery { entry: Entry::Points(0), limits: Vec::new(), prizes, guaranteed_after: None };
    let plan = campaign("c", vec![Rule::Lottery(rule)]);
    let run = || {
        let (memory, mut random) = (Memory::default(), Seeded(5));
        (0..2_000).map(|_| draw(&memory, &plan, &mut random).unwrap().0).collect::<Vec<_>>()
    };
    let drawn = run();
    assert_eq!(drawn, run());
    let a = drawn.iter().filter(|prize| *prize == "a").count();
    assert!((400..600).contains(&a), "{a} of 2000 at weight 1 of 4");
    assert!(!drawn.contains(&"never".to_owned()));
}

fn over_campaign(award: Award, repeat: bool) -> CampaignPlan {
    let tier = |spend, reward: &str| Tier { spend: Minor(spend), gives: Gives::Reward(name(reward)) };
    let tiers = vec![tier(1_000, "small"), tier(3_000, "large")];
    let rule = SpendThreshold { basis: Basis::AfterDiscounts, per: SpendPer::Campaign, award, repeat, tiers };
    campaign("c", vec![Rule::SpendThreshold(rule)])
}

fn with_both() -> Memory {
    Memory::with_rewards(vec![reward("small", amount_voucher(1, 0)), reward("large", amount_voucher(2, 0))])
}

fn paid(amount: i64) -> Paid {
    Paid { before: Minor(amount * 2), after: Minor(amount), evaluated: true }
}

fn pay(memory: &Memory, plan: &CampaignPlan, paid: Paid, grants: bool) -> Vec<(String, i64)> {
    let event = PastEvent { at: memory.now, data: json!({}) };
    let happened = Happened { kind: ORDER_PAID, event: &event, paid: Some(paid), grants };
    let decisions = on_event(plan, &memory.visit(), &happened).unwrap();
    let granted = decisions.iter().flat_map(|decision| memory.apply(&decision.outcome.effects));
    granted.map(|(reward, quantity)| (reward.to_string(), quantity)).collect()
}

fn give_back(memory: &Memory, plan: &CampaignPlan, returned: Returned) -> Vec<(String, i64)> {
    let undone = on_return(plan, &memory.visit(), &returned).unwrap();
    memory.apply(&undone.effects);
    let clawed = undone.clawbacks.into_iter().map(|clawback| {
        (0..clawback.quantity).for_each(|_| {
            memory.apply(&clawback.each);
        });
        (clawback.reward.to_string(), clawback.quantity)
    });
    clawed.collect()
}

fn all(reward: &str, quantity: i64) -> Vec<(String, i64)> {
    vec![(reward.to_owned(), quantity)]
}

#[test]
fn spend_over_the_campaign_gives_each_tier_once() {
    let (memory, plan) = (with_both(), over_campaign(Award::All, false));
    assert!(pay(&memory, &plan, paid(999), true).is_empty());
    assert_eq!(pay(&memory, &plan, paid(1), true), all("small", 1));
    assert!(pay(&memory, &plan, paid(1_000), true).is_empty());
    assert_eq!(pay(&memory, &plan, paid(5_000), true), all("large", 1));
    let goals = &progress(&plan, &memory.visit()).unwrap()[0].1;
    assert_eq!((goals[1].current, goals[1].target, goals[1].percent, goals[1].completed), (7_000, 3_000, 100, true));
}

#[test]
fn the_highest_tier_stands_for_those_below_and_repeats() {
    let (memory, plan) = (with_both(), over_campaign(Award::Highest, true));
    assert_eq!(pay(&memory, &plan, paid(6_500), true), all("large", 2));
    assert!(pay(&memory, &plan, paid(100), true).is_empty());
    assert_eq!(pay(&memory, &plan, paid(2_400), true), all("large", 1));
}

#[test]
fn what_is_too_old_counts_but_gives_nothing_until_the_next_order() {
    let (memory, plan) = (with_both(), over_campaign(Award::All, false));
    assert!(pay(&memory, &plan, paid(1_000), false).is_empty());
    assert_eq!(pay(&memory, &plan, paid(1), true), all("small", 1));
}

#[test]
fn a_return_takes_back_spend_and_what_it_had_reached_and_only_then_is_it_earned_again() {
    let (memory, plan) = (with_both(), over_campaign(Award::All, false));
    assert_eq!(pay(&memory, &plan, paid(3_000), true).len(), 2);
    let part = Returned { was: paid(3_000), prior: paid(3_000), left: paid(1_500) };
    assert_eq!(give_back(&memory, &plan, part), all("large", 1));
    let rest = Returned { was: paid(3_000), prior: paid(1_500), left: paid(0) };
    assert_eq!(give_back(&memory, &plan, rest), all("small", 1));
    assert!(memory.all_zero(), "{:?}", memory.counters);
    assert_eq!(pay(&memory, &plan, paid(1_000), true), all("small", 1));
    // A reward that was used is not taken back, so it stays given: paying again gives no second one.
    let kept = Returned { was: paid(1_000), prior: paid(1_000), left: paid(0) };
    memory.apply(&on_return(&plan, &memory.visit(), &kept).unwrap().effects);
    assert!(pay(&memory, &plan, paid(1_000), true).is_empty());
}

#[test]
fn a_reported_order_earns_what_one_order_earns_and_loses_it_with_a_return() {
    let mut plan = over_campaign(Award::Highest, false);
    if let Rule::SpendThreshold(rule) = &mut plan.mechanics[0].rule {
        rule.per = SpendPer::Order;
    }
    let memory = with_both();
    let reported = Paid { evaluated: false, ..paid(3_000) };
    assert!(pay(&memory, &plan, paid(3_000), true).is_empty(), "evaluated here, so already decided");
    assert_eq!(pay(&memory, &plan, reported, true), all("large", 1));
    let left = Paid { evaluated: false, ..paid(2_999) };
    assert_eq!(give_back(&memory, &plan, Returned { was: reported, prior: reported, left }), all("large", 1));
    assert!(give_back(&memory, &plan, Returned { was: reported, prior: left, left: paid(0) }).is_empty());
}

#[test]
fn limits_and_budget_hold_rewards_back() {
    let mut plan = over_campaign(Award::All, true);
    plan.participation.limits = vec![limit(Counted::Rewards, Every::Lifetime, 1)];
    let memory = with_both();
    assert_eq!(pay(&memory, &plan, paid(1_000), true), all("small", 1));
    assert!(pay(&memory, &plan, paid(9_000), true).is_empty());
    let mut poor = over_campaign(Award::All, true);
    poor.budget = Some(crate::model::campaign::Budget::of(Minor(100)));
    let memory = Memory { available: Minor(1), ..with_both() };
    assert_eq!(pay(&memory, &poor, paid(3_000), true), all("small", 1), "the large one costs 2");
}
