//! Conditions in plain words, and what was found in them: for `why` and for people who read a plan.

mod found;
mod outline;
mod plain;

pub use outline::{Outline, outline};
pub use plain::{describe, scalar};

pub(super) use found::{attribute_found, behavior_found, place_found, sequence_found, standing_found};
