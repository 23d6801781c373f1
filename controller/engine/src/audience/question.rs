//! One question to the whole audience: prepared, compiled and asked.

use super::{
    Audience, Members,
    bits::Bits,
    compile::{Compiler, Moment},
    scan::{Budget, OverBudget, Scan},
    wanted::wanted,
    zone_of,
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
    steadies: &'a super::zone::Steadies,
    budget: Budget,
}

impl Audience {
    /// Holds everybody still for questions about these conditions. Writers wait until the answer is dropped.
    pub(crate) fn question<'a>(&'a self, plans: &'a Plans, conditions: &[&Condition], now: Ts) -> Question<'a> {
        let zone = zone_of(plans);
        let wanted = conditions.iter().flat_map(|condition| wanted(condition, plans)).collect();
        let mut members = self.members.read();
        if !members.columns.has(&wanted) || !members.live.is_settled(plans, now) {
            drop(members);
            let mut writing = self.members.write();
            writing.add_missing_fields(&wanted);
            writing.settle(plans, now, self.steadies.around(now, zone));
            members = RwLockWriteGuard::downgrade(writing);
        }
        // Others may be ahead: what is kept does not go back.
        let now = members.live.as_of().map_or(now, |as_of| as_of.max(now));
        Question { members, plans, now, zone, steadies: &self.steadies, budget: Budget::default() }
    }
}

impl Question<'_> {
    /// Who of the known members a condition holds for, one bit a member's number.
    ///
    /// # Errors
    /// When answering reads too much.
    pub(crate) fn select(&self, condition: &Condition) -> Result<Vec<u64>, OverBudget> {
        match &self.members.columns.known {
            Bits::Dense(known, _) => self.within(condition, known),
            Bits::Sparse(_) => Ok(Vec::new()),
        }
    }

    /// Who of those who were selected a condition holds for.
    ///
    /// # Errors
    /// When answering reads too much.
    pub(crate) fn within(&self, condition: &Condition, selected: &[u64]) -> Result<Vec<u64>, OverBudget> {
        let Members { columns, live, .. } = &*self.members;
        let mut compiler = Compiler::new(columns, self.plans, self.now, self.zone);
        compiler.live = Some(live);
        let root = compiler.add(condition);
        let query = compiler.done();
        let moment = Moment::of(&query, self.now, self.steadies.around(self.now, self.zone));
        let scan = Scan {
            members: &self.members,
            plans: self.plans,
            query: &query,
            moment: &moment,
            live,
            later: columns.refunded_after(self.now),
            budget: &self.budget,
        };
        query.roots.get(root).map_or_else(|| Ok(Vec::new()), |node| scan.select(node, selected.to_vec()))
    }
}
