//! Money as whole minor units (satang, cents) and shares as basis points. No floats.

use serde::{Deserialize, Serialize};
use std::fmt;
use thiserror::Error;

/// An amount in minor units of the namespace's currency, negative when owed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Minor(pub i64);

/// The largest amount that a person may write, in minor units. Sums of a million of them still fit an `i64`.
pub const AMOUNT_MAX_MINOR: i64 = 1_000_000_000_000;

impl Minor {
    /// No money.
    pub const ZERO: Self = Self(0);

    /// Adds, staying at the bound of `i64` instead of wrapping. Inputs are bounded by [`AMOUNT_MAX_MINOR`], so a sum
    /// reaches it only where something else is already broken, and then stays recognisably absurd.
    #[must_use]
    pub fn plus(self, other: Self) -> Self {
        Self(self.0.saturating_add(other.0))
    }

    /// Subtracts, saturating like [`Minor::plus`].
    #[must_use]
    pub fn minus(self, other: Self) -> Self {
        Self(self.0.saturating_sub(other.0))
    }

    /// `self × quantity`, saturating.
    #[must_use]
    pub fn times(self, quantity: i64) -> Self {
        Self(self.0.saturating_mul(quantity))
    }

    /// The opposite amount.
    #[must_use]
    pub fn negated(self) -> Self {
        Self(self.0.saturating_neg())
    }

    /// Never below nothing.
    #[must_use]
    pub fn or_zero(self) -> Self {
        Self(self.0.max(0))
    }
}

impl std::iter::Sum for Minor {
    fn sum<I: Iterator<Item = Self>>(iter: I) -> Self {
        iter.fold(Self::ZERO, Self::plus)
    }
}

/// A share in hundredths of a percent: `"5%"` is 500.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(transparent)]
pub struct BasisPoints(pub i64);

impl BasisPoints {
    /// The whole.
    pub const FULL: Self = Self(10_000);

    /// This share of `amount`, rounded half up (half away from zero for a negative amount).
    #[must_use]
    pub fn of(self, amount: Minor) -> Minor {
        let exact = i128::from(amount.0) * i128::from(self.0);
        let half = if exact < 0 { -5_000 } else { 5_000 };
        Minor(clamp((exact + half) / 10_000))
    }

    /// Reads `"5%"`, `"12.5%"` or `"0.25%"`.
    ///
    /// # Errors
    /// [`MoneyError::Percent`] for anything else, more than two decimals or a negative share.
    pub fn parse(text: &str) -> Result<Self, MoneyError> {
        let wrong = || MoneyError::Percent(text.into());
        let digits = text.strip_suffix('%').ok_or_else(wrong)?;
        let scaled = decimal(digits, 2).map_err(|_| wrong())?;
        if scaled > 100_000_000 { Err(wrong()) } else { Ok(Self(scaled)) }
    }
}

impl fmt::Display for BasisPoints {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (whole, part) = (self.0 / 100, self.0 % 100);
        match part {
            0 => write!(f, "{whole}%"),
            p if p % 10 == 0 => write!(f, "{whole}.{}%", p / 10),
            p => write!(f, "{whole}.{p:02}%"),
        }
    }
}

/// Why a text is no amount of money.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum MoneyError {
    /// Not digits with at most one dot.
    #[error("{0:?} is not an amount; write digits with a dot, such as \"120.00\"")]
    Amount(String),
    /// More decimals than the currency has.
    #[error("{text:?} has more decimals than {currency} has ({exponent})")]
    Decimals {
        /// What was written.
        text: String,
        /// The currency's code.
        currency: String,
        /// How many decimals it has.
        exponent: u32,
    },
    /// Beyond [`AMOUNT_MAX_MINOR`].
    #[error("{0:?} is too large")]
    TooLarge(String),
    /// Not a percentage.
    #[error("{0:?} is not a percentage; write such as \"5%\" or \"12.5%\", with at most two decimals")]
    Percent(String),
    /// Not an ISO 4217 code.
    #[error("{0:?} is not an ISO 4217 currency code such as \"THB\"")]
    Currency(String),
}

/// An ISO 4217 currency.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Currency {
    code: String,
    exponent: u32,
}

impl Currency {
    /// Looks up an ISO 4217 code such as `THB`.
    ///
    /// # Errors
    /// [`MoneyError::Currency`] when there is none of that code.
    pub fn parse(code: &str) -> Result<Self, MoneyError> {
        let known = iso_currency::Currency::from_code(code).ok_or_else(|| MoneyError::Currency(code.into()))?;
        Ok(Self { code: code.into(), exponent: known.exponent().map_or(2, u32::from) })
    }

    /// The three-letter code.
    pub fn code(&self) -> &str {
        &self.code
    }

    /// Decimals of one unit: 2 for THB, 0 for JPY.
    pub fn exponent(&self) -> u32 {
        self.exponent
    }

    /// Reads `"120.00"` (fewer decimals are fine, more are not, nor is a sign).
    ///
    /// # Errors
    /// [`MoneyError`] naming what is wrong.
    pub fn amount(&self, text: &str) -> Result<Minor, MoneyError> {
        match decimal(text, self.exponent) {
            Ok(minor) if minor <= AMOUNT_MAX_MINOR => Ok(Minor(minor)),
            Ok(_) | Err(DecimalError::TooLarge) => Err(MoneyError::TooLarge(text.into())),
            Err(DecimalError::Shape) => Err(MoneyError::Amount(text.into())),
            Err(DecimalError::Decimals) => {
                Err(MoneyError::Decimals { text: text.into(), currency: self.code.clone(), exponent: self.exponent })
            }
        }
    }

    /// Writes `12000` minor units as `"120.00"`.
    pub fn format(&self, amount: Minor) -> String {
        let sign = if amount.0 < 0 { "-" } else { "" };
        let scale = 10_u64.pow(self.exponent);
        let (whole, part) = (amount.0.unsigned_abs() / scale, amount.0.unsigned_abs() % scale);
        match self.exponent {
            0 => format!("{sign}{whole}"),
            places => format!("{sign}{whole}.{part:0width$}", width = places as usize),
        }
    }
}

impl TryFrom<String> for Currency {
    type Error = MoneyError;
    fn try_from(code: String) -> Result<Self, MoneyError> {
        Self::parse(&code)
    }
}

impl From<Currency> for String {
    fn from(currency: Currency) -> Self {
        currency.code
    }
}

/// Splits `total` over `weights` in proportion, by largest remainder, so that the parts sum exactly to `total`. Ties go
/// to the earlier weight. All-zero weights put everything on the first.
pub fn allocate(total: Minor, weights: &[i64]) -> Vec<Minor> {
    let sum: i128 = weights.iter().map(|w| i128::from(*w)).sum();
    if weights.is_empty() {
        return Vec::new();
    }
    if sum <= 0 {
        let mut parts = vec![Minor::ZERO; weights.len()];
        parts[0] = total;
        return parts;
    }
    let mut parts = Vec::with_capacity(weights.len());
    let mut remainders = Vec::with_capacity(weights.len());
    let mut given: i64 = 0;
    for (index, weight) in weights.iter().enumerate() {
        let exact = i128::from(total.0) * i128::from(*weight);
        let floor = clamp(exact.div_euclid(sum));
        given = given.saturating_add(floor);
        parts.push(Minor(floor));
        remainders.push((exact.rem_euclid(sum), index));
    }
    remainders.sort_by(|a, b| b.0.cmp(&a.0).then(a.1.cmp(&b.1)));
    let left = usize::try_from(total.0.saturating_sub(given)).unwrap_or(0);
    for (_, index) in remainders.into_iter().take(left) {
        parts[index].0 += 1;
    }
    parts
}

/// The part of `whole` that `of` out of `all` equal units have, rounded half up. `portion(w, n + k, all) -
/// portion(w, n, all)` over consecutive steps sums exactly to `whole`, which keeps partial returns exact.
pub fn portion(whole: Minor, of: i64, all: i64) -> Minor {
    if all <= 0 || of <= 0 {
        return Minor::ZERO;
    }
    let (of, all) = (i128::from(of.min(all)), i128::from(all));
    Minor(clamp((2 * i128::from(whole.0) * of + all).div_euclid(2 * all)))
}

enum DecimalError {
    Shape,
    Decimals,
    TooLarge,
}

/// Reads unsigned digits with at most `places` decimals into units of 10^-places.
fn decimal(text: &str, places: u32) -> Result<i64, DecimalError> {
    let (whole, part) = text.split_once('.').unwrap_or((text, ""));
    let digits = |s: &str| s.bytes().all(|b| b.is_ascii_digit());
    let dangling = text.contains('.') && part.is_empty();
    if whole.is_empty() || dangling || !digits(whole) || !digits(part) {
        return Err(DecimalError::Shape);
    }
    if part.len() > places as usize {
        return Err(DecimalError::Decimals);
    }
    let padded = format!("{whole}{part:0<width$}", width = places as usize);
    padded.parse().map_err(|_| DecimalError::TooLarge)
}

fn clamp(value: i128) -> i64 {
    i64::try_from(value).unwrap_or(if value < 0 { i64::MIN } else { i64::MAX })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn amounts_read_and_print_by_the_currency_s_decimals() {
        let thb = Currency::parse("THB").unwrap();
        let jpy = Currency::parse("JPY").unwrap();
        for (text, minor, printed) in [("120.00", 12_000, "120.00"), ("0.5", 50, "0.50"), ("7", 700, "7.00")] {
            assert_eq!(thb.amount(text).unwrap(), Minor(minor));
            assert_eq!(thb.format(Minor(minor)), printed);
        }
        assert_eq!(jpy.amount("120").unwrap(), Minor(120));
        for wrong in ["", ".5", "5.", "-1", "1e3", "1,000", "0.001", "99999999999999999999"] {
            assert!(thb.amount(wrong).is_err(), "{wrong}");
        }
        assert!(jpy.amount("1.5").is_err());
    }

    #[test]
    fn shares_round_half_up() {
        for (share, amount, expect) in
            [("50%", 1, 1), ("50%", 3, 2), ("12.5%", 4, 1), ("0%", 99, 0), ("33.33%", 100, 33)]
        {
            assert_eq!(BasisPoints::parse(share).unwrap().of(Minor(amount)), Minor(expect), "{share} of {amount}");
        }
        assert_eq!(BasisPoints::parse("12.50%").unwrap().to_string(), "12.5%");
    }

    #[test]
    fn parts_always_sum_to_the_whole() {
        for (total, weights) in
            [(100, vec![1, 1, 1]), (1, vec![5, 5]), (0, vec![3, 4]), (10, vec![0, 0]), (7, vec![0, 7])]
        {
            let parts = allocate(Minor(total), &weights);
            assert_eq!(parts.iter().copied().sum::<Minor>(), Minor(total), "{weights:?}");
        }
        assert_eq!(allocate(Minor(100), &[1, 1, 1]), [Minor(34), Minor(33), Minor(33)]);
    }
}
