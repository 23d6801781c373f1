//! What a batch writes: whole rows, counters by delta, postings in order. Memory decides nothing here.

use crate::fence::Fence;
use crate::rows::{
    Audit, Credential, Event, Grant, Hold, Job, Member, Message, Order, Participation, Pooled, Published, Redemption,
    RefreshToken, Run, Stored,
};
use fanfare_core::{
    ids::{MemberId, Name},
    ledger::Posting,
    model::Kind,
    time::Ts,
};

/// Everything that one batch writes. Rows are written whole: `new_*` must not exist yet (else the batch is void), the
/// others replace the row of their id and must exist or may, as each says. A row that is written several times in one
/// batch is there as it was written last, also when it is new and then changed.
#[derive(Clone, Debug, Default)]
pub struct Writes {
    /// The instant of the batch; required. Instants are kept to the microsecond.
    pub at: Option<Ts>,
    /// Inserted or replaced; identities are replaced with them and are UNIQUE in the namespace.
    pub members: Vec<Member>,
    /// Must not exist.
    pub new_grants: Vec<Grant>,
    /// Must exist. What was issued stays as it was: terms, campaign, mechanic, cause and instant of issue.
    pub grants: Vec<Grant>,
    /// Must not exist.
    pub new_orders: Vec<Order>,
    /// Must exist.
    pub orders: Vec<Order>,
    /// Must not exist; a grant has at most one live one.
    pub new_redemptions: Vec<Redemption>,
    /// Must exist, of the same grant.
    pub redemptions: Vec<Redemption>,
    /// Inserted or replaced.
    pub holds: Vec<Hold>,
    /// Inserted or replaced.
    pub participations: Vec<Participation>,
    /// Added to the counter, which starts at 0.
    pub counters: Vec<(String, i64)>,
    /// Appended to the ledger in order, each with the next sequence of the lane and the chain's next hash; balances follow.
    pub postings: Vec<Posting>,
    /// Must not exist.
    pub new_events: Vec<Event>,
    /// Inserted or replaced; the plan stays the one that a run entered under.
    pub runs: Vec<Run>,
    /// Inserted or replaced; `cause` is UNIQUE.
    pub messages: Vec<Message>,
    /// Inserted or moved, after `done_jobs` are deleted: a job in both is there again.
    pub jobs: Vec<Job>,
    /// Deleted, whether there or not.
    pub done_jobs: Vec<String>,
    /// Imported codes as (place, code). Neither must exist.
    pub new_pool: Vec<(String, Pooled)>,
    /// Must not exist. They are kept for 7 days.
    pub idempotency: Vec<Stored>,
    /// Becomes the one served; the former stays as a revision. The same revision again replaces its flags and its plan, which may say
    /// more than the specification: that its budget suspended it.
    pub published: Vec<Published>,
    /// No longer served, but kept; done after `published`.
    pub retired: Vec<(Kind, Name)>,
    /// (list, members): replaces the list.
    pub lists_set: Vec<(Name, Vec<MemberId>)>,
    /// (list, member): added, whether there or not.
    pub list_added: Vec<(Name, MemberId)>,
    /// (list, member): removed, whether there or not.
    pub list_removed: Vec<(Name, MemberId)>,
    /// Inserted or replaced.
    pub credentials: Vec<Credential>,
    /// Inserted or replaced.
    pub refresh_tokens: Vec<RefreshToken>,
    /// Families of refresh tokens that are revoked: each of their tokens counts as used. Lapsed tokens are deleted.
    pub revoked_families: Vec<String>,
    /// Appended.
    pub audit: Vec<Audit>,
    /// Settings, inserted or replaced.
    pub settings: Vec<(String, Vec<u8>)>,
    /// The epoch that all of it was decided under, where whoever decides can lose the right to. Alone it is no write.
    pub fence: Option<Fence>,
    /// What those who follow have to learn from this batch, as the engine writes it; kept for a while with the position
    /// that the batch reaches. A database of one process keeps none. Alone it is no write.
    pub news: Option<Vec<u8>>,
}

impl Writes {
    /// Whether nothing would be written.
    pub fn is_empty(&self) -> bool {
        let Self {
            at: _,
            members,
            new_grants,
            grants,
            new_orders,
            orders,
            new_redemptions,
            redemptions,
            holds,
            participations,
            counters,
            postings,
            new_events,
            runs,
            messages,
            jobs,
            done_jobs,
            new_pool,
            idempotency,
            published,
            retired,
            lists_set,
            list_added,
            list_removed,
            credentials,
            refresh_tokens,
            revoked_families,
            audit,
            settings,
            fence: _,
            news: _,
        } = self;
        members.is_empty()
            && new_grants.is_empty()
            && grants.is_empty()
            && new_orders.is_empty()
            && orders.is_empty()
            && new_redemptions.is_empty()
            && redemptions.is_empty()
            && holds.is_empty()
            && participations.is_empty()
            && counters.is_empty()
            && postings.is_empty()
            && new_events.is_empty()
            && runs.is_empty()
            && messages.is_empty()
            && jobs.is_empty()
            && done_jobs.is_empty()
            && new_pool.is_empty()
            && idempotency.is_empty()
            && published.is_empty()
            && retired.is_empty()
            && lists_set.is_empty()
            && list_added.is_empty()
            && list_removed.is_empty()
            && credentials.is_empty()
            && refresh_tokens.is_empty()
            && revoked_families.is_empty()
            && audit.is_empty()
            && settings.is_empty()
    }
}
