//! A database that several engines share, for tests: a real one in memory that also keeps what batches tell those who
//! follow. It decides nothing.

use fanfare_core::{
    ids::{AccountId, Code, GrantId, MemberId, Name, Namespace, OrderId, RedemptionId},
    ledger::Entry,
    model::Kind,
    time::Ts,
};
use fanfare_store::{
    Answer, Batch, Keys, News, Page, Position, Result, Rows, SqliteStore, Store, Writes,
    reports::{Asked, Cut, ExceptionsOf, Inspection},
    rows::{
        Audit, Credential, Event, Grant, GrantState, Job, LedgerLine, Member, Message, Order, Participation, Pooled,
        Published, Redemption, RefreshToken, Run,
    },
};
use futures::stream::BoxStream;
use std::sync::Mutex;

/// A database in memory for several engines.
pub(crate) struct Shared {
    inner: SqliteStore,
    /// The last of what batches told, and how many are kept.
    told: Mutex<News>,
    keep: usize,
}

impl Shared {
    /// One that keeps the news of `keep` batches.
    pub(crate) async fn new(keep: usize) -> Self {
        Self { inner: SqliteStore::in_memory().await.unwrap(), told: Mutex::default(), keep }
    }

    fn told_since(&self, since: Position, reached: Position) -> Option<News> {
        let told = self.told.lock().unwrap();
        let after: News = told.iter().filter(|(position, _)| *position > since).cloned().collect();
        let is_whole = since >= reached || told.first().is_some_and(|(first, _)| *first <= Position(since.0 + 1));
        (is_whole || after.len() < told.len()).then_some(after)
    }
}

struct SharedBatch<'a> {
    inner: Box<dyn Batch + 'a>,
    shared: &'a Shared,
}

impl Batch for SharedBatch<'_> {
    fn position(&self) -> Position {
        self.inner.position()
    }
    fn news<'a>(&'a mut self, since: Position) -> Answer<'a, Option<News>> {
        let reached = self.inner.position();
        Box::pin(async move { Ok(self.shared.told_since(since, reached)) })
    }
    fn load<'a>(&'a mut self, keys: &'a Keys) -> Answer<'a, Rows> {
        self.inner.load(keys)
    }
    fn commit<'a>(self: Box<Self>, mut writes: Writes) -> Answer<'a, Position>
    where
        Self: 'a,
    {
        Box::pin(async move {
            let Self { inner, shared } = *self;
            let news = writes.news.take();
            let position = inner.commit(writes).await?;
            let mut told = shared.told.lock().unwrap();
            told.extend(news.map(|bytes| (position, bytes)));
            let surplus = told.len().saturating_sub(shared.keep);
            told.drain(..surplus);
            Ok(position)
        })
    }
}

impl Store for Shared {
    fn begin<'a>(&'a self, namespace: &'a Namespace) -> Answer<'a, Box<dyn Batch + 'a>> {
        Box::pin(async move {
            let inner = self.inner.begin(namespace).await?;
            Ok(Box::new(SharedBatch { inner, shared: self }) as Box<dyn Batch + 'a>)
        })
    }
    fn shared(&self) -> bool {
        true
    }
    fn news<'a>(&'a self, ns: &'a Namespace, since: Position) -> Answer<'a, Option<News>> {
        Box::pin(async move { Ok(self.told_since(since, self.inner.position(ns).await?)) })
    }
    fn incarnation(&self) -> i64 {
        self.inner.incarnation()
    }
    fn time(&self) -> Answer<'_, Option<Ts>> {
        self.inner.time()
    }
    fn position<'a>(&'a self, ns: &'a Namespace) -> Answer<'a, Position> {
        self.inner.position(ns)
    }
    fn cut<'a>(&'a self, ns: &'a Namespace, asked: &'a Asked) -> Answer<'a, Cut> {
        self.inner.cut(ns, asked)
    }
    fn exceptions<'a>(&'a self, ns: &'a Namespace, of: &'a ExceptionsOf, page: Page) -> Answer<'a, Vec<Audit>> {
        self.inner.exceptions(ns, of, page)
    }
    fn answered<'a>(
        &'a self,
        ns: &'a Namespace,
        source: &'a str,
        answers: &'a str,
        open: bool,
        page: Page,
    ) -> Answer<'a, Vec<(Event, Option<Event>)>> {
        self.inner.answered(ns, source, answers, open, page)
    }
    fn inspect<'a>(&'a self, ns: &'a Namespace) -> Answer<'a, Inspection> {
        self.inner.inspect(ns)
    }
    fn ping(&self) -> Answer<'_, ()> {
        self.inner.ping()
    }
    fn published<'a>(&'a self, ns: &'a Namespace) -> Answer<'a, Vec<Published>> {
        self.inner.published(ns)
    }
    fn members<'a>(&'a self, ns: &'a Namespace) -> BoxStream<'a, Result<Member>> {
        self.inner.members(ns)
    }
    fn events<'a>(&'a self, ns: &'a Namespace) -> BoxStream<'a, Result<Event>> {
        self.inner.events(ns)
    }
    fn lists<'a>(&'a self, ns: &'a Namespace) -> BoxStream<'a, Result<(Name, MemberId)>> {
        self.inner.lists(ns)
    }
    fn participations<'a>(&'a self, ns: &'a Namespace) -> BoxStream<'a, Result<Participation>> {
        self.inner.participations(ns)
    }
    fn counters<'a>(&'a self, ns: &'a Namespace, prefix: &'a str) -> Answer<'a, Vec<(String, i64)>> {
        self.inner.counters(ns, prefix)
    }
    fn balances<'a>(&'a self, ns: &'a Namespace, prefix: &'a str) -> Answer<'a, Vec<Entry>> {
        self.inner.balances(ns, prefix)
    }
    fn member<'a>(&'a self, ns: &'a Namespace, id: &'a MemberId) -> Answer<'a, Option<Member>> {
        self.inner.member(ns, id)
    }
    fn grants_of<'a>(
        &'a self,
        ns: &'a Namespace,
        member: &'a MemberId,
        state: Option<GrantState>,
        page: Page,
    ) -> Answer<'a, Vec<Grant>> {
        self.inner.grants_of(ns, member, state, page)
    }
    fn imported_code<'a>(&'a self, ns: &'a Namespace, code: &'a Code) -> Answer<'a, Option<Pooled>> {
        self.inner.imported_code(ns, code)
    }
    fn grant<'a>(&'a self, ns: &'a Namespace, id: &'a GrantId) -> Answer<'a, Option<Grant>> {
        self.inner.grant(ns, id)
    }
    fn order<'a>(&'a self, ns: &'a Namespace, id: &'a OrderId) -> Answer<'a, Option<Order>> {
        self.inner.order(ns, id)
    }
    fn redemption<'a>(&'a self, ns: &'a Namespace, id: &'a RedemptionId) -> Answer<'a, Option<Redemption>> {
        self.inner.redemption(ns, id)
    }
    fn redemptions_of<'a>(&'a self, ns: &'a Namespace, order: &'a OrderId) -> Answer<'a, Vec<Redemption>> {
        self.inner.redemptions_of(ns, order)
    }
    fn inbox<'a>(&'a self, ns: &'a Namespace, member: &'a MemberId, page: Page) -> Answer<'a, Vec<Message>> {
        self.inner.inbox(ns, member, page)
    }
    fn wallet_lines<'a>(
        &'a self,
        ns: &'a Namespace,
        account: &'a AccountId,
        page: Page,
    ) -> Answer<'a, Vec<LedgerLine>> {
        self.inner.wallet_lines(ns, account, page)
    }
    fn ledger<'a>(&'a self, ns: &'a Namespace, from: Position) -> BoxStream<'a, Result<LedgerLine>> {
        self.inner.ledger(ns, from)
    }
    fn audit<'a>(&'a self, ns: &'a Namespace, page: Page) -> Answer<'a, Vec<Audit>> {
        self.inner.audit(ns, page)
    }
    fn due<'a>(&'a self, ns: &'a Namespace, now: Ts, limit: usize) -> Answer<'a, Vec<Job>> {
        self.inner.due(ns, now, limit)
    }
    fn next_due<'a>(&'a self, ns: &'a Namespace) -> Answer<'a, Option<Ts>> {
        self.inner.next_due(ns)
    }
    fn outbox<'a>(&'a self, ns: &'a Namespace, limit: usize) -> Answer<'a, Vec<Message>> {
        self.inner.outbox(ns, limit)
    }
    fn sending<'a>(&'a self, ns: &'a Namespace, limit: usize) -> Answer<'a, Vec<Message>> {
        self.inner.sending(ns, limit)
    }
    fn credential<'a>(&'a self, digest: &'a str) -> Answer<'a, Option<Credential>> {
        self.inner.credential(digest)
    }
    fn credentials<'a>(&'a self, ns: &'a Namespace) -> Answer<'a, Vec<Credential>> {
        self.inner.credentials(ns)
    }
    fn refresh_token<'a>(&'a self, digest: &'a str) -> Answer<'a, Option<RefreshToken>> {
        self.inner.refresh_token(digest)
    }
    fn setting<'a>(&'a self, name: &'a str) -> Answer<'a, Option<Vec<u8>>> {
        self.inner.setting(name)
    }
    fn set_setting<'a>(&'a self, name: &'a str, value: &'a [u8]) -> Answer<'a, ()> {
        self.inner.set_setting(name, value)
    }
    fn first_setting<'a>(&'a self, name: &'a str, value: &'a [u8]) -> Answer<'a, Vec<u8>> {
        self.inner.first_setting(name, value)
    }
    fn restored<'a>(&'a self, why: &'a str) -> Answer<'a, i64> {
        self.inner.restored(why)
    }
    fn raise<'a>(&'a self, setting: &'a str) -> Answer<'a, i64> {
        self.inner.raise(setting)
    }
    fn revisions<'a>(&'a self, ns: &'a Namespace, kind: Kind, name: &'a Name) -> Answer<'a, Vec<Published>> {
        self.inner.revisions(ns, kind, name)
    }
    fn runs<'a>(&'a self, ns: &'a Namespace, automation: &'a Name, page: Page) -> Answer<'a, Vec<Run>> {
        self.inner.runs(ns, automation, page)
    }
    fn namespaces(&self) -> Answer<'_, Vec<Namespace>> {
        self.inner.namespaces()
    }
}
