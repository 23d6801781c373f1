//! Codes of vouchers: made from a random source, read with forgiveness, checked by their last character.
//!
//! The check character is Luhn mod N over the characters after the prefix (ISO/IEC 7812-1 annex B for digits, the same
//! with N = 32 for Crockford's alphabet). For an even N every single wrong character is found, and nearly every swap of
//! two neighbours. A code is an identifier, not a secret by that: its length is what makes guessing hopeless, and
//! [`is_long_enough`] is the arithmetic of that.

use crate::{
    ids::Code,
    model::reward::{Alphabet, CodeRule},
    random::Random,
};

/// The longest text that is looked at as a code.
pub const CODE_LENGTH_MAX: usize = 64;

/// Of how many codes that could be, at most one is: so a guess hits with a chance of one in a million at the most, and a
/// till's or member's allowance of wrong codes (see `docs/reference/codes.md`) makes that years.
pub const GUESSES_PER_HIT_MIN: u128 = 1_000_000;
/// How many codes are reckoned with where a reward has no quantity.
pub const QUANTITY_ASSUMED: i64 = 10_000;
/// The longest code that can be drawn.
pub const LENGTH_MAX: usize = 24;

const CROCKFORD: &[u8] = b"0123456789ABCDEFGHJKMNPQRSTVWXYZ";
const DIGITS: &[u8] = b"0123456789";

fn symbols(alphabet: Alphabet) -> &'static [u8] {
    match alphabet {
        Alphabet::Crockford => CROCKFORD,
        Alphabet::Digits => DIGITS,
    }
}

/// A new code, normalised. Uniqueness is the store's; on a clash the engine draws again.
pub fn generate(rule: &CodeRule, random: &mut dyn Random) -> Code {
    let symbols = symbols(rule.alphabet);
    let payload: Vec<usize> = (1..rule.length).map(|_| index(random.below(symbols.len() as u64))).collect();
    let check = check_value(&payload, symbols.len());
    let body: String = payload.into_iter().chain([check]).map(|value| char::from(symbols[value])).collect();
    Code::from(format!("{}{body}", normalise(&rule.prefix).as_str()))
}

/// How many different codes a rule can draw: the check character adds none.
pub fn space(alphabet: Alphabet, length: usize) -> u128 {
    let exponent = u32::try_from(length.saturating_sub(1)).unwrap_or(u32::MAX);
    (symbols(alphabet).len() as u128).saturating_pow(exponent)
}

/// Whether codes of this length are sparse enough for `quantity` of them: [`GUESSES_PER_HIT_MIN`].
pub fn is_long_enough(alphabet: Alphabet, length: usize, quantity: i64) -> bool {
    let codes = u128::try_from(quantity.max(1)).unwrap_or(1);
    space(alphabet, length) >= codes.saturating_mul(GUESSES_PER_HIT_MIN)
}

/// The shortest length that is sparse enough; `None` when none up to [`LENGTH_MAX`] is.
pub fn shortest_for(alphabet: Alphabet, quantity: i64) -> Option<usize> {
    (2..=LENGTH_MAX).find(|length| is_long_enough(alphabet, *length, quantity))
}

fn index(below: u64) -> usize {
    usize::try_from(below).unwrap_or(0)
}

/// A code as it was typed, scanned or read out, in the one form that codes are stored in: upper case, no spaces or
/// dashes, no control characters, `O` read as `0` and `I` and `L` as `1`. Anything beyond [`CODE_LENGTH_MAX`] characters
/// is cut off, so that it matches no code.
pub fn normalise(text: &str) -> Code {
    let is_noise = |c: char| c.is_whitespace() || c.is_control() || is_dash(c);
    let kept = text.chars().filter(|c| !is_noise(*c)).take(CODE_LENGTH_MAX);
    let mapped = kept.map(|c| match c.to_ascii_uppercase() {
        'O' => '0',
        'I' | 'L' => '1',
        other => other,
    });
    Code::from(mapped.collect::<String>())
}

/// The code of a line of a list, as it is written there: its first column; nothing for an empty line and for the heading
/// `code`.
pub fn of_line(line: &str) -> Option<&str> {
    let line = line.trim_start_matches('\u{feff}');
    let first = line.split([',', ';', '\t']).next().unwrap_or_default().trim().trim_matches(['"', '\'']).trim();
    let is_heading = first.eq_ignore_ascii_case("code");
    (!first.is_empty() && !is_heading).then_some(first)
}

fn is_dash(c: char) -> bool {
    matches!(c, '-' | '_' | '\u{2010}'..='\u{2015}' | '\u{2212}')
}

/// Whether a normalised code can be one of `rule`: its prefix, length, alphabet and check character. A till may refuse
/// a mistyped code by it without asking anybody.
pub fn check(rule: &CodeRule, code: &Code) -> bool {
    let symbols = symbols(rule.alphabet);
    let prefix = normalise(&rule.prefix);
    let Some(body) = code.as_str().strip_prefix(prefix.as_str()) else { return false };
    let values: Option<Vec<usize>> = body.bytes().map(|b| symbols.iter().position(|symbol| *symbol == b)).collect();
    let Some(values) = values.filter(|values| values.len() == rule.length) else { return false };
    values.split_last().is_some_and(|(last, payload)| check_value(payload, symbols.len()) == *last)
}

/// The value that completes `payload`: from the right, every second one doubled, the digits of each in base `n` summed.
fn check_value(payload: &[usize], n: usize) -> usize {
    let doubled =
        |place: usize, value: usize| if place.is_multiple_of(2) { 2 * value / n + 2 * value % n } else { value };
    let sum: usize = payload.iter().rev().enumerate().map(|(place, value)| doubled(place, *value)).sum();
    (n - sum % n) % n
}

#[cfg(test)]
mod tests;
