//! A test of an attribute. Its values take the type that the Runtime declares.

use chrono::NaiveDate;
use fanfare_core::model::runtime::Attribute;
use fanfare_core::model::segment::{Condition, Decimal, Scalar, Stretch, Test};

use crate::admit::context::Context;
use crate::admit::error::{Path, code};
use crate::nearest::did_you_mean;
use crate::wire::segment as wire;
use crate::wire::text::{self, Label};

/// A day later it comes round anyway.
const ANNIVERSARY_MAX_DAYS: i64 = 364;

/// Compiles a test of an attribute.
pub(super) fn compile(test: &wire::AttributeTest, context: &mut Context<'_>, path: Path<'_>) -> Condition {
    let name = test.name.as_str();
    let declared = declared(name, context, path.field("name"));
    Condition::Attribute { name: name.to_owned(), test: asked(test, declared.as_ref(), context, path) }
}

fn asked(test: &wire::AttributeTest, kind: Option<&Attribute>, context: &mut Context<'_>, path: Path<'_>) -> Test {
    let wire::AttributeTest {
        name: _,
        is_in,
        not_in,
        equals,
        exists,
        at_least,
        at_most,
        age_at_least,
        age_at_most,
        anniversary,
        anniversary_within,
        within_last,
        within_next,
    } = test;
    if let Some(values) = is_in {
        return Test::In(scalars(values, kind, context, path.field("in")));
    }
    if let Some(values) = not_in {
        return Test::NotIn(scalars(values, kind, context, path.field("notIn")));
    }
    if let Some(value) = equals {
        return Test::In(vec![scalar(value, kind, context, path.field("equals"))]);
    }
    if let Some(flag) = exists {
        return Test::Exists(*flag);
    }
    if at_least.is_some() || at_most.is_some() {
        return between(at_least.as_ref(), at_most.as_ref(), kind, context, path);
    }
    of_date(test, kind, context, path);
    if let Some(stretch) = anniversary {
        return Test::AnniversaryIn(match stretch {
            wire::Anniversary::Today => Stretch::Today,
            wire::Anniversary::ThisWeek => Stretch::ThisWeek,
            wire::Anniversary::ThisMonth => Stretch::ThisMonth,
        });
    }
    if let Some(span) = anniversary_within {
        let at = path.field("anniversaryWithin");
        let days = whole_days(span, context, at);
        if days > ANNIVERSARY_MAX_DAYS {
            let reason = "every date comes round within a year";
            context.findings.push(at, code::OUT_OF_RANGE, reason, format!("write at most {ANNIVERSARY_MAX_DAYS}d"));
        }
        return Test::AnniversaryWithin { days };
    }
    if let Some(span) = within_last {
        let days = whole_days(span, context, path.field("withinLast"));
        return Test::DaysAhead { least: Some(-days), most: Some(0) };
    }
    if let Some(span) = within_next {
        let days = whole_days(span, context, path.field("withinNext"));
        return Test::DaysAhead { least: Some(0), most: Some(days) };
    }
    super::fields::in_order(*age_at_least, *age_at_most, ["ageAtLeast", "ageAtMost"], context, path);
    Test::Age { least: *age_at_least, most: *age_at_most }
}

/// Refuses a question for dates of what is none.
fn of_date(test: &wire::AttributeTest, kind: Option<&Attribute>, context: &mut Context<'_>, path: Path<'_>) {
    let asks = [
        ("ageAtLeast", test.age_at_least.is_some()),
        ("ageAtMost", test.age_at_most.is_some()),
        ("anniversary", test.anniversary.is_some()),
        ("anniversaryWithin", test.anniversary_within.is_some()),
        ("withinLast", test.within_last.is_some()),
        ("withinNext", test.within_next.is_some()),
    ];
    if kind.is_none_or(|kind| matches!(kind, Attribute::Date)) {
        return;
    }
    for (field, _) in asks.into_iter().filter(|(_, asked)| *asked) {
        let reason = format!("`{}` is not a date", test.name.as_str());
        let remedy = "name an attribute of type Date, or use in, notIn, equals, atLeast or atMost";
        context.findings.push(path.field(field), code::MISFIT, reason, remedy);
    }
}

fn whole_days(span: &text::Span, context: &mut Context<'_>, path: Path<'_>) -> i64 {
    let read = context.span(span, path);
    if read.seconds != 0 {
        let reason = format!("`{}` is not a number of whole days", span.as_str());
        context.findings.push(path, code::MALFORMED, reason, "a date has no time of day; write days, such as `7d`");
    }
    read.days
}

fn between(
    at_least: Option<&Label>,
    at_most: Option<&Label>,
    kind: Option<&Attribute>,
    context: &mut Context<'_>,
    path: Path<'_>,
) -> Test {
    if let Some(Attribute::Enum(values)) = kind {
        return Test::In(stretch_of(values, at_least, at_most, context, path));
    }
    let least = at_least.map(|value| bound(value, kind, context, path.field("atLeast")));
    let most = at_most.map(|value| bound(value, kind, context, path.field("atMost")));
    if let (Some(least), Some(most)) = (&least, &most)
        && std::mem::discriminant(least) == std::mem::discriminant(most)
        && least > most
    {
        context.findings.push(path.field("atMost"), code::CONFLICT, "atMost is less than atLeast", "exchange the two");
    }
    Test::Between { least, most }
}

/// The values of an Enum from one to another, in the order in which the Runtime declares them.
fn stretch_of(
    values: &[String],
    at_least: Option<&Label>,
    at_most: Option<&Label>,
    context: &mut Context<'_>,
    path: Path<'_>,
) -> Vec<Scalar> {
    let mut place = |bound: Option<&Label>, otherwise: usize, field: &str| {
        bound.map_or(otherwise, |bound| {
            known_value(bound.as_str(), values, context, path.field(field));
            values.iter().position(|value| value == bound.as_str()).unwrap_or(otherwise)
        })
    };
    let first = place(at_least, 0, "atLeast");
    let last = place(at_most, values.len().saturating_sub(1), "atMost");
    if first > last {
        let reason = "atMost stands before atLeast in the values of the attribute";
        context.findings.push(path.field("atMost"), code::CONFLICT, reason, "exchange the two");
    }
    values.get(first..=last).unwrap_or_default().iter().cloned().map(Scalar::Text).collect()
}

/// The attribute's type, where the Runtime is known.
pub(super) fn declared(name: &str, context: &mut Context<'_>, path: Path<'_>) -> Option<Attribute> {
    let runtime = context.runtime?;
    let known = runtime.attributes.get(name).cloned();
    if known.is_none() {
        let names = runtime.attributes.keys().map(String::as_str);
        let remedy = did_you_mean(name, names, "add it to attributes of the CampaignRuntime");
        let reason = format!("the Runtime declares no attribute `{name}`");
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
        Some(Attribute::Boolean) => flag(text, context, path),
        Some(Attribute::Location) => {
            let remedy = "ask for location: {near, radius, attribute}, or use exists";
            context.findings.push(path, code::MISFIT, "a place is hardly ever the very same", remedy);
            Scalar::Text(text.to_owned())
        }
        Some(Attribute::Enum(values)) => {
            known_value(text, values, context, path);
            Scalar::Text(text.to_owned())
        }
        Some(Attribute::String) | None => Scalar::Text(text.to_owned()),
    }
}

fn known_value(text: &str, values: &[String], context: &mut Context<'_>, path: Path<'_>) {
    if !values.iter().any(|known| known == text) {
        let list = format!("choose one of {}", values.join(", "));
        let remedy = did_you_mean(text, values.iter().map(String::as_str), &list);
        context.findings.push(path, code::MISFIT, format!("`{text}` is not a value of the attribute"), remedy);
    }
}

/// A value that is compared by order.
fn bound(value: &Label, kind: Option<&Attribute>, context: &mut Context<'_>, path: Path<'_>) -> Scalar {
    let text = value.as_str();
    match kind {
        Some(Attribute::Number) => number(text, context, path),
        Some(Attribute::Date) => date(text, context, path),
        Some(Attribute::Enum(_) | Attribute::String | Attribute::Boolean | Attribute::Location) => {
            context.findings.push(
                path,
                code::MISFIT,
                "only numbers, dates and the values of an Enum have an order",
                "use in, notIn or equals",
            );
            Scalar::Text(text.to_owned())
        }
        None => Decimal::parse(text).map_or_else(|| Scalar::Text(text.to_owned()), Scalar::Number),
    }
}

pub(super) fn number(text: &str, context: &mut Context<'_>, path: Path<'_>) -> Scalar {
    Decimal::parse(text).map(Scalar::Number).unwrap_or_else(|| {
        context.findings.push(path, code::MISFIT, format!("`{text}` is not a number"), "write digits, such as \"18\"");
        Scalar::Text(text.to_owned())
    })
}

pub(super) fn flag(text: &str, context: &mut Context<'_>, path: Path<'_>) -> Scalar {
    if !["true", "false"].contains(&text) {
        let reason = format!("`{text}` is not true or false");
        context.findings.push(path, code::MISFIT, reason, "write \"true\" or \"false\", in quotes");
    }
    Scalar::Flag(text == "true")
}

fn date(text: &str, context: &mut Context<'_>, path: Path<'_>) -> Scalar {
    if NaiveDate::parse_from_str(text, "%Y-%m-%d").is_err() {
        context.findings.push(path, code::MISFIT, format!("`{text}` is not a date"), "write such as \"2026-11-11\"");
    }
    Scalar::Text(text.to_owned())
}
