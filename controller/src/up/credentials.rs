//! The secrets of a data folder: made once, shown in `credentials.json` (readable by its owner only), kept in the database
//! as digests.

use anyhow::Context;
use fanfare_api::Scope;
use fanfare_engine::{
    Engine,
    credentials::{CreateCredential, RevokeCredential, digest},
};
use serde::{Deserialize, Serialize};
use std::{
    io::Write,
    os::unix::fs::OpenOptionsExt,
    path::{Path, PathBuf},
};

/// Who made what this module makes, in the audit trail.
const ACTOR: &str = "fanfare";

/// What `credentials.json` holds.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct File {
    /// The namespace that is served.
    pub namespace: String,
    /// The address of the HTTP API.
    pub api_url: String,
    /// The address of the Kubernetes API.
    pub kube_url: String,
    /// The store that the terminal key is bound to.
    pub store_id: String,
    /// A till's key.
    pub terminal_key: String,
    /// A key with every scope.
    pub integration_key: String,
}

/// Where it stands.
pub fn path(data: &Path) -> PathBuf {
    data.join("credentials.json")
}

/// Reads the one of a running `fanfare up`.
///
/// # Errors
/// When there is none.
pub fn read(data: &Path) -> anyhow::Result<File> {
    let path = path(data);
    let text = std::fs::read_to_string(&path)
        .with_context(|| format!("{} cannot be read; is `fanfare up` running on that folder?", path.display()))?;
    Ok(serde_json::from_str(&text)?)
}

/// Writes it at once, readable by its owner only.
pub fn write(data: &Path, file: &File) -> anyhow::Result<()> {
    write_private(&path(data), &serde_json::to_vec_pretty(file)?)
}

/// Writes a file that only its owner may read, in one step.
pub fn write_private(path: &Path, bytes: &[u8]) -> anyhow::Result<()> {
    let draft = path.with_extension("tmp");
    let written = || {
        let mut file = std::fs::OpenOptions::new().write(true).create(true).truncate(true).mode(0o600).open(&draft)?;
        file.write_all(bytes)?;
        file.sync_all()?;
        std::fs::rename(&draft, path)
    };
    written().with_context(|| format!("{} cannot be written", path.display()))
}

/// The keys that a data folder has from its first start on.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Keys {
    store_id: String,
    terminal_key: String,
    integration_key: String,
}

impl Keys {
    /// The keys of this folder; made when there are none, when their store is no longer one of the Runtime's, or when the
    /// database does not know them, since it is another one.
    pub async fn of(data: &Path, engine: &Engine) -> anyhow::Result<Self> {
        let path = data.join("keys.json");
        let kept: Option<Self> = std::fs::read(&path).ok().and_then(|bytes| serde_json::from_slice(&bytes).ok());
        let plans = engine.plans();
        let stores = plans.runtime.as_ref().map(|runtime| &runtime.stores);
        if let Some(kept) = kept
            && stores.is_some_and(|stores| stores.is_empty() || stores.contains_key(kept.store_id.as_str()))
            && engine.store().credential(&digest(&kept.terminal_key)).await?.is_some()
        {
            return Ok(kept);
        }
        let store_id = stores.and_then(|s| s.keys().next()).map_or_else(|| "store-1".to_owned(), ToString::to_string);
        let (_, terminal_key) = terminal(engine, &store_id, "fanfare up").await?;
        let scopes = Scope::ALL.map(|scope| scope.as_str().to_owned()).to_vec();
        let (_, integration_key) = key(engine, scopes, "fanfare up").await?;
        let keys = Self { store_id, terminal_key, integration_key };
        write_private(&path, &serde_json::to_vec_pretty(&keys)?)?;
        Ok(keys)
    }

    /// What `credentials.json` says.
    pub fn file(self, namespace: String, api_url: String, kube_url: String) -> File {
        let Self { store_id, terminal_key, integration_key } = self;
        File { namespace, api_url, kube_url, store_id, terminal_key, integration_key }
    }
}

/// A new till's key, bound to a store: (id, secret).
pub async fn terminal(engine: &Engine, store: &str, label: &str) -> anyhow::Result<(String, String)> {
    let scopes = Scope::TILL.map(|scope| scope.as_str().to_owned()).to_vec();
    create(engine, Some(store), scopes, label).await
}

/// A new integration's key: (id, secret).
pub async fn key(engine: &Engine, scopes: Vec<String>, label: &str) -> anyhow::Result<(String, String)> {
    create(engine, None, scopes, label).await
}

/// Takes a key back; `false` when there is none of that id.
pub async fn revoke(engine: &Engine, id: &str) -> anyhow::Result<bool> {
    let all = engine.store().credentials(engine.namespace()).await?;
    let Some(credential) = all.into_iter().find(|credential| credential.id == id) else { return Ok(false) };
    let (outcome, _) = engine.execute(RevokeCredential { credential, actor: ACTOR.into() }).await?;
    outcome.map_err(|refused| anyhow::anyhow!(refused.refusal.detail))?;
    Ok(true)
}

async fn create(
    engine: &Engine,
    store: Option<&str>,
    scopes: Vec<String>,
    label: &str,
) -> anyhow::Result<(String, String)> {
    let command = CreateCredential {
        namespace: engine.namespace().clone(),
        store: store.map(Into::into),
        scopes,
        label: label.into(),
        expires_at: None,
        actor: ACTOR.into(),
    };
    let (outcome, _) = engine.execute(command).await?;
    let made = outcome.map_err(|refused| anyhow::anyhow!(refused.refusal.detail))?;
    Ok((made.credential.id, made.secret))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_that_cannot_be_written_is_named() {
        let path = Path::new("no/such/folder/codes.csv");
        let error = write_private(path, b"").unwrap_err();
        assert!(format!("{error:#}").starts_with("no/such/folder/codes.csv cannot be written: "), "{error:#}");
    }
}
