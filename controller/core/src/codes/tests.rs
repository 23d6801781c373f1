use super::*;
use crate::{fixtures::Seeded, model::reward::CodeSource};
use proptest::prelude::*;

fn rule(alphabet: Alphabet, length: usize, prefix: &str) -> CodeRule {
    CodeRule { length, alphabet, prefix: prefix.into(), source: CodeSource::Drawn, secret: None }
}

#[test]
fn what_people_type_reads_as_what_was_printed() {
    for (typed, stored) in [
        ("abcd-efgh", "ABCDEFGH"),
        (" 1o il ", "1011"),
        ("a—b–c", "ABC"),
        ("", ""),
        ("ＡＢ", "ＡＢ"),
        ("u_u", "UU"),
        ("\u{1}a\tb", "AB"),
    ] {
        assert_eq!(normalise(typed).as_str(), stored, "{typed}");
    }
    assert_eq!(normalise(&"9".repeat(1_000)).as_str().len(), CODE_LENGTH_MAX);
}

#[test]
fn a_line_of_a_list_says_one_code() {
    for (line, code) in [
        ("abcd-1234", Some("abcd-1234")),
        ("  \"ab12\" , used, 2026 \r\n", Some("ab12")),
        ("\u{feff}AB12;x", Some("AB12")),
        ("Code,comment", None),
        ("", None),
        ("\r\n", None),
        (",x", None),
    ] {
        assert_eq!(of_line(line), code, "{line:?}");
    }
}

#[test]
fn a_prefix_belongs_to_the_code_and_is_read_with_the_same_forgiveness() {
    let rule = rule(Alphabet::Crockford, 8, "hello-");
    let code = generate(&rule, &mut Seeded(1));
    assert!(code.as_str().starts_with("HE110"), "{code}");
    assert!(check(&rule, &code));
    assert!(check(&rule, &normalise(&format!("hello {}", &code.as_str()[5..].to_lowercase()))));
    assert!(!check(&rule, &Code::from(&code.as_str()[1..])));
}

#[test]
fn the_check_digit_of_digits_is_luhn_s() {
    assert!(check(&rule(Alphabet::Digits, 11, ""), &Code::from("79927398713")));
    assert!(!check(&rule(Alphabet::Digits, 11, ""), &Code::from("79927398714")));
}

#[test]
fn a_length_is_enough_when_one_guess_in_a_million_hits_at_most() {
    for (alphabet, quantity, shortest) in [
        (Alphabet::Crockford, 1, 5),
        (Alphabet::Crockford, 34_359, 8),
        (Alphabet::Crockford, 34_360, 9),
        (Alphabet::Crockford, 100_000_000, 11),
        (Alphabet::Crockford, i64::MAX, 18),
        (Alphabet::Digits, 10, 8),
        (Alphabet::Digits, 11, 9),
        (Alphabet::Digits, 100_000_000, 15),
    ] {
        assert_eq!(shortest_for(alphabet, quantity), Some(shortest), "{alphabet:?} {quantity}");
        assert!(!is_long_enough(alphabet, shortest - 1, quantity));
    }
    assert_eq!(space(Alphabet::Digits, usize::MAX), u128::MAX);
}

/// The birthday bound of n drawn codes is n² / (2 · space). A million of the usual ones clash with a chance of 1 in 72,000,
/// a hundred million with one of 13 %: the engine draws again then, and the second draw clashes with a chance of 1 in 360
/// million. That is why uniqueness is the store's and no error ever reaches a member.
#[test]
fn a_million_codes_of_the_usual_length_are_all_different_and_valid() {
    const CODES: usize = 1_000_000;
    let (rule, mut random) = (CodeRule::default(), Seeded(42));
    let mut codes: Vec<u128> = Vec::with_capacity(CODES);
    for _ in 0..CODES {
        let code = generate(&rule, &mut random);
        codes.push(code.as_str().bytes().fold(0, |sum, byte| sum << 8 | u128::from(byte)));
    }
    codes.sort_unstable();
    codes.dedup();
    assert_eq!(codes.len(), CODES);
    let space = space(rule.alphabet, rule.length);
    let pairs = |codes: u128| codes * (codes - 1) / 2;
    assert_eq!(space / pairs(1_000_000), 72_057);
    assert_eq!(pairs(100_000_000) * 100 / space, 13, "percent");
    assert_eq!(space / 100_000_000, 360_287_970, "draws until one clashes with a hundred million");
}

proptest! {
    #[test]
    fn made_codes_pass_and_any_single_wrong_character_fails(
        seed: u64, digits: bool, length in 4..20_usize, place: prop::sample::Index, other: prop::sample::Index,
    ) {
        let rule = rule(if digits { Alphabet::Digits } else { Alphabet::Crockford }, length, "T");
        let code = generate(&rule, &mut Seeded(seed));
        prop_assert!(check(&rule, &code));
        prop_assert_eq!(normalise(code.as_str()), code.clone());
        let mut bytes = code.as_str().as_bytes().to_vec();
        let place = 1 + place.index(length);
        let choices: Vec<u8> = symbols(rule.alphabet).iter().copied().filter(|b| *b != bytes[place]).collect();
        bytes[place] = choices[other.index(choices.len())];
        prop_assert!(!check(&rule, &Code::from(String::from_utf8(bytes).unwrap())));
    }
}
