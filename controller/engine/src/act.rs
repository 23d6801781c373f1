//! What a member does with a mechanic: draws, reserves, releases.

use crate::{
    Command, Halt, attribution,
    carts::met_hold,
    effects::{self, Decided},
    knowledge::{Coming, visit},
    mint::Mint,
    plans::Plans,
    progress::{self, Goals},
    refuse,
    tx::Tx,
    wallet,
};
use fanfare_core::{
    decide,
    ids::{GrantId, HoldId, MemberId, Name, StoreId},
    mechanic::{Act, Acted, Rule, lottery::Entry},
    model::{CampaignPlan, campaign::Mechanic},
    reason::Reason,
    time::Ts,
};
use fanfare_store::{
    Keys,
    rows::{Hold, HoldState},
};
use std::sync::Arc;

/// What is asked of a mechanic.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Action {
    /// Draws for a prize.
    Draw,
    /// Holds units of a flash sale.
    Reserve {
        /// Of which item.
        sku: String,
        /// How many; at least 1.
        quantity: i64,
        /// From whose stock.
        store: Option<StoreId>,
    },
    /// Lets a reservation go.
    Release {
        /// Which.
        reservation: HoldId,
    },
}

/// A member acts.
#[derive(Clone, Debug)]
pub struct DoAction {
    /// In which campaign.
    pub campaign: Name,
    /// With which of its mechanics.
    pub mechanic: Name,
    /// Who.
    pub member: MemberId,
    /// What.
    pub action: Action,
    /// Through which channel, if the caller says so.
    pub channel: Option<String>,
}

/// What an action came to.
#[derive(Clone, Debug, PartialEq)]
pub struct Outcome {
    /// A word, such as `reserved`; of a draw the prize's name stands in `prize`.
    pub outcome: String,
    /// The prize that was drawn.
    pub prize: Option<Name>,
    /// What was given.
    pub grants: Vec<GrantId>,
    /// How far the member has come now, where the mechanic has goals.
    pub progress: Option<Goals>,
    /// The reservation that was made, and until just before when it holds.
    pub reservation: Option<(HoldId, Ts)>,
}

impl Command for DoAction {
    /// `None` when there is no such campaign, mechanic, action or reservation for this member.
    type Answer = Option<Outcome>;

    fn prefetch(&self, _: &Plans, keys: &mut Keys) {
        keys.members.insert(self.member.clone());
        keys.participations.insert((self.campaign.clone(), self.member.clone()));
        if let Action::Release { reservation } = &self.action {
            keys.holds.insert(reservation.clone());
        }
    }

    fn run(&self, tx: &mut Tx<'_>) -> Result<Option<Outcome>, Halt> {
        if self.action == Action::Draw {
            // Were only winning draws to wait, a blank would cost the chance that is drawn with again.
            tx.only_reconciled()?;
        }
        let served = tx.plans.campaigns.get(&self.campaign);
        let Some(plan) = served.map(|campaign| Arc::clone(&campaign.plan)) else { return Ok(None) };
        let Some(mechanic) = plan.mechanics.iter().find(|mechanic| mechanic.name == self.mechanic) else {
            return Ok(None);
        };
        let held = match &self.action {
            Action::Release { reservation } => {
                let own = |hold: &&Hold| {
                    hold.member == self.member && hold.campaign == self.campaign && hold.mechanic == self.mechanic
                };
                match tx.hold(reservation)?.filter(own).cloned() {
                    Some(hold) => match hold.state {
                        HoldState::Held => Some(hold),
                        // Letting go of what is gone is no fault.
                        HoldState::Released => return Ok(Some(plain("released"))),
                        HoldState::Used => {
                            let detail = "an order uses this reservation; it comes back when that order is voided, \
                                          lapses or is returned";
                            return refuse(Reason::ReservedElsewhere, detail);
                        }
                    },
                    None => return Ok(None),
                }
            }
            Action::Draw | Action::Reserve { .. } => None,
        };
        let id = tx.new_id();
        let Some(acted) = self.decide(tx, &plan, mechanic, held.as_ref(), &id)? else { return Ok(None) };
        let Acted { outcome, prize, reservation } = acted;
        let store = self.store();
        let cause = format!("draw:{id}");
        let (campaign, mechanic_name) = (&plan.name, Some(&mechanic.name));
        let of = Decided { campaign, mechanic: mechanic_name, member: &self.member, store, cause: &cause };
        let done = effects::apply(tx, of, &outcome.effects)?;
        if let Some(refusal) = done.refused {
            return Err(refusal.into());
        }
        if outcome.takes_part {
            let now = tx.now;
            attribution::touch(tx, &plan, &self.member, now)?;
        }
        let progress = progress::of_tx(tx, &plan, mechanic, &self.member)?;
        Ok(Some(Outcome { outcome: outcome.outcome, prize, grants: done.grants, progress, reservation }))
    }
}

impl DoAction {
    fn store(&self) -> Option<&StoreId> {
        match &self.action {
            Action::Reserve { store, .. } => store.as_ref(),
            Action::Draw | Action::Release { .. } => None,
        }
    }

    /// Asks the mechanic; `None` when it has no such action.
    fn decide(
        &self,
        tx: &mut Tx<'_>,
        plan: &CampaignPlan,
        mechanic: &Mechanic,
        held: Option<&Hold>,
        id: &str,
    ) -> Result<Option<Acted>, Halt> {
        let points = match &mechanic.rule {
            Rule::Lottery(lottery) if matches!(lottery.entry, Entry::Points(_)) => {
                let account = wallet::of(tx, &self.member)?;
                wallet::balance(tx, &account)?
            }
            Rule::Lottery(_) | Rule::Discount(_) | Rule::SpendThreshold(_) | Rule::FlashSale(_) => 0,
        };
        // The decision reads the batch while it draws, so it draws from a source of its own.
        let mut seed = [0; 32];
        for part in seed.chunks_exact_mut(8) {
            part.copy_from_slice(&tx.random().bits().to_le_bytes());
        }
        let mut chance = Mint::new(seed).fork();
        let hold = held.map(|row| met_hold(row, None));
        let act = match (&self.action, &hold) {
            (Action::Draw, _) => Act::Draw,
            (Action::Reserve { sku, quantity, store }, _) => {
                Act::Reserve { sku, quantity: *quantity, store: store.as_ref(), id: id.into() }
            }
            (Action::Release { .. }, Some(hold)) => Act::Release { hold },
            (Action::Release { .. }, None) => return Ok(None),
        };
        let coming = Coming {
            member: Some(&self.member),
            store: self.store(),
            channel: self.channel.as_deref(),
            at: tx.now,
            points,
        };
        let asked = visit(tx, coming, |visit| {
            let visible = decide::is_visible(plan, visit) || visit.joined(&plan.name) || held.is_some();
            visible.then(|| decide::act(plan, mechanic, visit, &act, &mut chance))
        })?;
        match asked {
            None => Ok(None),
            Some(answer) => match answer? {
                None => Ok(None),
                Some(Ok(acted)) => Ok(Some(acted)),
                Some(Err(refusal)) => Err(refusal.into()),
            },
        }
    }
}

fn plain(outcome: &str) -> Outcome {
    Outcome { outcome: outcome.into(), prize: None, grants: Vec::new(), progress: None, reservation: None }
}
