//! A shop to test with: a namespace on a database in memory, a clock that is set, chance from a fixed seed.

use crate::database;
use chrono::TimeDelta;
use fanfare_core::{
    cart::{Cart, Items, Line},
    ids::{AccountId, Code, GrantId, MemberId, Name, Namespace, OrderId, Revision, StoreId},
    ledger::account,
    mechanic::{Rule, discount, spend_threshold},
    model::{
        CampaignPlan, Plan, RewardPlan, RuntimePlan,
        campaign::{
            Audience, Budget, Content, Counted, Join, Limit, Mechanic, Objective, Participation, Per, Places, Scope,
            Visibility,
        },
        reward::{
            Claim, CodeRule, Guard, OnReversal, Redemption, RewardKind, Symbology, ValidFrom, Validity, Voucher,
            VoucherWorth,
        },
        runtime::EventRules,
        schedule::Schedule,
    },
    money::{BasisPoints, Currency, Minor},
    time::{Clock, Every, Span, Ts, Tz},
};
use fanfare_engine::{
    Command, Engine, Halt, Refused,
    give::{self, Given},
    publish::Publish,
    redemptions::{Mode, Redeem},
    tx::Tx,
};
use fanfare_store::{
    Page, Store,
    rows::{Consent, Grant, Member},
};
use parking_lot::Mutex;
use std::{collections::BTreeMap, sync::Arc};

/// A clock that stands still until it is moved.
pub(crate) struct SetClock(Mutex<Ts>);

impl Clock for SetClock {
    fn now(&self) -> Ts {
        *self.0.lock()
    }
}

/// A namespace with its engine.
pub(crate) struct Shop {
    pub(crate) engine: Engine,
    pub(crate) clock: Arc<SetClock>,
    pub(crate) store: Arc<dyn Store>,
    pub(crate) ns: Namespace,
    _kept: database::Kept,
}

pub(crate) fn at(text: &str) -> Ts {
    text.parse().unwrap()
}

pub(crate) fn start() -> Ts {
    at("2026-11-11T00:00:00Z")
}

impl Shop {
    /// A shop with a Runtime and the members m1, m2, m3.
    pub(crate) async fn open() -> Self {
        Self::open_at(start() + TimeDelta::hours(1)).await
    }

    /// The same from another instant on: business time never goes back.
    pub(crate) async fn open_at(now: Ts) -> Self {
        let (store, _kept) = database::open().await;
        let clock = Arc::new(SetClock(Mutex::new(now)));
        let ns = Namespace::from("brand-a");
        let engine = Engine::open(ns.clone(), store.clone(), clock.clone(), [7; 32]).await.unwrap();
        let shop = Self { engine, clock, store, ns, _kept };
        shop.publish(Plan::CampaignRuntime(runtime())).await;
        for id in ["m1", "m2", "m3"] {
            shop.run(Register(id.into())).await.unwrap();
        }
        shop
    }

    pub(crate) async fn publish(&self, plan: Plan) {
        let name = match &plan {
            Plan::Campaign(plan) => plan.name.clone(),
            Plan::Reward(plan) => plan.name.clone(),
            Plan::Automation(plan) => plan.name.clone(),
            Plan::MessageTemplate(plan) => plan.name.clone(),
            Plan::MessageChannel(plan) => plan.name.clone(),
            Plan::CampaignRuntime(_) | Plan::Segment(_) => Name::from("runtime"),
        };
        let revision = Revision::from(format!("r-{name}"));
        self.run(Publish { name, revision, plan, generation: 1, author: None }).await.unwrap();
    }

    /// Publishes another revision of what is served.
    pub(crate) async fn publish_again(&self, name: &str, plan: Plan) {
        let (name, revision) = (Name::from(name), Revision::from("r-again"));
        self.run(Publish { name, revision, plan, generation: 2, author: None }).await.unwrap();
    }

    /// Publishes a campaign anew, under another revision and generation.
    pub(crate) async fn republish(&self, plan: CampaignPlan, generation: i64) {
        let (name, revision) = (plan.name.clone(), Revision::from(format!("r-{}-{generation}", plan.name)));
        let plan = Plan::Campaign(CampaignPlan { revision: revision.clone(), ..plan });
        self.run(Publish { name, revision, plan, generation, author: None }).await.unwrap();
    }

    /// The same namespace after a restart.
    pub(crate) async fn restart(self) -> Self {
        let Self { engine, clock, store, ns, _kept } = self;
        drop(engine);
        let engine = Engine::open(ns.clone(), store.clone(), clock.clone(), [8; 32]).await.unwrap();
        Self { engine, clock, store, ns, _kept }
    }

    pub(crate) async fn run<C: Command>(&self, command: C) -> Result<C::Answer, Refused> {
        self.engine.execute(command).await.unwrap().0
    }

    pub(crate) fn engine_now(&self) -> Ts {
        self.clock.now()
    }

    pub(crate) fn forward(&self, by: TimeDelta) {
        *self.clock.0.lock() += by;
    }

    /// Gives and answers the grants.
    pub(crate) async fn give(&self, member: &str, reward: &str, quantity: i64, campaign: Option<&str>) -> Given {
        let give = Give {
            member: member.into(),
            reward: reward.into(),
            quantity,
            campaign: campaign.map(Name::from),
            cause: "test".into(),
        };
        self.run(give).await.unwrap()
    }

    /// Gives one voucher and answers it.
    pub(crate) async fn voucher(&self, member: &str, reward: &str, campaign: Option<&str>) -> Grant {
        let given = self.give(member, reward, 1, campaign).await;
        assert_eq!(given.refused, None);
        self.grant(&given.grants[0]).await
    }

    pub(crate) async fn grant(&self, id: &GrantId) -> Grant {
        self.store.grant(&self.ns, id).await.unwrap().unwrap()
    }

    /// What a member was given, newest first.
    pub(crate) async fn grants_of(&self, member: &str) -> Vec<Grant> {
        let page = Page { after: None, limit: 100 };
        self.store.grants_of(&self.ns, &member.into(), None, page).await.unwrap()
    }

    pub(crate) async fn balance(&self, account: &str) -> i64 {
        let all = self.store.balances(&self.ns, account).await.unwrap();
        all.iter().filter(|entry| entry.account == account).map(|entry| entry.amount).sum()
    }

    /// (available, reserved, actual) of a campaign's budget.
    pub(crate) async fn budget(&self, campaign: &str) -> (i64, i64, i64) {
        let campaign = Name::from(campaign);
        (
            self.balance(&account::budget_available(&campaign)).await,
            self.balance(&account::budget_reserved(&campaign)).await,
            self.balance(&account::budget_actual(&campaign)).await,
        )
    }

    pub(crate) async fn counter(&self, key: &str) -> i64 {
        let all = self.store.counters(&self.ns, key).await.unwrap();
        all.iter().filter(|(name, _)| name == key).map(|(_, value)| *value).sum()
    }

    pub(crate) async fn points(&self, member: &str) -> i64 {
        self.engine.points(&member.into()).await.unwrap().balance
    }

    /// Every job that is due, done.
    pub(crate) async fn work(&self) {
        loop {
            let due = self.store.due(&self.ns, self.clock.now(), 100).await.unwrap();
            if due.is_empty() {
                return;
            }
            for job in due {
                let task = serde_json::from_value(job.task).unwrap();
                self.run(Do(task)).await.unwrap();
            }
        }
    }

    /// What must hold whatever happened.
    pub(crate) async fn verify(&self) {
        assert_eq!(self.store.verify(&self.ns).await.unwrap(), Vec::<String>::new());
    }
}

struct Register(String);

impl Command for Register {
    type Answer = ();
    fn run(&self, tx: &mut Tx<'_>) -> Result<(), Halt> {
        tx.put_member(Member {
            id: self.0.as_str().into(),
            account: AccountId::from(format!("a-{}", self.0)),
            attributes: BTreeMap::new(),
            tags: Default::default(),
            consent: Consent::default(),
            identities: Default::default(),
            created_at: tx.now,
            merged_into: None,
        });
        Ok(())
    }
}

struct Give {
    member: MemberId,
    reward: Name,
    quantity: i64,
    campaign: Option<Name>,
    cause: String,
}

impl Command for Give {
    type Answer = Given;
    fn run(&self, tx: &mut Tx<'_>) -> Result<Given, Halt> {
        let Self { member, reward, quantity, campaign, cause } = self;
        let campaign = campaign.as_ref();
        let to = give::To { member, reward, quantity: *quantity, campaign, mechanic: None, store: None, cause };
        give::give(tx, to)
    }
}

struct Do(fanfare_engine::jobs::Task);

impl Command for Do {
    type Answer = ();
    fn run(&self, tx: &mut Tx<'_>) -> Result<(), Halt> {
        use fanfare_engine::{grants, holds, jobs::Task, orders, redemptions};
        match &self.0 {
            Task::LapseOrder(id) => orders::lapse(tx, id),
            Task::LapseRedemption(id) => redemptions::lapse(tx, id),
            Task::ReleaseHold(id) => holds::lapse(tx, id),
            Task::CloseGrant(id) => grants::close(tx, id, tx.now),
            Task::Points(id) => fanfare_engine::points::turn(tx, id),
            Task::Settle(_) | Task::Step(_) => {
                tx.done(&self.0.id());
                Ok(())
            }
        }
    }
}

pub(crate) fn runtime() -> RuntimePlan {
    RuntimePlan {
        name: "runtime".into(),
        zone: Tz::UTC,
        currency: Currency::parse("THB").unwrap(),
        margin: BasisPoints::FULL,
        margin_floor: None,
        default_locale: "en".into(),
        other_locales: Vec::new(),
        attributes: BTreeMap::new(),
        stores: BTreeMap::new(),
        point_worth_e4: 20_000,
        points: fanfare_core::points::Rules::default(),
        dev_login: true,
        events: EventRules::default(),
        reserve_for: Span::seconds(900),
        approve_above: None,
        segments: fanfare_core::model::runtime::SegmentRules::default(),
    }
}

/// A campaign with a budget in minor units, without a mechanic.
pub(crate) fn campaign(name: &str, budget: Option<i64>) -> CampaignPlan {
    CampaignPlan {
        name: name.into(),
        revision: Revision::from(format!("r-{name}")),
        title: name.into(),
        objective: Objective::Promotion,
        tags: Vec::new(),
        schedule: Schedule {
            zone: Tz::UTC,
            publish_at: None,
            start_at: start(),
            end_at: Some(start() + TimeDelta::days(30)),
            cool_down: Span::days(30),
            windows: Vec::new(),
        },
        suspended: false,
        visibility: Visibility::Public,
        audience: Audience::default(),
        participation: Participation { join: Join::Automatic, places: Places::default(), limits: Vec::new() },
        mechanics: Vec::new(),
        stacking: None,
        budget: budget.map(|limit| Budget::of(Minor(limit))),
        notify_at: Vec::new(),
        owner: None,
        costs: BTreeMap::new(),
        attribution_window: Span::days(7),
        content: Content::default(),
    }
}

pub(crate) fn mechanic(name: &str, rule: Rule) -> Mechanic {
    Mechanic { name: name.into(), scope: Scope::default(), rule }
}

/// A share off everything.
pub(crate) fn percent_off(share: &str) -> Rule {
    Rule::Discount(discount::Discount {
        off: discount::Off::Percent(BasisPoints::parse(share).unwrap()),
        items: Items::default(),
        min_spend: Minor::ZERO,
        max: None,
        floor_price: Minor::ZERO,
    })
}

/// A reward for spending so much in one order.
pub(crate) fn reward_from(spend: i64, reward: &str) -> Rule {
    Rule::SpendThreshold(spend_threshold::SpendThreshold {
        basis: spend_threshold::Basis::AfterDiscounts,
        per: spend_threshold::SpendPer::Order,
        award: spend_threshold::Award::Highest,
        repeat: false,
        tiers: vec![spend_threshold::Tier {
            spend: Minor(spend),
            gives: spend_threshold::Gives::Reward(reward.into()),
        }],
    })
}

fn reward(name: &str, kind: RewardKind, unit_cost: i64) -> RewardPlan {
    RewardPlan {
        name: name.into(),
        revision: Revision::from(format!("r-{name}")),
        title: name.into(),
        kind,
        codes: CodeRule::default(),
        quantity: None,
        limits: Vec::new(),
        claim: Claim::Auto,
        claim_within: None,
        remind_before: Vec::new(),
        validity: Validity { from: ValidFrom::Issue, lasts: Some(Span::days(14)), until: None, not_before: None },
        redemption: Redemption {
            places: Places::default(),
            symbology: Symbology::Qr,
            reserve_for: Span::seconds(600),
            on_reversal: OnReversal::Restore,
            guard: Guard::default(),
            uses: Some(1),
        },
        stacking: None,
        unit_cost: Minor(unit_cost),
        suspended: false,
    }
}

/// A voucher of an amount.
pub(crate) fn voucher(name: &str, amount: i64, unit_cost: i64) -> RewardPlan {
    let worth = VoucherWorth::Amount(Minor(amount));
    let kind = RewardKind::Voucher(Voucher { worth, min_spend: Minor::ZERO, items: Items::default() });
    reward(name, kind, unit_cost)
}

/// A gift card.
pub(crate) fn gift_card(name: &str, amount: i64) -> RewardPlan {
    let mut plan = reward(name, RewardKind::GiftCard { amount: Minor(amount) }, 0);
    plan.redemption.uses = None;
    plan
}

/// Access for thirty days.
pub(crate) fn access(name: &str, uses: Option<i64>) -> RewardPlan {
    let mut plan = reward(name, RewardKind::Access { key: name.into() }, 0);
    plan.validity.lasts = Some(Span::days(30));
    plan.redemption.uses = uses;
    plan
}

/// A badge, as admission makes it: for ever, once a member.
pub(crate) fn badge(name: &str) -> RewardPlan {
    let mut plan = reward(name, RewardKind::Badge, 0);
    plan.validity.lasts = None;
    plan.limits = vec![Limit { count: Counted::Rewards, per: Per::Member, every: Every::Lifetime, max: 1 }];
    plan
}

/// Points without an end.
pub(crate) fn points(name: &str, amount: i64) -> RewardPlan {
    reward(name, RewardKind::Points { amount, expire_after: None }, 0)
}

pub(crate) fn line(id: &str, quantity: i64, price: i64) -> Line {
    let sku = format!("SKU-{id}");
    Line { id: id.into(), sku, quantity, unit_price: Minor(price), category: None, brand: None, cost: None }
}

pub(crate) fn cart(member: Option<&str>, lines: Vec<Line>, codes: Vec<Code>) -> Cart {
    Cart {
        member: member.map(MemberId::from),
        store: Some(StoreId::from("bkk-01")),
        channel: "pos".into(),
        at: None,
        lines,
        codes,
        reservations: Vec::new(),
        card: None,
    }
}

pub(crate) fn place(id: &str, mode: Mode, cart: Cart) -> fanfare_engine::orders::PlaceOrder {
    let digest = format!("{id}{mode:?}{cart:?}");
    fanfare_engine::orders::PlaceOrder {
        id: OrderId::from(id),
        mode,
        cart,
        expected_payable: None,
        receipt_number: None,
        business_date: None,
        terminal: None,
        occurred_at: None,
        digest,
    }
}

pub(crate) fn redeem(code: &Code, mode: Mode) -> Redeem {
    Redeem {
        code: code.clone(),
        member: None,
        mode,
        store: "bkk-01".into(),
        bound_to: None,
        terminal: Some("t1".into()),
        till: None,
        channel: "pos".into(),
        amount: None,
        order: None,
        occurred_at: None,
    }
}
