//! `flashSale`: few items at a special price; a member reserves, then checks out.

use super::{
    Act, Acted, Basket, Behaviour, Effect, Hold, Missing, Offer, Outcome, Scene,
    basket::{CountedBy, Counts, Off},
    key,
};
use crate::{
    ids::{HoldId, MemberId, Name, StoreId},
    money::{Minor, portion},
    random::Random,
    reason::{Reason, Refusal},
    time::Span,
};
use serde::{Deserialize, Serialize};

/// Few items at a special price.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct FlashSale {
    /// The items.
    pub items: Vec<Item>,
    /// How many units one member may have; without it, no limit.
    pub per_member: Option<i64>,
    /// How long a reservation holds.
    pub reserve_for: Span,
}

/// One item of a flash sale.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Item {
    /// Which.
    pub sku: String,
    /// What a unit costs.
    pub price: Minor,
    /// How many there are in all.
    pub stock: i64,
    /// How many of them in each store; without it, no bound of its own.
    pub stock_per_store: Option<i64>,
}

impl Behaviour for FlashSale {
    fn kind(&self) -> &'static str {
        "flashSale"
    }

    fn actions(&self) -> &'static [&'static str] {
        &["reserve", "release"]
    }

    fn prices(&self) -> bool {
        true
    }

    fn needs_member(&self) -> bool {
        self.per_member.is_some()
    }

    fn price(&self, scene: &Scene<'_>, basket: &Basket<'_>) -> Result<Offer, Missing> {
        let mut offer = Offer::default();
        let mut priced = basket.flash_units.clone();
        let ours = |hold: &&Hold| hold.campaign == scene.campaign.name && hold.mechanic == scene.mechanic.name;
        for hold in basket.holds.iter().filter(ours) {
            match self.with_hold(hold, scene, basket, &priced) {
                Ok(off) => {
                    add(&mut priced, &off.units);
                    offer.discounts.push(off);
                }
                Err(refusal) => offer.refusals.push((Some(hold.id.clone()), refusal)),
            }
        }
        self.without_hold(scene, basket, &priced, &mut offer)?;
        Ok(offer)
    }

    fn act(
        &self,
        scene: &Scene<'_>,
        act: &Act<'_>,
        _random: &mut dyn Random,
    ) -> Result<Option<Result<Acted, Refusal>>, Missing> {
        match act {
            Act::Reserve { sku, quantity, store, id } => self.reserve(scene, sku, *quantity, *store, id).map(Some),
            Act::Release { hold } => {
                let mut effects = vec![Effect::Release { id: hold.id.clone() }];
                effects.extend(give_back(hold));
                let outcome = Outcome { outcome: "released".into(), effects, takes_part: false };
                Ok(Some(Ok(Acted { outcome, ..Acted::default() })))
            }
            Act::Draw => Ok(None),
        }
    }
}

impl FlashSale {
    fn item(&self, sku: &str) -> Option<&Item> {
        self.items.iter().find(|item| item.sku == sku)
    }

    fn reserve(
        &self,
        scene: &Scene<'_>,
        sku: &str,
        quantity: i64,
        store: Option<&StoreId>,
        id: &HoldId,
    ) -> Result<Result<Acted, Refusal>, Missing> {
        let Some(item) = self.item(sku).filter(|_| quantity >= 1) else {
            let detail = format!("{sku} is not in this sale; it has: {}.", self.skus());
            return Ok(Err(Refusal::new(Reason::ItemsNotEligible, detail)));
        };
        let stock = Stock::of(self, item, scene, store);
        match stock.left(scene)? {
            Left::Units(left) if left >= quantity => {}
            Left::Units(left) => {
                return Ok(Err(Refusal::new(Reason::SoldOut, format!("Only {left} of {sku} are left."))));
            }
            Left::Member(left) if left >= quantity => {}
            Left::Member(left) => return Ok(Err(self.member_limit(left))),
        }
        let expires_at = self.reserve_for.after(scene.visit.now(), scene.campaign.schedule.zone);
        let mut effects: Vec<Effect> = stock.counts(sku, quantity).into_iter().map(Counts::effect).collect();
        effects.push(Effect::Hold { id: id.clone(), sku: sku.into(), quantity, store: store.cloned(), expires_at });
        let outcome = Outcome { outcome: "reserved".into(), effects, takes_part: true };
        Ok(Ok(Acted { outcome, prize: None, reservation: Some((id.clone(), expires_at)) }))
    }

    fn member_limit(&self, left: i64) -> Refusal {
        let max = self.per_member.unwrap_or_default();
        Refusal::new(Reason::LimitReached, format!("At most {max} per member; {left} are left for you."))
    }

    fn skus(&self) -> String {
        self.items.iter().map(|item| item.sku.as_str()).collect::<Vec<_>>().join(", ")
    }

    /// The price of a reservation's units. What the cart does not take of it returns to the stock.
    fn with_hold(&self, hold: &Hold, scene: &Scene<'_>, basket: &Basket<'_>, priced: &[i64]) -> Result<Off, Refusal> {
        if scene.visit.member() != Some(&hold.member) {
            return Err(Refusal::new(Reason::ReservationUnknown, "There is no such reservation of this member."));
        }
        if !hold.open || scene.visit.now() >= hold.expires_at {
            let lapsed = scene.visit.now() >= hold.expires_at;
            let when = scene.visit.time(hold.expires_at);
            let detail = match lapsed {
                true => format!("The reservation held until {when}; reserve again."),
                false => "The reservation is used or was released; reserve again.".to_owned(),
            };
            return Err(Refusal::new(Reason::ReservationExpired, detail));
        }
        let missing = || format!("The reservation is for {}; add that item to the cart.", hold.sku);
        let item = self.item(&hold.sku).ok_or_else(|| {
            Refusal::new(Reason::ItemsNotEligible, format!("{} is not in this sale any more.", hold.sku))
        })?;
        let units = spread(item, hold.quantity, basket, priced);
        let used: i64 = units.iter().sum();
        if used == 0 {
            return Err(Refusal::new(Reason::ItemsNotEligible, missing()));
        }
        let mut counts = Vec::new();
        // A commit may use more units than its order reserved, as long as the stock that returned meanwhile is there.
        let bounds = Stock::of(self, item, scene, hold.store.as_ref()).counts(&hold.sku, 0);
        for Counts { key, cap, .. } in bounds {
            let unused = hold.quantity - used;
            // The units themselves were counted when they were reserved; a return gives them back all the same.
            counts.push(Counts { key: key.clone(), delta: 0, cap, by: CountedBy::Units(hold.sku.clone()) });
            if unused > 0 {
                counts.push(Counts { key, delta: -unused, cap: None, by: CountedBy::Kept });
            }
        }
        Ok(Off { shares: shares(item, &units, basket), units, floors: Vec::new(), hold: Some(hold.id.clone()), counts })
    }

    /// The price of units that nobody reserved, as far as there are any.
    fn without_hold(
        &self,
        scene: &Scene<'_>,
        basket: &Basket<'_>,
        priced: &[i64],
        offer: &mut Offer,
    ) -> Result<(), Missing> {
        let mut taken_by_member = 0;
        for item in &self.items {
            let wanted: i64 = spread(item, i64::MAX, basket, priced).iter().sum();
            if wanted == 0 {
                continue;
            }
            let stock = Stock::of(self, item, scene, scene.visit.store);
            let (left, refusal) = match stock.left(scene)? {
                Left::Units(left) => (left, Refusal::new(Reason::SoldOut, format!("None of {} is left.", item.sku))),
                Left::Member(left) => (left - taken_by_member, self.member_limit(0)),
            };
            // Another item of this sale in the same cart has used up a part of the member's allowance.
            let allowance = stock.member_left(scene)?.map_or(i64::MAX, |left| left - taken_by_member);
            let units = spread(item, left.min(allowance).max(0), basket, priced);
            let used: i64 = units.iter().sum();
            if used == 0 {
                let refusal = if allowance <= 0 { self.member_limit(0) } else { refusal };
                offer.refusals.push((None, refusal));
                continue;
            }
            taken_by_member += used;
            let counts = stock.counts(&item.sku, used);
            offer.discounts.push(Off {
                shares: shares(item, &units, basket),
                units,
                floors: Vec::new(),
                hold: None,
                counts,
            });
        }
        Ok(())
    }
}

/// Where an item's units are counted, and how many there may be.
struct Stock {
    all: (String, i64),
    store: Option<(String, Option<i64>)>,
    member: Option<(String, Option<i64>)>,
}

/// How many units can be had, and what bounds them.
enum Left {
    /// The stock.
    Units(i64),
    /// The member's allowance.
    Member(i64),
}

impl Stock {
    fn of(rule: &FlashSale, item: &Item, scene: &Scene<'_>, store: Option<&StoreId>) -> Self {
        let (campaign, mechanic) = (&scene.campaign.name, &scene.mechanic.name);
        Self {
            all: (stock_key(campaign, mechanic, &item.sku), item.stock),
            store: store.map(|store| (store_key(campaign, mechanic, &item.sku, store), item.stock_per_store)),
            member: scene
                .visit
                .member()
                .map(|member| (key::member(campaign, mechanic, member, "units"), rule.per_member)),
        }
    }

    fn left(&self, scene: &Scene<'_>) -> Result<Left, Missing> {
        let mut units = self.all.1 - scene.visit.count(&self.all.0)?;
        if let Some((key, Some(max))) = &self.store {
            units = units.min(max - scene.visit.count(key)?);
        }
        match self.member_left(scene)? {
            Some(member) if member < units => Ok(Left::Member(member.max(0))),
            Some(_) | None => Ok(Left::Units(units.max(0))),
        }
    }

    fn member_left(&self, scene: &Scene<'_>) -> Result<Option<i64>, Missing> {
        match &self.member {
            Some((key, Some(max))) => Ok(Some(max - scene.visit.count(key)?)),
            Some((_, None)) | None => Ok(None),
        }
    }

    fn counts(&self, sku: &str, units: i64) -> Vec<Counts> {
        let counts = |key: &str, cap| Counts { key: key.into(), delta: units, cap, by: CountedBy::Units(sku.into()) };
        let mut all = vec![counts(&self.all.0, Some(self.all.1))];
        all.extend(self.store.iter().map(|(key, cap)| counts(key, *cap)));
        all.extend(self.member.iter().map(|(key, cap)| counts(key, *cap)));
        all
    }
}

/// Gives a hold's units back, when it is released or has lapsed.
pub fn give_back(hold: &Hold) -> Vec<Effect> {
    hold_keys(hold).into_iter().map(|key| Effect::Count { key, delta: -hold.quantity, cap: None }).collect()
}

fn hold_keys(hold: &Hold) -> Vec<String> {
    let Hold { campaign, mechanic, member, sku, store, .. } = hold;
    let mut keys = vec![stock_key(campaign, mechanic, sku)];
    keys.extend(store.iter().map(|store| store_key(campaign, mechanic, sku, store)));
    keys.push(member_key(campaign, mechanic, member));
    keys
}

/// The counter of units taken of an item.
pub fn stock_key(campaign: &Name, mechanic: &Name, sku: &str) -> String {
    key::mechanic(campaign, mechanic, &format!("stock:{sku}"))
}

fn store_key(campaign: &Name, mechanic: &Name, sku: &str, store: &StoreId) -> String {
    key::mechanic(campaign, mechanic, &format!("stock:{sku}@{store}"))
}

fn member_key(campaign: &Name, mechanic: &Name, member: &MemberId) -> String {
    key::member(campaign, mechanic, member, "units")
}

/// Up to `most` units over the cart's lines of an item whose price is above the sale's and not set by one yet.
fn spread(item: &Item, most: i64, basket: &Basket<'_>, priced: &[i64]) -> Vec<i64> {
    let mut left = most;
    let lines = basket.lines().zip(priced);
    lines
        .map(|((line, to_pay), priced)| {
            let saves = line.sku == item.sku && to_pay > item.price.times(line.quantity);
            let units = if saves { (line.quantity - priced).min(left).max(0) } else { 0 };
            left -= units;
            units
        })
        .collect()
}

fn shares(item: &Item, units: &[i64], basket: &Basket<'_>) -> Vec<Minor> {
    let lines = basket.lines().zip(units);
    lines
        .map(|((line, left), units)| {
            portion(left.or_zero(), *units, line.quantity).minus(item.price.times(*units)).or_zero()
        })
        .collect()
}

fn add(to: &mut [i64], more: &[i64]) {
    for (to, more) in to.iter_mut().zip(more) {
        *to += more;
    }
}
