//! A grant as its member sees it.

use crate::output::{Money, View};
use fanfare_core::{
    cart::{Choice, Items, Picks},
    model::{
        RewardPlan,
        reward::{RewardKind, Voucher, VoucherWorth},
    },
    money::Minor,
    time::Ts,
};
use fanfare_engine::{
    redemptions,
    store::rows::{Grant, GrantState, Happening},
};
use serde::Serialize;
use utoipa::ToSchema;

/// A reward given to a member.
#[derive(Clone, Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(crate) struct GrantView {
    id: String,
    /// The Reward's name.
    reward: String,
    /// The campaign that gave it.
    campaign: Option<String>,
    title: String,
    /// `voucher`, `points`, `freeItem`, `access`, `badge` or `giftCard`.
    kind: String,
    /// `Pending`, `Granted`, `Claimed`, `Reserved`, `Redeemed`, `Expired` or `Revoked`.
    state: String,
    /// What it gives each time it is used; `null` for a badge.
    worth: Option<Worth>,
    min_spend: Option<Money>,
    /// Where it can be used; empty is everywhere.
    stores: Vec<String>,
    /// Through which channels; empty is all.
    channels: Vec<String>,
    claim_by: Option<String>,
    valid_from: Option<String>,
    valid_until: Option<String>,
    /// How often it can still be used; `null` where there is no end of uses.
    uses_left: Option<i64>,
    /// What is left on a gift card, less what open reservations hold; `null` for anything else.
    balance: Option<Money>,
    conditions: Vec<Condition>,
    history: Vec<HappeningView>,
}

/// What it is worth.
#[derive(Clone, Debug, Serialize, ToSchema)]
#[serde(untagged)]
pub(crate) enum Worth {
    /// Money off.
    Amount(Money),
    /// A share off.
    #[serde(rename_all = "camelCase")]
    Percent {
        percent_off: String,
        #[serde(skip_serializing_if = "Option::is_none")]
        max_amount: Option<Money>,
    },
    /// Points.
    Points { points: i64 },
    /// A product.
    Item { sku: String, quantity: i64 },
    /// Each unit of its items for this.
    #[serde(rename_all = "camelCase")]
    FixedPrice {
        fixed_price: Money,
        #[serde(skip_serializing_if = "Option::is_none")]
        max_amount: Option<Money>,
    },
    /// The shipping.
    #[serde(rename_all = "camelCase")]
    Shipping {
        shipping: bool,
        #[serde(skip_serializing_if = "Option::is_none")]
        max_amount: Option<Money>,
    },
    /// Entry.
    Access { access: String },
}

/// What has to hold for it to be used.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub(crate) struct Condition {
    /// Stable and kebab-case, as in refusals.
    code: String,
    /// In a sentence.
    detail: String,
}

/// Something that happened to it.
#[derive(Clone, Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(crate) struct HappeningView {
    at: String,
    state: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    store_id: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    order_id: Option<String>,
    /// What or why, where the state alone does not say it, such as `used` or `top-up`.
    #[serde(skip_serializing_if = "Option::is_none")]
    reason: Option<String>,
    /// How much of it.
    #[serde(skip_serializing_if = "Option::is_none")]
    amount: Option<String>,
}

/// How it is written, read at `now`.
pub(crate) fn view(grant: &Grant, now: Ts, view: &View) -> GrantView {
    let RewardPlan { name, title, kind, redemption, .. } = &grant.terms;
    let stores = redemption.places.stores.as_ref();
    GrantView {
        id: grant.id.to_string(),
        reward: name.to_string(),
        campaign: grant.campaign.as_ref().map(ToString::to_string),
        title: title.clone(),
        kind: kind.as_str().into(),
        state: state_at(grant, now).as_str().into(),
        worth: worth(kind, view),
        min_spend: min_spend(kind).map(|amount| view.money(amount)),
        stores: stores.iter().copied().flatten().map(ToString::to_string).collect(),
        channels: redemption.places.channels.clone(),
        claim_by: grant.claim_by.map(|at| view.time(at)),
        valid_from: grant.valid_from.map(|at| view.time(at)),
        valid_until: grant.valid_until.map(|at| view.time(at)),
        uses_left: redemptions::uses_left(grant),
        balance: balance(grant).map(|amount| view.money(amount)),
        conditions: conditions(grant, view),
        history: grant.history.iter().map(|one| happening(one, view)).collect(),
    }
}

/// The state by the reader's clock: what is over is `Expired` also before the job that books it ran.
pub(crate) fn state_at(grant: &Grant, now: Ts) -> GrantState {
    let over = |end: Option<Ts>| end.is_some_and(|end| end <= now);
    match grant.state {
        GrantState::Granted if over(grant.claim_by) || over(grant.valid_until) => GrantState::Expired,
        GrantState::Claimed if over(grant.valid_until) => GrantState::Expired,
        state => state,
    }
}

/// What is left on a gift card.
pub(crate) fn balance(grant: &Grant) -> Option<Minor> {
    grant.usage.card.map(|card| card.free())
}

fn worth(kind: &RewardKind, view: &View) -> Option<Worth> {
    let most = |max: Option<Minor>| max.map(|max| view.money(max));
    Some(match kind {
        RewardKind::Points { amount, .. } => Worth::Points { points: *amount },
        RewardKind::FreeItem { sku, quantity } => Worth::Item { sku: sku.clone(), quantity: *quantity },
        RewardKind::Voucher(Voucher { worth: VoucherWorth::Amount(amount), .. }) => Worth::Amount(view.money(*amount)),
        RewardKind::Voucher(Voucher { worth: VoucherWorth::Percent { share, max }, .. }) => {
            Worth::Percent { percent_off: share.to_string(), max_amount: most(*max) }
        }
        RewardKind::Voucher(Voucher { worth: VoucherWorth::FixedPrice { price, max }, .. }) => {
            Worth::FixedPrice { fixed_price: view.money(*price), max_amount: most(*max) }
        }
        RewardKind::Voucher(Voucher { worth: VoucherWorth::Shipping { max }, .. }) => {
            Worth::Shipping { shipping: true, max_amount: most(*max) }
        }
        RewardKind::Access { key } => Worth::Access { access: key.clone() },
        RewardKind::GiftCard { amount } => Worth::Amount(view.money(*amount)),
        RewardKind::Badge => return None,
    })
}

fn min_spend(kind: &RewardKind) -> Option<Minor> {
    match kind {
        RewardKind::Voucher(voucher) if voucher.min_spend > Minor::ZERO => Some(voucher.min_spend),
        _ => None,
    }
}

pub(crate) fn conditions(grant: &Grant, view: &View) -> Vec<Condition> {
    let mut found = Vec::new();
    let mut add = |code: &str, detail: String| found.push(Condition { code: code.into(), detail });
    let kind = &grant.terms.kind;
    if let Some(least) = min_spend(kind) {
        add("min-spend-not-met", format!("from a spend of {} {}", view.amount(least), view.currency()));
    }
    match kind {
        RewardKind::Voucher(Voucher { worth: VoucherWorth::Shipping { .. }, .. }) => {
            add("items-not-eligible", "only for shipping".into());
        }
        RewardKind::Voucher(voucher) => {
            if let Some(detail) = which(&voucher.items) {
                add("items-not-eligible", detail);
            }
        }
        _ => {}
    }
    let places = &grant.terms.redemption.places;
    if let Some(stores) = &places.stores {
        let names: Vec<&str> = stores.iter().map(|store| store.as_str()).collect();
        add("wrong-store", format!("only in {}", names.join(", ")));
    }
    if !places.channels.is_empty() {
        add("wrong-channel", format!("only through {}", places.channels.join(", ")));
    }
    if grant.terms.stacking.is_some() {
        add("not-combinable", "not with every other voucher".into());
    }
    if let Some(from) = grant.valid_from.filter(|from| *from > grant.issued_at) {
        add("not-started", format!("not before {}", view.local(from)));
    }
    if let Some(until) = grant.valid_until {
        add("expired", format!("until {}", view.local(until)));
    }
    found
}

fn which(items: &Items) -> Option<String> {
    let names = |picks: &Picks| [&picks.skus[..], &picks.categories, &picks.brands].concat().join(", ");
    let except = names(&items.except);
    let only = match &items.only {
        Choice::All => None,
        Choice::Picked(picks) => Some(format!("only for {}", names(picks))),
    };
    match (only, except.is_empty()) {
        (None, true) => None,
        (None, false) => Some(format!("not for {except}")),
        (Some(only), true) => Some(only),
        (Some(only), false) => Some(format!("{only}, not for {except}")),
    }
}

pub(crate) fn happening(one: &Happening, view: &View) -> HappeningView {
    let Happening { at, state, store, order, reason, amount, counted: _, unfunded: _ } = one;
    HappeningView {
        at: view.time(*at),
        state: state.as_str().into(),
        store_id: store.as_ref().map(ToString::to_string),
        order_id: order.as_ref().map(ToString::to_string),
        reason: reason.clone(),
        amount: amount.map(|amount| view.amount(amount)),
    }
}
