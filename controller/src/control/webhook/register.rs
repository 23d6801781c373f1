//! Tells the API server of the webhook: one ValidatingWebhookConfiguration, applied by the leader and ours alone.

use super::tls::PATH;
use crate::control::{connect::said, lease::OURS, owner::Owners};
use anyhow::{Context, bail};
use fanfare_core::model::Kind;
use fanfare_reconcile::{GROUP, Scope, VERSION, plural};
use k8s_openapi::api::admissionregistration::v1::ValidatingWebhookConfiguration;
use kube::{
    Api, Client,
    api::{Patch, PatchParams},
};
use serde_json::{Value, json};

/// How long an API server waits for an answer, in seconds.
const TIMEOUT_S: i32 = 5;
/// The name of the one webhook in the configuration.
pub const WEBHOOK: &str = "admission.fanfare.dev";

/// Where API servers find the webhook.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Place {
    /// A Service of the cluster, in this namespace, under this name and port.
    Service(String, String, u16),
    /// An address.
    Url(String),
}

impl Place {
    /// The names that its certificate has to be for.
    pub fn names(&self) -> Vec<String> {
        match self {
            Self::Service(namespace, name, _) => vec![format!("{name}.{namespace}.svc")],
            Self::Url(url) => {
                let host = url.split_once("://").map_or(url.as_str(), |(_, rest)| rest);
                let host = host.split('/').next().unwrap_or_default();
                let host = host.strip_prefix('[').map_or_else(
                    || host.rsplit_once(':').map_or(host, |(host, _)| host),
                    |rest| rest.split(']').next().unwrap_or_default(),
                );
                vec![host.to_owned()]
            }
        }
    }

    fn client_config(&self, bundle: &str) -> Value {
        use base64::{Engine, engine::general_purpose::STANDARD};
        let mut config = match self {
            Self::Service(namespace, name, port) => {
                json!({ "service": { "namespace": namespace, "name": name, "path": PATH, "port": port } })
            }
            Self::Url(url) => json!({ "url": format!("{}{PATH}", url.trim_end_matches('/')) }),
        };
        config["caBundle"] = json!(STANDARD.encode(bundle));
        config
    }
}

/// What happens to objects when the webhook does not answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
pub enum FailurePolicy {
    /// They are stored: reconcile judges them again.
    Ignore,
    /// They are refused.
    Fail,
}

/// The configuration.
pub fn configuration(name: &str, place: &Place, policy: FailurePolicy, scope: &Scope, bundle: &str) -> Value {
    let resources: Vec<&str> = Kind::ALL.into_iter().map(plural).collect();
    let selector = match scope {
        Scope::All => json!({}),
        Scope::Only(named) => json!({ "matchExpressions": [
            { "key": "kubernetes.io/metadata.name", "operator": "In", "values": named }
        ] }),
    };
    json!({
        "apiVersion": "admissionregistration.k8s.io/v1",
        "kind": "ValidatingWebhookConfiguration",
        "metadata": { "name": name, "labels": { OURS.0: OURS.1 } },
        "webhooks": [{
            "name": WEBHOOK,
            "admissionReviewVersions": ["v1"],
            "clientConfig": place.client_config(bundle),
            "failurePolicy": match policy { FailurePolicy::Ignore => "Ignore", FailurePolicy::Fail => "Fail" },
            "matchPolicy": "Equivalent",
            "namespaceSelector": selector,
            "rules": [{
                "apiGroups": [GROUP], "apiVersions": [VERSION], "resources": resources, "scope": "Namespaced",
                "operations": ["CREATE", "UPDATE"],
            }],
            "sideEffects": "None",
            "timeoutSeconds": TIMEOUT_S,
        }],
    })
}

/// Applies it, unless another has one of that name. One that is made goes with its owners.
///
/// # Errors
/// When the API server does not take it, it is somebody else's, or the owners cannot be told.
pub async fn apply(client: &Client, name: &str, mut wanted: Value, owners: &Owners) -> anyhow::Result<()> {
    let api: Api<ValidatingWebhookConfiguration> = Api::all(client.clone());
    let told = || format!("the ValidatingWebhookConfiguration {name}");
    let found = api.get_opt(name).await.map_err(said).with_context(|| format!("{} cannot be read", told()))?;
    let by = |found: &ValidatingWebhookConfiguration| found.metadata.labels.as_ref()?.get(OURS.0).cloned();
    if found.as_ref().is_some_and(|found| by(found).as_deref() != Some(OURS.1)) {
        bail!(
            "{} belongs to somebody else, since it has no label {}={}; name another with --webhook-name, or delete it",
            told(),
            OURS.0,
            OURS.1
        );
    }
    let owner_references = match found {
        Some(found) => found.metadata.owner_references,
        None => owners.outside(client).await.with_context(|| format!("{} is not made", told()))?,
    };
    if let Some(references) = owner_references {
        wanted["metadata"]["ownerReferences"] = json!(references);
    }
    // What we have applied before is ours to correct.
    let params = PatchParams::apply(OURS.1).force();
    api.patch(name, &params, &Patch::Apply(&wanted))
        .await
        .map_err(said)
        .with_context(|| format!("{} was not applied", told()))?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_is_asked_for_main_resources_without_side_effects_within_5_seconds() {
        let place = Place::Service("fanfare".into(), "webhook".into(), 443);
        let made = configuration("w", &place, FailurePolicy::Ignore, &Scope::All, "PEM");
        let webhook = &made["webhooks"][0];
        assert_eq!(webhook["rules"][0]["operations"], json!(["CREATE", "UPDATE"]));
        assert!(!webhook["rules"][0]["resources"].to_string().contains("status"));
        assert_eq!(
            (&webhook["sideEffects"], &webhook["timeoutSeconds"], &webhook["failurePolicy"]),
            (&json!("None"), &json!(5), &json!("Ignore"))
        );
        assert_eq!(webhook["namespaceSelector"], json!({}));
        let some = configuration("w", &place, FailurePolicy::Fail, &Scope::Only(["a".into()].into()), "PEM");
        assert_eq!(some["webhooks"][0]["namespaceSelector"]["matchExpressions"][0]["values"], json!(["a"]));
    }

    #[test]
    fn the_certificate_is_for_the_name_that_api_servers_call() {
        let names = |url: &str| Place::Url(url.into()).names();
        assert_eq!(Place::Service("ns".into(), "hook".into(), 443).names(), ["hook.ns.svc"]);
        assert_eq!(names("https://127.0.0.1:9443/"), ["127.0.0.1"]);
        assert_eq!(names("https://[::1]:9443"), ["::1"]);
        assert_eq!(names("https://hook.example"), ["hook.example"]);
    }
}
