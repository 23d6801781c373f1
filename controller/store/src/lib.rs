//! What is persisted, in domain verbs, once per database.
//!
//! A *batch* is one transaction of one namespace: [`Store::begin`] takes the namespace's lane, [`Batch::load`] reads
//! every row that the commands of the batch need in one query a table, and [`Batch::commit`] writes everything in one
//! statement a table, appends to the ledger's chain and moves the lane's sequence. Reads that need no transaction are on
//! [`Store`] itself. SQL for business tables exists in this room alone; decisions exist elsewhere.

#[macro_use]
mod columns;

pub mod chain;
mod decode;
mod encode;
pub mod fault_points;
pub mod fence;
mod fold;
pub mod keys;
mod open;
pub mod postgres;
pub mod reports;
pub mod restored;
mod retention;
pub mod rows;
pub mod sqlite;
mod terms;
mod verify;
pub mod writes;

use fanfare_core::ids::{AccountId, Code, GrantId, MemberId, Name, Namespace, OrderId, RedemptionId};
use fanfare_core::{ledger::Entry, model::Kind, time::Ts};
pub use fence::Fence;
use futures::{future::BoxFuture, stream::BoxStream};
pub use keys::Keys;
pub use open::open;
pub use postgres::PostgresStore;
use reports::{Asked, Cut, ExceptionsOf, Inspection};
pub use rows::Rows;
use rows::{
    Audit, Credential, Event, Grant, Job, LedgerLine, Member, Message, Order, Pooled, Published, Redemption,
    RefreshToken, Run,
};
pub use sqlite::SqliteStore;
use thiserror::Error;
pub use writes::Writes;

/// Why the database did not do what was asked.
#[derive(Debug, Error)]
pub enum Error {
    /// It cannot be reached or read; trying again may help.
    #[error("the database is unavailable: {0}")]
    Unavailable(String),
    /// A unique row was already there, or a row that had to be there was not: the batch is void, nothing was written.
    #[error("the database refused the batch: {0}")]
    Conflict(String),
    /// Another process holds this database.
    #[error("another process uses this database: {0}")]
    Locked(String),
    /// The database is of another version than this binary knows.
    #[error("the database is of another version: {0}")]
    Version(String),
    /// The database is another than the one that was opened: it came from a backup, or a standby was promoted.
    #[error("{0}")]
    Restored(String),
    /// The batch was decided under an epoch that somebody has raised since: nothing was written.
    #[error("another has taken over: {0}")]
    Fenced(String),
    /// A stored row cannot be understood.
    #[error("a stored row cannot be understood: {0}")]
    Corrupt(String),
}

/// What a store's operation answers.
pub type Result<T> = std::result::Result<T, Error>;
/// A future of a store's operation.
pub type Answer<'a, T> = BoxFuture<'a, Result<T>>;

/// A place in a namespace's lane: what was written up to here.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct Position(pub i64);

/// What batches left for those who follow: the position that each reached, and its bytes.
pub type News = Vec<(Position, Vec<u8>)>;

/// The most rows that one page of a listing holds.
pub const PAGE_MAX: usize = 100;

/// The most credentials of one namespace that are listed: more tills than a brand has.
pub const CREDENTIALS_MAX: usize = 10_000;

/// A page asked for: at most `limit` rows after the row named by `after`.
#[derive(Clone, Debug)]
pub struct Page {
    /// 1 to [`PAGE_MAX`].
    pub limit: usize,
    /// The id of the last row seen.
    pub after: Option<String>,
}

/// A database. Ids carry its incarnation; a namespace starts empty and needs no creation.
pub trait Store: Send + Sync {
    /// Starts a batch: waits for the namespace's lane and holds it until commit or drop.
    fn begin<'a>(&'a self, namespace: &'a Namespace) -> Answer<'a, Box<dyn Batch + 'a>>;

    /// Whether other processes may write to this database while it is open: then what memory keeps has to follow
    /// [`Store::news`], and is right up to the position that it has followed to.
    fn shared(&self) -> bool;
    /// The database's own clock, in real time, where it may differ from this machine's; `None` where it is this machine's.
    fn time(&self) -> Answer<'_, Option<Ts>>;
    /// What batches behind `since` left for those who follow ([`Writes::news`]), oldest first, each with the lane's sequence
    /// that it reached, which grows with every batch that writes anything. Perhaps not all of it: who needs the rest asks
    /// again from the last. `None` when some of it is no longer kept: whoever follows has to read everything anew.
    fn news<'a>(&'a self, ns: &'a Namespace, since: Position) -> Answer<'a, Option<News>>;

    /// The incarnation of this database, 1 from its creation.
    fn incarnation(&self) -> i64;
    /// How far the namespace's lane has come.
    fn position<'a>(&'a self, ns: &'a Namespace) -> Answer<'a, Position>;
    /// Whether the database answers.
    fn ping(&self) -> Answer<'_, ()>;

    /// Every resource that is served now (not the former revisions).
    fn published<'a>(&'a self, ns: &'a Namespace) -> Answer<'a, Vec<Published>>;
    /// Every member, in order of id.
    fn members<'a>(&'a self, ns: &'a Namespace) -> BoxStream<'a, Result<Member>>;
    /// Every accepted event that has a member, in order of acceptance.
    fn events<'a>(&'a self, ns: &'a Namespace) -> BoxStream<'a, Result<Event>>;
    /// Every (list, member), in order of list.
    fn lists<'a>(&'a self, ns: &'a Namespace) -> BoxStream<'a, Result<(Name, MemberId)>>;
    /// Every (campaign, member, joined at).
    fn participations<'a>(&'a self, ns: &'a Namespace) -> BoxStream<'a, Result<rows::Participation>>;
    /// Every counter whose key starts with `prefix`.
    fn counters<'a>(&'a self, ns: &'a Namespace, prefix: &'a str) -> Answer<'a, Vec<(String, i64)>>;
    /// Every balance whose account starts with `prefix`, as (account, unit, amount).
    fn balances<'a>(&'a self, ns: &'a Namespace, prefix: &'a str) -> Answer<'a, Vec<Entry>>;

    /// One member.
    fn member<'a>(&'a self, ns: &'a Namespace, id: &'a MemberId) -> Answer<'a, Option<Member>>;
    /// A member's grants, newest first, of the state named.
    fn grants_of<'a>(
        &'a self,
        ns: &'a Namespace,
        member: &'a MemberId,
        state: Option<rows::GrantState>,
        page: Page,
    ) -> Answer<'a, Vec<Grant>>;
    /// One imported code.
    fn imported_code<'a>(&'a self, ns: &'a Namespace, code: &'a Code) -> Answer<'a, Option<Pooled>>;
    /// One grant.
    fn grant<'a>(&'a self, ns: &'a Namespace, id: &'a GrantId) -> Answer<'a, Option<Grant>>;
    /// One order.
    fn order<'a>(&'a self, ns: &'a Namespace, id: &'a OrderId) -> Answer<'a, Option<Order>>;
    /// One redemption.
    fn redemption<'a>(&'a self, ns: &'a Namespace, id: &'a RedemptionId) -> Answer<'a, Option<Redemption>>;
    /// The redemptions of an order.
    fn redemptions_of<'a>(&'a self, ns: &'a Namespace, order: &'a OrderId) -> Answer<'a, Vec<Redemption>>;
    /// A member's inbox, newest first: messages of in-app channels that were sent.
    fn inbox<'a>(&'a self, ns: &'a Namespace, member: &'a MemberId, page: Page) -> Answer<'a, Vec<Message>>;
    /// What each transaction of the ledger added to a wallet, all its lots together, newest first; a page goes on after
    /// [`LedgerLine::cursor`].
    fn wallet_lines<'a>(&'a self, ns: &'a Namespace, account: &'a AccountId, page: Page)
    -> Answer<'a, Vec<LedgerLine>>;
    /// Every ledger line behind a position, in order, for verification and export.
    fn ledger<'a>(&'a self, ns: &'a Namespace, from: Position) -> BoxStream<'a, Result<LedgerLine>>;
    /// The audit trail, newest first.
    fn audit<'a>(&'a self, ns: &'a Namespace, page: Page) -> Answer<'a, Vec<Audit>>;
    /// Jobs due at `now`, oldest first, at most `limit`.
    fn due<'a>(&'a self, ns: &'a Namespace, now: Ts, limit: usize) -> Answer<'a, Vec<Job>>;
    /// When the next job is due.
    fn next_due<'a>(&'a self, ns: &'a Namespace) -> Answer<'a, Option<Ts>>;
    /// Messages that wait to be sent, oldest first, at most `limit`.
    fn outbox<'a>(&'a self, ns: &'a Namespace, limit: usize) -> Answer<'a, Vec<Message>>;
    /// Messages that a sender has taken, oldest first, at most `limit`: after a start, those that are ambiguous.
    fn sending<'a>(&'a self, ns: &'a Namespace, limit: usize) -> Answer<'a, Vec<Message>>;

    /// A credential by the digest of its secret.
    fn credential<'a>(&'a self, digest: &'a str) -> Answer<'a, Option<Credential>>;
    /// Every credential of a namespace, by id, at most [`CREDENTIALS_MAX`].
    fn credentials<'a>(&'a self, ns: &'a Namespace) -> Answer<'a, Vec<Credential>>;
    /// A refresh token by the digest of its secret.
    fn refresh_token<'a>(&'a self, digest: &'a str) -> Answer<'a, Option<RefreshToken>>;
    /// A value of the installation (such as a signing key or the clock's offset) by name.
    fn setting<'a>(&'a self, name: &'a str) -> Answer<'a, Option<Vec<u8>>>;
    /// Writes such a value at once. It waits for the lane, so not within a batch.
    fn set_setting<'a>(&'a self, name: &'a str, value: &'a [u8]) -> Answer<'a, ()>;
    /// Writes such a value unless there is one, and answers the one that stands: of several processes that make a key at
    /// once, all get the same. It waits for the lane, so not within a batch.
    fn first_setting<'a>(&'a self, name: &'a str, value: &'a [u8]) -> Answer<'a, Vec<u8>>;
    /// Starts an incarnation, because the database was restored from a backup or a standby was promoted, and sets
    /// [`restored::AWAITS`] to `why`; answers its number. Whoever has the database open, this store too, is refused
    /// from then on ([`Error::Restored`]), also with another incarnation than the first.
    fn restored<'a>(&'a self, why: &'a str) -> Answer<'a, i64>;
    /// Raises the epoch that this setting counts and answers it: from then on a batch under a former one
    /// ([`Writes::fence`]) is void. It waits for batches that are being committed under it.
    fn raise<'a>(&'a self, setting: &'a str) -> Answer<'a, i64>;
    /// The former and present revisions of a resource, newest first, at most [`PAGE_MAX`].
    fn revisions<'a>(&'a self, ns: &'a Namespace, kind: Kind, name: &'a Name) -> Answer<'a, Vec<Published>>;
    /// Active runs of an automation, newest first, for its status.
    fn runs<'a>(&'a self, ns: &'a Namespace, automation: &'a Name, page: Page) -> Answer<'a, Vec<Run>>;
    /// Reads what was asked for on one consistent cut.
    fn cut<'a>(&'a self, ns: &'a Namespace, asked: &'a Asked) -> Answer<'a, Cut>;
    /// The exceptions that were booked, newest first: rows of the audit trail whose action is [`reports::EXCEPTION`].
    fn exceptions<'a>(&'a self, ns: &'a Namespace, of: &'a ExceptionsOf, page: Page) -> Answer<'a, Vec<Audit>>;
    /// Events of a source, newest first, each with the event of the same id from the source `answers`; with `open` only
    /// those that have none. A page goes on after an event's id.
    fn answered<'a>(
        &'a self,
        ns: &'a Namespace,
        source: &'a str,
        answers: &'a str,
        open: bool,
        page: Page,
    ) -> Answer<'a, Vec<(Event, Option<Event>)>>;
    /// Checks what must always hold of the rows themselves (`docs/ARCHITECTURE.md`, invariants 1 to 4 and 10): chain and
    /// sums of the ledger, balances equal to entries, caps, one live redemption per voucher, events unique, a till's day
    /// equal to its orders. On one consistent cut; it repairs nothing.
    fn inspect<'a>(&'a self, ns: &'a Namespace) -> Answer<'a, Inspection>;
    /// What [`Store::inspect`] found; empty: all holds.
    fn verify<'a>(&'a self, ns: &'a Namespace) -> Answer<'a, Vec<String>> {
        Box::pin(async move { Ok(self.inspect(ns).await?.findings) })
    }
    /// Every namespace that has a row.
    fn namespaces(&self) -> Answer<'_, Vec<Namespace>>;
}

/// One transaction of one namespace. Dropped without commit, it leaves nothing.
pub trait Batch: Send {
    /// The lane's sequence before this batch.
    fn position(&self) -> Position;
    /// Loads what `keys` names: each table at most one query. What does not exist is simply not in the answer.
    fn load<'a>(&'a mut self, keys: &'a Keys) -> Answer<'a, Rows>;
    /// As [`Store::news`], within the lane: nothing is committed behind what this answers until this batch is.
    fn news<'a>(&'a mut self, since: Position) -> Answer<'a, Option<News>>;
    /// Writes everything, in one statement a table, and commits durably. A batch that writes anything moves the lane's
    /// sequence by at least one, and answers it.
    ///
    /// # Errors
    /// [`Error::Conflict`] when a UNIQUE or an expected row count fails, [`Error::Fenced`] when its fence was raised:
    /// nothing of the batch was written.
    /// [`Error::Unavailable`] when the connection is lost: whether the batch was written is not known, and a stored answer
    /// to an idempotent call tells.
    fn commit<'a>(self: Box<Self>, writes: Writes) -> Answer<'a, Position>
    where
        Self: 'a;
}
