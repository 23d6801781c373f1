//! Imported codes: each reward that takes its codes from a list has a pool, filled by imports and emptied in order.
//!
//! A code stands in one pool of the namespace, once, for ever. How many there are and how many were taken are counters, so
//! that giving one moves a number and nothing else.

use crate::{Command, Engine, Halt, plans::Plans, tx::Tx};
use fanfare_core::{
    codes::{CODE_LENGTH_MAX, normalise},
    ids::{Code, Name},
    mechanic::{State, key},
    model::reward::CodeSource,
};
use fanfare_store::{Keys, rows::Pooled};

/// The most codes that one command imports.
pub const IMPORT_MAX: usize = 2_000;
/// How many codes are looked at ahead, so that the next rewards of a batch need no look at the database.
const AHEAD: i64 = 64;
/// The shortest code that is taken: a shorter one is guessed.
pub const CODE_MIN_CHARS: usize = 6;

/// The counter of codes that were imported for a reward.
pub fn size_key(reward: &Name) -> String {
    key::reward(reward, "codes")
}

/// The counter of codes that were taken of them.
pub fn taken_key(reward: &Name) -> String {
    key::reward(reward, "codes-taken")
}

fn place(reward: &Name, number: i64) -> String {
    format!("{reward}|{number}")
}

/// How many codes were imported for a reward, and how many of them were taken.
///
/// # Errors
/// When the database does not answer.
pub async fn level(engine: &Engine, reward: &Name) -> fanfare_store::Result<(i64, i64)> {
    let (size, taken) = (size_key(reward), taken_key(reward));
    // Both begin alike.
    let all = engine.store().counters(engine.namespace(), &size).await?;
    let value = |key: &str| all.iter().filter(|(name, _)| name == key).map(|(_, value)| *value).sum::<i64>();
    Ok((value(&size), value(&taken)))
}

/// Imports codes for a reward, each judged by itself.
#[derive(Clone, Debug)]
pub struct ImportCodes {
    /// For which.
    pub reward: Name,
    /// As the list has them; at most [`IMPORT_MAX`], the rest is not looked at.
    pub codes: Vec<String>,
}

/// What became of one code.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Imported {
    /// It is in the pool now.
    Added,
    /// It was in the pool already: sending a list again is safe.
    Known,
    /// Another reward has it, in its pool, on a voucher or as its shared code.
    Elsewhere,
    /// It is too short or too long, or not of letters and digits.
    Unusable,
}

impl Command for ImportCodes {
    /// In the order of the codes.
    type Answer = Vec<Imported>;

    fn prefetch(&self, _: &Plans, keys: &mut Keys) {
        let codes = || self.codes.iter().take(IMPORT_MAX).filter_map(|text| usable(text));
        keys.pool_codes.extend(codes());
        keys.codes.extend(codes());
        keys.counters.insert(size_key(&self.reward));
    }

    fn run(&self, tx: &mut Tx<'_>) -> Result<Self::Answer, Halt> {
        let mut size = tx.count(&size_key(&self.reward))?;
        let before = size;
        let mut all = Vec::with_capacity(self.codes.len());
        for text in self.codes.iter().take(IMPORT_MAX) {
            let Some(code) = usable(text) else {
                all.push(Imported::Unusable);
                continue;
            };
            let found = self.judge(tx, &code)?;
            if found == Imported::Added {
                size += 1;
                let spelling = (code.as_str() != text).then(|| text.clone());
                tx.put_pooled(place(&self.reward, size), Pooled { code, spelling });
            }
            all.push(found);
        }
        if size > before {
            tx.count_up(&size_key(&self.reward), size - before)?;
        }
        Ok(all)
    }
}

impl ImportCodes {
    fn judge(&self, tx: &Tx<'_>, code: &Code) -> Result<Imported, Halt> {
        if let Some(place) = tx.pooled_code(code)? {
            let own = place.rsplit_once('|').is_some_and(|(reward, _)| reward == self.reward.as_str());
            return Ok(if own { Imported::Known } else { Imported::Elsewhere });
        }
        let shared = tx.plans.rewards.values().any(|plan| plan.shared_code() == Some(code));
        let taken = shared || tx.grant_by_code(code)?.is_some();
        Ok(if taken { Imported::Elsewhere } else { Imported::Added })
    }
}

/// The code of a text of a list, normalised. One with control characters comes of a wrong encoding or of lines that run
/// together: reading it with forgiveness would make up a code that nobody has.
fn usable(text: &str) -> Option<Code> {
    let code = normalise(text);
    let lengths = CODE_MIN_CHARS..CODE_LENGTH_MAX;
    let is_plain = code.as_str().bytes().all(|b| b.is_ascii_uppercase() || b.is_ascii_digit());
    (!text.contains(char::is_control) && lengths.contains(&code.as_str().len()) && is_plain).then_some(code)
}

/// Looks at the next codes of a reward that takes them from its pool, all at once.
pub(crate) fn want(tx: &Tx<'_>, reward: &Name, quantity: i64) -> Result<(), Halt> {
    let (size, taken) = (tx.count(&size_key(reward)), tx.count(&taken_key(reward)));
    let (size, taken) = (size?, taken?);
    let next = taken + 1..=size.min(taken + quantity.max(AHEAD));
    let codes: Vec<_> = next.map(|number| tx.pooled_at(&place(reward, number)).map(Option::<&Code>::cloned)).collect();
    let codes: Vec<Code> = codes.into_iter().collect::<Result<Vec<_>, _>>()?.into_iter().flatten().collect();
    let met: Vec<_> = codes.iter().map(|code| tx.grant_by_code(code).map(drop)).collect();
    met.into_iter().collect()
}

/// Takes the next code of a reward's pool; nothing when it is empty. One that a voucher has by chance is passed over.
pub(crate) fn next(tx: &mut Tx<'_>, reward: &Name) -> Result<Option<Code>, Halt> {
    loop {
        let (size, taken) = (tx.count(&size_key(reward))?, tx.count(&taken_key(reward))?);
        if taken >= size {
            return Ok(None);
        }
        let code = tx.pooled_at(&place(reward, taken + 1))?.cloned();
        tx.count_up(&taken_key(reward), 1)?;
        if let Some(code) = code
            && tx.grant_by_code(&code)?.is_none()
        {
            return Ok(Some(code));
        }
    }
}

/// Whether a reward takes its codes from a pool.
pub fn has_pool(plans: &Plans, reward: &Name) -> bool {
    plans.rewards.get(reward).is_some_and(|plan| plan.codes.source == CodeSource::Imported)
}
