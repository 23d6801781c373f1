//! Several engines on one database behave as one: each decides by what the others committed, and nothing is done twice.

use crate::{
    database,
    shared::Shared,
    support::{
        Never, Recorder, TestClock, automation, campaign, id, inbox_channel, mail_channel, name, runtime, segment,
        template, ts,
    },
};
use fanfare_core::{
    ids::{MemberId, Namespace},
    mechanic::{
        Rule, State,
        lottery::{Entry, Lottery, Prize},
    },
    model::{
        Kind, Plan,
        automation::{Action, OnAmbiguous, Step},
        campaign::{Join as JoinBy, Mechanic, Scope},
        message::Category,
        segment::Condition,
    },
    time::Ts,
};
use fanfare_engine::{
    CallError, Command, Engine, Halt, Keyed, Replied,
    audience::Record,
    ingest::{Incoming, Sender},
    join::Join,
    lists::{AddToList, PutList, RemoveFromList},
    members::{Profile, UpsertMember},
    outbox::{LEASE_S, Outbox},
    publish::{Publish, Retire},
    tx::Tx,
    worker::work_off,
    writer::{BATCH_MAX, QUEUE_MAX},
};
use fanfare_store::{Keys, Store};
use rand_chacha::{
    ChaCha12Rng,
    rand_core::{RngCore, SeedableRng},
};
use serde_json::json;
use std::{
    collections::BTreeMap,
    sync::Arc,
    time::{Duration, Instant},
};

const NOON: &str = "2026-11-11T05:00:00Z";
/// Much longer than a follower needs.
pub(crate) const SOON: Duration = Duration::from_secs(10);

fn brand() -> Namespace {
    Namespace::from("brand-a")
}

async fn replica(store: &Arc<dyn Store>, clock: &Arc<TestClock>, seed: u8) -> Engine {
    Engine::open(brand(), store.clone(), Arc::<TestClock>::clone(clock), [seed; 32]).await.unwrap()
}

/// Two replicas on one database, with a Runtime: on a PostgreSQL where the tests are run on one, else on one in memory that
/// keeps the news of `keep` batches.
pub(crate) async fn two(keep: usize) -> (database::Kept, Arc<dyn Store>, Arc<TestClock>, Engine, Engine) {
    let (store, kept) = database::open().await;
    let store = if store.shared() { store } else { Arc::new(Shared::new(keep).await) as Arc<dyn Store> };
    let clock = Arc::new(TestClock::at(NOON));
    let (one, other) = (replica(&store, &clock, 1).await, replica(&store, &clock, 2).await);
    publish(&one, Plan::CampaignRuntime(runtime()), 1).await;
    (kept, store, clock, one, other)
}

pub(crate) async fn run<C: Command>(engine: &Engine, command: C) -> C::Answer {
    engine.execute(command).await.unwrap().0.unwrap()
}

pub(crate) async fn publish(engine: &Engine, plan: Plan, generation: i64) {
    let name = match &plan {
        Plan::Campaign(plan) => plan.name.clone(),
        Plan::Segment(plan) => plan.name.clone(),
        Plan::Automation(plan) => plan.name.clone(),
        Plan::MessageTemplate(plan) => plan.name.clone(),
        Plan::MessageChannel(plan) => plan.name.clone(),
        Plan::Reward(plan) => plan.name.clone(),
        Plan::CampaignRuntime(plan) => plan.name.clone(),
    };
    let revision = format!("{name}-{generation}").as_str().into();
    run(engine, Publish { name, revision, plan, generation, author: None }).await;
}

pub(crate) async fn verified(store: &Arc<dyn Store>) {
    assert_eq!(store.verify(&brand()).await.unwrap(), Vec::<String>::new());
}

fn sharing_draws() -> Plan {
    let prize = Prize { name: name("nothing"), reward: None, weight: 1, quantity: None, per_day: None };
    let entry = Entry::Event("campaign.shared".into());
    let lottery = Lottery { entry, limits: Vec::new(), prizes: vec![prize], guaranteed_after: None };
    let mut plan = campaign("sale");
    plan.participation.join = JoinBy::Automatic;
    plan.mechanics = vec![Mechanic { name: name("draw"), scope: Scope::default(), rule: Rule::Lottery(lottery) }];
    Plan::Campaign(plan)
}

fn event(number: u64, kind: &str, member: &str) -> Incoming {
    Incoming {
        source: "till".into(),
        id: format!("e-{number}"),
        kind: kind.into(),
        subject: Some(id(member)),
        // Few instants, so that several facts of one member share theirs.
        time: Some(ts(NOON) - chrono::TimeDelta::hours((number % 3) as i64)),
        data: json!({ "campaign": "sale", "number": number }).into(),
    }
}

/// One random thing that a caller of `engine` does.
async fn anything(engine: &Engine, chance: &mut ChaCha12Rng, number: u64) {
    let member = format!("m{}", chance.next_u64() % 6);
    let list = name(["vip", "staff"][(chance.next_u64() % 2) as usize]);
    match chance.next_u64() % 9 {
        0 => {
            let attributes = json!({ "city": format!("city-{number}") }).as_object().cloned();
            let profile = Profile { attributes, tags: Some([format!("t{}", number % 4)].into()), ..Profile::default() };
            drop(run(engine, UpsertMember { id: id(&member), profile }).await);
        }
        1..=3 => {
            let kind = ["campaign.shared", "store.visited"][(chance.next_u64() % 2) as usize];
            // Now and then the same event comes again.
            let number = number - (chance.next_u64() % 2).min(number);
            let event = event(number, kind, &format!("m{}", number % 6));
            engine.ingest(vec![event], &Sender::Shop).await.unwrap();
        }
        4 => {
            let join = Join { campaign: name("sale"), member: id(&member), store: None, channel: None };
            drop(engine.execute(join).await.unwrap());
        }
        5 => {
            let members = (0..chance.next_u64() % 4).map(|n| id(&format!("m{n}"))).collect();
            run(engine, PutList { list, members, actor: "test".into() }).await;
        }
        6 => drop(engine.execute(AddToList { list, members: vec![id(&member)], actor: "test".into() }).await.unwrap()),
        7 => {
            drop(engine.execute(RemoveFromList { list, member: id(&member), actor: "test".into() }).await.unwrap());
        }
        _ if chance.next_u64().is_multiple_of(3) => {
            run(engine, Retire { kind: Kind::Segment, name: name("some"), actor: "test".into() }).await;
        }
        _ => publish(engine, segment("some", Condition::Everyone), number as i64).await,
    }
}

/// What memory keeps, without members of whom nothing is kept.
fn memory(engine: &Engine) -> (BTreeMap<MemberId, Record>, String) {
    let members = engine.audience().read();
    let told = members.iter().filter(|(_, record)| **record != Record::default());
    (told.map(|(id, record)| (id.clone(), record.clone())).collect(), engine.plans().digest.clone())
}

async fn a_random_history(seed: u64, keep: usize) {
    let (_kept, store, clock, one, other) = two(keep).await;
    publish(&one, sharing_draws(), 1).await;
    let mut chance = ChaCha12Rng::seed_from_u64(seed);
    for number in 1..80 {
        match chance.next_u64() % 3 {
            0 => anything(&one, &mut chance, number).await,
            1 => anything(&other, &mut chance, number).await,
            _ => {
                let mut another = ChaCha12Rng::seed_from_u64(chance.next_u64());
                futures::join!(anything(&one, &mut chance, number), anything(&other, &mut another, number + 1_000));
            }
        }
    }
    let reached = store.position(&brand()).await.unwrap();
    assert!(one.reaches(reached, SOON).await && other.reaches(reached, SOON).await, "seed {seed}: a follower lags");
    let anew = memory(&replica(&store, &clock, 3).await);
    assert!(anew.0.len() > 3, "seed {seed}: nothing happened");
    assert!(anew.0.values().any(|record| !record.counters.is_empty()), "seed {seed}: nothing was counted");
    assert_eq!(memory(&one), anew, "seed {seed}");
    assert_eq!(memory(&other), anew, "seed {seed}");
    verified(&store).await;
}

#[tokio::test]
async fn what_a_follower_knows_after_any_history_is_what_reading_everything_anew_finds() {
    for seed in 0..12 {
        a_random_history(seed, usize::MAX).await;
    }
}

#[tokio::test]
async fn the_same_holds_where_news_are_gone_before_they_were_followed() {
    for seed in 100..104 {
        a_random_history(seed, 1).await;
    }
}

#[tokio::test]
async fn a_command_decides_by_what_another_replica_has_just_published() {
    let (_kept, store, _, one, other) = two(usize::MAX).await;
    for generation in 1..20 {
        let mut plan = campaign("sale");
        plan.suspended = generation % 2 == 0;
        publish(&one, Plan::Campaign(plan), generation).await;
        let member = id(&format!("m{generation}"));
        // Nothing is waited for: the lane brings the other replica up to date before it decides.
        let join = Join { campaign: name("sale"), member, store: None, channel: None };
        assert_eq!(other.execute(join).await.unwrap().0.is_ok(), generation % 2 == 1, "generation {generation}");
    }
    verified(&store).await;
}

#[tokio::test]
async fn a_read_elsewhere_sees_what_was_published_before_long() {
    let (_kept, _, _, one, other) = two(usize::MAX).await;
    publish(&one, sharing_draws(), 1).await;
    let began = Instant::now();
    assert!(other.reaches(one.position(), SOON).await);
    println!("seen elsewhere after {:?}; a quarter of a second is promised", began.elapsed());
    assert!(other.plans().campaigns.contains_key(&name("sale")));
    let never = fanfare_store::Position(one.position().0 + 1);
    assert!(!other.reaches(never, Duration::from_millis(60)).await);
}

/// Counts up, and answers what it counted and when.
struct Tick;

impl Command for Tick {
    type Answer = (i64, Ts);
    fn prefetch(&self, _: &fanfare_engine::plans::Plans, keys: &mut Keys) {
        keys.counters.insert("tick".into());
    }
    fn run(&self, tx: &mut Tx<'_>) -> Result<(i64, Ts), Halt> {
        tx.count("tick")?;
        Ok((tx.count_up("tick", 1)?, tx.now))
    }
}

#[tokio::test]
async fn business_time_does_not_go_back_from_a_replica_whose_clock_is_ahead_to_one_whose_is_not() {
    let (_kept, store, clock, one, _) = two(usize::MAX).await;
    let ahead = Arc::new(TestClock::at("2026-11-11T05:00:00.700Z"));
    let other = replica(&store, &ahead, 9).await;
    assert_eq!(run(&one, Tick).await, (1, ts(NOON)));
    let at = ts("2026-11-11T05:00:00.700Z");
    assert_eq!(run(&other, Tick).await, (2, at));
    assert_eq!(run(&one, Tick).await, (3, at), "its own clock shows less");
    // One that starts now knows it too.
    let late = replica(&store, &clock, 10).await;
    assert_eq!(run(&late, Tick).await, (4, at));
    clock.set("2026-11-11T05:00:01Z");
    assert_eq!(run(&one, Tick).await, (5, ts("2026-11-11T05:00:01Z")));
}

#[tokio::test]
async fn commands_of_all_replicas_are_decided_one_after_the_other() {
    let (_kept, store, _, one, other) = two(usize::MAX).await;
    let ticks = (0..200).map(|n| if n % 2 == 0 { one.execute(Tick) } else { other.execute(Tick) });
    let mut counted: Vec<i64> =
        futures::future::join_all(ticks).await.into_iter().map(|answer| answer.unwrap().0.unwrap().0).collect();
    counted.sort_unstable();
    assert_eq!(counted, (1..=200).collect::<Vec<_>>());
    verified(&store).await;
}

async fn keyed(engine: &Engine, digest: &str) -> Result<Replied, CallError> {
    let render = Box::new(|outcome: &Result<(i64, Ts), _>| (201, format!("{outcome:?}").into_bytes()));
    let keyed = Keyed { scope: "till".into(), key: "k".into(), digest: digest.into(), render };
    engine.call(keyed, Tick).await
}

#[tokio::test]
async fn a_key_that_comes_to_two_replicas_at_once_is_decided_once() {
    let (_kept, _, _, one, other) = two(usize::MAX).await;
    let calls = (0..10).map(|n| keyed(if n % 2 == 0 { &one } else { &other }, "same"));
    let answers: Vec<_> = futures::future::join_all(calls).await.into_iter().map(Result::unwrap).collect();
    assert_eq!(answers.iter().filter(|answer| !answer.replayed).count(), 1);
    assert!(answers.iter().all(|answer| answer.body == answers[0].body));
    assert!(matches!(keyed(&other, "another body").await, Err(CallError::KeyReused)));
    assert_eq!(run(&other, Tick).await.0, 2, "it was counted once");
}

/// An automation whose first step is a message by `channel`.
async fn with_message(engine: &Engine, channel: &str, on_ambiguous: OnAmbiguous) {
    publish(engine, mail_channel(), 1).await;
    publish(engine, inbox_channel(), 1).await;
    publish(engine, template("hello", Category::Transactional), 1).await;
    let action = Action::Send { channel: name(channel), template: name("hello"), on_ambiguous };
    let step = Step { name: name("hello"), action, next: 1 };
    publish(engine, automation("welcome", |plan| plan.steps = vec![step]), 1).await;
    let identities = Some(vec![("email".to_owned(), "ann@example.com".to_owned())]);
    let profile = Profile { identities, ..Profile::default() };
    drop(run(engine, UpsertMember { id: id("ann"), profile }).await);
    let registered = Incoming { id: "r".into(), ..event(0, "member.registered", "ann") };
    engine.ingest(vec![registered], &Sender::Shop).await.unwrap();
}

#[tokio::test]
async fn a_job_that_all_replicas_see_is_done_once() {
    let (_kept, store, _, one, other) = two(usize::MAX).await;
    with_message(&one, "app", OnAmbiguous::Retry).await;
    let (first, second) = tokio::join!(work_off(&one), work_off(&other));
    assert!(first.unwrap() + second.unwrap() > 0);
    let page = fanfare_store::Page { limit: 10, after: None };
    assert_eq!(store.inbox(&brand(), &id("ann"), page).await.unwrap().len(), 1);
    verified(&store).await;
}

#[tokio::test]
async fn a_message_that_all_replicas_see_is_sent_by_one() {
    let (_kept, store, _, one, other) = two(usize::MAX).await;
    with_message(&one, "email", OnAmbiguous::Retry).await;
    work_off(&one).await.unwrap();
    let recorder = Recorder::default();
    let (mut mine, mut theirs) = (Outbox::default(), Outbox::default());
    let (first, second) = tokio::join!(mine.pass(&one, &recorder), theirs.pass(&other, &recorder));
    first.and(second).unwrap();
    assert_eq!(recorder.sent.lock().unwrap().len(), 1);
    verified(&store).await;
}

#[tokio::test]
async fn what_a_replica_has_taken_is_left_to_it_until_its_time_is_over() {
    for (on_ambiguous, sent) in [(OnAmbiguous::Skip, 0), (OnAmbiguous::Retry, 1)] {
        let (_kept, store, clock, one, other) = two(usize::MAX).await;
        with_message(&one, "email", on_ambiguous).await;
        work_off(&one).await.unwrap();
        let mut outbox = Outbox::default();
        assert!(tokio::time::timeout(Duration::from_millis(200), outbox.pass(&one, &Never)).await.is_err());
        let recorder = Recorder::default();
        let pass = async || Outbox::default().pass(&other, &recorder).await.unwrap();
        clock.forward(LEASE_S - 1);
        assert!(!pass().await, "nothing more to be looked at");
        assert_eq!(recorder.sent.lock().unwrap().len(), 0, "it may be on its way");
        clock.forward(1);
        pass().await;
        assert_eq!(recorder.sent.lock().unwrap().len(), sent, "{on_ambiguous:?}");
        verified(&store).await;
    }
}

#[tokio::test]
async fn a_full_queue_says_so_and_what_was_in_it_is_decided_when_the_database_is_back() {
    let (_kept, store, _, one, _) = two(usize::MAX).await;
    let ns = brand();
    let lane = store.begin(&ns).await.unwrap();
    let waiting: Vec<_> = (0..QUEUE_MAX + BATCH_MAX)
        .map(|_| {
            let engine = one.clone();
            tokio::spawn(async move { engine.execute(Tick).await })
        })
        .collect();
    // The writer has taken a batch of what came first; the rest fills the queue.
    tokio::time::sleep(Duration::from_millis(500)).await;
    let more = futures::future::join_all((0..BATCH_MAX + 1).map(|_| one.execute(Tick))).await;
    let refused = more.iter().filter(|answer| matches!(answer, Err(CallError::Overloaded))).count();
    assert!(refused > 0, "{} more found a place", more.len());
    drop(lane);
    let mut decided = 0;
    for call in waiting {
        decided += usize::from(call.await.unwrap().is_ok());
    }
    assert!(decided >= QUEUE_MAX, "{decided} were decided");
    verified(&store).await;
}
