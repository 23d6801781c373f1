//! What moves value, on a real database: redemptions, orders, returns, budgets, points. After every scenario the
//! invariants that the rows themselves must keep are checked.

mod events;
mod grants;
mod orders;
mod redemptions;
mod support;
