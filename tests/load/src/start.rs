//! G15: from the start of the process to the first 200 on the feed, with a warm binary, on the newcomer's example.

use crate::{
    figures::{REPETITIONS, median},
    product::{Product, folder},
};
use anyhow::Result;
use std::{fs, path::Path, time::Instant};

const GOAL_S: f64 = 1.0;

pub(crate) async fn measure() -> Result<()> {
    let example = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../examples/double-11");
    let (mut empty, mut kept) = (Vec::new(), Vec::new());
    // The first start of all warms the binary.
    for repetition in 0..=REPETITIONS {
        let data = folder("start")?;
        for times in [&mut empty, &mut kept] {
            let began = Instant::now();
            let product = Product::start(&example, &data).await?;
            product.call(reqwest::Method::GET, "/v1/campaigns", "", None).await?;
            if repetition > 0 {
                times.push(began.elapsed().as_secs_f64());
            }
            product.finish().await?;
        }
        fs::remove_dir_all(data)?;
    }
    for (what, times) in [("an empty data folder", &empty), ("a kept one", &kept)] {
        let time = median(times);
        let verdict = if time <= GOAL_S { "met" } else { "MISSED" };
        println!(
            "G15 start on {what}: {time:.3} s to the first 200 (goal {GOAL_S} s: {verdict}); median of {}",
            times.len()
        );
    }
    Ok(())
}
