//! Strategic merge patch, for built-in kinds: lists merge by key, and `$` directives replace, delete and order.

use serde_json::{Map, Value};

use crate::schema::{ListKind, Schema};

/// Merges `patch` into `target` along the list kinds of `schema`.
pub(crate) fn strategic_merge(target: &mut Value, patch: &Value, schema: Option<&Schema>) {
    let Value::Object(patch) = patch else {
        *target = patch.clone();
        return;
    };
    if directive(patch) == Some("replace") {
        let kept = patch.iter().filter(|(k, _)| *k != "$patch").map(|(k, v)| (k.clone(), v.clone()));
        *target = Value::Object(kept.collect());
        return;
    }
    if !target.is_object() {
        *target = Value::Object(Map::new());
    }
    let Value::Object(target) = target else { return };
    if let Some(Value::Array(keep)) = patch.get("$retainKeys") {
        target.retain(|key, _| keep.iter().any(|k| k == key));
    }
    for (key, value) in patch {
        if let Some(field) = key.strip_prefix("$deleteFromPrimitiveList/") {
            if let (Some(Value::Array(list)), Value::Array(gone)) = (target.get_mut(field), value) {
                list.retain(|x| !gone.contains(x));
            }
        } else if key.starts_with('$') {
        } else if value.is_null() || value.as_object().and_then(directive) == Some("delete") {
            target.remove(key);
        } else {
            let child = schema.and_then(|s| s.child(key));
            let order = patch.get(&format!("$setElementOrder/{key}")).and_then(Value::as_array);
            merge_field(target.entry(key.clone()).or_insert(Value::Null), value, child, order.map(Vec::as_slice));
        }
    }
}

fn merge_field(slot: &mut Value, patch: &Value, schema: Option<&Schema>, order: Option<&[Value]>) {
    let kind = schema.map_or(&ListKind::Atomic, |s| &s.list);
    match (patch, kind) {
        (Value::Object(_), _) => strategic_merge(slot, patch, schema),
        (Value::Array(items), ListKind::Map(keys)) => {
            let Some(key) = keys.first() else { return };
            let mut list = take_list(slot);
            merge_entries(&mut list, items, key, schema.and_then(|s| s.items.as_deref()));
            // Without an order of its own, what the patch names comes first.
            let order = order.unwrap_or(items);
            list.sort_by_key(|x| order.iter().position(|o| o.get(key) == x.get(key)).unwrap_or(usize::MAX));
            *slot = Value::Array(list);
        }
        (Value::Array(items), ListKind::Set) => {
            let mut list = take_list(slot);
            for item in items {
                if !list.contains(item) {
                    list.push(item.clone());
                }
            }
            list.sort_by_key(|x| items.iter().position(|i| i == x).unwrap_or(usize::MAX));
            *slot = Value::Array(list);
        }
        _ => *slot = patch.clone(),
    }
}

fn merge_entries(list: &mut Vec<Value>, items: &[Value], key: &str, schema: Option<&Schema>) {
    if items.iter().any(|i| i.as_object().and_then(directive) == Some("replace")) {
        list.clear();
    }
    for item in items.iter().filter(|i| i.get(key).is_some()) {
        let at = list.iter().position(|x| x.get(key) == item.get(key));
        match (item.as_object().and_then(directive), at) {
            (Some("delete"), Some(i)) => drop(list.remove(i)),
            (Some("delete"), None) => {}
            (_, Some(i)) => strategic_merge(&mut list[i], item, schema),
            (_, None) => {
                let mut entry = Value::Null;
                strategic_merge(&mut entry, item, schema);
                list.push(entry);
            }
        }
    }
}

fn directive(patch: &Map<String, Value>) -> Option<&str> {
    patch.get("$patch").and_then(Value::as_str)
}

/// Takes the list out of its slot, an empty one when it is none; the caller puts it back.
fn take_list(slot: &mut Value) -> Vec<Value> {
    match slot.take() {
        Value::Array(list) => list,
        _ => Vec::new(),
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use serde_json::json;

    use super::*;
    use crate::schema::compile_custom;

    fn check(target: Value, patch: Value, expect: Value) {
        let document = json!({"type": "object", "properties": {"list": {
            "type": "array", "x-kubernetes-list-type": "map", "x-kubernetes-list-map-keys": ["name"],
            "items": {"type": "object", "properties": {"name": {"type": "string"}, "v": {"type": "integer"}}}}}});
        let schema = compile_custom(&document, &Arc::new(Schema::default()), "").unwrap();
        let mut result = target;
        strategic_merge(&mut result, &patch, Some(&schema));
        assert_eq!(result, expect);
    }

    #[test]
    fn lists_with_a_key_merge_entry_by_entry_and_obey_directives() {
        let target = || json!({"list": [{"name": "a", "v": 1}, {"name": "b", "v": 2}], "m": {"x": 1, "y": 2}});
        check(
            target(),
            json!({"list": [{"name": "b", "v": 3}, {"name": "c"}], "$setElementOrder/list": [{"name": "c"}, {"name": "b"}]}),
            json!({"list": [{"name": "c"}, {"name": "b", "v": 3}, {"name": "a", "v": 1}], "m": {"x": 1, "y": 2}}),
        );
        check(
            target(),
            json!({"list": [{"name": "a", "$patch": "delete"}], "m": {"$patch": "replace", "z": 1}}),
            json!({"list": [{"name": "b", "v": 2}], "m": {"z": 1}}),
        );
        check(target(), json!({"list": null, "m": {"$retainKeys": ["x"], "x": 5}}), json!({"m": {"x": 5}}));
    }
}
