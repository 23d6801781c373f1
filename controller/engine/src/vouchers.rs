//! What happens to a grant once it is issued: it is held, used, let go of, given back, expires or is taken back. Each step
//! moves its money with it. Orders, redemptions, claims and jobs decide; this changes.

use crate::{
    Halt,
    audience::zone_of,
    budget::{self, Cost, Spent, Why},
    cards::{self, Side},
    earn::Clawed,
    give,
    jobs::Task,
    refuse, shared, touch,
    tx::Tx,
    wallet,
};
use chrono::TimeDelta;
use fanfare_core::{
    decide::Bound,
    ids::{GrantId, MemberId, Name, OrderId, StoreId},
    ledger::{Posting, account, stock_unit},
    mechanic::{State, key},
    model::{
        reward::{OnReversal, RewardKind},
        segment::Scalar,
    },
    money::Minor,
    points::Lot,
    reason::Reason,
    reward::{self, GrantView, Terms},
    time::{Span, Ts, Tz},
    uses::share_of,
};
use fanfare_store::rows::{Grant, GrantState, Happening, Redemption};

/// How many happenings a grant remembers; the first and the latest stay.
pub const HISTORY_MAX: usize = 50;

/// Where something happened to a grant, and why.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Scene<'a> {
    /// In which store.
    pub(crate) store: Option<&'a StoreId>,
    /// By which order.
    pub(crate) order: Option<&'a OrderId>,
    /// What or why, where the state alone does not say it.
    pub(crate) reason: Option<&'a str>,
    /// How much of it.
    pub(crate) amount: Option<Minor>,
}

/// One use of a grant.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Use {
    /// Which of its uses, from 1.
    pub(crate) place: i64,
    /// What it gives, or how much of that is meant.
    pub(crate) amount: Minor,
}

impl Use {
    /// The whole use that a redemption is.
    pub(crate) fn of(redemption: &Redemption) -> Self {
        Self { place: redemption.place, amount: redemption.amount }
    }
}

/// The zone of a campaign, else the namespace's.
pub(crate) fn zone(tx: &Tx<'_>, campaign: Option<&Name>) -> Tz {
    campaign.and_then(|name| budget::served(tx, name)).map_or(tx.zone(), |plan| plan.schedule.zone)
}

/// The zone in which the days of a member's grant are meant: the member's own, where the attribute `timeZone` names one,
/// else its campaign's, else the namespace's.
pub(crate) fn zone_for(tx: &Tx<'_>, member: &MemberId, campaign: Option<&Name>) -> Result<Tz, Halt> {
    let own = tx.member(member)?.and_then(|row| match row.attributes.get("timeZone") {
        Some(Scalar::Text(text)) => text.parse().ok(),
        _ => None,
    });
    Ok(own.unwrap_or_else(|| zone(tx, campaign)))
}

/// Whether it is used once, so that its state says all of its use.
fn is_single(grant: &Grant) -> bool {
    uses(grant) == Some(1)
}

/// How often it can be used in all; nothing where there is no end of uses. A gift card is used until nothing is left.
pub(crate) fn uses(grant: &Grant) -> Option<i64> {
    grant.terms.redemption.uses.filter(|_| grant.usage.card.is_none())
}

/// How many uses may begin now; nothing where there is no end of them.
pub fn free_uses(grant: &Grant) -> Option<i64> {
    uses(grant).map(|_| grant.uses_left - grant.usage.held)
}

/// Where a claimed grant with several uses or parts stands: as long as one more can begin, it can be used.
pub(crate) fn standing(grant: &Grant) -> GrantState {
    let open = match &grant.usage.card {
        Some(card) => card.free() > Minor::ZERO,
        None => free_uses(grant).is_none_or(|free| free > 0),
    };
    match (open, grant.usage.held > 0) {
        (true, _) => GrantState::Claimed,
        (false, true) => GrantState::Reserved,
        (false, false) => GrantState::Redeemed,
    }
}

/// Brings a grant into a state and writes down that it did.
pub(crate) fn enter(grant: &mut Grant, state: GrantState, at: Ts, scene: Scene<'_>) {
    grant.state = state;
    if grant.history.len() >= HISTORY_MAX {
        grant.history.remove(1);
    }
    let Scene { store, order, reason, amount } = scene;
    let reason = reason.map(ToOwned::to_owned);
    let (store, order, counted) = (store.cloned(), order.cloned(), Vec::new());
    grant.history.push(Happening { at, state, store, order, reason, amount, counted, unfunded: false });
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
    if is_unfunded(grant) {
        return budget::book(tx, campaign, actual, Cost::Rewards, why);
    }
    count(tx, grant, actual.minus(reserved))?;
    budget::spend(tx, campaign, Spent { reserved, actual, cost: Cost::Rewards }, why)
}

/// Whether its campaign had no budget when it was given: one that came later neither pays for it nor gets anything back.
fn is_unfunded(grant: &Grant) -> bool {
    grant.history.first().is_some_and(|given| given.unfunded)
}

/// Moves what the budget has set aside and spent at the store where a grant was given and for its member, as far as its
/// campaign counted it there when it was given.
pub(crate) fn count(tx: &mut Tx<'_>, grant: &Grant, by: Minor) -> Result<(), Halt> {
    let (Some(campaign), Some(given)) = (&grant.campaign, grant.history.first()) else { return Ok(()) };
    let key = |bound: &Bound| match bound {
        Bound::Store => Some(key::budget_store(campaign, given.store.as_ref())),
        Bound::Member => Some(key::budget_member(campaign, &grant.member)),
        Bound::Total | Bound::Day => None,
    };
    let keys: Vec<String> = given.counted.iter().filter_map(key).collect();
    touch::all(keys.iter().map(|key| Ok(tx.count(key)?)))?;
    for key in keys {
        tx.count_up(&key, by.0)?;
    }
    Ok(())
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

/// Plans a grant's next reminder or its end, or takes the plan off.
pub(crate) fn plan_close(tx: &mut Tx<'_>, grant: &Grant) {
    let task = Task::CloseGrant(grant.id.clone());
    let lapses = grant.state != GrantState::Redeemed || matches!(grant.terms.kind, RewardKind::Points { .. });
    match closes_at(grant).filter(|_| lapses) {
        Some(end) => {
            let next = reminders(tx, grant, end).into_iter().map(|(at, _)| at).filter(|at| *at > tx.now).min();
            tx.schedule(task.at(next.unwrap_or(end)));
        }
        // Nothing was planned for one that never ends by itself.
        None if grant.state == GrantState::Redeemed && grant.claim_by.is_none() && grant.valid_until.is_none() => {}
        None => tx.done(&task.id()),
    }
}

/// When the member of a grant that ends at `end` is reminded, and how long before.
pub(crate) fn reminders(tx: &Tx<'_>, grant: &Grant, end: Ts) -> Vec<(Ts, Span)> {
    if grant.terms.remind_before.is_empty() {
        return Vec::new();
    }
    let zone = zone_of(tx.plans);
    grant.terms.remind_before.iter().map(|span| (span.before(end, zone), *span)).collect()
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

/// Begins a use, before it is held or used up; answers its place.
///
/// # Errors
/// Refused where every use is taken, or more is wanted of a gift card than is on it: whoever decided has looked, and this
/// bound must never break.
pub(crate) fn begin(grant: &mut Grant, amount: Minor) -> Result<i64, Halt> {
    if is_single(grant) {
        return Ok(1);
    }
    if let Some(card) = &mut grant.usage.card {
        if amount > card.free() {
            return refuse(Reason::ExceedsRemaining, "this is more than is left on the gift card");
        }
        card.held = card.held.plus(amount);
    }
    let uses = uses(grant);
    match grant.usage.take(uses) {
        Some(place) => Ok(place),
        None => refuse(Reason::ReservedElsewhere, "an order or another till holds it; try again when that is done"),
    }
}

/// From claimed to held by an order or a till.
pub(crate) fn hold(tx: &mut Tx<'_>, mut grant: Grant, amount: Minor, scene: Scene<'_>) {
    if is_single(&grant) {
        enter(&mut grant, GrantState::Reserved, tx.now, scene);
    } else {
        let state = standing(&grant);
        enter(&mut grant, state, tx.now, Scene { reason: Some("held"), amount: Some(amount), ..scene });
    }
    tx.put_grant(grant);
}

/// Less is held of a gift card than was.
pub(crate) fn hold_less(tx: &mut Tx<'_>, id: &GrantId, less: Minor) -> Result<(), Halt> {
    let Some(mut grant) = tx.grant(id)?.filter(|grant| grant.usage.card.is_some()).cloned() else { return Ok(()) };
    if let Some(card) = &mut grant.usage.card {
        card.held = card.held.minus(less).or_zero();
    }
    grant.state = standing(&grant);
    tx.put_grant(grant);
    Ok(())
}

/// From held back to claimed; to expired where its time has run out meanwhile.
pub(crate) fn let_go(tx: &mut Tx<'_>, mut grant: Grant, used: Use, scene: Scene<'_>) -> Result<(), Halt> {
    if is_single(&grant) {
        if grant.state != GrantState::Reserved {
            return Ok(());
        }
        enter(&mut grant, GrantState::Claimed, tx.now, scene);
        if grant.terms.shared_code().is_some() {
            return shared::take_back(tx, grant, scene);
        }
    } else {
        grant.usage.let_go(used.place);
        if let Some(card) = &mut grant.usage.card {
            card.held = card.held.minus(used.amount).or_zero();
        }
        let state = standing(&grant);
        enter(&mut grant, state, tx.now, Scene { reason: Some("released"), amount: Some(used.amount), ..scene });
    }
    if grant.usage.held == 0 && grant.valid_until.is_some_and(|end| end <= tx.now) {
        return expire(tx, grant);
    }
    tx.put_grant(grant);
    Ok(())
}

/// Uses a grant up, or one of its uses, or a part of it: what was set aside for that is spent as what it really gave.
pub(crate) fn use_up(
    tx: &mut Tx<'_>,
    mut grant: Grant,
    used: Use,
    at: Ts,
    scene: Scene<'_>,
    why: Why<'_>,
) -> Result<(), Halt> {
    let is_first = grant.usage.used == 0;
    let (part, cost) = spent(&mut grant, used);
    let scene = Scene { amount: Some(used.amount), ..scene };
    if is_single(&grant) {
        enter(&mut grant, GrantState::Redeemed, at, scene);
    } else {
        let state = standing(&grant);
        enter(&mut grant, state, at, Scene { reason: Some("used"), ..scene });
    }
    book(tx, &grant, part, cost, why)?;
    if grant.usage.card.is_some() {
        cards::take_off(tx, &grant, Side::Used, used.amount, why)?;
    }
    grant.reserved = grant.reserved.minus(part);
    if is_first {
        tally(tx, &grant, "redeemed", 1);
    }
    plan_close(tx, &grant);
    tx.put_grant(grant);
    Ok(())
}

/// Counts a use; answers how much of what is set aside goes with it, and what it costs.
fn spent(grant: &mut Grant, used: Use) -> (Minor, Minor) {
    let reserved = grant.reserved;
    let left = grant.uses_left;
    if !is_single(grant) {
        grant.usage.settle();
    }
    if let Some(card) = &mut grant.usage.card {
        let before = card.given;
        card.held = card.held.minus(used.amount).or_zero();
        let given = card.spend(used.amount);
        let part = if given == Minor::ZERO { Minor::ZERO } else { share_of(reserved, given.0, before.0) };
        return (part, given);
    }
    match grant.terms.redemption.uses {
        Some(_) => {
            grant.uses_left = (left - 1).max(0);
            (share_of(reserved, 1, left), used.amount)
        }
        // What is set aside for something without an end of uses goes with the first.
        None => (reserved, used.amount),
    }
}

/// Takes back a part of what a used grant gave, without giving the grant back.
pub(crate) fn refund(tx: &mut Tx<'_>, grant: &Grant, amount: Minor, why: Why<'_>) -> Result<(), Halt> {
    book(tx, grant, Minor::ZERO, amount.negated(), why)
}

/// A use is undone: its amount of what it gave is taken back, and the grant can be used again where its terms say so and it
/// is still valid. Answers whether it can.
pub(crate) fn give_back(
    tx: &mut Tx<'_>,
    id: &GrantId,
    used: Use,
    scene: Scene<'_>,
    why: Why<'_>,
) -> Result<bool, Halt> {
    let Some(mut grant) = tx.grant(id)?.cloned() else { return Ok(false) };
    if !restores(tx, &grant) {
        refund(tx, &grant, used.amount, why)?;
        return Ok(false);
    }
    if grant.terms.shared_code().is_some() {
        refund(tx, &grant, used.amount, why)?;
        tally(tx, &grant, "redeemed", -1);
        shared::take_back(tx, grant, scene)?;
        return Ok(false);
    }
    // An issued voucher has its money set aside, so what comes back is set aside again: at most what is there, so that
    // a restored voucher never breaks the budget's bound.
    let again = set_aside_again(tx, &grant, used.amount)?;
    book(tx, &grant, again.negated(), used.amount.negated(), why)?;
    grant.reserved = grant.reserved.plus(again);
    if is_single(&grant) {
        grant.uses_left += 1;
        enter(&mut grant, GrantState::Claimed, tx.now, scene);
    } else {
        grant.usage.undo(used.place, true);
        grant.uses_left += i64::from(grant.terms.redemption.uses.is_some());
        let state = standing(&grant);
        enter(&mut grant, state, tx.now, Scene { reason: Some("restored"), amount: Some(used.amount), ..scene });
    }
    if grant.usage.used == 0 {
        tally(tx, &grant, "redeemed", -1);
    }
    plan_close(tx, &grant);
    tx.put_grant(grant);
    Ok(true)
}

/// Whether an undone use of it can be used again.
fn restores(tx: &Tx<'_>, grant: &Grant) -> bool {
    let ended = grant.valid_until.is_some_and(|end| end <= tx.now);
    let alive = match grant.state {
        GrantState::Redeemed => true,
        GrantState::Claimed | GrantState::Reserved => !is_single(grant),
        GrantState::Pending | GrantState::Granted | GrantState::Expired | GrantState::Revoked => false,
    };
    alive && !ended && grant.terms.redemption.on_reversal == OnReversal::Restore
}

/// Money that a gift card paid goes back on it: `whole` says that nothing of that use stands any more. On a card that takes
/// nothing back, because its time is over or its terms forfeit it, it is what nobody used in time. Answers whether it can
/// be used again.
pub(crate) fn pay_back(
    tx: &mut Tx<'_>,
    mut grant: Grant,
    used: Use,
    whole: bool,
    scene: Scene<'_>,
    why: Why<'_>,
) -> Result<bool, Halt> {
    let restores = restores(tx, &grant);
    let Some(mut card) = grant.usage.card else { return Ok(false) };
    let given = card.put_back(used.amount);
    cards::put_on(tx, &grant, Side::Used, used.amount, why)?;
    let again = if restores { room_again(tx, &grant, given, given)? } else { Minor::ZERO };
    book(tx, &grant, again.negated(), given.negated(), why)?;
    grant.reserved = grant.reserved.plus(again);
    if !restores {
        (card.given, card.paid) = (card.given.minus(given), card.paid.minus(used.amount.minus(given)));
        cards::take_off(tx, &grant, Side::Breakage, used.amount, why)?;
    }
    grant.usage.card = Some(card);
    if whole {
        grant.usage.undo(used.place, true);
        if grant.usage.used == 0 {
            tally(tx, &grant, "redeemed", -1);
        }
    }
    let state = if restores { standing(&grant) } else { grant.state };
    let reason = Some(if restores { "paid-back" } else { "forfeited" });
    enter(&mut grant, state, tx.now, Scene { reason, amount: Some(used.amount), ..scene });
    plan_close(tx, &grant);
    tx.put_grant(grant);
    Ok(restores)
}

/// What is set aside again for one use that is undone.
fn set_aside_again(tx: &Tx<'_>, grant: &Grant, amount: Minor) -> Result<Minor, Halt> {
    let cost = reward::cost(&grant.terms, tx.runtime()?);
    room_again(tx, grant, share_of(cost, 1, reward::uses(&grant.terms)), amount)
}

/// As much of `estimate` as the budget still holds, with the `amount` that comes back to it.
fn room_again(tx: &Tx<'_>, grant: &Grant, estimate: Minor, amount: Minor) -> Result<Minor, Halt> {
    let Some(plan) = grant.campaign.as_ref().and_then(|name| budget::served(tx, name)) else { return Ok(Minor::ZERO) };
    if plan.budget.is_none() || is_unfunded(grant) {
        return Ok(Minor::ZERO);
    }
    let flows_back = budget::within_spent(tx, &plan.name, amount)?;
    let whole = budget::room(tx, &plan)?.map(|room| room.or_zero().plus(flows_back));
    let parts = budget::room_of_parts(tx, &plan, grant)?.map(|room| room.or_zero().plus(amount));
    let least = [whole, parts].into_iter().flatten().min();
    Ok(least.map_or(estimate, |room| room.min(estimate)))
}

/// A grant's time is over: its money returns to the budget. Its stock does not return: a reward's quantity is how many
/// are ever given.
pub(crate) fn expire(tx: &mut Tx<'_>, mut grant: Grant) -> Result<(), Halt> {
    enter(&mut grant, GrantState::Expired, tx.now, Scene::default());
    free(tx, &mut grant, "grant-expired")?;
    if let Some(mut card) = grant.usage.card {
        let rest = card.run_out();
        grant.usage.card = Some(card);
        let id = grant.id.clone();
        let why = Why { rule: "gift-card-expired", reference: id.as_str() };
        cards::take_off(tx, &grant, Side::Breakage, rest, why)?;
    }
    tally(tx, &grant, "expired", 1);
    tx.done(&Task::CloseGrant(grant.id.clone()).id());
    tx.put_grant(grant);
    Ok(())
}

/// Takes a grant back, with its money and its stock: what brought it about is undone. Of a gift card, what was given with
/// it is taken back; what somebody paid in stays on it.
pub(crate) fn revoke(tx: &mut Tx<'_>, mut grant: Grant, scene: Scene<'_>) -> Result<(), Halt> {
    free(tx, &mut grant, "grant-revoked")?;
    if let Some(mut card) = grant.usage.card {
        let given = std::mem::take(&mut card.given);
        grant.usage.card = Some(card);
        let id = grant.id.clone();
        cards::take_off(tx, &grant, Side::Given, given, Why { rule: "gift-card-revoked", reference: id.as_str() })?;
        if card.paid > Minor::ZERO {
            let state = standing(&grant);
            enter(&mut grant, state, tx.now, Scene { amount: Some(given), ..scene });
            tx.put_grant(grant);
            return Ok(());
        }
    }
    enter(&mut grant, GrantState::Revoked, tx.now, scene);
    restock(tx, &grant);
    tally(tx, &grant, "revoked", 1);
    tx.done(&Task::CloseGrant(grant.id.clone()).id());
    tx.put_grant(grant);
    Ok(())
}

/// Takes back points that were credited, those of their own lot first.
pub(crate) fn revoke_points(tx: &mut Tx<'_>, mut grant: Grant, scene: Scene<'_>) -> Result<Clawed, Halt> {
    let RewardKind::Points { amount, .. } = grant.terms.kind else { return Ok(Clawed::default()) };
    let wallet = wallet::of(tx, &grant.member)?;
    let id = grant.id.clone();
    let why = Why { rule: "points-clawed-back", reference: id.as_str() };
    // Where its own lot has lapsed, the grant has no end any more, as if its points had none.
    let has_lapsed = grant.history.last().is_some_and(|last| last.reason.as_deref() == Some("lapsed"));
    let own = (!has_lapsed).then(|| Lot::new(None, grant.valid_until));
    let called = wallet::call_back(tx, &wallet, amount, own, why)?;
    let worth = tx.runtime()?.worth_of_points(called.taken);
    refund(tx, &grant, worth, why)?;
    enter(&mut grant, GrantState::Revoked, tx.now, scene);
    restock(tx, &grant);
    tally(tx, &grant, "redeemed", -1);
    tally(tx, &grant, "revoked", 1);
    tx.done(&Task::CloseGrant(grant.id.clone()).id());
    tx.put_grant(grant);
    Ok(Clawed { worth, short: called.short })
}

fn free(tx: &mut Tx<'_>, grant: &mut Grant, rule: &'static str) -> Result<(), Halt> {
    let reserved = std::mem::take(&mut grant.reserved);
    match &grant.campaign {
        Some(campaign) if reserved != Minor::ZERO => {
            count(tx, grant, reserved.negated())?;
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

/// When something happened, as the till says.
///
/// # Errors
/// `event-too-early` where that is yet to come, `event-too-old` where it is longer ago than [`LATE_MAX`].
pub(crate) fn believed(tx: &Tx<'_>, said: Option<Ts>) -> Result<Ts, Halt> {
    match said {
        Some(at) if at > tx.runtime()?.events.accept_ahead.after(tx.now, tx.zone()) => refuse(
            Reason::EventTooEarly,
            "occurredAt is yet to come; check the till's clock, or leave it out for what happens now",
        ),
        Some(at) if at < tx.now - LATE_MAX => refuse(
            Reason::EventTooOld,
            "occurredAt is more than 72 hours ago; check the till's clock. A sale of that age is reported as an event \
             order.paid",
        ),
        said => Ok(occurred(tx.now, said)),
    }
}

/// Refuses a second use of a voucher of several uses by one order.
pub(crate) fn once_an_order(tx: &Tx<'_>, grant: &Grant, order: &OrderId) -> Result<(), Halt> {
    if uses(grant) == Some(1) || grant.usage.card.is_some() {
        return Ok(());
    }
    if tx.redemptions_of(order)?.iter().any(|other| other.grant == grant.id && other.state.is_live()) {
        return refuse(Reason::AlreadyRedeemed, "this order uses the voucher already; another order may use it again");
    }
    Ok(())
}

/// When something happened: as the till says, within what is believed.
pub(crate) fn occurred(now: Ts, said: Option<Ts>) -> Ts {
    said.map_or(now, |at| at.clamp(now - LATE_MAX, now))
}

/// A grant as core's decisions meet it. One of which the order at hand holds `own` counts as claimed, and that as open.
pub(crate) fn met<'a>(tx: &Tx<'_>, grant: &'a Grant, own: Option<Minor>) -> GrantView<'a> {
    let state = match grant.state {
        GrantState::Reserved if own.is_some() => reward::GrantState::Claimed,
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
        balance: grant.usage.card.map(|card| card.free().plus(own.unwrap_or_default())),
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
