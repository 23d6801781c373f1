//! Voids a reserved order: everything that it holds is given back.

use super::{
    Booking, Placed, is_awaited, placed,
    take::{let_go, want},
    wrong_state,
};
use crate::{Command, Halt, jobs::Task, plans::Plans, tx::Tx};
use fanfare_core::ids::OrderId;
use fanfare_store::{
    Keys,
    rows::{OrderState, RedemptionState},
};

/// Voids a reserved order. Voiding again changes nothing.
#[derive(Clone, Debug)]
pub struct VoidOrder {
    /// Which.
    pub id: OrderId,
}

impl Command for VoidOrder {
    /// Nothing when there is no such order.
    type Answer = Option<Placed>;

    fn prefetch(&self, _: &Plans, keys: &mut Keys) {
        keys.orders.insert(self.id.clone());
        keys.redemptions_of.insert(self.id.clone());
    }

    fn run(&self, tx: &mut Tx<'_>) -> Result<Self::Answer, Halt> {
        let Some(mut order) = tx.order(&self.id)?.filter(|order| !is_awaited(order)).cloned() else {
            return Ok(None);
        };
        match order.state {
            OrderState::Reserved => {}
            OrderState::Voided => return placed(tx, order, false).map(Some),
            OrderState::Lapsed => return wrong_state(&order, "what it held is given back already"),
            OrderState::Committed | OrderState::PartiallyReturned | OrderState::Returned => {
                return wrong_state(&order, "what is committed is returned, not voided");
            }
        }
        let mut booking = Booking::of(&order);
        want(tx, &booking)?;
        let_go(tx, &order, &mut booking, RedemptionState::Voided, "order-voided")?;
        order.state = OrderState::Voided;
        order.booking = booking.to_value();
        order.expires_at = None;
        tx.done(&Task::LapseOrder(self.id.clone()).id());
        tx.put_order(order.clone());
        placed(tx, order, false).map(Some)
    }
}
