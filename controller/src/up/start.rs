//! Wires the rooms, in order, and runs until Ctrl-C.

use super::{admin, credentials, demo, folder, holder::Holder, table};
use crate::{
    cli::up::Args,
    clock::{BusinessClock, RealClock, WallClock},
    database, measure, random,
    serve::{self, Interrupts, say},
    telemetry,
};
use anyhow::{Context, bail};
use fanfare_core::{ids::Namespace, model::Plan, time::Clock};
use fanfare_engine::Engine;
use fanfare_plane::{Plane, PlaneConfig};
use fanfare_store::{Store, sqlite::SqliteStore};
use k8s_openapi::api::core::v1::Namespace as Namespaced;
use std::{
    path::{Path, PathBuf},
    process::ExitCode,
    sync::Arc,
    time::Duration,
};
use tokio::{sync::watch, task::JoinSet};

/// How long the first resources may take until something is served.
const READY_WAIT_MAX: Duration = Duration::from_secs(30);
/// The same where the folder has no Runtime, but the data folder may know one.
const UNEXPECTED_WAIT_MAX: Duration = Duration::from_secs(1);

/// How far clocks of one shared database may be apart.
const CLOCK_NOISE: chrono::TimeDelta = chrono::TimeDelta::seconds(1);

/// Everything that `up` started and other parts need.
pub struct Running {
    /// The folder with the resources.
    pub dir: PathBuf,
    /// The namespace that is served.
    pub namespace: String,
    /// The engine.
    pub engine: Engine,
    /// A client of the plane.
    pub client: kube::Client,
    /// The terminal.
    pub screen: table::Screen,
}

/// What runs, and what its end has to put away.
struct Started {
    data: PathBuf,
    engine: Engine,
    plane: Plane,
    holder: Option<Arc<Holder>>,
    tasks: JoinSet<anyhow::Result<()>>,
    stop: watch::Sender<bool>,
}

impl Started {
    async fn serve(mut self, mut interrupts: Interrupts) -> anyhow::Result<ExitCode> {
        let code = tokio::select! {
            () = interrupts.heard() => {
                telemetry::say(&format!("\nstopping; everything is kept in {}", self.data.display()));
                ExitCode::SUCCESS
            }
            restored = crate::database::until_restored(self.engine.store()) => {
                telemetry::say(&format!("\n{restored}"));
                ExitCode::FAILURE
            }
            Some(ended) = self.tasks.join_next() => {
                ended.context("a part of fanfare ended")??;
                ExitCode::FAILURE
            }
        };
        self.stop.send_replace(true);
        if let Some(holder) = &self.holder {
            holder.leave().await;
        }
        drop(std::fs::remove_file(credentials::path(&self.data)));
        drop(std::fs::remove_file(admin::socket(&self.data)));
        self.tasks.shutdown().await;
        self.plane.stop().await;
        Ok(code)
    }
}

/// Runs until Ctrl-C.
pub async fn run(args: Args) -> anyhow::Result<ExitCode> {
    let mut interrupts = Interrupts::listen()?;
    match interrupts.unless_heard(start(args)).await? {
        Some(started) => started.serve(interrupts).await,
        None => Ok(ExitCode::SUCCESS),
    }
}

async fn start(args: Args) -> anyhow::Result<Started> {
    let data = args.data.clone().unwrap_or_else(|| args.dir.join(".fanfare"));
    std::fs::create_dir_all(&data).with_context(|| format!("--data: {} cannot be made", data.display()))?;
    let store = open_store(&args, &data).await?;
    remove_stale(&data)?;
    let real = RealClock::of(&*store).await?;
    let clock = business_clock(&args, real.clone(), &*store).await?;
    let looked = folder::look(&args.dir);
    let report = folder::read(&args.dir, clock.now());
    let namespace = folder::namespace(&report)?;
    say("database open", &format!("business time is {}", clock.now().format("%Y-%m-%dT%H:%M:%SZ")));

    let engine =
        Engine::open(Namespace::from(namespace.as_str()), store.clone(), Arc::new(clock.clone()), random::seed()?)
            .await?;
    let reached = engine.last_at().filter(|reached| clock.now() + CLOCK_NOISE < *reached);
    if let (Some(_), Some(reached)) = (args.clock, reached) {
        bail!("--clock: business time in this database has come to {reached}; name a later time, or another database");
    }
    let holder = match store.shared() {
        true => Some(Arc::new(Holder::take(&store, &real, engine.namespace(), &data).await?)),
        false => None,
    };
    clock.store(&*store).await?;
    let plane = start_plane(&data, engine.clone()).await?;
    let client = plane.client();
    say("Kubernetes API started", &format!("{} kinds of fanfare.dev/v1alpha1", fanfare_core::model::Kind::ALL.len()));

    let api_listener = serve::bind(args.listen, "--listen").await?;
    let kube_listener = serve::bind(args.kube_listen, "--kube-listen").await?;
    let (api_url, kube_url) =
        (format!("http://{}", api_listener.local_addr()?), format!("http://{}", kube_listener.local_addr()?));
    let kubeconfig = data.join("kubeconfig");
    credentials::write_private(&kubeconfig, plane.kubeconfig(kube_listener.local_addr()?, &namespace).as_bytes())?;

    let mut tasks = JoinSet::new();
    let (stop, stopped) = watch::channel(false);
    let served = plane.clone();
    tasks.spawn(async move { served.serve(kube_listener).await.context("the Kubernetes API stopped") });
    let metrics = fanfare_reconcile::Metrics::default();
    let reconcile = fanfare_reconcile::Config {
        client: client.clone(),
        scope: fanfare_reconcile::Scope::Only([namespace.clone()].into()),
        opener: Arc::new(engine.clone()),
        wall: Arc::new(WallClock),
        url: Some(api_url.clone()),
        may_write: Arc::new(|| true),
        logins: fanfare_reconcile::Logins::Looked(client.clone()),
        metrics: metrics.clone(),
    };
    tasks.spawn(async move {
        fanfare_reconcile::run(reconcile).await;
        bail!("the controllers stopped")
    });

    let running = Running {
        dir: args.dir.clone(),
        namespace: namespace.clone(),
        engine: engine.clone(),
        client,
        screen: table::Screen::default(),
    };
    ensure_namespace(&running.client, &namespace).await?;
    let applied = folder::apply(&running, &report, &folder::Applied::default()).await?;
    say("resources applied", &format!("{} from {}", applied.count(), args.dir.display()));
    let expected = report.resources.iter().any(|found| matches!(found.plan, Some(Plan::CampaignRuntime(_))));
    wait_until_served(&engine, expected).await?;

    let measured = Arc::new(move |registry: &mut _| {
        measure::build(registry);
        metrics.register(registry);
    });
    serve::api(&mut tasks, (engine.clone(), &*store), (api_listener, real), true, measured, stopped.clone()).await?;
    let logins = Arc::new(super::secrets::Secrets::new(running.client.clone()));
    let lists = logins.lists(&engine.namespace().clone());
    tasks.spawn(fanfare_engine::declared::keep(engine.clone(), lists).then_never());
    serve::worker(&mut tasks, engine.clone(), logins, stopped);
    if let Some(holder) = &holder {
        tasks.spawn(clock.keep(store.clone()).then_never());
        tasks.spawn(holder.clone().keep());
    }
    let (socket, served) = (data.clone(), engine.clone());
    tasks.spawn(async move { admin::serve(&socket, served).await });

    let keys = credentials::Keys::of(&data, &engine).await?;
    let file = keys.file(namespace.clone(), api_url.clone(), kube_url.clone());
    credentials::write(&data, &file)?;
    say("HTTP API", &api_url);
    say("Kubernetes API", &kube_url);
    say("kubectl", &format!("export KUBECONFIG={}", kubeconfig.display()));
    telemetry::gap();

    if args.demo {
        demo::load(&running, &file).await?;
        let shoppers = demo::Shoppers::new(&running, file);
        tasks.spawn(async move { shoppers.run().await });
    }
    tasks.spawn(table::show(running.client.clone(), engine.clone(), running.screen.clone()).then_never());
    tasks.spawn(folder::follow(running, applied, looked).then_never());

    Ok(Started { data, engine, plane, holder, tasks, stop })
}

/// Turns a future without end into a task of the set.
trait ThenNever: std::future::Future<Output = ()> + Sized {
    async fn then_never(self) -> anyhow::Result<()> {
        self.await;
        Ok(())
    }
}

impl<F: std::future::Future<Output = ()>> ThenNever for F {}

async fn open_store(args: &Args, data: &Path) -> anyhow::Result<Arc<dyn Store>> {
    if let Some(address) = &args.database {
        return database::open(address).await;
    }
    match SqliteStore::open(&data.join("fanfare.db")).await {
        Ok(store) => Ok(Arc::new(store)),
        Err(fanfare_store::Error::Locked(what)) => {
            bail!(
                "{what}; another `fanfare up` runs on {}: stop it, or name another folder with --data",
                data.display()
            )
        }
        Err(error) => Err(error).with_context(|| format!("the database in {} cannot be opened", data.display())),
    }
}

/// Whoever waits for the credentials must not find those of an earlier run.
fn remove_stale(data: &Path) -> anyhow::Result<()> {
    for path in [credentials::path(data), admin::socket(data)] {
        if path.exists() {
            std::fs::remove_file(&path).with_context(|| format!("{} cannot be removed", path.display()))?;
        }
    }
    Ok(())
}

/// Business time as `--clock` says, else as the database keeps it, else as the demo says, else real time.
async fn business_clock(args: &Args, real: RealClock, store: &dyn Store) -> anyhow::Result<BusinessClock> {
    let kept = BusinessClock::stored(real.clone(), store).await?;
    let demo = if args.demo { demo::clock(&args.dir)? } else { None };
    Ok(match (args.clock, kept, demo) {
        (Some(start), ..) => BusinessClock::starting_at(real, start),
        (None, Some(kept), _) => kept,
        (None, None, Some(start)) => BusinessClock::starting_at(real, start),
        (None, None, None) => BusinessClock::with_offset_ms(real, 0),
    })
}

async fn start_plane(data: &Path, engine: Engine) -> anyhow::Result<Plane> {
    let wall = WallClock;
    let clock = move || jiff::Timestamp::from_millisecond(wall.now().timestamp_millis()).unwrap_or_default();
    let mut config = PlaneConfig::new(data.join("plane.db"), Arc::new(clock));
    config.crds = fanfare_crds::generate::crds().into_iter().map(serde_json::to_value).collect::<Result<_, _>>()?;
    config.admission = Arc::new(super::admission::Door::new(engine));
    Ok(Plane::start(config).await?)
}

/// The namespace that the folder names is made: on one machine nobody else would.
async fn ensure_namespace(client: &kube::Client, name: &str) -> anyhow::Result<()> {
    let api: kube::Api<Namespaced> = kube::Api::all(client.clone());
    if api.get_opt(name).await?.is_some() {
        return Ok(());
    }
    let metadata = kube::core::ObjectMeta { name: Some(name.into()), ..kube::core::ObjectMeta::default() };
    let made = api.create(&kube::api::PostParams::default(), &Namespaced { metadata, ..Namespaced::default() }).await;
    made.map(drop).with_context(|| format!("metadata.namespace: {name:?} cannot be made; name another namespace"))
}

/// Waits until the Runtime is served, so that the first caller finds the API useful; not for long where none is expected.
async fn wait_until_served(engine: &Engine, expected: bool) -> anyhow::Result<()> {
    let started = tokio::time::Instant::now();
    let most = if expected { READY_WAIT_MAX } else { UNEXPECTED_WAIT_MAX };
    while engine.plans().runtime.is_none() && started.elapsed() < most {
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    if engine.plans().runtime.is_none() {
        telemetry::say("  no CampaignRuntime is served yet; the API answers once one is applied");
    }
    Ok(())
}
