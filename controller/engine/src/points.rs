<<<<<<< HEAD
//! Points as a member sees them: what the wallet holds, what is still to come, what lapses when, and each entry.

use crate::{Command, Engine, Halt, plans::Plans, tx::Tx, wallet};
use fanfare_core::{
    ids::MemberId,
=======
//! A member's points as the member sees them: the balance of the ledger, what is to come and what lapses when.

use crate::Engine;
use fanfare_core::{
    ids::MemberId,
    ledger::{POINTS, account},
>>>>>>> w-api
    model::reward::RewardKind,
    time::Ts,
};
use fanfare_store::{
<<<<<<< HEAD
    Error, Keys, Page,
    rows::{Grant, GrantState, LedgerLine},
};
=======
    Error, PAGE_MAX, Page,
    rows::{Grant, GrantState, LedgerLine},
};
use std::collections::BTreeMap;

/// How many grants of each state are looked through for points to come and points that lapse: the newest.
const GRANTS_MAX: usize = 1_000;
/// The most instants that [`Points::expiring`] names.
pub const EXPIRING_MAX: usize = 20;
>>>>>>> w-api

/// A member's points.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Points {
<<<<<<< HEAD
    /// What can be spent.
    pub balance: i64,
    /// What was given and is not claimed yet.
    pub pending: i64,
    /// What lapses when, soonest first, as far as it is not spent by then.
    pub expiring: Vec<(i64, Ts)>,
}

#[derive(Clone, Debug)]
struct AskBalance(MemberId);

impl Command for AskBalance {
    type Answer = i64;

    fn prefetch(&self, _: &Plans, keys: &mut Keys) {
        keys.members.insert(self.0.clone());
    }

    fn run(&self, tx: &mut Tx<'_>) -> Result<i64, Halt> {
        if tx.member(&self.0)?.is_none() {
            return Ok(0);
        }
        let account = wallet::of(tx, &self.0)?;
        wallet::balance(tx, &account)
    }
}

impl Engine {
    /// A member's points; none for a member whom nobody knows.
    ///
    /// # Errors
    /// [`crate::CallError`] when the database does not answer.
    pub async fn points(&self, member: &MemberId) -> Result<Points, crate::CallError> {
        let balance = self.execute(AskBalance(member.clone())).await?.0.unwrap_or(0);
        let now = self.clock().now();
        let mut points = Points { balance, ..Points::default() };
        // Manual claims wait as Granted; lots that lapse keep their end in `valid_until`.
        let mut after = None;
        loop {
            let page = Page { limit: fanfare_store::PAGE_MAX, after };
            let grants = self.store().grants_of(self.namespace(), member, None, page).await?;
            for grant in &grants {
                points.take(grant, now);
            }
            match grants.last().filter(|_| grants.len() == fanfare_store::PAGE_MAX) {
                Some(last) => after = Some(last.id.to_string()),
                None => break,
            }
        }
        points.expiring.sort_by_key(|(_, at)| *at);
        Ok(points)
    }

    /// A page of the ledger entries of a member's wallet, newest first; nothing for a member whom nobody knows.
    ///
    /// # Errors
    /// The store's, when it cannot be read.
    pub async fn point_entries(&self, member: &MemberId, page: Page) -> Result<Vec<LedgerLine>, Error> {
        match self.member(member).await? {
            Some(row) => self.store().wallet_lines(self.namespace(), &row.account, page).await,
            None => Ok(Vec::new()),
        }
    }
}

impl Points {
    fn take(&mut self, grant: &Grant, now: Ts) {
        let RewardKind::Points { amount, expire_after: _ } = grant.terms.kind else { return };
        match grant.state {
            GrantState::Pending | GrantState::Granted => {
                if grant.claim_by.is_none_or(|until| now < until) {
                    self.pending += amount;
                }
            }
            GrantState::Redeemed => {
                if let Some(until) = grant.valid_until.filter(|until| now < *until) {
                    self.expiring.push((amount, until));
                }
            }
            GrantState::Claimed | GrantState::Reserved | GrantState::Expired | GrantState::Revoked => {}
        }
=======
    /// What can be spent now.
    pub balance: i64,
    /// Earned, not given yet.
    pub pending: i64,
    /// What lapses, next first; at most [`EXPIRING_MAX`].
    pub expiring: Vec<(i64, Ts)>,
}

impl Engine {
    /// A member's points; nobody has none.
    ///
    /// # Errors
    /// The store's, when it cannot be read.
    pub async fn points(&self, member: &MemberId) -> Result<Points, Error> {
        let Some(row) = self.member(member).await? else { return Ok(Points::default()) };
        let wallet = account::wallet(&row.account);
        let balances = self.store().balances(self.namespace(), &wallet).await?;
        let own = balances.iter().find(|entry| entry.account == wallet && entry.unit == POINTS);
        let now = self.clock().now();
        let pending = self.grants_in(member, GrantState::Pending).await?;
        let mut lapses: BTreeMap<Ts, i64> = BTreeMap::new();
        for grant in self.grants_in(member, GrantState::Redeemed).await? {
            if let (Some(amount), Some(end)) = (points_of(&grant), grant.valid_until.filter(|end| *end > now)) {
                let at = lapses.entry(end).or_default();
                *at = at.saturating_add(amount);
            }
        }
        Ok(Points {
            balance: own.map_or(0, |entry| entry.amount),
            pending: pending.iter().filter_map(points_of).fold(0, i64::saturating_add),
            expiring: lapses.into_iter().take(EXPIRING_MAX).map(|(at, amount)| (amount, at)).collect(),
        })
    }

    /// A page of the ledger's lines of a member's points, newest first.
    ///
    /// # Errors
    /// The store's, when it cannot be read.
    pub async fn points_entries(&self, member: &MemberId, page: Page) -> Result<Vec<LedgerLine>, Error> {
        let Some(row) = self.member(member).await? else { return Ok(Vec::new()) };
        self.store().wallet_lines(self.namespace(), &row.account, page).await
    }

    async fn grants_in(&self, member: &MemberId, state: GrantState) -> Result<Vec<Grant>, Error> {
        let mut found: Vec<Grant> = Vec::new();
        while found.len() < GRANTS_MAX {
            let page = Page { limit: PAGE_MAX, after: found.last().map(|grant| grant.id.to_string()) };
            let rows = self.store().grants_of(self.namespace(), member, Some(state), page).await?;
            let is_last = rows.len() < PAGE_MAX;
            found.extend(rows);
            if is_last {
                break;
            }
        }
        Ok(found)
    }
}

fn points_of(grant: &Grant) -> Option<i64> {
    match grant.terms.kind {
        RewardKind::Points { amount, .. } => Some(amount),
        RewardKind::Voucher(_) | RewardKind::FreeItem { .. } => None,
>>>>>>> w-api
    }
}
