//! The admin socket: other verbs ask the process that holds the database, since one process writes.
//!
//! One JSON line in, one JSON line out, over a Unix socket in the data folder that only its owner may open. With no
//! process running, the same request is answered from the data folder directly, and on a shared database always.

use crate::{
    cli::Place,
    clock::{BusinessClock, RealClock},
    database,
};
use anyhow::Context;
use fanfare_api::Scope;
use fanfare_core::ids::Namespace;
use fanfare_engine::{
    Engine,
    restored::{NOTED, Reconciled, Said},
};
use fanfare_store::reports::Inspection;
use serde::{Deserialize, Serialize};
use serde_json::json;
use std::{
    os::unix::fs::PermissionsExt,
    path::{Path, PathBuf},
    sync::Arc,
    time::Duration,
};
use tokio::{
    io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader},
    net::{UnixListener, UnixStream},
};

/// The longest request or answer.
const LINE_MAX: u64 = 64 * 1024;
/// How long a request may take.
const WAIT_MAX: Duration = Duration::from_secs(10);
/// How long a verification may take: it reads the whole ledger.
const VERIFY_MAX: Duration = Duration::from_secs(600);
/// The most findings that one answer holds, each cut to [`FINDING_MAX_CHARS`], so that it fits a line.
const FINDINGS_MAX: usize = 100;
/// How many characters of a finding are told.
const FINDING_MAX_CHARS: usize = 400;

/// What can be asked.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum Request {
    /// A key for a till of a store.
    #[serde(rename_all = "camelCase")]
    EnrolTerminal {
        /// The store.
        store: String,
        /// What people call it.
        label: String,
    },
    /// A key for an integration.
    CreateKey {
        /// What it may do.
        scopes: Vec<String>,
        /// What people call it.
        label: String,
    },
    /// Takes a key back.
    Revoke {
        /// Its id.
        id: String,
    },
    /// Checks the ledger and what must always hold.
    Verify,
    /// The database was restored from a backup: it may lack what was acknowledged.
    Restored {
        /// By whom.
        by: String,
        /// From what, or why.
        reason: String,
    },
    /// Somebody answers for what a restore may have lost.
    Reconciled {
        /// Who.
        by: String,
        /// What was done about it.
        reason: String,
    },
}

impl Request {
    /// How long it may take.
    fn wait_max(&self) -> Duration {
        match self {
            Self::Verify => VERIFY_MAX,
            Self::EnrolTerminal { .. }
            | Self::CreateKey { .. }
            | Self::Revoke { .. }
            | Self::Restored { .. }
            | Self::Reconciled { .. } => WAIT_MAX,
        }
    }
}

/// What is answered.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum Answer {
    /// A new credential; its secret is never shown again.
    Credential {
        /// Its id.
        id: String,
        /// Its secret.
        secret: String,
    },
    /// It was done.
    Done,
    /// Everything is decided again.
    Reconciled {
        /// What was known of the restore for which somebody answers.
        restore: String,
        /// When it was first seen, in business time.
        since: String,
    },
    /// What was checked: each namespace, with what it holds and what of it does not hold.
    Verified(Vec<(String, Inspection)>),
    /// It was not done, and why.
    Refused(String),
}

/// The socket of a data folder.
pub fn socket(data: &Path) -> PathBuf {
    data.join("admin.sock")
}

/// Answers one request with the engine at hand.
pub async fn handle(engine: &Engine, request: Request) -> Answer {
    let made = match request {
        Request::EnrolTerminal { store, label } => {
            let known = engine.plans().runtime.as_ref().is_some_and(|r| r.stores.contains_key(store.as_str()));
            if !known {
                return Answer::Refused(format!(
                    "--store: the CampaignRuntime lists no store {store:?}; add it to spec.stores"
                ));
            }
            super::credentials::terminal(engine, &store, &label).await
        }
        Request::CreateKey { scopes, label } => {
            if let Some(unknown) = scopes.iter().find(|scope| Scope::parse(scope).is_none()) {
                let known = Scope::ALL.map(Scope::as_str).join(", ");
                return Answer::Refused(format!("--scope: there is no scope {unknown:?}; the scopes are {known}"));
            }
            super::credentials::key(engine, scopes, &label).await
        }
        Request::Revoke { id } => {
            return match super::credentials::revoke(engine, &id).await {
                Ok(true) => Answer::Done,
                Ok(false) => Answer::Refused(format!("there is no credential {id:?}")),
                Err(error) => Answer::Refused(error.to_string()),
            };
        }
        Request::Verify => {
            return verify(engine.store()).await.unwrap_or_else(|error| Answer::Refused(error.to_string()));
        }
        Request::Restored { by, reason } => return restored(engine, by, reason).await,
        Request::Reconciled { by, reason } => return reconciled(engine, by, reason).await,
    };
    match made {
        Ok((id, secret)) => Answer::Credential { id, secret },
        Err(error) => Answer::Refused(error.to_string()),
    }
}

/// Starts an incarnation. It is noted before, since nobody writes afterwards who had the database open.
async fn restored(engine: &Engine, by: String, reason: String) -> Answer {
    let why = format!("{by}: {reason}");
    let said = Said { by, action: NOTED, detail: json!({ "reason": reason }) };
    let done = async {
        say_elsewhere(engine, &said).await?;
        engine.execute(said).await?.0.map_err(|refused| anyhow::anyhow!(refused.refusal.detail))?;
        engine.restored(&why).await?;
        anyhow::Ok(Answer::Done)
    };
    done.await.unwrap_or_else(|error| Answer::Refused(error.to_string()))
}

/// Lets everything be decided again.
async fn reconciled(engine: &Engine, by: String, reason: String) -> Answer {
    let done = async {
        let Some(awaiting) = engine.look_at_restore().await? else {
            return Ok(Answer::Refused("the database awaits no reconciliation; there is nothing to do".into()));
        };
        let reconciled = Reconciled { by, reason, of: awaiting.why.clone() };
        say_elsewhere(engine, &reconciled.said()).await?;
        engine.execute(reconciled).await?.0.map_err(|refused| anyhow::anyhow!(refused.refusal.detail))?;
        engine.look_at_restore().await?;
        anyhow::Ok(Answer::Reconciled { restore: awaiting.why, since: awaiting.since.to_rfc3339() })
    };
    done.await.unwrap_or_else(|error| Answer::Refused(error.to_string()))
}

/// Says the same in the audit trail of every other namespace of the database: it counts for all of them.
async fn say_elsewhere(engine: &Engine, said: &Said) -> anyhow::Result<()> {
    for namespace in engine.store().namespaces().await? {
        if namespace != *engine.namespace() {
            let other = open(namespace, engine.shared_store()).await?;
            other.execute(said.clone()).await?.0.map_err(|refused| anyhow::anyhow!(refused.refusal.detail))?;
        }
    }
    Ok(())
}

/// Checks every namespace of the database, each as it stood at one moment.
async fn verify(store: &dyn fanfare_store::Store) -> anyhow::Result<Answer> {
    let (mut inspected, mut room) = (Vec::new(), FINDINGS_MAX);
    for namespace in store.namespaces().await? {
        let mut inspection = store.inspect(&namespace).await?;
        inspection.findings.truncate(room);
        room -= inspection.findings.len();
        for finding in &mut inspection.findings {
            *finding = finding.chars().take(FINDING_MAX_CHARS).collect();
        }
        inspected.push((namespace.to_string(), inspection));
    }
    Ok(Answer::Verified(inspected))
}

/// Serves the socket until it is dropped.
pub async fn serve(data: &Path, engine: Engine) -> anyhow::Result<()> {
    let path = socket(data);
    if path.exists() {
        std::fs::remove_file(&path).with_context(|| format!("{} cannot be replaced", path.display()))?;
    }
    let listener = UnixListener::bind(&path).with_context(|| format!("{} cannot be opened", path.display()))?;
    std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o600))?;
    loop {
        let (stream, _) = listener.accept().await?;
        let engine = engine.clone();
        tokio::spawn(async move {
            if let Err(error) = tokio::time::timeout(VERIFY_MAX, converse(stream, &engine)).await.unwrap_or(Ok(())) {
                tracing::warn!(%error, "an admin request was not answered");
            }
        });
    }
}

async fn converse(stream: UnixStream, engine: &Engine) -> anyhow::Result<()> {
    let (read, mut write) = stream.into_split();
    let mut line = String::new();
    let mut lines = BufReader::new(read.take(LINE_MAX));
    tokio::time::timeout(WAIT_MAX, lines.read_line(&mut line)).await.context("no request in 10 s")??;
    let answer = match serde_json::from_str::<Request>(&line) {
        Ok(request) => {
            let wait_max = request.wait_max();
            let late = || Answer::Refused(format!("it was not done within {} s", wait_max.as_secs()));
            tokio::time::timeout(wait_max, handle(engine, request)).await.unwrap_or_else(|_| late())
        }
        Err(error) => Answer::Refused(format!("the request cannot be read: {error}")),
    };
    write.write_all(&serde_json::to_vec(&answer)?).await?;
    write.write_all(b"\n").await?;
    Ok(())
}

/// Asks the shared database where one is named, else the process that runs on the data folder, else the folder itself.
pub async fn ask(place: &Place, request: Request) -> anyhow::Result<Answer> {
    if let Some(address) = &place.shared.database {
        let store = database::open(address).await?;
        return ask_shared(store, place.shared.namespace.as_deref(), request).await;
    }
    match UnixStream::connect(socket(&place.data)).await {
        Ok(_) if matches!(request, Request::Restored { .. }) => Ok(Answer::Refused(format!(
            "--data: `fanfare up` runs on {} with what it read before the restore; end it first",
            place.data.display()
        ))),
        Ok(stream) => {
            let wait_max = request.wait_max();
            let late = || format!("no answer in {} s", wait_max.as_secs());
            tokio::time::timeout(wait_max, exchange(stream, &request)).await.with_context(late)?
        }
        Err(_) => {
            let (engine, _store) = offline(&place.data).await?;
            Ok(handle(&engine, request).await)
        }
    }
}

async fn ask_shared(
    store: Arc<dyn fanfare_store::Store>,
    namespace: Option<&str>,
    request: Request,
) -> anyhow::Result<Answer> {
    if matches!(request, Request::Verify) {
        return verify(&*store).await;
    }
    let of_all = matches!(request, Request::Restored { .. } | Request::Reconciled { .. });
    let first = match (of_all, namespace) {
        // It counts for the whole database; one of them is where it is decided.
        (true, None) => store.namespaces().await?.into_iter().next(),
        _ => None,
    };
    let namespace = match first {
        Some(first) => first,
        None => database::namespace(&*store, namespace).await?,
    };
    let engine = open(namespace, store).await?;
    let unseen = engine.awaiting().filter(|awaiting| awaiting.is_new);
    if let (Request::Reconciled { .. }, Some(awaiting)) = (&request, unseen) {
        return Ok(Answer::Refused(format!(
            "{}. This is noticed only now, so nobody can have looked at it yet; have the tills' journals sent again, or say \
             the same once more to accept what is lost",
            awaiting.why
        )));
    }
    Ok(handle(&engine, request).await)
}

async fn exchange(stream: UnixStream, request: &Request) -> anyhow::Result<Answer> {
    let (read, mut write) = stream.into_split();
    write.write_all(&serde_json::to_vec(request)?).await?;
    write.write_all(b"\n").await?;
    let mut line = String::new();
    BufReader::new(read.take(LINE_MAX)).read_line(&mut line).await?;
    Ok(serde_json::from_str(&line)?)
}

/// Opens a data folder that no process runs on.
pub async fn offline(data: &Path) -> anyhow::Result<(Engine, Arc<dyn fanfare_store::Store>)> {
    let database = data.join("fanfare.db");
    if !database.exists() {
        anyhow::bail!(
            "{} is no data folder of `fanfare up`; name it with --data, or a shared database with --database",
            data.display()
        );
    }
    let store: Arc<dyn fanfare_store::Store> = Arc::new(fanfare_store::sqlite::SqliteStore::open(&database).await?);
    let namespaces = store.namespaces().await?;
    let namespace = namespaces.into_iter().next().unwrap_or_else(|| Namespace::from("default"));
    Ok((open(namespace, store.clone()).await?, store))
}

/// An engine that runs no worker.
async fn open(namespace: Namespace, store: Arc<dyn fanfare_store::Store>) -> anyhow::Result<Engine> {
    let real = RealClock::of(&*store).await?;
    let clock = BusinessClock::stored(real.clone(), &*store).await?;
    let clock = clock.unwrap_or_else(|| BusinessClock::with_offset_ms(real, 0));
    Ok(Engine::open(namespace, store, Arc::new(clock), crate::random::seed()?).await?)
}
