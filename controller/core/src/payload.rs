//! The payload of a rotating code: what the member's app shows, what a till reads, and when it is taken.
//!
//! Forty bytes and an Ed25519 signature over them, written in Crockford's base 32, so that a QR code holds them in its
//! compact alphanumeric mode and a scanner that types for a keyboard cannot mangle them. Byte by byte it stands in
//! `docs/reference/codes.md`. Nothing is signed or verified here: whoever holds the keys does.

use crate::{
    ids::{Code, GrantId},
    model::reward::Guard,
    money::Minor,
    reason::{Reason, Refusal},
    time::{Ts, Tz},
};
use chrono::{DateTime, TimeDelta};

/// What a payload starts with, so that a scanner tells it from a voucher's plain code and a member's code.
pub const PREFIX: &str = "FP1.";
/// How many bytes are signed, the version included.
pub const BODY_BYTES: usize = 40;
/// How many bytes the signature has (RFC 8032).
pub const SIGNATURE_BYTES: usize = 64;
/// How many characters a payload has, the prefix included.
pub const TEXT_CHARS: usize = 171;
/// What is signed before the body, so that no signature made for something else can be taken for one of a payload.
pub const CONTEXT: &[u8] = b"fanfare grant code v1";
/// How far the clocks of two replicas, or of a till and the server, may stand apart, in seconds: more than a machine that
/// asks a time server drifts in a day without one.
pub const CLOCK_SKEW_S: i64 = 30;

/// The version that this binary writes and reads.
const VERSION: u8 = 1;
/// What a payload whose signature was checked starts with on its way through the engine. No typed code has a control
/// character (see [`crate::codes::normalise`]), so nobody can write one by hand.
const VERIFIED: char = '\u{1}';
const SYMBOLS: &[u8; 32] = b"0123456789ABCDEFGHJKMNPQRSTVWXYZ";
/// How many characters an id of 128 bits has.
const ID_CHARS: usize = 26;

/// What a payload says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Payload {
    /// Which key signed it: the first four bytes of its id.
    pub key: [u8; 4],
    /// Which voucher.
    pub grant: GrantId,
    /// When it was made, in milliseconds since 1970.
    pub issued_ms: i64,
    /// How long it is good, in seconds; at most 18 hours.
    pub life_s: u16,
    /// Random, so that no two payloads are alike; 24 bits of it are kept.
    pub nonce: u32,
    /// Up to how much a till that is offline may take it for, in minor units; nothing: not at all.
    pub offline_max: Option<Minor>,
    /// How long after that the till may report it, in seconds; at most 194 days.
    pub grace_s: u32,
}

impl Payload {
    /// The bytes that are signed; `None` when the grant's id is not one of 26 characters, as every id of ours is.
    pub fn body(&self) -> Option<[u8; BODY_BYTES]> {
        let Self { key, grant, issued_ms, life_s, nonce, offline_max, grace_s } = self;
        let max = offline_max.map_or(0, |amount| amount.0.clamp(0, 0xff_ffff_ffff));
        let mut body = [0; BODY_BYTES];
        let mut at = 0;
        let mut put = |bytes: &[u8]| {
            body[at..at + bytes.len()].copy_from_slice(bytes);
            at += bytes.len();
        };
        put(&[VERSION]);
        put(key);
        put(&id_bytes(grant.as_str())?);
        put(&issued_ms.to_be_bytes()[2..]);
        put(&life_s.to_be_bytes());
        put(&nonce.to_be_bytes()[1..]);
        put(&max.to_be_bytes()[3..]);
        put(&grace_s.to_be_bytes()[1..]);
        Some(body)
    }

    /// What a body says; `None` for another version.
    pub fn read(body: &[u8; BODY_BYTES]) -> Option<Self> {
        let number =
            |from: usize, to: usize| body[from..to].iter().fold(0_i64, |sum, byte| sum << 8 | i64::from(*byte));
        if body[0] != VERSION {
            return None;
        }
        let max = number(32, 37);
        Some(Self {
            key: body[1..5].try_into().ok()?,
            grant: GrantId::from(id_text(body[5..21].try_into().ok()?)),
            issued_ms: number(21, 27),
            life_s: u16::try_from(number(27, 29)).ok()?,
            nonce: u32::try_from(number(29, 32)).ok()?,
            offline_max: (max > 0).then_some(Minor(max)),
            grace_s: u32::try_from(number(37, 40)).ok()?,
        })
    }

    /// When it was made.
    pub fn issued_at(&self) -> Ts {
        DateTime::from_timestamp_millis(self.issued_ms).unwrap_or_default()
    }

    /// Until just before when it is good.
    pub fn expires_at(&self) -> Ts {
        self.issued_at() + TimeDelta::seconds(self.life_s.into())
    }

    /// Itself as a code, once its signature was checked: so it travels through carts, orders and redemptions.
    pub fn to_code(&self) -> Option<Code> {
        let body = self.body()?;
        Some(Code::from(format!("{VERIFIED}{}", write_base32(&body))))
    }

    /// The payload that a code carries, where it is one.
    pub fn of(code: &Code) -> Option<Self> {
        let bytes = read_base32(code.as_str().strip_prefix(VERIFIED)?)?;
        Self::read(bytes.get(..BODY_BYTES)?.try_into().ok()?)
    }

    fn is_fresh(&self, now: Ts) -> bool {
        self.issued_at() - TimeDelta::seconds(CLOCK_SKEW_S) <= now && now < self.expires_at()
    }

    /// Whether a till whose clock said `at` may have seen it.
    fn was_fresh(&self, at: Ts) -> bool {
        let skew = TimeDelta::seconds(CLOCK_SKEW_S);
        self.issued_at() - skew <= at && at < self.expires_at() + skew
    }
}

/// Whether a text claims to be a payload.
pub fn is_one(text: &str) -> bool {
    text.trim_start().get(..PREFIX.len()).is_some_and(|start| start.eq_ignore_ascii_case(PREFIX))
}

/// A payload as it is shown: prefix, body and signature.
pub fn write(body: &[u8; BODY_BYTES], signature: &[u8; SIGNATURE_BYTES]) -> String {
    format!("{PREFIX}{}", write_base32(&[body.as_slice(), signature].concat()))
}

/// The body and the signature of a shown payload, neither checked.
pub fn split(text: &str) -> Option<([u8; BODY_BYTES], [u8; SIGNATURE_BYTES])> {
    let text = text.trim();
    if text.len() != TEXT_CHARS || !is_one(text) {
        return None;
    }
    let bytes = read_base32(text.get(PREFIX.len()..)?)?;
    let (body, signature) = bytes.split_at_checked(BODY_BYTES)?;
    Some((body.try_into().ok()?, signature.try_into().ok()?))
}

/// The bytes that a signature of a body covers.
pub fn signed(body: &[u8; BODY_BYTES]) -> Vec<u8> {
    [CONTEXT, body].concat()
}

/// How a code came to the till.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Taken {
    /// As it should: typed or scanned now.
    Now,
    /// By a till that was offline and checked the payload itself; for at most so much.
    Offline(Minor),
}

/// Whether what was shown may be used at `now`: a rotating code only by a payload of the moment, or by one that a till
/// took while it was offline, within the reward's allowance. `occurred` is when, as the till says.
///
/// # Errors
/// `payload-expired`, with what to do.
pub fn taken(code: &Code, guard: &Guard, now: Ts, occurred: Option<Ts>) -> Result<Taken, Refusal> {
    let refuse = |detail: &str| Err(Refusal::new(Reason::PayloadExpired, detail));
    let Some(payload) = Payload::of(code) else {
        return match guard.rotate {
            Some(_) => refuse("This voucher is used by the code that the member's app shows at the till; scan that."),
            None => Ok(Taken::Now),
        };
    };
    if payload.is_fresh(now) {
        return Ok(Taken::Now);
    }
    match occurred {
        Some(at) => taken_offline(&payload, guard, now, at),
        None => refuse("The code shown has aged; scan the one that the member's app shows now."),
    }
}

/// Whether a till that was offline at `at` could take the payload, within the reward's allowance; it reports so at `now`.
///
/// # Errors
/// `payload-expired`, with what to do.
pub fn taken_offline(payload: &Payload, guard: &Guard, now: Ts, at: Ts) -> Result<Taken, Refusal> {
    let refuse = |detail: &str| Err(Refusal::new(Reason::PayloadExpired, detail));
    let Some(offline) = guard.offline else {
        return refuse("This voucher cannot be taken offline; scan the code that the member's app shows now.");
    };
    if !payload.was_fresh(at) {
        return refuse("The code shown had aged when the till took it.");
    }
    if offline.grace_for.after(at, Tz::UTC) < now {
        return refuse("The till reports this voucher later than its offline allowance lets it.");
    }
    Ok(Taken::Offline(offline.max_amount))
}

fn id_bytes(id: &str) -> Option<[u8; 16]> {
    let mut sum = 0_u128;
    for byte in id.bytes() {
        let value = SYMBOLS.iter().position(|symbol| *symbol == byte)?;
        sum = sum.checked_mul(32)?.checked_add(value as u128)?;
    }
    (id.len() == ID_CHARS).then(|| sum.to_be_bytes())
}

fn id_text(bytes: [u8; 16]) -> String {
    let number = u128::from_be_bytes(bytes);
    let symbol = |place: usize| char::from(SYMBOLS[(number >> (5 * (ID_CHARS - 1 - place))) as usize & 31]);
    (0..ID_CHARS).map(symbol).collect()
}

/// Five bits a character, the most significant first; the last character is filled up with zeros.
fn write_base32(bytes: &[u8]) -> String {
    let bit = |at: usize| bytes.get(at / 8).map_or(0, |byte| usize::from(byte >> (7 - at % 8) & 1));
    let value = |place: usize| (0..5).fold(0, |sum, offset| sum << 1 | bit(place * 5 + offset));
    (0..(bytes.len() * 8).div_ceil(5)).map(|place| char::from(SYMBOLS[value(place)])).collect()
}

/// The whole bytes of a text in base 32, read with the forgiveness of a typed code; bits that fill up must be zero.
fn read_base32(text: &str) -> Option<Vec<u8>> {
    let mut bytes = Vec::with_capacity(text.len() * 5 / 8);
    let (mut waiting, mut bits) = (0_u32, 0);
    for byte in text.bytes() {
        let symbol = match byte.to_ascii_uppercase() {
            b'O' => b'0',
            b'I' | b'L' => b'1',
            other => other,
        };
        let value = SYMBOLS.iter().position(|known| *known == symbol)?;
        waiting = waiting << 5 | u32::try_from(value).ok()?;
        bits += 5;
        if bits >= 8 {
            bits -= 8;
            bytes.push(u8::try_from(waiting >> bits & 0xff).ok()?);
            waiting &= (1 << bits) - 1;
        }
    }
    (waiting == 0).then_some(bytes)
}

#[cfg(test)]
mod tests;
