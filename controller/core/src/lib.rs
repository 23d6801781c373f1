//! The decisions of Fanfare, from values only.
//!
//! Everything here is total and deterministic: no I/O, no clock and no random source that was not handed in. Start at
//! [`model`] for what a marketing team's resources become after admission, at [`mechanic`] for how each mechanic
//! behaves, at [`cart`] for what a purchase is, at [`world`] for what a decision may know, and at [`decide`] and
//! [`pricing`] for the decisions themselves.

pub mod cart;
pub mod codes;
pub mod decide;
pub mod envelope;
pub mod event_types;
pub mod ids;
pub mod journey;
pub mod lease;
pub mod ledger;
pub mod mechanic;
pub mod message;
pub mod metrics;
pub mod model;
pub mod money;
pub mod payload;
pub mod points;
pub mod pricing;
pub mod qualify;
pub mod random;
pub mod reason;
pub mod recurrence;
pub mod returns;
pub mod reward;
pub mod rotation;
pub mod schedule;
pub mod segment;
pub mod time;
pub mod uses;
pub mod world;

#[cfg(test)]
mod fixtures;
