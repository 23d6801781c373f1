//! The committed CRDs and editor schemas are what the types say, and a cluster can take them.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test fails by panicking")]

use std::{fs, path::PathBuf};

use fanfare_core::model::Kind;
use fanfare_crds::generate::{CRD_MAX_BYTES, crd, generated_files, plural};
use kube::core::cel::compile_schema;
use serde_json::Value;

fn folder() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("generated")
}

/// `FANFARE_REGENERATE=1 cargo test -p fanfare-crds --test generated` writes them.
#[test]
fn the_generated_files_are_committed_as_they_are() {
    let files = generated_files().unwrap();
    if std::env::var_os("FANFARE_REGENERATE").is_some() {
        fs::create_dir_all(folder()).unwrap();
        for (name, text) in &files {
            fs::write(folder().join(name), text).unwrap();
        }
    }
    for (name, text) in &files {
        let committed = fs::read_to_string(folder().join(name)).unwrap_or_default();
        assert!(
            &committed == text,
            "crds/generated/{name} is stale: run FANFARE_REGENERATE=1 cargo test -p fanfare-crds"
        );
    }
    let strays: Vec<String> = fs::read_dir(folder())
        .unwrap()
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .filter(|name| !files.contains_key(name))
        .collect();
    assert!(strays.is_empty(), "no type makes these files: {strays:?}");
}

#[test]
fn every_definition_can_be_applied_by_kubectl() {
    for kind in Kind::ALL {
        let bytes = serde_json::to_string(&crd(kind)).unwrap().len();
        assert!(bytes < CRD_MAX_BYTES, "{}: {bytes} bytes", kind.as_str());
    }
}

#[test]
fn every_definition_is_found_by_kubectl_get_marketing() {
    for kind in Kind::ALL {
        let definition = crd(kind);
        assert_eq!(definition.spec.names.categories.as_deref(), Some(["marketing".to_owned()].as_slice()));
        assert_eq!(definition.spec.names.plural, plural(kind));
        assert_eq!(definition.metadata.name, Some(format!("{}.fanfare.dev", plural(kind))));
    }
}

#[test]
fn every_rule_compiles() {
    for kind in Kind::ALL {
        let definition = serde_json::to_value(crd(kind)).unwrap();
        let compiled = compile_schema(&definition["spec"]["versions"][0]["schema"]["openAPIV3Schema"]);
        assert!(!compiled.has_errors(), "{}: {:?}", kind.as_str(), compiled.compilation_errors());
    }
}

/// Walks a schema and its subschemas.
fn walk(schema: &Value, path: &str, check: &mut dyn FnMut(&str, &Value)) {
    check(path, schema);
    for (name, sub) in schema["properties"].as_object().into_iter().flatten() {
        walk(sub, &format!("{path}.{name}"), check);
    }
    for (key, mark) in [("items", "[]"), ("additionalProperties", "{}")] {
        if schema[key].is_object() {
            walk(&schema[key], &format!("{path}{mark}"), check);
        }
    }
}

fn each_schema(check: &mut dyn FnMut(&str, &Value)) {
    for kind in Kind::ALL {
        let definition = serde_json::to_value(crd(kind)).unwrap();
        let schema = &definition["spec"]["versions"][0]["schema"]["openAPIV3Schema"];
        for part in ["spec", "status"] {
            walk(&schema["properties"][part], &format!("{}.{part}", kind.as_str()), check);
        }
    }
}

#[test]
fn every_text_list_and_map_of_a_spec_has_a_maximum() {
    each_schema(&mut |path, schema| {
        let bounded = match schema["type"].as_str() {
            Some("string") => {
                schema["enum"].is_array() || schema["maxLength"].is_number() || schema["format"].is_string()
            }
            Some("array") => schema["maxItems"].is_number(),
            Some("object") => !schema["additionalProperties"].is_object() || schema["maxProperties"].is_number(),
            _ => true,
        };
        assert!(bounded, "{path} has no maximum: {schema}");
    });
}

#[test]
fn no_schema_has_what_an_api_server_refuses_or_warns_of() {
    each_schema(&mut |path, schema| {
        for refused in ["oneOf", "anyOf", "allOf", "$ref", "nullable", "default", "const"] {
            assert!(schema.get(refused).is_none(), "{path} has {refused}");
        }
        let format = schema["format"].as_str().unwrap_or("int64");
        assert!(["int64", "date-time"].contains(&format), "{path} has format {format}");
    });
}

#[test]
fn every_field_of_a_spec_is_explained_and_none_reads_as_a_boolean() {
    each_schema(&mut |path, schema| {
        for (name, sub) in schema["properties"].as_object().into_iter().flatten() {
            assert!(!["on", "off", "yes", "no", "y", "n"].contains(&name.to_lowercase().as_str()), "{path}.{name}");
            let nested = [".match.all", ".match.any", ".match.not"].iter().any(|at| path.contains(at));
            assert!(nested || sub["description"].is_string(), "{path}.{name} has no description");
        }
    });
}
