//! The real binary, running `up` on a folder.

use crate::{
    database::Database,
    folder::Scratch,
    http::{Answer, Caller, items},
    process::Process,
    tools::{self, Ended},
    wait,
};
use anyhow::{Context, Result, ensure};
use serde::Deserialize;
use serde_json::{Value, json};
use std::{
    fs,
    path::{Path, PathBuf},
    process::Command,
};

/// What `up` leaves for whoever wants to talk to it.
#[derive(Clone, Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Credentials {
    /// The folder's one namespace.
    pub namespace: String,
    /// Where members, tills and integrations call.
    pub api_url: String,
    /// Where kubectl calls.
    pub kube_url: String,
    /// The store that the terminal key is bound to.
    pub store_id: String,
    /// A till's key.
    pub terminal_key: String,
    /// An integration's key with every scope.
    pub integration_key: String,
}

/// How `up` is started.
#[derive(Clone, Debug, Default)]
pub struct Start {
    /// Business time to start at.
    pub clock: Option<&'static str>,
    /// Let the example's shoppers in.
    pub demo: bool,
}

impl Start {
    /// At a business time.
    pub fn at(clock: &'static str) -> Self {
        Self { clock: Some(clock), demo: false }
    }
}

/// Has every shop keep its business data in a PostgreSQL, when it says `postgres`: the same stories on the other database.
const WHICH_DATABASE: &str = "FANFARE_TEST_DATABASE";

/// A running shop. Dropping it kills the process.
pub struct Shop {
    /// The campaign repository; change its files as an author would.
    pub folder: Scratch,
    data: Scratch,
    process: Option<Process>,
    credentials: Credentials,
    anyone: Caller,
    /// Where its business data are, when not in its data folder. Declared last: it goes when the process has.
    database: Option<Database>,
}

impl Shop {
    /// Starts `up` on a copy of `source` and waits until it serves.
    ///
    /// # Errors
    /// When it does not come up in time; the end of its log tells why.
    pub async fn open(source: &Path, start: Start) -> Result<Self> {
        Self::open_in(Scratch::copy_of(source)?, start).await
    }

    /// Starts `up` on a folder that was prepared.
    ///
    /// # Errors
    /// As [`Shop::open`].
    pub async fn open_in(folder: Scratch, start: Start) -> Result<Self> {
        let database = match std::env::var(WHICH_DATABASE).as_deref() {
            Ok("postgres") => Some(Database::fresh().await?),
            _ => None,
        };
        Self::open_with(folder, start, database).await
    }

    /// Starts `up` on a folder that was prepared, with its business data in a shared database.
    ///
    /// # Errors
    /// As [`Shop::open`].
    pub async fn open_on(folder: Scratch, start: Start, database: Database) -> Result<Self> {
        Self::open_with(folder, start, Some(database)).await
    }

    async fn open_with(folder: Scratch, start: Start, database: Option<Database>) -> Result<Self> {
        let data = Scratch::new()?;
        let (process, credentials) = launch(folder.path(), data.path(), database.as_ref(), &start).await?;
        let anyone = Caller::anyone(&credentials.api_url)?;
        let shop = Self { folder, data, process: Some(process), credentials, anyone, database };
        wait::until("every resource to have been looked at", wait::STATUS, async || shop.looked_at().await).await?;
        Ok(shop)
    }

    /// The shared database, where it has one.
    ///
    /// # Errors
    /// When it has none.
    pub fn database(&self) -> Result<&Database> {
        self.database.as_ref().context("this shop keeps everything in its data folder")
    }

    /// Kills the process as a power cut would, as far as one process can.
    ///
    /// # Errors
    /// When it cannot be killed.
    pub fn kill(&mut self) -> Result<()> {
        self.process.take().map_or(Ok(()), |mut process| process.kill())
    }

    /// Ends it as Ctrl-C does.
    ///
    /// # Errors
    /// When it does not end in time or not with exit code 0.
    pub async fn stop(&mut self) -> Result<()> {
        match self.process.take() {
            Some(process) => process.stop("-INT").await,
            None => Ok(()),
        }
    }

    /// Starts it again on what it kept. Business time goes on from where it was.
    ///
    /// # Errors
    /// As [`Shop::open`].
    pub async fn start_again(&mut self) -> Result<()> {
        self.start_again_at(Start::default()).await
    }

    /// The same at a later business time.
    ///
    /// # Errors
    /// As [`Shop::open`].
    pub async fn start_again_at(&mut self, start: Start) -> Result<()> {
        ensure!(self.process.is_none(), "it still runs");
        let (process, credentials) =
            launch(self.folder.path(), self.data.path(), self.database.as_ref(), &start).await?;
        self.process = Some(process);
        self.anyone = Caller::anyone(&credentials.api_url)?;
        self.credentials = credentials;
        Ok(())
    }

    /// The end of every scenario: a clean stop, and the invariants that can be read from the database hold.
    ///
    /// # Errors
    /// When one does not hold.
    pub async fn close(mut self) -> Result<()> {
        self.stop().await?;
        self.audit().await
    }

    /// Checks the invariants on the shop's data, stopped or running.
    ///
    /// # Errors
    /// When one does not hold.
    pub async fn audit(&self) -> Result<()> {
        self.verb(&["audit", "verify"]).await?.code(0).context("the audit found something")?;
        Ok(())
    }

    /// Where it keeps its data.
    pub fn data(&self) -> &Path {
        self.data.path()
    }

    /// What `up` left for its callers.
    pub fn credentials(&self) -> &Credentials {
        &self.credentials
    }

    /// What it has written so far.
    pub fn log(&self) -> String {
        fs::read_to_string(log_path(self.data.path())).unwrap_or_default()
    }

    /// Somebody without a credential.
    pub fn anyone(&self) -> &Caller {
        &self.anyone
    }

    /// The till of the credentials.
    pub fn till(&self) -> Caller {
        self.anyone.with(&self.credentials.terminal_key)
    }

    /// The shop's backend.
    pub fn backend(&self) -> Caller {
        self.anyone.with(&self.credentials.integration_key)
    }

    /// A member, logged in; created where not known yet.
    ///
    /// # Errors
    /// When the login is refused.
    pub async fn member(&self, id: &str) -> Result<Caller> {
        let answer = self.anyone.post("/v1/auth/dev", &json!({"memberId": id})).await?;
        let body = answer.is(200)?;
        let token = body["accessToken"].as_str().with_context(|| format!("no token in {body}"))?;
        Ok(self.anyone.with(token))
    }

    /// Sends one event as the shop's backend and returns its result.
    ///
    /// # Errors
    /// When the call is refused.
    pub async fn event(&self, kind: &str, id: &str, member: &str, data: Value) -> Result<Value> {
        let time = self.now().await?.to_rfc3339();
        self.event_at(kind, id, member, &time, data).await
    }

    /// The same, as of a time, so that it can be sent again as it was.
    ///
    /// # Errors
    /// When the call is refused.
    pub async fn event_at(&self, kind: &str, id: &str, member: &str, time: &str, data: Value) -> Result<Value> {
        let event = json!({"specversion": "1.0", "type": kind, "source": "scenario", "id": id, "subject": member,
            "time": time, "datacontenttype": "application/json", "data": data});
        let headers = [("content-type", "application/cloudevents+json")];
        let backend = self.backend();
        let answer = backend.send(reqwest::Method::POST, "/v1/events", &headers, serde_json::to_vec(&event)?).await?;
        let body = answer.is(200)?;
        Ok(body["results"][0].clone())
    }

    /// Business time.
    ///
    /// # Errors
    /// When there is no answer.
    pub async fn now(&self) -> Result<chrono::DateTime<chrono::FixedOffset>> {
        self.anyone.get("/v1/campaigns").await?.time()
    }

    /// Runs kubectl against it.
    ///
    /// # Errors
    /// When kubectl is missing.
    pub async fn kubectl(&self, args: &[&str], input: Option<&str>) -> Result<Ended> {
        let mut command = tokio::process::Command::new(tools::kubectl());
        command.args(args).env("KUBECONFIG", self.data.path().join("kubeconfig"));
        // Its discovery cache, kept apart so that no run sees another's.
        command.env("HOME", self.data.path()).env("KUBECACHEDIR", self.data.path().join("kube-cache"));
        tools::run(&mut command, input).await
    }

    /// A resource as JSON.
    ///
    /// # Errors
    /// When it is not there.
    pub async fn resource(&self, kind: &str, name: &str) -> Result<Value> {
        let text = self.kubectl(&["get", kind, name, "-o", "json"], None).await?.code(0)?;
        Ok(serde_json::from_str(&text)?)
    }

    /// Waits for a resource to be as `look` wants it.
    ///
    /// # Errors
    /// When it does not become so in time.
    pub async fn resource_until(&self, kind: &str, name: &str, look: impl Fn(&Value) -> Result<()>) -> Result<Value> {
        let what = format!("{kind} {name}");
        let found = wait::until(&what, wait::STATUS, async || {
            let found = self.resource(kind, name).await?;
            look(&found).with_context(|| format!("{}", found["status"]))?;
            Ok(found)
        });
        Ok(found.await?.0)
    }

    /// Whether the controller has looked at every resource, good or bad: what is served of them is served by then.
    async fn looked_at(&self) -> Result<()> {
        const GROUP: &str = "/apis/fanfare.dev/v1alpha1";
        let plane = Caller::anyone(&self.credentials.kube_url)?;
        let kinds = plane.get(GROUP).await?.is(200)?;
        for kind in kinds["resources"].as_array().context("no resources")? {
            let plural = kind["name"].as_str().unwrap_or_default();
            if plural.contains('/') {
                continue;
            }
            let listed = plane.get(&format!("{GROUP}/{plural}")).await?.is(200)?;
            for found in items(&listed)? {
                let (looked, is) = (&found["status"]["observedGeneration"], &found["metadata"]["generation"]);
                ensure!(looked == is, "{} {} is not looked at yet", kind["kind"], found["metadata"]["name"]);
            }
        }
        Ok(())
    }

    /// Waits until every resource of the folder is Ready.
    ///
    /// # Errors
    /// When one is not in time.
    pub async fn ready(&self) -> Result<()> {
        let args = ["wait", "--for=condition=Ready", "marketing", "--all", "--timeout=60s"];
        wait::until("all resources to be Ready", wait::STATUS, async || self.kubectl(&args, None).await?.code(0))
            .await?;
        Ok(())
    }

    /// Runs a verb of the binary that finds the shop by its data folder.
    ///
    /// # Errors
    /// When it cannot be started.
    pub async fn verb(&self, args: &[&str]) -> Result<Ended> {
        let data = self.data.path().display().to_string();
        let mut all = args.to_vec();
        all.extend(["--data", &data]);
        match &self.database {
            Some(database) => tools::verb_on(&database.url(), &all).await,
            None => tools::verb(&all, None).await,
        }
    }

    /// Waits until the log has a text that was not there before byte `from`.
    ///
    /// # Errors
    /// When it does not come in time.
    pub async fn log_until(&self, from: usize, look: impl Fn(&str) -> bool) -> Result<String> {
        let found = wait::until("the log", wait::SOON, async || {
            let log = self.log();
            let new = log.get(from..).unwrap_or_default().to_owned();
            ensure!(look(&new), "the log says:\n{new}");
            Ok(new)
        });
        Ok(found.await?.0)
    }

    /// The campaigns that a caller is shown, by name.
    ///
    /// # Errors
    /// When the call is refused.
    pub async fn feed(&self, caller: &Caller, view: &str) -> Result<Vec<String>> {
        let body = caller.get(&format!("/v1/campaigns?view={view}&limit=100")).await?.is(200)?;
        Ok(items(&body)?.iter().filter_map(|one| Some(one["name"].as_str()?.to_owned())).collect())
    }

    /// What the till says a cart costs.
    ///
    /// # Errors
    /// When there is no answer.
    pub async fn evaluate(&self, cart: &Value) -> Result<Answer> {
        self.till().post("/v1/carts/evaluate", cart).await
    }
}

fn log_path(data: &Path) -> PathBuf {
    data.with_extension("log")
}

async fn launch(
    folder: &Path,
    data: &Path,
    database: Option<&Database>,
    start: &Start,
) -> Result<(Process, Credentials)> {
    let mut command = Command::new(tools::fanfare()?);
    command.arg("up").arg(folder).arg("--data").arg(data);
    command.args(["--listen", "127.0.0.1:0", "--kube-listen", "127.0.0.1:0"]);
    if let Some(clock) = start.clock {
        command.args(["--clock", clock]);
    }
    if start.demo {
        command.arg("--demo");
    }
    match database {
        Some(database) => command.env("FANFARE_DATABASE_URL", database.url()),
        None => command.env_remove("FANFARE_DATABASE_URL"),
    };
    // What an earlier process left: only a file that this one writes counts.
    let file = data.join("credentials.json");
    let _ = fs::remove_file(&file);
    let mut process = Process::start("up", &mut command, log_path(data))?;
    let text = process.serves(|_| fs::read_to_string(&file).ok()).await?;
    let credentials = serde_json::from_str(&text).with_context(|| format!("credentials.json is {text:?}"))?;
    Ok((process, credentials))
}
