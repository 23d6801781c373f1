//! Gives lines of a committed order back: the refund, the campaigns' money, what was earned, the vouchers.

use super::{
    Booking, Placed, booking::VoucherUse, facts, placed, take::cause, take::count_all, take::want, wrong_state,
};
use crate::{
    Command, Halt, attribution,
    budget::{self, Cost, Spent, Why},
    days,
    earn::{self, Clawed},
    exceptions::{self, Exceptional, POINTS_SHORT},
    knowledge::{self, Coming},
    plans::Plans,
    refuse, shown,
    tx::Tx,
    vouchers::{self, Scene, Use},
    wallet,
};
use fanfare_core::{
    decide,
    ids::{GrantId, MemberId, OrderId, StoreId},
    mechanic::{
        Paid, Scene as Decision,
        behaviour::{Clawback, Returned},
        key,
    },
    model::reward::{OnReversal, RewardKind},
    money::Minor,
    reason::Reason,
    returns::{self, GivenBack, Sold},
    reward,
    segment::ORDER_REFUNDED,
    time::Ts,
    uses::share_of,
};
use fanfare_store::{
    Keys,
    rows::{Grant, GrantState, Order, OrderState, RedemptionState, Return},
};
use std::collections::BTreeMap;

/// The most returns of one order.
pub const RETURNS_MAX: usize = 200;

/// Gives lines of an order back. The same `return_id` again changes nothing.
#[derive(Clone, Debug)]
pub struct ReturnOrder {
    /// Which order.
    pub id: OrderId,
    /// The till's id of this return; one key with `order.refunded`.
    pub return_id: String,
    /// (line, quantity).
    pub lines: Vec<(String, i64)>,
    /// Why.
    pub reason: String,
    /// Where it comes back; the order's own store where it does not say.
    pub store: Option<StoreId>,
    /// The day of the till that takes it back, `YYYY-MM-DD`; the calendar day of the store where it does not say.
    pub business_date: Option<String>,
}

impl Command for ReturnOrder {
    /// Nothing when there is no such order.
    type Answer = Option<Placed>;

    fn prefetch(&self, _: &Plans, keys: &mut Keys) {
        keys.orders.insert(self.id.clone());
        keys.redemptions_of.insert(self.id.clone());
        keys.grants_by_cause.insert(cause(&self.id));
    }

    fn run(&self, tx: &mut Tx<'_>) -> Result<Self::Answer, Halt> {
        let Some(mut order) = tx.order(&self.id)?.filter(|order| !super::is_awaited(order)).cloned() else {
            return Ok(None);
        };
        if let Some(known) = order.returns.iter().find(|back| back.id == self.return_id) {
            if !self.is(known) {
                let detail = "this return id was used for another return; give each return an id of its own";
                return refuse(Reason::ReturnIdReused, detail);
            }
            return placed(tx, order, false).map(Some);
        }
        match order.state {
            OrderState::Committed | OrderState::PartiallyReturned | OrderState::Returned => {}
            OrderState::Reserved => return wrong_state(&order, "what is only reserved is voided"),
            OrderState::Voided | OrderState::Lapsed => return wrong_state(&order, "nothing of it was sold"),
        }
        let back = Back {
            return_id: &self.return_id,
            lines: &self.lines,
            reason: &self.reason,
            paid_back: None,
            store: self.store.as_ref(),
            business_date: self.business_date.as_deref(),
            at: tx.now,
        };
        apply(tx, &mut order, back)?;
        facts::refunded(tx, &order, &self.return_id)?;
        placed(tx, order, true).map(Some)
    }
}

impl ReturnOrder {
    /// Whether this is that return, sent again. One that an event told has the event's words, and perhaps no lines.
    fn is(&self, known: &Return) -> bool {
        let sorted = |lines: &[(String, i64)]| {
            let mut lines = lines.to_vec();
            lines.sort();
            lines
        };
        let told = known.reason == ORDER_REFUNDED;
        let same_lines = sorted(&known.lines) == sorted(&self.lines) || (told && known.lines.is_empty());
        same_lines && (told || known.reason == self.reason)
    }
}

/// What comes back.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Back<'a> {
    pub(crate) return_id: &'a str,
    pub(crate) lines: &'a [(String, i64)],
    pub(crate) reason: &'a str,
    /// What the shopper got back, where a till only reports it.
    pub(crate) paid_back: Option<Minor>,
    /// Where, where that is another store than the order's.
    pub(crate) store: Option<&'a StoreId>,
    /// On which day of the till, where it says.
    pub(crate) business_date: Option<&'a str>,
    /// When.
    pub(crate) at: Ts,
}

/// Writes a return down and counts it in the day of the till that took it.
fn write_down(tx: &mut Tx<'_>, order: &mut Order, back: Back<'_>, done: Return) -> Result<(), Halt> {
    let store = back.store.or(order.cart.store.as_ref()).cloned();
    let date = days::of(tx, store.as_ref(), back.business_date, back.at)?;
    days::returned(tx, store.as_ref(), &date, &done);
    order.returns.push(Return { store, business_date: Some(date), ..done });
    Ok(())
}

/// Gives lines back and writes the order.
pub(crate) fn apply(tx: &mut Tx<'_>, order: &mut Order, back: Back<'_>) -> Result<(), Halt> {
    if order.returns.len() >= RETURNS_MAX {
        return refuse(Reason::ReturnExceedsOrder, "it came back in too many parts; return all that is left at once");
    }
    let mut booking = Booking::of(order);
    tx.order = Some(order.id.clone());
    want(tx, &booking)?;
    let fates = fates(tx, &booking.vouchers)?;
    let priced = booking.priced(order);
    let sold = Sold {
        order: &order.id,
        lines: &order.cart.lines,
        priced: &priced,
        returned: &booking.returned,
        called_back: &booking.called_back,
    };
    let given =
        returns::give_back(&sold, back.lines, &|grant| fates.get(grant).copied().unwrap_or(OnReversal::Forfeit))?;
    if booking.counted {
        count_all(tx, &given.effects)?;
    }
    pay_back(tx, &order.id, &booking, &given)?;
    let mut to_cards = Vec::new();
    for used in &mut booking.vouchers {
        let of_it = |index: usize| {
            order.evaluation.discounts.get(index).is_some_and(|discount| discount.grant.as_ref() == Some(&used.grant))
        };
        let amount: Minor = given.discounts.iter().filter(|(index, _)| of_it(*index)).map(|(_, amount)| *amount).sum();
        let restored = given.restored.contains(&used.grant);
        if restored || amount > Minor::ZERO {
            let paid_with = voucher_back(tx, order, used, amount, restored, back)?;
            to_cards.extend(paid_with.then(|| (used.grant.clone(), amount)));
        }
    }
    let paid_so_far: Minor = order.returns.iter().map(|back| back.refund).sum();
    let left = order.evaluation.payable.minus(paid_so_far);
    let refund = back.paid_back.unwrap_or(given.refund).min(left);
    let is_payment = |index: usize| order.evaluation.discounts.get(index).is_some_and(|one| one.payment);
    let paid: Minor = given.discounts.iter().filter(|(index, _)| is_payment(*index)).map(|(_, amount)| *amount).sum();
    let net = refund.plus(paid);
    let mut clawed = Clawed::default();
    for (index, clawback) in &given.clawbacks {
        if booking.called_back.len() <= *index {
            booking.called_back.resize(index + 1, 0);
        }
        booking.called_back[*index] += clawback.quantity;
        clawed = clawed.and(claw_back(tx, order, clawback)?);
    }
    let kept = still_paid(order).minus(net);
    clawed = clawed.and(earn::on_return(tx, order, &mut booking, kept)?);
    clawed = clawed.and(regress(tx, order, &mut booking, given.total, net)?);
    note_short(tx, order, clawed.short)?;
    attribution::refunded(tx, &order.id, &mut booking.sales, net)?;
    remember(&mut booking.returned, &given);
    order.state = if given.complete { OrderState::Returned } else { OrderState::PartiallyReturned };
    let done = Return {
        id: back.return_id.to_owned(),
        lines: back.lines.to_vec(),
        refund,
        clawed_back: clawed.worth,
        restored: given.restored,
        paid,
        to_cards,
        reason: back.reason.to_owned(),
        at: tx.now,
        store: None,
        business_date: None,
    };
    write_down(tx, order, back, done)?;
    order.booking = booking.to_value();
    tx.put_order(order.clone());
    Ok(())
}

/// Money of a reported order comes back without its lines being known: revenue and progress count back, nothing else.
pub(crate) fn money_only(tx: &mut Tx<'_>, order: &mut Order, back: Back<'_>) -> Result<(), Halt> {
    let mut booking = Booking::of(order);
    let refund = back.paid_back.unwrap_or_default();
    let kept = still_paid(order).minus(refund);
    let clawed = earn::on_return(tx, order, &mut booking, kept)?;
    let clawed = clawed.and(regress(tx, order, &mut booking, refund, refund)?);
    note_short(tx, order, clawed.short)?;
    attribution::refunded(tx, &order.id, &mut booking.sales, refund)?;
    let done = Return {
        id: back.return_id.to_owned(),
        lines: Vec::new(),
        refund,
        clawed_back: clawed.worth,
        restored: Vec::new(),
        paid: Minor::ZERO,
        to_cards: Vec::new(),
        reason: back.reason.to_owned(),
        at: tx.now,
        store: None,
        business_date: None,
    };
    write_down(tx, order, back, done)?;
    let paid_back: Minor = order.returns.iter().map(|back| back.refund).sum();
    let whole = paid_back >= order.evaluation.payable;
    order.state = if whole { OrderState::Returned } else { OrderState::PartiallyReturned };
    order.booking = booking.to_value();
    tx.put_order(order.clone());
    Ok(())
}

/// What is still paid for an order, with money or gift cards, after what came back before.
fn still_paid(order: &Order) -> Minor {
    order.evaluation.price().minus(order.returns.iter().map(Return::net).sum())
}

/// Points that could not be taken back any more are one exception of the order, which a person has to look at.
fn note_short(tx: &mut Tx<'_>, order: &mut Order, short: i64) -> Result<(), Halt> {
    if short == 0 {
        return Ok(());
    }
    let exceptional = Exceptional {
        kind: POINTS_SHORT,
        about: &format!("Order/{}", order.id),
        order: Some(&order.id),
        store: order.cart.store.as_ref(),
        business_date: None,
        at: tx.now,
        amount: tx.runtime()?.worth_of_points(short),
        gone: vec![format!("{short} points that the order had earned were spent already")],
        remedy: "The money is paid back. Decide whether the member owes the points; `fanfare ledger adjust` books it.",
    };
    let id = exceptions::book(tx, exceptional)?;
    order.exception.get_or_insert(id);
    Ok(())
}

/// What becomes of each voucher that comes back: one that has run out cannot be used again.
fn fates(tx: &Tx<'_>, vouchers: &[VoucherUse]) -> Result<BTreeMap<GrantId, OnReversal>, Halt> {
    let mut fates = BTreeMap::new();
    for used in vouchers {
        if let Some(grant) = tx.grant(&used.grant)? {
            let dead = grant.valid_until.is_some_and(|end| end <= tx.now) || used.redemption.is_none();
            let fate = if dead { OnReversal::Forfeit } else { grant.terms.redemption.on_reversal };
            fates.insert(used.grant.clone(), fate);
        }
    }
    Ok(fates)
}

/// The campaigns get back what their discounts took off.
fn pay_back(tx: &mut Tx<'_>, order: &OrderId, booking: &Booking, given: &GivenBack) -> Result<(), Halt> {
    let why = Why { rule: "order-returned", reference: order.as_str() };
    for (campaign, amount) in &given.campaigns {
        let funded = booking.spends.iter().any(|spend| spend.campaign == *campaign && spend.funded);
        let actual = amount.negated();
        if funded {
            let spent = Spent { reserved: Minor::ZERO, actual, cost: Cost::Discounts };
            budget::spend(tx, campaign, spent, why)?;
        } else {
            budget::book(tx, campaign, actual, Cost::Discounts, why)?;
        }
    }
    Ok(())
}

/// Takes back what a voucher took off, or puts back what a gift card paid; answers whether it is a card.
fn voucher_back(
    tx: &mut Tx<'_>,
    order: &Order,
    used: &mut VoucherUse,
    amount: Minor,
    restored: bool,
    back: Back<'_>,
) -> Result<bool, Halt> {
    let found = used.redemption.as_ref().map(|id| tx.redemption(id)).transpose()?.flatten();
    used.returned = used.returned.plus(amount);
    let Some(mut redemption) = found.cloned() else {
        if let Some(grant) = tx.grant(&used.grant)?.cloned() {
            let why = Why { rule: "order-returned", reference: order.id.as_str() };
            shown::book(tx, &grant, amount.negated(), why)?;
        }
        return Ok(false);
    };
    let whole = restored || used.returned >= used.amount;
    redemption.state = if whole { RedemptionState::Reversed } else { RedemptionState::PartiallyReversed };
    redemption.reversals.push((back.return_id.to_owned(), amount, back.reason.to_owned()));
    let part = Use { amount, ..Use::of(&redemption) };
    tx.put_redemption(redemption);
    let why = Why { rule: "order-returned", reference: order.id.as_str() };
    let scene = Scene { store: order.cart.store.as_ref(), order: Some(&order.id), ..Scene::default() };
    match tx.grant(&used.grant)?.cloned() {
        Some(card) if card.terms.kind.is_payment() => {
            vouchers::pay_back(tx, card, part, whole, scene, why)?;
            return Ok(true);
        }
        Some(_) if restored => {
            vouchers::give_back(tx, &used.grant, part, scene, why)?;
        }
        Some(grant) => vouchers::refund(tx, &grant, amount, why)?,
        None => {}
    }
    Ok(false)
}

/// Takes back what was earned for too little now, as far as it is not used; answers its worth.
fn claw_back(tx: &mut Tx<'_>, order: &Order, clawback: &Clawback) -> Result<Clawed, Halt> {
    let earned = |grant: &&Grant| {
        grant.terms.name == clawback.reward
            && grant.campaign.as_ref() == Some(&clawback.campaign)
            && grant.mechanic.as_ref() == Some(&clawback.mechanic)
    };
    let grants: Vec<Grant> = tx.grants_by_cause(&cause(&order.id))?.into_iter().filter(earned).cloned().collect();
    take_back(tx, order, grants, clawback).map(|(clawed, _)| clawed)
}

/// Takes grants back; answers their worth and which were taken.
fn take_back(
    tx: &mut Tx<'_>,
    order: &Order,
    grants: Vec<Grant>,
    clawback: &Clawback,
) -> Result<(Clawed, Vec<Grant>), Halt> {
    let mut left = clawback.quantity;
    let mut taken = Vec::new();
    let mut clawed = Clawed::default();
    let scene = Scene { order: Some(&order.id), reason: Some("order-returned"), ..Scene::default() };
    for grant in grants {
        if left == 0 {
            break;
        }
        match (grant.state, &grant.terms.kind) {
            // What was given with this card is spent or taken back already; what somebody paid in stays on it.
            _ if grant.usage.card.is_some_and(|card| card.given <= Minor::ZERO) => continue,
            (GrantState::Pending | GrantState::Granted | GrantState::Claimed, _) if grant.usage.held == 0 => {
                clawed.worth = clawed.worth.plus(worth_left(tx, &grant)?);
                vouchers::revoke(tx, grant.clone(), scene)?;
            }
            (GrantState::Redeemed, RewardKind::Points { .. }) => {
                clawed = clawed.and(vouchers::revoke_points(tx, grant.clone(), scene)?);
            }
            // Held or used: an issued voucher is honoured.
            _ => continue,
        }
        left -= 1;
        count_all(tx, &clawback.each)?;
        taken.push(grant);
    }
    Ok((clawed, taken))
}

/// What a grant that nobody holds can still give of what was given with it.
fn worth_left(tx: &Tx<'_>, grant: &Grant) -> Result<Minor, Halt> {
    if let Some(card) = grant.usage.card {
        return Ok(card.given);
    }
    let worth = reward::worth(&grant.terms, tx.runtime()?);
    Ok(share_of(worth, grant.uses_left, reward::uses(&grant.terms)))
}

/// Mechanics that counted the order as an event count back what came back: units that cost `total` before discounts and
/// of which `refund` was paid back.
fn regress(tx: &mut Tx<'_>, order: &Order, booking: &mut Booking, total: Minor, refund: Minor) -> Result<Clawed, Halt> {
    let was = Paid { before: order.evaluation.total, after: order.evaluation.price(), evaluated: !order.reported };
    let refunded: Minor = order.returns.iter().map(Return::net).sum();
    let less = |part: Paid, before: Minor, after: Minor| Paid {
        before: part.before.minus(before).or_zero(),
        after: part.after.minus(after).or_zero(),
        ..part
    };
    let prior = less(was, booking.returned_total, refunded);
    let back = Returned { was, prior, left: less(prior, total, refund) };
    booking.returned_total = booking.returned_total.plus(total);
    let Some(member) = order.cart.member.clone() else { return Ok(Clawed::default()) };
    let mut clawed = Clawed::default();
    for campaign in &booking.progressed {
        let Some(plan) = budget::served(tx, campaign) else { continue };
        let store = order.cart.store.as_ref();
        let channel = Some(order.cart.channel.as_str()).filter(|channel| !channel.is_empty());
        let coming = Coming { member: Some(&member), store, channel, at: order.occurred_at, points: 0 };
        let undone = knowledge::visit(tx, coming, |visit| decide::on_return(&plan, visit, &back))??;
        count_all(tx, &undone.effects)?;
        for clawback in &undone.clawbacks {
            let taken = if clawback.together {
                claw_back_any(tx, order, &member, clawback)?
            } else {
                claw_back(tx, order, clawback)?
            };
            clawed = clawed.and(taken);
        }
    }
    Ok(clawed)
}

/// What several orders earned together hangs on the order that came last, which need not be this one: any unused grant of
/// that mechanic will do, those of this order first.
fn claw_back_any(tx: &mut Tx<'_>, order: &Order, member: &MemberId, clawback: &Clawback) -> Result<Clawed, Halt> {
    let of = |grant: &&Grant| {
        grant.terms.name == clawback.reward
            && grant.campaign.as_ref() == Some(&clawback.campaign)
            && grant.mechanic.as_ref() == Some(&clawback.mechanic)
    };
    let mut grants: Vec<Grant> = tx.grants_by_cause(&cause(&order.id))?.into_iter().filter(of).cloned().collect();
    let others: Vec<Grant> = tx.grants_of(member)?.into_iter().filter(of).rev().cloned().collect();
    for other in others {
        if grants.iter().all(|own| own.id != other.id) {
            grants.push(other);
        }
    }
    let (mut clawed, taken) = take_back(tx, order, grants, clawback)?;
    for grant in &taken {
        uncount(tx, order, member, clawback, grant.cause.strip_prefix("order:").map(OrderId::from))?;
    }
    let left = clawback.quantity - i64::try_from(taken.len()).unwrap_or(i64::MAX);
    for _ in 0..left {
        clawed = clawed.and(take_points(tx, order, member, clawback)?);
    }
    Ok(clawed)
}

/// Gives back what one that is taken counted against limits, where and when the order counted that `brought` it; as of the
/// order that comes back, where that is not known.
fn uncount(
    tx: &mut Tx<'_>,
    back: &Order,
    member: &MemberId,
    clawback: &Clawback,
    brought: Option<OrderId>,
) -> Result<(), Halt> {
    let other = brought.filter(|id| *id != back.id).map(|id| tx.order(&id)).transpose()?.flatten().cloned();
    let order = other.as_ref().unwrap_or(back);
    let Some(plan) = budget::served(tx, &clawback.campaign) else { return Ok(()) };
    let Some(reward) = tx.plans.rewards.get(&clawback.reward).cloned() else { return Ok(()) };
    let Some(mechanic) = plan.mechanics.iter().find(|own| own.name == clawback.mechanic) else { return Ok(()) };
    let at = order.committed_at.unwrap_or(order.occurred_at);
    let coming = Coming { member: Some(member), store: order.cart.store.as_ref(), channel: None, at, points: 0 };
    let at_hand = tx.order.replace(order.id.clone());
    let counts = knowledge::visit(tx, coming, |visit| {
        decide::grant_counts(&Decision { campaign: &plan, mechanic, visit: *visit }, &reward, -1)
    });
    tx.order = at_hand;
    count_all(tx, &counts?)
}

/// Points that another order brought are in the wallet, whichever grant they came by: they are taken from there.
fn take_points(tx: &mut Tx<'_>, order: &Order, member: &MemberId, clawback: &Clawback) -> Result<Clawed, Halt> {
    let Some(terms) = tx.plans.rewards.get(&clawback.reward).cloned() else { return Ok(Clawed::default()) };
    let RewardKind::Points { amount, .. } = terms.kind else { return Ok(Clawed::default()) };
    let wallet = wallet::of(tx, member)?;
    let why = Why { rule: "points-clawed-back", reference: order.id.as_str() };
    let called = wallet::call_back(tx, &wallet, amount, None, why)?;
    let worth = tx.runtime()?.worth_of_points(called.taken);
    let spent = Spent { reserved: Minor::ZERO, actual: worth.negated(), cost: Cost::Rewards };
    budget::spend(tx, &clawback.campaign, spent, why)?;
    tx.tally(&key::reward(&clawback.reward, "cost"), -worth.0);
    count_all(tx, &clawback.each)?;
    // Which order brought them is not kept with the wallet.
    uncount(tx, order, member, clawback, None)?;
    Ok(Clawed { worth, short: called.short })
}

fn remember(returned: &mut Vec<(String, i64)>, given: &GivenBack) {
    for line in &given.lines {
        match returned.iter_mut().find(|(id, _)| *id == line.id) {
            Some((_, quantity)) => *quantity += line.quantity,
            None => returned.push((line.id.clone(), line.quantity)),
        }
    }
}
