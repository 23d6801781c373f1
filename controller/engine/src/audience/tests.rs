//! All members at once are asked over columns, one member over its record: a test that finds them different fails.

use super::{Audience, Fact, Members, learned::Profile, question::Question};
use crate::{
    knowledge::{Known, asked},
    plans::Plans,
};
use fanfare_core::{
    ids::{MemberId, Name, StoreId},
    model::{
        RuntimePlan, SegmentPlan,
        runtime::{EventRules, SegmentRules},
        segment::{
            Behavior, Condition, Decimal, Exclusion, InterestRule, Interests, Lifecycle, LifecycleRule, Location,
            Measure, Period, Pick, Scalar, Sequence, Stage, Step, Stretch, Test, Until, Window,
        },
    },
    money::{BasisPoints, Currency},
    segment::holds,
    time::{Span, Ts, Tz},
};
use fanfare_store::rows::Consent;
use rand::{Rng, SeedableRng, seq::IndexedRandom};
use rand_chacha::ChaCha8Rng;
use serde_json::{Value, json};
use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
};

const MEMBERS: usize = 40;
const KINDS: [&str; 5] = ["order.paid", "order.refunded", "store.visited", "coupon.viewed", "app.opened"];
const TAGS: [&str; 4] = ["coffee", "tea", "vegan", "never-given"];
const LISTS: [&str; 3] = ["vip", "staff", "nobody"];
const STORES: [&str; 3] = ["bkk-01", "bkk-02", "cnx-01"];
const SPANS: [Span; 6] = [
    Span::days(1),
    Span::days(7),
    Span::days(30),
    Span::seconds(3_600),
    Span { days: 2, seconds: 5_400 },
    Span::days(90),
];

fn one<'a, T>(rng: &mut ChaCha8Rng, of: &'a [T]) -> &'a T {
    of.choose(rng).unwrap()
}

fn name(text: &str) -> Name {
    Name::from(text)
}

fn text(value: &str) -> Scalar {
    Scalar::Text(value.into())
}

fn chosen(rng: &mut ChaCha8Rng, of: &[&str]) -> Name {
    name(of.choose(rng).unwrap())
}

fn number(e4: i64) -> Scalar {
    Scalar::Number(Decimal { e4 })
}

/// An instant at, just before or just after the edge of a window, or anywhere.
fn instant(rng: &mut ChaCha8Rng, now: Ts, zone: Tz) -> Ts {
    let edge = match rng.random_range(0..4) {
        0 => now,
        1 | 2 => one(rng, &SPANS).before(now, zone),
        _ => now - chrono::TimeDelta::seconds(rng.random_range(0..100 * 86_400)),
    };
    let nudge = *one(rng, &[0, 0, 1, -1, 1_000_000_000, -1_000_000_000, 500_000_000]);
    edge + chrono::TimeDelta::nanoseconds(nudge)
}

fn data(rng: &mut ChaCha8Rng, kind: &str) -> Value {
    let order = format!("o{}", rng.random_range(0..6));
    let total = match rng.random_range(0..5) {
        0 => json!("12.5"),
        1 => json!(rng.random_range(0..2_000)),
        2 => json!(format!("{}.{:02}", rng.random_range(0..500), rng.random_range(0..100))),
        3 => json!(-5),
        _ => json!("0.0001"),
    };
    let store = one(rng, &STORES);
    match (kind, rng.random_range(0..12)) {
        (_, 0) => Value::Null,
        (_, 1) => json!({ "orderId": order, "total": [1, 2], "storeId": ["bkk-01", "cnx-01"] }),
        ("order.paid", 2) => json!({ "orderId": order, "total": "a lot", "storeId": store }),
        ("order.paid", _) => json!({
            "orderId": order, "total": total, "storeId": store,
            "lines": [
                { "id": "1", "sku": one(rng, &["a", "b"]), "category": one(rng, &["drinks", "food"]), "quantity": 2, "total": "20" },
                { "id": "2", "sku": "c", "category": "food", "quantity": 1, "unitPrice": "7" },
            ],
        }),
        ("order.refunded", _) => json!({
            "orderId": order, "total": one(rng, &["5", "12.5", "3000"]),
            "lines": [{ "id": one(rng, &["1", "2"]), "quantity": 1 }],
        }),
        _ => json!({ "storeId": store, "minutes": rng.random_range(0..5) }),
    }
}

fn fact(rng: &mut ChaCha8Rng, now: Ts, zone: Tz) -> Fact {
    let kind = *one(rng, &KINDS);
    let (digest, time) = (rng.random(), instant(rng, now, zone));
    Fact { digest, kind: kind.into(), time, data: Arc::new(data(rng, kind)) }
}

fn profile(rng: &mut ChaCha8Rng, id: &MemberId, now: Ts, zone: Tz) -> Profile {
    let mut attributes = BTreeMap::new();
    let mut maybe = |rng: &mut ChaCha8Rng, name: &str, values: &[Scalar]| {
        if rng.random_bool(0.8) {
            attributes.insert(name.to_owned(), one(rng, values).clone());
        }
    };
    maybe(rng, "tier", &[text("gold"), text("silver"), text("bronze")]);
    maybe(rng, "age", &[number(300_000), text("30"), text("31"), number(250_000), Scalar::Flag(true)]);
    let day = |rng: &mut ChaCha8Rng| {
        let day = (instant(rng, now, zone).with_timezone(&zone)).date_naive();
        let years = *one(rng, &[0, 0, 1, 30]);
        let day = day.checked_sub_months(chrono::Months::new(12 * years)).unwrap();
        text(&day.to_string())
    };
    let dates = [day(rng), day(rng), text("1996-02-29"), text("soon")];
    maybe(rng, "birthDate", &dates);
    maybe(rng, "joinedOn", &dates);
    Profile {
        id: id.clone(),
        attributes,
        tags: TAGS[..3].iter().filter(|_| rng.random_bool(0.4)).map(|tag| (*tag).to_owned()).collect(),
        consent: Consent::default(),
        identities: BTreeSet::new(),
        known: rng.random_bool(0.95),
        since: rng.random_bool(0.8).then(|| instant(rng, now, zone)),
    }
}

fn test(rng: &mut ChaCha8Rng, values: &[Scalar]) -> Test {
    let some =
        |rng: &mut ChaCha8Rng| -> Vec<Scalar> { values.iter().filter(|_| rng.random_bool(0.5)).cloned().collect() };
    match rng.random_range(0..4) {
        0 => Test::In(some(rng)),
        1 => Test::NotIn(some(rng)),
        2 => Test::Between { least: Some(one(rng, values).clone()), most: None },
        _ => Test::Exists(rng.random()),
    }
}

fn date_test(rng: &mut ChaCha8Rng) -> Test {
    match rng.random_range(0..5) {
        0 => Test::Age { least: Some(1), most: Some(29) },
        1 => Test::AnniversaryWithin { days: *one(rng, &[0, 7, 30]) },
        2 => Test::AnniversaryIn(*one(rng, &[Stretch::Today, Stretch::ThisWeek, Stretch::ThisMonth])),
        3 => Test::DaysAhead { least: Some(-30), most: Some(0) },
        _ => Test::Between { least: Some(text("2000-01-01")), most: None },
    }
}

fn filter(rng: &mut ChaCha8Rng) -> BTreeMap<String, Test> {
    let mut filter = BTreeMap::new();
    if rng.random_bool(0.3) {
        filter.insert("storeId".to_owned(), test(rng, &[text("bkk-01"), text("cnx-01")]));
    }
    if rng.random_bool(0.1) {
        filter.insert("lines.category".to_owned(), Test::In(vec![text("drinks")]));
    }
    filter
}

fn window(rng: &mut ChaCha8Rng) -> Window {
    let span = |rng: &mut ChaCha8Rng, odds: f64| rng.random_bool(odds).then(|| *one(rng, &SPANS));
    let periods = [Period::Today, Period::Yesterday, Period::ThisWeek, Period::LastMonth, Period::ThisYear];
    Window {
        within: span(rng, 0.6),
        before: span(rng, 0.2),
        period: rng.random_bool(0.1).then(|| *one(rng, &periods)),
        ..Window::default()
    }
}

fn behavior(rng: &mut ChaCha8Rng) -> Condition {
    let path = |rng: &mut ChaCha8Rng| (*one(rng, &["total", "total", "minutes", "lines.total"])).to_owned();
    let measure = match rng.random_range(0..8) {
        0..=2 => Measure::Count,
        3 => Measure::Sum(path(rng)),
        4 => Measure::Average(path(rng)),
        5 => Measure::Min(path(rng)),
        6 => Measure::Max(path(rng)),
        _ => Measure::Distinct((*one(rng, &["storeId", "total"])).to_owned()),
    };
    let counts = matches!(measure, Measure::Count | Measure::Distinct(_));
    let bounds: &[i64] = if counts { &[0, 1, 2, 4] } else { &[0, 50_000, 1_000_000, 125_000] };
    Condition::Behavior(Behavior {
        event: (*one(rng, &["order.paid", "order.paid", "store.visited", "coupon.viewed", "never.sent"])).to_owned(),
        filter: filter(rng),
        window: window(rng),
        pick: rng.random_bool(0.2).then(|| *one(rng, &[Pick::First, Pick::Last])),
        measure,
        least: rng.random_bool(0.6).then(|| *one(rng, bounds)),
        most: rng.random_bool(0.4).then(|| *one(rng, bounds)),
    })
}

fn sequence(rng: &mut ChaCha8Rng) -> Condition {
    let step = |rng: &mut ChaCha8Rng, first: bool| Step {
        event: (*one(rng, &["coupon.viewed", "order.paid", "store.visited"])).to_owned(),
        filter: filter(rng),
        within: rng.random_bool(0.7).then(|| *one(rng, &SPANS)),
        after: rng.random_bool(if first { 0.1 } else { 0.3 }).then(|| *one(rng, &SPANS)),
    };
    let steps = (0..rng.random_range(1..4)).map(|number| step(rng, number == 0)).collect();
    let without = rng.random_bool(0.2).then(|| Exclusion {
        event: "app.opened".to_owned(),
        filter: BTreeMap::new(),
        until: *one(rng, &[Until::LastStep, Until::Now]),
    });
    Condition::Sequence(Sequence { steps, without })
}

fn person(rng: &mut ChaCha8Rng) -> Condition {
    match rng.random_range(0..4) {
        0 => Condition::Interests(Interests {
            any: vec!["food".into()],
            all: Vec::new(),
            none: vec!["drinks".into()],
            rule: InterestRule { within: Span::days(30), ..InterestRule::default() },
        }),
        1 => Condition::Location(Location::PreferredStore {
            any: vec![StoreId::from("bkk-01")],
            attribute: None,
            within: Span::days(30),
        }),
        _ => {
            let stages = [Stage::New, Stage::Active, Stage::Dormant, Stage::ChurnRisk, Stage::Churned];
            let rule = LifecycleRule {
                new_for: Span::days(7),
                dormant_after: Span::days(2),
                churn_risk_after: Span::days(30),
                churned_after: Span::days(90),
                joined: rng.random_bool(0.5).then(|| "joinedOn".to_owned()),
                ..LifecycleRule::default()
            };
            Condition::Lifecycle(Lifecycle {
                stages: stages.into_iter().filter(|_| rng.random_bool(0.4)).collect(),
                rule,
            })
        }
    }
}

fn condition(rng: &mut ChaCha8Rng, depth: usize) -> Condition {
    let parts = |rng: &mut ChaCha8Rng| (0..rng.random_range(0..4)).map(|_| condition(rng, depth - 1)).collect();
    let tags = |rng: &mut ChaCha8Rng| {
        TAGS.iter().filter(|_| rng.random_bool(0.25)).map(|tag| (*tag).to_owned()).collect::<Vec<_>>()
    };
    match rng.random_range(if depth == 0 { 3 } else { 0 }..14) {
        0 => Condition::All(parts(rng)),
        1 => Condition::Any(parts(rng)),
        2 => Condition::Not(Box::new(condition(rng, depth - 1))),
        3 => Condition::Attribute { name: "tier".into(), test: test(rng, &[text("gold"), text("silver")]) },
        4 => Condition::Attribute { name: "age".into(), test: test(rng, &[number(300_000), text("31")]) },
        5 => Condition::Attribute { name: "birthDate".into(), test: date_test(rng) },
        6 => Condition::Tags { any: tags(rng), all: tags(rng), none: tags(rng) },
        7 => Condition::List(chosen(rng, &LISTS)),
        8 => Condition::Segment(chosen(rng, &["first", "second", "none-such"])),
        9 => sequence(rng),
        10 => person(rng),
        11 => Condition::Attribute { name: "never-set".into(), test: test(rng, &[text("x")]) },
        _ => behavior(rng),
    }
}

/// Everything that differs: whom columns, kept sets and records disagree about.
fn compare(audience: &Audience, plans: &Plans, conditions: &[Condition], now: Ts, context: &str) -> usize {
    let all: Vec<&Condition> = conditions.iter().collect();
    let question: Question<'_> = audience.question(plans, &all, now);
    assert_eq!(question.now, now);
    let mut compared = 0;
    let members: &Members = &question.members;
    let by_record = |condition: &Condition, record| holds(condition, &asked(plans, &Known::of(record), now));
    for condition in conditions {
        let selected = question.select(condition).unwrap();
        for (number, (id, record)) in members.iter().enumerate() {
            let found = selected.get(number / 64).is_some_and(|word| word >> (number % 64) & 1 == 1);
            let wanted = record.known && by_record(condition, record);
            assert_eq!(found, wanted, "{context}: {id} at {now}: {condition:#?}\n{record:#?}");
            compared += 1;
        }
    }
    for (name, plan) in &plans.segments {
        let kept = members.live.members(members.live.place(name).unwrap()).unwrap();
        for (number, (id, record)) in (0..).zip(members.iter()) {
            let wanted = record.known && by_record(&plan.condition, record);
            assert_eq!(
                kept.has(number),
                wanted,
                "{context}: {name} keeps {id} at {now}: {:#?}\n{record:#?}",
                plan.condition
            );
            compared += 1;
        }
    }
    compared
}

pub(super) fn runtime(zone: Tz) -> RuntimePlan {
    RuntimePlan {
        name: name("runtime"),
        zone,
        currency: Currency::parse("THB").unwrap(),
        margin: BasisPoints::FULL,
        margin_floor: None,
        default_locale: "th".into(),
        other_locales: Vec::new(),
        attributes: BTreeMap::new(),
        stores: BTreeMap::new(),
        point_worth_e4: 20_000,
        points: fanfare_core::points::Rules::default(),
        dev_login: false,
        events: EventRules::default(),
        reserve_for: Span::seconds(900),
        approve_above: None,
        segments: SegmentRules::default(),
    }
}

fn plans(rng: &mut ChaCha8Rng, zone: Tz) -> Plans {
    let mut plans = Plans { digest: format!("{}", rng.random::<u64>()), ..Plans::default() };
    plans.runtime = Some(Arc::new(runtime(zone)));
    // The second one may name the first, never the other way round.
    for segment in ["first", "second", "third", "fourth"] {
        let mut condition = condition(rng, if segment == "first" { 0 } else { 2 });
        if segment == "first" {
            while matches!(condition, Condition::Segment(_)) {
                condition = behavior(rng);
            }
        }
        while super::live::names(&condition).contains(&name("second")) {
            condition = self::condition(rng, 2);
        }
        let plan = SegmentPlan { name: name(segment), title: segment.into(), condition };
        plans.segments.insert(name(segment), Arc::new(plan));
    }
    plans
}

/// One generated history: built at one go, then event by event with time passing, compared all along.
fn history(seed: u64) -> usize {
    let mut rng = ChaCha8Rng::seed_from_u64(seed);
    let rng = &mut rng;
    let zone = *one(rng, &[Tz::UTC, Tz::Asia__Bangkok, Tz::America__New_York, Tz::Australia__Lord_Howe]);
    // Around the nights in which clocks are moved, too.
    let starts = ["2026-11-11T05:00:00.25Z", "2026-11-01T05:59:59Z", "2026-03-10T12:00:00Z", "2026-04-05T00:30:00Z"];
    let mut now: Ts = one(rng, &starts).parse().unwrap();
    let ids: Vec<MemberId> = (0..MEMBERS).map(|n| MemberId::from(format!("m{n}"))).collect();
    let mut members = Members::default();
    for id in &ids {
        if rng.random_bool(0.5) {
            let profile = profile(rng, id, now, zone);
            members.record(id).take(profile);
        }
        for _ in 0..rng.random_range(0..8) {
            let fact = fact(rng, now, zone);
            members.record(id).facts.push(fact);
        }
        if rng.random_bool(0.3) {
            members.record(id).lists.insert(chosen(rng, &LISTS));
        }
    }
    members.index();
    let audience = Audience::from(members);
    let mut plans = plans(rng, zone);
    let mut compared = 0;
    for round in 0..12 {
        let conditions: Vec<Condition> = (0..6).map(|_| condition(rng, 3)).collect();
        compared += compare(&audience, &plans, &conditions, now, &format!("seed {seed} round {round}"));
        for _ in 0..rng.random_range(0..6) {
            let (steady, mut members) = (audience.steadies.around(now, zone), audience.members.write());
            let mut touched = super::Touched::default();
            let id = one(rng, &ids);
            match rng.random_range(0..8) {
                0 => {
                    let profile = profile(rng, id, now, zone);
                    touched.people.extend(members.take_profile(profile));
                }
                1 => {
                    let (list, inside) = (chosen(rng, &LISTS), rng.random());
                    touched.people.extend(members.put_on_list(&list, id, inside));
                }
                2 => {
                    let named: Vec<MemberId> = ids.iter().filter(|_| rng.random_bool(0.2)).cloned().collect();
                    touched.people.extend(members.set_list(&name("vip"), &named));
                }
                _ => {
                    let fact = fact(rng, now, zone);
                    touched.acted.extend(members.take_fact(id, fact));
                }
            }
            members.touch(&plans, touched, now, steady);
        }
        if rng.random_bool(0.2) {
            plans = self::plans(rng, zone);
        }
        // To, just before and just after what time alone changes.
        let ahead = one(rng, &SPANS).after(now, zone) - now;
        let nudge = chrono::TimeDelta::nanoseconds(*one(rng, &[0, 1, -1, 900_000_000_000]));
        let before = now;
        now = match rng.random_range(0..4) {
            0 => now,
            1 => now + chrono::TimeDelta::nanoseconds(1),
            2 => now + chrono::TimeDelta::seconds(rng.random_range(0..90_000)),
            _ => now + ahead + nudge,
        };
        now = now.max(before);
    }
    // Read anew, it says the same.
    let mut whole = audience.members.into_inner();
    whole.live = super::live::Live::default();
    whole.index();
    let rebuilt = Audience::from(whole);
    let conditions: Vec<Condition> = (0..6).map(|_| condition(rng, 3)).collect();
    compared + compare(&rebuilt, &plans, &conditions, now, &format!("seed {seed} rebuilt"))
}

#[test]
fn everybody_at_once_is_what_each_alone_is_whatever_happened_and_however_time_passed() {
    let from: u64 = std::env::var("FANFARE_SEED").ok().and_then(|seed| seed.parse().ok()).unwrap_or(1);
    let histories: u64 = std::env::var("FANFARE_CASES").ok().and_then(|cases| cases.parse().ok()).unwrap_or(150);
    let compared: usize = (from..from + histories).map(history).sum();
    println!("{compared} answers of columns and kept sets compared with the records'");
    assert!(compared > 10_000);
}
