//! What shoppers see, by clock, by audience and by language.

use crate::support::{Shop, campaign, id, name, segment, ts};
use fanfare_core::{
    model::{
        Plan,
        campaign::{Audience, Visibility},
        segment::{Condition, Scalar, Test},
    },
    reason::Reason,
};
use fanfare_engine::{
    feed::{FeedQuery, Sort, View},
    join::Join,
    members::{Profile, UpsertMember},
};
use serde_json::{Value, json};

fn feed(shop: &Shop, query: FeedQuery) -> Value {
    serde_json::from_slice(&shop.engine.feed(&FeedQuery { limit: query.limit.max(1), ..query })).unwrap()
}

fn names(page: &Value) -> Vec<&str> {
    page["items"].as_array().unwrap().iter().map(|item| item["name"].as_str().unwrap()).collect()
}

async fn shop() -> Shop {
    let shop = Shop::open("2026-11-01T00:00:00Z").await;
    let gold = Condition::Attribute { name: "tier".into(), test: Test::In(vec![Scalar::Text("gold".into())]) };
    shop.publish(segment("gold", gold)).await;
    let profile = Profile { attributes: json!({"tier": "gold"}).as_object().cloned(), ..Profile::default() };
    shop.run(UpsertMember { id: id("rich"), profile }).await.unwrap();
    shop.run(UpsertMember { id: id("poor"), profile: Profile::default() }).await.unwrap();
    shop
}

#[tokio::test]
async fn a_campaign_comes_and_goes_by_the_clock_alone() {
    let shop = shop().await;
    shop.publish(Plan::Campaign(campaign("double-11"))).await;
    for (at, upcoming, active, past) in [
        ("2026-11-07T23:59:59+07:00", 0, 0, 0),
        ("2026-11-08T00:00:00+07:00", 1, 0, 0),
        ("2026-11-10T23:59:59+07:00", 1, 0, 0),
        ("2026-11-11T00:00:00+07:00", 0, 1, 0),
        ("2026-11-11T23:59:59+07:00", 0, 1, 0),
        ("2026-11-12T00:00:00+07:00", 0, 0, 1),
        ("2027-11-12T00:00:00+07:00", 0, 0, 1),
    ] {
        shop.clock.set(at);
        let count = |view| names(&feed(&shop, FeedQuery { view, ..FeedQuery::default() })).len();
        assert_eq!((count(View::Upcoming), count(View::Active), count(View::Past)), (upcoming, active, past), "{at}");
    }
    let mut paused = campaign("double-11");
    paused.suspended = true;
    shop.publish(Plan::Campaign(paused)).await;
    shop.clock.set("2026-11-11T12:00:00+07:00");
    assert!(names(&feed(&shop, FeedQuery::default())).is_empty(), "a suspended campaign is hidden");
    assert!(shop.engine.campaign(&name("double-11"), None, &[]).is_none());
    shop.verify().await;
}

#[tokio::test]
async fn each_sees_what_is_theirs_with_the_reason_why_not() {
    let shop = shop().await;
    let for_gold = Audience { include: vec![name("gold")], exclude: Vec::new() };
    for (of, visibility) in
        [("open", Visibility::Public), ("club", Visibility::Targeted), ("secret", Visibility::Unlisted)]
    {
        let mut plan = campaign(of);
        plan.visibility = visibility;
        plan.audience = for_gold.clone();
        shop.publish(Plan::Campaign(plan)).await;
    }
    shop.clock.set("2026-11-11T12:00:00+07:00");
    let of =
        |member: Option<&str>| feed(&shop, FeedQuery { member: member.map(id), limit: 10, ..FeedQuery::default() });
    let nobody = of(None);
    assert_eq!(names(&nobody), ["open"]);
    assert!(nobody["items"][0].get("qualification").is_none());
    let poor = of(Some("poor"));
    assert_eq!(names(&poor), ["open"]);
    assert_eq!(poor["items"][0]["qualification"]["qualified"], false);
    assert_eq!(poor["items"][0]["qualification"]["reasons"][0]["code"], "not-qualified");
    let rich = of(Some("rich"));
    assert_eq!(names(&rich), ["club", "open"]);
    assert_eq!(rich["items"][0]["qualification"], json!({"qualified": true, "reasons": []}));
    let sees = |of: &str, member: Option<&str>| shop.engine.campaign(&name(of), member.map(id).as_ref(), &[]).is_some();
    assert!(sees("open", None) && !sees("club", None) && !sees("secret", Some("poor")) && sees("secret", Some("rich")));
    shop.verify().await;
}

#[tokio::test]
async fn joining_shows_at_once_and_counts_once() {
    let shop = shop().await;
    let mut plan = campaign("open");
    plan.audience = Audience { include: vec![name("gold")], exclude: Vec::new() };
    shop.publish(Plan::Campaign(plan)).await;
    let join = |member: &str| Join { campaign: name("open"), member: id(member), store: None, channel: None };
    let early = shop.engine.execute(join("rich")).await.unwrap().0.unwrap_err();
    assert_eq!(early.refusal.reason, Reason::CampaignNotActive);
    shop.clock.set("2026-11-11T12:00:00+07:00");
    assert!(shop.run(join("rich")).await.unwrap().created);
    assert!(!shop.run(join("rich")).await.unwrap().created);
    let refused = shop.engine.execute(join("poor")).await.unwrap().0.unwrap_err();
    assert_eq!(refused.reasons[0].reason, Reason::NotQualified);
    assert!(shop.run(Join { campaign: name("nothing"), ..join("rich") }).await.is_none());
    let page = feed(&shop, FeedQuery { member: Some(id("rich")), ..FeedQuery::default() });
    assert_eq!(page["items"][0]["joined"], true);
    let (figures, _) = shop.engine.campaign_status(&name("open")).await.unwrap().unwrap();
    assert_eq!((figures.participants, figures.audience), (1, 1));
    let shop = shop.reopen().await;
    let page = feed(&shop, FeedQuery { member: Some(id("rich")), ..FeedQuery::default() });
    assert_eq!(page["items"][0]["joined"], true);
    shop.verify().await;
}

#[tokio::test]
async fn a_text_falls_back_to_the_nearest_language() {
    let shop = shop().await;
    shop.publish(Plan::Campaign(campaign("open"))).await;
    shop.clock.set("2026-11-11T12:00:00+07:00");
    for (locales, title) in [
        (vec!["en-GB"], "Half off"),
        (vec!["th-TH"], "ลดครึ่ง"),
        (vec!["de", "en"], "Half off"),
        (vec!["de"], "ลดครึ่ง"),
        (vec![], "ลดครึ่ง"),
    ] {
        let locales: Vec<String> = locales.into_iter().map(Into::into).collect();
        let page = feed(&shop, FeedQuery { locales: locales.clone(), ..FeedQuery::default() });
        assert_eq!(page["items"][0]["title"], title, "{locales:?}");
        assert_eq!(page["items"][0]["startAt"], "2026-11-11T00:00:00+07:00");
        let detail = shop.engine.campaign(&name("open"), None, &locales).unwrap();
        let detail: Value = serde_json::from_slice(&detail.body).unwrap();
        assert_eq!(detail["title"], title);
        assert_eq!(detail["mechanics"], json!([]));
    }
}

#[tokio::test]
async fn pages_hold_every_campaign_once() {
    let shop = shop().await;
    for n in 0..7 {
        let mut plan = campaign(&format!("c{n}"));
        plan.schedule.start_at = ts("2026-11-11T00:00:00+07:00") - chrono::TimeDelta::hours(n % 3);
        shop.publish(Plan::Campaign(plan)).await;
    }
    shop.clock.set("2026-11-11T12:00:00+07:00");
    for sort in [Sort::StartAt, Sort::Recommended] {
        let (mut seen, mut after) = (Vec::new(), None);
        loop {
            let page =
                feed(&shop, FeedQuery { sort, limit: 3, after, member: Some(id("rich")), ..FeedQuery::default() });
            seen.extend(names(&page).into_iter().map(str::to_owned));
            after = page["next"].as_str().map(str::to_owned);
            if after.is_none() {
                break;
            }
        }
        seen.sort();
        assert_eq!(seen, ["c0", "c1", "c2", "c3", "c4", "c5", "c6"], "{sort:?}");
    }
    let tagged =
        |tag: &str| names(&feed(&shop, FeedQuery { tag: Some(tag.into()), limit: 10, ..FeedQuery::default() })).len();
    assert_eq!((tagged("seasonal"), tagged("other")), (7, 0));
}
