//! Figures: ours, the anchor's and the ratio, in one run. `tests/load/run [feed] [redeem] [lanes] [ingest] [scale] [start] [many] [audience] [live] [controller]`;
//! none: all but the last, which needs a PostgreSQL.
//!
//! Everything is loopback and bounded in count and time. Fair means: both sides get the same bytes from the same generator
//! and the same cores, taking turns; literals and the mix come from a seed chosen after the start; nothing of the product is linked or switched here.

mod audience;
mod controller;
mod feed;
mod figures;
mod generator;
mod ingest;
mod lanes;
mod live;
mod many;
mod people;
mod product;
mod redeem;
mod repositories;
mod scale;
mod start;
mod syncs;

use anyhow::{Result, bail};
use std::hash::{BuildHasher, RandomState};

#[tokio::main]
async fn main() -> Result<()> {
    let mut wanted: Vec<String> = std::env::args().skip(1).collect();
    if wanted.is_empty() {
        wanted = ["feed", "redeem", "lanes", "ingest", "scale", "start", "many", "audience", "live"]
            .map(str::to_owned)
            .to_vec();
    }
    // Chosen by the operating system, now.
    let seed = RandomState::new().hash_one(std::process::id());
    let disk = product::folder("disk")?;
    println!("load {}; fdatasync p50 {:.2} ms; seed {seed}", figures::load(), figures::fdatasync_p50_ms(&disk)?);
    std::fs::remove_dir_all(disk)?;
    for one in &wanted {
        match one.as_str() {
            "feed" => feed::measure().await?,
            "redeem" => redeem::measure(seed).await?,
            "lanes" => lanes::measure(seed).await?,
            "ingest" => ingest::measure(seed).await?,
            "scale" => scale::measure(seed).await?,
            "controller" => controller::measure().await?,
            "live" => live::measure().await?,
            "start" => start::measure().await?,
            "many" => many::measure().await?,
            "audience" => audience::measure(seed).await?,
            other => bail!(
                "no figure is called {other:?}; there are feed, redeem, lanes, ingest, scale, start, many, audience, live and controller"
            ),
        }
    }
    println!("load {}", figures::load());
    Ok(())
}
