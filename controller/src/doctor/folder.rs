//! A folder of `fanfare up`: its files, the process that runs on it, and who may read its secrets.

use super::{cluster, report::Finding, runtime};
use crate::{
    control::connect::Kube,
    up::{credentials, folder},
};
use fanfare_core::time::Ts;
use fanfare_reconcile::Scope;
use std::{
    os::unix::fs::PermissionsExt,
    path::{Path, PathBuf},
};

/// Files that hold secrets, as far as they are there.
const SECRETS: [&str; 3] = ["credentials.json", "keys.json", "kubeconfig"];

/// Looks at it.
pub async fn look(dir: &Path, data: Option<PathBuf>, now: Ts) -> Vec<Finding> {
    let data = data.unwrap_or_else(|| dir.join(".fanfare"));
    let mut findings = vec![resources(dir, now)];
    findings.extend(SECRETS.iter().filter_map(|name| readable(&data.join(name))));
    let file = match credentials::read(&data) {
        Ok(file) => file,
        Err(_) => {
            let what = format!("no `fanfare up` runs on {}", data.display());
            let remedy = format!("fanfare up {}", dir.display());
            findings.push(Finding::fail("process", what, remedy));
            return findings;
        }
    };
    findings.extend(runtime::look(&file.api_url).await);
    let kube = Kube { kubeconfig: Some(data.join("kubeconfig")), context: None };
    findings.extend(cluster::look_embedded(&kube, &Scope::Only([file.namespace].into())).await);
    findings
}

fn resources(dir: &Path, now: Ts) -> Finding {
    let report = folder::read(dir, now);
    let of_it = dir.display();
    if report.exit_code() != 0 {
        let what = format!("not all of the resources in {of_it} are good, or they cannot be read");
        return Finding::fail("resources", what, format!("fanfare validate {of_it}"));
    }
    Finding::ok("resources", format!("{} good ones in {of_it}", report.resources.len()))
}

fn readable(path: &Path) -> Option<Finding> {
    let mode = std::fs::metadata(path).ok()?.permissions().mode();
    (mode & 0o077 != 0).then(|| {
        let what = format!("{} can be read by others on this machine", path.display());
        Finding::fail(
            "secrets",
            what,
            format!("chmod 600 {}; if others were here, delete it and start anew", path.display()),
        )
    })
}
