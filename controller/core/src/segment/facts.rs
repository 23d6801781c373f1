//! What is known of one member, as a trait and as a plain value that fulfils it.

use crate::{
    ids::Name,
    model::segment::{Decimal, Scalar},
    time::Ts,
};
use std::collections::{BTreeMap, BTreeSet};

/// What is known of one member.
pub trait Facts {
    /// A stored attribute.
    fn attribute(&self, name: &str) -> Option<Scalar>;
    /// Whether the member has the tag.
    fn has_tag(&self, tag: &str) -> bool;
    /// Whether the member stands on the uploaded list.
    fn on_list(&self, list: &Name) -> bool;
    /// The member's events of a type, newest first.
    fn events(&self, kind: &str) -> Vec<&dyn Happening>;
}

/// Something that happened.
pub trait Happening {
    /// When.
    fn at(&self) -> Ts;
    /// A value in its data by a dotted path, such as `storeId` or `lines.0.sku`; nothing for an object or a list.
    fn field(&self, path: &str) -> Option<Scalar>;
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
    /// Events by type, each newest first.
    pub events: BTreeMap<String, Vec<PastEvent>>,
}

/// An event as a value.
#[derive(Clone, Debug, PartialEq)]
pub struct PastEvent {
    /// When it happened.
    pub at: Ts,
    /// Its data.
    pub data: serde_json::Value,
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
    fn events(&self, kind: &str) -> Vec<&dyn Happening> {
        self.events.get(kind).map_or_else(Vec::new, |events| events.iter().map(|e| e as &dyn Happening).collect())
    }
}

impl Happening for PastEvent {
    fn at(&self) -> Ts {
        self.at
    }
    fn field(&self, path: &str) -> Option<Scalar> {
        field_of(&self.data, path)
    }
}

/// A value in JSON data by a dotted path; a step into a list is its index.
pub fn field_of(data: &serde_json::Value, path: &str) -> Option<Scalar> {
    let mut here = data;
    for step in path.split('.') {
        here = match here {
            serde_json::Value::Array(items) => items.get(step.parse::<usize>().ok()?)?,
            other => other.get(step)?,
        };
    }
    scalar_of(here)
}

/// A JSON value as a scalar. Numbers beyond four decimals or eighteen digits stay text.
pub fn scalar_of(value: &serde_json::Value) -> Option<Scalar> {
    match value {
        serde_json::Value::Bool(flag) => Some(Scalar::Flag(*flag)),
        serde_json::Value::Number(number) => {
            let text = number.to_string();
            Some(Decimal::parse(&text).map_or(Scalar::Text(text), Scalar::Number))
        }
        serde_json::Value::String(text) => Some(Scalar::Text(text.clone())),
        serde_json::Value::Null | serde_json::Value::Array(_) | serde_json::Value::Object(_) => None,
    }
}
