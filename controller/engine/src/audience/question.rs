//! One question to the whole audience: prepared, compiled and asked.

use super::{
    Audience, Members,
    compile::{Compiler, Moment, Query, wanted},
    scan::{Budget, OverBudget, Scan},
};
use crate::plans::Plans;
use fanfare_core::{
    model::segment::Condition,
    time::{Ts, Tz},
};
use parking_lot::{RwLockReadGuard, RwLockWriteGuard};

/// What is known of everybody, held still, and when it is asked.
pub(crate) struct Question<'a> {
    pub(crate) members: RwLockReadGuard<'a, Members>,
    pub(crate) plans: &'a Plans,
    pub(crate) now: Ts,
    zone: Tz,
    steady: super::zone::Steady,
    budget: Budget,
}

impl Audience {
    /// Holds everybody still for questions about these conditions. Writers wait until the answer is dropped.
    pub(crate) fn question<'a>(&'a self, plans: &'a Plans, conditions: &[&Condition], now: Ts) -> Question<'a> {
        let zone = plans.runtime.as_ref().map_or(Tz::UTC, |runtime| runtime.zone);
        let wanted = conditions.iter().flat_map(|condition| wanted(condition, plans)).collect();
        let mut members = self.members.read();
        if !members.columns.has(&wanted) {
            drop(members);
            let mut writing = self.members.write();
            writing.add_fields(&wanted);
            members = RwLockWriteGuard::downgrade(writing);
        }
        let steady = self.steadies.around(now, zone);
        Question { members, plans, now, zone, steady, budget: Budget::default() }
    }
}

impl Question<'_> {
    /// Who of the known members a condition holds for, one bit a member's number.
    ///
    /// # Errors
    /// When answering reads too much.
    pub(crate) fn select(&self, condition: &Condition) -> Result<Vec<u64>, OverBudget> {
        let mut compiler = Compiler::new(&self.members.columns, self.plans, self.now, self.zone);
        compiler.live = Some(&self.members.live);
        let root = compiler.add(condition);
        self.ask(&compiler.done(), root)
    }

    fn ask(&self, query: &Query, root: usize) -> Result<Vec<u64>, OverBudget> {
        let moment = Moment::of(query, self.now, self.steady);
        let scan = Scan {
            members: &self.members,
            plans: self.plans,
            query,
            moment: &moment,
            live: &self.members.live,
            later: self.members.columns.refunded_after(self.now),
            budget: &self.budget,
        };
        query.roots.get(root).map_or_else(|| Ok(Vec::new()), |node| scan.select(node))
    }
}
