//! Server-side apply: merging a manager's configuration, dropping what it no longer names, and telling conflicts.

use serde_json::{Value, json};

use super::field_set::{FieldSet, Parents, entry_key};
use super::managers::{self, Entry, Manager};
use crate::schema::{ListKind, Schema};
use crate::status::ApiError;

/// Owns what an object without managed fields has when somebody applies to it.
const BEFORE_FIRST_APPLY: &str = "before-first-apply";

/// What to do about fields that other managers own with another value.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) enum Conflicts {
    Refuse,
    TakeOver,
}

/// A manager, described, and the paths that it owns.
type Conflict = (String, Vec<String>);

/// The object that results from applying `config` to `live`, managed fields included.
///
/// # Errors
/// 409 with one cause for each field in conflict.
pub(crate) fn apply(
    live: &Value,
    config: &Value,
    schema: Option<&Schema>,
    manager: &Manager<'_>,
    on_conflict: Conflicts,
) -> Result<Value, ApiError> {
    let wanted = FieldSet::of_object(config, schema, Parents::Implied);
    let mut entries = managers::read(live).unwrap_or_default();
    if entries.is_empty() && live["metadata"]["uid"].is_string() {
        let before = Manager { name: BEFORE_FIRST_APPLY, subresource: "", ..*manager };
        entries.push(Entry::new(&before, "Update", FieldSet::of_object(live, schema, Parents::Owned)));
    }
    let mine = entries.iter().position(|e| e.is(manager, "Apply")).map(|i| entries.remove(i));
    let mut conflicts = Vec::new();
    let mut of_others = FieldSet::default();
    for entry in &mut entries {
        let contested = entry.fields.intersection(&wanted).differing(Some(live), Some(config));
        if !contested.is_empty() {
            match on_conflict {
                Conflicts::TakeOver => entry.fields = entry.fields.minus(&contested),
                Conflicts::Refuse => conflicts.push((describe(entry), contested.paths())),
            }
        }
        of_others.union(&entry.fields);
    }
    if !conflicts.is_empty() {
        return Err(refusal(&conflicts));
    }
    let mut result = live.clone();
    if let Some(mine) = &mine {
        let mut kept = of_others;
        kept.union(&wanted);
        mine.fields.remove_from(&kept, &mut result);
    }
    merge_config(&mut result, config, schema);
    let mut entry = Entry::new(manager, "Apply", wanted);
    // The same configuration once more is no change, its time included.
    if let Some(before) = mine.filter(|m| m.fields == entry.fields && m.api_version == entry.api_version) {
        entry.time = before.time;
    }
    entries.push(entry);
    managers::write(&mut result, entries);
    Ok(result)
}

fn describe(entry: &Entry) -> String {
    let mut text = format!("\"{}\"", entry.manager);
    if !entry.subresource.is_empty() {
        text += &format!(" with subresource \"{}\"", entry.subresource);
    }
    if entry.operation == "Update" {
        text += &format!(" using {}", entry.api_version);
    }
    text
}

fn refusal(conflicts: &[Conflict]) -> ApiError {
    let line = |(manager, paths): &Conflict| match &paths[..] {
        [one] => format!("conflict with {manager}: {one}"),
        many => format!("conflicts with {manager}:\n- {}", many.join("\n- ")),
    };
    let cause = |manager: &str, path: &String| json!({"reason": "FieldManagerConflict", "message": format!("conflict with {manager}"), "field": path});
    let lines: Vec<String> = conflicts.iter().map(line).collect();
    let causes: Vec<Value> =
        conflicts.iter().flat_map(|(manager, paths)| paths.iter().map(move |path| cause(manager, path))).collect();
    let count = causes.len();
    let plural = if count == 1 { "" } else { "s" };
    let message = format!("Apply failed with {count} conflict{plural}: {}", lines.join("\n"));
    ApiError::new(409, "Conflict", message).with(json!({"causes": causes}))
}

/// Lays the configuration over the live value along the schema's list kinds.
fn merge_config(live: &mut Value, config: &Value, schema: Option<&Schema>) {
    match (live, config) {
        (Value::Object(live), Value::Object(config)) if !schema.is_some_and(|s| s.atomic) => {
            for (key, value) in config {
                match live.get_mut(key) {
                    Some(slot) => merge_config(slot, value, schema.and_then(|s| s.child(key))),
                    None => drop(live.insert(key.clone(), value.clone())),
                }
            }
        }
        (Value::Array(live), Value::Array(config)) => match schema.map_or(&ListKind::Atomic, |s| &s.list) {
            ListKind::Atomic => live.clone_from(config),
            ListKind::Set => {
                for item in config {
                    if !live.contains(item) {
                        live.push(item.clone());
                    }
                }
            }
            ListKind::Map(keys) => {
                let item_schema = schema.and_then(|s| s.items.as_deref());
                for item in config {
                    let identity = entry_key(item, keys, item_schema);
                    match live.iter_mut().find(|x| entry_key(x, keys, item_schema) == identity) {
                        Some(slot) => merge_config(slot, item, item_schema),
                        None => live.push(item.clone()),
                    }
                }
            }
        },
        (live, config) => *live = config.clone(),
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;
    use crate::schema::compile_custom;

    fn schema() -> Schema {
        let steps = json!({
            "type": "array", "x-kubernetes-list-type": "map", "x-kubernetes-list-map-keys": ["name"],
            "items": {"type": "object", "properties": {"name": {"type": "string"}, "t": {"type": "string"}}}});
        let document = json!({"type": "object", "properties": {"spec": {"type": "object", "properties": {
            "owner": {"type": "string"}, "n": {"type": "integer"}, "steps": steps}}}});
        compile_custom(&document, &Arc::new(Schema::default()), "").unwrap()
    }

    fn run(live: &Value, spec: Value, name: &str, on_conflict: Conflicts) -> Result<Value, ApiError> {
        let config = json!({"metadata": {"name": "x"}, "spec": spec});
        let manager = Manager { name, subresource: "", api_version: "t/v1", now: "2026-01-01T00:00:00Z" };
        apply(live, &config, Some(&schema()), &manager, on_conflict)
    }

    fn empty() -> Value {
        json!({"metadata": {"name": "x"}})
    }

    #[test]
    fn what_a_manager_no_longer_names_goes_unless_another_names_it_too() {
        let live = run(&empty(), json!({"owner": "crm", "n": 1}), "a", Conflicts::Refuse).unwrap();
        let live = run(&live, json!({"owner": "crm"}), "b", Conflicts::Refuse).unwrap();
        let live = run(&live, json!({"steps": []}), "a", Conflicts::Refuse).unwrap();
        assert_eq!(live["spec"], json!({"owner": "crm", "steps": []}));
    }

    #[test]
    fn another_value_for_a_field_of_another_manager_is_a_conflict_unless_forced() {
        let live = run(&empty(), json!({"owner": "crm", "n": 1}), "a", Conflicts::Refuse).unwrap();
        let error = run(&live, json!({"owner": "web"}), "b", Conflicts::Refuse).unwrap_err();
        assert_eq!(error.message, "Apply failed with 1 conflict: conflict with \"a\": .spec.owner");
        assert_eq!(error.details["causes"][0]["reason"], "FieldManagerConflict");
        let forced = run(&live, json!({"owner": "web"}), "b", Conflicts::TakeOver).unwrap();
        let again = run(&forced, json!({"n": 2}), "a", Conflicts::Refuse).unwrap();
        assert_eq!(again["spec"], json!({"owner": "web", "n": 2}));
    }

    #[test]
    fn entries_of_a_map_list_are_owned_one_by_one() {
        let live = run(&empty(), json!({"steps": [{"name": "a", "t": "1"}]}), "a", Conflicts::Refuse).unwrap();
        let live = run(&live, json!({"steps": [{"name": "b", "t": "2"}]}), "b", Conflicts::Refuse).unwrap();
        assert_eq!(live["spec"]["steps"], json!([{"name": "a", "t": "1"}, {"name": "b", "t": "2"}]));
        let live = run(&live, json!({"steps": [{"name": "c"}]}), "a", Conflicts::Refuse).unwrap();
        assert_eq!(live["spec"]["steps"], json!([{"name": "b", "t": "2"}, {"name": "c"}]));
    }

    #[test]
    fn a_map_that_was_owned_as_a_whole_keeps_what_others_put_into_it() {
        let mut live = run(&empty(), json!({"owner": "crm"}), "a", Conflicts::Refuse).unwrap();
        // As kubectl migrates from client-side apply: the map itself is in the set.
        live["metadata"]["managedFields"][0]["fieldsV1"] = json!({"f:spec": {".": {}, "f:owner": {}}});
        let live = run(&live, json!({"n": 1}), "b", Conflicts::Refuse).unwrap();
        assert_eq!(run(&live, json!({}), "a", Conflicts::Refuse).unwrap()["spec"], json!({"n": 1}));
    }

    #[test]
    fn applying_the_same_once_more_changes_nothing() {
        let live = run(&empty(), json!({"owner": "crm", "steps": [{"name": "a"}]}), "a", Conflicts::Refuse).unwrap();
        assert_eq!(
            run(&live, json!({"owner": "crm", "steps": [{"name": "a"}]}), "a", Conflicts::Refuse).unwrap(),
            live
        );
    }
}
