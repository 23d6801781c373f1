//! A finished price with what it counts, and the counters that taking it, changing it or giving it back moves.

use crate::{
    cart::{Discount, Evaluation},
    ids::Name,
    mechanic::{
        Effect,
        basket::{CountedBy, Counts},
    },
    money::Minor,
};
use serde::{Deserialize, Serialize};
use std::collections::{BTreeMap, BTreeSet};

/// A price with what taking it counts.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Priced {
    /// What the caller sees.
    pub evaluation: Evaluation,
    /// What each campaign that gave something counts and spends.
    pub consumed: Vec<Consumed>,
    /// Campaigns whose budget did not hold something.
    pub exhausted: Vec<Name>,
}

/// What one discount, one earned reward, one mechanic or a campaign as a whole counts.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Consumed {
    /// Which campaign.
    pub campaign: Name,
    /// Which mechanic; nothing for the campaign as a whole.
    pub mechanic: Option<Name>,
    /// Which of `evaluation.discounts`; nothing for what is earned, the mechanic or the campaign as a whole.
    pub discount: Option<usize>,
    /// What its budget has to hold.
    pub amount: Minor,
    /// What it counts.
    pub counts: Vec<Counts>,
}

impl Priced {
    /// The counters that taking this price moves.
    pub fn effects(&self) -> Vec<Effect> {
        let mut moves = Moves::default();
        for counts in self.counts() {
            moves.add(&counts.key, counts.delta, counts.cap);
        }
        moves.into_effects()
    }

    /// The counters that giving all of it back (a void or a lapse) moves. A hold that it used is used up; its units
    /// return to the stock with these.
    pub fn undo(&self) -> Vec<Effect> {
        let mut moves = Moves::default();
        for consumed in &self.consumed {
            let discount = consumed.discount.and_then(|index| self.evaluation.discounts.get(index));
            for counts in &consumed.counts {
                let back = match &counts.by {
                    CountedBy::Order | CountedBy::Amount | CountedBy::Day | CountedBy::Earned(_) => counts.delta,
                    CountedBy::Units(sku) => discount.map_or(counts.delta, |discount| units_of(discount, sku)),
                    CountedBy::Kept => 0,
                };
                moves.add(&counts.key, -back, None);
            }
        }
        moves.into_effects()
    }

    /// What an order that reserved this gives back of it when it is committed as `price`. A hold that `price` does without is
    /// handed back with the units that the order had of it, which stay counted; what the order did without of it is given
    /// back already. Of a late order the holds are over (`holds_over`): their units were taken again, and all are given back.
    #[must_use]
    pub fn to_give_back(&self, price: &Self, holds_over: bool) -> Self {
        let mut back = self.clone();
        for consumed in &mut back.consumed {
            let of = consumed.discount.and_then(|index| self.evaluation.discounts.get(index));
            let Some(discount) = of.filter(|discount| discount.hold.is_some()) else { continue };
            if price.evaluation.discounts.iter().any(|kept| kept.hold == discount.hold) {
                continue;
            }
            consumed.counts.retain(|counts| counts.by != CountedBy::Kept);
            for counts in consumed.counts.iter_mut().filter(|_| holds_over) {
                if let CountedBy::Units(sku) = &counts.by {
                    counts.delta = units_of(discount, sku);
                }
            }
        }
        back
    }

    /// What each campaign's budget has to hold, in the order of their first discount. Vouchers are not in it: what was
    /// issued has its budget already.
    pub fn spends(&self) -> Vec<(Name, Minor)> {
        let mut spends: Vec<(Name, Minor)> = Vec::new();
        for consumed in self.consumed.iter().filter(|consumed| consumed.amount > Minor::ZERO) {
            match spends.iter_mut().find(|(name, _)| *name == consumed.campaign) {
                Some((_, sum)) => *sum = sum.plus(consumed.amount),
                None => spends.push((consumed.campaign.clone(), consumed.amount)),
            }
        }
        spends
    }

    /// Counts no more than what `reserved` has counted: where a limit did not hold that, it does not count this either.
    pub fn count_only(&mut self, reserved: &Self) {
        let keys: BTreeSet<&str> = reserved.counts().map(|counts| counts.key.as_str()).collect();
        for consumed in &mut self.consumed {
            consumed.counts.retain(|counts| keys.contains(counts.key.as_str()));
        }
    }

    fn counts(&self) -> impl Iterator<Item = &Counts> {
        self.consumed.iter().flat_map(|consumed| &consumed.counts)
    }
}

/// Units of an item that a discount priced.
pub(crate) fn units_of(discount: &Discount, sku: &str) -> i64 {
    discount.units.iter().filter(|(of, _)| of == sku).map(|(_, units)| units).sum()
}

/// How far each counter stands higher by what is consumed.
pub(super) fn counted<'a>(consumed: impl Iterator<Item = &'a Consumed>) -> BTreeMap<String, i64> {
    let mut by_key = BTreeMap::new();
    for counts in consumed.flat_map(|consumed| &consumed.counts) {
        *by_key.entry(counts.key.clone()).or_insert(0) += counts.delta;
    }
    by_key
}

/// What is left to count when an order that reserved `reserved` is committed as `price`.
pub fn difference(reserved: &Priced, price: &Priced) -> Vec<Effect> {
    let mut moves = Moves::default();
    for counts in price.counts() {
        moves.add(&counts.key, counts.delta, counts.cap);
    }
    for counts in reserved.counts() {
        moves.add(&counts.key, -counts.delta, None);
    }
    moves.into_effects()
}

/// Counters moved, each once, in the order of their first move.
#[derive(Default)]
pub(crate) struct Moves {
    order: Vec<String>,
    by_key: BTreeMap<String, (i64, Option<i64>)>,
}

impl Moves {
    pub(crate) fn add(&mut self, key: &str, delta: i64, cap: Option<i64>) {
        if !self.by_key.contains_key(key) {
            self.order.push(key.to_owned());
        }
        let (sum, least) = self.by_key.entry(key.to_owned()).or_insert((0, None));
        *sum += delta;
        *least = [*least, cap].into_iter().flatten().min();
    }

    /// Those that really move. Giving back is never capped.
    pub(crate) fn into_effects(self) -> Vec<Effect> {
        let Self { order, by_key } = self;
        order
            .into_iter()
            .filter_map(|key| {
                let (delta, cap) = by_key.get(&key).copied()?;
                let cap = cap.filter(|_| delta > 0);
                (delta != 0).then_some(Effect::Count { key, delta, cap })
            })
            .collect()
    }
}
