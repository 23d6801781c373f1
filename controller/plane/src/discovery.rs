//! Discovery: `/version`, `/api`, `/apis`, resource lists, and the aggregated form in v2 and v2beta1.

use base64::Engine;
use serde_json::{Value, json};
use sha2::{Digest, Sha256};

use crate::registry::{Registry, Resource, api_version};
use crate::status::without_empty;

/// The Kubernetes minor version whose behaviour the plane follows.
const MINOR: u32 = 33;
const VERBS: &[&str] = &["create", "delete", "deletecollection", "get", "list", "patch", "update", "watch"];
/// Upstream lists those of custom kinds in another order.
const CUSTOM_VERBS: &[&str] = &["delete", "deletecollection", "get", "list", "patch", "create", "update", "watch"];
const STATUS_VERBS: &[&str] = &["get", "patch", "update"];

pub(crate) fn version() -> Value {
    json!({
        "major": "1", "minor": MINOR.to_string(), "gitVersion": format!("v1.{MINOR}.0-fanfare"),
        "gitCommit": "", "gitTreeState": "clean", "buildDate": "1970-01-01T00:00:00Z",
        "goVersion": "", "compiler": "rustc", "platform": "linux/amd64",
    })
}

/// Which half of the API aggregated discovery describes.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) enum Half {
    /// `/api`
    Core,
    /// `/apis`
    Groups,
}

/// The version of aggregated discovery that an Accept header asks for first.
pub(crate) fn aggregated_version(accept: &str) -> Option<&'static str> {
    accept.split(',').filter(|media| media.contains("as=APIGroupDiscoveryList")).find_map(|media| {
        let asked = media.split(';').find_map(|p| p.trim().strip_prefix("v="))?;
        ["v2", "v2beta1"].into_iter().find(|served| *served == asked)
    })
}

pub(crate) fn aggregated(registry: &Registry, half: Half, version: &str) -> Value {
    let groups = registry.groups().into_iter().filter(|(g, _)| g.is_empty() == (half == Half::Core));
    let of_version = |group: &str, version: &str| {
        let resources: Vec<Value> = registry.of_group_version(group, version).map(|r| aggregated_resource(r)).collect();
        json!({"version": version, "freshness": "Current", "resources": resources})
    };
    let of_group = |(group, versions): (&str, Vec<&str>)| {
        let versions: Vec<Value> = versions.iter().map(|version| of_version(group, version)).collect();
        let metadata = without_empty(json!({"creationTimestamp": null, "name": group}));
        json!({"metadata": metadata, "versions": versions})
    };
    json!({
        "kind": "APIGroupDiscoveryList", "apiVersion": format!("apidiscovery.k8s.io/{version}"),
        "metadata": {}, "items": groups.map(of_group).collect::<Vec<_>>(),
    })
}

fn aggregated_resource(r: &Resource) -> Value {
    let mut value = json!({
        "resource": r.plural, "responseKind": r.gvk(), "singularResource": r.singular, "verbs": verbs(r),
        "scope": if r.namespaced { "Namespaced" } else { "Cluster" },
    });
    add_names(&mut value, r);
    if r.has_status {
        value["subresources"] = json!([{"subresource": "status", "responseKind": r.gvk(), "verbs": STATUS_VERBS}]);
    }
    value
}

fn verbs(r: &Resource) -> &'static [&'static str] {
    if r.is_builtin() { VERBS } else { CUSTOM_VERBS }
}

/// As upstream makes it: clients compare it to see that the stored version changed.
fn storage_hash(r: &Resource) -> String {
    // That of CRDs is stored in its first version upstream.
    let stored_as = if r.is_crd() { "apiextensions.k8s.io/v1beta1" } else { &r.stored_as };
    let core = if stored_as.contains('/') { "" } else { "/" };
    let digest = Sha256::digest(format!("{core}{stored_as}/{}", r.kind));
    base64::engine::general_purpose::STANDARD.encode(&digest[..8])
}

fn add_names(value: &mut Value, r: &Resource) {
    if !r.short_names.is_empty() {
        value["shortNames"] = json!(r.short_names);
    }
    if !r.categories.is_empty() {
        value["categories"] = json!(r.categories);
    }
}

pub(crate) fn core_versions() -> Value {
    json!({"kind": "APIVersions", "versions": ["v1"], "serverAddressByClientCIDRs": []})
}

pub(crate) fn group_list(registry: &Registry) -> Value {
    let groups: Vec<Value> =
        registry.groups().iter().filter(|(g, _)| !g.is_empty()).map(|(g, v)| group_fields(g, v)).collect();
    json!({"kind": "APIGroupList", "apiVersion": "v1", "groups": groups})
}

pub(crate) fn group(registry: &Registry, name: &str) -> Option<Value> {
    let groups = registry.groups();
    let mut value = group_fields(name, groups.get(name)?);
    value["kind"] = json!("APIGroup");
    value["apiVersion"] = json!("v1");
    Some(value)
}

fn group_fields(group: &str, versions: &[&str]) -> Value {
    let versions: Vec<Value> =
        versions.iter().map(|v| json!({"groupVersion": format!("{group}/{v}"), "version": v})).collect();
    json!({"name": group, "versions": versions, "preferredVersion": versions[0]})
}

/// `None` when nothing of this group and version is served.
pub(crate) fn resource_list(registry: &Registry, group: &str, version: &str) -> Option<Value> {
    let mut resources = Vec::new();
    for r in registry.of_group_version(group, version) {
        let mut value = json!({
            "name": r.plural, "singularName": r.singular, "namespaced": r.namespaced, "kind": r.kind, "verbs": verbs(r),
            "storageVersionHash": storage_hash(r),
        });
        add_names(&mut value, r);
        resources.push(value);
        if r.has_status {
            resources.push(json!({
                "name": format!("{}/status", r.plural), "singularName": "", "namespaced": r.namespaced,
                "kind": r.kind, "verbs": STATUS_VERBS,
            }));
        }
    }
    let group_version = api_version(group, version);
    let list =
        json!({"kind": "APIResourceList", "apiVersion": "v1", "groupVersion": group_version, "resources": resources});
    (!resources.is_empty()).then_some(list)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_version_of_aggregated_discovery_is_the_first_that_is_known() {
        let v2 = "application/json;g=apidiscovery.k8s.io;v=v2;as=APIGroupDiscoveryList";
        let beta = "application/json;g=apidiscovery.k8s.io;v=v2beta1;as=APIGroupDiscoveryList";
        assert_eq!(aggregated_version(&format!("{v2},{beta},application/json")), Some("v2"));
        assert_eq!(aggregated_version(&format!("{beta},application/json")), Some("v2beta1"));
        assert_eq!(aggregated_version("application/json"), None);
    }

    #[test]
    fn a_group_that_is_not_served_has_no_list() {
        let registry = Registry::builtin();
        assert!(resource_list(&registry, "rbac.authorization.k8s.io", "v1").is_none());
        assert!(resource_list(&registry, "", "v1").is_some());
    }
}
