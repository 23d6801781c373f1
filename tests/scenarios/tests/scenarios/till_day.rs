//! A till's day, told call by call: `cargo test -p fanfare-scenarios till_day -- --nocapture` prints it.

use crate::MIDDAY;
use anyhow::{Context, Result, ensure};
use fanfare_scenarios::{
    customers::{cart, line},
    folder::fixture,
    http::{Answer, Caller, items},
    shop::{Shop, Start},
};
use serde_json::{Value, json};

/// Prints a call and what of its answer matters.
fn tell(what: &str, answer: &Answer, fields: &[&str]) {
    let shown: Vec<String> =
        fields.iter().map(|at| format!("{} {}", label(at), plain(answer.body.pointer(at)))).collect();
    println!("{what}\n    {} -> {}  {}", answer.call, answer.status, shown.join(", "));
}

fn label(pointer: &str) -> &str {
    pointer.rsplit('/').next().unwrap_or(pointer)
}

fn plain(value: Option<&Value>) -> String {
    value.map_or_else(|| "-".to_owned(), |value| value.as_str().map_or_else(|| value.to_string(), ToOwned::to_owned))
}

/// Enrols a till of another store.
async fn enrol(shop: &Shop, store: &str) -> Result<Caller> {
    let printed = shop.verb(&["terminal", "enrol", "--store", store]).await?.code(0)?;
    let key = printed.lines().find_map(|line| line.strip_prefix("key: ")).context("no key was printed")?;
    Ok(shop.anyone().with(key))
}

#[tokio::test]
async fn a_till_s_day_adds_up_also_where_goods_come_back_to_another_store() -> Result<()> {
    let shop = Shop::open(&fixture("shop"), Start::at(MIDDAY)).await?;
    shop.member("ann").await?;
    let (siam, chiang_mai) = (shop.till(), enrol(&shop, "cnx-01").await?);
    let (mugs, coat) = (line("1", "MUG-01", 2, "100.00"), line("2", "COAT-01", 1, "600.00"));
    let hat = line("3", "HAT-01", 1, "150.00");

    let reserve = json!({"id": "order-1", "mode": "Reserve", "businessDate": "2026-11-11",
        "cart": cart("ann", &[mugs.clone(), coat.clone(), hat])});
    let held = siam.post("/v1/orders", &reserve).await?.check(201)?;
    tell(
        "Ann brings two mugs, a coat and a hat; half price holds for 15 minutes",
        &held,
        &["/state", "/total", "/discount", "/payable"],
    );
    ensure!(held.body["payable"] == "475.00", "{held:?}");

    let commit = json!({"cart": cart("ann", &[mugs.clone(), coat]), "receiptNumber": "R-1001"});
    let sold = siam.post("/v1/orders/order-1/commit", &commit).await?.check(200)?;
    tell(
        "She leaves the hat; the rest is recomputed and paid",
        &sold,
        &["/state", "/total", "/discount", "/payable", "/businessDate"],
    );
    ensure!(sold.body["payable"] == "400.00", "{sold:?}");

    let second = json!({"id": "order-2", "mode": "Reserve", "cart": cart("ann", std::slice::from_ref(&mugs))});
    siam.post("/v1/orders", &second).await?.is(201)?;
    let voided = siam.post("/v1/orders/order-2/void", &json!({})).await?.check(200)?;
    tell("Another cart is left at the till", &voided, &["/state"]);
    let third = json!({"id": "order-3", "mode": "Commit", "businessDate": "2026-11-11",
        "cart": cart("ann", &[line("1", "MUG-01", 1, "100.00")])});
    siam.post("/v1/orders", &third).await?.is(201)?;

    let back = json!({"returnId": "ret-1", "reason": "a crack", "businessDate": "2026-11-12",
        "lines": [{"id": "1", "quantity": 1}]});
    let returned = chiang_mai.post("/v1/orders/order-1/returns", &back).await?.check(201)?;
    let fields = ["/state", "/returns/0/refund", "/returns/0/storeId", "/returns/0/businessDate"];
    tell("Next day one mug comes back in Chiang Mai", &returned, &fields);
    ensure!(returned.body["returns"][0]["refund"] == "50.00", "{returned:?}");
    let again = chiang_mai.post("/v1/orders/order-1/returns", &back).await?.check(200)?;
    ensure!(again.body["returns"].as_array().is_some_and(|all| all.len() == 1), "{again:?}");

    let day = siam.get("/v1/reconciliation?businessDate=2026-11-11").await?.check(200)?;
    let sums = ["orders", "gross", "discount", "payable", "returns", "refunds", "net", "exceptions"];
    let of: Vec<String> = sums.iter().map(|field| format!("/items/0/{field}")).collect();
    let of: Vec<&str> = of.iter().map(String::as_str).collect();
    tell("Siam closes its day", &day, &of);
    expect(
        &day.body,
        "bkk-01",
        [json!(2), json!("900.00"), json!("450.00"), json!("450.00"), json!(0), json!("0.00")],
    )?;
    let elsewhere = chiang_mai.get("/v1/reconciliation?businessDate=2026-11-12").await?.check(200)?;
    tell("Chiang Mai closes the next", &elsewhere, &of);
    expect(
        &elsewhere.body,
        "cnx-01",
        [json!(0), json!("0.00"), json!("0.00"), json!("0.00"), json!(1), json!("50.00")],
    )?;

    let printed = shop.verb(&["ledger", "report", "reconciliation", "--date", "2026-11-11"]).await?.code(0)?;
    println!("fanfare ledger report reconciliation --date 2026-11-11\n{printed}");
    ensure!(
        printed.lines().count() == 2 && printed.contains(",bkk-01,2026-11-11,THB,2,900.00,450.00,0.00,450.00,"),
        "{printed}"
    );
    let trial = shop.backend().get("/v1/reports/trial-balance").await?.is(200)?;
    ensure!(items(&trial)?.len() > 5, "{trial}");
    for total in trial["totals"].as_array().into_iter().flatten() {
        ensure!(["0", "0.00"].contains(&total["amount"].as_str().unwrap_or_default()), "{trial}");
    }
    shop.close().await
}

/// Orders, gross, discount, payable, returns and refunds of the one store in it.
fn expect(day: &Value, store: &str, figures: [Value; 6]) -> Result<()> {
    let [one] = items(day)?.as_slice() else { anyhow::bail!("not one store: {day}") };
    ensure!(one["storeId"] == store, "{day}");
    let names = ["orders", "gross", "discount", "payable", "returns", "refunds"];
    for (name, figure) in names.into_iter().zip(figures) {
        ensure!(one[name] == figure, "{name} is {} instead of {figure}: {day}", one[name]);
    }
    ensure!(day["position"].as_i64().is_some_and(|position| position > 0), "{day}");
    Ok(())
}
