//! A Segment's specification → its condition. Values of attributes take the type that the Runtime declares.

use chrono::NaiveDate;
use fanfare_core::ids::Name;
use fanfare_core::model::SegmentPlan;
use fanfare_core::model::runtime::Attribute;
use fanfare_core::model::segment::{Behavior, Condition, Decimal, Measure, Scalar, Test, Window};

use super::context::{Context, labels};
use super::error::{Path, code};
use super::names;
use crate::nearest::did_you_mean;
use crate::wire::segment as wire;
use crate::wire::text::{self, Label};

/// Compiles `spec`. What is wrong goes to `context`; then the plan is of no use.
pub(crate) fn compile(name: &str, spec: &wire::SegmentSpec, context: &mut Context<'_>) -> SegmentPlan {
    let wire::SegmentSpec { title, condition } = spec;
    let condition = top(condition, context, Path::SPEC.field("match")).unwrap_or(Condition::Everyone);
    SegmentPlan { name: Name::from(name), title: title.clone(), condition }
}

fn top(condition: &wire::Match, context: &mut Context<'_>, path: Path<'_>) -> Option<Condition> {
    let wire::Match { all, any, not, attribute, behavior, tags, list, segment, everyone } = condition;
    let mut found = plain(&Parts { attribute, behavior, tags, list, segment, everyone: *everyone }, context, path);
    if let Some(all) = all {
        found.push(Condition::All(each(all, context, path.field("all"), first_level)));
    }
    if let Some(any) = any {
        found.push(Condition::Any(each(any, context, path.field("any"), first_level)));
    }
    if let Some(not) = not {
        found.extend(first_level(not, context, path.field("not")).map(|inner| Condition::Not(Box::new(inner))));
    }
    only(found, context, path)
}

fn first_level(condition: &wire::Condition, context: &mut Context<'_>, path: Path<'_>) -> Option<Condition> {
    let wire::Condition { all, any, not, attribute, behavior, tags, list, segment, everyone } = condition;
    let mut found = plain(&Parts { attribute, behavior, tags, list, segment, everyone: *everyone }, context, path);
    if let Some(all) = all {
        found.push(Condition::All(each(all, context, path.field("all"), second_level)));
    }
    if let Some(any) = any {
        found.push(Condition::Any(each(any, context, path.field("any"), second_level)));
    }
    found.extend(opposite(not.as_ref(), context, path));
    only(found, context, path)
}

fn second_level(leaf: &wire::Leaf, context: &mut Context<'_>, path: Path<'_>) -> Option<Condition> {
    let wire::Leaf { not, attribute, behavior, tags, list, segment, everyone } = leaf;
    let mut found = plain(&Parts { attribute, behavior, tags, list, segment, everyone: *everyone }, context, path);
    found.extend(opposite(not.as_ref(), context, path));
    only(found, context, path)
}

fn opposite(not: Option<&wire::Plain>, context: &mut Context<'_>, path: Path<'_>) -> Option<Condition> {
    let wire::Plain { attribute, behavior, tags, list, segment, everyone } = not?;
    let at = path.field("not");
    let found = plain(&Parts { attribute, behavior, tags, list, segment, everyone: *everyone }, context, at);
    only(found, context, at).map(|inner| Condition::Not(Box::new(inner)))
}

fn each<T>(
    conditions: &[T],
    context: &mut Context<'_>,
    path: Path<'_>,
    compile: fn(&T, &mut Context<'_>, Path<'_>) -> Option<Condition>,
) -> Vec<Condition> {
    conditions
        .iter()
        .enumerate()
        .filter_map(|(index, condition)| compile(condition, context, path.index(index)))
        .collect()
}

fn only(mut found: Vec<Condition>, context: &mut Context<'_>, path: Path<'_>) -> Option<Condition> {
    if found.len() > 1 {
        context.contradiction(path);
    }
    found.pop()
}

/// The conditions that combine nothing, as every level has them.
struct Parts<'a> {
    attribute: &'a Option<wire::AttributeTest>,
    behavior: &'a Option<wire::BehaviorTest>,
    tags: &'a Option<wire::TagTest>,
    list: &'a Option<wire::ListTest>,
    segment: &'a Option<text::Name>,
    everyone: Option<bool>,
}

fn plain(parts: &Parts<'_>, context: &mut Context<'_>, path: Path<'_>) -> Vec<Condition> {
    let Parts { attribute, behavior, tags, list, segment, everyone } = parts;
    let mut found = Vec::new();
    if let Some(test) = attribute {
        found.push(self::attribute(test, context, path.field("attribute")));
    }
    if let Some(test) = behavior {
        found.push(Condition::Behavior(self::behavior(test, context, path.field("behavior"))));
    }
    if let Some(wire::TagTest { any, all, none }) = tags {
        let read = |tags: &Option<Vec<Label>>| tags.as_deref().map(labels).unwrap_or_default();
        found.push(Condition::Tags { any: read(any), all: read(all), none: read(none) });
    }
    if let Some(wire::ListTest { name }) = list {
        found.push(Condition::List(Name::from(name.as_str())));
    }
    if let Some(name) = segment {
        found.push(Condition::Segment(Name::from(name.as_str())));
    }
    if *everyone == Some(true) {
        found.push(Condition::Everyone);
    }
    found
}

fn attribute(test: &wire::AttributeTest, context: &mut Context<'_>, path: Path<'_>) -> Condition {
    let wire::AttributeTest { name, is_in, not_in, equals, exists, at_least, at_most } = test;
    let declared = declared(name, context, path.field("name"));
    let kind = declared.as_ref();
    let test = if let Some(values) = is_in {
        Test::In(scalars(values, kind, context, path.field("in")))
    } else if let Some(values) = not_in {
        Test::NotIn(scalars(values, kind, context, path.field("notIn")))
    } else if let Some(value) = equals {
        Test::In(vec![scalar(value, kind, context, path.field("equals"))])
    } else if let Some(flag) = exists {
        Test::Exists(*flag)
    } else {
        let least = at_least.as_ref().map(|value| bound(value, kind, context, path.field("atLeast")));
        let most = at_most.as_ref().map(|value| bound(value, kind, context, path.field("atMost")));
        Test::Between { least, most }
    };
    Condition::Attribute { name: name.0.clone(), test }
}

/// The attribute's type, where the Runtime is known.
fn declared(name: &text::FieldName, context: &mut Context<'_>, path: Path<'_>) -> Option<Attribute> {
    let runtime = context.runtime?;
    let known = runtime.attributes.get(name.as_str()).cloned();
    if known.is_none() {
        let names = runtime.attributes.keys().map(String::as_str);
        let remedy = did_you_mean(name.as_str(), names, "add it to attributes of the CampaignRuntime");
        let reason = format!("the Runtime declares no attribute `{}`", name.as_str());
        context.findings.push(path, code::NOT_FOUND, reason, remedy);
    }
    known
}

fn scalars(values: &[Label], kind: Option<&Attribute>, context: &mut Context<'_>, path: Path<'_>) -> Vec<Scalar> {
    values.iter().enumerate().map(|(index, value)| scalar(value, kind, context, path.index(index))).collect()
}

/// A value that is compared for equality.
fn scalar(value: &Label, kind: Option<&Attribute>, context: &mut Context<'_>, path: Path<'_>) -> Scalar {
    let text = value.as_str();
    match kind {
        Some(Attribute::Number) => number(text, context, path),
        Some(Attribute::Date) => date(text, context, path),
        Some(Attribute::Boolean) if ["true", "false"].contains(&text) => Scalar::Flag(text == "true"),
        Some(Attribute::Boolean) => {
            let reason = format!("`{text}` is not true or false");
            context.findings.push(path, code::MISFIT, reason, "write \"true\" or \"false\", in quotes");
            Scalar::Flag(false)
        }
        Some(Attribute::Enum(values)) if !values.iter().any(|known| known == text) => {
            let list = format!("choose one of {}", values.join(", "));
            let remedy = did_you_mean(text, values.iter().map(String::as_str), &list);
            context.findings.push(path, code::MISFIT, format!("`{text}` is not a value of the attribute"), remedy);
            Scalar::Text(text.to_owned())
        }
        Some(Attribute::Enum(_) | Attribute::String) | None => Scalar::Text(text.to_owned()),
    }
}

/// A value that is compared by order.
fn bound(value: &Label, kind: Option<&Attribute>, context: &mut Context<'_>, path: Path<'_>) -> Scalar {
    let text = value.as_str();
    match kind {
        Some(Attribute::Number) => number(text, context, path),
        Some(Attribute::Date) => date(text, context, path),
        Some(Attribute::Enum(_) | Attribute::String | Attribute::Boolean) => {
            context.findings.push(
                path,
                code::MISFIT,
                "only numbers and dates have an order",
                "use in, notIn or equals",
            );
            Scalar::Text(text.to_owned())
        }
        None => Decimal::parse(text).map_or_else(|| Scalar::Text(text.to_owned()), Scalar::Number),
    }
}

fn number(text: &str, context: &mut Context<'_>, path: Path<'_>) -> Scalar {
    Decimal::parse(text).map(Scalar::Number).unwrap_or_else(|| {
        context.findings.push(path, code::MISFIT, format!("`{text}` is not a number"), "write digits, such as \"18\"");
        Scalar::Text(text.to_owned())
    })
}

fn date(text: &str, context: &mut Context<'_>, path: Path<'_>) -> Scalar {
    if NaiveDate::parse_from_str(text, "%Y-%m-%d").is_err() {
        context.findings.push(path, code::MISFIT, format!("`{text}` is not a date"), "write such as \"2026-11-11\"");
    }
    Scalar::Text(text.to_owned())
}

fn behavior(test: &wire::BehaviorTest, context: &mut Context<'_>, path: Path<'_>) -> Behavior {
    let wire::BehaviorTest { event, count_at_least, count_at_most, sum, at_least, at_most, within, filter } = test;
    let where_at = path.field("where");
    names::fields(filter.keys(), context, where_at);
    let (measure, least, most) = match sum {
        Some(field) => {
            let least = at_least.as_ref().map(|number| context.decimal(number, path.field("atLeast")).e4);
            let most = at_most.as_ref().map(|number| context.decimal(number, path.field("atMost")).e4);
            in_order(least, most, context, path);
            (Measure::Sum(field.0.clone()), least, most)
        }
        None => (Measure::Count, *count_at_least, *count_at_most),
    };
    Behavior {
        event: event.0.clone(),
        filter: filter
            .iter()
            .map(|(name, test)| (name.clone(), field_test(test, context, where_at.field(name))))
            .collect(),
        window: Window {
            within: within.as_ref().map(|span| context.span_above_zero(span, path.field("within"))),
            ..Window::default()
        },
        pick: None,
        measure,
        least,
        most,
    }
}

fn field_test(test: &wire::FieldTest, context: &mut Context<'_>, path: Path<'_>) -> Test {
    let wire::FieldTest { is_in, equals, at_least, at_most } = test;
    let texts = |values: &[Label]| values.iter().map(|value| Scalar::Text(value.0.clone())).collect();
    if let Some(values) = is_in {
        return Test::In(texts(values));
    }
    if let Some(value) = equals {
        return Test::In(texts(std::slice::from_ref(value)));
    }
    let least = at_least.as_ref().map(|number| context.decimal(number, path.field("atLeast")));
    let most = at_most.as_ref().map(|number| context.decimal(number, path.field("atMost")));
    in_order(least.map(|number| number.e4), most.map(|number| number.e4), context, path);
    Test::Between { least: least.map(Scalar::Number), most: most.map(Scalar::Number) }
}

fn in_order(least: Option<i64>, most: Option<i64>, context: &mut Context<'_>, path: Path<'_>) {
    if let (Some(least), Some(most)) = (least, most)
        && least > most
    {
        context.findings.push(path.field("atMost"), code::CONFLICT, "atMost is less than atLeast", "exchange the two");
    }
}
