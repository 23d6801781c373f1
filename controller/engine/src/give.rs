//! Gives a reward to a member: the one door through which anything is issued.
//!
//! What is given reserves first: the reward's stock, the budget of the campaign that pays. Who may be given something was
//! decided by whoever calls this; whether there is anything left is decided here. What a campaign gives, its decision in
//! core has counted against every limit, those of the reward too; where no campaign pays, the reward's limits are asked
//! and counted here.

use crate::{
    Halt,
    budget::{self, Why},
    cards::{self, Side},
    pool, touch,
    tx::Tx,
    vouchers::{self, Scene},
    wallet,
};
use fanfare_core::{
    codes,
    ids::{AccountId, Code, GrantId, MemberId, Name, StoreId},
    ledger::{Posting, account, stock_unit},
    mechanic::{State, key},
    model::{
        CampaignPlan, RewardPlan,
        campaign::{Counted, Limit, Per},
        reward::{Claim, CodeSource, RewardKind},
    },
    money::Minor,
    qualify::{self, Counter},
    reason::{Reason, Refusal},
    reward::{self, Terms},
    time::Ts,
    uses::{Card, Usage},
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
pub struct To<'a> {
    /// To whom.
    pub member: &'a MemberId,
    /// What.
    pub reward: &'a Name,
    /// How many; at most [`GIVE_MAX`].
    pub quantity: i64,
    /// Who pays and has counted the limits; without it nobody's budget is asked and the reward's limits are counted.
    pub campaign: Option<&'a Name>,
    /// By which of its mechanics.
    pub mechanic: Option<&'a Name>,
    /// In which store, for limits per store.
    pub store: Option<&'a StoreId>,
    /// What brought it about: `order:<id>`, `event:<source>/<id>`, `draw:<id>`, `run:<id>`.
    pub cause: &'a str,
}

/// What was given.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Given {
    /// In the order in which they were issued.
    pub grants: Vec<GrantId>,
    /// Why there are fewer than were asked for.
    pub refused: Option<Refusal>,
}

/// Who holds what nobody holds yet: a printed voucher, or a shared code typed by somebody unknown. No member has this id,
/// since every door refuses an empty one.
pub(crate) fn nobody() -> MemberId {
    MemberId::from("")
}

/// Whether it is [`nobody`].
pub(crate) fn is_nobody(member: &MemberId) -> bool {
    member.as_str().is_empty()
}

/// Gives a reward: all that were asked for, or as many as are left and the reason why not more.
///
/// # Errors
/// [`Halt::Missing`] to be run again with more rows; refused as `member-unknown`.
pub fn give(tx: &mut Tx<'_>, to: To<'_>) -> Result<Given, Halt> {
    if tx.plans.rewards.get(to.reward).is_some_and(|terms| terms.shared_code().is_some()) {
        let detail = "this reward is not given: members type its code";
        return Ok(Given { grants: Vec::new(), refused: Some(Refusal::new(Reason::OutOfStock, detail)) });
    }
    give_shared(tx, to)
}

/// The same for the use of a shared code.
pub(crate) fn give_shared(tx: &mut Tx<'_>, to: To<'_>) -> Result<Given, Halt> {
    let mut given = Given::default();
    let terms = match offered(tx, &to) {
        Ok(terms) => terms,
        Err(refusal) => {
            given.refused = Some(refusal);
            return Ok(given);
        }
    };
    let account = account_of(tx, &to, &terms)?;
    let payer = to.campaign.and_then(|name| budget::served(tx, name));
    let quantity = to.quantity.clamp(0, GIVE_MAX);
    let mut fresh = draw_codes(tx, &terms, quantity)?.into_iter();
    let imported = terms.codes.source == CodeSource::Imported;
    if imported {
        pool::want(tx, &terms.name, quantity)?;
    }
    for _ in 0..quantity {
        let issue = Issue { to, terms: &terms, payer: payer.as_deref(), account: &account };
        let worth = match issue.check(tx)? {
            Ok(worth) => worth,
            Err(refusal) => {
                given.refused = Some(refusal);
                break;
            }
        };
        let code = if imported { pool::next(tx, &terms.name)? } else { fresh.next() };
        if imported && code.is_none() {
            let detail = format!("no imported code of {:?} is left; import more", terms.title);
            given.refused = Some(Refusal::new(Reason::OutOfStock, detail));
            break;
        }
        given.grants.push(issue.write(tx, worth, code)?);
    }
    Ok(given)
}

/// The account that points go to.
fn account_of(tx: &Tx<'_>, to: &To<'_>, terms: &RewardPlan) -> Result<AccountId, Halt> {
    if is_nobody(to.member) && terms.kind.has_code() {
        return Ok(AccountId::from(""));
    }
    wallet::of(tx, to.member)
}

/// Why one more could not be given now; nothing when it could.
pub(crate) fn could(tx: &mut Tx<'_>, to: To<'_>) -> Result<Option<Refusal>, Halt> {
    let terms = match offered(tx, &to) {
        Ok(terms) => terms,
        Err(refusal) => return Ok(Some(refusal)),
    };
    let payer = to.campaign.and_then(|name| budget::served(tx, name));
    let issue = Issue { to, terms: &terms, payer: payer.as_deref(), account: &AccountId::from("") };
    Ok(issue.check(tx)?.err())
}

/// Gives back what a grant counted against its reward's limits, where no campaign counted it.
pub(crate) fn uncount(tx: &mut Tx<'_>, grant: &Grant, scene: Scene<'_>) -> Result<(), Halt> {
    let cause = grant.cause.clone();
    let to = To {
        member: &grant.member,
        reward: &grant.terms.name,
        quantity: 1,
        campaign: grant.campaign.as_ref(),
        mechanic: None,
        store: scene.store,
        cause: &cause,
    };
    let issue = Issue { to, terms: &grant.terms, payer: None, account: &AccountId::from("") };
    // From which device and address it was typed and which card paid is not kept, so what was counted there stays.
    let kept = |per| !matches!(per, Per::Device | Per::Address | Per::Card);
    // A job or a reversal names no order of its own: the order that used it is the one that counted it.
    let at_hand = std::mem::replace(&mut tx.order, scene.order.cloned());
    let counters = issue.limits_at(tx, grant.issued_at, kept);
    tx.order = at_hand;
    for (counter, _) in counters {
        tx.count_up(&counter.key, -1)?;
    }
    Ok(())
}

/// Looks at everything that giving this will ask about, so that several rewards come in one look at the database.
pub(crate) fn want(tx: &Tx<'_>, member: &MemberId, reward: &Name, campaign: Option<&Name>) -> Result<(), Halt> {
    let stock = tx.balance(&account::stock_available(reward), &stock_unit(reward)).map(drop);
    let purse = match campaign {
        Some(campaign) => tx.balance(&account::budget_available(campaign), &budget::money(tx)?).map(drop),
        None => Ok(()),
    };
    let holder = match tx.member(member) {
        Ok(Some(row)) => wallet::want(tx, &row.account),
        Ok(None) => Ok(()),
        Err(halt) => Err(halt),
    };
    stock.and(purse).and(holder)
}

/// The reward as it is served, unless it cannot be issued at all.
fn offered(tx: &Tx<'_>, to: &To<'_>) -> Result<Arc<RewardPlan>, Refusal> {
    let Some(terms) = tx.plans.rewards.get(to.reward) else {
        let detail = format!("the reward {:?} is not served; apply it", to.reward.as_str());
        return Err(Refusal::new(Reason::Suspended, detail));
    };
    if terms.suspended {
        return Err(Refusal::new(Reason::Suspended, format!("{:?} is suspended", terms.title)));
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
    if !terms.kind.has_code() || terms.codes.source != CodeSource::Drawn {
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
    account: &'a AccountId,
}

impl Issue<'_> {
    /// Whether there is one left, within all limits and the budget; answers what to set aside for it.
    fn check(&self, tx: &mut Tx<'_>) -> Result<Result<Minor, Refusal>, Halt> {
        let reward = &self.terms.name;
        if self.terms.quantity.is_some() && tx.balance(&account::stock_available(reward), &stock_unit(reward))? < 1 {
            return Ok(Err(Refusal::new(Reason::OutOfStock, format!("none of {:?} is left", self.terms.title))));
        }
        let limits = self.limits(tx);
        touch::all(limits.iter().flat_map(|(counter, _)| counter.keys()).map(|key| Ok(tx.count(key)?)))?;
        for (counter, limit) in limits {
            let mut reached: i64 = 0;
            for key in counter.keys() {
                reached = reached.saturating_add(tx.count(key)?);
            }
            if reached >= limit.max {
                return Ok(Err(Refusal::new(Reason::LimitReached, self.limited(&limit))));
            }
        }
        let worth =
            if self.is_paid_at_once() { given(tx, self.terms)? } else { reward::cost(self.terms, tx.runtime()?) };
        match self.payer {
            Some(payer) => {
                let whose = budget::Whose { member: self.to.member, store: self.to.store };
                Ok(budget::allows(tx, payer, worth, Some(whose))?.map(|()| worth))
            }
            None => Ok(Ok(worth)),
        }
    }

    /// What a limit that is reached says. Of one per device or address no number is told.
    fn limited(&self, limit: &Limit) -> String {
        match limit.per {
            Per::Device | Per::Address => qualify::limit_detail(limit),
            Per::Member | Per::Store | Per::Campaign | Per::Order | Per::Reward | Per::Card => {
                format!("{:?} is limited to {} here", self.terms.title, limit.max)
            }
        }
    }

    /// The counters of the reward's own limits: those that `core::reward` asks about.
    fn limits(&self, tx: &Tx<'_>) -> Vec<(Counter, Limit)> {
        self.limits_at(tx, tx.now, |_| true)
    }

    fn limits_at(&self, tx: &Tx<'_>, at: Ts, of: impl Fn(Per) -> bool) -> Vec<(Counter, Limit)> {
        if self.to.campaign.is_some() {
            return Vec::new();
        }
        let own = self.terms.limits.iter().filter(|limit| limit.count == Counted::Rewards && of(limit.per));
        let counter = |limit: &Limit| {
            let holder = self.holder(tx, limit.per)?;
            let key = |stretch: &str| key::reward_limit(&self.terms.name, &holder, stretch);
            Some((Counter::of(limit, tx.zone(), at, key), *limit))
        };
        let mut all: Vec<(Counter, Limit)> = own.filter_map(counter).collect();
        // Two limits of one kind and stretch are one counter, which the smaller bounds.
        all.sort_by(|one, other| (&one.0.key, one.1.max).cmp(&(&other.0.key, other.1.max)));
        all.dedup_by(|later, first| later.0.key == first.0.key);
        all
    }

    /// For whom a limit counts; nothing where it does not count this. What nobody holds counts for nobody.
    fn holder(&self, tx: &Tx<'_>, per: Per) -> Option<String> {
        Some(match per {
            Per::Member if is_nobody(self.to.member) => return None,
            Per::Member => format!("member:{}", self.to.member),
            Per::Store => format!("store:{}", self.to.store.map_or("", StoreId::as_str)),
            Per::Campaign => format!("campaign:{}", self.to.campaign.map_or("", Name::as_str)),
            Per::Device => format!("device:{}", tx.origin.device.as_deref()?),
            Per::Address => format!("address:{}", tx.origin.address.as_deref()?),
            Per::Card => format!("card:{}", tx.origin.card.as_deref()?),
            Per::Order => format!("order:{}", tx.order.as_ref()?),
            Per::Reward => "reward".into(),
        })
    }

    /// Writes the grant and everything that it moves.
    fn write(&self, tx: &mut Tx<'_>, worth: Minor, code: Option<Code>) -> Result<GrantId, Halt> {
        let id = GrantId::from(tx.new_id());
        for (counter, _) in self.limits(tx) {
            tx.count_up(&counter.key, 1)?;
        }
        self.take_stock(tx, &id);
        let mut grant = self.grant(tx, id.clone(), code)?;
        vouchers::enter(&mut grant, GrantState::Granted, tx.now, Scene { store: self.to.store, ..Scene::default() });
        if let (Some(payer), Some(first)) = (self.payer, grant.history.first_mut()) {
            first.counted = budget::counted(payer, self.to.member);
            first.unfunded = payer.budget.is_none();
        }
        vouchers::tally(tx, &grant, "issued", 1);
        if let Some(payer) = self.payer.filter(|_| !self.is_paid_at_once()) {
            let why = Why { rule: "grant-issued", reference: id.as_str() };
            grant.reserved = budget::reserve(tx, payer, worth, why)?;
            vouchers::count(tx, &grant, grant.reserved)?;
        }
        if let Some(card) = grant.usage.card {
            let why = Why { rule: "gift-card-issued", reference: id.as_str() };
            cards::put_on(tx, &grant, Side::Given, card.given, why)?;
        }
        if self.terms.claim == Claim::Auto {
            claim(tx, &mut grant, self.account)?;
        }
        vouchers::plan_close(tx, &grant);
        tx.new_grant(grant);
        Ok(id)
    }

    /// Points that need no claim are credited at once, so nothing is set aside in between.
    fn is_paid_at_once(&self) -> bool {
        self.terms.claim == Claim::Auto && matches!(self.terms.kind, RewardKind::Points { .. })
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

    fn grant(&self, tx: &Tx<'_>, id: GrantId, code: Option<Code>) -> Result<Grant, Halt> {
        let zone = vouchers::zone_for(tx, self.to.member, self.to.campaign)?;
        let Terms { claim_by, valid_from, valid_until } = reward::terms(self.terms, tx.now, zone);
        let card = match self.terms.kind {
            RewardKind::GiftCard { amount } => Some(Card::of(amount)),
            _ => None,
        };
        Ok(Grant {
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
            uses_left: reward::uses(self.terms),
            reserved: Minor::ZERO,
            history: Vec::new(),
            usage: Usage { card, ..Usage::default() },
        })
    }
}

/// What credited points really cost: their worth, or where points are worth nothing, what the author says.
fn given(tx: &Tx<'_>, terms: &RewardPlan) -> Result<Minor, Halt> {
    let worth = reward::worth(terms, tx.runtime()?);
    Ok(if worth > Minor::ZERO { worth } else { terms.unit_cost })
}

/// A grant becomes the member's to use: vouchers and free items are Claimed, points are credited and thereby Redeemed.
pub(crate) fn claim(tx: &mut Tx<'_>, grant: &mut Grant, account: &AccountId) -> Result<(), Halt> {
    let zone = vouchers::zone_for(tx, &grant.member, grant.campaign.as_ref())?;
    grant.claimed_at = Some(tx.now);
    let times = reward::claimed(&grant.terms, vouchers::terms(grant), tx.now, zone);
    (grant.valid_from, grant.valid_until) = (times.valid_from, times.valid_until);
    vouchers::enter(grant, GrantState::Claimed, tx.now, Scene::default());
    vouchers::tally(tx, grant, "claimed", 1);
    let RewardKind::Points { amount, expire_after } = grant.terms.kind.clone() else { return Ok(()) };
    let id = grant.id.clone();
    let why = Why { rule: "points-credited", reference: id.as_str() };
    let lot = tx.runtime()?.points.lot(expire_after, grant.issued_at, zone);
    wallet::credit_lot(tx, account, amount, lot, why)?;
    grant.valid_until = lot.until;
    grant.uses_left = 0;
    vouchers::enter(grant, GrantState::Redeemed, tx.now, Scene::default());
    vouchers::tally(tx, grant, "redeemed", 1);
    let actual = given(tx, &grant.terms)?;
    let reserved = std::mem::take(&mut grant.reserved);
    vouchers::book(tx, grant, reserved, actual, why)
}
