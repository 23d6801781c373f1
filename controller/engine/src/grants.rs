//! What a member does with a grant, how its time ends, and how it is shown.

use crate::{
    Command, Halt, emitted, give,
    plans::Plans,
    refuse,
    tx::Tx,
    vouchers::{self, Scene},
    wallet,
};
use fanfare_core::{
    ids::{GrantId, MemberId},
    model::reward::RewardKind,
    reason::Reason,
    time::Ts,
};
use fanfare_store::{
    Keys,
    rows::{Grant, GrantState},
};

/// A member claims what it was given. Claiming again changes nothing.
#[derive(Clone, Debug)]
pub struct Claim {
    /// Who.
    pub member: MemberId,
    /// What.
    pub grant: GrantId,
}

impl Command for Claim {
    /// The grant; nothing when the member has no such grant.
    type Answer = Option<Grant>;

    fn prefetch(&self, _: &Plans, keys: &mut Keys) {
        keys.grants.insert(self.grant.clone());
        keys.members.insert(self.member.clone());
    }

    fn run(&self, tx: &mut Tx<'_>) -> Result<Option<Grant>, Halt> {
        let Some(mut grant) = tx.grant(&self.grant)?.filter(|grant| grant.member == self.member).cloned() else {
            return Ok(None);
        };
        match vouchers::state_at(&grant, tx.now) {
            GrantState::Granted if vouchers::met(tx, &grant, None).suspended => {
                return refuse(Reason::Suspended, "this reward is suspended; try again later");
            }
            GrantState::Granted => {}
            GrantState::Claimed | GrantState::Reserved | GrantState::Redeemed => return Ok(Some(grant)),
            GrantState::Pending => return refuse(Reason::ClaimClosed, "this is not given yet; try again later"),
            GrantState::Expired => return refuse(Reason::ClaimClosed, "the time to claim this is over"),
            GrantState::Revoked => return refuse(Reason::ClaimClosed, "this was taken back"),
        }
        let account = wallet::of(tx, &self.member)?;
        give::claim(tx, &mut grant, &account)?;
        vouchers::plan_close(tx, &grant);
        tx.put_grant(grant.clone());
        Ok(Some(grant))
    }
}

/// Tells that a grant's time will be over at `end`, where a reminder fell due since `due`: of several, the last.
fn remind(tx: &mut Tx<'_>, grant: &Grant, end: Ts, due: Ts) -> Result<(), Halt> {
    // Who holds it at a till, or holds only a part of it, has it in hand.
    if grant.usage.held > 0 || !matches!(grant.state, GrantState::Granted | GrantState::Claimed) {
        return Ok(());
    }
    let fell = vouchers::reminders(tx, grant, end).into_iter().filter(|(at, _)| due <= *at && *at <= tx.now);
    match fell.max_by_key(|(at, _)| *at) {
        Some((_, before)) => emitted::expiring(tx, grant, end, before),
        None => Ok(()),
    }
}

/// A grant's time may come to an end: its member is reminded, and when it is over, what was not claimed or used in time expires, and points that lapse leave the wallet.
/// Done too early it plans itself again; done twice it finds nothing to do.
///
/// # Errors
/// [`Halt::Missing`] to be run again with more rows.
pub fn close(tx: &mut Tx<'_>, id: &GrantId, due: Ts) -> Result<(), Halt> {
    let Some(mut grant) = tx.grant(id)?.cloned() else { return Ok(()) };
    if let Some(end) = vouchers::closes_at(&grant).filter(|end| *end > tx.now) {
        remind(tx, &grant, end, due)?;
        vouchers::plan_close(tx, &grant);
        return Ok(());
    }
    tx.done(&crate::jobs::Task::CloseGrant(id.clone()).id());
    match (grant.state, &grant.terms.kind) {
        // Held in part: whoever holds it lets it go or uses it, and then it expires.
        _ if grant.usage.held > 0 => Ok(()),
        (GrantState::Pending | GrantState::Granted | GrantState::Claimed, _)
            if vouchers::closes_at(&grant).is_some() =>
        {
            vouchers::expire(tx, grant)
        }
        // The wallet sees to its lots itself; the grant only remembers that its time is over.
        (GrantState::Redeemed, RewardKind::Points { .. }) if grant.valid_until.is_some() => {
            vouchers::enter(
                &mut grant,
                GrantState::Redeemed,
                tx.now,
                Scene { reason: Some("lapsed"), ..Scene::default() },
            );
            // Without an end there is nothing left to lapse, should this be done again.
            grant.valid_until = None;
            tx.put_grant(grant);
            Ok(())
        }
        // Held: whoever holds it lets it go, and then it expires. Anything else is over already.
        _ => Ok(()),
    }
}
