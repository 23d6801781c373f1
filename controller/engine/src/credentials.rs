//! Credentials: keys of terminals and integrations, and the refresh tokens of members.
//!
//! A secret leaves once, in the answer that makes it; its digest is what is kept. Access tokens are not made here.

use crate::{CallError, Command, Engine, Halt, tx::Tx};
use fanfare_core::{
    ids::{MemberId, Namespace, StoreId},
    mechanic::State,
    time::{Span, Ts, Tz},
};
use fanfare_store::rows::{Credential, RefreshToken};
use serde_json::json;

/// How long a refresh token can be used, in days.
pub const REFRESH_LASTS_DAYS: i64 = 30;
/// What a family's counter jumps by when it is revoked: more than any login rotates.
const REVOKED: i64 = 1 << 40;

/// The digest under which a secret is kept.
pub fn digest(secret: &str) -> String {
    blake3::hash(secret.as_bytes()).to_hex().to_string()
}

/// A secret of 256 bits behind a prefix that tells people what they found.
fn secret(tx: &mut Tx<'_>, prefix: &str) -> String {
    let random = tx.random();
    format!("{prefix}{:016x}{:016x}{:016x}{:016x}", random.bits(), random.bits(), random.bits(), random.bits())
}

/// Makes a credential.
#[derive(Clone, Debug)]
pub struct CreateCredential {
    /// In which namespace.
    pub namespace: Namespace,
    /// The store that a terminal is bound to; `None` for an integration.
    pub store: Option<StoreId>,
    /// What it may do.
    pub scopes: Vec<String>,
    /// What people call it.
    pub label: String,
    /// Until when.
    pub expires_at: Option<Ts>,
    /// Who asked.
    pub actor: String,
}

/// A credential and its secret, which nobody can read again.
#[derive(Clone, Debug)]
pub struct NewCredential {
    /// The credential.
    pub credential: Credential,
    /// What its holder sends.
    pub secret: String,
}

impl Command for CreateCredential {
    type Answer = NewCredential;

    fn run(&self, tx: &mut Tx<'_>) -> Result<NewCredential, Halt> {
        let (prefix, kind) = if self.store.is_some() { ("fft_", "Terminal") } else { ("ffk_", "Key") };
        let secret = secret(tx, prefix);
        let credential = Credential {
            id: tx.new_id(),
            namespace: self.namespace.clone(),
            digest: digest(&secret),
            store: self.store.clone(),
            scopes: self.scopes.clone(),
            label: self.label.clone(),
            expires_at: self.expires_at,
            revoked: false,
        };
        tx.put_credential(credential.clone());
        let detail = json!({ "label": self.label, "scopes": self.scopes, "store": self.store });
        tx.audit(&self.actor, "create", &format!("{kind}/{}", credential.id), detail);
        Ok(NewCredential { credential, secret })
    }
}

/// Takes a credential back.
#[derive(Clone, Debug)]
pub struct RevokeCredential {
    /// As it is kept.
    pub credential: Credential,
    /// Who asked.
    pub actor: String,
}

impl Command for RevokeCredential {
    type Answer = ();

    fn run(&self, tx: &mut Tx<'_>) -> Result<(), Halt> {
        tx.put_credential(Credential { revoked: true, ..self.credential.clone() });
        let detail = json!({ "label": self.credential.label });
        tx.audit(&self.actor, "revoke", &format!("Credential/{}", self.credential.id), detail);
        Ok(())
    }
}

/// A refresh token as its holder gets it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Session {
    /// Whose.
    pub member: MemberId,
    /// What to send next time.
    pub refresh_token: String,
    /// Until when.
    pub expires_at: Ts,
}

/// Starts a login: the first refresh token of a family.
#[derive(Clone, Debug)]
pub struct StartSession {
    /// In which namespace.
    pub namespace: Namespace,
    /// Whose.
    pub member: MemberId,
    /// Token time: the wall's, not business time.
    pub at: Ts,
}

impl Command for StartSession {
    type Answer = Session;

    fn run(&self, tx: &mut Tx<'_>) -> Result<Session, Halt> {
        let family = tx.new_id();
        Ok(issue(tx, &self.namespace, &self.member, &family, 0, self.at))
    }
}

/// Why a refresh token is not taken.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Unrefreshed {
    /// Nobody made it, or its time is over.
    Unknown,
    /// It was used before: someone has a copy, so every token of its login is revoked.
    Reused,
}

/// Replaces a refresh token by the next of its family.
#[derive(Clone, Debug)]
struct Rotate {
    row: RefreshToken,
    generation: i64,
    at: Ts,
}

impl Command for Rotate {
    type Answer = Result<Session, Unrefreshed>;

    fn run(&self, tx: &mut Tx<'_>) -> Result<Self::Answer, Halt> {
        let RefreshToken { digest: _, namespace, member, expires_at: _, used: _, family } = &self.row;
        // The counter says which token of the family is in force; two that come at once cannot both find theirs.
        let key = format!("session|{family}");
        let generation = tx.count(&key)?;
        if generation >= REVOKED {
            return Ok(Err(Unrefreshed::Unknown));
        }
        if generation != self.generation {
            tx.count_up(&key, REVOKED)?;
            tx.revoke_family(family.clone());
            tx.audit("system", "revoke", &format!("Session/{family}"), json!({ "reason": "refresh token used twice" }));
            return Ok(Err(Unrefreshed::Reused));
        }
        tx.count_up(&key, 1)?;
        tx.put_refresh_token(RefreshToken { used: true, ..self.row.clone() });
        Ok(Ok(issue(tx, namespace, member, family, generation + 1, self.at)))
    }
}

fn issue(tx: &mut Tx<'_>, namespace: &Namespace, member: &MemberId, family: &str, generation: i64, at: Ts) -> Session {
    let refresh_token = secret(tx, &format!("ffr_{generation}_"));
    let expires_at = Span::days(REFRESH_LASTS_DAYS).after(at, Tz::UTC);
    tx.put_refresh_token(RefreshToken {
        digest: digest(&refresh_token),
        namespace: namespace.clone(),
        member: member.clone(),
        expires_at,
        used: false,
        family: family.to_owned(),
    });
    Session { member: member.clone(), refresh_token, expires_at }
}

impl Engine {
    /// Replaces a refresh token. `at` is token time: the wall's, not business time.
    ///
    /// # Errors
    /// [`CallError`] when nothing was decided.
    pub async fn refresh(&self, token: &str, at: Ts) -> Result<Result<Session, Unrefreshed>, CallError> {
        let generation =
            token.strip_prefix("ffr_").and_then(|rest| rest.split('_').next()).and_then(|n| n.parse().ok());
        let Some(generation) = generation else { return Ok(Err(Unrefreshed::Unknown)) };
        let row = self.store().refresh_token(&digest(token)).await?;
        let Some(row) = row.filter(|row| row.namespace == *self.namespace() && at < row.expires_at) else {
            return Ok(Err(Unrefreshed::Unknown));
        };
        match self.execute(Rotate { row, generation, at }).await?.0 {
            Ok(rotated) => Ok(rotated),
            Err(_) => Ok(Err(Unrefreshed::Unknown)),
        }
    }

    /// The credential of a secret when it is in force at `at` (the wall's time).
    ///
    /// # Errors
    /// The store's, when it cannot be read.
    pub async fn credential(&self, secret: &str, at: Ts) -> Result<Option<Credential>, fanfare_store::Error> {
        let found = self.store().credential(&digest(secret)).await?;
        let in_force = |row: &Credential| {
            row.namespace == *self.namespace() && !row.revoked && row.expires_at.is_none_or(|until| at < until)
        };
        Ok(found.filter(in_force))
    }
}
