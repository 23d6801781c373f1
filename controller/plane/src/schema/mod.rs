//! Structural schemas, compiled once: pruning, defaulting, validation and the list kinds that merges follow.
//!
//! Compiled from a CRD's `openAPIV3Schema` or from the models of built-in kinds. CEL rules are in [`crate::cel`].

mod at;
mod compile;
mod fit;
mod validate;

use std::collections::BTreeMap;
use std::sync::Arc;

use regex::Regex;
use serde_json::Value;

pub(crate) use at::{unchanged, value_at};
pub(crate) use compile::{compile_builtin, compile_custom, compile_object_meta};
pub(crate) use fit::{apply_defaults, prune};
pub(crate) use validate::validate;

/// Names of types; whatever else a schema may say of one stands beside it.
const TYPES: [&str; 6] = ["object", "array", "string", "integer", "number", "boolean"];

/// How the entries of a list are told apart when writers merge.
#[derive(Debug, Clone, Default, PartialEq)]
pub(crate) enum ListKind {
    #[default]
    Atomic,
    Set,
    /// By these keys of each entry.
    Map(Vec<String>),
}

#[derive(Debug, Clone, Copy)]
pub(crate) struct Bound {
    pub(crate) at: f64,
    pub(crate) exclusive: bool,
}

/// One node of a structural schema. Absent limits are `None`.
#[derive(Debug, Clone, Default)]
pub(crate) struct Schema {
    /// One of [`TYPES`].
    pub(crate) kind: Option<&'static str>,
    pub(crate) nullable: bool,
    pub(crate) preserve_unknown: bool,
    pub(crate) embedded_resource: bool,
    pub(crate) int_or_string: bool,
    pub(crate) properties: BTreeMap<String, Arc<Schema>>,
    /// Of keys that are not among the properties; without it they are unknown.
    pub(crate) additional: Option<Arc<Schema>>,
    pub(crate) items: Option<Arc<Schema>>,
    pub(crate) required: Vec<String>,
    pub(crate) default: Option<Value>,
    pub(crate) allowed: Vec<Value>,
    pub(crate) min_length: Option<u64>,
    pub(crate) max_length: Option<u64>,
    pub(crate) pattern: Option<Regex>,
    pub(crate) format: Option<String>,
    pub(crate) minimum: Option<Bound>,
    pub(crate) maximum: Option<Bound>,
    pub(crate) multiple_of: Option<f64>,
    pub(crate) min_items: Option<u64>,
    pub(crate) max_items: Option<u64>,
    pub(crate) min_properties: Option<u64>,
    pub(crate) max_properties: Option<u64>,
    pub(crate) list: ListKind,
    /// A map or struct that is replaced as a whole by server-side apply.
    pub(crate) atomic: bool,
    /// A struct that is always there in Go, so that nobody owns the struct itself.
    pub(crate) inline: bool,
    pub(crate) all_of: Vec<Schema>,
    pub(crate) any_of: Vec<Schema>,
    pub(crate) one_of: Vec<Schema>,
    pub(crate) not: Option<Box<Schema>>,
}

impl Schema {
    /// What every value is valid by.
    pub(crate) fn anything() -> Self {
        Self { preserve_unknown: true, ..Self::default() }
    }

    /// The schema of one key of an object, declared or additional.
    pub(crate) fn child(&self, key: &str) -> Option<&Schema> {
        self.properties.get(key).or(self.additional.as_ref()).map(|schema| &**schema)
    }
}

/// `path.key`, or `key` at the root.
pub(crate) fn join(path: &str, key: &str) -> String {
    if path.is_empty() { key.to_owned() } else { format!("{path}.{key}") }
}
