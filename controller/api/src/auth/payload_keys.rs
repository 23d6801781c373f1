//! The keys that sign rotating codes: Ed25519 (RFC 8032), one for each month and namespace, published as a JWK Set so that
//! a till can check a code without asking.
//!
//! They are derived from the installation's secret and the month, so every replica has the same ones without agreeing on
//! anything, and they rotate by themselves. The month before is still taken (a till reports what it took offline up to 72 h
//! late), and the month after is published already (a till may be offline when the month turns). Leaked keys are replaced
//! with the secret they come from.

use fanfare_core::{
    ids::{Code, Namespace},
    payload::{self, Payload},
    time::Ts,
};
use parking_lot::Mutex;
use ring::{
    digest,
    signature::{ED25519, Ed25519KeyPair, KeyPair, UnparsedPublicKey},
};
use std::{collections::BTreeMap, sync::Arc};

/// How long a key signs, in seconds.
const PERIOD_S: i64 = 30 * 86_400;
/// How many keys are kept at hand: those that are published, and as many again for a clock that was set.
const KEPT_MAX: usize = 6;

/// The keys of one namespace.
pub(crate) struct PayloadKeys {
    secret: [u8; 32],
    made: Mutex<BTreeMap<i64, Arc<Key>>>,
}

/// One key.
pub(crate) struct Key {
    pair: Ed25519KeyPair,
    id: [u8; 4],
}

impl Key {
    fn derive(secret: &[u8; 32], period: i64) -> Option<Self> {
        let material = [secret.as_slice(), &period.to_be_bytes()].concat();
        let seed = blake3::derive_key("fanfare 2026 grant code key", &material);
        let pair = Ed25519KeyPair::from_seed_unchecked(&seed).ok()?;
        let print = digest::digest(&digest::SHA256, pair.public_key().as_ref());
        let id = print.as_ref().first_chunk::<4>().copied()?;
        Some(Self { pair, id })
    }

    /// Its id as JSON Web Keys name it: the first four bytes of its public half's SHA-256, hexadecimal.
    pub(crate) fn kid(&self) -> String {
        self.id.iter().map(|byte| format!("{byte:02x}")).collect()
    }

    /// Its public half.
    pub(crate) fn public(&self) -> &[u8] {
        self.pair.public_key().as_ref()
    }
}

impl PayloadKeys {
    /// Keys of `namespace` under the installation's secret.
    pub(crate) fn new(namespace: &Namespace, secret: &[u8]) -> Self {
        let material = [secret, namespace.as_str().as_bytes()].concat();
        Self { secret: blake3::derive_key("fanfare 2026 grant codes", &material), made: Mutex::default() }
    }

    /// The keys that are good at `now`: of the month before, this one and the next.
    pub(crate) fn published(&self, now: Ts) -> Vec<Arc<Key>> {
        let period = period(now);
        (period - 1..=period + 1).filter_map(|period| self.key(period)).collect()
    }

    /// The payload as it is shown; `None` for a voucher whose id is not one of ours.
    pub(crate) fn sign(&self, said: Payload, now: Ts) -> Option<String> {
        let key = self.key(period(now))?;
        let body = Payload { key: key.id, ..said }.body()?;
        let signature = key.pair.sign(&payload::signed(&body));
        Some(payload::write(&body, &signature.as_ref().try_into().ok()?))
    }

    /// A shown payload as a code, if one of the keys of now has signed it; its age is not looked at.
    pub(crate) fn open(&self, text: &str, now: Ts) -> Option<Code> {
        let (body, signature) = payload::split(text)?;
        let said = Payload::read(&body)?;
        let key = self.published(now).into_iter().find(|key| key.id == said.key)?;
        UnparsedPublicKey::new(&ED25519, key.public()).verify(&payload::signed(&body), &signature).ok()?;
        said.to_code()
    }

    fn key(&self, period: i64) -> Option<Arc<Key>> {
        let mut made = self.made.lock();
        if let Some(key) = made.get(&period) {
            return Some(Arc::clone(key));
        }
        if made.len() >= KEPT_MAX {
            made.clear();
        }
        let key = Arc::new(Key::derive(&self.secret, period)?);
        made.insert(period, Arc::clone(&key));
        Some(key)
    }
}

fn period(now: Ts) -> i64 {
    now.timestamp().div_euclid(PERIOD_S)
}

#[cfg(test)]
mod tests {
    use super::*;
    use chrono::TimeDelta;

    fn payload(now: Ts) -> Payload {
        Payload {
            key: [0; 4],
            grant: "01J9Z3N5T8V2X4B6C8D0E2F4G6".into(),
            issued_ms: now.timestamp_millis(),
            life_s: 30,
            nonce: 1,
            offline_max: None,
            grace_s: 0,
        }
    }

    #[test]
    fn a_payload_is_opened_by_the_keys_of_its_namespace_until_a_month_has_passed() {
        let now: Ts = "2026-11-11T03:00:00Z".parse().unwrap();
        let keys = PayloadKeys::new(&Namespace::from("a"), &[1; 32]);
        let shown = keys.sign(payload(now), now).unwrap();
        let said = Payload::of(&keys.open(&shown, now).unwrap()).unwrap();
        assert_eq!((said.grant, said.issued_ms), (payload(now).grant, now.timestamp_millis()));
        assert!(keys.open(&shown.to_lowercase(), now).is_some());
        for (days, good) in [(-30, true), (30, true), (61, false), (-61, false)] {
            assert_eq!(keys.open(&shown, now + TimeDelta::days(days)).is_some(), good, "{days}");
        }
        let replica = PayloadKeys::new(&Namespace::from("a"), &[1; 32]);
        assert!(replica.open(&shown, now).is_some(), "every replica has the same keys");
        for (namespace, secret) in [("b", [1; 32]), ("a", [2; 32])] {
            assert!(PayloadKeys::new(&Namespace::from(namespace), &secret).open(&shown, now).is_none());
        }
    }

    #[test]
    fn no_changed_character_is_taken() {
        let now: Ts = "2026-11-11T03:00:00Z".parse().unwrap();
        let keys = PayloadKeys::new(&Namespace::from("a"), &[1; 32]);
        let shown = keys.sign(payload(now), now).unwrap();
        for place in 0..shown.len() {
            let mut bytes = shown.clone().into_bytes();
            bytes[place] = if bytes[place] == b'0' { b'1' } else { b'0' };
            assert_eq!(keys.open(&String::from_utf8(bytes).unwrap(), now), None, "{place}");
        }
    }

    #[test]
    fn three_different_keys_are_published() {
        let now: Ts = "2026-11-11T03:00:00Z".parse().unwrap();
        let keys = PayloadKeys::new(&Namespace::from("a"), &[1; 32]);
        let ids = |now| keys.published(now).iter().map(|key| key.kid()).collect::<Vec<_>>();
        let (today, next) = (ids(now), ids(now + TimeDelta::seconds(PERIOD_S)));
        assert_eq!(today.len(), 3);
        assert_eq!(today[1..], next[..2], "what was to come is now in use");
        assert!(!today.contains(&next[2]));
    }
}
