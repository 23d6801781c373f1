//! Points as a member sees them: what the wallet holds, what is still to come, what lapses when, and each entry.

use crate::{Command, Engine, Halt, plans::Plans, tx::Tx, wallet};
use fanfare_core::{
    ids::{AccountId, MemberId},
    model::reward::RewardKind,
    points::Wallet,
    time::Ts,
};
use fanfare_store::{
    Error, Keys, Page,
    rows::{Grant, GrantState, LedgerLine},
};

/// How many pages of a member's unclaimed grants are looked through for points; the newest count.
const PAGES_MAX: usize = 20;

/// A member's points.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Points {
    /// What can be spent; below zero where the member owes.
    pub balance: i64,
    /// What was earned and cannot be spent yet, and what was given and is not claimed yet.
    pub pending: i64,
    /// What of the balance lapses when, soonest first, as far as it is not spent by then.
    pub expiring: Vec<(i64, Ts)>,
}

#[derive(Clone, Debug)]
struct AskWallet(MemberId);

impl Command for AskWallet {
    type Answer = Wallet;

    fn prefetch(&self, _: &Plans, keys: &mut Keys) {
        keys.members.insert(self.0.clone());
    }

    fn run(&self, tx: &mut Tx<'_>) -> Result<Wallet, Halt> {
        if tx.member(&self.0)?.is_none() {
            return Ok(Wallet::default());
        }
        let account = wallet::of(tx, &self.0)?;
        wallet::held(tx, &account)
    }
}

impl Engine {
    /// A member's points; none for a member whom nobody knows.
    ///
    /// # Errors
    /// [`crate::CallError`] when the database does not answer.
    pub async fn points(&self, member: &MemberId) -> Result<Points, crate::CallError> {
        let held = self.execute(AskWallet(member.clone())).await?.0.unwrap_or_default();
        let mut points = Points { balance: held.balance(), pending: held.pending(), expiring: held.expiring() };
        let now = self.clock().now();
        let mut after = None;
        for _ in 0..PAGES_MAX {
            let page = Page { limit: fanfare_store::PAGE_MAX, after };
            let grants = self.store().grants_of(self.namespace(), member, Some(GrantState::Granted), page).await?;
            points.pending += grants.iter().map(|grant| unclaimed(grant, now)).sum::<i64>();
            match grants.last().filter(|_| grants.len() == fanfare_store::PAGE_MAX) {
                Some(last) => after = Some(last.id.to_string()),
                None => break,
            }
        }
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

/// Lives through what matured or lapsed in a wallet; done too early or twice it finds nothing to do.
///
/// # Errors
/// [`Halt::Missing`] to be run again with more rows.
pub fn turn(tx: &mut Tx<'_>, wallet: &AccountId) -> Result<(), Halt> {
    wallet::turn(tx, wallet)
}

/// The points of a grant that waits to be claimed.
fn unclaimed(grant: &Grant, now: Ts) -> i64 {
    match grant.terms.kind {
        RewardKind::Points { amount, .. } if grant.claim_by.is_none_or(|until| now < until) => amount,
        _ => 0,
    }
}
