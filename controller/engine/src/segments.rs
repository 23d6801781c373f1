//! Segments: whether one member belongs and why, how many of all do, and who an idea would reach.
//!
//! One member is asked by core's evaluator over its record, all members over columns; a test holds the two equal.

use crate::{
    Engine,
    audience::{OverBudget, Question, Record, WORD, ones},
    knowledge::{Known, asked},
    outbox,
    plans::Plans,
};
use fanfare_core::{
    ids::{MemberId, Name},
    model::{campaign::Audience, segment::Condition},
    segment::{Why, holds, why},
    time::Ts,
};
use parking_lot::Mutex;
use std::collections::{BTreeMap, HashMap};

/// How many members a preview shows.
pub const SAMPLE_MAX: usize = 10;
/// How long a counted size may stand while nobody's facts changed, in seconds: windows of time move on by themselves.
const COUNTED_LASTS_S: i64 = 15;

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
}

/// Sizes that were counted lately, and how often memory changed until then.
#[derive(Debug, Default)]
pub struct Counted {
    sizes: Mutex<HashMap<Name, (Mark, Size)>>,
    audiences: Mutex<HashMap<Name, (Mark, i64)>>,
}

/// Of which rules, facts and time a count is.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Mark {
    rules: String,
    changes: u64,
    at: Ts,
}

impl Mark {
    /// Whether what was counted at this mark still stands at `now`.
    fn stands(&self, now: &Self) -> bool {
        let age = (now.at - self.at).num_seconds();
        self.rules == now.rules && self.changes == now.changes && (0..COUNTED_LASTS_S).contains(&age)
    }
}

impl Engine {
    fn mark(&self, plans: &Plans) -> Mark {
        Mark { rules: plans.digest.clone(), changes: self.audience().changes(), at: self.clock().now() }
    }

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

    /// How many members belong to a Segment; `None` when it is not served.
    pub fn segment_size(&self, segment: &Name) -> Option<Size> {
        let plans = self.plans();
        plans.segments.get(segment)?;
        let mark = self.mark(&plans);
        let counted = &self.audience().counted;
        if let Some((of, size)) = counted.sizes.lock().get(segment)
            && of.stands(&mark)
        {
            return Some(size.clone());
        }
        let condition = Condition::Segment(segment.clone());
        let question = self.audience().question(&plans, &[&condition], mark.at);
        let size = match question.select(&condition) {
            Ok(selected) => size_of(&question, &selected),
            Err(error) => {
                tracing::warn!(segment = segment.as_str(), %error, "a Segment's size cannot be counted");
                return None;
            }
        };
        drop(question);
        let mut sizes = counted.sizes.lock();
        sizes.retain(|name, _| plans.segments.contains_key(name));
        sizes.insert(segment.clone(), (mark, size.clone()));
        Some(size)
    }

    /// What a condition would mean if it were a Segment.
    ///
    /// # Errors
    /// When answering reads too much.
    pub fn preview(&self, condition: &Condition) -> Result<Preview, OverBudget> {
        let plans = self.plans();
        let now = self.clock().now();
        let question = self.audience().question(&plans, &[condition], now);
        let selected = question.select(condition)?;
        let size = size_of(&question, &selected);
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
            (id.clone(), why(condition, &asked(&plans, &known, now)))
        };
        Ok(Preview { size, sample: sample.into_iter().map(told).collect() })
    }

    /// How many members a campaign's audience holds; `None` when it is not served.
    pub fn audience_size(&self, campaign: &Name) -> Option<i64> {
        let plans = self.plans();
        plans.runtime.as_ref()?;
        let audience = &plans.campaigns.get(campaign)?.plan.audience;
        let mark = self.mark(&plans);
        let counted = &self.audience().counted;
        if let Some((of, size)) = counted.audiences.lock().get(campaign)
            && of.stands(&mark)
        {
            return Some(*size);
        }
        let condition = condition_of(audience);
        let question = self.audience().question(&plans, &[&condition], mark.at);
        let selected = question.select(&condition).inspect_err(|error| {
            tracing::warn!(campaign = campaign.as_str(), %error, "a campaign's audience cannot be counted");
        });
        let size = count(&selected.ok()?);
        drop(question);
        let mut audiences = counted.audiences.lock();
        audiences.retain(|name, _| plans.campaigns.contains_key(name));
        audiences.insert(campaign.clone(), (mark, size));
        Some(size)
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

fn members_of<'a>(question: &'a Question<'_>, selected: &'a [u64]) -> impl Iterator<Item = &'a (MemberId, Record)> {
    let numbers = selected.iter().enumerate().flat_map(|(place, word)| ones(*word).map(move |bit| place * WORD + bit));
    numbers.filter_map(|number| question.members.at(number))
}

fn size_of(question: &Question<'_>, selected: &[u64]) -> Size {
    let channels = &question.plans.channels;
    let mut reached: Vec<i64> = vec![0; channels.len()];
    for (_, record) in members_of(question, selected) {
        for (count, channel) in reached.iter_mut().zip(channels.values()) {
            let kind = outbox::identity_type(&channel.means);
            let has_address = kind.is_none_or(|kind| record.identities.contains(kind));
            let agreed = outbox::consents(&record.consent, &channel.name, &channel.means);
            *count += i64::from(has_address && agreed);
        }
    }
    let reachable = channels.keys().cloned().zip(reached).collect();
    Size { size: count(selected), reachable, as_of: question.now }
}
