//! The code that a member shows at a till: who it is, until when, and a keyed hash over both. It is good for a minute,
//! so that a screenshot is worth nothing.

use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use chrono::DateTime;
use fanfare_core::{
    ids::{MemberId, Namespace},
    reason::{Reason, Refusal},
    time::Ts,
};

/// How long a shown code is good.
pub(crate) const LIFE_S: i64 = 60;
/// What it starts with, so that a scanner tells it from a voucher.
const PREFIX: &str = "FM1.";
/// How much of the keyed hash is kept: 128 bits.
const TAG_BYTES: usize = 16;

/// Makes and reads the codes of one namespace.
pub(crate) struct MemberCodes {
    key: [u8; 32],
}

impl MemberCodes {
    /// Codes of `namespace` under `key`.
    pub(crate) fn new(namespace: &Namespace, key: &[u8]) -> Self {
        let mut material = key.to_vec();
        material.extend_from_slice(namespace.as_str().as_bytes());
        Self { key: blake3::derive_key("fanfare 2026 member code", &material) }
    }

    /// A code for `member` shown at `now` (real time), and until when it is good.
    pub(crate) fn make(&self, member: &MemberId, now: Ts) -> (String, Ts) {
        let until = now.timestamp().saturating_add(LIFE_S);
        let who = URL_SAFE_NO_PAD.encode(member.as_str());
        let said = format!("{PREFIX}{who}.{until}");
        let tag = self.tag(&said);
        (format!("{said}.{tag}"), DateTime::from_timestamp(until, 0).unwrap_or(now))
    }

    /// Whether `text` claims to be a member's code.
    pub(crate) fn is_one(text: &str) -> bool {
        text.starts_with(PREFIX)
    }

    /// Whose code it is.
    pub(crate) fn read(&self, text: &str, now: Ts) -> Result<MemberId, Refusal> {
        let unknown = || Refusal::new(Reason::CodeUnknown, "this is no member's code; ask the member to show it again");
        let (said, tag) = text.rsplit_once('.').ok_or_else(unknown)?;
        // Hashes of equal length, compared as hashes of themselves, so that the time taken tells nothing.
        if blake3::hash(tag.as_bytes()) != blake3::hash(self.tag(said).as_bytes()) {
            return Err(unknown());
        }
        let (who, until) = said.strip_prefix(PREFIX).and_then(|rest| rest.split_once('.')).ok_or_else(unknown)?;
        let until: i64 = until.parse().map_err(|_| unknown())?;
        if now.timestamp() >= until {
            return Err(Refusal::new(Reason::PayloadExpired, "the code has aged; ask the member to show it again"));
        }
        let bytes = URL_SAFE_NO_PAD.decode(who).map_err(|_| unknown())?;
        String::from_utf8(bytes).map(MemberId::from).map_err(|_| unknown())
    }

    fn tag(&self, said: &str) -> String {
        let hash = blake3::keyed_hash(&self.key, said.as_bytes());
        URL_SAFE_NO_PAD.encode(&hash.as_bytes()[..TAG_BYTES])
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_code_names_its_member_for_a_minute_and_cannot_be_made_up() {
        let codes = MemberCodes::new(&Namespace::from("a"), &[1; 32]);
        let now = DateTime::from_timestamp(1_000, 0).unwrap();
        let member = MemberId::from("m.1/ไทย");
        let (text, until) = codes.make(&member, now);
        assert_eq!(codes.read(&text, now).unwrap(), member);
        assert_eq!(codes.read(&text, until).unwrap_err().reason, Reason::PayloadExpired);
        let other = MemberCodes::new(&Namespace::from("b"), &[1; 32]);
        assert_eq!(other.read(&text, now).unwrap_err().reason, Reason::CodeUnknown);
        let later = text.replace(&format!(".{}.", until.timestamp()), ".99999999999.");
        for wrong in [later.as_str(), "FM1.", "", "....", &text[..text.len() - 1]] {
            assert_eq!(codes.read(wrong, now).unwrap_err().reason, Reason::CodeUnknown, "{wrong}");
        }
    }
}
