//! Logins of channels from the plane's Secrets: read when a message leaves, never kept.

use fanfare_core::ids::{Name, Namespace};
use fanfare_notify::{Answer, Login, Logins};
use k8s_openapi::api::core::v1::Secret;
use kube::{Api, Client};

/// Reads Secrets through a client.
pub struct Secrets {
    client: Client,
}

impl Secrets {
    /// Secrets of this API server.
    pub fn new(client: Client) -> Self {
        Self { client }
    }
}

impl Logins for Secrets {
    fn login<'a>(&'a self, namespace: &'a Namespace, secret: &'a Name) -> Answer<'a, Option<Login>> {
        Box::pin(async move {
            let api: Api<Secret> = Api::namespaced(self.client.clone(), namespace.as_str());
            let data = api.get_opt(secret.as_str()).await.ok()??.data?;
            let text = |key: &str| String::from_utf8(data.get(key)?.0.clone()).ok();
            Some(Login { username: text("username")?, password: text("password")? })
        })
    }
}
