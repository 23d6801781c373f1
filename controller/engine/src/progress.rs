//! How far a member has come, read from memory or within a batch.

use crate::{
    Engine, Halt,
    audience::Record,
    knowledge::{Coming, Known, visit},
    plans::{Campaign, Plans},
    tx::Tx,
};
use fanfare_core::{
    decide,
    ids::{MemberId, Name},
    mechanic::{Goal, Missing, Rule, Scene, State, behaviour::Unit},
    model::{CampaignPlan, RuntimePlan, campaign::Mechanic, schedule::Phase},
    money::Minor,
    qualify,
    schedule::{is_open, next_boundary},
    time::Ts,
    world::{Reserves, Visit, Who, World},
};
use serde::Serialize;
use serde_json::{Value, json};
use std::collections::BTreeSet;

/// The goals of one mechanic.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Goals {
    /// Which.
    pub mechanic: Name,
    /// How far the member has come with each.
    pub goals: Vec<ShownGoal>,
}

/// One goal as the API shows it.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct ShownGoal {
    /// Its name.
    pub name: String,
    /// How far: a number, or an amount as a decimal string.
    pub current: Value,
    /// How far it is to go.
    pub target: Value,
    /// The currency's code for an amount, else `entries` or `units`.
    pub unit: String,
    /// Whole percent.
    pub percent: i64,
    /// Whether it is reached.
    pub completed: bool,
}

/// A member's progress in a campaign.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Progress {
    /// In which.
    pub campaign: Name,
    /// Its end, with offset.
    pub ends_at: Option<String>,
    /// Per mechanic that has goals.
    pub mechanics: Vec<Goals>,
}

/// The counters of one member as memory keeps them. A limit's counters are not there: they read as 0, so this answers
/// progress and qualification, never whether something may be given.
struct Kept<'a>(&'a Record);

impl State for Kept<'_> {
    fn count(&self, key: &str) -> Result<i64, Missing> {
        Ok(self.0.counters.get(key).copied().unwrap_or(0))
    }
}

impl Reserves for Kept<'_> {
    fn available(&self, _: &Name) -> Result<Minor, Missing> {
        Err(Missing)
    }
    fn left(&self, _: &Name) -> Result<i64, Missing> {
        Err(Missing)
    }
}

/// Asks something about a member of memory, or about nobody; there is nothing to ask while there is no Runtime.
pub(crate) fn remembered<T>(
    plans: &Plans,
    who: Option<(&MemberId, &Record)>,
    now: Ts,
    ask: impl FnOnce(Option<Visit<'_>>) -> T,
) -> T {
    let Some(runtime) = plans.runtime.as_deref() else { return ask(None) };
    let nobody = Record::default();
    let record = who.map_or(&nobody, |(_, record)| record);
    let kept = Kept(record);
    let known = Known::of(record);
    let joined: BTreeSet<Name> = record.participations.keys().cloned().collect();
    let who = who.map(|(id, _)| Who { id, facts: &known, points: 0, joined: &joined });
    let world = World { runtime, catalogue: plans, state: &kept, reserves: &kept, now };
    ask(Some(Visit { world, who, store: None, channel: None, origin: None, order: None }))
}

impl Engine {
    /// How far a member has come in a campaign; `None` when the member may not know of it.
    pub fn progress(&self, campaign: &Name, member: &MemberId) -> Option<Progress> {
        let plans = self.plans();
        let plan = &plans.campaigns.get(campaign)?.plan;
        let now = self.clock().now();
        self.audience().with(member, |record| {
            remembered(&plans, Some((member, record)), now, |visit| {
                let visit = visit.filter(|visit| visit.joined(campaign) || decide::is_visible(plan, visit))?;
                Some(Progress {
                    campaign: campaign.clone(),
                    ends_at: plan.schedule.end_at.map(|end| end.with_timezone(&plan.schedule.zone).to_rfc3339()),
                    mechanics: goals(plan, &visit).unwrap_or_default(),
                })
            })
        })
    }
}

/// The goals of every mechanic that has some.
pub(crate) fn goals(plan: &CampaignPlan, visit: &Visit<'_>) -> Result<Vec<Goals>, Missing> {
    let runtime = visit.world.runtime;
    let all = decide::progress(plan, visit)?;
    Ok(all.into_iter().map(|(mechanic, goals)| shown(runtime, mechanic, goals)).collect())
}

/// The goals of one mechanic within the batch, after what it counted.
pub(crate) fn of_tx(
    tx: &Tx<'_>,
    plan: &CampaignPlan,
    mechanic: &Mechanic,
    member: &MemberId,
) -> Result<Option<Goals>, Halt> {
    let goals = goals_of(tx, plan, mechanic, member)?;
    let runtime = tx.runtime()?;
    Ok((!goals.is_empty()).then(|| shown(runtime, mechanic.name.clone(), goals)))
}

/// The goals of one mechanic within the batch, as they are counted.
///
/// # Errors
/// Missing when rows are not loaded.
pub(crate) fn goals_of(
    tx: &Tx<'_>,
    plan: &CampaignPlan,
    mechanic: &Mechanic,
    member: &MemberId,
) -> Result<Vec<Goal>, Halt> {
    let coming = Coming { member: Some(member), store: None, channel: None, at: tx.now, points: 0 };
    Ok(visit(tx, coming, |visit| {
        let scene = Scene { campaign: plan, mechanic, visit: *visit };
        mechanic.rule.behaviour().progress(&scene)
    })??)
}

fn shown(runtime: &RuntimePlan, mechanic: Name, goals: Vec<Goal>) -> Goals {
    Goals { mechanic, goals: goals.into_iter().map(|goal| shown_goal(runtime, goal)).collect() }
}

/// A goal as the API and messages show it.
pub(crate) fn shown_goal(runtime: &RuntimePlan, goal: Goal) -> ShownGoal {
    let Goal { name, current, target, unit, percent, completed } = goal;
    let amount = |value| Value::String(runtime.currency.format(Minor(value)));
    let (current, target, unit) = match unit {
        Unit::Money => (amount(current), amount(target), runtime.currency.code().to_owned()),
        Unit::Entries => (current.into(), target.into(), "entries".to_owned()),
        Unit::Units => (current.into(), target.into(), "units".to_owned()),
    };
    ShownGoal { name, current, target, unit, percent, completed }
}

/// The mechanics of a campaign as its page shows them.
pub(crate) fn mechanics(campaign: &Campaign, phase: Phase, visit: &Visit<'_>) -> Vec<Value> {
    let plan = &campaign.plan;
    let shown = plan.mechanics.iter().map(|mechanic| {
        let open = phase == Phase::Active && is_open(&plan.schedule, &mechanic.scope.windows, visit.now());
        let qualified = visit.who.is_none() || qualify::audience(&mechanic.scope.audience, visit).is_none();
        let state = match (open, qualified) {
            (true, true) => "Open",
            (true, false) => "NotQualified",
            (false, _) => "Closed",
        };
        let boundary = next_boundary(&plan.schedule, &mechanic.scope.windows, visit.now());
        let at = |wanted: bool| {
            let found = boundary.filter(|(opens, _)| *opens == wanted).map(|(_, at)| at);
            found.map(|at| at.with_timezone(&plan.schedule.zone).to_rfc3339())
        };
        let mut shown = json!({
            "name": mechanic.name,
            "kind": mechanic.rule.kind(),
            "state": state,
            "actions": mechanic.rule.behaviour().actions(),
            "opensAt": at(true),
            "closesAt": at(false),
        });
        if let (Some(fields), Some(more)) = (shown.as_object_mut(), about(visit.world.runtime, &mechanic.rule)) {
            fields.insert(more.0.into(), more.1);
        }
        shown
    });
    shown.collect()
}

/// What a member needs to know to use a mechanic.
fn about(runtime: &RuntimePlan, rule: &Rule) -> Option<(&'static str, Value)> {
    match rule {
        Rule::FlashSale(sale) => {
            let money =
                |amount| json!({ "amount": runtime.currency.format(amount), "currency": runtime.currency.code() });
            let item = |item: &fanfare_core::mechanic::flash_sale::Item| json!({ "sku": item.sku, "price": money(item.price) });
            Some(("items", sale.items.iter().map(item).collect()))
        }
        Rule::Lottery(lottery) => {
            let prize =
                |prize: &fanfare_core::mechanic::lottery::Prize| json!({ "name": prize.name, "reward": prize.reward });
            Some(("prizes", lottery.prizes.iter().map(prize).collect()))
        }
        Rule::Discount(_) | Rule::SpendThreshold(_) => None,
    }
}
