//! What money depends on.

use crate::fixtures::*;
use fanfare_core::{ledger::Posting, money::Minor, uses::Usage};
use fanfare_store::{
    Error, Keys, Position, Store, Writes,
    rows::{GrantState, MessageState, Redemption, RedemptionState},
};
use futures::TryStreamExt;

pub(crate) async fn counters_and_balances_add_up(store: &dyn Store) {
    let ns = shop();
    let postings = vec![posting("1", "a", "b", 5), posting("2", "a", "b", 6), posting("3", "b", "c", 6)];
    let counters = vec![("x|1".into(), 2), ("x|1".into(), 3), ("x|2".into(), 1), ("y".into(), 4), ("x|3".into(), 0)];
    commit(store, Writes { counters, postings, ..writes() }).await.unwrap();
    commit(store, Writes { counters: vec![("x|1".into(), -1)], ..writes() }).await.unwrap();
    commit(store, Writes { postings: vec![posting("4", "b", "a", 1)], ..writes() }).await.unwrap();

    assert_eq!(store.counters(&ns, "x|").await.unwrap(), [("x|1".into(), 4), ("x|2".into(), 1)]);
    assert_eq!(store.counters(&ns, "").await.unwrap().len(), 3);
    let balances = store.balances(&ns, "").await.unwrap();
    assert_eq!(balances, [entry("a", "THB", -10), entry("b", "THB", 4), entry("c", "THB", 6)]);
    assert_eq!(store.balances(&ns, "c").await.unwrap(), [entry("c", "THB", 6)]);
    assert_eq!(store.verify(&ns).await.unwrap(), [""; 0]);
}

pub(crate) async fn the_ledger_is_one_chain_in_order(store: &dyn Store) {
    let ns = shop();
    let three = Posting {
        rule: "spend".into(),
        reference: "o-1".into(),
        entries: vec![entry("r", "THB", -5), entry("s", "THB", 3), entry("t", "THB", 2)],
    };
    let first = commit(store, Writes { postings: vec![three, posting("2", "a", "b", 1)], ..writes() }).await.unwrap();
    assert_eq!(first, Position(2));
    assert_eq!(commit(store, Writes { counters: vec![("c".into(), 1)], ..writes() }).await.unwrap(), Position(3));
    let last = Writes { at: Some(at(9)), postings: vec![posting("3", "a", "b", 1)], ..writes() };
    assert_eq!(commit(store, last).await.unwrap(), Position(4));

    let lines = store.ledger(&ns, Position(0)).try_collect::<Vec<_>>().await.unwrap();
    let places = lines.iter().map(|line| (line.seq, line.line, line.amount)).collect::<Vec<_>>();
    assert_eq!(places, [(1, 0, -5), (1, 1, 3), (1, 2, 2), (2, 0, -1), (2, 1, 1), (4, 0, -1), (4, 1, 1)]);
    assert_eq!((lines[0].rule.as_str(), lines[0].reference.as_str()), ("spend", "o-1"));
    assert_eq!((lines[0].at, lines[6].at), (at(0), at(9)));
    let mut links = lines.iter().map(|line| line.chain.clone()).collect::<Vec<_>>();
    links.dedup();
    assert_eq!(links.len(), 3, "a link a transaction");

    let since = store.ledger(&ns, first).try_collect::<Vec<_>>().await.unwrap();
    assert_eq!(since, lines[5..]);
    assert_eq!(store.verify(&ns).await.unwrap(), [""; 0]);
}

pub(crate) async fn a_voucher_has_one_live_redemption(store: &dyn Store) {
    let new_redemptions = vec![redemption("r-1", "g-1")];
    commit(store, Writes { new_grants: vec![grant("g-1", "m-1")], new_redemptions, ..writes() }).await.unwrap();
    let second = || Writes { new_redemptions: vec![redemption("r-2", "g-1")], ..writes() };
    assert!(matches!(commit(store, second()).await, Err(Error::Conflict(_))));

    // Freed and taken again, in one batch.
    let freed = |id: &str| {
        let mut row = redemption(id, "g-1");
        row.state = RedemptionState::Voided;
        row
    };
    commit(store, Writes { redemptions: vec![freed("r-1")], ..second() }).await.unwrap();
    // The one comes back as the other goes.
    commit(store, Writes { redemptions: vec![redemption("r-1", "g-1"), freed("r-2")], ..writes() }).await.unwrap();
    // Taken and freed at once: a third may follow only when the first is gone as well.
    let new_redemptions = vec![redemption("r-3", "g-1")];
    commit(store, Writes { new_redemptions, redemptions: vec![freed("r-3")], ..writes() }).await.unwrap();

    let keys = Keys { redemptions_of: ["o-1".into()].into(), ..Keys::default() };
    let states = load(store, keys).await.redemptions.iter().map(|row| row.state).collect::<Vec<_>>();
    assert_eq!(states, [RedemptionState::Reserved, RedemptionState::Voided, RedemptionState::Voided]);
    assert_eq!(store.verify(&shop()).await.unwrap(), [""; 0]);
}

pub(crate) async fn each_use_of_a_voucher_has_one_live_redemption(store: &dyn Store) {
    let mut thrice = grant("g-1", "m-1");
    thrice.terms.redemption.uses = Some(3);
    thrice.usage = Usage { taken: [1, 2].into(), used: 1, held: 1, ..Usage::default() };
    let at_place = |id: &str, place| Redemption { place, ..redemption(id, "g-1") };
    let new_redemptions = vec![at_place("r-1", 1), at_place("r-2", 2)];
    commit(store, Writes { new_grants: vec![thrice.clone()], new_redemptions, ..writes() }).await.unwrap();
    assert_eq!(store.grant(&shop(), &"g-1".into()).await.unwrap(), Some(thrice.clone()));
    let again = Writes { new_redemptions: vec![at_place("r-3", 2)], ..writes() };
    assert!(matches!(commit(store, again).await, Err(Error::Conflict(_))));
    assert_eq!(store.redemption(&shop(), &"r-2".into()).await.unwrap(), Some(at_place("r-2", 2)));

    thrice.usage = Usage::default();
    commit(store, Writes { grants: vec![thrice.clone()], ..writes() }).await.unwrap();
    assert_eq!(store.grant(&shop(), &"g-1".into()).await.unwrap(), Some(thrice));
    assert_eq!(store.verify(&shop()).await.unwrap(), [""; 0]);
}

pub(crate) async fn a_change_keeps_the_terms_of_the_issue(store: &dyn Store) {
    let ns = shop();
    let mut other = grant("g-2", "m-1");
    other.terms = reward("five-off", "rev-2");
    let new_grants = vec![grant("g-1", "m-1"), other.clone(), grant("g-3", "m-1")];
    commit(store, Writes { new_grants, ..writes() }).await.unwrap();

    let mut changed = grant("g-1", "m-2");
    changed.terms = reward("five-off", "rev-9");
    changed.cause = "another".into();
    changed.code = Some("MOVED".into());
    changed.state = GrantState::Redeemed;
    changed.uses_left = 0;
    changed.reserved = Minor(0);
    changed.history.extend(grant("g-1", "m-1").history);
    commit(store, Writes { grants: vec![changed.clone()], ..writes() }).await.unwrap();

    let kept = grant("g-1", "m-1");
    let expected = fanfare_store::rows::Grant { terms: kept.terms, cause: kept.cause, ..changed };
    assert_eq!(store.grant(&ns, &"g-1".into()).await.unwrap(), Some(expected.clone()));
    assert_eq!(store.grant(&ns, &"g-2".into()).await.unwrap(), Some(other));
    let keys = Keys { codes: ["MOVED".into(), "CODEg-1".into()].into(), ..Keys::default() };
    assert_eq!(load(store, keys).await.grants, [expected]);
    let live = Keys { grants_of: ["m-1".into(), "m-2".into()].into(), ..Keys::default() };
    let live = load(store, live).await.grants.iter().map(|row| row.id.to_string()).collect::<Vec<_>>();
    assert_eq!(live, ["g-2", "g-3"], "a redeemed one is not live");
}

pub(crate) async fn rows_written_several_times_are_there_as_written_last(store: &dyn Store) {
    let ns = shop();
    let with_uses = |uses| {
        let mut row = grant("g-1", "m-1");
        row.uses_left = uses;
        row
    };
    let new_grants = vec![with_uses(3), grant("g-2", "m-1")];
    commit(store, Writes { new_grants, grants: vec![with_uses(2), with_uses(1)], ..writes() }).await.unwrap();
    assert_eq!(store.grant(&ns, &"g-1".into()).await.unwrap(), Some(with_uses(1)));
    commit(store, Writes { grants: vec![with_uses(9), with_uses(8)], ..writes() }).await.unwrap();
    assert_eq!(store.grant(&ns, &"g-1".into()).await.unwrap(), Some(with_uses(8)));
    let mut renamed = member("m-1");
    renamed.tags.clear();
    renamed.identities.clear();
    commit(store, Writes { members: vec![member("m-1"), renamed.clone()], ..writes() }).await.unwrap();
    assert_eq!(store.member(&ns, &"m-1".into()).await.unwrap(), Some(renamed));

    let mut held = hold("h-1");
    held.quantity = 1;
    let mut touched = participation("double-11", "m-1");
    touched.touched_at = at(7);
    let mut sent = message("msg-1", "m-1");
    sent.state = MessageState::Sent;
    let mut moved = run("run-1", "m-1");
    (moved.step, moved.plan.revision) = (3, "rev-2".into());
    let mut revoked = credential("t-1");
    revoked.revoked = true;
    let mut used = token("tok-1", "fam", 100);
    used.used = true;
    let twice = Writes {
        holds: vec![hold("h-1"), held.clone()],
        participations: vec![participation("double-11", "m-1"), touched.clone()],
        messages: vec![message("msg-1", "m-1"), sent.clone()],
        runs: vec![run("run-1", "m-1"), moved.clone()],
        jobs: vec![job("j-1", 5), job("j-2", 6), job("j-1", 7)],
        credentials: vec![credential("t-1"), revoked.clone()],
        refresh_tokens: vec![token("tok-1", "fam", 100), used.clone()],
        ..writes()
    };
    commit(store, twice).await.unwrap();
    let keys = Keys {
        holds: ["h-1".into()].into(),
        participations: [("double-11".into(), "m-1".into())].into(),
        messages: ["msg-1".into()].into(),
        runs: ["run-1".into()].into(),
        ..Keys::default()
    };
    let rows = load(store, keys).await;
    moved.plan = run("run-1", "m-1").plan;
    assert_eq!((rows.holds, rows.participations), (vec![held], vec![touched]));
    assert_eq!((rows.messages, rows.runs), (vec![sent], vec![moved]), "under the plan that it entered under");
    assert_eq!(store.due(&ns, at(99), 9).await.unwrap(), [job("j-2", 6), job("j-1", 7)]);
    assert_eq!(store.credential("digest-t-1").await.unwrap(), Some(revoked));
    assert_eq!(store.refresh_token("tok-1").await.unwrap(), Some(used));
    assert_eq!(store.verify(&ns).await.unwrap(), [""; 0]);
}
