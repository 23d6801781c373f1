//! Segments: whether one member belongs and why, how many of all do, and who an idea would reach.
//!
//! One member and all members are asked by the same evaluator over the same memory, so they cannot differ.

use crate::{
    Engine,
    audience::Record,
    knowledge::{Known, asked},
    outbox,
    plans::Plans,
    progress::remembered,
};
use fanfare_core::{
    ids::{MemberId, Name},
    model::segment::Condition,
    qualify,
    segment::{Why, holds, why},
    time::Ts,
    world::Visit,
};
use parking_lot::Mutex;
use std::{
    collections::{BTreeMap, HashMap},
    sync::Arc,
};

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
        let condition = &plans.segments.get(segment)?.condition;
        let mark = self.mark(&plans);
        let counted = &self.audience().counted;
        if let Some((of, size)) = counted.sizes.lock().get(segment)
            && of.stands(&mark)
        {
            return Some(size.clone());
        }
        let size = self.scan(&plans, condition, mark.at, |_, _| {});
        let mut sizes = counted.sizes.lock();
        sizes.retain(|name, _| plans.segments.contains_key(name));
        sizes.insert(segment.clone(), (mark, size.clone()));
        Some(size)
    }

    /// What a condition would mean if it were a Segment.
    pub fn preview(&self, condition: &Condition) -> Preview {
        let plans = self.plans();
        let now = self.clock().now();
        let mut sample: Vec<MemberId> = Vec::new();
        let size = self.scan(&plans, condition, now, |id, _| {
            // The smallest ids, so that asking twice shows the same.
            if sample.len() < SAMPLE_MAX || sample.last().is_some_and(|last| id < last) {
                let place = sample.partition_point(|other| other < id);
                sample.insert(place, id.clone());
                sample.truncate(SAMPLE_MAX);
            }
        });
        let members = self.audience().read();
        let told = |id: MemberId| {
            let record = members.get(&id)?;
            let known = Known::of(record);
            let reasons = why(condition, &asked(&plans, &known, now));
            Some((id, reasons))
        };
        Preview { size, sample: sample.into_iter().filter_map(told).collect() }
    }

    /// How many members a campaign's audience holds; `None` when it is not served.
    pub fn audience_size(&self, campaign: &Name) -> Option<i64> {
        let plans = self.plans();
        let audience = &plans.campaigns.get(campaign)?.plan.audience;
        let mark = self.mark(&plans);
        let counted = &self.audience().counted;
        if let Some((of, size)) = counted.audiences.lock().get(campaign)
            && of.stands(&mark)
        {
            return Some(*size);
        }
        let size = {
            let members = self.audience().read();
            let mut within = 0_i64;
            for (id, record) in members.iter().filter(|(_, record)| record.known) {
                let inside =
                    |visit: Option<Visit<'_>>| visit.is_some_and(|v| qualify::audience(audience, &v).is_none());
                within += i64::from(remembered(&plans, Some((id, record)), mark.at, inside));
            }
            within
        };
        let mut audiences = counted.audiences.lock();
        audiences.retain(|name, _| plans.campaigns.contains_key(name));
        audiences.insert(campaign.clone(), (mark, size));
        Some(size)
    }

    fn scan(
        &self,
        plans: &Arc<Plans>,
        condition: &Condition,
        as_of: Ts,
        mut found: impl FnMut(&MemberId, &Record),
    ) -> Size {
        let mut size = Size { size: 0, reachable: BTreeMap::new(), as_of };
        let mut reached: Vec<(&Name, i64)> = plans.channels.keys().map(|name| (name, 0)).collect();
        let members = self.audience().read();
        for (id, record) in members.iter().filter(|(_, record)| record.known) {
            let known = Known::of(record);
            if !holds(condition, &asked(plans, &known, as_of)) {
                continue;
            }
            size.size += 1;
            for ((_, count), channel) in reached.iter_mut().zip(plans.channels.values()) {
                let has_address =
                    outbox::identity_type(&channel.means).is_none_or(|kind| record.identities.contains(kind));
                let agreed = outbox::consents(&record.consent, &channel.name, &channel.means);
                *count += i64::from(has_address && agreed);
            }
            found(id, record);
        }
        size.reachable = reached.into_iter().map(|(name, count)| (name.clone(), count)).collect();
        size
    }
}
