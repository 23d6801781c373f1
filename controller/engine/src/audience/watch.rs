//! What the answer of a condition hangs on: which events, which spans of time, which days of the calendar.

use super::{
    bits::Bits,
    compile::Compiler,
    table::{BLOCK, Instant},
    zone::{Steady, seconds},
};
use crate::audience::{Members, kernel};
use fanfare_core::{
    model::segment::{Condition, Location, PLACE_EVENTS, Test, Window},
    segment::{ORDER_PAID, ORDER_REFUNDED, SEGMENT_DEPTH_MAX},
    time::{Span, Ts},
    world::Catalogue,
};
use std::collections::{BTreeMap, BTreeSet};

/// How far clocks may be moved, with a margin.
const CLOCKS_S: i64 = 26 * 3_600;
/// Clocks are moved by, and at, multiples of this.
const QUARTER_S: i64 = 900;

/// What a condition hangs on.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct Watched {
    /// Types of events, each with the spans after which one of them counts or does not count any more.
    pub(crate) kinds: BTreeMap<String, BTreeSet<Span>>,
    /// Whether the day of the calendar matters.
    pub(crate) calendar: bool,
    /// Whether the first event of any type matters.
    pub(crate) any_kind: bool,
    /// Spans since the member joined, with the attribute that says when that was.
    pub(crate) joined: BTreeSet<(Option<String>, Span)>,
}

impl Watched {
    /// What a condition hangs on, with the Segments that it names.
    pub(crate) fn by(condition: &Condition, catalogue: &dyn Catalogue) -> Self {
        let mut watched = Self::default();
        watched.look(condition, catalogue, 0);
        if let Some(spans) = watched.kinds.get(ORDER_PAID).cloned() {
            watched.kinds.entry(ORDER_REFUNDED.into()).or_default().extend(spans);
        }
        watched
    }

    /// Adds what another condition hangs on.
    pub(crate) fn add(&mut self, other: &Self) {
        for (kind, spans) in &other.kinds {
            self.kinds.entry(kind.clone()).or_default().extend(spans);
        }
        self.joined.extend(other.joined.iter().cloned());
        self.calendar |= other.calendar;
        self.any_kind |= other.any_kind;
    }

    fn kind(&mut self, kind: &str, spans: impl IntoIterator<Item = Option<Span>>) {
        self.kinds.entry(kind.to_owned()).or_default().extend(spans.into_iter().flatten());
    }

    fn tests<'a>(&mut self, tests: impl IntoIterator<Item = &'a Test>) {
        self.calendar |= tests.into_iter().any(|test| match test {
            Test::Age { .. } | Test::AnniversaryWithin { .. } | Test::AnniversaryIn(_) | Test::DaysAhead { .. } => true,
            Test::In(_) | Test::NotIn(_) | Test::Between { .. } | Test::Exists(_) => false,
        });
    }

    fn look(&mut self, condition: &Condition, catalogue: &dyn Catalogue, depth: usize) {
        match condition {
            Condition::Everyone | Condition::Tags { .. } | Condition::List(_) => {}
            Condition::Attribute { test, .. } => self.tests([test]),
            Condition::Behavior(behavior) => {
                let Window { within, before, period, .. } = behavior.window;
                self.kind(&behavior.event, [within, before]);
                self.calendar |= period.is_some();
                self.tests(behavior.filter.values());
            }
            Condition::Sequence(sequence) => {
                for (number, step) in sequence.steps.iter().enumerate() {
                    let spans = if number == 0 { [step.within, step.after] } else { [None, None] };
                    self.kind(&step.event, spans);
                    self.tests(step.filter.values());
                }
                if let Some(without) = &sequence.without {
                    self.kind(&without.event, []);
                    self.tests(without.filter.values());
                }
            }
            Condition::Lifecycle(lifecycle) => {
                let rule = &lifecycle.rule;
                let idle = [rule.dormant_after, rule.churn_risk_after, rule.churned_after];
                for kind in &rule.activity {
                    self.kind(kind, idle.map(Some));
                }
                let spans = idle.into_iter().chain([rule.new_for]);
                self.joined.extend(spans.map(|span| (rule.joined.clone(), span)));
                self.any_kind = true;
            }
            Condition::Location(location) => {
                let within = match location {
                    Location::PreferredStore { within, .. } => Some(*within),
                    Location::Near { .. } | Location::Region { .. } => None,
                };
                for kind in PLACE_EVENTS {
                    self.kind(kind, [within]);
                }
            }
            Condition::Interests(interests) => self.kind(ORDER_PAID, [Some(interests.rule.within)]),
            Condition::Segment(name) if depth < SEGMENT_DEPTH_MAX => {
                if let Some(part) = catalogue.condition(name) {
                    self.look(part, catalogue, depth + 1);
                }
            }
            Condition::Segment(_) => {}
            Condition::Not(part) => self.look(part, catalogue, depth),
            Condition::All(parts) | Condition::Any(parts) => {
                parts.iter().for_each(|part| self.look(part, catalogue, depth));
            }
        }
    }

    /// Its spans, for the moment at which members are looked at.
    pub(crate) fn timers(&self, compiler: &mut Compiler<'_>) -> Timers {
        let mut of = |span: Span| (span, compiler.span(span));
        let kinds = self.kinds.iter().map(|(kind, spans)| (kind.clone(), spans.iter().map(|s| of(*s)).collect()));
        let kinds = kinds.collect();
        let joined = self.joined.iter().map(|(attribute, span)| (attribute.clone(), of(*span))).collect();
        Timers { kinds, joined }
    }
}

/// Spans, each with its place in [`super::compile::Moment::ago`].
#[derive(Debug, Default)]
pub(crate) struct Timers {
    kinds: Vec<(String, Vec<(Span, usize)>)>,
    joined: Vec<(Option<String>, (Span, usize))>,
}

/// When members are looked at.
#[derive(Clone, Copy)]
pub(crate) struct Looking<'a> {
    pub(crate) members: &'a Members,
    pub(crate) moment: &'a super::compile::Moment,
    pub(crate) steady: Steady,
}

impl Timers {
    /// The second in which time alone may next change where a member belongs; never too late, maybe too early.
    pub(crate) fn next(&self, id: u32, looking: Looking<'_>) -> Option<u32> {
        let Looking { members, moment, steady: _ } = looking;
        let mut next: Option<u32> = None;
        let mut wake = |at: Option<u32>| next = [next, at].into_iter().flatten().min();
        // While clocks are moved, what has just passed may come back.
        let moving = moment.steady_from == Instant::MAX;
        let back = |place: usize, span: Span| {
            let ago = moment.ago.get(place).copied().unwrap_or(Instant::MIN);
            if moving && span.days > 0 { ago.moved(-CLOCKS_S) } else { ago }
        };
        let later = members.columns.is_refunded_after(id, moment.now);
        for (kind, spans) in &self.kinds {
            // Of what is refunded later, the row may be gone although it counts until then.
            let is_told = |odd: &Bits| !(odd.has(id) || later && kind == ORDER_PAID);
            let Some(table) = members.columns.tables.get(kind).filter(|table| is_told(&table.odd)) else {
                let record = members.at(id as usize).map(|(_, record)| record);
                let times: Vec<Ts> = record
                    .into_iter()
                    .flat_map(|record| record.facts.iter().filter(|fact| *fact.kind == **kind).map(|fact| fact.time))
                    .collect();
                let from = |bound: Instant| times.iter().copied().map(Instant::bound).find(|at| *at >= bound);
                wake(from(moment.ahead).map(|at| at.secs));
                for (span, place) in spans {
                    let ago = back(*place, *span);
                    wake(from(ago).and_then(|at| crossing(at, *span, looking)));
                }
                continue;
            };
            let Some(block) = table.block(id as usize / BLOCK) else { continue };
            let (first, end) = block.rows(id as usize % BLOCK);
            let from = |bound: Instant| {
                let row = block.first_from(first, end, bound);
                (row < end).then(|| block.at(row))
            };
            wake(from(moment.ahead).map(|at| at.secs));
            for (span, place) in spans {
                let ago = back(*place, *span);
                wake(from(ago).and_then(|at| crossing(at, *span, looking)));
            }
        }
        for (attribute, (span, place)) in &self.joined {
            let ago = back(*place, *span);
            let joined = kernel::joined(attribute.as_deref(), &members.columns, id as usize, moment.zone);
            wake(joined.filter(|at| *at >= ago).and_then(|at| crossing(at, *span, looking)));
        }
        next
    }
}

/// The second in which what was at `at` becomes longer ago than a span.
fn crossing(at: Instant, span: Span, looking: Looking<'_>) -> Option<u32> {
    let Looking { moment, steady, .. } = looking;
    let (now, due) = (moment.now.timestamp(), i64::from(at.secs) + seconds(span));
    let is_steady =
        span.days == 0 || (i64::from(at.secs) >= steady.from.timestamp() && due + CLOCKS_S <= steady.until.timestamp());
    let secs = if is_steady {
        due
    } else if due - CLOCKS_S > now {
        due - CLOCKS_S
    } else {
        // Clocks are moved in between: it is due at one of these, or when they are moved.
        let aligned = (now.div_euclid(QUARTER_S) + 1) * QUARTER_S;
        let shifted = now + (due - now).rem_euclid(QUARTER_S);
        aligned.min(if shifted > now { shifted } else { shifted + QUARTER_S })
    };
    u32::try_from(secs).ok()
}
