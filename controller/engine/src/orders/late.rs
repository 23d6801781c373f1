//! A commit that comes after its reservation lapsed: the shopper paid before, so the sale stands at its price.
//!
//! What is still there is taken again. What is gone is booked as one exception; a reward whose limit somebody else has used
//! up meanwhile is not given. What no longer fits under a limit is not counted, and so is never given back either.

use super::{
    Booking,
    booking::{Spend, VoucherUse},
    take::{self, count_all},
};
use crate::{
    Halt, budget,
    effects::within_caps,
    exceptions::{self, Exceptional, LATE_COMMIT},
    knowledge::{self, Coming},
    shared::{self, Typed},
    touch,
    tx::Tx,
};
use fanfare_core::{
    cart::{Cart, Discount, Evaluation, Rejected, Subject},
    ids::GrantId,
    mechanic::{Effect, basket::CountedBy, key},
    model::campaign::Counted,
    money::Minor,
    pricing::{Consumed, Priced},
    qualify,
    reason::Reason,
    reward,
    time::Ts,
};
use fanfare_store::rows::{Grant, GrantState, Order};

/// Takes again what is still there; answers what limits, stocks and rewards are gone. Budgets and vouchers that are gone
/// stand in the booking.
pub(crate) fn retake(tx: &mut Tx<'_>, order: &mut Order, booking: &mut Booking) -> Result<Vec<String>, Halt> {
    for mut spend in std::mem::take(&mut booking.spends) {
        spend = match room_for(tx, &spend)? {
            true => take::take_budget(tx, &order.id, spend.campaign, spend.amount)?,
            false => Spend { funded: false, ..spend },
        };
        booking.spends.push(spend);
    }
    booking.vouchers.clear();
    let mut discounts = std::mem::take(&mut order.evaluation.discounts);
    for discount in &mut discounts {
        if let Some(grant) = give_shared_again(tx, order, discount)? {
            discount.grant = Some(grant);
        }
        if let Some(grant) = &discount.grant {
            if tx.grant(grant)?.is_some_and(|grant| is_there(grant, discount.amount)) {
                booking.vouchers.push(take::take_voucher(tx, order, discount, None)?);
            } else {
                let (grant, amount) = (grant.clone(), discount.amount);
                booking.vouchers.push(VoucherUse { grant, redemption: None, amount, returned: Minor::ZERO });
            }
        }
    }
    order.evaluation.discounts = discounts;
    recount(tx, order, booking)
}

/// Books what the order gives although it is gone, as one exception, which a person has to look at. `gone` is what
/// [`retake`] answered; a final cart may do without some of the rest.
pub(crate) fn except(
    tx: &mut Tx<'_>,
    order: &mut Order,
    booking: &Booking,
    mut gone: Vec<String>,
    at: Ts,
) -> Result<(), Halt> {
    let mut uncovered = Minor::ZERO;
    for spend in booking.spends.iter().filter(|spend| !spend.funded && spend.amount > Minor::ZERO) {
        gone.push(format!("budget of {}", spend.campaign));
        uncovered = uncovered.plus(spend.amount);
    }
    for used in booking.vouchers.iter().filter(|used| used.redemption.is_none()) {
        gone.push(format!("voucher {}", used.grant));
        uncovered = uncovered.plus(used.amount);
    }
    if gone.is_empty() {
        return Ok(());
    }
    let exceptional = Exceptional {
        kind: LATE_COMMIT,
        about: &format!("Order/{}", order.id),
        order: Some(&order.id),
        store: order.cart.store.as_ref(),
        business_date: order.business_date.as_deref(),
        at,
        amount: uncovered,
        gone,
        remedy: "The sale stands at its price. Decide who bears the amount; `fanfare ledger adjust` books it.",
    };
    order.exception = Some(exceptions::book(tx, exceptional)?);
    Ok(())
}

/// Whether a voucher, or enough of a gift card, is still there.
fn is_there(grant: &Grant, amount: Minor) -> bool {
    grant.state == GrantState::Claimed && grant.usage.card.is_none_or(|card| card.free() >= amount)
}

/// The use of a shared code that the lapse gave back to the code, given anew; nothing where the code has none left for this
/// shopper, or the discount is by no such code.
fn give_shared_again(tx: &mut Tx<'_>, order: &Order, discount: &Discount) -> Result<Option<GrantId>, Halt> {
    let (Some(id), Some(code)) = (&discount.grant, &discount.code) else { return Ok(None) };
    if tx.grant(id)?.is_none_or(|grant| grant.terms.shared_code().is_none()) {
        return Ok(None);
    }
    let typed = Typed { code, member: order.cart.member.as_ref(), store: order.cart.store.as_ref() };
    match shared::give(tx, typed, &shared::cause(&order.id)) {
        Ok(given) => Ok(given.map(|grant| grant.id)),
        Err(Halt::Refused(_)) => Ok(None),
        Err(missing) => Err(missing),
    }
}

/// Names the counters of limits that look back over a length of time as of now, since a late order is given now: what
/// others were given after its reservation counts with it.
pub(crate) fn count_now(
    tx: &mut Tx<'_>,
    cart: &Cart,
    evaluation: &Evaluation,
    all: &mut [Consumed],
) -> Result<(), Halt> {
    for consumed in all {
        if consumed.counts.iter().all(|counts| key::moving(&counts.key).is_none()) {
            continue;
        }
        let Some(plan) = budget::served(tx, &consumed.campaign) else { continue };
        let mechanic = plan.mechanics.iter().find(|own| consumed.mechanic.as_ref() == Some(&own.name));
        let earned = earned_by(consumed).and_then(|index| evaluation.earned.get(index));
        let reward = earned.and_then(|earned| tx.plans.rewards.get(&earned.reward)).cloned();
        let (member, store) = (cart.member.as_ref(), cart.store.as_ref());
        let coming = Coming { member, store, channel: None, at: tx.now, points: 0 };
        let now = knowledge::visit(tx, coming, |visit| {
            let mut now = Vec::new();
            for counted in [Counted::Orders, Counted::Rewards] {
                now.extend(qualify::consumes(&plan, None, counted, 1, visit));
                now.extend(
                    mechanic.map_or_else(Vec::new, |own| qualify::consumes(&plan, Some(own), counted, 1, visit)),
                );
            }
            now.extend(
                reward.map_or_else(Vec::new, |plan| reward::consumes(&plan, 1, Some(&consumed.campaign), visit)),
            );
            now
        })?;
        for counts in &mut consumed.counts {
            let Some(limit) = key::moving(&counts.key) else { continue };
            let same = now.iter().find_map(|effect| match effect {
                Effect::Count { key, cap, .. } if key::moving(key) == Some(limit) => Some((key.clone(), *cap)),
                _ => None,
            });
            if let Some((key, cap)) = same {
                (counts.key, counts.cap) = (key, cap);
            }
        }
    }
    Ok(())
}

/// Moves the counters that the lapse moved back once more: those of the price together, within their caps or not at all,
/// then those of each reward. A reward that does not fit is earned no more. Answers
/// what did not fit.
fn recount(tx: &mut Tx<'_>, order: &mut Order, booking: &mut Booking) -> Result<Vec<String>, Halt> {
    let mut gone = Vec::new();
    count_now(tx, &order.cart, &order.evaluation, &mut booking.consumed)?;
    let all = booking.consumed.clone();
    touch::counters(tx, &again(order, &all))?;
    booking.counted = true;
    let of_price: Vec<Consumed> = all.iter().filter(|consumed| earned_by(consumed).is_none()).cloned().collect();
    if !count(tx, &again(order, &of_price))? {
        gone.push("a limit or stock".into());
        for consumed in booking.consumed.iter_mut().filter(|consumed| earned_by(consumed).is_none()) {
            consumed.counts.clear();
        }
    }
    for consumed in &mut booking.consumed {
        let Some(index) = earned_by(consumed) else { continue };
        if count(tx, &again(order, std::slice::from_ref(consumed)))? {
            continue;
        }
        consumed.counts.clear();
        let Some(earned) = order.evaluation.earned.get_mut(index) else { continue };
        earned.quantity = 0;
        earned.amount = None;
        gone.push(format!("reward {}", earned.reward));
        let subject = Subject::Campaign(earned.campaign.clone(), Some(earned.mechanic.clone()));
        let detail = "A limit of this reward was used up before the order was committed.".into();
        let reward = Some(earned.reward.clone());
        order.evaluation.rejected.push(Rejected { subject, reward, reason: Reason::LimitReached, detail });
    }
    Ok(gone)
}

/// The place of the reward that this counts, where it counts one.
fn earned_by(consumed: &Consumed) -> Option<usize> {
    consumed.counts.iter().find_map(|counts| match counts.by {
        CountedBy::Earned(index) => Some(index),
        CountedBy::Order | CountedBy::Amount | CountedBy::Units(_) | CountedBy::Day | CountedBy::Kept => None,
    })
}

/// Counts all of it or nothing; answers which.
fn count(tx: &mut Tx<'_>, effects: &[Effect]) -> Result<bool, Halt> {
    let fits = within_caps(tx, effects)?;
    if fits {
        count_all(tx, effects)?;
    }
    Ok(fits)
}

/// What the lapse gave back, taken again. Units of a flash-sale reservation are taken from its stock like any others: the
/// reservation itself is over.
fn again(order: &Order, consumed: &[Consumed]) -> Vec<Effect> {
    let priced = Priced { evaluation: order.evaluation.clone(), consumed: consumed.to_vec(), exhausted: Vec::new() };
    let cap = |key: &str| {
        let all = consumed.iter().flat_map(|consumed| &consumed.counts);
        all.filter(|counts| counts.key == key).filter_map(|counts| counts.cap).min()
    };
    let moved = priced.undo().into_iter().filter_map(|effect| match effect {
        Effect::Count { key, delta, cap: _ } => Some(Effect::Count { cap: cap(&key), key, delta: -delta }),
        Effect::Grant { .. } | Effect::Hold { .. } | Effect::Release { .. } | Effect::SpendPoints { .. } => None,
    });
    moved.collect()
}

fn room_for(tx: &Tx<'_>, spend: &Spend) -> Result<bool, Halt> {
    let Some(plan) = budget::served(tx, &spend.campaign) else { return Ok(false) };
    Ok(budget::room(tx, &plan)?.is_none_or(|room| room >= spend.amount))
}
