//! The members as memory keeps them: a cache of the database, rebuilt at start and updated after each commit and before
//! its answer, so that a decision never waits for a query and a reader sees what was acknowledged.

use crate::segments::Counted;
use fanfare_core::{
    ids::{MemberId, Name},
    model::segment::Scalar,
    time::Ts,
};
use fanfare_store::{
    Result, Store, Writes,
    rows::{Consent, Event, Member, Participation},
};
use futures::StreamExt;
use parking_lot::{RwLock, RwLockReadGuard};
use std::{
    collections::{BTreeMap, BTreeSet, HashMap},
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
};

/// What is known of one member.
#[derive(Clone, Debug, Default)]
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
}

impl Record {
    /// This record with what a row of the member says instead.
    pub(crate) fn with_row(&self, row: &Member) -> Self {
        let mut record = self.clone();
        record.take(row.clone());
        record
    }

    fn take(&mut self, row: Member) {
        self.attributes = row.attributes;
        self.tags = row.tags;
        self.consent = row.consent;
        self.identities = row.identities.into_iter().map(|(kind, _)| kind).collect();
        self.known = row.merged_into.is_none();
    }
}

/// Something that a member did.
#[derive(Clone, Debug)]
pub struct Fact {
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
        Self { kind: event.kind.as_str().into(), time: event.time, data: Arc::new(event.data.clone()) }
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

/// What a batch changed about members.
#[derive(Debug, Default)]
pub(crate) struct Learned {
    members: Vec<Member>,
    facts: Vec<(MemberId, Fact)>,
    participations: Vec<Participation>,
    counters: Vec<(MemberId, String, i64)>,
    lists_set: Vec<(Name, Vec<MemberId>)>,
    list_added: Vec<(Name, MemberId)>,
    list_removed: Vec<(Name, MemberId)>,
}

impl Learned {
    /// Takes from a batch's writes what concerns members.
    pub(crate) fn of(writes: &Writes) -> Self {
        let fact = |event: &Event| event.member.clone().map(|member| (member, Fact::of(event)));
        Self {
            members: writes.members.clone(),
            facts: writes.new_events.iter().filter_map(fact).collect(),
            participations: writes.participations.clone(),
            counters: writes
                .counters
                .iter()
                .filter_map(|(key, delta)| Some((holder(key)?, key.clone(), *delta)))
                .collect(),
            lists_set: writes.lists_set.clone(),
            list_added: writes.list_added.clone(),
            list_removed: writes.list_removed.clone(),
        }
    }

    fn is_empty(&self) -> bool {
        self.members.is_empty()
            && self.facts.is_empty()
            && self.participations.is_empty()
            && self.counters.is_empty()
            && self.lists_set.is_empty()
            && self.list_added.is_empty()
            && self.list_removed.is_empty()
    }
}

impl Audience {
    /// Reads every member from the database.
    ///
    /// # Errors
    /// The store's, when it cannot be read.
    pub async fn rebuild(store: &dyn Store, ns: &fanfare_core::ids::Namespace) -> Result<Self> {
        let mut members = Members::new();
        let mut rows = store.members(ns);
        while let Some(row) = rows.next().await {
            take_member(&mut members, row?);
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
        Ok(Self { members: RwLock::new(members), changes: AtomicU64::new(0), counted: Counted::default() })
    }

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
        let Learned { members: rows, facts, participations, counters, lists_set, list_added, list_removed } = learned;
        let mut members = self.members.write();
        self.changes.fetch_add(1, Ordering::AcqRel);
        for (member, key, delta) in counters {
            let counters = &mut members.entry(member).or_default().counters;
            *counters.entry(key.into()).or_default() += delta;
        }
        for row in rows {
            take_member(&mut members, row);
        }
        for (member, fact) in facts {
            let facts = &mut members.entry(member).or_default().facts;
            let place = facts.partition_point(|other| other.time <= fact.time);
            facts.insert(place, fact);
        }
        for row in participations {
            take_participation(&mut members, row);
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

fn take_member(members: &mut Members, row: Member) {
    members.entry(row.id.clone()).or_default().take(row);
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
