//! One table a question, each row a case that a reader can reckon: what holds at the edges, and what is told of it.

use super::*;
use crate::model::segment::{
    Exclusion, InterestRule, Interests, Lifecycle, LifecycleRule, Location, Period, Pick, Point, Sequence, Stage, Step,
    Stretch, Until,
};

const NOW: &str = "2026-11-11T10:00";

/// A member with some events, each of a type, a local time and data.
fn member(events: &[(&str, &str, serde_json::Value)]) -> Memory {
    let mut memory = Memory { now: bangkok(NOW), ..Memory::default() };
    for (kind, at, data) in events {
        memory.facts.events.entry((*kind).into()).or_default().push(event(at, data.clone()));
    }
    for of_kind in memory.facts.events.values_mut() {
        of_kind.sort_by_key(|event| std::cmp::Reverse(event.at));
    }
    memory
}

fn check(memory: &Memory, condition: &Condition, holds_as: bool, told: &str) {
    let asked = asked(memory);
    let found = why(condition, &asked);
    assert_eq!(holds(condition, &asked), holds_as, "{}: {found:?}", describe(condition));
    assert_eq!(found[0].actual.as_deref(), Some(told), "{}", describe(condition));
}

#[test]
fn a_window_takes_its_first_instant_and_leaves_its_last_to_the_next() {
    let day = Span::days(1);
    let within = Window::within(day);
    let before = Window { before: Some(day), ..Window::default() };
    let period = |period| Window { period: Some(period), ..Window::default() };
    for (at, window, expect) in [
        ("2026-11-10T10:00", within, true),
        ("2026-11-10T09:59:59", within, false),
        ("2026-11-10T10:00", before, false),
        ("2026-11-10T09:59:59", before, true),
        (NOW, within, true),
        ("2026-11-11T10:00:01", within, false),
        ("2026-11-11T00:00", period(Period::Today), true),
        ("2026-11-10T23:59:59", period(Period::Today), false),
        ("2026-11-10T23:59:59", period(Period::Yesterday), true),
        ("2026-11-09T00:00", period(Period::ThisWeek), true),
        ("2026-11-08T23:59:59", period(Period::ThisWeek), false),
        ("2026-11-02T00:00", period(Period::LastWeek), true),
        ("2026-10-01T00:00", period(Period::LastMonth), true),
        ("2026-11-01T00:00", period(Period::LastMonth), false),
        ("2026-10-01T00:00", period(Period::ThisQuarter), true),
        ("2026-09-30T23:59:59", period(Period::LastQuarter), true),
        ("2025-12-31T23:59:59", period(Period::LastYear), true),
    ] {
        let memory = member(&[("store.visited", at, json!({}))]);
        let visited = Behavior { event: "store.visited".into(), window, least: Some(1), ..Behavior::default() };
        check(&memory, &Condition::Behavior(visited), expect, if expect { "1" } else { "0" });
    }
}

#[test]
fn a_birthday_comes_round_also_for_who_was_born_on_a_leap_day() {
    let age = |least| Test::Age { least: Some(least), most: None };
    for (born, today, test, expect, told) in [
        ("2006-11-11", NOW, age(20), true, "20 (2006-11-11)"),
        ("2006-11-12", NOW, age(20), false, "19 (2006-11-12)"),
        ("2000-02-29", "2026-02-28T12:00", age(26), false, "25 (2000-02-29)"),
        ("2000-02-29", "2026-03-01T00:00", age(26), true, "26 (2000-02-29)"),
        ("2000-02-29", "2026-03-01T00:00", Test::AnniversaryIn(Stretch::Today), true, "2000-02-29"),
        ("2000-02-29", "2028-03-01T00:00", Test::AnniversaryIn(Stretch::Today), false, "2000-02-29"),
        ("1990-01-03", "2026-12-30T00:00", Test::AnniversaryWithin { days: 4 }, true, "1990-01-03"),
        ("1990-01-03", "2026-12-30T00:00", Test::AnniversaryWithin { days: 3 }, false, "1990-01-03"),
        ("1990-11-15", NOW, Test::AnniversaryIn(Stretch::ThisWeek), true, "1990-11-15"),
        ("1990-11-30", NOW, Test::AnniversaryIn(Stretch::ThisMonth), true, "1990-11-30"),
        ("2026-11-01", NOW, Test::DaysAhead { least: Some(-10), most: Some(0) }, true, "2026-11-01, 10 days ago"),
        ("2026-11-12", NOW, Test::DaysAhead { least: Some(-10), most: Some(0) }, false, "2026-11-12, 1 day ahead"),
    ] {
        let mut memory = member(&[]);
        memory.now = bangkok(today);
        memory.facts.attributes.insert("birthDate".into(), text(born));
        check(&memory, &Condition::Attribute { name: "birthDate".into(), test }, expect, told);
    }
}

#[test]
fn measures_are_net_of_refunds_line_by_line() {
    let bought = json!([
        {"id": "1", "sku": "TEA", "quantity": 3, "unitPrice": "100", "category": "tea"},
        {"id": "2", "sku": "COF", "quantity": 2, "unitPrice": "200", "category": "coffee"},
    ]);
    let back = json!([{"id": "1", "quantity": 1}, {"id": "2", "quantity": 2}]);
    let memory = member(&[
        (ORDER_PAID, "2026-11-01T09:00", json!({"orderId": "a", "total": "700", "storeId": "bkk-01", "lines": bought})),
        (ORDER_REFUNDED, "2026-11-02T09:00", json!({"orderId": "a", "total": "300", "lines": back})),
        (ORDER_PAID, "2026-11-03T09:00", json!({"orderId": "b", "total": "100", "storeId": "bkk-02"})),
        (ORDER_PAID, "2026-11-04T09:00", json!({"orderId": "c", "total": "50", "storeId": "bkk-03"})),
        (ORDER_REFUNDED, "2026-11-05T09:00", json!({"orderId": "c", "total": "50"})),
    ]);
    let of = |category: &str| [("lines.category".to_owned(), Test::In(vec![text(category)]))].into();
    let (tea, coffee, nothing): (BTreeMap<_, _>, BTreeMap<_, _>, BTreeMap<_, _>) =
        (of("tea"), of("coffee"), BTreeMap::new());
    for (measure, filter, expect) in [
        (Measure::Count, &nothing, Some(2)),
        (Measure::Sum("total".into()), &nothing, Some(5_000_000)),
        (Measure::Average("total".into()), &nothing, Some(2_500_000)),
        (Measure::Min("total".into()), &nothing, Some(1_000_000)),
        (Measure::Max("total".into()), &nothing, Some(4_000_000)),
        (Measure::Distinct("storeId".into()), &nothing, Some(2)),
        (Measure::Sum("lines.quantity".into()), &tea, Some(20_000)),
        (Measure::Sum("lines.total".into()), &tea, Some(2_000_000)),
        (Measure::Count, &coffee, Some(0)),
        (Measure::Sum("lines.quantity".into()), &coffee, Some(0)),
        (Measure::Average("lines.quantity".into()), &coffee, None),
    ] {
        let behavior = Behavior { event: ORDER_PAID.into(), filter: filter.clone(), measure, ..Behavior::default() };
        assert_eq!(measure_of(&behavior, &memory), expect, "{behavior:?}");
    }
    let last = Behavior { event: ORDER_PAID.into(), pick: Some(Pick::Last), least: Some(1), ..Behavior::default() };
    check(&memory, &Condition::Behavior(last), true, "yes, 2026-11-03 09:00");
}

fn measure_of(behavior: &Behavior, memory: &Memory) -> Option<i64> {
    measure(behavior, &asked(memory))
}

#[test]
fn a_sequence_keeps_to_its_gaps_and_to_what_must_not_happen() {
    let step = |event: &str, within: Option<i64>, after: Option<i64>| Step {
        event: event.into(),
        filter: BTreeMap::new(),
        within: within.map(Span::days),
        after: after.map(Span::days),
    };
    let without = |until| Some(Exclusion { event: "x".into(), filter: BTreeMap::new(), until });
    let came_back = vec![step("cart.abandoned", None, None), step("store.visited", Some(7), None)];
    let left = vec![step("cart.abandoned", Some(7), Some(1))];
    let (cart, visit) = (("cart.abandoned", "2026-11-01T10:00"), ("store.visited", "2026-11-03T10:00"));
    let both = "cart.abandoned 2026-11-01 10:00, then store.visited 2026-11-03 10:00";
    let half = "cart.abandoned 2026-11-01 10:00, but no store.visited that fits";
    type Case<'a> = (&'a [(&'a str, &'a str)], &'a [Step], Option<Exclusion>, bool, &'a str);
    let cases: [Case<'_>; 9] = [
        (&[cart, visit], &came_back, None, true, both),
        (
            &[cart, ("store.visited", "2026-11-08T10:00")],
            &came_back,
            None,
            true,
            "cart.abandoned 2026-11-01 10:00, then store.visited 2026-11-08 10:00",
        ),
        (&[cart, ("store.visited", "2026-11-08T10:00:01")], &came_back, None, false, half),
        (&[cart, ("store.visited", cart.1)], &came_back, None, false, half),
        (&[cart, visit, ("x", "2026-11-02T10:00")], &came_back, without(Until::LastStep), false, half),
        (&[cart, visit, ("x", "2026-11-04T10:00")], &came_back, without(Until::LastStep), true, both),
        (&[cart, visit, ("x", "2026-11-04T10:00")], &came_back, without(Until::Now), false, "did not begin"),
        (&[("cart.abandoned", "2026-11-10T10:00")], &left, without(Until::Now), false, "did not begin"),
        (
            &[("cart.abandoned", "2026-11-10T09:59:59")],
            &left,
            without(Until::Now),
            true,
            "cart.abandoned 2026-11-10 09:59",
        ),
    ];
    for (events, steps, without, expect, told) in cases {
        let events: Vec<_> = events.iter().map(|(kind, at)| (*kind, *at, json!({}))).collect();
        let sequence = Sequence { steps: steps.to_vec(), without };
        check(&member(&events), &Condition::Sequence(sequence), expect, told);
    }
}

#[test]
fn a_stage_begins_with_its_first_instant() {
    let long_ago = "2026-01-01T00:00";
    for (joined, last, stage, told) in [
        ("2026-10-12T10:00", None, Stage::New, "new: no activity, joined 30 days ago"),
        ("2026-10-12T09:59:59", None, Stage::Active, "active: no activity, joined 30 days ago"),
        (long_ago, Some("2026-09-12T10:00:01"), Stage::Active, "active: last activity 60 days ago"),
        (long_ago, Some("2026-09-12T10:00"), Stage::Dormant, "dormant: last activity 60 days ago"),
        (long_ago, Some("2026-08-13T10:00"), Stage::ChurnRisk, "at risk of churning: last activity 90 days ago"),
        (long_ago, Some("2026-05-15T10:00"), Stage::Churned, "churned: last activity 180 days ago"),
        (long_ago, None, Stage::Churned, "churned: no activity, joined 314 days ago"),
    ] {
        let events: Vec<_> = last.iter().map(|at| (ORDER_PAID, *at, json!({"orderId": "o", "total": "5"}))).collect();
        let mut memory = member(&events);
        memory.facts.since = Some(bangkok(joined));
        let question = Lifecycle { stages: vec![stage], rule: LifecycleRule::default() };
        check(&memory, &Condition::Lifecycle(question), true, told);
    }
    let nobody = Lifecycle { stages: vec![Stage::Churned], rule: LifecycleRule::default() };
    check(&member(&[]), &Condition::Lifecycle(nobody), true, "churned: no activity");
}

#[test]
fn a_member_is_where_it_says_else_where_it_was_last_seen() {
    let siam = Point::parse("13.7466", "100.5349").unwrap();
    let near = |radius_m| {
        let (attribute, stores) = (Some("home".into()), vec!["bkk-01".into()]);
        Condition::Location(Location::Near { point: siam, store: None, radius_m, attribute, stores })
    };
    let region = Location::Region { any: vec!["TH-10".into()], attribute: None, stores: vec!["bkk-01".into()] };
    let seen = json!({"location": {"lat": 13.7244, "lng": 100.5784}, "storeId": "bkk-02"});
    let last_seen = |newest: &serde_json::Value| {
        let before = ("store.visited", "2026-11-01T09:00", json!({"storeId": "bkk-01"}));
        member(&[before, ("member.located", NOW, newest.clone())])
    };
    let far = "13.724400,100.578400, 5.308 km away";
    check(&last_seen(&seen), &near(5_308), true, far);
    check(&last_seen(&seen), &near(5_307), false, far);
    check(&last_seen(&json!({})), &near(1), true, "the store bkk-01");
    check(&last_seen(&json!({})), &Condition::Location(region.clone()), true, "the store bkk-01");
    check(&member(&[]), &Condition::Location(region), false, "not known");
    let mut at_home = last_seen(&seen);
    at_home.facts.attributes.insert("home".into(), text(&siam.to_string()));
    check(&at_home, &near(1), true, "13.746600,100.534900, 0 m away");
}

#[test]
fn the_preferred_store_is_that_of_most_visits_then_of_the_newest_then_the_smallest() {
    let prefers_b = Location::PreferredStore { any: vec!["b".into()], attribute: None, within: Span::days(30) };
    let (first, second, long_ago) = ("2026-11-01T09:00", "2026-11-02T09:00", "2026-09-01T09:00");
    for (visits, expect, told) in [
        (vec![("a", first), ("b", second)], true, "the store b"),
        (vec![("a", second), ("b", first)], false, "the store a"),
        (vec![("a", first), ("b", first)], false, "the store a"),
        (vec![("a", second), ("b", first), ("b", first)], true, "the store b"),
        (vec![("a", first), ("b", long_ago), ("b", long_ago)], false, "the store a"),
    ] {
        let events: Vec<_> =
            visits.iter().map(|(store, at)| ("store.visited", *at, json!({"storeId": store}))).collect();
        check(&member(&events), &Condition::Location(prefers_b.clone()), expect, told);
    }
}

#[test]
fn an_interest_stands_in_enough_orders_and_among_the_first() {
    let order = |id: &str, at: &'static str, categories: &[&str]| {
        let lines: Vec<_> = categories.iter().map(|category| json!({"sku": category, "category": category})).collect();
        (ORDER_PAID, at, json!({"orderId": id, "total": "5", "lines": lines}))
    };
    let memory = member(&[
        order("a", "2026-11-01T09:00", &["tea", "tea", "cake"]),
        order("b", "2026-11-02T09:00", &["coffee", "cake"]),
        order("c", "2026-11-03T09:00", &["coffee", "tea", "milk"]),
        order("d", "2026-11-04T09:00", &["milk"]),
        (ORDER_REFUNDED, "2026-11-05T09:00", json!({"orderId": "d", "total": "5"})),
    ]);
    let rule = InterestRule { top: 2, ..InterestRule::default() };
    // Coffee and tea stand in two orders and the newest; cake in two, but older; milk in one.
    for (name, expect) in [("coffee", true), ("tea", true), ("cake", false), ("milk", false)] {
        let question = Interests { any: vec![name.into()], all: Vec::new(), none: Vec::new(), rule: rule.clone() };
        check(&memory, &Condition::Interests(question), expect, "coffee, tea");
    }
}

#[test]
fn a_question_that_blows_up_through_other_segments_ends() {
    let mut memory = member(&[]);
    memory.segments.insert(name("s0"), Condition::Not(Box::new(Condition::Everyone)));
    for n in 1..=15 {
        let parts = (0..16).map(|_| Condition::Segment(name(&format!("s{}", n - 1)))).collect();
        memory.segments.insert(name(&format!("s{n}")), Condition::Any(parts));
    }
    let condition = Condition::Segment(name("s15"));
    assert!(!holds(&condition, &asked(&memory)));
    assert!(!why(&condition, &asked(&memory))[0].holds);
}
