//! What members are told of their way to the goals of a campaign, and whose events nobody may send.

use crate::{
    emitted::{listening, messages},
    support::{Shop, campaign, mechanic, points, reward_from},
};
use chrono::TimeDelta;
use fanfare_core::{
    event_types,
    mechanic::{
        Rule,
        lottery::{Entry, Lottery, Prize},
        spend_threshold::SpendPer,
    },
    model::Plan,
};
use fanfare_engine::{
    ingest::{EventResult, Incoming, Sender, Status},
    join::Join,
};
use serde_json::{Value, json};

const KINDS: [&str; 2] = ["campaign.progressed", "campaign.completed"];
const BODY: &str = "{{event.data.mechanic}} {{event.data.goal}} {{event.data.current}}/{{event.data.target}} \
                    {{event.data.left}} {{event.data.unit}} {{event.data.percent}}";

/// A campaign that gives points for 200.00 spent over all orders, and a ticket of a lottery for each.
async fn shop(kinds: &[&str], body: &str) -> Shop {
    let shop = listening(kinds, body).await;
    shop.publish(Plan::Reward(points("thanks", 100))).await;
    let mut plan = campaign("spend", Some(100_000));
    let Rule::SpendThreshold(mut rule) = reward_from(20_000, "thanks") else { unreachable!() };
    rule.per = SpendPer::Campaign;
    let lottery = Lottery {
        entry: Entry::Event("order.paid".into()),
        limits: Vec::new(),
        prizes: vec![Prize { name: "nothing".into(), reward: None, weight: 1, quantity: None, per_day: None }],
        guaranteed_after: None,
    };
    plan.mechanics = vec![mechanic("more", Rule::SpendThreshold(rule)), mechanic("wheel", Rule::Lottery(lottery))];
    shop.publish(Plan::Campaign(plan)).await;
    let join = Join { campaign: "spend".into(), member: "m1".into(), store: None, channel: None };
    shop.run(join).await.unwrap();
    shop
}

async fn send(shop: &Shop, kind: &str, order: &str, total: &str, ago: TimeDelta) -> EventResult {
    let data = json!({ "orderId": order, "returnId": "r1", "total": total, "currency": "THB", "storeId": "bkk-01",
        "lines": [{ "id": "a", "sku": "TEA", "quantity": 1, "unitPrice": total }] });
    let event = Incoming {
        source: "till".into(),
        id: format!("{kind}/{order}"),
        kind: kind.into(),
        subject: Some("m1".into()),
        time: Some(shop.engine_now() - ago),
        data: data.into(),
    };
    shop.engine.ingest(vec![event], &Sender::Shop).await.unwrap().0.remove(0)
}

async fn pays(shop: &Shop, order: &str, total: &str) -> Vec<String> {
    let result = send(shop, "order.paid", order, total, TimeDelta::zero()).await;
    assert_eq!(result.status, Status::Accepted, "{result:?}");
    told(shop).await
}

async fn told(shop: &Shop) -> Vec<String> {
    messages(shop, "m1").await.into_iter().map(|message| message.body.trim().to_owned()).collect()
}

#[tokio::test]
async fn each_order_tells_how_far_it_is_to_the_goal() {
    let shop = shop(&KINDS[..1], BODY).await;
    let first = pays(&shop, "o1", "150.00").await;
    assert!(first.contains(&"more thanks 150.00/200.00 50.00 THB 75".to_owned()), "{first:?}");
    let second = pays(&shop, "o2", "100.00").await;
    assert!(second.contains(&"more thanks 250.00/200.00 0.00 THB 100".to_owned()), "{second:?}");
    shop.verify().await;
}

#[tokio::test]
async fn a_campaign_is_completed_once_however_often_its_goals_are_reached_and_lost() {
    let shop = shop(&KINDS[1..], "{{event.data.campaign}}").await;
    assert!(pays(&shop, "o1", "150.00").await.is_empty(), "a ticket of a lottery is no goal to reach");
    assert_eq!(pays(&shop, "o2", "100.00").await, ["spend"]);
    let back = send(&shop, "order.refunded", "o1", "150.00", TimeDelta::zero()).await;
    assert_eq!(back.status, Status::Accepted, "{back:?}");
    assert_eq!(told(&shop).await, ["spend"], "what is taken back is not told");
    let goals = shop.engine.progress(&"spend".into(), &"m1".into()).unwrap().mechanics;
    assert_eq!(goals[0].goals[0].current, Value::from("100.00"), "the way is open again");
    assert_eq!(pays(&shop, "o3", "100.00").await, ["spend"]);
    shop.verify().await;
}

#[tokio::test]
async fn what_happened_too_long_ago_counts_and_is_not_told() {
    let shop = shop(&KINDS, "-").await;
    shop.forward(TimeDelta::days(5));
    let result = send(&shop, "order.paid", "o1", "250.00", TimeDelta::days(4)).await;
    assert_eq!(result.status, Status::Accepted, "{result:?}");
    assert!(told(&shop).await.is_empty());
    let goals = shop.engine.progress(&"spend".into(), &"m1".into()).unwrap().mechanics;
    assert_eq!(goals[0].goals[0].current, Value::from("250.00"));
    shop.verify().await;
}

#[tokio::test]
async fn what_the_system_tells_nobody_can_send() {
    let shop = shop(&KINDS, "-").await;
    for kind in event_types::told().chain(["budget.threshold", "segment.entered", "campaign.started"]) {
        let result = send(&shop, kind, "o1", "250.00", TimeDelta::zero()).await;
        let problem = result.problem.unwrap();
        assert_eq!((result.status, problem.code.as_str()), (Status::Rejected, "invalid"), "{kind}");
        assert!(problem.detail.contains(kind), "{}", problem.detail);
    }
    assert!(told(&shop).await.is_empty());
}
