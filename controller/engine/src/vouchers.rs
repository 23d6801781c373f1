//! What happens to a grant once it is issued: it is held, used, let go of, given back, expires or is taken back. Each step
//! moves its money with it. Orders, redemptions, claims and jobs decide; this changes.

use crate::{
    Halt,
    budget::{self, Cost, Spent, Why},
    give,
    jobs::Task,
    shared,
    tx::Tx,
    wallet,
};
use chrono::TimeDelta;
use fanfare_core::{
    ids::{GrantId, MemberId, Name, OrderId, StoreId},
    ledger::{Posting, account, stock_unit},
    mechanic::key,
    model::reward::{OnReversal, RewardKind},
    money::Minor,
    reward::{self, GrantView, Terms},
    time::{Ts, Tz},
};
use fanfare_store::rows::{Grant, GrantState, Happening};

/// How many happenings a grant remembers; the first and the latest stay.
pub const HISTORY_MAX: usize = 50;

/// Where something happened to a grant, and why.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Scene<'a> {
    /// In which store.
    pub(crate) store: Option<&'a StoreId>,
    /// By which order.
    pub(crate) order: Option<&'a OrderId>,
    /// Why, when someone took it back.
    pub(crate) reason: Option<&'a str>,
}

/// The zone in which a grant's days are meant: its campaign's, else the namespace's.
pub(crate) fn zone(tx: &Tx<'_>, campaign: Option<&Name>) -> Tz {
    campaign.and_then(|name| budget::served(tx, name)).map_or(tx.zone(), |plan| plan.schedule.zone)
}

/// Brings a grant into a state and writes down that it did.
pub(crate) fn enter(grant: &mut Grant, state: GrantState, at: Ts, scene: Scene<'_>) {
    grant.state = state;
    if grant.history.len() >= HISTORY_MAX {
        grant.history.remove(1);
    }
    let Scene { store, order, reason } = scene;
    let reason = reason.map(ToOwned::to_owned);
    grant.history.push(Happening { at, state, store: store.cloned(), order: order.cloned(), reason });
}

/// Counts something that the status of the grant's campaign and reward shows.
pub(crate) fn tally(tx: &mut Tx<'_>, grant: &Grant, what: &str, delta: i64) {
    if let Some(campaign) = &grant.campaign {
        tx.tally(&key::metric(campaign, what), delta);
    }
    tx.tally(&key::reward(&grant.terms.name, what), delta);
}

/// Books what a reward really cost, or takes it back when negative.
pub(crate) fn book(tx: &mut Tx<'_>, grant: &Grant, reserved: Minor, actual: Minor, why: Why<'_>) -> Result<(), Halt> {
    tx.tally(&key::reward(&grant.terms.name, "cost"), actual.0);
    let Some(campaign) = &grant.campaign else { return Ok(()) };
    budget::spend(tx, campaign, Spent { reserved, actual, cost: Cost::Rewards }, why)
}

/// When a grant that nobody uses closes by itself.
pub(crate) fn closes_at(grant: &Grant) -> Option<Ts> {
    match grant.state {
        GrantState::Pending | GrantState::Granted => [grant.claim_by, grant.valid_until].into_iter().flatten().min(),
        // Points that lapse keep their end as the end of their lot.
        GrantState::Claimed | GrantState::Reserved | GrantState::Redeemed => grant.valid_until,
        GrantState::Expired | GrantState::Revoked => None,
    }
}

/// Plans a grant's end, or takes the plan off.
pub(crate) fn plan_close(tx: &mut Tx<'_>, grant: &Grant) {
    let task = Task::CloseGrant(grant.id.clone());
    let lapses = grant.state != GrantState::Redeemed || matches!(grant.terms.kind, RewardKind::Points { .. });
    match closes_at(grant).filter(|_| lapses) {
        Some(at) => tx.schedule(task.at(at)),
        None => tx.done(&task.id()),
    }
}

/// The state as of `now`: what has run out is Expired also before its job has come.
pub fn state_at(grant: &Grant, now: Ts) -> GrantState {
    match grant.state {
        GrantState::Pending | GrantState::Granted | GrantState::Claimed
            if closes_at(grant).is_some_and(|end| end <= now) =>
        {
            GrantState::Expired
        }
        state => state,
    }
}

/// From claimed to held by an order or a till.
pub(crate) fn hold(tx: &mut Tx<'_>, mut grant: Grant, scene: Scene<'_>) {
    enter(&mut grant, GrantState::Reserved, tx.now, scene);
    tx.put_grant(grant);
}

/// From held back to claimed; to expired where its time has run out meanwhile.
pub(crate) fn let_go(tx: &mut Tx<'_>, mut grant: Grant, scene: Scene<'_>) -> Result<(), Halt> {
    enter(&mut grant, GrantState::Claimed, tx.now, scene);
    if grant.terms.shared_code().is_some() {
        return shared::take_back(tx, grant, scene);
    }
    if grant.valid_until.is_some_and(|end| end <= tx.now) {
        return expire(tx, grant);
    }
    tx.put_grant(grant);
    Ok(())
}

/// Uses a grant up: what was set aside for it is spent as what it really gave.
pub(crate) fn use_up(
    tx: &mut Tx<'_>,
    mut grant: Grant,
    actual: Minor,
    at: Ts,
    scene: Scene<'_>,
    why: Why<'_>,
) -> Result<(), Halt> {
    enter(&mut grant, GrantState::Redeemed, at, scene);
    grant.uses_left = (grant.uses_left - 1).max(0);
    book(tx, &grant, grant.reserved, actual, why)?;
    grant.reserved = Minor::ZERO;
    tally(tx, &grant, "redeemed", 1);
    plan_close(tx, &grant);
    tx.put_grant(grant);
    Ok(())
}

/// Takes back a part of what a used grant gave, without giving the grant back.
pub(crate) fn refund(tx: &mut Tx<'_>, grant: &Grant, amount: Minor, why: Why<'_>) -> Result<(), Halt> {
    book(tx, grant, Minor::ZERO, amount.negated(), why)
}

/// A use is undone: `amount` of what it gave is taken back, and the grant can be used again where its terms say so and it
/// is still valid. Answers whether it can.
pub(crate) fn give_back(
    tx: &mut Tx<'_>,
    id: &GrantId,
    amount: Minor,
    scene: Scene<'_>,
    why: Why<'_>,
) -> Result<bool, Halt> {
    let Some(mut grant) = tx.grant(id)?.cloned() else { return Ok(false) };
    let dead = grant.valid_until.is_some_and(|end| end <= tx.now);
    let restores = grant.terms.redemption.on_reversal == OnReversal::Restore;
    if dead || !restores || grant.state != GrantState::Redeemed {
        refund(tx, &grant, amount, why)?;
        return Ok(false);
    }
    if grant.terms.shared_code().is_some() {
        refund(tx, &grant, amount, why)?;
        tally(tx, &grant, "redeemed", -1);
        shared::take_back(tx, grant, scene)?;
        return Ok(false);
    }
    // An issued voucher has its money set aside, so what comes back is set aside again: at most what is there, so that
    // a restored voucher never breaks the budget's bound.
    let again = set_aside_again(tx, &grant, amount)?;
    book(tx, &grant, again.negated(), amount.negated(), why)?;
    grant.reserved = again;
    grant.uses_left += 1;
    enter(&mut grant, GrantState::Claimed, tx.now, scene);
    tally(tx, &grant, "redeemed", -1);
    plan_close(tx, &grant);
    tx.put_grant(grant);
    Ok(true)
}

fn set_aside_again(tx: &Tx<'_>, grant: &Grant, amount: Minor) -> Result<Minor, Halt> {
    let Some(plan) = grant.campaign.as_ref().and_then(|name| budget::served(tx, name)) else { return Ok(Minor::ZERO) };
    if plan.budget.is_none() {
        return Ok(Minor::ZERO);
    }
    let estimate = reward::cost(&grant.terms, tx.runtime()?);
    let room = budget::room(tx, &plan)?.map_or(estimate, |room| room.or_zero().plus(amount));
    Ok(Minor(estimate.0.min(room.0)))
}

/// A grant's time is over: its money returns to the budget. Its stock does not return: a reward's quantity is how many
/// are ever given.
pub(crate) fn expire(tx: &mut Tx<'_>, mut grant: Grant) -> Result<(), Halt> {
    enter(&mut grant, GrantState::Expired, tx.now, Scene::default());
    free(tx, &mut grant, "grant-expired")?;
    tally(tx, &grant, "expired", 1);
    tx.done(&Task::CloseGrant(grant.id.clone()).id());
    tx.put_grant(grant);
    Ok(())
}

/// Takes a grant back before it was used, with its money and its stock: what brought it about is undone.
pub(crate) fn revoke(tx: &mut Tx<'_>, mut grant: Grant, scene: Scene<'_>) -> Result<(), Halt> {
    enter(&mut grant, GrantState::Revoked, tx.now, scene);
    free(tx, &mut grant, "grant-revoked")?;
    restock(tx, &grant);
    tally(tx, &grant, "revoked", 1);
    tx.done(&Task::CloseGrant(grant.id.clone()).id());
    tx.put_grant(grant);
    Ok(())
}

/// Takes back points that were credited, as far as the wallet still holds them; answers their worth.
pub(crate) fn revoke_points(tx: &mut Tx<'_>, mut grant: Grant, scene: Scene<'_>) -> Result<Minor, Halt> {
    let RewardKind::Points { amount, .. } = grant.terms.kind else { return Ok(Minor::ZERO) };
    let wallet = wallet::of(tx, &grant.member)?;
    let id = grant.id.clone();
    let why = Why { rule: "points-clawed-back", reference: id.as_str() };
    let taken = wallet::take_back(tx, &wallet, amount, why)?;
    let worth = tx.runtime()?.worth_of_points(taken);
    refund(tx, &grant, worth, why)?;
    enter(&mut grant, GrantState::Revoked, tx.now, scene);
    restock(tx, &grant);
    tally(tx, &grant, "redeemed", -1);
    tally(tx, &grant, "revoked", 1);
    tx.done(&Task::CloseGrant(grant.id.clone()).id());
    tx.put_grant(grant);
    Ok(worth)
}

fn free(tx: &mut Tx<'_>, grant: &mut Grant, rule: &'static str) -> Result<(), Halt> {
    let reserved = std::mem::take(&mut grant.reserved);
    match &grant.campaign {
        Some(campaign) if reserved != Minor::ZERO => {
            budget::release(tx, campaign, reserved, Why { rule, reference: grant.id.as_str() })
        }
        Some(_) | None => Ok(()),
    }
}

/// Returns one to the reward's stock, where it was taken from one.
fn restock(tx: &mut Tx<'_>, grant: &Grant) {
    let reward = &grant.terms.name;
    if grant.terms.quantity.is_none() {
        return;
    }
    let (from, to) = (account::stock_issued(reward), account::stock_available(reward));
    if let Some(posting) = Posting::transfer("stock-returned", grant.id.as_str(), &stock_unit(reward), &from, &to, 1) {
        tx.post(posting);
    }
}

/// How far back a till that was offline may place what it did: longer than a long weekend without a line.
pub const LATE_MAX: TimeDelta = TimeDelta::hours(72);

/// When something happened: as the till says, within what is believed.
pub(crate) fn occurred(now: Ts, said: Option<Ts>) -> Ts {
    said.map_or(now, |at| at.clamp(now - LATE_MAX, now))
}

/// A grant as core's decisions meet it. One that the order `own` holds counts as claimed.
pub(crate) fn met<'a>(tx: &Tx<'_>, grant: &'a Grant, own: bool) -> GrantView<'a> {
    let state = match grant.state {
        GrantState::Reserved if own => reward::GrantState::Claimed,
        state => core_state(state),
    };
    GrantView {
        id: &grant.id,
        code: grant.code.as_ref(),
        member: holder(grant),
        campaign: grant.campaign.as_ref(),
        mechanic: grant.mechanic.as_ref(),
        plan: &grant.terms,
        suspended: tx.plans.rewards.get(&grant.terms.name).is_some_and(|plan| plan.suspended),
        state,
        terms: terms(grant),
        barred: None,
    }
}

/// Who holds a grant; nobody holds what was printed or typed by somebody unknown.
pub(crate) fn holder(grant: &Grant) -> Option<&MemberId> {
    Some(&grant.member).filter(|member| !give::is_nobody(member))
}

/// A voucher that nobody holds becomes that of whoever uses it first; whether it did.
pub(crate) fn held_by(grant: &mut Grant, member: Option<&MemberId>) -> bool {
    let first = member.filter(|_| give::is_nobody(&grant.member));
    if let Some(member) = first {
        grant.member = member.clone();
    }
    first.is_some()
}

/// A grant's times, as core's decisions read them.
pub(crate) fn terms(grant: &Grant) -> Terms {
    Terms { claim_by: grant.claim_by, valid_from: grant.valid_from, valid_until: grant.valid_until }
}

pub(crate) fn core_state(state: GrantState) -> reward::GrantState {
    match state {
        GrantState::Pending => reward::GrantState::Pending,
        GrantState::Granted => reward::GrantState::Granted,
        GrantState::Claimed => reward::GrantState::Claimed,
        GrantState::Reserved => reward::GrantState::Reserved,
        GrantState::Redeemed => reward::GrantState::Redeemed,
        GrantState::Expired => reward::GrantState::Expired,
        GrantState::Revoked => reward::GrantState::Revoked,
    }
}
