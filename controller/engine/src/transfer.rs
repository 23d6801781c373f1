//! Giving points on: a member to another, where the Runtime lets members do that, or the shop between two of its members.

use crate::{Command, Halt, budget::Why, plans::Plans, refuse, tx::Tx, wallet};
use fanfare_core::{
    ids::{AccountId, MemberId},
    mechanic::State,
    points::POINTS_MAX,
    reason::{Reason, Refusal},
    time::Every,
};
use fanfare_store::Keys;

/// Who has points given on.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Giver {
    /// The member whose points they are.
    Member,
    /// The shop, by the public id of its key.
    Shop(String),
}

/// Gives points of one member to another. Each point keeps its end.
#[derive(Clone, Debug)]
pub struct TransferPoints {
    /// Whose they are.
    pub from: MemberId,
    /// Whose they become.
    pub to: MemberId,
    /// How many, from 1 to [`POINTS_MAX`].
    pub points: i64,
    /// On whose word.
    pub by: Giver,
}

/// Points that were given on.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Transferred {
    /// What the ledger and both members' entries name it by.
    pub id: String,
    /// How many.
    pub points: i64,
    /// What the giver can still spend.
    pub balance: i64,
}

impl Command for TransferPoints {
    type Answer = Transferred;

    fn prefetch(&self, _: &Plans, keys: &mut Keys) {
        keys.members.extend([self.from.clone(), self.to.clone()]);
    }

    fn run(&self, tx: &mut Tx<'_>) -> Result<Transferred, Halt> {
        if !(1..=POINTS_MAX).contains(&self.points) {
            return refuse(Reason::ExceedsRemaining, format!("the amount has to be from 1 to {POINTS_MAX}"));
        }
        if self.from == self.to {
            return refuse(Reason::TransferNotAllowed, "these points are that member's already; name another one");
        }
        let from = wallet::of(tx, &self.from)?;
        let to = known(tx, &self.to)?;
        if self.by == Giver::Member {
            self.count(tx, &from)?;
        }
        let id = tx.new_id();
        let why = Why { rule: "points-transferred", reference: &id };
        wallet::give_on(tx, &from, &to, self.points, why)?;
        if let Giver::Shop(key) = &self.by {
            let detail = serde_json::json!({ "transfer": id, "to": to, "points": self.points });
            tx.audit(&format!("client:{key}"), "transfer-points", &format!("Wallet/{from}"), detail);
        }
        Ok(Transferred { points: self.points, balance: wallet::balance(tx, &from)?, id })
    }
}

impl TransferPoints {
    /// Counts against what the Runtime lets a member give away in a day.
    fn count(&self, tx: &mut Tx<'_>, from: &AccountId) -> Result<(), Halt> {
        let Some(max) = tx.runtime()?.points.transfer_max_per_day else {
            let detail = "members do not give points to each other here; the shop can allow it by points.transfer";
            return refuse(Reason::TransferNotAllowed, detail);
        };
        let key = format!("points-given|{from}|{}", Every::Day.bucket(tx.now, tx.zone()));
        let left = max - tx.count(&key)?;
        if self.points > left {
            let detail =
                format!("at most {max} points a day can be given away, {} of them are left today", left.max(0));
            return refuse(Reason::LimitReached, detail);
        }
        tx.count_up(&key, self.points).map(drop)
    }
}

fn known(tx: &Tx<'_>, member: &MemberId) -> Result<AccountId, Halt> {
    let found = tx.member(member)?.filter(|row| row.merged_into.is_none());
    let unknown = || Refusal::new(Reason::MemberUnknown, "nobody knows the member that they are for; check its id");
    Ok(found.map(|row| row.account.clone()).ok_or_else(unknown)?)
}
