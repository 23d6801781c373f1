//! What tills do, what they were told, and what must hold of it: shared by the crash harness, which talks to the real binary,
//! and the simulation, which talks to the same API within one process.
//!
//! [`till`] is the load and its journal, [`record`] a call and its answer, [`check`] what must hold of a journal after a
//! fault, [`money`] the sums over all of them.

pub mod check;
pub mod money;
pub mod record;
pub mod till;
