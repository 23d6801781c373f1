//! Chance for tests: the same seed, the same course.
//!
//! More of it, or one course again: `FANFARE_CHANCE=100..400` runs these seeds, `FANFARE_CHANCE=117` that one, and
//! `FANFARE_CHANCE_STEPS=150` makes each as long.

use std::ops::Range;

/// SplitMix64.
pub(crate) struct Dice(u64);

impl Dice {
    pub(crate) fn of(seed: u64) -> Self {
        Self(seed)
    }

    pub(crate) fn below(&mut self, bound: i64) -> i64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mixed = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        i64::try_from((mixed ^ (mixed >> 31)) % u64::try_from(bound).unwrap()).unwrap()
    }

    /// One of these.
    pub(crate) fn pick<'a, T>(&mut self, of: &'a [T]) -> &'a T {
        &of[usize::try_from(self.below(i64::try_from(of.len()).unwrap())).unwrap()]
    }
}

/// Which courses are run.
pub(crate) struct Runs {
    seeds: Range<u64>,
    pub(crate) steps: usize,
    asked: bool,
}

/// So many seeds and steps, unless the environment asks for others.
pub(crate) fn runs(seeds: u64, steps: usize) -> Runs {
    let asked = std::env::var("FANFARE_CHANCE").ok();
    let number = |text: &str| text.parse::<u64>().expect("FANFARE_CHANCE is a seed or two, such as 3..9");
    let seeds = match asked.as_deref().map(|text| text.split_once("..").ok_or(text)) {
        None => 0..seeds,
        Some(Ok((from, to))) => number(from)..number(to),
        Some(Err(one)) => number(one)..number(one) + 1,
    };
    let steps = std::env::var("FANFARE_CHANCE_STEPS").map_or(steps, |text| text.parse().unwrap());
    Runs { seeds, steps, asked: asked.is_some() }
}

impl Runs {
    /// Each seed, told when it fails.
    pub(crate) fn seeds(&self) -> impl Iterator<Item = u64> {
        self.seeds.clone().inspect(|seed| eprintln!("FANFARE_CHANCE={seed}"))
    }

    pub(crate) fn count(&self) -> usize {
        usize::try_from(self.seeds.end - self.seeds.start).unwrap()
    }

    /// Says how far it has come, where somebody asked for more.
    pub(crate) fn passed(&self, seed: u64) {
        if self.asked && (seed + 1).is_multiple_of(50) {
            eprintln!("{} seeds passed", seed + 1 - self.seeds.start);
        }
    }
}
