//! The members of the stored Segments, kept as sets: an event moves its member at once, time moves members when it passes.

use super::{
    Members, Touched,
    bits::{Bits, WORD},
    compile::{Compiler, Moment, Query},
    kernel::Scratch,
    scan::{Budget, Scan},
    table::Instant,
    wanted::wanted,
    watch::{Looking, Timers, Watched},
    zone::Steady,
};
use crate::{outbox, plans::Plans};
use fanfare_core::{
    ids::Name,
    model::{ChannelPlan, SegmentPlan, segment::Condition},
    segment::midnight,
    time::{Ts, Tz, day_of},
};
use std::{
    collections::{BTreeSet, HashMap},
    sync::Arc,
};

/// One stored Segment.
#[derive(Debug)]
struct Kept {
    plan: Arc<SegmentPlan>,
    /// The Segments that it names, and those that they name.
    of: Vec<Arc<SegmentPlan>>,
    members: Bits,
    calendar: bool,
}

/// All stored Segments, as of one instant.
#[derive(Debug, Default)]
pub(crate) struct Live {
    digest: String,
    zone: Tz,
    kept: Vec<Kept>,
    places: HashMap<Name, usize>,
    query: Option<Query>,
    /// Segments by the type of event that may change who belongs.
    by_kind: HashMap<String, Vec<usize>>,
    any_kind: Vec<usize>,
    watched: Watched,
    timers: Timers,
    wheel: super::wheel::Wheel,
    as_of: Option<Ts>,
    tomorrow: Option<Ts>,
    /// Whom each channel reaches.
    reach: Vec<(Arc<ChannelPlan>, Bits)>,
}

impl Live {
    /// The place of a Segment.
    pub(crate) fn place(&self, name: &Name) -> Option<usize> {
        self.places.get(name).copied()
    }

    /// The members of the Segment at this place.
    pub(crate) fn members(&self, place: usize) -> Option<&Bits> {
        self.kept.get(place).map(|kept| &kept.members)
    }

    /// As of when; never goes back.
    pub(crate) fn as_of(&self) -> Option<Ts> {
        self.as_of
    }

    /// Whether nothing has to be done until `now` for these plans.
    pub(crate) fn is_settled(&self, plans: &Plans, now: Ts) -> bool {
        self.digest == plans.digest && self.as_of.is_some_and(|as_of| now <= as_of || !self.is_due(now))
    }

    fn is_due(&self, now: Ts) -> bool {
        self.tomorrow.is_none_or(|tomorrow| now >= tomorrow) || self.wheel.is_due(Instant::bound(now).secs)
    }

    /// What the sets occupy, in bytes.
    pub(crate) fn bytes(&self) -> usize {
        let sets: usize = self.kept.iter().map(|kept| kept.members.bytes()).sum();
        sets + self.reach.iter().map(|(_, reached)| reached.bytes()).sum::<usize>() + self.wheel.bytes()
    }

    /// Whom a channel reaches is looked up anew for a member.
    fn look_at_reach(&mut self, members: &Members, id: u32) {
        let Some((_, record)) = members.at(id as usize) else { return };
        for (channel, reached) in &mut self.reach {
            reached.set(id, record.known && outbox::reaches(record, channel));
        }
    }

    /// Takes over other plans: keeps the sets of Segments that mean what they meant, and counts the others.
    fn adopt(&mut self, members: &mut Members, plans: &Plans, now: Ts, steady: Steady) {
        let zone = plans.runtime.as_ref().map_or(Tz::UTC, |runtime| runtime.zone);
        let same_zone = zone == self.zone && self.as_of.is_some();
        let same_segments = self.kept.len() == plans.segments.len()
            && self.kept.iter().zip(plans.segments.values()).all(|(kept, plan)| Arc::ptr_eq(&kept.plan, plan));
        let same_channels = self.reach.len() == plans.channels.len()
            && self.reach.iter().zip(plans.channels.values()).all(|((known, _), channel)| Arc::ptr_eq(known, channel));
        if !same_channels {
            self.reach = plans.channels.values().map(|channel| (Arc::clone(channel), Bits::default())).collect();
            (0..members.count()).for_each(|id| self.look_at_reach(members, id));
        }
        if same_zone && same_segments {
            self.digest = plans.digest.clone();
            return;
        }
        let mut former: HashMap<Name, Kept> =
            std::mem::take(&mut self.kept).into_iter().map(|kept| (kept.plan.name.clone(), kept)).collect();
        let mut wanted_fields = BTreeSet::new();
        let mut watched_all = Watched::default();
        (self.by_kind, self.any_kind, self.places) = Default::default();
        let mut fresh = Vec::new();
        for (place, plan) in plans.segments.values().enumerate() {
            let watched = Watched::by(&plan.condition, plans);
            wanted_fields.extend(wanted(&plan.condition, plans));
            for kind in watched.kinds.keys() {
                self.by_kind.entry(kind.clone()).or_default().push(place);
            }
            if watched.any_kind {
                self.any_kind.push(place);
            }
            let of = named(plan, plans);
            let alike = |known: &Kept| {
                Arc::ptr_eq(&known.plan, plan)
                    && known.of.len() == of.len()
                    && known.of.iter().zip(&of).all(|(left, right)| Arc::ptr_eq(left, right))
            };
            let known = former.remove(&plan.name).filter(|known| same_zone && alike(known));
            if known.is_none() {
                fresh.push(place);
            }
            let set = known.map_or_else(Bits::default, |known| known.members);
            self.kept.push(Kept { plan: Arc::clone(plan), of, members: set, calendar: watched.calendar });
            self.places.insert(plan.name.clone(), place);
            watched_all.add(&watched);
            members.columns.intern(&plan.condition);
        }
        members.add_missing_fields(&wanted_fields);
        (self.zone, self.digest) = (zone, plans.digest.clone());
        self.compile(members, plans, &watched_all, now);
        self.recount(members, plans, &fresh, now, steady);
        if !same_zone || watched_all != self.watched {
            // Everybody is looked at for when time next moves them.
            let everybody: Vec<u32> = (0..members.count()).collect();
            self.set_timers(members, &everybody, now, steady);
        }
        self.watched = watched_all;
    }

    fn compile(&mut self, members: &Members, plans: &Plans, watched: &Watched, now: Ts) {
        let mut compiler = Compiler::new(&members.columns, plans, now, self.zone);
        for kept in &self.kept {
            compiler.add(&kept.plan.condition);
        }
        self.timers = watched.timers(&mut compiler);
        self.query = Some(compiler.done());
        let today = day_of(now, self.zone);
        self.tomorrow = today.succ_opt().map(|day| midnight(day, self.zone));
    }

    /// Counts some Segments over everybody.
    fn recount(&mut self, members: &Members, plans: &Plans, places: &[usize], now: Ts, steady: Steady) {
        let Some(query) = self.query.as_ref().filter(|_| !places.is_empty()) else { return };
        let moment = Moment::of(query, now, steady);
        let nobody = Self::default();
        for place in places {
            let budget = Budget::unbounded();
            let scan = Scan {
                members,
                plans,
                query,
                moment: &moment,
                live: &nobody,
                later: members.columns.refunded_after(now),
                budget: &budget,
            };
            let selected = query.roots.get(*place).map(|node| scan.select_all(node));
            if let (Some(selected), Some(kept)) = (selected, self.kept.get_mut(*place)) {
                kept.members = Bits::of_words(selected);
            }
        }
    }

    /// Looks at members anew: whether each belongs to each of these Segments.
    fn look_at(&mut self, members: &Members, plans: &Plans, whom: &[(u32, &[usize])], now: Ts, steady: Steady) {
        let Some(query) = self.query.as_ref().filter(|_| !whom.is_empty()) else { return };
        let moment = Moment::of(query, now, steady);
        let (nobody, budget, mut scratch) = (Self::default(), Budget::unbounded(), Scratch::default());
        let scan = Scan {
            members,
            plans,
            query,
            moment: &moment,
            live: &nobody,
            later: members.columns.refunded_after(now),
            budget: &budget,
        };
        for (id, places) in whom {
            let known = members.columns.known.has(*id);
            for place in *places {
                let Some((node, kept)) = query.roots.get(*place).zip(self.kept.get_mut(*place)) else { continue };
                kept.members.set(*id, known && scan.holds(node, *id, &mut scratch));
            }
        }
        let looking = Looking { members, moment: &moment, steady };
        for (id, _) in whom {
            self.wheel.set(*id, self.timers.next(*id, looking));
        }
    }

    fn set_timers(&mut self, members: &Members, whom: &[u32], now: Ts, steady: Steady) {
        let Some(query) = &self.query else { return };
        let moment = Moment::of(query, now, steady);
        let looking = Looking { members, moment: &moment, steady };
        for id in whom {
            self.wheel.set(*id, self.timers.next(*id, looking));
        }
    }

    /// Comes to `now` with these plans.
    pub(crate) fn settle(&mut self, members: &mut Members, plans: &Plans, now: Ts, steady: Steady) {
        let now = self.as_of.map_or(now, |as_of| as_of.max(now));
        if self.digest != plans.digest || self.as_of.is_none() {
            // What was kept has to be of now before it can be kept on.
            if self.as_of.is_some() {
                self.pass(members, plans, now, steady);
            }
            self.adopt(members, plans, now, steady);
        } else {
            self.pass(members, plans, now, steady);
        }
        self.as_of = Some(now);
        members.columns.pass(now);
    }

    /// Lets time pass.
    fn pass(&mut self, members: &Members, plans: &Plans, now: Ts, steady: Steady) {
        if self.tomorrow.is_none_or(|tomorrow| now >= tomorrow) {
            let calendar: Vec<usize> =
                (0..).zip(&self.kept).filter(|(_, kept)| kept.calendar).map(|(n, _)| n).collect();
            let watched = std::mem::take(&mut self.watched);
            self.compile(members, plans, &watched, now);
            self.watched = watched;
            self.recount(members, plans, &calendar, now, steady);
        }
        let due = self.wheel.take_due(Instant::bound(now).secs);
        let all: Vec<usize> = (0..self.kept.len()).collect();
        let due: Vec<(u32, &[usize])> = due.into_iter().map(|id| (id, &*all)).collect();
        self.look_at(members, plans, &due, now, steady);
    }

    /// Takes in who was touched, at `now`; nothing, until the sets were first counted.
    pub(crate) fn touch(&mut self, members: &mut Members, plans: &Plans, touched: Touched, now: Ts, steady: Steady) {
        if self.as_of.is_none() {
            return;
        }
        self.settle(members, plans, now, steady);
        let now = self.as_of.unwrap_or(now);
        for id in &touched.people {
            self.look_at_reach(members, *id);
        }
        let all: Vec<usize> = (0..self.kept.len()).collect();
        let (by_kind, any_kind) = (std::mem::take(&mut self.by_kind), std::mem::take(&mut self.any_kind));
        let mut whom: Vec<(u32, &[usize])> = touched.people.iter().map(|id| (*id, &*all)).collect();
        for (id, kind) in &touched.acted {
            let places = by_kind.get(&**kind).map(Vec::as_slice).filter(|places| !places.is_empty());
            whom.extend(places.into_iter().chain((!any_kind.is_empty()).then_some(&*any_kind)).map(|of| (*id, of)));
        }
        self.look_at(members, plans, &whom, now, steady);
        (self.by_kind, self.any_kind) = (by_kind, any_kind);
    }

    /// How many of the selected members each channel reaches.
    pub(crate) fn reached(&self, selected: &[u64]) -> Vec<(&Name, i64)> {
        let count = |reached: &Bits| -> i64 {
            let mut mask = selected.to_vec();
            reached.narrow(0, &mut mask);
            mask.iter().map(|word| i64::from(word.count_ones())).sum()
        };
        self.reach.iter().map(|(channel, reached)| (&channel.name, count(reached))).collect()
    }

    /// The members of a Segment, one bit a member's number.
    pub(crate) fn words(&self, place: usize, members: usize) -> Vec<u64> {
        let mut words = vec![u64::MAX; members.div_ceil(WORD)];
        match self.members(place) {
            Some(set) => set.narrow(0, &mut words),
            None => words.fill(0),
        }
        words
    }
}

/// The Segments that a Segment names, and those that they name.
fn named(plan: &SegmentPlan, plans: &Plans) -> Vec<Arc<SegmentPlan>> {
    let mut found: Vec<Arc<SegmentPlan>> = Vec::new();
    let mut open = names(&plan.condition);
    while let Some(name) = open.pop() {
        if let Some(plan) = plans.segments.get(&name).filter(|_| !found.iter().any(|known| known.name == name)) {
            open.extend(names(&plan.condition));
            found.push(Arc::clone(plan));
        }
    }
    found.sort_by(|left, right| left.name.cmp(&right.name));
    found
}

/// The Segments that a condition names.
pub(crate) fn names(condition: &Condition) -> Vec<Name> {
    match condition {
        Condition::Segment(name) => vec![name.clone()],
        Condition::Not(part) => names(part),
        Condition::All(parts) | Condition::Any(parts) => parts.iter().flat_map(names).collect(),
        _ => Vec::new(),
    }
}
