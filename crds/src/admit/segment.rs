//! A Segment's specification → its condition. What the Runtime says (types of attributes, stores, lifecycle, interests)
//! is compiled into it, so that nobody asks for it later; a change of the Runtime compiles every Segment anew.

mod attribute;
mod behavior;
mod fields;
mod person;

pub(crate) use person::point;

use fanfare_core::ids::Name;
use fanfare_core::model::SegmentPlan;
use fanfare_core::model::segment::Condition;

use super::context::{Context, labels};
use super::error::{Path, code};
use crate::wire::segment as wire;
use crate::wire::segment::Questions;
use crate::wire::text::Label;

/// How many conditions one Segment may have, those that combine others counted too. The schema alone allows some
/// hundreds; each is asked of every member.
const CONDITIONS_MAX: usize = 100;

/// Compiles `spec`. What is wrong goes to `context`; then the plan is of no use.
pub(crate) fn compile(name: &str, spec: &wire::SegmentSpec, context: &mut Context<'_>) -> SegmentPlan {
    let wire::SegmentSpec { title, condition } = spec;
    let path = Path::SPEC;
    let at = path.field("match");
    let condition = top(condition, context, at).unwrap_or(Condition::Everyone);
    let conditions = size(&condition);
    if conditions > CONDITIONS_MAX {
        let reason = format!("has {conditions} conditions, too many to ask of every member");
        let remedy = format!("write at most {CONDITIONS_MAX}, or put a part into a Segment of its own and name it");
        context.findings.push(at, code::TOO_LARGE, reason, remedy);
    }
    SegmentPlan { name: Name::from(name), title: title.clone(), condition }
}

fn size(condition: &Condition) -> usize {
    1 + match condition {
        Condition::All(parts) | Condition::Any(parts) => parts.iter().map(size).sum(),
        Condition::Not(part) => size(part),
        Condition::Everyone
        | Condition::Attribute { .. }
        | Condition::Behavior(_)
        | Condition::Sequence(_)
        | Condition::Lifecycle(_)
        | Condition::Location(_)
        | Condition::Tags { .. }
        | Condition::Interests(_)
        | Condition::List(_)
        | Condition::Segment(_) => 0,
    }
}

fn top(condition: &wire::Match, context: &mut Context<'_>, path: Path<'_>) -> Option<Condition> {
    let mut found = questions(&condition.questions(), context, path);
    if let Some(all) = &condition.all {
        found.push(Condition::All(each(all, context, path.field("all"), first_level)));
    }
    if let Some(any) = &condition.any {
        found.push(Condition::Any(each(any, context, path.field("any"), first_level)));
    }
    if let Some(not) = &condition.not {
        found.extend(first_level(not, context, path.field("not")).map(|inner| Condition::Not(Box::new(inner))));
    }
    only(found, context, path)
}

fn first_level(condition: &wire::Condition, context: &mut Context<'_>, path: Path<'_>) -> Option<Condition> {
    let mut found = questions(&condition.questions(), context, path);
    if let Some(all) = &condition.all {
        found.push(Condition::All(each(all, context, path.field("all"), second_level)));
    }
    if let Some(any) = &condition.any {
        found.push(Condition::Any(each(any, context, path.field("any"), second_level)));
    }
    found.extend(opposite(condition.not.as_ref(), context, path));
    only(found, context, path)
}

fn second_level(leaf: &wire::Leaf, context: &mut Context<'_>, path: Path<'_>) -> Option<Condition> {
    let mut found = questions(&leaf.questions(), context, path);
    found.extend(opposite(leaf.not.as_ref(), context, path));
    only(found, context, path)
}

fn opposite(not: Option<&wire::Plain>, context: &mut Context<'_>, path: Path<'_>) -> Option<Condition> {
    let at = path.field("not");
    let found = questions(&not?.questions(), context, at);
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

/// What a level asks of a member; the schema's rules see to it that it is one thing.
fn questions(questions: &Questions<'_>, context: &mut Context<'_>, path: Path<'_>) -> Vec<Condition> {
    let Questions {
        attribute,
        behavior,
        sequence,
        lifecycle,
        location,
        tags,
        interests,
        list,
        segment,
        preset,
        everyone,
    } = questions;
    let mut found = Vec::new();
    if let Some(test) = attribute {
        found.push(attribute::compile(test, context, path.field("attribute")));
    }
    if let Some(test) = behavior {
        found.push(Condition::Behavior(behavior::behavior(test, context, path.field("behavior"))));
    }
    if let Some(test) = sequence {
        found.push(Condition::Sequence(behavior::sequence(test, context, path.field("sequence"))));
    }
    if let Some(test) = lifecycle {
        found.push(Condition::Lifecycle(person::lifecycle(test, context)));
    }
    if let Some(test) = location {
        found.extend(person::location(test, context, path.field("location")).map(Condition::Location));
    }
    if let Some(wire::TagTest { any, all, none }) = tags {
        found.push(Condition::Tags { any: read(any), all: read(all), none: read(none) });
    }
    if let Some(test) = interests {
        found.push(Condition::Interests(person::interests(test, context)));
    }
    if let Some(wire::ListTest { name }) = list {
        found.push(Condition::List(Name::from(name.as_str())));
    }
    if let Some(name) = segment {
        found.push(Condition::Segment(Name::from(name.as_str())));
    }
    if let Some(preset) = preset {
        found.push(person::preset(*preset, context));
    }
    if *everyone == Some(true) {
        found.push(Condition::Everyone);
    }
    found
}

fn read(names: &Option<Vec<Label>>) -> Vec<String> {
    names.as_deref().map(labels).unwrap_or_default()
}
