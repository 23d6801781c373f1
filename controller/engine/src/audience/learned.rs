//! What a batch changed about members, as it is told to memory and to those who follow.

use super::{Fact, Members, holder};
use fanfare_core::{
    ids::{MemberId, Name},
    mechanic::key::inside_of,
    model::segment::Scalar,
    time::Ts,
};
use fanfare_store::{
    Writes,
    rows::{Consent, Event, Member, Participation},
};
use serde::{Deserialize, Serialize};
use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
};

/// What memory keeps of a member's row: no identity's value, so that what others follow tells none either.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct Profile {
    pub(crate) id: MemberId,
    pub(crate) attributes: BTreeMap<String, Scalar>,
    pub(crate) tags: BTreeSet<String>,
    pub(crate) consent: Consent,
    pub(crate) identities: BTreeSet<String>,
    pub(crate) known: bool,
    #[serde(default)]
    pub(crate) since: Option<Ts>,
}

impl Profile {
    pub(crate) fn of(row: Member) -> Self {
        Self {
            id: row.id,
            attributes: row.attributes,
            tags: row.tags,
            consent: row.consent,
            identities: row.identities.into_iter().map(|(kind, _)| kind).collect(),
            known: row.merged_into.is_none(),
            since: Some(row.created_at),
        }
    }
}

/// What a batch changed about members, as it is after the batch. Taking it in twice, or into a memory that was read
/// from the database while it was written, changes nothing: every part says how something is, none by how much it moved.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub(crate) struct Learned {
    #[serde(skip_serializing_if = "Vec::is_empty")]
    members: Vec<Profile>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    facts: Vec<Told>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    participations: Vec<Participation>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    counters: Vec<(MemberId, String, i64)>,
    /// Who was told to be in a Segment or not; without a member, whether anybody is told at all.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    told: Vec<(Name, Option<MemberId>, bool)>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    lists_set: Vec<(Name, Vec<MemberId>)>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    list_added: Vec<(Name, MemberId)>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    list_removed: Vec<(Name, MemberId)>,
}

/// A member's fact as it is told.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
struct Told {
    member: MemberId,
    digest: u64,
    kind: String,
    time: Ts,
    data: Arc<serde_json::Value>,
}

/// What a counter says of who was told to be in a Segment.
pub(super) fn standing(key: &str, value: i64) -> Option<(Name, Option<MemberId>, bool)> {
    let (segment, member) = inside_of(key)?;
    Some((segment, member, value > 0))
}

impl Learned {
    /// Takes from a batch's writes what concerns members; `counted` are the counters that it changed, as they are now.
    pub(crate) fn of(writes: &Writes, counted: &[(String, i64)]) -> Self {
        let told = |event: &Event| {
            let member = event.member.clone()?;
            let Fact { digest, kind, time, data } = Fact::of(event);
            Some(Told { member, digest, kind: (*kind).into(), time, data })
        };
        Self {
            members: writes.members.iter().cloned().map(Profile::of).collect(),
            facts: writes.new_events.iter().filter_map(told).collect(),
            participations: writes.participations.clone(),
            counters: counted.iter().filter_map(|(key, value)| Some((holder(key)?, key.clone(), *value))).collect(),
            told: counted.iter().filter_map(|(key, value)| standing(key, *value)).collect(),
            lists_set: writes.lists_set.clone(),
            list_added: writes.list_added.clone(),
            list_removed: writes.list_removed.clone(),
        }
    }

    pub(crate) fn is_empty(&self) -> bool {
        *self == Self::default()
    }

    /// Changes `members` accordingly; answers who was touched.
    pub(crate) fn take_into(self, members: &mut Members) -> Touched {
        let Self { members: rows, facts, participations, counters, told, lists_set, list_added, list_removed } = self;
        let mut touched = Touched::default();
        for (member, key, value) in counters {
            members.record(&member).counters.insert(key.into(), value);
        }
        for (segment, member, inside) in told {
            members.take_told(&segment, member.as_ref(), inside);
        }
        for row in rows {
            touched.people.extend(members.take_profile(row));
        }
        for Told { member, digest, kind, time, data } in facts {
            let fact = Fact { digest, kind: members.kind(&kind), time, data };
            touched.acted.extend(members.take_fact(&member, fact));
        }
        for row in participations {
            members.record(&row.member.clone()).participations.insert(row.campaign.clone(), row);
        }
        for (list, named) in lists_set {
            touched.people.extend(members.set_list(&list, &named));
        }
        for (list, member) in list_added {
            touched.people.extend(members.put_on_list(&list, &member, true));
        }
        for (list, member) in list_removed {
            touched.people.extend(members.put_on_list(&list, &member, false));
        }
        touched
    }
}

/// Who was touched, by dense id.
#[derive(Debug, Default)]
pub(crate) struct Touched {
    /// Whose row or lists changed.
    pub(crate) people: Vec<u32>,
    /// Who did something, of which type.
    pub(crate) acted: Vec<(u32, Arc<str>)>,
}
