//! `discount`: money off items, directly on the cart.

use super::{
    Basket, Behaviour, Missing, Offer, Scene,
    basket::{CountedBy, Counts, Off as Taken, capped},
    key,
};
use crate::{
    cart::Items,
    money::{BasisPoints, Minor, allocate},
    reason::{Reason, Refusal},
};
use serde::{Deserialize, Serialize};

/// Money off items.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Discount {
    /// How much.
    pub off: Off,
    /// Which items.
    pub items: Items,
    /// Only when these items cost at least so much.
    pub min_spend: Minor,
    /// At most so much, per line, order or member.
    pub max: Option<(Minor, MaxPer)>,
    /// No unit gets cheaper than this, by this or by whatever follows on a line that this takes something off.
    pub floor_price: Minor,
}

/// How much is taken off.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Off {
    /// A share of each line.
    Percent(BasisPoints),
    /// An amount of the items together.
    Amount(Minor),
    /// Each unit costs this, where that is less.
    FixedPrice(Minor),
}

/// What a maximum is meant for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum MaxPer {
    /// Each line.
    Line,
    /// Each order.
    Order,
    /// One member over the whole campaign.
    Member,
}

impl Behaviour for Discount {
    fn kind(&self) -> &'static str {
        "discount"
    }

    fn prices(&self) -> bool {
        true
    }

    fn needs_member(&self) -> bool {
        matches!(self.max, Some((_, MaxPer::Member)))
    }

    fn price(&self, scene: &Scene<'_>, basket: &Basket<'_>) -> Result<Offer, Missing> {
        let meant: Vec<Minor> = basket
            .lines()
            .map(|(line, left)| if self.items.has(line) { left.or_zero() } else { Minor::ZERO })
            .collect();
        let spend: Minor = meant.iter().copied().sum();
        if spend <= Minor::ZERO {
            return Ok(Offer::default());
        }
        if spend < self.min_spend {
            return Ok(refused(below_min_spend(self.min_spend, spend, scene)));
        }
        let shares = self.taken_off(&meant, basket);
        let floors = self.floors(basket);
        let offer = |shares, counts| offer(shares, counts, floors.clone());
        match self.max {
            None => Ok(offer(shares, Vec::new())),
            Some((max, MaxPer::Line)) => {
                Ok(offer(shares.into_iter().map(|share| share.min(max)).collect(), Vec::new()))
            }
            Some((max, MaxPer::Order)) => Ok(offer(capped(shares, max), Vec::new())),
            Some((max, MaxPer::Member)) => self.within_member_max(shares, max, scene, floors.clone()),
        }
    }
}

impl Discount {
    /// What is taken off each line, before any maximum; no unit falls below the floor.
    fn taken_off(&self, meant: &[Minor], basket: &Basket<'_>) -> Vec<Minor> {
        let lines = || meant.iter().zip(&basket.cart.lines);
        let own = meant.iter().zip(self.floors(basket)).map(|(left, floor)| left.minus(floor).or_zero());
        let rooms: Vec<Minor> = own.zip(basket.rooms()).map(|(own, all)| own.min(all)).collect();
        match self.off {
            Off::Percent(share) => meant.iter().zip(&rooms).map(|(left, room)| share.of(*left).min(*room)).collect(),
            Off::Amount(amount) => {
                let most: Minor = rooms.iter().copied().sum();
                allocate(amount.min(most), &rooms.iter().map(|room| room.0).collect::<Vec<_>>())
            }
            Off::FixedPrice(price) => lines()
                .zip(&rooms)
                .map(|((left, line), room)| left.minus(price.times(line.quantity)).or_zero().min(*room))
                .collect(),
        }
    }

    /// What each line must still cost by its own floor.
    fn floors(&self, basket: &Basket<'_>) -> Vec<Minor> {
        basket.cart.lines.iter().map(|line| self.floor_price.times(line.quantity)).collect()
    }

    fn within_member_max(
        &self,
        shares: Vec<Minor>,
        max: Minor,
        scene: &Scene<'_>,
        floors: Vec<Minor>,
    ) -> Result<Offer, Missing> {
        let Some(member) = scene.visit.member() else { return Ok(Offer::default()) };
        let key = key::member(&scene.campaign.name, &scene.mechanic.name, member, "saved");
        let saved = Minor(scene.visit.count(&key)?);
        if saved >= max {
            let detail = format!("At most {} off per member; that is reached.", scene.visit.money(max));
            return Ok(refused(Refusal::new(Reason::LimitReached, detail)));
        }
        let shares = capped(shares, max.minus(saved));
        let delta = shares.iter().copied().sum::<Minor>().0;
        Ok(offer(shares, vec![Counts { key, delta, cap: Some(max.0), by: CountedBy::Amount }], floors))
    }
}

fn offer(shares: Vec<Minor>, counts: Vec<Counts>, floors: Vec<Minor>) -> Offer {
    Offer { discounts: vec![Taken { shares, counts, floors, ..Taken::default() }], ..Offer::default() }
}

fn refused(refusal: Refusal) -> Offer {
    Offer { refusals: vec![(None, refusal)], ..Offer::default() }
}

/// The refusal of a cart that costs too little.
pub(super) fn below_min_spend(least: Minor, spend: Minor, scene: &Scene<'_>) -> Refusal {
    let (more, least) = (scene.visit.money(least.minus(spend)), scene.visit.money(least));
    Refusal::new(Reason::MinSpendNotMet, format!("From {least} on; {more} are missing."))
}
