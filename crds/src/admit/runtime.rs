//! A CampaignRuntime's specification → its plan.

use std::collections::BTreeMap;

use fanfare_core::ids::{Name, StoreId};
use fanfare_core::model::RuntimePlan;
use fanfare_core::model::runtime as plan;
use fanfare_core::model::segment::Decimal;
use fanfare_core::money::{BasisPoints, Currency, Minor};
use fanfare_core::time::Span;

use super::context::{Context, labels, unquoted};
use super::error::{Path, code};
use super::names;
use crate::wire::runtime as wire;
use crate::wire::text::Money;

/// How long an unpaid order keeps what it reserved, where the author says nothing.
const RESERVE_DEFAULT: Span = Span::seconds(900);

/// Compiles `spec`; `None` where the currency cannot be read, without which nothing else can be.
pub(crate) fn compile(name: &str, spec: &wire::CampaignRuntimeSpec, context: &mut Context<'_>) -> Option<RuntimePlan> {
    let wire::CampaignRuntimeSpec {
        time_zone,
        currency,
        margin,
        locales,
        attributes,
        stores: written,
        points,
        login,
        events,
        orders,
        ledger,
    } = spec;
    let path = Path::SPEC;
    names::fields(attributes.keys(), context, path.field("attributes"));
    let zone = context.zone_named(time_zone, path.field("timeZone"));
    let currency = self::currency(currency.as_str(), context, path.field("currency"));
    let stores = stores(written, context, path.field("stores"));
    let margin = margin.as_ref().map_or(BasisPoints::FULL, |share| context.share(share, path.field("margin")));
    let events = self::events(events.as_ref(), context, path.field("events"));
    let reserve = orders.as_ref().and_then(|orders| orders.reserve_for.as_ref());
    let reserve_for = context.span_or(reserve, RESERVE_DEFAULT, path.field("orders").field("reserveFor"));
    let currency = currency?;
    let approve_above = ledger.as_ref().and_then(|ledger| ledger.approve_above.as_ref());
    let approve_above = approve_above.and_then(|amount| self::amount(amount, &currency, context, path));
    Some(RuntimePlan {
        name: Name::from(name),
        zone,
        point_worth_e4: points.as_ref().map_or(0, |points| point_worth(&points.worth, &currency)),
        currency,
        margin,
        default_locale: locales.default.0.clone(),
        other_locales: locales.others.iter().map(|locale| locale.0.clone()).collect(),
        attributes: attributes.iter().map(|(name, kind)| (name.clone(), attribute(kind))).collect(),
        stores,
        dev_login: login.as_ref().and_then(|login| login.dev).unwrap_or(false),
        events,
        reserve_for,
        approve_above,
    })
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

fn attribute(kind: &wire::AttributeType) -> plan::Attribute {
    let wire::AttributeType { kind, values } = kind;
    match kind {
        wire::AttributeKind::Enum => plan::Attribute::Enum(values.as_deref().map(labels).unwrap_or_default()),
        wire::AttributeKind::String => plan::Attribute::String,
        wire::AttributeKind::Number => plan::Attribute::Number,
        wire::AttributeKind::Date => plan::Attribute::Date,
        wire::AttributeKind::Boolean => plan::Attribute::Boolean,
    }
}

fn stores(stores: &[wire::Store], context: &mut Context<'_>, path: Path<'_>) -> BTreeMap<StoreId, plan::Store> {
    stores
        .iter()
        .enumerate()
        .map(|(index, store)| {
            let wire::Store { id, name, groups, region, time_zone } = store;
            let at = path.index(index);
            let read = plan::Store {
                name: name.clone().unwrap_or_else(|| id.0.clone()),
                groups: labels(groups),
                region: region.as_ref().map(|region| region.0.clone()),
                zone: time_zone.as_ref().map(|zone| context.zone_named(zone, at.field("timeZone"))),
            };
            (StoreId::from(id.as_str()), read)
        })
        .collect()
}

fn events(events: Option<&wire::EventRules>, context: &mut Context<'_>, path: Path<'_>) -> plan::EventRules {
    let usual = plan::EventRules::default();
    let Some(wire::EventRules { accept_past, accept_ahead, reward_past, from_members }) = events else { return usual };
    plan::EventRules {
        accept_past: context.span_or(accept_past.as_ref(), usual.accept_past, path.field("acceptPast")),
        accept_ahead: context.span_or(accept_ahead.as_ref(), usual.accept_ahead, path.field("acceptAhead")),
        reward_past: context.span_or(reward_past.as_ref(), usual.reward_past, path.field("rewardPast")),
        from_members: from_members.iter().map(|event| event.0.clone()).collect(),
    }
}
