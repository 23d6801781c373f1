//! Every case with every client on both servers, and what came of it.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use anyhow::{Context, Result, bail, ensure};
use futures::{StreamExt, stream};
use http::header;
use serde_json::Value;
use tokio::time::Instant;

use crate::case::Case;
use crate::run::{Kubectl, Run, Seen, differences};
use crate::server::Server;

/// Cases under way together: enough to keep two cores busy while others wait for the garbage collector.
const AT_ONCE_MAX: usize = 6;
/// Differences of one case that are printed.
const SHOWN_MAX: usize = 30;
/// A CRD is served within that time, on a busy machine too.
const SERVED_WITHIN_S: u64 = 180;
const JSON: &str = "application/json";
/// What kubectl reads to know which kinds there are.
const AGGREGATED: &str = "application/json;g=apidiscovery.k8s.io;v=v2;as=APIGroupDiscoveryList";

/// Both servers and every client.
pub struct Suite {
    /// The oracle.
    pub real: Server,
    /// What is held to it.
    pub plane: Server,
    /// Every kubectl that was found.
    pub kubectls: Vec<Kubectl>,
}

/// How one case went with one client.
struct Outcome {
    client: String,
    problem: Option<String>,
}

/// What came of all.
#[derive(Debug, Default)]
pub struct Summary {
    /// Client → cases that agree, cases that differ as documented, cases that fail.
    pub by_client: BTreeMap<String, (usize, usize, usize)>,
    /// What is wrong, for people.
    pub problems: Vec<String>,
}

/// Installs the kinds that cases share, then runs every case.
///
/// # Errors
/// When a server cannot be used at all; what a case found is in the summary.
pub async fn run(suite: &Suite, cases: &[Case], fixtures: &[Value]) -> Result<Summary> {
    for server in [&suite.real, &suite.plane] {
        for crd in fixtures {
            install(server, crd).await.with_context(|| format!("{}: {}", server.name, crd["metadata"]["name"]))?;
        }
    }
    // kubectl warns of a group that comes or goes while it looks, so it is done before cases make groups of their own.
    let (with_kubectl, without): (Vec<&Case>, Vec<&Case>) = cases.iter().partition(|c| c.needs_kubectl());
    let fit = |case: &'_ Case| suite.kubectls.iter().filter(|k| k.minor >= case.since()).map(Some).collect::<Vec<_>>();
    let first = with_kubectl.into_iter().flat_map(|c| fit(c).into_iter().map(move |k| (c, k))).collect();
    let then = without.into_iter().map(|c| (c, None)).collect();
    let number = AtomicUsize::new(0);
    let mut outcomes = Vec::new();
    for runs in [first, then] {
        let runs: Vec<(&Case, Option<&Kubectl>)> = runs;
        let each = stream::iter(runs).map(|(case, kubectl)| {
            let id = format!("x{}x", number.fetch_add(1, Ordering::Relaxed));
            async move { (case, outcome(suite, case, kubectl, &id).await) }
        });
        outcomes.extend(each.buffered(AT_ONCE_MAX).collect::<Vec<_>>().await);
    }
    let mut summary = Summary::default();
    for (case, Outcome { client, problem }) in outcomes {
        let (agree, differ, fail) = summary.by_client.entry(client.clone()).or_default();
        match (problem, &case.differs) {
            (None, None) => *agree += 1,
            (Some(_), Some(_)) => *differ += 1,
            (Some(problem), None) => {
                *fail += 1;
                summary.problems.push(format!("{} [{client}]\n{problem}", case.name));
            }
            (None, Some(_)) => {
                *fail += 1;
                summary
                    .problems
                    .push(format!("{} [{client}]\n    nothing differs any more: drop `differs`", case.name));
            }
        }
    }
    Ok(summary)
}

async fn outcome(suite: &Suite, case: &Case, kubectl: Option<&Kubectl>, id: &str) -> Outcome {
    let client = kubectl.map_or("kube-rs".to_owned(), |k| {
        format!("{} (1.{})", k.program.file_name().unwrap_or_default().to_string_lossy(), k.minor)
    });
    let (real, plane) = tokio::join!(on(&suite.real, case, kubectl, id), on(&suite.plane, case, kubectl, id));
    let problem = match (real, plane) {
        (Ok(real), Ok(plane)) => {
            let found = differences(&Value::Array(real), &Value::Array(plane), SHOWN_MAX);
            (!found.is_empty()).then(|| format!("    {}", found.join("\n    ")))
        }
        (real, plane) => {
            let errors: Vec<String> =
                [real.err(), plane.err()].into_iter().flatten().map(|e| format!("    {e:#}")).collect();
            Some(errors.join("\n"))
        }
    };
    Outcome { client, problem }
}

async fn on(server: &Server, case: &Case, kubectl: Option<&Kubectl>, id: &str) -> Result<Vec<Seen>> {
    Run::new(server, kubectl, case, id)?.case(case).await
}

/// Creates a CRD and waits until its objects, its schema and its names are served.
async fn install(server: &Server, crd: &Value) -> Result<()> {
    let headers = [(header::CONTENT_TYPE, JSON), (header::ACCEPT, JSON)];
    let path = "/apis/apiextensions.k8s.io/v1/customresourcedefinitions";
    let made = server.send(&format!("POST {path}"), crd.to_string().into(), headers.clone(), None).await?;
    ensure!(made.code == 201, "refused: {}", String::from_utf8_lossy(&made.body));
    let text = |v: &Value| v.as_str().unwrap_or_default().to_owned();
    let (group, plural) = (text(&crd["spec"]["group"]), text(&crd["spec"]["names"]["plural"]));
    let version = text(&crd["spec"]["versions"][0]["name"]);
    let until = Instant::now() + Duration::from_secs(SERVED_WITHIN_S);
    // Path, form, and what the answer names.
    let served = [
        (format!("/apis/{group}/{version}/{plural}"), JSON, "items"),
        (format!("/apis/{group}/{version}"), JSON, &plural),
        (format!("/openapi/v3/apis/{group}/{version}"), JSON, &plural),
        ("/apis".to_owned(), AGGREGATED, &plural),
    ];
    for (path, accept, word) in served {
        let headers = [(header::CONTENT_TYPE, ""), (header::ACCEPT, accept)];
        loop {
            let answer = server.send(&format!("GET {path}"), bytes::Bytes::new(), headers.clone(), None).await?;
            if answer.code == 200 && has(&answer.body, word) && !has(&answer.body, "\"Stale\"") {
                break;
            }
            if Instant::now() > until {
                bail!("{path} is not served");
            }
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
    }
    Ok(())
}

fn has(body: &[u8], word: &str) -> bool {
    String::from_utf8_lossy(body).contains(word)
}

/// Every `kubectl*` on a path, and one more, without doubles.
pub async fn find_kubectls(path: &str, more: Option<&Path>) -> Vec<Kubectl> {
    let mut programs: Vec<std::path::PathBuf> = more.into_iter().map(Path::to_owned).collect();
    for folder in path.split(':') {
        for entry in std::fs::read_dir(folder).into_iter().flatten().flatten() {
            if entry.file_name().to_string_lossy().starts_with("kubectl") {
                programs.push(entry.path());
                // Others of its kind stand beside the program that a link names.
                if let Some(home) = entry.path().canonicalize().ok().as_deref().and_then(Path::parent) {
                    let beside = std::fs::read_dir(home).into_iter().flatten().flatten();
                    programs.extend(
                        beside
                            .map(|e| e.path())
                            .filter(|p| p.file_name().is_some_and(|n| n.to_string_lossy().starts_with("kubectl"))),
                    );
                }
            }
        }
    }
    let mut found = BTreeMap::new();
    for program in programs {
        let Ok(program) = program.canonicalize() else { continue };
        if let std::collections::btree_map::Entry::Vacant(slot) = found.entry(program.clone())
            && let Some(minor) = crate::run::minor_of(&program).await
        {
            slot.insert(Kubectl { program, minor });
        }
    }
    found.into_values().collect()
}
