//! `fanfare-conformance`: runs the suite against a real API server and the plane, and prints what differs.

use std::path::{Path, PathBuf};

use std::sync::Arc;
use std::time::Instant;

use anyhow::{Context, Result, bail, ensure};
use fanfare_conformance::{Server, load, suite};
use fanfare_plane::{Plane, PlaneConfig};

const USAGE: &str =
    "usage: fanfare-conformance --real KUBECONFIG [--plane KUBECONFIG] [--only TEXT] [--kubectl PATH] [--no-kubectl]

Without --plane, a plane of this build is served in this process.";

#[derive(Default)]
struct Options {
    real: Option<PathBuf>,
    plane: Option<PathBuf>,
    only: Option<String>,
    kubectl: Option<PathBuf>,
    without_kubectl: bool,
}

fn options() -> Result<Options> {
    let mut options = Options::default();
    let mut args = std::env::args().skip(1);
    while let Some(arg) = args.next() {
        let mut value = || args.next().context(USAGE);
        match arg.as_str() {
            "--real" => options.real = Some(value()?.into()),
            "--plane" => options.plane = Some(value()?.into()),
            "--only" => options.only = Some(value()?),
            "--kubectl" => options.kubectl = Some(value()?.into()),
            "--no-kubectl" => options.without_kubectl = true,
            _ => bail!("unknown argument {arg}\n{USAGE}"),
        }
    }
    Ok(options)
}

/// Serves a plane for as long as this process lives; its kubeconfig.
async fn serve_plane(scratch: &Path) -> Result<PathBuf> {
    let plane = Plane::start(PlaneConfig::new(scratch.join("plane.db"), Arc::new(jiff::Timestamp::now))).await?;
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await?;
    let kubeconfig = scratch.join("plane.kubeconfig");
    std::fs::write(&kubeconfig, plane.kubeconfig(listener.local_addr()?, "default"))?;
    tokio::spawn(async move { plane.serve(listener).await });
    Ok(kubeconfig)
}

fn fixtures(folder: &Path) -> Result<Vec<serde_json::Value>> {
    let mut files: Vec<_> = std::fs::read_dir(folder)?.map(|e| e.map(|e| e.path())).collect::<Result<_, _>>()?;
    files.sort();
    files.iter().map(|f| Ok(serde_yaml::from_str(&std::fs::read_to_string(f)?)?)).collect()
}

#[tokio::main]
async fn main() -> Result<()> {
    let began = Instant::now();
    let Options { real, plane, only, kubectl, without_kubectl } = options()?;
    let scratch = std::env::temp_dir().join(format!("fanfare-conformance-{}", std::process::id()));
    std::fs::create_dir_all(&scratch)?;
    let here = Path::new(env!("CARGO_MANIFEST_DIR"));
    let mut cases = load(&here.join("cases"))?;
    if let Some(only) = &only {
        cases.retain(|c| c.name.contains(only.as_str()));
    }
    let path = std::env::var("PATH").unwrap_or_default();
    let kubectls = if without_kubectl { vec![] } else { suite::find_kubectls(&path, kubectl.as_deref()).await };
    ensure!(without_kubectl || !kubectls.is_empty(), "no kubectl was found: name one with --kubectl");
    let plane = match plane {
        Some(kubeconfig) => kubeconfig,
        None => serve_plane(&scratch).await?,
    };
    let suite = suite::Suite {
        real: Server::new("real", &real.context(USAGE)?, &scratch).await?,
        plane: Server::new("plane", &plane, &scratch).await?,
        kubectls,
    };
    let summary = suite::run(&suite, &cases, &fixtures(&here.join("fixtures"))?).await?;
    drop(std::fs::remove_dir_all(&scratch));
    for problem in &summary.problems {
        println!("DIFFERS: {problem}\n");
    }
    println!("{:<24} {:>6} {:>12} {:>6}", "client", "agree", "as listed", "fail");
    for (client, (agree, differ, fail)) in &summary.by_client {
        println!("{client:<24} {agree:>6} {differ:>12} {fail:>6}");
    }
    println!("{} cases, {} s", cases.len(), began.elapsed().as_secs());
    ensure!(summary.problems.is_empty(), "{} of them differ", summary.problems.len());
    Ok(())
}
