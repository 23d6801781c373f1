//! The decisions of Fanfare, from values only.
//!
//! Everything here is total and deterministic: no I/O, no clock and no random source that was not handed in. Start at
//! [`model`] for what a marketing team's resources become after admission, at [`mechanic`] for how each mechanic
//! behaves, and at [`cart`] for what a purchase is.

pub mod cart;
pub mod envelope;
pub mod ids;
pub mod ledger;
pub mod mechanic;
pub mod model;
pub mod money;
pub mod random;
pub mod reason;
pub mod time;
