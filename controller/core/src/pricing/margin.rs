//! The margin that all discounts of an order together must leave of each line whose cost is known.
//!
//! It is kept while the price is made, line by line: what a line must still cost is one more floor of the basket, for every
//! mechanic and every voucher. Payments such as gift cards are no discounts and are not held to it.

use crate::{
    mechanic::Basket,
    money::{BasisPoints, Minor},
    reason::{Reason, Refusal},
    world::Visit,
};

/// The basket whose lines keep at least `margin` of their price above their cost; those without a cost are as they were.
pub(super) fn guard<'a>(basket: Basket<'a>, margin: Option<BasisPoints>) -> Basket<'a> {
    let Some(margin) = margin else { return basket };
    let least = |cost: Option<Minor>, quantity| cost.map_or(Minor::ZERO, |cost| least(cost.times(quantity), margin));
    let guards = basket.cart.lines.iter().map(|line| least(line.cost, line.quantity)).collect();
    Basket { guards, ..basket }
}

/// The lowest price of which `margin` is left above `cost`: `cost ÷ (1 − margin)`, rounded up. Without end for the whole.
fn least(cost: Minor, margin: BasisPoints) -> Minor {
    let share = i128::from(BasisPoints::FULL.0.saturating_sub(margin.0));
    if share <= 0 {
        return Minor(i64::MAX);
    }
    let scaled = i128::from(cost.0.max(0)) * i128::from(BasisPoints::FULL.0);
    Minor(i64::try_from((scaled + share - 1) / share).unwrap_or(i64::MAX))
}

/// Why something took less off than it would have, were there no margin to keep; nothing where it did not.
pub(super) fn cut(wanted: Minor, given: Minor, visit: &Visit<'_>) -> Option<Refusal> {
    if given >= wanted {
        return None;
    }
    let (would, does) = (visit.money(wanted), visit.money(given));
    let detail = match given > Minor::ZERO {
        true => format!("It would take {would} off and takes {does} off: more would leave less than the margin."),
        false => format!("It would take {would} off, which leaves less than the margin of these items."),
    };
    Some(Refusal::new(Reason::MarginFloor, detail))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_least_price_is_rounded_up_to_the_next_minor_unit() {
        for (cost, margin, expect) in [
            (8_500, 1_500, 10_000),
            (8_501, 1_500, 10_002),
            (100, 0, 100),
            (1, 9_999, 10_000),
            (0, 5_000, 0),
            (-5, 0, 0),
        ] {
            assert_eq!(least(Minor(cost), BasisPoints(margin)), Minor(expect), "{cost} {margin}");
        }
        assert_eq!(least(Minor(1), BasisPoints::FULL), Minor(i64::MAX));
        assert_eq!(least(Minor(i64::MAX), BasisPoints(9_999)), Minor(i64::MAX));
    }
}
