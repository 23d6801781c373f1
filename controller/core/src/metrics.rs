//! Figures as the status shows them: rates, ratios, averages. A figure over nothing is absent, never zero or infinite.

use crate::money::{BasisPoints, Minor};

/// `part ÷ whole` in percent with at most one decimal, rounded half up, such as `"12.3%"` or `"60%"`.
pub fn rate(part: i64, whole: i64) -> Option<String> {
    tenths(i128::from(part) * 100, i128::from(whole)).map(|text| format!("{text}%"))
}

/// `over ÷ under` with at most one decimal, rounded half up (half away from zero when negative), such as `"3.5"`.
pub fn ratio(over: i64, under: i64) -> Option<String> {
    tenths(i128::from(over), i128::from(under))
}

/// `total ÷ count` in minor units, rounded half up; for the average order value.
pub fn average(total: Minor, count: i64) -> Option<Minor> {
    divide(i128::from(total.0), i128::from(count)).and_then(|value| i64::try_from(value).ok()).map(Minor)
}

/// Return on investment: `(revenue × margin − cost) ÷ cost`, as [`ratio`] writes it. Absent without cost.
pub fn roi(revenue: Minor, margin: BasisPoints, cost: Minor) -> Option<String> {
    ratio(margin.of(revenue).minus(cost).0, cost.0)
}

/// How much of a goal is reached, in whole percent, rounded down so that 100 means reached; never above 100.
pub fn reached(current: i64, target: i64) -> i64 {
    if target <= 0 {
        return 100;
    }
    let percent = i128::from(current.max(0)) * 100 / i128::from(target);
    i64::try_from(percent.min(100)).unwrap_or(100)
}

fn tenths(over: i128, under: i128) -> Option<String> {
    let tenths = divide(over.checked_mul(10)?, under)?;
    let sign = if tenths < 0 { "-" } else { "" };
    let (whole, part) = (tenths.unsigned_abs() / 10, tenths.unsigned_abs() % 10);
    Some(if part == 0 { format!("{sign}{whole}") } else { format!("{sign}{whole}.{part}") })
}

/// Rounded half up, half away from zero when negative; nothing when `under` is not above zero.
fn divide(over: i128, under: i128) -> Option<i128> {
    if under <= 0 {
        return None;
    }
    let doubled = over.checked_mul(2)?;
    Some(if over < 0 { (doubled - under) / (2 * under) } else { (doubled + under) / (2 * under) })
}

#[cfg(test)]
mod tests;
