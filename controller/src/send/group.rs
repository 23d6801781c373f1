//! Gathers the rows of one event, which need not stand side by side, in bounded memory.

use super::rows::Row;
use anyhow::bail;
use std::collections::{HashMap, HashSet, VecDeque};

/// How many younger groups are opened before a group is taken to be whole.
pub const OPEN_MAX: usize = 10_000;

/// The rows of one event, in the file's order.
pub type Group = Vec<Row>;

/// Groups that are still open, by age.
#[derive(Default)]
pub struct Groups {
    open: HashMap<String, Group>,
    order: VecDeque<String>,
    closed: HashSet<String>,
}

impl Groups {
    /// Takes a row in; answers the oldest group once it is taken to be whole.
    ///
    /// # Errors
    /// When the row belongs to a group that was given out already.
    pub fn add(&mut self, value: String, row: Row) -> anyhow::Result<Option<Group>> {
        if let Some(group) = self.open.get_mut(&value) {
            group.push(row);
            return Ok(None);
        }
        if self.closed.contains(&value) {
            bail!(
                "line {}: a row of group {value:?} comes after {OPEN_MAX} other groups were begun; sort the file by it",
                row.line
            );
        }
        self.open.insert(value.clone(), vec![row]);
        self.order.push_back(value);
        Ok(if self.order.len() > OPEN_MAX { self.oldest() } else { None })
    }

    /// Gives out the oldest group.
    pub fn oldest(&mut self) -> Option<Group> {
        let value = self.order.pop_front()?;
        let group = self.open.remove(&value);
        self.closed.insert(value);
        group
    }
}
