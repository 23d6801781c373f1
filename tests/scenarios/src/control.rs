//! `fanfare controller` processes, and the API server that they look after: a real one, or the embedded one alone.

use crate::{
    database::Database,
    folder::{Scratch, root},
    process::{Process, START_LIMIT},
    tools::{self, Ended},
    wait,
};
use anyhow::{Context, Result, ensure};
use serde_json::Value;
use std::{
    fs,
    path::PathBuf,
    process::{Command, Stdio},
    sync::atomic::{AtomicU32, Ordering},
    time::Duration,
};

/// How long the health of a controller may take to be told.
const CALL_LIMIT: Duration = Duration::from_secs(10);
/// A short Lease, so that a scenario need not wait long for a leader that is gone.
pub const LEASE_S: u64 = 8;

/// Names the kubeconfig of a real API server, where there is one to test on.
const REAL: &str = "FANFARE_TEST_KUBECONFIG";

/// An API server, and a namespace of this scenario's own on it.
pub struct ApiServer {
    process: Option<Process>,
    folder: Scratch,
    kubeconfig: PathBuf,
    /// The namespace.
    pub namespace: String,
    /// The folder of a cluster of its own.
    owned: Option<PathBuf>,
}

impl ApiServer {
    /// The real one where there is one, else the embedded one, alone and without our kinds.
    ///
    /// # Errors
    /// When it cannot be started, or does not take a namespace.
    pub async fn open() -> Result<Self> {
        static COUNT: AtomicU32 = AtomicU32::new(0);
        let namespace = format!("shop-{}-{}", std::process::id(), COUNT.fetch_add(1, Ordering::Relaxed));
        let mut server = match std::env::var_os(REAL) {
            Some(kubeconfig) => {
                Self { process: None, folder: Scratch::new()?, kubeconfig: kubeconfig.into(), namespace, owned: None }
            }
            None => Self::embedded(namespace).await?,
        };
        let name = server.namespace.clone();
        wait::until("the namespace", START_LIMIT, async || {
            server.kubectl_anywhere(&["create", "namespace", &name], None).await?.code(0)
        })
        .await?;
        server.namespace = name;
        Ok(server)
    }

    /// A real one of this scenario's own, which it may break; `None` where there is no `tests/cluster`.
    ///
    /// # Errors
    /// When it does not start.
    pub async fn own_cluster() -> Result<Option<Self>> {
        let up = root().join("tests/cluster/up");
        if !up.exists() {
            return Ok(None);
        }
        let folder = Scratch::new()?;
        let place = folder.path().join("cluster");
        let mut command = tokio::process::Command::new(up);
        command.args(["--owner", &std::process::id().to_string()]).arg(&place);
        tools::run(&mut command, None).await?.code(0)?;
        let server = Self {
            process: None,
            folder,
            kubeconfig: place.join("kubeconfig"),
            namespace: "shop".into(),
            owned: Some(place),
        };
        wait::until("the namespace", START_LIMIT, async || {
            server.kubectl_anywhere(&["create", "namespace", "shop"], None).await?.code(0)
        })
        .await?;
        Ok(Some(server))
    }

    /// Does to a cluster of one's own what happens to clusters: see `tests/cluster/fault`.
    ///
    /// # Errors
    /// When it cannot be done.
    pub async fn fault(&self, what: &[&str]) -> Result<()> {
        let place = self.owned.as_ref().context("this API server is not this scenario's own")?;
        let mut command = tokio::process::Command::new(root().join("tests/cluster/fault"));
        tools::run(command.arg(place).args(what), None).await?.code(0).map(drop)
    }

    async fn embedded(namespace: String) -> Result<Self> {
        let folder = Scratch::new()?;
        let kubeconfig = folder.path().join("kubeconfig");
        let target = std::env::var_os("CARGO_TARGET_DIR").map_or_else(|| root().join("target"), PathBuf::from);
        let program = target.join("debug/examples/serve");
        ensure!(program.exists(), "build it with `cargo build -p fanfare-plane --example serve`, or run tests/run");
        let mut command = Command::new(program);
        command.arg(folder.path().join("plane.db")).arg("127.0.0.1:0");
        let (out, log) = (fs::File::create(&kubeconfig)?, folder.path().join("plane.log"));
        let mut process = Process::start_to(out, "the embedded API server", &mut command, log)?;
        let is_whole = |text: &String| text.contains("server:") && text.trim_end().len() > 100;
        process.serves(|_| fs::read_to_string(&kubeconfig).ok().filter(is_whole)).await?;
        Ok(Self { process: Some(process), folder, kubeconfig, namespace, owned: None })
    }

    /// Its kubeconfig.
    pub fn kubeconfig(&self) -> &std::path::Path {
        &self.kubeconfig
    }

    /// Whether it is a real one.
    pub fn is_real(&self) -> bool {
        self.process.is_none()
    }

    /// Stops the embedded one where it stands (`-STOP`) or lets it go on (`-CONT`).
    ///
    /// # Errors
    /// When it is a real one.
    pub fn signal(&self, which: &str) -> Result<()> {
        self.process.as_ref().context("a real API server is not stopped here")?.signal(which)
    }

    /// A kubeconfig of a ServiceAccount that may do what `rules` of a ClusterRole say, and nothing else.
    ///
    /// # Errors
    /// When the API server does not take it.
    pub async fn account(&self, rules: &str) -> Result<PathBuf> {
        let namespace = &self.namespace;
        let name = format!("limited-{namespace}");
        let objects = format!(
            "apiVersion: v1\nkind: ServiceAccount\nmetadata: {{name: limited}}\n---\n\
             apiVersion: rbac.authorization.k8s.io/v1\nkind: ClusterRole\nmetadata: {{name: {name}}}\nrules: {rules}\n---\n\
             apiVersion: rbac.authorization.k8s.io/v1\nkind: ClusterRoleBinding\nmetadata: {{name: {name}}}\n\
             roleRef: {{apiGroup: rbac.authorization.k8s.io, kind: ClusterRole, name: {name}}}\n\
             subjects: [{{kind: ServiceAccount, name: limited, namespace: {namespace}}}]\n"
        );
        self.kubectl(&["apply", "-f", "-"], Some(&objects)).await?.code(0)?;
        let token = self.kubectl(&["create", "token", "limited"], None).await?.code(0)?;
        let place = self.kubectl(&["config", "view", "--raw", "--minify", "-o", "json"], None).await?.code(0)?;
        let mut config: Value = serde_json::from_str(&place)?;
        config["users"][0]["user"] = serde_json::json!({ "token": token.trim() });
        let path = self.folder.path().join("limited");
        fs::write(&path, config.to_string())?;
        Ok(path)
    }

    /// Runs kubectl in the scenario's namespace.
    ///
    /// # Errors
    /// When it cannot be started.
    pub async fn kubectl(&self, args: &[&str], input: Option<&str>) -> Result<Ended> {
        let mut all = vec!["--namespace", &self.namespace];
        all.extend(args);
        self.kubectl_anywhere(&all, input).await
    }

    async fn kubectl_anywhere(&self, args: &[&str], input: Option<&str>) -> Result<Ended> {
        let mut command = tokio::process::Command::new(tools::kubectl());
        command
            .args(args)
            .env("KUBECONFIG", &self.kubeconfig)
            .env("KUBECACHEDIR", self.folder.path().join("kube-cache"));
        command.env("HOME", self.folder.path());
        tools::run(&mut command, input).await
    }

    /// Runs a verb of the binary against it, in the scenario's namespace.
    ///
    /// # Errors
    /// When it cannot be started.
    pub async fn verb(&self, args: &[&str]) -> Result<Ended> {
        let mut command = tokio::process::Command::new(tools::fanfare()?);
        command.args(args).args(["--namespace", &self.namespace]).env("NO_COLOR", "1");
        command.env("KUBECONFIG", &self.kubeconfig).current_dir(self.folder.path());
        tools::run(&mut command, None).await
    }

    /// Applies every resource file of a folder.
    ///
    /// # Errors
    /// When one is refused.
    pub async fn apply(&self, folder: &std::path::Path) -> Result<()> {
        let folder = folder.to_str().context("a folder's name is no text")?;
        self.kubectl(&["apply", "-f", folder], None).await?.code(0).map(drop)
    }

    /// A resource as JSON.
    ///
    /// # Errors
    /// When it is not there.
    pub async fn get(&self, kind: &str, name: &str) -> Result<Value> {
        Ok(serde_json::from_str(&self.kubectl(&["get", kind, name, "-o", "json"], None).await?.code(0)?)?)
    }

    /// Waits for a condition of a resource, and answers its message.
    ///
    /// # Errors
    /// When it does not come in time.
    pub async fn condition(&self, (kind, name): (&str, &str), condition: (&str, &str, &str)) -> Result<String> {
        let (of, status, reason) = condition;
        let what = format!("{kind}/{name} {of}={status} {reason}");
        let looked = wait::until(&what, wait::SOON, async || {
            let object = self.get(kind, name).await?;
            let all = object["status"]["conditions"].as_array().cloned().unwrap_or_default();
            let found = all.iter().find(|found| found["type"] == of).context("no such condition")?;
            ensure!(found["status"] == status && (reason.is_empty() || found["reason"] == reason), "it is {found}");
            ensure!(found["observedGeneration"] == object["metadata"]["generation"], "not of this generation: {found}");
            Ok(found["message"].as_str().unwrap_or_default().to_owned())
        });
        Ok(looked.await?.0)
    }

    /// The version of every resource of ours.
    ///
    /// # Errors
    /// When they cannot be listed.
    pub async fn versions(&self) -> Result<String> {
        let path = "jsonpath={range .items[*]}{.kind}/{.metadata.name}={.metadata.resourceVersion} {end}";
        self.kubectl(&["get", "marketing", "-o", path], None).await?.code(0)
    }
}

impl Drop for ApiServer {
    fn drop(&mut self) {
        if let Some(place) = &self.owned {
            let _ = Command::new(root().join("tests/cluster/down")).arg(place).status();
            return;
        }
        if self.process.is_none() {
            let mut command = Command::new(tools::kubectl());
            command.args(["delete", "namespace", "--wait=false", &self.namespace]).env("KUBECONFIG", &self.kubeconfig);
            let _ = command.stdout(Stdio::null()).stderr(Stdio::null()).status();
        }
    }
}

/// A running `fanfare controller`. Dropping it kills the process.
pub struct Controller {
    process: Process,
    _scratch: Scratch,
    health: String,
}

impl Controller {
    /// Starts one that looks after the scenario's namespace.
    ///
    /// # Errors
    /// When it ends before it tells its health.
    pub async fn start(server: &ApiServer, database: &Database) -> Result<Self> {
        let kubeconfig = server.kubeconfig().to_str().context("a path that is no text")?;
        let own = ["--watch-namespaces", &server.namespace, "--lease-namespace", &server.namespace, "--install-crds"];
        Self::start_with(&database.url(), &[&["--kubeconfig", kubeconfig][..], &own].concat()).await
    }

    /// Starts one on a database, with arguments.
    ///
    /// # Errors
    /// As [`Controller::start`].
    pub async fn start_with(database: &str, args: &[&str]) -> Result<Self> {
        let scratch = Scratch::new()?;
        let mut command = Command::new(tools::fanfare()?);
        command.args(["controller", "--listen", "127.0.0.1:0", "--lease-seconds", &LEASE_S.to_string()]).args(args);
        command.env("FANFARE_DATABASE_URL", database).env("FANFARE_LOG", "info,kube=warn").env_remove("KUBECONFIG");
        let mut process = Process::start("the controller", &mut command, scratch.path().join("log"))?;
        let tells = |log: &str| log.lines().find_map(|line| line.trim().strip_prefix("health").map(str::to_owned));
        let health = process.serves(tells).await?.trim().to_owned();
        Ok(Self { process, _scratch: scratch, health })
    }

    /// What `/readyz` answers: the status and the document.
    ///
    /// # Errors
    /// When it does not answer.
    pub async fn readiness(&self) -> Result<(u16, Value)> {
        let answer = reqwest::Client::new().get(&self.health).timeout(CALL_LIMIT).send().await?;
        Ok((answer.status().as_u16(), answer.json().await?))
    }

    /// What `/metrics` answers.
    ///
    /// # Errors
    /// When it does not answer.
    pub async fn metrics(&self) -> Result<String> {
        let url = self.health.replace("/readyz", "/metrics");
        let answer = reqwest::Client::new().get(url).timeout(CALL_LIMIT).send().await?.error_for_status()?;
        Ok(answer.text().await?)
    }

    /// Waits until it leads.
    ///
    /// # Errors
    /// When it does not in time.
    pub async fn leads(&self) -> Result<()> {
        let looked = wait::until("a leader", wait::STATUS, async || {
            let (status, body) = self.readiness().await?;
            ensure!(status == 200 && body["leader"] == true, "{status} {body}\n{}", self.log());
            Ok(())
        });
        looked.await.map(drop)
    }

    /// Waits until readiness says that a part is missing, and answers why.
    ///
    /// # Errors
    /// When it does not say so in time.
    pub async fn misses(&self, part: &str) -> Result<String> {
        let looked = wait::until(part, wait::SOON, async || {
            let (status, body) = self.readiness().await?;
            let why = body["missing"][part].as_str().filter(|why| !why.starts_with("not looked"));
            let why = why.with_context(|| format!("{status} {body}"))?;
            ensure!(status == 503, "it is ready: {body}");
            Ok(why.to_owned())
        });
        Ok(looked.await?.0)
    }

    /// Sends a signal, such as `-STOP`.
    ///
    /// # Errors
    /// When it cannot be signalled.
    pub fn signal(&self, which: &str) -> Result<()> {
        self.process.signal(which)
    }

    /// Whether the process is still there.
    ///
    /// # Errors
    /// When the machine does not tell.
    pub fn runs(&mut self) -> Result<bool> {
        self.process.runs()
    }

    /// Kills it as a power cut would.
    ///
    /// # Errors
    /// When it cannot be killed.
    pub fn kill(mut self) -> Result<()> {
        self.process.kill()
    }

    /// Ends it as Kubernetes does.
    ///
    /// # Errors
    /// When it does not end in time or not with exit code 0.
    pub async fn stop(self) -> Result<()> {
        self.process.stop("-TERM").await
    }

    /// What it has written so far.
    pub fn log(&self) -> String {
        self.process.log()
    }
}
