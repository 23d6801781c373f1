//! Events: each mode of CloudEvents, and what members may say of themselves.

use crate::support::{Answer, Shop};
use fanfare_core::model::Kind;
use fanfare_engine::publish::Retire;
use serde_json::{Value, json};

fn event(id: &str) -> Value {
    json!({
        "specversion": "1.0", "id": id, "source": "pos/1", "type": "store.visited", "subject": "m1",
        "time": "2026-11-11T09:00:00+07:00", "data": {"storeId": "bkk-01"},
    })
}

async fn send(shop: &Shop, headers: &[(&str, &str)], body: String) -> Answer {
    let bearer = format!("Bearer {}", shop.till);
    let mut all = vec![("authorization", bearer.as_str())];
    all.extend_from_slice(headers);
    shop.send("POST", "/v1/events", &all, body).await
}

fn statuses(answer: &Value) -> Vec<&str> {
    answer["results"].as_array().unwrap().iter().map(|one| one["status"].as_str().unwrap()).collect()
}

#[tokio::test]
async fn every_mode_of_cloudevents_is_one_and_the_same_event() {
    let shop = Shop::open().await;
    let structured = [("content-type", "application/cloudevents+json; charset=utf-8")];
    let first = send(&shop, &structured, event("e1").to_string()).await;
    assert_eq!(statuses(&first.is(200)), ["Accepted"]);
    assert!(first.header("fanfare-position").parse::<i64>().unwrap() > 0);
    let plain = [("content-type", "application/json")];
    assert_eq!(statuses(&send(&shop, &plain, event("e1").to_string()).await.is(200)), ["Duplicate"]);
    let binary = [
        ("content-type", "application/json"),
        ("ce-specversion", "1.0"),
        ("ce-id", "e1"),
        ("ce-source", "pos/1"),
        ("ce-type", "store.visited"),
        ("ce-subject", "m1"),
        ("ce-time", "2026-11-11T09:00:00+07:00"),
    ];
    assert_eq!(statuses(&send(&shop, &binary, json!({"storeId": "bkk-01"}).to_string()).await.is(200)), ["Duplicate"]);
    let other = send(&shop, &binary, json!({"storeId": "bkk-02"}).to_string()).await.is(200);
    assert_eq!(
        (statuses(&other), &other["results"][0]["problem"]["code"]),
        (vec!["Rejected"], &json!("event-id-reused"))
    );
}

#[tokio::test]
async fn without_a_runtime_events_and_members_are_to_be_sent_again() {
    let shop = Shop::open().await;
    let retire = Retire { kind: Kind::CampaignRuntime, name: "main".into(), actor: "test".into() };
    shop.engine.execute(retire).await.unwrap().0.unwrap();
    let structured = [("content-type", "application/cloudevents+json")];
    let answer = send(&shop, &structured, event("e1").to_string()).await;
    assert!(!answer.header("retry-after").is_empty());
    answer.is(503);
    let bearer = format!("Bearer {}", shop.integration);
    let headers = [("authorization", bearer.as_str()), ("content-type", "application/json")];
    shop.send("PUT", "/v1/members/m9", &headers, json!({}).to_string()).await.is(503);
}

#[tokio::test]
async fn a_header_may_write_any_member_with_percent_signs() {
    let shop = Shop::open().await;
    let structured = [("content-type", "application/cloudevents+json")];
    let thai = json!({"subject": "\u{e2a}\u{e21} 1%"});
    let mut sent = event("e1");
    sent["subject"] = thai["subject"].clone();
    assert_eq!(statuses(&send(&shop, &structured, sent.to_string()).await.is(200)), ["Accepted"]);
    for (subject, status) in [("%E0%B8%AA%e0%b8%a1%201%25", 200), ("%00", 422), ("%0a", 422)] {
        let binary = [
            ("content-type", "application/json"),
            ("ce-specversion", "1.0"),
            ("ce-id", "e1"),
            ("ce-source", "pos/1"),
            ("ce-type", "store.visited"),
            ("ce-subject", subject),
            ("ce-time", "2026-11-11T09:00:00+07:00"),
        ];
        let answer = send(&shop, &binary, json!({"storeId": "bkk-01"}).to_string()).await.is(status);
        if status == 200 {
            assert_eq!(statuses(&answer), ["Duplicate"], "the same member: the same event");
        }
    }
}

#[tokio::test]
async fn a_batch_answers_each_event_in_its_place() {
    let shop = Shop::open().await;
    let mut wrong = event("e2");
    wrong["type"] = json!(7);
    let mut old = event("e3");
    old["time"] = json!("2020-01-01T00:00:00Z");
    let mut nameless = event("e4");
    nameless.as_object_mut().unwrap().remove("source");
    let batch = json!([event("e1"), wrong, old, nameless, event("e1"), event("e5")]).to_string();
    let answer = send(&shop, &[("content-type", "application/cloudevents-batch+json")], batch).await.is(200);
    assert_eq!(
        statuses(&answer),
        ["Accepted", "Rejected", "Rejected", "Rejected", "Duplicate", "Accepted"],
        "{answer}"
    );
    let ids: Vec<&str> = answer["results"].as_array().unwrap().iter().map(|one| one["id"].as_str().unwrap()).collect();
    assert_eq!(ids, ["e1", "e2", "e3", "e4", "e1", "e5"]);
    assert_eq!(answer["results"][1]["problem"]["errors"][0]["pointer"], "/type");
    assert_eq!(answer["results"][2]["problem"]["code"], "event-too-old");
}

#[tokio::test]
async fn a_single_event_that_is_wrong_fails_its_call() {
    let shop = Shop::open().await;
    let mut nameless = event("e1");
    nameless.as_object_mut().unwrap().remove("id");
    let problem = send(&shop, &[], nameless.to_string()).await.is_problem(422, "invalid");
    assert_eq!(problem["errors"][0]["pointer"], "/id");
    send(&shop, &[("content-type", "text/xml")], "<e/>".into()).await.is_problem(415, "unsupported-media-type");
}

#[tokio::test]
async fn a_member_tells_only_what_members_may_and_only_of_itself() {
    let shop = Shop::open().await;
    let member = shop.login("m1").await;
    let tell = async |body: Value| shop.post(&member, "/v1/me/events", &body).await;
    let viewed = json!({"type": "campaign.viewed", "data": {"campaign": "double-11"}});
    for _ in 0..2 {
        assert_eq!(statuses(&tell(viewed.clone()).await.is(200)), ["Accepted"], "without an id each is its own");
    }
    let shared = json!({"id": "s1", "type": "campaign.shared", "data": {"campaign": "double-11"}});
    assert_eq!(statuses(&tell(shared.clone()).await.is(200)), ["Accepted"]);
    assert_eq!(statuses(&tell(shared).await.is(200)), ["Duplicate"]);
    let paid = tell(json!({"type": "order.paid", "data": {}})).await.is(200);
    assert_eq!(paid["results"][0]["problem"]["code"], "forbidden", "{paid}");
    let other = tell(json!({"type": "campaign.viewed", "subject": "m2"})).await.is(200);
    assert_eq!(other["results"][0]["problem"]["code"], "forbidden", "{other}");
}
