//! Small plans and a small world for the tests of this crate.

use crate::{
    cart::{Cart, Line},
    ids::{MemberId, Name},
    mechanic::{Effect, Missing, Rule, State},
    model::{
        CampaignPlan, RewardPlan, RuntimePlan,
        campaign::{Audience, Content, Join, Mechanic, Objective, Participation, Places, Scope, Visibility},
        reward::{
            Claim, CodeRule, Guard, OnReversal, Redemption, RewardKind, Symbology, ValidFrom, Validity, Voucher,
            VoucherWorth,
        },
        runtime::EventRules,
        schedule::Schedule,
        segment::Condition,
    },
    money::{BasisPoints, Currency, Minor},
    random::Random,
    segment::MemberFacts,
    time::{Span, Ts, Tz, parse_local, resolve},
    world::{Catalogue, Reserves, Visit, Who, World},
};
use std::{
    cell::RefCell,
    collections::{BTreeMap, BTreeSet},
};

pub(crate) fn zone(name: &str) -> Tz {
    name.parse().unwrap()
}

pub(crate) fn local(text: &str, zone: Tz) -> Ts {
    resolve(parse_local(text).unwrap(), zone)
}

pub(crate) fn bangkok(text: &str) -> Ts {
    local(text, Tz::Asia__Bangkok)
}

pub(crate) fn name(text: &str) -> Name {
    Name::from(text)
}

pub(crate) fn runtime() -> RuntimePlan {
    RuntimePlan {
        name: name("main"),
        zone: Tz::Asia__Bangkok,
        currency: Currency::parse("THB").unwrap(),
        margin: BasisPoints::FULL,
        margin_floor: None,
        default_locale: "th".into(),
        other_locales: Vec::new(),
        attributes: BTreeMap::new(),
        stores: BTreeMap::new(),
        point_worth_e4: 20_000,
        points: crate::points::Rules::default(),
        dev_login: false,
        events: EventRules::default(),
        reserve_for: Span::seconds(900),
        approve_above: None,
        segments: crate::model::runtime::SegmentRules::default(),
    }
}

pub(crate) fn schedule() -> Schedule {
    Schedule {
        zone: Tz::Asia__Bangkok,
        publish_at: Some(bangkok("2026-11-08T00:00")),
        start_at: bangkok("2026-11-11T00:00"),
        end_at: Some(bangkok("2026-11-12T00:00")),
        cool_down: Span::days(30),
        windows: Vec::new(),
    }
}

pub(crate) fn campaign(named: &str, rules: Vec<Rule>) -> CampaignPlan {
    let mechanic = |(index, rule)| Mechanic { name: name(&format!("m{index}")), scope: Scope::default(), rule };
    CampaignPlan {
        name: name(named),
        revision: "r1".into(),
        title: format!("The {named}"),
        objective: Objective::Promotion,
        tags: Vec::new(),
        schedule: schedule(),
        suspended: false,
        visibility: Visibility::Public,
        audience: Audience::default(),
        participation: Participation { join: Join::Automatic, places: Places::default(), limits: Vec::new() },
        mechanics: rules.into_iter().enumerate().map(mechanic).collect(),
        stacking: None,
        budget: None,
        notify_at: Vec::new(),
        owner: None,
        costs: BTreeMap::new(),
        attribution_window: Span::days(7),
        content: Content::default(),
    }
}

pub(crate) fn reward(named: &str, kind: RewardKind) -> RewardPlan {
    RewardPlan {
        name: name(named),
        revision: "r1".into(),
        title: format!("The {named}"),
        kind,
        codes: CodeRule::default(),
        quantity: None,
        limits: Vec::new(),
        claim: Claim::Auto,
        claim_within: None,
        remind_before: Vec::new(),
        validity: Validity { from: ValidFrom::Issue, lasts: None, until: None, not_before: None },
        redemption: Redemption {
            places: Places::default(),
            symbology: Symbology::Code128,
            reserve_for: Span::seconds(600),
            on_reversal: OnReversal::Restore,
            guard: Guard::default(),
            uses: Some(1),
        },
        stacking: None,
        unit_cost: Minor::ZERO,
        suspended: false,
    }
}

pub(crate) fn amount_voucher(off: i64, min_spend: i64) -> RewardKind {
    RewardKind::Voucher(Voucher {
        worth: VoucherWorth::Amount(Minor(off)),
        min_spend: Minor(min_spend),
        items: crate::cart::Items::default(),
    })
}

pub(crate) fn line(id: &str, sku: &str, quantity: i64, unit_price: i64) -> Line {
    let unit_price = Minor(unit_price);
    Line { id: id.into(), sku: sku.into(), quantity, unit_price, category: None, brand: None, cost: None }
}

pub(crate) fn cart(lines: Vec<Line>) -> Cart {
    let member = Some(MemberId::from("m1"));
    let (codes, reservations) = (Vec::new(), Vec::new());
    Cart { member, store: None, channel: "pos".into(), at: None, lines, codes, reservations, card: None }
}

/// Everything that a decision reads, in memory.
pub(crate) struct Memory {
    pub(crate) runtime: RuntimePlan,
    pub(crate) segments: BTreeMap<Name, Condition>,
    pub(crate) rewards: BTreeMap<Name, RewardPlan>,
    pub(crate) counters: RefCell<BTreeMap<String, i64>>,
    pub(crate) available: Minor,
    pub(crate) left: i64,
    pub(crate) member: MemberId,
    pub(crate) facts: MemberFacts,
    pub(crate) points: i64,
    pub(crate) joined: BTreeSet<Name>,
    pub(crate) now: Ts,
}

impl Default for Memory {
    fn default() -> Self {
        Self {
            runtime: runtime(),
            segments: BTreeMap::new(),
            rewards: BTreeMap::new(),
            counters: RefCell::default(),
            available: Minor(i64::MAX),
            left: i64::MAX,
            member: "m1".into(),
            facts: MemberFacts::default(),
            points: 0,
            joined: BTreeSet::new(),
            now: bangkok("2026-11-11T10:00"),
        }
    }
}

impl Memory {
    pub(crate) fn with_rewards(rewards: Vec<RewardPlan>) -> Self {
        Self { rewards: rewards.into_iter().map(|plan| (plan.name.clone(), plan)).collect(), ..Self::default() }
    }

    pub(crate) fn world(&self) -> World<'_> {
        World { runtime: &self.runtime, catalogue: self, state: self, reserves: self, now: self.now }
    }

    pub(crate) fn visit(&self) -> Visit<'_> {
        let who = Who { id: &self.member, facts: &self.facts, points: self.points, joined: &self.joined };
        Visit { world: self.world(), who: Some(who), store: None, channel: Some("pos"), origin: None, order: None }
    }

    pub(crate) fn anonymous(&self) -> Visit<'_> {
        Visit { who: None, ..self.visit() }
    }

    /// Does the counts as the engine would, caps included; answers the rewards granted.
    pub(crate) fn apply(&self, effects: &[Effect]) -> Vec<(Name, i64)> {
        let mut granted = Vec::new();
        for effect in effects {
            match effect {
                Effect::Count { key, delta, cap } => {
                    let mut counters = self.counters.borrow_mut();
                    let value = counters.entry(key.clone()).or_insert(0);
                    *value += delta;
                    assert!(cap.is_none_or(|cap| *value <= cap), "{key} beyond its cap: {value}");
                }
                Effect::Grant { reward, quantity } => granted.push((reward.clone(), *quantity)),
                Effect::Hold { .. } | Effect::Release { .. } | Effect::SpendPoints { .. } => {}
            }
        }
        granted
    }

    pub(crate) fn all_zero(&self) -> bool {
        self.counters.borrow().values().all(|value| *value == 0)
    }
}

impl Catalogue for Memory {
    fn condition(&self, segment: &Name) -> Option<&Condition> {
        self.segments.get(segment)
    }
    fn reward(&self, reward: &Name) -> Option<&RewardPlan> {
        self.rewards.get(reward)
    }
}

impl State for Memory {
    fn count(&self, key: &str) -> Result<i64, Missing> {
        Ok(self.counters.borrow().get(key).copied().unwrap_or(0))
    }
}

impl Reserves for Memory {
    fn available(&self, _campaign: &Name) -> Result<Minor, Missing> {
        Ok(self.available)
    }
    fn left(&self, _reward: &Name) -> Result<i64, Missing> {
        Ok(self.left)
    }
}

/// A small generator (SplitMix64): the same seed, the same draws.
pub(crate) struct Seeded(pub(crate) u64);

impl Random for Seeded {
    fn bits(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mixed = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        mixed ^ (mixed >> 31)
    }
}
