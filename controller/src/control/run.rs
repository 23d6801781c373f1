//! Wires the controller, in the order in which things can be missing.

use super::{
    checks,
    connect::{self, Kube},
    health::{self, Health, Part},
    lease::{Keeper, Place, Standing},
    measure,
    namespaces::Led,
    owner::Owners,
    webhook::{
        self,
        review::Reviewer,
        run::Source,
        tls::{self, Shown},
    },
};
use crate::{
    clock::{BusinessClock, RealClock, WallClock},
    database::{self, Address},
    random,
    serve::{self, Interrupts, say},
    telemetry,
};
use anyhow::{Context, bail};
use fanfare_core::lease::Terms;
use fanfare_reconcile::{Config, Logins, Metrics, Scope};
use fanfare_store::{Fence, Store};
use kube::Client;
use std::{net::SocketAddr, process::ExitCode, sync::Arc, time::Duration};
use tokio::task::JoinSet;

/// How long it waits before it tries again what may heal: the database, an epoch.
const AGAIN: Duration = Duration::from_secs(3);

/// What is asked for.
pub struct Wanted {
    /// Which API server.
    pub kube: Kube,
    /// Which database.
    pub database: Address,
    /// Which namespaces.
    pub scope: Scope,
    /// Where health is told.
    pub listen: SocketAddr,
    /// Whether the definitions are applied.
    pub install_crds: bool,
    /// The Lease's namespace, where it is not the connection's, and its name.
    pub lease: (Option<String>, String),
    /// With what the Lease, the webhook's Secret and its registration go.
    pub owners: Owners,
    /// How the Lease is kept.
    pub terms: Terms,
    /// The address of the runtimes, for the status.
    pub runtime_url: Option<String>,
    /// Where the webhook listens and where its certificate comes from, where it is served.
    pub webhook: Option<(SocketAddr, Source)>,
}

/// What the parts share.
struct Parts {
    client: Client,
    reviewer: Reviewer,
    scope: Scope,
    runtime_url: Option<String>,
    health: Health,
    metrics: Metrics,
    standing: Standing,
    epoch_setting: String,
}

/// Runs until it is asked to end.
///
/// # Errors
/// When the command line or the kubeconfig is wrong. What may heal is waited for.
pub async fn run(wanted: Wanted) -> anyhow::Result<ExitCode> {
    let mut interrupts = Interrupts::listen()?;
    let Wanted { kube, database, scope, listen, install_crds, lease, owners, terms, runtime_url, webhook } = wanted;
    database::check(&database)?;
    let connection = connect::connect(&kube).await?;
    let lease = (lease.0.unwrap_or(connection.namespace), lease.1);
    let mut expected = vec![Part::ApiServer, Part::Crds, Part::Permissions, Part::Database, Part::Lease];
    expected.extend(webhook.as_ref().map(|_| Part::Webhook));
    let health = Health::expecting(&expected);
    let listener = serve::bind(listen, "--listen").await?;
    say("health", &format!("http://{}/readyz", listener.local_addr()?));
    say("API server", &connection.place);

    let mut tasks = JoinSet::new();
    let (metrics, reviewer, shown) = (Metrics::default(), Reviewer::default(), Shown::default());
    let registry = measure::registry(&metrics, &health, reviewer.reviews(), &shown);
    tasks.spawn(async_ok(health::serve(listener, health.clone(), registry)));
    let mut rights = checks::rights(&scope);
    rights.extend(checks::lease_rights(&lease.0, &lease.1));
    rights.extend(webhook.iter().flat_map(|(_, source)| source.rights(&lease.0)));
    rights.extend(owners.rights(&lease.0));
    let looks = checks::follow_api(connection.client.clone(), connection.place, rights, install_crds, health.clone());
    tasks.spawn(never(looks));

    let me = name_of_this_process()?;
    let place = Place { namespace: lease.0.clone(), name: lease.1.clone(), owners: owners.clone() };
    let mut keeper = Keeper::new(connection.client.clone(), place, me.clone(), terms, health.clone());
    say("lease", &format!("{}/{}, as {me}", lease.0, lease.1));
    if let Some((address, source)) = webhook {
        let listener = serve::bind(address, "--webhook-listen").await?;
        say("webhook", &format!("https://{}{}", listener.local_addr()?, tls::PATH));
        let certificates = webhook::run::Keeper {
            source,
            client: connection.client.clone(),
            namespace: lease.0.clone(),
            owners,
            scope: scope.clone(),
            standing: keeper.standing(),
            shown: shown.clone(),
            health: health.clone(),
        };
        tasks.spawn(never(certificates.keep()));
        tasks.spawn(never(reviewer.clone().follow(connection.client.clone(), scope.clone())));
        tasks.spawn(tls::serve(listener, shown, reviewer.clone()));
    }
    let parts = Parts {
        client: connection.client,
        reviewer,
        scope,
        runtime_url,
        health: health.clone(),
        metrics,
        standing: keeper.standing(),
        epoch_setting: format!("controller-epoch/{}/{}", lease.0, lease.1),
    };
    // In this task, so that dropping it ends all of it.
    let code = {
        let mut work = std::pin::pin!(work(parts, database));
        let mut kept = std::pin::pin!(keep_when_ready(&mut keeper, &health));
        tokio::select! {
            () = interrupts.heard() => {
                telemetry::say("stopping; the lease is given back");
                ExitCode::SUCCESS
            }
            Some(ended) = tasks.join_next() => {
                ended.context("a part of the controller ended")??;
                ExitCode::FAILURE
            }
            () = &mut work => ExitCode::FAILURE,
            () = &mut kept => ExitCode::FAILURE,
        }
    };
    // Nothing is written any more once another may have the lease: the work was dropped above.
    keeper.leave().await;
    tasks.shutdown().await;
    Ok(code)
}

/// The Lease is for those who can do the work: one who lacks the database or the kinds would keep others from it.
async fn keep_when_ready(keeper: &mut Keeper, health: &Health) {
    while !health.has(&[Part::ApiServer, Part::Crds, Part::Database]) {
        tokio::time::sleep(AGAIN / 10).await;
    }
    keeper.keep().await;
}

async fn async_ok(task: impl Future<Output = std::io::Result<()>>) -> anyhow::Result<()> {
    task.await.context("health is not told any more")
}

async fn never(task: impl Future<Output = ()>) -> anyhow::Result<()> {
    task.await;
    bail!("a part of the controller ended")
}

/// Unlike that of any other replica, also of one before on the same machine.
fn name_of_this_process() -> anyhow::Result<String> {
    let host = std::fs::read_to_string("/proc/sys/kernel/hostname").unwrap_or_else(|_| "controller".into());
    let tail: String = random::seed()?.iter().take(4).map(|byte| format!("{byte:02x}")).collect();
    Ok(format!("{}_{tail}", host.trim()))
}

/// Leads whenever it may, until it is dropped; with what memory keeps read anew where the database is another.
async fn work(parts: Parts, address: Address) {
    loop {
        let store = open(&address, &parts.health).await;
        tokio::select! {
            () = tend(&parts, &store) => {}
            restored = database::until_restored(&*store) => tracing::warn!(%restored, "the database is opened anew"),
        }
        parts.health.leads(false);
    }
}

/// Leads whenever it may on one database, until it is dropped.
async fn tend(parts: &Parts, store: &Arc<dyn Store>) {
    let mut tasks = JoinSet::new();
    tasks.spawn(checks::follow_database(store.clone(), parts.health.clone()));
    let clocks = loop {
        match clocks(store).await {
            Ok(clocks) => break clocks,
            Err(error) => tracing::warn!(%error, "the database does not tell the time; asked again"),
        }
        tokio::time::sleep(AGAIN).await;
    };
    parts.reviewer.reached(store.clone(), clocks.1.clone());
    tasks.spawn(clocks.1.clone().keep(store.clone()));
    loop {
        parts.standing.won().await;
        if let Err(error) = lead(parts, store, &clocks).await {
            tracing::warn!(%error, "the epoch was not raised; tried again");
        }
        parts.health.leads(false);
        tokio::time::sleep(AGAIN).await;
    }
}

/// Opens the database, however long that takes.
async fn open(database: &Address, health: &Health) -> Arc<dyn Store> {
    loop {
        match database::open(database).await {
            Ok(store) => {
                health.set(Part::Database, None);
                return store;
            }
            Err(error) => health.set(Part::Database, Some(format!("{error:#}"))),
        }
        tokio::time::sleep(AGAIN).await;
    }
}

/// Real time and business time.
async fn clocks(store: &Arc<dyn Store>) -> fanfare_store::Result<(RealClock, BusinessClock)> {
    let real = RealClock::of(&**store).await?;
    let stored = BusinessClock::stored(real.clone(), &**store).await?;
    let clock = stored.unwrap_or_else(|| BusinessClock::with_offset_ms(real.clone(), 0));
    Ok((real, clock))
}

/// Raises the epoch and does the work, until the lease is lost or the database says that another has taken over.
async fn lead(
    parts: &Parts,
    store: &Arc<dyn Store>,
    (real, clock): &(RealClock, BusinessClock),
) -> fanfare_store::Result<()> {
    let epoch = store.raise(&parts.epoch_setting).await?;
    if !parts.standing.leads() {
        return Ok(());
    }
    say("leading", &format!("epoch {epoch}"));
    parts.health.leads(true);
    let fence = Fence { setting: parts.epoch_setting.clone(), epoch };
    let standing = parts.standing.clone();
    let config = Config {
        client: parts.client.clone(),
        scope: parts.scope.clone(),
        opener: Arc::new(Led::new(store.clone(), real.clone(), clock.clone(), fence)),
        wall: Arc::new(WallClock),
        url: parts.runtime_url.clone(),
        may_write: Arc::new(move || standing.leads()),
        logins: Logins::Told,
        metrics: parts.metrics.clone(),
    };
    tokio::select! {
        () = fanfare_reconcile::run(config) => {}
        () = parts.standing.lost() => {}
    }
    say("no longer leading", "another replica may");
    Ok(())
}
