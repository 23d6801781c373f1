//! The hashes that chain a namespace's ledger and its audit trail, the same in every database.
//!
//! A link is `blake3(previous link ‖ canonical bytes)`. Canonical bytes are whole numbers as 8 bytes, little-endian, and
//! texts as their length and then their UTF-8, in the order of the fields here. The link before the first is 32 zeros.

use crate::rows::Audit;
use fanfare_core::{ledger::Entry, time::Ts};

/// A link of a chain.
pub type Link = [u8; 32];

/// The link before the first.
pub const START: Link = [0; 32];

/// The link of a ledger's transaction that follows `previous`.
pub fn transaction(previous: &Link, seq: i64, at: Ts, rule: &str, reference: &str, entries: &[Entry]) -> Link {
    let mut bytes = Canonical::after(previous);
    bytes.int(seq).int(at.timestamp_micros()).text(rule).text(reference).len(entries.len());
    for Entry { account, unit, amount } in entries {
        bytes.text(account).text(unit).int(*amount);
    }
    bytes.link()
}

/// The link of an audit row that follows `previous`; `detail` as it is stored.
pub fn audit(previous: &Link, row: &Audit, detail: &str) -> Link {
    let Audit { id, at, actor, action, object, detail: _ } = row;
    let mut bytes = Canonical::after(previous);
    bytes.text(id).int(at.timestamp_micros()).text(actor).text(action).text(object).text(detail);
    bytes.link()
}

struct Canonical(blake3::Hasher);

impl Canonical {
    fn after(previous: &Link) -> Self {
        let mut hasher = blake3::Hasher::new();
        hasher.update(previous);
        Self(hasher)
    }

    fn int(&mut self, value: i64) -> &mut Self {
        self.0.update(&value.to_le_bytes());
        self
    }

    fn len(&mut self, value: usize) -> &mut Self {
        self.int(i64::try_from(value).unwrap_or(i64::MAX))
    }

    fn text(&mut self, value: &str) -> &mut Self {
        self.len(value.len());
        self.0.update(value.as_bytes());
        self
    }

    fn link(&self) -> Link {
        *self.0.finalize().as_bytes()
    }
}

/// Writes a link in hexadecimal.
pub fn hex(link: &Link) -> String {
    blake3::Hash::from_bytes(*link).to_hex().to_string()
}

#[cfg(test)]
mod tests {
    use super::*;
    use chrono::DateTime;

    #[test]
    fn every_field_of_a_transaction_changes_its_link() {
        let at = DateTime::from_timestamp_micros(1).unwrap();
        let entry = |account: &str, amount| Entry { account: account.into(), unit: "u".into(), amount };
        let base = transaction(&START, 1, at, "r", "x", &[entry("a", 1)]);
        let others = [
            transaction(&[1; 32], 1, at, "r", "x", &[entry("a", 1)]),
            transaction(&START, 2, at, "r", "x", &[entry("a", 1)]),
            transaction(&START, 1, DateTime::from_timestamp_micros(2).unwrap(), "r", "x", &[entry("a", 1)]),
            transaction(&START, 1, at, "rx", "", &[entry("a", 1)]),
            transaction(&START, 1, at, "r", "x", &[entry("a", 2)]),
            transaction(&START, 1, at, "r", "x", &[entry("b", 1)]),
            transaction(&START, 1, at, "r", "x", &[]),
        ];
        assert!(others.iter().all(|other| *other != base));
        assert_eq!(base, transaction(&START, 1, at, "r", "x", &[entry("a", 1)]));
    }
}
