//! The columnar index of a namespace's members: what is asked of many of them, by dense id.
//!
//! It is a copy of what the [`Record`]s say, kept with them under one lock. What does not fit (too many values, several
//! values of one field) is marked, and whoever asks reads those records instead; the index never guesses.

use super::{
    Fact, Record,
    bits::Bits,
    codes::{Column, MISSING},
    table::{Cell, FIELDS_MAX, Field, Instant, Keeps, Row, Table},
};
use crate::knowledge::Known;
use fanfare_core::{
    ids::Name,
    model::{
        RewardPlan,
        segment::{Condition, Scalar},
    },
    segment::{Asked, Happening, ORDER_PAID, ORDER_REFUNDED, counted, number},
    time::{Ts, Tz},
    world::Catalogue,
};
use std::collections::{BTreeMap, BTreeSet, HashMap};

/// The most types of events that have a table.
pub(crate) const TABLES_MAX: usize = 64;
/// The most attributes that have a column.
pub(crate) const ATTRIBUTES_MAX: usize = 256;
/// The most tags, and the most lists, that have a set.
pub(crate) const SETS_MAX: usize = 4_096;

/// Things by name, in the order in which they came, at most so many.
#[derive(Clone, Debug)]
pub(crate) struct Named<T> {
    places: HashMap<String, usize>,
    things: Vec<T>,
    most: usize,
    /// Whether one had to be left out.
    pub(crate) full: bool,
}

impl<T: Default> Named<T> {
    fn new(most: usize) -> Self {
        Self { places: HashMap::new(), things: Vec::new(), most, full: false }
    }

    pub(crate) fn place(&self, name: &str) -> Option<usize> {
        self.places.get(name).copied()
    }

    pub(crate) fn at(&self, place: usize) -> Option<&T> {
        self.things.get(place)
    }

    pub(crate) fn get(&self, name: &str) -> Option<&T> {
        self.at(self.place(name)?)
    }

    fn get_mut(&mut self, name: &str) -> Option<&mut T> {
        let place = self.place(name)?;
        self.things.get_mut(place)
    }

    /// The place of a name, a new one where there is room.
    pub(crate) fn intern(&mut self, name: &str) -> Option<usize> {
        if let Some(place) = self.place(name) {
            return Some(place);
        }
        if self.things.len() >= self.most {
            self.full = true;
            return None;
        }
        self.places.insert(name.to_owned(), self.things.len());
        self.things.push(T::default());
        Some(self.things.len() - 1)
    }

    fn make(&mut self, name: &str) -> Option<&mut T> {
        let place = self.intern(name)?;
        self.things.get_mut(place)
    }

    pub(crate) fn iter(&self) -> impl Iterator<Item = &T> {
        self.things.iter()
    }
}

/// The index.
#[derive(Clone, Debug)]
pub(crate) struct Columns {
    /// Members who are known, not merely named.
    pub(crate) known: Bits,
    pub(crate) attributes: Named<Column>,
    pub(crate) tags: Named<Bits>,
    pub(crate) lists: Named<Bits>,
    pub(crate) tables: Named<Table>,
    /// When members became known; [`Instant::MAX`] where nothing says.
    pub(crate) since: Vec<Instant>,
    /// When the first of all events of each was.
    pub(crate) first: Vec<Instant>,
    /// Members of whom an instant cannot be told.
    pub(crate) odd: Bits,
    /// Refunds that are dated later than it was when they were last looked through.
    refunds: BTreeSet<(Ts, u32)>,
    refunds_past: Option<Ts>,
}

impl Default for Columns {
    fn default() -> Self {
        Self {
            known: Bits::flat(0),
            attributes: Named::new(ATTRIBUTES_MAX),
            tags: Named::new(SETS_MAX),
            lists: Named::new(SETS_MAX),
            tables: Named::new(TABLES_MAX),
            since: Vec::new(),
            first: Vec::new(),
            odd: Bits::default(),
            refunds: BTreeSet::new(),
            refunds_past: None,
        }
    }
}

/// What the index of a namespace occupies, beside the records that it is made from.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Footprint {
    /// Members, also those who are merely named.
    pub members: usize,
    /// Events that have a row.
    pub events: usize,
    /// Bytes of the events' rows.
    pub event_bytes: usize,
    /// Bytes of what is kept for each member.
    pub member_bytes: usize,
    /// Bytes of the stored Segments' members and of whom channels reach.
    pub live_bytes: usize,
}

/// A field that a condition asks for.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Wanted {
    pub(crate) kind: String,
    pub(crate) path: String,
    /// Whether its number is asked for, else its value.
    pub(crate) number: bool,
}

impl Wanted {
    pub(crate) fn keeps(&self) -> Keeps {
        if self.number { Keeps::Number } else { Keeps::Value }
    }
}

/// No other Segments and rewards: what of a member counts depends on none.
pub(crate) struct Nothing;

impl Catalogue for Nothing {
    fn condition(&self, _: &Name) -> Option<&Condition> {
        None
    }
    fn reward(&self, _: &Name) -> Option<&RewardPlan> {
        None
    }
}

impl Columns {
    /// Takes in what a member's row says; `attributes` and `tags` are those of before.
    pub(crate) fn profile(
        &mut self,
        id: u32,
        record: &Record,
        attributes: &BTreeMap<String, Scalar>,
        tags: &BTreeSet<String>,
    ) {
        self.known.set(id, record.known);
        match record.since.map(Instant::of) {
            None => {}
            Some(Some(since)) => put(&mut self.since, id, since),
            Some(None) => drop(self.odd.set(id, true)),
        }
        for name in attributes.keys().filter(|name| !record.attributes.contains_key(*name)) {
            if let Some(column) = self.attributes.get_mut(name) {
                column.set(id, None);
            }
        }
        for (name, value) in &record.attributes {
            if let Some(column) = self.attributes.make(name) {
                column.set(id, Some(value));
            }
        }
        for tag in tags.difference(&record.tags) {
            if let Some(set) = self.tags.get_mut(tag) {
                set.set(id, false);
            }
        }
        for tag in record.tags.difference(tags) {
            if let Some(set) = self.tags.make(tag) {
                set.set(id, true);
            }
        }
    }

    /// Puts a member on a list or takes it off.
    pub(crate) fn list(&mut self, list: &Name, id: u32, inside: bool) {
        if let Some(set) = self.lists.make(list.as_str()) {
            set.set(id, inside);
        }
    }

    /// Takes in one of the member's facts, which its record has by now.
    pub(crate) fn fact(&mut self, id: u32, record: &Record, fact: &Fact) {
        match Instant::of(fact.time) {
            Some(at) if self.first.get(id as usize).is_none_or(|first| at < *first) => put(&mut self.first, id, at),
            Some(_) => {}
            None => drop(self.odd.set(id, true)),
        }
        let kind = &*fact.kind;
        if kind == ORDER_REFUNDED && self.refunds_past.is_none_or(|past| fact.time > past) {
            self.refunds.insert((fact.time, id));
        }
        let has_refunds = || record.facts.iter().any(|fact| &*fact.kind == ORDER_REFUNDED);
        if kind == ORDER_REFUNDED || (kind == ORDER_PAID && has_refunds()) {
            self.refill(ORDER_PAID, id, record);
        }
        if kind == ORDER_PAID && has_refunds() {
            return;
        }
        let Some(table) = self.tables.make(kind) else { return };
        match row_of(&mut table.fields, fact) {
            Some(row) => table.insert(id, row),
            None => drop(table.odd.set(id, true)),
        }
    }

    /// Makes the rows of one type anew from a member's record.
    fn refill(&mut self, kind: &str, id: u32, record: &Record) {
        let Some(table) = self.tables.make(kind) else { return };
        match rows_of(&mut table.fields, kind, record) {
            Some(rows) => {
                table.odd.set(id, false);
                table.replace(id, &rows);
            }
            None => {
                table.odd.set(id, true);
                table.replace(id, &[]);
            }
        }
    }

    /// Takes in everything of one member, of whom nothing is in yet.
    pub(crate) fn whole(&mut self, id: u32, record: &Record) {
        self.profile(id, record, &BTreeMap::new(), &BTreeSet::new());
        for list in &record.lists {
            self.list(list, id, true);
        }
        let mut refunded = false;
        for fact in &record.facts {
            refunded |= &*fact.kind == ORDER_REFUNDED;
            match Instant::of(fact.time) {
                Some(at) if self.first.get(id as usize).is_none_or(|first| at < *first) => put(&mut self.first, id, at),
                Some(_) => {}
                None => drop(self.odd.set(id, true)),
            }
            if &*fact.kind == ORDER_REFUNDED {
                self.refunds.insert((fact.time, id));
            }
        }
        let kinds: BTreeSet<&str> = record.facts.iter().map(|fact| &*fact.kind).collect();
        for kind in kinds {
            if refunded && kind == ORDER_PAID {
                self.refill(kind, id, record);
                continue;
            }
            let Some(table) = self.tables.make(kind) else { continue };
            let of_kind = record.facts.iter().filter(|fact| &*fact.kind == kind);
            match of_kind.map(|fact| row_of(&mut table.fields, fact)).collect::<Option<Vec<Row>>>() {
                Some(rows) => table.replace(id, &rows),
                None => drop(table.odd.set(id, true)),
            }
        }
    }

    /// Whether every field that is asked for and can be had has its column.
    pub(crate) fn has(&self, wanted: &BTreeSet<Wanted>) -> bool {
        wanted.iter().all(|field| {
            self.tables.get(&field.kind).is_none_or(|table| {
                table.field(&field.path, field.keeps()).is_some() || table.fields.len() >= FIELDS_MAX
            })
        })
    }

    /// Gives fields their columns, where there is room; reads every record that has such events.
    pub(crate) fn add_fields<'a>(
        &mut self,
        wanted: &BTreeSet<Wanted>,
        records: impl Iterator<Item = (u32, &'a Record)> + Clone,
    ) {
        let mut kinds: BTreeSet<&str> = BTreeSet::new();
        for field in wanted {
            let Some(table) = self.tables.make(&field.kind) else { continue };
            if table.field(&field.path, field.keeps()).is_none() && table.fields.len() < FIELDS_MAX {
                let (path, keeps) = (field.path.clone(), field.keeps());
                table.fields.push(Field { path, keeps, values: super::codes::Dictionary::default() });
                kinds.insert(&field.kind);
            }
        }
        for kind in kinds {
            if let Some(table) = self.tables.get_mut(kind) {
                // Codes stay what they are: what was compiled before goes by them.
                *table = Table::with_fields(std::mem::take(&mut table.fields));
            }
            for (id, record) in records.clone() {
                if record.facts.iter().any(|fact| &*fact.kind == kind) {
                    self.refill(kind, id, record);
                }
            }
            if let Some(table) = self.tables.get_mut(kind) {
                table.shrink();
            }
        }
    }

    /// What the index occupies.
    pub(crate) fn footprint(&self) -> Footprint {
        let tables = self.tables.iter().map(|table| (table.rows(), table.bytes()));
        let (events, rows, starts) = tables
            .fold((0, 0, 0), |(count, rows, starts), (more, (row, start))| (count + more, rows + row, starts + start));
        let sets = self.tags.iter().chain(self.lists.iter()).map(Bits::bytes).sum::<usize>() + self.known.bytes();
        let columns: usize = self.attributes.iter().map(Column::bytes).sum();
        let instants = (self.since.capacity() + self.first.capacity()) * size_of::<Instant>();
        Footprint {
            events,
            event_bytes: rows,
            member_bytes: starts + sets + columns + instants,
            ..Footprint::default()
        }
    }

    /// Gives back what building reserved.
    pub(crate) fn shrink(&mut self) {
        self.tables.things.iter_mut().for_each(Table::shrink);
        for column in &mut self.attributes.things {
            column.codes.shrink();
        }
        self.since.shrink_to_fit();
        self.first.shrink_to_fit();
    }

    /// Members who had something refunded after `now`: their orders' rows say more than was known then. `None` when `now`
    /// lies behind what was already looked through, so that nobody's rows can be trusted.
    pub(crate) fn refunded_after(&self, now: Ts) -> Option<Bits> {
        if self.refunds_past.is_some_and(|past| now < past) {
            return None;
        }
        let mut later = Bits::default();
        for (at, id) in self.refunds.iter().rev() {
            if *at <= now {
                break;
            }
            later.set(*id, true);
        }
        Some(later)
    }

    /// Whether something is refunded to a member after `now`.
    pub(crate) fn is_refunded_after(&self, id: u32, now: Ts) -> bool {
        self.refunds.iter().rev().take_while(|(at, _)| *at > now).any(|(_, of)| *of == id)
    }

    /// Time has come as far as `now` and does not go back: refunds until then need no remembering.
    pub(crate) fn pass(&mut self, now: Ts) {
        if self.refunds_past.is_none_or(|past| past < now) {
            self.refunds_past = Some(now);
            while self.refunds.first().is_some_and(|(at, _)| *at <= now) {
                self.refunds.pop_first();
            }
        }
    }

    /// Makes sure that what is asked for by name has its place, so that it is followed once it comes.
    pub(crate) fn intern(&mut self, condition: &Condition) {
        match condition {
            Condition::Attribute { name, .. } => drop(self.attributes.intern(name)),
            Condition::Tags { any, all, none } => {
                for tag in any.iter().chain(all).chain(none) {
                    self.tags.intern(tag);
                }
            }
            Condition::List(name) => drop(self.lists.intern(name.as_str())),
            Condition::Behavior(behavior) => drop(self.tables.intern(&behavior.event)),
            Condition::Sequence(sequence) => {
                for step in &sequence.steps {
                    self.tables.intern(&step.event);
                }
            }
            Condition::Lifecycle(lifecycle) => {
                for kind in &lifecycle.rule.activity {
                    self.tables.intern(kind);
                }
                if let Some(joined) = &lifecycle.rule.joined {
                    self.attributes.intern(joined);
                }
            }
            Condition::Not(part) => self.intern(part),
            Condition::All(parts) | Condition::Any(parts) => parts.iter().for_each(|part| self.intern(part)),
            Condition::Everyone | Condition::Location(_) | Condition::Interests(_) | Condition::Segment(_) => {}
        }
    }
}

fn put(instants: &mut Vec<Instant>, id: u32, at: Instant) {
    let place = id as usize;
    if place >= instants.len() {
        instants.resize(place + 1, Instant::MAX);
    }
    if let Some(slot) = instants.get_mut(place) {
        *slot = at;
    }
}

/// A fact as a row, nothing of it refunded; `None` when it does not fit.
fn row_of(fields: &mut [Field], fact: &Fact) -> Option<Row> {
    let at = Instant::of(fact.time)?;
    let cells = fields.iter_mut().map(|field| match field.keeps {
        Keeps::Value => value_cell(field, fact),
        Keeps::Number => {
            let values = fact.values(&field.path);
            number_cell(values.iter().filter_map(number).map(|decimal| decimal.e4))
        }
    });
    Some(Row { at, cells: cells.collect::<Option<_>>()? })
}

fn value_cell(field: &mut Field, event: &dyn Happening) -> Option<Cell> {
    let values = event.values(&field.path);
    match &*values {
        [] => Some(Cell::Code(MISSING)),
        [value] => field.values.code(value).map(Cell::Code),
        _ => None,
    }
}

fn number_cell(mut numbers: impl Iterator<Item = i64>) -> Option<Cell> {
    let found = numbers.next();
    (numbers.next().is_none() && found != Some(i64::MIN)).then_some(Cell::Number(found))
}

/// What of a member's events of a type counts, whenever its refunds were; `None` when something does not fit.
fn rows_of(fields: &mut [Field], kind: &str, record: &Record) -> Option<Vec<Row>> {
    let known = Known::of(record);
    let asked = Asked { facts: &known, catalogue: &Nothing, now: Ts::MAX_UTC, zone: Tz::UTC };
    let mut rows = Vec::new();
    for event in counted(kind, &asked).iter().rev() {
        let at = Instant::of(event.event().at())?;
        let cells = fields.iter_mut().map(|field| match field.keeps {
            Keeps::Value => value_cell(field, event.event()),
            Keeps::Number => number_cell(event.numbers(&field.path).into_iter()),
        });
        rows.push(Row { at, cells: cells.collect::<Option<_>>()? });
    }
    Some(rows)
}
