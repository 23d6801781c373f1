//! A namespace on a store that fails: its engines, its clock, and the API of each engine.

use crate::faults::{Faults, Faulty};
use anyhow::{Context, Result, ensure};
use fanfare_api::{ApiConfig, Scope};
use fanfare_core::{
    ids::{Name, Namespace, Revision},
    model::{Kind, segment::Condition},
    time::{Clock, Ts},
};
use fanfare_engine::{Engine, credentials::CreateCredential, publish::Publish};
use fanfare_store::{SqliteStore, Store};
use std::{
    path::Path,
    sync::{
        Arc,
        atomic::{AtomicI64, Ordering},
    },
};

/// A clock that the simulation moves, in milliseconds of 1970.
#[derive(Debug)]
pub(crate) struct SetClock(AtomicI64);

impl SetClock {
    /// Moves it, also back.
    pub(crate) fn pass(&self, millis: i64) {
        self.0.fetch_add(millis, Ordering::SeqCst);
    }
}

impl Clock for SetClock {
    fn now(&self) -> Ts {
        Ts::from_timestamp_millis(self.0.load(Ordering::SeqCst)).unwrap_or_default()
    }
}

/// The namespace.
pub(crate) struct Shop {
    /// Business time.
    pub(crate) clock: Arc<SetClock>,
    /// What goes wrong.
    pub(crate) faults: Arc<Faults>,
    /// Where everything is, without faults.
    pub(crate) store: Arc<SqliteStore>,
    /// The namespace.
    pub(crate) namespace: Namespace,
    /// One engine a replica.
    pub(crate) engines: Vec<Engine>,
    /// The API of each.
    pub(crate) routers: Vec<axum::Router>,
    /// The till's and the backend's key.
    pub(crate) keys: (String, String),
    replicas: usize,
    started: u8,
}

/// The campaign's first midday; it runs to the end of the year.
const BEGIN: &str = "2026-11-11T05:00:00Z";

impl Shop {
    /// Opens one on an empty store, with the crash harness' resources.
    ///
    /// # Errors
    /// When the store or a resource is not taken.
    pub(crate) async fn open(seed: u64, replicas: usize) -> Result<Self> {
        let begin: Ts = BEGIN.parse()?;
        let store = Arc::new(SqliteStore::in_memory().await?);
        let mut shop = Self {
            clock: Arc::new(SetClock(AtomicI64::new(begin.timestamp_millis()))),
            faults: Faults::new(seed, replicas > 1),
            store,
            namespace: Namespace::from("shop"),
            engines: Vec::new(),
            routers: Vec::new(),
            keys: (String::new(), String::new()),
            replicas,
            started: 0,
        };
        shop.start().await?;
        let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../crash/fixtures/shop");
        for file in ["shop.yaml", "sale.yaml"] {
            shop.apply(&std::fs::read_to_string(folder.join(file))?).await?;
        }
        let scopes = |scopes: &[Scope]| scopes.iter().map(|scope| scope.as_str().to_owned()).collect::<Vec<_>>();
        shop.keys = (shop.key(Some("bkk-01"), scopes(&Scope::TILL)).await?, shop.key(None, scopes(&Scope::ALL)).await?);
        shop.start().await?;
        Ok(shop)
    }

    /// Starts every replica anew; what the former ones were doing is lost with them.
    ///
    /// # Errors
    /// When the store cannot be read.
    pub(crate) async fn start(&mut self) -> Result<()> {
        self.engines.clear();
        self.routers.clear();
        for replica in 0..self.replicas {
            self.started = self.started.wrapping_add(1);
            let store = Arc::new(Faulty { inner: self.store.clone(), faults: self.faults.clone() });
            let seed = [self.started; 32];
            let engine = Engine::open(self.namespace.clone(), store, self.clock.clone(), seed).await?;
            let config = ApiConfig {
                engine: engine.clone(),
                // Tokens live in real time, which stands still here.
                real_clock: Arc::new(SetClock(AtomicI64::new(BEGIN.parse::<Ts>()?.timestamp_millis()))),
                signing_key: vec![7; 32],
                read_match: Arc::new(|_| Ok(Condition::Everyone)),
                dev_login: true,
                measured: Arc::new(|_| {}),
            };
            self.routers.push(fanfare_api::router(config));
            self.engines.push(engine);
            ensure!(self.engines.len() == replica + 1);
        }
        Ok(())
    }

    /// Publishes the resources of a text, as the controllers do.
    ///
    /// # Errors
    /// When one is not accepted.
    pub(crate) async fn apply(&self, text: &str) -> Result<()> {
        let alone = fanfare_crds::files::validate_text("shop.yaml", text, self.clock.now());
        let mut found: Vec<_> = alone.resources.into_iter().collect();
        found.sort_by_key(|resource| Kind::ALL.iter().position(|kind| Some(*kind) == resource.kind));
        for resource in found {
            let name = Name::from(resource.name.context("a resource without a name")?.as_str());
            // Among those that are served already, as the plane's door judges it.
            let plans = self.engines[0].plans();
            let door = fanfare_crds::admit::Door {
                now: self.clock.now(),
                old: None,
                runtime: plans.runtime.as_deref(),
                has_ledger: false,
            };
            let admitted = fanfare_crds::admit::admit_one(&resource.object, &door);
            let plan = admitted.map_err(|errors| anyhow::anyhow!("{name}: {errors:?}"))?.plan;
            let digest = blake3::hash(resource.object.to_string().as_bytes()).to_hex();
            let revision = Revision::from(digest.as_str().get(..12).unwrap_or_default());
            let publish = Publish { name, revision, plan, generation: 1, author: None };
            let (answer, _) = self.engines[0].execute(publish).await?;
            answer.map_err(|refused| anyhow::anyhow!("{refused:?}"))?;
        }
        Ok(())
    }

    async fn key(&self, store: Option<&str>, scopes: Vec<String>) -> Result<String> {
        let command = CreateCredential {
            namespace: self.namespace.clone(),
            store: store.map(Into::into),
            scopes,
            label: "simulation".into(),
            expires_at: None,
            actor: "simulation".into(),
        };
        let (made, _) = self.engines[0].execute(command).await?;
        Ok(made.map_err(|refused| anyhow::anyhow!("{refused:?}"))?.secret)
    }

    /// What `audit verify` finds.
    ///
    /// # Errors
    /// When the store cannot be read.
    pub(crate) async fn verify(&self) -> Result<Vec<String>> {
        Ok(self.store.verify(&self.namespace).await?)
    }
}
