//! A thousand campaigns in one folder: from the start of the process until all are Ready.

use crate::{
    figures::{REPETITIONS, median},
    product::{Product, folder},
    repositories,
};
use anyhow::Result;
use std::{
    fs,
    time::{Duration, Instant},
};

const CAMPAIGNS: usize = 1_000;
const GOAL_S: f64 = 5.0;

pub(crate) async fn measure() -> Result<()> {
    let repository = folder("many")?;
    repositories::many(&repository, CAMPAIGNS)?;
    let mut times = Vec::new();
    for _ in 0..REPETITIONS {
        let data = folder("many-data")?;
        let began = Instant::now();
        let product = Product::start(&repository, &data).await?;
        product.ready(CAMPAIGNS, Duration::from_secs(120)).await?;
        times.push(began.elapsed().as_secs_f64());
        product.finish().await?;
        fs::remove_dir_all(data)?;
    }
    fs::remove_dir_all(repository)?;
    let time = median(&times);
    let verdict = if time <= GOAL_S { "met" } else { "MISSED" };
    println!("{CAMPAIGNS} campaigns to Ready: {time:.2} s (goal {GOAL_S} s: {verdict}); median of {}", times.len());
    Ok(())
}
