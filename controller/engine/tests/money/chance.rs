//! Orders by chance: reserved, changed, committed, voided, lapsed, committed late and given back in any order, against a
//! naive account of what a shopper paid and got back. The same seed, the same day at the till.

use crate::{
    dice::{self, Dice},
    support::{Shop, campaign, cart, gift_card, line, mechanic, percent_off, place, points, reward_from, voucher},
};
use chrono::TimeDelta;
use fanfare_core::{
    cart::{Cart, Line},
    ids::OrderId,
    mechanic::{
        Rule,
        flash_sale::{FlashSale, Item},
        key,
    },
    model::{
        Plan, RewardPlan,
        campaign::{Budget, Counted, Limit, Per},
        reward::{CodeRule, CodeSource},
    },
    money::Minor,
    reason::Reason,
    time::{Clock, Every, Span, Ts},
    uses::Card,
};
use fanfare_engine::{
    orders::{Booking, CommitOrder, ReturnOrder, VoidOrder},
    redemptions::Mode,
};
use fanfare_store::{
    Page,
    rows::{Grant, GrantState, Order, OrderState},
};
use std::collections::BTreeMap;

/// A budget that is never used up, and one that is used up all the time.
const LIMITS: [i64; 2] = [400_000, 50_000];
const PER_STORE: i64 = 90_000;
const PER_MEMBER: i64 = 60_000;
/// How many of the reward for spending much a member may have.
const THANKS_MAX: i64 = 4;
/// What is on each member's gift card.
const CARD: i64 = 20_000;
/// How many units the flash sale has.
const FLASH: i64 = 24;
/// How often the code for everybody can be used.
const POSTERS: i64 = 10;
const SEEDS: u64 = 12;
const STEPS: usize = 60;

/// What a till remembers of an order.
struct Told {
    /// When it was placed.
    at: Ts,
    /// Units of each line that came back.
    back: BTreeMap<String, i64>,
    refunds: i64,
    returns: usize,
}

/// A day at the tills.
struct Day {
    shop: Shop,
    limit: i64,
    /// Whether there are a flash sale and a code for everybody, too.
    with_more: bool,
    dice: Dice,
    told: BTreeMap<String, Told>,
}

async fn open(seed: u64) -> Day {
    let shop = Shop::open().await;
    let limit = LIMITS[usize::from(seed % 3 == 2)];
    // Who estimates a voucher too low spends more than is set aside; a tight budget shows that nothing else does.
    let estimate = if limit == LIMITS[0] { 2_000 } else { 2_500 };
    shop.publish(Plan::Reward(voucher("coupon", 2_500, estimate))).await;
    let mut thanks = points("thanks", 50);
    thanks.limits = vec![Limit { count: Counted::Rewards, per: Per::Member, every: Every::Lifetime, max: THANKS_MAX }];
    shop.publish(Plan::Reward(thanks)).await;
    let mut plan = campaign("half", None);
    plan.budget = Some(Budget {
        per_store: Some(Minor(PER_STORE)),
        per_member: Some(Minor(PER_MEMBER)),
        ..Budget::of(Minor(limit))
    });
    plan.mechanics = vec![mechanic("off", percent_off("33.33%")), mechanic("more", reward_from(9_000, "thanks"))];
    if seed % 2 == 1 {
        plan.mechanics.insert(0, mechanic("flash", flash_sale()));
        shop.publish(Plan::Reward(poster())).await;
    }
    shop.publish(Plan::Campaign(plan)).await;
    let mut card = gift_card("card", CARD);
    card.validity.lasts = None;
    shop.publish(Plan::Reward(card)).await;
    for member in ["m1", "m2", "m3"] {
        shop.voucher(member, "card", None).await;
    }
    Day { shop, limit, with_more: seed % 2 == 1, dice: Dice::of(seed), told: BTreeMap::new() }
}

/// Few of one item, at a price of their own.
fn flash_sale() -> Rule {
    let item = Item { sku: "SKU-1".into(), price: Minor(1_000), stock: FLASH, stock_per_store: None };
    Rule::FlashSale(FlashSale { items: vec![item], per_member: Some(FLASH / 2), reserve_for: Span::seconds(600) })
}

/// A code that everybody types.
fn poster() -> RewardPlan {
    let codes = CodeRule { source: CodeSource::Shared("POSTER".into()), ..CodeRule::default() };
    let limits = vec![Limit { count: Counted::Rewards, per: Per::Member, every: Every::Lifetime, max: POSTERS / 2 }];
    RewardPlan { codes, limits, quantity: Some(POSTERS), ..voucher("poster", 700, 0) }
}

impl Day {
    fn lines(&mut self) -> Vec<Line> {
        let count = 1 + self.dice.below(4);
        (0..count).map(|n| line(&n.to_string(), 1 + self.dice.below(4), self.dice.below(5_000))).collect()
    }

    async fn order(&self, id: &str) -> Order {
        self.shop.store.order(&self.shop.ns, &id.into()).await.unwrap().unwrap()
    }

    async fn step(&mut self, number: usize) {
        let known: Vec<String> = self.told.keys().cloned().collect();
        let any = self.dice.below(10);
        if known.is_empty() || any < 3 {
            return self.place(number).await;
        }
        let id = known[usize::try_from(self.dice.below(known.len() as i64)).unwrap()].clone();
        match any {
            3 | 4 => self.commit(&id).await,
            5 => drop(self.shop.run(VoidOrder { id: id.as_str().into() }).await),
            6 => {
                self.shop.forward(TimeDelta::minutes(self.dice.below(12)));
                self.shop.work().await;
            }
            _ => self.give_back(&id, number).await,
        }
    }

    async fn place(&mut self, number: usize) {
        let member = ["m1", "m2", "m3"][usize::try_from(self.dice.below(3)).unwrap()];
        let mut codes = Vec::new();
        if self.dice.below(3) == 0 {
            let given = self.shop.give(member, "coupon", 1, Some("half")).await;
            for id in given.grants {
                codes.extend(self.shop.grant(&id).await.code);
            }
        }
        if self.dice.below(3) == 0 {
            codes.extend(self.card(member).await.code);
        }
        if self.with_more && self.dice.below(3) == 0 {
            codes.push("POSTER".into());
        }
        let (id, mode) = (format!("o{number}"), if self.dice.below(3) > 0 { Mode::Commit } else { Mode::Reserve });
        let cart = cart(Some(member), self.lines(), codes);
        let at = self.shop.clock.now();
        // A voucher may take nothing off a cart that is free already: then the order is refused, and nothing is there.
        if let Ok(placed) = self.shop.run(place(&id, mode, cart)).await {
            let again = self.shop.run(place(&id, mode, placed.order.cart.clone())).await.unwrap();
            assert_eq!(again.order, placed.order, "the same order again changes nothing");
            self.told.insert(id, Told { at, back: BTreeMap::new(), refunds: 0, returns: 0 });
        }
    }

    /// The member's gift card.
    async fn card(&self, member: &str) -> Grant {
        self.grants(member).await.into_iter().find(|grant| grant.usage.card.is_some()).unwrap()
    }

    async fn commit(&mut self, id: &str) {
        let order = self.order(id).await;
        let mut cart: Option<Cart> = None;
        if self.dice.below(2) == 0 && order.cart.lines.len() > 1 {
            let mut smaller = order.cart.clone();
            smaller.lines.remove(0);
            cart = Some(smaller);
        }
        let occurred_at = (self.dice.below(2) == 0).then(|| self.told[id].at);
        let commit = CommitOrder { id: id.into(), cart, receipt_number: None, business_date: None, occurred_at };
        let answer = self.shop.run(commit).await;
        if order.state == OrderState::Reserved && order.expires_at.unwrap() > self.shop.clock.now() {
            // Only a voucher that a smaller cart has no use for refuses it.
            assert!(answer.as_ref().is_err_and(|no| no.refusal.reason == Reason::OrderRefused) || answer.is_ok());
        }
        if let Ok(Some(done)) = answer {
            let (before, after) = (order.evaluation.discount, done.order.evaluation.discount);
            assert!(after <= before, "{id}: within what was reserved: {before:?} {after:?}");
        }
    }

    async fn give_back(&mut self, id: &str, number: usize) {
        let order = self.order(id).await;
        let line = &order.cart.lines[usize::try_from(self.dice.below(order.cart.lines.len() as i64)).unwrap()];
        let quantity = 1 + self.dice.below(3);
        let back = ReturnOrder {
            id: id.into(),
            return_id: format!("r{number}"),
            lines: vec![(line.id.clone(), quantity)],
            reason: "size".into(),
            store: None,
            business_date: None,
        };
        let told = self.told.get_mut(id).unwrap();
        let before = told.back.get(&line.id).copied().unwrap_or(0);
        let sold = matches!(order.state, OrderState::Committed | OrderState::PartiallyReturned | OrderState::Returned);
        match self.shop.run(back.clone()).await {
            Err(refused) => {
                assert!(!sold || before + quantity > line.quantity, "{id}: {refused:?}");
                assert_eq!(self.order(id).await, order, "a refused return changes nothing");
            }
            Ok(answer) => {
                assert!(sold && before + quantity <= line.quantity, "{id}");
                let now = answer.unwrap().order;
                let payable = order.evaluation.lines.iter().find(|of| of.id == line.id).unwrap().payable.0;
                let due = part(payable, before + quantity, line.quantity) - part(payable, before, line.quantity);
                assert_eq!(now.returns.last().unwrap().refund, Minor(due), "{id}: {line:?} of {payable}");
                told.back.insert(line.id.clone(), before + quantity);
                told.refunds += due;
                told.returns += 1;
                let again = self.shop.run(back.clone()).await.unwrap().unwrap();
                assert_eq!(again.order, now, "the same return again changes nothing");
                let other = ReturnOrder { reason: "colour".into(), ..back };
                let refused = self.shop.run(other).await.unwrap_err();
                assert_eq!(refused.refusal.reason, Reason::ReturnIdReused);
            }
        }
    }

    /// What must hold at any moment.
    async fn holds(&self) {
        let (available, reserved, actual) = self.shop.budget("half").await;
        assert_eq!(available + reserved + actual, self.limit);
        assert!(available >= 0 && reserved >= 0 && actual >= 0, "{available} {reserved} {actual}");
        let (mut revenue, mut shares, mut unfunded) = (0, 0, 0);
        for (id, told) in &self.told {
            let order = self.order(id).await;
            let refunds: Minor = order.returns.iter().map(|back| back.refund).sum();
            assert_eq!((order.returns.len(), refunds), (told.returns, Minor(told.refunds)), "{id}");
            let evaluation = &order.evaluation;
            assert_eq!(evaluation.payable.plus(evaluation.paid).plus(evaluation.discount), evaluation.total);
            assert!(evaluation.lines.iter().all(|line| line.payable >= Minor::ZERO));
            if matches!(order.state, OrderState::Committed | OrderState::PartiallyReturned | OrderState::Returned) {
                let to_cards: Minor = order.returns.iter().map(|back| back.paid).sum();
                revenue += evaluation.price().0 - told.refunds - to_cards.0;
                let spends = Booking::of(&order).spends;
                unfunded += spends.iter().filter(|spend| !spend.funded).map(|spend| spend.amount.0).sum::<i64>();
            }
        }
        assert_eq!(self.shop.balance("sales/half/revenue").await, revenue);
        for (prefix, cap) in [("budget-store|half|", PER_STORE), ("budget-member|half|", PER_MEMBER)] {
            let all = self.shop.store.counters(&self.shop.ns, prefix).await.unwrap();
            let most = cap + self.underestimated().await;
            assert!(all.iter().all(|(_, value)| (0..=most).contains(value)), "{all:?}");
            if prefix.starts_with("budget-member") {
                shares = all.iter().map(|(_, value)| *value).sum();
            }
        }
        // A late order whose budget was gone counts for its member all the same.
        assert!(shares <= reserved + actual + unfunded, "members have {shares} of {}", reserved + actual);
        self.no_limit_is_broken().await;
        let stock: Vec<i64> =
            self.flash().await.into_iter().filter(|(key, _)| !key.contains("|m")).map(|(_, n)| n).collect();
        assert!(stock.iter().all(|sold| (0..=FLASH).contains(sold)), "{stock:?}");
        let (left, given) =
            (self.shop.balance("stock/poster/available").await, self.shop.balance("stock/poster/issued").await);
        assert!(!self.with_more || (left >= 0 && left + given == POSTERS), "{left} {given}");
    }

    /// What the flash sale counts.
    async fn flash(&self) -> Vec<(String, i64)> {
        let all = self.shop.store.counters(&self.shop.ns, "").await.unwrap();
        all.into_iter().filter(|(key, _)| key.contains("|half|flash|")).collect()
    }

    /// Nobody holds more of a reward than its limit, and its counter says how many.
    async fn no_limit_is_broken(&self) {
        for member in ["m1", "m2", "m3"] {
            let live = |grant: &&Grant| grant.terms.name.as_str() == "thanks" && grant.state != GrantState::Revoked;
            let held = self.grants(member).await.iter().filter(live).count();
            let counted =
                self.shop.counter(&key::reward_limit(&"thanks".into(), &format!("member:{member}"), "ever")).await;
            assert!(i64::try_from(held).unwrap() <= counted && counted <= THANKS_MAX, "{member}: {held} of {counted}");
        }
    }

    /// What used vouchers gave beyond their estimate.
    async fn underestimated(&self) -> i64 {
        let mut used = 0;
        for member in ["m1", "m2", "m3"] {
            let is_used = |grant: &&Grant| grant.terms.name.as_str() == "coupon" && grant.state == GrantState::Redeemed;
            used += self
                .grants(member)
                .await
                .iter()
                .filter(is_used)
                .map(|grant| 2_500 - grant.terms.unit_cost.0)
                .sum::<i64>();
        }
        used
    }

    async fn grants(&self, member: &str) -> Vec<Grant> {
        let page = Page { after: None, limit: 500 };
        self.shop.store.grants_of(&self.shop.ns, &member.into(), None, page).await.unwrap()
    }

    /// Everything comes back: nothing is left of it.
    async fn close(self) -> usize {
        self.shop.forward(TimeDelta::minutes(16));
        self.shop.work().await;
        let orders: Vec<String> = self.told.keys().cloned().collect();
        for (number, id) in orders.iter().enumerate() {
            let order = self.order(id).await;
            if order.state == OrderState::Lapsed || order.state == OrderState::Voided {
                continue;
            }
            let told = &self.told[id];
            let left = |line: &Line| line.quantity - told.back.get(&line.id).copied().unwrap_or(0);
            let lines: Vec<(String, i64)> =
                order.cart.lines.iter().map(|line| (line.id.clone(), left(line))).filter(|(_, n)| *n > 0).collect();
            if !lines.is_empty() {
                let back = ReturnOrder {
                    id: OrderId::from(id.as_str()),
                    return_id: format!("z{number}"),
                    lines,
                    reason: "all".into(),
                    store: None,
                    business_date: None,
                };
                self.shop.run(back).await.unwrap();
            }
            let order = self.order(id).await;
            assert_eq!(order.state, OrderState::Returned);
            let refunds: Minor = order.returns.iter().map(|back| back.refund).sum();
            assert_eq!(refunds, order.evaluation.payable, "{id}: what was paid is given back exactly");
        }
        assert_eq!(self.shop.balance("sales/half/revenue").await, 0);
        for member in ["m1", "m2", "m3"] {
            let card = self.card(member).await;
            assert_eq!(card.usage.card, Some(Card::of(Minor(CARD))), "{member}: what a card paid is on it again");
        }
        assert_eq!(self.shop.balance("giftcards/card/used").await, 0);
        assert_eq!(self.shop.balance("cost/half/discounts").await, 0);
        // Vouchers that were given and are not used hold what is set aside; points that nobody holds any more cost nothing.
        let mut aside = 0;
        for member in ["m1", "m2", "m3"] {
            for grant in self.grants(member).await {
                aside += grant.reserved.0;
                assert!(grant.reserved == Minor::ZERO || grant.state == GrantState::Claimed, "{grant:?}");
            }
            assert_eq!(self.shop.points(member).await, 0, "{member}");
        }
        assert_eq!(self.shop.budget("half").await, (self.limit - aside, aside, 0));
        assert!(self.flash().await.iter().all(|(_, sold)| *sold == 0), "{:?}", self.flash().await);
        if self.with_more {
            assert_eq!(self.shop.balance("stock/poster/available").await, POSTERS, "each use came back");
            let uses = self.shop.store.counters(&self.shop.ns, "limit-reward|poster|").await.unwrap();
            assert!(uses.iter().all(|(_, uses)| *uses == 0), "{uses:?}");
        }
        let members = self.shop.store.counters(&self.shop.ns, "budget-member|half|").await.unwrap();
        assert_eq!(members.iter().map(|(_, value)| *value).sum::<i64>(), aside);
        self.shop.verify().await;
        self.told.values().map(|told| told.returns).sum()
    }
}

/// What `units` of a line cost of what all of it costs, rounded half up.
fn part(whole: i64, units: i64, all: i64) -> i64 {
    (2 * whole * units + all).div_euclid(2 * all)
}

#[tokio::test]
async fn whatever_happens_at_the_tills_money_adds_up_and_comes_back_exactly() {
    let mut returns = 0;
    let runs = dice::runs(SEEDS, STEPS);
    for seed in runs.seeds() {
        let mut day = open(seed).await;
        for number in 0..runs.steps {
            day.step(number).await;
            day.holds().await;
        }
        returns += day.close().await;
        runs.passed(seed);
    }
    assert!(returns > 3 * runs.count(), "{returns} returns show nothing");
}
