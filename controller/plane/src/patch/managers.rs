//! `metadata.managedFields`: who owns which field, and how an update moves ownership.

use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use super::field_set::{FieldSet, Parents};
use crate::schema::Schema;

/// Managers by update that are kept apart; older ones are folded into one entry, as upstream does.
const UPDATE_MANAGERS_MAX: usize = 10;
/// The name of the entry that older managers are folded into.
const ANCIENT: &str = "ancient-changes";

/// Who writes, through what.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Manager<'a> {
    pub(crate) name: &'a str,
    /// `status`, or empty.
    pub(crate) subresource: &'a str,
    pub(crate) api_version: &'a str,
    /// RFC 3339, whole seconds.
    pub(crate) now: &'a str,
}

/// The one form that there is of sets of fields.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
enum FieldsType {
    #[default]
    FieldsV1,
}

/// One entry of `managedFields`.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub(crate) struct Entry {
    pub(crate) manager: String,
    pub(crate) operation: String,
    pub(crate) api_version: String,
    #[serde(skip_serializing_if = "String::is_empty")]
    pub(crate) subresource: String,
    pub(crate) time: String,
    fields_type: FieldsType,
    #[serde(rename = "fieldsV1")]
    pub(crate) fields: FieldSet,
}

impl Entry {
    pub(crate) fn new(manager: &Manager<'_>, operation: &str, fields: FieldSet) -> Self {
        Self {
            manager: manager.name.to_owned(),
            operation: operation.to_owned(),
            api_version: manager.api_version.to_owned(),
            subresource: manager.subresource.to_owned(),
            time: manager.now.to_owned(),
            fields_type: FieldsType::FieldsV1,
            fields,
        }
    }

    pub(crate) fn is(&self, manager: &Manager<'_>, operation: &str) -> bool {
        self.manager == manager.name && self.operation == operation && self.subresource == manager.subresource
    }
}

/// The entries of an object; `None` when it has no such field.
pub(crate) fn read(object: &Value) -> Option<Vec<Entry>> {
    let entries = object["metadata"]["managedFields"].as_array()?.iter();
    // `[{}]` clears them.
    let read = entries.filter_map(|e| Entry::deserialize(e).ok());
    Some(read.filter(|e| !e.manager.is_empty() || !e.operation.is_empty()).collect())
}

/// Sets the entries of an object, without empty ones and with old updaters folded together.
pub(crate) fn write(object: &mut Value, mut entries: Vec<Entry>) {
    entries.retain(|e| !e.fields.is_empty());
    entries.sort_by(|a, b| (&a.operation, &a.time, &a.manager).cmp(&(&b.operation, &b.time, &b.manager)));
    fold_ancient(&mut entries);
    let Some(meta) = object["metadata"].as_object_mut() else { return };
    if entries.is_empty() {
        meta.remove("managedFields");
    } else {
        meta.insert("managedFields".into(), json!(entries));
    }
}

fn fold_ancient(entries: &mut Vec<Entry>) {
    loop {
        let updates: Vec<usize> = (0..entries.len()).filter(|i| entries[*i].operation == "Update").collect();
        let [oldest, next, ..] = updates[..] else { return };
        if updates.len() <= UPDATE_MANAGERS_MAX {
            return;
        }
        let next = entries.remove(next);
        let folded = &mut entries[oldest];
        folded.manager = ANCIENT.to_owned();
        folded.time = next.time;
        folded.fields.union(&next.fields);
    }
}

/// Gives the fields that differ between `old` and `new` to the manager, and takes them from all others.
///
/// Managed fields that the writer sent replace those of `old`; without them those of `old` go on.
pub(crate) fn track_update(old: Option<&Value>, new: &mut Value, schema: Option<&Schema>, manager: &Manager<'_>) {
    let mut entries = read(new).or_else(|| old.and_then(read)).unwrap_or_default();
    let new_fields = FieldSet::of_object(new, schema, Parents::Owned);
    let old_fields = old.map(|o| FieldSet::of_object(o, schema, Parents::Owned)).unwrap_or_default();
    let mut changed = new_fields.minus(&old_fields);
    changed.union(&new_fields.differing(old, Some(new)));
    let removed = old_fields.minus(&new_fields);
    if !changed.is_empty() || !removed.is_empty() {
        for entry in &mut entries {
            entry.fields = entry.fields.minus(&removed);
            if !entry.is(manager, "Update") {
                entry.fields = entry.fields.minus(&changed);
            }
        }
        match entries.iter_mut().find(|e| e.is(manager, "Update")) {
            Some(entry) => {
                entry.fields.union(&changed);
                entry.time = manager.now.to_owned();
                entry.api_version = manager.api_version.to_owned();
            }
            None => entries.push(Entry::new(manager, "Update", changed)),
        }
    }
    write(new, entries);
}

#[cfg(test)]
mod tests {
    use super::*;

    fn manager(name: &str) -> Manager<'_> {
        Manager { name, subresource: "", api_version: "t/v1", now: "2026-01-01T00:00:00Z" }
    }

    #[test]
    fn an_update_takes_what_it_changed_and_leaves_the_rest() {
        let mut first = json!({"metadata": {"name": "a"}, "spec": {"x": 1, "y": 1}});
        track_update(None, &mut first, None, &manager("a"));
        let mut second = first.clone();
        second["spec"]["y"] = json!(2);
        track_update(Some(&first), &mut second, None, &manager("b"));
        let fields: Vec<Value> = read(&second).unwrap().iter().map(|e| json!([e.manager, e.fields])).collect();
        assert_eq!(fields, [json!(["a", {"f:spec": {".": {}, "f:x": {}}}]), json!(["b", {"f:spec": {"f:y": {}}}]),]);
    }

    #[test]
    fn the_eleventh_updater_folds_the_oldest_two() {
        let mut object = json!({"metadata": {"name": "a"}, "spec": {}});
        for n in 0..=UPDATE_MANAGERS_MAX {
            let old = object.clone();
            object["spec"][format!("f{n:02}")] = json!(n);
            track_update(Some(&old), &mut object, None, &manager(&format!("m{n:02}")));
        }
        let entries = read(&object).unwrap();
        assert_eq!(entries.len(), UPDATE_MANAGERS_MAX);
        assert_eq!(entries[0].manager, ANCIENT);
        assert_eq!(entries[0].fields.paths(), [".spec.f00", ".spec.f01"]);
    }
}
