//! Gift cards: value put on, used in parts, given back, run out.

use crate::support::{Shop, campaign, cart, gift_card, line, mechanic, place, redeem, reward_from};
use chrono::TimeDelta;
use fanfare_core::{
    ids::{Code, GrantId},
    mechanic::{Rule, spend_threshold::SpendThreshold},
    model::{CampaignPlan, Plan},
    money::Minor,
    reason::Reason,
    uses::Card,
};
use fanfare_engine::{
    Keyed, Refused, Replied,
    cards::TopUp,
    orders::{CommitOrder, ReturnOrder, VoidOrder},
    redemptions::{Commit, Mode, Outcome, Redeem, Reverse, Void},
};
use fanfare_store::rows::{GrantState, RedemptionState};

/// A shop with a card of 500.00, which the campaign `sale` gave.
async fn shop() -> (Shop, GrantId, Code) {
    let shop = Shop::open().await;
    shop.publish(Plan::Campaign(campaign("sale", Some(100_000)))).await;
    shop.publish(Plan::Reward(gift_card("card", 50_000))).await;
    let grant = shop.voucher("m1", "card", Some("sale")).await;
    (shop, grant.id, grant.code.unwrap())
}

fn pay(code: &Code, amount: i64) -> Redeem {
    Redeem { amount: Some(Minor(amount)), ..redeem(code, Mode::Commit) }
}

fn reverse(outcome: &Outcome, id: &str, amount: Option<i64>) -> Reverse {
    let amount = amount.map(Minor);
    Reverse { id: outcome.redemption.id.clone(), reversal_id: id.into(), reason: "wrong".into(), amount, store: None }
}

impl Shop {
    async fn card(&self, id: &GrantId) -> Card {
        self.grant(id).await.usage.card.unwrap()
    }

    /// (on the card, given, paid in, used, breakage), as the ledger says.
    async fn card_accounts(&self, id: &GrantId) -> (i64, i64, i64, i64, i64) {
        let side = |side: &str| format!("giftcards/card/{side}");
        (
            self.balance(&format!("giftcard/{id}")).await,
            self.balance(&side("given")).await,
            self.balance(&side("paid")).await,
            self.balance(&side("used")).await,
            self.balance(&side("breakage")).await,
        )
    }
}

#[tokio::test]
async fn a_gift_card_is_used_in_parts_until_nothing_is_left() {
    let (shop, id, code) = shop().await;
    assert_eq!(shop.budget("sale").await, (50_000, 50_000, 0));
    assert_eq!(shop.card_accounts(&id).await, (50_000, -50_000, 0, 0, 0));

    let first = shop.run(pay(&code, 20_000)).await.unwrap();
    assert_eq!((first.redemption.amount, first.remaining, first.uses_left), (Minor(20_000), Minor(30_000), None));
    assert_eq!(shop.grant(&id).await.state, GrantState::Claimed);
    assert_eq!(shop.budget("sale").await, (50_000, 30_000, 20_000));
    assert_eq!(shop.balance("cost/sale/rewards").await, 20_000);

    let more = shop.run(pay(&code, 30_001)).await.unwrap_err();
    assert_eq!(more.refusal.reason, Reason::ExceedsRemaining);
    assert!(more.refusal.detail.contains("300.00 THB"), "{}", more.refusal.detail);
    let unnamed = shop.run(redeem(&code, Mode::Commit)).await.unwrap_err();
    assert_eq!(unnamed.refusal.reason, Reason::ItemsNotEligible, "how much it is to pay is not known");

    let rest = shop.run(pay(&code, 30_000)).await.unwrap();
    assert_eq!(rest.remaining, Minor::ZERO);
    assert_eq!(shop.grant(&id).await.state, GrantState::Redeemed);
    assert_eq!(shop.run(pay(&code, 1)).await.unwrap_err().refusal.reason, Reason::AlreadyRedeemed);
    assert_eq!(shop.budget("sale").await, (50_000, 0, 50_000));
    assert_eq!(shop.card_accounts(&id).await, (0, -50_000, 0, 50_000, 0));
    let history = shop.grant(&id).await.history;
    let used: Vec<_> = history.iter().filter(|one| one.reason.as_deref() == Some("used")).collect();
    assert_eq!(used.iter().filter_map(|one| one.amount).collect::<Vec<_>>(), [Minor(20_000), Minor(30_000)]);
    shop.verify().await;
}

#[tokio::test]
async fn each_use_of_a_gift_card_is_reversed_once_whole_or_in_parts() {
    let (shop, id, code) = shop().await;
    let first = shop.run(pay(&code, 20_000)).await.unwrap();
    let second = shop.run(pay(&code, 30_000)).await.unwrap();
    let told = shop.run(reverse(&first, "a", Some(5_000))).await.unwrap().unwrap();
    assert_eq!((told.redemption.state, told.remaining), (RedemptionState::PartiallyReversed, Minor(5_000)));
    let again = shop.run(reverse(&first, "a", Some(5_000))).await.unwrap().unwrap();
    assert_eq!(again.remaining, Minor(5_000), "the same reversal changes nothing");
    let more = shop.run(reverse(&first, "b", Some(15_001))).await.unwrap_err();
    assert_eq!(more.refusal.reason, Reason::ExceedsRemaining);
    let whole = shop.run(reverse(&first, "b", None)).await.unwrap().unwrap();
    assert_eq!((whole.redemption.state, whole.remaining), (RedemptionState::Reversed, Minor(20_000)));
    let twice = shop.run(reverse(&first, "c", None)).await.unwrap_err();
    assert_eq!(twice.refusal.reason, Reason::RedemptionState);
    shop.run(reverse(&second, "d", None)).await.unwrap();
    assert_eq!(shop.card(&id).await, Card::of(Minor(50_000)), "as if it had never been used");
    assert_eq!(shop.budget("sale").await, (50_000, 50_000, 0));
    assert_eq!(shop.balance("cost/sale/rewards").await, 0);
    assert_eq!(shop.counter("reward|card|redeemed").await, 0);
    shop.verify().await;
}

#[tokio::test]
async fn reservations_hold_parts_of_a_gift_card() {
    let (shop, id, code) = shop().await;
    let hold = |amount| Redeem { mode: Mode::Reserve, ..pay(&code, amount) };
    let first = shop.run(hold(20_000)).await.unwrap();
    let second = shop.run(hold(30_000)).await.unwrap();
    assert_eq!((second.remaining, shop.grant(&id).await.state), (Minor::ZERO, GrantState::Reserved));
    assert_eq!(shop.run(hold(1)).await.unwrap_err().refusal.reason, Reason::ReservedElsewhere);
    assert_eq!(shop.card_accounts(&id).await.0, 50_000, "what is held is still owed");
    shop.run(Commit { id: first.redemption.id.clone() }).await.unwrap();
    let voided = shop.run(Void { id: second.redemption.id }).await.unwrap().unwrap();
    assert_eq!(voided.remaining, Minor(30_000));
    shop.run(hold(10_000)).await.unwrap();
    shop.forward(TimeDelta::minutes(11));
    shop.work().await;
    assert_eq!(shop.card(&id).await.free(), Minor(30_000), "a reservation lapses by itself");
    assert_eq!(shop.card_accounts(&id).await, (30_000, -50_000, 0, 20_000, 0));
    shop.verify().await;
}

#[tokio::test]
async fn what_is_paid_in_is_spent_last_and_costs_the_campaign_nothing() {
    let (shop, id, code) = shop().await;
    let top_up = |amount| TopUp { grant: id.clone(), amount: Minor(amount), actor: "client:k".into(), reference: None };
    shop.run(top_up(10_000)).await.unwrap().unwrap();
    let use_all = shop.run(pay(&code, 60_000)).await.unwrap();
    assert_eq!(shop.budget("sale").await, (50_000, 0, 50_000));
    assert_eq!(shop.balance("cost/sale/rewards").await, 50_000);
    assert_eq!(shop.card_accounts(&id).await, (0, -50_000, -10_000, 60_000, 0));
    shop.run(reverse(&use_all, "a", Some(4_000))).await.unwrap();
    assert_eq!(shop.balance("cost/sale/rewards").await, 50_000, "what was paid in comes back first");
    shop.run(reverse(&use_all, "b", Some(16_000))).await.unwrap();
    assert_eq!(shop.balance("cost/sale/rewards").await, 40_000);
    let card = shop.card(&id).await;
    assert_eq!((card.given, card.paid), (Minor(10_000), Minor(10_000)));
    assert_eq!(shop.run(top_up(1_000)).await.unwrap().unwrap().state, GrantState::Claimed);
    let none = TopUp { grant: "nobody".into(), ..top_up(1) };
    assert_eq!(shop.run(none).await.unwrap(), None);
    shop.verify().await;
}

#[tokio::test]
async fn what_nobody_used_in_time_is_breakage_and_what_comes_back_later_too() {
    let (shop, id, code) = shop().await;
    let used = shop.run(pay(&code, 20_000)).await.unwrap();
    let top_up = TopUp { grant: id.clone(), amount: Minor(5_000), actor: "client:k".into(), reference: None };
    shop.run(top_up.clone()).await.unwrap();
    shop.forward(TimeDelta::days(14));
    assert_eq!(shop.run(pay(&code, 1)).await.unwrap_err().refusal.reason, Reason::Expired);
    shop.work().await;
    assert_eq!(shop.grant(&id).await.state, GrantState::Expired);
    assert_eq!(shop.card_accounts(&id).await, (0, -50_000, -5_000, 20_000, 35_000));
    assert_eq!(shop.budget("sale").await, (80_000, 0, 20_000));
    assert_eq!(shop.run(top_up).await.unwrap_err().refusal.reason, Reason::Expired);
    let back = shop.run(reverse(&used, "a", None)).await.unwrap().unwrap();
    assert_eq!(back.remaining, Minor::ZERO);
    assert_eq!(shop.card_accounts(&id).await, (0, -50_000, -5_000, 0, 55_000));
    assert_eq!((shop.budget("sale").await, shop.balance("cost/sale/rewards").await), ((100_000, 0, 0), 0));
    shop.verify().await;
}

#[tokio::test]
async fn a_reservation_beyond_the_end_is_honoured_and_the_rest_runs_out() {
    let (shop, id, code) = shop().await;
    shop.forward(TimeDelta::days(14) - TimeDelta::minutes(5));
    let held = shop.run(Redeem { mode: Mode::Reserve, ..pay(&code, 20_000) }).await.unwrap();
    shop.forward(TimeDelta::minutes(6));
    shop.work().await;
    assert_eq!(shop.card_accounts(&id).await.0, 50_000, "nothing runs out while a till holds some of it");
    shop.run(Commit { id: held.redemption.id }).await.unwrap();
    shop.work().await;
    assert_eq!(shop.card_accounts(&id).await, (0, -50_000, 0, 20_000, 30_000));
    assert_eq!(shop.grant(&id).await.state, GrantState::Expired);
    shop.verify().await;
}

fn keyed(terminal: &str) -> Keyed<Outcome> {
    let render = |outcome: &Result<Outcome, Refused>| match outcome {
        Ok(outcome) => (201, outcome.redemption.id.as_str().as_bytes().to_vec()),
        Err(refused) => (409, refused.refusal.reason.code().as_bytes().to_vec()),
    };
    Keyed { scope: terminal.into(), key: "k".into(), digest: "d".into(), render: Box::new(render) }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn thirty_tills_at_once_take_no_more_than_the_balance() {
    let (shop, id, code) = shop().await;
    let calls = (0..30).map(|till| {
        let (engine, command) = (shop.engine.clone(), pay(&code, 7_000));
        tokio::spawn(async move { engine.call(keyed(&format!("t{till}")), command).await.unwrap() })
    });
    let mut replies: Vec<Replied> = Vec::new();
    for call in calls.collect::<Vec<_>>() {
        replies.push(call.await.unwrap());
    }
    assert_eq!(replies.iter().filter(|reply| reply.status == 201).count(), 7);
    assert_eq!(replies.iter().filter(|reply| reply.body == b"exceeds-remaining").count(), 23);
    assert_eq!(shop.card_accounts(&id).await, (1_000, -50_000, 0, 49_000, 0));
    shop.verify().await;
}

#[tokio::test]
async fn in_an_order_a_gift_card_pays_and_is_no_discount() {
    let (shop, id, code) = shop().await;
    let basket =
        |quantity| cart(Some("m1"), vec![line("1", quantity, 20_000), line("2", 1, 30_000)], vec![code.clone()]);
    let order = shop.run(place("o-1", Mode::Reserve, basket(2))).await.unwrap().order;
    let evaluation = &order.evaluation;
    assert_eq!((evaluation.total, evaluation.discount), (Minor(70_000), Minor::ZERO));
    assert_eq!(
        (evaluation.paid, evaluation.payable, evaluation.price()),
        (Minor(50_000), Minor(20_000), Minor(70_000))
    );
    assert_eq!(shop.card(&id).await.free(), Minor::ZERO);

    // One piece less: the card holds only what is still to be paid.
    let fewer = CommitOrder {
        id: "o-1".into(),
        cart: Some(cart(Some("m1"), vec![line("1", 1, 20_000), line("2", 0, 0)], vec![code.clone()])),
        receipt_number: None,
        business_date: None,
        occurred_at: None,
    };
    let committed = shop.run(fewer).await.unwrap().unwrap().order;
    assert_eq!((committed.evaluation.paid, committed.evaluation.payable), (Minor(20_000), Minor::ZERO));
    assert_eq!(shop.card_accounts(&id).await, (30_000, -50_000, 0, 20_000, 0));
    assert_eq!(shop.balance("sales/sale/revenue").await, 20_000, "what a card pays is revenue");
    assert_eq!(shop.card(&id).await.held, Minor::ZERO);

    let second = shop.run(place("o-2", Mode::Commit, basket(2))).await.unwrap().order;
    assert_eq!((second.evaluation.paid, second.evaluation.payable), (Minor(30_000), Minor(40_000)));
    assert_eq!(shop.grant(&id).await.state, GrantState::Redeemed);
    shop.verify().await;
}

#[tokio::test]
async fn a_return_gives_the_card_its_share_and_the_shopper_the_rest() {
    let (shop, id, code) = shop().await;
    let basket = cart(Some("m1"), vec![line("1", 3, 20_000), line("2", 1, 30_000)], vec![code]);
    shop.run(place("o-1", Mode::Commit, basket)).await.unwrap();
    let mut refund = Minor::ZERO;
    let mut on_card = Minor::ZERO;
    for (number, line) in ["1", "2", "1", "1"].into_iter().enumerate() {
        let back = ReturnOrder {
            id: "o-1".into(),
            return_id: format!("r-{number}"),
            lines: vec![(line.into(), 1)],
            reason: "broken".into(),
            store: None,
            business_date: None,
        };
        let order = shop.run(back).await.unwrap().unwrap().order;
        let last = order.returns.last().unwrap();
        assert_eq!(last.to_cards.len(), 1);
        refund = refund.plus(last.refund);
        on_card = on_card.plus(last.to_cards[0].1);
        assert_eq!(last.restored, Vec::<GrantId>::new());
    }
    assert_eq!((refund, on_card), (Minor(40_000), Minor(50_000)), "the parts sum exactly to the whole");
    assert_eq!(shop.card(&id).await, Card::of(Minor(50_000)));
    assert_eq!(shop.balance("sales/sale/revenue").await, 0);
    assert_eq!(shop.budget("sale").await, (50_000, 50_000, 0));
    shop.verify().await;
}

#[tokio::test]
async fn a_void_lets_go_of_what_an_order_held_of_a_card() {
    let (shop, id, code) = shop().await;
    let basket = cart(Some("m1"), vec![line("1", 1, 20_000)], vec![code]);
    shop.run(place("o-1", Mode::Reserve, basket.clone())).await.unwrap();
    shop.run(VoidOrder { id: "o-1".into() }).await.unwrap();
    assert_eq!(shop.card(&id).await, Card::of(Minor(50_000)));

    // Late: the reservation lapsed, the shopper had paid, and meanwhile the card was emptied.
    shop.run(place("o-2", Mode::Reserve, basket)).await.unwrap();
    let paid_at = shop.engine_now();
    shop.forward(TimeDelta::minutes(20));
    shop.work().await;
    let grant = shop.grant(&id).await;
    shop.run(pay(&grant.code.unwrap(), 40_000)).await.unwrap();
    let late = CommitOrder {
        id: "o-2".into(),
        cart: None,
        receipt_number: None,
        business_date: None,
        occurred_at: Some(paid_at),
    };
    let order = shop.run(late).await.unwrap().unwrap().order;
    assert!(order.exception.is_some(), "what was gone is an exception");
    assert_eq!(shop.card_accounts(&id).await, (10_000, -50_000, 0, 40_000, 0), "and no more than the balance is taken");
    shop.verify().await;
}

#[tokio::test]
async fn each_return_calls_back_a_card_that_still_holds_what_was_given() {
    let shop = Shop::open().await;
    shop.publish(Plan::Reward(gift_card("card", 10_000))).await;
    let Rule::SpendThreshold(each_200) = reward_from(20_000, "card") else { unreachable!() };
    let each_200 = Rule::SpendThreshold(SpendThreshold { repeat: true, ..each_200 });
    let plan = campaign("sale", Some(100_000));
    shop.publish(Plan::Campaign(CampaignPlan { mechanics: vec![mechanic("more", each_200)], ..plan })).await;
    let lines = vec![line("1", 1, 20_000), line("2", 1, 20_000)];
    shop.run(place("o-1", Mode::Commit, cart(Some("m1"), lines, vec![]))).await.unwrap();
    let cards = shop.grants_of("m1").await;
    assert_eq!(cards.len(), 2);
    for card in &cards {
        let paid = TopUp { grant: card.id.clone(), amount: Minor(5_000), actor: "client:k".into(), reference: None };
        shop.run(paid).await.unwrap().unwrap();
    }
    for (number, given_left) in [("1", 10_000), ("2", 0)] {
        let back = ReturnOrder {
            id: "o-1".into(),
            return_id: format!("r-{number}"),
            lines: vec![(number.into(), 1)],
            reason: "broken".into(),
            store: None,
            business_date: None,
        };
        shop.run(back).await.unwrap();
        let mut left = (0, 0);
        for card in &cards {
            let card = shop.card(&card.id).await;
            left = (left.0 + card.given.0, left.1 + card.paid.0);
        }
        assert_eq!(left, (given_left, 10_000), "after return {number}: given, and what was paid in stays");
    }
    shop.verify().await;
}
