//! Keeps the plane equal to the folder: what is good is applied as a commit would be, what is broken is refused with its
//! place while the former revision serves, what is gone is pruned.

use super::{git::Checkout, start::Running};
use crate::telemetry;
use anyhow::{Context, bail};
use fanfare_core::model::Kind;
use fanfare_crds::files::{self, Colour, Format, Loaded, Report};
use futures::{StreamExt, stream};
use kube::{
    Api,
    api::{DeleteParams, ListParams, Patch, PatchParams},
    core::DynamicObject,
};
use serde_json::{Value, json};
use std::{
    collections::{BTreeMap, BTreeSet},
    io::IsTerminal,
    path::{Path, PathBuf},
    time::{Duration, SystemTime},
};

/// The field manager of what `up` applies.
const MANAGER: &str = "fanfare-up";
/// The label on everything that `up` applied, by which it knows what to prune.
const LABEL: (&str, &str) = ("app.kubernetes.io/managed-by", "fanfare-up");
/// How many resources are applied at once.
const AT_ONCE: usize = 32;
/// How often the folder is looked at.
const LOOK_EVERY: Duration = Duration::from_millis(300);
/// How deep folders are followed.
const DEPTH_MAX: usize = 8;

/// A resource's identity.
type Id = (Kind, String);

/// What was applied: the digest of each resource.
#[derive(Clone, Debug, Default)]
pub struct Applied {
    digests: BTreeMap<Id, blake3::Hash>,
    pools: super::pools::Read,
}

impl Applied {
    /// How many resources.
    pub fn count(&self) -> usize {
        self.digests.len()
    }
}

/// The namespace of a folder: the one that its resources name, else `default`.
///
/// # Errors
/// When they name several.
pub fn namespace(report: &Report) -> anyhow::Result<String> {
    let named: BTreeSet<&str> = report.resources.iter().filter_map(|resource| resource.namespace.as_deref()).collect();
    if named.len() > 1 {
        let all = named.into_iter().collect::<Vec<_>>().join(", ");
        bail!("the folder names several namespaces ({all}); `fanfare up` serves one: use a folder for each");
    }
    Ok(named.into_iter().next().unwrap_or("default").to_owned())
}

/// Reads and judges the folder.
pub fn read(dir: &Path, now: fanfare_core::time::Ts) -> Report {
    files::validate_paths(&[dir.to_path_buf()], now)
}

/// Prints what is wrong, as `fanfare validate` does.
pub fn complain(report: &Report) {
    if report.exit_code() != 0 {
        let is_seen = !telemetry::is_json() && std::io::stderr().is_terminal();
        let colour = if is_seen { Colour::Ansi } else { Colour::Plain };
        telemetry::complain(&files::render(report, Format::Text(colour)));
    }
}

/// Applies everything that is good and changed, prunes what is gone.
///
/// # Errors
/// When the plane does not answer. What it refuses is printed, and the rest goes on.
pub async fn apply(running: &Running, report: &Report, former: &Applied) -> anyhow::Result<Applied> {
    if report.exit_code() != 0 {
        running.screen.say(|| complain(report));
    }
    let mut applied = former.clone();
    let is_ours = |resource: &&Loaded| resource.namespace.as_ref().is_none_or(|named| *named == running.namespace);
    let accepted = report.resources.iter().filter(|resource| resource.plan.is_some());
    let (mut good, foreign): (Vec<&Loaded>, Vec<&Loaded>) = accepted.partition(is_ours);
    for Loaded { file, line, .. } in foreign {
        let ours = &running.namespace;
        let what =
            format!("metadata.namespace: this `fanfare up` serves `{ours}`; leave it out, or use another folder");
        running.screen.say(|| telemetry::complain(&format!("{file}:{line}: {what}")));
    }
    let checkout = Checkout::of(&running.dir).await;
    good.sort_by_key(|resource| Kind::ALL.iter().position(|kind| Some(*kind) == resource.kind));
    for kind in Kind::ALL {
        let of_kind = good.iter().filter(|resource| resource.kind == Some(kind));
        let changed: Vec<Change> = of_kind
            .filter_map(|resource| {
                let name = resource.name.clone()?;
                let digest = blake3::hash(resource.object.to_string().as_bytes());
                let is_known = applied.digests.get(&(kind, name.clone())) == Some(&digest);
                let place = format!("{}:{}", resource.file, resource.line);
                (!is_known).then(|| {
                    let mut object = resource.object.clone();
                    if let Some(checkout) = &checkout {
                        checkout.sign(&mut object, &resource.file);
                    }
                    Change { name, object, place, digest }
                })
            })
            .collect();
        let api = api(running, kind);
        let mut results = stream::iter(changed)
            .map(|change| put(api.clone(), running.namespace.clone(), change))
            .buffer_unordered(AT_ONCE);
        while let Some((result, change)) = results.next().await {
            match result {
                Ok(()) => drop(applied.digests.insert((kind, change.name), change.digest)),
                Err(kube::Error::Api(status)) => {
                    let Change { place, .. } = change;
                    let what = format!("{place}: {}; the former revision keeps serving", status.message);
                    running.screen.say(|| telemetry::complain(&what));
                }
                Err(error) => return Err(error).context("the Kubernetes API did not take a resource"),
            }
        }
    }
    prune(running, report, &mut applied).await?;
    for resource in good {
        if let Err(error) = super::pools::fill(running, resource, &mut applied.pools).await {
            let place = format!("{}:{}", resource.file, resource.line);
            running.screen.say(|| telemetry::complain(&format!("{place}: spec.codes.import.file: {error:#}")));
        }
    }
    Ok(applied)
}

fn api(running: &Running, kind: Kind) -> Api<DynamicObject> {
    Api::namespaced_with(running.client.clone(), &running.namespace, &fanfare_reconcile::api_resource(kind))
}

/// A resource to apply.
struct Change {
    name: String,
    object: Value,
    /// File and line, for what the plane says of it.
    place: String,
    digest: blake3::Hash,
}

async fn put(api: Api<DynamicObject>, namespace: String, change: Change) -> (Result<(), kube::Error>, Change) {
    let mut object = change.object.clone();
    if let Some(fields) = object.as_object_mut() {
        fields.remove("status");
    }
    object["metadata"]["namespace"] = json!(namespace);
    object["metadata"]["labels"][LABEL.0] = json!(LABEL.1);
    let params = PatchParams::apply(MANAGER).force();
    let done = api.patch(&change.name, &params, &Patch::Apply(&object)).await;
    (done.map(drop), change)
}

/// Whether what the report lacks is gone. With a file, or the whole folder, that cannot be read, nothing is known to be.
fn is_complete(dir: &Path, report: &Report) -> bool {
    let unknown = report.findings.iter().any(|finding| finding.resource.is_none());
    // An empty folder is reported as unreadable too, but it can be listed.
    let unreadable = report.unreadable.iter().any(|file| Path::new(&file.path) != dir);
    !unknown && !unreadable && std::fs::read_dir(dir).is_ok()
}

/// Deletes what `up` applied and the folder no longer has.
async fn prune(running: &Running, report: &Report, applied: &mut Applied) -> anyhow::Result<()> {
    if !is_complete(&running.dir, report) {
        return Ok(());
    }
    let present: BTreeSet<Id> =
        report.resources.iter().filter_map(|resource| Some((resource.kind?, resource.name.clone()?))).collect();
    let ours = ListParams::default().labels(&format!("{}={}", LABEL.0, LABEL.1));
    for kind in Kind::ALL {
        let api = api(running, kind);
        for object in api.list_metadata(&ours).await?.items {
            let name = object.metadata.name.unwrap_or_default();
            let id = (kind, name);
            if !present.contains(&id) {
                api.delete(&id.1, &DeleteParams::default()).await?;
                let name = format!("{}/{}", kind.as_str(), id.1);
                running.screen.say(|| telemetry::say(&format!("pruned {name}: it is no longer in the folder")));
                applied.digests.remove(&id);
            }
        }
    }
    Ok(())
}

/// Follows the folder until it is dropped. `known` is how it looked before it was first read: what changed since then,
/// while the demo was loaded, counts too.
pub async fn follow(running: Running, mut applied: Applied, mut known: Look) {
    loop {
        tokio::time::sleep(LOOK_EVERY).await;
        let now = look(&running.dir);
        if now == known {
            continue;
        }
        // An editor may still be writing: wait until two looks agree.
        tokio::time::sleep(LOOK_EVERY / 3).await;
        let settled = look(&running.dir);
        if settled != now {
            continue;
        }
        known = settled;
        let report = read(&running.dir, running.engine.clock().now());
        match apply(&running, &report, &applied).await {
            Ok(done) => {
                let changed: Vec<String> = done
                    .digests
                    .iter()
                    .filter(|(id, digest)| applied.digests.get(*id) != Some(*digest))
                    .map(|((kind, name), _)| format!("{}/{name}", kind.as_str()))
                    .collect();
                if !changed.is_empty() {
                    running.screen.say(|| telemetry::say(&format!("applied {}", changed.join(", "))));
                }
                applied = done;
            }
            Err(error) => running.screen.say(|| telemetry::failed(&error)),
        }
    }
}

/// What a folder looks like: each resource file and list of codes with its time and size.
pub type Look = BTreeMap<PathBuf, (Option<SystemTime>, u64)>;

/// Looks at a folder.
pub fn look(dir: &Path) -> Look {
    let mut seen = BTreeMap::new();
    gather(dir, 0, &mut seen);
    seen
}

fn gather(dir: &Path, depth: usize, seen: &mut Look) {
    let Ok(entries) = std::fs::read_dir(dir) else { return };
    for entry in entries.flatten() {
        let name = entry.file_name().to_string_lossy().into_owned();
        if name.starts_with('.') || name == "demo" {
            continue;
        }
        let Ok(meta) = entry.metadata() else { continue };
        if meta.is_dir() && depth < DEPTH_MAX {
            gather(&entry.path(), depth + 1, seen);
        } else if files::is_resource_file(&name) || super::pools::is_list(&name) {
            seen.insert(entry.path(), (meta.modified().ok(), meta.len()));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_emptied_folder_is_complete_and_one_that_is_gone_or_broken_is_not() {
        let dir = std::env::temp_dir().join(format!("fanfare-folder-{}", std::process::id()));
        std::fs::create_dir_all(&dir).unwrap();
        let now = chrono::DateTime::UNIX_EPOCH;
        assert!(is_complete(&dir, &read(&dir, now)));
        std::fs::write(dir.join("broken.yaml"), "a: [").unwrap();
        assert!(!is_complete(&dir, &read(&dir, now)));
        std::fs::remove_dir_all(&dir).unwrap();
        assert!(!is_complete(&dir, &read(&dir, now)));
    }
}
