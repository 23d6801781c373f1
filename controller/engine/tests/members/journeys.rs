//! Journeys across restarts, and messages on their way.

use crate::support::{
    Never, Recorder, Shop, automation, id, inbox_channel, mail_channel, name, points_reward, template,
};
use fanfare_core::{
    envelope::SendFault,
    model::{
        AutomationPlan, Plan,
        automation::{Action, OnAmbiguous, Reentry, Step},
        message::Category,
    },
    time::Span,
};
use fanfare_engine::{
    inbox::MarkRead,
    ingest::{Incoming, Sender, Status},
    members::{Profile, SetConsent, UpsertMember},
    outbox::Outbox,
    worker::{run, work_off},
};
use fanfare_store::{Page, rows::Consent};
use serde_json::json;
use std::{sync::Arc, time::Duration};

fn event(event_id: &str, kind: &str, member: &str) -> Incoming {
    let (source, data) = ("crm".into(), json!({}));
    Incoming {
        source,
        id: event_id.into(),
        kind: kind.into(),
        subject: Some(id(member)),
        time: None,
        data: data.into(),
    }
}

async fn tell(shop: &Shop, event_id: &str, kind: &str, member: &str) {
    let results = shop.engine.ingest(vec![event(event_id, kind, member)], &Sender::Shop).await.unwrap().0;
    assert_eq!(results[0].status, Status::Accepted, "{results:?}");
}

fn step(step: &str, action: Action, next: usize) -> Step {
    Step { name: step.into(), action, next }
}

fn send(channel: &str, text: &str, on_ambiguous: OnAmbiguous) -> Action {
    Action::Send { channel: channel.into(), template: text.into(), on_ambiguous }
}

fn welcome(plan: &mut AutomationPlan) {
    plan.exit = vec!["member.left".into()];
    plan.steps = vec![
        step("hello", send("app", "hello", OnAmbiguous::Skip), 1),
        step("pause", Action::Wait { lasts: Span::days(3), until: "10:00:00".parse().ok() }, 2),
        step("gift", Action::Issue { reward: "hundred".into() }, 3),
    ];
}

async fn inbox(shop: &Shop, member: &str) -> Vec<String> {
    let page = Page { limit: 10, after: None };
    shop.engine.inbox(&id(member), page).await.unwrap().into_iter().map(|message| message.subject).collect()
}

async fn shop() -> Shop {
    let shop = Shop::open("2026-11-01T05:00:00Z").await;
    shop.publish(inbox_channel()).await;
    shop.publish(mail_channel()).await;
    shop.publish(template("hello", Category::Transactional)).await;
    shop.publish(template("news", Category::Marketing)).await;
    shop.publish(Plan::Reward(points_reward("hundred", 100))).await;
    shop
}

#[tokio::test]
async fn a_journey_goes_on_after_a_restart_in_the_middle_of_a_wait() {
    let shop = shop().await;
    shop.publish(automation("welcome", welcome)).await;
    tell(&shop, "e1", "member.registered", "m1").await;
    assert_eq!(work_off(&shop.engine).await.unwrap(), 1);
    assert_eq!(inbox(&shop, "m1").await, ["สวัสดี m1"]);
    assert_eq!(shop.engine.points(&id("m1")).await.unwrap().balance, 0);
    let shop = shop.reopen().await;
    // Three days after noon in Bangkok, then the first ten o'clock.
    shop.clock.set("2026-11-05T02:59:59Z");
    assert_eq!(work_off(&shop.engine).await.unwrap(), 0);
    shop.clock.set("2026-11-05T03:00:00Z");
    assert_eq!(work_off(&shop.engine).await.unwrap(), 1);
    assert_eq!(shop.engine.points(&id("m1")).await.unwrap().balance, 100);
    assert_eq!(work_off(&shop.engine).await.unwrap(), 0, "nothing is left to do");
    assert_eq!(inbox(&shop, "m1").await.len(), 1);
    let (figures, _) = shop.engine.automation_status(&name("welcome")).await.unwrap();
    assert_eq!((figures.entered, figures.active, figures.completed), (1, 0, 1));
    shop.verify().await;
}

#[tokio::test]
async fn an_exit_event_ends_the_run_and_reentry_follows_its_policy() {
    for (reentry, entered) in [(Reentry::Once, 1), (Reentry::AfterExit, 2), (Reentry::Always(Some(Span::days(9))), 1)] {
        let shop = shop().await;
        let build = |plan: &mut AutomationPlan| {
            welcome(plan);
            plan.reentry = reentry;
        };
        shop.publish(automation("welcome", build)).await;
        tell(&shop, "e1", "member.registered", "m1").await;
        work_off(&shop.engine).await.unwrap();
        tell(&shop, "e2", "member.left", "m1").await;
        tell(&shop, "e3", "member.registered", "m1").await;
        let (figures, _) = shop.engine.automation_status(&name("welcome")).await.unwrap();
        assert_eq!((figures.entered, figures.exited), (entered, 1), "{reentry:?}");
        work_off(&shop.engine).await.unwrap();
        shop.clock.set("2026-12-01T00:00:00Z");
        work_off(&shop.engine).await.unwrap();
        assert_eq!(shop.engine.points(&id("m1")).await.unwrap().balance, 100 * (entered - 1), "{reentry:?}");
        shop.verify().await;
    }
}

#[tokio::test]
async fn a_deleted_automation_stops_its_runs() {
    let shop = shop().await;
    shop.publish(automation("welcome", welcome)).await;
    tell(&shop, "e1", "member.registered", "m1").await;
    work_off(&shop.engine).await.unwrap();
    let kind = fanfare_core::model::Kind::Automation;
    assert!(shop.run(fanfare_engine::publish::Retire { kind, name: name("welcome"), actor: "test".into() }).await);
    shop.clock.set("2026-12-01T00:00:00Z");
    work_off(&shop.engine).await.unwrap();
    assert_eq!(shop.engine.points(&id("m1")).await.unwrap().balance, 0);
    let (figures, _) = shop.engine.automation_status(&name("welcome")).await.unwrap();
    assert_eq!((figures.active, figures.stopped), (0, 1));
}

async fn with_mail(on_ambiguous: OnAmbiguous, text: &str) -> Shop {
    let shop = shop().await;
    let text = text.to_owned();
    let build = move |plan: &mut AutomationPlan| {
        plan.steps = vec![step("mail", send("email", &text, on_ambiguous), 1)];
    };
    shop.publish(automation("mails", build)).await;
    let profile = Profile { identities: Some(vec![("email".into(), "A@Example.com".into())]), ..Profile::default() };
    shop.run(UpsertMember { id: id("m1"), profile }).await.unwrap();
    shop
}

async fn consent(shop: &Shop, yes: bool) {
    let consent = Consent { channels: [("email".into(), yes)].into(), ..Consent::default() };
    drop(shop.run(SetConsent { member: id("m1"), consent }).await.unwrap());
}

#[tokio::test]
async fn consent_is_looked_at_when_a_message_leaves() {
    for (before, after, sent) in [(false, true, 1), (true, false, 0), (true, true, 1)] {
        let shop = with_mail(OnAmbiguous::Skip, "news").await;
        consent(&shop, before).await;
        tell(&shop, "e1", "member.registered", "m1").await;
        work_off(&shop.engine).await.unwrap();
        consent(&shop, after).await;
        let recorder = Recorder::default();
        Outbox::default().pass(&shop.engine, &recorder).await.unwrap();
        let left = recorder.sent.lock().unwrap().clone();
        assert_eq!(left.len(), sent, "{before} then {after}");
        assert!(left.iter().all(|envelope| envelope.to == "a@example.com"));
        let (figures, _) = shop.engine.channel_status(&name("email")).await.unwrap();
        assert_eq!((figures.sent, figures.dropped), (sent as i64, 1 - sent as i64));
        shop.verify().await;
    }
}

#[tokio::test]
async fn what_is_unknown_to_have_left_goes_as_its_step_says() {
    let broken = || SendFault::Ambiguous("hung up".into());
    for (on_ambiguous, again, failed) in [(OnAmbiguous::Skip, 0, 1), (OnAmbiguous::Retry, 1, 0)] {
        let shop = with_mail(on_ambiguous, "hello").await;
        tell(&shop, "e1", "member.registered", "m1").await;
        work_off(&shop.engine).await.unwrap();
        let recorder = Recorder::default();
        recorder.faults.lock().unwrap().push(broken());
        Outbox::default().pass(&shop.engine, &recorder).await.unwrap();
        Outbox::default().pass(&shop.engine, &recorder).await.unwrap();
        assert_eq!(recorder.sent.lock().unwrap().len(), again, "{on_ambiguous:?}");
        let (figures, _) = shop.engine.channel_status(&name("email")).await.unwrap();
        assert_eq!((figures.sent, figures.failed), (again as i64, failed), "{on_ambiguous:?}");
        shop.verify().await;
    }
}

#[tokio::test]
async fn a_member_reads_its_own_inbox_only() {
    let shop = shop().await;
    shop.publish(automation("welcome", welcome)).await;
    tell(&shop, "e1", "member.registered", "m1").await;
    work_off(&shop.engine).await.unwrap();
    let message = shop.store.inbox(shop.engine.namespace(), &id("m1"), Page { limit: 1, after: None }).await.unwrap();
    let message = message[0].id.clone();
    assert!(shop.run(MarkRead { member: id("m2"), message: message.clone() }).await.is_none());
    assert!(shop.run(MarkRead { member: id("m1"), message }).await.unwrap().read_at.is_some());
}

#[tokio::test]
async fn the_worker_is_woken_by_an_event_and_stops_when_told() {
    let shop = with_mail(OnAmbiguous::Skip, "hello").await;
    let recorder = Arc::new(Recorder::default());
    let (stop, stopped) = tokio::sync::watch::channel(false);
    let worker = tokio::spawn(run(shop.engine.clone(), Arc::<Recorder>::clone(&recorder), stopped));
    tell(&shop, "e1", "member.registered", "m1").await;
    let sent = async {
        while recorder.sent.lock().unwrap().is_empty() {
            tokio::time::sleep(Duration::from_millis(2)).await;
        }
    };
    tokio::time::timeout(Duration::from_secs(10), sent).await.unwrap();
    stop.send(true).unwrap();
    tokio::time::timeout(Duration::from_secs(10), worker).await.unwrap().unwrap();
    assert_eq!(recorder.sent.lock().unwrap().len(), 1);
    shop.verify().await;
}

#[tokio::test]
async fn a_message_that_a_dead_sender_held_goes_as_its_step_says() {
    for (on_ambiguous, sent) in [(OnAmbiguous::Skip, 0), (OnAmbiguous::Retry, 1)] {
        let shop = with_mail(on_ambiguous, "hello").await;
        tell(&shop, "e1", "member.registered", "m1").await;
        work_off(&shop.engine).await.unwrap();
        // A sender that never comes back: its pass is dropped in the middle.
        let mut outbox = Outbox::default();
        let pass = outbox.pass(&shop.engine, &Never);
        assert!(tokio::time::timeout(Duration::from_millis(200), pass).await.is_err());
        let shop = shop.reopen().await;
        let recorder = Recorder::default();
        Outbox::default().pass(&shop.engine, &recorder).await.unwrap();
        // Where others send too, it may be one that lives: what it holds is left to it for a while.
        let sent = if shop.store.shared() { 0 } else { sent };
        assert_eq!(recorder.sent.lock().unwrap().len(), sent, "{on_ambiguous:?}");
        shop.verify().await;
    }
}
