//! Which campaigns an order counts for, and taking part in them.
//!
//! An order counts for a campaign when a discount or voucher of the campaign is on it, or when the member took part in
//! the campaign at most its attribution window before, while the campaign ran. Each counts the whole order: revenue of
//! two campaigns is not split between them.

use crate::{
    Halt,
    budget::{self, Why},
    touch,
    tx::Tx,
};
use fanfare_core::{
    ids::{MemberId, Name, OrderId},
    ledger::{Posting, account},
    mechanic::key,
    model::{CampaignPlan, campaign::Join},
    money::Minor,
    time::Ts,
};
use fanfare_store::rows::Participation;
use serde::{Deserialize, Serialize};
use std::collections::BTreeSet;

/// A paid order as attribution sees it.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Sale<'a> {
    /// Its id.
    pub(crate) order: &'a OrderId,
    /// Whose; an anonymous order counts only where a discount of the campaign is on it.
    pub(crate) member: Option<&'a MemberId>,
    /// What was paid, after discounts.
    pub(crate) net: Minor,
    /// When it was placed.
    pub(crate) at: Ts,
    /// Campaigns of which a discount or a voucher is on it.
    pub(crate) on_it: &'a BTreeSet<Name>,
}

/// What an order counted for a campaign, kept with the order so that a refund takes back exactly that.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Counted {
    /// Which campaign.
    pub campaign: Name,
    /// The revenue that still counts, in minor units.
    pub revenue: Minor,
}

/// A member takes part in a campaign: from now on where joining is automatic, again where it had joined. Answers whether
/// it is a participant.
pub(crate) fn touch(tx: &mut Tx<'_>, plan: &CampaignPlan, member: &MemberId, at: Ts) -> Result<bool, Halt> {
    match tx.participation(&plan.name, member)?.cloned() {
        Some(mut row) => {
            // Events are decided in any order; what happened first is when it joined.
            if at > row.touched_at || at < row.joined_at {
                row.touched_at = row.touched_at.max(at);
                row.joined_at = row.joined_at.min(at);
                tx.put_participation(row);
            }
            Ok(true)
        }
        None if plan.participation.join == Join::Automatic => {
            start(tx, plan, member, at);
            Ok(true)
        }
        None => Ok(false),
    }
}

/// Writes a new participation and counts it.
pub(crate) fn start(tx: &mut Tx<'_>, plan: &CampaignPlan, member: &MemberId, at: Ts) {
    let row = Participation {
        campaign: plan.name.clone(),
        member: member.clone(),
        joined_at: at,
        touched_at: at,
        converted: false,
        revision: plan.revision.clone(),
    };
    tx.put_participation(row);
    tx.tally(&key::metric(&plan.name, "participants"), 1);
}

/// Counts an order for every campaign that it belongs to.
pub(crate) fn paid(tx: &mut Tx<'_>, sale: Sale<'_>) -> Result<Vec<Counted>, Halt> {
    let mut counted = Vec::new();
    let candidates = candidates(tx, &sale);
    if let Some(member) = sale.member {
        touch::participations(tx, member, candidates.iter())?;
    }
    for campaign in candidates {
        counted.extend(count(tx, &sale, campaign)?);
    }
    Ok(counted)
}

/// Counts an order for those of `campaigns` that do not count it yet: what it made its member take part in, and what the
/// member joined earlier in the same batch, which memory does not know yet.
pub(crate) fn paid_also(
    tx: &mut Tx<'_>,
    sale: Sale<'_>,
    campaigns: &BTreeSet<Name>,
    counted: &mut Vec<Counted>,
) -> Result<(), Halt> {
    let Some(member) = sale.member else { return Ok(()) };
    touch::participations(tx, member, campaigns.iter())?;
    for campaign in campaigns {
        if counted.iter().all(|known| known.campaign != *campaign) {
            counted.extend(count(tx, &sale, campaign.clone())?);
        }
    }
    Ok(())
}

fn count(tx: &mut Tx<'_>, sale: &Sale<'_>, campaign: Name) -> Result<Option<Counted>, Halt> {
    let by_discount = sale.on_it.contains(&campaign);
    let taking_part = match sale.member {
        Some(member) => tx.participation(&campaign, member)?.cloned(),
        None => None,
    };
    let by_window = match (&taking_part, budget::served(tx, &campaign)) {
        (Some(row), Some(plan)) => in_window(&plan, row, sale.at),
        _ => false,
    };
    if !by_discount && !by_window {
        return Ok(None);
    }
    if let Some(mut row) = taking_part.filter(|row| !row.converted) {
        row.converted = true;
        tx.put_participation(row);
        tx.tally(&key::metric(&campaign, "conversions"), 1);
    }
    tx.tally(&key::metric(&campaign, "orders"), 1);
    book_revenue(tx, &campaign, sale.net, Why { rule: "order-attributed", reference: sale.order.as_str() })?;
    Ok(Some(Counted { campaign, revenue: sale.net }))
}

/// Takes revenue back: `refund` of what is left of it, `counted` being what the order counted.
pub(crate) fn refunded(tx: &mut Tx<'_>, order: &OrderId, counted: &mut [Counted], refund: Minor) -> Result<(), Halt> {
    for entry in counted {
        let back = Minor(refund.0.min(entry.revenue.0));
        entry.revenue = entry.revenue.minus(back);
        book_revenue(tx, &entry.campaign, back.negated(), Why { rule: "order-refunded", reference: order.as_str() })?;
    }
    Ok(())
}

/// Campaigns that may count the order: those on it and those that memory knows the member to take part in. What joined
/// earlier in this very batch has not been answered yet, so no call can follow from it. Events come in batches
/// themselves; for them there is [`paid_also`].
fn candidates(tx: &Tx<'_>, sale: &Sale<'_>) -> BTreeSet<Name> {
    let mut names = sale.on_it.clone();
    if let Some(member) = sale.member {
        tx.audience.with(member, |record| names.extend(record.participations.keys().cloned()));
    }
    names
}

/// Whether the order was placed while the campaign ran and within its attribution window after the member took part.
fn in_window(plan: &CampaignPlan, row: &Participation, at: Ts) -> bool {
    let schedule = &plan.schedule;
    let ran = schedule.start_at <= at && schedule.end_at.is_none_or(|end| at < end) && !plan.suspended;
    let latest = row.touched_at.max(row.joined_at);
    let since = if latest <= at { latest } else { row.joined_at };
    ran && since <= at && at <= plan.attribution_window.after(since, schedule.zone)
}

fn book_revenue(tx: &mut Tx<'_>, campaign: &Name, amount: Minor, why: Why<'_>) -> Result<(), Halt> {
    let (from, to) = (account::sales_source(campaign), account::sales_revenue(campaign));
    if let Some(posting) = Posting::transfer(why.rule, why.reference, &budget::money(tx)?, &from, &to, amount.0) {
        tx.post(posting);
    }
    Ok(())
}
