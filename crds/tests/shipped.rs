//! What is shipped beside the definitions is made of them: the chart's copies, and what Kustomize has to be told so that patches
//! merge by name and prefixes follow references.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test fails by panicking")]

use std::{
    collections::{BTreeMap, BTreeSet},
    fs,
    path::PathBuf,
};

use fanfare_core::model::Kind;
use fanfare_crds::generate::{generated_files, schema};
use serde_json::{Map, Value, json};

const GROUP: &str = "fanfare.dev";
const VERSION: &str = "v1alpha1";

fn charts() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../charts")
}

/// Compares files with what is committed, or writes them where `FANFARE_REGENERATE` is set.
fn hold(files: &BTreeMap<String, String>) {
    for (name, text) in files {
        let path = charts().join(name);
        if std::env::var_os("FANFARE_REGENERATE").is_some() {
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(&path, text).unwrap();
        }
        let committed = fs::read_to_string(&path).unwrap_or_default();
        assert!(&committed == text, "charts/{name} is stale: run FANFARE_REGENERATE=1 cargo test -p fanfare-crds");
    }
}

#[test]
fn the_chart_carries_the_definitions_as_they_are() {
    let of_chart =
        |(name, text): (String, String)| name.ends_with(".yaml").then(|| (format!("fanfare/files/crds/{name}"), text));
    let files: BTreeMap<String, String> = generated_files().unwrap().into_iter().filter_map(of_chart).collect();
    assert_eq!(files.len(), Kind::ALL.len());
    hold(&files);
    let there: BTreeSet<String> = fs::read_dir(charts().join("fanfare/files/crds"))
        .unwrap()
        .map(|entry| format!("fanfare/files/crds/{}", entry.unwrap().file_name().into_string().unwrap()))
        .collect();
    assert_eq!(there, files.into_keys().collect(), "and no others");
}

/// A schema with nothing but what leads to lists whose entries have a name; `None` where it leads to none.
fn merging(schema: &Value) -> Option<Value> {
    let mut kept = Map::new();
    for (name, sub) in schema["properties"].as_object().into_iter().flatten() {
        if let Some(sub) = merging(sub) {
            kept.insert(name.clone(), sub);
        }
    }
    let mut out = Map::new();
    if !kept.is_empty() {
        out.insert("properties".into(), Value::Object(kept));
    }
    if schema["items"].is_object() {
        let items = merging(&schema["items"]);
        let keys = schema["x-kubernetes-list-map-keys"].as_array();
        if let Some(key) = keys.filter(|keys| keys.len() == 1).map(|keys| &keys[0]) {
            out.insert("x-kubernetes-patch-merge-key".into(), key.clone());
            out.insert("x-kubernetes-patch-strategy".into(), json!("merge"));
        } else if items.is_none() {
            return None;
        }
        out.insert("items".into(), items.unwrap_or_else(|| json!({ "type": "object" })));
    }
    if out.is_empty() {
        return None;
    }
    out.insert("type".into(), schema["type"].clone());
    Some(Value::Object(out))
}

#[test]
fn kustomize_is_told_which_lists_merge_by_name() {
    let mut definitions = Map::new();
    for kind in Kind::ALL {
        let Some(mut merging) = merging(schema(kind)) else { continue };
        merging["x-kubernetes-group-version-kind"] =
            json!([{ "group": GROUP, "kind": kind.as_str(), "version": VERSION }]);
        definitions.insert(format!("dev.fanfare.{VERSION}.{}", kind.as_str()), merging);
    }
    let text = format!("{:#}\n", json!({ "definitions": definitions }));
    hold(&[("kustomize/openapi.json".to_owned(), text)].into());
}

/// Which kind a field of this name names. A new kind of reference is added here.
fn named(field: &str) -> Option<&'static str> {
    Some(match field {
        "segment" => "Segment",
        "reward" => "Reward",
        "channel" => "MessageChannel",
        "template" => "MessageTemplate",
        "secretRef" => "Secret",
        _ => return None,
    })
}

fn references(schema: &Value, path: &str, found: &mut BTreeSet<(&'static str, String)>) {
    for (name, sub) in schema["properties"].as_object().into_iter().flatten() {
        let at = format!("{path}/{name}");
        match (named(name), sub["type"].as_str()) {
            (Some(kind), Some("string")) => found.extend([(kind, at)]),
            (Some(kind), _) if sub["properties"]["name"].is_object() => found.extend([(kind, format!("{at}/name"))]),
            _ => references(sub, &at, found),
        }
    }
    if schema["items"].is_object() {
        references(&schema["items"], path, found);
    }
}

#[test]
fn kustomize_is_told_which_fields_are_names_of_others() {
    let mut of: BTreeMap<&str, String> = BTreeMap::new();
    for kind in Kind::ALL {
        let mut found = BTreeSet::new();
        references(&schema(kind)["properties"]["spec"], "spec", &mut found);
        for (named, path) in found {
            let line = format!("      - {{group: {GROUP}, kind: {}, path: {path}}}\n", kind.as_str());
            of.entry(named).or_default().push_str(&line);
        }
    }
    for must in ["Segment", "Reward", "MessageChannel", "MessageTemplate", "Secret"] {
        assert!(of.contains_key(must), "nothing names a {must}");
    }
    let mut text = String::from("# Made of the definitions by crds/tests/shipped.rs.\nnameReference:\n");
    for (named, lines) in of {
        let group = if named == "Secret" { "version: v1".to_owned() } else { format!("group: {GROUP}") };
        text.push_str(&format!("  - kind: {named}\n    {group}\n    fieldSpecs:\n{lines}"));
    }
    hold(&[("kustomize/name-reference.yaml".to_owned(), text)].into());
}
