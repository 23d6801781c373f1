//! One campaign on a basket: its mechanics in their order, each on what the one before left, within limits and budget.

use super::{Ask, Consumed, Shifted, line_shares, margin, priced, rejected};
use crate::{
    cart::{Discount, Earned, Rejected, Subject},
    decide::{self, Bound, Room},
    ids::{HoldId, Name},
    mechanic::{
        Basket, Effect, Missing, Offer, Scene,
        basket::{CountedBy, Counts, Off, capped},
    },
    model::{
        CampaignPlan,
        campaign::{Counted, Mechanic, OnExhausted},
    },
    money::Minor,
    pricing::Priced,
    qualify,
    reason::{Reason, Refusal},
    reward,
    world::{Visit, World},
};

/// What a campaign would give, and the basket after it.
pub(super) struct Proposal<'a> {
    pub(super) plan: &'a CampaignPlan,
    pub(super) basket: Basket<'a>,
    pub(super) discounts: Vec<Discount>,
    pub(super) earned: Vec<Earned>,
    pub(super) rejected: Vec<Rejected>,
    /// `discount` counts from the proposal's own first discount.
    pub(super) consumed: Vec<Consumed>,
    pub(super) exhausted: bool,
}

impl Proposal<'_> {
    /// What it takes off.
    pub(super) fn saves(&self) -> Minor {
        self.discounts.iter().map(|discount| discount.amount).sum()
    }

    /// Whether it gives anything at all.
    pub(super) fn gives(&self) -> bool {
        !self.discounts.is_empty() || !self.earned.is_empty()
    }
}

/// What was decided before a campaign's turn.
#[derive(Clone, Copy)]
pub(super) struct Before<'s> {
    /// What the order has reserved, at its commit.
    pub(super) reserved: Option<&'s Priced>,
    /// What the campaigns before have used.
    pub(super) consumed: &'s [Consumed],
}

/// What `plan` would give on `basket`.
pub(super) fn propose<'a>(
    plan: &'a CampaignPlan,
    basket: &Basket<'a>,
    ask: &Ask<'a>,
    before: Before<'_>,
) -> Result<Proposal<'a>, Missing> {
    let mut proposal = Proposal {
        plan,
        basket: basket.clone(),
        discounts: Vec::new(),
        earned: Vec::new(),
        rejected: Vec::new(),
        consumed: Vec::new(),
        exhausted: false,
    };
    if !plan.mechanics.iter().any(|mechanic| mechanic.rule.behaviour().prices()) {
        return Ok(proposal);
    }
    match entrance(plan, ask)? {
        Entrance::Open => {}
        Entrance::Hidden => return Ok(proposal),
        Entrance::Refused(refusal) => {
            proposal.rejected.push(rejected(Subject::Campaign(plan.name.clone(), None), refusal));
            return Ok(proposal);
        }
    }
    let room = match before.reserved {
        // What was reserved is set aside in the ledger already.
        Some(reserved) => Room::only(Bound::Total, reserved_for(reserved, &plan.name, None)),
        None => decide::room(plan, &ask.visit)?,
    };
    let mut purse = Purse { room, spent: Minor::ZERO };
    for mechanic in plan.mechanics.iter().filter(|mechanic| mechanic.rule.behaviour().prices()) {
        let mut step = Step { ask, mechanic, before, proposal: &mut proposal, purse: &mut purse };
        step.run()?;
    }
    if proposal.gives() {
        let counts = order_counts(plan, None, ask);
        proposal.consumed.push(whole(plan, None, counts));
    }
    Ok(proposal)
}

enum Entrance {
    Open,
    /// Nothing that this visitor may know of, or would expect here.
    Hidden,
    Refused(Refusal),
}

fn entrance(plan: &CampaignPlan, ask: &Ask<'_>) -> Result<Entrance, Missing> {
    if !decide::is_visible(plan, &ask.visit) {
        return Ok(Entrance::Hidden);
    }
    Ok(match decide::closed(plan, &ask.visit) {
        Some(refusal) if matches!(refusal.reason, Reason::CampaignNotActive | Reason::CampaignPaused) => {
            Entrance::Hidden
        }
        Some(refusal) => Entrance::Refused(refusal),
        None if ask.visit.who.is_none() && counts_members(plan) => {
            Entrance::Refused(Refusal::new(Reason::MemberRequired, "Only for members; log in or show the member code."))
        }
        None => match qualify::within_limits(plan, None, Counted::Orders, 1, &ask.visit)? {
            Some(refusal) => Entrance::Refused(refusal),
            None => Entrance::Open,
        },
    })
}

/// Whether its budget bounds what one member gets, so that nobody unknown can get anything.
fn counts_members(plan: &CampaignPlan) -> bool {
    plan.budget.is_some_and(|budget| budget.per_member.is_some() && budget.on_exhausted != OnExhausted::Continue)
}

/// What is left of a budget during one decision.
struct Purse {
    room: Room,
    spent: Minor,
}

impl Purse {
    /// The bound that does not hold so much more.
    fn lacks(&self, more: Minor) -> Option<Bound> {
        self.room.lacks(self.spent.plus(more))
    }
}

/// One mechanic's turn.
struct Step<'s, 'a> {
    ask: &'s Ask<'a>,
    mechanic: &'a Mechanic,
    before: Before<'s>,
    proposal: &'s mut Proposal<'a>,
    purse: &'s mut Purse,
}

impl<'a> Step<'_, 'a> {
    fn run(&mut self) -> Result<(), Missing> {
        let plan = self.proposal.plan;
        let scene = Scene { campaign: plan, mechanic: self.mechanic, visit: self.ask.visit };
        let behaviour = self.mechanic.rule.behaviour();
        let mut refusal = qualify::mechanic(plan, self.mechanic, &self.ask.visit);
        if refusal.is_none() && behaviour.needs_member() && self.ask.visit.who.is_none() {
            refusal = Some(Refusal::new(Reason::MemberRequired, "Only for members; log in or show the member code."));
        }
        if refusal.is_none() {
            refusal = qualify::within_limits(plan, Some(self.mechanic), Counted::Orders, 1, &self.ask.visit)?;
        }
        if let Some(refusal) = refusal {
            self.reject(None, refusal);
            return Ok(());
        }
        let before = (self.proposal.discounts.len(), self.proposal.earned.len());
        let Offer { discounts, earned, refusals } = behaviour.price(&scene, &self.proposal.basket)?;
        for (hold, refusal) in refusals {
            self.reject(hold, refusal);
        }
        let given = self.bounded(discounts, &self.proposal.basket);
        if let Some(unguarded) = self.proposal.basket.unguarded() {
            let wanted = behaviour.price(&scene, &unguarded)?.discounts;
            let wanted = self.bounded(wanted, &unguarded);
            if let Some(refusal) = margin::cut(sum(&wanted), sum(&given), &self.ask.visit) {
                self.reject(None, refusal);
            }
        }
        for off in given {
            self.take(off);
        }
        for offered in earned {
            self.earn(&scene, offered)?;
        }
        if before != (self.proposal.discounts.len(), self.proposal.earned.len()) {
            let counts = order_counts(plan, Some(self.mechanic), self.ask);
            self.proposal.consumed.push(whole(plan, Some(&self.mechanic.name), counts));
        }
        Ok(())
    }

    /// What a mechanic takes off within what the order has reserved for it and above the floors of `basket`.
    fn bounded(&self, discounts: Vec<Off>, basket: &Basket<'_>) -> Vec<Off> {
        let mut left = self.reserved_left();
        let mut all = Vec::with_capacity(discounts.len());
        for off in discounts {
            let off = above_floors(within(off, left), basket);
            left = left.map(|left| left.minus(off.amount()));
            all.push(off);
        }
        all
    }

    /// At the commit of a reserved order, no mechanic takes more off than it had reserved.
    fn reserved_left(&self) -> Option<Minor> {
        let reserved = self.before.reserved?;
        let most = reserved_for(reserved, &self.proposal.plan.name, Some(&self.mechanic.name));
        let so_far = self.proposal.discounts.iter().filter(|d| d.mechanic.as_ref() == Some(&self.mechanic.name));
        Some(most.minus(so_far.map(|discount| discount.amount).sum()))
    }

    fn take(&mut self, mut off: Off) {
        // Lines can have lost room to an offer before of the same mechanic.
        off = above_floors(off, &self.proposal.basket);
        let amount = off.amount();
        if amount <= Minor::ZERO {
            return;
        }
        let plan = self.proposal.plan;
        if let Some(bound) = self.purse.lacks(amount) {
            self.proposal.exhausted |= bound == Bound::Total;
            self.reject(off.hold, decide::exhausted(plan, bound));
            return;
        }
        self.purse.spent = self.purse.spent.plus(amount);
        let cart = self.ask.cart;
        self.proposal.basket.take(&off.shares);
        let floors = self.proposal.basket.floors.iter_mut().zip(&off.floors).zip(&off.shares);
        for ((floor, least), _) in floors.filter(|(_, share)| **share > Minor::ZERO) {
            *floor = (*floor).max(*least);
        }
        for (flash, units) in self.proposal.basket.flash_units.iter_mut().zip(&off.units) {
            *flash += units;
        }
        let mut counts = off.counts;
        counts.extend(budget_counts(plan, amount, self.ask));
        self.proposal.consumed.push(Consumed {
            campaign: plan.name.clone(),
            mechanic: Some(self.mechanic.name.clone()),
            discount: Some(self.proposal.discounts.len()),
            amount,
            counts,
        });
        let priced_units = cart.lines.iter().zip(&off.units).filter(|(_, units)| **units > 0);
        self.proposal.discounts.push(Discount {
            campaign: Some(plan.name.clone()),
            mechanic: Some(self.mechanic.name.clone()),
            code: None,
            grant: None,
            hold: off.hold,
            amount,
            lines: line_shares(cart, &off.shares),
            units: priced_units.map(|(line, units)| (line.sku.clone(), *units)).collect(),
            payment: false,
        });
    }

    fn earn(&mut self, scene: &Scene<'_>, offered: crate::mechanic::basket::EarnedOffer) -> Result<(), Missing> {
        let visit = &self.ask.visit;
        if visit.who.is_none() {
            return Ok(());
        }
        let (campaign, mechanic) = (&self.proposal.plan.name, &self.mechanic.name);
        let quantity = match self.before.reserved {
            None => offered.quantity,
            Some(reserved) => {
                let same = reserved.evaluation.earned.iter().filter(|earned| {
                    earned.campaign == *campaign
                        && earned.mechanic == *mechanic
                        && earned.reward == offered.reward
                        && earned.threshold == Some(offered.threshold)
                });
                offered.quantity.min(same.map(|earned| earned.quantity).sum())
            }
        };
        if quantity <= 0 {
            return Ok(());
        }
        // The ledger's budget is asked again when the reward is really given, at commit.
        let spent = if self.before.reserved.is_some() { Minor::ZERO } else { self.purse.spent };
        // Another reward of this cart may have used up a limit that both are under.
        let mut so_far = priced::counted(self.before.consumed.iter().chain(&self.proposal.consumed));
        // What the budget has given out in this cart stands in `spent` already.
        for (_, key, _) in decide::spends(self.proposal.plan, visit) {
            so_far.remove(&key);
        }
        let shifted = Shifted { state: visit.world.state, by: so_far };
        let visit_now = Visit { world: World { state: &shifted, ..visit.world }, ..*visit };
        let scene = Scene { visit: visit_now, ..*scene };
        match decide::grant(&scene, &offered.reward, quantity, spent)? {
            Ok(effects) => self.count_earned(effects),
            Err(refusal) => {
                let cost = self.cost(&offered.reward, quantity);
                let room = decide::room(self.proposal.plan, &scene.visit)?;
                self.proposal.exhausted |=
                    refusal.reason == Reason::BudgetExhausted && room.lacks(spent.plus(cost)) == Some(Bound::Total);
                let subject = Subject::Campaign(campaign.clone(), Some(mechanic.clone()));
                let reward = Some(offered.reward);
                self.proposal.rejected.push(Rejected { reward, ..rejected(subject, refusal) });
                return Ok(());
            }
        }
        let world = visit.world;
        let plan = world.catalogue.reward(&offered.reward);
        let worth = plan.map(|plan| reward::worth(plan, world.runtime).times(quantity));
        self.purse.spent = self.purse.spent.plus(self.cost(&offered.reward, quantity));
        self.proposal.earned.push(Earned {
            campaign: campaign.clone(),
            mechanic: mechanic.clone(),
            reward: offered.reward,
            quantity,
            amount: worth.filter(|worth| *worth > Minor::ZERO),
            threshold: Some(offered.threshold),
            counted: line_shares(self.ask.cart, &offered.counted),
        });
        Ok(())
    }

    /// What so many of a reward are estimated to cost.
    fn cost(&self, reward: &Name, quantity: i64) -> Minor {
        let world = self.ask.visit.world;
        let cost = world.catalogue.reward(reward).map(|plan| reward::cost(plan, world.runtime));
        cost.unwrap_or_default().times(quantity)
    }

    /// What the next of `earned` counts. The grant itself is the engine's, at commit.
    fn count_earned(&mut self, effects: Vec<Effect>) {
        let index = self.proposal.earned.len();
        let day = decide::day_key(self.proposal.plan, &self.ask.visit);
        let counts = effects.into_iter().filter_map(|effect| match effect {
            Effect::Count { key, delta, cap } => {
                let by = if key == day { CountedBy::Day } else { CountedBy::Earned(index) };
                Some(Counts { key, delta, cap, by })
            }
            Effect::Grant { .. } | Effect::Hold { .. } | Effect::Release { .. } | Effect::SpendPoints { .. } => None,
        });
        let counts: Vec<Counts> = counts.collect();
        if !counts.is_empty() {
            self.proposal.consumed.push(whole(self.proposal.plan, Some(&self.mechanic.name), counts));
        }
    }

    fn reject(&mut self, hold: Option<HoldId>, refusal: Refusal) {
        let campaign = || Subject::Campaign(self.proposal.plan.name.clone(), Some(self.mechanic.name.clone()));
        let subject = hold.map_or_else(campaign, Subject::Reservation);
        self.proposal.rejected.push(rejected(subject, refusal));
    }
}

/// No line falls below the floor of a discount that took something off it before, nor below its margin.
fn above_floors(mut off: Off, basket: &Basket<'_>) -> Off {
    for (share, room) in off.shares.iter_mut().zip(basket.rooms()) {
        *share = (*share).min(room);
    }
    off
}

/// At most so much of an offer, with what it counts.
fn within(mut off: Off, most: Option<Minor>) -> Off {
    let Some(most) = most else { return off };
    let full = off.amount();
    off.shares = capped(off.shares, most.or_zero());
    let given = off.amount();
    if given < full {
        for counts in off.counts.iter_mut().filter(|counts| counts.by == CountedBy::Amount) {
            counts.delta = given.0;
        }
    }
    off
}

fn sum(offers: &[Off]) -> Minor {
    offers.iter().map(Off::amount).sum()
}

/// What a reserved order's campaign, or one of its mechanics, took off.
fn reserved_for(reserved: &Priced, campaign: &Name, mechanic: Option<&Name>) -> Minor {
    let of = |consumed: &&Consumed| {
        consumed.campaign == *campaign && (mechanic.is_none() || consumed.mechanic.as_ref() == mechanic)
    };
    reserved.consumed.iter().filter(of).map(|consumed| consumed.amount).sum()
}

fn whole(plan: &CampaignPlan, mechanic: Option<&Name>, counts: Vec<Counts>) -> Consumed {
    let (campaign, mechanic) = (plan.name.clone(), mechanic.cloned());
    Consumed { campaign, mechanic, discount: None, amount: Minor::ZERO, counts }
}

fn order_counts(plan: &CampaignPlan, mechanic: Option<&Mechanic>, ask: &Ask<'_>) -> Vec<Counts> {
    let of_orders =
        |limit: &&crate::model::campaign::Limit| limit.count == Counted::Orders && qualify::counts(limit, &ask.visit);
    let limits = qualify::limits_of(plan, mechanic).iter().filter(of_orders);
    let name = mechanic.map(|mechanic| &mechanic.name);
    limits
        .filter_map(|limit| {
            let counter = qualify::counter(&plan.name, name, limit, plan.schedule.zone, &ask.visit)?;
            let cap = Some(counter.cap(limit.max, &ask.visit));
            Some(Counts { key: counter.key, delta: 1, cap, by: CountedBy::Order })
        })
        .collect()
}

/// What money off counts against the day, the store and the member of a budget.
fn budget_counts(plan: &CampaignPlan, amount: Minor, ask: &Ask<'_>) -> Vec<Counts> {
    let counted = decide::spends(plan, &ask.visit).into_iter().map(|(bound, key, cap)| {
        let by = if bound == Bound::Day { CountedBy::Day } else { CountedBy::Amount };
        Counts { key, delta: amount.0, cap, by }
    });
    counted.collect()
}
