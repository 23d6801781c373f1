//! Looks again and again whether what the controller needs is there, and says what is not: verb and resource, kind by
//! kind. It makes nothing but the CustomResourceDefinitions, and those only when it is told to.

use super::{
    connect::said,
    health::{Health, Part},
};
use anyhow::Context;
use fanfare_core::model::Kind;
use fanfare_reconcile::{GROUP, Scope, VERSION, plural};
use fanfare_store::Store;
use k8s_openapi::{
    api::authorization::v1::{ResourceAttributes, SelfSubjectAccessReview, SelfSubjectAccessReviewSpec},
    apiextensions_apiserver::pkg::apis::apiextensions::v1::CustomResourceDefinition,
};
use kube::{
    Api, Client,
    api::{Patch, PatchParams, PostParams},
};
use std::{sync::Arc, time::Duration};
use tokio::time::Instant;

/// How often it is looked at what is there.
const LOOK_EVERY: Duration = Duration::from_secs(3);
/// How often permissions are asked for again: they rarely change, and each is a call.
const ASK_EVERY: Duration = Duration::from_secs(60);
/// The same while something was not allowed.
const ASK_AGAIN: Duration = Duration::from_secs(10);
/// How long a look may take.
const LOOK_MAX: Duration = Duration::from_secs(5);

/// One thing that has to be allowed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Right {
    /// Such as `list`.
    pub verb: &'static str,
    /// The API group, empty for core.
    pub group: &'static str,
    /// The plural, with `/status` where that is meant.
    pub resource: String,
    /// In which namespace; `None` is in all, or outside of any.
    pub namespace: Option<String>,
    /// On which object; `None` is on all.
    pub name: Option<String>,
}

impl Right {
    fn told(&self) -> String {
        let group = if self.group.is_empty() { String::new() } else { format!(".{}", self.group) };
        let place = self.namespace.as_ref().map_or_else(|| "in the cluster".into(), |ns| format!("in {ns}"));
        format!("{} {}{group} {place}", self.verb, self.resource)
    }
}

/// What the reconcilers need to be allowed.
pub fn rights(scope: &Scope) -> Vec<Right> {
    let mut rights = Vec::new();
    for namespace in scope.watched() {
        let right =
            |verb, group, resource: String| Right { verb, group, resource, namespace: namespace.clone(), name: None };
        for kind in Kind::ALL {
            rights.push(right("list", GROUP, plural(kind).into()));
            rights.push(right("watch", GROUP, plural(kind).into()));
            rights.push(right("patch", GROUP, format!("{}/status", plural(kind))));
        }
        rights.push(right("create", "events.k8s.io", "events".into()));
        rights.push(right("patch", "events.k8s.io", "events".into()));
    }
    rights
}

/// What the Lease needs to be allowed.
pub fn lease_rights(namespace: &str, name: &str) -> Vec<Right> {
    let right = |verb, named: bool| Right {
        verb,
        group: "coordination.k8s.io",
        resource: "leases".into(),
        namespace: Some(namespace.into()),
        name: named.then(|| name.into()),
    };
    vec![right("get", true), right("update", true), right("create", false)]
}

/// Looks at the API server, its kinds and what it allows, until it is dropped.
pub async fn follow_api(client: Client, place: String, rights: Vec<Right>, install: bool, health: Health) {
    let mut ask_at = Instant::now();
    // A newer controller brings newer definitions: they are applied once, however many there are, and whenever some are gone.
    let mut is_new = install;
    loop {
        match within(look(&client, install, &mut is_new)).await {
            Ok(missing) => {
                health.set(Part::ApiServer, None);
                health.set(Part::Crds, missing);
            }
            Err(error) => {
                health
                    .set(Part::ApiServer, Some(format!("{place} does not answer: {error:#}; check address and login")));
            }
        }
        if ask_at <= Instant::now()
            && let Ok(denied) = within(denied(&client, &rights)).await
        {
            ask_at = Instant::now() + if denied.is_empty() { ASK_EVERY } else { ASK_AGAIN };
            let fault = (!denied.is_empty()).then(|| {
                format!("not allowed to {}; grant it in the role of this ServiceAccount or user", denied.join(", "))
            });
            health.set(Part::Permissions, fault);
        }
        tokio::time::sleep(LOOK_EVERY).await;
    }
}

/// Looks whether the database answers, until it is dropped.
pub async fn follow_database(store: Arc<dyn Store>, health: Health) {
    loop {
        let answer = within(async { Ok(store.ping().await?) }).await;
        health.set(Part::Database, answer.err().map(|error| format!("{error:#}")));
        tokio::time::sleep(LOOK_EVERY).await;
    }
}

/// What comes of a look, or that none came in time.
///
/// # Errors
/// The look's.
pub async fn within<T>(look: impl Future<Output = anyhow::Result<T>>) -> anyhow::Result<T> {
    tokio::time::timeout(LOOK_MAX, look).await.with_context(|| format!("no answer in {} s", LOOK_MAX.as_secs()))?
}

/// The kinds that the API server does not serve, in a sentence.
async fn look(client: &Client, install: bool, is_new: &mut bool) -> anyhow::Result<Option<String>> {
    client.apiserver_version().await.map_err(said)?;
    let mut missing = missing(client).await?;
    if *is_new || !missing.is_empty() && install {
        let installed = install_crds(client).await;
        *is_new = false;
        match installed {
            Ok(()) => {}
            // Whoever manages them has them at another version; the kinds are there.
            Err(error) if missing.is_empty() => tracing::warn!("{error:#}"),
            Err(error) => return Ok(Some(format!("{error:#}"))),
        }
        missing = self::missing(client).await?;
    }
    Ok((!missing.is_empty()).then(|| {
        format!(
            "the API server does not serve {}; apply the CustomResourceDefinitions (`fanfare crds | kubectl apply \
             --server-side -f -`), or start the controller with --install-crds",
            missing.join(", ")
        )
    }))
}

/// The kinds that the API server does not serve.
///
/// # Errors
/// When it does not answer.
pub async fn missing(client: &Client) -> anyhow::Result<Vec<String>> {
    let served = match client.list_api_group_resources(&format!("{GROUP}/{VERSION}")).await {
        Ok(list) => list.resources.into_iter().map(|resource| resource.name).collect(),
        Err(kube::Error::Api(status)) if status.code == 404 => Vec::new(),
        Err(error) => return Err(said(error)),
    };
    let named = |kind: &Kind| !served.iter().any(|served| served == plural(*kind));
    Ok(Kind::ALL.iter().filter(|kind| named(kind)).map(|kind| format!("{}.{GROUP}", plural(*kind))).collect())
}

/// Applies every definition, server-side and without force: fields that another manager holds are not taken over.
///
/// # Errors
/// When one is refused; the others are applied.
pub async fn install_crds(client: &Client) -> anyhow::Result<()> {
    let api: Api<CustomResourceDefinition> = Api::all(client.clone());
    let params = PatchParams::apply(super::lease::OURS.1);
    let mut fault = Ok(());
    for definition in fanfare_crds::generate::crds() {
        let name = definition.metadata.name.clone().unwrap_or_default();
        if let Err(error) = api.patch(&name, &params, &Patch::Apply(&definition)).await {
            fault = Err(said(error)).with_context(|| {
                format!("the CustomResourceDefinition {name} was not applied; apply it with whoever manages it")
            });
        }
    }
    fault
}

/// What of it is not allowed.
///
/// # Errors
/// When the API server does not answer.
pub async fn denied(client: &Client, rights: &[Right]) -> anyhow::Result<Vec<String>> {
    let api: Api<SelfSubjectAccessReview> = Api::all(client.clone());
    let mut denied = Vec::new();
    for right in rights {
        let (resource, subresource) = match right.resource.split_once('/') {
            Some((resource, sub)) => (resource.to_owned(), Some(sub.to_owned())),
            None => (right.resource.clone(), None),
        };
        let attributes = ResourceAttributes {
            verb: Some(right.verb.into()),
            group: Some(right.group.into()),
            resource: Some(resource),
            subresource,
            namespace: right.namespace.clone(),
            name: right.name.clone(),
            ..ResourceAttributes::default()
        };
        let spec = SelfSubjectAccessReviewSpec { resource_attributes: Some(attributes), ..Default::default() };
        let review = SelfSubjectAccessReview { spec, ..SelfSubjectAccessReview::default() };
        match api.create(&PostParams::default(), &review).await {
            Ok(answer) if answer.status.as_ref().is_some_and(|status| status.allowed) => {}
            Ok(_) => denied.push(right.told()),
            // An API server without authorization, such as the embedded one, allows everything.
            Err(kube::Error::Api(status)) if status.code == 404 => return Ok(Vec::new()),
            Err(error) => return Err(said(error)),
        }
    }
    Ok(denied)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_right_is_told_by_verb_resource_and_place() {
        let all = rights(&Scope::All);
        let told: Vec<String> = all.iter().map(Right::told).collect();
        assert!(told.contains(&"patch campaigns/status.fanfare.dev in the cluster".to_owned()), "{told:?}");
        let some = rights(&Scope::Only(["a".into(), "b".into()].into()));
        assert_eq!(some.len(), 2 * all.len());
        assert!(some.iter().any(|right| right.told() == "watch segments.fanfare.dev in b"));
    }
}
