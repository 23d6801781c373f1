//! Finds the API server: a kubeconfig that is named, or the cluster that the process runs in.

use anyhow::{Context, bail};
use kube::{
    Client, Config,
    config::{KubeConfigOptions, Kubeconfig},
};
use std::{path::PathBuf, time::Duration};

/// How long a connection may take to be made.
const CONNECT_MAX: Duration = Duration::from_secs(5);
/// Set in every pod.
const IN_CLUSTER: &str = "KUBERNETES_SERVICE_HOST";

/// Which API server.
#[derive(Clone, Debug, clap::Args)]
pub struct Kube {
    /// The kubeconfig [default: what KUBECONFIG names, else the cluster that the process runs in, else ~/.kube/config].
    #[arg(long, value_name = "FILE")]
    pub kubeconfig: Option<PathBuf>,
    /// The context in it.
    #[arg(long, value_name = "NAME")]
    pub context: Option<String>,
}

/// A client, and the namespace that it is at home in.
pub struct Connection {
    /// The client.
    pub client: Client,
    /// The pod's own namespace, or the kubeconfig's.
    pub namespace: String,
    /// Where the API server is, for people.
    pub place: String,
}

/// What an API server said, in its own words and no others.
pub fn said(error: kube::Error) -> anyhow::Error {
    match error {
        kube::Error::Api(status) if !status.message.is_empty() => anyhow::anyhow!("{}", status.message),
        other => other.into(),
    }
}

/// Reads the configuration; nothing is connected yet.
///
/// # Errors
/// When there is none, or it cannot be used: named with what to do.
pub async fn connect(kube: &Kube) -> anyhow::Result<Connection> {
    let mut config = config(kube).await?;
    config.connect_timeout = Some(CONNECT_MAX);
    let (namespace, place) = (config.default_namespace.clone(), config.cluster_url.to_string());
    let client = Client::try_from(config).with_context(|| format!("the configuration of {place} cannot be used"))?;
    Ok(Connection { client, namespace, place })
}

/// As [`connect`], and asks as this user, whom the caller must be allowed to impersonate.
///
/// # Errors
/// As [`connect`].
pub async fn connect_as(kube: &Kube, user: &str) -> anyhow::Result<Client> {
    let mut config = config(kube).await?;
    config.connect_timeout = Some(CONNECT_MAX);
    config.auth_info.impersonate = Some(user.into());
    Client::try_from(config).context("the configuration cannot be used")
}

async fn config(kube: &Kube) -> anyhow::Result<Config> {
    let options = KubeConfigOptions { context: kube.context.clone(), ..KubeConfigOptions::default() };
    let (file, what) = match (&kube.kubeconfig, std::env::var_os("KUBECONFIG")) {
        (Some(path), _) => (Kubeconfig::read_from(path), format!("--kubeconfig: {}", path.display())),
        (None, Some(paths)) => (Kubeconfig::read(), format!("KUBECONFIG: {}", paths.to_string_lossy())),
        (None, None) if std::env::var_os(IN_CLUSTER).is_some() => {
            return Config::incluster().context(
                "this pod has no ServiceAccount token; let its spec mount one (automountServiceAccountToken), or name a \
                 kubeconfig with --kubeconfig",
            );
        }
        (None, None) => (Kubeconfig::read(), "~/.kube/config".to_owned()),
    };
    let file = match file {
        Ok(file) => file,
        Err(error) => bail!("{what} cannot be read: {error}; name a kubeconfig with --kubeconfig"),
    };
    Config::from_custom_kubeconfig(file, &options)
        .await
        .with_context(|| format!("{what} names no API server that can be used; check --context and the file"))
}
