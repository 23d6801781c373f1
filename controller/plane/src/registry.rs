//! What is served: one [`Resource`] for each group, version and plural, built in or from a CRD.

use std::collections::BTreeMap;
use std::sync::Arc;

use serde_json::{Value, json};

use crate::builtin;
use crate::cel::Rules;
use crate::crd;
use crate::json_path::JsonPath;
use crate::object::{GroupResource, Stored};
use crate::schema::Schema;
use crate::table::Column;
use crate::view;

pub(crate) const CRD_GROUP: &str = "apiextensions.k8s.io";
pub(crate) const CRD_PLURAL: &str = "customresourcedefinitions";

/// Where a resource's schema comes from.
#[derive(Debug)]
pub(crate) enum Origin {
    /// The model of this name.
    Builtin {
        model: &'static str,
    },
    Custom(Box<Custom>),
}

#[derive(Debug)]
pub(crate) struct Custom {
    /// The version of the CRD that this was compiled from.
    pub(crate) crd_version: u64,
    pub(crate) model: String,
    /// `openAPIV3Schema` as written.
    pub(crate) document: Value,
    pub(crate) schema: Schema,
    pub(crate) rules: Option<Rules>,
}

/// One kind of object that is served.
#[derive(Debug)]
pub(crate) struct Resource {
    pub(crate) group: String,
    pub(crate) version: String,
    pub(crate) kind: String,
    pub(crate) list_kind: String,
    pub(crate) plural: String,
    pub(crate) singular: String,
    pub(crate) short_names: Vec<String>,
    pub(crate) categories: Vec<String>,
    pub(crate) namespaced: bool,
    pub(crate) has_status: bool,
    /// Where its objects are: two versions of Event share one store.
    pub(crate) store: GroupResource,
    /// `apiVersion` of what is stored; another version shows it with its own.
    pub(crate) stored_as: String,
    pub(crate) columns: Vec<Column>,
    /// Field label and where it is in the stored object.
    pub(crate) selectable: Vec<(String, JsonPath)>,
    pub(crate) origin: Origin,
}

/// As objects name it: `v1`, `apps/v1`.
pub(crate) fn api_version(group: &str, version: &str) -> String {
    if group.is_empty() { version.to_owned() } else { format!("{group}/{version}") }
}

/// Where it is served: `api/v1`, `apis/apps/v1`.
pub(crate) fn api_path(group: &str, version: &str) -> String {
    if group.is_empty() { format!("api/{version}") } else { format!("apis/{group}/{version}") }
}

impl Resource {
    pub(crate) fn api_version(&self) -> String {
        api_version(&self.group, &self.version)
    }

    /// Group, version and kind, as discovery and OpenAPI name them.
    pub(crate) fn gvk(&self) -> Value {
        json!({"group": self.group, "version": self.version, "kind": self.kind})
    }

    /// `campaigns.fanfare.dev`, as errors name it.
    pub(crate) fn qualified(&self) -> String {
        if self.group.is_empty() { self.plural.clone() } else { format!("{}.{}", self.plural, self.group) }
    }

    /// `Campaign.fanfare.dev`, as validation errors name it.
    pub(crate) fn qualified_kind(&self) -> String {
        if self.group.is_empty() { self.kind.clone() } else { format!("{}.{}", self.kind, self.group) }
    }

    pub(crate) fn is_builtin(&self) -> bool {
        matches!(self.origin, Origin::Builtin { .. })
    }

    pub(crate) fn is_crd(&self) -> bool {
        self.group == CRD_GROUP && self.plural == CRD_PLURAL
    }

    pub(crate) fn is_namespace(&self) -> bool {
        self.group.is_empty() && self.plural == "namespaces"
    }

    /// ConfigMaps and Secrets.
    pub(crate) fn holds_data(&self) -> bool {
        self.is_builtin() && matches!(self.kind.as_str(), "ConfigMap" | "Secret")
    }

    /// Whether objects carry `metadata.generation`.
    pub(crate) fn has_generation(&self) -> bool {
        !self.is_builtin()
            || self.group == "apps"
            || self.is_crd()
            || matches!(self.kind.as_str(), "Pod" | "PodTemplate")
    }

    pub(crate) fn schema(&self) -> &Schema {
        match &self.origin {
            Origin::Builtin { model } => builtin::schema(model),
            Origin::Custom(custom) => &custom.schema,
        }
    }

    /// Whether its definition was written after the object, which is then shown with what the newer one adds and drops.
    pub(crate) fn changed_after(&self, object: &Stored) -> bool {
        matches!(&self.origin, Origin::Custom(custom) if custom.crd_version > object.version)
    }

    pub(crate) fn rules(&self) -> Option<&Rules> {
        match &self.origin {
            Origin::Builtin { .. } => None,
            Origin::Custom(custom) => custom.rules.as_ref(),
        }
    }

    pub(crate) fn is_selectable(&self, label: &str) -> bool {
        self.selectable_path(label).is_some()
    }

    pub(crate) fn selectable_path(&self, label: &str) -> Option<&JsonPath> {
        self.selectable.iter().find(|(l, _)| l == label).map(|(_, path)| path)
    }
}

/// (group, version, plural)
type Path = (String, String, String);

/// Everything that is served at one moment.
#[derive(Debug, Clone)]
pub(crate) struct Registry {
    resources: BTreeMap<Path, Arc<Resource>>,
    /// Changes whenever the answer of discovery or OpenAPI may.
    pub(crate) revision: u64,
}

impl Registry {
    /// The built-in kinds alone.
    pub(crate) fn builtin() -> Self {
        let resources = builtin::resources().into_iter().map(|r| (path_of(&r), Arc::new(r))).collect();
        Self { resources, revision: 0 }
    }

    /// The built-in kinds and those of `crds`, taking from `self` what was compiled from the same version.
    pub(crate) fn with_crds(&self, crds: &[Arc<Stored>]) -> Self {
        let builtin = self.resources.iter().filter(|(_, r)| r.is_builtin());
        let mut next = Self { resources: builtin.map(|(path, r)| (path.clone(), r.clone())).collect(), revision: 0 };
        for stored in crds {
            next.revision = next.revision.max(stored.version);
            let mut known = self.resources.values().filter(|r| match &r.origin {
                Origin::Custom(custom) => custom.crd_version == stored.version,
                Origin::Builtin { .. } => false,
            });
            let compiled = match known.next() {
                Some(resource) => Ok([resource].into_iter().chain(known).cloned().collect()),
                None => compile(stored),
            };
            match compiled {
                Ok(resources) => next.resources.extend(resources.into_iter().map(|r| (path_of(&r), r))),
                // It was valid when it was written, by another version of this program perhaps.
                Err(error) => tracing::error!(crd = %stored.name.name, error, "a CRD is not served"),
            }
        }
        next
    }

    pub(crate) fn get(&self, group: &str, version: &str, plural: &str) -> Option<Arc<Resource>> {
        self.resources.get(&(group.to_owned(), version.to_owned(), plural.to_owned())).cloned()
    }

    pub(crate) fn all(&self) -> impl Iterator<Item = &Arc<Resource>> {
        self.resources.values()
    }

    pub(crate) fn of_group_version(&self, group: &str, version: &str) -> impl Iterator<Item = &Arc<Resource>> {
        self.all().filter(move |r| r.group == group && r.version == version)
    }

    /// The resource that objects of this store are written as.
    pub(crate) fn of_store(&self, store: &GroupResource) -> Option<Arc<Resource>> {
        self.all().filter(|r| r.store == *store).min_by_key(|r| view::applies_to(r)).cloned()
    }

    /// Each group with its versions, the preferred one first.
    pub(crate) fn groups(&self) -> BTreeMap<&str, Vec<&str>> {
        let mut groups: BTreeMap<&str, Vec<&str>> = BTreeMap::new();
        for (group, version, _) in self.resources.keys() {
            let versions = groups.entry(group).or_default();
            if !versions.contains(&version.as_str()) {
                versions.push(version);
            }
        }
        groups.values_mut().for_each(|versions| versions.sort_by_key(|v| std::cmp::Reverse(rank(v))));
        groups
    }
}

/// General versions before betas before alphas, and each newest first, as Kubernetes orders them.
fn rank(version: &str) -> (u8, u32, u32) {
    let rest = version.strip_prefix('v').unwrap_or_default();
    let number = |text: &str| text.parse().unwrap_or(0);
    match (rest.split_once("beta"), rest.split_once("alpha")) {
        (Some((major, minor)), _) => (2, number(major), number(minor)),
        (None, Some((major, minor))) => (1, number(major), number(minor)),
        (None, None) => (3, number(rest), 0),
    }
}

fn compile(crd: &Stored) -> Result<Vec<Arc<Resource>>, String> {
    let value = crd.value().map_err(|e| e.to_string())?;
    let resources = crd::compile(&value, crd.version).map_err(|errors| format!("{errors:?}"))?;
    Ok(resources.into_iter().map(Arc::new).collect())
}

fn path_of(resource: &Resource) -> Path {
    (resource.group.clone(), resource.version.clone(), resource.plural.clone())
}

#[cfg(test)]
impl Resource {
    pub(crate) fn for_test(group: &str, kind: &str, plural: &str) -> Self {
        Self {
            group: group.into(),
            version: "v1".into(),
            kind: kind.into(),
            list_kind: format!("{kind}List"),
            plural: plural.into(),
            singular: kind.to_lowercase(),
            short_names: vec![],
            categories: vec![],
            namespaced: true,
            has_status: true,
            store: GroupResource::new(group, plural),
            stored_as: if group.is_empty() { "v1".into() } else { format!("{group}/v1") },
            columns: vec![],
            selectable: vec![],
            origin: Origin::Builtin { model: "io.k8s.api.core.v1.ConfigMap" },
        }
    }
}
