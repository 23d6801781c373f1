//! Makes a batch's writes fit for one statement a table, the same for every database: a row that is written several times
//! is written once, as it was last; deltas of one key are one delta; postings become lines of the ledger.

use crate::{
    Error, Result, Writes,
    chain::{self, Link},
    encode::to_json,
    rows::{Audit, LedgerLine, Published, Run},
};
use fanfare_core::{
    ids::{GrantId, Name, Namespace, OrderId, RedemptionId, RunId},
    ledger::{Entry, Posting},
    model::{AutomationPlan, Kind},
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
    last(&mut writes.members, |row| row.id.clone());
    last(&mut writes.holds, |row| row.id.clone());
    last(&mut writes.participations, |row| (row.campaign.clone(), row.member.clone()));
    last(&mut writes.messages, |row| row.id.clone());
    last(&mut writes.jobs, |row| row.id.clone());
    last(&mut writes.credentials, |row| row.id.clone());
    last(&mut writes.refresh_tokens, |row| row.digest.clone());
    runs(&mut writes.runs);
}

/// Keeps the last of the rows of each key, in the place of the first.
fn last<T, K: Hash + Eq>(rows: &mut Vec<T>, key: impl Fn(&T) -> K) {
    if rows.len() > 1 {
        fold(&mut [], rows, key);
    }
}

/// Keeps the last of each run, under the plan that it entered under.
fn runs(runs: &mut Vec<Run>) {
    let mut first: HashMap<RunId, AutomationPlan> = HashMap::new();
    if runs.len() > 1 {
        for row in runs.iter_mut() {
            match first.get(&row.id) {
                Some(plan) => row.plan = plan.clone(),
                None => drop(first.insert(row.id.clone(), row.plan.clone())),
            }
        }
    }
    last(runs, |row| row.id.clone());
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

/// The lines of placed postings as (sequence, line, entry).
pub(crate) fn lines<'a>(placed: &'a [Placed<'a>]) -> impl Iterator<Item = (i64, i64, &'a Entry)> {
    placed.iter().flat_map(|row| (0_i64..).zip(&row.posting.entries).map(|(line, entry)| (row.seq, line, entry)))
}

/// Rows of the audit trail, each with its detail as it is stored and the chain's next link after `link`; and the last link.
#[expect(clippy::type_complexity, reason = "what `encode::audit` takes, and the link")]
pub(crate) fn audit(mut link: Link, audit: &[Audit]) -> Result<(Vec<(&Audit, String, Link)>, Link)> {
    let mut linked = Vec::with_capacity(audit.len());
    for row in audit {
        let detail = to_json(&row.detail)?;
        link = chain::audit(&link, row, &detail);
        linked.push((row, detail, link));
    }
    Ok((linked, link))
}

/// Refuses credentials of another namespace than the batch's.
pub(crate) fn same_namespace<'a>(namespace: &Namespace, mut others: impl Iterator<Item = &'a Namespace>) -> Result<()> {
    match others.find(|other| *other != namespace) {
        Some(other) => Err(Error::Conflict(format!("a batch of {namespace} writes a credential of {other}"))),
        None => Ok(()),
    }
}

/// Published revisions in rounds of which each has a resource at most once, in their order: a statement that writes many
/// rows cannot write one of them twice.
///
/// # Errors
/// [`Error::Conflict`] when one carries a plan of another kind.
pub(crate) fn rounds(published: &[Published]) -> Result<Vec<Vec<&Published>>> {
    let mut rounds: Vec<Vec<&Published>> = Vec::new();
    let mut seen: HashMap<(Kind, &Name), usize> = HashMap::new();
    for row in published {
        plan_of_its_kind(row)?;
        let round = seen.entry((row.kind, &row.name)).or_default();
        match rounds.get_mut(*round) {
            Some(rows) => rows.push(row),
            None => rounds.push(vec![row]),
        }
        *round += 1;
    }
    Ok(rounds)
}

/// Refuses a revision whose plan is of another kind.
pub(crate) fn plan_of_its_kind(row: &Published) -> Result<()> {
    if row.plan.kind() == row.kind {
        return Ok(());
    }
    Err(Error::Conflict(format!("the plan of {} {} is of another kind", row.kind.as_str(), row.name)))
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
