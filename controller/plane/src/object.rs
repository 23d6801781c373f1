//! What is stored of one object: its exact bytes and the few facts that lists, watches and garbage collection need
//! without parsing them.
//!
//! Values are parsed on demand: a parsed tree takes several times the memory of its text.

use std::sync::Arc;

use bytes::Bytes;
use serde_json::Value;

/// A resource's store, whichever version serves it: (group, plural).
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(crate) struct GroupResource {
    pub(crate) group: Arc<str>,
    pub(crate) plural: Arc<str>,
}

impl GroupResource {
    pub(crate) fn new(group: &str, plural: &str) -> Self {
        Self { group: group.into(), plural: plural.into() }
    }
}

/// (namespace, name); the namespace is empty for cluster-scoped objects. Its order is the order of lists.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(crate) struct ObjectName {
    pub(crate) namespace: Box<str>,
    pub(crate) name: Box<str>,
}

impl ObjectName {
    pub(crate) fn new(namespace: &str, name: &str) -> Self {
        Self { namespace: namespace.into(), name: name.into() }
    }
}

/// Names one object in the whole plane.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(crate) struct Key {
    pub(crate) resource: GroupResource,
    pub(crate) object: ObjectName,
}

impl Key {
    pub(crate) fn new(resource: &GroupResource, namespace: &str, name: &str) -> Self {
        Self { resource: resource.clone(), object: ObjectName::new(namespace, name) }
    }
}

/// An owner reference, as far as garbage collection reads it.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Owner {
    pub(crate) uid: Box<str>,
    pub(crate) blocks_deletion: bool,
}

/// One version of one object.
#[derive(Debug)]
pub(crate) struct Stored {
    /// The resourceVersion, also inside `bytes`.
    pub(crate) version: u64,
    pub(crate) name: ObjectName,
    pub(crate) bytes: Bytes,
    pub(crate) uid: Box<str>,
    pub(crate) labels: Vec<(Box<str>, Box<str>)>,
    pub(crate) owners: Vec<Owner>,
    /// Whether `metadata.deletionTimestamp` is set.
    pub(crate) deleting: bool,
}

impl Stored {
    /// Serialises `value`, which carries `version` as its resourceVersion.
    pub(crate) fn from_value(version: u64, name: ObjectName, value: &Value) -> Self {
        Self::assemble(version, name, to_bytes(value), &value["metadata"])
    }

    /// Reads back what `from_value` wrote.
    ///
    /// # Errors
    /// When the bytes are not JSON.
    pub(crate) fn from_bytes(version: u64, name: ObjectName, bytes: Bytes) -> Result<Self, serde_json::Error> {
        let value: Value = serde_json::from_slice(&bytes)?;
        Ok(Self::assemble(version, name, bytes, &value["metadata"]))
    }

    fn assemble(version: u64, name: ObjectName, bytes: Bytes, meta: &Value) -> Self {
        let labels = meta["labels"].as_object().into_iter().flatten();
        let owners = meta["ownerReferences"].as_array().into_iter().flatten();
        Self {
            version,
            name,
            bytes,
            uid: meta["uid"].as_str().unwrap_or_default().into(),
            labels: labels.filter_map(|(k, v)| Some((k.as_str().into(), v.as_str()?.into()))).collect(),
            owners: owners
                .filter_map(|o| {
                    let blocks_deletion = o["blockOwnerDeletion"].as_bool().unwrap_or(false);
                    Some(Owner { uid: o["uid"].as_str()?.into(), blocks_deletion })
                })
                .collect(),
            deleting: meta.get("deletionTimestamp").is_some_and(|t| !t.is_null()),
        }
    }

    /// # Errors
    /// When the bytes are not JSON: the database was written by something else.
    pub(crate) fn value(&self) -> Result<Value, serde_json::Error> {
        serde_json::from_slice(&self.bytes)
    }

    /// The same under another version.
    ///
    /// # Errors
    /// When the bytes are not JSON.
    pub(crate) fn at_version(&self, version: u64) -> Result<Self, serde_json::Error> {
        let mut value = self.value()?;
        value["metadata"]["resourceVersion"] = Value::String(version.to_string());
        Ok(Self::from_value(version, self.name.clone(), &value))
    }

    pub(crate) fn label(&self, key: &str) -> Option<&str> {
        self.labels.iter().find(|(k, _)| &**k == key).map(|(_, v)| &**v)
    }
}

/// A tree of JSON can always be written.
pub(crate) fn to_bytes(value: &Value) -> Bytes {
    serde_json::to_vec(value).unwrap_or_default().into()
}

/// `metadata.<field>` as text, empty when absent.
pub(crate) fn meta_str<'a>(value: &'a Value, field: &str) -> &'a str {
    value["metadata"][field].as_str().unwrap_or_default()
}

/// Whether `metadata.finalizers` holds anything.
pub(crate) fn has_finalizers(value: &Value) -> bool {
    value["metadata"]["finalizers"].as_array().is_some_and(|a| !a.is_empty())
}

pub(crate) fn is_empty_container(value: &Value) -> bool {
    value.as_object().is_some_and(serde_json::Map::is_empty) || value.as_array().is_some_and(Vec::is_empty)
}
