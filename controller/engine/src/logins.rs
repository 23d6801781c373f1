//! Whether the login of a message channel is there, as those who send say it: they have the Secrets, and the controller,
//! which reads none, shows on the channel what they say.
//!
//! Each sender writes one setting a Secret. One that has the login says so again and again; one that lacks it says so only
//! where nobody else has it: one that can send is enough. Nothing of a login itself is written.

use crate::Engine;
use fanfare_core::{
    ids::{Name, Namespace},
    model::message::Means,
    time::Ts,
};
use fanfare_store::Result;
use futures::future::BoxFuture;
use std::{collections::BTreeSet, sync::Arc, time::Duration};

/// The keys that a Secret with a login has.
pub const KEYS: [&str; 2] = ["username", "password"];
/// How often a sender looks.
const LOOK_EVERY: Duration = Duration::from_secs(10);
/// How often a sender that has a login says so anew, in seconds.
const SAY_EVERY_S: i64 = 30;
/// For how long what such a sender said counts, in seconds: a restart of it fits in.
const SAID_FOR_S: i64 = 90;

/// Whether this process has the login of a Secret.
pub type Has = Arc<dyn Fn(Name) -> BoxFuture<'static, bool> + Send + Sync>;

/// What was said of a Secret.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Said {
    Present { at_s: i64 },
    Missing { at_s: i64 },
}

impl Said {
    fn read(bytes: &[u8]) -> Option<Self> {
        let (word, at) = std::str::from_utf8(bytes).ok()?.split_once(' ')?;
        let at_s = at.parse().ok()?;
        match word {
            "present" => Some(Self::Present { at_s }),
            "missing" => Some(Self::Missing { at_s }),
            _ => None,
        }
    }

    fn written(self) -> String {
        match self {
            Self::Present { at_s } => format!("present {at_s}"),
            Self::Missing { at_s } => format!("missing {at_s}"),
        }
    }

    /// What a sender has to say beside what stands; nothing, where it stands already.
    fn next(stands: Option<Self>, has: bool, now_s: i64) -> Option<Self> {
        match (stands, has) {
            (Some(Self::Present { at_s }), true) if now_s - at_s < SAY_EVERY_S => None,
            (_, true) => Some(Self::Present { at_s: now_s }),
            (Some(Self::Missing { .. }), false) => None,
            (Some(Self::Present { at_s }), false) if now_s - at_s < SAID_FOR_S => None,
            (_, false) => Some(Self::Missing { at_s: now_s }),
        }
    }
}

fn setting(ns: &Namespace, secret: &Name) -> String {
    format!("login/{ns}/{secret}")
}

/// Whether those who send say that nobody has the login of this Secret. While nobody said anything, nothing is missing.
///
/// # Errors
/// When the database does not answer.
pub async fn is_missing(engine: &Engine, secret: &Name) -> Result<bool> {
    is_said_missing(engine, &setting(engine.namespace(), secret)).await
}

/// The same of whatever is said under this setting.
pub(crate) async fn is_said_missing(engine: &Engine, setting: &str) -> Result<bool> {
    let stands = engine.store().setting(setting).await?;
    Ok(matches!(stands.as_deref().and_then(Said::read), Some(Said::Missing { .. })))
}

/// Says it for every channel that is served, until it is dropped. A database that does not answer is told later.
pub async fn tell(engine: Engine, has: Has) {
    loop {
        let plans = engine.plans();
        let secrets: BTreeSet<Name> = plans.channels.values().filter_map(|channel| secret_of(&channel.means)).collect();
        for secret in secrets {
            let (setting, has) = (setting(engine.namespace(), &secret), has(secret.clone()).await);
            if let Err(error) = say(&engine, &setting, has, engine.clock().now()).await {
                tracing::debug!(%error, "the database was not told of a login");
            }
        }
        tokio::time::sleep(LOOK_EVERY).await;
    }
}

/// The Secret that these means need.
pub fn secret_of(means: &Means) -> Option<Name> {
    match means {
        Means::Smtp { credentials, .. } => credentials.clone(),
        Means::InApp => None,
    }
}

/// Says under this setting whether this process has something, where that is not said already.
pub(crate) async fn say(engine: &Engine, setting: &str, has: bool, now: Ts) -> Result<()> {
    let stands = engine.store().setting(setting).await?;
    match Said::next(stands.as_deref().and_then(Said::read), has, now.timestamp()) {
        Some(said) => engine.store().set_setting(setting, said.written().as_bytes()).await,
        None => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_sender_that_has_the_login_is_enough() {
        let (present, missing) = (|at_s| Some(Said::Present { at_s }), |at_s| Some(Said::Missing { at_s }));
        let cases = [
            (None, false, missing(1000)),
            (missing(1), false, None),
            (missing(999), true, present(1000)),
            (present(980), true, None),
            (present(960), true, present(1000)),
            (present(960), false, None),
            (present(900), false, missing(1000)),
        ];
        for (stands, has, expect) in cases {
            assert_eq!(Said::next(stands, has, 1000), expect, "{stands:?} {has}");
        }
    }

    #[test]
    fn what_was_said_is_read_as_it_was_written() {
        for said in [Said::Present { at_s: 7 }, Said::Missing { at_s: -7 }] {
            assert_eq!(Said::read(said.written().as_bytes()), Some(said));
        }
        assert_eq!(Said::read(b"perhaps 7"), None);
    }
}
