//! Who belongs: one evaluator of a [`Condition`] for one member, and the same walk with its reasons.
//!
//! A whole audience is this function over every member. It reads [`Facts`] only; loading them is the engine's.
//! Comparing values stands in [`compare`], putting conditions into words in [`words`].

mod compare;
mod facts;
mod words;

pub use compare::{number, passes};
pub use facts::{Facts, Happening, MemberFacts, PastEvent, field_of, scalar_of};
pub use words::describe;

use crate::{
    ids::Name,
    model::segment::{Behavior, Condition, Decimal, Measure, Scalar},
    time::{Ts, Tz},
    world::Catalogue,
};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// How deep Segments may name Segments; admission refuses cycles, and this bounds what slips through between two
/// resources that are applied at once.
pub const SEGMENT_DEPTH_MAX: usize = 16;

/// One member at one time.
#[derive(Clone, Copy)]
pub struct Asked<'a> {
    /// What is known of the member.
    pub facts: &'a dyn Facts,
    /// Where other Segments are looked up.
    pub catalogue: &'a dyn Catalogue,
    /// When.
    pub now: Ts,
    /// In which zone calendar days are counted back.
    pub zone: Tz,
}

/// Why a condition holds or not: in words, with what was found, and what it is made of.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Why {
    /// The condition in plain words.
    pub condition: String,
    /// Whether it holds.
    pub holds: bool,
    /// What was found; absent for what is made of others.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub actual: Option<String>,
    /// The conditions that it is made of.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub of: Vec<Why>,
}

/// Whether `condition` holds for the member.
pub fn holds(condition: &Condition, asked: &Asked<'_>) -> bool {
    holds_at(condition, asked, 0)
}

/// Whether the member belongs to the Segment of that name. Nobody belongs to one that does not exist.
pub fn belongs(segment: &Name, asked: &Asked<'_>) -> bool {
    asked.catalogue.condition(segment).is_some_and(|condition| holds(condition, asked))
}

/// Why the member belongs or not: one entry for each part of the outermost `all`, else one.
pub fn why(condition: &Condition, asked: &Asked<'_>) -> Vec<Why> {
    match condition {
        Condition::All(parts) => parts.iter().map(|part| why_at(part, asked, 0)).collect(),
        other => vec![why_at(other, asked, 0)],
    }
}

fn holds_at(condition: &Condition, asked: &Asked<'_>, depth: usize) -> bool {
    let facts = asked.facts;
    match condition {
        Condition::Everyone => true,
        Condition::Attribute { name, test } => passes(test, facts.attribute(name).as_ref()),
        Condition::Behavior(behavior) => in_bounds(behavior, measure(behavior, asked)),
        Condition::Tags { any, all, none } => {
            (any.is_empty() || any.iter().any(|tag| facts.has_tag(tag)))
                && all.iter().all(|tag| facts.has_tag(tag))
                && !none.iter().any(|tag| facts.has_tag(tag))
        }
        Condition::List(name) => facts.on_list(name),
        Condition::Segment(name) => named(name, asked, depth).is_some_and(|c| holds_at(c, asked, depth + 1)),
        Condition::Not(part) => !holds_at(part, asked, depth),
        Condition::All(parts) => parts.iter().all(|part| holds_at(part, asked, depth)),
        Condition::Any(parts) => parts.iter().any(|part| holds_at(part, asked, depth)),
    }
}

fn named<'a>(name: &Name, asked: &Asked<'a>, depth: usize) -> Option<&'a Condition> {
    if depth < SEGMENT_DEPTH_MAX { asked.catalogue.condition(name) } else { None }
}

fn why_at(condition: &Condition, asked: &Asked<'_>, depth: usize) -> Why {
    let of = match condition {
        Condition::Segment(name) => {
            named(name, asked, depth).map(|part| why_at(part, asked, depth + 1)).into_iter().collect()
        }
        Condition::Not(part) => vec![why_at(part, asked, depth)],
        Condition::All(parts) | Condition::Any(parts) => parts.iter().map(|p| why_at(p, asked, depth)).collect(),
        Condition::Everyone
        | Condition::Attribute { .. }
        | Condition::Behavior(_)
        | Condition::Tags { .. }
        | Condition::List(_) => Vec::new(),
    };
    let holds = holds_at(condition, asked, depth);
    Why { condition: describe(condition), holds, actual: actual(condition, asked, holds), of }
}

fn actual(condition: &Condition, asked: &Asked<'_>, holds: bool) -> Option<String> {
    match condition {
        Condition::Attribute { name, .. } => {
            Some(asked.facts.attribute(name).map_or_else(|| "not set".into(), |value| words::scalar(&value)))
        }
        Condition::Behavior(behavior) => Some(words::measured(&behavior.measure, measure(behavior, asked))),
        Condition::Tags { any, all, none } => {
            let has: Vec<&str> =
                any.iter().chain(all).chain(none).map(String::as_str).filter(|tag| asked.facts.has_tag(tag)).collect();
            Some(if has.is_empty() { "none of these tags".into() } else { has.join(", ") })
        }
        Condition::List(_) => Some(if holds { "on the list" } else { "not on the list" }.into()),
        Condition::Segment(name) if asked.catalogue.condition(name).is_none() => Some("no such segment".into()),
        Condition::Everyone | Condition::Segment(_) | Condition::Not(_) | Condition::All(_) | Condition::Any(_) => None,
    }
}

fn in_bounds(behavior: &Behavior, measured: i64) -> bool {
    behavior.least.is_none_or(|least| measured >= least) && behavior.most.is_none_or(|most| measured <= most)
}

/// The type of the event that pays an order.
pub const ORDER_PAID: &str = "order.paid";
/// The type of the event that gives money back on an order.
pub const ORDER_REFUNDED: &str = "order.refunded";

/// What a behaviour measures for the member: a count, or a sum in ten-thousandths.
///
/// `order.paid` is net of refunds: from each order paid in the window (and passing the filter) all its refunds up to
/// now are taken, whenever they were made; an order that was given back in full does not count any more.
pub fn measure(behavior: &Behavior, asked: &Asked<'_>) -> i64 {
    let since = behavior.within.map(|span| span.before(asked.now, asked.zone));
    let within = |at: Ts| at <= asked.now && since.is_none_or(|since| at >= since);
    let mut events = asked.facts.events(&behavior.event);
    events.retain(|event| within(event.at()) && passes_filter(&behavior.filter, *event));
    let field = match &behavior.measure {
        Measure::Count => None,
        Measure::Sum(path) => Some(path.as_str()),
    };
    if behavior.event == ORDER_PAID {
        return net_of_refunds(&events, &refunds(asked), field);
    }
    match field {
        None => i64::try_from(events.len()).unwrap_or(i64::MAX),
        Some(path) => events.iter().map(|event| value_at(*event, path)).fold(0, i64::saturating_add),
    }
}

fn passes_filter(filter: &BTreeMap<String, crate::model::segment::Test>, event: &dyn Happening) -> bool {
    filter.iter().all(|(path, test)| passes(test, event.field(path).as_ref()))
}

fn value_at(event: &dyn Happening, path: &str) -> i64 {
    event.field(path).as_ref().and_then(number).map_or(0, |decimal: Decimal| decimal.e4)
}

fn order_of(event: &dyn Happening) -> Option<Scalar> {
    event.field("orderId")
}

/// All refunds up to now, by order.
fn refunds<'a>(asked: &Asked<'a>) -> BTreeMap<Scalar, Vec<&'a dyn Happening>> {
    let mut by_order: BTreeMap<Scalar, Vec<&dyn Happening>> = BTreeMap::new();
    for event in asked.facts.events(ORDER_REFUNDED).into_iter().filter(|event| event.at() <= asked.now) {
        if let Some(order) = order_of(event) {
            by_order.entry(order).or_default().push(event);
        }
    }
    by_order
}

fn net_of_refunds(
    paid: &[&dyn Happening],
    refunds: &BTreeMap<Scalar, Vec<&dyn Happening>>,
    field: Option<&str>,
) -> i64 {
    let mut measured: i64 = 0;
    for order in paid {
        let back = order_of(*order).and_then(|id| refunds.get(&id)).map_or(&[][..], Vec::as_slice);
        let returned = |path: &str| back.iter().map(|event| value_at(*event, path)).fold(0, i64::saturating_add);
        let refunded = returned("total");
        let gone = refunded > 0 && refunded >= value_at(*order, "total");
        let counts = match field {
            _ if gone => 0,
            None => 1,
            Some(path) => value_at(*order, path).saturating_sub(returned(path)),
        };
        measured = measured.saturating_add(counts);
    }
    measured
}

#[cfg(test)]
mod tests;
