//! From which commit a file comes, so that a status names the revision that is served.
//!
//! A folder outside of a repository, a machine without Git, or a file that was changed since its commit: nothing is known,
//! and nothing is claimed.

use serde_json::{Value, json};
use std::{
    path::{Path, PathBuf},
    process::Stdio,
    time::Duration,
};
use tokio::process::Command;

/// The annotations that name the commit and, unverified, its author.
const REVISION: &str = "fanfare.dev/revision";
const AUTHOR: &str = "fanfare.dev/author";
/// How long Git may take; a folder on a slow disk is applied without its revision.
const WAIT_MAX: Duration = Duration::from_secs(2);

/// The commit that a folder is checked out at.
pub struct Checkout {
    revision: String,
    author: String,
    /// What differs from the commit, or is no part of it: files, and folders as a whole.
    changed: Vec<PathBuf>,
}

impl Checkout {
    /// Looks at the folder.
    pub async fn of(dir: &Path) -> Option<Self> {
        let commit = git(dir, &["log", "-1", "--format=%H%n%an"]).await?;
        let (revision, author) = commit.trim_end().split_once('\n')?;
        let root = PathBuf::from(git(dir, &["rev-parse", "--show-toplevel"]).await?.trim_end_matches('\n'));
        let status = ["status", "--porcelain", "-z", "--no-renames", "--untracked-files=all", "--ignored", "--", "."];
        // Each entry is two letters, a space and the path from the root.
        let changed =
            git(dir, &status).await?.split('\0').filter_map(|entry| Some(root.join(entry.get(3..)?))).collect();
        Some(Self { revision: revision.into(), author: author.into(), changed })
    }

    /// Writes the commit on a resource of `file`, unless the file differs from it or says something itself.
    pub fn sign(&self, object: &mut Value, file: &str) {
        let Ok(file) = Path::new(file).canonicalize() else { return };
        if self.changed.iter().any(|changed| file.starts_with(changed)) {
            return;
        }
        for (name, value) in [(REVISION, &self.revision), (AUTHOR, &self.author)] {
            let annotations = &mut object["metadata"]["annotations"];
            if annotations.get(name).is_none() {
                annotations[name] = json!(value);
            }
        }
    }
}

/// What Git prints, when it knows.
async fn git(dir: &Path, args: &[&str]) -> Option<String> {
    let mut command = Command::new("git");
    command.arg("-C").arg(dir).args(["-c", "core.fsmonitor=false"]).args(args);
    command.env("GIT_OPTIONAL_LOCKS", "0").stdin(Stdio::null()).stderr(Stdio::null()).kill_on_drop(true);
    let output = tokio::time::timeout(WAIT_MAX, command.output()).await.ok()?.ok()?;
    output.status.success().then(|| String::from_utf8(output.stdout).ok()).flatten()
}

#[cfg(test)]
mod tests {
    use super::*;

    async fn run(dir: &Path, args: &[&str]) {
        let identity = ["-c", "user.name=Ann", "-c", "user.email=ann@example.com", "-c", "commit.gpgsign=false"];
        git(dir, &[&identity[..], args].concat()).await.unwrap_or_else(|| panic!("git {args:?}"));
    }

    #[tokio::test]
    async fn a_committed_file_is_signed_and_a_changed_new_or_ignored_one_is_not() {
        let dir = std::env::temp_dir().join(format!("fanfare-git-{}", std::process::id()));
        std::fs::create_dir_all(dir.join("kept")).unwrap();
        run(&dir, &["init", "-q"]).await;
        for (name, text) in [("a.yaml", "a"), ("b.yaml", "b"), (".gitignore", "kept/\n")] {
            std::fs::write(dir.join(name), text).unwrap();
        }
        run(&dir, &["add", "."]).await;
        run(&dir, &["commit", "-qm", "first"]).await;
        for (name, text) in [("b.yaml", "changed"), ("new.yaml", "n"), ("kept/k.yaml", "k")] {
            std::fs::write(dir.join(name), text).unwrap();
        }
        let checkout = Checkout::of(&dir).await.unwrap();
        let signed = |name: &str, mut object: Value| {
            checkout.sign(&mut object, &dir.join(name).display().to_string());
            object["metadata"]["annotations"].clone()
        };
        let own = json!({ "metadata": { "annotations": { REVISION: "v7" } } });
        assert_eq!(signed("a.yaml", json!({})), json!({ REVISION: checkout.revision, AUTHOR: "Ann" }));
        assert_eq!(signed("a.yaml", own)[REVISION], "v7");
        for name in ["b.yaml", "new.yaml", "kept/k.yaml", "gone.yaml"] {
            assert_eq!(signed(name, json!({})), Value::Null, "{name}");
        }
        std::fs::remove_dir_all(&dir).unwrap();
        assert!(Checkout::of(&std::env::temp_dir().join("fanfare-no-such-folder")).await.is_none());
    }
}
