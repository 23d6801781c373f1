//! What reports read: sums and counters of one consistent cut, and what an inspection of the rows found.

use crate::{
    Position, Result,
    decode::{Cursor, Source},
    rows::{Event, GrantState},
};
use fanfare_core::{
    ids::{Name, StoreId},
    model::RewardPlan,
};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// The action of the audit rows that are exceptions. Their detail is an object with `kind`, `store`, `businessDate`,
/// `order` and `amount`, by which they can be found.
pub const EXCEPTION: &str = "exception";

/// What a cut holds. What is not asked for is not read.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Asked {
    /// The sums of all accounts.
    pub balances: bool,
    /// Counters whose key starts with this.
    pub counters: Option<String>,
    /// What lapsed unspent, by the rule [`fanfare_core::ledger::POINTS_EXPIRED`].
    pub lapses: bool,
    /// Grants that can still be used or have expired. It reads every grant.
    pub grants: bool,
}

/// One consistent cut of a namespace.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Cut {
    /// Everything up to here is in it, nothing behind.
    pub position: Position,
    /// By account and unit.
    pub balances: Vec<Sum>,
    /// As (key, value), in order of key.
    pub counters: Vec<(String, i64)>,
    /// As (unit, amount that lapsed).
    pub lapses: Vec<(String, i64)>,
    /// By terms, campaign and state.
    pub grants: Vec<GrantSum>,
}

/// What an account holds. The accounts of people and cards are one line together: `wallet/*`, `giftcard/*`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Sum {
    /// Its name, or that of its kind.
    pub account: String,
    /// In which unit.
    pub unit: String,
    /// What it holds.
    pub amount: i64,
    /// How many accounts this is.
    pub accounts: i64,
}

/// Grants of the same terms, campaign and state.
#[derive(Clone, Debug, PartialEq)]
pub struct GrantSum {
    /// The terms under which they were issued.
    pub terms: RewardPlan,
    /// Who pays.
    pub campaign: Option<Name>,
    /// Where they stand.
    pub state: GrantState,
    /// How many.
    pub grants: i64,
    /// How often they can be used together.
    pub uses: i64,
}

/// Which exceptions are asked for; what is not named does not matter.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ExceptionsOf {
    /// Of this kind, such as `late-commit`.
    pub kind: Option<String>,
    /// Of this store.
    pub store: Option<StoreId>,
    /// Of this day of its till, `YYYY-MM-DD`.
    pub business_date: Option<String>,
}

/// What an inspection read and what it found.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Inspection {
    /// How far it read.
    pub position: i64,
    /// The ledger's hash there, hexadecimal: the same as of another copy that holds the same.
    pub chain: String,
    /// The audit trail's hash there.
    pub audit_chain: String,
    /// Transactions of the ledger.
    pub transactions: i64,
    /// Their entries.
    pub entries: i64,
    /// Accounts that have a balance.
    pub accounts: i64,
    /// Rows of the audit trail.
    pub audit_rows: i64,
    /// Grants.
    pub grants: i64,
    /// Redemptions.
    pub redemptions: i64,
    /// Orders.
    pub orders: i64,
    /// The first transaction whose hash is not what it has to be.
    pub first_broken: Option<i64>,
    /// What does not hold, a sentence each; empty: all holds.
    pub findings: Vec<String>,
}

impl Inspection {
    /// Reads the counts: transactions, entries, accounts, rows of the audit trail, grants, redemptions, orders.
    pub(crate) fn counted<R: Source>(row: &R) -> Result<Self> {
        let mut c = Cursor::new(row);
        Ok(Self {
            transactions: c.int()?,
            entries: c.int()?,
            accounts: c.int()?,
            audit_rows: c.int()?,
            grants: c.int()?,
            redemptions: c.int()?,
            orders: c.int()?,
            ..Self::default()
        })
    }
}

/// Puts each event together with the one that answers it.
pub(crate) fn paired(events: Vec<Event>, answers: Vec<Event>) -> Vec<(Event, Option<Event>)> {
    let mut answers: BTreeMap<String, Event> = answers.into_iter().map(|event| (event.id.clone(), event)).collect();
    events
        .into_iter()
        .map(|event| {
            let answer = answers.remove(&event.id);
            (event, answer)
        })
        .collect()
}
