//! A shop to test in: a Runtime, a database in memory, a clock that stands until it is moved.

use crate::database;
use fanfare_core::{
    envelope::{Envelope, SendFault},
    ids::{MemberId, Name, Namespace},
    model::{
        AutomationPlan, CampaignPlan, ChannelPlan, Plan, RewardPlan, RuntimePlan, SegmentPlan, TemplatePlan,
        campaign::{Audience, Content, Join, Objective, Participation, Places, Text, Visibility},
        message::{Category, Means, Medium, Security, Source},
        reward::{Claim, CodeRule, Guard, OnReversal, Redemption, RewardKind, Symbology, ValidFrom, Validity},
        runtime::{Attribute, EventRules},
        schedule::Schedule,
        segment::Condition,
    },
    money::{BasisPoints, Currency, Minor},
    time::{Clock, Span, Ts, Tz},
};
use fanfare_engine::{Command, Engine, outbox::Sender, publish::Publish};
use fanfare_store::Store;
use futures::future::BoxFuture;
use std::{
    collections::BTreeMap,
    sync::{
        Arc, Mutex,
        atomic::{AtomicI64, Ordering},
    },
};

pub(crate) const BANGKOK: Tz = Tz::Asia__Bangkok;

pub(crate) struct TestClock(AtomicI64);

impl TestClock {
    pub(crate) fn at(at: &str) -> Self {
        Self(AtomicI64::new(ts(at).timestamp_millis()))
    }

    pub(crate) fn forward(&self, seconds: i64) {
        self.0.fetch_add(seconds * 1_000, Ordering::SeqCst);
    }

    pub(crate) fn set(&self, at: &str) {
        self.set_to(ts(at));
    }

    pub(crate) fn set_to(&self, at: Ts) {
        self.0.store(at.timestamp_millis(), Ordering::SeqCst);
    }
}

impl Clock for TestClock {
    fn now(&self) -> Ts {
        Ts::from_timestamp_millis(self.0.load(Ordering::SeqCst)).unwrap()
    }
}

pub(crate) fn ts(text: &str) -> Ts {
    text.parse().unwrap()
}

/// A sender that remembers what it was given and answers as told.
#[derive(Default)]
pub(crate) struct Recorder {
    pub(crate) sent: Mutex<Vec<Envelope>>,
    pub(crate) faults: Mutex<Vec<SendFault>>,
}

impl Sender for Recorder {
    fn send<'a>(&'a self, _: &'a Means, envelope: &'a Envelope) -> BoxFuture<'a, Result<(), SendFault>> {
        Box::pin(async move {
            if let Some(fault) = self.faults.lock().unwrap().pop() {
                return Err(fault);
            }
            self.sent.lock().unwrap().push(envelope.clone());
            Ok(())
        })
    }
}

/// A sender that takes a message and never answers.
pub(crate) struct Never;

impl Sender for Never {
    fn send<'a>(&'a self, _: &'a Means, _: &'a Envelope) -> BoxFuture<'a, Result<(), SendFault>> {
        Box::pin(std::future::pending())
    }
}

pub(crate) struct Shop {
    pub(crate) engine: Engine,
    pub(crate) store: Arc<dyn Store>,
    pub(crate) clock: Arc<TestClock>,
    _kept: database::Kept,
}

impl Shop {
    pub(crate) async fn open(at: &str) -> Self {
        let (store, _kept) = database::open().await;
        let clock = Arc::new(TestClock(AtomicI64::new(ts(at).timestamp_millis())));
        let engine = engine(&store, &clock).await;
        let shop = Self { engine, store, clock, _kept };
        shop.publish(Plan::CampaignRuntime(runtime())).await;
        shop
    }

    /// A shop on a database that has rows already, without a Runtime.
    pub(crate) async fn on(store: Arc<dyn Store>, kept: database::Kept, at: Ts) -> Self {
        let clock = Arc::new(TestClock(AtomicI64::new(at.timestamp_millis())));
        let engine = engine(&store, &clock).await;
        Self { engine, store, clock, _kept: kept }
    }

    /// Stops the engine and opens another on the same database, as after a crash.
    pub(crate) async fn reopen(self) -> Self {
        let Self { engine: old, store, clock, _kept } = self;
        drop(old);
        let engine = engine(&store, &clock).await;
        Self { engine, store, clock, _kept }
    }

    pub(crate) async fn publish(&self, plan: Plan) {
        let name = match &plan {
            Plan::Campaign(plan) => plan.name.clone(),
            Plan::Segment(plan) => plan.name.clone(),
            Plan::Reward(plan) => plan.name.clone(),
            Plan::Automation(plan) => plan.name.clone(),
            Plan::MessageTemplate(plan) => plan.name.clone(),
            Plan::MessageChannel(plan) => plan.name.clone(),
            Plan::CampaignRuntime(plan) => plan.name.clone(),
        };
        let digest = blake3_of(&plan);
        let command = Publish { name, revision: digest.as_str().into(), plan, generation: 1, author: None };
        self.engine.execute(command).await.unwrap().0.unwrap();
    }

    pub(crate) async fn run<C: Command>(&self, command: C) -> C::Answer {
        match self.engine.execute(command).await.unwrap().0 {
            Ok(answer) => answer,
            Err(refused) => panic!("refused: {refused:?}"),
        }
    }

    /// What must always hold, at the end of each test.
    pub(crate) async fn verify(&self) {
        let faults = self.store.verify(self.engine.namespace()).await.unwrap();
        assert!(faults.is_empty(), "{faults:#?}");
    }
}

async fn engine(store: &Arc<dyn Store>, clock: &Arc<TestClock>) -> Engine {
    let store = Arc::clone(store);
    let clock: Arc<dyn Clock> = Arc::<TestClock>::clone(clock);
    Engine::open(Namespace::from("brand-a"), store, clock, [7; 32]).await.unwrap()
}

fn blake3_of(plan: &Plan) -> String {
    let text = serde_json::to_string(plan).unwrap();
    let sum = text.bytes().fold(17_u64, |sum, byte| sum.wrapping_mul(31).wrapping_add(u64::from(byte)));
    format!("{sum:016x}")
}

pub(crate) fn runtime() -> RuntimePlan {
    let attributes = [
        ("tier", Attribute::Enum(vec!["silver".into(), "gold".into()])),
        ("city", Attribute::String),
        ("birthDate", Attribute::Date),
        ("visits", Attribute::Number),
        ("home", Attribute::Location),
        ("locale", Attribute::String),
    ];
    RuntimePlan {
        name: "runtime".into(),
        zone: BANGKOK,
        currency: Currency::parse("THB").unwrap(),
        margin: BasisPoints::FULL,
        margin_floor: None,
        default_locale: "th".into(),
        other_locales: vec!["en".into()],
        attributes: attributes.into_iter().map(|(name, kind)| (name.into(), kind)).collect(),
        stores: BTreeMap::new(),
        point_worth_e4: 20_000,
        points: fanfare_core::points::Rules::default(),
        dev_login: true,
        events: EventRules { from_members: vec!["campaign.shared".into()], ..EventRules::default() },
        reserve_for: Span::seconds(900),
        approve_above: None,
        segments: fanfare_core::model::runtime::SegmentRules::default(),
    }
}

/// A public campaign for everyone that runs on 11 November 2026 in Bangkok, seen from the 8th, cooling down for 30 days.
pub(crate) fn campaign(name: &str) -> CampaignPlan {
    let text = |title: &str| Text { title: Some(title.into()), ..Text::default() };
    CampaignPlan {
        name: name.into(),
        revision: "r1".into(),
        title: name.into(),
        objective: Objective::Promotion,
        tags: vec!["seasonal".into()],
        schedule: Schedule {
            zone: BANGKOK,
            publish_at: Some(ts("2026-11-08T00:00:00+07:00")),
            start_at: ts("2026-11-11T00:00:00+07:00"),
            end_at: Some(ts("2026-11-12T00:00:00+07:00")),
            cool_down: Span::days(30),
            windows: Vec::new(),
        },
        suspended: false,
        visibility: Visibility::Public,
        audience: Audience::default(),
        participation: Participation { join: Join::OneTap, places: Places::default(), limits: Vec::new() },
        mechanics: Vec::new(),
        stacking: None,
        budget: None,
        notify_at: Vec::new(),
        owner: None,
        costs: BTreeMap::new(),
        attribution_window: Span::days(7),
        content: Content {
            default_locale: Some("th".into()),
            locales: [("th".into(), text("ลดครึ่ง")), ("en".into(), text("Half off"))].into(),
            assets: BTreeMap::new(),
        },
    }
}

pub(crate) fn points_reward(name: &str, amount: i64) -> RewardPlan {
    RewardPlan {
        name: name.into(),
        revision: "r1".into(),
        title: name.into(),
        kind: RewardKind::Points { amount, expire_after: None },
        codes: CodeRule::default(),
        quantity: None,
        limits: Vec::new(),
        claim: Claim::Auto,
        claim_within: None,
        remind_before: Vec::new(),
        validity: Validity { from: ValidFrom::Issue, lasts: None, until: None, not_before: None },
        redemption: Redemption {
            places: Places::default(),
            symbology: Symbology::Qr,
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

pub(crate) fn segment(name: &str, condition: Condition) -> Plan {
    Plan::Segment(SegmentPlan { name: name.into(), title: name.into(), condition })
}

pub(crate) fn inbox_channel() -> Plan {
    Plan::MessageChannel(ChannelPlan { name: "app".into(), means: Means::InApp, unit_cost: Minor::ZERO })
}

pub(crate) fn mail_channel() -> Plan {
    let means = Means::Smtp {
        host: "mail.test".into(),
        port: 25,
        security: Security::None,
        from: "shop@example.com".into(),
        credentials: None,
    };
    Plan::MessageChannel(ChannelPlan { name: "email".into(), means, unit_cost: Minor(35) })
}

pub(crate) fn template(name: &str, category: Category) -> Plan {
    let source = |subject: &str| Source { subject: subject.into(), body: "{{member.name}} / {{event.type}}".into() };
    Plan::MessageTemplate(TemplatePlan {
        name: name.into(),
        category,
        medium: Medium::InApp,
        locales: [("th".into(), source("สวัสดี {{member.name}}")), ("en".into(), source("Hi {{member.name}}"))].into(),
    })
}

pub(crate) fn automation(name: &str, build: impl FnOnce(&mut AutomationPlan)) -> Plan {
    let mut plan = AutomationPlan {
        name: name.into(),
        revision: "r1".into(),
        trigger: "member.registered".into(),
        reentry: fanfare_core::model::automation::Reentry::Once,
        exit: Vec::new(),
        steps: Vec::new(),
    };
    build(&mut plan);
    Plan::Automation(plan)
}

pub(crate) fn id(text: &str) -> MemberId {
    text.into()
}

pub(crate) fn name(text: &str) -> Name {
    text.into()
}
