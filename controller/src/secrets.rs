//! Logins of channels from mounted files, as Kubernetes mounts Secrets: read when a message leaves, never kept.

use fanfare_core::ids::{Name, Namespace};
use fanfare_engine::logins::Has;
use fanfare_notify::{Answer, Login, Logins};
use std::{
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
