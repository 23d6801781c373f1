use crate::support::{Shop, access, campaign, redeem, voucher};
use chrono::TimeDelta;
use fanfare_core::{
    ids::Code,
    mechanic::key,
    model::{
        Plan,
        reward::{RewardKind, VoucherWorth},
    },
    money::{BasisPoints, Minor},
    reason::Reason,
};
use fanfare_engine::{
    Keyed, Refused, Replied,
    redemptions::{Commit, Mode, OrderRef, Outcome, Redeem, Reverse, Void},
};
use fanfare_store::rows::{GrantState, RedemptionState};

async fn shop() -> (Shop, Code) {
    let shop = Shop::open().await;
    shop.publish(Plan::Campaign(campaign("sale", Some(100_000)))).await;
    shop.publish(Plan::Reward(voucher("coupon", 20_000, 12_000))).await;
    let grant = shop.voucher("m1", "coupon", Some("sale")).await;
    (shop, grant.code.unwrap())
}

fn keyed(terminal: &str, key: &str, digest: &str) -> Keyed<Outcome> {
    let render = |outcome: &Result<Outcome, Refused>| match outcome {
        Ok(outcome) => (201, outcome.redemption.id.as_str().as_bytes().to_vec()),
        Err(refused) => (409, refused.refusal.reason.code().as_bytes().to_vec()),
    };
    Keyed { scope: terminal.into(), key: key.into(), digest: digest.into(), render: Box::new(render) }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn of_thirty_tills_that_redeem_one_code_at_once_one_wins() {
    let (shop, code) = shop().await;
    let calls = (0..30).map(|till| {
        let (engine, code) = (shop.engine.clone(), code.clone());
        tokio::spawn(async move {
            let call = engine.call(keyed(&format!("t{till}"), "k", "d"), redeem(&code, Mode::Commit));
            call.await.unwrap()
        })
    });
    let mut replies: Vec<Replied> = Vec::new();
    for call in calls.collect::<Vec<_>>() {
        replies.push(call.await.unwrap());
    }
    assert_eq!(replies.iter().filter(|reply| reply.status == 201).count(), 1);
    let lost = replies.iter().filter(|reply| reply.status == 409 && reply.body == b"already-redeemed").count();
    assert_eq!(lost, 29);
    assert_eq!(shop.budget("sale").await, (80_000, 0, 20_000));
    shop.verify().await;
}

#[tokio::test]
async fn the_same_key_answers_the_same_and_another_body_is_an_error() {
    let (shop, code) = shop().await;
    let first = shop.engine.call(keyed("t1", "k", "d"), redeem(&code, Mode::Commit)).await.unwrap();
    let again = shop.engine.call(keyed("t1", "k", "d"), redeem(&code, Mode::Commit)).await.unwrap();
    assert_eq!((first.status, again.status, again.replayed), (201, 201, true));
    assert_eq!(first.body, again.body);
    assert!(shop.engine.call(keyed("t1", "k", "other"), redeem(&code, Mode::Commit)).await.is_err());
    shop.verify().await;
}

#[tokio::test]
async fn a_reservation_is_committed_voided_or_lapses() {
    let (shop, code) = shop().await;
    assert_eq!(shop.budget("sale").await, (88_000, 12_000, 0));
    let held = shop.run(redeem(&code, Mode::Reserve)).await.unwrap().redemption;
    assert_eq!(shop.run(redeem(&code, Mode::Commit)).await.unwrap_err().refusal.reason, Reason::ReservedElsewhere);
    let voided = shop.run(Void { id: held.id.clone() }).await.unwrap().unwrap();
    assert_eq!((voided.redemption.state, voided.remaining), (RedemptionState::Voided, Minor(20_000)));
    let late = shop.run(Commit { id: held.id }).await.unwrap_err();
    assert_eq!(late.refusal.reason, Reason::RedemptionState);

    let held = shop.run(redeem(&code, Mode::Reserve)).await.unwrap().redemption;
    shop.forward(TimeDelta::seconds(601));
    shop.work().await;
    assert_eq!(shop.run(Commit { id: held.id }).await.unwrap_err().refusal.reason, Reason::ReservationExpired);
    assert_eq!(shop.budget("sale").await, (88_000, 12_000, 0));

    let held = shop.run(redeem(&code, Mode::Reserve)).await.unwrap().redemption;
    let used = shop.run(Commit { id: held.id.clone() }).await.unwrap().unwrap();
    assert_eq!((used.redemption.state, used.remaining), (RedemptionState::Committed, Minor::ZERO));
    assert_eq!(shop.run(Commit { id: held.id }).await.unwrap().unwrap().redemption.state, RedemptionState::Committed);
    assert_eq!(shop.budget("sale").await, (80_000, 0, 20_000));
    shop.verify().await;
}

#[tokio::test]
async fn a_reversal_in_parts_restores_the_voucher_with_the_last() {
    let (shop, code) = shop().await;
    let used = shop.run(redeem(&code, Mode::Commit)).await.unwrap().redemption;
    let part = |id: &str, amount: Option<i64>| Reverse {
        id: used.id.clone(),
        reversal_id: id.into(),
        reason: "returned".into(),
        amount: amount.map(Minor),
        store: None,
    };
    let first = shop.run(part("a", Some(5_000))).await.unwrap().unwrap();
    assert_eq!(first.redemption.state, RedemptionState::PartiallyReversed);
    assert_eq!(shop.run(part("a", Some(5_000))).await.unwrap().unwrap().redemption.reversals.len(), 1);
    assert_eq!(shop.run(part("b", Some(15_001))).await.unwrap_err().refusal.reason, Reason::ExceedsRemaining);
    assert_eq!(shop.budget("sale").await, (85_000, 0, 15_000));
    let last = shop.run(part("b", None)).await.unwrap().unwrap();
    assert_eq!((last.redemption.state, last.remaining), (RedemptionState::Reversed, Minor(20_000)));
    assert_eq!(shop.grant(&used.grant).await.state, GrantState::Claimed);
    assert_eq!(shop.budget("sale").await, (88_000, 12_000, 0));
    assert_eq!(shop.counter(&key::metric(&"sale".into(), "redeemed")).await, 0);
    shop.run(redeem(&code, Mode::Commit)).await.unwrap();
    assert_eq!(shop.budget("sale").await, (80_000, 0, 20_000));
    shop.verify().await;
}

#[tokio::test]
async fn a_code_is_refused_for_the_first_reason_that_holds() {
    let (shop, code) = shop().await;
    let reason = |refused: Result<Outcome, Refused>| refused.unwrap_err().refusal.reason;
    assert_eq!(reason(shop.run(redeem(&"NONE".into(), Mode::Commit)).await), Reason::CodeUnknown);
    let elsewhere = Redeem { bound_to: Some("bkk-02".into()), ..redeem(&code, Mode::Commit) };
    assert_eq!(reason(shop.run(elsewhere).await), Reason::StoreMismatch);
    let more = Redeem { amount: Some(Minor(20_001)), ..redeem(&code, Mode::Commit) };
    assert_eq!(reason(shop.run(more).await), Reason::ExceedsRemaining);
    shop.forward(TimeDelta::days(14));
    assert_eq!(reason(shop.run(redeem(&code, Mode::Commit)).await), Reason::Expired);
    shop.work().await;
    assert_eq!(reason(shop.run(redeem(&code, Mode::Commit)).await), Reason::Expired);
    assert_eq!(shop.budget("sale").await, (100_000, 0, 0));
    shop.verify().await;
}

#[tokio::test]
async fn a_share_is_worth_what_the_order_says_up_to_its_bound() {
    let shop = Shop::open().await;
    let mut plan = voucher("tenth", 0, 100);
    let RewardKind::Voucher(terms) = &mut plan.kind else { unreachable!() };
    terms.worth = VoucherWorth::Percent { share: BasisPoints(1_000), max: Some(Minor(5_000)) };
    terms.min_spend = Minor(10_000);
    shop.publish(Plan::Reward(plan)).await;
    for (total, expect) in [(9_999, None), (20_000, Some(2_000)), (90_000, Some(5_000))] {
        let code = shop.voucher("m1", "tenth", None).await.code.unwrap();
        let order = Some(OrderRef { id: format!("o-{total}").into(), total: Minor(total) });
        let told = shop.run(Redeem { order, ..redeem(&code, Mode::Commit) }).await;
        match expect {
            Some(amount) => assert_eq!(told.unwrap().redemption.amount, Minor(amount)),
            None => assert_eq!(told.unwrap_err().refusal.reason, Reason::MinSpendNotMet),
        }
    }
    shop.verify().await;
}

#[tokio::test]
async fn access_takes_nothing_off_an_order_so_an_amount_is_refused() {
    let shop = Shop::open().await;
    shop.publish(Plan::Reward(access("lounge", None))).await;
    let code = shop.voucher("m1", "lounge", None).await.code.unwrap();
    let entry = |amount: Option<i64>| Redeem { amount: amount.map(Minor), ..redeem(&code, Mode::Commit) };
    assert_eq!(shop.run(entry(Some(500))).await.unwrap_err().refusal.reason, Reason::ExceedsRemaining);
    for amount in [None, Some(0)] {
        shop.run(entry(amount)).await.unwrap();
    }
    shop.verify().await;
}
