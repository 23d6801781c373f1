//! `fanfare suspend` and `fanfare resume`: break-glass, by an annotation that no Git holds and no GitOps tool drops.

use crate::clock::WallClock;
use anyhow::{Context, bail};
use fanfare_core::{model::Kind, time::Clock};
use fanfare_reconcile::observe::RESUMED;
use kube::{
    Api, Client, Config,
    api::{Patch, PatchParams},
    config::{KubeConfigOptions, Kubeconfig},
    core::DynamicObject,
};
use serde_json::{Value, json};
use std::{
    path::{Path, PathBuf},
    process::ExitCode,
};

/// The annotation that suspends; its value is the reason.
pub const SUSPENDED: &str = "fanfare.dev/suspended";
/// The field manager of what a person does by hand.
pub const MANAGER: &str = "fanfare-cli";
/// The longest reason.
const REASON_MAX: usize = 500;

/// What to suspend and why.
#[derive(Debug, clap::Args)]
pub struct SuspendArgs {
    /// The campaign's name.
    pub name: String,
    /// Why, for those who look later.
    #[arg(long)]
    pub reason: String,
    #[command(flatten)]
    target: Target,
}

/// What to let go on.
#[derive(Debug, clap::Args)]
pub struct ResumeArgs {
    /// The campaign's name.
    pub name: String,
    #[command(flatten)]
    target: Target,
}

/// Which API server and namespace.
#[derive(Debug, clap::Args)]
pub struct Target {
    /// The data folder of `fanfare up` [default: `.fanfare`, and where there is none, what `KUBECONFIG` names].
    #[arg(long, value_name = "FOLDER")]
    data: Option<PathBuf>,
    /// The namespace, where it is not the kubeconfig's.
    #[arg(long, short)]
    namespace: Option<String>,
}

/// Suspends a campaign.
pub async fn suspend(args: &SuspendArgs) -> anyhow::Result<ExitCode> {
    let reason = args.reason.trim();
    if reason.is_empty() || reason.chars().count() > REASON_MAX {
        bail!("--reason: must have 1 to {REASON_MAX} characters; say in a sentence why the campaign stops");
    }
    annotate(Kind::Campaign, &args.name, &args.target, json!({ SUSPENDED: reason })).await?;
    outln!(
        "campaign {} is suspended; issued vouchers still redeem. `fanfare resume {}` lets it go on",
        args.name,
        args.name
    );
    Ok(ExitCode::SUCCESS)
}

/// Lets a campaign go on.
pub async fn resume(args: &ResumeArgs) -> anyhow::Result<ExitCode> {
    let now = WallClock.now().to_rfc3339();
    annotate(Kind::Campaign, &args.name, &args.target, json!({ SUSPENDED: null, RESUMED: now })).await?;
    outln!("campaign {} is no longer suspended, neither by hand nor by its budget", args.name);
    Ok(ExitCode::SUCCESS)
}

/// Writes annotations on a resource by hand; `null` removes one.
///
/// # Errors
/// When there is no such resource, or the API server does not take it.
pub async fn annotate(kind: Kind, name: &str, target: &Target, annotations: Value) -> anyhow::Result<()> {
    let api = objects(target, kind).await?;
    let patch = json!({ "metadata": { "annotations": annotations } });
    let params = PatchParams { field_manager: Some(MANAGER.into()), ..PatchParams::default() };
    match api.patch(name, &params, &Patch::Merge(&patch)).await {
        Ok(_) => Ok(()),
        Err(kube::Error::Api(status)) if status.code == 404 => {
            let plural = fanfare_reconcile::plural(kind);
            let one = if kind == Kind::Campaign { "campaign" } else { kind.as_str() };
            bail!("there is no {one} {name:?}; `kubectl get {plural}` lists them")
        }
        Err(error) => Err(error).context("the Kubernetes API did not take the change"),
    }
}

/// The objects of a kind.
pub(super) async fn objects(target: &Target, kind: Kind) -> anyhow::Result<Api<DynamicObject>> {
    let kubeconfig = kubeconfig(target.data.as_deref())?;
    let config = Config::from_custom_kubeconfig(kubeconfig, &KubeConfigOptions::default()).await?;
    let namespace = target.namespace.clone().unwrap_or_else(|| config.default_namespace.clone());
    let client = Client::try_from(config)?;
    Ok(Api::namespaced_with(client, &namespace, &fanfare_reconcile::api_resource(kind)))
}

/// A folder that is named must be one: what stops a campaign must not stop another one elsewhere instead.
fn kubeconfig(data: Option<&Path>) -> anyhow::Result<Kubeconfig> {
    let file = data.unwrap_or(Path::new(".fanfare")).join("kubeconfig");
    match data {
        Some(folder) if !file.exists() => {
            bail!("--data: {} is no data folder of `fanfare up`; it has no kubeconfig", folder.display())
        }
        None if !file.exists() => Kubeconfig::read().with_context(|| {
            format!(
                "there is no {} and no kubeconfig; name the data folder of `fanfare up` with --data",
                file.display()
            )
        }),
        _ => Kubeconfig::read_from(&file).with_context(|| format!("{} cannot be read", file.display())),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_data_folder_that_is_named_and_not_there_is_an_error_and_never_another_cluster() {
        let error = kubeconfig(Some(Path::new("/nowhere/.fanfare"))).unwrap_err().to_string();
        assert!(error.starts_with("--data: /nowhere/.fanfare is no data folder"), "{error}");
    }
}
