//! With what the controller's own objects go: the garbage collector of the cluster takes them away when the one that
//! owns them is gone, so that nothing of an uninstalled release is left.
//!
//! An owner is told when an object is made and never afterwards: changing owners needs the right to delete. While one
//! is told that is not there (any more), nothing is made: a release that is being taken away is not built up again.

use super::{checks::Right, connect::said};
use anyhow::{Context, ensure};
use k8s_openapi::{
    api::{apps::v1::Deployment, rbac::v1::ClusterRole},
    apimachinery::pkg::apis::meta::v1::OwnerReference,
};
use kube::{Api, Client, Resource, ResourceExt};
use serde::de::DeserializeOwned;
use std::fmt::Debug;

/// The objects with which ours go, as far as some are told.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Owners {
    /// The Deployment of the Lease's namespace with which the Lease and the webhook's Secret go.
    pub deployment: Option<String>,
    /// The ClusterRole with which the webhook's registration goes: what is in no namespace has no owner in one.
    pub cluster_role: Option<String>,
}

impl Owners {
    /// What it needs to be allowed.
    pub fn rights(&self, namespace: &str) -> Vec<Right> {
        let deployment = self.deployment.iter().map(|name| Right {
            verb: "get",
            group: "apps",
            resource: "deployments".into(),
            namespace: Some(namespace.into()),
            name: Some(name.clone()),
        });
        let role = self.cluster_role.iter().map(|name| Right {
            verb: "get",
            group: "rbac.authorization.k8s.io",
            resource: "clusterroles".into(),
            namespace: None,
            name: Some(name.clone()),
        });
        deployment.chain(role).collect()
    }

    /// The owners of an object that is made in the Lease's namespace.
    ///
    /// # Errors
    /// When one is told and not there, or cannot be read.
    pub async fn within(&self, client: &Client, namespace: &str) -> anyhow::Result<Option<Vec<OwnerReference>>> {
        let Some(name) = &self.deployment else { return Ok(None) };
        let api: Api<Deployment> = Api::namespaced(client.clone(), namespace);
        of(&api, name, "--owner-deployment").await.map(|owner| Some(vec![owner]))
    }

    /// The owners of an object that is made outside of namespaces.
    ///
    /// # Errors
    /// As [`Owners::within`].
    pub async fn outside(&self, client: &Client) -> anyhow::Result<Option<Vec<OwnerReference>>> {
        let Some(name) = &self.cluster_role else { return Ok(None) };
        let api: Api<ClusterRole> = Api::all(client.clone());
        of(&api, name, "--owner-cluster-role").await.map(|owner| Some(vec![owner]))
    }
}

async fn of<K>(api: &Api<K>, name: &str, flag: &str) -> anyhow::Result<OwnerReference>
where
    K: Resource<DynamicType = ()> + Clone + DeserializeOwned + Debug,
{
    let told = || format!("{flag}: the {} {name}", K::kind(&()));
    let found = api.get_metadata_opt(name).await.map_err(said).with_context(|| format!("{} cannot be read", told()))?;
    let found = found.filter(|found| found.meta().deletion_timestamp.is_none());
    ensure!(
        found.is_some(),
        "{} is not there, and what goes with it is not made without it; name the one that runs this controller, or \
         leave the flag away",
        told()
    );
    let uid = found.and_then(|found| found.uid()).with_context(|| format!("{} has no uid", told()))?;
    // Whoever deletes the owner does not wait for us: that would need a right on its finalizers.
    Ok(OwnerReference {
        api_version: K::api_version(&()).into_owned(),
        kind: K::kind(&()).into_owned(),
        name: name.into(),
        uid,
        ..OwnerReference::default()
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn to_read_an_owner_is_asked_for_where_one_is_told_and_for_that_one_alone() {
        assert_eq!(Owners::default().rights("n"), []);
        let owners = Owners { deployment: Some("d".into()), cluster_role: Some("r".into()) };
        let told: Vec<_> =
            owners.rights("n").into_iter().map(|right| (right.verb, right.namespace, right.name)).collect();
        assert_eq!(told, [("get", Some("n".into()), Some("d".into())), ("get", None, Some("r".into()))]);
    }
}
