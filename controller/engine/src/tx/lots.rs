//! Wallets of points within a batch: which lots each has, beside the balances that they are.

use super::{Halt, Sets, Tx};
use fanfare_core::{
    ids::AccountId,
    ledger::{Entry, POINTS, Posting, account},
    points::{Lot, Wallet},
};
use fanfare_store::Keys;

/// Takes in the lots of wallets that were asked for.
pub(super) fn learn(lots: &mut Sets<AccountId, String>, keys: &Keys, balances: &[(String, String, i64)]) {
    for wallet in &keys.wallets {
        // What is there stays: an earlier look of the batch has loaded it as a whole.
        if lots.loaded.contains_key(wallet) {
            continue;
        }
        let own = |(name, unit, _): &&(String, String, i64)| unit == POINTS && account::lot_of(wallet, name).is_some();
        let names = balances.iter().filter(own).map(|(name, ..)| name.clone()).collect();
        lots.loaded.insert(wallet.clone(), names);
    }
}

impl Tx<'_> {
    /// A wallet as the ledger keeps it. What matured or lapsed since it was last touched is not seen to.
    ///
    /// # Errors
    /// Missing when it is not loaded.
    pub fn wallet(&self, wallet: &AccountId) -> Result<Wallet, Halt> {
        let names = self.base.lots.get(wallet).inspect_err(|_| {
            self.wanted.borrow_mut().wallets.insert(wallet.clone());
        })?;
        let lots = names.into_iter().filter_map(|name| {
            let lot = account::lot_of(wallet, &name)?;
            let held = self.base.tables.balances.get(&(name, POINTS.to_owned()));
            Some((lot, held.ok().flatten().copied().unwrap_or(0)))
        });
        Ok(Wallet::of(lots))
    }

    /// Appends a transaction that adds `lines` to a wallet that was looked at; what they sum to comes from, or goes to, all
    /// points that were issued.
    pub fn post_points(&mut self, rule: &str, reference: &str, wallet: &AccountId, lines: &[(Lot, i64)]) {
        let mut entries: Vec<Entry> = Vec::with_capacity(lines.len() + 1);
        let sum: i64 = lines.iter().map(|(_, points)| points).sum();
        if sum != 0 {
            entries.push(Entry { account: account::points_issued(), unit: POINTS.into(), amount: -sum });
        }
        entries.extend(self.lot_entries(wallet, lines));
        if !entries.is_empty() {
            self.post(Posting { rule: rule.into(), reference: reference.into(), entries });
        }
    }

    /// Entries that add `lines` to a wallet that was looked at. Lots that it did not have become known as empty.
    pub fn lot_entries(&mut self, wallet: &AccountId, lines: &[(Lot, i64)]) -> Vec<Entry> {
        let mut entries = Vec::with_capacity(lines.len());
        for (lot, points) in lines.iter().filter(|(_, points)| *points != 0) {
            let name = account::lot(wallet, *lot);
            let key = (name.clone(), POINTS.to_owned());
            if self.base.tables.balances.get(&key).is_err() {
                self.base.tables.balances.put(key, 0, false);
            }
            self.base.lots.mine.push((wallet.clone(), name.clone()));
            entries.push(Entry { account: name, unit: POINTS.into(), amount: *points });
        }
        entries
    }
}
