//! `fanfare controller`: the reconcilers on a Kubernetes API server, with a shared database.

use crate::{
    control::{
        connect::Kube,
        owner::Owners,
        run,
        webhook::{
            register::{FailurePolicy, Place},
            run::{Own, Source},
        },
    },
    database::Address,
};
use anyhow::{bail, ensure};
use fanfare_core::lease::Terms;
use fanfare_reconcile::Scope;
use std::{net::SocketAddr, path::PathBuf, process::ExitCode, time::Duration};

/// The name of a namespace is a DNS label.
const NAMESPACE_MAX: usize = 63;

/// What to look after and how.
#[derive(Clone, Debug, clap::Args)]
pub struct Args {
    #[command(flatten)]
    pub kube: Kube,
    /// The database, such as postgres://fanfare@db.internal/fanfare. Give its password in PGPASSWORD, or the whole address
    /// in the environment: arguments can be read by others on the machine.
    #[arg(long, env = "FANFARE_DATABASE_URL", hide_env_values = true, value_name = "URL")]
    pub database: Address,
    /// The namespaces to look after, separated by commas [default: all].
    #[arg(long, env = "FANFARE_WATCH_NAMESPACES", value_name = "NAMES", value_delimiter = ',')]
    pub watch_namespaces: Vec<String>,
    /// The address of /healthz, /readyz and /metrics; port 0 picks one.
    #[arg(long, env = "FANFARE_LISTEN", default_value = "127.0.0.1:8081", value_name = "ADDR")]
    pub listen: SocketAddr,
    /// Apply the CustomResourceDefinitions where the API server lacks some.
    #[arg(long)]
    pub install_crds: bool,
    /// The Lease by which replicas agree on a leader.
    #[arg(long, default_value = "fanfare-controller", value_name = "NAME")]
    pub lease: String,
    /// The Lease's namespace [default: the pod's, or the kubeconfig's].
    #[arg(long, env = "FANFARE_LEASE_NAMESPACE", value_name = "NAMESPACE")]
    pub lease_namespace: Option<String>,
    /// The Deployment that runs the controller, in the Lease's namespace: the Lease and the webhook's Secret go when it goes.
    #[arg(long, value_name = "NAME")]
    pub owner_deployment: Option<String>,
    /// A ClusterRole of the controller: the webhook's registration, which is in no namespace, goes when it goes.
    #[arg(long, value_name = "NAME")]
    pub owner_cluster_role: Option<String>,
    /// How long a leader that is silent keeps the Lease.
    #[arg(long, default_value_t = 15, value_name = "SECONDS", value_parser = clap::value_parser!(u64).range(3..=300))]
    pub lease_seconds: u64,
    /// The address of the HTTP API as its callers know it, for the status; `{namespace}` in it stands for the namespace.
    #[arg(long, env = "FANFARE_RUNTIME_URL", value_name = "URL")]
    pub runtime_url: Option<String>,
    #[command(flatten)]
    pub webhook: Webhook,
}

/// The admission webhook.
#[derive(Clone, Debug, clap::Args)]
pub struct Webhook {
    /// Serve the admission webhook here; port 0 picks one.
    #[arg(long, value_name = "ADDR")]
    pub webhook_listen: Option<SocketAddr>,
    /// The Service by which API servers reach it. The controller then makes the certificate and registers the webhook.
    #[arg(long, value_name = "NAMESPACE/NAME[:PORT]", requires = "webhook_listen", value_parser = service)]
    pub webhook_service: Option<Place>,
    /// The address by which API servers reach it, such as https://127.0.0.1:9443, in place of a Service.
    #[arg(long, value_name = "URL", requires = "webhook_listen", conflicts_with = "webhook_service", value_parser = url)]
    pub webhook_url: Option<Place>,
    /// A folder with `tls.crt` and `tls.key` that another keeps, such as cert-manager, in place of the controller's own.
    #[arg(long, value_name = "FOLDER", requires = "webhook_listen", conflicts_with_all = ["webhook_service", "webhook_url"])]
    pub webhook_certificates: Option<PathBuf>,
    /// The Secret that keeps the controller's own certificate, in the Lease's namespace.
    #[arg(long, default_value = "fanfare-webhook", value_name = "NAME")]
    pub webhook_secret: String,
    /// The ValidatingWebhookConfiguration that the controller applies.
    #[arg(long, default_value = "fanfare-controller", value_name = "NAME")]
    pub webhook_name: String,
    /// What happens to resources while the webhook does not answer.
    #[arg(long, value_enum, ignore_case = true, default_value_t = FailurePolicy::Ignore)]
    pub webhook_failure_policy: FailurePolicy,
}

impl Webhook {
    fn wanted(self) -> anyhow::Result<Option<(SocketAddr, Source)>> {
        let Self {
            webhook_listen: Some(listen),
            webhook_service,
            webhook_url,
            webhook_certificates,
            webhook_secret: secret,
            webhook_name: name,
            webhook_failure_policy: policy,
        } = self
        else {
            return Ok(None);
        };
        let source = match (webhook_service.or(webhook_url), webhook_certificates) {
            (Some(place), _) => Source::Own(Own { secret, place, name, policy }),
            (None, Some(folder)) => Source::Files(folder),
            (None, None) => bail!(
                "--webhook-listen: API servers have to be told where it is, and to trust it; give --webhook-service, \
                 --webhook-url or --webhook-certificates"
            ),
        };
        Ok(Some((listen, source)))
    }
}

fn service(text: &str) -> Result<Place, String> {
    let wrong = || "write NAMESPACE/NAME or NAMESPACE/NAME:PORT".to_owned();
    let (namespace, rest) = text.split_once('/').ok_or_else(wrong)?;
    let (name, port) = match rest.split_once(':') {
        Some((name, port)) => (name, port.parse().map_err(|_| wrong())?),
        None => (rest, 443),
    };
    if namespace.is_empty() || name.is_empty() {
        return Err(wrong());
    }
    Ok(Place::Service(namespace.into(), name.into(), port))
}

fn url(text: &str) -> Result<Place, String> {
    if !text.starts_with("https://") {
        return Err("API servers call webhooks by https:// alone".into());
    }
    Ok(Place::Url(text.into()))
}

/// Runs until it is asked to end.
pub async fn run(args: Args) -> anyhow::Result<ExitCode> {
    let Args {
        kube,
        database,
        watch_namespaces,
        listen,
        install_crds,
        lease,
        lease_namespace,
        owner_deployment,
        owner_cluster_role,
        lease_seconds,
        runtime_url,
        webhook,
    } = args;
    let wanted = run::Wanted {
        kube,
        database,
        scope: scope(&watch_namespaces)?,
        listen,
        install_crds,
        lease: (lease_namespace, lease),
        owners: Owners { deployment: owner_deployment, cluster_role: owner_cluster_role },
        terms: Terms { lasts: Duration::from_secs(lease_seconds) },
        runtime_url,
        webhook: webhook.wanted()?,
    };
    run::run(wanted).await
}

/// The namespaces that are looked after; all where none is named.
///
/// # Errors
/// When a name cannot be one.
pub fn scope(named: &[String]) -> anyhow::Result<Scope> {
    if named.is_empty() {
        return Ok(Scope::All);
    }
    for name in named {
        let is_name = !name.is_empty()
            && name.len() <= NAMESPACE_MAX
            && name.bytes().all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-');
        ensure!(is_name, "--watch-namespaces: {name:?} is no name of a namespace; write names such as brand-a,brand-b");
    }
    Ok(Scope::Only(named.iter().cloned().collect()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_namespace_named_means_all_and_a_wrong_name_is_an_error() {
        assert_eq!(scope(&[]).unwrap(), Scope::All);
        assert_eq!(scope(&["a".into(), "b-2".into()]).unwrap(), Scope::Only(["a".into(), "b-2".into()].into()));
        for wrong in ["", "A", "a b", "a/b"] {
            let error = scope(&[wrong.into()]).unwrap_err().to_string();
            assert!(error.starts_with("--watch-namespaces: "), "{error}");
        }
    }
}
