//! Uploaded lists of members, which Segments can name.

use crate::{Command, Halt, tx::Tx};
use fanfare_core::ids::{MemberId, Name};
use serde_json::json;

/// The most members that one call names.
pub const MEMBERS_MAX: usize = 100_000;

/// Replaces a list.
#[derive(Clone, Debug)]
pub struct PutList {
    /// Which.
    pub list: Name,
    /// At most [`MEMBERS_MAX`]; twice the same counts once.
    pub members: Vec<MemberId>,
    /// The credential that asked.
    pub actor: String,
}

impl Command for PutList {
    /// How many members stand on it now.
    type Answer = usize;

    fn run(&self, tx: &mut Tx<'_>) -> Result<usize, Halt> {
        let mut members = self.members.clone();
        members.sort_unstable();
        members.dedup();
        let size = members.len();
        tx.set_list(self.list.clone(), members);
        tx.audit(&self.actor, "replace", &format!("List/{}", self.list), json!({ "members": size }));
        Ok(size)
    }
}

/// Adds members to a list, which begins with its first.
#[derive(Clone, Debug)]
pub struct AddToList {
    /// Which.
    pub list: Name,
    /// At most [`MEMBERS_MAX`].
    pub members: Vec<MemberId>,
    /// The credential that asked.
    pub actor: String,
}

impl Command for AddToList {
    /// How many were named.
    type Answer = usize;

    fn run(&self, tx: &mut Tx<'_>) -> Result<usize, Halt> {
        for member in &self.members {
            tx.add_to_list(self.list.clone(), member.clone());
        }
        let named = self.members.len();
        tx.audit(&self.actor, "add", &format!("List/{}", self.list), json!({ "members": named }));
        Ok(named)
    }
}

/// Takes a member off a list.
#[derive(Clone, Debug)]
pub struct RemoveFromList {
    /// Which.
    pub list: Name,
    /// Who.
    pub member: MemberId,
    /// The credential that asked.
    pub actor: String,
}

impl Command for RemoveFromList {
    /// Whether the member stood on it.
    type Answer = bool;

    fn run(&self, tx: &mut Tx<'_>) -> Result<bool, Halt> {
        let stood = tx.audience.with(&self.member, |record| record.lists.contains(&self.list));
        tx.remove_from_list(self.list.clone(), self.member.clone());
        tx.audit(&self.actor, "remove", &format!("List/{}", self.list), json!({ "members": 1 }));
        Ok(stood)
    }
}
