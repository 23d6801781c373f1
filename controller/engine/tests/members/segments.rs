//! Whole audiences against the judge: previews and memberships of generated members, events and conditions equal what
//! the definition says, at generated times and around the edges of windows.

use crate::{
    database,
    generate::{Dice, Person, edges},
    naive,
    support::{BANGKOK, Shop, name, runtime, segment},
};
use fanfare_core::{
    ids::{MemberId, Namespace},
    model::{Plan, RuntimePlan, segment::Condition},
    time::{Ts, Tz},
};
use fanfare_store::{
    Store, Writes,
    rows::{Consent, Event, Member},
};

/// How many shops, members in each, conditions asked of them, and times at which each is asked.
const SHOPS: u64 = 6;
const MEMBERS: usize = 40;
const CONDITIONS: usize = 12;
const TIMES: usize = 8;

fn id(place: usize) -> MemberId {
    format!("m{place:03}").into()
}

/// The rows of some people, as if they had been there for long.
fn rows(people: &[Person], now: Ts) -> Writes {
    let mut writes = Writes { at: Some(now), ..Writes::default() };
    for (place, person) in people.iter().enumerate() {
        let Person { attributes, tags, lists, since, events } = person.clone();
        writes.members.push(Member {
            id: id(place),
            account: format!("account-{place}").into(),
            attributes,
            tags,
            consent: Consent::default(),
            identities: std::collections::BTreeSet::new(),
            created_at: since.unwrap_or(now),
            merged_into: None,
        });
        writes.list_added.extend(lists.into_iter().map(|list| (list, id(place))));
        writes.new_events.extend(events.into_iter().enumerate().map(|(n, (kind, time, data))| Event {
            source: "test".into(),
            id: format!("{place}-{n}"),
            kind,
            member: Some(id(place)),
            time,
            digest: String::new(),
            data: data.into(),
            decisions: serde_json::json!([]),
        }));
    }
    writes
}

async fn written(store: &dyn Store, writes: Writes) {
    store.begin(&Namespace::from("brand-a")).await.unwrap().commit(writes).await.unwrap();
}

#[tokio::test]
async fn a_whole_audience_is_who_the_definition_says() {
    let (mut answers, mut held, mut previews) = (0_u64, 0_u64, 0_u64);
    for seed in 0..SHOPS {
        let mut dice = Dice::new(1_000_000 + seed);
        let zone: Tz = if seed == 0 { BANGKOK } else { dice.zone() };
        let now = dice.now(zone);
        let mut people: Vec<Person> = (0..MEMBERS).map(|_| dice.person(now, zone)).collect();
        for person in &mut people {
            person.since = person.since.or(Some(now));
        }
        let segments = dice.segments(zone);
        // Business time never goes back: the questions of all conditions are asked in the order of their times.
        let mut questions: Vec<(Ts, Condition)> = Vec::new();
        for _ in 0..CONDITIONS {
            let condition = dice.condition(zone);
            let mut times: Vec<Ts> = people.iter().flat_map(|person| edges(&condition, person, now, zone)).collect();
            times.retain(|at| at.timestamp_subsec_nanos() % 1_000_000 == 0);
            dice.thin(&mut times, TIMES);
            questions.extend(times.into_iter().map(|at| (at, condition.clone())));
        }
        questions.sort_by_key(|(at, _)| *at);
        let (store, kept) = database::open().await;
        written(&*store, rows(&people, now)).await;
        let shop = Shop::on(store, kept, questions.first().map_or(now, |(at, _)| *at)).await;
        shop.publish(Plan::CampaignRuntime(RuntimePlan { zone, ..runtime() })).await;
        for (segment_name, condition) in &segments {
            shop.publish(segment(segment_name.as_str(), condition.clone())).await;
        }
        for (at, condition) in questions {
            shop.clock.set_to(at);
            let belongs = |person: &Person| naive::holds(&condition, person, at, zone, &segments);
            let expected: Vec<MemberId> =
                people.iter().enumerate().filter(|(_, person)| belongs(person)).map(|(place, _)| id(place)).collect();
            let preview = shop.engine.preview(&condition).unwrap();
            assert_eq!(preview.size.size, expected.len() as i64, "seed {seed} at {at} in {zone}: {condition:#?}");
            let sample: Vec<MemberId> = preview.sample.into_iter().map(|(member, _)| member).collect();
            assert_eq!(sample, expected[..sample.len()], "seed {seed} at {at} in {zone}: {condition:#?}");
            previews += 1;
            answers += people.len() as u64;
            held += expected.len() as u64;
        }
        named_segments_have_the_same_members(&shop, &people, &segments, zone);
        shop.verify().await;
    }
    println!("{SHOPS} shops, {previews} previews of {MEMBERS} members compared: {answers} answers, {held} held");
    assert!(held > answers / 20 && held < answers - answers / 20);
}

fn named_segments_have_the_same_members(
    shop: &Shop,
    people: &[Person],
    segments: &std::collections::BTreeMap<fanfare_core::ids::Name, Condition>,
    zone: Tz,
) {
    let now = shop.engine.clock().now();
    for (of, condition) in segments {
        let mut size = 0;
        for (place, person) in people.iter().enumerate() {
            let expected = naive::holds(condition, person, now, zone, segments);
            let found = shop.engine.membership(&name(of.as_str()), &id(place)).unwrap();
            assert_eq!(found.member, expected, "{of}, {}: {:#?}", id(place), found.why);
            size += i64::from(expected);
        }
        assert_eq!(shop.engine.segment_size(of).unwrap().size, size, "{of}");
    }
}
