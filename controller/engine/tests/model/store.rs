//! A store for the model: it keeps counters and answers, gives the lane to one at a time, and lets others run between any
//! two of its steps.

use fanfare_core::{
    ids::{AccountId, Code, GrantId, MemberId, Name, Namespace, OrderId, RedemptionId},
    ledger::Entry,
    model::Kind,
    time::Ts,
};
use fanfare_store::{
    Answer, Batch, Error, Keys, News, Page, Position, Result, Rows, Store, Writes,
    reports::{Asked, Cut, ExceptionsOf, Inspection},
    rows::{
        self, Audit, Credential, Event, Grant, Job, LedgerLine, Member, Message, Order, Published, Redemption,
        RefreshToken, Run, Stored,
    },
};
use futures::stream::{self, BoxStream};
use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex},
};

/// Lets any other task run.
pub(crate) async fn turn() {
    shuttle::future::yield_now().await;
}

/// What goes wrong.
pub(crate) enum Fault {
    /// Nothing.
    None,
    /// A batch with this mark cannot be written.
    Conflict(&'static str),
    /// So many batches cannot be written at all.
    Away(usize),
}

#[derive(Default)]
struct Kept {
    marks: BTreeMap<String, i64>,
    answers: BTreeMap<(String, String), Stored>,
    position: i64,
    batches: Vec<usize>,
    away: usize,
    held: bool,
}

pub(crate) struct ModelStore {
    kept: Mutex<Kept>,
    conflict: Option<&'static str>,
}

struct ModelBatch<'a>(&'a ModelStore);

impl Drop for ModelBatch<'_> {
    fn drop(&mut self) {
        self.0.kept.lock().unwrap().held = false;
    }
}

impl ModelStore {
    pub(crate) fn new(fault: Fault) -> Arc<Self> {
        let (away, conflict) = match fault {
            Fault::None => (0, None),
            Fault::Conflict(mark) => (0, Some(mark)),
            Fault::Away(batches) => (batches, None),
        };
        Arc::new(Self { kept: Mutex::new(Kept { away, ..Kept::default() }), conflict })
    }

    /// How often a mark was written.
    pub(crate) fn written(&self, mark: &str) -> i64 {
        self.kept.lock().unwrap().marks.get(mark).copied().unwrap_or(0)
    }

    /// How many marks were written.
    pub(crate) fn all_written(&self) -> usize {
        self.kept.lock().unwrap().marks.values().map(|times| usize::try_from(*times).unwrap()).sum()
    }

    /// The last position.
    pub(crate) fn committed(&self) -> i64 {
        self.kept.lock().unwrap().position
    }

    /// How many marks each batch wrote.
    pub(crate) fn batches(&self) -> Vec<usize> {
        self.kept.lock().unwrap().batches.clone()
    }
}

impl Batch for ModelBatch<'_> {
    fn position(&self) -> Position {
        Position(self.0.committed())
    }

    fn news<'a>(&'a mut self, _: Position) -> Answer<'a, Option<News>> {
        Box::pin(async { Ok(Some(News::new())) })
    }

    fn load<'a>(&'a mut self, keys: &'a Keys) -> Answer<'a, Rows> {
        Box::pin(async {
            turn().await;
            let kept = self.0.kept.lock().unwrap();
            let idempotency = keys.idempotency.iter().filter_map(|key| kept.answers.get(key).cloned()).collect();
            Ok(Rows { idempotency, ..Rows::default() })
        })
    }

    fn commit<'a>(self: Box<Self>, writes: Writes) -> Answer<'a, Position>
    where
        Self: 'a,
    {
        Box::pin(async move {
            turn().await;
            let position = {
                let mut kept = self.0.kept.lock().unwrap();
                if kept.away > 0 {
                    kept.away -= 1;
                    return Err(Error::Unavailable("it is away".into()));
                }
                if writes.counters.iter().any(|(mark, _)| Some(mark.as_str()) == self.0.conflict) {
                    return Err(Error::Conflict("it cannot be written".into()));
                }
                kept.batches.push(writes.counters.len());
                for (mark, times) in writes.counters {
                    *kept.marks.entry(mark).or_default() += times;
                }
                for answer in writes.idempotency {
                    let before = kept.answers.insert((answer.scope.clone(), answer.key.clone()), answer);
                    assert!(before.is_none(), "a key was decided twice");
                }
                kept.position += 1;
                kept.position
            };
            // Written, and not answered yet.
            turn().await;
            Ok(Position(position))
        })
    }
}

/// Reads of what this store does not keep.
macro_rules! nothing {
    ($($name:ident($($kind:ty),*) -> $of:ty;)*) => {
        $(fn $name<'a>(&'a self, $(_: $kind),*) -> Answer<'a, $of> {
            Box::pin(async { Ok(Default::default()) })
        })*
    };
}

macro_rules! no_stream {
    ($($name:ident -> $of:ty;)*) => {
        $(fn $name<'a>(&'a self, _: &'a Namespace) -> BoxStream<'a, Result<$of>> {
            Box::pin(stream::empty())
        })*
    };
}

impl Store for ModelStore {
    fn begin<'a>(&'a self, _: &'a Namespace) -> Answer<'a, Box<dyn Batch + 'a>> {
        Box::pin(async {
            loop {
                turn().await;
                let mut kept = self.kept.lock().unwrap();
                if !kept.held {
                    kept.held = true;
                    return Ok(Box::new(ModelBatch(self)) as Box<dyn Batch + 'a>);
                }
            }
        })
    }

    fn incarnation(&self) -> i64 {
        1
    }

    fn shared(&self) -> bool {
        false
    }

    fn time(&self) -> Answer<'_, Option<Ts>> {
        Box::pin(async { Ok(None) })
    }

    fn ping(&self) -> Answer<'_, ()> {
        Box::pin(async { Ok(()) })
    }

    fn namespaces(&self) -> Answer<'_, Vec<Namespace>> {
        Box::pin(async { Ok(Vec::new()) })
    }

    no_stream! {
        members -> Member;
        events -> Event;
        lists -> (Name, MemberId);
        participations -> rows::Participation;
    }

    fn ledger<'a>(&'a self, _: &'a Namespace, _: Position) -> BoxStream<'a, Result<LedgerLine>> {
        Box::pin(stream::empty())
    }

    nothing! {
        news(&'a Namespace, Position) -> Option<News>;
        position(&'a Namespace) -> Position;
        published(&'a Namespace) -> Vec<Published>;
        counters(&'a Namespace, &'a str) -> Vec<(String, i64)>;
        balances(&'a Namespace, &'a str) -> Vec<Entry>;
        member(&'a Namespace, &'a MemberId) -> Option<Member>;
        grants_of(&'a Namespace, &'a MemberId, Option<rows::GrantState>, Page) -> Vec<Grant>;
        grant(&'a Namespace, &'a GrantId) -> Option<Grant>;
        imported_code(&'a Namespace, &'a Code) -> Option<rows::Pooled>;
        order(&'a Namespace, &'a OrderId) -> Option<Order>;
        redemption(&'a Namespace, &'a RedemptionId) -> Option<Redemption>;
        redemptions_of(&'a Namespace, &'a OrderId) -> Vec<Redemption>;
        inbox(&'a Namespace, &'a MemberId, Page) -> Vec<Message>;
        wallet_lines(&'a Namespace, &'a AccountId, Page) -> Vec<LedgerLine>;
        audit(&'a Namespace, Page) -> Vec<Audit>;
        due(&'a Namespace, Ts, usize) -> Vec<Job>;
        next_due(&'a Namespace) -> Option<Ts>;
        outbox(&'a Namespace, usize) -> Vec<Message>;
        sending(&'a Namespace, usize) -> Vec<Message>;
        credential(&'a str) -> Option<Credential>;
        credentials(&'a Namespace) -> Vec<Credential>;
        refresh_token(&'a str) -> Option<RefreshToken>;
        setting(&'a str) -> Option<Vec<u8>>;
        set_setting(&'a str, &'a [u8]) -> ();
        first_setting(&'a str, &'a [u8]) -> Vec<u8>;
        restored(&'a str) -> i64;
        raise(&'a str) -> i64;
        revisions(&'a Namespace, Kind, &'a Name) -> Vec<Published>;
        runs(&'a Namespace, &'a Name, Page) -> Vec<Run>;
        inspect(&'a Namespace) -> Inspection;
        cut(&'a Namespace, &'a Asked) -> Cut;
        exceptions(&'a Namespace, &'a ExceptionsOf, Page) -> Vec<Audit>;
        answered(&'a Namespace, &'a str, &'a str, bool, Page) -> Vec<(Event, Option<Event>)>;
    }
}
