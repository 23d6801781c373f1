//! What the status shows beside conditions: the figures of each kind, from the engine, and when to look again.

use crate::{
    apply::Error,
    driver::Context,
    observe::Seen,
    plan::{Standing, Verdict},
    queue::Key,
};
use fanfare_core::{
    ids::Name,
    metrics,
    model::{CampaignPlan, Kind, Plan, schedule::Phase},
    money::{Currency, Minor},
    schedule,
    time::{Ts, Tz},
};
use fanfare_engine::store::Position;
use fanfare_engine::{
    Engine, pool,
    rollup::{BudgetFigures, CampaignFigures},
    segments::Size,
};
use serde_json::{Map, Value, json};
use std::{
    collections::{BTreeMap, HashSet, VecDeque},
    sync::Arc,
    time::Duration,
};

/// The facts of one object.
#[derive(Clone, Debug)]
pub struct Facts {
    /// The status without conditions.
    pub status: Value,
    /// A campaign's phase; `Draft` for other kinds.
    pub phase: Phase,
    /// Where a campaign's budget stands.
    pub standing: Standing,
    /// When to look again, if not for a change before.
    pub next: Option<Duration>,
}

impl Facts {
    fn plain(status: Value) -> Self {
        Self { status, phase: Phase::Draft, standing: Standing::Within, next: None }
    }
}

/// Gathers the figures of one object.
///
/// # Errors
/// When the database does not answer.
pub(crate) async fn of(context: &Context, engine: &Engine, key: &Key, seen: &Seen) -> Result<Facts, Error> {
    let name = Name::from(key.name.as_str());
    match key.kind {
        Kind::Campaign => campaign(engine, &name).await,
        Kind::Segment => Ok(Facts::plain(engine.segment_size(&name).map_or_else(|| json!({}), |size| segment(&size)))),
        Kind::Reward => reward(engine, &name).await,
        Kind::Automation => automation(engine, &name).await,
        Kind::MessageTemplate => Ok(Facts::plain(template(engine, &name))),
        Kind::MessageChannel => channel(engine, &name).await,
        Kind::CampaignRuntime => Ok(Facts::plain(runtime(context, engine, seen))),
    }
}

fn stamp(at: Ts) -> String {
    at.format("%Y-%m-%dT%H:%M:%SZ").to_string()
}

/// A time with the offset of its zone, to the second, as START and END show it.
fn local(at: Ts, zone: Tz) -> String {
    at.with_timezone(&zone).format("%Y-%m-%dT%H:%M:%S%:z").to_string()
}

async fn campaign(engine: &Engine, name: &Name) -> Result<Facts, Error> {
    let plans = engine.plans();
    let Some(served) = plans.campaigns.get(name) else { return Ok(Facts::plain(json!({}))) };
    let (plan, zone) = (&served.plan, served.plan.schedule.zone);
    let now = engine.clock().now();
    let phase = schedule::phase(&plan.schedule, plan.suspended, served.settled, now);
    let transition = schedule::next_transition(&plan.schedule, plan.suspended, served.settled, now);
    let mut status = json!({ "startAt": local(plan.schedule.start_at, zone), "mechanics": kinds(plan) });
    if let Some(end) = plan.schedule.end_at {
        status["endAt"] = json!(local(end, zone));
    }
    if let Some((phase, at)) = transition {
        status["nextTransition"] = json!({ "phase": phase.as_str(), "at": local(at, zone) });
    }
    let mut standing = Standing::Within;
    if let (Some(runtime), Some((figures, position))) = (&plans.runtime, engine.campaign_status(name).await?) {
        let money = &runtime.currency;
        standing = figures.budget.as_ref().map_or(Standing::Within, standing_of);
        status["metrics"] = metrics_of(&figures, money, position);
        status["budget"] = budget_of(figures.budget.as_ref(), money);
        status["audience"] = json!({ "matching": figures.audience, "asOf": stamp(figures.as_of) });
    }
    // The clock that a plan is read by runs as fast as real time, so that the distance is the same in both.
    let next = transition.and_then(|(_, at)| (at - now).to_std().ok()).map(|wait| wait + Duration::from_millis(20));
    Ok(Facts { status, phase, standing, next })
}

fn kinds(plan: &CampaignPlan) -> String {
    let mut kinds: Vec<&str> = plan.mechanics.iter().map(|mechanic| mechanic.rule.kind()).collect();
    kinds.dedup();
    kinds.join(",")
}

fn put(map: &mut Map<String, Value>, name: &str, value: Option<String>) {
    if let Some(value) = value {
        map.insert(name.into(), json!(value));
    }
}

fn metrics_of(figures: &CampaignFigures, money: &Currency, position: Position) -> Value {
    let f = figures;
    let mut shown = Map::new();
    let counts = [
        ("participants", f.participants),
        ("conversions", f.conversions),
        ("orders", f.orders),
        ("issued", f.issued),
        ("claimed", f.claimed),
        ("redeemed", f.redeemed),
        ("position", position.0),
    ];
    for (name, count) in counts {
        shown.insert(name.into(), json!(count));
    }
    put(&mut shown, "participationRate", metrics::rate(f.participants, f.audience));
    put(&mut shown, "conversionRate", metrics::rate(f.conversions, f.participants));
    put(&mut shown, "claimRate", metrics::rate(f.claimed, f.issued));
    put(&mut shown, "redemptionRate", metrics::rate(f.redeemed, f.issued));
    put(&mut shown, "averageOrderValue", metrics::average(f.revenue, f.orders).map(|average| money.format(average)));
    put(&mut shown, "roi", metrics::roi(f.revenue, f.margin, f.cost_total()));
    put(&mut shown, "revenue", Some(money.format(f.revenue)));
    put(&mut shown, "discounts", Some(money.format(f.discounts)));
    put(&mut shown, "asOf", Some(stamp(f.as_of)));
    let cost = [
        ("rewards", f.cost_rewards),
        ("messages", f.cost_messages),
        ("fixed", f.cost_fixed),
        ("total", f.cost_total()),
    ];
    let cost = cost.into_iter().map(|(name, amount)| (name.to_owned(), json!(money.format(amount))));
    shown.insert("cost".into(), Value::Object(cost.collect()));
    Value::Object(shown)
}

/// Whether nothing is left because it was spent: a settlement gives the rest back, which leaves nothing too.
fn used_up(budget: &BudgetFigures) -> bool {
    budget.remaining <= Minor::ZERO && budget.spent() >= budget.limit
}

fn standing_of(budget: &BudgetFigures) -> Standing {
    match budget.reached {
        _ if budget.suspended => Standing::Suspended,
        _ if used_up(budget) => Standing::Exhausted,
        Some(share) => Standing::Reached(share.to_string()),
        None => Standing::Within,
    }
}

/// A campaign without a budget shows nothing here: its costs stand in the metrics.
fn budget_of(budget: Option<&BudgetFigures>, money: &Currency) -> Value {
    let Some(budget) = budget else { return Value::Null };
    let mut shown = Map::new();
    let amounts = [
        ("limit", budget.limit),
        ("reserved", budget.reserved),
        ("actual", budget.actual),
        ("released", budget.released),
        ("spent", budget.spent()),
        ("remaining", budget.remaining),
    ];
    for (name, amount) in amounts {
        put(&mut shown, name, Some(money.format(amount)));
    }
    put(&mut shown, "reached", budget.reached.map(|share| share.to_string()));
    if budget.suspended {
        shown.insert("suspended".into(), json!(true));
    }
    put(&mut shown, "exhaustedAt", budget.exhausted_at.map(stamp));
    Value::Object(shown)
}

fn segment(size: &Size) -> Value {
    let reachable_total = size.reachable.values().copied().max().unwrap_or(0);
    json!({
        "size": size.size, "reachable": size.reachable, "reachableTotal": reachable_total, "asOf": stamp(size.as_of),
    })
}

async fn reward(engine: &Engine, name: &Name) -> Result<Facts, Error> {
    let plans = engine.plans();
    let Some((figures, _)) = engine.reward_status(name).await? else { return Ok(Facts::plain(json!({}))) };
    let mut status = json!({
        "kind": figures.kind, "issued": figures.issued, "claimed": figures.claimed, "redeemed": figures.redeemed,
        "asOf": stamp(figures.as_of),
    });
    if let Some(left) = figures.left {
        status["left"] = json!(left);
    }
    if pool::has_pool(&plans, name) {
        let (size, taken) = pool::level(engine, name).await?;
        status["codes"] = json!({ "imported": size, "left": size - taken });
    }
    if let Some(runtime) = &plans.runtime {
        status["cost"] = json!(runtime.currency.format(figures.cost));
    }
    Ok(Facts::plain(status))
}

async fn automation(engine: &Engine, name: &Name) -> Result<Facts, Error> {
    let plans = engine.plans();
    let Some(plan) = plans.automations.get(name) else { return Ok(Facts::plain(json!({}))) };
    let (figures, _) = engine.automation_status(name).await?;
    Ok(Facts::plain(json!({
        "trigger": plan.trigger.to_string(), "entered": figures.entered, "active": figures.active,
        "completed": figures.completed, "asOf": stamp(figures.as_of),
    })))
}

fn template(engine: &Engine, name: &Name) -> Value {
    let plans = engine.plans();
    let Some(plan) = plans.templates.get(name) else { return json!({}) };
    json!({ "locales": plan.locales.keys().map(String::as_str).collect::<Vec<_>>().join(", ") })
}

async fn channel(engine: &Engine, name: &Name) -> Result<Facts, Error> {
    let plans = engine.plans();
    let Some(plan) = plans.channels.get(name) else { return Ok(Facts::plain(json!({}))) };
    let (figures, _) = engine.channel_status(name).await?;
    Ok(Facts::plain(json!({
        "kind": plan.means.as_str(), "sent": figures.sent, "failed": figures.failed, "asOf": stamp(figures.as_of),
    })))
}

fn runtime(context: &Context, engine: &Engine, seen: &Seen) -> Value {
    match &seen.verdict {
        Verdict::Serve(plan, _) if matches!(**plan, Plan::CampaignRuntime(_)) => {
            let mut status = json!({ "campaigns": engine.plans().campaigns.len() });
            if let Some(url) = &context.url {
                status["url"] = json!(url.replace("{namespace}", engine.namespace().as_str()));
                status["replicas"] = json!(1);
            }
            status
        }
        Verdict::Serve(..) | Verdict::Keep(_) => json!({}),
    }
}

/// Of how many objects the figures are compared in a second at most, over all namespaces: each costs the database a read.
const COMPARED_PER_SECOND: usize = 200;

/// Kinds with figures.
const SHOWN: [Kind; 6] =
    [Kind::Campaign, Kind::Reward, Kind::Segment, Kind::Automation, Kind::MessageChannel, Kind::CampaignRuntime];

/// Compares each ledger's position with the last one, and has whatever shows figures looked at when it moved: each object
/// as often as its figures may be written, no more, and of all of them the one that has waited longest first.
pub(crate) async fn follow(context: Arc<Context>, every: Duration) {
    let mut last: BTreeMap<String, Position> = BTreeMap::new();
    let mut waiting: VecDeque<Key> = VecDeque::new();
    let mut is_waiting: HashSet<Key> = HashSet::new();
    let at_once = COMPARED_PER_SECOND * usize::try_from(every.as_secs()).unwrap_or(1).max(1);
    loop {
        tokio::time::sleep(every).await;
        for engine in context.engines.all() {
            let namespace = engine.namespace();
            let Ok(position) = engine.store().position(namespace).await else { continue };
            if last.insert(namespace.to_string(), position) == Some(position) {
                continue;
            }
            let shown = SHOWN.iter().flat_map(|kind| context.catalog.of_kind(*kind, namespace.as_str()));
            waiting.extend(shown.map(|(key, _)| key).filter(|key| is_waiting.insert(key.clone())));
        }
        for _ in 0..waiting.len().min(at_once) {
            let Some(key) = waiting.pop_front() else { break };
            if context.pace.is_due(&key) {
                is_waiting.remove(&key);
                context.queue.add(key, Duration::ZERO);
            } else {
                waiting.push_back(key);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_budget_that_a_settlement_gave_back_is_not_used_up() {
        let budget = |limit, actual, remaining| BudgetFigures {
            limit: Minor(limit),
            reserved: Minor::ZERO,
            actual: Minor(actual),
            released: Minor::ZERO,
            remaining: Minor(remaining),
            exhausted_at: None,
            reached: None,
            suspended: false,
        };
        let cases =
            [(100, 90, 10, false), (100, 100, 0, true), (80, 100, -20, true), (100, 90, 0, false), (0, 0, 0, true)];
        for (limit, actual, remaining, expect) in cases {
            assert_eq!(used_up(&budget(limit, actual, remaining)), expect, "{actual} of {limit}, {remaining} left");
        }
    }
}
