//! Commits a reserved order, as it was reserved, for a changed cart, or late.

use super::{
    Booking, Placed,
    booking::{Spend, VoucherUse},
    place, placed, promises, refuse_with,
    take::{self, count_all},
    wrong_state,
};
use crate::{
    Command, Halt, budget, carts, earn,
    effects::within_caps,
    exceptions::{self, Exceptional, LATE_COMMIT},
    plans::Plans,
    refuse, touch,
    tx::Tx,
    vouchers,
};
use fanfare_core::{
    cart::Cart,
    ids::OrderId,
    mechanic::Effect,
    money::Minor,
    pricing::{self, Priced},
    reason::Reason,
    segment::ORDER_PAID,
    time::Ts,
};
use fanfare_store::{
    Keys,
    rows::{Grant, GrantState, Order, OrderState, RedemptionState},
};

/// Commits a reserved order. Committing again changes nothing.
#[derive(Clone, Debug)]
pub struct CommitOrder {
    /// Which.
    pub id: OrderId,
    /// What is bought after all, where that changed.
    pub cart: Option<Cart>,
    /// The till's receipt.
    pub receipt_number: Option<String>,
    /// The till's day, `YYYY-MM-DD`.
    pub business_date: Option<String>,
    /// When the shopper paid, where the till could not tell at once.
    pub occurred_at: Option<Ts>,
}

impl Command for CommitOrder {
    /// Nothing when there is no such order.
    type Answer = Option<Placed>;

    fn prefetch(&self, plans: &Plans, keys: &mut Keys) {
        keys.orders.insert(self.id.clone());
        keys.redemptions_of.insert(self.id.clone());
        if let Some(cart) = &self.cart {
            carts::prefetch(plans, cart, keys);
        }
    }

    fn run(&self, tx: &mut Tx<'_>) -> Result<Self::Answer, Halt> {
        let Some(mut order) = tx.order(&self.id)?.cloned() else { return Ok(None) };
        match order.state {
            OrderState::Reserved | OrderState::Lapsed => {}
            OrderState::Committed | OrderState::PartiallyReturned | OrderState::Returned => {
                return placed(tx, order, false).map(Some);
            }
            OrderState::Voided => return wrong_state(&order, "place it anew under another id"),
        }
        if let Some(receipt) = &self.receipt_number {
            order.receipt_number = Some(receipt.clone());
        }
        if let Some(date) = &self.business_date {
            order.business_date = Some(date.clone());
        }
        let at = self.paid_at(tx, &order)?;
        earn::look(tx, order.cart.member.as_ref(), ORDER_PAID);
        let mut booking = Booking::of(&order);
        // It counts where it was placed, whoever commits it.
        tx.origin = booking.origin.clone();
        take::want(tx, &booking)?;
        if order.state == OrderState::Lapsed {
            retake(tx, &mut order, &mut booking, at)?;
        }
        // What it will earn is let go of and given in this same command, so that nobody comes between.
        promises::end(tx, &order.id, &mut booking, "order-committed")?;
        if let Some(cart) = self.cart.as_ref().filter(|cart| **cart != order.cart) {
            change(tx, &mut order, &mut booking, cart)?;
        }
        place::commit(tx, &mut order, &mut booking, at)?;
        order.booking = booking.to_value();
        tx.put_order(order.clone());
        placed(tx, order, false).map(Some)
    }
}

impl CommitOrder {
    /// When the shopper paid. A reservation that is over is honoured only where that was before its end.
    fn paid_at(&self, tx: &Tx<'_>, order: &Order) -> Result<Ts, Halt> {
        let end = order.expires_at.filter(|end| *end <= tx.now || order.state == OrderState::Lapsed);
        let earliest = tx.runtime()?.events.accept_ahead.before(order.occurred_at, tx.zone());
        if self.occurred_at.is_some_and(|at| at < earliest) {
            return refuse(
                Reason::EventTooOld,
                "occurredAt lies before the order was placed; check the till's clock, or leave it out",
            );
        }
        let Some(end) = end else { return vouchers::believed(tx, self.occurred_at) };
        match self.occurred_at {
            Some(at) if at < end && at <= tx.now && at >= tx.now - vouchers::LATE_MAX => Ok(at),
            Some(_) | None => refuse(
                Reason::ReservationExpired,
                "the reservation has lapsed; place the order anew, or say with occurredAt that the shopper paid before \
                 that, at most 72 hours ago",
            ),
        }
    }
}

/// The final cart takes what it needs of what was reserved; the rest is let go.
fn change(tx: &mut Tx<'_>, order: &mut Order, booking: &mut Booking, cart: &Cart) -> Result<(), Halt> {
    let reserved = booking.priced(order);
    let price = carts::recompute(tx, order, cart, &reserved)?;
    if let Some(rejected) = price.evaluation.rejected.iter().find(|rejected| rejected.subject.was_named()) {
        let detail = format!("a code or reservation that it names does not apply: {}", rejected.detail);
        return refuse_with(Reason::OrderRefused, detail, price.evaluation);
    }
    count_all(tx, &pricing::difference(&reserved, &price))?;
    for spend in &mut booking.spends {
        let now = price.spends().into_iter().find(|(campaign, _)| *campaign == spend.campaign);
        spend.amount = now.map_or(Minor::ZERO, |(_, amount)| amount);
    }
    let mut kept = Vec::new();
    for mut used in std::mem::take(&mut booking.vouchers) {
        match price.evaluation.discounts.iter().find(|discount| discount.grant.as_ref() == Some(&used.grant)) {
            Some(discount) => {
                used.amount = discount.amount;
                change_voucher(tx, &used)?;
                kept.push(used);
            }
            None => take::free_voucher(tx, order, &used, RedemptionState::Voided)?,
        }
    }
    booking.vouchers = kept;
    let mut kept = Vec::new();
    for hold in std::mem::take(&mut booking.holds) {
        if price.evaluation.discounts.iter().any(|discount| discount.hold.as_ref() == Some(&hold)) {
            kept.push(hold);
        } else {
            crate::holds::hand_back(tx, &hold)?;
        }
    }
    booking.holds = kept;
    booking.consumed = price.consumed;
    order.cart = cart.clone();
    order.evaluation = price.evaluation;
    Ok(())
}

fn change_voucher(tx: &mut Tx<'_>, used: &VoucherUse) -> Result<(), Halt> {
    if let Some(mut redemption) = used.redemption.as_ref().map(|id| tx.redemption(id)).transpose()?.flatten().cloned() {
        let less = redemption.amount.minus(used.amount);
        redemption.amount = used.amount;
        tx.put_redemption(redemption);
        vouchers::hold_less(tx, &used.grant, less)?;
    }
    Ok(())
}

/// The reservation had lapsed, but the shopper paid before: the sale stands at its price. What is still there is taken
/// again; where something is gone, one exception is booked, which a person has to look at.
fn retake(tx: &mut Tx<'_>, order: &mut Order, booking: &mut Booking, at: Ts) -> Result<(), Halt> {
    let (mut gone, mut uncovered) = (Vec::new(), Minor::ZERO);
    for mut spend in std::mem::take(&mut booking.spends) {
        spend = match room_for(tx, &spend)? {
            true => take::take_budget(tx, &order.id, spend.campaign, spend.amount)?,
            false => {
                gone.push(format!("budget of {}", spend.campaign));
                uncovered = uncovered.plus(spend.amount);
                Spend { funded: false, ..spend }
            }
        };
        booking.spends.push(spend);
    }
    booking.vouchers.clear();
    for discount in order.evaluation.discounts.clone() {
        if let Some(grant) = &discount.grant {
            if tx.grant(grant)?.is_some_and(|grant| is_there(grant, discount.amount)) {
                booking.vouchers.push(take::take_voucher(tx, order, &discount, None)?);
            } else {
                gone.push(format!("voucher {grant}"));
                uncovered = uncovered.plus(discount.amount);
                let (grant, amount) = (grant.clone(), discount.amount);
                booking.vouchers.push(VoucherUse { grant, redemption: None, amount, returned: Minor::ZERO });
            }
        }
    }
    let effects = again(&booking.priced(order), booking);
    touch::counters(tx, &effects)?;
    if within_caps(tx, &effects)? {
        count_all(tx, &effects)?;
        booking.counted = true;
    } else {
        gone.push("a limit or stock".into());
    }
    if !gone.is_empty() {
        let exceptional = Exceptional {
            kind: LATE_COMMIT,
            about: &format!("Order/{}", order.id),
            order: Some(&order.id),
            store: order.cart.store.as_ref(),
            business_date: order.business_date.as_deref(),
            at,
            amount: uncovered,
            gone,
            remedy: "The sale stands at its price. Decide who bears the amount; `fanfare ledger adjust` books it.",
        };
        order.exception = Some(exceptions::book(tx, exceptional)?);
    }
    Ok(())
}

/// Whether a voucher, or enough of a gift card, is still there.
fn is_there(grant: &Grant, amount: Minor) -> bool {
    grant.state == GrantState::Claimed && grant.usage.card.is_none_or(|card| card.free() >= amount)
}

/// The counters that the lapse moved back, moved once more, within their caps. Units of a flash-sale reservation are taken
/// from its stock like any others: the reservation itself is over.
fn again(priced: &Priced, booking: &Booking) -> Vec<Effect> {
    let cap = |key: &str| {
        let all = booking.consumed.iter().flat_map(|consumed| &consumed.counts);
        all.filter(|counts| counts.key == key).filter_map(|counts| counts.cap).min()
    };
    let moved = priced.undo().into_iter().filter_map(|effect| match effect {
        Effect::Count { key, delta, cap: _ } => Some(Effect::Count { cap: cap(&key), key, delta: -delta }),
        Effect::Grant { .. } | Effect::Hold { .. } | Effect::Release { .. } | Effect::SpendPoints { .. } => None,
    });
    moved.collect()
}

fn room_for(tx: &Tx<'_>, spend: &Spend) -> Result<bool, Halt> {
    let Some(plan) = budget::served(tx, &spend.campaign) else { return Ok(false) };
    Ok(budget::room(tx, &plan)?.is_none_or(|room| room >= spend.amount))
}
