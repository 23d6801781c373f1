//! What the system does to a member's rewards starts and ends Automations.

use crate::support::{Shop, campaign, points, redeem, voucher};
use chrono::TimeDelta;
use fanfare_core::{
    ids::MemberId,
    model::{
        AutomationPlan, ChannelPlan, Plan, RewardPlan, TemplatePlan,
        automation::{Action, OnAmbiguous, Reentry, Step},
        message::{Category, Means, Medium, Source},
        reward::{Claim, Validity},
    },
    money::Minor,
    time::Span,
};
use fanfare_engine::{
    grants,
    join::Join,
    redemptions::{Mode, Reverse},
    worker::work_off,
};
use fanfare_store::{Page, rows::Message};

const KINDS: [&str; 8] = [
    "campaign.joined",
    "grant.issued",
    "grant.claimed",
    "grant.expiring",
    "grant.expired",
    "grant.revoked",
    "redemption.committed",
    "redemption.reversed",
];

async fn shop() -> Shop {
    listening(&KINDS, "-").await
}

/// A shop in which an Automation of its own writes down each event in the member's inbox.
pub(crate) async fn listening(kinds: &[&str], body: &str) -> Shop {
    let shop = Shop::open().await;
    shop.publish(Plan::MessageChannel(ChannelPlan { name: "app".into(), means: Means::InApp, unit_cost: Minor::ZERO }))
        .await;
    let source = Source { subject: "{{event.type}}".into(), body: body.into() };
    let template = TemplatePlan {
        name: "told".into(),
        category: Category::Transactional,
        medium: Medium::InApp,
        locales: [("th".into(), source.clone()), ("en".into(), source)].into(),
    };
    shop.publish(Plan::MessageTemplate(template)).await;
    for &kind in kinds {
        let send = Action::Send { channel: "app".into(), template: "told".into(), on_ambiguous: OnAmbiguous::Skip };
        let plan = AutomationPlan {
            name: kind.to_lowercase().as_str().into(),
            revision: "r1".into(),
            trigger: kind.into(),
            reentry: Reentry::AfterExit,
            exit: Vec::new(),
            steps: vec![Step { name: "tell".into(), action: send, next: 1 }],
        };
        shop.publish(Plan::Automation(plan)).await;
    }
    shop
}

/// What a member was told, in order of its types.
async fn told(shop: &Shop, member: &str) -> Vec<String> {
    messages(shop, member).await.into_iter().map(|message| message.subject.trim().to_owned()).collect()
}

pub(crate) async fn messages(shop: &Shop, member: &str) -> Vec<Message> {
    while work_off(&shop.engine).await.unwrap() > 0 {}
    let page = Page { limit: 100, after: None };
    let mut all = shop.engine.inbox(&MemberId::from(member), page).await.unwrap();
    all.sort_by(|one, other| (&one.subject, &one.id).cmp(&(&other.subject, &other.id)));
    all
}

#[tokio::test]
async fn each_change_of_a_reward_is_heard_once() {
    let shop = shop().await;
    let manual = RewardPlan {
        claim: Claim::Manual,
        validity: Validity { lasts: Some(Span::days(7)), ..voucher("cup", 1_000, 0).validity },
        ..voucher("cup", 1_000, 0)
    };
    shop.publish(Plan::Reward(manual)).await;
    let grant = shop.voucher("m1", "cup", None).await;
    assert_eq!(told(&shop, "m1").await, ["grant.issued"]);
    shop.run(grants::Claim { member: "m1".into(), grant: grant.id.clone() }).await.unwrap().unwrap();
    let code = shop.grant(&grant.id).await.code.unwrap();
    let used = shop.run(redeem(&code, Mode::Commit)).await.unwrap();
    assert_eq!(told(&shop, "m1").await, ["grant.claimed", "grant.issued", "redemption.committed"]);
    let id = used.redemption.id;
    let reverse = Reverse { id, reversal_id: "r1".into(), reason: "wrong".into(), amount: None, store: None };
    shop.run(reverse).await.unwrap().unwrap();
    assert_eq!(told(&shop, "m1").await.last().unwrap(), "redemption.reversed");
    shop.forward(TimeDelta::days(8));
    assert!(told(&shop, "m1").await.contains(&"grant.expired".to_owned()));
    assert_eq!(told(&shop, "m1").await.len(), 5, "each once");
    shop.verify().await;
}

async fn reminded(lasts: i64, days: &[i64]) -> Shop {
    let shop = shop().await;
    let plan = RewardPlan {
        validity: Validity { lasts: Some(Span::days(lasts)), ..voucher("cup", 1_000, 0).validity },
        remind_before: days.iter().map(|days| Span::days(*days)).collect(),
        ..voucher("cup", 1_000, 0)
    };
    shop.publish(Plan::Reward(plan)).await;
    shop
}

async fn reminders(shop: &Shop, member: &str) -> usize {
    told(shop, member).await.into_iter().filter(|kind| kind == "grant.expiring").count()
}

#[tokio::test]
async fn a_reminder_comes_before_the_end_each_once() {
    let shop = reminded(10, &[3, 1]).await;
    let grant = shop.voucher("m1", "cup", None).await;
    shop.forward(TimeDelta::days(7) - TimeDelta::seconds(1));
    assert_eq!(reminders(&shop, "m1").await, 0);
    shop.forward(TimeDelta::seconds(1));
    assert_eq!(reminders(&shop, "m1").await, 1, "three days before");
    assert_eq!(reminders(&shop, "m1").await, 1);
    let shop = shop.restart().await;
    shop.forward(TimeDelta::days(2));
    assert_eq!(reminders(&shop, "m1").await, 2, "one day before");
    shop.forward(TimeDelta::days(1));
    assert_eq!(told(&shop, "m1").await.iter().filter(|kind| *kind == "grant.expired").count(), 1);
    assert_eq!(reminders(&shop, "m1").await, 2);
    assert_eq!(shop.grant(&grant.id).await.state, fanfare_store::rows::GrantState::Expired);
    shop.verify().await;
}

#[tokio::test]
async fn of_reminders_that_were_missed_the_last_comes_and_none_after_the_end() {
    let shop = reminded(10, &[5, 3, 1]).await;
    shop.voucher("m1", "cup", None).await;
    shop.forward(TimeDelta::days(8));
    assert_eq!(reminders(&shop, "m1").await, 1, "five and three days before were missed together");
    shop.voucher("m2", "cup", None).await;
    shop.forward(TimeDelta::days(11));
    assert_eq!(reminders(&shop, "m2").await, 0, "it is over");
    assert_eq!(reminders(&shop, "m1").await, 1);
    shop.verify().await;
}

#[tokio::test]
async fn nobody_is_reminded_of_what_is_used_held_or_paper() {
    let shop = reminded(10, &[3]).await;
    let codes = [shop.voucher("m1", "cup", None).await, shop.voucher("m2", "cup", None).await];
    let [used, held] = codes.map(|grant| grant.code.unwrap());
    shop.run(redeem(&used, Mode::Commit)).await.unwrap();
    shop.forward(TimeDelta::days(7) - TimeDelta::seconds(60));
    shop.run(redeem(&held, Mode::Reserve)).await.unwrap();
    shop.forward(TimeDelta::seconds(60));
    assert_eq!((reminders(&shop, "m1").await, reminders(&shop, "m2").await), (0, 0));
    shop.verify().await;
}

#[tokio::test]
async fn a_reward_that_must_be_claimed_reminds_of_that_first() {
    let shop = shop().await;
    let plan = RewardPlan {
        claim: Claim::Manual,
        claim_within: Some(Span::days(4)),
        validity: Validity { lasts: Some(Span::days(10)), ..voucher("cup", 1_000, 0).validity },
        remind_before: vec![Span::days(1)],
        ..voucher("cup", 1_000, 0)
    };
    shop.publish(Plan::Reward(plan)).await;
    let grant = shop.voucher("m1", "cup", None).await;
    shop.forward(TimeDelta::days(3));
    assert_eq!(reminders(&shop, "m1").await, 1, "a day to claim it");
    shop.run(grants::Claim { member: "m1".into(), grant: grant.id.clone() }).await.unwrap().unwrap();
    shop.forward(TimeDelta::days(6));
    assert_eq!(reminders(&shop, "m1").await, 2, "a day to use it");
    shop.verify().await;
}

#[tokio::test]
async fn points_are_issued_at_once_or_claimed() {
    let shop = shop().await;
    shop.publish(Plan::Reward(points("ten", 10))).await;
    shop.publish(Plan::Reward(RewardPlan { claim: Claim::Manual, ..points("later", 10) })).await;
    shop.give("m1", "ten", 1, None).await;
    assert_eq!(told(&shop, "m1").await, ["grant.issued"]);
    let grant = shop.voucher("m2", "later", None).await;
    shop.run(grants::Claim { member: "m2".into(), grant: grant.id }).await.unwrap().unwrap();
    assert_eq!(told(&shop, "m2").await, ["grant.claimed", "grant.issued"]);
    shop.verify().await;
}

#[tokio::test]
async fn a_member_who_joins_is_heard_whichever_way_it_joined() {
    let shop = shop().await;
    shop.publish(Plan::Campaign(campaign("sale", None))).await;
    let join = Join { campaign: "sale".into(), member: "m1".into(), store: None, channel: None };
    assert!(shop.run(join.clone()).await.unwrap().unwrap().created);
    shop.run(join).await.unwrap();
    assert_eq!(told(&shop, "m1").await, ["campaign.joined"]);
    shop.verify().await;
}
