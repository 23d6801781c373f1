//! What every process that serves the HTTP API does alike: its listener, its secret, its worker, its end.

use crate::{clock::RealClock, random, telemetry, up::bridge};
use anyhow::Context;
use fanfare_api::Measured;
use fanfare_engine::Engine;
use fanfare_notify::{Logins, Notifier};
use fanfare_store::Store;
use std::{net::SocketAddr, sync::Arc};
use tokio::{
    net::TcpListener,
    signal::unix::{Signal, SignalKind, signal},
    sync::watch,
    task::JoinSet,
};

/// The setting that keeps the secret that signs members' tokens.
const TOKEN_KEY: &str = "token-key";

pub use crate::telemetry::step as say;

/// Opens a listener.
pub async fn bind(addr: SocketAddr, flag: &str) -> anyhow::Result<TcpListener> {
    TcpListener::bind(addr).await.with_context(|| {
        format!("{flag}: {addr} cannot be opened; name another address, or port 0 for any that is free")
    })
}

/// Ctrl-C and SIGTERM, heard from when it is made: what comes while the process still starts ends it as well.
pub struct Interrupts {
    pressed: Signal,
    terminated: Signal,
}

impl Interrupts {
    /// From here on neither ends the process by itself.
    pub fn listen() -> std::io::Result<Self> {
        Ok(Self { pressed: signal(SignalKind::interrupt())?, terminated: signal(SignalKind::terminate())? })
    }

    /// Resolves when the process is asked to end.
    pub async fn heard(&mut self) {
        tokio::select! {
            _ = self.pressed.recv() => {}
            _ = self.terminated.recv() => {}
        }
    }

    /// Starts what `work` starts, unless the process is asked to end before it has.
    pub async fn unless_heard<T>(
        &mut self,
        work: impl Future<Output = anyhow::Result<T>>,
    ) -> anyhow::Result<Option<T>> {
        tokio::select! {
            started = work => started.map(Some),
            () = self.heard() => {
                telemetry::say("stopping before everything was started");
                Ok(None)
            }
        }
    }
}

async fn wait_for(mut stopped: watch::Receiver<bool>) {
    // An error means that the sender is gone, which is a stop as well.
    drop(stopped.wait_for(|stop| *stop).await);
}

/// The secret that signs members' tokens: made once, by whoever comes first, and the same for everyone on the database.
async fn api_secret(store: &dyn Store) -> anyhow::Result<Vec<u8>> {
    let stands = store.first_setting(TOKEN_KEY, &random::seed()?).await?;
    anyhow::ensure!(stands.len() == 32, "the stored token key has a wrong length");
    Ok(stands)
}

/// Serves the API, and lets running requests end when it is stopped.
pub async fn api(
    tasks: &mut JoinSet<anyhow::Result<()>>,
    (engine, store): (Engine, &dyn Store),
    (listener, real_clock): (TcpListener, RealClock),
    dev_login: bool,
    measured: Measured,
    stopped: watch::Receiver<bool>,
) -> anyhow::Result<()> {
    let config = fanfare_api::ApiConfig {
        engine: engine.clone(),
        real_clock: Arc::new(real_clock),
        signing_key: api_secret(store).await?,
        read_match: bridge::read_match(engine),
        dev_login,
        measured,
    };
    tasks.spawn(async move {
        fanfare_api::serve(config, listener, wait_for(stopped)).await;
        Ok(())
    });
    Ok(())
}

/// Does what falls due, and sends what waits, with logins from `logins`.
pub fn worker(
    tasks: &mut JoinSet<anyhow::Result<()>>,
    engine: Engine,
    logins: Arc<dyn Logins>,
    stopped: watch::Receiver<bool>,
) {
    let notifier = Notifier::new(engine.namespace().clone(), logins);
    tasks.spawn(async move {
        fanfare_engine::worker::run(engine, Arc::new(bridge::Post(notifier)), stopped).await;
        Ok(())
    });
}
