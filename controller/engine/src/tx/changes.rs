//! What the command at hand changed, each row with what it was before.

use super::Tx;
use fanfare_store::rows::{Grant, Participation, Redemption};

impl Tx<'_> {
    /// Grants that the command made or changed.
    pub(crate) fn changed_grants(&self) -> impl Iterator<Item = (Option<&Grant>, &Grant)> {
        self.base.tables.grants.changes()
    }

    /// Participations that the command made or changed.
    pub(crate) fn changed_participations(&self) -> impl Iterator<Item = (Option<&Participation>, &Participation)> {
        self.base.tables.participations.changes()
    }

    /// Redemptions that the command made or changed.
    pub(crate) fn changed_redemptions(&self) -> impl Iterator<Item = (Option<&Redemption>, &Redemption)> {
        self.base.tables.redemptions.changes()
    }
}
