//! `cover: WorstCase`: the most that a campaign could cost, by its own numbers, held against its budget.
//!
//! The sum is over what can be bounded: rewards by their quantities, money off by the number of orders. What cannot be
//! bounded is refused with what is missing. Arithmetic saturates; a saturated sum is over any limit.

use std::collections::BTreeMap;

use fanfare_core::ids::Name;
use fanfare_core::mechanic::discount::{MaxPer, Off};
use fanfare_core::mechanic::{Rule, discount::Discount, spend_threshold::Gives};
use fanfare_core::model::campaign::{CampaignPlan, Counted, Cover, Limit, Mechanic, Per};
use fanfare_core::model::reward::RewardKind;
use fanfare_core::model::{Kind, Plan, RewardPlan, RuntimePlan};
use fanfare_core::money::Minor;
use fanfare_core::reward::{uses, worth_of_use};
use fanfare_core::time::Every;

use super::error::{Findings, Path, code};
use super::mechanic::shown;
use super::references::Catalog;

/// One summand of the worst case: so many, at so much each.
struct Part {
    /// What it is, in words.
    what: String,
    /// Where its number stands, in words, for a remedy.
    lever: String,
    count: i64,
    each: Minor,
}

impl Part {
    fn total(&self) -> Minor {
        self.each.times(self.count)
    }
}

/// Refuses a budget that could be exceeded. Says nothing while a reward or the Runtime is not known.
pub(super) fn check(plan: &CampaignPlan, catalog: &dyn Catalog, findings: &mut Findings) {
    let Some(budget) = plan.budget.as_ref().filter(|budget| budget.cover == Cover::WorstCase) else { return };
    let Some(runtime) = catalog.runtime() else { return };
    let Some(rewards) = rewards(plan, catalog) else { return };
    let open = findings.errors.len();
    let mut parts = money_off(plan, findings);
    parts.extend(given(plan, &rewards, findings));
    if findings.errors.len() > open {
        return;
    }
    let worst: Minor = parts.iter().map(Part::total).sum();
    if worst > budget.limit {
        let sum: Vec<String> = parts
            .iter()
            .map(|part| format!("{} × {} of {}", part.count, shown(part.each, runtime), part.what))
            .collect();
        let reason = format!(
            "at worst the campaign costs {} = {}, more than {}",
            sum.join(" + "),
            shown(worst, runtime),
            shown(budget.limit, runtime)
        );
        findings.push(limit_path(), code::BUDGET, reason, remedy(&parts, worst, budget.limit, runtime));
    }
}

/// Where the limit stands.
fn limit_path() -> String {
    "spec.budget.limit".to_owned()
}

/// A number that fits, for the part that costs most.
fn remedy(parts: &[Part], worst: Minor, limit: Minor, runtime: &RuntimePlan) -> String {
    let raise = format!("raise the limit to {}", runtime.currency.format(worst));
    let Some(largest) = parts.iter().max_by_key(|part| part.total()) else { return raise };
    let left = limit.minus(worst.minus(largest.total()));
    let fits = if largest.each > Minor::ZERO { left.0 / largest.each.0 } else { 0 };
    if left <= Minor::ZERO || fits < 1 { raise } else { format!("set {} to at most {fits}, or {raise}", largest.lever) }
}

/// Every Reward that the campaign names; `None` while one is not valid.
fn rewards<'a>(plan: &CampaignPlan, catalog: &'a dyn Catalog) -> Option<BTreeMap<Name, &'a RewardPlan>> {
    named(plan)
        .map(|(name, _)| match catalog.plan(Kind::Reward, name.as_str()) {
            Some(Plan::Reward(reward)) => Some((name.clone(), reward)),
            _ => None,
        })
        .collect()
}

/// Each place that gives a reward, with how often at most.
fn named(plan: &CampaignPlan) -> impl Iterator<Item = (&Name, Option<i64>)> {
    plan.mechanics.iter().flat_map(|mechanic| {
        let places: Vec<(&Name, Option<i64>)> = match &mechanic.rule {
            Rule::SpendThreshold(rule) => rule
                .tiers
                .iter()
                .filter_map(|tier| match &tier.gives {
                    Gives::Reward(reward) => Some((reward, times(mechanic, plan, Counted::Rewards))),
                    Gives::AmountOff(_) | Gives::PercentOff(_) => None,
                })
                .collect(),
            Rule::Lottery(rule) => {
                let prize = |quantity: Option<i64>| quantity.or_else(|| times(mechanic, plan, Counted::Rewards));
                rule.prizes.iter().filter_map(|each| Some((each.reward.as_ref()?, prize(each.quantity)))).collect()
            }
            Rule::Discount(_) | Rule::FlashSale(_) => Vec::new(),
        };
        places
    })
}

fn given(plan: &CampaignPlan, rewards: &BTreeMap<Name, &RewardPlan>, findings: &mut Findings) -> Vec<Part> {
    let mut parts = Vec::new();
    for (name, reward) in rewards {
        let places: Option<i64> = named(plan)
            .filter(|(of, _)| *of == name)
            .map(|(_, most)| most)
            .try_fold(0_i64, |sum, most| Some(sum.saturating_add(most?)));
        let own = lifetime(&plan.participation.limits, Counted::Rewards, Per::Campaign);
        let all = lifetime(&reward.limits, Counted::Rewards, Per::Reward);
        let count = [places, reward.quantity, own, all].into_iter().flatten().min();
        let Some(count) = count else {
            let reason = format!("nothing bounds how many of `{name}` are given");
            findings.push(limit_path(), code::BUDGET, reason, format!("give the Reward {name} a quantity"));
            continue;
        };
        if has_no_bound(reward) {
            let reason = format!("nothing bounds what one `{name}` costs");
            let remedy = format!("give the voucher of {name} a maxAmount");
            findings.push(limit_path(), code::BUDGET, reason, remedy);
            continue;
        }
        let lever = match (places, reward.quantity) {
            (Some(places), quantity) if quantity.is_none_or(|quantity| places < quantity) => {
                format!("the quantities of {name} in the mechanics together")
            }
            _ => format!("quantity of the Reward {name}"),
        };
        parts.push(Part { what: format!("`{name}`"), lever, count, each: cost_of(reward) });
    }
    parts
}

/// The most that one can cost with all its uses: the estimate, or what it is worth where that is more.
fn cost_of(reward: &RewardPlan) -> Minor {
    let each = reward.unit_cost.max(worth_of_use(&reward.kind, reward.unit_cost));
    each.times(uses(reward))
}

fn has_no_bound(reward: &RewardPlan) -> bool {
    matches!(&reward.kind, RewardKind::Voucher(voucher) if voucher.worth.most().is_none())
}

fn lifetime(limits: &[Limit], count: Counted, per: Per) -> Option<i64> {
    let of = |limit: &&Limit| limit.count == count && limit.per == per && limit.every == Every::Lifetime;
    limits.iter().filter(of).map(|limit| limit.max).min()
}

/// How often something happens over the whole campaign, by the limits of the mechanic and the campaign: so often in all,
/// or so often for each of so many members who may join.
fn times(mechanic: &Mechanic, plan: &CampaignPlan, count: Counted) -> Option<i64> {
    let all: Vec<Limit> = mechanic.scope.limits.iter().chain(&plan.participation.limits).copied().collect();
    let joins = lifetime(&all, Counted::Joins, Per::Campaign);
    let per_member = lifetime(&all, count, Per::Member).zip(joins).map(|(each, members)| each.saturating_mul(members));
    [lifetime(&all, count, Per::Campaign), per_member].into_iter().flatten().min()
}

fn money_off(plan: &CampaignPlan, findings: &mut Findings) -> Vec<Part> {
    let mut parts = Vec::new();
    let path = Path::SPEC;
    let mechanics = path.field("mechanics");
    for (index, mechanic) in plan.mechanics.iter().enumerate() {
        let at = mechanics.index(index);
        let name = &mechanic.name;
        let orders = times(mechanic, plan, Counted::Orders);
        let mut unbounded = |field: &str, remedy: &str| {
            let reason = format!("nothing bounds what `{name}` takes off, and the budget has cover: WorstCase");
            findings.push(at.field(field), code::BUDGET, reason, remedy);
        };
        let limit = "a limit {count: Orders, per: Campaign, every: Lifetime, max: …}";
        match &mechanic.rule {
            Rule::Discount(rule) => match (each_order(rule), orders) {
                (None, None) => unbounded("discount", &format!("add maxAmount with maxAmountPer: Order, and {limit}")),
                (None, Some(_)) => unbounded("discount", "add maxAmount with maxAmountPer: Order"),
                (Some(_), None) => unbounded("discount", &format!("add {limit}")),
                (Some(each), Some(count)) => {
                    let lever = format!("the limit of orders of {name}");
                    parts.push(Part { what: format!("`{name}`"), lever, count, each });
                }
            },
            Rule::SpendThreshold(rule) => {
                let off: Vec<Option<Minor>> = rule
                    .tiers
                    .iter()
                    .filter_map(|tier| match &tier.gives {
                        Gives::Reward(_) => None,
                        Gives::AmountOff(amount) if !rule.repeat => Some(Some(*amount)),
                        Gives::AmountOff(_) | Gives::PercentOff(_) => Some(None),
                    })
                    .collect();
                let each: Option<Minor> = off.iter().copied().sum::<Option<Minor>>();
                match (off.is_empty(), each, orders) {
                    (true, ..) => {}
                    (_, None, _) => unbounded("spendThreshold", "use amountOff without repeat, or a reward"),
                    (_, _, None) => unbounded("spendThreshold", &format!("add {limit}")),
                    (_, Some(each), Some(count)) => {
                        let lever = format!("the limit of orders of {name}");
                        parts.push(Part { what: format!("`{name}`"), lever, count, each });
                    }
                }
            }
            Rule::FlashSale(_) => {
                unbounded("flashSale", "use cover: HardStop, since the ordinary prices are known only to the shop");
            }
            Rule::Lottery(_) => {}
        }
    }
    parts
}

/// The most that a discount takes off one order.
fn each_order(rule: &Discount) -> Option<Minor> {
    let capped = rule.max.and_then(|(amount, per)| match per {
        MaxPer::Order | MaxPer::Member => Some(amount),
        MaxPer::Line => None,
    });
    let amount = match rule.off {
        Off::Amount(amount) => Some(amount),
        Off::Percent(_) | Off::FixedPrice(_) => None,
    };
    [capped, amount].into_iter().flatten().min()
}
