//! Figures of the index alone, without HTTP, beside the same questions written by hand:
//! `FANFARE_MEASURE=1000000 cargo test --release -p fanfare-engine --lib figures -- --nocapture`. Without it, a small shop
//! whose counts alone are compared.

#[allow(dead_code, unreachable_pub, clippy::print_stderr, reason = "a program of its own, too")]
#[path = "../../../../tests/load/src/bin/reference_audience.rs"]
mod by_hand;

use super::{Audience, Fact, Members, Touched, learned::Profile};
use crate::plans::Plans;
use by_hand::people::{KINDS, TIERS, person};
use fanfare_core::{
    ids::{MemberId, Name},
    model::{
        SegmentPlan,
        segment::{Behavior, Condition, Measure, Pick, Scalar, Sequence, Step, Stretch, Test, Window},
    },
    time::{Span, Ts},
};
use fanfare_store::rows::Consent;
use serde_json::{Value, json};
use std::{
    collections::{BTreeMap, BTreeSet, HashMap},
    sync::Arc,
    time::Instant,
};

const SEED: u64 = 7;
const NOW: &str = "2026-11-11T05:00:00Z";
const RUNS: usize = 15;

fn text(value: &str) -> Scalar {
    Scalar::Text(value.into())
}

fn shop(members: u32, now: Ts) -> Members {
    let mut shop = Members::default();
    let kinds: Vec<Arc<str>> = KINDS.iter().map(|kind| shop.kind(kind)).collect();
    let nothing = Arc::new(Value::Null);
    let mut amounts: HashMap<u32, Arc<Value>> = HashMap::new();
    for number in 0..members {
        let person = person(SEED, number);
        let (year, month, day) = person.born;
        let attributes = [
            ("tier", TIERS[usize::from(person.tier)].to_owned()),
            ("city", format!("c{}", person.city)),
            ("birthDate", format!("{year}-{month:02}-{day:02}")),
        ];
        let id = MemberId::from(format!("m{number}"));
        let record = shop.record(&id);
        record.take(Profile {
            id: id.clone(),
            attributes: attributes.into_iter().map(|(name, value)| (name.to_owned(), Scalar::Text(value))).collect(),
            tags: (0..64).filter(|tag| person.tags >> tag & 1 == 1).map(|tag| format!("t{tag}")).collect(),
            consent: Consent::default(),
            identities: BTreeSet::new(),
            known: true,
            since: None,
        });
        if person.excluded {
            record.lists.insert("excluded".into());
        }
        record.facts = person
            .did
            .iter()
            .zip(0_u64..)
            .map(|(did, digest)| {
                let amount = || format!("{}.{:02}", did.amount / 100, did.amount % 100);
                let data = match did.kind {
                    0 => {
                        Arc::clone(amounts.entry(did.amount).or_insert_with(|| Arc::new(json!({ "amount": amount() }))))
                    }
                    _ => Arc::clone(&nothing),
                };
                let time = now - chrono::TimeDelta::seconds(i64::from(did.age));
                Fact { digest, kind: Arc::clone(&kinds[usize::from(did.kind)]), time, data }
            })
            .collect();
    }
    shop
}

fn did(event: &str, least: Option<i64>, most: Option<i64>, window: Window) -> Behavior {
    Behavior { event: event.into(), window, least, most, ..Behavior::default() }
}

fn questions() -> Vec<Condition> {
    let [bought, visited, .., seen, _] = KINDS;
    let days = |days| Window::within(Span::days(days));
    let before = Window { before: Some(Span::days(90)), ..Window::default() };
    let spent =
        |least, window| Behavior { measure: Measure::Sum("amount".into()), ..did(bought, Some(least), None, window) };
    let tags = Condition::Tags { any: vec!["t3".into(), "t17".into()], all: Vec::new(), none: vec!["t5".into()] };
    let attribute = |name: &str, test| Condition::Attribute { name: name.into(), test };
    let step = |event: &str, within| Step {
        event: event.into(),
        filter: BTreeMap::new(),
        within: Some(Span::days(within)),
        after: None,
    };
    vec![
        Condition::All(vec![
            attribute("tier", Test::In(vec![text(TIERS[2]), text(TIERS[3])])),
            Condition::Not(Box::new(Condition::List("excluded".into()))),
            Condition::Behavior(spent(20_000_001, days(30))),
            Condition::Behavior(did(visited, Some(3), None, days(90))),
            Condition::Behavior(did(bought, None, Some(0), days(7))),
        ]),
        Condition::All(vec![
            Condition::Behavior(did(bought, Some(3), None, before)),
            Condition::Behavior(did(bought, None, Some(0), days(60))),
            Condition::Behavior(spent(50_000_001, Window::default())),
        ]),
        Condition::Behavior(Behavior { pick: Some(Pick::First), ..did(bought, Some(1), None, days(14)) }),
        Condition::All(vec![
            attribute("city", Test::In(vec![text("c0"), text("c4")])),
            tags,
            attribute("birthDate", Test::AnniversaryIn(Stretch::ThisMonth)),
        ]),
        Condition::Sequence(Sequence { steps: vec![step(seen, 90), step(bought, 7)], without: None }),
    ]
}

fn plans(segments: usize, zone: fanfare_core::time::Tz) -> Plans {
    let mut plans = Plans { digest: format!("{segments}"), ..Plans::default() };
    plans.runtime = Some(Arc::new(super::tests::runtime(zone)));
    for (number, condition) in questions().into_iter().cycle().take(segments).enumerate() {
        let name = Name::from(format!("s{number}"));
        let tier = Condition::Attribute { name: "tier".into(), test: Test::In(vec![text(TIERS[number / 5 % 4])]) };
        let condition = if number < 5 { condition } else { Condition::All(vec![tier, condition]) };
        plans.segments.insert(name.clone(), Arc::new(SegmentPlan { name, title: String::new(), condition }));
    }
    plans
}

fn median_ms(mut ask: impl FnMut()) -> f64 {
    let mut times: Vec<f64> = (0..RUNS)
        .map(|_| {
            let began = Instant::now();
            ask();
            began.elapsed().as_secs_f64() * 1e3
        })
        .collect();
    times.sort_by(f64::total_cmp);
    times[RUNS / 2]
}

#[test]
fn figures_of_a_shop_agree_with_those_written_by_hand() {
    let members: u32 = std::env::var("FANFARE_MEASURE").ok().and_then(|text| text.parse().ok()).unwrap_or(3_000);
    let now: Ts = NOW.parse().unwrap();
    let zone = fanfare_core::time::Tz::Asia__Bangkok;
    let mut people = shop(members, now);
    let began = Instant::now();
    people.index();
    let built = began.elapsed();
    let audience = Audience::from(people);
    let none = plans(0, zone);
    let all = questions();
    let reference = by_hand::measured(SEED, members, 11);
    let mut mean = 1.0;
    for (condition, (name, count, theirs)) in all.iter().zip(&reference) {
        drop(audience.question(&none, &[condition], now));
        let mut found = 0;
        let ours = median_ms(|| {
            let question = audience.question(&none, &[condition], now);
            found = question.select(condition).unwrap().iter().map(|word| word.count_ones() as usize).sum();
        });
        assert_eq!(found, *count, "{name}");
        mean *= ours / theirs;
        println!("{name}: {found} of {members}; ours {ours:.3} ms, by hand {theirs:.3} ms, ratio {:.2}", ours / theirs);
    }
    let footprint = audience.read().footprint();
    println!("geometric mean of the ratios {:.2}; built in {built:?}; {footprint:?}", f64::powf(mean, 0.2));
    println!(
        "{:.1} B an event, {:.1} B a member",
        footprint.event_bytes as f64 / footprint.events as f64,
        footprint.member_bytes as f64 / footprint.members as f64
    );
    stored(&audience, zone, now, members);
}

/// Stored Segments: what they cost an event, and what asking them costs.
fn stored(audience: &Audience, zone: fanfare_core::time::Tz, now: Ts, members: u32) {
    let mut digest = 1_u64 << 40;
    for segments in [0, 10, 100, 1_000] {
        let plans = plans(segments, zone);
        let began = Instant::now();
        drop(audience.question(&plans, &[], now));
        let counted = began.elapsed();
        let steady = audience.steadies.around(now, zone);
        let events = 20_000.min(members);
        let began = Instant::now();
        for number in 0..events {
            let id = MemberId::from(format!("m{}", u64::from(number) * 7_919 % u64::from(members)));
            let kind = KINDS[number as usize % KINDS.len()].into();
            digest += 1;
            let data = Arc::new(json!({ "amount": "120.00" }));
            let mut members = audience.members.write();
            let acted = members.take_fact(&id, Fact { digest, kind, time: now, data });
            members.touch(&plans, Touched { acted: acted.into_iter().collect(), ..Touched::default() }, now, steady);
        }
        let each = began.elapsed().as_secs_f64() * 1e6 / f64::from(events);
        println!("{segments} stored Segments: counted in {counted:?}, then {each:.2} us an event taken in");
        if segments == 10 {
            ask_stored(audience, &plans, now, members);
        }
    }
}

fn ask_stored(audience: &Audience, plans: &Plans, now: Ts, members: u32) {
    let named = |name: &str| Condition::Segment(name.into());
    let condition =
        Condition::All(vec![Condition::Any(vec![named("s0"), named("s1")]), Condition::Not(Box::new(named("s4")))]);
    let time = median_ms(|| drop(audience.question(plans, &[], now).select(&condition)));
    println!("AND, OR, NOT of stored Segments: {:.1} us", time * 1e3);
    let ids: Vec<MemberId> = (0..100_000_u64).map(|n| format!("m{}", n * 7_919 % u64::from(members)).into()).collect();
    let began = Instant::now();
    let mut inside = 0;
    for id in &ids {
        let question = audience.question(plans, &[], now);
        let place = question.members.live.place(&"s0".into()).unwrap();
        let number = question.members.number(id).unwrap();
        inside += u32::from(question.members.live.members(place).unwrap().has(number));
    }
    let each = began.elapsed().as_secs_f64() * 1e9 / ids.len() as f64;
    println!("is a member, by its id, in a stored Segment: {each:.0} ns on average ({inside} are)");
}
