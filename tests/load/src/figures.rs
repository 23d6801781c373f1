//! Figures: medians of interleaved repetitions, and what the machine was like meanwhile.

use anyhow::Result;
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
pub(crate) struct Ratio {
    /// What is compared.
    pub(crate) name: &'static str,
    /// In which unit; more is better.
    pub(crate) unit: &'static str,
    /// What the ratio should be at least.
    pub(crate) goal: f64,
    /// One figure a repetition.
    pub(crate) ours: Vec<f64>,
    /// One figure a repetition.
    pub(crate) anchor: Vec<f64>,
}

impl Ratio {
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
