//! What moves value, on a real database: redemptions, orders, returns, budgets, points. After every scenario the
//! invariants that the rows themselves must keep are checked.
#![allow(clippy::unwrap_used, clippy::panic, clippy::expect_used, reason = "a test that cannot go on fails")]

mod adjustments;
mod budgets;
mod cards;
mod chance;
mod chance_vouchers;
mod codes;
#[path = "../database/mod.rs"]
mod database;
mod days;
mod declared;
mod dice;
mod emitted;
mod events;
mod grants;
mod holds;
mod late;
mod limits;
mod margins;
mod orders;
mod payment_cards;
mod points;
mod reached;
mod redemptions;
mod reports;
mod restored;
mod support;
mod uses;
