//! What a batch has to read, gathered over its commands so that each table is asked once.

use fanfare_core::ids::{AccountId, Code, GrantId, HoldId, MemberId, Name, OrderId, RedemptionId, RunId};
use std::collections::BTreeSet;

/// Keys of rows, by table. A set asked for twice is read once.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Keys {
    /// Members by id.
    pub members: BTreeSet<MemberId>,
    /// Identities as (type, value), answering the member that has them.
    pub identities: BTreeSet<(String, String)>,
    /// Grants by id.
    pub grants: BTreeSet<GrantId>,
    /// Grants by code.
    pub codes: BTreeSet<Code>,
    /// Every live grant (Pending, Granted, Claimed, Reserved) of a member.
    pub grants_of: BTreeSet<MemberId>,
    /// Grants by their cause, such as `order:o-1` (for clawback).
    pub grants_by_cause: BTreeSet<String>,
    /// Orders by id.
    pub orders: BTreeSet<OrderId>,
    /// Redemptions by id.
    pub redemptions: BTreeSet<RedemptionId>,
    /// Redemptions of an order.
    pub redemptions_of: BTreeSet<OrderId>,
    /// Flash-sale holds by id.
    pub holds: BTreeSet<HoldId>,
    /// Participations as (campaign, member).
    pub participations: BTreeSet<(Name, MemberId)>,
    /// Counters by key.
    pub counters: BTreeSet<String>,
    /// Balances as (account, unit).
    pub balances: BTreeSet<(String, String)>,
    /// Wallets whole: every lot of points that holds something, as balances.
    pub wallets: BTreeSet<AccountId>,
    /// Events as (source, id).
    pub events: BTreeSet<(String, String)>,
    /// Runs by id.
    pub runs: BTreeSet<RunId>,
    /// Every run of a member in an automation, as (automation, member).
    pub runs_of: BTreeSet<(Name, MemberId)>,
    /// Messages by id.
    pub messages: BTreeSet<String>,
    /// Jobs by id.
    pub jobs: BTreeSet<String>,
    /// Imported codes by their place in a pool.
    pub pool_places: BTreeSet<String>,
    /// Imported codes by themselves.
    pub pool_codes: BTreeSet<Code>,
    /// Idempotency keys as (scope, key).
    pub idempotency: BTreeSet<(String, String)>,
}

impl Keys {
    /// Whether nothing is asked.
    pub fn is_empty(&self) -> bool {
        *self == Self::default()
    }
}
