use super::*;
use crate::{
    fixtures::{Memory, bangkok, name},
    model::segment::{Behavior, Decimal, Measure, Scalar, Test, Window},
    time::Span,
};
use serde_json::json;
use std::collections::BTreeMap;

mod questions;

fn event(at: &str, data: serde_json::Value) -> PastEvent {
    PastEvent { at: bangkok(at), data }
}

fn memory() -> Memory {
    let mut memory = Memory { now: bangkok("2026-11-11T10:00"), ..Memory::default() };
    let facts = &mut memory.facts;
    facts.attributes.insert("tier".into(), Scalar::Text("gold".into()));
    facts.attributes.insert("age".into(), Scalar::Number(Decimal::parse("30").unwrap()));
    facts.attributes.insert("birthDate".into(), Scalar::Text("1996-02-29".into()));
    facts.tags.insert("coffee".into());
    facts.lists.insert(name("vip"));
    facts.events.insert(
        ORDER_PAID.into(),
        vec![
            event("2026-11-10T09:00", json!({"orderId": "o3", "total": "500.50", "storeId": "bkk-01"})),
            event("2026-11-01T09:00", json!({"orderId": "o2", "total": 1500.0, "storeId": "bkk-02"})),
            event("2026-08-01T09:00", json!({"orderId": "o1", "total": "900"})),
        ],
    );
    facts.events.insert(
        ORDER_REFUNDED.into(),
        vec![
            event("2026-11-11T09:00", json!({"orderId": "o2", "total": "500"})),
            event("2026-11-02T09:00", json!({"orderId": "o2", "total": "100"})),
            event("2026-10-01T09:00", json!({"orderId": "o1", "total": "900"})),
        ],
    );
    memory
}

fn asked(memory: &Memory) -> Asked<'_> {
    Asked { facts: &memory.facts, catalogue: memory, now: memory.now, zone: memory.runtime.zone }
}

fn behavior(measure: Measure, within: Option<Span>, least: Option<i64>, most: Option<i64>) -> Condition {
    Condition::Behavior(Behavior {
        event: ORDER_PAID.into(),
        window: Window { within, ..Window::default() },
        measure,
        least,
        most,
        ..Behavior::default()
    })
}

fn text(value: &str) -> Scalar {
    Scalar::Text(value.into())
}

#[test]
fn attributes_are_compared_by_what_they_are() {
    let memory = memory();
    let between =
        |least: Option<&str>, most: Option<&str>| Test::Between { least: least.map(text), most: most.map(text) };
    for (attribute, test, expect) in [
        ("tier", Test::In(vec![text("gold"), text("platinum")]), true),
        ("tier", Test::NotIn(vec![text("gold")]), false),
        ("age", Test::In(vec![text("30.0")]), true),
        ("age", between(Some("30"), Some("30")), true),
        ("age", between(Some("9"), None), true),
        ("age", between(Some("31"), None), false),
        ("birthDate", between(Some("1996-01-01"), Some("1996-12-31")), true),
        ("birthDate", between(None, Some("1996-02-28")), false),
        ("tier", between(Some("a"), None), false),
        ("city", Test::In(vec![text("x")]), false),
        ("city", Test::NotIn(vec![text("x")]), true),
        ("city", Test::Exists(false), true),
        ("city", between(None, None), false),
        ("tier", Test::Exists(true), true),
    ] {
        let condition = Condition::Attribute { name: attribute.into(), test };
        assert_eq!(holds(&condition, &asked(&memory)), expect, "{}", describe(&condition));
    }
}

#[test]
fn orders_count_net_of_refunds() {
    let memory = memory();
    let total = || Measure::Sum("total".into());
    let month = Some(Span::days(30));
    for (measure, within, expect) in [
        (Measure::Count, month, 2),
        (Measure::Count, None, 2),
        (total(), month, 14_005_000),
        (total(), None, 14_005_000),
        (Measure::Count, Some(Span::days(1)), 0),
        (Measure::Count, Some(Span::days(2)), 1),
    ] {
        let condition = behavior(measure, within, Some(expect), Some(expect));
        assert!(holds(&condition, &asked(&memory)), "{}: {:?}", describe(&condition), why(&condition, &asked(&memory)));
    }
}

#[test]
fn a_filter_reads_the_event_s_data() {
    let memory = memory();
    let filter = BTreeMap::from([("storeId".to_owned(), Test::In(vec![text("bkk-01")]))]);
    let condition = Behavior { event: ORDER_PAID.into(), filter, least: Some(1), ..Behavior::default() };
    assert_eq!(measure(&condition, &asked(&memory)), Some(1));
}

#[test]
fn an_event_ahead_of_now_does_not_count_yet() {
    let memory = Memory { now: bangkok("2026-11-05T00:00"), ..memory() };
    assert!(holds(&behavior(Measure::Sum("total".into()), None, Some(14_000_000), Some(14_000_000)), &asked(&memory)));
}

#[test]
fn segments_nest_and_a_cycle_ends() {
    let mut memory = memory();
    memory.segments.insert(name("a"), Condition::Segment(name("b")));
    memory.segments.insert(
        name("b"),
        Condition::Any(vec![Condition::Segment(name("a")), Condition::Not(Box::new(Condition::List(name("vip"))))]),
    );
    memory.segments.insert(name("ok"), Condition::List(name("vip")));
    for (segment, expect) in [("a", false), ("ok", true), ("nowhere", false)] {
        assert_eq!(belongs(&name(segment), &asked(&memory)), expect, "{segment}");
        assert_eq!(holds(&Condition::Not(Box::new(Condition::Segment(name(segment)))), &asked(&memory)), !expect);
    }
    assert!(!why(&Condition::Segment(name("a")), &asked(&memory)).is_empty());
}

#[test]
fn why_gives_each_part_in_words_with_what_was_found() {
    let memory = memory();
    let condition = Condition::All(vec![
        Condition::Attribute { name: "tier".into(), test: Test::In(vec![text("silver"), text("gold")]) },
        behavior(Measure::Sum("total".into()), Some(Span::days(30)), Some(20_000_000), None),
        Condition::Tags { any: vec!["coffee".into()], all: Vec::new(), none: vec!["tea".into()] },
    ]);
    let reasons = why(&condition, &asked(&memory));
    let flat: Vec<_> = reasons.iter().map(|w| (w.condition.as_str(), w.holds, w.actual.as_deref().unwrap())).collect();
    assert_eq!(
        flat,
        [
            ("tier is silver or gold", true, "gold"),
            ("sum of total over order.paid within 30d is at least 2000", false, "1400.5"),
            ("has at least one of the tags coffee and has none of the tags tea", true, "coffee"),
        ]
    );
}
