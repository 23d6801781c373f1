//! A condition, compiled for the columns: what each part asks of which column, the cheap parts first.
//!
//! Whatever the columns cannot tell becomes [`Node::Read`]: the one-member evaluator over the record, asked last and only
//! of members whom everything else leaves.

use super::{
    columns::Columns,
    live::Live,
    table::{Instant, Keeps},
    zone::{Steady, seconds},
};
use chrono::NaiveDate;
use fanfare_core::{
    model::segment::{Behavior, Condition, Interests, Lifecycle, Measure, Pick, Sequence, Stage, Test, Window},
    segment::{LINES, ORDER_PAID, SEGMENT_DEPTH_MAX, day, midnight, normal, passes, passes_any},
    time::{Span, Ts, Tz, day_of},
    world::Catalogue,
};
use std::collections::{BTreeMap, HashMap};

/// A part of a condition.
#[derive(Clone, Debug)]
pub(crate) enum Node {
    Always,
    Never,
    /// An attribute's column, and what holds of each code.
    Codes {
        column: usize,
        condition: Box<Condition>,
        pass: Vec<bool>,
    },
    Tag(usize),
    List(usize),
    Events(Box<Events>),
    Chain(Box<Chain>),
    Standing(Box<Standing>),
    /// A stored Segment, whose members are known.
    Live(usize),
    /// Read the record.
    Read(Box<Condition>),
    Not(Box<Node>),
    All(Vec<Node>),
    Any(Vec<Node>),
}

/// A test of a field's codes.
#[derive(Clone, Debug)]
pub(crate) struct FieldTest {
    pub(crate) field: usize,
    pub(crate) test: Test,
    pub(crate) pass: Vec<bool>,
}

/// What is measured of rows.
#[derive(Clone, Debug)]
pub(crate) enum Figure {
    Count,
    Sum(usize),
    Average(usize),
    Least(usize),
    Most(usize),
    /// Codes that are one value have one number here.
    Distinct {
        field: usize,
        same: Vec<u16>,
    },
}

/// How often or how much a member did something.
#[derive(Clone, Debug)]
pub(crate) struct Events {
    pub(crate) table: usize,
    pub(crate) tests: Vec<FieldTest>,
    pub(crate) window: usize,
    pub(crate) pick: Option<Pick>,
    pub(crate) figure: Figure,
    pub(crate) least: i64,
    pub(crate) most: i64,
    /// Whether it holds of somebody who did nothing.
    pub(crate) of_nothing: bool,
    pub(crate) orders: bool,
    pub(crate) condition: Condition,
}

/// What a member did in which order.
#[derive(Clone, Debug)]
pub(crate) struct Chain {
    pub(crate) steps: Vec<Link>,
    pub(crate) window: usize,
    /// Whether a gap is counted in days, so that clocks matter.
    pub(crate) days: bool,
    pub(crate) orders: bool,
    pub(crate) condition: Condition,
}

/// A step; its gap in seconds.
#[derive(Clone, Debug)]
pub(crate) struct Link {
    pub(crate) table: usize,
    pub(crate) tests: Vec<FieldTest>,
    pub(crate) after: i64,
    pub(crate) within: Option<i64>,
}

/// How far a member is in its life with the shop.
#[derive(Clone, Debug)]
pub(crate) struct Standing {
    pub(crate) stages: Vec<Stage>,
    /// The tables of what is an activity.
    pub(crate) activity: Vec<usize>,
    /// The column that says when a member joined, and what each code says.
    pub(crate) joined: Option<(usize, Vec<Option<Instant>>)>,
    /// Places in [`Moment::ago`]: new for, dormant, at risk, gone.
    pub(crate) ago: [usize; 4],
    pub(crate) orders: bool,
    pub(crate) condition: Condition,
}

/// A compiled condition, for one day and one zone.
#[derive(Clone, Debug)]
pub(crate) struct Query {
    pub(crate) roots: Vec<Node>,
    pub(crate) windows: Vec<Window>,
    pub(crate) spans: Vec<Span>,
    pub(crate) today: NaiveDate,
    pub(crate) zone: Tz,
}

/// A window at one instant.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Bounds {
    /// The first instant that counts.
    pub(crate) from: Instant,
    /// The first one behind that does not.
    pub(crate) until: Instant,
}

/// A query's windows at one instant.
#[derive(Clone, Debug)]
pub(crate) struct Moment {
    pub(crate) now: Ts,
    /// The first instant that is not yet.
    pub(crate) ahead: Instant,
    pub(crate) bounds: Vec<Bounds>,
    pub(crate) ago: Vec<Instant>,
    /// From when on a day has 86,400 seconds, until now.
    pub(crate) steady_from: Instant,
    pub(crate) zone: Tz,
}

impl Moment {
    pub(crate) fn of(query: &Query, now: Ts, steady: Steady) -> Self {
        let ahead = Instant::bound(now).next();
        let bounds = query.windows.iter().map(|window| {
            let range = window.range(now, query.zone);
            let from = range.from.map_or(Instant::MIN, Instant::bound);
            Bounds { from, until: range.before.map_or(ahead, |before| Instant::bound(before).min(ahead)) }
        });
        let is_steady = steady.from <= now && now <= steady.until;
        Self {
            now,
            ahead,
            bounds: bounds.collect(),
            ago: query.spans.iter().map(|span| Instant::bound(span.before(now, query.zone))).collect(),
            zone: query.zone,
            steady_from: if is_steady { Instant::bound(steady.from) } else { Instant::MAX },
        }
    }
}

/// Compiles conditions against the columns as they are.
pub(crate) struct Compiler<'a> {
    pub(crate) columns: &'a Columns,
    pub(crate) catalogue: &'a dyn Catalogue,
    /// Stored Segments whose members may be taken as known; they are compiled like any condition otherwise.
    pub(crate) live: Option<&'a Live>,
    query: Query,
    window_places: HashMap<String, usize>,
}

impl<'a> Compiler<'a> {
    pub(crate) fn new(columns: &'a Columns, catalogue: &'a dyn Catalogue, now: Ts, zone: Tz) -> Self {
        let today = day_of(now, zone);
        let query = Query { roots: Vec::new(), windows: Vec::new(), spans: Vec::new(), today, zone };
        Self { columns, catalogue, live: None, query, window_places: HashMap::new() }
    }

    /// Adds a condition; its place among [`Query::roots`].
    pub(crate) fn add(&mut self, condition: &Condition) -> usize {
        let root = self.node(condition, 0);
        self.query.roots.push(root);
        self.query.roots.len() - 1
    }

    pub(crate) fn done(self) -> Query {
        self.query
    }

    fn node(&mut self, condition: &Condition, depth: usize) -> Node {
        match condition {
            Condition::Everyone => Node::Always,
            Condition::Attribute { name, test } => self.attribute(condition, name, test),
            Condition::Behavior(behavior) => self.events(condition, behavior),
            Condition::Sequence(sequence) => self.chain(condition, sequence),
            Condition::Lifecycle(lifecycle) => self.standing(condition, lifecycle),
            Condition::Location(_) => read(condition),
            Condition::Interests(interests) => self.narrowed(condition, buyers(interests)),
            Condition::Tags { any, all, none } => self.tags(condition, any, all, none),
            Condition::List(name) => match self.columns.lists.place(name.as_str()) {
                Some(place) => Node::List(place),
                None if self.columns.lists.full => read(condition),
                None => Node::Never,
            },
            Condition::Segment(_) if depth >= SEGMENT_DEPTH_MAX => Node::Never,
            Condition::Segment(name) => match self.live.and_then(|live| live.place(name)) {
                Some(place) => Node::Live(place),
                None => {
                    let catalogue = self.catalogue;
                    catalogue.condition(name).map_or(Node::Never, |part| self.node(part, depth + 1))
                }
            },
            Condition::Not(part) => negated(self.node(part, depth)),
            Condition::All(parts) => all(parts.iter().map(|part| self.node(part, depth)).collect::<Vec<_>>()),
            Condition::Any(parts) => any(parts.iter().map(|part| self.node(part, depth)).collect::<Vec<_>>()),
        }
    }

    fn attribute(&self, condition: &Condition, name: &str, test: &Test) -> Node {
        let today = self.query.today;
        let Some((place, column)) =
            self.columns.attributes.place(name).and_then(|place| Some((place, self.columns.attributes.at(place)?)))
        else {
            return match (self.columns.attributes.full, passes(test, None, today)) {
                (true, _) => read(condition),
                (false, true) => Node::Always,
                (false, false) => Node::Never,
            };
        };
        if column.full {
            return read(condition);
        }
        let pass = column.values.each(|value| passes(test, value, today));
        Node::Codes { column: place, condition: Box::new(condition.clone()), pass }
    }

    fn tags(&self, condition: &Condition, wanted: &[String], each: &[String], none: &[String]) -> Node {
        let sets = &self.columns.tags;
        let unknown = |tag: &String| sets.place(tag).is_none();
        if sets.full && wanted.iter().chain(each).chain(none).any(unknown) {
            return read(condition);
        }
        let tag = |tag: &String| sets.place(tag).map_or(Node::Never, Node::Tag);
        let mut parts: Vec<Node> = each.iter().map(tag).collect();
        parts.extend(none.iter().map(|name| negated(tag(name))));
        if !wanted.is_empty() {
            parts.push(any(wanted.iter().map(tag).collect()));
        }
        all(parts)
    }

    /// The table of a type of events: `Ok(None)` when there are none of it, `Err` when the records have to be read.
    fn table(&self, kind: &str) -> Result<Option<usize>, ()> {
        match self.columns.tables.place(kind) {
            Some(place) => Ok(Some(place)),
            None if self.columns.tables.full => Err(()),
            None => Ok(None),
        }
    }

    fn tests(&self, table: usize, filter: &BTreeMap<String, Test>) -> Option<Vec<FieldTest>> {
        let table = self.columns.tables.at(table)?;
        let test = |(path, test): (&String, &Test)| {
            let field = table.field(path, Keeps::Value).filter(|_| !path.starts_with(LINES))?;
            let values = &table.fields.get(field)?.values;
            let pass = values.each(|value| passes_any(test, value.map_or(&[], std::slice::from_ref), self.query.today));
            Some(FieldTest { field, test: test.clone(), pass })
        };
        filter.iter().map(test).collect()
    }

    fn figure(&self, table: usize, measure: &Measure) -> Option<Figure> {
        let table = self.columns.tables.at(table)?;
        let number = |path: &String| table.field(path, Keeps::Number).filter(|_| !path.starts_with(LINES));
        Some(match measure {
            Measure::Count => Figure::Count,
            Measure::Sum(path) => Figure::Sum(number(path)?),
            Measure::Average(path) => Figure::Average(number(path)?),
            Measure::Min(path) => Figure::Least(number(path)?),
            Measure::Max(path) => Figure::Most(number(path)?),
            Measure::Distinct(path) => {
                let field = table.field(path, Keeps::Value).filter(|_| !path.starts_with(LINES))?;
                let mut first = HashMap::new();
                let mut next = 0_u16;
                let same = table.fields.get(field)?.values.each(|value| {
                    let code = next;
                    next = next.saturating_add(1);
                    value.map_or(0, |value| *first.entry(normal(value.clone())).or_insert(code))
                });
                Figure::Distinct { field, same }
            }
        })
    }

    fn window(&mut self, window: Window) -> usize {
        let windows = &mut self.query.windows;
        *self.window_places.entry(format!("{window:?}")).or_insert_with(|| {
            windows.push(window);
            windows.len() - 1
        })
    }

    /// The place of a span in [`Moment::ago`].
    pub(crate) fn span(&mut self, span: Span) -> usize {
        let spans = &mut self.query.spans;
        spans.iter().position(|other| *other == span).unwrap_or_else(|| {
            spans.push(span);
            spans.len() - 1
        })
    }

    fn events(&mut self, condition: &Condition, behavior: &Behavior) -> Node {
        let (least, most) = (behavior.least.unwrap_or(i64::MIN), behavior.most.unwrap_or(i64::MAX));
        let of_nothing = match behavior.measure {
            Measure::Count | Measure::Sum(_) | Measure::Distinct(_) => (least..=most).contains(&0),
            Measure::Average(_) | Measure::Min(_) | Measure::Max(_) => false,
        };
        let table = match self.table(&behavior.event) {
            Err(()) => return read(condition),
            Ok(None) if of_nothing => return Node::Always,
            Ok(None) => return Node::Never,
            Ok(Some(table)) => table,
        };
        let Some((tests, figure)) = self.tests(table, &behavior.filter).zip(self.figure(table, &behavior.measure))
        else {
            return self.narrowed(condition, candidates(behavior));
        };
        let window = self.window(behavior.window);
        let (pick, orders, condition) = (behavior.pick, behavior.event == ORDER_PAID, condition.clone());
        Node::Events(Box::new(Events {
            table,
            tests,
            window,
            pick,
            figure,
            least,
            most,
            of_nothing,
            orders,
            condition,
        }))
    }

    /// Reads the records of those of whom a cheaper condition holds, which has to hold where `condition` does.
    fn narrowed(&mut self, condition: &Condition, cheaper: Option<Condition>) -> Node {
        match cheaper {
            None => read(condition),
            Some(cheaper) => all(vec![self.node(&cheaper, 0), read(condition)]),
        }
    }

    fn chain(&mut self, condition: &Condition, sequence: &Sequence) -> Node {
        if sequence.steps.is_empty() {
            return read(condition);
        }
        if sequence.without.is_some() {
            // Whoever took the steps without what is excluded took the steps.
            let steps = Sequence { without: None, ..sequence.clone() };
            return self.narrowed(condition, Some(Condition::Sequence(steps)));
        }
        let mut steps = Vec::with_capacity(sequence.steps.len());
        for step in &sequence.steps {
            let table = match self.table(&step.event) {
                Err(()) => return read(condition),
                Ok(None) => return Node::Never,
                Ok(Some(table)) => table,
            };
            let Some(tests) = self.tests(table, &step.filter) else { return read(condition) };
            let (after, within) = (step.after.map_or(0, seconds), step.within.map(seconds));
            steps.push(Link { table, tests, after, within });
        }
        let first = sequence.steps.first();
        let window = Window {
            within: first.and_then(|step| step.within),
            before: first.and_then(|step| step.after),
            ..Window::default()
        };
        let window = self.window(window);
        let mut gaps = sequence.steps.iter().skip(1).flat_map(|step| [step.after, step.within]).flatten();
        let days = gaps.any(|span| span.days != 0);
        let orders = sequence.steps.iter().any(|step| step.event == ORDER_PAID);
        Node::Chain(Box::new(Chain { steps, window, days, orders, condition: condition.clone() }))
    }

    fn standing(&mut self, condition: &Condition, lifecycle: &Lifecycle) -> Node {
        let rule = &lifecycle.rule;
        let mut activity = Vec::with_capacity(rule.activity.len());
        for kind in &rule.activity {
            match self.table(kind) {
                Err(()) => return read(condition),
                Ok(table) => activity.extend(table),
            }
        }
        let joined = match &rule.joined {
            None => None,
            Some(name) => {
                let attributes = &self.columns.attributes;
                match attributes.place(name).and_then(|place| Some((place, attributes.at(place)?))) {
                    None if attributes.full => return read(condition),
                    None => None,
                    Some((_, column)) if column.full => return read(condition),
                    Some((place, column)) => {
                        let zone = self.query.zone;
                        let said = |value: Option<&_>| value.and_then(day).map(|d| Instant::bound(midnight(d, zone)));
                        Some((place, column.values.each(said)))
                    }
                }
            }
        };
        let spans = [rule.new_for, rule.dormant_after, rule.churn_risk_after, rule.churned_after];
        let ago = spans.map(|span| self.span(span));
        let (stages, orders) = (lifecycle.stages.clone(), rule.activity.iter().any(|kind| kind == ORDER_PAID));
        Node::Standing(Box::new(Standing { stages, activity, joined, ago, orders, condition: condition.clone() }))
    }
}

/// What has to hold of everybody of whom a behaviour holds that no column can tell: at least one such event.
fn candidates(behavior: &Behavior) -> Option<Condition> {
    let needs_one = match behavior.measure {
        Measure::Count | Measure::Sum(_) | Measure::Distinct(_) => behavior.least.is_some_and(|least| least > 0),
        Measure::Average(_) | Measure::Min(_) | Measure::Max(_) => true,
    };
    let of_lines = behavior.filter.iter().filter(|(path, _)| !path.starts_with(LINES));
    let filter: BTreeMap<String, Test> = of_lines.map(|(path, test)| (path.clone(), test.clone())).collect();
    // Whatever is no plain count of fields that columns can keep has no cheaper form.
    let is_cheaper = filter.len() < behavior.filter.len() || behavior.measure != Measure::Count;
    (needs_one && is_cheaper).then(|| {
        let most = None;
        Condition::Behavior(Behavior { filter, measure: Measure::Count, least: Some(1), most, ..behavior.clone() })
    })
}

/// What has to hold of everybody who has an interest.
fn buyers(interests: &Interests) -> Option<Condition> {
    let asks = !interests.any.is_empty() || !interests.all.is_empty();
    (asks && interests.rule.orders > 0).then(|| {
        Condition::Behavior(Behavior {
            event: ORDER_PAID.into(),
            window: Window::within(interests.rule.within),
            least: Some(interests.rule.orders),
            ..Behavior::default()
        })
    })
}

fn read(condition: &Condition) -> Node {
    Node::Read(Box::new(condition.clone()))
}

fn negated(node: Node) -> Node {
    match node {
        Node::Always => Node::Never,
        Node::Never => Node::Always,
        Node::Not(inner) => *inner,
        other => Node::Not(Box::new(other)),
    }
}

fn all(parts: Vec<Node>) -> Node {
    let mut kept = Vec::with_capacity(parts.len());
    for part in parts {
        match part {
            Node::Always => {}
            Node::Never => return Node::Never,
            Node::All(inner) => kept.extend(inner),
            other => kept.push(other),
        }
    }
    kept.sort_by_key(Node::cost);
    match kept.len() {
        0 => Node::Always,
        1 => kept.swap_remove(0),
        _ => Node::All(kept),
    }
}

fn any(parts: Vec<Node>) -> Node {
    let mut kept = Vec::with_capacity(parts.len());
    for part in parts {
        match part {
            Node::Never => {}
            Node::Always => return Node::Always,
            Node::Any(inner) => kept.extend(inner),
            other => kept.push(other),
        }
    }
    kept.sort_by_key(Node::cost);
    match kept.len() {
        0 => Node::Never,
        1 => kept.swap_remove(0),
        _ => Node::Any(kept),
    }
}

impl Node {
    /// What asking a member costs, in about tenths of a nanosecond: only the order matters.
    pub(crate) fn cost(&self) -> u64 {
        match self {
            Self::Always | Self::Never => 0,
            Self::Live(_) | Self::Tag(_) | Self::List(_) => 1,
            Self::Codes { .. } => 5,
            Self::Events(events) => {
                let width = match (events.pick, events.window) {
                    (Some(_), _) => 20,
                    (None, _) => 60,
                };
                let figure = match events.figure {
                    // Nothing lately: the newest row says it.
                    Figure::Count if events.most == 0 && events.tests.is_empty() => 0,
                    Figure::Count => 20,
                    Figure::Sum(_) => 40,
                    Figure::Average(_) | Figure::Least(_) | Figure::Most(_) => 60,
                    Figure::Distinct { .. } => 300,
                };
                width + figure + 40 * events.tests.len() as u64
            }
            Self::Standing(_) => 200,
            Self::Chain(chain) => 200 * chain.steps.len() as u64,
            Self::Read(_) => 100_000,
            Self::Not(part) => part.cost(),
            Self::All(parts) | Self::Any(parts) => parts.iter().map(Self::cost).sum(),
        }
    }
}
