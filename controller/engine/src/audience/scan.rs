//! The whole-audience evaluator: narrows masks of members, part by part, chunk by chunk.

use super::{
    Members,
    bits::{Bits, WORD, ones},
    codes::Codes,
    compile::{Chain, Events, FieldTest, Moment, Node, Query, Standing},
    kernel::{self, Scratch},
    live::Live,
    table::{BLOCK, Table},
};
use crate::{
    knowledge::{Known, asked},
    plans::Plans,
};
use fanfare_core::{
    model::segment::Condition,
    segment::{holds, passes, passes_any},
};
use std::sync::atomic::{AtomicI64, Ordering};

/// Members of one chunk: what is asked of them fits into the cores' own caches.
const CHUNK: usize = 16 * BLOCK;
/// Words of one chunk's mask.
const CHUNK_WORDS: usize = CHUNK / WORD;
/// The most threads of one scan.
pub const THREADS_MAX: usize = 2;
/// From how many members times their cost on, as [`Node::cost`] counts, a second thread is worth its start.
const SHARED_FROM: u64 = 4_000_000;
/// The most events that one scan reads one by one, because no column keeps what is asked of them.
pub const READS_MAX: i64 = 20_000_000;

/// A query that asks for more than [`READS_MAX`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "the question reads more than {READS_MAX} events one by one; narrow it first by an attribute, a tag, a list or a count"
)]
pub struct OverBudget;

/// What is left of a scan's budget.
#[derive(Debug)]
pub(crate) struct Budget(AtomicI64);

impl Default for Budget {
    fn default() -> Self {
        Self(AtomicI64::new(READS_MAX))
    }
}

impl Budget {
    /// No bound: for what is kept, and has to be right whatever it costs.
    pub(crate) fn unbounded() -> Self {
        Self(AtomicI64::new(i64::MAX))
    }

    fn spend(&self, events: usize) -> bool {
        let cost = i64::try_from(events).unwrap_or(i64::MAX).saturating_add(1);
        self.0.fetch_sub(cost, Ordering::Relaxed) > cost
    }

    pub(crate) fn is_spent(&self) -> bool {
        self.0.load(Ordering::Relaxed) <= 0
    }
}

/// One question at one instant.
pub(crate) struct Scan<'a> {
    pub(crate) members: &'a Members,
    pub(crate) plans: &'a Plans,
    pub(crate) query: &'a Query,
    pub(crate) moment: &'a Moment,
    pub(crate) live: &'a Live,
    /// Members whose orders' rows know of refunds that are yet to come; nothing when that holds of anybody.
    pub(crate) later: Option<Bits>,
    pub(crate) budget: &'a Budget,
}

impl Scan<'_> {
    /// Whom of those who are selected, one bit a dense id, a part holds for.
    ///
    /// # Errors
    /// When it reads too much.
    pub(crate) fn select(&self, node: &Node, words: Vec<u64>) -> Result<Vec<u64>, OverBudget> {
        let words = self.narrowed(node, words);
        if self.budget.is_spent() { Err(OverBudget) } else { Ok(words) }
    }

    /// Who of the known members a part holds for; for a budget that cannot be overdrawn.
    pub(crate) fn select_all(&self, node: &Node) -> Vec<u64> {
        match &self.members.columns.known {
            Bits::Dense(known, _) => self.narrowed(node, known.clone()),
            Bits::Sparse(_) => Vec::new(),
        }
    }

    fn narrowed(&self, node: &Node, mut words: Vec<u64>) -> Vec<u64> {
        let cost = node.cost().saturating_mul(self.members.len() as u64);
        if cost < SHARED_FROM || words.len() < 2 * CHUNK_WORDS {
            self.chunks(node, 0, &mut words);
        } else {
            let next = parking_lot::Mutex::new(words.chunks_mut(CHUNK_WORDS).enumerate());
            let work = || {
                let mut scratch = Scratch::default();
                loop {
                    let Some((number, chunk)) = next.lock().next() else { return };
                    self.narrow(node, number * CHUNK, chunk, &mut scratch);
                }
            };
            std::thread::scope(|scope| {
                for _ in 1..THREADS_MAX {
                    scope.spawn(work);
                }
                work();
            });
        }
        words
    }

    fn chunks(&self, node: &Node, first: usize, words: &mut [u64]) {
        let mut scratch = Scratch::default();
        for (number, chunk) in words.chunks_mut(CHUNK_WORDS).enumerate() {
            self.narrow(node, first + number * CHUNK, chunk, &mut scratch);
        }
    }

    /// Whether a part holds of one member.
    pub(crate) fn holds(&self, node: &Node, id: u32, scratch: &mut Scratch) -> bool {
        let first = id as usize / WORD * WORD;
        let mut mask = [1 << (id % 64)];
        self.narrow(node, first, &mut mask, scratch);
        mask[0] != 0
    }

    /// Keeps of a mask, whose first bit is the member `first`, those of whom a part holds.
    fn narrow(&self, node: &Node, first: usize, mask: &mut [u64], scratch: &mut Scratch) {
        let columns = &self.members.columns;
        match node {
            Node::Always => {}
            Node::Never => mask.fill(0),
            Node::Codes { column, condition, pass } => {
                let Some(column) = columns.attributes.at(*column) else { return mask.fill(0) };
                let Condition::Attribute { test, .. } = &**condition else { return mask.fill(0) };
                if column.full {
                    return self.read(condition, first, mask);
                }
                let passes = |code: u16| match pass.get(usize::from(code)) {
                    Some(pass) => *pass,
                    None => passes(test, column.values.value(code), self.query.today),
                };
                narrow_codes(&column.codes, first, mask, passes);
            }
            Node::Tag(place) => narrow_set(columns.tags.at(*place), first, mask),
            Node::List(place) => narrow_set(columns.lists.at(*place), first, mask),
            Node::Live(place) => narrow_set(self.live.members(*place), first, mask),
            Node::Events(events) => self.events(events, first, mask),
            Node::Chain(chain) => self.chain(chain, first, mask, scratch),
            Node::Standing(standing) => self.standing(standing, first, mask),
            Node::Read(condition) => self.read(condition, first, mask),
            Node::Not(part) => {
                let mut stack = [0; CHUNK_WORDS];
                let Some(inner) = stack.get_mut(..mask.len()) else { return };
                inner.copy_from_slice(mask);
                self.narrow(part, first, inner, scratch);
                for (kept, word) in mask.iter_mut().zip(inner) {
                    *kept &= !*word;
                }
            }
            Node::All(parts) => {
                for part in parts {
                    self.narrow(part, first, mask, scratch);
                    if mask.iter().all(|word| *word == 0) {
                        return;
                    }
                }
            }
            Node::Any(parts) => {
                let (mut rest, mut stack) = ([0; CHUNK_WORDS], [0; CHUNK_WORDS]);
                let (Some(rest), Some(inner)) = (rest.get_mut(..mask.len()), stack.get_mut(..mask.len())) else {
                    return;
                };
                rest.copy_from_slice(mask);
                for part in parts {
                    inner.copy_from_slice(rest);
                    self.narrow(part, first, inner, scratch);
                    for (left, word) in rest.iter_mut().zip(&*inner) {
                        *left &= !*word;
                    }
                }
                for (kept, left) in mask.iter_mut().zip(rest) {
                    *kept &= !*left;
                }
            }
        }
    }

    fn events(&self, events: &Events, first: usize, mask: &mut [u64]) {
        let Some(table) = self.members.columns.tables.at(events.table) else { return };
        let today = self.query.today;
        let asked = kernel::Asked { events, table, moment: self.moment, today };
        let odd = self.odd(&[table], events.orders, first, mask);
        each_block(first, mask, |number, place, word| match table.block(number) {
            None if events.of_nothing => {}
            None => *word = 0,
            Some(block) => *word = kept(*word, |bit| asked.holds(block, place + bit)),
        });
        self.put_right(odd, &events.condition, first, mask);
    }

    fn chain(&self, chain: &Chain, first: usize, mask: &mut [u64], scratch: &mut Scratch) {
        let tables = &self.members.columns.tables;
        let steps: Option<Vec<&Table>> = chain.steps.iter().map(|step| tables.at(step.table)).collect();
        let Some(steps) = steps else { return mask.fill(0) };
        let mut odd = self.odd(&steps, chain.orders, first, mask).unwrap_or_default();
        let mut unsure = false;
        for (number, word) in mask.iter_mut().enumerate() {
            let here = first + number * WORD;
            let block = here / BLOCK;
            *word = kept(*word, |bit| {
                match kernel::follows(chain, &steps, block, here % BLOCK + bit, self.moment, self.query.today, scratch)
                {
                    Some(holds) => holds,
                    None => {
                        odd.resize(odd.len().max(number + 1), 0);
                        if let Some(word) = odd.get_mut(number) {
                            *word |= 1 << bit;
                        }
                        unsure = true;
                        false
                    }
                }
            });
        }
        let any = unsure || odd.iter().any(|word| *word != 0);
        odd.resize(mask.len(), 0);
        self.put_right(any.then_some(odd), &chain.condition, first, mask);
    }

    fn standing(&self, standing: &Standing, first: usize, mask: &mut [u64]) {
        let columns = &self.members.columns;
        let tables: Vec<&Table> = standing.activity.iter().filter_map(|place| columns.tables.at(*place)).collect();
        let joined = standing.joined.as_ref().and_then(|(column, _)| columns.attributes.at(*column));
        if joined.is_some_and(|column| column.full) {
            return self.read(&standing.condition, first, mask);
        }
        let odd = self.odd(&tables, standing.orders, first, mask);
        let odd = match (odd, columns.odd.len()) {
            (odd, 0) => odd,
            (odd, _) => {
                let mut members = mask.to_vec();
                columns.odd.narrow(first, &mut members);
                let mut both = odd.unwrap_or_else(|| vec![0; mask.len()]);
                both.iter_mut().zip(members).for_each(|(word, more)| *word |= more);
                Some(both)
            }
        };
        for (number, word) in mask.iter_mut().enumerate() {
            let here = first + number * WORD;
            *word = kept(*word, |bit| kernel::stands(standing, columns, &tables, here + bit, self.moment));
        }
        self.put_right(odd, &standing.condition, first, mask);
    }

    fn read(&self, condition: &Condition, first: usize, mask: &mut [u64]) {
        for (number, word) in mask.iter_mut().enumerate() {
            *word = kept(*word, |bit| self.read_one(condition, first + number * WORD + bit));
        }
    }

    fn read_one(&self, condition: &Condition, id: usize) -> bool {
        let Some((_, record)) = self.members.at(id) else { return false };
        if !self.budget.spend(record.facts.len()) {
            return false;
        }
        holds(condition, &asked(self.plans, &Known::of(record), self.moment.now))
    }

    /// Whose rows of these tables cannot be trusted; `None` when everybody's can.
    fn odd(&self, tables: &[&Table], orders: bool, first: usize, mask: &[u64]) -> Option<Vec<u64>> {
        let later = match &self.later {
            None if orders => return Some(mask.to_vec()),
            Some(later) if orders && later.len() > 0 => Some(later),
            _ => None,
        };
        let sets = tables.iter().map(|table| &table.odd).filter(|odd| odd.len() > 0).chain(later);
        sets.fold(None, |found, set| {
            let mut odd = mask.to_vec();
            set.narrow(first, &mut odd);
            let mut all = found.unwrap_or_else(|| vec![0; mask.len()]);
            all.iter_mut().zip(odd).for_each(|(word, more)| *word |= more);
            Some(all)
        })
    }

    /// Reads the records of odd members.
    fn put_right(&self, odd: Option<Vec<u64>>, condition: &Condition, first: usize, mask: &mut [u64]) {
        let Some(mut odd) = odd else { return };
        for (word, odd) in mask.iter_mut().zip(&odd) {
            *word &= !odd;
        }
        self.read(condition, first, &mut odd);
        for (word, odd) in mask.iter_mut().zip(odd) {
            *word |= odd;
        }
    }
}

/// Goes through the words of a mask with their block and their place in it.
fn each_block(first: usize, mask: &mut [u64], mut word_of: impl FnMut(usize, usize, &mut u64)) {
    for (number, word) in mask.iter_mut().enumerate().filter(|(_, word)| **word != 0) {
        let here = first + number * WORD;
        word_of(here / BLOCK, here % BLOCK, word);
    }
}

/// The bits of a word of which something holds.
#[inline]
fn kept(word: u64, mut holds: impl FnMut(usize) -> bool) -> u64 {
    let mut kept = 0;
    for bit in ones(word) {
        kept |= u64::from(holds(bit)) << bit;
    }
    kept
}

fn narrow_set(set: Option<&Bits>, first: usize, mask: &mut [u64]) {
    match set {
        Some(set) => set.narrow(first, mask),
        None => mask.fill(0),
    }
}

fn narrow_codes(codes: &Codes, first: usize, mask: &mut [u64], passes: impl Fn(u16) -> bool) {
    match codes {
        // One member: a table of all codes would cost more.
        Codes::Narrow(codes) if mask.len() == 1 => {
            narrow_by(codes, first, mask, |code| passes(u16::from(*code)), passes(0));
        }
        Codes::Narrow(codes) => {
            let mut table = [false; 256];
            for (code, pass) in (0..=u16::from(u8::MAX)).zip(&mut table) {
                *pass = passes(code);
            }
            narrow_by(codes, first, mask, |code| table.get(usize::from(*code)).copied().unwrap_or(false), passes(0));
        }
        Codes::Wide(codes) => narrow_by(codes, first, mask, |code| passes(*code), passes(0)),
    }
}

fn narrow_by<T>(codes: &[T], first: usize, mask: &mut [u64], passes: impl Fn(&T) -> bool, of_nothing: bool) {
    for (number, word) in mask.iter_mut().enumerate().filter(|(_, word)| **word != 0) {
        let here = first + number * WORD;
        *word &= match codes.get(here..here + WORD) {
            // Most of a word: all of it, without a branch a member.
            Some(codes) if word.count_ones() > 8 => {
                codes.iter().enumerate().fold(0, |found, (bit, code)| found | u64::from(passes(code)) << bit)
            }
            _ => kept(*word, |bit| codes.get(here + bit).map_or(of_nothing, &passes)),
        };
    }
}

/// Whether a field's code passes, also one that came after the query was compiled.
#[inline]
pub(crate) fn code_passes(test: &FieldTest, table: &Table, code: u16, today: chrono::NaiveDate) -> bool {
    match test.pass.get(usize::from(code)) {
        Some(pass) => *pass,
        None => {
            let value = table.fields.get(test.field).and_then(|field| field.values.value(code));
            passes_any(&test.test, value.map_or(&[], std::slice::from_ref), today)
        }
    }
}
