//! Real purchases through a campaign: participants, revenue and coupons equal the sums taken directly from the file.

use anyhow::{Context, Result, ensure};
use fanfare_scenarios::{
    folder::Scratch,
    retail::{self, Truth},
    shop::{Shop, Start},
};
use serde_json::Value;
use std::path::Path;

/// A basket from this many cents on earns a coupon.
const COUPON_FROM: i64 = 2_000;

const MAPPING: &str = r#"source: retail-2017
type: order.paid
groupBy: basket_id
id: {column: basket_id, trimEnd: ".0"}
subject: {column: household_id, prefix: hh-}
time: {column: transaction_timestamp, format: rfc3339}
data:
  orderId: {column: basket_id, trimEnd: ".0"}
  currency: {const: USD}
  storeId: {column: store_id}
  channel: {const: pos}
  total: {sum: sales_value}
  lines:
    each:
      id: {row: true}
      sku: {column: product_id}
      quantity: {const: 1}
      unitPrice: {column: sales_value, as: decimal}
"#;

/// The chain's year as a campaign: each paid basket takes part, each larger one earns a coupon.
fn repository(truth: &Truth) -> String {
    let stores: Vec<String> = truth.stores.iter().map(|store| format!("    - {{id: \"{store}\"}}")).collect();
    format!(
        r#"apiVersion: fanfare.dev/v1alpha1
kind: CampaignRuntime
metadata: {{name: grocer}}
spec:
  timeZone: UTC
  currency: USD
  locales: {{default: en}}
  events: {{acceptPast: 400d, rewardPast: 400d}}
  stores:
{}
---
apiVersion: fanfare.dev/v1alpha1
kind: Reward
metadata: {{name: basket-coupon}}
spec:
  title: 1 dollar off
  voucher: {{amountOff: "1"}}
  unitCost: {{amount: "1"}}
---
apiVersion: fanfare.dev/v1alpha1
kind: Reward
metadata: {{name: thank-you-point}}
spec:
  title: A point for coming
  points: {{amount: 1}}
---
apiVersion: fanfare.dev/v1alpha1
kind: Campaign
metadata: {{name: year}}
spec:
  title: A year of groceries
  objective: Retention
  schedule: {{startAt: "2017-01-01T00:00", endAt: "2018-02-01T00:00"}}
  participation: {{join: Automatic}}
  mechanics:
    - name: thanks
      spendThreshold: {{basis: BeforeDiscounts, per: Order, award: All, tiers: [{{spend: "0.01", reward: thank-you-point}}, {{spend: "{}", reward: basket-coupon}}]}}
  attribution: {{window: 400d}}
"#,
        stores.join("\n"),
        retail::decimal(COUPON_FROM)
    )
}

async fn send(shop: &Shop, file: &Path, mapping_in: &Path) -> Result<Value> {
    let (file, mapping) = (file.display().to_string(), mapping_in.join("mapping.yaml").display().to_string());
    let out = shop.verb(&["events", "send", &file, "--mapping", &mapping, "--output", "json"]).await?.code(0)?;
    let last = out.lines().last().context("nothing was printed")?;
    serde_json::from_str(last).with_context(|| format!("the last line is {last:?}"))
}

async fn replay(file: &Path) -> Result<()> {
    let truth = retail::read(file)?;
    let folder = Scratch::new()?;
    folder.write("grocer.yaml", &repository(&truth))?;
    let mut shop = Shop::open_in(folder, Start::at("2018-01-02T00:00:00Z")).await?;
    shop.ready().await?;
    // The mapping is no resource; it lies where `up` does not look.
    let elsewhere = Scratch::new()?;
    elsewhere.write("mapping.yaml", MAPPING)?;
    let first = send(&shop, file, elsewhere.path()).await?;
    let baskets = truth.baskets.len();
    ensure!(first["events"] == baskets && first["accepted"] == baskets && first["rejected"] == 0, "{first}");

    let equal = |found: &Value| {
        let metrics = &found["status"]["metrics"];
        ensure!(metrics["participants"] == truth.buyers.len(), "{} households bought", truth.buyers.len());
        ensure!(metrics["orders"] == truth.orders, "{} baskets count", truth.orders);
        ensure!(
            metrics["revenue"] == retail::decimal(truth.revenue()),
            "{} was paid",
            retail::decimal(truth.revenue())
        );
        Ok(())
    };
    let coupons = |found: &Value| {
        let expect = truth.baskets_from(COUPON_FROM);
        ensure!(found["status"]["issued"] == expect, "{expect} baskets earn a coupon");
        Ok(())
    };
    shop.resource_until("campaign", "year", equal).await?;
    shop.resource_until("reward", "basket-coupon", coupons).await?;

    // A second run knows where the first one ended, and a third that starts over counts nothing twice.
    let second = send(&shop, file, elsewhere.path()).await?;
    ensure!(second["accepted"] == 0 && second["rejected"] == 0, "{second}");
    shop.stop().await?;
    shop.start_again().await?;
    shop.resource_until("campaign", "year", equal).await?;
    shop.resource_until("reward", "basket-coupon", coupons).await?;
    shop.close().await
}

#[tokio::test]
async fn generated_transactions_add_up_to_what_their_file_says() -> Result<()> {
    let folder = Scratch::new()?;
    folder.write("transactions.csv", &retail::generate(1_200, 2017))?;
    replay(&folder.path().join("transactions.csv")).await
}

#[tokio::test]
async fn the_real_chains_transactions_add_up_to_what_their_file_says() -> Result<()> {
    let Some(file) = retail::real_file() else {
        // The real file is never part of the repository; the generated one above always runs.
        eprintln!("no real transactions here (FANFARE_RETAIL_DATA)");
        return Ok(());
    };
    replay(&file).await
}

#[tokio::test]
async fn a_mapping_with_a_mistake_says_where_and_sends_nothing() -> Result<()> {
    let folder = Scratch::new()?;
    folder.write("transactions.csv", &retail::generate(10, 1))?;
    let truth = retail::read(&folder.path().join("transactions.csv"))?;
    let repository_folder = Scratch::new()?;
    repository_folder.write("grocer.yaml", &repository(&truth))?;
    let shop = Shop::open_in(repository_folder, Start::at("2018-01-02T00:00:00Z")).await?;
    let file = folder.path().join("transactions.csv").display().to_string();
    for (old, new, word) in [
        ("sum: sales_value", "sum: sale_value", "sale_value"),
        ("groupBy: basket_id", "groupby: basket_id", "groupby"),
        ("{row: true}", "{column: product_id, sum: sales_value}", "exactly one"),
    ] {
        folder.write("mapping.yaml", &MAPPING.replace(old, new))?;
        let mapping = folder.path().join("mapping.yaml").display().to_string();
        let ended = shop.verb(&["events", "send", &file, "--mapping", &mapping]).await?;
        ensure!(ended.code == 2 && ended.text().contains(word), "{new}: {ended:?}");
    }
    shop.close().await
}
