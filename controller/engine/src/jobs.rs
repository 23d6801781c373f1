//! What is done later: lapses, expiries, waits and settlement, each a row that falls due in business time.

use fanfare_core::{
    ids::{AccountId, GrantId, HoldId, Name, OrderId, RedemptionId, RunId},
    time::Ts,
};
use fanfare_store::rows::Job;
use serde::{Deserialize, Serialize};

/// What a job does. Each is idempotent: done twice or too late, it finds nothing to do.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum Task {
    /// Settles a campaign after its cool-down.
    Settle(Name),
    /// An order's reservation lapses.
    LapseOrder(OrderId),
    /// A voucher's reservation lapses.
    LapseRedemption(RedemptionId),
    /// A flash-sale reservation lapses.
    ReleaseHold(HoldId),
    /// A grant's time to be claimed or used is over.
    CloseGrant(GrantId),
    /// Points of a wallet become spendable or lapse.
    Points(AccountId),
    /// A run of an automation goes on with its step.
    Step(RunId),
}

impl Task {
    /// The job that does this at `due_at`. One task has one job: scheduling it again moves it.
    pub fn at(&self, due_at: Ts) -> Job {
        let task = serde_json::to_value(self).unwrap_or_default();
        Job { id: self.id(), due_at, task }
    }

    /// The id of its job.
    pub fn id(&self) -> String {
        match self {
            Self::Settle(name) => format!("settle:{name}"),
            Self::LapseOrder(id) => format!("lapse-order:{id}"),
            Self::LapseRedemption(id) => format!("lapse-redemption:{id}"),
            Self::ReleaseHold(id) => format!("release-hold:{id}"),
            Self::CloseGrant(id) => format!("close-grant:{id}"),
            Self::Points(id) => format!("points:{id}"),
            Self::Step(id) => format!("step:{id}"),
        }
    }
}
