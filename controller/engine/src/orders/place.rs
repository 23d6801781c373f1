//! Places an order: evaluates its cart and takes what the evaluation says, held or spent at once.

use super::{
    Booking, Placed, facts, is_awaited, placed, promises, refuse_with, reported,
    take::{note_exhausted, spend, take},
};
pub use crate::redemptions::Mode;
use crate::{
    Command, Halt, attribution, carts, days, earn,
    exceptions::{self, Exceptional, OFFLINE_CONFLICT},
    jobs::Task,
    plans::Plans,
    refuse, shared, shown,
    tx::Tx,
    vouchers,
};
use fanfare_core::{
    cart::{Cart, Evaluation},
    ids::{Name, OrderId},
    money::Minor,
    payload::{Payload, Taken},
    reason::Reason,
    segment::ORDER_PAID,
    time::Ts,
};
use fanfare_store::{
    Keys,
    rows::{Order, OrderState},
};
use std::collections::BTreeSet;

/// Places an order.
#[derive(Clone, Debug)]
pub struct PlaceOrder {
    /// The till's id, unique in the namespace.
    pub id: OrderId,
    /// Hold or spend.
    pub mode: Mode,
    /// What is bought.
    pub cart: Cart,
    /// What the till shows as payable; another evaluation refuses the order.
    pub expected_payable: Option<Minor>,
    /// The till's receipt.
    pub receipt_number: Option<String>,
    /// The till's day, `YYYY-MM-DD`.
    pub business_date: Option<String>,
    /// At which till.
    pub terminal: Option<String>,
    /// When, where the till was offline; neither ahead of now nor further back than [`vouchers::LATE_MAX`].
    pub occurred_at: Option<Ts>,
    /// Digest of all the above, so that the same id with another body is seen.
    pub digest: String,
}

impl Command for PlaceOrder {
    type Answer = Placed;

    fn is_fact(&self, before: Ts) -> bool {
        self.mode == Mode::Commit && self.occurred_at.is_some_and(|at| at < before)
    }

    fn prefetch(&self, plans: &Plans, keys: &mut Keys) {
        keys.orders.insert(self.id.clone());
        carts::prefetch(plans, &self.cart, keys);
    }

    fn run(&self, tx: &mut Tx<'_>) -> Result<Placed, Halt> {
        let known = tx.order(&self.id)?.cloned();
        let awaited = match &known {
            None => Vec::new(),
            Some(order) if is_awaited(order) => Booking::of(order).awaited,
            Some(order) if order.digest == self.digest && !order.reported => return placed(tx, order.clone(), false),
            Some(_) => {
                return refuse(Reason::OrderIdReused, "this order id was used with another body; choose a new one");
            }
        };
        tx.order = Some(self.id.clone());
        if self.mode == Mode::Commit {
            earn::look(tx, self.cart.member.as_ref(), ORDER_PAID);
        }
        let at = vouchers::believed(tx, self.occurred_at)?;
        let mut priced = carts::price_of_till(tx, &self.cart, at, self.occurred_at)?;
        let evaluation = priced.evaluation.clone();
        if let Some(rejected) = evaluation.refused() {
            let detail = format!("a code or reservation that it names does not apply: {}", rejected.detail);
            return refuse_with(Reason::OrderRefused, detail, evaluation);
        }
        if self.expected_payable.is_some_and(|expected| expected != evaluation.payable) {
            let detail = "it costs something else than the till expects; show the new price and ask again".to_owned();
            return refuse_with(Reason::PriceChanged, detail, evaluation);
        }
        note_exhausted(tx, &priced.exhausted)?;
        self.check_offline(tx, &evaluation)?;
        shared::give_all(tx, &mut priced.evaluation, &self.cart, &self.id)?;
        let evaluation = priced.evaluation.clone();
        let mut order = Order {
            id: self.id.clone(),
            state: OrderState::Reserved,
            digest: self.digest.clone(),
            cart: self.cart.clone(),
            evaluation,
            revision: tx.plans.digest.clone(),
            booking: serde_json::Value::Null,
            expires_at: None,
            receipt_number: self.receipt_number.clone(),
            business_date: self.business_date.clone(),
            occurred_at: at,
            committed_at: None,
            returns: Vec::new(),
            exception: None,
            reported: false,
        };
        if self.mode == Mode::Reserve {
            let end = tx.runtime()?.reserve_for.after(tx.now, tx.zone());
            order.expires_at = Some(end);
            tx.schedule(Task::LapseOrder(self.id.clone()).at(end));
        }
        let store = self.cart.store.as_ref().map_or("", |store| store.as_str());
        let mut booking = take(tx, &order, &priced, self.terminal.as_deref().unwrap_or(store))?;
        self.except(tx, &mut order, &booking)?;
        match self.mode {
            Mode::Reserve => promises::make(tx, &order, &mut booking)?,
            Mode::Commit => commit(tx, &mut order, &mut booking, at)?,
        }
        (booking.origin, booking.awaited) = (tx.origin.clone(), awaited);
        order.booking = booking.to_value();
        match known {
            Some(_) => tx.put_order(order.clone()),
            None => tx.new_order(order.clone()),
        }
        if self.mode == Mode::Commit {
            reported::refund_awaited(tx, &mut order)?;
        }
        placed(tx, order, true)
    }
}

impl PlaceOrder {
    /// What a till took offline is bought and paid: it is committed, within each reward's allowance.
    fn check_offline(&self, tx: &Tx<'_>, evaluation: &Evaluation) -> Result<(), Halt> {
        for discount in &evaluation.discounts {
            let (Some(code), Some(id)) = (&discount.code, &discount.grant) else { continue };
            if Payload::of(code).is_none() {
                continue;
            }
            let Some(grant) = tx.grant(id)? else { continue };
            let taken = shown::taken(tx, grant, code, self.occurred_at)?;
            let offline = matches!(taken, Taken::Offline(_));
            if offline && self.mode == Mode::Reserve {
                return refuse(Reason::PayloadExpired, "what was taken offline is paid: send it with mode Commit");
            }
            shown::within(tx, taken, discount.amount)?;
        }
        Ok(())
    }

    /// Vouchers that a till took offline and that were used meanwhile are one exception of the order.
    fn except(&self, tx: &mut Tx<'_>, order: &mut Order, booking: &Booking) -> Result<(), Halt> {
        let gone: Vec<String> = booking
            .vouchers
            .iter()
            .filter(|used| used.redemption.is_none())
            .map(|used| format!("voucher {}", used.grant))
            .collect();
        if !gone.is_empty() {
            let unbacked = booking.vouchers.iter().filter(|used| used.redemption.is_none());
            let what = Exceptional {
                kind: OFFLINE_CONFLICT,
                about: &format!("Order/{}", order.id),
                order: Some(&order.id),
                store: order.cart.store.as_ref(),
                business_date: order.business_date.as_deref(),
                at: order.occurred_at,
                amount: unbacked.map(|used| used.amount).sum(),
                gone,
                remedy: shown::REMEDY,
            };
            order.exception = Some(exceptions::book(tx, what)?);
        }
        Ok(())
    }
}

/// Spends what the order holds, for good.
pub(crate) fn commit(tx: &mut Tx<'_>, order: &mut Order, booking: &mut Booking, at: Ts) -> Result<(), Halt> {
    order.state = OrderState::Committed;
    order.committed_at = Some(at);
    order.expires_at = None;
    tx.done(&Task::LapseOrder(order.id.clone()).id());
    spend(tx, order, booking, at)?;
    days::sold(tx, order, booking, at)?;
    facts::paid(tx, order, booking)?;
    earn::on_order(tx, order, booking, at)?;
    count_also(tx, order, booking, at)
}

/// Counts the order for campaigns that it made its shopper take part in by what it earned or moved forward, as a reported
/// order counts for them.
fn count_also(tx: &mut Tx<'_>, order: &Order, booking: &mut Booking, at: Ts) -> Result<(), Halt> {
    let earned = order.evaluation.earned.iter().map(|earned| &earned.campaign);
    let campaigns: BTreeSet<Name> = earned.chain(&booking.progressed).cloned().collect();
    let (member, on_it) = (order.cart.member.as_ref(), &BTreeSet::new());
    let sale = attribution::Sale { order: &order.id, member, net: order.evaluation.price(), at, on_it };
    attribution::paid_also(tx, sale, &campaigns, &mut booking.sales)
}
