//! How much of each discount goes with the units of a line that came back, so that refund and discounts are together
//! what the units cost, after every return.

use crate::money::{Minor, portion};

/// Of each discount's share of a line (`shares`, in satang or cents), what has come back with the first `units` of its
/// `all` units. The shopper has `portion(payable)` of them; the rest is shared out unit by unit, each unit's odd pieces
/// going where most is owed. So no share ever shrinks, and each is whole with the last unit.
pub(super) fn given_back(payable: Minor, shares: &[Minor], units: i64, all: i64) -> Vec<Minor> {
    let sum: Minor = shares.iter().copied().sum();
    let due = |units: i64| portion(payable.plus(sum), units, all).minus(portion(payable, units, all));
    if units >= all {
        return shares.to_vec();
    }
    match shares {
        [] => Vec::new(),
        [_] => vec![due(units)],
        _ => unit_by_unit(shares, units, all, due),
    }
}

fn unit_by_unit(shares: &[Minor], units: i64, all: i64, due: impl Fn(i64) -> Minor) -> Vec<Minor> {
    let mut back = vec![0_i64; shares.len()];
    for unit in 1..=units {
        for (have, share) in back.iter_mut().zip(shares) {
            *have += share.0 / all;
        }
        let mut odd = due(unit).0 - back.iter().sum::<i64>();
        while odd > 0 {
            let owed = |index: usize| {
                let (share, have) = (shares[index].0, back[index]);
                (have < share).then(|| i128::from(share) * i128::from(unit) - i128::from(have) * i128::from(all))
            };
            // Of equals the first: the answer must not depend on what was asked before.
            let next =
                (0..shares.len()).rev().filter_map(|index| Some((owed(index)?, index))).max_by_key(|(owed, _)| *owed);
            let Some((_, index)) = next else { break };
            back[index] += 1;
            odd -= 1;
        }
    }
    back.into_iter().map(Minor).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn shares_grow_with_the_units_and_make_up_the_price_with_the_refund(
            price in 0_i64..500,
            all in 1_i64..40,
            cuts in prop::collection::vec(0_i64..1_000, 1..4),
        ) {
            // Any division of the line among its discounts, what is left being paid.
            let total = price * all;
            let mut left = total;
            let shares: Vec<Minor> = cuts
                .iter()
                .map(|cut| {
                    let share = left * cut / 1_000;
                    left -= share;
                    Minor(share)
                })
                .collect();
            let payable = Minor(left);
            let mut before = vec![Minor::ZERO; shares.len()];
            for units in 1..=all {
                let now = given_back(payable, &shares, units, all);
                let sum: Minor = now.iter().copied().sum();
                prop_assert_eq!(sum.plus(portion(payable, units, all)).0, price * units);
                for (now, before) in now.iter().zip(&before) {
                    prop_assert!(now >= before, "{:?} after {:?}", now, before);
                }
                before = now;
            }
            prop_assert_eq!(before, shares);
        }
    }
}
