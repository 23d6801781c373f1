//! What is known of one member, as a trait and as a plain value that fulfils it.

use crate::{
    ids::Name,
    model::segment::{Decimal, Scalar},
    time::Ts,
};
use serde_json::Value;
use std::collections::{BTreeMap, BTreeSet};

/// What the paths of an order's lines begin with.
pub const LINES: &str = "lines.";

/// What is known of one member.
pub trait Facts {
    /// A stored attribute.
    fn attribute(&self, name: &str) -> Option<Scalar>;
    /// Whether the member has the tag.
    fn has_tag(&self, tag: &str) -> bool;
    /// Whether the member stands on the uploaded list.
    fn on_list(&self, list: &Name) -> bool;
    /// When the member became known, if anything says.
    fn known_since(&self) -> Option<Ts>;
    /// When the first of all its events was, of whatever type.
    fn first_event(&self) -> Option<Ts>;
    /// The member's events of a type, newest first.
    fn events(&self, kind: &str) -> Vec<&dyn Happening>;
}

/// Something that happened.
pub trait Happening {
    /// When.
    fn at(&self) -> Ts;
    /// The values in its data by a dotted path, such as `storeId`: through a list, those of each element; a step that is
    /// a number is an index instead. Objects and what is not there have none.
    fn values(&self, path: &str) -> Vec<Scalar>;
    /// How many lines it has.
    fn lines(&self) -> usize;
    /// The values of one line by a path within it, such as `sku`.
    fn line_values(&self, line: usize, path: &str) -> Vec<Scalar>;

    /// The first value by a path.
    fn field(&self, path: &str) -> Option<Scalar> {
        self.values(path).into_iter().next()
    }
}

/// Facts as a value.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct MemberFacts {
    /// Attributes by name.
    pub attributes: BTreeMap<String, Scalar>,
    /// Tags.
    pub tags: BTreeSet<String>,
    /// Uploaded lists that the member stands on.
    pub lists: BTreeSet<Name>,
    /// When the member became known.
    pub since: Option<Ts>,
    /// Events by type, each newest first.
    pub events: BTreeMap<String, Vec<PastEvent>>,
}

/// An event as a value.
#[derive(Clone, Debug, PartialEq)]
pub struct PastEvent {
    /// When it happened.
    pub at: Ts,
    /// Its data.
    pub data: Value,
}

impl Facts for MemberFacts {
    fn attribute(&self, name: &str) -> Option<Scalar> {
        self.attributes.get(name).cloned()
    }
    fn has_tag(&self, tag: &str) -> bool {
        self.tags.contains(tag)
    }
    fn on_list(&self, list: &Name) -> bool {
        self.lists.contains(list)
    }
    fn known_since(&self) -> Option<Ts> {
        self.since
    }
    fn first_event(&self) -> Option<Ts> {
        self.events.values().flatten().map(|event| event.at).min()
    }
    fn events(&self, kind: &str) -> Vec<&dyn Happening> {
        self.events.get(kind).map_or_else(Vec::new, |events| events.iter().map(|e| e as &dyn Happening).collect())
    }
}

impl Happening for PastEvent {
    fn at(&self) -> Ts {
        self.at
    }
    fn values(&self, path: &str) -> Vec<Scalar> {
        values_of(&self.data, path)
    }
    fn lines(&self) -> usize {
        lines_of(&self.data)
    }
    fn line_values(&self, line: usize, path: &str) -> Vec<Scalar> {
        line_values_of(&self.data, line, path)
    }
}

/// The values in JSON data by a dotted path, as [`Happening::values`] says.
pub fn values_of(data: &Value, path: &str) -> Vec<Scalar> {
    let mut found = Vec::new();
    collect(data, path, &mut found);
    found
}

/// How many lines JSON data has.
pub fn lines_of(data: &Value) -> usize {
    data.get("lines").and_then(Value::as_array).map_or(0, Vec::len)
}

/// The values of one line of JSON data.
pub fn line_values_of(data: &Value, line: usize, path: &str) -> Vec<Scalar> {
    data.get("lines").and_then(|lines| lines.get(line)).map_or_else(Vec::new, |line| values_of(line, path))
}

fn collect(here: &Value, path: &str, found: &mut Vec<Scalar>) {
    if path.is_empty() {
        match here {
            Value::Array(items) => found.extend(items.iter().filter_map(scalar_of)),
            other => found.extend(scalar_of(other)),
        }
        return;
    }
    let (step, rest) = path.split_once('.').unwrap_or((path, ""));
    match here {
        Value::Array(items) => match step.parse::<usize>() {
            Ok(index) => items.get(index).into_iter().for_each(|item| collect(item, rest, found)),
            Err(_) => items.iter().filter_map(|item| item.get(step)).for_each(|item| collect(item, rest, found)),
        },
        other => other.get(step).into_iter().for_each(|item| collect(item, rest, found)),
    }
}

/// The first value in JSON data by a dotted path.
pub fn field_of(data: &Value, path: &str) -> Option<Scalar> {
    values_of(data, path).into_iter().next()
}

/// A JSON value as a scalar. Numbers beyond four decimals or eighteen digits stay text.
pub fn scalar_of(value: &Value) -> Option<Scalar> {
    match value {
        Value::Bool(flag) => Some(Scalar::Flag(*flag)),
        Value::Number(number) => {
            let text = number.to_string();
            Some(Decimal::parse(&text).map_or(Scalar::Text(text), Scalar::Number))
        }
        Value::String(text) => Some(Scalar::Text(text.clone())),
        Value::Null | Value::Array(_) | Value::Object(_) => None,
    }
}
