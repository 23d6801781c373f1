//! Names rows before they are read one after the other, so that one look at the database brings all of them.

use crate::{Halt, tx::Tx};
use fanfare_core::{
    ids::{MemberId, Name},
    mechanic::{Effect, State},
};

/// Whether all of these are loaded; each that is not is remembered as wanted.
///
/// # Errors
/// [`Halt::Missing`] when any is not.
pub(crate) fn all<T>(looks: impl Iterator<Item = Result<T, Halt>>) -> Result<(), Halt> {
    let missing = looks.filter(Result::is_err).count();
    if missing == 0 { Ok(()) } else { Err(Halt::Missing) }
}

/// The counters that effects move.
pub(crate) fn counters(tx: &Tx<'_>, effects: &[Effect]) -> Result<(), Halt> {
    let counts = effects.iter().filter_map(|effect| match effect {
        Effect::Count { key, .. } => Some(key),
        Effect::Grant { .. } | Effect::Hold { .. } | Effect::Release { .. } | Effect::SpendPoints { .. } => None,
    });
    all(counts.map(|key| Ok(tx.count(key)?)))
}

/// Whether and since when a member takes part in each of these campaigns.
pub(crate) fn participations<'a>(
    tx: &Tx<'_>,
    member: &MemberId,
    campaigns: impl Iterator<Item = &'a Name>,
) -> Result<(), Halt> {
    all(campaigns.map(|campaign| tx.participation(campaign, member)))
}
