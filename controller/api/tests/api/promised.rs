//! Every answer that a test gets is one that the description promises.

use http::{HeaderMap, Method, StatusCode};
use jsonschema::Validator;
use serde_json::{Value, json};
use std::{collections::HashMap, sync::LazyLock};

/// What one operation promises with one status, and where.
struct Promise {
    method: Method,
    path: Vec<String>,
    status: String,
    body: Validator,
}

static PROMISES: LazyLock<Vec<Promise>> = LazyLock::new(|| {
    let document: Value = serde_json::from_str(include_str!("../../openapi.json")).unwrap();
    let mut found = Vec::new();
    for (path, item) in document["paths"].as_object().unwrap() {
        for (method, operation) in item.as_object().unwrap() {
            for (status, response) in operation["responses"].as_object().into_iter().flatten() {
                let schema = &response["content"]["application/json"]["schema"];
                if schema.is_null() {
                    continue;
                }
                let rooted = json!({ "components": document["components"], "allOf": [schema] });
                found.push(Promise {
                    method: method.to_uppercase().parse().unwrap(),
                    path: path.split('/').map(ToOwned::to_owned).collect(),
                    status: status.clone(),
                    body: jsonschema::draft202012::new(&rooted).unwrap(),
                });
            }
        }
    }
    assert!(found.len() > 40, "the description promises too little");
    found
});

/// Panics where a JSON answer that is no problem breaks the promise of its operation.
pub(crate) fn check(method: &str, uri: &str, status: StatusCode, headers: &HeaderMap, body: &[u8]) {
    let is_json = headers.get("content-type").is_some_and(|of| of.as_bytes() == b"application/json");
    if !status.is_success() || !is_json {
        return;
    }
    let parts: Vec<&str> = uri.split('?').next().unwrap().split('/').collect();
    let fits = |path: &[String]| {
        path.len() == parts.len() && path.iter().zip(&parts).all(|(own, part)| own == part || own.starts_with('{'))
    };
    let wanted = |one: &&Promise| one.method == method && one.status == status.as_str() && fits(&one.path);
    // Of `/orders/{id}` and `/orders/mine` the one with fewer gaps is meant.
    let gaps = |one: &&Promise| one.path.iter().filter(|part| part.starts_with('{')).count();
    let Some(promise) = PROMISES.iter().filter(wanted).min_by_key(gaps) else { return };
    let body: Value = serde_json::from_slice(body).unwrap();
    let broken: HashMap<String, String> =
        promise.body.iter_errors(&body).map(|fault| (fault.instance_path.to_string(), fault.to_string())).collect();
    assert!(
        broken.is_empty(),
        "{method} {uri} answers {status} with what openapi.json does not promise: {broken:#?}\n{body:#}"
    );
}
