//! The description: complete, consistent and the one that is served.

use crate::support::{Shop, golden};
use serde_json::Value;
use std::collections::BTreeSet;

#[tokio::test]
async fn the_description_is_served_and_every_operation_is_whole() {
    let shop = Shop::open().await;
    let document = shop.get("", "/openapi.json").await.is(200);
    assert_eq!(document, serde_json::from_str::<Value>(&fanfare_api::openapi_json()).unwrap());
    assert!(document["openapi"].as_str().unwrap().starts_with("3.1"));
    let mut ids = BTreeSet::new();
    for (path, item) in document["paths"].as_object().unwrap() {
        for (method, operation) in item.as_object().unwrap() {
            let id = operation["operationId"].as_str().unwrap_or_else(|| panic!("{method} {path} has no operationId"));
            assert!(ids.insert(id.to_owned()), "{id} twice");
            let responses = operation["responses"].as_object().unwrap();
            assert!(responses.contains_key("default"), "{id} names no problem");
            for (status, response) in responses {
                let description = response["description"].as_str().unwrap_or_default();
                assert!(!description.is_empty(), "{id} describes not what {status} is");
            }
            assert!(responses.keys().any(|status| status.starts_with('2')), "{id} names no success");
            let declared: BTreeSet<&str> = operation["parameters"]
                .as_array()
                .into_iter()
                .flatten()
                .filter(|parameter| parameter["in"] == "path")
                .map(|parameter| parameter["name"].as_str().unwrap())
                .collect();
            let used: BTreeSet<&str> = path.split('{').skip(1).map(|rest| rest.split('}').next().unwrap()).collect();
            assert_eq!(declared, used, "{id}");
            if path.starts_with("/v1/") && !path.starts_with("/v1/auth/") {
                assert!(operation.get("security").is_some(), "{id} says not who may call it");
            }
        }
    }
    assert!(ids.len() > 20);
}

#[test]
fn the_manual_names_every_call() {
    let manual = include_str!("../../../../docs/reference/http.md");
    let document: Value = serde_json::from_str(&fanfare_api::openapi_json()).unwrap();
    let mut missing = Vec::new();
    for path in document["paths"].as_object().unwrap().keys() {
        if !manual.contains(&format!("{path}`")) {
            missing.push(path);
        }
    }
    assert!(missing.is_empty(), "docs/reference/http.md does not name {missing:?}");
}

#[test]
fn every_reference_of_the_description_leads_somewhere() {
    let document: Value = serde_json::from_str(&fanfare_api::openapi_json()).unwrap();
    let mut references = BTreeSet::new();
    gather(&document, &mut references);
    assert!(references.contains("#/components/schemas/Problem"));
    for reference in references {
        let pointer = reference.strip_prefix('#').unwrap();
        assert!(document.pointer(pointer).is_some(), "{reference}");
    }
    for scheme in ["member", "terminal", "integration"] {
        assert_eq!(document["components"]["securitySchemes"][scheme]["scheme"], "bearer");
    }
}

fn gather(value: &Value, references: &mut BTreeSet<String>) {
    match value {
        Value::Object(map) => {
            references.extend(map.get("$ref").and_then(Value::as_str).map(ToOwned::to_owned));
            map.values().for_each(|value| gather(value, references));
        }
        Value::Array(all) => all.iter().for_each(|value| gather(value, references)),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => {}
    }
}

#[test]
fn the_committed_description_is_the_one_that_the_code_makes() {
    golden("openapi.json", &fanfare_api::openapi_json(), include_str!("../../openapi.json"));
}
