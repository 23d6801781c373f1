//! Batches: all or nothing, one after another, each namespace for itself.

use crate::fixtures::*;
use fanfare_core::{
    ids::Namespace,
    ledger::{Entry, Posting},
};
use fanfare_store::{Error, Keys, Page, Position, Store, Writes, rows::MessageState};
use futures::{FutureExt, TryStreamExt, future::join_all};

pub(crate) async fn an_empty_namespace_answers_nothing(store: &dyn Store) {
    let ns = shop();
    assert_eq!(store.position(&ns).await.unwrap(), Position(0));
    assert_eq!(store.incarnation(), 1);
    store.ping().await.unwrap();
    assert!(store.namespaces().await.unwrap().is_empty());
    assert!(store.published(&ns).await.unwrap().is_empty());
    assert!(store.grant(&ns, &"g-1".into()).await.unwrap().is_none());
    assert!(store.next_due(&ns).await.unwrap().is_none());
    assert!(store.members(&ns).try_collect::<Vec<_>>().await.unwrap().is_empty());
    assert!(store.verify(&ns).await.unwrap().is_empty());
    let keys = Keys { members: ["m-1".into()].into(), ..Keys::default() };
    assert!(load(store, keys).await.members.is_empty());
}

/// One row of each table.
pub(crate) fn one_of_each() -> Writes {
    Writes {
        members: vec![member("m-1")],
        new_grants: vec![grant("g-1", "m-1")],
        new_orders: vec![order("o-1")],
        new_redemptions: vec![redemption("r-1", "g-1")],
        holds: vec![hold("h-1")],
        participations: vec![participation("double-11", "m-1")],
        counters: vec![("c".into(), 2)],
        postings: vec![posting("g-1", "wallet/account-m-1", "b", 7)],
        new_events: vec![event("e-1", Some("m-1"))],
        runs: vec![run("run-1", "m-1")],
        messages: vec![message("msg-1", "m-1")],
        jobs: vec![job("j-1", 5)],
        idempotency: vec![stored("k-1")],
        published: vec![published("all", "rev-1")],
        lists_set: vec![(name("list"), vec!["m-1".into()])],
        credentials: vec![credential("t-1")],
        refresh_tokens: vec![token("tok-1", "fam", 100)],
        audit: vec![audit("a-1")],
        ..writes()
    }
}

pub(crate) async fn every_row_comes_back_as_it_was_written(store: &dyn Store) {
    let ns = shop();
    assert_eq!(commit(store, one_of_each()).await.unwrap(), Position(1));
    let keys = Keys {
        members: ["m-1".into(), "m-none".into()].into(),
        identities: [("phone".into(), "+66-m-1".into()), ("phone".into(), "none".into())].into(),
        grants: ["g-1".into()].into(),
        codes: ["CODEg-1".into()].into(),
        grants_of: ["m-1".into()].into(),
        grants_by_cause: ["event:till/g-1".into()].into(),
        orders: ["o-1".into()].into(),
        redemptions: ["r-1".into()].into(),
        redemptions_of: ["o-1".into()].into(),
        holds: ["h-1".into()].into(),
        participations: [("double-11".into(), "m-1".into())].into(),
        counters: ["c".into(), "none".into()].into(),
        balances: [("b".into(), "THB".into()), ("b".into(), "points".into())].into(),
        wallets: ["nobody".into()].into(),
        events: [("till".into(), "e-1".into())].into(),
        runs: ["run-1".into()].into(),
        runs_of: [("welcome".into(), "m-1".into())].into(),
        messages: ["msg-1".into()].into(),
        jobs: ["j-1".into()].into(),
        idempotency: [("till-1".into(), "k-1".into())].into(),
        pool_places: ["voucher".into()].into(),
        pool_codes: ["POOL1".into()].into(),
    };
    let rows = load(store, keys).await;
    assert_eq!(rows.members, [member("m-1")]);
    assert_eq!(rows.identities, [("phone".into(), "+66-m-1".into(), "m-1".into())]);
    assert_eq!(rows.grants, [grant("g-1", "m-1")], "once, though asked for in four ways");
    assert_eq!(rows.orders, [order("o-1")]);
    assert_eq!(rows.redemptions, [redemption("r-1", "g-1")]);
    assert_eq!(rows.holds, [hold("h-1")]);
    assert_eq!(rows.participations, [participation("double-11", "m-1")]);
    assert_eq!(rows.counters, [("c".into(), 2)]);
    assert_eq!(rows.balances, [("b".into(), "THB".into(), 7)]);
    assert_eq!(rows.events, [event("e-1", Some("m-1"))]);
    assert_eq!(rows.runs, [run("run-1", "m-1")]);
    assert_eq!(rows.messages, [message("msg-1", "m-1")]);
    assert_eq!(rows.jobs, [job("j-1", 5)]);
    assert_eq!(rows.idempotency, [stored("k-1")]);

    assert_eq!(store.member(&ns, &"m-1".into()).await.unwrap(), Some(member("m-1")));
    assert_eq!(store.grant(&ns, &"g-1".into()).await.unwrap(), Some(grant("g-1", "m-1")));
    assert_eq!(store.order(&ns, &"o-1".into()).await.unwrap(), Some(order("o-1")));
    assert_eq!(store.redemption(&ns, &"r-1".into()).await.unwrap(), Some(redemption("r-1", "g-1")));
    assert_eq!(store.redemptions_of(&ns, &"o-1".into()).await.unwrap(), [redemption("r-1", "g-1")]);
    assert_eq!(store.published(&ns).await.unwrap(), [published("all", "rev-1")]);
    assert_eq!(store.audit(&ns, page(9)).await.unwrap(), [audit("a-1")]);
    assert_eq!(store.credential("digest-t-1").await.unwrap(), Some(credential("t-1")));
    assert_eq!(store.refresh_token("tok-1").await.unwrap(), Some(token("tok-1", "fam", 100)));
    assert_eq!(store.members(&ns).try_collect::<Vec<_>>().await.unwrap(), [member("m-1")]);
    assert_eq!(store.events(&ns).try_collect::<Vec<_>>().await.unwrap(), [event("e-1", Some("m-1"))]);
    let participations = store.participations(&ns).try_collect::<Vec<_>>().await.unwrap();
    assert_eq!(participations, [participation("double-11", "m-1")]);
    assert_eq!(store.runs(&ns, &name("welcome"), page(9)).await.unwrap(), [run("run-1", "m-1")]);
    assert_eq!(store.namespaces().await.unwrap(), [shop()]);
    assert_eq!(store.verify(&ns).await.unwrap(), [""; 0]);
}

/// Commits `wrong` together with a counter; it has to be refused and leave nothing.
async fn refused(store: &dyn Store, what: &str, wrong: Writes) {
    let before = store.position(&shop()).await.unwrap();
    let counters = vec![("witness".to_owned(), 1)];
    let answer = commit(store, Writes { counters, ..wrong }).await;
    assert!(matches!(answer, Err(Error::Conflict(_))), "{what}: {answer:?}");
    assert_eq!(store.position(&shop()).await.unwrap(), before, "{what}");
    assert!(store.counters(&shop(), "witness").await.unwrap().is_empty(), "{what}");
}

pub(crate) async fn what_must_not_exist_voids_the_batch(store: &dyn Store) {
    commit(store, one_of_each()).await.unwrap();
    let other_code = |id: &str, code: &str| {
        let mut row = grant(id, "m-1");
        row.code = Some(code.into());
        row
    };
    let mut cause = message("msg-2", "m-1");
    cause.cause = message("msg-1", "m-1").cause;
    let mut identity = member("m-2");
    identity.identities = member("m-1").identities;
    let mut account = member("m-3");
    account.account = member("m-1").account;
    let cases = [
        ("a grant's id", Writes { new_grants: vec![other_code("g-1", "NEW")], ..writes() }),
        ("a grant's code", Writes { new_grants: vec![other_code("g-2", "CODEg-1")], ..writes() }),
        (
            "two grants of one id",
            Writes { new_grants: vec![other_code("g-3", "A"), other_code("g-3", "B")], ..writes() },
        ),
        ("an order's id", Writes { new_orders: vec![order("o-1")], ..writes() }),
        ("a redemption's id", Writes { new_redemptions: vec![redemption("r-1", "g-1")], ..writes() }),
        ("a second live redemption", Writes { new_redemptions: vec![redemption("r-2", "g-1")], ..writes() }),
        ("an event's id", Writes { new_events: vec![event("e-1", None)], ..writes() }),
        ("an idempotency key", Writes { idempotency: vec![stored("k-1")], ..writes() }),
        ("a message's cause", Writes { messages: vec![cause], ..writes() }),
        ("an identity", Writes { members: vec![identity], ..writes() }),
        ("an account", Writes { members: vec![account], ..writes() }),
        ("an audit row", Writes { audit: vec![audit("a-1")], ..writes() }),
    ];
    for (what, wrong) in cases {
        refused(store, what, wrong).await;
    }
    assert_eq!(store.verify(&shop()).await.unwrap(), [""; 0]);
}

pub(crate) async fn what_must_exist_voids_the_batch(store: &dyn Store) {
    commit(store, one_of_each()).await.unwrap();
    let mut other_grant = redemption("r-1", "g-1");
    other_grant.grant = "g-2".into();
    let cases = [
        ("a grant", Writes { grants: vec![grant("g-1", "m-1"), grant("g-9", "m-1")], ..writes() }),
        ("an order", Writes { orders: vec![order("o-9")], ..writes() }),
        ("a redemption", Writes { redemptions: vec![redemption("r-9", "g-1")], ..writes() }),
        ("a redemption of that grant", Writes { redemptions: vec![other_grant], ..writes() }),
        ("the grant of a redemption", Writes { new_redemptions: vec![redemption("r-2", "g-9")], ..writes() }),
    ];
    for (what, wrong) in cases {
        refused(store, what, wrong).await;
    }
}

pub(crate) async fn what_cannot_be_written_voids_the_batch(store: &dyn Store) {
    commit(store, Writes { counters: vec![("full".into(), i64::MAX)], ..writes() }).await.unwrap();
    let one_sided = Posting {
        rule: "test".into(),
        reference: "x".into(),
        entries: vec![Entry { account: "a".into(), unit: "THB".into(), amount: 1 }],
    };
    let mut other_unit = posting("x", "a", "b", 1);
    other_unit.entries[1].unit = "points".into();
    let mut foreign = credential("t-2");
    foreign.namespace = Namespace::from("other");
    let cases = [
        ("a posting of one side", Writes { postings: vec![one_sided], ..writes() }),
        ("a posting of two units", Writes { postings: vec![other_unit], ..writes() }),
        ("a text with NUL", Writes { members: vec![member("a\u{0}b")], ..writes() }),
        ("a credential of another namespace", Writes { credentials: vec![foreign], ..writes() }),
        ("no instant", Writes { at: None, ..writes() }),
    ];
    for (what, wrong) in cases {
        refused(store, what, wrong).await;
    }
    for deltas in [vec![("full".to_owned(), 1)], vec![("new".into(), i64::MAX), ("new".into(), 1)]] {
        let answer = commit(store, Writes { counters: deltas, ..writes() }).await;
        assert!(matches!(answer, Err(Error::Conflict(_))), "{answer:?}");
    }
}

pub(crate) async fn a_dropped_batch_leaves_nothing_and_frees_the_lane(store: &dyn Store) {
    let ns = shop();
    for _ in 0..3 {
        let mut batch = store.begin(&ns).await.unwrap();
        batch.load(&Keys { counters: ["c".into()].into(), ..Keys::default() }).await.unwrap();
        drop(batch);
    }
    assert!(store.namespaces().await.unwrap().is_empty());
    assert_eq!(commit(store, one_of_each()).await.unwrap(), Position(1));
}

pub(crate) async fn a_cancelled_batch_frees_the_lane(store: &dyn Store) {
    let ns = shop();
    commit(store, writes_one("c")).await.unwrap();
    let mut committed = 1;
    for polls in 0..40 {
        let batch = store.begin(&ns).await.unwrap();
        let mut commit = batch.commit(writes_one("c")).boxed();
        let mut done = false;
        for _ in 0..polls {
            tokio::task::yield_now().await;
            if let Some(answer) = (&mut commit).now_or_never() {
                answer.unwrap();
                done = true;
                break;
            }
            std::thread::yield_now();
        }
        drop(commit);
        // Whatever was cut off, the lane is free, and the batch is there as a whole or not at all.
        let mut batch = store.begin(&ns).await.unwrap();
        let rows = batch.load(&Keys { counters: ["c".into()].into(), ..Keys::default() }).await.unwrap();
        let found = rows.counters.first().map_or(0, |(_, value)| *value);
        assert!(found == committed || found == committed + 1, "{found} after {committed}");
        assert!(!done || found == committed + 1, "acknowledged and lost");
        assert_eq!(batch.position(), Position(found));
        committed = found;
    }
    assert_eq!(store.verify(&ns).await.unwrap(), [""; 0]);
}

fn writes_one(counter: &str) -> Writes {
    let postings = vec![posting("x", "a", "b", 1)];
    Writes { counters: vec![(counter.into(), 1)], postings, ..writes() }
}

pub(crate) async fn an_empty_batch_moves_nothing(store: &dyn Store) {
    assert_eq!(commit(store, writes()).await.unwrap(), Position(0));
    assert!(store.namespaces().await.unwrap().is_empty());
    assert_eq!(commit(store, Writes { jobs: vec![job("j", 1)], ..writes() }).await.unwrap(), Position(1));
    assert_eq!(commit(store, Writes { done_jobs: vec!["none".into()], ..writes() }).await.unwrap(), Position(2));
}

pub(crate) async fn batches_of_one_lane_follow_each_other(store: &dyn Store) {
    const WRITERS: i64 = 24;
    let ns = shop();
    let claims = join_all((0..WRITERS).map(async |_| {
        let mut batch = store.begin(&ns).await.unwrap();
        let keys = Keys { counters: ["taken".into()].into(), ..Keys::default() };
        let taken = batch.load(&keys).await.unwrap().counters.first().map_or(0, |(_, value)| *value);
        batch.commit(Writes { counters: vec![("taken".into(), 1)], ..writes() }).await.unwrap();
        taken
    }))
    .await;
    let mut claims = claims;
    claims.sort_unstable();
    assert_eq!(claims, (0..WRITERS).collect::<Vec<_>>(), "each saw what those before it wrote");
    assert_eq!(store.position(&ns).await.unwrap(), Position(WRITERS));
}

pub(crate) async fn namespaces_do_not_see_each_other(store: &dyn Store) {
    let other = Namespace::from("other");
    commit(store, one_of_each()).await.unwrap();
    assert_eq!(store.position(&other).await.unwrap(), Position(0));
    // The same keys are free there: nothing is unique across namespaces but secrets.
    let again = Writes { credentials: Vec::new(), refresh_tokens: Vec::new(), ..one_of_each() };
    commit_in(store, &other, again).await.unwrap();
    let mut sent = message("msg-9", "m-1");
    sent.state = MessageState::Sent;
    commit_in(store, &other, Writes { messages: vec![sent], ..writes() }).await.unwrap();
    assert!(store.inbox(&shop(), &"m-1".into(), page(9)).await.unwrap().is_empty());
    assert_eq!(store.inbox(&other, &"m-1".into(), page(9)).await.unwrap().len(), 1);
    assert_eq!(store.counters(&shop(), "").await.unwrap(), [("c".into(), 2)]);
    assert_eq!(store.namespaces().await.unwrap(), [other.clone(), shop()]);
    for ns in [shop(), other] {
        assert_eq!(store.verify(&ns).await.unwrap(), [""; 0]);
        assert_eq!(store.events(&ns).try_collect::<Vec<_>>().await.unwrap().len(), 1);
    }
}

pub(crate) async fn news_follow_their_batches(store: &dyn Store) {
    let ns = shop();
    let told = |body: &[u8]| Writes { counters: vec![("c".into(), 1)], news: Some(body.to_vec()), ..writes() };
    assert_eq!(store.news(&ns, Position(0)).await.unwrap(), Some(vec![]));
    assert_eq!(commit(store, told(b"one")).await.unwrap(), Position(1));
    let two = Writes { postings: vec![posting("1", "a", "b", 1), posting("2", "a", "b", 1)], ..told(&[0, 255]) };
    assert_eq!(commit(store, two).await.unwrap(), Position(3), "one a transaction of the ledger");
    commit(store, Writes { jobs: vec![job("quiet", 1)], ..writes() }).await.unwrap();
    assert_eq!(commit(store, Writes { news: Some(b"alone".to_vec()), ..writes() }).await.unwrap(), Position(4));
    let all = match store.shared() {
        true => vec![(Position(1), b"one".to_vec()), (Position(3), vec![0, 255])],
        false => Vec::new(),
    };
    for (since, kept) in [(0, &all[..]), (1, all.get(1..).unwrap_or(&[])), (3, &[]), (4, &[])] {
        assert_eq!(store.news(&ns, Position(since)).await.unwrap().as_deref(), Some(kept), "{since}");
        let mut batch = store.begin(&ns).await.unwrap();
        assert_eq!(batch.news(Position(since)).await.unwrap().as_deref(), Some(kept), "{since}");
    }
    assert_eq!(store.news(&Namespace::from("other"), Position(0)).await.unwrap(), Some(vec![]));
}

pub(crate) async fn a_key_that_no_row_can_have_finds_nothing(store: &dyn Store) {
    commit(store, one_of_each()).await.unwrap();
    let ns = shop();
    let keys = Keys {
        members: ["m-1".into(), "m\0".into()].into(),
        identities: [("phone".into(), "\0".into()), ("phone".into(), "+66-m-1".into())].into(),
        codes: ["\0".into()].into(),
        runs_of: [("wel\0come".into(), "m-1".into())].into(),
        idempotency: [("till-1".into(), "\0".into()), ("till-1".into(), "k-1".into())].into(),
        ..Keys::default()
    };
    let rows = load(store, keys).await;
    assert_eq!((rows.members.len(), rows.identities.len(), rows.idempotency.len()), (1, 1, 1));
    assert!(rows.grants.is_empty() && rows.runs.is_empty());
    assert!(store.member(&ns, &"m\0".into()).await.unwrap().is_none());
    assert!(store.grant(&ns, &"\0".into()).await.unwrap().is_none());
    assert!(store.runs(&ns, &name("wel\0come"), page(9)).await.unwrap().is_empty());
    assert!(store.credential("\0").await.unwrap().is_none());
    store.audit(&ns, Page { limit: 9, after: Some("a\0".into()) }).await.unwrap();
    // As long as a key may be, and longer than an index takes in some databases: kept or refused, but decided.
    let long = Writes { counters: vec![("x".repeat(9_000), 1)], ..writes() };
    assert!(matches!(commit(store, long).await, Ok(_) | Err(Error::Conflict(_))));
}
