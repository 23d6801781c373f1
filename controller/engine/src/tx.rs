//! A batch as its commands see it: rows that were loaded, what earlier commands of the batch changed, and what the
//! command at hand changes, which is kept only when it comes to an answer.

mod changes;
mod lots;
mod table;

use crate::{Halt, audience::Audience, mint::Draw, plans::Plans};
use fanfare_core::{
    ids::{AccountId, Code, GrantId, HoldId, MemberId, Name, Namespace, OrderId, RedemptionId, RunId},
    ledger::Posting,
    mechanic::{Missing, State},
    model::{Kind, RuntimePlan},
    payload::Payload,
    random::Random,
    reason::{Reason, Refusal},
    time::{Ts, Tz},
    world::Origin,
};
use fanfare_store::{
    Keys, Rows, Writes,
    rows::{
        Audit, Credential, Event, Grant, Hold, Job, Member, Message, Order, Participation, Pooled, Published,
        Redemption, RefreshToken, Run, Stored,
    },
};
use std::{cell::RefCell, collections::BTreeMap};
use table::{Log, Sets, Table};

macro_rules! tables {
    ($($table:ident: $key:ty => $row:ty, $wanted:ident;)*) => {
        #[derive(Debug, Default)]
        struct Tables { $($table: Table<$key, $row>,)* }

        impl Tables {
            fn keep(&mut self) { $(self.$table.keep();)* }
            fn discard(&mut self) { $(self.$table.discard();)* }
            /// Whatever was asked for and did not come does not exist.
            fn absent(&mut self, keys: &Keys) { $(for key in &keys.$wanted { self.$table.known(key.clone(), None); })* }
        }
    };
}

tables! {
    members: MemberId => Member, members;
    identities: (String, String) => MemberId, identities;
    grants: GrantId => Grant, grants;
    codes: Code => GrantId, codes;
    orders: OrderId => Order, orders;
    redemptions: RedemptionId => Redemption, redemptions;
    holds: HoldId => Hold, holds;
    participations: (Name, MemberId) => Participation, participations;
    counters: String => i64, counters;
    balances: (String, String) => i64, balances;
    events: (String, String) => Event, events;
    runs: RunId => Run, runs;
    messages: String => Message, messages;
    jobs: String => Option<Job>, jobs;
    pool: String => Pooled, pool_places;
    pooled: Code => String, pool_codes;
    idempotency: (String, String) => Stored, idempotency;
}

macro_rules! logs {
    ($($log:ident: $item:ty;)*) => {
        #[derive(Debug, Default)]
        struct Logs { $($log: Log<$item>,)* }

        impl Logs {
            fn keep(&mut self) { $(self.$log.keep();)* }
            fn discard(&mut self) { $(self.$log.mine.clear();)* }
        }
    };
}

logs! {
    counted: (String, i64);
    postings: Posting;
    published: Published;
    retired: (Kind, Name);
    lists_set: (Name, Vec<MemberId>);
    list_added: (Name, MemberId);
    list_removed: (Name, MemberId);
    credentials: Credential;
    refresh_tokens: RefreshToken;
    revoked_families: String;
    audit: Audit;
    settings: (String, Vec<u8>);
}

/// Everything that a batch knows and has decided.
#[derive(Debug, Default)]
pub struct Base {
    tables: Tables,
    logs: Logs,
    grants_of: Sets<MemberId, GrantId>,
    grants_by_cause: Sets<String, GrantId>,
    redemptions_of: Sets<OrderId, RedemptionId>,
    runs_of: Sets<(Name, MemberId), RunId>,
    /// The accounts of each wallet's lots.
    lots: Sets<AccountId, String>,
}

impl Base {
    /// Takes in rows that were loaded for `keys`.
    pub fn learn(&mut self, keys: &Keys, rows: Rows) {
        let Rows {
            members,
            identities,
            grants,
            orders,
            redemptions,
            holds,
            participations,
            counters,
            balances,
            events,
            runs,
            messages,
            jobs,
            pool,
            idempotency,
        } = rows;
        let t = &mut self.tables;
        for member in &keys.grants_of {
            self.grants_of.loaded.entry(member.clone()).or_default();
        }
        for cause in &keys.grants_by_cause {
            self.grants_by_cause.loaded.entry(cause.clone()).or_default();
        }
        for order in &keys.redemptions_of {
            self.redemptions_of.loaded.entry(order.clone()).or_default();
        }
        for pair in &keys.runs_of {
            self.runs_of.loaded.entry(pair.clone()).or_default();
        }
        lots::learn(&mut self.lots, keys, &balances);
        for row in grants {
            if let Some(set) = self.grants_of.loaded.get_mut(&row.member).filter(|_| row.state.is_live()) {
                set.insert(row.id.clone());
            }
            if let Some(set) = self.grants_by_cause.loaded.get_mut(&row.cause) {
                set.insert(row.id.clone());
            }
            if let Some(code) = &row.code {
                t.codes.known(code.clone(), Some(row.id.clone()));
            }
            t.grants.known(row.id.clone(), Some(row));
        }
        for row in redemptions {
            if let Some(set) = row.order.as_ref().and_then(|order| self.redemptions_of.loaded.get_mut(order)) {
                set.insert(row.id.clone());
            }
            t.redemptions.known(row.id.clone(), Some(row));
        }
        for row in runs {
            let pair = (row.plan.name.clone(), row.member.clone());
            if let Some(set) = self.runs_of.loaded.get_mut(&pair) {
                set.insert(row.id.clone());
            }
            t.runs.known(row.id.clone(), Some(row));
        }
        for row in members {
            t.members.known(row.id.clone(), Some(row));
        }
        for (kind, value, member) in identities {
            t.identities.known((kind, value), Some(member));
        }
        for row in orders {
            t.orders.known(row.id.clone(), Some(row));
        }
        for row in holds {
            t.holds.known(row.id.clone(), Some(row));
        }
        for row in participations {
            t.participations.known((row.campaign.clone(), row.member.clone()), Some(row));
        }
        for (key, value) in counters {
            t.counters.known(key, Some(value));
        }
        for (account, unit, amount) in balances {
            t.balances.known((account, unit), Some(amount));
        }
        for row in events {
            t.events.known((row.source.clone(), row.id.clone()), Some(row));
        }
        for row in messages {
            t.messages.known(row.id.to_string(), Some(row));
        }
        for row in jobs {
            t.jobs.known(row.id.clone(), Some(Some(row)));
        }
        for (place, row) in pool {
            t.pooled.known(row.code.clone(), Some(place.clone()));
            t.pool.known(place, Some(row));
        }
        for row in idempotency {
            t.idempotency.known((row.scope.clone(), row.key.clone()), Some(row));
        }
        t.absent(keys);
    }

    /// What the command at hand changed becomes part of the batch.
    pub(crate) fn keep(&mut self) {
        self.tables.keep();
        self.logs.keep();
        self.grants_of.keep();
        self.grants_by_cause.keep();
        self.redemptions_of.keep();
        self.runs_of.keep();
        self.lots.keep();
    }

    /// What the command at hand changed is forgotten.
    pub(crate) fn discard(&mut self) {
        self.tables.discard();
        self.logs.discard();
        self.grants_of.mine.clear();
        self.grants_by_cause.mine.clear();
        self.redemptions_of.mine.clear();
        self.runs_of.mine.clear();
        self.lots.mine.clear();
    }

    /// Whether the command at hand changed what is worth something: vouchers, orders, what is set aside, or the ledger.
    pub(crate) fn moves_value(&self) -> bool {
        let Tables { grants, orders, redemptions, holds, pool, .. } = &self.tables;
        !(self.logs.postings.mine.is_empty()
            && grants.mine.is_empty()
            && orders.mine.is_empty()
            && redemptions.mine.is_empty()
            && holds.mine.is_empty()
            && pool.mine.is_empty())
    }

    /// The answer that is stored under an idempotency key.
    pub(crate) fn stored(&self, key: &(String, String)) -> Result<Option<&Stored>, Missing> {
        self.tables.idempotency.get(key)
    }

    /// Stores an answer under its key.
    pub(crate) fn store_answer(&mut self, stored: Stored) {
        self.tables.idempotency.put((stored.scope.clone(), stored.key.clone()), stored, true);
    }

    /// Counters that the batch has changed and read, as they are now.
    pub(crate) fn counted(&self) -> impl Iterator<Item = (&String, &i64)> {
        self.tables.counters.changed.iter()
    }

    /// Everything that the batch has decided, to be written.
    pub(crate) fn into_writes(self, at: Ts) -> Writes {
        let Self { tables, logs, .. } = self;
        let (new_grants, grants) = tables.grants.split();
        let (new_orders, orders) = tables.orders.split();
        let (new_redemptions, redemptions) = tables.redemptions.split();
        let (new_events, _) = tables.events.split();
        let (mut jobs, mut done_jobs) = (Vec::new(), Vec::new());
        for (id, job) in tables.jobs.changed {
            match job {
                Some(job) => jobs.push(job),
                None => done_jobs.push(id),
            }
        }
        let mut counters: BTreeMap<String, i64> = BTreeMap::new();
        for (key, delta) in logs.counted.kept {
            *counters.entry(key).or_default() += delta;
        }
        Writes {
            at: Some(at),
            members: tables.members.all(),
            new_grants,
            grants,
            new_orders,
            orders,
            new_redemptions,
            redemptions,
            holds: tables.holds.all(),
            participations: tables.participations.all(),
            counters: counters.into_iter().filter(|(_, delta)| *delta != 0).collect(),
            postings: logs.postings.kept,
            new_events,
            runs: tables.runs.all(),
            messages: tables.messages.all(),
            jobs,
            done_jobs,
            new_pool: tables.pool.changed.into_iter().collect(),
            idempotency: tables.idempotency.all(),
            published: logs.published.kept,
            retired: logs.retired.kept,
            lists_set: logs.lists_set.kept,
            list_added: logs.list_added.kept,
            list_removed: logs.list_removed.kept,
            credentials: logs.credentials.kept,
            refresh_tokens: logs.refresh_tokens.kept,
            revoked_families: logs.revoked_families.kept,
            audit: logs.audit.kept,
            settings: logs.settings.kept,
            fence: None,
            news: None,
        }
    }
}

/// The batch as one command sees it.
pub struct Tx<'a> {
    /// The instant of the batch, in business time.
    pub now: Ts,
    /// Whose batch it is.
    pub namespace: &'a Namespace,
    /// What is served.
    pub plans: &'a Plans,
    /// The members as memory keeps them, without what this batch changed; see [`Tx::pending_events`].
    pub audience: &'a Audience,
    /// From which device and address the command comes; nothing where nobody said.
    pub(crate) origin: Origin,
    /// The order that the command is about, for limits per order; an empty id for a cart that is no order yet.
    pub(crate) order: Option<OrderId>,
    pub(crate) incarnation: i64,
    /// Whether the command waits for somebody to answer for a restore, once it would move value.
    pub(crate) awaits: bool,
    pub(crate) base: &'a mut Base,
    pub(crate) draw: &'a mut Draw,
    pub(crate) wanted: &'a RefCell<Keys>,
}

/// Answers a row or remembers that it is wanted.
macro_rules! want {
    ($self:ident, $found:expr, $set:ident, $key:expr) => {
        $found.inspect_err(|_| {
            $self.wanted.borrow_mut().$set.insert($key);
        })
    };
}

impl Tx<'_> {
    /// The Runtime.
    ///
    /// # Errors
    /// Refused as not active while the namespace has none: nothing is served without it.
    pub fn runtime(&self) -> Result<&RuntimePlan, Halt> {
        self.plans.runtime.as_deref().ok_or_else(|| {
            Refusal::new(Reason::CampaignNotActive, "this namespace has no CampaignRuntime yet; apply one").into()
        })
    }

    /// The zone of days and limits where nothing narrower is named.
    pub fn zone(&self) -> Tz {
        self.plans.runtime.as_ref().map_or(Tz::UTC, |runtime| runtime.zone)
    }

    /// A new time-ordered id.
    pub fn new_id(&mut self) -> String {
        self.draw.id(self.now, self.incarnation)
    }

    /// For what can be decided only once, whether it moves value or not.
    ///
    /// # Errors
    /// [`Halt::Awaits`] until somebody has answered for a restore.
    pub(crate) fn only_reconciled(&self) -> Result<(), Halt> {
        if self.awaits { Err(Halt::Awaits) } else { Ok(()) }
    }

    /// The command's source of chance.
    pub fn random(&mut self) -> &mut dyn Random {
        self.draw
    }

    /// A member.
    pub fn member(&self, id: &MemberId) -> Result<Option<&Member>, Halt> {
        Ok(want!(self, self.base.tables.members.get(id), members, id.clone())?)
    }
    /// A member's row where this batch changed it, which memory does not know yet.
    pub(crate) fn changed_member(&self, id: &MemberId) -> Option<&Member> {
        self.base.tables.members.mine.get(id).or_else(|| self.base.tables.members.changed.get(id))
    }
    /// Writes a member whole; its identities become findable within the batch.
    pub fn put_member(&mut self, row: Member) {
        let known = &mut self.base.tables.identities;
        row.identities.iter().for_each(|identity| known.put(identity.clone(), row.id.clone(), false));
        self.base.tables.members.put(row.id.clone(), row, false);
    }
    /// The member that has an identity of this type and value.
    pub fn identity(&self, kind: &str, value: &str) -> Result<Option<&MemberId>, Halt> {
        let key = (kind.to_owned(), value.to_owned());
        Ok(want!(self, self.base.tables.identities.get(&key), identities, key.clone())?)
    }

    /// A grant.
    pub fn grant(&self, id: &GrantId) -> Result<Option<&Grant>, Halt> {
        Ok(want!(self, self.base.tables.grants.get(id), grants, id.clone())?)
    }
    /// The grant that has this code, or that the payload which it carries is of.
    pub fn grant_by_code(&self, code: &Code) -> Result<Option<&Grant>, Halt> {
        if let Some(payload) = Payload::of(code) {
            return self.grant(&payload.grant);
        }
        match want!(self, self.base.tables.codes.get(code), codes, code.clone())? {
            Some(id) => self.grant(id),
            None => Ok(None),
        }
    }
    /// The imported code at a place of a pool.
    pub(crate) fn pooled_at(&self, place: &str) -> Result<Option<&Code>, Halt> {
        let place = place.to_owned();
        let found = want!(self, self.base.tables.pool.get(&place), pool_places, place.clone())?;
        Ok(found.map(|row| &row.code))
    }
    /// The place in a pool of an imported code.
    pub(crate) fn pooled_code(&self, code: &Code) -> Result<Option<&String>, Halt> {
        Ok(want!(self, self.base.tables.pooled.get(code), pool_codes, code.clone())?)
    }
    /// Puts an imported code at its place.
    pub(crate) fn put_pooled(&mut self, place: String, row: Pooled) {
        self.base.tables.pooled.put(row.code.clone(), place.clone(), true);
        self.base.tables.pool.put(place, row, true);
    }

    /// Every live grant of a member, by age.
    pub fn grants_of(&self, member: &MemberId) -> Result<Vec<&Grant>, Halt> {
        let ids = want!(self, self.base.grants_of.get(member), grants_of, member.clone())?;
        self.rows_of(ids)
    }
    /// Every grant that something brought about, by age.
    pub fn grants_by_cause(&self, cause: &str) -> Result<Vec<&Grant>, Halt> {
        let cause = cause.to_owned();
        let ids = want!(self, self.base.grants_by_cause.get(&cause), grants_by_cause, cause.clone())?;
        self.rows_of(ids)
    }
    fn rows_of(&self, ids: Vec<GrantId>) -> Result<Vec<&Grant>, Halt> {
        let mut rows = Vec::with_capacity(ids.len());
        for id in &ids {
            // The key is in a map of the batch, which outlives `ids`; look the reference up by the stored key.
            rows.extend(want!(self, self.base.tables.grants.get(id), grants, id.clone())?);
        }
        Ok(rows)
    }
    /// Writes a new grant.
    pub fn new_grant(&mut self, row: Grant) {
        self.base.grants_of.mine.push((row.member.clone(), row.id.clone()));
        self.base.grants_by_cause.mine.push((row.cause.clone(), row.id.clone()));
        if let Some(code) = &row.code {
            self.base.tables.codes.put(code.clone(), row.id.clone(), true);
        }
        self.base.tables.grants.put(row.id.clone(), row, true);
    }
    /// Writes a grant that exists.
    pub fn put_grant(&mut self, row: Grant) {
        self.base.tables.grants.put(row.id.clone(), row, false);
    }

    /// An order.
    pub fn order(&self, id: &OrderId) -> Result<Option<&Order>, Halt> {
        Ok(want!(self, self.base.tables.orders.get(id), orders, id.clone())?)
    }
    /// Writes a new order.
    pub fn new_order(&mut self, row: Order) {
        self.base.tables.orders.put(row.id.clone(), row, true);
    }
    /// Writes an order that exists.
    pub fn put_order(&mut self, row: Order) {
        self.base.tables.orders.put(row.id.clone(), row, false);
    }

    /// A redemption.
    pub fn redemption(&self, id: &RedemptionId) -> Result<Option<&Redemption>, Halt> {
        Ok(want!(self, self.base.tables.redemptions.get(id), redemptions, id.clone())?)
    }
    /// The redemptions of an order, by age.
    pub fn redemptions_of(&self, order: &OrderId) -> Result<Vec<&Redemption>, Halt> {
        let ids = want!(self, self.base.redemptions_of.get(order), redemptions_of, order.clone())?;
        let mut rows = Vec::with_capacity(ids.len());
        for id in &ids {
            rows.extend(want!(self, self.base.tables.redemptions.get(id), redemptions, id.clone())?);
        }
        Ok(rows)
    }
    /// Writes a new redemption.
    pub fn new_redemption(&mut self, row: Redemption) {
        if let Some(order) = &row.order {
            self.base.redemptions_of.mine.push((order.clone(), row.id.clone()));
        }
        self.base.tables.redemptions.put(row.id.clone(), row, true);
    }
    /// Writes a redemption that exists.
    pub fn put_redemption(&mut self, row: Redemption) {
        self.base.tables.redemptions.put(row.id.clone(), row, false);
    }

    /// A hold of flash-sale stock.
    pub fn hold(&self, id: &HoldId) -> Result<Option<&Hold>, Halt> {
        Ok(want!(self, self.base.tables.holds.get(id), holds, id.clone())?)
    }
    /// Writes a hold.
    pub fn put_hold(&mut self, row: Hold) {
        self.base.tables.holds.put(row.id.clone(), row, false);
    }

    /// Whether and since when a member takes part in a campaign.
    pub fn participation(&self, campaign: &Name, member: &MemberId) -> Result<Option<&Participation>, Halt> {
        let key = (campaign.clone(), member.clone());
        Ok(want!(self, self.base.tables.participations.get(&key), participations, key.clone())?)
    }
    /// Writes a participation.
    pub fn put_participation(&mut self, row: Participation) {
        let key = (row.campaign.clone(), row.member.clone());
        self.base.tables.participations.put(key, row, false);
    }

    /// Adds to a counter.
    ///
    /// # Errors
    /// Missing when it is not loaded.
    pub fn count_up(&mut self, key: &str, delta: i64) -> Result<i64, Halt> {
        let value = self.count(key)? + delta;
        self.base.tables.counters.put(key.to_owned(), value, false);
        self.base.logs.counted.mine.push((key.to_owned(), delta));
        Ok(value)
    }

    /// Adds to a figure that no decision reads, without loading it.
    pub fn tally(&mut self, key: &str, delta: i64) {
        debug_assert!(!crate::audience::is_of_member(key), "memory keeps {key}, so it has to be counted");
        self.base.logs.counted.mine.push((key.to_owned(), delta));
    }

    /// A balance of the ledger.
    pub fn balance(&self, account: &str, unit: &str) -> Result<i64, Halt> {
        let key = (account.to_owned(), unit.to_owned());
        let found = want!(self, self.base.tables.balances.get(&key), balances, key.clone())?;
        Ok(found.copied().unwrap_or(0))
    }

    /// Appends a transaction to the ledger. Balances that the batch has loaded follow.
    ///
    /// It must sum to zero per unit; one that does not is a fault of the code and is left out, loudly.
    pub fn post(&mut self, posting: Posting) {
        if !posting.balances() {
            tracing::error!(rule = posting.rule, reference = posting.reference, "a posting does not sum to zero");
            debug_assert!(false, "a posting does not sum to zero: {posting:?}");
            return;
        }
        for entry in &posting.entries {
            let key = (entry.account.clone(), entry.unit.clone());
            if let Ok(known) = self.base.tables.balances.get(&key) {
                let value = known.copied().unwrap_or(0) + entry.amount;
                self.base.tables.balances.put(key, value, false);
            }
        }
        self.base.logs.postings.mine.push(posting);
    }

    /// An event that was accepted.
    pub fn event(&self, source: &str, id: &str) -> Result<Option<&Event>, Halt> {
        let key = (source.to_owned(), id.to_owned());
        Ok(want!(self, self.base.tables.events.get(&key), events, key.clone())?)
    }
    /// Accepts an event; again within the same command, it replaces what was written.
    pub fn new_event(&mut self, row: Event) {
        self.base.tables.events.put((row.source.clone(), row.id.clone()), row, true);
    }
    /// Events of a member that this batch accepted and memory does not have yet, in no particular order.
    pub fn pending_events(&self, member: &MemberId) -> Vec<&Event> {
        let table = &self.base.tables.events;
        let of_member = |event: &&Event| event.member.as_ref() == Some(member);
        let kept = table.changed.iter().filter(|(key, _)| !table.mine.contains_key(*key)).map(|(_, event)| event);
        kept.chain(table.mine.values()).filter(of_member).collect()
    }

    /// A run of an automation.
    pub fn run(&self, id: &RunId) -> Result<Option<&Run>, Halt> {
        Ok(want!(self, self.base.tables.runs.get(id), runs, id.clone())?)
    }
    /// A member's runs of an automation, by age.
    pub fn runs_of(&self, automation: &Name, member: &MemberId) -> Result<Vec<&Run>, Halt> {
        let key = (automation.clone(), member.clone());
        let ids = want!(self, self.base.runs_of.get(&key), runs_of, key.clone())?;
        let mut rows = Vec::with_capacity(ids.len());
        for id in &ids {
            rows.extend(want!(self, self.base.tables.runs.get(id), runs, id.clone())?);
        }
        Ok(rows)
    }
    /// Writes a run.
    pub fn put_run(&mut self, row: Run) {
        self.base.runs_of.mine.push(((row.plan.name.clone(), row.member.clone()), row.id.clone()));
        self.base.tables.runs.put(row.id.clone(), row, false);
    }

    /// A message.
    pub fn message(&self, id: &str) -> Result<Option<&Message>, Halt> {
        let id = id.to_owned();
        Ok(want!(self, self.base.tables.messages.get(&id), messages, id.clone())?)
    }
    /// Writes a message; a queued one leaves after the commit.
    pub fn put_message(&mut self, row: Message) {
        self.base.tables.messages.put(row.id.to_string(), row, false);
    }

    /// Has something done later; the same id again moves it.
    pub fn schedule(&mut self, job: Job) {
        self.base.tables.jobs.put(job.id.clone(), Some(job), false);
    }
    /// A job that is scheduled.
    pub fn job(&self, id: &str) -> Result<Option<&Job>, Halt> {
        Ok(want!(self, self.base.tables.jobs.get(&id.to_owned()), jobs, id.to_owned())?.and_then(Option::as_ref))
    }
    /// Takes a job off, whether there or not; scheduling it afterwards puts it back.
    pub fn done(&mut self, id: &str) {
        self.base.tables.jobs.put(id.to_owned(), None, false);
    }

    /// Serves a revision from the commit on.
    pub fn publish(&mut self, row: Published) {
        self.base.logs.published.mine.push(row);
    }
    /// Serves a resource no longer from the commit on.
    pub fn retire(&mut self, kind: Kind, name: Name) {
        self.base.logs.retired.mine.push((kind, name));
    }
    /// Replaces an uploaded list.
    pub fn set_list(&mut self, list: Name, members: Vec<MemberId>) {
        self.base.logs.lists_set.mine.push((list, members));
    }
    /// Adds a member to a list.
    pub fn add_to_list(&mut self, list: Name, member: MemberId) {
        self.base.logs.list_added.mine.push((list, member));
    }
    /// Takes a member off a list.
    pub fn remove_from_list(&mut self, list: Name, member: MemberId) {
        self.base.logs.list_removed.mine.push((list, member));
    }
    /// Writes a credential.
    pub fn put_credential(&mut self, row: Credential) {
        self.base.logs.credentials.mine.push(row);
    }
    /// Writes a refresh token.
    pub fn put_refresh_token(&mut self, row: RefreshToken) {
        self.base.logs.refresh_tokens.mine.push(row);
    }
    /// Revokes every refresh token that descends from a login.
    pub fn revoke_family(&mut self, family: String) {
        self.base.logs.revoked_families.mine.push(family);
    }
    /// Writes a value of the installation.
    pub(crate) fn set_setting(&mut self, name: String, value: Vec<u8>) {
        self.base.logs.settings.mine.push((name, value));
    }
    /// Notes who changed what; answers the row's id.
    pub fn audit(&mut self, actor: &str, action: &str, object: &str, detail: serde_json::Value) -> String {
        let id = self.new_id();
        self.audit_as(id.clone(), actor, action, object, detail);
        id
    }
    /// The same under an id that follows from what happened, so that it happens once.
    pub(crate) fn audit_as(&mut self, id: String, actor: &str, action: &str, object: &str, detail: serde_json::Value) {
        let at = self.now;
        let row = Audit { id, at, actor: actor.into(), action: action.into(), object: object.into(), detail };
        self.base.logs.audit.mine.push(row);
    }
}

impl State for Tx<'_> {
    fn count(&self, key: &str) -> Result<i64, Missing> {
        let key = key.to_owned();
        let found = want!(self, self.base.tables.counters.get(&key), counters, key.clone())?;
        Ok(found.copied().unwrap_or(0))
    }
}
