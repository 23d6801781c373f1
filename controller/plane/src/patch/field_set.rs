//! Sets of fields in the `FieldsV1` form, and the walks over values that follow them.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use crate::object::is_empty_container;
use crate::schema::{ListKind, Schema};

/// Fields of `metadata` that no manager owns.
#[rustfmt::skip]
const UNOWNED_METADATA: &[&str] = &[
    "name", "namespace", "uid", "resourceVersion", "generation", "creationTimestamp",
    "deletionTimestamp", "deletionGracePeriodSeconds", "managedFields", "selfLink",
];

/// Whether a map counts as a field beside what is in it.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) enum Parents {
    /// As updates record them.
    Owned,
    /// As applied configurations record them.
    Implied,
}

/// A set of paths. Children are named as in FieldsV1: `f:name`, `k:{"key":"value"}`, `v:"value"`.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(from = "Value", into = "Value")]
pub(crate) struct FieldSet {
    pub(crate) member: bool,
    pub(crate) children: BTreeMap<String, FieldSet>,
}

impl FieldSet {
    fn leaf() -> Self {
        Self { member: true, children: BTreeMap::new() }
    }

    /// The fields of an object that managers can own.
    pub(crate) fn of_object(object: &Value, schema: Option<&Schema>, parents: Parents) -> Self {
        let mut set = Self::default();
        for (key, value) in object.as_object().into_iter().flatten() {
            let child = schema.and_then(|s| s.child(key));
            match key.as_str() {
                "apiVersion" | "kind" => {}
                "metadata" => {
                    let owned = value.as_object().into_iter().flatten();
                    let mut meta = Self::default();
                    for (key, value) in owned.filter(|(k, _)| !UNOWNED_METADATA.contains(&k.as_str())) {
                        let child = child.and_then(|s| s.child(key));
                        meta.children.insert(format!("f:{key}"), Self::of_value(value, child, parents));
                    }
                    set.insert_unless_empty("f:metadata", meta);
                }
                _ => drop(set.children.insert(format!("f:{key}"), Self::of_value(value, child, parents))),
            }
        }
        set
    }

    fn of_value(value: &Value, schema: Option<&Schema>, parents: Parents) -> Self {
        let is_inline = schema.is_some_and(|s| s.inline);
        match value {
            Value::Object(map) if !map.is_empty() && !schema.is_some_and(|s| s.atomic) => {
                let children = map.iter().map(|(key, child)| {
                    let mut set = Self::of_value(child, schema.and_then(|s| s.child(key)), parents);
                    // What no schema declares is a field of its own, whatever is in it.
                    set.member |= !schema.is_some_and(|s| s.properties.contains_key(key));
                    (format!("f:{key}"), set)
                });
                Self { member: parents == Parents::Owned && !is_inline, children: children.collect() }
            }
            Value::Array(items) if !items.is_empty() => match schema.map_or(&ListKind::Atomic, |s| &s.list) {
                ListKind::Atomic => Self::leaf(),
                ListKind::Set => {
                    let children = items.iter().map(|item| (format!("v:{item}"), Self::leaf())).collect();
                    Self { member: parents == Parents::Owned, children }
                }
                ListKind::Map(keys) => {
                    let item_schema = schema.and_then(|s| s.items.as_deref());
                    let children = items.iter().map(|item| {
                        let mut set = Self::of_value(item, item_schema, parents);
                        set.member = true;
                        (entry_key(item, keys, item_schema), set)
                    });
                    Self { member: parents == Parents::Owned && !is_inline, children: children.collect() }
                }
            },
            _ => Self::leaf(),
        }
    }

    fn insert_unless_empty(&mut self, key: &str, set: Self) {
        if !set.is_empty() {
            self.children.insert(key.to_owned(), set);
        }
    }

    pub(crate) fn is_empty(&self) -> bool {
        !self.member && self.children.is_empty()
    }

    fn read(value: Value) -> Self {
        let Value::Object(map) = value else { return Self::default() };
        let member = map.is_empty() || map.contains_key(".");
        let children = map.into_iter().filter(|(key, _)| key != ".");
        Self { member, children: children.map(|(key, child)| (key, Self::read(child))).collect() }
    }

    pub(crate) fn union(&mut self, other: &Self) {
        self.member |= other.member;
        for (key, child) in &other.children {
            self.children.entry(key.clone()).or_default().union(child);
        }
    }

    pub(crate) fn minus(&self, other: &Self) -> Self {
        let mut set = Self { member: self.member && !other.member, children: BTreeMap::new() };
        for (key, child) in &self.children {
            let rest = other.children.get(key).map_or_else(|| child.clone(), |o| child.minus(o));
            set.insert_unless_empty(key, rest);
        }
        set
    }

    /// The leaves of both: a container that both know something in belongs to neither alone.
    pub(crate) fn intersection(&self, other: &Self) -> Self {
        let is_leaf = self.children.is_empty() && other.children.is_empty();
        let mut set = Self { member: is_leaf && self.member && other.member, children: BTreeMap::new() };
        for (key, child) in &self.children {
            if let Some(o) = other.children.get(key) {
                set.insert_unless_empty(key, child.intersection(o));
            }
        }
        set
    }

    /// The fields of this set whose values are not the same in `a` and `b`.
    pub(crate) fn differing(&self, a: Option<&Value>, b: Option<&Value>) -> Self {
        if a == b {
            return Self::default();
        }
        let mut set = Self { member: self.member && self.children.is_empty(), children: BTreeMap::new() };
        for (key, child) in &self.children {
            let (a, b) = (a.and_then(|v| find(v, key)), b.and_then(|v| find(v, key)));
            set.insert_unless_empty(key, child.differing(a, b));
        }
        set
    }

    /// Removes these fields from a value, except what `kept` holds; containers that become empty go too.
    ///
    /// The mark of a map beside what is in it says only that the map may stay empty, so it removes nothing by itself.
    pub(crate) fn remove_from(&self, kept: &Self, value: &mut Value) {
        let nothing = Self::default();
        for (key, child) in &self.children {
            let kept = kept.children.get(key);
            match value {
                Value::Object(map) => {
                    let Some(field) = key.strip_prefix("f:") else { continue };
                    if child.children.is_empty() {
                        if kept.is_none() {
                            map.remove(field);
                        }
                    } else if let Some(v) = map.get_mut(field) {
                        child.remove_from(kept.unwrap_or(&nothing), v);
                        if kept.is_none() && is_empty_container(v) {
                            map.remove(field);
                        }
                    }
                }
                Value::Array(items) => {
                    let Some(i) = items.iter().position(|item| entry_matches(item, key)) else { continue };
                    if child.member && kept.is_none() {
                        items.remove(i);
                    } else {
                        child.remove_from(kept.unwrap_or(&nothing), &mut items[i]);
                    }
                }
                _ => {}
            }
        }
    }

    /// The members as paths such as `.spec.steps[name="a"].template`.
    pub(crate) fn paths(&self) -> Vec<String> {
        let itself = self.member.then(String::new);
        let below = self.children.iter().flat_map(|(key, child)| {
            let step = step_text(key);
            child.paths().into_iter().map(move |path| format!("{step}{path}"))
        });
        itself.into_iter().chain(below).collect()
    }
}

fn step_text(key: &str) -> String {
    match key.split_at_checked(2) {
        Some(("f:", name)) => format!(".{name}"),
        Some(("k:", keys)) => {
            let keys: Map<String, Value> = serde_json::from_str(keys).unwrap_or_default();
            let pairs: Vec<String> = keys.iter().map(|(k, v)| format!("{k}={v}")).collect();
            format!("[{}]", pairs.join(","))
        }
        Some(("v:", value)) => format!("[={value}]"),
        _ => String::new(),
    }
}

impl From<FieldSet> for Value {
    fn from(set: FieldSet) -> Self {
        let itself = (set.member && !set.children.is_empty()).then(|| (".".to_owned(), Value::Object(Map::new())));
        Self::Object(itself.into_iter().chain(set.children.into_iter().map(|(key, c)| (key, c.into()))).collect())
    }
}

/// A whole `fieldsV1`: the root itself is never a member.
impl From<Value> for FieldSet {
    fn from(value: Value) -> Self {
        Self { member: false, ..Self::read(value) }
    }
}

/// `k:{…}`: the identity of an entry in a map list. A key that is absent has its default.
pub(crate) fn entry_key(item: &Value, keys: &[String], schema: Option<&Schema>) -> String {
    let identity: Map<String, Value> = keys
        .iter()
        .filter_map(|key| {
            let implied = || schema.and_then(|s| s.child(key)).and_then(|s| s.default.clone());
            let value = item.get(key).cloned().or_else(implied).or_else(|| upstream_default(key))?;
            Some((key.clone(), value))
        })
        .collect();
    format!("k:{}", Value::Object(identity))
}

/// The one map key of built-in kinds that has a default.
fn upstream_default(key: &str) -> Option<Value> {
    (key == "protocol").then(|| Value::String("TCP".into()))
}

fn entry_matches(item: &Value, key: &str) -> bool {
    match key.split_at_checked(2) {
        Some(("k:", keys)) => {
            let keys: Map<String, Value> = serde_json::from_str(keys).unwrap_or_default();
            keys.iter().all(|(k, v)| match item.get(k) {
                Some(found) => found == v,
                None => upstream_default(k).as_ref() == Some(v),
            })
        }
        Some(("v:", value)) => serde_json::from_str::<Value>(value).is_ok_and(|v| v == *item),
        _ => false,
    }
}

fn find<'a>(value: &'a Value, key: &str) -> Option<&'a Value> {
    match key.strip_prefix("f:") {
        Some(name) => value.get(name),
        None => value.as_array()?.iter().find(|item| entry_matches(item, key)),
    }
}
