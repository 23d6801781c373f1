//! What a scalar means, and which scalars mean different things to different readers of YAML.
//!
//! kubectl reads YAML 1.1: a bare `no` is false and `0644` is 420. Other tools read 1.2. Where the two differ, the author
//! is asked to say which is meant.

use serde_json::{Number, Value};
use serde_saphyr::granit_parser::ScalarStyle;

/// A scalar that does not mean the same to everyone.
#[derive(Debug)]
pub(crate) struct Trap {
    pub(crate) reason: String,
    pub(crate) remedy: String,
}

pub(crate) fn is_plain(style: ScalarStyle) -> bool {
    matches!(style, ScalarStyle::Plain)
}

/// The value of a scalar.
///
/// # Errors
/// [`Trap`] where YAML 1.1 and 1.2 differ.
pub(crate) fn resolve(text: &str, style: ScalarStyle) -> Result<Value, Trap> {
    if !is_plain(style) {
        return Ok(Value::String(text.to_owned()));
    }
    match text {
        "" | "~" | "null" | "Null" | "NULL" => return Ok(Value::Null),
        "true" | "True" | "TRUE" => return Ok(Value::Bool(true)),
        "false" | "False" | "FALSE" => return Ok(Value::Bool(false)),
        _ => {}
    }
    if ["y", "n", "yes", "no", "on", "off"].contains(&text.to_ascii_lowercase().as_str()) {
        let reason = format!("kubectl reads a bare `{text}` as true or false");
        return Err(Trap { reason, remedy: format!("quote it: \"{text}\"; or write true or false if you mean that") });
    }
    number(text).unwrap_or_else(|| Ok(Value::String(text.to_owned())))
}

/// `None` for what is no number to anyone.
fn number(text: &str) -> Option<Result<Value, Trap>> {
    let unsigned = text.strip_prefix(['-', '+']).unwrap_or(text);
    let first = unsigned.chars().next()?;
    if !first.is_ascii_digit() && first != '.' {
        return None;
    }
    if is_odd_integer(unsigned) || [".inf", ".nan"].contains(&unsigned.to_ascii_lowercase().as_str()) {
        let reason = format!("`{text}` is a different number, or none, to different readers of YAML");
        return Some(Err(Trap { reason, remedy: format!("quote it: \"{text}\"; or write plain decimal digits") }));
    }
    if unsigned.bytes().all(|byte| byte.is_ascii_digit()) {
        let whole = text.strip_prefix('+').unwrap_or(text);
        return match whole.parse::<i64>() {
            Ok(number) => Some(Ok(Value::Number(number.into()))),
            Err(_) => Some(Err(Trap {
                reason: format!("`{text}` is too large for a number"),
                remedy: format!("quote it: \"{text}\""),
            })),
        };
    }
    if !is_decimal(unsigned) {
        return None;
    }
    let float = text.parse::<f64>().ok().and_then(Number::from_f64);
    Some(float.map(Value::Number).ok_or_else(|| Trap {
        reason: format!("`{text}` is too large for a number"),
        remedy: format!("quote it: \"{text}\""),
    }))
}

/// Octal, hexadecimal and binary numbers, and digits with underscores: each is read by some.
fn is_odd_integer(unsigned: &str) -> bool {
    let digits = |text: &str| !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit() || byte == b'_');
    let leading_zero = unsigned.len() > 1 && unsigned.starts_with('0') && digits(unsigned);
    let underscores = unsigned.contains('_') && digits(unsigned);
    let based = ["0o", "0x", "0b"].iter().any(|prefix| {
        unsigned
            .strip_prefix(prefix)
            .is_some_and(|rest| !rest.is_empty() && rest.bytes().all(|byte| byte.is_ascii_hexdigit() || byte == b'_'))
    });
    leading_zero || underscores || based
}

/// Digits with a dot or an exponent.
fn is_decimal(unsigned: &str) -> bool {
    let (mantissa, exponent) = match unsigned.split_once(['e', 'E']) {
        Some((mantissa, exponent)) => (mantissa, Some(exponent)),
        None => (unsigned, None),
    };
    let digits = |text: &str| text.bytes().all(|byte| byte.is_ascii_digit());
    let (whole, part) = mantissa.split_once('.').unwrap_or((mantissa, ""));
    let has_digit = !whole.is_empty() || !part.is_empty();
    let exponent_fits = exponent.is_none_or(|text| {
        let text = text.strip_prefix(['-', '+']).unwrap_or(text);
        !text.is_empty() && digits(text)
    });
    has_digit && digits(whole) && digits(part) && exponent_fits
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn plain_scalars_mean_what_every_reader_takes_them_for() {
        for (text, expect) in [
            ("true", json!(true)),
            ("~", json!(null)),
            ("", json!(null)),
            ("10", json!(10)),
            ("-3", json!(-3)),
            ("1.5", json!(1.5)),
            ("1e3", json!(1000.0)),
            ("30d", json!("30d")),
            ("50%", json!("50%")),
            ("20:00", json!("20:00")),
            ("2026-11-11T00:00", json!("2026-11-11T00:00")),
            ("bkk-01", json!("bkk-01")),
            ("0.5", json!(0.5)),
            ("0", json!(0)),
            ("nobody", json!("nobody")),
        ] {
            assert_eq!(resolve(text, ScalarStyle::Plain).unwrap(), expect, "{text}");
        }
    }

    #[test]
    fn scalars_that_readers_differ_on_are_refused_unless_quoted() {
        for text in [
            "yes",
            "No",
            "ON",
            "off",
            "y",
            "N",
            "0644",
            "0o644",
            "0x1F",
            "0b11",
            "1_000",
            ".inf",
            "99999999999999999999",
        ] {
            let trap = resolve(text, ScalarStyle::Plain).unwrap_err();
            assert!(trap.remedy.contains(&format!("\"{text}\"")), "{text}: {}", trap.remedy);
            assert_eq!(resolve(text, ScalarStyle::DoubleQuoted).unwrap(), json!(text));
        }
    }
}
