//! The members as memory keeps them: a cache of the database, rebuilt at start and updated after each commit and before
//! its answer, so that a decision never waits for a query and a reader sees what was acknowledged.

use crate::segments::Counted;
use fanfare_core::{
    ids::{MemberId, Name, Namespace},
    model::segment::Scalar,
    time::Ts,
};
use fanfare_store::{
    Result, Store, Writes,
    rows::{Consent, Event, Member, Participation},
};
use futures::StreamExt;
use parking_lot::{RwLock, RwLockReadGuard};
use serde::{Deserialize, Serialize};
use std::{
    collections::{BTreeMap, BTreeSet, HashMap},
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
};

/// What is known of one member.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Record {
    /// As the Runtime declares them.
    pub attributes: BTreeMap<String, Scalar>,
    /// Free labels.
    pub tags: BTreeSet<String>,
    /// Uploaded lists that name the member.
    pub lists: BTreeSet<Name>,
    /// What the member agreed to.
    pub consent: Consent,
    /// Types of the identities that the member has, such as `email`: what a channel needs to reach it.
    pub identities: BTreeSet<String>,
    /// What the member did, by time.
    pub facts: Vec<Fact>,
    /// Campaigns that the member takes part in.
    pub participations: BTreeMap<Name, Participation>,
    /// How far mechanics have counted for the member, by the counter's key: what progress is read from.
    pub counters: BTreeMap<Arc<str>, i64>,
    /// Whether the member itself is known, or only a list or an event names it.
    pub known: bool,
    /// When the member became known.
    pub since: Option<Ts>,
}

impl Record {
    /// This record with what a row of the member says instead.
    pub(crate) fn with_row(&self, row: &Member) -> Self {
        let mut record = self.clone();
        record.take(Profile::of(row.clone()));
        record
    }

    fn take(&mut self, profile: Profile) {
        let Profile { id: _, attributes, tags, consent, identities, known, since } = profile;
        self.attributes = attributes;
        self.tags = tags;
        self.consent = consent;
        self.identities = identities;
        self.known = known;
        self.since = since;
    }
}

/// What memory keeps of a member's row: no identity's value, so that what others follow tells none either.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
struct Profile {
    id: MemberId,
    attributes: BTreeMap<String, Scalar>,
    tags: BTreeSet<String>,
    consent: Consent,
    identities: BTreeSet<String>,
    known: bool,
    #[serde(default)]
    since: Option<Ts>,
}

impl Profile {
    fn of(row: Member) -> Self {
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

/// Something that a member did.
#[derive(Clone, Debug, PartialEq)]
pub struct Fact {
    /// Which event it was, as a digest of its source and id: what is told twice counts once.
    pub(crate) digest: u64,
    /// The event's type.
    pub kind: Arc<str>,
    /// When it happened.
    pub time: Ts,
    /// Its data.
    pub data: Arc<serde_json::Value>,
}

impl Fact {
    /// The fact that an event tells.
    pub fn of(event: &Event) -> Self {
        let mut hasher = blake3::Hasher::new();
        hasher.update(&(event.source.len() as u64).to_le_bytes());
        hasher.update(event.source.as_bytes()).update(event.id.as_bytes());
        let mut digest = [0; 8];
        hasher.finalize_xof().fill(&mut digest);
        let digest = u64::from_le_bytes(digest);
        Self { digest, kind: event.kind.as_str().into(), time: event.time, data: Arc::clone(&event.data) }
    }
}

/// Every member of a namespace.
#[derive(Debug, Default)]
pub struct Audience {
    members: RwLock<Members>,
    changes: AtomicU64,
    /// Sizes that were counted over it lately.
    pub(crate) counted: Counted,
}

/// Members by id.
pub type Members = HashMap<MemberId, Record>;

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
    kind: Arc<str>,
    time: Ts,
    data: Arc<serde_json::Value>,
}

impl Learned {
    /// Takes from a batch's writes what concerns members; `counted` are the counters that it changed, as they are now.
    pub(crate) fn of(writes: &Writes, counted: &[(String, i64)]) -> Self {
        let told = |event: &Event| {
            let member = event.member.clone()?;
            let Fact { digest, kind, time, data } = Fact::of(event);
            Some(Told { member, digest, kind, time, data })
        };
        Self {
            members: writes.members.iter().cloned().map(Profile::of).collect(),
            facts: writes.new_events.iter().filter_map(told).collect(),
            participations: writes.participations.clone(),
            counters: counted.iter().filter_map(|(key, value)| Some((holder(key)?, key.clone(), *value))).collect(),
            lists_set: writes.lists_set.clone(),
            list_added: writes.list_added.clone(),
            list_removed: writes.list_removed.clone(),
        }
    }

    fn is_empty(&self) -> bool {
        *self == Self::default()
    }

    /// Changes `members` accordingly.
    pub(crate) fn take_into(self, members: &mut Members) {
        let Self { members: rows, facts, participations, counters, lists_set, list_added, list_removed } = self;
        for (member, key, value) in counters {
            members.entry(member).or_default().counters.insert(key.into(), value);
        }
        for row in rows {
            members.entry(row.id.clone()).or_default().take(row);
        }
        for Told { member, digest, kind, time, data } in facts {
            let fact = Fact { digest, kind, time, data };
            add_fact(&mut members.entry(member).or_default().facts, fact);
        }
        for row in participations {
            take_participation(members, row);
        }
        for (list, named) in lists_set {
            for record in members.values_mut() {
                record.lists.remove(&list);
            }
            for member in named {
                members.entry(member).or_default().lists.insert(list.clone());
            }
        }
        for (list, member) in list_added {
            members.entry(member).or_default().lists.insert(list);
        }
        for (list, member) in list_removed {
            if let Some(record) = members.get_mut(&member) {
                record.lists.remove(&list);
            }
        }
    }
}

/// Adds a fact in its place by time, unless it is there.
fn add_fact(facts: &mut Vec<Fact>, fact: Fact) {
    let place = facts.partition_point(|other| other.time <= fact.time);
    let known = facts[..place].iter().rev().take_while(|other| other.time == fact.time);
    if !known.into_iter().any(|other| other.digest == fact.digest) {
        facts.insert(place, fact);
    }
}

/// Reads every member from the database.
///
/// # Errors
/// The store's, when it cannot be read.
pub(crate) async fn read(store: &dyn Store, ns: &Namespace) -> Result<Members> {
    let mut members = Members::new();
    let mut rows = store.members(ns);
    while let Some(row) = rows.next().await {
        let profile = Profile::of(row?);
        members.entry(profile.id.clone()).or_default().take(profile);
    }
    let mut events = store.events(ns);
    while let Some(event) = events.next().await {
        let event = event?;
        if let Some(member) = event.member.clone() {
            members.entry(member).or_default().facts.push(Fact::of(&event));
        }
    }
    let mut lists = store.lists(ns);
    while let Some(row) = lists.next().await {
        let (list, member) = row?;
        members.entry(member).or_default().lists.insert(list);
    }
    let mut participations = store.participations(ns);
    while let Some(row) = participations.next().await {
        take_participation(&mut members, row?);
    }
    for (key, value) in store.counters(ns, "mechanic|").await? {
        if let Some(member) = holder(&key) {
            members.entry(member).or_default().counters.insert(key.into(), value);
        }
    }
    for record in members.values_mut() {
        record.facts.sort_by_key(|fact| fact.time);
    }
    Ok(members)
}

impl From<Members> for Audience {
    fn from(members: Members) -> Self {
        Self { members: RwLock::new(members), ..Self::default() }
    }
}

impl Audience {
    /// How often something was learned: what was computed at the same number stands.
    pub fn changes(&self) -> u64 {
        self.changes.load(Ordering::Acquire)
    }

    /// Every member, for a scan. Writers wait meanwhile.
    pub fn read(&self) -> RwLockReadGuard<'_, Members> {
        self.members.read()
    }

    /// Asks something of one member; a member that nobody knows is an empty record.
    pub fn with<T>(&self, id: &MemberId, ask: impl FnOnce(&Record) -> T) -> T {
        match self.members.read().get(id) {
            Some(record) => ask(record),
            None => ask(&Record::default()),
        }
    }

    pub(crate) fn learn(&self, learned: Learned) {
        if learned.is_empty() {
            return;
        }
        let mut members = self.members.write();
        self.changes.fetch_add(1, Ordering::AcqRel);
        learned.take_into(&mut members);
    }

    /// Forgets everything for what was read anew. Readers wait for an instant.
    pub(crate) fn replace(&self, members: Members) {
        let former = std::mem::replace(&mut *self.members.write(), members);
        self.changes.fetch_add(1, Ordering::AcqRel);
        drop(former);
    }
}

/// Whether a counter is one that memory keeps for its member.
pub(crate) fn is_of_member(key: &str) -> bool {
    holder(key).is_some()
}

/// The member for whom a mechanic counts under this key, as [`fanfare_core::mechanic::key::member`] makes it.
fn holder(key: &str) -> Option<MemberId> {
    let mut parts = key.splitn(4, '|');
    let (kind, tail) = (parts.next()?, parts.nth(2)?);
    let (member, _) = tail.strip_prefix("member:")?.rsplit_once('|')?;
    (kind == "mechanic").then(|| member.into())
}

fn take_participation(members: &mut Members, row: Participation) {
    members.entry(row.member.clone()).or_default().participations.insert(row.campaign.clone(), row);
}
