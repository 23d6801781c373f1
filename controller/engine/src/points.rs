//! Points as a member sees them: what the wallet holds, what is still to come, what lapses when, and each entry.

use crate::{Command, Engine, Halt, plans::Plans, tx::Tx, wallet};
use fanfare_core::{ids::MemberId, model::reward::RewardKind, time::Ts};
use fanfare_store::{
    Error, Keys, Page,
    rows::{Grant, GrantState, LedgerLine},
};

/// How many pages of a member's grants are looked through for points that lapse; the newest count.
const PAGES_MAX: usize = 20;

/// A member's points.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Points {
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
        for _ in 0..PAGES_MAX {
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
    }
}
