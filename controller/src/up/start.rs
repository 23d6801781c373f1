//! Wires the rooms, in order, and runs until Ctrl-C.

use super::{admin, bridge, credentials, demo, folder, table};
use crate::{
    cli::up::Args,
    clock::{BusinessClock, WallClock},
    random,
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
use tokio::{net::TcpListener, sync::watch};

/// The setting that keeps how far business time is from real time, in milliseconds.
const CLOCK_OFFSET: &str = "clock-offset-ms";
/// How long the first resources may take until something is served.
const READY_WAIT_MAX: Duration = Duration::from_secs(30);
/// The same where the folder has no Runtime, but the data folder may know one.
const UNEXPECTED_WAIT_MAX: Duration = Duration::from_secs(1);

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

/// Runs until Ctrl-C.
pub async fn run(args: Args) -> anyhow::Result<ExitCode> {
    let data = args.data.clone().unwrap_or_else(|| args.dir.join(".fanfare"));
    std::fs::create_dir_all(&data).with_context(|| format!("--data: {} cannot be made", data.display()))?;
    let store = open_store(&data).await?;
    remove_stale(&data)?;
    let clock = business_clock(&args, &*store).await?;
    let clock: Arc<dyn Clock> = Arc::new(clock);
    let looked = folder::look(&args.dir);
    let report = folder::read(&args.dir, clock.now());
    let namespace = folder::namespace(&report)?;
    say("database open", &format!("business time is {}", clock.now().format("%Y-%m-%dT%H:%M:%SZ")));

    let engine =
        Engine::open(Namespace::from(namespace.as_str()), store.clone(), clock.clone(), random::seed()?).await?;
    let plane = start_plane(&data, engine.clone()).await?;
    let client = plane.client();
    say("Kubernetes API started", &format!("{} kinds of fanfare.dev/v1alpha1", fanfare_core::model::Kind::ALL.len()));

    let api_listener = bind(args.listen, "--listen").await?;
    let kube_listener = bind(args.kube_listen, "--kube-listen").await?;
    let (api_url, kube_url) =
        (format!("http://{}", api_listener.local_addr()?), format!("http://{}", kube_listener.local_addr()?));
    let kubeconfig = data.join("kubeconfig");
    credentials::write_private(&kubeconfig, plane.kubeconfig(kube_listener.local_addr()?, &namespace).as_bytes())?;

    let mut tasks = tokio::task::JoinSet::new();
    let (stop, stopped) = watch::channel(false);
    let served = plane.clone();
    tasks.spawn(async move { served.serve(kube_listener).await.context("the Kubernetes API stopped") });
    let reconcile = fanfare_reconcile::Config {
        client: client.clone(),
        engine: engine.clone(),
        wall: Arc::new(WallClock),
        url: api_url.clone(),
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

    let api = fanfare_api::ApiConfig {
        engine: engine.clone(),
        real_clock: Arc::new(WallClock),
        signing_key: api_secret(&*store).await?.to_vec(),
        read_match: bridge::read_match(engine.clone()),
        dev_login: true,
    };
    let until = stopped.clone();
    tasks.spawn(async move {
        let stopping = async move { wait_for(until).await };
        fanfare_api::serve(api, api_listener, stopping).await;
        Ok(())
    });
    let (worker, until) = (engine.clone(), stopped.clone());
    let notifier = fanfare_notify::Notifier::new(
        engine.namespace().clone(),
        Arc::new(super::secrets::Secrets::new(running.client.clone())),
    );
    tasks.spawn(async move {
        fanfare_engine::worker::run(worker, Arc::new(bridge::Post(notifier)), until).await;
        Ok(())
    });
    let (socket, served) = (data.clone(), engine.clone());
    tasks.spawn(async move { admin::serve(&socket, served).await });

    let keys = credentials::Keys::of(&data, &engine).await?;
    let file = keys.file(namespace.clone(), api_url.clone(), kube_url.clone());
    credentials::write(&data, &file)?;
    say("HTTP API", &api_url);
    say("Kubernetes API", &kube_url);
    say("kubectl", &format!("export KUBECONFIG={}", kubeconfig.display()));
    println!();

    if args.demo {
        demo::load(&running, &file).await?;
        let shoppers = demo::Shoppers::new(&running, file);
        tasks.spawn(async move { shoppers.run().await });
    }
    tasks.spawn(table::show(running.client.clone(), engine.clone(), running.screen.clone()).then_never());
    tasks.spawn(folder::follow(running, applied, looked).then_never());

    let code = tokio::select! {
        interrupted = interrupted() => {
            interrupted?;
            println!("\nstopping; everything is kept in {}", data.display());
            ExitCode::SUCCESS
        }
        Some(ended) = tasks.join_next() => {
            ended.context("a part of fanfare ended")??;
            ExitCode::FAILURE
        }
    };
    stop.send_replace(true);
    drop(std::fs::remove_file(credentials::path(&data)));
    drop(std::fs::remove_file(admin::socket(&data)));
    tasks.shutdown().await;
    plane.stop().await;
    Ok(code)
}

/// Turns a future without end into a task of the set.
trait ThenNever: std::future::Future<Output = ()> + Sized {
    async fn then_never(self) -> anyhow::Result<()> {
        self.await;
        Ok(())
    }
}

impl<F: std::future::Future<Output = ()>> ThenNever for F {}

/// A progress line.
fn say(what: &str, detail: &str) {
    println!("  {what:<24} {detail}");
}

async fn interrupted() -> anyhow::Result<()> {
    let mut terminated = tokio::signal::unix::signal(tokio::signal::unix::SignalKind::terminate())?;
    tokio::select! {
        pressed = tokio::signal::ctrl_c() => pressed?,
        _ = terminated.recv() => {}
    }
    Ok(())
}

async fn wait_for(mut stopped: watch::Receiver<bool>) {
    // An error means that the sender is gone, which is a stop as well.
    drop(stopped.wait_for(|stop| *stop).await);
}

async fn open_store(data: &Path) -> anyhow::Result<Arc<dyn Store>> {
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

/// Business time as `--clock` says, else as the data folder keeps it, else as the demo says, else real time.
async fn business_clock(args: &Args, store: &dyn Store) -> anyhow::Result<BusinessClock> {
    let kept = stored_clock(store).await?;
    let demo = if args.demo { demo::clock(&args.dir)? } else { None };
    let clock = match (args.clock, kept, demo) {
        (Some(start), ..) => BusinessClock::starting_at(start),
        (None, Some(kept), _) => kept,
        (None, None, Some(start)) => BusinessClock::starting_at(start),
        (None, None, None) => BusinessClock::with_offset_ms(0),
    };
    store.set_setting(CLOCK_OFFSET, clock.offset_ms().to_string().as_bytes()).await?;
    Ok(clock)
}

/// The clock that a data folder keeps.
pub async fn stored_clock(store: &dyn Store) -> anyhow::Result<Option<BusinessClock>> {
    let Some(bytes) = store.setting(CLOCK_OFFSET).await? else { return Ok(None) };
    let offset: i64 = std::str::from_utf8(&bytes)?.parse().context("the stored clock cannot be read")?;
    Ok(Some(BusinessClock::with_offset_ms(offset)))
}

/// The secret that signs members' tokens; made once.
async fn api_secret(store: &dyn Store) -> anyhow::Result<[u8; 32]> {
    const TOKEN_KEY: &str = "token-key";
    if let Some(kept) = store.setting(TOKEN_KEY).await? {
        return <[u8; 32]>::try_from(kept.as_slice()).context("the stored token key has a wrong length");
    }
    let made = random::seed()?;
    store.set_setting(TOKEN_KEY, &made).await?;
    Ok(made)
}

async fn start_plane(data: &Path, engine: Engine) -> anyhow::Result<Plane> {
    let wall = WallClock;
    let clock = move || jiff::Timestamp::from_millisecond(wall.now().timestamp_millis()).unwrap_or_default();
    let mut config = PlaneConfig::new(data.join("plane.db"), Arc::new(clock));
    config.crds = fanfare_crds::generate::crds().into_iter().map(serde_json::to_value).collect::<Result<_, _>>()?;
    config.admission = Arc::new(super::admission::Door::new(engine));
    Ok(Plane::start(config).await?)
}

async fn bind(addr: std::net::SocketAddr, flag: &str) -> anyhow::Result<TcpListener> {
    TcpListener::bind(addr).await.with_context(|| {
        format!("{flag}: {addr} cannot be opened; name another address, or port 0 for any that is free")
    })
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
        println!("  no CampaignRuntime is served yet; the API answers once one is applied");
    }
    Ok(())
}
