//! Commits a reserved order, as it was reserved, for a changed cart, or late.

use super::{
    Booking, Placed,
    lapse::lapsed,
    place, placed, refuse_with,
    take::{let_go, take},
    wrong_state,
};
use crate::{
    Command, Halt,
    carts::{self, Priced},
    plans::Plans,
    refuse,
    tx::Tx,
    vouchers,
};
use fanfare_core::{
    cart::{Cart, Discount},
    ids::{Name, OrderId},
    reason::Reason,
    time::Ts,
};
use fanfare_store::{
    Keys,
    rows::{GrantState, HoldState, Order, OrderState, RedemptionState},
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
        let over = order.state == OrderState::Lapsed || order.expires_at.is_some_and(|end| end <= tx.now);
        let (at, mut booking) = if over {
            self.late(tx, &mut order)?
        } else {
            let at = vouchers::occurred(tx.now, self.occurred_at);
            let booking = self.in_time(tx, &mut order)?;
            (at, booking)
        };
        place::commit(tx, &mut order, &mut booking, at)?;
        order.booking = booking.to_value();
        tx.put_order(order.clone());
        placed(tx, order, false).map(Some)
    }
}

impl CommitOrder {
    /// What the order holds, after a change of its cart what that takes instead.
    fn in_time(&self, tx: &mut Tx<'_>, order: &mut Order) -> Result<Booking, Halt> {
        let booking = Booking::of(order);
        match self.cart.as_ref().filter(|cart| **cart != order.cart) {
            Some(cart) => retake(tx, order, booking, cart),
            None => Ok(booking),
        }
    }

    /// The reservation is over. Where the shopper paid before that, the sale stands at its price: what is still there is
    /// taken, and what is gone is booked as one exception.
    fn late(&self, tx: &mut Tx<'_>, order: &mut Order) -> Result<(Ts, Booking), Halt> {
        let paid = self.occurred_at.filter(|at| {
            order.expires_at.is_some_and(|end| *at < end) && *at <= tx.now && *at >= tx.now - vouchers::LATE_MAX
        });
        let Some(at) = paid else {
            let detail = "the reservation has lapsed; place the order anew, or say with occurredAt that the shopper \
                          paid before that, at most 72 hours ago";
            return refuse(Reason::ReservationExpired, detail);
        };
        if order.state == OrderState::Reserved {
            // Nobody has taken anything from it yet, so nothing can be gone.
            return Ok((at, self.in_time(tx, order)?));
        }
        let counts = Vec::new();
        let mut whole = order.clone();
        let mut gone = Vec::new();
        whole.evaluation.discounts.clear();
        for (index, discount) in order.evaluation.discounts.iter().enumerate() {
            if still_there(tx, discount)? {
                whole.evaluation.discounts.push(discount.clone());
            } else {
                gone.push(index);
            }
        }
        let mut booking = take(tx, &whole, &counts)?;
        for index in &gone {
            let discount = &order.evaluation.discounts[*index];
            let mut booked = super::take::unbooked(discount);
            booked.funded = false;
            booking.discounts.insert(*index, booked);
        }
        if !gone.is_empty() {
            let id = tx.new_id();
            let lost: Vec<_> = gone.iter().map(|index| order.evaluation.discounts[*index].campaign.clone()).collect();
            let detail = serde_json::json!({ "exception": id, "gone": lost });
            tx.audit("fanfare", "exception", &format!("Order/{}", order.id), detail);
            order.exception = Some(id);
        }
        Ok((at, booking))
    }
}

/// Gives back what the order holds and takes what the new cart needs: nobody can come in between, so what was reserved is
/// there for it first. Rules are those of the moment when it was reserved.
fn retake(tx: &mut Tx<'_>, order: &mut Order, mut booking: Booking, cart: &Cart) -> Result<Booking, Halt> {
    let since = booking.since;
    let_go(tx, order, &mut booking, RedemptionState::Voided, "order-recomputed")?;
    let Priced { evaluation, counts } = carts::price(tx, cart, order.occurred_at)?;
    if let Some(rejected) = evaluation.rejected.iter().find(|rejected| rejected.subject.was_named()) {
        let detail = format!("a code or reservation that it names does not apply: {}", rejected.detail);
        return refuse_with(Reason::OrderRefused, detail, evaluation);
    }
    order.cart = cart.clone();
    order.evaluation = evaluation;
    let mut taken = take(tx, order, &counts)?;
    taken.since = since.filter(|_| taken.discounts.iter().all(|booked| booked.reserved.0 == 0)).or(taken.since);
    Ok(taken)
}

/// Whether what a discount takes can still be taken.
fn still_there(tx: &mut Tx<'_>, discount: &Discount) -> Result<bool, Halt> {
    if let Some(grant) = &discount.grant {
        return Ok(tx.grant(grant)?.is_some_and(|grant| grant.state == GrantState::Claimed));
    }
    if let Some(hold) = &discount.hold
        && !tx.hold(hold)?.is_some_and(|hold| hold.state == HoldState::Held)
    {
        return Ok(false);
    }
    let Some(plan) = discount.campaign.as_ref().and_then(|name: &Name| crate::budget::served(tx, name)) else {
        return Ok(false);
    };
    Ok(crate::budget::allows(tx, &plan, discount.amount)?.is_ok())
}
