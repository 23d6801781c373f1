//! G13: many Campaigns created, then all changed, beside a bare kube-rs controller that only hashes and patches a status of
//! as many bytes; and what a restart writes, which is nothing.
//!
//! Both get the same objects from the same generator, as many at once, and take turns. What is measured is from the first
//! status to the last (created: all are there before it starts), or from the first change to the last status (changed).

use crate::{
    figures::{REPETITIONS, Ratio, median},
    product::{binary, folder},
};
use anyhow::{Context, Result, ensure};
use futures::{StreamExt, TryStreamExt, stream};
use kube::{
    Api, Client, Config,
    api::{Patch, PatchParams, PostParams},
    config::{KubeConfigOptions, Kubeconfig},
    core::{ApiResource, DynamicObject, GroupVersionKind},
    runtime::{WatchStreamExt, watcher},
};
use serde_json::{Value, json};
use sqlx::{AssertSqlSafe, Connection, PgConnection};
use std::{
    fs::{self, File},
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    sync::{Arc, Mutex},
    time::{Duration, Instant},
};

const CAMPAIGNS: usize = 10_000;
/// How many objects are written at once, on both sides: what the product does.
const CONCURRENCY: usize = 16;
/// How many calls the generator has open at once.
const CALLS: usize = 32;
const GOAL: f64 = 0.8;
/// How far the objects of the sides may differ in size: both cost the API server the same.
const SAME_BYTES: std::ops::Range<f64> = 0.9..1.1;
const LIMIT: Duration = Duration::from_secs(600);
/// How long after a restart it is looked whether anything is written.
const QUIET: Duration = Duration::from_secs(10);

/// A process that ends with this value.
struct Running(Child);

impl Running {
    fn memory_mib(&self) -> f64 {
        let status = fs::read_to_string(format!("/proc/{}/status", self.0.id())).unwrap_or_default();
        let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).unwrap_or_default();
        line.trim().trim_end_matches("kB").trim().parse::<f64>().unwrap_or_default() / 1024.0
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// What is seen of the Campaigns of a namespace.
#[derive(Default)]
struct Seen {
    /// How many have a status of the generation that is waited for.
    done: usize,
    /// Every event since it was reset.
    events: usize,
    /// When the first and the last status came.
    first: Option<Instant>,
    last: Option<Instant>,
}

struct Run {
    client: Client,
    kubeconfig: PathBuf,
    folder: PathBuf,
    campaigns: usize,
}

/// On the embedded API server, and on the real one that `FANFARE_TEST_KUBECONFIG` names.
pub(crate) async fn measure() -> Result<()> {
    measure_on("embedded", None).await?;
    match std::env::var_os("FANFARE_TEST_KUBECONFIG") {
        Some(kubeconfig) => measure_on("real API server", Some(kubeconfig.into())).await,
        None => Ok(()),
    }
}

async fn measure_on(server: &str, kubeconfig: Option<PathBuf>) -> Result<()> {
    let campaigns = match std::env::var("FANFARE_LOAD_CAMPAIGNS") {
        Ok(text) => text.parse()?,
        Err(_) => CAMPAIGNS,
    };
    let place = if kubeconfig.is_some() { "real" } else { "embedded" };
    let folder = folder(&format!("controller-{place}"))?;
    let (kubeconfig, _server) = match kubeconfig {
        Some(kubeconfig) => (kubeconfig, None),
        None => embedded(&folder).await?,
    };
    let options = KubeConfigOptions::default();
    let client =
        Client::try_from(Config::from_custom_kubeconfig(Kubeconfig::read_from(&kubeconfig)?, &options).await?)?;
    let run = Run { client, kubeconfig, folder, campaigns };
    run.definitions()?;
    let (name_created, name_changed) = (format!("G13 created, {server}"), format!("G13 changed, {server}"));
    fn ratio(name: &str) -> Ratio<'_> {
        Ratio { name, unit: "campaigns/s", goal: GOAL, ours: Vec::new(), anchor: Vec::new() }
    }
    let (mut created, mut changed) = (ratio(&name_created), ratio(&name_changed));
    let (mut ours_mib, mut anchor_mib, mut writes, mut bytes) = (Vec::new(), Vec::new(), Vec::new(), (0, 0));
    for turn in 0..REPETITIONS {
        let ours = run.side(&format!("ours-{place}-{turn}"), true, turn == 0).await?;
        let anchor = run.side(&format!("anchor-{place}-{turn}"), false, false).await?;
        created.ours.push(ours.created);
        created.anchor.push(anchor.created);
        changed.ours.push(ours.changed);
        changed.anchor.push(anchor.changed);
        ours_mib.push(ours.mib);
        anchor_mib.push(anchor.mib);
        writes.push(ours.writes_a_change);
        ensure!(ours.writes_a_change <= 1.0, "{} status writes a change", ours.writes_a_change);
        ensure!(ours.after_restart == 0, "{} objects were written after a restart", ours.after_restart);
        bytes = (ours.bytes, anchor.bytes);
        let same = ours.bytes as f64 / anchor.bytes as f64;
        ensure!(SAME_BYTES.contains(&same), "an object of ours has {} bytes, the other's {}", ours.bytes, anchor.bytes);
    }
    created.print();
    changed.print();
    println!(
        "G13, {server}: {campaigns} campaigns, {CONCURRENCY} writes at once; ours {:.0} MiB, bare {:.0} MiB; an object {} and {} bytes; {:.3} status writes a change, 0 after a restart",
        median(&ours_mib),
        median(&anchor_mib),
        bytes.0,
        bytes.1,
        median(&writes)
    );
    fs::remove_dir_all(&run.folder)?;
    Ok(())
}

/// The embedded API server alone.
async fn embedded(folder: &Path) -> Result<(PathBuf, Option<Running>)> {
    let program = binary()?.with_file_name("examples").join("serve");
    let kubeconfig = folder.join("kubeconfig");
    let mut command = Command::new(&program);
    command.arg(folder.join("plane.db")).arg("127.0.0.1:0").stdin(Stdio::null()).stdout(File::create(&kubeconfig)?);
    let process = Running(command.spawn().with_context(|| format!("cannot start {}", program.display()))?);
    for _ in 0..500 {
        if fs::read_to_string(&kubeconfig)?.contains("server:") {
            break;
        }
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    Ok((kubeconfig, Some(process)))
}

struct Side {
    created: f64,
    changed: f64,
    mib: f64,
    writes_a_change: f64,
    /// What one object takes.
    bytes: usize,
    /// How many were written after a restart, where that was looked at.
    after_restart: usize,
}

impl Run {
    fn definitions(&self) -> Result<()> {
        let crds = Command::new(binary()?).arg("crds").output()?.stdout;
        let file = self.folder.join("crds.yaml");
        fs::write(&file, crds)?;
        let mut command = Command::new(std::env::var_os("KUBECTL").unwrap_or_else(|| "kubectl".into()));
        command.args(["apply", "--server-side", "-f"]).arg(file).env("KUBECONFIG", &self.kubeconfig);
        ensure!(command.stdout(Stdio::null()).status()?.success(), "the definitions were not applied");
        Ok(())
    }

    fn api(&self, kind: &str, namespace: &str) -> Api<DynamicObject> {
        let resource = ApiResource::from_gvk(&GroupVersionKind::gvk("fanfare.dev", "v1alpha1", kind));
        Api::namespaced_with(self.client.clone(), namespace, &resource)
    }

    async fn side(&self, name: &str, ours: bool, restarts: bool) -> Result<Side> {
        let namespace = format!("load-{name}-{}", std::process::id());
        let namespaces: Api<k8s_openapi::api::core::v1::Namespace> = Api::all(self.client.clone());
        let object = serde_json::from_value(json!({ "metadata": { "name": namespace } }))?;
        namespaces.create(&PostParams::default(), &object).await?;
        let runtimes = self.api("CampaignRuntime", &namespace);
        runtimes.create(&PostParams::default(), &serde_json::from_value(runtime())?).await?;
        let api = self.api("Campaign", &namespace);
        stream::iter(0..self.campaigns)
            .map(|number| {
                let api = api.clone();
                async move {
                    api.create(&PostParams::default(), &serde_json::from_value(campaign(number))?).await?;
                    anyhow::Ok(())
                }
            })
            .buffer_unordered(CALLS)
            .try_collect::<Vec<()>>()
            .await?;
        let seen = Arc::new(Mutex::new(Seen::default()));
        let follow = tokio::spawn(follow(api.clone(), seen.clone()));
        let database = if ours { Some(Database::new(name).await?) } else { None };
        let start = || self.start(&namespace, database.as_ref());
        let process = start()?;
        let (first, last) = self.all_done(&seen).await?;
        let created = self.campaigns as f64 / (last - first).as_secs_f64();

        *seen.lock().map_err(|_| anyhow::anyhow!("poisoned"))? = Seen::default();
        let began = Instant::now();
        stream::iter(0..self.campaigns)
            .map(|number| {
                let api = api.clone();
                async move {
                    let patch = json!({ "spec": { "title": format!("Changed {number}") } });
                    api.patch(&format!("c-{number}"), &PatchParams::default(), &Patch::Merge(&patch)).await?;
                    anyhow::Ok(())
                }
            })
            .buffer_unordered(CALLS)
            .try_collect::<Vec<()>>()
            .await?;
        let (_, last) = self.all_done(&seen).await?;
        let changed = self.campaigns as f64 / (last - began).as_secs_f64();
        tokio::time::sleep(Duration::from_secs(1)).await;
        let events = seen.lock().map_err(|_| anyhow::anyhow!("poisoned"))?.events;
        let mib = process.memory_mib();
        let bytes = serde_json::to_vec(&api.get("c-7").await?)?.len();
        drop(process);

        let mut after_restart = 0;
        if restarts {
            *seen.lock().map_err(|_| anyhow::anyhow!("poisoned"))? = Seen::default();
            let again = start()?;
            tokio::time::sleep(QUIET + Duration::from_secs(20)).await;
            after_restart = seen.lock().map_err(|_| anyhow::anyhow!("poisoned"))?.events;
            drop(again);
        }
        follow.abort();
        Ok(Side {
            created,
            changed,
            mib,
            writes_a_change: (events.saturating_sub(self.campaigns)) as f64 / self.campaigns as f64,
            bytes,
            after_restart,
        })
    }

    fn start(&self, namespace: &str, database: Option<&Database>) -> Result<Running> {
        let mut command = match database {
            Some(database) => {
                let mut command = Command::new(binary()?);
                command.args(["controller", "--listen", "127.0.0.1:0", "--lease-seconds", "3"]);
                command.args(["--watch-namespaces", namespace, "--lease-namespace", namespace, "--kubeconfig"]);
                command.arg(&self.kubeconfig).env("FANFARE_DATABASE_URL", &database.url);
                command
            }
            None => {
                let mut command = Command::new(binary()?.with_file_name("reference-controller"));
                command.arg(&self.kubeconfig).arg(namespace).arg(CONCURRENCY.to_string());
                command
            }
        };
        command.stdin(Stdio::null()).stdout(File::create(self.folder.join(format!("{namespace}.log")))?);
        Ok(Running(command.spawn()?))
    }

    async fn all_done(&self, seen: &Mutex<Seen>) -> Result<(Instant, Instant)> {
        let began = Instant::now();
        loop {
            {
                let seen = seen.lock().map_err(|_| anyhow::anyhow!("poisoned"))?;
                if seen.done >= self.campaigns {
                    return Ok((seen.first.context("no first")?, seen.last.context("no last")?));
                }
                ensure!(began.elapsed() < LIMIT, "{} of {} have a status", seen.done, self.campaigns);
            }
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    }
}

/// Counts what it sees: each object is done when its status is of its generation, once.
async fn follow(api: Api<DynamicObject>, seen: Arc<Mutex<Seen>>) {
    let mut stream = watcher(api, watcher::Config::default()).default_backoff().boxed();
    let mut known: std::collections::HashMap<String, i64> = std::collections::HashMap::new();
    while let Some(event) = stream.next().await {
        let Ok(watcher::Event::Apply(object)) = event else { continue };
        let Ok(mut seen) = seen.lock() else { return };
        seen.events += 1;
        let generation = object.metadata.generation.unwrap_or_default();
        let name = object.metadata.name.unwrap_or_default();
        let is_done = object.data["status"]["observedGeneration"] == json!(generation);
        if is_done && known.insert(name, generation) != Some(generation) {
            seen.done += 1;
            let now = Instant::now();
            seen.first.get_or_insert(now);
            seen.last = Some(now);
        }
    }
}

/// A database of one side's own; it stays until the server goes.
struct Database {
    url: String,
}

impl Database {
    async fn new(name: &str) -> Result<Self> {
        let server = std::env::var("FANFARE_LOAD_POSTGRES").context("FANFARE_LOAD_POSTGRES is not set")?;
        let name = format!("load_{}_{}", name.replace('-', "_"), std::process::id());
        let mut connection = PgConnection::connect(&server).await?;
        sqlx::raw_sql(AssertSqlSafe(format!("CREATE DATABASE {name}"))).execute(&mut connection).await?;
        let (place, parameters) = server.split_once('?').unwrap_or((&server, ""));
        let place = place.rsplit_once('/').map_or(place, |(place, _)| place);
        Ok(Self { url: format!("{place}/{name}?{parameters}") })
    }
}

fn runtime() -> Value {
    json!({
        "apiVersion": "fanfare.dev/v1alpha1", "kind": "CampaignRuntime", "metadata": { "name": "shop" },
        "spec": { "timeZone": "Asia/Bangkok", "currency": "THB", "locales": { "default": "en" } },
    })
}

fn campaign(number: usize) -> Value {
    json!({
        "apiVersion": "fanfare.dev/v1alpha1", "kind": "Campaign", "metadata": { "name": format!("c-{number}") },
        "spec": {
            "title": format!("Campaign {number}"), "objective": "Promotion",
            "schedule": { "startAt": "2020-01-01T00:00", "endAt": "2099-01-01T00:00" },
            "participation": { "join": "Automatic" },
            "mechanics": [{ "name": "half", "discount": { "percentOff": "50%", "items": { "all": true } } }],
            "budget": { "limit": "100000", "onExhausted": "Stop" },
        },
    })
}
