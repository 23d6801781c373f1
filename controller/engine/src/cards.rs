//! The money on gift cards: put on a card when it is issued or topped up, taken off when it pays, put back when that is
//! undone, and left over when its time is over.
//!
//! Each move is a transaction of the ledger between the card, which is what the brand owes its holder, and a side of the
//! reward's cards. What a campaign gave is its cost once it is spent; what was paid in never is.

use crate::{
    Command, Halt,
    budget::{self, Why},
    plans::Plans,
    refuse,
    tx::Tx,
    vouchers::{self, Scene},
};
use fanfare_core::{
    ids::GrantId,
    ledger::{Posting, account},
    money::{AMOUNT_MAX_MINOR, Minor},
    reason::Reason,
};
use fanfare_store::{
    Keys,
    rows::{Grant, GrantState},
};

/// What stands across from the cards of a reward.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Side {
    /// What was given with them.
    Given,
    /// What was paid in on them.
    Paid,
    /// What was paid with them.
    Used,
    /// What nobody used in time.
    Breakage,
}

impl Side {
    fn account(self, grant: &Grant) -> String {
        let side = match self {
            Self::Given => "given",
            Self::Paid => "paid",
            Self::Used => "used",
            Self::Breakage => "breakage",
        };
        account::gift_cards(&grant.terms.name, side)
    }
}

/// Puts money on a card.
pub(crate) fn put_on(tx: &mut Tx<'_>, grant: &Grant, from: Side, amount: Minor, why: Why<'_>) -> Result<(), Halt> {
    transfer(tx, &from.account(grant), &account::gift_card(&grant.id), amount, why)
}

/// Takes money off a card.
pub(crate) fn take_off(tx: &mut Tx<'_>, grant: &Grant, to: Side, amount: Minor, why: Why<'_>) -> Result<(), Halt> {
    transfer(tx, &account::gift_card(&grant.id), &to.account(grant), amount, why)
}

fn transfer(tx: &mut Tx<'_>, from: &str, to: &str, amount: Minor, why: Why<'_>) -> Result<(), Halt> {
    let unit = budget::money(tx)?;
    if let Some(posting) = Posting::transfer(why.rule, why.reference, &unit, from, to, amount.0) {
        tx.post(posting);
    }
    Ok(())
}

/// Puts money on a gift card that somebody paid for it.
#[derive(Clone, Debug)]
pub struct TopUp {
    /// Which.
    pub grant: GrantId,
    /// How much, above zero.
    pub amount: Minor,
    /// Who says so, for the audit trail.
    pub actor: String,
    /// The caller's own reference, such as a receipt.
    pub reference: Option<String>,
}

impl Command for TopUp {
    /// The card; nothing when there is no gift card of this id.
    type Answer = Option<Grant>;

    fn prefetch(&self, _: &Plans, keys: &mut Keys) {
        keys.grants.insert(self.grant.clone());
    }

    fn run(&self, tx: &mut Tx<'_>) -> Result<Option<Grant>, Halt> {
        let Some(mut grant) = tx.grant(&self.grant)?.cloned() else { return Ok(None) };
        let Some(mut card) = grant.usage.card else { return Ok(None) };
        match vouchers::state_at(&grant, tx.now) {
            GrantState::Claimed | GrantState::Reserved | GrantState::Redeemed => {}
            GrantState::Pending | GrantState::Granted => {
                return refuse(Reason::NotClaimed, "the member has to claim this gift card first");
            }
            GrantState::Expired => return refuse(Reason::Expired, "this gift card's time is over; issue a new one"),
            GrantState::Revoked => return refuse(Reason::Revoked, "this gift card was taken back; issue a new one"),
        }
        if grant.valid_until.is_some_and(|end| end <= tx.now) {
            return refuse(Reason::Expired, "this gift card's time is over; issue a new one");
        }
        if tx.plans.rewards.get(&grant.terms.name).is_some_and(|plan| plan.suspended) {
            return refuse(Reason::Suspended, "this gift card is suspended; try again later");
        }
        if card.balance().plus(self.amount) > Minor(AMOUNT_MAX_MINOR) {
            return refuse(
                Reason::LimitReached,
                "this is more than a gift card can hold; use another card for the rest",
            );
        }
        card.pay_in(self.amount);
        grant.usage.card = Some(card);
        let why = Why { rule: "gift-card-topped-up", reference: self.grant.as_str() };
        put_on(tx, &grant, Side::Paid, self.amount, why)?;
        let scene = Scene { reason: Some("top-up"), amount: Some(self.amount), ..Scene::default() };
        let state = vouchers::standing(&grant);
        vouchers::enter(&mut grant, state, tx.now, scene);
        vouchers::plan_close(tx, &grant);
        let amount = tx.runtime()?.currency.format(self.amount);
        let detail = serde_json::json!({ "amount": amount, "reference": self.reference });
        tx.audit(&self.actor, "top-up", &format!("Grant/{}", self.grant), detail);
        tx.put_grant(grant.clone());
        Ok(Some(grant))
    }
}
