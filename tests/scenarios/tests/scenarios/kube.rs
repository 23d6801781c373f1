//! Stock kubectl against the embedded API server.

use crate::MIDDAY;
use anyhow::{Context, Result, ensure};
use fanfare_scenarios::{
    folder::fixture,
    shop::{Shop, Start},
    wait,
};
use serde_json::Value;

/// A condition of a resource.
pub(crate) fn condition<'a>(resource: &'a Value, kind: &str) -> Option<&'a Value> {
    resource["status"]["conditions"].as_array()?.iter().find(|condition| condition["type"] == kind)
}

#[tokio::test]
async fn kubectl_lists_describes_explains_and_waits() -> Result<()> {
    let shop = Shop::open(&fixture("shop"), Start::at(MIDDAY)).await?;
    shop.ready().await?;
    let table = shop.kubectl(&["get", "campaigns,segments,rewards,automations", "-o", "wide"], None).await?.code(0)?;
    for word in [
        "OBJECTIVE",
        "PHASE",
        "PARTICIPANTS",
        "BUDGET",
        "READY",
        "campaign.fanfare.dev/sale",
        "Active",
        "coupon-200",
        "welcome",
    ] {
        ensure!(table.contains(word), "{word} is not in\n{table}");
    }
    let everything = shop.kubectl(&["get", "marketing", "-o", "name"], None).await?.code(0)?;
    ensure!(everything.lines().count() == 10, "the folder has ten resources:\n{everything}");
    for short in ["camp", "seg", "rwd", "auto", "msgt", "mchan", "crt"] {
        shop.kubectl(&["get", short], None).await?.code(0).context(short)?;
    }
    let described = shop.kubectl(&["describe", "campaign", "sale"], None).await?.code(0)?;
    for word in ["Conditions:", "Metrics:", "Events:", "Published"] {
        ensure!(described.contains(word), "{word} is not in\n{described}");
    }
    let explained = shop.kubectl(&["explain", "campaign.spec.schedule"], None).await?.code(0)?;
    for word in ["startAt", "timeZone", "-required-"] {
        ensure!(explained.contains(word), "{word} is not in\n{explained}");
    }
    let namespace =
        shop.kubectl(&["config", "view", "--minify", "-o", "jsonpath={..namespace}"], None).await?.code(0)?;
    ensure!(namespace == shop.credentials().namespace, "the kubeconfig's namespace is {namespace:?}");
    shop.close().await
}

#[tokio::test]
async fn kubectl_applies_diffs_patches_and_deletes_also_server_side() -> Result<()> {
    let shop = Shop::open(&fixture("shop"), Start::at(MIDDAY)).await?;
    shop.ready().await?;
    let sale = std::fs::read_to_string(fixture("shop").join("sale.yaml"))?.replace("{name: sale}", "{name: second}");
    let created = shop.kubectl(&["apply", "--server-side", "-f", "-"], Some(&sale)).await?.code(0)?;
    ensure!(created.contains("serverside-applied"), "{created}");
    let same = shop.kubectl(&["diff", "--server-side", "-f", "-"], Some(&sale)).await?;
    ensure!(same.code == 0, "nothing differs: {same:?}");
    let changed = sale.replace("One Day Sale", "Two Day Sale");
    let differs = shop.kubectl(&["diff", "--server-side", "-f", "-"], Some(&changed)).await?;
    ensure!(differs.code == 1 && differs.out.contains("Two Day Sale"), "{differs:?}");
    let patch = r#"{"spec": {"suspend": true}}"#;
    shop.kubectl(&["patch", "campaign", "second", "--type=merge", "-p", patch], None).await?.code(0)?;
    shop.kubectl(&["wait", "--for=jsonpath={.status.phase}=Paused", "campaign/second", "--timeout=30s"], None)
        .await?
        .code(0)?;
    let paused = shop
        .kubectl(&["get", "campaigns", "--field-selector=status.phase=Paused", "-o", "name"], None)
        .await?
        .code(0)?;
    ensure!(paused.trim() == "campaign.fanfare.dev/second", "{paused}");
    shop.kubectl(&["delete", "campaign", "second"], None).await?.code(0)?;
    let gone = shop.kubectl(&["get", "campaign", "second"], None).await?;
    ensure!(gone.code == 1 && gone.err.contains("NotFound"), "{gone:?}");
    shop.close().await
}

#[tokio::test]
async fn the_api_server_refuses_what_validate_refuses_at_the_same_field() -> Result<()> {
    let shop = Shop::open(&fixture("shop"), Start::at(MIDDAY)).await?;
    let sale = std::fs::read_to_string(fixture("shop").join("sale.yaml"))?;
    let breaks = [
        ("endAt: \"2026-11-12T00:00\"", "endAt: \"2026-11-10T00:00\"", "endAt"),
        ("percentOff: \"50%\", items", "percentOff: \"50%\", amountOff: \"10\", items", "discount"),
        ("objective: Promotion", "objective: Fun", "objective"),
        ("coolDown: 30d", "coolDown: 30 days", "coolDown"),
        ("tags: [seasonal]", "tagz: [seasonal]", "tagz"),
    ];
    for (old, new, field) in breaks {
        ensure!(sale.contains(old), "{old} is not in the fixture");
        let broken = sale.replace(old, new);
        let applied = shop.kubectl(&["apply", "-f", "-"], Some(&broken)).await?;
        ensure!(applied.code == 1 && applied.err.contains(field), "{new}: {applied:?}");
        let checked = fanfare_scenarios::tools::verb(&["validate", "-"], Some(&broken)).await?;
        ensure!(checked.code == 1 && checked.text().contains(field), "{new}: {checked:?}");
    }
    shop.close().await
}

#[tokio::test]
async fn a_resource_that_nobody_changes_is_not_written() -> Result<()> {
    let shop = Shop::open(&fixture("shop"), Start::at(MIDDAY)).await?;
    shop.ready().await?;
    let version = async |shop: &Shop| -> Result<String> {
        shop.kubectl(&["get", "marketing", "-o", "jsonpath={.items[*].metadata.resourceVersion}"], None).await?.code(0)
    };
    // The first figures may still come in, at most once in 15 seconds; then there is nothing left to write.
    let mut last = version(&shop).await?;
    wait::until("20 seconds without a write", wait::STATUS, async || {
        tokio::time::sleep(std::time::Duration::from_secs(20)).await;
        let now = version(&shop).await?;
        let settled = now == last;
        last = now;
        ensure!(settled, "a resource was written though nothing changed");
        Ok(())
    })
    .await?;
    shop.close().await
}
