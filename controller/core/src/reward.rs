//! Rewards: the terms under which one is given, whether one can be given, and whether a voucher can be used.
//!
//! What was issued keeps its terms: they are made once, here, from the plan of that revision. Ledger entries are the
//! engine's.

use crate::{
    cart::{Choice, Line, SHIPPING},
    ids::{Code, GrantId, MemberId, Name, OrderId},
    mechanic::{Effect, Missing, key},
    model::{
        RewardPlan, RuntimePlan,
        campaign::{Counted, Limit, Per},
        reward::{Claim, RewardKind, ValidFrom, Voucher, VoucherWorth},
    },
    money::Minor,
    payload::Payload,
    qualify::Counter,
    reason::{Reason, Refusal},
    time::{Ts, Tz},
    world::Visit,
};
use serde::{Deserialize, Serialize};

/// Where a grant stands; what is stored. Whether it is expired is also read from its terms.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum GrantState {
    /// Given, but held back.
    Pending,
    /// Given, to be claimed.
    Granted,
    /// Claimed; can be used.
    Claimed,
    /// An order or a redemption holds it.
    Reserved,
    /// Used up.
    Redeemed,
    /// Its time is over.
    Expired,
    /// Taken back.
    Revoked,
}

impl GrantState {
    /// The name that the API uses.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Pending => "Pending",
            Self::Granted => "Granted",
            Self::Claimed => "Claimed",
            Self::Reserved => "Reserved",
            Self::Redeemed => "Redeemed",
            Self::Expired => "Expired",
            Self::Revoked => "Revoked",
        }
    }
}

/// The times of one grant.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Terms {
    /// It can be claimed until just before here.
    pub claim_by: Option<Ts>,
    /// It can be used from here; absent until it is claimed, where the validity counts from the claim.
    pub valid_from: Option<Ts>,
    /// It can be used until just before here; absent: for ever, or not known before the claim.
    pub valid_until: Option<Ts>,
}

/// The terms of a grant that is issued at `now`. With `Claim::Auto` it counts as claimed at once.
pub fn terms(plan: &RewardPlan, now: Ts, zone: Tz) -> Terms {
    match plan.claim {
        Claim::Auto => Terms { claim_by: None, ..valid(plan, now, zone) },
        Claim::Manual => {
            let claim_by = plan.claim_within.map(|span| span.after(now, zone));
            let validity = match plan.validity.from {
                ValidFrom::Issue => valid(plan, now, zone),
                ValidFrom::Claim => Terms { valid_until: plan.validity.until, valid_from: None, claim_by: None },
            };
            // What nobody can use any more, nobody needs to claim.
            let claim_by = [claim_by, validity.valid_until].into_iter().flatten().min();
            Terms { claim_by, ..validity }
        }
    }
}

/// The terms after a claim at `now` of a grant with the terms `issued`.
pub fn claimed(plan: &RewardPlan, issued: Terms, now: Ts, zone: Tz) -> Terms {
    match plan.validity.from {
        ValidFrom::Issue => issued,
        ValidFrom::Claim => Terms { claim_by: issued.claim_by, ..valid(plan, now, zone) },
    }
}

/// Where a grant starts: claimed at once, or to be claimed.
pub fn first_state(plan: &RewardPlan) -> GrantState {
    match plan.claim {
        Claim::Auto => GrantState::Claimed,
        Claim::Manual => GrantState::Granted,
    }
}

/// Whether a grant can be claimed at `now`.
///
/// # Errors
/// `claim-closed`, `revoked`, `expired`, `already-redeemed` or `suspended`. Claiming again what is claimed is no error.
pub fn claimable(state: GrantState, suspended: bool, terms: Terms, now: Ts) -> Result<(), Refusal> {
    match state {
        GrantState::Claimed | GrantState::Reserved => Ok(()),
        GrantState::Redeemed => Err(Refusal::new(Reason::AlreadyRedeemed, "It is already used.")),
        GrantState::Revoked => Err(Refusal::new(Reason::Revoked, "It was taken back.")),
        GrantState::Expired => Err(Refusal::new(Reason::ClaimClosed, "The time to claim it is over.")),
        GrantState::Pending | GrantState::Granted if suspended => {
            Err(Refusal::new(Reason::Suspended, "This reward is suspended; try again later."))
        }
        GrantState::Pending | GrantState::Granted => match terms.claim_by {
            Some(by) if now >= by => {
                Err(Refusal::new(Reason::ClaimClosed, format!("It could be claimed until {}.", by.to_rfc3339())))
            }
            Some(_) | None => Ok(()),
        },
    }
}

fn valid(plan: &RewardPlan, from: Ts, zone: Tz) -> Terms {
    let validity = &plan.validity;
    let valid_from = validity.not_before.map_or(from, |earliest| earliest.max(from));
    // What cannot be used yet does not run out yet.
    let lasting = validity.lasts.map(|span| span.after(valid_from, zone));
    let valid_until = [lasting, validity.until].into_iter().flatten().min();
    Terms { claim_by: None, valid_from: Some(valid_from), valid_until }
}

/// What issuing one is estimated to cost: what the author says of each use, else what it is worth. A budget reserves so
/// much.
pub fn cost(plan: &RewardPlan, runtime: &RuntimePlan) -> Minor {
    if plan.unit_cost > Minor::ZERO { plan.unit_cost.times(uses(plan)) } else { worth(plan, runtime) }
}

/// The part of [`cost`] that is one use.
pub fn cost_of_use(plan: &RewardPlan, runtime: &RuntimePlan) -> Minor {
    match &plan.kind {
        _ if plan.unit_cost > Minor::ZERO => plan.unit_cost,
        RewardKind::Points { amount, .. } => runtime.worth_of_points(*amount),
        kind => worth_of_use(kind, plan.unit_cost),
    }
}

/// What one is worth to the member with all its uses, as far as that is known without a cart: nothing for an unbounded
/// percentage.
pub fn worth(plan: &RewardPlan, runtime: &RuntimePlan) -> Minor {
    match &plan.kind {
        RewardKind::Points { amount, .. } => runtime.worth_of_points(*amount),
        kind => worth_of_use(kind, plan.unit_cost).times(uses(plan)),
    }
}

/// What one use is worth, as far as that is known without a cart.
pub fn worth_of_use(kind: &RewardKind, unit_cost: Minor) -> Minor {
    match kind {
        RewardKind::Voucher(voucher) => voucher.worth.most().unwrap_or(Minor::ZERO),
        RewardKind::FreeItem { .. } | RewardKind::Access { .. } => unit_cost,
        RewardKind::GiftCard { amount } => *amount,
        RewardKind::Points { .. } | RewardKind::Badge => Minor::ZERO,
    }
}

/// How often one is used at most; what has no end of uses is reckoned as one.
pub fn uses(plan: &RewardPlan) -> i64 {
    plan.redemption.uses.unwrap_or(1)
}

/// Whether `quantity` more of a reward can be given to the visit's member by `campaign`: it is not suspended, in stock
/// and within its limits. The budget is asked about elsewhere.
///
/// # Errors
/// [`Missing`] when a counter is not loaded.
pub fn issuable(
    plan: &RewardPlan,
    quantity: i64,
    campaign: Option<&Name>,
    visit: &Visit<'_>,
) -> Result<Option<Refusal>, Missing> {
    if plan.suspended {
        return Ok(Some(Refusal::new(Reason::Suspended, format!("The reward {} is suspended.", plan.title))));
    }
    if plan.quantity.is_some() && visit.world.reserves.left(&plan.name)? < quantity {
        return Ok(Some(Refusal::new(Reason::OutOfStock, format!("None of the reward {} is left.", plan.title))));
    }
    for (limit, holder) in holders(plan, campaign, visit) {
        if limit_counter(plan, limit, &holder, visit).value(visit)?.saturating_add(quantity) > limit.max {
            let stretch = crate::qualify::stretch_words(limit.every);
            let whose = match limit.per {
                Per::Member => " per member".into(),
                Per::Store => " per store".into(),
                Per::Card => " per payment card".into(),
                Per::Campaign | Per::Reward => String::new(),
                Per::Order | Per::Device | Per::Address => {
                    return Ok(Some(Refusal::new(Reason::LimitReached, crate::qualify::limit_detail(limit))));
                }
            };
            let detail = format!("At most {} of the reward {}{whose}{stretch}.", limit.max, plan.title);
            return Ok(Some(Refusal::new(Reason::LimitReached, detail)));
        }
    }
    Ok(None)
}

/// What giving `quantity` counts against the reward's limits. A clawback counts a negative quantity.
pub fn consumes(plan: &RewardPlan, quantity: i64, campaign: Option<&Name>, visit: &Visit<'_>) -> Vec<Effect> {
    holders(plan, campaign, visit)
        .map(|(limit, holder)| {
            let counter = limit_counter(plan, limit, &holder, visit);
            let cap = Some(counter.cap(limit.max, visit));
            Effect::Count { key: counter.key, delta: quantity, cap }
        })
        .collect()
}

fn limit_counter(plan: &RewardPlan, limit: &Limit, holder: &str, visit: &Visit<'_>) -> Counter {
    Counter::of(limit, visit.zone(), visit.now(), |stretch| key::reward_limit(&plan.name, holder, stretch))
}

fn holders<'a>(
    plan: &'a RewardPlan,
    campaign: Option<&'a Name>,
    visit: &'a Visit<'_>,
) -> impl Iterator<Item = (&'a Limit, String)> {
    let of_it = |limit: &&Limit| limit.count == Counted::Rewards;
    plan.limits.iter().filter(of_it).filter(move |limit| crate::qualify::counts(limit, visit)).map(move |limit| {
        let holder = match limit.per {
            Per::Member => visit.member().map_or_else(|| "member:".into(), |id| format!("member:{id}")),
            Per::Store => visit.store.map_or_else(|| "store:".into(), |id| format!("store:{id}")),
            Per::Campaign => campaign.map_or_else(|| "campaign:".into(), |name| format!("campaign:{name}")),
            Per::Device => format!("device:{}", visit.origin.and_then(|origin| origin.device.as_deref()).unwrap_or("")),
            Per::Address => {
                format!("address:{}", visit.origin.and_then(|origin| origin.address.as_deref()).unwrap_or(""))
            }
            Per::Card => format!("card:{}", visit.origin.and_then(|origin| origin.card.as_deref()).unwrap_or("")),
            Per::Order => format!("order:{}", visit.order.map_or("", OrderId::as_str)),
            Per::Reward => "reward".into(),
        };
        (limit, holder)
    })
}

/// A grant as a till meets it.
#[derive(Clone, Debug)]
pub struct GrantView<'a> {
    /// Which.
    pub id: &'a GrantId,
    /// Its code, where it has one.
    pub code: Option<&'a Code>,
    /// Whose; a code that nobody holds yet has none.
    pub member: Option<&'a MemberId>,
    /// The campaign that gave it.
    pub campaign: Option<&'a Name>,
    /// The mechanic that gave it.
    pub mechanic: Option<&'a Name>,
    /// The plan of the revision that it was issued under.
    pub plan: &'a RewardPlan,
    /// The reward is suspended *now*, whatever the revision says.
    pub suspended: bool,
    /// Where it stands. One that this very order or redemption holds is handed in as `Claimed`.
    pub state: GrantState,
    /// Its times.
    pub terms: Terms,
    /// What may still be used of a gift card, with what this very order holds of it.
    pub balance: Option<Minor>,
    /// Why it cannot be used as it was shown: its payload has aged, or a shared code has none left for this shopper. What
    /// is wrong with the voucher itself is told first.
    pub barred: Option<Refusal>,
}

/// Whether a voucher can be used by whoever stands at the till, once it is [`usable`] there.
///
/// # Errors
/// Why it is barred, or `not-holder`: without saying whose it is.
pub fn held(grant: &GrantView<'_>, member: Option<&MemberId>) -> Result<(), Refusal> {
    if let Some(refusal) = &grant.barred {
        return Err(refusal.clone());
    }
    let personal = grant.plan.redemption.guard.holder_only && grant.member.is_some();
    // A payload is shown by the holder's own app, so the holder need not say who it is; somebody else must not.
    let shown = grant.code.is_some_and(|code| Payload::of(code).is_some());
    let is_there = if shown { member.is_none() || member == grant.member } else { member == grant.member };
    if personal && !is_there {
        let detail = "This voucher is personal; scan the member code of its holder with it.";
        return Err(Refusal::new(Reason::NotHolder, detail));
    }
    Ok(())
}

/// Whether a voucher can be used at this time and place, before any cart is looked at; refusals in `api.md`'s order.
///
/// # Errors
/// The first reason why not.
pub fn usable(grant: &GrantView<'_>, visit: &Visit<'_>) -> Result<(), Refusal> {
    let refuse = |reason, detail: String| Err(Refusal::new(reason, detail));
    let now = visit.now();
    if grant.state == GrantState::Redeemed {
        return refuse(Reason::AlreadyRedeemed, "This voucher is already used.".into());
    }
    if grant.state == GrantState::Expired || grant.terms.valid_until.is_some_and(|until| now >= until) {
        let when = grant.terms.valid_until.map_or_else(String::new, |until| format!(" on {}", visit.time(until)));
        return refuse(Reason::Expired, format!("This voucher expired{when}."));
    }
    if let Some(from) = grant.terms.valid_from.filter(|from| now < *from) {
        return refuse(Reason::NotStarted, format!("This voucher can be used from {}.", visit.time(from)));
    }
    if grant.state == GrantState::Revoked {
        return refuse(Reason::Revoked, "This voucher was taken back.".into());
    }
    if grant.suspended {
        return refuse(Reason::Suspended, "This voucher is suspended; try again later.".into());
    }
    if matches!(grant.state, GrantState::Pending | GrantState::Granted) {
        return refuse(Reason::NotClaimed, "The member has to claim this voucher first.".into());
    }
    let places = &grant.plan.redemption.places;
    if !places.has_store(visit.store) {
        let stores: Vec<String> = places.stores.iter().flatten().map(ToString::to_string).collect();
        let detail = format!("This voucher is not for this store; it can be used in: {}.", words(&stores));
        return Err(Refusal { valid_stores: stores, ..Refusal::new(Reason::WrongStore, detail) });
    }
    if let Some(channel) = visit.channel.filter(|channel| !places.has_channel(channel)) {
        let detail = format!("This voucher is not for {channel}; it can be used through: {}.", words(&places.channels));
        return refuse(Reason::WrongChannel, detail);
    }
    if grant.state == GrantState::Reserved {
        let detail = "Another order or till holds this voucher; void that one or wait until it lapses.";
        return refuse(Reason::ReservedElsewhere, detail.into());
    }
    Ok(())
}

fn words(names: &[String]) -> String {
    if names.is_empty() { "none".into() } else { names.join(", ") }
}

/// What a voucher takes off, or a gift card pays of, a cart of which `left` is still to be paid per line: the share of
/// each line, in order.
///
/// # Errors
/// `items-not-eligible` or `min-spend-not-met`, with what would make it pass.
pub fn off(grant: &GrantView<'_>, lines: &[Line], left: &[Minor], visit: &Visit<'_>) -> Result<Vec<Minor>, Refusal> {
    let refuse = |detail: &str| Err(Refusal::new(Reason::ItemsNotEligible, detail));
    match &grant.plan.kind {
        RewardKind::Points { .. } | RewardKind::Badge => refuse("This is not redeemed by a code."),
        RewardKind::Access { .. } => refuse("This gives entry and takes nothing off a cart; redeem it on its own."),
        RewardKind::FreeItem { sku, quantity } => free_item(sku, *quantity, lines, left),
        RewardKind::GiftCard { .. } => {
            let open: Vec<i64> = left.iter().map(|line| line.0.max(0)).collect();
            let due: Minor = open.iter().map(|line| Minor(*line)).sum();
            Ok(crate::money::allocate(grant.balance.unwrap_or_default().min(due), &open))
        }
        RewardKind::Voucher(voucher) => {
            let (meant, spend) = meant(voucher, lines, left);
            if meant.iter().all(|amount| *amount == 0) {
                return Err(Refusal::new(Reason::ItemsNotEligible, items_detail(voucher)));
            }
            if spend < voucher.min_spend {
                let (least, more) = (visit.money(voucher.min_spend), visit.money(voucher.min_spend.minus(spend)));
                let detail = format!("This voucher asks for {least} of the items that it is for; {more} are missing.");
                return Err(Refusal::new(Reason::MinSpendNotMet, detail));
            }
            Ok(voucher_off(voucher.worth, lines, &meant))
        }
    }
}

/// What is left of each line that a voucher may lower, and the spend that counts for its minimum: of those lines, or for
/// free shipping of the goods.
fn meant(voucher: &Voucher, lines: &[Line], left: &[Minor]) -> (Vec<i64>, Minor) {
    let of = |has: &dyn Fn(&Line) -> bool| -> Vec<i64> {
        lines.iter().zip(left).map(|(line, left)| if has(line) { left.0.max(0) } else { 0 }).collect()
    };
    let sum = |amounts: &[i64]| amounts.iter().map(|amount| Minor(*amount)).sum();
    let is_shipping = |line: &Line| line.category.as_deref() == Some(SHIPPING);
    match voucher.worth {
        VoucherWorth::Shipping { .. } => {
            let goods = of(&|line| !is_shipping(line));
            (of(&is_shipping), sum(&goods))
        }
        VoucherWorth::Amount(_) | VoucherWorth::Percent { .. } | VoucherWorth::FixedPrice { .. } => {
            let meant = of(&|line| voucher.items.has(line));
            let spend = sum(&meant);
            (meant, spend)
        }
    }
}

fn voucher_off(worth: VoucherWorth, lines: &[Line], meant: &[i64]) -> Vec<Minor> {
    let meant: Vec<Minor> = meant.iter().map(|line| Minor(*line)).collect();
    let off: Vec<Minor> = match worth {
        VoucherWorth::Amount(amount) => {
            let whole: Minor = meant.iter().copied().sum();
            let weights: Vec<i64> = meant.iter().map(|line| line.0).collect();
            return crate::money::allocate(amount.min(whole), &weights);
        }
        VoucherWorth::Percent { share, .. } => meant.iter().map(|line| share.of(*line).min(*line)).collect(),
        VoucherWorth::FixedPrice { price, .. } => {
            let rest = |(line, left): (&Line, &Minor)| left.minus(price.times(line.quantity)).or_zero();
            lines.iter().zip(&meant).map(rest).collect()
        }
        VoucherWorth::Shipping { .. } => meant,
    };
    match worth.most() {
        Some(max) => crate::mechanic::basket::capped(off, max),
        None => off,
    }
}

/// The cheapest way to keep a promise of `quantity` free units: from the cart's lines of that SKU in order.
fn free_item(sku: &str, quantity: i64, lines: &[Line], left: &[Minor]) -> Result<Vec<Minor>, Refusal> {
    let mut to_give = quantity;
    let mut off = Vec::with_capacity(lines.len());
    for (line, left) in lines.iter().zip(left) {
        let free = if line.sku == sku { line.quantity.min(to_give) } else { 0 };
        to_give -= free;
        off.push(crate::money::portion(left.or_zero(), free, line.quantity));
    }
    if off.iter().all(|part| *part <= Minor::ZERO) {
        let detail = format!("This voucher gives {sku} for nothing; add that item to the cart.");
        return Err(Refusal::new(Reason::ItemsNotEligible, detail));
    }
    Ok(off)
}

fn items_detail(voucher: &Voucher) -> String {
    if matches!(voucher.worth, VoucherWorth::Shipping { .. }) {
        return "This voucher pays the shipping; add it as a line of the category shipping.".into();
    }
    match &voucher.items.only {
        Choice::All => "Nothing that is left to pay in this cart is eligible for this voucher.".into(),
        Choice::Picked(picks) => {
            let named: Vec<String> =
                [&picks.skus, &picks.categories, &picks.brands].into_iter().flatten().take(5).cloned().collect();
            format!("This voucher is only for: {}. None of that is left to pay in this cart.", words(&named))
        }
    }
}

#[cfg(test)]
mod tests;
