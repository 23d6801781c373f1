//! The card that a shopper pays with, for limits per card: a token or fingerprint of the payment service, never the card's
//! number. It is hashed here under the namespace's own key, so that it is neither kept, logged nor told.

use crate::{app::App, wire::Faults};

/// The longest token.
const TOKEN_MAX: usize = 128;
/// How many digits the number of a payment card has.
const NUMBER_DIGITS: std::ops::RangeInclusive<usize> = 12..=19;

/// Checks what a till says of the card; nothing of it stands in what is answered.
pub(crate) fn check(pointer: &str, token: Option<&String>, faults: &mut Faults) {
    let Some(token) = token else { return };
    if is_card_number(token) {
        let remedy = "send the token or fingerprint that the payment service gives for the card, never its number";
        faults.add(pointer, "it is the number of a payment card", remedy);
    } else if !((1..=TOKEN_MAX).contains(&token.len()) && token.bytes().all(|byte| byte.is_ascii_graphic())) {
        let remedy = format!("1 to {TOKEN_MAX} printable ASCII characters, without spaces");
        faults.add(pointer, "it is no token of a card", remedy);
    }
}

/// The card as it is counted.
pub(crate) fn hidden(app: &App, token: Option<&String>) -> Option<String> {
    token.map(|token| app.hidden("card", token))
}

/// Whether it is digits, perhaps in groups, whose last one is the check digit (Luhn) of the others.
fn is_card_number(text: &str) -> bool {
    let grouped = |c: char| c == ' ' || c == '-' || c == '.';
    let Some(digits) = text.chars().filter(|c| !grouped(*c)).map(|c| c.to_digit(10)).collect::<Option<Vec<u32>>>()
    else {
        return false;
    };
    let weigh = |(place, digit): (usize, &u32)| match place % 2 {
        0 => *digit,
        _ => digit * 2 / 10 + digit * 2 % 10,
    };
    NUMBER_DIGITS.contains(&digits.len()) && digits.iter().rev().enumerate().map(weigh).sum::<u32>() % 10 == 0
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_number_of_a_card_is_known_however_it_is_written() {
        for (text, expect) in [
            ("4111111111111111", true),
            ("4111 1111 1111 1111", true),
            ("3782-822463-10005", true),
            ("6304.0000.0000", true),
            ("4111111111111112", false),
            ("79927398713", false),
            ("tok_4111111111111111", false),
            ("", false),
        ] {
            assert_eq!(is_card_number(text), expect, "{text}");
        }
    }
}
