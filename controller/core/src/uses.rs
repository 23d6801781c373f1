//! What of a grant is used: which uses of a voucher with several, and what is on a gift card.
//!
//! A grant that is used once needs none of this: its state says it all. Values only; the ledger's entries are the engine's.

use crate::money::{Minor, portion};
use serde::{Deserialize, Serialize};
use std::collections::BTreeSet;

/// The most uses of one voucher.
pub const USES_MAX: i64 = 100;

/// What of a grant is used that can be used more than once.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct Usage {
    /// The places of the uses that hold it or have used it, where they are numbered: 1 to the number of uses.
    #[serde(skip_serializing_if = "BTreeSet::is_empty")]
    pub taken: BTreeSet<i64>,
    /// The place of the last use, where there is no end of them.
    pub last: i64,
    /// How many uses are only held.
    pub held: i64,
    /// How many have used it.
    pub used: i64,
    /// What is on it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub card: Option<Card>,
}

impl Usage {
    /// Takes the lowest free place of `uses`; without an end of them, the next. Nothing when all are taken.
    pub fn take(&mut self, uses: Option<i64>) -> Option<i64> {
        let place = match uses {
            None => {
                self.last += 1;
                self.last
            }
            Some(uses) => {
                let free = (1..=uses.min(USES_MAX)).find(|place| !self.taken.contains(place))?;
                self.taken.insert(free);
                free
            }
        };
        self.held += 1;
        Some(place)
    }

    /// A held use is used for good.
    pub fn settle(&mut self) {
        self.held = (self.held - 1).max(0);
        self.used += 1;
    }

    /// A held use is let go of.
    pub fn let_go(&mut self, place: i64) {
        self.taken.remove(&place);
        self.held = (self.held - 1).max(0);
    }

    /// A use is undone; its place is free again where the voucher `restores`.
    pub fn undo(&mut self, place: i64, restores: bool) {
        self.used = (self.used - 1).max(0);
        if restores {
            self.taken.remove(&place);
        }
    }
}

/// What is on a gift card, in two parts: what was given with it, and what was paid in. What was given is spent first, and
/// comes back last, so that in any order of uses and reversals each part is what it would be had the undone never been.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Card {
    /// Left of what was given.
    pub given: Minor,
    /// Left of what was paid in.
    pub paid: Minor,
    /// Spent of what was given.
    pub given_used: Minor,
    /// Spent of what was paid in.
    pub paid_used: Minor,
    /// What reservations hold of it.
    pub held: Minor,
}

impl Card {
    /// A new card.
    pub fn of(given: Minor) -> Self {
        Self { given, ..Self::default() }
    }

    /// What is on it, held or not.
    pub fn balance(&self) -> Minor {
        self.given.plus(self.paid)
    }

    /// What may still be used.
    pub fn free(&self) -> Minor {
        self.balance().minus(self.held).or_zero()
    }

    /// Puts money on it.
    pub fn pay_in(&mut self, amount: Minor) {
        self.paid = self.paid.plus(amount);
    }

    /// Spends `amount`, at most the balance; answers how much of it was given rather than paid in.
    pub fn spend(&mut self, amount: Minor) -> Minor {
        let given = amount.min(self.given);
        let paid = amount.minus(given).min(self.paid);
        (self.given, self.given_used) = (self.given.minus(given), self.given_used.plus(given));
        (self.paid, self.paid_used) = (self.paid.minus(paid), self.paid_used.plus(paid));
        given
    }

    /// Takes back what was spent; answers how much of it was given rather than paid in.
    pub fn put_back(&mut self, amount: Minor) -> Minor {
        let paid = amount.min(self.paid_used);
        let given = amount.minus(paid).min(self.given_used);
        (self.paid, self.paid_used) = (self.paid.plus(paid), self.paid_used.minus(paid));
        (self.given, self.given_used) = (self.given.plus(given), self.given_used.minus(given));
        given
    }

    /// Empties it: its time is over. Answers what was on it.
    pub fn run_out(&mut self) -> Minor {
        let rest = self.balance();
        (self.given, self.paid, self.held) = (Minor::ZERO, Minor::ZERO, Minor::ZERO);
        rest
    }
}

/// The share of `reserved` that one more use of `left` takes; the last takes all.
pub fn share_of(reserved: Minor, used: i64, left: i64) -> Minor {
    if used >= left { reserved } else { portion(reserved, used, left) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[derive(Clone, Copy, Debug)]
    enum Step {
        PayIn(i64),
        Spend(i64),
        PutBack(i64),
    }

    fn step() -> impl Strategy<Value = Step> {
        prop_oneof![
            (1..500_i64).prop_map(Step::PayIn),
            (1..500_i64).prop_map(Step::Spend),
            (1..500_i64).prop_map(Step::PutBack),
        ]
    }

    proptest! {
        #[test]
        fn what_was_put_on_a_card_is_on_it_or_spent(amount in 1..1_000_i64, steps in prop::collection::vec(step(), 0..40)) {
            let mut card = Card::of(Minor(amount));
            let (mut paid_in, mut cost) = (0, 0);
            for step in steps {
                match step {
                    Step::PayIn(more) => {
                        card.pay_in(Minor(more));
                        paid_in += more;
                    }
                    Step::Spend(want) => cost += card.spend(Minor(want).min(card.free())).0,
                    Step::PutBack(want) => {
                        let spent = card.given_used.plus(card.paid_used);
                        cost -= card.put_back(Minor(want).min(spent)).0;
                    }
                }
                prop_assert!(card.given.0 >= 0 && card.paid.0 >= 0 && card.given_used.0 >= 0 && card.paid_used.0 >= 0);
                prop_assert_eq!(card.given.plus(card.given_used), Minor(amount));
                prop_assert_eq!(card.paid.plus(card.paid_used), Minor(paid_in));
                prop_assert_eq!(card.given_used, Minor(cost), "the campaign pays for what it gave and was spent");
                prop_assert!(card.paid_used.0 == 0 || card.given.0 == 0, "what was given is spent first");
            }
            let rest = card.balance();
            prop_assert_eq!(card.run_out(), rest);
            prop_assert_eq!(card.balance(), Minor::ZERO);
        }

        #[test]
        fn shares_of_a_reservation_sum_to_it(reserved in 0..100_000_i64, uses in 1..USES_MAX) {
            let mut left = Minor(reserved);
            for remaining in (1..=uses).rev() {
                let share = share_of(left, 1, remaining);
                prop_assert!(share.0 >= 0 && share <= left);
                left = left.minus(share);
            }
            prop_assert_eq!(left, Minor::ZERO);
        }
    }

    #[test]
    fn a_place_that_is_given_back_is_taken_again() {
        let mut usage = Usage::default();
        assert_eq!([usage.take(Some(2)), usage.take(Some(2)), usage.take(Some(2))], [Some(1), Some(2), None]);
        usage.settle();
        usage.let_go(2);
        assert_eq!((usage.held, usage.used), (0, 1));
        assert_eq!(usage.take(Some(2)), Some(2));
        usage.settle();
        usage.undo(1, true);
        assert_eq!(usage.take(Some(2)), Some(1));
        assert_eq!([usage.take(None), usage.take(None)], [Some(1), Some(2)], "without an end, places go on");
    }
}
