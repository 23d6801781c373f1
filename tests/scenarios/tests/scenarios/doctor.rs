//! `fanfare doctor` on installations that are well and on some that are not. What each line says of what it finds is tested
//! where it is judged; here it looks at the real thing.

use crate::MIDDAY;
use anyhow::{Context, Result, ensure};
use fanfare_scenarios::{
    control::{ApiServer, Controller},
    database::Database,
    folder::{Scratch, fixture},
    shop::{Shop, Start},
    tools, wait,
};
use serde_json::Value;
use std::{fs, os::unix::fs::PermissionsExt};

/// What it found, as (check, level, what).
struct Found(Vec<(String, String, String)>);

impl Found {
    async fn of(args: &[&str], code: i32) -> Result<Self> {
        let told = tools::verb(&[&["doctor", "--output", "json"], args].concat(), None).await?.code(code)?;
        let told: Value = serde_json::from_str(&told)?;
        ensure!(told["ok"] == (code == 0), "{told}");
        let text = |finding: &Value, field: &str| finding[field].as_str().unwrap_or_default().to_owned();
        let all = told["findings"].as_array().context("no findings")?;
        for finding in all {
            let has_remedy = finding["remedy"].as_str().is_some_and(|remedy| !remedy.is_empty());
            ensure!(has_remedy == (finding["level"] != "ok"), "{finding}");
        }
        Ok(Self(all.iter().map(|one| (text(one, "check"), text(one, "level"), text(one, "what"))).collect()))
    }

    /// Asserts that a check says so.
    fn has(&self, check: &str, level: &str, part: &str) -> Result<()> {
        let found = self.0.iter().any(|(c, l, what)| c == check && l == level && what.contains(part));
        ensure!(found, "no {check} {level} {part:?} in {:?}", self.0);
        Ok(())
    }
}

#[tokio::test]
async fn a_cluster_is_well_with_a_controller_and_says_what_is_missing_without() -> Result<()> {
    let (server, database) = (ApiServer::open().await?, Database::fresh().await?);
    let kubeconfig = server.kubeconfig().to_str().context("no text")?.to_owned();
    let here = ["--kubeconfig", &kubeconfig, "--watch-namespaces", &server.namespace];
    let args = [&here[..], &["--lease-namespace", &server.namespace]].concat();
    let found = Found::of(&args, 1).await?;
    found.has("apiServer", "ok", "answers")?;
    found.has("version", "ok", "Kubernetes")?;
    found.has("lease", "fail", "there is no")?;
    if !server.is_real() {
        // On a real one the definitions may be there from another scenario.
        found.has("customResourceDefinitions", "fail", "campaigns.fanfare.dev is not there")?;
    }

    let controller = Controller::start(&server, &database).await?;
    controller.leads().await?;
    server.apply(&fixture("shop")).await?;
    server.condition(("campaignruntime", "shop"), ("Ready", "True", "")).await?;
    let found = Found::of(&args, 0).await?;
    found.has("customResourceDefinitions", "ok", "of this version")?;
    found.has("permissions", "ok", "this user may")?;
    found.has("lease", "ok", "leads")?;
    found.has("runtimes", "ok", "/shop is ready")?;
    found.has("webhook", "warn", "no ValidatingWebhookConfiguration")?;
    // A PostgreSQL for tests may be a fast one, which keeps nothing at a power cut: the doctor says that too.
    let told = tools::verb_on(&database.url(), &["doctor"]).await?;
    let (is_safe, told) = (!told.out.contains("FAIL  durability: "), format!("{} {}", told.code, told.text()));
    ensure!(told.starts_with(if is_safe { "0" } else { "1" }), "{told}");
    for line in ["ok    schema: version", "ok    roles: ", "ok    ledger: balances sum to zero in 1 namespaces"] {
        ensure!(told.contains(line), "{told}");
    }

    if server.is_real() {
        let account = format!("{}/default", server.namespace);
        let found = Found::of(&[&args[..], &["--service-account", &account]].concat(), 1).await?;
        found.has("permissions", "fail", "watch campaigns.fanfare.dev in")?;
    }
    controller.kill()?;
    wait::until("the Lease to lapse", wait::STATUS, async || {
        Found::of(&args, 1).await?.has("lease", "fail", "has been silent since")
    })
    .await?;
    if !server.is_real() {
        server.signal("-KILL")?;
        let found = Found::of(&args, 1).await?;
        found.has("apiServer", "fail", "does not answer")?;
        ensure!(found.0.len() == 1, "nothing else is asked: {:?}", found.0);
    }
    Ok(())
}

#[tokio::test]
async fn a_registered_webhook_is_found_with_its_authority() -> Result<()> {
    let (server, database) = (ApiServer::open().await?, Database::fresh().await?);
    if !server.is_real() {
        // The embedded one has no registrations.
        return Ok(());
    }
    let kubeconfig = server.kubeconfig().to_str().context("no text")?;
    let name = format!("doctor-{}", server.namespace);
    let place = ["--kubeconfig", kubeconfig, "--watch-namespaces", &server.namespace];
    let lease = ["--lease-namespace", &server.namespace, "--webhook-name", &name];
    let hook = ["--install-crds", "--webhook-listen", "127.0.0.1:0", "--webhook-url", "https://127.0.0.1:1"];
    let controller = Controller::start_with(&database.url(), &[&place[..], &lease, &hook].concat()).await?;
    controller.leads().await?;
    wait::until("the registration", wait::SOON, async || {
        let told = tools::verb(&[&["doctor", "--output", "json"], &place[..], &lease].concat(), None).await?;
        let told: Value = serde_json::from_str(&told.out)?;
        let all = told["findings"].as_array().context("no findings")?;
        let webhook = all.iter().find(|finding| finding["check"] == "webhook").context("no webhook")?;
        ensure!(webhook["level"] == "ok" && webhook["what"].to_string().contains("is good until"), "{webhook}");
        Ok(())
    })
    .await?;
    // Nobody serves at that address, and without an answer API servers take what is wrong.
    server.apply(&fixture("shop")).await?;
    server.condition(("campaignruntime", "shop"), ("Ready", "True", "")).await?;
    let found = Found::of(&[&place[..], &lease].concat(), 1).await?;
    let looked = found.has("webhook", "fail", "they do not reach it");
    server.kubectl(&["delete", "validatingwebhookconfiguration", &name], None).await?.code(0)?;
    looked
}

#[tokio::test]
async fn a_folder_is_well_while_up_runs_on_it_and_says_what_is_wrong() -> Result<()> {
    let shop = Shop::open(&fixture("shop"), Start::at(MIDDAY)).await?;
    shop.ready().await?;
    let (dir, data) = (shop.folder.path().to_path_buf(), shop.data().to_path_buf());
    let args = [dir.to_str().context("no text")?, "--data", data.to_str().context("no text")?];
    let found = Found::of(&args, 0).await?;
    found.has("resources", "ok", "good ones")?;
    found.has("runtime", "ok", "is ready")?;
    found.has("runtimeVersion", "ok", "")?;
    found.has("runtimes", "ok", "is ready")?;
    fs::set_permissions(data.join("keys.json"), fs::Permissions::from_mode(0o644))?;
    shop.folder.edit("sale.yaml", "startAt", "beginAt")?;
    let found = Found::of(&args, 1).await?;
    found.has("secrets", "fail", "keys.json can be read by others")?;
    found.has("resources", "fail", "not all of the resources")?;
    Ok(())
}

#[tokio::test]
async fn what_is_not_there_or_not_named_is_told() -> Result<()> {
    let empty = Scratch::new()?;
    let folder = empty.path().to_str().context("no text")?;
    Found::of(&[folder], 1).await?.has("process", "fail", "no `fanfare up` runs on")?;
    let away = ["--runtime-url", "http://127.0.0.1:1", "--database", "postgres://u@127.0.0.1:1/db"];
    let found = Found::of(&away, 1).await?;
    found.has("runtime", "fail", "http://127.0.0.1:1 does not answer")?;
    found.has("database", "fail", "127.0.0.1:1")?;
    Found::of(&["--database", "mysql://u@h/db"], 1).await?.has("database", "fail", "no address of a PostgreSQL")?;
    let nothing = tools::verb(&["doctor"], None).await?;
    ensure!(nothing.code == 1 && nothing.err.contains("nothing is named to look at"), "{nothing:?}");
    Ok(())
}
