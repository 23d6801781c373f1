//! Redeems one voucher by its code, without a cart: the hot path of a till.

use super::{Outcome, outcome, remaining, uses_left};
use crate::{
    Command, Halt,
    budget::Why,
    carts, days,
    jobs::Task,
    plans::Plans,
    refuse,
    shared::{self, Typed},
    shown,
    tx::Tx,
    vouchers::{self, Scene, Use},
};
use fanfare_core::{
    ids::{Code, MemberId, OrderId, RedemptionId, StoreId},
    model::reward::{RewardKind, VoucherWorth},
    money::Minor,
    payload::{Payload, Taken},
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
    /// As read, normalised, or the payload that was shown, its signature checked.
    pub code: Code,
    /// Who stands at the till, where that is known.
    pub member: Option<MemberId>,
    /// Hold or use.
    pub mode: Mode,
    /// Where.
    pub store: StoreId,
    /// The store that the till is bound to; an integration is bound to none.
    pub bound_to: Option<StoreId>,
    /// At which till.
    pub terminal: Option<String>,
    /// The till that the caller's key belongs to, whatever it calls itself.
    pub till: Option<String>,
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

    fn is_fact(&self, before: Ts) -> bool {
        self.mode == Mode::Commit && self.occurred_at.is_some_and(|at| at < before)
    }

    fn prefetch(&self, _: &Plans, keys: &mut Keys) {
        carts::want_codes(std::slice::from_ref(&self.code), keys);
    }

    fn run(&self, tx: &mut Tx<'_>) -> Result<Outcome, Halt> {
        carts::check_member(tx, self.member.as_ref())?;
        // Limits per order count what a till redeems for it.
        tx.order = self.order.as_ref().map(|order| order.id.clone());
        let Some(grant) = self.find(tx)? else {
            return refuse(Reason::CodeUnknown, "no voucher has this code");
        };
        let at = vouchers::occurred(tx.now, self.occurred_at);
        let shown = Payload::of(&self.code).map(|said| RedemptionId::from(shown::id(self.till(), &self.code, &said)));
        if let Some(id) = shown.clone().filter(|_| self.occurred_at.is_some()) {
            if let Some(known) = self.taken_before(tx, &grant, &id)? {
                return Ok(known);
            }
            if let Ok(taken @ Taken::Offline(_)) = shown::taken(tx, &grant, &self.code, self.occurred_at) {
                return self.take_offline(tx, grant, id, taken);
            }
        }
        vouchers::believed(tx, self.occurred_at)?;
        self.check(tx, &grant, at)?;
        let amount = self.amount_of(tx, &grant)?;
        // A till that lost the answer and reports the payload later as taken offline finds what it came to.
        let id = match shown {
            Some(id) if tx.redemption(&id)?.is_some() => return Err(shown::consumed().into()),
            Some(id) => id,
            None => RedemptionId::from(tx.new_id()),
        };
        self.take(tx, grant, id, amount, at)
    }
}

impl Redeem {
    /// The voucher of the code: one that exists, or one that a shared code gives.
    fn find(&self, tx: &mut Tx<'_>) -> Result<Option<Grant>, Halt> {
        if let Some(grant) = tx.grant_by_code(&self.code)? {
            return Ok(Some(grant.clone()));
        }
        let typed = Typed { code: &self.code, member: self.member.as_ref(), store: Some(&self.store) };
        shared::give(tx, typed, &format!("code:{}", self.terminal.as_deref().unwrap_or("till")))
    }

    /// Whether the voucher can be used at this time and place, by whoever stands there.
    fn check(&self, tx: &Tx<'_>, grant: &Grant, at: Ts) -> Result<(), Halt> {
        let world = World { runtime: tx.runtime()?, catalogue: tx.plans, state: tx, reserves: tx, now: at };
        let (store, channel) = (Some(&self.store), Some(self.channel.as_str()));
        let visit = Visit { world, who: None, store, channel, origin: None, order: None };
        let shown = Grant { code: Some(self.code.clone()), ..grant.clone() };
        let met = shown::met(tx, &shown, None, self.occurred_at);
        reward::usable(&met, &visit)?;
        if self.bound_to.as_ref().is_some_and(|bound| *bound != self.store) {
            return refuse(Reason::StoreMismatch, "this till is bound to another store; name its own");
        }
        Ok(reward::held(&met, self.member.as_ref())?)
    }

    fn till(&self) -> &str {
        self.till.as_ref().or(self.terminal.as_ref()).map_or(self.store.as_str(), String::as_str)
    }

    /// Holds or uses the voucher.
    fn take(
        &self,
        tx: &mut Tx<'_>,
        mut grant: Grant,
        id: RedemptionId,
        amount: Minor,
        at: Ts,
    ) -> Result<Outcome, Halt> {
        if let Some(order) = &self.order {
            vouchers::once_an_order(tx, &grant, &order.id)?;
        }
        vouchers::held_by(&mut grant, self.member.as_ref());
        let used = Use { place: vouchers::begin(&mut grant, amount)?, amount };
        let redemption = self.write(tx, id, &grant, used, at);
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
        Ok(Outcome { redemption, remaining, uses_left, created: true, exception: None })
    }

    /// What this till and payload came to when they were sent before.
    fn taken_before(&self, tx: &Tx<'_>, grant: &Grant, id: &RedemptionId) -> Result<Option<Outcome>, Halt> {
        if let Some(redemption) = tx.redemption(id)?.cloned() {
            return outcome(tx, redemption).map(Some);
        }
        if !shown::is_booked(tx, id.as_str())? {
            return Ok(None);
        }
        let amount = self.amount_offline(tx, grant)?;
        Ok(Some(self.excepted(tx, grant, id, amount)))
    }

    /// A till took the payload while it was offline, within the reward's allowance: it is honoured, as an exception where
    /// the voucher was used meanwhile.
    fn take_offline(&self, tx: &mut Tx<'_>, grant: Grant, id: RedemptionId, taken: Taken) -> Result<Outcome, Halt> {
        let at = vouchers::believed(tx, self.occurred_at)?;
        self.check(tx, &grant, at)?;
        let amount = self.amount_offline(tx, &grant)?;
        shown::within(tx, taken, amount)?;
        if !shown::is_gone_for(&grant, amount) {
            return self.take(tx, grant, id, amount, at);
        }
        let outcome = self.excepted(tx, &grant, &id, amount);
        shown::except(tx, &outcome.redemption, &grant, at)?;
        Ok(Outcome { created: true, ..outcome })
    }

    /// What a till is told of an exception: it has no row of its own.
    fn excepted(&self, tx: &Tx<'_>, grant: &Grant, id: &RedemptionId, amount: Minor) -> Outcome {
        let at = vouchers::occurred(tx.now, self.occurred_at);
        let redemption = self.row(id.clone(), grant, Use { place: 1, amount }, at, None);
        let exception = Some(id.to_string());
        Outcome { redemption, remaining: Minor::ZERO, uses_left: uses_left(grant), created: false, exception }
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
            // Nothing is taken off, whatever it costs the shop.
            RewardKind::Access { .. } => {
                within(tx, self.amount.unwrap_or_default(), Minor::ZERO)?;
                Ok(grant.terms.unit_cost)
            }
            RewardKind::Points { .. } | RewardKind::Badge => {
                refuse(Reason::CodeUnknown, "this is not redeemed at a till")
            }
        }
    }

    /// The same for a till that was offline: what is on a gift card it could not know, so it has to say what it took.
    fn amount_offline(&self, tx: &Tx<'_>, grant: &Grant) -> Result<Minor, Halt> {
        match (&grant.terms.kind, self.amount, &self.order) {
            (RewardKind::GiftCard { .. }, Some(asked), Some(order)) => within(tx, asked, order.total),
            (RewardKind::GiftCard { .. }, Some(asked), None) => Ok(asked),
            (RewardKind::GiftCard { .. }, None, _) => {
                refuse(Reason::ItemsNotEligible, "how much the card has paid is not known; name amount")
            }
            _ => self.amount_of(tx, grant),
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
            // The till did not say what is bought: it answers for that itself.
            None => Ok(()),
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

    fn write(&self, tx: &mut Tx<'_>, id: RedemptionId, grant: &Grant, used: Use, at: Ts) -> Redemption {
        let expires_at = match self.mode {
            Mode::Commit => None,
            Mode::Reserve => {
                let zone = vouchers::zone(tx, grant.campaign.as_ref());
                Some(grant.terms.redemption.reserve_for.after(tx.now, zone))
            }
        };
        if let Some(end) = expires_at {
            tx.schedule(Task::LapseRedemption(id.clone()).at(end));
        }
        let redemption = self.row(id, grant, used, at, expires_at);
        tx.new_redemption(redemption.clone());
        redemption
    }

    fn row(&self, id: RedemptionId, grant: &Grant, used: Use, at: Ts, expires_at: Option<Ts>) -> Redemption {
        let state = if expires_at.is_some() { RedemptionState::Reserved } else { RedemptionState::Committed };
        Redemption {
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
        }
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
