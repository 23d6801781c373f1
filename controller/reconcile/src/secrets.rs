//! Which logins of channels are missing: told by whoever would use them, shown on the channel.

use fanfare_core::{ids::Name, model::Plan};
use fanfare_engine::{Engine, logins};
use k8s_openapi::api::core::v1::Secret;
use kube::{Api, Client};

/// How it is found out whether a channel's login is there.
#[derive(Clone)]
pub enum Logins {
    /// By looking at the Secret, where that is allowed.
    Looked(Client),
    /// By what the runtimes say, which have the Secrets mounted; the controller reads none.
    Told,
}

impl Logins {
    /// What is wrong with the Secret that a channel needs, if anything is. A server that does not answer is no missing
    /// Secret.
    pub(crate) async fn fault(&self, engine: &Engine, plan: &Plan) -> Option<String> {
        let Plan::MessageChannel(channel) = plan else { return None };
        let secret = logins::secret_of(&channel.means)?;
        let namespace = engine.namespace();
        let remedy = format!("create it with the keys {} in the namespace {namespace}", logins::KEYS.join(" and "));
        let fault = match self {
            Self::Looked(client) => look(client, namespace.as_str(), &secret).await?,
            Self::Told if logins::is_missing(engine, &secret).await.unwrap_or(false) => {
                "is not there, as every runtime says, or lacks a key".into()
            }
            Self::Told => return None,
        };
        Some(format!("spec.smtp.credentials.secretRef: the Secret {secret} {fault}; {remedy}"))
    }
}

async fn look(client: &Client, namespace: &str, secret: &Name) -> Option<String> {
    let api: Api<Secret> = Api::namespaced(client.clone(), namespace);
    let Some(found) = api.get_opt(secret.as_str()).await.ok()? else { return Some("does not exist".into()) };
    let data = found.data.unwrap_or_default();
    let lacks = logins::KEYS.iter().find(|key| !data.contains_key(**key))?;
    Some(format!("has no key `{lacks}`"))
}
