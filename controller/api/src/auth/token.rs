//! A member's access token: a JWT (RFC 7519) of 15 minutes, signed with the installation's key.
//!
//! It lives in real time, not in business time: a demo's clock must not log people out. A token that was checked once is
//! remembered until it ends, in a bounded memory.

use crate::{
    auth::hs256,
    problem::{Code, Problem},
};
use fanfare_core::ids::{MemberId, Namespace};
use jsonwebtoken::{Algorithm, DecodingKey, EncodingKey, Header, Validation};
use parking_lot::Mutex;
use serde::{Deserialize, Serialize};
use std::collections::HashMap;

/// How long an access token lives.
pub(crate) const LIFE_S: i64 = 15 * 60;
/// How many checked tokens are remembered in each of two generations; one takes about 500 bytes.
const REMEMBERED_MAX: usize = 16_384;
/// The longest token that is looked at.
const TOKEN_MAX_BYTES: usize = 2_048;
const ISSUER: &str = "fanfare";

#[derive(Serialize, Deserialize)]
struct Claims {
    iss: String,
    aud: String,
    sub: MemberId,
    iat: i64,
    exp: i64,
}

/// Signs and checks access tokens of one namespace.
pub(crate) struct Tokens {
    audience: String,
    signing: EncodingKey,
    checking: DecodingKey,
    validation: Validation,
    checked: Mutex<TwoGenerations>,
}

/// The young and the old half of what is remembered: when the young is full it becomes the old, and the old is forgotten.
#[derive(Default)]
struct TwoGenerations {
    young: HashMap<Box<str>, (MemberId, i64)>,
    old: HashMap<Box<str>, (MemberId, i64)>,
}

impl TwoGenerations {
    fn get(&self, token: &str) -> Option<&(MemberId, i64)> {
        self.young.get(token).or_else(|| self.old.get(token))
    }

    fn put(&mut self, token: &str, value: (MemberId, i64)) {
        if self.young.len() >= REMEMBERED_MAX {
            self.old = std::mem::take(&mut self.young);
        }
        self.young.insert(token.into(), value);
    }
}

impl Tokens {
    /// Tokens of `namespace` under `key`, at least 32 random bytes.
    pub(crate) fn new(namespace: &Namespace, key: &[u8]) -> Self {
        hs256::install();
        let signing_key = blake3::derive_key("fanfare 2026 member access token", key);
        let mut validation = Validation::new(Algorithm::HS256);
        validation.set_issuer(&[ISSUER]);
        validation.set_audience(&[namespace.as_str()]);
        // The end is checked against the clock that was handed in, not against the machine's.
        validation.validate_exp = false;
        Self {
            audience: namespace.as_str().into(),
            signing: EncodingKey::from_secret(&signing_key),
            checking: DecodingKey::from_secret(&signing_key),
            validation,
            checked: Mutex::default(),
        }
    }

    /// A token for `member`, from `now` (seconds of real time).
    pub(crate) fn sign(&self, member: &MemberId, now: i64) -> Result<String, Problem> {
        let claims = Claims {
            iss: ISSUER.into(),
            aud: self.audience.clone(),
            sub: member.clone(),
            iat: now,
            exp: now.saturating_add(LIFE_S),
        };
        jsonwebtoken::encode(&Header::new(Algorithm::HS256), &claims, &self.signing)
            .map_err(|error| Problem::internal(&error))
    }

    /// Whose token it is.
    pub(crate) fn check(&self, token: &str, now: i64) -> Result<MemberId, Problem> {
        let wrong = |detail: &str| Problem::new(Code::Unauthenticated, detail);
        let (member, until) = match self.recall(token) {
            Some(known) => known,
            None if token.len() > TOKEN_MAX_BYTES => return Err(wrong("this is no access token; log in")),
            None => {
                let claims = jsonwebtoken::decode::<Claims>(token, &self.checking, &self.validation)
                    .map_err(|_| wrong("this access token is not ours; log in"))?
                    .claims;
                let known = (claims.sub, claims.exp);
                self.checked.lock().put(token, known.clone());
                known
            }
        };
        if now < until { Ok(member) } else { Err(wrong("the access token has ended; use the refresh token")) }
    }

    fn recall(&self, token: &str) -> Option<(MemberId, i64)> {
        self.checked.lock().get(token).cloned()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn tokens(namespace: &str, key: u8) -> Tokens {
        Tokens::new(&Namespace::from(namespace), &[key; 32])
    }

    #[test]
    fn a_token_is_good_for_fifteen_minutes_in_its_namespace_only() {
        let ours = tokens("brand-a", 1);
        let token = ours.sign(&MemberId::from("m1"), 1_000).unwrap();
        for _ in 0..2 {
            assert_eq!(ours.check(&token, 1_000 + LIFE_S - 1).unwrap().as_str(), "m1");
        }
        assert!(ours.check(&token, 1_000 + LIFE_S).is_err());
        assert!(tokens("brand-b", 1).check(&token, 1_000).is_err());
        assert!(tokens("brand-a", 2).check(&token, 1_000).is_err());
    }

    #[test]
    fn a_token_that_was_touched_or_signed_otherwise_is_refused() {
        let ours = tokens("brand-a", 1);
        let token = ours.sign(&MemberId::from("m1"), 1_000).unwrap();
        let body = token.split('.').nth(1).unwrap();
        let unsigned = format!("eyJhbGciOiJub25lIiwidHlwIjoiSldUIn0.{body}.");
        let longer = format!("{token}{}", "a".repeat(TOKEN_MAX_BYTES));
        for wrong in [unsigned.as_str(), &token[1..], "eyJ.eyJ.x", "", &longer] {
            assert_eq!(ours.check(wrong, 1_000).unwrap_err().code, Code::Unauthenticated);
        }
    }

    #[test]
    fn what_is_remembered_is_bounded() {
        let mut memory = TwoGenerations::default();
        for n in 0..REMEMBERED_MAX * 3 {
            memory.put(&n.to_string(), (MemberId::from("m"), 0));
        }
        assert!(memory.young.len() + memory.old.len() <= REMEMBERED_MAX * 2);
        assert!(memory.get(&(REMEMBERED_MAX * 3 - 1).to_string()).is_some());
    }
}
