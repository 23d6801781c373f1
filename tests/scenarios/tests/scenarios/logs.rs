//! `--log-format json`: whatever a process that goes on has to say is one object a line, and a call's trace is in it.

use anyhow::{Context, Result, ensure};
use fanfare_scenarios::{control::ApiServer, folder::Scratch, process::Process, tools, wait};
use serde_json::Value;
use std::{path::Path, process::Command};

const TRACE: &str = "4bf92f3577b34da6a3ce929d0e0e4736";
const PARENT: &str = "00f067aa0ba902b7";

/// Starts a verb; what it writes on standard output and standard error is one log.
fn start(folder: &Scratch, args: &[&str]) -> Result<Process> {
    let mut command = Command::new(tools::fanfare()?);
    command.args(["--log-format", "json"]).args(args).env_remove("FANFARE_DATABASE_URL").env_remove("KUBECONFIG");
    Process::start("fanfare", &mut command, folder.path().join("log"))
}

/// Every line, each of which has to be an object with these fields.
fn lines(log: &str) -> Result<Vec<Value>> {
    let whole = log.rsplit_once('\n').map_or("", |(whole, _)| whole);
    whole
        .lines()
        .map(|line| {
            let read: Value = serde_json::from_str(line).with_context(|| format!("no JSON: {line}"))?;
            for field in ["timestamp", "level", "target", "message"] {
                ensure!(read[field].is_string(), "{field} is missing in {line}");
            }
            Ok(read)
        })
        .collect()
}

/// The detail of a step that was done.
fn step(log: &str, what: &str) -> Option<String> {
    let found = lines(log).ok()?.into_iter().find(|line| line["message"] == what)?;
    found["detail"].as_str().map(str::to_owned)
}

fn text(path: &Path) -> Result<&str> {
    path.to_str().context("a path that is no text")
}

#[tokio::test]
async fn a_call_s_trace_is_logged_and_given_back_and_every_line_of_up_is_an_object() -> Result<()> {
    let (folder, empty) = (Scratch::new()?, Scratch::new()?);
    std::fs::write(empty.path().join("wrong.yaml"), "kind: Campaign\n")?;
    let listen = ["--listen", "127.0.0.1:0", "--kube-listen", "127.0.0.1:0"];
    let mut up = start(&folder, &[&["up", text(empty.path())?][..], &listen].concat())?;
    let url = up.serves(|log| step(log, "HTTP API")).await?;
    let traceparent = format!("00-{TRACE}-{PARENT}-01");
    let call = reqwest::Client::new().get(format!("{url}/readyz")).header("x-request-id", "call-7");
    let answer = call.header("traceparent", traceparent).send().await?;
    ensure!(answer.status() == 503, "nothing is served there: {}", answer.status());
    let told = answer.headers().get("traceresponse").context("no traceresponse")?.to_str()?.to_owned();
    ensure!(told.starts_with(&format!("00-{TRACE}-")) && !told.contains(PARENT), "{told}");
    ensure!(answer.headers()["x-request-id"] == "call-7", "{:?}", answer.headers());
    let plain = reqwest::Client::new().get(format!("{url}/readyz")).send().await?;
    ensure!(plain.headers().get("traceresponse").is_none(), "no trace is begun here");
    wait::until("the line of the call", wait::SOON, async || {
        let all = lines(&up.log())?;
        let line = all.iter().find(|line| line["id"] == "call-7").context("no line of the call")?;
        ensure!(line["span"]["trace"] == TRACE && line["span"]["parent"] == PARENT, "{line}");
        ensure!(line["span"]["request"] == "call-7" && line["status"] == 503, "{line}");
        ensure!(told.contains(line["span"]["span"].as_str().context("no span")?), "{line}");
        let refused =
            all.iter().any(|line| line["message"].to_string().contains("wrong.yaml") && line["level"] == "WARN");
        ensure!(refused, "what is wrong with the folder is an object too: {all:?}");
        Ok(())
    })
    .await?;
    let log = folder.path().join("log");
    up.stop("-TERM").await?;
    let all = lines(&std::fs::read_to_string(log)?)?;
    ensure!(all.iter().any(|line| line["message"].to_string().contains("stopping")), "{all:?}");
    Ok(())
}

#[tokio::test]
async fn every_line_of_a_controller_and_of_a_runtime_is_an_object_also_the_last() -> Result<()> {
    let (server, folder) = (ApiServer::open().await?, Scratch::new()?);
    let away = "postgres://u:s3cret@127.0.0.1:1/db";
    let kubeconfig = text(server.kubeconfig())?;
    let args = ["controller", "--listen", "127.0.0.1:0", "--kubeconfig", kubeconfig, "--database", away];
    let mut controller = start(&folder, &args)?;
    controller.serves(|log| step(log, "health")).await?;
    wait::until("what is missing", wait::SOON, async || {
        let all = lines(&controller.log())?;
        ensure!(all.iter().any(|line| line["part"] == "database" && line["fault"].is_string()), "{all:?}");
        Ok(())
    })
    .await?;
    controller.stop("-TERM").await?;
    let log = std::fs::read_to_string(folder.path().join("log"))?;
    let all = lines(&log)?;
    ensure!(all.iter().any(|line| line["message"].to_string().contains("stopping")), "{all:?}");

    let args = ["--log-format", "json", "runtime", "--namespace", "n", "--database", away, "--listen", "127.0.0.1:0"];
    let ended = tools::verb(&args, None).await?;
    let all = lines(&ended.err)?;
    ensure!(ended.code == 1 && ended.out.is_empty(), "{ended:?}");
    let last = all.last().context("it said nothing")?;
    ensure!(last["level"] == "ERROR" && last["message"].to_string().contains("127.0.0.1:1"), "{last}");
    ensure!(!log.contains("s3cret") && !ended.err.contains("s3cret"), "the password is logged");
    Ok(())
}
