//! Segments: whether one member belongs and why, how many of all do, and who an idea would reach.
//!
//! One member is asked by core's evaluator over its record, all members over columns; a test holds the two equal.

use crate::{
    Engine,
    audience::{OverBudget, Question, Record, WORD, ones},
    knowledge::{Known, asked},
};
use fanfare_core::{
    ids::{MemberId, Name},
    model::{
        campaign::Audience,
        schedule::Phase,
        segment::{Condition, Lifecycle, Scalar, Stage},
    },
    schedule::phase,
    segment::{Why, holds, scalar, why},
    time::Ts,
};
use std::collections::BTreeMap;

/// How many members a preview shows.
pub const SAMPLE_MAX: usize = 10;
/// The attributes over which a preview is spread.
pub const SPREAD_OVER: [&str; 2] = ["tier", "city"];
/// The most values of one of them that are shown.
pub const BARS_MAX: usize = 50;
/// The most running campaigns that a preview is laid over.
pub const OVERLAP_MAX: usize = 100;

/// Whether one member belongs to a Segment.
#[derive(Clone, Debug, PartialEq)]
pub struct Membership {
    /// Whether it belongs.
    pub member: bool,
    /// When.
    pub as_of: Ts,
    /// Why, condition by condition.
    pub why: Vec<Why>,
}

/// How many members belong somewhere.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Size {
    /// How many.
    pub size: i64,
    /// How many of them each channel reaches: an identity where it needs one, and consent.
    pub reachable: BTreeMap<Name, i64>,
    /// When they were counted.
    pub as_of: Ts,
}

/// What a condition would mean if it were a Segment.
#[derive(Clone, Debug, PartialEq)]
pub struct Preview {
    /// How many it holds for.
    pub size: Size,
    /// At most [`SAMPLE_MAX`] of them, by id.
    pub sample: Vec<(MemberId, Vec<Why>)>,
    /// How they spread over the attributes of [`SPREAD_OVER`] that there are, and over `stage`: at most [`BARS_MAX`] bars
    /// each, the longest first.
    pub histogram: BTreeMap<String, Vec<Bar>>,
    /// How many of them are in the audience of each campaign that runs now, of the first [`OVERLAP_MAX`].
    pub overlap: BTreeMap<Name, i64>,
}

/// How many members have a value.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Bar {
    /// The value; nothing where it is missing.
    pub value: Option<String>,
    /// How many.
    pub members: i64,
}

impl Engine {
    /// Whether a member belongs to a Segment, and why; `None` when no such Segment is served or nobody knows the member.
    pub fn membership(&self, segment: &Name, member: &MemberId) -> Option<Membership> {
        let plans = self.plans();
        let condition = &plans.segments.get(segment)?.condition;
        let as_of = self.clock().now();
        self.audience().with(member, |record| {
            let known = Known::of(record);
            let asked = asked(&plans, &known, as_of);
            let answer = || Membership { member: holds(condition, &asked), as_of, why: why(condition, &asked) };
            record.known.then(answer)
        })
    }

    /// Whether a member belongs to a Segment, from the set that is kept of it; `None` when no such Segment is served or
    /// nobody knows the member.
    pub fn belongs(&self, segment: &Name, member: &MemberId) -> Option<bool> {
        let plans = self.plans();
        let question = self.audience().question(&plans, &[], self.clock().now());
        let members = &question.members;
        let place = members.live.place(segment)?;
        let number = members.number(member).filter(|number| members.columns.known.has(*number))?;
        members.live.members(place).map(|set| set.has(number))
    }

    /// How many members belong to a Segment; `None` when it is not served.
    pub fn segment_size(&self, segment: &Name) -> Option<Size> {
        let plans = self.plans();
        let question = self.audience().question(&plans, &[], self.clock().now());
        let live = &question.members.live;
        let place = live.place(segment)?;
        let size = i64::try_from(live.members(place)?.len()).unwrap_or(i64::MAX);
        let words = live.words(place, question.members.len());
        Some(Size { size, reachable: reachable(&question, &words), as_of: question.now })
    }

    /// What a condition would mean if it were a Segment.
    ///
    /// # Errors
    /// When answering reads too much.
    pub fn preview(&self, condition: &Condition) -> Result<Preview, OverBudget> {
        let plans = self.plans();
        let question = self.audience().question(&plans, &[condition], self.clock().now());
        let selected = question.select(condition)?;
        let size = Size { size: count(&selected), reachable: reachable(&question, &selected), as_of: question.now };
        // The smallest ids, so that asking twice shows the same.
        let mut sample: Vec<&(MemberId, Record)> = Vec::with_capacity(SAMPLE_MAX + 1);
        for found in members_of(&question, &selected) {
            if sample.len() < SAMPLE_MAX || sample.last().is_some_and(|last| found.0 < last.0) {
                let place = sample.partition_point(|other| other.0 < found.0);
                sample.insert(place, found);
                sample.truncate(SAMPLE_MAX);
            }
        }
        let told = |(id, record): &(MemberId, Record)| {
            let known = Known::of(record);
            (id.clone(), why(condition, &asked(&plans, &known, question.now)))
        };
        let sample = sample.into_iter().map(told).collect();
        let histogram = histogram(&question, &selected)?;
        let overlap = overlap(&question, &selected)?;
        Ok(Preview { size, sample, histogram, overlap })
    }

    /// How many members a campaign's audience holds; `None` when it is not served.
    pub fn audience_size(&self, campaign: &Name) -> Option<i64> {
        let plans = self.plans();
        plans.runtime.as_ref()?;
        let condition = condition_of(&plans.campaigns.get(campaign)?.plan.audience);
        let question = self.audience().question(&plans, &[], self.clock().now());
        question.select(&condition).ok().map(|selected| count(&selected))
    }
}

/// A campaign's audience as a condition: what `qualify::audience` asks of one member.
fn condition_of(audience: &Audience) -> Condition {
    let each = |names: &[Name]| Condition::Any(names.iter().cloned().map(Condition::Segment).collect());
    let included = if audience.include.is_empty() { Condition::Everyone } else { each(&audience.include) };
    Condition::All(vec![included, Condition::Not(Box::new(each(&audience.exclude)))])
}

fn count(selected: &[u64]) -> i64 {
    selected.iter().map(|word| i64::from(word.count_ones())).sum()
}

fn reachable(question: &Question<'_>, selected: &[u64]) -> BTreeMap<Name, i64> {
    let reached = question.members.live.reached(selected).into_iter();
    reached.map(|(channel, count)| (channel.clone(), count)).collect()
}

fn members_of<'a>(question: &'a Question<'_>, selected: &'a [u64]) -> impl Iterator<Item = &'a (MemberId, Record)> {
    let numbers = selected.iter().enumerate().flat_map(|(place, word)| ones(*word).map(move |bit| place * WORD + bit));
    numbers.filter_map(|number| question.members.at(number))
}

/// How those who were found spread over tiers, cities and stages of life.
fn histogram(question: &Question<'_>, selected: &[u64]) -> Result<BTreeMap<String, Vec<Bar>>, OverBudget> {
    let mut found = BTreeMap::new();
    for attribute in SPREAD_OVER {
        if let Some(counts) = question.members.columns.attributes.get(attribute).filter(|column| !column.full) {
            found.insert(attribute.to_owned(), bars(counts.spread(selected)));
        }
    }
    let rule = question.plans.runtime.as_ref().map(|runtime| runtime.segments.lifecycle.clone()).unwrap_or_default();
    let mut stages = Vec::new();
    for stage in [Stage::New, Stage::Active, Stage::Dormant, Stage::ChurnRisk, Stage::Churned] {
        let condition = Condition::Lifecycle(Lifecycle { stages: vec![stage], rule: rule.clone() });
        let members = count(&question.within(&condition, selected)?);
        stages.push(Bar { value: Some(format!("{stage:?}")), members });
    }
    found.insert("stage".into(), stages);
    Ok(found)
}

/// The longest bars, and one of all others.
fn bars(counts: Vec<(Option<Scalar>, i64)>) -> Vec<Bar> {
    let counts = counts.into_iter().filter(|(_, members)| *members > 0);
    let mut bars: Vec<Bar> =
        counts.map(|(value, members)| Bar { value: value.as_ref().map(scalar), members }).collect();
    bars.sort_by(|left, right| (right.members, &left.value).cmp(&(left.members, &right.value)));
    bars.truncate(BARS_MAX);
    bars
}

/// How many of those who were found are in the audience of each campaign that runs now.
fn overlap(question: &Question<'_>, selected: &[u64]) -> Result<BTreeMap<Name, i64>, OverBudget> {
    let running = question.plans.campaigns.values().filter(|campaign| {
        let plan = &campaign.plan;
        phase(&plan.schedule, plan.suspended, campaign.settled, question.now) == Phase::Active
    });
    let mut found = BTreeMap::new();
    for campaign in running.take(OVERLAP_MAX) {
        let members = count(&question.within(&condition_of(&campaign.plan.audience), selected)?);
        if members > 0 {
            found.insert(campaign.plan.name.clone(), members);
        }
    }
    Ok(found)
}
