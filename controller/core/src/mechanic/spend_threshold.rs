//! `spendThreshold`: something for spending enough, in one order or over the campaign.

use super::{
    Basket, Behaviour, Clawback, Effect, Goal, Happened, Missing, Offer, Outcome, Paid, Returned, Scene, Undone, Unit,
    basket::{EarnedOffer, Off},
    discount::below_min_spend,
    key,
};
use crate::{
    decide,
    ids::{MemberId, Name},
    money::{BasisPoints, Minor, allocate},
    segment::ORDER_PAID,
};
use serde::{Deserialize, Serialize};

/// Something for spending enough.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct SpendThreshold {
    /// Which spend counts.
    pub basis: Basis,
    /// Of one order or of all orders in the campaign.
    pub per: SpendPer,
    /// Which of the tiers reached are given.
    pub award: Award,
    /// Given again for each further multiple of the highest tier's spend.
    pub repeat: bool,
    /// By ascending spend.
    pub tiers: Vec<Tier>,
}

/// Which spend counts.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Basis {
    /// What the items cost.
    BeforeDiscounts,
    /// What is left of it when this mechanic's turn comes.
    AfterDiscounts,
}

/// Over what spend is summed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum SpendPer {
    /// One order.
    Order,
    /// All orders of the member in the campaign; such a tier gives rewards, no money off.
    Campaign,
}

/// Which of the tiers reached are given.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Award {
    /// The highest.
    Highest,
    /// Each.
    All,
}

/// What is given from which spend.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Tier {
    /// From here.
    pub spend: Minor,
    /// What.
    pub gives: Gives,
}

/// What a tier gives.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Gives {
    /// A reward, when the order is committed.
    Reward(Name),
    /// Money off this order.
    AmountOff(Minor),
    /// A share off this order.
    PercentOff(BasisPoints),
}

impl Behaviour for SpendThreshold {
    fn kind(&self) -> &'static str {
        "spendThreshold"
    }

    fn prices(&self) -> bool {
        self.per == SpendPer::Order
    }

    fn price(&self, scene: &Scene<'_>, basket: &Basket<'_>) -> Result<Offer, Missing> {
        if self.per == SpendPer::Campaign {
            return Ok(Offer::default());
        }
        let counted: Vec<Minor> = basket
            .lines()
            .map(|(line, left)| match self.basis {
                Basis::BeforeDiscounts => line.total(),
                Basis::AfterDiscounts => left,
            })
            .collect();
        let spend: Minor = counted.iter().copied().sum();
        let given = self.given_for(spend);
        if given.is_empty() {
            let next = self.tiers.first().filter(|_| spend > Minor::ZERO);
            let refusals = next.map(|tier| (None, below_min_spend(tier.spend, spend, scene))).into_iter().collect();
            return Ok(Offer { refusals, ..Offer::default() });
        }
        let mut offer = Offer::default();
        let mut left = basket.left.clone();
        for (tier, times) in given {
            match &tier.gives {
                Gives::Reward(reward) => offer.earned.push(EarnedOffer {
                    reward: reward.clone(),
                    quantity: times,
                    threshold: tier.spend,
                    counted: counted.clone(),
                }),
                Gives::AmountOff(amount) => {
                    let most: Minor = left.iter().copied().sum();
                    let weights: Vec<i64> = left.iter().map(|line| line.0).collect();
                    subtract(&mut left, &allocate(amount.times(times).min(most), &weights));
                }
                // A share repeated would soon be more than the whole, so it is given once.
                Gives::PercentOff(share) => {
                    let off: Vec<Minor> = left.iter().map(|line| share.of(*line).min(*line)).collect();
                    subtract(&mut left, &off);
                }
            }
        }
        let shares: Vec<Minor> = basket.left.iter().zip(&left).map(|(before, after)| before.minus(*after)).collect();
        if shares.iter().any(|share| *share > Minor::ZERO) {
            offer.discounts.push(Off { shares, ..Off::default() });
        }
        Ok(offer)
    }

    fn on_event(&self, scene: &Scene<'_>, happened: &Happened<'_>) -> Result<Option<Outcome>, Missing> {
        let (Some(paid), Some(member)) = (happened.paid, scene.visit.member()) else { return Ok(None) };
        if happened.kind != ORDER_PAID {
            return Ok(None);
        }
        match self.per {
            SpendPer::Campaign => self.counts_order(scene, member, self.basis_of(&paid), happened.grants).map(Some),
            SpendPer::Order if paid.evaluated || !happened.grants => Ok(None),
            SpendPer::Order => self.reported_order(scene, self.basis_of(&paid)),
        }
    }

    fn on_return(&self, scene: &Scene<'_>, returned: &Returned) -> Result<Undone, Missing> {
        let Some(member) = scene.visit.member() else { return Ok(Undone::default()) };
        match self.per {
            SpendPer::Campaign => self.takes_back(scene, member, returned),
            // Of an evaluated order `crate::returns` knows what it earned.
            SpendPer::Order if returned.was.evaluated => Ok(Undone::default()),
            SpendPer::Order => Ok(self.reported_return(scene, returned)),
        }
    }

    fn progress(&self, scene: &Scene<'_>) -> Result<Vec<Goal>, Missing> {
        let (SpendPer::Campaign, Some(member)) = (self.per, scene.visit.member()) else { return Ok(Vec::new()) };
        let spend = scene.visit.count(&spend_key(scene, member))?;
        let goal = |tier: &Tier| {
            let name = match &tier.gives {
                Gives::Reward(reward) => reward.to_string(),
                Gives::AmountOff(amount) => scene.visit.money(*amount),
                Gives::PercentOff(share) => share.to_string(),
            };
            Goal::new(name, spend, tier.spend.0, Unit::Money)
        };
        Ok(self.tiers.iter().map(goal).collect())
    }
}

impl SpendThreshold {
    fn basis_of(&self, paid: &Paid) -> Minor {
        match self.basis {
            Basis::BeforeDiscounts => paid.before,
            Basis::AfterDiscounts => paid.after,
        }
    }

    /// How often a tier is due for a spend: once, or with `repeat` once for each multiple of the highest tier.
    fn times(&self, tier: &Tier, spend: Minor) -> i64 {
        let is_top = self.tiers.last().is_some_and(|top| top.spend == tier.spend);
        let multiples = spend.0.max(0) / tier.spend.0.max(1);
        if self.repeat && is_top { multiples } else { multiples.min(1) }
    }

    /// The tiers that a spend gives, each with how often.
    fn given_for(&self, spend: Minor) -> Vec<(&Tier, i64)> {
        let mut reached = self.tiers.iter().map(|tier| (tier, self.times(tier, spend))).filter(|(_, times)| *times > 0);
        match self.award {
            Award::All => reached.collect(),
            Award::Highest => reached.next_back().into_iter().collect(),
        }
    }

    /// Adds an order to the member's spend in the campaign and gives what is due and was not given yet.
    fn counts_order(
        &self,
        scene: &Scene<'_>,
        member: &MemberId,
        amount: Minor,
        grants: bool,
    ) -> Result<Outcome, Missing> {
        let key = spend_key(scene, member);
        let spend = Minor(scene.visit.count(&key)?).plus(amount);
        let mut outcome = Outcome { outcome: "progressed".into(), effects: Vec::new(), takes_part: true };
        outcome.effects.push(Effect::Count { key, delta: amount.0, cap: None });
        if !grants {
            return Ok(outcome);
        }
        let mut spent = Minor::ZERO;
        for (tier, times) in self.given_for(spend) {
            let Gives::Reward(reward) = &tier.gives else { continue };
            let given_key = given_key(scene, member, tier);
            let due = times - scene.visit.count(&given_key)?;
            if due <= 0 || (self.award == Award::Highest && self.higher_given(scene, member, tier)?) {
                continue;
            }
            // What is out of stock or budget now stays due: the next order asks again.
            if let Ok(effects) = decide::grant(scene, reward, due, spent)? {
                spent = spent.plus(cost_of(scene, reward, due));
                outcome.effects.push(Effect::Count { key: given_key, delta: due, cap: None });
                outcome.effects.extend(effects);
                outcome.outcome = "completed".into();
            }
        }
        Ok(outcome)
    }

    /// Whether a tier above was given, which then stands for the lower ones too.
    fn higher_given(&self, scene: &Scene<'_>, member: &MemberId, tier: &Tier) -> Result<bool, Missing> {
        for above in self.tiers.iter().filter(|above| above.spend > tier.spend) {
            if scene.visit.count(&given_key(scene, member, above))? > 0 {
                return Ok(true);
            }
        }
        Ok(false)
    }

    fn takes_back(&self, scene: &Scene<'_>, member: &MemberId, returned: &Returned) -> Result<Undone, Missing> {
        let back = self.basis_of(&returned.prior).minus(self.basis_of(&returned.left)).or_zero();
        let key = spend_key(scene, member);
        let spend = Minor(scene.visit.count(&key)?);
        let back = back.min(spend.or_zero());
        let mut undone = Undone::default();
        if back > Minor::ZERO {
            undone.effects.push(Effect::Count { key, delta: -back.0, cap: None });
        }
        for tier in &self.tiers {
            let Gives::Reward(reward) = &tier.gives else { continue };
            let given_key = given_key(scene, member, tier);
            let too_many = scene.visit.count(&given_key)? - self.times(tier, spend.minus(back));
            if too_many > 0 {
                let mut clawback = clawback(scene, self.per, reward, too_many);
                clawback.each.push(Effect::Count { key: given_key, delta: -1, cap: None });
                undone.clawbacks.push(clawback);
            }
        }
        Ok(undone)
    }

    /// An order that a till only reports earns its rewards now; money off it is too late for.
    fn reported_order(&self, scene: &Scene<'_>, spend: Minor) -> Result<Option<Outcome>, Missing> {
        let mut effects = Vec::new();
        let mut spent = Minor::ZERO;
        for (tier, times) in self.given_for(spend) {
            let Gives::Reward(reward) = &tier.gives else { continue };
            if let Ok(granted) = decide::grant(scene, reward, times, spent)? {
                spent = spent.plus(cost_of(scene, reward, times));
                effects.extend(granted);
            }
        }
        let outcome = Outcome { outcome: "completed".into(), effects, takes_part: true };
        Ok((!outcome.effects.is_empty()).then_some(outcome))
    }

    fn reported_return(&self, scene: &Scene<'_>, returned: &Returned) -> Undone {
        let [was, prior, left] = [returned.was, returned.prior, returned.left].map(|paid| self.basis_of(&paid));
        let mut clawbacks = Vec::new();
        for (tier, times) in self.given_for(was) {
            let Gives::Reward(reward) = &tier.gives else { continue };
            let lost = self.times(tier, prior).min(times) - self.times(tier, left).min(times);
            if lost > 0 {
                clawbacks.push(clawback(scene, self.per, reward, lost));
            }
        }
        Undone { effects: Vec::new(), clawbacks }
    }
}

fn subtract(left: &mut [Minor], off: &[Minor]) {
    for (line, off) in left.iter_mut().zip(off) {
        *line = line.minus(*off);
    }
}

fn cost_of(scene: &Scene<'_>, reward: &Name, quantity: i64) -> Minor {
    let world = scene.visit.world;
    world.catalogue.reward(reward).map_or(Minor::ZERO, |plan| crate::reward::cost(plan, world.runtime).times(quantity))
}

fn clawback(scene: &Scene<'_>, per: SpendPer, reward: &Name, quantity: i64) -> Clawback {
    let (campaign, mechanic) = (scene.campaign.name.clone(), scene.mechanic.name.clone());
    let together = per == SpendPer::Campaign;
    Clawback { campaign, mechanic, reward: reward.clone(), quantity, together, each: Vec::new() }
}

fn spend_key(scene: &Scene<'_>, member: &MemberId) -> String {
    key::member(&scene.campaign.name, &scene.mechanic.name, member, "spend")
}

/// By its spend, so that adding or reordering tiers moves no counter to another.
fn given_key(scene: &Scene<'_>, member: &MemberId, tier: &Tier) -> String {
    key::member(&scene.campaign.name, &scene.mechanic.name, member, &format!("given:{}", tier.spend.0))
}
