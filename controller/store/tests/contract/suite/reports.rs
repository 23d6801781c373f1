//! What reports read.

use crate::fixtures::*;
use fanfare_core::ledger::Posting;
use fanfare_store::{
    Position, Store, Writes,
    reports::{Asked, Cut, ExceptionsOf, Inspection, Sum},
    rows::{Audit, Event, GrantState},
};
use serde_json::json;

fn everything() -> Asked {
    Asked { balances: true, counters: Some("day|2026-11-11|".into()), lapses: true, grants: true }
}

pub(crate) async fn a_cut_has_what_was_asked_for_and_its_position(store: &dyn Store) {
    let ns = shop();
    assert_eq!(store.cut(&ns, &everything()).await.unwrap(), Cut::default());
    let lapse = |from: &str, to: &str, unit: &str, amount: i64| Posting {
        rule: "points-expired".into(),
        reference: "g".into(),
        entries: vec![entry(from, unit, -amount), entry(to, unit, amount)],
    };
    let in_state = |id: &str, state, uses_left| {
        let mut row = grant(id, "m-1");
        (row.state, row.uses_left) = (state, uses_left);
        row
    };
    let written = Writes {
        postings: vec![
            posting("1", "a", "b", 5),
            lapse("wallet/1", "points/issued", "points", 7),
            lapse("wallet/2", "points/issued", "points", 3),
        ],
        counters: vec![
            ("day|2026-11-11|bkk-01|orders".into(), 2),
            ("day|2026-11-12|bkk-01|orders".into(), 9),
            ("day|2026-11-1".into(), 9),
        ],
        new_grants: vec![
            in_state("g-1", GrantState::Claimed, 1),
            in_state("g-2", GrantState::Claimed, 3),
            in_state("g-3", GrantState::Expired, 1),
            in_state("g-4", GrantState::Redeemed, 0),
            in_state("g-5", GrantState::Granted, 0),
        ],
        ..writes()
    };
    let position = commit(store, written).await.unwrap();
    let cut = store.cut(&ns, &everything()).await.unwrap();
    assert_eq!(cut.position, position);
    let sum = |account: &str, unit: &str, amount, accounts| Sum {
        account: account.into(),
        unit: unit.into(),
        amount,
        accounts,
    };
    let sums = [
        sum("a", "THB", -5, 1),
        sum("b", "THB", 5, 1),
        sum("points/issued", "points", 10, 1),
        sum("wallet/*", "points", -10, 2),
    ];
    assert_eq!(cut.balances, sums);
    assert_eq!(cut.counters, [("day|2026-11-11|bkk-01|orders".to_owned(), 2)]);
    assert_eq!(cut.lapses, [("points".to_owned(), 10)]);
    let mut states: Vec<_> = cut.grants.iter().map(|sum| (sum.state, sum.grants, sum.uses)).collect();
    states.sort_unstable();
    let expected = [(GrantState::Granted, 1, 1), (GrantState::Claimed, 2, 4), (GrantState::Expired, 1, 1)];
    assert_eq!(states, expected);
    assert!(cut.grants.iter().all(|sum| sum.terms == grant("g-1", "m-1").terms));
    let nothing = store.cut(&ns, &Asked::default()).await.unwrap();
    assert_eq!(nothing, Cut { position, ..Cut::default() });
}

pub(crate) async fn exceptions_are_found_by_kind_store_and_day(store: &dyn Store) {
    let ns = shop();
    let exception = |id: &str, kind: &str, shop: &str| Audit {
        action: "exception".into(),
        detail: json!({ "kind": kind, "store": shop, "businessDate": "2026-11-11" }),
        ..audit(id)
    };
    let other = Audit { action: "publish".into(), detail: json!({ "kind": "late", "text": "\u{0}" }), ..audit("a-9") };
    let rows = vec![exception("a-1", "late", "s-1"), exception("a-2", "late", "s-2"), exception("a-3", "clash", "s-1")];
    commit(store, Writes { audit: rows.into_iter().chain([other]).collect(), ..writes() }).await.unwrap();
    let found = async |of: ExceptionsOf, after: Option<&str>| -> Vec<String> {
        let page = fanfare_store::Page { limit: 2, after: after.map(ToOwned::to_owned) };
        store.exceptions(&ns, &of, page).await.unwrap().into_iter().map(|row| row.id).collect()
    };
    let of = |kind: Option<&str>, store: Option<&str>, date: Option<&str>| ExceptionsOf {
        kind: kind.map(ToOwned::to_owned),
        store: store.map(Into::into),
        business_date: date.map(ToOwned::to_owned),
    };
    assert_eq!(found(of(None, None, None), None).await, ["a-3", "a-2"]);
    assert_eq!(found(of(None, None, None), Some("a-2")).await, ["a-1"]);
    assert_eq!(found(of(Some("late"), None, None), None).await, ["a-2", "a-1"]);
    assert_eq!(found(of(None, Some("s-1"), Some("2026-11-11")), None).await, ["a-3", "a-1"]);
    assert_eq!(found(of(None, Some("s-1"), Some("2026-11-12")), None).await, [""; 0]);
}

pub(crate) async fn events_are_listed_with_their_answers(store: &dyn Store) {
    let ns = shop();
    let of = |source: &str, id: &str| Event { source: source.into(), ..event(id, None) };
    let asked = ["1", "2", "3"].map(|id| of("ask", id));
    let new_events = asked.iter().cloned().chain([of("answer", "2"), of("else", "3")]).collect();
    commit(store, Writes { new_events, ..writes() }).await.unwrap();
    let [first, second, third] = asked;
    let all = store.answered(&ns, "ask", "answer", false, page(2)).await.unwrap();
    assert_eq!(all, [(third.clone(), None), (second.clone(), Some(of("answer", "2")))]);
    let after = fanfare_store::Page { limit: 2, after: Some("2".into()) };
    assert_eq!(store.answered(&ns, "ask", "answer", false, after).await.unwrap(), [(first.clone(), None)]);
    let open = store.answered(&ns, "ask", "answer", true, page(9)).await.unwrap();
    assert_eq!(open, [(third, None), (first, None)]);
}

pub(crate) async fn an_inspection_counts_what_it_read(store: &dyn Store) {
    let ns = shop();
    assert_eq!(store.inspect(&ns).await.unwrap(), Inspection::default());
    let first = Writes { postings: vec![posting("1", "a", "b", 5)], audit: vec![audit("a-1")], ..writes() };
    commit(store, first).await.unwrap();
    let next = Writes { postings: vec![posting("2", "a", "c", 5)], new_grants: vec![grant("g-1", "m-1")], ..writes() };
    let Position(position) = commit(store, next).await.unwrap();
    let seen = store.inspect(&ns).await.unwrap();
    let lines: Vec<_> = futures::TryStreamExt::try_collect(store.ledger(&ns, Position(0))).await.unwrap();
    assert_eq!(Some(&seen.chain), lines.last().map(|line| &line.chain));
    let counts = (seen.position, seen.transactions, seen.entries, seen.accounts, seen.audit_rows, seen.grants);
    assert_eq!(counts, (position, 2, 4, 3, 1, 1));
    assert_eq!((seen.first_broken, seen.findings), (None, vec![]));
}

pub(crate) async fn a_till_s_day_that_is_not_its_orders_is_found(store: &dyn Store) {
    let ns = shop();
    let mut sold = order("o-1");
    sold.booking = json!({ "inDay": true });
    sold.business_date = Some("2026-11-11".into());
    let place = sold.cart.store.clone().map_or_else(String::new, |store| store.to_string());
    let figure = |what: &str, value: i64| (format!("day|2026-11-11|{place}|{what}"), value);
    let refunds: i64 = sold.returns.iter().filter(|back| back.business_date.is_some()).map(|back| back.refund.0).sum();
    assert_eq!(refunds, 0);
    let (gross, payable) = (sold.evaluation.total.0, sold.evaluation.payable.0);
    let counters = vec![figure("orders", 1), figure("gross", gross), figure("payable", payable)];
    commit(store, Writes { new_orders: vec![sold], counters, ..writes() }).await.unwrap();
    assert_eq!(store.verify(&ns).await.unwrap(), [""; 0]);
    commit(store, Writes { counters: vec![figure("refunds", 3)], ..writes() }).await.unwrap();
    let found = store.verify(&ns).await.unwrap();
    let [one] = found.as_slice() else { panic!("{found:?}") };
    assert!(one.ends_with(&format!("day|2026-11-11|{place}|refunds, 3, 0")), "{one}");
}
