//! Stage of life, place, interests and the ready-made conditions: what the Runtime's rules are compiled into.

use std::collections::BTreeSet;

use fanfare_core::ids::StoreId;
use fanfare_core::model::RuntimePlan;
use fanfare_core::model::runtime::{Attribute, HighValue, SegmentRules};
use fanfare_core::model::segment::{
    Behavior, Condition, Decimal, Interests, Lifecycle, Location, Measure, Pick, Point, Stage, Window,
};
use fanfare_core::segment::ORDER_PAID;

use super::{attribute::declared, read};
use crate::admit::context::Context;
use crate::admit::error::{Path, code};
use crate::nearest::did_you_mean;
use crate::wire::common;
use crate::wire::segment as wire;
use crate::wire::text::{Distance, FieldName, Label};

/// Half the way round the earth, in metres: everything is nearer.
const RADIUS_MAX_M: i64 = 20_016_000;

fn rules(context: &Context<'_>) -> SegmentRules {
    context.runtime.map(|runtime| runtime.segments.clone()).unwrap_or_default()
}

/// Compiles a question for the stage.
pub(super) fn lifecycle(test: &wire::LifecycleTest, context: &Context<'_>) -> Lifecycle {
    let stages: BTreeSet<Stage> = test.is_in.iter().map(|stage| stage_of(*stage)).collect();
    Lifecycle { stages: stages.into_iter().collect(), rule: rules(context).lifecycle }
}

fn stage_of(stage: wire::Stage) -> Stage {
    match stage {
        wire::Stage::New => Stage::New,
        wire::Stage::Active => Stage::Active,
        wire::Stage::Dormant => Stage::Dormant,
        wire::Stage::ChurnRisk => Stage::ChurnRisk,
        wire::Stage::Churned => Stage::Churned,
    }
}

/// Compiles a question for interests.
pub(super) fn interests(test: &wire::TagTest, context: &Context<'_>) -> Interests {
    let wire::TagTest { any, all, none } = test;
    Interests { any: read(any), all: read(all), none: read(none), rule: rules(context).interests }
}

/// The condition that a ready-made segment stands for.
pub(super) fn preset(preset: wire::Preset, context: &Context<'_>) -> Condition {
    let SegmentRules { lifecycle: rule, interests: _, high_value, event_fields: _ } = rules(context);
    let stage = |stage: Stage| Condition::Lifecycle(Lifecycle { stages: vec![stage], rule });
    match preset {
        wire::Preset::New => stage(Stage::New),
        wire::Preset::Active => stage(Stage::Active),
        wire::Preset::Dormant => stage(Stage::Dormant),
        wire::Preset::ChurnRisk => stage(Stage::ChurnRisk),
        wire::Preset::HighValue => self::high_value(&high_value),
    }
}

/// Recency, frequency and money.
fn high_value(rule: &HighValue) -> Condition {
    let HighValue { last_order, within, orders, spend_e4 } = rule;
    let orders_of = |window: Window| Behavior { event: ORDER_PAID.to_owned(), window, ..Behavior::default() };
    let lately = Behavior { pick: Some(Pick::Last), least: Some(1), ..orders_of(Window::within(*last_order)) };
    let often = Behavior { least: Some(*orders), ..orders_of(Window::within(*within)) };
    let much = spend_e4.map(|least| Behavior {
        measure: Measure::Sum("total".to_owned()),
        least: Some(least),
        ..orders_of(Window::within(*within))
    });
    Condition::All([Some(lately), Some(often), much].into_iter().flatten().map(Condition::Behavior).collect())
}

/// Compiles a question for a place; nothing where the schema's rules have found it to be no question.
pub(super) fn location(test: &wire::LocationTest, context: &mut Context<'_>, path: Path<'_>) -> Option<Location> {
    let wire::LocationTest { near, near_store, radius, region, preferred_store, attribute } = test;
    let named = attribute.as_ref();
    if let Some(regions) = region {
        return Some(self::region(regions, named, context, path));
    }
    if let Some(stores) = preferred_store {
        let list = path.field("preferredStore");
        for (index, store) in stores.iter().enumerate() {
            context.store(store, list.index(index));
        }
        return Some(Location::PreferredStore {
            any: stores.iter().map(|store| StoreId::from(store.as_str())).collect(),
            attribute: text_attribute(named, "preferredStore", context, path),
            within: rules(context).interests.within,
        });
    }
    let radius_m = self::radius(radius.as_ref()?, context, path.field("radius"));
    let point = match (near, near_store) {
        (Some(point), _) => self::point(point),
        (None, Some(store)) => point_of_store(store, context, path.field("nearStore"))?,
        (None, None) => return None,
    };
    let attribute = place_attribute(named, context, path);
    let inside = |runtime: &RuntimePlan| {
        let located = runtime.stores.iter().filter_map(|(id, store)| Some((id, store.location?)));
        located.filter(|(_, at)| point.is_within(radius_m, *at)).map(|(id, _)| id.clone()).collect()
    };
    let stores: Vec<StoreId> = context.runtime.map(inside).unwrap_or_default();
    let store = near_store.as_ref().map(|store| StoreId::from(store.as_str()));
    Some(Location::Near { point, store, radius_m, attribute, stores })
}

/// A point in millionths of a degree; the schema keeps it on earth.
#[expect(clippy::cast_possible_truncation, reason = "at most 180 million")]
pub(crate) fn point(point: &common::Point) -> Point {
    let e6 = |degrees: f64| (degrees * 1e6).round() as i32;
    Point { lat_e6: e6(point.lat), lng_e6: e6(point.lng) }
}

fn radius(distance: &Distance, context: &mut Context<'_>, path: Path<'_>) -> i64 {
    let text = distance.as_str();
    let (digits, unit_m) = text.strip_suffix("km").map_or((text.trim_end_matches('m'), 1), |digits| (digits, 1_000));
    let exact_e4 = Decimal::parse(digits).map_or(0, |number| number.e4.saturating_mul(unit_m));
    let metres = exact_e4 / 10_000;
    if !(1..=RADIUS_MAX_M).contains(&metres) || exact_e4 % 10_000 != 0 {
        let reason = format!("`{text}` is not a number of whole metres on earth");
        context.findings.push(path, code::OUT_OF_RANGE, reason, "write from `1m` to `20000km`");
        return 1;
    }
    metres
}

fn point_of_store(store: &Label, context: &mut Context<'_>, path: Path<'_>) -> Option<Point> {
    context.store(store, path);
    // Without a Runtime the point is not known yet; nothing is served then.
    let Some(runtime) = context.runtime else { return Some(Point { lat_e6: 0, lng_e6: 0 }) };
    let known = runtime.stores.get(store.as_str())?;
    if known.location.is_none() {
        let reason = format!("the Runtime does not say where the store `{}` stands", store.as_str());
        context.findings.push(
            path,
            code::MISFIT,
            reason,
            "give the store a location in the CampaignRuntime, or use near",
        );
    }
    known.location
}

/// The attribute that holds a place: the one that is named, else the only one of type Location.
fn place_attribute(named: Option<&FieldName>, context: &mut Context<'_>, path: Path<'_>) -> Option<String> {
    let at = path.field("attribute");
    if let Some(name) = named {
        if let Some(kind) = declared(name.as_str(), context, at)
            && kind != Attribute::Location
        {
            let reason = format!("`{}` is not a place", name.as_str());
            context.findings.push(at, code::MISFIT, reason, "name an attribute of type Location");
        }
        return Some(name.0.clone());
    }
    let runtime = context.runtime?;
    let places = runtime.attributes.iter().filter(|(_, kind)| **kind == Attribute::Location);
    let places: Vec<&String> = places.map(|(name, _)| name).collect();
    if places.len() > 1 {
        let names: Vec<&str> = places.iter().map(|name| name.as_str()).collect();
        let reason = "the Runtime declares several places of a member";
        context.findings.push(at, code::MISFIT, reason, format!("say which: attribute: {}", names.join(" or ")));
    }
    places.first().map(|name| (*name).clone())
}

/// The attribute that is named, else the usual one, where the Runtime declares it as a text.
fn text_attribute(named: Option<&FieldName>, usual: &str, context: &mut Context<'_>, path: Path<'_>) -> Option<String> {
    let fits = |kind: &Attribute| matches!(kind, Attribute::String | Attribute::Enum(_));
    let Some(name) = named else {
        let kind = context.runtime?.attributes.get(usual)?;
        return fits(kind).then(|| usual.to_owned());
    };
    let at = path.field("attribute");
    if let Some(kind) = declared(name.as_str(), context, at)
        && !fits(&kind)
    {
        let reason = format!("`{}` is not a text", name.as_str());
        context.findings.push(at, code::MISFIT, reason, "name an attribute of type String or Enum");
    }
    Some(name.0.clone())
}

fn region(regions: &[Label], named: Option<&FieldName>, context: &mut Context<'_>, path: Path<'_>) -> Location {
    let attribute = text_attribute(named, "region", context, path);
    let any: Vec<String> = regions.iter().map(|region| region.0.clone()).collect();
    let mut stores = Vec::new();
    if let Some(runtime) = context.runtime {
        let of_store = runtime.stores.iter().filter_map(|(id, store)| Some((id, store.region.as_deref()?)));
        stores =
            of_store.clone().filter(|(_, of)| any.iter().any(|name| name == of)).map(|(id, _)| id.clone()).collect();
        let mut known: Vec<&str> = of_store.map(|(_, region)| region).collect();
        let free = match attribute.as_ref().and_then(|name| runtime.attributes.get(name)) {
            Some(Attribute::Enum(values)) => {
                known.extend(values.iter().map(String::as_str));
                false
            }
            Some(_) => true,
            None => false,
        };
        let list = path.field("region");
        for (index, name) in any.iter().enumerate().filter(|(_, name)| !free && !known.contains(&name.as_str())) {
            let otherwise = "give a store of the CampaignRuntime this region, or declare an attribute region";
            let remedy = did_you_mean(name, known.iter().copied(), otherwise);
            let reason = format!("the Runtime knows no region `{name}`");
            context.findings.push(list.index(index), code::NOT_FOUND, reason, remedy);
        }
    }
    Location::Region { any, attribute, stores }
}
