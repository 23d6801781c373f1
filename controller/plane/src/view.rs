//! Several versions over one store. Events are kept as core/v1 and shown as events.k8s.io/v1 on request; of a custom kind's
//! versions only `apiVersion` differs, since the plane converts nothing.

use serde_json::{Value, json};

use crate::builtin::EVENTS_GROUP;
use crate::registry::Resource;

/// events.k8s.io name, core name.
const FIELDS: &[(&str, &str)] = &[
    ("regarding", "involvedObject"),
    ("note", "message"),
    ("reportingController", "reportingComponent"),
    ("deprecatedFirstTimestamp", "firstTimestamp"),
    ("deprecatedLastTimestamp", "lastTimestamp"),
    ("deprecatedCount", "count"),
    ("deprecatedSource", "source"),
];

/// Whether the resource shows its objects in another form than the stored one.
pub(crate) fn applies_to(resource: &Resource) -> bool {
    resource.stored_as != resource.api_version()
}

fn fields(resource: &Resource) -> &'static [(&'static str, &'static str)] {
    if resource.group == EVENTS_GROUP { FIELDS } else { &[] }
}

pub(crate) fn to_stored(resource: &Resource, mut value: Value) -> Value {
    if applies_to(resource) {
        rename(&mut value, fields(resource).iter().copied(), &resource.stored_as);
    }
    value
}

pub(crate) fn to_shown(resource: &Resource, mut value: Value) -> Value {
    if applies_to(resource) {
        rename(&mut value, fields(resource).iter().map(|(new, core)| (*core, *new)), &resource.api_version());
    }
    if resource.group == EVENTS_GROUP
        && let Value::Object(map) = &mut value
    {
        // Always there in core/v1, left out here when empty.
        map.retain(|key, v| !key.starts_with("reporting") || v != "");
    }
    value
}

fn rename<'a>(value: &mut Value, fields: impl Iterator<Item = (&'a str, &'a str)>, api_version: &str) {
    let Some(map) = value.as_object_mut() else { return };
    for (from, to) in fields {
        if let Some(v) = map.remove(from) {
            map.insert(to.to_owned(), v);
        }
    }
    if map.contains_key("apiVersion") {
        map.insert("apiVersion".into(), json!(api_version));
    }
}
