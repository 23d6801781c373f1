//! Orders: a cart that reserves or spends. Discounts, stock, budget, vouchers and reservations are taken together or not
//! at all, and given back by a void, a lapse or a return exactly as they were taken.
//!
//! Start at [`place`]; [`take`] and [`booking`] say what an order holds.

pub mod booking;
pub mod commit;
pub mod facts;
pub mod lapse;
pub(crate) mod late;
pub mod place;
pub(crate) mod promises;
pub(crate) mod reported;
pub mod returns;
pub(crate) mod take;
pub mod void;

use crate::{Halt, Refused, tx::Tx};
pub use booking::Booking;
pub use commit::CommitOrder;
use fanfare_core::{
    cart::Evaluation,
    reason::{Reason, Refusal},
};
use fanfare_store::rows::{Order, Redemption};
pub use lapse::lapse;
pub use place::PlaceOrder;
pub use returns::ReturnOrder;
pub use void::VoidOrder;

/// An order as a till is told.
#[derive(Clone, Debug, PartialEq)]
pub struct Placed {
    /// The order, with its evaluation and returns.
    pub order: Order,
    /// Its uses of vouchers, by age.
    pub redemptions: Vec<Redemption>,
    /// Whether this call made something new.
    pub created: bool,
}

/// What a till is told of an order that stands.
pub(crate) fn placed(tx: &Tx<'_>, mut order: Order, created: bool) -> Result<Placed, Halt> {
    order.evaluation.earned.retain(|earned| earned.quantity > 0);
    let mut redemptions = Vec::new();
    for used in Booking::of(&order).vouchers {
        if let Some(id) = used.redemption {
            redemptions.extend(tx.redemption(&id)?.cloned());
        }
    }
    Ok(Placed { order, redemptions, created })
}

/// Whether the row only stands for an order of which a refund came first; as an order nobody knows it yet.
pub fn is_awaited(order: &Order) -> bool {
    order.reported && order.committed_at.is_none()
}

/// Refuses because of the state that an order is in.
pub(crate) fn wrong_state<T>(order: &Order, remedy: &str) -> Result<T, Halt> {
    let detail = format!("the order is {}; {remedy}", order.state.as_str());
    Err(Refusal::new(Reason::OrderState, detail).into())
}

/// Refuses an order with the evaluation that shows why.
pub(crate) fn refuse_with<T>(reason: Reason, detail: String, evaluation: Evaluation) -> Result<T, Halt> {
    let refusal = Refusal::new(reason, detail);
    Err(Halt::from(Refused { refusal, reasons: Vec::new(), evaluation: Some(evaluation) }))
}
