//! The members as memory keeps them: a cache of the database, rebuilt at start and updated after each commit and before
//! its answer, so that a decision never waits for a query and a reader sees what was acknowledged.

//!
//! Beside the records stands their columnar index ([`columns`]): [`compile`] turns a condition into questions to it,
//! [`scan`] and [`kernel`] answer them for all members, [`live`] keeps the stored Segments' members.

mod bits;
mod codes;
mod columns;
mod compile;
#[cfg(test)]
mod figures;
mod kernel;
mod learned;
mod live;
mod members;
mod question;
mod scan;
mod table;
#[cfg(test)]
mod tests;
mod wanted;
mod watch;
mod wheel;
mod zone;

pub(crate) use bits::{WORD, ones};
pub use columns::Footprint;
pub(crate) use learned::{Learned, Touched};
pub use members::Members;
pub(crate) use question::Question;
pub use scan::{OverBudget, READS_MAX, THREADS_MAX};

use crate::plans::Plans;
use fanfare_core::{
    ids::{MemberId, Name, Namespace},
    mechanic::key::INSIDE,
    model::segment::Scalar,
    time::{Ts, Tz},
};
use fanfare_store::{
    Result, Store,
    rows::{Consent, Event, Member, Participation},
};
use futures::StreamExt;
use learned::Profile;
use parking_lot::{RwLock, RwLockReadGuard};
use std::{
    collections::{BTreeMap, BTreeSet},
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
    steadies: zone::Steadies,
}

/// Reads every member from the database.
///
/// # Errors
/// The store's, when it cannot be read.
pub(crate) async fn read(store: &dyn Store, ns: &Namespace) -> Result<Members> {
    let mut members = Members::default();
    let mut rows = store.members(ns);
    while let Some(row) = rows.next().await {
        let profile = Profile::of(row?);
        members.record(&profile.id.clone()).take(profile);
    }
    let mut events = store.events(ns);
    while let Some(event) = events.next().await {
        let event = event?;
        if let Some(member) = event.member.clone() {
            let fact = Fact { kind: members.kind(&event.kind), ..Fact::of(&event) };
            members.record(&member).facts.push(fact);
        }
    }
    let mut lists = store.lists(ns);
    while let Some(row) = lists.next().await {
        let (list, member) = row?;
        members.record(&member).lists.insert(list);
    }
    let mut participations = store.participations(ns);
    while let Some(row) = participations.next().await {
        let row = row?;
        members.record(&row.member.clone()).participations.insert(row.campaign.clone(), row);
    }
    for (key, value) in store.counters(ns, "mechanic|").await? {
        if let Some(member) = holder(&key) {
            members.record(&member).counters.insert(key.into(), value);
        }
    }
    for (key, value) in store.counters(ns, INSIDE).await? {
        if let Some((segment, member, inside)) = learned::standing(&key, value) {
            members.take_told(&segment, member.as_ref(), inside);
        }
    }
    members.index();
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

    /// Takes in what a batch of `at` changed, and whom that moves into or out of which stored Segment.
    pub(crate) fn learn(&self, learned: Learned, plans: &Plans, at: Ts) {
        if learned.is_empty() {
            return;
        }
        let steady = self.steadies.around(at, zone_of(plans));
        let mut members = self.members.write();
        self.changes.fetch_add(1, Ordering::AcqRel);
        let touched = learned.take_into(&mut members);
        members.touch(plans, touched, at, steady);
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
    holder(key).is_some() || key.starts_with(INSIDE)
}

/// The member for whom a mechanic counts under this key, as [`fanfare_core::mechanic::key::member`] makes it.
fn holder(key: &str) -> Option<MemberId> {
    let mut parts = key.splitn(4, '|');
    let (kind, tail) = (parts.next()?, parts.nth(2)?);
    let (member, _) = tail.strip_prefix("member:")?.rsplit_once('|')?;
    (kind == "mechanic").then(|| member.into())
}

/// The zone in which days are counted.
pub(crate) fn zone_of(plans: &Plans) -> Tz {
    plans.runtime.as_ref().map_or(Tz::UTC, |runtime| runtime.zone)
}
