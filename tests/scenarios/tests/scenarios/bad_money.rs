//! Money that no till should send: each call gets its stable code, changes nothing and is counted.

use crate::MIDDAY;
use anyhow::{Context, Result, ensure};
use fanfare_scenarios::{
    customers::{buy_big, cart, claim_coupon, line, paid, redeem},
    folder::fixture,
    http::Caller,
    shop::{Shop, Start},
};
use futures::future::join_all;
use serde_json::{Value, json};
use std::collections::BTreeMap;

/// What every account holds: no refused call moves it.
async fn books(shop: &Shop) -> Result<Value> {
    Ok(shop.backend().get("/v1/reports/trial-balance").await?.is(200)?["items"].clone())
}

fn with(order: &Value, pointer: &str, value: Value) -> Result<Value> {
    let mut changed = order.clone();
    *changed.pointer_mut(pointer).with_context(|| format!("no {pointer}"))? = value;
    Ok(changed)
}

/// The problems that were counted, by code.
async fn counted(shop: &Shop) -> Result<BTreeMap<String, u64>> {
    let page = shop.anyone().get("/metrics").await?.is(200)?;
    let text = page.as_str().context("no text")?;
    let of_it = text.lines().filter_map(|line| line.strip_prefix("fanfare_http_problems_total{code=\""));
    let all = of_it.map(|rest| {
        let (code, count) = rest.split_once("\"} ").context("another form")?;
        Ok((code.to_owned(), count.parse()?))
    });
    // A code that was never answered is counted too, as 0.
    Ok(all.collect::<Result<BTreeMap<_, _>>>()?.into_iter().filter(|(_, count)| *count > 0).collect())
}

#[tokio::test]
async fn wrong_amounts_lines_and_states_change_nothing_and_are_counted() -> Result<()> {
    let shop = Shop::open(&fixture("shop"), Start::at(MIDDAY)).await?;
    shop.ready().await?;
    let ann = shop.member("ann").await?;
    // The voucher is of another order than the one that comes back: a return would take it back.
    buy_big(&shop, "ann", "earned").await?;
    let till = shop.till();
    till.post("/v1/orders", &paid("sold", &cart("ann", &[line("1", "MUG-01", 2, "100.00")]))).await?.is(201)?;
    let (_, code) = claim_coupon(&ann).await?;
    let used = redeem(&till, &code, "other").await?.is(201)?;
    let reverse = format!("/v1/redemptions/{}/reverse", used["id"].as_str().context("no id")?);
    till.post(&reverse, &json!({"reversalId": "v1", "reason": "wrong article"})).await?.is(200)?;
    let back = |id: &str, lines: Value| json!({"returnId": id, "lines": lines, "reason": "size"});
    till.post("/v1/orders/sold/returns", &back("r1", json!([{"id": "1", "quantity": 1}]))).await?.is(201)?;
    let held = json!({"id": "held", "mode": "Reserve", "cart": cart("ann", &[line("1", "MUG-01", 1, "100.00")])});
    till.post("/v1/orders", &held).await?.is(201)?;
    till.post("/v1/orders/held/void", &json!({})).await?.is(200)?;

    let good = paid("new", &cart("ann", &[line("1", "MUG-01", 1, "100.00")]));
    let price = "/cart/lines/0/unitPrice";
    let (orders, returns) = ("/v1/orders", "/v1/orders/sold/returns");
    let cases: Vec<(&str, &str, Value, u16, &str)> = vec![
        ("negative", orders, with(&good, price, json!("-1.00"))?, 422, "invalid"),
        ("overflowing", orders, with(&good, price, json!("92233720368547758.08"))?, 422, "invalid"),
        ("mis-scaled", orders, with(&good, price, json!("1.001"))?, 422, "invalid"),
        ("no pieces", orders, with(&good, "/cart/lines/0/quantity", json!(0))?, 422, "invalid"),
        ("another currency", orders, with(&good, "/cart/currency", json!("USD"))?, 422, "currency-mismatch"),
        ("a used id", orders, with(&good, "/id", json!("sold"))?, 409, "order-id-reused"),
        (
            "a line twice",
            returns,
            back("r2", json!([{"id": "1", "quantity": 1}, {"id": "1", "quantity": 1}])),
            422,
            "invalid",
        ),
        ("above the order", returns, back("r2", json!([{"id": "1", "quantity": 2}])), 409, "return-exceeds-order"),
        ("no such line", returns, back("r2", json!([{"id": "9", "quantity": 1}])), 409, "return-exceeds-order"),
        ("of a void", "/v1/orders/held/returns", back("r2", json!([{"id": "1", "quantity": 1}])), 409, "order-state"),
        ("commit of a void", "/v1/orders/held/commit", json!({}), 409, "order-state"),
        ("reversed twice", &reverse, json!({"reversalId": "v2", "reason": "again"}), 409, "redemption-state"),
        (
            "no amount",
            "/v1/redemptions",
            json!({"code": code, "mode": "Commit", "storeId": "bkk-01", "amount": "0.00"}),
            422,
            "invalid",
        ),
        (
            "too much",
            "/v1/redemptions",
            json!({"code": code, "mode": "Commit", "storeId": "bkk-01", "amount": "200.01"}),
            409,
            "exceeds-remaining",
        ),
    ];
    let (before, mut expected) = (books(&shop).await?, counted(&shop).await?);
    for (what, path, body, status, code) in &cases {
        till.post(path, body).await?.problem(*status, code).with_context(|| format!("{what}: {body}"))?;
        *expected.entry((*code).to_owned()).or_default() += 1;
    }
    let after = books(&shop).await?;
    ensure!(after == before, "{before}\n{after}");
    let found = counted(&shop).await?;
    ensure!(found == expected, "{found:?} instead of {expected:?}");
    shop.close().await
}

/// The same code as people type it.
fn as_typed(code: &str) -> String {
    let letters = code.chars().map(|letter| match letter {
        '0' => 'o',
        '1' => 'l',
        other => other.to_ascii_lowercase(),
    });
    letters.enumerate().flat_map(|(at, letter)| [(at % 4 == 3).then_some(' '), Some(letter)]).flatten().collect()
}

async fn guess(till: &Caller, number: usize) -> Result<u16> {
    let code = format!("ZZZZ{number:08}");
    let answer = redeem(till, &code, &format!("guess-{number}")).await?;
    let status = answer.status;
    match status {
        404 => answer.problem(404, "code-unknown").map(drop)?,
        429 => {
            ensure!(answer.header("retry-after").is_some(), "{answer:?}");
            answer.problem(429, "too-many-requests").map(drop)?;
        }
        _ => anyhow::bail!("{answer:?}"),
    }
    Ok(status)
}

#[tokio::test]
async fn thousands_of_wrong_codes_find_nothing_and_stop_nobody_else_and_a_typed_code_is_read_kindly() -> Result<()> {
    let shop = Shop::open(&fixture("shop"), Start::at(MIDDAY)).await?;
    shop.ready().await?;
    let ann = shop.member("ann").await?;
    buy_big(&shop, "ann", "sold").await?;
    let (_, code) = claim_coupon(&ann).await?;
    let before = books(&shop).await?;
    let till = shop.till();
    let (mut unknown, mut stopped) = (0, 0);
    for burst in 0..20 {
        let numbers: Vec<usize> = (burst * 100..(burst + 1) * 100).collect();
        for status in join_all(numbers.iter().map(|number| guess(&till, *number))).await {
            match status? {
                404 => unknown += 1,
                _ => stopped += 1,
            }
        }
    }
    ensure!(unknown + stopped == 2_000 && stopped > 1_500, "{unknown} were looked up, {stopped} were stopped");
    let after = books(&shop).await?;
    ensure!(after == before, "{before}\n{after}");
    let found = counted(&shop).await?;
    ensure!(found.get("code-unknown") == Some(&unknown), "{found:?}");
    ensure!(found.get("too-many-requests") == Some(&stopped), "{found:?}");
    // Another caller is not stopped, and reads the code as it was typed: small, with spaces, an o for a 0, an l for a 1.
    let typed = as_typed(&code);
    let body = json!({"code": typed, "mode": "Commit", "storeId": "bkk-01"});
    let done = shop.backend().post("/v1/redemptions", &body).await?.is(201)?;
    ensure!(done["state"] == "Committed", "{typed}: {done}");
    shop.close().await
}
