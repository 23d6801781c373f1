//! An order's reservation is over: everything that it holds is given back.

use super::{
    Booking,
    take::{let_go, want},
};
use crate::{Halt, jobs::Task, tx::Tx};
use fanfare_core::ids::OrderId;
use fanfare_store::rows::{Order, OrderState, RedemptionState};

/// Lets a reservation lapse that is due. Done too early it plans itself again; done twice it finds nothing to do.
///
/// # Errors
/// [`Halt::Missing`] to be run again with more rows.
pub fn lapse(tx: &mut Tx<'_>, id: &OrderId) -> Result<(), Halt> {
    let Some(order) = tx.order(id)?.cloned() else { return Ok(()) };
    let task = Task::LapseOrder(id.clone());
    match order.expires_at.filter(|_| order.state == OrderState::Reserved) {
        Some(end) if end > tx.now => {
            tx.schedule(task.at(end));
            Ok(())
        }
        Some(_) => lapsed(tx, order).map(drop),
        None => {
            tx.done(&task.id());
            Ok(())
        }
    }
}

/// The order, lapsed. It keeps when it would have lapsed, for a till that commits late.
pub(crate) fn lapsed(tx: &mut Tx<'_>, mut order: Order) -> Result<Order, Halt> {
    let mut booking = Booking::of(&order);
    want(tx, &booking)?;
    let_go(tx, &order, &mut booking, RedemptionState::Lapsed, "order-lapsed")?;
    order.state = OrderState::Lapsed;
    order.booking = booking.to_value();
    tx.done(&Task::LapseOrder(order.id.clone()).id());
    tx.put_order(order.clone());
    Ok(order)
}
