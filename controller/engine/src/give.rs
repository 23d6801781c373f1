//! Gives a reward to a member: the one door through which anything is issued.
//!
//! What is given reserves first: the reward's stock, its limits, the budget of the campaign that pays. Who may be given
//! something was decided by whoever calls this; whether there is anything left is decided here.

use crate::codes_tmp as codes;
use crate::{
    Halt,
    budget::{self, Cost, Spent, Why},
    tx::Tx,
    vouchers::{self, Scene},
    wallet,
};
use fanfare_core::{
    //codes,
    ids::{Code, GrantId, MemberId, Name, StoreId},
    ledger::{Posting, account, stock_unit},
    mechanic::{State, key},
    model::{
        CampaignPlan, RewardPlan,
        campaign::Per,
        reward::{Claim, RewardKind, ValidFrom},
    },
    money::Minor,
    reason::{Reason, Refusal},
    time::{Ts, Tz},
};
use fanfare_store::rows::{Grant, GrantState};
use std::sync::Arc;

/// The most grants that one decision gives of one reward.
pub const GIVE_MAX: i64 = 100;
/// How often a code that is taken is drawn again. With twelve characters one try is enough for ever; with the shortest
/// codes a space that is half full needs more than this once in a million.
const CODE_TRIES_MAX: usize = 20;

/// Who is given what, and why.
#[derive(Clone, Copy, Debug)]
pub(crate) struct To<'a> {
    /// To whom.
    pub(crate) member: &'a MemberId,
    /// What.
    pub(crate) reward: &'a Name,
    /// How many; at most [`GIVE_MAX`].
    pub(crate) quantity: i64,
    /// Who pays; without it nobody's budget is asked.
    pub(crate) campaign: Option<&'a Name>,
    /// By which of its mechanics.
    pub(crate) mechanic: Option<&'a Name>,
    /// In which store, for limits per store.
    pub(crate) store: Option<&'a StoreId>,
    /// What brought it about: `order:<id>`, `event:<source>/<id>`, `draw:<id>`, `run:<id>`.
    pub(crate) cause: &'a str,
}

/// What was given.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Given {
    /// In the order in which they were issued.
    pub grants: Vec<GrantId>,
    /// Why there are fewer than were asked for.
    pub refused: Option<Refusal>,
}

/// Gives a reward: all that were asked for, or as many as are left and the reason why not more.
pub(crate) fn give(tx: &mut Tx<'_>, to: To<'_>) -> Result<Given, Halt> {
    let mut given = Given::default();
    let terms = match offered(tx, &to) {
        Ok(terms) => terms,
        Err(refusal) => {
            given.refused = Some(refusal);
            return Ok(given);
        }
    };
    let account = wallet::of(tx, to.member)?;
    let payer = to.campaign.and_then(|name| budget::served(tx, name));
    let quantity = to.quantity.clamp(0, GIVE_MAX);
    let mut fresh = draw_codes(tx, &terms, quantity)?.into_iter();
    for _ in 0..quantity {
        let issue = Issue { to, terms: &terms, payer: payer.as_deref(), account: &account };
        match issue.check(tx)? {
            Ok(worth) => given.grants.push(issue.write(tx, worth, fresh.next())?),
            Err(refusal) => {
                given.refused = Some(refusal);
                break;
            }
        }
    }
    Ok(given)
}

/// The reward as it is served, unless it cannot be issued at all.
fn offered(tx: &Tx<'_>, to: &To<'_>) -> Result<Arc<RewardPlan>, Refusal> {
    let Some(terms) = tx.plans.rewards.get(to.reward) else {
        let detail = format!("the reward {:?} is not served; apply it", to.reward.as_str());
        return Err(Refusal::new(Reason::Suspended, detail));
    };
    if terms.suspended {
        return Err(Refusal::new(Reason::Suspended, format!("{:?} is suspended for now", terms.title)));
    }
    if terms.validity.until.is_some_and(|until| until <= tx.now) {
        return Err(Refusal::new(
            Reason::Expired,
            format!("{:?} could be used until a time that is over", terms.title),
        ));
    }
    Ok(Arc::clone(terms))
}

/// Draws as many codes as are needed, all unlike each other and unlike every code of the namespace.
fn draw_codes(tx: &mut Tx<'_>, terms: &RewardPlan, quantity: i64) -> Result<Vec<Code>, Halt> {
    let mut fresh: Vec<Code> = Vec::new();
    if !terms.kind.has_code() {
        return Ok(fresh);
    }
    let wanted = usize::try_from(quantity).unwrap_or(0);
    for _ in 0..CODE_TRIES_MAX {
        let mut drawn: Vec<Code> = Vec::new();
        while drawn.len() + fresh.len() < wanted {
            let code = codes::generate(&terms.codes, tx.random());
            if !drawn.contains(&code) && !fresh.contains(&code) {
                drawn.push(code);
            }
        }
        // All are asked for before any is missing, so that they come in one look at the database.
        let taken: Vec<_> = drawn.iter().map(|code| tx.grant_by_code(code).map(|grant| grant.is_some())).collect();
        for (code, taken) in drawn.into_iter().zip(taken) {
            if !taken? {
                fresh.push(code);
            }
        }
        if fresh.len() == wanted {
            return Ok(fresh);
        }
    }
    let detail = format!("no free code of {:?} was found; lengthen its codes", terms.title);
    Err(Refusal::new(Reason::OutOfStock, detail).into())
}

/// One grant that is about to be issued.
struct Issue<'a> {
    to: To<'a>,
    terms: &'a RewardPlan,
    payer: Option<&'a CampaignPlan>,
    account: &'a fanfare_core::ids::AccountId,
}

impl Issue<'_> {
    /// Whether there is one left, within all limits and the budget; answers what to set aside for it.
    fn check(&self, tx: &mut Tx<'_>) -> Result<Result<Minor, Refusal>, Halt> {
        let reward = &self.terms.name;
        if self.terms.quantity.is_some() && tx.balance(&account::stock_available(reward), &stock_unit(reward))? < 1 {
            return Ok(Err(Refusal::new(Reason::OutOfStock, format!("none of {:?} is left", self.terms.title))));
        }
        for (key, max) in self.limits(tx) {
            if tx.count(&key)? >= max {
                let detail = format!("{:?} is limited to {max} here", self.terms.title);
                return Ok(Err(Refusal::new(Reason::LimitReached, detail)));
            }
        }
        let worth = vouchers::estimate(tx, self.terms)?;
        match self.payer {
            Some(payer) => Ok(budget::allows(tx, payer, worth)?.map(|()| worth)),
            None => Ok(Ok(worth)),
        }
    }

    /// The counters of the reward's own limits, with how far each may count.
    fn limits(&self, tx: &Tx<'_>) -> Vec<(String, i64)> {
        let zone = self.zone(tx);
        let key = |limit: &fanfare_core::model::campaign::Limit| {
            let holder = match limit.per {
                Per::Member => format!("member:{}", self.to.member),
                Per::Store => format!("store:{}", self.to.store?),
                Per::Campaign => format!("campaign:{}", self.to.campaign?),
            };
            Some((key::reward_limit(&self.terms.name, &holder, &limit.every.bucket(tx.now, zone)), limit.max))
        };
        self.terms.limits.iter().filter_map(key).collect()
    }

    fn zone(&self, tx: &Tx<'_>) -> Tz {
        self.payer.map_or(tx.zone(), |payer| payer.schedule.zone)
    }

    /// Writes the grant and everything that it moves.
    fn write(&self, tx: &mut Tx<'_>, worth: Minor, code: Option<Code>) -> Result<GrantId, Halt> {
        let id = GrantId::from(tx.new_id());
        let limits: std::collections::BTreeMap<_, _> = self.limits(tx).into_iter().collect();
        for key in limits.keys() {
            tx.count_up(key, 1)?;
        }
        self.take_stock(tx, &id);
        let mut grant = self.grant(tx, id.clone(), code);
        vouchers::enter(&mut grant, GrantState::Granted, tx.now, Scene { store: self.to.store, ..Scene::default() });
        vouchers::tally(tx, &grant, "issued", 1);
        let auto = self.terms.claim == Claim::Auto;
        if auto && matches!(self.terms.kind, RewardKind::Points { .. }) {
            // Credited at once: nothing needs to be set aside in between.
            claim(tx, &mut grant, self.account)?;
        } else {
            if let Some(payer) = self.payer {
                let why = Why { rule: "grant-issued", reference: id.as_str() };
                grant.reserved = budget::reserve(tx, payer, worth, why)?;
            }
            if auto {
                claim(tx, &mut grant, self.account)?;
            }
        }
        vouchers::plan_close(tx, &grant);
        tx.new_grant(grant);
        Ok(id)
    }

    fn take_stock(&self, tx: &mut Tx<'_>, id: &GrantId) {
        let reward = &self.terms.name;
        if self.terms.quantity.is_none() {
            return;
        }
        let (from, to) = (account::stock_available(reward), account::stock_issued(reward));
        if let Some(posting) = Posting::transfer("grant-issued", id.as_str(), &stock_unit(reward), &from, &to, 1) {
            tx.post(posting);
        }
    }

    fn grant(&self, tx: &Tx<'_>, id: GrantId, code: Option<Code>) -> Grant {
        let zone = self.zone(tx);
        let (valid_from, valid_until) = match self.terms.validity.from {
            ValidFrom::Issue => validity(self.terms, tx.now, zone),
            ValidFrom::Claim => (self.terms.validity.not_before, self.terms.validity.until),
        };
        let claim_by = match self.terms.claim {
            Claim::Manual => self.terms.claim_within.map(|span| span.after(tx.now, zone)),
            Claim::Auto => None,
        };
        Grant {
            id,
            member: self.to.member.clone(),
            terms: self.terms.clone(),
            campaign: self.to.campaign.cloned(),
            mechanic: self.to.mechanic.cloned(),
            cause: self.to.cause.to_owned(),
            code,
            state: GrantState::Granted,
            issued_at: tx.now,
            claim_by,
            claimed_at: None,
            valid_from,
            valid_until,
            uses_left: 1,
            reserved: Minor::ZERO,
            history: Vec::new(),
        }
    }
}

/// From when until when something is valid that starts to count at `start`.
fn validity(terms: &RewardPlan, start: Ts, zone: Tz) -> (Option<Ts>, Option<Ts>) {
    let from = terms.validity.not_before.map_or(start, |at| at.max(start));
    let lasts = terms.validity.lasts.map(|span| span.after(start, zone));
    (Some(from), [lasts, terms.validity.until].into_iter().flatten().min())
}

/// A grant becomes the member's to use: vouchers and free items are Claimed, points are credited and thereby Redeemed.
pub(crate) fn claim(tx: &mut Tx<'_>, grant: &mut Grant, account: &fanfare_core::ids::AccountId) -> Result<(), Halt> {
    let zone = vouchers::zone(tx, grant.campaign.as_ref());
    grant.claimed_at = Some(tx.now);
    if grant.terms.validity.from == ValidFrom::Claim {
        (grant.valid_from, grant.valid_until) = validity(&grant.terms, tx.now, zone);
    }
    vouchers::enter(grant, GrantState::Claimed, tx.now, Scene::default());
    vouchers::tally(tx, grant, "claimed", 1);
    let RewardKind::Points { amount, expire_after } = grant.terms.kind.clone() else { return Ok(()) };
    let id = grant.id.clone();
    let why = Why { rule: "points-credited", reference: id.as_str() };
    wallet::credit(tx, account, amount, why)?;
    grant.valid_until = expire_after.map(|span| span.after(grant.issued_at, zone));
    grant.uses_left = 0;
    vouchers::enter(grant, GrantState::Redeemed, tx.now, Scene::default());
    vouchers::tally(tx, grant, "redeemed", 1);
    let actual = vouchers::estimate(tx, &grant.terms)?;
    tx.tally(&key::reward(&grant.terms.name, "cost"), actual.0);
    let reserved = std::mem::take(&mut grant.reserved);
    if let Some(campaign) = grant.campaign.clone() {
        let spent = Spent { reserved, since: grant.issued_at, actual, cost: Cost::Rewards };
        budget::spend(tx, &campaign, spent, why)?;
    }
    Ok(())
}
