//! A Campaign's specification → its plan.

use std::collections::BTreeMap;

use fanfare_core::ids::{Name, Revision};
use fanfare_core::model::CampaignPlan;
use fanfare_core::model::campaign as plan;
use fanfare_core::model::schedule::Schedule;
use fanfare_core::money::{BasisPoints, Minor};
use fanfare_core::time::{Span, Ts, Tz};

use super::context::{Context, PlacesAt, labels};
use super::error::{Path, code};
use super::limits::limits;
use super::{mechanic, names};
use crate::wire::campaign as wire;
use crate::wire::text::Money;

/// How long after taking part an order counts, where the author says nothing.
const ATTRIBUTION_DEFAULT: Span = Span::days(7);

/// Compiles `spec`. What is wrong goes to `context`; then the plan is of no use.
pub(crate) fn compile(name: &str, spec: &wire::CampaignSpec, context: &mut Context<'_>) -> CampaignPlan {
    let wire::CampaignSpec {
        title,
        description: _,
        objective,
        tags,
        owner,
        suspend,
        schedule,
        visibility,
        audience,
        participation,
        mechanics,
        stacking,
        budget,
        costs,
        attribution,
        content,
    } = spec;
    let path = Path::SPEC;
    let schedule = self::schedule(schedule, context, path.field("schedule"));
    let audience = Context::audience(audience.as_ref());
    let participation = self::participation(participation.as_ref(), context, path.field("participation"));
    let mechanics_at = path.field("mechanics");
    let mechanics = mechanics
        .iter()
        .enumerate()
        .filter_map(|(index, wire)| mechanic::compile(wire, &schedule, context, mechanics_at.index(index)))
        .collect();
    let costs_at = path.field("costs");
    let costs = costs
        .iter()
        .enumerate()
        .map(|(index, cost)| (cost.name.0.clone(), context.money(&cost.amount, costs_at.index(index).field("amount"))))
        .collect();
    let window = attribution.as_ref().and_then(|attribution| attribution.window.as_ref());
    CampaignPlan {
        name: Name::from(name),
        revision: Revision::from(""),
        title: title.clone(),
        objective: self::objective(*objective),
        tags: labels(tags),
        suspended: suspend.unwrap_or(false),
        visibility: self::visibility(*visibility, &audience),
        audience,
        participation,
        mechanics,
        stacking: stacking.as_ref().map(self::stacking),
        notify_at: budget.as_ref().map_or_else(Vec::new, |budget| shares(budget, context, path.field("budget"))),
        budget: budget.as_ref().map(|budget| self::budget(budget, context, path.field("budget"))),
        owner: owner.clone(),
        costs,
        attribution_window: context.span_or(window, ATTRIBUTION_DEFAULT, path.field("attribution").field("window")),
        content: content
            .as_ref()
            .map(|content| self::content(content, context, path.field("content")))
            .unwrap_or_default(),
        schedule,
    }
}

fn schedule(schedule: &wire::Schedule, context: &mut Context<'_>, path: Path<'_>) -> Schedule {
    let wire::Schedule { time_zone, publish_at, start_at, end_at, cool_down, windows } = schedule;
    let zone = match time_zone {
        Some(zone) => context.zone_named(zone, path.field("timeZone")),
        None => context.zone(),
    };
    let start = context.instant(start_at, zone, path.field("startAt"));
    let publish = publish_at.as_ref().map(|at| context.instant(at, zone, path.field("publishAt")));
    let end = end_at.as_ref().map(|at| context.instant(at, zone, path.field("endAt")));
    in_order(publish, start, end, context, path);
    Schedule {
        zone,
        publish_at: publish,
        start_at: start,
        end_at: end,
        cool_down: cool_down.as_ref().map_or(Span::default(), |span| context.span(span, path.field("coolDown"))),
        windows: context.windows(windows, start, zone, path.field("windows")),
    }
}

/// The schema's rules compare the texts; this compares the instants, in the same words.
fn in_order(publish: Option<Ts>, start: Ts, end: Option<Ts>, context: &mut Context<'_>, path: Path<'_>) {
    if end.is_some_and(|end| end <= start && start != Ts::UNIX_EPOCH && end != Ts::UNIX_EPOCH) {
        let remedy = "move endAt later or startAt earlier";
        context.findings.push(path.field("endAt"), code::CONFLICT, "endAt is not after startAt", remedy);
    }
    if publish.is_some_and(|publish| publish > start && start != Ts::UNIX_EPOCH) {
        let remedy = "publish at the start or before it";
        context.findings.push(path.field("publishAt"), code::CONFLICT, "publishAt is after startAt", remedy);
    }
}

/// The start as it would be resolved, for checks of immutability; `None` where it cannot be read.
pub(crate) fn start_of(schedule: &wire::Schedule, runtime_zone: Tz) -> Option<Ts> {
    let zone = match &schedule.time_zone {
        Some(zone) => zone.as_str().parse().ok()?,
        None => runtime_zone,
    };
    fanfare_core::time::parse_local(schedule.start_at.as_str()).map(|local| fanfare_core::time::resolve(local, zone))
}

fn objective(objective: wire::Objective) -> plan::Objective {
    match objective {
        wire::Objective::Acquisition => plan::Objective::Acquisition,
        wire::Objective::Promotion => plan::Objective::Promotion,
        wire::Objective::Retention => plan::Objective::Retention,
        wire::Objective::Conversion => plan::Objective::Conversion,
    }
}

fn visibility(visibility: Option<wire::Visibility>, audience: &plan::Audience) -> plan::Visibility {
    match visibility {
        Some(wire::Visibility::Public) => plan::Visibility::Public,
        Some(wire::Visibility::Targeted) => plan::Visibility::Targeted,
        Some(wire::Visibility::Unlisted) => plan::Visibility::Unlisted,
        None if audience.is_everyone() => plan::Visibility::Public,
        None => plan::Visibility::Targeted,
    }
}

fn participation(
    participation: Option<&wire::Participation>,
    context: &mut Context<'_>,
    path: Path<'_>,
) -> plan::Participation {
    let everywhere = wire::Participation::default();
    let wire::Participation { join, channels, stores, store_groups, limits: written } =
        participation.unwrap_or(&everywhere);
    plan::Participation {
        join: match join {
            Some(wire::Join::Automatic) => plan::Join::Automatic,
            Some(wire::Join::OneTap) | None => plan::Join::OneTap,
        },
        places: context.places(&PlacesAt { channels, stores, groups: store_groups }, path),
        limits: limits(written, context, path.field("limits")),
    }
}

fn stacking(stacking: &wire::Stacking) -> plan::Stacking {
    let wire::Stacking { group, priority, combine } = stacking;
    plan::Stacking {
        group: group.0.clone(),
        priority: priority.unwrap_or(0),
        combine: match combine {
            wire::Combine::BestOf => plan::Combine::BestOf,
            wire::Combine::All => plan::Combine::All,
            wire::Combine::Exclusive => plan::Combine::Exclusive,
        },
    }
}

fn budget(budget: &wire::Budget, context: &mut Context<'_>, path: Path<'_>) -> plan::Budget {
    let wire::Budget { limit, per_day, per_store, per_member, on_exhausted, notify_at: _, cover } = budget;
    let limit = context.money_above_zero(limit, path.field("limit"));
    let mut part = |name: &'static str, amount: &Option<Money>| -> Option<Minor> {
        let most = context.money_above_zero(amount.as_ref()?, path.field(name));
        if limit > Minor::ZERO && most > limit {
            let remedy = format!("write a smaller {name}, or leave it out");
            let reason = format!("{name} is more than the limit");
            context.findings.push(path.field(name), code::CONFLICT, reason, remedy);
        }
        Some(most)
    };
    let (per_day, per_store) = (part("perDay", per_day), part("perStore", per_store));
    let per_member = part("perMember", per_member);
    plan::Budget {
        limit,
        per_day,
        per_store,
        per_member,
        on_exhausted: match on_exhausted {
            Some(wire::OnExhausted::Suspend) => plan::OnExhausted::Suspend,
            Some(wire::OnExhausted::Continue) => plan::OnExhausted::Continue,
            Some(wire::OnExhausted::Stop) | None => plan::OnExhausted::Stop,
        },
        cover: match cover {
            Some(wire::Cover::WorstCase) => plan::Cover::WorstCase,
            Some(wire::Cover::HardStop) | None => plan::Cover::HardStop,
        },
    }
}

/// The shares of a budget at which somebody is told, rising.
fn shares(budget: &wire::Budget, context: &mut Context<'_>, path: Path<'_>) -> Vec<BasisPoints> {
    let at = path.field("notifyAt");
    let mut shares: Vec<BasisPoints> = Vec::new();
    for (index, written) in budget.notify_at.iter().enumerate() {
        let share = context.share(written, at.index(index));
        if share.0 == 0 {
            let reason = "is reached before anything is spent";
            context.findings.push(at.index(index), code::OUT_OF_RANGE, reason, "write a percentage above zero");
        } else if shares.contains(&share) {
            let reason = format!("`{}` stands twice", written.as_str());
            context.findings.push(at.index(index), code::CONFLICT, reason, "write each share once");
        }
        shares.push(share);
    }
    shares.sort_unstable();
    shares.dedup();
    shares
}

fn content(content: &wire::Content, context: &mut Context<'_>, path: Path<'_>) -> plan::Content {
    let wire::Content { default_locale, locales, assets } = content;
    names::locales(locales.keys(), context, path.field("locales"));
    names::names(assets.keys(), context, path.field("assets"));
    let texts: BTreeMap<String, plan::Text> =
        locales.iter().map(|(locale, content)| (locale.clone(), text(content))).collect();
    plan::Content {
        default_locale: Some(default_locale.0.clone()),
        locales: texts,
        assets: assets
            .iter()
            .map(|(name, asset)| {
                let wire::Asset { url, sha256 } = asset;
                (name.clone(), plan::Asset { url: url.0.clone(), sha256: sha256.0.clone() })
            })
            .collect(),
    }
}

fn text(content: &wire::LocalContent) -> plan::Text {
    let wire::LocalContent { title, summary, benefits, how_to_join, terms, share_text } = content;
    plan::Text {
        title: Some(title.clone()),
        summary: summary.clone(),
        benefits: benefits.clone(),
        how_to_join: how_to_join.clone(),
        terms: terms.clone(),
        share_text: share_text.clone(),
    }
}
