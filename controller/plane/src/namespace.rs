//! Namespaces: the first ones, what each is furnished with, and that objects are created in living ones only.

use serde_json::{Value, json};

use crate::decode::Decoded;
use crate::object::{GroupResource, Key};
use crate::plane::Inner;
use crate::registry::Resource;
use crate::status::ApiError;
use crate::write::Change;

/// Namespaces that every plane has and keeps.
pub(crate) const FIRST: &[&str] = &["default", "kube-system"];
const NO_CA: &str = "The embedded plane serves plain HTTP on loopback: there is no certificate authority.";

/// Makes the first namespaces, and furnishes those that a crash left bare.
pub(crate) async fn create_first(inner: &Inner) -> Result<(), ApiError> {
    for name in FIRST {
        let namespace = json!({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name}});
        ensure(inner, "namespaces", "", name, namespace).await?;
    }
    let namespaces = GroupResource::new("", "namespaces");
    let stored = inner.store.cache.snapshot(&namespaces, None, None, None).map(|s| s.objects).unwrap_or_default();
    for namespace in stored.iter().filter(|n| !n.deleting) {
        furnish(inner, &namespace.name.name).await?;
    }
    Ok(())
}

/// Gives a namespace its `default` ServiceAccount and its `kube-root-ca.crt` ConfigMap.
pub(crate) async fn furnish(inner: &Inner, namespace: &str) -> Result<(), ApiError> {
    let account = json!({"apiVersion": "v1", "kind": "ServiceAccount", "metadata": {"name": "default"}});
    ensure(inner, "serviceaccounts", namespace, "default", account).await?;
    let authority = json!({
        "apiVersion": "v1", "kind": "ConfigMap", "data": {"ca.crt": ""},
        "metadata": {"name": "kube-root-ca.crt", "annotations": {"kubernetes.io/description": NO_CA}},
    });
    ensure(inner, "configmaps", namespace, "kube-root-ca.crt", authority).await
}

async fn ensure(inner: &Inner, plural: &str, namespace: &str, name: &str, object: Value) -> Result<(), ApiError> {
    let key = Key::new(&GroupResource::new("", plural), namespace, name);
    if inner.store.cache.get(&key).is_some() {
        return Ok(());
    }
    let Some(resource) = inner.registry().get("", "v1", plural) else { return Ok(()) };
    let change = Change::Create(Decoded { value: object, duplicates: Vec::new() });
    match inner.write_own(&resource, namespace, name, change).await {
        Err(e) if e.reason != "AlreadyExists" => Err(e),
        _ => Ok(()),
    }
}

/// # Errors
/// 404 when the namespace is not there, 403 when it is being deleted.
pub(crate) fn require_usable(inner: &Inner, resource: &Resource, namespace: &str, name: &str) -> Result<(), ApiError> {
    if namespace.is_empty() {
        return Err(ApiError::bad_request("an empty namespace may not be set during creation"));
    }
    let key = Key::new(&GroupResource::new("", "namespaces"), "", namespace);
    match inner.store.cache.get(&key) {
        None => {
            let why = format!("namespaces \"{namespace}\" not found");
            Err(ApiError::new(404, "NotFound", why).with(json!({"name": namespace, "kind": "namespaces"})))
        }
        Some(found) if found.deleting => {
            let why = format!(
                "{} \"{name}\" is forbidden: unable to create new content in namespace {namespace} because it is being terminated",
                resource.qualified()
            );
            let cause = json!({"reason": "NamespaceTerminating", "message": format!("namespace {namespace} is being terminated"), "field": "metadata.namespace"});
            let details = json!({"name": name, "group": resource.group, "kind": resource.plural, "causes": [cause]});
            Err(ApiError::new(403, "Forbidden", why).with(details))
        }
        Some(_) => Ok(()),
    }
}
