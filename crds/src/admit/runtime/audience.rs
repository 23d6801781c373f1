//! What Segments are made with: the Runtime's lifecycle, interests, high value and declared fields of events.

use std::collections::BTreeMap;

use fanfare_core::model::runtime::{Attribute, HighValue, SegmentRules};
use fanfare_core::model::segment::{Decimal, InterestRule, LifecycleRule};
use fanfare_core::time::Span;

use crate::admit::context::Context;
use crate::admit::error::{Path, code};
use crate::admit::events;
use crate::admit::names;
use crate::nearest::did_you_mean;
use crate::wire::runtime as wire;

/// What an author wrote of it.
pub(super) struct Written<'a> {
    pub(super) lifecycle: Option<&'a wire::LifecycleRule>,
    pub(super) interests: Option<&'a wire::InterestRule>,
    pub(super) high_value: Option<&'a wire::HighValueRule>,
    pub(super) fields: Option<&'a BTreeMap<String, wire::EventFields>>,
    pub(super) attributes: &'a BTreeMap<String, wire::AttributeType>,
}

/// Compiles the rules; what is not written is as usual.
pub(super) fn rules(written: &Written<'_>, context: &mut Context<'_>) -> SegmentRules {
    let path = Path::SPEC;
    let Written { lifecycle, interests, high_value, fields, attributes } = written;
    let events = path.field("events");
    SegmentRules {
        lifecycle: lifecycle.map_or_else(LifecycleRule::default, |rule| {
            self::lifecycle(rule, attributes, context, path.field("lifecycle"))
        }),
        interests: interests
            .map_or_else(InterestRule::default, |rule| self::interests(rule, context, path.field("interests"))),
        high_value: high_value
            .map_or_else(HighValue::default, |rule| self::high_value(rule, context, path.field("highValue"))),
        event_fields: fields.map(|fields| event_fields(fields, context, events.field("fields"))).unwrap_or_default(),
    }
}

fn lifecycle(
    rule: &wire::LifecycleRule,
    attributes: &BTreeMap<String, wire::AttributeType>,
    context: &mut Context<'_>,
    path: Path<'_>,
) -> LifecycleRule {
    let wire::LifecycleRule { new_for, dormant_after, churn_risk_after, churned_after, activity, joined } = rule;
    let usual = LifecycleRule::default();
    let list = path.field("activity");
    for (index, event) in activity.iter().enumerate() {
        events::counted(event.as_str(), context, list.index(index));
    }
    let read = LifecycleRule {
        new_for: context.span_or(new_for.as_ref(), usual.new_for, path.field("newFor")),
        dormant_after: context.span_or(dormant_after.as_ref(), usual.dormant_after, path.field("dormantAfter")),
        churn_risk_after: context.span_or(
            churn_risk_after.as_ref(),
            usual.churn_risk_after,
            path.field("churnRiskAfter"),
        ),
        churned_after: context.span_or(churned_after.as_ref(), usual.churned_after, path.field("churnedAfter")),
        activity: if activity.is_empty() {
            usual.activity
        } else {
            activity.iter().map(|event| event.0.clone()).collect()
        },
        joined: joined.as_ref().map(|name| name.0.clone()),
    };
    let seconds = |span: Span| span.days.saturating_mul(86_400).saturating_add(span.seconds);
    let stages = [
        ("dormantAfter", read.dormant_after),
        ("churnRiskAfter", read.churn_risk_after),
        ("churnedAfter", read.churned_after),
    ];
    for pair in stages.windows(2) {
        if let [(earlier, sooner), (later, span)] = pair
            && seconds(*span) <= seconds(*sooner)
        {
            let reason = format!("{later} ({span}) is not longer than {earlier} ({sooner})");
            let remedy = "write longer and longer ones: dormantAfter, churnRiskAfter, churnedAfter";
            context.findings.push(path.field(later), code::CONFLICT, reason, remedy);
        }
    }
    if let Some(name) = &read.joined {
        joined_is_a_date(name, attributes, context, path.field("joined"));
    }
    read
}

fn joined_is_a_date(
    name: &str,
    attributes: &BTreeMap<String, wire::AttributeType>,
    context: &mut Context<'_>,
    path: Path<'_>,
) {
    match attributes.get(name).map(|declared| declared.kind) {
        Some(wire::AttributeKind::Date) => {}
        Some(_) => {
            let reason = format!("`{name}` is not a date");
            context.findings.push(path, code::CONFLICT, reason, "name an attribute of type Date");
        }
        None => {
            let remedy = did_you_mean(name, attributes.keys().map(String::as_str), "add it to attributes");
            context.findings.push(path, code::UNKNOWN_NAME, format!("there is no attribute `{name}`"), remedy);
        }
    }
}

fn interests(rule: &wire::InterestRule, context: &mut Context<'_>, path: Path<'_>) -> InterestRule {
    let wire::InterestRule { fields, within, orders, top } = rule;
    let usual = InterestRule::default();
    InterestRule {
        fields: if fields.is_empty() { usual.fields } else { fields.iter().map(|field| field.0.clone()).collect() },
        within: context.span_or(within.as_ref(), usual.within, path.field("within")),
        orders: orders.unwrap_or(usual.orders),
        top: top.unwrap_or(usual.top),
    }
}

fn high_value(rule: &wire::HighValueRule, context: &mut Context<'_>, path: Path<'_>) -> HighValue {
    let wire::HighValueRule { last_order, within, orders, spend } = rule;
    let usual = HighValue::default();
    HighValue {
        last_order: context.span_or(last_order.as_ref(), usual.last_order, path.field("lastOrder")),
        within: context.span_or(within.as_ref(), usual.within, path.field("within")),
        orders: orders.unwrap_or(usual.orders),
        spend_e4: spend.as_ref().and_then(|spend| Decimal::parse(spend.as_str())).map(|amount| amount.e4),
    }
}

fn event_fields(
    declared: &BTreeMap<String, wire::EventFields>,
    context: &mut Context<'_>,
    path: Path<'_>,
) -> BTreeMap<String, BTreeMap<String, Attribute>> {
    names::events(declared.keys(), context, path);
    let kind = |kind: &wire::FieldKind| match kind {
        wire::FieldKind::String => Attribute::String,
        wire::FieldKind::Number => Attribute::Number,
        wire::FieldKind::Boolean => Attribute::Boolean,
    };
    let mut read = BTreeMap::new();
    for (event, wire::EventFields(fields)) in declared {
        events::counted(event, context, path.field(event));
        names::fields(fields.keys(), context, path.field(event));
        read.insert(event.clone(), fields.iter().map(|(name, of)| (name.clone(), kind(of))).collect());
    }
    read
}
