//! `/metrics` of a controller and of `up`: what is measured of the reconcilers follows what happens.

use crate::MIDDAY;
use anyhow::{Context, Result, ensure};
use fanfare_scenarios::{
    control::{ApiServer, Controller},
    database::Database,
    folder::fixture,
    shop::{Shop, Start},
    wait,
};

/// A figure of a page.
fn figure(page: &str, series: &str) -> Result<f64> {
    let line = page.lines().find_map(|line| line.strip_prefix(series)?.strip_prefix(' '));
    line.with_context(|| format!("no {series} in {page}"))?.parse().context("no number")
}

/// Waits until a controller shows these figures.
async fn shows(controller: &Controller, wanted: &[(&str, f64)]) -> Result<()> {
    let looked = wait::until("the figures", wait::SOON, async || {
        let page = controller.metrics().await?;
        for (series, value) in wanted {
            let is = figure(&page, series)?;
            ensure!((is - value).abs() < 0.5, "{series} is {is}, not {value}");
        }
        Ok(())
    });
    looked.await.map(drop)
}

#[tokio::test]
async fn a_controller_measures_what_it_leads_and_a_follower_shows_none_of_it() -> Result<()> {
    let (server, database) = (ApiServer::open().await?, Database::fresh().await?);
    let leader = Controller::start(&server, &database).await?;
    leader.leads().await?;
    let follower = Controller::start(&server, &database).await?;
    server.apply(&fixture("shop")).await?;
    let wrong = "apiVersion: fanfare.dev/v1alpha1\nkind: Segment\nmetadata: {name: wrong}\n\
                 spec: {title: W, match: {all: [{attribute: {name: shoeSize, in: [\"7\"]}}]}}\n";
    server.kubectl(&["apply", "-f", "-"], Some(wrong)).await?.code(0)?;
    shows(
        &leader,
        &[
            ("fanfare_controller_leader", 1.0),
            ("fanfare_controller_ready{part=\"database\"}", 1.0),
            ("fanfare_controller_ready{part=\"permissions\"}", 1.0),
            ("fanfare_reconcile_objects{kind=\"CampaignRuntime\",ready=\"True\"}", 1.0),
            ("fanfare_reconcile_objects{kind=\"Segment\",ready=\"True\"}", 2.0),
            ("fanfare_reconcile_objects{kind=\"Segment\",ready=\"False\"}", 1.0),
            ("fanfare_reconcile_queued", 0.0),
        ],
    )
    .await?;
    shows(
        &follower,
        &[
            ("fanfare_controller_leader", 0.0),
            ("fanfare_controller_ready{part=\"database\"}", 1.0),
            ("fanfare_reconcile_objects{kind=\"CampaignRuntime\",ready=\"True\"}", 0.0),
            ("fanfare_reconcile_runs_total{kind=\"Segment\",result=\"done\"}", 0.0),
        ],
    )
    .await?;
    let page = leader.metrics().await?;
    for series in [
        "fanfare_reconcile_runs_total{kind=\"Segment\",result=\"done\"}",
        "fanfare_reconcile_run_seconds_count{kind=\"Segment\"}",
        "fanfare_reconcile_status_writes_total{kind=\"Segment\",result=\"written\"}",
        "fanfare_reconcile_planned",
    ] {
        ensure!(figure(&page, series)? >= 3.0, "{series} in {page}");
    }
    for name in ["wrong", "sale", server.namespace.as_str()] {
        ensure!(!page.contains(name), "{name} in {page}");
    }
    server.kubectl(&["delete", "segment", "wrong"], None).await?.code(0)?;
    shows(&leader, &[("fanfare_reconcile_objects{kind=\"Segment\",ready=\"False\"}", 0.0)]).await?;

    // Whoever leads next goes on where it stands, and who led has nothing any more.
    leader.stop().await?;
    follower.leads().await?;
    shows(&follower, &[("fanfare_reconcile_objects{kind=\"Segment\",ready=\"True\"}", 2.0)]).await
}

#[tokio::test]
async fn a_watch_that_is_cut_is_counted_and_a_part_that_is_gone_is_0() -> Result<()> {
    let (server, database) = (ApiServer::open().await?, Database::fresh().await?);
    let controller = Controller::start(&server, &database).await?;
    controller.leads().await?;
    if server.is_real() {
        // One that others use is not stopped; `own_cluster` belongs to the scenarios of faults.
        return Ok(());
    }
    shows(&controller, &[("fanfare_controller_ready{part=\"apiServer\"}", 1.0)]).await?;
    server.signal("-KILL")?;
    let looked = wait::until("a cut watch", wait::STATUS, async || {
        let page = controller.metrics().await?;
        let part = figure(&page, "fanfare_controller_ready{part=\"apiServer\"}")?;
        let cut = figure(&page, "fanfare_reconcile_watch_restarts_total{kind=\"Campaign\"}")?;
        ensure!(part < 0.5 && cut > 0.5, "{part} {cut}");
        Ok(())
    });
    looked.await.map(drop)
}

#[tokio::test]
async fn up_shows_its_reconcilers_beside_its_api() -> Result<()> {
    let shop = Shop::open(&fixture("shop"), Start::at(MIDDAY)).await?;
    shop.ready().await?;
    let looked = wait::until("the figures", wait::SOON, async || {
        let page = shop.anyone().get("/metrics").await?.is(200)?;
        let page = page.as_str().context("no text")?;
        let ready = figure(page, "fanfare_reconcile_objects{kind=\"Campaign\",ready=\"True\"}")?;
        ensure!((ready - 1.0).abs() < 0.5, "{ready}");
        ensure!(figure(page, "fanfare_engine_commands_total")? > 0.5 && page.contains("fanfare_build_info{"), "{page}");
        ensure!(!page.contains("fanfare_controller_"), "nobody leads here: {page}");
        Ok(())
    });
    looked.await.map(drop)
}
