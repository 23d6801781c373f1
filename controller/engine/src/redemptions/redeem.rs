//! Redeems one voucher by its code, without a cart: the hot path of a till.

use super::{Outcome, remaining, uses_left};
use crate::{
    Command, Halt,
    budget::Why,
    days,
    jobs::Task,
    plans::Plans,
    refuse,
    tx::Tx,
    vouchers::{self, Scene, Use},
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
        let Some(mut grant) = tx.grant_by_code(&self.code)?.cloned() else {
            return refuse(Reason::CodeUnknown, "no voucher has this code");
        };
        let at = vouchers::occurred(tx.now, self.occurred_at);
        self.check(tx, &grant, at)?;
        if self.bound_to.as_ref().is_some_and(|bound| *bound != self.store) {
            return refuse(Reason::StoreMismatch, "this till is bound to another store; name its own");
        }
        let amount = self.amount_of(tx, &grant)?;
        let used = Use { place: vouchers::begin(&mut grant, amount)?, amount };
        let redemption = self.write(tx, &grant, used, at);
        let order = self.order.as_ref().map(|order| &order.id);
        let scene = Scene { store: Some(&self.store), order, ..Scene::default() };
        match self.mode {
            Mode::Commit => {
                let why = Why { rule: "redemption-committed", reference: redemption.id.as_str() };
                vouchers::use_up(tx, grant, used, at, scene, why)?;
                days::redeemed(tx, &redemption, at)?;
            }
            Mode::Reserve => vouchers::hold(tx, grant, amount, scene),
        }
        let (remaining, uses_left) = match tx.grant(&redemption.grant)? {
            Some(grant) => (remaining(grant, tx.now), uses_left(grant)),
            None => (Minor::ZERO, Some(0)),
        };
        Ok(Outcome { redemption, remaining, uses_left, created: true })
    }
}

impl Redeem {
    /// Whether the voucher can be used at this time and place; the holder need not be there.
    fn check(&self, tx: &Tx<'_>, grant: &Grant, at: Ts) -> Result<(), Halt> {
        let world = World { runtime: tx.runtime()?, catalogue: tx.plans, state: tx, reserves: tx, now: at };
        let visit = Visit { world, who: None, store: Some(&self.store), channel: Some(&self.channel), origin: None };
        Ok(reward::usable(&vouchers::met(tx, grant, None), &visit)?)
    }

    /// What the voucher takes off or the gift card pays: what the till says, within what it is worth and what the order
    /// costs.
    fn amount_of(&self, tx: &Tx<'_>, grant: &Grant) -> Result<Minor, Halt> {
        let total = self.order.as_ref().map(|order| order.total);
        match &grant.terms.kind {
            RewardKind::Voucher(voucher) => {
                self.min_spend_met(tx, voucher.min_spend)?;
                self.voucher_amount(tx, voucher.worth, total)
            }
            RewardKind::GiftCard { .. } => {
                let free = grant.usage.card.map_or(Minor::ZERO, |card| card.free());
                let most = total.map_or(free, |total| total.min(free));
                match (self.amount, total) {
                    (Some(asked), _) => within(tx, asked, most),
                    (None, Some(_)) => Ok(most),
                    (None, None) => refuse(
                        Reason::ItemsNotEligible,
                        "how much it is to pay is not known; name amount or order.total",
                    ),
                }
            }
            // The item itself is handed over; what it costs the shop is its estimate where the till says nothing.
            RewardKind::FreeItem { .. } => Ok(self.amount.unwrap_or(grant.terms.unit_cost)),
            RewardKind::Access { .. } => Ok(grant.terms.unit_cost),
            RewardKind::Points { .. } | RewardKind::Badge => {
                refuse(Reason::CodeUnknown, "this is not redeemed at a till")
            }
        }
    }

    fn min_spend_met(&self, tx: &Tx<'_>, least: Minor) -> Result<(), Halt> {
        if least <= Minor::ZERO {
            return Ok(());
        }
        let currency = &tx.runtime()?.currency;
        let (from, code) = (currency.format(least), currency.code());
        match &self.order {
            Some(order) if order.total >= least => Ok(()),
            Some(order) => {
                let has = currency.format(order.total);
                refuse(
                    Reason::MinSpendNotMet,
                    format!("it takes an order of at least {from} {code}; this one has {has}"),
                )
            }
            None => refuse(
                Reason::MinSpendNotMet,
                format!("it takes an order of at least {from} {code}; say with order.total what this one has"),
            ),
        }
    }

    fn voucher_amount(&self, tx: &Tx<'_>, worth: VoucherWorth, total: Option<Minor>) -> Result<Minor, Halt> {
        let capped = |amount: Minor, max: Option<Minor>| max.map_or(amount, |max| amount.min(max));
        let (worth, is_known) = match (worth, total) {
            (VoucherWorth::Amount(amount), total) => (Some(capped(amount, total)), true),
            (VoucherWorth::Percent { share, max }, Some(total)) => (Some(capped(share.of(total), max)), true),
            // The order is not known: the most that it can be worth, if there is such a bound.
            (VoucherWorth::Percent { max, .. }, None) => (max, true),
            // Which of it are the items or the shipping, the till alone knows.
            (VoucherWorth::FixedPrice { max, .. } | VoucherWorth::Shipping { max }, Some(total)) => {
                (Some(capped(total, max)), false)
            }
            (VoucherWorth::FixedPrice { max, .. } | VoucherWorth::Shipping { max }, None) => (max, false),
        };
        match (self.amount, worth) {
            (Some(asked), Some(worth)) => within(tx, asked, worth),
            (Some(asked), None) => Ok(asked),
            (None, Some(worth)) if is_known => Ok(worth),
            (None, _) => refuse(
                Reason::ItemsNotEligible,
                "what it takes off is not known; name amount, or order.total where it takes a share off",
            ),
        }
    }

    fn write(&self, tx: &mut Tx<'_>, grant: &Grant, used: Use, at: Ts) -> Redemption {
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
            amount: used.amount,
            expires_at,
            created_at: at,
            reversals: Vec::new(),
            place: used.place,
        };
        tx.new_redemption(redemption.clone());
        redemption
    }
}

/// What a till asks for, within what there is.
fn within(tx: &Tx<'_>, asked: Minor, most: Minor) -> Result<Minor, Halt> {
    if asked <= most {
        return Ok(asked);
    }
    let currency = &tx.runtime()?.currency;
    refuse(Reason::ExceedsRemaining, format!("it is worth {} {} here", currency.format(most), currency.code()))
}
