//! Fields of events: whether there is one of that name, what it holds, and a test of it.

use std::collections::BTreeMap;

use fanfare_core::event_types::{self, FieldKind};
use fanfare_core::model::runtime::Attribute;
use fanfare_core::model::segment::{Scalar, Test};
use fanfare_core::segment::LINES;

use super::attribute::{flag, number};
use crate::admit::context::Context;
use crate::admit::error::{Path, code};
use crate::admit::names;
use crate::nearest::did_you_mean;
use crate::wire::segment as wire;
use crate::wire::text::Label;

/// What a field of an event holds. One that is known not to be there is an error; of a type of event that nobody
/// declares, anything may be.
pub(super) fn field(event: &str, name: &str, context: &mut Context<'_>, path: Path<'_>) -> Option<FieldKind> {
    let runtime = context.runtime?;
    let declared = runtime.segments.event_fields.get(event);
    let built_in = event_types::fields_of(event);
    if declared.is_none() && built_in.is_none() {
        return None;
    }
    let mut known: Vec<(&str, FieldKind)> =
        event_types::common_fields().map(|(name, kind)| (as_any(name), kind)).collect();
    known.extend(built_in.into_iter().flatten().map(|(name, kind)| (as_any(name), kind)));
    known.extend(declared.into_iter().flatten().map(|(name, kind)| (name.as_str(), kind_of(kind))));
    let found = known.iter().find(|(known, _)| *known == name).map(|(_, kind)| *kind);
    if found.is_none() {
        let otherwise = format!("declare it under events.fields.{event} of the CampaignRuntime");
        let remedy = did_you_mean(name, known.iter().map(|(name, _)| *name), &otherwise);
        context.findings.push(path, code::NOT_FOUND, format!("{event} has no field `{name}`"), remedy);
    }
    found
}

/// The path that a name stands for: of an event with lines, `sku` is short for `lines.sku`, and so on.
pub(super) fn path_of(event: &str, name: &str, context: &Context<'_>) -> String {
    let declared = context.runtime.and_then(|runtime| runtime.segments.event_fields.get(event));
    let is_declared = declared.is_some_and(|fields| fields.contains_key(name));
    let known = |path: &str| event_types::fields_of(event).into_iter().flatten().any(|(known, _)| known == path);
    let of_line = format!("{LINES}{name}");
    if !is_declared && !known(name) && known(&of_line) { of_line } else { name.to_owned() }
}

/// A name of ours beside names of the Runtime's.
fn as_any<'a>(name: &'static str) -> &'a str {
    name
}

/// A field declared by the Runtime.
fn kind_of(kind: &Attribute) -> FieldKind {
    match kind {
        Attribute::Number => FieldKind::Number,
        Attribute::Boolean => FieldKind::Flag,
        Attribute::Enum(_) | Attribute::String | Attribute::Date | Attribute::Location => FieldKind::Text,
    }
}

/// A field that is reckoned with, by its path.
pub(super) fn numeric(event: &str, written: &str, context: &mut Context<'_>, path: Path<'_>) -> String {
    let name = path_of(event, written, context);
    if let Some(FieldKind::Text | FieldKind::Flag) = field(event, &name, context, path) {
        let remedy = "name a number, such as total or lines.quantity, or count with distinct or countAtLeast";
        context.findings.push(path, code::MISFIT, format!("`{name}` of {event} is not a number"), remedy);
    }
    name
}

/// The tests of an event's fields.
pub(super) fn filter(
    event: &str,
    filter: &BTreeMap<String, wire::FieldTest>,
    context: &mut Context<'_>,
    path: Path<'_>,
) -> BTreeMap<String, Test> {
    names::fields(filter.keys(), context, path);
    let mut tests = BTreeMap::new();
    for (written, test) in filter {
        let at = path.field(written);
        let name = path_of(event, written, context);
        let kind = field(event, &name, context, at);
        let test = field_test(&name, test, kind, context, at);
        if tests.insert(name.clone(), test).is_some() {
            let remedy = "keep one of the two";
            context.findings.push(at, code::DUPLICATE, format!("`{written}` and `{name}` are one field"), remedy);
        }
    }
    tests
}

fn field_test(
    name: &str,
    test: &wire::FieldTest,
    kind: Option<FieldKind>,
    context: &mut Context<'_>,
    path: Path<'_>,
) -> Test {
    let wire::FieldTest { is_in, not_in, equals, exists, at_least, at_most } = test;
    if let Some(values) = is_in {
        return Test::In(scalars(values, kind, context, path.field("in")));
    }
    if let Some(values) = not_in {
        return Test::NotIn(scalars(values, kind, context, path.field("notIn")));
    }
    if let Some(value) = equals {
        return Test::In(scalar(value, kind, context, path.field("equals")));
    }
    if let Some(flag) = exists {
        return Test::Exists(*flag);
    }
    if let Some(FieldKind::Text | FieldKind::Flag) = kind {
        let bound = if at_least.is_some() { "atLeast" } else { "atMost" };
        let reason = format!("`{name}` is not a number, so it is neither more nor less");
        context.findings.push(path.field(bound), code::MISFIT, reason, "use in, notIn or equals");
    }
    let least = at_least.as_ref().map(|number| context.decimal(number, path.field("atLeast")));
    let most = at_most.as_ref().map(|number| context.decimal(number, path.field("atMost")));
    in_order(least.map(|least| least.e4), most.map(|most| most.e4), ["atLeast", "atMost"], context, path);
    Test::Between { least: least.map(Scalar::Number), most: most.map(Scalar::Number) }
}

fn scalars(values: &[Label], kind: Option<FieldKind>, context: &mut Context<'_>, path: Path<'_>) -> Vec<Scalar> {
    let each = |(index, value): (usize, &Label)| scalar(value, kind, context, path.index(index));
    values.iter().enumerate().flat_map(each).collect()
}

/// What an author's value stands for; of a field that nobody declares, `"true"` is a text and a flag.
fn scalar(value: &Label, kind: Option<FieldKind>, context: &mut Context<'_>, path: Path<'_>) -> Vec<Scalar> {
    let text = value.as_str();
    match kind {
        Some(FieldKind::Number) => vec![number(text, context, path)],
        Some(FieldKind::Flag) => vec![flag(text, context, path)],
        None if ["true", "false"].contains(&text) => vec![Scalar::Text(text.to_owned()), Scalar::Flag(text == "true")],
        Some(FieldKind::Text) | None => vec![Scalar::Text(text.to_owned())],
    }
}

/// Refuses bounds that leave nothing.
pub(super) fn in_order(
    least: Option<i64>,
    most: Option<i64>,
    [low, high]: [&str; 2],
    context: &mut Context<'_>,
    path: Path<'_>,
) {
    if let (Some(least), Some(most)) = (least, most)
        && least > most
    {
        context.findings.push(
            path.field(high),
            code::CONFLICT,
            format!("{high} is less than {low}"),
            "exchange the two",
        );
    }
}
