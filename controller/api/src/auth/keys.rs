//! Keys of tills and integrations: opaque, told once, kept as a digest.

use super::{DeskKey, scope::Scope};
use crate::{
    app::App,
    problem::{Code, Problem},
};
use parking_lot::Mutex;
use std::{collections::HashMap, sync::Arc};

/// What a terminal's key starts with.
const TERMINAL_PREFIX: &str = "fft_";
/// What an integration's key starts with.
const INTEGRATION_PREFIX: &str = "ffk_";
/// How long a key that was looked up is trusted without another look. A revoked one works at most so much longer.
const TRUST_S: i64 = 1;
/// How many keys are remembered; when full, all are forgotten and looked up again.
const REMEMBERED_MAX: usize = 4_096;
/// The longest key that is looked at.
const KEY_MAX_BYTES: usize = 256;

/// Whether a credential is such a key rather than an access token.
pub(crate) fn is_one(text: &str) -> bool {
    text.starts_with(TERMINAL_PREFIX) || text.starts_with(INTEGRATION_PREFIX)
}

/// The keys that were looked up a moment ago.
#[derive(Default)]
pub(crate) struct Keys {
    known: Mutex<HashMap<blake3::Hash, (Arc<DeskKey>, i64)>>,
}

impl Keys {
    /// Whose key it is.
    pub(crate) async fn check(&self, app: &App, key: &str) -> Result<Arc<DeskKey>, Problem> {
        let wrong = || Problem::new(Code::Unauthenticated, "this key is unknown, revoked or expired; enrol a new one");
        if key.len() > KEY_MAX_BYTES {
            return Err(wrong());
        }
        // Remembered by digest, so that no secret stays in memory.
        let digest = blake3::hash(key.as_bytes());
        let now = app.real_now();
        if let Some(known) = self.recall(&digest, now.timestamp()) {
            return Ok(known);
        }
        let found = app.engine().credential(key, now).await.map_err(|error| app.store_fault(&error))?;
        let credential = found.ok_or_else(wrong)?;
        let scopes = credential.scopes.iter().filter_map(|name| Scope::parse(name)).collect();
        let desk = Arc::new(DeskKey { id: credential.id, store: credential.store, scopes });
        let until = credential.expires_at.map_or(i64::MAX, |end| end.timestamp());
        self.remember(digest, desk.clone(), now.timestamp().saturating_add(TRUST_S).min(until));
        Ok(desk)
    }

    fn recall(&self, digest: &blake3::Hash, now: i64) -> Option<Arc<DeskKey>> {
        let known = self.known.lock();
        known.get(digest).filter(|(_, until)| now < *until).map(|(desk, _)| desk.clone())
    }

    fn remember(&self, digest: blake3::Hash, desk: Arc<DeskKey>, until: i64) {
        let mut known = self.known.lock();
        if known.len() >= REMEMBERED_MAX {
            known.clear();
        }
        known.insert(digest, (desk, until));
    }
}
