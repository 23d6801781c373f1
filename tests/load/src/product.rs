//! The product as a process, on a folder that is made for the figure.

use anyhow::{Context, Result, bail, ensure};
use serde::Deserialize;
use serde_json::{Value, json};
use std::{
    fs,
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    time::{Duration, Instant},
};

const START_LIMIT: Duration = Duration::from_secs(60);

/// What `up` leaves for its callers, as far as a figure needs it.
#[derive(Clone, Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Credentials {
    pub(crate) namespace: String,
    pub(crate) api_url: String,
    pub(crate) kube_url: String,
    pub(crate) store_id: String,
    pub(crate) terminal_key: String,
    pub(crate) integration_key: String,
}

/// A running product; killed when dropped.
pub(crate) struct Product {
    process: Child,
    pub(crate) credentials: Credentials,
    pub(crate) http: reqwest::Client,
    data: PathBuf,
    database: Option<String>,
}

/// The binary that is measured.
pub(crate) fn binary() -> Result<PathBuf> {
    let path = std::env::var_os("FANFARE_BIN").context("FANFARE_BIN is not set; start this with tests/load/run")?;
    Ok(path.into())
}

/// An empty folder below `FANFARE_LOAD_DIR`, which should be on the disk that is to be measured.
pub(crate) fn folder(name: &str) -> Result<PathBuf> {
    let base = std::env::var_os("FANFARE_LOAD_DIR").map_or_else(std::env::temp_dir, PathBuf::from);
    let path = base.join(format!("fanfare-load-{}-{name}", std::process::id()));
    if path.exists() {
        fs::remove_dir_all(&path)?;
    }
    fs::create_dir_all(&path)?;
    Ok(path)
}

impl Product {
    /// Starts it on `repository` and waits until both listeners serve.
    pub(crate) async fn start(repository: &Path, data: &Path) -> Result<Self> {
        Self::start_on(repository, data, None).await
    }

    /// Like [`Product::start`], with business data in the PostgreSQL of a URL, where there is one.
    pub(crate) async fn start_on(repository: &Path, data: &Path, database: Option<&str>) -> Result<Self> {
        let log = fs::File::create(data.with_extension("log"))?;
        let file = data.join("credentials.json");
        let _ = fs::remove_file(&file);
        let mut process = Command::new(binary()?);
        let mut process = process
            .envs(database.map(|url| ("FANFARE_DATABASE_URL", url)))
            .arg("up")
            .arg(repository)
            .arg("--data")
            .arg(data)
            .args(["--listen", "127.0.0.1:0", "--kube-listen", "127.0.0.1:0"])
            .env("NO_COLOR", "1")
            .stdin(Stdio::null())
            .stdout(log.try_clone()?)
            .stderr(log)
            .spawn()
            .context("cannot start the product")?;
        let began = Instant::now();
        loop {
            if let Ok(text) = fs::read_to_string(&file) {
                let credentials = serde_json::from_str(&text)?;
                let http = reqwest::Client::builder().timeout(Duration::from_secs(30)).build()?;
                return Ok(Self {
                    process,
                    credentials,
                    http,
                    data: data.to_owned(),
                    database: database.map(str::to_owned),
                });
            }
            if let Some(status) = process.try_wait()? {
                bail!("up ended with {status}: {}", fs::read_to_string(data.with_extension("log"))?);
            }
            ensure!(began.elapsed() < START_LIMIT, "up did not serve in time");
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
    }

    /// The process.
    pub(crate) fn id(&self) -> u32 {
        self.process.id()
    }

    /// The port of the HTTP API.
    pub(crate) fn port(&self) -> Result<u16> {
        let port = self.credentials.api_url.trim_end_matches('/').rsplit(':').next();
        port.context("no port")?.parse().with_context(|| format!("no port in {}", self.credentials.api_url))
    }

    /// Calls and expects success.
    pub(crate) async fn call(
        &self,
        method: reqwest::Method,
        path: &str,
        bearer: &str,
        body: Option<&Value>,
    ) -> Result<Value> {
        let base = self.credentials.api_url.trim_end_matches('/');
        let mut request = self.http.request(method, format!("{base}{path}"));
        if !bearer.is_empty() {
            request = request.bearer_auth(bearer);
        }
        if let Some(body) = body {
            let media = if path == "/v1/events" { "application/cloudevents-batch+json" } else { "application/json" };
            request = request.header("content-type", media).body(serde_json::to_vec(body)?);
        }
        let answer = request.send().await?;
        let status = answer.status();
        let bytes = answer.bytes().await?;
        ensure!(status.is_success(), "{path} answered {status}: {}", String::from_utf8_lossy(&bytes));
        Ok(serde_json::from_slice(&bytes).unwrap_or(Value::Null))
    }

    /// A member's access token.
    pub(crate) async fn login(&self, member: &str) -> Result<String> {
        let body = json!({"memberId": member});
        let answer = self.call(reqwest::Method::POST, "/v1/auth/dev", "", Some(&body)).await?;
        Ok(answer["accessToken"].as_str().context("no token")?.to_owned())
    }

    /// Business time as the product tells it.
    pub(crate) async fn now(&self) -> Result<String> {
        let base = self.credentials.api_url.trim_end_matches('/');
        let answer = self.http.get(format!("{base}/v1/campaigns")).send().await?;
        let header = answer.headers().get("fanfare-time").context("no Fanfare-Time")?;
        Ok(header.to_str()?.to_owned())
    }

    /// The campaigns as the API server lists them: name and whether Ready.
    pub(crate) async fn campaigns(&self) -> Result<Vec<(String, bool)>> {
        let Credentials { kube_url, namespace, .. } = &self.credentials;
        let url =
            format!("{}/apis/fanfare.dev/v1alpha1/namespaces/{namespace}/campaigns", kube_url.trim_end_matches('/'));
        let list: Value = self.http.get(url).send().await?.error_for_status()?.json().await?;
        let ready = |item: &Value| {
            let conditions = item["status"]["conditions"].as_array();
            conditions.is_some_and(|all| all.iter().any(|one| one["type"] == "Ready" && one["status"] == "True"))
        };
        let items = list["items"].as_array().context("no items")?;
        Ok(items
            .iter()
            .map(|item| (item["metadata"]["name"].as_str().unwrap_or_default().to_owned(), ready(item)))
            .collect())
    }

    /// Waits until this many campaigns are Ready.
    pub(crate) async fn ready(&self, count: usize, limit: Duration) -> Result<()> {
        let began = Instant::now();
        loop {
            let campaigns = self.campaigns().await.unwrap_or_default();
            let ready = campaigns.iter().filter(|(_, ready)| *ready).count();
            if ready == count {
                return Ok(());
            }
            ensure!(began.elapsed() < limit, "{ready} of {count} campaigns are Ready after {limit:?}");
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    }

    /// Ends it cleanly and lets its own audit look at what it kept.
    pub(crate) async fn finish(mut self) -> Result<()> {
        let id = self.process.id().to_string();
        ensure!(Command::new("kill").args(["-INT", &id]).status()?.success(), "cannot interrupt the product");
        let began = Instant::now();
        while self.process.try_wait()?.is_none() {
            ensure!(began.elapsed() < START_LIMIT, "the product did not end");
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
        let mut audit = Command::new(binary()?);
        audit.args(["audit", "verify"]);
        let audit = match &self.database {
            Some(url) => audit.env("FANFARE_DATABASE_URL", url).output()?,
            None => audit.arg("--data").arg(&self.data).output()?,
        };
        ensure!(audit.status.success(), "the audit found something: {}", String::from_utf8_lossy(&audit.stdout));
        Ok(())
    }
}

impl Drop for Product {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

/// A process that serves the namespace of a shared database; killed when dropped.
pub(crate) struct Runtime {
    process: Child,
    pub(crate) port: u16,
}

impl Runtime {
    /// Starts `fanfare runtime` and waits until it serves; its log is kept at `log`.
    pub(crate) async fn start(url: &str, namespace: &str, log: &Path) -> Result<Self> {
        let out = fs::File::create(log)?;
        let mut command = Command::new(binary()?);
        command.args(["runtime", "--listen", "127.0.0.1:0", "--namespace", namespace]);
        command.env("FANFARE_DATABASE_URL", url).env("NO_COLOR", "1").stdin(Stdio::null());
        let mut process = command.stdout(out.try_clone()?).stderr(out).spawn().context("cannot start a runtime")?;
        let began = Instant::now();
        loop {
            let said = fs::read_to_string(log)?;
            if let Some(url) = said.lines().find_map(|line| line.trim().strip_prefix("HTTP API")) {
                let port = url.rsplit(':').next().context("no port")?.trim().parse()?;
                return Ok(Self { process, port });
            }
            if let Some(status) = process.try_wait()? {
                bail!("a runtime ended with {status}: {said}");
            }
            ensure!(began.elapsed() < START_LIMIT, "a runtime did not serve in time");
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    }
}

impl Drop for Runtime {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

/// A helper program of this crate that prints its port.
pub(crate) struct Anchor {
    process: Child,
    pub(crate) port: u16,
}

impl Anchor {
    /// The process.
    pub(crate) fn id(&self) -> u32 {
        self.process.id()
    }

    /// Starts the program `name`, which lies beside this one.
    pub(crate) async fn start(name: &str, args: &[&str]) -> Result<Self> {
        let path = std::env::current_exe()?.with_file_name(name);
        let mut process = Command::new(&path)
            .args(args)
            .stdout(Stdio::piped())
            .spawn()
            .with_context(|| format!("cannot start {}; build the whole crate", path.display()))?;
        let out = process.stdout.take().context("no output")?;
        let mut line = String::new();
        std::io::BufRead::read_line(&mut std::io::BufReader::new(out), &mut line)?;
        let port = line.trim().parse().with_context(|| format!("{name} printed {line:?} instead of its port"))?;
        Ok(Self { process, port })
    }
}

impl Drop for Anchor {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}
