//! What happens to clusters, and what becomes of the controller: on a real control plane of each scenario's own, by
//! `tests/cluster`.

use anyhow::{Context, Result, ensure};
use fanfare_scenarios::{
    control::{ApiServer, Controller},
    database::Database,
    folder::{Scratch, fixture},
    tools, wait,
};
use serde_json::{Value, json};
use std::{
    net::TcpListener,
    time::{Duration, Instant},
};

/// How long everything may take to be as it was written, once the faults have stopped.
const CONVERGED_WITHIN: Duration = Duration::from_secs(30);

fn shop() -> Result<Scratch> {
    let folder = Scratch::copy_of(&fixture("shop"))?;
    folder.edit("sale.yaml", "endAt: \"2026-11-12T00:00\"", "endAt: \"2099-11-12T00:00\"")?;
    Ok(folder)
}

/// A cluster with a shop whose sale runs.
struct Setting {
    server: ApiServer,
    database: Database,
    folder: Scratch,
}

impl Setting {
    async fn open() -> Result<Option<Self>> {
        let Some(server) = ApiServer::own_cluster().await? else { return Ok(None) };
        Ok(Some(Self { server, database: Database::fresh().await?, folder: shop()? }))
    }

    async fn applied(&self) -> Result<()> {
        self.server.apply(self.folder.path()).await?;
        self.server.condition(("campaign", "sale"), ("Ready", "True", "Published")).await.map(drop)
    }

    async fn title(&self, title: &str) -> Result<()> {
        let patch = format!("{{\"spec\": {{\"title\": \"{title}\"}}}}");
        self.server.kubectl(&["patch", "campaign", "sale", "--type=merge", "-p", &patch], None).await?.code(0).map(drop)
    }

    /// Waits until the database serves what was written last, and the status says so; answers how long it took.
    async fn converged(&self, title: &str) -> Result<Duration> {
        let began = Instant::now();
        wait::until("what was written last to be served", CONVERGED_WITHIN, async || {
            let mut connection = self.database.connect().await?;
            let sql = "SELECT plan FROM published WHERE served AND kind = 'Campaign' AND name = 'sale'";
            let plan: String = sqlx::query_scalar(sql).fetch_one(&mut connection).await?;
            ensure!(plan.contains(title), "{title} is not served: {plan}");
            Ok(())
        })
        .await?;
        self.server.condition(("campaign", "sale"), ("Ready", "True", "Published")).await?;
        Ok(began.elapsed())
    }

    async fn verified(&self) -> Result<()> {
        tools::verb_on(&self.database.url(), &["audit", "verify"]).await?.code(0).map(drop)
    }
}

#[tokio::test]
async fn a_compacted_etcd_a_restarted_and_an_absent_api_server_are_lived_through() -> Result<()> {
    let Some(setting) = Setting::open().await? else { return Ok(()) };
    let mut controller = Controller::start(&setting.server, &setting.database).await?;
    controller.leads().await?;
    setting.applied().await?;
    // History goes: the watches of before get 410 and list anew.
    for round in 0..2 {
        setting.server.fault(&["compact"]).await?;
        let title = format!("compacted {round}");
        setting.title(&title).await?;
        setting.converged(&title).await?;
    }
    setting.server.fault(&["restart", "etcd"]).await?;
    wait::until("the API server to be back", wait::STATUS, async || setting.title("etcd is back").await).await?;
    setting.converged("etcd is back").await?;

    setting.server.fault(&["stop", "kube-apiserver"]).await?;
    let why = controller.misses("apiServer").await?;
    ensure!(why.contains("does not answer"), "{why}");
    ensure!(controller.runs()?, "it waits");
    setting.server.fault(&["start", "kube-apiserver"]).await?;
    wait::until("the API server to take a change", wait::STATUS, async || setting.title("it is back").await).await?;
    controller.leads().await?;
    setting.converged("it is back").await?;

    // Statuses are written a little behind what they tell of: first they have to rest.
    let rested = wait::until("statuses that rest", wait::STATUS, async || {
        let first = setting.server.versions().await?;
        tokio::time::sleep(Duration::from_secs(3)).await;
        ensure!(setting.server.versions().await? == first, "one was written meanwhile");
        Ok(first)
    });
    let (before, _) = rested.await?;
    setting.server.fault(&["restart", "kube-apiserver"]).await?;
    controller.leads().await?;
    tokio::time::sleep(Duration::from_secs(5)).await;
    let after = setting.server.versions().await?;
    ensure!(after == before, "a new list of everything wrote a status: {before} became {after}");
    controller.stop().await?;
    setting.verified().await
}

#[tokio::test]
async fn a_controller_that_is_killed_again_and_again_in_the_middle_of_its_work_leaves_nothing_half_done() -> Result<()>
{
    let Some(setting) = Setting::open().await? else { return Ok(()) };
    let controller = Controller::start(&setting.server, &setting.database).await?;
    controller.leads().await?;
    setting.applied().await?;
    controller.kill()?;
    // Later and later after it leads: before its first look, in it, between the commit and the status, behind both.
    for round in 0_u64..8 {
        let controller = Controller::start(&setting.server, &setting.database).await?;
        setting.title(&format!("round {round}")).await?;
        controller.leads().await?;
        tokio::time::sleep(Duration::from_millis(round * 15)).await;
        controller.kill()?;
        setting.verified().await.with_context(|| format!("after kill {round}"))?;
    }
    let controller = Controller::start(&setting.server, &setting.database).await?;
    controller.leads().await?;
    setting.converged("round 7").await?;
    controller.stop().await?;
    setting.verified().await
}

#[tokio::test]
async fn a_right_that_is_missing_is_named_by_verb_and_resource() -> Result<()> {
    let Some(setting) = Setting::open().await? else { return Ok(()) };
    let definitions = tools::verb(&["crds"], None).await?.code(0)?;
    setting.server.kubectl(&["apply", "--server-side", "-f", "-"], Some(&definitions)).await?.code(0)?;
    // May do everything but write a status and keep a Lease.
    let rules = "[{apiGroups: [fanfare.dev], resources: ['*'], verbs: [list, watch]}, \
        {apiGroups: [events.k8s.io], resources: [events], verbs: [create, patch]}]";
    let kubeconfig = setting.server.account(rules).await?.display().to_string();
    let args = ["--kubeconfig", &kubeconfig, "--watch-namespaces", "shop", "--lease-namespace", "shop"];
    let mut controller = Controller::start_with(&setting.database.url(), &args).await?;
    let why = controller.misses("permissions").await?;
    for right in ["patch campaigns/status.fanfare.dev in shop", "get leases.coordination.k8s.io in shop"] {
        ensure!(why.contains(right), "{right} is not in {why}");
    }
    ensure!(!why.contains("list campaigns"), "that is allowed: {why}");
    let lease = controller.misses("lease").await?;
    ensure!(lease.contains("leases"), "{lease}");
    ensure!(controller.runs()?, "it waits");
    Ok(())
}

/// A port that is free now.
fn port() -> Result<u16> {
    Ok(TcpListener::bind("127.0.0.1:0")?.local_addr()?.port())
}

#[tokio::test]
async fn the_webhook_refuses_with_one_message_passes_what_stops_and_is_not_missed_while_it_is_down() -> Result<()> {
    let Some(setting) = Setting::open().await? else { return Ok(()) };
    let server = &setting.server;
    let port = port()?;
    // As on a cluster: by a Service, whose name the certificate has to be for.
    let service = "apiVersion: v1\nkind: Service\nmetadata: {name: webhook}\nspec: {type: ExternalName, externalName: localhost}\n";
    server.kubectl(&["apply", "-f", "-"], Some(service)).await?.code(0)?;
    let kubeconfig = server.kubeconfig().display().to_string();
    let (listen, reached) = (format!("127.0.0.1:{port}"), format!("shop/webhook:{port}"));
    let args = [
        "--kubeconfig",
        &kubeconfig,
        "--watch-namespaces",
        "shop",
        "--lease-namespace",
        "shop",
        "--install-crds",
        "--webhook-listen",
        &listen,
        "--webhook-service",
        &reached,
    ];
    let controller = Controller::start_with(&setting.database.url(), &args).await?;
    controller.leads().await?;
    setting.applied().await?;
    let sale = std::fs::read_to_string(setting.folder.path().join("sale.yaml"))?;
    let broken = sale
        .replace("objective: Promotion", "objective: Promotion\n  owner: crm")
        .replace("percentOff: \"50%\"", "percentOff: \"500%\"");
    let broken = broken.replace("timeZone: Asia/Bangkok", "timeZone: Asia/Nowhere");
    let refused = wait::until("the webhook to be asked", wait::SOON, async || {
        let applied = server.kubectl(&["apply", "-f", "-"], Some(&broken)).await?;
        ensure!(applied.code != 0, "it was stored");
        Ok(applied)
    });
    let refused = refused.await?.0.err;
    for part in ["denied the request", "Campaign \"sale\" is refused", "percentOff", "timeZone"] {
        ensure!(refused.contains(part), "{part} is not in {refused}");
    }
    ensure!(server.get("campaign", "sale").await?["spec"].get("owner").is_none(), "nothing of it was stored");
    let stops = broken.replace("objective: Promotion", "objective: Promotion\n  suspend: true");
    server.kubectl(&["apply", "-f", "-"], Some(&stops)).await?.code(0).context("what stops a campaign passes")?;
    server
        .kubectl(&["wait", "--for=jsonpath={.status.phase}=Paused", "campaign/sale", "--timeout=30s"], None)
        .await?
        .code(0)?;
    server
        .kubectl(
            &["apply", "-f", "-"],
            Some(&sale.replace("objective: Promotion", "objective: Promotion\n  suspend: false")),
        )
        .await?
        .code(0)?;

    let registered = server.get("validatingwebhookconfiguration", "fanfare-controller").await?;
    let webhook = &registered["webhooks"][0];
    ensure!(webhook["failurePolicy"] == "Ignore" && webhook["timeoutSeconds"] == 5, "{webhook}");
    ensure!(webhook["sideEffects"] == "None", "{webhook}");
    controller.stop().await?;
    server
        .kubectl(&["apply", "-f", "-"], Some(&broken))
        .await?
        .code(0)
        .context("nobody is asked, and nothing is lost")?;
    let controller = Controller::start_with(&setting.database.url(), &args).await?;
    controller.leads().await?;
    let why = server.condition(("campaign", "sale"), ("Ready", "False", "Invalid")).await?;
    ensure!(why.contains("percentOff"), "the same words: {why}");
    // An update that brings no error of its own passes, as a label of a tool.
    server.kubectl(&["label", "campaign", "sale", "tool=was-here"], None).await?.code(0)?;
    server.kubectl(&["apply", "-f", "-"], Some(&sale)).await?.code(0)?;
    server.condition(("campaign", "sale"), ("Ready", "True", "Published")).await?;
    controller.stop().await?;
    setting.verified().await
}

#[tokio::test]
async fn definitions_that_are_missing_or_go_are_named_and_older_ones_are_brought_up_to_date() -> Result<()> {
    let Some(server) = ApiServer::own_cluster().await? else { return Ok(()) };
    let database = Database::fresh().await?;
    let kubeconfig = server.kubeconfig().display().to_string();
    let args = ["--kubeconfig", &kubeconfig, "--watch-namespaces", &server.namespace];
    let controller = Controller::start_with(&database.url(), &args).await?;
    let why = controller.misses("customResourceDefinitions").await?;
    ensure!(why.contains("campaigns.fanfare.dev") && why.contains("fanfare crds"), "{why}");
    let definitions = tools::verb(&["crds"], None).await?.code(0)?;
    server.kubectl(&["apply", "--server-side", "-f", "-"], Some(&definitions)).await?.code(0)?;
    controller.leads().await?;

    server.kubectl(&["delete", "crd", "segments.fanfare.dev"], None).await?.code(0)?;
    let why = controller.misses("customResourceDefinitions").await?;
    ensure!(why.contains("segments.fanfare.dev") && !why.contains("campaigns.fanfare.dev"), "{why}");
    drop(controller);

    // What an earlier version of the controller installed, which knew no tags.
    let tags = "/spec/versions/0/schema/openAPIV3Schema/properties/spec/properties/tags";
    let earlier = |of: &Value| {
        let mut earlier = json!({ "apiVersion": of["apiVersion"], "kind": of["kind"], "spec": of["spec"] });
        earlier["metadata"] = json!({ "name": of["metadata"]["name"] });
        let properties = earlier.pointer_mut(tags.trim_end_matches("/tags")).and_then(Value::as_object_mut);
        properties.is_some_and(|fields| fields.remove("tags").is_some()).then(|| earlier.to_string())
    };
    let found = server.get("crd", "campaigns.fanfare.dev").await?;
    let earlier = earlier(&found).context("no tags")?;
    let apply = |manager| ["apply", "--server-side", "--force-conflicts", "--field-manager", manager, "-f", "-"];
    let args = [&args[..], &["--install-crds"]].concat();
    // Its own are brought up to date; what somebody else manages stays, and is no hindrance while the kinds are there.
    for (manager, is_ours) in [("fanfare-controller", true), ("kubectl", false)] {
        server.kubectl(&apply(manager), Some(&earlier)).await?.code(0)?;
        let controller = Controller::start_with(&database.url(), &args).await?;
        controller.leads().await?;
        let found = server.get("crd", "campaigns.fanfare.dev").await?;
        ensure!(found.pointer(tags).is_some() == is_ours, "what {manager} applied: {:?}", found.pointer(tags));
    }
    Ok(())
}
