//! Vouchers on a cart, after the campaigns: the named codes in their order, then gift cards, which pay what is left, and
//! what else the member has that would do.

use super::{Bill, line_shares, margin};
use crate::{
    cart::{Available, Discount, Subject},
    ids::Code,
    mechanic::{Basket, basket::capped},
    model::{
        campaign::Combine,
        reward::{RewardKind, Voucher, VoucherWorth},
    },
    money::{Minor, allocate},
    reason::{Reason, Refusal},
    reward::{GrantState, GrantView, held, off, usable},
};

/// The most vouchers of the member that are tried for `available`.
const TRIED_MAX: usize = 100;

/// Applies the codes that the cart names, each on what is left: first what takes something off, then what pays.
pub(super) fn apply(bill: &mut Bill<'_>) {
    let cart = bill.ask.cart;
    let pays = |code: &&Code| {
        let grants = bill.ask.grants;
        grants.iter().any(|grant| grant.code == Some(*code) && grant.plan.kind.is_payment())
    };
    let (payments, vouchers): (Vec<&Code>, Vec<&Code>) = cart.codes.iter().partition(pays);
    for code in vouchers.into_iter().chain(payments) {
        match find(bill, code).and_then(|grant| Ok((grant, named(bill, grant)?))) {
            Ok((grant, Shares { taken, wanted })) => {
                let cut = margin::cut(wanted, taken.iter().copied().sum(), &bill.ask.visit);
                take(bill, grant, code, taken);
                if let Some(refusal) = cut {
                    bill.reject(Subject::Code(code.clone()), refusal);
                }
            }
            Err(refusal) => bill.reject(Subject::Code(code.clone()), refusal),
        }
    }
}

/// The member's other vouchers that would apply to what is left.
pub(super) fn available(bill: &Bill<'_>) -> Vec<Available> {
    let member = bill.ask.visit.member();
    let own = bill.ask.grants.iter().filter(|grant| {
        member.is_some()
            && grant.member == member
            && grant.state == GrantState::Claimed
            && grant.code.is_none_or(|code| !bill.ask.cart.codes.contains(code))
    });
    own.take(TRIED_MAX)
        .filter_map(|grant| {
            let amount: Minor = shares(bill, grant).ok()?.taken.into_iter().sum();
            Some(Available { grant: grant.id.clone(), title: grant.plan.title.clone(), amount })
        })
        .collect()
}

fn find<'a>(bill: &Bill<'a>, code: &Code) -> Result<&'a GrantView<'a>, Refusal> {
    bill.ask.grants.iter().find(|grant| grant.code == Some(code)).ok_or_else(code_unknown)
}

/// The refusal of a code that nobody has, and of one of which its asker may not know.
pub fn code_unknown() -> Refusal {
    Refusal::new(Reason::CodeUnknown, "There is no such code; check it for typing errors.")
}

/// What a voucher takes off that was named. One that this order holds was shown when it was taken.
fn named(bill: &Bill<'_>, grant: &GrantView<'_>) -> Result<Shares, Refusal> {
    usable(grant, &bill.ask.visit)?;
    if bill.reserved_for_grant(grant.id).is_none_or(|reserved| reserved <= Minor::ZERO) {
        held(grant, bill.ask.visit.member())?;
    }
    shares(bill, grant)
}

/// What a voucher takes off each line, and what it would take off in all, were no margin to be kept.
struct Shares {
    taken: Vec<Minor>,
    wanted: Minor,
}

fn shares(bill: &Bill<'_>, grant: &GrantView<'_>) -> Result<Shares, Refusal> {
    usable(grant, &bill.ask.visit)?;
    combinable(bill, grant)?;
    let shares = off(grant, &bill.ask.cart.lines, &bill.basket.left, &bill.ask.visit)?;
    let shares = match bill.reserved_for_grant(grant.id) {
        Some(most) => capped(shares, most),
        None => shares,
    };
    let unguarded = bill.basket.unguarded().map(|basket| above_floors(&basket, grant, shares.clone()));
    let taken = above_floors(&bill.basket, grant, shares);
    let given: Minor = taken.iter().copied().sum();
    let wanted = unguarded.map_or(given, |wanted| wanted.into_iter().sum());
    // What is given for nothing is not sold: it is free, or the voucher is kept for another day.
    let must_be_whole = matches!(grant.plan.kind, RewardKind::FreeItem { .. });
    if given > Minor::ZERO && !(must_be_whole && given < wanted) {
        return Ok(Shares { taken, wanted });
    }
    if let Some(refusal) = margin::cut(wanted, Minor::ZERO, &bill.ask.visit) {
        return Err(refusal);
    }
    let detail = match grant.plan.kind.is_payment() {
        true => "Nothing is left to pay.",
        false => "It would take nothing off this cart.",
    };
    Err(Refusal::new(Reason::ItemsNotEligible, detail))
}

/// No line falls below the floor of a discount that took something off it. An amount is taken off the other lines of the
/// voucher as far as they hold it. What pays is no discount: it pays floors, too.
fn above_floors(basket: &Basket<'_>, grant: &GrantView<'_>, shares: Vec<Minor>) -> Vec<Minor> {
    let rooms: Vec<Minor> = basket.rooms().collect();
    if grant.plan.kind.is_payment() || shares.iter().zip(&rooms).all(|(share, room)| share <= room) {
        return shares;
    }
    let is_amount = matches!(&grant.plan.kind, RewardKind::Voucher(Voucher { worth: VoucherWorth::Amount(_), .. }));
    if !is_amount {
        return shares.into_iter().zip(rooms).map(|(share, room)| share.min(room)).collect();
    }
    let meant = shares.iter().zip(&rooms).map(|(share, room)| if *share > Minor::ZERO { room.0 } else { 0 });
    let meant: Vec<i64> = meant.collect();
    let most = Minor(meant.iter().sum());
    allocate(shares.iter().copied().sum::<Minor>().min(most), &meant)
}

fn combinable(bill: &Bill<'_>, grant: &GrantView<'_>) -> Result<(), Refusal> {
    let refuse = |detail: String| Err(Refusal::new(Reason::NotCombinable, detail));
    for applied in applied(bill) {
        if applied.id == grant.id {
            return refuse("This code is named twice; name it once.".into());
        }
        let (Some(ours), Some(theirs)) = (&grant.plan.stacking, &applied.plan.stacking) else { continue };
        let shares = |combine: Combine| match combine {
            Combine::All => true,
            Combine::Exclusive | Combine::BestOf => false,
        };
        if ours.group == theirs.group && !(shares(ours.combine) && shares(theirs.combine)) {
            return refuse(format!(
                "Only one voucher of this kind an order; {} is already applied.",
                applied.plan.title
            ));
        }
    }
    Ok(())
}

fn applied<'a>(bill: &Bill<'a>) -> impl Iterator<Item = &'a GrantView<'a>> {
    let grants = bill.ask.grants;
    bill.discounts
        .iter()
        .filter_map(move |discount| grants.iter().find(|grant| Some(grant.id) == discount.grant.as_ref()))
}

fn take(bill: &mut Bill<'_>, grant: &GrantView<'_>, code: &Code, shares: Vec<Minor>) {
    bill.basket.take(&shares);
    bill.discounts.push(Discount {
        campaign: grant.campaign.cloned(),
        mechanic: grant.mechanic.cloned(),
        code: Some(code.clone()),
        grant: Some(grant.id.clone()),
        hold: None,
        amount: shares.iter().copied().sum(),
        lines: line_shares(bill.ask.cart, &shares),
        units: Vec::new(),
        payment: grant.plan.kind.is_payment(),
    });
}
