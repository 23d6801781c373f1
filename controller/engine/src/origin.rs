//! Where a command comes from, for limits per device and per address: handed in beside it, since most have none.

use crate::{Command, Halt, plans::Plans, tx::Tx};
use fanfare_core::time::Ts;
pub use fanfare_core::world::Origin;
use fanfare_store::Keys;

/// A command that came from a shopper's device.
#[derive(Clone, Debug)]
pub struct Brought<C> {
    /// From where.
    pub by: Origin,
    /// The command.
    pub command: C,
}

impl<C: Command> Command for Brought<C> {
    type Answer = C::Answer;

    fn is_fact(&self, before: Ts) -> bool {
        self.command.is_fact(before)
    }

    fn prefetch(&self, plans: &Plans, keys: &mut Keys) {
        self.command.prefetch(plans, keys);
    }

    fn run(&self, tx: &mut Tx<'_>) -> Result<Self::Answer, Halt> {
        tx.origin = self.by.clone();
        self.command.run(tx)
    }
}
