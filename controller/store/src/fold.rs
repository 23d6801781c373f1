//! Makes a batch's writes fit for one statement a table, the same for every database: a row that is written several times
//! is written once, as it was last; deltas of one key are one delta; postings become lines of the ledger.

use crate::{
    Error, Result, Writes,
    chain::{self, Link},
    rows::LedgerLine,
};
use fanfare_core::{
    ids::{GrantId, OrderId, RedemptionId},
    ledger::Posting,
    time::Ts,
};
use std::{
    collections::{BTreeMap, HashMap},
    hash::Hash,
};

/// Folds rows that were made and changed, or changed several times, in the same batch.
pub(crate) fn rows(writes: &mut Writes) {
    fold(&mut writes.new_grants, &mut writes.grants, |row| -> GrantId { row.id.clone() });
    fold(&mut writes.new_orders, &mut writes.orders, |row| -> OrderId { row.id.clone() });
    fold(&mut writes.new_redemptions, &mut writes.redemptions, |row| -> RedemptionId { row.id.clone() });
    fold(&mut Vec::new(), &mut writes.members, |row| row.id.clone());
}

/// Moves changes of new rows into the new rows, and keeps the last change of each other row. A row that is new twice
/// stays so: the database has to refuse it.
fn fold<T, K: Hash + Eq>(new: &mut [T], changed: &mut Vec<T>, key: impl Fn(&T) -> K) {
    if changed.is_empty() {
        return;
    }
    let new_at: HashMap<K, usize> = new.iter().enumerate().map(|(at, row)| (key(row), at)).collect();
    let mut kept: Vec<T> = Vec::with_capacity(changed.len());
    let mut kept_at: HashMap<K, usize> = HashMap::with_capacity(changed.len());
    for row in changed.drain(..) {
        let id = key(&row);
        if let Some(slot) = new_at.get(&id).and_then(|at| new.get_mut(*at)) {
            *slot = row;
        } else if let Some(slot) = kept_at.get(&id).and_then(|at| kept.get_mut(*at)) {
            *slot = row;
        } else {
            kept_at.insert(id, kept.len());
            kept.push(row);
        }
    }
    *changed = kept;
}

/// One delta a counter; those that cancel out are left away.
///
/// # Errors
/// [`Error::Conflict`] when the sum leaves `i64`.
pub(crate) fn counters(deltas: &[(String, i64)]) -> Result<BTreeMap<&str, i64>> {
    let mut sums = BTreeMap::new();
    for (key, delta) in deltas {
        add(&mut sums, key.as_str(), *delta)?;
    }
    sums.retain(|_, delta| *delta != 0);
    Ok(sums)
}

/// One delta a balance, as (account, unit).
///
/// # Errors
/// [`Error::Conflict`] when the sum leaves `i64`.
pub(crate) fn balances(postings: &[Posting]) -> Result<BTreeMap<(&str, &str), i64>> {
    let mut sums = BTreeMap::new();
    for entry in postings.iter().flat_map(|posting| &posting.entries) {
        add(&mut sums, (entry.account.as_str(), entry.unit.as_str()), entry.amount)?;
    }
    sums.retain(|_, delta| *delta != 0);
    Ok(sums)
}

fn add<K: Ord>(sums: &mut BTreeMap<K, i64>, key: K, delta: i64) -> Result<()> {
    let sum = sums.entry(key).or_insert(0);
    *sum = sum.checked_add(delta).ok_or_else(|| Error::Conflict("a sum of the batch leaves the range".into()))?;
    Ok(())
}

/// A posting in its place in the chain.
pub(crate) struct Placed<'a> {
    pub(crate) seq: i64,
    pub(crate) posting: &'a Posting,
    pub(crate) link: Link,
}

/// Gives each posting the next sequence after `seq` and the chain's next link after `link`.
///
/// # Errors
/// [`Error::Conflict`] when one does not sum to zero per unit or has no entry.
pub(crate) fn place(postings: &[Posting], at: Ts, mut seq: i64, mut link: Link) -> Result<Vec<Placed<'_>>> {
    let mut placed = Vec::with_capacity(postings.len());
    for posting in postings {
        let Posting { rule, reference, entries } = posting;
        if entries.is_empty() || !posting.balances() {
            return Err(Error::Conflict(format!("the posting {rule} of {reference} does not sum to zero")));
        }
        seq += 1;
        link = chain::transaction(&link, seq, at, rule, reference, entries);
        placed.push(Placed { seq, posting, link });
    }
    Ok(placed)
}

/// The place of a ledger line as a page's `after` names it.
impl LedgerLine {
    /// What a page names as `after` to go on behind this line.
    pub fn cursor(&self) -> String {
        format!("{}.{}", self.seq, self.line)
    }

    /// Reads such a name.
    pub fn parse_cursor(text: &str) -> Option<(i64, i64)> {
        let (seq, line) = text.split_once('.')?;
        Some((seq.parse().ok()?, line.parse().ok()?))
    }
}
