//! The deterministic simulation: tills, members, returns and faults from one seed, over the API, the engine, `core` and the
//! store's contract, in one thread and in virtual time.
//!
//! `course` is one seed, `shop` a namespace, `faults` the store that fails, `wire` what carries requests. The tills and the
//! checks are those of the crash harness.

mod course;
mod faults;
mod shop;
mod wire;

use anyhow::{Context, Result, bail};
use std::{
    collections::BTreeMap,
    process::ExitCode,
    time::{Duration, Instant},
};

const USAGE: &str = "tests/simulation/run [--seed N | --seeds FROM..TO] [--days N] [--seconds N]";

struct Asked {
    seeds: std::ops::Range<u64>,
    days: usize,
    most: Duration,
}

fn asked() -> Result<Asked> {
    let mut asked = Asked { seeds: 1..u64::MAX, days: 10, most: Duration::from_secs(50) };
    let mut words = std::env::args().skip(1);
    while let Some(flag) = words.next() {
        let value = words.next().with_context(|| format!("{flag} needs a value: {USAGE}"))?;
        match flag.as_str() {
            "--seed" => {
                let seed = value.parse().context("--seed: a number")?;
                asked.seeds = seed..seed + 1;
            }
            "--seeds" => {
                let (from, to) = value.split_once("..").context("--seeds: such as 1..100")?;
                asked.seeds = from.parse()?..to.parse()?;
                asked.most = Duration::MAX;
            }
            "--days" => asked.days = value.parse().context("--days: a number")?,
            "--seconds" => asked.most = Duration::from_secs(value.parse().context("--seconds: a number")?),
            _ => bail!("{flag} is not known: {USAGE}"),
        }
    }
    Ok(asked)
}

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<ExitCode> {
    let asked = asked()?;
    let began = Instant::now();
    let (mut seeds, mut days, mut writes) = (0_u64, 0, 0);
    let mut faults: BTreeMap<&str, u64> = BTreeMap::new();
    for seed in asked.seeds.clone() {
        if began.elapsed() > asked.most {
            break;
        }
        let course = course::run(seed, asked.days).await.with_context(|| format!("seed {seed}"))?;
        seeds += 1;
        days += course.days;
        writes += course.writes;
        course.faults.iter().for_each(|(what, count)| *faults.entry(what).or_default() += count);
        println!("seed {seed}: {} days, {} writes, course {}", course.days, course.writes, course.digest);
        if !course.findings.is_empty() {
            course.findings.iter().take(20).for_each(|finding| println!("FOUND: {finding}"));
            println!("\nagain: tests/simulation/run --seed {seed} --days {}", asked.days);
            return Ok(ExitCode::FAILURE);
        }
    }
    let minutes = began.elapsed().as_secs_f64() / 60.0;
    println!();
    faults.iter().for_each(|(what, count)| println!("{what:<44} {count:>8}"));
    println!("\n{seeds} seeds, {days} virtual days, {writes} writes, nothing found");
    println!("{:.0} virtual days a minute", days as f64 / minutes);
    Ok(ExitCode::SUCCESS)
}
