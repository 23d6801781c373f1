//! One of the two servers: a kubeconfig, requests as they stand, and kubectl.

use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::Duration;

use anyhow::{Context, Result};
use bytes::Bytes;
use futures::StreamExt;
use http::{Request, header};
use http_body_util::BodyExt;
use kube::client::Body;
use kube::config::{KubeConfigOptions, Kubeconfig};
use tokio::io::AsyncWriteExt;
use tokio::process::Command;

/// One request may take that long; the API server itself gives up after a minute.
const REQUEST_TIMEOUT_S: u64 = 120;
/// kubectl waits 120 s at most in any case.
const KUBECTL_TIMEOUT_S: u64 = 180;

/// A server that cases run against.
pub struct Server {
    pub(crate) name: &'static str,
    client: kube::Client,
    kubeconfig: PathBuf,
    scratch: PathBuf,
}

/// An answer as it came.
#[derive(Debug)]
pub(crate) struct Answer {
    pub(crate) code: u16,
    pub(crate) content_type: String,
    pub(crate) warnings: Vec<String>,
    pub(crate) body: Bytes,
}

/// What a command did.
#[derive(Debug)]
pub(crate) struct Ran {
    pub(crate) code: i32,
    pub(crate) stdout: String,
    pub(crate) stderr: String,
}

impl Server {
    /// # Errors
    /// When the kubeconfig cannot be used.
    pub async fn new(name: &'static str, kubeconfig: &Path, scratch: &Path) -> Result<Self> {
        let config = Kubeconfig::read_from(kubeconfig)?;
        let mut config = kube::Config::from_custom_kubeconfig(config, &KubeConfigOptions::default()).await?;
        config.read_timeout = Some(Duration::from_secs(REQUEST_TIMEOUT_S));
        let scratch = scratch.join(name);
        std::fs::create_dir_all(&scratch)?;
        Ok(Self { name, client: kube::Client::try_from(config)?, kubeconfig: kubeconfig.to_owned(), scratch })
    }

    /// Sends one request; `events` ends a stream after so many lines.
    pub(crate) async fn send(
        &self,
        call: &str,
        body: Bytes,
        headers: [(header::HeaderName, &str); 2],
        events: Option<usize>,
    ) -> Result<Answer> {
        let (method, path) = call.split_once(' ').with_context(|| format!("no method in {call:?}"))?;
        let mut request = Request::builder().method(method).uri(path).header(header::USER_AGENT, "suite/1");
        for (name, value) in headers {
            if !value.is_empty() {
                request = request.header(name, value);
            }
        }
        let whole = async {
            let response = self.client.send(request.body(Body::from(body))?).await?;
            let text = |v: &header::HeaderValue| String::from_utf8_lossy(v.as_bytes()).into_owned();
            let code = response.status().as_u16();
            let content_type = response.headers().get(header::CONTENT_TYPE).map(text).unwrap_or_default();
            let warnings = response.headers().get_all(header::WARNING).iter().map(text).collect();
            let body = match events {
                Some(max) => lines(response.into_body(), max).await?,
                None => response.into_body().collect().await?.to_bytes(),
            };
            Ok(Answer { code, content_type, warnings, body })
        };
        tokio::time::timeout(Duration::from_secs(REQUEST_TIMEOUT_S), whole)
            .await
            .with_context(|| format!("{call}: no answer"))?
    }

    /// Runs a kubectl that knows this server alone.
    pub(crate) async fn kubectl(
        &self,
        program: &Path,
        args: &[String],
        stdin: &[u8],
        edit: Option<&(String, String)>,
    ) -> Result<Ran> {
        // One cache of discovery for each client: they write different forms of it.
        let home = self.scratch.join(program.to_string_lossy().replace('/', "_"));
        std::fs::create_dir_all(&home)?;
        let mut command = Command::new(program);
        command
            .args(args)
            .env("KUBECONFIG", &self.kubeconfig)
            .env("HOME", &home)
            .env("KUBECTL_APPLYSET", "true")
            .kill_on_drop(true);
        if let Some((from, to)) = edit {
            command.env("KUBE_EDITOR", format!("sed -i s/{from}/{to}/"));
        }
        command.current_dir(&home).stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut child = command.spawn().with_context(|| program.display().to_string())?;
        if let Some(mut input) = child.stdin.take() {
            // A command that reads nothing may be gone already.
            drop(input.write_all(stdin).await);
        }
        let output = tokio::time::timeout(Duration::from_secs(KUBECTL_TIMEOUT_S), child.wait_with_output()).await;
        let output = output.with_context(|| format!("{} {args:?}: no end", program.display()))??;
        let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
        Ok(Ran { code: output.status.code().unwrap_or(-1), stdout: text(&output.stdout), stderr: text(&output.stderr) })
    }
}

/// The first lines of a stream.
async fn lines(body: Body, max: usize) -> Result<Bytes> {
    let mut stream = body.into_data_stream();
    let mut read = Vec::new();
    while read.iter().filter(|b| **b == b'\n').count() < max {
        match stream.next().await {
            Some(chunk) => read.extend_from_slice(&chunk?),
            None => break,
        }
    }
    Ok(read.into())
}
