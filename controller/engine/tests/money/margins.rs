//! The margin that discounts leave, from the order to its last return.

use crate::support::{Shop, campaign, cart, line, mechanic, percent_off, place, runtime, voucher};
use fanfare_core::{
    cart::Line,
    model::{Plan, RuntimePlan},
    money::{BasisPoints, Minor},
    reason::Reason,
};
use fanfare_engine::{
    orders::{CommitOrder, ReturnOrder},
    redemptions::Mode,
};

#[tokio::test]
async fn an_order_keeps_its_margin_at_its_commit_and_comes_back_exactly() {
    let shop = Shop::open().await;
    let margin_floor = Some(BasisPoints(1_500));
    shop.publish_again("runtime", Plan::CampaignRuntime(RuntimePlan { margin_floor, ..runtime() })).await;
    shop.publish(Plan::Reward(voucher("coupon", 20_000, 0))).await;
    let mut plan = campaign("half", Some(1_000_000));
    plan.mechanics = vec![mechanic("off", percent_off("50%"))];
    shop.publish(Plan::Campaign(plan)).await;
    let code = shop.voucher("m1", "coupon", None).await.code.unwrap();
    // 3 × 70.00 ÷ 0.85 is 247.0588…, so at least 247.06 of 333.33 × 3 is left; of "b" any part may go.
    let lines = vec![Line { cost: Some(Minor(7_000)), ..line("a", 3, 11_111) }, line("b", 1, 10_000)];
    let with = |lines: &[Line]| cart(Some("m1"), lines.to_vec(), vec![code.clone()]);
    let placed = shop.run(place("o1", Mode::Reserve, with(&lines))).await.unwrap().order.evaluation;
    let payable: Vec<i64> = placed.lines.iter().map(|line| line.payable.0).collect();
    assert_eq!(payable, [24_706, 0]);
    let cut: Vec<Reason> = placed.rejected.iter().map(|one| one.reason).collect();
    assert_eq!(cut, [Reason::MarginFloor; 2], "the campaign and the voucher are cut down: {:?}", placed.rejected);

    let cart = Some(with(&[Line { quantity: 2, ..lines[0].clone() }, lines[1].clone()]));
    let commit = CommitOrder { id: "o1".into(), cart, receipt_number: None, business_date: None, occurred_at: None };
    let order = shop.run(commit).await.unwrap().unwrap().order;
    assert_eq!(order.evaluation.lines[0].payable, Minor(16_471), "2 × 70.00 ÷ 0.85, rounded up");
    let mut refunds = Minor::ZERO;
    for (id, line) in [("r1", "a"), ("r2", "b"), ("r3", "a")] {
        let back = ReturnOrder {
            id: "o1".into(),
            return_id: id.into(),
            lines: vec![(line.into(), 1)],
            reason: "size".into(),
            store: None,
            business_date: None,
        };
        let order = shop.run(back).await.unwrap().unwrap().order;
        refunds = refunds.plus(order.returns.last().unwrap().refund);
    }
    assert_eq!(refunds, order.evaluation.payable, "the parts sum exactly to the whole");
    assert_eq!(shop.budget("half").await, (1_000_000, 0, 0));
    shop.verify().await;
}
