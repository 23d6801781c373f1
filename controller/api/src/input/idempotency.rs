//! `Idempotency-Key`: the caller's name for one call, so that sending it again does nothing twice.
//!
//! What the key means is the engine's; here it is only read, and the request digested.

use crate::{
    app::App,
    problem::{Code, Problem},
};
use axum::extract::{FromRequestParts, OriginalUri};
use http::request::Parts;
use serde::Serialize;

/// The header.
pub(crate) const HEADER: &str = "idempotency-key";
/// The longest key.
pub(crate) const KEY_MAX: usize = 64;

/// A caller's key together with the operation it stands for.
pub(crate) struct IdempotencyKey {
    /// 1 to [`KEY_MAX`] printable ASCII characters.
    pub(crate) key: String,
    operation: blake3::Hasher,
}

impl IdempotencyKey {
    /// The digest of method, path and body. The body is digested as it was understood, so that spaces and the order of
    /// fields do not matter.
    pub(crate) fn digest(&self, body: &impl Serialize) -> Result<String, Problem> {
        let mut hasher = self.operation.clone();
        serde_json::to_writer(&mut hasher, body).map_err(|error| Problem::internal(&error))?;
        Ok(hasher.finalize().to_hex().to_string())
    }
}

impl FromRequestParts<App> for IdempotencyKey {
    type Rejection = Problem;
    async fn from_request_parts(parts: &mut Parts, app: &App) -> Result<Self, Problem> {
        let missing = |what: &str| {
            Problem::new(
                Code::IdempotencyKeyMissing,
                format!("{what}; send an Idempotency-Key header of 1 to {KEY_MAX} printable ASCII characters"),
            )
        };
        let mut values = parts.headers.get_all(HEADER).iter();
        let key = values.next().ok_or_else(|| missing("this call moves value and has no key"))?;
        if values.next().is_some() {
            return Err(missing("there are several keys"));
        }
        let bytes = key.as_bytes();
        let printable = bytes.iter().all(|byte| matches!(byte, 0x20..=0x7e));
        if bytes.is_empty() || bytes.len() > KEY_MAX || !printable {
            return Err(missing("the key is empty, too long or not printable"));
        }
        let key = String::from_utf8_lossy(bytes).into_owned();
        let mut operation = blake3::Hasher::new();
        operation.update(parts.method.as_str().as_bytes());
        operation.update(b"\n");
        let path = OriginalUri::from_request_parts(parts, app).await;
        let uri = path.map_or_else(|never| match never {}, |OriginalUri(uri)| uri);
        operation.update(uri.path().as_bytes());
        operation.update(b"\n");
        Ok(Self { key, operation })
    }
}
