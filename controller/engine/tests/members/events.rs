//! Events: accepted, counted and answered exactly once.

use crate::support::{Shop, id, ts};
use fanfare_engine::ingest::{Incoming, Sender, Status};
use serde_json::json;

fn visit(event_id: &str, member: &str, time: &str) -> Incoming {
    Incoming {
        source: "till".into(),
        id: event_id.into(),
        kind: "store.visited".into(),
        subject: Some(id(member)),
        time: Some(ts(time)),
        data: json!({"storeId": "bkk-01"}),
    }
}

fn facts(shop: &Shop, member: &str) -> usize {
    shop.engine.audience().with(&id(member), |record| record.facts.len())
}

#[tokio::test]
async fn an_event_counts_once_however_often_it_comes() {
    let shop = Shop::open("2026-11-01T00:00:00Z").await;
    let event = visit("e1", "m1", "2026-10-31T00:00:00Z");
    let again = |count| vec![event.clone(); count];
    let (one, two) = tokio::join!(
        shop.engine.ingest(again(3), &Sender::Shop),
        shop.engine.ingest(again(3), &Sender::Shop)
    );
    let all = [one.unwrap(), two.unwrap()].concat();
    assert_eq!(all.iter().filter(|result| result.status == Status::Accepted).count(), 1);
    assert_eq!(all.iter().filter(|result| result.status == Status::Duplicate).count(), 5);
    assert_eq!(facts(&shop, "m1"), 1);
    let other = Incoming { data: json!({"storeId": "bkk-02"}), ..event.clone() };
    let result = shop.engine.ingest(vec![other], &Sender::Shop).await.unwrap().remove(0);
    assert_eq!(result.problem.unwrap().code, "event-id-reused");
    let shop = shop.reopen().await;
    assert_eq!(facts(&shop, "m1"), 1);
    let result = shop.engine.ingest(again(1), &Sender::Shop).await.unwrap().remove(0);
    assert_eq!(result.status, Status::Duplicate);
    assert!(shop.engine.member(&id("m1")).await.unwrap().is_some(), "its member is known now");
    shop.verify().await;
}

#[tokio::test]
async fn one_bad_event_never_sinks_its_batch() {
    let shop = Shop::open("2026-11-01T00:00:00Z").await;
    let mut events: Vec<Incoming> =
        (0..1_000).map(|n| visit(&format!("e{n}"), &format!("m{}", n % 50), "2026-10-31T00:00:00Z")).collect();
    events[10] = visit("e10", "m10", "2025-01-01T00:00:00Z");
    events[20] = visit("e20", "m20", "2026-11-01T00:10:00Z");
    events[30] = Incoming { data: json!([1]), ..events[30].clone() };
    events[40] = Incoming { kind: String::new(), ..events[40].clone() };
    let results = shop.engine.ingest(events, &Sender::Shop).await.unwrap();
    assert_eq!(results.len(), 1_000);
    let code = |n: usize| results[n].problem.as_ref().map(|problem| problem.code.clone());
    assert_eq!(code(10).as_deref(), Some("event-too-old"));
    assert_eq!(code(20).as_deref(), Some("event-too-early"));
    assert_eq!((code(30).as_deref(), code(40).as_deref()), (Some("invalid"), Some("invalid")));
    assert_eq!(results.iter().filter(|result| result.status == Status::Accepted).count(), 996);
    let total: usize = shop.engine.audience().read().values().map(|record| record.facts.len()).sum();
    assert_eq!(total, 996);
    shop.verify().await;
}

#[tokio::test]
async fn a_member_tells_only_what_members_may() {
    let shop = Shop::open("2026-11-01T00:00:00Z").await;
    let me = Sender::Member(id("m1"));
    for (kind, status) in [
        ("campaign.viewed", Status::Accepted),
        ("campaign.shared", Status::Accepted),
        ("order.paid", Status::Rejected),
        ("store.visited", Status::Rejected),
    ] {
        let event = Incoming { kind: kind.into(), id: kind.into(), time: None, ..visit("", "m2", "2026-11-01T00:00:00Z") };
        let result = shop.engine.ingest(vec![event], &me).await.unwrap().remove(0);
        assert_eq!(result.status, status, "{kind}");
    }
    assert_eq!((facts(&shop, "m1"), facts(&shop, "m2")), (2, 0), "it is about the member who sends it");
    shop.verify().await;
}
