//! A grant as members, tills and integrations are shown it. Reads only.

use crate::{plans::Plans, vouchers};
use fanfare_core::{
    cart::{Choice, Items, Picks},
    ids::{GrantId, Name, StoreId},
    model::{
        RuntimePlan,
        reward::{RewardKind, VoucherWorth},
    },
    money::{Currency, Minor},
    time::Ts,
};
use fanfare_store::rows::{Grant, GrantState, Happening};
use serde::Serialize;

/// Money as the API writes it outside of carts.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Money {
    /// A decimal string.
    pub amount: String,
    /// An ISO 4217 code.
    pub currency: String,
}

impl Money {
    /// An amount in a currency.
    pub fn of(amount: Minor, currency: &Currency) -> Self {
        Self { amount: currency.format(amount), currency: currency.code().to_owned() }
    }
}

/// What a grant gives when it is used.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(untagged)]
pub enum Worth {
    /// An amount.
    Money(Money),
    /// A share of what the items cost.
    #[serde(rename_all = "camelCase")]
    Percent {
        /// Such as `"10%"`.
        percent_off: String,
        /// At most so much.
        #[serde(skip_serializing_if = "Option::is_none")]
        max_amount: Option<Money>,
    },
    /// Loyalty points.
    Points {
        /// How many.
        points: i64,
    },
    /// A product.
    Item {
        /// Which.
        sku: String,
        /// How many of it.
        quantity: i64,
    },
}

/// A grant with everything that its holder may know.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
#[expect(missing_docs, reason = "the names are the contract's")]
pub struct GrantView {
    pub id: GrantId,
    pub reward: Name,
    pub campaign: Option<Name>,
    pub title: String,
    pub kind: &'static str,
    pub state: &'static str,
    pub worth: Worth,
    pub min_spend: Option<Money>,
    /// Empty: every store.
    pub stores: Vec<StoreId>,
    /// Empty: every channel.
    pub channels: Vec<String>,
    pub issued_at: Ts,
    pub claim_by: Option<Ts>,
    pub claimed_at: Option<Ts>,
    pub valid_from: Option<Ts>,
    pub valid_until: Option<Ts>,
    pub uses_left: i64,
    /// What its holder has to know, in plain sentences.
    pub conditions: Vec<String>,
    pub history: Vec<Past>,
}

/// Something that happened to it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
#[expect(missing_docs, reason = "the names are the contract's")]
pub struct Past {
    pub at: Ts,
    pub state: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub store_id: Option<StoreId>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub order_id: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
}

impl From<&Happening> for Past {
    fn from(happening: &Happening) -> Self {
        let Happening { at, state, store, order, reason, counted: _ } = happening;
        Self {
            at: *at,
            state: state.as_str(),
            store_id: store.clone(),
            order_id: order.as_ref().map(ToString::to_string),
            reason: reason.clone(),
        }
    }
}

impl GrantView {
    /// The grant as of `now`; nothing while the namespace has no Runtime, which names its currency.
    pub fn of(grant: &Grant, plans: &Plans, now: Ts) -> Option<Self> {
        let runtime = plans.runtime.as_deref()?;
        let places = &grant.terms.redemption.places;
        Some(Self {
            id: grant.id.clone(),
            reward: grant.terms.name.clone(),
            campaign: grant.campaign.clone(),
            title: grant.terms.title.clone(),
            kind: grant.terms.kind.as_str(),
            state: vouchers::state_at(grant, now).as_str(),
            worth: worth(&grant.terms.kind, &runtime.currency),
            min_spend: min_spend(&grant.terms.kind).map(|amount| Money::of(amount, &runtime.currency)),
            stores: places.stores.clone().unwrap_or_default(),
            channels: places.channels.clone(),
            issued_at: grant.issued_at,
            claim_by: grant.claim_by.filter(|_| grant.state == GrantState::Granted),
            claimed_at: grant.claimed_at,
            valid_from: grant.valid_from,
            valid_until: grant.valid_until,
            uses_left: grant.uses_left,
            conditions: conditions(grant, runtime),
            history: grant.history.iter().map(Past::from).collect(),
        })
    }
}

fn worth(kind: &RewardKind, currency: &Currency) -> Worth {
    match kind {
        RewardKind::Points { amount, .. } => Worth::Points { points: *amount },
        RewardKind::FreeItem { sku, quantity } => Worth::Item { sku: sku.clone(), quantity: *quantity },
        RewardKind::Voucher(voucher) => match voucher.worth {
            VoucherWorth::Amount(amount) => Worth::Money(Money::of(amount, currency)),
            VoucherWorth::Percent { share, max } => Worth::Percent {
                percent_off: share.to_string(),
                max_amount: max.map(|amount| Money::of(amount, currency)),
            },
        },
    }
}

fn min_spend(kind: &RewardKind) -> Option<Minor> {
    match kind {
        RewardKind::Voucher(voucher) if voucher.min_spend > Minor::ZERO => Some(voucher.min_spend),
        RewardKind::Voucher(_) | RewardKind::Points { .. } | RewardKind::FreeItem { .. } => None,
    }
}

/// What its holder has to know, in plain sentences.
fn conditions(grant: &Grant, runtime: &RuntimePlan) -> Vec<String> {
    let mut sentences = Vec::new();
    if let RewardKind::Voucher(voucher) = &grant.terms.kind {
        if voucher.min_spend > Minor::ZERO {
            let currency = &runtime.currency;
            sentences.push(format!("From {} {} on.", currency.format(voucher.min_spend), currency.code()));
        }
        sentences.extend(items(&voucher.items));
    }
    let places = &grant.terms.redemption.places;
    if let Some(stores) = &places.stores {
        let names: Vec<&str> =
            stores.iter().map(|id| runtime.stores.get(id).map_or(id.as_str(), |store| store.name.as_str())).collect();
        sentences.push(format!("Only in these stores: {}.", names.join(", ")));
    }
    if !places.channels.is_empty() {
        sentences.push(format!("Only through: {}.", places.channels.join(", ")));
    }
    let local = |at: Ts| at.with_timezone(&runtime.zone).format("%Y-%m-%d %H:%M");
    if let Some(until) = grant.valid_until {
        sentences.push(format!("Until {}.", local(until)));
    }
    sentences
}

fn items(items: &Items) -> Vec<String> {
    let mut sentences = Vec::new();
    if let Choice::Picked(picks) = &items.only {
        sentences.push(format!("Only for {}.", named(picks)));
    }
    if items.except != Picks::default() {
        sentences.push(format!("Not for {}.", named(&items.except)));
    }
    sentences
}

fn named(picks: &Picks) -> String {
    let Picks { skus, categories, brands } = picks;
    skus.iter().chain(categories).chain(brands).map(String::as_str).collect::<Vec<_>>().join(", ")
}
