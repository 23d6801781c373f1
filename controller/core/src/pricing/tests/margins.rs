use super::*;
use crate::{cart::Evaluation, reason::Reason, reward::GrantView};

/// A shop that keeps `margin` of each line.
fn keeping(margin: i64) -> Memory {
    let mut memory = Memory::default();
    memory.runtime.margin_floor = Some(BasisPoints(margin));
    memory
}

fn costing(line: Line, cost: i64) -> Line {
    Line { cost: Some(Minor(cost)), ..line }
}

#[test]
fn a_cut_below_the_margin_is_cut_down_and_told_with_the_figures() {
    let lines = || vec![costing(line("1", "TEA", 2, 10_000), 6_800), line("2", "CUP", 1, 10_000)];
    // 2 × 68.00 ÷ 0.85 is 160.00, so 40.00 may go of 200.00; the cup has no cost and is not guarded.
    let plans = [campaign("half", vec![percent(50)])];
    let priced = price(&keeping(1_500), &[&plans[0]], &cart(lines()));
    let payable: Vec<Minor> = priced.evaluation.lines.iter().map(|line| line.payable).collect();
    assert_eq!(payable, [Minor(16_000), Minor(5_000)]);
    assert_eq!(reasons(&priced), ["margin-floor"]);
    let detail = &priced.evaluation.rejected[0].detail;
    assert!(detail.contains("150.00 THB") && detail.contains("90.00 THB"), "{detail}");
    assert_eq!(priced.evaluation.refused(), None, "nothing that the cart names fails");

    let unguarded = price(&Memory::default(), &[&plans[0]], &cart(lines()));
    assert_eq!((unguarded.evaluation.discount, reasons(&unguarded)), (Minor(15_000), vec![]));
    let small = campaign("small", vec![percent(20)]);
    assert_eq!(reasons(&price(&keeping(1_500), &[&small], &cart(lines()))), Vec::<&str>::new());
}

#[test]
fn campaigns_and_vouchers_share_the_room_above_the_margin_and_gift_cards_pay_all() {
    let memory = keeping(0);
    let plan = campaign("c", vec![percent(10)]);
    let codes = vec![Code::from("V1"), Code::from("G1")];
    let cart = Cart { codes, ..cart(vec![costing(line("1", "TEA", 1, 10_000), 8_000)]) };
    let voucher = Wallet::new("V1", reward("v", amount_voucher(5_000, 0)));
    let card = Wallet::new("G1", reward("g", RewardKind::GiftCard { amount: Minor(50_000) }));
    let card_view = GrantView { balance: Some(Minor(50_000)), ..card.view(GrantState::Claimed) };
    let grants = [voucher.view(GrantState::Claimed), card_view];
    let ask = Ask { cart: &cart, visit: memory.visit(), campaigns: &[&plan], grants: &grants, holds: &[] };
    let priced = evaluate(&ask).unwrap();
    adds_up(&priced, &cart);
    let Evaluation { discount, paid, payable, .. } = &priced.evaluation;
    assert_eq!((*discount, *paid, *payable), (Minor(2_000), Minor(8_000), Minor::ZERO));
    assert_eq!(reasons(&priced), ["margin-floor"]);
    assert_eq!(priced.evaluation.refused(), None, "a voucher that is cut down applies");
    // What is reserved is what is committed.
    assert_eq!(recompute(&ask, &priced).unwrap().evaluation.discounts, priced.evaluation.discounts);
}

#[test]
fn a_voucher_for_which_the_margin_leaves_nothing_is_kept_for_another_day() {
    let memory = keeping(2_000);
    let cases = [
        ("amount", amount_voucher(500, 0), 8_000),
        ("free item, of which a part would do", RewardKind::FreeItem { sku: "TEA".into(), quantity: 1 }, 100),
    ];
    for (what, kind, cost) in cases {
        let cart = Cart { codes: vec![Code::from("V1")], ..cart(vec![costing(line("1", "TEA", 1, 10_000), cost)]) };
        let wallet = Wallet::new("V1", reward("v", kind));
        let grants = [wallet.view(GrantState::Claimed)];
        let ask = Ask { cart: &cart, visit: memory.visit(), campaigns: &[], grants: &grants, holds: &[] };
        let priced = evaluate(&ask).unwrap();
        assert_eq!(priced.evaluation.discounts, [], "{what}");
        assert_eq!(priced.evaluation.refused().map(|refused| refused.reason), Some(Reason::MarginFloor), "{what}");
    }
}
