//! The contract as tests: each takes an empty store and leaves rows behind.

pub(crate) mod batches;
pub(crate) mod money;
pub(crate) mod reports;
pub(crate) mod subjects;
