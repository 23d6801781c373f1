//! Grocery transactions in the columns of a real chain's file: a generated one, and sums taken directly from any.

use anyhow::{Context, Result, bail};
use flate2::read::GzDecoder;
use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha8Rng;
use std::{
    collections::{BTreeMap, BTreeSet},
    fmt::Write as _,
    fs::File,
    io::{BufReader, Read},
    path::{Path, PathBuf},
};

/// The columns, as the real file has them.
const COLUMNS: &str = "household_id,store_id,basket_id,product_id,quantity,sales_value,retail_disc,coupon_disc,\
    coupon_match_disc,week,transaction_timestamp";

/// The real file, where it is: `FANFARE_RETAIL_DATA`, or beside the checkout.
pub fn real_file() -> Option<PathBuf> {
    let beside = "../shared/data/complete-journey/transactions_sample.csv.gz";
    let path = std::env::var_os("FANFARE_RETAIL_DATA").map(PathBuf::from);
    Some(path.unwrap_or_else(|| crate::folder::root().join(beside))).filter(|path| path.is_file())
}

/// What the file itself says.
#[derive(Debug, Default)]
pub struct Truth {
    /// Basket → what was paid for it, in cents.
    pub baskets: BTreeMap<String, i64>,
    /// Households with at least one basket that was not free.
    pub buyers: BTreeSet<String>,
    /// Baskets of a household that had paid for one before, or pays for this one.
    pub orders: usize,
    /// Stores.
    pub stores: BTreeSet<String>,
}

impl Truth {
    /// What was paid in all, in cents.
    pub fn revenue(&self) -> i64 {
        self.baskets.values().sum()
    }

    /// How many baskets cost at least so many cents.
    pub fn baskets_from(&self, cents: i64) -> usize {
        self.baskets.values().filter(|total| **total >= cents).count()
    }
}

/// Reads a file by itself, without the product.
///
/// # Errors
/// When it cannot be read.
pub fn read(path: &Path) -> Result<Truth> {
    let file = BufReader::new(File::open(path).with_context(|| format!("cannot open {}", path.display()))?);
    let gzip = path.extension().is_some_and(|extension| extension == "gz");
    let reader: Box<dyn Read> = if gzip { Box::new(GzDecoder::new(file)) } else { Box::new(file) };
    let mut rows = csv::Reader::from_reader(reader);
    let header = rows.headers()?.clone();
    let at = |name: &str| header.iter().position(|column| column == name).with_context(|| format!("no column {name}"));
    let (household, store, basket, value) =
        (at("household_id")?, at("store_id")?, at("basket_id")?, at("sales_value")?);
    let mut truth = Truth::default();
    let (mut payer, mut in_order) = (BTreeMap::new(), Vec::new());
    for row in rows.records() {
        let row = row?;
        *truth.baskets.entry(row[basket].to_owned()).or_default() += cents(&row[value])?;
        if payer.insert(row[basket].to_owned(), row[household].to_owned()).is_none() {
            in_order.push(row[basket].to_owned());
        }
        truth.stores.insert(row[store].to_owned());
    }
    for basket in in_order {
        let buyer = payer[&basket].clone();
        if truth.baskets.get(&basket).is_some_and(|total| *total > 0) {
            truth.buyers.insert(buyer.clone());
        }
        truth.orders += usize::from(truth.buyers.contains(&buyer));
    }
    Ok(truth)
}

/// A decimal such as `3.5` or `4.4e-16` in cents, rounded half up, without a float in between.
///
/// # Errors
/// When it is no such decimal.
pub fn cents(text: &str) -> Result<i64> {
    let bad = || format!("{text:?} is no amount");
    let (mantissa, exponent) = text.split_once(['e', 'E']).unwrap_or((text, "0"));
    let exponent: i32 = exponent.parse().with_context(bad)?;
    let (whole, part) = mantissa.split_once('.').unwrap_or((mantissa, ""));
    let digits: i128 = format!("{whole}{part}").parse().with_context(bad)?;
    if digits < 0 {
        bail!("{text:?} is below zero");
    }
    // `digits` counts units of 10^shift cents.
    let shift = exponent - i32::try_from(part.len())? + 2;
    let scale = 10_i128.checked_pow(shift.unsigned_abs());
    let cents = match (shift >= 0, scale) {
        (true, Some(scale)) => digits.checked_mul(scale).with_context(bad)?,
        (true, None) => bail!("{text:?} is too large"),
        (false, Some(scale)) => (digits * 2 + scale) / (scale * 2),
        (false, None) => 0,
    };
    Ok(i64::try_from(cents)?)
}

/// Cents as a decimal text.
pub fn decimal(cents: i64) -> String {
    format!("{}.{:02}", cents / 100, cents % 100)
}

/// A file of `baskets` baskets within 2017, with the real one's oddities: lines of a basket that do not stand side by
/// side, free lines, whole free baskets, weights as fractional quantities, tiny residues of somebody's float sums.
pub fn generate(baskets: usize, seed: u64) -> String {
    let mut random = ChaCha8Rng::seed_from_u64(seed);
    let mut text = format!("{COLUMNS}\n");
    let mut late = Vec::new();
    for number in 0..baskets {
        let minute = number * 500_000 / baskets.max(1);
        let (day, in_day) = (minute / 1440, minute % 1440);
        let time = format!("{}T{:02}:{:02}:{:02}Z", date_2017(day), in_day / 60, in_day % 60, number % 60);
        let (household, store) = (random.random_range(1..=60), random.random_range(300..=304));
        let free = random.random_ratio(1, 50);
        for row in 0..random.random_range(1..=4) {
            let product = random.random_range(800_000..=800_400);
            let value = match random.random_range(0..40) {
                _ if free => "0.0".to_owned(),
                0 => "0.0".to_owned(),
                1 => "4.440892e-16".to_owned(),
                2..=20 => format!("{}.{}", random.random_range(0..9), random.random_range(0..10)),
                _ => format!("{}.{:02}", random.random_range(0..30), random.random_range(0..100)),
            };
            let line = format!(
                "{household},{store},{}.0,{product},1.0,{value},0.0,0.0,0.0,{},{time}",
                31_198_000_000_u64 + number as u64,
                day / 7 + 1
            );
            if row > 0 && random.random_ratio(1, 20) {
                late.push(line)
            } else {
                let _ = writeln!(text, "{line}");
            }
        }
        if number % 7 == 6 {
            for row in late.drain(..) {
                let _ = writeln!(text, "{row}");
            }
        }
    }
    for row in late {
        let _ = writeln!(text, "{row}");
    }
    text
}

/// The day of 2017 with this number, from 0.
fn date_2017(day: usize) -> String {
    const DAYS: [usize; 12] = [31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31];
    let mut left = day.min(364);
    for (month, days) in DAYS.iter().enumerate() {
        if left < *days {
            return format!("2017-{:02}-{:02}", month + 1, left + 1);
        }
        left -= days;
    }
    "2017-12-31".to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn amounts_are_read_exactly() {
        for (text, expect) in [
            ("3.5", 350),
            ("0.0", 0),
            ("1.88", 188),
            ("7", 700),
            ("4.440892e-16", 0),
            ("0.005", 1),
            ("0.0049", 0),
            ("1.2e2", 12_000),
        ] {
            assert_eq!(cents(text).unwrap(), expect, "{text}");
        }
        for text in ["", "x", "-1.00", "1,5"] {
            assert!(cents(text).is_err(), "{text}");
        }
    }

    #[test]
    fn a_generated_file_has_the_oddities_of_the_real_one() {
        let text = generate(700, 11);
        let mut seen = BTreeSet::new();
        let mut last = String::new();
        let mut apart = 0;
        for row in text.lines().skip(1) {
            let basket = row.split(',').nth(2).unwrap().to_owned();
            if basket != last && !seen.insert(basket.clone()) {
                apart += 1;
            }
            last = basket;
        }
        assert!(apart > 10, "only {apart} baskets are torn apart");
        assert!(text.contains("e-16"));
    }
}
