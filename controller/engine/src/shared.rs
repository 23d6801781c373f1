//! One code for everybody: whoever types it gets one of the reward, used at once.
//!
//! Nothing exists before it is used. Pricing meets a grant that is only thought of; when the order or the redemption takes
//! it, it is given like any other (stock, limits) and then used. What lets go of it takes it back whole, so that a voided
//! order costs the code nothing.

use crate::{
    Halt, give,
    tx::Tx,
    vouchers::{self, Scene},
};
use fanfare_core::{
    cart::{Cart, Evaluation},
    ids::{Code, GrantId, MemberId, OrderId, StoreId},
    model::{
        RewardPlan,
        campaign::{Counted, Per},
    },
    money::Minor,
    reason::{Reason, Refusal},
    reward,
    uses::Usage,
};
use fanfare_store::rows::{Grant, GrantState, Order};
use std::sync::Arc;

/// What the id of a grant starts with that is only thought of; no id of ours has a colon.
const THOUGHT_OF: &str = "shared:";

/// A grant that a shared code would give, and why it would not.
pub(crate) struct Offer {
    /// As it would be.
    pub(crate) grant: Grant,
    /// Why not.
    pub(crate) barred: Option<Refusal>,
}

/// The id of a grant that exists.
pub(crate) fn known(id: &GrantId) -> Option<GrantId> {
    Some(id.clone()).filter(|id| !id.as_str().starts_with(THOUGHT_OF))
}

/// Who types a code, and where.
#[derive(Clone, Copy)]
pub(crate) struct Typed<'a> {
    pub(crate) code: &'a Code,
    pub(crate) member: Option<&'a MemberId>,
    pub(crate) store: Option<&'a StoreId>,
}

/// What a code gives that everybody may type; `None` when it is no such code.
pub(crate) fn offer(tx: &mut Tx<'_>, typed: Typed<'_>) -> Result<Option<Offer>, Halt> {
    let Some(plan) = plan(tx, typed.code) else { return Ok(None) };
    let times = reward::terms(&plan, tx.now, tx.zone());
    let grant = Grant {
        id: GrantId::from(format!("{THOUGHT_OF}{}", plan.name)),
        member: typed.member.cloned().unwrap_or_else(give::nobody),
        terms: Arc::unwrap_or_clone(plan),
        campaign: None,
        mechanic: None,
        cause: String::new(),
        code: Some(typed.code.clone()),
        state: GrantState::Claimed,
        issued_at: tx.now,
        claim_by: None,
        claimed_at: Some(tx.now),
        valid_from: times.valid_from,
        valid_until: times.valid_until,
        uses_left: 1,
        usage: Usage::default(),
        reserved: Minor::ZERO,
        history: Vec::new(),
    };
    let barred = barred(tx, &grant, typed)?;
    Ok(Some(Offer { grant, barred }))
}

fn plan(tx: &Tx<'_>, code: &Code) -> Option<Arc<RewardPlan>> {
    tx.plans.rewards.values().find(|plan| plan.shared_code() == Some(code)).cloned()
}

fn barred(tx: &mut Tx<'_>, grant: &Grant, typed: Typed<'_>) -> Result<Option<Refusal>, Halt> {
    let per_member =
        |limit: &fanfare_core::model::campaign::Limit| limit.count == Counted::Rewards && limit.per == Per::Member;
    if typed.member.is_none() && grant.terms.limits.iter().any(per_member) {
        let detail = "This code is limited per member; ask the shopper who they are.";
        return Ok(Some(Refusal::new(Reason::MemberRequired, detail)));
    }
    give::could(tx, to(grant, typed.store, ""))
}

fn to<'a>(grant: &'a Grant, store: Option<&'a StoreId>, cause: &'a str) -> give::To<'a> {
    give::To {
        member: &grant.member,
        reward: &grant.terms.name,
        quantity: 1,
        campaign: None,
        mechanic: None,
        store,
        cause,
    }
}

/// The grant of a shared code that this order took before, met again under the code.
pub(crate) fn of_order(tx: &Tx<'_>, order: Option<&Order>, code: &Code) -> Result<Option<Grant>, Halt> {
    let discounts = order.into_iter().flat_map(|order| &order.evaluation.discounts);
    let mut taken = discounts.filter(|discount| discount.code.as_ref() == Some(code));
    let Some(id) = taken.find_map(|discount| discount.grant.as_ref()) else { return Ok(None) };
    Ok(tx.grant(id)?.cloned().map(|grant| Grant { code: Some(code.clone()), ..grant }))
}

/// Gives the grant that was thought of, for good.
///
/// # Errors
/// Refused where there is none left by now.
pub(crate) fn give(tx: &mut Tx<'_>, typed: Typed<'_>, cause: &str) -> Result<Option<Grant>, Halt> {
    let Some(Offer { grant, barred }) = offer(tx, typed)? else { return Ok(None) };
    if let Some(refusal) = barred {
        return Err(refusal.into());
    }
    let given = give::give_shared(tx, to(&grant, typed.store, cause))?;
    match (given.grants.first(), given.refused) {
        (Some(id), _) => Ok(tx.grant(id)?.cloned()),
        (None, Some(refusal)) => Err(refusal.into()),
        (None, None) => Ok(None),
    }
}

/// What the grants of shared codes that an order uses name as their cause. Not `order:…`: what an order earned is clawed back
/// by a return, what it used is not.
pub(crate) fn cause(order: &OrderId) -> String {
    format!("code:{order}")
}

/// Gives every grant that a price has thought of, and puts it into the evaluation.
pub(crate) fn give_all(tx: &mut Tx<'_>, evaluation: &mut Evaluation, cart: &Cart, order: &OrderId) -> Result<(), Halt> {
    let cause = cause(order);
    for discount in &mut evaluation.discounts {
        let thought_of = discount.grant.as_ref().is_some_and(|id| known(id).is_none());
        if let (true, Some(code)) = (thought_of, &discount.code) {
            let typed = Typed { code, member: cart.member.as_ref(), store: cart.store.as_ref() };
            discount.grant = give(tx, typed, &cause)?.map(|grant| grant.id);
        }
    }
    Ok(())
}

/// A use of a shared code is undone: the code gets it back.
pub(crate) fn take_back(tx: &mut Tx<'_>, grant: Grant, scene: Scene<'_>) -> Result<(), Halt> {
    give::uncount(tx, &grant, scene)?;
    vouchers::revoke(tx, grant, scene)
}
