//! A wallet of points: lots with their ends, what is spent first, what lapses when, and what an order earns.
//!
//! A lot is what is credited to a wallet with one end; credits with the same times are one lot, since nothing can tell
//! them apart any more. Everything here is a pure function of the lots and an instant: whenever a wallet is looked at, it
//! comes to what it would have come to had every maturity and every end been seen to at its very instant. Postings are
//! the engine's.

use crate::{
    money::Minor,
    time::{Span, Ts, Tz, day_of, resolve},
};
use chrono::{NaiveDateTime, NaiveTime, SubsecRound, TimeDelta};
use serde::{Deserialize, Serialize};
use std::{cmp::Ordering, collections::BTreeMap, fmt};

/// The most lots of one wallet. A credit beyond them joins the next lot that ends no earlier.
pub const LOTS_MAX: usize = 2_000;
/// The most points of one credit, earning rule or transfer.
pub const POINTS_MAX: i64 = 1_000_000_000;

/// The times of a lot, to the whole second. Ordered as lots are spent: the one that ends first comes first.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Lot {
    /// Spendable from here; nothing: spendable now.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub from: Option<Ts>,
    /// Gone from here on; nothing: it never lapses.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub until: Option<Ts>,
}

/// How an instant stands in a lot's name.
const STAMP: &str = "%Y%m%dT%H%M%SZ";

impl Lot {
    /// Spendable at once and for ever. What a wallet owes stands here, below zero.
    pub const ENDLESS: Self = Self { from: None, until: None };

    /// A lot with these times, each moved to the next whole second.
    pub fn new(from: Option<Ts>, until: Option<Ts>) -> Self {
        Self { from: from.map(whole_second), until: until.map(whole_second) }
    }

    /// The same points once they are spendable.
    pub fn matured(self) -> Self {
        Self { from: None, until: self.until }
    }

    /// Reads what [`Lot`] displays.
    pub fn parse(text: &str) -> Option<Self> {
        let mut lot = Self::ENDLESS;
        let mut rest = text;
        if let Some(after) = rest.strip_prefix("from-") {
            let (stamp, more) = after.split_once('-').unwrap_or((after, ""));
            lot.from = Some(read_stamp(stamp)?);
            rest = more;
        }
        if let Some(stamp) = rest.strip_prefix("until-") {
            lot.until = Some(read_stamp(stamp)?);
            rest = "";
        }
        (rest.is_empty() && lot != Self::ENDLESS).then_some(lot)
    }

    /// Where its points stand at `now`, as far as it has not lapsed.
    pub fn as_of(self, now: Ts) -> Self {
        if self.from.is_some_and(|from| from > now) { self } else { self.matured() }
    }
}

impl fmt::Display for Lot {
    /// `from-20261125T100000Z-until-20271112T170000Z`, either part alone, or nothing for [`Lot::ENDLESS`].
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(from) = self.from {
            write!(f, "from-{}", from.format(STAMP))?;
        }
        if let Some(until) = self.until {
            let dash = if self.from.is_some() { "-" } else { "" };
            write!(f, "{dash}until-{}", until.format(STAMP))?;
        }
        Ok(())
    }
}

impl Ord for Lot {
    fn cmp(&self, other: &Self) -> Ordering {
        let key = |lot: &Self| (lot.until.is_none(), lot.until, lot.from);
        key(self).cmp(&key(other))
    }
}

impl PartialOrd for Lot {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

fn whole_second(at: Ts) -> Ts {
    let down = at.trunc_subsecs(0);
    if down == at { at } else { down + TimeDelta::seconds(1) }
}

fn read_stamp(text: &str) -> Option<Ts> {
    NaiveDateTime::parse_from_str(text, STAMP).ok().map(|naive| naive.and_utc())
}

/// When points end that are given at `at` for `span`. A span of whole days lasts until the end of the calendar day in
/// `zone` on which it runs out, so that a shopper reads a day and not a time of day; one with hours is exact.
pub fn lot_end(span: Span, at: Ts, zone: Tz) -> Ts {
    let end = span.after(at, zone);
    if span.days == 0 || span.seconds != 0 {
        return end;
    }
    let next_day = day_of(end, zone).succ_opt();
    next_day.map_or(end, |day| resolve(day.and_time(NaiveTime::MIN), zone))
}

/// What may become of a wallet that has to give back more than it holds.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub enum Negative {
    /// It stays at zero; what is missing is written down.
    #[default]
    Forbid,
    /// It goes below zero, and what is earned next fills it.
    Allow,
}

/// How a part of a step of spend counts.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub enum Rounding {
    /// Only whole steps count.
    #[default]
    Down,
    /// Half a step counts as one.
    HalfUp,
    /// A step that is begun counts as one.
    Up,
}

/// What an event earns.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Earn {
    /// Of which type.
    pub event: String,
    /// How much spend is one step; nothing: each event counts as one step.
    pub per_spend: Option<Minor>,
    /// How many points a step earns.
    pub points: i64,
    /// What a part of a step is.
    pub rounding: Rounding,
}

impl Earn {
    /// The points for what was paid, `net` of discounts and refunds. Nothing paid earns nothing.
    pub fn on_spend(&self, net: Minor) -> i64 {
        let Some(per) = self.per_spend.filter(|per| *per > Minor::ZERO) else {
            return if net > Minor::ZERO { self.points } else { 0 };
        };
        let (net, per) = (i128::from(net.0.max(0)), i128::from(per.0));
        let steps = match self.rounding {
            Rounding::Down => net / per,
            Rounding::HalfUp => (2 * net + per) / (2 * per),
            Rounding::Up => (net + per - 1) / per,
        };
        i64::try_from(steps * i128::from(self.points)).unwrap_or(POINTS_MAX).min(POINTS_MAX)
    }
}

/// Rules of a namespace's points.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Rules {
    /// How long points live whose reward says nothing; nothing: for ever.
    pub expire_after: Option<Span>,
    /// How long points that an event earned wait until they can be spent.
    pub pending_for: Option<Span>,
    /// What becomes of a wallet that owes.
    pub negative: Negative,
    /// What earns points without any campaign.
    pub earn: Vec<Earn>,
    /// Whether members may give points to each other, and how many a day; nothing: they may not.
    pub transfer_max_per_day: Option<i64>,
}

impl Rules {
    /// What events of this type earn.
    pub fn earned_by<'a>(&'a self, event: &'a str) -> impl Iterator<Item = &'a Earn> {
        self.earn.iter().filter(move |earn| earn.event == event)
    }

    /// The times of points that are given at `at`, spendable at once, for `expire_after` or else what the rules say.
    pub fn lot(&self, expire_after: Option<Span>, at: Ts, zone: Tz) -> Lot {
        let span = expire_after.or(self.expire_after);
        Lot::new(None, span.map(|span| lot_end(span, at, zone)))
    }

    /// The times of points that an event earned at `at`. They live from when they can be spent.
    pub fn earned_lot(&self, at: Ts, zone: Tz) -> Lot {
        let from = self.pending_for.map(|span| span.after(at, zone));
        Lot { from: from.map(whole_second), ..self.lot(None, from.unwrap_or(at), zone) }
    }
}

/// What a step of a wallet's own life was.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Turn {
    /// Pending points became spendable.
    Matured,
    /// What was left of a lot is gone.
    Lapsed,
}

/// One step of a wallet's own life, with what it adds to each lot.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Step {
    /// What happened.
    pub turn: Turn,
    /// To which lot.
    pub lot: Lot,
    /// What each lot gains; negative is taken.
    pub lines: Vec<(Lot, i64)>,
}

/// What taking points from a wallet came to.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Taken {
    /// What each lot gives, above zero.
    pub lines: Vec<(Lot, i64)>,
    /// How many were not there to be taken.
    pub short: i64,
}

impl Taken {
    /// How many points were taken.
    pub fn points(&self) -> i64 {
        self.lines.iter().map(|(_, points)| points).sum()
    }
}

/// A member's points, by lot. [`Lot::ENDLESS`] may be below zero, and then no other lot is spendable.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Wallet {
    lots: BTreeMap<Lot, i64>,
}

impl Wallet {
    /// The wallet with these lots.
    pub fn of(lots: impl IntoIterator<Item = (Lot, i64)>) -> Self {
        let mut wallet = Self::default();
        for (lot, points) in lots {
            wallet.add(lot, points);
        }
        wallet
    }

    /// Each lot that holds something, in the order in which they are spent.
    pub fn lots(&self) -> impl Iterator<Item = (Lot, i64)> + '_ {
        self.lots.iter().map(|(lot, points)| (*lot, *points))
    }

    /// What can be spent. Only right as of the last [`Wallet::settle`], like everything below.
    pub fn balance(&self) -> i64 {
        self.lots().filter(|(lot, _)| lot.from.is_none()).map(|(_, points)| points).sum()
    }

    /// What is still to become spendable.
    pub fn pending(&self) -> i64 {
        self.lots().filter(|(lot, _)| lot.from.is_some()).map(|(_, points)| points).sum()
    }

    /// What of the balance lapses when, soonest first.
    pub fn expiring(&self) -> Vec<(i64, Ts)> {
        let spendable = self.lots().filter(|(lot, _)| lot.from.is_none());
        spendable.filter_map(|(lot, points)| lot.until.map(|until| (points, until))).collect()
    }

    /// When something happens to it by itself next.
    pub fn next_turn(&self) -> Option<Ts> {
        self.lots().flat_map(|(lot, _)| [lot.from, lot.until]).flatten().min()
    }

    /// Lives through everything up to and at `now`, in order of time.
    pub fn settle(&mut self, now: Ts) -> Vec<Step> {
        let mut steps = Vec::new();
        while let Some((at, turn, lot, points)) = self.due(now) {
            debug_assert!(at <= now);
            let lines = match turn {
                Turn::Lapsed => vec![(lot, -points)],
                Turn::Matured => {
                    let mut lines = vec![(lot, -points)];
                    lines.extend(self.fill(lot.matured(), points));
                    lines
                }
            };
            self.apply(&lines);
            steps.push(Step { turn, lot, lines });
        }
        steps
    }

    /// The earliest turn that is due. At the same instant, what ends comes before what begins.
    fn due(&self, now: Ts) -> Option<(Ts, Turn, Lot, i64)> {
        let turns = self.lots().flat_map(|(lot, points)| {
            let lapses = lot.until.map(|at| (at, 0, Turn::Lapsed, lot, points));
            let matures = lot.from.map(|at| (at, 1, Turn::Matured, lot, points));
            [lapses, matures].into_iter().flatten()
        });
        let due = turns.filter(|(at, ..)| *at <= now).min_by_key(|(at, rank, _, lot, _)| (*at, *rank, *lot));
        due.map(|(at, _, turn, lot, points)| (at, turn, lot, points))
    }

    /// Adds points to a lot: what the wallet owes is filled first. Answers what each lot gains.
    pub fn credit(&mut self, lot: Lot, points: i64, now: Ts) -> Vec<(Lot, i64)> {
        let lot = self.room_for(lot.as_of(now));
        let lines = if lot.from.is_some() { vec![(lot, points)] } else { self.fill(lot, points) };
        self.apply(&lines);
        lines
    }

    /// Takes points to spend them, or to give them to another member: nothing is taken unless all are there.
    pub fn spend(&mut self, points: i64) -> Option<Vec<(Lot, i64)>> {
        (points > 0 && self.balance() >= points).then(|| self.take(points, None, Negative::Forbid).lines)
    }

    /// Takes points back: from the lot `own` that they stand in ([`Lot::as_of`]), pending or not, then as if they were
    /// spent, then as `negative` says.
    pub fn take(&mut self, points: i64, own: Option<Lot>, negative: Negative) -> Taken {
        let rest = self.lots().map(|(lot, _)| lot).filter(|lot| lot.from.is_none() && Some(*lot) != own);
        let order: Vec<Lot> = own.into_iter().chain(rest).collect();
        let mut left = points.max(0);
        let mut lines: Vec<(Lot, i64)> = Vec::new();
        // Who owes has nothing spendable, so the balance bounds what all lots but a pending one can give.
        for lot in order {
            let part = self.lots.get(&lot).copied().unwrap_or(0).clamp(0, left);
            if part > 0 {
                lines.push((lot, part));
                left -= part;
            }
        }
        if negative == Negative::Allow && left > 0 {
            match lines.iter_mut().find(|(lot, _)| *lot == Lot::ENDLESS) {
                Some((_, part)) => *part += left,
                None => lines.push((Lot::ENDLESS, left)),
            }
            left = 0;
        }
        for (lot, part) in &lines {
            self.add(*lot, -part);
        }
        Taken { lines, short: left }
    }

    /// Which lot a credit goes to: its own, unless there are too many.
    fn room_for(&self, lot: Lot) -> Lot {
        if self.lots.len() < LOTS_MAX || self.lots.contains_key(&lot) || lot == Lot::ENDLESS {
            return lot;
        }
        let mut kin = self.lots().map(|(other, _)| other).filter(|other| other.from.is_some() == lot.from.is_some());
        match lot.from {
            None => kin.find(|other| *other > lot).unwrap_or(Lot::ENDLESS),
            Some(_) => kin.max_by_key(|other| other.from).unwrap_or(lot),
        }
    }

    fn fill(&self, lot: Lot, points: i64) -> Vec<(Lot, i64)> {
        let owed = self.lots.get(&Lot::ENDLESS).map_or(0, |points| -*points).max(0);
        let fills = owed.min(points);
        let parts = [(Lot::ENDLESS, fills), (lot, points - fills)];
        if lot == Lot::ENDLESS {
            vec![(lot, points)]
        } else {
            parts.into_iter().filter(|(_, part)| *part != 0).collect()
        }
    }

    fn apply(&mut self, lines: &[(Lot, i64)]) {
        for (lot, points) in lines {
            self.add(*lot, *points);
        }
    }

    fn add(&mut self, lot: Lot, points: i64) {
        let held = self.lots.entry(lot).or_insert(0);
        *held += points;
        if *held == 0 {
            self.lots.remove(&lot);
        }
    }
}

#[cfg(test)]
mod tests;
