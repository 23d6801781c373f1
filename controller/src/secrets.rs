//! Secrets from mounted files, as Kubernetes mounts them: logins of channels, read when a message leaves, and lists of
//! codes. Nothing of them is kept.

use fanfare_core::ids::{Name, Namespace};
use fanfare_engine::{
    declared::{Lists, SECRET_MAX_BYTES},
    logins::Has,
};
use fanfare_notify::{Answer, Login, Logins};
use std::{
    collections::BTreeMap,
    path::{Component, Path, PathBuf},
    sync::Arc,
};

/// The longest file that is read.
const LOGIN_MAX_BYTES: u64 = 64 * 1024;

/// Reads `<folder>/<secret>/{username,password}`.
pub struct Mounted {
    folder: Option<PathBuf>,
}

impl Mounted {
    /// Secrets in this folder; without one there are none.
    pub fn new(folder: Option<PathBuf>) -> Self {
        Self { folder }
    }

    /// Whether a Secret of the namespace is here, for whoever tells what is missing.
    pub fn has(self: &Arc<Self>, namespace: &Namespace) -> Has {
        let (mounted, namespace) = (self.clone(), namespace.clone());
        Arc::new(move |secret: Name| {
            let (mounted, namespace) = (mounted.clone(), namespace.clone());
            Box::pin(async move { mounted.login(&namespace, &secret).await.is_some() })
        })
    }

    /// What Secrets hold, for whoever imports the codes that they declare.
    pub fn lists(self: &Arc<Self>) -> Lists {
        let mounted = self.clone();
        Arc::new(move |secret: Name| {
            let folder = mounted.folder.as_deref().and_then(|folder| Some(folder.join(plain(secret.as_str())?)));
            Box::pin(async move { all(&folder?) })
        })
    }
}

impl Logins for Mounted {
    fn login<'a>(&'a self, _: &'a Namespace, secret: &'a Name) -> Answer<'a, Option<Login>> {
        Box::pin(async move {
            let folder = self.folder.as_deref()?.join(plain(secret.as_str())?);
            Some(Login { username: read(&folder, "username")?, password: read(&folder, "password")? })
        })
    }
}

/// The name, when it names a file beside the others and nothing elsewhere.
fn plain(name: &str) -> Option<&Path> {
    let mut parts = Path::new(name).components();
    let is_plain = matches!((parts.next(), parts.next()), (Some(Component::Normal(_)), None));
    is_plain.then(|| Path::new(name))
}

fn read(folder: &Path, key: &str) -> Option<String> {
    let path = folder.join(key);
    if std::fs::metadata(&path).ok()?.len() > LOGIN_MAX_BYTES {
        return None;
    }
    std::fs::read_to_string(path).ok().map(|text| text.trim_end_matches(['\r', '\n']).to_owned())
}

/// All keys of a Secret; nothing where it is not mounted, since as an optional volume it is an empty folder then, or where
/// it is larger than a Secret can be. What begins with two dots is how Kubernetes changes all keys at once.
fn all(folder: &Path) -> Option<BTreeMap<String, Vec<u8>>> {
    let (mut found, mut bytes) = (BTreeMap::new(), 0);
    for entry in std::fs::read_dir(folder).ok()? {
        let entry = entry.ok()?;
        let name = entry.file_name().into_string().ok()?;
        let meta = std::fs::metadata(entry.path()).ok()?;
        if name.starts_with("..") || !meta.is_file() {
            continue;
        }
        bytes += usize::try_from(meta.len()).ok()?;
        if bytes > SECRET_MAX_BYTES {
            return None;
        }
        found.insert(name, std::fs::read(entry.path()).ok()?);
    }
    (!found.is_empty()).then_some(found)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_secret_s_name_leads_nowhere_else() {
        assert!(plain("smtp-login").is_some());
        for name in ["", ".", "..", "../x", "a/b", "/etc"] {
            assert!(plain(name).is_none(), "{name}");
        }
    }
}
