//! What is allowed and hardly meant. Nothing is refused for it: an author is told, and the resource is served.

use std::collections::BTreeSet;

use fanfare_core::ids::Name;
use fanfare_core::mechanic::{Rule, spend_threshold::Gives};
use fanfare_core::model::campaign::Mechanic;
use fanfare_core::model::reward::{Claim, RewardKind, ValidFrom};
use fanfare_core::model::{CampaignPlan, Kind, Plan, RewardPlan};
use fanfare_core::schedule::cooled_at;
use fanfare_core::time::{Span, Ts, Tz};

use super::error::{FieldError, Findings, Path, code};
use super::references::Catalog;

/// What an author of `plan` should look at again, among the resources of `catalog`.
pub fn advise(plan: &Plan, catalog: &dyn Catalog) -> Vec<FieldError> {
    let mut findings = Findings::default();
    if let Plan::Campaign(plan) = plan {
        cool_down(plan, catalog, &mut findings);
    }
    findings.errors
}

/// A campaign that is settled while its last rewards can still be used: those uses miss its final figures.
fn cool_down(plan: &CampaignPlan, catalog: &dyn Catalog, findings: &mut Findings) {
    let (Some(end), Some(settled)) = (plan.schedule.end_at, cooled_at(&plan.schedule)) else { return };
    let zone = plan.schedule.zone;
    let rewards: BTreeSet<&Name> = plan.mechanics.iter().flat_map(rewards_of).collect();
    let of = |name: &&Name| match catalog.plan(Kind::Reward, name.as_str()) {
        Some(Plan::Reward(reward)) => Some((usable_until(reward, end, zone)?, reward)),
        _ => None,
    };
    let longest = rewards.iter().filter_map(of).max_by_key(|(until, _)| *until);
    let Some((until, reward)) = longest.filter(|(until, _)| *until > settled) else { return };
    let reason = format!(
        "is over before `{}` is: who gets it last can use it until {}, and the final figures miss that",
        reward.name,
        until.with_timezone(&zone).format("%Y-%m-%dT%H:%M"),
    );
    let remedy = format!("write {} or more, or a shorter validity of the Reward", long_enough(end, until, zone));
    let path = Path::SPEC;
    findings.push(path.field("schedule").field("coolDown"), code::SHORT_COOL_DOWN, reason, remedy);
}

fn rewards_of(mechanic: &Mechanic) -> Vec<&Name> {
    match &mechanic.rule {
        Rule::SpendThreshold(rule) => {
            let given = rule.tiers.iter().filter_map(|tier| match &tier.gives {
                Gives::Reward(reward) => Some(reward),
                Gives::AmountOff(_) | Gives::PercentOff(_) => None,
            });
            given.collect()
        }
        Rule::Lottery(rule) => rule.prizes.iter().filter_map(|prize| prize.reward.as_ref()).collect(),
        Rule::Discount(_) | Rule::FlashSale(_) => Vec::new(),
    }
}

/// Until when the last can be used that is given just before `end`; nothing for what is not used or lasts for ever.
fn usable_until(reward: &RewardPlan, end: Ts, zone: Tz) -> Option<Ts> {
    match reward.kind {
        RewardKind::Points { .. } | RewardKind::Badge => return None,
        RewardKind::Voucher(_)
        | RewardKind::FreeItem { .. }
        | RewardKind::Access { .. }
        | RewardKind::GiftCard { .. } => {}
    }
    let claimed = match (reward.claim, reward.claim_within) {
        (Claim::Manual, Some(within)) => within.after(end, zone),
        (Claim::Manual | Claim::Auto, _) => end,
    };
    let from = match reward.validity.from {
        ValidFrom::Issue => end,
        ValidFrom::Claim => claimed,
    };
    let from = reward.validity.not_before.map_or(from, |not_before| from.max(not_before));
    let lasts = reward.validity.lasts.map(|lasts| lasts.after(from, zone));
    lasts.into_iter().chain(reward.validity.until).min()
}

/// The least number of whole days from `end` to `until`.
fn long_enough(end: Ts, until: Ts, zone: Tz) -> Span {
    let days = (until - end).num_days();
    // A change of the clock makes one of the days longer or shorter.
    let enough = (days..days + 2).map(Span::days).find(|span| span.after(end, zone) >= until);
    enough.unwrap_or(Span::days(days + 2))
}
