//! The HTTP API as a verb calls it: where it is, with whose key, and what its refusals say. On a shared database where no
//! runtime need run, the verb serves the API to itself alone: the same calls, keys and refusals.

use crate::{
    clock::{BusinessClock, RealClock},
    database::{self, Database},
    measure, random, serve,
    up::credentials,
};
use anyhow::{Context, bail};
use fanfare_engine::Engine;
use reqwest::{Client, Method, Response, StatusCode};
use serde_json::Value;
use std::{fmt, net::Ipv4Addr, path::PathBuf, sync::Arc, time::Duration};
use tokio::{sync::watch, task::JoinSet};

/// How long a call may take until its answer begins; a report over many grants takes its time.
const ANSWER_MAX: Duration = Duration::from_secs(300);
/// How long an answer that is streamed may stand still.
const STALL_MAX: Duration = Duration::from_secs(60);

/// Which API to call, and as whom.
#[derive(Clone, Debug, clap::Args)]
pub struct Remote {
    /// The data folder of the `fanfare up` to call.
    #[arg(long, value_name = "FOLDER", default_value = ".fanfare")]
    data: PathBuf,
    /// The API's address, where it is not that of the data folder. It goes before a database.
    #[arg(long, env = "FANFARE_API_URL")]
    api_url: Option<String>,
    /// A database to work on without any server; it goes before the data folder.
    #[command(flatten)]
    shared: Database,
    /// The API key to call with; each person has one. Without it, the data folder's.
    #[arg(long, env = "FANFARE_API_KEY", hide_env_values = true)]
    api_key: Option<String>,
}

/// An API that can be called.
pub struct Api {
    http: Client,
    url: String,
    key: String,
    _own: Option<Own>,
}

/// The API of this very process, which ends with it.
struct Own {
    _tasks: JoinSet<anyhow::Result<()>>,
    _stop: watch::Sender<bool>,
}

impl Remote {
    /// Finds address and key.
    ///
    /// # Errors
    /// When the data folder has no credentials, an address stands without a key, or the database cannot be used.
    pub async fn open(self) -> anyhow::Result<Api> {
        let Self { data, api_url, shared, api_key } = self;
        let http = Client::builder().read_timeout(STALL_MAX.max(ANSWER_MAX)).build()?;
        let (url, key, own) = match (api_url, api_key, shared.database.is_some()) {
            (Some(url), Some(key), _) => (url, key, None),
            (Some(_), None, _) => bail!("--api-key is missing: it goes with --api-url"),
            (None, key, true) => {
                let stored = || credentials::read(&data).map(|file| file.integration_key);
                let key = key.map_or_else(stored, Ok).context(
                    "--api-key is missing: corrections and reports are somebody's; `fanfare key create` makes a key",
                )?;
                let (url, own) = serve_own(&shared).await?;
                (url, key, Some(own))
            }
            (None, key, false) => {
                let file = credentials::read(&data)?;
                (file.api_url, key.unwrap_or(file.integration_key), None)
            }
        };
        Ok(Api { http, url: url.trim_end_matches('/').to_owned(), key, _own: own })
    }
}

/// Serves the API of a shared database to this process alone, on a port of the loopback; answers its address.
async fn serve_own(shared: &Database) -> anyhow::Result<(String, Own)> {
    let address = shared.database.as_ref().context("--database is missing")?;
    let store = database::open(address).await?;
    let namespace = database::namespace(&*store, shared.namespace.as_deref()).await?;
    let real = RealClock::of(&*store).await?;
    let clock = BusinessClock::stored(real.clone(), &*store).await?;
    let clock = clock.unwrap_or_else(|| BusinessClock::with_offset_ms(real.clone(), 0));
    let engine = Engine::open(namespace, store.clone(), Arc::new(clock), random::seed()?).await?;
    let listener = serve::bind((Ipv4Addr::LOCALHOST, 0).into(), "--database").await?;
    let url = format!("http://{}", listener.local_addr()?);
    let mut tasks = JoinSet::new();
    let (stop, stopped) = watch::channel(false);
    serve::api(&mut tasks, (engine, &*store), (listener, real), false, Arc::new(measure::build), stopped).await?;
    Ok((url, Own { _tasks: tasks, _stop: stop }))
}

impl Api {
    /// Posts a body under a new idempotency key and answers the body that comes back.
    ///
    /// # Errors
    /// The refusal as a sentence with its code.
    pub async fn post(&self, path: &str, body: &Value) -> anyhow::Result<Value> {
        let request = self.http.request(Method::POST, format!("{}{path}", self.url)).bearer_auth(&self.key);
        let request = request.header("idempotency-key", random::key()?).json(body);
        Ok(checked(request.send().await.context("the server cannot be reached")?).await?.json().await?)
    }

    /// Gets with query parameters.
    ///
    /// # Errors
    /// As [`Api::post`].
    pub async fn get(&self, path: &str, query: &[(&str, &str)]) -> anyhow::Result<Response> {
        let written: Vec<String> = query.iter().map(|(name, value)| format!("{name}={}", escaped(value))).collect();
        let url = format!("{}{path}?{}", self.url, written.join("&"));
        let request = self.http.request(Method::GET, url).bearer_auth(&self.key);
        checked(request.send().await.context("the server cannot be reached")?).await
    }
}

/// A text as it may stand in a query or a path.
pub fn escaped(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for byte in text.bytes() {
        match byte {
            b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'-' | b'_' | b'.' | b'~' => out.push(char::from(byte)),
            other => out.push_str(&format!("%{other:02X}")),
        }
    }
    out
}

/// What the server said instead of doing what was asked.
#[derive(Debug)]
pub struct Refused {
    status: StatusCode,
    said: String,
}

impl Refused {
    /// Whether asking again comes to the same.
    pub fn is_final(&self) -> bool {
        self.status.is_client_error() && self.status != StatusCode::TOO_MANY_REQUESTS
    }
}

impl fmt::Display for Refused {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.said)
    }
}

impl std::error::Error for Refused {}

async fn checked(answer: Response) -> anyhow::Result<Response> {
    let status = answer.status();
    if status.is_success() {
        return Ok(answer);
    }
    let text = answer.text().await.unwrap_or_default();
    let body: Value = serde_json::from_str(&text).unwrap_or_default();
    let said = match (body["code"].as_str(), body["detail"].as_str()) {
        (Some(code), _) if status == StatusCode::UNAUTHORIZED => format!(
            "--api-key: the server knows no such key ({code}); `fanfare key create` makes one, and without --api-url and \
             --api-key the data folder's is used"
        ),
        (Some(code), Some(detail)) => format!("{detail} ({code})"),
        _ => format!("the server answered {status}: {text}"),
    };
    Err(Refused { status, said }.into())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_stands_in_a_path_is_escaped() {
        assert_eq!(escaped("a/b?c=d e"), "a%2Fb%3Fc%3Dd%20e");
        assert_eq!(escaped("bkk-01_x.~"), "bkk-01_x.~");
    }
}
