//! What is asked of one member's rows: counts and sums, steps in their order, the stage of life.

use super::{
    codes::Column,
    columns::Columns,
    compile::{Chain, Events, Figure, Link, Moment, Standing},
    scan::code_passes,
    table::{Block, Instant, Table},
};
use chrono::NaiveDate;
use fanfare_core::{
    model::segment::{Pick, Stage},
    segment::{day, midnight, normal},
    time::Tz,
};
use std::collections::BTreeSet;

/// Room for what one member's evaluation keeps meanwhile, used again for the next.
#[derive(Debug, Default)]
pub(crate) struct Scratch {
    reached: Vec<Instant>,
    next: Vec<Instant>,
}

/// One behaviour, asked of rows.
pub(crate) struct Asked<'a> {
    pub(crate) events: &'a Events,
    pub(crate) table: &'a Table,
    pub(crate) moment: &'a Moment,
    pub(crate) today: NaiveDate,
}

impl Asked<'_> {
    /// Whether it holds of the member at this place of the block.
    #[inline]
    pub(crate) fn holds(&self, block: &Block, place: usize) -> bool {
        let (first, end) = block.rows(place);
        if first == end {
            return self.events.of_nothing;
        }
        let Some(bounds) = self.moment.bounds.get(self.events.window) else { return false };
        let (first, end) = match self.events.pick {
            None => (first, end),
            Some(pick) => picked(block, first, block.first_from(first, end, self.moment.ahead), pick),
        };
        let end = block.first_from(first, end, bounds.until);
        // At least one row in the window, or none: the newest one says it.
        if matches!(self.events.figure, Figure::Count) && self.events.tests.is_empty() {
            if self.events.most == 0 && self.events.least <= 0 {
                return end == first || block.at(end - 1) < bounds.from;
            }
            if self.events.least == 1 && self.events.most == i64::MAX {
                return end > first && block.at(end - 1) >= bounds.from;
            }
        }
        let first = if bounds.from == Instant::MIN { first } else { block.first_from(first, end, bounds.from) };
        self.figure(block, first, end)
    }

    #[inline]
    fn figure(&self, block: &Block, first: usize, end: usize) -> bool {
        let Events { tests, figure, least, most, .. } = self.events;
        let within = |figure: i64| *least <= figure && figure <= *most;
        let passes = |row: &usize| {
            tests.iter().all(|test| {
                let code = block.fields.get(test.field).map_or(0, |cells| cells.code(*row));
                code_passes(test, self.table, code, self.today)
            })
        };
        let number = |field: usize, row: usize| block.fields.get(field).and_then(|cells| cells.number(row));
        match figure {
            Figure::Count if tests.is_empty() => within(i64::try_from(end - first).unwrap_or(i64::MAX)),
            Figure::Count => within(i64::try_from((first..end).filter(passes).count()).unwrap_or(i64::MAX)),
            Figure::Sum(field) if tests.is_empty() => {
                within(clamped(block.fields.get(*field).map_or(0, |cells| cells.sum(first..end))))
            }
            Figure::Sum(field) => {
                let numbers = (first..end).filter(passes).filter_map(|row| number(*field, row));
                within(clamped(numbers.map(i128::from).sum()))
            }
            Figure::Average(field) => {
                let numbers = (first..end).filter(passes).filter_map(|row| number(*field, row));
                let (count, sum) = numbers.fold((0_i128, 0_i128), |(n, sum), number| (n + 1, sum + i128::from(number)));
                sum.checked_div_euclid(count).map(clamped).is_some_and(within)
            }
            Figure::Least(field) => {
                (first..end).filter(passes).filter_map(|row| number(*field, row)).min().is_some_and(within)
            }
            Figure::Most(field) => {
                (first..end).filter(passes).filter_map(|row| number(*field, row)).max().is_some_and(within)
            }
            Figure::Distinct { field, same } => {
                let code = |row| block.fields.get(*field).map_or(0, |cells| cells.code(row));
                let codes = (first..end).filter(passes).map(code).filter(|code| *code != 0);
                let mut values: Vec<u16> = codes.collect();
                values.sort_unstable();
                values.dedup();
                if values.iter().all(|code| usize::from(*code) < same.len()) {
                    values.iter_mut().for_each(|code| *code = same.get(usize::from(*code)).copied().unwrap_or(0));
                    values.sort_unstable();
                    values.dedup();
                    return within(i64::try_from(values.len()).unwrap_or(i64::MAX));
                }
                // A value came after the query was compiled.
                let of = |code: &u16| self.table.fields.get(*field)?.values.value(*code).cloned().map(normal);
                let different: BTreeSet<_> = values.iter().filter_map(of).collect();
                within(i64::try_from(different.len()).unwrap_or(i64::MAX))
            }
        }
    }
}

fn clamped(exact: i128) -> i64 {
    i64::try_from(exact).unwrap_or(if exact < 0 { i64::MIN } else { i64::MAX })
}

/// The rows of the first or last instant.
fn picked(block: &Block, first: usize, end: usize, pick: Pick) -> (usize, usize) {
    if first == end {
        return (first, end);
    }
    match pick {
        Pick::First => {
            let at = block.at(first);
            (first, (first + 1..end).find(|row| block.at(*row) != at).unwrap_or(end))
        }
        Pick::Last => {
            let at = block.at(end - 1);
            ((first..end - 1).rev().find(|row| block.at(*row) != at).map_or(first, |row| row + 1), end)
        }
    }
}

/// Whether a member took the steps; `None` when rows alone cannot tell.
pub(crate) fn follows(
    chain: &Chain,
    tables: &[&Table],
    block: usize,
    place: usize,
    moment: &Moment,
    today: NaiveDate,
    scratch: &mut Scratch,
) -> Option<bool> {
    let Scratch { reached, next } = scratch;
    reached.clear();
    let Some(bounds) = moment.bounds.get(chain.window) else { return Some(false) };
    for (number, (link, table)) in chain.steps.iter().zip(tables).enumerate() {
        let Some(block) = table.block(block) else { return Some(false) };
        let (first, end) = block.rows(place);
        let passes = |row: &usize| row_passes(link, table, block, *row, today);
        if number == 0 {
            let end = block.first_from(first, end, bounds.until);
            let first = if bounds.from == Instant::MIN { first } else { block.first_from(first, end, bounds.from) };
            reached.extend((first..end).filter(passes).map(|row| block.at(row)));
        } else {
            let (Some(oldest), end) = (reached.first().copied(), block.first_from(first, end, moment.ahead)) else {
                return Some(false);
            };
            if chain.days && oldest < moment.steady_from {
                return None;
            }
            next.clear();
            let first = block.first_from(first, end, oldest.next());
            let mut before = 0;
            for row in (first..end).filter(passes) {
                let at = block.at(row);
                let newest = at.moved(-link.after);
                while reached.get(before).is_some_and(|earlier| *earlier < at && *earlier <= newest) {
                    before += 1;
                }
                let earlier = before.checked_sub(1).and_then(|place| reached.get(place));
                if earlier.is_some_and(|earlier| link.within.is_none_or(|within| at <= earlier.moved(within))) {
                    next.push(at);
                }
            }
            std::mem::swap(reached, next);
        }
        if reached.is_empty() {
            return Some(false);
        }
    }
    Some(true)
}

fn row_passes(link: &Link, table: &Table, block: &Block, row: usize, today: NaiveDate) -> bool {
    link.tests.iter().all(|test| {
        let code = block.fields.get(test.field).map_or(0, |cells| cells.code(row));
        code_passes(test, table, code, today)
    })
}

/// Whether a member is in one of the stages.
pub(crate) fn stands(standing: &Standing, columns: &Columns, tables: &[&Table], id: usize, moment: &Moment) -> bool {
    let newest = |table: &&Table| {
        let block = table.block(id / super::table::BLOCK)?;
        let (first, end) = block.rows(id % super::table::BLOCK);
        let end = block.first_from(first, end, moment.ahead);
        (end > first).then(|| block.at(end - 1))
    };
    let last = tables.iter().filter_map(newest).max();
    let stated = standing.joined.as_ref().and_then(|(column, said)| {
        let column = columns.attributes.at(*column)?;
        let code = column.codes.get(id);
        // A value that came after the query was compiled is read now.
        said.get(usize::from(code)).copied().unwrap_or_else(|| midnight_of(column, code, moment.zone))
    });
    let joined = stated.or_else(|| seen(columns, id));
    let [new, dormant, at_risk, gone] =
        standing.ago.map(|place| moment.ago.get(place).copied().unwrap_or(Instant::MIN));
    let stage = match last.or(joined) {
        None => Stage::Churned,
        Some(since) if since <= gone => Stage::Churned,
        Some(since) if since <= at_risk => Stage::ChurnRisk,
        Some(since) if since <= dormant => Stage::Dormant,
        Some(_) if joined.is_some_and(|joined| joined >= new) => Stage::New,
        Some(_) => Stage::Active,
    };
    standing.stages.contains(&stage)
}

/// When something was first known of a member.
fn seen(columns: &Columns, id: usize) -> Option<Instant> {
    let told = |instants: &[Instant]| instants.get(id).copied().filter(|at| *at != Instant::MAX);
    [told(&columns.since), told(&columns.first)].into_iter().flatten().min()
}

fn midnight_of(column: &Column, code: u16, zone: Tz) -> Option<Instant> {
    column.values.value(code).and_then(day).map(|day| Instant::bound(midnight(day, zone)))
}

/// When a member joined, by the attribute that says it or as it was first seen.
pub(crate) fn joined(attribute: Option<&str>, columns: &Columns, id: usize, zone: Tz) -> Option<Instant> {
    let column = attribute.and_then(|name| columns.attributes.get(name));
    let stated = column.and_then(|column| midnight_of(column, column.codes.get(id), zone));
    stated.or_else(|| seen(columns, id))
}
