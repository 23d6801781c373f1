//! `fanfare runtime`: the HTTP API and the workers of one namespace, on a database that several of them share.

use crate::{
    clock::{BusinessClock, RealClock},
    database::{self, Address},
    measure, random, secrets,
    serve::{self, Interrupts, say},
    telemetry,
};
use anyhow::Context;
use fanfare_core::time::Clock;
use fanfare_engine::Engine;
use fanfare_store::Store;
use std::{net::SocketAddr, path::PathBuf, process::ExitCode, sync::Arc, time::Duration};
use tokio::{sync::watch, task::JoinSet};

/// How long running requests, jobs and messages may take to end after the stop was asked for.
const DRAIN_MAX: Duration = Duration::from_secs(20);

/// What to serve and where.
#[derive(Clone, Debug, clap::Args)]
pub struct Args {
    /// The database, such as postgres://fanfare@db.internal/fanfare. Give its password in PGPASSWORD, or the whole address
    /// in the environment: arguments can be read by others on the machine.
    #[arg(long, env = "FANFARE_DATABASE_URL", hide_env_values = true, value_name = "URL")]
    pub database: Address,
    /// The namespace that is served.
    #[arg(long, env = "FANFARE_NAMESPACE", value_name = "NAMESPACE")]
    pub namespace: String,
    /// The address of the HTTP API; port 0 picks one.
    #[arg(long, env = "FANFARE_LISTEN", default_value = "127.0.0.1:8080", value_name = "ADDR")]
    pub listen: SocketAddr,
    /// A folder with the logins of message channels, one folder a Secret with the files `username` and `password`, as
    /// Kubernetes mounts them.
    #[arg(long, env = "FANFARE_SECRETS", value_name = "FOLDER")]
    pub secrets: Option<PathBuf>,
}

/// What a runtime serves.
struct Opened {
    store: Arc<dyn Store>,
    real: RealClock,
    clock: BusinessClock,
    engine: Engine,
}

async fn open(database: &Address, namespace: &str) -> anyhow::Result<Opened> {
    let store = database::open(database).await?;
    let namespace = database::namespace(&*store, Some(namespace)).await?;
    let real = RealClock::of(&*store).await?;
    let clock = BusinessClock::stored(real.clone(), &*store).await?;
    let clock = clock.unwrap_or_else(|| BusinessClock::with_offset_ms(real.clone(), 0));
    let now = clock.now().format("%Y-%m-%dT%H:%M:%SZ");
    say("database open", &format!("{database}, namespace {namespace}; business time is {now}"));
    let engine = Engine::open(namespace, store.clone(), Arc::new(clock.clone()), random::seed()?).await?;
    Ok(Opened { store, real, clock, engine })
}

/// Runs until it is asked to end.
pub async fn run(args: Args) -> anyhow::Result<ExitCode> {
    let mut interrupts = Interrupts::listen()?;
    let Args { database, namespace, listen, secrets } = args;
    let Some(Opened { store, real, clock, engine }) = interrupts.unless_heard(open(&database, &namespace)).await?
    else {
        return Ok(ExitCode::SUCCESS);
    };
    let listener = serve::bind(listen, "--listen").await?;
    let url = format!("http://{}", listener.local_addr()?);

    let mut tasks = JoinSet::new();
    let (stop, stopped) = watch::channel(false);
    serve::api(
        &mut tasks,
        (engine.clone(), &*store),
        (listener, real),
        false,
        Arc::new(measure::build),
        stopped.clone(),
    )
    .await?;
    let logins = Arc::new(secrets::Mounted::new(secrets));
    serve::worker(&mut tasks, engine.clone(), logins.clone(), stopped);
    let told = tokio::spawn(fanfare_engine::logins::tell(engine.clone(), logins.has(engine.namespace())));
    let declared = tokio::spawn(fanfare_engine::declared::keep(engine.clone(), logins.lists()));
    let timekeeper = tokio::spawn(clock.keep(store.clone()));
    say("HTTP API", &url);
    if engine.plans().runtime.is_none() {
        say("not ready", "no CampaignRuntime is served in this namespace yet; /readyz says when it is");
    }

    let code = tokio::select! {
        () = interrupts.heard() => {
            telemetry::say("stopping; running requests end first");
            ExitCode::SUCCESS
        }
        // What is in memory is of the other database; started anew, it reads this one.
        restored = database::until_restored(&*store) => return Err(restored),
        Some(ended) = tasks.join_next() => {
            ended.context("a part of fanfare ended")??;
            ExitCode::FAILURE
        }
    };
    stop.send_replace(true);
    let ended = async { while tasks.join_next().await.is_some() {} };
    if tokio::time::timeout(DRAIN_MAX, ended).await.is_err() {
        tracing::warn!("what took too long was cut off");
    }
    told.abort();
    declared.abort();
    timekeeper.abort();
    Ok(code)
}
