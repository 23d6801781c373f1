//! Pages, revisions, lists, jobs, messages, members, tokens.

use crate::fixtures::*;
use fanfare_core::{
    ids::{Code, MemberId, MessageId},
    model::Kind,
};
use fanfare_store::{
    Error, Fence, Keys, PAGE_MAX, Page, Store, Writes, restored,
    rows::{GrantState, MessageState, Pooled, RunState},
};
use futures::{TryStreamExt, future::join_all};
use std::collections::BTreeSet;

pub(crate) async fn pages_go_on_where_the_last_ended(store: &dyn Store) {
    let ns = shop();
    let ids = (0..250).map(|number| format!("{number:03}")).collect::<Vec<_>>();
    let sent = |id: &String| {
        let mut row = message(id, "m-1");
        row.state = MessageState::Sent;
        row
    };
    let all = Writes {
        new_grants: ids.iter().map(|id| grant(id, if id < &"200".to_owned() { "m-1" } else { "m-2" })).collect(),
        messages: ids.iter().map(sent).collect(),
        postings: ids.iter().map(|id| posting(id, "x", "wallet/acc", 1)).collect(),
        audit: ids.iter().map(|id| audit(id)).collect(),
        runs: ids.iter().map(|id| run(id, id)).collect(),
        ..writes()
    };
    commit(store, all).await.unwrap();

    let (mut grants, mut messages, mut lines, mut audits, mut runs) = (vec![], vec![], vec![], vec![], vec![]);
    let (m1, automation, account) = ("m-1".into(), name("welcome"), "acc".into());
    let after = |seen: &[String]| Page { limit: 60, after: seen.last().cloned() };
    for _ in 0..6 {
        let page = store.grants_of(&ns, &m1, None, after(&grants)).await.unwrap();
        grants.extend(page.iter().map(|row| row.id.to_string()));
        let page = store.inbox(&ns, &m1, after(&messages)).await.unwrap();
        messages.extend(page.iter().map(|row| row.id.to_string()));
        let page = store.wallet_lines(&ns, &account, after(&lines)).await.unwrap();
        lines.extend(page.iter().map(|row| row.cursor()));
        let page = store.audit(&ns, after(&audits)).await.unwrap();
        audits.extend(page.iter().map(|row| row.id.clone()));
        let page = store.runs(&ns, &automation, after(&runs)).await.unwrap();
        runs.extend(page.iter().map(|row| row.id.to_string()));
    }
    let newest_first = ids.iter().rev().cloned().collect::<Vec<_>>();
    assert_eq!(grants, newest_first[50..]);
    assert_eq!(messages, newest_first);
    assert_eq!(audits, newest_first);
    assert_eq!(runs, newest_first);
    assert_eq!(lines.len(), 250);
    assert_eq!((lines[0].as_str(), lines[249].as_str()), ("250.1", "1.1"));

    let most = store.grants_of(&ns, &m1, Some(GrantState::Claimed), page(9_999)).await.unwrap();
    assert_eq!(most.len(), PAGE_MAX);
    assert!(store.grants_of(&ns, &m1, Some(GrantState::Revoked), page(9)).await.unwrap().is_empty());
    let nonsense = Page { limit: 9, after: Some("nonsense".into()) };
    assert!(store.wallet_lines(&ns, &account, nonsense).await.unwrap().is_empty());
}

pub(crate) async fn a_revision_replaces_the_served_one_and_stays(store: &dyn Store) {
    let ns = shop();
    let publish = |revision: &str, second: i64| {
        let mut row = published("all", revision);
        row.at = at(second);
        Writes { published: vec![row], ..writes() }
    };
    commit(store, publish("rev-1", 1)).await.unwrap();
    commit(store, publish("rev-2", 2)).await.unwrap();
    commit(store, Writes { published: vec![published("other", "rev-1")], ..writes() }).await.unwrap();
    let served = |rows: Vec<fanfare_store::rows::Published>| {
        rows.iter().map(|row| (row.name.to_string(), row.revision.to_string())).collect::<Vec<_>>()
    };
    let pair = |name: &str, revision: &str| (name.to_owned(), revision.to_owned());
    assert_eq!(served(store.published(&ns).await.unwrap()), [pair("all", "rev-2"), pair("other", "rev-1")]);

    // The same again replaces flags and plan only: it stays published when it was.
    let mut settled = published("all", "rev-2");
    settled.plan = published("all", "told more").plan;
    (settled.settled, settled.generation, settled.at) = (true, 7, at(99));
    commit(store, Writes { published: vec![settled], ..writes() }).await.unwrap();
    let revisions = store.revisions(&ns, Kind::Segment, &name("all")).await.unwrap();
    assert_eq!(served(revisions.clone()), [pair("all", "rev-2"), pair("all", "rev-1")]);
    assert_eq!((revisions[0].at, revisions[0].settled, revisions[0].generation), (at(2), true, 7));
    assert_eq!(revisions[0].plan, published("all", "told more").plan);

    // Back to the first.
    commit(store, publish("rev-1", 3)).await.unwrap();
    let revisions = store.revisions(&ns, Kind::Segment, &name("all")).await.unwrap();
    assert_eq!(served(revisions.clone()), [pair("all", "rev-1"), pair("all", "rev-2")]);
    assert_eq!(revisions[0].at, at(3));

    commit(store, Writes { retired: vec![(Kind::Segment, name("all"))], ..writes() }).await.unwrap();
    assert_eq!(served(store.published(&ns).await.unwrap()), [pair("other", "rev-1")]);
    let revisions = store.revisions(&ns, Kind::Segment, &name("all")).await.unwrap();
    assert_eq!((revisions.len(), revisions[0].retired), (2, true));
    commit(store, publish("rev-1", 4)).await.unwrap();
    assert_eq!(store.published(&ns).await.unwrap().len(), 2);

    let mut wrong = published("all", "rev-3");
    wrong.kind = Kind::Reward;
    let answer = commit(store, Writes { published: vec![wrong], ..writes() }).await;
    assert!(matches!(answer, Err(Error::Conflict(_))));
}

pub(crate) async fn lists_are_set_added_to_and_removed_from(store: &dyn Store) {
    let ns = shop();
    let list = |text: &str| name(text);
    let members = |ids: &[&str]| ids.iter().map(|id| MemberId::from(*id)).collect::<Vec<_>>();
    let set = vec![(list("a"), members(&["1", "2", "2"])), (list("b"), members(&["9"]))];
    commit(store, Writes { lists_set: set, ..writes() }).await.unwrap();
    let list_added = vec![(list("a"), "3".into()), (list("a"), "1".into())];
    let list_removed = vec![(list("a"), "2".into()), (list("b"), "1".into())];
    commit(store, Writes { list_added, list_removed, ..writes() }).await.unwrap();
    commit(store, Writes { lists_set: vec![(list("b"), members(&["8"]))], ..writes() }).await.unwrap();
    let rows = store.lists(&ns).try_collect::<Vec<_>>().await.unwrap();
    assert_eq!(rows, [(list("a"), "1".into()), (list("a"), "3".into()), (list("b"), "8".into())]);
    commit(store, Writes { lists_set: vec![(list("a"), vec![])], ..writes() }).await.unwrap();
    assert_eq!(store.lists(&ns).try_collect::<Vec<_>>().await.unwrap().len(), 1);
}

pub(crate) async fn jobs_are_due_moved_and_done(store: &dyn Store) {
    let ns = shop();
    let jobs = vec![job("late", 30), job("soon", 10), job("sooner", 5)];
    commit(store, Writes { jobs, ..writes() }).await.unwrap();
    assert_eq!(store.next_due(&ns).await.unwrap(), Some(at(5)));
    assert_eq!(store.due(&ns, at(10), 9).await.unwrap(), [job("sooner", 5), job("soon", 10)]);
    assert_eq!(store.due(&ns, at(10), 1).await.unwrap(), [job("sooner", 5)]);
    assert!(store.due(&ns, at(4), 9).await.unwrap().is_empty());
    // Done and scheduled again in one batch: it is there again.
    let done_jobs = vec!["soon".into(), "sooner".into(), "none".into()];
    commit(store, Writes { done_jobs, jobs: vec![job("sooner", 20), job("late", 15)], ..writes() }).await.unwrap();
    assert_eq!(store.due(&ns, at(99), 9).await.unwrap(), [job("late", 15), job("sooner", 20)]);
}

pub(crate) async fn messages_wait_are_taken_and_arrive(store: &dyn Store) {
    let ns = shop();
    let in_state = |id: &str, state, in_app| {
        let mut row = message(id, "m-1");
        (row.state, row.in_app) = (state, in_app);
        row
    };
    let ids = |rows: Vec<fanfare_store::rows::Message>| rows.iter().map(|row| row.id.clone()).collect::<Vec<_>>();
    let all = ["1", "2", "3"].map(|id| in_state(id, MessageState::Queued, true)).to_vec();
    commit(store, Writes { messages: all, ..writes() }).await.unwrap();
    assert_eq!(ids(store.outbox(&ns, 2).await.unwrap()), ["1", "2"].map(MessageId::from));
    let taken = vec![in_state("1", MessageState::Sending, true), in_state("2", MessageState::Sent, true)];
    let mail = in_state("4", MessageState::Sent, false);
    commit(store, Writes { messages: [taken, vec![mail]].concat(), ..writes() }).await.unwrap();
    assert_eq!(ids(store.outbox(&ns, 9).await.unwrap()), ["3"].map(MessageId::from));
    assert_eq!(ids(store.sending(&ns, 9).await.unwrap()), ["1"].map(MessageId::from));
    assert_eq!(ids(store.inbox(&ns, &"m-1".into(), page(9)).await.unwrap()), ["2"].map(MessageId::from));
    let mut left = run("run-1", "m-1");
    commit(store, Writes { runs: vec![left.clone()], ..writes() }).await.unwrap();
    (left.state, left.left_at, left.step) = (RunState::Completed, Some(at(3)), 1);
    commit(store, Writes { runs: vec![left.clone()], ..writes() }).await.unwrap();
    assert!(store.runs(&ns, &name("welcome"), page(9)).await.unwrap().is_empty());
    let keys = Keys { runs_of: [("welcome".into(), "m-1".into())].into(), ..Keys::default() };
    assert_eq!(load(store, keys).await.runs, [left]);
}

pub(crate) async fn identities_move_with_their_member(store: &dyn Store) {
    let ns = shop();
    commit(store, Writes { members: vec![member("m-1"), member("m-2")], ..writes() }).await.unwrap();
    // m-1 is merged into m-2, which takes its phone.
    let (mut gone, mut kept) = (member("m-1"), member("m-2"));
    kept.identities.extend(std::mem::take(&mut gone.identities));
    gone.merged_into = Some("m-2".into());
    commit(store, Writes { members: vec![kept.clone(), gone.clone()], ..writes() }).await.unwrap();
    let keys = Keys { identities: [("phone".into(), "+66-m-1".into())].into(), ..Keys::default() };
    assert_eq!(load(store, keys).await.identities, [("phone".into(), "+66-m-1".into(), "m-2".into())]);
    assert_eq!(store.members(&ns).try_collect::<Vec<_>>().await.unwrap(), [gone, kept]);
    assert_eq!(store.verify(&ns).await.unwrap(), [""; 0]);
}

pub(crate) async fn tokens_are_used_revoked_and_forgotten(store: &dyn Store) {
    let tokens = vec![token("a", "one", 100), token("b", "one", 100), token("c", "two", 50)];
    commit(store, Writes { refresh_tokens: tokens, ..writes() }).await.unwrap();
    commit(store, Writes { revoked_families: vec!["one".into()], ..writes() }).await.unwrap();
    for (digest, used) in [("a", true), ("b", true), ("c", false)] {
        assert_eq!(store.refresh_token(digest).await.unwrap().map(|row| row.used), Some(used), "{digest}");
    }
    // Tokens live in real time, which a batch does not know: 400 days before the newest one's end, all have ended.
    let far = token("d", "three", 60 + 400 * 86_400);
    commit(store, Writes { refresh_tokens: vec![far], ..writes() }).await.unwrap();
    assert!(store.refresh_token("c").await.unwrap().is_none(), "it has lapsed");
    assert!(store.refresh_token("a").await.unwrap().is_some());

    let mut revoked = credential("t-1");
    commit(store, Writes { credentials: vec![revoked.clone()], ..writes() }).await.unwrap();
    revoked.revoked = true;
    commit(store, Writes { credentials: vec![revoked.clone()], ..writes() }).await.unwrap();
    assert_eq!(store.credential("digest-t-1").await.unwrap(), Some(revoked));
    assert!(store.credential("none").await.unwrap().is_none());
}

pub(crate) async fn settings_are_kept(store: &dyn Store) {
    assert_eq!(store.setting("key").await.unwrap(), None);
    store.set_setting("key", &[0, 1, 255]).await.unwrap();
    store.set_setting("key", &[0, 2, 255]).await.unwrap();
    assert_eq!(store.setting("key").await.unwrap(), Some(vec![0, 2, 255]));
    let first = store.first_setting("key", &[9]).await.unwrap();
    assert_eq!(first, [0, 2, 255], "one that stands is not replaced");
    assert_eq!(store.first_setting("made once", &[1]).await.unwrap(), [1]);
    assert_eq!(store.first_setting("made once", &[2]).await.unwrap(), [1]);
    let made = join_all([1, 2, 3, 4].map(async |n| store.first_setting("race", &[n]).await.unwrap())).await;
    assert!(made.iter().all(|value| *value == made[0]), "{made:?}");
}

pub(crate) async fn a_restore_shuts_out_whoever_had_it_open(store: &dyn Store) {
    commit(store, writes()).await.unwrap();
    assert_eq!(store.setting(restored::AWAITS).await.unwrap(), None);
    let begun = store.restored("the backup of last night").await.unwrap();
    assert!(begun > 1_700_000_000, "a number that a second restore of the same backup does not get: {begun}");
    assert_eq!(store.setting(restored::AWAITS).await.unwrap(), Some(b"the backup of last night".to_vec()));
    assert!(matches!(store.ping().await, Err(Error::Restored(_))));
    let refused = store.begin(&shop()).await.err();
    assert!(matches!(refused, Some(Error::Restored(_))), "{refused:?}");
    assert_eq!(store.incarnation(), 1, "ids of two incarnations never meet");
    let again = store.restored("the same").await;
    assert!(matches!(again, Err(Error::Restored(_))), "it does not know this one: {again:?}");
}

pub(crate) async fn whoever_was_deposed_writes_nothing(store: &dyn Store) {
    let under = |epoch: i64, key: &str| Writes {
        counters: vec![("c".into(), 1)],
        settings: vec![(key.into(), vec![7])],
        fence: Some(Fence { setting: "epoch/a".into(), epoch }),
        ..writes()
    };
    let refused = commit(store, under(0, "never")).await;
    assert!(matches!(refused, Err(Error::Fenced(_))), "nobody has won yet: {refused:?}");
    assert_eq!(store.raise("epoch/a").await.unwrap(), 1);
    commit(store, under(1, "first")).await.unwrap();
    assert_eq!(store.raise("epoch/b").await.unwrap(), 1, "each setting counts for itself");
    assert_eq!(store.raise("epoch/a").await.unwrap(), 2);
    let refused = commit(store, under(1, "never")).await;
    assert!(matches!(refused, Err(Error::Fenced(_))), "{refused:?}");
    commit(store, under(2, "second")).await.unwrap();
    // Who needs no right to write, such as a till, is not asked for one.
    commit(store, Writes { counters: vec![("c".into(), 1)], ..writes() }).await.unwrap();
    assert_eq!(store.counters(&shop(), "c").await.unwrap(), [("c".into(), 3)]);
    assert_eq!(store.setting("never").await.unwrap(), None);
    for written in ["first", "second"] {
        assert_eq!(store.setting(written).await.unwrap(), Some(vec![7]));
    }
    let raised = join_all([(); 4].map(async |()| store.raise("epoch/a").await.unwrap())).await;
    assert_eq!(raised.into_iter().collect::<BTreeSet<_>>(), BTreeSet::from([3, 4, 5, 6]), "no epoch is won twice");
}

pub(crate) async fn answers_are_kept_seven_days(store: &dyn Store) {
    const DAY: i64 = 86_400;
    let answer = |key: &str, second: i64, body: &[u8]| {
        let mut row = stored(key);
        (row.at, row.body) = (at(second), body.to_vec());
        row
    };
    let find = async |key: &str| {
        let keys = Keys { idempotency: [("till-1".to_owned(), key.to_owned())].into(), ..Keys::default() };
        load(store, keys).await.idempotency.pop()
    };
    for (key, body) in [("text", &b"{}"[..]), ("binary", &[0xff, 0, 1]), ("nul", b"a\0b"), ("empty", b"")] {
        commit(store, Writes { idempotency: vec![answer(key, 0, body)], ..writes() }).await.unwrap();
        assert_eq!(find(key).await, Some(answer(key, 0, body)), "{key}");
    }
    let new =
        |key: &str, second| Writes { at: Some(at(second)), idempotency: vec![answer(key, second, b"{}")], ..writes() };
    commit(store, new("same week", 7 * DAY)).await.unwrap();
    assert!(find("text").await.is_some());
    commit(store, new("next week 1", 7 * DAY + 1)).await.unwrap();
    commit(store, new("next week 2", 7 * DAY + 2)).await.unwrap();
    for key in ["text", "binary", "nul", "empty"] {
        assert!(find(key).await.is_none(), "{key}");
    }
    assert!(find("same week").await.is_some());
}

pub(crate) async fn imported_codes_stand_at_their_place_and_once(store: &dyn Store) {
    let row = |place: &str, code: &str| {
        let spelling = (code == "BBB").then(|| "b-b-b".to_owned());
        (place.to_owned(), Pooled { code: Code::from(code), spelling })
    };
    let pool = |rows: Vec<(String, Pooled)>| Writes { new_pool: rows, ..writes() };
    commit(store, pool(vec![row("partner|1", "AAA"), row("partner|2", "BBB")])).await.unwrap();
    for taken in [row("partner|1", "CCC"), row("partner|3", "AAA")] {
        assert!(matches!(commit(store, pool(vec![taken])).await, Err(Error::Conflict(_))));
    }
    let by_place = Keys { pool_places: ["partner|2".to_owned(), "partner|3".to_owned()].into(), ..Keys::default() };
    assert_eq!(load(store, by_place).await.pool, [row("partner|2", "BBB")]);
    let by_code = Keys { pool_codes: [Code::from("AAA"), Code::from("CCC")].into(), ..Keys::default() };
    assert_eq!(load(store, by_code).await.pool, [row("partner|1", "AAA")]);
    let read = async |code: &str| store.imported_code(&shop(), &Code::from(code)).await.unwrap();
    assert_eq!((read("BBB").await, read("CCC").await), (Some(row("", "BBB").1), None));
}
