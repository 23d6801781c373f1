//! A process that serves the HTTP API, as its callers see it.

use super::report::Finding;
use anyhow::{Context, ensure};
use reqwest::Client;
use serde_json::Value;
use std::time::Duration;

/// How long an answer may take.
const ANSWER_MAX: Duration = Duration::from_secs(10);
/// The largest answer that is read; the description of the API has some hundred kilobytes.
const ANSWER_MAX_BYTES: usize = 4 * 1024 * 1024;

/// Looks at the one at this address.
pub async fn look(url: &str) -> Vec<Finding> {
    let url = url.trim_end_matches('/');
    let asked = async {
        let http = Client::builder().timeout(ANSWER_MAX).build()?;
        let ready = get(&http, &format!("{url}/readyz")).await?;
        anyhow::Ok((ready, get(&http, &format!("{url}/openapi.json")).await?))
    };
    match asked.await {
        Ok(((status, body), (_, description))) => {
            vec![judge_ready(url, status, &body), judge_version(url, description["info"]["version"].as_str())]
        }
        Err(error) => {
            let remedy = "check the address, and that `fanfare runtime` runs there and may be reached from here";
            vec![Finding::fail("runtime", format!("{url} does not answer: {error:#}"), remedy)]
        }
    }
}

async fn get(http: &Client, url: &str) -> anyhow::Result<(u16, Value)> {
    let mut answer = http.get(url).send().await.context("it cannot be reached")?;
    let (status, mut body) = (answer.status().as_u16(), Vec::new());
    while let Some(part) = answer.chunk().await.context("its answer was cut off")? {
        body.extend_from_slice(&part);
        ensure!(body.len() <= ANSWER_MAX_BYTES, "its answer has more than {ANSWER_MAX_BYTES} bytes");
    }
    Ok((status, serde_json::from_slice(&body).unwrap_or_default()))
}

fn judge_ready(url: &str, status: u16, body: &Value) -> Finding {
    match (status, body["status"].as_str(), body["detail"].as_str()) {
        (200, Some("ok"), _) => Finding::ok("runtime", format!("{url} is ready")),
        (200, _, _) => {
            Finding::fail("runtime", format!("{url} is no Fanfare"), "name the address of a `fanfare runtime`")
        }
        (503, _, Some(why)) => {
            let remedy = "see the database and the CampaignRuntime of its namespace";
            Finding::fail("runtime", format!("{url} is not ready: {why}"), remedy)
        }
        (other, _, _) => {
            let what = format!("{url}/readyz answers {other}");
            Finding::fail("runtime", what, "see its log, and whatever stands between")
        }
    }
}

fn judge_version(url: &str, theirs: Option<&str>) -> Finding {
    let ours = env!("CARGO_PKG_VERSION");
    match theirs {
        Some(theirs) if theirs == ours => Finding::ok("runtimeVersion", format!("{url} is of version {theirs}")),
        Some(theirs) => {
            let what = format!("{url} is of version {theirs}, this binary of {ours}");
            Finding::warn("runtimeVersion", what, "bring both to the same version, the controller first")
        }
        None => {
            let what = format!("{url} does not tell its version");
            Finding::warn("runtimeVersion", what, "let /openapi.json pass")
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::doctor::report::Level;
    use serde_json::json;

    #[test]
    fn a_runtime_has_to_be_ready_and_says_why_it_is_not() {
        let cases = [
            (200, json!({"status": "ok"}), Level::Ok, "is ready"),
            (200, json!("hello"), Level::Fail, "is no Fanfare"),
            (503, json!({"detail": "no CampaignRuntime"}), Level::Fail, "not ready: no CampaignRuntime"),
            (502, Value::Null, Level::Fail, "answers 502"),
        ];
        for (status, body, level, part) in cases {
            let finding = judge_ready("http://r", status, &body);
            assert!(finding.level == level && finding.what.contains(part), "{finding:?}");
        }
    }

    #[test]
    fn another_version_is_told() {
        for (theirs, level) in
            [(Some(env!("CARGO_PKG_VERSION")), Level::Ok), (Some("9.9.9"), Level::Warn), (None, Level::Warn)]
        {
            assert_eq!(judge_version("http://r", theirs).level, level);
        }
    }
}
