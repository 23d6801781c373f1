use super::*;
use crate::{
    cart::{Choice, Items, Line, Picks},
    fixtures::{Memory, amount_voucher, bangkok, campaign, cart, line, name, reward},
    ids::{Code, MemberId},
    mechanic::{
        Rule,
        discount::{self, MaxPer},
        flash_sale::{FlashSale, Item},
        spend_threshold::{Award, Basis, Gives, SpendPer, SpendThreshold, Tier},
    },
    model::{
        RewardPlan,
        campaign::{Audience, Budget, Combine, Counted, Join, Limit, OnExhausted, Per, Stacking, Visibility},
        reward::{RewardKind, Voucher, VoucherStacking, VoucherWorth},
    },
    money::BasisPoints,
    reward::{GrantState, Terms},
    time::{Every, Span},
};
use proptest::prelude::*;

mod flash;
mod margins;
mod properties;

pub(super) fn off(off: discount::Off) -> discount::Discount {
    discount::Discount { off, items: Items::default(), min_spend: Minor::ZERO, max: None, floor_price: Minor::ZERO }
}

pub(super) fn percent(share: i64) -> Rule {
    Rule::Discount(off(discount::Off::Percent(BasisPoints(share * 100))))
}

pub(super) fn amount(minor: i64) -> Rule {
    Rule::Discount(off(discount::Off::Amount(Minor(minor))))
}

fn threshold(basis: Basis, award: Award, repeat: bool, tiers: Vec<(i64, Gives)>) -> Rule {
    let tiers = tiers.into_iter().map(|(spend, gives)| Tier { spend: Minor(spend), gives }).collect();
    Rule::SpendThreshold(SpendThreshold { basis, per: SpendPer::Order, award, repeat, tiers })
}

pub(super) fn price(memory: &Memory, campaigns: &[&CampaignPlan], cart: &Cart) -> Priced {
    let ask = Ask { cart, visit: memory.visit(), campaigns, grants: &[], holds: &[] };
    let priced = evaluate(&ask).unwrap();
    adds_up(&priced, cart);
    priced
}

/// What holds for every price.
pub(super) fn adds_up(priced: &Priced, cart: &Cart) {
    let evaluation = &priced.evaluation;
    let sum =
        |payment| -> Minor { evaluation.discounts.iter().filter(|d| d.payment == payment).map(|d| d.amount).sum() };
    assert_eq!((sum(false), sum(true)), (evaluation.discount, evaluation.paid));
    assert_eq!(evaluation.total.minus(evaluation.discount).minus(evaluation.paid), evaluation.payable);
    for (line, priced_line) in cart.lines.iter().zip(&evaluation.lines) {
        let shares = evaluation.discounts.iter().flat_map(|d| &d.lines).filter(|share| share.id == line.id);
        let off = priced_line.discount.plus(priced_line.paid);
        assert_eq!(shares.map(|share| share.amount).sum::<Minor>(), off, "{line:?}");
        assert!(priced_line.payable >= Minor::ZERO, "{priced_line:?}");
        assert_eq!(priced_line.total.minus(off), priced_line.payable);
    }
    for discount in &evaluation.discounts {
        assert!(discount.amount > Minor::ZERO);
        assert_eq!(discount.lines.iter().map(|share| share.amount).sum::<Minor>(), discount.amount);
    }
}

pub(super) fn reasons(priced: &Priced) -> Vec<&'static str> {
    priced.evaluation.rejected.iter().map(|rejected| rejected.reason.code()).collect()
}

#[test]
fn discounts_round_per_line_and_stop_at_floor_and_maximum() {
    let lines = || cart(vec![line("1", "TEA", 1, 101), line("2", "CUP", 3, 33), line("3", "GIFT", 1, 500)]);
    let no_gifts = Items { only: Choice::All, except: Picks { skus: vec!["GIFT".into()], ..Picks::default() } };
    let base = |how| discount::Discount { items: no_gifts.clone(), ..off(how) };
    let half = discount::Off::Percent(BasisPoints(5_000));
    let cases = [
        ("half", base(half), 51 + 50),
        ("floor", discount::Discount { floor_price: Minor(30), ..base(half) }, 51 + 9),
        ("max per line", discount::Discount { max: Some((Minor(40), MaxPer::Line)), ..base(half) }, 80),
        ("max per order", discount::Discount { max: Some((Minor(40), MaxPer::Order)), ..base(half) }, 40),
        ("amount", base(discount::Off::Amount(Minor(150))), 150),
        ("amount beyond", base(discount::Off::Amount(Minor(9_999))), 200),
        (
            "amount and floor",
            discount::Discount { floor_price: Minor(33), ..base(discount::Off::Amount(Minor(150))) },
            68,
        ),
        ("fixed price", base(discount::Off::FixedPrice(Minor(50))), 51),
        (
            "fixed price below floor",
            discount::Discount { floor_price: Minor(90), ..base(discount::Off::FixedPrice(Minor(50))) },
            11,
        ),
        ("min spend not met", discount::Discount { min_spend: Minor(201), ..base(half) }, 0),
        ("min spend met", discount::Discount { min_spend: Minor(200), ..base(half) }, 101),
    ];
    for (what, rule, expect) in cases {
        let plan = campaign("c", vec![Rule::Discount(rule)]);
        let priced = price(&Memory::default(), &[&plan], &lines());
        assert_eq!(priced.evaluation.discount, Minor(expect), "{what}");
    }
}

#[test]
fn each_mechanic_sees_what_the_one_before_left() {
    let lines = cart(vec![line("1", "TEA", 2, 1_000)]);
    let tiers = |spend| vec![(spend, Gives::AmountOff(Minor(300)))];
    for (basis, spend, expect) in [
        (Basis::AfterDiscounts, 1_000, 1_300),
        (Basis::AfterDiscounts, 1_001, 1_000),
        (Basis::BeforeDiscounts, 2_000, 1_300),
    ] {
        let plan = campaign("c", vec![percent(50), threshold(basis, Award::Highest, false, tiers(spend))]);
        let priced = price(&Memory::default(), &[&plan], &lines);
        assert_eq!(priced.evaluation.discount, Minor(expect), "{basis:?} {spend}");
    }
}

#[test]
fn thresholds_give_the_highest_or_all_and_repeat_the_top() {
    let memory = Memory::with_rewards(vec![reward("r", amount_voucher(100, 0))]);
    let tiers = || vec![(1_000, Gives::Reward(name("r"))), (2_000, Gives::AmountOff(Minor(100)))];
    for (spend, award, repeat, money, rewards) in [
        (999, Award::Highest, false, 0, 0),
        (1_000, Award::Highest, false, 0, 1),
        (2_000, Award::Highest, false, 100, 0),
        (2_000, Award::All, false, 100, 1),
        (6_999, Award::Highest, true, 300, 0),
        (6_999, Award::All, true, 300, 1),
    ] {
        let plan = campaign("c", vec![threshold(Basis::BeforeDiscounts, award, repeat, tiers())]);
        let priced = price(&memory, &[&plan], &cart(vec![line("1", "TEA", 1, spend)]));
        let earned: i64 = priced.evaluation.earned.iter().map(|earned| earned.quantity).sum();
        assert_eq!((priced.evaluation.discount, earned), (Minor(money), rewards), "{spend} {award:?} {repeat}");
        if spend == 999 {
            assert!(priced.evaluation.rejected[0].detail.contains("0.01 THB are missing"), "{priced:?}");
        }
    }
}

#[test]
fn two_rewards_of_one_cart_share_the_limit_they_are_under() {
    let memory = Memory::with_rewards(vec![reward("r", amount_voucher(100, 0))]);
    let tiers = vec![(100, Gives::Reward(name("r"))), (200, Gives::Reward(name("r")))];
    let mut plan = campaign("c", vec![threshold(Basis::BeforeDiscounts, Award::All, false, tiers)]);
    plan.participation.limits = vec![Limit { count: Counted::Rewards, per: Per::Member, every: Every::Day, max: 1 }];
    let priced = price(&memory, &[&plan], &cart(vec![line("1", "TEA", 1, 300)]));
    assert_eq!((priced.evaluation.earned.len(), reasons(&priced)), (1, vec!["limit-reached"]));
    assert_eq!(priced.evaluation.rejected[0].reward, Some(name("r")), "it says which reward is not given");
    memory.apply(&priced.effects());
    assert!(!memory.all_zero(), "the reward is counted with the order");
    memory.apply(&priced.undo());
    assert!(memory.all_zero());
}

#[test]
fn a_day_s_budget_holds_discounts_and_rewards_of_one_cart_together() {
    let memory = Memory::with_rewards(vec![reward("r", amount_voucher(100, 0))]);
    for (per_day, earned) in [(200, 1), (199, 0)] {
        let tiers = vec![(100, Gives::Reward(name("r")))];
        let budget = Budget { per_day: Some(Minor(per_day)), ..Budget::of(Minor(10_000)) };
        let rules = vec![amount(100), threshold(Basis::BeforeDiscounts, Award::All, false, tiers)];
        let plan = CampaignPlan { budget: Some(budget), ..campaign("c", rules) };
        let priced = price(&memory, &[&plan], &cart(vec![line("1", "TEA", 1, 300)]));
        assert_eq!((priced.evaluation.discount.0, priced.evaluation.earned.len()), (100, earned), "{per_day}");
    }
}

#[test]
fn groups_share_a_cart_as_they_say_and_combine_with_each_other() {
    let grouped = |named: &str, rule: Rule, group: &str, priority, combine| {
        let stacking = Some(Stacking { group: group.into(), priority, combine });
        CampaignPlan { stacking, ..campaign(named, vec![rule]) }
    };
    let lines = cart(vec![line("1", "TEA", 1, 1_000)]);
    for (combine, expect) in [(Combine::BestOf, 500), (Combine::All, 300 + 350), (Combine::Exclusive, 300)] {
        let small = grouped("small", amount(300), "g", 10, combine);
        let large = grouped("large", percent(50), "g", 5, combine);
        let priced = price(&Memory::default(), &[&large, &small], &lines);
        assert_eq!(priced.evaluation.discount, Minor(expect), "{combine:?}");
        let other = grouped("other", amount(100), "h", 0, Combine::BestOf);
        let alone = campaign("alone", vec![amount(10)]);
        let more = price(&Memory::default(), &[&other, &large, &small, &alone], &lines);
        assert_eq!(more.evaluation.discount, Minor(expect + 110), "{combine:?} and others");
        assert_eq!(reasons(&priced).contains(&"not-combinable"), combine != Combine::All);
    }
}

#[test]
fn an_exclusive_campaign_that_gives_nothing_steps_aside() {
    let stacking = |priority| Some(Stacking { group: "g".into(), priority, combine: Combine::Exclusive });
    let first = discount::Discount { min_spend: Minor(5_000), ..off(discount::Off::Amount(Minor(900))) };
    let first = CampaignPlan { stacking: stacking(9), ..campaign("first", vec![Rule::Discount(first)]) };
    let second = CampaignPlan { stacking: stacking(1), ..campaign("second", vec![amount(100)]) };
    let priced = price(&Memory::default(), &[&first, &second], &cart(vec![line("1", "TEA", 1, 1_000)]));
    assert_eq!(priced.evaluation.discount, Minor(100));
    assert_eq!(reasons(&priced), ["min-spend-not-met"]);
}

#[test]
fn somebody_unknown_gets_what_is_public_and_earns_nothing() {
    let memory = Memory::with_rewards(vec![reward("r", amount_voucher(100, 0))]);
    let per_member = Limit { count: Counted::Orders, per: Per::Member, every: Every::Lifetime, max: 5 };
    let open = campaign(
        "open",
        vec![percent(10), threshold(Basis::BeforeDiscounts, Award::All, false, vec![(1, Gives::Reward(name("r")))])],
    );
    let mut limited = campaign("limited", vec![percent(10)]);
    limited.participation.limits = vec![per_member];
    let with_audience = CampaignPlan {
        audience: Audience { include: vec![name("members")], exclude: Vec::new() },
        ..campaign("audience", vec![percent(10)])
    };
    let targeted = CampaignPlan { visibility: Visibility::Targeted, ..campaign("targeted", vec![percent(10)]) };
    let mut lines = cart(vec![line("1", "TEA", 1, 1_000)]);
    lines.member = None;
    let campaigns = [&open, &limited, &with_audience, &targeted];
    let ask = Ask { cart: &lines, visit: memory.anonymous(), campaigns: &campaigns, grants: &[], holds: &[] };
    let priced = evaluate(&ask).unwrap();
    assert_eq!(priced.evaluation.discount, Minor(100));
    assert!(priced.evaluation.earned.is_empty());
    assert_eq!(reasons(&priced), ["member-required", "member-required"], "the targeted one is not even named");
}

#[test]
fn a_campaign_that_does_not_apply_says_why_or_is_not_named() {
    let memory = Memory { now: bangkok("2026-11-11T10:00"), ..Memory::default() };
    let base = || campaign("c", vec![percent(10)]);
    let mut one_tap = base();
    one_tap.participation.join = Join::OneTap;
    let mut elsewhere = base();
    elsewhere.participation.places.stores = Some(vec!["bkk-01".into()]);
    let mut online = base();
    online.participation.places.channels = vec!["miniProgram".into()];
    let mut over = base();
    over.schedule.end_at = Some(bangkok("2026-11-11T10:00"));
    let suspended = CampaignPlan { suspended: true, ..base() };
    let mut staff_only = base();
    staff_only.audience.include = vec![name("staff")];
    for (plan, expect) in [
        (one_tap, vec!["not-joined"]),
        (elsewhere, vec!["wrong-store"]),
        (online, vec!["wrong-channel"]),
        (over, vec![]),
        (suspended, vec![]),
        (staff_only, vec!["not-qualified"]),
    ] {
        let priced = price(&memory, &[&plan], &cart(vec![line("1", "TEA", 1, 1_000)]));
        assert_eq!((priced.evaluation.discount, reasons(&priced)), (Minor::ZERO, expect));
    }
}

#[test]
fn orders_are_counted_once_per_campaign_and_given_back_by_a_void() {
    let memory = Memory::default();
    let limit = |max| Limit { count: Counted::Orders, per: Per::Member, every: Every::Day, max };
    let mut plan = campaign("c", vec![percent(10), amount(5)]);
    plan.participation.limits = vec![limit(2)];
    plan.mechanics[1].scope.limits = vec![limit(1)];
    let lines = cart(vec![line("1", "TEA", 1, 1_000)]);
    let mut orders = Vec::new();
    for expect in [105, 100, 0] {
        let priced = price(&memory, &[&plan], &lines);
        assert_eq!(priced.evaluation.discount, Minor(expect));
        memory.apply(&priced.effects());
        orders.push(priced);
    }
    for order in orders {
        memory.apply(&order.undo());
    }
    assert!(memory.all_zero(), "{:?}", memory.counters);
}

#[test]
fn what_the_budget_does_not_hold_is_rejected_as_a_whole() {
    let budget = |on_exhausted, per_day| Some(Budget { per_day, on_exhausted, ..Budget::of(Minor(10_000)) });
    let lines = cart(vec![line("1", "TEA", 1, 1_000)]);
    for (on_exhausted, available, per_day, expect) in [
        (OnExhausted::Stop, 100, None, 100),
        (OnExhausted::Stop, 99, None, 0),
        (OnExhausted::Suspend, 99, None, 0),
        (OnExhausted::Continue, 99, None, 100),
        (OnExhausted::Stop, 10_000, Some(Minor(99)), 0),
        (OnExhausted::Stop, 10_000, Some(Minor(100)), 100),
    ] {
        let memory = Memory { available: Minor(available), ..Memory::default() };
        let plan = CampaignPlan { budget: budget(on_exhausted, per_day), ..campaign("c", vec![percent(10)]) };
        let priced = price(&memory, &[&plan], &lines);
        assert_eq!(priced.evaluation.discount, Minor(expect), "{on_exhausted:?} {available} {per_day:?}");
        let whole = available < 100 && expect == 0;
        assert_eq!(priced.exhausted.is_empty(), !whole, "a day that is used up is not the whole budget");
        memory.apply(&priced.effects());
        if per_day == Some(Minor(100)) {
            assert_eq!(price(&memory, &[&plan], &lines).evaluation.discount, Minor::ZERO, "the day is used up");
        }
    }
}

#[test]
fn a_maximum_per_member_runs_out_over_several_orders() {
    let memory = Memory::default();
    let rule = discount::Discount {
        max: Some((Minor(150), MaxPer::Member)),
        ..off(discount::Off::Percent(BasisPoints(1_000)))
    };
    let plan = campaign("c", vec![Rule::Discount(rule)]);
    for expect in [100, 50, 0] {
        let priced = price(&memory, &[&plan], &cart(vec![line("1", "TEA", 1, 1_000)]));
        assert_eq!(priced.evaluation.discount, Minor(expect));
        memory.apply(&priced.effects());
    }
}

struct Wallet {
    plan: RewardPlan,
    id: crate::ids::GrantId,
    code: Code,
    member: MemberId,
}

impl Wallet {
    fn new(code: &str, plan: RewardPlan) -> Self {
        Self { plan, id: format!("g-{code}").as_str().into(), code: code.into(), member: "m1".into() }
    }
    fn view(&self, state: GrantState) -> GrantView<'_> {
        GrantView {
            id: &self.id,
            code: Some(&self.code),
            member: Some(&self.member),
            campaign: None,
            mechanic: None,
            plan: &self.plan,
            suspended: false,
            state,
            terms: Terms::default(),
            barred: None,
            balance: None,
        }
    }
}

#[test]
fn named_codes_apply_in_order_and_each_refusal_says_why() {
    let stacked = |plan: RewardPlan, combine| RewardPlan {
        stacking: Some(VoucherStacking { group: "v".into(), combine }),
        ..plan
    };
    let one = Wallet::new("ONE", stacked(reward("one", amount_voucher(100, 0)), Combine::Exclusive));
    let two = Wallet::new("TWO", stacked(reward("two", amount_voucher(50, 0)), Combine::All));
    let big = Wallet::new("BIG", reward("big", amount_voucher(500, 5_000)));
    let free = Wallet::new("TEA", reward("tea", RewardKind::FreeItem { sku: "TEA".into(), quantity: 1 }));
    let cup = Wallet::new("CUP", reward("cup", RewardKind::FreeItem { sku: "CUP".into(), quantity: 1 }));
    let used = Wallet::new("USED", reward("used", amount_voucher(10, 0)));
    let grants = [
        one.view(GrantState::Claimed),
        two.view(GrantState::Claimed),
        big.view(GrantState::Claimed),
        free.view(GrantState::Claimed),
        cup.view(GrantState::Claimed),
        used.view(GrantState::Redeemed),
    ];
    let memory = Memory::default();
    for (codes, discount, expect) in [
        (vec!["ONE"], 100, vec![]),
        (vec!["ONE", "ONE"], 100, vec!["not-combinable"]),
        (vec!["ONE", "TWO"], 100, vec!["not-combinable"]),
        (vec!["TWO", "ONE"], 50, vec!["not-combinable"]),
        (vec!["TEA", "ONE"], 400, vec![]),
        (vec!["CUP"], 0, vec!["items-not-eligible"]),
        (vec!["BIG"], 0, vec!["min-spend-not-met"]),
        (vec!["USED"], 0, vec!["already-redeemed"]),
        (vec!["NOPE"], 0, vec!["code-unknown"]),
    ] {
        let mut lines = cart(vec![line("1", "TEA", 3, 300)]);
        lines.codes = codes.iter().map(|code| Code::from(*code)).collect();
        let ask = Ask { cart: &lines, visit: memory.visit(), campaigns: &[], grants: &grants, holds: &[] };
        let priced = evaluate(&ask).unwrap();
        adds_up(&priced, &lines);
        assert_eq!((priced.evaluation.discount, reasons(&priced)), (Minor(discount), expect), "{codes:?}");
        assert!(priced.evaluation.rejected.iter().all(|rejected| rejected.subject.was_named()));
        assert!(priced.spends().is_empty(), "a voucher's budget is reserved already");
    }
    let lines = cart(vec![line("1", "TEA", 3, 300)]);
    let ask = Ask { cart: &lines, visit: memory.visit(), campaigns: &[], grants: &grants, holds: &[] };
    let available = evaluate(&ask).unwrap().evaluation.available;
    let available: Vec<_> = available.iter().map(|a| (a.title.as_str(), a.amount.0)).collect();
    assert_eq!(available, [("The one", 100), ("The two", 50), ("The tea", 300)]);
}

#[test]
fn vouchers_take_off_before_gift_cards_pay_what_is_left() {
    let card = |balance| {
        let card = Wallet::new("CARD", reward("card", RewardKind::GiftCard { amount: Minor(1_000) }));
        (card, Some(Minor(balance)))
    };
    let tenth = RewardKind::Voucher(Voucher {
        worth: VoucherWorth::Percent { share: BasisPoints(1_000), max: None },
        min_spend: Minor::ZERO,
        items: Items::default(),
    });
    let off = Wallet::new("OFF", reward("off", tenth));
    let memory = Memory::default();
    for (balance, paid, payable) in [(300, 300, 510), (5_000, 810, 0)] {
        let (card, balance) = card(balance);
        let grants = [GrantView { balance, ..card.view(GrantState::Claimed) }, off.view(GrantState::Claimed)];
        let mut lines = cart(vec![line("1", "TEA", 3, 200), line("2", "CUP", 1, 300)]);
        lines.codes = vec![Code::from("CARD"), Code::from("OFF")];
        let ask = Ask { cart: &lines, visit: memory.visit(), campaigns: &[], grants: &grants, holds: &[] };
        let priced = evaluate(&ask).unwrap();
        adds_up(&priced, &lines);
        let evaluation = &priced.evaluation;
        assert_eq!(
            (evaluation.discount, evaluation.paid, evaluation.payable),
            (Minor(90), Minor(paid), Minor(payable))
        );
        assert_eq!(evaluation.price(), Minor(810), "a gift card lowers no price");
        let mut lines = lines.clone();
        lines.codes.remove(0);
        let ask = Ask { cart: &lines, ..ask };
        assert_eq!(evaluate(&ask).unwrap().evaluation.available[0].amount, Minor(paid));
    }
}

#[test]
fn a_fixed_price_and_free_shipping_stop_at_their_maximum() {
    let voucher = |worth, min_spend| {
        let items =
            Items { only: Choice::Picked(Picks { skus: vec!["TEA".into()], ..Picks::default() }), ..Items::default() };
        let items = if matches!(worth, VoucherWorth::Shipping { .. }) { Items::default() } else { items };
        let kind = RewardKind::Voucher(Voucher { worth, min_spend: Minor(min_spend), items });
        Wallet::new("V", reward("v", kind))
    };
    let memory = Memory::default();
    let fixed = |price, max: Option<i64>| VoucherWorth::FixedPrice { price: Minor(price), max: max.map(Minor) };
    let shipping = |max: Option<i64>| VoucherWorth::Shipping { max: max.map(Minor) };
    let mut posted = line("3", "POST", 1, 80);
    posted.category = Some("shipping".into());
    for (worth, min_spend, expect) in [
        (fixed(150, None), 0, Ok(100)),
        (fixed(150, Some(60)), 0, Ok(60)),
        (fixed(500, None), 0, Err("items-not-eligible")),
        (fixed(150, None), 401, Err("min-spend-not-met")),
        (shipping(None), 0, Ok(80)),
        (shipping(Some(50)), 700, Ok(50)),
        (shipping(None), 701, Err("min-spend-not-met")),
    ] {
        let wallet = voucher(worth, min_spend);
        let grants = [wallet.view(GrantState::Claimed)];
        let mut lines = cart(vec![line("1", "TEA", 2, 200), line("2", "CUP", 1, 300), posted.clone()]);
        lines.codes = vec![Code::from("V")];
        let ask = Ask { cart: &lines, visit: memory.visit(), campaigns: &[], grants: &grants, holds: &[] };
        let priced = evaluate(&ask).unwrap();
        adds_up(&priced, &lines);
        let told = match reasons(&priced).first() {
            None => Ok(priced.evaluation.discount.0),
            Some(reason) => Err(*reason),
        };
        assert_eq!(told, expect, "{worth:?} from {min_spend}");
    }
}

#[test]
fn a_commit_takes_no_more_than_was_reserved() {
    let limit = Limit { count: Counted::Orders, per: Per::Member, every: Every::Day, max: 1 };
    let budget = Budget { per_day: Some(Minor(100)), ..Budget::of(Minor(100)) };
    let mut plan = CampaignPlan { budget: Some(budget), ..campaign("c", vec![percent(10)]) };
    plan.participation.limits = vec![limit];
    let later = campaign("later", vec![amount(7)]);
    for (quantity, expect) in [(1, 50), (2, 100), (3, 100)] {
        let memory = Memory { available: Minor(100), ..Memory::default() };
        let reserved = price(&memory, &[&plan], &cart(vec![line("1", "TEA", 2, 500)]));
        memory.apply(&reserved.effects());
        let memory = Memory { available: Minor::ZERO, ..memory };
        let last = cart(vec![line("1", "TEA", quantity, 500)]);
        let ask = Ask { cart: &last, visit: memory.visit(), campaigns: &[&plan, &later], grants: &[], holds: &[] };
        let price = recompute(&ask, &reserved).unwrap();
        adds_up(&price, &last);
        assert_eq!(price.evaluation.discount, Minor(expect), "{quantity}");
        memory.apply(&difference(&reserved, &price));
        memory.apply(&price.undo());
        assert!(memory.all_zero(), "{:?}", memory.counters);
    }
}
