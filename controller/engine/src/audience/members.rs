//! Every member of a namespace, numbered densely, with the index over them.

use super::{
    Fact, Record, WORD,
    bits::Bits,
    columns::{Columns, Footprint, Wanted},
    learned::{Profile, Touched},
    ones,
    zone::Steady,
};
use crate::plans::Plans;
use fanfare_core::{
    ids::{MemberId, Name},
    time::Ts,
};
use std::{
    collections::{BTreeSet, HashMap, HashSet},
    sync::Arc,
};

/// Members by id. A member keeps its number until everything is read anew.
#[derive(Debug, Default)]
pub struct Members {
    ids: HashMap<MemberId, u32>,
    records: Vec<(MemberId, Record)>,
    kinds: HashSet<Arc<str>>,
    pub(crate) columns: Columns,
    /// The stored Segments.
    pub(crate) live: super::live::Live,
    /// Of the Segments that somebody is told about: who was last told to be in them.
    told: HashMap<Name, Told>,
    /// Whether the index follows already; until then it is built at one go.
    indexed: bool,
}

impl Members {
    /// What is known of a member.
    pub fn get(&self, id: &MemberId) -> Option<&Record> {
        self.at(self.number(id)? as usize).map(|(_, record)| record)
    }

    /// Every member.
    pub fn iter(&self) -> impl Iterator<Item = (&MemberId, &Record)> {
        self.records.iter().map(|(id, record)| (id, record))
    }

    /// What is known of each.
    pub fn values(&self) -> impl Iterator<Item = &Record> {
        self.records.iter().map(|(_, record)| record)
    }

    /// How many there are, also those who are merely named.
    pub fn len(&self) -> usize {
        self.records.len()
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.records.is_empty()
    }

    /// A member's number.
    pub(crate) fn number(&self, id: &MemberId) -> Option<u32> {
        self.ids.get(id).copied()
    }

    /// A member by its number.
    pub(crate) fn at(&self, number: usize) -> Option<&(MemberId, Record)> {
        self.records.get(number)
    }

    fn place(&mut self, id: &MemberId) -> u32 {
        if let Some(number) = self.ids.get(id) {
            return *number;
        }
        let number = u32::try_from(self.records.len()).unwrap_or(u32::MAX);
        self.ids.insert(id.clone(), number);
        self.records.push((id.clone(), Record::default()));
        number
    }

    /// A member's record, to change what the index does not keep.
    pub(crate) fn record(&mut self, id: &MemberId) -> &mut Record {
        let number = self.place(id) as usize;
        &mut self.records[number].1
    }

    /// One text for all events of a type.
    pub(crate) fn kind(&mut self, kind: &str) -> Arc<str> {
        if let Some(known) = self.kinds.get(kind) {
            return Arc::clone(known);
        }
        let kind: Arc<str> = kind.into();
        self.kinds.insert(Arc::clone(&kind));
        kind
    }

    /// Takes a member's row in; its number.
    pub(crate) fn take_profile(&mut self, profile: Profile) -> Option<u32> {
        let number = self.place(&profile.id);
        let Self { records, columns, indexed, .. } = self;
        let record = &mut records.get_mut(number as usize)?.1;
        let (attributes, tags) = (std::mem::take(&mut record.attributes), std::mem::take(&mut record.tags));
        record.take(profile);
        if *indexed {
            columns.profile(number, record, &attributes, &tags);
        }
        Some(number)
    }

    /// Takes a fact in, unless it is known; whose it is, and of which type.
    pub(crate) fn take_fact(&mut self, member: &MemberId, fact: Fact) -> Option<(u32, Arc<str>)> {
        let number = self.place(member);
        let Self { records, columns, indexed, .. } = self;
        let record = &mut records.get_mut(number as usize)?.1;
        let kind = Arc::clone(&fact.kind);
        let place = add_fact(&mut record.facts, fact)?;
        if *indexed && let Some(fact) = record.facts.get(place) {
            columns.fact(number, record, fact);
        }
        Some((number, kind))
    }

    /// Puts a member on a list or takes it off; its number, where that changed something.
    pub(crate) fn put_on_list(&mut self, list: &Name, member: &MemberId, inside: bool) -> Option<u32> {
        let number = match inside {
            true => self.place(member),
            false => self.number(member)?,
        };
        let lists = &mut self.records.get_mut(number as usize)?.1.lists;
        let changed = if inside { lists.insert(list.clone()) } else { lists.remove(list) };
        if changed && self.indexed {
            self.columns.list(list, number, inside);
        }
        changed.then_some(number)
    }

    /// Takes in that a member was told to be in a Segment or not; without a member, that anybody is to be told.
    pub(crate) fn take_told(&mut self, segment: &Name, member: Option<&MemberId>, inside: bool) {
        let number = member.map(|member| self.place(member));
        let told = self.told.entry(segment.clone()).or_default();
        match number {
            Some(number) => {
                told.inside.set(number, inside);
            }
            None => told.on = inside,
        }
    }

    /// The Segments that somebody was told about.
    pub(crate) fn told(&self) -> impl Iterator<Item = (&Name, &Told)> {
        self.told.iter()
    }

    /// Whether who comes into a Segment and who goes is told already, and at most `most` members of whom it is not told
    /// yet that they came or went.
    pub(crate) fn untold(&self, segment: &Name, most: usize) -> (bool, Vec<MemberId>) {
        let Some(place) = self.live.place(segment) else { return (false, Vec::new()) };
        let told = self.told.get(segment);
        let mut differs = self.live.words(place, self.len());
        let mut inside = vec![u64::MAX; differs.len()];
        match told {
            Some(told) => told.inside.narrow(0, &mut inside),
            None => inside.fill(0),
        }
        differs.iter_mut().zip(inside).for_each(|(now, told)| *now ^= told);
        let numbers =
            differs.iter().enumerate().flat_map(|(place, word)| ones(*word).map(move |bit| place * WORD + bit));
        let members = numbers.filter_map(|number| self.at(number)).take(most).map(|(id, _)| id.clone()).collect();
        (told.is_some_and(|told| told.on), members)
    }

    /// Makes a list hold these alone; the numbers of those for whom that changed something.
    pub(crate) fn set_list(&mut self, list: &Name, named: &[MemberId]) -> Vec<u32> {
        let wanted: HashSet<&MemberId> = named.iter().collect();
        let gone = |(id, record): &&(MemberId, Record)| record.lists.contains(list) && !wanted.contains(id);
        let gone: Vec<MemberId> = self.records.iter().filter(gone).map(|(id, _)| id.clone()).collect();
        let mut changed: Vec<u32> = gone.iter().filter_map(|id| self.put_on_list(list, id, false)).collect();
        changed.extend(named.iter().filter_map(|id| self.put_on_list(list, id, true)));
        changed
    }

    /// Builds the index over everything that was read.
    pub(crate) fn index(&mut self) {
        let mut columns = Columns::default();
        for (number, (_, record)) in (0_u32..).zip(&mut self.records) {
            record.facts.sort_by_key(|fact| fact.time);
            columns.whole(number, record);
        }
        columns.shrink();
        self.columns = columns;
        self.indexed = true;
        let Footprint { members, events, event_bytes, member_bytes, live_bytes: _ } = self.footprint();
        tracing::info!(members, events, event_bytes, member_bytes, "the audience index is built");
    }

    /// What the index occupies.
    pub fn footprint(&self) -> Footprint {
        Footprint { members: self.records.len(), live_bytes: self.live.bytes(), ..self.columns.footprint() }
    }

    /// How many there are.
    pub(crate) fn count(&self) -> u32 {
        u32::try_from(self.records.len()).unwrap_or(u32::MAX)
    }

    /// Comes to `now` with these plans: counts the stored Segments that are new, and lets time pass for the others.
    pub(crate) fn settle(&mut self, plans: &Plans, now: Ts, steady: Steady) {
        let mut live = std::mem::take(&mut self.live);
        live.settle(self, plans, now, steady);
        self.live = live;
    }

    /// Lets the stored Segments follow those who were touched.
    pub(crate) fn touch(&mut self, plans: &Plans, touched: Touched, now: Ts, steady: Steady) {
        let mut live = std::mem::take(&mut self.live);
        live.touch(self, plans, touched, now, steady);
        self.live = live;
    }

    /// Gives what a question asks for its columns, unless it has them.
    pub(crate) fn add_missing_fields(&mut self, wanted: &BTreeSet<Wanted>) {
        if !self.columns.has(wanted) {
            self.add_fields(wanted);
        }
    }

    fn add_fields(&mut self, wanted: &BTreeSet<Wanted>) {
        let Self { records, columns, .. } = self;
        let numbered = (0_u32..).zip(&*records).map(|(number, (_, record))| (number, record));
        columns.add_fields(wanted, numbered);
    }
}

/// Who was last told to be in a Segment.
#[derive(Debug, Default)]
pub(crate) struct Told {
    /// Whether who comes and who goes is told; before that, it is only noted who is in it.
    pub(crate) on: bool,
    pub(crate) inside: Bits,
}

/// Adds a fact in its place by time, unless it is there; the place.
fn add_fact(facts: &mut Vec<Fact>, fact: Fact) -> Option<usize> {
    let place = facts.partition_point(|other| other.time <= fact.time);
    let mut known = facts.get(..place)?.iter().rev().take_while(|other| other.time == fact.time);
    if known.any(|other| other.digest == fact.digest) {
        return None;
    }
    facts.insert(place, fact);
    Some(place)
}
