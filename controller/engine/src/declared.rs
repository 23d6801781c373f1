//! Codes that a Secret declares for a reward: whoever has the Secrets, a runtime or `up`, imports what is new in them and
//! says in the database how far it came, for the controller, which reads none.
//!
//! Every process that has the Secret does so. A code is taken once, whoever brings it, and a process looks again only when
//! what it has itself has changed, so that two that see a change at different times do not undo each other. What is said
//! names keys and lines, never a code.

use crate::{
    CallError, Engine, logins,
    plans::Plans,
    pool::{self, IMPORT_MAX, ImportCodes, Imported},
};
use fanfare_core::{
    codes::{normalise, of_line},
    ids::{Code, Name, Namespace},
    model::reward::CodeSource,
};
use futures::future::BoxFuture;
use serde::{Deserialize, Serialize};
use std::{
    collections::{BTreeMap, HashMap},
    sync::Arc,
    time::Duration,
};
use thiserror::Error;

/// The most bytes that a Secret holds, as Kubernetes bounds it.
pub const SECRET_MAX_BYTES: usize = 1024 * 1024;
/// How often whoever has the Secrets looks at them.
const LOOK_EVERY: Duration = Duration::from_secs(10);
/// How many lines that were not taken are named.
const NAMED_MAX: usize = 5;

/// Why a Secret could not be looked at; it is tried again.
#[derive(Debug, Error)]
pub enum Fault {
    /// The database did not answer.
    #[error("reading the database: {0}")]
    Store(#[from] fanfare_store::Error),
    /// The database did not take the codes.
    #[error("importing: {0}")]
    Call(#[from] CallError),
}

/// What a Secret holds, by key; nothing where it is not here.
pub type Lists = Arc<dyn Fn(Name) -> BoxFuture<'static, Option<BTreeMap<String, Vec<u8>>>> + Send + Sync>;

/// How far a Secret was imported.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Report {
    /// Of what was read: the same Secret is imported once.
    pub digest: String,
    /// How many of its codes are in the reward's pool.
    pub declared: i64,
    /// How many codes of the pool it does not declare, any more or ever. They stay.
    pub undeclared: i64,
    /// How many of its lines were not taken.
    pub refused: usize,
    /// The first of them.
    pub first: Vec<Refused>,
}

/// A line of a Secret that was not taken.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Refused {
    /// Under which key.
    pub key: String,
    /// On which line, from 1; 0 for all of them.
    pub line: usize,
    /// Why, in a few words.
    pub why: String,
}

/// How a Secret with codes stands, as those who have Secrets say.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Standing {
    /// Nobody has looked yet.
    Awaited,
    /// Nobody has it.
    Missing,
    /// Somebody has imported it.
    Read(Report),
}

/// The Secret that declares a reward's codes, if one does.
pub fn secret_of(plans: &Plans, reward: &Name) -> Option<Name> {
    let codes = &plans.rewards.get(reward)?.codes;
    codes.secret.clone().filter(|_| codes.source == CodeSource::Imported)
}

/// How the Secret of a reward's codes stands.
///
/// # Errors
/// When the database does not answer.
pub async fn standing(engine: &Engine, reward: &Name, secret: &Name) -> fanfare_store::Result<Standing> {
    let ns = engine.namespace();
    if logins::is_said_missing(engine, &presence(ns, secret)).await? {
        return Ok(Standing::Missing);
    }
    let report = engine.store().setting(&report_of(ns, reward, secret)).await?;
    let report = report.and_then(|bytes| serde_json::from_slice(&bytes).ok());
    Ok(report.map_or(Standing::Awaited, Standing::Read))
}

/// Imports what Secrets declare, until it is dropped. A database that does not answer is asked again.
pub async fn keep(engine: Engine, lists: Lists) {
    let mut read = BTreeMap::new();
    loop {
        let plans = engine.plans();
        for reward in plans.rewards.keys() {
            if let Some(secret) = secret_of(&plans, reward)
                && let Err(error) = look(&engine, (reward, &secret), &lists, &mut read).await
            {
                tracing::warn!(%reward, %error, "the codes of a Secret were not imported; tried again");
            }
        }
        tokio::time::sleep(LOOK_EVERY).await;
    }
}

/// Looks at the Secret of one reward; `read` is what this process has imported before.
///
/// # Errors
/// When the database does not answer.
pub async fn look(
    engine: &Engine,
    (reward, secret): (&Name, &Name),
    lists: &Lists,
    read: &mut BTreeMap<Name, String>,
) -> Result<(), Fault> {
    let found = lists(secret.clone()).await;
    let ns = engine.namespace();
    logins::say(engine, &presence(ns, secret), found.is_some(), engine.clock().now()).await?;
    let Some(found) = found else { return Ok(()) };
    let digest = digest(secret, &found);
    if read.get(reward) == Some(&digest) {
        return Ok(());
    }
    let setting = report_of(ns, reward, secret);
    let stands =
        engine.store().setting(&setting).await?.and_then(|bytes| serde_json::from_slice::<Report>(&bytes).ok());
    if stands.is_none_or(|report| report.digest != digest) {
        let report = Report { digest: digest.clone(), ..import(engine, reward, &found).await? };
        let bytes = serde_json::to_vec(&report).unwrap_or_default();
        engine.store().set_setting(&setting, &bytes).await?;
    }
    read.insert(reward.clone(), digest);
    Ok(())
}

/// Imports every line; each is judged by itself.
async fn import(engine: &Engine, reward: &Name, found: &BTreeMap<String, Vec<u8>>) -> Result<Report, Fault> {
    let (lines, mut refused) = lines(found);
    let mut declared = 0;
    for part in lines.chunks(IMPORT_MAX) {
        let codes = part.iter().map(|line| line.code.to_owned()).collect();
        let (done, _) = engine.execute(ImportCodes { reward: reward.clone(), codes }).await?;
        for (line, imported) in part.iter().zip(done.unwrap_or_default()) {
            let why = match imported {
                Imported::Added | Imported::Known => {
                    declared += 1;
                    continue;
                }
                Imported::Elsewhere => "another reward has this code",
                Imported::Unusable => "it is no code of 6 to 63 letters and digits",
            };
            refused.push(Refused { key: line.key.to_owned(), line: line.number, why: why.into() });
        }
    }
    refused.sort_unstable();
    let (size, _) = pool::level(engine, reward).await?;
    let count = refused.len();
    refused.truncate(NAMED_MAX);
    Ok(Report { digest: String::new(), declared, undeclared: (size - declared).max(0), refused: count, first: refused })
}

/// A code of a Secret and where it stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Line<'a> {
    key: &'a str,
    number: usize,
    code: &'a str,
}

/// The codes of a Secret, each once, and why the other lines are none.
fn lines(found: &BTreeMap<String, Vec<u8>>) -> (Vec<Line<'_>>, Vec<Refused>) {
    let (mut lines, mut refused) = (Vec::new(), Vec::new());
    let mut seen: HashMap<Code, (&str, usize)> = HashMap::new();
    for (key, bytes) in found {
        let Ok(text) = std::str::from_utf8(bytes) else {
            refused.push(Refused { key: key.clone(), line: 0, why: "it is no text in UTF-8".into() });
            continue;
        };
        for (number, code) in (1..).zip(text.lines()).filter_map(|(number, line)| Some((number, of_line(line)?))) {
            let first = *seen.entry(normalise(code)).or_insert((key, number));
            if first == (key.as_str(), number) {
                lines.push(Line { key, number, code });
            } else {
                let why = format!("line {} of {} has the same code", first.1, first.0);
                refused.push(Refused { key: key.clone(), line: number, why });
            }
        }
    }
    (lines, refused)
}

fn digest(secret: &Name, found: &BTreeMap<String, Vec<u8>>) -> String {
    let mut hasher = blake3::Hasher::new();
    let mut part = |bytes: &[u8]| {
        hasher.update(&bytes.len().to_le_bytes());
        hasher.update(bytes);
    };
    part(secret.as_str().as_bytes());
    for (key, bytes) in found {
        part(key.as_bytes());
        part(bytes);
    }
    hasher.finalize().to_hex()[..32].to_owned()
}

fn presence(ns: &Namespace, secret: &Name) -> String {
    format!("codes/{ns}/{secret}")
}

fn report_of(ns: &Namespace, reward: &Name, secret: &Name) -> String {
    format!("codes-read/{ns}/{reward}/{secret}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_that_is_no_code_of_its_own_is_told_by_key_and_number() {
        let found: BTreeMap<String, Vec<u8>> = [
            ("a.csv", b"code\nPART-0001\n\nPART0002;x\npart 0001\n".to_vec()),
            ("b.csv", b"PART0002\nPART0003".to_vec()),
            ("c.bin", vec![0xff]),
        ]
        .map(|(key, bytes)| (key.to_owned(), bytes))
        .into();
        let (lines, refused) = lines(&found);
        let codes: Vec<_> = lines.iter().map(|line| (line.key, line.number, line.code)).collect();
        assert_eq!(codes, [("a.csv", 2, "PART-0001"), ("a.csv", 4, "PART0002"), ("b.csv", 2, "PART0003")]);
        let told: Vec<_> = refused.iter().map(|one| (one.key.as_str(), one.line, one.why.as_str())).collect();
        let expect = [
            ("a.csv", 5, "line 2 of a.csv has the same code"),
            ("b.csv", 1, "line 4 of a.csv has the same code"),
            ("c.bin", 0, "it is no text in UTF-8"),
        ];
        assert_eq!(told, expect);
    }
}
