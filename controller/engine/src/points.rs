//! A member's points as the member sees them: the balance of the ledger, what is to come and what lapses when.

use crate::Engine;
use fanfare_core::{
    ids::MemberId,
    ledger::{POINTS, account},
    model::reward::RewardKind,
    time::Ts,
};
use fanfare_store::{
    Error, PAGE_MAX, Page,
    rows::{Grant, GrantState, LedgerLine},
};
use std::collections::BTreeMap;

/// How many grants of each state are looked through for points to come and points that lapse: the newest.
const GRANTS_MAX: usize = 1_000;
/// The most instants that [`Points::expiring`] names.
pub const EXPIRING_MAX: usize = 20;

/// A member's points.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Points {
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
    }
}
