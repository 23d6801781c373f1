//! Certificates for the webhook (RFC 5280): an authority of our own, and what it signs. P-256, SHA-256.

use super::der;
use anyhow::{Context, anyhow};
use base64::{Engine, engine::general_purpose::STANDARD};
use chrono::{DateTime, NaiveDateTime, TimeDelta, Utc};
use fanfare_core::rotation::Span;
use ring::{
    digest,
    rand::SecureRandom,
    signature::{ECDSA_P256_SHA256_ASN1_SIGNING, EcdsaKeyPair, KeyPair},
};
use std::net::IpAddr;

/// Clocks of API servers may be behind ours by so much.
const BEFORE: TimeDelta = TimeDelta::minutes(5);
/// How many bytes of a serial number are chance.
const SERIAL_BYTES: usize = 16;
/// The tag of a certificate's version.
const VERSION: u8 = 0xa0;

/// A key and what it is certified by.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Certified {
    /// DER.
    pub certificate: Vec<u8>,
    /// PKCS #8.
    pub key: Vec<u8>,
    /// When it is good.
    pub span: Span,
}

/// Makes an authority, which signs itself.
///
/// # Errors
/// When the operating system has no chance to give.
pub fn authority(now: DateTime<Utc>, lasts: TimeDelta, random: &dyn SecureRandom) -> anyhow::Result<Certified> {
    let key = Key::new(random)?;
    let span = Span { made: now, ends: now + lasts };
    let serial = serial(random)?;
    // Named after its serial number, so that two of them are not taken for one.
    let subject = name(&format!("fanfare webhook authority {}", hex(&serial[..4])));
    let key_id = key.id();
    let extensions = [
        extension(&[2, 5, 29, 19], true, &der::sequence(&[&[0x01, 0x01, 0xff]])), // A certificate authority.
        extension(&[2, 5, 29, 15], true, &der::flags(0b0000_0110, 7)),            // Signs certificates and lists.
        extension(&[2, 5, 29, 14], false, &der::octets(&key_id)),
    ];
    let certificate = signed(&serial, &subject, &subject, span, &key, &extensions, &key, random)?;
    Ok(Certified { certificate, key: key.pkcs8, span })
}

/// Has an authority sign a key for these names.
///
/// # Errors
/// When the authority cannot be read, or the operating system has no chance to give.
pub fn leaf(
    signer: &Certified,
    names: &[String],
    now: DateTime<Utc>,
    lasts: TimeDelta,
    random: &dyn SecureRandom,
) -> anyhow::Result<Certified> {
    let (key, signing) = (Key::new(random)?, Key::of(&signer.key, random)?);
    let span = Span { made: now, ends: (now + lasts).min(signer.span.ends) };
    let issuer = subject_of(&signer.certificate).context("the authority's certificate cannot be read")?;
    let subject = name(names.first().map_or("fanfare webhook", String::as_str));
    let alternatives: Vec<u8> = names.iter().flat_map(|name| alternative(name)).collect();
    let extensions = [
        extension(&[2, 5, 29, 19], true, &der::sequence(&[])), // No authority.
        extension(&[2, 5, 29, 15], true, &der::flags(0b1000_0000, 1)), // Signs handshakes.
        extension(&[2, 5, 29, 37], false, &der::sequence(&[&der::object_id(&[1, 3, 6, 1, 5, 5, 7, 3, 1])])), // A server.
        extension(&[2, 5, 29, 17], false, &der::sequence(&[&alternatives])),
        extension(&[2, 5, 29, 35], false, &der::sequence(&[&der::tagged(0x80, &signing.id())])),
    ];
    let certificate = signed(&serial(random)?, &issuer, &subject, span, &key, &extensions, &signing, random)?;
    Ok(Certified { certificate, key: key.pkcs8, span })
}

/// A certificate as PEM.
pub fn pem(certificate: &[u8]) -> String {
    let body = STANDARD.encode(certificate);
    let lines: Vec<&str> = (0..body.len()).step_by(64).map(|at| &body[at..body.len().min(at + 64)]).collect();
    format!("-----BEGIN CERTIFICATE-----\n{}\n-----END CERTIFICATE-----\n", lines.join("\n"))
}

struct Key {
    pair: EcdsaKeyPair,
    pkcs8: Vec<u8>,
}

impl Key {
    fn new(random: &dyn SecureRandom) -> anyhow::Result<Self> {
        let made = EcdsaKeyPair::generate_pkcs8(&ECDSA_P256_SHA256_ASN1_SIGNING, random);
        Self::of(made.map_err(|_| anyhow!("the operating system gives no random numbers"))?.as_ref(), random)
    }

    fn of(pkcs8: &[u8], random: &dyn SecureRandom) -> anyhow::Result<Self> {
        let pair = EcdsaKeyPair::from_pkcs8(&ECDSA_P256_SHA256_ASN1_SIGNING, pkcs8, random);
        let pair = pair.map_err(|error| anyhow!("a key of the webhook cannot be read: {error}"))?;
        Ok(Self { pair, pkcs8: pkcs8.to_vec() })
    }

    /// What stands for it in other certificates.
    fn id(&self) -> Vec<u8> {
        digest::digest(&digest::SHA256, self.pair.public_key().as_ref()).as_ref()[..20].to_vec()
    }

    fn info(&self) -> Vec<u8> {
        let kind = [der::object_id(&[1, 2, 840, 10045, 2, 1]), der::object_id(&[1, 2, 840, 10045, 3, 1, 7])].concat();
        der::sequence(&[&der::sequence(&[&kind]), &der::bits(self.pair.public_key().as_ref())])
    }
}

fn serial(random: &dyn SecureRandom) -> anyhow::Result<[u8; SERIAL_BYTES]> {
    let mut serial = [0; SERIAL_BYTES];
    random.fill(&mut serial).map_err(|_| anyhow!("the operating system gives no random numbers"))?;
    Ok(serial)
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

/// A name of one part, the common name.
fn name(common: &str) -> Vec<u8> {
    der::sequence(&[&der::set(&der::sequence(&[&der::object_id(&[2, 5, 4, 3]), &der::text(common)]))])
}

fn extension(id: &[u32], critical: bool, value: &[u8]) -> Vec<u8> {
    let critical: &[u8] = if critical { &[0x01, 0x01, 0xff] } else { &[] };
    der::sequence(&[&der::object_id(id), critical, &der::octets(value)])
}

/// A name that the certificate is for: an address, or a name of the DNS.
fn alternative(name: &str) -> Vec<u8> {
    match name.parse::<IpAddr>() {
        Ok(IpAddr::V4(address)) => der::tagged(0x87, &address.octets()),
        Ok(IpAddr::V6(address)) => der::tagged(0x87, &address.octets()),
        Err(_) => der::tagged(0x82, name.as_bytes()),
    }
}

#[expect(clippy::too_many_arguments, reason = "the parts of a certificate, each named at its two callers")]
fn signed(
    serial: &[u8],
    issuer: &[u8],
    subject: &[u8],
    span: Span,
    key: &Key,
    extensions: &[Vec<u8>],
    signer: &Key,
    random: &dyn SecureRandom,
) -> anyhow::Result<Vec<u8>> {
    let algorithm = der::sequence(&[&der::object_id(&[1, 2, 840, 10045, 4, 3, 2])]);
    let validity = der::sequence(&[&der::instant(span.made - BEFORE), &der::instant(span.ends)]);
    let version = der::tagged(VERSION, &der::integer(&[2]));
    let extensions = der::tagged(0xa3, &der::sequence(&[&extensions.concat()]));
    // Positive, as RFC 5280 wants it: a byte of its own leads.
    let serial = der::integer(&[&[1], serial].concat());
    let body = der::sequence(&[&version, &serial, &algorithm, issuer, &validity, subject, &key.info(), &extensions]);
    let signature = signer.pair.sign(random, &body).map_err(|_| anyhow!("a certificate was not signed"))?;
    Ok(der::sequence(&[&body, &algorithm, &der::bits(signature.as_ref())]))
}

/// The subject of a certificate that was written here.
fn subject_of(certificate: &[u8]) -> Option<Vec<u8>> {
    let (body, _) = content(content(certificate)?.0)?;
    let mut rest = body;
    // Version, serial number, algorithm, issuer, validity.
    for _ in 0..5 {
        rest = content(rest)?.1;
    }
    let after = content(rest)?.1;
    Some(rest[..rest.len() - after.len()].to_vec())
}

/// When a certificate ends, also one that another has written; nothing where it cannot be read.
pub fn ends(certificate: &[u8]) -> Option<DateTime<Utc>> {
    let (mut rest, _) = content(content(certificate)?.0)?;
    // The version, which old ones lack; serial number, algorithm, issuer.
    let before = if *rest.first()? == VERSION { 4 } else { 3 };
    for _ in 0..before {
        rest = content(rest)?.1;
    }
    let (_, until) = content(content(rest)?.0)?;
    let text = std::str::from_utf8(content(until)?.0).ok()?.strip_suffix('Z')?;
    // RFC 5280: two digits of the year before 2050, else four.
    let year = match (text.len(), text.get(..2)?.parse::<u32>().ok()?) {
        (12, 50..) => "19",
        (12, _) => "20",
        _ => "",
    };
    let at = NaiveDateTime::parse_from_str(&format!("{year}{text}"), "%Y%m%d%H%M%S").ok()?;
    Some(at.and_utc())
}

/// What the first value holds, and what comes behind it.
fn content(bytes: &[u8]) -> Option<(&[u8], &[u8])> {
    let short = usize::from(*bytes.get(1)?);
    let (start, length) = match short {
        0..0x80 => (2, short),
        _ => {
            let count = short & 0x7f;
            let length = bytes
                .get(2..2 + count)?
                .iter()
                .try_fold(0_usize, |sum, byte| sum.checked_mul(256)?.checked_add(usize::from(*byte)))?;
            (2 + count, length)
        }
    };
    let end = start.checked_add(length)?;
    Some((bytes.get(start..end)?, bytes.get(end..)?))
}

#[cfg(test)]
mod tests {
    use super::*;
    use ring::rand::SystemRandom;

    #[test]
    fn the_end_of_a_certificate_is_read_in_either_century_and_nothing_from_what_is_none() {
        for made in ["2026-11-11T10:00:00Z", "2049-12-30T23:59:59Z", "2060-01-01T00:00:00Z"] {
            let made: DateTime<Utc> = made.parse().unwrap();
            let certified = authority(made, TimeDelta::days(30), &SystemRandom::new()).unwrap();
            assert_eq!(ends(&certified.certificate), Some(made + TimeDelta::days(30)));
            for cut in [0, 1, 40, 100] {
                assert_eq!(ends(&certified.certificate[..cut]), None);
            }
        }
        assert_eq!(ends(b"no certificate"), None);
    }
}
