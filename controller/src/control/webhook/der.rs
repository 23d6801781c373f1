//! The little of DER (X.690) that a certificate needs to be written.

const INTEGER: u8 = 0x02;
const BIT_STRING: u8 = 0x03;
const OCTET_STRING: u8 = 0x04;
const OBJECT_ID: u8 = 0x06;
const UTF8_STRING: u8 = 0x0c;
const UTC_TIME: u8 = 0x17;
const GENERALIZED_TIME: u8 = 0x18;
const SEQUENCE: u8 = 0x30;
const SET: u8 = 0x31;

/// A value with its tag and length.
pub fn tagged(tag: u8, content: &[u8]) -> Vec<u8> {
    let mut out = vec![tag];
    match content.len() {
        short @ 0..0x80 => out.push(u8::try_from(short).unwrap_or_default()),
        long => {
            let bytes = long.to_be_bytes();
            let significant = &bytes[bytes.iter().take_while(|byte| **byte == 0).count()..];
            out.push(0x80 | u8::try_from(significant.len()).unwrap_or_default());
            out.extend(significant);
        }
    }
    out.extend(content);
    out
}

/// Values in their order.
pub fn sequence(parts: &[&[u8]]) -> Vec<u8> {
    tagged(SEQUENCE, &parts.concat())
}

/// One value as a set.
pub fn set(part: &[u8]) -> Vec<u8> {
    tagged(SET, part)
}

/// A number that is not negative, from its bytes.
pub fn integer(bytes: &[u8]) -> Vec<u8> {
    let significant = &bytes[bytes.iter().take_while(|byte| **byte == 0).count()..];
    // The first bit is the sign's.
    let lead: &[u8] = if significant.first().is_none_or(|first| *first >= 0x80) { &[0] } else { &[] };
    tagged(INTEGER, &[lead, significant].concat())
}

/// Whole bytes as bits.
pub fn bits(bytes: &[u8]) -> Vec<u8> {
    tagged(BIT_STRING, &[&[0], bytes].concat())
}

/// The first `used` bits of a byte.
pub fn flags(byte: u8, used: u8) -> Vec<u8> {
    tagged(BIT_STRING, &[8 - used, byte])
}

/// Bytes.
pub fn octets(bytes: &[u8]) -> Vec<u8> {
    tagged(OCTET_STRING, bytes)
}

/// A text.
pub fn text(text: &str) -> Vec<u8> {
    tagged(UTF8_STRING, text.as_bytes())
}

/// An object identifier, whose first two numbers are small.
pub fn object_id(numbers: &[u32]) -> Vec<u8> {
    let mut content = Vec::new();
    if let [first, second, rest @ ..] = numbers {
        content.push(u8::try_from(first * 40 + second).unwrap_or_default());
        for number in rest {
            let groups = (1..5).rev().filter(|group| number >> (7 * group) > 0);
            content.extend(groups.map(|group| 0x80 | u8::try_from(number >> (7 * group) & 0x7f).unwrap_or_default()));
            content.push(u8::try_from(number & 0x7f).unwrap_or_default());
        }
    }
    tagged(OBJECT_ID, &content)
}

/// An instant, to the second: as X.509 wants it, with two digits of the year before 2050.
pub fn instant(at: chrono::DateTime<chrono::Utc>) -> Vec<u8> {
    match at.format("%Y").to_string().as_str() < "2050" {
        true => tagged(UTC_TIME, at.format("%y%m%d%H%M%SZ").to_string().as_bytes()),
        false => tagged(GENERALIZED_TIME, at.format("%Y%m%d%H%M%SZ").to_string().as_bytes()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_are_written_as_the_standard_shows_them() {
        let cases: [(Vec<u8>, &[u8]); 7] = [
            (integer(&[0, 0, 1]), &[2, 1, 1]),
            (integer(&[0x80]), &[2, 2, 0, 0x80]),
            (integer(&[0]), &[2, 1, 0]),
            (object_id(&[1, 2, 840, 10045, 2, 1]), &[6, 7, 0x2a, 0x86, 0x48, 0xce, 0x3d, 2, 1]),
            (flags(0b1000_0000, 1), &[3, 2, 7, 0x80]),
            (sequence(&[&[5, 0]]), &[0x30, 2, 5, 0]),
            (set(&octets(&[])), &[0x31, 2, 4, 0]),
        ];
        for (written, expect) in cases {
            assert_eq!(written, expect);
        }
        assert_eq!(octets(&[7; 200])[..3], [4, 0x81, 200]);
        assert_eq!(octets(&[7; 300])[..4], [4, 0x82, 1, 44]);
        assert_eq!(instant(chrono::DateTime::UNIX_EPOCH)[2..], *b"700101000000Z");
    }
}
