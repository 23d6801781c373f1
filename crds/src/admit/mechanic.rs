//! A mechanic as it was written → its rule and scope.

use fanfare_core::ids::Name;
use fanfare_core::mechanic::{Rule, discount, flash_sale, lottery, spend_threshold};
use fanfare_core::model::campaign::{Counted, Mechanic, Scope};
use fanfare_core::model::schedule::Schedule;
use fanfare_core::money::Minor;
use fanfare_core::time::Span;

use super::context::{Context, PlacesAt, items};
use super::error::{Path, code};
use super::events;
use super::limits::{self, limits};
use crate::wire::mechanic as wire;

/// How long a flash sale keeps a piece, where the author says nothing.
const FLASH_RESERVE_DEFAULT: Span = Span::seconds(600);

/// The kinds of mechanics, by the field that stands for them.
pub(crate) fn kind(mechanic: &wire::Mechanic) -> Option<&'static str> {
    let set = [
        (mechanic.discount.is_some(), "discount"),
        (mechanic.spend_threshold.is_some(), "spendThreshold"),
        (mechanic.flash_sale.is_some(), "flashSale"),
        (mechanic.lottery.is_some(), "lottery"),
    ];
    set.into_iter().find_map(|(is_set, name)| is_set.then_some(name))
}

/// Compiles one mechanic; `None` where it has not exactly one kind.
pub(crate) fn compile(
    mechanic: &wire::Mechanic,
    schedule: &Schedule,
    context: &mut Context<'_>,
    path: Path<'_>,
) -> Option<Mechanic> {
    let wire::Mechanic {
        name,
        windows,
        audience,
        channels,
        stores,
        store_groups,
        limits: written,
        discount,
        spend_threshold,
        flash_sale,
        lottery,
    } = mechanic;
    let scope = Scope {
        windows: context.windows(windows, schedule.start_at, schedule.zone, path.field("windows")),
        audience: Context::audience(audience.as_ref()),
        places: context.places(&PlacesAt { channels, stores, groups: store_groups }, path),
        limits: limits(written, context, path.field("limits")),
    };
    let rule = match (discount, spend_threshold, flash_sale, lottery) {
        (Some(spec), None, None, None) => Rule::Discount(self::discount(spec, context, path.field("discount"))?),
        (None, Some(spec), None, None) => Rule::SpendThreshold(threshold(spec, context, path.field("spendThreshold"))),
        (None, None, Some(spec), None) => Rule::FlashSale(flash(spec, context, path.field("flashSale"))),
        (None, None, None, Some(spec)) => Rule::Lottery(self::lottery(spec, context, path.field("lottery"))?),
        _ => {
            context.contradiction(path);
            return None;
        }
    };
    Some(Mechanic { name: Name::from(name.as_str()), scope, rule })
}

fn discount(spec: &wire::Discount, context: &mut Context<'_>, path: Path<'_>) -> Option<discount::Discount> {
    let wire::Discount {
        percent_off,
        amount_off,
        fixed_price,
        items: written,
        min_spend,
        max_amount,
        max_amount_per,
        floor_price,
    } = spec;
    let off = match (percent_off, amount_off, fixed_price) {
        (Some(share), None, None) => discount::Off::Percent(context.share_above_zero(share, path.field("percentOff"))),
        (None, Some(amount), None) => discount::Off::Amount(context.money_above_zero(amount, path.field("amountOff"))),
        (None, None, Some(price)) => discount::Off::FixedPrice(context.money(price, path.field("fixedPrice"))),
        _ => {
            context.contradiction(path);
            return None;
        }
    };
    let per = match max_amount_per {
        Some(wire::MaxAmountPer::Line) => discount::MaxPer::Line,
        Some(wire::MaxAmountPer::Member) => discount::MaxPer::Member,
        Some(wire::MaxAmountPer::Order) | None => discount::MaxPer::Order,
    };
    Some(discount::Discount {
        off,
        items: items(written),
        min_spend: context.money_or_zero(min_spend.as_ref(), path.field("minSpend")),
        max: max_amount.as_ref().map(|amount| (context.money_above_zero(amount, path.field("maxAmount")), per)),
        floor_price: context.money_or_zero(floor_price.as_ref(), path.field("floorPrice")),
    })
}

fn threshold(
    spec: &wire::SpendThreshold,
    context: &mut Context<'_>,
    path: Path<'_>,
) -> spend_threshold::SpendThreshold {
    let wire::SpendThreshold { basis, per, award, repeat, tiers: written } = spec;
    let per = match per {
        Some(wire::SpendPer::Campaign) => spend_threshold::SpendPer::Campaign,
        Some(wire::SpendPer::Order) | None => spend_threshold::SpendPer::Order,
    };
    let tiers_at = path.field("tiers");
    let mut tiers: Vec<spend_threshold::Tier> = Vec::with_capacity(written.len());
    for (index, tier) in written.iter().enumerate() {
        let at = tiers_at.index(index);
        let spend = context.money_above_zero(&tier.spend, at.field("spend"));
        if tiers.last().is_some_and(|below| below.spend >= spend) {
            let remedy = "write the tiers from the lowest to the highest spend, each once";
            context.findings.push(at.field("spend"), code::CONFLICT, "is not more than the tier before", remedy);
        }
        if let Some(gives) = gives(tier, per, context, at) {
            tiers.push(spend_threshold::Tier { spend, gives });
        }
    }
    spend_threshold::SpendThreshold {
        basis: match basis {
            Some(wire::Basis::BeforeDiscounts) => spend_threshold::Basis::BeforeDiscounts,
            Some(wire::Basis::AfterDiscounts) | None => spend_threshold::Basis::AfterDiscounts,
        },
        per,
        award: match award {
            Some(wire::Award::All) => spend_threshold::Award::All,
            Some(wire::Award::Highest) | None => spend_threshold::Award::Highest,
        },
        repeat: repeat.unwrap_or(false),
        tiers,
    }
}

fn gives(
    tier: &wire::Tier,
    per: spend_threshold::SpendPer,
    context: &mut Context<'_>,
    path: Path<'_>,
) -> Option<spend_threshold::Gives> {
    let wire::Tier { spend: _, reward, amount_off, percent_off } = tier;
    let (field, gives) = match (reward, amount_off, percent_off) {
        (Some(reward), None, None) => return Some(spend_threshold::Gives::Reward(Name::from(reward.as_str()))),
        (None, Some(amount), None) => {
            let amount = context.money_above_zero(amount, path.field("amountOff"));
            ("amountOff", spend_threshold::Gives::AmountOff(amount))
        }
        (None, None, Some(share)) => {
            let share = context.share_above_zero(share, path.field("percentOff"));
            ("percentOff", spend_threshold::Gives::PercentOff(share))
        }
        _ => {
            context.contradiction(path);
            return None;
        }
    };
    if per == spend_threshold::SpendPer::Campaign {
        let reason = "spending over the whole campaign has no one order to take something off";
        context.findings.push(path.field(field), code::CONFLICT, reason, "give a reward, or use per: Order");
    }
    Some(gives)
}

fn flash(spec: &wire::FlashSale, context: &mut Context<'_>, path: Path<'_>) -> flash_sale::FlashSale {
    let wire::FlashSale { items: written, per_member, reserve_for } = spec;
    let items_at = path.field("items");
    let items = written
        .iter()
        .enumerate()
        .map(|(index, item)| {
            let at = items_at.index(index);
            let wire::FlashItem { sku, price, stock, stock_per_store } = item;
            if stock_per_store.is_some_and(|per_store| per_store > *stock) {
                let remedy = "write at most the stock, or leave it out";
                context.findings.push(at.field("stockPerStore"), code::CONFLICT, "is more than the stock", remedy);
            }
            flash_sale::Item {
                sku: sku.0.clone(),
                price: context.money(price, at.field("price")),
                stock: *stock,
                stock_per_store: *stock_per_store,
            }
        })
        .collect();
    flash_sale::FlashSale {
        items,
        per_member: *per_member,
        reserve_for: context.span_or(reserve_for.as_ref(), FLASH_RESERVE_DEFAULT, path.field("reserveFor")),
    }
}

fn lottery(spec: &wire::Lottery, context: &mut Context<'_>, path: Path<'_>) -> Option<lottery::Lottery> {
    let wire::Lottery { entry, draw: wire::Draw::Instant, prizes, guaranteed_after } = spec;
    let wire::Entry { event, points, limits: written } = entry;
    let how = match (event, points) {
        (Some(event), None) => {
            let entry_at = path.field("entry");
            events::counted(event.as_str(), context, entry_at.field("event"));
            lottery::Entry::Event(event.0.clone())
        }
        (None, Some(points)) => lottery::Entry::Points(*points),
        _ => {
            context.contradiction(path.field("entry"));
            return None;
        }
    };
    let prizes_at = path.field("prizes");
    for (index, prize) in prizes.iter().enumerate() {
        if let (Some(per_day), Some(quantity)) = (prize.per_day, prize.quantity)
            && per_day > quantity
        {
            let remedy = "write at most the quantity, or leave it out";
            context.findings.push(
                prizes_at.index(index).field("perDay"),
                code::CONFLICT,
                "is more than the quantity",
                remedy,
            );
        }
    }
    Some(lottery::Lottery {
        entry: how,
        limits: limits::of(Counted::Entries, written, context, path.field("entry").field("limits")),
        prizes: prizes.iter().map(prize).collect(),
        guaranteed_after: *guaranteed_after,
    })
}

fn prize(prize: &wire::Prize) -> lottery::Prize {
    let wire::Prize { name, reward, weight, quantity, per_day } = prize;
    lottery::Prize {
        name: Name::from(name.as_str()),
        reward: reward.as_ref().map(|reward| Name::from(reward.as_str())),
        weight: *weight,
        quantity: *quantity,
        per_day: *per_day,
    }
}

/// An amount as people read it, with the currency.
pub(crate) fn shown(amount: Minor, runtime: &fanfare_core::model::RuntimePlan) -> String {
    format!("{} {}", runtime.currency.format(amount), runtime.currency.code())
}
