//! What members did, as columns: the events of one type, member after member, each member's by time.
//!
//! Members come in blocks of [`BLOCK`], and a block owns its rows, so that an event that is taken in moves a few kilobytes
//! and nothing is ever compacted at one go. A row is what counts of an event: of `order.paid` net of refunds.

use super::{
    bits::Bits,
    codes::{Codes, Dictionary, MISSING},
};
use fanfare_core::time::Ts;

/// Members in one block: a multiple of a word's.
pub(crate) const BLOCK: usize = 512;
/// The most fields of one table; what asks for more is read member by member.
pub(crate) const FIELDS_MAX: usize = 16;
/// What a missing number is in its narrow and its wide form.
const NO_CENTS: u32 = u32::MAX;
const NO_NUMBER: i64 = i64::MIN;
const CENT_E4: i64 = 100;

/// An instant between 1970 and 2106.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Instant {
    pub(crate) secs: u32,
    pub(crate) nanos: u32,
}

impl Instant {
    pub(crate) const MIN: Self = Self { secs: 0, nanos: 0 };
    /// Behind everything that has a row.
    pub(crate) const MAX: Self = Self { secs: u32::MAX, nanos: u32::MAX };

    /// An instant; `None` outside of what can be told.
    pub(crate) fn of(at: Ts) -> Option<Self> {
        let secs = u32::try_from(at.timestamp()).ok().filter(|secs| *secs < u32::MAX)?;
        Some(Self { secs, nanos: at.timestamp_subsec_nanos() })
    }

    /// An instant to compare rows with: one outside of what can be told is before or behind them all.
    pub(crate) fn bound(at: Ts) -> Self {
        Self::of(at).unwrap_or(if at.timestamp() < 0 { Self::MIN } else { Self::MAX })
    }

    /// The next instant that can be told.
    pub(crate) fn next(self) -> Self {
        Self { nanos: self.nanos.saturating_add(1), ..self }
    }

    /// So many seconds later or earlier.
    pub(crate) fn moved(self, seconds: i64) -> Self {
        let secs = i64::from(self.secs).saturating_add(seconds);
        match u32::try_from(secs) {
            Ok(secs) => Self { secs, ..self },
            Err(_) => {
                if seconds < 0 {
                    Self::MIN
                } else {
                    Self::MAX
                }
            }
        }
    }
}

/// What a field's column keeps.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Keeps {
    /// The value, as a code.
    Value,
    /// The number that is left of it.
    Number,
}

/// A field of the events of a table.
#[derive(Clone, Debug)]
pub(crate) struct Field {
    pub(crate) path: String,
    pub(crate) keeps: Keeps,
    pub(crate) values: Dictionary,
}

/// A row's value of a field.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Cell {
    Code(u16),
    Number(Option<i64>),
}

/// What counts of an event.
#[derive(Clone, Debug)]
pub(crate) struct Row {
    pub(crate) at: Instant,
    pub(crate) cells: Vec<Cell>,
}

/// A field's values in one block.
#[derive(Clone, Debug)]
pub(crate) enum Cells {
    Codes(Codes),
    /// In hundred ten-thousandths, while all are.
    Cents(Vec<u32>),
    /// In ten-thousandths.
    Numbers(Vec<i64>),
}

impl Cells {
    fn splice(&mut self, stretch: std::ops::Range<usize>, rows: &[Row], field: usize) {
        let cell = |row: &Row| row.cells.get(field).copied();
        let number = |row: &Row| match cell(row) {
            Some(Cell::Number(number)) => number,
            _ => None,
        };
        if let Self::Cents(cents) = self
            && !rows.iter().all(|row| number(row).is_none_or(|number| cents_of(number).is_some()))
        {
            let wide = |cents: &u32| if *cents == NO_CENTS { NO_NUMBER } else { i64::from(*cents) * CENT_E4 };
            *self = Self::Numbers(cents.iter().map(wide).collect());
        }
        match self {
            Self::Codes(codes) => {
                let by: Vec<u16> = rows
                    .iter()
                    .map(|row| if let Some(Cell::Code(code)) = cell(row) { code } else { MISSING })
                    .collect();
                codes.splice(stretch, &by);
            }
            Self::Cents(cents) => {
                let by = rows.iter().map(|row| number(row).and_then(cents_of).unwrap_or(NO_CENTS));
                spliced(cents, stretch, by);
            }
            Self::Numbers(numbers) => {
                spliced(numbers, stretch, rows.iter().map(|row| number(row).unwrap_or(NO_NUMBER)));
            }
        }
    }

    /// The number of a row.
    pub(crate) fn number(&self, row: usize) -> Option<i64> {
        match self {
            Self::Codes(_) => None,
            Self::Cents(cents) => {
                cents.get(row).filter(|cents| **cents != NO_CENTS).map(|cents| i64::from(*cents) * CENT_E4)
            }
            Self::Numbers(numbers) => numbers.get(row).copied().filter(|number| *number != NO_NUMBER),
        }
    }

    /// The exact sum of a stretch's numbers.
    pub(crate) fn sum(&self, stretch: std::ops::Range<usize>) -> i128 {
        match self {
            Self::Codes(_) => 0,
            Self::Cents(cents) => {
                let there = cents.get(stretch).unwrap_or_default();
                let cents = |cents: &u32| if *cents == NO_CENTS { 0 } else { u64::from(*cents) };
                i128::from(there.iter().map(cents).sum::<u64>()) * i128::from(CENT_E4)
            }
            Self::Numbers(numbers) => {
                let there = numbers.get(stretch).unwrap_or_default().iter();
                there.filter(|number| **number != NO_NUMBER).map(|number| i128::from(*number)).sum()
            }
        }
    }

    /// The code of a row.
    pub(crate) fn code(&self, row: usize) -> u16 {
        match self {
            Self::Codes(codes) => codes.get(row),
            Self::Cents(_) | Self::Numbers(_) => MISSING,
        }
    }

    fn shrink(&mut self) {
        match self {
            Self::Codes(codes) => codes.shrink(),
            Self::Cents(cents) => cents.shrink_to_fit(),
            Self::Numbers(numbers) => numbers.shrink_to_fit(),
        }
    }

    fn bytes(&self) -> usize {
        match self {
            Self::Codes(codes) => codes.bytes(),
            Self::Cents(cents) => cents.capacity() * 4,
            Self::Numbers(numbers) => numbers.capacity() * 8,
        }
    }
}

fn cents_of(number: i64) -> Option<u32> {
    (number % CENT_E4 == 0).then(|| u32::try_from(number / CENT_E4).ok()).flatten().filter(|cents| *cents != NO_CENTS)
}

/// Replaces a stretch; what grows, grows by an eighth, so that little stays empty.
fn spliced<T>(values: &mut Vec<T>, stretch: std::ops::Range<usize>, by: impl ExactSizeIterator<Item = T>) {
    let more = by.len().saturating_sub(stretch.len());
    if values.len() + more > values.capacity() {
        values.reserve_exact(more.max(values.len() / 8).max(8));
    }
    drop(values.splice(stretch, by));
}

/// The rows of [`BLOCK`] members.
#[derive(Clone, Debug)]
pub(crate) struct Block {
    /// Where each member's rows begin, and where the last one's end.
    starts: Vec<u32>,
    secs: Vec<u32>,
    /// Empty while all are whole seconds.
    nanos: Vec<u32>,
    pub(crate) fields: Vec<Cells>,
}

impl Block {
    fn new(fields: &[Field]) -> Self {
        let cells = |field: &Field| match field.keeps {
            Keeps::Value => Cells::Codes(Codes::default()),
            Keeps::Number => Cells::Cents(Vec::new()),
        };
        let fields = fields.iter().map(cells).collect();
        Self { starts: vec![0; BLOCK + 1], secs: Vec::new(), nanos: Vec::new(), fields }
    }

    /// Which rows are a member's, by its place in the block.
    #[inline]
    pub(crate) fn rows(&self, place: usize) -> (usize, usize) {
        match self.starts.get(place..place + 2) {
            Some(&[first, end]) => (first as usize, end as usize),
            _ => (0, 0),
        }
    }

    /// When a row was.
    #[inline]
    pub(crate) fn at(&self, row: usize) -> Instant {
        let nanos = self.nanos.get(row).copied().unwrap_or(0);
        Instant { secs: self.secs.get(row).copied().unwrap_or(0), nanos }
    }

    #[inline]
    fn is_before(&self, row: usize, bound: Instant) -> bool {
        let secs = self.secs.get(row).copied().unwrap_or(0);
        secs < bound.secs || (secs == bound.secs && self.nanos.get(row).copied().unwrap_or(0) < bound.nanos)
    }

    /// How many of the rows from `first` to `end` are before an instant, as the row that is the first not to be. Looked
    /// for from the end, where what is asked about mostly is.
    #[inline]
    pub(crate) fn first_from(&self, first: usize, end: usize, bound: Instant) -> usize {
        let mut row = end;
        let linear = end.saturating_sub(16).max(first);
        while row > linear {
            if self.is_before(row - 1, bound) {
                return row;
            }
            row -= 1;
        }
        let (mut low, mut high) = (first, row);
        while low < high {
            let middle = low.midpoint(high);
            if self.is_before(middle, bound) {
                low = middle + 1;
            } else {
                high = middle;
            }
        }
        low
    }

    /// Puts rows, in order of time, in place of those that a stretch has.
    fn replace(&mut self, place: usize, stretch: std::ops::Range<usize>, rows: &[Row]) {
        if self.nanos.is_empty() && rows.iter().any(|row| row.at.nanos != 0) {
            self.nanos = vec![0; self.secs.len()];
        }
        if !self.nanos.is_empty() || rows.iter().any(|row| row.at.nanos != 0) {
            spliced(&mut self.nanos, stretch.clone(), rows.iter().map(|row| row.at.nanos));
        }
        for (field, cells) in self.fields.iter_mut().enumerate() {
            cells.splice(stretch.clone(), rows, field);
        }
        let (added, removed) = (u32::try_from(rows.len()).unwrap_or(0), u32::try_from(stretch.len()).unwrap_or(0));
        spliced(&mut self.secs, stretch, rows.iter().map(|row| row.at.secs));
        for start in self.starts.iter_mut().skip(place + 1) {
            *start = *start + added - removed;
        }
    }

    fn bytes(&self) -> usize {
        let fields: usize = self.fields.iter().map(|cells| cells.bytes() + size_of::<Cells>()).sum();
        (self.secs.capacity() + self.nanos.capacity()) * 4 + fields + size_of::<Self>()
    }
}

/// The events of one type.
#[derive(Clone, Debug, Default)]
pub(crate) struct Table {
    pub(crate) fields: Vec<Field>,
    blocks: Vec<Option<Box<Block>>>,
    /// Members whose events do not fit into rows: read them one by one.
    pub(crate) odd: Bits,
    rows: usize,
}

impl Table {
    /// An empty table with these fields.
    pub(crate) fn with_fields(fields: Vec<Field>) -> Self {
        Self { fields, ..Self::default() }
    }

    pub(crate) fn block(&self, number: usize) -> Option<&Block> {
        self.blocks.get(number)?.as_deref()
    }

    /// How many rows there are.
    pub(crate) fn rows(&self) -> usize {
        self.rows
    }

    pub(crate) fn field(&self, path: &str, keeps: Keeps) -> Option<usize> {
        self.fields.iter().position(|field| field.keeps == keeps && field.path == path)
    }

    fn block_mut(&mut self, member: u32) -> Option<&mut Block> {
        let number = member as usize / BLOCK;
        if number >= self.blocks.len() {
            self.blocks.resize_with(number + 1, || None);
        }
        let fields = &self.fields;
        Some(self.blocks.get_mut(number)?.get_or_insert_with(|| Box::new(Block::new(fields))))
    }

    /// Adds a row behind those of its member that are not later.
    pub(crate) fn insert(&mut self, member: u32, row: Row) {
        let place = member as usize % BLOCK;
        let Some(block) = self.block_mut(member) else { return };
        let (first, end) = block.rows(place);
        let behind = block.first_from(first, end, row.at.next());
        block.replace(place, behind..behind, &[row]);
        self.rows += 1;
    }

    /// Puts these rows, in order of time, in place of all of the member's.
    pub(crate) fn replace(&mut self, member: u32, rows: &[Row]) {
        let place = member as usize % BLOCK;
        if rows.is_empty() && self.block(member as usize / BLOCK).is_none() {
            return;
        }
        let Some(block) = self.block_mut(member) else { return };
        let (first, end) = block.rows(place);
        block.replace(place, first..end, rows);
        self.rows = self.rows + rows.len() - (end - first);
    }

    /// Gives back what was reserved for rows to come.
    pub(crate) fn shrink(&mut self) {
        for block in self.blocks.iter_mut().flatten() {
            block.secs.shrink_to_fit();
            block.nanos.shrink_to_fit();
            block.fields.iter_mut().for_each(Cells::shrink);
        }
    }

    /// What the rows occupy, and what is kept for each member, in bytes.
    pub(crate) fn bytes(&self) -> (usize, usize) {
        let blocks = self.blocks.iter().flatten();
        let rows = blocks.clone().map(|block| block.bytes()).sum::<usize>()
            + self.fields.iter().map(|field| field.values.bytes()).sum::<usize>();
        let starts = blocks.count() * (BLOCK + 1) * 4 + self.blocks.capacity() * size_of::<Option<Box<Block>>>();
        (rows, starts + self.odd.bytes())
    }
}
