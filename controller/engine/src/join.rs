//! Joining a campaign.

use crate::{
    Command, Halt, Refused, attribution,
    effects::{self, Decided},
    knowledge::{Coming, visit},
    members,
    plans::Plans,
    tx::Tx,
};
use fanfare_core::{
    decide,
    ids::{MemberId, Name, StoreId},
    model::campaign::Visibility,
    reason::{Reason, Refusal},
};
use fanfare_store::{Keys, rows::Participation};
use std::sync::Arc;

/// A member joins a campaign.
#[derive(Clone, Debug)]
pub struct Join {
    /// Which.
    pub campaign: Name,
    /// Who.
    pub member: MemberId,
    /// Where, if the caller says so.
    pub store: Option<StoreId>,
    /// Through which channel, if the caller says so.
    pub channel: Option<String>,
}

/// A participation as the member is told.
#[derive(Clone, Debug, PartialEq)]
pub struct Joined {
    /// The participation.
    pub participation: Participation,
    /// Whether it is new.
    pub created: bool,
}

impl Command for Join {
    /// `None` when there is no such campaign for this member.
    type Answer = Option<Joined>;

    fn prefetch(&self, _: &Plans, keys: &mut Keys) {
        keys.members.insert(self.member.clone());
        keys.participations.insert((self.campaign.clone(), self.member.clone()));
    }

    fn run(&self, tx: &mut Tx<'_>) -> Result<Option<Joined>, Halt> {
        let served = tx.plans.campaigns.get(&self.campaign);
        let Some(plan) = served.map(|campaign| Arc::clone(&campaign.plan)) else { return Ok(None) };
        if let Some(participation) = tx.participation(&self.campaign, &self.member)?.cloned() {
            return Ok(Some(Joined { participation, created: false }));
        }
        members::ensure(tx, &self.member)?;
        let coming = Coming {
            member: Some(&self.member),
            store: self.store.as_ref(),
            channel: self.channel.as_deref(),
            at: tx.now,
            points: 0,
        };
        let asked = visit(tx, coming, |visit| {
            let hidden = plan.visibility == Visibility::Unlisted && !decide::is_visible(&plan, visit);
            (!hidden).then(|| decide::join(&plan, visit))
        })?;
        let Some(decided) = asked else { return Ok(None) };
        let effects = match decided? {
            Ok(effects) => effects,
            Err(reasons) => return Err(refused(reasons)),
        };
        let of = Decided { campaign: &plan.name, mechanic: None, member: &self.member, store: None, cause: "join" };
        effects::apply(tx, of, &effects)?;
        let now = tx.now;
        attribution::start(tx, &plan, &self.member, now);
        let participation = tx.participation(&self.campaign, &self.member)?.cloned();
        Ok(participation.map(|participation| Joined { participation, created: true }))
    }
}

/// Every reason why not, the first in front.
fn refused(reasons: Vec<Refusal>) -> Halt {
    let first = reasons.first().cloned();
    let refusal = first.unwrap_or_else(|| Refusal::new(Reason::NotQualified, "this member does not qualify"));
    Halt::from(Refused { refusal, reasons, evaluation: None })
}
