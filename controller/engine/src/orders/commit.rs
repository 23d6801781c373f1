//! Commits a reserved order, as it was reserved, for a changed cart, or late.

use super::{
    Booking, Placed,
    booking::VoucherUse,
    is_awaited, late, place, placed, promises, refuse_with, reported,
    take::{self, count_all},
    wrong_state,
};
use crate::{Command, Halt, carts, earn, plans::Plans, refuse, tx::Tx, vouchers};
use fanfare_core::{cart::Cart, ids::OrderId, money::Minor, pricing, reason::Reason, segment::ORDER_PAID, time::Ts};
use fanfare_store::{
    Keys,
    rows::{Order, OrderState, RedemptionState},
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

    fn is_fact(&self, before: Ts) -> bool {
        self.occurred_at.is_some_and(|at| at < before)
    }

    fn prefetch(&self, plans: &Plans, keys: &mut Keys) {
        keys.orders.insert(self.id.clone());
        keys.redemptions_of.insert(self.id.clone());
        if let Some(cart) = &self.cart {
            carts::prefetch(plans, cart, keys);
        }
    }

    fn run(&self, tx: &mut Tx<'_>) -> Result<Self::Answer, Halt> {
        let Some(mut order) = tx.order(&self.id)?.filter(|order| !is_awaited(order)).cloned() else {
            return Ok(None);
        };
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
        (tx.origin, tx.order) = (booking.origin.clone(), Some(self.id.clone()));
        take::want(tx, &booking)?;
        let is_late = order.state == OrderState::Lapsed;
        let gone = if is_late { late::retake(tx, &mut order, &mut booking)? } else { Vec::new() };
        // What it will earn is let go of and given in this same command, so that nobody comes between.
        promises::end(tx, &order.id, &mut booking, "order-committed")?;
        if let Some(cart) = self.cart.as_ref().filter(|cart| **cart != order.cart) {
            change(tx, &mut order, &mut booking, cart, is_late)?;
            // The card that pays in the end may be another one.
            booking.origin = tx.origin.clone();
        }
        if is_late {
            late::except(tx, &mut order, &booking, gone, at)?;
        }
        place::commit(tx, &mut order, &mut booking, at)?;
        order.booking = booking.to_value();
        tx.put_order(order.clone());
        reported::refund_awaited(tx, &mut order)?;
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
fn change(tx: &mut Tx<'_>, order: &mut Order, booking: &mut Booking, cart: &Cart, is_late: bool) -> Result<(), Halt> {
    let reserved = booking.priced(order);
    let mut price = carts::recompute(tx, order, cart, &reserved)?;
    if let Some(rejected) = price.evaluation.refused() {
        let detail = format!("a code or reservation that it names does not apply: {}", rejected.detail);
        return refuse_with(Reason::OrderRefused, detail, price.evaluation);
    }
    if is_late {
        late::count_now(tx, cart, &price.evaluation, &mut price.consumed)?;
        // Limits that did not hold the late order do not count it, and so have nothing to give back of it.
        price.count_only(&reserved);
    }
    count_all(tx, &pricing::difference(&reserved.to_give_back(&price, is_late), &price))?;
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
            let used = order.evaluation.discounts.iter().find(|discount| discount.hold.as_ref() == Some(&hold));
            let units = used.map_or(0, |discount| discount.units.iter().map(|(_, units)| units).sum());
            crate::holds::hand_back(tx, &hold, units)?;
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
