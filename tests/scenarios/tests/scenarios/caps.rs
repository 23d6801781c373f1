//! What is limited stays limited, whoever comes at once: budgets, prizes, orders a member.

use crate::MIDDAY;
use anyhow::{Result, ensure};
use fanfare_scenarios::{
    customers::{cart, grants, line, paid},
    folder::{Scratch, fixture},
    retail::cents,
    shop::{Shop, Start},
};
use futures::future::join_all;
use serde_json::json;

#[tokio::test]
async fn a_budget_is_never_overspent_by_customers_who_come_at_once() -> Result<()> {
    let folder = Scratch::copy_of(&fixture("shop"))?;
    folder.edit("sale.yaml", "limit: \"100000\"", "limit: \"1000\"")?;
    let shop = Shop::open_in(folder, Start::at(MIDDAY)).await?;
    shop.ready().await?;
    for number in 0..25 {
        shop.member(&format!("m{number}")).await?;
    }
    let till = shop.till();
    let orders: Vec<_> = (0..25)
        .map(|number| paid(&format!("o-{number}"), &cart(&format!("m{number}"), &[line("1", "MUG-01", 1, "200.00")])))
        .collect();
    let (mut spent, mut without) = (0, 0);
    for answer in join_all(orders.iter().map(|order| till.post("/v1/orders", order))).await {
        let order = answer?.is(201)?;
        let discount = cents(order["discount"].as_str().unwrap_or_default())?;
        spent += discount;
        if discount == 0 {
            without += 1;
            ensure!(order["rejected"].to_string().contains("budget-exhausted"), "{order}");
        }
    }
    ensure!((spent, without) == (100_000, 15), "{spent} satang were taken off, {without} orders went without");
    shop.resource_until("campaign", "sale", |found| {
        let budget = &found["status"]["budget"];
        ensure!(budget["spent"] == "1000.00" && budget["remaining"] == "0.00");
        Ok(())
    })
    .await?;
    shop.close().await
}

#[tokio::test]
async fn a_prize_is_won_as_often_as_there_is_one() -> Result<()> {
    let shop = Shop::open(&fixture("shop"), Start::at(MIDDAY)).await?;
    shop.ready().await?;
    let mut members = Vec::new();
    for number in 0..10 {
        let name = format!("m{number}");
        members.push(shop.member(&name).await?);
        shop.event("campaign.shared", &format!("share-{number}"), &name, json!({"campaign": "sale"})).await?;
    }
    let path = "/v1/campaigns/sale/mechanics/share-lottery/draw";
    for answer in join_all(members.iter().map(async |member| member.post(path, &json!({})).await)).await {
        let answer = answer?;
        ensure!(answer.status == 200 || answer.status == 409, "{answer:?}");
    }
    let mut won = 0;
    for member in &members {
        won += grants(member, "tea").await?.len();
    }
    ensure!(won == 3, "{won} of 3 prizes were won");
    shop.resource_until("reward", "tea", |found| {
        ensure!(found["status"]["issued"] == 3 && found["status"]["left"] == 0);
        Ok(())
    })
    .await?;
    shop.close().await
}

#[tokio::test]
async fn lowering_a_limit_stops_issuing_and_takes_nothing_back() -> Result<()> {
    let shop = Shop::open(&fixture("shop"), Start::at(MIDDAY)).await?;
    shop.ready().await?;
    let ann = shop.member("ann").await?;
    fanfare_scenarios::customers::buy_big(&shop, "ann", "order-1").await?;
    ensure!(grants(&ann, "coupon-200").await?.len() == 1);
    let before = shop.resource("reward", "coupon-200").await?["metadata"]["generation"].clone();
    shop.folder.edit("rewards.yaml", "quantity: 1000", "quantity: 1")?;
    shop.resource_until("reward", "coupon-200", |found| {
        ensure!(found["metadata"]["generation"] != before);
        ensure!(found["status"]["observedGeneration"] == found["metadata"]["generation"]);
        Ok(())
    })
    .await?;
    let ben = shop.member("ben").await?;
    fanfare_scenarios::customers::buy_big(&shop, "ben", "order-2").await?;
    ensure!(grants(&ben, "coupon-200").await?.is_empty(), "there was only one");
    ensure!(grants(&ann, "coupon-200").await?.len() == 1, "it was taken back");
    shop.close().await
}
