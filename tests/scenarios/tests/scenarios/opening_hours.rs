//! An offer can be used only if start ≤ now < end, by the clock that the answer itself carries.

use anyhow::{Context, Result, ensure};
use chrono::{DateTime, FixedOffset, TimeDelta};
use fanfare_scenarios::{
    customers::{cart, line},
    folder::fixture,
    http::Answer,
    shop::{Shop, Start},
};
use std::time::{Duration, Instant};

/// An answer so close to the boundary says nothing: deciding and stamping are two moments.
const BLUR: TimeDelta = TimeDelta::milliseconds(300);

fn discounted(answer: &Answer) -> Result<bool> {
    Ok(answer.body["discount"].as_str().with_context(|| format!("no discount in {}", answer.body))? != "0.00")
}

/// Asks for a price again and again across `boundary`; before it the offer must be `before`, after it the opposite.
async fn watch(shop: &Shop, boundary: &str, before: bool) -> Result<()> {
    let boundary: DateTime<FixedOffset> = boundary.parse()?;
    shop.member("ann").await?;
    let mug = cart("ann", &[line("1", "MUG-01", 1, "100.00")]);
    let (mut early, mut late) = (0, 0);
    let start = Instant::now();
    while late < 5 {
        ensure!(
            start.elapsed() < Duration::from_secs(60),
            "the boundary was never crossed ({early} before, {late} after)"
        );
        let answer = shop.evaluate(&mug).await?.check(200)?;
        let from_boundary = answer.time()? - boundary;
        if from_boundary < -BLUR {
            early += 1;
            ensure!(discounted(&answer)? == before, "at {}: {}", answer.time()?, answer.body);
        } else if from_boundary > BLUR {
            late += 1;
            ensure!(discounted(&answer)? != before, "at {}: {}", answer.time()?, answer.body);
        }
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    ensure!(early > 0, "it came up after the boundary; start it earlier");
    Ok(())
}

#[tokio::test]
async fn an_offer_is_a_teaser_before_its_start_and_opens_on_the_second() -> Result<()> {
    let shop = Shop::open(&fixture("shop"), Start::at("2026-11-10T23:59:45+07:00")).await?;
    let anyone = shop.anyone().clone();
    ensure!(shop.feed(&anyone, "upcoming").await? == ["sale"]);
    ensure!(shop.feed(&anyone, "active").await?.is_empty());
    watch(&shop, "2026-11-11T00:00:00+07:00", false).await?;
    ensure!(shop.feed(&anyone, "active").await? == ["sale"]);
    ensure!(shop.feed(&anyone, "upcoming").await?.is_empty());
    shop.resource_until("campaign", "sale", |found| {
        ensure!(found["status"]["phase"] == "Active");
        Ok(())
    })
    .await?;
    shop.close().await
}

#[tokio::test]
async fn an_offer_ends_on_the_second_and_the_campaign_cools_down() -> Result<()> {
    let shop = Shop::open(&fixture("shop"), Start::at("2026-11-11T23:59:45+07:00")).await?;
    watch(&shop, "2026-11-12T00:00:00+07:00", true).await?;
    ensure!(shop.feed(shop.anyone(), "past").await? == ["sale"]);
    shop.resource_until("campaign", "sale", |found| {
        ensure!(found["status"]["phase"] == "CoolDown");
        Ok(())
    })
    .await?;
    shop.close().await
}

#[tokio::test]
async fn before_it_is_published_nobody_sees_a_campaign() -> Result<()> {
    let shop = Shop::open(&fixture("shop"), Start::at("2026-11-07T12:00:00+07:00")).await?;
    for view in ["active", "upcoming", "past"] {
        ensure!(shop.feed(shop.anyone(), view).await?.is_empty(), "{view}");
    }
    shop.anyone().get("/v1/campaigns/sale").await?.problem(404, "not-found")?;
    shop.resource_until("campaign", "sale", |found| {
        ensure!(found["status"]["phase"] == "Scheduled" && found["status"]["nextTransition"]["phase"] == "Teaser");
        Ok(())
    })
    .await?;
    shop.close().await
}

#[tokio::test]
async fn business_time_goes_on_from_where_it_was() -> Result<()> {
    let mut shop = Shop::open(&fixture("shop"), Start::at("2026-11-11T12:00:00+07:00")).await?;
    let before = shop.now().await?;
    shop.stop().await?;
    shop.start_again().await?;
    let after = shop.now().await?;
    ensure!(after >= before && after - before < TimeDelta::minutes(10), "{before} was followed by {after}");
    shop.close().await
}
