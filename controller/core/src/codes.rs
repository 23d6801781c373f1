//! Codes of vouchers: made from a random source, read with forgiveness, checked by their last character.
//!
//! The check character is Luhn mod N over the characters after the prefix (ISO/IEC 7812-1 annex B for digits, the same
//! with N = 32 for Crockford's alphabet). For an even N every single wrong character is found, and nearly every swap of
//! two neighbours. A code is an identifier, not a secret by that: its length is what makes guessing hopeless.

use crate::{
    ids::Code,
    model::reward::{Alphabet, CodeRule},
    random::Random,
};

/// The longest text that is looked at as a code.
pub const CODE_LENGTH_MAX: usize = 64;

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

fn index(below: u64) -> usize {
    usize::try_from(below).unwrap_or(0)
}

/// A code as it was typed, scanned or read out, in the one form that codes are stored in: upper case, no spaces or
/// dashes, `O` read as `0` and `I` and `L` as `1`. Anything beyond [`CODE_LENGTH_MAX`] characters is cut off, so that
/// it matches no code.
pub fn normalise(text: &str) -> Code {
    let kept = text.chars().filter(|c| !c.is_whitespace() && !is_dash(*c)).take(CODE_LENGTH_MAX);
    let mapped = kept.map(|c| match c.to_ascii_uppercase() {
        'O' => '0',
        'I' | 'L' => '1',
        other => other,
    });
    Code::from(mapped.collect::<String>())
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
