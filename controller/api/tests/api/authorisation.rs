//! Who may call what, found out by calling: the golden table shows each operation against each kind of caller.

use crate::support::{Shop, credential, golden};
use fanfare_api::Scope;
use serde_json::Value;
use std::fmt::Write as _;

/// `yes` where a caller gets past the door, else why not.
fn verdict(status: u16) -> &'static str {
    match status {
        401 => "401",
        403 => "403",
        status if status >= 500 => "fault",
        _ => "yes",
    }
}

#[tokio::test]
async fn each_operation_serves_whom_the_table_says() {
    let shop = Shop::open().await;
    let other = Shop::open().await;
    let callers = [
        ("anyone", String::new()),
        ("member", shop.login("m1").await),
        ("till", shop.till.clone()),
        ("integration", shop.integration.clone()),
        ("no-scope", credential(&shop.engine, None, &[]).await),
        ("unknown-key", credential(&other.engine, None, &Scope::ALL).await),
    ];
    let document: Value = serde_json::from_str(&fanfare_api::openapi_json()).unwrap();
    let mut table =
        String::from("# operation, and what it answers to each caller; made by tests/api/authorisation.rs\n");
    let heads: Vec<&str> = callers.iter().map(|(name, _)| *name).collect();
    writeln!(table, "{:<24} {}", "operation", heads.join(" ")).unwrap();
    for (path, item) in document["paths"].as_object().unwrap() {
        for (method, operation) in item.as_object().unwrap() {
            let filled = path
                .replace("{name}", "x")
                .replace("{mechanic}", "y")
                .replace("{action}", "draw")
                .replace("{id}", "i1");
            let mut row = format!("{:<24}", operation["operationId"].as_str().unwrap());
            for (name, who) in &callers {
                let answer = shop.change(&method.to_uppercase(), who, &filled, &serde_json::json!({})).await;
                write!(row, " {:<width$}", verdict(answer.status.as_u16()), width = name.len()).unwrap();
            }
            writeln!(table, "{}", row.trim_end()).unwrap();
        }
    }
    golden("tests/authorisation.golden", &table, include_str!("../authorisation.golden"));
}
