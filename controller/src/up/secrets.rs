//! The plane's Secrets: logins of channels, read when a message leaves, and lists of codes. Nothing of them is kept.

use fanfare_core::ids::{Name, Namespace};
use fanfare_engine::declared::Lists;
use fanfare_notify::{Answer, Login, Logins};
use k8s_openapi::api::core::v1::Secret;
use kube::{Api, Client};
use std::sync::Arc;

/// Reads Secrets through a client.
pub struct Secrets {
    client: Client,
}

impl Secrets {
    /// Secrets of this API server.
    pub fn new(client: Client) -> Self {
        Self { client }
    }

    /// What the Secrets of a namespace hold, for whoever imports the codes that they declare.
    pub fn lists(&self, namespace: &Namespace) -> Lists {
        let api: Api<Secret> = Api::namespaced(self.client.clone(), namespace.as_str());
        Arc::new(move |secret: Name| {
            let api = api.clone();
            Box::pin(async move {
                let data = api.get_opt(secret.as_str()).await.ok()??.data.unwrap_or_default();
                Some(data.into_iter().map(|(key, bytes)| (key, bytes.0)).collect())
            })
        })
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
