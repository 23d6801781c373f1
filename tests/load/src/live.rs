//! G13: how long after the API server took a change of a Campaign its feed shows it, in one process and on one machine.

use crate::{
    figures::median,
    product::{Product, folder},
    repositories,
};
use anyhow::{Context, Result, ensure};
use serde_json::json;
use std::{
    fs,
    time::{Duration, Instant},
};

/// How many changes are made, one after the other.
const CHANGES: usize = 500;
const GOAL_MS: f64 = 5.0;
const LIMIT: Duration = Duration::from_secs(10);

pub(crate) async fn measure() -> Result<()> {
    let (repository, data) = (folder("live")?, folder("live-data")?);
    repositories::feed(&repository)?;
    let product = Product::start(&repository, &data).await?;
    product.ready(4, Duration::from_secs(60)).await?;
    let names = product.campaigns().await?;
    let (name, _) = names.first().context("no campaign")?;
    let (base, kube) = (&product.credentials.api_url, &product.credentials.kube_url);
    let member = json!({ "attributes": { "tier": "gold", "city": "Bangkok" } });
    let key = &product.credentials.integration_key;
    product.call(reqwest::Method::PUT, "/v1/members/m0", key, Some(&member)).await?;
    let token = product.login("m0").await?;
    let feed = format!("{}/v1/campaigns?view=active", base.trim_end_matches('/'));
    let kube = kube.trim_end_matches('/');
    let object =
        format!("{kube}/apis/fanfare.dev/v1alpha1/namespaces/{}/campaigns/{name}", product.credentials.namespace);
    let (mut writes, mut asked, mut later) = (Vec::new(), Vec::new(), Vec::new());
    for number in 0..CHANGES {
        let title = format!("Changed {number}");
        let patch = serde_json::to_vec(&json!({ "spec": { "content": { "locales": { "en": { "title": title } } } } }))?;
        let began = Instant::now();
        let request = product.http.patch(&object).header("content-type", "application/merge-patch+json").body(patch);
        let answer = request.send().await?;
        ensure!(answer.status().is_success(), "the change was answered {}", answer.status());
        let _ = answer.bytes().await?;
        let written = Instant::now();
        writes.push((written - began).as_secs_f64() * 1e3);
        loop {
            let began = Instant::now();
            let page = product.http.get(&feed).bearer_auth(&token).send().await?.text().await?;
            asked.push(began.elapsed().as_secs_f64() * 1e3);
            if page.contains(&title) {
                break;
            }
            ensure!(written.elapsed() < LIMIT, "{title} did not come: {page}");
        }
        later.push(written.elapsed().as_secs_f64() * 1e3);
    }
    later.sort_by(f64::total_cmp);
    let p99 = later[later.len() * 99 / 100];
    let verdict = if p99 <= GOAL_MS { "met" } else { "MISSED" };
    println!(
        "G13 change to live: p50 {:.2} ms, p99 {p99:.2} ms after the API server's answer (goal {GOAL_MS} ms: {verdict}); its answer took {:.2} ms, each question {:.2} ms; {CHANGES} changes",
        median(&later),
        median(&writes),
        median(&asked)
    );
    product.finish().await?;
    for path in [&repository, &data] {
        fs::remove_dir_all(path)?;
    }
    Ok(())
}
