//! Redeems one voucher by its code, without a cart: the hot path of a till.

use super::{Outcome, settle};
use crate::{
    Command, Halt,
    jobs::Task,
    plans::Plans,
    refuse,
    tx::Tx,
    vouchers::{self, Scene},
};
use fanfare_core::{
    ids::{Code, OrderId, RedemptionId, StoreId},
    model::reward::{RewardKind, VoucherWorth},
    money::Minor,
    reason::Reason,
    reward,
    time::Ts,
    world::{Visit, World},
};
use fanfare_store::{
    Keys,
    rows::{Grant, Redemption, RedemptionState},
};

/// What a till does with a voucher.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mode {
    /// Holds it, until it is committed, voided or lapses.
    Reserve,
    /// Uses it.
    Commit,
}

/// The order that a till redeems for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OrderRef {
    /// Its id.
    pub id: OrderId,
    /// What its items cost, before the voucher.
    pub total: Minor,
}

/// Redeems a voucher.
#[derive(Clone, Debug)]
pub struct Redeem {
    /// As read, normalised.
    pub code: Code,
    /// Hold or use.
    pub mode: Mode,
    /// Where.
    pub store: StoreId,
    /// The store that the till is bound to; an integration is bound to none.
    pub bound_to: Option<StoreId>,
    /// At which till.
    pub terminal: Option<String>,
    /// Through which channel; a till is `pos`.
    pub channel: String,
    /// What the till takes off, where it knows; at most what the voucher is worth.
    pub amount: Option<Minor>,
    /// For which order.
    pub order: Option<OrderRef>,
    /// When, where the till was offline; neither ahead of now nor further back than [`vouchers::LATE_MAX`].
    pub occurred_at: Option<Ts>,
}

impl Command for Redeem {
    type Answer = Outcome;

    fn prefetch(&self, _: &Plans, keys: &mut Keys) {
        keys.codes.insert(self.code.clone());
    }

    fn run(&self, tx: &mut Tx<'_>) -> Result<Outcome, Halt> {
        let Some(grant) = tx.grant_by_code(&self.code)?.cloned() else {
            return refuse(Reason::CodeUnknown, "no voucher has this code");
        };
        let at = vouchers::occurred(tx.now, self.occurred_at);
        self.check(tx, &grant, at)?;
        if self.bound_to.as_ref().is_some_and(|bound| *bound != self.store) {
            return refuse(Reason::StoreMismatch, "this till is bound to another store; name its own");
        }
        let amount = self.amount_of(tx, &grant)?;
        let redemption = self.write(tx, &grant, amount, at);
        match self.mode {
            Mode::Commit => settle(tx, &redemption, at)?,
            Mode::Reserve => {
                let scene =
                    Scene { store: Some(&self.store), order: self.order.as_ref().map(|order| &order.id), reason: None };
                vouchers::hold(tx, grant, scene);
            }
        }
        Ok(Outcome { redemption, remaining: Minor::ZERO, created: true })
    }
}

impl Redeem {
    /// Whether the voucher can be used at this time and place; the holder need not be there.
    fn check(&self, tx: &Tx<'_>, grant: &Grant, at: Ts) -> Result<(), Halt> {
        let world = World { runtime: tx.runtime()?, catalogue: tx.plans, state: tx, reserves: tx, now: at };
        let visit = Visit { world, who: None, store: Some(&self.store), channel: Some(&self.channel), origin: None };
        Ok(reward::usable(&vouchers::met(tx, grant, false), &visit)?)
    }

    /// What the voucher takes off: what the till says, within what it is worth.
    fn amount_of(&self, tx: &Tx<'_>, grant: &Grant) -> Result<Minor, Halt> {
        let total = self.order.as_ref().map(|order| order.total);
        let worth = match &grant.terms.kind {
            RewardKind::Voucher(voucher) => {
                if let Some(total) = total.filter(|total| *total < voucher.min_spend) {
                    let currency = &tx.runtime()?.currency;
                    let (least, has) = (currency.format(voucher.min_spend), currency.format(total));
                    let detail =
                        format!("it takes an order of at least {least} {}; this one has {has}", currency.code());
                    return refuse(Reason::MinSpendNotMet, detail);
                }
                match (voucher.worth, total) {
                    (VoucherWorth::Amount(amount), total) => Some(amount.min(total.unwrap_or(amount))),
                    (VoucherWorth::Percent { share, max }, Some(total)) => {
                        let off = share.of(total);
                        Some(max.map_or(off, |max| off.min(max)))
                    }
                    // The order is not known: the most that it can be worth, if there is such a bound.
                    (VoucherWorth::Percent { max, .. }, None) => max,
                }
            }
            // The item itself is handed over; what it costs the shop is its estimate where the till says nothing.
            RewardKind::FreeItem { .. } => return Ok(self.amount.unwrap_or(grant.terms.unit_cost)),
            RewardKind::Points { .. } => return refuse(Reason::CodeUnknown, "points are not redeemed at a till"),
        };
        match (self.amount, worth) {
            (Some(asked), Some(worth)) if asked > worth => {
                let currency = &tx.runtime()?.currency;
                let detail = format!("it is worth {} {} here", currency.format(worth), currency.code());
                refuse(Reason::ExceedsRemaining, detail)
            }
            (Some(asked), _) => Ok(asked),
            (None, Some(worth)) => Ok(worth),
            (None, None) => refuse(
                Reason::ItemsNotEligible,
                "it takes a share off, and of what is not known; name order.total or amount",
            ),
        }
    }

    fn write(&self, tx: &mut Tx<'_>, grant: &Grant, amount: Minor, at: Ts) -> Redemption {
        let id = RedemptionId::from(tx.new_id());
        let (state, expires_at) = match self.mode {
            Mode::Commit => (RedemptionState::Committed, None),
            Mode::Reserve => {
                let zone = vouchers::zone(tx, grant.campaign.as_ref());
                (RedemptionState::Reserved, Some(grant.terms.redemption.reserve_for.after(tx.now, zone)))
            }
        };
        if let Some(end) = expires_at {
            tx.schedule(Task::LapseRedemption(id.clone()).at(end));
        }
        let redemption = Redemption {
            id,
            grant: grant.id.clone(),
            order: self.order.as_ref().map(|order| order.id.clone()),
            store: Some(self.store.clone()),
            terminal: self.terminal.clone(),
            state,
            amount,
            expires_at,
            created_at: at,
            reversals: Vec::new(),
        };
        tx.new_redemption(redemption.clone());
        redemption
    }
}
