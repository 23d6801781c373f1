//! G1: the feed of one member, eligibility included, against a static axum page of the same bytes.

use crate::{
    figures::{REPETITIONS, Ratio, median},
    generator,
    product::{Anchor, Product, folder},
    repositories,
};
use anyhow::{Context, Result, ensure};
use serde_json::json;
use std::{fs, sync::Arc, time::Duration};

const CONNECTIONS: usize = 64;
const SPAN: Duration = Duration::from_secs(3);
const PATH: &str = "/v1/campaigns?view=active";

pub(crate) async fn measure() -> Result<()> {
    let (repository, data) = (folder("feed")?, folder("feed-data")?);
    repositories::feed(&repository)?;
    let product = Arc::new(Product::start(&repository, &data).await?);
    product.ready(4, Duration::from_secs(60)).await?;
    let mut requests = Vec::new();
    for number in 0..CONNECTIONS {
        let member = format!("m{number}");
        let body = json!({"attributes": {"tier": "gold", "city": "Bangkok"}});
        let key = &product.credentials.integration_key;
        product.call(reqwest::Method::PUT, &format!("/v1/members/{member}"), key, Some(&body)).await?;
        requests.push(generator::get(PATH, &product.login(&member).await?));
    }
    let page = page(&product).await?;
    let file = repository.with_extension("json");
    fs::write(&file, &page)?;
    let anchor = Anchor::start("static-page", &[&file.display().to_string()]).await?;

    // Business goes on while both sides are read.
    let writes = tokio::spawn(visits(Arc::clone(&product)));
    let (mut ours, mut theirs, mut tails) = (Vec::new(), Vec::new(), Vec::new());
    for _ in 0..REPETITIONS {
        let mine = generator::repeat(product.port()?, requests.clone(), SPAN).await?;
        let other = generator::repeat(anchor.port, requests.clone(), SPAN).await?;
        for (name, seen) in [("the feed", &mine), ("the static page", &other)] {
            ensure!(seen.count(200) == seen.latencies.len(), "{name} answered {:?}", seen.statuses);
        }
        tails.push(mine.percentile_ms(0.99) / other.percentile_ms(0.99));
        ours.push(mine.rate());
        theirs.push(other.rate());
    }
    writes.abort();
    let _ = writes.await;
    println!(
        "G1: a page of {} bytes over {CONNECTIONS} connections; the static page checks no credential, the feed does",
        page.len()
    );
    Ratio { name: "G1 feed", unit: "answers/s", goal: 0.5, ours, anchor: theirs }.print();
    println!("G1 feed: p99 is {:.1} × the static page's", median(&tails));
    drop(anchor);
    Arc::into_inner(product).context("still in use")?.finish().await?;
    for path in [&repository, &data] {
        fs::remove_dir_all(path)?;
    }
    Ok(())
}

/// One member's feed, which must name all campaigns, or the figure says nothing.
async fn page(product: &Product) -> Result<Vec<u8>> {
    let token = product.login("m0").await?;
    let url = format!("{}{PATH}", product.credentials.api_url.trim_end_matches('/'));
    let page = product.http.get(url).bearer_auth(token).send().await?.error_for_status()?.bytes().await?;
    let found: serde_json::Value = serde_json::from_slice(&page)?;
    let items = found["items"].as_array().context("no items")?;
    ensure!(items.len() == 4, "the feed shows {} of 4 campaigns", items.len());
    ensure!(items.iter().all(|item| item["qualification"]["qualified"] == true), "nobody qualifies: {found}");
    Ok(page.to_vec())
}

async fn visits(product: Arc<Product>) -> Result<()> {
    let now = product.now().await?;
    for number in 0_u64.. {
        let event = json!([{"specversion": "1.0", "type": "store.visited", "source": "load", "id": format!("v-{number}"),
            "subject": format!("m{}", number % CONNECTIONS as u64), "time": now, "data": {"storeId": "bkk-01"}}]);
        product.call(reqwest::Method::POST, "/v1/events", &product.credentials.integration_key, Some(&event)).await?;
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    Ok(())
}
