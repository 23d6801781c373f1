//! Vouchers by chance: given, printed, claimed, held, used, let go of, reversed in parts, topped up and run out in any order,
//! under a budget that moves. What is set aside is what the grants say, and every part of the budget adds up.

use crate::{
    dice::{self, Dice},
    support::{Shop, campaign, gift_card, redeem, voucher},
};
use chrono::TimeDelta;
use fanfare_core::{
    ids::{Code, GrantId, MemberId, Name, RedemptionId},
    model::{
        CampaignPlan, Plan, RewardPlan,
        campaign::{Budget, Counted, Limit, OnExhausted, Per},
        reward::{Claim as Claiming, OnReversal},
    },
    money::Minor,
    time::{Every, Span},
};
use fanfare_engine::{
    cards::TopUp,
    grants::Claim,
    prints::Print,
    redemptions::{Commit, Mode, Redeem, Reverse, Void},
};
use fanfare_store::rows::{Grant, Redemption, RedemptionState};

const SEEDS: u64 = 8;
const STEPS: usize = 70;
const MEMBERS: [&str; 3] = ["m1", "m2", "m3"];
const REWARDS: [&str; 6] = ["once", "thrice", "forfeit", "claimed", "card", "scarce"];
/// How many of `scarce` there are.
const SCARCE: i64 = 9;
/// How many of `once` a member may have a day.
const ONCE_MAX: i64 = 3;

struct Day {
    shop: Shop,
    dice: Dice,
    generation: i64,
    limit: i64,
    grants: Vec<GrantId>,
    redemptions: Vec<RedemptionId>,
}

fn rewards() -> Vec<RewardPlan> {
    let mut thrice = voucher("thrice", 1_000, 900);
    thrice.redemption.uses = Some(3);
    let mut forfeit = voucher("forfeit", 1_500, 1_500);
    forfeit.redemption.on_reversal = OnReversal::Forfeit;
    let mut claimed = voucher("claimed", 2_000, 0);
    (claimed.claim, claimed.claim_within) = (Claiming::Manual, Some(Span::days(3)));
    let mut scarce = voucher("scarce", 700, 0);
    scarce.quantity = Some(SCARCE);
    let mut once = voucher("once", 2_500, 2_000);
    once.limits = vec![Limit { count: Counted::Rewards, per: Per::Member, every: Every::Day, max: ONCE_MAX }];
    vec![once, thrice, forfeit, claimed, gift_card("card", 5_000), scarce]
}

fn sale(limit: i64, dice: &mut Dice) -> CampaignPlan {
    let on_exhausted = *dice.pick(&[OnExhausted::Stop, OnExhausted::Stop, OnExhausted::Continue]);
    let per_store = (dice.below(3) > 0).then_some(Minor(limit / 2));
    let per_member = (dice.below(3) > 0).then_some(Minor(limit / 3));
    let budget = Budget { per_store, per_member, on_exhausted, ..Budget::of(Minor(limit)) };
    CampaignPlan { budget: Some(budget), ..campaign("sale", None) }
}

async fn open(seed: u64) -> Day {
    let shop = Shop::open().await;
    for plan in rewards() {
        shop.publish(Plan::Reward(plan)).await;
    }
    let mut dice = Dice::of(seed);
    let limit = *dice.pick(&[40_000, 15_000]);
    shop.publish(Plan::Campaign(sale(limit, &mut dice))).await;
    Day { shop, dice, generation: 1, limit, grants: Vec::new(), redemptions: Vec::new() }
}

impl Day {
    async fn step(&mut self, number: usize) {
        match self.dice.below(16) {
            0..=3 => self.give().await,
            4..=7 => self.redeem().await,
            8 | 9 => self.settle().await,
            10 | 11 => self.reverse(number).await,
            12 => self.claim_or_top_up().await,
            13 => self.change().await,
            14 => self.print().await,
            _ => {
                let minutes = *self.dice.pick(&[3, 11, 24 * 60, 5 * 24 * 60]);
                self.shop.forward(TimeDelta::minutes(minutes));
                if self.dice.below(2) == 0 {
                    self.shop.work().await;
                }
            }
        }
    }

    async fn give(&mut self) {
        let (member, reward) = (*self.dice.pick(&MEMBERS), *self.dice.pick(&REWARDS));
        let campaign = (self.dice.below(4) > 0).then_some("sale");
        let given = self.shop.give(member, reward, 1 + self.dice.below(3), campaign).await;
        self.grants.extend(given.grants);
    }

    async fn print(&mut self) {
        let print = Print {
            reward: (*self.dice.pick(&["once", "thrice", "card"])).into(),
            count: 1 + self.dice.below(3),
            campaign: (self.dice.below(3) > 0).then(|| Name::from("sale")),
            batch: "leaflet".into(),
            part: 1 + self.grants.len() as i64,
            actor: "key:k1".into(),
        };
        if let Ok(part) = self.shop.run(print).await {
            self.grants.extend(part.vouchers.into_iter().map(|voucher| voucher.grant));
        }
    }

    async fn some_grant(&mut self) -> Option<Grant> {
        if self.grants.is_empty() {
            return None;
        }
        let id = self.dice.pick(&self.grants).clone();
        Some(self.shop.grant(&id).await)
    }

    async fn redeem(&mut self) {
        let Some(grant) = self.some_grant().await else { return };
        let code: Code = grant.code.clone().unwrap();
        let member = (self.dice.below(2) == 0).then(|| MemberId::from(*self.dice.pick(&MEMBERS)));
        let amount = match grant.usage.card.is_some() || self.dice.below(3) == 0 {
            true => Some(Minor(1 + self.dice.below(2_000))),
            false => None,
        };
        let mode = *self.dice.pick(&[Mode::Reserve, Mode::Commit]);
        let store = (*self.dice.pick(&["bkk-01", "bkk-02"])).into();
        if let Ok(done) = self.shop.run(Redeem { member, amount, store, ..redeem(&code, mode) }).await {
            self.redemptions.push(done.redemption.id);
        }
    }

    async fn some_redemption(&mut self) -> Option<Redemption> {
        if self.redemptions.is_empty() {
            return None;
        }
        let id = self.dice.pick(&self.redemptions).clone();
        self.shop.store.redemption(&self.shop.ns, &id).await.unwrap()
    }

    async fn settle(&mut self) {
        let Some(Redemption { id, .. }) = self.some_redemption().await else { return };
        match self.dice.below(2) {
            0 => drop(self.shop.run(Commit { id }).await),
            _ => drop(self.shop.run(Void { id }).await),
        }
    }

    async fn reverse(&mut self, number: usize) {
        let Some(was) = self.some_redemption().await else { return };
        let part = Minor(1 + self.dice.below(was.amount.0.max(1)));
        let amount = (self.dice.below(2) == 0).then_some(part);
        let (reversal_id, reason) = (format!("v{number}"), "wrong".to_owned());
        let reverse = Reverse { id: was.id.clone(), reversal_id, reason, amount, store: None };
        let before: Minor = was.reversals.iter().map(|(_, amount, _)| *amount).sum();
        let Ok(Some(done)) = self.shop.run(reverse.clone()).await else { return };
        let after: Minor = done.redemption.reversals.iter().map(|(_, amount, _)| *amount).sum();
        assert!(after > before && after <= was.amount, "{before:?} {after:?} of {was:?}");
        let again = self.shop.run(reverse).await.unwrap().unwrap();
        assert_eq!(again.redemption, done.redemption, "the same reversal again changes nothing");
    }

    async fn claim_or_top_up(&mut self) {
        let Some(grant) = self.some_grant().await else { return };
        if grant.usage.card.is_some() {
            let amount = Minor(1 + self.dice.below(3_000));
            drop(self.shop.run(TopUp { grant: grant.id, amount, actor: "key:k1".into(), reference: None }).await);
        } else {
            drop(self.shop.run(Claim { member: grant.member, grant: grant.id }).await);
        }
    }

    /// The budget is raised or lowered, and its parts come and go.
    async fn change(&mut self) {
        self.generation += 1;
        self.limit = *self.dice.pick(&[8_000, 15_000, 25_000, 60_000]);
        let plan = sale(self.limit, &mut self.dice);
        self.shop.republish(plan, self.generation).await;
    }

    /// What must hold at any moment.
    async fn holds(&self) {
        let (available, reserved, actual) = self.shop.budget("sale").await;
        assert_eq!(available + reserved + actual, self.limit);
        assert!(reserved >= 0 && actual >= 0, "{reserved} {actual}");
        let mut aside = 0;
        for id in &self.grants {
            let grant = self.shop.grant(id).await;
            if grant.campaign.is_some() {
                aside += grant.reserved.0;
            }
            assert!(grant.reserved >= Minor::ZERO && grant.usage.held >= 0 && grant.uses_left >= 0, "{grant:?}");
        }
        assert_eq!(reserved, aside, "what is set aside is what the grants say");
        for part in ["budget-store|sale|", "budget-member|sale|"] {
            let all = self.shop.store.counters(&self.shop.ns, part).await.unwrap();
            let sum: i64 = all.iter().map(|(_, value)| *value).sum();
            assert!(
                all.iter().all(|(_, value)| *value >= 0) && sum <= reserved + actual,
                "{all:?} {reserved} {actual}"
            );
        }
        let (left, given) =
            (self.shop.balance("stock/scarce/available").await, self.shop.balance("stock/scarce/issued").await);
        assert!(left >= 0 && left + given == SCARCE, "{left} {given}");
    }

    /// Everything is reversed and runs out: nothing is set aside or spent.
    async fn close(self) -> usize {
        for (number, id) in self.redemptions.iter().enumerate() {
            let row = self.shop.store.redemption(&self.shop.ns, id).await.unwrap().unwrap();
            match row.state {
                RedemptionState::Reserved => drop(self.shop.run(Void { id: id.clone() }).await.unwrap()),
                RedemptionState::Committed | RedemptionState::PartiallyReversed => {
                    let (reversal_id, reason) = (format!("z{number}"), "all".to_owned());
                    let all = Reverse { id: id.clone(), reversal_id, reason, amount: None, store: None };
                    self.shop.run(all).await.unwrap();
                }
                RedemptionState::Voided | RedemptionState::Lapsed | RedemptionState::Reversed => {}
            }
        }
        self.shop.verify().await;
        self.shop.forward(TimeDelta::days(40));
        self.shop.work().await;
        assert_eq!(self.shop.budget("sale").await, (self.limit, 0, 0));
        assert_eq!(self.shop.balance("cost/sale/rewards").await, 0);
        for part in ["budget-store|sale|", "budget-member|sale|"] {
            let all = self.shop.store.counters(&self.shop.ns, part).await.unwrap();
            assert!(all.iter().all(|(_, value)| *value == 0), "{all:?}");
        }
        assert_eq!(self.shop.balance("giftcards/card/used").await, 0, "what a card paid is on it again, or ran out");
        self.shop.verify().await;
        self.redemptions.len()
    }
}

#[tokio::test]
async fn whatever_happens_to_vouchers_the_budget_and_its_parts_add_up() {
    let mut used = 0;
    let runs = dice::runs(SEEDS, STEPS);
    for seed in runs.seeds() {
        let mut day = open(seed).await;
        for number in 0..runs.steps {
            day.step(number).await;
            day.holds().await;
        }
        used += day.close().await;
        runs.passed(seed);
    }
    assert!(used > 3 * runs.count(), "{used} uses show nothing");
}
