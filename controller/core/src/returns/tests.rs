use super::*;
use crate::{
    fixtures::{Memory, amount_voucher, campaign, cart, line, name, reward},
    ids::Code,
    mechanic::{
        Rule,
        discount::{self, MaxPer},
        spend_threshold::{Award, Basis, Gives, SpendPer, SpendThreshold, Tier},
    },
    model::{
        CampaignPlan,
        campaign::{Counted, Limit, Per},
        reward::RewardKind,
    },
    money::BasisPoints,
    pricing::{Ask, evaluate},
    reward::{GrantState, GrantView, Terms},
    time::Every,
};
use proptest::prelude::*;

fn plan() -> CampaignPlan {
    let rule = discount::Discount {
        off: discount::Off::Percent(BasisPoints(3_333)),
        items: crate::cart::Items::default(),
        min_spend: Minor::ZERO,
        max: Some((Minor(100_000), MaxPer::Member)),
        floor_price: Minor::ZERO,
    };
    let tiers = vec![
        Tier { spend: Minor(500), gives: Gives::Reward(name("small")) },
        Tier { spend: Minor(1_000), gives: Gives::Reward(name("large")) },
    ];
    let spend =
        SpendThreshold { basis: Basis::AfterDiscounts, per: SpendPer::Order, award: Award::All, repeat: true, tiers };
    let mut plan = campaign("c", vec![Rule::Discount(rule), Rule::SpendThreshold(spend)]);
    plan.participation.limits = [Counted::Orders, Counted::Rewards]
        .map(|count| Limit { count, per: Per::Member, every: Every::Lifetime, max: 100 })
        .into();
    plan
}

fn memory() -> Memory {
    Memory::with_rewards(vec![reward("small", amount_voucher(1, 0)), reward("large", amount_voucher(2, 0))])
}

fn sell(memory: &Memory, lines: Vec<Line>) -> Priced {
    sell_with(memory, lines, false)
}

fn sell_with(memory: &Memory, lines: Vec<Line>, with_card: bool) -> Priced {
    let voucher = reward("v", amount_voucher(101, 0));
    let card = reward("card", RewardKind::GiftCard { amount: Minor(777) });
    let (id, code, cart) = (GrantId::from("g1"), Code::from("V"), {
        let mut cart = cart(lines);
        cart.codes = vec!["V".into()];
        if with_card {
            cart.codes.push("CARD".into());
        }
        cart
    });
    let (card_id, card_code) = (GrantId::from("g2"), Code::from("CARD"));
    let grant = GrantView {
        id: &id,
        code: Some(&code),
        member: None,
        campaign: None,
        mechanic: None,
        plan: &voucher,
        suspended: false,
        state: GrantState::Claimed,
        terms: Terms::default(),
        barred: None,
        balance: None,
    };
    let card =
        GrantView { id: &card_id, code: Some(&card_code), plan: &card, balance: Some(Minor(777)), ..grant.clone() };
    let plan = plan();
    let ask = Ask { cart: &cart, visit: memory.visit(), campaigns: &[&plan], grants: &[grant, card], holds: &[] };
    let priced = evaluate(&ask).unwrap();
    memory.apply(&priced.effects());
    priced
}

fn pairs(pairs: &[(&str, i64)]) -> Vec<(String, i64)> {
    pairs.iter().map(|(id, quantity)| ((*id).to_owned(), *quantity)).collect()
}

fn restore(_: &GrantId) -> OnReversal {
    OnReversal::Restore
}

#[test]
fn more_than_was_bought_cannot_come_back() {
    let memory = memory();
    let lines = vec![line("1", "TEA", 3, 100), line("2", "CUP", 1, 100)];
    let priced = sell(&memory, lines.clone());
    let order = OrderId::from("o1");
    let returned = pairs(&[("1", 2)]);
    let sold = Sold { order: &order, lines: &lines, priced: &priced, returned: &returned, called_back: &[] };
    for wrong in [&[("1", 2)][..], &[("1", 1), ("1", 1)], &[("2", 2)], &[("3", 1)], &[("2", 0)], &[("2", -1)]] {
        let refusal = give_back(&sold, &pairs(wrong), &restore).unwrap_err();
        assert_eq!(refusal.reason, Reason::ReturnExceedsOrder, "{wrong:?}");
    }
    assert!(give_back(&sold, &pairs(&[("1", 1), ("2", 1)]), &restore).unwrap().complete);
}

#[test]
fn a_return_calls_back_what_it_no_longer_earns() {
    let memory = memory();
    // 3 × 1000 less a third, each line 667: 2000 counted, so the top tier twice and the small one once.
    let lines = vec![line("1", "TEA", 1, 1_000), line("2", "CUP", 1, 1_000), line("3", "POT", 1, 1_000)];
    let priced = sell(&memory, lines.clone());
    let earned: Vec<_> = priced.evaluation.earned.iter().map(|e| (e.reward.as_str(), e.quantity)).collect();
    assert_eq!(earned, [("small", 1), ("large", 2)]);
    let order = OrderId::from("o1");
    let mut returned = Vec::new();
    let mut called_back = vec![0, 0];
    for (id, expect) in [("1", vec![("large", 1)]), ("2", vec![("large", 1)]), ("3", vec![("small", 1)])] {
        let sold =
            Sold { order: &order, lines: &lines, priced: &priced, returned: &returned, called_back: &called_back };
        let back = give_back(&sold, &pairs(&[(id, 1)]), &restore).unwrap();
        let clawed: Vec<_> = back.clawbacks.iter().map(|(_, c)| (c.reward.as_str(), c.quantity)).collect();
        assert_eq!(clawed, expect, "line {id}");
        for (index, clawback) in &back.clawbacks {
            called_back[*index] += clawback.quantity;
        }
        returned.push((id.to_owned(), 1));
    }
}

#[test]
fn a_voucher_comes_back_with_the_last_of_its_lines_or_is_forfeited() {
    let memory = memory();
    let lines = vec![line("1", "TEA", 2, 1_000)];
    let priced = sell(&memory, lines.clone());
    let order = OrderId::from("o1");
    let first = Sold { order: &order, lines: &lines, priced: &priced, returned: &[], called_back: &[] };
    let part = give_back(&first, &pairs(&[("1", 1)]), &restore).unwrap();
    assert!(part.restored.is_empty() && part.forfeited.is_empty() && !part.complete);
    let returned = pairs(&[("1", 1)]);
    let last = Sold { returned: &returned, ..first };
    let rest = give_back(&last, &pairs(&[("1", 1)]), &restore).unwrap();
    assert_eq!(rest.restored, [GrantId::from("g1")]);
    let gone = give_back(&last, &pairs(&[("1", 1)]), &|_| OnReversal::Forfeit).unwrap();
    assert_eq!((gone.restored.len(), gone.forfeited.len()), (0, 1));
    assert!(rest.campaigns.iter().all(|(campaign, _)| campaign.as_str() == "c"));
}

proptest! {
    #[test]
    fn partial_returns_in_any_order_sum_to_the_whole(
        lines in prop::collection::vec((1..6_i64, 1..5_000_i64), 1..5),
        picks in prop::collection::vec((any::<prop::sample::Index>(), 1..4_i64), 1..40),
        with_card in any::<bool>(),
    ) {
        let memory = memory();
        let numbered = lines.into_iter().enumerate();
        let lines: Vec<Line> =
            numbered.map(|(id, (quantity, price))| line(&id.to_string(), "TEA", quantity, price)).collect();
        let priced = sell_with(&memory, lines.clone(), with_card);
        let order = OrderId::from("o1");
        let mut returned: Vec<(String, i64)> = Vec::new();
        let mut called_back = vec![0; priced.evaluation.earned.len()];
        let mut refund = Minor::ZERO;
        let mut total = Minor::ZERO;
        let mut discounts = vec![Minor::ZERO; priced.evaluation.discounts.len()];
        let mut restored = 0;
        let left_of = |returned: &[(String, i64)], line: &Line| {
            line.quantity - returned.iter().filter(|(id, _)| *id == line.id).map(|(_, n)| n).sum::<i64>()
        };
        let rest = (0..lines.len()).map(|index| (index, i64::MAX));
        let steps: Vec<(usize, i64)> = picks.iter().map(|(at, n)| (at.index(lines.len()), *n)).chain(rest).collect();
        for (index, wanted) in steps {
            let quantity = wanted.min(left_of(&returned, &lines[index]));
            if quantity < 1 {
                continue;
            }
            let step = vec![(lines[index].id.clone(), quantity)];
            let sold = Sold { order: &order, lines: &lines, priced: &priced, returned: &returned, called_back: &called_back };
            let back = give_back(&sold, &step, &restore).unwrap();
            prop_assert!(back.refund >= Minor::ZERO);
            let back_of_discounts: Minor = back.discounts.iter().map(|(_, amount)| *amount).sum();
            prop_assert_eq!(back.refund.plus(back_of_discounts), back.total);
            refund = refund.plus(back.refund);
            total = total.plus(back.total);
            for (index, amount) in &back.discounts {
                discounts[*index] = discounts[*index].plus(*amount);
            }
            for (index, clawback) in &back.clawbacks {
                called_back[*index] += clawback.quantity;
                (0..clawback.quantity).for_each(|_| drop(memory.apply(&clawback.each)));
            }
            restored += back.restored.len();
            memory.apply(&back.effects);
            returned.extend(step);
        }
        prop_assert_eq!(refund, priced.evaluation.payable);
        prop_assert_eq!(total, priced.evaluation.total);
        let given: Vec<Minor> = priced.evaluation.discounts.iter().map(|d| d.amount).collect();
        prop_assert_eq!(discounts, given);
        let earned: Vec<i64> = priced.evaluation.earned.iter().map(|e| e.quantity).collect();
        prop_assert_eq!(called_back, earned);
        prop_assert_eq!(restored, priced.evaluation.discounts.iter().filter(|d| d.grant.is_some() && !d.payment).count());
        prop_assert!(memory.all_zero(), "{:?}", memory.counters);
    }
}
