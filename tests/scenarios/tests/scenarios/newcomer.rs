//! The newcomer's ten minutes on the example, as the README promises them.

use anyhow::{Context, Result, ensure};
use fanfare_scenarios::{
    folder::example,
    http::items,
    shop::{Shop, Start},
    wait,
};

#[tokio::test]
async fn the_newcomer_sees_the_campaign_open_sell_and_report_and_can_stop_it() -> Result<()> {
    let mut shop = Shop::open(&example("double-11"), Start { clock: None, demo: true }).await?;
    shop.ready().await?;
    let opened = shop.resource_until("campaign", "double-11", |found| {
        let (status, metrics) = (&found["status"], &found["status"]["metrics"]);
        ensure!(status["phase"] == "Active", "it is not open");
        for figure in ["participants", "orders", "issued", "redeemed"] {
            ensure!(metrics[figure].as_i64().unwrap_or(0) > 0, "{figure} is still {}", metrics[figure]);
        }
        let (budget, revenue) = (&status["budget"]["spent"], &metrics["revenue"]);
        ensure!(budget != "0.00" && revenue != "0.00", "spent is {budget}, revenue {revenue}");
        Ok(())
    });
    opened.await?;
    // Not on a terminal, the table is one line for each change.
    let log = shop.log();
    for word in ["name=double-11", "phase=Active", "participants=", shop.credentials().api_url.as_str(), "KUBECONFIG"] {
        ensure!(log.contains(word), "{word} is not in what up prints:\n{log}");
    }
    let described = shop.kubectl(&["describe", "campaign", "double-11"], None).await?.code(0)?;
    ensure!(described.contains("Conditions:") && described.contains("Events:"), "{described}");
    shop.kubectl(&["explain", "campaign.spec.schedule"], None).await?.code(0)?;
    // The welcome of one of the demo's members.
    let members = shop.resource("automation", "welcome").await.context("the example has an automation `welcome`")?;
    ensure!(members["status"]["entered"].as_i64().unwrap_or(0) > 0, "{}", members["status"]);

    shop.verb(&["suspend", "double-11", "--reason", "wrong price"]).await?.code(0)?;
    let member = shop.member("newcomer").await?;
    wait::until("the offer to be gone", wait::SOON, async || {
        let body = member.get("/v1/campaigns").await?.is(200)?;
        let names: Vec<_> = items(&body)?.iter().filter_map(|one| one["name"].as_str()).collect();
        ensure!(!names.contains(&"double-11"), "{names:?}");
        Ok(())
    })
    .await?;

    shop.stop().await?;
    shop.start_again().await?;
    let again = shop.resource_until("campaign", "double-11", |found| {
        ensure!(found["status"]["phase"] == "Paused");
        Ok(())
    });
    let again = again.await?;
    ensure!(again["status"]["metrics"]["participants"].as_i64().unwrap_or(0) > 0, "everything is still there: {again}");
    shop.close().await
}
