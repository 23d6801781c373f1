//! Figures: medians of interleaved repetitions, and what the machine was like meanwhile.

use crate::generator::Seen;
use anyhow::{Context, Result};
use std::{
    fs::{self, File},
    io::Write as _,
    path::Path,
    time::Instant,
};

/// How often each side is measured, taking turns.
pub(crate) const REPETITIONS: usize = 5;

/// Small, seeded, good enough to choose a mix: SplitMix64.
pub(crate) struct Mix(pub(crate) u64);

impl Mix {
    pub(crate) fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        z ^ (z >> 31)
    }
}

/// The middle one.
pub(crate) fn median(values: &[f64]) -> f64 {
    let mut sorted = values.to_vec();
    sorted.sort_by(f64::total_cmp);
    sorted.get(sorted.len() / 2).copied().unwrap_or(0.0)
}

/// One line of each load figure that Linux keeps.
pub(crate) fn load() -> String {
    fs::read_to_string("/proc/loadavg").unwrap_or_default().trim().to_owned()
}

/// The time that a small synced write takes on the disk of `folder`, in milliseconds.
pub(crate) fn fdatasync_p50_ms(folder: &Path) -> Result<f64> {
    let path = folder.join("fdatasync");
    let mut file = File::create(&path)?;
    let mut times = Vec::new();
    for _ in 0..50 {
        file.write_all(&[7; 4096])?;
        let start = Instant::now();
        file.sync_data()?;
        times.push(start.elapsed().as_secs_f64() * 1e3);
    }
    fs::remove_file(path)?;
    Ok(median(&times))
}

/// Ours, the anchor's and the ratio, from repetitions that took turns.
pub(crate) struct Ratio<'a> {
    /// What is compared.
    pub(crate) name: &'a str,
    /// In which unit; more is better.
    pub(crate) unit: &'a str,
    /// What the ratio should be at least.
    pub(crate) goal: f64,
    /// One figure a repetition.
    pub(crate) ours: Vec<f64>,
    /// One figure a repetition.
    pub(crate) anchor: Vec<f64>,
}

impl Ratio<'_> {
    /// Prints the line that the note quotes.
    pub(crate) fn print(&self) {
        let ratios: Vec<f64> = self.ours.iter().zip(&self.anchor).map(|(ours, anchor)| ours / anchor).collect();
        let (ratio, goal) = (median(&ratios), self.goal);
        let verdict = if ratio >= goal { "met" } else { "MISSED" };
        println!(
            "{}: ours {:.0} {unit}, anchor {:.0} {unit}, ratio {ratio:.2} (goal {goal}: {verdict}); median of {}",
            self.name,
            median(&self.ours),
            median(&self.anchor),
            ratios.len(),
            unit = self.unit
        );
    }
}

/// How many times the median the 99th percentile may be at half load.
const SPREAD_GOAL: f64 = 5.0;

/// Prints the latencies of a run at half the pace that was reached.
pub(crate) fn print_half_load(name: &str, seen: &Seen) {
    let (p50, p99) = (seen.percentile_ms(0.5), seen.percentile_ms(0.99));
    let verdict = if p99 <= SPREAD_GOAL * p50 { "met" } else { "MISSED" };
    println!(
        "{name}, at half load ({:.0}/s): p50 {p50:.2} ms, p99 {p99:.2} ms, ratio {:.1} (goal {SPREAD_GOAL}: {verdict})",
        seen.rate(),
        p99 / p50
    );
}

/// How many bytes a process has had written to disks, as Linux counts them.
pub(crate) fn written_bytes(process: u32) -> Result<u64> {
    let text = fs::read_to_string(format!("/proc/{process}/io"))?;
    let line = text.lines().find_map(|line| line.strip_prefix("write_bytes:")).context("no write_bytes")?;
    Ok(line.trim().parse()?)
}

/// The memory that a process holds, in MiB: (now, at most so far).
pub(crate) fn memory_mib(process: u32) -> Result<(u64, u64)> {
    let status = fs::read_to_string(format!("/proc/{process}/status"))?;
    let read = |name: &str| -> Result<u64> {
        let line = status.lines().find_map(|line| line.strip_prefix(name)).context("no memory is told")?;
        Ok(line.trim().trim_end_matches("kB").trim().parse::<u64>()? / 1024)
    };
    Ok((read("VmRSS:")?, read("VmHWM:")?))
}
