//! What a cart costs: gathers what pricing asks for, and answers a till's questions without changing anything.

use crate::{
    Command, Halt,
    knowledge::{self, Coming},
    plans::Plans,
    refuse,
    shared::{self, Offer, Typed},
    shown,
    tx::Tx,
};
use fanfare_core::{
    cart::{Cart, Evaluation, Subject},
    ids::{Code, GrantId, MemberId, OrderId},
    mechanic::Hold,
    model::CampaignPlan,
    money::Minor,
    payload::Payload,
    pricing::{self, Ask, Priced},
    reason::{Reason, Refusal},
    reward::{self, GrantView},
    time::Ts,
};
use fanfare_store::{
    Keys,
    rows::{self, Grant, GrantState, HoldState, Order, OrderState},
};
use std::{collections::BTreeMap, sync::Arc};

/// What pricing reads beside the plans: rows that were loaded for one cart.
struct Gathered {
    grants: Vec<Shown>,
    holds: Vec<Hold>,
    /// What the order at hand holds of grants itself.
    own: BTreeMap<GrantId, Minor>,
    /// When a till that was offline took the codes, as it says.
    occurred: Option<Ts>,
}

/// A voucher, under the code by which the cart names it, and why it cannot be used so.
struct Shown {
    grant: Grant,
    barred: Option<Refusal>,
}

impl From<Grant> for Shown {
    fn from(grant: Grant) -> Self {
        Self { grant, barred: None }
    }
}

/// Names the rows that pricing this cart will ask for.
pub(crate) fn prefetch(_: &Plans, cart: &Cart, keys: &mut Keys) {
    want_codes(&cart.codes, keys);
    keys.holds.extend(cart.reservations.iter().cloned());
    if let Some(member) = &cart.member {
        keys.members.insert(member.clone());
        keys.grants_of.insert(member.clone());
    }
}

/// Names the rows that these codes lead to.
pub(crate) fn want_codes(codes: &[Code], keys: &mut Keys) {
    for code in codes {
        match Payload::of(code) {
            Some(payload) => drop(keys.grants.insert(payload.grant)),
            None => drop(keys.codes.insert(code.clone())),
        }
    }
}

/// Refuses a cart that names a member whom nobody knows.
pub(crate) fn check_member(tx: &Tx<'_>, member: Option<&MemberId>) -> Result<(), Halt> {
    match member {
        Some(id) if tx.member(id)?.is_none() => {
            refuse(Reason::MemberUnknown, "nobody knows this member; log it in, send an event, or register it first")
        }
        Some(_) | None => Ok(()),
    }
}

/// Prices a cart as of `at`.
pub(crate) fn price(tx: &mut Tx<'_>, cart: &Cart, at: Ts) -> Result<Priced, Halt> {
    price_of_till(tx, cart, at, None)
}

/// The same for a till that says when it happened, which may be while it was offline.
pub(crate) fn price_of_till(tx: &mut Tx<'_>, cart: &Cart, at: Ts, occurred: Option<Ts>) -> Result<Priced, Halt> {
    // Limits per order hold for a cart that is only asked about, too.
    tx.order.get_or_insert_with(|| OrderId::from(""));
    let gathered = Gathered { occurred, ..gather(tx, cart, None)? };
    ask(tx, cart, at, &gathered, &[], pricing::evaluate)
}

/// Prices the final cart of an order within what it has reserved.
pub(crate) fn recompute(tx: &mut Tx<'_>, order: &Order, cart: &Cart, reserved: &Priced) -> Result<Priced, Halt> {
    let gathered = gather(tx, cart, Some(order))?;
    // What was reserved stands, also where its campaign was suspended meanwhile.
    let promised = |plan: &&Arc<CampaignPlan>| {
        plan.suspended && reserved.consumed.iter().any(|consumed| consumed.campaign == plan.name)
    };
    let served = tx.plans.campaigns.values().filter(|served| !served.settled).map(|served| &served.plan);
    let promised: Vec<CampaignPlan> =
        served.filter(promised).map(|plan| CampaignPlan { suspended: false, ..(**plan).clone() }).collect();
    ask(tx, cart, order.occurred_at, &gathered, &promised, |ask| pricing::recompute(ask, reserved))
}

fn gather(tx: &mut Tx<'_>, cart: &Cart, order: Option<&Order>) -> Result<Gathered, Halt> {
    check_member(tx, cart.member.as_ref())?;
    if cart.card.is_some() {
        tx.origin.card.clone_from(&cart.card);
    }
    let mut grants: Vec<Shown> = Vec::new();
    for code in &cart.codes {
        grants.extend(named(tx, cart, code, order)?);
    }
    if let Some(member) = &cart.member {
        let others = tx.grants_of(member)?.into_iter().filter(|grant| grant.code.is_some());
        let unnamed = |own: &&Grant| grants.iter().all(|named| named.grant.id != own.id);
        let fresh: Vec<Grant> = others.filter(unnamed).cloned().collect();
        grants.extend(fresh.into_iter().map(Shown::from));
    }
    let mut holds = Vec::new();
    for id in &cart.reservations {
        if let Some(row) = tx.hold(id)? {
            holds.push(met_hold(row, order));
        }
    }
    let used = order.into_iter().flat_map(|order| &order.evaluation.discounts);
    let own: BTreeMap<GrantId, Minor> =
        used.filter_map(|discount| Some((discount.grant.clone()?, discount.amount))).collect();
    if order.is_some_and(|order| order.state == OrderState::Lapsed) {
        grants
            .iter_mut()
            .filter(|shown| own.contains_key(&shown.grant.id))
            .for_each(|shown| as_taken(&mut shown.grant));
    }
    Ok(Gathered { grants, holds, own, occurred: None })
}

/// A voucher of an order that is committed late, as the order took it: the shopper has paid, so what became of the voucher
/// meanwhile refuses nothing. What is gone is an exception of the order.
fn as_taken(grant: &mut Grant) {
    grant.state = GrantState::Claimed;
    // A shared code is given anew, later than the order.
    grant.valid_from = None;
}

/// The voucher that a code of the cart names, if there is one.
fn named(tx: &mut Tx<'_>, cart: &Cart, code: &Code, order: Option<&Order>) -> Result<Option<Shown>, Halt> {
    if let Some(grant) = tx.grant_by_code(code)? {
        return Ok(Some(Grant { code: Some(code.clone()), ..grant.clone() }.into()));
    }
    if let Some(grant) = shared::of_order(tx, order, code)? {
        return Ok(Some(grant.into()));
    }
    let typed = Typed { code, member: cart.member.as_ref(), store: cart.store.as_ref() };
    Ok(shared::offer(tx, typed)?.map(|Offer { grant, barred }| Shown { grant, barred }))
}

/// A hold as core's decisions meet it. One that the order at hand uses, or used until it lapsed, counts as open.
pub(crate) fn met_hold(row: &rows::Hold, order: Option<&Order>) -> Hold {
    let rows::Hold { id, campaign, mechanic, sku, quantity, member, store, expires_at, state, order: user } =
        row.clone();
    let mine = order.is_some_and(|order| user.as_ref() == Some(&order.id));
    let open = match state {
        HoldState::Held => true,
        HoldState::Used | HoldState::Released => mine,
    };
    Hold { id, campaign, mechanic, member, sku, quantity, store, expires_at, open }
}

fn ask<'a, T>(
    tx: &Tx<'_>,
    cart: &Cart,
    at: Ts,
    gathered: &'a Gathered,
    promised: &[CampaignPlan],
    decide: impl FnOnce(&Ask<'_>) -> Result<T, fanfare_core::mechanic::Missing>,
) -> Result<T, Halt> {
    let served = tx.plans.campaigns.values().filter(|served| !served.settled).map(|served| &*served.plan);
    let campaigns: Vec<&CampaignPlan> =
        served.map(|plan| promised.iter().find(|other| other.name == plan.name).unwrap_or(plan)).collect();
    let met = |Shown { grant, barred }: &'a Shown| {
        let view = shown::met(tx, grant, gathered.own.get(&grant.id).copied(), gathered.occurred);
        GrantView { barred: barred.clone().or(view.barred), ..view }
    };
    let grants: Vec<GrantView<'_>> = gathered.grants.iter().map(met).collect();
    let coming = Coming {
        member: cart.member.as_ref(),
        store: cart.store.as_ref(),
        channel: Some(&cart.channel),
        at,
        points: 0,
    };
    let decided = knowledge::visit(tx, coming, |visit| {
        decide(&Ask { cart, visit: *visit, campaigns: &campaigns, grants: &grants, holds: &gathered.holds })
    })?;
    Ok(decided?)
}

/// Prices a cart. Changes nothing.
#[derive(Clone, Debug)]
pub struct EvaluateCart {
    /// The cart.
    pub cart: Cart,
    /// Who asks.
    pub asker: Asker,
}

/// Who asks what a cart costs, and so how much may be told of codes that are not the asker's.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Asker {
    /// A till or an integration: the real reason.
    Desk,
    /// The shopper: of a code that fails and is not the shopper's own, as little as of one that does not exist.
    Shopper,
}

/// A price, with the rules that it comes from.
#[derive(Clone, Debug, PartialEq)]
pub struct Evaluated {
    /// What it costs and why.
    pub evaluation: Evaluation,
    /// The revision of the rules.
    pub revision: String,
}

impl Command for EvaluateCart {
    type Answer = Evaluated;

    fn prefetch(&self, plans: &Plans, keys: &mut Keys) {
        prefetch(plans, &self.cart, keys);
    }

    fn run(&self, tx: &mut Tx<'_>) -> Result<Evaluated, Halt> {
        let Priced { mut evaluation, .. } = price(tx, &self.cart, self.cart.at.unwrap_or(tx.now))?;
        match self.asker {
            Asker::Desk => {}
            Asker::Shopper => hide(tx, &mut evaluation, self.cart.member.as_ref())?,
        }
        Ok(Evaluated { evaluation, revision: tx.plans.digest.clone() })
    }
}

/// Tells of codes that fail and are not the shopper's own as of codes that nobody has.
fn hide(tx: &Tx<'_>, evaluation: &mut Evaluation, member: Option<&MemberId>) -> Result<(), Halt> {
    for rejected in &mut evaluation.rejected {
        let Subject::Code(code) = &rejected.subject else { continue };
        if tx.grant_by_code(code)?.is_some_and(|grant| member.is_none() || Some(&grant.member) != member) {
            let unknown = pricing::code_unknown();
            (rejected.reason, rejected.detail) = (unknown.reason, unknown.detail);
        }
    }
    Ok(())
}

/// Asks whether codes can be used, in a cart or on their own. Changes nothing.
#[derive(Clone, Debug)]
pub struct Validate {
    /// As read, normalised; at most [`fanfare_core::cart::CODES_MAX`].
    pub codes: Vec<Code>,
    /// What is in the cart, where there is one; its own codes and reservations count too.
    pub cart: Option<Cart>,
    /// The store that asks, where there is no cart.
    pub store: Option<fanfare_core::ids::StoreId>,
    /// The channel that asks, where there is no cart.
    pub channel: Option<String>,
}

/// What a till is told of one code.
#[derive(Clone, Debug, PartialEq)]
pub struct Validated {
    /// The code.
    pub code: Code,
    /// Why it cannot be used; nothing when it can.
    pub refusal: Option<Refusal>,
    /// The voucher that has this code.
    pub grant: Option<Grant>,
    /// What it takes off, where that is known.
    pub amount: Option<Minor>,
}

impl Command for Validate {
    type Answer = Vec<Validated>;

    fn prefetch(&self, plans: &Plans, keys: &mut Keys) {
        want_codes(&self.codes, keys);
        if let Some(cart) = &self.cart {
            prefetch(plans, cart, keys);
        }
    }

    fn run(&self, tx: &mut Tx<'_>) -> Result<Vec<Validated>, Halt> {
        match &self.cart {
            Some(cart) => self.in_cart(tx, cart),
            None => self.codes.iter().map(|code| self.alone(tx, code)).collect(),
        }
    }
}

impl Validate {
    /// Whether a code can be used at this place and time, whatever will be in the cart.
    fn alone(&self, tx: &mut Tx<'_>, code: &Code) -> Result<Validated, Halt> {
        let (store, channel) = (self.store.as_ref(), self.channel.as_deref());
        let (found, barred) = match tx.grant_by_code(code)?.cloned() {
            Some(grant) => (Grant { code: Some(code.clone()), ..grant }, None),
            None => match shared::offer(tx, Typed { code, member: None, store })? {
                Some(Offer { grant, barred }) => (grant, barred),
                None => return Ok(unknown(code)),
            },
        };
        let coming = Coming { member: None, store, channel, at: tx.now, points: 0 };
        let view = shown::met(tx, &found, None, None);
        let met = GrantView { barred: barred.or(view.barred.clone()), ..view };
        let refusal = knowledge::visit(tx, coming, |visit| {
            reward::usable(&met, visit).and_then(|()| reward::held(&met, None)).err()
        })?;
        let worth = crate::redemptions::next_use(&found, tx.now);
        let amount = refusal.is_none().then_some(worth).filter(|worth| *worth > Minor::ZERO);
        let grant = shared::known(&found.id).map(|_| found);
        Ok(Validated { code: code.clone(), refusal, grant, amount })
    }

    fn in_cart(&self, tx: &mut Tx<'_>, cart: &Cart) -> Result<Vec<Validated>, Halt> {
        let mut named = cart.clone();
        named.codes.extend(self.codes.iter().filter(|code| !cart.codes.contains(code)).cloned());
        let Priced { evaluation, .. } = price(tx, &named, cart.at.unwrap_or(tx.now))?;
        let told = |code: &Code| {
            let used = evaluation.discounts.iter().find(|discount| discount.code.as_ref() == Some(code));
            let subject = Subject::Code(code.clone());
            let rejected = evaluation.rejected.iter().find(|rejected| rejected.subject == subject);
            let refusal = match (used, rejected) {
                (Some(_), _) => None,
                (None, Some(rejected)) => Some(Refusal::new(rejected.reason, rejected.detail.clone())),
                (None, None) => Some(Refusal::new(Reason::ItemsNotEligible, "it takes nothing off this cart")),
            };
            let amount = used.map(|discount| discount.amount);
            let grant = match used.and_then(|discount| discount.grant.as_ref()).and_then(shared::known) {
                Some(id) => tx.grant(&id)?.cloned(),
                None => tx.grant_by_code(code)?.cloned(),
            };
            Ok(Validated { code: code.clone(), refusal, grant, amount })
        };
        self.codes.iter().map(told).collect()
    }
}

fn unknown(code: &Code) -> Validated {
    let refusal = Some(Refusal::new(Reason::CodeUnknown, "no voucher has this code"));
    Validated { code: code.clone(), refusal, grant: None, amount: None }
}
