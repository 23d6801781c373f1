//! Redeems one voucher by its code, without a cart: the hot path of a till.

use super::{Outcome, outcome, settle};
use crate::{
    Command, Halt, carts,
    jobs::Task,
    plans::Plans,
    refuse,
    shared::{self, Typed},
    shown::{self, Exception},
    tx::Tx,
    vouchers::{self, Scene},
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
        carts::want_codes(std::slice::from_ref(&self.code), keys);
    }

    fn run(&self, tx: &mut Tx<'_>) -> Result<Outcome, Halt> {
        carts::check_member(tx, self.member.as_ref())?;
        let Some(mut grant) = self.find(tx)? else {
            return refuse(Reason::CodeUnknown, "no voucher has this code");
        };
        if let Some(payload) = Payload::of(&self.code).filter(|_| self.occurred_at.is_some()) {
            let id = RedemptionId::from(shown::id(self.till(), &self.code, &payload));
            if let Some(known) = self.taken_before(tx, &grant, &id)? {
                return Ok(known);
            }
            if let Ok(taken @ Taken::Offline(_)) = shown::taken(tx, &grant, &self.code, self.occurred_at) {
                return self.take_offline(tx, &grant, id, taken);
            }
        }
        let at = vouchers::occurred(tx.now, self.occurred_at);
        self.check(tx, &grant, at)?;
        let amount = self.amount_of(tx, &grant)?;
        if vouchers::held_by(&mut grant, self.member.as_ref()) {
            tx.put_grant(grant.clone());
        }
        let id = RedemptionId::from(tx.new_id());
        let redemption = self.write(tx, id, &grant, amount, at);
        match self.mode {
            Mode::Commit => settle(tx, &redemption, at)?,
            Mode::Reserve => {
                let scene =
                    Scene { store: Some(&self.store), order: self.order.as_ref().map(|order| &order.id), reason: None };
                vouchers::hold(tx, grant, scene);
            }
        }
        Ok(Outcome { redemption, remaining: Minor::ZERO, created: true, exception: None })
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
        let visit = Visit { world, who: None, store: Some(&self.store), channel: Some(&self.channel) };
        let shown = Grant { code: Some(self.code.clone()), ..grant.clone() };
        let met = shown::met(tx, &shown, false, self.occurred_at);
        reward::usable(&met, &visit)?;
        if self.bound_to.as_ref().is_some_and(|bound| *bound != self.store) {
            return refuse(Reason::StoreMismatch, "this till is bound to another store; name its own");
        }
        Ok(reward::held(&met, self.member.as_ref())?)
    }

    fn till(&self) -> &str {
        self.terminal.as_deref().unwrap_or(self.store.as_str())
    }

    /// What this till and payload came to when they were sent before.
    fn taken_before(&self, tx: &Tx<'_>, grant: &Grant, id: &RedemptionId) -> Result<Option<Outcome>, Halt> {
        if let Some(redemption) = tx.redemption(id)?.cloned() {
            return outcome(tx, redemption).map(Some);
        }
        if !shown::is_booked(tx, id.as_str())? {
            return Ok(None);
        }
        let at = vouchers::occurred(tx.now, self.occurred_at);
        let redemption = self.row(id.clone(), grant, self.amount_of(tx, grant)?, at, None);
        Ok(Some(Outcome { redemption, remaining: Minor::ZERO, created: false, exception: Some(id.to_string()) }))
    }

    /// A till took the payload while it was offline, within the reward's allowance: it is honoured, as an exception where
    /// the voucher was used meanwhile.
    fn take_offline(&self, tx: &mut Tx<'_>, grant: &Grant, id: RedemptionId, taken: Taken) -> Result<Outcome, Halt> {
        let at = vouchers::occurred(tx.now, self.occurred_at);
        self.check(tx, grant, at)?;
        let amount = self.amount_of(tx, grant)?;
        shown::within(tx, taken, amount)?;
        if !shown::is_gone(grant) {
            let redemption = self.write(tx, id, grant, amount, at);
            settle(tx, &redemption, at)?;
            return Ok(Outcome { redemption, remaining: Minor::ZERO, created: true, exception: None });
        }
        let detail = serde_json::json!({
            "grant": grant.id, "store": self.store, "terminal": self.terminal, "amount": amount.0,
            "occurredAt": at.to_rfc3339(),
        });
        let object = format!("Redemption/{id}");
        shown::except(tx, Exception { id: id.as_str(), object: &object, grant, amount, detail })?;
        let exception = Some(id.to_string());
        let redemption = self.row(id, grant, amount, at, None);
        Ok(Outcome { redemption, remaining: Minor::ZERO, created: true, exception })
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

    fn write(&self, tx: &mut Tx<'_>, id: RedemptionId, grant: &Grant, amount: Minor, at: Ts) -> Redemption {
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
        let redemption = self.row(id, grant, amount, at, expires_at);
        tx.new_redemption(redemption.clone());
        redemption
    }

    fn row(&self, id: RedemptionId, grant: &Grant, amount: Minor, at: Ts, expires_at: Option<Ts>) -> Redemption {
        let state = if expires_at.is_some() { RedemptionState::Reserved } else { RedemptionState::Committed };
        Redemption {
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
        }
    }
}
