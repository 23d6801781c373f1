//! `fanfare controller` on an API server: what it serves, what it writes, and what becomes of it when something fails.
//!
//! On a real API server where there is one (`FANFARE_TEST_KUBECONFIG`), else on the embedded one.

use anyhow::{Context, Result, ensure};
use fanfare_scenarios::{
    control::{ApiServer, Controller, LEASE_S},
    database::Database,
    folder::{Scratch, fixture},
    tools, wait,
};
use serde_json::Value;
use sqlx::Row;
use std::time::Duration;

/// The shop's folder, whose sale goes on until a year that no scenario sees.
fn shop() -> Result<Scratch> {
    let folder = Scratch::copy_of(&fixture("shop"))?;
    folder.edit("sale.yaml", "endAt: \"2026-11-12T00:00\"", "endAt: \"2099-11-12T00:00\"")?;
    Ok(folder)
}

/// A shop on an API server, its database, and a controller that leads.
struct Cluster {
    server: ApiServer,
    database: Database,
    folder: Scratch,
}

impl Cluster {
    async fn open() -> Result<(Self, Controller)> {
        let (server, database) = (ApiServer::open().await?, Database::fresh().await?);
        let controller = Controller::start(&server, &database).await?;
        controller.leads().await?;
        let cluster = Self { server, database, folder: shop()? };
        cluster.server.apply(cluster.folder.path()).await?;
        cluster.server.condition(("campaign", "sale"), ("Ready", "True", "Published")).await?;
        Ok((cluster, controller))
    }

    /// The names that the database serves of a kind.
    async fn served(&self, kind: &str) -> Result<Vec<String>> {
        let mut connection = self.database.connect().await?;
        let sql =
            "SELECT p.name FROM published p JOIN lane l ON l.ns = p.ns WHERE p.served AND p.kind = $1 AND l.name = $2
            ORDER BY p.name";
        let rows = sqlx::query(sql).bind(kind).bind(&self.server.namespace).fetch_all(&mut connection).await?;
        Ok(rows.iter().map(|row| row.get("name")).collect())
    }

    /// The latest epoch.
    async fn epoch(&self) -> Result<i64> {
        let mut connection = self.database.connect().await?;
        let sql = "SELECT convert_from(value, 'UTF8')::bigint FROM settings WHERE name LIKE 'controller-epoch/%'";
        Ok(sqlx::query_scalar(sql).fetch_one(&mut connection).await?)
    }

    /// Waits until the first figures are in, which come at most once in 15 seconds, and nothing is left to write.
    async fn settled(&self) -> Result<()> {
        let mut last = self.server.versions().await?;
        let settled = wait::until("17 seconds without a write", wait::STATUS, async || {
            tokio::time::sleep(Duration::from_secs(17)).await;
            let now = self.server.versions().await?;
            let settled = now == last;
            last = now;
            ensure!(settled, "a resource was written though nothing changed");
            Ok(())
        });
        settled.await.map(drop)
    }

    async fn verified(&self) -> Result<()> {
        tools::verb_on(&self.database.url(), &["audit", "verify"]).await?.code(0).map(drop)
    }
}

#[tokio::test]
async fn a_controller_that_is_killed_or_stopped_sweeps_at_its_next_start_and_writes_nothing_else() -> Result<()> {
    let (cluster, controller) = Cluster::open().await?;
    wait::until("everything to be ready", wait::SOON, async || {
        let ready = cluster.server.kubectl(
            &[
                "get",
                "marketing",
                "-o",
                "jsonpath={range .items[*]}{.status.conditions[?(@.type=='Ready')].status} {end}",
            ],
            None,
        );
        let ready = ready.await?.code(0)?;
        ensure!(ready.split_whitespace().filter(|status| *status == "True").count() == 10, "{ready}");
        Ok(())
    })
    .await?;
    cluster.settled().await?;
    controller.kill()?;
    let before = cluster.server.versions().await?;
    cluster.server.kubectl(&["delete", "campaign", "sale"], None).await?.code(0).context("no finalizer holds it")?;
    ensure!(cluster.served("Campaign").await? == ["sale"], "nobody is there to retire it");

    let controller = Controller::start(&cluster.server, &cluster.database).await?;
    controller.leads().await?;
    wait::until("the deleted campaign to be retired", wait::SOON, async || {
        let served = cluster.served("Campaign").await?;
        ensure!(served.is_empty(), "still served: {served:?}");
        Ok(())
    })
    .await?;
    tokio::time::sleep(Duration::from_secs(2)).await;
    let after = cluster.server.versions().await?;
    let others = |all: &str| -> Vec<String> {
        let names = all
            .split_whitespace()
            .filter(|name| !name.starts_with("Campaign/") && !name.starts_with("CampaignRuntime/"));
        names.map(str::to_owned).collect()
    };
    ensure!(others(&before) == others(&after), "a start wrote a status: {before} is now {after}");
    ensure!(cluster.served("Segment").await?.len() == 2, "what is there is served still");
    controller.stop().await?;
    cluster.verified().await
}

#[tokio::test]
async fn of_two_controllers_one_leads_and_one_that_stood_still_writes_nothing_afterwards() -> Result<()> {
    let (cluster, first) = Cluster::open().await?;
    let second = Controller::start(&cluster.server, &cluster.database).await?;
    wait::until("the second to be ready", wait::STATUS, async || {
        let (status, body) = second.readiness().await?;
        ensure!(status == 200 && body["leader"] == false, "{status} {body}");
        Ok(())
    })
    .await?;
    ensure!(cluster.epoch().await? == 1, "one has led");
    first.signal("-STOP")?;
    second.leads().await.context("the leader stands still past its lease")?;
    ensure!(cluster.epoch().await? == 2, "the winner raises the epoch");

    let patch = r#"{"spec": {"suspend": true}}"#;
    cluster.server.kubectl(&["patch", "campaign", "sale", "--type=merge", "-p", patch], None).await?.code(0)?;
    cluster
        .server
        .kubectl(&["wait", "--for=jsonpath={.status.phase}=Paused", "campaign/sale", "--timeout=30s"], None)
        .await?
        .code(0)?;
    let status = |object: &Value| object["status"].clone();
    let decided = cluster.server.get("campaign", "sale").await?;
    first.signal("-CONT")?;
    wait::until("the first to see that it lost", wait::SOON, async || {
        let (code, body) = first.readiness().await?;
        ensure!(code == 200 && body["leader"] == false, "{code} {body}");
        Ok(())
    })
    .await?;
    tokio::time::sleep(Duration::from_secs(LEASE_S)).await;
    let now = cluster.server.get("campaign", "sale").await?;
    ensure!(status(&now) == status(&decided), "{now} is not {decided}");
    ensure!(cluster.epoch().await? == 2, "and wins nothing while the other is there");
    second.stop().await?;
    first.leads().await.context("a lease that is given back is taken at once")?;
    ensure!(cluster.epoch().await? == 3, "{:?}", cluster.epoch().await);
    cluster.verified().await
}

#[tokio::test]
async fn a_lease_that_is_deleted_is_made_anew_and_one_goes_on_to_lead() -> Result<()> {
    let (cluster, first) = Cluster::open().await?;
    let second = Controller::start(&cluster.server, &cluster.database).await?;
    for _ in 0..3 {
        cluster.server.kubectl(&["delete", "lease", "fanfare-controller"], None).await?.code(0)?;
        wait::until("one leader", wait::SOON, async || {
            cluster.server.get("lease", "fanfare-controller").await?;
            let (one, other) = (first.readiness().await?.1, second.readiness().await?.1);
            ensure!(one["leader"] != other["leader"], "{one} {other}");
            Ok(())
        })
        .await?;
    }
    cluster.server.kubectl(&["delete", "campaign", "sale"], None).await?.code(0)?;
    wait::until("whoever leads works", wait::SOON, async || {
        ensure!(cluster.served("Campaign").await?.is_empty(), "still served");
        Ok(())
    })
    .await?;
    cluster.verified().await
}

#[tokio::test]
async fn a_poison_resource_does_not_hinder_the_others_and_heals() -> Result<()> {
    let (cluster, controller) = Cluster::open().await?;
    let segment = |name: &str, list: &str| {
        format!(
            "apiVersion: fanfare.dev/v1alpha1\nkind: Segment\nmetadata: {{name: {name}}}\nspec: {{title: S, match: {{all: [{list}]}}}}\n---\n"
        )
    };
    let mut all = segment("poison", "{attribute: {name: shoeSize, in: [\"7\"]}}");
    all.extend((0..200).map(|n| segment(&format!("good-{n}"), "{everyone: true}")));
    cluster.server.kubectl(&["apply", "--server-side", "-f", "-"], Some(&all)).await?.code(0)?;
    wait::until("200 good ones to be served", wait::STATUS, async || {
        let served = cluster.served("Segment").await?;
        ensure!(served.len() == 202, "{} are served", served.len());
        Ok(())
    })
    .await?;
    let why = cluster.server.condition(("segment", "poison"), ("Ready", "False", "")).await?;
    ensure!(why.contains("shoeSize"), "{why}");
    let healed = segment("poison", "{everyone: true}");
    cluster.server.kubectl(&["apply", "--server-side", "-f", "-"], Some(&healed)).await?.code(0)?;
    cluster.server.condition(("segment", "poison"), ("Ready", "True", "Published")).await?;
    controller.stop().await
}

#[tokio::test]
async fn a_running_campaign_that_is_deleted_and_made_again_resumes_its_ledger() -> Result<()> {
    let (cluster, controller) = Cluster::open().await?;
    let before = cluster.server.get("campaign", "sale").await?;
    let sale = cluster.folder.path().join("sale.yaml");
    let sale = sale.to_str().context("no text")?;
    cluster.server.kubectl(&["replace", "--force", "-f", sale], None).await?.code(0)?;
    cluster.server.condition(("campaign", "sale"), ("Ready", "True", "Published")).await?;
    let after = cluster.server.get("campaign", "sale").await?;
    ensure!(before["metadata"]["uid"] != after["metadata"]["uid"], "it was made again");
    let mut connection = cluster.database.connect().await?;
    let sql = "SELECT count(*) FROM ledger WHERE rule = 'budget-set'";
    let funded: i64 = sqlx::query_scalar(sql).fetch_one(&mut connection).await?;
    ensure!(funded == 1, "the budget was filled {funded} times");
    controller.stop().await?;
    cluster.verified().await
}

#[tokio::test]
async fn people_suspend_resume_and_ask_for_a_look_by_the_kubeconfig_alone() -> Result<()> {
    let (cluster, controller) = Cluster::open().await?;
    cluster.server.verb(&["suspend", "sale", "--reason", "wrong price"]).await?.code(0)?;
    cluster
        .server
        .kubectl(&["wait", "--for=jsonpath={.status.phase}=Paused", "campaign/sale", "--timeout=30s"], None)
        .await?
        .code(0)?;
    cluster.server.verb(&["resume", "sale"]).await?.code(0)?;
    cluster
        .server
        .kubectl(&["wait", "--for=jsonpath={.status.phase}=Active", "campaign/sale", "--timeout=30s"], None)
        .await?
        .code(0)?;
    let told = cluster.server.verb(&["reconcile", "camp", "sale"]).await?.code(0)?;
    ensure!(told.contains("sale"), "{told}");
    let asked = cluster.server.get("campaign", "sale").await?;
    ensure!(asked["metadata"]["annotations"]["fanfare.dev/reconcile-requested-at"].is_string(), "{asked}");
    let missing = cluster.server.verb(&["reconcile", "segment", "nobody"]).await?;
    ensure!(missing.code == 1 && missing.err.contains("kubectl get segments"), "{missing:?}");
    controller.stop().await
}

#[tokio::test]
async fn a_campaign_is_stopped_whatever_else_is_wrong_with_it() -> Result<()> {
    let (cluster, controller) = Cluster::open().await?;
    // The schema lets it pass, and nobody else looks here: a campaign whose discount cannot be.
    let patch = r#"{"spec": {"suspend": true, "mechanics": [{"name": "half-price", "discount": {"percentOff": "500%", "items": {"all": true}}}]}}"#;
    cluster.server.kubectl(&["patch", "campaign", "sale", "--type=merge", "-p", patch], None).await?.code(0)?;
    let why = cluster.server.condition(("campaign", "sale"), ("Stalled", "True", "Invalid")).await?;
    ensure!(why.contains("percentOff"), "{why}");
    cluster
        .server
        .kubectl(&["wait", "--for=jsonpath={.status.phase}=Paused", "campaign/sale", "--timeout=30s"], None)
        .await?
        .code(0)?;
    cluster.server.apply(cluster.folder.path()).await?;
    let unsuspend = r#"{"spec": {"suspend": null}}"#;
    cluster.server.kubectl(&["patch", "campaign", "sale", "--type=merge", "-p", unsuspend], None).await?.code(0)?;
    cluster
        .server
        .kubectl(&["wait", "--for=jsonpath={.status.phase}=Active", "campaign/sale", "--timeout=30s"], None)
        .await?
        .code(0)?;
    cluster.server.condition(("campaign", "sale"), ("Ready", "True", "Published")).await?;
    controller.stop().await?;
    cluster.verified().await
}

/// What tools that follow the published rules of kstatus (sigs.k8s.io/cli-utils, `pkg/kstatus/README.md`) see.
fn kstatus(object: &Value) -> &'static str {
    let condition = |kind: &str| {
        let all = object["status"]["conditions"].as_array();
        all.and_then(|all| all.iter().find(|condition| condition["type"] == kind)).map(|found| found["status"].clone())
    };
    let is = |kind: &str, status: &str| condition(kind).is_some_and(|found| found == status);
    let is_of_this_generation = object["status"]["observedGeneration"] == object["metadata"]["generation"];
    if object["metadata"].get("deletionTimestamp").is_some() {
        "Terminating"
    } else if !is_of_this_generation || is("Reconciling", "True") {
        "InProgress"
    } else if is("Stalled", "True") {
        "Failed"
    } else if is("Ready", "False") || is("Ready", "Unknown") {
        "InProgress"
    } else {
        "Current"
    }
}

#[tokio::test]
async fn the_status_of_every_kind_is_understood_by_tools_that_know_kstatus() -> Result<()> {
    let (cluster, controller) = Cluster::open().await?;
    let server = &cluster.server;
    let all = ["campaign", "segment", "reward", "automation", "messagetemplate", "messagechannel", "campaignruntime"];
    let seen = async |kind: &str| -> Result<Vec<(String, &'static str)>> {
        let list: Value = serde_json::from_str(&server.kubectl(&["get", kind, "-o", "json"], None).await?.code(0)?)?;
        let items = list["items"].as_array().cloned().unwrap_or_default();
        Ok(items.iter().map(|object| (object["metadata"]["name"].to_string(), kstatus(object))).collect())
    };
    wait::until("every kind to be Current", wait::SOON, async || {
        for kind in all {
            let seen = seen(kind).await?;
            ensure!(!seen.is_empty() && seen.iter().all(|(_, status)| *status == "Current"), "{kind}: {seen:?}");
        }
        Ok(())
    })
    .await?;
    let is = async |kind: &str, name: &str, expect: &str| {
        wait::until(&format!("{kind}/{name} to be {expect}"), wait::SOON, async || {
            let object = server.get(kind, name).await?;
            ensure!(kstatus(&object) == expect, "{object}");
            Ok(())
        })
        .await
        .map(drop)
    };
    let patch = async |kind: &str, name: &str, patch: &str| {
        server.kubectl(&["patch", kind, name, "--type=merge", "-p", patch], None).await?.code(0)
    };
    let waits = "apiVersion: fanfare.dev/v1alpha1\nkind: Segment\nmetadata: {name: waits}\nspec: {title: W, match: {segment: later}}\n";
    server.kubectl(&["apply", "-f", "-"], Some(waits)).await?.code(0)?;
    is("segment", "waits", "InProgress").await?;
    controller.signal("-STOP")?;
    patch("campaign", "sale", r#"{"spec": {"title": "Changed"}}"#).await?;
    is("campaign", "sale", "InProgress").await.context("nobody has seen this generation")?;
    controller.signal("-CONT")?;
    is("campaign", "sale", "Current").await?;
    patch(
        "campaign",
        "sale",
        r#"{"spec": {"mechanics": [{"name": "x", "discount": {"percentOff": "500%", "items": {"all": true}}}]}}"#,
    )
    .await?;
    is("campaign", "sale", "Failed").await?;
    patch("campaign", "sale", r#"{"metadata": {"finalizers": ["example.com/held-by-a-tool"]}}"#).await?;
    server.kubectl(&["delete", "campaign", "sale", "--wait=false"], None).await?.code(0)?;
    is("campaign", "sale", "Terminating").await?;
    wait::until("its offers to be gone although a tool holds the object", wait::SOON, async || {
        ensure!(cluster.served("Campaign").await?.is_empty(), "still served");
        Ok(())
    })
    .await?;
    patch("campaign", "sale", r#"{"metadata": {"finalizers": null}}"#).await?;
    controller.stop().await
}
