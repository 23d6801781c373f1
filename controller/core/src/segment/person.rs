//! What behaviour says of the person: stage of life, place, preferred store, interests. The rules stand at the types.

use super::{Asked, counted::counted, dates, facts::LINES, window::midnight, words};
use crate::{
    ids::StoreId,
    model::segment::{InterestRule, Interests, LifecycleRule, Location, PLACE_EVENTS, Place, Point, Stage, Window},
    segment::ORDER_PAID,
    time::{Span, Ts},
};
use std::{
    cmp::Reverse,
    collections::{BTreeMap, BTreeSet},
};

/// A member's stage, and since when it has been idle.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Standing {
    /// The stage.
    pub stage: Stage,
    /// When it joined, if anything says.
    pub joined: Option<Ts>,
    /// The last activity, if there was any.
    pub last: Option<Ts>,
}

/// The member's stage by a rule.
pub fn standing(rule: &LifecycleRule, asked: &Asked<'_>) -> Standing {
    let stated = rule.joined.as_ref().and_then(|name| asked.facts.attribute(name));
    let stated = stated.as_ref().and_then(dates::day).map(|day| midnight(day, asked.zone));
    let seen = [asked.facts.known_since(), asked.facts.first_event()].into_iter().flatten().min();
    let joined = stated.or(seen);
    let newest = |kind: &String| counted(kind, asked).iter().map(|event| event.event().at()).max();
    let last = rule.activity.iter().filter_map(newest).max();
    let ago = |span: Span| span.before(asked.now, asked.zone);
    let stage = match last.or(joined) {
        None => Stage::Churned,
        Some(since) if since <= ago(rule.churned_after) => Stage::Churned,
        Some(since) if since <= ago(rule.churn_risk_after) => Stage::ChurnRisk,
        Some(since) if since <= ago(rule.dormant_after) => Stage::Dormant,
        Some(_) if joined.is_some_and(|joined| joined >= ago(rule.new_for)) => Stage::New,
        Some(_) => Stage::Active,
    };
    Standing { stage, joined, last }
}

/// The place that the newest event says that says any.
pub fn last_place(asked: &Asked<'_>) -> Option<Place> {
    let told = PLACE_EVENTS.iter().flat_map(|kind| counted(kind, asked));
    let places = told.filter_map(|event| Some((event.event().at(), Reverse(place_of(event.event())?))));
    places.max().map(|(_, Reverse(place))| place)
}

fn place_of(event: &dyn super::Happening) -> Option<Place> {
    let degrees = |path: &str| event.field(path);
    let point = degrees("location.lat").zip(degrees("location.lng")).and_then(|(lat, lng)| Point::of(&lat, &lng));
    point.map(Place::At).or_else(|| store_of(event).map(Place::In))
}

fn store_of(event: &dyn super::Happening) -> Option<StoreId> {
    event.field("storeId").map(|id| StoreId::from(words::scalar(&id)))
}

/// What is known of where a member is, for one question.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Whereabouts {
    /// Nothing.
    Unknown,
    /// At a place.
    Place(Place),
    /// In a region, by the member's attribute.
    Region(String),
}

/// Where the member is, as the question asks for it.
pub fn whereabouts(location: &Location, asked: &Asked<'_>) -> Whereabouts {
    let stated = |name: &Option<String>| {
        let value = name.as_ref().and_then(|name| asked.facts.attribute(name))?;
        Some(words::scalar(&value))
    };
    let seen = || last_place(asked).map_or(Whereabouts::Unknown, Whereabouts::Place);
    match location {
        Location::Near { attribute, .. } => {
            let point = stated(attribute).and_then(|text| Point::parse_pair(&text));
            point.map_or_else(seen, |point| Whereabouts::Place(Place::At(point)))
        }
        Location::Region { attribute, .. } => stated(attribute).map_or_else(seen, Whereabouts::Region),
        Location::PreferredStore { attribute, within, .. } => {
            let store = stated(attribute).map(StoreId::from).or_else(|| preferred_store(*within, asked));
            store.map_or(Whereabouts::Unknown, |store| Whereabouts::Place(Place::In(store)))
        }
    }
}

/// Whether a location holds for somebody who is there.
pub(super) fn is_there(location: &Location, whereabouts: &Whereabouts) -> bool {
    match (location, whereabouts) {
        (_, Whereabouts::Unknown) => false,
        (Location::Near { point, radius_m, .. }, Whereabouts::Place(Place::At(at))) => point.is_within(*radius_m, *at),
        (Location::Near { stores, .. } | Location::Region { stores, .. }, Whereabouts::Place(Place::In(store))) => {
            stores.contains(store)
        }
        (Location::PreferredStore { any, .. }, Whereabouts::Place(Place::In(store))) => any.contains(store),
        (Location::Region { any, .. }, Whereabouts::Region(region)) => any.contains(region),
        (Location::Region { .. } | Location::PreferredStore { .. }, Whereabouts::Place(Place::At(_)))
        | (Location::Near { .. } | Location::PreferredStore { .. }, Whereabouts::Region(_)) => false,
    }
}

/// The store of most visits.
fn preferred_store(within: Span, asked: &Asked<'_>) -> Option<StoreId> {
    let range = Window::within(within).range(asked.now, asked.zone);
    let mut visits: BTreeMap<StoreId, (i64, Ts)> = BTreeMap::new();
    for event in PLACE_EVENTS.iter().flat_map(|kind| counted(kind, asked)) {
        let at = event.event().at();
        if let Some(store) = store_of(event.event()).filter(|_| range.contains(at)) {
            let (count, newest) = visits.entry(store).or_insert((0, at));
            *count += 1;
            *newest = at.max(*newest);
        }
    }
    let best = visits.into_iter().max_by_key(|(store, figures)| (*figures, Reverse(store.clone())));
    best.map(|(store, _)| store)
}

/// What the member likes, the most first.
pub fn interests(rule: &InterestRule, asked: &Asked<'_>) -> Vec<String> {
    let range = Window::within(rule.within).range(asked.now, asked.zone);
    let (nothing, today) = (BTreeMap::new(), crate::time::day_of(asked.now, asked.zone));
    let mut found: BTreeMap<String, (i64, Ts)> = BTreeMap::new();
    for order in counted(ORDER_PAID, asked).iter().filter(|order| range.contains(order.event().at())) {
        let at = order.event().at();
        let values = rule.fields.iter().flat_map(|path| match path.strip_prefix(LINES) {
            None => order.event().values(path),
            Some(in_line) => {
                let lines = order.passing_lines(&nothing, today);
                lines.iter().flat_map(|left| order.line_values(left, in_line)).collect()
            }
        });
        let names: BTreeSet<String> = values.map(|value| words::scalar(&value)).collect();
        for name in names {
            let (orders, newest) = found.entry(name).or_insert((0, at));
            *orders += 1;
            *newest = at.max(*newest);
        }
    }
    let mut liked: Vec<(Reverse<(i64, Ts)>, String)> = found
        .into_iter()
        .filter(|(_, (orders, _))| *orders >= rule.orders)
        .map(|(name, figures)| (Reverse(figures), name))
        .collect();
    liked.sort();
    liked.truncate(usize::try_from(rule.top).unwrap_or(0));
    liked.into_iter().map(|(_, name)| name).collect()
}

/// Whether what is asked of interests holds.
pub(super) fn likes(question: &Interests, asked: &Asked<'_>) -> bool {
    let Interests { any, all, none, rule } = question;
    let liked = interests(rule, asked);
    let has = |name: &String| liked.contains(name);
    (any.is_empty() || any.iter().any(has)) && all.iter().all(has) && !none.iter().any(has)
}
