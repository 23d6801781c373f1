//! The shipped queue, batch and answer under a model checker (shuttle): tasks come to run in every order that its
//! schedulers think of, and each of these must hold in all of them. A failure prints the schedule that repeats it.
//!
//! `cargo test -p fanfare-engine --features model --test model`
#![allow(clippy::unwrap_used, clippy::panic, clippy::expect_used, reason = "a test that cannot go on fails")]

mod store;

use fanfare_core::time::{Clock, Ts};
use fanfare_engine::{CallError, Command, Engine, Halt, Keyed, tx::Tx};
use shuttle::{
    Config, Runner,
    future::{block_on, spawn},
    scheduler::{PctScheduler, RandomScheduler},
};
use std::sync::Arc;
use store::{Fault, ModelStore, turn};

/// How many orders of events each property is tried in.
const ITERATIONS: usize = 3_000;
/// How many switches the schedules of PCT are made of at most: the faults that matter need few.
const DEPTH: usize = 4;
/// The stack of a task: the checker's own default is too small for a debug build.
const STACK: usize = 1 << 20;
const TILLS: usize = 4;

struct Standing;

impl Clock for Standing {
    fn now(&self) -> Ts {
        Ts::UNIX_EPOCH
    }
}

/// Writes its name, so that the store can tell whether it was written.
#[derive(Clone)]
struct Mark(String);

impl Command for Mark {
    type Answer = String;

    fn run(&self, tx: &mut Tx<'_>) -> Result<String, Halt> {
        tx.tally(&self.0, 1);
        Ok(self.0.clone())
    }
}

async fn open(store: &Arc<ModelStore>) -> Engine {
    Engine::open("shop".into(), store.clone(), Arc::new(Standing), [1; 32]).await.unwrap()
}

fn keyed(key: &str) -> Keyed<String> {
    let render = Box::new(|answer: &Result<String, _>| (201, answer.as_ref().unwrap().clone().into_bytes()));
    Keyed { scope: "till".into(), key: key.into(), digest: "d".into(), render }
}

/// Tries a property in random orders, and in those that a few unlucky switches make.
fn always(property: impl Fn() + Send + Sync + Clone + 'static) {
    Runner::new(RandomScheduler::new(ITERATIONS), config()).run(property.clone());
    Runner::new(PctScheduler::new(DEPTH, ITERATIONS), config()).run(property);
}

fn config() -> Config {
    let mut config = Config::new();
    config.stack_size = STACK;
    config
}

/// Sends `TILLS` commands at once through a queue of two and answers how each was answered, with whether the store had
/// written it by then.
async fn at_once(store: &Arc<ModelStore>) -> Vec<(Result<i64, CallError>, bool)> {
    let engine = open(store).await;
    let tills: Vec<_> = (0..TILLS)
        .map(|till| {
            let (engine, store) = (engine.clone(), store.clone());
            spawn(async move {
                let name = format!("mark-{till}");
                let answer = engine.execute(Mark(name.clone())).await;
                let written = store.written(&name) == 1;
                (answer.map(|(_, position)| position.0), written)
            })
        })
        .collect();
    drop(engine);
    let mut answers = Vec::new();
    for till in tills {
        answers.push(till.await.unwrap());
    }
    answers
}

#[test]
fn every_command_is_answered_once_and_not_before_it_is_written() {
    always(|| {
        block_on(async {
            let store = ModelStore::new(Fault::None);
            for (answer, written) in at_once(&store).await {
                assert!(answer.unwrap() <= store.committed() && written);
            }
            assert_eq!(store.all_written(), TILLS);
        });
    });
}

#[test]
fn one_that_cannot_be_written_takes_no_other_with_it() {
    always(|| {
        block_on(async {
            let store = ModelStore::new(Fault::Conflict("mark-1"));
            for (till, (answer, written)) in at_once(&store).await.into_iter().enumerate() {
                assert_eq!((answer.is_ok(), written), (till != 1, till != 1), "till {till}: {answer:?}");
            }
        });
    });
}

#[test]
fn when_the_store_is_away_nobody_is_told_that_it_was_written() {
    always(|| {
        block_on(async {
            let store = ModelStore::new(Fault::Away(1));
            for (answer, written) in at_once(&store).await {
                assert_eq!(answer.is_ok(), written, "{answer:?}");
            }
            // It is back: the writer goes on.
            let engine = open(&store).await;
            assert!(engine.execute(Mark("later".into())).await.is_ok());
        });
    });
}

#[test]
fn a_key_is_decided_once_whoever_brings_it_and_each_gets_the_same_answer() {
    always(|| {
        block_on(async {
            let store = ModelStore::new(Fault::None);
            let engine = open(&store).await;
            let tills: Vec<_> = (0..TILLS)
                .map(|till| {
                    let engine = engine.clone();
                    spawn(async move { engine.call(keyed("k"), Mark(format!("mark-{till}"))).await.unwrap() })
                })
                .collect();
            let mut answers = Vec::new();
            for till in tills {
                answers.push(till.await.unwrap());
            }
            assert_eq!(answers.iter().filter(|answer| !answer.replayed).count(), 1);
            assert!(answers.iter().all(|answer| answer.body == answers[0].body));
            assert_eq!(store.all_written(), 1);
        });
    });
}

#[test]
fn a_caller_who_goes_away_harms_no_other_and_its_command_is_written_once_or_not_at_all() {
    always(|| {
        block_on(async {
            let store = ModelStore::new(Fault::None);
            let engine = open(&store).await;
            let stays = {
                let engine = engine.clone();
                spawn(async move { engine.execute(Mark("stays".into())).await.unwrap() })
            };
            let leaves = spawn(async move { engine.execute(Mark("leaves".into())).await.map(drop) });
            turn().await;
            leaves.abort();
            stays.await.unwrap().0.unwrap();
            assert_eq!(store.written("stays"), 1);
            assert!(store.written("leaves") <= 1);
        });
    });
}

#[test]
fn with_its_last_handle_the_engine_ends_and_lets_go_of_the_store() {
    always(|| {
        block_on(async {
            let store = ModelStore::new(Fault::None);
            at_once(&store).await;
            // The writer ends by itself once nobody can send any more.
            let mut looks = 0;
            while Arc::strong_count(&store) > 1 {
                looks += 1;
                assert!(looks < 1_000, "the writer holds the store");
                turn().await;
            }
        });
    });
}

#[test]
fn the_checker_does_try_different_orders() {
    let seen = Arc::new(std::sync::Mutex::new(std::collections::BTreeSet::new()));
    let into = seen.clone();
    Runner::new(RandomScheduler::new(300), config()).run(move || {
        let into = into.clone();
        block_on(async move {
            let store = ModelStore::new(Fault::None);
            at_once(&store).await;
            into.lock().unwrap().insert(store.batches());
        });
    });
    let seen = seen.lock().unwrap();
    assert!(seen.len() > 2, "the commands always came in the same batches: {seen:?}");
}
