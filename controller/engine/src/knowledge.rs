//! What a decision may know, filled from the plans in force, the memory of members and the batch.

use crate::{
    Halt,
    audience::{Fact, Record},
    plans::Plans,
    tx::Tx,
};
use fanfare_core::{
    ids::{MemberId, Name, StoreId},
    ledger::{account, stock_unit},
    mechanic::{Missing, State},
    model::{
        RewardPlan,
        segment::{Condition, Scalar},
    },
    money::{AMOUNT_MAX_MINOR, Minor},
    segment::{Asked, Facts, Happening, holds, line_values_of, lines_of, values_of},
    time::Ts,
    world::{Catalogue, Reserves, Visit, Who, World},
};
use std::{cell::Cell, collections::BTreeSet};

impl Catalogue for Plans {
    fn condition(&self, segment: &Name) -> Option<&Condition> {
        self.segments.get(segment).map(|plan| &plan.condition)
    }
    fn reward(&self, reward: &Name) -> Option<&RewardPlan> {
        self.rewards.get(reward).map(|plan| &**plan)
    }
}

impl Reserves for Tx<'_> {
    fn available(&self, campaign: &Name) -> Result<Minor, Missing> {
        let Some(runtime) = &self.plans.runtime else { return Ok(Minor::ZERO) };
        let amount = self.balance(&account::budget_available(campaign), runtime.currency.code());
        amount.map(Minor).map_err(|_| Missing)
    }
    fn left(&self, reward: &Name) -> Result<i64, Missing> {
        self.balance(&account::stock_available(reward), &stock_unit(reward)).map_err(|_| Missing)
    }
}

impl Happening for Fact {
    fn at(&self) -> Ts {
        self.time
    }
    fn values(&self, path: &str) -> Vec<Scalar> {
        values_of(&self.data, path)
    }
    fn lines(&self) -> usize {
        lines_of(&self.data)
    }
    fn line_values(&self, line: usize, path: &str) -> Vec<Scalar> {
        line_values_of(&self.data, line, path)
    }
}

/// What is known of a member: what memory keeps and what this batch added to it.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Known<'a> {
    record: &'a Record,
    fresh: &'a [Fact],
}

impl<'a> Known<'a> {
    /// What memory keeps alone.
    pub(crate) fn of(record: &'a Record) -> Self {
        Self { record, fresh: &[] }
    }
}

impl Facts for Known<'_> {
    fn attribute(&self, name: &str) -> Option<Scalar> {
        self.record.attributes.get(name).cloned()
    }
    fn has_tag(&self, tag: &str) -> bool {
        self.record.tags.contains(tag)
    }
    fn on_list(&self, list: &Name) -> bool {
        self.record.lists.contains(list)
    }
    fn known_since(&self) -> Option<Ts> {
        self.record.since
    }
    fn first_event(&self) -> Option<Ts> {
        let kept = self.record.facts.first().map(|fact| fact.time);
        self.fresh.iter().map(|fact| fact.time).chain(kept).min()
    }
    fn events(&self, kind: &str) -> Vec<&dyn Happening> {
        let of_kind = |fact: &&Fact| &*fact.kind == kind;
        let kept = self.record.facts.iter().rev().filter(of_kind).map(|fact| fact as &dyn Happening);
        let mut events: Vec<&dyn Happening> = self.fresh.iter().filter(of_kind).map(|f| f as &dyn Happening).collect();
        let mixed = !events.is_empty();
        events.extend(kept);
        if mixed {
            events.sort_by_key(|event| std::cmp::Reverse(event.at()));
        }
        events
    }
}

/// The question whether a member of memory belongs somewhere.
pub(crate) fn asked<'a>(plans: &'a Plans, facts: &'a dyn Facts, now: Ts) -> Asked<'a> {
    let zone = plans.runtime.as_ref().map_or(fanfare_core::time::Tz::UTC, |runtime| runtime.zone);
    Asked { facts, catalogue: plans, now, zone }
}

/// Who comes, where, when.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Coming<'a> {
    pub(crate) member: Option<&'a MemberId>,
    pub(crate) store: Option<&'a StoreId>,
    pub(crate) channel: Option<&'a str>,
    pub(crate) at: Ts,
    /// Points that the member may spend, where the decision asks for them.
    pub(crate) points: i64,
}

/// Asks a decision with everything that memory and the batch know of whoever comes.
pub(crate) fn visit<T>(tx: &Tx<'_>, coming: Coming<'_>, ask: impl FnOnce(&Visit<'_>) -> T) -> Result<T, Halt> {
    let Coming { member, store, channel, at, points } = coming;
    let runtime = tx.runtime()?;
    let hopeful = Hopeful { tx, missed: Cell::new(false) };
    let world = World { runtime, catalogue: tx.plans, state: &hopeful, reserves: &hopeful, now: at };
    let answer = visit_in(tx, member, points, world, (store, channel), ask);
    if hopeful.missed.get() { Err(Halt::Missing) } else { Ok(answer) }
}

/// Goes on past what is not loaded, as if there were plenty, so that one run names everything that a decision reads; what
/// it came to is thrown away then.
struct Hopeful<'t, 'a> {
    tx: &'t Tx<'a>,
    missed: Cell<bool>,
}

impl Hopeful<'_, '_> {
    fn or<T>(&self, found: Result<T, Missing>, plenty: T) -> Result<T, Missing> {
        Ok(found.unwrap_or_else(|Missing| {
            self.missed.set(true);
            plenty
        }))
    }
}

impl State for Hopeful<'_, '_> {
    fn count(&self, key: &str) -> Result<i64, Missing> {
        self.or(self.tx.count(key), 0)
    }
}

impl Reserves for Hopeful<'_, '_> {
    fn available(&self, campaign: &Name) -> Result<Minor, Missing> {
        self.or(self.tx.available(campaign), Minor(AMOUNT_MAX_MINOR))
    }
    fn left(&self, reward: &Name) -> Result<i64, Missing> {
        self.or(self.tx.left(reward), AMOUNT_MAX_MINOR)
    }
}

fn visit_in<T>(
    tx: &Tx<'_>,
    member: Option<&MemberId>,
    points: i64,
    world: World<'_>,
    (store, channel): (Option<&StoreId>, Option<&str>),
    ask: impl FnOnce(&Visit<'_>) -> T,
) -> T {
    let (origin, order) = (Some(&tx.origin), tx.order.as_ref());
    let Some(id) = member else {
        return ask(&Visit { world, who: None, store, channel, origin, order });
    };
    with_known(tx, id, |known| {
        let joined: BTreeSet<Name> = known.record.participations.keys().cloned().collect();
        let who = Who { id, facts: &known, points, joined: &joined };
        ask(&Visit { world, who: Some(who), store, channel, origin, order })
    })
}

/// Asks something of a member with everything that memory and the batch know.
fn with_known<T>(tx: &Tx<'_>, id: &MemberId, ask: impl FnOnce(Known<'_>) -> T) -> T {
    let fresh: Vec<Fact> = tx.pending_events(id).into_iter().map(Fact::of).collect();
    let changed = tx.changed_member(id);
    tx.audience.with(id, |record| {
        let updated = changed.map(|row| record.with_row(row));
        ask(Known { record: updated.as_ref().unwrap_or(record), fresh: &fresh })
    })
}

/// Whether a member belongs to a Segment now, as the batch has it; nothing where nobody knows the member.
pub(crate) fn belongs(tx: &Tx<'_>, segment: &Name, member: &MemberId) -> Option<bool> {
    let condition = tx.plans.condition(segment)?;
    with_known(tx, member, |known| known.record.known.then(|| holds(condition, &asked(tx.plans, &known, tx.now))))
}
