//! Events that count: what happened by now, of `order.paid` only what was not given back.
//!
//! Which lines of an order are left, and how much of each, stands here too.

use super::{
    Asked, ORDER_PAID, ORDER_REFUNDED,
    compare::{number, passes_any},
    facts::{Happening, LINES},
};
use crate::model::segment::{Decimal, Scalar, Test};
use chrono::NaiveDate;
use std::collections::BTreeMap;

/// One whole thing, in ten-thousandths.
const ONE_E4: i64 = 10_000;

/// An event that counts, with what of it came back.
pub struct Counted<'a> {
    event: &'a dyn Happening,
    back: Vec<&'a dyn Happening>,
}

/// A line of which something is left.
pub(super) struct Left {
    line: usize,
    /// How many of it there were, and how many are left, in ten-thousandths.
    bought_e4: i64,
    left_e4: i64,
}

/// The member's events of a type up to now, newest first; an order that was given back in full is not among them.
pub fn counted<'a>(kind: &str, asked: &Asked<'a>) -> Vec<Counted<'a>> {
    let events = asked.facts.events(kind).into_iter().filter(|event| event.at() <= asked.now);
    if kind != ORDER_PAID {
        return events.map(|event| Counted { event, back: Vec::new() }).collect();
    }
    let refunds = refunds(asked);
    let with_back = |event: &'a dyn Happening| {
        let back = event.field("orderId").and_then(|order| refunds.get(&order)).cloned().unwrap_or_default();
        Counted { event, back }
    };
    events.map(with_back).filter(|order| !order.is_gone()).collect()
}

/// All refunds up to now, by order.
fn refunds<'a>(asked: &Asked<'a>) -> BTreeMap<Scalar, Vec<&'a dyn Happening>> {
    let mut by_order: BTreeMap<Scalar, Vec<&dyn Happening>> = BTreeMap::new();
    for event in asked.facts.events(ORDER_REFUNDED).into_iter().filter(|event| event.at() <= asked.now) {
        if let Some(order) = event.field("orderId") {
            by_order.entry(order).or_default().push(event);
        }
    }
    by_order
}

impl<'a> Counted<'a> {
    /// The event itself.
    pub fn event(&self) -> &'a dyn Happening {
        self.event
    }

    fn is_gone(&self) -> bool {
        let refunded = self.returned("total");
        refunded > 0 && refunded >= sum(&self.event.values("total"))
    }

    fn returned(&self, path: &str) -> i64 {
        self.back.iter().map(|event| sum(&event.values(path))).fold(0, i64::saturating_add)
    }

    /// Whether the event passes a filter, and which of its lines do; without tests of lines, none is named.
    pub(super) fn passing(&self, filter: &BTreeMap<String, Test>, today: NaiveDate) -> bool {
        let of_event = filter.iter().filter(|(path, _)| !path.starts_with(LINES));
        let asks_lines = filter.keys().any(|path| path.starts_with(LINES));
        let holds = |(path, test): (&String, &Test)| passes_any(test, &self.event.values(path), today);
        of_event.into_iter().all(holds) && (!asks_lines || !self.passing_lines(filter, today).is_empty())
    }

    /// The lines that are left and pass all tests of lines.
    pub(super) fn passing_lines(&self, filter: &BTreeMap<String, Test>, today: NaiveDate) -> Vec<Left> {
        let tests: Vec<(&str, &Test)> =
            filter.iter().filter_map(|(path, test)| Some((path.strip_prefix(LINES)?, test))).collect();
        let passes =
            |left: &Left| tests.iter().all(|(path, test)| passes_any(test, &self.line_values(left, path), today));
        self.left().into_iter().filter(passes).collect()
    }

    /// What is left of each line. Returns name their lines by `id`, else by `sku`; of several lines of one name, the
    /// first are given back first.
    fn left(&self) -> Vec<Left> {
        let mut returned: BTreeMap<(&str, Scalar), i64> = BTreeMap::new();
        for back in &self.back {
            for line in 0..back.lines() {
                if let Some(key) = line_key(*back, line) {
                    let quantity = returned.entry(key).or_default();
                    *quantity = quantity.saturating_add(quantity_e4(*back, line));
                }
            }
        }
        let mut lines = Vec::with_capacity(self.event.lines());
        for line in 0..self.event.lines() {
            let bought_e4 = quantity_e4(self.event, line);
            let given_back = line_key(self.event, line).and_then(|key| returned.get_mut(&key));
            let taken = given_back.map_or(0, |open| {
                let taken = bought_e4.min(*open).max(0);
                *open -= taken;
                taken
            });
            if taken == 0 || taken < bought_e4 {
                lines.push(Left { line, bought_e4, left_e4: bought_e4 - taken });
            }
        }
        lines
    }

    /// The values of a line by a path within it; its quantity and total are those of what is left.
    pub(super) fn line_values(&self, left: &Left, path: &str) -> Vec<Scalar> {
        match path {
            "quantity" => vec![Scalar::Number(Decimal { e4: left.left_e4 })],
            "total" => self.line_total(left).map(|e4| Scalar::Number(Decimal { e4 })).into_iter().collect(),
            other => self.event.line_values(left.line, other),
        }
    }

    /// What is left of the line's own total, rounded down, else of its quantity times its unit price.
    fn line_total(&self, left: &Left) -> Option<i64> {
        let figure = |path: &str| self.event.line_values(left.line, path).first().and_then(number).map(|n| n.e4);
        let (whole, part) = match figure("total") {
            Some(total) if left.left_e4 == left.bought_e4 => return Some(total),
            Some(total) => (total, left.bought_e4),
            None => (figure("unitPrice")?, ONE_E4),
        };
        let exact = (i128::from(whole) * i128::from(left.left_e4)).checked_div_euclid(i128::from(part))?;
        i64::try_from(exact).ok()
    }

    /// The numbers that a path has in the event itself; what came back is taken off the first.
    pub fn numbers(&self, path: &str) -> Vec<i64> {
        let mut numbers: Vec<i64> =
            self.event.values(path).iter().filter_map(number).map(|decimal| decimal.e4).collect();
        if let Some(first) = numbers.first_mut() {
            *first = first.saturating_sub(self.returned(path));
        }
        numbers
    }
}

fn line_key(event: &dyn Happening, line: usize) -> Option<(&'static str, Scalar)> {
    let key = |path: &'static str| Some((path, event.line_values(line, path).into_iter().next()?));
    key("id").or_else(|| key("sku"))
}

/// How many of a line there are; one, when it does not say.
fn quantity_e4(event: &dyn Happening, line: usize) -> i64 {
    event.line_values(line, "quantity").first().and_then(number).map_or(ONE_E4, |decimal| decimal.e4)
}

fn sum(values: &[Scalar]) -> i64 {
    values.iter().filter_map(number).map(|decimal| decimal.e4).fold(0, i64::saturating_add)
}
