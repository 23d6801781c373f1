//! `fanfare doctor`: what is wrong with an installation.

use super::{audit::Output, controller::scope};
use crate::{
    clock::WallClock,
    control::connect::Kube,
    database::Address,
    doctor::{cluster, database, folder, report, runtime},
};
use anyhow::{Context, ensure};
use fanfare_core::time::Clock;
use std::{path::PathBuf, process::ExitCode};

/// What to look at. At least one of a folder, a kubeconfig, a database and a runtime.
#[derive(Clone, Debug, clap::Args)]
pub struct Args {
    /// A folder of `fanfare up`.
    pub dir: Option<PathBuf>,
    /// Its data folder; by default `.fanfare` in DIR.
    #[arg(long, value_name = "FOLDER", requires = "dir")]
    pub data: Option<PathBuf>,
    /// The kubeconfig of a cluster with a `fanfare controller`.
    #[arg(long, value_name = "FILE")]
    pub kubeconfig: Option<PathBuf>,
    /// The context in it, or in the kubeconfig that KUBECONFIG names.
    #[arg(long, value_name = "NAME")]
    pub context: Option<String>,
    /// Look at the cluster that this pod runs in, or that KUBECONFIG names.
    #[arg(long)]
    pub cluster: bool,
    /// The namespaces that the controller looks after, separated by commas [default: all].
    #[arg(long, env = "FANFARE_WATCH_NAMESPACES", value_name = "NAMES", value_delimiter = ',')]
    pub watch_namespaces: Vec<String>,
    /// The controllers' Lease.
    #[arg(long, default_value = "fanfare-controller", value_name = "NAME")]
    pub lease: String,
    /// The Lease's namespace [default: the kubeconfig's, or the pod's].
    #[arg(long, env = "FANFARE_LEASE_NAMESPACE", value_name = "NAMESPACE")]
    pub lease_namespace: Option<String>,
    /// The controllers' ValidatingWebhookConfiguration.
    #[arg(long, default_value = "fanfare-controller", value_name = "NAME")]
    pub webhook_name: String,
    /// Ask for the permissions of this ServiceAccount, which the caller must be allowed to impersonate, in place of the
    /// caller's.
    #[arg(long, value_name = "NAMESPACE/NAME", value_parser = account)]
    pub service_account: Option<String>,
    /// The shared database. Give its password in PGPASSWORD, or the whole address in the environment: arguments can be read
    /// by others on the machine.
    #[arg(long, env = "FANFARE_DATABASE_URL", hide_env_values = true, value_name = "URL")]
    pub database: Option<Address>,
    /// A runtime's address; may be given several times.
    #[arg(long, value_name = "URL")]
    pub runtime_url: Vec<String>,
    /// How the result is printed.
    #[arg(long, value_enum, default_value_t = Output::Text)]
    pub output: Output,
}

/// A ServiceAccount as the API server calls it.
fn account(text: &str) -> Result<String, String> {
    match text.split_once('/') {
        Some((namespace, name)) if !namespace.is_empty() && !name.is_empty() && !name.contains('/') => {
            Ok(format!("system:serviceaccount:{namespace}:{name}"))
        }
        _ => Err("write NAMESPACE/NAME, such as fanfare/fanfare".into()),
    }
}

/// Looks at what was named; the exit code is 1 when something failed.
pub async fn run(args: Args) -> anyhow::Result<ExitCode> {
    let Args {
        dir,
        data,
        kubeconfig,
        context,
        cluster: is_cluster,
        watch_namespaces,
        lease,
        lease_namespace,
        webhook_name,
        service_account,
        database,
        runtime_url,
        output,
    } = args;
    let is_cluster = is_cluster || kubeconfig.is_some() || context.is_some();
    ensure!(
        dir.is_some() || is_cluster || database.is_some() || !runtime_url.is_empty(),
        "nothing is named to look at; name the folder of a `fanfare up`, or --kubeconfig, --database or --runtime-url"
    );
    let mut findings = Vec::new();
    if let Some(dir) = dir {
        ensure!(dir.is_dir(), "{} is not a folder; name one that `fanfare up` runs on", dir.display());
        findings.extend(folder::look(&dir, data, WallClock.now()).await);
    }
    if is_cluster {
        let wanted = cluster::Wanted {
            kube: Kube { kubeconfig, context },
            scope: scope(&watch_namespaces)?,
            lease: (lease_namespace, lease),
            webhook: webhook_name,
            account: service_account,
        };
        findings.extend(cluster::look(&wanted, WallClock.now()).await);
    }
    if let Some(address) = database {
        findings.extend(database::look(&address).await);
    }
    for url in runtime_url {
        findings.extend(runtime::look(&url).await);
    }
    match output {
        Output::Text => out!("{}", report::text(&findings)),
        Output::Json => {
            let text =
                serde_json::to_string_pretty(&report::json(&findings)).context("the findings cannot be written")?;
            outln!("{text}");
        }
    }
    Ok(if report::is_well(&findings) { ExitCode::SUCCESS } else { ExitCode::from(1) })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_service_account_is_named_by_namespace_and_name() {
        assert_eq!(account("ns/name"), Ok("system:serviceaccount:ns:name".into()));
        for wrong in ["name", "/name", "ns/", "a/b/c"] {
            assert!(account(wrong).is_err(), "{wrong}");
        }
    }
}
