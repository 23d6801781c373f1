use super::*;
use crate::fixtures::Seeded;
use proptest::prelude::*;

fn rule(alphabet: Alphabet, length: usize, prefix: &str) -> CodeRule {
    CodeRule { length, alphabet, prefix: prefix.into() }
}

#[test]
fn what_people_type_reads_as_what_was_printed() {
    for (typed, stored) in
        [("abcd-efgh", "ABCDEFGH"), (" 1o il ", "1011"), ("a—b–c", "ABC"), ("", ""), ("ＡＢ", "ＡＢ"), ("u_u", "UU")]
    {
        assert_eq!(normalise(typed).as_str(), stored, "{typed}");
    }
    assert_eq!(normalise(&"9".repeat(1_000)).as_str().len(), CODE_LENGTH_MAX);
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
