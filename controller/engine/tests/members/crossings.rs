//! Who comes into a Segment and who goes is told once each, by an event, by time alone, after a restart and by one replica.

use crate::{
    replicas,
    support::{Shop, automation, id, inbox_channel, name, segment, template},
};
use fanfare_core::{
    model::{
        Plan,
        automation::{Action, Occasion, OnAmbiguous, Reentry, Step},
        message::Category,
        segment::{Behavior, Condition, Window},
    },
    segment::ORDER_PAID,
    time::Span,
};
use fanfare_engine::{
    Engine, crossings,
    ingest::{Incoming, Sender},
    members::{Profile, UpsertMember},
    publish::{Publish, Retire},
    worker::work_off,
};
use fanfare_store::Page;
use serde_json::json;

const NOON: &str = "2026-11-11T05:00:00Z";

/// Who bought within a week.
fn buyers(least: i64) -> Plan {
    let window = Window::within(Span::days(7));
    let event = ORDER_PAID.into();
    segment("buyers", Condition::Behavior(Behavior { event, window, least: Some(least), ..Behavior::default() }))
}

fn occasion(event: &str, of: Option<&str>) -> Occasion {
    match of {
        Some(segment) => Occasion::Of { event: event.into(), segment: name(segment) },
        None => event.into(),
    }
}

/// Sends a message for who enters or leaves.
fn telling(title: &str, event: &str, of: Option<&str>) -> Plan {
    automation(title, |plan| {
        plan.trigger = occasion(event, of);
        plan.reentry = Reentry::Always(None);
        let send = Action::Send { channel: "app".into(), template: "hello".into(), on_ambiguous: OnAmbiguous::Skip };
        plan.steps = vec![Step { name: "tell".into(), action: send, next: 1 }];
    })
}

async fn shop() -> Shop {
    let shop = Shop::open(NOON).await;
    shop.publish(inbox_channel()).await;
    shop.publish(template("hello", Category::Transactional)).await;
    for member in ["ann", "bob"] {
        shop.run(UpsertMember { id: id(member), profile: Profile::default() }).await.unwrap();
    }
    shop
}

async fn buys(engine: &Engine, member: &str, order: &str) {
    let data = json!({ "orderId": order, "total": "100.00", "currency": "THB", "storeId": "bkk-01",
        "lines": [{ "id": "a", "sku": "TEA", "quantity": 1, "unitPrice": "100.00" }] });
    let event = Incoming {
        source: "till".into(),
        id: order.into(),
        kind: ORDER_PAID.into(),
        subject: Some(id(member)),
        time: None,
        data: data.into(),
    };
    engine.ingest(vec![event], &Sender::Shop).await.unwrap();
}

/// What the worker does, and what a member has been told since.
async fn told(engine: &Engine, member: &str) -> Vec<String> {
    while crossings::tell(engine).await.unwrap().more {}
    work_off(engine).await.unwrap();
    let inbox = engine.inbox(&id(member), Page { limit: 50, after: None }).await.unwrap();
    inbox.into_iter().rev().map(|message| message.body.rsplit(' ').next().unwrap_or_default().to_owned()).collect()
}

const ENTERED: &str = "segment.entered";
const LEFT: &str = "segment.left";

#[tokio::test]
async fn an_event_brings_a_member_in_and_time_alone_takes_it_out_once_each() {
    let shop = shop().await;
    shop.publish(buyers(1)).await;
    shop.publish(telling("in", ENTERED, Some("buyers"))).await;
    shop.publish(telling("out", LEFT, Some("buyers"))).await;
    assert_eq!(told(&shop.engine, "ann").await, [""; 0]);
    buys(&shop.engine, "ann", "o-1").await;
    assert_eq!(told(&shop.engine, "ann").await, [ENTERED]);
    buys(&shop.engine, "ann", "o-2").await;
    assert_eq!(told(&shop.engine, "ann").await, [ENTERED], "once");
    shop.clock.forward(6 * 86_400);
    assert_eq!(told(&shop.engine, "ann").await, [ENTERED]);
    shop.clock.forward(86_400 + 1);
    assert_eq!(told(&shop.engine, "ann").await, [ENTERED, LEFT]);
    buys(&shop.engine, "ann", "o-3").await;
    assert_eq!(told(&shop.engine, "ann").await, [ENTERED, LEFT, ENTERED]);
    assert_eq!(told(&shop.engine, "bob").await, [""; 0]);
    shop.verify().await;
}

#[tokio::test]
async fn who_was_in_it_before_anybody_asked_did_not_come_in() {
    let shop = shop().await;
    shop.publish(buyers(1)).await;
    buys(&shop.engine, "ann", "o-1").await;
    shop.publish(telling("in", ENTERED, Some("buyers"))).await;
    shop.publish(telling("out", LEFT, Some("buyers"))).await;
    assert_eq!(told(&shop.engine, "ann").await, [""; 0]);
    buys(&shop.engine, "bob", "o-2").await;
    assert_eq!(told(&shop.engine, "bob").await, [ENTERED]);
    shop.clock.forward(8 * 86_400);
    assert_eq!(told(&shop.engine, "ann").await, [LEFT], "she was in it");
    shop.verify().await;
}

#[tokio::test]
async fn what_happened_while_nobody_ran_is_told_by_who_starts_and_only_once() {
    let shop = shop().await;
    shop.publish(buyers(1)).await;
    shop.publish(telling("in", ENTERED, Some("buyers"))).await;
    shop.publish(telling("out", LEFT, Some("buyers"))).await;
    assert_eq!(told(&shop.engine, "ann").await, [""; 0]);
    buys(&shop.engine, "ann", "o-1").await;
    let shop = shop.reopen().await;
    assert_eq!(told(&shop.engine, "ann").await, [ENTERED]);
    let shop = shop.reopen().await;
    assert_eq!(told(&shop.engine, "ann").await, [ENTERED]);
    shop.clock.forward(8 * 86_400);
    let shop = shop.reopen().await;
    assert_eq!(told(&shop.engine, "ann").await, [ENTERED, LEFT]);
    shop.verify().await;
}

#[tokio::test]
async fn another_definition_brings_members_in_and_takes_them_out() {
    let shop = shop().await;
    shop.publish(buyers(2)).await;
    shop.publish(telling("in", ENTERED, None)).await;
    shop.publish(telling("out", LEFT, None)).await;
    buys(&shop.engine, "ann", "o-1").await;
    assert_eq!(told(&shop.engine, "ann").await, [""; 0]);
    shop.publish(buyers(1)).await;
    assert_eq!(told(&shop.engine, "ann").await, [ENTERED]);
    shop.clock.forward(1);
    shop.publish(buyers(3)).await;
    assert_eq!(told(&shop.engine, "ann").await, [ENTERED, LEFT]);
    shop.verify().await;
}

#[tokio::test]
async fn hundreds_who_come_and_go_at_once_are_told_each_once() {
    let shop = shop().await;
    let members: Vec<String> = (0..300).map(|number| format!("m-{number}")).collect();
    for member in &members {
        shop.run(UpsertMember { id: id(member), profile: Profile::default() }).await.unwrap();
    }
    let everybody = || segment("crowd", Condition::Not(Box::new(Condition::List(name("staff")))));
    let nobody = || segment("crowd", Condition::List(name("staff")));
    shop.publish(nobody()).await;
    shop.publish(telling("in", ENTERED, Some("crowd"))).await;
    shop.publish(telling("out", LEFT, Some("crowd"))).await;
    // It is asked about the runs of everybody too, and names another segment.
    shop.publish(segment("others", Condition::Everyone)).await;
    shop.publish(automation("of-others", |plan| {
        plan.trigger = "order.paid".into();
        plan.exit = vec![occasion(LEFT, Some("others"))];
        let wait = Action::Wait { lasts: Span::days(90), until: None };
        plan.steps = vec![Step { name: "wait".into(), action: wait, next: 1 }];
    }))
    .await;
    assert_eq!(told(&shop.engine, "m-7").await, [""; 0]);
    for (plan, expect) in [(everybody(), vec![ENTERED]), (nobody(), vec![ENTERED, LEFT])] {
        shop.clock.forward(1);
        shop.publish(plan).await;
        for member in &members {
            assert_eq!(told(&shop.engine, member).await, expect, "{member}");
        }
    }
    shop.verify().await;
}

#[tokio::test]
async fn an_automation_of_one_segment_hears_of_no_other() {
    let shop = shop().await;
    shop.publish(buyers(1)).await;
    shop.publish(segment("everyone", Condition::Everyone)).await;
    shop.publish(telling("in", ENTERED, Some("buyers"))).await;
    assert_eq!(told(&shop.engine, "ann").await, [""; 0]);
    shop.run(UpsertMember { id: id("cai"), profile: Profile::default() }).await.unwrap();
    assert_eq!(told(&shop.engine, "cai").await, [""; 0], "everyone is another segment");
    buys(&shop.engine, "cai", "o-1").await;
    assert_eq!(told(&shop.engine, "cai").await, [ENTERED]);
    shop.verify().await;
}

#[tokio::test]
async fn leaving_one_segment_ends_the_runs_that_say_so_and_no_others() {
    let shop = shop().await;
    shop.publish(buyers(1)).await;
    let everybody = Condition::Not(Box::new(Condition::List(name("staff"))));
    shop.publish(segment("customers", everybody)).await;
    for (title, exit) in [("of-buyers", Some("buyers")), ("of-customers", Some("customers")), ("of-any", None)] {
        shop.publish(automation(title, |plan| {
            plan.trigger = "order.paid".into();
            plan.exit = vec![occasion(LEFT, exit)];
            let wait = Action::Wait { lasts: Span::days(90), until: None };
            plan.steps = vec![Step { name: "wait".into(), action: wait, next: 1 }];
        }))
        .await;
    }
    assert_eq!(told(&shop.engine, "ann").await, [""; 0]);
    buys(&shop.engine, "ann", "o-1").await;
    crossings::tell(&shop.engine).await.unwrap();
    shop.clock.forward(8 * 86_400);
    crossings::tell(&shop.engine).await.unwrap();
    let active = async |title: &str| shop.engine.automation_status(&name(title)).await.unwrap().0.active;
    let left = (active("of-buyers").await, active("of-customers").await, active("of-any").await);
    assert_eq!(left, (0, 1, 0), "she is a customer still");
    shop.verify().await;
}

#[tokio::test]
async fn where_nobody_asked_for_a_while_it_begins_anew() {
    let shop = shop().await;
    shop.publish(buyers(1)).await;
    shop.publish(telling("in", ENTERED, Some("buyers"))).await;
    assert_eq!(told(&shop.engine, "ann").await, [""; 0]);
    let retire = || Retire { kind: fanfare_core::model::Kind::Automation, name: name("in"), actor: "ann".into() };
    shop.run(retire()).await;
    assert_eq!(told(&shop.engine, "ann").await, [""; 0]);
    buys(&shop.engine, "ann", "o-1").await;
    assert_eq!(told(&shop.engine, "ann").await, [""; 0], "nobody asks");
    let plan = telling("in", ENTERED, Some("buyers"));
    shop.run(Publish { name: name("in"), revision: "again".into(), plan, generation: 3, author: None }).await;
    assert_eq!(told(&shop.engine, "ann").await, [""; 0], "she came while nobody asked");
    buys(&shop.engine, "bob", "o-2").await;
    assert_eq!(told(&shop.engine, "bob").await, [ENTERED]);
    shop.verify().await;
}

#[tokio::test]
async fn of_two_replicas_one_tells_it() {
    let (_kept, store, clock, one, other) = replicas::two(usize::MAX).await;
    for plan in [inbox_channel(), template("hello", Category::Transactional), buyers(1)] {
        replicas::publish(&one, plan, 1).await;
    }
    replicas::publish(&one, telling("in", ENTERED, Some("buyers")), 1).await;
    replicas::publish(&one, telling("out", LEFT, Some("buyers")), 1).await;
    crossings::tell(&one).await.unwrap();
    for member in ["ann", "bob", "cai"] {
        replicas::run(&one, UpsertMember { id: id(member), profile: Profile::default() }).await.unwrap();
        buys(&one, member, &format!("o-{member}")).await;
    }
    assert!(other.reaches(one.position(), replicas::SOON).await);
    let (first, second) = tokio::join!(crossings::tell(&one), crossings::tell(&other));
    assert_eq!(first.unwrap().members + second.unwrap().members, 3, "each member once");
    assert_eq!(told(&other, "ann").await, [ENTERED]);
    clock.forward(8 * 86_400);
    assert!(other.reaches(one.position(), replicas::SOON).await && one.reaches(other.position(), replicas::SOON).await);
    let (first, second) = tokio::join!(crossings::tell(&one), crossings::tell(&other));
    assert_eq!(first.unwrap().members + second.unwrap().members, 3);
    assert_eq!(told(&other, "ann").await, [ENTERED, LEFT]);
    replicas::verified(&store).await;
}
