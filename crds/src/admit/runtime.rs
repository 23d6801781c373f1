//! A CampaignRuntime's specification → its plan.

mod audience;

use std::collections::BTreeMap;

use fanfare_core::ids::{Name, StoreId};
use fanfare_core::model::RuntimePlan;
use fanfare_core::model::runtime as plan;
use fanfare_core::model::segment::Decimal;
use fanfare_core::money::{BasisPoints, Currency, Minor};
use fanfare_core::points as loyalty;
use fanfare_core::time::Span;

use super::context::{Context, labels, unquoted};
use super::error::{Path, code};
use super::events::{earning, sent};
use super::names;
use crate::wire::runtime as wire;
use crate::wire::text::{Money, Percent};

/// How long an unpaid order keeps what it reserved, where the author says nothing.
const RESERVE_DEFAULT: Span = Span::seconds(900);

/// Compiles `spec`; `None` where the currency cannot be read, without which nothing else can be.
pub(crate) fn compile(name: &str, spec: &wire::CampaignRuntimeSpec, context: &mut Context<'_>) -> Option<RuntimePlan> {
    let wire::CampaignRuntimeSpec {
        time_zone,
        prices: None | Some(wire::Prices::TaxIncluded),
        currency,
        margin,
        margin_floor,
        locales,
        attributes,
        stores: written,
        points,
        login,
        events,
        orders,
        ledger,
        lifecycle,
        interests,
        high_value,
    } = spec;
    let path = Path::SPEC;
    names::fields(attributes.keys(), context, path.field("attributes"));
    let zone = context.zone_named(time_zone, path.field("timeZone"));
    let currency = self::currency(currency.as_str(), context, path.field("currency"));
    let stores = stores(written, context, path.field("stores"));
    let margin = margin.as_ref().map_or(BasisPoints::FULL, |share| context.share(share, path.field("margin")));
    let margin_floor = margin_floor.as_ref().map(|share| self::margin_floor(share, context, path.field("marginFloor")));
    let segments = audience::rules(
        &audience::Written {
            lifecycle: lifecycle.as_ref(),
            interests: interests.as_ref(),
            high_value: high_value.as_ref(),
            fields: events.as_ref().map(|events| &events.fields),
            attributes,
        },
        context,
    );
    let events = self::events(events.as_ref(), context, path.field("events"));
    let reserve = orders.as_ref().and_then(|orders| orders.reserve_for.as_ref());
    let reserve_for = context.span_or(reserve, RESERVE_DEFAULT, path.field("orders").field("reserveFor"));
    let currency = currency?;
    let rules = points.as_ref().map(|points| self::points(points, &currency, &events, context, path.field("points")));
    let approve_above = ledger.as_ref().and_then(|ledger| ledger.approve_above.as_ref());
    let approve_above = approve_above.and_then(|amount| self::amount(amount, &currency, context, path));
    Some(RuntimePlan {
        name: Name::from(name),
        zone,
        point_worth_e4: points.as_ref().map_or(0, |points| point_worth(&points.worth, &currency)),
        points: rules.unwrap_or_default(),
        currency,
        margin,
        margin_floor,
        default_locale: locales.default.0.clone(),
        other_locales: locales.others.iter().map(|locale| locale.0.clone()).collect(),
        attributes: attributes.iter().map(|(name, kind)| (name.clone(), attribute(kind))).collect(),
        stores,
        dev_login: login.as_ref().and_then(|login| login.dev).unwrap_or(false),
        events,
        reserve_for,
        approve_above,
        segments,
    })
}

/// A share that is less than the whole: no price leaves all of itself above a cost.
fn margin_floor(share: &Percent, context: &mut Context<'_>, path: Path<'_>) -> BasisPoints {
    let read = context.share(share, path);
    if BasisPoints::parse(share.as_str()) == Ok(BasisPoints::FULL) {
        let remedy = "write less than \"100%\", such as \"15%\"";
        context.findings.push(path, code::OUT_OF_RANGE, "leaves no price that a discount may reach", remedy);
    }
    read
}

fn currency(code: &str, context: &mut Context<'_>, path: Path<'_>) -> Option<Currency> {
    let read = Currency::parse(code).ok();
    if read.is_none() {
        let remedy = "write a code of ISO 4217, such as `THB`";
        context.findings.push(path, self::code::UNKNOWN_NAME, format!("there is no currency `{code}`"), remedy);
    }
    read
}

/// The Runtime's own currency is not the context's yet: that is made of what is compiled here.
fn amount(amount: &Money, currency: &Currency, context: &mut Context<'_>, path: Path<'_>) -> Option<Minor> {
    let read = currency.amount(amount.as_str());
    if let Err(error) = &read {
        let ledger = path.field("ledger");
        let remedy = match currency.exponent() {
            0 => "write whole units".to_owned(),
            places => format!("write at most {places} decimals and a smaller amount, such as \"1000.00\""),
        };
        context.findings.push(ledger.field("approveAbove"), code::MALFORMED, unquoted(&error.to_string()), remedy);
    }
    read.ok()
}

/// In ten-thousandths of a minor unit. Four decimals of a unit are exact in it, for any currency.
fn point_worth(worth: &Money, currency: &Currency) -> i64 {
    let e4 = Decimal::parse(worth.as_str()).map_or(0, |decimal| decimal.e4);
    e4.saturating_mul(10_i64.saturating_pow(currency.exponent()))
}

/// Events that every member may send of itself; what they earned, anyone could earn without end.
const FROM_MEMBERS: [&str; 3] = ["campaign.viewed", "message.opened", "message.clicked"];

fn points(
    points: &wire::PointsRules,
    currency: &Currency,
    events: &plan::EventRules,
    context: &mut Context<'_>,
    path: Path<'_>,
) -> loyalty::Rules {
    let wire::PointsRules { worth: _, expire_after, pending_for, negative, earn, transfer } = points;
    let mut span = |span: &Option<crate::wire::text::Span>, field| {
        span.as_ref().map(|span| context.span_above_zero(span, path.field(field)))
    };
    let (expire_after, pending_for) = (span(expire_after, "expireAfter"), span(pending_for, "pendingFor"));
    let earn = earn.iter().enumerate().map(|(index, rule)| {
        let list = path.field("earn");
        let at = list.index(index);
        earning(rule.event.as_str(), context, at.field("event"));
        let own = FROM_MEMBERS.contains(&rule.event.as_str()) || events.from_members.contains(&rule.event.0);
        if own {
            let reason = format!("members send {} themselves, so anyone could earn without end", rule.event.as_str());
            let remedy = "let a campaign with a limit give points for it, or take it out of events.fromMembers";
            context.findings.push(at.field("event"), code::CONFLICT, reason, remedy);
        }
        loyalty::Earn {
            event: rule.event.0.clone(),
            per_spend: rule.per_spend.as_ref().map(|step| spend(step, currency, context, at.field("perSpend"))),
            points: rule.points,
            rounding: match rule.rounding {
                Some(wire::Rounding::HalfUp) => loyalty::Rounding::HalfUp,
                Some(wire::Rounding::Up) => loyalty::Rounding::Up,
                Some(wire::Rounding::Down) | None => loyalty::Rounding::Down,
            },
        }
    });
    loyalty::Rules {
        earn: earn.collect(),
        expire_after,
        pending_for,
        negative: match negative {
            Some(wire::Negative::Allow) => loyalty::Negative::Allow,
            Some(wire::Negative::Forbid) | None => loyalty::Negative::Forbid,
        },
        transfer_max_per_day: transfer.as_ref().map(|transfer| transfer.max_per_day),
    }
}

/// A step of spend in this Runtime's own currency, above zero.
fn spend(step: &Money, currency: &Currency, context: &mut Context<'_>, path: Path<'_>) -> Minor {
    let read = currency.amount(step.as_str());
    let (code, reason, remedy) = match &read {
        Ok(Minor(1..)) => return read.unwrap_or_default(),
        Ok(_) => (code::OUT_OF_RANGE, "is nothing".to_owned(), "write an amount above zero".to_owned()),
        Err(error) => {
            let remedy =
                format!("write an amount of {} with at most {} decimals", currency.code(), currency.exponent());
            (code::MALFORMED, error.to_string(), remedy)
        }
    };
    context.findings.push(path, code, reason, remedy);
    Minor(1)
}

fn attribute(kind: &wire::AttributeType) -> plan::Attribute {
    let wire::AttributeType { kind, values } = kind;
    match kind {
        wire::AttributeKind::Enum => plan::Attribute::Enum(values.as_deref().map(labels).unwrap_or_default()),
        wire::AttributeKind::String => plan::Attribute::String,
        wire::AttributeKind::Number => plan::Attribute::Number,
        wire::AttributeKind::Date => plan::Attribute::Date,
        wire::AttributeKind::Boolean => plan::Attribute::Boolean,
        wire::AttributeKind::Location => plan::Attribute::Location,
    }
}

fn stores(stores: &[wire::Store], context: &mut Context<'_>, path: Path<'_>) -> BTreeMap<StoreId, plan::Store> {
    stores
        .iter()
        .enumerate()
        .map(|(index, store)| {
            let wire::Store { id, name, groups, region, time_zone, location } = store;
            let at = path.index(index);
            let read = plan::Store {
                name: name.clone().unwrap_or_else(|| id.0.clone()),
                groups: labels(groups),
                region: region.as_ref().map(|region| region.0.clone()),
                zone: time_zone.as_ref().map(|zone| context.zone_named(zone, at.field("timeZone"))),
                location: location.as_ref().map(super::segment::point),
            };
            (StoreId::from(id.as_str()), read)
        })
        .collect()
}

fn events(events: Option<&wire::EventRules>, context: &mut Context<'_>, path: Path<'_>) -> plan::EventRules {
    let usual = plan::EventRules::default();
    let Some(wire::EventRules { accept_past, accept_ahead, reward_past, from_members, fields: _ }) = events else {
        return usual;
    };
    let list = path.field("fromMembers");
    for (index, event) in from_members.iter().enumerate() {
        sent(event.as_str(), context, list.index(index));
    }
    plan::EventRules {
        accept_past: context.span_or(accept_past.as_ref(), usual.accept_past, path.field("acceptPast")),
        accept_ahead: context.span_or(accept_ahead.as_ref(), usual.accept_ahead, path.field("acceptAhead")),
        reward_past: context.span_or(reward_past.as_ref(), usual.reward_past, path.field("rewardPast")),
        from_members: from_members.iter().map(|event| event.0.clone()).collect(),
    }
}
